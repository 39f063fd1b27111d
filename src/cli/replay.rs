//! `tandem replay`: steps through a recorded incident on the screen, forwards and backwards, with every decision taken
//! again and compared (U5). Without a terminal it prints the steps and the comparison, a line each.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::{Global, ReplayArgs};
use super::attach::screen_options;
use super::exit::Exit;
use super::moment;
use super::plain::plain;
use crate::config::{Config, locate};
use crate::journal::Tape;
use crate::journal::replay::Judge;
use crate::ui::terminal::can_draw;

mod screen;
mod walk;

use walk::{Counts, Mark, What, walk};

/// The most that a bundle may unpack to: its sender does not decide how full this disk becomes.
const LONGEST_BUNDLE: u64 = 512 * 1024 * 1024;

/// Replays what was named.
pub fn run(global: &Global, args: &ReplayArgs) -> anyhow::Result<Exit> {
    let unpacked = if is_bundle(&args.file) { Some(unpack(&args.file, LONGEST_BUNDLE)?) } else { None };
    let path = unpacked.as_ref().map_or(args.file.as_path(), tempfile::TempDir::path);
    let tape = Tape::open(path)?;
    if !can_draw() {
        return lines(&tape);
    }
    // A configuration that cannot be read must not keep anybody from looking.
    let look = Config::load(&locate(global.config.as_deref())).map(|config| config.screen).unwrap_or_default();
    let state_directory = state_directory_of(path);
    let counts = screen::show(tape, state_directory.as_deref(), screen_options(&look))?;
    crate::tell!("{}", verdict(&counts));
    Ok(told(&counts))
}

/// The exit status, what stands behind it told on standard error.
fn told(counts: &Counts) -> Exit {
    if let Some(complaint) = complaint(counts) {
        crate::complain!("tandem: {complaint}");
    }
    exit(counts)
}

/// The state directory in which a journal would be read beside the recording.
fn state_directory_of(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let directory = if path.is_file() { path.parent()?.to_owned() } else { path };
    let is_journal = directory.file_name().is_some_and(|name| name == "journal");
    if is_journal { directory.parent().map(Path::to_owned) } else { Some(directory) }
}

fn is_bundle(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// The recording and the events in a support bundle, in a folder that goes with the returned value. Only regular files are taken, and
/// only their last name: whoever made the bundle does not decide where anything is written, nor more than `longest` bytes of it.
fn unpack(bundle: &Path, longest: u64) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("a folder for the unpacked recording cannot be made")?;
    // A pipe that nobody writes to would keep whoever asks waiting.
    let opened = std::fs::metadata(bundle).and_then(|found| match found.is_file() {
        true => File::open(bundle),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
    });
    let file = opened.with_context(|| format!("{} cannot be opened", bundle.display()))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let failed = || format!("{} cannot be unpacked", bundle.display());
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).with_context(failed)?;
    let mut found = false;
    let mut left = longest;
    for entry in archive.entries().with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let name = PathBuf::from(entry.path().with_context(failed)?.file_name().unwrap_or_default());
        let is = |wanted: &str| name.extension().is_some_and(|end| end == wanted);
        if !entry.header().entry_type().is_file() || !(is("tandem-inputs") || is("tandem-journal")) {
            continue;
        }
        found |= is("tandem-inputs");
        let mut out = File::create(journal.join(&name)).with_context(failed)?;
        let copied = io::copy(&mut entry.take(left + 1), &mut out).with_context(failed)?;
        left = left
            .checked_sub(copied)
            .with_context(|| format!("{} unpacks to more than any that this program makes", bundle.display()))?;
    }
    if !found {
        bail!("{} holds no recording: no file in it ends in .tandem-inputs", bundle.display());
    }
    Ok(folder)
}

/// The whole replay as lines: a step each, then what came of the comparison.
fn lines(tape: &Tape) -> anyhow::Result<Exit> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let counts = walk(tape, |mark| {
        if written.is_ok() {
            written = print(&mark, &mut out);
        }
    });
    let written = written.and_then(|()| writeln!(out, "{}", verdict(&counts))).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write to standard output");
        }
        Ok(()) | Err(_) => {}
    }
    Ok(told(&counts))
}

/// Done only when everything was decided again, and the same: whoever runs this in a script must not take a recording for
/// sound of which a part is damaged or missing. What a crash cuts off its end is no fault of a recording, and what another
/// version would have decided otherwise is news.
fn exit(counts: &Counts) -> Exit {
    let Counts { segments, inputs: _, decided: _, errors, otherwise: _, broken, torn: _, missing } = counts;
    if *errors > 0 || *segments == 0 || *broken > 0 || *missing > 0 { Exit::Failed } else { Exit::Done }
}

/// What keeps a replay from being whole, for standard error.
fn complaint(counts: &Counts) -> Option<String> {
    let Counts { broken, missing, .. } = counts;
    let damaged = (*broken > 0).then(|| format!("{} of the recording cannot be read whole", count(*broken, "segment")));
    let gone = (*missing > 0).then(|| format!("{} of it are missing", count(*missing, "input")));
    let all: Vec<String> = damaged.into_iter().chain(gone).collect();
    (!all.is_empty()).then(|| format!("{}; only the rest was decided again", all.join(", and ")))
}

fn print(mark: &Mark, out: &mut impl Write) -> io::Result<()> {
    // Before anything that can be read no time is known.
    let time = if mark.unix_ms == 0 { String::new() } else { moment::readable(mark.unix_ms) };
    let time = format!("{time:<23}");
    match &mark.what {
        What::Begins(text) => writeln!(out, "{time}  -- {}", plain(text)),
        What::Broken(text) => writeln!(out, "{time}  -- {}", plain(text)),
        What::Decided(texts) => texts.iter().try_for_each(|text| writeln!(out, "{time}  {}", plain(text))),
        What::Differs { now, recorded, judge } => {
            for text in recorded {
                writeln!(out, "{time}  recorded: {}", plain(text))?;
            }
            if recorded.is_empty() {
                writeln!(out, "{time}  recorded: nothing")?;
            }
            let lead = match judge {
                Judge::ThisVersion => "DIFFERENT: decided again it is",
                Judge::Other(_) => "this version would decide",
            };
            for text in now {
                writeln!(out, "{time}  {lead}: {}", plain(text))?;
            }
            if now.is_empty() {
                writeln!(out, "{time}  {lead}: nothing")?;
            }
            Ok(())
        }
    }
}

/// What came of the comparison, as one line.
fn verdict(counts: &Counts) -> String {
    let Counts { segments, inputs, decided, errors, otherwise, broken, torn, missing } = counts;
    let mut text = format!(
        "{}, {inputs} inputs, {decided} of them with something decided or told: ",
        count(*segments as u64, "segment")
    );
    match (errors, otherwise) {
        (0, 0) if *segments == 0 => "nothing in it could be replayed".clone_into(&mut text),
        (0, 0) if *broken > 0 || *missing > 0 => text.push_str("what could be decided again is the same"),
        (0, 0) => text.push_str("all decided again, all the same"),
        (0, _) => text.push_str(&format!("of another version's, this version would decide {otherwise} otherwise")),
        (_, _) => text.push_str(&format!("{errors} DIFFERENT when decided again: please send the recording in")),
    }
    if *missing > 0 {
        text.push_str(&format!("; missing: {}", count(*missing, "input")));
    }
    if *broken > 0 {
        text.push_str(&format!("; damaged: {}", count(*broken, "segment")));
    }
    if *torn > 0 {
        text.push_str(&format!("; cut short at the end: {}", count(*torn, "segment")));
    }
    text
}

/// "1 segment", "2 segments".
fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u5_only_a_recording_that_is_whole_and_the_same_is_done() {
        let sound = Counts { segments: 2, inputs: 9, decided: 1, ..Counts::default() };
        for (counts, status) in [
            (sound.clone(), Exit::Done),
            (Counts { torn: 1, ..sound.clone() }, Exit::Done),
            (Counts { otherwise: 1, ..sound.clone() }, Exit::Done),
            (Counts { errors: 1, ..sound.clone() }, Exit::Failed),
            (Counts { broken: 1, ..sound.clone() }, Exit::Failed),
            (Counts { missing: 3, ..sound }, Exit::Failed),
            (Counts::default(), Exit::Failed),
        ] {
            assert_eq!(exit(&counts), status, "{counts:?}");
            let same = verdict(&counts).contains("all decided again, all the same");
            assert!(!same || status == Exit::Done, "{}", verdict(&counts));
        }
    }

    #[test]
    fn u5_a_bundle_that_unpacks_to_more_than_any_is_not_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.tar.gz");
        let packed = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::best());
        let mut archive = tar::Builder::new(packed);
        for name in ["a/00000001.tandem-inputs", "a/00000002.tandem-inputs"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(6_000);
            archive.append_data(&mut header, name, io::repeat(0).take(6_000)).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap();
        assert!(unpack(&path, 12_000).is_ok());
        let error = unpack(&path, 11_999).unwrap_err().to_string();
        assert!(error.contains("unpacks to more than any that this program makes"), "{error}");
    }

    #[test]
    fn u5_what_could_not_be_replayed_is_not_called_the_same() {
        let nothing = Counts { broken: 1, ..Counts::default() };
        assert_eq!(verdict(&nothing), "nothing in it could be replayed; damaged: 1 segment");
        assert_eq!(
            complaint(&nothing).as_deref(),
            Some("1 segment of the recording cannot be read whole; only the rest was decided again")
        );
        let some = Counts { segments: 1, inputs: 9, decided: 1, ..Counts::default() };
        assert!(verdict(&some).ends_with("all decided again, all the same"), "{}", verdict(&some));
    }

    #[test]
    fn u5_what_has_no_time_shows_none() {
        let mut out = Vec::new();
        let what = What::Broken("it begins like something else".to_owned());
        print(&Mark { segment: 0, place: 0, unix_ms: 0, what }, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().trim(), "-- it begins like something else");
    }
}

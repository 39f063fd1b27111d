//! `tandem events`: the journal, a line an event.

use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;

use anyhow::Context;
use jiff::Zoned;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use super::args::{EventsArgs, Global};
use super::exit::Exit;
use super::moment;
use super::plain::plain;
use super::whereabouts;
use crate::journal::entry::KINDS;
use crate::journal::{self, Entry, Reader, Record};
use crate::negotiation::event::Severity;
use crate::node::clock::rfc3339;

/// The time between two looks at the journal with `--follow`, in milliseconds.
const LOOK_EVERY_MS: u16 = 200;

/// What `--json` prints of one event.
#[derive(Debug, Serialize)]
struct Document<'a> {
    seq: u64,
    time: String,
    unix_ms: u64,
    boot_ms: u64,
    node: Option<&'a str>,
    severity: Severity,
    kind: &'static str,
    text: String,
    entry: &'a Entry,
}

/// What `--kind` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Severity(Severity),
    Word(String),
}

impl Kind {
    fn parse(text: &str) -> Result<Kind, String> {
        let word = text.trim().to_ascii_lowercase().replace('-', "_");
        match word.as_str() {
            "alarm" => Ok(Kind::Severity(Severity::Alarm)),
            "warning" => Ok(Kind::Severity(Severity::Warning)),
            "note" => Ok(Kind::Severity(Severity::Note)),
            known if KINDS.contains(&known) => Ok(Kind::Word(word)),
            _ => Err(format!("there is no kind {text:?}; there are alarm, warning, note, {}", KINDS.join(", "))),
        }
    }

    fn is_of(&self, entry: &Entry) -> bool {
        match self {
            Kind::Severity(severity) => entry.severity() == *severity,
            Kind::Word(word) => entry.kind() == word,
        }
    }
}

/// Which events are asked for.
#[derive(Debug)]
struct Wanted {
    since_unix_ms: u64,
    kind: Option<Kind>,
}

impl Wanted {
    fn parse(args: &EventsArgs) -> Result<Wanted, String> {
        let since = args.since.as_deref().map(|text| moment::parse(text, &Zoned::now()));
        let since_unix_ms = since.transpose().map_err(|error| format!("--since: {error}"))?.unwrap_or(0);
        let kind = args.kind.as_deref().map(Kind::parse).transpose().map_err(|error| format!("--kind: {error}"))?;
        Ok(Wanted { since_unix_ms, kind })
    }

    fn holds(&self, record: &Record) -> bool {
        let of_kind = match &self.kind {
            // What is only kept to count with is shown to who asks for it by name.
            None | Some(Kind::Severity(_)) if record.entry.is_for_counting() => false,
            None => true,
            Some(kind) => kind.is_of(&record.entry),
        };
        record.unix_ms >= self.since_unix_ms && of_kind
    }
}

/// Prints the journal as asked.
pub fn run(global: &Global, args: &EventsArgs) -> anyhow::Result<Exit> {
    let wanted = match Wanted::parse(args) {
        Ok(wanted) => wanted,
        Err(error) => {
            crate::complain!("tandem: {error}");
            return Ok(Exit::Usage);
        }
    };
    let directory = match whereabouts::state_directory_or_say(global) {
        Ok(directory) => directory,
        Err(exit) => return Ok(exit),
    };
    let mut reader = journal::read(&directory)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = match (args.follow, args.json) {
        (true, true) => follow(&mut reader, &wanted, &mut out, json_line),
        (true, false) => follow(&mut reader, &wanted, &mut out, line),
        (false, true) => print_array(&mut reader, &wanted, &mut out),
        (false, false) => print(&mut reader, &wanted, &mut out, line),
    };
    match printed.and_then(|()| out.flush()) {
        Ok(()) => {}
        // Whoever read has seen enough: `tandem events | head` is done.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
        Err(error) => return Err(error).context("cannot write to standard output"),
    }
    if let Some(error) = reader.failure() {
        return Err(error.into());
    }
    for passed in reader.skipped() {
        crate::complain!(
            "tandem: {}: {} bytes from byte {} on could not be read: {}",
            passed.path.display(),
            passed.bytes,
            passed.offset,
            passed.why
        );
    }
    if reader.unfinished() > 0 {
        let bytes = reader.unfinished();
        crate::complain!(
            "tandem: the journal ends with {bytes} bytes that are no whole record: cut short, or being written"
        );
    }
    Ok(Exit::Done)
}

/// How one event is printed; it ends its line.
type PrintOne<W> = fn(&Record, Option<&str>, &mut W) -> io::Result<()>;

fn print<W: Write>(reader: &mut Reader, wanted: &Wanted, out: &mut W, one: PrintOne<W>) -> io::Result<()> {
    while let Some(record) = reader.next() {
        if wanted.holds(&record) {
            one(&record, reader.who().map(|who| who.node.as_str()), out)?;
        }
    }
    Ok(())
}

/// Prints what there is and then what comes, until the reader of standard output goes away or the journal cannot be
/// read. An interrupt ends the process, as it does any other.
fn follow<W: Write>(reader: &mut Reader, wanted: &Wanted, out: &mut W, one: PrintOne<W>) -> io::Result<()> {
    loop {
        print(reader, wanted, out, one)?;
        out.flush()?;
        if let Some(error) = reader.failure() {
            return Err(io::Error::other(error));
        }
        if is_gone_after_a_while()? {
            return Ok(());
        }
    }
}

/// Waits until it is time to look again, or until nobody reads standard output any more.
fn is_gone_after_a_while() -> io::Result<bool> {
    let stdout = io::stdout();
    // No event is asked for: an error or a hang-up is always told, and nothing else is of interest.
    let mut watched = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    match poll(&mut watched, PollTimeout::from(LOOK_EVERY_MS)) {
        Ok(events) => Ok(events > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn line<W: Write>(record: &Record, _node: Option<&str>, out: &mut W) -> io::Result<()> {
    let entry = &record.entry;
    let time = moment::readable(record.unix_ms);
    writeln!(out, "{time}  {:<7}  {:<17}  {}", entry.severity().word(), entry.kind(), plain(&entry.text()))
}

fn json_line<W: Write>(record: &Record, node: Option<&str>, out: &mut W) -> io::Result<()> {
    json(record, node, out)?;
    writeln!(out)
}

fn json<W: Write>(record: &Record, node: Option<&str>, out: &mut W) -> io::Result<()> {
    let document = Document {
        seq: record.seq,
        time: rfc3339(record.unix_ms),
        unix_ms: record.unix_ms,
        boot_ms: record.boot_ms,
        node,
        severity: record.entry.severity(),
        kind: record.entry.kind(),
        text: record.entry.text(),
        entry: &record.entry,
    };
    Ok(serde_json::to_writer(out, &document)?)
}

/// One JSON document: an array with an event a line.
fn print_array<W: Write>(reader: &mut Reader, wanted: &Wanted, out: &mut W) -> io::Result<()> {
    let mut before = "[\n";
    while let Some(record) = reader.next() {
        if wanted.holds(&record) {
            out.write_all(before.as_bytes())?;
            json(&record, reader.who().map(|who| who.node.as_str()), out)?;
            before = ",\n";
        }
    }
    out.write_all(if before == "[\n" { b"[]\n" } else { b"\n]\n" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        let entry = Entry::Fault { part: "state".to_owned(), text: text.to_owned() };
        Record { seq: 7, unix_ms: 1_794_881_564_123, boot_ms: 5, entry }
    }

    #[test]
    fn a_line_has_its_columns_and_foreign_text_cannot_move_the_cursor() {
        let mut out = Vec::new();
        line(&record("a\u{1b}[2Jb"), None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (time, rest) = text.split_at(23);
        assert_eq!(time, moment::readable(1_794_881_564_123));
        assert_eq!(rest, "  warning  fault              state: a\\u{1b}[2Jb\n");
    }

    #[test]
    fn a_kind_is_a_severity_or_an_event_s_own_word() {
        let warning = record("x").entry;
        assert!(Kind::parse("Warning").unwrap().is_of(&warning));
        assert!(Kind::parse("fault").unwrap().is_of(&warning));
        assert!(!Kind::parse("two-primaries").unwrap().is_of(&warning));
        assert!(!Kind::parse("ALARM").unwrap().is_of(&warning));
        assert!(Kind::parse("faults").unwrap_err().contains("hold_ended"));
    }
}

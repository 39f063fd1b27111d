//! `tandem report`: a support bundle, for whoever is asked for help: what is configured, what is so now, what happened,
//! and on what machine; secrets removed (U7). It also works where no controller runs: that is often why it is made.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::args::{Global, ReportArgs};
use super::exit::Exit;
use super::whereabouts::state_directory;
use super::{connect, moment};
use crate::config::locate;
use crate::control::request::{Reply, Request};
use crate::journal::{self, Tape};
use crate::node::clock::unix_ms;

mod secrets;

use secrets::{Secrets, without_likely, without_likely_in};

/// The folder in the archive.
const FOLDER: &str = "tandem-report";
/// The latest records of the journal that go into it.
const RECORDS: usize = 20_000;
/// So many bytes of the recording at most, the latest.
const RECORDING: u64 = 16 * 1024 * 1024;
/// The longest file of the system's that is taken.
const LONGEST: usize = 64 * 1024;

/// What of the system goes into it.
const SYSTEM: [&str; 9] = [
    "/proc/version",
    "/etc/os-release",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/pressure/cpu",
    "/proc/pressure/io",
    "/proc/self/limits",
    "/proc/self/cgroup",
];

/// Makes the bundle.
pub fn run(global: &Global, args: &ReportArgs) -> anyhow::Result<Exit> {
    let made = unix_ms();
    let mut contents = Contents::default();
    let mut secrets = Secrets::default();
    secrets.take_from_environment(
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    );
    configuration(global, &mut secrets, &mut contents);
    status(global, &mut contents);
    match state_directory(global) {
        Ok(directory) => journal_of(&directory, &secrets, &mut contents),
        Err(error) => contents.missing("the journal", &error),
    }
    contents.text("versions.txt", versions());
    contents.text("system.txt", system());
    contents.text("addresses.txt", addresses());
    let readme = contents.readme(made);
    contents.text("README.txt", readme);

    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("tandem-report-{}.tar.gz", made / 1_000)));
    write(&path, &contents, &secrets, made / 1_000)?;
    for line in &contents.missing {
        crate::complain!("tandem: not in it: {line}");
    }
    crate::tell!("{}", path.display());
    Ok(Exit::Done)
}

/// What goes into the bundle.
#[derive(Default)]
struct Contents {
    texts: Vec<(String, String)>,
    /// Segments of the recording, whole: their bytes are packed, and hold only what the negotiation was told.
    segments: Vec<PathBuf>,
    missing: Vec<String>,
}

impl Contents {
    fn text(&mut self, name: &str, text: String) {
        self.texts.push((name.to_owned(), text));
    }

    fn missing(&mut self, what: &str, why: &dyn std::fmt::Display) {
        self.missing.push(format!("{what}: {why}"));
    }

    fn readme(&self, made: u64) -> String {
        let mut text = format!(
            "A support bundle of tandem {}, made {}.\nSecrets were removed; look through it before you hand it on.\n\n",
            env!("CARGO_PKG_VERSION"),
            moment::readable(made)
        );
        for (name, _) in &self.texts {
            let _ = writeln!(text, "  {name}");
        }
        for segment in &self.segments {
            let _ = writeln!(text, "  journal/{}", file_name(segment));
        }
        if !self.segments.is_empty() {
            text.push_str("\nTo step through it: tandem replay FILE.tar.gz\n");
        }
        for line in &self.missing {
            let _ = writeln!(text, "\nnot in it: {line}");
        }
        text
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The configuration, written anew from what was read: so nothing of it is passed over by the way it was written.
fn configuration(global: &Global, secrets: &mut Secrets, contents: &mut Contents) {
    let path = locate(global.config.as_deref());
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return contents.missing("the configuration", &format!("{}: {error}", path.display())),
    };
    match text.parse::<toml::Table>() {
        Ok(mut table) => {
            secrets.take_from(&mut table, &folder);
            match toml::to_string_pretty(&table) {
                Ok(text) => contents.text("configuration.toml", format!("# {}\n{text}", path.display())),
                Err(error) => contents.missing("the configuration", &error),
            }
        }
        // What cannot be read cannot be searched for secrets; the message may quote a line.
        Err(error) => {
            secrets.keep_unparsed(&text);
            let at = error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count());
            contents.missing("the configuration", &format!("{} is no TOML, near line {at}", path.display()));
        }
    }
}

fn status(global: &Global, contents: &mut Contents) {
    let asked = || -> anyhow::Result<String> {
        let mut client = connect::connect(global)?;
        match client.ask(&Request::Status, std::time::Duration::from_secs(5))? {
            Reply::Status(status) => {
                let mut document = serde_json::to_value(&*status)?;
                without_likely_in(&mut document);
                Ok(serde_json::to_string_pretty(&document)?)
            }
            other => anyhow::bail!("the controller answered something else: {other:?}"),
        }
    };
    match asked() {
        Ok(text) => contents.text("status.json", text),
        Err(error) => {
            let text = format!("no controller answers: {error:#}\n");
            contents.missing("the status", &text.trim_end());
            contents.text("status.txt", text);
        }
    }
}

fn journal_of(directory: &Path, secrets: &Secrets, contents: &mut Contents) {
    match journal::read_last(directory, RECORDS) {
        Ok(records) => {
            let (mut lines, mut json) = (String::new(), String::new());
            for record in &records {
                let entry = &record.entry;
                let time = moment::readable(record.unix_ms);
                let _ = writeln!(
                    lines,
                    "{time}  {:<7}  {:<17}  {}",
                    entry.severity().word(),
                    entry.kind(),
                    without_likely(&entry.text())
                );
                let mut document = serde_json::to_value(record).unwrap_or_default();
                without_likely_in(&mut document);
                json.push_str(&document.to_string());
                json.push('\n');
            }
            contents.text("events.txt", lines);
            contents.text("events.jsonl", json);
        }
        Err(error) => contents.missing("the events", &error),
    }
    match Tape::open(directory) {
        Ok(tape) => {
            let mut bytes = 0;
            for file in tape.files.iter().rev() {
                bytes += fs::metadata(file).map_or(0, |metadata| metadata.len());
                if bytes > RECORDING {
                    break;
                }
                // Nothing secret is told to the negotiation; this makes sure of it.
                let told = Tape::load(file).map(|part| format!("{} {:?}", part.begin.state, part.facts));
                match told {
                    Ok(told) if !secrets.are_in(told.as_bytes()) => contents.segments.insert(0, file.clone()),
                    Ok(_) => contents.missing(&file_name(file), &"a secret of the configuration occurs in it"),
                    Err(error) => contents.missing(&file_name(file), &error),
                }
            }
        }
        Err(error) => contents.missing("the recording", &error),
    }
}

fn versions() -> String {
    format!(
        "tandem {}\nC2C protocol and status schema: see PROTOCOL.md and assets/status.schema.json of that version\nbuilt for {} {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

fn system() -> String {
    let mut text = String::new();
    for path in SYSTEM {
        let _ = writeln!(text, "== {path}");
        match fs::read_to_string(path) {
            Ok(found) => text.extend(found.chars().take(LONGEST)),
            Err(error) => {
                let _ = writeln!(text, "{error}");
            }
        }
        text.push('\n');
    }
    text
}

fn addresses() -> String {
    let mut text = String::new();
    match nix::ifaddrs::getifaddrs() {
        Ok(all) => {
            for one in all {
                if let Some(address) = one
                    .address
                    .filter(|address| address.as_sockaddr_in().is_some() || address.as_sockaddr_in6().is_some())
                {
                    let _ = writeln!(text, "{}  {address}  {}", one.interface_name, one.flags);
                }
            }
        }
        Err(error) => {
            let _ = writeln!(text, "{error}");
        }
    }
    text
}

/// Writes the archive, readable for its owner only; an existing file is never overwritten.
fn write(path: &Path, contents: &Contents, secrets: &Secrets, unix_seconds: u64) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} (choose another file: -o FILE)", failed()))?;
    let written = write_all(file, contents, secrets, unix_seconds);
    if written.is_err() {
        // Half a bundle helps nobody; that it is gone matters less than why.
        let _ = fs::remove_file(path);
    }
    written.with_context(failed)
}

fn write_all(file: File, contents: &Contents, secrets: &Secrets, unix_seconds: u64) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    let mut add = |name: &str, bytes: &[u8]| -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(unix_seconds);
        archive.append_data(&mut header, format!("{FOLDER}/{name}"), bytes)
    };
    for (name, text) in &contents.texts {
        add(name, secrets.out_of(text).as_bytes())?;
    }
    for segment in &contents.segments {
        add(&format!("journal/{}", file_name(segment)), &fs::read(segment)?)?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}

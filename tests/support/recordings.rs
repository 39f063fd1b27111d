//! What every test's controllers recorded is decided again, and is the same (U5): [`Folder`] sees to it, so that no test
//! need think of it.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tandem::journal::Tape;
use tandem::journal::replay::{Joint, Player};
use tandem::journal::tape::Part;

/// A folder that goes with the test. Before it goes, each recording in it is replayed; a difference fails the test.
pub struct Folder {
    inner: tempfile::TempDir,
    replays: bool,
}

impl Folder {
    /// A new one, below the system's folder for such.
    pub fn new() -> Folder {
        let inner = tempfile::Builder::new().prefix("tandem-test-").tempdir().expect("a temporary folder can be made");
        Folder { inner, replays: true }
    }

    /// For a test that writes recordings which are wrong on purpose.
    pub fn with_false_recordings(&mut self) {
        self.replays = false;
    }
}

impl Deref for Folder {
    type Target = tempfile::TempDir;

    fn deref(&self) -> &tempfile::TempDir {
        &self.inner
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that fails already has its own word.
        if self.replays && !std::thread::panicking() {
            replay_all(self.inner.path());
        }
    }
}

/// Replays every recording in or below `folder`; what was, is told in the file named by TANDEM_REPLAYED, from which
/// `tests/run` prints a sum.
///
/// # Panics
/// When one is not decided as it was.
pub fn replay_all(folder: &Path) {
    let mut journals = Vec::new();
    find(folder, &mut journals);
    let mut differences = Vec::new();
    for journal in journals {
        let started = Instant::now();
        let inputs = replay(&journal, &mut differences);
        if let Some(path) = std::env::var_os("TANDEM_REPLAYED") {
            let line = format!("{inputs} inputs in {} us, {}\n", started.elapsed().as_micros(), journal.display());
            let file = OpenOptions::new().append(true).create(true).open(path);
            drop(file.and_then(|mut file| file.write_all(line.as_bytes())));
        }
    }
    assert!(differences.is_empty(), "what was recorded is not decided again:\n{}", differences.join("\n"));
}

/// The folders that hold recordings. A controller that is just ending may take some away meanwhile.
fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut is_one = false;
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => find(&entry.path(), found),
            Ok(_) => is_one |= entry.path().extension().is_some_and(|end| end == "tandem-inputs"),
            Err(_) => {}
        }
    }
    if is_one {
        found.push(folder.to_owned());
    }
}

/// The same walk as `tandem replay`'s; what a crash has cut off, and gaps that are told, are no differences. Returns how
/// many inputs were decided again.
fn replay(journal: &Path, differences: &mut Vec<String>) -> usize {
    let mut inputs = 0;
    let Ok(tape) = Tape::open(journal) else { return inputs };
    let mut before: Option<(Part, Player)> = None;
    for file in &tape.files {
        // Killed before the first line was on disk.
        let Ok(part) = Tape::load(file) else { continue };
        let mut player = match Player::at_start(&part) {
            Ok(player) => player,
            Err(error) => {
                differences.push(format!("{}: {error}", file.display()));
                continue;
            }
        };
        if let Some((old, at_end)) = &before
            && let Joint::Other(field) = at_end.joint(old, &part)
        {
            differences.push(format!("{}: its {field} is not that of the machine before", file.display()));
        }
        let mut all = Vec::new();
        while let Some(step) = player.step(&part, &mut all) {
            all.clear();
            let fact = &part.facts[player.place - 1];
            if !step.same {
                let place = player.place;
                let (recorded, now) = (&fact.told, &step.now);
                differences.push(format!(
                    "{}, input {place}: {:?}\n  recorded: {recorded:?}\n  now:      {now:?}",
                    file.display(),
                    fact.input
                ));
                // What follows a difference differs for no reason of its own.
                break;
            }
        }
        inputs += player.place;
        before = Some((part, player));
    }
    inputs
}

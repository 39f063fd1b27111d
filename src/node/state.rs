//! What a member must not forget across a restart: the terms it has seen, its vote, and the hold (N11, N16, S7, N20).
//!
//! One small file, `state`, in the member's state directory; `slots` has its bytes and says what a crash can leave.
//! The directory is locked for as long as the store lives, so that two instances never vote from one file. Files are
//! written on a thread of its own (`writer`), because a disk may take its time and the node's loop may not.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::clock::unix_ms;
use crate::negotiation::exchange::Durable;

mod slots;
mod stall;
mod writer;

pub use stall::Stall;
pub use writer::{StateReport, StateWriter};

/// The state's file in the state directory.
const STATE: &str = "state";
/// Where a new state file is made before it gets its name.
const STATE_NEW: &str = "state.new";
/// The lock's file in the state directory; it holds the process id of who has it.
const LOCK: &str = "lock";

/// Why the state cannot be used. The texts say what to do (N20).
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The state directory cannot be made.
    #[error("the state directory {dir} cannot be made: {source}; make it, or set state.directory to one that can be")]
    Directory {
        /// Where.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another instance uses this state directory.
    #[error(
        "the state directory {dir} is locked by {}; stop that one first, or give this member a state.directory of its own",
        .pid.map_or("another instance".to_owned(), |pid| format!("another instance, process {pid}"))
    )]
    Locked {
        /// Where.
        dir: PathBuf,
        /// Who, when it said so.
        pid: Option<u32>,
    },
    /// A file of the state directory cannot be opened, read or written.
    #[error("{path} cannot be {attempt}: {source}; tandem needs to own its state directory")]
    Io {
        /// "opened", "read", "locked" or "written".
        attempt: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state is there and cannot be understood.
    #[error(
        "the state in {path} cannot be read: {why}. It holds the terms and the vote that keep this member from acting \
         in a term that another has. To accept their loss, make sure that the other members run and hear this one, \
         then remove the file and start again: it learns the terms from them. With no other member running, a term \
         may be used twice"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What was found on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredState {
    /// The state as it was when it was written.
    durable: Durable,
    /// When it was written, milliseconds of real time since 1970.
    written_unix_ms: u64,
}

impl StoredState {
    /// The state as of `now`, in milliseconds of real time: the hold has run on, also through a reboot (S7), and so has what
    /// counts towards flapping (S6). A clock that went back shortens nothing.
    pub fn as_of(self, now: u64) -> Durable {
        let passed = Duration::from_millis(now.saturating_sub(self.written_unix_ms));
        let mut durable = self.durable;
        durable.hold.remaining = durable.hold.remaining.saturating_sub(passed);
        durable.health = durable.health.aged(passed);
        durable
    }
}

/// The payload of a slot: a state, and when it was so.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payload {
    written_unix_ms: u64,
    durable: Durable,
}

impl Payload {
    /// `durable` as it is now: what remains of the hold counts from here, however long the disk takes.
    fn now(durable: Durable) -> Payload {
        Payload { written_unix_ms: unix_ms(), durable }
    }
}

/// The locked state directory of one member.
#[derive(Debug)]
pub struct StateStore {
    dir: PathBuf,
    /// Open while the last write went well; opened again after one that did not.
    file: Option<File>,
    /// The number of the newest acknowledged write; none: the file is not made yet.
    newest: Option<u64>,
    /// Held for life.
    _lock: Flock<File>,
}

impl StateStore {
    /// Locks `dir`, which is made if it is missing, and reads the state in it. `None`: there is none yet.
    ///
    /// # Errors
    /// When the directory cannot be made, another instance has it, or there is a state that cannot be read: the
    /// controller must not start then (N20).
    pub fn open(dir: &Path) -> Result<(StateStore, Option<StoredState>), StateError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| StateError::Directory { dir: dir.to_owned(), source })?;
        let lock = lock(dir)?;
        let path = dir.join(STATE);
        let mut store = StateStore { dir: dir.to_owned(), file: None, newest: None, _lock: lock };
        let file = match open_state(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((store, None)),
            Err(source) => return Err(StateError::Io { attempt: "opened", path, source }),
        };
        // One byte more than there should be tells a file that is too long, without reading all of it.
        let mut bytes = Vec::with_capacity(slots::FILE + 1);
        (&file).take(slots::FILE as u64 + 1).read_to_end(&mut bytes).map_err(|source| StateError::Io {
            attempt: "read",
            path: path.clone(),
            source,
        })?;
        let unreadable = |why: String| StateError::Unreadable { path: path.clone(), why };
        let (sequence, payload) = slots::newest(&bytes).map_err(unreadable)?;
        let payload: Payload = serde_json::from_slice(&payload).map_err(|error| unreadable(error.to_string()))?;
        store.newest = Some(sequence);
        store.file = Some(file);
        let Payload { written_unix_ms, durable } = payload;
        Ok((store, Some(StoredState { durable, written_unix_ms })))
    }

    /// Starts the thread that writes. Reports of what is durable, and of what could not be written, come from the
    /// receiver; a later report stands for all before it.
    ///
    /// # Errors
    /// When the machine has no thread to give.
    pub fn start_writer(self) -> io::Result<(StateWriter, tokio::sync::mpsc::Receiver<StateReport>)> {
        writer::start(self)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(STATE)
    }

    /// Makes `payload` durable. After an error the state before counts, and this one may or may not be on disk.
    fn write(&mut self, payload: &Payload) -> io::Result<()> {
        let payload = serde_json::to_vec(payload)?;
        let result = self.write_payload(&payload);
        if result.is_err() {
            // What the page cache says after a failed sync is not what the disk says: begin anew.
            self.file = None;
        }
        result
    }

    fn write_payload(&mut self, payload: &[u8]) -> io::Result<()> {
        let Some(newest) = self.newest else {
            return self.make_file(1, payload);
        };
        let next = newest + 1;
        let file = match self.file.take() {
            Some(file) => file,
            None => match open_state(&self.path()) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return self.make_file(next, payload),
                Err(error) => return Err(error),
            },
        };
        if file.metadata()?.nlink() == 0 {
            // Somebody removed it. What is written to it now would be gone with this process.
            return self.make_file(next, payload);
        }
        let slot = slots::encode(next, payload).ok_or_else(too_large)?;
        file.write_all_at(&slot, slots::place(next))?;
        file.sync_data()?;
        self.file = Some(file);
        self.newest = Some(next);
        Ok(())
    }

    /// Makes the file with both slots filled, so that all later writes change no size and need one flush.
    fn make_file(&mut self, sequence: u64, payload: &[u8]) -> io::Result<()> {
        let path = self.dir.join(STATE_NEW);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        for number in [sequence - 1, sequence] {
            let slot = slots::encode(number, payload).ok_or_else(too_large)?;
            file.write_all_at(&slot, slots::place(number))?;
        }
        file.sync_all()?;
        fs::rename(&path, self.path())?;
        File::open(&self.dir)?.sync_all()?;
        self.file = Some(file);
        self.newest = Some(sequence);
        Ok(())
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the state is longer than {} bytes", slots::MAX_PAYLOAD))
}

fn open_state(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn lock(dir: &Path) -> Result<Flock<File>, StateError> {
    let path = dir.join(LOCK);
    let io = |attempt, source| StateError::Io { attempt, path: path.clone(), source };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| io("opened", source))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            // For people and for the error of the next one; the lock itself is the kernel's.
            let write = |lock: &mut File| {
                lock.set_len(0)?;
                lock.rewind()?;
                writeln!(lock, "{}", std::process::id())
            };
            write(&mut lock).map_err(|source| io("written", source))?;
            Ok(lock)
        }
        Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
            let mut text = String::new();
            let read = (&file).take(32).read_to_string(&mut text);
            let pid = read.ok().and_then(|_| text.trim().parse().ok());
            Err(StateError::Locked { dir: dir.to_owned(), pid })
        }
        Err((_, errno)) => Err(io("locked", errno.into())),
    }
}

/// Whether a controller that lives now has the state directory `dir`. Asks the kernel's list of locks, because trying
/// the lock could keep a controller from starting in the same moment.
///
/// # Errors
/// When the list or the lock's file cannot be read, and so it is not known.
pub fn is_in_use(dir: &Path) -> io::Result<bool> {
    let inode = match fs::metadata(dir.join(LOCK)) {
        Ok(metadata) => metadata.ino().to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // "1: FLOCK  ADVISORY  WRITE 4121 fe:00:1234 0 EOF". The device is left out: some file systems name another one to
    // stat, and two lock files of one number are rare.
    let locks = fs::read_to_string("/proc/locks")?;
    Ok(locks.lines().map(str::split_whitespace).any(|mut words| {
        words.nth(1) == Some("FLOCK") && words.nth(3).and_then(|place| place.rsplit(':').next()) == Some(&inode)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiation::exchange::{DurableHealth, DurableHold};
    use crate::negotiation::member::MemberId;
    use crate::negotiation::message::HoldStamp;
    use crate::negotiation::term::Term;
    use std::os::unix::fs::PermissionsExt;

    pub(super) fn durable(number: u64) -> Durable {
        Durable {
            seen: Term { number, owner: MemberId(1) },
            voted: Term { number: number + 1, owner: MemberId(0) },
            hold: DurableHold::default(),
            health: DurableHealth::default(),
        }
    }

    #[test]
    fn n11_what_was_written_is_there_after_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("var/lib/alpha");
        let (mut store, found) = StateStore::open(&dir).unwrap();
        assert_eq!(found, None);
        for number in 1..=5 {
            store.write(&Payload::now(durable(number))).unwrap();
            drop(store);
            let (again, found) = StateStore::open(&dir).unwrap();
            assert_eq!(found.unwrap().durable, durable(number));
            store = again;
        }
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(dir.join(STATE)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(dir.join(STATE)).unwrap().len(), slots::FILE as u64);
    }

    #[test]
    fn s6_what_counts_towards_flapping_ages_while_the_member_is_down_and_an_older_state_has_none() {
        let health = DurableHealth { lost_for: Duration::from_secs(600), taken: vec![3_000, 20], stopped: Some(5) };
        let state = Durable { health, ..durable(3) };
        let later = StoredState { written_unix_ms: 10_000, durable: state }.as_of(110_000).health;
        let aged = DurableHealth { lost_for: Duration::from_secs(500), taken: vec![3_100, 120], stopped: Some(105) };
        assert_eq!(later, aged);
        let written = serde_json::to_value(durable(3)).unwrap();
        assert_eq!(written.get("health"), None, "nothing to remember is not written");
        assert_eq!(serde_json::from_value::<Durable>(written).unwrap(), durable(3));
    }

    #[test]
    fn s7_a_hold_runs_on_while_the_member_is_down_and_a_clock_set_back_shortens_nothing() {
        let mut state = durable(3);
        state.hold = DurableHold {
            stamp: HoldStamp { unix_ms: 1_000, member: 0 },
            remaining: Duration::from_secs(60),
            by: Some("anna".into()),
        };
        let as_of = |now| StoredState { written_unix_ms: 10_000, durable: state.clone() }.as_of(now).hold;
        assert_eq!(as_of(30_000).remaining, Duration::from_secs(40));
        assert_eq!(as_of(9_000_000).remaining, Duration::ZERO);
        assert_eq!(as_of(9_000).remaining, Duration::from_secs(60));
        assert_eq!(as_of(9_000_000).stamp, state.hold.stamp, "the word itself is never forgotten");
    }

    #[test]
    fn a_second_instance_is_refused_and_told_who_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = StateStore::open(dir.path()).unwrap();
        let error = StateStore::open(dir.path()).unwrap_err();
        assert!(matches!(error, StateError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        assert!(is_in_use(dir.path()).unwrap());
        drop(store);
        assert!(!is_in_use(dir.path()).unwrap());
        StateStore::open(dir.path()).unwrap();
    }

    #[test]
    fn n20_a_state_that_cannot_be_read_refuses_to_start_and_says_how_to_accept_the_loss() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(STATE);
        let (mut store, _) = StateStore::open(dir.path()).unwrap();
        store.write(&Payload::now(durable(1))).unwrap();
        drop(store);
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[slots::SLOT + 40] ^= 1;
        let mut too_long = good.clone();
        too_long.push(0);
        for bad in [&flipped, &too_long, &good[..good.len() - 1].to_vec(), &Vec::new()] {
            fs::write(&path, bad).unwrap();
            let error = StateStore::open(dir.path()).unwrap_err();
            assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(&path.display().to_string()) && text.contains("remove the file"), "{text}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(StateStore::open(dir.path()).unwrap().1, None, "the loss is accepted by removing the file");
    }

    #[test]
    fn n20_a_removed_file_is_made_again_and_not_written_into_the_void() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = StateStore::open(dir.path()).unwrap();
        store.write(&Payload::now(durable(1))).unwrap();
        store.write(&Payload::now(durable(2))).unwrap();
        fs::remove_file(dir.path().join(STATE)).unwrap();
        store.write(&Payload::now(durable(3))).unwrap();
        drop(store);
        assert_eq!(StateStore::open(dir.path()).unwrap().1.unwrap().durable, durable(3));
    }

    #[test]
    fn the_longest_state_that_can_be_fits_a_slot() {
        let state = Durable {
            seen: Term { number: u64::MAX, owner: MemberId(255) },
            voted: Term { number: u64::MAX, owner: MemberId(255) },
            hold: DurableHold {
                stamp: HoldStamp { unix_ms: u64::MAX, member: 255 },
                remaining: Duration::MAX,
                // Control characters are the longest in JSON.
                by: Some("\u{1}".repeat(crate::negotiation::message::MAX_OPERATOR).as_str().into()),
            },
            health: DurableHealth {
                lost_for: Duration::MAX,
                taken: vec![3_599; DurableHealth::MOST_TAKEN],
                stopped: Some(u32::MAX),
            },
        };
        let payload = serde_json::to_vec(&Payload { written_unix_ms: u64::MAX, durable: state }).unwrap();
        assert!(slots::encode(1, &payload).is_some(), "{} bytes", payload.len());
    }

    #[test]
    fn an_older_program_s_leftover_of_a_first_write_is_no_state() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(STATE_NEW), b"cut short").unwrap();
        let (mut store, found) = StateStore::open(dir.path()).unwrap();
        assert_eq!(found, None);
        store.write(&Payload::now(durable(1))).unwrap();
    }
}

//! Writes the journal on a thread of its own.
//!
//! [`Journal::record`] gives an entry its number and time and puts it into a bounded queue; it never waits. The thread
//! takes what has gathered, writes it at once, and flushes when a decision or an action is among it. While the disk
//! fails it keeps what it has and tries again every second; the queue fills up behind it, and what no longer fits is
//! counted and told later.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use super::entry::Entry;
use super::reader::read_segment;
use super::segment::{self, SegmentHeader, Stream, at};
use super::{JournalError, JournalIdentity, Record};

/// Entries that wait for the disk: minutes of a busy time, some hundred kilobytes.
const QUEUE: usize = 1024;
/// The time between two tries while the disk fails.
const RETRY: Duration = Duration::from_secs(1);
/// A disk that has not answered for so long counts as one that fails, and that is told.
const SILENT: Duration = Duration::from_secs(10);
/// The smallest bound on disk: eight segments that hold a few of the longest records each.
const LEAST_KEEP: u64 = 16 * segment::MAX_FRAME as u64;

/// The number and time that an entry was recorded under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// See [`Record::seq`].
    pub seq: u64,
    /// See [`Record::unix_ms`].
    pub unix_ms: u64,
    /// See [`Record::boot_ms`].
    pub boot_ms: u64,
}

/// How the journal is, for the status and the alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalHealth {
    /// Entries lost since start.
    pub lost: u64,
    /// Why the journal cannot be written now; none while it can.
    pub failing: Option<String>,
}

/// What both sides know.
#[derive(Debug, Default)]
struct Front {
    next_seq: u64,
    /// Lost and not told yet.
    untold: u64,
    closing: bool,
    /// The bound on disk, bytes.
    keep: u64,
    health: JournalHealth,
    /// Since when the disk is waited for; none: it is not.
    asked: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shared {
    front: Mutex<Front>,
    closing: Condvar,
}

impl Shared {
    /// Held for moments only, and never during a call to the disk.
    fn lock(&self) -> MutexGuard<'_, Front> {
        // Every change to it is one assignment, so a panic elsewhere leaves it whole.
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Front {
    fn lose(&mut self, count: u64) {
        self.untold = self.untold.saturating_add(count);
        self.health.lost = self.health.lost.saturating_add(count);
    }

    /// How it is at `now`. A disk that hangs says nothing, so its silence has to tell it.
    fn health_at(&self, now: Instant) -> JournalHealth {
        let mut health = self.health.clone();
        let silent = self.asked.map(|asked| now.saturating_duration_since(asked)).filter(|silent| *silent >= SILENT);
        if let Some(silent) = silent {
            let why = || format!("the disk has not answered for {} s", silent.as_secs());
            health.failing.get_or_insert_with(why);
        }
        health
    }

    fn stamped(&mut self, entry: Entry) -> Record {
        let seq = self.next_seq;
        self.next_seq += 1;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let boot = boot_time();
        Record { seq, unix_ms: millis(since_1970), boot_ms: millis(boot), entry }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A kernel without the clock gives zero: a record is worth more than its second time.
fn boot_time() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Boot time now, as records have it.
pub fn boot_ms() -> u64 {
    millis(boot_time())
}

/// An open journal. Dropping it closes it.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    queue: Option<SyncSender<Record>>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal of a state directory for writing and starts its thread. At most `keep_bytes` are kept on disk
    /// (but at least some hundred kilobytes); the oldest make room.
    ///
    /// # Errors
    /// When its directory cannot be made or what is there cannot be read. A full disk is no error here; it is told by
    /// [`Journal::health`].
    pub fn open(state_directory: &Path, keep_bytes: u64, who: JournalIdentity) -> Result<Journal, JournalError> {
        let journal = segment::directory(state_directory);
        DirBuilder::new().recursive(true).mode(0o700).create(&journal).map_err(|source| JournalError::Io {
            attempt: "made",
            path: journal.clone(),
            source,
        })?;
        let numbers = segment::list(&journal, Stream::Entries).map_err(|source| JournalError::Io {
            attempt: "listed",
            path: journal.clone(),
            source,
        })?;
        let next_seq = next_seq(&journal, &numbers)?;
        let shared = Arc::new(Shared::default());
        let keep = keep_bytes.max(LEAST_KEEP);
        {
            let mut front = shared.lock();
            front.next_seq = next_seq;
            front.keep = keep;
        }
        let (queue, entries) = sync_channel(QUEUE);
        let next_number = numbers.last().map_or(1, |last| last + 1);
        let segments =
            Segments { journal: journal.clone(), who, keep, most: keep / 8, current: None, next_number, next_seq };
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(segments, &theirs, &entries))
            .map_err(|source| JournalError::Io { attempt: "written by a thread", path: journal, source })?;
        Ok(Journal { shared, queue: Some(queue), thread: Some(thread) })
    }

    /// Keeps `entry`. Never blocks: an entry that does not fit into the queue is lost, counted, and told later by an
    /// [`Entry::Lost`].
    pub fn record(&self, entry: Entry) -> Stamp {
        let mut front = self.shared.lock();
        let record = front.stamped(entry);
        let stamp = Stamp { seq: record.seq, unix_ms: record.unix_ms, boot_ms: record.boot_ms };
        // Sent under the lock, so that numbers ascend in the file.
        // Full, or the thread is gone: lost either way.
        if self.queue.as_ref().is_none_or(|queue| queue.try_send(record).is_err()) {
            front.lose(1);
        }
        stamp
    }

    /// Keeps at most `bytes` from now on; what is too much goes when the next segment begins (U10).
    pub fn set_keep(&self, bytes: u64) {
        self.shared.lock().keep = bytes.max(LEAST_KEEP);
    }

    /// How the journal is.
    pub fn health(&self) -> JournalHealth {
        self.shared.lock().health_at(Instant::now())
    }

    /// Writes and flushes what was recorded, and ends the thread. Waits for the disk, but not for one that fails.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.lock().closing = true;
        self.shared.closing.notify_one();
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the journal panicked");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end();
    }
}

/// The number of the next record: after the last one that can be read, and never before what a segment began with.
fn next_seq(journal: &Path, numbers: &[u64]) -> Result<u64, JournalError> {
    for number in numbers.iter().rev() {
        let content = read_segment(journal, *number)?;
        let last = content.records.last().map(|record| record.seq.saturating_add(1));
        if let Some(next) = last.or(content.first_seq) {
            return Ok(next);
        }
    }
    Ok(1)
}

/// A frame that waits for the disk.
struct Waiting {
    seq: u64,
    bytes: Vec<u8>,
    must_be_safe: bool,
}

fn write_all(mut segments: Segments, shared: &Shared, entries: &Receiver<Record>) {
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    while let Some(first) = next_or_lost(shared, entries).or_else(|| entries.recv().ok()) {
        encode(&mut waiting, &first, shared);
        while waiting.len() < QUEUE
            && let Ok(record) = entries.try_recv()
        {
            encode(&mut waiting, &record, shared);
        }
        write_waiting(&mut segments, &mut waiting, shared);
    }
    if let Err(error) = segments.sync() {
        tracing::warn!(%error, "the end of the journal may not be on disk");
    }
}

/// What the queue has next, or, once it is empty, the word about what was lost.
fn next_or_lost(shared: &Shared, entries: &Receiver<Record>) -> Option<Record> {
    let mut front = shared.lock();
    // Under the lock nobody records: an empty queue stays empty, and the number of the word is the next in the file.
    if let Ok(record) = entries.try_recv() {
        return Some(record);
    }
    let count = std::mem::take(&mut front.untold);
    (count > 0).then(|| front.stamped(Entry::Lost { count }))
}

fn encode(waiting: &mut VecDeque<Waiting>, record: &Record, shared: &Shared) {
    let frame = serde_json::to_vec(record).ok().and_then(|payload| segment::frame(&payload));
    match frame {
        Some(bytes) => {
            waiting.push_back(Waiting { seq: record.seq, bytes, must_be_safe: record.entry.must_be_safe() });
        }
        None => shared.lock().lose(1),
    }
}

/// Writes until nothing waits, or until the journal is closed while the disk fails.
fn write_waiting(segments: &mut Segments, waiting: &mut VecDeque<Waiting>, shared: &Shared) {
    let must_be_safe = waiting.iter().any(|one| one.must_be_safe);
    segments.keep = shared.lock().keep;
    segments.most = segments.keep / 8;
    while !waiting.is_empty() {
        shared.lock().asked = Some(Instant::now());
        match segments.append(waiting) {
            Ok(()) => shared.lock().health.failing = None,
            Err(error) => {
                let text = error.to_string();
                tracing::warn!(error = %text, "the journal cannot be written; it is tried again");
                let mut front = shared.lock();
                front.health.failing = Some(text);
                front.asked = None;
                let closing = |front: &mut Front| !front.closing;
                let waited = shared.closing.wait_timeout_while(front, RETRY, closing);
                front = waited.unwrap_or_else(PoisonError::into_inner).0;
                if front.closing {
                    drop(front);
                    // One last try, then the program may end.
                    if let Err(error) = segments.append(waiting) {
                        let lost = waiting.len() as u64;
                        tracing::warn!(%error, lost, "the end of the journal is lost");
                        // Not told in the journal any more: that is what cannot be written.
                        shared.lock().health.lost += lost;
                        waiting.clear();
                    }
                }
            }
        }
    }
    if must_be_safe && let Err(error) = segments.sync() {
        tracing::warn!(%error, "the journal may not be on disk");
        shared.lock().health.failing = Some(error.to_string());
    }
    shared.lock().asked = None;
}

/// The segment that is being written.
struct Current {
    path: PathBuf,
    file: File,
    len: u64,
    /// Whether it holds records, not only its header.
    used: bool,
}

impl Current {
    /// Whether readers still find the file under its name. One that was removed, or moved away, goes on taking bytes that
    /// nobody will ever read.
    fn is_in_its_place(&self) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let found = fs::symlink_metadata(&self.path).map(identity);
        found.is_ok_and(|found| self.file.metadata().map(identity).is_ok_and(|own| own == found))
    }
}

/// The files of the journal.
struct Segments {
    journal: PathBuf,
    who: JournalIdentity,
    /// The bound of all together.
    keep: u64,
    /// The bound of one.
    most: u64,
    current: Option<Current>,
    next_number: u64,
    next_seq: u64,
}

impl Segments {
    /// Writes as many of the waiting frames as the segment holds, and takes them off.
    fn append(&mut self, waiting: &mut VecDeque<Waiting>) -> io::Result<()> {
        let Some(first) = waiting.front() else {
            return Ok(());
        };
        self.next_seq = first.seq;
        if self.current.as_ref().is_some_and(|current| current.len + first.bytes.len() as u64 > self.most) {
            self.sync()?;
            self.current = None;
        }
        let mut current = match self.current.take().filter(Current::is_in_its_place) {
            Some(current) => current,
            None => self.begin()?,
        };
        let mut bytes = Vec::new();
        let mut count = 0;
        for one in waiting.iter() {
            if current.len + (bytes.len() + one.bytes.len()) as u64 > self.most {
                break;
            }
            bytes.extend_from_slice(&one.bytes);
            count += 1;
        }
        if let Err(error) = current.file.write_all(&bytes) {
            abandon(&current);
            return Err(at(&current.path, error));
        }
        current.len += bytes.len() as u64;
        current.used = true;
        self.current = Some(current);
        waiting.drain(..count);
        Ok(())
    }

    /// Begins a new segment, after making room for it.
    fn begin(&mut self) -> io::Result<Current> {
        // It may have been removed since the start. Not what is above it: a state directory that is gone may be a disk
        // that is not mounted.
        match DirBuilder::new().mode(0o700).create(&self.journal) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(&self.journal, error)),
            Ok(()) | Err(_) => {}
        }
        segment::make_room(&self.journal, Stream::Entries, self.most, self.keep)?;
        let path = segment::path(&self.journal, Stream::Entries, self.next_number);
        // Also when this fails: a file that cannot be removed must not stand in the way of the next try.
        self.next_number += 1;
        let header = SegmentHeader { who: self.who.clone(), first_seq: self.next_seq };
        let (file, len) = segment::begin(&self.journal, &path, Stream::Entries, &header)?;
        Ok(Current { path, file, len, used: false })
    }

    fn sync(&mut self) -> io::Result<()> {
        let Some(current) = &self.current else {
            return Ok(());
        };
        let result = current.file.sync_data().map_err(|error| at(&current.path, error));
        if result.is_err() {
            // What was written since may be torn: nothing goes behind it.
            self.current = None;
        }
        result
    }
}

/// Cuts off what a failed write left. Where that fails too, readers stop there; nothing is ever written behind it.
fn abandon(current: &Current) {
    let result = if current.used { current.file.set_len(current.len) } else { fs::remove_file(&current.path) };
    if let Err(error) = result {
        tracing::warn!(path = %current.path.display(), %error, "an incomplete end of the journal stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_hangs_is_told_as_one_that_fails() {
        let asked = Instant::now();
        let mut front = Front { asked: Some(asked), ..Front::default() };
        assert_eq!(front.health_at(asked + SILENT / 2).failing, None, "a slow one is none that fails");
        let why = front.health_at(asked + SILENT).failing;
        assert_eq!(why.as_deref(), Some("the disk has not answered for 10 s"));
        front.health.failing = Some("No space left on device".to_owned());
        assert_eq!(front.health_at(asked + SILENT).failing.as_deref(), Some("No space left on device"));
        front = Front::default();
        assert_eq!(front.health_at(asked + SILENT).failing, None, "nothing waits");
    }
}

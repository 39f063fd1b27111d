//! Writes the recording: every input of the negotiation, for `tandem replay` (U5).
//!
//! [`Recorder::fed`] and [`Recorder::told`] put a line into a bounded buffer and never wait. A thread takes what has
//! gathered every few seconds, or at once when something was decided, packs it and writes it. What a disk that stalls
//! leaves no room for is not recorded; the recording then begins anew with the machine's whole state, and the number of
//! inputs in it tells how many are missing. A process that is killed takes the last [`GATHER`] with it.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::{Compress, Compression, FlushCompress};

use super::recording::{Line, Moment, is_kept};
use super::segment::{self, MAX_PAYLOAD, SegmentHeader, Stream, at};
use super::{JournalError, JournalIdentity};
use crate::negotiation::Negotiator;
use crate::negotiation::exchange::{Input, Output};
use crate::negotiation::time::Instant;

/// What may wait for the disk: half an hour of an idle pair, or ten seconds of a group under a flood of messages.
const BUFFER: usize = 1024 * 1024;
/// A line is at most this long beyond the buffer's end before it is taken back: the longest state.
const OVERHANG: usize = 128 * 1024;
/// How long lines gather before they are written. Longer costs less and loses more when the process is killed.
const GATHER: Duration = Duration::from_secs(2);
/// A segment is begun at least this often, so that damage to one, or stepping back in it, costs little.
const SEGMENT_LASTS: Duration = Duration::from_secs(60 * 60);
/// The smallest bound on disk.
const LEAST_KEEP: u64 = 1024 * 1024;

/// When a recording in a state directory was last written, real time in milliseconds since 1970: whoever lives writes it
/// every few seconds, so a run that crashed had lived until then (H8). None: there is none.
pub fn last_written(state_directory: &Path) -> Option<u64> {
    let journal = segment::directory(state_directory);
    let numbers = segment::list(&journal, Stream::Inputs).ok()?;
    let written = |number: u64| {
        let found = std::fs::metadata(segment::path(&journal, Stream::Inputs, number)).ok()?;
        let since_1970 = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since_1970.as_millis()).ok()
    };
    numbers.into_iter().filter_map(written).max()
}

/// What gathers for the thread.
#[derive(Debug, Default)]
struct Batch {
    lines: Vec<u8>,
    /// Where in `lines` a new segment begins.
    begins_at: Option<usize>,
    /// When the first line came.
    since: Option<Instant>,
    /// How many inputs are in it.
    inputs: u64,
    /// Whether it is to be on disk soon.
    must_be_safe: bool,
}

impl Batch {
    fn new() -> Batch {
        Batch { lines: Vec::with_capacity(BUFFER + OVERHANG), ..Batch::default() }
    }

    fn clear(&mut self) {
        self.lines.clear();
        (self.begins_at, self.since, self.inputs, self.must_be_safe) = (None, None, 0, false);
    }

    /// Adds a line; false: there is no room for it, and nothing was added.
    fn push(&mut self, line: &Line<'_>) -> bool {
        let before = self.lines.len();
        let written = serde_json::to_writer(&mut self.lines, line).is_ok();
        self.lines.push(b'\n');
        if !written || self.lines.len() > BUFFER {
            self.lines.truncate(before);
            return false;
        }
        true
    }
}

/// What both sides know.
#[derive(Debug)]
struct Front {
    batch: Batch,
    /// The thread's, when it has written it: the two take turns.
    spare: Option<Batch>,
    /// Inputs since the start, recorded or not.
    inputs: u64,
    /// Inputs that were not recorded.
    lost: u64,
    /// The latest input was recorded, and so is what comes of it.
    recorded: bool,
    /// The next input needs the whole state before it.
    begin: bool,
    begun: Instant,
    ready: bool,
    closing: bool,
    failing: Option<String>,
    /// The bound on disk, bytes.
    keep: u64,
}

impl Front {
    /// What is lost is told by the next beginning.
    fn lose(&mut self) {
        self.lost += 1;
        self.begin = true;
    }
}

#[derive(Debug)]
struct Shared {
    front: Mutex<Front>,
    wake: Condvar,
}

impl Shared {
    /// Held for moments only, and never during a call to the disk.
    fn lock(&self) -> MutexGuard<'_, Front> {
        // A panic elsewhere may leave half a line; the reader passes over it.
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the recording is, for the status and the alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecorderHealth {
    /// Inputs that were not recorded since start.
    pub lost: u64,
    /// Why it cannot be written now; none while it can.
    pub failing: Option<String>,
}

/// An open recording. Dropping it closes it.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    addresses: Vec<Vec<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Opens the recording in a state directory and starts its thread. At most `keep_bytes` are kept on disk (but at
    /// least a megabyte); the oldest make room. `addresses` are every member's, for the screen of a replay.
    ///
    /// # Errors
    /// When its directory cannot be made or listed.
    pub fn open(
        state_directory: &Path,
        keep_bytes: u64,
        who: JournalIdentity,
        addresses: Vec<Vec<String>>,
    ) -> Result<Recorder, JournalError> {
        let journal = segment::directory(state_directory);
        let failed = |attempt| {
            let path = journal.clone();
            move |source| JournalError::Io { attempt, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&journal).map_err(failed("made"))?;
        let numbers = segment::list(&journal, Stream::Inputs).map_err(failed("listed"))?;
        let front = Front {
            batch: Batch::new(),
            spare: Some(Batch::new()),
            inputs: 0,
            lost: 0,
            recorded: false,
            begin: true,
            begun: Instant::default(),
            ready: false,
            closing: false,
            failing: None,
            keep: keep_bytes.max(LEAST_KEEP),
        };
        let shared = Arc::new(Shared { front: Mutex::new(front), wake: Condvar::new() });
        let keep = keep_bytes.max(LEAST_KEEP);
        let next_number = numbers.last().map_or(1, |last| last + 1);
        let tape = Tape { journal: journal.clone(), who, keep, most: keep / 8, next_number, current: None };
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write_all(tape, &theirs))
            .map_err(failed("written by a thread"))?;
        Ok(Recorder { shared, addresses, thread: Some(thread) })
    }

    /// Keeps at most `bytes` from now on; what is too much goes when the next file begins (U10).
    pub fn set_keep(&self, bytes: u64) {
        self.shared.lock().keep = bytes.max(LEAST_KEEP);
    }

    /// The machine is about to be told `input`. Never blocks on the disk.
    pub fn fed(&self, now: Instant, input: &Input, machine: &Negotiator) {
        let mut front = self.shared.lock();
        let before = front.inputs;
        front.inputs += 1;
        let due = front.begin || now.since(front.begun) >= SEGMENT_LASTS;
        front.recorded = false;
        // One beginning a batch: the thread takes it soon.
        if due && front.batch.begins_at.is_none() {
            let start = front.batch.lines.len();
            let moment = moment(now);
            let line = Line::Begin { moment, inputs: before, addresses: &self.addresses, state: machine };
            if !front.batch.push(&line) {
                return front.lose();
            }
            front.batch.begins_at = Some(start);
            front.batch.since.get_or_insert(now);
            (front.begin, front.begun) = (false, now);
        } else if front.begin {
            // Not without the state that it starts from; the thread is about to take what has gathered.
            self.wake(&mut front);
            return front.lose();
        } else if front.batch.since.is_none() {
            front.batch.push(&Line::Clock(moment(now)));
            front.batch.since = Some(now);
        }
        if !front.batch.push(&Line::Fed { at: now, input }) {
            return front.lose();
        }
        front.recorded = true;
        front.batch.inputs += 1;
        let gathered = front.batch.since.is_some_and(|since| now.since(since) >= GATHER);
        if gathered || front.batch.lines.len() > BUFFER / 2 {
            self.wake(&mut front);
        }
    }

    /// The machine wants this, for the input before.
    pub fn told(&self, output: &Output) {
        if !is_kept(output) {
            return;
        }
        let mut front = self.shared.lock();
        if !front.recorded {
            return;
        }
        if !front.batch.push(&Line::Told(output)) {
            front.recorded = false;
            return front.lose();
        }
        front.batch.must_be_safe = true;
        self.wake(&mut front);
    }

    /// A new segment begins with the next input: for whoever changes the machine by another way than an input.
    pub fn begin_anew(&self) {
        self.shared.lock().begin = true;
    }

    fn wake(&self, front: &mut Front) {
        front.ready = true;
        self.shared.wake.notify_one();
    }

    /// How the recording is.
    pub fn health(&self) -> RecorderHealth {
        let front = self.shared.lock();
        RecorderHealth { lost: front.lost, failing: front.failing.clone() }
    }

    /// The controller ended in an orderly way: writes what has gathered, and ends the thread.
    pub fn close(mut self) {
        self.shared.lock().batch.push(&Line::End);
        self.end();
    }

    fn end(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the recording panicked");
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

fn moment(at: Instant) -> Moment {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment { at, unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX) }
}

fn write_all(mut tape: Tape, shared: &Shared) {
    loop {
        let idle = |front: &mut Front| !front.ready && !front.closing;
        let waited = shared.wake.wait_while(shared.lock(), idle);
        let mut front = waited.unwrap_or_else(PoisonError::into_inner);
        let closing = front.closing;
        front.ready = false;
        let Some(spare) = front.spare.take() else { return };
        let mut batch = std::mem::replace(&mut front.batch, spare);
        (tape.keep, tape.most) = (front.keep, front.keep / 8);
        drop(front);
        let written = tape.write(&batch);
        let inputs = batch.inputs;
        batch.clear();
        let mut front = shared.lock();
        front.spare = Some(batch);
        match written {
            Ok(()) => {
                front.failing = None;
                front.begin |= tape.is_full();
            }
            Err(error) => {
                let text = error.to_string();
                if front.failing.is_none() {
                    tracing::warn!(error = %text, "the recording cannot be written; it begins anew when it can");
                }
                front.failing = Some(text);
                front.lost += inputs;
                front.begin = true;
            }
        }
        if closing {
            return;
        }
    }
}

/// The segment that is being written.
struct Current {
    path: PathBuf,
    file: File,
    len: u64,
    deflate: Compress,
}

/// The files of the recording.
struct Tape {
    journal: PathBuf,
    who: JournalIdentity,
    keep: u64,
    most: u64,
    next_number: u64,
    current: Option<Current>,
}

impl Tape {
    fn is_full(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.len >= self.most)
    }

    /// After an error nothing goes behind what may be torn: the next batch must begin anew.
    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let (before, from) = batch.lines.split_at(batch.begins_at.unwrap_or(batch.lines.len()));
        // What comes before a beginning without a segment is what a failed batch left: it belongs to nothing.
        if let Some(current) = &mut self.current
            && let Err(error) = current.append(before)
        {
            self.current = None;
            return Err(error);
        }
        if batch.begins_at.is_some() {
            if let Some(current) = self.current.take() {
                current.file.sync_data().map_err(|error| at(&current.path, error))?;
            }
            let mut current = self.begin()?;
            current.append(from)?;
            self.current = Some(current);
        }
        match &self.current {
            Some(current) if batch.must_be_safe => {
                current.file.sync_data().map_err(|error| at(&current.path, error)).inspect_err(|_| self.current = None)
            }
            Some(_) => Ok(()),
            None if batch.lines.is_empty() => Ok(()),
            None => Err(io::Error::other("what was recorded since the last failure has no beginning")),
        }
    }

    fn begin(&mut self) -> io::Result<Current> {
        // It may have been removed since the start. Not what is above it: a state directory that is gone may be a disk
        // that is not mounted.
        match DirBuilder::new().mode(0o700).create(&self.journal) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(&self.journal, error)),
            Ok(()) | Err(_) => {}
        }
        segment::make_room(&self.journal, Stream::Inputs, self.most, self.keep)?;
        let path = segment::path(&self.journal, Stream::Inputs, self.next_number);
        // Also when this fails: a file that cannot be removed must not stand in the way of the next try.
        self.next_number += 1;
        let header = SegmentHeader { who: self.who.clone(), first_seq: self.next_number - 1 };
        let (file, len) = segment::begin(&self.journal, &path, Stream::Inputs, &header)?;
        Ok(Current { path, file, len, deflate: Compress::new(Compression::fast(), false) })
    }
}

impl Current {
    /// Packs `lines` and writes them so that everything up to here can be read.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut packed = Vec::with_capacity(lines.len() / 2 + 1024);
        let start = self.deflate.total_in();
        loop {
            let used = usize::try_from(self.deflate.total_in() - start).unwrap_or(lines.len());
            let room = packed.capacity();
            self.deflate
                .compress_vec(&lines[used..], &mut packed, FlushCompress::Sync)
                .map_err(|error| at(&self.path, error.into()))?;
            // It is all out when it left room: a full buffer may hide more.
            if packed.len() < room {
                break;
            }
            packed.reserve(packed.capacity());
        }
        let mut bytes = Vec::with_capacity(packed.len() + 64);
        for chunk in packed.chunks(MAX_PAYLOAD) {
            // No chunk is empty or too long.
            bytes.extend_from_slice(&segment::frame(chunk).unwrap_or_default());
        }
        self.file.write_all(&bytes).map_err(|error| at(&self.path, error))?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

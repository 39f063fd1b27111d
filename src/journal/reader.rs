//! Reads a journal, also while it is being written, and also one that a crash or a bad disk has damaged.
//!
//! Where the bytes of a segment stop making sense, reading goes on with the next segment; what was passed over is
//! counted, and told by [`Reader::skipped`]. The end of the newest segment may be a record that is just being written:
//! there the reader waits, and asking it again later goes on from there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::segment::{self, Next, SegmentHeader, Stream};
use super::{JournalError, JournalIdentity, Record};

/// How much is read at a time: many records, and more than the longest one.
const CHUNK: usize = 16 * segment::MAX_FRAME;

/// Bytes that could not be read as records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// In which file.
    pub path: PathBuf,
    /// From which byte on.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What was there instead of a record.
    pub why: String,
}

/// The segment that is being read.
#[derive(Debug)]
struct Open {
    number: u64,
    path: PathBuf,
    file: File,
    /// Of the first byte in `buffer`.
    offset: u64,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are done with.
    used: usize,
    /// Whether the magic and the header are behind us.
    begun: bool,
}

/// What a segment has next.
enum Step {
    Record(Box<Record>),
    Header(Box<SegmentHeader>),
    /// A sound frame that this version cannot understand.
    Foreign {
        offset: u64,
        bytes: u64,
    },
    /// No whole frame, and why.
    Stuck(&'static str),
}

impl Open {
    fn position(&self) -> u64 {
        self.offset + self.used as u64
    }

    /// Reads on, keeping what is not used yet. Says whether there was more.
    fn refill(&mut self) -> io::Result<bool> {
        self.offset = self.position();
        self.buffer.drain(..self.used);
        self.used = 0;
        let have = self.buffer.len();
        if have >= CHUNK {
            return Ok(false);
        }
        self.buffer.resize(CHUNK, 0);
        let result = self.file.read_at(&mut self.buffer[have..], self.offset + have as u64);
        self.buffer.truncate(have + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(more) => Ok(more > 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn step(&mut self) -> Step {
        let magic = if self.begun { 0 } else { segment::MAGIC_LEN };
        let rest = &self.buffer[self.used..];
        if !self.begun {
            match rest.get(..magic) {
                None => return Step::Stuck("an incomplete beginning"),
                Some(found) if found != Stream::Entries.magic() => {
                    return Step::Stuck("another format, perhaps of a newer version of this program");
                }
                Some(_) => {}
            }
        }
        let (payload, used) = match segment::parse(&rest[magic..]) {
            Next::Frame { payload, used } => (payload, magic + used),
            Next::Short => return Step::Stuck("an incomplete record"),
            Next::Bad(why) => return Step::Stuck(why),
        };
        let foreign = Step::Foreign { offset: self.offset + self.used as u64, bytes: used as u64 };
        let step = if self.begun {
            serde_json::from_slice(payload).map_or(foreign, |record| Step::Record(Box::new(record)))
        } else {
            serde_json::from_slice(payload).map_or(foreign, |header| Step::Header(Box::new(header)))
        };
        self.used += used;
        self.begun = true;
        step
    }
}

/// All records of a journal, oldest first. When it has given `None` it may be asked again later: it goes on with what
/// was written since (`events --follow`).
#[derive(Debug)]
pub struct Reader {
    journal: PathBuf,
    open: Option<Open>,
    /// Segments up to this number are done with.
    done: u64,
    who: Option<JournalIdentity>,
    skipped: Vec<Skipped>,
    failed: Option<JournalError>,
}

/// Opens the journal of a state directory for reading.
///
/// # Errors
/// When there is none, or it may not be read.
pub fn read(state_directory: &Path) -> Result<Reader, JournalError> {
    let journal = segment::directory(state_directory);
    list(&journal)?;
    Ok(Reader { journal, open: None, done: 0, who: None, skipped: Vec::new(), failed: None })
}

/// The latest `count` records of a journal, oldest first, without reading all of it.
///
/// # Errors
/// When there is none, or it may not be read.
pub fn read_last(state_directory: &Path, count: usize) -> Result<Vec<Record>, JournalError> {
    let journal = segment::directory(state_directory);
    let mut latest: Vec<Record> = Vec::new();
    let mut before = None;
    while latest.len() < count {
        let Some(number) = list(&journal)?.into_iter().rev().find(|number| before.is_none_or(|end| *number < end))
        else {
            break;
        };
        before = Some(number);
        let records = read_segment(&journal, number)?.records;
        let wanted = records.len().min(count - latest.len());
        latest.splice(0..0, records.into_iter().rev().take(wanted).rev());
    }
    Ok(latest)
}

/// What one segment holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub first_seq: Option<u64>,
    pub records: Vec<Record>,
}

/// Reads one segment as far as it can be read; one that is gone has nothing.
pub(super) fn read_segment(journal: &Path, number: u64) -> Result<Content, JournalError> {
    let mut content = Content::default();
    let mut open = match open(journal, number) {
        Ok(Some(open)) => open,
        Ok(None) => return Ok(content),
        Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidInput => return Ok(content),
        Err(error) => return Err(error),
    };
    loop {
        match open.step() {
            Step::Record(record) => content.records.push(*record),
            Step::Header(header) => content.first_seq = Some(header.first_seq),
            Step::Foreign { .. } => {}
            Step::Stuck(_) => match open.refill() {
                Ok(true) => {}
                Ok(false) => return Ok(content),
                Err(source) => return Err(JournalError::Io { attempt: "read", path: open.path, source }),
            },
        }
    }
}

fn list(journal: &Path) -> Result<Vec<u64>, JournalError> {
    segment::list(journal, Stream::Entries).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => JournalError::Absent { dir: journal.to_owned() },
        _ => JournalError::Io { attempt: "listed", path: journal.to_owned(), source },
    })
}

/// `None`: it is gone, because it was the oldest and there had to be room.
fn open(journal: &Path, number: u64) -> Result<Option<Open>, JournalError> {
    let path = segment::path(journal, Stream::Entries, number);
    match segment::open(&path) {
        Ok(file) => Ok(Some(Open { number, path, file, offset: 0, buffer: Vec::new(), used: 0, begun: false })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(JournalError::Io { attempt: "read", path, source }),
    }
}

impl Reader {
    /// Who wrote the record that came last; none before the first.
    pub fn who(&self) -> Option<&JournalIdentity> {
        self.who.as_ref()
    }

    /// What was passed over so far.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Bytes at the end of the newest segment that are no whole record (yet), once the iteration has given `None`.
    pub fn unfinished(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| (open.buffer.len() - open.used) as u64)
    }

    /// Why reading ended early, if it did; asking takes it away.
    pub fn failure(&mut self) -> Option<JournalError> {
        self.failed.take()
    }

    /// The rest of a segment cannot be read: reading goes on with the next one.
    fn pass_over(&mut self, number: u64, offset: u64, bytes: u64, error: JournalError) {
        let path = segment::path(&self.journal, Stream::Entries, number);
        let why = match error {
            JournalError::Io { source, .. } => source.to_string(),
            JournalError::Absent { .. } => error.to_string(),
        };
        self.skipped.push(Skipped { path, offset, bytes, why });
        self.done = number;
        self.open = None;
    }

    /// The next record; `None`: there is none now.
    fn advance(&mut self) -> Result<Option<Record>, JournalError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(number) = list(&self.journal)?.into_iter().find(|number| *number > self.done) else {
                    return Ok(None);
                };
                match open(&self.journal, number) {
                    Ok(Some(open)) => self.open = Some(open),
                    Ok(None) => self.done = number,
                    // One file that cannot be read takes nothing from those beside it.
                    Err(error) => self.pass_over(number, 0, 0, error),
                }
                continue;
            };
            match open.step() {
                Step::Record(record) => return Ok(Some(*record)),
                Step::Header(header) => self.who = Some(header.who),
                Step::Foreign { offset, bytes } => {
                    let why = "an entry that this version does not know".to_owned();
                    self.skipped.push(Skipped { path: open.path.clone(), offset, bytes, why });
                }
                Step::Stuck(why) => {
                    // First whether a newer one exists, then what this one has: a newer one means that this one is
                    // complete, so nothing is missed in between.
                    let number = open.number;
                    let is_over = list(&self.journal)?.into_iter().any(|other| other > number);
                    match open.refill() {
                        Ok(true) => continue,
                        Ok(false) if !is_over => return Ok(None),
                        Ok(false) => {}
                        Err(source) => {
                            let (offset, length) =
                                (open.position(), open.file.metadata().map_or(0, |found| found.len()));
                            let error = JournalError::Io { attempt: "read", path: open.path.clone(), source };
                            self.pass_over(number, offset, length.saturating_sub(offset), error);
                            continue;
                        }
                    }
                    let read = |source| JournalError::Io { attempt: "read", path: open.path.clone(), source };
                    let offset = open.position();
                    let bytes = open.file.metadata().map_err(read)?.len().saturating_sub(offset);
                    if bytes > 0 {
                        let path = open.path.clone();
                        self.skipped.push(Skipped { path, offset, bytes, why: why.to_owned() });
                    }
                    self.done = number;
                    self.open = None;
                }
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        match self.advance() {
            Ok(record) => record,
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }
}

//! Reads a recording, segment by segment (U5).
//!
//! A segment stands on its own: it begins with the machine's state. Where its bytes stop making sense it ends, and what
//! was passed over is told; what is missing between two segments is told by the count of inputs in the later one.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::{Decompress, FlushDecompress, Status};

use super::recording::{Begin, Item, Moment};
use super::segment::{self, Next, SegmentHeader, Stream};
use super::{JournalIdentity, Skipped};
use crate::negotiation::exchange::{Input, Output};

/// The longest segment that is read: far more than any is written.
const LONGEST_FILE: u64 = 256 * 1024 * 1024;
/// The most that a segment unpacks to: whoever sends a recording does not decide how much memory reading it takes.
const LONGEST_TEXT: usize = 512 * 1024 * 1024;
/// The longest line: the state of a group of sixteen is a hundredth of it.
const LONGEST_LINE: usize = 16 * 1024 * 1024;
/// How much is unpacked at a time.
const CHUNK: usize = 256 * 1024;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// There is nothing to replay.
    #[error(
        "{path} holds no recording; name a state directory, its journal directory, or a file that ends in {suffix}",
        suffix = Stream::Inputs.suffix()
    )]
    None {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not, or no longer, a segment of a recording.
    #[error("{path} is no recording that this version can read: {why}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// The files of a recording, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tape {
    /// Each a segment.
    pub files: Vec<PathBuf>,
}

/// An input, and what came of it when it was recorded.
#[derive(Debug, Clone)]
pub struct Fact {
    /// When.
    pub moment: Moment,
    /// What the machine was told.
    pub input: Input,
    /// What it wanted, messages and writes left out.
    pub told: Vec<Output>,
}

/// A segment, read.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which file.
    pub path: PathBuf,
    /// Who wrote it.
    pub who: JournalIdentity,
    /// The machine before the first input.
    pub begin: Begin,
    /// The inputs.
    pub facts: Vec<Fact>,
    /// Whether the controller ended in an orderly way here.
    pub ended: bool,
    /// What could not be read.
    pub skipped: Option<Skipped>,
    /// Whether that is only what a crash, or a controller that is writing now, leaves at the end: a frame that is not
    /// whole, or zeros.
    pub is_torn: bool,
}

impl Tape {
    /// Finds the segments: of a state directory, of a journal's directory, or the one that is named itself.
    ///
    /// # Errors
    /// When there is none, or it may not be read.
    pub fn open(path: &Path) -> Result<Tape, TapeError> {
        let failed = |source| TapeError::Io { path: path.to_owned(), source };
        let found = fs::metadata(path).map_err(failed)?;
        if found.is_file() {
            return Ok(Tape { files: vec![path.to_owned()] });
        }
        if !found.is_dir() {
            return Err(TapeError::Unreadable { path: path.to_owned(), why: "it is no file".to_owned() });
        }
        let inner = segment::directory(path);
        let directory = if inner.is_dir() { inner } else { path.to_owned() };
        let numbers = segment::list(&directory, Stream::Inputs).map_err(failed)?;
        if numbers.is_empty() {
            return Err(TapeError::None { path: path.to_owned() });
        }
        let files = numbers.into_iter().map(|number| segment::path(&directory, Stream::Inputs, number));
        Ok(Tape { files: files.collect() })
    }

    /// Reads a segment.
    ///
    /// # Errors
    /// When it cannot be read, or not even its beginning makes sense.
    pub fn load(file: &Path) -> Result<Part, TapeError> {
        let path = file.to_owned();
        let failed = |source| TapeError::Io { path: path.clone(), source };
        let unreadable = |why: &str| TapeError::Unreadable { path: path.clone(), why: why.to_owned() };
        let mut bytes = Vec::new();
        // One byte more than is allowed: it may grow while it is read.
        let opened = segment::open(file).map_err(failed)?;
        let long = opened.metadata().map_err(failed)?.len() > LONGEST_FILE;
        if !long {
            opened.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
        }
        if long || bytes.len() as u64 > LONGEST_FILE {
            return Err(unreadable("it is longer than any that this program writes"));
        }
        match bytes.get(..segment::MAGIC_LEN) {
            Some(magic) if magic == Stream::Inputs.magic() => {}
            Some(magic) if magic == Stream::Entries.magic() => {
                return Err(unreadable("it holds events (see tandem events); the inputs are in the files beside it"));
            }
            Some(_) | None => return Err(unreadable("it begins like something else")),
        }
        let rest = &bytes[segment::MAGIC_LEN..];
        let Next::Frame { payload, used } = segment::parse(rest) else {
            return Err(unreadable("its beginning is incomplete"));
        };
        let header: SegmentHeader =
            serde_json::from_slice(payload).map_err(|_| unreadable("its beginning is of another format"))?;
        let mut lines = Lines { begin: None, facts: Vec::new(), clock: None, ended: false };
        let bad = read_frames(&rest[used..], &mut lines);
        let is_torn = bad.as_ref().is_some_and(|(from, _)| segment::is_torn(&rest[used + from..]));
        let skipped = bad.map(|(from, why)| {
            let offset = (segment::MAGIC_LEN + used + from) as u64;
            Skipped { path: path.clone(), offset, bytes: (bytes.len() as u64).saturating_sub(offset), why }
        });
        let Lines { begin: Some(begin), facts, ended, .. } = lines else {
            let why = skipped.map_or("it ends before its first line".to_owned(), |skipped| skipped.why);
            return Err(unreadable(&why));
        };
        Ok(Part { path, who: header.who, begin: *begin, facts, ended, skipped, is_torn })
    }
}

/// What the lines of a segment say so far.
struct Lines {
    begin: Option<Box<Begin>>,
    facts: Vec<Fact>,
    clock: Option<Moment>,
    ended: bool,
}

impl Lines {
    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let item =
            serde_json::from_slice(line).map_err(|error| format!("a line that this version cannot read: {error}"))?;
        match item {
            Item::Begin(begin) => {
                self.clock = Some(begin.moment);
                self.begin = Some(begin);
            }
            Item::Clock(moment) => self.clock = Some(moment),
            Item::Fed { at, input } => {
                let clock = self.clock.ok_or("an input before the beginning")?;
                let moment = Moment { at, unix_ms: clock.unix_ms_at(at) };
                self.facts.push(Fact { moment, input: *input, told: Vec::new() });
            }
            Item::Told(output) => match self.facts.last_mut() {
                Some(fact) => fact.told.push(*output),
                None => return Err("an output before any input".to_owned()),
            },
            Item::End => self.ended = true,
        }
        Ok(())
    }
}

/// Reads frames until they end; what stopped it before, and where.
fn read_frames(bytes: &[u8], lines: &mut Lines) -> Option<(usize, String)> {
    let mut inflate = Decompress::new(false);
    let mut text: Vec<u8> = Vec::new();
    let mut at = 0;
    loop {
        let (payload, used) = match segment::parse(&bytes[at..]) {
            Next::Frame { payload, used } => (payload, used),
            Next::Short if at == bytes.len() => return None,
            Next::Short => return Some((at, "an incomplete frame: cut short, or being written".to_owned())),
            Next::Bad(why) => return Some((at, why.to_owned())),
        };
        if let Err(why) = unpack(&mut inflate, payload, &mut text, lines) {
            return Some((at, why));
        }
        at += used;
    }
}

fn unpack(inflate: &mut Decompress, packed: &[u8], text: &mut Vec<u8>, lines: &mut Lines) -> Result<(), String> {
    let start = inflate.total_in();
    loop {
        let used = usize::try_from(inflate.total_in() - start).unwrap_or(packed.len());
        text.reserve(CHUNK);
        let room = text.capacity();
        let status = inflate
            .decompress_vec(&packed[used..], text, FlushDecompress::Sync)
            .map_err(|error| format!("bytes that cannot be unpacked: {error}"))?;
        let full = text.len() == room;
        let mut from = 0;
        while let Some(end) = text[from..].iter().position(|byte| *byte == b'\n') {
            lines.take(&text[from..from + end])?;
            from += end + 1;
        }
        text.drain(..from);
        if inflate.total_out() > LONGEST_TEXT as u64 {
            return Err("more text than any that this program writes".to_owned());
        }
        if text.len() > LONGEST_LINE {
            return Err("a line that is longer than any that this program writes".to_owned());
        }
        if !full || matches!(status, Status::StreamEnd) {
            return Ok(());
        }
    }
}

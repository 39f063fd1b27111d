//! The bytes of the journal: segment files, and the frames in them.
//!
//! A journal is the directory `journal` in a member's state directory. Two streams of files are in it, each numbered from
//! the oldest: what happened, `00000001.tandem-journal` and so on, and what the negotiation was told,
//! `00000001.tandem-inputs` and so on. A file begins with the eight bytes `TANDEMJ1` or `TANDEMI1`, then has frames:
//!
//! ```text
//! 4   length of the payload, little-endian, 1…32768
//! 4   CRC-32 of the payload, little-endian
//! n   the payload
//! ```
//!
//! The first frame says who wrote the segment, in JSON. Each other frame of a `.tandem-journal` is a record in JSON; those
//! of a `.tandem-inputs` are, one after another, a deflate stream (see `recording`). A crash may leave an incomplete frame, or
//! zeros, at the end; nobody ever writes behind that, because each start begins a segment of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use super::JournalIdentity;

/// The journal's directory in the state directory.
const DIRECTORY: &str = "journal";
/// The length of what a segment begins with.
pub const MAGIC_LEN: usize = 8;
/// The most files of a stream, so that a controller that restarts again and again does not fill a directory.
const MOST_SEGMENTS: usize = 1024;
/// The longest payload. Everything in a record is bounded far below it; it bounds what a reader allocates.
pub const MAX_PAYLOAD: usize = 32 * 1024;
/// The bytes of a frame before its payload.
const FRAME_HEAD: usize = 8;
/// The bytes of the longest frame.
pub const MAX_FRAME: usize = FRAME_HEAD + MAX_PAYLOAD;

/// The two streams of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// What happened: decisions, events.
    Entries,
    /// What the negotiation was told, for a replay.
    Inputs,
}

impl Stream {
    /// What its segments begin with; the digit is the format's version.
    pub fn magic(self) -> [u8; MAGIC_LEN] {
        match self {
            Stream::Entries => *b"TANDEMJ1",
            Stream::Inputs => *b"TANDEMI1",
        }
    }

    /// How the names of its segments end.
    pub fn suffix(self) -> &'static str {
        match self {
            Stream::Entries => ".tandem-journal",
            Stream::Inputs => ".tandem-inputs",
        }
    }
}

/// A segment's first frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentHeader {
    /// Who wrote it.
    pub who: JournalIdentity,
    /// The number of its first record; in a stream of inputs its own number.
    pub first_seq: u64,
}

/// The journal's directory of a state directory.
pub fn directory(state_directory: &Path) -> PathBuf {
    state_directory.join(DIRECTORY)
}

/// The path of segment `number`.
pub fn path(journal: &Path, stream: Stream, number: u64) -> PathBuf {
    journal.join(format!("{number:08}{}", stream.suffix()))
}

/// The numbers of all segments of a stream, oldest first. What else lies in the directory is nobody's business here.
pub fn list(journal: &Path, stream: Stream) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(journal)? {
        let name = file?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(stream.suffix()));
        if let Some(number) = number.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            && let Ok(number) = number.parse()
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens a segment for reading. What only has the name of one and is no file (a directory, a pipe that nobody writes to)
/// is an error of the kind [`io::ErrorKind::InvalidInput`], and never keeps anybody waiting.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"))
    }
}

/// Removes the oldest segments of a stream until one of `most` bytes more is within `keep` bytes.
pub fn make_room(journal: &Path, stream: Stream, most: u64, keep: u64) -> io::Result<()> {
    let mut all = Vec::new();
    for number in list(journal, stream).map_err(|error| at(journal, error))? {
        let path = path(journal, stream, number);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => all.push((path, metadata.len())),
            // Somebody else's directory or pipe, with such a name: it takes no room, and must not stop the journal.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path, error)),
        }
    }
    let mut total: u64 = all.iter().map(|(_, len)| len).sum();
    let mut count = all.len();
    for (path, len) in all {
        if total + most <= keep && count < MOST_SEGMENTS {
            break;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path, error)),
            Ok(()) | Err(_) => {}
        }
        total -= len;
        count -= 1;
    }
    Ok(())
}

/// Begins the file of a segment: makes it, writes its magic and its header, and makes its name durable. Returns it and
/// its length.
pub fn begin(journal: &Path, path: &Path, stream: Stream, header: &SegmentHeader) -> io::Result<(File, u64)> {
    let header = frame(&serde_json::to_vec(header)?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the journal's header is too long"))?;
    let mut file =
        OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map_err(|error| at(path, error))?;
    let bytes = [&stream.magic()[..], &header].concat();
    let begun = file.write_all(&bytes).and_then(|()| File::open(journal)?.sync_all());
    if let Err(error) = begun {
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "an incomplete end of the journal stays");
        }
        return Err(at(path, error));
    }
    Ok((file, bytes.len() as u64))
}

/// The error with its place.
pub fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} cannot be written: {error}", path.display()))
}

/// The frame around `payload`; `None` when it is empty or too long.
pub fn frame(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.is_empty() || payload.len() > MAX_PAYLOAD {
        return None;
    }
    let length = u32::try_from(payload.len()).ok()?;
    let mut bytes = Vec::with_capacity(FRAME_HEAD + payload.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    Some(bytes)
}

/// What the next bytes of a segment are.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole frame.
    Frame {
        /// Its payload.
        payload: &'a [u8],
        /// How many bytes the frame takes.
        used: usize,
    },
    /// The beginning of one, or nothing yet.
    Short,
    /// No frame.
    Bad(&'static str),
}

/// Reads the frame at the beginning of `bytes`.
pub fn parse(bytes: &[u8]) -> Next<'_> {
    let (Some(length), Some(sum)) = (number(bytes, 0), number(bytes, 4)) else {
        return Next::Short;
    };
    let length = length as usize;
    if length == 0 || length > MAX_PAYLOAD {
        return Next::Bad("a length that no record has");
    }
    let used = FRAME_HEAD + length;
    match bytes.get(FRAME_HEAD..used) {
        None => Next::Short,
        Some(payload) if crc32fast::hash(payload) != sum => Next::Bad("a record that fails its checksum"),
        Some(payload) => Next::Frame { payload, used },
    }
}

/// Whether what a segment ends with is what a crash, or a writer that is not done, leaves there: zeros, or the beginning of
/// a frame and nothing else. A frame whose length was damaged looks like a beginning too; but then what follows, or what
/// it holds, is sound.
pub fn is_torn(rest: &[u8]) -> bool {
    if rest.iter().all(|byte| *byte == 0) {
        return true;
    }
    if parse(rest) != Next::Short {
        return false;
    }
    let Some(sum) = number(rest, 4) else { return true };
    let mut hasher = crc32fast::Hasher::new();
    let whole = rest[FRAME_HEAD..].iter().any(|byte| {
        hasher.update(&[*byte]);
        hasher.clone().finalize() == sum
    });
    let followed = (1..rest.len()).any(|at| matches!(parse(&rest[at..]), Next::Frame { .. }));
    !whole && !followed
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

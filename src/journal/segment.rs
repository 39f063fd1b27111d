//! The bytes of the journal: segment files, and the frames in them.
//!
//! A journal is the directory `journal` in a member's state directory. Its files are `00000001.tandem-journal` and so
//! on, oldest first; each begins with the eight bytes `TANDEMJ1`, then has frames:
//!
//! ```text
//! 4   length of the payload, little-endian, 1…32768
//! 4   CRC-32 of the payload, little-endian
//! n   the payload, JSON
//! ```
//!
//! The first frame says who wrote the segment, each other frame is a record. A crash may leave an incomplete frame, or
//! zeros, at the end; nobody ever writes behind that, because each start begins a segment of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::JournalIdentity;

/// The journal's directory in the state directory.
const DIRECTORY: &str = "journal";
/// How the names of segments end.
const SUFFIX: &str = ".tandem-journal";
/// What a segment begins with; the digit is the format's version.
pub const MAGIC: [u8; 8] = *b"TANDEMJ1";
/// The longest payload. Everything in a record is bounded far below it; it bounds what a reader allocates.
pub const MAX_PAYLOAD: usize = 32 * 1024;
/// The bytes of a frame before its payload.
const FRAME_HEAD: usize = 8;
/// The bytes of the longest frame.
pub const MAX_FRAME: usize = FRAME_HEAD + MAX_PAYLOAD;

/// A segment's first frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentHeader {
    /// Who wrote it.
    pub who: JournalIdentity,
    /// The number of its first record.
    pub first_seq: u64,
}

/// The journal's directory of a state directory.
pub fn directory(state_directory: &Path) -> PathBuf {
    state_directory.join(DIRECTORY)
}

/// The path of segment `number`.
pub fn path(journal: &Path, number: u64) -> PathBuf {
    journal.join(format!("{number:08}{SUFFIX}"))
}

/// The numbers of all segments, oldest first. What else lies in the directory is nobody's business here.
pub fn list(journal: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(journal)? {
        let name = file?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(number) = number.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            && let Ok(number) = number.parse()
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
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

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

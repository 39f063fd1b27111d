//! Bytes in and out of a frame: big-endian integers and short texts, each read within its bound.
//!
//! Nothing here allocates more than the text it returns, and no text is longer than its limit, so a hostile frame costs
//! at most its own length. The layouts built from these are in PROTOCOL.md.

use std::time::Duration;

/// The most bytes of a member's name, the group's name, an operator's name or a version text.
pub const MAX_TEXT: usize = 64;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame ends inside a field.
    #[error("the frame ends before {0}")]
    Short(&'static str),
    /// A field holds a value that means nothing.
    #[error("{field} is {value}, which means nothing")]
    Value {
        /// The field.
        field: &'static str,
        /// What it held.
        value: u64,
    },
    /// A text or a list is longer than its limit.
    #[error("{field} is {length} long, the limit is {limit}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// What it said.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A text is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// A member is named that this member's configuration does not have (N19).
    #[error("it names \"{0}\", which is no member of this group here")]
    UnknownName(String),
}

/// Appends fields to a frame.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty frame.
    pub fn new() -> Writer {
        Writer { bytes: Vec::with_capacity(96) }
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Writer {
        self.bytes.push(value);
        self
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A duration in nanoseconds, eight bytes; longer than 584 years saturates.
    pub fn duration(&mut self, value: Duration) -> &mut Writer {
        self.u64(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX))
    }

    /// A length byte and at most `limit` (≤ 255) bytes of text; what is longer is cut between two characters.
    pub fn text(&mut self, value: &str, limit: usize) -> &mut Writer {
        let mut end = value.len().min(limit).min(usize::from(u8::MAX));
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        // At most 255 by the line above.
        self.u8(end as u8).raw(&value.as_bytes()[..end])
    }

    /// The frame.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes fields from a frame; what is left over at the end belongs to newer versions and is ignored (N17).
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Whether every byte is taken: fields that a later version appended are absent then.
    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been taken.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Short(field))?;
        self.rest = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.take::<1>(field).map(|[byte]| byte)
    }

    /// A byte that must be 0 or 1.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(DecodeError::Value { field, value: u64::from(value) }),
        }
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.take(field).map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.take(field).map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.take(field).map(u64::from_be_bytes)
    }

    /// A duration in nanoseconds.
    pub fn duration(&mut self, field: &'static str) -> Result<Duration, DecodeError> {
        self.u64(field).map(Duration::from_nanos)
    }

    /// A text of at most `limit` bytes behind its length byte.
    pub fn text(&mut self, field: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
        let length = usize::from(self.u8(field)?);
        if length > limit {
            return Err(DecodeError::TooLong { field, length, limit });
        }
        let (head, tail) = self.rest.split_at_checked(length).ok_or(DecodeError::Short(field))?;
        self.rest = tail;
        std::str::from_utf8(head).map_err(|_| DecodeError::NotText(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_read_within_its_limit() {
        let mut writer = Writer::new();
        writer.text("añb", 2);
        let bytes = writer.finish();
        assert_eq!(bytes, [1, b'a']);
        assert_eq!(Reader::new(&bytes).text("t", 2), Ok("a"));
        assert_eq!(
            Reader::new(&[3, 1, 2, 3]).text("t", 2),
            Err(DecodeError::TooLong { field: "t", length: 3, limit: 2 })
        );
        assert_eq!(Reader::new(&[3, 1, 2]).text("t", 9), Err(DecodeError::Short("t")));
        assert_eq!(Reader::new(&[1, 0xff]).text("t", 9), Err(DecodeError::NotText("t")));
    }
}

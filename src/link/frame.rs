//! Frames on a stream: four bytes of length, then that many bytes.
//!
//! The limit is checked before anything is kept, so a peer, or whoever pretends to be one, costs at most one frame of
//! memory. Reading can be cancelled at any await and goes on where it was.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;

/// The most bytes of a frame's content before encryption.
pub const MAX_PLAIN: usize = 4096;

/// What encryption adds to a frame's content.
pub const TAG: usize = 16;

/// The most bytes that may follow a length.
pub const MAX_FRAME: usize = MAX_PLAIN + TAG;

/// The bytes of the length itself.
pub const LENGTH: usize = 4;

/// Why there is no further frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is over the limit, or zero.
    #[error("a frame of {0} bytes; 1 to {MAX_FRAME} are allowed")]
    Length(u32),
    /// The other side closed in the middle of a frame.
    #[error("the connection was closed inside a frame")]
    Torn,
    /// The other side closed between two frames.
    #[error("the connection was closed by the other side")]
    Closed,
    /// The stream failed.
    #[error("{0}")]
    Stream(#[from] io::Error),
}

/// Takes the first whole frame out of `buffer`; `None`: more bytes are needed.
///
/// # Errors
/// [`FrameError::Length`] when the length is zero or over the limit, before the content has arrived.
pub fn take_frame(buffer: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
    let Some(head) = buffer.first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*head);
    let size = usize::try_from(length).ok().filter(|size| (1..=MAX_FRAME).contains(size));
    let size = size.ok_or(FrameError::Length(length))?;
    if buffer.len() < LENGTH + size {
        return Ok(None);
    }
    buffer.advance(LENGTH);
    Ok(Some(buffer.split_to(size)))
}

/// Puts the length before `content`, which the caller keeps within [`MAX_FRAME`].
pub fn with_length(content: &[u8]) -> Vec<u8> {
    debug_assert!((1..=MAX_FRAME).contains(&content.len()));
    let mut frame = Vec::with_capacity(LENGTH + content.len());
    // Within the limit, so the cast keeps the value.
    frame.extend_from_slice(&(content.len() as u32).to_be_bytes());
    frame.extend_from_slice(content);
    frame
}

/// The receiving side of one connection: the bytes that have arrived and are not yet a frame.
#[derive(Debug, Default)]
pub struct Incoming {
    buffer: BytesMut,
    heard: bool,
}

impl Incoming {
    /// Whether any byte has arrived on this connection at all.
    pub fn heard_anything(&self) -> bool {
        self.heard
    }

    /// The next frame.
    ///
    /// # Errors
    /// See [`FrameError`]; none of them can be recovered from on this connection.
    pub async fn next(&mut self, stream: &TcpStream) -> Result<BytesMut, FrameError> {
        loop {
            if let Some(frame) = take_frame(&mut self.buffer)? {
                return Ok(frame);
            }
            // Room for one frame at most: what has not become a frame by then never will.
            self.buffer.reserve(LENGTH + MAX_FRAME - self.buffer.len());
            stream.readable().await?;
            match stream.try_read_buf(&mut self.buffer) {
                Ok(0) if self.buffer.is_empty() => return Err(FrameError::Closed),
                Ok(0) => return Err(FrameError::Torn),
                Ok(_) => self.heard = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Writes all of `bytes`, waiting for room as needed. Only for the handshake: a session never waits for its peer.
pub async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_whole_and_in_order() {
        let mut buffer = BytesMut::new();
        for byte in with_length(b"one").into_iter().chain(with_length(b"two")) {
            buffer.extend_from_slice(&[byte]);
        }
        assert_eq!(take_frame(&mut buffer).unwrap().unwrap(), &b"one"[..]);
        assert_eq!(take_frame(&mut buffer).unwrap().unwrap(), &b"two"[..]);
        assert!(take_frame(&mut buffer).unwrap().is_none());
    }

    #[test]
    fn n13_a_length_over_the_limit_is_refused_before_its_content_arrives() {
        for length in [0_u32, MAX_FRAME as u32 + 1, u32::MAX] {
            let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
            assert!(matches!(take_frame(&mut buffer), Err(FrameError::Length(l)) if l == length));
        }
    }
}

//! Messages between controller, guardian and trampoline: JSON in the packets of a Unix socket, with open files beside
//! them (`SCM_RIGHTS`). A packet comes whole or not at all.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest packet: a launch with a large environment stays far below it.
const LONGEST: usize = 160 * 1024;

/// The most files beside one packet: the listening sockets of a member, and the deadline.
pub const MOST_FILES: usize = 64;

/// Two connected ends; neither is inherited by a program that is started.
///
/// # Errors
/// Out of file descriptors.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// A message as it travels.
///
/// # Errors
/// It is longer than a packet may be.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > LONGEST {
        let text = format!("{} bytes of command and environment are more than {LONGEST}", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(bytes)
}

/// Sends one packet with `files` beside it.
///
/// # Errors
/// `WouldBlock` when a socket that does not block is full; else the other end is gone.
pub fn send(socket: impl AsFd, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("more than {MOST_FILES} files")));
    }
    loop {
        match sendmsg(socket.as_fd(), &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one packet; none: the other end is closed.
///
/// # Errors
/// `WouldBlock` when nothing is there on a socket that does not block; `InvalidData` when it is not a `T`.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0_u8; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        match recvmsg(socket.as_fd(), &mut slices, &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Ok(received) => break received,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut files = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            files.extend(rights);
        }
    }
    let message = serde_json::from_slice(&bytes[..received.bytes])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((message, files)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_message_brings_its_files_with_it() {
        let (here, there) = pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&here, &encode(&vec!["a", "b"]).unwrap(), &[writer.as_fd()]).unwrap();
        drop(writer);
        let (message, mut files) = receive::<Vec<String>>(&there).unwrap().unwrap();
        assert_eq!(message, ["a", "b"]);
        let mut writer = std::fs::File::from(files.pop().unwrap());
        writer.write_all(b"through").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        drop(here);
        assert!(receive::<Vec<String>>(&there).unwrap().is_none());
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_sent() {
        assert!(encode(&"x".repeat(LONGEST)).unwrap_err().to_string().contains("more than"));
    }
}

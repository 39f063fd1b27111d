//! Calling through a relay that can cut and slow a cable: for the demo, whose members all live on one machine (U9).
//!
//! The caller writes one line, `CALLER TARGET` (its place in the group and the address it wants), and reads one byte:
//! [`REACHED`], and from then on the stream is the connection to the target; [`REFUSED`], and the target's machine has
//! refused it; or nothing, as from a cable that is cut. Nothing else of the link knows that there is a relay. No
//! configuration leads here.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::negotiation::member::MemberId;

/// The relay's byte for a target that let it in.
pub const REACHED: u8 = b'+';
/// The relay's byte for a target that refused.
pub const REFUSED: u8 = b'-';
/// The longest line a relay need read, in bytes.
pub const LONGEST_LINE: u64 = 64;

/// The line that asks a relay for `target`.
pub fn ask(caller: MemberId, target: SocketAddr) -> String {
    format!("{} {target}\n", caller.0)
}

/// What [`ask`] says, read again; none when it is something else.
pub fn asked(line: &str) -> Option<(MemberId, SocketAddr)> {
    let (caller, target) = line.trim_end().split_once(' ')?;
    Some((MemberId(caller.parse().ok()?), target.parse().ok()?))
}

/// Opens a connection to `target` through the relay on `relay`. Waits as long as the relay is silent: the caller has
/// its own deadline, as for a cable that is cut.
///
/// # Errors
///
/// [`io::ErrorKind::ConnectionRefused`] when the target refuses, or the relay itself does.
pub(super) async fn open(relay: SocketAddr, caller: MemberId, target: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(relay).await?;
    stream.set_nodelay(true)?;
    stream.write_all(ask(caller, target).as_bytes()).await?;
    match stream.read_u8().await? {
        REACHED => Ok(stream),
        REFUSED => Err(io::ErrorKind::ConnectionRefused.into()),
        other => Err(io::Error::other(format!("the relay says {other:#04x}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u9_what_is_asked_of_a_relay_is_what_it_reads() {
        let target: SocketAddr = "127.0.0.1:7400".parse().expect("an address");
        let line = ask(MemberId(2), target);
        assert!(line.len() as u64 <= LONGEST_LINE);
        assert_eq!(asked(&line), Some((MemberId(2), target)));
        assert_eq!(asked("GET / HTTP/1.1\r\n"), None);
    }
}

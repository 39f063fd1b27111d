//! The TCP probe: a connection that opens is a good answer.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Connects to `target`, `host:port`, and closes at once.
///
/// # Errors
/// Why it did not open, in a few words.
pub(super) async fn ask(target: &str) -> Result<(), String> {
    let stream = TcpStream::connect(target).await.map_err(|error| reason(&error))?;
    // Reset instead of closed, as load balancers do it: else each question leaves a socket waiting for a minute.
    drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
    Ok(())
}

/// An error of the network without its number.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

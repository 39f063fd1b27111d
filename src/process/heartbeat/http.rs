//! The HTTP probe: a GET whose status is from 200 to 299 is a good answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tcp::reason;

/// The longest head of an answer: servers send a fraction of it.
const LONGEST_HEAD: usize = 16 * 1024;

/// The most header lines of an answer.
const MOST_HEADERS: usize = 64;

/// So much of the body is read, so that the server does not meet a closed connection while it writes a short one.
const BODY: usize = 64 * 1024;

/// And no longer than this: the answer is known by then.
const BODY_PATIENCE: Duration = Duration::from_millis(100);

/// Where a GET goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target<'a> {
    /// `host:port` as the header names it.
    authority: &'a str,
    /// What is connected to.
    address: String,
    /// The path with its query, at least `/`.
    path: &'a str,
}

impl<'a> Target<'a> {
    fn parse(url: &'a str) -> Result<Target<'a>, String> {
        let rest = url.strip_prefix("http://").ok_or("the target does not begin with http://")?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let spoilt = |letter: char| letter.is_whitespace() || letter.is_control();
        if authority.is_empty() || authority.contains(spoilt) || path.contains(spoilt) {
            return Err("the target is no http://host:port/path".to_owned());
        }
        // The colons of [::1] belong to the host.
        let port = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let address = if port.is_some() { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Target { authority, address, path })
    }
}

/// Asks `url`, `http://host:port/path`.
///
/// # Errors
/// Why there is no good answer, in a few words.
pub(super) async fn ask(url: &str) -> Result<(), String> {
    let target = Target::parse(url)?;
    let mut stream = TcpStream::connect(&target.address).await.map_err(|error| reason(&error))?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tandem\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        target.path, target.authority
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| reason(&error))?;
    let mut answer = Vec::new();
    loop {
        let mut piece = [0; 2048];
        let read = stream.read(&mut piece).await.map_err(|error| reason(&error))?;
        if read == 0 {
            return Err("closed without an answer".to_owned());
        }
        answer.extend_from_slice(&piece[..read]);
        if let Some(status) = status(&answer)? {
            // What comes of it is known already.
            drop(tokio::time::timeout(BODY_PATIENCE, drain(&mut stream)).await);
            return if (200..=299).contains(&status) { Ok(()) } else { Err(format!("HTTP status {status}")) };
        }
        if answer.len() > LONGEST_HEAD {
            return Err(format!("an answer whose head is longer than {LONGEST_HEAD} bytes"));
        }
    }
}

/// The status of an answer, once its head is complete; interim answers (1xx) are passed over.
fn status(mut answer: &[u8]) -> Result<Option<u16>, String> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(answer) {
            Ok(httparse::Status::Complete(length)) => match response.code {
                Some(100..=199) => answer = &answer[length..],
                code => return Ok(code),
            },
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("not an HTTP answer: {error}")),
        }
    }
}

async fn drain(stream: &mut TcpStream) {
    let mut left = BODY;
    let mut piece = [0; 2048];
    while left > 0 {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => left = left.saturating_sub(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_host_port_and_path() {
        let parsed = |url| {
            let target = Target::parse(url).unwrap();
            (target.address, target.path)
        };
        assert_eq!(parsed("http://127.0.0.1:8080/health?deep=1"), ("127.0.0.1:8080".to_owned(), "/health?deep=1"));
        assert_eq!(parsed("http://plant"), ("plant:80".to_owned(), "/"));
        assert_eq!(parsed("http://[::1]/x"), ("[::1]:80".to_owned(), "/x"));
        assert_eq!(parsed("http://[::1]:81/x"), ("[::1]:81".to_owned(), "/x"));
        for url in ["https://plant/", "http://", "http:///x", "http://a b/", "http://a/\r\nX: y"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_status_is_read_once_the_head_is_there() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Ok(None));
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(Some(204)));
        assert_eq!(status(b"HTTP/1.0 503 Busy\r\nX: y\r\n\r\nbody"), Ok(Some(503)));
        assert_eq!(status(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), Ok(Some(200)));
        assert!(status(b"SSH-2.0-OpenSSH_9.2\r\n").is_err());
    }
}

//! The other end of the control socket: blocking for the command line, and a bridge to a [`Carrier`] for the screen.
//!
//! Every wait has a deadline, so that a frozen controller makes a command say "no controller answers" instead of hanging.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::codec::{Decoder, LinesCodec};

use super::carrier::Carrier;
use super::request::{Hello, Reply, Request};

/// How long a controller may take to greet, and to answer a question that needs no outcome.
pub const ANSWER: Duration = Duration::from_secs(3);

/// The longest reply line that is read, in bytes: a status with everything in it is some tens of kilobytes.
const MAX_REPLY_LINE: usize = 4 << 20;

/// What can go wrong between a command and a controller.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no controller answers on {path}: {error}")]
    NoController {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It listens and says nothing.
    #[error("the controller on {path} does not answer within {within:?}: is it frozen or overloaded?")]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        within: Duration,
    },
    /// It closed the connection.
    #[error("the controller on {path} closed the connection")]
    Closed {
        /// The socket.
        path: PathBuf,
    },
    /// It speaks something else.
    #[error("what answers on {path} does not speak tandem's control protocol: {detail}")]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// What was wrong.
        detail: String,
    },
    /// It did not let this client in.
    #[error("the controller on {path} refused: {why}")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A blocking connection, greeted.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
    partial: Vec<u8>,
    /// What the controller said of itself.
    pub hello: Hello,
}

/// Connects without ever blocking: a full queue of a frozen controller is an error, not a wait.
pub fn connect(path: &Path) -> Result<UnixStream, ClientError> {
    connect_to_socket(path).map_err(|error| ClientError::NoController { path: path.to_owned(), error })
}

/// As [`connect`], with what the system said.
pub(super) fn connect_to_socket(path: &Path) -> io::Result<UnixStream> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&socket2::SockAddr::unix(path)?)?;
    socket.set_nonblocking(false)?;
    Ok(socket.into())
}

impl Client {
    /// Connects to the controller on `path` and reads its greeting.
    pub fn open(path: &Path) -> Result<Client, ClientError> {
        Client::greet(connect(path)?, path)
    }

    /// Reads the greeting of a connection that was made before.
    pub fn greet(stream: UnixStream, path: &Path) -> Result<Client, ClientError> {
        let unknown = Hello {
            schema: 0,
            node: String::new(),
            group: String::new(),
            version: String::new(),
            may_operate: false,
            you_are: String::new(),
            state_directory: String::new(),
        };
        let mut client =
            Client { stream: BufReader::new(stream), path: path.to_owned(), partial: Vec::new(), hello: unknown };
        match client.next(ANSWER)? {
            Reply::Hello(hello) => {
                client.hello = hello;
                Ok(client)
            }
            Reply::Refused { why } => Err(ClientError::Refused { path: client.path, why }),
            Reply::Status(_)
            | Reply::Plan(_)
            | Reply::Outcome(_)
            | Reply::FencePreview(_)
            | Reply::Pong(_)
            | Reply::PingDone
            | Reply::Reloaded(_)
            | Reply::Done => Err(client.foreign("its first word is not hello")),
        }
    }

    /// The socket that it is connected to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a request and waits for one reply.
    pub fn ask(&mut self, request: &Request, within: Duration) -> Result<Reply, ClientError> {
        self.send(request)?;
        self.next(within)
    }

    /// Sends a request.
    pub fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let mut line = serde_json::to_vec(request).map_err(|error| self.foreign(&error.to_string()))?;
        line.push(b'\n');
        let stream = self.stream.get_mut();
        // The other side reads whole lines of a few hundred bytes: a line that does not leave says that it is stuck.
        let sent = stream.set_write_timeout(Some(ANSWER)).and_then(|()| stream.write_all(&line));
        sent.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.silent(ANSWER),
            _ => ClientError::Closed { path: self.path.clone() },
        })
    }

    /// The next reply, waiting at most `within`.
    pub fn next(&mut self, within: Duration) -> Result<Reply, ClientError> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.silent(within));
            }
            self.stream.get_mut().set_read_timeout(Some(left)).map_err(|error| self.foreign(&error.to_string()))?;
            // Not `read_until`: it begins its wait anew after each signal, also those that stop this process and let it go on.
            let line = match self.stream.fill_buf() {
                Ok([]) => return Err(ClientError::Closed { path: self.path.clone() }),
                Ok(bytes) => {
                    let line = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
                    let taken = line.min(MAX_REPLY_LINE - self.partial.len());
                    self.partial.extend_from_slice(&bytes[..taken]);
                    self.stream.consume(taken);
                    self.partial.ends_with(b"\n").then(|| std::mem::take(&mut self.partial))
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => None,
                    _ => return Err(ClientError::Closed { path: self.path.clone() }),
                },
            };
            if let Some(line) = line {
                return serde_json::from_slice(&line).map_err(|error| self.foreign(&error.to_string()));
            }
            if self.partial.len() >= MAX_REPLY_LINE {
                return Err(self.foreign("a line is too long"));
            }
        }
    }

    /// As [`Client::next`]; none when one of `others` is ready first: a signal, a reader that left, or whatever else
    /// ends the wait.
    pub fn next_unless(&mut self, within: Duration, others: &[PollFd<'_>]) -> Result<Option<Reply>, ClientError> {
        let deadline = Instant::now() + within;
        // A line that came together with the one before needs no waiting.
        while !self.stream.buffer().contains(&b'\n') {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let own = PollFd::new(self.stream.get_ref().as_fd(), PollFlags::POLLIN);
            let mut waits: Vec<PollFd<'_>> = std::iter::once(own).chain(others.iter().cloned()).collect();
            match poll(&mut waits, timeout) {
                Ok(0) if left.is_zero() => return Err(self.silent(within)),
                Ok(_) if waits[1..].iter().any(|other| other.any() == Some(true)) => return Ok(None),
                // The server writes whole lines: the rest of one that has begun follows at once.
                Ok(_) if waits[0].any() == Some(true) => break,
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(self.foreign(&error.to_string())),
            }
        }
        self.next(within).map(Some)
    }

    fn silent(&self, within: Duration) -> ClientError {
        ClientError::Silent { path: self.path.clone(), within }
    }

    fn foreign(&self, detail: &str) -> ClientError {
        ClientError::Foreign { path: self.path.clone(), detail: detail.to_owned() }
    }
}

/// The two tasks between a socket and a [`Carrier`]. They end when the controller closes, or when the carrier is
/// dropped.
#[derive(Debug)]
pub struct Bridge {
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Bridge {
    /// Waits for both ends; to be called after the carrier was dropped.
    pub async fn join(self) {
        self.reader.abort();
        // Cancelled, or over: both are the end that was wanted.
        let _ = self.reader.await;
        let _ = self.writer.await;
    }
}

/// Makes a connection, not yet greeted, into a [`Carrier`]; its first reply is the greeting. Must be called inside a
/// runtime. Replies that the screen has no room for wait in the socket, and the server then skips statuses.
pub fn attach(stream: UnixStream) -> io::Result<(Carrier, Bridge)> {
    stream.set_nonblocking(true)?;
    let (mut read, mut write) = tokio::net::UnixStream::from_std(stream)?.into_split();
    let (requests, mut outgoing) = mpsc::channel::<Request>(8);
    let (incoming, replies) = mpsc::channel::<Reply>(8);
    let reader = tokio::spawn(async move {
        let mut lines = LinesCodec::new_with_max_length(MAX_REPLY_LINE);
        let mut buffer = BytesMut::new();
        loop {
            match lines.decode(&mut buffer) {
                Ok(Some(line)) => match serde_json::from_str(&line) {
                    Ok(reply) => {
                        if incoming.send(reply).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the controller sent a line that is no reply");
                        return;
                    }
                },
                Ok(None) => match read.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
                Err(_) => return,
            }
        }
    });
    let writer = tokio::spawn(async move {
        while let Some(request) = outgoing.recv().await {
            let Ok(mut line) = serde_json::to_vec(&request) else { return };
            line.push(b'\n');
            if write.write_all(&line).await.is_err() {
                return;
            }
        }
    });
    Ok((Carrier { requests, replies }, Bridge { reader, writer }))
}

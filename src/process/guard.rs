//! The controller's end of the guardian: starting it, talking to it, and letting it go.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use super::channel;
use super::deadline::Deadline;
use super::messages::{Order, Word};

/// A running guardian.
#[derive(Debug)]
pub struct Guard {
    /// Packets with a beginning and an end, as datagrams have; and a closed end shows, as theirs does not.
    socket: UnixDatagram,
    child: Child,
    /// Orders that the socket had no room for.
    outbox: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
}

impl Guard {
    /// Starts a guardian from `program`, and gives it the deadline and duplicates of the listening sockets.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(program: &Path, instance: &str, deadline: &Deadline, listeners: &[OwnedFd]) -> io::Result<Guard> {
        let (mine, theirs) = channel::pair()?;
        // What a dead guardian leaves behind becomes this process's.
        nix::sys::prctl::set_child_subreaper(true)?;
        let begin = channel::encode(&Order::Begin { instance: instance.to_owned() })?;
        let files: Vec<_> = [deadline.file().as_fd()].into_iter().chain(listeners.iter().map(AsFd::as_fd)).collect();
        channel::send(&mine, &begin, &files)?;
        fcntl(&mine, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let socket = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(mine))?;
        let child = Command::new(program)
            .arg0(env!("CARGO_PKG_NAME"))
            .arg("guardian")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Guard { socket, child, outbox: VecDeque::new() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives it an order. What the socket cannot take now follows with [`Guard::hear`].
    ///
    /// # Errors
    /// The order is too long.
    pub fn tell(&mut self, order: &Order, files: Vec<OwnedFd>) -> io::Result<()> {
        self.wake();
        self.outbox.push_back((channel::encode(order)?, files));
        flush(&self.socket, &mut self.outbox);
        Ok(())
    }

    /// Whoever stopped it with a signal has stopped what stops processes in time: an order ends that (P6).
    fn wake(&self) {
        // Not reaped before `end`, so its number is nobody else's.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGCONT);
    }

    /// Waits for its next word; none: it has ended. May be dropped while it waits.
    pub async fn hear(&mut self) -> Option<Word> {
        loop {
            let interest =
                if self.outbox.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
            let ready = self.socket.ready(interest).await.ok()?;
            if ready.is_writable() {
                flush(&self.socket, &mut self.outbox);
            }
            if ready.is_readable() || ready.is_read_closed() {
                match self.socket.try_io(Interest::READABLE, || channel::receive::<Word>(&self.socket)) {
                    Ok(word) => return word.map(|(word, _)| word),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        tracing::error!(%error, "the guardian cannot be understood");
                    }
                    Err(_) => return None,
                }
            }
        }
    }

    /// Lets it go: it kills what is left, closes the listening sockets and ends. Blocks until it has ended; to be called
    /// where blocking harms nobody.
    pub fn end(self) -> io::Result<std::process::ExitStatus> {
        self.wake();
        let Guard { socket, mut child, outbox } = self;
        drop(outbox);
        drop(socket);
        child.wait()
    }
}

/// Sends what the socket can take now.
fn flush(socket: &UnixDatagram, outbox: &mut VecDeque<(Vec<u8>, Vec<OwnedFd>)>) {
    while let Some((bytes, files)) = outbox.front() {
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        match socket.try_io(Interest::WRITABLE, || channel::send(socket, bytes, &files)) {
            Ok(()) => drop(outbox.pop_front()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // It is gone; the next look says so.
            Err(_) => outbox.clear(),
        }
    }
}

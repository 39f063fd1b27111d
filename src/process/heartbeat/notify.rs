//! The notify heartbeat: systemd's protocol, so that an unmodified `Type=notify` program with a watchdog works.
//!
//! Each process gets a datagram socket of its own, and finds its name in `NOTIFY_SOCKET`; whoever writes there speaks for
//! that process, so nothing has to be guessed from process ids. The name is a path, because not every client library
//! knows Linux's abstract names; it stands in `/run/tandem`, or in the folder for temporary files where that cannot be
//! had, so that a process of another user finds it. As anybody on the machine may write to it, the kernel tells who does,
//! and only the process's own user, the controller's, root, and the process's descendants are believed. `WATCHDOG_USEC` is the period, as systemd's `WatchdogSec`: programs beat every half of it.
//!
//! Understood: `READY=1`, `WATCHDOG=1`, `WATCHDOG=trigger` (stuck), `WATCHDOG_USEC=` (another period), `STATUS=`. All else
//! (`MAINPID`, `RELOADING`, `STOPPING`, `EXTEND_TIMEOUT_USEC`, `FDSTORE` …) is passed over: the process that tandem
//! started is the one it watches. Files sent along are closed, which is what `BARRIER=1` waits for.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt::PassCred};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// The longest datagram that is looked at: systemd's own bound.
const LONGEST: usize = 4096;

/// The longest `STATUS=` that is kept, in letters.
const LONGEST_STATUS: usize = 120;

/// What a program says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// `READY=1`.
    Ready,
    /// `WATCHDOG=1`.
    Alive,
    /// `WATCHDOG=trigger`.
    Stuck,
    /// `WATCHDOG_USEC=`, above zero.
    Period(Duration),
    /// `STATUS=`, one line, cut at a sane length.
    Status(String),
}

/// What a datagram says, in its order.
fn said(datagram: &[u8]) -> Vec<Said> {
    let text = String::from_utf8_lossy(datagram);
    text.lines()
        .filter_map(|line| match line.split_once('=')? {
            ("READY", "1") => Some(Said::Ready),
            ("WATCHDOG", "1") => Some(Said::Alive),
            ("WATCHDOG", "trigger") => Some(Said::Stuck),
            ("WATCHDOG_USEC", micros) => {
                let micros = micros.parse().ok().filter(|micros| *micros > 0)?;
                Some(Said::Period(Duration::from_micros(micros)))
            }
            ("STATUS", status) => Some(Said::Status(status.chars().take(LONGEST_STATUS).collect())),
            _ => None,
        })
        .collect()
}

/// Where sockets stand, if it can be had.
const FOLDER: &str = "/run/tandem";

/// What begins the name of each.
const PREFIX: &str = "notify-";

/// The file of a socket, which goes with it.
#[derive(Debug)]
struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        // One that somebody else removed is removed.
        drop(fs::remove_file(&self.0));
    }
}

fn bind_in(folder: &Path, name: &str) -> io::Result<(StdDatagram, PathBuf)> {
    static SWEPT: Once = Once::new();
    if !folder.is_dir() {
        fs::create_dir(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    SWEPT.call_once(|| sweep(folder));
    let path = folder.join(name);
    Ok((StdDatagram::bind(&path)?, path))
}

/// Removes what controllers left behind that were killed: sockets that nobody reads from any more.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        let connected = StdDatagram::unbound().and_then(|socket| socket.connect(entry.path()));
        if connected.is_err_and(refused) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// A process's own socket.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UnixDatagram,
    /// What `NOTIFY_SOCKET` says; removed with this.
    path: Bound,
    /// Users that are believed without a further look: root, the controller's, and the process's own.
    users: Vec<u32>,
    /// The process; its descendants are believed whoever they have become.
    pid: Option<u32>,
}

impl Socket {
    /// Binds a name that nobody can guess.
    ///
    /// # Errors
    /// No folder for it can be had, or the system is out of file descriptors or of random numbers.
    pub fn bind() -> io::Result<Socket> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{PREFIX}{:032x}", u128::from_ne_bytes(random));
        let (socket, path) = bind_in(Path::new(FOLDER), &name).or_else(|_| bind_in(&std::env::temp_dir(), &name))?;
        let path = Bound(path);
        socket.set_nonblocking(true)?;
        // From the first datagram on, each comes with its sender.
        setsockopt(&socket, PassCred, &true)?;
        fs::set_permissions(&path.0, fs::Permissions::from_mode(0o666))?;
        let own = nix::unistd::geteuid().as_raw();
        let users = vec![0, own];
        Ok(Socket { socket: UnixDatagram::from_std(socket)?, path, users, pid: None })
    }

    /// What `NOTIFY_SOCKET` is set to.
    pub fn path(&self) -> &Path {
        &self.path.0
    }

    /// The process that was started with it.
    pub fn belongs_to(&mut self, pid: u32) {
        self.pid = Some(pid);
        // One that has ended already has nothing to say any more.
        self.users.extend(fs::metadata(format!("/proc/{pid}")).map(|folder| folder.uid()));
    }

    /// The next datagram of somebody who may speak; those of others are dropped, as one that says nothing.
    ///
    /// # Errors
    /// The socket is spoilt, which does not happen to a datagram socket.
    pub async fn receive(&self) -> io::Result<Vec<Said>> {
        let mut bytes = [0_u8; LONGEST];
        let (length, sender) = self.socket.async_io(Interest::READABLE, || self.read(&mut bytes)).await?;
        let believed = sender
            .is_some_and(|(pid, user)| self.users.contains(&user) || self.pid.is_some_and(|ours| descends(pid, ours)));
        Ok(if believed { said(&bytes[..length]) } else { Vec::new() })
    }

    fn read(&self, bytes: &mut [u8]) -> io::Result<(usize, Option<(u32, u32)>)> {
        // Room for the sender and for no file: those that are sent along are closed by the kernel.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.socket, &mut [io::IoSliceMut::new(bytes)], &mut beside, flags)?;
        let sender = beside.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(who) => {
                Some((who.pid.as_raw_nonzero().get().unsigned_abs(), who.uid.as_raw()))
            }
            _ => None,
        });
        Ok((received.bytes, sender))
    }
}

/// Whether `pid` is `ours` or one of its descendants, as far as they still live.
fn descends(mut pid: u32, ours: u32) -> bool {
    // Deeper than any tree of processes that belongs to one program.
    for _ in 0..32 {
        if pid == ours {
            return true;
        }
        let Some(parent) = parent(pid).filter(|parent| *parent > 1) else { return false };
        pid = parent;
    }
    false
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything but ends with the last parenthesis: state, parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(socket: &Socket) -> StdDatagram {
        let sender = StdDatagram::unbound().unwrap();
        sender.connect(socket.path()).unwrap();
        sender
    }

    #[test]
    fn p3_what_is_understood_is_taken_and_the_rest_passed_over() {
        let text = b"STATUS=serving 3 sites\nREADY=1\nMAINPID=7\nWATCHDOG=1\nnonsense\nWATCHDOG_USEC=500000\n";
        let expected = [
            Said::Status("serving 3 sites".to_owned()),
            Said::Ready,
            Said::Alive,
            Said::Period(Duration::from_millis(500)),
        ];
        assert_eq!(said(text), expected);
        for nothing in [&b""[..], b"READY=2", b"WATCHDOG_USEC=0", b"WATCHDOG_USEC=-3", b"WATCHDOG=", b"\xff\xfe=\x80"] {
            assert_eq!(said(nothing), [], "{nothing:?}");
        }
        assert_eq!(said(b"WATCHDOG=trigger"), [Said::Stuck]);
        assert_eq!(said(format!("STATUS={}", "x".repeat(4000)).as_bytes()), [Said::Status("x".repeat(120))]);
    }

    #[test]
    fn what_was_left_behind_is_removed_and_what_is_read_from_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (left, _) = bind_in(folder.path(), "notify-left").unwrap();
        drop(left);
        let (read, _) = bind_in(folder.path(), "notify-read").unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        sweep(folder.path());
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["notify-read", "other"]);
        drop(read);
    }

    #[tokio::test]
    async fn p3_a_datagram_of_the_same_user_is_believed() {
        let socket = Socket::bind().unwrap();
        sender(&socket).send(b"READY=1").unwrap();
        assert_eq!(socket.receive().await.unwrap(), [Said::Ready]);
    }

    #[tokio::test]
    async fn p3_a_stranger_is_not_believed_and_a_descendant_is() {
        let mut socket = Socket::bind().unwrap();
        let sender = sender(&socket);
        // As if every user were a stranger.
        socket.belongs_to(1);
        socket.users.clear();
        sender.send(b"READY=1").unwrap();
        assert_eq!(socket.receive().await.unwrap(), []);
        socket.belongs_to(nix::unistd::getppid().as_raw().unsigned_abs());
        socket.users.clear();
        sender.send(b"READY=1").unwrap();
        assert_eq!(socket.receive().await.unwrap(), [Said::Ready]);
    }

    #[tokio::test]
    async fn p3_files_sent_along_are_closed_which_a_barrier_waits_for() {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        use std::io::Read;
        use std::os::fd::AsFd;
        let socket = Socket::bind().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let files = [writer.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        assert!(beside.push(SendAncillaryMessage::ScmRights(&files)));
        sendmsg(sender(&socket), &[io::IoSlice::new(b"BARRIER=1")], &mut beside, SendFlags::empty()).unwrap();
        drop(writer);
        assert_eq!(socket.receive().await.unwrap(), []);
        let mut nothing = Vec::new();
        reader.read_to_end(&mut nothing).unwrap();
    }
}

//! The socket file, the marker beside it, and who is at the other end.
//!
//! The file appears whole: it is bound under a temporary name, given its group and mode, and renamed. The marker is an
//! abstract socket `@tandem/<member>/<path>` that nobody accepts from; it vanishes with the process, whatever kills it,
//! and so tells `tandem status` which controllers run on this machine without a file that could be stale.

use std::io;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group, Uid, User};

use super::who::{Rights, Who};

/// The marker's name starts with this; `connect` looks for it.
pub const MARKER: &str = "tandem/";

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 64;

/// What can go wrong with the socket file.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A controller is running there.
    #[error("another controller answers on {0}: stop it, or give this one another control.socket")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0} is there and is not a socket: move it away, or change control.socket")]
    NotASocket(PathBuf),
    /// The group does not exist.
    #[error("control.group = {0:?}: there is no such group on this machine (getent group)")]
    NoSuchGroup(String),
    /// The system refused.
    #[error("cannot {what} {path}: {error}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A listening socket file with its marker; removed by [`ControlSocket::remove`], or when dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    identity: (u64, u64),
    /// Kept for its name only.
    _marker: Option<UnixListener>,
}

impl ControlSocket {
    /// Binds `path` with this mode (e.g. 0o660) and, where named, group. A stale file is replaced; one on which somebody
    /// answers is not.
    pub fn bind(
        path: &Path,
        mode: u32,
        group: Option<Gid>,
        member: &str,
    ) -> Result<(ControlSocket, UnixListener), SocketError> {
        let system = |what, error| SocketError::System { what, path: path.to_owned(), error };
        let path = &std::path::absolute(path).map_err(|error| system("resolve", error))?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| system("create the directory of", error))?;
        }
        check_stale(path)?;
        let mut temporary = path.clone().into_os_string();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        // Left by a process of the same number that was killed in between.
        let _ = std::fs::remove_file(&temporary);
        let finish = || -> io::Result<UnixListener> {
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
            // The file gets the descriptor's mode: nobody else can connect before group and mode are right.
            nix::sys::stat::fchmod(socket.as_fd(), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
            socket.bind(&socket2::SockAddr::unix(&temporary)?)?;
            nix::unistd::chown(&temporary, None, group)?;
            std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(mode))?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            std::fs::rename(&temporary, path)?;
            Ok(socket.into())
        };
        let listener = finish().map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            system("listen on", error)
        })?;
        let meta = std::fs::symlink_metadata(path).map_err(|error| system("look at", error))?;
        let marker = mark(member, path);
        if let Err(error) = &marker {
            // Somebody may squat on the name: clients then need --config or --socket, and nothing else is lost.
            tracing::warn!(%error, "this controller will not be found without --socket or --config");
        }
        let socket = ControlSocket { path: path.clone(), identity: (meta.dev(), meta.ino()), _marker: marker.ok() };
        Ok((socket, listener))
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, if it is still this one.
    pub fn remove(self) {
        drop(self);
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let still_ours =
            std::fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if still_ours {
            // What cannot be removed is stale and is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn mark(member: &str, path: &Path) -> io::Result<UnixListener> {
    let mut name = format!("{MARKER}{member}/").into_bytes();
    name.extend_from_slice(path.as_os_str().as_encoded_bytes());
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

fn check_stale(path: &Path) -> Result<(), SocketError> {
    let system = |what, error| SocketError::System { what, path: path.to_owned(), error };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(system("look at", error)),
        Ok(meta) if !meta.file_type().is_socket() => Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => match super::client::connect_to_socket(path) {
            Ok(_) => Err(SocketError::InUse(path.to_owned())),
            // The rename replaces it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // A frozen controller, with its queue full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SocketError::InUse(path.to_owned())),
            Err(error) => Err(system("try", error)),
        },
    }
}

/// The group that may operate.
pub fn find_group(name: &str) -> Result<Option<Gid>, SocketError> {
    if name.is_empty() {
        return Ok(None);
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(Some(group.gid)),
        Ok(None) | Err(_) => Err(SocketError::NoSuchGroup(name.to_owned())),
    }
}

/// The process at the other end of a connection, by the kernel's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerProcess {
    /// Its user.
    pub uid: Uid,
    /// Its primary group.
    pub gid: Gid,
    /// Its number when it connected.
    pub pid: i32,
}

/// Who is at the other end of `socket`.
pub fn peer_process(socket: &impl AsFd) -> io::Result<PeerProcess> {
    let found = getsockopt(socket, sockopt::PeerCredentials)?;
    Ok(PeerProcess { uid: Uid::from_raw(found.uid()), gid: Gid::from_raw(found.gid()), pid: found.pid() })
}

/// Names who is at the other end, and decides what they may do: root, the user that the engine runs as, and the members
/// of `operators` operate; everybody else watches. Asks the user database, which may be slow: not for the node's loop.
pub fn identify(peer: PeerProcess, operators: Option<Gid>) -> Who {
    let user = User::from_uid(peer.uid).ok().flatten();
    let name = user.as_ref().map_or_else(|| format!("uid {}", peer.uid), |user| user.name.clone());
    let in_group = operators.is_some_and(|wanted| {
        let listed = || {
            let name = std::ffi::CString::new(user.as_ref()?.name.as_str()).ok()?;
            Some(nix::unistd::getgrouplist(&name, peer.gid).ok()?.contains(&wanted))
        };
        peer.gid == wanted || listed().unwrap_or(false)
    });
    let operates = peer.uid.is_root() || peer.uid == Uid::effective() || in_group;
    let rights = if operates { Rights::Operate } else { Rights::Watch };
    Who::new(&with_login(name, peer), peer.uid.as_raw(), rights)
}

/// Whoever started this process: for the screen of `run`. Asks the user database too.
pub fn identify_self() -> Who {
    // A process number is never negative.
    let pid = std::process::id().cast_signed();
    identify(PeerProcess { uid: Uid::effective(), gid: Gid::effective(), pid }, None)
}

/// Who became root through sudo or su is named by the user they logged in as, too (the SSH user).
fn with_login(name: String, peer: PeerProcess) -> String {
    let login = std::fs::read_to_string(format!("/proc/{}/loginuid", peer.pid)).ok();
    let login = login.and_then(|text| text.trim().parse().ok()).map(Uid::from_raw);
    // The kernel says "nobody logged in" as the highest number.
    match login.filter(|uid| uid.as_raw() != u32::MAX && *uid != peer.uid) {
        Some(uid) => match User::from_uid(uid) {
            Ok(Some(user)) => format!("{} as {name}", user.name),
            Ok(None) | Err(_) => name,
        },
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32) -> PeerProcess {
        // No process has this number: nobody is logged in behind it.
        PeerProcess { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), pid: i32::MAX }
    }

    #[test]
    fn u2_root_the_engines_user_and_the_group_operate_and_others_watch() {
        let (nobody, group) = (peer(3_999_999, 3_999_999), Gid::from_raw(3_999_999));
        assert_eq!(identify(peer(0, 0), None).rights, Rights::Operate);
        assert_eq!(identify(peer(Uid::effective().as_raw(), 9), None).rights, Rights::Operate);
        assert_eq!(identify(nobody, None).rights, Rights::Watch);
        assert_eq!(identify(nobody, Some(Gid::from_raw(3_999_998))).rights, Rights::Watch);
        assert_eq!(identify(nobody, Some(group)).rights, Rights::Operate);
        assert_eq!(identify(nobody, None).name(), "uid 3999999", "who is in no user database has a name too");
        assert_eq!(identify(peer(0, 0), None).name(), "root");
    }

    #[test]
    fn who_started_the_engine_operates_its_screen() {
        let who = identify_self();
        assert_eq!((who.uid, who.rights), (Uid::effective().as_raw(), Rights::Operate));
    }

    #[test]
    fn a_group_that_is_not_there_is_said() {
        assert_eq!(find_group("").expect("none is fine"), None);
        let error = find_group("no-such-group-here").expect_err("it is not there");
        assert!(error.to_string().contains("control.group"), "{error}");
        assert_eq!(find_group("root").expect("it is there"), Some(Gid::from_raw(0)));
    }

    #[test]
    fn a_socket_says_who_is_at_the_other_end() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let peer = peer_process(&one).expect("Linux knows");
        assert_eq!(peer.uid, Uid::effective());
        assert_eq!(peer.pid, i32::try_from(std::process::id()).expect("it fits"));
    }
}

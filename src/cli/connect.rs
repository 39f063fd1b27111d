//! Finds the controller that a command is for, and connects to it.
//!
//! `--socket` names it. Else `--config` and `--as` lead to it, and when exactly one controller runs on the machine
//! neither is needed: each leaves a marker among the abstract sockets, which vanishes with its process. A controller found
//! by its marker is only trusted when root or this user runs it, because anybody may leave such a marker.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::unistd::Uid;

use crate::config::{Config, locate};
use crate::control::client::{Client, ClientError, connect as connect_to};
use crate::control::socket::{MARKER, peer_process};
use crate::negotiation::member::MemberId;

use super::args::Global;
use super::exit::Exit;

/// Why no controller was reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// None runs here, and no configuration says where one should.
    #[error(
        "no controller runs on this machine, and there is no {0}: start one with tandem run, or name it with --socket"
    )]
    NoneRuns(PathBuf),
    /// It is not known which is meant.
    #[error("several controllers run on this machine: say which with --as NAME or --socket PATH\n{0}")]
    Several(String),
    /// The configuration does not lead to one.
    #[error("{0}")]
    Configuration(String),
    /// It does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl ConnectError {
    /// The exit status that goes with it: 3 no controller answers, 2 wrong usage.
    pub fn exit(&self) -> Exit {
        match self {
            ConnectError::NoneRuns(_) | ConnectError::Client(_) => Exit::NoController,
            ConnectError::Several(_) | ConnectError::Configuration(_) => Exit::Usage,
        }
    }
}

/// A controller that left its marker on this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Marked {
    member: String,
    socket: PathBuf,
}

/// Connects to the controller that `global` means.
pub fn connect(global: &Global) -> Result<Client, ConnectError> {
    Ok(Client::open(&socket_path(global)?)?)
}

/// As [`connect`]; what went wrong is told on standard error, and the exit status that goes with it is returned.
pub fn connect_or_say(global: &Global) -> Result<Client, Exit> {
    connect(global).map_err(|error| {
        crate::complain!("tandem: {error}");
        error.exit()
    })
}

/// The socket of the controller that `global` means; nothing is sent to it.
pub fn socket_path(global: &Global) -> Result<PathBuf, ConnectError> {
    if let Some(path) = &global.socket {
        return Ok(path.clone());
    }
    match running_socket(global)? {
        Some(socket) => Ok(socket),
        None => configured_socket(global),
    }
}

/// The socket of the one controller that runs on this machine, when no configuration is named; none when none runs.
pub fn running_socket(global: &Global) -> Result<Option<PathBuf>, ConnectError> {
    if global.config.is_some() {
        return Ok(None);
    }
    let running: Vec<Marked> = marked()
        .into_iter()
        .filter(|found| global.member.as_ref().is_none_or(|wanted| *wanted == found.member))
        .filter(is_trusted)
        .collect();
    match running.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.socket.clone())),
        several => {
            let lines: Vec<String> =
                several.iter().map(|one| format!("  {}  {}", one.member, one.socket.display())).collect();
            Err(ConnectError::Several(lines.join("\n")))
        }
    }
}

/// The socket that the configuration names for the member that this is.
fn configured_socket(global: &Global) -> Result<PathBuf, ConnectError> {
    let file = locate(global.config.as_deref());
    if global.config.is_none() && !file.exists() {
        return Err(ConnectError::NoneRuns(file));
    }
    let (config, me) = configured(global)?;
    Ok(config.control_socket(me))
}

/// The configuration, and the member that this is.
pub fn configured(global: &Global) -> Result<(Config, MemberId), ConnectError> {
    let wrong = |error: &dyn std::fmt::Display| ConnectError::Configuration(error.to_string());
    let config = Config::load(&locate(global.config.as_deref())).map_err(|errors| wrong(&errors))?;
    let me = config.which_member(global.member.as_deref()).map_err(|error| wrong(&error))?;
    Ok((config, me))
}

fn marked() -> Vec<Marked> {
    // Without /proc there are no markers to be seen, and the configuration leads on.
    let mut found = parse_markers(&std::fs::read_to_string("/proc/net/unix").unwrap_or_default());
    found.sort();
    found.dedup();
    found
}

/// The markers in the text of /proc/net/unix, where abstract names begin with `@`.
fn parse_markers(table: &str) -> Vec<Marked> {
    let parse = |line: &str| {
        let (_, name) = line.split_once(" @")?;
        let (member, socket) = name.strip_prefix(MARKER)?.split_once('/')?;
        Some(Marked { member: member.to_owned(), socket: PathBuf::from(socket) })
    };
    table.lines().filter_map(parse).collect()
}

/// Whether root or this user answers there. One that is frozen, with its queue full, is kept when its file is theirs:
/// that is worth an error, not a silence.
fn is_trusted(found: &Marked) -> bool {
    let ours = |uid: Uid| uid.is_root() || uid == Uid::effective();
    match connect_to(&found.socket) {
        Ok(stream) => peer_process(&stream).is_ok_and(|peer| ours(peer.uid)),
        Err(ClientError::NoController { error, .. }) if error.kind() == std::io::ErrorKind::WouldBlock => {
            std::fs::symlink_metadata(&found.socket).is_ok_and(|meta| ours(Uid::from_raw(meta.uid())))
        }
        Err(
            ClientError::NoController { .. }
            | ClientError::Silent { .. }
            | ClientError::Closed { .. }
            | ClientError::Foreign { .. }
            | ClientError::Refused { .. },
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_among_other_sockets() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 1234 /run/systemd/notify\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 1235 @tandem/alpha//run/tandem/alpha.sock\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 1236 @tandem/nothing\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 1237 @/tmp/.X11-unix/X0\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 1238\n";
        let alpha = Marked { member: "alpha".to_owned(), socket: PathBuf::from("/run/tandem/alpha.sock") };
        assert_eq!(parse_markers(table), [alpha]);
    }

    #[test]
    fn a_named_socket_is_used_as_it_is() {
        let global = Global { socket: Some(PathBuf::from("/run/x.sock")), ..Global::default() };
        assert_eq!(socket_path(&global).ok(), Some(PathBuf::from("/run/x.sock")));
    }

    #[test]
    fn a_running_controller_is_found_by_its_marker_and_two_of_a_name_are_not_guessed_between() {
        // Other tests run controllers too: this name is this test's own.
        let name = format!("marked-{}", std::process::id());
        let mut view = crate::control::examples::secondary();
        view.name = name.as_str().into();
        let global = Global { member: Some(name), ..Global::default() };
        let one = crate::control::fake_node::serve(view.clone());
        assert_eq!(socket_path(&global).expect("one is found"), one.path);
        let two = crate::control::fake_node::serve(view);
        let error = socket_path(&global).expect_err("two are not guessed between");
        assert!(error.to_string().contains(&two.path.display().to_string()), "{error}");
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn a_controller_that_is_not_there_is_exit_status_3() {
        let folder = tempfile::tempdir().expect("a folder");
        let global = Global { socket: Some(folder.path().join("none.sock")), ..Global::default() };
        assert_eq!(connect(&global).expect_err("nobody is there").exit(), Exit::NoController);
    }
}

//! Advice about one machine: its key, its folders, its groups.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::{AccessFlags, Group, access};

use crate::negotiation::member::MemberId;

use super::super::keys::{KeyError, load_key};
use super::super::model::{Config, SecurityMode};
use super::Advice;

/// The longest path of a Unix socket: Linux keeps 108 bytes for it, the last of them zero.
const LONGEST_SOCKET: usize = 107;

/// What was found on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineAdvice {
    /// With this, tandem does not start here.
    pub wrong: Vec<Advice>,
    /// With this, it starts.
    pub unwise: Vec<Advice>,
}

/// Advice about the machine this runs on, as the member `me`.
pub fn of_machine(config: &Config, me: MemberId) -> MachineAdvice {
    let mut found = MachineAdvice::default();
    if config.security.mode == SecurityMode::Noise {
        key(config, "security.key_file", &config.key_file(me), &mut found);
        for path in config.also_accept(me) {
            key(config, "security.also_accept", &path, &mut found);
        }
    }
    state(config, &config.state_directory(me), &mut found.unwise);
    let socket = config.control_socket(me);
    if socket.as_os_str().len() > LONGEST_SOCKET {
        found.wrong.push(config.advise(
            "control.socket",
            format!("{} is too long for a Unix socket, which takes {LONGEST_SOCKET} bytes", socket.display()),
            "name a shorter path, such as \"/run/tandem/{member}.sock\"",
        ));
    }
    let group = &config.control.group;
    if !group.is_empty() && !matches!(Group::from_name(group), Ok(Some(_))) {
        found.unwise.push(config.advise(
            "control.group",
            format!("this machine has no group {group:?}, so nobody but root and tandem's own user may operate"),
            format!("make it with `groupadd --system {group}`, or correct the name"),
        ));
    }
    super::arbiter::of_machine(config, me, &mut found);
    super::guards::of_machine(config, me, &mut found);
    super::programs::of_machine(config, me, &mut found);
    found
}

fn key(config: &Config, key: &str, path: &Path, found: &mut MachineAdvice) {
    match load_key(path) {
        Ok(_) => {}
        Err(error @ (KeyError::Missing { .. } | KeyError::Malformed { .. })) => {
            found.wrong.push(config.advise(key, error.to_string(), "until then tandem does not start here"));
            return;
        }
        // Who checks need not be the user that tandem runs as, so this proves nothing yet.
        Err(error @ (KeyError::Unreadable { .. } | KeyError::Exists { .. } | KeyError::NotMade { .. })) => {
            found.unwise.push(config.advise(key, error.to_string(), "check as the user that tandem runs as"));
            return;
        }
    }
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        found.unwise.push(config.advise(
            key,
            format!("{} has mode {mode:04o}: others than its owner can use the group key", path.display()),
            format!("chmod 600 {}", path.display()),
        ));
    }
}

fn state(config: &Config, directory: &Path, advice: &mut Vec<Advice>) {
    const KEY: &str = "state.directory";
    let shown = directory.display();
    let Some(existing) = nearest_existing(directory) else { return };
    if !existing.is_dir() {
        advice.push(config.advise(
            KEY,
            format!("{} is in the way of {shown}: it is no folder", existing.display()),
            "remove it, or name another folder",
        ));
        return;
    }
    if access(&existing, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let message = match existing == directory {
            true => format!("{shown} cannot be written by the user who runs this check"),
            false => format!("{shown} is not there, and {} cannot be written", existing.display()),
        };
        advice.push(config.advise(
            KEY,
            message,
            "check as the user that tandem runs as; a member that cannot keep its state takes no role",
        ));
    }
    let in_memory = statfs(&existing).is_ok_and(|system| system.filesystem_type() == TMPFS_MAGIC);
    if in_memory {
        advice.push(config.advise(
            KEY,
            format!("{shown} is in memory: after a restart of the machine the member does not know the last term"),
            "name a folder on a disk",
        ));
    }
}

/// `path`, or the nearest folder above it that exists.
fn nearest_existing(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .map(|ancestor| if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor })
        .find(|ancestor| ancestor.exists())
        .map(Path::to_owned)
}

//! Where a command finds the journal of the controller it is asked about.

use std::path::PathBuf;

use super::args::Global;
use super::connect::running_socket;
use crate::config::{self, Config};
use crate::control::client::Client;

/// The state directory: of the controller behind `--socket`, or of the one that runs on this machine when no configuration
/// is named, as it says itself; else as the configuration says. The journal is readable in either way, also when the
/// controller does not run.
pub fn state_directory(global: &Global) -> anyhow::Result<PathBuf> {
    let socket = match &global.socket {
        Some(socket) => Some(socket.clone()),
        None => running_socket(global)?,
    };
    if let Some(socket) = socket {
        return Ok(PathBuf::from(Client::open(&socket)?.hello.state_directory));
    }
    let config = Config::load(&config::locate(global.config.as_deref()))?;
    let me = config.which_member(global.member.as_deref())?;
    Ok(config.state_directory(me))
}

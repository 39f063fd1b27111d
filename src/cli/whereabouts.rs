//! Where a command finds the journal of the controller it is asked about.

use std::path::PathBuf;

use super::args::Global;
use super::connect::{ConnectError, configured, running_socket};
use super::exit::Exit;
use crate::control::client::Client;

/// The state directory: of the controller behind `--socket`, or of the one that runs on this machine when no configuration
/// is named, as it says itself; else as the configuration says. The journal is readable in either way, also when the
/// controller does not run.
pub fn state_directory(global: &Global) -> Result<PathBuf, ConnectError> {
    let socket = match &global.socket {
        Some(socket) => Some(socket.clone()),
        None => running_socket(global)?,
    };
    if let Some(socket) = socket {
        return Ok(PathBuf::from(Client::open(&socket)?.hello.state_directory));
    }
    let (config, me) = configured(global)?;
    Ok(config.state_directory(me))
}

/// As [`state_directory`]; what went wrong is told on standard error, and the exit status that goes with it is returned.
pub fn state_directory_or_say(global: &Global) -> Result<PathBuf, Exit> {
    state_directory(global).map_err(|error| {
        crate::complain!("tandem: {error}");
        error.exit()
    })
}

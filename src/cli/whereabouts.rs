//! Where a command finds the journal of the controller it is asked about.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use super::args::Global;
use crate::config::{self, Config};
use crate::control::request::Reply;

/// How long a running controller may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest first line that is read of a socket, in bytes.
const LONGEST_HELLO: u64 = 64 * 1024;

/// The state directory: of the controller behind `--socket` when one is given, else as the configuration says. The
/// journal is readable in either way, also when the controller does not run.
pub fn state_directory(global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(socket) = &global.socket {
        return of_socket(socket);
    }
    let config = Config::load(&config::locate(global.config.as_deref()))?;
    let me = config.which_member(global.member.as_deref())?;
    Ok(config.state_directory(me))
}

/// The state directory of the controller that listens on `socket`.
pub fn of_socket(socket: &Path) -> anyhow::Result<PathBuf> {
    let what = || format!("no controller answers on {}", socket.display());
    let stream = UnixStream::connect(socket).with_context(what)?;
    stream.set_read_timeout(Some(PATIENCE)).with_context(what)?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_HELLO)).read_line(&mut line).with_context(what)?;
    match serde_json::from_str(&line) {
        Ok(Reply::Hello(hello)) => Ok(PathBuf::from(hello.state_directory)),
        Ok(_) | Err(_) => bail!("what answers on {} is no tandem controller", socket.display()),
    }
}

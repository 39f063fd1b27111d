//! `tandem guardian` (hidden): the process that holds the required processes. Only the controller starts it.

use super::exit::Exit;

/// Guards until the controller at the other end of standard input has gone.
pub fn run() -> anyhow::Result<Exit> {
    crate::process::guardian::run()?;
    Ok(Exit::Done)
}

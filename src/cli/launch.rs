//! `tandem launch` (hidden): becomes a required process. Only the guardian starts it.

use anyhow::Context;

use super::exit::Exit;

/// Becomes what the guardian says; ends with "failed" when it could not, which the guardian has been told.
pub fn run() -> anyhow::Result<Exit> {
    crate::process::trampoline::launch()
        .context("standard input is no guardian: this command is started by `tandem guardian`")?;
    Ok(Exit::Failed)
}

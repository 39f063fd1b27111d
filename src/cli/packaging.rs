//! Placeholder of the first commit: replaced by its own command.
use super::args::*;
use super::exit::Exit;

pub fn completions(_args: &CompletionsArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}
pub fn man(_args: &ManArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}

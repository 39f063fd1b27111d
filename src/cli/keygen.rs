//! Placeholder of the first commit: replaced by its own command.
use super::args::*;
use super::exit::Exit;

pub fn run(_args: &KeygenArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}

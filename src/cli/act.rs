//! Placeholder of the first commit: replaced by its own command.
use super::args::*;
use super::exit::Exit;

pub fn failover(_global: &Global, _args: &ActArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}
pub fn step_down(_global: &Global, _args: &ActArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}
pub fn hold(_global: &Global, _args: &HoldArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}
pub fn resume(_global: &Global, _args: &ResumeArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}
pub fn shutdown(_global: &Global, _args: &ActArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("not in this build yet")
}

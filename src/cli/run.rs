//! `tandem run`: starts the controller, with the screen or without.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;

use crate::config::{Config, locate};
use crate::node::{self, Options};

use super::args::{Global, RunArgs};
use super::exit::Exit;

/// Runs the controller until it is stopped.
pub fn run(global: &Global, args: &RunArgs) -> anyhow::Result<Exit> {
    let config = Config::load(&locate(global.config.as_deref()))?;
    let me = config.which_member(global.member.as_deref())?;
    if args.headless {
        let _log = log_to_standard_error();
        node::run(&config, me, Options::default())?;
        return Ok(Exit::Done);
    }
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        eprintln!("tandem: there is no terminal for the screen; without one: tandem run --headless");
        return Ok(Exit::Usage);
    }
    anyhow::bail!("the screen comes with the next commit; until then: tandem run --headless")
}

/// One line an event on standard error, from a thread of its own with a bounded queue: a reader that is stuck costs
/// lines, never a turn of the loop. The guard writes what is left when it is dropped.
pub(super) fn log_to_standard_error() -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
        .buffered_lines_limit(1024)
        .lossy(true)
        .thread_name("log")
        .finish(std::io::stderr());
    tracing_subscriber::fmt()
        .with_writer(writer)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
    guard
}

//! `tandem run`: starts the controller, with the screen or without.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;

use crate::config::{Config, advice, locate};
use crate::negotiation::member::MemberId;
use crate::node::{self, Options};
use crate::ui::{stand_in, terminal::can_draw};

use super::args::{Global, RunArgs};
use super::check::wrong_lines;
use super::exit::Exit;
use super::with_screen::{self, WhenLeft};

/// Runs the controller until it is stopped.
pub fn run(global: &Global, args: &RunArgs) -> anyhow::Result<Exit> {
    if args.headless {
        let (config, me) = member(global)?;
        let _log = log_to_standard_error();
        node::run(&config, me, Options::default())?;
        return Ok(Exit::Done);
    }
    if !can_draw() {
        crate::complain!(
            "tandem: there is no terminal worth drawing on. Without the screen: tandem run --headless; \
             to watch what it does: tandem status --watch"
        );
        return Ok(Exit::Usage);
    }
    // Before anything else: no thread may have been started, and the two processes must not both open files.
    match stand_in::enter()? {
        stand_in::Role::Over(code) => Ok(exit_of(code)),
        stand_in::Role::Engine => {
            let (config, me) = member(global)?;
            if let Some(warning) = stand_in::login_manager_warning() {
                crate::complain!("{warning}");
            }
            with_screen::run(&config, me, WhenLeft::GoesOn)?;
            Ok(Exit::Done)
        }
    }
}

/// The stand-in ends as the process ended that did the work.
pub(super) fn exit_of(code: u8) -> Exit {
    match code {
        0 => Exit::Done,
        2 => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn member(global: &Global) -> anyhow::Result<(Config, MemberId)> {
    let config = Config::load(&locate(global.config.as_deref()))?;
    let me = config.which_member(global.member.as_deref())?;
    // A program or a user that is missing would be found out in the middle of a takeover.
    let wrong = advice::of_machine(&config, me).wrong;
    if !wrong.is_empty() {
        let lines = wrong_lines(&config.path.display().to_string(), &wrong);
        anyhow::bail!("this configuration cannot run on this machine\n{}", lines.join("\n"));
    }
    Ok((config, me))
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

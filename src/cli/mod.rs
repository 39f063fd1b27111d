//! The command line: words and flags in [`args`], one small file per command family. Nothing here decides; it asks the
//! engine and prints.

pub mod args;
pub mod exit;
pub mod lines;

mod act;
mod attach;
mod check;
pub mod connect;
mod demo;
mod events;
mod explain;
mod fence;
mod guardian;
mod interrupt;
mod keygen;
mod launch;
mod moment;
mod packaging;
mod ping;
mod plain;
mod rehearse;
mod reload;
mod replay;
mod report;
mod run;
mod sample_process;
mod soak;
mod status;
pub mod usage;
mod whereabouts;
mod with_screen;

use args::{Cli, Command};
use exit::Exit;

/// Carries out a parsed command line. An error's whole chain is for standard error; its exit status is 1.
pub fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let global = &cli.global.normalised();
    match cli.command {
        Command::Run(args) => run::run(global, &args),
        Command::Attach(args) => attach::run(global, &args),
        Command::Status(args) => status::run(global, &args),
        Command::Failover(args) => act::failover(global, &args),
        Command::StepDown(args) => act::step_down(global, &args),
        Command::Hold(args) => act::hold(global, &args),
        Command::Resume(args) => act::resume(global, &args),
        Command::Shutdown(args) => act::shutdown(global, &args),
        Command::Fence(args) => fence::run(global, &args),
        Command::Restart(args) => act::restart(global, &args),
        Command::Stop(args) => act::stop(global, &args),
        Command::Start(args) => act::start(global, &args),
        Command::Ping(args) => ping::run(global, &args),
        Command::Events(args) => events::run(global, &args),
        Command::Explain(args) => explain::run(global, &args),
        Command::Replay(args) => replay::run(global, &args),
        Command::Rehearse(args) => rehearse::run(global, &args),
        Command::Report(args) => report::run(global, &args),
        Command::Check(args) => check::run(global, &args),
        Command::Reload => reload::run(global),
        Command::Keygen(args) => keygen::run(&args),
        Command::Demo(args) => demo::run(global, &args),
        Command::Soak(args) => soak::run(&args),
        Command::Completions(args) => packaging::completions(&args),
        Command::Man(args) => packaging::man(&args),
        Command::Guardian => guardian::run(),
        Command::Launch => launch::run(),
        Command::FenceAgent(args) => fence::become_agent(&args),
        Command::SampleProcess(args) => sample_process::run(&args),
    }
}

//! `failover`, `step-down`, `hold`, `resume`, `shutdown`, `fence`, `restart`, `stop`, `start`: shows the engine's plan,
//! asks for its number where who acts may change, waits for the outcome. The plan is the engine's ([`crate::control::plans`]), so the screen asks the same.

use std::io::{BufRead, IsTerminal, Write};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::control::client::{ANSWER, Client, ClientError};
use crate::control::plan::{Action, LineState, Plan};
use crate::control::request::{Outcome, Reply, Request};

use super::args::{ActArgs, Global, HoldArgs, ProcessArgs, ResumeArgs};
use super::connect::connect_or_say;
use super::exit::Exit;

/// How long an outcome is waited for. The engine answers sooner: it gives up a hand-over after its own bounded time.
/// A fence agent may have several attempts, each as long as its timeout.
const OUTCOME: Duration = Duration::from_secs(900);

/// This member becomes Primary.
pub fn failover(global: &Global, args: &ActArgs) -> anyhow::Result<Exit> {
    run(global, Action::TakeOver, Consent::of(args))
}

/// This member becomes Secondary.
pub fn step_down(global: &Global, args: &ActArgs) -> anyhow::Result<Exit> {
    run(global, Action::StepDown, Consent::of(args))
}

/// This controller stops.
pub fn shutdown(global: &Global, args: &ActArgs) -> anyhow::Result<Exit> {
    run(global, Action::Shutdown, Consent::of(args))
}

/// The group's automatic takeovers are frozen. Changes nothing about who acts now, so it never asks.
pub fn hold(global: &Global, args: &HoldArgs) -> anyhow::Result<Exit> {
    let for_ms = u64::try_from(args.lasts.as_millis()).context("--for is longer than a hold can be")?;
    run(global, Action::Hold { for_ms }, Consent::NeverAsks)
}

/// They are free again.
pub fn resume(global: &Global, _args: &ResumeArgs) -> anyhow::Result<Exit> {
    run(global, Action::Resume, Consent::NeverAsks)
}

/// A required process is stopped and started again. Like the two below it changes no role, so it does not ask.
pub fn restart(global: &Global, args: &ProcessArgs) -> anyhow::Result<Exit> {
    run(global, Action::RestartProcess { name: args.process.clone() }, Consent::NeverAsks)
}

/// A required process is stopped.
pub fn stop(global: &Global, args: &ProcessArgs) -> anyhow::Result<Exit> {
    run(global, Action::StopProcess { name: args.process.clone() }, Consent::NeverAsks)
}

/// A required process is started.
pub fn start(global: &Global, args: &ProcessArgs) -> anyhow::Result<Exit> {
    run(global, Action::StartProcess { name: args.process.clone() }, Consent::NeverAsks)
}

/// What the command line already agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// The action itself needs none.
    NeverAsks,
    /// Nothing: the plan is asked about.
    Ask,
    /// `--yes`
    Yes,
    /// `--force`
    Force,
    /// `--yes --force`
    YesForce,
}

impl Consent {
    pub(super) fn of(args: &ActArgs) -> Consent {
        match (args.yes, args.force) {
            (false, false) => Consent::Ask,
            (true, false) => Consent::Yes,
            (false, true) => Consent::Force,
            (true, true) => Consent::YesForce,
        }
    }
}

/// Whether somebody sits at the other end of standard input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Console {
    Terminal,
    Script,
}

/// The three streams of a command.
struct Streams<'a> {
    console: Console,
    /// Whether something is typed within that time.
    typed_within: &'a dyn Fn(Duration) -> bool,
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    errors: &'a mut dyn Write,
}

/// Shows the plan for `action`, asks where it must, and waits for the outcome.
pub(super) fn run(global: &Global, action: Action, consent: Consent) -> anyhow::Result<Exit> {
    let mut client = match connect_or_say(global) {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let streams = Streams {
        console: if terminal { Console::Terminal } else { Console::Script },
        typed_within: &typed_within,
        input: &mut std::io::stdin().lock(),
        out: &mut std::io::stdout().lock(),
        errors: &mut std::io::stderr().lock(),
    };
    match act(&mut client, action, consent, streams) {
        Ok(exit) => Ok(exit),
        Err(error) => match error.downcast_ref::<ClientError>() {
            // Before anything was confirmed: the controller has gone away or hangs.
            Some(lost) => {
                crate::complain!("tandem: {lost}");
                Ok(Exit::NoController)
            }
            None => Err(error),
        },
    }
}

/// How the plan is confirmed.
enum Confirmation {
    Plain,
    Forced(String),
    /// Not at all: nothing is done.
    No,
}

fn act(client: &mut Client, action: Action, consent: Consent, mut streams: Streams) -> anyhow::Result<Exit> {
    if streams.console == Console::Script && matches!(consent, Consent::Ask | Consent::Force) {
        writeln!(
            streams.errors,
            "tandem: there is no terminal to ask on: nothing has been done; look at the plan on a terminal, or add --yes"
        )?;
        return Ok(Exit::Failed);
    }
    let plan = match client.ask(&Request::Open { action }, ANSWER)? {
        Reply::Plan(plan) => *plan,
        Reply::Refused { why } => {
            writeln!(streams.errors, "tandem: {why}")?;
            return Ok(Exit::Failed);
        }
        other => return Err(unexpected(&other)),
    };
    let force = match ask(&plan, consent, &mut streams)? {
        Confirmation::Plain => None,
        Confirmation::Forced(name) => Some(name),
        Confirmation::No => {
            // Refused when the plan has ended by itself, which is as good.
            client.ask(&Request::Abandon { plan: plan.number }, ANSWER)?;
            return Ok(Exit::Failed);
        }
    };
    match client.ask(&Request::Confirm { plan: plan.number, force }, OUTCOME) {
        Ok(Reply::Outcome(outcome)) => told(&outcome, &mut streams),
        Ok(Reply::Refused { why }) => {
            writeln!(streams.errors, "tandem: {why}")?;
            Ok(Exit::Failed)
        }
        Ok(other) => Err(unexpected(&other)),
        Err(error) => {
            // It was confirmed, so it may have been done: never a guess.
            writeln!(streams.errors, "tandem: plan {} was sent, its outcome is not known: {error}", plan.number)?;
            Ok(Exit::Failed)
        }
    }
}

fn unexpected(reply: &Reply) -> anyhow::Error {
    anyhow::anyhow!("the controller answered something else than was asked: {reply:?}")
}

fn told(outcome: &Outcome, streams: &mut Streams) -> anyhow::Result<Exit> {
    match outcome {
        Outcome::Done { text } => {
            writeln!(streams.out, "{text}")?;
            Ok(Exit::Done)
        }
        Outcome::NotDone { text } => {
            writeln!(streams.errors, "tandem: not done: {text}")?;
            Ok(Exit::Failed)
        }
        Outcome::NotKnownYet { text } => {
            writeln!(streams.errors, "tandem: not known yet: {text}")?;
            Ok(Exit::Failed)
        }
    }
}

fn ask(plan: &Plan, consent: Consent, streams: &mut Streams) -> anyhow::Result<Confirmation> {
    match (&plan.force_by_typing, consent) {
        (None, Consent::NeverAsks | Consent::Yes | Consent::YesForce) => Ok(Confirmation::Plain),
        (None, Consent::Ask | Consent::Force) => {
            write!(streams.out, "{}", print(plan))?;
            let Some(typed) = type_in(plan, streams, "To do it, type the plan's number and Enter: ")? else {
                return Ok(Confirmation::No);
            };
            if typed == plan.number.to_string() {
                return Ok(Confirmation::Plain);
            }
            writeln!(streams.errors, "tandem: that is not the plan's number: nothing has been done")?;
            Ok(Confirmation::No)
        }
        (Some(_), Consent::NeverAsks | Consent::Ask | Consent::Yes) => {
            write!(streams.errors, "{}", print(plan))?;
            writeln!(
                streams.errors,
                "tandem: a line of the plan fails: nothing has been done; with --force it goes on all the same"
            )?;
            Ok(Confirmation::No)
        }
        (Some(name), Consent::Force | Consent::YesForce) => {
            let risk = plan.risk.as_deref().unwrap_or("what the failing lines guard against.");
            if streams.console == Console::Script {
                writeln!(streams.errors, "tandem: forced. At risk: {risk}")?;
                return Ok(Confirmation::Forced(name.clone()));
            }
            write!(streams.out, "{}", print(plan))?;
            writeln!(streams.errors, "At risk: {risk}")?;
            let Some(typed) = type_in(plan, streams, &format!("To force it, type {name} and Enter: "))? else {
                return Ok(Confirmation::No);
            };
            if typed == *name {
                return Ok(Confirmation::Forced(typed));
            }
            writeln!(streams.errors, "tandem: that is not {name}: nothing has been done")?;
            Ok(Confirmation::No)
        }
    }
}

/// Waits for a line on standard input.
fn typed_within(time: Duration) -> bool {
    let input = std::io::stdin();
    let mut wanted = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match poll(&mut wanted, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(0) => return false,
            // The shell's job control interrupts; the question stands as long as the plan.
            Err(Errno::EINTR) if !left.is_zero() => {}
            // What cannot be waited for is read at once.
            Ok(_) | Err(_) => return true,
        }
    }
}

/// Asks, and reads one line; what was typed before the question was there does not count. None: nothing was typed before
/// the plan's time was over.
fn type_in(plan: &Plan, streams: &mut Streams, question: &str) -> anyhow::Result<Option<String>> {
    if streams.console == Console::Terminal {
        // Not a terminal after all: then there is nothing to throw away.
        let _ = nix::sys::termios::tcflush(std::io::stdin(), nix::sys::termios::FlushArg::TCIFLUSH);
    }
    write!(streams.out, "{question}")?;
    streams.out.flush()?;
    if !(streams.typed_within)(Duration::from_millis(plan.expires_ms)) {
        writeln!(streams.out)?;
        writeln!(streams.errors, "tandem: plan {} has ended: its time ran out; nothing has been done", plan.number)?;
        return Ok(None);
    }
    let mut line = String::new();
    streams.input.read_line(&mut line).context("cannot read the answer")?;
    if line.is_empty() {
        writeln!(streams.out)?;
    }
    Ok(Some(line.trim().to_owned()))
}

/// The plan as text, in the order of the screen.
fn print(plan: &Plan) -> String {
    let mut text = format!("Plan {}: {}\n", plan.number, plan.title);
    text += "What happens\n";
    for (step, what) in plan.steps.iter().enumerate() {
        text += &format!(" {}  {what}\n", step + 1);
    }
    text += &format!("{}  {}\n", plan.nobody_acts, plan.two_acting);
    for sentence in [&plan.may_be_lost, &plan.if_it_fails, &plan.to_go_back] {
        text += &format!("{sentence}\n");
    }
    if !plan.rests_on.is_empty() {
        text += "What it rests on\n";
    }
    for line in &plan.rests_on {
        let mark = match line.state {
            LineState::Ok => "ok",
            LineState::No => "NO",
            LineState::Notice => "!!",
        };
        text += &format!(" {mark}  {}\n", line.text);
    }
    text + &format!(
        "Nothing has happened yet. It ends in {} s, or when a line here worsens.\n",
        plan.expires_ms.div_ceil(1_000)
    )
}

#[cfg(test)]
mod tests;

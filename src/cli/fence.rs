//! `fence PEER`: switches another member off, or says by the operator's word that it is off. `--dry-run` switches nothing:
//! it asks the device for the power, and shows what would be sent.
//!
//! Through the running controller where one answers; a dry run without one asks the agent itself, so that a fencing device
//! can be tried before tandem runs for the first time.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context;

use crate::config::{self, Config, duration};
use crate::control::client::{Client, ClientError};
use crate::control::plan::Action;
use crate::control::request::{Reply, Request};
use crate::fence::{Power, Preview, preview_alone};

use super::act::{self, Consent};
use super::args::{FenceAgentArgs, FenceArgs, Global};
use super::connect::{ConnectError, connect};
use super::exit::Exit;

/// A preview takes at most the agent's timeout and the time in which it describes itself; and as much again when another
/// question comes first.
const PREVIEW: Duration = Duration::from_secs(300);

/// See the module.
pub fn run(global: &Global, args: &FenceArgs) -> anyhow::Result<Exit> {
    let peer = args.peer.clone();
    if args.dry_run {
        return dry_run(global, &peer);
    }
    let action = if args.is_off { Action::IsOff { peer } } else { Action::Fence { peer } };
    act::run(global, action, Consent::of(&args.act))
}

/// `tandem fence-agent` (hidden): becomes an agent that dies with the controller. Only the controller starts it.
pub fn become_agent(args: &FenceAgentArgs) -> anyhow::Result<Exit> {
    let error = crate::fence::trampoline::become_agent(args.parent, &args.words);
    Err(error).context("the fence agent cannot be started")
}

fn dry_run(global: &Global, peer: &str) -> anyhow::Result<Exit> {
    match connect(global) {
        Ok(mut client) => through_the_controller(&mut client, peer),
        // Whoever names a socket means the controller behind it.
        Err(error @ ConnectError::Client(ClientError::NoController { .. })) if global.socket.is_some() => told(&error),
        Err(ConnectError::NoneRuns(_) | ConnectError::Client(ClientError::NoController { .. })) => alone(global, peer),
        Err(error) => told(&error),
    }
}

fn told(error: &ConnectError) -> anyhow::Result<Exit> {
    crate::complain!("tandem: {error}");
    Ok(error.exit())
}

fn through_the_controller(client: &mut Client, peer: &str) -> anyhow::Result<Exit> {
    match client.ask(&Request::FencePreview { peer: peer.to_owned() }, PREVIEW) {
        Ok(Reply::FencePreview(preview)) => {
            let power = match (preview.power, preview.why) {
                (crate::control::request::Power::On, _) => Power::On,
                (crate::control::request::Power::Off, _) => Power::Off,
                (crate::control::request::Power::Unknown, why) => Power::Unknown(why.unwrap_or_default()),
            };
            print(
                peer,
                &Preview {
                    program: preview.program,
                    input: preview.input,
                    timeout: Duration::from_millis(preview.timeout_ms),
                    attempts: preview.attempts,
                    power,
                    took: Duration::from_millis(preview.took_ms),
                    output: preview.output,
                },
            )
        }
        Ok(Reply::Refused { why }) => {
            crate::complain!("tandem: {why}");
            Ok(Exit::Failed)
        }
        Ok(other) => anyhow::bail!("the controller answered something else than was asked: {other:?}"),
        Err(lost) => {
            crate::complain!("tandem: {lost}");
            Ok(Exit::NoController)
        }
    }
}

fn alone(global: &Global, peer: &str) -> anyhow::Result<Exit> {
    let path = config::locate(global.config.as_deref());
    let config = match Config::load(&path) {
        Ok(config) => config,
        Err(errors) => {
            crate::complain!("{errors}");
            return Ok(Exit::Usage);
        }
    };
    let me = match config.which_member(global.member.as_deref()) {
        Ok(me) => me,
        Err(error) => {
            crate::complain!("tandem: {error}");
            return Ok(Exit::Usage);
        }
    };
    let fence = config.fences.iter().find(|(member, _)| **member != me && config.name(**member).as_str() == peer);
    let Some((_, fence)) = fence else {
        crate::complain!("tandem: {} has no [fence.{peer}] for another member", path.display());
        return Ok(Exit::Failed);
    };
    crate::tell!("no controller runs here: the agent is asked by this command itself");
    let preview = preview_alone(fence.clone(), config.fence_paths(me)).context("the agent cannot be asked")?;
    print(peer, &preview)
}

fn print(peer: &str, preview: &Preview) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(text(peer, preview).as_bytes())?;
    out.flush()?;
    Ok(match preview.power {
        Power::On | Power::Off => Exit::Done,
        Power::Unknown(_) => Exit::Failed,
    })
}

/// The preview as text. What came from the agent is escaped where it was kept.
fn text(peer: &str, preview: &Preview) -> String {
    let mut text = String::new();
    let took = preview.took.as_secs_f64();
    let _ = match &preview.power {
        Power::On => writeln!(text, "ok  the fence device answers after {took:.1} s: {peer} is on"),
        Power::Off => writeln!(text, "ok  the fence device answers after {took:.1} s: {peer} is off"),
        Power::Unknown(why) => writeln!(text, "NO  the fence device does not say whether {peer} is on: {why}"),
    };
    let timeout = duration::text(preview.timeout);
    let tries = if preview.attempts == 1 { "1 try".to_owned() } else { format!("{} tries", preview.attempts) };
    let _ = writeln!(text, "To switch {peer} off, this would be run ({tries} of at most {timeout}):");
    let _ = writeln!(text, "  {}", preview.program);
    if !preview.input.is_empty() {
        text += "with this on its standard input:\n";
    }
    for line in &preview.input {
        let _ = writeln!(text, "  {line}");
    }
    text += "Off is believed when it exits with 0 and its status then says off.\n";
    if !preview.output.is_empty() {
        text += "It printed when asked for its status:\n";
    }
    for line in preview.output.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text + "Nothing was switched.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(power: Power) -> Preview {
        Preview {
            program: "/usr/sbin/fence_ipmilan".to_owned(),
            input: vec!["action=off".to_owned(), "password=[secret]".to_owned()],
            timeout: Duration::from_secs(20),
            attempts: 2,
            power,
            took: Duration::from_millis(82),
            output: "Status: ON".to_owned(),
        }
    }

    #[test]
    fn u7_a_dry_run_says_what_the_device_says_and_what_would_be_sent() {
        insta::assert_snapshot!(text("beta", &preview(Power::On)), @r"
        ok  the fence device answers after 0.1 s: beta is on
        To switch beta off, this would be run (2 tries of at most 20s):
          /usr/sbin/fence_ipmilan
        with this on its standard input:
          action=off
          password=[secret]
        Off is believed when it exits with 0 and its status then says off.
        It printed when asked for its status:
          Status: ON
        Nothing was switched.
        ");
        let dead = text("beta", &preview(Power::Unknown("no answer within 20s".to_owned())));
        assert!(dead.starts_with("NO  the fence device does not say whether beta is on: no answer within 20s\n"));
    }
}

//! What runs, how healthy it is and how members are switched off, in the words of the screen and of `tandem status`.

use std::time::Duration;

use crate::control::status::{FenceResult, Fencing, Mode, Process, ProcessState, RunWhen, Status, SubHealth};

use super::{ago, coarse};

/// For how long a status has lain: the screen lets its ages go on, `tandem status` prints them as they were.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub Duration);

impl Clock {
    /// Everything as it was when the status was taken.
    pub const STANDS: Clock = Clock(Duration::ZERO);

    fn ago(&self, ms: u64) -> String {
        ago(Duration::from_millis(ms) + self.0)
    }

    fn lasts(&self, ms: u64) -> String {
        coarse(Duration::from_millis(ms) + self.0)
    }

    fn left(&self, ms: u64) -> String {
        coarse(Duration::from_millis(ms).saturating_sub(self.0))
    }
}

/// Whether there is anything that the health is made of.
pub fn health_matters(status: &Status) -> bool {
    !status.processes.is_empty() || status.health.sub.iter().any(|sub| sub.status < 1.0 || !is_built_in(sub))
}

fn is_built_in(sub: &SubHealth) -> bool {
    matches!(sub.name.as_str(), "restarts" | "response_time" | "memory")
}

/// "beta 0.98   alpha 0.97   limit 0.75".
pub fn scores(status: &Status) -> String {
    let mut text = format!("{} {:.2}", status.node, status.health.total);
    for peer in &status.peers {
        // The health of one that is gone is history, and would read as if it were fit.
        if let (Some(score), None) = (peer.score, &peer.gone) {
            text += &format!("   {} {score:.2}", peer.name);
        }
    }
    text + &format!("   limit {:.2}", status.health.threshold)
}

/// A sub-health's name for people: "response" for `response_time`.
pub fn sub_name(sub: &SubHealth) -> &str {
    if sub.name == "response_time" { "response" } else { &sub.name }
}

/// "memory 0.93 x 0.3".
pub fn sub_health(sub: &SubHealth) -> String {
    format!("{} {:.2} x {}", sub_name(sub), sub.status, weight(sub.weight))
}

/// A weight with as many digits as it needs, two at most.
pub fn weight(weight: f64) -> String {
    let text = format!("{weight:.2}");
    text.strip_suffix('0').map_or(text.clone(), str::to_owned)
}

/// What was measured, with its unit, and why: "2.7 %", "0.07 per s: plant-control is given up".
pub fn measured(sub: &SubHealth) -> String {
    let figure = format!("{:.2}", sub.measured);
    let figure = if figure.contains('.') { figure.trim_end_matches('0').trim_end_matches('.') } else { &figure };
    let why = sub.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
    format!("{figure} {}{why}", sub.unit)
}

/// Whether it stands as it should in this mode.
pub fn as_it_should_be(process: &Process) -> bool {
    match process.state {
        ProcessState::Waits => true,
        ProcessState::Running => process.why.is_none(),
        ProcessState::Starting
        | ProcessState::Stopping
        | ProcessState::Restarting
        | ProcessState::Stopped
        | ProcessState::GivenUp => false,
    }
}

/// "2 needed, 2 as they should be".
pub fn processes(status: &Status) -> String {
    let good = status.processes.iter().filter(|process| as_it_should_be(process)).count();
    format!("{} needed, {good} as they should be", status.processes.len())
}

/// What a row says of a process beside its name and state.
pub fn process_tells(process: &Process, clock: Clock, detail: Detail) -> String {
    let why = process.why.as_deref();
    match process.state {
        ProcessState::Waits => match process.run_when {
            RunWhen::Primary => "runs only on the Primary".to_owned(),
            RunWhen::Secondary => "runs only on a Secondary".to_owned(),
            RunWhen::Always => "is about to be started".to_owned(),
        },
        ProcessState::Starting => format!("{}for {}", pid(process), clock.lasts(process.since_ms)),
        ProcessState::Running => runs(process, clock, detail),
        ProcessState::Stopping => {
            let grace = coarse(Duration::from_millis(process.stop_ms));
            format!("{}told to stop {}, killed after {grace}", pid(process), clock.ago(process.since_ms))
        }
        ProcessState::Restarting => {
            let next = process.next_start_ms.map_or(String::new(), |ms| format!("   again in {}", clock.left(ms)));
            format!("{}{next}   restarts {}", why.unwrap_or("it ended"), restarts(process))
        }
        ProcessState::Stopped => match why {
            Some(why) => format!("{why}, {}", clock.ago(process.since_ms)),
            None => format!("by an operator, {}", clock.ago(process.since_ms)),
        },
        ProcessState::GivenUp => {
            format!("{}   restarts {}", why.unwrap_or("it ended too often"), restarts(process))
        }
    }
}

/// How much a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What a row of 80 columns has room for.
    Brief,
    /// All of it.
    Whole,
}

fn pid(process: &Process) -> String {
    process.pid.map_or(String::new(), |pid| format!("pid {pid}   "))
}

/// "3, 1 in 30 s".
fn restarts(process: &Process) -> String {
    match process.restarts_30s {
        0 => process.restarts.to_string(),
        lately => format!("{}, {lately} in 30 s", process.restarts),
    }
}

fn runs(process: &Process, clock: Clock, detail: Detail) -> String {
    let mut parts = Vec::new();
    parts.extend(process.pid.map(|pid| format!("pid {pid}")));
    parts.extend(process.uptime_ms.map(|ms| clock.lasts(ms)));
    if let Some(why) = &process.why {
        // What is wrong comes before the figures, where it is not cut off.
        parts.push(why.clone());
    }
    parts.push(format!("restarts {}", restarts(process)));
    parts.extend(process.response_ms.map(milliseconds));
    parts.extend(process.memory_pct.map(|share| format!("{share:.1} % mem")));
    if detail == Detail::Whole {
        parts.extend(process.cpu_pct.map(|share| format!("{share:.1} % cpu")));
        parts.extend(process.heartbeat.as_ref().map(|kind| match process.period_ms {
            Some(period) => format!("{kind}, {}", every(period)),
            None => kind.clone(),
        }));
        if !process.counts {
            parts.push("does not count".to_owned());
        }
    }
    parts.join("   ")
}

fn milliseconds(ms: f64) -> String {
    if ms < 1.0 { "<1 ms".to_owned() } else { format!("{ms:.0} ms") }
}

fn every(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("each {} s", ms / 1000) } else { format!("each {ms} ms") }
}

/// Whether a fence device answers; none: not known yet.
pub fn device_answers(fencing: &Fencing) -> Option<bool> {
    fencing.device.as_ref().map(|device| device.answers)
}

/// What is said of a device beside the member and the agent: "answered 41 s ago, in 60 ms".
pub fn device_tells(fencing: &Fencing, clock: Clock) -> String {
    match (&fencing.device, fencing.monitor_ms) {
        (Some(device), _) if device.answers => {
            format!("answered {}, in {}", clock.ago(device.age_ms), milliseconds(device.took_ms as f64))
        }
        (Some(device), _) => {
            let why = device.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            format!("no answer {}{why}", clock.ago(device.age_ms))
        }
        (None, Some(_)) => "not checked yet".to_owned(),
        (None, None) => "never checked: monitor is 0s".to_owned(),
    }
}

/// How the fencing of a member went and goes on; empty when there was none.
pub fn fencing_tells(fencing: &Fencing, clock: Clock) -> Vec<String> {
    let mut lines = Vec::new();
    if fencing.lied {
        lines.push(format!("{} was heard after it had been said to be off", fencing.peer));
    }
    if let Some(now) = &fencing.under_way {
        let limit = coarse(Duration::from_millis(now.timeout_ms));
        lines.push(format!(
            "switching {} {}: try {} for {}, given up after {limit}",
            fencing.peer,
            fencing.action,
            now.attempt,
            clock.lasts(now.since_ms)
        ));
    }
    if let Some(last) = &fencing.last {
        let (when, why) = (clock.ago(last.age_ms), last.why.as_deref());
        let took = milliseconds(last.took_ms as f64);
        lines.push(match (last.result, why) {
            (FenceResult::Off, _) => format!("last: off {when}, in {took}"),
            (FenceResult::OffByWord, Some(who)) => format!("last: off {when}, {who} looked"),
            (FenceResult::OffByWord, None) => format!("last: off {when}, somebody looked"),
            (FenceResult::Failed, why) => {
                format!("last: try {} failed {when}: {}", last.attempt, why.unwrap_or("it is not known to be off"))
            }
        });
    }
    if let Some(next) = fencing.next_try_ms {
        lines.push(format!("next try by itself in {}", clock.left(next)));
    }
    lines
}

/// What the acting line says while this member stops: for how long at most, where that is known.
pub fn longest_stop(status: &Status) -> Option<Duration> {
    let stops = |process: &&Process| process.state == ProcessState::Stopping || status.mode == Mode::Primary;
    let primary = status.processes.iter().filter(|process| process.run_when == RunWhen::Primary);
    let longest = primary.filter(stops).map(|process| process.stop_ms).max()?;
    Some(Duration::from_millis(longest))
}

/// For how long at most what runs only on the Primary takes to stop on a member, as far as this one was told; none: nothing
/// of the kind is known there.
pub fn longest_stop_of(status: &Status, member: &str) -> Option<Duration> {
    let own = status.processes.iter().filter(|_| status.node == member).map(|one| (one.run_when, one.stop_ms));
    let peers = status.peers.iter().filter(|peer| peer.name == member);
    let theirs = peers.flat_map(|peer| &peer.processes).map(|one| (one.run_when, one.stop_ms));
    let stops = own.chain(theirs).filter(|(run_when, _)| *run_when == RunWhen::Primary);
    stops.map(|(_, stop_ms)| Duration::from_millis(stop_ms)).max()
}

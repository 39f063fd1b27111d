//! The plans for one required process of this member: restarted, stopped, started (U2, P1). They change no role by
//! themselves; what the health makes of them is said.

use std::time::Duration;

use crate::control::plan::{LineState, PlanLine};
use crate::control::status::{Process, ProcessState, RunWhen};
use crate::negotiation::message::Mode;
use crate::negotiation::view::View;

use super::programs::short;
use super::{Draft, NEVER_TWO, Others, line};

fn find<'a>(name: &str, view: &View, others: &'a Others) -> Result<&'a Process, String> {
    others.processes.iter().find(|process| process.name == name).ok_or_else(|| {
        let names: Vec<&str> = others.processes.iter().map(|process| process.name.as_str()).collect();
        match names.as_slice() {
            [] => format!("{} has no required processes.", view.name),
            names => format!("{} has no required process called {name:?}; it has {}.", view.name, names.join(", ")),
        }
    })
}

/// Why it does not run in this mode; none when it should.
fn not_now(process: &Process, view: &View) -> Option<String> {
    let name = &process.name;
    match (process.run_when, view.mode) {
        (RunWhen::Always, _) | (RunWhen::Primary, Mode::Primary) | (RunWhen::Secondary, Mode::Secondary) => None,
        (RunWhen::Primary, Mode::Secondary) => {
            Some(format!("{name} runs only on the Primary: it is started when {} becomes Primary.", view.name))
        }
        (RunWhen::Secondary, Mode::Primary) => {
            Some(format!("{name} runs only on a Secondary: it is started when {} becomes Secondary.", view.name))
        }
    }
}

fn up_to(ms: u64) -> String {
    short(Duration::from_millis(ms))
}

fn about(start_ms: Option<u64>) -> String {
    start_ms.map_or(String::new(), |ms| format!(", about {}", up_to(ms)))
}

/// How it stands, and what the health makes of it.
fn rests_on(process: &Process) -> Vec<PlanLine> {
    let state = match (process.state, process.pid) {
        (ProcessState::Running, Some(pid)) => format!("{} runs, pid {pid}", process.name),
        (ProcessState::GivenUp, _) => format!("{} is given up", process.name),
        (ProcessState::Restarting, _) => format!("{} waits to be restarted", process.name),
        (ProcessState::Stopped, _) => {
            format!("{} was stopped {}", process.name, process.why.as_deref().unwrap_or("by an operator"))
        }
        (ProcessState::Running | ProcessState::Waits | ProcessState::Starting | ProcessState::Stopping, _) => {
            format!("{} is {}", process.name, crate::control::words::process_state(process.state))
        }
    };
    vec![line(LineState::Ok, state)]
}

/// What the plans for a process have in common.
fn draft(title: String, steps: Vec<String>, view: &View, process: &Process) -> Draft {
    Draft {
        title,
        steps,
        nobody_acts: "Who acts does not change by this.".to_owned(),
        two_acting: NEVER_TWO.to_owned(),
        may_be_lost: format!("May be lost: what {} on {} keeps only in its memory.", process.name, view.name),
        if_it_fails: String::new(),
        to_go_back: String::new(),
        rests_on: rests_on(process),
        force: None,
    }
}

fn counts(process: &Process, view: &View, why: &str) -> Option<PlanLine> {
    process.counts.then(|| line(LineState::Notice, format!("it counts for the health of {}: {why}", view.name)))
}

pub(super) fn restart(name: &str, view: &View, others: &Others) -> Result<Draft, String> {
    let process = find(name, view, others)?;
    if let Some(why) = not_now(process, view) {
        return Err(why);
    }
    let stops = process.pid.map(|_| format!("{name} is told to stop, and killed after {}", up_to(process.stop_ms)));
    let starts = format!("{name} is started again{}", about(process.start_ms));
    let mut draft = draft(
        format!("{name} on {} is restarted", view.name),
        stops.into_iter().chain([starts]).collect(),
        view,
        process,
    );
    if view.mode == Mode::Primary && process.run_when == RunWhen::Primary {
        let time = process.start_ms.map(|ms| up_to(ms + process.stop_ms));
        draft.nobody_acts = match time {
            Some(time) => format!("{} stays Primary; {name} does not act for up to {time}.", view.name),
            None => format!("{} stays Primary; {name} does not act until it is ready.", view.name),
        };
    }
    draft.if_it_fails = format!("If step {} fails: it is tried again, and the health falls.", draft.steps.len());
    draft.to_go_back = "To go back: there is nothing to go back to.".to_owned();
    draft.rests_on.extend(counts(process, view, "it is neutral while it starts"));
    Ok(draft)
}

pub(super) fn stop(name: &str, view: &View, others: &Others) -> Result<Draft, String> {
    let process = find(name, view, others)?;
    if process.state == ProcessState::Stopped {
        return Err(format!("{name} is stopped already. To start it: start {name}."));
    }
    let stays = format!("it stays stopped until it is started by hand, or {}'s controller starts anew", view.name);
    let steps = match process.pid {
        Some(_) => vec![format!("{name} is told to stop, and killed after {}", up_to(process.stop_ms)), stays],
        None => vec![format!("{name} is not started any more"), stays],
    };
    let mut draft = draft(format!("{name} on {} is stopped", view.name), steps, view, process);
    if view.mode == Mode::Primary && process.run_when == RunWhen::Primary {
        draft.nobody_acts = format!("{} stays Primary, and {name} does not act until it is started.", view.name);
    }
    draft.if_it_fails = "If step 1 fails: it is killed, with everything that it started.".to_owned();
    draft.to_go_back = format!("To go back: start {name}.");
    draft.rests_on.extend(counts(process, view, "the health may fall, and another member may take over"));
    Ok(draft)
}

pub(super) fn start(name: &str, view: &View, others: &Others) -> Result<Draft, String> {
    let process = find(name, view, others)?;
    match process.state {
        ProcessState::Running => return Err(format!("{name} runs already. To start it anew: restart {name}.")),
        ProcessState::Starting => return Err(format!("{name} is starting already.")),
        ProcessState::Waits => {
            return Err(not_now(process, view).unwrap_or_else(|| format!("{name} is about to be started.")));
        }
        ProcessState::Stopping | ProcessState::Restarting | ProcessState::Stopped | ProcessState::GivenUp => {}
    }
    let step = match not_now(process, view) {
        None => format!("{name} is started{}", about(process.start_ms)),
        Some(_) => format!("{name} is no longer held stopped; it runs when its turn comes"),
    };
    let mut draft = draft(format!("{name} on {} is started", view.name), vec![step], view, process);
    draft.may_be_lost = "May be lost: nothing.".to_owned();
    draft.if_it_fails = "If step 1 fails: it is tried again, and the health falls.".to_owned();
    draft.to_go_back = format!("To go back: stop {name}.");
    Ok(draft)
}

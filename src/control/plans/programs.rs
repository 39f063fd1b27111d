//! What runs only on the Primary, here and on the others: its names, and how long it takes to stop and to start. The plans
//! tell from it how long nobody acts (screens/4).

use std::time::Duration;

use crate::control::status::{ProcessState, RunWhen};
use crate::control::words::lasting;

use super::{Others, SHORT_GAP};

/// Processes that stop or start together, and how long that may take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Programs {
    /// Their names, in the order of the file.
    pub(super) names: Vec<String>,
    /// How long they take together; none: nobody knows, because one of them never ran.
    pub(super) time: Option<Duration>,
}

impl Programs {
    fn new(all: impl Iterator<Item = (String, Option<u64>)>) -> Programs {
        let mut programs = Programs { names: Vec::new(), time: Some(Duration::ZERO) };
        for (name, ms) in all {
            programs.names.push(name);
            programs.time = programs.time.zip(ms).map(|(time, ms)| time + Duration::from_millis(ms));
        }
        programs
    }

    /// "plant-control", "plant-control and historian", "4 processes".
    pub(super) fn named(&self) -> String {
        match self.names.as_slice() {
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            more => format!("{} processes", more.len()),
        }
    }

    pub(super) fn none(&self) -> bool {
        self.names.is_empty()
    }

    /// "keeps", "keep": the verb's ending fits how many they are.
    fn verb(&self, one: &'static str, more: &'static str) -> &'static str {
        if self.names.len() == 1 { one } else { more }
    }

    /// "May be lost: …", when they stop on `member`.
    pub(super) fn may_be_lost(&self, member: &str) -> String {
        if self.none() {
            return format!("May be lost: what programs on {member} keep only in their memory.");
        }
        let (keep, their) = (self.verb("keeps", "keep"), self.verb("its", "their"));
        format!("May be lost: what {} on {member} {keep} only in {their} memory.", self.named())
    }

    /// "; its plant-control may need up to 5 s", or nothing.
    pub(super) fn may_need(&self) -> String {
        match self.time {
            Some(time) if !self.none() => format!("; its {} may need up to {}", self.named(), short(time)),
            Some(_) | None => String::new(),
        }
    }

    /// "beta starts plant-control, about 1 s", as a step; none when there is nothing to start.
    pub(super) fn started_by(&self, member: &str) -> Option<String> {
        let about = self.time.filter(|time| !time.is_zero()).map_or(String::new(), |t| format!(", about {}", short(t)));
        (!self.none()).then(|| format!("{member} starts {}{about}", self.named()))
    }
}

/// What `member` has to stop before another may act: what runs on it as Primary only.
pub(super) fn to_stop(member: &str, here: &str, others: &Others) -> Programs {
    let runs = |state: ProcessState| match state {
        ProcessState::Starting | ProcessState::Running | ProcessState::Stopping => true,
        ProcessState::Waits | ProcessState::Restarting | ProcessState::Stopped | ProcessState::GivenUp => false,
    };
    let picked = of(member, here, others, |run_when, state, stop_ms, _| {
        (run_when == RunWhen::Primary && runs(state)).then_some(Some(stop_ms))
    });
    Programs::new(picked.into_iter())
}

/// What `member` starts when it becomes Primary. What never ran there takes as long as it took on another member.
pub(super) fn to_start(member: &str, here: &str, others: &Others) -> Programs {
    let elsewhere = |name: &str| {
        let own = others.processes.iter().map(|process| (process.name.as_str(), process.start_ms));
        let theirs = others.theirs.iter().flat_map(|(_, processes)| processes);
        let all = own.chain(theirs.map(|process| (process.name.as_str(), process.start_ms)));
        all.filter(|(other, _)| *other == name).filter_map(|(_, start)| start).max()
    };
    let picked = of(member, here, others, |run_when, state, _, start_ms| {
        (run_when == RunWhen::Primary && state != ProcessState::Stopped).then_some(start_ms)
    });
    Programs::new(picked.into_iter().map(|(name, start_ms)| {
        let start_ms = start_ms.or_else(|| elsewhere(&name));
        (name, start_ms)
    }))
}

/// Everything that runs here, as it stops when the controller ends.
pub(super) fn all_here(others: &Others) -> Programs {
    let running = others.processes.iter().filter(|process| process.pid.is_some());
    Programs::new(running.map(|process| (process.name.clone(), Some(process.stop_ms))))
}

/// The processes of `member` that `pick` picks, with the time that it says.
fn of(
    member: &str,
    here: &str,
    others: &Others,
    pick: impl Fn(RunWhen, ProcessState, u64, Option<u64>) -> Option<Option<u64>>,
) -> Vec<(String, Option<u64>)> {
    if member == here {
        let own = others.processes.iter().filter_map(|process| {
            let time = pick(process.run_when, process.state, process.stop_ms, process.start_ms)?;
            Some((process.name.clone(), time))
        });
        return own.collect();
    }
    let theirs = others.theirs.iter().filter(|(name, _)| name == member).flat_map(|(_, processes)| processes);
    let picked = theirs.filter_map(|process| {
        let time = pick(process.run_when, process.state, process.stop_ms, process.start_ms)?;
        Some((process.name.clone(), time))
    });
    picked.collect()
}

/// How long nobody acts when the role goes from one that stops these to one that starts those.
pub(super) fn gap(stops: &Programs, starts: &Programs) -> String {
    if stops.none() && starts.none() {
        return SHORT_GAP.to_owned();
    }
    match (stops.time.unwrap_or_default(), starts.time) {
        (stop, Some(start)) if stop + start < Duration::from_millis(100) => SHORT_GAP.to_owned(),
        (stop, Some(start)) => format!("Nobody acts for about {}.", short(stop + start)),
        (stop, None) => {
            let is = starts.verb("is", "are");
            let first = if stop.is_zero() { String::new() } else { format!("up to {}, then ", short(stop)) };
            format!("Nobody acts for {first}until {} {is} ready.", starts.named())
        }
    }
}

/// A length of time in whole seconds, below half a one in tenths; never less than it is.
pub(super) fn short(time: Duration) -> String {
    if time <= Duration::from_millis(500) {
        return format!("0.{} s", time.as_millis().div_ceil(100));
    }
    let whole = Duration::from_secs(u64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u64::MAX));
    lasting(whole)
}

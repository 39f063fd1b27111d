//! What the members tell each other of their processes: this one's as they travel, and the others' as they are shown.
//!
//! Ages do not travel: since when a process has its state is counted from when that was heard.

use std::time::Duration;

use crate::control::status;
use crate::link::{MAX_PROCESSES, RunState, RunsOn, Shown, ShownProcess};
use crate::negotiation::settings::Protection;
use crate::negotiation::time::Instant;
use crate::negotiation::view::{ForecastLine, Topic, View};

use super::gaps::millis;

/// What another member's screens show, and since when each of its processes has its state.
#[derive(Debug, Default)]
pub struct Theirs {
    pub shown: Shown,
    since: Vec<Instant>,
}

impl Theirs {
    /// It told something new. Returns what it had told before.
    pub fn heard(&mut self, now: Instant, shown: Shown) -> Shown {
        let as_before = |process: &ShownProcess| {
            let before = self.shown.processes.iter().zip(&self.since);
            let mut same = before
                .filter(|(one, _)| one.name == process.name && one.state == process.state && one.pid == process.pid);
            same.next().map(|(_, since)| *since)
        };
        let since = shown.processes.iter().map(|process| as_before(process).unwrap_or(now)).collect();
        self.since = since;
        std::mem::replace(&mut self.shown, shown)
    }

    /// The connection is down: nobody there sees what happens here. What ran there is remembered, because a plan for a
    /// silent member says what may be lost with it.
    pub fn gone(&mut self) {
        self.shown.attached.clear();
        self.shown.plan = None;
    }

    /// What only this member, `name`, knows against the forecast of `view`: that it could not fence the one which acts (U12).
    pub fn hold_against(&self, name: &str, view: &mut View) {
        let asks_for_it = view.protection.contains(&Protection::Fence);
        let forecast = &mut view.forecast;
        let (Some(fails), Some(acts)) = (&forecast.if_fails, &forecast.acts) else { return };
        let dead = self.shown.dead_devices.iter().any(|dead| dead == fails.as_str());
        if !asks_for_it || acts.as_str() != name || !dead {
            return;
        }
        let text = format!("{name} hears nothing from the fence device for {fails}");
        forecast.lines.push(ForecastLine { ok: false, about: Topic::Fence, text });
        (forecast.acts, forecast.ready, forecast.expected) = (None, false, None);
    }

    /// Its processes as the status shows them.
    pub fn processes(&self, now: Instant) -> Vec<status::PeerProcess> {
        let told = self.shown.processes.iter().zip(&self.since);
        told.map(|(process, since)| status::PeerProcess {
            name: process.name.clone(),
            state: state(process.state),
            pid: process.pid,
            run_when: run_when(process.runs_on),
            since_ms: millis(now.since(*since)),
            start_ms: process.start.map(millis),
            stop_ms: millis(process.stop),
        })
        .collect()
    }
}

/// This member's processes as they travel: not more than travel, those that move with the role first.
pub fn told(processes: &[status::Process]) -> Vec<ShownProcess> {
    let mut told: Vec<&status::Process> = processes.iter().collect();
    told.sort_by_key(|process| process.run_when != status::RunWhen::Primary);
    told.into_iter()
        .take(MAX_PROCESSES)
        .map(|process| ShownProcess {
            name: process.name.clone(),
            state: travelling(process.state),
            runs_on: match process.run_when {
                status::RunWhen::Always => RunsOn::Both,
                status::RunWhen::Primary => RunsOn::Primary,
                status::RunWhen::Secondary => RunsOn::Secondary,
            },
            pid: process.pid,
            stop: Duration::from_millis(process.stop_ms),
            start: process.start_ms.map(Duration::from_millis),
        })
        .collect()
}

fn run_when(runs_on: RunsOn) -> status::RunWhen {
    match runs_on {
        RunsOn::Both => status::RunWhen::Always,
        RunsOn::Primary => status::RunWhen::Primary,
        RunsOn::Secondary => status::RunWhen::Secondary,
    }
}

fn state(state: RunState) -> status::ProcessState {
    match state {
        RunState::Waits => status::ProcessState::Waits,
        RunState::Starting => status::ProcessState::Starting,
        RunState::Running => status::ProcessState::Running,
        RunState::Stopping => status::ProcessState::Stopping,
        RunState::Restarting => status::ProcessState::Restarting,
        RunState::Stopped => status::ProcessState::Stopped,
        RunState::GivenUp => status::ProcessState::GivenUp,
    }
}

fn travelling(state: status::ProcessState) -> RunState {
    match state {
        status::ProcessState::Waits => RunState::Waits,
        status::ProcessState::Starting => RunState::Starting,
        status::ProcessState::Running => RunState::Running,
        status::ProcessState::Stopping => RunState::Stopping,
        status::ProcessState::Restarting => RunState::Restarting,
        status::ProcessState::Stopped => RunState::Stopped,
        status::ProcessState::GivenUp => RunState::GivenUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::examples::{process, waiting};
    use crate::negotiation::member::Name;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn what_runs_there_is_told_with_its_times_and_its_age_counts_from_when_it_was_heard() {
        let own = [process("link-probe", status::RunWhen::Always), waiting("plant-control")];
        let travels = told(&own);
        assert_eq!(travels[0].name, "plant-control", "what moves with the role comes first");
        let mut theirs = Theirs::default();
        theirs.heard(at(10), Shown { processes: travels.clone(), ..Shown::default() });
        let mut changed = travels;
        changed[0].state = RunState::Running;
        changed[0].pid = Some(988);
        theirs.heard(at(20), Shown { processes: changed, ..Shown::default() });
        let shown = theirs.processes(at(25));
        let of = |name: &str| shown.iter().find(|one| one.name == name).expect("it is told");
        assert_eq!((of("plant-control").pid, of("plant-control").since_ms), (Some(988), 5_000));
        assert_eq!((of("link-probe").since_ms, of("link-probe").stop_ms), (15_000, 5_000));
        theirs.gone();
        assert_eq!(theirs.processes(at(25)).len(), 2, "a plan for a silent member says what may be lost with it");
    }

    #[test]
    fn u12_a_primary_is_not_ready_when_its_successor_could_not_fence_it() {
        let mut view = crate::control::examples::primary();
        let forecast_of = |view: &View| (view.forecast.ready, view.forecast.acts.clone());
        let (fails, acts) = (Name::new("alpha"), Name::new("beta"));
        (view.forecast.if_fails, view.forecast.acts, view.forecast.ready) = (Some(fails), Some(acts.clone()), true);
        let mut theirs = Theirs::default();
        theirs.heard(at(1), Shown { dead_devices: vec!["alpha".to_owned()], ..Shown::default() });
        view.protection = Vec::new();
        theirs.hold_against("beta", &mut view);
        assert_eq!(forecast_of(&view), (true, Some(acts.clone())), "nothing asks for fencing");
        view.protection = vec![Protection::Fence];
        theirs.hold_against("gamma", &mut view);
        assert_eq!(forecast_of(&view), (true, Some(acts)), "another would act");
        theirs.hold_against("beta", &mut view);
        assert_eq!(forecast_of(&view), (false, None));
        let last = view.forecast.lines.last().expect("a line");
        assert_eq!((last.ok, last.text.as_str()), (false, "beta hears nothing from the fence device for alpha"));
    }

    #[test]
    fn no_more_processes_travel_than_a_frame_holds() {
        let many: Vec<_> = (0..200).map(|at| process(&format!("p{at}"), status::RunWhen::Always)).collect();
        assert_eq!(told(&many).len(), MAX_PROCESSES);
    }
}

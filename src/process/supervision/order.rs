//! In which order processes stop and start: what must stop first, then what is to run, each in its turn.

use super::one::{Ending, One, State};
use super::{Supervision, Todo};
use crate::process::event::{Change, StopWay};
use crate::process::policy::Verdict;
use crate::process::snapshot::{RESTARTS_KEPT, Wanted};
use crate::process::time::BootTime;

impl Supervision {
    pub(super) fn wants(&self, one: &One) -> bool {
        self.mode_wants(one) && one.wanted == Wanted::ByMode
    }

    fn mode_wants(&self, one: &One) -> bool {
        !one.retired && self.target.wants(one.config.run_when)
    }

    /// Whether it is to start, and those after it wait for that.
    pub(super) fn has_turn(&self, one: &One) -> bool {
        self.wants(one) && one.state != State::GivenUp && (!one.passed || one.state == State::Off)
    }

    /// Whether something of what the target does not want is left.
    pub(super) fn must_stop(&self) -> bool {
        self.all.iter().any(|one| one.lives() && !self.mode_wants(one))
    }

    pub(super) fn after_death(&mut self, now: BootTime, at: usize) {
        let wanted = self.mode_wants(&self.all[at]);
        let one = &mut self.all[at];
        one.deaths_in_a_row = one.deaths_in_a_row.saturating_add(1);
        if !wanted || one.wanted == Wanted::StoppedByOperator {
            one.enter(now, State::Off);
            return;
        }
        match one.policy.died(now) {
            Verdict::Again { at: again } => {
                one.enter(now, State::Backoff(again));
                let change = Change::Restarting { after: again.since(now), deaths: one.deaths_in_a_row };
                self.todo.push(Todo::Tell(at, change));
            }
            Verdict::GivenUp { deaths } => {
                one.enter(now, State::GivenUp);
                one.passed = true;
                self.todo.push(Todo::Tell(at, Change::GivenUp { deaths }));
            }
        }
    }

    pub(super) fn ask_to_end(&mut self, now: BootTime, at: usize, kill_by: Option<BootTime>) {
        let one = &mut self.all[at];
        let kill_at = now + one.config.stop_grace;
        let kill_at = kill_by.map_or(kill_at, |by| kill_at.min(by));
        one.enter(now, State::Ending(Ending::Asked { at: now, kill_at, way: StopWay::ByItself }));
        self.todo.push(Todo::Tell(at, Change::Stopping));
        self.todo.push(Todo::Terminate(at));
    }

    fn launch(&mut self, now: BootTime, at: usize) {
        let one = &mut self.all[at];
        one.enter(now, State::Starting);
        one.launched_at = Some(now);
        self.todo.push(Todo::Launch(at));
    }

    /// What can be done now.
    pub(super) fn go_on(&mut self, now: BootTime) {
        // What died is started again by its own time, but nothing starts before what must stop has stopped.
        let must_stop = self.must_stop();
        if !must_stop {
            for at in 0..self.all.len() {
                let one = &self.all[at];
                if matches!(one.state, State::Backoff(until) if until <= now) && self.wants(one) && !one.barred {
                    let one = &mut self.all[at];
                    one.restarts.retain(|restart| now.since(*restart) < RESTARTS_KEPT);
                    one.restarts.push_back(now);
                    one.restarts_total += 1;
                    self.launch(now, at);
                }
            }
        }
        if must_stop {
            self.stop_next(now);
        } else {
            self.start_next(now);
        }
    }

    /// The last of the file that must stop is asked to, when nothing after it is still stopping. Under a deadline all of
    /// them are, at once: what takes its whole grace must not leave the others none.
    fn stop_next(&mut self, now: BootTime) {
        for at in (0..self.all.len()).rev() {
            let one = &self.all[at];
            if self.mode_wants(one) || !one.lives() {
                continue;
            }
            if !matches!(one.state, State::Ending(_)) {
                self.ask_to_end(now, at, self.kill_by);
            }
            if self.kill_by.is_none() {
                return;
            }
        }
    }

    /// The first of the file whose turn it is starts.
    fn start_next(&mut self, now: BootTime) {
        for at in 0..self.all.len() {
            let one = &self.all[at];
            if !self.has_turn(one) {
                continue;
            }
            if one.barred {
                return;
            }
            let turn = *self.all[at].turn.get_or_insert(now);
            let one = &self.all[at];
            if one.state == State::Off {
                self.launch(now, at);
                return;
            }
            if now.since(turn) < one.config.start_timeout {
                return;
            }
            self.all[at].passed = true;
        }
    }
}

//! Which process is to run now, and what is done next for it (P1, P2). Pure: facts and the time come in, orders and
//! events go out; it starts nothing and reads no clock.
//!
//! * What must stop stops first, one after the other, the last of the file first.
//! * Then what must start starts, in the order of the file, each when the one before it is ready, was given up, or has had
//!   its `start_timeout`.
//! * A process that dies by itself, or cannot be started, or is not ready in time, is started again by its [`Policy`],
//!   whatever the others do.
//! * What runs on the Primary only waits for the word of the controller after the guardian has killed it (P6).

mod one;
mod order;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::config::required::{ProcessConfig, RunWhen};

use super::event::{Change, Overdue, StopWay};
use super::messages::End;
use super::snapshot::{ProcessState, Wanted, is_proved};
use super::time::BootTime;

pub use one::One;
use one::{Ending, State};

/// For whom processes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nobody: the controller ends.
    Nothing,
    /// A Secondary.
    Secondary,
    /// A Primary that stops being one: what runs on a Primary only has to end, nothing of a Secondary's starts yet.
    Between,
    /// A Primary.
    Primary,
}

impl Target {
    fn wants(self, when: RunWhen) -> bool {
        match (self, when) {
            (Target::Nothing, RunWhen::Always | RunWhen::Primary | RunWhen::Secondary) => false,
            (Target::Secondary | Target::Between | Target::Primary, RunWhen::Always) => true,
            (Target::Primary, RunWhen::Primary) | (Target::Secondary, RunWhen::Secondary) => true,
            (Target::Secondary | Target::Between, RunWhen::Primary)
            | (Target::Primary | Target::Between, RunWhen::Secondary) => false,
        }
    }
}

/// What is to be done for the process of this index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Todo {
    /// Start it.
    Launch(usize),
    /// Ask it to end.
    Terminate(usize),
    /// Kill it with everything that it started.
    Kill(usize),
    /// Tell this.
    Tell(usize, Change),
}

/// An operator's word about one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is to run again, as the mode wants it.
    Start,
    /// It is to end, and stay so.
    Stop,
    /// It is to end and start again.
    Restart,
}

/// All required processes of one controller.
#[derive(Debug, Clone)]
pub struct Supervision {
    all: Vec<One>,
    target: Target,
    /// What stops because of the mode is killed then at the latest.
    kill_by: Option<BootTime>,
    todo: Vec<Todo>,
}

impl Supervision {
    /// Nothing runs, and nothing is to.
    pub fn new(configs: Vec<ProcessConfig>) -> Supervision {
        Supervision {
            all: configs.into_iter().map(One::new).collect(),
            target: Target::Nothing,
            kill_by: None,
            todo: Vec::new(),
        }
    }

    /// The processes, in the order of the file.
    pub fn all(&self) -> &[One] {
        &self.all
    }

    /// What the process of this index is doing.
    pub fn state(&self, at: usize) -> ProcessState {
        let Some(one) = self.all.get(at) else { return ProcessState::Stopped };
        match one.state {
            State::Off if self.wants(one) => ProcessState::Waiting,
            State::Off => ProcessState::Stopped,
            State::Starting => ProcessState::Starting,
            State::Running => ProcessState::Running,
            State::Ending(Ending::Asked { .. }) => ProcessState::Stopping,
            State::Ending(Ending::Died | Ending::Overdue) | State::Backoff(_) => ProcessState::Restarting,
            State::GivenUp => ProcessState::GivenUp,
        }
    }

    /// Whether nothing is left of a process that the file does not name any more.
    pub fn is_forgotten(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|one| one.retired && !one.lives())
    }

    /// The file was read again (U10): what it does not name any more ends, what is new in it starts, and of the rest only
    /// what is configured differently, in more than its times and its counting, ends and starts again. A process that is
    /// changed keeps its old configuration until it has ended, so that it is still known for what it may do.
    pub fn reload(&mut self, now: BootTime, configs: Vec<ProcessConfig>) {
        for at in 0..self.all.len() {
            let one = &mut self.all[at];
            let found = configs.iter().find(|config| *config.name == *one.name);
            one.retired = found.is_none();
            let changed = found.is_some_and(|new| one.reconfigure(new));
            if one.lives() {
                if changed && matches!(one.state, State::Starting | State::Running) {
                    self.ask_to_end(now, at, None);
                }
            } else {
                one.take_on();
                if (changed || one.retired) && matches!(one.state, State::Backoff(_) | State::GivenUp) {
                    one.policy.forget();
                    one.deaths_in_a_row = 0;
                    (one.passed, one.turn) = (false, None);
                    one.enter(now, State::Off);
                }
            }
        }
        let known = |name: &str| self.all.iter().any(|one| *one.name == *name);
        let new: Vec<One> = configs.into_iter().filter(|config| !known(&config.name)).map(One::new).collect();
        self.all.extend(new);
        self.go_on(now);
    }

    /// For whom processes run.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Whether nothing of what runs on the Primary only is left.
    pub fn primary_is_off(&self) -> bool {
        !self.all.iter().any(|one| one.config.run_when == RunWhen::Primary && one.lives())
    }

    /// Whether nothing is left at all.
    pub fn is_off(&self) -> bool {
        !self.all.iter().any(One::lives)
    }

    /// Whether everything that is to run has had its turn.
    pub fn order_is_through(&self) -> bool {
        !self.must_stop() && self.all.iter().all(|one| !self.wants(one) || one.passed)
    }

    /// Whether everything that runs on the Primary only is ready, as far as no operator stopped it.
    pub fn primary_is_ready(&self) -> bool {
        let ready = |one: &One| one.state == State::Running || one.wanted == Wanted::StoppedByOperator;
        self.target == Target::Primary
            && self.all.iter().filter(|one| !one.retired && one.config.run_when == RunWhen::Primary).all(ready)
    }

    /// Whether nothing is left of what the last reload ends, nor of what was asked to end before it: whatever stops from now
    /// on has the times of the file as it was read last.
    pub fn reload_is_through(&self) -> bool {
        let of_before = |one: &One| one.retired || one.next.is_some() || matches!(one.state, State::Ending(_));
        !self.all.iter().any(|one| one.lives() && of_before(one))
    }

    /// Takes what is to be done, in order.
    pub fn take(&mut self) -> Vec<Todo> {
        std::mem::take(&mut self.todo)
    }

    /// When [`Supervision::tick`] is wanted.
    pub fn next_deadline(&self) -> Option<BootTime> {
        let stopping = self.must_stop();
        let of = |one: &One| match &one.state {
            State::Backoff(until) => (!stopping && !one.barred && self.wants(one)).then_some(*until),
            State::Starting => one.launched_at.map(|at| at + one.config.start_timeout),
            State::Ending(Ending::Asked { kill_at, way: StopWay::ByItself, .. }) => Some(*kill_at),
            State::Ending(_) | State::Off | State::Running | State::GivenUp => None,
        };
        let next = self.all.iter().find(|one| self.has_turn(one)).filter(|one| !stopping && !one.barred);
        let turn = next.and_then(|one| one.turn.map(|turn| turn + one.config.start_timeout));
        self.all.iter().filter_map(of).chain(turn).min()
    }

    /// For whom processes run from now on. What has to stop because of it is killed at `kill_by` at the latest. Said
    /// again, it lets what the guardian killed start again.
    pub fn aim(&mut self, now: BootTime, target: Target, kill_by: Option<BootTime>) {
        let changed = self.target != target;
        self.target = target;
        self.kill_by = kill_by;
        for at in 0..self.all.len() {
            let wanted = self.wants(&self.all[at]);
            let one = &mut self.all[at];
            one.barred = false;
            if changed && !(wanted && one.state == State::Running) {
                one.passed = false;
                one.turn = None;
            }
            if !wanted && matches!(one.state, State::Backoff(_) | State::GivenUp) {
                one.policy.forget();
                one.enter(now, State::Off);
            }
            // A deadline that came later shortens what is under way.
            if let (Some(by), false) = (kill_by, wanted)
                && let State::Ending(Ending::Asked { kill_at, .. }) = &mut one.state
            {
                *kill_at = (*kill_at).min(by);
            }
        }
        self.go_on(now);
    }

    /// An operator's word.
    pub fn operate(&mut self, now: BootTime, at: usize, operation: Operation) {
        let Some(one) = self.all.get_mut(at) else { return };
        match operation {
            Operation::Stop => {
                one.wanted = Wanted::StoppedByOperator;
                if matches!(one.state, State::Backoff(_) | State::GivenUp) {
                    one.enter(now, State::Off);
                }
            }
            Operation::Start | Operation::Restart => {
                one.wanted = Wanted::ByMode;
                one.policy.forget();
                one.deaths_in_a_row = 0;
                one.turn = None;
                if matches!(one.state, State::Backoff(_) | State::GivenUp) {
                    one.enter(now, State::Off);
                }
            }
        }
        let alive = matches!(one.state, State::Starting | State::Running);
        if operation != Operation::Start && alive {
            self.ask_to_end(now, at, None);
        }
        self.go_on(now);
    }

    /// The trampoline has become the program.
    pub fn started(&mut self, now: BootTime, at: usize, pid: u32) {
        let Some(one) = self.all.get_mut(at) else { return };
        one.pid = Some(pid);
        one.started_at = Some(now);
        self.todo.push(Todo::Tell(at, Change::Started { pid }));
        if one.state == State::Starting && one.config.heartbeat.is_none() {
            self.ready(now, at);
        }
    }

    /// It is ready: it says so itself, or its heartbeat was answered for the first time.
    pub fn ready(&mut self, now: BootTime, at: usize) {
        let Some(one) = self.all.get_mut(at) else { return };
        if one.state != State::Starting {
            return;
        }
        one.enter(now, State::Running);
        one.ready_at = Some(now);
        one.passed = true;
        let after = one.launched_at.map_or(Duration::ZERO, |launched| now.since(launched));
        self.todo.push(Todo::Tell(at, Change::Ready { after }));
        self.go_on(now);
    }

    /// It could not be started, and nothing of it is left.
    pub fn failed(&mut self, now: BootTime, at: usize, why: &str) {
        let Some(one) = self.all.get_mut(at) else { return };
        one.last_end = Some(format!("failed: {why}").into());
        self.todo.push(Todo::Tell(at, Change::StartFailed { why: why.to_owned() }));
        if matches!(one.state, State::Starting | State::Running) {
            one.state = State::Ending(Ending::Died);
        }
        self.gone(now, at);
    }

    /// It ended; what it left behind may not have.
    pub fn exited(&mut self, now: BootTime, at: usize, end: End) {
        let Some(one) = self.all.get_mut(at) else { return };
        if is_proved(one.ready_at, one.config.heartbeat.is_some(), now) {
            one.deaths_in_a_row = 0;
        }
        one.pid = None;
        one.started_at = None;
        one.ready_at = None;
        match one.state {
            State::Starting | State::Running => {
                one.last_end = Some(end.to_string().into());
                one.enter(now, State::Ending(Ending::Died));
                self.todo.push(Todo::Tell(at, Change::Died { end }));
            }
            State::Ending(Ending::Asked { .. }) => one.last_end = Some(end.to_string().into()),
            // Why it was killed is known already, and says more than that it was.
            State::Ending(Ending::Died | Ending::Overdue) => {}
            State::Off | State::Backoff(_) | State::GivenUp => {}
        }
    }

    /// It has ended, and so has everything that it started.
    pub fn gone(&mut self, now: BootTime, at: usize) {
        let Some(one) = self.all.get_mut(at) else { return };
        (one.pid, one.started_at, one.ready_at, one.launched_at) = (None, None, None, None);
        one.take_on();
        match one.state.clone() {
            State::Ending(Ending::Asked { at: asked, way, .. }) => {
                one.enter(now, State::Off);
                one.passed = false;
                one.turn = None;
                self.todo.push(Todo::Tell(at, Change::Stopped { after: now.since(asked), way }));
            }
            State::Ending(Ending::Overdue) => {
                one.enter(now, State::Off);
                one.passed = false;
                one.turn = None;
            }
            State::Ending(Ending::Died) | State::Starting | State::Running => self.after_death(now, at),
            State::Off | State::Backoff(_) | State::GivenUp => {}
        }
        self.go_on(now);
    }

    /// The guardian killed it, so long after the deadline (P6). It waits for the controller's word.
    pub fn overdue(&mut self, now: BootTime, at: usize, late: Duration, overdue: Overdue) {
        let Some(one) = self.all.get_mut(at) else { return };
        one.barred = true;
        if matches!(one.state, State::Starting | State::Running | State::Ending(Ending::Died)) {
            one.enter(now, State::Ending(Ending::Overdue));
        }
        one.last_end = Some("killed by the guardian".into());
        self.todo.push(Todo::Tell(at, Change::KilledByGuardian { late, overdue }));
    }

    /// It has not answered its heartbeat for too long: it is killed, and that is a death as every other.
    pub fn silent(&mut self, now: BootTime, at: usize, silent_for: Duration) {
        let Some(one) = self.all.get_mut(at) else { return };
        if one.state == State::Running {
            one.last_end = Some(format!("did not answer for {:.1} s", silent_for.as_secs_f64()).into());
            one.enter(now, State::Ending(Ending::Died));
            self.todo.push(Todo::Tell(at, Change::Silent { silent_for }));
            self.todo.push(Todo::Kill(at));
        }
    }

    /// The guardian ended, and everything with it: what was to run runs again, in order.
    pub fn all_lost(&mut self, now: BootTime) {
        for one in &mut self.all {
            if one.lives() {
                (one.pid, one.started_at, one.ready_at, one.launched_at) = (None, None, None, None);
                one.take_on();
                one.last_end = Some("ended with the guardian".into());
                one.enter(now, State::Off);
                one.passed = false;
                one.turn = None;
            }
        }
        self.go_on(now);
    }

    /// The time has come.
    pub fn tick(&mut self, now: BootTime) {
        for at in 0..self.all.len() {
            let one = &mut self.all[at];
            let timeout = one.config.start_timeout;
            match &mut one.state {
                State::Ending(Ending::Asked { kill_at, way, .. }) if *kill_at <= now && *way == StopWay::ByItself => {
                    *way = StopWay::Killed;
                    self.todo.push(Todo::Kill(at));
                }
                State::Starting if one.launched_at.is_some_and(|launched| now.since(launched) >= timeout) => {
                    one.last_end = Some("not ready in time".into());
                    one.passed = true;
                    one.enter(now, State::Ending(Ending::Died));
                    self.todo.push(Todo::Tell(at, Change::NotReady { after: timeout }));
                    self.todo.push(Todo::Kill(at));
                }
                State::Off
                | State::Starting
                | State::Running
                | State::Ending(_)
                | State::Backoff(_)
                | State::GivenUp => {}
            }
        }
        self.go_on(now);
    }
}

#[cfg(test)]
mod reload_tests;

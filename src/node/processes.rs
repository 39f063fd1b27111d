//! The required processes in the loop: they follow the mode, their right to run is renewed in every turn (P6), what
//! becomes of them is journalled and shown, and operators' words reach them (P1, P2).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::required;
use crate::control::plan::Action;
use crate::control::request::Outcome;
use crate::control::status;
use crate::journal::Entry;
use crate::journal::entry::ProcessChange;
use crate::negotiation::exchange::Input;
use crate::negotiation::message::Mode;
use crate::negotiation::time::Instant;
use crate::process::event::{Change, HookOutcome, Overdue, StopWay};
use crate::process::heartbeat::{Beat, Pulse};
use crate::process::snapshot::Wanted;
use crate::process::{
    BootTime, Bound, Operation, ProcessEvent, ProcessSnapshot, ProcessState, Processes, Role, RoleMode, Ticket,
};

use super::engine::{Awaited, Engine, News};
use super::gaps::millis;

/// What the guardian did, and a hook that failed, are alarms for so long.
const LATELY: Duration = Duration::from_secs(600);

/// Lines of output that the status carries for each process.
const LINES: usize = 20;

/// The processes, and what the loop remembers of them.
pub struct Required {
    processes: Processes,
    renewed: Instant,
    /// Operators' words whose outcome is not known yet.
    asked: BTreeMap<Ticket, Awaited>,
    /// Who stopped which process last.
    stopped_by: BTreeMap<String, String>,
    killed: BTreeMap<String, Instant>,
    hooks_failed: BTreeMap<&'static str, (Instant, String)>,
}

impl Required {
    /// Nothing has happened yet.
    pub fn new(processes: Processes) -> Required {
        Required {
            processes,
            renewed: Instant::default(),
            asked: BTreeMap::new(),
            stopped_by: BTreeMap::new(),
            killed: BTreeMap::new(),
            hooks_failed: BTreeMap::new(),
        }
    }

    /// How long stopping what runs on the Primary only takes at worst.
    pub fn longest_stop(&self) -> Duration {
        match self.processes.bound_to_primary() {
            Bound::Something => self.processes.longest_stop(),
            Bound::Nothing => Duration::ZERO,
        }
    }

    /// Everything stops; what happens meanwhile goes to `tell`.
    pub async fn shutdown(self, events: &mut mpsc::Receiver<ProcessEvent>, mut tell: impl FnMut(Entry)) {
        self.processes.shutdown(events, |event| tell_entry(&event).into_iter().for_each(&mut tell)).await;
    }

    /// The hook `on_alarm` gets the alarm as the status JSON has it (U13).
    pub fn alarm(&self, alarm: &status::Alarm) {
        match serde_json::to_string(alarm) {
            Ok(json) => self.processes.alarm(json),
            Err(error) => tracing::error!(%error, "an alarm cannot be written as JSON"),
        }
    }

    /// How the processes stand.
    pub fn snapshots(&self) -> Arc<[ProcessSnapshot]> {
        self.processes.snapshots()
    }

    /// The processes as the status shows them.
    pub fn status(&self) -> Vec<status::Process> {
        let now = BootTime::now();
        let snapshots = self.processes.snapshots();
        let all = snapshots.iter().map(|one| {
            let mut process = shown(one, now);
            if process.state == status::ProcessState::Stopped {
                process.why = self.stopped_by.get(&process.name).map(|by| format!("by {by}"));
            }
            process
        });
        all.collect()
    }

    /// What the guardian killed lately.
    pub fn killed_lately(&mut self, now: Instant) -> Vec<String> {
        self.killed.retain(|_, at| now.since(*at) <= LATELY);
        self.killed.keys().cloned().collect()
    }

    /// The hooks whose last run failed lately, and how.
    pub fn hooks_failed_lately(&mut self, now: Instant) -> Vec<(String, String)> {
        self.hooks_failed.retain(|_, (at, _)| now.since(*at) <= LATELY);
        self.hooks_failed.iter().map(|(hook, (_, why))| ((*hook).to_owned(), why.clone())).collect()
    }
}

impl Engine {
    /// Whether processes and hooks can be exchanged now.
    pub(super) fn can_reload_processes(&self) -> bool {
        self.required.processes.can_reload()
    }

    /// Other processes and hooks from now on: only what is new, gone or changed starts and stops (U10).
    pub(super) fn reload_processes(
        &mut self,
        now: Instant,
        processes: Vec<required::ProcessConfig>,
        hooks: required::Hooks,
    ) {
        if !self.required.processes.reload(processes, hooks) {
            // It was asked before whether it can be.
            let text = "the changed processes could not be told apart from what runs: reload again".to_owned();
            self.note(Entry::Fault { part: "processes".to_owned(), text });
            return;
        }
        self.feed(now, Input::StopTime { longest: self.required.longest_stop() });
        // A Primary's right to run comes before its processes.
        self.renew_right(now);
    }

    /// The processes are told the mode that this member has now.
    pub(super) fn processes_follow(&mut self, now: Instant) {
        let view = self.negotiator.view(now);
        let mode = match view.mode {
            Mode::Primary => RoleMode::Primary,
            Mode::Secondary => RoleMode::Secondary,
        };
        let role = Role { mode, term: view.term.number, token: view.term.token(), reason: view.reason.text() };
        match mode {
            RoleMode::Primary => {
                // Its right to run comes first.
                self.renew_right(now);
                self.required.processes.become_primary(role);
            }
            RoleMode::Secondary => self.required.processes.become_secondary(role),
        }
    }

    /// What runs on the Primary only is to stop. True: nothing does, so it has stopped.
    pub(super) fn stop_serving(&mut self, by: Option<Instant>) -> bool {
        match self.required.processes.bound_to_primary() {
            Bound::Nothing => true,
            Bound::Something => {
                self.required.processes.stop_serving(by.map(|by| BootTime(self.clocks.since_boot(by))));
                false
            }
        }
    }

    /// P6: the loop turns, so what runs on the Primary only may go on for a while.
    pub(super) fn renew_right(&mut self, now: Instant) {
        if self.required.processes.bound_to_primary() == Bound::Nothing {
            return;
        }
        let Some(until) = self.negotiator.may_serve_until(now) else { return };
        self.required.renewed = now;
        if let Err(error) = self.required.processes.renew(BootTime(self.clocks.since_boot(until))) {
            let text = format!("the right to run cannot be renewed: {error}");
            self.note(Entry::Fault { part: "processes".to_owned(), text });
        }
    }

    /// When [`Engine::renew_right`] is wanted again: a fifth of what it grants, so that a turn which comes late harms
    /// nobody.
    pub(super) fn renewal_due(&self, now: Instant) -> Option<Instant> {
        let bound = self.required.processes.bound_to_primary() == Bound::Something;
        (bound && self.negotiator.may_serve_until(now).is_some())
            .then(|| self.required.renewed + self.facts.reply_timeout / 10)
    }

    /// An operator's confirmed word about a process.
    pub(super) fn operate_process(&mut self, name: &str, operation: Operation) {
        let Some(awaited) = self.awaited.take() else { return };
        match self.required.processes.operate(name, operation) {
            Some(ticket) => {
                match operation {
                    Operation::Stop => drop(self.required.stopped_by.insert(name.to_owned(), awaited.by.clone())),
                    Operation::Start | Operation::Restart => drop(self.required.stopped_by.remove(name)),
                }
                self.required.asked.insert(ticket, awaited);
            }
            None => self.answer(awaited, Err("too much is asked at once; nothing has been done".to_owned())),
        }
    }

    /// Something became of a process.
    pub(super) fn process_event(&mut self, now: Instant, event: ProcessEvent) {
        if let Some(entry) = tell_entry(&event) {
            self.note(entry);
        }
        match event {
            ProcessEvent::ServingStopped => self.feed(now, Input::ServingStopped),
            // N18: a successor is not kept waiting by what is gone.
            ProcessEvent::Reloaded { ticket } => {
                let before = self.required.longest_stop();
                self.required.processes.reloaded(ticket);
                let longest = self.required.longest_stop();
                if longest != before {
                    self.feed(now, Input::StopTime { longest });
                }
            }
            ProcessEvent::ServingReady | ProcessEvent::GuardianLost { .. } | ProcessEvent::Fault { .. } => {}
            ProcessEvent::Process { name, change } => {
                if let Change::KilledByGuardian { overdue, .. } = change {
                    match overdue {
                        Overdue::NotRenewed => drop(self.required.killed.insert(name.to_string(), now)),
                        // As it was meant: the role, and with it the time to stop, was over.
                        Overdue::StillStopping => {}
                    }
                    let view = self.negotiator.view(now);
                    if view.mode == Mode::Primary && view.stopping.is_none() && view.transition.is_none() {
                        // A stall too short for the role to be lost: they run again.
                        self.processes_follow(now);
                    }
                }
            }
            ProcessEvent::HookEnded { hook, outcome } => match hook_failure(&outcome) {
                Some(why) => drop(self.required.hooks_failed.insert(hook, (now, why))),
                None => drop(self.required.hooks_failed.remove(hook)),
            },
            ProcessEvent::Operated { ticket, outcome } => {
                if let Some(awaited) = self.required.asked.remove(&ticket) {
                    let after = millis(now.since(awaited.since));
                    let outcome = match outcome {
                        Ok(text) => Outcome::Done { text: format!("{text}, after {after} ms") },
                        Err(text) => Outcome::NotDone { text },
                    };
                    self.answer(awaited, Ok(outcome));
                }
            }
        }
        self.look_at_health(now);
        self.news = News::Urgent;
    }
}

/// The action as an operation on a process; none: it is none.
pub fn operation(action: &Action) -> Option<(&str, Operation)> {
    match action {
        Action::RestartProcess { name } => Some((name, Operation::Restart)),
        Action::StopProcess { name } => Some((name, Operation::Stop)),
        Action::StartProcess { name } => Some((name, Operation::Start)),
        Action::TakeOver
        | Action::StepDown
        | Action::Hold { .. }
        | Action::Resume
        | Action::Fence { .. }
        | Action::IsOff { .. }
        | Action::Shutdown => None,
    }
}

fn shown(one: &ProcessSnapshot, now: BootTime) -> status::Process {
    let to_run = one.wanted == Wanted::ByMode;
    let state = match one.state {
        ProcessState::Stopped if to_run => status::ProcessState::Waits,
        ProcessState::Stopped => status::ProcessState::Stopped,
        ProcessState::Waiting | ProcessState::Starting => status::ProcessState::Starting,
        ProcessState::Running => status::ProcessState::Running,
        ProcessState::Stopping => status::ProcessState::Stopping,
        ProcessState::Restarting => status::ProcessState::Restarting,
        ProcessState::GivenUp => status::ProcessState::GivenUp,
    };
    let why = match one.state {
        ProcessState::Waiting => Some("waits for what starts before it".to_owned()),
        ProcessState::Starting | ProcessState::Restarting | ProcessState::GivenUp => {
            one.last_end.as_ref().map(ToString::to_string)
        }
        ProcessState::Running => unanswered(&one.beat),
        ProcessState::Stopped | ProcessState::Stopping => None,
    };
    status::Process {
        name: one.name.to_string(),
        pid: one.pid,
        state,
        since_ms: millis(now.since(one.since)),
        uptime_ms: one.started_at.map(|at| millis(now.since(at))),
        restarts_30s: one.restarts_30s(now),
        restarts: one.restarts_total,
        response_ms: one.beat.response().map(|response| response.as_secs_f64() * 1000.0),
        memory_pct: None,
        cpu_pct: None,
        counts: one.counts,
        run_when: match one.run_when {
            required::RunWhen::Always => status::RunWhen::Always,
            required::RunWhen::Primary => status::RunWhen::Primary,
            required::RunWhen::Secondary => status::RunWhen::Secondary,
        },
        heartbeat: one.heartbeat.as_ref().map(|heartbeat| heartbeat.kind.word().to_owned()),
        period_ms: one.heartbeat.as_ref().map(|heartbeat| millis(heartbeat.period)),
        start_ms: one.start_took.map(millis),
        stop_ms: millis(one.stop_grace),
        why,
        next_start_ms: one.restart_at.map(|at| millis(at.since(now))),
        output: one.output.last(LINES).iter().map(ToString::to_string).collect(),
    }
}

/// Why a process that runs is not as it should be: it does not answer.
fn unanswered(beat: &Beat) -> Option<String> {
    let known = beat.known();
    match (known.failed, known.pulse) {
        (Some(why), _) => Some(format!("answers its heartbeat badly: {why}")),
        (None, Some(Pulse::Waiting { waited, .. })) => Some(format!("has not answered for {}", seconds(waited))),
        (None, Some(Pulse::Answers { .. }) | None) => None,
    }
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// The event as the journal keeps it; none: it is told otherwise.
fn tell_entry(event: &ProcessEvent) -> Option<Entry> {
    let entry = |process: &str, change, text| Some(Entry::Process { process: process.to_owned(), change, text });
    match event {
        ProcessEvent::Process { name, change } => {
            let (word, text) = change_words(name, change);
            entry(name, word, text)
        }
        ProcessEvent::HookEnded { hook, outcome } => match (hook_failure(outcome), outcome) {
            (None, HookOutcome::Done { after }) => {
                entry(hook, ProcessChange::HookDone, format!("the hook {hook} is done, after {}", seconds(*after)))
            }
            (why, _) => {
                let why = why.unwrap_or_default();
                entry(hook, ProcessChange::HookFailed, format!("the hook {hook} failed: {why}"))
            }
        },
        ProcessEvent::GuardianLost { why } => {
            let text = format!("the guardian of the processes ended ({why}); all of them are started again");
            Some(Entry::Fault { part: "processes".to_owned(), text })
        }
        ProcessEvent::Fault { text } => Some(Entry::Fault { part: "processes".to_owned(), text: text.clone() }),
        ProcessEvent::ServingReady
        | ProcessEvent::ServingStopped
        | ProcessEvent::Operated { .. }
        | ProcessEvent::Reloaded { .. } => None,
    }
}

fn hook_failure(outcome: &HookOutcome) -> Option<String> {
    match outcome {
        HookOutcome::Done { .. } => None,
        HookOutcome::Failed { end, said: None } => Some(end.to_string()),
        HookOutcome::Failed { end, said: Some(said) } => Some(format!("{end}, saying {said:?}")),
        HookOutcome::NotStarted { why } => Some(why.clone()),
        HookOutcome::TimedOut { after } => Some(format!("killed after {}", seconds(*after))),
    }
}

fn change_words(name: &str, change: &Change) -> (ProcessChange, String) {
    match change {
        Change::Started { pid } => (ProcessChange::Started, format!("{name} was started, pid {pid}")),
        Change::Ready { after } => (ProcessChange::Ready, format!("{name} is ready, after {}", seconds(*after))),
        Change::NotReady { after } => {
            (ProcessChange::StartFailed, format!("{name} was not ready within {}; it is killed", seconds(*after)))
        }
        Change::StartFailed { why } => (ProcessChange::StartFailed, format!("{name} cannot be started: {why}")),
        Change::Died { end } => (ProcessChange::Died, format!("{name} ended: {end}")),
        Change::Restarting { after, deaths } => {
            let often = if *deaths > 1 { format!(", {deaths} times in a row") } else { String::new() };
            (ProcessChange::Restarting, format!("{name} is started again in {}{often}", seconds(*after)))
        }
        Change::GivenUp { deaths } => (
            ProcessChange::GivenUp,
            format!("{name} ended {deaths} times and is given up; start it: tandem start {name}"),
        ),
        Change::Stopping => (ProcessChange::Stopping, format!("{name} was asked to stop")),
        Change::Stopped { after, way: StopWay::ByItself } => {
            (ProcessChange::Stopped, format!("{name} has stopped, after {}", seconds(*after)))
        }
        Change::Stopped { after, way: StopWay::Killed } => {
            (ProcessChange::Killed, format!("{name} did not stop in its grace; killed, after {}", seconds(*after)))
        }
        Change::KilledByGuardian { late, overdue } => {
            let why = match overdue {
                Overdue::NotRenewed => "the controller stood still",
                Overdue::StillStopping => "it had been asked to stop, and there was no more time",
            };
            let text = format!("the guardian killed {name}, {} after its right to run was over: {why}", seconds(*late));
            (ProcessChange::Killed, text)
        }
        Change::Silent { silent_for } => {
            (ProcessChange::Killed, format!("{name} has not answered for {}; it is killed", seconds(*silent_for)))
        }
    }
}

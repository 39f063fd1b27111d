//! What the runner tells: snapshots, events, and operators what came of their words.

use std::sync::Arc;

use crate::config::required::RunWhen;
use crate::process::event::{Change, ProcessEvent};
use crate::process::hooks::Hook;
use crate::process::messages::LaunchId;
use crate::process::snapshot::{ProcessSnapshot, ProcessState};
use crate::process::supervision::{Operation, Supervision};

use super::{Runner, Waiting};

impl Runner {
    pub(super) fn answer_operators(&mut self) {
        let supervision = &self.supervision;
        let measured = &self.measured;
        let waiting = std::mem::take(&mut self.waiting);
        for one in waiting {
            match outcome(supervision, measured[one.at].launch, &one) {
                Some(outcome) => self.told.push(ProcessEvent::Operated { ticket: one.ticket, outcome }),
                None => self.waiting.push(one),
            }
        }
    }

    /// U10: tells when what a reload ended is gone, hooks included, which go on as they were configured before.
    pub(super) fn answer_reload(&mut self) {
        let hook = self.hooks.has(Hook::OnPrimary) || self.hooks.has(Hook::OnSecondary);
        if !hook
            && self.supervision.reload_is_through()
            && let Some(ticket) = self.reload.take()
        {
            self.told.push(ProcessEvent::Reloaded { ticket });
        }
    }

    pub(super) fn tell(&mut self, at: usize, change: Change) {
        if let Change::Ready { after } = &change {
            self.measured[at].start_took = Some(*after);
        }
        let name = Arc::clone(self.supervision.all()[at].name());
        self.told.push(ProcessEvent::Process { name, change });
    }

    /// Tells what happened, and shows how things stand.
    pub(super) async fn publish(&mut self) {
        let snapshots = self.supervision.all().iter().zip(&self.measured).enumerate();
        let snapshots: Arc<[ProcessSnapshot]> = snapshots
            .filter(|(at, _)| !self.supervision.is_forgotten(*at))
            .map(|(at, (one, measured))| {
                let (restarts, restarts_total) = one.restarts();
                ProcessSnapshot {
                    name: Arc::clone(one.name()),
                    run_when: one.config().run_when,
                    counts: one.config().counts,
                    heartbeat: one.config().heartbeat.clone(),
                    stop_grace: one.config().stop_grace,
                    state: self.supervision.state(at),
                    since: one.since(),
                    wanted: one.wanted(),
                    launch: measured.launch,
                    pid: one.started().map(|(pid, _)| pid),
                    started_at: one.started().map(|(_, at)| at),
                    ready_at: one.ready_at(),
                    start_took: measured.start_took,
                    restarts,
                    restarts_total,
                    failed_restarts: one.failed_restarts(),
                    last_end: one.last_end().cloned(),
                    restart_at: one.restart_at(),
                    beat: measured.beat.clone(),
                    output: measured.tail.clone(),
                }
            })
            .collect();
        self.snapshots.send_replace(snapshots);
        for event in std::mem::take(&mut self.told) {
            // Nobody listens any more: the controller ends.
            drop(self.events.send(event).await);
        }
    }
}

/// What came of an operator's word; none: it is not decided yet.
fn outcome(supervision: &Supervision, launch: Option<LaunchId>, waiting: &Waiting) -> Option<Result<String, String>> {
    let one = &supervision.all()[waiting.at];
    let name = one.name();
    let state = supervision.state(waiting.at);
    match (waiting.operation, state) {
        (Operation::Stop, ProcessState::Stopped) => {
            Some(Ok(format!("{name} has stopped, and stays so until it is started")))
        }
        (Operation::Stop, _) => None,
        (Operation::Start | Operation::Restart, ProcessState::Running)
            if waiting.operation == Operation::Start || launch.is_some_and(|launch| launch >= waiting.from) =>
        {
            let pid = one.started().map_or_else(String::new, |(pid, _)| format!(", pid {pid}"));
            Some(Ok(format!("{name} is running{pid}")))
        }
        (Operation::Start | Operation::Restart, ProcessState::Stopped) => {
            let when = match one.config().run_when {
                RunWhen::Always => "when the controller runs".to_owned(),
                RunWhen::Primary => "once this member is Primary".to_owned(),
                RunWhen::Secondary => "once this member is Secondary".to_owned(),
            };
            Some(Ok(format!("{name} will run {when}")))
        }
        (Operation::Start | Operation::Restart, ProcessState::Restarting | ProcessState::GivenUp) => {
            let why = one.last_end().map_or_else(|| "it ended".to_owned(), |end| end.to_string());
            Some(Err(format!("{name} does not run: {why}")))
        }
        (
            Operation::Start | Operation::Restart,
            ProcessState::Running | ProcessState::Starting | ProcessState::Stopping | ProcessState::Waiting,
        ) => None,
    }
}

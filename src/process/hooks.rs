//! The commands that are run on transitions (P2): one at a time, each with its deadline, after which all of it is killed.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::HookOutcome;
use super::messages::{End, LaunchId, Right};
use super::output::Tail;
use super::role::Role;
use super::time::BootTime;

/// Alarms that wait for their turn; of more the oldest are left out.
const WAITING: usize = 16;

/// Which hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// This member has become Primary, and its processes are ready.
    OnPrimary,
    /// It leaves that role, or has started.
    OnSecondary,
    /// An alarm was raised.
    OnAlarm,
}

impl Hook {
    /// Its key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Hook::OnPrimary => "on_primary",
            Hook::OnSecondary => "on_secondary",
            Hook::OnAlarm => "on_alarm",
        }
    }

    /// On what its right to run rests: what an `on_primary` does, a Primary does.
    pub fn right(self) -> Right {
        match self {
            Hook::OnPrimary => Right::Primary,
            Hook::OnSecondary | Hook::OnAlarm => Right::Controller,
        }
    }
}

/// A hook that is to run.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which.
    pub hook: Hook,
    /// What it is told of the role.
    pub role: Role,
    /// Its standard input.
    pub input: Vec<u8>,
}

/// The hook that runs.
#[derive(Debug)]
pub struct RunningHook {
    /// Which.
    pub hook: Hook,
    /// Its number.
    pub launch: LaunchId,
    since: BootTime,
    deadline: BootTime,
    timed_out: bool,
    end: Option<End>,
    output: Tail,
}

/// Hooks, one after the other.
#[derive(Debug, Default)]
pub struct HookQueue {
    waiting: VecDeque<Call>,
    running: Option<RunningHook>,
}

impl HookQueue {
    /// Puts a hook behind those that wait.
    pub fn call(&mut self, call: Call) {
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(call);
    }

    /// The next to run, when none runs.
    pub fn take_next(&mut self) -> Option<Call> {
        if self.running.is_some() { None } else { self.waiting.pop_front() }
    }

    /// It was started.
    pub fn started(&mut self, hook: Hook, launch: LaunchId, now: BootTime, timeout: Duration, output: Tail) {
        self.running = Some(RunningHook {
            hook,
            launch,
            since: now,
            deadline: now + timeout,
            timed_out: false,
            end: None,
            output,
        });
    }

    /// The one that runs.
    pub fn running(&self) -> Option<&RunningHook> {
        self.running.as_ref()
    }

    /// Whether this hook runs, or is to.
    pub fn has(&self, hook: Hook) -> bool {
        self.running.as_ref().is_some_and(|running| running.hook == hook)
            || self.waiting.iter().any(|call| call.hook == hook)
    }

    /// Forgets calls of this hook that wait.
    pub fn forget(&mut self, hook: Hook) {
        self.waiting.retain(|call| call.hook != hook);
    }

    /// When [`HookQueue::tick`] is wanted.
    pub fn next_deadline(&self) -> Option<BootTime> {
        self.running.as_ref().filter(|running| !running.timed_out).map(|running| running.deadline)
    }

    /// The time has come: the hook to be killed, if its deadline is over.
    pub fn tick(&mut self, now: BootTime) -> Option<LaunchId> {
        let running = self.running.as_mut().filter(|running| !running.timed_out && running.deadline <= now)?;
        running.timed_out = true;
        Some(running.launch)
    }

    /// The hook's own process ended.
    pub fn exited(&mut self, end: End) {
        if let Some(running) = &mut self.running {
            running.end = Some(end);
        }
    }

    /// Nothing of the hook is left, or, with a reason, it was not started.
    pub fn gone(&mut self, now: BootTime, failed: Option<String>) -> Option<(&'static str, HookOutcome)> {
        let running = self.running.take()?;
        let after = now.since(running.since);
        let said = running.output.last(1).pop().map(|line| line.to_string());
        let outcome = match (failed, running.timed_out, running.end) {
            (Some(why), _, _) => HookOutcome::NotStarted { why },
            (None, true, _) => HookOutcome::TimedOut { after: running.deadline.since(running.since) },
            (None, false, Some(end)) if end.is_success() => HookOutcome::Done { after },
            (None, false, end) => HookOutcome::Failed { end: end.unwrap_or(End::Signal(9)), said },
        };
        Some((running.hook.key(), outcome))
    }
}

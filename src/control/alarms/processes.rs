//! What is wrong with the required processes and the hooks (P1–P3, P6), and with what the health makes of them.

use crate::control::status::{Process, ProcessState};

use super::Stands;
use super::words::{Words, words};

/// Something that is wrong with what runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessAlarm {
    /// It ended too often, and is not started again by itself.
    GivenUp {
        /// Which.
        process: String,
        /// How it ended last.
        why: Option<String>,
    },
    /// It was restarted, and ended again before it was ready.
    DoesNotStart {
        /// Which.
        process: String,
        /// How it ended last.
        why: Option<String>,
    },
    /// It runs, and does not answer its heartbeat.
    DoesNotAnswer {
        /// Which.
        process: String,
    },
    /// An operator stopped it, and it is still stopped.
    StoppedByHand {
        /// Which.
        process: String,
        /// By whom, where known: "by ops".
        by: Option<String>,
    },
    /// P6: the guardian stopped what this controller had not renewed the right for.
    KilledByGuardian {
        /// Which.
        processes: Vec<String>,
    },
    /// A hook failed.
    HookFailed {
        /// Its key: `on_primary`.
        hook: String,
        /// How.
        why: String,
    },
}

impl ProcessAlarm {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            ProcessAlarm::GivenUp { .. } => "process_given_up",
            ProcessAlarm::DoesNotStart { .. } => "process_does_not_start",
            ProcessAlarm::DoesNotAnswer { .. } => "process_does_not_answer",
            ProcessAlarm::StoppedByHand { .. } => "process_stopped",
            ProcessAlarm::KilledByGuardian { .. } => "killed_by_guardian",
            ProcessAlarm::HookFailed { .. } => "hook_failed",
        }
    }

    /// Whether it is still so.
    pub(super) fn stands(&self) -> Stands {
        match self {
            ProcessAlarm::GivenUp { .. }
            | ProcessAlarm::DoesNotStart { .. }
            | ProcessAlarm::DoesNotAnswer { .. }
            | ProcessAlarm::StoppedByHand { .. } => Stands::Now,
            ProcessAlarm::KilledByGuardian { .. } | ProcessAlarm::HookFailed { .. } => Stands::Over,
        }
    }

    /// What it is about, where there may be several; none: there is one at most.
    pub(super) fn about(&self) -> Option<&str> {
        match self {
            ProcessAlarm::GivenUp { process, .. }
            | ProcessAlarm::DoesNotStart { process, .. }
            | ProcessAlarm::DoesNotAnswer { process }
            | ProcessAlarm::StoppedByHand { process, .. } => Some(process),
            ProcessAlarm::HookFailed { hook, .. } => Some(hook),
            ProcessAlarm::KilledByGuardian { .. } => None,
        }
    }

    pub(super) fn words(&self) -> Words {
        let ended = |why: &Option<String>| why.as_deref().map_or(String::new(), |why| format!(": {why}"));
        match self {
            ProcessAlarm::GivenUp { process, why } => words(
                format!("{process} is given up{}", ended(why)),
                "Read its last lines: 9 on the screen, then Enter.".to_owned(),
                &[format!("Mend why it ends, then: tandem start {process}.")],
                "start it over and over: each end makes the health fall again.",
            ),
            ProcessAlarm::DoesNotStart { process, why } => words(
                format!("{process} does not start{}", ended(why)),
                "Read its last lines: 9 on the screen, then Enter.".to_owned(),
                &["It is tried again by itself, and given up after a while.".to_owned()],
                "restart the controller for it: the reason is in the process.",
            ),
            ProcessAlarm::DoesNotAnswer { process } => words(
                format!("{process} runs and does not answer its heartbeat"),
                "Read its last lines: 9 on the screen, then Enter. Is the machine busy?".to_owned(),
                &[format!("If it hangs: tandem restart {process}.")],
                "take it for healthy because it has a pid.",
            ),
            ProcessAlarm::StoppedByHand { process, by } => words(
                format!("{process} was stopped {}", by.as_deref().unwrap_or("by an operator")),
                format!("When the work on it is over: tandem start {process}."),
                &["It stays stopped until then, or until this controller starts anew.".to_owned()],
                "count on this member as if all of it ran.",
            ),
            ProcessAlarm::KilledByGuardian { processes } => words(
                format!("the guardian stopped {}: the controller stood still", processes.join(", ")),
                "Find out what held it up: a frozen machine, swap, a debugger?".to_owned(),
                &["They run again when this member may act.".to_owned()],
                "make the timeouts longer before the reason is known.",
            ),
            ProcessAlarm::HookFailed { hook, why } => words(
                format!("the hook {hook} failed: {why}"),
                "Read what it said: tandem events --since 1h.".to_owned(),
                &["What it was to do is not done: do it by hand, and mend the hook.".to_owned()],
                "move the role back and forth to run it again.",
            ),
        }
    }
}

/// What is wrong with the processes themselves; what lasts first.
pub(super) fn find(processes: &[Process]) -> Vec<ProcessAlarm> {
    let mut found: Vec<ProcessAlarm> = Vec::new();
    for process in processes {
        let name = || process.name.clone();
        match process.state {
            ProcessState::GivenUp => {
                found.push(ProcessAlarm::GivenUp { process: name(), why: process.why.clone() });
            }
            ProcessState::Restarting | ProcessState::Starting if process.restarts_30s > 1 => {
                found.push(ProcessAlarm::DoesNotStart { process: name(), why: process.why.clone() });
            }
            ProcessState::Running if process.why.is_some() => {
                found.push(ProcessAlarm::DoesNotAnswer { process: name() });
            }
            ProcessState::Stopped => {
                found.push(ProcessAlarm::StoppedByHand { process: name(), by: process.why.clone() });
            }
            ProcessState::Running
            | ProcessState::Restarting
            | ProcessState::Starting
            | ProcessState::Stopping
            | ProcessState::Waits => {}
        }
    }
    found.sort_by_key(|alarm| !matches!(alarm, ProcessAlarm::GivenUp { .. }));
    found
}

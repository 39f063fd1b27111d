//! What the required processes tell the controller.

use std::sync::Arc;
use std::time::Duration;

use super::messages::End;

/// Numbers the words of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessEvent {
    /// Everything that runs on the Primary only was started in its order, and the hook was told: the controller serves as
    /// well as it can. What is not ready is in the snapshots.
    ServingReady,
    /// Everything that runs on the Primary only has stopped.
    ServingStopped,
    /// One process changed.
    Process {
        /// Its name.
        name: Arc<str>,
        /// How.
        change: Change,
    },
    /// A hook ended.
    HookEnded {
        /// Its key: `on_primary`.
        hook: &'static str,
        /// How.
        outcome: HookOutcome,
    },
    /// What came of an operator's word.
    Operated {
        /// Which word: as [`super::Processes::operate`] returned it.
        ticket: Ticket,
        /// A sentence without a full stop.
        outcome: Result<String, String>,
    },
    /// What a reload ends has ended (U10).
    Reloaded {
        /// Which reload: it goes to [`super::Processes::reloaded`].
        ticket: Ticket,
    },
    /// The guardian ended, which it never does by itself. What it had started was killed, all of it is gone unless `why` says
    /// otherwise, and it is started again.
    GuardianLost {
        /// What is known of it, as a sentence without a full stop.
        why: String,
    },
    /// Something that should work does not.
    Fault {
        /// What, as a sentence without a full stop.
        text: String,
    },
}

/// Why a process still ran when its right to run was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// The controller had not renewed it: it stood still.
    NotRenewed,
    /// It had been asked to stop, and there was no time to wait for it.
    StillStopping,
}

/// What happened to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was started.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// It is ready.
    Ready {
        /// So long after its start.
        after: Duration,
    },
    /// It was not ready within `start_timeout`, and is started again.
    NotReady {
        /// The timeout.
        after: Duration,
    },
    /// It could not be started.
    StartFailed {
        /// Why.
        why: String,
    },
    /// It ended by itself.
    Died {
        /// How.
        end: End,
    },
    /// It will be started again.
    Restarting {
        /// After this pause.
        after: Duration,
        /// So many deaths lately.
        deaths: u32,
    },
    /// It is not started again by itself.
    GivenUp {
        /// So many deaths within `restart.within`.
        deaths: u32,
    },
    /// It was asked to end.
    Stopping,
    /// It has ended as it was asked, and everything that it had started.
    Stopped {
        /// So long after it was asked.
        after: Duration,
        /// How it ended.
        way: StopWay,
    },
    /// The guardian killed it, because its right to run was over (P6).
    KilledByGuardian {
        /// So long after the deadline.
        late: Duration,
        /// What had kept it running until then.
        overdue: Overdue,
    },
    /// It does not answer its heartbeat, and is started again.
    Silent {
        /// For so long.
        silent_for: Duration,
    },
}

/// How a process stopped that was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopWay {
    /// By itself, after SIGTERM.
    ByItself,
    /// It was killed when its grace was over.
    Killed,
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookOutcome {
    /// With exit status 0.
    Done {
        /// So long after its start.
        after: Duration,
    },
    /// Otherwise.
    Failed {
        /// How.
        end: End,
        /// The last line that it wrote.
        said: Option<String>,
    },
    /// It could not be started.
    NotStarted {
        /// Why.
        why: String,
    },
    /// It was killed at its deadline.
    TimedOut {
        /// The deadline.
        after: Duration,
    },
}

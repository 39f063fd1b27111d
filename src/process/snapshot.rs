//! The required processes as others may look at them: immutable values, made anew when something changed.

use std::sync::Arc;
use std::time::Duration;

use crate::config::required::{HeartbeatConfig, RunWhen};

use super::heartbeat::Beat;
use super::messages::LaunchId;
use super::output::Tail;
use super::time::BootTime;

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// It does not run, and is not to: the mode does not want it, or an operator stopped it.
    Stopped,
    /// It is to run, and waits for what comes before it.
    Waiting,
    /// It was started and is not ready yet.
    Starting,
    /// It runs, and is ready.
    Running,
    /// It was told to end, or is being killed.
    Stopping,
    /// It died, and is started again after a pause.
    Restarting,
    /// It died too often and is not started again by itself.
    GivenUp,
}

impl ProcessState {
    /// The word of the JSON and the screen.
    pub fn word(self) -> &'static str {
        match self {
            ProcessState::Stopped => "stopped",
            ProcessState::Waiting => "waiting",
            ProcessState::Starting => "starting",
            ProcessState::Running => "running",
            ProcessState::Stopping => "stopping",
            ProcessState::Restarting => "restarting",
            ProcessState::GivenUp => "given up",
        }
    }
}

/// Who ended it last, when nobody but an operator may start it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It is to run while the mode wants it.
    ByMode,
    /// An operator stopped it: it stays so until an operator starts it.
    StoppedByOperator,
}

/// One required process at one moment.
#[derive(Debug, Clone)]
pub struct ProcessSnapshot {
    /// Its name.
    pub name: Arc<str>,
    /// When it runs.
    pub run_when: RunWhen,
    /// Whether it counts for the health (H6).
    pub counts: bool,
    /// How it is asked whether it lives, and how often.
    pub heartbeat: Option<HeartbeatConfig>,
    /// How long it may take to stop before it is killed.
    pub stop_grace: Duration,
    /// What it is doing.
    pub state: ProcessState,
    /// Since when.
    pub since: BootTime,
    /// Whether an operator stopped it.
    pub wanted: Wanted,
    /// Its number of this start, while something of it runs.
    pub launch: Option<LaunchId>,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// When it was started, while it runs.
    pub started_at: Option<BootTime>,
    /// When it was ready, while it runs.
    pub ready_at: Option<BootTime>,
    /// How long it took from its last start until it was ready; none: it never was.
    pub start_took: Option<Duration>,
    /// Restarts after a death, in the last [`RESTARTS_KEPT`], oldest first.
    pub restarts: Arc<[BootTime]>,
    /// Restarts after a death since the controller started.
    pub restarts_total: u64,
    /// Restarts in a row that did not help: it died again before it had proved that it lives.
    pub failed_restarts: u32,
    /// How it ended last, or why it could not be started; none: it never did.
    pub last_end: Option<Arc<str>>,
    /// When the next restart is due.
    pub restart_at: Option<BootTime>,
    /// Its heartbeat, which goes on without a new snapshot.
    pub beat: Beat,
    /// What it wrote last.
    pub output: Tail,
}

/// How long a restart is remembered in a snapshot: longer than any figure looks back.
pub const RESTARTS_KEPT: Duration = Duration::from_secs(120);

/// A process without a heartbeat has proved that it lives when it has not died for so long.
const PROOF: Duration = Duration::from_secs(1);

/// Whether one that was ready at `ready_at` has proved by `now` that it lives: an answer is proof, mere life only after a
/// while.
pub(super) fn is_proved(ready_at: Option<BootTime>, has_heartbeat: bool, now: BootTime) -> bool {
    ready_at.is_some_and(|ready| has_heartbeat || now.since(ready) >= PROOF)
}

impl ProcessSnapshot {
    /// H6: given up, or still down after its first failed restart.
    pub fn is_kept_down(&self, now: BootTime) -> bool {
        let proved = is_proved(self.ready_at, self.heartbeat.is_some(), now);
        self.state == ProcessState::GivenUp || (self.failed_restarts > 0 && !proved)
    }

    /// Restarts after a death in the last 30 s (H2).
    pub fn restarts_30s(&self, now: BootTime) -> u32 {
        let lately = self.restarts.iter().filter(|at| now.since(**at) < Duration::from_secs(30)).count();
        u32::try_from(lately).unwrap_or(u32::MAX)
    }
}

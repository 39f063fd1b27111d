//! What runs here, as the status tells of it: the required processes (P1), and the health that follows from them (H1).

use serde::{Deserialize, Serialize};

/// Total Health Score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// 0…1.
    pub total: f64,
    /// Below this it is sick.
    pub threshold: f64,
    /// What it is made of; empty while nothing is measured.
    pub sub: Vec<SubHealth>,
}

/// One sub-health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubHealth {
    /// Its name: `restarts`, `response_time`, `memory`, or that of a check.
    pub name: String,
    /// 0…1.
    pub status: f64,
    /// Its share: all of them together are 1.
    pub weight: f64,
    /// Status × weight.
    pub score: f64,
    /// What was measured.
    pub measured: f64,
    /// In which unit.
    pub unit: String,
    /// Why it is below 1, in a few words; none where the figure says it.
    pub why: Option<String>,
}

/// A required process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its pid while it runs.
    pub pid: Option<u32>,
    /// How it stands.
    pub state: ProcessState,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// How long it has run.
    pub uptime_ms: Option<u64>,
    /// Restarts in the last 30 s.
    pub restarts_30s: u32,
    /// Restarts since this controller started.
    pub restarts: u64,
    /// Response time of its heartbeat.
    pub response_ms: Option<f64>,
    /// Memory, per cent of the machine's.
    pub memory_pct: Option<f64>,
    /// CPU, per cent of one core.
    pub cpu_pct: Option<f64>,
    /// Whether it counts for the health.
    pub counts: bool,
    /// When it is to run.
    pub run_when: RunWhen,
    /// How it is asked whether it lives: `notify`, `http`, `tcp`, `command`, `line`; none: only its life counts.
    pub heartbeat: Option<String>,
    /// How often.
    pub period_ms: Option<u64>,
    /// How long it took from its last start until it was ready; none: it never was.
    pub start_ms: Option<u64>,
    /// How long it may take to stop before it is killed: `stop_grace`.
    pub stop_ms: u64,
    /// Why it is not as it should be, in a few words: how it ended, or that it does not answer.
    pub why: Option<String>,
    /// When it is started again; none: it is not waiting for that.
    pub next_start_ms: Option<u64>,
    /// The last lines that it wrote, oldest first.
    pub output: Vec<String>,
}

/// How a required process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// It is not to run in this mode.
    Waits,
    /// It was started, and is not ready yet.
    Starting,
    /// It runs.
    Running,
    /// It was told to stop.
    Stopping,
    /// It ended, and is started again after a while.
    Restarting,
    /// An operator stopped it.
    Stopped,
    /// It ended too often: it is not started again.
    GivenUp,
}

/// When a required process is to run (P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunWhen {
    /// Always.
    Always,
    /// On the Primary.
    Primary,
    /// On a Secondary.
    Secondary,
}

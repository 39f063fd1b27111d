//! How other members are switched off, as the status tells of it (S2).

use serde::{Deserialize, Serialize};

/// How another member is switched off, and how that went of late (S2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fencing {
    /// The member that is switched off by it.
    pub peer: String,
    /// The agent's or the command's name: `fence_ipmilan`.
    pub agent: String,
    /// Where the device is, as the agent's options say; none: they do not, or it is a command.
    #[serde(default)]
    pub address: Option<String>,
    /// `off` or `reboot`.
    pub action: String,
    /// What the last check of the device said; none: none was made yet, or none is.
    pub device: Option<FenceDevice>,
    /// How often the device is checked; none: never.
    pub monitor_ms: Option<u64>,
    /// An attempt that is under way.
    pub under_way: Option<FenceUnderWay>,
    /// How the last attempt ended; none: none was made since this start.
    pub last: Option<FenceLast>,
    /// When it is tried again by itself; none: it is not waiting for that.
    pub next_try_ms: Option<u64>,
    /// Set when the member was heard again in the same life after a confirmed off: the agent lied.
    pub lied: bool,
}

/// Whether a fence device answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceDevice {
    /// Whether it answered its last check.
    pub answers: bool,
    /// How long ago that check ended.
    pub age_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// What the agent said, when it did not answer.
    pub why: Option<String>,
}

/// A fencing that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceUnderWay {
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// For how long it has been tried.
    pub since_ms: u64,
    /// After how long it is given up.
    pub timeout_ms: u64,
}

/// How a fencing ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceLast {
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How it ended.
    pub result: FenceResult,
    /// How long ago.
    pub age_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Why it failed; of an operator's word, whose it is.
    pub why: Option<String>,
}

/// What came of a fencing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceResult {
    /// It is off: the agent's status says so.
    Off,
    /// It failed, or nobody knows.
    Failed,
    /// An operator looked, and said that it is off.
    OffByWord,
}

//! The other members, as the status tells of them: the paths to each, what it was last heard to be, and what it answers.

use serde::{Deserialize, Serialize};

use super::{Able, Mode, ProcessState, RunWhen};

/// One path to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The peer.
    pub peer: String,
    /// The peer's address on this path.
    pub address: String,
    /// Up, connecting or down.
    pub state: LinkState,
    /// This member's side of the connection.
    pub role: LinkRole,
    /// Round trip, once measured.
    pub rtt_us: Option<u64>,
    /// How long ago something was heard on it; none: never.
    pub last_heard_ms: Option<u64>,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// How often it came up again after the first time.
    pub reconnects: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Why it is not up, in a few words.
    pub why: Option<String>,
}

/// A path's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Authenticated and in use.
    Up,
    /// Being tried, or waited for.
    Connecting,
    /// Tried and failed, or lost.
    Down,
}

/// Which side of a connection a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkRole {
    /// It listens.
    Server,
    /// It connects.
    Client,
}

/// Another member as this one knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its mode as last heard; none: not heard yet.
    pub mode: Option<Mode>,
    /// Its term as last heard.
    pub term: u64,
    /// How able it said it was.
    pub able: Option<Able>,
    /// Its health as last heard.
    pub score: Option<f64>,
    /// How long ago it was last heard; none: never since boot.
    pub last_heard_ms: Option<u64>,
    /// Why it counts as gone: `never_heard`, `silent`, `crashed`, `stopped`; none while it does not.
    pub gone: Option<String>,
    /// Its program's version, once connected.
    pub version: Option<String>,
    /// Settings in which it differs (N19).
    pub differs: Vec<String>,
    /// The history of what it tells this member to be (or, on a Primary, of its queries), newest first; equal answers
    /// in a row are one entry.
    pub replies: Vec<Reply>,
    /// Who looks at a screen there.
    pub attached: Vec<String>,
    /// Its required processes, as it tells of them.
    #[serde(default)]
    pub processes: Vec<PeerProcess>,
}

/// A required process of another member, as far as that member tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerProcess {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: ProcessState,
    /// Its pid while it runs.
    pub pid: Option<u32>,
    /// When it is to run.
    pub run_when: RunWhen,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// How long it took from its last start until it was ready; none: it never was.
    pub start_ms: Option<u64>,
    /// How long it may take to stop before it is killed: `stop_grace`.
    pub stop_ms: u64,
}

/// Equal replies in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Age of the newest of them.
    pub age_ms: u64,
    /// `stay_secondary`, `become_primary`, `no_answer`; on a Primary `query`.
    pub reply: ReplyKind,
    /// The peer's health with the newest.
    pub score: Option<f64>,
    /// Round trip of the newest.
    pub rtt_us: Option<u64>,
    /// Number of the newest query.
    pub query: u64,
    /// How many alike.
    pub count: u64,
    /// Age of the oldest of them.
    pub first_age_ms: u64,
    /// Why there was no answer, where known.
    #[serde(default)]
    pub why: Option<String>,
}

/// What a reply told this member to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// The reply "Secondary".
    StaySecondary,
    /// The reply "Primary".
    BecomePrimary,
    /// None within the timeout.
    NoAnswer,
    /// On a Primary: a query received.
    Query,
}

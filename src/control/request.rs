//! What goes over the control socket: one JSON value a line, requests in, replies out.
//!
//! The in-process screen uses the same values over a channel, so `run` and `attach` are the same code.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::{Action, Plan};
use super::status::Status;

/// The longest request line that the server reads, in bytes.
pub const MAX_REQUEST_LINE: usize = 4096;

/// From a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// One [`Reply::Status`].
    Status,
    /// A [`Reply::Status`] now and on every change, until the connection closes. A client that cannot keep up loses
    /// the ones in between.
    Watch {
        /// Set by a screen: how it appears under "attached" (the server adds who it is by peer credentials).
        screen: Option<Screen>,
    },
    /// Opens a plan: [`Reply::Plan`] or [`Reply::Refused`].
    Open {
        /// For what.
        #[serde(flatten)]
        action: Action,
    },
    /// Carries out the open plan: [`Reply::Outcome`] or [`Reply::Refused`].
    Confirm {
        /// Its number.
        plan: u32,
        /// The typed name, for a plan with a failing line.
        force: Option<String>,
    },
    /// Closes the open plan.
    Abandon {
        /// Its number.
        plan: u32,
    },
    /// What switching a member off would do, and what its fence device says now: [`Reply::FencePreview`]. Nothing is
    /// switched.
    FencePreview {
        /// Whom.
        peer: String,
    },
    /// Reads the configuration again, and applies what can change: [`Reply::Reloaded`] or [`Reply::Refused`] (U10).
    Reload,
    /// Marks every standing alarm as seen.
    Seen,
    /// Pings across C2C: a [`Reply::Pong`] each, then [`Reply::PingDone`].
    Ping {
        /// To whom; none: the only peer, or all of them in turn.
        peer: Option<String>,
        /// How many.
        count: u32,
        /// Time between two.
        interval_ms: u64,
    },
}

/// What kind of screen watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Screen {
    /// It may act, if its user may.
    Operating,
    /// It asked not to.
    ReadOnly,
}

impl Screen {
    /// How a screen of `who` is called under "attached". The screen finds itself there by the same words.
    pub fn called(self, who: &str) -> String {
        match self {
            Screen::Operating => who.to_owned(),
            Screen::ReadOnly => format!("{who} (read-only)"),
        }
    }
}

/// From the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The first line of every connection.
    Hello(Hello),
    /// The status.
    Status(Arc<Status>),
    /// The plan that was asked for.
    Plan(Box<Plan>),
    /// It is not done, and why.
    Refused {
        /// What stopped it and what to do, as sentences.
        why: String,
    },
    /// What came of a confirmed plan.
    Outcome(Outcome),
    /// The answer to [`Request::FencePreview`].
    FencePreview(Box<FencePreview>),
    /// What came of reading the configuration again.
    Reloaded(Reloaded),
    /// One ping's answer, or its absence.
    Pong(Pong),
    /// The pings are over.
    PingDone,
    /// [`Request::Seen`] or [`Request::Abandon`] is done.
    Done,
}

/// What switching a member off would do (S2). No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencePreview {
    /// Whom.
    pub peer: String,
    /// The program and its arguments.
    pub program: String,
    /// The lines of its standard input; secrets are replaced.
    pub input: Vec<String>,
    /// After this long an attempt is given up.
    pub timeout_ms: u64,
    /// Tries in a row.
    pub attempts: u32,
    /// What the device says of the power now.
    pub power: Power,
    /// Why it does not say.
    pub why: Option<String>,
    /// How long it took to say it.
    pub took_ms: u64,
    /// What the agent printed.
    pub output: String,
}

/// What a fence device says of the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// On.
    On,
    /// Off.
    Off,
    /// It does not say.
    Unknown,
}

/// What came of reading the configuration again: every key that differs from what runs, each in one of the two lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The file that was read.
    pub file: String,
    /// What is applied, in the order in which it is done.
    pub applied: Vec<ReloadedKey>,
    /// What stays as it was until the controller is restarted.
    pub needs_restart: Vec<ReloadedKey>,
}

/// One key of a configuration that was read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadedKey {
    /// Its path, `process.plant-control.command`; of a process that is stopped, started or restarted, the process.
    pub key: String,
    /// How it is applied, or why it is not.
    pub text: String,
}

/// Who answers on this socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The contract's version.
    pub schema: u32,
    /// This member.
    pub node: String,
    /// The group.
    pub group: String,
    /// The program's version.
    pub version: String,
    /// Whether who connected may operate.
    pub may_operate: bool,
    /// Who connected, as the journal will name them.
    pub you_are: String,
    /// Where the journal is, for `events` and `explain`.
    pub state_directory: String,
}

/// Done, not done, or not known yet: never a guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It came to pass.
    Done {
        /// "alpha is Primary, term 8, after 12 ms".
        text: String,
    },
    /// It did not, and why.
    NotDone {
        /// What stopped it.
        text: String,
    },
    /// It is under way.
    NotKnownYet {
        /// What was sent and what is waited for.
        text: String,
    },
}

/// One ping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// To whom.
    pub peer: String,
    /// Its number, from 1.
    pub seq: u32,
    /// The round trip; none: no answer within the reply timeout, or no link.
    pub rtt_us: Option<u64>,
    /// The same, measured from the other side by its own ping (N9: both ways).
    pub reverse_rtt_us: Option<u64>,
    /// Why there is none.
    pub why: Option<String>,
}

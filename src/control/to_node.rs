//! What sessions ask of the node: one bounded channel, each question with a place for its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::desk::ScreenId;
use super::plan::{Action, Plan};
use super::request::{FencePreview, Outcome, Pong, Reloaded, Screen};
use super::status::Status;
use super::who::Who;

/// How many questions may wait for the node. Sessions wait for room, so a flood of requests delays those who send it.
pub const TO_NODE_BOUND: usize = 64;

/// A question to the node. A dropped answer place means that the asker has left; a dropped question, that the node ends.
#[derive(Debug)]
pub enum ToNode {
    /// The status as it is now.
    Status(oneshot::Sender<Arc<Status>>),
    /// Statuses from now on; with `screen` it counts as attached until [`ToNode::Unwatch`].
    Watch {
        /// Who watches.
        who: Who,
        /// What kind of screen, if it is one.
        screen: Option<Screen>,
        /// Where to look.
        reply: oneshot::Sender<Watching>,
    },
    /// A screen has left. Sent once for each [`Watching::screen`], also when its session ended badly.
    Unwatch(ScreenId),
    /// [`super::desk::Desk::open`].
    Open {
        /// For what.
        action: Action,
        /// By whom.
        who: Who,
        /// The plan, or why not.
        reply: oneshot::Sender<Result<Plan, String>>,
    },
    /// [`super::desk::Desk::confirm`], then the command; answered when its outcome is known, or known to be open.
    Confirm {
        /// The plan's number.
        plan: u32,
        /// The typed name.
        force: Option<String>,
        /// By whom.
        who: Who,
        /// What came of it; `Err`: refused, nothing was done.
        reply: oneshot::Sender<Result<Outcome, String>>,
    },
    /// [`super::desk::Desk::abandon`].
    Abandon {
        /// The plan's number.
        plan: u32,
        /// By whom.
        who: Who,
        /// Done, or why not.
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// What switching a member off would do.
    FencePreview {
        /// Whom.
        peer: String,
        /// `Err`: there is no device for it. Dropped when the device has too many questions already.
        reply: oneshot::Sender<Result<FencePreview, String>>,
    },
    /// The configuration is to be read again.
    Reload {
        /// By whom.
        who: Who,
        /// What came of it; `Err`: nothing was changed, and why.
        reply: oneshot::Sender<Result<Reloaded, String>>,
    },
    /// [`super::desk::Desk::seen`].
    Seen {
        /// By whom.
        who: Who,
        /// Done, or why not.
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// Pings across C2C.
    Ping {
        /// To whom; none: to every peer in turn.
        peer: Option<String>,
        /// How many to each.
        count: u32,
        /// Between two.
        interval: Duration,
        /// `Err`: no such peer.
        accepted: oneshot::Sender<Result<(), String>>,
        /// Where each goes. Dropping it ends the pings; a closed receiver means that nobody waits for them any more.
        pongs: mpsc::Sender<Pong>,
    },
}

/// What a watcher gets.
#[derive(Debug)]
pub struct Watching {
    /// Always the latest status.
    pub statuses: watch::Receiver<Arc<Status>>,
    /// Set for a screen.
    pub screen: Option<ScreenId>,
}

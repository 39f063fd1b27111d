//! What the alarms look at beside the negotiation's view: links, processes, fencing, the journal.

use std::time::Duration;

use crate::control::guards::Guards;
use crate::control::status::{Fencing, Link, Process};

/// Traffic that was refused a short while ago and that somebody should look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusedKind {
    /// It did not know the group's key (S8).
    WrongKey,
    /// A second session of a member whose first still answers: two machines call themselves the same (N13).
    SecondInstance,
    /// Another group, a stranger's name, an incompatible version, garbage, a flood.
    Other,
}

/// What the alarms look at beside the [`View`].
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Every path to every peer.
    pub links: Vec<Link>,
    /// Required processes.
    pub processes: Vec<Process>,
    /// How each other member is switched off.
    pub fencing: Vec<Fencing>,
    /// The arbiter, the reference addresses and the watchdog.
    pub guards: Guards,
    /// The time on the wall at the view's `now`, RFC 3339; empty: not known.
    pub time: String,
    /// Hooks whose last run failed lately, with how.
    pub hooks_failed: Vec<(String, String)>,
    /// Processes that the guardian stopped lately (P6).
    pub killed_by_guardian: Vec<String>,
    /// For how long nobody has been known to act; none while somebody is. From [`super::desk::Desk::nobody_acts_for`].
    pub nobody_acts_for: Option<Duration>,
    /// After how long without a word a connected path counts as silent: `negotiation.reply_timeout`.
    pub reply_timeout: Duration,
    /// How long a boot may take before "nobody acts" is an alarm: `negotiation.boot_timeout`.
    pub boot_timeout: Duration,
    /// This member's changes of mode within [`FLAPPING_WITHIN`].
    pub recent_changes: u32,
    /// Records that the journal could not keep since start.
    pub journal_lost: u64,
    /// Whether the journal can be written now.
    pub journal: JournalState,
    /// The other of two that both act, until both no longer do: it may have given way, and what it runs still stops.
    pub still_act_with: Option<String>,
    /// Two that acted, once that is over and while it is told.
    pub two_acted: Option<TwoThatActed>,
    /// What the link refused in the last minutes, with the address it came from where known.
    pub refused_lately: Vec<(RefusedKind, Option<String>)>,
}

/// Two members that acted at once, now over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoThatActed {
    /// The one that gave way.
    pub stopped: String,
    /// The one that goes on.
    pub goes_on: String,
    /// For how long both acted at most.
    pub at_most: Duration,
}

/// Whether the journal can be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JournalState {
    /// It can.
    #[default]
    Written,
    /// Not now: the disk is full, read-only, broken or gone. What happens meanwhile waits in memory.
    Failing,
}

//! The negotiation as others may look at it: one immutable value, made on demand, from which the status, the plans and
//! the alarms are computed. Nothing here decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::{Ability, Score};
use super::decision::{Decision, Rule};
use super::member::{MemberId, Name};
use super::message::{Incarnation, Mode};
use super::settings::{AgreementKey, Protection};
use super::term::Term;
use super::time::Instant;
use super::trouble::ArbiterTrouble;

/// Why a peer counts as gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// Never heard since boot, and the boot's wait is over (N3).
    NeverHeard,
    /// Nothing heard for the timeout (N4).
    Silent,
    /// The connection closed and every address refuses (N14).
    Crashed,
    /// It said Bye (N14).
    Stopped,
    /// Its fencing device, or somebody who looked, says that it is off (S2).
    Off,
}

/// How it stands with switching a peer off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FenceState {
    /// Nothing is done.
    Idle,
    /// A takeover waits for it, and lets the other side shoot first (S3).
    Waiting {
        /// Until when.
        until: Instant,
    },
    /// The agent works.
    UnderWay {
        /// Since when.
        since: Instant,
        /// Which round this is, counted from 1 since the peer was last heard.
        round: u32,
    },
    /// It is off.
    Off {
        /// Since when that is known.
        at: Instant,
        /// The operator who looked; none: the device says so.
        by: Option<Name>,
    },
    /// It is not known to be off.
    Failed {
        /// Since when.
        at: Instant,
        /// What the last attempt came to.
        why: String,
        /// How many rounds failed since the peer was last heard.
        rounds: u32,
        /// When it is tried again; none: only on an operator's word, or when a takeover waits for it.
        next: Option<Instant>,
    },
}

/// A peer's fencing device, as it answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeviceView {
    /// Whether it answered.
    pub answers: bool,
    /// When.
    pub at: Instant,
}

/// Switching a peer off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceView {
    /// Whether there is a device for it.
    pub configured: bool,
    /// How it stands.
    pub state: FenceState,
    /// The device; none: not asked yet.
    pub device: Option<DeviceView>,
    /// Set when it was heard after it had counted as off: by whom it had been said; none: by the device (S2, critical).
    pub heard_after_off: Option<OffWord>,
    /// How long the last switching off took.
    pub took: Option<Duration>,
}

/// Whose word it was that a peer is off.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffWord {
    /// The fencing device's.
    Device,
    /// An operator's who looked.
    Operator(Name),
}

/// A Primary that leaves its role while what runs only on it still stops (P2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppingView {
    /// Why it leaves.
    pub rule: Rule,
    /// Since when.
    pub since: Instant,
    /// When what still runs is killed; none: each after its own grace.
    pub by: Option<Instant>,
    /// Who follows; none: nobody is named.
    pub to: Option<Name>,
}

/// Where the takeover of a sick Primary stands (H5, S6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthView {
    /// Low scores of the Primary in a row, at most [`HealthView::confirmations`].
    pub low: u32,
    /// How many it takes.
    pub confirmations: u32,
    /// Since when the Primary has been asked to hand over and has not.
    pub asked: Option<Instant>,
    /// Why it last refused, as a clause.
    pub refused: Option<String>,
    /// How often this member took over for health within the last hour.
    pub taken: u32,
    /// How often it may.
    pub max_per_hour: u32,
    /// Since when it takes no more of this kind, until the operator speaks (S6).
    pub stopped: Option<Instant>,
    /// Set while both this member and the Primary, or the one it would hand over to, are sick: one fact, no duel.
    pub both_sick: bool,
    /// Until when this member is a lesser candidate because it lost the role for its health (S6).
    pub lost_until: Option<Instant>,
}

/// What this member knows of one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its number.
    pub id: MemberId,
    /// Its name.
    pub name: Name,
    /// Whether a connection is up.
    pub link_up: bool,
    /// Its incarnation, once connected.
    pub incarnation: Option<Incarnation>,
    /// How long ago it was last heard; none: never since boot.
    pub heard: Option<Duration>,
    /// Set when it counts as gone.
    pub gone: Option<Gone>,
    /// Its mode as last heard; none: not heard yet.
    pub mode: Option<Mode>,
    /// Its term as last heard.
    pub term: Term,
    /// How able it said it was.
    pub able: Option<Ability>,
    /// Whether it claims the role.
    pub claim: bool,
    /// Its health as last heard.
    pub score: Option<Score>,
    /// Settings in which it differs (N19).
    pub differs: Vec<AgreementKey>,
    /// Switching it off.
    pub fence: FenceView,
}

impl Default for FenceView {
    /// No device, nothing done.
    fn default() -> FenceView {
        FenceView { configured: false, state: FenceState::Idle, device: None, heard_after_off: None, took: None }
    }
}

/// The arbiter, as this member knows it (S1, S4).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArbiterView {
    /// Whether it answered lately enough to count as within reach.
    pub answers: bool,
    /// When it last answered.
    pub answered: Option<Instant>,
    /// How long that answer took.
    pub took: Option<Duration>,
    /// Why the last call was not answered; none: it was.
    pub why: Option<ArbiterTrouble>,
    /// Who holds the lease, as last heard.
    pub holder: Option<Name>,
    /// Until when that one may hold it at most, if nothing more is heard of it.
    pub holder_until: Option<Instant>,
    /// Since when nobody is known to hold it.
    pub free_since: Option<Instant>,
    /// This member's own lease: until when it may be relied on.
    pub mine_until: Option<Instant>,
    /// Set while a Primary without a lease goes on because every other member grants it the role (S4).
    pub by_grants: bool,
}

/// The reference addresses, as this member knows them (S1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceView {
    /// Whether one answered lately enough.
    pub answers: bool,
    /// When one last answered.
    pub answered: Option<Instant>,
}

/// What a line of the forecast is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Switching a silent member off (S2).
    Fence,
    /// The arbiter's lease (S1).
    Arbiter,
    /// This member itself: its health, and whether it can at all.
    Able,
    /// The reference addresses (S1).
    Reference,
    /// More than half of the members (S1).
    Majority,
    /// Another member: whether it agrees, or is gone.
    Member,
    /// A successor that this member waits for (rule 11).
    Successor,
    /// What may stand from before its start (rule 1).
    Start,
    /// A hold (S7).
    Hold,
    /// A promise to another (N16).
    Promise,
}

/// A line of the forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastLine {
    /// Whether this is met.
    pub ok: bool,
    /// What it is about: people read lines in the order of importance, not in that of the rule.
    pub about: Topic,
    /// What, as a sentence without a full stop.
    pub text: String,
}

/// U12: would this member take over if the Primary (or the peer that comes first) failed now? From the same rule that
/// would decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The member whose failure is assumed: the Primary, be it this member or another; none where none is known.
    pub if_fails: Option<Name>,
    /// Who would act then; none: nobody.
    pub acts: Option<Name>,
    /// Whether it would be done at all.
    pub ready: bool,
    /// How long after the failure at most, when ready.
    pub expected: Option<Duration>,
    /// What it rests on.
    pub lines: Vec<ForecastLine>,
}

/// A hold in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// Since when.
    pub since: Instant,
    /// Until when.
    pub until: Instant,
    /// By whom.
    pub by: Name,
    /// Peers that could not be told yet.
    pub not_told: Vec<Name>,
}

/// What this member waits for while it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionView {
    /// The mode it goes to.
    pub to: Mode,
    /// What it waits for, in a few words.
    pub waiting_for: String,
    /// Since when.
    pub since: Instant,
}

/// Everything that others may know of a member's negotiation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// When this was looked at.
    pub now: Instant,
    /// This member.
    pub me: MemberId,
    /// Its name.
    pub name: Name,
    /// Its mode; Becoming shows as Secondary with a transition.
    pub mode: Mode,
    /// Primary: its term. Secondary: the highest term seen.
    pub term: Term,
    /// Since when it has this mode.
    pub since: Instant,
    /// The last change of mode.
    pub reason: Decision,
    /// How able it is.
    pub able: Ability,
    /// Its own health.
    pub score: Score,
    /// Whether it is Primary by an operator's force, without what protection asks for.
    pub forced: bool,
    /// What it waits for.
    pub transition: Option<TransitionView>,
    /// Set while it leaves the role and its processes stop; the mode is still Primary then (P2).
    pub stopping: Option<StoppingView>,
    /// The takeover of a sick Primary.
    pub health: HealthView,
    /// The hold in force.
    pub hold: Option<HoldView>,
    /// To whom it has promised not to become Primary, and until when (N16).
    pub promise: Option<(Name, Instant)>,
    /// What protects the group.
    pub protection: Vec<Protection>,
    /// The arbiter; none: protection does not ask for one.
    pub arbiter: Option<ArbiterView>,
    /// The reference addresses; none: protection does not ask for them.
    pub reference: Option<ReferenceView>,
    /// Whether what protection asks for is there now.
    pub protected_now: bool,
    /// N20: false while the state cannot be written.
    pub durable: bool,
    /// N20: no state was found at boot, and nobody has been heard since.
    pub history_unknown: bool,
    /// S11.
    pub observe_only: bool,
    /// The peers, in the order of their addresses.
    pub peers: Vec<PeerView>,
    /// Would it fail over now?
    pub forecast: Forecast,
    /// What an operator's take-over here would rest on: rule 6 and the Primary's agreement.
    pub take_over: Vec<ForecastLine>,
    /// Who would take over if this member stepped down now.
    pub successor: Option<Name>,
}

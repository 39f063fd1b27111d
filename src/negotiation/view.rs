//! The negotiation as others may look at it: one immutable value, made on demand, from which the status, the plans and
//! the alarms are computed. Nothing here decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::{Ability, Score};
use super::decision::Decision;
use super::member::{MemberId, Name};
use super::message::{Incarnation, Mode};
use super::settings::{AgreementKey, Protection};
use super::term::Term;
use super::time::Instant;

/// Why a peer counts as gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// A line of the forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastLine {
    /// Whether this is met.
    pub ok: bool,
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
    /// The hold in force.
    pub hold: Option<HoldView>,
    /// To whom it has promised not to become Primary, and until when (N16).
    pub promise: Option<(Name, Instant)>,
    /// What protects the group.
    pub protection: Vec<Protection>,
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

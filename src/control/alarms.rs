//! What is wrong now, and what a person should do about it: first, then, and what not to do (screen.md, U13).
//!
//! Pure. One variant a cause, with its class and all its words beside it. [`alarms_from`] finds the causes; the desk adds
//! for how long they have stood and who has seen them.

use std::time::Duration;

use crate::negotiation::ability::Sick;
use crate::negotiation::message::Mode;
use crate::negotiation::view::Gone;

use super::status::AlarmClass;

mod around;
mod fencing;
mod find;
mod guards;
mod processes;
mod trouble;
mod words;

pub use around::{Around, JournalState, RefusedKind, TwoThatActed};
pub use fencing::{Blocks, FencingAlarm, OnceOff};
pub use find::alarms_from;
pub use guards::{Acts, GuardAlarm, Lacks};
pub use processes::ProcessAlarm;
pub use trouble::Forgot;
pub use words::{SOON, Words};

/// So many changes of mode within [`FLAPPING_WITHIN`] are reported as flapping (S6).
pub const FLAPPING_CHANGES: u32 = 4;

/// How long [`Told::AfterAMoment`] is.
pub const MOMENT: Duration = Duration::from_secs(1);

/// See [`FLAPPING_CHANGES`].
pub const FLAPPING_WITHIN: Duration = Duration::from_secs(600);

/// Who gives way when two are Primary (N12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yields {
    /// This member has the lower term.
    This,
    /// The other has.
    Other,
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// N12: this member and a peer, or two peers, are both Primary.
    TwoPrimaries {
        /// This member.
        node: String,
        /// The other Primary.
        other: String,
        /// Who gives way.
        yields: Yields,
    },
    /// N12: two acted at once; it is over, and what they did has to be looked at.
    TwoActed(TwoThatActed),
    /// S10: nobody is known to act.
    NobodyActs {
        /// This member.
        node: String,
        /// What keeps this member from acting.
        missing: Vec<String>,
        /// Peers that are not heard.
        unheard: Vec<String>,
        /// Whether this member could.
        could: CouldAct,
        /// The one of them that holds the arbiter's lease, as the arbiter says: it may act (S1).
        holder: Option<String>,
    },
    /// N20: the state cannot be written.
    StateNotDurable {
        /// Whether this member acts.
        mode: Mode,
    },
    /// S1: this member acts by an operator's force.
    Forced {
        /// This member.
        node: String,
    },
    /// S1: what protection asks for is not there now.
    ProtectionMissing {
        /// The configured words.
        policy: String,
    },
    /// A peer counts as gone.
    PeerGone {
        /// The peer.
        peer: String,
        /// Why it counts as gone.
        gone: Gone,
        /// Whether it may act all the same.
        may_act: MayAct,
        /// Who is left beside this member.
        left: Left,
    },
    /// No path to a peer is up, and it does not count as gone yet.
    LinkDown {
        /// The peer.
        peer: String,
    },
    /// One of several paths is down (N15).
    PathDown {
        /// The peer.
        peer: String,
        /// Its address on this path.
        address: String,
        /// Why, where known.
        why: Option<String>,
    },
    /// N20: no state was found at boot, and nobody was heard since.
    HistoryUnknown,
    /// N19: settings differ.
    SettingsDiffer {
        /// The peer.
        peer: String,
        /// The keys.
        keys: Vec<String>,
    },
    /// S7: members that do not know of the hold.
    HoldNotTold {
        /// Who.
        peers: Vec<String>,
    },
    /// U12: no takeover would be done now, and not because a peer is gone.
    TakeoverNotReady {
        /// The lines that fail.
        missing: Vec<String>,
    },
    /// Rule 11: this member does not take over, because an operator made it step down.
    SteppedDown {
        /// This member.
        node: String,
    },
    /// H5: a member's health is below the limit, or was a short while ago.
    Unhealthy {
        /// Which member.
        member: String,
        /// Why.
        sick: Sick,
    },
    /// H5: this member and the one that acts are both below the limit: nobody takes over from the other.
    BothUnhealthy {
        /// This member.
        node: String,
        /// The other.
        other: String,
    },
    /// S6: this member takes over no more from a peer that still answers.
    TakeoversUsedUp {
        /// This member.
        node: String,
        /// How often it did within an hour.
        taken: u32,
    },
    /// S2: something is wrong with switching a member off.
    Fencing(FencingAlarm),
    /// S1: something is wrong with what else protects the group.
    Guard(GuardAlarm),
    /// P1: something is wrong with what runs here.
    Process(ProcessAlarm),
    /// S6: the mode changes often.
    Flapping {
        /// How often within [`FLAPPING_WITHIN`].
        changes: u32,
    },
    /// The journal cannot be written now.
    JournalFailing,
    /// The journal could not keep everything.
    JournalLosing {
        /// How many records are missing since start.
        lost: u64,
    },
    /// S8: somebody without the group's key calls.
    WrongKey {
        /// From where.
        from: Option<String>,
    },
    /// N13: two machines call themselves the same.
    SecondInstance {
        /// From where.
        from: Option<String>,
    },
    /// S7: the group is held.
    Held {
        /// By whom.
        by: String,
    },
    /// S11: nothing is done.
    ObserveOnly,
    /// S8: other traffic that was refused.
    Refused {
        /// From where.
        from: Option<String>,
    },
}

/// When an alarm is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// As soon as it is found.
    AtOnce,
    /// When it has stood for [`MOMENT`]: a takeover that is under way ends it sooner.
    AfterAMoment,
    /// When it has stood for `negotiation.boot_timeout`.
    AfterBootTimeout,
}

/// Whether the cause of an alarm still stands; of two alarms of a class the one that does goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stands {
    /// It does.
    Now,
    /// It is over, and somebody has to be told of it all the same.
    Over,
}

/// Whether a member that is not heard may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayAct {
    /// Nothing speaks against it.
    Yes,
    /// Its process ended, or protection keeps it from acting.
    No,
}

/// Whether a member could take over when it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CouldAct {
    /// It could.
    WhenAsked,
    /// It only looks on (S11).
    ObservesOnly,
}

/// Whether another member is heard while one is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// One of three or more.
    Others,
    /// This member is alone.
    Nobody,
}

impl Told {
    /// How long it stands before it is told.
    pub fn after(self, boot_timeout: Duration) -> Duration {
        match self {
            Told::AtOnce => Duration::ZERO,
            Told::AfterAMoment => MOMENT.min(boot_timeout),
            Told::AfterBootTimeout => boot_timeout,
        }
    }
}

impl Alarm {
    /// How urgent it is.
    pub fn class(&self) -> AlarmClass {
        match self {
            Alarm::TwoPrimaries { .. } | Alarm::NobodyActs { .. } | Alarm::StateNotDurable { .. } => AlarmClass::Alarm,
            Alarm::Fencing(fencing) => fencing.class(),
            Alarm::Guard(guard) => guard.class(),
            Alarm::TwoActed(_)
            | Alarm::Forced { .. }
            | Alarm::ProtectionMissing { .. }
            | Alarm::PeerGone { .. }
            | Alarm::LinkDown { .. }
            | Alarm::PathDown { .. }
            | Alarm::HistoryUnknown
            | Alarm::SettingsDiffer { .. }
            | Alarm::HoldNotTold { .. }
            | Alarm::TakeoverNotReady { .. }
            | Alarm::SteppedDown { .. }
            | Alarm::Unhealthy { .. }
            | Alarm::BothUnhealthy { .. }
            | Alarm::TakeoversUsedUp { .. }
            | Alarm::Process(_)
            | Alarm::Flapping { .. }
            | Alarm::JournalFailing
            | Alarm::JournalLosing { .. }
            | Alarm::WrongKey { .. }
            | Alarm::SecondInstance { .. } => AlarmClass::Warning,
            Alarm::Held { .. } | Alarm::ObserveOnly | Alarm::Refused { .. } => AlarmClass::Note,
        }
    }

    /// When it is told. What passes by itself at a start or a hand-over would only teach people to ignore alarms.
    pub fn told(&self) -> Told {
        match self {
            Alarm::TakeoverNotReady { .. } | Alarm::HistoryUnknown | Alarm::LinkDown { .. } => Told::AfterBootTimeout,
            Alarm::NobodyActs { .. } => Told::AfterAMoment,
            Alarm::TwoPrimaries { .. }
            | Alarm::TwoActed(_)
            | Alarm::StateNotDurable { .. }
            | Alarm::Forced { .. }
            | Alarm::ProtectionMissing { .. }
            | Alarm::PeerGone { .. }
            | Alarm::PathDown { .. }
            | Alarm::SettingsDiffer { .. }
            | Alarm::HoldNotTold { .. }
            | Alarm::SteppedDown { .. }
            | Alarm::Unhealthy { .. }
            | Alarm::BothUnhealthy { .. }
            | Alarm::TakeoversUsedUp { .. }
            | Alarm::Fencing(_)
            | Alarm::Guard(_)
            | Alarm::Process(_)
            | Alarm::Flapping { .. }
            | Alarm::JournalFailing
            | Alarm::JournalLosing { .. }
            | Alarm::WrongKey { .. }
            | Alarm::SecondInstance { .. }
            | Alarm::Held { .. }
            | Alarm::ObserveOnly
            | Alarm::Refused { .. } => Told::AtOnce,
        }
    }

    /// Whether its cause still stands. What is over is told below what stands: the new cause is what a person came for.
    pub fn stands(&self) -> Stands {
        match self {
            Alarm::TwoActed(_) => Stands::Over,
            Alarm::Process(process) => process.stands(),
            Alarm::TwoPrimaries { .. }
            | Alarm::NobodyActs { .. }
            | Alarm::StateNotDurable { .. }
            | Alarm::Forced { .. }
            | Alarm::ProtectionMissing { .. }
            | Alarm::PeerGone { .. }
            | Alarm::LinkDown { .. }
            | Alarm::PathDown { .. }
            | Alarm::HistoryUnknown
            | Alarm::SettingsDiffer { .. }
            | Alarm::HoldNotTold { .. }
            | Alarm::TakeoverNotReady { .. }
            | Alarm::SteppedDown { .. }
            | Alarm::Unhealthy { .. }
            | Alarm::BothUnhealthy { .. }
            | Alarm::TakeoversUsedUp { .. }
            | Alarm::Fencing(_)
            | Alarm::Guard(_)
            | Alarm::Flapping { .. }
            | Alarm::JournalFailing
            | Alarm::JournalLosing { .. }
            | Alarm::WrongKey { .. }
            | Alarm::SecondInstance { .. }
            | Alarm::Held { .. }
            | Alarm::ObserveOnly
            | Alarm::Refused { .. } => Stands::Now,
        }
    }

    /// A stable word for its kind: the first part of [`Alarm::id`].
    pub fn kind(&self) -> &'static str {
        match self {
            Alarm::TwoPrimaries { .. } => TWO_PRIMARIES,
            Alarm::TwoActed(_) => "two_acted",
            Alarm::NobodyActs { .. } => NOBODY_ACTS,
            Alarm::StateNotDurable { .. } => "state_not_durable",
            Alarm::Forced { .. } => "forced",
            Alarm::ProtectionMissing { .. } => "protection_missing",
            Alarm::PeerGone { gone: Gone::Silent, .. } => "peer_silent",
            Alarm::PeerGone { gone: Gone::Crashed, .. } => "peer_crashed",
            Alarm::PeerGone { gone: Gone::Stopped, .. } => "peer_stopped",
            Alarm::PeerGone { gone: Gone::Off, .. } => "peer_off",
            Alarm::PeerGone { gone: Gone::NeverHeard, .. } => "peer_never_heard",
            Alarm::LinkDown { .. } => "link_down",
            Alarm::PathDown { .. } => "path_down",
            Alarm::HistoryUnknown => "history_unknown",
            Alarm::SettingsDiffer { .. } => "settings_differ",
            Alarm::HoldNotTold { .. } => "hold_not_told",
            Alarm::TakeoverNotReady { .. } => "takeover_not_ready",
            Alarm::SteppedDown { .. } => "stepped_down",
            Alarm::Unhealthy { .. } => "unhealthy",
            Alarm::BothUnhealthy { .. } => "both_unhealthy",
            Alarm::TakeoversUsedUp { .. } => "takeovers_used_up",
            Alarm::Fencing(fencing) => fencing.kind(),
            Alarm::Guard(guard) => guard.kind(),
            Alarm::Process(process) => process.kind(),
            Alarm::Flapping { .. } => FLAPPING,
            Alarm::JournalFailing => "journal_failing",
            Alarm::JournalLosing { .. } => "journal_losing",
            Alarm::WrongKey { .. } => "wrong_key",
            Alarm::SecondInstance { .. } => "second_instance",
            Alarm::Held { .. } => "held",
            Alarm::ObserveOnly => "observe_only",
            Alarm::Refused { .. } => "refused",
        }
    }

    /// Its identity while it stands, stable for scripts: the kind, and the peer or path where there may be several.
    pub fn id(&self) -> String {
        let kind = self.kind();
        match self {
            Alarm::TwoPrimaries { other: about, .. }
            | Alarm::PeerGone { peer: about, .. }
            | Alarm::LinkDown { peer: about }
            | Alarm::SettingsDiffer { peer: about, .. }
            | Alarm::Unhealthy { member: about, .. } => format!("{kind}:{about}"),
            Alarm::Fencing(fencing) => format!("{kind}:{}", fencing.peer()),
            Alarm::Process(process) => match process.about() {
                Some(about) => format!("{kind}:{about}"),
                None => kind.to_owned(),
            },
            Alarm::PathDown { peer, address, .. } => format!("{kind}:{peer}:{address}"),
            Alarm::NobodyActs { .. }
            | Alarm::Guard(_)
            | Alarm::TwoActed(_)
            | Alarm::StateNotDurable { .. }
            | Alarm::Forced { .. }
            | Alarm::ProtectionMissing { .. }
            | Alarm::HistoryUnknown
            | Alarm::HoldNotTold { .. }
            | Alarm::TakeoverNotReady { .. }
            | Alarm::SteppedDown { .. }
            | Alarm::BothUnhealthy { .. }
            | Alarm::TakeoversUsedUp { .. }
            | Alarm::Flapping { .. }
            | Alarm::JournalFailing
            | Alarm::JournalLosing { .. }
            | Alarm::WrongKey { .. }
            | Alarm::SecondInstance { .. }
            | Alarm::Held { .. }
            | Alarm::ObserveOnly
            | Alarm::Refused { .. } => kind.to_owned(),
        }
    }
}

/// The kind of "two Primaries", which makes a status critical.
pub const TWO_PRIMARIES: &str = "two_primaries";
/// The kind of "nobody acts", which makes a status critical.
pub const NOBODY_ACTS: &str = "nobody_acts";
/// The kind of "fencing failed", which makes a status critical.
pub const FENCING_FAILED: &str = "fencing_failed";
/// The kind of "no takeover: what protection asks for is out of reach", which makes a status critical.
pub const HELD_BACK: &str = "takeover_held_back";
/// The kind of "heard after it was said to be off", which makes a status critical.
pub const HEARD_AFTER_OFF: &str = "heard_after_off";
/// The kind of "flapping", which makes a status degraded.
pub const FLAPPING: &str = "flapping";

#[cfg(test)]
mod tests;

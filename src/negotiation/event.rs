//! What the negotiation has to tell people beside changes of mode. The journal keeps these and the screen lists them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::Score;
use super::decision::{Rule, seconds};
use super::exchange::FenceWhy;
use super::member::Name;
use super::message::Refusal;
use super::settings::AgreementKey;
use super::term::Term;
use super::trouble::ArbiterTrouble;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Note,
    /// Act today.
    Warning,
    /// Act now.
    Alarm,
}

impl Severity {
    /// The word on the screen: an alarm is in capitals, so that it is found without colour.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Alarm => "ALARM",
        }
    }
}

/// Something worth a line in the journal that is not a change of mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first connection to a peer is up.
    PeerUp {
        /// The peer.
        peer: Name,
    },
    /// The last connection to a peer is down.
    PeerDown {
        /// The peer.
        peer: Name,
    },
    /// A peer counts as gone from now on.
    PeerGone {
        /// The peer.
        peer: Name,
        /// Why: silence, a crash, a Bye, or never heard.
        rule: Rule,
    },
    /// A peer that counted as gone is heard again.
    PeerBack {
        /// The peer.
        peer: Name,
    },
    /// A peer is Primary in a term that this member did not know of.
    PeerPrimary {
        /// The peer.
        peer: Name,
        /// Its term.
        term: Term,
    },
    /// N12: this member and a peer are both Primary.
    TwoPrimaries {
        /// The peer.
        peer: Name,
        /// Its term.
        term: Term,
        /// This member's.
        mine: Term,
    },
    /// S9: this member was itself stalled for longer than its peers allow.
    Stalled {
        /// For how long.
        stalled_for: Duration,
    },
    /// S7: the group's automatic takeovers are frozen.
    Held {
        /// By whom.
        by: Name,
        /// For how long.
        lasts: Duration,
    },
    /// S7: the hold is over.
    HoldEnded {
        /// Who ended it; none: it ran out.
        by: Option<Name>,
    },
    /// S7: a peer could not be told of the hold or of its end.
    HoldNotTold {
        /// The peer.
        peer: Name,
    },
    /// N19: a setting differs from a peer's.
    SettingsDiffer {
        /// The peer.
        peer: Name,
        /// Which.
        key: AgreementKey,
    },
    /// N19: they agree again.
    SettingsAgree {
        /// The peer.
        peer: Name,
    },
    /// S11: what would have been done.
    WouldTakeOver {
        /// Why.
        rule: Rule,
    },
    /// An operator asked a peer to hand over.
    HandOverAsked {
        /// The Primary that was asked.
        peer: Name,
        /// Who asked.
        by: Name,
    },
    /// A peer refused to hand over.
    HandOverRefused {
        /// The peer.
        peer: Name,
        /// Why.
        refusal: Refusal,
    },
    /// The successor did not announce itself: this member is a candidate again.
    HandOverLost {
        /// The successor.
        peer: Name,
    },
    /// N20: the state could not be written; no role is taken until it can.
    StateNotDurable,
    /// N20: it can be written again.
    StateDurable,
    /// N20: there was no state on disk, and no peer was heard: what terms were used before is not known.
    HistoryUnknown,
    /// Rule 11: after a forced step-down this member may take over again.
    StepDownEnded,
    /// P2: this Primary leaves its role, and first stops what runs only on the Primary.
    SteppingDown {
        /// Why.
        rule: Rule,
    },
    /// H5: a sick Primary was asked to hand over.
    HealthTakeoverAsked {
        /// The Primary.
        peer: Name,
        /// Its health.
        score: Score,
        /// This member's.
        mine: Score,
    },
    /// H5: a sick Primary was asked to hand over, and did not in time.
    HealthTakeoverUnanswered {
        /// The Primary.
        peer: Name,
    },
    /// S6: this member has taken over for health too often, and takes no more of this kind.
    FlapStopped {
        /// How often within the last hour.
        taken: u32,
    },
    /// S6: the operator let it take over for health again.
    FlapEnded {
        /// Who.
        by: Name,
    },
    /// S2: a peer is being switched off.
    Fencing {
        /// Who.
        peer: Name,
        /// Why.
        why: FenceWhy,
    },
    /// S2: a peer is off.
    FencedOff {
        /// Who.
        peer: Name,
    },
    /// S2: a peer is not known to be off.
    FencingFailed {
        /// Who.
        peer: Name,
        /// Why.
        why: String,
    },
    /// U2: an operator said that a peer is off.
    ToldOff {
        /// Who is off.
        peer: Name,
        /// Who looked.
        by: Name,
    },
    /// S2: a peer that counted as off was heard, without having started anew.
    HeardAfterOff {
        /// The peer.
        peer: Name,
        /// The operator who said that it is off; none: the fencing device did.
        by: Option<Name>,
    },
    /// S2: a peer's fencing device does not answer.
    FenceDeviceDead {
        /// The peer that it would switch off.
        peer: Name,
        /// What it said or did instead; empty in records from before it was kept.
        #[serde(default)]
        why: String,
    },
    /// S2: it answers again.
    FenceDeviceBack {
        /// The peer that it switches off.
        peer: Name,
    },
    /// S1: the arbiter does not answer.
    ArbiterLost {
        /// What was tried and what came of it.
        why: ArbiterTrouble,
    },
    /// S1: it answers again.
    ArbiterBack,
    /// N11: the arbiter allots numbers that were used before: it lost what it kept.
    ArbiterForgot {
        /// The number that it allotted.
        number: u64,
        /// The highest number that was used.
        floor: u64,
    },
    /// S4: this Primary's lease is over; it goes on because every other member grants it the role.
    ByGrants {
        /// Why the lease could not be renewed.
        why: String,
    },
    /// S1: no reference address answers.
    ReferenceLost,
    /// S1: one answers again.
    ReferenceBack,
}

impl Event {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Event::TwoPrimaries { .. }
            | Event::StateNotDurable
            | Event::FencingFailed { .. }
            | Event::HeardAfterOff { .. } => Severity::Alarm,
            Event::PeerGone { rule: Rule::PeerStopped { .. }, .. } => Severity::Note,
            Event::PeerGone { .. }
            | Event::Stalled { .. }
            | Event::HoldNotTold { .. }
            | Event::SettingsDiffer { .. }
            | Event::HandOverRefused { .. }
            | Event::HandOverLost { .. }
            | Event::HealthTakeoverAsked { .. }
            | Event::HealthTakeoverUnanswered { .. }
            | Event::FlapStopped { .. }
            | Event::Fencing { .. }
            | Event::FencedOff { .. }
            | Event::FenceDeviceDead { .. }
            | Event::ArbiterLost { .. }
            | Event::ArbiterForgot { .. }
            | Event::ByGrants { .. }
            | Event::ReferenceLost
            | Event::HistoryUnknown => Severity::Warning,
            Event::PeerUp { .. }
            | Event::PeerDown { .. }
            | Event::PeerBack { .. }
            | Event::PeerPrimary { .. }
            | Event::Held { .. }
            | Event::HoldEnded { .. }
            | Event::SettingsAgree { .. }
            | Event::WouldTakeOver { .. }
            | Event::HandOverAsked { .. }
            | Event::StateDurable
            | Event::SteppingDown { .. }
            | Event::FlapEnded { .. }
            | Event::ToldOff { .. }
            | Event::FenceDeviceBack { .. }
            | Event::ArbiterBack
            | Event::ReferenceBack
            | Event::StepDownEnded => Severity::Note,
        }
    }

    /// The event as a sentence without a full stop.
    pub fn text(&self) -> String {
        match self {
            Event::PeerUp { peer } => format!("the link to {peer} is up"),
            Event::PeerDown { peer } => format!("the link to {peer} is down"),
            Event::PeerGone { peer, rule } => format!("{peer} counts as gone: {}", rule.text()),
            Event::PeerBack { peer } => format!("{peer} is heard again"),
            Event::PeerPrimary { peer, term } => format!("{peer} is Primary, term {term}"),
            Event::TwoPrimaries { peer, term, mine } => {
                format!("this member and {peer} are both Primary: terms {mine} and {term}")
            }
            Event::Stalled { stalled_for } => {
                format!("this controller was itself stalled for at least {}", seconds(*stalled_for))
            }
            Event::Held { by, lasts } => format!("{by} holds the group for {}", hold_time(*lasts)),
            Event::HoldEnded { by: Some(by) } => format!("{by} ended the hold"),
            Event::HoldEnded { by: None } => "the hold ran out".to_owned(),
            Event::HoldNotTold { peer } => format!("{peer} could not be told about the hold; it will be when heard"),
            Event::SettingsDiffer { peer, key } => format!("{} differs between this member and {peer}", key.word()),
            Event::SettingsAgree { peer } => format!("the settings agree with {peer}'s again"),
            Event::WouldTakeOver { rule } => format!("observe-only: now it would take over, because {}", rule.text()),
            Event::HandOverAsked { peer, by } => format!("{by} asked {peer} to hand over"),
            Event::HandOverRefused { peer, refusal } => format!("{peer} refused to hand over: {}", refusal.text()),
            Event::HandOverLost { peer } => format!("{peer} did not take the role that was handed over to it"),
            Event::StateNotDurable => "the state directory cannot be written: no role is taken until it can".to_owned(),
            Event::StateDurable => "the state directory can be written again".to_owned(),
            Event::HistoryUnknown => "history unknown: no state on disk, and no peer was heard".to_owned(),
            Event::SteppingDown { rule } => {
                format!("stops what runs only on the Primary, because {}", rule.text())
            }
            Event::HealthTakeoverAsked { peer, score, mine } => format!(
                "asks {peer} to hand over: its health is {:.2}, this member's {:.2}",
                f64::from(*score),
                f64::from(*mine)
            ),
            Event::HealthTakeoverUnanswered { peer } => format!("{peer} is sick and did not hand over in time"),
            Event::FlapStopped { taken } => {
                format!("took over for health {taken} times within an hour: no more of this kind until `resume`")
            }
            Event::FlapEnded { by } => format!("{by} lets it take over for health again"),
            Event::Fencing { peer, why } => format!("switches {peer} off, because {}", why.text()),
            Event::FencedOff { peer } => format!("{peer} is off: its fencing device says so"),
            Event::FencingFailed { peer, why } => format!("fencing {peer} failed: {why}"),
            Event::ToldOff { peer, by } => format!("{by} looked: {peer} is off"),
            Event::HeardAfterOff { peer, by: None } => {
                format!("{peer} is heard after its fencing device said that it is off: the device or its agent lies")
            }
            Event::HeardAfterOff { peer, by: Some(by) } => {
                format!("{peer} is heard after {by} said that it is off")
            }
            Event::FenceDeviceDead { peer, why } if why.is_empty() => {
                format!("the fencing device of {peer} does not answer")
            }
            Event::FenceDeviceDead { peer, why } => format!("the fencing device of {peer} does not answer: {why}"),
            Event::FenceDeviceBack { peer } => format!("the fencing device of {peer} answers"),
            Event::ArbiterLost { why } => format!("the arbiter {}: {why}", why.does()),
            Event::ArbiterBack => "the arbiter answers again".to_owned(),
            Event::ArbiterForgot { number, floor } => {
                format!("the arbiter forgot its numbers: it allots {number}, and {floor} was used before")
            }
            Event::ByGrants { why } => {
                format!("its lease is over ({why}): it goes on because every other member grants it the role")
            }
            Event::ReferenceLost => "no reference address answers: this member may be cut off".to_owned(),
            Event::ReferenceBack => "a reference address answers".to_owned(),
            Event::StepDownEnded => "after the forced step-down this member may take over again".to_owned(),
        }
    }
}

/// The length of a hold, to the second: "30 min", "1 min 30 s".
pub fn hold_time(time: Duration) -> String {
    // Upwards: a moment passes between the operator's word and what is said of it.
    let seconds = time.as_millis().div_ceil(1_000);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_a_hold_of_seconds_is_not_told_as_minutes() {
        let told = |ms| hold_time(Duration::from_millis(ms));
        assert_eq!(told(4_998), "5 s");
        assert_eq!(told(90_000), "1 min 30 s");
        assert_eq!(told(1_799_997), "30 min");
        let event = Event::Held { by: "maria".into(), lasts: Duration::from_secs(5) };
        assert_eq!(event.text(), "maria holds the group for 5 s");
    }
}

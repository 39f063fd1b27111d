//! Why a mode changed: the rule that fired and the evidence it stood on.
//!
//! The screen, the journal and `explain` all print this same value; nobody composes the story a second time.

mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::{Ability, Score};
use super::member::Name;
use super::message::{HandOverCause, Mode};
use super::term::Term;
use super::time::Instant;

/// The rule that fired. One variant a rule, with what is needed to say its sentence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// N1: a controller boots as Secondary.
    Booted,
    /// N3: the peer was never heard since boot.
    NeverHeard {
        /// The peer waited for.
        peer: Name,
        /// How long.
        waited: Duration,
    },
    /// N4: every peer that lives answered "Primary".
    ToldPrimary {
        /// Who said so.
        by: Vec<Name>,
    },
    /// N4: the peer was silent for longer than the timeout.
    PeerSilent {
        /// The silent peer.
        peer: Name,
        /// How long.
        silent_for: Duration,
    },
    /// N14: the connection closed and every address of the peer refuses.
    PeerCrashed {
        /// The crashed peer.
        peer: Name,
    },
    /// N14: the peer said Bye.
    PeerStopped {
        /// The stopped peer.
        peer: Name,
    },
    /// S2: the peer is off: its fencing device says so, or somebody who looked.
    PeerOff {
        /// The peer.
        peer: Name,
        /// The operator who looked; none: the fencing device.
        by: Option<Name>,
    },
    /// H5: a sick Primary handed the role to this member, which had asked for it.
    TookOverForHealth {
        /// The sick peer.
        peer: Name,
        /// Its health as last heard.
        score: Score,
        /// This member's.
        mine: Score,
    },
    /// N18: the Primary released the role to this member.
    Released {
        /// Who released it.
        by: Name,
        /// The term that ended.
        term: Term,
    },
    /// U2: an operator made this member Primary, and what protection asks for was there.
    OperatorTookOver {
        /// Who.
        by: Name,
    },
    /// U2: an operator forced this member to be Primary.
    OperatorForced {
        /// Who.
        by: Name,
    },
    /// N12: a Primary in a higher term was heard.
    YieldedTo {
        /// The other Primary.
        peer: Name,
        /// Its term.
        term: Term,
        /// This member's.
        mine: Term,
    },
    /// N12, rule 10: a third member told of a Primary in a higher term.
    YieldedByRelay {
        /// Who told.
        via: Name,
        /// The other Primary.
        peer: Name,
        /// Its term.
        term: Term,
        /// This member's.
        mine: Term,
    },
    /// N18: the role was handed over.
    HandedOver {
        /// To whom.
        to: Name,
        /// Why.
        cause: HandOverCause,
        /// The operator who asked here; none when the successor asked.
        by: Option<Name>,
    },
    /// Rule 11: an operator forced a step-down with nobody to hand over to.
    SteppedDown {
        /// Who.
        by: Name,
    },
    /// N18: this controller stops.
    Stopping {
        /// The successor, when there is one.
        to: Option<Name>,
    },
    /// S1: fewer than a majority of the members grant the role.
    LostMajority {
        /// Members that do, this one included.
        reachable: u8,
        /// Members it takes.
        needed: u8,
    },
    /// S4: the arbiter's lease is over, or nearly, could not be renewed, and not every other member grants the role.
    LeaseOver {
        /// Why it could not be renewed.
        why: String,
    },
    /// N11: as Primary, this member heard of a higher term than its own, of nobody that is Primary now. It asks for a new term, because
    /// whoever compares terms refuses its old one (S5).
    Overtaken {
        /// Whose it is.
        peer: Name,
        /// The term.
        term: Term,
        /// This member's.
        mine: Term,
    },
    /// S9: this controller was itself stalled.
    Stalled {
        /// For how long.
        stalled_for: Duration,
    },
    /// Rule 7: while the term was written, a Primary was heard.
    AbandonedForPrimary {
        /// The Primary.
        peer: Name,
        /// Its term.
        term: Term,
    },
    /// Rule 7: while the term was written, what it rested on went away.
    AbandonedForChange {
        /// What is missing now.
        missing: String,
    },
    /// N20: the term could not be written.
    AbandonedForDisk,
}

/// How a peer stood when a decision was taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerEvidence {
    /// The peer.
    pub name: Name,
    /// Whether a connection to it was up.
    pub link_up: bool,
    /// How long ago it was last heard; none: never since boot.
    pub heard: Option<Duration>,
    /// Its mode and term as last heard.
    pub mode: Option<(Mode, Term)>,
    /// How able it said it was.
    pub able: Option<Ability>,
    /// Its health as last heard.
    pub score: Option<Score>,
    /// Its last answer: whether it consented, how long ago the question was sent, and which number it was for.
    pub answer: Option<AnswerEvidence>,
}

/// A peer's last answer as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnswerEvidence {
    /// Whether it said "be Primary".
    pub be_primary: bool,
    /// How long before the decision its question was sent.
    pub asked: Duration,
    /// The number that the question proposed.
    pub proposed: u64,
}

/// What protection went by when a decision was taken, beside what the peers said (S1). Empty where it asks for neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProtectionEvidence {
    /// The arbiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arbiter: Option<ArbiterEvidence>,
    /// The reference addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceEvidence>,
}

/// The arbiter as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArbiterEvidence {
    /// Why it did not answer the last call; none: it did.
    pub mute: Option<String>,
    /// Who held the lease, as last heard.
    pub holder: Option<Name>,
    /// This member's own lease: its number, and how long before the decision it was last asked for with success.
    pub lease: Option<(u64, Duration)>,
}

/// The reference addresses as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReferenceEvidence {
    /// How long before the decision one last answered; none: none has since this member's start.
    pub answered: Option<Duration>,
}

impl ProtectionEvidence {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.arbiter.is_none() && self.reference.is_none()
    }

    /// What was known, a sentence each, without full stops.
    pub fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        if let Some(arbiter) = &self.arbiter {
            facts.push(match (&arbiter.mute, &arbiter.holder) {
                (Some(why), _) => format!("the arbiter gave no answer to rely on: {why}"),
                (None, Some(holder)) => format!("the arbiter answered: the lease was {holder}'s"),
                (None, None) => "the arbiter answered: nobody else held the lease".to_owned(),
            });
            if let Some((number, asked)) = arbiter.lease {
                facts.push(format!(
                    "this member's own lease had the number {number}, asked for {} before",
                    seconds(asked)
                ));
            }
        }
        if let Some(reference) = &self.reference {
            facts.push(match reference.answered {
                Some(answered) => format!("a reference address answered {} before", seconds(answered)),
                None => "no reference address had answered".to_owned(),
            });
        }
        facts
    }
}

/// A change of mode with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at: Instant,
    /// The rule that fired. An object of its own in JSON: a rule may have a term too, and the keys must not meet.
    pub rule: Rule,
    /// The mode from now on.
    pub mode: Mode,
    /// The term: the one taken, or the one that ended.
    pub term: Term,
    /// What was known of each peer.
    pub evidence: Vec<PeerEvidence>,
    /// What protection went by.
    #[serde(default, skip_serializing_if = "ProtectionEvidence::is_empty")]
    pub protection: ProtectionEvidence,
}

/// Seconds with one decimal, as sentences write them.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

impl Decision {
    /// The decision as one line: the mode, the term, the reason.
    pub fn text(&self) -> String {
        // One that has not heard of any term is in none.
        let term = if self.term == Term::NONE { String::new() } else { format!(", term {}", self.term) };
        format!("{}{term}: {}", self.mode.word(), self.rule.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiation::member::MemberId;

    #[test]
    fn n11_a_decision_whose_rule_has_a_term_too_comes_back_from_json_as_it_was() {
        let decision = Decision {
            at: Instant(5),
            rule: Rule::YieldedTo {
                peer: "beta".into(),
                term: Term { number: 9, owner: MemberId(1) },
                mine: Term { number: 8, owner: MemberId(0) },
            },
            mode: Mode::Secondary,
            term: Term { number: 8, owner: MemberId(0) },
            evidence: Vec::new(),
            protection: Default::default(),
        };
        let json = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&json).unwrap(), decision);
    }
}

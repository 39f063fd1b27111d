//! How able a member is to be Primary, and the order among members that follows from it.

use serde::{Deserialize, Serialize};

use super::member::MemberId;

/// A Total Health Score from 0 to 1, kept in ten-thousandths so that it compares exactly and is never "not a number".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Score(u16);

impl Score {
    /// Perfect health; also what has nothing to measure (H1).
    pub const FULL: Score = Score(10_000);

    /// A score from ten-thousandths; more than 10 000 counts as 10 000.
    pub fn from_ten_thousandths(value: u16) -> Score {
        Score(value.min(10_000))
    }

    /// The score in ten-thousandths.
    pub fn ten_thousandths(self) -> u16 {
        self.0
    }
}

impl From<f64> for Score {
    /// Out of range is clamped; "not a number" is 0, because what cannot be computed must not look healthy.
    fn from(value: f64) -> Score {
        if value.is_nan() {
            return Score(0);
        }
        // In range after the clamp, so the cast keeps the value.
        Score((value.clamp(0.0, 1.0) * 10_000.0).round() as u16)
    }
}

impl From<Score> for f64 {
    fn from(score: Score) -> f64 {
        f64::from(score.0) / 10_000.0
    }
}

/// Why a member cannot be Primary at all.
///
/// The numbers are the wire's (PROTOCOL.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unable {
    /// The group's automatic takeovers are frozen and this member does not claim the role (S7).
    Held,
    /// `takeover.observe_only`: everything is computed, nothing is done (S11).
    ObserveOnly,
    /// It is shutting down.
    Stopping,
    /// Its state cannot be written (N20).
    StateNotDurable,
    /// The operator made it step down with nobody to hand over to (rule 11).
    SteppedDown,
    /// No arbiter answers it (S1).
    ArbiterUnreachable,
    /// No reference address answers it: it may be cut off (S1).
    NoReference,
    /// A reason this version does not know, from a newer peer (N17).
    Other,
}

impl Unable {
    /// The reason in a few words, as the screen says it.
    pub fn text(self) -> &'static str {
        match self {
            Unable::Held => "held",
            Unable::ObserveOnly => "observe-only",
            Unable::Stopping => "stopping",
            Unable::StateNotDurable => "its state cannot be written",
            Unable::SteppedDown => "the operator made it step down",
            Unable::ArbiterUnreachable => "the arbiter is out of reach",
            Unable::NoReference => "no reference address answers",
            Unable::Other => "for a reason this version does not know",
        }
    }
}

/// Why a member is a lesser candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sick {
    /// Its score is below the Total Health Threshold (H5).
    BelowThreshold,
    /// It lost the role for its health a short while ago (S6).
    LostForHealth,
}

impl Sick {
    /// The reason in a few words, as the screen says it.
    pub fn text(self) -> &'static str {
        match self {
            Sick::BelowThreshold => "its health is below the limit",
            Sick::LostForHealth => "it lost the role for its health",
        }
    }
}

/// How able a member is: 0 cannot, 1 sick, 2 fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// It cannot be Primary now.
    Cannot(Unable),
    /// It could, but a healthy member is better.
    Sick(Sick),
    /// It can.
    Fit,
}

impl Ability {
    /// 0 cannot, 1 sick, 2 fit: the first key of the order among members.
    pub fn level(self) -> u8 {
        match self {
            Ability::Cannot(_) => 0,
            Ability::Sick(_) => 1,
            Ability::Fit => 2,
        }
    }

    /// Why it is not fit, in a few words; `None` when it is.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Ability::Cannot(why) => Some(why.text()),
            Ability::Sick(why) => Some(why.text()),
            Ability::Fit => None,
        }
    }
}

/// The order among members: able, then claim, then lower address. The greater rank comes first for the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    level: u8,
    claim: bool,
    lower_address_first: std::cmp::Reverse<MemberId>,
}

impl Rank {
    /// The rank of `member`, which is `able` and `claim`s the role or not.
    pub fn new(member: MemberId, able: Ability, claim: bool) -> Rank {
        Rank { level: able.level(), claim, lower_address_first: std::cmp::Reverse(member) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_is_able_then_claim_then_lower_address() {
        let rank = Rank::new;
        assert!(rank(MemberId(0), Ability::Fit, false) > rank(MemberId(1), Ability::Fit, false));
        assert!(rank(MemberId(1), Ability::Fit, true) > rank(MemberId(0), Ability::Fit, false));
        assert!(rank(MemberId(1), Ability::Fit, false) > rank(MemberId(0), Ability::Sick(Sick::BelowThreshold), true));
        assert!(
            rank(MemberId(1), Ability::Sick(Sick::LostForHealth), false)
                > rank(MemberId(0), Ability::Cannot(Unable::Held), false)
        );
    }

    #[test]
    fn a_score_is_never_out_of_range_or_nan() {
        assert_eq!(Score::from(f64::NAN), Score(0));
        assert_eq!(Score::from(7.0), Score::FULL);
        assert_eq!(Score::from(-1.0), Score(0));
        assert_eq!(f64::from(Score::from(0.97)), 0.97);
        assert_eq!(Score::from_ten_thousandths(60_000), Score::FULL);
    }
}

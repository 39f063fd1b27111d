//! What a member is told before it starts: who the members are, the times, and what protects the group.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::Score;
use super::member::{MemberId, Name};

/// What must succeed before the role is taken, beside the members' consent (S1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// More than half of the configured members must be reachable and agree; groups of three and more.
    Majority,
    /// Every silent member must be confirmed off, or have said that it stops (S2).
    Fence,
    /// A lease in an arbiter must be held: etcd, or files on a shared directory (S1, rule 14).
    Arbiter,
    /// A reference address must have answered lately, so that an isolated machine does not promote itself. A filter, not
    /// a proof.
    Reachability,
}

impl Protection {
    /// The word of the configuration, the JSON and the screen.
    pub fn word(self) -> &'static str {
        match self {
            Protection::Majority => "majority",
            Protection::Fence => "fence",
            Protection::Arbiter => "arbiter",
            Protection::Reachability => "reachability",
        }
    }
}

/// Settings of one member. Build it, then [`Settings::check`] it: the machine relies on what that checks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// Who this member is.
    pub me: MemberId,
    /// Every member's name, in the order of their addresses.
    pub members: Vec<Name>,
    /// A hash over every member's name and addresses, which this room does not know: only ever compared (N19).
    pub members_hash: u64,
    /// What must succeed before the role is taken. Empty: the seed's availability-first rule.
    pub protection: Vec<Protection>,
    /// `arbiter.lease`: how long the arbiter's lease lasts. Counts under [`Protection::Arbiter`] only.
    pub lease: Duration,
    /// Period of a Secondary's queries and of a Primary's beacons.
    pub query_interval: Duration,
    /// Silence after which a peer counts as gone.
    pub reply_timeout: Duration,
    /// How long the listening side waits at boot for a peer it has never heard.
    pub boot_timeout: Duration,
    /// How long the connecting side keeps trying at boot; zero: the first failure decides (the seed's letter).
    pub connect_grace: Duration,
    /// Whether "closed, and refused on every address" is evidence of a crashed process (N14).
    pub crash_detection: bool,
    /// Say what would be done, do nothing (S11).
    pub observe_only: bool,
    /// The Total Health Threshold (H5): a score below it is sick.
    pub threshold: Score,
    /// By how much the own score must beat a sick Primary's (H5).
    pub margin: Score,
    /// Low scores in a row before acting; 0 counts as 1 (H5).
    pub confirmations: u32,
    /// Takeovers within an hour from a peer that still answers; then none until the operator speaks (S6).
    pub max_per_hour: u32,
    /// How long who lost the role for its health stays a lesser candidate (S6).
    pub sick_for: Duration,
    /// Whether a sick Primary is fenced even when it hands over when asked (H5, the seed's letter).
    pub fencing_always: bool,
    /// By member: how long who does not shoot first waits before it switches that one off (S3). None: there is no
    /// device for it.
    pub fence_delay: Vec<Option<Duration>>,
    /// Who shoots first when nobody is Primary; none: the lower address (S3).
    pub preferred: Option<MemberId>,
}

/// What may change while a member runs: nothing that a promise, a lease or another member counts on (U10).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tuning {
    /// See [`Settings::crash_detection`].
    pub crash_detection: bool,
    /// See [`Settings::threshold`].
    pub threshold: Score,
    /// See [`Settings::margin`].
    pub margin: Score,
    /// See [`Settings::confirmations`].
    pub confirmations: u32,
    /// See [`Settings::max_per_hour`].
    pub max_per_hour: u32,
    /// See [`Settings::sick_for`].
    pub sick_for: Duration,
    /// See [`Settings::fencing_always`].
    pub fencing_always: bool,
    /// See [`Settings::fence_delay`].
    pub fence_delay: Vec<Option<Duration>>,
    /// See [`Settings::preferred`].
    pub preferred: Option<MemberId>,
}

/// What makes [`Settings`] unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A group needs two members, and the token has room for a bounded number.
    #[error("a group has 2 to {max} members, not {0}", max = super::member::MAX_MEMBERS)]
    MemberCount(usize),
    /// `me` is not one of the members.
    #[error("this member is not one of the group's members")]
    NotAMember,
    /// With two members a majority is both of them: nobody could ever take over.
    #[error("protection \"majority\" needs three or more members")]
    MajorityOfTwo,
    /// A time that must not be zero is.
    #[error("{0} must be longer than zero")]
    Zero(&'static str),
    /// Silence must be longer than the time between two questions.
    #[error("reply_timeout must be longer than query_interval")]
    TimeoutTooShort,
}

impl Settings {
    /// The defaults of the configuration for the member `me` of `members`.
    pub fn new(me: MemberId, members: Vec<Name>) -> Settings {
        Settings {
            me,
            fence_delay: vec![None; members.len()],
            members,
            members_hash: 0,
            protection: Vec::new(),
            lease: Duration::from_secs(5),
            query_interval: Duration::from_secs(1),
            reply_timeout: Duration::from_secs(3),
            boot_timeout: Duration::from_secs(10),
            connect_grace: Duration::from_secs(3),
            crash_detection: true,
            observe_only: false,
            threshold: Score::from_ten_thousandths(7_500),
            margin: Score::from_ten_thousandths(500),
            confirmations: 2,
            max_per_hour: 4,
            sick_for: Duration::from_secs(600),
            fencing_always: false,
            preferred: None,
        }
    }

    /// Whether the machine can work with these.
    pub fn check(&self) -> Result<(), SettingsError> {
        let count = self.members.len();
        if !(2..=super::member::MAX_MEMBERS).contains(&count) {
            return Err(SettingsError::MemberCount(count));
        }
        if self.me.index() >= count {
            return Err(SettingsError::NotAMember);
        }
        if self.protection.contains(&Protection::Majority) && count < 3 {
            return Err(SettingsError::MajorityOfTwo);
        }
        for (name, time) in [
            ("query_interval", self.query_interval),
            ("reply_timeout", self.reply_timeout),
            ("boot_timeout", self.boot_timeout),
            ("arbiter.lease", self.lease),
        ] {
            if time.is_zero() {
                return Err(SettingsError::Zero(name));
            }
        }
        if self.reply_timeout <= self.query_interval {
            return Err(SettingsError::TimeoutTooShort);
        }
        Ok(())
    }

    /// The part of these that may change while a member runs.
    pub fn tuning(&self) -> Tuning {
        Tuning {
            crash_detection: self.crash_detection,
            threshold: self.threshold,
            margin: self.margin,
            confirmations: self.confirmations,
            max_per_hour: self.max_per_hour,
            sick_for: self.sick_for,
            fencing_always: self.fencing_always,
            fence_delay: self.fence_delay.clone(),
            preferred: self.preferred,
        }
    }

    /// Takes on `tuning`. A list of delays for another number of members is the driver's bug, and is left out.
    pub(super) fn tune(&mut self, tuning: Tuning) {
        let Tuning { crash_detection, threshold, margin, confirmations, max_per_hour, sick_for, .. } = tuning;
        let members = self.members.len();
        if tuning.fence_delay.len() == members {
            self.fence_delay = tuning.fence_delay;
        }
        self.preferred = tuning.preferred.filter(|member| member.index() < members);
        self.fencing_always = tuning.fencing_always;
        self.crash_detection = crash_detection;
        self.threshold = threshold;
        self.margin = margin;
        self.confirmations = confirmations;
        self.max_per_hour = max_per_hour;
        self.sick_for = sick_for;
    }

    /// The name of `member`; "?" for one that is not configured.
    pub fn name(&self, member: MemberId) -> Name {
        self.members.get(member.index()).cloned().unwrap_or_else(|| Name::new("?"))
    }

    /// Whether `protection` holds `wanted`.
    pub fn protected_by(&self, wanted: Protection) -> bool {
        self.protection.contains(&wanted)
    }

    /// How long a lease lasts, the arbiter's or that of a majority's grants; none: no lease is used.
    pub fn lease_length(&self) -> Option<Duration> {
        if self.protected_by(Protection::Arbiter) {
            Some(self.lease)
        } else {
            self.protected_by(Protection::Majority).then_some(self.reply_timeout)
        }
    }

    /// How long who does not shoot first waits before it switches `member` off; none: there is no device for it.
    pub fn fence_delay_of(&self, member: MemberId) -> Option<Duration> {
        self.fence_delay.get(member.index()).copied().flatten()
    }

    /// Every member but this one, in the order of their addresses.
    pub fn others(&self) -> impl Iterator<Item = MemberId> + use<> {
        let me = self.me;
        // `check` bounds the count well below 256.
        (0..self.members.len() as u8).map(MemberId).filter(move |member| *member != me)
    }

    /// What the other members must have the same (N19).
    pub fn agreement(&self) -> Agreement {
        Agreement {
            members_hash: self.members_hash,
            protection: self.protection.clone(),
            reply_timeout: self.reply_timeout,
            lease: self.lease_length().unwrap_or_default(),
        }
    }
}

/// What members must agree on, key by key (N19). A difference is an alarm that names the key; of two times the shorter
/// binds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Agreement {
    /// Over the members' names and addresses, in order.
    pub members_hash: u64,
    /// `takeover.protection`, in the order of the configuration.
    pub protection: Vec<Protection>,
    /// `negotiation.reply_timeout`.
    pub reply_timeout: Duration,
    /// The lease; zero where none is used.
    pub lease: Duration,
}

/// A setting that two members have differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgreementKey {
    /// Names, addresses or their number.
    Members,
    /// `takeover.protection`.
    Protection,
    /// `negotiation.reply_timeout`.
    ReplyTimeout,
    /// The lease's length.
    Lease,
}

impl AgreementKey {
    /// The key as the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            AgreementKey::Members => "[[member]]",
            AgreementKey::Protection => "takeover.protection",
            AgreementKey::ReplyTimeout => "negotiation.reply_timeout",
            AgreementKey::Lease => "arbiter.lease",
        }
    }
}

impl Agreement {
    /// The keys in which `other` differs, in a fixed order.
    pub fn differences(&self, other: &Agreement) -> Vec<AgreementKey> {
        let mut keys = Vec::new();
        if self.members_hash != other.members_hash {
            keys.push(AgreementKey::Members);
        }
        let same_set = self.protection.len() == other.protection.len()
            && self.protection.iter().all(|one| other.protection.contains(one));
        if !same_set {
            keys.push(AgreementKey::Protection);
        }
        if self.reply_timeout != other.reply_timeout {
            keys.push(AgreementKey::ReplyTimeout);
        }
        if self.lease != other.lease && same_set {
            keys.push(AgreementKey::Lease);
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Settings {
        Settings::new(MemberId(0), vec!["alpha".into(), "beta".into()])
    }

    #[test]
    fn the_defaults_are_usable() {
        assert_eq!(two().check(), Ok(()));
    }

    #[test]
    fn a_majority_of_two_is_refused() {
        let settings = Settings { protection: vec![Protection::Majority], ..two() };
        assert_eq!(settings.check(), Err(SettingsError::MajorityOfTwo));
    }

    #[test]
    fn n19_each_differing_key_is_named() {
        let mine = Settings { members_hash: 1, ..two() }.agreement();
        let theirs = Agreement {
            members_hash: 2,
            protection: vec![Protection::Majority],
            reply_timeout: Duration::from_secs(9),
            lease: Duration::from_secs(9),
        };
        assert_eq!(mine.differences(&mine), vec![]);
        assert_eq!(
            mine.differences(&theirs),
            vec![AgreementKey::Members, AgreementKey::Protection, AgreementKey::ReplyTimeout]
        );
    }
}

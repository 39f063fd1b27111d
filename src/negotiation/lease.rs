//! What a Primary's right to act rests on where a lease is used: the members' grants (`majority`), the arbiter's lease,
//! or, while nobody reaches the arbiter, the grants of all (rules 8 and 9; S1, S4); and how long promises last (N16).

use std::time::Duration;

use super::decision::Rule;
use super::exchange::Output;
use super::guard::{self, Guard};
use super::member::MemberId;
use super::settings::{Agreement, Protection};
use super::stopping::Leaving;
use super::takeover::How;
use super::time::Instant;
use super::{Negotiator, State};

impl Negotiator {
    /// How long a promise to a member stands: the timeout, or the lease where one is used and it is longer (N16). Not what
    /// binds us, which a third member may have shortened without that one knowing, but the longest that it can count by.
    pub(super) fn promise_length(&self, to: MemberId) -> Duration {
        let theirs = self.peers[to.index()].agreement.as_ref();
        let shorter = |ours: Duration, theirs: Option<Duration>| {
            let theirs = theirs.filter(|time| !time.is_zero());
            theirs.map_or(ours, |theirs| if ours.is_zero() { theirs } else { theirs.min(ours) })
        };
        let timeout = shorter(self.settings.reply_timeout, theirs.map(|theirs| theirs.reply_timeout));
        let lease = shorter(self.settings.lease_length().unwrap_or_default(), theirs.map(|theirs| theirs.lease));
        timeout.max(lease)
    }

    /// The shortest of our times and our peers', zero left out: it binds (N19).
    pub(super) fn shortest(&self, ours: Duration, theirs: impl Fn(&Agreement) -> Duration) -> Duration {
        let agreements = self.peers.iter().filter_map(|peer| peer.agreement.as_ref());
        let shortest = agreements.map(theirs).filter(|time| !time.is_zero()).min();
        shortest.map_or(ours, |time| time.min(ours))
    }

    /// Whether a Primary holds a lease, and its peers grant it.
    pub(super) fn uses_lease(&self) -> bool {
        self.settings.lease_length().is_some()
    }

    /// How long a lease or a grant is worth something to who got it: less a tenth for drift and lateness.
    pub(super) fn grant_length(&self) -> Duration {
        if guard::off(Guard::LeaseMargin) {
            return self.lease;
        }
        self.lease - self.lease / 10
    }

    /// Rule 8: a Primary whose lease ends steps down, so early that what runs on it stops before the end.
    pub(super) fn check_lease(&mut self, out: &mut Vec<Output>) {
        let (State::Primary { .. } | State::Stopping(_)) = &self.state else { return };
        let held = self.hold.in_force() && guard::off(Guard::HoldStopsNoStepDown);
        if held || guard::off(Guard::LeaseEnds) {
            return;
        }
        let Some(lost) = self.lost_lease() else { return };
        match &self.state {
            State::Primary { term, how: How::ByRule } => {
                // Under a hold nobody else takes the role, so who loses it for want of a lease comes first to have it again.
                let claim = self.hold.in_force();
                self.leave(lost, *term, Leaving::Lost { claim }, out);
            }
            State::Stopping(stopping) if stopping.how == How::ByRule => self.hurry(out),
            State::Primary { how: How::Forced, .. }
            | State::Stopping(_)
            | State::Secondary
            | State::Becoming { .. } => {}
        }
    }

    /// Which lease is over, or would be before what runs has stopped.
    fn lost_lease(&self) -> Option<Rule> {
        let ends = |end: Option<Instant>| end.is_some_and(|end| end <= self.now + self.lease_lead());
        if ends(self.majority_end()) {
            let have = 1 + self.grants_live_at(self.now + self.lease_lead());
            // Both counts are bounded by the number of members.
            return Some(Rule::LostMajority { reachable: have as u8, needed: self.majority() as u8 });
        }
        ends(self.arbiter_end()).then(|| Rule::LeaseOver { why: self.why_no_lease() })
    }

    /// When the lease ends unless it is renewed; none: there is none. Before it is had it ends at once.
    pub(super) fn lease_end(&self) -> Option<Instant> {
        match (self.majority_end(), self.arbiter_end()) {
            (Some(majority), Some(arbiter)) => Some(majority.min(arbiter)),
            (majority, arbiter) => majority.or(arbiter),
        }
    }

    /// Until when more than half of the members grant.
    fn majority_end(&self) -> Option<Instant> {
        if !self.settings.protected_by(Protection::Majority) {
            return None;
        }
        let mut granted: Vec<Instant> = self.peers.iter().filter_map(|peer| peer.granted).collect();
        granted.sort_unstable_by(|one, other| other.cmp(one));
        // This member itself is the first of the majority.
        let last = granted.get(self.majority().saturating_sub(2));
        Some(last.map_or(self.now, |granted| *granted + self.grant_length()))
    }

    /// Until when the arbiter's lease lasts, or every other member grants (S4).
    fn arbiter_end(&self) -> Option<Instant> {
        if !self.settings.protected_by(Protection::Arbiter) {
            return None;
        }
        Some(self.own_lease_end().max(self.agreement_end()).unwrap_or(self.now))
    }

    /// S4's agreement: until when *every* other member grants; with settings that differ it is off (N19).
    fn agreement_end(&self) -> Option<Instant> {
        if !self.settings_agree() {
            return None;
        }
        let mut first: Option<Instant> = None;
        for peer in self.settings.others() {
            let granted = self.peers[peer.index()].granted?;
            let some = guard::off(Guard::EveryGrantWithoutArbiter);
            first = Some(first.map_or(granted, |first| if some { first.max(granted) } else { first.min(granted) }));
        }
        first.map(|granted| granted + self.grant_length())
    }

    pub(super) fn live_grants(&self) -> usize {
        self.grants_live_at(self.now)
    }

    fn grants_live_at(&self, at: Instant) -> usize {
        let live = |granted: Instant| at < granted + self.grant_length();
        self.settings.others().filter(|peer| self.peers[peer.index()].granted.is_some_and(live)).count()
    }

    /// Live grants from members that have given them for longer than a promise lasts. One that restarted may have
    /// promised to another before, and forgotten it; that is over then.
    pub(super) fn lasting_grants(&self) -> usize {
        let live = |granted: Instant| self.now < granted + self.grant_length();
        let lasting = |peer: &super::peer::Peer| {
            let longest = |agreement: &Agreement| agreement.reply_timeout.max(agreement.lease);
            let theirs = peer.agreement.as_ref().map_or(Duration::ZERO, longest);
            let promise = theirs.max(longest(&self.settings.agreement()));
            peer.granted.is_some_and(live) && peer.granting_since.is_some_and(|since| self.now >= since + promise)
        };
        self.settings.others().filter(|peer| lasting(&self.peers[peer.index()])).count()
    }
}

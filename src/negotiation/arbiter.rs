//! The arbiter (rule 14, and what rules 6, 8, 11 and 13 say of it; S1, S4): what it is asked and when, what its replies
//! are worth (`replies`), and what is known of it. How it is asked, over a network or a shared directory, is the driver's business.
//!
//! One call is under way at a time; a release may follow another call. A lease counts from when it was *asked* for, a
//! tenth less than it lasts, and a reply that is not to the call under way is worth nothing.

mod replies;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decision::ArbiterEvidence;
use super::event::Event;
use super::exchange::{ArbiterCall, Output};
use super::guard::{self, Guard};
use super::member::MemberId;
use super::settings::Protection;
use super::stopping::Leaving;
use super::takeover::{Assume, Condition, How};
use super::term::Term;
use super::time::Instant;
use super::trouble::ArbiterTrouble;
use super::view::ArbiterView;
use super::{Negotiator, State};

/// A lease that is wanted is asked for again after this, so that a free one is had soon after its end.
const SOON: Duration = Duration::from_millis(250);

/// However short the lease, the arbiter is asked no more often than this.
const SOONEST: Duration = Duration::from_millis(10);

/// The lease that this member holds.
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
pub(super) struct Lease {
    /// Allotted by the arbiter; the term that it is held for.
    pub number: u64,
    /// When the last acquisition or renewal that succeeded was asked for: its time counts from here.
    pub asked_at: Instant,
}

/// Whether the arbiter is within reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Reach {
    /// Not known yet.
    Unknown,
    /// The last call was answered.
    Answers,
    /// The last call was not.
    Mute {
        /// Why.
        why: ArbiterTrouble,
    },
}

/// A call that is not answered yet.
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) asked_at: Instant,
    pub(super) call: ArbiterCall,
}

/// How the last call that was answered came out.
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
pub(super) struct LastCall {
    pub(super) call: ArbiterCall,
    pub(super) asked_at: Instant,
    pub(super) over_at: Instant,
    /// Whether it got what it asked for.
    pub(super) done: bool,
}

/// What a member keeps about the arbiter.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct ArbiterDesk {
    pub lease: Option<Lease>,
    pub reach: Reach,
    pub(super) under_way: Option<Call>,
    /// The release that is not answered yet.
    pub(super) releasing: Option<Instant>,
    /// No two calls have the same time.
    pub(super) last_asked: Instant,
    pub(super) last: Option<LastCall>,
    /// When it last answered, and how long that took.
    pub(super) answered: Option<(Instant, Duration)>,
    pub(super) holder: Option<MemberId>,
    /// When the arbiter last said so.
    #[serde(default)]
    pub(super) holder_said: Option<Instant>,
    pub(super) free_since: Option<Instant>,
    /// Whether it was said that this Primary goes on by grants.
    pub(super) by_grants_said: bool,
    /// Why the lease was lost, when the arbiter itself said so.
    pub(super) lost: Option<String>,
    /// Whether it was said that it allots numbers that were used before.
    #[serde(default)]
    pub(super) forgot_said: bool,
}

impl ArbiterDesk {
    pub fn new() -> ArbiterDesk {
        ArbiterDesk {
            lease: None,
            reach: Reach::Unknown,
            under_way: None,
            releasing: None,
            last_asked: Instant::default(),
            last: None,
            answered: None,
            holder: None,
            holder_said: None,
            free_since: None,
            by_grants_said: false,
            lost: None,
            forgot_said: false,
        }
    }

    /// Our own sleep: the lease may be another's by now (rule 13). What is known of the arbiter's reach stands, because
    /// nothing that could go wrong rests on it.
    pub fn slept(&mut self) {
        self.lease = None;
    }

    /// Whether the last call was not answered.
    pub fn is_mute(&self) -> bool {
        matches!(self.reach, Reach::Mute { .. })
    }
}

impl Negotiator {
    /// The lease's number, when a takeover may rest on it: not over, nor about to be, and above every number heard of.
    pub(super) fn usable_lease(&self) -> Option<u64> {
        let lease = self.arbiter.lease?;
        let lasts = self.now + self.lease_lead() < lease.asked_at + self.grant_length();
        let above = lease.number > self.floor() || guard::off(Guard::LeaseAboveTheFloor);
        (lasts && above).then_some(lease.number)
    }

    /// Whether the lease that a takeover rested on has ended, or is about to.
    pub(super) fn lease_ran_out(&self, term: Term) -> bool {
        self.usable_lease().is_none()
            && self.arbiter.lease.is_some_and(|lease| lease.number == term.number && lease.number > self.floor())
    }

    /// The number that a takeover now would have (rule 7).
    pub(super) fn next_number(&self) -> u64 {
        self.usable_lease().unwrap_or(self.floor() + 1)
    }

    /// Until when the arbiter's lease is this member's.
    pub(super) fn own_lease_end(&self) -> Option<Instant> {
        self.arbiter.lease.map(|lease| lease.asked_at + self.grant_length())
    }

    /// Whether a takeover lacks nothing but the lease.
    fn lacks_only_the_lease(&self) -> bool {
        let (mut others, mut lease) = (true, true);
        let _ = self.walk_rule_6(Assume::Nothing, &mut |met, condition| {
            match condition {
                Condition::Leased(_) => lease = met,
                Condition::Able(_)
                | Condition::NotWaiting(_)
                | Condition::NoPromise(_)
                | Condition::Settled
                | Condition::Member(..)
                | Condition::Majority { .. }
                | Condition::Reference
                | Condition::Fenced(_) => others &= met,
            }
            std::ops::ControlFlow::Continue(())
        });
        others && !lease
    }

    /// A Secondary's looks: often enough that the end of a lease is known soon where only looks tell of its renewals.
    pub(super) fn look_period(&self) -> Duration {
        self.binding_interval().min(self.lease / 10).max(SOONEST)
    }

    fn soon(&self) -> Duration {
        (self.lease / 20).clamp(SOONEST, SOON)
    }

    /// How long one call may take: several must fit between a renewal's turn and the lease's end.
    fn call_time(&self) -> Duration {
        (self.lease / 5).max(SOONEST)
    }

    /// The renewals' period: a third of the lease.
    pub(super) fn renewal_period(&self) -> Duration {
        self.lease / 3
    }

    /// What the arbiter is to be asked next, and when; none: nothing before something else happens.
    fn next_call(&self) -> Option<(Instant, ArbiterCall)> {
        if !self.settings.protected_by(Protection::Arbiter) {
            return None;
        }
        if self.arbiter.under_way.is_some() || self.arbiter.releasing.is_some() || self.stopped {
            return None;
        }
        let look_at = self.arbiter.last.map_or(self.now, |last| last.asked_at + self.look_period());
        let look = Some((look_at, ArbiterCall::Look));
        let failed_at = |wanted: fn(&ArbiterCall) -> bool| {
            self.arbiter.last.filter(|last| wanted(&last.call) && !last.done).map(|last| last.over_at)
        };
        if self.announced().is_some() {
            let Some(lease) = self.arbiter.lease else {
                // One that acts by force looks for what makes it an ordinary Primary; any other goes on in its term.
                let call =
                    if self.is_forced() { ArbiterCall::Acquire { above: self.floor() } } else { ArbiterCall::Look };
                return Some((look_at, call));
            };
            let at = match failed_at(|call| matches!(call, ArbiterCall::Renew { .. })) {
                Some(failed_at) => failed_at + self.soon(),
                None if self.wants_a_fresh_renewal(&lease) => self.now,
                None => lease.asked_at + self.renewal_period(),
            };
            return Some((at, ArbiterCall::Renew { number: lease.number }));
        }
        match self.state {
            State::Secondary if self.lacks_only_the_lease() => {
                let refused_at = failed_at(|call| matches!(call, ArbiterCall::Acquire { .. }));
                let at = refused_at.map_or(self.now, |refused_at| refused_at + self.soon());
                Some((at, ArbiterCall::Acquire { above: self.floor() }))
            }
            // The lease counts from its acquisition; a disk that is slower than that is too slow.
            State::Becoming { .. } => None,
            State::Secondary | State::Primary { .. } | State::Stopping(_) => look,
        }
    }

    /// When the arbiter is to be asked next.
    pub(super) fn next_call_at(&self) -> Option<Instant> {
        self.next_call().map(|(at, _)| at)
    }

    /// Asks what is due, and gives back a lease that leads nowhere.
    pub(super) fn consider_arbiter(&mut self, out: &mut Vec<Output>) {
        if matches!(self.state, State::Secondary)
            && self.kept.is_none()
            && !self.claim
            && self.arbiter.lease.is_some()
            && !self.may_take_over(Assume::Nothing)
            && !self.lacks_only_the_lease()
        {
            self.release_lease(out);
        }
        if let Some((at, call)) = self.next_call()
            && self.now >= at
        {
            let asked_at = self.call_arbiter(call, out);
            self.arbiter.under_way = Some(Call { asked_at, call });
        }
        self.say_by_grants(out);
    }

    fn call_arbiter(&mut self, call: ArbiterCall, out: &mut Vec<Output>) -> Instant {
        let asked_at = Instant(self.now.0.max(self.arbiter.last_asked.0 + 1));
        self.arbiter.last_asked = asked_at;
        out.push(Output::AskArbiter { asked_at, call, within: self.call_time() });
        asked_at
    }

    /// Gives the lease back, if this member has one: others need not wait for its end.
    pub(super) fn release_lease(&mut self, out: &mut Vec<Output>) {
        let Some(lease) = self.arbiter.lease.take() else { return };
        if self.arbiter.releasing.is_none() {
            self.arbiter.releasing = Some(self.call_arbiter(ArbiterCall::Release { number: lease.number }, out));
        }
    }

    /// Whether a lease is being given back to an arbiter that answers: what follows from it waits for that.
    pub(super) fn lease_is_being_released(&self) -> bool {
        self.arbiter.releasing.is_some() && self.arbiter.reach == Reach::Answers
    }

    /// Whether the arbiter's lease proves that no other member acts by the rules: it is held in this very number, and what
    /// this member granted to another before is over.
    pub(super) fn own_lease_is_proof(&self, number: u64) -> bool {
        let held = self.arbiter.lease.is_some_and(|lease| lease.number == number);
        let agreement = self.settings.agreement();
        let promised = agreement.reply_timeout.max(agreement.lease);
        held && self.own_lease_end().is_some_and(|end| self.now < end) && self.now >= self.since + promised
    }

    /// Whether this is a Primary without a lease of its own that goes on because every other member grants it the role.
    pub(super) fn goes_on_by_grants(&self) -> bool {
        self.settings.protected_by(Protection::Arbiter)
            && matches!(self.state, State::Primary { how: How::ByRule, .. })
            && self.own_lease_end().is_none_or(|end| end <= self.now)
    }

    fn say_by_grants(&mut self, out: &mut Vec<Output>) {
        let by_grants = self.goes_on_by_grants();
        if by_grants && !self.arbiter.by_grants_said {
            self.event(Event::ByGrants { why: self.why_no_lease() }, out);
        }
        self.arbiter.by_grants_said = by_grants;
    }

    /// Why this member's lease could not be renewed, as a clause.
    pub(super) fn why_no_lease(&self) -> String {
        match (&self.arbiter.lost, &self.arbiter.reach) {
            (Some(lost), _) => lost.clone(),
            (None, Reach::Mute { why }) => why.to_string(),
            (None, Reach::Unknown | Reach::Answers) => "no renewal was answered in time".to_owned(),
        }
    }

    /// Rule 15 beside an arbiter: a Primary that hears nobody shoots only after a renewal that it asked for since. It
    /// proves that the Primary is not the one that is cut off, and that the others cannot have the lease.
    pub(super) fn has_renewed_since_alone(&self) -> bool {
        if !self.settings.protected_by(Protection::Arbiter) {
            return true;
        }
        let Some(since) = self.alone_since else { return false };
        self.arbiter.lease.is_some_and(|lease| lease.asked_at >= since)
    }

    fn wants_a_fresh_renewal(&self, lease: &Lease) -> bool {
        self.settings.protected_by(Protection::Fence) && self.alone_since.is_some_and(|since| lease.asked_at < since)
    }

    /// A member that left the role gives its lease back once nothing runs any more; who only slept has none.
    pub(super) fn lease_after(&mut self, leaving: Leaving, out: &mut Vec<Output>) {
        match leaving {
            // It comes first among equals and asks for a new one, which it gets as the holder of this.
            Leaving::Lost { claim: true } => {}
            Leaving::HandsOver { .. }
            | Leaving::Ends { .. }
            | Leaving::StepsDown
            | Leaving::Lost { claim: false }
            | Leaving::Yields => self.release_lease(out),
        }
    }

    pub(super) fn arbiter_evidence(&self) -> Option<ArbiterEvidence> {
        let mute = match &self.arbiter.reach {
            Reach::Mute { why } => Some(why.to_string()),
            Reach::Unknown | Reach::Answers => None,
        };
        let other = self.arbiter.holder.filter(|holder| *holder != self.settings.me);
        self.settings.protected_by(Protection::Arbiter).then(|| ArbiterEvidence {
            mute,
            holder: other.map(|holder| self.settings.name(holder)),
            lease: self.arbiter.lease.map(|lease| (lease.number, self.now.since(lease.asked_at))),
        })
    }

    pub(super) fn arbiter_view(&self) -> Option<ArbiterView> {
        if !self.settings.protected_by(Protection::Arbiter) {
            return None;
        }
        let why = match &self.arbiter.reach {
            Reach::Mute { why } => Some(why.clone()),
            Reach::Unknown | Reach::Answers => None,
        };
        Some(ArbiterView {
            answers: self.arbiter.reach == Reach::Answers,
            answered: self.arbiter.answered.map(|(at, _)| at),
            took: self.arbiter.answered.map(|(_, took)| took),
            why,
            holder: self.arbiter.holder.map(|holder| self.settings.name(holder)),
            holder_until: self.arbiter.holder_said.map(|said| said + self.lease),
            free_since: self.arbiter.free_since,
            mine_until: self.own_lease_end(),
            by_grants: self.goes_on_by_grants(),
        })
    }
}

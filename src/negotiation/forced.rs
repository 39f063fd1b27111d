//! Acting by an operator's force (U2): what it risks, and when that is over.
//!
//! Who is forced to act may have promised another that it would not (N16), and that other may go on acting by that word
//! until it ends. The force breaks the promise for this member alone. It stands towards everybody else: a third that got
//! the role from here, or a consent after a step-down, would act by the rules beside the one that still relies on it. So
//! the promise is kept through the force, and what hands the role on waits for its end: the other has given way, or is
//! off, or its time is over. That is never longer than a promise lasts, so a shutdown does not hang by it.

use std::time::Duration;

use super::ability::{Ability, Unable};
use super::exchange::Output;
use super::guard::{self, Guard};
use super::member::MemberId;
use super::message::Mode;
use super::settings::Protection;
use super::stopping::Runs;
use super::takeover::How;
use super::term::Term;
use super::time::Instant;
use super::view::Gone;
use super::{Negotiator, Promise, State};

impl Negotiator {
    /// The promise that an operator's force broke, while this member acts or leaves the role.
    fn broken_promise(&self) -> Option<Promise> {
        match self.state {
            State::Primary { .. } | State::Stopping(_) => self.promise.filter(|promise| self.now < promise.until),
            State::Secondary | State::Becoming { .. } => None,
        }
    }

    /// Looks whether what a force risked is over: then what waited for that goes on, and the Primary is an ordinary one.
    pub(super) fn review_force(&mut self, out: &mut Vec<Output>) {
        if let Some(promise) = self.broken_promise()
            && self.announced().is_some_and(|term| self.gave_way(promise.to, term))
        {
            self.promise = None;
        }
        let waited = matches!(&self.state, State::Stopping(stopping) if stopping.runs == Runs::Nothing);
        if waited && !self.waits_to_release() {
            self.serving_stopped(out);
        }
        self.check_force();
    }

    /// Whether the role may not go to the one it is handed to yet, because another may still act by a promise of ours.
    pub(super) fn waits_for_a_promise(&self) -> bool {
        self.hands_over_to().is_some_and(|to| self.broken_to_another(to).is_some())
    }

    /// When a hand-over that is under way may be finished as far as promises go; none: nothing stands in its way.
    pub fn releases_at(&self) -> Option<Instant> {
        self.broken_promise().filter(|_| self.waits_for_a_promise()).map(|promise| promise.until)
    }

    /// The promise that a hand-over to `to` has to wait for.
    fn broken_to_another(&self, to: MemberId) -> Option<Promise> {
        self.broken_promise().filter(|promise| promise.to != to)
    }

    /// How long a hand-over to `to` takes at most from now on, as it is told: until everything has stopped, and until no
    /// promise stands in its way.
    pub(super) fn release_takes(&self, to: MemberId) -> Duration {
        let promised = self.broken_to_another(to).map_or(Duration::ZERO, |promise| promise.until.since(self.now));
        self.stop_time.max(promised)
    }

    /// Whether a peer is known not to act by what was granted to it before `term` was acted in: it says that it is
    /// Secondary and has stopped, and knows the term, so that no consent from before counts; or it is off, or has ended.
    fn gave_way(&self, peer: MemberId, term: Term) -> bool {
        match self.gone(peer) {
            // Who yields says "Secondary" while its processes still stop; and who has not heard of this term may yet take
            // over on a consent that this member gave it before.
            None => {
                let known = &self.peers[peer.index()];
                let stops = matches!(known.able, None | Some(Ability::Cannot(Unable::Stopping)));
                known.mode == Some(Mode::Secondary) && known.seen >= term && !stops
            }
            Some(Gone::Off | Gone::Stopped) => true,
            Some(Gone::NeverHeard | Gone::Silent | Gone::Crashed) => false,
        }
    }

    /// A Primary by an operator's force becomes an ordinary one when what protection asks for is there, and no lease of
    /// another can still stand (U2). Its risk is over then, and so is the warning of it.
    fn check_force(&mut self) {
        let State::Primary { term, how: How::Forced } = self.state else { return };
        let by = |protection| self.settings.protected_by(protection);
        let fence = by(Protection::Fence);
        // Unprotected, who is silent counts for gone.
        let stands_by = |peer: MemberId| self.gave_way(peer, term) || (!fence && self.gone(peer).is_some());
        // No lease of the former can still rest on who grants this one.
        let majority = !by(Protection::Majority) || 1 + self.lasting_grants() >= self.majority();
        let arbiter = !by(Protection::Arbiter) || self.own_lease_is_proof(term.number);
        let fenced = by(Protection::Majority) || self.settings.others().all(stands_by);
        if majority && arbiter && fenced {
            self.state = State::Primary { term, how: How::ByRule };
        }
    }

    /// Becoming Primary: whoever takes the role by the rules has no promise out; who is forced to may, and keeps it.
    pub(super) fn promise_when_acting(&mut self, how: How) {
        match how {
            How::Forced if !guard::off(Guard::ForceKeepsThePromise) => {}
            How::Forced | How::ByRule => self.promise = None,
        }
    }
}

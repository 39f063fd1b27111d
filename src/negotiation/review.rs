//! What time alone brings: the interval, silences that are over, promises that end, and our own lateness (rules 4, 6
//! and 13). Looked at after every input, because every input may have brought it about.

use std::time::Duration;

use super::decision::Rule;
use super::event::Event;
use super::exchange::Output;
use super::guard::{self, Guard};
use super::member::Name;
use super::stopping::Leaving;
use super::takeover::{Assume, How, NEVER};
use super::time::Instant;
use super::view::Gone;
use super::{Negotiator, State};

/// After a late wake-up no silence is judged for this long, so that everything that was waiting is heard first.
const READ_FIRST: Duration = Duration::from_millis(1);

/// A peer's timeout, however absurd, makes nobody speak more often than this.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

impl Negotiator {
    /// When [`super::exchange::Input::Tick`] is wanted next, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        let mut next = self.next_interval;
        let mut consider = |at: Option<Instant>| next = next.min(at.unwrap_or(NEVER));
        for peer in self.settings.others() {
            let known = &self.peers[peer.index()];
            if known.gone_said.is_none() {
                consider(known.gone_at(&self.silence_times(peer)));
            }
            consider(self.shoots_at(peer));
        }
        if self.announced().is_some() && !self.is_forced() {
            let leaves_at = self.lease_end().map(|end| end - self.lease_lead());
            consider(leaves_at.filter(|at| *at > self.now));
        }
        consider(self.next_call_at());
        consider(self.next_reference_at());
        consider(self.reference_counts_from());
        consider(self.promise.map(|promise| promise.until));
        consider(self.waiting_for.map(|waiting| waiting.until));
        consider(self.kept.as_ref().map(|kept| kept.until));
        consider(self.stepped_down_until);
        consider(self.lost_until);
        consider(self.health_takeovers.next_deadline());
        consider(self.hold.expires());
        consider(self.command.as_ref().map(|command| command.deadline));
        if self.now < self.settle_until && self.must_settle() {
            consider(Some(self.settle_until));
        }
        Some(next)
    }

    pub(super) fn review(&mut self, out: &mut Vec<Output>) {
        self.end_what_is_over(out);
        let newly_gone = self.say_who_is_gone(out);
        self.check_lease(out);
        self.review_force(out);
        self.check_term(out);
        if self.now >= self.next_interval {
            self.interval(out);
        } else if newly_gone && self.settings.members.len() > 2 {
            // Rule 2: who reaches its own time-out asks all others at once.
            self.query_all(out);
        }
        self.consider_taking_over(out);
        self.note_alone();
        self.consider_arbiter(out);
        self.consider_reference(out);
        self.consider_fencing(out);
    }

    /// Since when this Primary hears nobody: what it then does to the others rests on proof from after it (rule 15).
    fn note_alone(&mut self) {
        let alone =
            matches!(self.state, State::Primary { .. }) && self.settings.others().all(|peer| self.gone(peer).is_some());
        self.alone_since = alone.then(|| self.alone_since.unwrap_or(self.now));
    }

    fn end_what_is_over(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        if let Some(promise) = self.promise {
            // Unprotected, the evidence of a crash ends a promise too (N14): a process that is gone cannot take up the
            // role, and one that comes back has forgotten the promise. A lease waits all the same, because a firewall
            // refuses too.
            let crashed = self.settings.protection.is_empty() && self.gone(promise.to) == Some(Gone::Crashed);
            if now >= promise.until || crashed {
                self.promise = None;
            }
        }
        if let Some(waiting) = self.waiting_for.filter(|waiting| now >= waiting.until) {
            // Rule 11: the successor did not announce itself; of equals this member comes first again.
            self.waiting_for = None;
            self.release = None;
            self.claim = true;
            self.event(Event::HandOverLost { peer: self.settings.name(waiting.to) }, out);
        }
        if self.kept.as_ref().is_some_and(|kept| now >= kept.until) {
            self.stop_kept(Leaving::Lost { claim: true }, out);
        }
        self.lost_until = self.lost_until.filter(|until| now < *until);
        if self.stepped_down_until.is_some_and(|until| now >= until) {
            self.stepped_down_until = None;
            self.event(Event::StepDownEnded, out);
        }
        if self.hold.expire(now) {
            // Or a restart would find it in force again (S7).
            self.disk.want();
            self.event(Event::HoldEnded { by: None }, out);
        }
        self.command_deadline(out);
        self.health_deadline(out);
    }

    fn say_who_is_gone(&mut self, out: &mut Vec<Output>) -> bool {
        let mut newly = false;
        for peer in self.settings.others() {
            let gone = self.gone(peer);
            let said = self.peers[peer.index()].gone_said;
            if gone == said {
                continue;
            }
            self.peers[peer.index()].gone_said = gone;
            match (said, self.gone_rule(peer)) {
                (None, Some(rule)) => {
                    newly = true;
                    self.event(Event::PeerGone { peer: self.settings.name(peer), rule }, out);
                }
                (Some(_), None) => {
                    let back = self.peers[peer.index()].heard.is_some();
                    if back {
                        self.event(Event::PeerBack { peer: self.settings.name(peer) }, out);
                    }
                }
                // From one kind of gone to another: nothing new to tell.
                (Some(_), Some(_)) | (None, None) => {}
            }
            let nobody_heard = self.settings.others().all(|other| !self.peers[other.index()].ever_up);
            if gone == Some(Gone::NeverHeard) && self.no_state_at_boot && nobody_heard && !self.history_said {
                self.history_said = true;
                self.event(Event::HistoryUnknown, out);
            }
        }
        newly
    }

    /// A Primary whose term is not the highest heard of takes a new one by the normal road: it comes first there, and
    /// nobody who compares terms would accept the old one (N11, S5).
    fn check_term(&mut self, out: &mut Vec<Output>) {
        let State::Primary { term: mine, how } = self.state else { return };
        if self.seen <= mine {
            return;
        }
        // A floor has no owner, and may hide a lower term that was acted in.
        let owner = self.seen.owner;
        let peer = if self.knows(owner) { self.settings.name(owner) } else { Name::new("another member") };
        let why = self.reason.rule.clone();
        let rule = Rule::Overtaken { peer, term: self.seen, mine };
        self.keep_or_leave(rule, mine, how, self.kill_at(), out);
        match how {
            How::ByRule => {}
            // What an operator forced stays forced.
            How::Forced => self.begin(why, How::Forced, out),
        }
    }

    /// A Secondary asks, a Primary announces itself (N4, N5, N12).
    fn interval(&mut self, out: &mut Vec<Output>) {
        let interval = self.binding_interval();
        let regular = self.next_interval + interval;
        // A late turn does not make up for the ones it missed.
        self.next_interval = if regular > self.now { regular } else { self.now + interval };
        match self.announced() {
            Some(term) => {
                for peer in self.settings.others() {
                    self.beacon(peer, term, out);
                }
            }
            None => self.query_all(out),
        }
    }

    /// Where a peer's shorter timeout binds (N19), this member speaks as much more often: else the peer would find it
    /// silent between two of its words.
    pub(super) fn binding_interval(&self) -> Duration {
        let own = self.settings.query_interval;
        if self.timeout >= self.settings.reply_timeout {
            return own;
        }
        let shortened = own.mul_f64(self.timeout.as_secs_f64() / self.settings.reply_timeout.as_secs_f64());
        shortened.clamp(SHORTEST_INTERVAL.min(own), own)
    }

    fn consider_taking_over(&mut self, out: &mut Vec<Output>) {
        if !matches!(self.state, State::Secondary) {
            return;
        }
        if self.settings.observe_only {
            let would = self.may_take_over(Assume::NotObserving);
            if would && !self.would_take_over_said {
                self.event(Event::WouldTakeOver { rule: self.road() }, out);
            }
            self.would_take_over_said = would;
        } else if self.may_take_over(Assume::Nothing) {
            self.begin(self.road(), How::ByRule, out);
        }
    }

    /// Rule 13. A delay that others allow only excuses their silence; a longer one is a stall.
    pub(super) fn late(&mut self, by: Duration, out: &mut Vec<Output>) {
        for peer in self.settings.others() {
            let known = &mut self.peers[peer.index()];
            // The messages that lay in the sockets follow this input; no silence is judged before them.
            if !guard::off(Guard::StallExcusesSilence) {
                known.allowance = known.allowance.saturating_add(by).saturating_add(READ_FIRST);
            }
            if let Some(not_before) = known.not_before {
                known.not_before = Some(not_before + by);
            }
        }
        if by >= self.stall_bound() && !guard::off(Guard::StallEndsTrust) {
            self.stalled(by, out);
        }
    }

    /// S9: trust nothing from before, and ask again.
    fn stalled(&mut self, stalled_for: Duration, out: &mut Vec<Output>) {
        // Before the grants are forgotten: what runs is kept no longer than they would have lasted.
        let kill_at = self.kill_at();
        let fresh = self.now + self.settings.query_interval.max(self.timeout / 3);
        for peer in self.settings.others() {
            let known = &mut self.peers[peer.index()];
            known.answer = None;
            known.answered_question = None;
            known.granted = None;
            known.primary = None;
            known.mode_known = false;
            known.fencing.slept();
            // A second stall never restarts the wait, so stalls cannot starve a takeover.
            known.not_before = Some(known.not_before.unwrap_or(fresh));
        }
        self.arbiter.slept();
        self.trust_from = self.now;
        self.event(Event::Stalled { stalled_for }, out);
        match self.state {
            State::Primary { term, how } => {
                self.keep_or_leave(Rule::Stalled { stalled_for }, term, how, kill_at, out);
            }
            State::Becoming { term, .. } => {
                self.claim = true;
                self.change_mode(State::Secondary, Rule::Stalled { stalled_for }, term, out);
            }
            State::Stopping(_) => self.slept_while_stopping(),
            State::Secondary => self.stop_kept(Leaving::Lost { claim: true }, out),
        }
        self.next_interval = self.now;
    }
}

//! What a member learns from its peers: connections, messages, and the Primaries it hears of (rules 8 to 10, N12).

use super::decision::Rule;
use super::event::Event;
use super::exchange::Output;
use super::guard::{self, Guard};
use super::member::MemberId;
use super::message::{Answer, Beacon, Grant, Hears, Message, Mode, Order, PeerHello, Query, Relay};
use super::peer::{Consent, LastAnswer};
use super::stopping::Leaving;
use super::takeover::{Assume, How};
use super::term::Term;
use super::time::Instant;
use super::{Negotiator, Promise, State};

impl Negotiator {
    pub(super) fn link_up(&mut self, peer: MemberId, hello: PeerHello, out: &mut Vec<Output>) {
        if !self.knows(peer) {
            return;
        }
        self.heard_is_not_off(peer, Some(hello.incarnation), out);
        self.heard_again(peer);
        let known = &mut self.peers[peer.index()];
        if known.incarnation != Some(hello.incarnation) {
            known.forget_words();
            known.incarnation = Some(hello.incarnation);
        }
        let was_up = known.link_up;
        known.link_up = true;
        known.ever_up = true;
        if !was_up {
            self.event(Event::PeerUp { peer: self.settings.name(peer) }, out);
        }
        self.compare_settings(peer, hello.agreement, out);
        self.send_hold(peer, out);
        match self.announced() {
            Some(term) => self.beacon(peer, term, out),
            None => self.query(peer, out),
        }
    }

    /// Any authenticated word. That it was Primary before it was gone is no news of now: until it says what it is, nobody
    /// is told that it acts, because somebody may have taken the role meanwhile (N12). What the rules go by stays.
    fn heard_again(&mut self, peer: MemberId) {
        let was_gone = self.gone(peer).is_some();
        let known = &mut self.peers[peer.index()];
        if was_gone && known.mode == Some(Mode::Primary) {
            known.mode = None;
        }
        known.hear(self.now);
    }

    /// N19: a difference is named, and the shorter time binds.
    fn compare_settings(&mut self, peer: MemberId, theirs: super::settings::Agreement, out: &mut Vec<Output>) {
        let differs = self.settings.agreement().differences(&theirs);
        let known = &mut self.peers[peer.index()];
        known.agreement = Some(theirs);
        let before = std::mem::replace(&mut known.differs, differs.clone());
        let name = self.settings.name(peer);
        for key in &differs {
            if !before.contains(key) {
                self.event(Event::SettingsDiffer { peer: name.clone(), key: *key }, out);
            }
        }
        if differs.is_empty() && !before.is_empty() {
            self.event(Event::SettingsAgree { peer: name }, out);
        }
        self.timeout = self.shortest(self.settings.reply_timeout, |theirs| theirs.reply_timeout);
        self.lease = self.shortest(self.settings.lease_length().unwrap_or(self.timeout), |theirs| theirs.lease);
        self.next_interval = self.next_interval.min(self.now + self.binding_interval());
    }

    pub(super) fn link_down(&mut self, peer: MemberId, out: &mut Vec<Output>) {
        if !self.knows(peer) || !self.peers[peer.index()].link_up {
            return;
        }
        let known = &mut self.peers[peer.index()];
        known.link_up = false;
        known.pending_query = None;
        known.pending_grant = None;
        self.event(Event::PeerDown { peer: self.settings.name(peer) }, out);
    }

    pub(super) fn link_refused(&mut self, peer: MemberId) {
        if !self.knows(peer) {
            return;
        }
        let known = &mut self.peers[peer.index()];
        known.attempt_failed = true;
        known.refused = known.ever_up && !known.link_up;
    }

    pub(super) fn connect_failed(&mut self, peer: MemberId) {
        if self.knows(peer) {
            self.peers[peer.index()].attempt_failed = true;
        }
    }

    pub(super) fn received(&mut self, peer: MemberId, message: Message, out: &mut Vec<Output>) {
        // What arrives from an older connection is dropped.
        let dead = !self.knows(peer) || !self.peers[peer.index()].link_up;
        if dead && !(self.knows(peer) && guard::off(Guard::DeadConnectionIsDropped)) {
            return;
        }
        self.heard_is_not_off(peer, None, out);
        self.heard_again(peer);
        match message {
            Message::Query(query) => self.hear_query(peer, query, out),
            Message::Answer(answer) => self.hear_answer(peer, answer, out),
            Message::Beacon(beacon) => self.hear_beacon(peer, beacon, out),
            Message::Grant(grant) => self.hear_grant(peer, grant),
            Message::Relay(relay) => self.hear_relay(peer, relay, out),
            Message::HandOverRequest(request) => self.hear_request(peer, request, out),
            Message::HandOverAnswer(answer) => self.hear_hand_over_answer(peer, answer, out),
            Message::Released(released) => self.hear_released(peer, released, out),
            Message::Hold(hold) => self.hear_hold(peer, hold, out),
            Message::Bye => {
                let known = &mut self.peers[peer.index()];
                known.said_bye = true;
                known.primary = None;
                known.mode = Some(Mode::Secondary);
                known.pending_query = None;
                known.pending_grant = None;
                self.end_promise_to(peer);
            }
        }
    }

    fn hear_query(&mut self, peer: MemberId, query: Query, out: &mut Vec<Output>) {
        let known = &mut self.peers[peer.index()];
        known.mode = Some(Mode::Secondary);
        known.mode_known = true;
        known.primary = None;
        known.able = Some(query.able);
        known.candidate = query.candidate;
        known.claim = query.claim;
        known.score = Some(query.score);
        known.hears = query.hears;
        known.seen = query.seen;
        self.raise_seen(query.seen);
        self.answer(peer, query, out);
    }

    fn hear_answer(&mut self, peer: MemberId, answer: Answer, out: &mut Vec<Output>) {
        let asked_at = Instant(answer.id.0);
        self.raise_seen(answer.seen);
        if let Order::StaySecondary { floor: Some(floor) } = answer.order {
            // A floor has no owner: the lowest term of that number.
            self.raise_seen(Term { number: floor, owner: Term::NONE.owner });
        }
        let known = &mut self.peers[peer.index()];
        known.mode = Some(answer.mode);
        known.mode_known = true;
        known.term = answer.term;
        known.seen = answer.seen;
        known.able = Some(answer.able);
        known.claim = answer.claim;
        known.score = Some(answer.score);
        known.hears = Hears::You;
        // Nothing counts that was asked before we slept, or that was never asked.
        if asked_at >= self.trust_from && asked_at <= self.last_query {
            let former = known.answer.and_then(|last| last.consent);
            let consent = match answer.order {
                Order::BePrimary { proposed, written } => {
                    let released = former.is_some_and(|former| former.released && former.proposed == proposed);
                    Some(Consent { proposed, written, released })
                }
                Order::StaySecondary { .. } => None,
            };
            // A release stands for as long as it would have; a plain answer to an older question does not undo it.
            let newer = known.answer.is_none_or(|last| last.asked_at <= asked_at);
            if newer {
                known.answer = Some(LastAnswer { consent, asked_at });
                known.answered_question = Some(asked_at);
            }
        }
        if asked_at >= self.trust_from && asked_at <= self.last_query {
            self.note_score(peer, &answer);
        }
        match answer.mode {
            Mode::Primary => {
                self.hear_primary(peer, answer.term, out);
                self.consider_health(peer, out);
            }
            Mode::Secondary => self.peers[peer.index()].primary = None,
        }
    }

    fn hear_beacon(&mut self, peer: MemberId, beacon: Beacon, out: &mut Vec<Output>) {
        // Rule 9: granted only what is not below our own floor.
        let good_term = beacon.term.number >= self.floor() && beacon.term.number <= Term::MAX_NUMBER;
        let known = &mut self.peers[peer.index()];
        known.mode = Some(Mode::Primary);
        known.mode_known = true;
        known.term = beacon.term;
        known.hears = Hears::You;
        self.hear_primary(peer, beacon.term, out);
        let free = self.promise.is_none_or(|promise| promise.to == peer || self.now >= promise.until)
            || guard::off(Guard::GrantWhenFree);
        if self.uses_lease() && free && good_term && matches!(self.state, State::Secondary) {
            self.promise = Some(Promise { to: peer, until: self.now + self.promise_length(peer) });
            let grant = Grant { sent_at: beacon.sent_at, term: beacon.term };
            if self.seen_is_durable() {
                self.send(peer, Message::Grant(grant), out);
            } else {
                self.peers[peer.index()].pending_grant = Some(grant);
            }
        }
        self.relay_better(peer, out);
    }

    /// Rule 9: two Primaries that may not hear each other end through the third.
    fn relay_better(&mut self, heard: MemberId, out: &mut Vec<Output>) {
        let Some(term) = self.live_primary(heard) else { return };
        for other in self.settings.others() {
            let Some(other_term) = self.live_primary(other) else { continue };
            if other_term > term {
                self.send(heard, Message::Relay(Relay { term: other_term }), out);
            } else if other_term < term {
                self.send(other, Message::Relay(Relay { term }), out);
            }
        }
    }

    /// A peer says that it is Primary, by a Beacon or in an answer.
    fn hear_primary(&mut self, peer: MemberId, term: Term, out: &mut Vec<Output>) {
        let name = self.settings.name(peer);
        let known = &mut self.peers[peer.index()];
        let news = known.primary != Some(term);
        known.primary = Some(term);
        if news {
            self.event(Event::PeerPrimary { peer: name.clone(), term }, out);
        }
        self.raise_seen(term);
        if let Some(mine) = self.announced() {
            let known = &mut self.peers[peer.index()];
            if known.two_primaries_said != Some(term) {
                known.two_primaries_said = Some(term);
                self.event(Event::TwoPrimaries { peer: name.clone(), term, mine }, out);
            }
            if term < mine && !guard::off(Guard::OnlyTheLowerYields) {
                // Its turn to yield: tell it at once, not at the next interval.
                return self.beacon(peer, mine, out);
            }
        }
        match self.state {
            State::Primary { term: mine, .. } => {
                // N12: the lower term yields.
                self.leave(Rule::YieldedTo { peer: name, term, mine }, term, Leaving::Yields, out);
            }
            State::Becoming { .. } => {
                self.change_mode(State::Secondary, Rule::AbandonedForPrimary { peer: name, term }, term, out);
            }
            State::Secondary => self.stop_kept(Leaving::Yields, out),
            State::Stopping(_) => {}
        }
        self.stopping_sees_primary(term);
        self.primary_heard(out);
    }

    /// What ends when a Primary is heard.
    fn primary_heard(&mut self, out: &mut Vec<Output>) {
        self.claim = false;
        self.waiting_for = None;
        self.stepped_down_until = None;
        self.history_said = true;
        self.command_sees_primary(out);
    }

    fn hear_grant(&mut self, peer: MemberId, grant: Grant) {
        let Some(term) = self.announced() else { return };
        // A grant for an old beacon, or for another's, counts for nothing.
        let other_term = grant.term != term && !guard::off(Guard::GrantForThisTerm);
        if other_term || grant.sent_at < self.trust_from || grant.sent_at > self.now {
            return;
        }
        let now = self.now;
        let from = if guard::off(Guard::GrantFromTheBeacon) { now } else { grant.sent_at };
        let known = &mut self.peers[peer.index()];
        known.granted = Some(known.granted.map_or(from, |before| before.max(from)));
        known.granting_since.get_or_insert(now);
    }

    fn hear_relay(&mut self, via: MemberId, relay: Relay, out: &mut Vec<Output>) {
        let owner = relay.term.owner;
        if !self.knows(owner) {
            return;
        }
        self.raise_seen(relay.term);
        if let State::Primary { term: mine, .. } = self.state
            && relay.term > mine
        {
            let rule = Rule::YieldedByRelay {
                via: self.settings.name(via),
                peer: self.settings.name(owner),
                term: relay.term,
                mine,
            };
            self.leave(rule, relay.term, Leaving::Yields, out);
        }
    }

    pub(super) fn end_promise_to(&mut self, peer: MemberId) {
        if self.promise.is_some_and(|promise| promise.to == peer) {
            self.promise = None;
        }
    }

    pub(super) fn beacon(&mut self, to: MemberId, term: Term, out: &mut Vec<Output>) {
        self.send(to, Message::Beacon(Beacon { term, sent_at: self.now }), out);
    }

    pub(super) fn become_primary(&mut self, term: Term, how: How, rule: Rule, out: &mut Vec<Output>) {
        // What consented in writing is the first lease.
        for peer in self.settings.others() {
            let consent = self.consent(peer).filter(|consent| consent.written);
            let asked = self.peers[peer.index()].answer.map(|answer| answer.asked_at);
            let known = &mut self.peers[peer.index()];
            known.granted = consent.and(asked);
            known.granting_since = None;
            known.two_primaries_said = None;
        }
        debug_assert!(
            how == How::Forced
                || self.may_take_over(Assume::Nothing)
                || guard::off(Guard::LookAgainAfterTheDisk)
                || guard::off(Guard::PersistBeforeActing),
            "rule 6 was just asked"
        );
        if self.arbiter.lease.is_some_and(|lease| lease.number != term.number) {
            // By force, or by agreement: another number's lease is none of this term's.
            self.release_lease(out);
        }
        self.promise_when_acting(how);
        self.claim = false;
        self.waiting_for = None;
        self.stepped_down_until = None;
        self.seen = self.seen.max(term);
        self.own_term = term;
        self.change_mode(State::Primary { term, how }, rule.clone(), term, out);
        self.took_over(&rule, out);
        self.command_sees_own_role(out);
    }
}

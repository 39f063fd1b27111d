//! Answering a Mode Query (rule 3; N5, N6, N7).

use super::Negotiator;
use super::State;
use super::ability::{Ability, Rank, Unable};
use super::exchange::Output;
use super::guard::{self, Guard};
use super::member::MemberId;
use super::message::{Answer, Hears, Message, Order, Query};
use super::settings::Protection;
use super::term::Term;
use super::time::Instant;
use super::{Mode, Promise};

/// What rule 3 says, before the disk was asked.
enum Verdict {
    /// Rule 3, a to g.
    Stay { floor: Option<u64> },
    /// Rule 3, h.
    Consent,
}

impl Negotiator {
    /// Answers, once everything that the answer tells is on disk; until then the query waits, and is judged again.
    pub(super) fn answer(&mut self, asker: MemberId, query: Query, out: &mut Vec<Output>) {
        if self.release.is_some() {
            // That this member acts no more is said first by its release.
            self.peers[asker.index()].pending_query = Some(query);
            return;
        }
        let order = match self.verdict(asker, &query) {
            Verdict::Stay { floor } => Order::StaySecondary { floor },
            Verdict::Consent => {
                let vote = Term { number: query.proposed, owner: asker };
                if self.voted != vote {
                    self.voted = vote;
                    self.voted_version = self.disk.want();
                }
                self.promise = Some(Promise { to: asker, until: self.now + self.promise_length(asker) });
                let written = self.disk.holds(self.voted_version) || guard::off(Guard::PersistTheVote);
                if !written && !self.disk.failed {
                    self.peers[asker.index()].pending_query = Some(query);
                    return;
                }
                Order::BePrimary { proposed: query.proposed, written }
            }
        };
        if !self.seen_is_durable() {
            self.peers[asker.index()].pending_query = Some(query);
            return;
        }
        let answer = Answer {
            id: query.id,
            order,
            seen: self.seen,
            mode: self.mode(),
            term: self.own_term,
            able: self.ability(),
            claim: self.claim,
            score: self.score,
        };
        self.send(asker, Message::Answer(answer), out);
    }

    /// Rule 3, first match decides.
    fn verdict(&self, asker: MemberId, query: &Query) -> Verdict {
        const STAY: Verdict = Verdict::Stay { floor: None };
        // a: N5.
        match self.state {
            State::Primary { .. } | State::Becoming { .. } | State::Stopping(_)
                if guard::off(Guard::PrimaryConsentsToNobody) => {}
            State::Primary { .. } | State::Becoming { .. } | State::Stopping(_) => return STAY,
            State::Secondary => {}
        }
        // b: N7.
        let acts = |peer: MemberId| peer != asker && self.live_primary(peer).is_some();
        if self.settings.others().any(acts) && !guard::off(Guard::HeardPrimaryStands) {
            return STAY;
        }
        // c: N16.
        let promised = self.promise.filter(|promise| self.now < promise.until).map(|promise| promise.to);
        if promised.is_some_and(|to| to != asker) && !guard::off(Guard::PromiseToOne) {
            return STAY;
        }
        // d: N11. The very vote given before may be repeated.
        let repeated = self.voted == Term { number: query.proposed, owner: asker };
        let too_low = query.proposed <= self.floor() && !repeated && !guard::off(Guard::ConsentAboveTheFloor);
        if too_low || query.proposed > Term::MAX_NUMBER {
            return Verdict::Stay { floor: Some(self.floor()) };
        }
        // e: of three or more, somebody unheard may be Primary.
        if self.settings.members.len() > 2 {
            let unknown = self
                .settings
                .others()
                .any(|third| third != asker && !self.peers[third.index()].mode_known && self.gone(third).is_none());
            if (self.now < self.settle_until || unknown) && !guard::off(Guard::ConsentOnceSettled) {
                return STAY;
            }
        }
        // f: S10 wants one that can act; what nobody has is no reason.
        let lacks_what_nobody_has =
            query.able == Ability::Cannot(Unable::ArbiterUnreachable) && self.shares_the_outage();
        if !query.candidate || (query.able.level() == 0 && !lacks_what_nobody_has) {
            return STAY;
        }
        // g: N6, H5b. For a healthy pair: the lower address comes first.
        if promised != Some(asker) {
            let its_rank = Rank::new(asker, query.able, query.claim);
            let better_third = self.settings.others().any(|third| {
                third != asker
                    && self.peers[third.index()].candidate
                    && self.gone(third).is_none()
                    && self.rank_of(third).is_some_and(|rank| rank > its_rank)
            });
            let better_me = self.waiting_for.is_none() && self.my_rank() > its_rank;
            if (better_me || better_third) && !guard::off(Guard::RankDecides) {
                return STAY;
            }
        }
        // h
        Verdict::Consent
    }

    /// Whether this member, as its queries say, may be a candidate: it waits for no successor and has promised nobody.
    pub(super) fn is_candidate(&self) -> bool {
        self.waiting_for.is_none() && self.promise.is_none() && !matches!(self.state, State::Stopping(_))
    }

    /// Whether a peer's words still come, as it is told where fencing protects: one and a half intervals without one are
    /// more than chance, and less than a timeout, after which nothing may pass any more.
    fn hears(&self, peer: MemberId) -> Hears {
        let known = &self.peers[peer.index()];
        let silent = |heard: Instant| self.now.since(heard).saturating_sub(known.allowance);
        let missing = known.heard.is_some_and(|heard| silent(heard) * 2 > self.binding_interval() * 3);
        if missing && self.settings.protected_by(Protection::Fence) { Hears::NotYou } else { Hears::You }
    }

    /// Asks a peer (N4). A Primary asks nobody (N5); nor does who has the role still to release: a third would hear that
    /// nobody acts, and be promised the role by the very one that it is about to be released to (rule 11).
    pub(super) fn query(&mut self, to: MemberId, out: &mut Vec<Output>) {
        if self.mode() == Mode::Primary || self.release.is_some() || !self.peers[to.index()].link_up {
            return;
        }
        // The id is the time of sending, and no two are equal.
        let sent = self.now.0.max(self.last_query.0 + 1);
        self.last_query = Instant(sent);
        let query = Query {
            id: super::message::QueryId(sent),
            seen: self.seen,
            proposed: self.floor() + 1,
            able: self.ability(),
            candidate: self.is_candidate(),
            claim: self.claim,
            score: self.score,
            hears: self.hears(to),
        };
        self.send(to, Message::Query(query), out);
    }

    pub(super) fn query_all(&mut self, out: &mut Vec<Output>) {
        for peer in self.settings.others() {
            self.query(peer, out);
        }
    }
}

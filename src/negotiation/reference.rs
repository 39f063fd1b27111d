//! Reference addresses (`reachability`, S1): a member that none of them answers may be the one that is cut off, and does
//! not promote itself. A filter, not a proof: both sides of a cut may reach the same address.
//!
//! Two moments need care. When the others fall silent, an answer from before says nothing about it: one is asked anew.
//! And when the network of a member that was cut off is mended, the address answers at once, while the links to the
//! others are connected a moment later: for so long the answer does not count, or the member would take the role from a
//! Primary that it is about to hear.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decision::{ReferenceEvidence, seconds};
use super::event::Event;
use super::exchange::Output;
use super::guard::{self, Guard};
use super::member::MemberId;
use super::settings::Protection;
use super::time::Instant;
use super::view::{Gone, ReferenceView};
use super::{Negotiator, State};

/// When the network is back, the links have called again within this, whatever the timeout is: a call and a pause take less
/// than a second (the link's own test), and the kernel asks only once a second where a neighbour that was lost is.
const LINKS_ARE_BACK: Duration = Duration::from_secs(2);

/// What a member keeps about its reference addresses.
#[derive(Debug, Clone, Default, Hash, Serialize, Deserialize)]
pub(super) struct Reference {
    pub(super) under_way: Option<Instant>,
    pub(super) last_asked: Option<Instant>,
    /// When the last question that one of them answered was sent.
    pub(super) answered_question: Option<Instant>,
    /// When that answer came.
    pub(super) answered: Option<Instant>,
    /// Whether the last question was answered; none: not known yet.
    pub(super) answers: Option<bool>,
    /// The first of the questions that were not answered, and none since.
    pub(super) silent_since: Option<Instant>,
    /// Set when one answers again: from when on that counts, because the others would have been heard by then too.
    pub(super) counts_from: Option<Instant>,
}

impl Negotiator {
    /// Whether one answered less than the timeout ago, counted from the question, since this member last slept, and since
    /// all who are silent are so.
    pub(super) fn reference_answered(&self) -> bool {
        let recent = |asked: Instant| asked >= self.trust_from && self.now.since(asked) < self.timeout;
        let fresh = |asked: &Instant| recent(*asked) || guard::off(Guard::ReferenceIsFresh);
        let anew = |asked: &Instant| *asked >= self.silent_from() || guard::off(Guard::ReferenceInTheSilence);
        let lasts = self.reference_counts_from().is_none() || guard::off(Guard::ReferenceLasts);
        lasts && self.reference.answered_question.filter(fresh).is_some_and(|asked| anew(&asked))
    }

    /// Since when all that are silent now are so. Who refuses, said farewell or is off was reached or needs no proof.
    fn silent_from(&self) -> Instant {
        let silent = |peer: &MemberId| matches!(self.gone(*peer), Some(Gone::Silent | Gone::NeverHeard));
        let from = |peer: MemberId| self.peers[peer.index()].gone_at(&self.silence_times(peer));
        self.settings.others().filter(silent).filter_map(from).max().unwrap_or_default()
    }

    /// From the first question that fails to the first that is answered, where this member was cut off for so long that the
    /// others count as silent. A shorter silence is a lost packet: an address that loses some must not keep the role from
    /// everybody.
    fn shortest_cut(&self) -> Duration {
        self.timeout.min(LINKS_ARE_BACK).saturating_sub(2 * self.binding_interval())
    }

    /// When the answer of an address that is back begins to count; none: it does already.
    pub(super) fn reference_counts_from(&self) -> Option<Instant> {
        self.reference.counts_from.filter(|from| self.now < *from)
    }

    /// Whether the last question was not answered: what this member tells of itself.
    pub(super) fn reference_is_silent(&self) -> bool {
        self.reference.answers == Some(false)
    }

    /// Every interval while not Primary; when the next question is due.
    pub(super) fn next_reference_at(&self) -> Option<Instant> {
        let stands_by = matches!(self.state, State::Secondary | State::Becoming { .. });
        if !self.settings.protected_by(Protection::Reachability) || !stands_by || self.reference.under_way.is_some() {
            return None;
        }
        // What was answered before our own sleep, or the others' silence, counts for nothing, and is asked again at once.
        let counts = self.trust_from.max(self.silent_from());
        let again = self.reference.last_asked.filter(|asked| *asked >= counts);
        Some(again.map_or(self.now, |asked| asked + self.binding_interval()))
    }

    pub(super) fn consider_reference(&mut self, out: &mut Vec<Output>) {
        let Some(at) = self.next_reference_at() else { return };
        if self.now < at {
            return;
        }
        let asked_at = Instant(self.now.0.max(self.reference.last_asked.map_or(0, |last| last.0 + 1)));
        self.reference.last_asked = Some(asked_at);
        self.reference.under_way = Some(asked_at);
        let within = (self.timeout - self.timeout / 10).min(self.binding_interval()).max(Duration::from_millis(10));
        out.push(Output::AskReference { asked_at, within });
    }

    pub(super) fn reference_replied(&mut self, asked_at: Instant, answered: bool, out: &mut Vec<Output>) {
        if self.reference.under_way.take_if(|at| *at == asked_at).is_none() {
            return;
        }
        if answered {
            let silence = self.reference.silent_since.take().map(|since| asked_at.since(since));
            if silence.is_some_and(|silence| silence >= self.shortest_cut()) {
                self.reference.counts_from = Some(self.now + LINKS_ARE_BACK);
            }
            self.reference.answered_question = Some(asked_at);
            self.reference.answered = Some(self.now);
        } else {
            self.reference.silent_since.get_or_insert(asked_at);
        }
        let before = self.reference.answers.replace(answered);
        match (before, answered) {
            (None | Some(true), false) => self.event(Event::ReferenceLost, out),
            (Some(false), true) => self.event(Event::ReferenceBack, out),
            (None | Some(true), true) | (Some(false), false) => {}
        }
        if before.unwrap_or(true) != answered
            && matches!(self.state, State::Secondary)
            && self.best_live_primary().is_none()
        {
            // Nobody acts, and what the others judge this member by has changed: they hear it now.
            self.query_all(out);
        }
    }

    /// The `reachability` line of rule 6 in words.
    pub(super) fn reference_text(&self, ok: bool) -> String {
        if let Some(from) = self.reference_counts_from().filter(|_| !self.reference_is_silent()) {
            let left = seconds(from.since(self.now));
            return format!("a reference address answers again: the others have {left} to be heard");
        }
        match (ok, self.reference.answered) {
            (true, Some(at)) => format!("a reference address answered {}", super::look::ago(self.now.since(at))),
            (true, None) => "a reference address answers".to_owned(),
            (false, _) if self.reference.answers.is_none() => "no reference address was asked yet".to_owned(),
            (false, _) if self.reference.answers == Some(true) => "a reference address is asked once more".to_owned(),
            (false, _) => "no reference address answers: this member may be cut off".to_owned(),
        }
    }

    pub(super) fn reference_evidence(&self) -> Option<ReferenceEvidence> {
        let asked_for = self.settings.protected_by(Protection::Reachability);
        asked_for.then(|| ReferenceEvidence { answered: self.reference.answered.map(|at| self.now.since(at)) })
    }

    pub(super) fn reference_view(&self) -> Option<ReferenceView> {
        let asked_for = self.settings.protected_by(Protection::Reachability);
        asked_for
            .then(|| ReferenceView { answers: self.reference.answers == Some(true), answered: self.reference.answered })
    }
}

//! Taking over from a sick Primary (H5, S6): it is asked to hand over, and never pushed aside while it is heard.
//!
//! Nothing here ever compares two sick members: who asks is fit itself, and who lost the role for its health is not for
//! a while. So two sick controllers never swap roles back and forth.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::{Ability, Score, Sick};
use super::decision::Rule;
use super::event::Event;
use super::exchange::{DurableHealth, FenceWhy, Output};
use super::hand_over::{LONGEST_STOP, RELEASE_GRACE};
use super::member::{MemberId, Name};
use super::message::{Answer, HandOverAnswer, HandOverCause, HandOverRequest, Message, Mode, Refusal};
use super::settings::Protection;
use super::term::Term;
use super::time::Instant;
use super::view::HealthView;
use super::{Negotiator, State};

/// S6 counts within this.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// What is known of the Primary's health, and what was done about it.
#[derive(Debug, Default, Clone, Hash, Serialize, Deserialize)]
pub(super) struct HealthTakeovers {
    /// Whose low scores are counted.
    pub(super) of: Option<MemberId>,
    /// Low scores in a row.
    pub(super) low: u32,
    pub(super) asked: Option<Asked>,
    /// What was refused last, and told.
    pub(super) refused: Option<Refusal>,
    /// When this member took over for health, within the last hour.
    pub(super) taken: VecDeque<Instant>,
    /// Since when it takes no more of this kind (S6).
    pub(super) stopped: Option<Instant>,
    /// That it was asked, and that it did not answer, was told: once for each time it is sick.
    pub(super) asked_said: bool,
    pub(super) unanswered_said: bool,
    /// S11: what would have been done was said.
    pub(super) would_said: bool,
}

/// A Primary was asked to hand over for its health.
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) peer: MemberId,
    pub(super) term: Term,
    pub(super) since: Instant,
    /// When its time is over; an agreement moves it.
    pub(super) until: Instant,
    pub(super) score: Score,
}

impl HealthTakeovers {
    /// As the disk kept it: a member that restarts has taken over as often as before (S6).
    pub fn restore(kept: &DurableHealth, now: Instant) -> HealthTakeovers {
        let ago = |seconds: &u32| now - Duration::from_secs(u64::from(*seconds));
        let within = kept.taken.iter().filter(|seconds| u64::from(**seconds) < HOUR.as_secs());
        HealthTakeovers {
            taken: within.map(ago).collect(),
            stopped: kept.stopped.as_ref().map(ago),
            ..HealthTakeovers::default()
        }
    }

    /// When something is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.asked.map(|asked| asked.until)
    }
}

impl Negotiator {
    /// A Primary answered, with its score: counts what is low in a row.
    pub(super) fn note_score(&mut self, peer: MemberId, answer: &Answer) {
        if answer.mode != Mode::Primary {
            return;
        }
        let threshold = self.settings.threshold;
        let beaten =
            self.score.ten_thousandths() >= answer.score.ten_thousandths() + self.settings.margin.ten_thousandths();
        let low = answer.score < threshold && self.score >= threshold && self.score > answer.score && beaten;
        let takeovers = &mut self.health_takeovers;
        if takeovers.of != Some(peer) {
            takeovers.of = Some(peer);
            takeovers.low = 0;
        }
        takeovers.low = if low { takeovers.low.saturating_add(1) } else { 0 };
        if !low {
            takeovers.refused = None;
            (takeovers.asked_said, takeovers.unanswered_said, takeovers.would_said) = (false, false, false);
        }
    }

    /// H5: after so many low scores in a row the sick Primary is asked, anew after each refusal, at every low score.
    pub(super) fn consider_health(&mut self, peer: MemberId, out: &mut Vec<Output>) {
        let Some(term) = self.live_primary(peer).filter(|_| self.peers[peer.index()].link_up) else { return };
        let takeovers = &self.health_takeovers;
        let confirmed = takeovers.of == Some(peer) && takeovers.low >= self.settings.confirmations.max(1);
        if !confirmed || takeovers.asked.is_some_and(|asked| asked.peer == peer && asked.term == term) {
            return;
        }
        let score = self.peers[peer.index()].score.unwrap_or(Score::FULL);
        let (name, mine) = (self.settings.name(peer), self.score);
        if self.settings.observe_only {
            if !std::mem::replace(&mut self.health_takeovers.would_said, true) {
                self.event(Event::WouldTakeOver { rule: Rule::TookOverForHealth { peer: name, score, mine } }, out);
            }
            return;
        }
        let free = matches!(self.state, State::Secondary)
            && self.kept.is_none()
            && self.ability() == Ability::Fit
            && !self.hold.in_force()
            && self.command.is_none()
            && self.waiting_for.is_none()
            && self.promise.is_none_or(|promise| promise.to == peer || self.now >= promise.until);
        if !free || !self.health_takeover_is_left(out) {
            return;
        }
        let since = self.now;
        self.health_takeovers.asked = Some(Asked { peer, term, since, until: since + self.timeout, score });
        if !std::mem::replace(&mut self.health_takeovers.asked_said, true) {
            self.event(Event::HealthTakeoverAsked { peer: name, score, mine }, out);
        }
        let request = HandOverRequest { term, cause: HandOverCause::Health };
        self.send(peer, Message::HandOverRequest(request), out);
    }

    /// S6: so many within an hour, then none until the operator speaks.
    fn health_takeover_is_left(&mut self, out: &mut Vec<Output>) -> bool {
        let now = self.now;
        let takeovers = &mut self.health_takeovers;
        takeovers.taken.retain(|taken| now.since(*taken) < HOUR);
        if takeovers.stopped.is_some() {
            return false;
        }
        // Bounded by the limit itself, which is a number of takeovers within an hour.
        let taken = takeovers.taken.len() as u32;
        if taken < self.settings.max_per_hour {
            return true;
        }
        takeovers.stopped = Some(now);
        self.disk.want();
        self.event(Event::FlapStopped { taken }, out);
        false
    }

    /// An operator's word about the role frees it again (S6); says whether there was anything to free.
    pub(super) fn free_health_takeovers(&mut self, by: &Name, out: &mut Vec<Output>) -> bool {
        let was_stopped = self.health_takeovers.stopped.take().is_some();
        if was_stopped {
            self.health_takeovers.taken.clear();
            self.disk.want();
            self.event(Event::FlapEnded { by: by.clone() }, out);
        }
        was_stopped
    }

    /// What the sick Primary says to being asked.
    pub(super) fn hear_health_answer(&mut self, peer: MemberId, answer: HandOverAnswer, out: &mut Vec<Output>) {
        let now = self.now;
        let Some(asked) = &mut self.health_takeovers.asked else { return };
        if asked.peer != peer || asked.term != answer.term {
            return;
        }
        match answer.verdict {
            Ok(stop_time) => asked.until = now + stop_time.min(LONGEST_STOP) + RELEASE_GRACE,
            Err(refusal) => {
                // Asked again at its next low score; told once.
                self.health_takeovers.asked = None;
                if self.health_takeovers.refused.replace(refusal) != Some(refusal) {
                    self.event(Event::HandOverRefused { peer: self.settings.name(peer), refusal }, out);
                }
            }
        }
    }

    /// It did not answer, or did not do what it agreed to: fenced where that is configured, else asked again.
    pub(super) fn health_deadline(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        let Some(asked) = self.health_takeovers.asked else { return };
        if now < asked.until {
            return;
        }
        self.health_takeovers.asked = None;
        if self.live_primary(asked.peer) != Some(asked.term) {
            // It acts no more, or is silent: that is another rule's business.
            return;
        }
        if !std::mem::replace(&mut self.health_takeovers.unanswered_said, true) {
            self.event(Event::HealthTakeoverUnanswered { peer: self.settings.name(asked.peer) }, out);
        }
        let fences = self.settings.protected_by(Protection::Fence) || self.settings.fencing_always;
        let still_low = self.health_takeovers.low > 0;
        if fences && still_low && !self.hold.in_force() && self.may_shoot_again(asked.peer) {
            self.shoot(asked.peer, FenceWhy::Unanswered, out);
        }
    }

    /// The road of a hand-over that was asked for because its giver is sick.
    pub(super) fn health_road(&self) -> Option<Rule> {
        let asked = self.health_takeovers.asked?;
        let peer = asked.peer;
        self.consent(peer)?;
        Some(Rule::TookOverForHealth { peer: self.settings.name(peer), score: asked.score, mine: self.score })
    }

    /// This member became Primary: was it for a peer's health? Then it counts, and the loser may be fenced (the seed's
    /// letter).
    pub(super) fn took_over(&mut self, rule: &Rule, out: &mut Vec<Output>) {
        let asked = self.health_takeovers.asked.take();
        self.health_takeovers.low = 0;
        self.health_takeovers.refused = None;
        (self.health_takeovers.asked_said, self.health_takeovers.unanswered_said) = (false, false);
        let Some(asked) = asked.filter(|_| matches!(rule, Rule::TookOverForHealth { .. })) else { return };
        self.health_takeovers.taken.push_back(self.now);
        self.disk.want();
        if self.settings.fencing_always && self.settings.fence_delay_of(asked.peer).is_some() {
            self.shoot(asked.peer, FenceWhy::Always, out);
        }
    }

    /// What of this must survive a restart.
    pub(super) fn durable_health(&self) -> DurableHealth {
        // Of a long time the whole of it is kept: more than an hour counts for nothing, or is only shown.
        let ago = |at: &Instant| u32::try_from(self.now.since(*at).as_secs()).unwrap_or(u32::MAX);
        let taken = self.health_takeovers.taken.iter().filter(|taken| self.now.since(**taken) < HOUR);
        let mut taken: Vec<u32> = taken.map(ago).collect();
        taken.drain(..taken.len().saturating_sub(DurableHealth::MOST_TAKEN));
        DurableHealth {
            lost_for: self.lost_until.map_or(Duration::ZERO, |until| until.since(self.now)),
            taken,
            stopped: self.health_takeovers.stopped.as_ref().map(ago),
        }
    }

    /// Whether this member is sick, or is a lesser candidate because it was.
    fn is_sick(&self) -> bool {
        self.score < self.settings.threshold || self.lost_until.is_some()
    }

    /// Whether this member and the one that it would change roles with are both sick.
    fn both_sick(&self) -> bool {
        let sick = |peer: MemberId| {
            let known = &self.peers[peer.index()];
            let low = known.score.is_some_and(|score| score < self.settings.threshold);
            low || matches!(known.able, Some(Ability::Sick(Sick::BelowThreshold | Sick::LostForHealth)))
        };
        let other = match self.best_live_primary() {
            Some((primary, _)) => Some(primary),
            None if self.shown_mode() == Mode::Primary => self.successor(),
            None => None,
        };
        self.is_sick() && other.is_some_and(sick)
    }

    pub(super) fn health_view(&self) -> HealthView {
        let takeovers = &self.health_takeovers;
        let confirmations = self.settings.confirmations.max(1);
        let recent = takeovers.taken.iter().filter(|taken| self.now.since(**taken) < HOUR);
        HealthView {
            low: takeovers.low.min(confirmations),
            confirmations,
            asked: takeovers.asked.map(|asked| asked.since),
            refused: takeovers.refused.map(|refusal| refusal.text().to_owned()),
            // Bounded by the limit an hour.
            taken: recent.count() as u32,
            max_per_hour: self.settings.max_per_hour,
            stopped: takeovers.stopped,
            both_sick: self.both_sick(),
            lost_until: self.lost_until,
        }
    }
}

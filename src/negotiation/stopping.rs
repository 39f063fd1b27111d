//! Leaving the role while what runs only on the Primary still stops (P2, P6; rules 8, 11 and 13).
//!
//! Who leaves by its own will (a hand-over, the controller's end) stays the Primary of the others until nothing runs any
//! more: it announces itself and keeps its lease. Who has lost the role (a higher term, a lease that ends, a stall)
//! announces nothing, and is no candidate before it has stopped. Either way it answers every query "Secondary", so nobody
//! who hears it takes over while its processes run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decision::{Decision, Rule};
use super::event::Event;
use super::exchange::{CommandOutcome, Output};
use super::hand_over::finish;
use super::member::MemberId;
use super::message::{HandOverCause, Mode};
use super::settings::Protection;
use super::takeover::{How, NEVER};
use super::term::Term;
use super::time::Instant;
use super::view::{StoppingView, TransitionView};
use super::{Negotiator, State};

/// What still runs is killed this long before a lease can end; for a lease under two seconds a quarter of it (P2).
const KILL_BEFORE_THE_END: Duration = Duration::from_millis(500);

/// How a Primary leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Leaving {
    /// To a named successor (rule 11).
    HandsOver { to: MemberId, cause: HandOverCause },
    /// The controller ends, with or without a successor.
    Ends { to: Option<MemberId> },
    /// On an operator's force, with nobody to follow.
    StepsDown,
    /// A lease ends, or it slept: it may claim the role again.
    Lost { claim: bool },
    /// To a higher term (N12).
    Yields,
}

impl Leaving {
    /// Whether it stays the Primary of the others until it has stopped.
    pub fn announces(self) -> bool {
        match self {
            Leaving::HandsOver { .. } | Leaving::Ends { .. } | Leaving::StepsDown => true,
            Leaving::Lost { .. } | Leaving::Yields => false,
        }
    }
}

/// A Primary on its way out.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct Stopping {
    pub term: Term,
    pub how: How,
    pub leaving: Leaving,
    pub decision: Decision,
    pub(super) since: Instant,
    pub(super) by: Option<Instant>,
    /// Whether anything still runs.
    pub(super) runs: Runs,
}

/// What of a Primary on its way out still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Runs {
    /// Something may, until the driver says that it has stopped.
    Something,
    /// Nothing; the role waits for the disk, or for a promise that a force broke, to go to its successor.
    Nothing,
}

impl Stopping {
    /// The term in which what still stops was started. Who yields goes to the term of another, and did not act in it.
    pub(super) fn acted_in(&self) -> Term {
        if let Rule::YieldedTo { mine, .. } | Rule::YieldedByRelay { mine, .. } = &self.decision.rule {
            return *mine;
        }
        self.term
    }
}

/// What runs only on the Primary goes on for a moment, while this member asks whether anybody took over (rule 13).
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct Kept {
    pub term: Term,
    pub how: How,
    pub(super) decision: Decision,
    pub(super) since: Instant,
    pub until: Instant,
    /// When it would have to be gone: before the lease ends that it rested on.
    pub(super) kill_at: Option<Instant>,
}

impl Negotiator {
    /// The mode that people see: who still stops, or is only asking again, is Primary to them.
    pub(super) fn shown_mode(&self) -> Mode {
        match self.state {
            State::Primary { .. } | State::Stopping(_) => Mode::Primary,
            State::Secondary | State::Becoming { .. } if self.kept.is_some() => Mode::Primary,
            State::Secondary | State::Becoming { .. } => Mode::Secondary,
        }
    }

    /// The term in which this member announces itself as Primary, if it does.
    pub(super) fn announced(&self) -> Option<Term> {
        match &self.state {
            State::Primary { term, .. } => Some(*term),
            State::Stopping(stopping) => stopping.leaving.announces().then_some(stopping.term),
            State::Secondary | State::Becoming { .. } => None,
        }
    }

    /// Begins to leave the role: the decision stands from now on, the mode changes when everything has stopped.
    pub(super) fn leave(&mut self, rule: Rule, term: Term, leaving: Leaving, out: &mut Vec<Output>) {
        let how = match &self.state {
            State::Primary { how, .. } => *how,
            State::Stopping(stopping) => stopping.how,
            State::Secondary | State::Becoming { .. } => How::ByRule,
        };
        let decision = self.decision(rule, Mode::Secondary, term);
        let by = if leaving.announces() { None } else { self.kill_at() };
        self.begin_stopping(Stopping { term, how, leaving, decision, since: self.now, by, runs: Runs::Something }, out);
    }

    fn begin_stopping(&mut self, mut stopping: Stopping, out: &mut Vec<Output>) {
        if stopping.how == How::Forced {
            // By force, without a lease that could end.
            stopping.by = None;
        }
        let by = stopping.by;
        if !self.stop_time.is_zero() {
            self.event(Event::SteppingDown { rule: stopping.decision.rule.clone() }, out);
        }
        self.kept = None;
        self.claim = false;
        self.state = State::Stopping(Box::new(stopping));
        self.next_interval = self.now;
        out.push(Output::StopServing { by });
    }

    /// Rule 13: asks again, and keeps what runs for so long, never past `kill_at`; where nothing runs, it steps down.
    pub(super) fn keep_or_leave(
        &mut self,
        rule: Rule,
        term: Term,
        how: How,
        kill_at: Option<Instant>,
        out: &mut Vec<Output>,
    ) {
        let decision = self.decision(rule, Mode::Secondary, term);
        let until = match how {
            How::ByRule if self.stop_time.is_zero() => self.now,
            How::ByRule => (self.now + self.timeout / 10).min(kill_at.unwrap_or(NEVER)),
            // Nothing but the disk is waited for.
            How::Forced => NEVER,
        };
        let kept = Kept { term, how, decision, since: self.now, until, kill_at };
        self.claim = true;
        self.state = State::Secondary;
        self.next_interval = self.now;
        self.kept = Some(kept);
        if until <= self.now {
            self.stop_kept(Leaving::Lost { claim: true }, out);
        }
    }

    /// What was kept has to stop after all.
    pub(super) fn stop_kept(&mut self, leaving: Leaving, out: &mut Vec<Output>) {
        let Some(Kept { term, how, decision, kill_at, .. }) = self.kept.take() else { return };
        self.begin_stopping(
            Stopping { term, how, leaving, decision, since: self.now, by: kill_at, runs: Runs::Something },
            out,
        );
    }

    /// Who follows, while this member hands the role over. Nobody: a promise binds this member's consents, and its own
    /// takeover, as any other does.
    pub(super) fn hands_over_to(&self) -> Option<MemberId> {
        let State::Stopping(stopping) = &self.state else { return None };
        match stopping.leaving {
            Leaving::HandsOver { to, .. } | Leaving::Ends { to: Some(to) } => Some(to),
            Leaving::Ends { to: None } | Leaving::StepsDown | Leaving::Lost { .. } | Leaving::Yields => None,
        }
    }

    /// Whether the role cannot go to its successor yet. Until then this member stays the Primary of the others: of three,
    /// who hears that it is Secondary before it hears of the release promises the role to whoever asks first, and that
    /// promise then keeps the successor from it.
    pub(super) fn waits_to_release(&self) -> bool {
        self.hands_over_to().is_some_and(|to| self.waits_for_a_promise() || self.vote_is_under_way(to))
    }

    /// The driver: nothing that runs only on the Primary runs any more.
    pub(super) fn serving_stopped(&mut self, out: &mut Vec<Output>) {
        if self.kept.is_some() {
            // The guardian was faster.
            self.stop_kept(Leaving::Lost { claim: self.claim }, out);
        }
        let State::Stopping(stopping) = &mut self.state else { return };
        stopping.runs = Runs::Nothing;
        let term = stopping.term;
        if let Some(to) = self.hands_over_to().filter(|to| self.gone(*to).is_none()) {
            self.vote_for_successor(to, term);
        }
        if self.waits_to_release() {
            return;
        }
        let State::Stopping(stopping) = &self.state else { return };
        let Stopping { term, leaving, decision, .. } = (**stopping).clone();
        self.state = State::Secondary;
        self.since = self.now;
        self.reason = decision.clone();
        self.next_interval = self.now;
        out.push(Output::ModeChanged(decision));
        self.lease_after(leaving, out);
        match leaving {
            Leaving::HandsOver { to, cause } => self.handed_over(to, cause, term, out),
            Leaving::Ends { to } => {
                if let Some(to) = to {
                    self.release_to(to, term);
                }
            }
            Leaving::StepsDown => {
                self.stepped_down_until = Some(self.now + super::hand_over::STEPPED_DOWN_FOR);
                finish(CommandOutcome::Done, out);
            }
            Leaving::Lost { claim } => self.claim = claim,
            Leaving::Yields => {}
        }
        self.finish_release(out);
    }

    /// Somebody else acts in a higher term: nothing is left to hand over.
    pub(super) fn stopping_sees_primary(&mut self, term: Term) {
        if let State::Stopping(stopping) = &mut self.state
            && term > stopping.term
        {
            stopping.leaving = match stopping.leaving {
                Leaving::Ends { .. } => Leaving::Ends { to: None },
                Leaving::HandsOver { .. } | Leaving::StepsDown | Leaving::Lost { .. } | Leaving::Yields => {
                    Leaving::Yields
                }
            };
        }
    }

    /// It slept while it stopped: others may have taken over, so it hands nothing over.
    pub(super) fn slept_while_stopping(&mut self) {
        if let State::Stopping(stopping) = &mut self.state {
            stopping.leaving = match stopping.leaving {
                Leaving::HandsOver { .. } => Leaving::Lost { claim: true },
                Leaving::Ends { .. } => Leaving::Ends { to: None },
                other @ (Leaving::StepsDown | Leaving::Lost { .. } | Leaving::Yields) => other,
            };
        }
    }

    /// A stop that a lease overtakes: what still runs is killed before its end.
    pub(super) fn hurry(&mut self, out: &mut Vec<Output>) {
        let kill_at = self.kill_at();
        if let State::Stopping(stopping) = &mut self.state
            && let Some(at) = kill_at
            && stopping.by.is_none_or(|by| at < by)
        {
            stopping.by = Some(at);
            out.push(Output::StopServing { by: Some(at) });
        }
    }

    /// When what runs only on the Primary has to be gone: before the lease can end. None: there is no lease.
    pub(super) fn kill_at(&self) -> Option<Instant> {
        self.lease_end().map(|end| (end - self.kill_guard()).max(self.now))
    }

    /// Until when what runs only on the Primary may go on without another word of this machine: the deadline that the
    /// guardian is given, anew in every turn (P6). Half of the timeout, beyond which a stall is a step-down anyway, and
    /// never past what a lease leaves. None: nothing that runs only on the Primary may run.
    pub fn may_serve_until(&self, now: Instant) -> Option<Instant> {
        let patience = self.now.max(now) + self.stall_bound();
        let bound = match (&self.state, &self.kept) {
            (State::Primary { how: How::ByRule, .. }, _) => self.kill_at(),
            (State::Primary { how: How::Forced, .. }, _) => None,
            (State::Stopping(stopping), _) => stopping.by.or_else(|| match stopping.how {
                How::ByRule => self.kill_at(),
                How::Forced => None,
            }),
            (State::Secondary | State::Becoming { .. }, Some(kept)) => kept.kill_at,
            (State::Secondary | State::Becoming { .. }, None) => return None,
        };
        Some(bound.map_or(patience, |bound| bound.min(patience)))
    }

    /// How long before the end of its lease a Primary begins to stop: nothing, when nothing runs.
    pub(super) fn lease_lead(&self) -> Duration {
        if self.stop_time.is_zero() {
            return Duration::ZERO;
        }
        let wanted = KILL_BEFORE_THE_END.min(self.grant_length() / 4);
        (wanted + self.stop_time.min(wanted)).min(self.longest_lead())
    }

    fn kill_guard(&self) -> Duration {
        if self.stop_time.is_zero() {
            return Duration::ZERO;
        }
        KILL_BEFORE_THE_END.min(self.grant_length() / 4).min(self.longest_lead())
    }

    /// With an interval that is long for the timeout, a lease must still last until the next answer but one is due.
    fn longest_lead(&self) -> Duration {
        let by = |protection| self.settings.protected_by(protection);
        let next = if by(Protection::Arbiter) && !by(Protection::Majority) {
            self.renewal_period()
        } else {
            self.binding_interval()
        };
        self.grant_length().saturating_sub(next) / 2
    }

    /// Why an operator's word about the role cannot be taken now.
    pub(super) fn leaves_or_asks(&self) -> Option<&'static str> {
        match self.state {
            State::Stopping(_) if self.waits_for_a_promise() => {
                Some("it leaves the role already, and waits for a promise that a force broke to be over")
            }
            State::Stopping(_) if self.waits_to_release() => {
                Some("it leaves the role already, and waits for its vote to be on disk")
            }
            State::Stopping(_) => Some("it leaves the role already, and its processes still stop"),
            State::Secondary | State::Becoming { .. } if self.kept.is_some() => {
                Some("it was stalled, and first asks whether another took over")
            }
            State::Primary { .. } | State::Secondary | State::Becoming { .. } => None,
        }
    }

    pub(super) fn stopping_view(&self) -> Option<StoppingView> {
        let State::Stopping(stopping) = &self.state else { return None };
        let to = match stopping.leaving {
            Leaving::HandsOver { to, .. } | Leaving::Ends { to: Some(to) } => Some(self.settings.name(to)),
            Leaving::Ends { to: None } | Leaving::StepsDown | Leaving::Lost { .. } | Leaving::Yields => None,
        };
        Some(StoppingView { rule: stopping.decision.rule.clone(), since: stopping.since, by: stopping.by, to })
    }

    pub(super) fn transition_view(&self) -> Option<TransitionView> {
        let waits =
            |to, waiting_for: &str, since| Some(TransitionView { to, waiting_for: waiting_for.to_owned(), since });
        match (&self.state, &self.kept) {
            (State::Stopping(stopping), _) if stopping.runs == Runs::Nothing && !self.waits_for_a_promise() => {
                waits(Mode::Secondary, "its vote to be on disk", stopping.since)
            }
            (State::Stopping(stopping), _) if stopping.runs == Runs::Nothing => {
                let to =
                    self.promise.map_or_else(String::new, |promise| format!(" to {}", self.settings.name(promise.to)));
                let waiting_for = format!("its promise{to} to be over: that one may still act by it");
                waits(Mode::Secondary, &waiting_for, stopping.since)
            }
            (State::Stopping(stopping), _) => waits(Mode::Secondary, "its processes to stop", stopping.since),
            (_, Some(kept)) => waits(Mode::Primary, "an answer: it asks whether another took over", kept.since),
            (State::Becoming { since, .. }, None) => waits(Mode::Primary, "its new term to be on disk", *since),
            (State::Secondary | State::Primary { .. }, None) => None,
        }
    }
}

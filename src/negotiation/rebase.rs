//! A machine without absolute time: what a model checker needs in order to see that it has been here before.
//!
//! Two machines that will do the same from now on differ in much: the time since boot, the numbers of their writes, when
//! the peer was last heard if that is long over, the text and the evidence of the last decision. [`Negotiator::rebased`]
//! takes all of that away. Time is told relative to an epoch that the caller chooses, ages saturate where no rule looks
//! any further, and what is only for people is blank. Nothing here decides, and the controller itself never calls it.

use std::time::Duration;

use super::arbiter::{ArbiterDesk, Reach};
use super::decision::{Decision, Rule};
use super::exchange::{ArbiterCall, StateVersion};
use super::fencing::Fencing;
use super::health::HealthTakeovers;
use super::hold::HoldState;
use super::message::Mode;
use super::peer::Peer;
use super::reference::Reference;
use super::settings::Protection;
use super::takeover::{How, NEVER};
use super::term::Term;
use super::time::Instant;
use super::trouble::ArbiterTrouble;
use super::{Negotiator, State};

/// How time is told anew.
#[derive(Debug, Clone, Copy)]
pub struct Rebase {
    /// The time now, as the machine knows it.
    pub now: Instant,
    /// What that is to be called. At least as large as the longest age that counts (about the boot's waits).
    pub epoch: Instant,
    /// Questions sent within this much are one question: their numbers, which are times, are rounded down to it. Zero:
    /// they are left as they are.
    pub grain: Duration,
}

/// A machine whose time was told anew.
#[derive(Debug, Clone)]
pub struct Rebased {
    /// The machine.
    pub machine: Negotiator,
    /// By how much the numbers of its writes became smaller: those under way belong to it, and must follow.
    pub versions: u64,
}

impl Rebase {
    /// A point in time, told from the epoch; one more than `oldest` ago counts as just that long ago.
    pub fn instant(&self, at: Instant, oldest: Duration) -> Instant {
        if at == NEVER {
            return NEVER;
        }
        let earliest = self.epoch - oldest;
        if at > self.now { self.epoch + at.since(self.now) } else { (self.epoch - self.now.since(at)).max(earliest) }
    }

    /// When a question was sent: rounded down to the grain.
    pub fn question(&self, at: Instant, oldest: Duration) -> Instant {
        let at = self.instant(at, oldest);
        let grain = u64::try_from(self.grain.as_nanos()).unwrap_or(u64::MAX);
        if grain == 0 { at } else { Instant(at.0 - at.0 % grain) }
    }

    /// A point in time that counts only while it is to come.
    fn still_to_come(&self, at: Instant) -> Instant {
        self.instant(at, Duration::ZERO)
    }
}

impl Negotiator {
    /// This machine with its time told anew, and without what no rule looks at.
    pub fn rebased(mut self, rebase: &Rebase) -> Rebased {
        let over = self.oldest_that_counts();
        let timeout = self.settings.reply_timeout;
        let lease = self.lease;
        self.boot = match self.peers.iter().enumerate().all(|(id, peer)| id == self.settings.me.index() || peer.ever_up)
        {
            // Who has been heard is not waited for since the boot.
            true => rebase.epoch - over,
            false => rebase.instant(self.boot, over),
        };
        self.now = rebase.instant(self.now, over);
        // Only what was forced asks for how long it has been so.
        self.since = if self.is_forced() { rebase.instant(self.since, over) } else { rebase.epoch - over };
        self.reason = blank(self.shown_mode());
        self.settle_until = rebase.still_to_come(self.settle_until);
        self.stepped_down_until = self.stepped_down_until.map(|until| rebase.still_to_come(until));
        self.lost_until = self.lost_until.map(|until| rebase.still_to_come(until));
        self.trust_from = rebase.question(self.trust_from, over);
        self.next_interval = rebase.still_to_come(self.next_interval);
        self.last_query = rebase.question(self.last_query, over);
        if let Some(promise) = &mut self.promise {
            promise.until = rebase.still_to_come(promise.until);
        }
        if let Some(waiting) = &mut self.waiting_for {
            waiting.until = rebase.still_to_come(waiting.until);
        }
        if let Some(command) = &mut self.command {
            command.deadline = rebase.still_to_come(command.deadline);
        }
        let forced = match self.state {
            State::Primary { term, how: How::Forced } => Some(term),
            State::Primary { how: How::ByRule, .. }
            | State::Secondary
            | State::Becoming { .. }
            | State::Stopping(_) => None,
        };
        for peer in &mut self.peers {
            peer.rebase(rebase, timeout, lease, over, forced);
        }
        self.arbiter.rebase(rebase, self.settings.query_interval, over);
        self.reference.rebase(rebase, timeout);
        let fences = self.settings.protected_by(Protection::Fence);
        self.alone_since = self.alone_since.filter(|_| fences).map(|since| rebase.instant(since, over));
        self.hold.rebase(rebase);
        self.health_takeovers.rebase(rebase, self.settings.confirmations.max(1));
        (self.no_state_at_boot, self.history_said, self.would_take_over_said) = (false, true, false);
        let versions = self.disk.written.0;
        let newer = |version: &mut StateVersion| version.0 = version.0.saturating_sub(versions);
        newer(&mut self.disk.asked);
        newer(&mut self.disk.written);
        newer(&mut self.seen_version);
        newer(&mut self.voted_version);
        if let Some(release) = &mut self.release {
            newer(&mut release.version);
        }
        match &mut self.state {
            State::Secondary | State::Primary { .. } => {}
            State::Becoming { version, rule, since, .. } => {
                newer(version);
                *since = rebase.epoch - over;
                // Whether it was for a peer's health counts, and starts the hour of S6.
                if !matches!(rule, Rule::TookOverForHealth { .. }) {
                    *rule = Rule::Booted;
                }
            }
            State::Stopping(stopping) => {
                stopping.since = rebase.epoch - over;
                stopping.by = stopping.by.map(|by| rebase.still_to_come(by));
                stopping.decision = blank(Mode::Secondary);
            }
        }
        if let Some(kept) = &mut self.kept {
            kept.since = rebase.epoch - over;
            kept.until = rebase.still_to_come(kept.until);
            kept.kill_at = kept.kill_at.map(|at| rebase.still_to_come(at));
            kept.decision = blank(Mode::Secondary);
        }
        Rebased { machine: self, versions }
    }

    /// No rule asks how much longer ago than this anything was.
    fn oldest_that_counts(&self) -> Duration {
        let settings = &self.settings;
        let times = [settings.reply_timeout, settings.lease, settings.boot_timeout, settings.connect_grace];
        let delays = settings.fence_delay.iter().flatten().copied();
        times.into_iter().chain(delays).max().unwrap_or_default()
    }
}

/// A decision without its story.
fn blank(mode: Mode) -> Decision {
    Decision {
        at: Instant::default(),
        rule: Rule::Booted,
        mode,
        term: Term::NONE,
        evidence: Vec::new(),
        protection: Default::default(),
    }
}

impl Peer {
    fn rebase(&mut self, rebase: &Rebase, timeout: Duration, lease: Duration, over: Duration, forced: Option<Term>) {
        // Only the sum of the two counts: when the silence is over.
        if let Some(heard) = self.heard {
            self.heard = Some(rebase.instant(heard + self.allowance, timeout));
            self.allowance = Duration::ZERO;
        } else {
            self.allowance = self.allowance.min(over);
        }
        self.not_before = self.not_before.map(|at| rebase.still_to_come(at));
        if let Some(answer) = &mut self.answer {
            answer.asked_at = rebase.question(answer.asked_at, timeout);
        }
        self.answered_question = self.answered_question.map(|at| rebase.question(at, timeout));
        self.granted = self.granted.map(|at| rebase.question(at, timeout.max(lease)));
        self.granting_since = self.granting_since.map(|at| rebase.instant(at, over));
        self.pending_query.iter_mut().for_each(|query| query.id.0 = rebase.question(Instant(query.id.0), over).0);
        self.pending_grant.iter_mut().for_each(|grant| grant.sent_at = rebase.instant(grant.sent_at, over));
        // Only whether it knows of what was forced here.
        self.seen = forced.filter(|term| self.seen >= *term).unwrap_or(Term::NONE);
        // For people only.
        self.two_primaries_said = None;
        self.fencing.rebase(rebase, over);
    }
}

impl Fencing {
    fn rebase(&mut self, rebase: &Rebase, over: Duration) {
        self.under_way = self.under_way.map(|_| rebase.epoch - over);
        if let Some((at, _)) = &mut self.off {
            *at = rebase.instant(*at, super::fencing::LAST_WORDS);
        }
        if let Some(failed) = &mut self.failed {
            failed.at = rebase.instant(failed.at, super::fencing::TRY_AGAIN_AFTER);
            failed.why.clear();
        }
        // Whether any was begun is all that is asked.
        self.rounds = self.rounds.min(1);
        self.wanted_since = self.wanted_since.map(|at| rebase.instant(at, over));
        (self.device, self.heard_after_off, self.took) = (None, None, None);
    }
}

impl ArbiterDesk {
    fn rebase(&mut self, rebase: &Rebase, interval: Duration, over: Duration) {
        if let Some(lease) = &mut self.lease {
            lease.asked_at = rebase.question(lease.asked_at, over);
        }
        if let Reach::Mute { why } = &mut self.reach {
            *why = ArbiterTrouble::Other(String::new());
        }
        // What is under way is known by its time, so that is never rounded.
        if let Some(call) = &mut self.under_way {
            call.asked_at = rebase.instant(call.asked_at, over);
        }
        self.releasing = self.releasing.map(|at| rebase.instant(at, over));
        // Only whether it was in this very moment: then the next call has a time of its own.
        self.last_asked = rebase.instant(self.last_asked, Duration::from_nanos(1));
        if let Some(last) = &mut self.last {
            // Of what was asked only the kind counts; it is asked again within an interval.
            last.call = match last.call {
                ArbiterCall::Look => ArbiterCall::Look,
                ArbiterCall::Acquire { .. } => ArbiterCall::Acquire { above: 0 },
                ArbiterCall::Renew { .. } => ArbiterCall::Renew { number: 0 },
                ArbiterCall::Release { .. } => ArbiterCall::Release { number: 0 },
            };
            last.asked_at = rebase.question(last.asked_at, interval);
            last.over_at = rebase.question(last.over_at, interval);
        }
        (self.answered, self.free_since, self.lost, self.forgot_said) = (None, None, None, false);
        self.holder_said = None;
    }
}

impl Reference {
    fn rebase(&mut self, rebase: &Rebase, timeout: Duration) {
        self.under_way = self.under_way.map(|at| rebase.instant(at, timeout));
        self.last_asked = self.last_asked.map(|at| rebase.question(at, timeout));
        self.answered_question = self.answered_question.map(|at| rebase.question(at, timeout));
        self.answered = None;
        self.silent_since = self.silent_since.map(|at| rebase.question(at, timeout));
        self.counts_from = self.counts_from.map(|at| rebase.still_to_come(at));
    }
}

impl HoldState {
    fn rebase(&mut self, rebase: &Rebase) {
        if let Some(force) = &mut self.force {
            force.since = rebase.epoch;
            force.until = rebase.still_to_come(force.until);
        }
    }
}

impl HealthTakeovers {
    fn rebase(&mut self, rebase: &Rebase, confirmations: u32) {
        self.low = self.low.min(confirmations);
        if self.low == 0 {
            self.of = None;
        }
        if let Some(asked) = &mut self.asked {
            asked.since = rebase.epoch;
            asked.until = rebase.still_to_come(asked.until);
        }
        for taken in &mut self.taken {
            *taken = rebase.instant(*taken, super::health::HOUR);
        }
        self.stopped = self.stopped.map(|_| rebase.epoch);
        self.refused = None;
        (self.asked_said, self.unanswered_said, self.would_said) = (false, false, false);
    }
}

//! Looking at the negotiation from outside: the view, the forecast and the conditions in words. Nothing here decides.

use std::ops::ControlFlow;
use std::time::Duration;

use super::ability::{Ability, Rank, Unable};
use super::arbiter::Reach;
use super::decision::seconds;
use super::lease_stand::LeaseStand;
use super::member::MemberId;
use super::settings::{Protection, Settings};
use super::takeover::{Assume, Condition, Stand};
use super::term::Term;
use super::time::Instant;
use super::view::{Forecast, ForecastLine, Gone, HoldView, PeerView, Topic, View};
use super::{Mode, Negotiator, State};

impl Negotiator {
    /// This member's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How much lateness of its own the machine takes for a stall (rule 13): half of the binding timeout.
    pub fn stall_after(&self) -> Duration {
        self.stall_bound()
    }

    /// The mode and the term: as Primary its own, else the highest seen. Allocates nothing.
    pub fn mode_and_term(&self) -> (Mode, Term) {
        match (&self.state, &self.kept) {
            (State::Primary { term, .. }, _) => (Mode::Primary, *term),
            (State::Stopping(stopping), _) => (Mode::Primary, stopping.acted_in()),
            (State::Secondary | State::Becoming { .. }, Some(kept)) => (Mode::Primary, kept.term),
            (State::Secondary | State::Becoming { .. }, None) => (Mode::Secondary, self.seen),
        }
    }

    /// Whether this member is Primary by an operator's force, without what protection asks for.
    pub fn is_forced(&self) -> bool {
        use super::takeover::How;
        match &self.state {
            State::Primary { how, .. } => *how == How::Forced,
            State::Stopping(stopping) => stopping.how == How::Forced,
            State::Secondary | State::Becoming { .. } => self.kept.as_ref().is_some_and(|kept| kept.how == How::Forced),
        }
    }

    /// Everything that others may know, as of `now`.
    pub fn view(&self, now: Instant) -> View {
        let now = self.now.max(now);
        let (mode, term) = self.mode_and_term();
        let not_told = self
            .settings
            .others()
            .filter(|peer| self.peers[peer.index()].hold_told != self.hold.stamp())
            .map(|peer| self.settings.name(peer))
            .collect();
        let hold = match (self.hold.since(), self.hold.expires(), self.hold.by()) {
            (Some(since), Some(until), Some(by)) => Some(HoldView { since, until, by: by.clone(), not_told }),
            _ => None,
        };
        View {
            now,
            me: self.settings.me,
            name: self.settings.name(self.settings.me),
            mode,
            term,
            since: self.since,
            reason: self.reason.clone(),
            able: self.ability(),
            score: self.score,
            forced: self.is_forced(),
            transition: self.transition_view(),
            stopping: self.stopping_view(),
            health: self.health_view(),
            hold,
            promise: self.promise.map(|promise| (self.settings.name(promise.to), promise.until)),
            protection: self.settings.protection.clone(),
            arbiter: self.arbiter_view(),
            reference: self.reference_view(),
            protected_now: self.protected_now(),
            durable: !self.disk.failed,
            history_unknown: self.no_state_at_boot
                && self.settings.others().all(|peer| self.gone(peer) == Some(Gone::NeverHeard)),
            observe_only: self.settings.observe_only,
            peers: self.settings.others().map(|peer| self.peer_view(peer, now)).collect(),
            forecast: self.forecast(),
            take_over: self.lines(Assume::OperatorWants),
            successor: self.successor().map(|peer| self.settings.name(peer)),
        }
    }

    fn peer_view(&self, peer: MemberId, now: Instant) -> PeerView {
        let known = &self.peers[peer.index()];
        PeerView {
            id: peer,
            name: self.settings.name(peer),
            link_up: known.link_up,
            incarnation: known.incarnation,
            heard: known.heard.map(|heard| now.since(heard)),
            gone: self.gone(peer),
            mode: known.mode,
            // As of this member itself: a Primary's own, of a Secondary the highest it has heard of.
            term: known.primary.unwrap_or(known.term.max(known.seen)),
            able: known.able,
            claim: known.claim,
            score: known.score,
            differs: known.differs.clone(),
            fence: self.fence_view(peer),
        }
    }

    /// Whether what protection asks for is there: of a Primary its lease, of a Secondary what it could get.
    fn protected_now(&self) -> bool {
        self.settings.protection.iter().all(|protection| match protection {
            Protection::Arbiter => match self.announced() {
                Some(_) => !self.is_forced() && self.lease_end().is_some_and(|end| self.now < end),
                None => self.arbiter.reach == Reach::Answers,
            },
            // A Primary is not asked for it: whoever acts goes on.
            Protection::Reachability => self.announced().is_some() || self.reference_answered(),
            Protection::Fence => self.settings.others().all(|peer| match self.gone(peer) {
                None => self.could_fence(peer),
                Some(Gone::Off | Gone::Stopped) => true,
                // A Primary goes on without: what it may fear is only that the silent one takes over unprotected.
                // One that acts by force has switched off nobody.
                Some(Gone::NeverHeard | Gone::Silent | Gone::Crashed) => {
                    self.announced().is_some() && !self.is_forced()
                }
            }),
            Protection::Majority => {
                let have = match self.announced() {
                    Some(_) => 1 + self.live_grants(),
                    None => 1 + self.settings.others().filter(|peer| self.reachable(*peer)).count(),
                };
                have >= self.majority()
            }
        })
    }

    fn reachable(&self, peer: MemberId) -> bool {
        self.peers[peer.index()].link_up && self.gone(peer).is_none()
    }

    /// The conditions of rule 6 under an assumption, in words.
    fn lines(&self, assume: Assume) -> Vec<ForecastLine> {
        let mut lines = Vec::new();
        let _ = self.walk_rule_6(assume, &mut |ok, condition| {
            let assumed =
                matches!((assume, condition), (Assume::Gone(gone), Condition::Member(peer, _)) if gone == peer);
            if !assumed {
                // A free lease is had as soon as everything else is there.
                let ok = ok || matches!(condition, Condition::Leased(LeaseStand::Free));
                lines.push(ForecastLine { ok, about: condition.about(), text: self.condition_text(ok, &condition) });
            }
            ControlFlow::Continue(())
        });
        lines
    }

    pub(super) fn condition_text(&self, ok: bool, condition: &Condition) -> String {
        let me = self.settings.name(self.settings.me);
        match condition {
            Condition::Able(able) => match (ok, able.why()) {
                (true, None) => format!("{me} is fit, health {:.2}", f64::from(self.score)),
                (true, Some(why)) => format!("{me} can, though {why}"),
                (false, why) => format!("{me} cannot: {}", why.unwrap_or("unknown")),
            },
            Condition::NotWaiting(None) => "it waits for no successor".to_owned(),
            Condition::NotWaiting(Some(to)) => format!("{me} has just handed over to {}", self.settings.name(*to)),
            Condition::NoPromise(None) => "no promise to another".to_owned(),
            Condition::NoPromise(Some(to)) => match &self.promise {
                Some(promise) => {
                    let left = seconds(promise.until.since(self.now));
                    format!("promised to {} for another {left}", self.settings.name(*to))
                }
                None => format!("promised to {}", self.settings.name(*to)),
            },
            Condition::Settled if ok => "nothing from before its start can still bind it".to_owned(),
            Condition::Settled => {
                format!("started just now: waits {} more", seconds(self.settle_until.since(self.now)))
            }
            Condition::Member(peer, stand) => {
                let name = self.settings.name(*peer);
                match stand {
                    Stand::Consents => format!("{name} agrees"),
                    Stand::Gone(Gone::NeverHeard) => format!("{name} was not heard since start"),
                    Stand::Gone(Gone::Silent) => format!("{name} is silent"),
                    Stand::Gone(Gone::Crashed) => format!("{name}'s process is gone"),
                    Stand::Gone(Gone::Stopped) => format!("{name} has stopped"),
                    Stand::Gone(Gone::Off) => format!("{name} is off"),
                    Stand::Opposes if self.live_primary(*peer).is_some() => format!("{name} is Primary"),
                    Stand::Opposes if !self.reachable(*peer) => {
                        format!("{name} does not answer, and is not silent for long enough yet")
                    }
                    Stand::Opposes => format!("{name} does not agree"),
                    Stand::Unheard => format!("{name} was not heard yet"),
                }
            }
            Condition::Fenced(peer) => self.fence_text(*peer, ok),
            Condition::Leased(stand) => self.lease_text(*stand, ok),
            Condition::Reference => self.reference_text(ok),
            Condition::Majority { have, need } => {
                format!("{have} of {} members agree, {need} needed", self.settings.members.len())
            }
        }
    }

    /// U12: what would happen if the one that matters failed now.
    fn forecast(&self) -> Forecast {
        match self.shown_mode() {
            Mode::Primary => self.forecast_of_primary(),
            Mode::Secondary => self.forecast_of_secondary(),
        }
    }

    fn forecast_of_secondary(&self) -> Forecast {
        let primary = self.best_live_primary().map(|(peer, _)| peer);
        let Some(primary) = primary else { return self.forecast_without_primary() };
        let mut lines = vec![ForecastLine {
            ok: true,
            about: Topic::Member,
            text: match self.peers[primary.index()].heard {
                Some(heard) => {
                    let age = self.now.since(heard);
                    format!("{} was heard {}", self.settings.name(primary), ago(age))
                }
                None => format!("{} is known as Primary", self.settings.name(primary)),
            },
        }];
        // Somebody else may come before us: then it is that one's turn, not ours.
        let mine = self.my_rank();
        let better = self
            .settings
            .others()
            .filter(|peer| *peer != primary && self.reachable(*peer))
            .filter_map(|peer| self.rank_of(peer).map(|rank| (rank, peer)))
            .filter(|(rank, _)| *rank > mine)
            .max_by_key(|(rank, _)| *rank);
        lines.extend(self.lines(Assume::Gone(primary)));
        self.add_hold_line(&mut lines);
        if let Some((_, better)) = better {
            let name = self.settings.name(better);
            let need = if self.settings.protected_by(Protection::Majority) { self.majority() } else { 1 };
            let have = 1 + self.settings.others().filter(|peer| *peer != primary && self.reachable(*peer)).count();
            let lines = vec![
                ForecastLine {
                    ok: true,
                    about: Topic::Member,
                    text: format!("{name} comes before this member and is heard"),
                },
                ForecastLine { ok: have >= need, about: Topic::Majority, text: would_be_left(have, need) },
                self.hold_line(),
            ];
            let ready = lines.iter().all(|line| line.ok);
            return self.told(Some(primary), Some(better), ready, lines);
        }
        let ready = lines.iter().all(|line| line.ok);
        self.told(Some(primary), Some(self.settings.me), ready, lines)
    }

    /// Nobody acts: what this member itself waits for.
    fn forecast_without_primary(&self) -> Forecast {
        let mut lines = self.lines(Assume::Nothing);
        self.add_hold_line(&mut lines);
        let ready = lines.iter().all(|line| line.ok);
        Forecast { if_fails: None, acts: None, ready, expected: None, lines }
    }

    fn forecast_of_primary(&self) -> Forecast {
        let successor = self
            .settings
            .others()
            .filter(|peer| self.reachable(*peer))
            .filter_map(|peer| {
                let known = &self.peers[peer.index()];
                known.able.map(|able| (Rank::new(peer, able, known.claim), able, peer))
            })
            .max_by_key(|(rank, _, _)| *rank);
        let mut lines = Vec::new();
        for peer in self.settings.others() {
            let name = self.settings.name(peer);
            let reachable = self.reachable(peer);
            let text = match (reachable, self.peers[peer.index()].able) {
                (false, _) => format!("{name} is not heard"),
                (true, None) => format!("{name} has not said yet whether it can"),
                (true, Some(able)) => match able.why() {
                    None => format!("{name} is fit, and stands by"),
                    Some(why) => format!("{name}: {why}"),
                },
            };
            // With three or more, one that is missing does not stop the others.
            let needed = self.settings.members.len() == 2;
            let ok = reachable && self.peers[peer.index()].able.is_some_and(|able| able.level() > 0);
            if ok || needed || successor.is_none() {
                lines.push(ForecastLine { ok, about: Topic::Member, text });
            }
        }
        if self.settings.protected_by(Protection::Majority) {
            let have = self.settings.others().filter(|peer| self.reachable(*peer)).count();
            let need = self.majority();
            lines.push(ForecastLine { ok: have >= need, about: Topic::Majority, text: would_be_left(have, need) });
        }
        if self.settings.protected_by(Protection::Arbiter) {
            // Whether the successor reaches it, that one says itself: one that does not could not act.
            let answers = self.arbiter.reach == Reach::Answers;
            let stand = if answers { LeaseStand::HeldBy(self.settings.me) } else { self.lease_stand() };
            let text = self.lease_text(stand, answers);
            let (ok, text) = match successor {
                Some((_, able, peer)) if !answers && able.level() > 0 => {
                    (true, format!("{} reaches the arbiter, this member does not", self.settings.name(peer)))
                }
                Some(_) | None => (answers, text),
            };
            lines.push(ForecastLine { ok, about: Topic::Arbiter, text });
        }
        if self.settings.protected_by(Protection::Fence) {
            let me = self.settings.name(self.settings.me);
            let ok = self.settings.fence_delay_of(self.settings.me).is_some();
            let there_is = if ok { "there is a" } else { "there is no" };
            let text = format!("{there_is} fencing device for {me}");
            lines.push(ForecastLine { ok, about: Topic::Fence, text });
        }
        lines.push(self.hold_line());
        let ready = successor.is_some_and(|(_, able, _)| able.level() > 0) && lines.iter().all(|line| line.ok);
        self.told(Some(self.settings.me), successor.map(|(_, _, peer)| peer), ready, lines)
    }

    /// The hold, unless the first line says already that this member cannot because of it.
    fn add_hold_line(&self, lines: &mut Vec<ForecastLine>) {
        let cannot = self.condition_text(false, &Condition::Able(Ability::Cannot(Unable::Held)));
        lines.retain(|line| line.text != cannot);
        lines.push(self.hold_line());
    }

    fn hold_line(&self) -> ForecastLine {
        match self.hold.expires() {
            None => ForecastLine { ok: true, about: Topic::Hold, text: "no hold".to_owned() },
            Some(until) => {
                let minutes = until.since(self.now).as_secs().div_ceil(60);
                let text = format!("the group is held for another {minutes} min");
                ForecastLine { ok: false, about: Topic::Hold, text }
            }
        }
    }

    fn told(&self, fails: Option<MemberId>, acts: Option<MemberId>, ready: bool, lines: Vec<ForecastLine>) -> Forecast {
        Forecast {
            if_fails: fails.map(|peer| self.settings.name(peer)),
            // Who would come first, but would not take over, does not act.
            acts: acts.filter(|_| ready).map(|peer| self.settings.name(peer)),
            ready,
            expected: ready.then(|| self.takeover_takes(fails)),
            lines,
        }
    }

    /// How long at most until another acts when `fails` falls silent: until the silence is known, the promises to it are
    /// over, it is off, and its lease is free and had.
    fn takeover_takes(&self, fails: Option<MemberId>) -> Duration {
        let promise = if self.uses_lease() { self.lease } else { Duration::ZERO };
        let (delay, off) = fails.map_or_else(Default::default, |fails| self.fencing_takes(fails));
        let off = (self.timeout + delay).max(promise) + off;
        let arbiter = self.settings.protected_by(Protection::Arbiter);
        // Only a look tells that the lease was renewed, for who has no other clock than its own.
        let lease = if arbiter { self.lease + self.look_period() } else { Duration::ZERO };
        off.max(lease).max(Duration::from_millis(1))
    }
}

/// How long ago, coarsely: "just now", "41 s ago".
pub(super) fn ago(age: Duration) -> String {
    match age.as_secs() {
        0..2 => "just now".to_owned(),
        short @ 2..120 => format!("{short} s ago"),
        long => format!("{} min ago", long / 60),
    }
}

/// How many members would be left to agree.
fn would_be_left(have: usize, need: usize) -> String {
    let members = if have == 1 { "member" } else { "members" };
    format!("{have} {members} would be left, {need} needed")
}

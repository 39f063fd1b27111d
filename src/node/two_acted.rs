//! The story of two members that both acted: since when at most, which of them goes on, and how it came to this (N12).
//!
//! Pure: the events of the negotiation go in with the time, the story comes out, for the screen and for an alarm that
//! stands for a while after it is over. It claims no more than this member can know: the other may have become Primary
//! at any time since it was last heard, so every length is "at most".

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::control::compose::judge;
use crate::control::status::Judgement;
use crate::negotiation::ability::{Ability, Unable};
use crate::negotiation::decision::{Decision, Rule};
use crate::negotiation::event::Event;
use crate::negotiation::message::Mode;
use crate::negotiation::time::Instant;
use crate::negotiation::view::View;

/// How long it is told after it is over: somebody has to be told of it today.
const TOLD_FOR: Duration = Duration::from_secs(3600);

/// The steps that are remembered in case they turn out to lead to two that act; more would not fit a screen.
const STEPS_KEPT: usize = 8;

/// A moment on both clocks: one to count with, one to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// For counting.
    pub at: Instant,
    /// For showing, milliseconds since 1970.
    pub unix_ms: u64,
}

impl Stamp {
    fn before(self, time: Duration) -> Stamp {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Stamp { at: self.at - time, unix_ms: self.unix_ms.saturating_sub(ms) }
    }
}

/// One step of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub stamp: Stamp,
    /// What happened, a sentence without a full stop.
    pub text: String,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct One {
    /// Its name.
    pub name: String,
    /// Its term.
    pub term: u64,
    /// Since when it was Primary, where this member knows it: its own.
    pub since: Option<Stamp>,
}

/// What is known of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The one that gives way: the lower term.
    pub stops: One,
    /// The one that goes on.
    pub goes_on: One,
    /// The other of the two, as this member sees it.
    pub other: String,
    /// Both acted from then on at the earliest.
    pub since: Stamp,
    /// When it was over; none: not yet.
    pub over: Option<Stamp>,
    /// How it came to this, oldest first.
    pub steps: Vec<Step>,
}

impl Found {
    /// For how long both acted at most.
    pub fn at_most(&self, now: Instant) -> Duration {
        self.over.map_or(now, |over| over.at).since(self.since.at)
    }
}

/// Watches for it. See the module.
#[derive(Debug, Default)]
pub struct TwoActed {
    steps: VecDeque<Step>,
    /// When each peer that is not heard was heard last.
    unheard: BTreeMap<String, Stamp>,
    /// Peers whose connection came back: unless they turn out to be Primary then, a later silence is another story.
    back: BTreeSet<String>,
    primary_since: Option<Stamp>,
    found: Option<Found>,
}

impl TwoActed {
    /// An event of the negotiation of the member `me`.
    pub fn event(&mut self, now: Stamp, me: &str, event: &Event) {
        match event {
            Event::PeerDown { peer } => {
                self.forget_if_back(peer.as_str());
                self.unheard.entry(peer.to_string()).or_insert(now);
                self.step(now, format!("the last path between {me} and {peer} broke"));
            }
            Event::PeerGone { peer, rule } => {
                // A crash and a Bye are noticed when they happen.
                let silent = if let Rule::PeerSilent { silent_for, .. } = rule { *silent_for } else { Duration::ZERO };
                let heard = now.before(silent);
                self.forget_if_back(peer.as_str());
                let earliest = self.unheard.entry(peer.to_string()).or_insert(heard);
                if heard.at < earliest.at {
                    *earliest = heard;
                }
                self.step(now, format!("to {me}, {peer} counts as gone: {}", rule.text()));
            }
            Event::PeerUp { peer } => {
                self.back.insert(peer.to_string());
                self.step(now, format!("a path between {me} and {peer} came back"));
            }
            // It was silent on a connection that stood all the while.
            Event::PeerBack { peer } => {
                self.back.insert(peer.to_string());
            }
            Event::TwoPrimaries { peer, term, mine } => {
                let unheard = self.unheard.get(peer.as_str()).copied();
                // The later of the two: before it, one of them was heard not to act, or was not Primary.
                let since = [unheard, self.primary_since].into_iter().flatten().max_by_key(|stamp| stamp.at);
                if unheard.is_some() && mine < term {
                    // Had it acted in this term before the silence, this member would have given way then.
                    self.step(now, format!("now heard: {peer} took over while {me} did not hear it, term {term}"));
                }
                self.step(now, format!("both are Primary: {me} in term {mine}, {peer} in term {term}"));
                let this = One { name: me.to_owned(), term: mine.number, since: self.primary_since };
                let that = One { name: peer.to_string(), term: term.number, since: None };
                let (stops, goes_on) = if mine < term { (this, that) } else { (that, this) };
                // What was before the other was last heard is another story.
                let from = unheard.map_or(Instant(0), |stamp| stamp.at);
                let steps = self.steps.drain(..).filter(|step| step.stamp.at >= from).collect();
                let since = since.unwrap_or(now);
                self.found = Some(Found { stops, goes_on, other: peer.to_string(), since, over: None, steps });
            }
            Event::PeerPrimary { .. }
            | Event::Stalled { .. }
            | Event::Held { .. }
            | Event::HoldEnded { .. }
            | Event::HoldNotTold { .. }
            | Event::SettingsDiffer { .. }
            | Event::SettingsAgree { .. }
            | Event::WouldTakeOver { .. }
            | Event::HandOverAsked { .. }
            | Event::HandOverRefused { .. }
            | Event::HandOverLost { .. }
            | Event::StateNotDurable
            | Event::StateDurable
            | Event::HistoryUnknown
            | Event::StepDownEnded
            | Event::SteppingDown { .. }
            | Event::HealthTakeoverAsked { .. }
            | Event::HealthTakeoverUnanswered { .. }
            | Event::FlapStopped { .. }
            | Event::FlapEnded { .. }
            | Event::Fencing { .. }
            | Event::FencedOff { .. }
            | Event::FencingFailed { .. }
            | Event::ToldOff { .. }
            | Event::HeardAfterOff { .. }
            | Event::FenceDeviceDead { .. }
            | Event::FenceDeviceBack { .. }
            | Event::ArbiterLost { .. }
            | Event::ArbiterBack
            | Event::ArbiterForgot { .. }
            | Event::ByGrants { .. }
            | Event::ReferenceLost
            | Event::ReferenceBack => {}
        }
    }

    /// The member `me` changed its mode. `protection` is what protects the group, in words; empty: nothing.
    pub fn mode_changed(&mut self, now: Stamp, me: &str, protection: &str, decision: &Decision) {
        match decision.mode {
            Mode::Primary => {
                self.primary_since = Some(now);
                self.step(now, format!("{me} took over, term {}: {}", decision.term, decision.rule.text()));
                if protection.is_empty() {
                    self.step(now, format!("nothing held {me} back: takeover.protection is empty"));
                }
            }
            Mode::Secondary => {
                self.primary_since = None;
                match &decision.rule {
                    Rule::YieldedTo { .. } | Rule::YieldedByRelay { .. } => {
                        self.step(
                            now,
                            format!("{me} gave way, rule {}: the lower term yields", decision.rule.clause()),
                        );
                    }
                    rule => self.step(now, format!("{me} is Secondary: {}", rule.text())),
                }
            }
        }
    }

    /// Whether two act, as far as `view` tells: also while the one that gives way still stops what it runs. It announces
    /// itself no longer then, but what it runs acts until it has ended.
    pub fn both(&self, view: &View) -> Both {
        let stops = |other: &String| {
            let other = view.peers.iter().find(|peer| peer.name.as_str() == other.as_str() && peer.gone.is_none());
            other.is_some_and(|peer| peer.able == Some(Ability::Cannot(Unable::Stopping)))
        };
        let gives_way = self.found.as_ref().filter(|found| found.over.is_none()).map(|found| &found.other);
        if judge(view) == Judgement::TwoAct || gives_way.is_some_and(stops) { Both::Act } else { Both::DoNot }
    }

    /// The other of two that still act, while that lasts.
    pub fn other_still(&self) -> Option<String> {
        self.found.as_ref().filter(|found| found.over.is_none()).map(|found| found.other.clone())
    }

    /// Looks whether it is over: `both` says whether two are known to act. What is over is forgotten after a while.
    pub fn look(&mut self, now: Stamp, both: Both) {
        let Some(found) = &mut self.found else {
            return;
        };
        match (found.over, both) {
            (None, Both::Act) => {}
            (None, Both::DoNot) => {
                found.over = Some(now);
                // Told by the one that stopped in its own words already.
                if found.stops.name == found.other {
                    let text = format!("{} gave way: the lower term yields", found.stops.name);
                    found.steps.push(Step { stamp: now, text });
                }
                self.unheard.remove(&found.other);
            }
            (Some(over), Both::Act | Both::DoNot) if now.at.since(over.at) > TOLD_FOR => self.found = None,
            (Some(_), Both::Act | Both::DoNot) => {}
        }
    }

    /// What was found, while it is told.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// A Primary announces itself on connecting, so a peer that came back and was lost again without that was heard not to
    /// act in between.
    fn forget_if_back(&mut self, peer: &str) {
        if self.back.remove(peer) {
            self.unheard.remove(peer);
        }
    }

    fn step(&mut self, stamp: Stamp, text: String) {
        let step = Step { stamp, text };
        if let Some(found) = self.found.as_mut().filter(|found| found.over.is_none()) {
            found.steps.push(step);
            return;
        }
        if self.steps.len() >= STEPS_KEPT {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }
}

/// Whether two are known to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Both {
    /// They are.
    Act,
    /// They are not.
    DoNot,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiation::member::MemberId;
    use crate::negotiation::term::Term;

    fn at(second: u64) -> Stamp {
        Stamp { at: Instant(second * 1_000_000_000), unix_ms: second * 1000 }
    }

    fn term(number: u64, owner: u8) -> Term {
        Term { number, owner: MemberId(owner) }
    }

    fn decision(mode: Mode, rule: Rule, number: u64) -> Decision {
        Decision {
            at: Instant(0),
            rule,
            mode,
            term: term(number, 0),
            evidence: Vec::new(),
            protection: Default::default(),
        }
    }

    fn silent(peer: &str) -> Rule {
        Rule::PeerSilent { peer: peer.into(), silent_for: Duration::from_secs(3) }
    }

    #[test]
    fn n12_the_one_that_took_over_knows_its_own_beginning() {
        let mut two = TwoActed::default();
        two.event(at(103), "beta", &Event::PeerGone { peer: "alpha".into(), rule: silent("alpha") });
        two.mode_changed(at(103), "beta", "", &decision(Mode::Primary, silent("alpha"), 8));
        two.event(at(200), "beta", &Event::PeerUp { peer: "alpha".into() });
        two.event(at(200), "beta", &Event::TwoPrimaries { peer: "alpha".into(), term: term(7, 0), mine: term(8, 1) });
        two.look(at(200), Both::Act);
        let found = two.found().expect("found");
        assert_eq!((found.stops.name.as_str(), found.goes_on.name.as_str()), ("alpha", "beta"));
        assert_eq!((found.since, found.over), (at(103), None));
        assert_eq!(found.at_most(at(200).at), Duration::from_secs(97));
        two.look(at(201), Both::DoNot);
        let found = two.found().expect("told for a while");
        assert_eq!(found.at_most(at(900).at), Duration::from_secs(98), "it no longer grows");
        let texts: Vec<&str> = found.steps.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(texts.first(), Some(&"to beta, alpha counts as gone: alpha silent for 3.0 s"));
        assert!(texts.contains(&"nothing held beta back: takeover.protection is empty"), "{texts:?}");
        assert_eq!(texts.last(), Some(&"alpha gave way: the lower term yields"));
        two.look(at(201 + 3601), Both::DoNot);
        assert!(two.found().is_none());
    }

    #[test]
    fn n12_it_is_not_over_while_what_the_other_runs_still_stops() {
        let mut two = TwoActed::default();
        let mut view = crate::control::examples::primary();
        view.peers[0].able = Some(Ability::Cannot(Unable::Stopping));
        assert_eq!(two.both(&view), Both::DoNot, "one that stands by and ends");
        let other = view.peers[0].name.clone();
        two.mode_changed(at(107), "alpha", "", &decision(Mode::Primary, silent(other.as_str()), 8));
        two.event(at(200), "alpha", &Event::TwoPrimaries { peer: other.clone(), term: term(7, 1), mine: term(8, 0) });
        assert_eq!((two.both(&view), two.other_still()), (Both::Act, Some(other.to_string())));
        view.peers[0].able = Some(Ability::Fit);
        assert_eq!(two.both(&view), Both::DoNot);
        two.look(at(205), Both::DoNot);
        assert_eq!(two.other_still(), None);
    }

    #[test]
    fn n12_the_one_that_stops_counts_from_when_the_other_was_last_heard() {
        let mut two = TwoActed::default();
        two.mode_changed(at(1), "alpha", "", &decision(Mode::Primary, Rule::Booted, 7));
        two.event(at(103), "alpha", &Event::PeerGone { peer: "beta".into(), rule: silent("beta") });
        two.event(at(110), "alpha", &Event::PeerDown { peer: "beta".into() });
        two.event(at(200), "alpha", &Event::TwoPrimaries { peer: "beta".into(), term: term(8, 1), mine: term(7, 0) });
        let rule = Rule::YieldedTo { peer: "beta".into(), term: term(8, 1), mine: term(7, 0) };
        two.mode_changed(at(200), "alpha", "", &decision(Mode::Secondary, rule, 8));
        two.look(at(200), Both::DoNot);
        let found = two.found().expect("found");
        assert_eq!((found.stops.name.as_str(), found.since, found.over), ("alpha", at(100), Some(at(200))));
        assert_eq!(found.stops.since, Some(at(1)));
        let texts: Vec<&str> = found.steps.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(texts.last(), Some(&"alpha gave way, rule N12: the lower term yields"));
        assert!(texts.contains(&"now heard: beta took over while alpha did not hear it, term 8"), "{texts:?}");
    }

    #[test]
    fn n12_a_freeze_that_was_over_before_is_another_story() {
        let mut two = TwoActed::default();
        two.mode_changed(at(1), "alpha", "", &decision(Mode::Primary, Rule::Booted, 7));
        two.event(at(43), "alpha", &Event::PeerGone { peer: "beta".into(), rule: silent("beta") });
        two.event(at(60), "alpha", &Event::PeerBack { peer: "beta".into() });
        two.event(at(103), "alpha", &Event::PeerGone { peer: "beta".into(), rule: silent("beta") });
        two.event(at(104), "alpha", &Event::PeerDown { peer: "beta".into() });
        two.event(at(110), "alpha", &Event::PeerUp { peer: "beta".into() });
        two.event(at(110), "alpha", &Event::TwoPrimaries { peer: "beta".into(), term: term(8, 1), mine: term(7, 0) });
        let found = two.found().expect("found");
        assert_eq!(found.since, at(100), "not since the freeze: beta was heard not to act after it");
        assert!(found.steps.iter().all(|step| step.stamp.at >= at(100).at));
    }

    #[test]
    fn n12_a_silence_that_was_over_before_is_another_story() {
        let mut two = TwoActed::default();
        two.mode_changed(at(1), "alpha", "", &decision(Mode::Primary, Rule::Booted, 7));
        two.event(at(40), "alpha", &Event::PeerDown { peer: "beta".into() });
        two.event(at(58), "alpha", &Event::PeerUp { peer: "beta".into() });
        two.event(at(63), "alpha", &Event::PeerGone { peer: "beta".into(), rule: silent("beta") });
        two.event(at(64), "alpha", &Event::PeerDown { peer: "beta".into() });
        two.event(at(67), "alpha", &Event::PeerUp { peer: "beta".into() });
        two.event(at(67), "alpha", &Event::TwoPrimaries { peer: "beta".into(), term: term(8, 1), mine: term(7, 0) });
        assert_eq!(two.found().expect("found").since, at(60), "three seconds before it counted as silent");
    }
}

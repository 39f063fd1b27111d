//! Switching peers off (rule 15 and the `fence` line of rule 6; S2, S3): who shoots and when, what counts as off, and
//! what an operator says about it. The agents, their attempts and their timeouts are the driver's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::exchange::{CommandOutcome, FenceResult, FenceWhy, Output};
use super::guard::{self, Guard};
use super::hand_over::finish;
use super::member::{MemberId, Name};
use super::message::{Hears, Incarnation};
use super::settings::Protection;
use super::takeover::Assume;
use super::time::Instant;
use super::view::{DeviceView, FenceState, FenceView, Gone, OffWord};
use super::{Negotiator, State};

/// A fencing that failed is begun again after this long, for ever, while it blocks a takeover.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Words that were on their way when the power went may still be read for this long: they are no sign of life.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(100);

/// What is known of switching one peer off.
#[derive(Debug, Clone, Default, Hash, Serialize, Deserialize)]
pub(super) struct Fencing {
    /// Since when the agent works.
    pub(super) under_way: Option<Instant>,
    /// Whether the peer was heard when it began.
    pub(super) of_one_heard: bool,
    /// Whether this controller slept since it began: then its outcome may be old (rule 13).
    pub(super) slept_since: bool,
    /// Which incarnation of the peer it was begun against.
    pub(super) of: Option<Incarnation>,
    /// Set while it is off: since when that is known, and by whose word.
    pub(super) off: Option<(Instant, OffWord)>,
    /// How the last round failed.
    pub(super) failed: Option<Failed>,
    /// Rounds begun since the peer was last heard.
    pub(super) rounds: u32,
    /// Since when a takeover has waited for nothing but this.
    pub(super) wanted_since: Option<Instant>,
    /// The device, as it answered last.
    pub(super) device: Option<DeviceView>,
    /// Whose word it was that it is off, when it was heard after all.
    pub(super) heard_after_off: Option<OffWord>,
    pub(super) took: Option<Duration>,
}

impl Fencing {
    /// Whether the peer is confirmed off, and nothing was heard of it since.
    pub fn is_off(&self) -> bool {
        self.off.is_some()
    }

    /// Our own sleep: what was confirmed before it, or is told now and was true then, may be over (rule 13).
    pub fn slept(&mut self) {
        self.off = None;
        self.slept_since = self.under_way.is_some();
    }

    /// The operator who said that it is off, when it was one.
    pub fn off_by(&self) -> Option<Name> {
        match &self.off {
            Some((_, OffWord::Operator(by))) => Some(by.clone()),
            Some((_, OffWord::Device)) | None => None,
        }
    }
}

/// A round that failed.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) at: Instant,
    pub(super) why: String,
    /// Whether the peer lived when the round began: then its next word does not make up for it.
    pub(super) of_one_heard: bool,
}

/// An operator's order to switch a peer off, whose outcome is not known yet.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct FenceOrder {
    peer: MemberId,
}

impl Negotiator {
    pub(super) fn operator_fences(&mut self, peer: MemberId, by: Name, out: &mut Vec<Output>) {
        let impossible = |why: String, out: &mut Vec<Output>| finish(CommandOutcome::Impossible { why }, out);
        if !self.knows(peer) {
            return impossible("there is no such other member".to_owned(), out);
        }
        let name = self.settings.name(peer);
        if self.settings.fence_delay_of(peer).is_none() {
            return impossible(format!("there is no fencing device for {name}: no [fence.{name}]"), out);
        }
        if self.fence_order.is_some() {
            return impossible("another member is being switched off on an operator's word".to_owned(), out);
        }
        self.fence_order = Some(FenceOrder { peer });
        self.shoot(peer, FenceWhy::Operator { by }, out);
    }

    /// "It is off, I looked": only of one that is not heard, or a slip of the finger would make two Primaries.
    pub(super) fn operator_says_off(&mut self, peer: MemberId, by: Name, out: &mut Vec<Output>) {
        if !self.knows(peer) {
            return finish(CommandOutcome::Impossible { why: "there is no such other member".to_owned() }, out);
        }
        let name = self.settings.name(peer);
        match self.gone(peer) {
            None => {
                let why = match self.peers[peer.index()].heard {
                    Some(_) => format!("{name} is not silent: whoever is heard is not off"),
                    None => format!("{name} is still waited for: it may answer yet"),
                };
                finish(CommandOutcome::Impossible { why }, out);
            }
            Some(Gone::Off) => finish(CommandOutcome::AlreadySo, out),
            Some(Gone::NeverHeard | Gone::Silent | Gone::Crashed | Gone::Stopped) => {
                let fencing = &mut self.peers[peer.index()].fencing;
                fencing.off = Some((self.now, OffWord::Operator(by.clone())));
                fencing.heard_after_off = None;
                self.event(Event::ToldOff { peer: name, by }, out);
                finish(CommandOutcome::Done, out);
            }
        }
    }

    /// Begins to switch a peer off, unless that is under way.
    pub(super) fn shoot(&mut self, peer: MemberId, why: FenceWhy, out: &mut Vec<Output>) {
        let now = self.now;
        let of_one_heard = self.gone(peer).is_none();
        let of = self.peers[peer.index()].incarnation;
        let fencing = &mut self.peers[peer.index()].fencing;
        if fencing.under_way.is_some() {
            return;
        }
        fencing.under_way = Some(now);
        (fencing.of_one_heard, fencing.of, fencing.slept_since) = (of_one_heard, of, false);
        fencing.rounds += 1;
        self.event(Event::Fencing { peer: self.settings.name(peer), why: why.clone() }, out);
        out.push(Output::Fence { peer, why });
    }

    pub(super) fn fenced(&mut self, peer: MemberId, result: FenceResult, out: &mut Vec<Output>) {
        if !self.knows(peer) {
            return;
        }
        let now = self.now;
        let name = self.settings.name(peer);
        let incarnation = self.peers[peer.index()].incarnation;
        let fencing = &mut self.peers[peer.index()].fencing;
        // What we did not ask for, in this life, proves nothing.
        let Some(since) = fencing.under_way.take() else { return };
        let ordered = self.fence_order.take_if(|order| order.peer == peer).is_some();
        match result {
            FenceResult::Off => {
                // One that has started anew since was off, and is not any more. Of one whose confirmation waited while
                // this controller slept nothing is known: the device is asked once more.
                let of_this_life = fencing.of == incarnation || guard::off(Guard::FencingOfThisLife);
                if of_this_life && !fencing.slept_since {
                    fencing.off = Some((now, OffWord::Device));
                }
                fencing.failed = None;
                fencing.heard_after_off = None;
                fencing.took = Some(now.since(since));
                self.event(Event::FencedOff { peer: name }, out);
                self.end_promise_to(peer);
                if ordered {
                    finish(CommandOutcome::Done, out);
                }
            }
            FenceResult::Failed { why } => {
                let of_one_heard = fencing.of_one_heard;
                fencing.failed = Some(Failed { at: now, why: why.clone(), of_one_heard });
                let text = format!("{name} is not known to be off: {why}");
                self.event(Event::FencingFailed { peer: name, why }, out);
                if ordered {
                    finish(CommandOutcome::Impossible { why: text }, out);
                }
            }
        }
    }

    pub(super) fn fence_device(&mut self, peer: MemberId, why_not: Option<String>, out: &mut Vec<Output>) {
        let answers = why_not.is_none();
        if !self.knows(peer) {
            return;
        }
        let fencing = &mut self.peers[peer.index()].fencing;
        let before = fencing.device.replace(DeviceView { answers, at: self.now });
        let name = self.settings.name(peer);
        match (before.is_none_or(|before| before.answers), why_not) {
            (true, Some(why)) => self.event(Event::FenceDeviceDead { peer: name, why }, out),
            (false, None) => self.event(Event::FenceDeviceBack { peer: name }, out),
            (true, None) | (false, Some(_)) => {}
        }
    }

    /// A peer is heard: it is not off, whatever was said. `anew`: its incarnation, when a connection came up.
    pub(super) fn heard_is_not_off(&mut self, peer: MemberId, anew: Option<Incarnation>, out: &mut Vec<Output>) {
        let known = &mut self.peers[peer.index()];
        let restarted = anew.is_some() && anew != known.incarnation;
        let fencing = &mut known.fencing;
        if let Some((at, word)) = &fencing.off {
            let last_words = anew.is_none() && self.now < *at + LAST_WORDS;
            if last_words {
                return;
            }
            if !restarted {
                fencing.heard_after_off = Some(word.clone());
                let by = match word {
                    OffWord::Device => None,
                    OffWord::Operator(by) => Some(by.clone()),
                };
                out.push(Output::Event(Event::HeardAfterOff { peer: self.settings.name(peer), by }));
            }
        }
        if restarted {
            fencing.heard_after_off = None;
        }
        fencing.off = None;
        fencing.failed.take_if(|failed| !failed.of_one_heard);
        fencing.wanted_since = None;
        fencing.rounds = u32::from(fencing.under_way.is_some());
    }

    /// Whether this peer is silent and neither stopped by its own word nor confirmed off: what `fence` asks for is
    /// missing.
    pub(super) fn lacks_fencing(&self, peer: MemberId) -> bool {
        match self.gone(peer) {
            Some(Gone::NeverHeard | Gone::Silent | Gone::Crashed) => true,
            Some(Gone::Stopped | Gone::Off) | None => false,
        }
    }

    /// Rule 15.
    pub(super) fn consider_fencing(&mut self, out: &mut Vec<Output>) {
        let free = self.settings.protected_by(Protection::Fence)
            && !self.hold.in_force()
            && self.stopping.is_none()
            && !self.settings.observe_only;
        let wanted = free && matches!(self.state, State::Secondary) && self.lacks_only_fencing();
        let alone = free
            // Alone among three or more it has lost its majority, whatever the arbiter says, and leaves.
            && !self.settings.protected_by(Protection::Majority)
            && matches!(self.state, State::Primary { .. })
            && self.settings.others().all(|peer| self.gone(peer).is_some());
        for peer in self.settings.others() {
            if !(wanted || alone) || !self.lacks_fencing(peer) {
                self.peers[peer.index()].fencing.wanted_since = None;
                continue;
            }
            if !self.may_shoot(peer) {
                continue;
            }
            let now = self.now;
            let fencing = &mut self.peers[peer.index()].fencing;
            fencing.wanted_since.get_or_insert(now);
            if alone {
                // It goes on acting either way, so one round is enough.
                if fencing.rounds == 0 && self.has_renewed_since_alone() && !self.lost_us_first(peer) {
                    self.shoot(peer, FenceWhy::PrimaryAlone, out);
                }
            } else if self.shoots_at(peer).is_some_and(|at| now >= at) {
                self.shoot(peer, FenceWhy::TakeoverWaits, out);
            }
        }
    }

    /// A device for it, and heard since our own boot: else it may be sound, and we the ones that are cut off (S3).
    fn may_shoot(&self, peer: MemberId) -> bool {
        let heard = self.peers[peer.index()].ever_up || guard::off(Guard::NeverHeardShootsNobody);
        heard && self.settings.fence_delay_of(peer).is_some()
    }

    /// Whether a peer that is heard may be switched off, or may again.
    pub(super) fn may_shoot_again(&self, peer: MemberId) -> bool {
        let failed = &self.peers[peer.index()].fencing.failed;
        self.may_shoot(peer) && failed.as_ref().is_none_or(|failed| self.now >= failed.at + TRY_AGAIN_AFTER)
    }

    /// When a waiting takeover switches this peer off; none: nothing waits for it, or it is under way.
    pub(super) fn shoots_at(&self, peer: MemberId) -> Option<Instant> {
        let fencing = &self.peers[peer.index()].fencing;
        let waits = matches!(self.state, State::Secondary) && fencing.under_way.is_none();
        if !waits || !self.may_shoot(peer) {
            return None;
        }
        let wanted = fencing.wanted_since?;
        Some(match &fencing.failed {
            Some(failed) if !failed.of_one_heard => failed.at + TRY_AGAIN_AFTER,
            Some(_) | None => {
                let promised = self.promise.map_or(wanted, |promise| promise.until);
                promised.max(wanted + self.delay_before(peer))
            }
        })
    }

    /// S3: of two that lose each other one shoots first: the Primary, or, when none was known, the preferred.
    fn delay_before(&self, peer: MemberId) -> Duration {
        let no_primary_known = self.settings.others().all(|other| self.peers[other.index()].primary.is_none());
        let first = self.settings.preferred.unwrap_or_else(|| {
            let gone = self.settings.others().filter(|other| self.lacks_fencing(*other));
            gone.chain([self.settings.me]).min().unwrap_or(self.settings.me)
        });
        let delay = self.settings.fence_delay_of(peer).unwrap_or_default();
        if guard::off(Guard::FenceDelay) {
            Duration::ZERO
        } else if self.lost_us_first(peer) {
            // The other counts its own delay since before, and may need as long again to switch us off.
            delay * 2
        } else if no_primary_known && first == self.settings.me {
            Duration::ZERO
        } else {
            delay
        }
    }

    /// Whether a silent peer missed our words while we still heard it say so. Then the link failed our way first, and that
    /// one has counted our silence for longer than we have counted its own: it shoots, we are the one that is cut off, and
    /// to shoot back would leave both off.
    fn lost_us_first(&self, peer: MemberId) -> bool {
        let missed = self.peers[peer.index()].hears == Hears::NotYou;
        missed && !guard::off(Guard::WhoIsMissedLeavesTheShot)
    }

    /// How much longer than a silence a takeover from `peer` takes because of fencing: the delay, and then what the last
    /// switching off took.
    pub(super) fn fencing_takes(&self, peer: MemberId) -> (Duration, Duration) {
        if !self.settings.protected_by(Protection::Fence) {
            return (Duration::ZERO, Duration::ZERO);
        }
        let delay = self.settings.fence_delay_of(peer).unwrap_or_default();
        (delay, self.peers[peer.index()].fencing.took.unwrap_or_default())
    }

    /// Whether `peer` could be switched off, were it silent, as far as is known: the forecast's line.
    pub(super) fn could_fence(&self, peer: MemberId) -> bool {
        let device = self.peers[peer.index()].fencing.device;
        self.may_shoot(peer) && device.is_none_or(|device| device.answers)
    }

    /// The `fence` line of rule 6 for one peer, in words.
    pub(super) fn fence_text(&self, peer: MemberId, ok: bool) -> String {
        let name = self.settings.name(peer);
        let fencing = &self.peers[peer.index()].fencing;
        let ago = |at: Instant| super::look::ago(self.now.since(at));
        if let Some((at, word)) = &fencing.off {
            return match word {
                OffWord::Device => format!("{name} is off: fenced {}", ago(*at)),
                OffWord::Operator(by) => format!("{name} is off: {by} looked, {}", ago(*at)),
            };
        }
        if self.settings.fence_delay_of(peer).is_none() {
            return format!("there is no fencing device for {name}");
        }
        if !self.peers[peer.index()].ever_up {
            return format!("{name} was not heard since start: it is not fenced without being told");
        }
        if let Some(since) = fencing.under_way {
            return format!("{name} is being fenced, since {}", super::decision::seconds(self.now.since(since)));
        }
        let silent = self.gone(peer).is_some();
        if let Some(Failed { why, .. }) = fencing.failed.as_ref().filter(|_| silent) {
            return format!("fencing {name} failed: {why}");
        }
        if let Some(at) = self.shoots_at(peer) {
            return format!("{name} is fenced in {}", super::decision::seconds(at.since(self.now)));
        }
        match fencing.device {
            Some(device) if device.answers => format!("fence device answered {}", ago(device.at)),
            Some(device) => format!("fence device is dead: no answer {}", ago(device.at)),
            None if ok => "fence device not asked yet".to_owned(),
            None => format!("{name} is not known to be off"),
        }
    }

    pub(super) fn fence_view(&self, peer: MemberId) -> FenceView {
        let fencing = &self.peers[peer.index()].fencing;
        let state = if let Some((at, word)) = &fencing.off {
            let by = match word {
                OffWord::Device => None,
                OffWord::Operator(by) => Some(by.clone()),
            };
            FenceState::Off { at: *at, by }
        } else if let Some(since) = fencing.under_way {
            FenceState::UnderWay { since, round: fencing.rounds }
        } else if let Some(Failed { at, why, .. }) = &fencing.failed {
            FenceState::Failed { at: *at, why: why.clone(), rounds: fencing.rounds, next: self.shoots_at(peer) }
        } else if let Some(until) = self.shoots_at(peer) {
            FenceState::Waiting { until }
        } else {
            FenceState::Idle
        };
        FenceView {
            configured: self.settings.fence_delay_of(peer).is_some(),
            state,
            device: fencing.device,
            heard_after_off: fencing.heard_after_off.clone(),
            took: fencing.took,
        }
    }

    /// Whether a takeover lacks nothing but that silent members are confirmed off.
    fn lacks_only_fencing(&self) -> bool {
        let (mut others, mut fencing) = (true, true);
        let _ = self.walk_rule_6(Assume::Nothing, &mut |met, condition| {
            match condition {
                super::takeover::Condition::Fenced(_) => fencing &= met,
                // The delay counts while a promise to the silent one runs out; the shot waits for its end.
                super::takeover::Condition::NoPromise(to) => {
                    others &= met || to.is_some_and(|to| self.lacks_fencing(to));
                }
                // What is silent for its lease keeps it for a while; it is asked for after the fencing.
                super::takeover::Condition::Leased(stand) => others &= self.lease_may_be_had(stand),
                super::takeover::Condition::Able(_)
                | super::takeover::Condition::NotWaiting(_)
                | super::takeover::Condition::Settled
                | super::takeover::Condition::Member(..)
                | super::takeover::Condition::Reference
                | super::takeover::Condition::Majority { .. } => others &= met,
            }
            std::ops::ControlFlow::Continue(())
        });
        others && !fencing
    }
}

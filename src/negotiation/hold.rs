//! The hold: the group's automatic takeovers are frozen for maintenance (S7).
//!
//! Everybody keeps the latest word of an operator, by its stamp, and tells it to whoever connects; so it reaches who was
//! away, and survives restarts. It stops nothing that keeps the group safe.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Negotiator;
use super::event::Event;
use super::exchange::{CommandOutcome, DurableHold, Output};
use super::hand_over::finish;
use super::member::{MemberId, Name};
use super::message::{Hold, HoldStamp, Message};
use super::time::Instant;

/// The longest hold: a forgotten one must end within the day. Also bounds what a peer can ask for.
pub const MAX_HOLD: Duration = Duration::from_secs(24 * 60 * 60);

/// The latest word about the hold.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct HoldState {
    pub(super) stamp: HoldStamp,
    /// Set while it is in force.
    pub(super) force: Option<Force>,
    /// Who spoke last.
    pub(super) by: Option<Name>,
}

#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
pub(super) struct Force {
    pub(super) since: Instant,
    pub(super) until: Instant,
}

impl HoldState {
    pub fn restore(kept: DurableHold, now: Instant) -> HoldState {
        let force = (!kept.remaining.is_zero() && kept.by.is_some())
            .then(|| Force { since: now, until: now + kept.remaining.min(MAX_HOLD) });
        HoldState { stamp: kept.stamp, force, by: kept.by }
    }

    pub fn durable(&self, now: Instant) -> DurableHold {
        DurableHold { stamp: self.stamp, remaining: self.remaining(now), by: self.by.clone() }
    }

    pub fn in_force(&self) -> bool {
        self.force.is_some()
    }

    pub fn expires(&self) -> Option<Instant> {
        self.force.map(|force| force.until)
    }

    pub fn since(&self) -> Option<Instant> {
        self.force.map(|force| force.since)
    }

    pub fn by(&self) -> Option<&Name> {
        self.by.as_ref()
    }

    pub fn stamp(&self) -> HoldStamp {
        self.stamp
    }

    fn remaining(&self, now: Instant) -> Duration {
        self.force.map_or(Duration::ZERO, |force| force.until.since(now))
    }

    /// Ends it when its time is over, and says whether it did.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.force.take_if(|force| now >= force.until).is_some()
    }
}

impl Negotiator {
    pub(super) fn operator_holds(&mut self, by: Name, lasts: Duration, unix_ms: u64, out: &mut Vec<Output>) {
        if lasts.is_zero() || lasts > MAX_HOLD {
            let why = "a hold lasts from 1 s to 24 h".to_owned();
            return finish(CommandOutcome::Impossible { why }, out);
        }
        self.speak(by.clone(), lasts, unix_ms, out);
        self.event(Event::Held { by, lasts }, out);
        finish(CommandOutcome::Done, out);
    }

    pub(super) fn operator_resumes(&mut self, by: Name, unix_ms: u64, out: &mut Vec<Output>) {
        let was_held = self.hold.in_force();
        let had_stepped_down = self.stepped_down_until.take().is_some();
        let had_stopped = self.free_health_takeovers(&by, out);
        if !was_held && !had_stepped_down && !had_stopped {
            return finish(CommandOutcome::AlreadySo, out);
        }
        if had_stepped_down {
            self.event(Event::StepDownEnded, out);
        }
        if was_held {
            self.speak(by.clone(), Duration::ZERO, unix_ms, out);
            self.event(Event::HoldEnded { by: Some(by) }, out);
        }
        finish(CommandOutcome::Done, out);
    }

    /// A new word: later than every one heard of, whatever the clocks say.
    fn speak(&mut self, by: Name, lasts: Duration, unix_ms: u64, out: &mut Vec<Output>) {
        let stamp =
            HoldStamp { unix_ms: unix_ms.max(self.hold.stamp.unix_ms.saturating_add(1)), member: self.settings.me.0 };
        self.adopt(Hold { stamp, remaining: lasts, by });
        for peer in self.settings.others() {
            self.send_hold(peer, out);
            if !self.peers[peer.index()].link_up {
                self.event(Event::HoldNotTold { peer: self.settings.name(peer) }, out);
            }
        }
    }

    fn adopt(&mut self, hold: Hold) {
        let remaining = hold.remaining.min(MAX_HOLD);
        let since = self.hold.since().unwrap_or(self.now);
        let force = (!remaining.is_zero()).then(|| Force { since, until: self.now + remaining });
        self.hold = HoldState { stamp: hold.stamp, force, by: Some(hold.by) };
        self.disk.want();
    }

    /// Tells a peer the latest word, if any was ever spoken.
    pub(super) fn send_hold(&mut self, peer: MemberId, out: &mut Vec<Output>) {
        let Some(by) = self.hold.by.clone() else { return };
        if !self.peers[peer.index()].link_up {
            return;
        }
        let hold = Hold { stamp: self.hold.stamp, remaining: self.hold.remaining(self.now), by };
        self.peers[peer.index()].hold_told = hold.stamp;
        self.send(peer, Message::Hold(hold), out);
    }

    /// The same word, which a restart may have made last longer here than there: the shorter rest binds (S7).
    fn shorten_hold(&mut self, hold: Hold, out: &mut Vec<Output>) {
        if self.hold.remaining(self.now) <= hold.remaining {
            return;
        }
        let over = hold.remaining.is_zero();
        self.adopt(hold);
        if over {
            self.event(Event::HoldEnded { by: None }, out);
        }
    }

    pub(super) fn hear_hold(&mut self, peer: MemberId, hold: Hold, out: &mut Vec<Output>) {
        self.peers[peer.index()].hold_told = hold.stamp;
        if hold.stamp < self.hold.stamp {
            return self.send_hold(peer, out);
        }
        if hold.stamp == self.hold.stamp {
            return self.shorten_hold(hold, out);
        }
        let was_held = self.hold.in_force();
        let by = hold.by.clone();
        let lasts = hold.remaining.min(MAX_HOLD);
        self.adopt(hold);
        if !lasts.is_zero() {
            self.event(Event::Held { by, lasts }, out);
        } else if was_held {
            self.event(Event::HoldEnded { by: Some(by) }, out);
        }
        // Who has no connection to the speaker hears it from here.
        for other in self.settings.others() {
            if other != peer && self.peers[other.index()].hold_told != self.hold.stamp {
                self.send_hold(other, out);
            }
        }
    }
}

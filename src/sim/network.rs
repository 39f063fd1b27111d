//! The network between two members, as the link room presents it: connections that come and go, words in order, cuts
//! that nobody notices for a while.
//!
//! A cut keeps the connection: words wait, as TCP makes them wait, until either side has gone without an acknowledgement
//! for the reply timeout. A broken connection drops what is on its way, both ways. Only the higher address calls.
//!
//! Between members with several paths a word may also come twice, late, or after one that was said later, even after
//! the connection it was said on: such a network is *rough*. As in the link room, what has been heard or overtaken, and
//! what comes on an old connection, is dropped; so to the negotiation a rough network is one that loses words.

use std::collections::VecDeque;
use std::time::Duration;

use super::happening::Happening;
use super::process::Run;
use super::rng::{Rng, nanos};
use super::world::World;
use crate::negotiation::exchange::Input;
use crate::negotiation::member::MemberId;
use crate::negotiation::message::{Message, PeerHello};

/// The side of a link that the lower address is, which listens.
pub(super) const LOW: usize = 0;
/// The side that calls.
pub(super) const HIGH: usize = 1;

/// A detour takes up to this much longer, in nanoseconds.
const DETOUR: u64 = 200_000_000;

/// Words that wait behind a cut; a real socket buffer would hold no more.
const MAX_STASH: usize = 4_096;

/// What one side knows of the connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct End {
    pub up: bool,
    pub epoch: u32,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Lane {
    pub blocked: bool,
    delay: (u64, u64),
    /// Nothing arrives before this: words keep their order.
    last: u64,
    stash: VecDeque<(u64, Message)>,
    /// Counts losses: what was sent before one does not arrive.
    era: u32,
    /// Of a hundred words so many take a detour, or come twice.
    rough: u64,
    /// The number of the latest word that was said, and of the latest that was heard.
    said: u64,
    heard: u64,
}

/// Two members' network.
#[derive(Debug)]
pub(super) struct Link {
    pub members: [usize; 2],
    pub ends: [End; 2],
    pub lanes: [Lane; 2],
    epoch: u32,
    /// Counts changes of the network, so that a time-out knows whether it still applies.
    weather: u32,
    calling: bool,
    probing: bool,
}

impl Link {
    pub fn new(low: usize, high: usize) -> Link {
        let lane = || Lane {
            blocked: false,
            delay: (nanos(Duration::from_micros(100)), nanos(Duration::from_millis(2))),
            last: 0,
            stash: VecDeque::new(),
            era: 0,
            rough: 0,
            said: 0,
            heard: 0,
        };
        Link {
            members: [low, high],
            ends: [End::default(); 2],
            lanes: [lane(), lane()],
            epoch: 0,
            weather: 0,
            calling: false,
            probing: false,
        }
    }

    pub fn set_delay(&mut self, longest: Duration) {
        for lane in &mut self.lanes {
            lane.delay.1 = nanos(longest).max(lane.delay.0);
        }
    }

    pub fn set_rough(&mut self, percent: u64) {
        for lane in &mut self.lanes {
            lane.rough = percent;
        }
    }

    pub fn blocked(&self) -> bool {
        self.lanes[LOW].blocked || self.lanes[HIGH].blocked
    }

    fn drop_words(&mut self, rng: &mut Rng) {
        for lane in &mut self.lanes {
            // On a rough network some come later, when nobody waits for them any more.
            if lane.rough == 0 || rng.chance(50) {
                lane.era += 1;
            }
            lane.stash.clear();
        }
    }
}

impl Lane {
    /// Keeps a word that cannot pass now, behind those that wait already.
    fn keep(&mut self, number: u64, message: &Message) -> bool {
        let waits = self.blocked || !self.stash.is_empty();
        if waits && self.stash.len() < MAX_STASH {
            self.stash.push_back((number, message.clone()));
        }
        waits
    }

    /// When a word sent now arrives.
    fn arrival(&mut self, now: u64, rng: &mut Rng) -> u64 {
        let (least, most) = self.delay;
        self.last = (self.last + 1).max(now + least + rng.below(most - least + 1));
        self.last
    }

    /// When a word arrives that takes a detour, which keeps no order.
    fn detour(&self, now: u64, rng: &mut Rng) -> u64 {
        let (least, most) = self.delay;
        now + least + rng.below(3 * (most - least) + DETOUR)
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// What was sent arrives first.
    AfterTheLastWord,
    /// What is on its way is lost.
    AtOnce,
}

impl World {
    /// The link of two members, and the side that `from` is.
    pub(super) fn link_of(&self, from: usize, to: usize) -> (usize, usize) {
        let (low, high, side) = if from < to { (from, to, LOW) } else { (to, from, HIGH) };
        // Links are in the order (0,1) (0,2) (1,2) (0,3) …
        (high * (high - 1) / 2 + low, side)
    }

    pub(super) fn send(&mut self, from: usize, to: MemberId, message: Message) {
        let (index, side) = self.link_of(from, to.index());
        let now = self.now;
        let link = &mut self.links[index];
        if !link.ends[side].up {
            return;
        }
        let message = match self.carry {
            Some(carry) => carry(&self.group.members, message),
            None => message,
        };
        let epoch = link.ends[side].epoch;
        let lane = &mut link.lanes[side];
        lane.said += 1;
        let number = lane.said;
        if lane.keep(number, &message) {
            return;
        }
        let era = lane.era;
        let mut at = None;
        if lane.rough > 0 && self.rng.chance(lane.rough) {
            let late = lane.detour(now, &mut self.rng);
            if self.rng.chance(50) {
                let message = message.clone();
                self.queue.push(late, Happening::Arrives { link: index, side, epoch, era, number, message });
            } else {
                at = Some(late);
            }
        }
        let at = at.unwrap_or_else(|| lane.arrival(now, &mut self.rng));
        self.queue.push(at, Happening::Arrives { link: index, side, epoch, era, number, message });
    }

    pub(super) fn arrives(
        &mut self,
        index: usize,
        side: usize,
        epoch: u32,
        era: u32,
        (number, message): (u64, Message),
    ) {
        let link = &mut self.links[index];
        let lane = &mut link.lanes[side];
        if lane.era != era || lane.keep(number, &message) {
            return;
        }
        let end = link.ends[1 - side];
        if !end.up || end.epoch != epoch || number <= lane.heard {
            self.dropped += 1;
        } else {
            lane.heard = number;
            let peer = MemberId(link.members[side] as u8);
            let to = link.members[1 - side];
            self.notify(to, Input::Received { peer, message });
        }
    }

    /// A direction works again: what waited arrives when TCP next tries, if the connection still stands.
    pub(super) fn flush(&mut self, index: usize, side: usize, epoch: u32) {
        let now = self.now;
        let link = &mut self.links[index];
        let lane = &mut link.lanes[side];
        if lane.blocked || !link.ends[side].up || link.ends[side].epoch != epoch {
            return;
        }
        let era = lane.era;
        while let Some((number, message)) = lane.stash.pop_front() {
            let at = lane.arrival(now, &mut self.rng);
            self.queue.push(at, Happening::Arrives { link: index, side, epoch, era, number, message });
        }
    }

    pub(super) fn cut(&mut self, from: usize, to: usize, lanes: [bool; 2]) {
        let (index, side) = self.link_of(from, to);
        let link = &mut self.links[index];
        link.weather += 1;
        link.lanes[side].blocked |= lanes[0];
        link.lanes[1 - side].blocked |= lanes[1];
        self.expect_timeouts(index);
    }

    /// Both sides will miss acknowledgements.
    pub(super) fn expect_timeouts(&mut self, index: usize) {
        let weather = self.links[index].weather;
        for side in [LOW, HIGH] {
            let epoch = self.links[index].ends[side].epoch;
            let wait = self.group.reply_timeout + self.rng.between(Duration::ZERO, self.group.query_interval);
            self.queue.push(self.now + nanos(wait), Happening::TimesOut { link: index, side, epoch, weather });
        }
    }

    pub(super) fn times_out(&mut self, index: usize, side: usize, epoch: u32, weather: u32) {
        let link = &self.links[index];
        let lost = link.blocked() || !(link.ends[1 - side].up && link.ends[1 - side].epoch == epoch);
        if link.weather == weather && lost {
            self.close(index, side, epoch, Closing::AtOnce);
        }
    }

    pub(super) fn heal(&mut self, a: usize, b: usize) {
        let (index, _) = self.link_of(a, b);
        let link = &mut self.links[index];
        if !link.blocked() {
            return;
        }
        link.weather += 1;
        for side in [LOW, HIGH] {
            self.links[index].lanes[side].blocked = false;
            let end = self.links[index].ends[side];
            let other = self.links[index].ends[1 - side];
            if end.up && !(other.up && other.epoch == end.epoch) {
                // Its next word is answered with a reset.
                let wait = self.rng.between(Duration::from_millis(1), self.group.query_interval);
                self.queue.push(self.now + nanos(wait), Happening::Closes { link: index, side, epoch: end.epoch });
            } else if end.up && !self.links[index].lanes[side].stash.is_empty() {
                let wait = self.rng.between(Duration::from_millis(1), self.group.reply_timeout / 2);
                self.queue.push(self.now + nanos(wait), Happening::Flushes { link: index, side, epoch: end.epoch });
            }
        }
    }

    /// One side notices that its connection is over, and tells the other if anything passes.
    pub(super) fn close(&mut self, index: usize, side: usize, epoch: u32, closing: Closing) {
        let link = &mut self.links[index];
        if !link.ends[side].up || link.ends[side].epoch != epoch {
            return;
        }
        link.ends[side].up = false;
        if closing == Closing::AtOnce {
            link.drop_words(&mut self.rng);
        }
        let other = link.ends[1 - side];
        if other.up && other.epoch == epoch && !link.lanes[side].blocked {
            let at = link.lanes[side].arrival(self.now, &mut self.rng);
            self.queue.push(at, Happening::Closes { link: index, side: 1 - side, epoch });
        }
        let peer = MemberId(self.links[index].members[1 - side] as u8);
        let member = self.links[index].members[side];
        self.notify(member, Input::LinkDown { peer });
        self.look_for(index);
    }

    /// The kernel of a process that ended closes its connections; of a host that ended nobody does.
    pub(super) fn close_all(&mut self, member: usize, closing: Closing, silently: bool) {
        for other in (0..self.processes.len()).filter(|other| *other != member) {
            let (index, side) = self.link_of(member, other);
            let epoch = self.links[index].ends[side].epoch;
            if silently {
                self.links[index].ends[side].up = false;
                self.links[index].drop_words(&mut self.rng);
                self.links[index].weather += 1;
                self.expect_timeouts(index);
            } else {
                self.close(index, side, epoch, closing);
            }
        }
    }

    /// Starts the calls and probes of a link that is down.
    pub(super) fn look_for(&mut self, index: usize) {
        let soon = Duration::from_millis(10);
        if !self.links[index].calling {
            self.links[index].calling = true;
            let wait = self.rng.between(Duration::from_micros(100), soon);
            self.queue.push(self.now + nanos(wait), Happening::Calls { link: index });
        }
        if !self.links[index].probing {
            self.links[index].probing = true;
            let wait = self.rng.between(Duration::from_micros(100), soon);
            self.queue.push(self.now + nanos(wait), Happening::Probes { link: index });
        }
    }

    /// The higher address calls.
    pub(super) fn calls(&mut self, index: usize) {
        self.links[index].calling = false;
        let [low, high] = self.links[index].members;
        if self.links[index].ends[HIGH].up || !self.processes[high].alive() {
            return;
        }
        if self.processes[high].run == Run::Running {
            match self.processes[low].run {
                Run::Running if !self.links[index].blocked() => return self.connect(index),
                Run::Running | Run::Frozen { .. } => self.notify(high, Input::ConnectFailed { peer: id(low) }),
                Run::Off { refuses } => self.no_answer(index, high, low, refuses),
            }
        }
        self.links[index].calling = true;
        let wait = self.rng.between(Duration::from_millis(100), Duration::from_secs(1));
        self.queue.push(self.now + nanos(wait), Happening::Calls { link: index });
    }

    /// The lower address looks whether the host of the higher one refuses.
    pub(super) fn probes(&mut self, index: usize) {
        self.links[index].probing = false;
        let [low, high] = self.links[index].members;
        if self.links[index].ends[LOW].up || !self.processes[low].alive() {
            return;
        }
        if self.processes[low].run == Run::Running
            && let Run::Off { refuses } = self.processes[high].run
        {
            self.no_answer(index, low, high, refuses);
        }
        self.links[index].probing = true;
        let wait = self.rng.between(Duration::from_millis(100), Duration::from_secs(1));
        self.queue.push(self.now + nanos(wait), Happening::Probes { link: index });
    }

    fn no_answer(&mut self, index: usize, member: usize, peer: usize, refuses: bool) {
        let refused = refuses && !self.links[index].blocked();
        let peer = id(peer);
        self.notify(member, if refused { Input::LinkRefused { peer } } else { Input::ConnectFailed { peer } });
    }

    fn connect(&mut self, index: usize) {
        let now = self.now;
        let link = &mut self.links[index];
        link.epoch += 1;
        link.drop_words(&mut self.rng);
        let epoch = link.epoch;
        let old = link.ends[LOW];
        let [low, high] = link.members;
        // The listener may still hold a connection that is dead: the new one takes its place (N13).
        if old.up {
            self.links[index].ends[LOW].up = false;
            self.notify(low, Input::LinkDown { peer: id(high) });
        }
        let link = &mut self.links[index];
        let reached = now + link.lanes[HIGH].delay.0 + self.rng.below(link.lanes[HIGH].delay.1);
        // The caller's side is up now and may speak; nothing overtakes the handshake.
        link.lanes[HIGH].last = reached + 1;
        link.lanes[LOW].last = now + 1;
        self.queue.push(now, Happening::Opens { link: index, side: HIGH, epoch });
        self.queue.push(reached, Happening::Opens { link: index, side: LOW, epoch });
    }

    /// The handshake is done on one side.
    pub(super) fn opens(&mut self, index: usize, side: usize, epoch: u32) {
        let link = &mut self.links[index];
        let [member, peer] = [link.members[side], link.members[1 - side]];
        let half = side == LOW && !(link.ends[HIGH].up && link.ends[HIGH].epoch == epoch);
        if link.epoch != epoch || half || !self.processes[member].alive() || !self.processes[peer].alive() {
            // The other side finds nobody behind its handshake.
            return self.close(index, 1 - side, epoch, Closing::AtOnce);
        }
        link.ends[side] = End { up: true, epoch };
        link.weather += 1;
        if link.blocked() {
            self.expect_timeouts(index);
        }
        let Some(negotiator) = &self.processes[peer].negotiator else { return };
        let agreement = negotiator.settings().agreement();
        let incarnation = self.incarnation(peer);
        self.notify(member, Input::LinkUp { peer: id(peer), hello: PeerHello { incarnation, agreement } });
    }
}

fn id(member: usize) -> MemberId {
    // A group has at most sixteen members.
    MemberId(member as u8)
}

//! The arbiter as the world has it, and each member's road to it: one register (holder, number, end of the lease), which
//! does one call after the other, behind a network that loses requests, loses replies, and is slow.
//!
//! The driver's contract is the real one's (`Output::AskArbiter`): every call is answered once, at the latest when its
//! time is over, and one that waits for its turn counts its time too. What was given up may be carried out all the same,
//! and much later. The register's clock is its own, a little too fast or too slow, within what a lease's margin allows.

use std::collections::VecDeque;
use std::time::Duration;

use super::happening::Happening;
use super::process::{Clock, Run};
use super::rng::{Rng, nanos};
use super::world::World;
use crate::negotiation::exchange::{ArbiterCall, ArbiterReply, Input};
use crate::negotiation::member::MemberId;
use crate::negotiation::time::Instant;

/// One way, unless a fault says otherwise.
const QUICK: (Duration, Duration) = (Duration::from_micros(300), Duration::from_millis(5));

/// A request or a reply that a bad road delays arrives after at most this long.
const LATE: Duration = Duration::from_secs(8);

/// What a member's road to the arbiter is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// Everything arrives.
    Open,
    /// Requests are lost.
    RequestsLost,
    /// Requests arrive, replies are lost: what was asked is done, and nobody knows.
    RepliesLost,
    /// A third of what is sent is lost, a third is late, by seconds.
    Bad,
}

/// What can become of the arbiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArbiterFault {
    /// A member's road to it is like this from now on.
    Road(MemberId, Road),
    /// From now on a request or a reply takes up to this long.
    Delay(Duration),
    /// It is gone, for everybody; its leases run on.
    Vanish,
    /// It is there again, whole.
    Return,
    /// It is gone, and comes back after this long, whole; a lease that had not ended begins anew then, as etcd's do when
    /// a new leader is elected.
    Restart(Duration),
    /// From now on its clock runs so many millionths too fast, or too slow.
    Rate(i64),
}

/// Whether any of the reference addresses answers a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// One does, at once.
    Answers,
    /// None does.
    Silent,
}

/// The register and the roads.
#[derive(Debug)]
pub(super) struct Arbiter {
    holder: Option<MemberId>,
    number: u64,
    /// By its own clock.
    expires: Instant,
    clock: Clock,
    away: bool,
    /// Counts comings and goings, so that an end of a restart that is overtaken does not apply.
    era: u32,
    roads: Vec<Road>,
    delay: (Duration, Duration),
    /// By member: the calls of its driver.
    callers: Vec<Caller>,
}

/// A member's driver.
#[derive(Debug, Default)]
struct Caller {
    under_way: Option<Asked>,
    waiting: VecDeque<Asked>,
    tickets: u32,
}

/// A call as its driver knows it.
#[derive(Debug, Clone, Copy)]
struct Asked {
    ticket: u32,
    asked_at: Instant,
    call: ArbiterCall,
}

impl Arbiter {
    pub fn new(members: usize, seed: u64) -> Arbiter {
        // Numbers of its own: a run without an arbiter is the same whether there is one or not.
        let mut rng = Rng::new(!seed);
        Arbiter {
            holder: None,
            number: 0,
            expires: Instant::default(),
            clock: Clock::new(&mut rng),
            away: false,
            era: 0,
            roads: vec![Road::Open; members],
            delay: QUICK,
            callers: (0..members).map(|_| Caller::default()).collect(),
        }
    }

    /// Who holds the lease at `now`, in which number.
    fn stands(&mut self, now: u64) -> (Option<MemberId>, u64) {
        if self.clock.shows(now) >= self.expires {
            self.holder = None;
        }
        (self.holder, self.number)
    }

    /// Does what a call asks for (rule 14).
    fn carry_out(&mut self, now: u64, from: MemberId, call: ArbiterCall, lease: Duration) -> ArbiterReply {
        let (holder, number) = self.stands(now);
        let refused = ArbiterReply::Refused { holder, number };
        match call {
            ArbiterCall::Look => ArbiterReply::Stands { holder, number },
            ArbiterCall::Acquire { above } if holder.is_none_or(|holder| holder == from) => {
                self.holder = Some(from);
                self.number = number.max(above) + 1;
                self.expires = self.clock.shows(now) + lease;
                ArbiterReply::Granted { number: self.number }
            }
            ArbiterCall::Acquire { .. } => refused,
            ArbiterCall::Renew { number: mine } if holder == Some(from) && number == mine => {
                self.expires = self.clock.shows(now) + lease;
                ArbiterReply::Renewed
            }
            ArbiterCall::Renew { .. } => refused,
            ArbiterCall::Release { number: mine } => {
                if holder == Some(from) && number == mine {
                    self.holder = None;
                }
                ArbiterReply::Released
            }
        }
    }

    /// How long something is on its way to or from a member; none: it is lost.
    fn travels(&self, member: usize, lost: Road, rng: &mut Rng) -> Option<Duration> {
        let takes = rng.between(self.delay.0, self.delay.1);
        match self.roads[member] {
            road if road == lost => None,
            Road::Bad => match rng.below(3) {
                0 => None,
                1 => Some(rng.between(takes, LATE)),
                _ => Some(takes),
            },
            Road::Open | Road::RequestsLost | Road::RepliesLost => Some(takes),
        }
    }
}

impl World {
    /// Who holds the arbiter's lease now, and in which number; nobody: its time is over, or it was given back.
    pub fn lease(&mut self) -> (Option<MemberId>, u64) {
        self.arbiter.stands(self.now)
    }

    /// A member's negotiation asks.
    pub(super) fn ask_arbiter(&mut self, member: usize, asked_at: Instant, call: ArbiterCall, within: Duration) {
        let life = self.processes[member].life;
        let caller = &mut self.arbiter.callers[member];
        caller.tickets = caller.tickets.wrapping_add(1);
        let ticket = caller.tickets;
        caller.waiting.push_back(Asked { ticket, asked_at, call });
        self.queue.push(self.now + nanos(within).max(1), Happening::CallEnds { member, life, ticket });
        self.next_call(member);
    }

    /// The driver makes the next call, when none is under way.
    pub(super) fn next_call(&mut self, member: usize) {
        let caller = &mut self.arbiter.callers[member];
        if caller.under_way.is_some() || self.processes[member].run != Run::Running {
            return;
        }
        let Some(asked) = caller.waiting.pop_front() else { return };
        caller.under_way = Some(asked);
        if let Some(takes) = self.arbiter.travels(member, Road::RequestsLost, &mut self.rng) {
            let (life, ticket, call) = (self.processes[member].life, asked.ticket, asked.call);
            self.queue.push(self.now + nanos(takes), Happening::ArbiterHears { member, life, ticket, call });
        }
    }

    /// A request arrives, whatever became of who sent it.
    pub(super) fn arbiter_hears(&mut self, member: usize, life: u32, ticket: u32, call: ArbiterCall) {
        if self.arbiter.away {
            return;
        }
        let from = MemberId(member as u8);
        let lease = self.settings_of(from).lease;
        let reply = self.arbiter.carry_out(self.now, from, call, lease);
        if self.trace.is_on() {
            self.trace.arbiter(self.now, &self.group, member, call, &reply);
        }
        if let Some(takes) = self.arbiter.travels(member, Road::RepliesLost, &mut self.rng) {
            self.queue.push(self.now + nanos(takes), Happening::ArbiterReplies { member, life, ticket, reply });
        }
    }

    /// A reply arrives.
    pub(super) fn arbiter_replies(&mut self, member: usize, life: u32, ticket: u32, reply: ArbiterReply) {
        let under_way = &mut self.arbiter.callers[member].under_way;
        if self.processes[member].life != life {
            return;
        }
        let Some(asked) = under_way.take_if(|asked| asked.ticket == ticket) else { return };
        self.notify(member, Input::Arbiter { asked_at: asked.asked_at, reply });
        self.next_call(member);
    }

    /// A call's time is over, made or not.
    pub(super) fn call_ends(&mut self, member: usize, life: u32, ticket: u32) {
        if self.processes[member].life != life {
            return;
        }
        let caller = &mut self.arbiter.callers[member];
        let ended = caller.under_way.take_if(|asked| asked.ticket == ticket).or_else(|| {
            let place = caller.waiting.iter().position(|asked| asked.ticket == ticket)?;
            caller.waiting.remove(place)
        });
        if let Some(asked) = ended {
            let reply = ArbiterReply::Unreachable { why: "no answer in time".into() };
            self.notify(member, Input::Arbiter { asked_at: asked.asked_at, reply });
            self.next_call(member);
        }
    }

    /// What a process asked goes with it; what is on its way is not stopped by that.
    pub(super) fn forget_calls(&mut self, member: usize) {
        let caller = &mut self.arbiter.callers[member];
        caller.under_way = None;
        caller.waiting.clear();
    }

    pub(super) fn arbiter_fault(&mut self, fault: ArbiterFault) {
        let arbiter = &mut self.arbiter;
        match fault {
            ArbiterFault::Road(member, road) => arbiter.roads[member.index()] = road,
            ArbiterFault::Delay(longest) => arbiter.delay = (QUICK.0, longest.max(QUICK.0)),
            ArbiterFault::Rate(millionths) => arbiter.clock.set_rate(self.now, millionths),
            ArbiterFault::Vanish => {
                arbiter.away = true;
                arbiter.era += 1;
            }
            ArbiterFault::Return => {
                arbiter.away = false;
                arbiter.era += 1;
            }
            ArbiterFault::Restart(time) => {
                let holder = arbiter.stands(self.now).0;
                arbiter.away = true;
                arbiter.era += 1;
                let back = Happening::ArbiterBack { era: arbiter.era, holder };
                self.queue.push(self.now + nanos(time), back);
            }
        }
    }

    /// The end of a restart: whose lease stood at its beginning has all of it again.
    pub(super) fn arbiter_back(&mut self, era: u32, holder: Option<MemberId>) {
        let arbiter = &mut self.arbiter;
        if arbiter.era == era {
            arbiter.away = false;
            arbiter.holder = holder;
            arbiter.expires = arbiter.clock.shows(self.now) + self.group.lease;
        }
    }

    /// A member's negotiation asks the reference addresses.
    pub(super) fn ask_reference(&mut self, member: usize, asked_at: Instant, within: Duration) {
        let life = self.processes[member].life;
        let takes = self.rng.between(QUICK.0, QUICK.1);
        let answered = self.references[member] == Reference::Answers && takes < within;
        let after = if answered { takes } else { within };
        let replies = Happening::ReferenceReplies { member, life, asked_at, answered };
        self.queue.push(self.now + nanos(after), replies);
    }

    pub(super) fn reference_replies(&mut self, member: usize, life: u32, asked_at: Instant, answered: bool) {
        if self.processes[member].life == life {
            self.notify(member, Input::Reference { asked_at, answered });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Fault;

    const ALPHA: MemberId = MemberId(0);
    const BETA: MemberId = MemberId(1);
    const LEASE: Duration = Duration::from_secs(5);
    const SECOND: u64 = 1_000_000_000;

    fn register() -> Arbiter {
        Arbiter::new(2, 1)
    }

    /// How often alpha was answered with `what`, after it asked for the lease for two seconds and ran for `ms`.
    fn answers(fault: ArbiterFault, ms: u64, what: &str) -> (usize, Option<MemberId>) {
        let mut world = World::new(World::group(2, &[]), 5);
        world.keep_trace();
        world.apply(Fault::Start(ALPHA));
        world.apply(Fault::Arbiter(fault));
        world.ask_arbiter(0, Instant(1), ArbiterCall::Acquire { above: 0 }, Duration::from_secs(2));
        world.run(Duration::from_millis(ms)).unwrap();
        let trace = world.trace();
        (trace.lines().filter(|line| line.contains("alpha") && line.contains(what)).count(), world.lease().0)
    }

    #[test]
    fn s4_every_call_is_answered_once_and_what_was_given_up_may_have_been_done() {
        let had = ArbiterFault::Delay(Duration::ZERO);
        assert_eq!(answers(had, 4_000, "arbiter: Granted"), (1, Some(ALPHA)));
        assert_eq!(answers(had, 4_000, "arbiter: Unreachable"), (0, Some(ALPHA)));
        let deaf = ArbiterFault::Road(ALPHA, Road::RepliesLost);
        assert_eq!(answers(deaf, 1_900, "arbiter: Unreachable"), (0, Some(ALPHA)));
        assert_eq!(answers(deaf, 4_000, "arbiter: Unreachable"), (1, Some(ALPHA)));
        let lost = ArbiterFault::Road(ALPHA, Road::RequestsLost);
        assert_eq!(answers(lost, 4_000, "arbiter: Unreachable"), (1, None));
        assert_eq!(answers(ArbiterFault::Vanish, 4_000, "arbiter: Unreachable"), (1, None));
        assert_eq!(answers(ArbiterFault::Restart(Duration::from_secs(3)), 4_000, "arbiter: "), (1, None));
    }

    #[test]
    fn s4_a_lease_is_had_by_one_until_its_time_is_over_and_its_numbers_only_grow() {
        let mut arbiter = register();
        let mut ask = |at: u64, from, call| arbiter.carry_out(at * SECOND, from, call, LEASE);
        assert_eq!(ask(0, ALPHA, ArbiterCall::Acquire { above: 7 }), ArbiterReply::Granted { number: 8 });
        let held = ArbiterReply::Refused { holder: Some(ALPHA), number: 8 };
        assert_eq!(ask(1, BETA, ArbiterCall::Acquire { above: 20 }), held);
        assert_eq!(ask(4, ALPHA, ArbiterCall::Renew { number: 8 }), ArbiterReply::Renewed);
        assert_eq!(ask(8, BETA, ArbiterCall::Look), ArbiterReply::Stands { holder: Some(ALPHA), number: 8 });
        assert_eq!(ask(8, ALPHA, ArbiterCall::Acquire { above: 0 }), ArbiterReply::Granted { number: 9 });
        let another = ArbiterReply::Refused { holder: Some(ALPHA), number: 9 };
        assert_eq!(ask(8, ALPHA, ArbiterCall::Renew { number: 8 }), another);
        assert_eq!(ask(14, ALPHA, ArbiterCall::Renew { number: 9 }), ArbiterReply::Refused { holder: None, number: 9 });
        assert_eq!(ask(14, BETA, ArbiterCall::Acquire { above: 0 }), ArbiterReply::Granted { number: 10 });
        assert_eq!(ask(15, ALPHA, ArbiterCall::Release { number: 9 }), ArbiterReply::Released);
        assert_eq!(ask(15, ALPHA, ArbiterCall::Look), ArbiterReply::Stands { holder: Some(BETA), number: 10 });
        assert_eq!(ask(15, BETA, ArbiterCall::Release { number: 10 }), ArbiterReply::Released);
        assert_eq!(ask(15, ALPHA, ArbiterCall::Look), ArbiterReply::Stands { holder: None, number: 10 });
    }
}

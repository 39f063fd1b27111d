//! What `soak` runs: from a seed a whole plan is invented, the group with its protection and times as well as everything
//! that happens to it. Every kind of group and every kind of fault comes up; a walk of one kind is [`super::walk`].

use std::time::Duration;

use super::arbiter::{ArbiterFault, Reference, Road};
use super::checks::Broken;
use super::fault::{Agent, Fault, Order, Step};
use super::rng::Rng;
use super::walk::{self, Done, Failure, LONGEST_STOP, id};
use super::world::{Group, World};
use crate::negotiation::settings::{Protection, Settings};

/// One run: a group, and what happens to it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the members share.
    pub group: Group,
    /// By member: settings that differ (N19, S11).
    pub own: Vec<Option<Settings>>,
    /// What happens.
    pub steps: Vec<Step>,
    /// From which delays and latencies are drawn.
    pub seed: u64,
}

impl Plan {
    /// The plan of one seed: the same on every machine.
    pub fn new(seed: u64) -> Plan {
        let mut rng = Rng::new(seed);
        let group = group(&mut rng);
        let own = own_settings(&group, &mut rng);
        let steps = steps(&group, &mut rng);
        Plan { group, own, steps, seed: rng.bits() }
    }

    /// Runs it, then lets the group recover.
    ///
    /// # Errors
    ///
    /// The invariant that broke, with the trace of a second run.
    pub fn run(&self) -> Result<Done, Failure> {
        let mut world = self.world();
        match walk::drive(&mut world, &self.steps) {
            Ok(()) => Ok(Done { events: world.events(), coverage: world.coverage().clone() }),
            Err(broken) => Err(self.trace(broken)),
        }
    }

    fn world(&self) -> World {
        let mut world = World::new(self.group.clone(), self.seed);
        for (member, own) in world.members().zip(&self.own) {
            if let Some(own) = own {
                world.set(member, own.clone());
            }
        }
        world
    }

    /// The same seed and steps come to the same end, this time with a trace.
    fn trace(&self, broken: Broken) -> Failure {
        let mut world = self.world();
        world.keep_trace();
        let again = walk::drive(&mut world, &self.steps);
        Failure { broken: again.err().unwrap_or(broken), trace: world.trace() }
    }

    /// The group in a line: "3 members, protection arbiter and fence, reply timeout 3s, …".
    pub fn text(&self) -> String {
        let group = &self.group;
        let words: Vec<&str> = group.protection.iter().map(|one| one.word()).collect();
        let protection = if words.is_empty() { "none".to_owned() } else { words.join(" and ") };
        format!(
            "{} members, protection {protection}, query interval {:?}, reply timeout {:?}, lease {:?}{}",
            group.members.len(),
            group.query_interval,
            group.reply_timeout,
            group.lease,
            if self.own.iter().any(Option::is_some) { ", one has settings of its own" } else { "" }
        )
    }
}

fn group(rng: &mut Rng) -> Group {
    let members = [2, 2, 2, 2, 3, 3, 3, 5][rng.below(8) as usize];
    let mut protection = Vec::new();
    for one in [Protection::Fence, Protection::Arbiter, Protection::Majority, Protection::Reachability] {
        if rng.chance(40) && (one != Protection::Majority || members > 2) {
            protection.push(one);
        }
    }
    let mut group = World::group(members, &protection);
    if rng.chance(20) {
        group.query_interval = Duration::from_millis(100);
        group.reply_timeout = Duration::from_millis(rng.below(900) + 300);
    }
    group.lease = match rng.below(4) {
        0 => group.reply_timeout,
        1 => group.reply_timeout + rng.between(Duration::ZERO, Duration::from_secs(5)),
        2 => group.reply_timeout - (group.reply_timeout - group.query_interval) / 2,
        _ => group.lease,
    };
    group.crash_detection = !rng.chance(15);
    if rng.chance(15) {
        group.connect_grace = Duration::ZERO;
    }
    group.observe_only = rng.chance(3);
    group.fencing_always = rng.chance(15);
    group.confirmations = rng.below(3) as u32;
    group.max_per_hour = 1 + rng.below(5) as u32;
    if rng.chance(50) {
        group.sick_for = rng.between(Duration::from_secs(1), Duration::from_secs(20));
    }
    if rng.chance(20) {
        group.preferred = Some(id(rng.below(members as u64) as usize));
    }
    for delay in group.fence_delay.iter_mut().flatten() {
        *delay = rng.between(Duration::ZERO, Duration::from_secs(6));
    }
    group
}

/// Seldom one member differs: in what must be the same (N19), or because it only observes (S11).
fn own_settings(group: &Group, rng: &mut Rng) -> Vec<Option<Settings>> {
    let members = group.members.len();
    let mut own = vec![None; members];
    let one = &mut own[rng.below(members as u64) as usize];
    match rng.below(100) {
        0..5 => *one = Some(Settings { observe_only: true, ..group.clone() }),
        5..9 => *one = Some(Settings { reply_timeout: group.reply_timeout * 2, ..group.clone() }),
        9..12 => *one = Some(Settings { lease: group.lease * 2, ..group.clone() }),
        _ => {}
    }
    own
}

fn steps(group: &Group, rng: &mut Rng) -> Vec<Step> {
    let members = group.members.len();
    let mut steps = Vec::new();
    let mut now = |fault| steps.push(Step { after: Duration::ZERO, fault });
    let (drifts, processes, surroundings) = (rng.chance(40), rng.chance(50), rng.chance(60));
    for member in (0..members).map(id) {
        if drifts {
            now(Fault::ClockRate(member, rng.below(90_001) as i64 - 45_000));
        }
        if processes && rng.chance(70) {
            now(Fault::StopTime(member, rng.between(Duration::ZERO, LONGEST_STOP)));
        }
        if rng.chance(5) {
            now(Fault::Reference(member, Reference::Silent));
        }
    }
    for step in walk::schedule(members, rng) {
        let longest = Duration::from_secs(if rng.chance(50) { 1 } else { 4 });
        let after = rng.between(Duration::ZERO, longest);
        if processes && rng.chance(30) {
            steps.push(Step { after, fault: walk::fault_of_processes(members, rng) });
        }
        if surroundings && rng.chance(35) {
            steps.push(Step { after, fault: fault_of_surroundings(members, rng) });
        }
        steps.push(step);
    }
    steps
}

/// One fault of the arbiter, the reference addresses, the clocks, the network's manners, or the fencing devices.
fn fault_of_surroundings(members: usize, rng: &mut Rng) -> Fault {
    let one = id(rng.below(members as u64) as usize);
    let other = id((one.index() + 1 + rng.below(members as u64 - 1) as usize) % members);
    let arbiter = |fault| Fault::Arbiter(fault);
    match rng.below(100) {
        0..8 => arbiter(ArbiterFault::Road(one, Road::RequestsLost)),
        8..14 => arbiter(ArbiterFault::Road(one, Road::RepliesLost)),
        14..22 => arbiter(ArbiterFault::Road(one, Road::Bad)),
        22..36 => arbiter(ArbiterFault::Road(one, Road::Open)),
        36..42 => arbiter(ArbiterFault::Delay(rng.between(Duration::ZERO, Duration::from_secs(2)))),
        42..50 => arbiter(ArbiterFault::Vanish),
        50..60 => arbiter(ArbiterFault::Return),
        60..64 => arbiter(ArbiterFault::Restart(rng.between(Duration::ZERO, Duration::from_secs(6)))),
        64..68 => arbiter(ArbiterFault::Rate(rng.below(90_001) as i64 - 45_000)),
        68..76 => Fault::Reference(one, Reference::Silent),
        76..84 => Fault::Reference(one, Reference::Answers),
        84..90 => Fault::Rough(one, other, rng.below(60)),
        90..93 => Fault::ClockRate(one, rng.below(90_001) as i64 - 45_000),
        93..95 => Fault::Fencing(one, Agent::Hangs),
        95..97 => Fault::Fencing(one, Agent::Fails),
        97..98 => Fault::Fencing(one, Agent::Works),
        _ => Fault::Order(one, Order::Fence(other)),
    }
}

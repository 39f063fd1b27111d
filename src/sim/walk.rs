//! Walks: a schedule of faults invented from a seed, run to its end, then a quiet time in which the group must recover.

use std::time::Duration;

use super::arbiter::{ArbiterFault, Reference, Road};
use super::checks::Broken;
use super::coverage::Coverage;
use super::fault::{Agent, Crash, Fault, Order, Step, Way};
use super::rng::Rng;
use super::world::{Carry, Group, World};
use crate::negotiation::exchange::StopCause;
use crate::negotiation::member::MemberId;
use crate::negotiation::settings::Protection;

/// A run that broke an invariant.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which.
    pub broken: Broken,
    /// The last events before it, one a line.
    pub trace: String,
}

/// What a run that went well came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Inputs handled.
    pub events: u64,
    /// What was reached.
    pub coverage: Coverage,
}

/// How long a Primary may be missing in a group without a hold whose members run and hear each other again (S10).
///
/// The longest road: a member that was started last waits for one that never comes (`boot_timeout`, or
/// `connect_grace`), within which links come back and disks are tried again. Then a silence (T), and a promise that was
/// given at its end, a lease that runs out, a settling or an operator's pending command (PL, the longer of timeout and
/// lease, and less), with an interval before each next question. Of three or more, some may have promised the role to a
/// lesser candidate just before a better one could be one again: that one in turn has promised the better, and what was
/// promised to itself runs out first. So promises are waited for twice there. Walks stay well below it.
pub fn recovery_bound(group: &Group) -> Duration {
    let boot = group.boot_timeout.max(group.connect_grace);
    let promise = group.reply_timeout.max(group.lease_length().unwrap_or_default());
    let promises = if group.members.len() > 2 { 2 * promise } else { promise };
    boot + group.reply_timeout + promises + 2 * group.query_interval
}

/// The longest that processes take to stop in a walk.
pub(super) const LONGEST_STOP: Duration = Duration::from_secs(6);

/// Longer than any agent works, or is waited for, with a silence and a delay before it.
const FENCING_IS_OVER: Duration = Duration::from_secs(40);

/// Invents a schedule of faults for a group of `members`.
pub fn schedule(members: usize, rng: &mut Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    for member in 0..members {
        let latest = Duration::from_millis(if rng.chance(30) { 12_000 } else { 500 });
        let after = rng.between(Duration::ZERO, latest);
        steps.push(Step { after, fault: Fault::Start(id(member)) });
    }
    // Each walk knows only some kinds of faults: what some hide, others then show.
    let kinds = if rng.chance(30) { u64::MAX } else { rng.bits() | rng.bits() & 0b1111 };
    let calm = rng.between(Duration::ZERO, Duration::from_secs(8));
    let most = if rng.chance(80) { 14 } else { 60 };
    for number in 0..2 + rng.below(most) {
        let after = match rng.below(10) {
            0..3 => rng.between(Duration::ZERO, Duration::from_millis(10)),
            3..6 => rng.between(Duration::ZERO, Duration::from_millis(1_200)),
            6..9 => rng.between(Duration::ZERO, Duration::from_secs(4)),
            _ => rng.between(Duration::ZERO, Duration::from_secs(15)),
        };
        let after = if number == 0 { after + calm } else { after };
        steps.push(Step { after, fault: fault(members, kinds, rng) });
    }
    steps
}

/// One fault that a group of `members` can meet, of the kinds whose bits are set.
fn fault(members: usize, kinds: u64, rng: &mut Rng) -> Fault {
    loop {
        let (kind, fault) = any_fault(members, rng);
        // A cut is always among the kinds, so this ends.
        if kind == 0 || kinds >> kind & 1 == 1 {
            return fault;
        }
    }
}

/// One fault of any kind, with the number of its kind.
fn any_fault(members: usize, rng: &mut Rng) -> (u32, Fault) {
    let one = id(rng.below(members as u64) as usize);
    let other = id((one.index() + 1 + rng.below(members as u64 - 1) as usize) % members);
    match rng.below(100) {
        0..12 => (0, Fault::Cut(one, other, [Way::Both, Way::Both, Way::Forth, Way::Back][rng.below(4) as usize])),
        12..22 => (1, Fault::Heal(one, other)),
        22..32 => (2, Fault::Crash(one, if rng.chance(60) { Crash::Process } else { Crash::Host })),
        32..44 => (3, Fault::Start(one)),
        44..53 => (4, Fault::Freeze(one)),
        53..63 => (4, Fault::Thaw(one)),
        63..67 => (5, Fault::Delay(one, other, rng.between(Duration::ZERO, Duration::from_millis(1_500)))),
        67..71 => (6, Fault::SlowDisk(one, rng.between(Duration::ZERO, Duration::from_secs(4)))),
        71..74 => (7, Fault::BreakDisk(one)),
        74..78 => (7, Fault::MendDisk(one)),
        78..81 => (8, Fault::Sicken(one)),
        81..84 => (8, Fault::Recover(one)),
        84..86 => (9, Fault::Stop(one, if rng.chance(50) { StopCause::Signal } else { StopCause::Operator })),
        86..89 => (10, Fault::Order(one, Order::TakeOver)),
        89..91 => (11, Fault::Order(one, Order::ForceTakeOver)),
        91..94 => (12, Fault::Order(one, Order::StepDown)),
        94..95 => (13, Fault::Order(one, Order::ForceStepDown)),
        95..98 => (14, Fault::Order(one, Order::Hold(rng.between(Duration::from_secs(1), Duration::from_secs(60))))),
        _ => (14, Fault::Order(one, Order::Resume)),
    }
}

/// The walk of one seed, with its trace when it fails.
///
/// # Errors
///
/// The invariant that broke. The run is made a second time then, with a trace; nothing but time is lost by that.
pub fn walk(group: &Group, seed: u64) -> Result<Done, Failure> {
    let mut rng = Rng::new(seed);
    let steps = schedule(group.members.len(), &mut rng);
    run(group, rng.bits(), &steps)
}

/// The walk of one seed in which members have processes that take time to stop and fall ill, and fencing devices that
/// do not always work.
///
/// # Errors
///
/// As for [`walk`].
pub fn walk_with_processes(group: &Group, seed: u64) -> Result<Done, Failure> {
    let mut rng = Rng::new(seed);
    let members = group.members.len();
    let mut steps = Vec::new();
    for member in 0..members {
        let longest = if rng.chance(30) { Duration::ZERO } else { rng.between(Duration::ZERO, LONGEST_STOP) };
        steps.push(Step { after: Duration::ZERO, fault: Fault::StopTime(id(member), longest) });
    }
    for step in schedule(members, &mut rng) {
        if rng.chance(30) {
            let after = rng.between(Duration::ZERO, Duration::from_secs(4));
            steps.push(Step { after, fault: fault_of_processes(members, &mut rng) });
        }
        steps.push(step);
    }
    run(group, rng.bits(), &steps)
}

/// One fault of processes, of their health or of fencing.
pub(super) fn fault_of_processes(members: usize, rng: &mut Rng) -> Fault {
    let one = id(rng.below(members as u64) as usize);
    let other = id((one.index() + 1 + rng.below(members as u64 - 1) as usize) % members);
    match rng.below(100) {
        0..20 => Fault::SickenProcesses(one),
        20..30 => Fault::Sicken(one),
        30..45 => Fault::Recover(one),
        45..60 => Fault::StopTime(one, rng.between(Duration::ZERO, LONGEST_STOP)),
        60..66 => Fault::Fencing(one, Agent::Fails),
        66..72 => Fault::Fencing(one, Agent::Hangs),
        72..74 => Fault::Fencing(one, Agent::Lies),
        74..84 => Fault::Fencing(one, Agent::Works),
        84..90 => Fault::Order(one, Order::Fence(other)),
        _ => Fault::Order(one, Order::IsOff(other)),
    }
}

/// The same as [`walk`], with every message going through `carry` on its way.
///
/// # Errors
///
/// As for [`walk`].
pub fn walk_through(group: &Group, seed: u64, carry: Carry) -> Result<Done, Failure> {
    let mut rng = Rng::new(seed);
    let steps = schedule(group.members.len(), &mut rng);
    run_through(group, rng.bits(), &steps, Some(carry))
}

/// Runs `steps`, then lets the group recover; delays and latencies are drawn from `seed`.
///
/// # Errors
///
/// The invariant that broke, with the trace.
pub fn run(group: &Group, seed: u64, steps: &[Step]) -> Result<Done, Failure> {
    run_through(group, seed, steps, None)
}

fn run_through(group: &Group, seed: u64, steps: &[Step], carry: Option<Carry>) -> Result<Done, Failure> {
    let fresh = || {
        let mut world = World::new(group.clone(), seed);
        if let Some(carry) = carry {
            world.carry_through(carry);
        }
        world
    };
    let mut world = fresh();
    match drive(&mut world, steps) {
        Ok(()) => Ok(Done { events: world.events(), coverage: world.coverage().clone() }),
        Err(_) => {
            let mut world = fresh();
            world.keep_trace();
            // The same seed and steps: the same end.
            let broken = drive(&mut world, steps).err().unwrap_or(Broken::NobodyActs { what: "it was gone".into() });
            Err(Failure { broken, trace: world.trace() })
        }
    }
}

pub(super) fn drive(world: &mut World, steps: &[Step]) -> Result<(), Broken> {
    for step in steps {
        world.run(step.after)?;
        world.apply(step.fault);
        if let Some(broken) = world.broken() {
            return Err(broken.clone());
        }
    }
    recover(world)
}

/// Mends everything, waits for [`recovery_bound`], and looks.
///
/// # Errors
///
/// Whatever broke, or that the group did not recover.
pub fn recover(world: &mut World) -> Result<(), Broken> {
    mend(world);
    if world.group.protected_by(Protection::Fence) {
        // What has begun is never cancelled, and may still hit somebody.
        world.run(FENCING_IS_OVER)?;
        for member in world.members() {
            world.apply(Fault::Start(member));
        }
    }
    // Words about a hold may still be on their way, and who steps down may still stop.
    world.run(world.group.reply_timeout + world.longest_stop())?;
    for member in world.members() {
        world.apply(Fault::Order(member, Order::Resume));
    }
    // Where members differ, the longest counts (N19).
    let bound = world.members().map(|member| recovery_bound(world.settings_of(member))).max().unwrap_or_default();
    world.run(bound + world.longest_stop())?;
    settled(world)?;
    let before = world.primaries().next();
    world.run(4 * world.group.reply_timeout)?;
    let after = world.primaries().next();
    if let (Some(before), true) = (before, before != after) {
        return Err(Broken::Restless(before));
    }
    settled(world)
}

fn mend(world: &mut World) {
    let members = world.members();
    world.apply(Fault::Arbiter(ArbiterFault::Return));
    world.apply(Fault::Arbiter(ArbiterFault::Delay(Duration::ZERO)));
    for member in members.clone() {
        world.apply(Fault::Thaw(member));
        world.apply(Fault::MendDisk(member));
        world.apply(Fault::Recover(member));
        world.apply(Fault::Fencing(member, Agent::Works));
        world.apply(Fault::Reference(member, Reference::Answers));
        world.apply(Fault::Arbiter(ArbiterFault::Road(member, Road::Open)));
        for other in members.clone().filter(|other| *other > member) {
            world.apply(Fault::Heal(member, other));
            world.apply(Fault::Delay(member, other, Duration::from_millis(2)));
            world.apply(Fault::Rough(member, other, 0));
        }
    }
    // Some of the dead stay dead, but never so many that nobody could act.
    let everybody = world.rng.chance(50);
    let need = if world.group.protected_by(Protection::Majority) { world.group.members.len() / 2 + 1 } else { 1 };
    for member in members.clone() {
        if everybody || world.running().count() < need {
            world.apply(Fault::Start(member));
        }
    }
}

/// One Primary, no more and no less, and nobody that should have gone.
fn settled(world: &World) -> Result<(), Broken> {
    if let Some(member) = world.members().find(|member| world.is_stopping(*member)) {
        return Err(Broken::DidNotStop(member));
    }
    let primaries: Vec<MemberId> = world.primaries().collect();
    match primaries.len() {
        1 if !world.serves(primaries[0]) => Err(Broken::NothingRuns(primaries[0])),
        1 => match world.overtaken(primaries[0]) {
            Some((now, highest)) => Err(Broken::TermOvertaken { member: primaries[0], now, highest }),
            None => Ok(()),
        },
        0 if may_act(world) => {
            let running: Vec<MemberId> = world.running().collect();
            Err(Broken::NobodyActs { what: format!("members {running:?} run and hear each other") })
        }
        0 => Ok(()),
        _ => Err(Broken::StillSeveral(primaries)),
    }
}

/// Whether the limits of the rules leave anybody who may act.
fn may_act(world: &World) -> bool {
    let running = world.running().count();
    let enough = !world.group.protected_by(Protection::Majority) || running > world.group.members.len() / 2;
    // A member that has not heard its peer since its own start waits for it (rule 6).
    let heard = !world.group.protected_by(Protection::Fence) || running == world.group.members.len();
    let somebody = world.running().any(|member| !world.settings_of(member).observe_only);
    enough && heard && somebody
}

pub(super) fn id(member: usize) -> MemberId {
    // A group has at most five members here.
    MemberId(member as u8)
}

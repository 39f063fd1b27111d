//! What can go wrong, and what people can do, on purpose and at a chosen time.

use std::time::Duration;

use super::arbiter::{ArbiterFault, Reference};
use crate::negotiation::exchange::StopCause;
use crate::negotiation::member::MemberId;

/// How a member dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process: its host closes the connections and refuses new ones.
    Process,
    /// The host: silence.
    Host,
}

/// Which way a cut goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing passes.
    Both,
    /// From the first to the second nothing passes.
    Forth,
    /// From the second to the first nothing passes.
    Back,
}

/// What the fencing agent of a member does, whoever starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// It switches off, and says so when that is so.
    Works,
    /// It says that it failed.
    Fails,
    /// It says that the member is off, and does nothing.
    Lies,
    /// It says nothing until it is given up.
    Hangs,
}

/// What an operator says to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Take over, with the Primary's agreement.
    TakeOver,
    /// Take over by force.
    ForceTakeOver,
    /// Hand over.
    StepDown,
    /// Step down also with nobody to hand over to.
    ForceStepDown,
    /// Freeze the group's takeovers for this long.
    Hold(Duration),
    /// Free them again.
    Resume,
    /// Switch this one off.
    Fence(MemberId),
    /// "It is off, I looked"; said only when it is so.
    IsOff(MemberId),
}

/// One event of the environment. What does not apply (thawing who is not frozen) does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A member starts, for the first time or again.
    Start(MemberId),
    /// A member dies; a write under way may or may not have reached the disk.
    Crash(MemberId, Crash),
    /// A member stops running, and its kernel goes on (SIGSTOP, a stall).
    Freeze(MemberId),
    /// It runs again.
    Thaw(MemberId),
    /// The network between two members breaks.
    Cut(MemberId, MemberId, Way),
    /// It works again.
    Heal(MemberId, MemberId),
    /// From now on a message between the two takes up to this long.
    Delay(MemberId, MemberId, Duration),
    /// From now on so many of a hundred words between the two take a detour, or come twice.
    Rough(MemberId, MemberId, u64),
    /// From its next start on a member's clock runs so many millionths too fast, or too slow. A lease's margin covers
    /// what two clocks differ by up to a tenth.
    ClockRate(MemberId, i64),
    /// From now on a write takes up to this long, and at least half of it.
    SlowDisk(MemberId, Duration),
    /// From now on writes fail.
    BreakDisk(MemberId),
    /// Writes succeed again, and quickly.
    MendDisk(MemberId),
    /// A member's health falls below the threshold.
    Sicken(MemberId),
    /// What runs only on the Primary is sick at this member, so its health is low only while it is Primary.
    SickenProcesses(MemberId),
    /// It is healthy again.
    Recover(MemberId),
    /// From now on stopping what runs only on the Primary takes a member up to this long.
    StopTime(MemberId, Duration),
    /// From now on a member's fencing agent does this.
    Fencing(MemberId, Agent),
    /// Something becomes of the arbiter.
    Arbiter(ArbiterFault),
    /// From now on the reference addresses do this to a member's questions.
    Reference(MemberId, Reference),
    /// An operator speaks.
    Order(MemberId, Order),
    /// A member is to stop.
    Stop(MemberId, StopCause),
}

/// One step of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How long after the step before.
    pub after: Duration,
    /// What happens then.
    pub fault: Fault,
}

//! What one exploration covers: the group, the faults it may meet, and how far.

use std::time::Duration;

use tandem::negotiation::ability::Score;
use tandem::negotiation::member::MemberId;
use tandem::negotiation::settings::{Protection, Settings};
use tandem::negotiation::time::Instant;

use super::reached::Reached;

/// One tick: an interval between two questions.
pub const TICK: Duration = Duration::from_secs(20);

/// What every negotiator's clock shows at every state.
pub const EPOCH: Instant = Instant(1_000 * 20_000_000_000);

/// Which faults cost a unit of the budget each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// A direction of a link, or both, carries nothing; what was sent waits, and comes late or never.
    pub cuts: bool,
    /// A connection breaks, and empties both ways.
    pub breaks: bool,
    /// One message is lost.
    pub losses: bool,
    /// A controller's process dies, a write under way done or not.
    pub crashes: bool,
    /// A host dies.
    pub host_crashes: bool,
    /// A controller freezes; its kernel, its processes and their guardian go on.
    pub freezes: bool,
    /// A write fails.
    pub disks: bool,
    /// A fence agent fails.
    pub agents: bool,
    /// The arbiter is out of a member's reach.
    pub arbiter: bool,
    /// The reference addresses are.
    pub references: bool,
    /// An operator orders a hand-over, a controller is told to stop.
    pub orders: bool,
    /// An operator forces a takeover or a step-down, has a peer switched off, or says truly that one is off.
    pub forces: bool,
    /// An operator freezes the group's takeovers; that they end costs nothing.
    pub holds: bool,
    /// What a member measures becomes low; that it recovers (on losing the role, say) costs nothing.
    pub sickness: bool,
    /// A host dies, and its disk with it: it starts again without what it had kept.
    pub lost_disks: bool,
}

impl Faults {
    /// All of them.
    pub const ALL: Faults = Faults {
        cuts: true,
        breaks: true,
        losses: true,
        crashes: true,
        host_crashes: true,
        freezes: true,
        disks: true,
        agents: true,
        arbiter: true,
        references: true,
        orders: true,
        forces: true,
        holds: true,
        sickness: true,
        lost_disks: true,
    };

    /// Everything that befalls hosts and the network, and the plain orders: nobody forces, holds or is sick.
    pub const OF_PARTS: Faults = Faults { forces: false, holds: false, sickness: false, ..Faults::ALL };

    /// What operators do, and sickness.
    pub const OF_PEOPLE: Faults = Faults {
        cuts: false,
        breaks: false,
        losses: false,
        crashes: false,
        host_crashes: false,
        freezes: false,
        disks: false,
        agents: false,
        arbiter: false,
        references: false,
        lost_disks: false,
        ..Faults::ALL
    };
}

/// In which order members look at their clocks when a tick has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timers {
    /// In any order, with anything between them.
    Asynchronous,
    /// All at once, by address.
    Synchronous,
}

/// Of two messages of a kind on their way, one is lost: which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The one that was sent first arrives.
    Older,
    /// The one that was sent last does.
    Newer,
}

/// How time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// From an epoch, and as far back as anything counts: a state is what will happen from now on.
    Told,
    /// As it is: no state ever comes again. Only to see that the other way of telling makes no difference.
    Plain,
}

/// Where an exploration begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Everybody is off: members start, and find each other, whenever they do, or never.
    Off,
    /// Everybody has just started, and is connected.
    Together,
    /// One is Primary, and every member has seen two ticks since.
    Settled,
}

/// The bounds of one exploration.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How many members.
    pub members: usize,
    /// What protects them.
    pub protection: Vec<Protection>,
    /// How many faults may happen.
    pub budget: u8,
    /// Which.
    pub faults: Faults,
    /// How the ticks are seen.
    pub timers: Timers,
    /// What is bounded in time (a message, a write, a call, an agent) may be under way for so many ticks before the next.
    pub lateness: u8,
    /// Where it begins.
    pub begin: Begin,
    /// Whether two acting at once is a failure.
    pub one_acts: bool,
    /// Whether it is asked that a Primary is there again (which needs to remember for how long nothing has happened).
    pub recovery: bool,
    /// How many steps deep, at most; none: to the end.
    pub depth: Option<usize>,
    /// For how many ticks what runs only on the Primary may take to stop; none: it stops at once.
    pub stopping: u8,
    /// Which of two messages of a kind arrives.
    pub kept: Kept,
    /// How time is told.
    pub time: Time,
    /// What was reached.
    pub reached: Reached,
}

impl Bounds {
    /// A pair with these protections and every fault, asynchronous, to the end.
    pub fn pair(protection: &[Protection], budget: u8) -> Bounds {
        let proofs = [Protection::Majority, Protection::Fence, Protection::Arbiter];
        Bounds {
            members: 2,
            protection: protection.to_vec(),
            begin: Begin::Together,
            // Reachability is a filter, and proves nothing.
            one_acts: proofs.iter().any(|proof| protection.contains(proof)),
            budget,
            faults: Faults::ALL,
            timers: Timers::Asynchronous,
            lateness: 0,
            recovery: false,
            depth: None,
            stopping: 0,
            kept: Kept::Older,
            time: Time::Told,
            reached: Reached::default(),
        }
    }

    /// Three members with these protections and every fault, with synchronous ticks.
    pub fn three(protection: &[Protection], budget: u8) -> Bounds {
        Bounds { members: 3, timers: Timers::Synchronous, ..Bounds::pair(protection, budget) }
    }

    /// The same, asking also that a Primary is there again.
    pub fn with_recovery(self) -> Bounds {
        Bounds { recovery: true, ..self }
    }

    /// The same from cold.
    pub fn cold(self) -> Bounds {
        Bounds { begin: Begin::Off, ..self }
    }

    /// The same from when one is Primary.
    pub fn settled(self) -> Bounds {
        Bounds { begin: Begin::Settled, ..self }
    }

    /// The same, where what runs only on the Primary takes up to so many ticks to stop.
    pub fn stopping_within(self, stopping: u8) -> Bounds {
        Bounds { stopping, ..self }
    }

    /// The same with these faults only.
    pub fn only(self, faults: Faults) -> Bounds {
        Bounds { faults, ..self }
    }

    /// Asking of whoever is not protected that only one acts: what it cannot promise.
    pub fn demanding_one(self) -> Bounds {
        Bounds { one_acts: true, ..self }
    }

    /// Whether one of them protects.
    pub fn protected_by(&self, protection: Protection) -> bool {
        self.protection.contains(&protection)
    }

    /// Whether a number is never used by two.
    pub fn unique_numbers(&self) -> bool {
        self.protected_by(Protection::Majority) || self.protected_by(Protection::Arbiter)
    }

    /// Within how many quiet ticks a Primary is there again: the boot's wait, a silence and a promise given at its end, and
    /// a question before and after each.
    pub fn recovers_within(&self) -> u8 {
        let fencing = if self.protected_by(Protection::Fence) { 6 } else { 0 };
        11 + fencing
    }

    /// The settings of one member.
    pub fn settings(&self, me: usize) -> Settings {
        let names = ["alpha", "beta", "gamma"].into_iter().take(self.members).map(Into::into).collect();
        let delay = self.protected_by(Protection::Fence).then_some(2 * TICK);
        Settings {
            protection: self.protection.clone(),
            query_interval: TICK,
            reply_timeout: 3 * TICK,
            lease: 3 * TICK,
            boot_timeout: 3 * TICK,
            connect_grace: 2 * TICK,
            fence_delay: vec![delay; self.members],
            threshold: Score::from_ten_thousandths(7_500),
            sick_for: 2 * TICK,
            confirmations: 1,
            // At most three members.
            ..Settings::new(MemberId(me as u8), names)
        }
    }
}

/// What is walked through for a pair with these protections: every state within these bounds.
pub fn exhaustive(protection: &[Protection]) -> Vec<Bounds> {
    let pair = |budget| Bounds::pair(protection, budget);
    // So deep that each takes a few seconds; to the end where that is no more.
    let from_boot = match protection {
        [] => None,
        [Protection::Fence] => Some(100),
        _ => Some(30),
    };
    vec![
        // To the end. Whoever starts first and finds the other when: a Primary is there whenever it may be.
        pair(0).cold().with_recovery(),
        Bounds { depth: from_boot, ..pair(1).only(Faults::OF_PARTS) },
        Bounds { depth: Some(26), ..pair(1).settled().only(Faults::OF_PARTS) },
        Bounds { depth: Some(12), ..pair(2).settled().only(Faults::OF_PARTS) },
        Bounds { depth: Some(18), ..pair(1).settled().stopping_within(1).only(Faults::OF_PEOPLE) },
        Bounds { depth: Some(12), lateness: 1, kept: Kept::Newer, ..pair(1).settled().stopping_within(1) },
    ]
}

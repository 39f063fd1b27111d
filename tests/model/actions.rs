//! What may happen next.

use tandem::negotiation::exchange::ArbiterCall;

use super::bounds::{Bounds, Timers};
use super::states::{Agent, Group, Link, Member, Run};

/// Which directions of a link are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Both,
    /// From the lower address to the higher nothing passes.
    Forth,
    Back,
}

impl Way {
    pub fn cuts(self) -> [bool; 2] {
        match self {
            Way::Both => [true, true],
            Way::Forth => [true, false],
            Way::Back => [false, true],
        }
    }
}

/// What an operator, or whoever runs the machine, says to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    TakeOver {
        force: bool,
    },
    StepDown {
        force: bool,
    },
    /// The group's takeovers are frozen.
    Hold,
    /// Switch a peer off, alive or not.
    Fence {
        peer: usize,
    },
    /// "It is off, I looked": said only when it is true.
    IsOff {
        peer: usize,
    },
    /// SIGTERM.
    Stop,
    /// `shutdown`, which hands over under a hold too.
    ShutDown,
}

/// How a controller ends that nobody stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Process,
    /// A write under way was done all the same.
    ProcessAfterWriting,
    Host,
    HostAfterWriting,
    /// The host, and everything that it had kept.
    HostWithDisk,
}

/// One thing that happens. Members, links and sides are numbers; a side is who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An interval passes.
    Tick,
    /// A member looks at its clock.
    Timer(usize),
    Deliver {
        link: usize,
        side: usize,
        place: usize,
    },
    DiskDone(usize),
    /// The guardian of a dead controller has ended what ran.
    Guardian(usize),
    /// What runs only on the Primary has stopped, as it was told.
    Ended(usize),
    Strike {
        by: usize,
        peer: usize,
    },
    Report {
        by: usize,
        peer: usize,
    },
    /// The arbiter does what it was asked.
    ArbiterActs(usize),
    /// The answer, or that there is none, reaches who asked.
    ArbiterSays(usize),
    /// The arbiter does what it was asked by one that waits no longer.
    ArbiterActsLate(usize),
    ReferencesSay(usize),
    /// A dialler learns that a host refuses.
    Refused {
        link: usize,
        side: usize,
    },

    // What goes wrong comes to an end, or is set going.
    Start(usize),
    Connect(usize),
    Heal(usize),
    Thaw(usize),
    ArbiterBack(usize),
    ReferencesBack(usize),
    /// A connection that carries nothing any more is closed.
    GiveUp(usize),
    /// What a member measures is good again.
    Recovers(usize),
    /// An operator ends a hold, or what a forced step-down left.
    Resume(usize),

    // Faults.
    Cut {
        link: usize,
        way: Way,
    },
    Break(usize),
    Lose {
        link: usize,
        side: usize,
        place: usize,
    },
    Crash {
        member: usize,
        how: End,
    },
    Freeze(usize),
    DiskFails(usize),
    AgentFails {
        by: usize,
        peer: usize,
    },
    ArbiterLost(usize),
    ReferencesLost(usize),
    /// What a member measures of itself is low.
    Sickens(usize),
    Order {
        member: usize,
        order: Order,
    },
}

impl Action {
    /// Whether it is the environment's doing, after which the group may need its time.
    pub fn is_event(self) -> bool {
        match self {
            Action::Tick
            | Action::Timer(_)
            | Action::Deliver { .. }
            | Action::DiskDone(_)
            | Action::Report { .. }
            | Action::Ended(_)
            | Action::ArbiterActs(_)
            | Action::ArbiterSays(_)
            | Action::ReferencesSay(_)
            | Action::Refused { .. } => false,
            Action::Guardian(_)
            | Action::Strike { .. }
            | Action::Start(_)
            | Action::Connect(_)
            | Action::Heal(_)
            | Action::Thaw(_)
            | Action::ArbiterBack(_)
            | Action::ReferencesBack(_)
            | Action::ArbiterActsLate(_)
            | Action::GiveUp(_)
            | Action::Recovers(_)
            | Action::Resume(_) => true,
            Action::Cut { .. }
            | Action::Break(_)
            | Action::Lose { .. }
            | Action::Crash { .. }
            | Action::Freeze(_)
            | Action::DiskFails(_)
            | Action::AgentFails { .. }
            | Action::ArbiterLost(_)
            | Action::ReferencesLost(_)
            | Action::Sickens(_)
            | Action::Order { .. } => true,
        }
    }

    /// Whether it costs a unit of the budget.
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            Action::Cut { .. }
                | Action::Break(_)
                | Action::Lose { .. }
                | Action::Crash { .. }
                | Action::Freeze(_)
                | Action::DiskFails(_)
                | Action::AgentFails { .. }
                | Action::ArbiterLost(_)
                | Action::ReferencesLost(_)
                | Action::Sickens(_)
                | Action::Order { .. }
        )
    }
}

/// Everything that may happen next, in a fixed order.
pub fn enabled(bounds: &Bounds, group: &Group, actions: &mut Vec<Action>) {
    if group.broken.is_some() {
        return;
    }
    let begun = actions.len();
    for (id, member) in group.members.iter().enumerate() {
        own(id, member, actions);
    }
    for (index, link) in group.links.iter().enumerate() {
        carried(group, index, link, actions);
    }
    if may_tick(bounds, group) {
        actions.insert(begun, Action::Tick);
    }
    for (id, member) in group.members.iter().enumerate() {
        mended(id, member, actions);
    }
    for (index, link) in group.links.iter().enumerate() {
        connected(group, index, link, actions);
    }
    if group.budget > 0 {
        for (id, member) in group.members.iter().enumerate() {
            strikes_member(bounds, id, member, actions);
            ordered(bounds, group, id, actions);
        }
        for (index, link) in group.links.iter().enumerate() {
            strikes_link(bounds, group, index, link, actions);
        }
    }
}

/// What a member's own parts do.
fn own(id: usize, member: &Member, actions: &mut Vec<Action>) {
    let running = member.run == Run::Running;
    if running && member.due {
        actions.push(Action::Timer(id));
    }
    if running && member.write.is_some() {
        actions.push(Action::DiskDone(id));
    }
    if member.run == Run::Dying {
        actions.push(Action::Guardian(id));
    }
    if member.ending.is_some() {
        actions.push(Action::Ended(id));
    }
    if member.stray.is_some() {
        actions.push(Action::ArbiterActsLate(id));
    }
    for (peer, agent) in member.agents.iter().enumerate() {
        match agent {
            Some(Agent::Begun { .. }) => actions.push(Action::Strike { by: id, peer }),
            Some(Agent::Struck { .. }) if running => actions.push(Action::Report { by: id, peer }),
            Some(Agent::Struck { .. }) | None => {}
        }
    }
    if let Some(call) = member.calls.first() {
        // A look changes nothing: it is done as its answer is told.
        let look = matches!(call.call, ArbiterCall::Look);
        if call.reply.is_none() && !member.arbiter_lost && !look {
            actions.push(Action::ArbiterActs(id));
        }
        if running && (call.reply.is_some() || member.arbiter_lost || look) {
            actions.push(Action::ArbiterSays(id));
        }
    }
    if running && member.question.is_some() {
        actions.push(Action::ReferencesSay(id));
    }
}

/// Whether a message of this side reaches who it is for.
fn passes(group: &Group, link: &Link, side: usize) -> bool {
    let to = link.ends[1 - side];
    link.up[1 - side] && !link.cut[side] && group.members[to].run == Run::Running
}

fn carried(group: &Group, index: usize, link: &Link, actions: &mut Vec<Action>) {
    for side in 0..2 {
        if passes(group, link, side) {
            for place in 0..link.queues[side].len() {
                actions.push(Action::Deliver { link: index, side, place });
            }
        }
        let (me, other) = (&group.members[link.ends[side]], &group.members[link.ends[1 - side]]);
        let refuses = other.run == Run::Off { refuses: true } && link.cut == [false; 2];
        if refuses && me.run == Run::Running && !link.up[side] && !link.refused[side] {
            actions.push(Action::Refused { link: index, side });
        }
    }
}

/// Whether everybody has seen this tick, and nothing is overdue.
fn may_tick(bounds: &Bounds, group: &Group) -> bool {
    let member_waits = |member: &Member| {
        let running = member.run == Run::Running;
        let old = |age: u8| age >= bounds.lateness;
        let agents = member.agents.iter().flatten().any(|agent| match agent {
            Agent::Begun { age } => old(*age),
            Agent::Struck { age } => running && old(*age),
        });
        let synchronous = bounds.timers == Timers::Synchronous;
        (running && member.due && !synchronous)
            || member.run == Run::Dying
            || member.ending.is_some_and(|ending| ending.age >= bounds.stopping)
            || (running && member.write.as_ref().is_some_and(|write| old(write.age)))
            || agents
            || (running && member.calls.first().is_some_and(|call| old(call.age)))
            || (running && member.question.is_some_and(|(_, age)| old(age)))
    };
    let link_waits = |link: &Link| {
        (0..2).any(|side| passes(group, link, side) && link.queues[side].iter().any(|sent| sent.age >= bounds.lateness))
    };
    !group.members.iter().any(|member| member_waits(member)) && !group.links.iter().any(|link| link_waits(link))
}

fn mended(id: usize, member: &Member, actions: &mut Vec<Action>) {
    match member.run {
        Run::Off { .. } => actions.push(Action::Start(id)),
        Run::Frozen { .. } => actions.push(Action::Thaw(id)),
        Run::Dying | Run::Running => {}
    }
    if member.arbiter_lost {
        actions.push(Action::ArbiterBack(id));
    }
    if member.references_lost.is_some() {
        actions.push(Action::ReferencesBack(id));
    }
    if member.run == Run::Running && member.sick {
        actions.push(Action::Recovers(id));
    }
    if member.run == Run::Running && member.held {
        actions.push(Action::Resume(id));
    }
}

fn connected(group: &Group, index: usize, link: &Link, actions: &mut Vec<Action>) {
    let run = |side: usize| group.members[link.ends[side]].run;
    let cut = link.cut != [false; 2];
    let up = link.up == [true; 2];
    if !up && !cut && run(0) == Run::Running && run(1) == Run::Running {
        actions.push(Action::Connect(index));
    }
    if cut {
        actions.push(Action::Heal(index));
    }
    let silent = cut || run(0) != Run::Running || run(1) != Run::Running;
    if link.up != [false; 2] && silent && (0..2).any(|side| link.up[side] && run(side) == Run::Running) {
        actions.push(Action::GiveUp(index));
    }
}

fn strikes_member(bounds: &Bounds, id: usize, member: &Member, actions: &mut Vec<Action>) {
    let faults = &bounds.faults;
    let running = member.run == Run::Running;
    let alive = member.alive();
    let (writes, processes, hosts) = (member.write.is_some(), faults.crashes, faults.host_crashes);
    let ends = [
        (End::Process, processes),
        (End::ProcessAfterWriting, processes && writes),
        (End::Host, hosts),
        (End::HostAfterWriting, hosts && writes),
        (End::HostWithDisk, faults.lost_disks),
    ];
    for (how, _) in ends.into_iter().filter(|(_, may)| alive && *may) {
        actions.push(Action::Crash { member: id, how });
    }
    if faults.freezes && running {
        actions.push(Action::Freeze(id));
    }
    if faults.disks && running && member.write.is_some() {
        actions.push(Action::DiskFails(id));
    }
    for (peer, agent) in member.agents.iter().enumerate() {
        if faults.agents && running && matches!(agent, Some(Agent::Begun { .. })) {
            actions.push(Action::AgentFails { by: id, peer });
        }
    }
    if faults.arbiter && uses_arbiter(bounds) && alive && !member.arbiter_lost {
        actions.push(Action::ArbiterLost(id));
    }
    if faults.references && uses_references(bounds) && alive && member.references_lost.is_none() {
        actions.push(Action::ReferencesLost(id));
    }
    if faults.sickness && running && !member.sick {
        actions.push(Action::Sickens(id));
    }
}

/// What an operator may say to a member.
fn ordered(bounds: &Bounds, group: &Group, id: usize, actions: &mut Vec<Action>) {
    let (faults, member) = (&bounds.faults, &group.members[id]);
    if member.run != Run::Running || member.stopping {
        return;
    }
    let mut order = |order: Order| actions.push(Action::Order { member: id, order });
    if faults.orders {
        order(if member.serves { Order::StepDown { force: false } } else { Order::TakeOver { force: false } });
        order(Order::Stop);
    }
    if faults.holds {
        order(Order::Hold);
        order(Order::ShutDown);
    }
    if faults.forces {
        order(if member.serves { Order::StepDown { force: true } } else { Order::TakeOver { force: true } });
        for (peer, other) in group.members.iter().enumerate().filter(|(peer, _)| *peer != id) {
            if uses_fence(bounds) {
                order(Order::Fence { peer });
            }
            if matches!(other.run, Run::Off { .. }) {
                order(Order::IsOff { peer });
            }
        }
    }
}

fn uses_fence(bounds: &Bounds) -> bool {
    bounds.protected_by(tandem::negotiation::settings::Protection::Fence)
}

fn uses_arbiter(bounds: &Bounds) -> bool {
    bounds.protected_by(tandem::negotiation::settings::Protection::Arbiter)
}

fn uses_references(bounds: &Bounds) -> bool {
    bounds.protected_by(tandem::negotiation::settings::Protection::Reachability)
}

fn strikes_link(bounds: &Bounds, group: &Group, index: usize, link: &Link, actions: &mut Vec<Action>) {
    let faults = &bounds.faults;
    let up = link.up == [true; 2];
    if faults.cuts && link.cut == [false; 2] && up {
        for way in [Way::Both, Way::Forth, Way::Back] {
            actions.push(Action::Cut { link: index, way });
        }
    }
    if faults.breaks && up {
        actions.push(Action::Break(index));
    }
    if faults.losses {
        for side in 0..2 {
            for place in 0..link.queues[side].len() {
                if passes(group, link, side) {
                    actions.push(Action::Lose { link: index, side, place });
                }
            }
        }
    }
}

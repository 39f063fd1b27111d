//! States and actions as people read them.

use tandem::negotiation::message::Mode;

use super::actions::{Action, End, Order, Way};
use super::bounds::{Begin, Bounds, Faults, Kept, Timers};
use super::states::{Group, Run};

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// What happens, in words.
pub fn action(group: &Group, action: Action) -> String {
    let name = |member: usize| NAMES[member];
    let ends = |link: usize| group.links[link].ends.map(|end| NAMES[end]);
    let sent = |link: usize, side: usize, place: usize| {
        let text = group.links[link].queues[side].get(place).map(|sent| format!("{:?}", sent.message));
        (text.unwrap_or_default(), ends(link)[side], ends(link)[1 - side])
    };
    match action {
        Action::Tick => "an interval passes".to_owned(),
        Action::Timer(member) => format!("{} looks at its clock", name(member)),
        Action::Deliver { link, side, place } => {
            let (text, from, to) = sent(link, side, place);
            format!("{to} hears of {from}: {text}")
        }
        Action::DiskDone(member) => format!("{}'s state is on disk", name(member)),
        Action::Guardian(member) => format!("{}'s guardian has ended what ran", name(member)),
        Action::Strike { by, peer } => format!("{}'s agent switches {} off", name(by), name(peer)),
        Action::Report { by, peer } => format!("{}'s agent says that {} is off", name(by), name(peer)),
        Action::ArbiterActs(member) => {
            format!("the arbiter does what {} asked: {:?}", name(member), group.members[member].calls.first())
        }
        Action::ArbiterSays(member) => format!("{} has its answer from the arbiter", name(member)),
        Action::ReferencesSay(member) => format!("{} hears whether a reference address answers", name(member)),
        Action::Refused { link, side } => format!("{} refuses {}", ends(link)[1 - side], ends(link)[side]),
        Action::Ended(member) => format!("what ran on {} has stopped", name(member)),
        Action::ArbiterActsLate(member) => {
            let call = group.members[member].stray;
            format!("the arbiter does what {} had asked and waits for no longer: {call:?}", name(member))
        }
        Action::Recovers(member) => format!("{} measures nothing low any more", name(member)),
        Action::Resume(member) => format!("{} is told to resume", name(member)),
        Action::Sickens(member) => format!("what {} measures is low", name(member)),
        Action::Start(member) => format!("{} starts", name(member)),
        Action::Connect(link) => format!("{} and {} connect", ends(link)[0], ends(link)[1]),
        Action::Heal(link) => format!("the network between {} and {} works again", ends(link)[0], ends(link)[1]),
        Action::Thaw(member) => format!("{} wakes", name(member)),
        Action::ArbiterBack(member) => format!("{} reaches the arbiter again", name(member)),
        Action::ReferencesBack(member) => format!("{} reaches the reference addresses again", name(member)),
        Action::GiveUp(link) => format!("the silent connection of {} and {} is closed", ends(link)[0], ends(link)[1]),
        Action::Cut { link, way } => {
            let [low, high] = ends(link);
            match way {
                Way::Both => format!("nothing passes between {low} and {high}"),
                Way::Forth => format!("nothing passes from {low} to {high}"),
                Way::Back => format!("nothing passes from {high} to {low}"),
            }
        }
        Action::Break(link) => format!("the connection of {} and {} breaks", ends(link)[0], ends(link)[1]),
        Action::Lose { link, side, place } => {
            let (text, from, to) = sent(link, side, place);
            format!("lost on its way from {from} to {to}: {text}")
        }
        Action::Crash { member, how } => {
            let what = match how {
                End::Process => "process dies",
                End::ProcessAfterWriting => "process dies, and its write was done",
                End::Host => "host dies",
                End::HostAfterWriting => "host dies, and its write was done",
                End::HostWithDisk => "host dies, and its disk with it",
            };
            format!("{}'s {what}", name(member))
        }
        Action::Freeze(member) => format!("{} freezes", name(member)),
        Action::DiskFails(member) => format!("{}'s disk fails", name(member)),
        Action::AgentFails { by, peer } => format!("{}'s agent fails to switch {} off", name(by), name(peer)),
        Action::ArbiterLost(member) => format!("{} does not reach the arbiter any more", name(member)),
        Action::ReferencesLost(member) => format!("{} reaches no reference address any more", name(member)),
        Action::Order { member, order } => {
            let what = match order {
                Order::TakeOver { force: false } => "take over".to_owned(),
                Order::TakeOver { force: true } => "take over, by force".to_owned(),
                Order::StepDown { force: false } => "hand over".to_owned(),
                Order::StepDown { force: true } => "step down, by force".to_owned(),
                Order::Hold => "hold".to_owned(),
                Order::Fence { peer } => format!("switch {} off", name(peer)),
                Order::IsOff { peer } => format!("believe that {} is off", name(peer)),
                Order::Stop => "stop".to_owned(),
                Order::ShutDown => "shut down".to_owned(),
            };
            format!("{} is told to {what}", name(member))
        }
    }
}

/// A state in one line: who is what, and who acts.
pub fn state(group: &Group) -> String {
    let member = |(id, member): (usize, &super::states::Shared<super::states::Member>)| {
        let run = match member.run {
            Run::Off { .. } => "off".to_owned(),
            Run::Dying => "dying".to_owned(),
            Run::Frozen { ticks } => format!("frozen {ticks}"),
            Run::Running => match member.machine.as_ref().map(|machine| machine.negotiator.mode_and_term()) {
                Some((Mode::Primary, term)) => format!("Primary {term}"),
                Some((Mode::Secondary, term)) => format!("Secondary, seen {term}"),
                None => "nothing".to_owned(),
            },
        };
        let acts = match (member.serves, member.acts_by_rule()) {
            (true, true) => ", ACTS",
            (true, false) => ", ACTS BY FORCE",
            (false, _) => "",
        };
        format!("{} {run}{acts}", NAMES[id])
    };
    let members: Vec<String> = group.members.iter().enumerate().map(member).collect();
    members.join(" | ")
}

/// How an exploration is called: who, protected by what, and its bounds in words.
pub fn title(bounds: &Bounds) -> String {
    let words: Vec<&str> = bounds.protection.iter().map(|protection| protection.word()).collect();
    let protection = if words.is_empty() { "none".to_owned() } else { words.join("+") };
    let size = if bounds.members == 2 { "pair" } else { "three" };
    let begin = match bounds.begin {
        Begin::Off => ", from cold",
        Begin::Together => ", from the boot",
        Begin::Settled => ", from a Primary",
    };
    let faults = match bounds.budget {
        0 => "no fault".to_owned(),
        1 => format!("any one fault{}", kinds(&bounds.faults)),
        many => format!("any {many} faults{}", kinds(&bounds.faults)),
    };
    let timers = if bounds.timers == Timers::Synchronous { ", ticks seen at once" } else { "" };
    let stopping = match bounds.stopping {
        0 => String::new(),
        1 => ", stops within a tick".to_owned(),
        many => format!(", stops within {many} ticks"),
    };
    let kept = match bounds.kept {
        Kept::Older => "",
        Kept::Newer => ", the newer arrives",
    };
    let late = if bounds.lateness > 0 { format!(", late by {}", bounds.lateness) } else { String::new() };
    let recovery = if bounds.recovery { ", and a Primary again" } else { "" };
    let depth = bounds.depth.map_or(String::new(), |depth| format!(", {depth} steps"));
    format!("{size} {protection}: {faults}{begin}{timers}{stopping}{kept}{late}{recovery}{depth}")
}

/// Which faults, unless it is all of them.
fn kinds(faults: &Faults) -> String {
    if *faults == Faults::ALL {
        return String::new();
    }
    if *faults == Faults::OF_PEOPLE {
        return " of people".to_owned();
    }
    if *faults == Faults::OF_PARTS {
        return " of parts".to_owned();
    }
    let Faults {
        cuts,
        breaks,
        losses,
        crashes,
        host_crashes,
        freezes,
        disks,
        agents,
        arbiter,
        references,
        orders,
        forces,
        holds,
        sickness,
        lost_disks,
    } = *faults;
    let all = [
        (cuts, "cut"),
        (breaks, "break"),
        (losses, "loss"),
        (crashes, "crash"),
        (host_crashes, "host crash"),
        (freezes, "freeze"),
        (disks, "disk"),
        (agents, "agent"),
        (arbiter, "arbiter"),
        (references, "references"),
        (orders, "order"),
        (forces, "force"),
        (holds, "hold"),
        (sickness, "sickness"),
        (lost_disks, "lost disk"),
    ];
    let words: Vec<&str> = all.iter().filter(|(may, _)| *may).map(|(_, word)| *word).collect();
    format!(" ({})", words.join(", "))
}

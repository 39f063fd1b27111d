//! What each alarm says: the sentence, what to do first, then, and what not to do.

use crate::negotiation::message::Mode;
use crate::negotiation::view::Gone;

use crate::control::words::at_most;

use super::{Alarm, CouldAct, FLAPPING_WITHIN, Left, MayAct, Yields};

/// How soon the one that gives way must have stopped, for who does not look at the clock; a screen tells the time
/// instead, where it knows for how long at most that takes.
pub const SOON: &str = " in a moment";

/// The words of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What is wrong.
    pub text: String,
    /// What to do first.
    pub first: String,
    /// What then.
    pub then: Vec<String>,
    /// What not to do.
    pub do_not: String,
}

pub(super) fn words(text: String, first: String, then: &[String], do_not: &str) -> Words {
    Words { text, first, then: then.to_vec(), do_not: do_not.to_owned() }
}

fn place(from: &Option<String>) -> &str {
    from.as_deref().unwrap_or("an unknown address")
}

impl Alarm {
    /// The sentence, and what to do.
    pub fn words(&self) -> Words {
        match self {
            Alarm::TwoPrimaries { node, other, yields } => {
                // The one that stops has the key for it on its own screen.
                let (stops, goes_on, key) = match yields {
                    Yields::This => (node, other, "a, "),
                    Yields::Other => (other, node, ""),
                };
                words(
                    format!("{node} and {other} are both Primary"),
                    format!("Press nothing. {stops} stops by itself: {goes_on} has the higher term."),
                    &[
                        format!("{stops} must say SECONDARY{SOON}. If it does not: {key}stop {stops}."),
                        "d shows what both did meanwhile. Tell whoever owns the plant.".to_owned(),
                    ],
                    &format!("stop, fence or restart {goes_on}: it is the one that goes on."),
                )
            }
            Alarm::TwoActed(two) => {
                let (stopped, goes_on) = (&two.stopped, &two.goes_on);
                words(
                    format!("over: {stopped} and {goes_on} both acted, for at most {}", at_most(two.at_most)),
                    "Tell whoever owns the plant: for a while both acted on it.".to_owned(),
                    &[
                        format!("It is over: {stopped} gave way by itself when the two met again."),
                        "Mend what parted the two; fence, arbiter or majority prevent it.".to_owned(),
                    ],
                    "restart a member to make sure: it is over.",
                )
            }
            Alarm::NobodyActs { node, missing, holder: Some(holder), .. } => {
                let mut then = vec![format!("If it acts: mend the link. If not: {node} can, once that lease ends.")];
                let lease = format!("{holder} holds");
                then.extend(
                    missing.iter().filter(|line| !line.starts_with(&lease)).map(|line| format!("Missing: {line}.")),
                );
                words(
                    format!("{holder} is not heard, but holds the lease: it may act"),
                    format!("Find out whether {holder} acts: the arbiter says that it holds the lease."),
                    &then,
                    &format!("force the takeover while {holder} may be on: two would act."),
                )
            }
            Alarm::NobodyActs { node, missing, unheard, could, holder: None } => {
                let first = match (unheard.as_slice(), could) {
                    ([], CouldAct::WhenAsked) => {
                        format!("Have {node} take over: tandem failover. The plan says what is missing.")
                    }
                    ([], CouldAct::ObservesOnly) => {
                        format!("{node} only looks on: on it, set takeover.observe_only = false.")
                    }
                    (names, _) => {
                        format!("Find out whether {} acts: lamps, its own console, call the site.", names.join(" or "))
                    }
                };
                let mut then = match (could, unheard.as_slice()) {
                    (CouldAct::WhenAsked, _) => {
                        vec![format!("If none acts: tandem failover on {node}, or mend what is missing.")]
                    }
                    (CouldAct::ObservesOnly, []) => vec![
                        format!("Then restart tandem on {node}: no order makes it act before that."),
                        "Or on a member that does not only look on: tandem failover.".to_owned(),
                    ],
                    (CouldAct::ObservesOnly, _) => vec![
                        format!("{node} only looks on. To have it act, if none does:"),
                        format!("set takeover.observe_only = false on {node}, and restart tandem there."),
                    ],
                };
                if *could == CouldAct::WhenAsked {
                    then.extend(missing.iter().map(|line| format!("Missing: {line}.")));
                }
                let do_not = match unheard.as_slice() {
                    [] => "restart both members at once: look at what is missing first.".to_owned(),
                    names => format!("force the takeover while {} may be on: two would act.", names.join(" or ")),
                };
                words("nobody is known to act".to_owned(), first, &then, &do_not)
            }
            Alarm::StateNotDurable { mode } => words(
                "the state directory cannot be written".to_owned(),
                "Look at the disk: full, read-only, or broken? (df, dmesg)".to_owned(),
                &[match mode {
                    Mode::Primary => "Mend it; it goes on acting meanwhile. Or hand over: tandem step-down.",
                    Mode::Secondary => "Mend it: until then this member takes no role. It goes on by itself.",
                }
                .to_owned()],
                "delete what is in the state directory: it keeps the group's terms.",
            ),
            Alarm::Forced { node } => words(
                format!("{node} acts by force, without what protection asks for"),
                "Make sure that no other member acts.".to_owned(),
                &["Mend what protection asks for; this ends by itself when it is there.".to_owned()],
                "bring another member's network back before it is known not to act.",
            ),
            Alarm::ProtectionMissing { policy } => words(
                format!("what protection asks for is missing: {policy}"),
                "Look which members are not heard, and bring them back.".to_owned(),
                &["No takeover is done until enough of them agree.".to_owned()],
                "take protection out of the configuration to get past this.",
            ),
            Alarm::PeerGone { peer, gone, may_act, left } => peer_gone(peer, *gone, *may_act, *left),
            Alarm::LinkDown { peer } => words(
                format!("no path to {peer} is up"),
                "Wait a moment: it connects again by itself within about 1 s.".to_owned(),
                &[format!("If it stays down: look at the cables to {peer}, and its firewall.")],
                "restart a member to mend a network.",
            ),
            Alarm::PathDown { peer, address, why } => words(
                match why {
                    Some(why) => format!("the path to {peer} by {address} is down: {why}"),
                    None => format!("the path to {peer} by {address} is down"),
                },
                format!("Look at the cable and the switch of the network of {address}."),
                &["The other path carries the link; one more fault would cut it.".to_owned()],
                "unplug the other network to test.",
            ),
            Alarm::HistoryUnknown => words(
                "history unknown: no state on disk, and no other member is heard".to_owned(),
                "If this member is new: nothing is wrong; connect it to the others.".to_owned(),
                &["If it is not: find out where state.directory went, and put it back.".to_owned()],
                "let it act on old data: another member may have acted since.",
            ),
            Alarm::SettingsDiffer { peer, keys } => words(
                format!("this member and {peer} have different settings: {}", keys.join(", ")),
                format!("Compare {} in both configuration files.", keys.join(" and ")),
                &["Make them alike, and restart the member that stands by first.".to_owned()],
                "restart both members at once.",
            ),
            Alarm::HoldNotTold { peers } => words(
                format!("{} could not be told of the hold", peers.join(" and ")),
                format!("Take it that {} may still take over by itself.", peers.join(" and ")),
                &["It is told as soon as it is heard.".to_owned()],
                "begin work that relies on the hold before everybody knows of it.",
            ),
            Alarm::TakeoverNotReady { missing } => words(
                match missing.as_slice() {
                    [] => "a takeover would not be done now".to_owned(),
                    [line, ..] => format!("a takeover would not be done now: {line}"),
                },
                "Look at the lines marked NO, and mend the first of them.".to_owned(),
                &["It is READY again by itself as soon as they are met.".to_owned()],
                "stop the member that acts: nobody would take over.",
            ),
            Alarm::SteppedDown { node } => words(
                format!("{node} does not take over: an operator made it step down"),
                "When the work on it is over: tandem resume.".to_owned(),
                &["It ends by itself after 30 minutes, or when a Primary is heard.".to_owned()],
                "forget it: meanwhile nobody may act.",
            ),
            Alarm::Unhealthy { member, sick } => words(
                format!("{member} is a lesser candidate: {}", sick.text()),
                format!("Look at what is wrong on {member}: memory, processes, load."),
                &["It is fit again by itself when its health has been good for a while.".to_owned()],
                &format!("make {member} take over now."),
            ),
            Alarm::BothUnhealthy { node, other } => words(
                format!("{node} and {other} are both below the limit: no takeover helps"),
                format!("Look at the health of {other} first, which acts: 8 on its screen."),
                &["Neither takes over from the other while both are sick.".to_owned()],
                "switch by hand to try: each change interrupts the plant.",
            ),
            Alarm::TakeoversUsedUp { node, taken } => words(
                format!("{node} takes over no more for health: {taken} times in an hour"),
                "Find out why the health falls wherever the role goes: tandem explain.".to_owned(),
                &["When that is mended: tandem resume. A silent member is still replaced.".to_owned()],
                "raise takeover.max_per_hour to get past this.",
            ),
            Alarm::Fencing(fencing) => fencing.words(),
            Alarm::Guard(guard) => guard.words(),
            Alarm::Process(process) => process.words(),
            Alarm::Flapping { changes } => words(
                format!("the mode changed {changes} times in {} min", FLAPPING_WITHIN.as_secs() / 60),
                "Read why: tandem explain. Is a link or a machine coming and going?".to_owned(),
                &["Hold the group while you look: tandem hold.".to_owned()],
                "go on switching by hand: each change interrupts the plant.",
            ),
            Alarm::JournalFailing => words(
                "the journal cannot be written: its records wait in memory".to_owned(),
                "Look at the disk of the state directory: is it full, or failing?".to_owned(),
                &["The controller goes on, and writes what waits when it can.".to_owned()],
                "restart the controller first: what waits would be lost.",
            ),
            Alarm::JournalLosing { lost } => words(
                format!("the journal could not keep {lost} records"),
                "Look at the disk of the state directory: is it slow or full?".to_owned(),
                &["The controller itself goes on; only its history has a gap.".to_owned()],
                "rely on the journal alone for this time.",
            ),
            Alarm::WrongKey { from } => words(
                format!("{} calls with a wrong group key", place(from)),
                "If it is one of the members: copy the group's key to it again.".to_owned(),
                &["If it is not: find out who calls. It costs the group nothing.".to_owned()],
                "set security to \"none\" to get past this.",
            ),
            Alarm::SecondInstance { from } => words(
                format!("two machines have the same name: one calls from {}", place(from)),
                "Find the second machine, often a clone, and stop tandem on it.".to_owned(),
                &["The one that was connected first goes on.".to_owned()],
                "stop the one that was there first.",
            ),
            Alarm::Held { by } => words(
                format!("the group is held by {by}: no automatic takeover"),
                "When the work is over: tandem resume.".to_owned(),
                &["It ends by itself.".to_owned()],
                "leave it standing longer than the work takes.",
            ),
            Alarm::ObserveOnly => words(
                "observe-only: everything is computed and shown, nothing is done".to_owned(),
                "Nothing, if it is meant.".to_owned(),
                &["To let it act: takeover.observe_only = false, then restart it.".to_owned()],
                "count on this member to take over.",
            ),
            Alarm::Refused { from } => words(
                format!("traffic from {} was refused", place(from)),
                "Find out what calls: a scanner, another group, an old version?".to_owned(),
                &["It is counted, and costs the group nothing.".to_owned()],
                "open the port to other networks.",
            ),
        }
    }
}

fn peer_gone(peer: &str, gone: Gone, may_act: MayAct, left: Left) -> Words {
    let (short, back, alone) = match left {
        Left::Nobody => (
            "not redundant",
            format!("Until {peer} is back there is no second member; it joins by itself."),
            "stop or restart the member that acts: there is no other.",
        ),
        Left::Others => (
            "one member less",
            format!("Until {peer} is back one more fault weighs more; it joins by itself."),
            "take another member down before this one is back.",
        ),
    };
    match gone {
        Gone::Silent | Gone::NeverHeard => {
            let what = if gone == Gone::Silent { "is silent" } else { "was never heard since this start" };
            let do_not = match may_act {
                MayAct::Yes => format!("take {peer} for off because it is silent: it may act."),
                MayAct::No => alone.to_owned(),
            };
            words(
                format!("{peer} {what}: {short}"),
                format!("Find out whether {peer} is on: lamps, its console, call the site."),
                &["It is on: look at the network between the two. Off: start it.".to_owned(), back],
                &do_not,
            )
        }
        Gone::Crashed => words(
            format!("{peer}'s process is gone: {short}"),
            format!("Look why it ended, on {peer}: journalctl -u tandem"),
            &[back],
            alone,
        ),
        Gone::Off => words(
            format!("{peer} is off: {short}"),
            format!("Find out why {peer} fell silent before it was switched off: its journal, its console."),
            &["Mend it, then switch it on.".to_owned(), back],
            alone,
        ),
        Gone::Stopped => words(
            format!("{peer} was stopped: {short}"),
            format!("If the work on {peer} is over, start it: systemctl start tandem"),
            &[back],
            alone,
        ),
    }
}

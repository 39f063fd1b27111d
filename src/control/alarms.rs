//! What is wrong now, and what a person should do about it: first, then, and what not to do (screen.md, U13).
//!
//! Pure. One variant a cause, with its class and all its words beside it. [`alarms_from`] finds the causes; the desk adds
//! for how long they have stood and who has seen them.

use std::time::Duration;

use crate::negotiation::ability::{Ability, Sick, Unable};
use crate::negotiation::message::Mode;
use crate::negotiation::view::{Gone, View};

use super::compose::judge;
use super::status::{AlarmClass, Judgement, Link, LinkState};

/// So many changes of mode within [`FLAPPING_WITHIN`] are reported as flapping (S6).
pub const FLAPPING_CHANGES: u32 = 4;

/// See [`FLAPPING_CHANGES`].
pub const FLAPPING_WITHIN: Duration = Duration::from_secs(600);

/// Traffic that was refused a short while ago and that somebody should look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusedKind {
    /// It did not know the group's key (S8).
    WrongKey,
    /// A second session of a member whose first still answers: two machines call themselves the same (N13).
    SecondInstance,
    /// Another group, a stranger's name, an incompatible version, garbage, a flood.
    Other,
}

/// What the alarms look at beside the [`View`].
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Every path to every peer.
    pub links: Vec<Link>,
    /// For how long nobody has been known to act; none while somebody is. From [`super::desk::Desk::nobody_acts_for`].
    pub nobody_acts_for: Option<Duration>,
    /// How long a boot may take before "nobody acts" is an alarm: `negotiation.boot_timeout`.
    pub boot_timeout: Duration,
    /// This member's changes of mode within [`FLAPPING_WITHIN`].
    pub recent_changes: u32,
    /// Records that the journal could not keep since start.
    pub journal_lost: u64,
    /// What the link refused in the last minutes, with the address it came from where known.
    pub refused_lately: Vec<(RefusedKind, Option<String>)>,
}

/// Who gives way when two are Primary (N12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yields {
    /// This member has the lower term.
    This,
    /// The other has.
    Other,
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// N12: this member and a peer, or two peers, are both Primary.
    TwoPrimaries {
        /// This member.
        node: String,
        /// The other Primary.
        other: String,
        /// Who gives way.
        yields: Yields,
    },
    /// S10: nobody is known to act.
    NobodyActs {
        /// This member.
        node: String,
        /// What keeps this member from acting.
        missing: Vec<String>,
        /// Peers that are not heard.
        unheard: Vec<String>,
    },
    /// N20: the state cannot be written.
    StateNotDurable {
        /// Whether this member acts.
        mode: Mode,
    },
    /// S1: this member acts by an operator's force.
    Forced {
        /// This member.
        node: String,
    },
    /// S1: what protection asks for is not there now.
    ProtectionMissing {
        /// The configured words.
        policy: String,
    },
    /// A peer counts as gone: there is no second member to take over.
    PeerGone {
        /// The peer.
        peer: String,
        /// Why it counts as gone.
        gone: Gone,
        /// How long ago it was heard.
        heard: Option<Duration>,
        /// Whether it may act all the same.
        may_act: MayAct,
    },
    /// No path to a peer is up, and it does not count as gone yet.
    LinkDown {
        /// The peer.
        peer: String,
    },
    /// One of several paths is down (N15).
    PathDown {
        /// The peer.
        peer: String,
        /// Its address on this path.
        address: String,
        /// Why, where known.
        why: Option<String>,
    },
    /// N20: no state was found at boot, and nobody was heard since.
    HistoryUnknown,
    /// N19: settings differ.
    SettingsDiffer {
        /// The peer.
        peer: String,
        /// The keys.
        keys: Vec<String>,
    },
    /// S7: members that do not know of the hold.
    HoldNotTold {
        /// Who.
        peers: Vec<String>,
    },
    /// U12: no takeover would be done now, and not because a peer is gone.
    TakeoverNotReady {
        /// The lines that fail.
        missing: Vec<String>,
    },
    /// Rule 11: this member does not take over, because an operator made it step down.
    SteppedDown {
        /// This member.
        node: String,
    },
    /// H5: a member's health is below the limit, or was a short while ago.
    Unhealthy {
        /// Which member.
        member: String,
        /// Why.
        sick: Sick,
    },
    /// S6: the mode changes often.
    Flapping {
        /// How often within [`FLAPPING_WITHIN`].
        changes: u32,
    },
    /// The journal could not keep everything.
    JournalLosing {
        /// How many records are missing since start.
        lost: u64,
    },
    /// S8: somebody without the group's key calls.
    WrongKey {
        /// From where.
        from: Option<String>,
    },
    /// N13: two machines call themselves the same.
    SecondInstance {
        /// From where.
        from: Option<String>,
    },
    /// S7: the group is held.
    Held {
        /// By whom.
        by: String,
    },
    /// S11: nothing is done.
    ObserveOnly,
    /// S8: other traffic that was refused.
    Refused {
        /// From where.
        from: Option<String>,
    },
}

/// Whether a member that is not heard may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayAct {
    /// Nothing speaks against it.
    Yes,
    /// Its process ended, or protection keeps it from acting.
    No,
}

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

fn words(text: String, first: String, then: &[String], do_not: &str) -> Words {
    Words { text, first, then: then.to_vec(), do_not: do_not.to_owned() }
}

fn place(from: &Option<String>) -> &str {
    from.as_deref().unwrap_or("an unknown address")
}

impl Alarm {
    /// How urgent it is.
    pub fn class(&self) -> AlarmClass {
        match self {
            Alarm::TwoPrimaries { .. } | Alarm::NobodyActs { .. } | Alarm::StateNotDurable { .. } => AlarmClass::Alarm,
            Alarm::Forced { .. }
            | Alarm::ProtectionMissing { .. }
            | Alarm::PeerGone { .. }
            | Alarm::LinkDown { .. }
            | Alarm::PathDown { .. }
            | Alarm::HistoryUnknown
            | Alarm::SettingsDiffer { .. }
            | Alarm::HoldNotTold { .. }
            | Alarm::TakeoverNotReady { .. }
            | Alarm::SteppedDown { .. }
            | Alarm::Unhealthy { .. }
            | Alarm::Flapping { .. }
            | Alarm::JournalLosing { .. }
            | Alarm::WrongKey { .. }
            | Alarm::SecondInstance { .. } => AlarmClass::Warning,
            Alarm::Held { .. } | Alarm::ObserveOnly | Alarm::Refused { .. } => AlarmClass::Note,
        }
    }

    /// A stable word for its kind: the first part of [`Alarm::id`].
    pub fn kind(&self) -> &'static str {
        match self {
            Alarm::TwoPrimaries { .. } => TWO_PRIMARIES,
            Alarm::NobodyActs { .. } => NOBODY_ACTS,
            Alarm::StateNotDurable { .. } => "state_not_durable",
            Alarm::Forced { .. } => "forced",
            Alarm::ProtectionMissing { .. } => "protection_missing",
            Alarm::PeerGone { gone: Gone::Silent, .. } => "peer_silent",
            Alarm::PeerGone { gone: Gone::Crashed, .. } => "peer_crashed",
            Alarm::PeerGone { gone: Gone::Stopped, .. } => "peer_stopped",
            Alarm::PeerGone { gone: Gone::NeverHeard, .. } => "peer_never_heard",
            Alarm::LinkDown { .. } => "link_down",
            Alarm::PathDown { .. } => "path_down",
            Alarm::HistoryUnknown => "history_unknown",
            Alarm::SettingsDiffer { .. } => "settings_differ",
            Alarm::HoldNotTold { .. } => "hold_not_told",
            Alarm::TakeoverNotReady { .. } => "takeover_not_ready",
            Alarm::SteppedDown { .. } => "stepped_down",
            Alarm::Unhealthy { .. } => "unhealthy",
            Alarm::Flapping { .. } => FLAPPING,
            Alarm::JournalLosing { .. } => "journal_losing",
            Alarm::WrongKey { .. } => "wrong_key",
            Alarm::SecondInstance { .. } => "second_instance",
            Alarm::Held { .. } => "held",
            Alarm::ObserveOnly => "observe_only",
            Alarm::Refused { .. } => "refused",
        }
    }

    /// Its identity while it stands, stable for scripts: the kind, and the peer or path where there may be several.
    pub fn id(&self) -> String {
        let kind = self.kind();
        match self {
            Alarm::TwoPrimaries { other: about, .. }
            | Alarm::PeerGone { peer: about, .. }
            | Alarm::LinkDown { peer: about }
            | Alarm::SettingsDiffer { peer: about, .. }
            | Alarm::Unhealthy { member: about, .. } => format!("{kind}:{about}"),
            Alarm::PathDown { peer, address, .. } => format!("{kind}:{peer}:{address}"),
            Alarm::NobodyActs { .. }
            | Alarm::StateNotDurable { .. }
            | Alarm::Forced { .. }
            | Alarm::ProtectionMissing { .. }
            | Alarm::HistoryUnknown
            | Alarm::HoldNotTold { .. }
            | Alarm::TakeoverNotReady { .. }
            | Alarm::SteppedDown { .. }
            | Alarm::Flapping { .. }
            | Alarm::JournalLosing { .. }
            | Alarm::WrongKey { .. }
            | Alarm::SecondInstance { .. }
            | Alarm::Held { .. }
            | Alarm::ObserveOnly
            | Alarm::Refused { .. } => kind.to_owned(),
        }
    }

    /// The sentence, and what to do.
    pub fn words(&self) -> Words {
        match self {
            Alarm::TwoPrimaries { node, other, yields } => {
                let (stops, goes_on) = match yields {
                    Yields::This => (node, other),
                    Yields::Other => (other, node),
                };
                words(
                    format!("{node} and {other} are both Primary"),
                    format!("Press nothing. {stops} stops by itself: {goes_on} has the higher term."),
                    &[
                        format!("{stops} must say SECONDARY in a moment. If it does not: stop {stops}."),
                        "Tell whoever owns the plant: both acted for a while.".to_owned(),
                    ],
                    &format!("stop or restart {goes_on}: it is the one that goes on."),
                )
            }
            Alarm::NobodyActs { node, missing, unheard } => {
                let first = match unheard.as_slice() {
                    [] => format!("Have {node} take over: tandem failover. The plan says what is missing."),
                    names => {
                        format!("Find out whether {} acts: lamps, its own console, call the site.", names.join(" or "))
                    }
                };
                let mut then = vec![format!("If none acts: tandem failover on {node}, or mend what is missing.")];
                then.extend(missing.iter().map(|line| format!("Missing: {line}.")));
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
                    Mode::Primary => "Mend it: this member goes on acting meanwhile. Or hand over: tandem step-down.",
                    Mode::Secondary => "Mend it: this member takes no role until it can write. It goes on by itself.",
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
            Alarm::PeerGone { peer, gone, heard, may_act } => peer_gone(peer, *gone, *heard, *may_act),
            Alarm::LinkDown { peer } => words(
                format!("no path to {peer} is up"),
                "Wait a moment: it connects again by itself within about 1 s.".to_owned(),
                &[format!("If it stays down: look at the cables and switches to {peer}, and at its firewall.")],
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
                "history unknown: no state was found on disk, and no other member is heard".to_owned(),
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
            Alarm::Flapping { changes } => words(
                format!("the mode changed {changes} times in {} min", FLAPPING_WITHIN.as_secs() / 60),
                "Read why: tandem explain. Is a link or a machine coming and going?".to_owned(),
                &["Hold the group while you look: tandem hold.".to_owned()],
                "go on switching by hand: each change interrupts the plant.",
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
                &["If it is not: find out who calls; it is refused and costs the group nothing.".to_owned()],
                "set security to \"none\" to get past this.",
            ),
            Alarm::SecondInstance { from } => words(
                format!("two machines call themselves the same: one calls from {}", place(from)),
                "Find the second machine, often a clone or a restored backup, and stop tandem on it.".to_owned(),
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
                "Find out what calls there: a scanner, another group, a member with an old version?".to_owned(),
                &["It is counted, and costs the group nothing.".to_owned()],
                "open the port to other networks.",
            ),
        }
    }
}

/// The kind of "two Primaries", which makes a status critical.
pub const TWO_PRIMARIES: &str = "two_primaries";
/// The kind of "nobody acts", which makes a status critical.
pub const NOBODY_ACTS: &str = "nobody_acts";
/// The kind of "flapping", which makes a status degraded.
pub const FLAPPING: &str = "flapping";

fn peer_gone(peer: &str, gone: Gone, heard: Option<Duration>, may_act: MayAct) -> Words {
    let back = format!("Start or mend {peer}; it joins by itself. Until then there is no second member.");
    match gone {
        Gone::Silent | Gone::NeverHeard => {
            let text = match heard {
                Some(age) if gone == Gone::Silent => format!("{peer} is silent for {}", super::words::lasting(age)),
                Some(_) | None => format!("{peer} was never heard since this start"),
            };
            let danger = match may_act {
                MayAct::Yes => {
                    "mend the link before you know whether it acts: the higher term goes on, the other stops."
                }
                MayAct::No => "restart the member that acts: there is no other.",
            };
            words(
                format!("{text}: not redundant"),
                format!("Find out whether {peer} is on: lamps, its own console, call the site."),
                &[format!("It is on: look at the network between the two. {back}")],
                danger,
            )
        }
        Gone::Crashed => words(
            format!("{peer}'s process is gone: not redundant"),
            format!("Look why it ended, on {peer}: journalctl -u tandem"),
            &[back],
            "stop or restart the member that acts: there is no other.",
        ),
        Gone::Stopped => words(
            format!("{peer} was stopped: not redundant"),
            format!("If the work on {peer} is over, start it: systemctl start tandem"),
            &[back],
            "stop or restart the member that acts: there is no other.",
        ),
    }
}

/// Every cause that stands now, worst class first; within a class the one that tends to be the cause of the others
/// comes first. The desk keeps that order among those that began together.
pub fn alarms_from(view: &View, around: &Around) -> Vec<Alarm> {
    let mut found = Vec::new();
    let name = || view.name.to_string();
    let judged = judge(view);
    two_primaries(view, &mut found);
    let missing = || -> Vec<String> {
        view.forecast.lines.iter().filter(|line| !line.ok).map(|line| line.text.clone()).collect()
    };
    if around.nobody_acts_for.is_some_and(|time| time > around.boot_timeout) {
        let unheard = view.peers.iter().filter(|peer| peer.gone.is_some() && peer.gone != Some(Gone::Stopped));
        found.push(Alarm::NobodyActs {
            node: name(),
            missing: view.take_over.iter().filter(|line| !line.ok).map(|line| line.text.clone()).collect(),
            unheard: unheard.map(|peer| peer.name.to_string()).collect(),
        });
    }
    if !view.durable {
        found.push(Alarm::StateNotDurable { mode: view.mode });
    }
    for peer in &view.peers {
        if let Some(gone) = peer.gone {
            let may_act = match (gone, judged) {
                (Gone::Silent | Gone::NeverHeard, Judgement::OneActsOtherUnknown | Judgement::NobodyActs) => {
                    MayAct::Yes
                }
                (Gone::Silent | Gone::NeverHeard, Judgement::OneActs | Judgement::TwoAct) => MayAct::No,
                (Gone::Crashed | Gone::Stopped, _) => MayAct::No,
            };
            found.push(Alarm::PeerGone { peer: peer.name.to_string(), gone, heard: peer.heard, may_act });
        } else if !peer.link_up && peer.heard.is_some() {
            found.push(Alarm::LinkDown { peer: peer.name.to_string() });
        } else if peer.link_up {
            let down = around.links.iter().filter(|link| link.peer == peer.name.as_str());
            for link in down.filter(|link| link.state == LinkState::Down) {
                found.push(Alarm::PathDown {
                    peer: link.peer.clone(),
                    address: link.address.clone(),
                    why: link.why.clone(),
                });
            }
        }
    }
    if view.forced {
        found.push(Alarm::Forced { node: name() });
    }
    if !view.protection.is_empty() && !view.protected_now {
        let policy: Vec<&str> = view.protection.iter().map(|one| one.word()).collect();
        found.push(Alarm::ProtectionMissing { policy: policy.join(" + ") });
    }
    lesser(view, &mut found);
    let gone = view.peers.iter().any(|peer| peer.gone.is_some());
    let known = view.hold.is_some() || view.observe_only || view.able == Ability::Cannot(Unable::SteppedDown);
    if !view.forecast.ready && !gone && !known && view.transition.is_none() {
        found.push(Alarm::TakeoverNotReady { missing: missing() });
    }
    surroundings(around, &mut found);
    if let Some(hold) = &view.hold {
        found.push(Alarm::Held { by: hold.by.to_string() });
    }
    if view.observe_only {
        found.push(Alarm::ObserveOnly);
    }
    found.sort_by_key(Alarm::class);
    found
}

fn two_primaries(view: &View, found: &mut Vec<Alarm>) {
    let acting = view.peers.iter().filter(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary));
    let mut acting: Vec<_> = acting.collect();
    if view.mode == Mode::Primary {
        for peer in acting {
            let yields = if view.term < peer.term { Yields::This } else { Yields::Other };
            found.push(Alarm::TwoPrimaries { node: view.name.to_string(), other: peer.name.to_string(), yields });
        }
        return;
    }
    acting.sort_by_key(|peer| std::cmp::Reverse(peer.term));
    if let [better, worse, ..] = acting.as_slice() {
        found.push(Alarm::TwoPrimaries {
            node: better.name.to_string(),
            other: worse.name.to_string(),
            yields: Yields::Other,
        });
    }
}

fn lesser(view: &View, found: &mut Vec<Alarm>) {
    if view.history_unknown {
        found.push(Alarm::HistoryUnknown);
    }
    for peer in view.peers.iter().filter(|peer| !peer.differs.is_empty()) {
        let keys = peer.differs.iter().map(|key| key.word().to_owned()).collect();
        found.push(Alarm::SettingsDiffer { peer: peer.name.to_string(), keys });
    }
    if let Some(hold) = view.hold.as_ref().filter(|hold| !hold.not_told.is_empty()) {
        found.push(Alarm::HoldNotTold { peers: hold.not_told.iter().map(ToString::to_string).collect() });
    }
    if view.able == Ability::Cannot(Unable::SteppedDown) {
        found.push(Alarm::SteppedDown { node: view.name.to_string() });
    }
    if let Ability::Sick(sick) = view.able {
        found.push(Alarm::Unhealthy { member: view.name.to_string(), sick });
    }
    for peer in view.peers.iter().filter(|peer| peer.gone.is_none()) {
        if let Some(Ability::Sick(sick)) = peer.able {
            found.push(Alarm::Unhealthy { member: peer.name.to_string(), sick });
        }
    }
}

fn surroundings(around: &Around, found: &mut Vec<Alarm>) {
    if around.recent_changes >= FLAPPING_CHANGES {
        found.push(Alarm::Flapping { changes: around.recent_changes });
    }
    if around.journal_lost > 0 {
        found.push(Alarm::JournalLosing { lost: around.journal_lost });
    }
    let mut refused = around.refused_lately.clone();
    refused.sort_by_key(|(kind, _)| *kind);
    refused.dedup_by_key(|(kind, _)| *kind);
    for (kind, from) in refused {
        found.push(match kind {
            RefusedKind::WrongKey => Alarm::WrongKey { from },
            RefusedKind::SecondInstance => Alarm::SecondInstance { from },
            RefusedKind::Other => Alarm::Refused { from },
        });
    }
}

#[cfg(test)]
mod tests;

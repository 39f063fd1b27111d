//! Finds what is wrong, from the view of the negotiation and what is around it.

use crate::control::compose::{judge, may_act_still};
use crate::control::status::{Judgement, Link};
use crate::control::words::{PathStands, path};
use crate::negotiation::ability::{Ability, Unable};
use crate::negotiation::message::Mode;
use crate::negotiation::settings::Protection;
use crate::negotiation::view::{Gone, PeerView, View};

use super::{
    Alarm, Around, Blocks, CouldAct, FLAPPING_CHANGES, FencingAlarm, GuardAlarm, JournalState, Left, MOMENT, MayAct,
    ProcessAlarm, RefusedKind, Yields, fencing, guards, processes,
};

/// Every cause that stands now, worst class first; within a class the one that tends to be the cause of the others
/// comes first. The desk keeps that order among those that began together.
pub fn alarms_from(view: &View, around: &Around) -> Vec<Alarm> {
    let mut found = Vec::new();
    let name = || view.name.to_string();
    let judged = judge(view);
    two_primaries(view, around, &mut found);
    let missing = || -> Vec<String> {
        view.forecast.lines.iter().filter(|line| !line.ok).map(|line| line.text.clone()).collect()
    };
    let fence = fencing::find(view, &around.fencing);
    let unfenced = |alarm: &FencingAlarm| matches!(alarm, FencingAlarm::Failed { blocks: Blocks::Takeover, .. });
    let guard = guards::find(view, &around.guards, around.nobody_acts_for);
    let held_back = guard.iter().any(|alarm| matches!(alarm, GuardAlarm::HeldBack { .. }));
    let blocked = held_back || fence.iter().any(unfenced);
    let device_dead = fence.iter().any(|alarm| matches!(alarm, FencingAlarm::DeviceDead { .. }));
    found.extend(fence.into_iter().map(Alarm::Fencing));
    let unguarded = !guard.is_empty();
    found.extend(guard.into_iter().map(Alarm::Guard));
    // What holds the takeover back is why nobody acts, and says what to do.
    // It is told a moment after it is found.
    let found_after = around.boot_timeout.saturating_sub(MOMENT);
    if !blocked && around.nobody_acts_for.is_some_and(|time| time > found_after) {
        let unheard =
            view.peers.iter().filter(|peer| peer.gone.is_some_and(|gone| !matches!(gone, Gone::Stopped | Gone::Off)));
        found.push(Alarm::NobodyActs {
            node: name(),
            missing: view.take_over.iter().filter(|line| !line.ok).map(|line| line.text.clone()).collect(),
            unheard: unheard.map(|peer| peer.name.to_string()).collect(),
            could: if view.observe_only { CouldAct::ObservesOnly } else { CouldAct::WhenAsked },
            holder: holds_a_lease_unheard(view),
        });
    }
    if let Some(two) = &around.two_acted {
        found.push(Alarm::TwoActed(two.clone()));
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
                (Gone::Crashed | Gone::Stopped | Gone::Off, _) => MayAct::No,
            };
            let others = view.peers.iter().any(|other| other.gone.is_none() && other.mode.is_some());
            let left = if others { Left::Others } else { Left::Nobody };
            found.push(Alarm::PeerGone { peer: peer.name.to_string(), gone, may_act, left });
        } else if !peer.link_up && peer.heard.is_some() {
            found.push(Alarm::LinkDown { peer: peer.name.to_string() });
        } else if peer.link_up {
            paths_down(peer.name.as_str(), around, &mut found);
        }
    }
    if view.forced {
        found.push(Alarm::Forced { node: name() });
    }
    // What is wrong with fencing has its own alarms.
    if view.protection.contains(&Protection::Majority) && !view.protected_now {
        let policy: Vec<&str> = view.protection.iter().map(|one| one.word()).collect();
        found.push(Alarm::ProtectionMissing { policy: policy.join(" + ") });
    }
    lesser(view, &mut found);
    // A peer that is gone or not heard yet is the cause, and has its own words.
    let gone = view.peers.iter().any(|peer| peer.gone.is_some() || peer.mode.is_none());
    let known = view.hold.is_some() || view.observe_only || view.able == Ability::Cannot(Unable::SteppedDown);
    let known = known || device_dead || unguarded || view.stopping.is_some();
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

/// The paths to a peer that is heard by another one: down, or connected and mute, which a person would not look for.
fn paths_down(peer: &str, around: &Around, found: &mut Vec<Alarm>) {
    let timeout = u64::try_from(around.reply_timeout.as_millis()).unwrap_or(u64::MAX);
    let stands = |link: &Link| path(link, timeout);
    let paths: Vec<&Link> = around.links.iter().filter(|link| link.peer == peer).collect();
    let carried = paths.iter().any(|link| stands(link) == PathStands::Up);
    for link in paths {
        let why = match stands(link) {
            PathStands::Up | PathStands::Tried => continue,
            // Where none is heard, the peer's own silence is the cause, and has its own words.
            PathStands::Silent if !carried => continue,
            PathStands::Silent => Some("connected, but nothing comes over it".to_owned()),
            PathStands::Down => link.why.clone(),
        };
        found.push(Alarm::PathDown { peer: link.peer.clone(), address: link.address.clone(), why });
    }
}

/// The member that is not heard and holds the arbiter's lease, as the arbiter last said, while that may still be so.
fn holds_a_lease_unheard(view: &View) -> Option<String> {
    let arbiter = view.arbiter.as_ref()?;
    let holder = arbiter.holder.as_ref().filter(|_| arbiter.holder_until.is_some_and(|until| view.now < until))?;
    let unheard = |peer: &PeerView| matches!(peer.gone, Some(Gone::Silent | Gone::NeverHeard | Gone::Crashed));
    view.peers.iter().any(|peer| peer.name == *holder && unheard(peer)).then(|| holder.to_string())
}

fn two_primaries(view: &View, around: &Around, found: &mut Vec<Alarm>) {
    let still = around.still_act_with.as_deref();
    let acts = |peer: &PeerView| peer.mode == Some(Mode::Primary) || still == Some(peer.name.as_str());
    let acting = view.peers.iter().filter(|peer| peer.gone.is_none() && acts(peer));
    let mut acting: Vec<_> = acting.collect();
    if view.mode == Mode::Primary && may_act_still(view, &around.processes) {
        for peer in acting {
            // Who gives way has heard of the higher term, and may be told of it as its own.
            let leaves = view.transition.as_ref().is_some_and(|change| change.to == Mode::Secondary);
            let yields = if leaves || view.term < peer.term { Yields::This } else { Yields::Other };
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
    if let Some(other) = acting_other(view).filter(|_| view.health.both_sick) {
        found.push(Alarm::BothUnhealthy { node: view.name.to_string(), other });
    } else {
        unhealthy(view, found);
    }
    if view.health.stopped.is_some() {
        found.push(Alarm::TakeoversUsedUp { node: view.name.to_string(), taken: view.health.taken });
    }
}

/// The other of two that are both sick: the one that acts, else the first that is heard.
fn acting_other(view: &View) -> Option<String> {
    let heard = || view.peers.iter().filter(|peer| peer.gone.is_none());
    let acts = heard().find(|peer| peer.mode == Some(Mode::Primary));
    acts.or_else(|| heard().next()).map(|peer| peer.name.to_string())
}

fn unhealthy(view: &View, found: &mut Vec<Alarm>) {
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
    found.extend(processes::find(&around.processes).into_iter().map(Alarm::Process));
    if !around.killed_by_guardian.is_empty() {
        let processes = around.killed_by_guardian.clone();
        found.push(Alarm::Process(ProcessAlarm::KilledByGuardian { processes }));
    }
    for (hook, why) in around.hooks_failed.iter().cloned() {
        found.push(Alarm::Process(ProcessAlarm::HookFailed { hook, why }));
    }
    if around.recent_changes >= FLAPPING_CHANGES {
        found.push(Alarm::Flapping { changes: around.recent_changes });
    }
    if around.journal == JournalState::Failing {
        found.push(Alarm::JournalFailing);
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

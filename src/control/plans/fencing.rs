//! The plans for switching another member off: by its fence agent, or by the operator's word that it is off (S2, S3).

use std::time::Duration;

use crate::control::plan::{LineState, PlanLine};
use crate::control::status::Fencing;
use crate::control::words::{ago, lasting};
use crate::negotiation::message::Mode;
use crate::negotiation::view::{PeerView, View};

use super::programs::{to_start, to_stop};
use super::{Draft, Force, Others, acting, line, never_two_by_this, next_term, unheard};

fn find<'a>(name: &str, view: &'a View) -> Result<&'a PeerView, String> {
    view.peers.iter().find(|peer| peer.name.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = view.peers.iter().map(|peer| peer.name.as_str()).collect();
        match name == view.name.as_str() {
            true => format!("{name} is this member: it does not switch itself off."),
            false => format!("There is no other member called {name:?}; there is {}.", names.join(", ")),
        }
    })
}

/// Whether this member takes over once `peer` is known to be off.
fn takes_over(peer: &PeerView, view: &View) -> bool {
    let another = acting(view).is_some_and(|other| other.name != peer.name);
    view.mode == Mode::Secondary && !another && view.able.level() > 0
}

/// The steps by which this member takes over, when it does.
fn then_takes_over(peer: &PeerView, view: &View, others: &Others) -> Vec<String> {
    if !takes_over(peer, view) {
        return Vec::new();
    }
    let me = view.name.as_str();
    let starts = to_start(me, me, others).started_by(me);
    std::iter::once(format!("{me} takes over, term {}", next_term(view))).chain(starts).collect()
}

/// The fence device of a member, as a line that a plan rests on.
pub(super) fn device(fencing: &Fencing) -> PlanLine {
    match &fencing.device {
        None => line(LineState::Notice, format!("fence device for {}: not checked yet", fencing.peer)),
        Some(device) if device.answers => {
            line(LineState::Ok, format!("fence device, {}", ago(Duration::from_millis(device.age_ms))))
        }
        Some(device) => {
            let why = device.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            line(LineState::No, format!("fence device for {} does not answer{why}", fencing.peer))
        }
    }
}

pub(super) fn fence(name: &str, view: &View, others: &Others) -> Result<Draft, String> {
    let peer = find(name, view)?;
    let me = view.name.as_str();
    let Some(fencing) = others.fencing.iter().find(|fencing| fencing.peer == name) else {
        return Err(format!("The configuration does not say how to switch {name} off: [fence.{name}] is missing."));
    };
    if fencing.under_way.is_some() {
        return Err(format!("{name} is being fenced already: wait for the outcome."));
    }
    let heard = peer.gone.is_none() && peer.link_up;
    let acts = heard && peer.mode == Some(Mode::Primary);
    let reboots = fencing.action == "reboot";
    let what = if reboots { "off and on again" } else { "off" };
    let mut rests_on = vec![device(fencing)];
    if acts {
        let text = format!("{name} acts and answers: to have it stop first, take over instead");
        rests_on.push(line(LineState::Notice, text));
    } else if heard {
        rests_on.push(line(LineState::Notice, format!("{name} answers, and stands by")));
    }
    rests_on.push(line(LineState::Notice, left_behind(name, view)));
    let fails = rests_on.iter().find(|line| line.state == LineState::No).map(|line| line.text.clone());
    let mut steps = vec![format!("{} switches {name} {what}, and its status must say so", fencing.agent)];
    steps.extend(then_takes_over(peer, view, others));
    let others_unheard: Vec<&str> = unheard(view).into_iter().filter(|other| *other != name).collect();
    Ok(Draft {
        title: format!("{name} is fenced: switched {what}"),
        steps,
        nobody_acts: match (acts, view.mode, takes_over(peer, view)) {
            (true, _, true) => format!("Nobody acts from the moment {name} is off until {me} acts."),
            (true, _, false) => "Nobody acts afterwards, until a member takes over.".to_owned(),
            (false, Mode::Primary, _) => "Who acts does not change.".to_owned(),
            (false, Mode::Secondary, _) if acting(view).is_some() => "Who acts does not change.".to_owned(),
            (false, Mode::Secondary, _) => "Nobody is known to act now.".to_owned(),
        },
        two_acting: never_two_by_this(&others_unheard),
        may_be_lost: format!("May be lost: what {name} has not written to its disks: it is cut off without warning."),
        if_it_fails: format!("If step 1 fails: {name} is not taken for off, and nothing is taken over by this."),
        to_go_back: match reboots {
            true => format!("To go back: nothing to do; {name} joins as Secondary when it has started."),
            false => format!("To go back: switch {name} on by hand; it joins as Secondary."),
        },
        rests_on,
        force: fails.map(|fails| Force {
            by_typing: me.to_owned(),
            risk: format!(
                "{fails}. The attempt may fail, or take as long as its timeout. Safe instead: switch {name} off by hand, \
                 then fence {name} --is-off."
            ),
        }),
    })
}

/// Who is left while `name` is off.
fn left_behind(name: &str, view: &View) -> String {
    let heard = view.peers.iter().filter(|peer| peer.name.as_str() != name && peer.gone.is_none());
    match 1 + heard.filter(|peer| peer.mode.is_some()).count() {
        1 => format!("there is no second member while {name} is off"),
        left => format!("{left} of {} members are left while {name} is off", view.peers.len() + 1),
    }
}

pub(super) fn is_off(name: &str, view: &View, others: &Others) -> Result<Draft, String> {
    let peer = find(name, view)?;
    let me = view.name.as_str();
    if peer.gone.is_none() && peer.link_up {
        let heard = peer.heard.map_or_else(String::new, |age| format!(", {}", ago(age)));
        return Err(format!("{name} is heard{heard}: it is not off. To switch it off: fence {name}."));
    }
    let silent = match peer.heard {
        Some(age) => format!("{name} has not been heard for {}", lasting(age)),
        None => format!("{name} has not been heard since {me} started"),
    };
    let takes = takes_over(peer, view);
    let starts = to_start(me, me, others);
    let mut steps = vec![format!("{name} counts as switched off, by your word; the journal keeps your name")];
    steps.extend(then_takes_over(peer, view, others));
    Ok(Draft {
        title: format!("{name} is off, I looked"),
        steps,
        nobody_acts: match (view.mode, acting(view)) {
            (Mode::Secondary, None) => "Nobody is known to act now.".to_owned(),
            (Mode::Primary, _) | (Mode::Secondary, Some(_)) => "Who acts does not change.".to_owned(),
        },
        two_acting: if takes {
            format!("Two could act at once if {name} is on after all: nothing checks your word.")
        } else {
            "This does not make two act.".to_owned()
        },
        may_be_lost: to_stop(name, me, others).may_be_lost(name),
        if_it_fails: match takes {
            true => format!("If step 2 fails: {me} stays Secondary, and nobody is known to act."),
            false => format!("If step 1 fails: {name} counts as not heard, as it does now."),
        },
        to_go_back: match starts.none() || !takes {
            true => format!("To go back: it ends by itself when {name} is heard again."),
            false => format!("To go back: step down on {me}, once {name} is heard again."),
        },
        rests_on: vec![
            line(LineState::Ok, silent),
            line(LineState::Notice, format!("only you say that {name} is off: its lamps, its console, the site")),
        ],
        force: None,
    })
}

//! The plan for ending this controller, and what becomes of the others without it (U2, S4).

use crate::control::plan::LineState;
use crate::negotiation::ability::{Ability, Unable};
use crate::negotiation::message::Mode;
use crate::negotiation::settings::Protection;
use crate::negotiation::view::View;

use super::programs::{self, all_here};
use super::{Draft, Force, Others, abandoned, acting, hand_over, line, never_two_by_this, stops_acting, unheard};

/// Who is left while this member is stopped, and what one more failure would mean.
fn left_behind(view: &View) -> String {
    let me = view.name.as_str();
    let left = view.peers.iter().filter(|peer| peer.gone.is_none() && peer.mode.is_some()).count();
    let all = view.peers.len() + 1;
    match left {
        0 => format!("no other member is heard: nobody is left while {me} is stopped"),
        1 => format!("there is no second member while {me} is stopped"),
        _ if view.protection.contains(&Protection::Majority) && (left - 1) * 2 <= all => {
            format!("{left} of {all} members are left while {me} is stopped; with one more lost nobody acts")
        }
        _ => format!("{left} of {all} members are left while {me} is stopped"),
    }
}

/// Why nobody may act without this member.
struct Needed {
    /// As a line of the plan.
    why: String,
    /// What has to come first, as a clause.
    until: String,
}

/// Whether the others may act only as long as this member is there: it is the one that makes them a majority, or the one
/// whose grant stands for a lease that cannot be had (S4). None: they can go on without it.
fn needed(view: &View) -> Option<Needed> {
    let me = view.name.as_str();
    let left = view.peers.iter().filter(|peer| peer.gone.is_none() && peer.mode.is_some()).count();
    let all = view.peers.len() + 1;
    if view.protection.contains(&Protection::Majority) && left * 2 <= all {
        let why = format!("{left} of {all} members {} left: no majority", if left == 1 { "is" } else { "are" });
        return Some(Needed { why, until: "another member is back".to_owned() });
    }
    if !view.protection.contains(&Protection::Arbiter) {
        return None;
    }
    let heir = match view.mode {
        Mode::Primary => view.successor.as_ref().and_then(|heir| view.peers.iter().find(|peer| peer.name == *heir)),
        Mode::Secondary => acting(view),
    }?;
    let away = heir.able == Some(Ability::Cannot(Unable::ArbiterUnreachable));
    let known = view.arbiter.as_ref().filter(|known| view.mode == Mode::Secondary && known.answers);
    let without = known.is_some_and(|known| known.holder.as_ref() != Some(&heir.name));
    (away || without).then(|| Needed {
        why: format!("{} has no lease of the arbiter's: only the grant of {me} lets it act", heir.name),
        until: format!("the arbiter gives a lease or {me} is back"),
    })
}

/// A Primary that ends, and nobody after it.
fn nobody_follows(view: &View, others: &Others, ends: String) -> Draft {
    let me = view.name.as_str();
    Draft {
        title: format!("{me} stops, nobody takes over"),
        steps: vec![stops_acting(view, others), ends],
        to_go_back: format!("To go back: start {me} again."),
        ..abandoned(view, others)
    }
}

/// A Secondary ends whose grant the Primary acts by.
fn stops_the_other(draft: &mut Draft, me: &str, other: &str, Needed { why, until }: Needed) {
    draft.title = format!("{me} stops, and {other} with it");
    draft.steps.push(format!("{other} stops acting, as soon as the grant of {me} is over"));
    draft.nobody_acts = format!("Nobody acts afterwards, until {until}.");
    draft.rests_on.insert(0, line(LineState::No, why));
    let risk = format!("{other} stops acting without {me}: nobody acts until {until}.");
    draft.force = Some(Force { by_typing: me.to_owned(), risk });
}

pub(super) fn shutdown(view: &View, others: &Others) -> Draft {
    let me = view.name.as_str();
    let ends = format!("{me}'s controller says goodbye and ends");
    match (view.mode, &view.successor, needed(view)) {
        (Mode::Primary, Some(_), Some(Needed { why, .. })) => {
            let mut draft = nobody_follows(view, others, ends);
            draft.rests_on.truncate(1);
            draft.rests_on.push(line(LineState::No, why));
            draft
        }
        (Mode::Primary, Some(successor), None) => {
            let title = format!("{me} stops, {successor} takes over");
            let mut draft = hand_over(view, others, successor.as_str(), title);
            draft.steps.push(ends);
            draft.if_it_fails = format!("If step 2 fails: nobody acts until {successor} takes over by itself.");
            draft.to_go_back = format!("To go back: start {me} again, then take over on it.");
            draft.rests_on.push(line(LineState::Notice, left_behind(view)));
            draft
        }
        (Mode::Primary, None, _) => nobody_follows(view, others, ends),
        (Mode::Secondary, _, needed) => {
            let other = acting(view).map(|peer| peer.name.as_str());
            let mut rests_on = vec![line(LineState::Notice, left_behind(view))];
            let all = all_here(others);
            let time = all.time.map_or(String::new(), |time| format!(", up to {}", programs::short(time)));
            let stops = (!all.none()).then(|| format!("{me} stops {}{time}", all.named()));
            if other.is_none() {
                rests_on.push(line(LineState::Notice, "nobody is known to act now".to_owned()));
            }
            let mut draft = Draft {
                title: match other {
                    Some(other) => format!("{me} stops, {other} goes on acting"),
                    None => format!("{me} stops"),
                },
                steps: stops.into_iter().chain([ends]).collect(),
                nobody_acts: match other {
                    Some(_) => "Who acts does not change.".to_owned(),
                    None => "Nobody is known to act now.".to_owned(),
                },
                two_acting: never_two_by_this(&unheard(view)),
                may_be_lost: "May be lost: nothing.".to_owned(),
                if_it_fails: format!("If step 1 fails: {me} goes on standing by."),
                to_go_back: format!("To go back: start {me} again."),
                rests_on,
                force: None,
            };
            if let (Some(other), Some(needed)) = (other, needed) {
                stops_the_other(&mut draft, me, other, needed);
            }
            draft
        }
    }
}

//! What a plan says, action by action: steps, how long nobody acts, whether two could, what it rests on (screen.md,
//! "Acting"; U2).
//!
//! Pure: computed from the [`View`] each time it is asked for, so that a plan that is looked at again shows what is true
//! then. Numbers, expiry and who may confirm are the desk's ([`super::desk`]).

use std::time::Duration;

use crate::negotiation::ability::{Ability, Unable};
use crate::negotiation::event::hold_time;
use crate::negotiation::message::Mode;
use crate::negotiation::settings::Protection;
use crate::negotiation::view::{ForecastLine, Gone, PeerView, View};

use super::forecast;
use super::guards::Guards;
use super::plan::{Action, LineState, PlanLine};
use super::status;

mod ending;
mod fencing;
mod processes;
mod programs;
mod risk;

use ending::shutdown;
use programs::{gap, to_start, to_stop};
use risk::Whom;

/// What is known beside the view: other members' desks and screens, what runs here and there, and how members are
/// switched off.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Others {
    /// A plan that is open at another member: one at a time in the group.
    pub plan_elsewhere: Option<PlanElsewhere>,
    /// Screens attached to other members: who, and to which.
    pub attached_elsewhere: Vec<(String, String)>,
    /// This member's required processes.
    pub processes: Vec<status::Process>,
    /// Those of the other members, by member, as they tell of them.
    pub theirs: Vec<(String, Vec<status::PeerProcess>)>,
    /// How each other member is switched off.
    pub fencing: Vec<status::Fencing>,
    /// The arbiter and the reference addresses.
    pub guards: Guards,
}

/// A plan that another member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanElsewhere {
    /// The member that holds it.
    pub node: String,
    /// Its number.
    pub number: u32,
    /// Its title.
    pub title: String,
}

/// The content of a plan as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// "beta takes over from alpha".
    pub title: String,
    /// What happens, step by step.
    pub steps: Vec<String>,
    /// "Nobody acts for …", a whole sentence.
    pub nobody_acts: String,
    /// "Two acting at once cannot happen.", or why it can.
    pub two_acting: String,
    /// "May be lost: …".
    pub may_be_lost: String,
    /// "If step 1 fails: …".
    pub if_it_fails: String,
    /// "To go back: …".
    pub to_go_back: String,
    /// What it rests on.
    pub rests_on: Vec<PlanLine>,
    /// What must be typed when a line is NO, and what forcing risks.
    pub force: Option<Force>,
}

/// What it takes to go on although a line fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Force {
    /// The member that will act, or, where none will, the one that stops.
    pub by_typing: String,
    /// What is risked, as sentences.
    pub risk: String,
}

/// Nobody acts during an agreed hand-over: one message each way, and one write to disk.
const SHORT_GAP: &str = "Nobody acts for a moment, well below 1 s.";
const NEVER_TWO: &str = "Two acting at once cannot happen.";

fn line(state: LineState, text: String) -> PlanLine {
    PlanLine { state, text }
}

/// The plan for `action`, or why it makes no sense now.
pub fn plan_for(action: &Action, view: &View, others: &Others) -> Result<Draft, String> {
    let mut draft = match action {
        Action::TakeOver => take_over(view, others)?,
        Action::StepDown => step_down(view, others)?,
        Action::Hold { for_ms } => hold(view, Duration::from_millis(*for_ms))?,
        Action::Resume => resume(view)?,
        Action::Shutdown => shutdown(view, others),
        Action::Fence { peer } => fencing::fence(peer, view, others)?,
        Action::IsOff { peer } => fencing::is_off(peer, view, others)?,
        Action::RestartProcess { name } => processes::restart(name, view, others)?,
        Action::StopProcess { name } => processes::stop(name, view, others)?,
        Action::StartProcess { name } => processes::start(name, view, others)?,
    };
    // Nobody at a member that is not heard is shown anything.
    let is_heard = |node: &str| view.peers.iter().any(|peer| peer.name.as_str() == node && peer.gone.is_none());
    for (who, node) in others.attached_elsewhere.iter().filter(|(_, node)| is_heard(node)) {
        draft.rests_on.push(line(LineState::Notice, format!("{who} is attached to {node} and is shown this plan")));
    }
    Ok(draft)
}

/// The Primary that is heard, if one is.
fn acting(view: &View) -> Option<&PeerView> {
    view.peers
        .iter()
        .filter(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary))
        .max_by_key(|peer| peer.term)
}

fn next_term(view: &View) -> u64 {
    let highest = view.peers.iter().map(|peer| peer.term.number).chain([view.term.number]).max();
    highest.unwrap_or_default() + 1
}

/// Members that are not heard and might act, by name.
fn unheard(view: &View) -> Vec<&str> {
    let silent = |peer: &&PeerView| match peer.gone {
        Some(Gone::Silent | Gone::NeverHeard) => true,
        Some(Gone::Crashed | Gone::Stopped | Gone::Off) => false,
        None => peer.mode.is_none(),
    };
    view.peers.iter().filter(silent).map(|peer| peer.name.as_str()).collect()
}

/// Members that might act when protection is forced past: a refusal is no proof there, because a firewall refuses too
/// (rule 2). Unprotected it is what the group goes by.
fn not_proved_off(view: &View) -> Vec<&str> {
    let refuses = |peer: &&PeerView| !view.protection.is_empty() && peer.gone == Some(Gone::Crashed);
    let refusing = view.peers.iter().filter(refuses).map(|peer| peer.name.as_str());
    unheard(view).into_iter().chain(refusing).collect()
}

fn take_over(view: &View, others: &Others) -> Result<Draft, String> {
    let me = view.name.as_str();
    if view.mode == Mode::Primary {
        return Err(format!("{me} is Primary already, term {}", view.term));
    }
    if view.transition.as_ref().is_some_and(|change| change.to == Mode::Primary) {
        return Err(format!("{me} is already taking over: wait for the outcome"));
    }
    if view.able == Ability::Cannot(Unable::ObserveOnly) {
        return Err(format!(
            "{me} is observe-only and takes nothing over: set takeover.observe_only = false and restart it first"
        ));
    }
    let conditions = forecast::of_plan(view, &others.guards);
    let rests_on: Vec<PlanLine> = conditions
        .iter()
        .map(|one| line(if one.ok { LineState::Ok } else { LineState::No }, one.text.clone()))
        .collect();
    let failing: Vec<&ForecastLine> = view.take_over.iter().filter(|one| !one.ok).collect();
    let term = next_term(view);
    let other = acting(view).map(|peer| peer.name.as_str());
    let unheard = if failing.is_empty() { unheard(view) } else { not_proved_off(view) };
    let protected = view.protection.contains(&Protection::Majority) && failing.is_empty();
    let two_acting = match (other, unheard.as_slice()) {
        _ if protected => NEVER_TWO.to_owned(),
        (Some(other), _) if !failing.is_empty() => {
            format!("Two could act at once: {other} acts until it hears of term {term}.")
        }
        (_, []) => NEVER_TWO.to_owned(),
        (_, names) => format!("Two could act at once: {} and may act.", not_heard(names)),
    };
    let force = (!failing.is_empty()).then(|| Force {
        by_typing: me.to_owned(),
        risk: risk::of_take_over(
            view,
            &others.guards,
            &failing,
            Whom { acting: other, unheard: &unheard },
            &two_acting,
        ),
    });
    let takes = format!("{me} becomes Primary, term {term}");
    let starts = to_start(me, me, others);
    let mut draft = match other {
        Some(other) => {
            let stops = to_stop(other, me, others);
            let asked = match stops.none() {
                true => format!("{other} is asked to stop, and hands the role over"),
                false => format!("{other} is asked to stop{}", stops.may_need()),
            };
            Draft {
                title: format!("{me} takes over from {other}"),
                steps: [asked, takes].into_iter().chain(starts.started_by(me)).collect(),
                nobody_acts: gap(&stops, &starts),
                two_acting,
                may_be_lost: stops.may_be_lost(other),
                if_it_fails: if force.is_some() {
                    format!("If step 1 fails: forced, {me} becomes Primary all the same.")
                } else {
                    format!("If step 1 fails: {other} goes on acting, {me} stays Secondary.")
                },
                to_go_back: format!("To go back: the same plan from {other}. Nothing goes back by itself."),
                rests_on,
                force,
            }
        }
        None => Draft {
            title: format!("{me} takes over"),
            steps: std::iter::once(takes).chain(starts.started_by(me)).collect(),
            nobody_acts: "Nobody is known to act now.".to_owned(),
            two_acting,
            may_be_lost: "May be lost: nothing more than is lost already.".to_owned(),
            if_it_fails: format!("If step 1 fails: {me} stays Secondary, and nobody is known to act."),
            to_go_back: "To go back: step down, or take over on another member.".to_owned(),
            rests_on,
            force,
        },
    };
    if let Some(other) = other {
        // An agreed hand-over needs no fencing; that the device is dead is worth knowing all the same.
        let dead = |one: PlanLine| if one.state == LineState::No { line(LineState::Notice, one.text) } else { one };
        let fencing = others.fencing.iter().filter(|fencing| fencing.peer == other);
        draft.rests_on.extend(fencing.map(fencing::device).map(dead));
    }
    if let Some(hold) = &view.hold {
        let text = format!("the group is held by {}; that does not stop this", hold.by);
        draft.rests_on.push(line(LineState::Notice, text));
    }
    Ok(draft)
}

fn step_down(view: &View, others: &Others) -> Result<Draft, String> {
    let me = &view.name;
    if view.mode == Mode::Secondary {
        return Err(format!("{me} is Secondary already: there is nothing to step down from"));
    }
    if view.transition.is_some() {
        return Err(format!("{me} is already stopping: wait for the outcome"));
    }
    Ok(match &view.successor {
        Some(successor) => {
            hand_over(view, others, successor.as_str(), format!("{me} steps down, {successor} takes over"))
        }
        None => Draft {
            title: format!("{me} steps down, nobody takes over"),
            steps: vec![
                stops_acting(view, others),
                format!("{me} takes nothing over until resume, until it hears a Primary, or for 30 min"),
            ],
            ..abandoned(view, others)
        },
    })
}

/// The step in which this Primary stops.
fn stops_acting(view: &View, others: &Others) -> String {
    let me = view.name.as_str();
    format!("{me} stops acting{}", to_stop(me, me, others).may_need())
}

/// The part that step-down and shutdown share when a successor is there.
fn hand_over(view: &View, others: &Others, successor: &str, title: String) -> Draft {
    let me = view.name.as_str();
    let unheard = unheard(view);
    let (stops, starts) = (to_stop(me, me, others), to_start(successor, me, others));
    let hands_over = match stops.none() {
        true => format!("{me} stops acting, and hands the role over to {successor}"),
        false => format!("{me} stops acting{}", stops.may_need()),
    };
    let takes = format!("{successor} becomes Primary, term {}", next_term(view));
    Draft {
        title,
        steps: [hands_over, takes].into_iter().chain(starts.started_by(successor)).collect(),
        nobody_acts: gap(&stops, &starts),
        two_acting: never_two_by_this(&unheard),
        may_be_lost: stops.may_be_lost(me),
        if_it_fails: format!("If step 2 fails: {me} is a candidate again, and acts again."),
        to_go_back: format!("To go back: take over on {me}. Nothing goes back by itself."),
        rests_on: peers_lines(view, successor).into_iter().chain(waits_for_a_promise(view, successor)).collect(),
        force: None,
    }
}

/// What an operator's force broke is waited out before a third gets the role.
fn waits_for_a_promise(view: &View, successor: &str) -> Option<PlanLine> {
    let (to, until) = view.promise.as_ref().filter(|(to, _)| to.as_str() != successor)?;
    let left = until.since(view.now).as_millis().div_ceil(1_000);
    (left > 0).then(|| line(LineState::Notice, format!("{to} may still act, and is waited for: at most {left} s")))
}

/// What is true when a Primary stops and nobody can take over. Title and steps are the caller's.
fn abandoned(view: &View, others: &Others) -> Draft {
    let me = view.name.as_str();
    let mut rests_on = vec![line(LineState::No, "nobody can take over".to_owned())];
    for peer in &view.peers {
        let why = match (peer.gone, peer.able) {
            (Some(Gone::Crashed), _) => "its process is gone".to_owned(),
            (Some(Gone::Stopped), _) => "it was stopped".to_owned(),
            (Some(Gone::Off), _) => "it is off".to_owned(),
            (Some(Gone::Silent | Gone::NeverHeard), _) => "it is not heard".to_owned(),
            (None, Some(Ability::Cannot(why))) => why.text().to_owned(),
            (None, _) if !peer.link_up => "the link to it is down".to_owned(),
            (None, _) => "it does not answer as a candidate".to_owned(),
        };
        rests_on.push(line(LineState::No, format!("{}: {why}", peer.name)));
    }
    Draft {
        title: String::new(),
        steps: Vec::new(),
        nobody_acts: "Nobody acts afterwards, until a member takes over.".to_owned(),
        two_acting: never_two_by_this(&unheard(view)),
        may_be_lost: to_stop(me, me, others).may_be_lost(me),
        if_it_fails: format!("If step 1 fails: {me} goes on acting."),
        to_go_back: format!("To go back: resume on {me}, then take over."),
        rests_on,
        force: Some(Force {
            by_typing: me.to_owned(),
            risk: format!(
                "{me} stops and nobody takes over: nobody acts until somebody does something about it. Safe instead: bring \
                 back a member that can take over first."
            ),
        }),
    }
}

/// "gamma is not heard", "beta and gamma are not heard".
fn not_heard(names: &[&str]) -> String {
    format!("{} {} not heard", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

fn never_two_by_this(unheard: &[&str]) -> String {
    match unheard {
        [] => NEVER_TWO.to_owned(),
        names => format!("This does not make two act; {} and may act.", not_heard(names)),
    }
}

fn peers_lines(view: &View, successor: &str) -> Vec<PlanLine> {
    let mut lines = Vec::new();
    for peer in view.peers.iter().filter(|peer| peer.name.as_str() == successor) {
        let heard = peer.heard.map_or_else(String::new, |age| format!(", {:.1} s ago", age.as_secs_f64()));
        lines.push(line(LineState::Ok, format!("{successor} answers{heard}")));
        let health = peer.score.map_or_else(String::new, |score| format!(", health {:.2}", f64::from(score)));
        lines.push(match peer.able {
            Some(Ability::Sick(why)) => {
                line(LineState::Notice, format!("{successor} is not fit: {}{health}", why.text()))
            }
            Some(Ability::Fit | Ability::Cannot(_)) | None => {
                line(LineState::Ok, format!("{successor} is fit{health}"))
            }
        });
    }
    lines
}

fn hold(view: &View, lasts: Duration) -> Result<Draft, String> {
    if lasts.is_zero() {
        return Err("a hold needs a time longer than zero, such as 30m; resume ends one".to_owned());
    }
    let time = hold_time(lasts);
    let tell = |peer: &PeerView| {
        if peer.gone.is_none() && peer.link_up {
            line(LineState::Ok, format!("{} is heard and is told", peer.name))
        } else {
            line(LineState::Notice, format!("{} cannot be told now; it is told when it is heard", peer.name))
        }
    };
    Ok(Draft {
        title: format!("the group is held for {time}"),
        steps: vec![
            "every member is told to take nothing over by itself".to_owned(),
            format!("it ends by itself after {time}, or with resume"),
        ],
        nobody_acts: "Who acts does not change. If it fails meanwhile, nobody takes over by itself.".to_owned(),
        two_acting: "This does not make two act.".to_owned(),
        may_be_lost: "May be lost: nothing.".to_owned(),
        if_it_fails: "If step 1 fails: who could not be told is named, and is told when it is heard.".to_owned(),
        to_go_back: "To go back: resume.".to_owned(),
        rests_on: view.peers.iter().map(tell).collect(),
        force: None,
    })
}

fn resume(view: &View) -> Result<Draft, String> {
    let stepped_down = view.able == Ability::Cannot(Unable::SteppedDown);
    let what = match (&view.hold, stepped_down) {
        (Some(hold), _) => format!("the hold by {} ends", hold.by),
        (None, true) => format!("{} may take over again", view.name),
        (None, false) => return Err("the group is not held: there is nothing to resume".to_owned()),
    };
    Ok(Draft {
        title: what,
        steps: vec!["automatic takeovers are free again, at once".to_owned()],
        nobody_acts: "Who acts does not change by this; where nobody acts, a member takes over.".to_owned(),
        two_acting: "This does not make two act.".to_owned(),
        may_be_lost: "May be lost: nothing.".to_owned(),
        if_it_fails: "If step 1 fails: who could not be told stays held until it is heard.".to_owned(),
        to_go_back: "To go back: hold.".to_owned(),
        rests_on: Vec::new(),
        force: None,
    })
}

#[cfg(test)]
mod tests;

//! What is wrong with what keeps two members from acting: the arbiter, the reference addresses, the watchdog (S1, S4).

use std::time::Duration;

use crate::control::compose::judge;
use crate::control::guards::Guards;
use crate::control::status::{AlarmClass, Judgement};
use crate::control::words::lasting;
use crate::negotiation::message::Mode;
use crate::negotiation::trouble::ArbiterTrouble;
use crate::negotiation::view::{ArbiterView, Gone, View};

use super::trouble::{self, Forgot};
use super::words::{Words, words};

/// Something that is wrong with what protects the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardAlarm {
    /// S1: nobody acts, and this member does not take over: what protection asks for is out of reach.
    HeldBack {
        /// This member.
        node: String,
        /// The members that are not heard.
        unheard: Vec<String>,
        /// What is out of reach.
        lacks: Lacks,
        /// The arbiter's place.
        arbiter: String,
        /// The reference addresses.
        references: String,
    },
    /// S4: this member acts, its lease ends in a moment, and not everybody is there who could grant it the role.
    LeaseEnds {
        /// This member.
        node: String,
        /// The arbiter's place.
        arbiter: String,
        /// How long a lease is: it ends within that.
        lease: Duration,
    },
    /// S4: this member acts without a lease, because every other member grants it the role.
    ByGrants {
        /// This member.
        node: String,
        /// Who grants it.
        by: Vec<String>,
        /// The arbiter's place.
        arbiter: String,
    },
    /// S4: the same, and the arbiter answers: its lease is not had yet.
    ByGrantsStill {
        /// This member.
        node: String,
        /// Who grants it.
        by: Vec<String>,
        /// The arbiter's place.
        arbiter: String,
        /// Who has the lease, where somebody has.
        holder: Option<String>,
    },
    /// S1: the arbiter does not answer this member, and somebody acts.
    ArbiterAway {
        /// This member.
        node: String,
        /// Whether it acts, and by what.
        acts: Acts,
        /// The arbiter's place.
        arbiter: String,
        /// What came of the last call.
        why: String,
    },
    /// S4: the arbiter holds less than it did, and is not believed.
    ArbiterForgot {
        /// What happened to it.
        how: Forgot,
        /// This member.
        node: String,
        /// Whether it acts.
        mode: Mode,
        /// Who acts; none: nobody is known to.
        acts: Option<String>,
        /// The members that are heard and stand by.
        others: Vec<String>,
        /// The members that are not heard.
        unheard: Vec<String>,
        /// The arbiter's place.
        arbiter: String,
    },
    /// S10, U12: etcd is read and not written, because it has no space left.
    ArbiterFull {
        /// This member.
        node: String,
        /// What would be told of an arbiter that does not answer: all of it is so, and something else helps.
        like: Box<GuardAlarm>,
    },
    /// S1: no reference address answers this member, which stands by.
    NoReference {
        /// This member.
        node: String,
        /// The reference addresses.
        references: String,
    },
    /// S4: the hardware watchdog is configured, and not armed.
    WatchdogNotArmed {
        /// The device.
        device: String,
        /// Why, where known.
        why: Option<String>,
    },
}

/// By what a member acts whose arbiter is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// It stands by.
    Not,
    /// By the rules: it needs the lease, or every other member's grant.
    ByRule,
    /// By an operator's force: it goes on without either (U2).
    ByForce,
}

impl Acts {
    fn of(view: &View) -> Acts {
        match view.mode {
            Mode::Secondary => Acts::Not,
            Mode::Primary if view.forced => Acts::ByForce,
            Mode::Primary => Acts::ByRule,
        }
    }
}

/// What keeps this member from taking over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// The arbiter.
    Arbiter,
    /// A reference address.
    Reference,
    /// Both.
    Both,
}

impl GuardAlarm {
    pub(super) fn class(&self) -> AlarmClass {
        match self {
            GuardAlarm::HeldBack { .. }
            | GuardAlarm::LeaseEnds { .. }
            | GuardAlarm::ArbiterForgot { acts: None, .. } => AlarmClass::Alarm,
            GuardAlarm::ArbiterForgot { acts: Some(_), .. }
            | GuardAlarm::ByGrants { .. }
            | GuardAlarm::ByGrantsStill { .. }
            | GuardAlarm::ArbiterAway { .. }
            | GuardAlarm::NoReference { .. }
            | GuardAlarm::WatchdogNotArmed { .. } => AlarmClass::Warning,
            GuardAlarm::ArbiterFull { like, .. } => like.class(),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            GuardAlarm::HeldBack { .. } | GuardAlarm::ArbiterForgot { acts: None, .. } => super::HELD_BACK,
            GuardAlarm::ArbiterForgot { how, acts: Some(_), .. } => how.kind(),
            GuardAlarm::LeaseEnds { .. } => "lease_ends",
            GuardAlarm::ByGrants { .. } | GuardAlarm::ByGrantsStill { .. } => "acts_by_grants",
            GuardAlarm::ArbiterAway { .. } => "arbiter_out_of_reach",
            GuardAlarm::ArbiterFull { like, .. } => trouble::kind_when_full(like),
            GuardAlarm::NoReference { .. } => "no_reference",
            GuardAlarm::WatchdogNotArmed { .. } => "watchdog_not_armed",
        }
    }

    pub(super) fn words(&self) -> Words {
        match self {
            GuardAlarm::HeldBack { node, unheard, lacks, arbiter, references } => {
                held_back(node, &unheard.join(" and "), *lacks, arbiter, references)
            }
            GuardAlarm::LeaseEnds { node, arbiter, lease } => words(
                format!("{node} stops soon: no lease"),
                format!("Bring the arbiter back: {arbiter}."),
                &[
                    format!("Without it {node} stops acting within {}: nobody acts then.", lasting(*lease)),
                    "Whoever reaches the arbiter takes over by itself.".to_owned(),
                ],
                &format!("force another member to act: {node} acts until its lease is over."),
            ),
            GuardAlarm::ByGrants { node, by, arbiter } => {
                by_grants(node, by, ", arbiter out of reach", format!("Bring the arbiter back: {arbiter}."))
            }
            GuardAlarm::ByGrantsStill { node, by, arbiter, holder } => {
                let first = match holder {
                    Some(holder) if holder != node => {
                        format!("Wait: {node} asks until {holder}'s lease is over, then it is had.")
                    }
                    // Its own, of before.
                    Some(_) | None => format!("Wait: {node} asks {arbiter} for it by itself."),
                };
                by_grants(node, by, " still, the arbiter answers", first)
            }
            GuardAlarm::ArbiterAway { node, acts, arbiter, why } => words(
                match acts {
                    Acts::ByRule => format!("the arbiter is out of reach of {node}, which acts: {why}"),
                    Acts::ByForce => format!("no arbiter, {node} acts by force: {why}"),
                    Acts::Not => format!("{node} cannot take over, no arbiter: {why}"),
                },
                format!("Look at {arbiter}: is it up, is {node} cut off?"),
                &[match acts {
                    Acts::ByRule => "It goes on while every other member is heard; else it stops acting.",
                    Acts::ByForce => "It goes on without; who reaches the arbiter may act beside it.",
                    Acts::Not => "It can take over again by itself as soon as the arbiter answers.",
                }
                .to_owned()],
                match acts {
                    Acts::ByRule => "stop another member: this one acts by their grants then.",
                    Acts::ByForce => "bring the arbiter back to another member alone: two would act.",
                    Acts::Not => "stop the member that acts: nobody would take over.",
                },
            ),
            GuardAlarm::ArbiterForgot { how, node, mode, acts: Some(acts), others, unheard: _, arbiter } => {
                how.while_one_acts(node, *mode, acts, others, arbiter)
            }
            GuardAlarm::ArbiterForgot { how, node, mode: _, acts: None, others: _, unheard, arbiter } => {
                how.while_nobody_acts(node, unheard, arbiter)
            }
            GuardAlarm::ArbiterFull { node, like } => trouble::words_when_full(node, like),
            GuardAlarm::NoReference { node, references } => words(
                format!("no reference address answers {node}: it may be cut off"),
                format!("Look at {node}'s network: it asks {references}."),
                &["Until one answers it takes nothing over; then it can again, by itself.".to_owned()],
                "stop the member that acts: nobody would take over.",
            ),
            GuardAlarm::WatchdogNotArmed { device, why } => words(
                match why {
                    Some(why) => format!("the watchdog {device} is not armed: {why}"),
                    None => format!("the watchdog {device} is not armed"),
                },
                format!("Is {device} there? Does another hold it open? (fuser)"),
                &["Until it is armed, nothing resets a machine that hangs.".to_owned()],
                "rely on a hung machine going off by itself.",
            ),
        }
    }
}

fn by_grants(node: &str, by: &[String], arbiter: &str, first: String) -> Words {
    let (by, is) = (by.join(" and "), if by.len() == 1 { "is" } else { "are" });
    words(
        format!("no lease: {node} acts by the grant of {by}{arbiter}"),
        first,
        &[format!("{node} goes on while {by} {is} heard; else it stops acting.")],
        &format!("stop {by} or touch the link: {node} would have to stop."),
    )
}

fn held_back(node: &str, unheard: &str, lacks: Lacks, arbiter: &str, references: &str) -> Words {
    let (text, first) = match lacks {
        Lacks::Arbiter => {
            ("NO TAKEOVER: arbiter out of reach", format!("Bring {arbiter} back: {node} then takes over."))
        }
        Lacks::Reference => {
            ("NO TAKEOVER: no reference answers", format!("Look at {node}'s network: {references} does not answer it."))
        }
        Lacks::Both => (
            "NO TAKEOVER: no arbiter, no reference",
            format!("Look at {node}'s network: arbiter and {references} are silent."),
        ),
    };
    words(
        text.to_owned(),
        first,
        &[
            format!("Find out whether {unheard} acts: lamps, its console, call the site."),
            format!("It acts: mend the network. It is off: a, then t, and force {node}."),
        ],
        &format!("force the takeover while {unheard} may be on: two would act."),
    )
}

/// What is wrong now; what is worst first. `nobody_acts`: nobody has been known to act for a while.
pub(super) fn find(view: &View, guards: &Guards, nobody_acts: Option<Duration>) -> Vec<GuardAlarm> {
    let node = || view.name.to_string();
    let arbiter = || guards.arbiter_place().to_owned();
    let mut found = Vec::new();
    // A call that was made and not answered; before the first one nothing is known.
    let away = view.arbiter.as_ref().filter(|known| !known.answers).and_then(|known| known.why.clone());
    let silent = view.reference.as_ref().is_some_and(|known| !known.answers) && view.mode == Mode::Secondary;
    let unheard: Vec<String> = view
        .peers
        .iter()
        .filter(|peer| peer.gone.is_some_and(|gone| !matches!(gone, Gone::Stopped | Gone::Off)))
        .map(|peer| peer.name.to_string())
        .collect();
    let lacks = match (&away, silent) {
        (Some(_), true) => Some(Lacks::Both),
        (Some(_), false) => Some(Lacks::Arbiter),
        (None, true) => Some(Lacks::Reference),
        (None, false) => None,
    };
    let nobody = judge(view) == Judgement::NobodyActs && nobody_acts.is_some();
    let idle = nobody && !unheard.is_empty();
    if let Some(how) = away.as_ref().and_then(Forgot::of)
        && let Some(alarm) = of_forgot(how, view, guards, &unheard, nobody)
    {
        found.push(alarm);
    } else if let (Some(lacks), true, false) = (lacks, idle, view.observe_only) {
        let references = guards.references();
        let held_back = GuardAlarm::HeldBack { node: node(), unheard, lacks, arbiter: arbiter(), references };
        found.push(match (&away, lacks) {
            (Some(ArbiterTrouble::Full(_)), Lacks::Arbiter) => full(view, held_back),
            (Some(_) | None, Lacks::Arbiter | Lacks::Reference | Lacks::Both) => held_back,
        });
    } else {
        match away {
            Some(ArbiterTrouble::Full(why)) => found.push(full(view, of_arbiter(view, guards, why))),
            Some(why) => found.push(of_arbiter(view, guards, why.to_string())),
            None => found.extend(still_by_grants(view, guards)),
        }
        if silent {
            found.push(GuardAlarm::NoReference { node: node(), references: guards.references() });
        }
    }
    if let Some(watchdog) = guards.watchdog.as_ref().filter(|watchdog| !watchdog.armed) {
        found.push(GuardAlarm::WatchdogNotArmed { device: watchdog.device.clone(), why: watchdog.why.clone() });
    }
    found
}

/// A Primary without a lease whose arbiter answers: it acts by the others' grants until it has the lease again.
fn still_by_grants(view: &View, guards: &Guards) -> Option<GuardAlarm> {
    let known = view.arbiter.as_ref().filter(|known| known.answers && known.by_grants)?;
    Some(GuardAlarm::ByGrantsStill {
        node: view.name.to_string(),
        by: view.peers.iter().map(|peer| peer.name.to_string()).collect(),
        arbiter: guards.arbiter_place().to_owned(),
        holder: known.holder.as_ref().map(ToString::to_string),
    })
}

/// None where something else matters more: a lease that ends while not everybody is heard, or that this member only looks on.
fn of_forgot(how: Forgot, view: &View, guards: &Guards, unheard: &[String], nobody: bool) -> Option<GuardAlarm> {
    let heard = || view.peers.iter().filter(|peer| peer.gone.is_none());
    let acts = match view.mode {
        Mode::Primary => Some(view.name.to_string()),
        Mode::Secondary => heard().find(|peer| peer.mode == Some(Mode::Primary)).map(|peer| peer.name.to_string()),
    };
    let by_grants = view.arbiter.as_ref().is_some_and(|known| known.by_grants);
    let ends = view.mode == Mode::Primary && !view.forced && !by_grants && !unheard.is_empty();
    if ends || view.observe_only || (acts.is_none() && !nobody) {
        return None;
    }
    let stands_by = heard().filter(|peer| peer.mode == Some(Mode::Secondary));
    Some(GuardAlarm::ArbiterForgot {
        how,
        node: view.name.to_string(),
        mode: view.mode,
        acts,
        others: stands_by.map(|peer| peer.name.to_string()).collect(),
        unheard: unheard.to_vec(),
        arbiter: guards.arbiter_place().to_owned(),
    })
}

fn full(view: &View, like: GuardAlarm) -> GuardAlarm {
    GuardAlarm::ArbiterFull { node: view.name.to_string(), like: Box::new(like) }
}

fn of_arbiter(view: &View, guards: &Guards, why: String) -> GuardAlarm {
    let (node, arbiter) = (view.name.to_string(), guards.arbiter_place().to_owned());
    let known: &ArbiterView = match (&view.arbiter, view.mode) {
        (Some(known), Mode::Primary) => known,
        _ => return GuardAlarm::ArbiterAway { node, acts: Acts::of(view), arbiter, why },
    };
    if known.by_grants {
        let by = view.peers.iter().map(|peer| peer.name.to_string()).collect();
        return GuardAlarm::ByGrants { node, by, arbiter };
    }
    // Who is not heard grants nothing; then all hangs on the lease, unless an operator's force goes past it.
    let all_heard = view.peers.iter().all(|peer| peer.gone.is_none() && peer.link_up);
    match all_heard || view.forced {
        true => GuardAlarm::ArbiterAway { node, acts: Acts::of(view), arbiter, why },
        false => GuardAlarm::LeaseEnds { node, arbiter, lease: guards.lease() },
    }
}

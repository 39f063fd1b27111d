//! What each rule says of itself: its clause, its word for scripts, its sentence, and what would have changed the decision.

use super::{Rule, seconds};
use crate::negotiation::member::Name;
use crate::negotiation::message::HandOverCause;

impl Rule {
    /// The clause of requirements.md, or the rule of negotiation.md, that this is.
    pub fn clause(&self) -> &'static str {
        match self {
            Rule::Booted => "N1",
            Rule::NeverHeard { .. } => "N3",
            Rule::ToldPrimary { .. } | Rule::PeerSilent { .. } => "N4",
            Rule::PeerCrashed { .. } | Rule::PeerStopped { .. } => "N14",
            Rule::PeerOff { .. } => "S2",
            Rule::TookOverForHealth { .. } => "H5",
            Rule::Released { .. } | Rule::HandedOver { .. } | Rule::Stopping { .. } => "N18",
            Rule::OperatorTookOver { .. } | Rule::OperatorForced { .. } | Rule::SteppedDown { .. } => "U2",
            Rule::YieldedTo { .. } | Rule::YieldedByRelay { .. } => "N12",
            Rule::LostMajority { .. } => "S1",
            Rule::LeaseOver { .. } => "S4",
            Rule::Stalled { .. } => "S9",
            Rule::Overtaken { .. } | Rule::AbandonedForPrimary { .. } | Rule::AbandonedForChange { .. } => "N11",
            Rule::AbandonedForDisk => "N20",
        }
    }

    /// The variant's name, stable, for scripts.
    pub fn word(&self) -> &'static str {
        match self {
            Rule::Booted => "booted",
            Rule::NeverHeard { .. } => "never_heard",
            Rule::ToldPrimary { .. } => "told_primary",
            Rule::PeerSilent { .. } => "peer_silent",
            Rule::PeerCrashed { .. } => "peer_crashed",
            Rule::PeerStopped { .. } => "peer_stopped",
            Rule::PeerOff { .. } => "peer_off",
            Rule::TookOverForHealth { .. } => "took_over_for_health",
            Rule::Released { .. } => "released",
            Rule::OperatorTookOver { .. } => "operator_took_over",
            Rule::OperatorForced { .. } => "operator_forced",
            Rule::YieldedTo { .. } => "yielded_to",
            Rule::YieldedByRelay { .. } => "yielded_by_relay",
            Rule::HandedOver { .. } => "handed_over",
            Rule::SteppedDown { .. } => "stepped_down",
            Rule::Stopping { .. } => "stopping",
            Rule::LostMajority { .. } => "lost_majority",
            Rule::LeaseOver { .. } => "lease_over",
            Rule::Overtaken { .. } => "overtaken",
            Rule::Stalled { .. } => "stalled",
            Rule::AbandonedForPrimary { .. } => "abandoned_for_primary",
            Rule::AbandonedForChange { .. } => "abandoned_for_change",
            Rule::AbandonedForDisk => "abandoned_for_disk",
        }
    }

    /// Whether nobody asked for it: frequent changes of this kind are flapping (S6).
    pub fn is_automatic(&self) -> bool {
        match self {
            Rule::Booted
            | Rule::Released { .. }
            | Rule::OperatorTookOver { .. }
            | Rule::OperatorForced { .. }
            | Rule::HandedOver { cause: HandOverCause::Operator, .. }
            | Rule::SteppedDown { .. }
            | Rule::Stopping { .. } => false,
            Rule::NeverHeard { .. }
            | Rule::ToldPrimary { .. }
            | Rule::PeerSilent { .. }
            | Rule::PeerCrashed { .. }
            | Rule::PeerStopped { .. }
            | Rule::PeerOff { .. }
            | Rule::TookOverForHealth { .. }
            | Rule::YieldedTo { .. }
            | Rule::YieldedByRelay { .. }
            | Rule::HandedOver { cause: HandOverCause::Health, .. }
            | Rule::LostMajority { .. }
            | Rule::LeaseOver { .. }
            | Rule::Overtaken { .. }
            | Rule::Stalled { .. }
            | Rule::AbandonedForPrimary { .. }
            | Rule::AbandonedForChange { .. }
            | Rule::AbandonedForDisk => true,
        }
    }

    /// The reason as a sentence without a full stop, for a line on the screen.
    pub fn text(&self) -> String {
        match self {
            Rule::Booted => "a controller boots as Secondary".to_owned(),
            Rule::NeverHeard { peer, waited } => {
                format!("{peer} was not heard in the {} since boot", seconds(*waited))
            }
            Rule::ToldPrimary { by } => format!("{} said: become Primary", list(by)),
            Rule::PeerSilent { peer, silent_for } => format!("{peer} silent for {}", seconds(*silent_for)),
            Rule::PeerCrashed { peer } => format!("{peer}'s process is gone: closed, and refused on every address"),
            Rule::PeerStopped { peer } => format!("{peer} said that it stops"),
            Rule::PeerOff { peer, by: None } => format!("{peer} is off: it was fenced, and its device says so"),
            Rule::PeerOff { peer, by: Some(by) } => format!("{peer} is off: {by} looked"),
            Rule::TookOverForHealth { peer, score, mine } => format!(
                "{peer} is sick, health {:.2}, this member's is {:.2}: it handed the role over when asked",
                f64::from(*score),
                f64::from(*mine)
            ),
            Rule::Released { by, term } => format!("{by} handed the role over, its term {term} is over"),
            Rule::OperatorTookOver { by } => format!("{by} made this member take over"),
            Rule::OperatorForced { by } => format!("{by} forced this member to take over"),
            Rule::YieldedTo { peer, term, mine } => {
                format!("{peer} is Primary in term {term}, which goes before this member's {mine}")
            }
            Rule::YieldedByRelay { via, peer, term, mine } => {
                format!("{via} hears {peer} as Primary in term {term}, which goes before this member's {mine}")
            }
            Rule::HandedOver { to, cause: HandOverCause::Operator, by: Some(by) } => {
                format!("{by} had the role handed over to {to}")
            }
            Rule::HandedOver { to, cause: HandOverCause::Operator, by: None } => {
                format!("an operator at {to} had the role handed over")
            }
            Rule::HandedOver { to, cause: HandOverCause::Health, .. } => {
                format!("{to} is healthier and asked for the role")
            }
            Rule::SteppedDown { by } => format!("{by} forced it to step down, with nobody to hand over to"),
            Rule::Stopping { to: Some(to) } => format!("this controller stops and hands over to {to}"),
            Rule::Stopping { to: None } => "this controller stops".to_owned(),
            Rule::LeaseOver { why } => format!("its lease ends and could not be renewed: {why}"),
            Rule::LostMajority { reachable, needed } => {
                format!("only {reachable} of the {needed} members that it takes agree")
            }
            Rule::Overtaken { peer, term, mine } => {
                format!("it heard of {peer}'s term {term}, which goes before its own {mine}, and asks for a new one")
            }
            Rule::Stalled { stalled_for } => {
                format!(
                    "this controller was itself stalled for at least {}, so it asks again first",
                    seconds(*stalled_for)
                )
            }
            Rule::AbandonedForPrimary { peer, term } => {
                format!("{peer} became Primary, term {term}, while this member was taking over")
            }
            Rule::AbandonedForChange { missing } => {
                format!("while this member was taking over, it lost what that rests on: {missing}")
            }
            Rule::AbandonedForDisk => "the new term could not be written to disk".to_owned(),
        }
    }

    /// What would have made it otherwise, a line each, for `explain`.
    pub fn otherwise(&self) -> Vec<String> {
        match self {
            Rule::Booted => vec!["nothing: every controller starts like this".to_owned()],
            Rule::NeverHeard { peer, .. } => vec![
                format!("{peer} answering before the wait was over"),
                "a longer negotiation.boot_timeout (listening side) or connect_grace (connecting side)".to_owned(),
            ],
            Rule::ToldPrimary { by } => vec![
                format!("{} being Primary already, or coming first itself, and so answering \"Secondary\"", list(by)),
                "a hold of the group".to_owned(),
            ],
            Rule::PeerSilent { peer, .. } => vec![
                format!("one word from {peer} within negotiation.reply_timeout, on any path"),
                "a hold of the group, or a protection that was not met".to_owned(),
            ],
            Rule::PeerCrashed { peer } => vec![
                format!("{peer} accepting a connection on any of its addresses"),
                "negotiation.crash_detection = false: the silence would have been waited out".to_owned(),
            ],
            Rule::PeerStopped { peer } => {
                vec![format!("{peer} not being stopped"), "a hold of the group".to_owned()]
            }
            Rule::PeerOff { peer, by: None } => {
                vec![format!("{peer} not being silent, or its fencing failing"), "a hold of the group".to_owned()]
            }
            Rule::PeerOff { by: Some(by), .. } => vec![format!("{by} not saying so")],
            Rule::TookOverForHealth { peer, .. } => vec![
                format!("a health of {peer} at or above takeover.threshold"),
                format!("this member's own health below it, or not above {peer}'s by takeover.margin"),
                "a hold of the group".to_owned(),
            ],
            Rule::Released { by, .. } => vec![format!("{by} not handing over, or handing over to another")],
            Rule::OperatorTookOver { .. } | Rule::OperatorForced { .. } => {
                vec!["the operator not confirming the plan".to_owned()]
            }
            Rule::YieldedTo { peer, .. } => vec![
                format!("a higher term than {peer}'s, or {peer} not being Primary"),
                "a protection in takeover.protection: only one would have become Primary".to_owned(),
            ],
            Rule::YieldedByRelay { peer, .. } => vec![
                format!("a higher term than {peer}'s, or {peer} not being Primary"),
                "protection \"majority\": only one would have become Primary".to_owned(),
            ],
            Rule::HandedOver { to, cause: HandOverCause::Operator, .. } => {
                vec![format!("the operator not asking, or {to} being unable")]
            }
            Rule::HandedOver { cause: HandOverCause::Health, .. } => {
                vec!["a health at or above takeover.threshold".to_owned()]
            }
            Rule::SteppedDown { .. } => vec!["the operator not forcing it".to_owned()],
            Rule::Stopping { .. } => vec!["the controller not being stopped".to_owned()],
            Rule::LeaseOver { .. } => vec![
                "an arbiter that renews the lease in time".to_owned(),
                "grants from every other member within the lease".to_owned(),
            ],
            Rule::LostMajority { needed, .. } => {
                vec![format!("grants from enough members to make {needed}, this one included, within the lease")]
            }
            Rule::Overtaken { peer, .. } => vec![
                format!("{peer} not having been Primary while the two could not hear each other"),
                "a protection in takeover.protection: only one would have become Primary".to_owned(),
            ],
            Rule::Stalled { .. } => vec![
                "this process being scheduled: look at the machine's load, swap, and a paused virtual machine"
                    .to_owned(),
                "a longer negotiation.reply_timeout: half of it may be slept through".to_owned(),
            ],
            Rule::AbandonedForPrimary { peer, .. } => vec![format!("{peer} not taking over in the same moment")],
            Rule::AbandonedForChange { missing } => vec![format!("this staying met: {missing}")],
            Rule::AbandonedForDisk => vec!["a state directory that can be written".to_owned()],
        }
    }
}

fn list(names: &[Name]) -> String {
    let words: Vec<&str> = names.iter().map(Name::as_str).collect();
    words.join(" and ")
}

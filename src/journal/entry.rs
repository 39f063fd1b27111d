//! What the journal keeps: one value for everything worth remembering, readable on its own years later.
//!
//! An entry carries names, not numbers of members, and the rule with its evidence, not the story made of them: the
//! sentences come from the types of the negotiation, as everywhere.

use serde::{Deserialize, Serialize};

use super::availability::Totals;
use crate::negotiation::decision::{Decision, Rule};
use crate::negotiation::event::{Event, Severity};
use crate::negotiation::member::Name;

/// What happened to an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum AlarmChange {
    /// It began.
    Raised,
    /// It is over.
    Cleared,
    /// Somebody has seen it (U13).
    Seen {
        /// Who.
        by: String,
    },
}

/// Whether a path came up or went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathChange {
    /// It is in use from now on.
    Up,
    /// It is not any more.
    Down,
}

/// What happened to a required process or a hook (P1, P2, P6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessChange {
    /// It was started.
    Started,
    /// It could not be started, or was not ready in time.
    StartFailed,
    /// It is ready.
    Ready,
    /// It ended by itself.
    Died,
    /// It is started again after a pause.
    Restarting,
    /// It ended too often, and is not started again by itself.
    GivenUp,
    /// It was asked to end.
    Stopping,
    /// It has ended as it was asked.
    Stopped,
    /// It was killed: it did not end in its grace, did not answer, or had no right to run any more.
    Killed,
    /// A hook did its work.
    HookDone,
    /// A hook did not.
    HookFailed,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The controller started.
    Started {
        /// As which member.
        node: Name,
        /// Of which group.
        group: String,
        /// The program's version.
        version: String,
        /// Random at each start, hexadecimal.
        incarnation: String,
        /// Until when the run before this one is known to have lived, real time in milliseconds since 1970: nothing has
        /// happened between its last record and then (H8). Older journals have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_alive_ms: Option<u64>,
    },
    /// A change of mode (N11, U4).
    Decision(Decision),
    /// A decision to take over, which waits for its term to be on disk.
    TakingOver(Decision),
    /// Something that the negotiation tells.
    Event(Event),
    /// What an operator did, and what came of it.
    Action {
        /// Who, by peer credentials.
        by: String,
        /// What: "take over", "hold for 30 min".
        what: String,
        /// What came of it, as a sentence without a full stop.
        outcome: String,
    },
    /// One path to a peer changed.
    Link {
        /// The peer.
        peer: Name,
        /// Its address on this path.
        address: String,
        /// How.
        change: PathChange,
        /// Why, in a few words; empty when there is nothing to say.
        why: String,
    },
    /// The link refused what came in (S8, N13).
    Rejected {
        /// What, a stable word.
        what: String,
        /// From where, when known.
        from: Option<String>,
        /// The details.
        detail: String,
        /// How often since the last entry of this kind.
        count: u64,
    },
    /// An alarm changed (U13).
    Alarm {
        /// Its stable word.
        id: String,
        /// How much it matters.
        class: Severity,
        /// What is wrong.
        text: String,
        /// How it changed.
        change: AlarmChange,
    },
    /// The real-time clock was set (S9). Nothing but what is displayed depends on it.
    ClockSet {
        /// By how much, in milliseconds; negative: back.
        by_ms: i64,
    },
    /// A required process, or a hook, changed.
    Process {
        /// The process, or the hook's key.
        process: String,
        /// How.
        change: ProcessChange,
        /// It as a sentence without a full stop.
        text: String,
    },
    /// One try to switch a member off (S2).
    FenceTried {
        /// Whom.
        peer: Name,
        /// Which try, from 1, since the fencing began.
        number: u32,
        /// Why it is not believed to be off; none: it is.
        why: Option<String>,
        /// How long it took.
        took_ms: u64,
        /// The last of what the agent printed, without secrets.
        output: String,
    },
    /// A part of this controller does not work as it should.
    Fault {
        /// Which: "state", "control socket".
        part: String,
        /// What is wrong, as a sentence without a full stop.
        text: String,
    },
    /// The journal could not keep up, or could not be written.
    Lost {
        /// Entries that are missing before this one.
        count: u64,
    },
    /// Who is known to act has changed, or is known for the first time since the start (H8).
    Acting {
        /// Who; none: nobody is known to.
        who: Option<Name>,
        /// Nobody: for how long already, in milliseconds; a silence is only known once it has lasted.
        for_ms: u64,
    },
    /// How available the group was so far (H8): carried along, so that it survives the journal's rotation.
    Availability {
        /// What was counted.
        totals: Totals,
    },
    /// The controller stopped in an orderly way.
    Stopped {
        /// Why.
        why: String,
    },
}

/// Every word that [`Entry::kind`] can give, for checking what a user asked for.
pub const KINDS: [&str; 66] = [
    "acting",
    "action",
    "alarm_cleared",
    "alarm_raised",
    "alarm_seen",
    "arbiter_back",
    "arbiter_forgot",
    "arbiter_lost",
    "availability",
    "by_grants",
    "clock_set",
    "decision",
    "fault",
    "fence_device_back",
    "fence_device_dead",
    "fence_tried",
    "fenced_off",
    "fencing",
    "fencing_failed",
    "flap_ended",
    "flap_stopped",
    "hand_over_asked",
    "hand_over_lost",
    "hand_over_refused",
    "health_takeover_asked",
    "health_takeover_unanswered",
    "heard_after_off",
    "held",
    "history_unknown",
    "hold_ended",
    "hold_not_told",
    "hook_done",
    "hook_failed",
    "lost",
    "path_down",
    "path_up",
    "peer_back",
    "peer_down",
    "peer_gone",
    "peer_primary",
    "peer_up",
    "process_died",
    "process_given_up",
    "process_killed",
    "process_ready",
    "process_restarting",
    "process_start_failed",
    "process_started",
    "process_stopped",
    "process_stopping",
    "reference_back",
    "reference_lost",
    "rejected",
    "settings_agree",
    "settings_differ",
    "stalled",
    "started",
    "state_durable",
    "state_not_durable",
    "step_down_ended",
    "stepping_down",
    "stopped",
    "taking_over",
    "told_off",
    "two_primaries",
    "would_take_over",
];

impl Entry {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Entry::Decision(decision) | Entry::TakingOver(decision) => of_rule(&decision.rule),
            Entry::Event(event) => event.severity(),
            Entry::Alarm { class, change: AlarmChange::Raised, .. } => *class,
            Entry::Alarm { change: AlarmChange::Cleared | AlarmChange::Seen { .. }, .. } => Severity::Note,
            Entry::Link { change: PathChange::Down, .. }
            | Entry::Rejected { .. }
            | Entry::ClockSet { .. }
            | Entry::FenceTried { why: Some(_), .. }
            | Entry::Fault { .. }
            | Entry::Process {
                change:
                    ProcessChange::StartFailed
                    | ProcessChange::Died
                    | ProcessChange::GivenUp
                    | ProcessChange::Killed
                    | ProcessChange::HookFailed,
                ..
            }
            | Entry::Lost { .. } => Severity::Warning,
            Entry::Process {
                change:
                    ProcessChange::Started
                    | ProcessChange::Ready
                    | ProcessChange::Restarting
                    | ProcessChange::Stopping
                    | ProcessChange::Stopped
                    | ProcessChange::HookDone,
                ..
            }
            | Entry::Started { .. }
            | Entry::Action { .. }
            | Entry::Link { change: PathChange::Up, .. }
            | Entry::FenceTried { why: None, .. }
            | Entry::Acting { .. }
            | Entry::Availability { .. }
            | Entry::Stopped { .. } => Severity::Note,
        }
    }

    /// Its stable word, for filters and scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Entry::Started { .. } => "started",
            Entry::Decision(_) => "decision",
            Entry::TakingOver(_) => "taking_over",
            Entry::Event(event) => event_word(event),
            Entry::Action { .. } => "action",
            Entry::Link { change: PathChange::Up, .. } => "path_up",
            Entry::Link { change: PathChange::Down, .. } => "path_down",
            Entry::Rejected { .. } => "rejected",
            Entry::Alarm { change: AlarmChange::Raised, .. } => "alarm_raised",
            Entry::Alarm { change: AlarmChange::Cleared, .. } => "alarm_cleared",
            Entry::Alarm { change: AlarmChange::Seen { .. }, .. } => "alarm_seen",
            Entry::ClockSet { .. } => "clock_set",
            Entry::Process { change, .. } => process_word(*change),
            Entry::FenceTried { .. } => "fence_tried",
            Entry::Fault { .. } => "fault",
            Entry::Lost { .. } => "lost",
            Entry::Acting { .. } => "acting",
            Entry::Availability { .. } => "availability",
            Entry::Stopped { .. } => "stopped",
        }
    }

    /// It as a sentence without a full stop. Parts that came from outside are as they came: whoever shows them on a
    /// terminal escapes them.
    pub fn text(&self) -> String {
        match self {
            Entry::Started { node, group, version, .. } => format!("tandem {version} started as {node} of {group}"),
            Entry::Decision(decision) => decision.text(),
            Entry::TakingOver(decision) => format!("taking over, term {}: {}", decision.term, decision.rule.text()),
            Entry::Event(event) => event.text(),
            Entry::Action { by, what, outcome } => format!("{by}: {what}: {outcome}"),
            Entry::Link { peer, address, change, why } => {
                let state = match change {
                    PathChange::Up => "up",
                    PathChange::Down => "down",
                };
                with_why(format!("the path to {peer} at {address} is {state}"), why)
            }
            Entry::Rejected { what, from, detail, count } => {
                let from = from.as_ref().map_or(String::new(), |from| format!(" from {from}"));
                let times = if *count > 1 { format!(", {count} times") } else { String::new() };
                with_why(format!("refused{from}: {what}{times}"), detail)
            }
            Entry::Alarm { text, change: AlarmChange::Raised, .. } => text.clone(),
            Entry::Alarm { text, change: AlarmChange::Cleared, .. } => format!("no longer so: {text}"),
            Entry::Alarm { text, change: AlarmChange::Seen { by }, .. } => format!("{by} has seen: {text}"),
            Entry::ClockSet { by_ms } => {
                let way = if *by_ms < 0 { "back" } else { "forward" };
                let seconds = by_ms.unsigned_abs() as f64 / 1_000.0;
                format!("the clock was set {way} by {seconds:.3} s; only what is displayed depends on it")
            }
            Entry::Process { text, .. } => text.clone(),
            Entry::FenceTried { peer, number, why, took_ms, output: _ } => {
                let came_to = match why {
                    Some(why) => why.clone(),
                    None => format!("off, after {:.1} s", *took_ms as f64 / 1_000.0),
                };
                format!("fencing {peer}, try {number}: {came_to}")
            }
            Entry::Fault { part, text } => format!("{part}: {text}"),
            Entry::Lost { count: 1 } => "an entry is missing here: the journal could not be written in time".to_owned(),
            Entry::Lost { count } => {
                format!("{count} entries are missing here: the journal could not be written in time")
            }
            Entry::Acting { who: Some(who), .. } => format!("{who} is known to act"),
            Entry::Acting { who: None, for_ms: 0 } => "nobody is known to act".to_owned(),
            Entry::Acting { who: None, for_ms } => {
                format!("nobody is known to act, for {:.1} s already", *for_ms as f64 / 1_000.0)
            }
            Entry::Availability { totals } => match totals.figures().uptime_pct {
                Some(uptime) => {
                    format!("a Primary was known {uptime:.3} % of the time so far, {} outages", totals.outages)
                }
                None => "nothing is known yet of how available the group is".to_owned(),
            },
            Entry::Stopped { why } => with_why("tandem stopped".to_owned(), why),
        }
    }

    /// Whether it is kept to count with, and not for people: other entries tell them the same in better words.
    pub fn is_for_counting(&self) -> bool {
        matches!(self, Entry::Acting { .. } | Entry::Availability { .. })
    }

    /// Whether it must be on disk soon after it was recorded: what a person will be asked about.
    pub(super) fn must_be_safe(&self) -> bool {
        match self {
            Entry::Decision(_)
            | Entry::TakingOver(_)
            | Entry::Action { .. }
            | Entry::FenceTried { .. }
            | Entry::Stopped { .. } => true,
            Entry::Started { .. }
            | Entry::Event(_)
            | Entry::Link { .. }
            | Entry::Rejected { .. }
            | Entry::Alarm { .. }
            | Entry::ClockSet { .. }
            | Entry::Process { .. }
            | Entry::Fault { .. }
            | Entry::Acting { .. }
            | Entry::Availability { .. }
            | Entry::Lost { .. } => false,
        }
    }
}

fn with_why(text: String, why: &str) -> String {
    if why.is_empty() { text } else { format!("{text}: {why}") }
}

/// A change of mode that somebody wanted, or that every start has, is for the record. One that a fault forced is to be
/// looked at.
fn of_rule(rule: &Rule) -> Severity {
    match rule {
        Rule::Booted
        | Rule::ToldPrimary { .. }
        | Rule::PeerStopped { .. }
        | Rule::Released { .. }
        | Rule::OperatorTookOver { .. }
        | Rule::HandedOver { .. }
        | Rule::Stopping { .. } => Severity::Note,
        Rule::PeerOff { .. } | Rule::TookOverForHealth { .. } => Severity::Warning,
        Rule::NeverHeard { .. }
        | Rule::PeerSilent { .. }
        | Rule::PeerCrashed { .. }
        | Rule::OperatorForced { .. }
        | Rule::SteppedDown { .. }
        | Rule::YieldedTo { .. }
        | Rule::YieldedByRelay { .. }
        | Rule::LostMajority { .. }
        | Rule::LeaseOver { .. }
        | Rule::Overtaken { .. }
        | Rule::Stalled { .. }
        | Rule::AbandonedForPrimary { .. }
        | Rule::AbandonedForChange { .. } => Severity::Warning,
        Rule::AbandonedForDisk => Severity::Alarm,
    }
}

fn process_word(change: ProcessChange) -> &'static str {
    match change {
        ProcessChange::Started => "process_started",
        ProcessChange::StartFailed => "process_start_failed",
        ProcessChange::Ready => "process_ready",
        ProcessChange::Died => "process_died",
        ProcessChange::Restarting => "process_restarting",
        ProcessChange::GivenUp => "process_given_up",
        ProcessChange::Stopping => "process_stopping",
        ProcessChange::Stopped => "process_stopped",
        ProcessChange::Killed => "process_killed",
        ProcessChange::HookDone => "hook_done",
        ProcessChange::HookFailed => "hook_failed",
    }
}

fn event_word(event: &Event) -> &'static str {
    match event {
        Event::PeerUp { .. } => "peer_up",
        Event::PeerDown { .. } => "peer_down",
        Event::PeerGone { .. } => "peer_gone",
        Event::PeerBack { .. } => "peer_back",
        Event::PeerPrimary { .. } => "peer_primary",
        Event::TwoPrimaries { .. } => "two_primaries",
        Event::Stalled { .. } => "stalled",
        Event::Held { .. } => "held",
        Event::HoldEnded { .. } => "hold_ended",
        Event::HoldNotTold { .. } => "hold_not_told",
        Event::SettingsDiffer { .. } => "settings_differ",
        Event::SettingsAgree { .. } => "settings_agree",
        Event::WouldTakeOver { .. } => "would_take_over",
        Event::HandOverAsked { .. } => "hand_over_asked",
        Event::HandOverRefused { .. } => "hand_over_refused",
        Event::HandOverLost { .. } => "hand_over_lost",
        Event::StateNotDurable => "state_not_durable",
        Event::StateDurable => "state_durable",
        Event::HistoryUnknown => "history_unknown",
        Event::StepDownEnded => "step_down_ended",
        Event::SteppingDown { .. } => "stepping_down",
        Event::HealthTakeoverAsked { .. } => "health_takeover_asked",
        Event::HealthTakeoverUnanswered { .. } => "health_takeover_unanswered",
        Event::FlapStopped { .. } => "flap_stopped",
        Event::FlapEnded { .. } => "flap_ended",
        Event::Fencing { .. } => "fencing",
        Event::FencedOff { .. } => "fenced_off",
        Event::FencingFailed { .. } => "fencing_failed",
        Event::ToldOff { .. } => "told_off",
        Event::HeardAfterOff { .. } => "heard_after_off",
        Event::FenceDeviceDead { .. } => "fence_device_dead",
        Event::FenceDeviceBack { .. } => "fence_device_back",
        Event::ArbiterLost { .. } => "arbiter_lost",
        Event::ArbiterBack => "arbiter_back",
        Event::ArbiterForgot { .. } => "arbiter_forgot",
        Event::ByGrants { .. } => "by_grants",
        Event::ReferenceLost => "reference_lost",
        Event::ReferenceBack => "reference_back",
    }
}

//! The status of a controller: the JSON that scripts, the screen and `attach` read (the schema in
//! `assets/status.schema.json` is held to these types by a test).
//!
//! Names of fields are a contract. `*_ms` are durations; `time` is RFC 3339. Fields are only added.

mod fencing;
mod peers;
mod protection;
mod running;

use serde::{Deserialize, Serialize};

pub use fencing::{FenceDevice, FenceLast, FenceResult, FenceUnderWay, Fencing};
pub use peers::{Link, LinkRole, LinkState, Peer, PeerProcess, Reply, ReplyKind};
pub use protection::{Arbiter, Protection, ProtectionState, Reference, Watchdog};
pub use running::{Health, Process, ProcessState, RunWhen, SubHealth};

/// The version of this contract.
pub const SCHEMA: u32 = 1;

/// Everything a controller says of itself, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When this was taken, RFC 3339.
    pub time: String,
    /// This member's name.
    pub node: String,
    /// The address that decides who listens.
    pub address: String,
    /// The group's name.
    pub group: String,
    /// The program's version.
    pub version: String,
    /// Random at each start, hexadecimal.
    pub incarnation: String,
    /// `primary` or `secondary`.
    pub mode: Mode,
    /// Primary: its term. Secondary: the highest term seen.
    pub term: u64,
    /// `TANDEM_TOKEN` of that term, owner included.
    pub token: u64,
    /// How long it has had this mode.
    pub since_ms: u64,
    /// Why.
    pub reason: Reason,
    /// How able it is to be Primary.
    pub able: Able,
    /// Whether it acts: Primary, and what must run for that runs.
    pub serving: bool,
    /// What it waits for while it changes.
    pub transition: Option<Transition>,
    /// The hold in force (S7).
    pub hold: Option<Hold>,
    /// What protects the group.
    pub protection: Protection,
    /// The arbiter; none: protection asks for none (S1).
    #[serde(default)]
    pub arbiter: Option<Arbiter>,
    /// The reference addresses; none: protection asks for none (S1).
    #[serde(default)]
    pub reference: Option<Reference>,
    /// The hardware watchdog; none: none is configured (S4).
    #[serde(default)]
    pub watchdog: Option<Watchdog>,
    /// Each path to each peer.
    pub links: Vec<Link>,
    /// Each other member.
    pub peers: Vec<Peer>,
    /// Total Health Score and what it is made of.
    pub health: Health,
    /// Required processes.
    pub processes: Vec<Process>,
    /// How each other member is switched off (S2); empty where none is configured.
    #[serde(default)]
    pub fencing: Vec<Fencing>,
    /// Would it fail over now (U12)?
    pub takeover: Takeover,
    /// What is wrong, first cause first.
    pub alarms: Vec<Alarm>,
    /// Who looks at a screen of this member.
    pub attached: Vec<String>,
    /// The latest events, newest first.
    pub events: Vec<Event>,
    /// The one judgement of row 3.
    pub judgement: Judgement,
    /// The open plan, of this member or as another shows it.
    pub plan: Option<super::plan::Plan>,
    /// The plan that another member holds: its steps are on that member's screens.
    pub plan_elsewhere: Option<PlanElsewhere>,
    /// Two members both acted: how it came to this. It is told until an hour after it is over.
    pub two_acted: Option<TwoActed>,
    /// Observe-only (S11).
    pub observe_only: bool,
    /// `negotiation.query_interval`.
    pub query_interval_ms: u64,
    /// `negotiation.reply_timeout`.
    pub reply_timeout_ms: u64,
    /// How late the loop woke, at worst, since start and in the last minute.
    pub loop_gaps: LoopGaps,
    /// How available the group was, as this member saw it (H8); null where nobody counts.
    pub availability: Option<Availability>,
    /// What the link refused since start: garbage, wrong keys, strangers (S8, N13).
    pub rejected: Vec<Rejected>,
}

/// Stands by or acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Acts.
    Primary,
    /// Stands by.
    Secondary,
}

/// The last change of mode: the rule that fired and its sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's word, stable.
    pub rule: String,
    /// The clause of the requirements.
    pub clause: String,
    /// Its sentence.
    pub text: String,
    /// What was known of each peer then, a line each.
    pub evidence: Vec<String>,
    /// What would have changed it, a line each.
    pub otherwise: Vec<String>,
}

/// A plan that another member holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanElsewhere {
    /// The member that holds it.
    pub node: String,
    /// Its number.
    pub number: u32,
    /// What it is for.
    pub title: String,
}

/// Two members that both acted (N12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwoActed {
    /// The other of the two, as this member sees it.
    pub other: String,
    /// The one that gives way: the lower term.
    pub stops: Acted,
    /// The one that goes on.
    pub goes_on: Acted,
    /// Both acted from then on at the earliest, RFC 3339.
    pub since: String,
    /// For how long both acted at most: what the other did while it was not heard is not known.
    pub at_most_ms: u64,
    /// For how long it has been over; none: it is not.
    pub over_for_ms: Option<u64>,
    /// How it came to this, oldest first.
    pub steps: Vec<Step>,
}

/// One of two that both acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    /// Its name.
    pub name: String,
    /// Its term.
    pub term: u64,
    /// Since when it was Primary, RFC 3339; none: only that member knows.
    pub since: Option<String>,
}

/// A step on the way there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When, RFC 3339.
    pub time: String,
    /// What happened, a sentence without a full stop.
    pub text: String,
}

/// How able a member is: 0 cannot, 1 sick, 2 fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Able {
    /// 0, 1 or 2.
    pub level: u8,
    /// Why not 2.
    pub why: Option<String>,
}

/// How available the group was, as this member saw it: an outage is time with no Primary known here (H8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Availability {
    /// Over all that was seen.
    pub total: Share,
    /// While this member was Primary: it acts itself, so there is no outage to be seen.
    pub as_primary: Share,
    /// While it was Secondary.
    pub as_secondary: Share,
    /// Time in which it did not run, stood still, or did not know yet; it counts for nothing.
    pub unknown_ms: u64,
    /// What could be lost with a Primary (RPO): a sentence without a full stop.
    pub data_loss: String,
}

/// Figures over a part of the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How long it was.
    pub observed_ms: u64,
    /// Of it with a Primary known, per cent; null while nothing was seen.
    pub uptime_pct: Option<f64>,
    /// Outages that began.
    pub outages: u64,
    /// Mean time to repair; null before the first outage that ended.
    pub mttr_ms: Option<u64>,
    /// Mean time between failures; null before the first outage.
    pub mtbf_ms: Option<u64>,
    /// The longest outage that ended: the recovery time observed (RTO); null before the first.
    pub recovery_ms: Option<u64>,
}

/// A change that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The mode it goes to.
    pub to: Mode,
    /// What it waits for.
    pub waiting_for: String,
    /// How long it has been waiting.
    pub since_ms: u64,
}

/// A hold in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// How long it has stood.
    pub since_ms: u64,
    /// How long it still stands.
    pub expires_ms: u64,
    /// By whom.
    pub by: String,
    /// Members that could not be told yet.
    pub not_told: Vec<String>,
}

/// Would it fail over now?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// Whether a takeover would be done.
    pub ready: bool,
    /// After how long at most.
    pub expected_ms: Option<u64>,
    /// The member whose failure is assumed.
    pub if_fails: Option<String>,
    /// Who would act then; none: nobody.
    pub acts: Option<String>,
    /// What it rests on.
    pub lines: Vec<Line>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whether it is met.
    pub ok: bool,
    /// What it is about, in a stable word: `fence`, `arbiter`, `health`, `network`, `majority`, `members`, `hand-over`,
    /// `start`, `hold` or `promise`.
    #[serde(default)]
    pub about: String,
    /// What, as a sentence without a full stop.
    pub text: String,
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// A stable word for it.
    pub id: String,
    /// ALARM (act now), WARNING (act today) or note.
    pub class: AlarmClass,
    /// What is wrong.
    pub text: String,
    /// What to do first.
    pub first: String,
    /// What then.
    pub then: Vec<String>,
    /// What not to do.
    pub do_not: String,
    /// For how long.
    pub since_ms: u64,
    /// Who has seen it.
    pub seen: Option<Seen>,
}

/// How urgent an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmClass {
    /// Act now.
    Alarm,
    /// Act today.
    Warning,
    /// For information.
    Note,
}

/// Who marked an alarm as seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub time: String,
}

/// An event of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the journal.
    pub seq: u64,
    /// When, RFC 3339.
    pub time: String,
    /// How much it matters: `alarm`, `warning` or `note`.
    pub kind: String,
    /// The event as a sentence.
    pub text: String,
}

/// Row 3's one judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// One member acts.
    OneActs,
    /// Nobody is known to act.
    NobodyActs,
    /// Two or more act.
    TwoAct,
    /// One acts, and one that cannot be heard may act too.
    OneActsOtherUnknown,
}

/// How late the loop woke.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopGaps {
    /// The worst since start, microseconds.
    pub worst_us: u64,
    /// The worst in the last minute or so, microseconds.
    pub recent_worst_us: u64,
    /// Gaps of 20 ms and more since start.
    pub over_20ms: u64,
    /// Gaps of 25 ms and more since start.
    pub over_25ms: u64,
}

/// One kind of refused traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// What was refused, a stable word.
    pub kind: String,
    /// How often.
    pub count: u64,
}

//! The status of a controller: the JSON that scripts, the screen and `attach` read (the schema in
//! `assets/status.schema.json` is held to these types by a test).
//!
//! Names of fields are a contract. `*_ms` are durations; `time` is RFC 3339. Fields are only added.

mod protection;

use serde::{Deserialize, Serialize};

pub use protection::{Arbiter, Protection, ProtectionState, Reference, Watchdog};

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
    /// Time in which it did not run, or did not know yet; it counts for nothing.
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

/// One path to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The peer.
    pub peer: String,
    /// The peer's address on this path.
    pub address: String,
    /// Up, connecting or down.
    pub state: LinkState,
    /// This member's side of the connection.
    pub role: LinkRole,
    /// Round trip, once measured.
    pub rtt_us: Option<u64>,
    /// How long ago something was heard on it; none: never.
    pub last_heard_ms: Option<u64>,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// How often it came up again after the first time.
    pub reconnects: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Why it is not up, in a few words.
    pub why: Option<String>,
}

/// A path's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Authenticated and in use.
    Up,
    /// Being tried, or waited for.
    Connecting,
    /// Tried and failed, or lost.
    Down,
}

/// Which side of a connection a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkRole {
    /// It listens.
    Server,
    /// It connects.
    Client,
}

/// Another member as this one knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its mode as last heard; none: not heard yet.
    pub mode: Option<Mode>,
    /// Its term as last heard.
    pub term: u64,
    /// How able it said it was.
    pub able: Option<Able>,
    /// Its health as last heard.
    pub score: Option<f64>,
    /// How long ago it was last heard; none: never since boot.
    pub last_heard_ms: Option<u64>,
    /// Why it counts as gone: `never_heard`, `silent`, `crashed`, `stopped`; none while it does not.
    pub gone: Option<String>,
    /// Its program's version, once connected.
    pub version: Option<String>,
    /// Settings in which it differs (N19).
    pub differs: Vec<String>,
    /// The history of what it tells this member to be (or, on a Primary, of its queries), newest first; equal answers
    /// in a row are one entry.
    pub replies: Vec<Reply>,
    /// Who looks at a screen there.
    pub attached: Vec<String>,
    /// Its required processes, as it tells of them.
    #[serde(default)]
    pub processes: Vec<PeerProcess>,
}

/// A required process of another member, as far as that member tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerProcess {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: ProcessState,
    /// Its pid while it runs.
    pub pid: Option<u32>,
    /// When it is to run.
    pub run_when: RunWhen,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// How long it took from its last start until it was ready; none: it never was.
    pub start_ms: Option<u64>,
    /// How long it may take to stop before it is killed: `stop_grace`.
    pub stop_ms: u64,
}

/// Equal replies in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Age of the newest of them.
    pub age_ms: u64,
    /// `stay_secondary`, `become_primary`, `no_answer`; on a Primary `query`.
    pub reply: ReplyKind,
    /// The peer's health with the newest.
    pub score: Option<f64>,
    /// Round trip of the newest.
    pub rtt_us: Option<u64>,
    /// Number of the newest query.
    pub query: u64,
    /// How many alike.
    pub count: u64,
    /// Age of the oldest of them.
    pub first_age_ms: u64,
    /// Why there was no answer, where known.
    #[serde(default)]
    pub why: Option<String>,
}

/// What a reply told this member to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// The reply "Secondary".
    StaySecondary,
    /// The reply "Primary".
    BecomePrimary,
    /// None within the timeout.
    NoAnswer,
    /// On a Primary: a query received.
    Query,
}

/// Total Health Score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// 0…1.
    pub total: f64,
    /// Below this it is sick.
    pub threshold: f64,
    /// What it is made of; empty while nothing is measured.
    pub sub: Vec<SubHealth>,
}

/// One sub-health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubHealth {
    /// Its name: `restarts`, `response_time`, `memory`, or that of a check.
    pub name: String,
    /// 0…1.
    pub status: f64,
    /// Its share: all of them together are 1.
    pub weight: f64,
    /// Status × weight.
    pub score: f64,
    /// What was measured.
    pub measured: f64,
    /// In which unit.
    pub unit: String,
    /// Why it is below 1, in a few words; none where the figure says it.
    pub why: Option<String>,
}

/// A required process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its pid while it runs.
    pub pid: Option<u32>,
    /// How it stands.
    pub state: ProcessState,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// How long it has run.
    pub uptime_ms: Option<u64>,
    /// Restarts in the last 30 s.
    pub restarts_30s: u32,
    /// Restarts since this controller started.
    pub restarts: u64,
    /// Response time of its heartbeat.
    pub response_ms: Option<f64>,
    /// Memory, per cent of the machine's.
    pub memory_pct: Option<f64>,
    /// CPU, per cent of one core.
    pub cpu_pct: Option<f64>,
    /// Whether it counts for the health.
    pub counts: bool,
    /// When it is to run.
    pub run_when: RunWhen,
    /// How it is asked whether it lives: `notify`, `http`, `tcp`, `command`, `line`; none: only its life counts.
    pub heartbeat: Option<String>,
    /// How often.
    pub period_ms: Option<u64>,
    /// How long it took from its last start until it was ready; none: it never was.
    pub start_ms: Option<u64>,
    /// How long it may take to stop before it is killed: `stop_grace`.
    pub stop_ms: u64,
    /// Why it is not as it should be, in a few words: how it ended, or that it does not answer.
    pub why: Option<String>,
    /// When it is started again; none: it is not waiting for that.
    pub next_start_ms: Option<u64>,
    /// The last lines that it wrote, oldest first.
    pub output: Vec<String>,
}

/// How a required process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// It is not to run in this mode.
    Waits,
    /// It was started, and is not ready yet.
    Starting,
    /// It runs.
    Running,
    /// It was told to stop.
    Stopping,
    /// It ended, and is started again after a while.
    Restarting,
    /// An operator stopped it.
    Stopped,
    /// It ended too often: it is not started again.
    GivenUp,
}

/// When a required process is to run (P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunWhen {
    /// Always.
    Always,
    /// On the Primary.
    Primary,
    /// On a Secondary.
    Secondary,
}

/// How another member is switched off, and how that went of late (S2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fencing {
    /// The member that is switched off by it.
    pub peer: String,
    /// The agent's or the command's name: `fence_ipmilan`.
    pub agent: String,
    /// Where the device is, as the agent's options say; none: they do not, or it is a command.
    #[serde(default)]
    pub address: Option<String>,
    /// `off` or `reboot`.
    pub action: String,
    /// What the last check of the device said; none: none was made yet, or none is.
    pub device: Option<FenceDevice>,
    /// How often the device is checked; none: never.
    pub monitor_ms: Option<u64>,
    /// An attempt that is under way.
    pub under_way: Option<FenceUnderWay>,
    /// How the last attempt ended; none: none was made since this start.
    pub last: Option<FenceLast>,
    /// When it is tried again by itself; none: it is not waiting for that.
    pub next_try_ms: Option<u64>,
    /// Set when the member was heard again in the same life after a confirmed off: the agent lied.
    pub lied: bool,
}

/// Whether a fence device answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceDevice {
    /// Whether it answered its last check.
    pub answers: bool,
    /// How long ago that check ended.
    pub age_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// What the agent said, when it did not answer.
    pub why: Option<String>,
}

/// A fencing that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceUnderWay {
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// For how long it has been tried.
    pub since_ms: u64,
    /// After how long it is given up.
    pub timeout_ms: u64,
}

/// How a fencing ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceLast {
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How it ended.
    pub result: FenceResult,
    /// How long ago.
    pub age_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Why it failed; of an operator's word, whose it is.
    pub why: Option<String>,
}

/// What came of a fencing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceResult {
    /// It is off: the agent's status says so.
    Off,
    /// It failed, or nobody knows.
    Failed,
    /// An operator looked, and said that it is off.
    OffByWord,
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

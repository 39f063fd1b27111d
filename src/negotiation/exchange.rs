//! What goes into the negotiation and what comes out: inputs are facts, outputs are wishes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::Score;
use super::decision::Decision;
use super::event::Event;
use super::member::{MemberId, Name};
use super::message::{HoldStamp, Message, PeerHello, Refusal};
use super::settings::Tuning;
use super::term::Term;
use super::time::Instant;
use super::trouble::ArbiterTrouble;

/// What must survive a restart, whole each time (negotiation.md, "What a member keeps").
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// The highest term heard of, or taken.
    pub seen: Term,
    /// The vote: the number and for whom. [`Term::NONE`]: none yet.
    pub voted: Term,
    /// The hold, when one is in force; `expires_unix_ms` is real time, because boot time ends with the boot.
    pub hold: DurableHold,
    /// What damps flapping, so that a sick member's restarts do not free it (S6). Older states have none.
    #[serde(default, skip_serializing_if = "DurableHealth::is_nothing")]
    pub health: DurableHealth,
}

/// A hold, or the latest word that ended one, as it is kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DurableHold {
    /// Which word of the operator this is.
    pub stamp: HoldStamp,
    /// How long it had left when this was written; zero: none in force.
    pub remaining: Duration,
    /// By whom.
    pub by: Option<Name>,
}

/// What S6 counts, as it is kept on disk: ages and rests as of when it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DurableHealth {
    /// How much longer it is a lesser candidate, because it lost the role for its health; zero: it is none.
    pub lost_for: Duration,
    /// How many seconds ago it took over for a peer's health, within the last hour: the latest, at most
    /// [`DurableHealth::MOST_TAKEN`].
    pub taken: Vec<u32>,
    /// Since how many seconds it takes no more of this kind; none: it may.
    pub stopped: Option<u32>,
}

impl DurableHealth {
    /// So many takeovers are kept on disk.
    pub const MOST_TAKEN: usize = 32;

    /// Whether there is nothing to remember.
    pub fn is_nothing(&self) -> bool {
        *self == DurableHealth::default()
    }

    /// The same, so much later.
    pub fn aged(mut self, by: Duration) -> DurableHealth {
        let seconds = u32::try_from(by.as_secs()).unwrap_or(u32::MAX);
        self.lost_for = self.lost_for.saturating_sub(by);
        self.taken.iter_mut().chain(self.stopped.as_mut()).for_each(|ago| *ago = ago.saturating_add(seconds));
        self
    }
}

impl Durable {
    /// What a member has that never ran.
    pub const EMPTY: Durable = Durable {
        seen: Term::NONE,
        voted: Term::NONE,
        hold: DurableHold { stamp: HoldStamp { unix_ms: 0, member: 0 }, remaining: Duration::ZERO, by: None },
        health: DurableHealth { lost_for: Duration::ZERO, taken: Vec::new(), stopped: None },
    };
}

/// Numbers the requests to write the state; a report names the latest that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct StateVersion(pub u64);

/// What an operator can ask the negotiation for. The plan before it and the question who may ask are control's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// This member becomes Primary; the other hands over first.
    TakeOver {
        /// Who asks.
        by: Name,
        /// Without what protection asks for, and without the other's consent.
        force: bool,
    },
    /// This member becomes Secondary; another takes over.
    StepDown {
        /// Who asks.
        by: Name,
        /// Also when there is nobody to hand over to.
        force: bool,
    },
    /// The group's automatic takeovers are frozen.
    Hold {
        /// Who asks.
        by: Name,
        /// For how long.
        lasts: Duration,
        /// Real time now, milliseconds since 1970.
        unix_ms: u64,
    },
    /// They are free again; also ends what keeps this member alone from taking over after a forced step-down.
    Resume {
        /// Who asks.
        by: Name,
        /// Real time now, milliseconds since 1970.
        unix_ms: u64,
    },
    /// A peer is switched off, alive or not (U2).
    Fence {
        /// Who is switched off.
        peer: MemberId,
        /// Who asks.
        by: Name,
    },
    /// "It is off, I looked": counts as fencing done, by the operator's word.
    IsOff {
        /// Who is off.
        peer: MemberId,
        /// Who looked.
        by: Name,
    },
}

/// What became of an [`Output::Fence`], all its attempts included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceResult {
    /// The agent says that the peer is off, and its status says so too.
    Off,
    /// It is not known to be off.
    Failed {
        /// What the last attempt came to, without a full stop.
        why: String,
    },
}

/// Why a peer is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum FenceWhy {
    /// Rule 15: this Primary hears no other member.
    PrimaryAlone,
    /// Rule 15: a takeover lacks nothing but this.
    TakeoverWaits,
    /// H5: a sick Primary was asked to hand over, and did not.
    Unanswered,
    /// H5: a sick Primary handed over, and `fencing.always` is set.
    Always,
    /// U2: an operator asked.
    Operator {
        /// Who.
        by: Name,
    },
}

impl FenceWhy {
    /// The reason as a clause that follows "because".
    pub fn text(&self) -> String {
        match self {
            FenceWhy::PrimaryAlone => "this Primary hears no other member".to_owned(),
            FenceWhy::TakeoverWaits => "the takeover waits for nothing else".to_owned(),
            FenceWhy::Unanswered => "it is sick, was asked to hand over, and did not".to_owned(),
            FenceWhy::Always => "it lost the role for its health, and fencing.always is set".to_owned(),
            FenceWhy::Operator { by } => format!("{by} asked"),
        }
    }
}

/// What the arbiter is asked (rule 14). Each call is answered once, at the latest when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum ArbiterCall {
    /// Whether it is there, and who holds the lease. Changes nothing.
    Look,
    /// The lease: to be had when nobody holds it, its time is over, or this very member holds it. Its number is then one
    /// above both the highest that was ever allotted and `above`.
    Acquire {
        /// This member's floor.
        above: u64,
    },
    /// The lease goes on for its whole length from now; only while this member holds it in this number, and its time is
    /// not over.
    Renew {
        /// The lease's number.
        number: u64,
    },
    /// The lease is given back, when this member holds it in this number.
    Release {
        /// The lease's number.
        number: u64,
    },
}

/// What became of an [`ArbiterCall`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum ArbiterReply {
    /// To [`ArbiterCall::Look`]: the lease as it stands.
    Stands {
        /// Who holds it; none: nobody, or its time is over.
        holder: Option<MemberId>,
        /// The highest number that was ever allotted.
        number: u64,
    },
    /// To [`ArbiterCall::Acquire`]: this member holds the lease, in this number.
    Granted {
        /// The lease's number, which becomes the term's.
        number: u64,
    },
    /// To [`ArbiterCall::Renew`]: it goes on.
    Renewed,
    /// To [`ArbiterCall::Release`]: it is given back, or was not this member's any more.
    Released,
    /// To [`ArbiterCall::Acquire`] and [`ArbiterCall::Renew`]: no, and how the lease stands.
    Refused {
        /// Who holds it; none: nobody does.
        holder: Option<MemberId>,
        /// The highest number that was ever allotted.
        number: u64,
    },
    /// No answer that could be relied on. What was asked may have been done all the same.
    Unreachable {
        /// What was tried and what came of it.
        why: ArbiterTrouble,
    },
}

/// Why the controller stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// SIGTERM: hands over, unless the group is held.
    Signal,
    /// An operator's `shutdown`: hands over, held or not.
    Operator,
}

/// A fact, given to [`super::Negotiator::handle`] with the time at which it became known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// The time has come that [`super::Negotiator::next_deadline`] asked for, or any other time.
    Tick,
    /// The driver woke this much later than it meant to, and has read since what lay in the sockets. Given before
    /// whatever it woke for; small delays too, because all of them excuse a peer's silence (rule 13).
    Late {
        /// By how much.
        by: Duration,
    },
    /// The first path to a peer is up, in this incarnation of the peer.
    LinkUp {
        /// The peer.
        peer: MemberId,
        /// What it said of itself.
        hello: PeerHello,
    },
    /// The last path to a peer is down.
    LinkDown {
        /// The peer.
        peer: MemberId,
    },
    /// After a [`Input::LinkDown`] every address of the peer refused a connection.
    LinkRefused {
        /// The peer.
        peer: MemberId,
    },
    /// A connection attempt to a peer failed on every address (refused or not): counts before the first connection
    /// when `connect_grace` is zero (N3).
    ConnectFailed {
        /// The peer.
        peer: MemberId,
    },
    /// An authenticated message on the current connection.
    Received {
        /// From whom.
        peer: MemberId,
        /// What.
        message: Message,
    },
    /// The operator's file was read again: what may change has these values now (U10).
    Tuned(Tuning),
    /// The state is on disk up to and including this version.
    Written {
        /// The version.
        version: StateVersion,
    },
    /// Writing this version failed; the driver goes on trying and reports [`Input::Written`] when it succeeds.
    WriteFailed {
        /// The version.
        version: StateVersion,
    },
    /// This member's own health.
    Health {
        /// The Total Health Score.
        score: Score,
    },
    /// The longest that stopping everything that runs only on the Primary can take; zero, as at the start: there is
    /// nothing to stop.
    StopTime {
        /// How long at most.
        longest: Duration,
    },
    /// Everything that runs only on the Primary has stopped: the answer to [`Output::StopServing`].
    ServingStopped,
    /// What became of an [`Output::Fence`].
    Fenced {
        /// Who was to be switched off.
        peer: MemberId,
        /// What became of it.
        result: FenceResult,
    },
    /// A peer's fencing device was asked whether it is there (S2).
    FenceDevice {
        /// The peer that it switches off.
        peer: MemberId,
        /// What it said or did instead of answering; none: it answered.
        why_not: Option<String>,
    },
    /// What became of an [`Output::AskArbiter`].
    Arbiter {
        /// The call's.
        asked_at: Instant,
        /// What became of it.
        reply: ArbiterReply,
    },
    /// What became of an [`Output::AskReference`].
    Reference {
        /// The question's.
        asked_at: Instant,
        /// Whether any of the addresses answered.
        answered: bool,
    },
    /// An operator's command.
    Command(Command),
    /// The controller is to stop; [`Output::Stopped`] follows.
    Stop {
        /// Why.
        cause: StopCause,
    },
}

/// What became of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CommandOutcome {
    /// Done.
    Done,
    /// This member is what it was told to be already.
    AlreadySo,
    /// The Primary refused to hand over.
    Refused {
        /// The Primary.
        peer: Name,
        /// Why.
        refusal: Refusal,
    },
    /// It did not come to pass in time.
    TimedOut {
        /// What was missing.
        missing: String,
    },
    /// It cannot be done now.
    Impossible {
        /// Why.
        why: String,
    },
}

/// A wish, appended by [`super::Negotiator::handle`]; to be carried out in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "output", rename_all = "snake_case")]
pub enum Output {
    /// Send this on the current connection; dropped when there is none.
    Send {
        /// To whom.
        to: MemberId,
        /// What.
        message: Message,
    },
    /// Make this state durable, then say [`Input::Written`]. Only the latest matters.
    Write {
        /// The request's number.
        version: StateVersion,
        /// The whole state.
        state: Durable,
    },
    /// The mode is another from now on. Everything that had to be durable for it is: of a Primary, start what runs on
    /// it; of a Secondary, what runs only on the Primary has stopped. A Primary that was Primary before has a new term.
    ModeChanged(Decision),
    /// This member has decided to take over and waits for its disk. People see it as Secondary, "taking over".
    TakingOver(Decision),
    /// Stop everything that runs only on the Primary, then say [`Input::ServingStopped`]; who has nothing to stop says
    /// it at once. Said again with an earlier deadline when a lease is about to end.
    StopServing {
        /// When what still runs has to be killed; none: each has its own grace.
        by: Option<Instant>,
    },
    /// Switch a peer off now, then say [`Input::Fenced`]. What has begun is never cancelled.
    Fence {
        /// Whom.
        peer: MemberId,
        /// Why.
        why: FenceWhy,
    },
    /// Ask the arbiter, then say [`Input::Arbiter`]. One call is under way at a time; a release may follow another call
    /// that is not answered yet, and takes its turn after it.
    AskArbiter {
        /// When: comes back with the reply, tells one call from another, and is what every validity is counted from.
        asked_at: Instant,
        /// What.
        call: ArbiterCall,
        /// How long the driver may try before it says [`ArbiterReply::Unreachable`].
        within: Duration,
    },
    /// Ask the reference addresses, all at once, then say [`Input::Reference`]. One question is under way at a time.
    AskReference {
        /// When: comes back with the reply.
        asked_at: Instant,
        /// How long the driver may wait before it says that none answered.
        within: Duration,
    },
    /// Something for the journal.
    Event(Event),
    /// The operator's last unanswered command came out like this.
    CommandDone(CommandOutcome),
    /// Everything is said: the driver may flush its sockets and end.
    Stopped,
}

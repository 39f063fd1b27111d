//! What members say to each other about who is Primary, without the bytes.
//!
//! The link room turns these into frames (PROTOCOL.md); the simulator carries them as they are. Every validity is
//! counted from when the *question* was sent, by the asker's clock, so questions carry an id or a time that comes back
//! in the answer and means something only to who asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::{Ability, Score};
use super::member::MemberId;
use super::settings::Agreement;
use super::term::Term;
use super::time::Instant;

/// Identifies one Mode Query of one member: the asker's own time of sending, in nanoseconds, always later than the
/// query before it. It means something to the asker only, who reads from the answer how old the question is; so nothing
/// needs to be remembered of questions that are still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct QueryId(pub u64);

/// A random number drawn at each start of a member: tells a restarted peer from one that was only out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// The mode of a member as others and people see it: Becoming counts as Secondary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Stands by.
    Secondary,
    /// Acts.
    Primary,
}

impl Mode {
    /// The mode as one word, capitalised as the documents write it.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Secondary => "Secondary",
            Mode::Primary => "Primary",
        }
    }
}

/// Whether a member is heard by the one that speaks to it, which it cannot know by itself where a link fails one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hears {
    /// Nothing speaks against it.
    #[default]
    You,
    /// Words of it are missing for longer than the interval explains: who says this counts its silence already (S3).
    NotYou,
}

/// "In which mode should you be?", from a Secondary, every interval (N4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Query {
    /// Comes back in the answer.
    pub id: QueryId,
    /// The highest term the asker has heard of.
    pub seen: Term,
    /// The number the asker would take: its floor + 1. It raises nothing at the hearer.
    pub proposed: u64,
    /// How able the asker is.
    pub able: Ability,
    /// False while the asker has promised to somebody else, or waits for a successor of its own.
    pub candidate: bool,
    /// Whether it was Primary until a moment ago or holds a release, and so comes first among equals.
    pub claim: bool,
    /// Its Total Health Score (H5b).
    pub score: Score,
    /// Whether the asker hears the one it asks, where that decides who shoots (`fence`, rule 15).
    #[serde(default)]
    pub hears: Hears,
}

/// The mode that who answers wants the asker to be in (N6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// "Be Primary": a promise not to become Primary oneself for a while (N16).
    BePrimary {
        /// The proposed number this consents to.
        proposed: u64,
        /// Whether the vote is on disk. One that is not is a promise of this incarnation only: it does not count
        /// towards a majority, which must survive a restart of the voter (N20).
        written: bool,
    },
    /// "Stay Secondary".
    StaySecondary {
        /// Set when the proposed number was too low: the asker must propose above this.
        floor: Option<u64>,
    },
}

/// The answer to a [`Query`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// The query's.
    pub id: QueryId,
    /// What the asker is told to be.
    pub order: Order,
    /// The highest term who answers has heard of.
    pub seen: Term,
    /// The mode of who answers.
    pub mode: Mode,
    /// Its own term: the one it is or was Primary in last, [`Term::NONE`] if never.
    pub term: Term,
    /// How able it is.
    pub able: Ability,
    /// Whether it claims the role.
    pub claim: bool,
    /// Its Total Health Score (H1).
    pub score: Score,
}

/// "I am Primary", every interval and at once on connecting and on becoming so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Beacon {
    /// The sender's term.
    pub term: Term,
    /// The sender's own time, which a [`Grant`] gives back.
    pub sent_at: Instant,
}

/// "I shall not become Primary for a lease": the answer to a [`Beacon`] where a lease is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// The beacon's.
    pub sent_at: Instant,
    /// The beacon's, so that a grant for an old term counts for nothing.
    pub term: Term,
}

/// "This one is Primary in a better term than yours": from who hears two Primaries that may not hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Relay {
    /// The better term; its owner is the member.
    pub term: Term,
}

/// Why a hand-over is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandOverCause {
    /// An operator asked the sender to take over.
    Operator,
    /// The receiver is sick (H5).
    Health,
}

/// "Hand the role over to me."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandOverRequest {
    /// The term it ends; a request for any other term ends nothing (N18).
    pub term: Term,
    /// Why.
    pub cause: HandOverCause,
}

/// Why a hand-over was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The one asked is not Primary.
    NotPrimary,
    /// It is Primary in another term.
    OtherTerm,
    /// It is held, and the cause was not an operator.
    Held,
    /// It is not sick, and the cause was health.
    NotSick,
    /// It is already handing over to another.
    Busy,
    /// The one who asks cannot take the role.
    AskerUnable,
    /// A reason this version does not know, from a newer peer (N17).
    Other,
}

impl Refusal {
    /// The reason as a clause that follows "refused:".
    pub fn text(self) -> &'static str {
        match self {
            Refusal::NotPrimary => "it is not Primary",
            Refusal::OtherTerm => "it is Primary in another term",
            Refusal::Held => "the group is held",
            Refusal::NotSick => "it is not sick",
            Refusal::Busy => "it is already handing over",
            Refusal::AskerUnable => "it thinks that the asker cannot take the role",
            Refusal::Other => "for a reason this version does not know",
        }
    }
}

/// The answer to a [`HandOverRequest`]; agreed is also sent unasked to the successor on SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandOverAnswer {
    /// The term that ends.
    pub term: Term,
    /// Agreed with the longest time that stopping takes, or refused.
    pub verdict: Result<Duration, Refusal>,
}

/// "I am no longer Primary in this term; `to` may follow."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Released {
    /// The term that ended.
    pub term: Term,
    /// The one successor. For anybody else it only ends the term and the promise given to the sender.
    pub to: MemberId,
}

/// Which operator's word about the hold is the latest: real time in milliseconds since 1970, then the member that it
/// was given to. Only ever compared, so a clock that is off costs an order between two commands, never safety.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct HoldStamp {
    /// Real time at which the operator spoke, milliseconds since 1970.
    pub unix_ms: u64,
    /// The member spoken to.
    pub member: u8,
}

/// The most bytes of an operator's name that travel.
pub const MAX_OPERATOR: usize = 64;

/// The group's automatic takeovers are frozen, or free again (S7). Sent to all on change and on connecting; the later
/// stamp wins.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// Which word of the operator this is.
    pub stamp: HoldStamp,
    /// How much longer it lasts; zero: it is over.
    pub remaining: Duration,
    /// Who asked for it, or ended it.
    pub by: super::member::Name,
}

/// A frame's content, as far as the negotiation is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// See [`Query`].
    Query(Query),
    /// See [`Answer`].
    Answer(Answer),
    /// See [`Beacon`].
    Beacon(Beacon),
    /// See [`Grant`].
    Grant(Grant),
    /// See [`Relay`].
    Relay(Relay),
    /// See [`HandOverRequest`].
    HandOverRequest(HandOverRequest),
    /// See [`HandOverAnswer`].
    HandOverAnswer(HandOverAnswer),
    /// See [`Released`].
    Released(Released),
    /// See [`Hold`].
    Hold(Hold),
    /// The last frame: everything is stopped.
    Bye,
}

/// What the link learns of a peer when their connection comes up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerHello {
    /// The peer's.
    pub incarnation: Incarnation,
    /// The settings that members must agree on (N19).
    pub agreement: Agreement,
}

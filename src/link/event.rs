//! What the link tells the node, and what the node can ask about its paths.

use std::net::SocketAddr;
use std::time::Duration;

use crate::negotiation::member::MemberId;
use crate::negotiation::message::{Message, PeerHello};

use super::rejection::Rejection;

/// Something that happened on the link. Events come in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The first path to a peer is up; also after [`LinkEvent::Down`], possibly in another incarnation.
    Up {
        /// The peer.
        peer: MemberId,
        /// What it said of itself.
        hello: PeerHello,
        /// Its program's version.
        version: String,
    },
    /// The last path to a peer is down.
    Down {
        /// The peer.
        peer: MemberId,
        /// Why, in a few words.
        why: String,
    },
    /// After a [`LinkEvent::Down`] every address of the peer refused a connection: evidence of a crash (N14). May come
    /// again while it stays so.
    Refused {
        /// The peer.
        peer: MemberId,
    },
    /// Before the first connection to a peer, an attempt on each of its addresses has failed (N3). Comes again after
    /// every further round.
    ConnectFailed {
        /// The peer.
        peer: MemberId,
    },
    /// A message of the negotiation, on the current connection, neither seen before nor overtaken.
    Message {
        /// From whom.
        peer: MemberId,
        /// What.
        message: Message,
    },
    /// What the peer's screens show of this member.
    Shown {
        /// From whom.
        peer: MemberId,
        /// What.
        shown: Shown,
    },
    /// The answer to [`super::Links::ping`].
    Pong {
        /// From whom.
        peer: MemberId,
        /// The number given to the ping.
        id: u64,
        /// From sending to hearing the answer.
        rtt: Duration,
        /// The round trip that the peer measured last on the same path, the other way (N9).
        reverse: Option<Duration>,
    },
    /// A path came up or went down (N15).
    PathChanged {
        /// The peer.
        peer: MemberId,
        /// Which path: the place of the listening member's address in its list.
        path: usize,
        /// Whether it is up now.
        up: bool,
        /// The peer's address on it.
        address: SocketAddr,
        /// Why, in a few words.
        why: String,
    },
    /// Something was refused (N13, S8). Told at a bounded rate; [`super::Links::rejected`] has the counts.
    Rejected(Rejection),
}

/// What one member's screens show that another should know of: sent on change and on connecting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Who looks at a screen there; at most [`MAX_ATTACHED`] travel.
    pub attached: Vec<String>,
    /// An open plan, by its number, in a few words.
    pub plan: Option<(u32, String)>,
    /// What runs there; at most [`MAX_PROCESSES`] travel.
    pub processes: Vec<ShownProcess>,
    /// The members whose fence devices do not answer there; at most [`MAX_DEAD_DEVICES`] travel.
    pub dead_devices: Vec<String>,
}

/// A required process as its member tells of it: what the plans of the others must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownProcess {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: RunState,
    /// On which member it runs.
    pub runs_on: RunsOn,
    /// Its pid while it runs.
    pub pid: Option<u32>,
    /// How long it may take to stop.
    pub stop: Duration,
    /// How long its last start took; none: it never ran.
    pub start: Option<Duration>,
}

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It is not to run in this mode.
    Waits,
    /// It was started, and is not ready yet.
    Starting,
    /// It runs.
    Running,
    /// It was told to stop.
    Stopping,
    /// It ended, and is started again.
    Restarting,
    /// An operator stopped it.
    Stopped,
    /// It ended too often.
    GivenUp,
}

/// On which member a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsOn {
    /// On every one.
    Both,
    /// On the Primary.
    Primary,
    /// On a Secondary.
    Secondary,
}

/// The most processes that are told to the peers.
pub const MAX_PROCESSES: usize = 16;
/// At most so many dead fence devices travel.
pub const MAX_DEAD_DEVICES: usize = 16;

/// The most watchers that are told to the peers.
pub const MAX_ATTACHED: usize = 16;

/// The most bytes of a plan's words that travel.
pub const MAX_PLAN: usize = 255;

/// A path's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathState {
    /// Authenticated and in use.
    Up,
    /// Being tried or waited for, and not failed yet.
    Connecting,
    /// Failed or lost; tried again.
    Down,
}

/// Which side of a path's connection this member is (N2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathRole {
    /// It listens.
    Server,
    /// It connects.
    Client,
}

/// One path to a peer, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathReport {
    /// The peer.
    pub peer: MemberId,
    /// Which path: the place of the listening member's address in its list.
    pub path: usize,
    /// The peer's address on it: the configured one, else where it calls from, else this member's own listening one.
    pub address: SocketAddr,
    /// Up, connecting or down.
    pub state: PathState,
    /// This member's side.
    pub role: PathRole,
    /// The latest round trip measured.
    pub rtt: Option<Duration>,
    /// How long ago something was heard on it; none: never.
    pub last_heard: Option<Duration>,
    /// How long it has been in this state.
    pub since: Duration,
    /// How often it came up again after the first time.
    pub reconnects: u64,
    /// Whether what it carries is encrypted.
    pub encrypted: bool,
    /// Why it is not up, in a few words.
    pub why: Option<String>,
}

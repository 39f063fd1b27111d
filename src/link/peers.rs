//! What the link knows of each peer: its sessions, one a path, and what follows when one comes or goes.
//!
//! No I/O and no waiting here: each function changes the state and returns the events that follow, in order. A peer is
//! up while one of its paths is (N15); one incarnation at a time has sessions (N13).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::negotiation::member::MemberId;
use crate::negotiation::message::{Incarnation, PeerHello};

use super::event::{LinkEvent, PathReport, PathRole, PathState};
use super::hello::Hello;
use super::session::Session;
use super::settings::{LinkSettings, MAX_PATHS};

/// The most events that one change brings: every path down, the peer down, then up with a path.
pub(super) const MAX_EVENTS: usize = MAX_PATHS + 3;

/// How the latest attempt to connect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Nobody listens: the address answered so itself.
    Refused,
    /// Nothing answered, which proves nothing.
    Mute,
    /// Any other failure, which proves nothing either.
    Failed,
}

/// "no answer to 133 calls, 1 a second": how often it was called since it is down, and how often that is.
fn unanswered(calls: u32, over: Duration) -> String {
    if calls == 1 {
        return "no answer to 1 call".to_owned();
    }
    let each = over.as_secs_f64() / f64::from(calls);
    let pace = match each > 1.5 {
        true => format!("1 each {each:.0} s"),
        false => format!("{:.0} a second", (1.0 / each.max(0.001)).max(1.0)),
    };
    format!("no answer to {calls} calls, {pace}")
}

struct Path {
    /// The peer's configured address, where it has one for this path.
    configured: Option<SocketAddr>,
    /// This member's own listening address, where the peer has none.
    fallback: SocketAddr,
    session: Option<Arc<Session>>,
    since: Instant,
    last_heard: Option<Instant>,
    rtt: Option<Duration>,
    ups: u64,
    why: Option<String>,
    attempt: Option<Attempt>,
    /// Calls since it is down that nothing answered.
    unanswered: u32,
}

impl Path {
    fn address(&self) -> SocketAddr {
        let remote = self.session.as_ref().map(|session| session.remote);
        self.configured.or(remote).unwrap_or(self.fallback)
    }
}

struct Peer {
    id: MemberId,
    role: PathRole,
    incarnation: Option<Incarnation>,
    ever_up: bool,
    /// Counts what is sent to the peer, over all paths and for as long as this process runs.
    sent: u64,
    /// The highest number heard from this incarnation.
    seen: u64,
    paths: Vec<Path>,
    /// Wakes who dials this peer: it went down, so look at once.
    went_down: Arc<Notify>,
}

impl Peer {
    fn up(&self) -> bool {
        self.paths.iter().any(|path| path.session.is_some())
    }

    fn holds(&self, session: &Session) -> bool {
        self.paths
            .get(session.path)
            .and_then(|path| path.session.as_ref())
            .is_some_and(|held| std::ptr::eq(Arc::as_ptr(held), session))
    }

    fn path_changed(&self, path: usize, up: bool, why: &str) -> LinkEvent {
        let address = self.paths[path].address();
        LinkEvent::PathChanged { peer: self.id, path, up, address, why: why.to_owned() }
    }

    /// Takes the session off its path.
    fn clear(&mut self, path: usize, why: &str, events: &mut Vec<LinkEvent>) {
        let event = self.path_changed(path, false, why);
        let place = &mut self.paths[path];
        place.session = None;
        place.since = Instant::now();
        place.unanswered = 0;
        place.why = Some(why.to_owned());
        events.push(event);
        if !self.up() {
            for path in &mut self.paths {
                path.attempt = None;
            }
            self.went_down.notify_waiters();
            events.push(LinkEvent::Down { peer: self.id, why: why.to_owned() });
        }
    }
}

/// What becomes of a session that has just introduced itself.
pub(super) enum Admission {
    /// It is in use.
    In,
    /// Another incarnation has these sessions: ask them first (N13).
    Ask(Vec<Arc<Session>>),
}

/// Every peer of this member.
pub(super) struct Peers {
    /// By member; `None` for this member itself.
    peers: Vec<Option<Peer>>,
}

impl Peers {
    pub(super) fn new(settings: &LinkSettings) -> Peers {
        let own = &settings.own().addresses;
        let peers = settings.members.iter().zip(0_u8..).map(|(member, number)| {
            let id = MemberId(number);
            if id == settings.me {
                return None;
            }
            // Paths are numbered by the addresses of who listens.
            let role = if id > settings.me { PathRole::Server } else { PathRole::Client };
            let listening = match role {
                PathRole::Server => own,
                PathRole::Client => &member.addresses,
            };
            let path = |(place, fallback): (usize, &SocketAddr)| Path {
                configured: member.addresses.get(place).copied(),
                fallback: *fallback,
                session: None,
                since: Instant::now(),
                last_heard: None,
                rtt: None,
                ups: 0,
                why: None,
                attempt: None,
                unanswered: 0,
            };
            Some(Peer {
                id,
                role,
                incarnation: None,
                ever_up: false,
                sent: 0,
                seen: 0,
                paths: listening.iter().enumerate().map(path).collect(),
                went_down: Arc::new(Notify::new()),
            })
        });
        Peers { peers: peers.collect() }
    }

    fn peer(&self, id: MemberId) -> Option<&Peer> {
        self.peers.get(id.index()).and_then(Option::as_ref)
    }

    fn peer_mut(&mut self, id: MemberId) -> Option<&mut Peer> {
        self.peers.get_mut(id.index()).and_then(Option::as_mut)
    }

    /// Puts a session in use, with `greeting` as its first frame, or says whom to ask first.
    pub(super) fn admit(
        &mut self,
        session: &Arc<Session>,
        hello: &Hello,
        greeting: Option<&[u8]>,
    ) -> (Admission, Vec<LinkEvent>) {
        let mut events = Vec::new();
        let Some(peer) = self.peer_mut(session.peer).filter(|peer| session.path < peer.paths.len()) else {
            session.end("there is no such path".into());
            return (Admission::In, events);
        };
        let others: Vec<Arc<Session>> = peer
            .paths
            .iter()
            .filter_map(|path| path.session.clone())
            .filter(|held| held.incarnation != session.incarnation)
            .collect();
        if !others.is_empty() {
            return (Admission::Ask(others), events);
        }
        if peer.incarnation != Some(session.incarnation) {
            peer.incarnation = Some(session.incarnation);
            peer.seen = 0;
        }
        let was_up = peer.up();
        peer.ever_up = true;
        if let Some(greeting) = greeting {
            session.post(greeting);
        }
        let path = &mut peer.paths[session.path];
        // Its process opened another, so it knows that this one is dead.
        let replaced = path.session.replace(session.clone());
        if let Some(old) = &replaced {
            old.end("replaced by a newer connection".into());
        }
        path.since = Instant::now();
        path.last_heard = Some(path.since);
        path.rtt = None;
        path.ups += 1;
        path.why = None;
        path.attempt = None;
        if !was_up {
            let agreement = hello.agreement.clone();
            let said = PeerHello { incarnation: session.incarnation, agreement };
            events.push(LinkEvent::Up { peer: peer.id, hello: said, version: hello.program.clone() });
        }
        let why = if replaced.is_some() { "reconnected" } else { "connected" };
        events.push(peer.path_changed(session.path, true, why));
        (Admission::In, events)
    }

    /// Takes out the sessions of incarnations other than `session`'s, which did not answer.
    pub(super) fn drop_unanswering(&mut self, session: &Session) -> ((), Vec<LinkEvent>) {
        let mut events = Vec::new();
        if let Some(peer) = self.peer_mut(session.peer) {
            let why = "it was restarted, and its old connection does not answer";
            for place in 0..peer.paths.len() {
                let held = peer.paths[place].session.clone();
                if let Some(old) = held.filter(|held| held.incarnation != session.incarnation) {
                    old.end(why.into());
                    peer.clear(place, why, &mut events);
                }
            }
        }
        ((), events)
    }

    /// A session has ended. Says whether the peer went down with it.
    pub(super) fn closed(&mut self, session: &Session, why: &str) -> (bool, Vec<LinkEvent>) {
        let mut events = Vec::new();
        let Some(peer) = self.peer_mut(session.peer).filter(|peer| peer.holds(session)) else {
            return (false, events);
        };
        peer.clear(session.path, why, &mut events);
        (!peer.up(), events)
    }

    /// An attempt to connect has failed. The verdict comes when every path has one (rule 2, N3).
    pub(super) fn attempted(
        &mut self,
        id: MemberId,
        path: usize,
        attempt: Attempt,
        why: String,
    ) -> ((), Vec<LinkEvent>) {
        let mut events = Vec::new();
        let Some(peer) = self.peer_mut(id) else {
            return ((), events);
        };
        let place = &mut peer.paths[path];
        place.attempt = Some(attempt);
        place.why = Some(match attempt {
            Attempt::Mute => {
                place.unanswered = place.unanswered.saturating_add(1);
                unanswered(place.unanswered, place.since.elapsed())
            }
            Attempt::Refused | Attempt::Failed => why,
        });
        if peer.up() || peer.paths.iter().any(|path| path.attempt.is_none()) {
            return ((), events);
        }
        let refused = peer.paths.iter().all(|path| path.attempt == Some(Attempt::Refused));
        if !peer.ever_up {
            events.push(LinkEvent::ConnectFailed { peer: id });
        } else if refused {
            events.push(LinkEvent::Refused { peer: id });
        } else {
            // Each path keeps its latest result until a newer one, so that one slow network delays no verdict.
            return ((), events);
        }
        for path in &mut peer.paths {
            path.attempt = None;
        }
        ((), events)
    }

    /// Every address of a listening member's peer refused the probes.
    pub(super) fn probed_refused(&mut self, id: MemberId) -> ((), Vec<LinkEvent>) {
        let down = self.peer(id).is_some_and(|peer| !peer.up());
        ((), if down { vec![LinkEvent::Refused { peer: id }] } else { Vec::new() })
    }

    pub(super) fn is_up(&self, id: MemberId) -> bool {
        self.peer(id).is_some_and(Peer::up)
    }

    /// What wakes those who dial `id`.
    pub(super) fn went_down(&self, id: MemberId) -> Option<Arc<Notify>> {
        self.peer(id).map(|peer| peer.went_down.clone())
    }

    /// The sessions with `id`, by path.
    pub(super) fn sessions(&self, id: MemberId) -> impl Iterator<Item = &Arc<Session>> {
        self.peer(id).into_iter().flat_map(|peer| peer.paths.iter().filter_map(|path| path.session.as_ref()))
    }

    /// Every session with anybody.
    pub(super) fn all_sessions(&self) -> Vec<Arc<Session>> {
        let paths = self.peers.iter().flatten().flat_map(|peer| &peer.paths);
        paths.filter_map(|path| path.session.clone()).collect()
    }

    /// The number of the next message to `id`.
    pub(super) fn next_number(&mut self, id: MemberId) -> u64 {
        self.peer_mut(id).map_or(0, |peer| {
            peer.sent += 1;
            peer.sent
        })
    }

    /// Whether message `number` on `session` is new: on the current session, and neither heard nor overtaken.
    pub(super) fn is_new(&mut self, session: &Session, number: u64) -> bool {
        let Some(peer) = self.peer_mut(session.peer).filter(|peer| peer.holds(session)) else {
            return false;
        };
        let new = number > peer.seen;
        peer.seen = peer.seen.max(number);
        new
    }

    pub(super) fn heard(&mut self, session: &Session) {
        if let Some(peer) = self.peer_mut(session.peer).filter(|peer| peer.holds(session)) {
            peer.paths[session.path].last_heard = Some(Instant::now());
        }
    }

    pub(super) fn measured(&mut self, session: &Session, rtt: Duration) {
        if let Some(peer) = self.peer_mut(session.peer).filter(|peer| peer.holds(session)) {
            peer.paths[session.path].rtt = Some(rtt);
        }
    }

    pub(super) fn reports(&self, encrypts: bool) -> Vec<PathReport> {
        let mut reports = Vec::new();
        for peer in self.peers.iter().flatten() {
            for (number, path) in peer.paths.iter().enumerate() {
                let state = match (&path.session, &path.why) {
                    (Some(_), _) => PathState::Up,
                    (None, None) => PathState::Connecting,
                    (None, Some(_)) => PathState::Down,
                };
                reports.push(PathReport {
                    peer: peer.id,
                    path: number,
                    address: path.address(),
                    state,
                    role: peer.role,
                    rtt: path.rtt,
                    last_heard: path.last_heard.map(|at| at.elapsed()),
                    since: path.since.elapsed(),
                    reconnects: path.ups.saturating_sub(1),
                    encrypted: path.session.as_ref().map_or(encrypts, |session| session.encrypted()),
                    why: path.why.clone(),
                });
            }
        }
        reports
    }
}

//! What the link's tasks have in common, and how they change it: one short lock, events in the order of the changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::negotiation::member::MemberId;

use super::codec::{self, Body, Roster};
use super::event::LinkEvent;
use super::gate::Gate;
use super::hello::Hello;
use super::peers::{Admission, MAX_EVENTS, Peers};
use super::rejection::Rejections;
use super::session::Session;
use super::settings::{LinkSecurity, LinkSettings};

/// Events that may wait for the node.
pub(super) const EVENTS: usize = 256;

/// Why a session that introduced itself well is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAdmitted {
    /// The member's earlier session answers: two machines have one name (N13).
    SecondInstance,
    /// This member stops.
    Stopping,
}

/// The link's common state.
pub(super) struct Shared {
    pub(super) settings: LinkSettings,
    pub(super) roster: Roster,
    pub(super) rejections: Rejections,
    pub(super) gate: Gate,
    /// Cancelled when the link stops: no new connection from then on.
    pub(super) stop: CancellationToken,
    /// The keys that connections are made with from now on; those that stand go on with theirs (S8).
    security: Mutex<LinkSecurity>,
    peers: Mutex<Peers>,
    events: mpsc::Sender<LinkEvent>,
    tasks: Mutex<JoinSet<()>>,
}

impl Shared {
    pub(super) fn new(settings: LinkSettings, events: mpsc::Sender<LinkEvent>) -> Shared {
        let roster = Roster::new(settings.members.iter().map(|member| member.name.clone()).collect());
        Shared {
            peers: Mutex::new(Peers::new(&settings)),
            security: Mutex::new(settings.security.clone()),
            roster,
            rejections: Rejections::new(events.clone()),
            gate: Gate::default(),
            stop: CancellationToken::new(),
            events,
            tasks: Mutex::new(JoinSet::new()),
            settings,
        }
    }

    /// The peers. The lock is never held across an await, and a session's own lock is only taken inside it.
    pub(super) fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of `member` as configured.
    pub(super) fn name(&self, member: MemberId) -> &str {
        self.roster.name(member)
    }

    /// The keys as they are now.
    pub(super) fn security(&self) -> LinkSecurity {
        self.security.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other keys from now on. Whether the link is encrypted at all does not change while it runs.
    pub(super) fn set_security(&self, security: LinkSecurity) {
        if matches!(security, LinkSecurity::Noise { .. }) == self.encrypts() {
            *self.security.lock().unwrap_or_else(PoisonError::into_inner) = security;
        }
    }

    /// Whether what this member sends is encrypted.
    pub(super) fn encrypts(&self) -> bool {
        match self.settings.security {
            LinkSecurity::Noise { .. } => true,
            LinkSecurity::None => false,
        }
    }

    /// Runs a task that [`Shared::join`] waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Finished ones are reaped here, so their number stays near that of the living.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Waits for every task; those that are not done after `limit` are ended.
    pub(super) async fn join(&self, limit: Duration) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all).await.is_err() {
            tasks.shutdown().await;
        }
    }

    /// Changes the peers and tells what follows. Room for the events is had first, so that they come in the order of
    /// the changes; when nobody listens any more the change is made all the same.
    pub(super) async fn change<R>(&self, change: impl FnOnce(&mut Peers) -> (R, Vec<LinkEvent>)) -> R {
        let room = tokio::select! {
            room = self.events.reserve_many(MAX_EVENTS) => room.ok(),
            () = self.stop.cancelled() => None,
        };
        let mut peers = self.peers();
        let (result, events) = change(&mut peers);
        debug_assert!(events.len() <= MAX_EVENTS);
        for (permit, event) in room.into_iter().flatten().zip(events) {
            permit.send(event);
        }
        result
    }

    /// Tells one event that changes nothing here.
    pub(super) async fn tell(&self, event: LinkEvent) {
        tokio::select! {
            // Nobody listens any more: nothing is lost.
            told = self.events.send(event) => drop(told),
            () = self.stop.cancelled() => {}
        }
    }

    /// Delivers message `number` of `session`, unless it was heard on another path, or the session is not the current
    /// one any more.
    pub(super) async fn deliver(&self, session: &Session, number: u64, event: LinkEvent) {
        let room = tokio::select! {
            room = self.events.reserve() => room,
            () = self.stop.cancelled() => return,
        };
        if let Ok(permit) = room
            && self.peers().is_new(session, number)
        {
            permit.send(event);
        }
    }

    pub(super) fn heard(&self, session: &Session) {
        self.peers().heard(session);
    }

    pub(super) fn measured(&self, session: &Session, rtt: Duration) {
        self.peers().measured(session, rtt);
    }

    /// Puts a session in use; asks the member's earlier incarnation first, when it has sessions (N13).
    pub(super) async fn admit(
        &self,
        session: &Arc<Session>,
        hello: &Hello,
        greeting: Option<&[u8]>,
    ) -> Result<(), NotAdmitted> {
        loop {
            if self.stop.is_cancelled() {
                return Err(NotAdmitted::Stopping);
            }
            match self.change(|peers| peers.admit(session, hello, greeting)).await {
                Admission::In => {
                    if self.stop.is_cancelled() {
                        // It came too late to be among those that the end is told to.
                        session.finish();
                    }
                    return Ok(());
                }
                Admission::Ask(old) => {
                    if self.any_answers(&old).await {
                        return Err(NotAdmitted::SecondInstance);
                    }
                    self.change(|peers| peers.drop_unanswering(session)).await;
                }
            }
        }
    }

    async fn any_answers(&self, sessions: &[Arc<Session>]) -> bool {
        let (answered, mut answers) = mpsc::channel(sessions.len().max(1));
        for session in sessions {
            session.ask_alive(answered.clone());
        }
        drop(answered);
        // A session that ends meanwhile keeps its question, so only the deadline says that nobody answers.
        let answer = tokio::time::timeout(self.settings.ask_deadline(), answers.recv()).await;
        matches!(answer, Ok(Some(())))
    }

    /// Sends one body to `peer` on every path that is up: the first to arrive counts (N15).
    pub(super) fn send(&self, peer: MemberId, encode: impl FnOnce(u64, &Roster) -> Vec<u8>) {
        let mut peers = self.peers();
        if !peers.is_up(peer) {
            return;
        }
        let number = peers.next_number(peer);
        let bytes = encode(number, &self.roster);
        for session in peers.sessions(peer) {
            session.post(&bytes);
        }
    }

    /// The frame that introduces this member to `wanted`.
    pub(super) fn hello(&self, wanted: &str) -> Vec<u8> {
        let settings = &self.settings;
        let hello = Hello {
            name: settings.own().name.as_str().to_owned(),
            wanted: wanted.to_owned(),
            group: settings.group.clone(),
            version: super::hello::VERSION,
            oldest: super::hello::OLDEST,
            incarnation: settings.incarnation,
            agreement: settings.agreement.clone(),
            program: settings.program_version.clone(),
        };
        codec::encode(0, &Body::Hello(hello), &self.roster)
    }
}

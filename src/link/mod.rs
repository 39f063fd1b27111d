//! The connections between members (C2C): who calls whom, keys, frames, reconnecting, and what is refused.
//!
//! The room carries the negotiation's messages and decides nothing about modes. [`start`] opens the listening sockets
//! and calls the members with lower addresses (N2), one connection a network (N15). From then on [`Links::send`] puts a
//! message on the wire at once, and everything that happens comes out as [`event::LinkEvent`]s in order. Each message
//! goes out on every path that is up; the first copy to arrive counts.
//!
//! PROTOCOL.md documents every byte; the modules, from the outside in:
//!
//! | module | what |
//! |---|---|
//! | `listener`, `gate`, `dialer`, `prober`, `socket` | connections: accepting, bounding, opening, looking |
//! | [`detour`] | opening through a relay: the demo only |
//! | `handshake`, [`hello`], [`noise`] | who is it, and has it the key |
//! | `session`, `peers`, `shared` | living connections, and what is known of each peer |
//! | [`frame`], [`wire`], [`codec`] | bytes |
//! | [`rejection`] | what was refused: counted and told |
//!
//! It runs on a tokio runtime of one thread, like the rest of the controller. Every task is joined by
//! [`Links::shutdown`].

pub mod codec;
pub mod detour;
mod dialer;
pub mod event;
pub mod frame;
mod gate;
mod handshake;
pub mod hello;
mod listener;
pub mod noise;
mod peers;
mod prober;
pub mod rejection;
mod session;
pub mod settings;
mod shared;
mod socket;
#[cfg(test)]
mod tests;
pub mod wire;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::negotiation::member::MemberId;
use crate::negotiation::message::Message;

pub use event::{LinkEvent, MAX_PROCESSES, PathReport, PathRole, PathState, RunState, RunsOn, Shown, ShownProcess};
pub use rejection::{Rejection, RejectionKind};
pub use settings::{LinkError, LinkMember, LinkSecurity, LinkSettings};

use shared::{EVENTS, Shared};

/// How long ending may take in all, the farewell of the sessions included.
const SHUTDOWN: Duration = Duration::from_millis(400);

/// How long an own address is waited for that is in use: after a crash the guardian of the run before holds it until
/// everything is killed (P6), and whoever starts this member again at once may be faster.
const IN_USE: Duration = Duration::from_secs(2);

/// The time between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The running link. Dropping it ends every connection without a farewell; [`Links::shutdown`] is the orderly way.
pub struct Links {
    shared: Arc<Shared>,
    listeners: Vec<Arc<TcpListener>>,
}

/// Listens on all of this member's addresses and starts calling the lower members.
///
/// # Errors
/// [`LinkError`] when the settings make no sense or an own address cannot be listened on.
pub async fn start(settings: LinkSettings) -> Result<(Links, mpsc::Receiver<LinkEvent>), LinkError> {
    settings.check()?;
    let until = tokio::time::Instant::now() + IN_USE;
    let listeners = loop {
        let found = listener::listen_on(&settings.own().addresses);
        let in_use =
            matches!(&found, Err(LinkError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse);
        if !in_use || tokio::time::Instant::now() >= until {
            break found?;
        }
        tokio::time::sleep(TRY_AGAIN).await;
    };
    start_on(settings, listeners).await
}

/// Like [`start`], on sockets that listen already: the i-th serves path i.
///
/// # Errors
/// [`LinkError`] when the settings make no sense, or there is not one socket for each own address.
pub async fn start_on(
    settings: LinkSettings,
    listeners: Vec<std::net::TcpListener>,
) -> Result<(Links, mpsc::Receiver<LinkEvent>), LinkError> {
    settings.check()?;
    let own = settings.own().addresses.clone();
    if listeners.len() != own.len() {
        return Err(LinkError::Settings(format!("{} listening sockets for {} addresses", listeners.len(), own.len())));
    }
    let adopt = |socket: std::net::TcpListener| -> io::Result<Arc<TcpListener>> {
        socket.set_nonblocking(true)?;
        Ok(Arc::new(TcpListener::from_std(socket)?))
    };
    let listeners = listeners
        .into_iter()
        .zip(&own)
        .map(|(socket, address)| adopt(socket).map_err(|source| LinkError::Listen { address: *address, source }))
        .collect::<Result<Vec<_>, _>>()?;
    let (told, events) = mpsc::channel(EVENTS);
    let me = settings.me;
    let lower: Vec<LinkMember> = settings.members[..me.index()].to_vec();
    let shared = Arc::new(Shared::new(settings, told));
    for (path, listener) in listeners.iter().enumerate() {
        shared.spawn(listener::accept(listener.clone(), path, shared.clone()));
    }
    for (member, number) in lower.iter().zip(0_u8..) {
        for (path, address) in member.addresses.iter().enumerate() {
            shared.spawn(dialer::dial(MemberId(number), path, *address, shared.clone()));
        }
    }
    Ok((Links { shared, listeners }, events))
}

impl Links {
    /// Sends `message` to `peer` on every path that is up; without one it is dropped, as rule by rule the negotiation
    /// expects. Never waits.
    pub fn send(&self, peer: MemberId, message: &Message) {
        self.shared.send(peer, |number, roster| codec::encode_message(number, message, roster));
    }

    /// Tells `peer` what this member's screens show of it.
    pub fn send_shown(&self, peer: MemberId, shown: &Shown) {
        self.shared.send(peer, |number, _| codec::encode_shown(number, shown));
    }

    /// Sends a ping on the first path that is up; the answer comes as [`LinkEvent::Pong`] with `id`. False: no path is.
    pub fn ping(&self, peer: MemberId, id: u64) -> bool {
        let peers = self.shared.peers();
        let Some(session) = peers.sessions(peer).next() else {
            return false;
        };
        session.ping_for_operator(id);
        true
    }

    /// Calls with other keys, and accepts others, from now on; connections that stand go on (S8). Plain text stays plain
    /// text and encryption encryption, whatever `security` says.
    pub fn set_keys(&self, security: LinkSecurity) {
        self.shared.set_security(security);
    }

    /// Every path to every peer as it is now (N15).
    pub fn paths(&self) -> Vec<PathReport> {
        self.shared.peers().reports(self.shared.encrypts())
    }

    /// How much was refused since start, by kind.
    pub fn rejected(&self) -> Vec<(RejectionKind, u64)> {
        self.shared.rejections.counts()
    }

    /// Ends the link: what was sent still reaches the wire, if it can within 200 ms; connections are closed, tasks
    /// joined, and last of all the listening sockets closed. Events are not told any more.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        let sessions = self.shared.peers().all_sessions();
        for session in sessions {
            session.finish();
        }
        self.shared.join(SHUTDOWN).await;
    }

    /// Duplicates of the listening sockets, for whoever outlives this process and closes them last (P6).
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn duplicates(&self) -> io::Result<Vec<OwnedFd>> {
        self.listeners.iter().map(|listener| listener.as_fd().try_clone_to_owned()).collect()
    }

    /// The addresses really listened on, in the order of the paths.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn listening(&self) -> io::Result<Vec<std::net::SocketAddr>> {
        self.listeners.iter().map(|listener| listener.local_addr()).collect()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        for session in self.shared.peers().all_sessions() {
            session.end("this member stops".into());
        }
    }
}

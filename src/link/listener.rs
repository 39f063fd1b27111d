//! Waits for callers on one of this member's addresses (N2).
//!
//! A listening socket is opened before anything else and closed after everything else, so that "refused" tells a peer
//! that nothing of this process acts any more (rule 2).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::codec::{self, Body};
use super::handshake::{self, Failure};
use super::hello::RefusalCode;
use super::prober;
use super::rejection::RejectionKind;
use super::settings::LinkError;
use super::shared::{NotAdmitted, Shared};
use super::socket;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 64;

/// Opens a listening socket on each of `addresses`. One whose network is not there yet is opened all the same, as long
/// as another is there: a machine that boots with a dead cable must still serve on the other (N15).
///
/// # Errors
/// [`LinkError::Listen`] with the first address that cannot be had.
pub(super) fn listen_on(addresses: &[SocketAddr]) -> Result<Vec<std::net::TcpListener>, LinkError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    let mut absent = None;
    for address in addresses {
        let listen =
            |presence| listen(*address, presence).map_err(|source| LinkError::Listen { address: *address, source });
        let socket = match listen(Presence::Required) {
            Err(LinkError::Listen { address, source }) if source.kind() == io::ErrorKind::AddrNotAvailable => {
                absent.get_or_insert(LinkError::Listen { address, source });
                (listen(Presence::MayComeLater)?, false)
            }
            other => (other?, true),
        };
        sockets.push(socket);
    }
    match absent {
        Some(error) if sockets.iter().all(|(_, present)| !present) => Err(error),
        Some(_) | None => Ok(sockets.into_iter().map(|(socket, _)| socket).collect()),
    }
}

/// Whether an address must be one of this machine's now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    MayComeLater,
}

fn listen(address: SocketAddr, presence: Presence) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if presence == Presence::MayComeLater {
        match address {
            SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
            SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
        }
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts callers on the socket of path `path` until the link stops.
pub(super) async fn accept(listener: Arc<TcpListener>, path: usize, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, remote)) => shared.spawn(serve(stream, remote, path, shared.clone())),
            // Out of descriptors or memory: wait for some to be freed instead of spinning.
            Err(_) => tokio::select! {
                () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
                () = shared.stop.cancelled() => return,
            },
        }
    }
}

/// One caller, from its first byte to the end of its session.
async fn serve(stream: TcpStream, remote: SocketAddr, path: usize, shared: Arc<Shared>) {
    let pass = shared.gate.enter(remote.ip());
    if socket::tune(&stream, &shared).is_err() {
        return;
    }
    let deadline = shared.settings.handshake_deadline();
    let met = tokio::select! {
        met = tokio::time::timeout(deadline, handshake::answer(stream, remote, &pass, &shared)) => {
            met.unwrap_or_else(|_| {
                let text = format!("a caller did not introduce itself within {} ms", deadline.as_millis());
                Err(Failure::Rejected(RejectionKind::Slow, text))
            })
        }
        () = pass.gone() => {
            let text = "too many connections that do not introduce themselves; the oldest was closed".to_owned();
            Err(Failure::Rejected(RejectionKind::Flood, text))
        }
        () = shared.stop.cancelled() => return,
    };
    drop(pass);
    let met = match met {
        Ok(met) => met,
        Err(Failure::Rejected(kind, detail)) => return shared.rejections.add(kind, Some(remote), detail),
        // A peer that looks whether this member lives, or a cable that broke: nobody was refused.
        Err(Failure::Probe | Failure::Broken(_)) => return,
    };
    let (session, hello, mut incoming) = met.into_session(path);
    let session = Arc::new(session);
    let name = shared.name(session.peer).to_owned();
    match shared.admit(&session, &hello, Some(&shared.hello(&name))).await {
        Ok(()) => {}
        Err(NotAdmitted::Stopping) => return,
        Err(NotAdmitted::SecondInstance) => {
            let text = format!("two machines call themselves {name}");
            let body = Body::Refused { code: RefusalCode::SecondInstance, text: text.clone() };
            session.post(&codec::encode(0, &body, &shared.roster));
            let detail = format!("{text}: the one connected before answers, the new one was refused");
            return shared.rejections.add(RejectionKind::SecondInstance, Some(remote), detail);
        }
    }
    let why = session.run(&mut incoming, &shared).await;
    drop(incoming);
    let went_down = shared.change(|peers| peers.closed(&session, &why)).await;
    if went_down && !shared.stop.is_cancelled() {
        let peer = session.peer;
        // The descriptor is closed before the peer is looked for, and the probe is a task of its own.
        drop(session);
        shared.spawn(prober::probe(peer, shared.clone()));
    }
}

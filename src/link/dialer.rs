//! Calls a lower member on one of its addresses, and again whenever the connection is gone, for ever (N13).
//!
//! After a loss the first six attempts come at once, the next after 1, 2, 4 … ms, because a refusal of every address is the evidence
//! of a crash (N14); then they go on with jitter, often enough that a network that is back is used within a second.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::negotiation::member::MemberId;

use super::handshake::{self, Failure};
use super::peers::Attempt;
use super::rejection::RejectionKind;
use super::session::lost;
use super::shared::{NotAdmitted, Shared};
use super::socket;

/// Sessions that live shorter than this are followed by growing pauses, as failed attempts are: whoever lets in and
/// closes at once is not called in a tight loop.
const SHORT_LIVED: Duration = Duration::from_millis(100);

/// Keeps path `path` to `peer` connected until the link stops.
pub(super) async fn dial(peer: MemberId, path: usize, address: SocketAddr, shared: Arc<Shared>) {
    let Some(went_down) = shared.peers().went_down(peer) else {
        return;
    };
    let mut failures = 0;
    let mut short_lived = 0;
    while !shared.stop.is_cancelled() {
        let began = Instant::now();
        let ended = tokio::select! {
            connected = connect(peer, address, path, &shared) => connected,
            () = shared.stop.cancelled() => return,
        };
        match ended {
            Ok(met) => {
                converse(met, path, &shared).await;
                failures = 0;
                short_lived = if began.elapsed() < SHORT_LIVED { short_lived + 1 } else { 0 };
            }
            Err((attempt, why)) => {
                shared.change(|peers| peers.attempted(peer, path, attempt, why)).await;
                failures += 1;
            }
        }
        let pause = pause(failures.max(short_lived), shared.settings.longest_pause());
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // Another path has gone too: whether everybody refuses is wanted at once.
                () = went_down.notified() => failures = 0,
                () = shared.stop.cancelled() => return,
            }
        }
    }
}

/// Attempts that follow each other without a pause. A dying process closes its sockets one by one, so the first may
/// still find it listening, a few microseconds before it refuses; and a timer's shortest pause is a hundred times that.
pub(super) const AT_ONCE: u32 = 6;

/// The pause after `failures` failed attempts in a row: none at first, then 1, 2, 4 … ms up to `longest`, the longer ones
/// with jitter, so that many callers do not come at once when a network is back.
fn pause(failures: u32, longest: Duration) -> Duration {
    if failures < AT_ONCE {
        return Duration::ZERO;
    }
    let grown = Duration::from_millis(1 << (failures - AT_ONCE).min(16));
    if grown < Duration::from_millis(32) && grown < longest {
        return grown;
    }
    let upper = grown.min(longest);
    // Without randomness there is no jitter, which is all that is lost.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    upper.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

/// One attempt, up to a peer that is known; or how it failed.
async fn connect(
    peer: MemberId,
    address: SocketAddr,
    path: usize,
    shared: &Shared,
) -> Result<handshake::Met, (Attempt, String)> {
    let failed = |why: String| (Attempt::Failed, why);
    let limit = shared.settings.connect_timeout();
    let stream = match tokio::time::timeout(limit, socket::open(address, path, shared)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err((Attempt::Refused, "connection refused".into()));
        }
        Ok(Err(error)) => return Err(failed(lost(&error))),
        Err(_) => return Err((Attempt::Mute, format!("no connection within {} ms", limit.as_millis()))),
    };
    socket::tune(&stream, shared).map_err(|error| failed(lost(&error)))?;
    let limit = shared.settings.handshake_deadline();
    match tokio::time::timeout(limit, handshake::call(stream, address, peer, shared)).await {
        Ok(Ok(met)) => Ok(met),
        Ok(Err(Failure::Rejected(kind, detail))) => {
            shared.rejections.add(kind, Some(address), detail.clone());
            Err(failed(detail))
        }
        Ok(Err(Failure::Probe)) => Err(failed("it accepts and closes at once".into())),
        Ok(Err(Failure::Broken(why))) => Err(failed(why)),
        Err(_) => Err((Attempt::Mute, format!("no answer to the handshake within {} ms", limit.as_millis()))),
    }
}

/// One session, from the introduction to its end.
async fn converse(met: handshake::Met, path: usize, shared: &Shared) {
    let (session, hello, mut incoming) = met.into_session(path);
    let session = Arc::new(session);
    match shared.admit(&session, &hello, None).await {
        Ok(()) => {}
        Err(NotAdmitted::Stopping) => return,
        Err(NotAdmitted::SecondInstance) => {
            let name = shared.name(session.peer);
            let detail = format!(
                "two machines call themselves {name}: one answers on another network, the one on {} was refused",
                session.remote
            );
            return shared.rejections.add(RejectionKind::SecondInstance, Some(session.remote), detail);
        }
    }
    let why = session.run(&mut incoming, shared).await;
    shared.change(|peers| peers.closed(&session, &why)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n13_pauses_grow_from_none_and_stay_below_the_longest() {
        let longest = Duration::from_millis(300);
        let firsts: Vec<u128> = (1..=10).map(|failures| pause(failures, longest).as_millis()).collect();
        assert_eq!(firsts, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16]);
        for failures in 11..100 {
            let pause = pause(failures, longest);
            assert!(pause >= Duration::from_millis(16) && pause <= longest, "{failures}: {pause:?}");
        }
        assert!(pause(12, Duration::from_millis(10)) <= Duration::from_millis(10));
    }
}

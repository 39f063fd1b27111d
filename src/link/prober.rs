//! Looks whether a peer that used to call still listens: connects to its addresses and closes at once.
//!
//! A member that only listens has no other way to tell a crashed process from a broken cable (N14). That every address
//! refuses is evidence; anything else is not, and is looked at again until the silence alone decides.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::negotiation::member::MemberId;

use super::dialer::AT_ONCE;
use super::shared::Shared;
use super::socket::open;

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Looks six times at once and then after 1, 2, 4 … ms, until every address refuses, the peer is back, or twice the reply timeout is
/// over: by then silence has decided.
pub(super) async fn probe(peer: MemberId, shared: Arc<Shared>) {
    let began = Instant::now();
    let mut pause = Duration::from_millis(1);
    let mut looks = 0;
    while began.elapsed() < shared.settings.reply_timeout * 2 && !shared.peers().is_up(peer) {
        let refused = tokio::select! {
            refused = all_refuse(peer, &shared) => refused,
            () = shared.stop.cancelled() => return,
        };
        if refused {
            return shared.change(|peers| peers.probed_refused(peer)).await;
        }
        looks += 1;
        if looks < AT_ONCE {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether each address refuses now; the first that does not ends the look.
async fn all_refuse(peer: MemberId, shared: &Shared) -> bool {
    let Some(member) = shared.settings.members.get(peer.index()) else {
        return false;
    };
    for (path, address) in member.addresses.iter().enumerate() {
        match tokio::time::timeout(shared.settings.connect_timeout(), open(*address, path, shared)).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Ok(Ok(stream)) => {
                // Reset instead of closed: a look leaves no socket waiting behind it. Failing that, one waits.
                drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
                return false;
            }
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    true
}

//! How many unfinished handshakes there may be, and which one goes when there are too many.
//!
//! A place is never refused to a newcomer: the oldest unfinished handshake makes room instead. Who floods the port with
//! connections that say nothing therefore only pushes out its own, while a member, which needs a few milliseconds, gets
//! through. Callers that have shown a key (or a recording of one) have places of their own, out of a stranger's reach.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Unfinished handshakes at once, before a key was shown; and as many again after.
pub const MAX_UNFINISHED: usize = 16;

/// Of those, from one source.
pub const MAX_FROM_ONE: usize = 8;

#[derive(Debug)]
struct Place {
    number: u64,
    from: IpAddr,
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    strangers: VecDeque<Place>,
    keyed: VecDeque<Place>,
}

/// The places for unfinished handshakes.
#[derive(Debug, Default, Clone)]
pub(super) struct Gate {
    places: Arc<Mutex<Places>>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    places: Arc<Mutex<Places>>,
    number: u64,
    from: IpAddr,
    gone: CancellationToken,
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a place, and takes the oldest one of the same source, or of all, when there are too many.
fn enter(pool: &mut VecDeque<Place>, place: Place) {
    let from = place.from;
    pool.push_back(place);
    let of_one = pool.iter().filter(|place| place.from == from).count();
    let oldest = if of_one > MAX_FROM_ONE {
        pool.iter().position(|place| place.from == from)
    } else if pool.len() > MAX_UNFINISHED {
        Some(0)
    } else {
        None
    };
    if let Some(evicted) = oldest.and_then(|place| pool.remove(place)) {
        evicted.gone.cancel();
    }
}

impl Gate {
    /// A place for a new connection from `from`.
    pub(super) fn enter(&self, from: IpAddr) -> Pass {
        let gone = CancellationToken::new();
        let mut places = lock(&self.places);
        let number = places.next;
        places.next += 1;
        enter(&mut places.strangers, Place { number, from, gone: gone.clone() });
        Pass { places: self.places.clone(), number, from, gone }
    }

    #[cfg(test)]
    fn taken(&self) -> (usize, usize) {
        let places = lock(&self.places);
        (places.strangers.len(), places.keyed.len())
    }
}

impl Pass {
    /// Ends when this place was needed for a newer connection.
    pub(super) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// The caller has shown a key: it moves to the places that strangers cannot take.
    pub(super) fn has_key(&self) {
        let mut places = lock(&self.places);
        let before = places.strangers.len();
        places.strangers.retain(|place| place.number != self.number);
        if places.strangers.len() < before {
            let place = Place { number: self.number, from: self.from, gone: self.gone.clone() };
            enter(&mut places.keyed, place);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut places = lock(&self.places);
        places.strangers.retain(|place| place.number != self.number);
        places.keyed.retain(|place| place.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn n13_a_flood_pushes_out_its_own_connections_and_never_one_with_a_key() {
        let gate = Gate::default();
        let member = gate.enter(ip(1));
        member.has_key();
        let quiet = gate.enter(ip(2));
        let flood: Vec<Pass> = (0..100).map(|_| gate.enter(ip(3))).collect();
        assert!(!member.gone.is_cancelled() && !quiet.gone.is_cancelled());
        assert_eq!(flood.iter().filter(|pass| !pass.gone.is_cancelled()).count(), MAX_FROM_ONE);
        assert_eq!(gate.taken(), (1 + MAX_FROM_ONE, 1));
        let many: Vec<Pass> = (10..200).map(|last| gate.enter(ip(last))).collect();
        assert_eq!(gate.taken().0, MAX_UNFINISHED);
        assert!(!member.gone.is_cancelled());
        drop((member, quiet, flood, many));
        assert_eq!(gate.taken(), (0, 0));
    }
}

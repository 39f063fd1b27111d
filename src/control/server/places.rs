//! Who has a place at the control socket, and who makes room when there is none: pure bookkeeping, in which time is
//! whatever the caller says.
//!
//! What only stays connected must keep nobody out: a newcomer gets the place of the one that has been idle for longest. Who
//! may look only can displace connections of their own user only, and has a bounded number of them; root and the engine's
//! own user always find a place.

use std::time::Duration;

/// Clients at the same time.
pub const MAX_CLIENTS: usize = 64;

/// Of these, so many are for all that are neither root nor the engine's own user.
pub const MAX_COMMON_CLIENTS: usize = 48;

/// So many of them for one such user.
pub const MAX_OF_A_USER: usize = 16;

/// What standing a user has at the socket; known without asking the user database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Root, or the engine's own user.
    Privileged,
    /// Anybody else.
    Common,
}

/// What a connection is used for, as far as that decides who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It asks for nothing.
    Idle,
    /// Somebody looks at what comes over it.
    Watches,
    /// It waits for an answer.
    Waits,
}

/// Identifies a place while it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u64);

#[derive(Debug)]
struct Taken {
    place: Place,
    uid: u32,
    standing: Standing,
}

/// How a connection stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What it is used for.
    pub used: Use,
    /// When it last asked for something.
    pub asked: Duration,
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It has this place.
    Free(Place),
    /// It has this place, and the other connection goes for it.
    InsteadOf(Place, Place),
    /// There is none, and why, as a sentence.
    Refused(String),
}

/// All places.
#[derive(Debug, Default)]
pub struct Places {
    taken: Vec<Taken>,
    next: u64,
}

impl Places {
    /// A newcomer of this user. `now` tells of a connection that has a place.
    pub fn admit(&mut self, uid: u32, standing: Standing, now: impl Fn(Place) -> Now) -> Admission {
        let common = || self.taken.iter().filter(|taken| taken.standing == Standing::Common);
        let own = common().filter(|taken| taken.uid == uid).count();
        let (full, most) = match standing {
            Standing::Privileged => (self.taken.len() >= MAX_CLIENTS, MAX_CLIENTS),
            Standing::Common if own >= MAX_OF_A_USER => (true, MAX_OF_A_USER),
            Standing::Common => {
                (self.taken.len() >= MAX_CLIENTS || common().count() >= MAX_COMMON_CLIENTS, MAX_COMMON_CLIENTS)
            }
        };
        if !full {
            return Admission::Free(self.take(uid, standing));
        }
        let goes = match standing {
            // What anybody else does comes after what a person may need to do now.
            Standing::Privileged => self.idlest(now, |_, _| true),
            Standing::Common => self.idlest(now, |taken, now| taken.uid == uid && now.used == Use::Idle),
        };
        match goes {
            Some(goes) => {
                self.leave(goes);
                Admission::InsteadOf(self.take(uid, standing), goes)
            }
            None => Admission::Refused(format!("{most} clients are connected already: close some of them.")),
        }
    }

    /// The connection at `place` is over, or has been told to go.
    pub fn leave(&mut self, place: Place) {
        self.taken.retain(|taken| taken.place != place);
    }

    /// Of those that may go, the one that is used for least, and has not asked for longest.
    fn idlest(&self, now: impl Fn(Place) -> Now, may_go: impl Fn(&Taken, Now) -> bool) -> Option<Place> {
        let all = self.taken.iter().map(|taken| (taken, now(taken.place)));
        let idlest = all.filter(|(taken, now)| may_go(taken, *now)).min_by_key(|(taken, now)| {
            let common_first = taken.standing == Standing::Privileged;
            (now.used, common_first, now.asked)
        });
        idlest.map(|(taken, _)| taken.place)
    }

    fn take(&mut self, uid: u32, standing: Standing) -> Place {
        let place = Place(self.next);
        self.next += 1;
        self.taken.push(Taken { place, uid, standing });
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(place: Place) -> Now {
        // Who came later asked later.
        Now { used: Use::Idle, asked: Duration::from_secs(place.0) }
    }

    fn watching(place: Place) -> Now {
        Now { used: Use::Watches, ..idle(place) }
    }

    fn filled(uid: u32, standing: Standing, count: usize) -> Places {
        let mut places = Places::default();
        for _ in 0..count {
            assert!(matches!(places.admit(uid, standing, idle), Admission::Free(_)));
        }
        places
    }

    #[test]
    fn u2_idle_connections_keep_nobody_out() {
        let mut places = filled(0, Standing::Privileged, MAX_CLIENTS);
        assert_eq!(places.admit(0, Standing::Privileged, idle), Admission::InsteadOf(Place(64), Place(0)));
        assert_eq!(places.admit(0, Standing::Privileged, idle), Admission::InsteadOf(Place(65), Place(1)));
        assert_eq!(places.taken.len(), MAX_CLIENTS);
    }

    #[test]
    fn u2_one_user_has_a_bounded_share_and_displaces_only_connections_of_its_own() {
        let mut places = filled(1000, Standing::Common, MAX_OF_A_USER);
        assert!(matches!(places.admit(1001, Standing::Common, idle), Admission::Free(_)));
        assert_eq!(places.admit(1000, Standing::Common, idle), Admission::InsteadOf(Place(17), Place(0)));
        let refused = places.admit(1000, Standing::Common, watching);
        assert!(matches!(&refused, Admission::Refused(why) if why.contains("16 clients")), "{refused:?}");
        assert!(matches!(places.admit(0, Standing::Privileged, watching), Admission::Free(_)));
    }

    #[test]
    fn u2_many_users_leave_room_for_root() {
        let mut places = Places::default();
        let admitted = (0..MAX_CLIENTS).filter(|user| {
            let user = 1000 + u32::try_from(*user).expect("few");
            matches!(places.admit(user, Standing::Common, watching), Admission::Free(_))
        });
        assert_eq!(admitted.count(), MAX_COMMON_CLIENTS);
        assert!(matches!(places.admit(0, Standing::Privileged, watching), Admission::Free(_)));
    }

    #[test]
    fn u2_for_root_a_screen_goes_before_who_waits_for_an_outcome() {
        let mut places = filled(0, Standing::Privileged, MAX_CLIENTS);
        let now = |place: Place| match place.0 {
            7 => watching(place),
            _ => Now { used: Use::Waits, ..idle(place) },
        };
        assert_eq!(places.admit(0, Standing::Privileged, now), Admission::InsteadOf(Place(64), Place(7)));
    }

    #[test]
    fn who_leaves_makes_room() {
        let mut places = filled(1000, Standing::Common, MAX_OF_A_USER);
        places.leave(Place(3));
        assert!(matches!(places.admit(1000, Standing::Common, watching), Admission::Free(_)));
    }
}

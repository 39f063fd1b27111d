//! Notices a disk that neither writes nor fails (N20): a thread that waits for it cannot say so itself.
//!
//! A write that takes too long is told as one that failed, which it may still be: then a successor is not kept waiting for a
//! vote, and whoever would take over says why it cannot. When it comes through, all is as after any other failure.

use std::time::Duration;

use crate::negotiation::exchange::StateVersion;
use crate::negotiation::time::Instant;

/// So long a write may take, at first.
const PATIENCE: Duration = Duration::from_secs(2);
/// And at most: a disk that is always that slow must not keep a member from ever taking over.
const MOST: Duration = Duration::from_secs(60);

/// What the loop waits for.
#[derive(Debug)]
pub struct Stall {
    /// The latest version that was asked for and is not answered, and since when the disk is silent.
    waits: Option<(StateVersion, Instant)>,
    patience: Duration,
    told: bool,
}

impl Default for Stall {
    fn default() -> Stall {
        Stall { waits: None, patience: PATIENCE, told: false }
    }
}

impl Stall {
    /// This version is to be written.
    pub fn asked(&mut self, version: StateVersion, now: Instant) {
        let since = self.waits.map_or(now, |(_, since)| since);
        self.waits = Some((version, since));
    }

    /// The disk has answered about this version and all before it.
    pub fn answered(&mut self, version: StateVersion, now: Instant) {
        let Some((latest, since)) = self.waits else { return };
        self.patience = match std::mem::take(&mut self.told) {
            // It was slow and no failure: longer from now on, or a takeover would be given up each time.
            true => (self.patience * 2).min(MOST),
            false if now.since(since) < PATIENCE / 2 => PATIENCE,
            false => self.patience,
        };
        self.waits = (latest > version).then_some((latest, now));
    }

    /// When to look again.
    pub fn deadline(&self) -> Option<Instant> {
        self.waits.filter(|_| !self.told).map(|(_, since)| since + self.patience)
    }

    /// The version that the disk is silent about for too long; once for each silence.
    pub fn look(&mut self, now: Instant) -> Option<(StateVersion, Duration)> {
        let (version, since) = self.waits.filter(|_| self.deadline().is_some_and(|deadline| deadline <= now))?;
        self.told = true;
        Some((version, now.since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    #[test]
    fn n20_a_disk_that_is_silent_is_told_once_and_given_longer_the_next_time() {
        let mut stall = Stall::default();
        assert_eq!((stall.deadline(), stall.look(at(9_000))), (None, None));
        stall.asked(StateVersion(1), at(0));
        stall.asked(StateVersion(2), at(1_500));
        assert_eq!((stall.deadline(), stall.look(at(1_999))), (Some(at(2_000)), None));
        assert_eq!(stall.look(at(2_000)), Some((StateVersion(2), Duration::from_secs(2))));
        assert_eq!((stall.deadline(), stall.look(at(5_000))), (None, None));
        // The first of the two came through: the second has its own time, and more of it.
        stall.answered(StateVersion(1), at(6_000));
        assert_eq!(stall.deadline(), Some(at(10_000)));
        stall.answered(StateVersion(2), at(9_000));
        assert_eq!(stall.deadline(), None);
        stall.asked(StateVersion(3), at(10_000));
        assert_eq!(stall.deadline(), Some(at(14_000)), "still not fast");
        stall.answered(StateVersion(3), at(10_010));
        stall.asked(StateVersion(4), at(11_000));
        assert_eq!(stall.deadline(), Some(at(13_000)), "fast again");
    }

    #[test]
    fn s10_a_disk_that_is_always_slow_is_waited_for_in_the_end() {
        let mut stall = Stall::default();
        let mut told = 0;
        for version in 0..10 {
            stall.asked(StateVersion(version), at(version * 100_000));
            told += u32::from(stall.look(at(version * 100_000 + 30_000)).is_some());
            stall.answered(StateVersion(version), at(version * 100_000 + 30_000));
        }
        assert_eq!(told, 4, "2, 4, 8 and 16 seconds were too short, 32 are not");
    }
}

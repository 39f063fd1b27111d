//! A member's disk: slow, failing, and honest about what survives a crash.

use std::time::Duration;

use super::rng::Rng;
use crate::negotiation::exchange::{Durable, StateVersion};

/// One disk and the writer before it: one write under way, and of those that wait only the latest.
#[derive(Debug)]
pub(super) struct Disk {
    /// What survives.
    pub kept: Option<Durable>,
    /// A write takes from the first to the second.
    pub latency: (Duration, Duration),
    /// Writes fail.
    pub broken: bool,
    /// The member knows of a failure that has not been made good since.
    pub behind: bool,
    asked: StateVersion,
    under_way: Option<(StateVersion, Durable)>,
    waiting: Option<(StateVersion, Durable)>,
}

/// What a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Written(StateVersion),
    Failed(StateVersion),
}

impl Disk {
    pub const QUICK: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(5));

    pub fn new() -> Disk {
        Disk {
            kept: None,
            latency: Disk::QUICK,
            broken: false,
            behind: false,
            asked: StateVersion(0),
            under_way: None,
            waiting: None,
        }
    }

    /// Takes a wish to write, and says whether the writer was idle and begins.
    pub fn ask(&mut self, version: StateVersion, state: Durable) -> bool {
        self.asked = version;
        if self.under_way.is_some() {
            self.waiting = Some((version, state));
            return false;
        }
        self.under_way = Some((version, state));
        true
    }

    /// The write under way ends; the flag says whether another begins.
    pub fn done(&mut self) -> Option<(Outcome, bool)> {
        let (version, state) = self.under_way.take()?;
        if self.broken {
            self.under_way = self.waiting.take().or(Some((version, state)));
            return Some((Outcome::Failed(version), true));
        }
        self.kept = Some(state);
        self.under_way = self.waiting.take();
        Some((Outcome::Written(version), self.under_way.is_some()))
    }

    /// The member takes note of an outcome.
    pub fn tell(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Written(version) => self.behind &= version < self.asked,
            Outcome::Failed(_) => self.behind = true,
        }
    }

    /// Power is gone: a write under way may have arrived or not; one that waits is lost.
    pub fn crash(&mut self, rng: &mut Rng) {
        let under_way = self.under_way.take();
        self.waiting = None;
        self.behind = false;
        if let Some((_, state)) = under_way
            && !self.broken
            && rng.chance(50)
        {
            self.kept = Some(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_writes_that_wait_only_the_latest_is_done() {
        let mut disk = Disk::new();
        let state = Durable::EMPTY;
        assert!(disk.ask(StateVersion(1), state.clone()));
        assert!(!disk.ask(StateVersion(2), state.clone()));
        assert!(!disk.ask(StateVersion(3), state));
        assert_eq!(disk.done(), Some((Outcome::Written(StateVersion(1)), true)));
        assert_eq!(disk.done(), Some((Outcome::Written(StateVersion(3)), false)));
        assert_eq!(disk.done(), None);
    }
}

//! When a process that died is started again, and when it is given up (P1). Pure: time is a number that comes in.
//!
//! The first restart waits `delay`; each further one waits twice as long, up to `max_delay`. Once a process has lived for
//! `within` since its last death, the next death counts as the first again. More than `burst` deaths within `within`, and
//! the process is given up until an operator starts it.

use std::collections::VecDeque;

use crate::config::required::Restart;

use super::time::BootTime;

/// What follows a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Started again at this time.
    Again {
        /// When.
        at: BootTime,
    },
    /// Not started again by itself.
    GivenUp {
        /// So many deaths within `restart.within`, this one included.
        deaths: u32,
    },
}

/// The deaths of one process, as far as they matter.
#[derive(Debug, Clone)]
pub struct Policy {
    restart: Restart,
    /// Deaths within `within`, oldest first; at most `burst` and one.
    deaths: VecDeque<BootTime>,
    /// Deaths in a row without `within` of life between them.
    row: u32,
}

impl Policy {
    /// A process that has not died yet.
    pub fn new(restart: Restart) -> Policy {
        Policy { restart, deaths: VecDeque::new(), row: 0 }
    }

    /// It died at `now`.
    pub fn died(&mut self, now: BootTime) -> Verdict {
        let within = self.restart.within;
        if self.deaths.back().is_none_or(|last| now.since(*last) >= within) {
            self.row = 0;
        }
        self.deaths.retain(|death| now.since(*death) < within);
        self.deaths.push_back(now);
        let deaths = u32::try_from(self.deaths.len()).unwrap_or(u32::MAX);
        if deaths > self.restart.burst {
            self.forget();
            return Verdict::GivenUp { deaths };
        }
        let doubled = self.restart.delay.saturating_mul(1_u32.checked_shl(self.row).unwrap_or(u32::MAX));
        self.row = self.row.saturating_add(1);
        Verdict::Again { at: now + doubled.min(self.restart.max_delay) }
    }

    /// An operator starts it: everything before is forgotten.
    pub fn forget(&mut self) {
        self.deaths.clear();
        self.row = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: u64) -> BootTime {
        BootTime(Duration::from_millis(milliseconds))
    }

    fn again(verdict: Verdict, died: BootTime) -> Option<Duration> {
        match verdict {
            Verdict::Again { at } => Some(at.since(died)),
            Verdict::GivenUp { .. } => None,
        }
    }

    #[test]
    fn p1_the_wait_doubles_with_each_death_and_the_burst_gives_up() {
        let mut policy = Policy::new(Restart::default());
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let verdict = policy.died(now);
            match again(verdict, now) {
                Some(wait) => {
                    waits.push(wait.as_millis());
                    now = now + wait;
                }
                None => assert_eq!(verdict, Verdict::GivenUp { deaths: 6 }),
            }
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000]);
    }

    #[test]
    fn p1_a_quiet_while_makes_the_next_death_the_first_again() {
        let mut policy = Policy::new(Restart::default());
        policy.died(at(0));
        policy.died(at(1_000));
        assert_eq!(again(policy.died(at(61_000)), at(61_000)), Some(Duration::from_millis(500)));
        assert_eq!(again(policy.died(at(120_999)), at(120_999)), Some(Duration::from_millis(1000)));
    }

    #[test]
    fn p1_a_burst_of_none_gives_up_at_the_first_death() {
        let mut policy = Policy::new(Restart { burst: 0, ..Restart::default() });
        assert_eq!(policy.died(at(5)), Verdict::GivenUp { deaths: 1 });
    }

    proptest! {
        /// Whatever the deaths: no wait is longer than `max_delay` or shorter than the lesser of `delay` and it, and in
        /// no `within` are there more restarts than `burst`.
        #[test]
        fn p1_restarts_are_bounded(
            gaps in prop::collection::vec(0_u64..90_000, 1..60),
            delay in 1_u64..2_000, most in 1_u64..60_000, burst in 0_u32..8, within in 1_u64..120_000,
        ) {
            let restart = Restart {
                delay: Duration::from_millis(delay),
                max_delay: Duration::from_millis(most),
                burst,
                within: Duration::from_millis(within),
            };
            let mut policy = Policy::new(restart);
            let mut now = at(0);
            let mut restarts: Vec<BootTime> = Vec::new();
            for gap in gaps {
                now = now + Duration::from_millis(gap);
                let Some(wait) = again(policy.died(now), now) else {
                    prop_assert!(burst == 0 || !restarts.is_empty());
                    restarts.clear();
                    continue;
                };
                prop_assert!(wait <= restart.max_delay);
                prop_assert!(wait >= restart.delay.min(restart.max_delay));
                restarts.push(now);
                let lately = restarts.iter().filter(|time| now.since(**time) < restart.within).count();
                prop_assert!(lately <= burst as usize);
                now = now + wait;
            }
        }
    }
}

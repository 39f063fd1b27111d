//! How late the loop woke: the figure by which a controller knows that it was itself stalled (S9), kept for people.

use std::time::Duration;

use crate::control::status::LoopGaps;
use crate::negotiation::time::Instant;

/// Lateness from here on is told to the negotiation. Below it is the timer's own grain of a millisecond.
const LATE_FROM: Duration = Duration::from_millis(2);

/// The window of "recent": figures stand for one to two of these.
const WINDOW: Duration = Duration::from_secs(60);

/// How late a turn woke at `woke` that was planned for `planned`; none: in time, or nothing was planned.
pub fn late(planned: Option<Instant>, woke: Instant) -> Option<Duration> {
    planned.map(|planned| woke.since(planned)).filter(|late| *late >= LATE_FROM)
}

/// How late the turn is that woke at `woke`, once the sockets are read and it acts, at `acts`: a controller that stands still
/// just there has slept too, though it woke in time, and must not act on what it knew before.
pub fn late_at_last(planned: Option<Instant>, woke: Instant, acts: Instant) -> Option<Duration> {
    let stood_still = acts.since(woke) >= LATE_FROM;
    if stood_still || late(planned, woke).is_some() { late(planned, acts) } else { None }
}

/// The worst wake-ups since start and of late.
#[derive(Debug, Default)]
pub struct Gaps {
    worst: Duration,
    over_20ms: u64,
    over_25ms: u64,
    window_start: Instant,
    in_window: Duration,
    before_window: Duration,
}

impl Gaps {
    /// Notes a wake-up at `now` that came `late`.
    pub fn note(&mut self, now: Instant, late: Duration) {
        self.turn_window(now);
        self.worst = self.worst.max(late);
        self.in_window = self.in_window.max(late);
        self.over_20ms += u64::from(late >= Duration::from_millis(20));
        self.over_25ms += u64::from(late >= Duration::from_millis(25));
    }

    /// The figures for the status.
    pub fn report(&mut self, now: Instant) -> LoopGaps {
        self.turn_window(now);
        LoopGaps {
            worst_us: micros(self.worst),
            recent_worst_us: micros(self.in_window.max(self.before_window)),
            over_20ms: self.over_20ms,
            over_25ms: self.over_25ms,
        }
    }

    fn turn_window(&mut self, now: Instant) {
        let age = now.since(self.window_start);
        if age < WINDOW {
            return;
        }
        self.before_window = if age < WINDOW * 2 { self.in_window } else { Duration::ZERO };
        self.in_window = Duration::ZERO;
        self.window_start = now;
    }
}

/// Microseconds, saturating.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds, saturating.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn s9_who_stands_still_while_the_sockets_are_read_is_late_though_it_woke_in_time() {
        let ms = |ms: u64| Instant(ms * 1_000_000);
        let planned = Some(ms(100));
        assert_eq!(late_at_last(planned, ms(101), ms(102)), None, "the timer's grain, and a turn of the other tasks");
        assert_eq!(late_at_last(planned, ms(101), ms(900)), Some(Duration::from_millis(800)));
        assert_eq!(late_at_last(planned, ms(900), ms(901)), Some(Duration::from_millis(801)), "all of it is counted");
        assert_eq!(late_at_last(planned, ms(20), ms(900)), Some(Duration::from_millis(800)), "woken by a message");
        assert_eq!(late_at_last(planned, ms(20), ms(60)), None, "nothing was due");
        assert_eq!(late_at_last(None, ms(20), ms(900)), None);
    }

    #[test]
    fn s9_gaps_are_counted_from_their_bounds_on() {
        let mut gaps = Gaps::default();
        for late in [19, 20, 25, 90] {
            gaps.note(at(1), Duration::from_millis(late));
        }
        let report = gaps.report(at(1));
        assert_eq!((report.over_20ms, report.over_25ms, report.worst_us), (3, 2, 90_000));
    }

    #[test]
    fn the_recent_worst_is_forgotten_after_two_minutes() {
        let mut gaps = Gaps::default();
        gaps.note(at(10), Duration::from_millis(50));
        assert_eq!(gaps.report(at(70)).recent_worst_us, 50_000);
        assert_eq!(gaps.report(at(200)).recent_worst_us, 0);
        assert_eq!(gaps.report(at(200)).worst_us, 50_000);
    }
}

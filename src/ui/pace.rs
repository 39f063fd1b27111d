//! When the next frame may be drawn, and how much of it: at once when it is calm, at most so many a second, and on a slow
//! line in pieces that it can carry (U8). Pure: the driver gives it the time.
//!
//! A pseudo-terminal does not say how much of what it took has reached anybody (Linux answers 0 to TIOCOUTQ, and takes
//! 64 kB). So what a slow line can carry has to be told: by the terminal's own speed (`stty 9600`, or what SSH passes on
//! from a serial console), or by a lower `screen.max_draws_per_second`.

use std::time::Duration;

/// From this speed on, the figure that terminals give means nothing: it is what pseudo-terminals say.
const PSEUDO_BAUD: u32 = 38_400;
/// Draws a second on a slow line: half of a second's bytes each is as much as a key may have to wait for.
const SLOW_DRAWS: u32 = 2;
/// Bytes of a draw where only the number of draws says that the line is slow.
const SLOW_PIECE: usize = 500;
/// Nothing useful fits into fewer bytes.
const LEAST_PIECE: usize = 100;
/// Who asks for fewer draws than this a second has a slow line.
const USUAL_DRAWS: u32 = 10;

/// Why a frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Somebody pressed a key, and waits.
    Key,
    /// The clock, or news: they leave a draw to spare for a key.
    News,
}

/// The pace of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two draws in the long run.
    interval: Duration,
    /// How far a burst may run ahead of that.
    ahead: Duration,
    /// When the next draw would be due if there were no bursts.
    due: Duration,
    piece: Option<usize>,
}

impl Pace {
    /// At most `draws` a second (0 counts as 1) on a terminal of that speed, in baud; 0: it does not say.
    pub fn new(draws: u32, baud: u32) -> Pace {
        let slow = (1..PSEUDO_BAUD).contains(&baud);
        let draws = if slow { draws.min(SLOW_DRAWS) } else { draws }.max(1);
        // A burst and what follows it within a second are together no more than `draws`.
        let burst = 1 + draws / 5;
        let steady = draws + 1 - burst;
        let interval = Duration::from_secs(1) / steady;
        // Ten bits a byte, as on a serial line.
        let bytes = usize::try_from(baud / 10 / steady).unwrap_or(usize::MAX);
        let piece = match slow {
            true => Some(bytes.max(LEAST_PIECE)),
            false => (draws < USUAL_DRAWS).then_some(SLOW_PIECE),
        };
        Pace { interval, ahead: interval * (burst - 1), due: Duration::ZERO, piece }
    }

    /// When the next draw may be; it may be in the past.
    pub fn ready_at(&self, wish: Wish) -> Duration {
        let ahead = match wish {
            Wish::Key => self.ahead,
            Wish::News => self.ahead.saturating_sub(self.interval),
        };
        self.due.saturating_sub(ahead)
    }

    /// A draw has been made.
    pub fn drawn(&mut self, now: Duration) {
        self.due = self.due.max(now) + self.interval;
    }

    /// How many bytes a draw should not much exceed; what is left over comes with the next.
    pub fn piece(&self) -> usize {
        self.piece.unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When draws happen if one is wanted all the time.
    fn busy(draws: u32) -> Vec<Duration> {
        let mut pace = Pace::new(draws, 0);
        let mut now = Duration::from_secs(5);
        let mut drawn = Vec::new();
        while now < Duration::from_secs(9) {
            now = now.max(pace.ready_at(Wish::Key));
            pace.drawn(now);
            drawn.push(now);
        }
        drawn
    }

    #[test]
    fn u8_no_second_has_more_draws_than_asked_for_and_none_is_empty() {
        for draws in [1, 2, 3, 5, 10, 30] {
            let drawn = busy(draws);
            for (at, from) in drawn.iter().enumerate() {
                let within = drawn[at..].iter().take_while(|one| **one < *from + Duration::from_millis(999)).count();
                assert!(within <= draws as usize, "{within} of {draws}");
                assert!(drawn.get(at + 1).is_none_or(|next| *next - *from <= Duration::from_secs(1)));
            }
        }
    }

    #[test]
    fn u8_when_calm_several_draws_follow_at_once() {
        let mut pace = Pace::new(10, 38_400);
        for millis in [5000, 5001, 5002] {
            let now = Duration::from_millis(millis);
            assert!(pace.ready_at(Wish::Key) <= now, "{millis}");
            pace.drawn(now);
        }
        assert!(pace.ready_at(Wish::Key) > Duration::from_millis(5100));
        assert!(pace.ready_at(Wish::News) > pace.ready_at(Wish::Key), "news leave a draw for a key");
        assert_eq!(pace.piece(), usize::MAX);
    }

    #[test]
    fn u8_a_slow_line_gets_no_more_than_it_carries() {
        for (draws, baud, most) in [(10, 9600, 960), (10, 1200, 200), (2, 38_400, 1000), (1, 9600, 960)] {
            let pace = Pace::new(draws, baud);
            let a_second = pace.piece() as f64 / pace.interval.as_secs_f64();
            assert!(a_second <= f64::from(most) + 1.0, "{draws} draws at {baud} baud: {a_second} B/s");
        }
    }
}

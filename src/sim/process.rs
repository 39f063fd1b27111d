//! One member as the operating system sees it: off, running or frozen, with its own clock and disk.

use super::disk::Disk;
use super::rng::Rng;
use crate::negotiation::Negotiator;
use crate::negotiation::exchange::Input;
use crate::negotiation::message::Mode;
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;

/// Whether a member's process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// No process; its host refuses connections, or is off too and says nothing.
    Off { refuses: bool },
    /// It takes what comes.
    Running,
    /// It takes nothing since then; its kernel goes on.
    Frozen { since: u64 },
}

/// A member's boot-time clock: an origin of its own, and a little too fast or too slow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    offset: u64,
    /// Parts in a million.
    drift: i64,
}

impl Clock {
    /// The largest drift, far below the tenth of a lease that is kept as a margin.
    const MAX_DRIFT: u64 = 5_000;

    pub fn new(rng: &mut Rng) -> Clock {
        // Both below a million million: far from every limit of the types.
        let drift = rng.below(2 * Clock::MAX_DRIFT + 1) as i64 - Clock::MAX_DRIFT as i64;
        Clock { offset: 1_000_000_000 + rng.below(1_000_000_000_000), drift }
    }

    /// What this clock shows at the virtual time `at`.
    pub fn shows(&self, at: u64) -> Instant {
        let millionths = 1_000_000_i64 + self.drift;
        Instant(self.offset + scale(at, millionths.unsigned_abs(), 1_000_000))
    }

    /// The first virtual time at which this clock shows `instant` or more.
    pub fn reaches(&self, instant: Instant) -> u64 {
        let millionths = 1_000_000_i64 + self.drift;
        let local = instant.0.saturating_sub(self.offset);
        scale(local, 1_000_000, millionths.unsigned_abs()).saturating_add(2)
    }
}

fn scale(value: u64, by: u64, over: u64) -> u64 {
    let whole = value / over * by;
    whole + value % over * by / over
}

/// One member.
#[derive(Debug)]
pub(super) struct Process {
    pub run: Run,
    /// Counts starts, so that what was meant for a former life is dropped.
    pub life: u32,
    pub negotiator: Option<Negotiator>,
    pub clock: Clock,
    pub disk: Disk,
    /// What came while frozen.
    pub inbox: Vec<Input>,
    /// The earliest tick in the queue; the end of time: none.
    pub tick_at: u64,
    /// Told to stop, and not gone yet.
    pub stopping: bool,
    pub sick: bool,
    /// As of the last look.
    pub mode: Mode,
    pub forced: bool,
    /// The highest term it was ever Primary in, over all its lives.
    pub own: Term,
    /// The highest term it said it had seen, in this life.
    pub seen: Term,
    /// Ticks handled in the virtual millisecond that follows `counted_from`.
    pub ticks: u32,
    pub counted_from: u64,
}

impl Process {
    pub fn new(rng: &mut Rng) -> Process {
        Process {
            run: Run::Off { refuses: true },
            life: 0,
            negotiator: None,
            clock: Clock::new(rng),
            disk: Disk::new(),
            inbox: Vec::new(),
            tick_at: u64::MAX,
            stopping: false,
            sick: false,
            mode: Mode::Secondary,
            forced: false,
            own: Term::NONE,
            seen: Term::NONE,
            ticks: 0,
            counted_from: 0,
        }
    }

    /// Running, and Primary by the rules rather than by an operator's force.
    pub fn acts_by_rule(&self) -> bool {
        self.run == Run::Running && self.mode == Mode::Primary && !self.forced
    }

    pub fn is_primary(&self) -> bool {
        self.run == Run::Running && self.mode == Mode::Primary
    }

    pub fn alive(&self) -> bool {
        !matches!(self.run, Run::Off { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_reaches_what_it_shows() {
        let mut rng = Rng::new(3);
        for _ in 0..200 {
            let clock = Clock::new(&mut rng);
            let at = rng.below(10_000_000_000_000);
            let shown = clock.shows(at);
            let back = clock.reaches(shown);
            assert!(back >= at && back - at < 10, "{back} {at}");
            assert!(clock.shows(back) >= shown);
        }
    }
}

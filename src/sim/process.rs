//! One member as the operating system sees it: off, running or frozen, with its own clock and disk.

use std::time::Duration;

use super::disk::Disk;
use super::rng::Rng;
use crate::negotiation::Negotiator;
use crate::negotiation::ability::Score;
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

/// How a member fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// In every mode.
    Sick,
    /// What runs only on the Primary is sick, so it shows only there.
    SickProcesses,
    /// As its sampler measured.
    Scored(Score),
}

/// A member's boot-time clock: an origin of its own, and a little too fast or too slow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// What it showed at the virtual time `set_at`, when its rate was set last.
    offset: u64,
    set_at: u64,
    /// Parts in a million.
    drift: i64,
}

impl Clock {
    /// The largest drift, far below the tenth of a lease that is kept as a margin.
    const MAX_DRIFT: u64 = 5_000;

    /// Two that differ by twice this are still within the margin.
    const MOST_DRIFT: i64 = 45_000;

    pub fn new(rng: &mut Rng) -> Clock {
        // Both below a million million: far from every limit of the types.
        let drift = rng.below(2 * Clock::MAX_DRIFT + 1) as i64 - Clock::MAX_DRIFT as i64;
        Clock { offset: 1_000_000_000 + rng.below(1_000_000_000_000), set_at: 0, drift }
    }

    /// From the virtual time `now` on it runs so many millionths too fast; it never jumps.
    pub fn set_rate(&mut self, now: u64, millionths: i64) {
        self.offset = self.shows(now).0;
        self.set_at = now;
        self.drift = millionths.clamp(-Clock::MOST_DRIFT, Clock::MOST_DRIFT);
    }

    /// What this clock shows at the virtual time `at`, which is not before its rate was set.
    pub fn shows(&self, at: u64) -> Instant {
        let millionths = 1_000_000_i64 + self.drift;
        Instant(self.offset + scale(at - self.set_at, millionths.unsigned_abs(), 1_000_000))
    }

    /// Goes on at `now` as if the time since `since` had not been: a hypervisor hid it.
    pub fn hide(&mut self, since: u64, now: u64) {
        self.offset = self.shows(since.max(self.set_at)).0;
        self.set_at = now;
    }

    /// The first virtual time at which this clock shows `instant` or more.
    pub fn reaches(&self, instant: Instant) -> u64 {
        let millionths = 1_000_000_i64 + self.drift;
        let local = instant.0.saturating_sub(self.offset);
        scale(local, 1_000_000, millionths.unsigned_abs()).saturating_add(self.set_at + 2)
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
    /// The rate that its clock has from its next start on.
    pub next_rate: Option<i64>,
    pub disk: Disk,
    /// What came while frozen.
    pub inbox: Vec<Input>,
    /// The earliest tick in the queue; the end of time: none.
    pub tick_at: u64,
    /// Told to stop, and not gone yet.
    pub stopping: bool,
    pub health: Health,
    /// What stopping everything that runs only on the Primary takes at worst.
    pub stop_time: Duration,
    /// Whether anything that runs only on the Primary may still run.
    pub serves: bool,
    /// Until when its guardian lets it run without another word of the controller.
    pub guarded_until: u64,
    /// The guardian ended it while the controller was frozen, which does not know yet.
    pub killed: bool,
    /// Counts what the guardian and the stopping wait for, so that what is over does not apply.
    pub serving_era: u32,
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
            next_rate: None,
            disk: Disk::new(),
            inbox: Vec::new(),
            tick_at: u64::MAX,
            stopping: false,
            health: Health::Good,
            stop_time: Duration::ZERO,
            serves: false,
            guarded_until: 0,
            killed: false,
            serving_era: 0,
            mode: Mode::Secondary,
            forced: false,
            own: Term::NONE,
            seen: Term::NONE,
            ticks: 0,
            counted_from: 0,
        }
    }

    /// Something of it may act, by the rules rather than by an operator's force. A frozen controller's processes do,
    /// and those of a dead one, until its guardian has ended them.
    pub fn acts_by_rule(&self) -> bool {
        self.serves && !self.forced
    }

    /// Its score, as its sampler would tell it.
    pub fn score(&self) -> Score {
        let low = match self.health {
            Health::Good => false,
            Health::Sick => true,
            Health::SickProcesses => self.serves,
            Health::Scored(score) => return score,
        };
        if low { Score::from_ten_thousandths(1_000) } else { Score::FULL }
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

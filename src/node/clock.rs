//! The three clocks of the machine, read together and compared (S9).
//!
//! Everything that the rules count is counted in boot time, which goes on while the machine is suspended. The monotonic
//! clock stands still then, so the difference of the two tells of a suspend. The real-time clock may be set by anybody;
//! it is only ever shown to people, and a jump of it is only ever told. Nothing here decides anything.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::time::{ClockId, clock_gettime};

use crate::negotiation::time::Instant;

/// A clock could not be read. On Linux this means a broken system-call filter around the program.
#[derive(Debug, thiserror::Error)]
#[error("the clock {clock} cannot be read: {source}; look for a system-call filter that forbids clock_gettime")]
pub struct ClockError {
    clock: &'static str,
    source: nix::Error,
}

/// How long a reading of all clocks may take before it is read again: between two of its calls the process may have
/// been off the processor, and that must not look like a suspend.
const QUICK: Duration = Duration::from_micros(50);

/// How often a slow reading is repeated; the quickest one counts.
const TRIES: usize = 3;

/// All three clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    boot: Duration,
    monotonic: Duration,
    real: Duration,
}

fn read_one(id: ClockId, name: &'static str) -> Result<Duration, ClockError> {
    let time = clock_gettime(id).map_err(|source| ClockError { clock: name, source })?;
    Ok(Duration::from(time))
}

impl Reading {
    fn take() -> Result<Reading, ClockError> {
        let (mut least, mut best) = Reading::take_timed()?;
        for _ in 1..TRIES {
            if least <= QUICK {
                break;
            }
            let (took, reading) = Reading::take_timed()?;
            if took < least {
                (least, best) = (took, reading);
            }
        }
        Ok(best)
    }

    /// A reading, and how long it took.
    fn take_timed() -> Result<(Duration, Reading), ClockError> {
        let before = read_one(ClockId::CLOCK_BOOTTIME, "CLOCK_BOOTTIME")?;
        let monotonic = read_one(ClockId::CLOCK_MONOTONIC, "CLOCK_MONOTONIC")?;
        let real = read_one(ClockId::CLOCK_REALTIME, "CLOCK_REALTIME")?;
        let boot = read_one(ClockId::CLOCK_BOOTTIME, "CLOCK_BOOTTIME")?;
        Ok((boot.saturating_sub(before), Reading { boot, monotonic, real }))
    }
}

/// What one look at the clocks tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Boot time since the origin.
    pub now: Instant,
    /// How long the machine was suspended since the look before: the advance of boot time beyond that of the monotonic
    /// clock. Some tens of microseconds are the reading itself.
    pub suspended: Duration,
    /// By how much the real-time clock was set since the look before, in milliseconds; negative: back. Ordinary slewing
    /// stays below one.
    pub real_jump_ms: i64,
}

/// The clocks of this process. The origin of its [`Instant`]s is the moment at which this was made.
#[derive(Debug)]
pub struct Clocks {
    origin: Duration,
    last: Reading,
}

impl Clocks {
    /// Reads all clocks for the first time; that moment is the origin.
    pub fn start() -> Result<Clocks, ClockError> {
        let last = Reading::take()?;
        Ok(Clocks { origin: last.boot, last })
    }

    /// Reads all clocks and compares them with the look before. When they cannot be read, the look before stands.
    pub fn look(&mut self) -> Result<Look, ClockError> {
        let next = Reading::take()?;
        let look = compare(self.origin, self.last, next);
        self.last = next;
        Ok(look)
    }

    /// What the boot-time clock shows at `at`: for whoever shares the clock, not the origin.
    pub fn since_boot(&self, at: Instant) -> Duration {
        self.origin.saturating_add(Duration::from_nanos(at.0))
    }

    /// Boot time since the origin, without a comparison.
    pub fn now(&self) -> Result<Instant, ClockError> {
        Ok(instant(self.origin, read_one(ClockId::CLOCK_BOOTTIME, "CLOCK_BOOTTIME")?))
    }
}

fn instant(origin: Duration, boot: Duration) -> Instant {
    Instant(0) + boot.saturating_sub(origin)
}

fn compare(origin: Duration, last: Reading, next: Reading) -> Look {
    let boot = next.boot.saturating_sub(last.boot);
    let monotonic = next.monotonic.saturating_sub(last.monotonic);
    // Nanoseconds since 1970 fit in 64 bits until 2262; beyond that a jump is told too small, nothing worse.
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let real = nanos(next.real).saturating_sub(nanos(last.real));
    Look {
        now: instant(origin, next.boot),
        suspended: boot.saturating_sub(monotonic),
        real_jump_ms: real.saturating_sub(nanos(boot)) / 1_000_000,
    }
}

/// Real time in milliseconds since 1970; zero when the clock stands before that.
pub fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A real time in this machine's zone, as RFC 3339 writes it: `2026-11-17T03:12:44.123+01:00`.
pub fn rfc3339(unix_ms: u64) -> String {
    rfc3339_in(unix_ms, TimeZone::system())
}

fn rfc3339_in(unix_ms: u64, zone: TimeZone) -> String {
    // What no calendar holds is shown as the last moment that it does.
    let time = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.unwrap_or(Timestamp::MAX).to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(boot_ms: u64, monotonic_ms: u64, real_ms: u64) -> Reading {
        Reading {
            boot: Duration::from_millis(boot_ms),
            monotonic: Duration::from_millis(monotonic_ms),
            real: Duration::from_millis(real_ms),
        }
    }

    #[test]
    fn s9_a_suspend_is_the_boot_time_that_the_monotonic_clock_missed() {
        let look = compare(Duration::from_millis(100), reading(100, 50, 1_000), reading(5_100, 1_050, 6_000));
        assert_eq!(look.now, Instant(5_000_000_000));
        assert_eq!(look.suspended, Duration::from_secs(4));
        assert_eq!(look.real_jump_ms, 0);
    }

    #[test]
    fn s9_a_set_real_time_clock_is_told_and_moves_nothing_else() {
        let back = compare(Duration::ZERO, reading(0, 0, 3_600_000), reading(1_000, 1_000, 1_000));
        assert_eq!(back.now, Instant(1_000_000_000));
        assert_eq!(back.suspended, Duration::ZERO);
        assert_eq!(back.real_jump_ms, -3_600_000);
        let on = compare(Duration::ZERO, reading(0, 0, 0), reading(1_000, 1_000, 8_000));
        assert_eq!(on.real_jump_ms, 7_000);
    }

    #[test]
    fn the_real_clocks_start_at_the_origin_and_go_on() {
        let mut clocks = Clocks::start().unwrap();
        let first = clocks.look().unwrap();
        let second = clocks.look().unwrap();
        assert!(first.now <= second.now);
        assert!(second.now <= clocks.now().unwrap());
        assert!(first.now.since(Instant(0)) < Duration::from_secs(60));
        assert!(unix_ms() > 1_700_000_000_000);
    }

    #[test]
    fn a_time_is_written_with_milliseconds_and_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(rfc3339_in(1_794_881_564_123, zone), "2026-11-17T03:12:44.123+01:00");
        assert_eq!(rfc3339_in(0, TimeZone::UTC), "1970-01-01T00:00:00.000+00:00");
        assert!(rfc3339(u64::MAX).starts_with("9999-"));
    }
}

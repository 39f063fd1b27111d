//! Time as the required processes see it: the machine's boot time, which goes on while it is suspended (S9), and which
//! controller and guardian read alike.

use std::ops::{Add, Sub};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A point in time, counted from the machine's boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct BootTime(pub Duration);

impl BootTime {
    /// Now. The clock can only fail where a system-call filter forbids it; then time stands at the boot, and everything
    /// that has a deadline is over.
    pub fn now() -> BootTime {
        BootTime(clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default())
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: BootTime) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Nanoseconds since boot.
    pub fn nanoseconds(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }

    /// From nanoseconds since boot.
    pub fn from_nanoseconds(nanoseconds: u64) -> BootTime {
        BootTime(Duration::from_nanos(nanoseconds))
    }
}

impl Add<Duration> for BootTime {
    type Output = BootTime;
    fn add(self, by: Duration) -> BootTime {
        BootTime(self.0.saturating_add(by))
    }
}

impl Sub<Duration> for BootTime {
    type Output = BootTime;
    fn sub(self, by: Duration) -> BootTime {
        BootTime(self.0.saturating_sub(by))
    }
}

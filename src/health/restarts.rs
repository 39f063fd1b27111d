//! The status of restarts (H2): how often the required processes had to be restarted lately.

use std::time::Duration;

/// The time over which restarts are counted.
pub const WINDOW: Duration = Duration::from_secs(30);

/// Restarts a second over the last 30 s. `ages` tells how long ago each restart of each counted process was. Ages leave no
/// room for a clock that jumps: who makes them lets a time that lies ahead be an age of zero, and after a jump ahead
/// nothing is left in the window.
pub fn rate(ages: impl IntoIterator<Item = Duration>) -> f64 {
    let lately = ages.into_iter().filter(|age| *age < WINDOW).count();
    // A count of restarts in 30 s is far below the 2^52 up to which this is exact.
    lately as f64 / WINDOW.as_secs_f64()
}

/// 1 − `rate`, at least 0 (H2).
pub fn status(rate: f64) -> f64 {
    super::knee::falling(rate, 0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn h2_without_a_restart_the_status_is_full() {
        assert_eq!(rate([]), 0.0);
        assert_eq!(status(rate([])), 1.0);
    }

    #[test]
    fn h2_the_rate_is_that_of_the_last_30_seconds() {
        assert_eq!(rate([at(0.0), at(1.0), at(29.999)]), 0.1);
        // One that was exactly 30 s ago has left the window, so three remain three for 30 s and no longer.
        assert_eq!(rate([at(0.0), at(1.0), at(30.0), at(31.0)]), 2.0 / 30.0);
        assert_eq!(rate([Duration::MAX]), 0.0);
    }

    #[test]
    fn h2_the_status_is_one_less_the_rate_and_never_below_zero() {
        assert!((status(0.1) - 0.9).abs() < 1e-12);
        assert_eq!(status(rate((0..15).map(|_| at(1.0)))), 0.5);
        assert_eq!(status(rate((0..30).map(|_| at(1.0)))), 0.0);
        assert_eq!(status(rate((0..300).map(|_| at(1.0)))), 0.0);
        assert_eq!(status(f64::NAN), 0.0);
    }
}

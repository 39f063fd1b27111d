//! The status of memory (H4): how much of the machine's memory a required process uses on average.

use super::knee::falling;
use super::mean::mean;

/// Up to this many per cent of the base the status is full.
pub const GOOD_PERCENT: f64 = 2.0;

/// From this many per cent on the status is 0.
pub const BAD_PERCENT: f64 = 10.0;

/// `bytes` as per cent of `base`; none for a base of zero, of which nothing is a share.
pub fn percent(bytes: u64, base: u64) -> Option<f64> {
    // Exact enough: a share, not an account.
    (base > 0).then(|| bytes as f64 / base as f64 * 100.0)
}

/// The average over the counted processes that run, per cent; none when nothing could be measured.
pub fn average(percents: impl IntoIterator<Item = f64>) -> Option<f64> {
    mean(percents)
}

/// At most 2 % → 1, at least 10 % → 0, linear between; nothing measured → 1 (H1, H4).
pub fn status(average: Option<f64>) -> f64 {
    average.map_or(1.0, |percent| falling(percent, GOOD_PERCENT, BAD_PERCENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h4_up_to_two_per_cent_is_full_ten_per_cent_is_nothing_linear_between() {
        for (percent, expected) in
            [(0.0, 1.0), (1.99, 1.0), (2.0, 1.0), (4.0, 0.75), (6.0, 0.5), (8.0, 0.25), (10.0, 0.0), (90.0, 0.0)]
        {
            assert_eq!(status(Some(percent)), expected, "{percent} %");
        }
        assert!(status(Some(2.01)) < 1.0);
        assert!(status(Some(9.99)) > 0.0);
    }

    #[test]
    fn h4_it_is_the_average_over_the_processes() {
        assert_eq!(average([1.0, 11.0]), Some(6.0));
        assert_eq!(status(average([1.0, 11.0])), 0.5);
        assert_eq!(average([1.0, f64::NAN]), Some(1.0));
    }

    #[test]
    fn h1_without_a_process_the_status_is_full() {
        assert_eq!(status(average([])), 1.0);
    }

    #[test]
    fn h4_per_cent_are_of_the_base() {
        assert_eq!(percent(512, 1024), Some(50.0));
        assert_eq!(percent(u64::MAX, 1), Some(u64::MAX as f64 * 100.0));
        assert_eq!(percent(5, 0), None);
    }
}

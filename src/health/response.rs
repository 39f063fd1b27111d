//! The status of response times (H3, H6): how fast the required processes answer their heartbeats, and whether one of
//! them does not answer at all.

use std::time::Duration;

use super::knee::falling;
use super::mean::mean;

/// Up to this many of its own heartbeat periods a response is in time.
pub const GOOD_PERIODS: f64 = 1.0;

/// A response that takes this many periods is worth nothing, and who is silent for so many is unresponsive.
pub const SILENT_PERIODS: f64 = 5.0;

/// What a counted process says of itself by its heartbeat, or by its life alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pulse {
    /// Nothing to measure: it has no heartbeat and runs, it is in its `start_timeout`, it is not meant to run in this
    /// mode, an operator stopped it, or it is down and has its first restart before it.
    Neutral,
    /// Its last heartbeat was answered after so many of its periods. From [`SILENT_PERIODS`] on the whole status is 0.
    Answers {
        /// Periods; 0.5 is half its own period.
        periods: f64,
    },
    /// It has not answered for so many periods. From [`SILENT_PERIODS`] on the whole status is 0.
    Waiting {
        /// Periods since the first question that it did not answer.
        periods: f64,
    },
    /// It is dead and will stay so, or was restarted and is down again: the whole status is 0 (H6).
    Down(Down),
}

/// Why a process that should run does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// It died too often.
    GivenUp,
    /// A restart did not bring it back.
    AfterRestart,
}

/// `time` in periods of `period`; none for a period of zero, which measures nothing.
pub fn periods(time: Duration, period: Duration) -> Option<f64> {
    // Whole nanoseconds are exact up to 104 days, so that five periods are exactly five.
    (!period.is_zero()).then(|| time.as_nanos() as f64 / period.as_nanos() as f64)
}

/// What the processes' pulses come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Response {
    /// 0 to 1.
    pub status: f64,
    /// The average response time in periods; none: nothing was measured.
    pub periods: Option<f64>,
    /// The place of the process that makes the whole status 0.
    pub unresponsive: Option<usize>,
}

/// The status over all counted processes: the average of their response times, each in its own periods (H3); 0 as a
/// whole when one of them is unresponsive, so that healthy neighbours do not average it away (H6); 1 when there is
/// nothing to measure.
pub fn response(pulses: impl IntoIterator<Item = Pulse>) -> Response {
    let mut unresponsive = None;
    let mut measured = Vec::new();
    for (place, pulse) in pulses.into_iter().enumerate() {
        match pulse {
            Pulse::Neutral => {}
            // An answer after five periods was a silence of five periods: it counts until a quicker one follows.
            Pulse::Answers { periods } | Pulse::Waiting { periods } => {
                measured.push(periods);
                if periods >= SILENT_PERIODS {
                    unresponsive = unresponsive.or(Some(place));
                }
            }
            Pulse::Down(_) => unresponsive = unresponsive.or(Some(place)),
        }
    }
    let periods = mean(measured);
    let status = match (unresponsive, periods) {
        (Some(_), _) => 0.0,
        (None, None) => 1.0,
        (None, Some(periods)) => falling(periods, GOOD_PERIODS, SILENT_PERIODS),
    };
    Response { status, periods, unresponsive }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(periods: f64) -> Pulse {
        Pulse::Answers { periods }
    }

    fn waiting(periods: f64) -> Pulse {
        Pulse::Waiting { periods }
    }

    fn status(pulses: &[Pulse]) -> f64 {
        response(pulses.iter().copied()).status
    }

    #[test]
    fn h3_up_to_one_period_is_full_five_periods_is_nothing_linear_between() {
        for (periods, expected) in
            [(0.0, 1.0), (1.0, 1.0), (2.0, 0.75), (3.0, 0.5), (4.0, 0.25), (5.0, 0.0), (9.0, 0.0)]
        {
            assert_eq!(status(&[answers(periods)]), expected, "{periods} periods");
        }
        assert!(status(&[answers(1.01)]) < 1.0);
        assert!(status(&[answers(4.99)]) > 0.0);
    }

    #[test]
    fn h3_the_average_is_over_the_processes_each_in_its_own_periods() {
        assert_eq!(response([answers(1.0), answers(3.0)]).periods, Some(2.0));
        assert_eq!(status(&[answers(1.0), answers(3.0)]), 0.75);
        assert_eq!(periods(Duration::from_millis(200), Duration::from_millis(100)), Some(2.0));
        assert_eq!(periods(Duration::from_secs(2), Duration::from_secs(1)), Some(2.0));
        assert_eq!(periods(Duration::from_secs(2), Duration::ZERO), None);
        for millis in [1, 7, 70, 300, 333, 1100] {
            let period = Duration::from_millis(millis);
            assert_eq!(periods(period * 5, period), Some(5.0), "{millis} ms");
        }
    }

    #[test]
    fn h3_one_in_its_start_timeout_is_neutral() {
        assert_eq!(status(&[Pulse::Neutral, answers(3.0)]), 0.5);
        assert_eq!(status(&[Pulse::Neutral]), 1.0);
    }

    #[test]
    fn h1_no_processes_at_all_count_full() {
        let response = response([]);
        assert_eq!((response.status, response.periods), (1.0, None));
    }

    #[test]
    fn h3_one_that_waits_counts_with_what_it_waited_so_far() {
        assert_eq!(status(&[waiting(3.0)]), 0.5);
        assert_eq!(status(&[waiting(0.2), answers(0.2)]), 1.0);
    }

    #[test]
    fn h6_one_silent_for_five_periods_makes_the_whole_status_zero() {
        let neighbours = [answers(0.01), answers(0.01), answers(0.01)];
        let with = |pulse| response(neighbours.into_iter().chain([pulse]));
        assert!(with(waiting(4.999)).status > 0.9);
        let silent = with(waiting(5.0));
        assert_eq!((silent.status, silent.unresponsive), (0.0, Some(3)));
        assert_eq!(with(waiting(f64::INFINITY)).status, 0.0);
        // One that answers after five periods each time was silent for five each time.
        assert!(with(answers(4.999)).status > 0.9);
        assert_eq!(with(answers(5.0)).unresponsive, Some(3));
    }

    #[test]
    fn h6_one_given_up_or_down_after_its_first_restart_makes_the_whole_status_zero() {
        for down in [Down::GivenUp, Down::AfterRestart] {
            assert_eq!(status(&[answers(0.0), Pulse::Down(down), answers(0.0)]), 0.0);
            assert_eq!(response([answers(0.0), Pulse::Down(down)]).unresponsive, Some(1));
        }
    }

    #[test]
    fn a_response_that_is_no_number_was_not_measured() {
        assert_eq!(status(&[answers(f64::NAN)]), 1.0);
        assert_eq!(status(&[answers(f64::NAN), answers(3.0)]), 0.5);
        assert_eq!(status(&[waiting(f64::NAN)]), 1.0);
    }
}

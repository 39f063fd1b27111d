//! How available the group was, in one line for `status` and the screen (H8).

use std::time::Duration;

use super::super::status::Availability;
use super::{coarse, lasting};

/// "99.97 % of 3d 04:12 seen; 2 outages, mean 3.1 s, longest 4.0 s, one in 1d 14:06; …".
pub fn availability(availability: &Availability) -> String {
    let total = &availability.total;
    let time = |ms: u64| Duration::from_millis(ms);
    let Some(uptime) = total.uptime_pct else {
        return "nothing is known yet".to_owned();
    };
    // Rounded down: what was not whole is not shown as whole.
    let uptime = (uptime * 1_000.0).floor() / 1_000.0;
    let mut text = format!("{uptime:.3} % of {} seen", coarse(time(total.observed_ms)));
    match (total.outages, total.mttr_ms, total.recovery_ms) {
        (0, _, _) => text += ", no outage",
        (outages, Some(mean), Some(longest)) => {
            let word = if outages == 1 { "outage" } else { "outages" };
            let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1_000.0);
            text += &format!("; {outages} {word}, mean {}, longest {}", seconds(mean), seconds(longest));
        }
        (_, _, _) => text += "; an outage that has not ended",
    }
    if let (Some(between), 2..) = (total.mtbf_ms, total.outages) {
        text += &format!(", one in {}", lasting(time(between)));
    }
    if availability.unknown_ms >= 1_000 {
        text += &format!("; {} unknown", coarse(time(availability.unknown_ms)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::status::Share;

    #[test]
    fn h8_the_figures_are_one_line_and_nothing_is_rounded_up() {
        let share = |outages: u64, uptime_pct: Option<f64>| Share {
            observed_ms: 7_200_000,
            uptime_pct,
            outages,
            mttr_ms: (outages > 0).then_some(3_100),
            mtbf_ms: (outages > 0).then_some(3_600_000),
            recovery_ms: (outages > 0).then_some(4_000),
        };
        let of = |total: Share| Availability {
            as_primary: share(0, None),
            as_secondary: share(0, None),
            total,
            unknown_ms: 61_000,
            data_loss: String::new(),
        };
        assert_eq!(availability(&of(share(0, None))), "nothing is known yet");
        assert_eq!(availability(&of(share(0, Some(100.0)))), "100.000 % of 2 h 0 min seen, no outage; 1 min unknown");
        assert_eq!(
            availability(&of(share(2, Some(99.9999)))),
            "99.999 % of 2 h 0 min seen; 2 outages, mean 3.1 s, longest 4.0 s, one in 1 h 0 min; 1 min unknown"
        );
    }
}

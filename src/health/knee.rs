//! A status that falls in a straight line between two knees: full up to the first, nothing from the second on.

/// 1 up to `good`, 0 from `bad` on, a straight line between (H3, H4). What is not a number is as bad as it can be: no
/// figure may pass as healthy because it was spoilt.
pub(super) fn falling(value: f64, good: f64, bad: f64) -> f64 {
    if value <= good {
        1.0
    } else if value < bad {
        (bad - value) / (bad - good)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_up_to_the_first_knee_and_nothing_from_the_second() {
        for (value, status) in [
            (f64::NEG_INFINITY, 1.0),
            (-1.0, 1.0),
            (0.0, 1.0),
            (2.0, 1.0),
            (4.0, 0.75),
            (6.0, 0.5),
            (10.0, 0.0),
            (10.5, 0.0),
            (f64::INFINITY, 0.0),
        ] {
            assert_eq!(falling(value, 2.0, 10.0), status, "{value}");
        }
    }

    #[test]
    fn just_beyond_a_knee_it_has_left_it() {
        assert!(falling(2.0_f64.next_up(), 2.0, 10.0) <= 1.0);
        assert!(falling(2.001, 2.0, 10.0) < 1.0);
        assert!(falling(9.999, 2.0, 10.0) > 0.0);
    }

    #[test]
    fn what_is_not_a_number_is_as_bad_as_it_can_be() {
        assert_eq!(falling(f64::NAN, 2.0, 10.0), 0.0);
    }
}

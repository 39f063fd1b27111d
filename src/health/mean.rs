//! The average of what could be measured.

/// The average of the figures that are numbers; none when there is none. A figure that is not a number was not
/// measured: it stays out, as if its process had nothing to measure.
pub(super) fn mean(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for figure in figures.into_iter().filter(|figure| !figure.is_nan()) {
        sum += figure;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_what_was_measured_only() {
        assert_eq!(mean([]), None);
        assert_eq!(mean([f64::NAN]), None);
        assert_eq!(mean([1.0, f64::NAN, 3.0]), Some(2.0));
        assert_eq!(mean([f64::INFINITY, 1.0]), Some(f64::INFINITY));
    }
}

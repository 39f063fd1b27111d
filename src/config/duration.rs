//! Durations as the configuration and the command line write them: "250ms", "3s", "10m", "1h30m".

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: write \"250ms\", \"3s\" or \"10m\"")]
pub struct DurationError {
    text: String,
}

/// Reads a duration of zero or more.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    let signed: jiff::SignedDuration = text.trim().parse().map_err(|_| error())?;
    Duration::try_from(signed).map_err(|_| error())
}

/// Writes a duration the way [`parse`] reads it: "250ms", "3s", "1h30m".
pub fn text(time: Duration) -> String {
    let parts = [
        (time.as_secs() / 3600, "h"),
        (time.as_secs() / 60 % 60, "m"),
        (time.as_secs() % 60, "s"),
        (u64::from(time.subsec_millis()), "ms"),
        (u64::from(time.subsec_micros() % 1000), "us"),
        (u64::from(time.subsec_nanos() % 1000), "ns"),
    ];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_the_same() {
        for (time, written) in [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_secs(5400), "1h30m"),
            (Duration::from_micros(1_000_250), "1s250us"),
            (Duration::from_nanos(7), "7ns"),
        ] {
            assert_eq!(text(time), written);
            assert_eq!(parse(written), Ok(time));
        }
    }

    #[test]
    fn the_forms_of_the_contract_are_read() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "3", "-3s", "soon", "3 parsecs"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

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

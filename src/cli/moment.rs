//! Points in time as people write and read them on the command line.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::{Timestamp, ToSpan, Zoned};

use crate::config::duration;

/// Why a text is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time: write 30m (ago), 03:12, 2026-11-17, or 2026-11-17T03:12:44")]
pub struct MomentError {
    text: String,
}

/// Reads a point in time: a duration before `now`, a time of day (the last one before `now`), a date (its beginning),
/// or date and time, in the zone of `now` unless it names its own. Milliseconds since 1970.
pub fn parse(text: &str, now: &Zoned) -> Result<u64, MomentError> {
    let text = text.trim();
    let ms = |time: Timestamp| u64::try_from(time.as_millisecond()).unwrap_or(0);
    let local = |time: DateTime| time.to_zoned(now.time_zone().clone()).ok().map(|time| ms(time.timestamp()));
    // 03:12:44 could be a length too; where a time is asked for it is a time of day.
    let ago = if text.contains(':') { None } else { duration::parse(text).ok() };
    let found = if let Some(ago) = ago {
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        Some(ms(now.timestamp()).saturating_sub(ago))
    } else if let Ok(time) = text.parse::<Timestamp>() {
        Some(ms(time))
    } else if let Ok(time) = text.parse::<DateTime>() {
        local(time)
    } else if let Ok(time) = text.parse::<Time>() {
        let today = now.date().to_datetime(time);
        let is_to_come = local(today).is_some_and(|time| time > ms(now.timestamp()));
        if is_to_come { today.checked_sub(1.day()).ok().and_then(local) } else { local(today) }
    } else {
        None
    };
    found.ok_or_else(|| MomentError { text: text.to_owned() })
}

/// A real time for a person: `2026-11-17 03:12:44.123`, in this machine's zone.
pub fn readable(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let zoned = time.unwrap_or(Timestamp::MAX).to_zoned(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}

/// How long something has been, to two units: "3 d 4 h", "3 h 12 min", "12 min 5 s", "4.2 s", "12 ms".
pub fn lasted(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        86_400.. => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
        3_600.. => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        60.. => format!("{} min {} s", seconds / 60, seconds % 60),
        1.. => format!("{:.1} s", time.as_secs_f64()),
        0 => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        let now: Zoned = "2026-11-17T12:00:00+01:00[+01:00]".parse().unwrap();
        let ms = parse(text, &now).ok()?;
        let time = Timestamp::from_millisecond(ms as i64).unwrap().to_zoned(now.time_zone().clone());
        Some(time.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    #[test]
    fn every_form_of_the_contract_is_read() {
        assert_eq!(at("30m").unwrap(), "2026-11-17 11:30:00");
        assert_eq!(at("1h30m").unwrap(), "2026-11-17 10:30:00");
        assert_eq!(at("03:12").unwrap(), "2026-11-17 03:12:00");
        assert_eq!(at("03:12:44").unwrap(), "2026-11-17 03:12:44");
        assert_eq!(at("2026-11-16").unwrap(), "2026-11-16 00:00:00");
        assert_eq!(at("2026-11-17T03:12:44").unwrap(), "2026-11-17 03:12:44");
        assert_eq!(at("2026-11-17 03:12:44.5").unwrap(), "2026-11-17 03:12:44");
        assert_eq!(at("2026-11-17T03:12:44Z").unwrap(), "2026-11-17 04:12:44");
        assert_eq!(at("2026-11-17T03:12:44+02:00").unwrap(), "2026-11-17 02:12:44");
    }

    #[test]
    fn a_time_of_day_that_is_still_to_come_means_yesterday_s() {
        assert_eq!(at("23:30").unwrap(), "2026-11-16 23:30:00");
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_forms_that_are() {
        for text in ["", "soon", "25:00", "2026-13-01", "-5m"] {
            assert_eq!(at(text), None, "{text:?}");
        }
        assert!(MomentError { text: "soon".to_owned() }.to_string().contains("03:12"));
    }

    #[test]
    fn a_length_is_written_to_two_units() {
        let lasted = |ms| lasted(Duration::from_millis(ms));
        assert_eq!(lasted(12), "12 ms");
        assert_eq!(lasted(4_200), "4.2 s");
        assert_eq!(lasted(725_000), "12 min 5 s");
        assert_eq!(lasted(11_520_000), "3 h 12 min");
        assert_eq!(lasted(273_600_000), "3 d 4 h");
    }
}

//! The words of the screen that need its clock or its width: times, ages and counts as a person says them. What a state
//! is called is in [`crate::control::words`], which `status` prints too. Ages are coarse, so that a value that means
//! the same is not drawn again.

use std::time::Duration;

use jiff::{Timestamp, Zoned};

use crate::control::words;

/// How long something has lasted or will last: "7 s", "2 min 14 s", "4 h 12 min", "3d 04:12".
pub fn lasting(ms: u64) -> String {
    words::lasting(Duration::from_millis(ms))
}

/// The same, so coarse that it is seldom drawn again: "7 s", "31 min", "4 h 12 min", "3d 04:12".
pub fn coarse(ms: u64) -> String {
    words::coarse(Duration::from_millis(ms))
}

/// Over how long something happened: "in 31 min", and "within 1 s" rather than in none.
pub fn within(ms: u64) -> String {
    if ms < 1000 { "within 1 s".to_owned() } else { format!("in {}", coarse(ms)) }
}

/// How long ago: "just now", "6 s ago", "1:46 ago", "4 h ago", "3d ago".
pub fn ago(ms: u64) -> String {
    words::ago(Duration::from_millis(ms))
}

/// A short time with one decimal: "9.7 s".
pub fn tenths(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// A round trip: "0.21 ms", "6.4 ms", "140 ms".
pub fn round_trip(us: u64) -> String {
    let ms = us as f64 / 1000.0;
    if us < 1000 {
        format!("{ms:.2} ms")
    } else if us < 10_000 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.0} ms")
    }
}

/// The same where it is only to be seen that it is short: "0.2 ms", "6.4 ms", "140 ms".
pub fn round_trip_short(us: u64) -> String {
    if us < 1000 { format!("{:.1} ms", us as f64 / 1000.0) } else { round_trip(us) }
}

/// A count with its thousands apart: "274 361".
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The clock of row 1: "03:12:44" and its offset, "+01".
pub fn clock(now: &Zoned) -> (String, String) {
    let offset = now.offset().seconds();
    let (sign, offset) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
    let minutes = offset / 60 % 60;
    let tail = if minutes == 0 { String::new() } else { format!(":{minutes:02}") };
    (now.strftime("%H:%M:%S").to_string(), format!("{sign}{:02}{tail}", offset / 3600))
}

/// A moment: "03:12:44" today, "17 Nov 23:00:04" before.
pub fn moment(at: &Zoned, now: &Zoned) -> String {
    let pattern = if at.date() == now.date() { "%H:%M:%S" } else { "%d %b %H:%M:%S" };
    at.strftime(pattern).to_string()
}

/// The same with a tenth of a second: "03:12:44.6".
pub fn moment_tenths(at: &Zoned, now: &Zoned) -> String {
    format!("{}.{}", moment(at, now), at.millisecond() / 100)
}

/// A time of the contract, in the zone of the screen; none when it cannot be read.
pub fn parse(time: &str, now: &Zoned) -> Option<Zoned> {
    Some(time.parse::<Timestamp>().ok()?.to_zoned(now.time_zone().clone()))
}

/// The moment that lies so long before another.
pub fn before(now: &Zoned, ms: u64) -> Zoned {
    let span = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    now.checked_sub(span).unwrap_or_else(|_| now.clone())
}

/// Milliseconds from one moment to a later one; 0 when it is not later.
pub fn since(at: &Zoned, now: &Zoned) -> u64 {
    u64::try_from(now.timestamp().duration_since(at.timestamp()).as_millis()).unwrap_or(0)
}

/// The word with an s unless there is one: "1 alarm", "0 alarms".
pub fn plural(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_coarse_and_read_like_the_drawn_screens() {
        assert_eq!(lasting(31 * 60_000 + 36_400), "31 min 36 s");
        assert_eq!(lasting((3 * 86_400 + 4 * 3600 + 12 * 60) * 1000), "3d 04:12");
        assert_eq!(ago(106_000), "1:46 ago");
        assert_eq!(ago(900), "just now");
        assert_eq!(ago(3 * 86_400_000), "3d ago");
        assert_eq!(tenths(9_700), "9.7 s");
        assert_eq!(round_trip(210), "0.21 ms");
        assert_eq!((round_trip_short(210).as_str(), round_trip_short(6_400).as_str()), ("0.2 ms", "6.4 ms"));
        assert_eq!(count(274_361), "274 361");
        assert_eq!(coarse(754_000), "12 min");
        assert_eq!((within(300).as_str(), within(754_000).as_str()), ("within 1 s", "in 12 min"));
    }
}

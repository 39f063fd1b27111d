//! When those who watch get their next status.
//!
//! Pure: news come in with the time, the moment of the next publication comes out. A takeover is several news within a few
//! milliseconds. They are told together and once it is through, because with twenty screens each status wakes twenty
//! processes, which would take the processor from the takeover itself.

use std::time::Duration;

use crate::negotiation::time::Instant;

/// What routine brings, a reply or an age, is told at most this often.
pub const PUBLISH_EVERY: Duration = Duration::from_millis(20);

/// Urgent news wait so long for what follows from them. Longer than a takeover after a crash takes at its median, and too
/// short for a person to notice.
pub const GATHER: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Debug, Default)]
pub struct Publication {
    next: Option<Instant>,
    last: Instant,
}

impl Publication {
    /// A reply came, or an age matters.
    pub fn routine(&mut self, now: Instant) {
        self.by(now.max(self.last + PUBLISH_EVERY));
    }

    /// A mode, a link, an alarm or a plan has changed.
    pub fn urgent(&mut self, now: Instant) {
        self.by(now + GATHER);
    }

    /// A new ALARM stands: it may be over before it was gathered, and somebody has to be told of it.
    pub fn at_once(&mut self, now: Instant) {
        self.by(now);
    }

    fn by(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// When the next is due; none: there is nothing to tell.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Nobody watches: there is nobody to tell.
    pub fn forget(&mut self) {
        self.next = None;
    }

    /// Everything up to now was told.
    pub fn told(&mut self, now: Instant) {
        *self = Publication { next: None, last: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    #[test]
    fn u3_a_takeover_is_told_once_and_after_it_is_through() {
        let mut publication = Publication::default();
        publication.told(at(990));
        for news in [1000, 1001, 1003] {
            publication.urgent(at(news));
            assert_eq!(publication.next(), Some(at(1005)), "what follows does not put it off any further");
        }
        publication.told(at(1005));
        assert_eq!(publication.next(), None);
        publication.urgent(at(1006));
        assert_eq!(publication.next(), Some(at(1011)));
    }

    #[test]
    fn u13_an_alarm_is_told_at_once() {
        let mut publication = Publication::default();
        publication.urgent(at(1000));
        publication.at_once(at(1001));
        assert_eq!(publication.next(), Some(at(1001)));
    }

    #[test]
    fn u3_routine_is_told_now_and_then_and_never_puts_off_what_is_urgent() {
        let mut publication = Publication::default();
        publication.told(at(1000));
        publication.routine(at(1003));
        assert_eq!(publication.next(), Some(at(1020)));
        publication.urgent(at(1004));
        publication.routine(at(1005));
        assert_eq!(publication.next(), Some(at(1009)));
        publication.told(at(1009));
        publication.routine(at(1100));
        assert_eq!(publication.next(), Some(at(1100)));
    }
}

//! Round trips as this screen saw them, the worst of each ten seconds, for the rows that show how a path was of late.
//!
//! Kept by the screen and not by the engine: a controller that nobody looks at must not work for pictures. Ten seconds,
//! because a row that moves every second costs more bytes on a bad line than all other panels together.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::control::status::{Link, LinkState, Status};

/// So many values are kept a path: twenty minutes, and no wider than a wide terminal shows.
pub const KEPT: usize = 120;

/// The time that one value stands for.
pub const EACH: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    paths: BTreeMap<String, VecDeque<Option<u64>>>,
    /// The number of the ten seconds that the last values are of.
    span: Option<u64>,
}

impl History {
    /// A status came.
    pub fn note(&mut self, status: &Status, now: Duration) {
        let span = now.as_secs() / EACH.as_secs();
        let new = self.span.replace(span) != Some(span);
        for link in &status.links {
            let values = self.paths.entry(link.address.clone()).or_default();
            let value = measured(link);
            match values.back_mut().filter(|_| !new) {
                // Ten seconds in which the path was down at all are shown so.
                Some(last) => *last = last.zip(value).map(|(before, now)| before.max(now)),
                None => {
                    if values.len() >= KEPT {
                        values.pop_front();
                    }
                    values.push_back(value);
                }
            }
        }
    }

    /// The worst round trip that is remembered of a path, in microseconds.
    pub fn worst(&self, address: &str) -> Option<u64> {
        self.paths.get(address)?.iter().flatten().max().copied()
    }

    /// The last values of a path as a row of digits, the newest at the right: 9 is the worst, `.` is a path that was
    /// down. None before there are two.
    pub fn row(&self, address: &str, width: usize) -> Option<String> {
        let values = self.paths.get(address).filter(|values| values.len() > 1)?;
        let worst = self.worst(address).unwrap_or(1).max(1);
        let digit = |value: &Option<u64>| match value {
            None => '.',
            Some(us) => char::from(b'0' + u8::try_from(us * 9 / worst).unwrap_or(9)),
        };
        Some(values.iter().skip(values.len().saturating_sub(width)).map(digit).collect())
    }
}

fn measured(link: &Link) -> Option<u64> {
    link.rtt_us.filter(|_| link.state == LinkState::Up)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn u1_a_path_is_remembered_by_the_worst_of_ten_seconds_and_not_for_ever() {
        let mut history = History::default();
        let mut status = samples::healthy();
        let address = status.links[0].address.clone();
        for (second, rtt) in [(1, 50), (9, 100), (10, 900), (12, 5), (20, 450)] {
            status.links[0].rtt_us = Some(rtt);
            history.note(&status, Duration::from_secs(second));
        }
        status.links[0].state = LinkState::Down;
        history.note(&status, Duration::from_secs(31));
        status.links[0].state = LinkState::Up;
        history.note(&status, Duration::from_secs(32));
        assert_eq!(history.row(&address, 10).as_deref(), Some("194."), "it was down in the last ten seconds");
        assert_eq!(history.row(&address, 2).as_deref(), Some("4."));
        assert_eq!(history.worst(&address), Some(900));
        for span in 4..500 {
            history.note(&status, EACH * span);
        }
        assert_eq!(history.row(&address, 1000).map(|row| row.len()), Some(KEPT));
    }
}

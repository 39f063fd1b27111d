//! Round trips as this screen saw them, a value a second, for the rows that show how a path was of late.
//!
//! Kept by the screen and not by the engine: a controller that nobody looks at must not work for pictures.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::control::status::{LinkState, Status};

/// So many values are kept a path: two minutes, and no wider than a wide terminal shows.
pub const KEPT: usize = 120;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    paths: BTreeMap<String, VecDeque<Option<u64>>>,
    second: Option<u64>,
}

impl History {
    /// A status came. Only the first in each second counts.
    pub fn note(&mut self, status: &Status, now: Duration) {
        if self.second.replace(now.as_secs()) == Some(now.as_secs()) {
            return;
        }
        for link in &status.links {
            let values = self.paths.entry(link.address.clone()).or_default();
            if values.len() >= KEPT {
                values.pop_front();
            }
            values.push_back(link.rtt_us.filter(|_| link.state == LinkState::Up));
        }
    }

    /// The worst round trip that is remembered of a path, in microseconds.
    pub fn worst(&self, address: &str) -> Option<u64> {
        self.paths.get(address)?.iter().flatten().max().copied()
    }

    /// The last values of a path as a row of digits, the newest at the right: 9 is the worst, `.` is none.
    pub fn row(&self, address: &str, width: usize) -> Option<String> {
        let values = self.paths.get(address).filter(|values| values.len() > 1)?;
        let worst = values.iter().flatten().max().copied().unwrap_or(1).max(1);
        let digit = |value: &Option<u64>| match value {
            None => '.',
            Some(us) => char::from(b'0' + u8::try_from(us * 9 / worst).unwrap_or(9)),
        };
        Some(values.iter().skip(values.len().saturating_sub(width)).map(digit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn u1_a_path_is_remembered_once_a_second_and_not_for_ever() {
        let mut history = History::default();
        let mut status = samples::healthy();
        let address = status.links[0].address.clone();
        for (second, rtt) in [(1, 100), (2, 900), (2, 5), (3, 450)] {
            status.links[0].rtt_us = Some(rtt);
            history.note(&status, Duration::from_secs(second));
        }
        status.links[0].state = LinkState::Down;
        history.note(&status, Duration::from_secs(4));
        assert_eq!(history.row(&address, 10).as_deref(), Some("194."));
        assert_eq!(history.row(&address, 2).as_deref(), Some("4."));
        assert_eq!(history.worst(&address), Some(900));
        for second in 5..500 {
            history.note(&status, Duration::from_secs(second));
        }
        assert_eq!(history.row(&address, 1000).map(|row| row.len()), Some(KEPT));
    }
}

//! Round trips and scores as this screen saw them, the worst of each ten seconds, for the rows that show how a path or a
//! member was of late.
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
    /// Scores by member, in hundredths.
    scores: BTreeMap<String, VecDeque<Option<u64>>>,
    /// The number of the ten seconds that the last values are of.
    span: Option<u64>,
}

impl History {
    /// A status came.
    pub fn note(&mut self, status: &Status, now: Duration) {
        let span = now.as_secs() / EACH.as_secs();
        let new = self.span.replace(span) != Some(span);
        for link in &status.links {
            keep(self.paths.entry(link.address.clone()).or_default(), measured(link), new, u64::max);
        }
        let own = (&status.node, Some(status.health.total));
        let theirs = status.peers.iter().map(|peer| (&peer.name, peer.score.filter(|_| peer.gone.is_none())));
        for (name, score) in std::iter::once(own).chain(theirs) {
            let hundredths = score.map(|score| (score.clamp(0.0, 1.0) * 100.0).round() as u64);
            keep(self.scores.entry(name.clone()).or_default(), hundredths, new, u64::min);
        }
    }

    /// The last scores of a member as a row of digits, the newest at the right: 9 is 1.00, `.` is one that was not heard.
    /// None before there are two.
    pub fn scores(&self, member: &str, width: usize) -> Option<String> {
        row(self.scores.get(member)?, 100, width)
    }

    /// The worst round trip that is remembered of a path, in microseconds.
    pub fn worst(&self, address: &str) -> Option<u64> {
        self.paths.get(address)?.iter().flatten().max().copied()
    }

    /// The last values of a path as a row of digits, the newest at the right: 9 is the worst, `.` is a path that was
    /// down. None before there are two.
    pub fn row(&self, address: &str, width: usize) -> Option<String> {
        row(self.paths.get(address)?, self.worst(address).unwrap_or(1).max(1), width)
    }
}

/// Keeps a value: of the ten seconds that go on the worse one. Ten seconds in which it was missing at all are kept so.
fn keep(values: &mut VecDeque<Option<u64>>, value: Option<u64>, new: bool, worse: fn(u64, u64) -> u64) {
    match values.back_mut().filter(|_| !new) {
        Some(last) => *last = last.zip(value).map(|(before, now)| worse(before, now)),
        None => {
            if values.len() >= KEPT {
                values.pop_front();
            }
            values.push_back(value);
        }
    }
}

fn row(values: &VecDeque<Option<u64>>, nine: u64, width: usize) -> Option<String> {
    let digit = |value: &Option<u64>| match value {
        None => '.',
        Some(value) => char::from(b'0' + u8::try_from(value * 9 / nine).unwrap_or(9)),
    };
    (values.len() > 1).then(|| values.iter().skip(values.len().saturating_sub(width)).map(digit).collect())
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

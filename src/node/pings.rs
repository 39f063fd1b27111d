//! `tandem ping`: pings across C2C at a given pace, each with its answer or the reason why there is none (N9).
//!
//! Holds no clock and no socket: the loop asks when something is due and tells what came back.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::control::request::Pong;
use crate::negotiation::member::MemberId;
use crate::negotiation::time::Instant;

use super::gaps::micros;

/// How many `tandem ping` may run at once; more are refused, so that pings cannot crowd out the negotiation.
pub const MAX_RUNS: usize = 8;

#[derive(Debug)]
struct Run {
    targets: Vec<(MemberId, String)>,
    count: u32,
    interval: Duration,
    sent: u32,
    next: Instant,
    pongs: mpsc::Sender<Pong>,
}

#[derive(Debug)]
struct Open {
    id: u64,
    peer: MemberId,
    name: String,
    seq: u32,
    gives_up: Instant,
    pongs: mpsc::Sender<Pong>,
}

/// All pings under way.
#[derive(Debug, Default)]
pub struct Pings {
    runs: Vec<Run>,
    open: Vec<Open>,
    last_id: u64,
}

/// A ping to be sent now.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// To whom.
    pub peer: MemberId,
    /// Its number on the wire.
    pub id: u64,
}

impl Pings {
    /// Starts a series to each target in turn.
    pub fn start(
        &mut self,
        now: Instant,
        targets: Vec<(MemberId, String)>,
        count: u32,
        interval: Duration,
        pongs: mpsc::Sender<Pong>,
    ) -> Result<(), String> {
        if self.runs.len() >= MAX_RUNS {
            return Err(format!("{MAX_RUNS} pings run already; wait until one has ended"));
        }
        self.runs.push(Run { targets, count, interval, sent: 0, next: now, pongs });
        Ok(())
    }

    /// When [`Pings::due`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let sends = self.runs.iter().map(|run| run.next);
        let ends = self.open.iter().map(|open| open.gives_up);
        sends.chain(ends).min()
    }

    /// Gives up what waited too long, and returns what is to be sent. `timeout` is how long an answer is waited for.
    pub fn due(&mut self, now: Instant, timeout: Duration) -> Vec<Due> {
        self.open.retain(|open| {
            if now < open.gives_up {
                return true;
            }
            tell(&open.pongs, no_answer(&open.name, open.seq, "no answer within the reply timeout"));
            false
        });
        let mut due = Vec::new();
        for run in &mut self.runs {
            if now < run.next || run.pongs.is_closed() {
                continue;
            }
            run.sent += 1;
            run.next = run.next.max(now - run.interval) + run.interval;
            for (peer, name) in &run.targets {
                self.last_id += 1;
                let open = Open {
                    id: self.last_id,
                    peer: *peer,
                    name: name.clone(),
                    seq: run.sent,
                    gives_up: now + timeout,
                    pongs: run.pongs.clone(),
                };
                due.push(Due { peer: *peer, id: open.id });
                self.open.push(open);
            }
        }
        // The sender of a series that is over lives on only in its open pings: the last answer ends it.
        self.runs.retain(|run| run.sent < run.count && !run.pongs.is_closed());
        due
    }

    /// A ping could not be sent: there is no link.
    pub fn not_sent(&mut self, id: u64) {
        if let Some(open) = self.take(id) {
            tell(&open.pongs, no_answer(&open.name, open.seq, "the link is down"));
        }
    }

    /// An answer came.
    pub fn answered(&mut self, peer: MemberId, id: u64, rtt: Duration, reverse: Option<Duration>) {
        if let Some(open) = self.take(id).filter(|open| open.peer == peer) {
            let pong = Pong {
                peer: open.name,
                seq: open.seq,
                rtt_us: Some(micros(rtt)),
                reverse_rtt_us: reverse.map(micros),
                why: None,
            };
            tell(&open.pongs, pong);
        }
    }

    fn take(&mut self, id: u64) -> Option<Open> {
        let place = self.open.iter().position(|open| open.id == id)?;
        Some(self.open.swap_remove(place))
    }
}

fn no_answer(name: &str, seq: u32, why: &str) -> Pong {
    Pong { peer: name.to_owned(), seq, rtt_us: None, reverse_rtt_us: None, why: Some(why.to_owned()) }
}

/// Who does not read its pongs loses them: the loop never waits for a client.
fn tell(pongs: &mpsc::Sender<Pong>, pong: Pong) {
    let _ = pongs.try_send(pong);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    #[test]
    fn n9_each_ping_is_answered_or_given_up_and_the_series_ends() {
        let (pongs, mut heard) = mpsc::channel(16);
        let mut pings = Pings::default();
        pings.start(at(0), vec![(MemberId(1), "beta".into())], 2, SECOND, pongs).unwrap();
        let first = pings.due(at(0), SECOND * 3);
        assert_eq!(first.len(), 1);
        pings.answered(MemberId(1), first[0].id, Duration::from_micros(210), None);
        assert_eq!(heard.try_recv().unwrap().rtt_us, Some(210));
        assert!(pings.due(at(999), SECOND * 3).is_empty());
        assert_eq!(pings.due(at(1000), SECOND * 3).len(), 1);
        assert_eq!(pings.next_deadline(), Some(at(4000)));
        pings.due(at(4000), SECOND * 3);
        let lost = heard.try_recv().unwrap();
        assert_eq!((lost.seq, lost.rtt_us), (2, None));
        assert_eq!(heard.try_recv(), Err(mpsc::error::TryRecvError::Disconnected), "the series is over");
        assert_eq!(pings.next_deadline(), None);
    }

    #[test]
    fn a_client_that_left_ends_its_series() {
        let (pongs, heard) = mpsc::channel(1);
        let mut pings = Pings::default();
        pings.start(at(0), vec![(MemberId(1), "beta".into())], 1000, SECOND, pongs).unwrap();
        drop(heard);
        assert!(pings.due(at(0), SECOND).is_empty());
        assert_eq!(pings.next_deadline(), None);
    }
}

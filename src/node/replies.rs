//! The history of what a peer tells this member to be, for people: equal replies in a row are one entry, so that days
//! of "stay Secondary" take one line and the last different one is still there.

use std::collections::VecDeque;
use std::time::Duration;

use crate::control::status::{Reply, ReplyKind};
use crate::negotiation::ability::Score;
use crate::negotiation::message::{Message, Mode, Order};
use crate::negotiation::time::Instant;

use super::gaps::{micros, millis};

/// How many different entries are kept: enough for every change of the last incidents, bounded for ever.
const KEPT: usize = 32;

#[derive(Debug, Clone)]
struct Run {
    kind: ReplyKind,
    newest: Instant,
    oldest: Instant,
    count: u64,
    score: Option<Score>,
    rtt: Option<Duration>,
    query: u64,
}

/// One peer's replies.
#[derive(Debug, Clone, Default)]
pub struct Replies {
    runs: VecDeque<Run>,
    queries: u64,
    received: u64,
}

impl Replies {
    /// A query was sent to the peer.
    pub fn asked(&mut self) {
        self.queries += 1;
    }

    /// A reply came, or a query, or nothing did.
    pub fn heard(&mut self, now: Instant, kind: ReplyKind, score: Option<Score>, rtt: Option<Duration>) {
        // On a Primary the queries are the peer's: they are numbered as they come.
        if kind == ReplyKind::Query {
            self.received += 1;
        }
        let query = if kind == ReplyKind::Query { self.received } else { self.queries };
        match self.runs.front_mut() {
            Some(run) if run.kind == kind => {
                run.newest = now;
                run.count += 1;
                run.score = score;
                run.rtt = rtt;
                run.query = query;
            }
            Some(_) | None => {
                self.runs.truncate(KEPT - 1);
                self.runs.push_front(Run { kind, newest: now, oldest: now, count: 1, score, rtt, query });
            }
        }
    }

    /// A message came while this member was in `mode`: an answer, or on a Primary a query, is remembered.
    pub fn received(&mut self, now: Instant, mode: Mode, message: &Message) {
        match message {
            Message::Answer(answer) => {
                let kind = match answer.order {
                    Order::BePrimary { .. } => ReplyKind::BecomePrimary,
                    Order::StaySecondary { .. } => ReplyKind::StaySecondary,
                };
                // The id is the time of asking.
                let rtt = now.since(Instant(answer.id.0));
                self.heard(now, kind, Some(answer.score), Some(rtt));
            }
            Message::Query(query) if mode == Mode::Primary => {
                self.heard(now, ReplyKind::Query, Some(query.score), None);
            }
            Message::Query(_)
            | Message::Beacon(_)
            | Message::Grant(_)
            | Message::Relay(_)
            | Message::HandOverRequest(_)
            | Message::HandOverAnswer(_)
            | Message::Released(_)
            | Message::Hold(_)
            | Message::Bye => {}
        }
    }

    /// The negotiation told this while this member was in `mode`: a silence is an entry in the history of replies too.
    /// Who is Primary asks nobody, so nobody owes it an answer (N5).
    pub fn fell_silent(&mut self, now: Instant, mode: Mode) {
        if mode == Mode::Secondary {
            self.heard(now, ReplyKind::NoAnswer, None, None);
        }
    }

    /// For the status, newest first.
    pub fn report(&self, now: Instant) -> Vec<Reply> {
        let reply = |run: &Run| Reply {
            age_ms: millis(now.since(run.newest)),
            reply: run.kind,
            score: run.score.map(f64::from),
            rtt_us: run.rtt.map(micros),
            query: run.query,
            count: run.count,
            first_age_ms: millis(now.since(run.oldest)),
        };
        self.runs.iter().map(reply).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_replies_collapse_and_the_last_different_one_is_kept() {
        let mut replies = Replies::default();
        replies.heard(Instant(0), ReplyKind::NoAnswer, None, None);
        for second in 1..=5 {
            replies.asked();
            replies.heard(Instant(second * 1_000_000_000), ReplyKind::StaySecondary, Some(Score::FULL), None);
        }
        let report = replies.report(Instant(6_000_000_000));
        assert_eq!(report.len(), 2);
        assert_eq!((report[0].count, report[0].age_ms, report[0].first_age_ms, report[0].query), (5, 1000, 5000, 5));
        assert_eq!(report[1].reply, ReplyKind::NoAnswer);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut replies = Replies::default();
        for turn in 0..1000 {
            let kind = if turn % 2 == 0 { ReplyKind::NoAnswer } else { ReplyKind::StaySecondary };
            replies.heard(Instant(turn), kind, None, None);
        }
        assert_eq!(replies.report(Instant(1000)).len(), KEPT);
    }
}

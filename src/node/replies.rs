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
    why: Option<&'static str>,
}

/// Whether there is a connection to the peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Connection {
    /// There was none since this start.
    #[default]
    NotYet,
    /// There is one.
    Up,
    /// There was one.
    Down,
}

/// One peer's replies.
#[derive(Debug, Clone, Default)]
pub struct Replies {
    runs: VecDeque<Run>,
    queries: u64,
    received: u64,
    connection: Connection,
}

impl Replies {
    /// The first path to the peer came up. Where that took longer than an `interval` since the start, at which the clock
    /// began, questions were due and could not be put.
    pub fn connected(&mut self, now: Instant, interval: Duration) {
        let waited = now.since(Instant(0));
        if self.connection == Connection::NotYet && waited >= interval {
            self.silence(now, waited, Some("the link was starting"));
        }
        self.connection = Connection::Up;
    }

    /// The last path to it went down.
    pub fn disconnected(&mut self) {
        self.connection = Connection::Down;
    }

    fn silence(&mut self, now: Instant, lasted: Duration, why: Option<&'static str>) {
        self.heard(now, ReplyKind::NoAnswer, None, None);
        if let Some(run) = self.runs.front_mut() {
            (run.oldest, run.why) = (run.oldest.min(now - lasted), why);
        }
    }

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
                self.runs.push_front(Run { kind, newest: now, oldest: now, count: 1, score, rtt, query, why: None });
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
    pub fn fell_silent(&mut self, now: Instant, mode: Mode, silent_for: Duration) {
        if mode == Mode::Secondary {
            let why = (self.connection == Connection::Down).then_some("the link was down");
            self.silence(now, silent_for, why);
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
            why: run.why.map(str::to_owned),
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
    fn u1_time_without_an_answer_says_how_long_it_was_and_why() {
        let at = |seconds: u64| Instant(seconds * 1_000_000_000);
        let mut replies = Replies::default();
        replies.connected(at(2), Duration::from_secs(1));
        replies.heard(at(3), ReplyKind::StaySecondary, Some(Score::FULL), None);
        replies.disconnected();
        replies.fell_silent(at(7), Mode::Secondary, Duration::from_secs(3));
        let told: Vec<(u64, Option<String>)> =
            replies.report(at(10)).into_iter().map(|reply| (reply.first_age_ms, reply.why)).collect();
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(told, [(6_000, said("the link was down")), (7_000, None), (10_000, said("the link was starting"))]);
        let mut quick = Replies::default();
        quick.connected(Instant(10), Duration::from_secs(1));
        assert_eq!(quick.report(at(1)), [], "no question was due");
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

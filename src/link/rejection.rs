//! What the link refuses: counted by kind, and told at a bounded rate.
//!
//! A refusal never reaches the negotiation. Whoever floods the listening socket costs the journal a line a second at
//! first and one a minute later, with the number of those left out.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::event::LinkEvent;

/// Why a connection or a message was refused (N13, N17, S8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionKind {
    /// A frame longer than the limit.
    TooLong,
    /// Bytes that are not this protocol.
    Garbage,
    /// A caller, or a listener, with a key that is not accepted.
    WrongKey,
    /// Another group.
    WrongGroup,
    /// One side encrypts and the other does not.
    WrongSecurity,
    /// A protocol version too old to talk to.
    Version,
    /// A name that is no member, or a member that must not call.
    Stranger,
    /// A caller that wanted somebody else, or a listener that is somebody else.
    Misdirected,
    /// A handshake that did not end in time.
    Slow,
    /// More unfinished handshakes than there is room for.
    Flood,
    /// A handshake, or a message, recorded earlier or changed on the way.
    Replay,
    /// Two machines with one member's name.
    SecondInstance,
    /// An authenticated message that makes no sense.
    Unreadable,
    /// An authenticated message that names somebody who is no member here.
    UnknownName,
    /// An authenticated message of a type that this version does not know; skipped (N17).
    UnknownType,
}

impl RejectionKind {
    /// Every kind, in the order of the reports.
    pub const ALL: [RejectionKind; 15] = [
        RejectionKind::TooLong,
        RejectionKind::Garbage,
        RejectionKind::WrongKey,
        RejectionKind::WrongGroup,
        RejectionKind::WrongSecurity,
        RejectionKind::Version,
        RejectionKind::Stranger,
        RejectionKind::Misdirected,
        RejectionKind::Slow,
        RejectionKind::Flood,
        RejectionKind::Replay,
        RejectionKind::SecondInstance,
        RejectionKind::Unreadable,
        RejectionKind::UnknownName,
        RejectionKind::UnknownType,
    ];

    /// The kind as the status JSON writes it.
    pub fn word(self) -> &'static str {
        match self {
            RejectionKind::TooLong => "too_long",
            RejectionKind::Garbage => "garbage",
            RejectionKind::WrongKey => "wrong_key",
            RejectionKind::WrongGroup => "wrong_group",
            RejectionKind::WrongSecurity => "wrong_security",
            RejectionKind::Version => "version",
            RejectionKind::Stranger => "stranger",
            RejectionKind::Misdirected => "misdirected",
            RejectionKind::Slow => "slow",
            RejectionKind::Flood => "flood",
            RejectionKind::Replay => "replay",
            RejectionKind::SecondInstance => "second_instance",
            RejectionKind::Unreadable => "unreadable",
            RejectionKind::UnknownName => "unknown_name",
            RejectionKind::UnknownType => "unknown_type",
        }
    }
}

/// One refusal, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub kind: RejectionKind,
    /// The other side's address, where known.
    pub from: Option<SocketAddr>,
    /// A sentence for people, with the number of equal refusals that were not told since the last one.
    pub detail: String,
}

/// The shortest time between two reports of one kind.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest; reached by doubling while refusals of the kind keep coming.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
struct Tally {
    count: u64,
    untold: u64,
    told_at: Option<Instant>,
    pause: Duration,
}

/// Counts every refusal and tells some of them.
#[derive(Debug)]
pub(super) struct Rejections {
    tallies: Mutex<[Tally; RejectionKind::ALL.len()]>,
    events: mpsc::Sender<LinkEvent>,
}

impl Rejections {
    pub(super) fn new(events: mpsc::Sender<LinkEvent>) -> Rejections {
        let tally = Tally { count: 0, untold: 0, told_at: None, pause: FIRST_PAUSE };
        Rejections { tallies: Mutex::new([tally; RejectionKind::ALL.len()]), events }
    }

    /// Counts one, and tells it unless one of its kind was told a short while ago or nobody has room to hear it.
    pub(super) fn add(&self, kind: RejectionKind, from: Option<SocketAddr>, detail: String) {
        let now = Instant::now();
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = &mut tallies[kind as usize];
        tally.count += 1;
        let quiet_for = tally.told_at.map(|at| now.saturating_duration_since(at));
        if quiet_for.is_some_and(|quiet| quiet < tally.pause) {
            tally.untold += 1;
            return;
        }
        let detail =
            if tally.untold == 0 { detail } else { format!("{detail} (and {} more like it since)", tally.untold) };
        match self.events.try_send(LinkEvent::Rejected(Rejection { kind, from, detail })) {
            Ok(()) => {
                let kept_coming = quiet_for.is_some_and(|quiet| quiet < tally.pause * 2);
                tally.pause = if kept_coming { (tally.pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
                tally.told_at = Some(now);
                tally.untold = 0;
            }
            Err(_) => tally.untold += 1,
        }
    }

    /// How many of each kind since start, without those that never happened.
    pub(super) fn counts(&self) -> Vec<(RejectionKind, u64)> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        RejectionKind::ALL
            .into_iter()
            .map(|kind| (kind, tallies[kind as usize].count))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_at_its_own_place() {
        for (place, kind) in RejectionKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }

    #[test]
    fn n13_a_thousand_refusals_are_counted_and_told_once() {
        let (events, mut told) = mpsc::channel(4);
        let rejections = Rejections::new(events);
        for _ in 0..1000 {
            rejections.add(RejectionKind::Garbage, None, "nonsense".into());
        }
        assert_eq!(rejections.counts(), vec![(RejectionKind::Garbage, 1000)]);
        assert!(told.try_recv().is_ok());
        assert!(told.try_recv().is_err());
    }
}

//! What a member keeps about one peer, and when that peer counts as gone (rule 2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::{Ability, Score};
use super::fencing::Fencing;
use super::message::{Grant, Hears, HoldStamp, Incarnation, Mode, Query};
use super::settings::{Agreement, AgreementKey};
use super::term::Term;
use super::time::Instant;
use super::view::Gone;

/// The last answer of a peer.
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
pub(super) struct LastAnswer {
    /// Set when it said "be Primary".
    pub consent: Option<Consent>,
    /// When its question was sent, by our clock: every validity is counted from here.
    pub asked_at: Instant,
}

/// "Be Primary", with what it is worth.
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
pub(super) struct Consent {
    /// The number it was given for.
    pub proposed: u64,
    /// Whether it is on the peer's disk, and so counts towards a majority.
    pub written: bool,
    /// Whether it came as a release of the role.
    pub released: bool,
}

/// One peer.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct Peer {
    pub link_up: bool,
    /// Whether a connection was up since boot: until then the boot's waits apply.
    pub ever_up: bool,
    pub incarnation: Option<Incarnation>,
    /// When it was last heard.
    pub heard: Option<Instant>,
    /// How long we ourselves slept since it was last heard: excuses that much silence (rule 13).
    pub allowance: Duration,
    /// After a stall: silence proves nothing before this (rule 13: one fresh query must stay unanswered).
    pub not_before: Option<Instant>,
    pub said_bye: bool,
    pub refused: bool,
    /// Before the first connection: an attempt failed (N3 with `connect_grace` zero).
    pub attempt_failed: bool,
    /// Whether its mode is known since boot, or since our last stall (rule 3e).
    pub mode_known: bool,
    pub mode: Option<Mode>,
    /// Its own term as last heard.
    pub term: Term,
    /// The highest term that it says it has heard of. Only a forced Primary rests on it: who knows its term cannot take
    /// over on an older consent.
    pub seen: Term,
    /// Set while it is known as Primary.
    pub primary: Option<Term>,
    pub able: Option<Ability>,
    pub candidate: bool,
    pub claim: bool,
    pub score: Option<Score>,
    /// Whether it still heard us, by its last word.
    pub hears: Hears,
    pub answer: Option<LastAnswer>,
    /// When the latest of our questions that it answered was sent.
    pub answered_question: Option<Instant>,
    /// When the beacon of its latest grant was sent, by our clock.
    pub granted: Option<Instant>,
    /// Since when this incarnation of the peer has granted our present term.
    pub granting_since: Option<Instant>,
    /// A query that waits for the disk before it can be answered; a later one takes its place.
    pub pending_query: Option<Query>,
    /// A grant that waits for the disk.
    pub pending_grant: Option<Grant>,
    /// The latest word about the hold that was sent to it on a live link, or came from it.
    pub hold_told: HoldStamp,
    pub agreement: Option<Agreement>,
    pub differs: Vec<AgreementKey>,
    pub fencing: Fencing,
    /// What the journal was last told.
    pub gone_said: Option<Gone>,
    pub two_primaries_said: Option<Term>,
}

impl Peer {
    pub fn new() -> Peer {
        Peer {
            link_up: false,
            ever_up: false,
            incarnation: None,
            heard: None,
            allowance: Duration::ZERO,
            not_before: None,
            said_bye: false,
            refused: false,
            attempt_failed: false,
            mode_known: false,
            mode: None,
            term: Term::NONE,
            seen: Term::NONE,
            primary: None,
            able: None,
            candidate: true,
            claim: false,
            score: None,
            hears: Hears::You,
            answer: None,
            answered_question: None,
            granted: None,
            granting_since: None,
            pending_query: None,
            pending_grant: None,
            hold_told: HoldStamp::default(),
            agreement: None,
            differs: Vec::new(),
            fencing: Fencing::default(),
            gone_said: None,
            two_primaries_said: None,
        }
    }

    /// Any authenticated word on the current connection.
    pub fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
        self.allowance = Duration::ZERO;
        self.not_before = None;
        self.said_bye = false;
        self.refused = false;
    }

    /// Forgets what a former incarnation said. Its grant stands: who restarts neither consents nor takes over before
    /// it has settled, and by then the grant is over (rule 1).
    pub fn forget_words(&mut self) {
        self.answer = None;
        self.answered_question = None;
        self.granting_since = None;
        self.primary = None;
        self.mode = None;
        self.mode_known = false;
        self.able = None;
        self.candidate = true;
        self.claim = false;
        self.score = None;
        self.hears = Hears::You;
        self.pending_query = None;
        self.pending_grant = None;
        self.hold_told = HoldStamp::default();
    }

    /// Rule 2. `boot_wait` is for a peer never heard since boot, `timeout` for the others.
    pub fn gone(&self, now: Instant, times: &SilenceTimes) -> Option<Gone> {
        if self.fencing.is_off() {
            return Some(Gone::Off);
        }
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        if !self.ever_up {
            return match self.silence_deadline(times) {
                Some(deadline) if now >= deadline => Some(Gone::NeverHeard),
                Some(_) | None => None,
            };
        }
        if self.said_bye {
            return Some(Gone::Stopped);
        }
        if self.refused && !self.link_up && times.crash_detection {
            return Some(Gone::Crashed);
        }
        match self.silence_deadline(times) {
            Some(deadline) if now >= deadline => Some(Gone::Silent),
            Some(_) | None => None,
        }
    }

    /// When it counts as gone if nothing more is heard; none while only an event can tell.
    pub fn gone_at(&self, times: &SilenceTimes) -> Option<Instant> {
        let deadline = if self.said_bye || (self.refused && !self.link_up && times.crash_detection) {
            Some(Instant::default())
        } else {
            self.silence_deadline(times)
        };
        deadline.map(|deadline| deadline.max(self.not_before.unwrap_or_default()))
    }

    fn silence_deadline(&self, times: &SilenceTimes) -> Option<Instant> {
        if self.ever_up {
            // Heard at least when the connection came up: the handshake is an authenticated word.
            return self.heard.map(|heard| heard + times.timeout + self.allowance);
        }
        if times.boot_wait.is_zero() && !self.attempt_failed {
            return None;
        }
        Some(times.boot + times.boot_wait + self.allowance)
    }
}

/// The times by which a peer's silence is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct SilenceTimes {
    pub boot: Instant,
    /// `boot_timeout` towards a peer that calls, `connect_grace` towards one that is called (N3).
    pub boot_wait: Duration,
    pub timeout: Duration,
    pub crash_detection: bool,
}

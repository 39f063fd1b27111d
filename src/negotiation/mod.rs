//! Who is Primary: a state machine without I/O, clock, thread or randomness.
//!
//! It takes an input and the time, and appends what it wants done to a buffer that the caller owns. The node, the
//! simulator, the model checker and the recorder drive the very same machine. It does not know sockets, files or
//! addresses; members are numbers in the order of their addresses (N2). The clauses N1–N20, S7, S9, S10 and S11 of the
//! requirements are decided here, by the rules that ARCHITECTURE.md lists.
//!
//! Four verbs: [`Negotiator::new`], [`Negotiator::handle`], [`Negotiator::next_deadline`], [`Negotiator::view`].

pub mod ability;
pub mod decision;
pub mod event;
pub mod exchange;
pub mod guard;
pub mod member;
pub mod message;
pub mod rebase;
pub mod settings;
pub mod term;
pub mod time;
pub mod trouble;
pub mod view;

mod answering;
mod arbiter;
mod disk;
mod fencing;
mod forced;
mod hand_over;
mod health;
mod hearing;
mod hold;
mod lease;
mod lease_stand;
mod look;
mod peer;
mod reference;
mod review;
mod stopping;
mod takeover;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use ability::Score;
use decision::{AnswerEvidence, Decision, PeerEvidence, ProtectionEvidence, Rule};
use disk::Disk;
use event::Event;
use exchange::{Durable, Input, Output, StateVersion, StopCause};
use guard::Guard;
use hand_over::Pending;
use hold::HoldState;
use member::MemberId;
use message::{Message, Mode};
use peer::Peer;
use settings::{Settings, SettingsError};
use stopping::Leaving;
use takeover::How;
use term::Term;
use time::Instant;

/// Lateness below this is a timer's grain, whatever the settings.
const SHORTEST_STALL: Duration = Duration::from_millis(5);

/// Where a member is between Secondary and Primary.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
enum State {
    Secondary,
    /// Decided, and waiting for the disk (rule 7). People see this as Secondary, "taking over".
    Becoming {
        term: Term,
        version: StateVersion,
        how: How,
        rule: Rule,
        since: Instant,
    },
    Primary {
        term: Term,
        how: How,
    },
    /// Leaving the role, while what runs only on the Primary still stops (P2).
    Stopping(Box<stopping::Stopping>),
}

/// Not to become Primary before `until`, because `to` was told that it may (N16).
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
struct Promise {
    to: MemberId,
    until: Instant,
}

/// No candidate until `to`, who was handed the role, has announced itself (rule 11).
#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
struct Waiting {
    to: MemberId,
    until: Instant,
}

/// One member's negotiation. See the module's first paragraph. Serialisable whole, private parts included: the journal's
/// recorder writes it now and then, so that a replay may begin there (U5).
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub struct Negotiator {
    settings: Settings,
    now: Instant,
    boot: Instant,
    state: State,
    /// The last change of mode.
    reason: Decision,
    since: Instant,
    /// The term this member is or was Primary in last.
    own_term: Term,
    /// The highest term heard of.
    seen: Term,
    /// The version of the state on disk that holds `seen`.
    seen_version: StateVersion,
    voted: Term,
    voted_version: StateVersion,
    promise: Option<Promise>,
    settle_until: Instant,
    waiting_for: Option<Waiting>,
    claim: bool,
    stepped_down_until: Option<Instant>,
    /// Until when it is a lesser candidate, because it lost the role for its health (S6).
    lost_until: Option<Instant>,
    stopping: Option<StopCause>,
    stopped: bool,
    score: Score,
    hold: HoldState,
    /// The reply timeout that binds: the shortest of ours and our peers' (N19).
    timeout: Duration,
    /// The lease that binds, where one is used: the shortest of ours and our peers' (N19).
    lease: Duration,
    /// Answers and grants to questions from before this count for nothing: we slept since (rule 13).
    trust_from: Instant,
    next_interval: Instant,
    last_query: Instant,
    peers: Vec<Peer>,
    disk: Disk,
    command: Option<Pending>,
    release: Option<hand_over::Release>,
    health_takeovers: health::HealthTakeovers,
    /// Set while a Primary that slept asks again and its processes go on (rule 13).
    kept: Option<stopping::Kept>,
    fence_order: Option<fencing::FenceOrder>,
    arbiter: arbiter::ArbiterDesk,
    reference: reference::Reference,
    /// Since when this Primary has heard no other member.
    alone_since: Option<Instant>,
    /// What stopping everything that runs only on the Primary takes at worst; zero: there is nothing to stop.
    stop_time: Duration,
    no_state_at_boot: bool,
    history_said: bool,
    would_take_over_said: bool,
}

impl Negotiator {
    /// A member that boots now (N1), with what its disk kept; `None` when it never ran, or lost its disk.
    ///
    /// # Errors
    ///
    /// Settings that the rules cannot work with.
    pub fn new(settings: Settings, now: Instant, kept: Option<Durable>) -> Result<Negotiator, SettingsError> {
        settings.check()?;
        let no_state_at_boot = kept.is_none();
        let kept = kept.unwrap_or(Durable::EMPTY);
        let timeout = settings.reply_timeout;
        let lease = settings.lease_length().unwrap_or(timeout);
        let peers = settings.members.iter().map(|_| Peer::new()).collect();
        let reason = Decision {
            at: now,
            rule: Rule::Booted,
            mode: Mode::Secondary,
            term: kept.seen,
            evidence: Vec::new(),
            protection: ProtectionEvidence::default(),
        };
        Ok(Negotiator {
            now,
            boot: now,
            state: State::Secondary,
            reason,
            since: now,
            own_term: Term::NONE,
            seen: kept.seen,
            seen_version: StateVersion::default(),
            voted: kept.voted,
            voted_version: StateVersion::default(),
            promise: None,
            // A promise given before a crash may still stand (rule 1).
            settle_until: now + timeout.max(lease) + settings.query_interval,
            waiting_for: None,
            claim: false,
            stepped_down_until: None,
            lost_until: (!kept.health.lost_for.is_zero()).then(|| now + kept.health.lost_for),
            stopping: None,
            stopped: false,
            score: Score::FULL,
            hold: HoldState::restore(kept.hold, now),
            timeout,
            lease,
            trust_from: Instant::default(),
            next_interval: now,
            last_query: Instant::default(),
            peers,
            disk: Disk::default(),
            command: None,
            release: None,
            health_takeovers: health::HealthTakeovers::restore(&kept.health, now),
            kept: None,
            fence_order: None,
            arbiter: arbiter::ArbiterDesk::new(),
            reference: reference::Reference::default(),
            alone_since: None,
            stop_time: Duration::ZERO,
            no_state_at_boot,
            history_said: false,
            would_take_over_said: false,
            settings,
        })
    }

    /// Takes a fact that became known at `now` and appends what is to be done to `out`, in order. Time never runs
    /// backwards here: an earlier `now` counts as the latest one seen.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        self.now = self.now.max(now);
        match input {
            Input::Tick => {}
            Input::Late { by } => self.late(by, out),
            Input::LinkUp { peer, hello } => self.link_up(peer, hello, out),
            Input::LinkDown { peer } => self.link_down(peer, out),
            Input::LinkRefused { peer } => self.link_refused(peer),
            Input::ConnectFailed { peer } => self.connect_failed(peer),
            Input::Received { peer, message } => self.received(peer, message, out),
            Input::Written { version } => self.written(version, out),
            Input::WriteFailed { version } => self.write_failed(version, out),
            Input::Health { score } => self.score = score,
            Input::StopTime { longest } => self.stop_time = longest,
            Input::ServingStopped => self.serving_stopped(out),
            Input::Fenced { peer, result } => self.fenced(peer, result, out),
            Input::FenceDevice { peer, why_not } => self.fence_device(peer, why_not, out),
            Input::Tuned(tuning) => self.settings.tune(tuning),
            Input::Arbiter { asked_at, reply } => self.arbiter_replied(asked_at, reply, out),
            Input::Reference { asked_at, answered } => self.reference_replied(asked_at, answered, out),
            Input::Command(command) => self.command(command, out),
            Input::Stop { cause } => self.stop(cause, out),
        }
        if !self.stopped {
            // Nothing follows the last word.
            self.review(out);
        }
        if guard::off(Guard::PersistBeforeActing) {
            self.finish_becoming(out);
        }
        self.flush_disk(out);
    }

    /// Whether `peer` is another configured member; a message that names nobody is the driver's bug and is ignored.
    fn knows(&self, peer: MemberId) -> bool {
        peer != self.settings.me && peer.index() < self.peers.len()
    }

    fn send(&self, to: MemberId, message: Message, out: &mut Vec<Output>) {
        if self.peers[to.index()].link_up {
            out.push(Output::Send { to, message });
        }
    }

    fn send_to_all(&self, message: &Message, out: &mut Vec<Output>) {
        for peer in self.settings.others() {
            self.send(peer, message.clone(), out);
        }
    }

    /// Raises the highest term heard of. What exceeds every possible term is nonsense and is ignored.
    fn raise_seen(&mut self, term: Term) {
        if term > self.seen && term.number <= Term::MAX_NUMBER {
            self.seen = term;
            self.seen_version = self.disk.want();
        }
    }

    /// The longest stall that others still excuse (rule 13): half of the shortest of timeout and lease; less where the
    /// interval is longer than that, because others have already waited for the whole interval when it begins to count.
    fn stall_bound(&self) -> Duration {
        let shortest = if self.uses_lease() { self.timeout.min(self.lease) } else { self.timeout };
        (shortest / 2).min(self.timeout.saturating_sub(self.binding_interval())).max(SHORTEST_STALL)
    }

    fn decision(&self, rule: Rule, mode: Mode, term: Term) -> Decision {
        let evidence = self.settings.others().map(|peer| self.evidence(peer)).collect();
        Decision { at: self.now, rule, mode, term, evidence, protection: self.protection_evidence() }
    }

    fn protection_evidence(&self) -> ProtectionEvidence {
        ProtectionEvidence { arbiter: self.arbiter_evidence(), reference: self.reference_evidence() }
    }

    fn evidence(&self, peer: MemberId) -> PeerEvidence {
        let known = &self.peers[peer.index()];
        PeerEvidence {
            name: self.settings.name(peer),
            link_up: known.link_up,
            heard: known.heard.map(|heard| self.now.since(heard)),
            mode: known.mode.map(|mode| match mode {
                Mode::Primary => (mode, known.term),
                Mode::Secondary => (mode, known.term.max(known.seen)),
            }),
            able: known.able,
            score: known.score,
            answer: known.answer.map(|answer| AnswerEvidence {
                be_primary: answer.consent.is_some(),
                asked: self.now.since(answer.asked_at),
                proposed: answer.consent.map_or(0, |consent| consent.proposed),
            }),
        }
    }

    /// Every change of mode goes through here, or ends in [`Negotiator::serving_stopped`]; every change has its decision.
    fn change_mode(&mut self, state: State, rule: Rule, term: Term, out: &mut Vec<Output>) {
        let mode = match state {
            State::Primary { .. } => Mode::Primary,
            State::Secondary | State::Becoming { .. } | State::Stopping(_) => Mode::Secondary,
        };
        if mode == Mode::Secondary && self.kept.is_some() {
            // It will not be back in time: what runs on has to stop first.
            return self.stop_kept(Leaving::Lost { claim: self.claim }, out);
        }
        let decision = self.decision(rule, mode, term);
        if self.shown_mode() != mode {
            self.since = self.now;
        }
        self.kept = None;
        self.state = state;
        self.reason = decision.clone();
        self.next_interval = self.now;
        out.push(Output::ModeChanged(decision));
    }

    /// The mode as others are told it: who has yielded or lost the role is none of theirs any more.
    fn mode(&self) -> Mode {
        if self.announced().is_some() { Mode::Primary } else { Mode::Secondary }
    }

    fn event(&self, event: Event, out: &mut Vec<Output>) {
        out.push(Output::Event(event));
    }
}

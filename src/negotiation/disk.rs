//! What waits for the disk: the term before acting, the vote before answering (N11, N16, N20).

use serde::{Deserialize, Serialize};

use super::decision::Rule;
use super::event::Event;
use super::exchange::{Durable, Output, StateVersion};
use super::guard::{self, Guard};
use super::message::Message;
use super::takeover::{Assume, How};
use super::{Negotiator, State};

/// How far the disk has come.
#[derive(Debug, Clone, Default, Hash, Serialize, Deserialize)]
pub(super) struct Disk {
    /// The latest version asked for.
    pub(super) asked: StateVersion,
    /// The latest version known to be on disk.
    pub(super) written: StateVersion,
    /// Whether the state changed since `asked`.
    pub(super) changed: bool,
    /// Whether the last write failed.
    pub failed: bool,
}

impl Disk {
    /// Notes that the state changed; the returned version will hold the change.
    pub fn want(&mut self) -> StateVersion {
        self.changed = true;
        StateVersion(self.asked.0 + 1)
    }

    /// Whether a version is on disk.
    pub fn holds(&self, version: StateVersion) -> bool {
        version <= self.written
    }
}

impl Negotiator {
    /// Asks for one write of everything that changed in this step.
    pub(super) fn flush_disk(&mut self, out: &mut Vec<Output>) {
        if !self.disk.changed {
            return;
        }
        self.disk.changed = false;
        self.disk.asked.0 += 1;
        let seen = match self.state {
            State::Becoming { term, .. } => self.seen.max(term),
            State::Secondary | State::Primary { .. } | State::Stopping(_) => self.seen,
        };
        let state =
            Durable { seen, voted: self.voted, hold: self.hold.durable(self.now), health: self.durable_health() };
        out.push(Output::Write { version: self.disk.asked, state });
    }

    pub(super) fn written(&mut self, version: StateVersion, out: &mut Vec<Output>) {
        self.disk.written = self.disk.written.max(version.min(self.disk.asked));
        if self.disk.failed && self.disk.holds(self.disk.asked) {
            self.disk.failed = false;
            self.event(Event::StateDurable, out);
        }
        self.finish_becoming(out);
        self.go_on(out);
    }

    pub(super) fn write_failed(&mut self, version: StateVersion, out: &mut Vec<Output>) {
        if version <= self.disk.written {
            return;
        }
        if !self.disk.failed {
            self.disk.failed = true;
            self.event(Event::StateNotDurable, out);
        }
        if let State::Becoming { term, .. } = self.state {
            // N20: who cannot write its state takes no role.
            self.change_mode(State::Secondary, Rule::AbandonedForDisk, term, out);
            self.give_back(out);
        }
        self.go_on(out);
    }

    /// Rule 7, second half: the term is durable; does rule 6 still hold?
    pub(super) fn finish_becoming(&mut self, out: &mut Vec<Output>) {
        let State::Becoming { term, version, how, ref rule, .. } = self.state else { return };
        if !self.disk.holds(version) && !guard::off(Guard::PersistBeforeActing) {
            return;
        }
        let rule = rule.clone();
        match how {
            // A higher term was heard meanwhile: force means to act in one above it.
            How::Forced if term.number <= self.floor() => self.begin(rule, how, out),
            How::Forced => self.become_primary(term, how, rule, out),
            How::ByRule => {
                let still = term.number == self.next_number() && self.may_take_over(Assume::Nothing);
                if still || guard::off(Guard::LookAgainAfterTheDisk) {
                    self.become_primary(term, how, rule, out);
                } else {
                    let missing = if self.lease_ran_out(term) {
                        "its lease was over before its term was on disk".to_owned()
                    } else {
                        self.missing(Assume::Nothing).unwrap_or_else(|| "a higher term was heard".to_owned())
                    };
                    self.change_mode(State::Secondary, Rule::AbandonedForChange { missing }, term, out);
                }
            }
        }
    }

    /// What was held back until the state is on disk, or it is known that it will not be; and until the lease is back with
    /// the arbiter.
    pub(super) fn go_on(&mut self, out: &mut Vec<Output>) {
        self.finish_release(out);
        if self.stopped {
            // Nothing follows the last word.
            return;
        }
        for peer in self.settings.others() {
            if let Some(query) = self.peers[peer.index()].pending_query.take() {
                self.answer(peer, query, out);
            }
            if self.seen_is_durable()
                && let Some(grant) = self.peers[peer.index()].pending_grant.take()
            {
                self.send(peer, Message::Grant(grant), out);
            }
        }
    }

    /// Whether the highest term heard of is on disk, or the disk has failed and will not take it (N20: who cannot write
    /// goes on answering, and takes no role itself).
    pub(super) fn seen_is_durable(&self) -> bool {
        self.disk.failed || self.disk.holds(self.seen_version) || guard::off(Guard::PersistWhatIsTold)
    }
}

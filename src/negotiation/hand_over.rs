//! Handing the role over, taking it by an operator's word, and stopping (rules 11 and 12; N18, U2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ability::{Ability, Rank, Unable};
use super::decision::Rule;
use super::event::Event;
use super::exchange::{Command, CommandOutcome, Output, StateVersion, StopCause};
use super::guard::{self, Guard};
use super::member::{MemberId, Name};
use super::message::{
    HandOverAnswer, HandOverCause, HandOverRequest, Message, Mode, Refusal, Released as ReleasedMessage,
};
use super::peer::{Consent, LastAnswer};
use super::stopping::Leaving;
use super::takeover::{Assume, How};
use super::term::Term;
use super::{Negotiator, Promise, State, Waiting};

/// Beyond the stop time that a Primary told, the successor waits this much for the release (rule 11).
pub(super) const RELEASE_GRACE: Duration = Duration::from_secs(2);

/// The longest stop time of a peer that is believed: an operator's command must not stay open for ever.
pub(super) const LONGEST_STOP: Duration = Duration::from_secs(10 * 60);

/// How long a forced step-down keeps this member alone from taking over (rule 11).
pub(super) const STEPPED_DOWN_FOR: Duration = Duration::from_secs(30 * 60);

/// An operator's command whose outcome is not known yet.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct Pending {
    pub by: Name,
    pub wanted: Wanted,
    pub deadline: super::Instant,
}

/// What the operator waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Wanted {
    /// That this member is Primary.
    TakeOver {
        /// Whether to go on without the Primary's agreement.
        force: bool,
        /// Whether the Primary was asked.
        asked: Option<MemberId>,
    },
    /// That another is.
    StepDown,
}

/// A release that waits for the vote to be on disk.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
pub(super) struct Release {
    pub(super) term: Term,
    pub(super) to: MemberId,
    pub(super) version: StateVersion,
}

impl Negotiator {
    pub(super) fn command(&mut self, command: Command, out: &mut Vec<Output>) {
        if self.stopping.is_some() {
            return finish(CommandOutcome::Impossible { why: "this controller is stopping".to_owned() }, out);
        }
        match command {
            Command::TakeOver { by, force } => self.operator_takes_over(by, force, out),
            Command::StepDown { by, force } => self.operator_steps_down(by, force, out),
            Command::Hold { by, lasts, unix_ms } => self.operator_holds(by, lasts, unix_ms, out),
            Command::Resume { by, unix_ms } => self.operator_resumes(by, unix_ms, out),
            Command::Fence { peer, by } => self.operator_fences(peer, by, out),
            Command::IsOff { peer, by } => self.operator_says_off(peer, by, out),
        }
    }

    fn operator_takes_over(&mut self, by: Name, force: bool, out: &mut Vec<Output>) {
        if self.command.is_some() {
            return finish(CommandOutcome::Impossible { why: "another command is under way".to_owned() }, out);
        }
        if let Some(waits) = self.leaves_or_asks() {
            return finish(CommandOutcome::Impossible { why: waits.to_owned() }, out);
        }
        if matches!(self.state, State::Primary { .. }) {
            return finish(CommandOutcome::AlreadySo, out);
        }
        if self.settings.observe_only {
            let why = "takeover.observe_only is set: nothing is done here".to_owned();
            return finish(CommandOutcome::Impossible { why }, out);
        }
        self.free_health_takeovers(&by, out);
        let primary = self.best_live_primary().filter(|(peer, _)| self.peers[peer.index()].link_up);
        let wait = self.timeout + RELEASE_GRACE;
        match primary {
            Some((peer, term)) => {
                let request = HandOverRequest { term, cause: HandOverCause::Operator };
                self.send(peer, Message::HandOverRequest(request), out);
                self.event(Event::HandOverAsked { peer: self.settings.name(peer), by: by.clone() }, out);
                let wanted = Wanted::TakeOver { force, asked: Some(peer) };
                self.command = Some(Pending { by, wanted, deadline: self.now + wait });
            }
            None if force => {
                self.command =
                    Some(Pending { by, wanted: Wanted::TakeOver { force, asked: None }, deadline: self.now + wait });
                self.force_through(out);
            }
            None => {
                // Nobody acts: come first among equals, and ask at once.
                self.claim = true;
                self.stepped_down_until = None;
                self.command =
                    Some(Pending { by, wanted: Wanted::TakeOver { force, asked: None }, deadline: self.now + wait });
                self.query_all(out);
            }
        }
    }

    fn operator_steps_down(&mut self, by: Name, force: bool, out: &mut Vec<Output>) {
        if let Some(waits) = self.leaves_or_asks() {
            return finish(CommandOutcome::Impossible { why: waits.to_owned() }, out);
        }
        let State::Primary { term, .. } = self.state else {
            return finish(CommandOutcome::AlreadySo, out);
        };
        if let Some(to) = self.successor() {
            self.send(to, Message::HandOverAnswer(HandOverAnswer { term, verdict: Ok(self.release_takes(to)) }), out);
            self.hand_over(to, HandOverCause::Operator, Some(by.clone()), out);
            let deadline = self.now + self.release_takes(to).min(LONGEST_STOP) + self.timeout + RELEASE_GRACE;
            self.command = Some(Pending { by, wanted: Wanted::StepDown, deadline });
        } else if force {
            self.leave(Rule::SteppedDown { by }, term, Leaving::StepsDown, out);
        } else {
            finish(CommandOutcome::Impossible { why: "there is nobody to hand over to".to_owned() }, out);
        }
    }

    /// The first in the order among members that could take the role now; held does not count against it, because a
    /// release is a claim. A stopping member is no successor.
    pub(super) fn successor(&self) -> Option<MemberId> {
        self.first_in_line(|able| self.able_but_for_the_outage(able))
    }

    /// The same when this member is gone afterwards. Where nobody reaches the arbiter a Primary acts by the grants of all
    /// others (S4), and of one that has ended there is none: so nobody follows then, and nobody is told so.
    fn successor_without_me(&self) -> Option<MemberId> {
        self.first_in_line(|_| false)
    }

    fn first_in_line(&self, able_all_the_same: impl Fn(Ability) -> bool) -> Option<MemberId> {
        self.settings
            .others()
            .filter(|peer| self.peers[peer.index()].link_up && self.gone(*peer).is_none())
            .filter_map(|peer| {
                let known = &self.peers[peer.index()];
                let able = match known.able? {
                    Ability::Cannot(Unable::Held) => Ability::Fit,
                    other if able_all_the_same(other) => Ability::Fit,
                    other => other,
                };
                (able.level() > 0).then(|| (Rank::new(peer, able, known.claim), peer))
            })
            .max()
            .map(|(_, peer)| peer)
    }

    /// Rule 11: stops first what runs only on the Primary; the vote for the successor goes to disk meanwhile.
    fn hand_over(&mut self, to: MemberId, cause: HandOverCause, by: Option<Name>, out: &mut Vec<Output>) {
        let State::Primary { term, .. } = self.state else { return };
        let rule = Rule::HandedOver { to: self.settings.name(to), cause, by };
        self.vote_for_successor(to, term);
        self.leave(rule, term, Leaving::HandsOver { to, cause }, out);
    }

    /// Everything has stopped: Secondary, no candidate for a while, then the release.
    pub(super) fn handed_over(&mut self, to: MemberId, cause: HandOverCause, term: Term, out: &mut Vec<Output>) {
        if cause == HandOverCause::Health {
            self.lost_until = Some(self.now + self.settings.sick_for);
            self.disk.want();
        }
        if self.gone(to).is_some() {
            // It will not take the role: this member does again, at once (S10).
            self.claim = true;
            return self.event(Event::HandOverLost { peer: self.settings.name(to) }, out);
        }
        self.release_to(to, term);
        self.waiting_for = Some(Waiting { to, until: self.now + self.timeout });
    }

    /// The vote stands behind the release: who hands over consents to nobody else in the successor's number (N16).
    pub(super) fn vote_for_successor(&mut self, to: MemberId, term: Term) {
        if self.floor() == term.number {
            self.voted = Term { number: term.number + 1, owner: to };
            self.voted_version = self.disk.want();
        }
    }

    /// Whether a vote for the successor still goes to disk. A disk that fails holds up no release (N20).
    pub(super) fn vote_is_under_way(&self, to: MemberId) -> bool {
        self.voted.owner == to && !self.disk.holds(self.voted_version) && !self.disk.failed
    }

    pub(super) fn release_to(&mut self, to: MemberId, term: Term) {
        self.claim = false;
        self.vote_for_successor(to, term);
        self.promise = Some(Promise { to, until: self.now + self.promise_length(to) });
        self.release = Some(Release { term, to, version: self.voted_version });
    }

    /// Sends the release once the vote behind it is on disk, and the last word of a controller that stops.
    pub(super) fn finish_release(&mut self, out: &mut Vec<Output>) {
        // The successor would ask the arbiter in vain before the lease is back there (rule 11).
        if self.shown_mode() == Mode::Primary || self.lease_is_being_released() {
            return;
        }
        if let Some(release) = &self.release {
            if !self.disk.holds(release.version) && !self.disk.failed {
                return;
            }
            let Release { term, to, .. } = *release;
            self.release = None;
            // The successor counts its time from now on, and so must the promise (N16).
            self.promise = Some(Promise { to, until: self.now + self.promise_length(to) });
            self.send_to_all(&Message::Released(ReleasedMessage { term, to }), out);
        }
        if self.stopping.is_some() && !self.stopped {
            self.send_to_all(&Message::Bye, out);
            self.stopped = true;
            out.push(Output::Stopped);
        }
    }

    /// The role was released to this member, and it cannot take it: whoever released it acts again at once instead of
    /// waiting until the successor's time is over (S10). An operator who asked is told now.
    pub(super) fn give_back(&mut self, out: &mut Vec<Output>) {
        let released = |peer: &MemberId| self.consent(*peer).is_some_and(|consent| consent.released);
        let releaser = self.settings.others().find(released);
        self.claim = false;
        if let Some(to) = releaser {
            let term = self.peers[to.index()].term;
            self.peers[to.index()].answer = None;
            self.send(to, Message::Released(ReleasedMessage { term, to }), out);
        }
        if self.command.take_if(|command| matches!(command.wanted, Wanted::TakeOver { .. })).is_some() {
            finish(CommandOutcome::Impossible { why: "its new term cannot be written to disk".to_owned() }, out);
        }
    }

    pub(super) fn hear_request(&mut self, peer: MemberId, request: HandOverRequest, out: &mut Vec<Output>) {
        let verdict = self.judge_request(peer, &request);
        let answer = HandOverAnswer { term: request.term, verdict };
        self.send(peer, Message::HandOverAnswer(answer), out);
        if verdict.is_ok() {
            // Asked again while it stops, it is not begun again.
            self.hand_over(peer, request.cause, None, out);
        }
    }

    /// Rule 12, and N18: a late or repeated request ends no later term.
    fn judge_request(&self, peer: MemberId, request: &HandOverRequest) -> Result<Duration, Refusal> {
        if let State::Stopping(stopping) = &self.state {
            return match stopping.leaving {
                Leaving::HandsOver { to, .. } | Leaving::Ends { to: Some(to) }
                    if to == peer && stopping.term == request.term =>
                {
                    Ok(self.release_takes(peer))
                }
                leaving if leaving.announces() => Err(Refusal::Busy),
                Leaving::HandsOver { .. }
                | Leaving::Ends { .. }
                | Leaving::StepsDown
                | Leaving::Lost { .. }
                | Leaving::Yields => Err(Refusal::NotPrimary),
            };
        }
        let State::Primary { term, .. } = self.state else {
            let repeated = self.waiting_for.is_some_and(|waiting| waiting.to != peer);
            return Err(if repeated { Refusal::Busy } else { Refusal::NotPrimary });
        };
        if request.term != term && !guard::off(Guard::RequestForThisTerm) {
            return Err(Refusal::OtherTerm);
        }
        let able = self.peers[peer.index()].able;
        match request.cause {
            HandOverCause::Operator => match able {
                Some(Ability::Cannot(Unable::Held | Unable::SteppedDown)) | Some(Ability::Fit | Ability::Sick(_)) => {}
                Some(able) if self.able_but_for_the_outage(able) => {}
                // Nothing heard of its ability yet: it is Secondary and asks.
                None => {}
                Some(Ability::Cannot(_)) => return Err(Refusal::AskerUnable),
            },
            HandOverCause::Health => {
                if self.hold.in_force() {
                    return Err(Refusal::Held);
                }
                if self.score >= self.settings.threshold {
                    return Err(Refusal::NotSick);
                }
                if able != Some(Ability::Fit) {
                    return Err(Refusal::AskerUnable);
                }
            }
        }
        Ok(self.release_takes(peer))
    }

    pub(super) fn hear_hand_over_answer(&mut self, peer: MemberId, answer: HandOverAnswer, out: &mut Vec<Output>) {
        self.hear_health_answer(peer, answer, out);
        let Some(command) = &mut self.command else { return };
        let Wanted::TakeOver { force, asked } = command.wanted else { return };
        if asked != Some(peer) {
            return;
        }
        match answer.verdict {
            Ok(stop_time) => command.deadline = self.now + stop_time.min(LONGEST_STOP) + RELEASE_GRACE,
            Err(refusal) => {
                self.event(Event::HandOverRefused { peer: self.settings.name(peer), refusal }, out);
                if force {
                    self.force_through(out);
                } else {
                    self.command = None;
                    finish(CommandOutcome::Refused { peer: self.settings.name(peer), refusal }, out);
                }
            }
        }
    }

    pub(super) fn hear_released(&mut self, peer: MemberId, released: ReleasedMessage, out: &mut Vec<Output>) {
        self.raise_seen(released.term);
        self.end_promise_to(peer);
        if self.waiting_for.is_some_and(|waiting| waiting.to == peer) {
            // The successor gives the role back.
            self.waiting_for = None;
        }
        let mine = self.floor() == released.term.number;
        let known = &mut self.peers[peer.index()];
        known.primary = None;
        known.mode = Some(Mode::Secondary);
        known.term = released.term;
        let to_me = released.to == self.settings.me || guard::off(Guard::ReleaseNamesOne);
        if !to_me || !matches!(self.state, State::Secondary) {
            return;
        }
        // It was sent after the peer answered our latest answered question, so it is at most as old as that.
        if let Some(asked_at) = known.answered_question.filter(|_| mine) {
            // Towards a majority only the answer counts that follows: it says whether the vote is on disk (N20).
            let consent = Consent { proposed: released.term.number + 1, written: false, released: true };
            known.answer = Some(LastAnswer { consent: Some(consent), asked_at });
        }
        self.claim = true;
        // Whoever else there is must be asked for this number; and the peer too, should its consent be too old.
        self.query_all(out);
    }

    /// A peer is Primary: what an operator's command waited for, or not.
    pub(super) fn command_sees_primary(&mut self, out: &mut Vec<Output>) {
        if self.command.as_ref().is_some_and(|command| command.wanted == Wanted::StepDown) {
            self.command = None;
            finish(CommandOutcome::Done, out);
        }
    }

    /// This member is Primary: what an operator's command waited for, or the contrary.
    pub(super) fn command_sees_own_role(&mut self, out: &mut Vec<Output>) {
        match self.command.take().map(|command| command.wanted) {
            Some(Wanted::TakeOver { .. }) => finish(CommandOutcome::Done, out),
            Some(Wanted::StepDown) => {
                let missing = "no other member took the role, so this one did again".to_owned();
                finish(CommandOutcome::TimedOut { missing }, out);
            }
            None => {}
        }
    }

    pub(super) fn command_deadline(&mut self, out: &mut Vec<Output>) {
        let Some(command) = self.command.take_if(|command| self.now >= command.deadline) else { return };
        match command.wanted {
            Wanted::TakeOver { force: true, .. } => {
                self.command = Some(command);
                self.force_through(out);
            }
            Wanted::TakeOver { force: false, asked } => {
                self.claim = false;
                let missing = match (self.missing(Assume::Nothing), asked) {
                    (Some(missing), _) => missing,
                    (None, Some(peer)) => format!("{} did not release the role", self.settings.name(peer)),
                    (None, None) => "the disk did not confirm the new term".to_owned(),
                };
                finish(CommandOutcome::TimedOut { missing }, out);
            }
            Wanted::StepDown => {
                let missing = "no other member has announced itself as Primary yet".to_owned();
                finish(CommandOutcome::TimedOut { missing }, out);
            }
        }
    }

    /// An operator's force: without rule 6. The term still goes to disk first, and the higher term ends the other's.
    /// It is tried once: what stops it (a disk that fails) ends the command at its deadline, not hours later.
    fn force_through(&mut self, out: &mut Vec<Output>) {
        let deadline = self.now + self.timeout + RELEASE_GRACE;
        let Some(command) = &mut self.command else { return };
        command.wanted = Wanted::TakeOver { force: false, asked: None };
        command.deadline = deadline;
        let by = command.by.clone();
        match self.state {
            State::Secondary => self.begin(Rule::OperatorForced { by }, How::Forced, out),
            State::Becoming { .. } | State::Primary { .. } | State::Stopping(_) => {}
        }
    }

    pub(super) fn stop(&mut self, cause: StopCause, out: &mut Vec<Output>) {
        if self.stopping.is_some() {
            return;
        }
        let held = self.hold.in_force() && cause == StopCause::Signal;
        let to = if held { None } else { self.successor_without_me() };
        self.stopping = Some(cause);
        if self.command.take().is_some() {
            finish(CommandOutcome::Impossible { why: "this controller is stopping".to_owned() }, out);
        }
        match self.state {
            State::Primary { term, .. } => {
                let rule = Rule::Stopping { to: to.map(|to| self.settings.name(to)) };
                if let Some(to) = to {
                    let answer = HandOverAnswer { term, verdict: Ok(self.release_takes(to)) };
                    self.send(to, Message::HandOverAnswer(answer), out);
                    self.vote_for_successor(to, term);
                }
                self.leave(rule, term, Leaving::Ends { to }, out);
            }
            State::Secondary | State::Becoming { .. } if self.kept.is_some() => {
                self.stop_kept(Leaving::Ends { to: None }, out);
            }
            State::Becoming { term, .. } => {
                self.change_mode(State::Secondary, Rule::Stopping { to: None }, term, out);
            }
            // What still stops does so first; then it says Bye.
            State::Secondary | State::Stopping(_) => {}
        }
        self.finish_release(out);
    }
}

/// Tells what became of a command.
pub(super) fn finish(outcome: CommandOutcome, out: &mut Vec<Output>) {
    out.push(Output::CommandDone(outcome));
}

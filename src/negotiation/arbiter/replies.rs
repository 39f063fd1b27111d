//! What the arbiter's replies are worth (rule 14): one that is not to the call under way is worth nothing, and what was got
//! too late is given back.

use super::{Call, LastCall, Lease, Reach};
use crate::negotiation::event::Event;
use crate::negotiation::exchange::{ArbiterCall, ArbiterReply, Output};
use crate::negotiation::guard::{self, Guard};
use crate::negotiation::member::MemberId;
use crate::negotiation::takeover::How;
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;
use crate::negotiation::{Negotiator, State};

impl Negotiator {
    pub(in crate::negotiation) fn arbiter_replied(
        &mut self,
        asked_at: Instant,
        reply: ArbiterReply,
        out: &mut Vec<Output>,
    ) {
        if self.arbiter.releasing == Some(asked_at) {
            self.arbiter.releasing = None;
            self.note_reach(asked_at, &reply, out);
            if reply == ArbiterReply::Released {
                self.note_holder(None);
            }
            return self.go_on(out);
        }
        let Some(Call { call, .. }) = self.arbiter.under_way.take_if(|call| call.asked_at == asked_at) else { return };
        self.note_reach(asked_at, &reply, out);
        // What was asked before we slept may not be true any more (rule 13).
        let trusted = asked_at >= self.trust_from;
        let done = match (call, &reply) {
            (ArbiterCall::Look, ArbiterReply::Stands { holder, .. }) => {
                self.note_holder(*holder);
                true
            }
            (ArbiterCall::Acquire { above }, ArbiterReply::Granted { number }) if *number <= above => {
                self.forgot(*number, out);
                false
            }
            (ArbiterCall::Acquire { .. }, ArbiterReply::Granted { number }) => {
                self.granted(*number, asked_at, trusted, out)
            }
            (ArbiterCall::Renew { number }, ArbiterReply::Renewed) => {
                // A late one counts for nothing: only while Primary, and for the very lease.
                let primary = self.announced().is_some() && trusted;
                match self.arbiter.lease.as_mut().filter(|lease| primary && lease.number == number) {
                    Some(lease) => lease.asked_at = asked_at,
                    None => self.give_back_number(number, out),
                }
                true
            }
            (ArbiterCall::Renew { number }, ArbiterReply::Refused { holder, .. }) => {
                self.note_holder(*holder);
                if self.arbiter.lease.take_if(|lease| lease.number == number).is_some() {
                    self.arbiter.lost = Some(match holder {
                        Some(holder) => format!("the arbiter says that {} holds it", self.settings.name(*holder)),
                        None => "the arbiter says that it is over".to_owned(),
                    });
                }
                false
            }
            (ArbiterCall::Acquire { .. }, ArbiterReply::Refused { holder, .. }) => {
                self.note_holder(*holder);
                false
            }
            // What does not fit the question proves nothing, and nor does silence.
            (
                ArbiterCall::Look
                | ArbiterCall::Acquire { .. }
                | ArbiterCall::Renew { .. }
                | ArbiterCall::Release { .. },
                ArbiterReply::Stands { .. }
                | ArbiterReply::Granted { .. }
                | ArbiterReply::Renewed
                | ArbiterReply::Released
                | ArbiterReply::Refused { .. }
                | ArbiterReply::Unreachable { .. },
            ) => false,
        };
        self.arbiter.last = Some(LastCall { call, asked_at, over_at: self.now, done });
    }

    /// N11: an arbiter that was told which numbers were used, and allots one of them, lost its register. Nothing can rest
    /// on that number. It is given back, and another asked for after the usual pause, as after a refusal.
    fn forgot(&mut self, number: u64, out: &mut Vec<Output>) {
        self.note_holder(None);
        self.give_back_number(number, out);
        if !std::mem::replace(&mut self.arbiter.forgot_said, true) {
            self.event(Event::ArbiterForgot { number, floor: self.floor() }, out);
        }
    }

    /// An acquisition that counts makes the lease this member's; any other is given back.
    fn granted(&mut self, number: u64, asked_at: Instant, trusted: bool, out: &mut Vec<Output>) -> bool {
        let forced = match self.state {
            State::Primary { term, how: How::Forced } => Some(term),
            State::Primary { how: How::ByRule, .. }
            | State::Secondary
            | State::Becoming { .. }
            | State::Stopping(_) => None,
        };
        let can_use = matches!(self.state, State::Secondary) || forced.is_some();
        let trusted = trusted || guard::off(Guard::LeaseAskedAwake);
        // One that acts by force can only go on in the number itself; a floor that rose meanwhile needs another.
        let too_low = forced.is_some() && number <= self.floor();
        if !trusted || !can_use || too_low || number > Term::MAX_NUMBER {
            self.give_back_number(number, out);
            return false;
        }
        self.arbiter.forgot_said = false;
        self.note_holder(Some(self.settings.me));
        self.arbiter.lease = Some(Lease { number, asked_at });
        self.arbiter.lost = None;
        if let Some(mine) = forced {
            // It goes on in the arbiter's number, which no other member can have.
            let why = self.reason.rule.clone();
            self.keep_or_leave(why.clone(), mine, How::Forced, self.kill_at(), out);
            self.begin(why, How::Forced, out);
        }
        true
    }

    /// What was got too late is given back, so that nobody waits for its end.
    fn give_back_number(&mut self, number: u64, out: &mut Vec<Output>) {
        let in_use = self.arbiter.lease.is_some_and(|lease| lease.number == number);
        if !in_use && self.arbiter.releasing.is_none() {
            self.arbiter.releasing = Some(self.call_arbiter(ArbiterCall::Release { number }, out));
        }
    }

    fn note_holder(&mut self, holder: Option<MemberId>) {
        self.arbiter.holder = holder;
        self.arbiter.holder_said = holder.map(|_| self.now);
        match holder {
            Some(_) => self.arbiter.free_since = None,
            None => {
                self.arbiter.free_since.get_or_insert(self.now);
            }
        }
    }

    /// Whether the arbiter is there, and telling it when that changes.
    fn note_reach(&mut self, asked_at: Instant, reply: &ArbiterReply, out: &mut Vec<Output>) {
        let reach = match reply {
            ArbiterReply::Unreachable { why } => Reach::Mute { why: why.clone() },
            ArbiterReply::Stands { .. }
            | ArbiterReply::Granted { .. }
            | ArbiterReply::Renewed
            | ArbiterReply::Released
            | ArbiterReply::Refused { .. } => {
                self.arbiter.answered = Some((self.now, self.now.since(asked_at)));
                Reach::Answers
            }
        };
        let was_mute = self.arbiter.is_mute();
        self.arbiter.reach = reach;
        match (was_mute, &self.arbiter.reach) {
            (false, Reach::Mute { why }) => {
                let why = why.clone();
                self.event(Event::ArbiterLost { why }, out);
            }
            (true, Reach::Answers) => self.event(Event::ArbiterBack, out),
            (true | false, Reach::Unknown | Reach::Answers | Reach::Mute { .. }) => {}
        }
        if was_mute != self.arbiter.is_mute()
            && matches!(self.state, State::Secondary)
            && self.best_live_primary().is_none()
        {
            // Nobody acts, and what the others judge this member by has changed: they hear it now.
            self.query_all(out);
        }
    }
}

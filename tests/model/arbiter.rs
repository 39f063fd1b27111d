//! The arbiter's register (rule 14), and the calls to it: done and answered, done and not, not done, or done late.

use tandem::negotiation::exchange::{ArbiterCall, ArbiterReply, Input};

use super::reached::Mark;
use super::states::{Register, Stray};
use super::steps::{Turn, id};

impl Turn<'_> {
    pub fn arbiter_acts(&mut self, member: usize) {
        let Some(call) = self.group.members[member].calls.first().map(|call| call.call) else { return };
        let reply = self.register(member, call);
        if let Some(call) = self.group.members[member].calls.first_mut() {
            call.reply = Some(reply);
        }
    }

    /// What the arbiter does with a call, whenever it arrives.
    fn register(&mut self, member: usize, call: ArbiterCall) -> ArbiterReply {
        let (me, now) = (id(member), self.group.now);
        let Register { holder, number, until } = self.group.register;
        let holder = holder.filter(|_| until > now);
        let refused = ArbiterReply::Refused { holder, number };
        let lease = now + self.bounds.settings(member).lease;
        let (register, reply) = match call {
            ArbiterCall::Look => (Register { holder, number, until }, ArbiterReply::Stands { holder, number }),
            ArbiterCall::Acquire { above } if holder.is_none_or(|holder| holder == me) => {
                let number = number.max(above) + 1;
                (Register { holder: Some(me), number, until: lease }, ArbiterReply::Granted { number })
            }
            ArbiterCall::Renew { number: mine } if holder == Some(me) && number == mine => {
                (Register { holder, number, until: lease }, ArbiterReply::Renewed)
            }
            ArbiterCall::Release { number: mine } if holder == Some(me) && number == mine => {
                (Register { holder: None, number, until: now }, ArbiterReply::Released)
            }
            ArbiterCall::Release { .. } => (Register { holder, number, until }, ArbiterReply::Released),
            ArbiterCall::Acquire { .. } | ArbiterCall::Renew { .. } => (Register { holder, number, until }, refused),
        };
        self.group.register = register;
        reply
    }

    pub fn arbiter_says(&mut self, member: usize) {
        let this = &self.group.members[member];
        if this.calls.is_empty() {
            return;
        }
        if matches!(this.calls[0].call, ArbiterCall::Look) && !this.arbiter_lost {
            self.arbiter_acts(member);
        }
        if self.group.members[member].arbiter_lost {
            self.leave_a_stray(member);
        }
        let this = &mut self.group.members[member];
        let call = this.calls.remove(0);
        let reply = call.reply.filter(|_| !this.arbiter_lost);
        let reply = reply.unwrap_or(ArbiterReply::Unreachable { why: "".into() });
        self.bounds.reached.replied(&reply);
        self.feed(member, Input::Arbiter { asked_at: call.asked_at, reply });
    }

    /// Nobody waits for the oldest call any more; where it is not done yet, it may be, later.
    pub fn leave_a_stray(&mut self, member: usize) {
        let this = &self.group.members[member];
        let Some(call) = this.calls.first().filter(|call| call.reply.is_none()) else { return };
        match call.call {
            ArbiterCall::Look => {}
            ArbiterCall::Acquire { .. } | ArbiterCall::Renew { .. } | ArbiterCall::Release { .. } => {
                let call = call.call;
                self.group.members[member].stray = Some(Stray { call, age: 0 });
            }
        }
    }

    pub fn arbiter_acts_late(&mut self, member: usize) {
        let Some(stray) = self.group.members[member].stray.take() else { return };
        self.bounds.reached.mark(Mark::DoneLate);
        self.register(member, stray.call);
    }
}

//! Arbiters: who grants the one lease that a Primary acts by, and allots the numbers of its terms (S1, S4, rule 14).
//!
//! [`Arbiter`] is the small trait behind which they stand: one call, answered within a time. Every one of them blocks, on a
//! network or on a file system that may hang, so [`Actor`] keeps it on a thread of its own and answers in its place when it
//! does not come back.
//!
//! Nothing here decides when a lease is wanted or how long it counts; the negotiation does, from the moment at which it
//! *asked*. What an arbiter owes is this: while it has said yes to one member, and for the whole length of the lease from
//! the moment that the call was begun, it says yes to no other; and no number is ever allotted twice.

mod actor;
mod etcd;
mod file;

use std::time::Duration;

pub use actor::{Actor, ArbiterEvent};
pub use etcd::{EtcdArbiter, EtcdError};
pub use file::FileArbiter;

use crate::negotiation::exchange::{ArbiterCall, ArbiterReply};
use crate::negotiation::member::{MemberId, Name};

/// One arbiter, as one member speaks to it. Its methods block.
pub trait Arbiter: Send {
    /// Carries out one call and comes back within `within`, or hardly later; with [`ArbiterReply::Unreachable`] when nothing
    /// that could be relied on was heard by then.
    fn ask(&mut self, call: ArbiterCall, within: Duration) -> ArbiterReply;

    /// Looks at how the lease stands while nothing is asked, where that is the only way to know when it ends; returns after
    /// how long it wants to look again. None: somebody else counts the time.
    fn watch(&mut self) -> Option<Duration> {
        None
    }

    /// What it is, for people: "etcd at 10.0.8.1:2379, 10.0.8.2:2379".
    fn describe(&self) -> String;
}

/// For whom an arbiter is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// The group, which the lease belongs to.
    pub group: String,
    /// This member.
    pub me: MemberId,
    /// Every member's name, in the order of their numbers.
    pub members: Vec<Name>,
}

impl Claimant {
    /// This member's name, which is what an arbiter keeps.
    pub fn name(&self) -> Name {
        self.members.get(self.me.index()).cloned().unwrap_or_else(|| Name::new("?"))
    }

    /// The member that is called `name`; none: nobody in this member's configuration.
    pub fn member(&self, name: &str) -> Option<MemberId> {
        let place = self.members.iter().position(|member| member.as_str() == name)?;
        // Reading the configuration bounds the members well below 256.
        u8::try_from(place).ok().map(MemberId)
    }
}

//! A group of controllers as a state machine that `stateright` can walk through whole: the very negotiators, and around
//! them all that the world may do between two of their turns.
//!
//! Time is modelled as the design says, so that the number of states stays finite. There is no absolute time: after every
//! step each negotiator is rebased (`Negotiator::rebased`), so a state is what will happen, not when it began. Time passes in
//! ticks of one interval. A tick comes only when every running member has seen the one before, and when nothing that has
//! to be done within a bounded time (a message, a write, an arbiter's reply, a fencing) is overdue. What a member must do
//! strictly before a tick, it does as that tick begins, before anybody else.
//!
//! Faults cost from a budget; that things work again costs nothing. A connection carries at most four messages a way, one
//! of a kind, in any order; of two of a kind the older or the newer is lost, as an exploration says.
//!
//! What of the world this covers, and what it does not:
//!
//! * *A message* comes in any order beside others of its tick, is lost, or is held back by a cut for as long as the cut
//!   lasts and comes then; after a reconnect nothing of the connection before comes, as the link sees to it.
//! * *A timer* that is due at a tick comes before or after anything else of that tick, and later than that only when its
//!   controller is frozen: for so many ticks, beginning anywhere. More than seven count as seven. A freeze between a
//!   decision and what it starts is one that begins just after: what it would start is bound to the deadline that was told
//!   before (P6), and is over when it wakes.
//! * *The arbiter* does a call and answers, does it and the answer is lost, never gets it, or does it when the caller has
//!   given up or died, up to two ticks later.
//! * *A fence agent* strikes and reports in the tick it was asked in (one more with `lateness`), with anything between
//!   the two: its victim's next start too. Agents that lie are the simulator's.
//! * *A restart* has what was on disk, with the write under way done or not, or nothing. Terms are then asked to be unique
//!   only from there on: the controller says that it does not know the history.
//! * *Operators* hand over, force, hold, resume, fence, say truly that one is off, stop. What was forced, and what was
//!   overruled by it, may act beside another: the exception that the plan names. *What runs* takes its time to stop.
//! * *Clocks that drift* are the simulator's; the margin of a lease is a tenth of it, which is less than a tick.
//!
//! No symmetry and no order of actions is used to leave states out. Two states are one when they are equal, by a
//! fingerprint of 64 bits; that nothing is taken off a machine that it still goes by, `lockstep` tries.

// Each of those that explore uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod actions;
pub mod arbiter;
pub mod bounds;
pub mod lives;
pub mod lockstep;
pub mod machines;
pub mod network;
pub mod operators;
pub mod properties;
pub mod reached;
pub mod states;
pub mod steps;
pub mod text;
pub mod ticks;

pub use bounds::Bounds;
pub use properties::{check, walk};

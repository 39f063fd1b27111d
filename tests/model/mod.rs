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
//! of a kind, in any order; what comes when there is no room is lost.

// Each of those that explore uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod actions;
pub mod bounds;
pub mod properties;
pub mod states;
pub mod steps;
pub mod text;

pub use bounds::Bounds;
pub use properties::{check, walk};

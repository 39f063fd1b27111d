//! Who is Primary: a state machine without I/O, clock, thread or randomness.
//!
//! It takes an input and the time, and appends what it wants done to a buffer that the caller owns. The node, the
//! simulator, the model checker and the recorder drive the very same machine. It does not know sockets, files or
//! addresses; members are numbers in the order of their addresses (N2). The clauses N1–N20, S7, S9, S10 and S11 of the
//! requirements are decided here, by the rules that ARCHITECTURE.md lists.

pub mod ability;
pub mod decision;
pub mod event;
pub mod exchange;
pub mod member;
pub mod message;
pub mod settings;
pub mod term;
pub mod time;
pub mod view;

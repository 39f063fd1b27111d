//! The screen: what a support engineer sees of a controller, and the keys that act on it (U1, U2, U8).
//!
//! It knows the status and the requests of the control contract and nothing of the engine's inside: whether the engine
//! runs in the same process or behind a socket, it cannot tell. It runs on a thread of its own, and nothing on the
//! terminal's side can delay the engine.
//!
//! Inside: bytes become keys in [`input`], keys become commands by the table in [`keys`], [`state`] moves, [`layout`]
//! and the [`panels`] read the state and fill a buffer, [`driver`] writes what changed, in the bytes of `frame` and at
//! the pace of `pace`. [`stand_in`] keeps the engine out of the shell's reach.

pub mod dialog;
pub mod driver;
pub mod faults;
mod frame;
pub mod history;
pub mod input;
pub mod keys;
pub mod layout;
pub mod line;
pub mod options;
mod pace;
pub mod panels;
pub mod reading;
pub mod replay;
pub mod stand_in;
pub mod state;
pub mod terminal;
pub mod words;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use driver::{run, run_on};
pub use faults::FaultPanel;
pub use line::Theme;
pub use options::{Connection, Left, ScreenOptions};
pub use replay::ReplayPanel;

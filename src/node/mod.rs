//! One controller on tokio: the loop that feeds the pure machines and carries out what they want.
//!
//! One task owns the negotiation, the operator's desk and the snapshots; everything else is an actor behind a bounded
//! channel: the link's sessions, the control socket's sessions, the threads that write the state and the journal. All of
//! it but those threads runs on one thread, so that a stall of one part is a stall of all and is noticed (S9).
//!
//! [`run`] is the only way in. It decides nothing about modes: rules are in `negotiation`.

pub mod clock;
pub mod replayed;
pub mod state;

mod arbiter;
mod around;
mod asks;
mod availability;
mod engine;
mod fencing;
mod gaps;
mod health;
mod pings;
mod processes;
mod publication;
mod reference;
mod reload;
mod replies;
mod signals;
mod start;
mod supervisor;
mod theirs;
mod two_acted;
mod watchdog;

pub use engine::severity_word;
pub use start::{Options, Session, run};

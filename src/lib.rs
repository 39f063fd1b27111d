//! tandem: the supervisor of a redundant controller.
//!
//! The decisions are pure (`negotiation`); everything else serves them. ARCHITECTURE.md has the picture of the rooms
//! and who may know whom.

pub mod arbiter;
pub mod cli;
pub mod config;
pub mod control;
pub mod fence;
pub mod health;
pub mod journal;
pub mod link;
pub mod metrics;
pub mod negotiation;
pub mod node;
pub mod process;
pub mod sim;
pub mod ui;

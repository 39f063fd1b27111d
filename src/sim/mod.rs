//! A whole group in one thread, on virtual time: the very same [`crate::negotiation::Negotiator`] as in the real
//! controller, with a network, disks, processes and operators that misbehave on demand.
//!
//! Nothing here reads a clock, opens a socket or draws from the system's randomness: a seed and a schedule of faults
//! decide everything, so a failure is replayed from its seed. [`World`] is the machine room and checks its invariants
//! after every event; [`walk`] invents schedules from a seed, runs them, and tells what broke as a readable trace.

mod apply;
mod arbiter;
mod checks;
mod coverage;
mod disk;
mod fault;
mod happening;
mod network;
mod pause;
pub mod plan;
mod power;
mod process;
mod queue;
pub mod rehearse;
mod rng;
mod serving;
mod told;
mod trace;
#[cfg(test)]
mod traces;
pub mod walk;
mod world;

pub use arbiter::{ArbiterFault, Reference, Road};
pub use checks::Broken;
pub use coverage::{Coverage, Reached};
pub use fault::{Agent, Crash, Fault, Order, Step, Way};
pub use rng::Rng;
pub use world::{Carry, Group, World};

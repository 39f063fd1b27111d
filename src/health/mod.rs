//! How healthy a controller is: the Total Health Score of its required processes and checks (H1–H4, H6, H7).
//!
//! The score is pure: figures come in, a number from 0 to 1 comes out, with what it is made of. Each status has a file of
//! its own ([`restarts`], [`response`], [`memory`], [`check`]); [`total`] weighs them. None of these knows a clock, a
//! process or a file. Beside them stand the two that fetch figures: [`sampler`] (memory and CPU, on a thread of its own)
//! and [`checks`] (the user-defined checks, as tasks). What follows from a score is a rule of `negotiation` (H5).

pub mod check;
pub mod checks;
pub mod memory;
pub mod response;
pub mod restarts;
pub mod total;

pub mod sampler;

mod knee;
mod mean;

//! Room `node` (ARCHITECTURE.md).

pub mod clock;
pub mod state;

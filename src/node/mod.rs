//! Room `node` (ARCHITECTURE.md).

pub mod clock;

//! Room `node` (ARCHITECTURE.md).

//! Room `sim` (ARCHITECTURE.md).

//! Room `link` (ARCHITECTURE.md).

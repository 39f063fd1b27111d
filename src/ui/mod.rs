//! Room `ui` (ARCHITECTURE.md).

//! Room `journal` (ARCHITECTURE.md).

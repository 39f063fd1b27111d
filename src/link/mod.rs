//! Room `link` (ARCHITECTURE.md).
pub mod codec;
pub mod event;
pub mod frame;
pub mod hello;
pub mod noise;
pub mod rejection;
pub mod settings;
pub mod wire;

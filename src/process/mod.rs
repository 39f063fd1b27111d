//! Required processes: their heartbeats.

pub mod heartbeat;

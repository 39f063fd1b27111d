//! What a controller shows and what it can be told: the status, the plans, and the Unix socket that carries both.

pub mod carrier;
pub mod plan;
pub mod request;
pub mod status;

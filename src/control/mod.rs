//! What a controller shows and what it can be told: the status, the plans, and the Unix socket that carries both.
//!
//! [`desk`], [`plans`], [`alarms`], [`compose`], [`forecast`] and [`words`] are pure: they look at a [`crate::negotiation::view::View`]
//! and at what the node adds, and know no socket and no clock. [`server`], [`session`] and [`client`] carry their values.

pub mod alarms;
pub mod carrier;
pub mod client;
pub mod compose;
pub mod desk;
pub mod forecast;
pub mod guards;
pub mod plan;
pub mod plans;
pub mod request;
pub mod server;
pub mod session;
pub mod socket;
pub mod status;
pub mod to_node;
pub mod who;
pub mod words;

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
pub(crate) mod fake_node;

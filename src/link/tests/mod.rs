//! The room's claims, held on real sockets of this machine's loopback network.
//!
//! Every port is chosen by the system. Nothing sleeps for luck: tests wait for events, with a deadline.

mod crash;
mod document;
mod paths;
#[path = "../../../tests/support/reference.rs"]
mod reference;
mod refusals;
mod rig;
mod twins;

//! The clauses as tests. A [`Bench`] is one member whose peers are played by hand; a [`Group`] is several members in one
//! thread with a network that delivers at once. Time is a number, counted from the boot of the member.
//!
//! What the pure machine does not decide is tested where it is decided: addresses and roles (N2, N8) in `config` and
//! `link`, pings (N9), sessions (N13) and frames (N17) in `link`, the files behind the state (N20) in `node`.

mod answering;
mod arbiter;
mod bench;
mod charts;
mod fencing;
mod forced;
mod forecast;
mod group;
mod hand_over;
mod health;
mod hold;
mod links;
mod mode;
mod otherwise;
mod random;
mod reachability;
mod safety;
mod stopping;
mod terms;

use bench::{Bench, DiskMood, Register, cannot, ms, s, sick, three, two};
use group::Group;

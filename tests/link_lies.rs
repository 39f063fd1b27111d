//! "When the link lies", with real processes: under an arbiter two never act at once, by what the processes that act
//! record themselves (S1, S4, P6). All twenty runs of each: `cargo bench --bench link_lies`.

#[path = "support/group.rs"]
mod group;
#[path = "support/lies.rs"]
mod lies;
#[path = "support/namespaces.rs"]
mod namespaces;
mod support;

use std::time::Duration;

use lies::Times;
use support::reference::Reference;
use support::{Part, require};

const RUNS: u32 = 3;

fn each(what: &str, run: fn(Times) -> Duration) {
    if !require(Part::NetworkNamespaces) {
        return;
    }
    for number in 0..RUNS {
        let times = Times::short(number);
        let reference = Reference::start();
        let outage = run(times);
        println!("{what}: nobody acted for {outage:?}");
        reference.within(outage, times.lease + Duration::from_secs(1), &format!("{what}: nobody acted for"));
    }
}

#[test]
fn s1_a_silent_partition_leaves_the_one_that_holds_the_lease() {
    each("silent partition", lies::silent_partition);
}

#[test]
fn s4_a_primary_that_is_cut_off_has_stopped_before_the_other_acts() {
    each("cut off from the link and the arbiter", lies::cut_off);
}

#[test]
fn p6_a_frozen_controller_acts_no_longer_through_its_processes() {
    each("controller alone frozen", lies::frozen);
}

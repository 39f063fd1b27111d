//! The whole model, to its stated bounds: `cargo bench --bench model`. A line for each exploration: states, different
//! states, the longest way, the time, and whether everything held. Fails when something did not.

#[path = "../tests/model/mod.rs"]
mod explore;

use std::time::Duration;

use explore::bounds::{Faults, Timers};
use explore::{Bounds, check, walk};
use tandem::negotiation::settings::Protection::{self, Arbiter, Fence, Majority, Reachability};

/// How long each random walk of three members goes on.
const WALK: Duration = Duration::from_secs(10);

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failed = false;
    let mut say = |outcome: explore::properties::Outcome| {
        println!("{}", outcome.line());
        for (property, trace) in &outcome.failures {
            failed = true;
            println!("{property}:\n{trace}");
        }
    };
    let pairs: [&[Protection]; 5] = [&[], &[Fence], &[Arbiter], &[Reachability], &[Fence, Arbiter]];
    for protection in pairs {
        for bounds in explore::bounds::exhaustive(protection) {
            say(check(&bounds, threads));
        }
    }
    let threes: [&[Protection]; 3] = [&[Majority], &[Arbiter], &[Majority, Fence]];
    for protection in threes {
        say(check(&Bounds { depth: Some(9), ..Bounds::three(protection, 2) }, threads));
        let asynchronous =
            Bounds { timers: Timers::Asynchronous, faults: Faults::ALL, ..Bounds::three(protection, 12) };
        say(walk(&asynchronous, threads, 1, WALK));
    }
    assert!(!failed, "something did not hold: see the traces above");
}

//! The whole model, to its stated bounds: `cargo bench --bench model`, or some of it, `-- fence` (what the lines' names must
//! contain). A line for each exploration: how often a state was reached, different states, the longest way, the time by the
//! clock and of the processors, and whether everything held. Fails when something did not.

#[path = "../tests/model/mod.rs"]
mod explore;

use std::time::Duration;

use explore::bounds::{Faults, Timers};
use explore::properties::Outcome;
use explore::{Bounds, check, text, walk};
use tandem::negotiation::settings::Protection::{self, Arbiter, Fence, Majority, Reachability};

/// How long each random walk of three members goes on.
const WALK: Duration = Duration::from_secs(10);

fn main() {
    // Cargo's own arguments begin with dashes.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failed = false;
    let mut run = |bounds: &Bounds, explore: &dyn Fn(&Bounds) -> Outcome| {
        let title = text::title(bounds);
        if !wanted.is_empty() && !wanted.iter().any(|word| title.contains(word.as_str())) {
            return;
        }
        let outcome = explore(bounds);
        println!("{}", outcome.line());
        if bounds.stopping > 0 || bounds.members > 2 {
            println!("    reached: {}", outcome.reached.join(", "));
        }
        for (property, trace) in &outcome.failures {
            failed = true;
            println!("{property}:\n{trace}");
        }
    };
    println!("breadth first, every state within the bounds, {threads} threads");
    let pairs: [&[Protection]; 5] = [&[], &[Fence], &[Arbiter], &[Reachability], &[Fence, Arbiter]];
    for protection in pairs {
        for bounds in explore::bounds::exhaustive(protection) {
            run(&bounds, &|bounds| check(bounds, threads));
        }
    }
    let threes: [&[Protection]; 3] = [&[Majority], &[Arbiter], &[Majority, Fence]];
    for protection in threes {
        let bounds = Bounds { depth: Some(6), ..Bounds::three(protection, 2).settled() };
        run(&bounds, &|bounds| check(bounds, threads));
    }
    println!("random walks of {} s each", WALK.as_secs());
    for protection in threes {
        let bounds = Bounds { timers: Timers::Asynchronous, faults: Faults::ALL, ..Bounds::three(protection, 12) };
        run(&bounds, &|bounds| walk(bounds, threads, 1, WALK));
    }
    assert!(!failed, "something did not hold: see the traces above");
}

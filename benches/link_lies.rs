//! Twenty runs of each lie of the link, with real processes under an arbiter on a shared directory (S1, S4, P6).
//!
//! `cargo bench --bench link_lies` prints how long nobody acted, and fails when two ever did at once; `-- frozen` runs only
//! some. Needs network namespaces.

#[path = "../tests/support/group.rs"]
mod group;
#[path = "../tests/support/lies.rs"]
mod lies;
#[path = "support/measured.rs"]
mod measured;
#[path = "../tests/support/namespaces.rs"]
mod namespaces;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use lies::Times;
use measured::{ms, print};

const RUNS: u32 = 20;

/// One run: how long nobody acted.
type Run = fn(Times) -> Duration;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let all: [(&str, Run); 3] =
        [("partition", lies::silent_partition), ("cut_off", lies::cut_off), ("frozen", lies::frozen)];
    for (name, run) in all {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure(name, run);
        }
    }
}

fn measure(name: &str, run: Run) {
    let outages = (0..RUNS).map(|number| ms(run(Times::default(number)))).collect();
    let lease = Times::default(0).lease;
    print(&format!("{name}, lease {lease:?}: two never acted at once; nobody acted for"), "ms", outages);
}

//! A Primary that cannot renew its lease in a real etcd: whether it has stepped down, its process stopped, before another
//! acts, in a hundred runs of four faults in turn (S4, P6). Real controllers, a real etcd of three servers, real cuts.
//!
//! `cargo bench --bench arbiter` makes a hundred runs, `cargo bench --bench arbiter -- 20` twenty. It needs root, `ip`, `nft`
//! and etcd, and fails when two ever acted at once by the records of the processes themselves.

#[path = "../tests/support/etcd.rs"]
mod etcd;
#[path = "../tests/support/group.rs"]
mod group;
#[path = "../tests/support/leased.rs"]
mod leased;
#[path = "support/measured.rs"]
mod measured;
#[path = "../tests/support/namespaces.rs"]
mod namespaces;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use leased::{FAULTS, Leased};
use measured::print;
use support::{Part, require};

const RUNS: usize = 100;
const LEASE: Duration = Duration::from_secs(2);

fn main() {
    if ![Part::Etcd, Part::NetworkNamespaces, Part::Firewall].into_iter().all(require) {
        return;
    }
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let started = Instant::now();
    let leased = Leased::start(LEASE);
    let mut overlaps = 0;
    let mut outages = vec![Vec::new(); FAULTS.len()];
    let mut held_on = vec![Vec::new(); FAULTS.len()];
    for run in 0..runs {
        let kind = run % FAULTS.len();
        let (began, last, again) = leased.suffer(FAULTS[kind]);
        overlaps += usize::from(again <= last);
        outages[kind].push(again.saturating_sub(last.max(began)) as f64 / 1e6);
        held_on[kind].push(last.saturating_sub(began) as f64 / 1e6);
    }
    leased.nobody_acted_beside_another();
    println!(
        "etcd, lease {LEASE:?}: {runs} runs in {:.0} s, {overlaps} with two that acted at once",
        started.elapsed().as_secs_f64()
    );
    for ((fault, outages), held_on) in FAULTS.iter().zip(outages).zip(held_on) {
        print(&format!("{fault:?}: the Primary acted on for"), "ms", held_on);
        print(&format!("{fault:?}: nobody acted for"), "ms", outages);
    }
    assert_eq!(overlaps, 0);
}

//! A hundred runs of three processes that want the lease of one shared directory and are killed and frozen at random (S1).
//!
//! `cargo bench --bench file_arbiter` prints what became of it; it fails when two ever held the lease at once.

#[path = "../tests/support/holders.rs"]
mod holders;
#[path = "../tests/support/mod.rs"]
mod support;

const RUNS: u64 = 100;

fn main() {
    holders::be_a_holder_if_asked();
    let (mut leases, mut frozen, mut killed, mut recorded) = (0, 0, 0, 0);
    for seed in 1..=RUNS {
        let outcome = holders::run(seed, &[]);
        leases += outcome.leases;
        frozen += outcome.frozen;
        killed += outcome.killed;
        recorded += outcome.recorded;
    }
    println!(
        "file arbiter, lease {:?}: {RUNS} runs, {frozen} processes frozen, {killed} killed, {leases} leases, held at \
         {recorded} recorded moments, never by two",
        holders::LEASE
    );
}

//! The arbiter on a shared directory, with real processes that are killed and frozen at random moments (S1). All hundred
//! runs: `cargo bench --bench file_arbiter`.

#[path = "support/holders.rs"]
mod holders;
mod support;

/// Becomes a holder when it is started as one; as a test it has nothing to do.
#[test]
fn a_holder() {
    holders::be_a_holder_if_asked();
}

#[test]
fn s1_holders_that_are_killed_and_frozen_at_random_never_hold_the_lease_at_once() {
    let (mut leases, mut faults) = (0, 0);
    for seed in 1..=5 {
        let outcome = holders::run(seed, &["--exact", "a_holder"]);
        leases += outcome.leases;
        faults += outcome.frozen + outcome.killed;
    }
    println!("{leases} leases, {faults} processes killed or frozen");
    assert!(leases > 5, "the lease never changed hands, so nothing was proved");
}

//! The negotiators of a group, walked through whole by a model checker, to bounds that fit a test. The full bounds are
//! `cargo bench --bench model`.

#[path = "model/mod.rs"]
mod explore;

use explore::bounds::exhaustive;
use explore::properties::{ONE_ACTS, Outcome};
use explore::{Bounds, check, walk};
use std::time::Duration;
use tandem::negotiation::settings::Protection::{self, Arbiter, Fence, Majority, Reachability};

/// The machines that the tests run on have at least so many.
const THREADS: usize = 2;

fn holds(outcome: &Outcome) {
    println!("{}", outcome.line());
    if let Some((property, trace)) = outcome.failures.first() {
        panic!("{}: not so: {property}\n{trace}", outcome.title);
    }
}

/// From cold and without a fault, whoever starts first and finds the other when; then, one being Primary, any one fault,
/// to a depth.
fn pair(protection: &[Protection], depth: usize) {
    let from_cold = &exhaustive(protection)[0];
    holds(&check(from_cold, THREADS));
    let outcome = check(&Bounds { depth: Some(depth), ..Bounds::pair(protection, 1).settled() }, THREADS);
    holds(&outcome);
}

#[test]
fn s1_an_unprotected_pair_gets_two_primaries_and_the_model_finds_out_how() {
    let bounds = Bounds { recovery: false, ..Bounds::pair(&[], 1) }.demanding_one();
    let outcome = check(&bounds, THREADS);
    let trace = outcome.trace_of(ONE_ACTS).expect("a cut link and two that live");
    println!("{}\n{trace}", outcome.line());
    let last = trace.lines().last().expect("the trace has lines");
    assert_eq!(last.matches("ACTS").count(), 2, "{last}");
}

#[test]
fn s1_reference_addresses_are_a_filter_and_the_model_finds_the_hole() {
    let bounds = Bounds::pair(&[Reachability], 1).demanding_one();
    let outcome = check(&bounds, THREADS);
    assert!(outcome.trace_of(ONE_ACTS).is_some(), "{}", outcome.line());
}

#[test]
fn n11_s10_an_unprotected_pair_keeps_its_terms_apart_and_recovers() {
    pair(&[], 11);
}

#[test]
fn s2_a_pair_that_fences_never_has_two_that_act() {
    pair(&[Fence], 12);
}

#[test]
fn s1_a_pair_with_an_arbiter_never_has_two_that_act() {
    pair(&[Arbiter], 10);
}

#[test]
fn s1_a_pair_with_reference_addresses_takes_over_only_after_an_answer() {
    pair(&[Reachability], 10);
}

#[test]
fn s1_a_pair_that_fences_and_has_an_arbiter_never_has_two_that_act() {
    let bounds = Bounds { depth: Some(10), ..Bounds::pair(&[Fence, Arbiter], 1).settled() };
    holds(&check(&bounds, THREADS));
}

#[test]
fn s1_three_never_have_two_that_act() {
    for protection in [&[Majority][..], &[Arbiter], &[Majority, Fence]] {
        holds(&check(&Bounds { depth: Some(5), ..Bounds::three(protection, 1) }, THREADS));
        holds(&walk(&Bounds::three(protection, 8), THREADS, 1, Duration::from_secs(3)));
    }
}

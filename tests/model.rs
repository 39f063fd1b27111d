//! The negotiators of a group, walked through whole by a model checker, to bounds that fit a test. The full bounds are
//! `cargo bench --bench model`.

#[path = "model/mod.rs"]
mod explore;

use explore::bounds::exhaustive;
use explore::bounds::{Faults, Kept, Timers};
use explore::lockstep::walk_both;
use explore::properties::wander;
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

/// Random walks of the very group with its time told as it is, and of the one that the model knows again.
fn told_the_same(bounds: &Bounds, walks: u64) {
    for seed in 0..walks {
        if let Err(difference) = walk_both(bounds, seed, 250) {
            panic!("{difference}");
        }
    }
}

#[test]
fn two_states_are_called_one_only_when_the_same_follows() {
    for protection in [&[][..], &[Fence], &[Arbiter], &[Reachability], &[Fence, Arbiter]] {
        for stopping in [0, 1] {
            for kept in [Kept::Older, Kept::Newer] {
                let bounds = Bounds { kept, ..Bounds::pair(protection, 6) }.stopping_within(stopping);
                if !protection.contains(&Arbiter) {
                    // It would begin with two calls in one moment.
                    told_the_same(&bounds.clone().settled(), 6);
                }
                told_the_same(&Bounds { lateness: 1, ..bounds.cold() }, 6);
            }
        }
    }
    for protection in [&[Majority][..], &[Arbiter], &[Majority, Fence]] {
        told_the_same(&Bounds { timers: Timers::Asynchronous, ..Bounds::three(protection, 10) }, 6);
    }
}

/// What operators do, and sickness, with processes that take their time to stop: every way of it to a depth, then random
/// walks with all faults beside, until each has been reached.
fn of_people(protection: &[Protection], depth: usize, reached: &[&str]) {
    let bounds = Bounds::pair(protection, 1).settled().stopping_within(1).only(Faults::OF_PEOPLE);
    holds(&check(&Bounds { depth: Some(depth), ..bounds.clone() }, THREADS));
    let people = Bounds { budget: 4, reached: Default::default(), ..bounds };
    let all = Bounds { faults: Faults::ALL, ..people.clone() };
    let sick = people.clone().only(Faults { sickness: true, ..Faults::default() });
    for (bounds, walks) in [(&sick, 200), (&people, 200), (&all, 400)] {
        match wander(bounds, walks, 150, reached) {
            Ok(missing) if missing.is_empty() => return,
            Ok(missing) => println!("not yet reached: {missing:?}"),
            Err(trace) => panic!("{}\n{trace}", explore::text::title(bounds)),
        }
    }
    panic!("not everything was reached: {reached:?}");
}

/// What every pair comes to.
const PEOPLE: [&str; 13] = [
    "rule took_over_for_health",
    "rule operator_took_over",
    "rule operator_forced",
    "hands over",
    "hands over, sick",
    "steps down",
    "rule stopping",
    "stalled",
    "cannot held",
    "cannot stepped_down",
    "took its time to stop",
    "disk lost",
    "resumed",
];

#[test]
fn s7_h5_u2_an_unprotected_pair_with_operators_keeps_its_terms_apart() {
    of_people(&[], 9, &PEOPLE);
}

#[test]
fn s2_s7_h5_u2_a_pair_that_fences_with_operators_never_has_two_that_act() {
    of_people(&[Fence], 9, &[&PEOPLE[..], &["fenced operator", "said to be off", "two by force"]].concat());
}

#[test]
fn s1_s7_h5_u2_a_pair_with_an_arbiter_and_operators_never_has_two_that_act() {
    of_people(&[Arbiter], 8, &[&PEOPLE[..], &["killed", "the arbiter late"]].concat());
}

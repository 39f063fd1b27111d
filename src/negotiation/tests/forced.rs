//! Acting by an operator's force: what it risks, and that what follows from it waits until that is over (U2, N16).

use super::super::ability::Unable;
use super::super::event::Event;
use super::super::exchange::{Input, StopCause};
use super::super::message::{Message, Mode, Order, Query};
use super::super::settings::Protection;
use super::super::term::Term;
use super::*;

/// Gamma granted alpha the role, lost the connection to it in the same moment, and was forced to act; beta stands by.
fn forced() -> Bench {
    let mut settings = three(2);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::new(settings);
    bench.all_up().beacon(0, 1).down(0).take_over(true);
    bench.asked_by(1);
    assert!(bench.machine.is_forced() && bench.mode() == Mode::Primary);
    bench
}

/// What the successor was told of how long it may take, in milliseconds.
fn told(bench: &Bench) -> u64 {
    let answer = bench.hand_over_answers_to(1).last().copied().expect("the successor is told");
    answer.verdict.expect("agreed").as_millis() as u64
}

#[test]
fn u2_a_forced_primary_hands_over_only_when_the_promise_that_was_broken_is_over() {
    let mut bench = forced();
    bench.step_down(false).wait(ms(2_900)).asked_by(1);
    assert_eq!(
        (bench.shown(), bench.released_to(1)),
        (Mode::Primary, None),
        "alpha may act by gamma's word until then"
    );
    let waits = bench.view().transition.expect("it says what it waits for").waiting_for;
    assert_eq!(waits, "its promise to alpha to be over: that one may still act by it");
    assert!((2_900..=3_000).contains(&told(&bench)), "{}", told(&bench));
    bench.wait(ms(200));
    assert_eq!((bench.shown(), bench.released_to(1)), (Mode::Secondary, Some(1)));
}

#[test]
fn u2_a_forced_primary_that_is_told_to_stop_waits_no_longer_than_the_promise() {
    let mut bench = forced();
    bench.give(Input::Stop { cause: StopCause::Operator }).wait(ms(2_900)).asked_by(1);
    let byes = |bench: &Bench| bench.sent_to(1).iter().filter(|message| matches!(message, Message::Bye)).count();
    assert_eq!((bench.released_to(1), byes(&bench)), (None, 0));
    assert!(bench.machine.releases_at().is_some(), "the controller knows how long its end may take");
    bench.now = bench.now + ms(200);
    bench.give(Input::Tick);
    assert_eq!((bench.released_to(1), byes(&bench)), (Some(1), 1));
}

#[test]
fn u2_a_forced_primary_waits_no_longer_once_the_other_has_given_way() {
    let mut bench = forced();
    bench.step_down(false);
    let stops = Query { able: cannot(Unable::Stopping), ..bench.query() };
    bench.up(0).asked(0, stops);
    assert_eq!(bench.released_to(1), None, "its processes still stop");
    let query = bench.query();
    bench.asked(0, query);
    assert_eq!(bench.released_to(1), Some(1), "it is Secondary, has stopped, and knows the term");
    // One that has not heard of the term proves nothing: it may take over on what it was told before.
    let mut bench = forced();
    bench.step_down(false);
    let ignorant = Query { seen: Term::NONE, ..bench.query() };
    bench.up(0).asked(0, ignorant);
    assert_eq!(bench.released_to(1), None);
}

#[test]
fn u2_a_forced_primary_gives_the_role_back_to_the_one_it_had_promised_it_to_at_once() {
    let mut bench = forced();
    bench.down(1);
    let query = bench.query();
    bench.up(0).asked(0, query);
    bench.step_down(false);
    assert_eq!(bench.released_to(0), Some(0));
}

#[test]
fn n16_who_was_forced_and_stepped_down_is_bound_by_its_promise_again() {
    let mut bench = forced();
    let held_off = Query { able: cannot(Unable::ObserveOnly), ..bench.query() };
    bench.asked(1, held_off);
    bench.step_down(true);
    assert_eq!(bench.mode(), Mode::Secondary, "nobody follows, so nothing waits");
    assert_eq!(bench.asked_by(1), Order::StaySecondary { floor: None }, "alpha may still act");
    bench.wait(s(5));
    assert!(matches!(bench.asked_by(1), Order::BePrimary { .. }));
    assert!(!bench.events().iter().any(|event| matches!(event, Event::TwoPrimaries { .. })));
}

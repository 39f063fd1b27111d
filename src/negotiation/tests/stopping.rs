//! Leaving the role while processes stop (P2, P6, rules 8, 11 and 13).

use super::super::ability::{Ability, Unable};
use super::super::event::Event;
use super::super::exchange::{CommandOutcome, FenceWhy, Input, StopCause};
use super::super::member::MemberId;
use super::super::message::{Grant, HandOverCause, HandOverRequest, Message, Mode, Order, Refusal};
use super::super::settings::{Protection, Settings};
use super::super::term::Term;
use super::super::time::Instant;
use super::*;

/// Alpha, Primary in term 1, with processes that take up to five seconds to stop.
fn serving() -> Bench {
    let mut bench = Bench::primary(two(0));
    bench.asked_by(1);
    bench.serves(s(5));
    bench
}

/// A Primary in term 1 whose lease begins now.
fn granted_by_all(settings: Settings) -> Bench {
    let mut bench = Bench::primary(settings);
    for peer in [1, 2] {
        let term = Term { number: 1, owner: MemberId(0) };
        bench.hear(peer, Message::Grant(Grant { sent_at: bench.now, term }));
    }
    bench
}

fn ask(cause: HandOverCause) -> Message {
    Message::HandOverRequest(HandOverRequest { term: Term { number: 1, owner: MemberId(0) }, cause })
}

fn beacons_to(bench: &Bench, peer: u8) -> usize {
    bench.sent_to(peer).iter().filter(|message| matches!(message, Message::Beacon(_))).count()
}

#[test]
fn n18_a_hand_over_tells_its_stop_time_and_releases_only_when_everything_has_stopped() {
    let mut bench = serving();
    bench.hear(1, ask(HandOverCause::Operator));
    assert_eq!(bench.hand_over_answers_to(1)[0].verdict, Ok(s(5)));
    assert_eq!((bench.shown(), bench.stop_orders()), (Mode::Primary, vec![None]));
    assert_eq!(bench.released_to(1), None);
    let view = bench.view();
    assert_eq!(view.stopping.map(|stopping| stopping.to), Some(Some("beta".into())));
    assert_eq!(view.transition.map(|transition| transition.to), Some(Mode::Secondary));
    bench.serving_stopped();
    assert_eq!(bench.released_to(1), Some(1));
    bench.assert_secondary_by("handed_over");
    assert_eq!(bench.shown(), Mode::Secondary);
    assert!(bench.view().stopping.is_none());
}

#[test]
fn p2_who_stops_announces_itself_still_and_answers_every_query_secondary() {
    let mut bench = serving();
    bench.hear(1, ask(HandOverCause::Operator));
    let before = beacons_to(&bench, 1);
    bench.wait(s(3));
    assert_eq!(beacons_to(&bench, 1), before + 3);
    let query = bench.query();
    let answer = bench.asked(1, query);
    assert_eq!((answer.order, answer.mode), (Order::StaySecondary { floor: None }, Mode::Primary));
    assert_eq!(answer.able, Ability::Cannot(Unable::Stopping));
}

#[test]
fn n18_asked_again_while_it_stops_it_tells_the_time_again_and_begins_nothing_anew() {
    let mut bench = serving();
    bench.hear(1, ask(HandOverCause::Health));
    assert_eq!(bench.hand_over_answers_to(1)[0].verdict, Err(Refusal::NotSick));
    bench.hear(1, ask(HandOverCause::Operator)).hear(1, ask(HandOverCause::Operator));
    assert_eq!(bench.hand_over_answers_to(1)[2].verdict, Ok(s(5)));
    assert_eq!(bench.stop_orders().len(), 1);
    assert!(bench.events().iter().any(|event| matches!(event, Event::SteppingDown { .. })));
}

#[test]
fn s10_a_successor_that_is_gone_when_everything_has_stopped_is_waited_for_by_nobody() {
    let mut bench = serving();
    bench.hear(1, ask(HandOverCause::Operator)).wait(s(4)).serving_stopped();
    assert_eq!(bench.released_to(1), None);
    bench.assert_primary_by("peer_silent");
}

#[test]
fn n18_a_stopped_controller_says_bye_when_its_processes_have_stopped() {
    let mut bench = serving();
    bench.give(Input::Stop { cause: StopCause::Signal });
    bench.give(Input::Stop { cause: StopCause::Signal });
    assert!(!bench.sent_to(1).contains(&&Message::Bye));
    bench.serving_stopped();
    assert!(bench.sent_to(1).ends_with(&[&Message::Bye]));
    assert_eq!(bench.released_to(1), Some(1));
}

#[test]
fn n12_who_yields_acts_no_more_although_its_processes_still_stop() {
    let mut bench = serving();
    bench.beacon(1, 2);
    assert_eq!((bench.shown(), bench.mode()), (Mode::Primary, Mode::Secondary));
    assert_eq!(bench.view().term.number, 1, "to people it acts in its own term, not in that of the other");
    let before = beacons_to(&bench, 1);
    // The other falls silent meanwhile: nothing is taken back before everything has stopped.
    bench.wait(s(9));
    assert_eq!(beacons_to(&bench, 1), before);
    assert_eq!(bench.stop_orders(), [None]);
    bench.serving_stopped();
    assert_eq!(bench.changes().map(|change| change.rule.word()).collect::<Vec<_>>()[1..2], ["yielded_to"]);
    bench.assert_primary_by("peer_silent");
}

#[test]
fn p6_a_lease_that_ends_has_the_processes_killed_before_it_does() {
    let majority = Settings { protection: vec![Protection::Majority], ..three(0) };
    let mut bench = granted_by_all(majority);
    let granted = bench.now;
    bench.serves(s(5));
    bench.wait(s(3));
    // The lease is the timeout less a tenth, killed half a second before; the stop begins before that.
    assert_eq!(bench.stop_orders(), [Some(granted + ms(2_200))]);
    let begun = bench.changes().count();
    assert_eq!((bench.shown(), begun), (Mode::Primary, 1));
    assert_eq!(bench.view().stopping.map(|stopping| stopping.since), Some(granted + ms(1_850)));
    assert_eq!(bench.machine.may_serve_until(bench.now), Some(granted + ms(2_200)));
    bench.serving_stopped();
    bench.assert_secondary_by("lost_majority");
}

#[test]
fn p6_a_hand_over_that_a_lease_overtakes_is_hurried() {
    let majority = Settings { protection: vec![Protection::Majority], ..three(0) };
    let mut bench = granted_by_all(majority);
    bench.asked_by(1);
    bench.serves(s(60));
    bench.hear(1, ask(HandOverCause::Operator));
    assert_eq!(bench.stop_orders(), [None]);
    bench.wait(s(3));
    let orders = bench.stop_orders();
    assert!(matches!(orders[..], [None, Some(_)]), "{orders:?}");
    assert_eq!(bench.machine.may_serve_until(bench.now), orders[1]);
}

#[test]
fn s9_a_woken_primary_keeps_its_processes_while_it_asks_and_tells_them_the_new_term() {
    let mut bench = serving();
    bench.late(s(2));
    assert_eq!((bench.shown(), bench.mode()), (Mode::Primary, Mode::Secondary));
    assert_eq!(bench.stop_orders(), []);
    assert_eq!(bench.view().transition.map(|transition| transition.to), Some(Mode::Primary));
    bench.consents(1);
    assert_eq!(bench.stop_orders(), []);
    assert_eq!((bench.mode(), bench.term()), (Mode::Primary, 2));
    let modes: Vec<Mode> = bench.changes().map(|change| change.mode).collect();
    assert_eq!(modes, [Mode::Primary, Mode::Primary]);
}

#[test]
fn s9_a_woken_primary_whose_peer_does_not_answer_in_a_tenth_of_the_timeout_stops() {
    let mut bench = serving();
    bench.late(s(2)).wait(ms(299));
    assert_eq!(bench.stop_orders(), []);
    bench.wait(ms(1));
    assert_eq!(bench.stop_orders(), [None]);
    assert_eq!((bench.shown(), bench.mode()), (Mode::Primary, Mode::Secondary));
    bench.consents(1).wait(s(1));
    assert_eq!(bench.mode(), Mode::Secondary, "nothing is taken before it has stopped");
    bench.serving_stopped();
    let rules: Vec<&str> = bench.changes().map(|change| change.rule.word()).collect();
    assert_eq!(rules, ["told_primary", "stalled", "told_primary"]);
}

#[test]
fn s9_a_woken_primary_that_hears_another_stops_at_once() {
    let mut bench = serving();
    bench.late(s(2)).beacon(1, 2);
    assert_eq!(bench.stop_orders(), [None]);
    bench.serving_stopped().assert_secondary_by("stalled");
}

#[test]
fn p6_what_the_guardian_ended_is_not_kept() {
    let mut bench = serving();
    bench.late(s(2)).serving_stopped();
    bench.assert_secondary_by("stalled");
    assert_eq!(bench.shown(), Mode::Secondary);
}

#[test]
fn u2_a_forced_step_down_is_done_when_everything_has_stopped() {
    let mut bench = Bench::new(two(0));
    bench.until(s(10)).serves(s(1)).step_down(true);
    assert!(bench.outcomes().is_empty());
    bench.step_down(true);
    assert!(matches!(bench.outcomes()[..], [CommandOutcome::Impossible { .. }]));
    bench.serving_stopped();
    assert_eq!(bench.outcomes().last(), Some(&&CommandOutcome::Done));
    bench.assert_secondary_by("stepped_down");
}

#[test]
fn p6_the_guardians_deadline_is_half_the_timeout_and_none_when_nothing_may_run() {
    let mut bench = serving();
    assert_eq!(bench.machine.may_serve_until(bench.now), Some(bench.now + ms(1_500)));
    bench.hear(1, ask(HandOverCause::Operator)).serving_stopped();
    assert_eq!(bench.machine.may_serve_until(bench.now), None::<Instant>);
    assert!(bench.shots().iter().all(|(_, why)| *why == FenceWhy::PrimaryAlone));
}

//! Reference addresses: an isolated machine does not promote itself (S1).

use super::super::ability::Unable;
use super::super::event::Event;
use super::super::exchange::{Input, Output};
use super::super::message::Mode;
use super::super::settings::{Protection, Settings};
use super::*;

fn reachable(settings: Settings) -> Settings {
    Settings { protection: vec![Protection::Reachability], ..settings }
}

/// Beta, beside alpha, whose questions are answered like this.
fn beside(answered: bool) -> Bench {
    let mut bench = Bench::new(reachable(two(1)));
    bench.reference = Some(answered);
    let first = questions(&bench)[0];
    bench.give(Input::Reference { asked_at: first, answered });
    bench.up(0).beacon(0, 1);
    for _ in 0..5 {
        bench.wait(s(1)).beacon(0, 1);
    }
    bench
}

fn questions(bench: &Bench) -> Vec<super::super::time::Instant> {
    let asked = bench.log.iter().filter_map(|output| match output {
        Output::AskReference { asked_at, .. } => Some(*asked_at),
        _ => None,
    });
    asked.collect()
}

#[test]
fn s1_an_isolated_machine_does_not_promote_itself() {
    let mut bench = beside(false);
    bench.wait(s(60)).assert_secondary();
    assert_eq!(bench.view().able, cannot(Unable::NoReference));
    let missing = bench.view().forecast.lines.into_iter().find(|line| !line.ok).map(|line| line.text);
    assert_eq!(missing.as_deref(), Some("no reference address answers: this member may be cut off"));
    assert!(!bench.view().protected_now);
    // The address answers: the other has two seconds to be heard; then it is the one that is cut off, or dead.
    bench.reference = Some(true);
    bench.wait(s(1)).assert_secondary();
    let missing = bench.view().forecast.lines.into_iter().find(|line| !line.ok).map(|line| line.text);
    assert_eq!(missing.as_deref(), Some("a reference address answers again: the others have 2.0 s to be heard"));
    bench.wait(s(2)).assert_primary_by("peer_silent");
    let told: Vec<_> = bench.events().into_iter().filter(|event| matches!(event, Event::ReferenceBack)).collect();
    assert_eq!(told.len(), 1);
}

#[test]
fn s1_a_reference_address_that_answers_lets_it_take_over() {
    let mut bench = beside(true);
    assert!(bench.view().protected_now);
    bench.wait(s(3)).assert_primary_by("peer_silent");
}

#[test]
fn s1_reference_addresses_are_asked_every_interval_while_not_primary() {
    let mut bench = beside(true);
    let before = questions(&bench).len();
    bench.wait(ms(2_900));
    let asked = questions(&bench).len() - before;
    assert!((2..=3).contains(&asked), "{asked}");
    bench.wait(ms(100));
    assert_eq!(bench.mode(), Mode::Primary);
    let before = questions(&bench).len();
    bench.wait(s(30));
    assert_eq!(questions(&bench).len(), before);
}

#[test]
fn s1_an_answer_counts_from_the_question_and_not_from_before_a_stall() {
    let mut bench = beside(true);
    bench.reference = None;
    bench.wait(s(1)).beacon(0, 1);
    let asked_at = *questions(&bench).last().unwrap();
    bench.wait(ms(2_900)).give(Input::Reference { asked_at, answered: true });
    bench.wait(ms(1_100)).assert_secondary();

    let mut slept = beside(true);
    slept.reference = None;
    slept.wait(s(1));
    let asked_at = *questions(&slept).last().unwrap();
    slept.late(s(2)).give(Input::Reference { asked_at, answered: true });
    slept.wait(s(4)).assert_secondary();
    assert!(questions(&slept).last() > Some(&asked_at), "it asks again");
}

#[test]
fn s1_an_answer_from_before_the_silence_counts_for_nothing() {
    // The timeout ends before the first question that is not answered has failed.
    let times = Settings { reply_timeout: ms(1_200), ..two(1) };
    let mut bench = Bench::new(reachable(times));
    bench.reference = Some(true);
    let first = questions(&bench)[0];
    bench.give(Input::Reference { asked_at: first, answered: true });
    bench.up(0);
    for _ in 0..4 {
        bench.wait(ms(600)).beacon(0, 1);
    }
    bench.wait(ms(700));
    assert_eq!(questions(&bench).len(), 4);
    // The cable breaks. The last word was heard 700 ms ago, the last question was answered 100 ms ago.
    bench.reference = None;
    bench.wait(ms(800)).assert_secondary();
    let asked_at = *questions(&bench).last().unwrap();
    bench.wait(ms(200)).give(Input::Reference { asked_at, answered: false }).wait(s(10)).assert_secondary();

    // The other is dead, and this member is not cut off: it asks at once, and takes the role with the answer.
    let mut bench = beside(true);
    bench.reference = None;
    let before = questions(&bench).len();
    bench.wait(ms(500));
    while bench.view().peers[0].gone.is_none() {
        if let Some(asked_at) = questions(&bench).get(before..).and_then(<[_]>::last) {
            bench.give(Input::Reference { asked_at: *asked_at, answered: true });
        }
        bench.wait(ms(10));
    }
    bench.assert_secondary();
    let asked_at = *questions(&bench).last().unwrap();
    bench.give(Input::Reference { asked_at, answered: true }).assert_primary_by("peer_silent");
}

#[test]
fn s1_an_address_that_is_lost_again_is_not_said_to_answer() {
    let mut bench = beside(false);
    bench.wait(s(10)).reference = Some(true);
    bench.wait(s(1)).reference = Some(false);
    bench.wait(s(1)).assert_secondary();
    let missing = bench.view().forecast.lines.into_iter().find(|line| !line.ok).map(|line| line.text);
    assert_eq!(missing.as_deref(), Some("no reference address answers: this member may be cut off"));
}

#[test]
fn s10_an_address_that_loses_every_fifth_question_keeps_nobody_from_the_role() {
    let times = Settings { reply_timeout: s(60), query_interval: ms(100), ..two(1) };
    let mut bench = Bench::new(reachable(times));
    bench.up(0).beacon(0, 1);
    let mut answered = 0;
    for _ in 0..620 {
        for (number, asked_at) in questions(&bench).into_iter().enumerate().skip(answered) {
            answered += 1;
            bench.give(Input::Reference { asked_at, answered: number % 5 != 0 });
        }
        bench.wait(ms(100));
    }
    bench.assert_primary_by("peer_silent");
}

#[test]
fn s10_of_two_secondaries_the_one_that_is_not_cut_off_takes_over() {
    let mut lower = Bench::new(reachable(two(0)));
    let first = questions(&lower)[0];
    lower.give(Input::Reference { asked_at: first, answered: false }).up(1).wait(s(5));
    assert!(matches!(lower.asked_by(1), super::super::message::Order::BePrimary { .. }));
}

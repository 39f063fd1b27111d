//! The hold: what it freezes, what it never does, and how long (S7).

use std::time::Duration;

use super::super::event::Event;
use super::super::exchange::{CommandOutcome, Input, Output};
use super::super::member::MemberId;
use super::super::message::{HandOverCause, HandOverRequest, Hold, HoldStamp, Message, Mode, Order};
use super::super::settings::Protection;
use super::super::term::Term;
use super::*;

fn word(unix_ms: u64, member: u8, remaining: Duration) -> Message {
    Message::Hold(Hold { stamp: HoldStamp { unix_ms, member }, remaining, by: "ann".into() })
}

fn held(settings: super::super::settings::Settings) -> Bench {
    let mut bench = Bench::secondary_of(settings, 0);
    bench.hold(s(600), 1_000);
    bench
}

#[test]
fn s7_a_hold_freezes_a_takeover_by_silence_refusal_and_bye() {
    held(two(1)).wait(s(60)).assert_secondary();
    held(two(1)).down(0).refused(0).wait(s(60)).assert_secondary();
    held(two(1)).hear(0, Message::Bye).wait(s(60)).assert_secondary();
}

#[test]
fn s7_a_hold_freezes_the_boots_roads_too() {
    let mut bench = Bench::new(two(0));
    bench.hold(s(600), 1_000).until(s(20)).assert_secondary();
    let mut told = Bench::new(two(0));
    told.hold(s(600), 1_000).up(1).consents(1).assert_secondary();
}

#[test]
fn s7_a_hold_never_stops_yielding() {
    let mut bench = Bench::primary(two(0));
    bench.hold(s(600), 1_000).beacon(1, 5).assert_secondary_by("yielded_to");
}

#[test]
fn s7_a_hold_never_stops_a_step_down_for_a_lost_lease_or_a_stall() {
    let mut settings = three(0);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::primary(settings);
    bench.hold(s(600), 1_000).wait(s(10)).assert_secondary_by("lost_majority");

    let mut stalled = Bench::primary(two(0));
    stalled.hold(s(600), 1_000).late(s(5)).assert_secondary_by("stalled");
}

#[test]
fn s7_a_hold_never_stops_answering_granting_and_beacons() {
    let mut settings = three(2);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::secondary_of(settings, 0);
    bench.hold(s(600), 1_000).wait(s(1)).beacon(0, 1);
    assert!(matches!(bench.sent_to(0).last(), Some(Message::Grant(_))));
    assert_eq!(bench.asked_by(1), Order::StaySecondary { floor: None });

    let mut free = Bench::new(two(1));
    free.hold(s(600), 1_000).up(0);
    assert!(matches!(free.asked_by(0), Order::BePrimary { .. }));

    let mut primary = Bench::primary(two(0));
    primary.hold(s(600), 1_000).wait(s(1));
    assert!(matches!(primary.sent_to(1).last(), Some(Message::Beacon(_))));
}

#[test]
fn s7_a_hold_never_stops_the_operators_own_commands() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    group.with(0, |alpha| {
        alpha.hold(s(600), 1_000);
    });
    group.with(1, |beta| {
        beta.take_over(false);
    });
    assert_eq!(group.primaries(), [1]);
    group.with(1, |beta| {
        beta.step_down(false);
    });
    assert_eq!(group.primaries(), [0], "a release is a claim, which no hold stops");
    let asked = HandOverRequest { term: Term { number: 3, owner: MemberId(0) }, cause: HandOverCause::Operator };
    group.with(0, |alpha| {
        alpha.hear(1, Message::HandOverRequest(asked));
    });
    assert_eq!(group.primaries(), [1]);
}

#[test]
fn s7_a_hold_does_not_stop_who_claims() {
    let mut bench = Bench::primary(two(0));
    bench.hold(s(600), 1_000).late(s(2)).assert_secondary_by("stalled");
    bench.wait(s(1)).consents(1).assert_primary_by("told_primary");
}

#[test]
fn s7_under_a_hold_who_lost_its_majority_has_the_role_again_when_the_majority_is_back() {
    let mut settings = three(0);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::primary(settings);
    bench.hold(s(600), 1_000).wait(s(10)).assert_secondary_by("lost_majority");
    assert!(bench.latest_query(1).expect("it asks").claim, "nobody else may: so it comes first");
    bench.up(1).up(2).consents(1).consents(2).assert_primary_by("told_primary");
    // Without a hold others have long taken over, or will: it is one among equals.
    let mut settings = three(0);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::primary(settings);
    bench.wait(s(10)).assert_secondary_by("lost_majority");
    assert!(!bench.latest_query(1).expect("it asks").claim);
}

#[test]
fn s7_a_hold_survives_a_restart() {
    let bench = held(two(1));
    let kept = bench.writes().last().expect("the hold was written").1.clone();
    let mut restarted = Bench::with_state(two(1), Some(kept));
    restarted.wait(s(599)).assert_secondary();
    restarted.wait(s(1)).assert_primary_by("never_heard");
}

#[test]
fn s7_a_hold_is_told_to_all_and_on_connecting() {
    let mut bench = Bench::new(three(0));
    bench.up(1).hold(s(600), 1_000);
    let told = |bench: &Bench, peer| bench.sent_to(peer).iter().any(|message| matches!(message, Message::Hold(_)));
    assert!(told(&bench, 1));
    assert!(!told(&bench, 2));
    let view = bench.machine.view(bench.now).hold.expect("in force");
    assert_eq!(view.not_told, ["gamma".into()], "who could not be told is named");
    bench.wait(s(1)).up(2);
    assert!(told(&bench, 2));
    assert!(bench.machine.view(bench.now).hold.expect("in force").not_told.is_empty());
}

#[test]
fn s7_a_hold_heard_from_one_is_told_to_who_cannot_hear_that_one() {
    let mut bench = Bench::new(three(1));
    bench.all_up().hear(0, word(1_000, 0, s(600)));
    assert!(bench.sent_to(2).iter().any(|message| matches!(message, Message::Hold(_))));
    assert!(!bench.sent_to(0).iter().any(|message| matches!(message, Message::Hold(_))), "it knows");
}

#[test]
fn s7_the_later_word_wins_whichever_way_it_comes() {
    for words in [[(1_000, s(600)), (2_000, s(0))], [(2_000, s(0)), (1_000, s(600))]] {
        let mut bench = Bench::new(two(1));
        bench.up(0);
        for (stamp, remaining) in words {
            bench.hear(0, word(stamp, 0, remaining));
        }
        assert!(bench.machine.view(bench.now).hold.is_none(), "{words:?}");
    }
    // Of two words in one millisecond the order is by member: every member decides the same.
    let mut bench = Bench::new(two(1));
    bench.up(0).hear(0, word(1_000, 1, s(0))).hear(0, word(1_000, 0, s(600)));
    assert!(bench.machine.view(bench.now).hold.is_none());
}

#[test]
fn s7_an_operators_word_is_later_than_every_one_heard_whatever_the_clock_says() {
    let mut bench = held(two(1));
    bench.resume(5);
    assert!(bench.machine.view(bench.now).hold.is_none());
    assert!(matches!(bench.sent_to(0).last(), Some(Message::Hold(hold)) if hold.stamp.unix_ms == 1_001));
}

#[test]
fn s7_a_hold_ends_by_itself_and_is_said() {
    let mut bench = held(two(1));
    bench.wait(s(600) - ms(1)).assert_secondary();
    bench.wait(ms(1)).assert_primary_by("peer_silent");
    assert!(bench.events().contains(&&Event::HoldEnded { by: None }));
}

#[test]
fn s7_a_hold_is_bounded() {
    for lasts in [s(0), s(24 * 3_600 + 1)] {
        let mut bench = Bench::new(two(0));
        bench.hold(lasts, 1);
        assert!(matches!(bench.outcomes()[..], [CommandOutcome::Impossible { .. }]), "{lasts:?}");
    }
    let mut bench = Bench::new(two(1));
    bench.up(0).hear(0, word(1, 0, Duration::MAX));
    let until = bench.machine.view(bench.now).hold.expect("in force").until;
    assert_eq!(until.since(bench.now), s(24 * 3_600), "a peer cannot ask for more");
}

#[test]
fn s7_a_resume_with_nothing_to_resume_says_so() {
    let mut bench = Bench::new(two(0));
    bench.resume(1);
    assert_eq!(bench.outcomes(), [&CommandOutcome::AlreadySo]);
    assert!(!bench.log.iter().any(|output| matches!(output, Output::ModeChanged(_))));
    assert_eq!(bench.give(Input::Tick).mode(), Mode::Secondary);
}

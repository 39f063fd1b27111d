//! Who is switched off, when, and what counts as off (S2, S3; rules 6 and 15).

use super::super::event::{Event, Severity};
use super::super::exchange::{Command, CommandOutcome, FenceResult, FenceWhy, Input};
use super::super::member::MemberId;
use super::super::message::{Hears, Message, Mode, Query};
use super::super::settings::{Protection, Settings};
use super::super::view::{FenceState, OffWord};
use super::*;

fn fenced(settings: Settings) -> Settings {
    let fence_delay = vec![Some(s(5)); settings.members.len()];
    Settings { protection: vec![Protection::Fence], fence_delay, ..settings }
}

/// Beta, settled, hears alpha as Primary, until now.
fn secondary() -> Bench {
    let mut bench = Bench::secondary_of(fenced(two(1)), 0);
    for _ in 0..5 {
        bench.wait(s(1)).beacon(0, 1);
    }
    bench
}

fn is_off(bench: &mut Bench, peer: u8) -> &mut Bench {
    bench.give(Input::Command(Command::IsOff { peer: MemberId(peer), by: "maria".into() }))
}

fn fence(bench: &mut Bench, peer: u8) -> &mut Bench {
    bench.give(Input::Command(Command::Fence { peer: MemberId(peer), by: "maria".into() }))
}

fn outcome(bench: &Bench) -> &CommandOutcome {
    bench.outcomes().last().expect("an outcome")
}

#[test]
fn s2_a_silent_primary_is_replaced_only_when_it_is_confirmed_off() {
    let mut bench = secondary();
    bench.wait(ms(7_999));
    assert_eq!(bench.shots(), [], "T and the delay");
    assert!(matches!(bench.view().peers[0].fence.state, FenceState::Waiting { .. }));
    bench.wait(ms(1));
    assert_eq!(bench.shots(), [(0, FenceWhy::TakeoverWaits)]);
    bench.wait(s(30)).assert_secondary();
    bench.fenced(0, FenceResult::Off);
    bench.assert_primary_by("peer_off");
    let fence = bench.view().peers[0].fence.clone();
    assert!(matches!(fence.state, FenceState::Off { by: None, .. }));
    assert_eq!(fence.took, Some(s(30)));
}

/// A query of `peer`, which misses the words of the one that it asks.
fn misses_us(bench: &mut Bench, peer: u8) {
    let query = Query { hears: Hears::NotYou, ..bench.query() };
    bench.asked(peer, query);
}

#[test]
fn s3_words_that_are_missing_are_told_while_something_passes_the_other_way() {
    let mut bench = secondary();
    let told = |bench: &Bench| bench.latest_query(0).expect("it asks").hears;
    bench.wait(ms(1_100));
    assert_eq!(told(&bench), Hears::You, "an interval without a word is nothing");
    bench.wait(ms(1_000));
    assert_eq!(told(&bench), Hears::NotYou);
    bench.beacon(0, 1).wait(ms(1_000));
    assert_eq!(told(&bench), Hears::You);
    // Where nobody is shot it decides nothing, and is not said.
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.wait(ms(2_500));
    assert_eq!(told(&bench), Hears::You);
}

#[test]
fn s3_a_primary_that_was_missed_first_leaves_the_shot_to_the_other_and_goes_on() {
    let mut bench = Bench::primary(fenced(two(0)));
    misses_us(&mut bench, 1);
    bench.wait(s(60));
    assert_eq!((bench.shots(), bench.mode()), (vec![], Mode::Primary));
    // It is heard again, and then is silent without having missed anything.
    let query = bench.query();
    bench.asked(1, query);
    bench.wait(s(4));
    assert_eq!(bench.shots(), [(1, FenceWhy::PrimaryAlone)]);
}

#[test]
fn s3_who_would_shoot_at_once_waits_two_delays_when_it_was_missed_first() {
    let mut bench = Bench::new(fenced(two(0)));
    bench.all_up().wait(s(3));
    misses_us(&mut bench, 1);
    bench.wait(ms(12_999));
    assert_eq!(bench.shots(), []);
    bench.wait(ms(1));
    assert_eq!(bench.shots(), [(1, FenceWhy::TakeoverWaits)], "T and twice the delay");
}

#[test]
fn u1_one_that_acts_by_force_beside_a_silent_member_is_not_protected() {
    let mut bench = secondary();
    bench.wait(s(8)).fencing_fails(0);
    bench.take_over(true);
    assert!(bench.machine.is_forced());
    assert!(!bench.view().protected_now, "alpha is silent and was switched off by nobody");
    is_off(&mut bench, 0);
    bench.wait(ms(1));
    assert!(!bench.machine.is_forced(), "nobody can act any more but beta: that was asked for");
    assert!(bench.view().protected_now);
}

#[test]
fn s2_a_failed_fencing_blocks_the_takeover_and_is_tried_again_each_minute() {
    let mut bench = secondary();
    bench.wait(s(8)).fencing_fails(0);
    assert!(bench.view().forecast.lines.iter().any(|line| !line.ok && line.text == "fencing alpha failed: no answer"));
    let failed = bench.events().into_iter().find(|event| matches!(event, Event::FencingFailed { .. }));
    assert_eq!(failed.map(Event::severity), Some(Severity::Alarm));
    for tries in 2..5 {
        bench.wait(ms(59_999));
        assert_eq!(bench.shots().len(), tries - 1);
        bench.wait(ms(1));
        assert_eq!(bench.shots().len(), tries);
        bench.fencing_fails(0).assert_secondary();
    }
    bench.beacon(0, 1).wait(s(120));
    assert_eq!(bench.shots().len(), 5, "heard again it begins anew, after another silence");
}

#[test]
fn s2_what_was_not_asked_for_proves_nothing() {
    let mut bench = secondary();
    bench.wait(s(4)).fenced(0, FenceResult::Off);
    bench.assert_secondary();
}

#[test]
fn s2_who_said_bye_is_not_shot_and_is_replaced_at_once() {
    let mut bench = secondary();
    bench.hear(0, Message::Bye);
    bench.assert_primary_by("peer_stopped");
    assert_eq!(bench.wait(s(60)).shots(), []);
}

#[test]
fn s2_a_refused_connection_is_no_proof_where_fencing_is_asked_for() {
    let mut bench = secondary();
    bench.down(0).refused(0).wait(s(4));
    bench.assert_secondary();
    bench.wait(s(1));
    assert_eq!(bench.shots(), [(0, FenceWhy::TakeoverWaits)]);
}

#[test]
fn s3_the_primary_shoots_at_once_when_it_hears_no_other_member() {
    let mut bench = Bench::primary(fenced(two(0)));
    bench.wait(s(3));
    assert_eq!(bench.shots(), [(1, FenceWhy::PrimaryAlone)]);
    // It acts on either way, so one round is enough.
    bench.fencing_fails(1).wait(s(600));
    assert_eq!((bench.shots().len(), bench.mode()), (1, Mode::Primary));
}

#[test]
fn s3_one_broken_cable_among_three_shoots_nobody() {
    let mut bench = Bench::primary(fenced(three(0)));
    bench.asked_by(1);
    for _ in 0..20 {
        bench.wait(s(1)).asked_by(1);
    }
    assert_eq!(bench.shots(), []);
}

#[test]
fn s3_who_has_not_heard_its_peer_since_its_own_boot_does_not_shoot_and_believes_who_looked() {
    for me in [0, 1] {
        let mut bench = Bench::new(fenced(two(me)));
        bench.wait(s(600)).assert_secondary();
        assert_eq!(bench.shots(), []);
        is_off(&mut bench, 1 - me);
        bench.assert_primary_by("peer_off");
        assert!(bench.rule().text().contains("maria looked"), "{}", bench.rule().text());
    }
}

#[test]
fn s3_where_no_primary_was_known_the_preferred_or_the_lower_address_shoots_first() {
    for (me, preferred, waits) in [(0, None, 3), (1, None, 8), (0, Some(MemberId(1)), 8), (1, Some(MemberId(1)), 3)] {
        let mut bench = Bench::new(Settings { preferred, ..fenced(two(me)) });
        // Heard, and refused so far, because both have to settle.
        bench.wait(s(3)).up(1 - me).wait(s(waits) - ms(1));
        assert_eq!(bench.shots(), [], "{me} {preferred:?}");
        bench.wait(ms(1));
        assert_eq!(bench.shots().len(), 1, "{me} {preferred:?}");
    }
}

#[test]
fn s7_while_held_nobody_is_shot() {
    let mut bench = secondary();
    bench.hold(s(600), 1).wait(s(60));
    assert_eq!(bench.shots(), []);
    let mut primary = Bench::primary(fenced(two(0)));
    primary.hold(s(600), 1).wait(s(60));
    assert_eq!(primary.shots(), []);
    primary.resume(9);
    assert_eq!(primary.shots().len(), 1);
}

#[test]
fn s2_a_peer_heard_in_the_same_incarnation_after_a_confirmed_off_means_that_the_agent_lied() {
    let mut bench = secondary();
    bench.wait(s(8)).fenced(0, FenceResult::Off);
    // What was on its way when the power went is no sign of life.
    bench.wait(ms(50)).query();
    bench.asked_by(0);
    assert_eq!(bench.view().peers[0].fence.heard_after_off, None);
    bench.wait(s(1)).asked_by(0);
    let lied = Event::HeardAfterOff { peer: "alpha".into(), by: None };
    assert!(bench.events().contains(&&lied));
    assert_eq!(lied.severity(), Severity::Alarm);
    assert_eq!(bench.view().peers[0].fence.heard_after_off, Some(OffWord::Device));
    bench.down(0).up_as(0, 8);
    assert_eq!(bench.view().peers[0].fence.heard_after_off, None);
}

#[test]
fn s2_a_peer_that_started_anew_after_it_was_switched_off_is_no_lie() {
    let mut bench = secondary();
    bench.down(0).wait(s(8)).fenced(0, FenceResult::Off);
    bench.wait(s(60)).up_as(0, 8);
    assert!(!bench.events().iter().any(|event| matches!(event, Event::HeardAfterOff { .. })));
    assert_eq!(bench.mode(), Mode::Primary);
}

#[test]
fn u2_is_off_is_taken_only_of_one_that_is_not_heard() {
    let mut bench = secondary();
    is_off(&mut bench, 0);
    assert!(matches!(outcome(&bench), CommandOutcome::Impossible { .. }));
    bench.wait(s(4));
    is_off(&mut bench, 0);
    assert_eq!(outcome(&bench), &CommandOutcome::Done);
    bench.assert_primary_by("peer_off");
    is_off(&mut bench, 0);
    assert_eq!(outcome(&bench), &CommandOutcome::AlreadySo);
}

#[test]
fn u2_an_operator_can_switch_off_one_that_lives_and_is_told_what_came_of_it() {
    let mut bench = secondary();
    fence(&mut bench, 0);
    assert_eq!(bench.shots(), [(0, FenceWhy::Operator { by: "maria".into() })]);
    assert!(bench.outcomes().is_empty());
    bench.fencing_fails(0);
    assert!(matches!(outcome(&bench), CommandOutcome::Impossible { .. }));
    assert!(matches!(bench.view().peers[0].fence.state, FenceState::Failed { next: None, .. }));
    fence(&mut bench, 0);
    bench.fenced(0, FenceResult::Off);
    assert_eq!(outcome(&bench), &CommandOutcome::Done);
    bench.assert_primary_by("peer_off");
    // There is no device for oneself, nor for nobody.
    fence(&mut bench, 1);
    fence(&mut bench, 9);
    assert!(matches!(bench.outcomes()[2..], [CommandOutcome::Impossible { .. }, CommandOutcome::Impossible { .. }]));
}

#[test]
fn s9_a_confirmation_from_before_a_stall_is_not_trusted() {
    let mut bench = secondary();
    bench.hold(s(3_600), 1).wait(s(4));
    is_off(&mut bench, 0);
    assert!(matches!(bench.view().peers[0].fence.state, FenceState::Off { .. }));
    bench.late(s(2));
    assert!(!matches!(bench.view().peers[0].fence.state, FenceState::Off { .. }));
}

#[test]
fn u12_the_forecast_rests_on_the_fencing_device_and_counts_its_delay_and_what_it_took() {
    let mut bench = secondary();
    let answers = |answers: bool| Input::FenceDevice {
        peer: MemberId(0),
        why_not: (!answers).then(|| "10.0.9.1 is mute".to_owned()),
    };
    let text = |bench: &Bench| bench.view().forecast.lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    assert!(text(&bench).contains(&"fence device not asked yet".to_owned()), "{:?}", text(&bench));
    bench.give(answers(true));
    for _ in 0..41 {
        bench.wait(s(1)).beacon(0, 1);
    }
    assert!(text(&bench).contains(&"fence device answered 41 s ago".to_owned()), "{:?}", text(&bench));
    assert_eq!(bench.view().forecast.expected, Some(s(8)));
    assert!(bench.view().protected_now);
    bench.give(answers(false));
    assert!(!bench.view().forecast.ready && !bench.view().protected_now);
    assert!(text(&bench).contains(&"fence device is dead: no answer just now".to_owned()), "{:?}", text(&bench));
    bench.give(answers(true));
    fence(&mut bench, 0).wait(ms(1_700)).fencing_fails(0);
    fence(&mut bench, 0).wait(ms(1_700)).fenced(0, FenceResult::Off);
    bench.wait(s(1)).beacon(0, 9);
    assert_eq!(bench.view().forecast.expected, Some(ms(9_700)));
}

#[test]
fn s9_a_confirmation_that_waited_while_this_controller_slept_is_asked_for_again() {
    let mut bench = secondary();
    bench.wait(s(8)).late(s(2)).fenced(0, FenceResult::Off);
    bench.assert_secondary();
    // After a fresh question has stayed unanswered, and the delay.
    bench.wait(s(6));
    assert_eq!(bench.shots().len(), 2);
    bench.fenced(0, FenceResult::Off);
    bench.assert_primary_by("peer_off");
}

#[test]
fn s2_a_peer_that_started_anew_before_its_confirmation_came_is_not_off() {
    let mut bench = secondary();
    bench.wait(s(8)).down(0).up_as(0, 8).fenced(0, FenceResult::Off);
    bench.assert_secondary();
    assert_eq!(bench.view().peers[0].gone, None);
}

#[test]
fn s11_who_only_looks_says_that_it_would_take_over_and_switches_nobody_off() {
    let mut bench = Bench::secondary_of(Settings { observe_only: true, ..fenced(two(1)) }, 0);
    bench.wait(s(60)).assert_secondary();
    assert_eq!(bench.shots(), []);
    assert!(bench.events().iter().any(|event| matches!(event, Event::WouldTakeOver { .. })));
}

#[test]
fn u12_a_primary_without_a_fencing_device_of_its_own_is_not_replaced_and_says_so() {
    let mut bench = Bench::primary(fenced(two(0)));
    bench.asked_by(1);
    assert_eq!((bench.view().forecast.ready, bench.view().forecast.expected), (true, Some(s(8))));
    let without = Settings { fence_delay: vec![None, Some(s(5))], ..fenced(two(0)) };
    let mut bench = Bench::primary(without);
    bench.asked_by(1);
    let forecast = bench.view().forecast;
    assert!(forecast.lines.iter().any(|line| !line.ok && line.text == "there is no fencing device for alpha"));
    assert!(!forecast.ready);
}

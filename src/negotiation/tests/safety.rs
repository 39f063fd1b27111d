//! What protects the group, and what a member thinks of its own stalls (S1, S9, S10, S11).

use super::super::ability::Unable;
use super::super::event::Event;
use super::super::exchange::{CommandOutcome, Output};
use super::super::member::MemberId;
use super::super::message::{Beacon, Grant, Message, Mode, Order};
use super::super::settings::{Protection, Settings};
use super::super::term::Term;
use super::super::time::Instant;
use super::*;

fn majority(me: u8) -> Settings {
    let mut settings = three(me);
    settings.protection = vec![Protection::Majority];
    settings
}

fn majority_of_three() -> Group {
    Group::new(vec![majority(0), majority(1), majority(2)])
}

#[test]
fn s1_with_majority_more_than_half_of_the_configured_members_must_agree() {
    let mut alone = Bench::new(majority(0));
    alone.until(s(600)).assert_secondary();
    let mut two_of_three = Bench::new(majority(0));
    two_of_three.up(1).until(s(9)).refuses(1);
    two_of_three.until(s(10)).consents(1).assert_primary_by("told_primary");
}

#[test]
fn s1_a_primary_that_loses_the_majority_steps_down_before_its_lease_ends() {
    let mut group = majority_of_three();
    group.wait(s(10));
    assert_eq!(group.primaries(), [0]);
    group.cut(0, 1);
    group.cut(0, 2);
    let mut last = group.primaries();
    for _ in 0..100 {
        group.wait(ms(100));
        let now = group.primaries();
        assert!(now.len() <= 1, "two at once");
        if now != last {
            last = now;
        }
    }
    assert_eq!(last, [1]);
    assert!(group.members[0].changes().any(|decision| decision.rule.word() == "lost_majority"));
}

#[test]
fn s1_a_minority_never_acts_and_one_lost_member_changes_nothing() {
    let mut group = majority_of_three();
    group.wait(s(10));
    group.kill(2);
    group.wait(s(60));
    assert_eq!(group.primaries(), [0]);
    group.kill(1);
    group.wait(s(60));
    assert!(group.primaries().is_empty());
}

/// A Primary under majority at 4 s, with what its latest beacon to member 1 said.
fn leased() -> (Bench, Beacon) {
    let bench = Bench::primary(majority(0));
    let beacon = bench.sent_to(1).into_iter().rev().find_map(|message| match message {
        Message::Beacon(beacon) => Some(*beacon),
        _ => None,
    });
    let beacon = beacon.expect("it announced itself");
    (bench, beacon)
}

#[test]
fn s1_a_grant_counts_from_when_the_beacon_was_sent() {
    // Received half a second later, it is worth no more: nine tenths of the lease from the beacon.
    let (mut bench, beacon) = leased();
    bench.wait(ms(500)).hear(1, Message::Grant(Grant { sent_at: beacon.sent_at, term: beacon.term }));
    bench.wait(ms(2_199));
    assert_eq!(bench.mode(), Mode::Primary);
    bench.wait(ms(1)).assert_secondary_by("lost_majority");
}

#[test]
fn s1_a_grant_for_another_term_or_from_the_future_counts_for_nothing() {
    for change in [
        (|grant: &mut Grant| grant.term.number += 1) as fn(&mut Grant),
        |grant| grant.term.owner = MemberId(2),
        |grant| grant.sent_at = Instant(u64::MAX),
    ] {
        let (mut bench, beacon) = leased();
        let mut grant = Grant { sent_at: beacon.sent_at, term: beacon.term };
        change(&mut grant);
        // The consents of 2 s are good until 4.7 s; a grant of 4 s would be until 6.7 s.
        bench.wait(ms(600)).hear(1, Message::Grant(grant)).wait(ms(101)).assert_secondary_by("lost_majority");
    }
}

#[test]
fn rule_9_a_beacon_below_the_floor_is_not_granted_and_without_a_lease_none_is() {
    let grants = |settings: Settings, number| {
        let mut bench = Bench::new(settings);
        bench.all_up().beacon(0, 5).beacon(0, number);
        bench.sent_to(0).iter().filter(|message| matches!(message, Message::Grant(_))).count()
    };
    assert_eq!(grants(majority(2), 5), 2);
    assert_eq!(grants(majority(2), 4), 1);
    assert_eq!(grants(three(2), 5), 0);
}

#[test]
fn s1_a_forced_primary_without_majority_stays_and_is_shown_as_forced() {
    let mut bench = Bench::new(majority(0));
    bench.take_over(true).wait(s(60));
    assert_eq!(bench.mode(), Mode::Primary);
    assert!(bench.machine.view(bench.now).forced);
    assert!(!bench.machine.view(bench.now).protected_now);
}

#[test]
fn s9_a_stall_of_half_the_timeout_makes_a_primary_ask_again_and_a_shorter_one_does_not() {
    let mut short = Bench::primary(two(0));
    short.late(ms(1_499));
    assert_eq!(short.mode(), Mode::Primary);
    let mut long = Bench::primary(two(0));
    long.late(ms(1_500)).assert_secondary_by("stalled");
    let query = long.latest_query(1).expect("it asks again at once");
    assert!(query.claim, "it comes first among equals");
    long.consents(1).assert_primary_by("told_primary");
    assert_eq!(long.term(), 2, "by the normal road, with a new term");
}

#[test]
fn s9_with_an_interval_beyond_half_the_timeout_less_is_a_stall() {
    // Others have heard nothing for 900 ms when the stall begins to count, and take over 100 ms later.
    let mut settings = two(0);
    settings.query_interval = ms(900);
    settings.reply_timeout = s(1);
    let mut bench = Bench::primary(settings);
    bench.late(ms(99));
    assert_eq!(bench.mode(), Mode::Primary);
    bench.late(ms(100)).assert_secondary_by("stalled");
}

#[test]
fn s9_a_stall_adds_its_length_to_each_silence() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.wait(s(2)).late(s(1));
    bench.until(ms(3_999)).assert_secondary();
    bench.wait(ms(100)).assert_primary_by("peer_silent");
}

#[test]
fn s9_after_a_stall_one_fresh_query_must_stay_unanswered() {
    let mut bench = Bench::secondary_of(two(1), 0);
    let asked = bench.queries_to(0).len();
    bench.until(ms(2_900)).late(s(60));
    assert!(bench.queries_to(0).len() > asked + 2);
    bench.wait(ms(999)).assert_secondary();
    bench.wait(ms(200)).assert_primary_by("peer_silent");
}

#[test]
fn s9_a_late_wake_up_judges_no_silence_before_the_sockets_were_read() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.until(ms(2_900)).late(ms(900)).assert_secondary();
    bench.beacon(0, 1).wait(ms(2_999)).assert_secondary();
}

#[test]
fn s9_stalls_cannot_starve_a_takeover() {
    let mut bench = Bench::secondary_of(two(1), 0);
    let mut awake = ms(0);
    while bench.mode() == Mode::Secondary {
        bench.wait(ms(300)).late(s(5));
        awake += ms(300);
        assert!(awake < s(6), "a stall must never restart the count");
    }
    bench.assert_primary_by("peer_silent");
}

#[test]
fn s9_answers_and_grants_from_before_the_stall_count_for_nothing() {
    let mut bench = Bench::new(two(0));
    bench.up(1);
    let stale = bench.answer(1, Order::BePrimary { proposed: 1, written: true });
    bench.late(s(2)).hear(1, Message::Answer(stale)).assert_secondary();
    bench.consents(1).assert_primary_by("told_primary");

    let mut kept = Bench::new(three(0));
    kept.all_up().until(s(3)).consents(1).consents(2).late(s(2));
    kept.assert_secondary();
}

#[test]
fn s9_becoming_is_given_up_too() {
    let mut bench = Bench::new(two(0));
    bench.disk = DiskMood::Slow;
    bench.up(1).consents(1);
    assert!(bench.is_becoming());
    bench.late(s(2)).assert_secondary_by("stalled");
    bench.disk_catches_up().assert_secondary();
}

#[test]
fn s9_a_woken_primary_that_was_replaced_stays_secondary() {
    let mut bench = Bench::primary(two(0));
    bench.late(s(10)).beacon(1, 2).assert_secondary();
    assert!(!bench.machine.claim, "the claim ends when a Primary is heard");
}

#[test]
fn s10_pulling_the_one_cable_between_two_healthy_members_leaves_a_primary() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(10));
    group.cut(0, 1);
    for _ in 0..200 {
        group.wait(ms(100));
        assert!(!group.primaries().is_empty());
    }
}

#[test]
fn s10_a_restart_does_not_preempt() {
    let mut bench = Bench::new(two(0));
    bench.up(1).beacon(1, 7);
    for _ in 0..20 {
        bench.wait(s(1)).beacon(1, 7).assert_secondary();
    }
}

#[test]
fn s10_a_sick_or_held_lower_address_starves_nobody() {
    let mut held = Group::new(vec![two(0), two(1)]);
    held.wait(s(5));
    held.with(0, |alpha| {
        alpha.health(0);
    });
    held.wait(ms(500));
    assert_eq!(held.primaries(), [0], "a sick Primary stays until asked");
    held.with(0, |alpha| {
        alpha.late(s(2));
    });
    held.wait(s(5));
    assert_eq!(held.primaries(), [1], "it lost the role to the fit one");
}

#[test]
fn s10_a_lone_sick_member_acts() {
    let mut bench = Bench::new(two(0));
    bench.health(0).until(s(10)).assert_primary_by("never_heard");
}

#[test]
fn s11_observe_only_says_what_it_would_do_once_and_does_nothing() {
    let mut settings = two(1);
    settings.observe_only = true;
    let mut bench = Bench::secondary_of(settings, 0);
    bench.wait(s(30)).assert_secondary();
    let said: Vec<_> =
        bench.events().into_iter().filter(|event| matches!(event, Event::WouldTakeOver { .. })).collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].text().contains("alpha silent for 3.0 s"), "{}", said[0].text());
    assert!(!bench.log.iter().any(|output| matches!(output, Output::TakingOver(_) | Output::ModeChanged(_))));
    assert_eq!(bench.machine.ability(), cannot(Unable::ObserveOnly));

    bench.beacon(0, 1).wait(s(30));
    let again = bench.events().into_iter().filter(|event| matches!(event, Event::WouldTakeOver { .. })).count();
    assert_eq!(again, 2, "a second silence is said again");
}

#[test]
fn s11_observe_only_refuses_the_operator_too_and_never_promises_to_act() {
    for force in [false, true] {
        let mut settings = two(1);
        settings.observe_only = true;
        let mut bench = Bench::new(settings);
        bench.take_over(force);
        assert!(matches!(bench.outcomes()[..], [CommandOutcome::Impossible { .. }]));
        bench.wait(s(30)).assert_secondary();
        assert_eq!(bench.machine.seen, Term::NONE);
    }
}

//! The seed's rules: boot, asking, answering, taking over (N1, N3 to N7).

use super::super::ability::Unable;
use super::super::exchange::Input;
use super::super::member::MemberId;
use super::super::message::{Message, Mode, Order};
use super::*;

#[test]
fn n1_a_controller_boots_as_secondary() {
    let bench = Bench::new(two(0));
    assert_eq!(bench.mode(), Mode::Secondary);
    bench.assert_secondary_by("booted");
}

// N2: who listens and who calls is the link's; here a member is its place in the order of addresses.
#[test]
fn n2_the_lower_number_waits_as_server_and_the_higher_calls() {
    let server = Bench::new(two(0)).machine.silence_times(MemberId(1)).boot_wait;
    let client = Bench::new(two(1)).machine.silence_times(MemberId(0)).boot_wait;
    assert_eq!((server, client), (two(0).boot_timeout, two(1).connect_grace));
}

#[test]
fn n3_the_server_side_becomes_primary_after_ten_seconds_without_a_connection() {
    let mut bench = Bench::new(two(0));
    bench.until(ms(9_999)).assert_secondary();
    bench.until(s(10)).assert_primary_by("never_heard");
}

#[test]
fn n3_the_client_side_keeps_trying_for_the_grace_and_then_becomes_primary() {
    let mut bench = Bench::new(two(1));
    bench.until(s(1)).give(Input::ConnectFailed { peer: MemberId(0) }).assert_secondary();
    bench.until(ms(2_999)).assert_secondary();
    bench.until(s(3)).assert_primary_by("never_heard");
}

#[test]
fn n3_with_grace_zero_the_first_failure_decides_as_the_seed_says() {
    let mut settings = two(1);
    settings.connect_grace = s(0);
    let mut bench = Bench::new(settings);
    bench.until(s(60)).assert_secondary();
    bench.give(Input::ConnectFailed { peer: MemberId(0) }).assert_primary_by("never_heard");
}

#[test]
fn n3_a_server_side_does_not_take_its_own_failed_call_for_evidence() {
    let mut bench = Bench::new(two(0));
    bench.give(Input::ConnectFailed { peer: MemberId(1) }).until(s(9)).assert_secondary();
}

#[test]
fn n4_a_secondary_asks_each_peer_every_second() {
    let mut bench = Bench::secondary_of(three(2), 0);
    for _ in 0..5 {
        let before = [0, 1].map(|peer| bench.queries_to(peer).len());
        bench.wait(s(1)).beacon(0, 1).refuses(1);
        let after = [0, 1].map(|peer| bench.queries_to(peer).len());
        assert_eq!(after, before.map(|count| count + 1));
    }
}

#[test]
fn n4_the_reply_secondary_makes_it_stay_and_the_reply_primary_makes_it_primary() {
    let mut bench = Bench::new(two(0));
    bench.up(1).refuses(1).assert_secondary();
    bench.wait(s(1)).refuses(1).assert_secondary();
    bench.wait(s(1)).consents(1).assert_primary_by("told_primary");
}

#[test]
fn n4_silence_longer_than_the_timeout_makes_a_secondary_primary() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.until(s(5)).assert_primary_by("peer_silent");
}

#[test]
fn n4_silence_is_counted_from_the_last_word_heard() {
    let mut bench = Bench::secondary_of(two(1), 0);
    for second in 1..=7 {
        bench.until(s(second)).beacon(0, 1);
    }
    bench.until(ms(7_300)).refuses(0);
    bench.until(ms(10_299)).assert_secondary();
    bench.until(ms(10_300)).assert_primary_by("peer_silent");
}

#[test]
fn n4_all_three_times_are_configuration() {
    let mut settings = two(1);
    settings.query_interval = ms(100);
    settings.reply_timeout = ms(250);
    settings.connect_grace = ms(700);
    let mut never = Bench::new(settings.clone());
    never.until(ms(699)).assert_secondary();
    never.until(ms(700)).assert_primary_by("never_heard");

    let mut silent = Bench::secondary_of(settings, 0);
    silent.until(ms(249)).assert_secondary();
    assert_eq!(silent.queries_to(0).len(), 3, "on connecting, and after 100 and 200 ms");
    silent.until(ms(250)).assert_primary_by("peer_silent");

    let mut server = two(0);
    server.boot_timeout = s(2);
    Bench::new(server).until(s(2)).assert_primary_by("never_heard");
}

#[test]
fn n5_a_primary_asks_nobody_ignores_answers_and_answers_every_query_secondary() {
    let mut bench = Bench::primary(two(0));
    let asked = bench.queries_to(1).len();
    for _ in 0..5 {
        let stay = bench.answer(1, Order::StaySecondary { floor: None });
        bench.wait(s(1)).hear(1, Message::Answer(stay));
        assert_eq!(bench.asked_by(1), Order::StaySecondary { floor: None });
    }
    assert_eq!(bench.mode(), Mode::Primary);
    assert_eq!(bench.queries_to(1).len(), asked);
}

#[test]
fn n6_the_lower_address_answers_secondary_and_the_higher_primary() {
    let mut lower = Bench::new(two(0));
    lower.up(1);
    assert_eq!(lower.asked_by(1), Order::StaySecondary { floor: None });
    let mut higher = Bench::new(two(1));
    higher.up(0);
    assert_eq!(higher.asked_by(0), Order::BePrimary { proposed: 1, written: true });
}

#[test]
fn n6_of_two_secondaries_the_lower_address_takes_over() {
    let group = Group::new(vec![two(0), two(1)]);
    assert_eq!(group.primaries(), [0]);
    assert_eq!(group.members[1].term(), 1, "the beacon told it");
}

#[test]
fn n7_every_peer_must_consent_or_be_silent() {
    let mut bench = Bench::new(three(0));
    bench.all_up().until(s(2)).refuses(1).refuses(2);
    bench.until(s(4)).consents(1).refuses(2).assert_secondary();
    bench.until(s(5)).consents(1).refuses(2).assert_secondary();
    // gamma falls silent at 5 s; beta goes on consenting.
    for second in [6, 7] {
        bench.until(s(second)).consents(1).assert_secondary();
    }
    bench.until(s(8)).assert_primary_by("told_primary");
}

#[test]
fn n7_a_secondary_that_hears_a_live_primary_answers_secondary_to_everybody_else() {
    let mut bench = Bench::new(three(2));
    bench.all_up().until(s(2)).refuses(0).refuses(1);
    bench.until(s(4)).beacon(1, 1).refuses(0);
    assert_eq!(bench.asked_by(0), Order::StaySecondary { floor: None });
}

#[test]
fn n7_one_broken_cable_in_a_group_of_three_raises_no_second_primary() {
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let mut group = Group::new(vec![three(0), three(1), three(2)]);
        group.wait(s(10));
        assert_eq!(group.primaries(), [0]);
        group.cut(one, other);
        group.wait(s(60));
        assert_eq!(group.primaries(), [0], "cut between {one} and {other}");
    }
}

#[test]
fn n7_a_group_of_three_replaces_its_primary() {
    let mut group = Group::new(vec![three(0), three(1), three(2)]);
    group.wait(s(10));
    group.kill(0);
    group.wait(s(5));
    assert_eq!(group.primaries(), [1]);
    group.kill(1);
    group.wait(s(5));
    assert_eq!(group.primaries(), [2]);
}

// N8: the file is `config`'s; here every time of it reaches the rules, and settings that cannot work are refused.
#[test]
fn n8_settings_that_the_rules_cannot_work_with_are_refused() {
    let mut settings = two(0);
    settings.reply_timeout = settings.query_interval;
    assert!(super::super::Negotiator::new(settings, super::super::Instant(1), None).is_err());
}

// N9: pings travel beside the negotiation and are the link's; no message of this room is one.

#[test]
fn s10_a_lower_address_that_cannot_act_leaves_the_role_to_the_higher() {
    for why in [Unable::Held, Unable::ObserveOnly, Unable::StateNotDurable, Unable::SteppedDown] {
        let mut bench = Bench::new(two(0));
        bench.up(1).health(0);
        let query = super::super::message::Query { able: cannot(why), ..bench.query() };
        assert_eq!(bench.asked(1, query).order, Order::StaySecondary { floor: None }, "{why:?} asks");
    }
    let mut settings = two(0);
    settings.observe_only = true;
    let mut group = Group::new(vec![settings, two(1)]);
    group.wait(s(5));
    assert_eq!(group.primaries(), [1]);
}

/// A Primary asks nobody, so the Secondary's queries are all that tell in which term it stands by: it was shown in none.
#[test]
fn u1_a_secondary_is_shown_in_the_term_it_has_heard_of() {
    let mut bench = Bench::primary(two(0));
    let shown = |bench: &Bench| bench.machine.view(bench.now).peers[0].term.number;
    bench.asked_by(1);
    assert_eq!((shown(&bench), bench.term()), (1, 1));
}

//! Terms, promises and the disk (N11, N12, N16, N20).

use super::super::event::Event;
use super::super::exchange::{Durable, Input, Output};
use super::super::member::MemberId;
use super::super::message::{Message, Mode, Order, Query};
use super::super::settings::Protection;
use super::super::term::Term;
use super::*;

fn kept(seen: u64) -> Option<Durable> {
    Some(Durable { seen: Term { number: seen, owner: MemberId(1) }, ..Durable::EMPTY })
}

#[test]
fn n11_every_change_to_primary_carries_a_term_above_all_seen() {
    let mut bench = Bench::with_state(two(0), kept(41));
    bench.up(1).consents(1);
    assert_eq!((bench.mode(), bench.term()), (Mode::Primary, 42));

    let mut heard = Bench::secondary_of(two(1), 0);
    heard.beacon(0, 77).wait(s(3));
    assert_eq!((heard.mode(), heard.term()), (Mode::Primary, 78));
}

#[test]
fn n11_the_term_is_on_disk_before_anybody_acts() {
    let mut bench = Bench::new(two(0));
    bench.disk = DiskMood::Slow;
    bench.up(1).consents(1);
    assert!(bench.is_becoming());
    assert_eq!(bench.mode(), Mode::Secondary);
    assert_eq!(bench.writes().last().expect("asked for").1.seen, Term { number: 1, owner: MemberId(0) });
    bench.disk_catches_up().assert_primary_by("told_primary");
}

#[test]
fn n11_an_acknowledged_older_write_does_not_count_for_the_term() {
    let mut bench = Bench::new(two(1));
    bench.disk = DiskMood::Slow;
    bench.up(0).beacon(0, 5).wait(s(3));
    assert!(bench.is_becoming());
    let first = bench.writes().next().expect("the beacon's term").0;
    bench.give(Input::Written { version: first });
    assert!(bench.is_becoming(), "only term 5 is on disk");
    bench.disk_catches_up().assert_primary_by("peer_silent");
}

#[test]
fn n11_what_a_query_was_answered_on_is_on_disk_before_the_answer() {
    let mut bench = Bench::new(two(1));
    bench.disk = DiskMood::Slow;
    bench.up(0);
    let query = bench.query();
    bench.hear(0, Message::Query(query));
    assert!(bench.answers_to(0).is_empty(), "the vote is not on disk yet");
    assert_eq!(bench.writes().last().expect("the vote").1.voted, Term { number: 1, owner: MemberId(0) });
    bench.disk_catches_up();
    assert_eq!(bench.answers_to(0)[0].order, Order::BePrimary { proposed: 1, written: true });
}

#[test]
fn n11_a_term_too_high_to_be_one_raises_nothing() {
    let mut bench = Bench::new(two(1));
    bench.up(0).beacon(0, u64::MAX).beacon(0, Term::MAX_NUMBER + 1);
    assert_eq!(bench.term(), 0);
}

#[test]
fn n12_of_two_primaries_the_lower_term_yields() {
    let mut bench = Bench::primary(two(0));
    bench.beacon(1, 2).assert_secondary_by("yielded_to");
    assert!(bench.events().iter().any(|event| matches!(event, Event::TwoPrimaries { .. })));
}

#[test]
fn n12_of_equal_numbers_the_higher_address_yields() {
    Bench::primary(two(1)).beacon(0, 1).assert_secondary_by("yielded_to");

    let mut lower = Bench::primary(two(0));
    let before = lower.sent_to(1).len();
    lower.beacon(1, 1);
    assert_eq!(lower.mode(), Mode::Primary);
    let told = lower.sent_to(1).len() > before;
    assert!(told, "the other learns at once that it has to yield");
}

#[test]
fn n12_two_primaries_end_the_moment_they_can_talk_again() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(2));
    group.cut(0, 1);
    group.wait(s(10));
    assert_eq!(group.primaries(), [0, 1], "unprotected, as the seed says");
    group.heal(0, 1);
    assert_eq!(group.primaries(), [1], "the higher term stays");
}

#[test]
fn n12_who_was_primary_before_it_was_silent_is_not_taken_for_a_second_one_when_it_is_back() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.wait(s(10));
    assert_eq!(bench.mode(), Mode::Primary, "alpha is silent");
    let mode = |bench: &Bench| bench.view().peers[0].mode;
    assert_eq!(mode(&bench), Some(Mode::Primary), "as last heard");
    bench.down(0).up(0);
    assert_eq!((bench.view().peers[0].gone, mode(&bench)), (None, None), "it has said nothing of now yet");
    bench.beacon(0, 1);
    assert_eq!(mode(&bench), Some(Mode::Primary), "now it has");
    assert!(bench.events().iter().any(|event| matches!(event, Event::TwoPrimaries { .. })));
}

#[test]
fn n12_two_primaries_end_although_their_connection_never_broke() {
    let mut bench = Bench::primary(two(0));
    bench.wait(s(30)).beacon(1, 9).assert_secondary_by("yielded_to");
}

#[test]
fn rule_10_two_primaries_that_cannot_see_each_other_end_through_the_third() {
    let mut group = Group::new(vec![three(0), three(1), three(2)]);
    group.wait(s(10));
    group.cut(0, 1);
    group.with(1, |beta| {
        beta.down(0).take_over(true);
    });
    group.wait(s(10));
    assert_eq!(group.primaries(), [1], "gamma told alpha");
    group.members[0].assert_secondary_by("yielded_by_relay");
}

fn promised() -> Bench {
    let mut bench = Bench::new(two(1));
    bench.up(0);
    assert_eq!(bench.asked_by(0), Order::BePrimary { proposed: 1, written: true });
    bench
}

#[test]
fn n16_a_promise_blocks_the_reply_primary() {
    let mut bench = promised();
    bench.wait(s(1)).consents(0).assert_secondary();
}

#[test]
fn n16_a_promise_blocks_silence_until_it_ends() {
    let mut bench = Bench::new(two(1));
    bench.up(0).wait(s(2)).asked_by(0);
    // What was heard last is a plain answer to an older question, so both end at their own times.
    bench.until(ms(4_999)).assert_secondary();
    bench.until(s(5)).assert_primary_by("peer_silent");
}

#[test]
fn n16_a_promise_blocks_the_refused_connection_where_a_lease_is_used() {
    let mut settings = three(1);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::secondary_of(settings, 0);
    bench.until(s(5)).beacon(0, 1).refuses(2).down(0).refused(0);
    bench.until(ms(7_900)).consents(2).assert_secondary();
    bench.until(s(8)).consents(2).assert_primary_by("peer_crashed");
}

#[test]
fn n14_unprotected_the_evidence_of_a_crash_ends_a_promise() {
    let mut bench = promised();
    bench.down(0).assert_secondary();
    bench.refused(0).assert_primary_by("peer_crashed");
}

#[test]
fn n16_a_promise_blocks_the_operator_short_of_force() {
    let mut bench = promised();
    bench.take_over(false).consents(0).assert_secondary();
    bench.wait(s(2)).consents(0).assert_secondary();
}

#[test]
fn n16_a_promise_ends_when_its_owner_releases_the_role() {
    let mut bench = promised();
    bench.beacon(0, 1).refuses(0).released(0, 1, 1).assert_primary_by("released");
}

#[test]
fn n16_a_promise_ends_when_its_owner_says_bye() {
    let mut bench = promised();
    bench.hear(0, Message::Bye).assert_primary_by("peer_stopped");
}

#[test]
fn n16_a_promise_is_given_to_one_only() {
    let mut bench = Bench::new(three(2));
    bench.all_up().until(s(2)).refuses(0).refuses(1).until(s(4)).refuses(0).refuses(1);
    let claims = Query { claim: true, ..bench.query() };
    assert!(matches!(bench.asked(1, claims).order, Order::BePrimary { .. }));
    assert_eq!(bench.asked_by(0), Order::StaySecondary { floor: None });
    assert!(!bench.wait(s(1)).latest_query(0).expect("asked").candidate, "who promised is no candidate");
}

#[test]
fn n16_a_promise_that_a_crash_forgot_is_waited_out_under_protection() {
    let mut settings = three(0);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::with_state(settings, kept(1));
    bench.all_up().all_consent().until(ms(3_999));
    bench.all_consent().assert_secondary();
    bench.until(s(4)).all_consent().assert_primary_by("told_primary");
}

#[test]
fn n20_who_cannot_write_its_state_takes_no_role() {
    let mut bench = Bench::new(two(0));
    bench.disk = DiskMood::Failing;
    bench.up(1).consents(1).assert_secondary_by("abandoned_for_disk");
    assert!(bench.events().contains(&&Event::StateNotDurable));
    bench.wait(s(30)).assert_secondary();
    assert_eq!(bench.machine.ability(), cannot(super::super::ability::Unable::StateNotDurable));
    bench.disk_catches_up().assert_primary_by("peer_silent");
    assert!(bench.events().contains(&&Event::StateDurable));
}

#[test]
fn n20_a_sitting_primary_whose_disk_fails_goes_on_degraded() {
    let mut bench = Bench::primary(two(0));
    bench.disk = DiskMood::Failing;
    bench.hold(s(60), 1_000).wait(s(5));
    assert_eq!(bench.mode(), Mode::Primary);
    assert!(!bench.machine.view(bench.now).durable);
}

#[test]
fn n20_a_vote_that_is_not_on_disk_says_so_and_counts_towards_no_majority() {
    let mut voter = Bench::new(two(1));
    voter.disk = DiskMood::Failing;
    voter.up(0);
    assert_eq!(voter.asked_by(0), Order::BePrimary { proposed: 1, written: false });

    let mut settings = three(0);
    settings.protection = vec![Protection::Majority];
    let mut asker = Bench::new(settings);
    asker.all_up().until(s(5));
    for peer in [1, 2] {
        let unwritten = Order::BePrimary { proposed: 1, written: false };
        let answer = asker.answer(peer, unwritten);
        asker.hear(peer, Message::Answer(answer)).assert_secondary();
    }
}

#[test]
fn n20_absent_state_on_a_member_that_hears_nobody_is_said() {
    let mut bench = Bench::new(two(0));
    bench.until(s(20));
    assert_eq!(bench.events().iter().filter(|event| ***event == Event::HistoryUnknown).count(), 1);
    assert!(bench.machine.view(bench.now).history_unknown);

    let mut known = Bench::with_state(two(0), kept(3));
    known.until(s(20));
    assert!(!known.events().contains(&&Event::HistoryUnknown));
}

#[test]
fn rule_7_takeover_while_the_term_was_still_being_written() {
    // A Primary announces itself meanwhile.
    let mut bench = Bench::new(two(0));
    bench.disk = DiskMood::Slow;
    bench.up(1).consents(1).beacon(1, 1).assert_secondary_by("abandoned_for_primary");
    bench.disk_catches_up().assert_secondary();

    // What it rested on went away meanwhile: gamma, silent, is back and says Secondary.
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.disk = DiskMood::Slow;
    bench.wait(s(3));
    assert!(bench.is_becoming());
    bench.refuses(0).disk_catches_up().assert_secondary_by("abandoned_for_change");
}

#[test]
fn rule_7_while_becoming_it_goes_on_asking_for_the_same_number() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.disk = DiskMood::Slow;
    bench.wait(s(5));
    assert!(bench.is_becoming());
    assert_eq!(bench.latest_query(0).expect("asked").proposed, 2);
    assert!(bench.log.iter().any(|output| matches!(output, Output::TakingOver(_))));
}

#[test]
fn rule_5_consent_for_another_number_or_an_old_question_counts_for_nothing() {
    let mut bench = Bench::new(two(0));
    bench.up(1);
    for order in [Order::BePrimary { proposed: 7, written: true }, Order::BePrimary { proposed: 0, written: true }] {
        let answer = bench.answer(1, order);
        bench.hear(1, Message::Answer(answer)).assert_secondary();
    }
    let old = bench.answer(1, Order::BePrimary { proposed: 1, written: true });
    for second in 1..=3 {
        bench.until(s(second)).refuses(1);
    }
    bench.hear(1, Message::Answer(old)).assert_secondary();
}

#[test]
fn rule_5_an_answer_to_a_question_never_asked_counts_for_nothing() {
    let mut bench = Bench::new(two(0));
    bench.up(1);
    let mut answer = bench.answer(1, Order::BePrimary { proposed: 1, written: true });
    answer.id.0 += 1_000_000_000_000;
    bench.hear(1, Message::Answer(answer)).assert_secondary();
}

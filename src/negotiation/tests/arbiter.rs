//! The arbiter's lease: what it takes to have it, what ends it, and what holds when nobody reaches the arbiter (S1, S4).

use std::cell::RefCell;
use std::rc::Rc;

use super::super::ability::{Ability, Unable};
use super::super::event::Event;
use super::super::exchange::{ArbiterCall, ArbiterReply, FenceResult, FenceWhy, Input, Output};
use super::super::member::MemberId;
use super::super::message::{Grant, Message, Mode, Order, Query};
use super::super::settings::{Protection, Settings};
use super::super::term::Term;
use super::*;

fn leased(settings: Settings) -> Settings {
    Settings { protection: vec![Protection::Arbiter], ..settings }
}

fn register() -> Rc<RefCell<Register>> {
    Rc::default()
}

/// A pair with an arbiter: alpha is Primary, since about 6 s after both booted.
fn pair(arbiter: &Rc<RefCell<Register>>) -> Group {
    let mut group = Group::beside(vec![leased(two(0)), leased(two(1))], arbiter);
    group.wait(s(10));
    assert_eq!(group.primaries(), [0]);
    group
}

fn acquisitions(bench: &Bench) -> usize {
    bench.calls().iter().filter(|(_, call)| matches!(call, ArbiterCall::Acquire { .. })).count()
}

fn said(bench: &Bench, wanted: impl Fn(&Event) -> bool) -> usize {
    bench.events().into_iter().filter(|event| wanted(event)).count()
}

/// Watches for two at once while time passes, and says who acts at the end.
fn one_at_most(group: &mut Group, steps: usize) -> Vec<usize> {
    for _ in 0..steps {
        group.wait(ms(50));
        assert!(group.primaries().len() < 2, "two at once");
    }
    group.primaries()
}

/// An arbiter that answers whoever looks; the rest is answered by hand.
fn manual(holder: Option<MemberId>, number: u64) -> Rc<RefCell<Register>> {
    let expires = super::super::time::Instant(u64::MAX);
    Rc::new(RefCell::new(Register { holder, number, expires, by_hand: true, ..Register::default() }))
}

/// Beta, settled, beside an arbiter whose lease alpha holds; alpha is Primary and heard until now.
fn by_hand() -> Bench {
    let mut bench = Bench::beside(leased(two(1)), &manual(Some(MemberId(0)), 1));
    bench.up(0).beacon(0, 1);
    for _ in 0..7 {
        bench.wait(s(1)).beacon(0, 1);
    }
    assert!(bench.calls().iter().all(|(_, call)| *call == ArbiterCall::Look));
    bench
}

/// The same, five seconds after alpha's last word: beta's promise is over, and it has just asked for the lease.
fn asks() -> Bench {
    let mut bench = by_hand();
    bench.wait(s(5));
    assert_eq!(acquisitions(&bench), 1);
    bench
}

/// Alpha, alone but for beta's consent, has just asked for the lease.
fn alpha_asks() -> Bench {
    let mut bench = Bench::beside(leased(two(0)), &manual(None, 0));
    bench.up(1).wait(s(6)).consents(1);
    assert_eq!(acquisitions(&bench), 1);
    bench
}

#[test]
fn s1_with_an_arbiter_the_role_is_taken_in_the_number_that_it_allots() {
    let arbiter = register();
    arbiter.borrow_mut().number = 40;
    let group = pair(&arbiter);
    assert_eq!(group.members[0].term(), 41);
    assert_eq!(arbiter.borrow().holder, Some(MemberId(0)));
    assert_eq!(acquisitions(&group.members[1]), 0, "only who lacks nothing else asks for the lease");
    let known = group.members[0].view().reason.protection.arbiter.expect("the lease is part of the evidence (U4)");
    assert!(known.mute.is_none() && known.lease.is_some_and(|(number, _)| number == 41), "{known:?}");
    assert!(group.members[0].view().arbiter.is_some_and(|arbiter| arbiter.answers && arbiter.mine_until.is_some()));
}

#[test]
fn s4_a_primary_renews_at_a_third_of_its_lease_and_a_secondary_looks() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    let before = group.members[0].calls().len();
    group.wait(s(10));
    let renewals = group.members[0].calls()[before..].to_vec();
    assert!((5..=6).contains(&renewals.len()), "{renewals:?}");
    assert!(renewals.iter().all(|(_, call)| *call == ArbiterCall::Renew { number: 1 }));
    assert!(group.members[1].calls().iter().all(|(_, call)| *call == ArbiterCall::Look));
}

#[test]
fn s4_a_silent_primary_is_replaced_as_soon_as_its_lease_is_free() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    let began = group.members[1].now;
    group.kill(0);
    while group.primaries() != [1] {
        group.wait(ms(10));
        assert!(group.members[1].now.since(began) < s(6), "{:?}", group.members[1].calls().last());
    }
    let took = group.members[1].now.since(began);
    assert!(took >= ms(3_300), "its last renewal was at most a third of the lease ago: {took:?}");
    assert!(group.members[1].now <= arbiter.borrow().expires, "in a lease of its own");
    assert_eq!(group.members[1].term(), 2);
}

#[test]
fn s4_a_free_lease_is_had_within_a_quarter_of_a_second() {
    let mut bench = by_hand();
    // Alpha is silent from now on; beta has promised it the role for a lease.
    bench.wait(ms(4_999));
    assert_eq!(acquisitions(&bench), 0);
    bench.wait(ms(1));
    for tries in 1..5 {
        assert_eq!(acquisitions(&bench), tries);
        assert_eq!(bench.calls().last().map(|(_, call)| *call), Some(ArbiterCall::Acquire { above: 1 }));
        bench.arbiter_says(ArbiterReply::Refused { holder: Some(MemberId(0)), number: 1 }).assert_secondary();
        bench.wait(ms(250));
    }
    assert!(bench.view().forecast.lines.iter().any(|line| !line.ok && line.text == "alpha holds the arbiter's lease"));
    bench.arbiter_says(ArbiterReply::Granted { number: 9 }).assert_primary_by("peer_silent");
    assert_eq!(bench.term(), 9);
}

#[test]
fn s4_a_lease_counts_from_when_it_was_asked_for() {
    let mut bench = asks();
    // The reply is 4.4 s late (a driver that waits too long); a lease of 5 s is relied on for 4.5 s.
    bench.wait(ms(4_400)).arbiter_says(ArbiterReply::Granted { number: 2 });
    bench.assert_primary_by("peer_silent");
    bench.wait(ms(99));
    assert_eq!(bench.mode(), Mode::Primary);
    bench.wait(ms(1)).assert_secondary_by("lease_over");

    let mut late = asks();
    late.wait(ms(4_500)).arbiter_says(ArbiterReply::Granted { number: 2 }).assert_secondary();
}

#[test]
fn s4_a_primary_cut_off_from_everybody_steps_down_before_its_lease_ends() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    group.members[0].serves(s(5));
    group.cut(0, 1);
    arbiter.borrow_mut().cut_off.push(MemberId(0));
    while group.members[0].stop_orders().is_empty() {
        group.wait(ms(10));
    }
    let (_, promised) = group.members[1].view().promise.expect("beta granted alpha's last beacon");
    let (now, kill) = (group.members[0].now, group.members[0].stop_orders()[0].expect("a time"));
    assert!(now < kill && kill + ms(1_000) <= promised, "{now:?} {kill:?}: a tenth of the lease and 500 ms");
    assert!(group.members[0].events().iter().any(|event| matches!(event, Event::SteppingDown { .. })));
    group.with(0, |alpha| {
        alpha.serving_stopped();
    });
    assert_eq!(group.members[0].rule().word(), "lease_over");
    assert_eq!(group.members[0].rule().text(), "its lease ends and could not be renewed: no answer from 10.0.8.1:2379");
    assert_eq!(one_at_most(&mut group, 100), [1]);
}

#[test]
fn s4_a_lease_that_the_arbiter_says_is_lost_ends_at_once() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    group.kill(1);
    group.wait(s(5));
    assert_eq!(group.primaries(), [0], "the lease alone carries it");
    arbiter.borrow_mut().holder = None;
    group.wait(ms(1_700));
    let left = group.members[0].changes().find(|change| change.mode == Mode::Secondary).expect("it left");
    assert_eq!(left.rule.text(), "its lease ends and could not be renewed: the arbiter says that it is over");
}

#[test]
fn s4_an_arbiter_that_nobody_reaches_does_not_stop_a_healthy_pair() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    arbiter.borrow_mut().away = true;
    assert_eq!(one_at_most(&mut group, 1_200), [0]);
    let alpha = &group.members[0];
    assert_eq!(alpha.changes().count(), 1, "for a minute");
    assert_eq!(said(alpha, |event| matches!(event, Event::ArbiterLost { .. })), 1);
    assert_eq!(said(alpha, |event| matches!(event, Event::ByGrants { .. })), 1);
    assert!(alpha.view().arbiter.is_some_and(|arbiter| arbiter.by_grants && !arbiter.answers));
    assert!(!group.members[1].view().forecast.ready, "and beta could not take over");
    // Known limit: it goes on by grants until it loses its peer, and comes back with a lease.
    arbiter.borrow_mut().away = false;
    assert_eq!(one_at_most(&mut group, 100), [0]);
    assert_eq!(said(&group.members[0], |event| *event == Event::ArbiterBack), 1);
    group.kill(1);
    one_at_most(&mut group, 100);
    let alpha = &group.members[0];
    assert_eq!(alpha.changes().filter(|change| change.mode == Mode::Secondary).count(), 1);
    assert_eq!((alpha.mode(), alpha.term()), (Mode::Primary, 2));
}

#[test]
fn s4_a_primary_by_grants_that_ends_tells_nobody_that_it_follows() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    arbiter.borrow_mut().away = true;
    group.wait(s(30));
    group.members[0].give(Input::Stop { cause: super::super::exchange::StopCause::Signal });
    assert_eq!(group.members[0].rule().text(), "this controller stops", "beta cannot act without its grant");
    assert_eq!(one_at_most(&mut group, 600), [] as [usize; 0]);
    arbiter.borrow_mut().away = false;
    assert_eq!(one_at_most(&mut group, 40), [1], "and does when it may");
}

#[test]
fn s4_a_primary_that_goes_on_by_grants_steps_down_before_the_grants_end() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    arbiter.borrow_mut().away = true;
    group.wait(s(30));
    group.cut(0, 1);
    let cut_at = group.members[0].now;
    group.wait(ms(4_600));
    assert!(group.primaries().is_empty());
    assert_eq!(group.members[0].rule().word(), "lease_over");
    assert!(group.members[0].now.since(cut_at) < s(5), "before beta's promise ends");
    assert_eq!(one_at_most(&mut group, 600), [] as [usize; 0], "an arbiter out of reach and a silent member");
    arbiter.borrow_mut().away = false;
    assert_eq!(one_at_most(&mut group, 40).len(), 1);
}

#[test]
fn s4_three_of_which_one_is_lost_do_not_agree_without_an_arbiter() {
    let arbiter = register();
    let mut group = Group::beside(vec![leased(three(0)), leased(three(1)), leased(three(2))], &arbiter);
    group.wait(s(15));
    assert_eq!(group.primaries(), [0]);
    arbiter.borrow_mut().away = true;
    assert_eq!(one_at_most(&mut group, 200), [0]);
    group.kill(2);
    assert_eq!(one_at_most(&mut group, 200), [] as [usize; 0], "every other member must grant");
}

#[test]
fn s4_a_pair_that_boots_without_an_arbiter_agrees_and_takes_no_number_twice() {
    let arbiter = register();
    arbiter.borrow_mut().away = true;
    let mut group = Group::beside(vec![leased(two(0)), leased(two(1))], &arbiter);
    group.wait(s(10));
    assert_eq!(group.primaries(), [0]);
    assert_eq!(group.members[0].term(), 1);
    arbiter.borrow_mut().away = false;
    group.kill(0);
    group.wait(s(10));
    assert_eq!((group.primaries(), group.members[1].term()), (vec![1], 2), "the arbiter counted nothing yet");
}

#[test]
fn s10_who_reaches_the_arbiter_takes_over_before_a_lower_address_that_does_not() {
    let arbiter = register();
    arbiter.borrow_mut().cut_off.push(MemberId(0));
    let mut group = Group::beside(vec![leased(two(0)), leased(two(1))], &arbiter);
    group.wait(s(15));
    assert_eq!(group.primaries(), [1]);
    assert_eq!(group.members[0].view().able, Ability::Cannot(Unable::ArbiterUnreachable));
}

#[test]
fn n19_with_settings_that_differ_the_agreement_is_off() {
    let arbiter = register();
    let mut longer = leased(two(1));
    longer.lease = s(20);
    let mut group = Group::beside(vec![leased(two(0)), longer], &arbiter);
    group.wait(s(30));
    assert_eq!(group.primaries(), [0]);
    arbiter.borrow_mut().away = true;
    assert_eq!(one_at_most(&mut group, 200), [] as [usize; 0]);
    assert_eq!(group.members[0].rule().word(), "lease_over");
}

/// A member alone at the arbiter's mercy: `consents` what the peer says, and of itself.
fn outage(peer_able: Ability) -> Bench {
    let arbiter = manual(None, 0);
    arbiter.borrow_mut().away = true;
    let mut bench = Bench::beside(leased(two(0)), &arbiter);
    bench.up(1).wait(s(7));
    let proposed = bench.latest_query(1).expect("asked").proposed;
    let mut answer = bench.answer(1, Order::BePrimary { proposed, written: true });
    answer.able = peer_able;
    bench.hear(1, Message::Answer(answer));
    bench
}

#[test]
fn s4_the_agreement_needs_that_none_reaches_the_arbiter() {
    outage(Ability::Cannot(Unable::ArbiterUnreachable)).assert_primary_by("told_primary");
    outage(Ability::Fit).assert_secondary();
}

#[test]
fn s4_the_agreement_needs_votes_on_disk() {
    let arbiter = manual(None, 0);
    arbiter.borrow_mut().away = true;
    let mut bench = Bench::beside(leased(two(0)), &arbiter);
    bench.up(1).wait(s(7));
    let proposed = bench.latest_query(1).expect("asked").proposed;
    let mut answer = bench.answer(1, Order::BePrimary { proposed, written: false });
    answer.able = Ability::Cannot(Unable::ArbiterUnreachable);
    bench.hear(1, Message::Answer(answer)).assert_secondary();
}

#[test]
fn rule_3f_of_two_without_an_arbiter_the_address_decides() {
    let able = Ability::Cannot(Unable::ArbiterUnreachable);
    let mut beta = Bench::new(leased(two(1)));
    beta.arbiter_says(ArbiterReply::Unreachable { why: "refused".into() }).up(0);
    let query = Query { able, ..beta.query() };
    assert!(matches!(beta.asked(0, query).order, Order::BePrimary { .. }));
    let mut reaches = Bench::new(leased(two(1)));
    reaches.arbiter_says(ArbiterReply::Stands { holder: None, number: 0 }).up(0);
    let query = Query { able, ..reaches.query() };
    assert_eq!(reaches.asked(0, query).order, Order::StaySecondary { floor: None });
}

#[test]
fn rule_9_beside_an_arbiter_a_beacon_is_granted_and_the_promise_lasts_a_lease() {
    let bench = by_hand();
    assert!(bench.sent_to(0).iter().any(|message| matches!(message, Message::Grant(_))));
    let (to, until) = bench.view().promise.expect("promised");
    assert_eq!((to.as_str(), until.since(bench.now)), ("alpha", s(5)));
}

#[test]
fn rule_1_beside_an_arbiter_a_member_settles_for_the_longer_of_timeout_and_lease() {
    let mut bench = Bench::beside(leased(two(0)), &manual(None, 0));
    bench.up(1).until(ms(5_999)).consents(1).assert_secondary();
    assert_eq!(acquisitions(&bench), 0);
    bench.until(ms(6_000));
    assert_eq!(acquisitions(&bench), 1);
}

#[test]
fn rule_11_the_lease_is_given_back_before_the_role_is_released() {
    let mut bench = alpha_asks();
    bench.arbiter_says(ArbiterReply::Granted { number: 1 });
    assert_eq!(bench.mode(), Mode::Primary);
    bench.step_down(false);
    assert_eq!(bench.calls().last().map(|(_, call)| *call), Some(ArbiterCall::Release { number: 1 }));
    assert_eq!(bench.released_to(1), None, "not before the lease is back");
    // A third that heard first that nobody acts would be promised the role by the successor.
    let before = bench.sent_to(1).len();
    let query = bench.query();
    bench.hear(1, Message::Query(query));
    assert_eq!(bench.sent_to(1).len(), before, "{:?}", bench.sent_to(1));
    bench.arbiter_says(ArbiterReply::Released);
    let after: Vec<_> = bench.sent_to(1).into_iter().skip(before).collect();
    assert!(matches!(after[..], [Message::Released(_), Message::Answer(_), ..]), "{after:?}");
}

#[test]
fn rule_11_a_hand_over_beside_an_arbiter_takes_no_longer_than_without() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    group.with(0, |alpha| {
        alpha.step_down(false);
    });
    assert_eq!(group.primaries(), [1], "at once");
    assert_eq!(arbiter.borrow().holder, Some(MemberId(1)));
    assert_eq!(group.members[1].term(), 2);
}

#[test]
fn trace_a_release_that_skipped_the_lease() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    arbiter.borrow_mut().cut_off.push(MemberId(1));
    group.with(0, |alpha| {
        alpha.give(Input::Stop { cause: super::super::exchange::StopCause::Operator });
    });
    assert_eq!(one_at_most(&mut group, 300), [] as [usize; 0], "released, and without a lease of its own");
    arbiter.borrow_mut().cut_off.clear();
    assert_eq!(one_at_most(&mut group, 20), [1]);
}

#[test]
fn trace_the_same_term_twice_through_the_arbiter_own_counting() {
    let arbiter = register();
    arbiter.borrow_mut().number = 6;
    let mut group = Group::beside(vec![leased(two(0)), leased(two(1))], &arbiter);
    group.wait(s(10));
    assert_eq!(group.members[0].term(), 7, "not one above what alpha has heard of");
    let taken = |bench: &Bench| bench.changes().filter(|change| change.mode == Mode::Primary).count();
    assert_eq!((taken(&group.members[0]), taken(&group.members[1])), (1, 0));
}

#[test]
fn trace_the_same_term_twice_through_the_arbiter_a_late_renewal() {
    let mut bench = alpha_asks();
    bench.arbiter_says(ArbiterReply::Granted { number: 1 });
    bench.wait(ms(1_700));
    let (renewal, call) = *bench.calls().last().expect("asked");
    assert_eq!(call, ArbiterCall::Renew { number: 1 });
    // It yields to beta in term 2, and gives the lease back, before the renewal is answered.
    bench.beacon(1, 2).assert_secondary_by("yielded_to");
    bench.give(Input::Arbiter { asked_at: renewal, reply: ArbiterReply::Renewed });
    assert!(bench.view().arbiter.is_some_and(|arbiter| arbiter.mine_until.is_none()), "it counts only while Primary");
    bench.wait(s(60)).assert_secondary();
}

#[test]
fn n11_an_arbiter_that_forgot_its_numbers_is_asked_again_after_a_pause_and_said_once() {
    let mut bench = asks();
    for asked in 2..6 {
        bench.arbiter_says(ArbiterReply::Granted { number: 1 });
        assert_eq!(bench.calls().last().map(|(_, call)| *call), Some(ArbiterCall::Release { number: 1 }));
        bench.arbiter_says(ArbiterReply::Released);
        bench.wait(ms(200));
        assert_eq!(acquisitions(&bench), asked - 1, "at the pace of a refusal");
        bench.wait(ms(50));
        assert_eq!(acquisitions(&bench), asked);
    }
    bench.assert_secondary();
    let forgot = |event: &Event| *event == Event::ArbiterForgot { number: 1, floor: 1 };
    assert_eq!(said(&bench, forgot), 1);
    bench.arbiter_says(ArbiterReply::Granted { number: 2 });
    assert_eq!(bench.mode(), Mode::Primary);
}

#[test]
fn trace_the_same_term_twice_through_the_arbiter_a_late_acquire() {
    let mut bench = asks();
    let (acquire, _) = *bench.calls().last().expect("asked");
    // The driver gives up; the arbiter did it all the same. Meanwhile alpha is back, in the term that follows.
    bench.arbiter_says(ArbiterReply::Unreachable { why: "no answer in time".into() }).beacon(0, 2);
    bench.give(Input::Arbiter { asked_at: acquire, reply: ArbiterReply::Granted { number: 2 } });
    bench.wait(s(2)).assert_secondary();
    assert!(bench.view().arbiter.is_some_and(|arbiter| arbiter.mine_until.is_none()), "a call is answered once");
}

#[test]
fn rule_14_a_lease_that_came_too_late_is_given_back() {
    let mut bench = asks();
    bench.beacon(0, 1);
    bench.arbiter_says(ArbiterReply::Granted { number: 2 }).assert_secondary();
    assert_eq!(bench.calls().last().map(|(_, call)| *call), Some(ArbiterCall::Release { number: 2 }));
}

#[test]
fn rule_7_a_number_that_is_not_above_the_floor_any_more_is_not_taken() {
    let mut bench = asks();
    bench.machine.seen = Term { number: 7, owner: MemberId(0) };
    bench.arbiter_says(ArbiterReply::Granted { number: 7 }).assert_secondary();
    assert_eq!(
        bench.calls().last().map(|(_, call)| *call),
        Some(ArbiterCall::Acquire { above: 7 }),
        "it asks above it"
    );
    bench.arbiter_says(ArbiterReply::Granted { number: 8 }).assert_primary_by("peer_silent");
}

#[test]
fn rule_13_a_primary_that_slept_has_no_lease_and_comes_back_with_a_new_one() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    group.members[0].serves(s(1));
    group.wait(ms(100));
    group.with(0, |alpha| {
        alpha.late(ms(1_600));
    });
    let alpha = &group.members[0];
    assert_eq!((alpha.shown(), alpha.stop_orders(), alpha.term()), (Mode::Primary, vec![], 2), "its processes go on");
    assert_eq!(group.primaries(), [0]);
    assert_eq!(arbiter.borrow().number, 2);
}

#[test]
fn rule_13_what_the_arbiter_said_to_a_question_from_before_a_stall_counts_for_nothing() {
    let mut bench = asks();
    assert_eq!(acquisitions(&bench), 1);
    bench.late(s(2));
    bench.arbiter_says(ArbiterReply::Granted { number: 2 });
    bench.wait(s(1)).assert_secondary();
}

#[test]
fn rule_13_a_short_lease_makes_a_stall_shorter() {
    let mut short = leased(two(0));
    short.lease = s(2);
    assert_eq!(Bench::new(short).machine.stall_after(), s(1));
    assert_eq!(Bench::new(leased(two(0))).machine.stall_after(), ms(1_500));
}

#[test]
fn s11_who_only_looks_looks_at_the_arbiter_too_and_acquires_nothing() {
    let arbiter = register();
    let observing = Settings { observe_only: true, ..leased(two(1)) };
    let mut group = Group::beside(vec![leased(two(0)), observing], &arbiter);
    group.wait(s(10));
    assert_eq!(group.primaries(), [0]);
    group.kill(0);
    group.wait(s(4));
    let would = |event: &Event| matches!(event, Event::WouldTakeOver { .. });
    assert_eq!(said(&group.members[1], would), 0, "alpha's lease still stands");
    group.wait(s(4));
    assert_eq!(said(&group.members[1], would), 1);
    assert!(group.members[1].calls().iter().all(|(_, call)| *call == ArbiterCall::Look));
    assert_eq!(arbiter.borrow().holder, None);
}

fn fenced_and_leased(me: u8) -> Settings {
    let protection = vec![Protection::Fence, Protection::Arbiter];
    Settings { protection, fence_delay: vec![Some(s(5)); 2], ..two(me) }
}

#[test]
fn rule_15_beside_an_arbiter_a_primary_alone_shoots_after_a_renewal_that_it_asked_for_since() {
    let arbiter = register();
    let mut group = Group::beside(vec![fenced_and_leased(0), fenced_and_leased(1)], &arbiter);
    group.wait(s(10));
    assert_eq!(group.primaries(), [0]);
    group.cut(0, 1);
    group.wait(ms(3_100));
    assert_eq!(group.members[0].shots(), [(1, FenceWhy::PrimaryAlone)], "the arbiter answers it");

    let mut cut_off = Group::beside(vec![fenced_and_leased(0), fenced_and_leased(1)], &register());
    cut_off.wait(s(10));
    assert_eq!(cut_off.primaries(), [0]);
    cut_off.cut(0, 1);
    let register = cut_off.members[0].arbiter.clone().expect("one");
    register.borrow_mut().cut_off.push(MemberId(0));
    cut_off.wait(s(20));
    assert_eq!(cut_off.members[0].shots(), [], "it is the one that is cut off");
}

#[test]
fn rule_15_under_majority_a_primary_alone_shoots_nobody_although_the_arbiter_answers() {
    let all = |me| {
        let protection = vec![Protection::Fence, Protection::Arbiter, Protection::Majority];
        Settings { protection, fence_delay: vec![Some(s(5)); 3], ..three(me) }
    };
    let mut group = Group::beside((0..3).map(all).collect(), &register());
    group.wait(s(15));
    assert_eq!(group.primaries(), [0]);
    group.cut(0, 1);
    group.cut(0, 2);
    one_at_most(&mut group, 300);
    assert_eq!(group.members[0].shots(), [], "it has lost its majority, and the others would be shot for nothing");
}

#[test]
fn rule_15_with_fence_and_arbiter_the_fencing_comes_first_and_then_the_lease() {
    let arbiter = register();
    let mut group = Group::beside(vec![fenced_and_leased(0), fenced_and_leased(1)], &arbiter);
    group.wait(s(10));
    group.kill(0);
    group.wait(s(9));
    let beta = &group.members[1];
    assert_eq!(beta.shots(), [(0, FenceWhy::TakeoverWaits)]);
    assert_eq!(acquisitions(beta), 0, "a lease is not taken for a takeover that may never be");
    assert!(beta.view().forecast.lines.iter().any(|line| line.ok && line.text.starts_with("lease free for ")));
    group.with(1, |beta| {
        beta.fenced(0, FenceResult::Off);
    });
    assert_eq!(group.primaries(), [1]);
    assert_eq!(group.members[1].rule().word(), "peer_off");
}

#[test]
fn u12_the_forecast_says_how_it_stands_with_the_arbiter() {
    let mut bench = by_hand();
    let line = |bench: &Bench| {
        let lines = bench.view().forecast.lines;
        let found = lines.iter().find(|line| line.text.contains("arbiter")).cloned();
        found.map(|line| (line.ok, line.text)).expect("a line")
    };
    // The next look is answered 6 ms later.
    let arbiter = bench.arbiter.take().expect("one");
    bench.wait(ms(506)).arbiter_says(ArbiterReply::Stands { holder: Some(MemberId(0)), number: 1 });
    let took = bench.view().arbiter.and_then(|arbiter| arbiter.took).expect("it answered");
    assert_eq!(line(&bench), (true, format!("arbiter answers, {} ms", took.as_millis())));
    assert!(bench.view().protected_now);
    arbiter.borrow_mut().away = true;
    bench.arbiter = Some(arbiter);
    bench.wait(ms(500));
    assert_eq!(line(&bench), (false, "arbiter does not answer: no answer from 10.0.8.1:2379".to_owned()));
    assert!(!bench.view().protected_now);
}

#[test]
fn u12_a_takeover_is_expected_when_the_lease_is_free_and_the_silent_one_is_off() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    let told: Vec<_> = group.members.iter().map(|member| member.view().forecast).collect();
    assert!(told.iter().all(|told| told.ready && told.expected == Some(ms(5_500))), "{told:?}");
    group.kill(0);
    group.wait(ms(5_500));
    assert_eq!(group.primaries(), [1]);

    let mut fenced = Group::beside(vec![fenced_and_leased(0), fenced_and_leased(1)], &register());
    fenced.wait(s(10));
    assert_eq!(
        fenced.members[1].view().forecast.expected,
        Some(s(8)),
        "the silence and the delay; its lease is shorter"
    );
}

#[test]
fn u2_a_forced_primary_becomes_ordinary_when_it_holds_the_lease() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    group.kill(0);
    arbiter.borrow_mut().away = true;
    group.wait(s(4));
    group.with(1, |beta| {
        beta.take_over(true);
    });
    assert_eq!(group.primaries(), [1]);
    assert!(group.members[1].machine.is_forced() && !group.members[1].view().protected_now);
    arbiter.borrow_mut().away = false;
    group.wait(s(10));
    let beta = &group.members[1];
    assert!(!beta.machine.is_forced(), "{:?}", beta.calls().last());
    assert_eq!((beta.mode(), beta.term()), (Mode::Primary, arbiter.borrow().number));
    assert!(beta.view().protected_now);
}

#[test]
fn s1_with_majority_too_both_must_hold() {
    let both = |me| Settings { protection: vec![Protection::Arbiter, Protection::Majority], ..three(me) };
    let arbiter = register();
    let mut group = Group::beside((0..3).map(both).collect(), &arbiter);
    group.wait(s(15));
    assert_eq!(group.primaries(), [0]);
    group.cut(0, 1);
    group.cut(0, 2);
    assert_eq!(one_at_most(&mut group, 300), [1], "the lease alone is not enough for alpha");
    assert!(group.members[0].changes().any(|change| change.rule.word() == "lost_majority"));
}

#[test]
fn rule_9_a_grant_for_another_term_does_not_carry_a_primary_through_an_outage() {
    let mut bench = alpha_asks();
    bench.arbiter_says(ArbiterReply::Granted { number: 5 });
    let beacon = bench.now;
    bench.hear(1, Message::Grant(Grant { sent_at: beacon, term: Term { number: 4, owner: MemberId(0) } }));
    bench.wait(ms(4_499));
    assert_eq!(bench.mode(), Mode::Primary);
    bench.wait(ms(1)).assert_secondary_by("lease_over");
    assert!(bench.log.iter().any(|output| matches!(output, Output::AskArbiter { .. })));
}

#[test]
fn u2_a_lease_that_a_silent_member_holds_is_a_line_that_only_force_goes_past() {
    let held = |bench: &Bench| {
        let lines = bench.view().take_over;
        lines.into_iter().filter(|line| !line.ok).map(|line| line.text).collect::<Vec<_>>()
    };
    let mut bench = by_hand();
    assert_eq!(held(&bench), [] as [&str; 0], "who is heard gives the lease back when asked to hand over");
    bench.wait(s(6)).arbiter_says(ArbiterReply::Refused { holder: Some(MemberId(0)), number: 1 });
    assert_eq!(held(&bench), ["alpha holds the arbiter's lease"]);
    bench.take_over(true);
    assert_eq!(bench.mode(), Mode::Primary, "the operator's word goes past it");
}

#[test]
fn u12_a_primary_that_alone_misses_the_arbiter_is_still_followed() {
    let arbiter = register();
    let mut group = pair(&arbiter);
    arbiter.borrow_mut().cut_off.push(MemberId(0));
    group.wait(s(10));
    assert_eq!(group.primaries(), [0], "it goes on by beta's grant");
    let forecast = group.members[0].view().forecast;
    assert!(forecast.ready, "{forecast:?}");
    let text = "beta reaches the arbiter, this member does not";
    assert!(forecast.lines.iter().any(|line| line.ok && line.text == text), "{forecast:?}");
    arbiter.borrow_mut().away = true;
    group.wait(s(10));
    assert!(!group.members[0].view().forecast.ready, "now nobody reaches it");
}

//! Handing the role over: who asks, what is refused, what is lost on the way (N18, rules 11 and 12).

use super::super::ability::Unable;
use super::super::event::Event;
use super::super::exchange::{CommandOutcome, Input, StopCause};
use super::super::member::MemberId;
use super::super::message::{HandOverCause, HandOverRequest, Message, Mode, Order, Query, Refusal};
use super::super::settings::Protection;
use super::super::term::Term;
use super::*;

fn request(number: u64, cause: HandOverCause) -> Message {
    Message::HandOverRequest(HandOverRequest { term: Term { number, owner: MemberId(0) }, cause })
}

/// Alpha is Primary in term 1 and beta, which is fit, asks it to hand over.
fn primary_asked(cause: HandOverCause, number: u64, prepare: impl FnOnce(&mut Bench)) -> (Bench, Result<(), Refusal>) {
    let mut bench = Bench::primary(two(0));
    bench.asked_by(1);
    prepare(&mut bench);
    bench.hear(1, request(number, cause));
    let verdict = bench.hand_over_answers_to(1).last().expect("every request is answered").verdict.map(|_| ());
    (bench, verdict)
}

#[test]
fn n18_an_operators_request_hands_the_role_to_who_asked() {
    let (bench, verdict) = primary_asked(HandOverCause::Operator, 1, |_| ());
    assert_eq!(verdict, Ok(()));
    bench.assert_secondary_by("handed_over");
    let released = bench.sent_to(1).into_iter().find_map(|message| match message {
        Message::Released(released) => Some((released.term.number, released.to)),
        _ => None,
    });
    assert_eq!(released, Some((1, MemberId(1))), "the term that ends, and one named successor");
}

#[test]
fn n18_a_request_that_names_another_term_ends_nothing() {
    for number in [0, 2] {
        let (bench, verdict) = primary_asked(HandOverCause::Operator, number, |_| ());
        assert_eq!(verdict, Err(Refusal::OtherTerm));
        assert_eq!(bench.mode(), Mode::Primary);
    }
}

#[test]
fn n18_a_late_or_repeated_request_ends_no_later_term() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    group.with(1, |beta| {
        beta.take_over(false);
    });
    assert_eq!((group.primaries(), group.members[1].term()), (vec![1], 2));
    group.with(0, |alpha| {
        alpha.hear(1, request(1, HandOverCause::Operator));
    });
    group.wait(s(1));
    group.with(0, |alpha| {
        alpha.take_over(false);
    });
    assert_eq!((group.primaries(), group.members[0].term()), (vec![0], 3));
    group.with(0, |alpha| {
        alpha.hear(1, request(1, HandOverCause::Operator));
    });
    assert_eq!(group.primaries(), [0]);
}

#[test]
fn n18_who_hands_over_to_one_refuses_another() {
    let mut bench = Bench::primary(three(0));
    bench.asked_by(1);
    bench.asked_by(2);
    bench.hear(1, request(1, HandOverCause::Operator)).hear(2, request(1, HandOverCause::Operator));
    assert!(bench.hand_over_answers_to(1)[0].verdict.is_ok());
    assert_eq!(bench.hand_over_answers_to(2)[0].verdict, Err(Refusal::Busy));
}

#[test]
fn n18_the_release_waits_for_the_vote_on_disk() {
    let mut bench = Bench::primary(two(0));
    bench.asked_by(1);
    bench.disk = DiskMood::Slow;
    bench.hear(1, request(1, HandOverCause::Operator));
    let released = |bench: &Bench| bench.sent_to(1).iter().any(|message| matches!(message, Message::Released(_)));
    assert!(!released(&bench));
    bench.disk_catches_up();
    assert!(released(&bench));
}

/// Of three, who hears that the Primary is Secondary before it hears of the release promises the role to whoever asks
/// first, and that promise then keeps the successor from it.
#[test]
fn n18_until_the_vote_is_on_disk_who_hands_over_stays_the_primary_of_the_others() {
    let mut bench = Bench::primary(three(0));
    bench.asked_by(1);
    bench.asked_by(2);
    bench.disk = DiskMood::Slow;
    let before = bench.sent_to(1).len();
    bench.hear(2, request(1, HandOverCause::Operator)).serving_stopped();
    bench.wait(s(1));
    assert!(matches!(bench.asked_by(1), Order::StaySecondary { .. }));
    let view = bench.view();
    assert_eq!(view.transition.map(|waits| waits.waiting_for).as_deref(), Some("its vote to be on disk"));
    let said: Vec<Message> = bench.sent_to(1).into_iter().skip(before).cloned().collect();
    assert!(said.iter().any(|message| matches!(message, Message::Beacon(_))), "{said:?}");
    for message in &said {
        match message {
            Message::Answer(answer) => assert_eq!(answer.mode, Mode::Primary),
            Message::Beacon(_) => {}
            other => panic!("too early: {other:?}"),
        }
    }
    bench.disk_catches_up();
    let then: Vec<Message> = bench.sent_to(1).into_iter().skip(before + said.len()).cloned().collect();
    let released = then.iter().position(|message| matches!(message, Message::Released(_)));
    let asked = then.iter().position(|message| matches!(message, Message::Query(_)));
    assert!(released.is_some() && asked.is_none_or(|asked| released < Some(asked)), "{then:?}");
}

#[test]
fn n18_a_release_makes_only_the_named_successor_claim() {
    for (to, claims) in [(1, false), (2, true)] {
        let mut bench = Bench::secondary_of(three(2), 0);
        bench.until(s(2)).refuses(0).refuses(1).until(s(4)).refuses(0).refuses(1).released(0, 1, to);
        assert_eq!(bench.machine.claim, claims, "released to {to}");
    }
}

#[test]
fn n18_a_release_does_not_skip_the_lease() {
    let mut settings = three(1);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::secondary_of(settings, 0);
    bench.until(s(2)).refuses(2).beacon(0, 1);
    // Gamma is silent and alpha's release is its only consent: one of three and itself are a majority.
    bench.until(s(4)).refuses(0).beacon(0, 1).released(0, 1, 1).assert_secondary();
    bench.until(s(5)).assert_secondary();
    // The release alone does not count towards a majority: the answer says whether the vote behind it is on disk.
    bench.consents(0).assert_primary_by("released");
}

#[test]
fn rule_11_a_successor_that_does_not_announce_itself_loses_the_role_again() {
    let (mut bench, _) = primary_asked(HandOverCause::Operator, 1, |_| ());
    bench.wait(ms(2_999)).assert_secondary();
    bench.wait(ms(1)).assert_primary_by("peer_silent");
    assert!(bench.events().iter().any(|event| matches!(event, Event::HandOverLost { .. })));
    assert!(bench.term() > 2, "above the number voted for the successor");
}

#[test]
fn rule_12_health_asks_only_a_sick_primary_that_is_not_held() {
    let health = |prepare: fn(&mut Bench)| primary_asked(HandOverCause::Health, 1, prepare).1;
    assert_eq!(health(|_| ()), Err(Refusal::NotSick));
    assert_eq!(
        health(|bench| {
            bench.health(7_499);
        }),
        Ok(())
    );
    assert_eq!(
        health(|bench| {
            bench.health(7_500);
        }),
        Err(Refusal::NotSick)
    );
    assert_eq!(
        health(|bench| {
            bench.health(0).hold(s(60), 1);
        }),
        Err(Refusal::Held)
    );
    let asker_is_sick = health(|bench| {
        let query = Query { able: sick(), ..bench.query() };
        bench.health(0).asked(1, query);
    });
    assert_eq!(asker_is_sick, Err(Refusal::AskerUnable));
}

#[test]
fn rule_12_an_operator_is_honoured_while_held_and_not_for_one_that_cannot() {
    assert_eq!(
        primary_asked(HandOverCause::Operator, 1, |bench| {
            bench.hold(s(60), 1);
        })
        .1,
        Ok(())
    );
    for why in [Unable::ObserveOnly, Unable::Stopping, Unable::StateNotDurable, Unable::Other] {
        let (_, verdict) = primary_asked(HandOverCause::Operator, 1, |bench| {
            let query = Query { able: cannot(why), ..bench.query() };
            bench.asked(1, query);
        });
        assert_eq!(verdict, Err(Refusal::AskerUnable), "{why:?}");
    }
}

#[test]
fn rule_12_a_secondary_has_nothing_to_hand_over() {
    let mut bench = Bench::secondary_of(two(1), 0);
    bench.hear(0, request(1, HandOverCause::Operator));
    assert_eq!(bench.hand_over_answers_to(0)[0].verdict, Err(Refusal::NotPrimary));
}

#[test]
fn rule_11_an_operators_step_down_with_nobody_to_hand_over_to_must_be_forced() {
    let mut bench = Bench::new(two(0));
    bench.until(s(10)).step_down(false);
    assert!(matches!(bench.outcomes()[..], [CommandOutcome::Impossible { .. }]));
    assert_eq!(bench.mode(), Mode::Primary);
    bench.step_down(true).assert_secondary_by("stepped_down");
}

/// Alone, and made to step down at 10 s.
fn stepped_down() -> Bench {
    let mut bench = Bench::new(two(0));
    bench.until(s(10)).step_down(true).assert_secondary();
    bench
}

#[test]
fn rule_11_a_forced_step_down_keeps_this_member_alone_from_taking_over_for_30_minutes() {
    let mut bench = stepped_down();
    bench.wait(s(30 * 60) - ms(1)).assert_secondary();
    bench.wait(ms(1));
    assert_eq!(bench.mode(), Mode::Primary);
}

#[test]
fn rule_11_a_forced_step_down_ends_with_resume_a_primary_or_the_operators_word() {
    let mut resumed = stepped_down();
    resumed.wait(s(5)).assert_secondary();
    resumed.resume(1).assert_primary_by("never_heard");

    let mut heard = stepped_down();
    heard.up(1).beacon(1, 5).assert_secondary();
    heard.wait(s(3)).assert_primary_by("peer_silent");

    let mut told = stepped_down();
    told.take_over(false).assert_primary_by("operator_took_over");
}

#[test]
fn rule_11_a_forced_step_down_is_no_hold_of_the_group() {
    let bench = stepped_down();
    assert!(bench.machine.view(bench.now).hold.is_none());
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    group.with(0, |alpha| {
        alpha.step_down(true);
    });
    assert_eq!(group.primaries(), [1], "there was somebody to hand over to");
}

#[test]
fn rule_11_of_several_successors_the_first_in_the_order() {
    let mut group = Group::new(vec![three(0), three(1), three(2)]);
    group.wait(s(10));
    group.with(1, |beta| {
        beta.health(0);
    });
    group.wait(s(2));
    group.with(0, |alpha| {
        alpha.step_down(false);
    });
    group.wait(s(1));
    assert_eq!(group.primaries(), [2], "beta is sick");
}

#[test]
fn rule_11_while_held_a_signal_hands_over_to_nobody_and_an_operators_shutdown_does() {
    for (cause, after) in [(StopCause::Signal, vec![]), (StopCause::Operator, vec![1])] {
        let mut group = Group::new(vec![two(0), two(1)]);
        group.wait(s(5));
        group.with(0, |alpha| {
            alpha.hold(s(600), 1_000).give(Input::Stop { cause });
        });
        group.wait(s(10));
        assert_eq!(group.primaries(), after, "{cause:?}");
        if after.is_empty() {
            group.with(1, |beta| {
                beta.resume(2_000);
            });
            assert_eq!(group.primaries(), [1], "the role waited for resume");
        }
    }
}

#[test]
fn u2_a_take_over_by_command_ends_the_others_role_first_and_says_so() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    group.with(1, |beta| {
        beta.take_over(false);
    });
    assert_eq!(group.primaries(), [1]);
    assert_eq!(group.members[1].outcomes(), [&CommandOutcome::Done]);
    group.with(1, |beta| {
        beta.take_over(false);
    });
    assert_eq!(group.members[1].outcomes()[1], &CommandOutcome::AlreadySo);
}

#[test]
fn u2_a_force_needs_neither_consent_nor_protection_but_its_term_is_durable() {
    let mut settings = three(1);
    settings.protection = vec![Protection::Majority];
    let mut bench = Bench::new(settings);
    bench.disk = DiskMood::Slow;
    bench.take_over(true);
    assert!(bench.is_becoming());
    bench.disk_catches_up().assert_primary_by("operator_forced");
    assert!(bench.machine.is_forced());
}

//! Taking over from a sick Primary, and how often (H5, H5b, S6).

use proptest::prelude::*;

use super::super::ability::{Ability, Sick};
use super::super::event::Event;
use super::super::exchange::{Durable, FenceResult, FenceWhy};
use super::super::member::MemberId;
use super::super::message::{HandOverAnswer, Message, Mode, Order, Refusal};
use super::super::settings::{Protection, Settings};
use super::super::term::Term;
use super::*;

/// Beta, which hears alpha as Primary in term 1.
fn beta(settings: Settings) -> Bench {
    let mut bench = Bench::secondary_of(settings, 0);
    bench.primary_answers(0, 10_000);
    bench
}

/// Alpha answers the next `times` queries with this score.
fn low(bench: &mut Bench, times: usize, score: u16) {
    for _ in 0..times {
        bench.wait(s(1)).primary_answers(0, score);
    }
}

fn answers(bench: &mut Bench, verdict: Result<std::time::Duration, Refusal>) {
    let term = Term { number: 1, owner: MemberId(0) };
    bench.hear(0, Message::HandOverAnswer(HandOverAnswer { term, verdict }));
}

fn device() -> Settings {
    Settings { fence_delay: vec![Some(s(5)); 2], ..two(1) }
}

#[test]
fn h5_a_sick_primary_is_asked_to_hand_over_after_so_many_low_scores_in_a_row() {
    let mut bench = beta(two(1));
    low(&mut bench, 1, 5_000);
    assert_eq!((bench.health_requests_to(0), bench.view().health.low), (0, 1));
    low(&mut bench, 1, 9_000);
    assert_eq!(bench.view().health.low, 0, "in a row");
    low(&mut bench, 2, 5_000);
    assert_eq!(bench.health_requests_to(0), 1);
    assert!(bench.view().health.asked.is_some());
    answers(&mut bench, Ok(ms(0)));
    bench.released(0, 1, 1);
    bench.assert_primary_by("took_over_for_health");
    assert_eq!(bench.view().health.taken, 1);
    assert_eq!(bench.shots(), []);
}

#[test]
fn h5_with_one_confirmation_the_first_low_score_asks_as_the_seed_says() {
    let mut bench = beta(Settings { confirmations: 1, ..two(1) });
    low(&mut bench, 1, 7_499);
    assert_eq!(bench.health_requests_to(0), 1);
}

#[test]
fn h5_a_score_at_the_threshold_or_within_the_margin_asks_nothing() {
    for (own, theirs, asks) in
        [(10_000, 7_500, 0), (10_000, 7_499, 1), (7_499, 0, 0), (7_500, 7_001, 0), (7_500, 7_000, 1)]
    {
        let mut bench = beta(two(1));
        bench.health(own);
        low(&mut bench, 2, theirs);
        assert_eq!(bench.health_requests_to(0), asks, "{own} against {theirs}");
    }
}

#[test]
fn h5_a_refusal_is_told_once_and_it_is_asked_again_at_the_next_low_score() {
    let mut bench = beta(two(1));
    low(&mut bench, 2, 5_000);
    for asked in 2..5 {
        answers(&mut bench, Err(Refusal::Busy));
        low(&mut bench, 1, 5_000);
        assert_eq!(bench.health_requests_to(0), asked);
    }
    let told = bench.events().iter().filter(|event| matches!(event, Event::HandOverRefused { .. })).count();
    assert_eq!(told, 1);
    assert_eq!(bench.view().health.refused.as_deref(), Some("it is already handing over"));
}

#[test]
fn h5_without_fencing_a_sick_primary_that_does_not_answer_is_asked_again_and_never_pushed_aside() {
    let mut bench = beta(two(1));
    low(&mut bench, 30, 5_000);
    assert!((5..=10).contains(&bench.health_requests_to(0)), "{}", bench.health_requests_to(0));
    assert_eq!((bench.mode(), bench.shots()), (Mode::Secondary, vec![]));
    let told = bench.events().iter().filter(|event| matches!(event, Event::HealthTakeoverUnanswered { .. })).count();
    assert_eq!(told, 1);
}

#[test]
fn h5_where_it_is_configured_a_sick_primary_that_does_not_answer_is_fenced() {
    let fence = Settings { protection: vec![Protection::Fence], ..device() };
    let always = Settings { fencing_always: true, ..device() };
    for settings in [fence, always] {
        let mut bench = beta(settings);
        low(&mut bench, 2, 5_000);
        low(&mut bench, 3, 5_000);
        assert_eq!(bench.shots(), [(0, FenceWhy::Unanswered)]);
        // A try that fails is not made again at once.
        bench.fencing_fails(0);
        low(&mut bench, 50, 5_000);
        assert_eq!(bench.shots().len(), 1);
        low(&mut bench, 20, 5_000);
        assert_eq!(bench.shots().len(), 2);
        bench.fenced(0, FenceResult::Off);
        bench.assert_primary_by("peer_off");
    }
    // With a device, but neither asked for as protection nor always, it is not.
    let mut bench = beta(device());
    low(&mut bench, 30, 5_000);
    assert_eq!(bench.shots(), []);
}

#[test]
fn h5_with_fencing_always_who_handed_over_for_its_health_is_fenced_too() {
    let mut bench = beta(Settings { fencing_always: true, ..device() });
    low(&mut bench, 2, 5_000);
    answers(&mut bench, Ok(ms(0)));
    bench.released(0, 1, 1);
    bench.assert_primary_by("took_over_for_health");
    assert_eq!(bench.shots(), [(0, FenceWhy::Always)]);
}

#[test]
fn h5_an_agreement_gives_the_stop_time_and_two_seconds() {
    let mut bench = beta(two(1));
    low(&mut bench, 2, 5_000);
    answers(&mut bench, Ok(s(20)));
    low(&mut bench, 21, 5_000);
    assert_eq!(bench.health_requests_to(0), 1);
    low(&mut bench, 3, 5_000);
    assert_eq!(bench.health_requests_to(0), 2);
}

#[test]
fn h5_nobody_asks_who_is_held_sick_or_only_looks() {
    let mut held = beta(two(1));
    held.hold(s(600), 1);
    low(&mut held, 5, 0);
    assert_eq!(held.health_requests_to(0), 0);
    let mut looks = beta(Settings { observe_only: true, ..two(1) });
    low(&mut looks, 5, 0);
    assert_eq!(looks.health_requests_to(0), 0);
    let would: Vec<_> = looks
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::WouldTakeOver { rule } if rule.word() == "took_over_for_health"))
        .collect();
    assert_eq!(would.len(), 1, "S11: said once");
}

#[test]
fn s6_so_many_takeovers_from_who_still_answers_within_an_hour_then_none_until_the_operator_speaks() {
    let mut bench = beta(Settings { max_per_hour: 2, sick_for: ms(0), ..two(1) });
    for number in 0..3_u64 {
        // Alpha acts again in term 1 + 2n, sick at once.
        let term = Term { number: 1 + 2 * number, owner: MemberId(0) };
        bench.beacon(0, term.number);
        for _ in 0..2 {
            bench.wait(s(1));
            let answer = super::super::message::Answer {
                seen: term,
                mode: Mode::Primary,
                term,
                score: super::super::ability::Score::from_ten_thousandths(10),
                ..bench.answer(0, Order::StaySecondary { floor: None })
            };
            bench.hear(0, Message::Answer(answer));
        }
        bench.released(0, term.number, 1);
    }
    assert_eq!(bench.health_requests_to(0), 2);
    let view = bench.view().health;
    assert_eq!((view.taken, view.stopped.is_some()), (2, true));
    assert!(bench.events().contains(&&Event::FlapStopped { taken: 2 }));
    // Hours do not free it.
    bench.beacon(0, 9);
    for _ in 0..4_000 {
        bench.wait(s(1)).beacon(0, 9);
    }
    assert!(bench.view().health.stopped.is_some());
    bench.resume(5);
    assert_eq!((bench.view().health.stopped, bench.view().health.taken), (None, 0));
}

#[test]
fn s6_who_lost_the_role_for_its_health_is_a_lesser_candidate_for_a_while() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    group.with(0, |alpha| {
        alpha.health(5_000);
    });
    group.wait(s(3));
    assert_eq!(group.primaries(), [1]);
    group.with(0, |alpha| {
        alpha.health(10_000);
    });
    assert_eq!(group.members[0].view().able, Ability::Sick(Sick::LostForHealth));
    assert!(group.members[0].view().health.lost_until.is_some());
    group.wait(s(590));
    assert_eq!(group.members[0].view().able, Ability::Sick(Sick::LostForHealth));
    group.wait(s(15));
    assert_eq!(group.members[0].view().able, Ability::Fit);
    assert_eq!(group.primaries(), [1], "no automatic failback");
}

/// The state that a member would find on its disk, were it started now.
fn on_disk(bench: &Bench) -> Option<Durable> {
    bench.writes().last().map(|(_, state)| state.clone())
}

#[test]
fn s6_a_restart_does_not_make_who_lost_the_role_for_its_health_an_equal_again() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    group.with(0, |alpha| {
        alpha.health(5_000);
    });
    group.wait(s(3));
    assert_eq!(group.primaries(), [1]);
    let mut again = Bench::with_state(two(0), on_disk(&group.members[0]));
    assert_eq!(again.view().able, Ability::Sick(Sick::LostForHealth));
    again.wait(s(601));
    assert_eq!(again.view().able, Ability::Fit);
}

#[test]
fn s6_takeovers_for_health_are_counted_across_a_restart() {
    let mut bench = beta(Settings { max_per_hour: 1, sick_for: ms(0), ..two(1) });
    low(&mut bench, 2, 10);
    bench.released(0, 1, 1).assert_primary_by("took_over_for_health");
    let again = Bench::with_state(Settings { max_per_hour: 1, ..two(1) }, on_disk(&bench));
    assert_eq!(again.view().health.taken, 1);
}

#[test]
fn h5_both_being_sick_is_one_fact_and_no_duel() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    for who in [0, 1] {
        group.with(who, |member| {
            member.health(1_000);
        });
    }
    group.wait(s(600));
    assert_eq!(group.primaries(), [0]);
    assert_eq!(group.members[0].changes().count(), 1);
    for member in &group.members {
        assert!(member.view().health.both_sick);
    }
}

#[test]
fn h5b_of_two_secondaries_the_one_that_can_serve_takes_over() {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.members[0].health(1_000);
    group.wait(s(5));
    assert_eq!(group.primaries(), [1]);
}

/// A step of a random walk: who, its score as Secondary, its score as Primary, and how long that lasts.
type Walk = Vec<(usize, u16, u16, u64)>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Scores that depend on the mode, as they do when processes run only on the Primary: who is sick as Primary looks
    /// healthy as soon as it has handed over. The number of role changes is bounded all the same.
    #[test]
    fn s6_no_walk_of_scores_makes_two_members_swap_roles_more_often_than_the_rules_allow(
        walk in prop::collection::vec((0..2_usize, 0..=10_000_u16, 0..=10_000_u16, 1..120_u64), 1..40),
    ) {
        let (changes, elapsed) = swaps(&walk);
        // Who lost the role for its health does not ask for it before `sick_for` is over, and nobody takes it more
        // often than `max_per_hour`: at most one change for each `sick_for` begun, and twice the limit in an hour.
        let by_time = 1 + elapsed / 600;
        let by_hour = 2 * 4 * (1 + elapsed / 3_600);
        prop_assert!(changes <= by_time.min(by_hour), "{} changes in {} s", changes, elapsed);
    }
}

/// How often the role changed hands, and how long it took.
fn swaps(walk: &Walk) -> (u64, u64) {
    let mut group = Group::new(vec![two(0), two(1)]);
    group.wait(s(5));
    let mut scores = [[10_000, 10_000]; 2];
    let mut elapsed = 0;
    let before: usize = group.members.iter().map(promotions).sum();
    for &(who, standing_by, acting, time) in walk {
        scores[who] = [standing_by, acting];
        elapsed += time;
        for _ in 0..time {
            for (member, scores) in scores.iter().enumerate() {
                let acts = usize::from(group.members[member].shown() == Mode::Primary);
                group.with(member, |bench| {
                    bench.health(scores[acts]);
                });
            }
            group.wait(s(1));
            assert!(group.primaries().len() < 2);
        }
    }
    let after: usize = group.members.iter().map(promotions).sum();
    ((after - before) as u64, elapsed)
}

fn promotions(bench: &Bench) -> usize {
    bench.changes().filter(|change| change.mode == Mode::Primary).count()
}

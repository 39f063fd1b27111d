//! Rule 3, a row for each letter. Each row adds one thing to a member that would otherwise consent.

use super::super::ability::Unable;
use super::super::message::{Message, Order, Query};
use super::*;

/// Member 2 of three, settled; both others are heard, nobody is Primary. It consents to member 0.
fn consenting() -> Bench {
    let mut bench = Bench::new(three(2));
    bench.all_up().until(s(2)).refuses(0).refuses(1).until(s(4)).refuses(0).refuses(1);
    bench
}

fn answer_to_0(bench: &mut Bench, change: impl FnOnce(&mut Query)) -> Order {
    let mut query = bench.query();
    change(&mut query);
    bench.asked(0, query).order
}

const STAY: Order = Order::StaySecondary { floor: None };
const CONSENT: Order = Order::BePrimary { proposed: 1, written: true };

/// A letter of the rule, a way to come to it, and what is answered then.
pub struct Row {
    pub letter: &'static str,
    pub scenario: fn() -> Order,
    pub expected: Order,
}

const fn row(letter: &'static str, scenario: fn() -> Order, expected: Order) -> Row {
    Row { letter, scenario, expected }
}

pub const ROWS: [Row; 12] = [
    row(
        "3a",
        || {
            let mut bench = consenting();
            bench.consents(0).consents(1).assert_primary_by("told_primary");
            answer_to_0(&mut bench, |_| ())
        },
        STAY,
    ),
    row(
        "3a",
        || {
            let mut bench = consenting();
            bench.disk = DiskMood::Slow;
            bench.consents(0).consents(1);
            assert!(bench.is_becoming());
            answer_to_0(&mut bench, |_| ())
        },
        STAY,
    ),
    row(
        "3b",
        || {
            let mut bench = consenting();
            bench.beacon(1, 1);
            answer_to_0(&mut bench, |_| ())
        },
        STAY,
    ),
    row(
        "3c",
        || {
            let mut bench = consenting();
            let claims = Query { claim: true, ..bench.query() };
            assert_eq!(bench.asked(1, claims).order, CONSENT);
            answer_to_0(&mut bench, |query| query.claim = true)
        },
        STAY,
    ),
    row(
        "3d",
        || {
            let mut bench = consenting();
            answer_to_0(&mut bench, |query| query.proposed = 0)
        },
        Order::StaySecondary { floor: Some(0) },
    ),
    row(
        "3e",
        || {
            let mut bench = Bench::new(three(2));
            bench.all_up().refuses(0).refuses(1).until(ms(3_999));
            bench.refuses(0).refuses(1);
            answer_to_0(&mut bench, |_| ())
        },
        STAY,
    ),
    row(
        "3e",
        || {
            // Settled, but beta has never told its mode and is not silent yet.
            let mut bench = Bench::new(three(2));
            bench.up(0).until(s(3)).up(1).refuses(0);
            bench.until(s(4)).refuses(0);
            answer_to_0(&mut bench, |_| ())
        },
        STAY,
    ),
    row(
        "3f",
        || {
            let mut bench = consenting();
            answer_to_0(&mut bench, |query| query.candidate = false)
        },
        STAY,
    ),
    row(
        "3f",
        || {
            let mut bench = consenting();
            bench.health(0);
            answer_to_0(&mut bench, |query| query.able = cannot(Unable::Held))
        },
        STAY,
    ),
    row(
        "3g",
        || {
            let mut bench = consenting();
            answer_to_0(&mut bench, |query| query.able = sick())
        },
        STAY,
    ),
    row(
        "3g",
        || {
            // A live third that claims comes first.
            let mut bench = consenting();
            let claims = Query { claim: true, proposed: 0, ..bench.query() };
            bench.hear(1, Message::Query(claims));
            answer_to_0(&mut bench, |_| ())
        },
        STAY,
    ),
    row(
        "3h",
        || {
            let mut bench = consenting();
            answer_to_0(&mut bench, |_| ())
        },
        CONSENT,
    ),
];

#[test]
fn rule_3_each_letter_decides_as_it_says() {
    for row in ROWS {
        assert_eq!((row.scenario)(), row.expected, "{}", row.letter);
    }
}

#[test]
fn rule_3d_the_very_vote_given_before_is_repeated() {
    let mut bench = consenting();
    let query = bench.query();
    assert_eq!(bench.asked(0, query).order, CONSENT);
    assert_eq!(bench.asked(0, query).order, CONSENT, "the answer may have been lost");
}

#[test]
fn rule_3d_who_asks_raises_its_own_floor() {
    let mut bench = Bench::new(two(0));
    bench.up(1);
    let answer = bench.answer(1, Order::StaySecondary { floor: Some(12) });
    bench.hear(1, Message::Answer(answer)).wait(s(1));
    assert_eq!(bench.latest_query(1).expect("asked").proposed, 13);
}

#[test]
fn rule_3g_who_has_promised_may_not_withdraw_it_for_a_better_one() {
    let mut bench = consenting();
    assert_eq!(answer_to_0(&mut bench, |_| ()), CONSENT);
    // The one promised to has become sick since, and asks again for the next number.
    assert!(matches!(answer_to_0(&mut bench, |query| query.able = sick()), Order::BePrimary { .. }));
}

#[test]
fn h5b_a_sick_lower_address_leaves_the_role_to_a_fit_higher_one() {
    let mut bench = Bench::new(two(0));
    bench.up(1).health(1_000);
    assert!(matches!(bench.asked_by(1), Order::BePrimary { .. }));
}

#[test]
fn n17_an_ability_that_this_version_does_not_know_is_tolerated() {
    // The frames are the link's; a reason it cannot name arrives as `Other`, and means that the asker cannot.
    let mut bench = consenting();
    assert_eq!(answer_to_0(&mut bench, |query| query.able = cannot(Unable::Other)), STAY);
    assert_eq!(answer_to_0(&mut bench, |_| ()), CONSENT, "and it costs nothing later");
}

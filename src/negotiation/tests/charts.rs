//! The two flowcharts of ARCHITECTURE.md are what the code does (N10): every outcome of a chart has a scenario that
//! reaches it, and every scenario an outcome in its chart.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::exchange::{ArbiterCall, FenceResult};
use super::super::member::MemberId;
use super::super::message::{Grant, HandOverCause, HandOverRequest, Message, Mode, Query};
use super::super::settings::{Protection, Settings};
use super::super::term::Term;
use super::super::time::Instant;
use super::*;

const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

/// A box of a chart: its name, and its text if the chart gives it here.
fn node(text: &str) -> (&str, Option<&str>) {
    let name_end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    (&text[..name_end], text[name_end..].split('"').nth(1))
}

/// The outcomes of the chart under `heading`: what stands before the colon in every box without a way out.
fn outcomes(heading: &str) -> BTreeSet<String> {
    let section = ARCHITECTURE.split("\n## ").find(|section| section.starts_with(heading)).expect("the heading");
    let chart = section.split("```").nth(1).expect("its chart");
    let (mut leaves, mut inner) = (Vec::new(), BTreeSet::new());
    for line in chart.lines().map(str::trim) {
        let Some((from, to)) = line.split_once("-->") else { continue };
        // A way may carry a condition: -->|"yes"| box.
        let to = to.trim().strip_prefix('|').and_then(|way| way.split_once('|')).map_or(to, |(_, to)| to);
        inner.insert(node(from.trim()).0);
        leaves.push(node(to.trim()));
    }
    let outcome = |text: &str| text.split(':').next().expect("a split has a first part").to_owned();
    leaves
        .into_iter()
        .filter(|(name, _)| !inner.contains(name))
        .map(|(name, text)| outcome(text.unwrap_or_else(|| panic!("{name} has no text"))))
        .collect()
}

/// How to come to an outcome of the first chart, and how it is known: the mode, and the rule that was the last to fire.
struct Path {
    outcome: &'static str,
    walk: fn() -> Bench,
    mode: Mode,
    rule: &'static str,
}

const fn path(outcome: &'static str, mode: Mode, rule: &'static str, walk: fn() -> Bench) -> Path {
    Path { outcome, walk, mode, rule }
}

/// Does something with a member and hands it back.
fn after(mut bench: Bench, act: impl FnOnce(&mut Bench)) -> Bench {
    act(&mut bench);
    bench
}

/// A member that has decided, and whose disk is slow: by the word of its peer.
fn becoming() -> Bench {
    let mut bench = Bench::new(two(0));
    bench.disk = DiskMood::Slow;
    bench.up(1).consents(1);
    assert!(bench.is_becoming());
    bench
}

fn majority() -> Settings {
    Settings { protection: vec![Protection::Majority], ..three(0) }
}

fn fence(settings: Settings) -> Settings {
    let fence_delay = vec![Some(s(5)); settings.members.len()];
    Settings { protection: vec![Protection::Fence], fence_delay, ..settings }
}

fn leased(settings: Settings) -> Settings {
    Settings { protection: vec![Protection::Arbiter], ..settings }
}

fn held_by_alpha() -> Register {
    Register { holder: Some(MemberId(0)), number: 1, expires: Instant(u64::MAX), ..Register::default() }
}

/// Alpha, Primary in the arbiter's first number.
fn leased_primary() -> Bench {
    after(Bench::beside(leased(two(0)), &Rc::default()), |bench| {
        bench.up(1).wait(s(6));
    })
}

fn ends(bench: &mut Bench) {
    bench.wait(s(3));
}

const NEGOTIATING: [Path; 36] = [
    path("N1", Mode::Secondary, "booted", || Bench::new(two(0))),
    path("H5 asks", Mode::Secondary, "booted", || {
        after(Bench::secondary_of(two(1), 0), |bench| {
            bench.primary_answers(0, 1_000).wait(s(1)).primary_answers(0, 1_000);
            assert_eq!(bench.health_requests_to(0), 1);
        })
    }),
    path("H5 takes over", Mode::Primary, "took_over_for_health", || {
        after(Bench::secondary_of(two(1), 0), |bench| {
            bench.primary_answers(0, 1_000).wait(s(1)).primary_answers(0, 1_000).released(0, 1, 1);
        })
    }),
    path("S2 waits", Mode::Secondary, "booted", || {
        after(Bench::secondary_of(fence(two(1)), 0), |bench| {
            bench.wait(s(10));
            assert_eq!(bench.shots().len(), 1);
        })
    }),
    path("S2 off", Mode::Primary, "peer_off", || {
        after(Bench::secondary_of(fence(two(1)), 0), |bench| {
            bench.wait(s(10)).fenced(0, FenceResult::Off);
        })
    }),
    path("S1 cut off", Mode::Secondary, "booted", || {
        let settings = Settings { protection: vec![Protection::Reachability], ..two(1) };
        after(Bench::secondary_of(settings, 0), |bench| {
            bench.wait(s(10));
            assert!(bench.view().peers[0].gone.is_some());
        })
    }),
    path("S4 waits", Mode::Secondary, "booted", || {
        let arbiter = Rc::new(RefCell::new(held_by_alpha()));
        after(Bench::beside(leased(two(1)), &arbiter), |bench| {
            bench.up(0).beacon(0, 1).wait(s(10));
            assert!(bench.calls().iter().any(|(_, call)| matches!(call, ArbiterCall::Acquire { .. })));
        })
    }),
    path("S4 goes on", Mode::Primary, "peer_silent", || {
        after(leased_primary(), |bench| {
            bench.arbiter.as_ref().expect("one").borrow_mut().away = true;
            for _ in 0..20 {
                let sent_at = bench.now;
                let term = Term { number: 1, owner: MemberId(0) };
                bench.hear(1, Message::Grant(Grant { sent_at, term })).wait(s(1));
            }
        })
    }),
    path("S4 over", Mode::Secondary, "lease_over", || {
        after(leased_primary(), |bench| {
            bench.arbiter.as_ref().expect("one").borrow_mut().away = true;
            bench.wait(s(5));
        })
    }),
    path("S3", Mode::Primary, "told_primary", || {
        after(Bench::primary(fence(two(0))), |bench| {
            bench.wait(s(10));
            assert_eq!(bench.shots().len(), 1);
        })
    }),
    path("S9 keeps", Mode::Secondary, "told_primary", || {
        after(Bench::primary(two(0)), |bench| {
            bench.serves(s(5)).late(s(2));
            assert_eq!((bench.shown(), bench.stop_orders()), (Mode::Primary, vec![]));
        })
    }),
    path("N4 told Secondary", Mode::Secondary, "booted", || {
        after(Bench::secondary_of(two(1), 0), |bench| {
            bench.wait(s(2)).refuses(0).wait(s(2));
        })
    }),
    path("S7", Mode::Secondary, "booted", || {
        after(Bench::secondary_of(two(1), 0), |bench| {
            bench.hold(s(600), 1).wait(s(3));
        })
    }),
    path("S11", Mode::Secondary, "booted", || {
        let observing = Settings { observe_only: true, ..two(1) };
        after(Bench::secondary_of(observing, 0), ends)
    }),
    path("N16", Mode::Secondary, "booted", || {
        after(Bench::new(two(1)), |bench| {
            bench.up(0).asked_by(0);
            bench.wait(s(2)).consents(0);
        })
    }),
    path("rule 1", Mode::Secondary, "booted", || {
        after(Bench::new(three(0)), |bench| {
            bench.all_up().all_consent();
        })
    }),
    path("N7", Mode::Secondary, "booted", || {
        after(Bench::new(three(0)), |bench| {
            bench.all_up().until(s(3)).refuses(1).refuses(2).until(s(5)).consents(1).refuses(2);
        })
    }),
    path("S1", Mode::Secondary, "booted", || {
        after(Bench::new(majority()), |bench| {
            bench.until(s(60));
        })
    }),
    path("rule 7 Primary heard", Mode::Secondary, "abandoned_for_primary", || {
        after(becoming(), |bench| {
            bench.beacon(1, 1);
        })
    }),
    path("rule 7 support lost", Mode::Secondary, "abandoned_for_change", || {
        after(becoming(), |bench| {
            bench.refuses(1).disk_catches_up();
        })
    }),
    path("N20", Mode::Secondary, "abandoned_for_disk", || {
        let mut bench = Bench::new(two(0));
        bench.disk = DiskMood::Failing;
        bench.up(1).consents(1);
        bench
    }),
    path("N3", Mode::Primary, "never_heard", || after(Bench::new(two(1)), ends)),
    path("N4 told Primary", Mode::Primary, "told_primary", || {
        after(becoming(), |bench| {
            bench.disk_catches_up();
        })
    }),
    path("N4 silent", Mode::Primary, "peer_silent", || after(Bench::secondary_of(two(1), 0), ends)),
    path("N14 refused", Mode::Primary, "peer_crashed", || {
        after(Bench::secondary_of(two(1), 0), |bench| {
            bench.down(0).refused(0);
        })
    }),
    path("N14 Bye", Mode::Primary, "peer_stopped", || {
        after(Bench::secondary_of(two(1), 0), |bench| {
            bench.hear(0, Message::Bye);
        })
    }),
    path("N18 released", Mode::Primary, "released", || {
        after(Bench::secondary_of(two(1), 0), |bench| {
            bench.refuses(0).released(0, 1, 1);
        })
    }),
    path("U2", Mode::Primary, "operator_took_over", || {
        after(Bench::new(two(1)), |bench| {
            bench.up(0).take_over(false).consents(0);
        })
    }),
    path("S9", Mode::Secondary, "stalled", || {
        after(Bench::primary(two(0)), |bench| {
            bench.late(s(2));
        })
    }),
    path("N12 higher term", Mode::Secondary, "yielded_to", || {
        after(Bench::primary(two(0)), |bench| {
            bench.beacon(1, 2);
        })
    }),
    path("N12 lower term", Mode::Primary, "told_primary", || {
        after(Bench::primary(two(0)), |bench| {
            bench.beacon(1, 1);
        })
    }),
    path("N11 overtaken", Mode::Secondary, "overtaken", || {
        after(Bench::primary(two(0)), |bench| {
            let seen = Term { number: 5, owner: MemberId(1) };
            let query = Query { seen, ..bench.query() };
            bench.asked(1, query);
        })
    }),
    path("rule 8", Mode::Secondary, "lost_majority", || after(Bench::primary(majority()), ends)),
    path("N18 hands over", Mode::Secondary, "handed_over", || {
        after(Bench::primary(two(0)), |bench| {
            bench.asked_by(1);
            let term = Term { number: 1, owner: bench.machine.settings().me };
            let request = HandOverRequest { term, cause: HandOverCause::Operator };
            bench.hear(1, Message::HandOverRequest(request));
        })
    }),
    path("rule 11", Mode::Secondary, "stepped_down", || {
        after(Bench::new(two(0)), |bench| {
            bench.until(s(10)).step_down(true);
        })
    }),
    path("N5", Mode::Primary, "told_primary", || {
        after(Bench::primary(two(0)), |bench| {
            bench.asked_by(1);
            bench.wait(s(60));
        })
    }),
];

#[test]
fn n10_every_path_of_negotiating_the_mode_is_what_the_code_does() {
    let mut reached = BTreeSet::new();
    for path in &NEGOTIATING {
        let bench = (path.walk)();
        assert!(!bench.is_becoming(), "{}", path.outcome);
        assert_eq!((bench.mode(), bench.rule().word()), (path.mode, path.rule), "{}", path.outcome);
        reached.insert(path.outcome.to_owned());
    }
    assert_eq!(reached, outcomes("Negotiating the mode"));
}

#[test]
fn n10_every_path_of_answering_a_query_is_what_the_code_does() {
    let mut reached = BTreeSet::new();
    for row in answering::ROWS {
        assert_eq!((row.scenario)(), row.expected, "{}", row.letter);
        reached.insert(row.letter.to_owned());
    }
    assert_eq!(reached, outcomes("Answering a query"));
}

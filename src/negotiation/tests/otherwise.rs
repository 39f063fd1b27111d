//! What `explain` says would have changed a decision, done: the same story with nothing else changed, decided again, does
//! not come to that decision (U4).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::decision::Rule;
use super::super::exchange::{Command, FenceResult, Input, Output, StopCause};
use super::super::member::MemberId;
use super::super::message::{
    Beacon, Grant, HandOverAnswer, HandOverCause, HandOverRequest, Message, Mode, Query, Relay,
};
use super::super::settings::{Protection, Settings};
use super::super::term::Term;
use super::*;

/// A story: as it was, or with the change.
type Story = fn(changed: bool) -> Bench;

/// The rule that decides, which of its lines is tried, and the story.
type Case = (&'static str, usize, Story);

/// Lines that speak of a whole group, or of nothing: the model and the simulator show that only one becomes Primary under
/// a protection (S1).
const NOT_OF_ONE_MEMBER: [(&str, usize); 4] =
    [("booted", 0), ("yielded_to", 1), ("yielded_by_relay", 1), ("overtaken", 1)];

fn term(number: u64, owner: u8) -> Term {
    Term { number, owner: MemberId(owner) }
}

fn held(bench: &mut Bench, held: bool) {
    if held {
        bench.hold(s(600), 1);
    }
}

/// Beta, which hears alpha as Primary.
fn beta(settings: Settings) -> Bench {
    let mut bench = Bench::secondary_of(settings, 0);
    bench.wait(s(1)).primary_answers(0, 10_000);
    bench
}

fn fencing() -> Settings {
    Settings { protection: vec![Protection::Fence], fence_delay: vec![Some(s(1)); 2], ..two(1) }
}

fn never_heard(settings: Settings, answers: bool) -> Bench {
    let mut bench = Bench::new(settings);
    for second in 0..12 {
        bench.wait(s(1));
        if answers && second == 4 {
            bench.up(1);
        } else if answers && second > 4 {
            bench.refuses(1);
        }
    }
    bench
}

fn told_primary(consents: bool, hold: bool) -> Bench {
    let mut bench = Bench::new(two(0));
    bench.up(1);
    held(&mut bench, hold);
    if consents {
        bench.consents(1)
    } else {
        bench.refuses(1)
    };
    bench
}

fn silent(word: bool, hold: bool) -> Bench {
    let mut bench = beta(two(1));
    held(&mut bench, hold);
    bench.wait(s(2));
    if word {
        bench.beacon(0, 1);
    }
    bench.wait(ms(1_500));
    bench
}

fn crashed(settings: Settings, accepts: bool) -> Bench {
    let mut bench = beta(settings);
    bench.down(0);
    if accepts {
        bench.up(0)
    } else {
        bench.refused(0)
    };
    bench
}

fn stopped(bye: bool, hold: bool) -> Bench {
    let mut bench = beta(two(1));
    held(&mut bench, hold);
    if bye {
        bench.hear(0, Message::Bye);
    }
    bench
}

fn off(result: FenceResult, hold: bool) -> Bench {
    let mut bench = beta(fencing());
    held(&mut bench, hold);
    bench.wait(s(10)).fenced(0, result);
    bench
}

fn told_off(says: bool) -> Bench {
    let mut bench = beta(Settings { fence_delay: vec![None; 2], ..fencing() });
    bench.wait(s(10));
    if says {
        bench.give(Input::Command(Command::IsOff { peer: MemberId(0), by: "ann".into() }));
    }
    bench
}

fn health(theirs: u16, mine: u16, hold: bool) -> Bench {
    let mut bench = beta(two(1));
    bench.health(mine);
    held(&mut bench, hold);
    for _ in 0..2 {
        bench.wait(s(1)).primary_answers(0, theirs);
    }
    if bench.health_requests_to(0) > 0 {
        let answer = HandOverAnswer { term: term(1, 0), verdict: Ok(ms(0)) };
        bench.hear(0, Message::HandOverAnswer(answer)).released(0, 1, 1);
    }
    bench
}

fn ordered(asks: bool) -> Bench {
    let mut bench = beta(two(1));
    if asks {
        bench.take_over(false);
    }
    let answer = HandOverAnswer { term: term(1, 0), verdict: Ok(ms(0)) };
    bench.hear(0, Message::HandOverAnswer(answer)).released(0, 1, 1);
    bench
}

fn relayed(number: u64, owner: u8) -> Bench {
    let mut bench = Bench::primary(three(1));
    bench.hear(2, Message::Relay(Relay { term: term(number, owner) }));
    bench
}

fn asked_for_health(score: u16) -> Bench {
    let mut bench = Bench::primary(two(1));
    bench.health(score);
    let request = HandOverRequest { term: bench.machine.mode_and_term().1, cause: HandOverCause::Health };
    bench.hear(0, Message::HandOverRequest(request));
    bench
}

/// The Primary's beacons are granted from now on, or not.
fn wait_granted(bench: &mut Bench, seconds: u64, granted: bool) {
    if granted {
        // The beacon that it began with.
        let grant = Grant { sent_at: bench.now, term: bench.machine.mode_and_term().1 };
        let peers: Vec<MemberId> = bench.machine.settings().others().collect();
        for peer in peers {
            bench.hear(peer.0, Message::Grant(grant));
        }
    }
    for _ in 0..seconds * 4 {
        let before = bench.log.len();
        bench.wait(ms(250));
        let beacons: Vec<(u8, Beacon)> = bench.log[before..]
            .iter()
            .filter_map(|output| match output {
                Output::Send { to, message: Message::Beacon(beacon) } => Some((to.0, *beacon)),
                _ => None,
            })
            .collect();
        for (peer, beacon) in beacons.into_iter().filter(|_| granted) {
            bench.hear(peer, Message::Grant(Grant { sent_at: beacon.sent_at, term: beacon.term }));
        }
    }
}

fn majority(granted: bool) -> Bench {
    let mut bench = Bench::primary(Settings { protection: vec![Protection::Majority], ..three(1) });
    wait_granted(&mut bench, 8, granted);
    bench
}

fn leased(away: bool, granted: bool) -> Bench {
    let register = Rc::new(RefCell::new(Register::default()));
    let settings = Settings { protection: vec![Protection::Arbiter], ..two(1) };
    let mut bench = Bench::beside(settings, &register);
    bench.all_up().wait(s(7)).consents(0);
    assert_eq!(bench.mode(), Mode::Primary, "{:?}", bench.rule());
    register.borrow_mut().away = away;
    wait_granted(&mut bench, 8, granted);
    bench
}

fn overtaken(seen: Option<Term>) -> Bench {
    let mut bench = Bench::primary(two(1));
    let query = bench.query();
    bench.asked(0, Query { seen: seen.unwrap_or(query.seen), ..query });
    bench
}

fn stalled(settings: Settings, by: Option<u64>) -> Bench {
    let mut bench = Bench::primary(settings);
    if let Some(by) = by {
        bench.late(ms(by));
    }
    bench
}

/// Taking over, and waiting for the disk.
fn becoming(meanwhile: impl FnOnce(&mut Bench)) -> Bench {
    let mut bench = Bench::new(two(0));
    bench.disk = DiskMood::Slow;
    bench.up(1).consents(1);
    assert!(bench.is_becoming());
    bench.wait(s(1));
    meanwhile(&mut bench);
    bench.disk_catches_up();
    bench
}

const CASES: &[Case] = &[
    ("never_heard", 0, |changed| never_heard(two(0), changed)),
    ("never_heard", 1, |changed| {
        never_heard(Settings { boot_timeout: s(if changed { 20 } else { 10 }), ..two(0) }, false)
    }),
    ("told_primary", 0, |changed| told_primary(!changed, false)),
    ("told_primary", 1, |changed| told_primary(true, changed)),
    ("peer_silent", 0, |changed| silent(changed, false)),
    ("peer_silent", 1, |changed| silent(false, changed)),
    ("peer_crashed", 0, |changed| crashed(two(1), changed)),
    ("peer_crashed", 1, |changed| crashed(Settings { crash_detection: !changed, ..two(1) }, false)),
    ("peer_stopped", 0, |changed| stopped(!changed, false)),
    ("peer_stopped", 1, |changed| stopped(true, changed)),
    ("peer_off", 0, |changed| {
        off(if changed { FenceResult::Failed { why: "no answer".to_owned() } } else { FenceResult::Off }, false)
    }),
    ("peer_off", 1, |changed| off(FenceResult::Off, changed)),
    ("peer_off", 2, |changed| told_off(!changed)),
    ("took_over_for_health", 0, |changed| health(if changed { 7_500 } else { 5_000 }, 10_000, false)),
    ("took_over_for_health", 1, |changed| health(5_000, if changed { 7_000 } else { 10_000 }, false)),
    ("took_over_for_health", 2, |changed| health(5_000, 10_000, changed)),
    ("released", 0, |changed| {
        let mut bench = beta(two(1));
        if !changed {
            bench.released(0, 1, 1);
        }
        bench
    }),
    ("operator_took_over", 0, |changed| ordered(!changed)),
    ("operator_forced", 0, |changed| {
        let mut bench = Bench::new(two(1));
        if !changed {
            bench.take_over(true);
        }
        bench
    }),
    ("yielded_to", 0, |changed| {
        let mut bench = Bench::primary(two(1));
        if !changed {
            bench.beacon(0, 5);
        }
        bench
    }),
    ("yielded_by_relay", 0, |changed| if changed { relayed(1, 2) } else { relayed(5, 0) }),
    ("handed_over", 0, |changed| {
        let mut bench = Bench::primary(two(1));
        if !changed {
            bench.step_down(false);
        }
        bench
    }),
    ("handed_over", 1, |changed| asked_for_health(if changed { 7_500 } else { 5_000 })),
    ("stepped_down", 0, |changed| {
        let mut bench = Bench::primary(two(1));
        bench.down(0).step_down(!changed);
        bench
    }),
    ("stopping", 0, |changed| {
        let mut bench = Bench::primary(two(1));
        if !changed {
            bench.give(Input::Stop { cause: StopCause::Signal });
        }
        bench
    }),
    ("lost_majority", 0, majority),
    ("lease_over", 0, |changed| leased(!changed, false)),
    ("lease_over", 1, |changed| leased(true, changed)),
    ("overtaken", 0, |changed| overtaken((!changed).then(|| term(5, 0)))),
    ("stalled", 0, |changed| stalled(two(1), (!changed).then_some(2_000))),
    ("stalled", 1, |changed| {
        stalled(Settings { reply_timeout: s(if changed { 10 } else { 3 }), ..two(1) }, Some(2_000))
    }),
    ("abandoned_for_primary", 0, |changed| {
        becoming(|bench| {
            if !changed {
                bench.beacon(1, 1);
            }
        })
    }),
    ("abandoned_for_change", 0, |changed| {
        becoming(|bench| {
            if !changed {
                bench.refuses(1);
            }
        })
    }),
    ("abandoned_for_disk", 0, |changed| {
        let mut bench = Bench::new(two(0));
        bench.disk = if changed { DiskMood::Prompt } else { DiskMood::Failing };
        bench.up(1).consents(1);
        bench
    }),
];

/// The rules of this name that decided.
fn decided(bench: &Bench, word: &str) -> Vec<Rule> {
    bench.changes().map(|decision| decision.rule.clone()).filter(|rule| rule.word() == word).collect()
}

/// Rules of one name that differ in what would have changed them: how many lines there are of them all.
fn lines(word: &str, rule: &Rule) -> usize {
    match (word, rule) {
        // By the device, and by an operator's word.
        ("peer_off", _) => 3,
        // For an operator, and for its health.
        ("handed_over", _) => 2,
        (_, rule) => rule.otherwise().len(),
    }
}

#[test]
fn u4_what_would_have_changed_a_decision_changes_it() {
    let mut tried: BTreeSet<(&str, usize)> = NOT_OF_ONE_MEMBER.into_iter().collect();
    let mut wanted = BTreeSet::from([("booted", 0)]);
    for (word, line, story) in CASES {
        let rules = decided(&story(false), word);
        let rule = rules.first().unwrap_or_else(|| panic!("{word} {line}: as it was, {word} decides"));
        let changed = decided(&story(true), word);
        assert!(changed.is_empty(), "{word}: {:?} changes nothing: {changed:?}", rule.otherwise());
        tried.insert((word, *line));
        wanted.extend((0..lines(word, rule)).map(|line| (*word, line)));
    }
    assert_eq!(tried, wanted, "every line is tried");
    let words: BTreeSet<&str> = tried.iter().map(|(word, _)| *word).collect();
    assert_eq!(words.len(), 23, "every rule is: {words:?}");
}

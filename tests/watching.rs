//! Reading without a screen: `status --watch` and `ping` as people leave them (U7, N9).

#[path = "support/group.rs"]
mod group;
mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use group::{Group, PATIENCE};
use nix::sys::signal::Signal;
use support::{Running, tandem};
use tandem::control::desk::PLAN_LASTS;
use tandem::control::plan::Action;
use tandem::control::request::{Reply, Request};
use tandem::control::status::{Judgement, Mode};

/// A member of the group's socket as a flag's value.
fn socket(group: &Group, member: usize) -> String {
    group.socket(member).display().to_string()
}

/// A running command and the lines that it prints.
struct Lines {
    running: Running,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Lines {
    fn of(arguments: &[&str]) -> Lines {
        let mut command = tandem(arguments);
        command.stdout(Stdio::piped()).env("LC_ALL", "C.UTF-8");
        let mut running = Running::start(command);
        let lines = BufReader::new(running.child().stdout.take().expect("a pipe")).lines();
        Lines { running, lines }
    }

    /// Reads until a line has this in it. A command that says nothing more is a test that never ends: every wait of the
    /// program has a deadline after which it speaks.
    fn until(&mut self, wanted: &str) -> String {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.expect("a line");
            if line.contains(wanted) {
                return line;
            }
            seen.push(line);
        }
        panic!("never: {wanted}\n{}", seen.join("\n"));
    }
}

#[test]
fn u2_a_plan_that_is_shown_is_checked_again_as_long_as_it_is_open() {
    let mut group = Group::new(2, "");
    group.start_all();
    group.wait(1, "beta can take over", |status| {
        status.peers[0].mode == Some(Mode::Primary) && status.takeover.ready && status.alarms.is_empty()
    });
    let mut watch = group.watch(1);
    let mut client = group.client(1);
    let reply = client.ask(&Request::Open { action: Action::TakeOver }, PATIENCE).expect("an answer");
    assert!(matches!(reply, Reply::Plan(_)), "{reply:?}");
    let lasts = u64::try_from(PLAN_LASTS.as_millis()).expect("two minutes");
    // A busy machine may be late with one check; it is not late with each.
    watch.until(PATIENCE, "it has been open for a while, and was checked a moment ago", |status| {
        status.plan.as_ref().is_some_and(|plan| plan.expires_ms + 2_500 < lasts && plan.checked_ms < 1_000)
    });
}

#[test]
fn u7_a_watch_tells_each_change_goes_on_without_the_controller_and_ends_quietly() {
    let mut group = Group::new(2, "");
    group.start_all();
    group.wait(1, "beta knows that alpha acts", |status| {
        status.judgement == Judgement::OneActs && status.peers[0].mode == Some(Mode::Primary)
    });
    let mut watch = Lines::of(&["status", "--watch", "--socket", &socket(&group, 1)]);
    let first = watch.until("beta ○ SECONDARY");
    assert!(first.contains("ONE ACTS") && first.contains("alpha PRIMARY"), "{first}");
    group.kill(0);
    let took_over = watch.until("beta ■ PRIMARY");
    assert!(took_over.contains("because"), "{took_over}");
    group.kill(1);
    watch.until("?? NO NEWS");
    group.start(1);
    watch.until("it answers again");
    watch.running.signal(Signal::SIGINT);
    assert_eq!(watch.running.wait(PATIENCE).code(), Some(0));
    // Its end is no change: it is told nowhere. What changed before it is, as everything.
    for line in watch.lines {
        let line = line.expect("a line");
        assert!(line.contains("  beta "), "it ends without another word: {line}");
    }
}

#[test]
fn n9_a_ping_that_is_interrupted_prints_its_sum() {
    let mut group = Group::new(2, "");
    group.start(0);
    group.start(1);
    group.wait(0, "alpha acts, and hears beta", |status| status.judgement == Judgement::OneActs);
    let mut ping = Lines::of(&["ping", "-c", "1000", "-i", "0.05", "--socket", &socket(&group, 0)]);
    ping.until("seq=2 ");
    ping.running.signal(Signal::SIGINT);
    ping.until("% loss");
    assert_eq!(ping.running.wait(PATIENCE).code(), Some(0));
}

#[test]
fn u7_a_watch_ends_with_its_reader() {
    let mut group = Group::new(2, "");
    group.start(0);
    group.wait(0, "it answers", |_| true);
    let mut watch = Lines::of(&["status", "--watch", "--socket", &group.socket(0).display().to_string()]);
    watch.until("alpha");
    let Lines { mut running, lines } = watch;
    drop(lines);
    assert_eq!(running.wait(PATIENCE).code(), Some(0));
}

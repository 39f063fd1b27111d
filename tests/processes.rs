//! Two controllers with required processes, as their users run them: what runs on the Primary only never runs on both,
//! and nothing is left behind (P1, P2, P6).

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use group::{Group, PATIENCE};
use nix::sys::signal::Signal;
use support::reference::Reference;
use support::{Part, require};
use tandem::control::plan::Action;
use tandem::control::request::Outcome;
use tandem::control::status::{Mode, ProcessState, Status};
use tandem::process::BootTime;

/// A pair with one process that runs on the Primary only and leaves a daemon, and one that always runs; both record. The
/// daemon wipes its environment, so only a control group can tell whose it is: where there is none, it is not started.
fn pair(more: &str) -> Group {
    let leaves = if require(Part::ControlGroups) { ", \"--daemon\"" } else { "" };
    let mut text = String::from(
        "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"3s\"\nboot_timeout = \"2s\"\nconnect_grace = \"1s\"\n",
    );
    for (name, when, daemon) in [("plant", "primary", leaves), ("helper", "always", "")] {
        writeln!(
            text,
            "[[process]]\nname = \"{name}\"\nrun_when = \"{when}\"\ncommand = [\"{}\", \"sample-process\", \"--record\", \
             \"{name}-{{member}}.record\"{daemon}]",
            support::binary()
        )
        .expect("a string grows");
    }
    text.push_str(more);
    Group::new(2, &text)
}

/// When a member's process acted, by its own record: boot time in nanoseconds.
fn acted(pair: &Group, process: &str, member: &str) -> Vec<u64> {
    support::recorded(&pair.folder().join(format!("{process}-{member}.record")))
}

fn last(pair: &Group, process: &str, member: &str) -> u64 {
    acted(pair, process, member).into_iter().max().unwrap_or(0)
}

fn first(pair: &Group, process: &str, member: &str) -> u64 {
    acted(pair, process, member).into_iter().min().unwrap_or(u64::MAX)
}

fn serves(status: &Status) -> bool {
    status.mode == Mode::Primary && status.serving && status.processes.iter().all(|one| one.pid.is_some())
}

/// Records that are still being written come from a process that still lives.
fn assert_silent(pair: &Group, process: &str, member: &str) {
    let until = last(pair, process, member);
    let started = std::time::Instant::now();
    support::wait_until(PATIENCE, "a while has passed", || started.elapsed() > Duration::from_millis(100));
    assert_eq!(last(pair, process, member), until, "{process} of {member} still acts");
}

#[test]
fn p1_p6_nothing_of_a_killed_primary_acts_when_the_other_does() {
    let mut pair = pair("");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair.wait(0, "alpha serves", serves);
    support::wait_until(PATIENCE, "both of it act", || acted(&pair, "plant", "alpha").len() > 50);
    let mut watch = pair.watch(1);
    let reference = Reference::start();
    let killed = BootTime::now().nanoseconds();
    pair.kill(0);
    let (beta, _) = watch.until(PATIENCE, "beta serves", serves);
    let bound = reference.cost().fair(Duration::from_millis(500));
    assert_eq!(beta.reason.rule, "peer_crashed");
    support::wait_until(PATIENCE, "it acts there", || !acted(&pair, "plant", "beta").is_empty());
    for process in ["plant", "helper"] {
        assert_silent(&pair, process, "alpha");
        let gone = Duration::from_nanos(last(&pair, process, "alpha").saturating_sub(killed));
        assert!(gone < bound, "{process} was gone {gone:?} after the controller, and not within {bound:?}");
    }
    let (ended, began) = (last(&pair, "plant", "alpha"), first(&pair, "plant", "beta"));
    assert!(ended < began, "both acted for {} ns", ended - began);
}

#[test]
fn p6_what_a_frozen_primary_runs_is_stopped_before_the_other_starts_its_own() {
    let mut pair = pair("");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair.wait(0, "alpha serves", serves);
    let mut watch = pair.watch(1);
    pair.signal(0, Signal::SIGSTOP);
    watch.until(PATIENCE, "beta serves", serves);
    support::wait_until(PATIENCE, "it acts there", || !acted(&pair, "plant", "beta").is_empty());
    let (ended, began) = (last(&pair, "plant", "alpha"), first(&pair, "plant", "beta"));
    assert!(ended < began, "both acted for {} ns", ended - began);
    // What always runs goes on meanwhile, and the controller hears of the other when it wakes up.
    support::wait_until(PATIENCE, "the helper acts still", || last(&pair, "helper", "alpha") > began);
    pair.signal(0, Signal::SIGCONT);
    let (alpha, _) = pair.wait(0, "alpha is Secondary and knows what happened", |status| {
        status.mode == Mode::Secondary
            && status.processes[0].state == ProcessState::Waits
            && status.events.iter().any(|event| event.text.starts_with("the guardian killed plant"))
    });
    assert!(alpha.processes[1].pid.is_some());
    assert_silent(&pair, "plant", "alpha");
}

#[test]
fn p2_n18_a_stopping_primary_hands_over_when_its_processes_have_stopped() {
    let mut pair = pair("");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair.wait(0, "alpha serves", serves);
    let mut watch = pair.watch(1);
    assert!(pair.stop(0).success());
    let (beta, _) = watch.until(PATIENCE, "beta serves", serves);
    assert_eq!(beta.reason.rule, "released");
    support::wait_until(PATIENCE, "it acts there", || !acted(&pair, "plant", "beta").is_empty());
    let (ended, began) = (last(&pair, "plant", "alpha"), first(&pair, "plant", "beta"));
    assert!(ended < began, "both acted for {} ns", ended - began);
    for process in ["plant", "helper"] {
        assert_silent(&pair, process, "alpha");
    }
}

#[test]
fn p2_u2_the_role_and_its_processes_move_by_hand() {
    let mut pair = pair("");
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair.wait(0, "alpha serves", serves);
    let outcome = pair.act(1, Action::TakeOver);
    assert!(matches!(&outcome, Outcome::Done { .. }), "{outcome:?}");
    pair.wait(1, "beta serves", serves);
    let (alpha, _) = pair.wait(0, "alpha's has stopped", |status| status.processes[0].state == ProcessState::Waits);
    assert!(alpha.processes[0].pid.is_none() && alpha.processes[1].pid.is_some());
    support::wait_until(PATIENCE, "it acts there", || !acted(&pair, "plant", "beta").is_empty());
    let (ended, began) = (last(&pair, "plant", "alpha"), first(&pair, "plant", "beta"));
    assert!(ended < began, "both acted for {} ns", ended - began);
    // A process by its name, as an operator stops, starts and restarts it.
    let before = pair.status(1).processes[0].pid;
    let outcome = pair.act(1, Action::RestartProcess { name: "plant".to_owned() });
    assert!(matches!(&outcome, Outcome::Done { text } if text.starts_with("plant is running, pid ")), "{outcome:?}");
    assert_ne!(pair.status(1).processes[0].pid, before);
    let outcome = pair.act(1, Action::StopProcess { name: "plant".to_owned() });
    assert!(matches!(&outcome, Outcome::Done { text } if text.starts_with("plant has stopped")), "{outcome:?}");
    assert_silent(&pair, "plant", "beta");
    assert_eq!(pair.status(1).processes[0].state, ProcessState::Stopped);
}

#[test]
fn p1_after_guardian_and_controller_are_killed_at_once_the_next_start_clears_what_is_left() {
    if !require(Part::ControlGroups) {
        return;
    }
    let mut pair = pair("");
    pair.start(0);
    pair.wait(0, "alpha serves", serves);
    let controller = pair.running(0).pid();
    let guardian = guardian_of(controller);
    support::wait_until(PATIENCE, "both of it act", || acted(&pair, "plant", "alpha").len() > 50);
    let mut before = BTreeSet::new();
    // While a program is being executed nobody can say what it is.
    support::wait_until(PATIENCE, "the process and its daemon are seen", || {
        before = recording(&pair, "plant-alpha.record");
        before.len() >= 2
    });
    pair.signal(0, Signal::SIGSTOP);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guardian), Signal::SIGKILL).expect("it runs");
    pair.kill(0);
    // It holds the addresses as long as it lives.
    support::wait_until(PATIENCE, "the guardian is gone", || !support::lives(guardian));
    // The kernel ended what the guardian had started. What had left is cleared by the next start, before it starts its own.
    pair.start(0);
    pair.wait(0, "alpha serves again", serves);
    let left: Vec<_> = recording(&pair, "plant-alpha.record").intersection(&before).copied().collect();
    assert!(left.is_empty(), "these ran before and live still (pid, start time): {left:?}");
    assert_ne!(guardian_of(pair.running(0).pid()), guardian);
}

#[test]
fn the_controller_and_its_guardian_are_listed_by_their_name() {
    let mut pair = pair("");
    pair.start(0);
    let controller = pair.running(0).pid();
    pair.wait(0, "alpha serves", serves);
    for pid in [controller, guardian_of(controller)] {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it runs");
        assert_eq!(read("comm").trim(), "tandem");
        let program = read("cmdline").split('\0').next().unwrap_or_default().to_owned();
        assert!(program.ends_with("tandem"), "{program}");
    }
}

#[test]
fn p6_a_stopped_guardian_goes_on_when_its_controller_is_killed() {
    let mut pair = pair("");
    pair.start(0);
    pair.wait(0, "alpha serves", serves);
    let guardian = guardian_of(pair.running(0).pid());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guardian), Signal::SIGSTOP).expect("it runs");
    pair.kill(0);
    support::wait_until(PATIENCE, "the guardian has ended everything, and itself", || !support::lives(guardian));
    for process in ["plant", "helper"] {
        assert_silent(&pair, process, "alpha");
    }
}

/// The processes that write this record, by pid and start time: a pid alone may be another's by now. While the process
/// starts its daemon there are more than two, because `setsid` names the record too.
fn recording(pair: &Group, name: &str) -> BTreeSet<(i32, u64)> {
    let folder = pair.folder().canonicalize().expect("it is there");
    let identity = |pid: i32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let here = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
        // The command, in brackets, may hold blanks; the start time is the twentieth number after it.
        let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        (here && line.contains(name)).then_some((pid, started))
    };
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    all.filter_map(|entry| identity(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn guardian_of(controller: i32) -> i32 {
    let children = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let is_guardian = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("\0guardian\0"))
    };
    children(controller).split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_guardian).expect("a guardian")
}

#[test]
fn without_processes_there_is_no_guardian() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    pair.settle();
    for member in 0..2 {
        let pid = pair.running(member).pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
        assert_eq!(children.trim(), "", "{member} has children");
    }
}

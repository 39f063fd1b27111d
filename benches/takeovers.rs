//! The figures of takeovers with required processes, on real processes over loopback (H5, P1, P6, S2).
//!
//! `cargo bench --bench takeovers` prints all; `cargo bench --bench takeovers -- agreed killed` only some. What processes
//! themselves record decides when they acted.

#[path = "../tests/support/group.rs"]
mod group;
#[path = "support/measured.rs"]
mod measured;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use measured::{ms, print};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tandem::control::plan::Action;
use tandem::control::request::Request;
use tandem::control::status::{Mode, Status};
use tandem::journal::Entry;
use tandem::negotiation::decision::Rule;
use tandem::process::BootTime;

const RUNS: usize = 20;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let all: [(&str, fn()); 5] =
        [("agreed", agreed), ("killed", killed), ("sigkill", sigkill), ("agent", agent), ("idle", idle)];
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure();
        }
    }
}

/// A pair with default times; `plant` runs on the Primary, two more always; each beats once a second, and records.
fn pair(options: &str, more: &str) -> Group {
    let mut text = String::new();
    for (name, when) in [("plant", "primary"), ("historian", "always"), ("gateway", "always")] {
        write!(
            text,
            "[[process]]\nname = \"{name}\"\nrun_when = \"{when}\"\ncommand = [\"{}\", \"sample-process\", \"--line\", \
             \"--control\", \"{name}-{{member}}.control\"{options}]\nheartbeat = {{ kind = \"line\", period = \"1s\" }}\n",
            support::binary()
        )
        .expect("a string grows");
    }
    let mut pair = Group::new(2, &(text + more));
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    for member in 0..2 {
        pair.wait(member, "its processes answer", |status| {
            let wanted = |at: usize| at != 0 || member == 0;
            let answers = |(at, one): (usize, &_)| -> bool {
                let one: &tandem::control::status::Process = one;
                !wanted(at) || one.response_ms.is_some()
            };
            status.processes.iter().enumerate().all(answers)
        });
    }
    pair
}

const RECORD: &str = ", \"--record\", \"{member}.record\"";

/// When a member's processes acted, by their own records: boot time in nanoseconds.
fn acted(pair: &Group, member: &str) -> Vec<u64> {
    support::recorded(&pair.folder().join(format!("{member}.record")))
}

/// When something stood last in beta's journal, in milliseconds.
fn journalled(pair: &Group, what: &str, wanted: impl Fn(&Entry) -> bool) -> u64 {
    let mut at = None;
    support::wait_until(PATIENCE, what, || {
        at = pair.journal(1).iter().rfind(|record| wanted(&record.entry)).map(|record| record.boot_ms);
        at.is_some()
    });
    at.expect("wait_until saw it")
}

fn is_primary(status: &Status) -> bool {
    status.mode == Mode::Primary
}

/// Killed for good, at a moment that wanders through the query interval: until the peer is Primary, and of that from the
/// reply which confirmed the low score. The journals' clocks count whole milliseconds.
fn agreed() {
    let (mut beyond, mut stopping) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let pair = pair("", "");
        let mut watch = pair.watch(1);
        // Not the plant, so that it has to be stopped.
        dead_for_good(&pair, "historian", run);
        watch.until(PATIENCE, "beta is Primary", is_primary);
        let asked = journalled(&pair, "asked", |entry| entry.kind() == "health_takeover_asked");
        let primary = journalled(&pair, "taken over", |entry| match entry {
            Entry::Decision(decision) => matches!(decision.rule, Rule::TookOverForHealth { .. }),
            _ => false,
        });
        let alpha = pair.status(0);
        let stop = alpha.events.iter().find_map(|event| {
            let took = event.text.strip_prefix("plant has stopped, after ")?;
            took.split(' ').next()?.parse::<f64>().ok()
        });
        stopping.push(stop.unwrap_or(0.0));
        beyond.push(primary.saturating_sub(asked) as f64 - stop.unwrap_or(0.0));
    }
    print("the reply that confirms the low score -> Primary, beyond the stop time", "ms", beyond);
    print("  the process took to stop", "ms", stopping);
}

/// A process of alpha ends, at each start too.
fn dead_for_good(pair: &Group, process: &str, run: usize) -> Instant {
    std::thread::sleep(Duration::from_millis((run as u64 * 137) % 1000));
    support::write(pair.folder(), &format!("{process}-alpha.control"), "end 1\n");
    Instant::now()
}

fn killed() {
    let mut values = Vec::new();
    let mut rules = Vec::new();
    for run in 0..RUNS {
        let pair = pair("", "");
        let (mut alpha, mut beta) = (pair.watch(0), pair.watch(1));
        let from = dead_for_good(&pair, "plant", run);
        let (_, low) = alpha.until(PATIENCE, "alpha's score is low", |status| {
            status.health.total < status.health.threshold || status.mode == Mode::Secondary
        });
        let (_, at) = beta.until(PATIENCE, "beta is Primary", is_primary);
        values.push(ms(at - from));
        rules.push(ms(low - from));
    }
    print("a required process killed for good -> the peer is Primary", "ms", values);
    print("  of that until the score is low (the restart's delay, and its failure)", "ms", rules);
    println!("  the rules' own time besides: 2 confirmations at 1 s, 1 to 2 s");
}

/// tandem killed with SIGKILL: when its processes and what they left in a session of its own last acted, and when the
/// new Primary's first did.
fn sigkill() {
    let (mut gone, mut between) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let options = RECORD.to_owned() + ", \"--daemon\"";
        let mut pair = pair(&options, "");
        let mut watch = pair.watch(1);
        std::thread::sleep(Duration::from_millis((run as u64 * 7) % 50));
        let from = BootTime::now().nanoseconds();
        pair.kill(0);
        watch.until(PATIENCE, "beta serves", |status| is_primary(status) && status.serving);
        // Only the plant's lines on beta tell of the new Primary: they carry its term, which what always runs has not.
        std::thread::sleep(Duration::from_millis(200));
        let ended = acted(&pair, "alpha").into_iter().max().expect("it acted");
        gone.push(ended.saturating_sub(from) as f64 / 1e6);
        let term = watch.until(PATIENCE, "its term", is_primary).0.term.to_string();
        let text = std::fs::read_to_string(pair.folder().join("beta.record")).unwrap_or_default();
        let began = text
            .lines()
            .filter(|line| line.split(' ').nth(1) == Some(&term))
            .filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok())
            .min()
            .expect("beta's plant acts");
        between.push((began as f64 - ended as f64) / 1e6);
    }
    print("tandem killed with SIGKILL -> its processes and their daemons act no more", "ms", gone);
    print("  from then until the new Primary's acts (below 0: both acted)", "ms", between);
}

/// An agent that hangs, and its child: when the attempt is given up, and whether the group is gone.
fn agent() {
    let script = "#!/bin/sh\necho $$ >\"$(dirname \"$0\")/agent.pid\"\nsleep 300 &\necho $! >\"$(dirname \"$0\")/child.pid\"\nwait\n";
    let mut late = Vec::new();
    let more = "[fence.alpha]\ncommand = [\"./hangs\", \"{action}\"]\ntimeout = \"2s\"\nattempts = 1\nmonitor = \"0s\"\n\
                [fence.beta]\ncommand = [\"./hangs\", \"{action}\"]\nmonitor = \"0s\"\n";
    for _ in 0..5 {
        let mut pair = Group::new(2, more);
        let path = support::write(pair.folder(), "hangs", script);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("it is ours");
        pair.start_all();
        assert_eq!(pair.settle(), 0);
        let mut watch = pair.watch(1);
        let mut client = pair.client(1);
        let action = Action::Fence { peer: "alpha".to_owned() };
        let tandem::control::request::Reply::Plan(plan) =
            client.ask(&Request::Open { action }, PATIENCE).expect("a plan")
        else {
            panic!("no plan")
        };
        let confirm = Request::Confirm { plan: plan.number, force: plan.force_by_typing.clone() };
        client.send(&confirm).expect("confirmed");
        let (_, _) = watch.until(PATIENCE, "it has ended", |status| {
            status.fencing[0].last.is_some() && status.fencing[0].under_way.is_none()
        });
        let status = pair.status(1);
        let took = status.fencing[0].last.as_ref().expect("it ended").took_ms;
        late.push(took as f64 - 2000.0);
        for name in ["agent.pid", "child.pid"] {
            let pid = std::fs::read_to_string(pair.folder().join(name)).expect("it ran");
            let pid = Pid::from_raw(pid.trim().parse().expect("a pid"));
            support::wait_until(PATIENCE, "its process group is gone", || kill(pid, None::<Signal>).is_err());
        }
    }
    print("a fence agent that hangs is given up, beyond its timeout of 2 s", "ms", late);
}

fn guardian_of(controller: i32) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/{controller}/task/{controller}/children")).unwrap_or_default();
    let is_guardian = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("\0guardian\0"))
    };
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_guardian).expect("a guardian")
}

fn idle() {
    let mut pair = pair("", "");
    std::thread::sleep(Duration::from_secs(2));
    let [primary, secondary] = [0, 1].map(|member| pair.running(member).pid());
    measured::print_idle_minute(&[
        ("idle with 3 processes each, Primary", primary),
        ("idle with 3 processes each,   its guardian", guardian_of(primary)),
        ("idle with 3 processes each, Secondary", secondary),
        ("idle with 3 processes each,   its guardian", guardian_of(secondary)),
    ]);
}

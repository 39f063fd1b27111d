//! The seed's three manual tests of the health, with real controllers and real processes (H9): a process that is killed
//! again and again, one that is kept dead, one that leaks memory. Each ends in a takeover by the peer (H5), and with
//! `fencing.always` in a confirmed fence (S2). Two that are both sick change nothing.

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use group::{Group, NAMES, PATIENCE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tandem::control::status::{FenceResult, Mode, Status};

/// Whether the loser is switched off also when it hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fencing {
    WhenItDoesNotAnswer,
    Always,
}

/// A plain command that switches a member off by killing its controller, as a chassis does: what the controller ran goes
/// with it.
const POWER: &str = r#"#!/bin/sh
pid=$(cat "$(dirname "$0")/$1.pid")
case $2 in
    off) kill -KILL "$pid" ;;
    status) grep -q '^State:.[^ZX]' "/proc/$pid/status" 2>/dev/null && exit 0 || exit 2 ;;
    *) exit 1 ;;
esac
"#;

/// A pair that asks and measures ten times as often as by default; `plant` runs on the Primary, `helper` on both. Each
/// does what the file PROCESS-MEMBER.control says, and records when it acts.
fn pair(fencing: Fencing) -> Group {
    let mut text = String::from(
        "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"3s\"\nboot_timeout = \"2s\"\nconnect_grace = \"1s\"\n\
         [health]\nsample = \"100ms\"\nmemory_base = \"512MiB\"\n",
    );
    for (name, when) in [("plant", "primary"), ("helper", "always")] {
        write!(
            text,
            "[[process]]\nname = \"{name}\"\nrun_when = \"{when}\"\n\
             command = [\"{}\", \"sample-process\", \"--line\", \"--record\", \"{name}-{{member}}.record\", \
             \"--control\", \"{name}-{{member}}.control\"]\n\
             heartbeat = {{ kind = \"line\", period = \"200ms\" }}\n\
             restart = {{ delay = \"20ms\", max_delay = \"50ms\", burst = 1000, within = \"1m\" }}\n",
            support::binary()
        )
        .expect("a string grows");
    }
    for name in &NAMES[..2] {
        write!(text, "[fence.{name}]\ncommand = [\"./power\", \"{name}\", \"{{action}}\"]\ndelay = \"100ms\"\n")
            .expect("a string grows");
    }
    if fencing == Fencing::Always {
        text.push_str("[fencing]\nalways = true\n");
    }
    let mut pair = Group::new(2, &text);
    let power = support::write(pair.folder(), "power", POWER);
    std::fs::set_permissions(&power, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    for (member, name) in NAMES.iter().enumerate().take(2) {
        support::write(pair.folder(), &format!("{name}.pid"), "0\n");
        pair.start(member);
        let pid = pair.running(member).pid();
        support::write(pair.folder(), &format!("{name}.pid"), &format!("{pid}\n"));
        // The first listens before the other calls, however slow the machine is.
        pair.client(member);
    }
    assert_eq!(pair.settle(), 0);
    for member in 0..2 {
        pair.wait(member, "both are healthy and alpha serves", |status| {
            let runs = |at: usize| status.processes[at].pid.is_some() && status.processes[at].response_ms.is_some();
            let other = status.peers[0].score.is_some_and(|score| score > 0.9);
            status.health.total > 0.9 && other && runs(1) && (member == 1 || (status.serving && runs(0)))
        });
    }
    pair
}

/// Tells a member's process how to misbehave.
fn tell(pair: &Group, process: &str, member: &str, what: &str) {
    support::write(pair.folder(), &format!("{process}-{member}.control"), what);
}

/// When a member's process acted, by its own record: boot time in nanoseconds.
fn acted(pair: &Group, process: &str, member: &str) -> Vec<u64> {
    support::recorded(&pair.folder().join(format!("{process}-{member}.record")))
}

/// Beta has taken over because alpha is sick; alpha's plant had stopped before beta's started, and with
/// `fencing.always` alpha is off.
fn assert_taken_over(pair: &mut Group, fencing: Fencing) {
    // Its own processes may be late for a moment on a busy machine.
    let (beta, _) = pair.wait(1, "beta serves, and is fit", |status| {
        status.mode == Mode::Primary && status.serving && status.health.total >= status.health.threshold
    });
    assert_eq!((beta.reason.rule.as_str(), beta.reason.clause.as_str()), ("took_over_for_health", "H5"));
    support::wait_until(PATIENCE, "beta's plant acts", || !acted(pair, "plant", "beta").is_empty());
    let ended = acted(pair, "plant", "alpha").into_iter().max().expect("it acted");
    let began = acted(pair, "plant", "beta").into_iter().min().expect("it acts");
    assert!(ended < began, "both acted for {} ns", ended - began);
    match fencing {
        Fencing::Always => {
            let (beta, _) = pair.wait(1, "alpha is off", |status| {
                status.fencing[0].last.as_ref().is_some_and(|last| last.result == FenceResult::Off)
            });
            assert_eq!(beta.fencing[0].peer, "alpha");
            assert!(!pair.running(0).wait(PATIENCE).success(), "it was killed");
            pair.wait(1, "nobody contradicts", |status| {
                status.mode == Mode::Primary && !status.fencing[0].lied && status.peers[0].gone.is_some()
            });
        }
        Fencing::WhenItDoesNotAnswer => {
            let (alpha, _) = pair.wait(0, "alpha stands by", |status| status.mode == Mode::Secondary);
            assert!(alpha.fencing[0].last.is_none() && beta.fencing[0].last.is_none(), "nobody was switched off");
            assert_eq!(alpha.able.level, 1, "who lost the role for its health is a lesser candidate: {:?}", alpha.able);
        }
    }
}

/// H5, H1: what the status JSON says, as scripts read it.
fn json(pair: &Group, member: usize) -> serde_json::Value {
    let socket = pair.socket(member).display().to_string();
    let output = support::output(&["--socket", &socket, "status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", support::stderr(&output)))
}

/// Kills the plant of alpha each time that it runs, until alpha gives the role away; it may be off before it says so.
fn kill_repeatedly(pair: &Group) {
    let (mut alpha, mut killed) = (pair.watch(0), None);
    // As often as it takes; a slow machine takes its time to start it each time.
    for _ in 0..200 {
        let mut runs = None;
        alpha.until_or_its_end(PATIENCE, "its plant runs anew, or alpha has given the role away", |status| {
            let primary = status.mode == Mode::Primary;
            runs = status.processes[0].pid.filter(|pid| killed != Some(*pid) && primary);
            runs.is_some() || !primary
        });
        let Some(pid) = runs else { return };
        killed = runs;
        // It may have been told to stop just now.
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    }
    panic!("killed 200 times, alpha is Primary still");
}

fn sub<'a>(status: &'a Status, name: &str) -> &'a tandem::control::status::SubHealth {
    status.health.sub.iter().find(|sub| sub.name == name).unwrap_or_else(|| panic!("no {name}: {:?}", status.health))
}

#[test]
fn h9_a_process_that_is_killed_again_and_again_ends_in_a_takeover() {
    let mut pair = pair(Fencing::WhenItDoesNotAnswer);
    kill_repeatedly(&pair);
    assert_taken_over(&mut pair, Fencing::WhenItDoesNotAnswer);
    let alpha = pair.status(0);
    assert!(sub(&alpha, "restarts").status < 1.0, "{:?}", alpha.health);
}

#[test]
fn h9_s2_a_process_that_is_killed_again_and_again_ends_in_a_confirmed_fence() {
    let mut pair = pair(Fencing::Always);
    kill_repeatedly(&pair);
    assert_taken_over(&mut pair, Fencing::Always);
}

#[test]
fn h9_h6_a_process_that_is_kept_dead_ends_in_a_takeover() {
    let mut pair = pair(Fencing::WhenItDoesNotAnswer);
    let before = json(&pair, 1);
    assert!(before["peers"][0]["score"].as_f64().expect("a score") > 0.9, "{before}");
    tell(&pair, "helper", "alpha", "end 1\n");
    assert_taken_over(&mut pair, Fencing::WhenItDoesNotAnswer);
    let (beta, _) = pair.wait(1, "beta is well and knows how sick alpha is", |status| {
        status.health.total > 0.9 && status.peers[0].score.is_some_and(|score| score < status.health.threshold)
    });
    let alpha = json(&pair, 0);
    let total = alpha["health"]["total"].as_f64().expect("a total");
    assert!(total < 0.75, "{alpha}");
    assert_eq!(alpha["health"]["sub"][1]["status"], 0.0, "{alpha}");
    // Well again, it gets nothing back by itself (S6).
    let term = beta.term;
    tell(&pair, "helper", "alpha", "");
    pair.wait(0, "alpha's helper answers again", |status| status.processes[1].response_ms.is_some());
    let beta = pair.status(1);
    assert_eq!((beta.mode, beta.term), (Mode::Primary, term));
}

#[test]
fn h9_s2_a_process_that_is_kept_dead_ends_in_a_confirmed_fence() {
    let mut pair = pair(Fencing::Always);
    tell(&pair, "plant", "alpha", "end 1\n");
    assert_taken_over(&mut pair, Fencing::Always);
}

#[test]
fn h9_h4_a_process_that_leaks_memory_ends_in_a_takeover() {
    let mut pair = pair(Fencing::WhenItDoesNotAnswer);
    let mut alpha = pair.watch(0);
    tell(&pair, "plant", "alpha", "leak 60MiB\n");
    let (alpha, _) = alpha.until(PATIENCE, "it shows in the score", |status| {
        sub(status, "memory").status < 0.9 && status.processes[0].memory_pct.is_some_and(|percent| percent > 2.0)
    });
    assert!(sub(&alpha, "memory").measured > 2.0, "{:?}", alpha.health);
    assert_taken_over(&mut pair, Fencing::WhenItDoesNotAnswer);
}

#[test]
fn h9_s2_a_process_that_leaks_memory_ends_in_a_confirmed_fence() {
    let mut pair = pair(Fencing::Always);
    tell(&pair, "helper", "alpha", "leak 60MiB\n");
    assert_taken_over(&mut pair, Fencing::Always);
}

#[test]
fn h5_two_that_are_both_sick_change_nothing() {
    let pair = pair(Fencing::Always);
    let term = pair.status(0).term;
    // Beta first, so that it is never the fit one of the two.
    tell(&pair, "helper", "beta", "end 1\n");
    pair.wait(1, "beta is sick", |status| status.health.total < status.health.threshold);
    tell(&pair, "helper", "alpha", "end 1\n");
    for member in 0..2 {
        pair.wait(member, "both being sick is one alarm", |status| {
            status.health.total < status.health.threshold
                && status.peers[0].score.is_some_and(|score| score < status.health.threshold)
                && status.alarms.iter().any(|alarm| alarm.id == "both_unhealthy")
        });
    }
    // Many times as many answers as it takes to confirm a low score.
    let asked = |status: &Status| status.peers[0].replies.iter().map(|reply| reply.query).max().unwrap_or(0);
    let before = asked(&pair.status(1));
    pair.wait(1, "twenty more answers", |status| asked(status) >= before + 20);
    let (alpha, beta) = (pair.status(0), pair.status(1));
    assert_eq!((alpha.mode, alpha.term), (Mode::Primary, term));
    assert_eq!(beta.mode, Mode::Secondary);
    assert!(alpha.fencing[0].last.is_none() && beta.fencing[0].last.is_none(), "nobody was switched off");
}

/// A file of config/ in a pair's folder, with addresses of the test's own and the program under test.
fn example(name: &str) -> Group {
    let mut pair = Group::new(2, "");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    let mut text = std::fs::read_to_string(path).expect("an example");
    for (written, own) in ["127.0.0.1:7400", "127.0.0.2:7400"].iter().zip(&pair.addresses) {
        text = text.replace(written, &own.to_string());
    }
    text = text.replace("[\"tandem\",", &format!("[\"{}\",", support::binary()));
    // Its fence knows a member by its command line: with the whole path, so that it kills nobody of another run.
    let path = pair.folder().join(name).display().to_string();
    text = text.replace(&format!("{name} --as"), &format!("{path} --as"));
    let file = support::write(pair.folder(), name, &text);
    let checked = support::output(&["check", "--as", "alpha", &file.display().to_string()]);
    assert!(checked.status.success(), "{}", support::stderr(&checked));
    for member in 0..2 {
        pair.use_config(member, file.clone());
    }
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair.wait(0, "alpha serves", |status| status.serving && status.processes[0].response_ms.is_some());
    pair
}

/// As config/TRY-BY-HAND.md tells it: the takeover, and then the fence.
fn ends_as_by_hand(mut pair: Group) {
    let (beta, _) = pair.wait(1, "beta serves and alpha is off", |status| {
        let off = status.fencing[0].last.as_ref().is_some_and(|last| last.result == FenceResult::Off);
        status.mode == Mode::Primary && status.serving && off
    });
    assert_eq!(beta.reason.rule, "took_over_for_health");
    assert!(!pair.running(0).wait(PATIENCE).success(), "it was killed");
}

#[test]
fn h9_by_hand_killed_again_and_again() {
    if !support::require(support::Part::Pkill) {
        return;
    }
    let pair = example("repeated-kills.toml");
    kill_repeatedly(&pair);
    ends_as_by_hand(pair);
}

#[test]
fn h9_by_hand_kept_dead() {
    if !support::require(support::Part::Pkill) {
        return;
    }
    let pair = example("kept-dead.toml");
    support::write(pair.folder(), "alpha.plant", "end 1\n");
    ends_as_by_hand(pair);
}

#[test]
fn h9_by_hand_a_leak() {
    if !support::require(support::Part::Pkill) {
        return;
    }
    let pair = example("memory-leak.toml");
    support::write(pair.folder(), "alpha.plant", "leak 20MiB\n");
    ends_as_by_hand(pair);
}

#[test]
fn p3_an_unmodified_web_server_is_supervised_and_moves_with_the_role() {
    if !support::require(support::Part::Python) {
        return;
    }
    let web = support::addresses(1)[0];
    let (ip, port) = (web.ip(), web.port());
    let mut pair = Group::new(
        2,
        &format!(
            "[[process]]\nname = \"web\"\nrun_when = \"primary\"\n\
             command = [\"python3\", \"-m\", \"http.server\", \"{port}\", \"--bind\", \"{ip}\"]\n\
             heartbeat = {{ kind = \"http\", target = \"http://{web}/\", period = \"1s\" }}\n"
        ),
    );
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let serves = |status: &Status| status.serving && status.processes[0].response_ms.is_some();
    pair.wait(0, "alpha's answers", serves);
    assert!(pair.stop(0).success());
    let (beta, _) = pair.wait(1, "beta's answers on the same port", serves);
    assert_eq!(beta.mode, Mode::Primary);
}

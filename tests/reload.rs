//! `tandem reload` as operators run it: what is applied, what is named, and that a faulty file changes nothing (U10).

#[path = "support/group.rs"]
mod group;
mod support;

use std::net::TcpStream;
use std::process::Output;
use std::time::Duration;

use group::{Group, NAMES, PATIENCE};
use nix::sys::signal::Signal;
use support::{addresses, lives, output, stderr, stdout, wait_until, write};
use tandem::control::status::{LinkState, Mode};
use tandem::journal::{Entry, Tape};
use tandem::negotiation::exchange::Input;

/// Has `member` read its configuration again.
fn reload(group: &Group, member: usize) -> Output {
    output(&["reload", "--socket", &group.socket(member).display().to_string()])
}

/// The same, which must succeed; returns what was printed.
fn reloaded(group: &Group, member: usize) -> String {
    let output = reload(group, member);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// The same, which must be refused; returns what was said.
fn refused(group: &Group, member: usize) -> String {
    let output = reload(group, member);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{}", stderr(&output));
    stderr(&output)
}

/// A pair that runs, each member with a file of its own.
fn pair() -> Group {
    let mut group = Group::new(2, "");
    for member in 0..2 {
        group.change_config(member, |text| text);
    }
    group.start_all();
    assert_eq!(group.settle(), 0);
    group
}

/// Appends `more` to a member's file, as it was at first.
fn change(group: &mut Group, member: usize, more: &str) {
    group.change_config(member, |text| text + more);
}

#[test]
fn u10_what_can_change_is_applied_and_what_needs_a_restart_is_named_with_its_reason() {
    let mut group = pair();
    change(
        &mut group,
        0,
        "[takeover]\nthreshold = 0.5\nmargin = 0.1\n[negotiation]\nreply_timeout = \"4s\"\n[journal]\nkeep = \"1MiB\"\n",
    );
    let before = group.status(0);
    let said = reloaded(&group, 0);
    let (applied, waiting) = said.split_once("needs a restart").expect("both lists");
    for key in ["takeover.threshold", "takeover.margin", "journal.keep"] {
        assert!(applied.contains(key) && !waiting.contains(key), "{said}");
    }
    assert!(waiting.contains("negotiation.reply_timeout") && waiting.contains("promises"), "{said}");
    let after = group.status(0);
    assert_eq!((before.health.threshold, after.health.threshold), (0.75, 0.5));
    assert_eq!((after.reply_timeout_ms, after.mode, after.term), (3000, Mode::Primary, before.term));
    // What was applied is no news any more; what waits still is.
    let again = reloaded(&group, 0);
    assert!(!again.contains("takeover.threshold") && again.contains("negotiation.reply_timeout"), "{again}");
    let told = |entry: &Entry| {
        matches!(entry, Entry::Action { what, outcome, .. }
            if what.starts_with("reload ") && outcome.contains("a restart is needed for negotiation.reply_timeout"))
    };
    // The journal is written beside the loop, and may come a moment after the answer.
    wait_until(PATIENCE, "it is journalled", || group.journal(0).iter().any(|record| told(&record.entry)));
}

#[test]
fn u10_an_unchanged_file_is_said_to_be_one() {
    let group = pair();
    assert!(reloaded(&group, 0).contains("nothing has changed"));
}

#[test]
fn u10_a_faulty_file_changes_nothing_and_names_every_fault_with_its_place() {
    let mut group = pair();
    change(&mut group, 0, "[takeover]\nthreshold = 0.5\nmargn = 0.1\n[[process]]\nname = \"p\"\n");
    let said = refused(&group, 0);
    assert!(said.contains("alpha changed nothing") && said.contains("did you mean `margin`?"), "{said}");
    assert!(said.contains("alpha.toml:16:1: ") && said.contains("has no `command`"), "{said}");
    // Also what only this machine can tell.
    change(&mut group, 0, "[takeover]\nthreshold = 0.5\n[[process]]\nname = \"p\"\ncommand = [\"/nonexistent/p\"]\n");
    assert!(refused(&group, 0).contains("there is no program /nonexistent/p"));
    change(&mut group, 0, "[takeover]\nthreshold = 0.5\n[fence.beta]\nagent = \"/etc/passwd\"\n");
    assert!(refused(&group, 0).contains("/etc/passwd"));
    std::fs::remove_file(group.folder().join("alpha.toml")).expect("it was there");
    assert!(refused(&group, 0).contains("cannot read the configuration"));
    assert_eq!(group.status(0).health.threshold, 0.75);
}

#[test]
fn u10_a_file_without_this_member_is_refused() {
    let mut group = pair();
    group.change_config(0, |text| text.replace("\"alpha\"", "\"omega\""));
    assert!(refused(&group, 0).contains("no member is called \"alpha\""));
}

#[test]
fn u10_metrics_move_and_an_address_that_cannot_be_had_leaves_everything_as_it_was() {
    let mut group = pair();
    let [first, second] = addresses(2)[..] else { panic!("two were asked for") };
    change(&mut group, 0, &format!("[metrics]\nlisten = \"{first}\"\n"));
    assert!(reloaded(&group, 0).contains("metrics.listen"));
    assert!(TcpStream::connect(first).is_ok());
    change(&mut group, 0, &format!("[metrics]\nlisten = \"{second}\"\n"));
    reloaded(&group, 0);
    assert!(TcpStream::connect(second).is_ok());
    wait_until(PATIENCE, "the old address is free", || TcpStream::connect(first).is_err());

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it is bound");
    change(&mut group, 0, &format!("[metrics]\nlisten = \"{address}\"\n[takeover]\nthreshold = 0.5\n"));
    assert!(refused(&group, 0).contains(&address.to_string()));
    assert_eq!(group.status(0).health.threshold, 0.75);
    assert!(TcpStream::connect(second).is_ok());
}

#[test]
fn u10_h7_checks_weights_and_memory_count_as_the_changed_file_says() {
    let mut group = pair();
    assert_eq!(group.status(0).health.total, 1.0);
    let silent = addresses(1)[0];
    let check = |weight: &str| {
        format!(
            "[[health.check]]\nname = \"historian\"\nkind = \"tcp\"\ntarget = \"{silent}\"\nperiod = \"50ms\"\n\
             timeout = \"50ms\"\nfall = 1\nweight = {weight}\n"
        )
    };
    change(&mut group, 0, &check("9.0"));
    assert!(reloaded(&group, 0).contains("health.check.historian.weight"));
    group.wait(0, "the new check has failed", |status| status.health.total < 0.2);
    // It keeps its standing over a change of what it weighs.
    change(&mut group, 0, &check("1.0"));
    reloaded(&group, 0);
    let total = group.status(0).health.total;
    assert!((total - 0.5).abs() < 0.01, "{total}");
    // The first process brings the sampler with it.
    let process = "[[process]]\nname = \"plant\"\ncommand = [\"sleep\", \"600\"]\n";
    change(&mut group, 0, &format!("[health]\nmemory_base = \"1MiB\"\nsample = \"50ms\"\n{process}"));
    reloaded(&group, 0);
    let (status, _) = group.wait(0, "memory is measured", |status| status.health.sub[2].measured > 20.0);
    assert_eq!((status.health.sub.len(), status.health.sub[2].status), (3, 0.0));
    change(&mut group, 0, &format!("[health]\nsample = \"50ms\"\n{process}"));
    reloaded(&group, 0);
    group.wait(0, "memory is per cent of the machine's again", |status| status.health.total == 1.0);
}

#[test]
fn s8_keys_rotate_without_an_outage() {
    let mut group = pair();
    let new = group.folder().join("new.key");
    assert!(output(&["keygen", &new.display().to_string()]).status.success());
    let with = |group: &mut Group, keys: &str| {
        for member in 0..2 {
            group.change_config(member, |text| text.replace("key_file = \"group.key\"", keys));
            assert!(reloaded(group, member).contains("security."), "{keys}");
        }
    };
    let term = group.status(0).term;
    with(&mut group, "key_file = \"group.key\"\nalso_accept = [\"new.key\"]");
    with(&mut group, "key_file = \"new.key\"\nalso_accept = [\"group.key\"]");
    with(&mut group, "key_file = \"new.key\"");
    let status = group.status(0);
    assert_eq!((status.mode, status.term), (Mode::Primary, term));
    assert!(status.links.iter().all(|link| link.state == LinkState::Up && link.reconnects == 0), "{:?}", status.links);
    // Who comes from now on has the new key, and is let in by it.
    group.kill(1);
    group.start(1);
    let up = |status: &tandem::control::status::Status| status.links.iter().any(|link| link.state == LinkState::Up);
    group.wait(1, "beta is connected with the new key", up);
    // The old key alone is not let in any more.
    group.kill(1);
    group.change_config(1, |text| text);
    group.start(1);
    group.wait(0, "the old key is refused", |status| status.rejected.iter().any(|one| one.kind == "wrong_key"));
}

#[test]
fn s8_a_key_with_other_content_under_the_same_name_is_read_again() {
    let group = pair();
    let key = group.folder().join("group.key");
    std::fs::remove_file(&key).expect("it was there");
    assert!(refused(&group, 0).contains("tandem keygen"));
    assert!(output(&["keygen", &key.display().to_string()]).status.success());
    let said = reloaded(&group, 0);
    assert!(said.contains("security.key_file") && said.contains("read again"), "{said}");
}

#[test]
fn s2_another_fence_is_used_from_then_on() {
    let mut group = pair();
    assert!(group.status(0).fencing.is_empty());
    let power = write(group.folder(), "power", "#!/bin/sh\nexit 0\n");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&power, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let fence =
        |monitor: &str| format!("[fence.beta]\ncommand = [\"./power\", \"{{action}}\"]\nmonitor = \"{monitor}\"\n");
    change(&mut group, 0, &fence("1m"));
    assert!(reloaded(&group, 0).contains("fence.beta.command"));
    let (status, _) = group.wait(0, "the device answers", |status| {
        status.fencing.iter().any(|fencing| fencing.device.as_ref().is_some_and(|device| device.answers))
    });
    assert_eq!((status.fencing[0].peer.as_str(), status.fencing[0].monitor_ms), (NAMES[1], Some(60_000)));
    change(&mut group, 0, &fence("0s"));
    assert!(reloaded(&group, 0).contains("fence.beta.monitor"));
    assert_eq!(group.status(0).fencing[0].monitor_ms, None);
    change(&mut group, 0, "");
    reloaded(&group, 0);
    assert!(group.status(0).fencing.is_empty());
    assert!(group.stop(0).success());
}

/// The pids of a member's processes that run, by name.
fn pids(group: &Group, member: usize) -> Vec<(String, u32)> {
    let status = group.status(member);
    status.processes.iter().filter_map(|process| Some((process.name.clone(), process.pid?))).collect()
}

#[test]
fn u10_of_the_processes_only_those_that_changed_restart_and_the_steps_are_named() {
    let mut group = Group::new(2, "");
    let process = |name: &str, seconds: u32, more: &str| {
        format!("[[process]]\nname = \"{name}\"\ncommand = [\"sleep\", \"{seconds}\"]\n{more}\n")
    };
    let before = process("same", 1001, "") + &process("changed", 1002, "") + &process("gone", 1003, "");
    change(&mut group, 0, &before);
    group.change_config(1, |text| text);
    group.start_all();
    group.settle();
    wait_until(PATIENCE, "all three run", || pids(&group, 0).len() == 3);
    let old = pids(&group, 0);

    let after = process("new", 1004, "run_when = \"primary\"")
        + &process("same", 1001, "stop_grace = \"1s\"\ntotal_health_score_weight = false")
        + &process("changed", 1002, "environment = { A = \"1\" }");
    change(&mut group, 0, &after);
    let said = reloaded(&group, 0);
    for (name, text) in [
        ("process.gone ", "stops: the file does not name it"),
        ("process.changed ", "restarts, for environment"),
        ("process.new ", "runs while this member is Primary"),
        ("process.same.stop_grace ", "from the next time on"),
        ("process.same.total_health_score_weight ", "at once"),
    ] {
        assert!(said.lines().any(|line| line.contains(name) && line.contains(text)), "{name}: {said}");
    }
    assert!(!said.contains("process.new.") && !said.contains("needs a restart"), "{said}");

    let pid = |pids: &[(String, u32)], name: &str| pids.iter().find(|(known, _)| known == name).map(|(_, pid)| *pid);
    wait_until(PATIENCE, "the steps are done", || {
        let now = pids(&group, 0);
        let changed = pid(&now, "changed");
        changed.is_some()
            && changed != pid(&old, "changed")
            && pid(&now, "new").is_some()
            && pid(&now, "gone").is_none()
    });
    let now = pids(&group, 0);
    assert_eq!(pid(&now, "same"), pid(&old, "same"), "what did not change was restarted");
    // Its process ends before all of it is known to be gone.
    let (status, _) = group.wait(0, "what the file does not name is forgotten", |status| {
        status.processes.iter().all(|process| process.name != "gone")
    });
    assert!(
        status.processes.iter().any(|process| process.name == "same" && !process.counts && process.stop_ms == 1000)
    );
    assert_eq!(status.mode, Mode::Primary);
    let gone = pid(&old, "gone").expect("it ran");
    assert!(!lives(gone.cast_signed()), "what is gone still runs");

    // Back again, and then none at all.
    change(&mut group, 0, &before);
    reloaded(&group, 0);
    wait_until(PATIENCE, "the first three run again", || {
        let now = pids(&group, 0);
        pid(&now, "gone").is_some() && pid(&now, "new").is_none() && now.len() == 3
    });
    change(&mut group, 0, "");
    reloaded(&group, 0);
    wait_until(PATIENCE, "nothing runs any more", || group.status(0).processes.is_empty());
    assert!(group.stop(0).success());
}

/// The stop times that a member has told its negotiation since it was started, as they were recorded.
fn stop_times(group: &Group, member: usize) -> Vec<Duration> {
    let Ok(tape) = Tape::open(&group.state(member)) else { return Vec::new() };
    let parts = tape.files.iter().filter_map(|file| Tape::load(file).ok());
    let facts = parts.flat_map(|part| part.facts);
    facts.filter_map(|fact| if let Input::StopTime { longest } = fact.input { Some(longest) } else { None }).collect()
}

/// It never shrank: a successor went on waiting for as long as the longest grace that any file had ever had.
#[test]
fn n18_u10_the_stop_time_that_is_told_shrinks_with_the_graces_once_nothing_has_the_longer_ones() {
    let mut group = pair();
    let process = |name: &str, seconds: u64| {
        format!(
            "[[process]]\nname = \"{name}\"\ncommand = [\"sleep\", \"1006\"]\nrun_when = \"primary\"\n\
             stop_grace = \"{seconds}s\"\n"
        )
    };
    change(&mut group, 0, &(process("a", 30) + &process("b", 20)));
    reloaded(&group, 0);
    wait_until(PATIENCE, "both run", || pids(&group, 0).len() == 2);
    change(&mut group, 0, &process("a", 2));
    reloaded(&group, 0);
    let wanted = [50, 2].map(Duration::from_secs);
    wait_until(PATIENCE, "the shorter time is told", || {
        let mut told = stop_times(&group, 0);
        told.dedup();
        told.ends_with(&wanted)
    });
    assert!(group.stop(0).success());
}

#[test]
fn u10_processes_may_come_to_a_controller_that_had_none() {
    let mut group = pair();
    change(&mut group, 0, "[[process]]\nname = \"p\"\ncommand = [\"sleep\", \"1005\"]\nrun_when = \"primary\"\n");
    reloaded(&group, 0);
    wait_until(PATIENCE, "it runs", || pids(&group, 0).len() == 1);
    let (_, pid) = pids(&group, 0).remove(0);
    // It stops with this member's right to run.
    group.signal(0, Signal::SIGKILL);
    wait_until(PATIENCE, "it ended with its controller", || !lives(pid.cast_signed()));
}

#[test]
fn u3_sighup_means_a_lost_terminal_and_reads_nothing() {
    let mut group = pair();
    change(&mut group, 0, "[takeover]\nthreshold = 0.5\n");
    group.signal(0, Signal::SIGHUP);
    let log = group.log(0);
    wait_until(PATIENCE, "the hang-up is noticed", || {
        std::fs::read_to_string(&log).expect("a log").contains("a terminal hung up")
    });
    assert_eq!(group.status(0).health.threshold, 0.75);
}

#[test]
fn u10_a_reload_without_a_controller_is_exit_status_3_and_of_a_named_faulty_file_1() {
    let folder = support::temporary_folder();
    let socket = folder.path().join("none.sock").display().to_string();
    assert_eq!(output(&["reload", "--socket", &socket]).status.code(), Some(3));
    let file = write(folder.path(), "t.toml", "group = 7\n");
    let found = output(&["reload", "--config", &file.display().to_string()]);
    assert_eq!(found.status.code(), Some(1));
    assert!(stderr(&found).contains("t.toml:1:9"), "{}", stderr(&found));
}

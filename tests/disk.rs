//! Disks that fail: a full one costs no failover, because the state has its place from the beginning; who cannot write
//! its state takes no role, and a sitting Primary goes on (N20).

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use group::{Group, PATIENCE};
use support::{Part, require, wait_until};
use tandem::control::plan::Action;
use tandem::control::status::{Mode, Status};

/// Quick questions and a quick boot. The silence that counts is the usual one: no test here waits for it often, and a
/// busy machine is silent for a second.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"3s\"\nboot_timeout = \"2s\"\n\
                     connect_grace = \"1s\"\n";

/// A settled pair in which `member` keeps its state on a small disk of its own.
fn on_a_small_disk(member: usize) -> Group {
    let mut pair = Group::new(2, QUICK);
    let state = pair.state(member).display().to_string();
    std::fs::create_dir(&state).expect("a mount point");
    let mount = "mount -t tmpfs -o size=512k,mode=700 none \"$0\" && exec \"$@\"";
    pair.run_through(member, &["unshare", "-m", "sh", "-c", mount, &state]);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair
}

/// A settled pair in which `member` can be kept from writing any file. It is told of that by an error, not by a signal.
fn with_a_disk_that_can_fail(member: usize) -> Group {
    let mut pair = Group::new(2, QUICK);
    pair.run_through(member, &["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair
}

/// From now on the member can write files up to `longest`: "0" or "unlimited".
fn limit(pair: &mut Group, member: usize, longest: &str) {
    let pid = pair.running(member).pid().to_string();
    let mut command = std::process::Command::new("prlimit");
    let done = command.args(["--pid", &pid, &format!("--fsize={longest}:unlimited")]).output();
    let done = done.expect("prlimit comes with util-linux, which every Linux has");
    assert!(done.status.success(), "{}", support::stderr(&done));
}

/// Fills the member's disk to the last byte; returns the file to remove.
fn fill(pair: &mut Group, member: usize) -> PathBuf {
    // The disk as the process sees it; it is mounted nowhere else.
    let state = pair.state(member);
    let seen = PathBuf::from(format!("/proc/{}/root", pair.running(member).pid()));
    let path = seen.join(state.strip_prefix("/").expect("an absolute path")).join("filler");
    let mut file = File::create(&path).expect("still room for a file");
    let mut written = 0;
    while let Ok(count @ 1..) = file.write(&[0; 4096]) {
        written += count;
        assert!(written < 1 << 20, "the disk is no bigger than 512 KiB");
    }
    path
}

fn alarmed(status: &Status) -> bool {
    status.alarms.iter().any(|alarm| alarm.id == "state_not_durable")
}

#[test]
fn n20_a_full_disk_costs_no_failover() {
    if !require(Part::PrivateMounts) {
        return;
    }
    let mut pair = on_a_small_disk(1);
    let filler = fill(&mut pair, 1);
    let mut beta = pair.watch(1);
    pair.kill(0);
    let (status, _) = beta.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!((status.term, alarmed(&status)), (2, false));
    let failing = |status: &Status| status.alarms.iter().any(|alarm| alarm.id == "journal_failing");
    // The journal's last page still has room for a while.
    for _ in 0..50 {
        if failing(&pair.status(1)) {
            break;
        }
        pair.act(1, Action::Hold { for_ms: 600_000 });
        pair.act(1, Action::Resume);
    }
    beta.until(PATIENCE, "it is said that the journal waits", failing);
    std::fs::remove_file(&filler).expect("it is there");
    // Nor a line of the journal, once there is room again.
    beta.until(PATIENCE, "the alarm is over", |status| !failing(status));
    wait_until(PATIENCE, "the takeover is in the journal", || {
        let state = filler.parent().expect("the state directory");
        let records = tandem::journal::read(state).expect("a journal");
        records.into_iter().any(|record| record.entry.kind() == "decision" && record.entry.text().contains("term 2"))
    });
}

#[test]
fn n20_who_cannot_write_its_state_takes_no_role_until_it_can() {
    let mut pair = with_a_disk_that_can_fail(1);
    limit(&mut pair, 1, "0");
    let mut beta = pair.watch(1);
    pair.kill(0);
    let (status, _) = beta.until(PATIENCE, "alpha is gone, and the state cannot be written", |status| {
        let gone = status.peers[0].gone.is_some() && status.peers[0].last_heard_ms.is_some_and(|ms| ms >= 3000);
        gone && alarmed(status)
    });
    assert_eq!((status.mode, status.serving, status.able.level), (Mode::Secondary, false, 0), "{:?}", status.able);
    assert!(!status.takeover.ready);
    limit(&mut pair, 1, "unlimited");
    let (status, _) = beta.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!(status.term, 2, "the term whose writing failed was never acted in");
    beta.until(PATIENCE, "the alarm is over", |status| !alarmed(status));
}

#[test]
fn n20_a_sitting_primary_that_cannot_write_goes_on_and_says_so() {
    let mut pair = with_a_disk_that_can_fail(0);
    limit(&mut pair, 0, "0");
    // A hold survives restarts (S7): it has to be written.
    pair.act(1, Action::Hold { for_ms: 600_000 });
    let (alpha, _) = pair.wait(0, "the state cannot be written", alarmed);
    assert_eq!((alpha.mode, alpha.term), (Mode::Primary, 1));
    let asked = |status: &Status| status.peers[0].replies.first().map_or(0, |reply| reply.query);
    let before = asked(&pair.status(1));
    let (beta, _) = pair.wait(1, "alpha has long gone on", |status| asked(status) >= before + 20);
    assert_eq!((beta.mode, beta.peers[0].mode), (Mode::Secondary, Some(Mode::Primary)));
    pair.act(1, Action::Resume);
    let before = asked(&pair.status(1));
    let (beta, _) = pair.wait(1, "and goes on without the hold", |status| asked(status) >= before + 20);
    assert_eq!((beta.mode, beta.term), (Mode::Secondary, 1));
    assert_eq!((pair.status(0).mode, pair.status(0).term), (Mode::Primary, 1));
    limit(&mut pair, 0, "unlimited");
    pair.wait(0, "the alarm is over", |status| !alarmed(status));
    assert_eq!(pair.settle(), 0);
}

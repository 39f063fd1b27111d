//! What becomes of required processes when their guardian or their controller is killed or stopped (P1, P6).

#[path = "support/rig.rs"]
mod rig;
#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::{PATIENCE, Rig, SLOW_TO_END, pid_in, role, run, shell, until};
use support::lives;
use support::reference::Reference;
use tandem::config::required::{Hooks, RunWhen};
use tandem::process::event::Change;
use tandem::process::{BootTime, ProcessEvent, RoleMode};

/// The guardian that started the process `pid`.
fn parent_of(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok()).expect("a parent")
}

/// Kills the guardian that started `pid`, and waits until its loss is told.
async fn lose_guardian(rig: &mut Rig, pid: i32) {
    kill(Pid::from_raw(parent_of(pid)), Signal::SIGKILL).expect("it runs");
    rig.wait("the guardian is missed", |event| matches!(event, ProcessEvent::GuardianLost { .. })).await;
}

async fn is_told_when_the_slow_one_is_gone(mut rig: Rig) {
    let slow = rig.slow_one().await;
    let parent = rig.pid(0);
    lose_guardian(&mut rig, parent).await;
    assert!(!lives(parent) && !lives(slow));
    rig.end().await;
}

#[test]
fn p1_the_loss_of_a_guardian_is_told_when_what_was_slow_to_end_is_gone() {
    run(async {
        let mut rig = Rig::new(vec![shell("parent", SLOW_TO_END)], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        rig.change("parent", |change| matches!(change, Change::Ready { .. })).await;
        is_told_when_the_slow_one_is_gone(rig).await;
    });
}

#[test]
fn p1_without_control_groups_the_loss_of_a_guardian_is_told_when_all_is_gone_too() {
    if !support::require(support::Part::PrivateMounts) {
        return;
    }
    run(async {
        is_told_when_the_slow_one_is_gone(Rig::without_cgroups(vec![shell("parent", SLOW_TO_END)]).await).await;
    });
}

#[test]
fn p1_without_control_groups_what_wiped_its_environment_goes_with_its_guardian_by_their_session() {
    if !support::require(support::Part::PrivateMounts) {
        return;
    }
    run(async {
        let script = "env -i sh -c 'echo $$ >wiped; exec sleep 1000' & exec sleep 1000";
        let mut rig = Rig::without_cgroups(vec![shell("parent", script)]).await;
        let path = rig.folder.path().join("wiped");
        until("it runs", || pid_in(&path).is_some()).await;
        let (parent, wiped) = (rig.pid(0), pid_in(&path).expect("it was there"));
        lose_guardian(&mut rig, parent).await;
        assert!(!lives(wiped));
        rig.end().await;
    });
}

#[test]
fn p1_a_guardian_that_is_killed_takes_everything_with_it_and_all_is_started_again() {
    run(async {
        let script = "setsid sh -c 'echo $$ >grandchild; exec sleep 1000' & exec sleep 1000";
        let mut rig = Rig::new(vec![shell("parent", script)], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        rig.change("parent", |change| matches!(change, Change::Ready { .. })).await;
        let path = rig.folder.path().join("grandchild");
        until("the grandchild runs", || pid_in(&path).is_some()).await;
        let (parent, grandchild) = (rig.pid(0), pid_in(&path).expect("it was there"));
        lose_guardian(&mut rig, parent).await;
        assert!(!lives(parent) && !lives(grandchild));
        rig.change("parent", |change| matches!(change, Change::Ready { .. })).await;
        assert_ne!(rig.pid(0), parent);
        rig.end().await;
    });
}

#[test]
fn p1_everything_is_gone_when_the_controller_is() {
    let pids = Arc::new(std::sync::Mutex::new(Vec::new()));
    let found = Arc::clone(&pids);
    run(async move {
        let script = "setsid sh -c 'echo $$ >grandchild; exec sleep 1000' & exec sleep 1000";
        let mut rig = Rig::new(vec![shell("parent", script)], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        rig.change("parent", |change| matches!(change, Change::Ready { .. })).await;
        let path = rig.folder.path().join("grandchild");
        until("the grandchild runs", || pid_in(&path).is_some()).await;
        found.lock().expect("nobody panicked").extend([rig.pid(0), pid_in(&path).expect("it was there")]);
        // The runtime ends with everything in it, without a word to the guardian.
    });
    let (from, reference) = (Instant::now(), Reference::start());
    support::wait_until(PATIENCE, "everything is gone", || {
        pids.lock().expect("nobody panicked").iter().all(|pid| !lives(*pid))
    });
    reference.within(from.elapsed(), Duration::from_millis(500), "everything is gone");
}

#[test]
fn p6_a_guardian_that_somebody_stopped_goes_on_when_it_is_needed() {
    run(async {
        let mut plant = shell("plant", "exec sleep 1000");
        plant.run_when = RunWhen::Primary;
        let mut rig = Rig::new(vec![plant], Hooks::default()).await;
        rig.primary(1);
        rig.wait("it serves", |event| *event == ProcessEvent::ServingReady).await;
        let plant = rig.pid(0);
        let guardian = parent_of(plant);
        kill(Pid::from_raw(guardian), Signal::SIGSTOP).expect("it runs");
        rig.processes().stop_serving(Some(BootTime::now() + Duration::from_millis(300)));
        rig.wait("it has stopped", |event| *event == ProcessEvent::ServingStopped).await;
        assert!(!lives(plant));
        kill(Pid::from_raw(guardian), Signal::SIGSTOP).expect("it runs");
        rig.end().await;
        assert!(!lives(guardian));
    });
}

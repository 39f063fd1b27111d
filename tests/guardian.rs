//! Required processes, with real ones: started in order, stopped in order, restarted, and never left behind (P1, P2, P6).

#[path = "support/rig.rs"]
mod rig;
#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::{Rig, SLOW_TO_END, pid_in, role, run, shell, until};
use support::lives;
use support::reference::Reference;
use tandem::config::required::{HeartbeatConfig, HeartbeatKind, Hooks, ProcessConfig, Restart, RunWhen};
use tandem::process::event::{Change, HookOutcome, Overdue, StopWay};
use tandem::process::{BootTime, Operation, ProcessEvent, ProcessState, RoleMode};

/// Writes its name when it starts, and when it is told to stop. It answers, and so is ready, only when both is seen to.
fn noting(name: &str) -> ProcessConfig {
    let script =
        format!("trap 'echo -{name} >>order; exit 0' TERM; echo +{name} >>order; while read l; do echo $l; done");
    let mut noting = shell(name, &script);
    noting.heartbeat = Some(HeartbeatConfig { kind: HeartbeatKind::Line, period: Duration::from_millis(200) });
    noting
}

#[test]
fn p1_p2_processes_start_in_the_order_of_the_file_and_stop_in_reverse() {
    run(async {
        let mut only = noting("only");
        only.run_when = RunWhen::Primary;
        let mut spare = noting("spare");
        spare.run_when = RunWhen::Secondary;
        let mut rig = Rig::new(vec![noting("first"), spare, only, noting("last")], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        rig.change("last", |change| matches!(change, Change::Ready { .. })).await;
        assert_eq!(rig.text("order"), "+first\n+spare\n+last\n");
        rig.primary(1);
        rig.wait("it serves", |event| *event == ProcessEvent::ServingReady).await;
        assert_eq!(rig.text("order"), "+first\n+spare\n+last\n-spare\n+only\n");
        rig.processes().stop_serving(None);
        rig.wait("it has stopped", |event| *event == ProcessEvent::ServingStopped).await;
        assert_eq!(rig.text("order"), "+first\n+spare\n+last\n-spare\n+only\n-only\n");
        rig.end().await;
        assert!(rig.text("order").ends_with("-only\n-last\n-first\n"), "{}", rig.text("order"));
    });
}

#[test]
fn p1_a_process_that_ignores_sigterm_is_killed_when_its_grace_is_over() {
    run(async {
        let mut deaf = shell("deaf", "trap '' TERM; echo up; while :; do sleep 0.01; done");
        deaf.stop_grace = Duration::from_millis(150);
        let mut rig = Rig::new(vec![deaf], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        rig.change("deaf", |change| matches!(change, Change::Ready { .. })).await;
        let pid = rig.pid(0);
        until("it ignores the signal", || !rig.processes().snapshots()[0].output.last(1).is_empty()).await;
        rig.end().await;
        assert!(!lives(pid));
        let killed = |event: &ProcessEvent| {
            matches!(event, ProcessEvent::Process { change: Change::Stopped { way: StopWay::Killed, after }, .. }
                if *after >= Duration::from_millis(150))
        };
        assert!(rig.told.iter().any(killed), "{:#?}", rig.told);
    });
}

#[test]
fn p1_a_grandchild_that_left_group_and_session_and_wiped_its_environment_is_gone_too() {
    run(async {
        let script = "env -i setsid sh -c 'echo $$ >grandchild; exec sleep 1000' & exec sleep 1000";
        let mut rig = Rig::new(vec![shell("parent", script)], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        rig.change("parent", |change| matches!(change, Change::Ready { .. })).await;
        let path = rig.folder.path().join("grandchild");
        until("the grandchild runs", || pid_in(&path).is_some()).await;
        let (parent, grandchild) = (rig.pid(0), pid_in(&path).expect("it was there"));
        // Its parent dies by itself: what it left behind must be gone before it is started again.
        kill(Pid::from_raw(parent), Signal::SIGKILL).expect("it runs");
        rig.change("parent", |change| matches!(change, Change::Restarting { .. })).await;
        assert!(!lives(grandchild));
        rig.end().await;
    });
}

#[test]
fn p1_without_control_groups_grandchildren_are_found_by_descent_marker_and_group() {
    if !support::require(support::Part::PrivateMounts) {
        return;
    }
    run(async {
        // Both parents have ended before anybody looks: one child is known by its marker, the other by its group.
        let script = "setsid sh -c 'echo $$ >marked; exec sleep 1000' & \
                      env -i sh -c 'echo $$ >wiped; exec sleep 1000' & \
                      while ! test -s marked || ! test -s wiped; do sleep 0.01; done; exec sleep 1000";
        let configs = vec![shell("parent", script), shell("other", "exec sleep 1000")];
        let mut rig = Rig::without_cgroups(configs).await;
        rig.change("other", |change| matches!(change, Change::Ready { .. })).await;
        let folder = rig.folder.path().to_owned();
        let pid = |name: &str| pid_in(&folder.join(name));
        until("both run", || pid("marked").is_some() && pid("wiped").is_some()).await;
        let (parent, other) = (rig.pid(0), rig.pid(1));
        let group = std::fs::read_to_string(format!("/proc/{parent}/cgroup")).expect("it runs");
        assert!(!group.contains("tandem-"), "{group}");
        // Its successor writes the files anew.
        let left = ["marked", "wiped"].map(|name| pid(name).expect("it was there"));
        kill(Pid::from_raw(parent), Signal::SIGKILL).expect("it runs");
        rig.change("parent", |change| matches!(change, Change::Restarting { .. })).await;
        assert_eq!(left.map(lives), [false, false], "the marked and the wiped one: {left:?}");
        assert!(lives(other));
        rig.end().await;
        assert!(!lives(other));
    });
}

#[test]
fn p1_without_control_groups_nothing_is_started_again_before_what_was_slow_to_end_is_gone() {
    if !support::require(support::Part::PrivateMounts) {
        return;
    }
    run(async {
        let mut rig = Rig::without_cgroups(vec![shell("parent", SLOW_TO_END), shell("other", "exec sleep 1000")]).await;
        rig.change("other", |change| matches!(change, Change::Ready { .. })).await;
        let slow = rig.slow_one().await;
        kill(Pid::from_raw(rig.pid(0)), Signal::SIGKILL).expect("it runs");
        rig.change("parent", |change| matches!(change, Change::Restarting { .. })).await;
        assert!(!lives(slow));
        rig.end().await;
    });
}

#[test]
fn p1_one_that_dies_again_and_again_is_given_up_until_an_operator_starts_it() {
    run(async {
        let mut dying = shell("dying", "test -e well && exec sleep 1000; echo 'no, thank you' >&2; exit 3");
        dying.restart = Restart {
            delay: Duration::from_millis(10),
            max_delay: Duration::from_millis(40),
            burst: 3,
            within: Duration::from_secs(60),
        };
        let mut rig = Rig::new(vec![dying], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        let change = rig.change("dying", |change| matches!(change, Change::GivenUp { .. })).await;
        assert_eq!(change, Change::GivenUp { deaths: 4 });
        let snapshot = rig.processes().snapshots()[0].clone();
        assert_eq!((snapshot.state, snapshot.restarts_total), (ProcessState::GivenUp, 3));
        assert!(snapshot.is_kept_down(BootTime::now()));
        assert_eq!(snapshot.last_end.as_deref(), Some("exit status 3"));
        until("its last words", || snapshot.output.last(1).first().is_some_and(|line| **line == *"no, thank you"))
            .await;
        std::fs::write(rig.folder.path().join("well"), "").expect("a file");
        let outcome = rig.operate("dying", Operation::Start).await;
        assert!(outcome.as_ref().is_ok_and(|text| text.starts_with("dying is running, pid ")), "{outcome:?}");
        rig.end().await;
    });
}

#[test]
fn p1_what_does_not_exist_is_a_clear_error_and_leaves_nothing_running() {
    run(async {
        let mut absent = ProcessConfig::new("absent", vec!["/no/such/program".to_owned()]);
        absent.restart.burst = 0;
        let mut nobody = shell("nobody", "exec sleep 1000");
        nobody.user = Some("no-such-user".to_owned());
        nobody.restart.burst = 0;
        let mut nowhere = shell("nowhere", "exec sleep 1000");
        nowhere.directory = Some("/no/such/folder".to_owned());
        nowhere.restart.burst = 0;
        let mut rig = Rig::new(vec![absent, nobody, nowhere], Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        let expected = [
            ("absent", "/no/such/program: no such file"),
            ("nobody", "there is no user no-such-user"),
            ("nowhere", "the directory /no/such/folder: no such file"),
        ];
        for (name, why) in expected {
            let change = rig.change(name, |change| matches!(change, Change::StartFailed { .. })).await;
            assert_eq!(change, Change::StartFailed { why: why.to_owned() });
        }
        rig.change("nowhere", |change| matches!(change, Change::GivenUp { .. })).await;
        let outcome = rig.operate("absent", Operation::Start).await;
        assert_eq!(outcome, Err("absent does not run: failed: /no/such/program: no such file".to_owned()));
        assert!(
            rig.operate("other", Operation::Stop).await.is_err_and(|why| why.contains("there is no process other"))
        );
        rig.end().await;
    });
}

#[test]
fn p6_what_is_killed_while_it_stops_is_no_sign_of_a_controller_that_stood_still() {
    run(async {
        let mut only = shell("only", "trap '' TERM; echo up; while :; do sleep 1; done");
        only.run_when = RunWhen::Primary;
        let mut rig = Rig::new(vec![only], Hooks::default()).await;
        rig.processes().renew(BootTime::now() + Duration::from_secs(600)).expect("a deadline");
        rig.processes().become_primary(role(RoleMode::Primary, 1));
        rig.wait("it serves", |event| *event == ProcessEvent::ServingReady).await;
        until("it ignores the signal", || !rig.processes().snapshots()[0].output.last(1).is_empty()).await;
        rig.processes().stop_serving(None);
        rig.change("only", |change| *change == Change::Stopping).await;
        // As when the arbiter says that another holds the lease: the time to stop is over at once.
        rig.processes().renew(BootTime::now()).expect("a deadline");
        let change = rig.change("only", |change| matches!(change, Change::KilledByGuardian { .. })).await;
        assert!(matches!(change, Change::KilledByGuardian { overdue: Overdue::StillStopping, .. }), "{change:?}");
        rig.end().await;
    });
}

#[test]
fn p6_what_runs_on_the_primary_only_is_killed_when_its_right_to_run_is_over() {
    run(async {
        let mut only = shell("only", "exec sleep 1000");
        only.run_when = RunWhen::Primary;
        let mut rig = Rig::new(vec![shell("always", "exec sleep 1000"), only], Hooks::default()).await;
        let killed = |change: &Change| matches!(change, Change::KilledByGuardian { .. });
        let (only, renewed) = loop {
            let first = BootTime::now() + Duration::from_millis(600);
            rig.processes().renew(first).expect("a deadline");
            rig.processes().become_primary(role(RoleMode::Primary, 1));
            let change = rig.change("only", |change| killed(change) || matches!(change, Change::Ready { .. })).await;
            if killed(&change) {
                continue;
            }
            let only = rig.processes().snapshots()[1].pid;
            // A deadline that is renewed does not pass.
            let renewed = BootTime::now() + Duration::from_millis(900);
            rig.processes().renew(renewed).expect("a deadline");
            if let (Some(only), true) = (only, BootTime::now() < first) {
                break (only.cast_signed(), renewed);
            }
            // This machine stood still for too long to show that; it is killed sooner or later.
            rig.change("only", killed).await;
        };
        let always = rig.pid(0);
        let change = rig.change("only", killed).await;
        assert!(BootTime::now() >= renewed, "{change:?}");
        assert!(matches!(change, Change::KilledByGuardian { overdue: Overdue::NotRenewed, .. }), "{change:?}");
        until("it is gone", || !lives(only)).await;
        assert!(lives(always));
        // It stays so until the controller says that it is Primary still, or again.
        until("it waits", || rig.processes().snapshots()[1].state == ProcessState::Waiting).await;
        rig.primary(1);
        rig.change("only", |change| matches!(change, Change::Ready { .. })).await;
        rig.end().await;
        assert!(!lives(always));
    });
}

#[test]
fn p2_the_state_file_and_the_environment_tell_the_role() {
    run(async {
        let script = "env | grep ^TANDEM_ | sort >environment; cat \"$TANDEM_STATE_FILE\" >state; exec sleep 1000";
        let mut rig = Rig::new(vec![shell("curious", script)], Hooks::default()).await;
        rig.primary(7);
        rig.wait("it serves", |event| *event == ProcessEvent::ServingReady).await;
        until("it has written", || rig.text("state").contains("TANDEM_TOKEN=2047\n")).await;
        let environment = rig.text("environment");
        for line in [
            "TANDEM_NODE=alpha",
            "TANDEM_GROUP=test",
            "TANDEM_MODE=primary",
            "TANDEM_TERM=7",
            "TANDEM_REASON=a test wants it",
        ] {
            assert!(environment.lines().any(|found| found == line), "{line} in {environment}");
            assert!(rig.text("state").lines().any(|found| found == line), "{line} in {}", rig.text("state"));
        }
        rig.processes().become_secondary(role(RoleMode::Secondary, 8));
        until("the file says so", || rig.text("role").contains("TANDEM_MODE=secondary\n")).await;
        rig.end().await;
    });
}

#[test]
fn p2_hooks_are_told_the_role_and_have_a_deadline() {
    run(async {
        let hook = |script: &str| vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let hooks = Hooks {
            on_primary: hook("echo $TANDEM_MODE $TANDEM_TERM >>hooks"),
            on_secondary: hook(
                "echo $TANDEM_MODE >>hooks; test $TANDEM_TERM = 0 && exit 0; cat order >before; sleep 1000 & sleep 1000",
            ),
            on_alarm: hook("cat >alarm; echo broken >&2; exit 4"),
            // A busy machine must not be too slow for those that end.
            timeout: Duration::from_secs(3),
        };
        let mut only = noting("only");
        only.run_when = RunWhen::Primary;
        let mut rig = Rig::new(vec![only], hooks).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        let done =
            |event: &ProcessEvent| matches!(event, ProcessEvent::HookEnded { outcome: HookOutcome::Done { .. }, .. });
        rig.wait("the hook of the start", done).await;
        rig.primary(3);
        rig.wait("the hook of the Primary", done).await;
        assert_eq!(rig.text("hooks"), "secondary\nprimary 3\n");
        rig.processes().stop_serving(None);
        let timed_out = ProcessEvent::HookEnded {
            hook: "on_secondary",
            outcome: HookOutcome::TimedOut { after: Duration::from_secs(3) },
        };
        rig.wait("the hook is killed", |event| *event == timed_out).await;
        assert!(!rig.text("before").contains("-only"), "the hook comes first");
        rig.wait("it has stopped", |event| *event == ProcessEvent::ServingStopped).await;
        rig.processes().alarm("{\"id\":\"x\"}".to_owned());
        let failed = |event: &ProcessEvent| {
            matches!(event, ProcessEvent::HookEnded { hook: "on_alarm", outcome: HookOutcome::Failed { .. } })
        };
        rig.wait("the alarm's hook", failed).await;
        assert_eq!(rig.text("alarm"), "{\"id\":\"x\"}");
        rig.end().await;
    });
}

#[test]
fn p2_under_a_lease_nobody_waits_for_hooks_or_graces() {
    run(async {
        let hooks = Hooks { on_secondary: vec!["sleep".to_owned(), "1000".to_owned()], ..Hooks::default() };
        let mut deaf = shell("deaf", "trap '' TERM; echo up; while :; do sleep 0.01; done");
        deaf.run_when = RunWhen::Primary;
        let mut rig = Rig::new(vec![deaf.clone(), ProcessConfig { name: "deaf too".to_owned(), ..deaf }], hooks).await;
        rig.primary(1);
        rig.wait("it serves", |event| *event == ProcessEvent::ServingReady).await;
        let says = |at: usize| !rig.processes().snapshots()[at].output.last(1).is_empty();
        until("they ignore the signal", || says(0) && says(1)).await;
        let both: Vec<i32> = vec![rig.pid(0), rig.pid(1)];
        let reference = Reference::start();
        let by = BootTime::now() + Duration::from_millis(300);
        rig.processes().stop_serving(Some(by));
        rig.wait("it has stopped", |event| *event == ProcessEvent::ServingStopped).await;
        reference.within(BootTime::now().since(by), Duration::from_millis(250), "after the deadline");
        assert!(both.iter().all(|pid| !lives(*pid)));
    });
}

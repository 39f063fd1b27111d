//! The supervision on virtual time: a guardian that does at once, or never, what is wanted.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::required::{HeartbeatConfig, HeartbeatKind, Restart};

fn at(milliseconds: u64) -> BootTime {
    BootTime(Duration::from_millis(milliseconds))
}

fn process(name: &str, when: RunWhen) -> ProcessConfig {
    ProcessConfig { run_when: when, ..ProcessConfig::new(name, vec![name.to_owned()]) }
}

fn with_heartbeat(config: ProcessConfig) -> ProcessConfig {
    let heartbeat = HeartbeatConfig { kind: HeartbeatKind::Notify, period: Duration::from_secs(1) };
    ProcessConfig { heartbeat: Some(heartbeat), ..config }
}

/// What is to be done, without what is told.
fn todo(supervision: &mut Supervision) -> Vec<Todo> {
    supervision.take().into_iter().filter(|todo| !matches!(todo, Todo::Tell(..))).collect()
}

#[test]
fn p2_each_waits_until_the_one_before_it_is_ready() {
    let slow = with_heartbeat(process("slow", RunWhen::Always));
    let mut all = Supervision::new(vec![slow, process("next", RunWhen::Primary)]);
    all.aim(at(0), Target::Primary, None);
    assert_eq!(todo(&mut all), [Todo::Launch(0)]);
    all.started(at(10), 0, 100);
    assert_eq!(todo(&mut all), []);
    assert!(!all.order_is_through());
    all.ready(at(500), 0);
    assert_eq!(todo(&mut all), [Todo::Launch(1)]);
    all.started(at(510), 1, 101);
    assert!(all.order_is_through() && all.primary_is_ready());
}

#[test]
fn p1_one_that_is_not_ready_in_time_is_killed_and_holds_up_nobody_longer() {
    let deaf = with_heartbeat(process("deaf", RunWhen::Always));
    let mut all = Supervision::new(vec![deaf, process("next", RunWhen::Always)]);
    all.aim(at(0), Target::Secondary, None);
    all.started(at(1), 0, 100);
    all.take();
    assert_eq!(all.next_deadline(), Some(at(30_000)));
    all.tick(at(29_999));
    assert_eq!(todo(&mut all), []);
    all.tick(at(30_000));
    assert_eq!(todo(&mut all), [Todo::Kill(0), Todo::Launch(1)]);
    all.exited(at(30_001), 0, End::Signal(9));
    all.gone(at(30_001), 0);
    assert_eq!(all.state(0), ProcessState::Restarting);
    all.tick(at(30_501));
    assert_eq!(todo(&mut all), [Todo::Launch(0)]);
}

#[test]
fn p2_what_must_stop_has_stopped_before_what_must_start_starts() {
    let list = [("a", RunWhen::Secondary), ("b", RunWhen::Secondary), ("c", RunWhen::Primary)];
    let mut all = Supervision::new(list.map(|(name, when)| process(name, when)).to_vec());
    all.aim(at(0), Target::Secondary, None);
    all.started(at(1), 0, 100);
    all.started(at(2), 1, 101);
    all.take();
    all.aim(at(10), Target::Primary, None);
    assert_eq!(todo(&mut all), [Todo::Terminate(1)], "the last of the file first, and one at a time");
    all.exited(at(20), 1, End::Signal(15));
    all.gone(at(20), 1);
    assert_eq!(todo(&mut all), [Todo::Terminate(0)]);
    all.tick(at(5_020));
    assert_eq!(todo(&mut all), [Todo::Kill(0)], "its grace is over");
    all.exited(at(5_021), 0, End::Signal(9));
    assert_eq!(todo(&mut all), [], "what it started may still run");
    all.gone(at(5_030), 0);
    assert_eq!(todo(&mut all), [Todo::Launch(2)]);
}

#[test]
fn p2_under_a_deadline_all_stop_at_once_and_no_grace_goes_past_it() {
    let mut all = Supervision::new(vec![process("a", RunWhen::Primary), process("b", RunWhen::Primary)]);
    all.aim(at(0), Target::Primary, None);
    all.started(at(1), 0, 100);
    all.started(at(2), 1, 101);
    all.take();
    all.aim(at(10), Target::Between, None);
    assert_eq!(todo(&mut all), [Todo::Terminate(1)]);
    // The lease turns out to end sooner.
    all.aim(at(20), Target::Between, Some(at(300)));
    assert_eq!(todo(&mut all), [Todo::Terminate(0)]);
    assert_eq!(all.next_deadline(), Some(at(300)));
    all.tick(at(300));
    assert_eq!(todo(&mut all), [Todo::Kill(0), Todo::Kill(1)]);
}

#[test]
fn p6_what_the_guardian_killed_waits_for_the_controllers_word() {
    let mut all = Supervision::new(vec![process("a", RunWhen::Primary)]);
    all.aim(at(0), Target::Primary, None);
    all.started(at(1), 0, 100);
    all.take();
    all.overdue(at(2_000), 0, Duration::from_millis(3), Overdue::NotRenewed);
    all.exited(at(2_001), 0, End::Signal(9));
    all.gone(at(2_001), 0);
    all.tick(at(60_000));
    assert_eq!(todo(&mut all), []);
    assert_eq!((all.next_deadline(), all.primary_is_off()), (None, true));
    all.aim(at(60_001), Target::Primary, None);
    assert_eq!(todo(&mut all), [Todo::Launch(0)]);
    assert_eq!(all.all()[0].restarts().1, 0, "it did not die by a fault of its own");
}

#[test]
fn p1_what_an_operator_stopped_stays_so_whatever_the_mode_does() {
    let mut all = Supervision::new(vec![process("a", RunWhen::Always)]);
    all.aim(at(0), Target::Secondary, None);
    all.started(at(1), 0, 100);
    all.operate(at(5), 0, Operation::Stop);
    all.exited(at(6), 0, End::Signal(15));
    all.gone(at(6), 0);
    all.take();
    all.aim(at(10), Target::Primary, None);
    assert_eq!((todo(&mut all), all.state(0)), (vec![], ProcessState::Stopped));
    assert!(all.order_is_through(), "nobody waits for it");
    all.operate(at(20), 0, Operation::Start);
    assert_eq!(todo(&mut all), [Todo::Launch(0)]);
}

#[test]
fn p1_one_that_was_killed_for_a_reason_is_said_to_have_ended_for_that_reason() {
    let heartbeat = with_heartbeat(process("a", RunWhen::Primary));
    let mut all = Supervision::new(vec![heartbeat]);
    all.aim(at(0), Target::Primary, None);
    let why = |all: &Supervision| all.all()[0].last_end().map(ToString::to_string).unwrap_or_default();
    all.started(at(1), 0, 100);
    all.tick(at(30_000));
    all.exited(at(30_001), 0, End::Signal(9));
    all.gone(at(30_001), 0);
    assert_eq!(why(&all), "not ready in time");
    all.tick(at(30_501));
    all.started(at(30_510), 0, 101);
    all.ready(at(30_520), 0);
    all.silent(at(50_000), 0, Duration::from_secs(10));
    all.exited(at(50_001), 0, End::Signal(9));
    all.gone(at(50_001), 0);
    assert_eq!(why(&all), "did not answer for 10.0 s");
    all.tick(at(60_000));
    all.started(at(60_010), 0, 102);
    all.overdue(at(61_000), 0, Duration::ZERO, Overdue::NotRenewed);
    all.exited(at(61_001), 0, End::Signal(9));
    all.gone(at(61_001), 0);
    assert_eq!(why(&all), "killed by the guardian");
}

#[derive(Debug, Clone)]
enum Step {
    Aim(u8, bool),
    Operate(usize, u8),
    Started(usize),
    Ready(usize),
    Exited(usize),
    Gone(usize),
    Failed(usize),
    Overdue(usize),
    Lost,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..4, any::<bool>()).prop_map(|(target, by)| Step::Aim(target, by)),
        (0_usize..4, 0_u8..3).prop_map(|(one, operation)| Step::Operate(one, operation)),
        (0_usize..4).prop_map(Step::Started),
        (0_usize..4).prop_map(Step::Ready),
        (0_usize..4).prop_map(Step::Exited),
        (0_usize..4).prop_map(Step::Gone),
        (0_usize..4).prop_map(Step::Failed),
        (0_usize..4).prop_map(Step::Overdue),
        Just(Step::Lost),
        (1_u64..40_000).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever happens in whatever order: nothing is started twice, nothing of a Primary's beside something of a
    /// Secondary's, a deadline that was looked at lies in the future, and what is to stop does, once all have gone.
    #[test]
    fn p1_p2_no_order_of_events_starts_twice_or_mixes_modes(steps in prop::collection::vec(step(), 1..120)) {
        let restart = Restart { delay: Duration::from_millis(100), burst: 2, ..Restart::default() };
        let list = [("a", RunWhen::Always), ("p", RunWhen::Primary), ("s", RunWhen::Secondary), ("q", RunWhen::Primary)];
        let mut configs = list.map(|(name, when)| ProcessConfig { restart, ..process(name, when) });
        configs[1] = with_heartbeat(configs[1].clone());
        let mut all = Supervision::new(configs.to_vec());
        let (mut now, mut alive) = (at(0), [false; 4]);
        for step in steps {
            match step {
                Step::Aim(target, by) => {
                    let target = [Target::Nothing, Target::Secondary, Target::Between, Target::Primary][usize::from(target)];
                    all.aim(now, target, by.then(|| now + Duration::from_millis(500)));
                }
                Step::Operate(one, operation) => {
                    let operation = [Operation::Start, Operation::Stop, Operation::Restart][usize::from(operation)];
                    all.operate(now, one, operation);
                }
                Step::Started(one) if alive[one] => all.started(now, one, 100),
                Step::Ready(one) if alive[one] => all.ready(now, one),
                Step::Exited(one) if alive[one] => all.exited(now, one, End::Status(1)),
                Step::Gone(one) if alive[one] => {
                    alive[one] = false;
                    all.exited(now, one, End::Status(1));
                    all.gone(now, one);
                }
                Step::Failed(one) if alive[one] => {
                    alive[one] = false;
                    all.failed(now, one, "no such file");
                }
                Step::Overdue(one) if alive[one] && one % 2 == 1 => all.overdue(now, one, Duration::ZERO, Overdue::NotRenewed),
                Step::Lost => {
                    alive = [false; 4];
                    all.all_lost(now);
                }
                Step::Pass(time) => {
                    now = now + Duration::from_millis(time);
                    all.tick(now);
                }
                Step::Started(_) | Step::Ready(_) | Step::Exited(_) | Step::Gone(_) | Step::Failed(_) | Step::Overdue(_) => {}
            }
            for one in all.take() {
                if let Todo::Launch(one) = one {
                    prop_assert!(!alive[one], "{one} is started twice");
                    alive[one] = true;
                    let primary = alive[1] || alive[3];
                    prop_assert!(!(primary && alive[2]), "both a Primary's and a Secondary's");
                }
            }
            prop_assert!(all.next_deadline().is_none_or(|deadline| deadline > now || matches!(step_of(&all, now), Due::Yes)));
        }
        all.aim(now, Target::Nothing, None);
        for _ in 0..8 {
            for one in (0..4).filter(|one| alive[*one]).collect::<Vec<_>>() {
                alive[one] = false;
                all.exited(now, one, End::Signal(15));
                all.gone(now, one);
            }
            prop_assert!(!all.take().iter().any(|one| matches!(one, Todo::Launch(_))));
        }
        prop_assert!(all.is_off() && all.primary_is_off());
    }
}

/// Whether the next tick does something: a deadline in the past must not wake the runner for nothing.
enum Due {
    Yes,
    No,
}

fn step_of(all: &Supervision, now: BootTime) -> Due {
    let mut later = all.clone();
    later.tick(now);
    if later.next_deadline().is_none_or(|deadline| deadline > now) { Due::Yes } else { Due::No }
}

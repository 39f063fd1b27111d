//! A file that was read again, as the supervision sees it (U10).

use super::*;

fn config(name: &str) -> ProcessConfig {
    ProcessConfig::new(name, vec!["/bin/p".to_owned()])
}

fn at(seconds: u64) -> BootTime {
    BootTime::default() + Duration::from_secs(seconds)
}

/// A Primary's supervision in which all of `configs` run.
fn running(configs: Vec<ProcessConfig>) -> Supervision {
    let mut supervision = Supervision::new(configs);
    supervision.aim(at(1), Target::Primary, None);
    for place in 0..supervision.all().len() {
        assert!(supervision.take().contains(&Todo::Launch(place)), "{place} is started");
        supervision.started(at(1), place, 100);
    }
    supervision.take();
    supervision
}

fn ends(supervision: &mut Supervision, now: BootTime, place: usize) {
    supervision.exited(now, place, End::Status(0));
    supervision.gone(now, place);
}

#[test]
fn u10_the_same_processes_in_another_order_change_nothing() {
    let mut supervision = running(vec![config("a"), config("b")]);
    supervision.reload(at(2), vec![config("b"), config("a")]);
    assert_eq!(supervision.take(), []);
}

#[test]
fn u10_times_and_counting_are_taken_on_without_a_new_start() {
    let mut supervision = running(vec![config("a")]);
    let stop_grace = Duration::from_secs(9);
    supervision.reload(at(2), vec![ProcessConfig { counts: false, stop_grace, ..config("a") }]);
    assert_eq!(supervision.take(), []);
    let now = supervision.all()[0].config();
    assert_eq!((now.counts, now.stop_grace), (false, stop_grace));
}

#[test]
fn p6_a_changed_process_is_known_for_what_it_may_do_until_it_has_ended() {
    let primary = ProcessConfig { run_when: RunWhen::Primary, ..config("a") };
    let mut supervision = running(vec![primary]);
    supervision.reload(at(2), vec![config("a")]);
    assert_eq!(supervision.take(), [Todo::Tell(0, Change::Stopping), Todo::Terminate(0)]);
    assert!(!supervision.primary_is_off(), "the old one may still act");
    ends(&mut supervision, at(3), 0);
    assert!(supervision.primary_is_off());
    assert!(supervision.take().contains(&Todo::Launch(0)), "it starts again, as it is configured now");
    assert_eq!(supervision.all()[0].config().run_when, RunWhen::Always);
}

#[test]
fn u10_what_is_gone_from_the_file_stops_before_what_is_new_in_it_starts() {
    let mut supervision = running(vec![config("a"), config("b")]);
    supervision.reload(at(2), vec![config("b"), config("c")]);
    assert_eq!(supervision.take(), [Todo::Tell(0, Change::Stopping), Todo::Terminate(0)]);
    assert!(supervision.all()[0].is_retired() && !supervision.is_forgotten(0));
    ends(&mut supervision, at(3), 0);
    assert!(supervision.is_forgotten(0));
    assert!(supervision.take().contains(&Todo::Launch(2)));
    // Named again, it comes back in its old place.
    supervision.started(at(3), 2, 101);
    supervision.take();
    supervision.reload(at(4), vec![config("a"), config("b"), config("c")]);
    assert_eq!(supervision.take(), [Todo::Launch(0)]);
}

/// The stop time that is told to a successor rests on it: it stayed what it had once been (N18).
#[test]
fn n18_a_reload_is_through_when_nothing_stops_any_more_in_the_times_of_before() {
    let mut supervision = running(vec![config("a"), config("b")]);
    assert!(supervision.reload_is_through());
    // Only its times differ: they count from now on.
    supervision.reload(at(2), vec![ProcessConfig { stop_grace: Duration::from_secs(1), ..config("a") }, config("b")]);
    assert!(supervision.reload_is_through());
    // One is gone from the file, and one starts again: both have their old times until they have ended.
    supervision.reload(at(3), vec![ProcessConfig { command: vec!["/bin/q".to_owned()], ..config("a") }]);
    assert!(!supervision.reload_is_through());
    ends(&mut supervision, at(4), 1);
    assert!(!supervision.reload_is_through());
    ends(&mut supervision, at(4), 0);
    assert!(supervision.reload_is_through());
    // What was asked to end before has its old time too.
    let mut supervision = running(vec![config("a")]);
    supervision.operate(at(2), 0, Operation::Stop);
    supervision.reload(at(3), vec![ProcessConfig { stop_grace: Duration::from_secs(1), ..config("a") }]);
    assert!(!supervision.reload_is_through());
    ends(&mut supervision, at(4), 0);
    assert!(supervision.reload_is_through());
}

#[test]
fn u10_a_process_that_was_given_up_is_tried_again_when_it_is_changed() {
    let mut supervision = running(vec![config("a")]);
    let mut now = at(2);
    while supervision.state(0) != ProcessState::GivenUp {
        ends(&mut supervision, now, 0);
        now = supervision.next_deadline().unwrap_or(now);
        supervision.tick(now);
        supervision.started(now, 0, 100);
    }
    supervision.take();
    supervision.reload(now, vec![config("a")]);
    assert_eq!(supervision.take(), [], "an unchanged file changes nothing");
    supervision.reload(now, vec![ProcessConfig { command: vec!["/bin/q".to_owned()], ..config("a") }]);
    assert_eq!(supervision.take(), [Todo::Launch(0)]);
}

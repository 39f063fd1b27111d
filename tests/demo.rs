//! The demo as a newcomer plays with it: each fault and what the screen then says, the lesson's line, and that nothing
//! is left behind however it ends (U9).

mod support {
    #[path = "pty.rs"]
    pub mod pty;
    #[path = "recordings.rs"]
    pub mod recordings;
}

use std::path::Path;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::pty::{PATIENCE, Terminal};

const TANDEM: &str = env!("CARGO_BIN_EXE_tandem");

/// A demo in a terminal; its folder is in one of its own, which must be empty at the end.
struct Demo {
    terminal: Terminal,
    temp: tempfile::TempDir,
}

impl Demo {
    fn start(args: &[&str]) -> Demo {
        let temp = tempfile::tempdir().expect("a folder");
        let args = [&["demo"], args].concat();
        let terminal = Terminal::start(TANDEM, &args, (100, 30), temp.path());
        terminal.shows("ONE ACTS");
        Demo { terminal, temp }
    }

    /// A pair of which beta acts, as after the lesson's first step.
    fn with_beta_acting() -> Demo {
        let mut demo = Demo::start(&[]);
        demo.says("beta ○ SECONDARY");
        demo.terminal.shows("Next: press a, then s");
        demo.terminal.act("s");
        demo.first_row("○ SECONDARY");
        demo.says("beta ■ PRIMARY");
        demo
    }

    /// A pair that a fence and the file arbiter protect.
    fn leased() -> Demo {
        let demo = Demo::start(&["--protection", "fence,arbiter"]);
        demo.says("beta ○ SECONDARY");
        demo.third_row("PROTECTED by fence + arbiter");
        demo
    }

    fn three() -> Demo {
        let demo = Demo::start(&["--members", "3", "--protection", "majority"]);
        demo.says("beta ○ SECONDARY");
        demo.says("gamma ○ SECONDARY");
        demo
    }

    /// Waits until row 1 says so: the member that this screen is on.
    fn first_row(&self, wanted: &str) {
        self.terminal
            .until(&format!("row 1: {wanted}"), |text| text.lines().next().is_some_and(|r| r.contains(wanted)));
    }

    /// Waits until row 2 says so: the other.
    fn second_row(&self, wanted: &str) {
        self.terminal
            .until(&format!("row 2: {wanted}"), |text| text.lines().nth(1).is_some_and(|r| r.contains(wanted)));
    }

    /// Waits until row 3 says so: the judgement.
    fn third_row(&self, wanted: &str) {
        self.terminal
            .until(&format!("row 3: {wanted}"), |text| text.lines().nth(2).is_some_and(|r| r.contains(wanted)));
    }

    /// Waits until the strip of all members says so.
    fn says(&self, wanted: &str) {
        let strip = |text: &str| text.lines().rev().nth(3).is_some_and(|row| row.contains(wanted));
        self.terminal.until(&format!("the strip: {wanted}"), strip);
    }

    fn leave(mut self) {
        // The demo takes its folder along.
        support::recordings::replay_all(self.temp.path());
        self.terminal.press("q");
        assert_eq!(self.terminal.exit(), 0);
        nothing_left(self.temp.path());
    }

    /// Alpha with the screen, the janitor, and the members' processes: each the children of the one before, the first
    /// of the stand-in that the terminal knows. Alpha has a guardian of its own processes too.
    fn processes(&self) -> (Pid, Pid, Vec<Pid>) {
        // What is just being started has its parent's words for a moment.
        let demo = |of: i32| {
            let until = Instant::now() + PATIENCE;
            loop {
                match children(of).into_iter().filter(|pid| says(*pid, "demo")).collect::<Vec<_>>()[..] {
                    [child] => return child,
                    ref others => assert!(Instant::now() < until, "{of} has the children {others:?}"),
                }
            }
        };
        let alpha = demo(self.terminal.pid().as_raw());
        let janitor = demo(alpha);
        let members = children(janitor).into_iter().map(Pid::from_raw).collect();
        (Pid::from_raw(alpha), Pid::from_raw(janitor), members)
    }
}

/// Whether a process was started with this word.
fn says(pid: i32, word: &str) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).any(|said| said == word.as_bytes())
}

fn children(parent: i32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        parent_of == Some(parent)
    })
    .collect()
}

/// The processes whose environment names the folder: all of a demo's, since it is their TMPDIR.
fn processes_of(folder: &Path) -> Vec<i32> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(folder.len()).any(|window| window == folder)
    })
    .collect()
}

fn nothing_left(folder: &Path) {
    let until = Instant::now() + PATIENCE;
    loop {
        let files: Vec<_> =
            std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()).collect();
        let processes = processes_of(folder);
        if files.is_empty() && processes.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "left behind: {files:?}, processes {processes:?}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn u9_s4_an_arbiter_that_nobody_reaches_does_not_stop_a_healthy_pair_in_the_demo() {
    let mut demo = Demo::leased();
    demo.terminal.press("f");
    demo.terminal.shows("arbiter: nobody reaches it");
    demo.terminal.press("a");
    demo.third_row("PROTECTED by fence + beta's grant");
    demo.first_row("acts");
    demo.terminal.press("f");
    demo.terminal.shows("back: the arbiter answers again");
    demo.terminal.press("b");
    // Whoever goes on by grants does so until the role moves: a lease brings a new term with it.
    demo.terminal.shows("The arbiter answers again");
    demo.leave();
}

#[test]
fn u9_a_crash_of_who_acts_a_takeover_and_a_restart() {
    let mut demo = Demo::with_beta_acting();
    demo.terminal.shows("f, c: beta crashes");
    demo.terminal.fault("c");
    demo.terminal.shows("beta was killed. Next: f, r: beta starts anew");
    demo.first_row("■ PRIMARY");
    demo.second_row("CRASHED");
    demo.says("beta ○ KILLED");
    demo.terminal.fault("r");
    demo.terminal.shows("beta starts anew");
    demo.second_row("○ SECONDARY");
    demo.says("beta ○ SECONDARY");
    demo.leave();
}

#[test]
fn u9_a_frozen_primary_is_taken_over_from_and_wakes_up_as_secondary() {
    let mut demo = Demo::with_beta_acting();
    demo.terminal.fault("z");
    demo.terminal.shows("beta is frozen");
    demo.says("beta ? FROZEN");
    demo.first_row("■ PRIMARY");
    demo.second_row("SILENT");
    demo.terminal.shows("f, t: it wakes up");
    demo.terminal.fault("t");
    demo.terminal.shows("beta goes on");
    demo.says("beta ○ SECONDARY");
    demo.third_row("ONE ACTS");
    demo.leave();
}

#[test]
fn u9_a_cut_link_makes_both_of_a_pair_act_until_it_is_mended() {
    let mut demo = Demo::start(&[]);
    demo.says("beta ○ SECONDARY");
    demo.terminal.fault("l");
    demo.terminal.shows("beta's link is cut. Wait 3 s: nothing protects a pair");
    demo.second_row("SILENT");
    demo.says("beta ■ PRIMARY");
    demo.first_row("■ PRIMARY");
    demo.terminal.shows("Both act! Next: f, m: the lower term gives way");
    demo.terminal.shows("0 of 1 paths up");
    demo.terminal.fault("m");
    demo.terminal.shows("beta's link is whole");
    // Beta has the higher term.
    demo.first_row("○ SECONDARY");
    demo.second_row("■ PRIMARY");
    demo.third_row("ONE ACTS");
    demo.leave();
}

#[test]
fn u9_a_slow_link_shows_in_the_round_trip_and_moves_nobody() {
    let mut demo = Demo::start(&[]);
    demo.says("beta ○ SECONDARY");
    demo.terminal.fault("s");
    demo.terminal.shows("beta's link is slow");
    demo.says("its link is slow");
    demo.terminal.until("a round trip of 300 ms and more", |text| {
        let times = text.split(" ms").filter_map(|before| before.rsplit(' ').next()?.parse::<f64>().ok());
        times.into_iter().any(|ms| (300.0..1500.0).contains(&ms))
    });
    demo.first_row("■ PRIMARY");
    demo.third_row("ONE ACTS");
    demo.leave();
}

#[test]
fn u9_h9_a_process_that_is_kept_dead_makes_the_score_fall_and_the_other_take_over() {
    let mut demo = Demo::with_beta_acting();
    demo.terminal.fault("d");
    demo.terminal.shows("beta's historian is kept dead");
    demo.first_row("■ PRIMARY");
    demo.says("beta ○ SECONDARY");
    demo.terminal.shows("Sick, it does not act. Next: f, h: heal");
    demo.terminal.fault("h");
    demo.terminal.shows("beta's processes are well");
    // One that dies once is started again, and moves nobody.
    demo.terminal.fault("k");
    demo.terminal.shows("beta's historian");
    demo.first_row("■ PRIMARY");
    demo.third_row("ONE ACTS");
    demo.leave();
}

#[test]
fn u9_h9_a_leak_and_late_answers_make_the_other_take_over_too() {
    for (key, text) in [("e", "beta's historian leaks"), ("g", "beta's processes lag")] {
        let mut demo = Demo::with_beta_acting();
        demo.terminal.fault(key);
        demo.terminal.shows(text);
        demo.first_row("■ PRIMARY");
        demo.says("beta ○ SECONDARY");
        demo.leave();
    }
}

#[test]
fn u9_s2_with_fence_who_is_cut_off_or_frozen_is_switched_off_before_the_other_acts() {
    let mut demo = Demo::start(&["--protection", "fence"]);
    demo.says("beta ○ SECONDARY");
    demo.terminal.fault("z");
    demo.terminal.shows("f, r: beta starts anew");
    demo.third_row("ONE ACTS");
    demo.first_row("■ PRIMARY");
    demo.terminal.fault("r");
    demo.says("beta ○ SECONDARY");
    demo.leave();
}

#[test]
fn u9_in_three_with_majority_the_member_that_is_cut_off_stops_and_the_others_go_on() {
    let mut demo = Demo::three();
    demo.terminal.act("s");
    demo.first_row("○ SECONDARY");
    let who = |text: &str| {
        let strip = text.lines().rev().nth(3).unwrap_or_default().to_owned();
        [("beta", "1"), ("gamma", "2")].into_iter().find(|(name, _)| strip.contains(&format!("{name} ■ PRIMARY")))
    };
    let (acts, member) = who(&demo.terminal.until("another acts", |text| who(text).is_some())).expect("waited for");
    demo.terminal.press("f");
    demo.terminal.shows("crash: its process is killed");
    demo.terminal.press(member);
    demo.terminal.shows(&format!("Do to {acts}"));
    demo.terminal.press("l");
    demo.terminal.shows(&format!("{acts}'s link is cut"));
    demo.says(&format!("{acts} ○ SECONDARY"));
    demo.terminal.until("one of the other two acts", |text| {
        let strip = text.lines().rev().nth(3).unwrap_or_default().to_owned();
        strip.matches('■').count() == 1 && !strip.contains(&format!("{acts} ■"))
    });
    demo.terminal.shows("A minority never acts");
    demo.terminal.fault("m");
    demo.third_row("ONE ACTS");
    demo.leave();
}

#[test]
fn u9_in_three_each_can_be_chosen_and_a_crash_of_one_moves_nobody() {
    let mut demo = Demo::three();
    demo.terminal.fault("2c");
    demo.terminal.shows("gamma was killed");
    demo.says("gamma ○ KILLED");
    demo.says("alpha ■ PRIMARY");
    demo.says("beta ○ SECONDARY");
    demo.terminal.fault("r");
    demo.says("gamma ○ SECONDARY");
    demo.leave();
}

#[test]
fn u9_nothing_is_left_after_a_signal_to_the_demo() {
    for (signal, fault) in [(Signal::SIGTERM, "c"), (Signal::SIGHUP, "z"), (Signal::SIGINT, "l")] {
        let mut demo = Demo::start(&[]);
        demo.terminal.fault(fault);
        kill(demo.terminal.pid(), signal).expect("told");
        assert_eq!(demo.terminal.exit(), 0, "{signal}");
        let until = Instant::now() + PATIENCE;
        while demo.terminal.screen().alternate_screen() {
            // What was written last is still being read.
            assert!(Instant::now() < until, "{signal}: the terminal is given back");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        nothing_left(demo.temp.path());
    }
}

#[test]
fn u9_nothing_is_left_after_a_kill_of_any_process_of_the_demo() {
    // The stand-in, and alpha with the screen; each with a member that cannot end by itself.
    let of_stand_in = |demo: &Demo| demo.terminal.pid();
    let of_alpha = |demo: &Demo| demo.processes().0;
    for of in [&of_stand_in as &dyn Fn(&Demo) -> Pid, &of_alpha] {
        let mut demo = Demo::three();
        demo.terminal.fault("z");
        demo.terminal.shows("is frozen");
        kill(of(&demo), Signal::SIGKILL).expect("killed");
        nothing_left(demo.temp.path());
    }

    // The janitor: the kernel kills its members, and the demo says that it is over.
    let mut demo = Demo::start(&[]);
    demo.terminal.fault("z");
    demo.terminal.shows("is frozen");
    let (_, janitor, members) = demo.processes();
    assert_eq!(members.len(), 1);
    kill(janitor, Signal::SIGKILL).expect("killed");
    demo.terminal.shows("the demo's janitor is gone");
    demo.leave();

    // A member: as a crash.
    let demo = Demo::start(&[]);
    demo.says("beta ○ SECONDARY");
    let (_, _, members) = demo.processes();
    kill(members[0], Signal::SIGKILL).expect("killed");
    demo.second_row("CRASHED");
    demo.says("beta ? NO ANSWER");
    demo.leave();
}

#[test]
fn u9_the_strip_and_the_lesson_fit_a_small_terminal() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut terminal =
        Terminal::start(TANDEM, &["demo", "--members", "5", "--protection", "majority"], (60, 14), temp.path());
    terminal.shows("epsilon");
    terminal.until("a strip of five", |text| {
        text.lines().rev().nth(3).is_some_and(|row| row.contains("epsilon ○") && row.len() <= 80)
    });
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    nothing_left(temp.path());
}

//! `tandem soak` as users run it: a short one finds nothing and says what it reached, one seed is run again, and Ctrl-C
//! ends a long one early with the same summary.

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn soak(arguments: &[&str]) -> Output {
    support::tandem(&[&["soak"], arguments].concat()).output().expect("the program starts")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the summary is text")
}

#[test]
fn a_short_soak_finds_nothing_and_says_what_it_reached() {
    let output = soak(&["--seconds", "1", "--seed", "1"]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in [" cores, seeds from 1\n", "schedules ", " a second\n", "found                       0\n", "rule: "] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    assert!(output.stderr.is_empty(), "no line of progress where there is no terminal");
}

#[test]
fn one_seed_is_run_again_and_is_the_same_each_time() {
    let (first, second) = (soak(&["--seed", "7"]), soak(&["--seed", "7"]));
    assert_eq!(first.status.code(), Some(0), "{}", text(&first));
    assert!(text(&first).starts_with("seed 7: ") && text(&first).contains("nothing found"), "{}", text(&first));
    assert_eq!(text(&first), text(&second));
}

#[test]
fn s10_promises_to_a_lesser_candidate_run_out_before_the_better_one_may_act() {
    // Found by a long soak: five of whom three had promised the lesser one when the better one could be one again.
    let output = soak(&["--seed", "212755499128649"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn neither_a_time_nor_a_seed_is_wrong_usage() {
    let output = soak(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ctrl_c_ends_a_long_soak_early_with_the_same_summary() {
    let mut command = support::tandem(&["soak", "--seconds", "600", "--seed", "1"]);
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("the program starts");
    // Its threads are there, so Ctrl-C is listened for.
    let status = format!("/proc/{}/task", child.id());
    while std::fs::read_dir(&status).map_or(0, Iterator::count) < 2 {
        assert!(child.try_wait().expect("it can be asked").is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process number"));
    kill(pid, Signal::SIGINT).expect("it lives");
    let mut summary = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    out.read_line(&mut summary).expect("it prints");
    out.read_to_string(&mut summary).expect("it prints");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{summary}");
    assert!(summary.contains("seeds from 1\n") && summary.contains("rule: "), "{summary}");
}

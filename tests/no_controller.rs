//! The commands that need a controller, when none answers: exit status 3, said on standard error (commands.md).

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(60);

fn command(folder: &std::path::Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.args(words).arg("--socket").arg(folder.join("none.sock"));
    command.env_remove("TANDEM_CONFIG").env_remove("TANDEM_MEMBER");
    command
}

fn tandem(folder: &std::path::Path, words: &[&str]) -> Output {
    command(folder, words).output().expect("it starts")
}

#[test]
fn u7_no_controller_answers_is_exit_status_3() {
    let folder = tempfile::tempdir().expect("a folder");
    for words in [
        &["status"][..],
        &["status", "--json"],
        &["status", "--watch"],
        &["failover", "--yes"],
        &["step-down", "--yes", "--force"],
        &["hold", "--for", "1h"],
        &["resume"],
        &["shutdown", "--yes"],
        &["fence", "alpha", "--yes"],
        &["restart", "plant-control"],
        &["stop", "plant-control"],
        &["start", "plant-control"],
        &["ping", "-c", "1"],
        &["events"],
        &["explain"],
    ] {
        let output = tandem(folder.path(), words);
        assert_eq!(output.status.code(), Some(3), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("no controller answers"), "{words:?}: {errors}");
    }
}

#[test]
fn a_frozen_controller_does_not_hang_a_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let _frozen = std::os::unix::net::UnixListener::bind(folder.path().join("none.sock")).expect("it listens");
    let output = tandem(folder.path(), &["status"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"));
}

/// Each stop ends the wait for a reply early; what is left of it goes on.
#[test]
fn a_command_that_is_stopped_and_continued_again_and_again_gives_up_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let _frozen = std::os::unix::net::UnixListener::bind(folder.path().join("none.sock")).expect("it listens");
    let mut waits = command(folder.path(), &["status"]).stderr(Stdio::null()).spawn().expect("it starts");
    let pid = Pid::from_raw(i32::try_from(waits.id()).expect("a pid"));
    let ended = wait_for(PATIENCE, || {
        // It is not reaped yet, so its pid is still its own.
        kill(pid, Signal::SIGSTOP).expect("it is there");
        std::thread::sleep(Duration::from_millis(20));
        kill(pid, Signal::SIGCONT).expect("it is there");
        std::thread::sleep(Duration::from_millis(200));
        waits.try_wait().expect("its own child")
    });
    let Some(status) = ended else {
        waits.kill().and_then(|()| waits.wait()).expect("its own child");
        panic!("it waits still");
    };
    assert_eq!(status.code(), Some(3));
}

/// Asks until there is something, at most for so long.
fn wait_for<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        let found = ask();
        if found.is_some() || Instant::now() >= end {
            return found;
        }
    }
}

/// A monitoring plugin that is called wrongly must not say "critical", which is 2 for `status` alone.
#[test]
fn u7_wrong_usage_is_exit_status_3_for_status_and_2_for_all_others() {
    let folder = tempfile::tempdir().expect("a folder");
    for (words, status) in [
        (&["status", "--nonsense"][..], 3),
        (&["status", "more", "words"], 3),
        (&["--as", "alpha", "status", "--nonsense"], 3),
        (&["status", "--help"], 0),
        (&["failover", "--nonsense"], 2),
        (&["events", "--as"], 2),
        (&["nonsense"], 2),
    ] {
        let output = tandem(folder.path(), words);
        assert_eq!(output.status.code(), Some(status), "{words:?}");
        assert_eq!(output.stderr.is_empty(), status == 0, "{words:?}");
    }
    for words in [&["events"][..], &["explain"], &["failover", "--yes"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args(words)
            .args(["--config", "no-such-file.toml"])
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

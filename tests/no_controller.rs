//! The commands that need a controller, when none answers: exit status 3, said on standard error (commands.md).

use std::process::{Command, Output};

fn tandem(folder: &std::path::Path, words: &[&str]) -> Output {
    let socket = folder.join("none.sock");
    Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(words)
        .arg("--socket")
        .arg(socket)
        .env_remove("TANDEM_CONFIG")
        .env_remove("TANDEM_MEMBER")
        .output()
        .expect("it starts")
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

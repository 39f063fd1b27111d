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
        &["ping", "-c", "1"],
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

//! The commands about configuration and packaging as users run them: `check`, `keygen`, `completions`, `man`; and the
//! files that are handed over with the program: the unit, the examples, the test command.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Folder, Part, output, require, stderr, stdout, tandem, temporary_folder, write};

const PAIR: &str = "group = \"g\"\n\
    [[member]]\nname = \"alpha\"\naddresses = [\"127.0.0.1:7400\"]\n\
    [[member]]\nname = \"beta\"\naddresses = [\"127.0.0.2:7400\"]\n\
    [security]\nkey_file = \"group.key\"\n[state]\ndirectory = \"state/{member}\"\n";

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are plain")
}

/// A folder with a good pair and its key.
fn good_pair() -> (Folder, PathBuf) {
    let folder = temporary_folder();
    let file = write(folder.path(), "tandem.toml", PAIR);
    let made = output(&["keygen", text(&folder.path().join("group.key"))]);
    assert!(made.status.success(), "{}", stderr(&made));
    (folder, file)
}

fn document(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = output(arguments);
    let document = serde_json::from_slice(&output.stdout).expect("exactly one JSON document");
    (output.status.code(), document)
}

#[test]
fn u7_a_reader_that_is_gone_changes_no_exit_status() {
    for arguments in
        [&["check", "/etc/hostname"][..], &["explain", "--config", "/nowhere"], &["rehearse", "--scenario", "?"]]
    {
        let told = output(arguments).status.code();
        let closed = || std::io::pipe().map(|(_, writer)| writer).expect("a pipe");
        let untold = tandem(arguments).stdout(closed()).stderr(closed()).status().expect("the binary starts").code();
        assert_eq!(untold, told, "{arguments:?}");
        assert_ne!(told, Some(0), "{arguments:?}");
    }
}

#[test]
fn u7_check_of_a_good_pair_says_so_names_what_is_unwise_and_ends_with_0() {
    let (_folder, file) = good_pair();
    let output = output(&["check", text(&file)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("nothing wrong") && said.contains("UNPROTECTED"), "{said}");
}

#[test]
fn u7_check_strict_fails_on_what_is_unwise() {
    let (_folder, file) = good_pair();
    assert_eq!(output(&["check", "--strict", text(&file)]).status.code(), Some(1));
}

#[test]
fn u7_check_json_is_one_document() {
    let (_folder, file) = good_pair();
    let (code, found) = document(&["check", "--json", text(&file)]);
    assert_eq!(code, Some(0));
    assert_eq!((&found["ok"], &found["errors"]), (&Value::Bool(true), &Value::Array(vec![])));
    assert_eq!(found["unwise"][0]["key"], "takeover.protection");
}

#[test]
fn u7_check_names_file_line_column_and_the_nearest_key_and_ends_with_1() {
    let folder = temporary_folder();
    let file =
        write(folder.path(), "t.toml", &format!("{PAIR}[negotiation]\nreply_timout = \"3s\"\nboot_timeout = 3\n"));
    let found = output(&["check", text(&file)]);
    assert_eq!(found.status.code(), Some(1));
    assert_eq!(stdout(&found), "");
    let said = stderr(&found);
    assert!(said.contains("t.toml:13:1: unknown key `reply_timout` in [negotiation]"), "{said}");
    assert!(said.contains("did you mean `reply_timeout`?") && said.contains("t.toml:14:16: "), "{said}");

    let (code, found) = document(&["check", "--json", text(&file)]);
    assert_eq!(code, Some(1));
    let first = &found["errors"][0];
    assert_eq!((&first["line"], &first["column"]), (&Value::from(13), &Value::from(1)));
    assert_eq!((&first["key"], &found["ok"]), (&Value::from("negotiation.reply_timout"), &Value::Bool(false)));
}

#[test]
fn s8_check_without_a_key_names_the_command_that_makes_one() {
    let folder = temporary_folder();
    let file = write(folder.path(), "tandem.toml", PAIR);
    let found = output(&["check", text(&file)]);
    assert_eq!(found.status.code(), Some(1));
    let said = stderr(&found);
    assert!(said.contains("tandem keygen ") && said.contains("\n1 error\n"), "{said}");
}

#[test]
fn p1_h1_s2_bad_processes_weights_and_agents_are_clear_errors_at_check_and_at_start() {
    let of_the_machine = [
        ("[[process]]\nname = \"p\"\ncommand = [\"/nonexistent/p\"]\n", "there is no program /nonexistent/p"),
        ("[[process]]\nname = \"p\"\ncommand = [\"sh\"]\nuser = \"no-such-user\"\n", "no user \"no-such-user\""),
        ("[fence.beta]\nagent = \"/etc/passwd\"\n", "/etc/passwd is not executable"),
    ];
    let of_the_file = [
        ("[health.weights]\nmemory = -0.1\n", "-0.1 is out of range"),
        ("[health.weights]\nrestarts = 0\nresponse_time = 0\nmemory = 0\n", "all weights are 0"),
        ("[[process]]\nname = \"p\"\ncommand = [\"sh\"]\nheartbeat = { kind = \"ping\" }\n", "\"ping\" is not known"),
    ];
    for (more, part) in of_the_machine.into_iter().chain(of_the_file) {
        let (folder, _) = good_pair();
        let file = write(folder.path(), "bad.toml", &format!("{PAIR}{more}"));
        for arguments in [
            &["check", "--as", "alpha", text(&file)][..],
            &["run", "--headless", "--as", "alpha", "--config", text(&file)],
        ] {
            let found = output(arguments);
            let said = stderr(&found);
            assert_eq!(found.status.code(), Some(1), "{arguments:?} {said}");
            assert!(said.contains(part) && said.contains("bad.toml:1") && said.contains("help: "), "{said}");
        }
        assert!(!folder.path().join("state").exists(), "the start left something behind");
    }
}

#[test]
fn s8_check_sees_a_key_that_others_can_read() {
    let (folder, file) = good_pair();
    let key = folder.path().join("group.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let (code, found) = document(&["check", "--json", "--as", "beta", text(&file)]);
    assert_eq!(code, Some(0));
    let unwise = found["unwise"].as_array().expect("a list");
    assert!(unwise.iter().any(|one| one["key"] == "security.key_file" && one["line"] == 9), "{found}");
}

#[test]
fn n8_check_takes_the_file_from_config_and_the_environment_and_knows_its_members() {
    let (_folder, file) = good_pair();
    assert_eq!(output(&["check", "--config", text(&file)]).status.code(), Some(0));
    let from_environment = tandem(&["check"]).env("TANDEM_CONFIG", &file).output().expect("it starts");
    assert_eq!(from_environment.status.code(), Some(0));
    let wrong = output(&["check", "--as", "gamma", text(&file)]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("alpha, beta"), "{}", stderr(&wrong));
}

#[test]
fn n8_check_on_a_foreign_machine_says_what_it_did_not_look_at() {
    let (code, found) = document(&["check", "--json", text(&repository().join("config/pair.toml"))]);
    // Where this machine happens to have one of the addresses, its key may be missing, and there is nothing to test.
    if code == Some(0) {
        assert_eq!(found["left_out"].as_array().map(Vec::len), Some(1), "{found}");
    }
}

#[test]
fn u7_check_of_a_missing_file_says_what_to_do() {
    let found = output(&["check", "/nonexistent/tandem.toml"]);
    assert_eq!(found.status.code(), Some(1));
    assert!(stderr(&found).contains("--config FILE"), "{}", stderr(&found));
    assert_eq!(document(&["check", "--json", "/nonexistent/tandem.toml"]).1["errors"][0]["line"], Value::Null);
}

#[test]
fn u7_wrong_usage_ends_with_2() {
    assert_eq!(output(&["check", "--strickt"]).status.code(), Some(2));
    assert_eq!(output(&["keygen"]).status.code(), Some(2));
}

#[test]
fn s8_keygen_makes_a_private_key_and_never_overwrites() {
    let folder = temporary_folder();
    let key = folder.path().join("group.key");
    let made = output(&["keygen", text(&key)]);
    assert_eq!(made.status.code(), Some(0));
    let content = std::fs::read_to_string(&key).expect("a key");
    assert_eq!(std::fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);
    let digits = content.lines().last().expect("a line");
    assert!(!stdout(&made).contains(digits) && digits.len() == 64);

    let again = output(&["keygen", text(&key)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("left as it is"), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(&key).expect("a key"), content);

    let nowhere = output(&["keygen", text(&folder.path().join("no-such-folder/group.key"))]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert_eq!(stderr(&nowhere).matches("os error 2").count(), 1, "each cause is told once: {}", stderr(&nowhere));
}

#[test]
fn u7_completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(&["completions", shell]);
        assert!(script.status.success() && stdout(&script).contains("failover"), "{shell}");
    }
}

#[test]
fn u7_a_man_page_for_every_command() {
    let folder = temporary_folder();
    let directory = folder.path().join("man1");
    assert!(output(&["man", text(&directory)]).status.success());
    for page in ["tandem.1", "tandem-failover.1", "tandem-check.1", "tandem-step-down.1"] {
        let page = std::fs::read_to_string(directory.join(page)).expect(page);
        assert!(page.contains(".TH tandem"), "{page}");
    }
    assert!(stdout(&output(&["man"])).contains(".SH NAME"));
}

#[test]
fn u7_every_command_has_help_with_an_example_or_needs_none() {
    let help = stdout(&output(&["--help"]));
    for command in ["run", "attach", "status", "failover", "step-down", "hold", "resume", "shutdown", "ping", "events"]
        .into_iter()
        .chain(["explain", "check", "reload", "keygen", "demo", "completions", "man"])
    {
        assert!(help.contains(command), "{command}");
        let own = stdout(&output(&[command, "--help"]));
        assert!(own.contains(&format!("Example: tandem {command}")), "{own}");
    }
}

#[test]
fn u3_the_unit_file_is_one_that_systemd_accepts() {
    if !require(Part::SystemdAnalyze) {
        return;
    }
    // The unit names the installed program; a copy that names this one can be checked before it is installed.
    let folder = temporary_folder();
    let unit = std::fs::read_to_string(repository().join("assets/tandem.service")).expect("the unit");
    let copy = write(folder.path(), "tandem.service", &unit.replace("/usr/bin/tandem", support::binary()));
    let verify = Command::new("systemd-analyze").args(["verify", "--man=no", text(&copy)]).output().expect("it starts");
    // It also speaks of other units of the machine, which are not ours to judge.
    let ours: Vec<String> = stderr(&verify).lines().filter(|line| line.contains("tandem")).map(str::to_owned).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn u3_the_unit_file_says_what_the_program_relies_on() {
    let unit = std::fs::read_to_string(repository().join("assets/tandem.service")).expect("the unit");
    for line in [
        "Type=notify",
        "ExecStart=/usr/bin/tandem run --headless",
        "WatchdogSec=10s",
        "StateDirectory=tandem",
        "ExecReload=/usr/bin/tandem reload",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn n8_an_empty_environment_variable_is_none() {
    let mut command = support::tandem(&["check", "--json"]);
    command.env("TANDEM_CONFIG", "").env("TANDEM_MEMBER", "");
    let output = command.output().expect("the binary starts");
    let said = support::stdout(&output) + &support::stderr(&output);
    assert!(said.contains("/etc/tandem/tandem.toml"), "{said}");
}

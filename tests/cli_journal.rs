//! `tandem events` and `tandem explain` as users run them, on journals that a controller could have written.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tandem::journal::entry::AlarmChange;
use tandem::journal::{Entry, Journal, JournalIdentity};
use tandem::negotiation::ability::{Ability, Score};
use tandem::negotiation::decision::{AnswerEvidence, Decision, PeerEvidence, Rule};
use tandem::negotiation::event::{Event, Severity};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::{Incarnation, Mode};
use tandem::negotiation::term::Term;
use tandem::negotiation::time::Instant;
use tandem::node::state::StateStore;

const CONFIG: &str = r#"
group = "plant-7"

[[member]]
name = "alpha"
addresses = ["127.0.0.1:7400"]

[[member]]
name = "beta"
addresses = ["127.0.0.2:7400"]

[security]
mode = "none"

[state]
directory = "state/{member}"
"#;

/// A member's folder with its configuration; it goes when the test ends.
struct Member {
    root: tempfile::TempDir,
}

impl Member {
    fn new() -> Member {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("tandem.toml"), CONFIG).unwrap();
        Member { root }
    }

    fn state(&self) -> PathBuf {
        self.root.path().join("state/beta")
    }

    fn journal(&self) -> Journal {
        let who = JournalIdentity {
            node: "beta".into(),
            group: "plant-7".to_owned(),
            version: "0.1.0".to_owned(),
            incarnation: Incarnation(7),
        };
        Journal::open(&self.state(), 0, who).unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.args(words).env_remove("TANDEM_CONFIG").env_remove("TANDEM_MEMBER").env("TZ", "UTC");
        command.arg("--config").arg(self.root.path().join("tandem.toml")).args(["--as", "beta"]);
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn stdout(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The story most tests tell: booted, alpha acted, alpha fell silent, beta acts.
    fn with_a_takeover() -> Member {
        let member = Member::new();
        let journal = member.journal();
        journal.record(Entry::Started {
            node: "beta".into(),
            group: "plant-7".to_owned(),
            version: "0.1.0".to_owned(),
            incarnation: "0007".to_owned(),
            last_alive_ms: None,
        });
        journal.record(Entry::Decision(booted()));
        journal.record(Entry::Event(Event::PeerPrimary { peer: "alpha".into(), term: term(7, 0) }));
        journal.record(Entry::Alarm {
            id: "peer_lost".to_owned(),
            class: Severity::Alarm,
            text: "alpha is not heard".to_owned(),
            change: AlarmChange::Raised,
        });
        journal.record(Entry::TakingOver(silent()));
        journal.record(Entry::Decision(silent()));
        journal.record(Entry::Action {
            by: "anna\u{1b}[2J".to_owned(),
            what: "hold".to_owned(),
            outcome: "done".to_owned(),
        });
        journal.close();
        member
    }
}

fn term(number: u64, owner: u8) -> Term {
    Term { number, owner: MemberId(owner) }
}

fn booted() -> Decision {
    Decision {
        at: Instant(0),
        rule: Rule::Booted,
        mode: Mode::Secondary,
        term: term(6, 0),
        evidence: Vec::new(),
        protection: Default::default(),
    }
}

fn silent() -> Decision {
    Decision {
        at: Instant(90_000_000_000),
        rule: Rule::PeerSilent { peer: "alpha".into(), silent_for: Duration::from_secs(3) },
        mode: Mode::Primary,
        term: term(8, 1),
        evidence: vec![PeerEvidence {
            name: "alpha".into(),
            link_up: false,
            heard: Some(Duration::from_millis(3_004)),
            mode: Some((Mode::Primary, term(7, 0))),
            able: Some(Ability::Fit),
            score: Some(Score::from(0.97)),
            answer: Some(AnswerEvidence { be_primary: false, asked: Duration::from_secs(4), proposed: 8 }),
        }],
        protection: Default::default(),
    }
}

/// Ends a child also when the test fails before it does.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether `claim` holds before a generous deadline.
fn soon(mut claim: impl FnMut() -> bool) -> bool {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !claim() {
        if std::time::Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn events_prints_a_line_an_event_in_columns() {
    let member = Member::with_a_takeover();
    let text = member.stdout(&["events"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 7);
    let ends = [
        "  note     started            tandem 0.1.0 started as beta of plant-7",
        "  note     decision           Secondary, term 6: a controller boots as Secondary",
        "  note     peer_primary       alpha is Primary, term 7",
        "  ALARM    alarm_raised       alpha is not heard",
        "  warning  taking_over        taking over, term 8: alpha silent for 3.0 s",
        "  warning  decision           Primary, term 8: alpha silent for 3.0 s",
        "  note     action             anna\\u{1b}[2J: hold: done",
    ];
    for (line, end) in lines.iter().zip(ends) {
        assert_eq!(&line[23..], end);
        assert_eq!((&line[10..11], &line[19..20]), (" ", "."), "a date, a time with milliseconds: {line}");
    }
}

#[test]
fn events_of_a_kind_or_since_a_time_are_chosen() {
    let member = Member::with_a_takeover();
    assert_eq!(member.stdout(&["events", "--kind", "decision"]).lines().count(), 2);
    assert_eq!(member.stdout(&["events", "--kind", "alarm"]).lines().count(), 1);
    assert_eq!(member.stdout(&["events", "--kind", "peer-primary"]).lines().count(), 1);
    assert_eq!(member.stdout(&["events", "--since", "1h"]).lines().count(), 7);
    assert_eq!(member.stdout(&["events", "--since", "2099-01-01"]), "");
    for wrong in [["events", "--kind", "nonsense"], ["events", "--since", "nonsense"], ["explain", "--at", "nonsense"]]
    {
        let output = member.run(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nonsense"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn events_json_is_one_document() {
    let member = Member::with_a_takeover();
    let events: Value = serde_json::from_str(&member.stdout(&["events", "--json"])).unwrap();
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), 7);
    assert_eq!(events[5]["seq"], 6);
    assert_eq!(events[5]["kind"], "decision");
    assert_eq!(events[5]["severity"], "warning");
    assert_eq!(events[5]["node"], "beta");
    assert_eq!(events[5]["text"], silent().text());
    assert_eq!(events[5]["entry"]["term"]["number"], 8);
    assert!(events[5]["time"].as_str().unwrap().contains('T'));
    assert_eq!(events[6]["entry"]["by"], "anna\u{1b}[2J");
    let none: Value = serde_json::from_str(&member.stdout(&["events", "--json", "--kind", "lost"])).unwrap();
    assert_eq!(none, Value::Array(Vec::new()));
}

#[test]
fn events_follow_prints_what_comes_and_ends_when_nobody_reads_any_more() {
    let member = Member::with_a_takeover();
    let journal = member.journal();
    let mut command = member.command(&["events", "--follow", "--json", "--kind", "action"]);
    let mut child = Reaped(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["seq"], 7);
    journal.record(Entry::Action { by: "bert".to_owned(), what: "resume".to_owned(), outcome: "done".to_owned() });
    let event = next();
    assert_eq!((&event["seq"], &event["entry"]["by"]), (&Value::from(8), &Value::from("bert")));
    // Nothing more is written: the end of the pipe alone must be noticed.
    drop(lines);
    let mut status = None;
    assert!(soon(|| {
        status = child.0.try_wait().unwrap();
        status.is_some()
    }));
    assert!(status.unwrap().success());
    journal.close();
}

#[test]
fn events_into_a_closed_pipe_end_quietly() {
    let member = Member::new();
    let journal = member.journal();
    for _ in 0..1_000 {
        journal.record(Entry::Fault { part: "test".to_owned(), text: "x".repeat(400) });
    }
    journal.close();
    let mut child = Reaped(member.command(&["events"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut first = String::new();
    BufReader::with_capacity(64, child.0.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("test: x"));
    let mut error = String::new();
    std::io::Read::read_to_string(&mut child.0.stderr.take().unwrap(), &mut error).unwrap();
    assert_eq!((child.0.wait().unwrap().code(), error.as_str()), (Some(0), ""));
}

#[test]
fn events_say_what_of_the_journal_could_not_be_read() {
    let member = Member::with_a_takeover();
    let segment = fs::read_dir(member.state().join("journal")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 3]).unwrap();
    let output = member.run(&["events"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 6);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no whole record"));
    // The next start goes on behind; then the tear is in the middle.
    let journal = member.journal();
    journal.record(Entry::Stopped { why: "SIGTERM".to_owned() });
    journal.close();
    let output = member.run(&["events"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 7);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("could not be read") && error.contains("00000001.tandem-journal"), "{error}");
}

#[test]
fn events_pass_over_what_only_has_the_name_of_a_journal() {
    let member = Member::with_a_takeover();
    let named = |number: u64| member.state().join(format!("journal/{number:08}.tandem-journal"));
    fs::create_dir(named(2)).unwrap();
    nix::unistd::mkfifo(&named(3), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // The controller goes on behind them, and its numbers too.
    let journal = member.journal();
    journal.record(Entry::Stopped { why: "SIGTERM".to_owned() });
    journal.close();
    let output = member.run(&["events", "--json"]);
    assert!(output.status.success());
    let events: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let numbers: Vec<u64> = events.as_array().unwrap().iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<u64>>());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    for number in [2, 3] {
        assert!(error.contains(&format!("{number:08}.tandem-journal")) && error.contains("it is no file"), "{error}");
    }
    assert!(member.stdout(&["explain"]).contains("because alpha silent for"));
}

#[test]
fn u4_explain_gives_the_rule_the_evidence_and_what_would_have_changed_it() {
    let member = Member::with_a_takeover();
    let _runs = StateStore::open(&member.state()).unwrap();
    let text = member.stdout(&["explain"]);
    let mut lines = text.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with("beta is Primary, term 8, since 20") && first.ends_with(" ago)"), "{first}");
    assert_eq!(lines.next(), Some("because alpha silent for 3.0 s"));
    assert_eq!(lines.next(), Some("rule    peer_silent, clause N4"));
    let decided = lines.next().unwrap();
    assert!(decided.starts_with("decided 20") && decided.contains(", on disk and done "), "{decided}");
    let rest: Vec<&str> = lines.collect();
    let expected = [
        "",
        "What was known then",
        "  alpha  no link, last heard 3.0 s before, as Primary, term 7",
        "         its last answer: stay Secondary, to the question of 4.0 s before, for term 8",
        "         fit, health 0.97",
        "",
        "What would have changed it",
        "  one word from alpha within negotiation.reply_timeout, on any path",
        "  a hold of the group, or a protection that was not met",
    ];
    assert_eq!(rest, expected);
}

#[test]
fn u4_explain_reaches_back_by_number_and_by_time() {
    let member = Member::with_a_takeover();
    let earlier = member.stdout(&["explain", "--change", "2"]);
    assert!(earlier.starts_with("beta was Secondary, from 20"), "{earlier}");
    assert!(earlier.contains("rule    booted, clause N1"), "{earlier}");
    let latest = member.stdout(&["explain", "--at", "2099-01-01"]);
    assert!(latest.contains("rule    peer_silent, clause N4"), "{latest}");
    let output = member.run(&["explain", "--at", "2001-01-01"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it begins later"));
    let output = member.run(&["explain", "--change", "3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--change 1 to 2"));
}

#[test]
fn u4_explain_json_is_one_document() {
    let member = Member::with_a_takeover();
    let document: Value = serde_json::from_str(&member.stdout(&["explain", "--json"])).unwrap();
    assert_eq!(document["node"], "beta");
    assert_eq!(document["mode"], "primary");
    assert_eq!(document["term"], 8);
    assert_eq!((&document["rule"], &document["clause"]), (&Value::from("peer_silent"), &Value::from("N4")));
    assert_eq!(document["text"], silent().rule.text());
    assert_eq!((&document["until"], &document["standing"]), (&Value::Null, &Value::from("vanished")));
    assert_eq!(document["evidence"][0]["peer"], "alpha");
    assert_eq!(document["otherwise"].as_array().unwrap().len(), 2);
    let decision: Decision = serde_json::from_value(document["decision"].clone()).unwrap();
    assert_eq!(decision, silent());
}

#[test]
fn a_member_that_does_not_run_is_not_said_to_be_primary() {
    let member = Member::with_a_takeover();
    let text = member.stdout(&["explain"]);
    assert!(text.starts_with("beta was Primary, term 8, from "), "{text}");
    assert!(text.contains("it does not run now, and it left no word of its end\n"), "{text}");
    let journal = member.journal();
    journal.record(Entry::Stopped { why: "SIGTERM".to_owned() });
    journal.close();
    let text = member.stdout(&["explain"]);
    assert!(text.starts_with("beta was Primary, term 8, from "), "{text}");
    assert!(text.contains("), when it was stopped\n"), "{text}");
}

#[test]
fn n1_a_member_that_was_started_again_is_not_said_to_be_what_it_was_before() {
    let member = Member::with_a_takeover();
    let journal = member.journal();
    journal.record(Entry::Started {
        node: "beta".into(),
        group: "plant-7".to_owned(),
        version: "0.1.0".to_owned(),
        incarnation: "00ff".to_owned(),
        last_alive_ms: None,
    });
    journal.close();
    let _runs = StateStore::open(&member.state()).unwrap();
    let text = member.stdout(&["explain"]);
    assert!(text.starts_with("beta is Secondary, since 20"), "{text}");
    assert!(text.contains("rule    booted, clause N1"), "{text}");
    let before = member.stdout(&["explain", "--change", "2"]);
    assert!(before.starts_with("beta was Primary, term 8, from "), "{before}");
}

#[test]
fn without_a_journal_or_a_change_both_say_what_to_do() {
    let member = Member::new();
    for words in [["events"], ["explain"]] {
        let output = member.run(&words);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("there is no journal in") && error.contains("first runs"), "{error}");
    }
    let journal = member.journal();
    journal.record(Entry::Stopped { why: "SIGTERM".to_owned() });
    journal.close();
    let output = member.run(&["explain"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("tandem run"));
}

#[test]
fn the_journal_of_a_running_controller_is_found_through_its_socket() {
    let member = Member::with_a_takeover();
    let socket = member.root.path().join("control.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let hello = serde_json::json!({
        "reply": "hello", "schema": 1, "node": "beta", "group": "plant-7", "version": "0.1.0",
        "may_operate": false, "you_are": "anna", "state_directory": member.state(),
    });
    let server = std::thread::spawn(move || writeln!(listener.accept().unwrap().0, "{hello}").unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["events", "--socket"])
        .arg(&socket)
        .env_remove("TANDEM_CONFIG")
        .env_remove("TANDEM_MEMBER")
        .output()
        .unwrap();
    server.join().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 7);
}

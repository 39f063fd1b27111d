//! The recording of real controllers is decided again, and is the same (U5).

#[path = "support/group.rs"]
mod group;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/mod.rs"]
mod support;

use group::{Group, NAMES};
use tandem::control::plan::Action;
use tandem::control::request::Outcome;
use tandem::control::status::Mode;
use tandem::journal::{Entry, JournalIdentity, Recorder};
use tandem::negotiation::Negotiator;
use tandem::negotiation::event::Event;
use tandem::negotiation::exchange::{Input, Output};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::Incarnation;
use tandem::negotiation::settings::Settings;
use tandem::negotiation::time::Instant;

use support::tandem;

/// Quick questions and a quick boot. The silence that counts is the usual one: no test here waits for it often, and a
/// busy machine is silent for a second.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"3s\"\nboot_timeout = \"2s\"\n\
                     connect_grace = \"1s\"\n";

/// Replays a member's state directory without a terminal; returns what it prints.
fn replay(group: &Group, member: usize) -> String {
    let output = tandem(&["replay", &group.state(member).display().to_string()]).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {text}\n{}", NAMES[member], support::stderr(&output));
    assert!(text.contains("all decided again, all the same"), "{}: {text}", NAMES[member]);
    text
}

/// Every change of mode that the journal tells is one that the replay decides again, unless the process was killed
/// within the moments that had not been written.
fn decisions(group: &Group, member: usize) -> Vec<String> {
    let decision = |entry: &Entry| matches!(entry, Entry::Decision(_)).then(|| entry.text());
    group.journal(member).iter().filter_map(|record| decision(&record.entry)).collect()
}

#[test]
fn u5_what_a_real_pair_recorded_replays_to_the_same_decisions() {
    let mut pair = Group::new(2, QUICK);
    pair.start_all();
    let first = pair.settle();
    // A hand-over by an operator.
    assert!(matches!(pair.act(first, Action::StepDown), Outcome::Done { .. }));
    assert_eq!(pair.settle(), 1 - first);
    // A hold, and its end.
    assert!(matches!(pair.act(0, Action::Hold { for_ms: 60_000 }), Outcome::Done { .. }));
    pair.wait(1, "beta knows of the hold", |status| status.hold.is_some());
    assert!(matches!(pair.act(1, Action::Resume), Outcome::Done { .. }));
    pair.wait(0, "alpha knows that it is over", |status| status.hold.is_none());
    // A stop.
    let primary = pair.settle();
    assert!(pair.stop(primary).success());
    let other = 1 - primary;
    pair.wait(other, "the other took over", |status| status.mode == Mode::Primary);
    pair.start(primary);
    assert_eq!(pair.settle(), other);
    // A crash.
    pair.kill(other);
    pair.wait(primary, "the first took over", |status| status.mode == Mode::Primary);
    pair.start(other);
    assert_eq!(pair.settle(), primary);
    // While they run, what is on disk replays too; what follows the last word of it may be on its way.
    let running = tandem(&["replay", &pair.state(0).display().to_string()]).output().expect("the binary starts");
    assert!(running.status.success(), "{}", String::from_utf8_lossy(&running.stdout));
    for member in [other, primary] {
        assert!(pair.stop(member).success());
    }
    for member in [0, 1] {
        let text = replay(&pair, member);
        for decision in decisions(&pair, member) {
            assert!(text.contains(&decision), "{}: not replayed: {decision}\n{text}", NAMES[member]);
        }
    }
    let crashed = replay(&pair, other);
    assert!(crashed.contains("ended without a word"), "{crashed}");
    let stopped = replay(&pair, primary);
    assert!(!stopped.contains("ended without a word"), "{stopped}");
}

#[test]
fn u5_what_of_a_recording_cannot_be_read_is_said() {
    let mut pair = Group::new(2, QUICK);
    pair.with_false_recordings();
    pair.start(1);
    pair.wait(1, "beta is Primary", |status| status.mode == Mode::Primary);
    assert!(pair.stop(1).success());
    // A bit of the state turned over on the disk fails its checksum: said, and no decision is made of it.
    let journal = pair.state(1).join("journal");
    let segment = std::fs::read_dir(&journal)
        .expect("a journal")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|end| end == "tandem-inputs"))
        .expect("a recording");
    let mut bytes = std::fs::read(&segment).expect("read");
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let output = tandem(&["replay", &segment.display().to_string()]).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("could not be read") && text.contains("damaged: 1 segment"), "{text}");
    assert!(text.contains("what could be decided again is the same"), "{text}");
    // A script must not take it for sound.
    assert_eq!(output.status.code(), Some(1), "{text}");
    let said = support::stderr(&output);
    assert!(said.contains("1 segment of the recording cannot be read whole"), "{said}");

    let output = tandem(&["replay", "/nonexistent"]).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(support::stderr(&output).contains("/nonexistent cannot be read"), "{}", support::stderr(&output));
}

#[test]
fn u5_what_a_crash_cuts_off_the_end_is_told_and_is_no_failure() {
    let folder = support::temporary_folder();
    record(folder.path(), env!("CARGO_PKG_VERSION"), None);
    let segment = folder.path().join("journal/00000001.tandem-inputs");
    let whole = std::fs::read(&segment).expect("read");
    for torn in [[&whole[..], &[9, 0, 0]].concat(), [&whole[..], &[0; 4096]].concat()] {
        std::fs::write(&segment, torn).expect("written");
        let output = tandem(&["replay", &folder.path().display().to_string()]).output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.contains("all decided again, all the same; cut short at the end: 1 segment"), "{text}");
    }
}

#[test]
fn u5_what_only_has_the_name_of_a_recording_is_named_and_nobody_waits_for_it() {
    let mut folder = support::temporary_folder();
    folder.with_false_recordings();
    record(folder.path(), env!("CARGO_PKG_VERSION"), None);
    let journal = folder.path().join("journal");
    let named = |number: u64| journal.join(format!("{number:08}.tandem-inputs"));
    std::fs::create_dir(named(2)).expect("a directory");
    nix::unistd::mkfifo(&named(3), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    std::fs::write(named(4), []).expect("an empty file");
    let long = std::fs::File::create(named(5)).expect("a file");
    long.set_len(1 << 30).expect("a gigabyte of nothing");
    let output = tandem(&["replay", &folder.path().display().to_string()]).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for word in ["00000002", "00000003", "it is no file", "it begins like something else", "longer than any"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.contains("1 segment, 2 inputs") && text.contains("damaged: 4 segments"), "{text}");
    // The same of a pipe that is named itself.
    let output = tandem(&["replay", &named(3).display().to_string()]).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(support::stderr(&output).contains("it is no file"), "{}", support::stderr(&output));
}

/// A recording in which something was told that the machine does not tell.
fn record_a_lie(directory: &std::path::Path, version: &str) {
    record(directory, version, Some(Output::Event(Event::StateNotDurable)));
}

/// A recording of two inputs, with a lie behind the first or none.
fn record(directory: &std::path::Path, version: &str, lie: Option<Output>) {
    let who = JournalIdentity {
        node: "alpha".into(),
        group: "test".to_owned(),
        version: version.to_owned(),
        incarnation: Incarnation(7),
    };
    let recorder = Recorder::open(directory, 0, who, Vec::new()).expect("a recording");
    let settings = Settings::new(MemberId(0), vec!["alpha".into(), "beta".into()]);
    let machine = Negotiator::new(settings, Instant(0), None).expect("fine settings");
    recorder.fed(Instant(1), &Input::Tick, &machine);
    lie.iter().for_each(|lie| recorder.told(lie));
    recorder.fed(Instant(2), &Input::Tick, &machine);
    recorder.close();
}

#[test]
fn u5_a_difference_is_an_error_in_this_version_s_recording_and_news_in_another_s() {
    let mut folder = support::temporary_folder();
    folder.with_false_recordings();
    for (version, status, words) in [
        (env!("CARGO_PKG_VERSION"), 1, "DIFFERENT: decided again it is: nothing"),
        ("0.0.7", 0, "this version would decide: nothing"),
    ] {
        let state = folder.path().join(version);
        record_a_lie(&state, version);
        let output = tandem(&["replay", &state.display().to_string()]).output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn u5_the_same_screen_steps_through_the_recording_forwards_and_backwards() {
    let mut pair = Group::new(2, QUICK);
    pair.start(1);
    pair.wait(1, "beta is Primary", |status| status.mode == Mode::Primary);
    assert!(pair.stop(1).success());
    let state = pair.state(1).display().to_string();
    let mut screen = pty::Terminal::start(env!("CARGO_BIN_EXE_tandem"), &["replay", &state], (120, 40), pair.folder());
    screen.shows("REPLAY");
    screen.shows("beta    ○ SECONDARY");
    screen.shows("of test starts");
    // Each key is seen to have led elsewhere before the next: the events of a place are shown at those after it too.
    let go = |screen: &mut pty::Terminal, key: &str| {
        let place = |text: &str| text.lines().find(|row| row.contains(" REPLAY ")).map(str::to_owned);
        let before = place(&screen.text());
        screen.press(key);
        screen.until("another place", |text| place(text) != before);
    };
    // Forwards: to the take-over, and to what follows it.
    let forwards = |screen: &mut pty::Terminal, wanted: &str| {
        for _ in 0..20 {
            if screen.text().contains(wanted) {
                return;
            }
            go(screen, "n");
        }
        panic!("not reached: {wanted}\n{}", screen.text());
    };
    forwards(&mut screen, "the same again: Primary, term 1");
    screen.shows("beta    ■ PRIMARY");
    // Backwards, by an input and by a decision.
    go(&mut screen, ",");
    screen.shows("taking over");
    go(&mut screen, ".");
    screen.shows("the same again: Primary, term 1");
    go(&mut screen, "p");
    screen.until("a decision before", |text| !text.contains("the same again: Primary, term 1"));
    go(&mut screen, "<");
    screen.shows("beta    ○ SECONDARY");
    go(&mut screen, ">");
    screen.shows("this controller stops");
    screen.press("a");
    screen.shows("read-only");
    screen.press("q");
    screen.shows("all decided again, all the same");
    assert_eq!(screen.exit(), 0);
}

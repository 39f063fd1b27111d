//! A recording of a machine is written, read and decided again.

use std::path::Path;
use std::time::Duration;

use super::super::recorder::Recorder;
use super::super::tape::Tape;
use super::super::{JournalIdentity, segment};
use super::*;
use crate::negotiation::ability::Score;
use crate::negotiation::exchange::{Command, Input, StateVersion, StopCause};
use crate::negotiation::member::MemberId;
use crate::negotiation::message::Incarnation;
use crate::negotiation::time::Instant;

fn who(version: &str) -> JournalIdentity {
    JournalIdentity {
        node: "alpha".into(),
        group: "plant-7".to_owned(),
        version: version.to_owned(),
        incarnation: Incarnation(u64::MAX),
    }
}

fn machine() -> Negotiator {
    let settings = Settings::new(MemberId(0), vec!["alpha".into(), "beta".into()]);
    Negotiator::new(settings, Instant(0), None).unwrap()
}

/// A member alone: it waits, takes over, gets a command now and then, and stops.
fn story() -> Vec<(u64, Input)> {
    let mut facts: Vec<(u64, Input)> = (1..40).map(|second| (second * 1_000, Input::Tick)).collect();
    facts.push((10_500, Input::Written { version: StateVersion(9) }));
    facts.push((20_100, Input::Health { score: Score::from(0.8312) }));
    facts
        .push((21_100, Input::Command(Command::Hold { by: "anna".into(), lasts: Duration::from_secs(5), unix_ms: 7 })));
    facts.push((22_100, Input::Command(Command::StepDown { by: "anna".into(), force: true })));
    facts.push((22_200, Input::ServingStopped));
    facts.push((40_100, Input::Stop { cause: StopCause::Signal }));
    facts.sort_by_key(|(at, _)| *at);
    facts
}

/// Records the story; returns what the machine was at the end.
fn record(directory: &Path, version: &str) -> Negotiator {
    let recorder =
        Recorder::open(directory, 0, who(version), vec![vec!["10.0.0.1:7400".to_owned()], Vec::new()]).unwrap();
    let mut machine = machine();
    let mut outputs = Vec::new();
    for (ms, input) in story() {
        let now = Instant(ms * 1_000_000);
        recorder.fed(now, &input, &machine);
        machine.handle(now, input, &mut outputs);
        outputs.drain(..).for_each(|output| recorder.told(&output));
    }
    recorder.close();
    machine
}

fn only_part(directory: &Path) -> Part {
    let tape = Tape::open(directory).unwrap();
    assert_eq!(tape.files.len(), 1);
    Tape::load(&tape.files[0]).unwrap()
}

fn play(part: &Part) -> (Player, Vec<Step>) {
    let mut player = Player::at_start(part).unwrap();
    let mut all = Vec::new();
    let steps = std::iter::from_fn(|| player.step(part, &mut all)).collect();
    (player, steps)
}

#[test]
fn u5_what_was_recorded_is_decided_again_and_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let machine = record(folder.path(), env!("CARGO_PKG_VERSION"));
    let part = only_part(folder.path());
    assert_eq!((part.facts.len(), part.begin.inputs, part.ended), (story().len(), 0, true));
    assert!(part.skipped.is_none(), "{:?}", part.skipped);
    assert_eq!(part.facts[0].moment.at, Instant(1_000_000_000));
    let (player, steps) = play(&part);
    assert!(steps.iter().all(|step| step.same));
    let changes = steps.iter().flat_map(|step| &step.now).filter(|output| matches!(output, Output::ModeChanged(_)));
    assert_eq!(changes.count(), 2, "it took over, and was made to step down");
    assert_eq!(serde_json::to_value(&player.machine).unwrap(), serde_json::to_value(&machine).unwrap());
    assert_eq!(Judge::of(&part), Judge::ThisVersion);
}

#[test]
fn u5_another_decision_than_the_recorded_one_is_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "0.0.7");
    let mut part = only_part(folder.path());
    assert_eq!(Judge::of(&part), Judge::Other("0.0.7".to_owned()));
    part.facts.iter_mut().find(|fact| !fact.told.is_empty()).unwrap().told.clear();
    let (_, steps) = play(&part);
    assert_eq!(steps.iter().filter(|step| !step.same).count(), 1);
}

#[test]
fn u5_a_state_of_another_version_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "0.0.7");
    let mut part = only_part(folder.path());
    let state = part.begin.state.as_object_mut().unwrap();
    state.remove("hold");
    state["settings"].as_object_mut().unwrap().remove("crash_detection");
    state.insert("long_forgotten".to_owned(), Value::Bool(true));
    let (_, steps) = play(&part);
    assert!(steps.iter().all(|step| step.same));
}

#[test]
fn u5_each_start_is_a_segment_and_a_torn_one_says_where() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "0.1.0");
    record(folder.path(), "0.1.0");
    let tape = Tape::open(folder.path()).unwrap();
    assert_eq!(tape.files.len(), 2);
    let (player, _) = play(&Tape::load(&tape.files[0]).unwrap());
    let mut parts: Vec<Part> = tape.files.iter().map(|file| Tape::load(file).unwrap()).collect();
    parts[1].begin.inputs = parts[0].facts.len() as u64 + 3;
    assert_eq!(player.joint(&parts[0], &parts[1]), Joint::Gap(3), "the same incarnation, and three more inputs");
    parts[1].who.incarnation = Incarnation(1);
    assert_eq!(player.joint(&parts[0], &parts[1]), Joint::Restart { orderly: true });
    let bytes = std::fs::read(&tape.files[0]).unwrap();
    std::fs::write(&tape.files[0], &bytes[..bytes.len() - 5]).unwrap();
    let torn = Tape::load(&tape.files[0]);
    // Where everything was written at once, the cut takes the beginning too.
    assert!(torn.map_or(true, |part| part.skipped.is_some() && !part.ended));
}

/// What `bytes` read as a segment are: its inputs and whether something was passed over; none: not even its beginning.
fn loaded(file: &Path, bytes: &[u8], damage: usize) -> Option<(usize, bool)> {
    std::fs::write(file, bytes).unwrap();
    let part = Tape::load(file).ok()?;
    // The machine that it begins with decides what is left of it; now and then, because that takes its time.
    if damage.is_multiple_of(16)
        && let Ok(mut player) = Player::at_start(&part)
    {
        let mut all = Vec::new();
        while player.step(&part, &mut all).is_some() {
            all.clear();
        }
        assert_eq!(player.place, part.facts.len());
    }
    Some((part.facts.len(), part.skipped.is_some()))
}

/// A recording in many frames, as one of hours is: each fact is on disk before the next.
fn many_frames(directory: &Path) -> Vec<u8> {
    let recorder = Recorder::open(directory, 0, who("0.1.0"), Vec::new()).unwrap();
    let (mut machine, mut outputs) = (machine(), Vec::new());
    let journal = segment::directory(directory);
    let length = || std::fs::metadata(segment::path(&journal, segment::Stream::Inputs, 1)).map_or(0, |file| file.len());
    for second in 1..=12 {
        let now = Instant(second * 1_000_000_000);
        let before = length();
        recorder.fed(now, &Input::Tick, &machine);
        machine.handle(now, Input::Tick, &mut outputs);
        outputs.drain(..).for_each(|output| recorder.told(&output));
        // Which makes the thread write at once, and is put where it belongs: behind an input.
        recorder.told(&Output::Event(crate::negotiation::event::Event::StateNotDurable));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while length() == before {
            assert!(std::time::Instant::now() < deadline, "it is written");
            std::thread::yield_now();
        }
    }
    recorder.close();
    std::fs::read(segment::path(&journal, segment::Stream::Inputs, 1)).unwrap()
}

#[test]
fn u5_a_recording_cut_or_with_a_bit_turned_over_anywhere_says_so_and_keeps_what_stands_before() {
    let folder = tempfile::tempdir().unwrap();
    let whole = many_frames(folder.path());
    let file = folder.path().join("damaged.tandem-inputs");
    assert_eq!(loaded(&file, &whole, 0), Some((12, false)));
    let mut before = 0;
    for cut in 0..whole.len() {
        let found = loaded(&file, &whole[..cut], cut);
        // The more there is, the more is read; an end between two frames is an end like a crash's.
        let (facts, _) = found.unwrap_or((0, true));
        assert!(facts >= before && facts <= 12, "cut at {cut}: {facts} after {before}");
        before = facts;
    }
    assert_eq!(before, 12);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        if let Some((facts, skipped)) = loaded(&file, &bytes, at) {
            assert!(skipped && facts < 13, "the bit at byte {at} went unnoticed");
        }
    }
}

#[test]
fn u5_a_segment_that_is_lost_is_a_gap_and_what_follows_is_decided_from_its_own_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(folder.path(), 0, who("0.1.0"), Vec::new()).unwrap();
    let (mut machine, mut outputs) = (machine(), Vec::new());
    let journal = segment::directory(folder.path());
    for second in 1..=30 {
        let now = Instant(second * 1_000_000_000);
        recorder.fed(now, &Input::Tick, &machine);
        machine.handle(now, Input::Tick, &mut outputs);
        outputs.drain(..).for_each(|output| recorder.told(&output));
        if second % 10 == 0 {
            // Ten inputs a segment.
            recorder.told(&Output::Event(crate::negotiation::event::Event::StateNotDurable));
            let segments = || segment::list(&journal, segment::Stream::Inputs).unwrap().len() as u64;
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            while segments() < second / 10 {
                assert!(std::time::Instant::now() < deadline, "it is written");
                std::thread::yield_now();
            }
            recorder.begin_anew();
        }
    }
    recorder.close();
    let tape = Tape::open(folder.path()).unwrap();
    assert_eq!(tape.files.len(), 3);
    std::fs::remove_file(&tape.files[1]).unwrap();
    let tape = Tape::open(folder.path()).unwrap();
    let parts: Vec<Part> = tape.files.iter().map(|file| Tape::load(file).unwrap()).collect();
    let (player, _) = play(&parts[0]);
    assert_eq!(player.joint(&parts[0], &parts[1]), Joint::Gap(10));
    let (player, steps) = play(&parts[1]);
    // The last input of a segment has a word beside it that the test has put there.
    assert!(steps[..steps.len() - 1].iter().all(|step| step.same));
    assert_eq!(serde_json::to_value(&player.machine).unwrap(), serde_json::to_value(&machine).unwrap());
}

#[test]
fn u5_the_events_beside_it_are_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    std::fs::write(&file, segment::Stream::Entries.magic()).unwrap();
    assert!(Tape::load(&file).unwrap_err().to_string().contains("tandem events"));
    assert!(Tape::open(folder.path()).unwrap_err().to_string().contains("no recording"));
}

#[test]
fn u5_what_the_disk_did_not_take_is_a_gap_and_the_recording_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let journal = segment::directory(folder.path());
    let recorder = Recorder::open(folder.path(), 0, who("0.1.0"), Vec::new()).unwrap();
    let mut machine = machine();
    let mut second = 0;
    let mut feed = |count: u64| {
        for _ in 0..count {
            second += 1;
            let (now, mut outputs) = (Instant(second * 1_000_000_000), Vec::new());
            recorder.fed(now, &Input::Tick, &machine);
            machine.handle(now, Input::Tick, &mut outputs);
            outputs.iter().for_each(|output| recorder.told(output));
        }
    };
    let soon = |what: &str, claim: &mut dyn FnMut() -> bool| {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !claim() {
            assert!(std::time::Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    };
    feed(4);
    soon("the first segment", &mut || segment::list(&journal, segment::Stream::Inputs).is_ok_and(|all| all.len() == 1));
    // A state directory that is gone: the segment is still written, the next one cannot be begun.
    std::fs::rename(folder.path().join("journal"), folder.path().join("away")).unwrap();
    std::fs::write(&journal, "no directory").unwrap();
    recorder.begin_anew();
    soon("it fails", &mut || {
        feed(1);
        recorder.health().failing.is_some()
    });
    std::fs::remove_file(&journal).unwrap();
    std::fs::rename(folder.path().join("away"), &journal).unwrap();
    soon("it goes on", &mut || {
        feed(1);
        recorder.health().failing.is_none()
    });
    feed(20);
    assert!(recorder.health().lost > 0);
    recorder.close();
    let tape = Tape::open(folder.path()).unwrap();
    let parts: Vec<Part> = tape.files.iter().map(|file| Tape::load(file).unwrap()).collect();
    assert!(parts.len() >= 2, "{:?}", tape.files);
    let mut missing = 0;
    for pair in parts.windows(2) {
        let (player, steps) = play(&pair[0]);
        assert!(steps.iter().all(|step| step.same));
        match player.joint(&pair[0], &pair[1]) {
            Joint::Gap(count) => missing += count,
            joint => assert_eq!(joint, Joint::Whole),
        }
    }
    assert!(missing > 0);
    let (player, steps) = play(parts.last().unwrap());
    assert!(steps.iter().all(|step| step.same), "what follows the gap is decided from the state after it");
    assert_eq!(serde_json::to_value(&player.machine).unwrap(), serde_json::to_value(&machine).unwrap());
}

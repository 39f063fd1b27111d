//! The journal as a whole: what is recorded comes back, whatever happened to the files in between.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::availability::Totals;
use super::entry::{AlarmChange, KINDS, PathChange, ProcessChange};
use super::*;
use crate::negotiation::ability::Score;
use crate::negotiation::decision::{Decision, PeerEvidence, Rule};
use crate::negotiation::event::{Event, Severity};
use crate::negotiation::exchange::FenceWhy;
use crate::negotiation::member::MemberId;
use crate::negotiation::message::{HandOverCause, Mode, Refusal};
use crate::negotiation::settings::AgreementKey;
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;

fn who() -> JournalIdentity {
    JournalIdentity {
        node: "alpha".into(),
        group: "plant-7".to_owned(),
        version: "0.1.0".to_owned(),
        incarnation: Incarnation(0xfeed),
    }
}

fn open(dir: &Path) -> Journal {
    Journal::open(dir, 0, who()).unwrap()
}

fn note(text: &str) -> Entry {
    Entry::Fault { part: "test".to_owned(), text: text.to_owned() }
}

fn term(number: u64) -> Term {
    Term { number, owner: MemberId(0) }
}

fn decision(rule: Rule, mode: Mode) -> Decision {
    let evidence = vec![PeerEvidence {
        name: "beta".into(),
        link_up: false,
        heard: Some(Duration::from_millis(3_004)),
        mode: Some((Mode::Primary, term(7))),
        able: None,
        score: None,
        answer: None,
    }];
    Decision { at: Instant(9), rule, mode, term: term(8), evidence, protection: Default::default() }
}

fn silent() -> Rule {
    Rule::PeerSilent { peer: "beta".into(), silent_for: Duration::from_secs(3) }
}

/// One entry of every kind.
fn all_entries() -> Vec<Entry> {
    let beta = || crate::negotiation::member::Name::new("beta");
    let anna = || crate::negotiation::member::Name::new("anna");
    let alarm = |change| Entry::Alarm {
        id: "two_primaries".to_owned(),
        class: Severity::Alarm,
        text: "both act".to_owned(),
        change,
    };
    let path = |change| Entry::Link { peer: beta(), address: "127.0.0.2:7400".to_owned(), change, why: String::new() };
    let mut entries = vec![
        Entry::Started {
            node: "alpha".into(),
            group: "plant-7".to_owned(),
            version: "0.1.0".to_owned(),
            incarnation: "00ff".to_owned(),
            last_alive_ms: Some(1_700_000_000_000),
        },
        Entry::Decision(decision(Rule::YieldedTo { peer: beta(), term: term(9), mine: term(8) }, Mode::Secondary)),
        Entry::TakingOver(decision(silent(), Mode::Primary)),
        Entry::Action { by: "anna".to_owned(), what: "take over".to_owned(), outcome: "done".to_owned() },
        path(PathChange::Up),
        path(PathChange::Down),
        Entry::Rejected { what: "stranger".to_owned(), from: None, detail: String::new(), count: 3 },
        alarm(AlarmChange::Raised),
        alarm(AlarmChange::Cleared),
        alarm(AlarmChange::Seen { by: "anna".to_owned() }),
        Entry::ClockSet { by_ms: -3_600_000 },
        Entry::FenceTried {
            peer: beta(),
            number: 2,
            why: Some("fence_x: no answer within 20s".to_owned()),
            took_ms: 20_000,
            output: "waiting".to_owned(),
        },
        note("works no more"),
        Entry::Lost { count: 2 },
        Entry::Acting { who: None, for_ms: 3_004 },
        Entry::Availability { totals: Totals { primary_ms: 7, ..Totals::default() } },
        Entry::Stopped { why: "SIGTERM".to_owned() },
    ];
    let refusal = Refusal::Held;
    let events = [
        Event::PeerUp { peer: beta() },
        Event::PeerDown { peer: beta() },
        Event::PeerGone { peer: beta(), rule: silent() },
        Event::PeerBack { peer: beta() },
        Event::PeerPrimary { peer: beta(), term: term(7) },
        Event::TwoPrimaries { peer: beta(), term: term(7), mine: term(8) },
        Event::Stalled { stalled_for: Duration::from_secs(2) },
        Event::Held { by: anna(), lasts: Duration::from_secs(1_800) },
        Event::HoldEnded { by: None },
        Event::HoldNotTold { peer: beta() },
        Event::SettingsDiffer { peer: beta(), key: AgreementKey::ReplyTimeout },
        Event::SettingsAgree { peer: beta() },
        Event::WouldTakeOver {
            rule: Rule::HandedOver { to: beta(), cause: HandOverCause::Operator, by: Some(anna()) },
        },
        Event::HandOverAsked { peer: beta(), by: anna() },
        Event::HandOverRefused { peer: beta(), refusal },
        Event::HandOverLost { peer: beta() },
        Event::StateNotDurable,
        Event::StateDurable,
        Event::HistoryUnknown,
        Event::StepDownEnded,
        Event::SteppingDown { rule: silent() },
        Event::HealthTakeoverAsked { peer: beta(), score: Score::from_ten_thousandths(4_200), mine: Score::FULL },
        Event::HealthTakeoverUnanswered { peer: beta() },
        Event::FlapStopped { taken: 4 },
        Event::FlapEnded { by: anna() },
        Event::Fencing { peer: beta(), why: FenceWhy::TakeoverWaits },
        Event::FencedOff { peer: beta() },
        Event::FencingFailed { peer: beta(), why: "no answer within 20s".to_owned() },
        Event::ToldOff { peer: beta(), by: anna() },
        Event::HeardAfterOff { peer: beta(), by: None },
        Event::FenceDeviceDead { peer: beta(), why: "no answer".to_owned() },
        Event::FenceDeviceBack { peer: beta() },
        Event::ArbiterLost { why: "10.0.8.1:2379 refused".into() },
        Event::ArbiterBack,
        Event::ArbiterForgot { number: 1, floor: 7 },
        Event::ByGrants { why: "10.0.8.1:2379 refused".to_owned() },
        Event::ReferenceLost,
        Event::ReferenceBack,
    ];
    entries.extend(events.map(Entry::Event));
    let changes = [
        ProcessChange::Started,
        ProcessChange::StartFailed,
        ProcessChange::Ready,
        ProcessChange::Died,
        ProcessChange::Restarting,
        ProcessChange::GivenUp,
        ProcessChange::Stopping,
        ProcessChange::Stopped,
        ProcessChange::Killed,
        ProcessChange::HookDone,
        ProcessChange::HookFailed,
    ];
    entries.extend(changes.map(|change| Entry::Process {
        process: "plant-control".to_owned(),
        change,
        text: "plant-control changed".to_owned(),
    }));
    entries
}

fn texts(records: impl IntoIterator<Item = Record>) -> Vec<String> {
    records.into_iter().map(|record| record.entry.text()).collect()
}

fn only_segment(dir: &Path) -> PathBuf {
    let journal = segment::directory(dir);
    let numbers = segment::list(&journal, segment::Stream::Entries).unwrap();
    assert_eq!(numbers.len(), 1);
    segment::path(&journal, segment::Stream::Entries, numbers[0])
}

#[test]
fn u4_every_kind_of_entry_comes_back_as_it_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let entries = all_entries();
    let stamps: Vec<Stamp> = entries.iter().map(|entry| journal.record(entry.clone())).collect();
    assert_eq!(journal.health(), JournalHealth::default());
    journal.close();
    let mut reader = read(dir.path()).unwrap();
    let records: Vec<Record> = reader.by_ref().collect();
    assert_eq!(records.iter().map(|record| record.entry.clone()).collect::<Vec<_>>(), entries);
    for (record, stamp) in records.iter().zip(stamps) {
        assert_eq!((record.seq, record.unix_ms), (stamp.seq, stamp.unix_ms));
        assert!(record.unix_ms > 0 && record.boot_ms > 0);
    }
    assert_eq!(reader.who(), Some(&who()));
    assert_eq!((reader.skipped().len(), reader.unfinished()), (0, 0));
}

#[test]
fn every_word_that_can_be_asked_for_is_the_word_of_an_entry_and_the_other_way_round() {
    let mut words: Vec<&str> = all_entries().iter().map(Entry::kind).collect();
    words.sort_unstable();
    assert_eq!(words, KINDS);
}

#[test]
fn an_entry_s_sentence_has_no_full_stop_and_a_decision_s_is_its_own() {
    for entry in all_entries() {
        let text = entry.text();
        assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
    }
    let decision = decision(silent(), Mode::Primary);
    assert_eq!(Entry::Decision(decision.clone()).text(), decision.text());
}

#[test]
fn numbers_go_on_after_a_restart_and_nothing_is_written_behind_an_older_end() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3_u64 {
        let journal = open(dir.path());
        assert_eq!(journal.record(note("one")).seq, 2 * round + 1);
        journal.record(note("two"));
        journal.close();
    }
    // A start that records nothing takes no number and no file.
    open(dir.path()).close();
    let seqs: Vec<u64> = read(dir.path()).unwrap().map(|record| record.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    assert_eq!(segment::list(&segment::directory(dir.path()), segment::Stream::Entries).unwrap().len(), 3);
}

#[test]
fn an_end_cut_off_at_any_byte_costs_only_what_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for text in ["first", "second", "third"] {
        journal.record(note(text));
    }
    journal.close();
    let whole = fs::read(only_segment(dir.path())).unwrap();
    // Where each record ends, so that what must survive a cut is known.
    let mut ends = Vec::new();
    let mut at = segment::MAGIC_LEN;
    while let segment::Next::Frame { used, .. } = segment::parse(&whole[at..]) {
        at += used;
        ends.push(at);
    }
    assert_eq!(ends.len(), 4, "a header and three records");
    let all = ["test: first", "test: second", "test: third"];
    for cut in 0..=whole.len() {
        let dir = tempfile::tempdir().unwrap();
        let journal = segment::directory(dir.path());
        fs::create_dir(&journal).unwrap();
        fs::write(segment::path(&journal, segment::Stream::Entries, 1), &whole[..cut]).unwrap();
        let survive = ends.iter().skip(1).filter(|end| **end <= cut).count();
        let mut reader = read(dir.path()).unwrap();
        assert_eq!(texts(reader.by_ref()), all[..survive], "cut at {cut}");
        assert_eq!(texts(read_last(dir.path(), 9).unwrap()), all[..survive], "cut at {cut}");
        let sound = if cut < ends[0] { 0 } else { *ends.iter().rfind(|end| **end <= cut).unwrap() };
        assert_eq!(reader.unfinished(), (cut - sound) as u64, "cut at {cut}");
        // The next start goes on in a file of its own; then the cut is told. A start takes some flushes, so not each.
        if cut % 13 != 0 {
            continue;
        }
        let again = open(dir.path());
        again.record(note("after the crash"));
        again.close();
        let mut reader = read(dir.path()).unwrap();
        let mut expected = all[..survive].to_vec();
        expected.push("test: after the crash");
        assert_eq!(texts(reader.by_ref()), expected, "cut at {cut}");
        let skipped: u64 = reader.skipped().iter().map(|one| one.bytes).sum();
        assert_eq!(skipped, (cut - sound) as u64, "cut at {cut}");
    }
}

#[test]
fn zeros_at_the_end_are_no_records() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.record(note("kept"));
    journal.close();
    let path = only_segment(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 4096]);
    fs::write(&path, bytes).unwrap();
    let mut reader = read(dir.path()).unwrap();
    assert_eq!(texts(reader.by_ref()), ["test: kept"]);
    assert_eq!(reader.unfinished(), 4096);
}

#[test]
fn a_record_of_a_newer_version_is_passed_over_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.record(note("before"));
    journal.close();
    let path = only_segment(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    let sound = bytes.len();
    bytes.extend(segment::frame(br#"{"seq":2,"unix_ms":1,"boot_ms":1,"entry":{"entry":"levitated"}}"#).unwrap());
    let record = Record { seq: 3, unix_ms: 1, boot_ms: 1, entry: note("behind") };
    bytes.extend(segment::frame(&serde_json::to_vec(&record).unwrap()).unwrap());
    fs::write(&path, bytes).unwrap();
    let mut reader = read(dir.path()).unwrap();
    assert_eq!(texts(reader.by_ref()), ["test: before", "test: behind"]);
    assert_eq!(reader.skipped().len(), 1);
    assert_eq!(reader.skipped()[0].offset, sound as u64);
}

#[test]
fn the_journal_stays_within_its_bound_and_the_oldest_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let keep = 1_000_000;
    let journal = Journal::open(dir.path(), keep, who()).unwrap();
    let long = "x".repeat(10_000);
    let size = || -> u64 {
        let files = fs::read_dir(segment::directory(dir.path())).unwrap();
        // A file may go while it is looked at: it has no size then.
        files.map(|file| file.unwrap().metadata().map_or(0, |metadata| metadata.len())).sum()
    };
    let mut last = 0;
    for _ in 0..300 {
        last = journal.record(note(&long)).seq;
        assert!(size() <= keep);
    }
    journal.close();
    assert!(size() <= keep && size() > keep / 2, "{}", size());
    let seqs: Vec<u64> = read(dir.path()).unwrap().map(|record| record.seq).collect();
    assert!(seqs[0] > 1, "the oldest are gone");
    assert_eq!(seqs.last(), Some(&last));
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let latest: Vec<u64> = read_last(dir.path(), 20).unwrap().iter().map(|record| record.seq).collect();
    assert_eq!(latest, seqs[seqs.len() - 20..], "across segments too");
}

#[test]
fn two_readers_see_everything_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), 2_000_000, who()).unwrap();
    let total = 400;
    let last = format!("test: {}", total - 1);
    journal.record(note("0"));
    let follow = || {
        let path = dir.path().to_owned();
        let last = last.clone();
        std::thread::spawn(move || {
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            let mut reader = read(&path).unwrap();
            let mut seen = Vec::new();
            while seen.last() != Some(&last) {
                seen.extend(texts(reader.by_ref()));
                assert!(reader.failure().is_none() && reader.skipped().is_empty());
                assert!(std::time::Instant::now() < deadline, "{} seen", seen.len());
                std::thread::yield_now();
            }
            seen
        })
    };
    let readers = [follow(), follow()];
    for number in 1..total {
        journal.record(note(&number.to_string()));
    }
    let expected: Vec<String> = (0..total).map(|number| format!("test: {number}")).collect();
    for reader in readers {
        assert_eq!(reader.join().unwrap(), expected);
    }
    journal.close();
}

#[test]
fn what_cannot_be_written_is_told_and_written_once_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let path = segment::directory(dir.path());
    // A file in the directory's place fails every write as a broken disk would.
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"").unwrap();
    journal.record(note("kept in memory"));
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while journal.health().failing.is_none() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    // The queue is bounded: most of these are lost, and counted.
    for _ in 0..3_000 {
        journal.record(note("too many"));
    }
    let lost = journal.health().lost;
    assert!((3_000 - 1_024 - 1..3_000).contains(&lost), "{lost}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    journal.close();
    let records: Vec<Record> = read(dir.path()).unwrap().collect();
    assert_eq!(records[0].entry, note("kept in memory"));
    assert_eq!(records.last().unwrap().entry, Entry::Lost { count: lost });
    assert_eq!(records.len() as u64, 1 + (3_000 - lost) + 1);
    assert!(records.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}

/// It once went on into the removed file, and nothing said that the history was lost.
#[test]
fn a_journal_that_is_removed_while_it_is_written_begins_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let path = segment::directory(dir.path());
    journal.record(note("before"));
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while read(dir.path()).unwrap().count() == 0 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    fs::remove_dir_all(&path).unwrap();
    journal.record(note("after"));
    journal.close();
    let records: Vec<Record> = read(dir.path()).unwrap().collect();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].seq, &records[0].entry), (2, &note("after")));
}

#[test]
fn closing_does_not_wait_for_a_disk_that_fails() {
    let took = || {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let path = segment::directory(dir.path());
        fs::remove_dir(&path).unwrap();
        fs::write(&path, b"").unwrap();
        journal.record(note("lost"));
        let started = std::time::Instant::now();
        journal.close();
        started.elapsed()
    };
    // The machine may stand still now and then; who waits for the next try takes that long each time.
    assert!((0..5).any(|_| took() < Duration::from_secs(1)));
}

#[test]
fn no_journal_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(read(dir.path()), Err(JournalError::Absent { .. })));
    assert!(matches!(read_last(dir.path(), 1), Err(JournalError::Absent { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rot_anywhere_loses_records_and_invents_none(at in 0.0..1.0_f64, flip in 1..=255_u8) {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let all: Vec<String> = (0..20).map(|number| format!("entry {number}")).collect();
        for text in &all {
            journal.record(note(text));
        }
        journal.close();
        let path = only_segment(dir.path());
        let mut bytes = fs::read(&path).unwrap();
        let at = (at * bytes.len() as f64) as usize;
        bytes[at] ^= flip;
        fs::write(&path, bytes).unwrap();
        let found = texts(read(dir.path()).unwrap());
        let expected: Vec<String> = all.iter().map(|text| format!("test: {text}")).collect();
        prop_assert!(found.len() < expected.len());
        prop_assert_eq!(&found[..], &expected[..found.len()]);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), magic in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let journal = segment::directory(dir.path());
        fs::create_dir(&journal).unwrap();
        let bytes = if magic { [&segment::Stream::Entries.magic()[..], &bytes].concat() } else { bytes };
        fs::write(segment::path(&journal, segment::Stream::Entries, 1), bytes).unwrap();
        prop_assert_eq!(read(dir.path()).unwrap().count(), 0);
    }
}

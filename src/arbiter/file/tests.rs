//! Several members on one directory and one clock that the tests turn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::*;
use crate::negotiation::member::Name;

const LEASE: Duration = Duration::from_secs(10);

/// A directory, the time, and how many members have begun.
struct Rig {
    folder: TempDir,
    now: Arc<AtomicU64>,
    begun: AtomicU64,
}

impl Rig {
    fn new() -> Rig {
        let folder = tempfile::tempdir().expect("a folder");
        Rig { folder, now: Arc::new(AtomicU64::new(1_000_000)), begun: AtomicU64::new(0) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn pass(&self, time: Duration) {
        self.now.fetch_add(u64::try_from(time.as_millis()).expect("a short time"), Ordering::SeqCst);
    }

    fn member(&self, me: u8) -> FileArbiter {
        let now = self.now.clone();
        self.with_clock(me, LEASE, Box::new(move || Ok(Duration::from_millis(now.load(Ordering::SeqCst)))))
    }

    fn with_clock(&self, me: u8, lease: Duration, clock: Clock) -> FileArbiter {
        let members = ["alpha", "beta", "gamma"].map(Name::new).to_vec();
        let claimant = Claimant { group: "plant/7".to_owned(), me: MemberId(me), members };
        let instance = self.begun.fetch_add(1, Ordering::SeqCst);
        FileArbiter::with_clock(self.path().to_owned(), claimant, lease, instance, clock)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("the folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("plain")).collect();
        names.sort();
        names
    }
}

fn ask(arbiter: &mut FileArbiter, call: ArbiterCall) -> ArbiterReply {
    arbiter.ask(call, Duration::from_secs(1))
}

fn acquire(arbiter: &mut FileArbiter, above: u64) -> ArbiterReply {
    ask(arbiter, ArbiterCall::Acquire { above })
}

fn granted(number: u64) -> ArbiterReply {
    ArbiterReply::Granted { number }
}

fn refused(holder: Option<u8>, number: u64) -> ArbiterReply {
    ArbiterReply::Refused { holder: holder.map(MemberId), number }
}

fn stands(holder: Option<u8>, number: u64) -> ArbiterReply {
    ArbiterReply::Stands { holder: holder.map(MemberId), number }
}

fn why(reply: ArbiterReply) -> String {
    match reply {
        ArbiterReply::Unreachable { why } => why.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn s1_the_first_to_ask_gets_the_lease_and_a_number_above_all() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(ask(&mut alpha, ArbiterCall::Look), stands(None, 0));
    assert_eq!(acquire(&mut alpha, 6), granted(7));
    assert_eq!(ask(&mut alpha, ArbiterCall::Look), stands(Some(0), 7));
    assert_eq!(acquire(&mut beta, 9), refused(Some(0), 7));
    assert_eq!(ask(&mut beta, ArbiterCall::Look), stands(Some(0), 7));
}

#[test]
fn n11_no_number_is_allotted_twice_whoever_asks_and_from_whichever_floor() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    assert_eq!(acquire(&mut alpha, 0), granted(2), "also for the same holder (rule 14)");
    assert_eq!(acquire(&mut alpha, 40), granted(41));
    assert_eq!(ask(&mut alpha, ArbiterCall::Release { number: 41 }), ArbiterReply::Released);
    assert_eq!(acquire(&mut beta, 3), granted(42));
}

#[test]
fn s1_a_lease_ends_for_others_only_after_its_whole_length_and_more_of_watching() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    rig.pass(LEASE * 10);
    assert_eq!(acquire(&mut beta, 0), refused(Some(0), 1), "the first look proves nothing");
    rig.pass(LEASE);
    assert_eq!(acquire(&mut beta, 0), refused(Some(0), 1));
    rig.pass(LEASE / 20);
    assert_eq!(ask(&mut beta, ArbiterCall::Look), stands(None, 1));
    assert_eq!(acquire(&mut beta, 0), granted(2));
    assert_eq!(ask(&mut alpha, ArbiterCall::Renew { number: 1 }), refused(Some(1), 2));
}

#[test]
fn s1_a_renewal_starts_the_watching_anew() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    for _ in 0..20 {
        assert_eq!(acquire(&mut beta, 0), refused(Some(0), 1));
        rig.pass(LEASE * 8 / 10);
        assert_eq!(ask(&mut alpha, ArbiterCall::Renew { number: 1 }), ArbiterReply::Renewed);
    }
}

#[test]
fn s4_a_holder_does_not_renew_what_is_over() {
    let rig = Rig::new();
    let mut alpha = rig.member(0);
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    rig.pass(LEASE * 9 / 10);
    assert_eq!(ask(&mut alpha, ArbiterCall::Renew { number: 1 }), refused(None, 1));
    assert_eq!(ask(&mut alpha, ArbiterCall::Look), stands(None, 1));
    assert_eq!(acquire(&mut alpha, 0), granted(2), "nobody was faster");
}

/// A clock that stands, until it is read for the `at`th time: then so much has passed.
fn jumps(at: u32, by: Duration) -> Clock {
    let mut read = 0;
    Box::new(move || {
        read += 1;
        let passed = if read < at { Duration::ZERO } else { by };
        Ok(Duration::from_secs(1000) + passed)
    })
}

#[test]
fn s4_a_renewal_that_was_frozen_past_the_lease_does_not_count() {
    let rig = Rig::new();
    // Read three times for the claim, once when the renewal begins, once when it is over.
    let mut alpha = rig.with_clock(0, LEASE, jumps(5, LEASE * 9 / 10));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    let why = why(ask(&mut alpha, ArbiterCall::Renew { number: 1 }));
    assert!(why.starts_with("it took 9000 ms, longer than the lease lasts"), "{why}");
    assert_eq!(ask(&mut alpha, ArbiterCall::Renew { number: 1 }), refused(None, 1), "and never again");
}

#[test]
fn s4_a_claim_that_was_frozen_past_the_lease_does_not_count() {
    let rig = Rig::new();
    let mut alpha = rig.with_clock(0, LEASE, jumps(3, LEASE));
    let why = why(acquire(&mut alpha, 0));
    assert!(why.starts_with("it took 10000 ms"), "{why}");
    assert_eq!(acquire(&mut alpha, 0), granted(2));
}

#[test]
fn s1_a_claimer_that_finds_its_generation_taken_loses() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(ask(&mut alpha, ArbiterCall::Look), stands(None, 0));
    // Between alpha's look and its claim.
    assert_eq!(acquire(&mut beta, 0), granted(1));
    let mine = Generation { number: 1, ..beta.held.clone().expect("it holds").generation };
    assert_eq!(alpha.folder.claim(0, &mine).expect("the folder works"), Claim::Won, "its own link, answered twice");
    let other = Generation { number: 5, instance: 99, ..mine };
    assert_eq!(alpha.folder.claim(0, &other).expect("the folder works"), Claim::Taken);
    assert_eq!(acquire(&mut alpha, 0), refused(Some(1), 1));
}

#[test]
fn s1_a_claim_after_a_generation_that_was_cleaned_away_does_not_hold() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    for number in 1..=10 {
        assert_eq!(acquire(&mut beta, 0), granted(number));
    }
    assert_eq!(rig.names().len(), 4, "{:?}", rig.names());
    let stale = Generation { number: 3, instance: alpha.instance, ..beta.held.clone().expect("it holds").generation };
    assert_eq!(alpha.folder.claim(2, &stale).expect("the folder works"), Claim::Won);
    assert_ne!(alpha.folder.latest().expect("the folder works"), Some(2), "which is how it finds out");
    assert_eq!(acquire(&mut alpha, 0), refused(Some(1), 10));
    assert_eq!(ask(&mut beta, ArbiterCall::Renew { number: 10 }), ArbiterReply::Renewed);
}

#[test]
fn n13_another_machine_of_the_same_name_is_another() {
    let rig = Rig::new();
    let (mut alpha, mut twin) = (rig.member(0), rig.member(0));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    assert_eq!(acquire(&mut twin, 0), refused(Some(0), 1));
    assert_eq!(ask(&mut twin, ArbiterCall::Release { number: 1 }), ArbiterReply::Released);
    assert_eq!(ask(&mut alpha, ArbiterCall::Renew { number: 1 }), ArbiterReply::Renewed);
}

#[test]
fn n19_who_waits_waits_for_the_holders_own_lease_when_it_is_the_longer() {
    let rig = Rig::new();
    let now = rig.now.clone();
    let clock: Clock = Box::new(move || Ok(Duration::from_millis(now.load(Ordering::SeqCst))));
    let (mut alpha, mut beta) = (rig.with_clock(0, LEASE * 2, clock), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    assert_eq!(acquire(&mut beta, 0), refused(Some(0), 1));
    rig.pass(LEASE * 2);
    assert_eq!(acquire(&mut beta, 0), refused(Some(0), 1));
    rig.pass(LEASE / 10);
    assert_eq!(acquire(&mut beta, 0), granted(2));
}

#[test]
fn s1_watching_between_calls_counts() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    assert_eq!(beta.watch(), Some(SELDOM));
    rig.pass(LEASE + LEASE / 20);
    assert_eq!(acquire(&mut beta, 0), granted(2));
}

#[test]
fn s1_a_write_that_failed_is_followed_by_another_counter() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    let (held, found) = alpha.own(1).expect("the folder works").expect("it holds");
    // As if it had failed after it was written.
    alpha.write(held, &found, Given::Held).expect("the folder works");
    assert_eq!(acquire(&mut beta, 0), refused(Some(0), 1));
    rig.pass(LEASE / 2);
    assert_eq!(ask(&mut alpha, ArbiterCall::Renew { number: 1 }), ArbiterReply::Renewed);
    rig.pass(LEASE * 6 / 10);
    assert_eq!(acquire(&mut beta, 0), refused(Some(0), 1), "it has seen another counter only just now");
}

#[test]
fn s1_a_directory_that_cannot_be_written_says_what_would_help() {
    let unwritable = |code: nix::Error| {
        let source = std::io::Error::from(code);
        super::folder::FolderError::Unwritable { directory: "/mnt/shared".into(), source }.to_string()
    };
    assert!(unwritable(nix::Error::EACCES).ends_with("the user that tandem runs as must be able to make files there"));
    let read_only = unwritable(nix::Error::EROFS);
    assert!(read_only.contains("mount it for writing") && !read_only.contains("user"), "{read_only}");
    assert!(unwritable(nix::Error::ESTALE).contains("still mounted"));

    let rig = Rig::new();
    let file = rig.path().join("a-file");
    std::fs::write(&file, "no folder").expect("it is written");
    let names = vec![Name::new("alpha"), Name::new("beta")];
    let claimant = Claimant { group: "plant".to_owned(), me: MemberId(0), members: names };
    let mut lost = FileArbiter::new(file, claimant, LEASE).expect("random numbers");
    let why = why(ask(&mut lost, ArbiterCall::Look));
    assert!(why.contains("name a folder of the shared file system"), "{why}");
}

#[test]
fn s1_a_directory_that_is_gone_or_older_than_it_was_is_not_believed() {
    let rig = Rig::new();
    let mut alpha = rig.member(0);
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    let aside = rig.path().with_extension("aside");
    std::fs::rename(rig.path(), &aside).expect("it moves");
    for call in [ArbiterCall::Look, ArbiterCall::Acquire { above: 0 }, ArbiterCall::Renew { number: 1 }] {
        let why = why(ask(&mut alpha, call));
        assert!(why.contains("is not there; mount it"), "{why}");
    }
    assert!(!rig.path().exists(), "it is not made: an unmounted directory must not look like a new one");
    std::fs::create_dir(rig.path()).expect("a folder");
    let reply = ask(&mut alpha, ArbiterCall::Look);
    assert!(matches!(reply, ArbiterReply::Unreachable { why: ArbiterTrouble::Emptied(_) }), "{reply:?}");
    assert!(why(reply).contains("had generation 1 and has it no longer"));
    std::fs::remove_dir(rig.path()).expect("it is empty");
    std::fs::rename(&aside, rig.path()).expect("it moves back");
    assert_eq!(ask(&mut alpha, ArbiterCall::Renew { number: 1 }), ArbiterReply::Renewed);
}

#[test]
fn s1_foreign_files_are_left_alone_and_a_damaged_generation_is_told() {
    let rig = Rig::new();
    let mut alpha = rig.member(0);
    for name in ["plant%2F7.after-", "plant%2F7.after-007", "plant%2F7.after-x", "other.after-9", "notes.txt"] {
        std::fs::write(rig.path().join(name), "foreign").expect("a file");
    }
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    assert!(rig.names().contains(&"plant%2F7.after-0".to_owned()), "{:?}", rig.names());
    std::fs::write(rig.path().join("plant%2F7.after-1"), "torn").expect("a file");
    let why = why(ask(&mut alpha, ArbiterCall::Look));
    assert!(why.contains("plant%2F7.after-1 is no lease, or was damaged; stop all members"), "{why}");
    assert_eq!(rig.names().len(), 7);
}

#[test]
fn s1_what_a_crash_left_is_no_second_name_of_a_generation() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    // Killed between the link and the removal.
    let (lease, new) = (rig.path().join("plant%2F7.after-0"), rig.path().join("plant%2F7.new-beta"));
    std::fs::hard_link(&lease, &new).expect("a link");
    let before = std::fs::read(&lease).expect("a file");
    assert_eq!(ask(&mut alpha, ArbiterCall::Release { number: 1 }), ArbiterReply::Released);
    assert_eq!(acquire(&mut beta, 0), granted(2));
    let after = std::fs::read(&lease).expect("a file");
    assert_eq!(Generation::read(&after).expect("whole").number, 1);
    assert_ne!(before, after, "alpha's release, and nothing of beta's");
}

#[test]
fn s1_a_holder_that_is_not_configured_here_is_told_while_its_lease_lasts() {
    let rig = Rig::new();
    let (mut alpha, mut gamma) = (rig.member(0), rig.member(2));
    alpha.claimant.members.truncate(2);
    assert_eq!(acquire(&mut gamma, 0), granted(1));
    let why = why(acquire(&mut alpha, 0));
    assert!(why.contains("is held by \"gamma\", which this member's configuration does not name"), "{why}");
    rig.pass(LEASE * 2);
    assert_eq!(acquire(&mut alpha, 0), granted(2));
}

#[test]
fn u12_who_could_not_write_a_claim_does_not_say_that_the_arbiter_answers() {
    let rig = Rig::new();
    let mut alpha = rig.member(0);
    assert_eq!(ask(&mut alpha, ArbiterCall::Look), stands(None, 0));
    assert_eq!(rig.names(), Vec::<String>::new(), "nothing is left of the trial");
    // What cannot be written, as on a disk that is full.
    let stands_in_the_way = rig.path().join("plant%2F7.trial-alpha");
    std::fs::create_dir(&stands_in_the_way).expect("a folder");
    assert_eq!(ask(&mut alpha, ArbiterCall::Look), stands(None, 0), "not tried at each look");
    for _ in 0..2 {
        rig.pass(TRIED_EVERY);
        let why = why(ask(&mut alpha, ArbiterCall::Look));
        assert!(why.contains("plant%2F7.trial-alpha"), "{why}");
    }
    std::fs::remove_dir(&stands_in_the_way).expect("it is empty");
    assert_eq!(ask(&mut alpha, ArbiterCall::Look), stands(None, 0), "tried at each look until it works");
}

/// A renewal after the lease's end reads only: "the arbiter answers again" was told once between two "does not answer".
#[test]
fn u12_what_is_answered_by_reading_alone_is_not_answered_either_where_nothing_can_be_written() {
    let rig = Rig::new();
    let (mut alpha, mut beta) = (rig.member(0), rig.member(1));
    assert_eq!(acquire(&mut alpha, 0), granted(1));
    let stands_in_the_way = ["alpha", "beta"].map(|name| rig.path().join(format!("plant%2F7.trial-{name}")));
    stands_in_the_way.iter().for_each(|path| std::fs::create_dir(path).expect("a folder"));
    why(acquire(&mut beta, 0));
    rig.pass(LEASE);
    let renew = ArbiterCall::Renew { number: 1 };
    for call in [ArbiterCall::Look, renew, renew, ArbiterCall::Release { number: 1 }, ArbiterCall::Look] {
        assert!(why(ask(&mut alpha, call)).contains("plant%2F7.trial-alpha"), "{call:?}");
    }
    stands_in_the_way.iter().for_each(|path| std::fs::remove_dir(path).expect("it is empty"));
    assert_eq!(ask(&mut alpha, renew), refused(None, 1));
}

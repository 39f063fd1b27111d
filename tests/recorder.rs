//! A disk that stalls delays no decision that does not need it, and what it holds up is written when it goes on (U5). After a
//! crash the recording tells until when the controller had lived (H8).

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use support::reference::Reference;
use support::{Part, require, wait_until};
use tandem::control::plan::Action;
use tandem::control::request::Outcome;
use tandem::control::status::{Mode, Status};
use tandem::journal::availability::Meter;
use tandem::journal::tape::Part as Segment;
use tandem::journal::{Entry, Record, Tape, last_written};

/// The disk stalls for so long.
const STALL: Duration = Duration::from_secs(10);

/// And goes on by itself after this: nobody could kill a process that waits for it, nor this test.
const AT_THE_LATEST: Duration = Duration::from_secs(60);

/// Short enough for a test, long enough for a busy machine. What answers on its own output, and prints, may run: neither
/// is the disk's business.
const CONFIG: &str = r#"
[negotiation]
query_interval = "100ms"
reply_timeout = "3s"
boot_timeout = "2s"
connect_grace = "1s"

[[process]]
name = "talks"
run_when = "always"
command = ["/bin/sh", "-c", "while read line; do echo \"$line\"; echo working; done"]
heartbeat = { kind = "line", period = "2s" }
"#;

/// A file system that takes no more, until this is dropped, or [`AT_THE_LATEST`].
struct Stalled {
    path: String,
    /// A process group of its own: the shell, and what it sleeps in.
    at_the_latest: Child,
    since: Instant,
}

impl Stalled {
    fn new(path: &Path) -> Stalled {
        let path = path.display().to_string();
        let later = format!("sleep {}; fsfreeze -u \"$0\"", AT_THE_LATEST.as_secs());
        let at_the_latest = Command::new("sh")
            .args(["-c", &later, &path])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let stalled = Stalled { at_the_latest: at_the_latest.expect("sh starts"), since: Instant::now(), path };
        let frozen = Command::new("fsfreeze").args(["-f", &stalled.path]).status().expect("fsfreeze starts");
        assert!(frozen.success());
        stalled
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        drop(Command::new("fsfreeze").args(["-u", &self.path]).status());
        let group = nix::unistd::Pid::from_raw(self.at_the_latest.id().cast_signed());
        // Gone already is fine.
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        drop(self.at_the_latest.wait());
    }
}

/// A settled pair in which alpha, the Primary, has a disk of its own; and the place of its state on it, as seen from here.
fn with_a_disk_of_its_own() -> (Group, PathBuf) {
    let mut pair = Group::new(2, CONFIG);
    let state = pair.state(0).display().to_string();
    std::fs::create_dir(&state).expect("a mount point");
    let mount = "truncate -s 16M \"$0.disk\" && mkfs.ext4 -q -F \"$0.disk\" && mount -o loop \"$0.disk\" \"$0\" && \
                 chmod 700 \"$0\" && exec \"$@\"";
    pair.run_through(0, &["unshare", "-m", "sh", "-c", mount, &state]);
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let seen = PathBuf::from(format!("/proc/{}/root", pair.running(0).pid()));
    let state = seen.join(pair.state(0).strip_prefix("/").expect("an absolute path"));
    (pair, state)
}

/// What is recorded from the stall on.
fn inputs(state: &Path) -> u64 {
    let tape = Tape::open(state).expect("a recording");
    let parts: Vec<Segment> = tape.files.iter().filter_map(|file| Tape::load(file).ok()).collect();
    parts.last().map_or(0, |part| part.begin.inputs + part.facts.len() as u64)
}

#[test]
fn u5_a_disk_that_stalls_for_ten_seconds_delays_no_decision_that_does_not_need_it() {
    if !require(Part::StallingDisk) {
        return;
    }
    let (mut pair, state) = with_a_disk_of_its_own();
    let healthy =
        |status: &Status| status.processes.iter().any(|process| process.name == "talks") && status.health.total > 0.99;
    pair.wait(0, "its process answers", healthy);
    let stalled = Stalled::new(&state);
    let since = stalled.since;
    // It answers and announces itself: beta goes on as its Secondary, and hears of a hold.
    assert!(matches!(pair.act(0, Action::Hold { for_ms: 600_000 }), Outcome::Done { .. }));
    pair.wait(1, "beta knows of the hold", |status| status.hold.is_some());
    assert!(matches!(pair.act(1, Action::Resume), Outcome::Done { .. }));
    pair.wait(0, "alpha knows of its end", |status| status.hold.is_none());
    // It hands over when an operator asks. The vote for the successor belongs on disk first (rule 11): a disk that is silent
    // for two seconds is one that fails, and keeps the successor waiting no longer (N20, S10).
    let mut alpha = pair.watch(0);
    let (asked, reference) = (Instant::now(), Reference::start());
    let outcome = pair.act(0, Action::StepDown);
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    alpha.until(PATIENCE, "alpha is Secondary", |status| status.mode == Mode::Secondary);
    pair.wait(1, "beta acts", |status| status.mode == Mode::Primary && status.term == 2);
    reference.within(asked.elapsed(), Duration::from_secs(4), "the hand-over");
    assert!(since.elapsed() < AT_THE_LATEST, "all of it while the disk stalled: {:?}", since.elapsed());
    // It notices the death of the other in time; only the term that it would act in needs the disk.
    let (status, _) =
        alpha.until(PATIENCE, "alpha hears beta act", |status| status.peers[0].mode == Some(Mode::Primary));
    assert_eq!(status.mode, Mode::Secondary);
    pair.kill(1);
    let (killed, reference) = (Instant::now(), Reference::start());
    alpha.until(PATIENCE, "alpha knows that beta is gone", |status| status.peers[0].gone.is_some());
    reference.within(killed.elapsed(), Duration::from_secs(3), "noticed");
    // A whole stall, and it still publishes, and its process is still heard.
    let mut status = pair.status(0);
    wait_until(STALL + PATIENCE, "the stall has lasted", || {
        status = pair.status(0);
        assert!(status.alarms.iter().any(|alarm| alarm.id == "state_not_durable"), "{:?}", status.alarms);
        assert_eq!(status.mode, Mode::Secondary, "no term is acted in that is not on disk (N11)");
        assert!(healthy(&status), "{:?}", status.processes);
        since.elapsed() >= STALL
    });
    drop(stalled);
    let (on, reference) = (Instant::now(), Reference::start());
    alpha.until(PATIENCE, "alpha is Primary", |status| status.mode == Mode::Primary && status.term == 3);
    reference.within(on.elapsed(), Duration::from_secs(3), "Primary after the disk went on");

    // Nothing is lost but what is told, and what is told is told once.
    let journal = || -> Vec<Record> { tandem::journal::read(&state).expect("a journal").collect() };
    wait_until(PATIENCE, "the journal has caught up", || {
        journal().iter().any(|record| record.entry.kind() == "decision" && record.entry.text().contains("term 3"))
    });
    let all = journal();
    let numbers: Vec<u64> = all.iter().map(|record| record.seq).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let told = |kind: &str| all.iter().filter(|record| record.entry.kind() == kind).count();
    assert_eq!((told("lost"), told("stalled")), (0, 0), "the loop itself never stood still");
    // Every input of the stall is in the recording, and decided again when the pair goes.
    let before = inputs(&state);
    assert!(before > 0);
    wait_until(PATIENCE, "the recording goes on", || inputs(&state) > before);
    let tape = Tape::open(&state).expect("a recording");
    let first = Tape::load(&tape.files[0]).expect("its first segment");
    assert_eq!(tape.files.len(), 1, "no input was missing, so it never began anew");
    assert!(first.skipped.is_none() || first.skipped.is_some_and(|skipped| skipped.why.contains("being written")));
}

/// All that had passed since the journal's last record was unknown after a crash, up to an hour of it.
#[test]
fn h8_after_a_crash_what_was_known_counts_until_shortly_before_it() {
    let mut group = Group::new(2, CONFIG);
    group.start_all();
    let primary = group.settle();
    let last = || group.journal(primary).last().map_or(0, |record| record.unix_ms);
    wait_until(PATIENCE, "two seconds pass without a record, and are recorded", || {
        last_written(&group.state(primary)).is_some_and(|written| written >= last() + 2_000)
    });
    group.kill(primary);
    // Only now does neither grow any more.
    let quiet_from = group.journal(primary).last().map_or(0, |record| record.unix_ms);
    let lived = last_written(&group.state(primary)).map_or(0, |written| written.saturating_sub(quiet_from));
    group.start(primary);
    let started = |record: &Record| matches!(record.entry, Entry::Started { .. }) && record.unix_ms > quiet_from;
    wait_until(PATIENCE, "it has started again", || group.journal(primary).iter().any(started));
    let journal = group.journal(primary);
    let again = journal.iter().position(started).expect("it was waited for");
    let before = Meter::over(&journal[..again]).totals();
    let after = Meter::over(&journal[..=again]).totals();
    assert_eq!(after.primary_ms, before.primary_ms + lived, "{before:?} {after:?}");
}

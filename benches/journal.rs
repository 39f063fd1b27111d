//! What the journal and its recorder cost an idle pair, in CPU a minute (U5).
//!
//! `cargo bench --bench journal`. Their threads' time is the kernel's count for a real pair. Their share of the loop's time
//! cannot be read off a running controller: the very inputs of that minute are given to a recorder again, one by one, and
//! the calling thread's time is counted.

#[path = "../tests/support/group.rs"]
mod group;
#[path = "support/measured.rs"]
mod measured;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use group::{Group, NAMES};
use measured::{cpu, cpu_of, ms};
use nix::time::{ClockId, clock_gettime};
use tandem::journal::recording::Moment;
use tandem::journal::replay::Player;
use tandem::journal::tape::Part;
use tandem::journal::{Recorder, Tape};

/// Watched for so long.
const MINUTE: Duration = Duration::from_secs(60);
/// Before that, the pair has settled.
const BEFORE: Duration = Duration::from_secs(10);
/// The loop's share is measured so often.
const RUNS: usize = 20;

fn main() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    let primary = pair.settle();
    std::thread::sleep(BEFORE);
    let pids = [pair.running(0).pid(), pair.running(1).pid()];
    let journals = [0, 1].map(|member| pair.state(member).join("journal"));
    let sizes = || [0, 1].map(|member| bytes(&journals[member]));
    let spent = |pid| [cpu_of(pid, |thread| thread == "journal"), cpu_of(pid, |thread| thread == "recorder"), cpu(pid)];
    let (before, size_before) = (pids.map(spent), sizes());
    std::thread::sleep(MINUTE);
    let (after, size_after) = (pids.map(spent), sizes());
    for member in 0..2 {
        assert!(pair.stop(member).success(), "{} stops", NAMES[member]);
        let [journal, recorder, all] = [0, 1, 2].map(|which| after[member][which] - before[member][which]);
        let (inputs, mut shares) = shares(&pair, member);
        shares.sort_by(f64::total_cmp);
        let share = shares[RUNS / 2];
        let role = if member == primary { "Primary" } else { "Secondary" };
        println!(
            "idle {role}, CPU in ms a minute: the recorder's thread {recorder:.2}, the journal's {journal:.2}, their share of \
             the loop {share:.2} ({:.2} to {:.2}, {RUNS} runs over the minute's {inputs} inputs); together {:.2} of the \
             controller's {all:.1}; {} bytes on disk",
            shares[0],
            shares[RUNS - 1],
            recorder + journal + share,
            size_after[member] - size_before[member],
        );
    }
}

fn bytes(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a journal").flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// How many inputs the last minute had, and what recording them costs whoever hands them over, in milliseconds.
fn shares(pair: &Group, member: usize) -> (usize, Vec<f64>) {
    let tape = Tape::open(&pair.state(member)).expect("a recording");
    let part = Tape::load(tape.files.last().expect("a segment")).expect("it can be read");
    let Moment { at: end, .. } = part.facts.last().expect("inputs").moment;
    let first = part.facts.iter().position(|fact| end.since(fact.moment.at) <= MINUTE).expect("the last is within it");
    (part.facts.len() - first, (0..RUNS).map(|_| share(&part, first)).collect())
}

fn share(part: &Part, first: usize) -> f64 {
    let folder = support::temporary_folder();
    let recorder =
        Recorder::open(folder.path(), 0, part.who.clone(), part.begin.addresses.clone()).expect("a recorder");
    let mut player = Player::at_start(part).expect("the machine");
    let mut spent = Duration::ZERO;
    let mut outputs = Vec::new();
    for (place, fact) in part.facts.iter().enumerate() {
        let at = fact.moment.at;
        let before = thread_cpu();
        recorder.fed(at, &fact.input, &player.machine);
        let mut one = thread_cpu() - before;
        outputs.clear();
        player.step(part, &mut outputs);
        let before = thread_cpu();
        outputs.iter().for_each(|output| recorder.told(output));
        one += thread_cpu() - before;
        if place >= first {
            spent += one;
        }
    }
    recorder.close();
    ms(spent)
}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).expect("Linux has this clock")
}

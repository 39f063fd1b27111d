//! Processes that want the lease of one shared directory, at once and without end, and record each millisecond in which
//! they may count on it; and whoever freezes and kills them at random moments.
//!
//! A holder is the very program of the test, started again: [`be_a_holder_if_asked`] makes it one.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tandem::arbiter::{Arbiter, Claimant, FileArbiter};
use tandem::negotiation::exchange::{ArbiterCall, ArbiterReply};
use tandem::negotiation::member::{MemberId, Name};
use tandem::process::BootTime;

use crate::support::{Running, temporary_folder, wait_until};

const HOLDER: &str = "TANDEM_TEST_HOLDER";
const FOLDER: &str = "TANDEM_TEST_HOLDER_FOLDER";

/// How many want the lease.
const HOLDERS: usize = 3;

/// The lease that they want: short, so that a run sees many of its ends.
pub const LEASE: Duration = Duration::from_millis(200);

/// How long one run lasts.
const RUN: Duration = Duration::from_millis(2500);

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// How many leases were held.
    pub leases: usize,
    /// How often somebody was frozen.
    pub frozen: usize,
    /// How often somebody was killed.
    pub killed: usize,
    /// For how many milliseconds somebody held it.
    pub recorded: usize,
}

/// Never returns in a process that [`run`] has started to be a holder.
pub fn be_a_holder_if_asked() {
    let (Ok(holder), Ok(folder)) = (std::env::var(HOLDER), std::env::var(FOLDER)) else { return };
    hold(holder.parse().expect("its number"), Path::new(&folder));
}

fn hold(me: u8, folder: &Path) -> ! {
    let members = ["alpha", "beta", "gamma"].map(Name::new).to_vec();
    let claimant = Claimant { group: "test".to_owned(), me: MemberId(me), members };
    let mut arbiter = FileArbiter::new(folder.join("shared"), claimant, LEASE).expect("random numbers");
    let record = folder.join(format!("record-{me}"));
    let mut record = std::fs::OpenOptions::new().create(true).append(true).open(record).expect("a record");
    let counts_for = LEASE - LEASE / 10;
    let mut held: Option<(u64, BootTime)> = None;
    let mut ask_at = BootTime::default();
    loop {
        let now = BootTime::now();
        held = held.filter(|(_, until)| now < *until);
        if let Some((number, _)) = held {
            // One write: whole, or not at all.
            let line = format!("{number} {} {}\n", std::process::id(), now.nanoseconds());
            record.write_all(line.as_bytes()).expect("the record is written");
        }
        if now >= ask_at {
            let asked_at = BootTime::now();
            let call = held.map_or(ArbiterCall::Acquire { above: 0 }, |(number, _)| ArbiterCall::Renew { number });
            match (arbiter.ask(call, LEASE), held) {
                (ArbiterReply::Granted { number }, _) | (ArbiterReply::Renewed, Some((number, _))) => {
                    held = Some((number, asked_at + counts_for));
                    ask_at = asked_at + LEASE / 3;
                }
                (ArbiterReply::Unreachable { why }, _) => {
                    eprintln!("{why}");
                    ask_at = asked_at + LEASE / 20;
                }
                (_, _) => {
                    held = None;
                    ask_at = asked_at + LEASE / 20;
                }
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A small source of chance, from a seed that is printed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn start(me: usize, folder: &Path, arguments: &[&str]) -> Running {
    let mut command = Command::new(std::env::current_exe().expect("this very program"));
    command.args(arguments).env(HOLDER, me.to_string()).env(FOLDER, folder);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("log-{me}")));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log"));
    Running::start(command)
}

/// Lets three want the lease, freezes and kills them by `seed`, and looks whether two ever held it at once. With
/// `arguments` this program becomes a holder.
pub fn run(seed: u64, arguments: &[&str]) -> Outcome {
    let folder = temporary_folder();
    std::fs::create_dir(folder.path().join("shared")).expect("a folder");
    let mut holders: Vec<Running> = (0..HOLDERS).map(|me| start(me, folder.path(), arguments)).collect();
    wait_until(Duration::from_secs(60), "somebody holds the lease", || !records(folder.path()).is_empty());
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut frozen, mut killed) = (0, 0);
    let started = Instant::now();
    while started.elapsed() < RUN {
        let me = chance.below(HOLDERS as u64) as usize;
        std::thread::sleep(Duration::from_micros(chance.below(150_000)));
        if chance.below(4) == 0 {
            // The one before is killed and reaped when it is replaced.
            holders[me] = start(me, folder.path(), arguments);
            killed += 1;
        } else {
            holders[me].signal(Signal::SIGSTOP);
            std::thread::sleep(Duration::from_micros(chance.below(600_000)));
            holders[me].signal(Signal::SIGCONT);
            frozen += 1;
        }
    }
    drop(holders);
    let mut lines = records(folder.path());
    lines.sort_by_key(|line| line.2);
    let mut by_number: BTreeMap<u64, u64> = BTreeMap::new();
    for (number, pid, at) in &lines {
        let owner = by_number.entry(*number).or_insert(*pid);
        assert_eq!(owner, pid, "seed {seed}: {number} was allotted twice, seen at {at}");
    }
    for pair in lines.windows(2) {
        let ((before, ..), (after, _, at)) = (pair[0], pair[1]);
        assert!(before <= after, "seed {seed}: {before} and {after} were held at once, at {at}");
    }
    Outcome { leases: by_number.len(), frozen, killed, recorded: lines.len() }
}

/// Number, process and boot time of each millisecond in which somebody held the lease.
fn records(folder: &Path) -> Vec<(u64, u64, u64)> {
    let mut lines = Vec::new();
    for me in 0..HOLDERS {
        let text = std::fs::read_to_string(folder.join(format!("record-{me}"))).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let mut words = line.split(' ').map(|word| word.parse::<u64>().expect("a number"));
            let mut word = || words.next().expect("three of them");
            lines.push((word(), word(), word()));
        }
    }
    lines
}

//! What a link can lie about, with real processes: a pair under an arbiter on a shared directory is partitioned in
//! silence, cut off from everything, or frozen, while a process that runs on the Primary only records each millisecond.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tandem::control::status::{Mode, Status};

use crate::group::{Group, NAMES, PATIENCE};
use crate::namespaces::Network;
use crate::support::{binary, wait_until};

/// The times of a run.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// `arbiter.lease`.
    pub lease: Duration,
    /// `negotiation.reply_timeout`; asked is three times as often.
    pub reply_timeout: Duration,
    /// How long after everything runs the fault comes: other runs, other moments of the lease.
    pub moment: Duration,
}

impl Times {
    /// A short lease, for the tests; the fault wanders through the time between two renewals.
    pub fn short(run: u32) -> Times {
        let lease = Duration::from_secs(4);
        Times { lease, reply_timeout: Duration::from_secs(2), moment: lease / 3 * (run * 7 % 20) / 20 }
    }

    /// The defaults.
    pub fn default(run: u32) -> Times {
        let lease = Duration::from_secs(5);
        Times { lease, reply_timeout: Duration::from_secs(3), moment: lease / 3 * (run * 7 % 20) / 20 }
    }
}

/// A pair on a switch, and who of it acts.
struct Rig {
    network: Network,
    pair: Group,
    primary: usize,
    other: usize,
}

impl Rig {
    fn start(times: Times) -> Rig {
        let network = Network::switched(2);
        let ms = |time: Duration| time.as_millis();
        let mut pair = network.group(&format!(
            "[negotiation]\nquery_interval = \"{}ms\"\nreply_timeout = \"{}ms\"\n\
             [takeover]\nprotection = [\"arbiter\"]\n\
             [arbiter]\nkind = \"file\"\ndirectory = \"shared\"\nlease = \"{}ms\"\n\
             [[process]]\nname = \"plant\"\nrun_when = \"primary\"\nstop_grace = \"300ms\"\n\
             command = [\"{}\", \"sample-process\", \"--record\", \"{{member}}.record\"]\n",
            ms(times.reply_timeout / 3),
            ms(times.reply_timeout),
            ms(times.lease),
            binary()
        ));
        std::fs::create_dir(pair.folder().join("shared")).expect("a folder");
        for (member, name) in NAMES.iter().enumerate().take(2) {
            // Each goes its own way to the shared directory, so that one way can be taken away.
            let way = format!("way-of-{name}");
            std::os::unix::fs::symlink("shared", pair.folder().join(&way)).expect("a link");
            pair.change_config(member, |text| text.replace("\"shared\"", &format!("\"{way}\"")));
        }
        pair.start_all();
        let primary = pair.settle();
        let rig = Rig { network, pair, primary, other: 1 - primary };
        rig.acts(primary);
        std::thread::sleep(times.moment);
        rig
    }

    fn record(&self, member: usize) -> Vec<(u64, u64)> {
        lines(&self.pair.folder().join(format!("{}.record", NAMES[member])))
    }

    /// Waits until what runs on the Primary records on `member`.
    fn acts(&self, member: usize) {
        let before = self.record(member).len();
        wait_until(PATIENCE, "it records", || self.record(member).len() > before);
    }

    fn takes_over(&self) {
        self.pair.wait(self.other, "it has taken over", |status| status.mode == Mode::Primary);
        self.acts(self.other);
    }

    /// Once all is well again: one Primary, one Secondary, and no two ever acted. Returns the longest time in which nobody
    /// did.
    fn end(mut self) -> Duration {
        let primary = self.pair.settle();
        self.acts(primary);
        let status: Status = self.pair.status(1 - primary);
        assert_eq!(status.mode, Mode::Secondary);
        for member in 0..2 {
            self.pair.stop(member);
        }
        let mut all: Vec<(u64, usize, u64)> = Vec::new();
        for member in 0..2 {
            all.extend(self.record(member).into_iter().map(|(term, at)| (at, member, term)));
        }
        all.sort_unstable();
        let mut terms: BTreeMap<u64, usize> = BTreeMap::new();
        for (at, member, term) in &all {
            let owner = *terms.entry(*term).or_insert(*member);
            assert_eq!(owner, *member, "term {term} has two owners, at {at}");
        }
        for pair in all.windows(2) {
            let ((_, before, old), (at, after, new)) = (pair[0], pair[1]);
            assert!(
                old <= new,
                "{} in term {old} and {} in term {new} acted at once, at {at}",
                NAMES[before],
                NAMES[after]
            );
        }
        let last_of = |last: &(u64, usize, u64), next: &(u64, usize, u64)| next.0 - last.0;
        // What ends with the run is no outage: the last of the records is not followed by anything.
        let longest = all.windows(2).map(|pair| last_of(&pair[0], &pair[1])).max().expect("records");
        Duration::from_nanos(longest)
    }
}

/// Term and boot time of each record; what is being written just now is no line yet.
fn lines(path: &Path) -> Vec<(u64, u64)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let word = |line: &str, at: usize| line.split(' ').nth(at)?.parse().ok();
    whole.lines().filter_map(|line| Some((word(line, 1)?, word(line, 2)?))).collect()
}

/// The link falls silent, nothing closes, and both reach the arbiter: the Primary goes on, the other must not.
pub fn silent_partition(times: Times) -> Duration {
    let rig = Rig::start(times);
    rig.network.detach(rig.primary);
    let gone = |status: &Status| status.alarms.iter().any(|alarm| alarm.id.starts_with("peer_silent"));
    rig.pair.wait(rig.other, "the Primary counts as gone", gone);
    // Long enough for a lease that is not renewed to be over for everybody.
    std::thread::sleep(times.lease * 2);
    for (member, mode) in [(rig.primary, Mode::Primary), (rig.other, Mode::Secondary)] {
        assert_eq!(rig.pair.status(member).mode, mode, "{}", NAMES[member]);
    }
    rig.acts(rig.primary);
    rig.network.attach(rig.primary);
    rig.end()
}

/// The Primary loses the link and its way to the arbiter: it stops acting before the lease is over, and the other begins
/// after.
pub fn cut_off(times: Times) -> Duration {
    let rig = Rig::start(times);
    let way = rig.pair.folder().join(format!("way-of-{}", NAMES[rig.primary]));
    rig.network.detach(rig.primary);
    std::fs::remove_file(&way).expect("it is there");
    rig.takes_over();
    std::os::unix::fs::symlink("shared", &way).expect("a link");
    rig.network.attach(rig.primary);
    rig.end()
}

/// The controller alone is frozen, while its guardian and its process live.
pub fn frozen(times: Times) -> Duration {
    let rig = Rig::start(times);
    rig.pair.signal(rig.primary, Signal::SIGSTOP);
    rig.takes_over();
    rig.pair.signal(rig.primary, Signal::SIGCONT);
    rig.end()
}

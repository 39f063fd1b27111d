//! A pair protected by a lease in a real etcd: two controllers and three servers, on three machines of one network, and a
//! process on the Primary that records each millisecond in which it acts.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use tandem::process::BootTime;

use crate::etcd::Etcd;
use crate::group::{Group, NAMES};
use crate::namespaces::Network;
use crate::support::{self, wait_until};

/// The machine of etcd's servers; the members' own come before it.
const SERVERS: usize = 2;
/// Longer than whatever is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What keeps the Primary from renewing its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its machine reaches nobody.
    Isolated,
    /// The members do not hear each other, and etcd has no majority.
    LinkCutAndEtcdFrozen,
    /// It does not hear etcd; later it does not hear the other member either.
    EtcdCutThenLinkCut,
    /// Its controller is frozen; its processes are not.
    ControllerFrozen,
}

/// All of them.
pub const FAULTS: [Fault; 4] =
    [Fault::Isolated, Fault::LinkCutAndEtcdFrozen, Fault::EtcdCutThenLinkCut, Fault::ControllerFrozen];

/// See the module.
pub struct Leased {
    pub pair: Group,
    pub etcd: Etcd,
    pub network: Network,
    lease: Duration,
    /// From where on what the members' processes record is of interest now, bytes.
    marks: Cell<[u64; 2]>,
}

fn now() -> u64 {
    u64::try_from(BootTime::now().0.as_nanos()).expect("584 years are not over")
}

/// A stretch of time in which one member's process acted, boot time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub member: usize,
    pub from: u64,
    pub to: u64,
}

impl Leased {
    /// A pair of which one is Primary, and acts. Silence is half of the lease.
    pub fn start(lease: Duration) -> Leased {
        let network = Network::switched(3);
        let (machine, host) = network.machine(SERVERS);
        let etcd = Etcd::on(machine, host);
        let more = format!(
            "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"{}ms\"\n[takeover]\nprotection = \
             [\"arbiter\"]\n{}[[process]]\nname = \"plant\"\n\
             run_when = \"primary\"\nstop_grace = \"200ms\"\ncommand = [\"{}\", \"sample-process\", \"--record\", \
             \"{{member}}.record\"]\n",
            (lease / 2).as_millis(),
            etcd.section(&format!("{}ms", lease.as_millis())),
            support::binary()
        );
        let mut pair = network.group_of(2, &more);
        pair.start_all();
        let leased = Leased { pair, etcd, network, lease, marks: Cell::default() };
        let primary = leased.pair.settle();
        leased.acts_after(primary, 0);
        leased
    }

    /// What a member's process has recorded since `marks` were set.
    fn records(&self, member: usize) -> Vec<u64> {
        self.records_from(member, self.marks.get()[member])
    }

    fn record(&self, member: usize) -> PathBuf {
        self.pair.folder().join(format!("{}.record", NAMES[member]))
    }

    /// The records of a member's process from a byte of its file on: whole lines, "NODE TERM BOOTTIME_NS".
    fn records_from(&self, member: usize, from: u64) -> Vec<u64> {
        let mut text = String::new();
        if let Ok(mut file) = File::open(self.record(member)) {
            file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_string(&mut text)).expect("a record");
        }
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        // The first line may be the end of one.
        whole.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok()).collect()
    }

    fn length(&self, member: usize) -> u64 {
        std::fs::metadata(self.record(member)).map_or(0, |file| file.len())
    }

    /// When a member's process last acted; zero: never.
    fn last(&self, member: usize) -> u64 {
        self.records_from(member, self.length(member).saturating_sub(400)).last().copied().unwrap_or(0)
    }

    /// Waits until a member's process has acted after `when`; returns the first such moment.
    fn acts_after(&self, member: usize, when: u64) -> u64 {
        wait_until(PATIENCE, "the process acts", || self.last(member) > when);
        self.records(member).into_iter().find(|at| *at > when).expect("it is recorded")
    }

    /// Waits until a member's process has not acted for a while; returns its last moment.
    fn has_stopped(&self, member: usize) -> u64 {
        wait_until(PATIENCE, "the process has stopped", || now() > self.last(member) + 300_000_000);
        self.last(member)
    }

    /// Lets `fault` befall the Primary, until it has stopped acting and another or the same acts again, and mends it. The
    /// fault began then, the Primary acted for the last time then, and somebody for the first time again then.
    pub fn suffer(&self, fault: Fault) -> (u64, u64, u64) {
        let primary = self.pair.settle();
        let other = 1 - primary;
        self.marks.set([self.length(0), self.length(1)]);
        self.acts_after(primary, now());
        let cut_link = || {
            self.network.deafen(primary, other);
            self.network.deafen(other, primary);
        };
        let mut began = now();
        let last;
        let again;
        match fault {
            Fault::Isolated => {
                self.network.detach(primary);
                again = self.acts_after(other, began);
                last = self.has_stopped(primary);
                self.network.attach(primary);
            }
            Fault::LinkCutAndEtcdFrozen => {
                self.etcd.freeze(0);
                self.etcd.freeze(1);
                cut_link();
                last = self.has_stopped(primary);
                self.etcd.thaw(0);
                self.etcd.thaw(1);
                wait_until(PATIENCE, "somebody acts again", || (0..2).any(|member| self.last(member) > last));
                let after = |member| self.records(member).into_iter().find(|at| *at > last);
                again = (0..2).filter_map(after).min().expect("it is recorded");
                self.network.undeafen(primary);
                self.network.undeafen(other);
            }
            Fault::EtcdCutThenLinkCut => {
                self.network.deafen(primary, SERVERS);
                // By agreement it goes on beyond the lease (S4).
                let end = began + u64::try_from(self.lease.as_nanos()).expect("it fits");
                self.acts_after(primary, end);
                began = now();
                cut_link();
                again = self.acts_after(other, began);
                last = self.has_stopped(primary);
                self.network.undeafen(primary);
                self.network.undeafen(other);
            }
            Fault::ControllerFrozen => {
                self.pair.signal(primary, Signal::SIGSTOP);
                again = self.acts_after(other, began);
                last = self.has_stopped(primary);
                self.pair.signal(primary, Signal::SIGCONT);
            }
        }
        self.pair.settle();
        (began, last, again)
    }

    /// The stretches in which each member's process acted, in the order of time. Two of one member's stretches lie further
    /// apart than a process needs to be started anew.
    pub fn stretches(&self) -> Vec<Stretch> {
        let mut all: Vec<(u64, usize)> =
            (0..2).flat_map(|member| self.records_from(member, 0).into_iter().map(move |at| (at, member))).collect();
        all.sort_unstable();
        let mut stretches: Vec<Stretch> = Vec::new();
        for (at, member) in all {
            match stretches.last_mut() {
                Some(last) if last.member == member => last.to = at,
                Some(_) | None => stretches.push(Stretch { member, from: at, to: at }),
            }
        }
        stretches
    }

    /// Fails when two acted at once: who has given way to the other has to take up the role anew to act again, which nobody
    /// does within a tenth of a lease.
    pub fn nobody_acted_beside_another(&self) {
        let least = u64::try_from(self.lease.as_nanos() / 10).expect("it fits");
        for pair in self.stretches().windows(3) {
            let between = pair[1].to - pair[1].from;
            assert!(pair[1].member == pair[0].member || between > least, "two acted at once: {pair:?}");
        }
    }
}

//! What is rehearsed: a site's settings, and what the simulator has to know of its processes and devices.

use std::time::Duration;

use crate::health::total::Weights;
use crate::negotiation::member::MemberId;
use crate::negotiation::settings::{Protection, Settings};
use crate::sim::walk::recovery_bound;

/// A group as its configuration has it.
#[derive(Debug, Clone)]
pub struct Site {
    /// The settings of every member; `me` is filled in for each.
    pub settings: Settings,
    /// What stopping everything that runs only on the Primary takes at worst.
    pub stop_time: Duration,
    /// By member: when an agent that does not end is given up for good, all its attempts together.
    pub agent_given_up_after: Vec<Duration>,
    /// What the health score is made of.
    pub plant: Plant,
}

/// The required processes, as far as the health score knows them (H1–H4, H6).
#[derive(Debug, Clone)]
pub struct Plant {
    /// The weights of the three statuses. Checks of the site's own answer well in a rehearsal.
    pub weights: Weights,
    /// The weight of all checks together.
    pub checks: f64,
    /// How often the score is computed.
    pub sample: Duration,
    /// The processes, those that do not count included.
    pub processes: Vec<PlantProcess>,
}

/// In which mode of its member a process runs (P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// In both.
    Always,
    /// Only while it is Primary.
    OnPrimary,
    /// Only while it is Secondary.
    OnSecondary,
}

/// One required process.
#[derive(Debug, Clone)]
pub struct PlantProcess {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub runs: Runs,
    /// Whether it counts for the score (H6).
    pub counts: bool,
    /// The period of its heartbeat; none: only its life counts.
    pub heartbeat: Option<Duration>,
    /// Waited before its first restart; doubles with each that follows soon.
    pub restart_delay: Duration,
    /// The longest that is waited.
    pub longest_restart_delay: Duration,
    /// More restarts than this within `burst_within`, and it is given up.
    pub burst: u32,
    /// The time in which `burst` counts.
    pub burst_within: Duration,
}

impl Plant {
    /// No processes: the score is always full.
    pub fn empty() -> Plant {
        Plant {
            weights: Weights { restarts: 0.4, response_time: 0.3, memory: 0.3 },
            checks: 0.0,
            sample: Duration::from_secs(1),
            processes: Vec::new(),
        }
    }
}

impl Site {
    /// A site with these settings, and nothing that runs on it.
    pub fn new(settings: Settings) -> Site {
        let members = settings.members.len();
        Site {
            settings,
            stop_time: Duration::ZERO,
            agent_given_up_after: vec![Duration::from_secs(40); members],
            plant: Plant::empty(),
        }
    }

    /// Whether protection asks for this.
    pub fn protected_by(&self, wanted: Protection) -> bool {
        self.settings.protected_by(wanted)
    }

    /// Whether the protection is more than a filter: it proves that no other member acts (S1).
    pub fn is_proven(&self) -> bool {
        self.settings.protection.iter().any(|protection| match protection {
            Protection::Majority | Protection::Fence | Protection::Arbiter => true,
            Protection::Reachability => false,
        })
    }

    /// Every member.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberId> + Clone + use<> {
        // A group has at most sixteen members.
        (0..self.settings.members.len() as u8).map(MemberId)
    }

    /// PL of the rules: how long a promise lasts.
    pub(super) fn promise(&self) -> Duration {
        self.settings.lease_length().unwrap_or_default().max(self.settings.reply_timeout)
    }

    /// The longest that switching somebody off keeps anybody waiting; zero without `fence`.
    fn fencing(&self) -> Duration {
        if !self.protected_by(Protection::Fence) {
            return Duration::ZERO;
        }
        let delays = self.settings.fence_delay.iter().flatten().max().copied().unwrap_or_default();
        delays + self.agent_given_up_after.iter().max().copied().unwrap_or_default()
    }

    /// How long a fault is there that nobody mends soon: all that the rules do about it has happened by then.
    pub(super) fn lasting(&self) -> Duration {
        Duration::from_secs(30) + 4 * self.promise() + self.stop_time + self.fencing()
    }

    /// How long everything takes to be well again, once nothing is broken any more.
    pub(super) fn recovery(&self) -> Duration {
        recovery_bound(&self.settings) + 2 * self.promise() + 2 * self.stop_time + self.fencing()
    }
}

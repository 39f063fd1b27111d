//! One required process as the supervision knows it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::required::ProcessConfig;
use crate::process::event::StopWay;
use crate::process::policy::Policy;
use crate::process::snapshot::Wanted;
use crate::process::time::BootTime;

/// Why something that runs is being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was asked to; killed at this time.
    Asked { at: BootTime, kill_at: BootTime, way: StopWay },
    /// It died by itself, or has to after a failed start; what it left is being killed.
    Died,
    /// The guardian killed it.
    Overdue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing of it runs, and nothing is due.
    Off,
    /// Ordered, or started, and not ready.
    Starting,
    /// Ready.
    Running,
    /// It is to be gone soon.
    Ending(Ending),
    /// It is started again then.
    Backoff(BootTime),
    GivenUp,
}

/// One process.
#[derive(Debug, Clone)]
pub struct One {
    pub(super) config: ProcessConfig,
    /// How it is configured once what runs of it has ended (U10).
    pub(super) next: Option<ProcessConfig>,
    /// The file does not name it any more: it ends, and stays so. Its place stays, for places are how it is known.
    pub(super) retired: bool,
    pub(super) name: Arc<str>,
    pub(super) state: State,
    pub(super) since: BootTime,
    pub(super) policy: Policy,
    pub(super) wanted: Wanted,
    /// Its turn in the order of starting is over.
    pub(super) passed: bool,
    /// When its turn came.
    pub(super) turn: Option<BootTime>,
    /// It is a Primary's, and waits for the controller's word (P6).
    pub(super) barred: bool,
    pub(super) launched_at: Option<BootTime>,
    pub(super) started_at: Option<BootTime>,
    pub(super) ready_at: Option<BootTime>,
    pub(super) pid: Option<u32>,
    pub(super) restarts: VecDeque<BootTime>,
    pub(super) restarts_total: u64,
    /// Deaths in a row, each soon after its start.
    pub(super) deaths_in_a_row: u32,
    pub(super) last_end: Option<Arc<str>>,
}

impl One {
    pub(super) fn new(config: ProcessConfig) -> One {
        One {
            name: config.name.as_str().into(),
            policy: Policy::new(config.restart),
            config,
            next: None,
            retired: false,
            state: State::Off,
            since: BootTime::default(),
            wanted: Wanted::ByMode,
            passed: false,
            turn: None,
            barred: false,
            launched_at: None,
            started_at: None,
            ready_at: None,
            pid: None,
            restarts: VecDeque::new(),
            restarts_total: 0,
            deaths_in_a_row: 0,
            last_end: None,
        }
    }

    /// How it is configured.
    pub fn config(&self) -> &ProcessConfig {
        &self.config
    }

    /// Whether the file does not name it any more.
    pub fn is_retired(&self) -> bool {
        self.retired
    }

    /// What a changed file says of it, once nothing of it runs.
    pub(super) fn take_on(&mut self) {
        if let Some(next) = self.next.take() {
            self.policy = Policy::new(next.restart);
            self.config = next;
        }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Since when it does what it does.
    pub fn since(&self) -> BootTime {
        self.since
    }

    /// Whether an operator stopped it.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Its process id, and when it was started, while it runs.
    pub fn started(&self) -> Option<(u32, BootTime)> {
        Some((self.pid?, self.started_at?))
    }

    /// When it was ready, while it runs.
    pub fn ready_at(&self) -> Option<BootTime> {
        self.ready_at
    }

    /// Restarts after a death, lately, and since start.
    pub fn restarts(&self) -> (Arc<[BootTime]>, u64) {
        (self.restarts.iter().copied().collect(), self.restarts_total)
    }

    /// Restarts in a row that did not help: it died again before it had proved that it lives (H6).
    pub fn failed_restarts(&self) -> u32 {
        self.deaths_in_a_row.saturating_sub(1)
    }

    /// How it ended last.
    pub fn last_end(&self) -> Option<&Arc<str>> {
        self.last_end.as_ref()
    }

    /// When it is started again.
    pub fn restart_at(&self) -> Option<BootTime> {
        match self.state {
            State::Backoff(until) => Some(until),
            State::Off | State::Starting | State::Running | State::Ending(_) | State::GivenUp => None,
        }
    }

    /// Takes on at once what needs no new start, and keeps the rest for the next one. Whether it has to start again.
    pub(super) fn reconfigure(&mut self, new: &ProcessConfig) -> bool {
        if self.config.restart != new.restart {
            self.policy = Policy::new(new.restart);
        }
        let ours = &mut self.config;
        (ours.counts, ours.restart) = (new.counts, new.restart);
        (ours.start_timeout, ours.stop_grace) = (new.start_timeout, new.stop_grace);
        self.next = (*ours != *new).then(|| new.clone());
        self.next.is_some()
    }

    pub(super) fn enter(&mut self, now: BootTime, state: State) {
        self.state = state;
        self.since = now;
    }

    /// Whether something of it may run.
    pub(super) fn lives(&self) -> bool {
        match self.state {
            State::Starting | State::Running | State::Ending(_) => true,
            State::Off | State::Backoff(_) | State::GivenUp => false,
        }
    }
}

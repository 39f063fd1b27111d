//! The health in the loop: figures come in from the sampler, the checks and the processes' snapshots, the score goes to
//! the negotiation when it changed (H1), and what it is made of to the status.
//!
//! Nothing here measures or waits. Without processes and checks there is nothing to measure: the score is 1 and nothing
//! ever wakes the loop for it.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::Config;
use crate::config::measuring::CheckConfig;
use crate::control::status;
use crate::health::check::Standing;
use crate::health::checks::{Answer, Checks};
use crate::health::memory;
use crate::health::response::{self, Down};
use crate::health::sampler::{Sampler, Usage, memory_base};
use crate::health::total::{Checked, Counted, Sub, Weights, total};
use crate::negotiation::ability::Score;
use crate::negotiation::exchange::Input;
use crate::negotiation::time::Instant;
use crate::process::heartbeat::Pulse;
use crate::process::{BootTime, ProcessSnapshot, ProcessState};

use super::engine::{Engine, News};

/// Answers of checks that wait for the loop.
const ANSWERS: usize = 64;

/// Figures that come in.
#[derive(Debug)]
pub enum Figures {
    /// Memory and CPU.
    Sampled(Vec<Usage>),
    /// What a check answered.
    Answered(Answer),
}

/// Where figures come in.
pub struct HealthInlet {
    samples: mpsc::Receiver<Vec<Usage>>,
    answers: mpsc::Receiver<Answer>,
}

impl HealthInlet {
    /// The next figures; never, where nothing is measured.
    pub async fn next(&mut self) -> Figures {
        tokio::select! {
            Some(usages) = self.samples.recv() => Figures::Sampled(usages),
            Some(answer) = self.answers.recv() => Figures::Answered(answer),
            else => pending().await,
        }
    }
}

/// One check and how it stands.
struct Check {
    config: CheckConfig,
    standing: Standing,
}

impl Check {
    fn new(config: &CheckConfig) -> Check {
        Check { standing: Standing::new(config.rise, config.fall), config: config.clone() }
    }
}

/// What a changed file needs before it can be applied: the part that can fail.
pub struct Prepared {
    /// A sampler, where there was none and now is something to sample.
    sampler: Option<(Sampler, mpsc::Receiver<Vec<Usage>>)>,
}

/// What the loop knows of this member's health.
pub struct Health {
    weights: Weights,
    /// What 100 % of memory means, bytes; zero: not known, so that memory has nothing to measure.
    base: u64,
    every: Duration,
    /// The next sample; none: there is nothing to sample.
    due: Option<Instant>,
    sampler: Option<Sampler>,
    checks: Vec<Check>,
    /// Asks the checks as long as it lives.
    asking: Checks,
    usages: BTreeMap<u32, Usage>,
    subs: Vec<Sub>,
    told: Score,
}

impl Health {
    /// Begins to measure what `config` names.
    ///
    /// # Errors
    /// Out of threads.
    pub fn start(config: &Config, now: Instant) -> io::Result<(Health, HealthInlet)> {
        let (samples, sampled) = mpsc::channel(1);
        let (answers, answered) = mpsc::channel(ANSWERS);
        let measured = !config.processes.is_empty();
        let health = Health {
            weights: weights(config),
            base: base(config),
            every: every(config),
            due: measured.then_some(now),
            sampler: if measured { Some(Sampler::start(samples)?) } else { None },
            checks: config.health.checks.iter().map(Check::new).collect(),
            asking: Checks::start(&config.health.checks, &answers),
            usages: BTreeMap::new(),
            subs: Vec::new(),
            told: Score::FULL,
        };
        Ok((health, HealthInlet { samples: sampled, answers: answered }))
    }

    /// Prepares what `next` needs (U10).
    ///
    /// # Errors
    /// Out of threads.
    pub fn prepare(&self, next: &Config) -> io::Result<Prepared> {
        if self.sampler.is_some() || next.processes.is_empty() {
            return Ok(Prepared { sampler: None });
        }
        let (samples, sampled) = mpsc::channel(1);
        Ok(Prepared { sampler: Some((Sampler::start(samples)?, sampled)) })
    }

    /// Measures what `next` names from now on. What is asked as before keeps its standing.
    pub fn reload(&mut self, now: Instant, next: &Config, prepared: Prepared, inlet: &mut HealthInlet) {
        self.weights = weights(next);
        self.base = base(next);
        let every = every(next);
        if let Some((sampler, sampled)) = prepared.sampler {
            self.sampler = Some(sampler);
            inlet.samples = sampled;
        }
        if self.sampler.is_some() && (self.every != every || self.due.is_none()) {
            self.due = Some(now);
        }
        self.every = every;
        let checks = &next.health.checks;
        if self.checks.iter().map(|check| &check.config).eq(checks) {
            return;
        }
        let before = std::mem::take(&mut self.checks);
        self.checks = checks
            .iter()
            .map(|config| {
                let same =
                    before.iter().find(|check| check.config.name == config.name && check.config.probe == config.probe);
                let standing = same.map(|check| check.standing.clone().with(config.rise, config.fall));
                standing.map_or_else(|| Check::new(config), |standing| Check { config: config.clone(), standing })
            })
            .collect();
        // Answers name a check by its place: those to the questions of before must not be taken for others'.
        let (answers, answered) = mpsc::channel(ANSWERS);
        self.asking = Checks::start(checks, &answers);
        inlet.answers = answered;
    }

    /// When the next sample is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What the score is made of, as the status shows it.
    pub fn shown(&self) -> Vec<status::SubHealth> {
        let shown = |sub: &Sub| status::SubHealth {
            name: sub.name.clone(),
            status: sub.status,
            weight: sub.weight,
            score: sub.score,
            measured: sub.measured.unwrap_or(0.0),
            unit: sub.unit.to_owned(),
            why: sub.why.clone(),
        };
        self.subs.iter().map(shown).collect()
    }

    /// Adds what was sampled to the processes of a status.
    pub fn fill(&self, processes: &mut [status::Process]) {
        for process in processes {
            let usage = process.pid.and_then(|pid| self.usages.get(&pid));
            process.memory_pct = usage.and_then(|usage| memory::percent(usage.memory, self.base));
            process.cpu_pct = usage.and_then(|usage| usage.cpu);
        }
    }

    /// The score as things stand.
    fn judge(&mut self, snapshots: &[ProcessSnapshot], now: BootTime) -> Score {
        let counted: Vec<Counted<'_>> = snapshots
            .iter()
            .filter(|one| one.counts)
            .map(|one| Counted {
                name: &one.name,
                restarts: one.restarts.iter().map(|at| now.since(*at)).collect(),
                pulse: pulse(one, now),
                memory: one
                    .pid
                    .and_then(|pid| self.usages.get(&pid))
                    .and_then(|usage| memory::percent(usage.memory, self.base)),
            })
            .collect();
        let checked: Vec<Checked<'_>> = self
            .checks
            .iter()
            .map(|check| Checked { name: &check.config.name, weight: check.config.weight, standing: &check.standing })
            .collect();
        let total = total(self.weights, &counted, &checked);
        self.subs = total.subs;
        Score::from(total.score)
    }
}

fn weights(config: &Config) -> Weights {
    let weights = config.health.weights;
    Weights { restarts: weights.restarts, response_time: weights.response_time, memory: weights.memory }
}

/// What 100 % of memory means, bytes.
fn base(config: &Config) -> u64 {
    config.health.memory_base.or_else(memory_base).unwrap_or(0)
}

fn every(config: &Config) -> Duration {
    config.health.sample.max(Duration::from_millis(1))
}

/// What a process says of its health (H3, H6).
fn pulse(one: &ProcessSnapshot, now: BootTime) -> response::Pulse {
    match one.state {
        ProcessState::GivenUp => return response::Pulse::Down(Down::GivenUp),
        // Not meant to run here and now, or stopped by an operator: whatever it did before is not held against it.
        ProcessState::Stopped | ProcessState::Stopping => return response::Pulse::Neutral,
        ProcessState::Waiting | ProcessState::Starting | ProcessState::Running | ProcessState::Restarting => {}
    }
    if one.is_kept_down(now) {
        return response::Pulse::Down(Down::AfterRestart);
    }
    let known = if one.state == ProcessState::Running { one.beat.known().pulse } else { None };
    let pulse = known.and_then(|pulse| match pulse {
        Pulse::Answers { took, period } => {
            response::periods(took, period).map(|periods| response::Pulse::Answers { periods })
        }
        Pulse::Waiting { waited, period } => {
            response::periods(waited, period).map(|periods| response::Pulse::Waiting { periods })
        }
    });
    pulse.unwrap_or(response::Pulse::Neutral)
}

impl Engine {
    /// Figures came in.
    pub(super) fn health_figures(&mut self, now: Instant, figures: Figures) {
        match figures {
            Figures::Sampled(usages) => {
                self.health.usages = usages.into_iter().map(|usage| (usage.pid, usage)).collect();
            }
            Figures::Answered(answer) => {
                if let Some(check) = self.health.checks.get_mut(answer.place) {
                    check.standing.asked(answer.asked);
                }
            }
        }
        self.look_at_health(now);
    }

    /// Asks for a sample when one is due.
    pub(super) fn sample_health(&mut self, now: Instant) {
        let Some(due) = self.health.due.filter(|due| *due <= now) else { return };
        // However late it is, the next is a whole period away.
        self.health.due = Some(now.max(due) + self.health.every);
        let pids: Vec<u32> = self.required.snapshots().iter().filter_map(|one| one.pid).collect();
        match &self.health.sampler {
            Some(sampler) if !pids.is_empty() => sampler.ask(pids),
            Some(_) | None => {
                self.health.usages.clear();
                self.look_at_health(now);
            }
        }
    }

    /// Judges the health again, and tells the negotiation when it changed.
    pub(super) fn look_at_health(&mut self, now: Instant) {
        let snapshots = self.required.snapshots();
        let score = self.health.judge(&snapshots, BootTime::now());
        self.news = self.news.max(News::Routine);
        if score != self.health.told {
            self.health.told = score;
            self.feed(now, Input::Health { score });
        }
    }
}

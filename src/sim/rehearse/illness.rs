//! How a member's required processes fall ill, and what the very score of the controller says to that (H1–H6).

use std::time::Duration;

use super::site::{Plant, PlantProcess, Runs};
use crate::health::check::Standing;
use crate::health::response::{Down, Pulse};
use crate::health::total::{Checked, Counted, total};
use crate::negotiation::ability::Score;

/// What is wrong with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Illness {
    /// It answers its heartbeat ever later.
    Slow,
    /// Its memory grows.
    Leak,
    /// It is dead, and no restart brings it back.
    Dead,
    /// It is killed again and again, a second after each start.
    Killed,
}

/// A response time grows by one period in so long.
const SLOWER_BY_A_PERIOD_IN: Duration = Duration::from_secs(2);

/// What a process uses while it is well, per cent of the memory's base.
const USES: f64 = 1.0;

/// A leak takes so many per cent more in a second.
const LEAKS: f64 = 0.5;

/// It lives so long before it is killed again.
const LIVES: Duration = Duration::from_secs(1);

impl Plant {
    /// The process that falls ill: the first that counts and that the illness can be seen in; none: nothing would be seen.
    pub(super) fn patient(&self, illness: Illness) -> Option<&PlantProcess> {
        self.processes.iter().filter(|process| process.counts).find(|process| match illness {
            Illness::Slow => process.heartbeat.is_some(),
            Illness::Leak | Illness::Dead | Illness::Killed => true,
        })
    }

    /// The score of a member whose processes have been ill for `ill_for`. `serves`: it is Primary, so what runs only there
    /// runs.
    pub(super) fn score(&self, illness: Illness, ill_for: Duration, serves: bool) -> Score {
        let patient = self.patient(illness).map(|process| process.name.as_str());
        let counted: Vec<Counted<'_>> = self
            .processes
            .iter()
            .filter(|process| process.counts)
            .map(|process| {
                let runs = match process.runs {
                    Runs::Always => true,
                    Runs::OnPrimary => serves,
                    Runs::OnSecondary => !serves,
                };
                let ill = Some(process.name.as_str()) == patient;
                if ill && runs { process.ill(illness, ill_for) } else { process.well(runs) }
            })
            .collect();
        let standing = Standing::new(1, 1);
        let checks = [Checked { name: "checks", weight: self.checks, standing: &standing }];
        Score::from(total(self.weights, &counted, &checks).score)
    }
}

impl PlantProcess {
    fn well(&self, runs: bool) -> Counted<'_> {
        Counted { name: &self.name, restarts: Vec::new(), pulse: Pulse::Neutral, memory: runs.then_some(USES) }
    }

    fn ill(&self, illness: Illness, ill_for: Duration) -> Counted<'_> {
        let well = self.well(true);
        match illness {
            Illness::Slow => {
                let periods = 1.0 + ill_for.as_secs_f64() / SLOWER_BY_A_PERIOD_IN.as_secs_f64();
                Counted { pulse: Pulse::Answers { periods }, ..well }
            }
            Illness::Leak => Counted { memory: Some(USES + LEAKS * ill_for.as_secs_f64()), ..well },
            Illness::Dead if ill_for < self.restart_delay => Counted { memory: None, ..well },
            Illness::Dead => Counted {
                memory: None,
                restarts: vec![ill_for - self.restart_delay],
                pulse: Pulse::Down(Down::AfterRestart),
                ..well
            },
            Illness::Killed => {
                let (restarts, given_up) = self.restarts(ill_for);
                let pulse = if given_up { Pulse::Down(Down::GivenUp) } else { Pulse::Neutral };
                Counted { restarts, pulse, memory: (!given_up).then_some(USES), ..well }
            }
        }
    }

    /// How long ago each restart was, of one that is killed whenever it lived for [`LIVES`]; and whether it was given up.
    fn restarts(&self, ill_for: Duration) -> (Vec<Duration>, bool) {
        let mut at = self.restart_delay;
        let mut delay = self.restart_delay;
        let mut restarts = Vec::new();
        while at <= ill_for {
            let lately = restarts.iter().filter(|before| at - **before < self.burst_within).count();
            // Bounded by the limit itself, which is a number of restarts.
            if lately as u32 >= self.burst {
                return (ages(&restarts, ill_for), true);
            }
            restarts.push(at);
            delay = (delay * 2).min(self.longest_restart_delay);
            at += LIVES + delay;
        }
        (ages(&restarts, ill_for), false)
    }
}

fn ages(restarts: &[Duration], now: Duration) -> Vec<Duration> {
    restarts.iter().map(|at| now.saturating_sub(*at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plant() -> Plant {
        let process = PlantProcess {
            name: "pump".to_owned(),
            runs: Runs::OnPrimary,
            counts: true,
            heartbeat: Some(Duration::from_secs(1)),
            restart_delay: Duration::from_millis(500),
            longest_restart_delay: Duration::from_secs(30),
            burst: 5,
            burst_within: Duration::from_secs(60),
        };
        Plant { processes: vec![process], ..Plant::empty() }
    }

    #[test]
    fn h1_each_illness_ends_below_the_default_threshold_and_only_where_the_process_runs() {
        let threshold = Score::from_ten_thousandths(7_500);
        for illness in [Illness::Slow, Illness::Leak, Illness::Dead, Illness::Killed] {
            let late = Duration::from_secs(60);
            assert_eq!(plant().score(illness, Duration::ZERO, true), Score::FULL, "{illness:?}");
            assert!(plant().score(illness, late, true) < threshold, "{illness:?}");
            assert_eq!(plant().score(illness, late, false), Score::FULL, "{illness:?}");
        }
    }

    #[test]
    fn h2_one_that_is_killed_again_and_again_is_given_up_after_its_burst() {
        let pump = &plant().processes[0];
        let (restarts, given_up) = pump.restarts(Duration::from_secs(5));
        assert_eq!((restarts.len(), given_up), (2, false));
        assert!(pump.restarts(Duration::from_secs(300)).0.len() <= 5 + 5);
    }

    #[test]
    fn h6_a_process_that_does_not_count_cannot_fall_ill() {
        let mut plant = plant();
        plant.processes[0].counts = false;
        assert!(plant.patient(Illness::Dead).is_none());
    }
}

//! The Total Health Score: each status times its weight, summed (H1).

use super::check::Standing;
use super::memory;
use super::response::{self, Pulse};
use super::restarts;
use std::time::Duration;

/// The raw weights of the three statuses; with those of the checks they are divided by their sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Of restarts (H2).
    pub restarts: f64,
    /// Of response times (H3).
    pub response_time: f64,
    /// Of memory (H4).
    pub memory: f64,
}

/// One process that counts for the score (H6).
#[derive(Debug, Clone, PartialEq)]
pub struct Counted<'a> {
    /// Its name, for the sentence that says what is wrong.
    pub name: &'a str,
    /// How long ago each of its restarts was.
    pub restarts: Vec<Duration>,
    /// What its heartbeat, or its life, says.
    pub pulse: Pulse,
    /// Memory of it and its descendants, per cent of the base; none while it does not run or was not measured yet.
    pub memory: Option<f64>,
}

/// One check (H7).
#[derive(Debug, Clone, PartialEq)]
pub struct Checked<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its raw weight.
    pub weight: f64,
    /// What it answered lately.
    pub standing: &'a Standing,
}

/// The score, and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// 0 to 1.
    pub score: f64,
    /// Restarts, response time, memory, then the checks in their order.
    pub subs: Vec<Sub>,
}

/// One sub-health.
#[derive(Debug, Clone, PartialEq)]
pub struct Sub {
    /// `restarts`, `response_time`, `memory`, or the check's name.
    pub name: String,
    /// 0 to 1.
    pub status: f64,
    /// Its share: the raw weight divided by the sum of all.
    pub weight: f64,
    /// Status times weight.
    pub score: f64,
    /// What was measured, in `unit`; none: nothing to measure, which counts 1 (H1).
    pub measured: Option<f64>,
    /// The unit of `measured`.
    pub unit: &'static str,
    /// What makes a status 0 as a whole, as a sentence without a full stop.
    pub why: Option<String>,
}

/// The Total Health Score of what is given. It is a number from 0 to 1 whatever comes in: a weight that is negative or
/// not a number weighs nothing (the configuration refuses it), and when nothing weighs anything the score is 1.
pub fn total(weights: Weights, processes: &[Counted<'_>], checks: &[Checked<'_>]) -> Total {
    let rate = restarts::rate(processes.iter().flat_map(|process| process.restarts.iter().copied()));
    let response = response::response(processes.iter().map(|process| process.pulse));
    let percent = memory::average(processes.iter().filter_map(|process| process.memory));
    let mut subs = vec![
        sub(
            "restarts",
            restarts::status(rate),
            weights.restarts,
            (!processes.is_empty()).then_some(rate),
            "per second",
        ),
        sub("response_time", response.status, weights.response_time, response.periods, "periods"),
        sub("memory", memory::status(percent), weights.memory, percent, "per cent"),
    ];
    subs[1].why = response.unresponsive.and_then(|place| processes.get(place)).and_then(unresponsive);
    for check in checks {
        let took = check.standing.took().map(|took| took.as_secs_f64() * 1000.0);
        let mut sub = sub(check.name, check.standing.status(), check.weight, took, "ms");
        sub.why = check.standing.why().map(str::to_owned);
        subs.push(sub);
    }
    let sum: f64 = subs.iter().map(|sub| sub.weight).sum();
    if sum > 0.0 && sum.is_finite() {
        for sub in &mut subs {
            sub.weight /= sum;
            sub.score = sub.status * sub.weight;
        }
        let score = subs.iter().map(|sub| sub.score).sum::<f64>().clamp(0.0, 1.0);
        Total { score, subs }
    } else {
        Total { score: 1.0, subs }
    }
}

fn sub(name: &str, status: f64, weight: f64, measured: Option<f64>, unit: &'static str) -> Sub {
    // `max` prefers a number, so that "not a number" becomes 0 too.
    let weight = if weight.is_finite() { weight.max(0.0) } else { 0.0 };
    let measured = measured.map(|figure| figure.clamp(-f64::MAX, f64::MAX)).filter(|figure| !figure.is_nan());
    Sub { name: name.to_owned(), status, weight, score: 0.0, measured, unit, why: None }
}

/// Why a process makes the whole response status 0 (H6).
fn unresponsive(process: &Counted<'_>) -> Option<String> {
    let name = process.name;
    match process.pulse {
        Pulse::Neutral => None,
        Pulse::Answers { periods } => Some(format!("{name} took {periods:.0} of its periods to answer")),
        Pulse::Waiting { periods } => Some(format!("{name} has not answered for {periods:.0} of its periods")),
        Pulse::Down(response::Down::GivenUp) => Some(format!("{name} is given up")),
        Pulse::Down(response::Down::AfterRestart) => Some(format!("{name} is down, a restart did not bring it back")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::check::Asked;
    use super::super::response::Down;
    use super::*;

    const DEFAULT: Weights = Weights { restarts: 0.4, response_time: 0.3, memory: 0.3 };

    fn counted(pulse: Pulse) -> Counted<'static> {
        Counted { name: "plant-control", restarts: Vec::new(), pulse, memory: Some(1.0) }
    }

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn h1_the_total_is_the_sum_of_status_times_weight() {
        let mut process = counted(Pulse::Answers { periods: 3.0 });
        process.restarts = vec![Duration::from_secs(1); 3];
        process.memory = Some(4.0);
        let total = total(DEFAULT, &[process], &[]);
        assert!(near(total.score, 0.9 * 0.4 + 0.5 * 0.3 + 0.75 * 0.3), "{total:?}");
        let measured: Vec<_> = total.subs.iter().map(|sub| (sub.name.as_str(), sub.measured, sub.unit)).collect();
        assert_eq!(
            measured,
            [
                ("restarts", Some(0.1), "per second"),
                ("response_time", Some(3.0), "periods"),
                ("memory", Some(4.0), "per cent")
            ]
        );
    }

    #[test]
    fn h1_weights_are_divided_by_their_sum_with_those_of_the_checks() {
        let standing = Standing::new(1, 1);
        let check = Checked { name: "historian", weight: 1.0, standing: &standing };
        let weights = Weights { restarts: 4.0, response_time: 3.0, memory: 2.0 };
        let total = total(weights, &[], &[check]);
        let shares: Vec<f64> = total.subs.iter().map(|sub| sub.weight).collect();
        assert_eq!(shares, [0.4, 0.3, 0.2, 0.1]);
        assert!(near(total.score, 1.0));
    }

    #[test]
    fn h1_what_has_nothing_to_measure_counts_one() {
        let total = total(DEFAULT, &[], &[]);
        assert!(near(total.score, 1.0));
        assert!(total.subs.iter().all(|sub| sub.status == 1.0 && sub.measured.is_none()), "{total:?}");
    }

    #[test]
    fn h1_by_default_any_one_category_at_zero_falls_below_the_threshold() {
        let score = |process: Counted<'_>| total(DEFAULT, &[process], &[]).score;
        let dead = counted(Pulse::Down(Down::GivenUp));
        let leaks = Counted { memory: Some(10.0), ..counted(Pulse::Neutral) };
        let restarts = Counted { restarts: vec![Duration::from_secs(1); 30], ..counted(Pulse::Neutral) };
        for process in [dead, leaks, restarts] {
            assert!(score(process.clone()) < 0.75, "{process:?}");
        }
    }

    #[test]
    fn h6_one_kept_dead_is_named_and_not_averaged_away() {
        let processes =
            [counted(Pulse::Answers { periods: 0.0 }), Counted { name: "pump", ..counted(Pulse::Down(Down::GivenUp)) }];
        let total = total(DEFAULT, &processes, &[]);
        assert!(near(total.score, 0.7));
        assert_eq!(total.subs[1].why.as_deref(), Some("pump is given up"));
    }

    #[test]
    fn h7_a_bad_check_takes_its_share() {
        let mut standing = Standing::new(1, 1);
        standing.asked(Asked::Bad { why: "connection refused".to_owned() });
        let check = Checked { name: "historian", weight: 0.25, standing: &standing };
        let total = total(DEFAULT, &[], &[check]);
        assert!(near(total.score, 0.8), "{total:?}");
        assert_eq!(total.subs[3].why.as_deref(), Some("connection refused"));
    }

    #[test]
    fn spoilt_weights_weigh_nothing_and_no_weights_at_all_count_full() {
        let spoilt = Weights { restarts: f64::NAN, response_time: -1.0, memory: 0.3 };
        let total_spoilt = total(spoilt, &[counted(Pulse::Down(Down::GivenUp))], &[]);
        assert!(near(total_spoilt.score, 1.0));
        let none = Weights { restarts: 0.0, response_time: 0.0, memory: 0.0 };
        assert!(near(total(none, &[counted(Pulse::Down(Down::GivenUp))], &[]).score, 1.0));
    }

    fn figure() -> impl Strategy<Value = f64> {
        prop_oneof![8 => 0.0..20.0f64, 1 => Just(0.0), 1 => any::<f64>()]
    }

    fn pulse() -> impl Strategy<Value = Pulse> {
        prop_oneof![
            Just(Pulse::Neutral),
            figure().prop_map(|periods| Pulse::Answers { periods }),
            figure().prop_map(|periods| Pulse::Waiting { periods }),
            Just(Pulse::Down(Down::GivenUp)),
            Just(Pulse::Down(Down::AfterRestart)),
        ]
    }

    fn process() -> impl Strategy<Value = Counted<'static>> {
        let ages = prop::collection::vec((0..60_000u64).prop_map(Duration::from_millis), 0..40);
        (ages, pulse(), prop::option::of(figure())).prop_map(|(restarts, pulse, memory)| Counted {
            name: "p",
            restarts,
            pulse,
            memory,
        })
    }

    fn weights() -> impl Strategy<Value = Weights> {
        (figure(), figure(), figure()).prop_map(|(restarts, response_time, memory)| Weights {
            restarts,
            response_time,
            memory,
        })
    }

    /// The same process, worse in one respect.
    fn worse(process: &Counted<'static>, how: u8, by: f64) -> Counted<'static> {
        let mut worse = process.clone();
        match how {
            0 => worse.restarts.push(Duration::ZERO),
            1 => worse.memory = worse.memory.map(|percent| percent + by),
            2 => {
                worse.pulse = match worse.pulse {
                    Pulse::Answers { periods } => Pulse::Answers { periods: periods + by },
                    Pulse::Waiting { periods } => Pulse::Waiting { periods: periods + by },
                    other @ (Pulse::Neutral | Pulse::Down(_)) => other,
                }
            }
            _ => worse.pulse = Pulse::Down(Down::GivenUp),
        }
        worse
    }

    proptest! {
        #[test]
        fn h1_the_score_is_from_0_to_1_and_every_figure_is_a_number(
            weights in weights(),
            processes in prop::collection::vec(process(), 0..6),
        ) {
            let total = total(weights, &processes, &[]);
            prop_assert!((0.0..=1.0).contains(&total.score));
            for sub in total.subs {
                prop_assert!((0.0..=1.0).contains(&sub.status) && sub.weight.is_finite() && sub.score.is_finite());
                prop_assert!(sub.measured.is_none_or(f64::is_finite));
            }
        }

        #[test]
        fn h1_nothing_that_gets_worse_makes_the_score_better(
            weights in weights(),
            processes in prop::collection::vec(process(), 1..6),
            place in 0usize..6,
            how in 0u8..4,
            by in 0.0..20.0f64,
        ) {
            let place = place % processes.len();
            let mut changed = processes.clone();
            changed[place] = worse(&processes[place], how, by);
            let (before, after) = (total(weights, &processes, &[]).score, total(weights, &changed, &[]).score);
            prop_assert!(after <= before + 1e-9, "{before} became {after}");
        }
    }
}

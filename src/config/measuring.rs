//! What the Total Health Score is made of, as the file names it (H1–H4, H7).

use std::time::Duration;

use super::required::Probe;

/// `[health]` with its weights and checks.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthConfig {
    /// How often memory and CPU are sampled.
    pub sample: Duration,
    /// What 100 % of memory means, bytes; none: the machine's, or the cgroup's limit (H4).
    pub memory_base: Option<u64>,
    /// The weights of the three statuses.
    pub weights: Weights,
    /// User-defined checks (H7).
    pub checks: Vec<CheckConfig>,
}

impl Default for HealthConfig {
    fn default() -> Self {
        HealthConfig {
            sample: Duration::from_secs(1),
            memory_base: None,
            weights: Weights::default(),
            checks: Vec::new(),
        }
    }
}

/// `[health.weights]`: 0 or more each; with those of the checks they are divided by their sum, which is above 0 (H1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Restarts (H2).
    pub restarts: f64,
    /// Response time (H3).
    pub response_time: f64,
    /// Memory (H4).
    pub memory: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Weights { restarts: 0.4, response_time: 0.3, memory: 0.3 }
    }
}

/// One `[[health.check]]` (H7).
#[derive(Debug, Clone, PartialEq)]
pub struct CheckConfig {
    /// Its name, unique in the file.
    pub name: String,
    /// Its weight beside the others.
    pub weight: f64,
    /// What is asked.
    pub probe: Probe,
    /// How often.
    pub period: Duration,
    /// After this long without an answer it has failed.
    pub timeout: Duration,
    /// So many good answers in a row make it good again, at least 1.
    pub rise: u32,
    /// So many bad ones in a row make it bad, at least 1.
    pub fall: u32,
}

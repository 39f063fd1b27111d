//! What the simulator has to know of a configuration.

use std::time::Duration;

use crate::config::Config;
use crate::config::required::{ProcessConfig, RunWhen};
use crate::health::total::Weights;
use crate::negotiation::member::MemberId;
use crate::process;
use crate::sim::rehearse::{Plant, PlantProcess, Runs, Site};

/// An agent that is not configured, where a rehearsal tries what it would do: the defaults of `fence.NAME`.
const AGENT_GIVEN_UP_AFTER: Duration = Duration::from_secs(40);

/// The site that `config` describes.
pub(super) fn of(config: &Config) -> Site {
    let patience = |number: u8| {
        let fence = config.fences.get(&MemberId(number));
        fence.map_or(AGENT_GIVEN_UP_AFTER, |fence| fence.timeout * fence.attempts.max(1))
    };
    // A group has at most sixteen members.
    let members = config.members.len() as u8;
    Site {
        settings: config.negotiation_settings(MemberId(0)),
        stop_time: process::longest_stop(&config.processes, &config.hooks),
        agent_given_up_after: (0..members).map(patience).collect(),
        plant: plant(config),
    }
}

fn plant(config: &Config) -> Plant {
    let health = &config.health;
    Plant {
        weights: Weights {
            restarts: health.weights.restarts,
            response_time: health.weights.response_time,
            memory: health.weights.memory,
        },
        checks: health.checks.iter().map(|check| check.weight).sum(),
        sample: health.sample,
        processes: config.processes.iter().map(process_of).collect(),
    }
}

fn process_of(process: &ProcessConfig) -> PlantProcess {
    PlantProcess {
        name: process.name.clone(),
        runs: match process.run_when {
            RunWhen::Always => Runs::Always,
            RunWhen::Primary => Runs::OnPrimary,
            RunWhen::Secondary => Runs::OnSecondary,
        },
        counts: process.counts,
        heartbeat: process.heartbeat.as_ref().map(|heartbeat| heartbeat.period),
        restart_delay: process.restart.delay,
        longest_restart_delay: process.restart.max_delay,
        burst: process.restart.burst,
        burst_within: process.restart.within,
    }
}

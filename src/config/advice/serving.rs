//! Advice about processes, health and fencing, as far as the file tells.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::negotiation::ability::Score;
use crate::negotiation::settings::Protection;

use super::super::duration;
use super::super::fencing::FenceAction;
use super::super::model::Config;
use super::super::required::{HeartbeatKind, Probe, RunWhen};
use super::Advice;

/// A hand-over that waits longer than this for a process is an outage that people notice.
const PATIENCE_TO_STOP: Duration = Duration::from_secs(30);
/// A hung process should be known sooner than this.
const PATIENCE_TO_NOTICE: Duration = Duration::from_secs(60);
/// A process silent for this many periods is unresponsive (H3, H6).
const PERIODS_TO_SILENCE: u32 = 5;
/// Starting a program more often than this costs more than what it watches.
const OFTEN_FOR_A_PROGRAM: Duration = Duration::from_millis(500);
/// Few devices switch a machine off, and say so, in less.
const QUICKEST_OFF: Duration = Duration::from_secs(2);

/// What can be told about the required processes (P1–P3).
pub(super) fn processes(config: &Config, advice: &mut Vec<Advice>) {
    let said = duration::text;
    for process in &config.processes {
        let name = &process.name;
        let key = |key: &str| format!("process.{name}.{key}");
        if process.stop_grace > PATIENCE_TO_STOP && process.run_when == RunWhen::Primary {
            advice.push(config.advise(
                &key("stop_grace"),
                format!(
                    "a hand-over waits up to {} for {name} to stop; meanwhile nobody acts",
                    said(process.stop_grace)
                ),
                format!("write \"{}\" or less, if it can stop in that time", said(PATIENCE_TO_STOP)),
            ));
        }
        if process.stop_grace.is_zero() {
            advice.push(config.advise(
                &key("stop_grace"),
                format!("{name} is killed in the moment it is asked to stop"),
                "the default is \"5s\"",
            ));
        }
        if process.restart.delay.is_zero() {
            advice.push(config.advise(
                &key("restart.delay"),
                format!("{name} is started again at once when it dies, up to {} times", process.restart.burst),
                "the default is \"500ms\"",
            ));
        }
        let Some(heartbeat) = &process.heartbeat else { continue };
        let silence = heartbeat.period * PERIODS_TO_SILENCE;
        if silence > PATIENCE_TO_NOTICE {
            advice.push(config.advise(
                &key("heartbeat.period"),
                format!("when {name} hangs, it counts as unresponsive only after {}", said(silence)),
                "write a shorter period; the default is \"1s\"",
            ));
        }
        let program = matches!(heartbeat.kind, HeartbeatKind::Probe(Probe::Command { .. }));
        if program && heartbeat.period < OFTEN_FOR_A_PROGRAM {
            advice.push(config.advise(
                &key("heartbeat.period"),
                format!("a program is started every {} to ask {name}", said(heartbeat.period)),
                "write \"1s\" or more, or another kind of heartbeat",
            ));
        }
    }
}

/// What can be told about the score (H1–H7).
pub(super) fn health(config: &Config, advice: &mut Vec<Advice>) {
    let said = duration::text;
    for check in &config.health.checks {
        if check.timeout > check.period {
            advice.push(config.advise(
                &format!("health.check.{}.timeout", check.name),
                format!("an answer may take {}, longer than the period, {}", said(check.timeout), said(check.period)),
                "write a timeout as long as the period, or shorter",
            ));
        }
    }
    let measured = !config.health.checks.is_empty() || config.processes.iter().any(|process| process.counts);
    let threshold = config.takeover.threshold;
    if measured && threshold == Score::from_ten_thousandths(0) {
        advice.push(config.advise(
            "takeover.threshold",
            "no score is below 0: a sick Primary is never replaced",
            "the default is 0.75",
        ));
    }
    if measured && threshold == Score::FULL {
        advice.push(config.advise(
            "takeover.threshold",
            "any score below 1 is sick: one restart of a process leads to a takeover",
            "the default is 0.75",
        ));
    }
    if measured && config.takeover.confirmations == 1 {
        advice.push(config.advise(
            "takeover.confirmations",
            "one low score is enough for a takeover",
            "the default is 2: the next score must be low too",
        ));
    }
}

/// What can be told about fencing (S2, S3, rule 15).
pub(super) fn fencing(config: &Config, advice: &mut Vec<Advice>) {
    let said = duration::text;
    let protected = config.takeover.protection.contains(&Protection::Fence);
    if config.fencing_always && config.fences.len() < config.members.len() {
        let missing: BTreeSet<String> = config
            .ids()
            .filter(|member| !config.fences.contains_key(member))
            .map(|member| format!("[fence.{}]", config.name(member)))
            .collect();
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        advice.push(config.advise(
            "fencing.always",
            format!("a sick Primary is to be switched off, but there is no {missing}"),
            "add what is missing, or write always = false",
        ));
    }
    for (member, fence) in &config.fences {
        let name = config.name(*member);
        let key = |key: &str| format!("fence.{name}.{key}");
        // The delay only matters where silence leads to shooting.
        if protected {
            let delay = fence.delay;
            let message = if delay < QUICKEST_OFF {
                Some(format!(
                    "{} is likely shorter than the agent takes to switch {name} off: a cut between two living members \
                     can end with both off",
                    said(delay)
                ))
            } else {
                None
            };
            let suggestion = "measure how long the agent takes, and write more than that; nobody acts for as long when the \
                              Primary dies";
            advice.extend(message.map(|message| config.advise(&key("delay"), message, suggestion)));
        }
        if fence.monitor.is_zero() {
            advice.push(config.advise(
                &key("monitor"),
                format!("that the device which switches {name} off is dead is found out only when it is needed"),
                "the default is \"1m\"",
            ));
        }
        if fence.action == FenceAction::Reboot && protected {
            advice.push(config.advise(
                &key("action"),
                format!(
                    "{name} is switched on again at once: with what made it fall silent still there, it is switched off \
                     again and again"
                ),
                "write action = \"off\", or let tandem not start by itself at boot",
            ));
        }
    }
}

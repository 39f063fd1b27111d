//! Health, and the required processes.

use crate::control::status::{Process, ProcessState, RunWhen, Status, SubHealth};

use super::super::page::{Page, flag};
use super::{count, ms};

pub(super) fn write(page: &mut Page, status: &Status) {
    health(page, status);
    processes(page, status);
}

fn health(page: &mut Page, status: &Status) {
    let health = &status.health;
    page.one("tandem_health_score_ratio", "Total Health Score.", health.total);
    page.one("tandem_health_threshold_ratio", "Total Health Threshold: below it a member is sick.", health.threshold);
    let mut each = |name, help, value: &dyn Fn(&SubHealth) -> f64| {
        page.gauge(name, help, |samples| {
            for sub in &health.sub {
                samples.add(&[("status", &sub.name)], value(sub));
            }
        });
    };
    each("tandem_health_status_ratio", "Each sub-health, from 0 to 1.", &|sub| sub.status);
    each("tandem_health_weight_ratio", "Each sub-health's share; together they are 1.", &|sub| sub.weight);
    each("tandem_health_part_ratio", "What each sub-health adds to the score: status times weight.", &|sub| sub.score);
    page.gauge("tandem_health_measured", "What was measured for each sub-health, in the unit named.", |samples| {
        for sub in &health.sub {
            samples.add(&[("status", &sub.name), ("unit", &sub.unit)], sub.measured);
        }
    });
}

fn processes(page: &mut Page, status: &Status) {
    page.gauge("tandem_process_info", "How each required process is run; always 1.", |samples| {
        for process in &status.processes {
            let run_when = match process.run_when {
                RunWhen::Always => "always",
                RunWhen::Primary => "primary",
                RunWhen::Secondary => "secondary",
            };
            let heartbeat = process.heartbeat.as_deref().unwrap_or("none");
            samples.add(&[("process", &process.name), ("run_when", run_when), ("heartbeat", heartbeat)], 1.0);
        }
    });
    page.gauge("tandem_process_state", "1 for the state that each required process is in.", |samples| {
        let states = [
            (ProcessState::Waits, "waits"),
            (ProcessState::Starting, "starting"),
            (ProcessState::Running, "running"),
            (ProcessState::Stopping, "stopping"),
            (ProcessState::Restarting, "restarting"),
            (ProcessState::Stopped, "stopped"),
            (ProcessState::GivenUp, "given_up"),
        ];
        for process in &status.processes {
            samples.one_of(&[("process", &process.name)], "state", process.state, &states);
        }
    });
    page.counter("tandem_process_restarts_total", "Restarts since this controller started.", |samples| {
        for process in &status.processes {
            samples.add(&[("process", &process.name)], count(process.restarts));
        }
    });
    let mut each = |name, help, value: &dyn Fn(&Process) -> Option<f64>| {
        page.gauge(name, help, |samples| {
            for process in &status.processes {
                samples.add(&[("process", &process.name)], value(process));
            }
        });
    };
    each("tandem_process_counts", "1 for a process that counts for the score.", &|process| Some(flag(process.counts)));
    each("tandem_process_state_age_seconds", "How long it has been in its state.", &|process| {
        Some(ms(process.since_ms))
    });
    each("tandem_process_uptime_seconds", "How long it has run; absent while it does not.", &|process| {
        process.uptime_ms.map(ms)
    });
    each("tandem_process_pid", "The process id, while it runs.", &|process| process.pid.map(f64::from));
    each("tandem_process_restarts_recent", "Restarts in the last 30 seconds.", &|process| {
        Some(f64::from(process.restarts_30s))
    });
    each("tandem_process_response_seconds", "Response time of its heartbeat.", &|process| {
        process.response_ms.map(|response| response / 1e3)
    });
    each("tandem_process_heartbeat_period_seconds", "How often it is asked whether it lives.", &|process| {
        process.period_ms.map(ms)
    });
    each("tandem_process_memory_ratio", "Memory, of what health.memory_base means.", &|process| {
        process.memory_pct.map(|memory| memory / 100.0)
    });
    each("tandem_process_cpu_ratio", "Processor time, of one core.", &|process| process.cpu_pct.map(|cpu| cpu / 100.0));
    each("tandem_process_start_seconds", "How long it took from its last start until it was ready.", &|process| {
        process.start_ms.map(ms)
    });
    each("tandem_process_stop_grace_seconds", "How long it may take to stop before it is killed.", &|process| {
        Some(ms(process.stop_ms))
    });
    each(
        "tandem_process_next_start_seconds",
        "In how long it is started again; absent while it is not waiting.",
        &|process| process.next_start_ms.map(ms),
    );
}

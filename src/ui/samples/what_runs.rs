//! The drawn screens 1 and 3 with all that belongs to them: processes, health and fencing.

use super::{DAYS, condition, healthy, silent};
use crate::control::status::*;

pub fn process(name: &str, state: ProcessState, run_when: RunWhen) -> Process {
    let runs = state == ProcessState::Running;
    Process {
        name: name.to_owned(),
        pid: runs.then_some(4121),
        state,
        since_ms: DAYS,
        uptime_ms: runs.then_some(DAYS),
        restarts_30s: 0,
        restarts: 0,
        response_ms: runs.then_some(12.0),
        memory_pct: runs.then_some(2.6),
        cpu_pct: runs.then_some(0.4),
        counts: true,
        run_when,
        heartbeat: Some("notify".to_owned()),
        period_ms: Some(1000),
        start_ms: Some(900),
        stop_ms: 5000,
        why: None,
        next_start_ms: None,
        output: vec!["link-probe 2.1 starts".to_owned(), "10.0.0.254 answers".to_owned()],
    }
}

fn sub(name: &str, status: f64, weight: f64, measured: f64, unit: &str) -> SubHealth {
    let (name, unit) = (name.to_owned(), unit.to_owned());
    SubHealth { name, status, weight, score: status * weight, measured, unit, why: None }
}

fn fencing(device: FenceDevice) -> Fencing {
    Fencing {
        peer: "alpha".to_owned(),
        agent: "fence_ipmilan".to_owned(),
        address: Some("10.0.9.1".to_owned()),
        action: "off".to_owned(),
        device: Some(device),
        monitor_ms: Some(60_000),
        under_way: None,
        last: None,
        next_try_ms: None,
        lied: false,
    }
}

fn guarded(state: ProtectionState) -> Protection {
    Protection { policy: vec!["fence".to_owned(), "arbiter".to_owned()], state }
}

/// The arbiter, whose lease alpha holds.
pub fn arbiter() -> Arbiter {
    Arbiter {
        kind: "etcd".to_owned(),
        place: "etcd at 10.0.8.1:2379 and 2 more".to_owned(),
        answers: true,
        answered_ms: Some(300),
        took_us: Some(6_000),
        why: None,
        holder: Some("alpha".to_owned()),
        free_ms: None,
        lease_left_ms: None,
        lease_ms: 5_000,
        by_grants: false,
    }
}

/// Screen 1, with processes and fencing: all is well.
pub fn with_processes() -> Status {
    let mut status = healthy();
    status.protection = guarded(ProtectionState::Ok);
    status.arbiter = Some(arbiter());
    status.health.total = 0.98;
    status.health.sub = vec![
        sub("restarts", 1.0, 0.4, 0.0, "per s"),
        sub("response_time", 1.0, 0.3, 0.012, "periods"),
        sub("memory", 0.93, 0.3, 2.56, "%"),
    ];
    status.processes = vec![
        process("plant-control", ProcessState::Waits, RunWhen::Primary),
        process("link-probe", ProcessState::Running, RunWhen::Always),
    ];
    status.peers[0].processes = vec![PeerProcess {
        name: "plant-control".to_owned(),
        state: ProcessState::Running,
        pid: Some(988),
        run_when: RunWhen::Primary,
        since_ms: DAYS,
        start_ms: Some(900),
        stop_ms: 5000,
    }];
    status.fencing = vec![fencing(FenceDevice { answers: true, age_ms: 41_000, took_ms: 60, why: None })];
    status.takeover.expected_ms = Some(9700);
    status.takeover.lines = vec![
        condition(true, "fence", "fence device answered 41 s ago"),
        condition(true, "arbiter", "arbiter answers, 6 ms"),
        condition(true, "health", "beta is fit, health 0.98"),
        condition(true, "hold", "no hold, no promise to another"),
    ];
    status
}

/// Processes that do not run as they should, and a health below the limit.
pub fn unwell() -> Status {
    let mut status = with_processes();
    status.able = Able { level: 1, why: Some("its health is below the limit".to_owned()) };
    status.health.total = 0.52;
    status.health.sub[0] = sub("restarts", 0.87, 0.4, 0.13, "per s");
    status.health.sub[1] = sub("response_time", 0.0, 0.3, 5.2, "periods");
    status.health.sub[1].why = Some("historian is given up".to_owned());
    let mut historian = process("historian", ProcessState::GivenUp, RunWhen::Always);
    historian.why = Some("exit status 1".to_owned());
    historian.restarts = 6;
    historian.output = (1..=40).map(|number| format!("historian: line {number}")).collect();
    let mut gateway = process("gateway", ProcessState::Restarting, RunWhen::Always);
    (gateway.restarts, gateway.restarts_30s, gateway.next_start_ms) = (3, 1, Some(2000));
    gateway.why = Some("killed by signal 9".to_owned());
    let mut probe = process("link-probe", ProcessState::Running, RunWhen::Always);
    probe.why = Some("no answer for 5.2 s".to_owned());
    status.processes = vec![status.processes[0].clone(), probe, gateway, historian];
    status.alarms = vec![Alarm {
        id: "process_given_up:historian".to_owned(),
        class: AlarmClass::Warning,
        text: "historian is given up: exit status 1".to_owned(),
        first: "Read its last lines: 9 on the screen, then Enter.".to_owned(),
        then: vec!["Mend why it ends, then: tandem start historian.".to_owned()],
        do_not: "start it over and over: each end makes the health fall again.".to_owned(),
        since_ms: 9000,
        seen: None,
    }];
    status
}

/// Screen 3: the takeover waits for a fencing that failed.
pub fn fencing_failed() -> Status {
    let mut status = silent();
    status.hold = None;
    status.protection = guarded(ProtectionState::Missing);
    status.arbiter = Some(Arbiter { holder: None, free_ms: Some(125_000), ..arbiter() });
    let mut device = fencing(FenceDevice { answers: true, age_ms: 190_000, took_ms: 60, why: None });
    device.last = Some(FenceLast {
        attempt: 3,
        result: FenceResult::Failed,
        age_ms: 6000,
        took_ms: 20_000,
        why: Some("no answer from 10.0.9.1:623 within 20 s".to_owned()),
    });
    device.next_try_ms = Some(54_000);
    status.fencing = vec![device];
    status.takeover = Takeover {
        ready: false,
        expected_ms: None,
        if_fails: None,
        acts: None,
        lines: vec![
            condition(false, "fence", "fence_ipmilan: no answer from 10.0.9.1:623 within 20 s, 3 tries"),
            condition(true, "arbiter", "lease free since 03:12:53: alpha, if sound, has stopped acting"),
            condition(true, "health", "beta 0.98: fit"),
            condition(true, "network", "10.0.0.254 answers beta: beta itself is not cut off"),
        ],
    };
    status.alarms.insert(
        0,
        Alarm {
            id: "fencing_failed:alpha".to_owned(),
            class: AlarmClass::Alarm,
            text: "NO TAKEOVER: fencing failed".to_owned(),
            first: "Find out whether alpha is off: lamps, its own console, call the site.".to_owned(),
            then: vec![
                "It is off: a, then o  \"alpha is off, I looked\". beta then takes over.\n\
                 It is on, or unclear: have both its supplies cut, then the same.\n\
                 Or mend fencing: 10.0.9.1 is mute. Next try by itself in 54 s."
                    .to_owned(),
            ],
            do_not: "force the takeover while alpha may be on: two would act.".to_owned(),
            since_ms: 106_000,
            seen: Some(Seen { by: "ops-2".to_owned(), time: "2026-11-21T02:12:31Z".to_owned() }),
        },
    );
    status.events = vec![super::event("2026-11-21T02:12:38Z", "note", "fencing alpha, try 3: no answer within 20 s")];
    status
}

//! The status JSON keeps its contract: assets/status.schema.json and the types are held to each other, both ways.

use serde_json::{Value, json};
use tandem::control::plan::{Action, LineState, Plan, PlanLine};
use tandem::control::status::*;

fn schema() -> Value {
    serde_json::from_str(include_str!("../assets/status.schema.json")).expect("the schema is JSON")
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).expect("the schema is a schema of draft 2020-12")
}

fn text(word: &str) -> String {
    word.to_owned()
}

fn share() -> Share {
    Share {
        observed_ms: 5,
        uptime_pct: Some(99.5),
        outages: 1,
        mttr_ms: Some(1),
        mtbf_ms: Some(2),
        recovery_ms: Some(3),
    }
}

fn plan(action: Action) -> Plan {
    Plan {
        number: 47,
        action,
        title: text("beta takes over from alpha"),
        node: text("beta"),
        steps: vec![text("alpha stops")],
        nobody_acts: text("for a moment"),
        two_acting: text("cannot happen"),
        may_be_lost: text("nothing"),
        if_it_fails: text("nothing"),
        to_go_back: text("the same"),
        rests_on: vec![
            PlanLine { state: LineState::Ok, text: text("a") },
            PlanLine { state: LineState::No, text: text("b") },
            PlanLine { state: LineState::Notice, text: text("c") },
        ],
        force_by_typing: Some(text("beta")),
        risk: Some(text("two may act")),
        by: text("ops"),
        checked_ms: 1,
        expires_ms: 119_000,
    }
}

/// A status in which every list has an entry and every option is set, so that every name of the contract occurs.
fn full() -> Status {
    let able = Able { level: 1, why: Some(text("its health is below the limit")) };
    let time = text("2026-11-21T03:12:44+01:00");
    Status {
        schema: SCHEMA,
        time: time.clone(),
        node: text("beta"),
        address: text("10.0.0.2:7400"),
        group: text("substation-7"),
        version: text("1.0.0"),
        incarnation: text("00000000000000ff"),
        mode: Mode::Secondary,
        term: 7,
        token: 2_047,
        since_ms: 5,
        reason: Reason {
            rule: text("booted"),
            clause: text("N1"),
            text: text("a controller boots as Secondary"),
            evidence: vec![text("alpha: no link")],
            otherwise: vec![text("nothing")],
        },
        able: able.clone(),
        serving: false,
        transition: Some(Transition { to: Mode::Primary, waiting_for: text("its disk"), since_ms: 1 }),
        hold: Some(Hold { since_ms: 1, expires_ms: 2, by: text("ops"), not_told: vec![text("alpha")] }),
        protection: Protection { policy: vec![text("majority")], state: ProtectionState::Ok },
        arbiter: Some(Arbiter {
            kind: text("etcd"),
            place: text("etcd at 10.0.8.1:2379 and 2 more"),
            answers: true,
            answered_ms: Some(300),
            took_us: Some(6_000),
            why: Some(text("connection refused")),
            holder: Some(text("alpha")),
            free_ms: Some(9),
            lease_left_ms: Some(4_200),
            lease_ms: 5_000,
            by_grants: false,
        }),
        reference: Some(Reference {
            targets: vec![text("tcp://10.0.0.254:22")],
            answers: true,
            answered_ms: Some(300),
        }),
        watchdog: Some(Watchdog {
            device: text("/dev/watchdog"),
            timeout_ms: 10_000,
            armed: false,
            why: Some(text("busy")),
        }),
        links: vec![Link {
            peer: text("alpha"),
            address: text("10.0.0.1:7400"),
            state: LinkState::Up,
            role: LinkRole::Client,
            rtt_us: Some(210),
            last_heard_ms: Some(4),
            since_ms: 9,
            reconnects: 2,
            encrypted: true,
            why: Some(text("x")),
        }],
        peers: vec![Peer {
            name: text("alpha"),
            mode: Some(Mode::Primary),
            term: 7,
            able: Some(able),
            score: Some(0.97),
            last_heard_ms: Some(4),
            gone: Some(text("silent")),
            version: Some(text("1.0.0")),
            differs: vec![text("takeover.protection")],
            replies: vec![Reply {
                age_ms: 1,
                reply: ReplyKind::StaySecondary,
                score: Some(0.97),
                rtt_us: Some(200),
                query: 274_362,
                count: 9,
                first_age_ms: 9_000,
                why: Some(text("the link was down")),
            }],
            attached: vec![text("ops3")],
            processes: vec![PeerProcess {
                name: text("plant-control"),
                state: ProcessState::Running,
                pid: Some(988),
                run_when: RunWhen::Primary,
                since_ms: 5,
                start_ms: Some(900),
                stop_ms: 5_000,
            }],
        }],
        health: Health {
            total: 0.98,
            threshold: 0.75,
            sub: vec![SubHealth {
                name: text("memory"),
                status: 0.93,
                weight: 0.3,
                score: 0.279,
                measured: 7.0,
                unit: text("%"),
                why: Some(text("x")),
            }],
        },
        processes: vec![Process {
            name: text("plant-control"),
            pid: Some(4_121),
            state: ProcessState::Running,
            since_ms: 9,
            uptime_ms: Some(9),
            restarts_30s: 0,
            restarts: 3,
            response_ms: Some(12.0),
            memory_pct: Some(2.6),
            cpu_pct: Some(0.5),
            counts: true,
            run_when: RunWhen::Primary,
            heartbeat: Some(text("notify")),
            period_ms: Some(1_000),
            start_ms: Some(900),
            stop_ms: 5_000,
            why: Some(text("no answer for 3 s")),
            next_start_ms: Some(500),
            output: vec![text("started")],
        }],
        fencing: vec![Fencing {
            peer: text("alpha"),
            agent: text("fence_ipmilan"),
            address: Some(text("10.0.9.1")),
            action: text("off"),
            device: Some(FenceDevice { answers: false, age_ms: 41_000, took_ms: 60, why: Some(text("no answer")) }),
            monitor_ms: Some(60_000),
            under_way: Some(FenceUnderWay { attempt: 3, since_ms: 2_000, timeout_ms: 20_000 }),
            last: Some(FenceLast {
                attempt: 2,
                result: FenceResult::Failed,
                age_ms: 6_000,
                took_ms: 20_000,
                why: Some(text("no answer within 20 s")),
            }),
            next_try_ms: Some(54_000),
            lied: false,
        }],
        takeover: Takeover {
            ready: true,
            expected_ms: Some(3_000),
            if_fails: Some(text("alpha")),
            acts: Some(text("beta")),
            lines: vec![Line { ok: true, about: text("health"), text: text("beta is fit") }],
        },
        alarms: vec![Alarm {
            id: text("peer_silent:alpha"),
            class: AlarmClass::Warning,
            text: text("alpha is silent"),
            first: text("look"),
            then: vec![text("act")],
            do_not: text("force"),
            since_ms: 3,
            seen: Some(Seen { by: text("ops"), time: time.clone() }),
        }],
        attached: vec![text("ops")],
        events: vec![Event { seq: 1, time: time.clone(), kind: text("note"), text: text("started") }],
        judgement: Judgement::OneActs,
        plan: Some(plan(Action::TakeOver)),
        plan_elsewhere: Some(PlanElsewhere { node: text("alpha"), number: 12, title: text("alpha steps down") }),
        two_acted: Some(TwoActed {
            other: text("alpha"),
            stops: Acted { name: text("alpha"), term: 7, since: None },
            goes_on: Acted { name: text("beta"), term: 8, since: Some(time.clone()) },
            since: time.clone(),
            at_most_ms: 9,
            over_for_ms: Some(1),
            steps: vec![Step { time: time.clone(), text: text("beta took over") }],
        }),
        observe_only: false,
        query_interval_ms: 1_000,
        reply_timeout_ms: 3_000,
        loop_gaps: LoopGaps::default(),
        availability: Some(Availability {
            total: share(),
            as_primary: share(),
            as_secondary: share(),
            unknown_ms: 4,
            data_loss: text("nothing is replicated"),
        }),
        rejected: vec![Rejected { kind: text("wrong_key"), count: 3 }],
    }
}

/// The same with every option unset and every list empty.
fn bare() -> Status {
    let mut status = full();
    status.able.why = None;
    status.transition = None;
    status.hold = None;
    status.protection = Protection { policy: Vec::new(), state: ProtectionState::Unprotected };
    (status.arbiter, status.reference, status.watchdog) = (None, None, None);
    status.links.clear();
    status.processes.clear();
    status.fencing.clear();
    status.health.sub.clear();
    status.alarms.clear();
    status.attached.clear();
    status.events.clear();
    status.plan = None;
    status.plan_elsewhere = None;
    status.two_acted = None;
    status.reason.evidence.clear();
    status.rejected.clear();
    status.takeover = Takeover { ready: false, expected_ms: None, if_fails: None, acts: None, lines: Vec::new() };
    let peer = &mut status.peers[0];
    (peer.mode, peer.able, peer.score, peer.last_heard_ms) = (None, None, None, None);
    (peer.gone, peer.version) = (None, None);
    peer.replies.clear();
    peer.processes.clear();
    status
}

fn value(status: &Status) -> Value {
    serde_json::to_value(status).expect("a status is JSON")
}

fn faults(value: &Value) -> Vec<String> {
    validator().iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

#[test]
fn a_status_with_everything_and_one_with_nothing_are_valid() {
    for status in [full(), bare()] {
        assert_eq!(faults(&value(&status)), Vec::<String>::new());
    }
}

#[test]
fn every_action_and_every_word_is_known_to_the_schema() {
    let (peer, name) = (text("alpha"), text("plant-control"));
    for action in [
        Action::TakeOver,
        Action::StepDown,
        Action::Hold { for_ms: 1 },
        Action::Resume,
        Action::Shutdown,
        Action::Fence { peer: peer.clone() },
        Action::IsOff { peer },
        Action::RestartProcess { name: name.clone() },
        Action::StopProcess { name: name.clone() },
        Action::StartProcess { name },
    ] {
        let status = Status { plan: Some(plan(action)), ..full() };
        assert_eq!(faults(&value(&status)), Vec::<String>::new());
    }
    for judgement in [Judgement::OneActs, Judgement::NobodyActs, Judgement::TwoAct, Judgement::OneActsOtherUnknown] {
        assert_eq!(faults(&value(&Status { judgement, ..full() })), Vec::<String>::new());
    }
    for reply in [ReplyKind::StaySecondary, ReplyKind::BecomePrimary, ReplyKind::NoAnswer, ReplyKind::Query] {
        let mut status = full();
        status.peers[0].replies[0].reply = reply;
        assert_eq!(faults(&value(&status)), Vec::<String>::new());
    }
    use ProcessState::{GivenUp, Restarting, Running, Starting, Stopped, Stopping, Waits};
    for state in [Waits, Starting, Running, Stopping, Restarting, Stopped, GivenUp] {
        let mut status = full();
        status.processes[0].state = state;
        assert_eq!(faults(&value(&status)), Vec::<String>::new());
    }
    for run_when in [RunWhen::Always, RunWhen::Primary, RunWhen::Secondary] {
        let mut status = full();
        status.processes[0].run_when = run_when;
        assert_eq!(faults(&value(&status)), Vec::<String>::new());
    }
    for result in [FenceResult::Off, FenceResult::Failed, FenceResult::OffByWord] {
        let mut status = full();
        status.fencing[0].last.as_mut().expect("it has one").result = result;
        assert_eq!(faults(&value(&status)), Vec::<String>::new());
    }
    for state in [LinkState::Up, LinkState::Connecting, LinkState::Down] {
        let mut status = full();
        status.links[0].state = state;
        assert_eq!(faults(&value(&status)), Vec::<String>::new());
    }
}

/// The path of every object in `value`, as JSON pointers.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(at.to_owned());
            for (name, field) in fields {
                objects(field, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                objects(item, &format!("{at}/{place}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// So a field that is added, removed or renamed in the types must be so in the schema too.
#[test]
fn a_field_that_is_missing_renamed_or_new_is_caught_everywhere() {
    let status = value(&full());
    let mut places = Vec::new();
    objects(&status, "", &mut places);
    assert!(places.len() > 20, "the full status reaches every object: {places:?}");
    let validator = validator();
    for place in places {
        let fields: Vec<String> =
            status.pointer(&place).and_then(Value::as_object).expect("an object").keys().cloned().collect();
        let changed = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut status = status.clone();
            change(status.pointer_mut(&place).and_then(Value::as_object_mut).expect("an object"));
            validator.is_valid(&status)
        };
        assert!(
            !changed(&|object| {
                object.insert(text("new"), json!(1));
            }),
            "a new field in {place:?}"
        );
        for field in fields {
            assert!(
                !changed(&|object| {
                    object.remove(&field);
                }),
                "{place}/{field} missing"
            );
        }
    }
}

/// The other way: what the schema requires is in the types, or the full status would not be valid; and every name it
/// knows occurs there.
#[test]
fn every_name_of_the_schema_occurs_in_the_full_status() {
    fn names(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                fields.values().for_each(|field| names(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut known = Vec::new();
    names(&schema(), &mut known);
    let full = value(&full()).to_string()
        + &value(&Status { plan: Some(plan(Action::Hold { for_ms: 1 })), ..full() }).to_string();
    for name in known {
        assert!(full.contains(&format!("\"{name}\":")), "{name}");
    }
}

#[test]
fn a_status_reads_back_as_it_was_written() {
    for status in [full(), bare()] {
        let back: Status = serde_json::from_value(value(&status)).expect("it reads back");
        assert_eq!(back, status);
    }
}

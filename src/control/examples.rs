//! Views to test with: a healthy pair, and how to bend it. Only in tests.

use std::time::Duration;

use crate::negotiation::ability::{Ability, Score};
use crate::negotiation::decision::{Decision, Rule};
use crate::negotiation::member::MemberId;
use crate::negotiation::message::{Incarnation, Mode};
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;
use crate::negotiation::view::{FenceView, Forecast, ForecastLine, Gone, HealthView, PeerView, Topic, View};

use super::compose::Surroundings;
use super::status::{self, LoopGaps};
use super::who::{Rights, Who};

pub fn term(number: u64, owner: u8) -> Term {
    Term { number, owner: MemberId(owner) }
}

pub fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

pub fn ops() -> Who {
    Who::new("ops", 1000, Rights::Operate)
}

pub fn guest() -> Who {
    Who::new("guest", 1001, Rights::Watch)
}

fn peer(id: u8, name: &str, mode: Mode, term: Term) -> PeerView {
    PeerView {
        id: MemberId(id),
        name: name.into(),
        link_up: true,
        incarnation: Some(Incarnation(1)),
        heard: Some(Duration::from_millis(400)),
        gone: None,
        mode: Some(mode),
        term,
        able: Some(Ability::Fit),
        claim: false,
        score: Some(Score::from(0.97)),
        differs: Vec::new(),
        fence: FenceView::default(),
    }
}

fn line(text: &str) -> ForecastLine {
    ForecastLine { ok: true, about: Topic::Able, text: text.to_owned() }
}

/// beta stands by, alpha acts in term 7.
pub fn secondary() -> View {
    View {
        now: at(100),
        me: MemberId(1),
        name: "beta".into(),
        mode: Mode::Secondary,
        term: term(7, 0),
        since: at(1),
        reason: Decision {
            at: at(1),
            rule: Rule::Booted,
            mode: Mode::Secondary,
            term: Term::NONE,
            evidence: Vec::new(),
            protection: Default::default(),
        },
        able: Ability::Fit,
        score: Score::from(0.98),
        forced: false,
        transition: None,
        stopping: None,
        health: HealthView { confirmations: 2, max_per_hour: 4, ..HealthView::default() },
        hold: None,
        promise: None,
        protection: Vec::new(),
        arbiter: None,
        reference: None,
        protected_now: true,
        durable: true,
        history_unknown: false,
        observe_only: false,
        peers: vec![peer(0, "alpha", Mode::Primary, term(7, 0))],
        forecast: Forecast {
            if_fails: Some("alpha".into()),
            acts: Some("beta".into()),
            ready: true,
            expected: Some(Duration::from_secs(3)),
            lines: vec![line("beta is fit, health 0.98")],
        },
        take_over: vec![line("alpha answers, 0.4 s ago, and agrees"), line("beta is fit, health 0.98")],
        successor: None,
    }
}

/// alpha acts in term 7, beta stands by.
pub fn primary() -> View {
    View {
        me: MemberId(0),
        name: "alpha".into(),
        mode: Mode::Primary,
        peers: vec![peer(1, "beta", Mode::Secondary, Term::NONE)],
        forecast: Forecast { if_fails: Some("alpha".into()), ..secondary().forecast },
        take_over: Vec::new(),
        successor: Some("beta".into()),
        ..secondary()
    }
}

/// The first peer counts as gone.
pub fn with_gone(mut view: View, gone: Gone) -> View {
    let peer = &mut view.peers[0];
    peer.gone = Some(gone);
    peer.link_up = false;
    peer.heard = Some(Duration::from_secs(134));
    view.successor = None;
    view.forecast.ready = view.mode == Mode::Secondary;
    view
}

/// Nothing special around.
pub fn around() -> Surroundings {
    Surroundings {
        time: "2026-11-21T03:12:44+01:00".to_owned(),
        address: "10.0.0.2:7400".to_owned(),
        group: "substation-7".to_owned(),
        version: "1.0.0".to_owned(),
        incarnation: 0x1f,
        links: Vec::new(),
        peers: Vec::new(),
        threshold: Score::from(0.75),
        sub_health: Vec::new(),
        processes: Vec::new(),
        fencing: Vec::new(),
        guards: super::guards::Guards::default(),
        alarms: Vec::new(),
        attached: Vec::new(),
        events: Vec::new(),
        plan: None,
        plan_elsewhere: None,
        two_acted: None,
        query_interval: Duration::from_secs(1),
        reply_timeout: Duration::from_secs(3),
        loop_gaps: LoopGaps::default(),
        availability: None,
        rejected: Vec::new(),
    }
}

/// A required process that runs, started within 0.9 s.
pub fn process(name: &str, run_when: status::RunWhen) -> status::Process {
    status::Process {
        name: name.to_owned(),
        pid: Some(4121),
        state: status::ProcessState::Running,
        since_ms: 274_360_000,
        uptime_ms: Some(274_360_000),
        restarts_30s: 0,
        restarts: 0,
        response_ms: Some(12.0),
        memory_pct: Some(2.6),
        cpu_pct: Some(0.4),
        counts: true,
        run_when,
        heartbeat: Some("notify".to_owned()),
        period_ms: Some(1000),
        start_ms: Some(900),
        stop_ms: 5000,
        why: None,
        next_start_ms: None,
        output: vec!["ready".to_owned()],
    }
}

/// One that is to run only on the Primary, and waits for that.
pub fn waiting(name: &str) -> status::Process {
    status::Process {
        pid: None,
        state: status::ProcessState::Waits,
        uptime_ms: None,
        response_ms: None,
        memory_pct: None,
        cpu_pct: None,
        ..process(name, status::RunWhen::Primary)
    }
}

/// The same process as another member tells of it.
pub fn told(process: &status::Process) -> status::PeerProcess {
    status::PeerProcess {
        name: process.name.clone(),
        state: process.state,
        pid: process.pid,
        run_when: process.run_when,
        since_ms: process.since_ms,
        start_ms: process.start_ms,
        stop_ms: process.stop_ms,
    }
}

/// A fence device for `peer` that answered a while ago.
pub fn fencing(peer: &str) -> status::Fencing {
    status::Fencing {
        peer: peer.to_owned(),
        agent: "fence_ipmilan".to_owned(),
        address: Some("10.0.9.1".to_owned()),
        action: "off".to_owned(),
        device: Some(status::FenceDevice { answers: true, age_ms: 41_000, took_ms: 60, why: None }),
        monitor_ms: Some(60_000),
        under_way: None,
        last: None,
        next_try_ms: None,
        lied: false,
    }
}

/// What is known beside the view of a member whose plant-control waits for it to be Primary, while it runs on `other`,
/// which a device can switch off.
pub fn site(other: &str) -> super::plans::Others {
    let (runs, waits) = (process("plant-control", status::RunWhen::Primary), waiting("plant-control"));
    let probe = process("link-probe", status::RunWhen::Always);
    super::plans::Others {
        theirs: vec![(other.to_owned(), vec![told(&runs), told(&probe)])],
        processes: vec![waits, probe],
        fencing: vec![fencing(other)],
        ..super::plans::Others::default()
    }
}

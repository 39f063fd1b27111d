//! Statuses made by hand, for the tests of the screen: the states of the drawn screens.

use std::time::Duration;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::control::plan::{Action, LineState, Plan, PlanLine};
use crate::control::request::{Hello, Reply as Message};
use crate::control::status::*;

mod what_runs;

pub use what_runs::{fencing_failed, unwell, with_processes};

use super::line::{Charset, Look, Theme};
use super::state::{MayAct, State};

/// 03:12:44 +01, as drawn.
pub fn wall() -> Zoned {
    let at: Timestamp = "2026-11-21T02:12:44Z".parse().expect("a moment");
    at.to_zoned(TimeZone::fixed(Offset::constant(1)))
}

/// The time at which every sample looks at its status, which came at this very moment.
pub const NOW: Duration = Duration::from_secs(1000);

const DAYS: u64 = (3 * 86_400 + 4 * 3600 + 12 * 60 + 40) * 1000;

pub fn hello() -> Hello {
    Hello {
        schema: SCHEMA,
        node: "beta".to_owned(),
        group: "substation-7".to_owned(),
        version: "0.1.0".to_owned(),
        may_operate: true,
        you_are: "ops".to_owned(),
        state_directory: "state".to_owned(),
    }
}

fn path(address: &str, rtt_us: u64, reconnects: u64) -> Link {
    Link {
        peer: "alpha".to_owned(),
        address: address.to_owned(),
        state: LinkState::Up,
        role: LinkRole::Client,
        rtt_us: Some(rtt_us),
        last_heard_ms: Some(300),
        since_ms: DAYS,
        reconnects,
        encrypted: true,
        why: None,
    }
}

fn event(time: &str, kind: &str, text: &str) -> Event {
    Event { seq: 1, time: time.to_owned(), kind: kind.to_owned(), text: text.to_owned() }
}

fn condition(ok: bool, about: &str, text: &str) -> Line {
    Line { ok, about: about.to_owned(), text: text.to_owned() }
}

fn line(text: &str) -> Line {
    Line { ok: true, about: "health".to_owned(), text: text.to_owned() }
}

/// Screen 1: a healthy Secondary.
pub fn healthy() -> Status {
    Status {
        schema: SCHEMA,
        time: "2026-11-21T02:12:44Z".to_owned(),
        node: "beta".to_owned(),
        address: "10.0.0.2:7400".to_owned(),
        group: "substation-7".to_owned(),
        version: "0.1.0".to_owned(),
        incarnation: "f00d".to_owned(),
        mode: Mode::Secondary,
        term: 7,
        token: 14,
        since_ms: DAYS,
        reason: Reason {
            rule: "told_to_stay".to_owned(),
            clause: "N5".to_owned(),
            text: "alpha acts and told beta to be Secondary".to_owned(),
            evidence: vec!["alpha: link up, last heard 0.3 s before, as Primary, term 7".to_owned()],
            otherwise: vec!["one word less from alpha".to_owned()],
        },
        able: Able { level: 2, why: None },
        serving: false,
        transition: None,
        hold: None,
        protection: Protection { policy: Vec::new(), state: ProtectionState::Unprotected },
        arbiter: None,
        reference: None,
        watchdog: None,
        links: vec![path("10.0.0.1:7400", 210, 2), path("10.1.0.1:7400", 250, 0)],
        peers: vec![Peer {
            name: "alpha".to_owned(),
            mode: Some(Mode::Primary),
            term: 7,
            able: Some(Able { level: 2, why: None }),
            score: Some(0.97),
            last_heard_ms: Some(300),
            gone: None,
            version: Some("0.1.0".to_owned()),
            differs: Vec::new(),
            replies: vec![
                Reply {
                    age_ms: 300,
                    reply: ReplyKind::StaySecondary,
                    score: Some(0.97),
                    rtt_us: Some(200),
                    query: 274_362,
                    count: 274_362,
                    first_age_ms: DAYS,
                    why: None,
                },
                Reply {
                    age_ms: DAYS + 1000,
                    reply: ReplyKind::NoAnswer,
                    score: None,
                    rtt_us: None,
                    query: 1,
                    count: 1,
                    first_age_ms: DAYS + 1000,
                    why: Some("the link was starting".to_owned()),
                },
            ],
            attached: Vec::new(),
            processes: Vec::new(),
        }],
        health: Health { total: 1.0, threshold: 0.75, sub: Vec::new() },
        processes: Vec::new(),
        fencing: Vec::new(),
        takeover: Takeover {
            ready: true,
            expected_ms: Some(3050),
            if_fails: Some("alpha".to_owned()),
            acts: Some("beta".to_owned()),
            lines: vec![line("alpha answers, 0.3 s ago"), line("beta is fit"), line("no hold, no promise to another")],
        },
        alarms: Vec::new(),
        attached: vec!["ops".to_owned()],
        events: vec![
            event("2026-11-17T22:00:04Z", "note", "beta is Secondary: alpha acts, term 7"),
            event("2026-11-17T22:00:03Z", "note", "both paths to alpha are up"),
            event("2026-11-17T22:00:01Z", "note", "tandem 0.1.0 started by systemd"),
        ],
        judgement: Judgement::OneActs,
        plan: None,
        plan_elsewhere: None,
        two_acted: None,
        observe_only: false,
        query_interval_ms: 1000,
        reply_timeout_ms: 3000,
        loop_gaps: LoopGaps { worst_us: 2300, recent_worst_us: 400, over_20ms: 0, over_25ms: 0 },
        availability: None,
        rejected: vec![Rejected { kind: "wrong_key".to_owned(), count: 3 }],
    }
}

/// Screen 2: two Primaries, seen from the one that gives way.
pub fn two_primaries() -> Status {
    let mut status = healthy();
    let lasted = (31 * 60 + 36) * 1000;
    status.node = "alpha".to_owned();
    status.mode = Mode::Primary;
    status.transition =
        Some(Transition { to: Mode::Secondary, waiting_for: "plant-control to stop".to_owned(), since_ms: 3000 });
    status.judgement = Judgement::TwoAct;
    status.peers[0].name = "beta".to_owned();
    status.peers[0].term = 8;
    status.peers[0].replies.clear();
    for link in &mut status.links {
        link.peer = "beta".to_owned();
        link.since_ms = 3000;
    }
    status.takeover = Takeover {
        ready: false,
        expected_ms: None,
        if_fails: Some("beta".to_owned()),
        acts: Some("alpha".to_owned()),
        lines: vec![condition(false, "health", "alpha is stopping: it gives way"), line("alpha is fit")],
    };
    status.attached = vec!["ops".to_owned(), "ops-2".to_owned()];
    status.alarms = vec![Alarm {
        id: "two_primaries".to_owned(),
        class: AlarmClass::Alarm,
        text: "alpha and beta are both Primary: terms 7 and 8".to_owned(),
        first: "Press nothing. alpha stops by itself: beta has the higher term.".to_owned(),
        then: vec![
            "03:12:48 alpha must say SECONDARY. If it does not: a, stop alpha.".to_owned(),
            "Tell whoever owns the plant: both acted.".to_owned(),
        ],
        do_not: "stop or restart beta: it is the one that goes on.".to_owned(),
        since_ms: lasted,
        seen: None,
    }];
    status.two_acted = Some(TwoActed {
        other: "beta".to_owned(),
        stops: Acted { name: "alpha".to_owned(), term: 7, since: Some("2026-11-17T22:00:01Z".to_owned()) },
        goes_on: Acted { name: "beta".to_owned(), term: 8, since: None },
        since: "2026-11-21T01:41:04Z".to_owned(),
        at_most_ms: lasted,
        over_for_ms: None,
        steps: vec![
            step("2026-11-21T01:41:04Z", "the last path between alpha and beta broke"),
            step("2026-11-21T01:41:07Z", "to alpha, beta counts as gone: beta silent for 3.0 s"),
            step("2026-11-21T02:12:40Z", "a path between alpha and beta came back"),
            step("2026-11-21T02:12:40Z", "both are Primary: alpha in term 7, beta in term 8"),
        ],
    });
    status.events = vec![
        event("2026-11-21T02:12:40Z", "alarm", "alpha and beta are both Primary: terms 7 and 8"),
        event("2026-11-21T02:12:40Z", "note", "both paths to beta are up, after 31 min 36 s"),
    ];
    status
}

/// The same a moment later, at the one that gave way: it is over, and nobody has looked at it.
pub fn two_acted() -> Status {
    let mut status = two_primaries();
    status.mode = Mode::Secondary;
    status.term = 8;
    status.transition = None;
    status.judgement = Judgement::OneActs;
    status.reason = Reason {
        rule: "yielded_to".to_owned(),
        clause: "N12".to_owned(),
        text: "beta is Primary in term 8, which goes before this member's 7".to_owned(),
        evidence: vec!["beta: link up, last heard 0 ms before, as Primary, term 8".to_owned()],
        otherwise: vec!["a protection in takeover.protection: only one would have become Primary".to_owned()],
    };
    status.alarms[0].id = "two_acted".to_owned();
    status.alarms[0].class = AlarmClass::Warning;
    status.alarms[0].text = "over: alpha and beta both acted, for at most 31 min 36 s".to_owned();
    status.takeover = Takeover {
        ready: true,
        expected_ms: Some(3050),
        if_fails: Some("beta".to_owned()),
        acts: Some("alpha".to_owned()),
        lines: vec![line("beta answers, 0.3 s ago"), line("alpha is fit")],
    };
    if let Some(two) = &mut status.two_acted {
        two.over_for_ms = Some(3000);
        two.steps.push(step("2026-11-21T02:12:40Z", "alpha gave way, rule N12: the lower term yields"));
    }
    status
}

/// The same, and then the other falls silent: a new cause above what is over.
pub fn two_acted_then_silent() -> Status {
    let mut status = two_acted();
    let gone = silent();
    status.judgement = gone.judgement;
    status.peers[0].gone.clone_from(&gone.peers[0].gone);
    status.peers[0].last_heard_ms = gone.peers[0].last_heard_ms;
    let mut cause = gone.alarms[0].clone();
    cause.text = "beta is silent: the group is not redundant".to_owned();
    cause.first = "Find out whether beta is on: lamps, its own console, call the site.".to_owned();
    cause.seen = None;
    for link in &mut status.links {
        link.state = LinkState::Down;
        link.last_heard_ms = Some(134_000);
    }
    status.alarms.insert(0, cause);
    status
}

/// One path is connected and silent, another member holds a plan.
pub fn silent_path() -> Status {
    let mut status = healthy();
    status.links[1].last_heard_ms = Some(9000);
    status.plan_elsewhere =
        Some(PlanElsewhere { node: "alpha".to_owned(), number: 12, title: "alpha hands over to beta".to_owned() });
    status
}

fn step(time: &str, text: &str) -> Step {
    Step { time: time.to_owned(), text: text.to_owned() }
}

/// The other is silent, and nothing protects the group.
pub fn silent() -> Status {
    let mut status = healthy();
    status.judgement = Judgement::NobodyActs;
    status.peers[0].gone = Some("silent".to_owned());
    status.peers[0].last_heard_ms = Some(134_000);
    for link in &mut status.links {
        link.state = LinkState::Down;
        link.last_heard_ms = Some(134_000);
        link.why = Some("no answer to 133 calls, 1 a second".to_owned());
    }
    status.hold = Some(Hold { since_ms: 1000, expires_ms: 754_000, by: "ops-2".to_owned(), not_told: Vec::new() });
    status.alarms = vec![Alarm {
        id: "peer_silent".to_owned(),
        class: AlarmClass::Warning,
        text: "alpha is silent: the group is not redundant".to_owned(),
        first: "Find out whether alpha is on: lamps, its own console, call the site.".to_owned(),
        then: vec!["Mend it or its cable; it finds its place by itself.".to_owned()],
        do_not: "start a second controller in its name.".to_owned(),
        since_ms: 131_000,
        seen: Some(Seen { by: "ops-2".to_owned(), time: "2026-11-21T02:12:31Z".to_owned() }),
    }];
    status
}

/// Three members.
pub fn three() -> Status {
    let mut status = healthy();
    let mut gamma = status.peers[0].clone();
    gamma.name = "gamma".to_owned();
    gamma.mode = Some(Mode::Secondary);
    gamma.differs = vec!["reply_timeout".to_owned()];
    status.peers.push(gamma);
    let mut link = path("10.0.0.3:7400", 12_000, 1);
    link.peer = "gamma".to_owned();
    status.links.push(link);
    status.protection = Protection { policy: vec!["majority".to_owned()], state: ProtectionState::Ok };
    status
}

/// Screen 4's plan.
pub fn plan() -> Plan {
    let ok = |text: &str| PlanLine { state: LineState::Ok, text: text.to_owned() };
    Plan {
        number: 47,
        action: Action::TakeOver,
        title: "beta takes over from alpha".to_owned(),
        node: "beta".to_owned(),
        steps: vec!["alpha is asked to stop".to_owned(), "beta becomes Primary, term 8".to_owned()],
        nobody_acts: "Nobody acts for about 10 ms.".to_owned(),
        two_acting: "Two acting at once cannot happen.".to_owned(),
        may_be_lost: "May be lost: what programs on alpha keep only in their memory.".to_owned(),
        if_it_fails: "If step 1 fails: alpha goes on acting, beta stays Secondary.".to_owned(),
        to_go_back: "To go back: the same plan from alpha. Nothing goes back by itself.".to_owned(),
        rests_on: vec![
            ok("alpha answers, 0.4 s ago, and agrees"),
            ok("beta is fit"),
            PlanLine { state: LineState::Notice, text: "ops3 is attached to alpha and is shown this plan".to_owned() },
        ],
        force_by_typing: None,
        risk: None,
        by: "ops".to_owned(),
        checked_ms: 1000,
        expires_ms: 118_000,
    }
}

/// A plan that can only be forced.
pub fn forced_plan() -> Plan {
    let mut plan = plan();
    plan.rests_on[0] = PlanLine { state: LineState::No, text: "alpha does not answer".to_owned() };
    plan.two_acting = "Two could act at once: alpha acts until it hears of term 8.".to_owned();
    plan.force_by_typing = Some("beta".to_owned());
    plan.risk = Some("beta becomes Primary although alpha may still act.".to_owned());
    plan
}

/// A screen that shows a status.
pub fn state(status: Status, theme: Theme, charset: Charset) -> State {
    let mut state = State::new(Look { theme, charset }, MayAct::AsAllowed, None);
    let mut hello = hello();
    hello.node.clone_from(&status.node);
    state.on_reply(Message::Hello(hello), NOW);
    state.on_reply(Message::Status(std::sync::Arc::new(status)), NOW);
    state
}

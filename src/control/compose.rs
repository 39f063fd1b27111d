//! The status of a controller, put together: what the negotiation shows of itself, and what the node knows around it.
//!
//! Pure. The judgement of row 3 and the exit status of `tandem status` are computed here and nowhere else.

use std::time::Duration;

use crate::negotiation::ability::{Ability, Score};
use crate::negotiation::decision::Rule;
use crate::negotiation::message::Mode;
use crate::negotiation::settings::Protection;
use crate::negotiation::view::{Gone, PeerView, View};

use super::alarms::{FENCING_FAILED, FLAPPING, HEARD_AFTER_OFF, HELD_BACK, NOBODY_ACTS, TWO_PRIMARIES};
use super::forecast::{self, Known};
use super::guards::Guards;
use super::plan::Plan;
use super::status::{self, Judgement, ProtectionState, SCHEMA, Status};
use super::words;

/// What the node adds to a [`View`] to make a [`Status`]. Every piece is already in the contract's types.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Now, RFC 3339.
    pub time: String,
    /// The address that decides who listens.
    pub address: String,
    /// The group's name.
    pub group: String,
    /// The program's version.
    pub version: String,
    /// This start's random number.
    pub incarnation: u64,
    /// Each path to each peer.
    pub links: Vec<status::Link>,
    /// What is known around each peer; one that is missing is shown without.
    pub peers: Vec<AroundPeer>,
    /// The Total Health Threshold.
    pub threshold: Score,
    /// What the Total Health Score is made of.
    pub sub_health: Vec<status::SubHealth>,
    /// Required processes.
    pub processes: Vec<status::Process>,
    /// How each other member is switched off.
    pub fencing: Vec<status::Fencing>,
    /// The arbiter, the reference addresses and the watchdog, as configured.
    pub guards: Guards,
    /// What is wrong, from [`super::desk::Desk::alarms`].
    pub alarms: Vec<status::Alarm>,
    /// Who looks at a screen of this member, from [`super::desk::Desk::attached`].
    pub attached: Vec<String>,
    /// The latest events, newest first.
    pub events: Vec<status::Event>,
    /// The open plan: this desk's, or the one another member shows.
    pub plan: Option<Plan>,
    /// The plan that another member holds, as it tells.
    pub plan_elsewhere: Option<status::PlanElsewhere>,
    /// Two that acted, while that is told.
    pub two_acted: Option<status::TwoActed>,
    /// `negotiation.query_interval`.
    pub query_interval: Duration,
    /// `negotiation.reply_timeout`.
    pub reply_timeout: Duration,
    /// How late the loop woke.
    pub loop_gaps: status::LoopGaps,
    /// How available the group was.
    pub availability: Option<status::Availability>,
    /// What the link refused since start.
    pub rejected: Vec<status::Rejected>,
}

/// What the node knows around a peer.
#[derive(Debug, Clone)]
pub struct AroundPeer {
    /// The peer's name.
    pub name: String,
    /// Its program's version, once connected.
    pub version: Option<String>,
    /// The history of its replies, newest first.
    pub replies: Vec<status::Reply>,
    /// Who looks at a screen there.
    pub attached: Vec<String>,
    /// Its required processes, as it tells of them.
    pub processes: Vec<status::PeerProcess>,
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn mode(mode: Mode) -> status::Mode {
    match mode {
        Mode::Primary => status::Mode::Primary,
        Mode::Secondary => status::Mode::Secondary,
    }
}

fn able(able: Ability) -> status::Able {
    status::Able { level: able.level(), why: able.why().map(str::to_owned) }
}

fn gone_word(gone: Gone) -> &'static str {
    match gone {
        Gone::NeverHeard => "never_heard",
        Gone::Silent => "silent",
        Gone::Crashed => "crashed",
        Gone::Stopped => "stopped",
        Gone::Off => "off",
    }
}

/// Whether a member acts that is not heard now: it might, when it is only silent and nothing keeps it from it.
fn may_act_unheard(view: &View, peer: &PeerView) -> bool {
    // Under a lease a member that can no longer renew it stops before it ends (rule 8), unless forced.
    let leased = [Protection::Majority, Protection::Arbiter].iter().any(|one| view.protection.contains(one));
    if leased && view.protected_now && !view.forced {
        return false;
    }
    // Under fencing nobody takes over from a member that is on: who acts and is not switched off acts alone.
    if view.protection.contains(&Protection::Fence) && view.mode == Mode::Primary && !view.forced {
        return false;
    }
    match peer.gone {
        Some(Gone::Silent | Gone::NeverHeard) => true,
        Some(Gone::Crashed | Gone::Stopped | Gone::Off) => false,
        None => peer.mode.is_none(),
    }
}

/// Row 3's judgement: how many act, as far as this member knows.
pub fn judge(view: &View) -> Judgement {
    let heard = view.peers.iter().filter(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary)).count();
    let acting = heard + usize::from(view.mode == Mode::Primary);
    match acting {
        0 => Judgement::NobodyActs,
        1 if view.peers.iter().any(|peer| may_act_unheard(view, peer)) => Judgement::OneActsOtherUnknown,
        1 => Judgement::OneActs,
        _ => Judgement::TwoAct,
    }
}

/// How soon a guardian that slept with its controller has ended what it is to end, and said so.
const GUARDIANS_WORD: Duration = Duration::from_millis(250);

/// Whether this member, which is Primary, may still act. One that woke from standing still leaves the role, and what ran
/// had lost its right to run meanwhile (P6): it acts no more, unless something is seen to run all the same.
pub fn may_act_still(view: &View, processes: &[status::Process]) -> bool {
    let woke = view.stopping.as_ref().filter(|stopping| matches!(stopping.rule, Rule::Stalled { .. }));
    let Some(woke) = woke else { return true };
    let runs = |process: &status::Process| match process.state {
        status::ProcessState::Starting | status::ProcessState::Running | status::ProcessState::Stopping => true,
        status::ProcessState::Waits
        | status::ProcessState::Restarting
        | status::ProcessState::Stopped
        | status::ProcessState::GivenUp => false,
    };
    let mut bound = processes.iter().filter(|process| process.run_when == status::RunWhen::Primary);
    bound.any(runs) && view.now.since(woke.since) > GUARDIANS_WORD
}

/// The judgement for people: two act only where both may act.
fn judged(view: &View, processes: &[status::Process]) -> Judgement {
    let heard = view.peers.iter().filter(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary)).count();
    match judge(view) {
        Judgement::TwoAct if heard == 1 && !may_act_still(view, processes) => Judgement::OneActs,
        judgement => judgement,
    }
}

/// The status: `view` and what is around it.
pub fn compose(view: &View, around: &Surroundings) -> Status {
    Status {
        schema: SCHEMA,
        time: around.time.clone(),
        node: view.name.to_string(),
        address: around.address.clone(),
        group: around.group.clone(),
        version: around.version.clone(),
        incarnation: format!("{:016x}", around.incarnation),
        mode: mode(view.mode),
        term: view.term.number,
        token: view.term.token(),
        since_ms: ms(view.now.since(view.since)),
        reason: status::Reason {
            rule: view.reason.rule.word().to_owned(),
            clause: view.reason.rule.clause().to_owned(),
            text: view.reason.rule.text(),
            evidence: words::evidence(&view.reason),
            otherwise: view.reason.rule.otherwise(),
        },
        able: able(view.able),
        serving: serves(view, &around.processes),
        transition: transition(view, &around.processes),
        hold: view.hold.as_ref().map(|hold| status::Hold {
            since_ms: ms(view.now.since(hold.since)),
            expires_ms: ms(hold.until.since(view.now)),
            by: hold.by.to_string(),
            not_told: hold.not_told.iter().map(ToString::to_string).collect(),
        }),
        protection: protection(view),
        arbiter: around.guards.arbiter_status(view),
        reference: around.guards.reference_status(view),
        watchdog: around.guards.watchdog.clone(),
        links: around.links.clone(),
        peers: view.peers.iter().map(|peer| compose_peer(peer, around)).collect(),
        health: status::Health {
            total: view.score.into(),
            threshold: around.threshold.into(),
            sub: around.sub_health.clone(),
        },
        processes: around.processes.clone(),
        fencing: around.fencing.clone(),
        takeover: status::Takeover {
            ready: view.forecast.ready,
            expected_ms: view.forecast.expected.map(ms),
            if_fails: view.forecast.if_fails.as_ref().map(ToString::to_string),
            acts: view.forecast.acts.as_ref().map(ToString::to_string),
            lines: forecast::lines(
                view,
                Known { guards: &around.guards, fencing: &around.fencing, time: &around.time },
            ),
        },
        alarms: uncovered(&around.alarms),
        attached: around.attached.clone(),
        events: around.events.clone(),
        judgement: if still_two(around).is_some() { Judgement::TwoAct } else { judged(view, &around.processes) },
        plan: around.plan.clone(),
        plan_elsewhere: around.plan_elsewhere.clone(),
        two_acted: around.two_acted.clone(),
        observe_only: view.observe_only,
        query_interval_ms: ms(around.query_interval),
        reply_timeout_ms: ms(around.reply_timeout),
        loop_gaps: around.loop_gaps,
        availability: around.availability.clone(),
        rejected: around.rejected.clone(),
    }
}

/// The alarms as they are shown. What holds a takeover back is about whoever is not heard: that it is not heard stands
/// already in row 2, and would only push out what to do.
fn uncovered(alarms: &[status::Alarm]) -> Vec<status::Alarm> {
    let kind = |alarm: &status::Alarm| alarm.id.split(':').next().unwrap_or_default().to_owned();
    let holds_back = |alarm: &status::Alarm| {
        alarm.class == status::AlarmClass::Alarm && [FENCING_FAILED, HELD_BACK].contains(&kind(alarm).as_str())
    };
    let held_back = alarms.iter().any(holds_back);
    let covered = |alarm: &&status::Alarm| {
        held_back && ["peer_silent", "peer_never_heard", "peer_crashed"].contains(&kind(alarm).as_str())
    };
    alarms.iter().filter(|alarm| !covered(alarm)).cloned().collect()
}

/// Whether this member acts: Primary, and what runs only on the Primary runs.
fn serves(view: &View, processes: &[status::Process]) -> bool {
    let runs = |process: &status::Process| process.state == status::ProcessState::Running;
    let needed = processes.iter().filter(|process| process.run_when == status::RunWhen::Primary);
    view.mode == Mode::Primary && view.transition.is_none() && view.stopping.is_none() && needed.into_iter().all(runs)
}

/// What this member waits for while it changes: its disk, or what still stops (P2).
fn transition(view: &View, processes: &[status::Process]) -> Option<status::Transition> {
    let (to, waiting_for, since) = match (&view.transition, &view.stopping) {
        (Some(change), _) => (mode(change.to), change.waiting_for.clone(), change.since),
        (None, Some(stopping)) => {
            let stops =
                |process: &&status::Process| process.run_when == status::RunWhen::Primary && process.pid.is_some();
            let names: Vec<&str> = processes.iter().filter(stops).map(|process| process.name.as_str()).collect();
            let what = if names.is_empty() { "what runs on the Primary".to_owned() } else { names.join(", ") };
            (status::Mode::Secondary, format!("{what} to stop"), stopping.since)
        }
        (None, None) => return None,
    };
    Some(status::Transition { to, waiting_for, since_ms: ms(view.now.since(since)) })
}

fn protection(view: &View) -> status::Protection {
    status::Protection {
        policy: view.protection.iter().map(|one| one.word().to_owned()).collect(),
        state: match (view.protection.as_slice(), view.protected_now) {
            ([], _) => ProtectionState::Unprotected,
            (_, false) => ProtectionState::Missing,
            // It proves nothing of the other members (S1).
            (only, true) if only.iter().all(|one| *one == Protection::Reachability) => ProtectionState::Filter,
            (_, true) => ProtectionState::Ok,
        },
    }
}

/// Two that both act, while they do (N12).
fn still_two(around: &Surroundings) -> Option<&status::TwoActed> {
    around.two_acted.as_ref().filter(|two| two.over_for_ms.is_none())
}

fn compose_peer(peer: &PeerView, around: &Surroundings) -> status::Peer {
    let known = around.peers.iter().find(|known| known.name == peer.name.as_str());
    let both = still_two(around).filter(|two| two.other == peer.name.as_str());
    let acts_still = both.and_then(|two| [&two.stops, &two.goes_on].into_iter().find(|one| one.name == two.other));
    status::Peer {
        name: peer.name.to_string(),
        // What it runs still stops: to people it is Primary until that has ended, as it is on its own screen.
        mode: acts_still.map_or(peer.mode.map(mode), |_| Some(status::Mode::Primary)),
        term: acts_still.map_or(peer.term.number, |acted| acted.term),
        able: peer.able.map(able),
        score: peer.score.map(f64::from),
        last_heard_ms: peer.heard.map(ms),
        gone: peer.gone.map(|gone| gone_word(gone).to_owned()),
        version: known.and_then(|known| known.version.clone()),
        differs: peer.differs.iter().map(|key| key.word().to_owned()).collect(),
        replies: known.map(|known| known.replies.clone()).unwrap_or_default(),
        attached: known.map(|known| known.attached.clone()).unwrap_or_default(),
        processes: known.map(|known| known.processes.clone()).unwrap_or_default(),
    }
}

/// How `tandem status` ends: the states of monitoring plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitClass {
    /// 0: a healthy group, protected or not.
    Fine,
    /// 1: it works, but somebody should look today.
    Degraded,
    /// 2: somebody should look now.
    Critical,
}

/// The class of a status (commands.md, "Exit statuses").
pub fn exit_class(status: &Status) -> ExitClass {
    let kind = |alarm: &status::Alarm| alarm.id.split(':').next().unwrap_or_default().to_owned();
    let standing: Vec<String> = status.alarms.iter().map(kind).collect();
    let stands = |kind: &str| standing.iter().any(|one| one == kind);
    let critical = [TWO_PRIMARIES, NOBODY_ACTS, FENCING_FAILED, HELD_BACK, HEARD_AFTER_OFF];
    if status.judgement == Judgement::TwoAct || critical.into_iter().any(stands) {
        return ExitClass::Critical;
    }
    let degraded = status.judgement != Judgement::OneActs
        || words::paths_up(status.links.iter(), status.reply_timeout_ms) < status.links.len()
        || status.peers.iter().any(|peer| peer.gone.is_some() || peer.mode.is_none() || !peer.differs.is_empty())
        || status.able.level < 2
        || status.peers.iter().any(|peer| peer.able.as_ref().is_some_and(|able| able.level < 2))
        || !status.takeover.ready
        || status.hold.is_some()
        || status.observe_only
        || status.protection.state == ProtectionState::Missing
        || stands(FLAPPING)
        || status.alarms.iter().any(|alarm| alarm.class != status::AlarmClass::Note);
    if degraded { ExitClass::Degraded } else { ExitClass::Fine }
}

#[cfg(test)]
mod tests {
    use super::super::alarms::Around;
    use super::super::desk::Desk;
    use super::super::examples::{around, at, primary, secondary, term, with_gone};
    use super::super::status::LinkState;
    use super::*;
    use crate::negotiation::ability::{Sick, Unable};
    use crate::negotiation::view::HoldView;

    #[test]
    fn the_judgement_counts_who_acts_and_who_might() {
        let mut two = primary();
        two.peers[0].mode = Some(Mode::Primary);
        two.peers[0].term = term(8, 1);
        let mut majority = with_gone(primary(), Gone::Silent);
        majority.protection = vec![Protection::Majority];
        let mut booting = secondary();
        booting.peers[0].mode = None;
        for (view, judgement) in [
            (primary(), Judgement::OneActs),
            (secondary(), Judgement::OneActs),
            (two, Judgement::TwoAct),
            (with_gone(primary(), Gone::Silent), Judgement::OneActsOtherUnknown),
            (with_gone(primary(), Gone::NeverHeard), Judgement::OneActsOtherUnknown),
            (with_gone(primary(), Gone::Crashed), Judgement::OneActs),
            (with_gone(primary(), Gone::Stopped), Judgement::OneActs),
            (with_gone(secondary(), Gone::Silent), Judgement::NobodyActs),
            (majority, Judgement::OneActs),
            (booting, Judgement::NobodyActs),
        ] {
            assert_eq!(judge(&view), judgement, "{view:?}");
        }
    }

    /// The status as a node shows it: with its alarms, after nobody has acted for `nobody` already.
    fn status(view: &View, nobody: Duration) -> Status {
        let mut desk = Desk::new("beta", 0);
        let mut earlier = view.clone();
        earlier.now = view.now - nobody;
        desk.nobody_acts_for(&earlier);
        let around_now = || Around { boot_timeout: Duration::from_secs(10), ..Around::default() };
        // It looks as soon as there may be something to tell, and tells it a moment later.
        earlier.now = view.now - nobody.min(Duration::from_millis(1_500));
        desk.alarms(&earlier, around_now());
        let alarms = desk.alarms(view, around_now());
        compose(view, &Surroundings { alarms, ..around() })
    }

    #[test]
    fn u7_exit_statuses_are_those_of_monitoring_plugins() {
        let bent = |bend: fn(&mut View)| {
            let mut view = secondary();
            bend(&mut view);
            view
        };
        let short = Duration::from_secs(1);
        for (what, view, class) in [
            ("a healthy unprotected Secondary", secondary(), ExitClass::Fine),
            ("a healthy unprotected Primary", primary(), ExitClass::Fine),
            ("a silent peer", with_gone(primary(), Gone::Silent), ExitClass::Degraded),
            ("a crashed peer", with_gone(primary(), Gone::Crashed), ExitClass::Degraded),
            ("a stopped peer", with_gone(primary(), Gone::Stopped), ExitClass::Degraded),
            ("a low score", bent(|view| view.able = Ability::Sick(Sick::BelowThreshold)), ExitClass::Degraded),
            ("not ready", bent(|view| view.forecast.ready = false), ExitClass::Degraded),
            ("observe-only", bent(|view| view.observe_only = true), ExitClass::Degraded),
            ("the state cannot be written", bent(|view| view.durable = false), ExitClass::Degraded),
            ("stepped down", bent(|view| view.able = Ability::Cannot(Unable::SteppedDown)), ExitClass::Degraded),
            ("nobody, but not for long", bent(|view| view.peers[0].mode = Some(Mode::Secondary)), ExitClass::Degraded),
            (
                "a hold",
                bent(|view| {
                    let (since, until) = (at(90), at(900));
                    view.hold = Some(HoldView { since, until, by: "ops".into(), not_told: Vec::new() });
                }),
                ExitClass::Degraded,
            ),
            (
                "protection is missing",
                bent(|view| {
                    view.protection = vec![Protection::Majority];
                    view.protected_now = false;
                }),
                ExitClass::Degraded,
            ),
            (
                "two Primaries",
                bent(|view| {
                    view.mode = Mode::Primary;
                    view.peers[0].mode = Some(Mode::Primary);
                }),
                ExitClass::Critical,
            ),
        ] {
            assert_eq!(exit_class(&status(&view, short)), class, "{what}");
        }
        let nobody = bent(|view| view.peers[0].mode = Some(Mode::Secondary));
        assert_eq!(exit_class(&status(&nobody, Duration::from_secs(11))), ExitClass::Critical, "nobody acts");
    }

    #[test]
    fn u7_a_path_that_is_down_is_degraded() {
        let link = status::Link {
            peer: "alpha".to_owned(),
            address: "10.1.0.1:7400".to_owned(),
            state: LinkState::Down,
            role: status::LinkRole::Client,
            rtt_us: None,
            last_heard_ms: None,
            since_ms: 10,
            reconnects: 0,
            encrypted: true,
            why: None,
        };
        let status = compose(&secondary(), &Surroundings { links: vec![link], ..around() });
        assert_eq!(exit_class(&status), ExitClass::Degraded);
    }

    #[test]
    fn u12_the_forecast_is_in_the_status() {
        let takeover = compose(&secondary(), &around()).takeover;
        assert!(takeover.ready);
        assert_eq!(takeover.expected_ms, Some(3_000));
        assert_eq!(takeover.lines[0].text, "beta is fit, health 0.98");
    }
}

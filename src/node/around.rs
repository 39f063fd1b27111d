//! What people see: after each turn the plan and the alarms are looked at again, and those who watch get a new status.
//!
//! Nothing here runs for nobody: without a watcher no status is composed, and alarms are only looked at when something
//! happened.

use std::sync::Arc;
use std::time::Duration;

use crate::control::alarms::{Around, FLAPPING_WITHIN, JournalState, RefusedKind, TwoThatActed};
use crate::control::compose::{AroundPeer, Surroundings, compose};
use crate::control::desk::PlanEnded;
use crate::control::guards::Guards;
use crate::control::plans::{Others, PlanElsewhere};
use crate::control::status::{self, AlarmClass, LinkRole, LinkState, Status};
use crate::journal::Entry;
use crate::journal::entry::AlarmChange;
use crate::link::{PathReport, PathRole, PathState, Rejection, RejectionKind};
use crate::negotiation::ability::Score;
use crate::negotiation::event::Severity;
use crate::negotiation::member::MemberId;
use crate::negotiation::message::Incarnation;
use crate::negotiation::time::Instant;

use super::clock::{rfc3339, unix_ms};
use super::engine::{Engine, News, stamp};
use super::gaps::{micros, millis};
use super::theirs::told;
use super::two_acted::{Found, One};

/// Refused traffic is an alarm for this long after it was last seen.
const REFUSED_LATELY: Duration = Duration::from_secs(600);

/// Addresses of refused traffic that are remembered.
const REFUSED_KEPT: usize = 16;

/// What does not change while the controller runs.
#[derive(Debug)]
pub struct Facts {
    pub node: String,
    pub members: Vec<String>,
    pub address: String,
    pub group: String,
    pub incarnation: Incarnation,
    pub threshold: Score,
    pub query_interval: Duration,
    pub reply_timeout: Duration,
    pub boot_timeout: Duration,
    pub guards: Guards,
}

impl Facts {
    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<MemberId> {
        let place = self.members.iter().position(|member| member == name)?;
        u8::try_from(place).ok().map(MemberId)
    }

    /// The name of `member`.
    pub fn name(&self, member: MemberId) -> String {
        self.members.get(member.index()).cloned().unwrap_or_else(|| "?".to_owned())
    }
}

/// Something that the link refused.
#[derive(Debug)]
pub struct RefusedTraffic {
    at: Instant,
    kind: RefusedKind,
    from: Option<String>,
}

/// Losing records is an alarm for this long after the last one was lost: what is over says so by itself.
const LOST_LATELY: Duration = Duration::from_secs(600);

/// What the journal lost, and when that was last seen to grow.
#[derive(Debug, Default)]
pub struct Losses {
    total: u64,
    grew: Instant,
}

impl Losses {
    /// How many records were lost since start, while some were lost lately; else none.
    fn lately(&mut self, now: Instant, total: u64) -> u64 {
        if total > self.total {
            self.total = total;
            self.grew = now;
        }
        if now.since(self.grew) <= LOST_LATELY { self.total } else { 0 }
    }
}

/// How often it is looked whether a connected path has fallen silent.
const LOOK_AT_PATHS: Duration = Duration::from_secs(1);

/// Connected paths over which nothing came for the reply timeout, as they were counted last.
#[derive(Debug, Default)]
pub struct SilentPaths {
    looked: Instant,
    count: usize,
}

impl Engine {
    /// After the facts of a turn: what follows for people.
    pub(super) fn after_turn(&mut self, now: Instant) {
        let due = self.desk.next_deadline(self.facts.boot_timeout).filter(|deadline| *deadline <= now);
        if due.is_some() && due != self.desk_due {
            self.desk_due = due;
            self.news = News::Urgent;
        }
        self.look_at_paths(now);
        self.sum_up_when_due(now);
        match std::mem::replace(&mut self.news, News::None) {
            News::None => {}
            News::Routine => self.publication.routine(now),
            News::Urgent => {
                self.publication.urgent(now);
                self.attend(now);
                // What was noted meanwhile is news of its own kind: once a turn is enough.
                self.news = News::None;
            }
        }
        if !self.is_watched() {
            self.publication.forget();
        } else if self.publication.next().is_some_and(|at| at <= now || self.stopped) {
            // A plan that is shown is checked as often as it is told: it ends when a line of it worsens (screen.md).
            if self.desk.plan(now).is_some() {
                self.attend(now);
            }
            let status = Arc::new(self.compose(now));
            if let Some(statuses) = &self.statuses {
                statuses.send_replace(status);
            }
            self.publication.told(now);
        }
    }

    /// A connected path falls silent without any event: that is looked for now and then.
    fn look_at_paths(&mut self, now: Instant) {
        if now.since(self.silent_paths.looked) < LOOK_AT_PATHS {
            return;
        }
        let timeout = self.facts.reply_timeout;
        let mute = |path: &PathReport| path.state == PathState::Up && path.last_heard.unwrap_or(path.since) > timeout;
        let count = self.links.paths().iter().filter(|path| mute(path)).count();
        if count != self.silent_paths.count {
            self.news = News::Urgent;
        }
        self.silent_paths = SilentPaths { looked: now, count };
    }

    /// Whether anybody gets statuses as they change.
    pub(super) fn is_watched(&self) -> bool {
        self.statuses.as_ref().is_some_and(|statuses| statuses.receiver_count() > 0)
    }

    /// Looks at the plan and the alarms again, and tells the journal and the peers what changed.
    fn attend(&mut self, now: Instant) {
        self.look_who_acts(now);
        let view = self.negotiator.view(now);
        let others = self.others(now);
        let both = self.two_acted.both(&view);
        self.two_acted.look(stamp(now), both);
        if let Some(ended) = self.desk.refresh(&view, &others, now) {
            self.note_plan_ended(&ended);
        }
        let around = self.around(now);
        let told = told(&around.processes);
        let alarms = self.desk.alarms(&view, around);
        let before = std::mem::take(&mut self.alarms_told);
        for alarm in &alarms {
            if !before.iter().any(|told| told.id == alarm.id) {
                self.note_alarm(alarm, AlarmChange::Raised);
                self.required.alarm(alarm);
                if alarm.class == AlarmClass::Alarm {
                    self.publication.at_once(now);
                }
            }
        }
        for told in &before {
            if !alarms.iter().any(|alarm| alarm.id == told.id) {
                self.note_alarm(told, AlarmChange::Cleared);
            }
        }
        self.alarms_told = alarms;
        self.tell_shown(now, told);
    }

    /// A plan has ended without anybody's doing: told once, by whoever notices first.
    pub(super) fn note_plan_ended(&mut self, PlanEnded { number, why }: &PlanEnded) {
        let by = self.facts.node.clone();
        self.note(Entry::Action { by, what: format!("plan {number} has ended"), outcome: why.clone() });
    }

    fn note_alarm(&mut self, alarm: &status::Alarm, change: AlarmChange) {
        let class = severity_of(alarm.class);
        self.note(Entry::Alarm { id: alarm.id.clone(), class, text: alarm.text.clone(), change });
    }

    fn around(&mut self, now: Instant) -> Around {
        while self.mode_changes.front().is_some_and(|at| now.since(*at) > FLAPPING_WITHIN) {
            self.mode_changes.pop_front();
        }
        self.refused.retain(|refused| now.since(refused.at) <= REFUSED_LATELY);
        let journal = self.journal.health();
        let mut processes = self.required.status();
        self.health.fill(&mut processes);
        Around {
            links: self.links.paths().iter().map(|path| self.link(path)).collect(),
            processes,
            fencing: self.fencing_status(now),
            guards: self.guards(),
            time: rfc3339(unix_ms()),
            hooks_failed: self.required.hooks_failed_lately(now),
            killed_by_guardian: self.required.killed_lately(now),
            nobody_acts_for: None,
            reply_timeout: self.facts.reply_timeout,
            boot_timeout: self.facts.boot_timeout,
            recent_changes: u32::try_from(self.mode_changes.len()).unwrap_or(u32::MAX),
            journal_lost: self.losses.lately(now, journal.lost),
            journal: if journal.failing.is_some() { JournalState::Failing } else { JournalState::Written },
            two_acted: self.two_acted.found().filter(|found| found.over.is_some()).map(|found| TwoThatActed {
                stopped: found.stops.name.clone(),
                goes_on: found.goes_on.name.clone(),
                at_most: found.at_most(now),
            }),
            still_act_with: self.two_acted.other_still(),
            refused_lately: self.refused.iter().map(|refused| (refused.kind, refused.from.clone())).collect(),
        }
    }

    /// What protects the group beside the fence devices.
    fn guards(&self) -> Guards {
        Guards { watchdog: self.watchdog.status(), ..self.facts.guards.clone() }
    }

    /// The status as of `now`.
    pub(super) fn compose(&mut self, now: Instant) -> Status {
        let mut view = self.negotiator.view(now);
        for peer in self.negotiator.settings().others() {
            self.peers[peer.index()].theirs.hold_against(&self.facts.name(peer), &mut view);
        }
        let around = self.around(now);
        let (links, processes, fencing) = (around.links.clone(), around.processes.clone(), around.fencing.clone());
        let alarms = self.desk.alarms(&view, around);
        let peers = self
            .negotiator
            .settings()
            .others()
            .map(|peer| {
                let facts = &self.peers[peer.index()];
                AroundPeer {
                    name: self.facts.name(peer),
                    version: facts.version.clone(),
                    replies: facts.replies.report(now),
                    attached: facts.theirs.shown.attached.clone(),
                    processes: facts.theirs.processes(now),
                }
            })
            .collect();
        let rejected = self.links.rejected();
        let surroundings = Surroundings {
            time: rfc3339(unix_ms()),
            address: self.facts.address.clone(),
            group: self.facts.group.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: self.facts.incarnation.0,
            links,
            peers,
            threshold: self.facts.threshold,
            sub_health: self.health.shown(),
            processes,
            fencing,
            guards: self.guards(),
            alarms,
            attached: self.desk.attached(),
            events: self.events.iter().cloned().collect(),
            plan: self.desk.plan(now),
            plan_elsewhere: self.others(now).plan_elsewhere.map(|plan| status::PlanElsewhere {
                node: plan.node,
                number: plan.number,
                title: plan.title,
            }),
            two_acted: self.two_acted.found().map(|found| two_acted(found, now)),
            query_interval: self.facts.query_interval,
            reply_timeout: self.facts.reply_timeout,
            loop_gaps: self.gaps.report(now),
            availability: Some(self.availability.report()),
            rejected: rejected
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(kind, count)| status::Rejected { kind: kind.word().to_owned(), count })
                .collect(),
        };
        compose(&view, &surroundings)
    }

    fn link(&self, path: &PathReport) -> status::Link {
        status::Link {
            peer: self.facts.name(path.peer),
            address: path.address.to_string(),
            state: match path.state {
                PathState::Up => LinkState::Up,
                PathState::Connecting => LinkState::Connecting,
                PathState::Down => LinkState::Down,
            },
            role: match path.role {
                PathRole::Server => LinkRole::Server,
                PathRole::Client => LinkRole::Client,
            },
            rtt_us: path.rtt.map(micros),
            last_heard_ms: path.last_heard.map(millis),
            since_ms: millis(path.since),
            reconnects: path.reconnects,
            encrypted: path.encrypted,
            why: path.why.clone(),
        }
    }

    /// What the plans look at beside the view: the other members' desks and screens, what runs, and the fence devices.
    pub(super) fn others(&self, now: Instant) -> Others {
        let mut others = Others {
            processes: self.required.status(),
            fencing: self.fencing_status(now),
            guards: self.guards(),
            ..Others::default()
        };
        for peer in self.negotiator.settings().others() {
            let name = self.facts.name(peer);
            let theirs = &self.peers[peer.index()].theirs;
            let shown = &theirs.shown;
            if let (None, Some((number, title))) = (&others.plan_elsewhere, &shown.plan) {
                others.plan_elsewhere =
                    Some(PlanElsewhere { node: name.clone(), number: *number, title: title.clone() });
            }
            let attached = shown.attached.iter().map(|who| (who.clone(), name.clone()));
            others.attached_elsewhere.extend(attached);
            others.theirs.push((name, theirs.processes(now)));
        }
        others
    }

    /// The link refused something: an entry, and for some kinds an alarm for a while.
    pub(super) fn rejected(&mut self, now: Instant, rejection: Rejection) {
        let kind = match rejection.kind {
            RejectionKind::WrongKey => Some(RefusedKind::WrongKey),
            RejectionKind::SecondInstance => Some(RefusedKind::SecondInstance),
            RejectionKind::TooLong
            | RejectionKind::Garbage
            | RejectionKind::WrongGroup
            | RejectionKind::WrongSecurity
            | RejectionKind::Version
            | RejectionKind::Stranger
            | RejectionKind::Misdirected
            | RejectionKind::Slow
            | RejectionKind::Flood
            | RejectionKind::Replay
            | RejectionKind::Unreadable
            | RejectionKind::UnknownName => Some(RefusedKind::Other),
            // A newer peer says more than this version knows (N17): nothing to look after.
            RejectionKind::UnknownType => None,
        };
        if let Some(kind) = kind {
            // The port changes with every attempt; the machine is what matters.
            let from = rejection.from.map(|from| from.ip().to_string());
            self.refused.retain(|refused| refused.kind != kind || refused.from != from);
            if self.refused.len() >= REFUSED_KEPT {
                self.refused.pop_front();
            }
            self.refused.push_back(RefusedTraffic { at: now, kind, from });
        }
        self.note(Entry::Rejected {
            what: rejection.kind.word().to_owned(),
            from: rejection.from.map(|from| from.to_string()),
            detail: rejection.detail,
            count: 1,
        });
    }
}

/// The story as the status shows it.
pub(super) fn two_acted(found: &Found, now: Instant) -> status::TwoActed {
    let member = |one: &One| status::Acted {
        name: one.name.clone(),
        term: one.term,
        since: one.since.map(|since| rfc3339(since.unix_ms)),
    };
    status::TwoActed {
        other: found.other.clone(),
        stops: member(&found.stops),
        goes_on: member(&found.goes_on),
        since: rfc3339(found.since.unix_ms),
        at_most_ms: millis(found.at_most(now)),
        over_for_ms: found.over.map(|over| millis(now.since(over.at))),
        steps: found
            .steps
            .iter()
            .map(|step| status::Step { time: rfc3339(step.stamp.unix_ms), text: step.text.clone() })
            .collect(),
    }
}

/// An alarm's class as the journal knows it.
pub(super) fn severity_of(class: AlarmClass) -> Severity {
    match class {
        AlarmClass::Alarm => Severity::Alarm,
        AlarmClass::Warning => Severity::Warning,
        AlarmClass::Note => Severity::Note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u13_losing_records_ends_as_an_alarm_some_time_after_the_last() {
        let at = |seconds: u64| Instant(seconds * 1_000_000_000);
        let mut losses = Losses::default();
        assert_eq!(losses.lately(at(1), 0), 0);
        assert_eq!(losses.lately(at(10), 3), 3);
        assert_eq!(losses.lately(at(600), 3), 3);
        assert_eq!(losses.lately(at(700), 3), 0);
        assert_eq!(losses.lately(at(701), 4), 4);
    }
}

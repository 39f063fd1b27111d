//! The desk: holds the one open plan, who is attached, how long alarms have stood and who has seen them.
//!
//! Pure: no I/O, no clock, no async. The node owns it beside the negotiator and asks it before anything that an operator
//! wants is done, so that the command line and every screen ask alike (screen.md, "Acting"; U2, U13).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::negotiation::time::Instant;
use crate::negotiation::view::View;

use super::alarms::{Alarm, Around, MOMENT, NOBODY_ACTS, Stands, Told, alarms_from};
use super::compose::judge;
use super::plan::{Action, LineState, Plan};
use super::plans::{Draft, Others, plan_for};
use super::request::Screen;
use super::status::{self, Judgement};
use super::who::Who;

/// A plan ends by itself after this long: it must not be confirmed by somebody who no longer sees what it says.
pub const PLAN_LASTS: Duration = Duration::from_secs(120);

/// Whether a confirmed plan is to be carried out although a line fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// Every line was met.
    No,
    /// A line fails, and the operator typed the name.
    Yes,
}

/// A plan has ended without being confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanEnded {
    /// Which.
    pub number: u32,
    /// Why, as a sentence without a full stop.
    pub why: String,
}

/// What a confirmed plan asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// The action.
    pub action: Action,
    /// By force or not.
    pub forced: Forced,
}

/// Identifies an attached screen until it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScreenId(u64);

#[derive(Debug)]
struct OpenPlan {
    number: u32,
    action: Action,
    by: String,
    opened: Instant,
    checked: Instant,
    draft: Draft,
}

#[derive(Debug)]
struct Standing {
    since: Instant,
    /// Whether it was shown to anybody: what settles by itself is not, for a while.
    told: bool,
    /// From when on it is.
    tell_at: Instant,
    seen: Option<status::Seen>,
}

/// See the module.
#[derive(Debug)]
pub struct Desk {
    node: String,
    next_number: u32,
    open: Option<OpenPlan>,
    standing: BTreeMap<String, Standing>,
    screens: BTreeMap<ScreenId, String>,
    next_screen: u64,
    nobody_since: Option<Instant>,
}

/// Plan numbers have two digits: 10 to 99, in turn.
const NUMBERS: u32 = 90;

impl Desk {
    /// An empty desk of the member `node`. `base` is any number, best a random one, so that a number from before a restart
    /// does not match by chance.
    pub fn new(node: &str, base: u32) -> Desk {
        Desk {
            node: node.to_owned(),
            next_number: base % NUMBERS,
            open: None,
            standing: BTreeMap::new(),
            screens: BTreeMap::new(),
            next_screen: 0,
            nobody_since: None,
        }
    }

    /// Opens a plan for `action`, or says why not, as sentences.
    pub fn open(
        &mut self,
        action: Action,
        by: &Who,
        view: &View,
        others: &Others,
        now: Instant,
    ) -> Result<Plan, String> {
        by.check_may_operate()?;
        // What has ended meanwhile does not stand in the way.
        let _ = self.refresh(view, others, now);
        if let Some(plan) = &others.plan_elsewhere {
            return Err(format!(
                "plan {} ({}) is open on {}: confirm it or leave it there first; it ends by itself after {} s",
                plan.number,
                plan.title,
                plan.node,
                PLAN_LASTS.as_secs()
            ));
        }
        if let Some(open) = &self.open {
            let left = (open.opened + PLAN_LASTS).since(now).as_secs();
            return Err(format!(
                "plan {} ({}) of {} is open: confirm it or leave it first; it ends by itself in {left} s",
                open.number, open.draft.title, open.by
            ));
        }
        let draft = plan_for(&action, view, others)?;
        let number = 10 + self.next_number;
        self.next_number = (self.next_number + 1) % NUMBERS;
        let open = OpenPlan { number, action, by: by.name().to_owned(), opened: now, checked: now, draft };
        let plan = self.shown(&open, now);
        self.open = Some(open);
        Ok(plan)
    }

    /// Confirms the open plan by its number. It is checked again first: one that worsened ends. A wrong number or name is
    /// refused and closes nothing. Whoever may operate can confirm it, not only who opened it.
    pub fn confirm(
        &mut self,
        number: u32,
        force: Option<&str>,
        by: &Who,
        view: &View,
        others: &Others,
        now: Instant,
    ) -> Result<Confirmed, String> {
        by.check_may_operate()?;
        if let Some(PlanEnded { number, why }) = self.refresh(view, others, now) {
            return Err(format!("plan {number} has ended: {why}; nothing has been done"));
        }
        let Some(open) = &self.open else {
            return Err(format!("there is no plan {number}: it has ended; nothing has been done"));
        };
        if open.number != number {
            return Err(format!("{number} is not the number of the open plan; nothing has been done"));
        }
        let forced = match (&open.draft.force, force) {
            (None, _) => Forced::No,
            (Some(needed), Some(typed)) if typed == needed.by_typing => Forced::Yes,
            (Some(needed), _) => {
                return Err(format!(
                    "a line of plan {number} fails: it can only be forced, by typing {}; nothing has been done",
                    needed.by_typing
                ));
            }
        };
        let action = open.action.clone();
        self.open = None;
        Ok(Confirmed { action, forced })
    }

    /// Closes the open plan.
    pub fn abandon(&mut self, number: u32, by: &Who) -> Result<(), String> {
        by.check_may_operate()?;
        match &self.open {
            Some(open) if open.number == number => {
                self.open = None;
                Ok(())
            }
            Some(_) | None => Err(format!("there is no plan {number}: it has ended")),
        }
    }

    /// Looks again whether the open plan still stands. Says why when it has just ended: it is too old, a line of it changed
    /// for the worse, or another member's plan goes first.
    pub fn refresh(&mut self, view: &View, others: &Others, now: Instant) -> Option<PlanEnded> {
        let open = self.open.as_mut()?;
        let number = open.number;
        let why = if now >= open.opened + PLAN_LASTS {
            Some(format!("it was open for {} s", PLAN_LASTS.as_secs()))
        } else if let Some(other) = others.plan_elsewhere.as_ref().filter(|other| other.node < self.node) {
            // Two were opened in the same moment: both desks see both, and the names decide alike on both.
            Some(format!("plan {} of {} was opened in the same moment", other.number, other.node))
        } else {
            match plan_for(&open.action, view, others) {
                Err(why) => Some(why),
                Ok(draft) => match worse(&open.draft, &draft) {
                    Some(what) => Some(what),
                    None => {
                        open.draft = draft;
                        open.checked = now;
                        None
                    }
                },
            }
        };
        let why = why?;
        self.open = None;
        Some(PlanEnded { number, why })
    }

    /// The open plan as it was last checked.
    pub fn plan(&self, now: Instant) -> Option<Plan> {
        self.open.as_ref().map(|open| self.shown(open, now))
    }

    /// When to look again without any other cause: [`Desk::refresh`], then [`Desk::alarms`] for a new status. Both
    /// together move it on.
    pub fn next_deadline(&self, boot_timeout: Duration) -> Option<Instant> {
        let plan = self.open.as_ref().map(|open| open.opened + PLAN_LASTS);
        // Once the alarm stands, time alone changes nothing. One nanosecond more, because it asks for longer than the time.
        let waiting = self.nobody_since.filter(|_| !self.standing.contains_key(NOBODY_ACTS));
        let waiting = waiting.map(|since| since + boot_timeout.saturating_sub(MOMENT));
        let settling = self.standing.values().filter(|standing| !standing.told).map(|standing| standing.tell_at);
        let alarm = waiting.into_iter().chain(settling).min();
        let alarm = alarm.map(|at| at + Duration::from_nanos(1));
        [plan, alarm].into_iter().flatten().min()
    }

    /// For how long nobody has been known to act; none while somebody is. To be asked whenever the view changes, so that
    /// the beginning is not missed.
    pub fn nobody_acts_for(&mut self, view: &View) -> Option<Duration> {
        match judge(view) {
            Judgement::NobodyActs => Some(view.now.since(*self.nobody_since.get_or_insert(view.now))),
            Judgement::OneActs | Judgement::OneActsOtherUnknown | Judgement::TwoAct => {
                self.nobody_since = None;
                None
            }
        }
    }

    /// What is wrong now, worst class first; within a class what stands before what is over, then what began first;
    /// `around.nobody_acts_for` is filled in here. What is over is gone without being cleared; what settles by itself is only told when it has not.
    pub fn alarms(&mut self, view: &View, mut around: Around) -> Vec<status::Alarm> {
        around.nobody_acts_for = self.nobody_acts_for(view);
        let (found, boot_timeout) = (alarms_from(view, &around), around.boot_timeout);
        let ids: Vec<String> = found.iter().map(Alarm::id).collect();
        self.standing.retain(|id, _| ids.contains(id));
        let mut alarms: Vec<(Stands, Instant, status::Alarm)> = Vec::new();
        for (alarm, id) in found.iter().zip(ids) {
            let tell_at = view.now + alarm.told().after(boot_timeout);
            let new = Standing { since: view.now, told: false, tell_at, seen: None };
            let standing = self.standing.entry(id.clone()).or_insert(new);
            let settling = match alarm.told() {
                Told::AtOnce => false,
                Told::AfterAMoment | Told::AfterBootTimeout => view.now <= standing.tell_at,
            };
            if settling && !standing.told {
                continue;
            }
            standing.told = true;
            let words = alarm.words();
            let shown = status::Alarm {
                id,
                class: alarm.class(),
                text: words.text,
                first: words.first,
                then: words.then,
                do_not: words.do_not,
                since_ms: u64::try_from(view.now.since(standing.since).as_millis()).unwrap_or(u64::MAX),
                seen: standing.seen.clone(),
            };
            alarms.push((alarm.stands(), standing.since, shown));
        }
        // Stable: causes that began together keep the order in which they were found.
        alarms.sort_by_key(|(stands, since, alarm)| (alarm.class, *stands, *since));
        alarms.into_iter().map(|(_, _, alarm)| alarm).collect()
    }

    /// Marks every standing alarm as seen that nobody has seen yet. `time` is RFC 3339. Returns how many there were.
    pub fn seen(&mut self, by: &Who, time: &str) -> usize {
        let unseen = self.standing.values_mut().filter(|standing| standing.told && standing.seen.is_none());
        unseen
            .map(|standing| standing.seen = Some(status::Seen { by: by.name().to_owned(), time: time.to_owned() }))
            .count()
    }

    /// A screen is attached from now on.
    pub fn attach(&mut self, who: &Who, screen: Screen) -> ScreenId {
        let id = ScreenId(self.next_screen);
        self.next_screen += 1;
        self.screens.insert(id, screen.called(who.name()));
        id
    }

    /// A screen has left.
    pub fn detach(&mut self, screen: ScreenId) {
        self.screens.remove(&screen);
    }

    /// Who looks at a screen of this member, in the order of attaching.
    pub fn attached(&self) -> Vec<String> {
        self.screens.values().cloned().collect()
    }

    fn shown(&self, open: &OpenPlan, now: Instant) -> Plan {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let draft = open.draft.clone();
        Plan {
            number: open.number,
            action: open.action.clone(),
            title: draft.title,
            node: self.node.clone(),
            steps: draft.steps,
            nobody_acts: draft.nobody_acts,
            two_acting: draft.two_acting,
            may_be_lost: draft.may_be_lost,
            if_it_fails: draft.if_it_fails,
            to_go_back: draft.to_go_back,
            rests_on: draft.rests_on,
            force_by_typing: draft.force.as_ref().map(|force| force.by_typing.clone()),
            risk: draft.force.map(|force| force.risk),
            by: open.by.clone(),
            checked_ms: ms(now.since(open.checked)),
            expires_ms: ms((open.opened + PLAN_LASTS).since(now)),
        }
    }
}

/// What is worse in `now` than in `before`, in a few words; none when nothing is. A line that only became better, or
/// whose numbers moved, is not.
fn worse(before: &Draft, now: &Draft) -> Option<String> {
    if before.title != now.title {
        return Some(format!("it was for \"{}\", and now it would be \"{}\"", before.title, now.title));
    }
    let failing = |draft: &Draft| draft.rests_on.iter().filter(|line| line.state == LineState::No).count();
    if before.force.is_none() && now.force.is_some() || failing(now) > failing(before) {
        let new = now.rests_on.iter().find(|line| line.state == LineState::No && !before.rests_on.contains(line));
        let what = new.map_or("a line of it", |line| line.text.as_str());
        return Some(format!("a line changed for the worse: {what}"));
    }
    let pairs = before.rests_on.iter().zip(&now.rests_on);
    let same_lines = before.rests_on.len() == now.rests_on.len();
    let fell = pairs.filter(|(a, b)| a.state == LineState::Ok && b.state != LineState::Ok).map(|(_, b)| b).next();
    if let Some(line) = fell.filter(|_| same_lines) {
        return Some(format!("a line changed for the worse: {}", line.text));
    }
    (before.two_acting != now.two_acting && before.two_acting.contains("cannot happen"))
        .then(|| now.two_acting.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests;

//! What operators ask: plans, confirmations, pings, statuses. The desk judges them, the negotiation carries them out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::control::desk::{Confirmed, Forced};
use crate::control::plan::Action;
use crate::control::request::Outcome;
use crate::control::to_node::{ToNode, Watching};
use crate::control::who::Who;
use crate::journal::Entry;
use crate::journal::entry::AlarmChange;
use crate::link::{Shown, ShownProcess};
use crate::negotiation::event::hold_time;
use crate::negotiation::exchange::{Command, CommandOutcome, Input, StopCause};
use crate::negotiation::member::MemberId;
use crate::negotiation::message::Mode;
use crate::negotiation::time::Instant;

use super::clock::{rfc3339, unix_ms};
use super::engine::{Awaited, Engine, News};
use super::gaps::millis;
use super::processes::operation;

impl Engine {
    pub(super) fn ask(&mut self, now: Instant, ask: ToNode) {
        match ask {
            ToNode::Status(reply) => {
                let status = self.compose(now);
                // Who asked may have left; then nobody misses the answer.
                let _ = reply.send(Arc::new(status));
            }
            ToNode::Watch { who, screen, reply } => {
                let screen = screen.map(|screen| self.desk.attach(&who, screen));
                let status = Arc::new(self.compose(now));
                let statuses = self.statuses.get_or_insert_with(|| watch::Sender::new(Arc::clone(&status)));
                statuses.send_replace(status);
                let watching = Watching { statuses: statuses.subscribe(), screen };
                if reply.send(watching).is_err()
                    && let Some(screen) = screen
                {
                    self.desk.detach(screen);
                }
                self.news = News::Urgent;
            }
            ToNode::Unwatch(screen) => {
                self.desk.detach(screen);
                self.news = News::Urgent;
            }
            ToNode::Open { action, who, reply } => {
                let (view, others) = (self.negotiator.view(now), self.others(now));
                // One that has ended meanwhile does not stand in the way.
                if let Some(ended) = self.desk.refresh(&view, &others, now) {
                    self.note_plan_ended(&ended);
                }
                let opened = self.desk.open(action, &who, &view, &others, now);
                if let Ok(plan) = &opened {
                    let what = format!("opened plan {}: {}", plan.number, plan.title);
                    self.note_action(&who, what, "waits to be confirmed");
                }
                self.news = News::Urgent;
                let _ = reply.send(opened);
            }
            ToNode::Confirm { plan, force, who, reply } => self.confirm(now, plan, force.as_deref(), who, reply),
            ToNode::Abandon { plan, who, reply } => {
                let done = self.desk.abandon(plan, &who);
                if done.is_ok() {
                    self.note_action(&who, format!("left plan {plan}"), "nothing has been done");
                }
                self.news = News::Urgent;
                let _ = reply.send(done);
            }
            ToNode::FencePreview { peer, reply } => self.fencing.preview(&peer, reply),
            ToNode::Reload { who, reply } => self.begin_reload(who, reply),
            ToNode::Seen { who, reply } => {
                let done = who.check_may_operate();
                if done.is_ok() {
                    self.desk.seen(&who, &rfc3339(unix_ms()));
                    self.note_seen(&who);
                }
                self.news = News::Urgent;
                let _ = reply.send(done);
            }
            ToNode::Ping { peer, count, interval, accepted, pongs } => {
                let targets = match self.ping_targets(peer.as_deref()) {
                    Ok(targets) => targets,
                    Err(why) => {
                        let _ = accepted.send(Err(why));
                        return;
                    }
                };
                let started = self.pings.start(now, targets, count, interval.max(Duration::from_millis(1)), pongs);
                let _ = accepted.send(started);
            }
        }
    }

    fn ping_targets(&self, peer: Option<&str>) -> Result<Vec<(MemberId, String)>, String> {
        let others: Vec<MemberId> = self.negotiator.settings().others().collect();
        match peer {
            None => Ok(others.into_iter().map(|peer| (peer, self.facts.name(peer))).collect()),
            Some(name) => match self.facts.member(name).filter(|peer| others.contains(peer)) {
                Some(peer) => Ok(vec![(peer, name.to_owned())]),
                None => {
                    let names: Vec<String> = others.into_iter().map(|peer| self.facts.name(peer)).collect();
                    Err(format!("there is no other member called {name:?}; there is {}", names.join(", ")))
                }
            },
        }
    }

    fn confirm(
        &mut self,
        now: Instant,
        plan: u32,
        force: Option<&str>,
        who: Who,
        reply: oneshot::Sender<Result<Outcome, String>>,
    ) {
        let view = self.negotiator.view(now);
        if self.awaited.is_some() {
            let _ = reply.send(Err("another command is under way; nothing has been done".to_owned()));
            return;
        }
        let others = self.others(now);
        if let Some(ended) = self.desk.refresh(&view, &others, now) {
            self.note_plan_ended(&ended);
            self.news = News::Urgent;
            let _ = reply.send(Err(format!("plan {} has ended: {}; nothing has been done", ended.number, ended.why)));
            return;
        }
        let confirmed = match self.desk.confirm(plan, force, &who, &view, &others, now) {
            Ok(confirmed) => confirmed,
            Err(why) => {
                self.news = News::Urgent;
                let _ = reply.send(Err(why));
                return;
            }
        };
        let what = action_words(&confirmed);
        // With its number: who has the plan open on another screen is told what became of it by these words.
        self.note_action(&who, format!("plan {plan}: {what}"), "confirmed by hand");
        let action = confirmed.action.clone();
        self.awaited = Some(Awaited { reply, by: who.name().to_owned(), action, what, since: now });
        let by = who.operator();
        let force = confirmed.forced == Forced::Yes;
        match confirmed.action {
            Action::TakeOver => self.feed(now, Input::Command(Command::TakeOver { by, force })),
            Action::StepDown => self.feed(now, Input::Command(Command::StepDown { by, force })),
            Action::Hold { for_ms } => {
                let lasts = Duration::from_millis(for_ms);
                self.feed(now, Input::Command(Command::Hold { by, lasts, unix_ms: unix_ms() }));
            }
            Action::Resume => self.feed(now, Input::Command(Command::Resume { by, unix_ms: unix_ms() })),
            Action::Fence { peer } => match self.facts.member(&peer) {
                Some(peer) => self.feed(now, Input::Command(Command::Fence { peer, by })),
                None => self.not_done(format!("there is no member called {peer}")),
            },
            Action::IsOff { peer } => match self.facts.member(&peer) {
                Some(peer) => self.feed(now, Input::Command(Command::IsOff { peer, by })),
                None => self.not_done(format!("there is no member called {peer}")),
            },
            action @ (Action::RestartProcess { .. } | Action::StopProcess { .. } | Action::StartProcess { .. }) => {
                if let Some((name, operation)) = operation(&action) {
                    self.operate_process(name, operation);
                }
            }
            Action::Shutdown => self.stop(now, StopCause::Operator, format!("{} shut it down", who.name())),
        }
    }

    /// The negotiation says what came of the operator's command.
    pub(super) fn command_done(&mut self, now: Instant, outcome: CommandOutcome) {
        let Some(awaited) = self.awaited.take() else { return };
        let node = self.facts.node.clone();
        let mode = self.negotiator.mode_and_term().0;
        let after = millis(now.since(awaited.since));
        let done = |text: String| Ok(Outcome::Done { text });
        let not_done = |text: String| Ok(Outcome::NotDone { text });
        let result = match outcome {
            CommandOutcome::Done => done(match &awaited.action {
                Action::Hold { .. } | Action::Resume => self.hold_in_words(now),
                Action::TakeOver | Action::StepDown | Action::Shutdown => self.roles_in_words(now, after),
                Action::Fence { peer } => format!("{peer} is off, after {after} ms: its fence device says so"),
                Action::IsOff { peer } => format!("{peer} counts as off, by the word of {}", awaited.by),
                Action::RestartProcess { name } => format!("{name} was restarted, after {after} ms"),
                Action::StopProcess { name } => format!("{name} is stopped, after {after} ms"),
                Action::StartProcess { name } => format!("{name} runs, after {after} ms"),
            }),
            CommandOutcome::AlreadySo => done(match &awaited.action {
                Action::IsOff { peer } | Action::Fence { peer } => format!("nothing to do: {peer} is off already"),
                Action::TakeOver
                | Action::StepDown
                | Action::Hold { .. }
                | Action::Resume
                | Action::Shutdown
                | Action::RestartProcess { .. }
                | Action::StopProcess { .. }
                | Action::StartProcess { .. } => format!("nothing to do: {node} is {} already", mode.word()),
            }),
            CommandOutcome::Refused { peer, refusal } => not_done(format!("{peer} refused: {}", refusal.text())),
            CommandOutcome::TimedOut { missing } => {
                not_done(format!("{node} is {} still, after {after} ms: {missing}", mode.word()))
            }
            CommandOutcome::Impossible { why } => not_done(why),
        };
        self.answer(awaited, result);
    }

    /// What was confirmed cannot be done.
    fn not_done(&mut self, text: String) {
        if let Some(awaited) = self.awaited.take() {
            self.answer(awaited, Ok(Outcome::NotDone { text }));
        }
    }

    fn hold_in_words(&self, now: Instant) -> String {
        let Some(hold) = self.negotiator.view(now).hold else {
            return "automatic takeovers are free again".to_owned();
        };
        let time = hold_time(hold.until.since(now));
        let not_told: Vec<&str> = hold.not_told.iter().map(|name| name.as_str()).collect();
        if not_told.is_empty() {
            format!("the group is held for {time}")
        } else {
            format!("the group is held for {time}; not told yet: {}", not_told.join(", "))
        }
    }

    fn roles_in_words(&self, now: Instant, after_ms: u64) -> String {
        let node = &self.facts.node;
        let view = self.negotiator.view(now);
        let other = view.peers.iter().find(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary));
        match (view.mode, other) {
            (Mode::Primary, _) => format!("{node} is Primary, term {}, after {after_ms} ms", view.term),
            (Mode::Secondary, Some(peer)) => {
                format!("{node} is Secondary, {} is Primary, term {}, after {after_ms} ms", peer.name, peer.term)
            }
            (Mode::Secondary, None) => format!("{node} is Secondary, after {after_ms} ms; nobody acts"),
        }
    }

    /// Tells who waits, and the journal.
    pub(super) fn answer(&mut self, awaited: Awaited, result: Result<Outcome, String>) {
        let text = match &result {
            Ok(Outcome::Done { text } | Outcome::NotDone { text } | Outcome::NotKnownYet { text }) => text.clone(),
            Err(why) => why.clone(),
        };
        self.note(Entry::Action { by: awaited.by, what: awaited.what, outcome: text });
        let _ = awaited.reply.send(result);
    }

    pub(super) fn note_action(&mut self, who: &Who, what: String, outcome: &str) {
        self.note(Entry::Action { by: who.name().to_owned(), what, outcome: outcome.to_owned() });
    }

    fn note_seen(&mut self, who: &Who) {
        for alarm in std::mem::take(&mut self.alarms_told) {
            if alarm.seen.is_none() {
                let class = super::around::severity_of(alarm.class);
                let change = AlarmChange::Seen { by: who.name().to_owned() };
                self.note(Entry::Alarm { id: alarm.id.clone(), class, text: alarm.text.clone(), change });
            }
            self.alarms_told.push(alarm);
        }
    }

    /// What the peers' screens should know of this one, when it changed.
    pub(super) fn tell_shown(&mut self, now: Instant, processes: Vec<ShownProcess>) {
        // With who opened it: that is asked first, when somebody else's plan stands in the way.
        let plan = self.desk.plan(now).map(|plan| (plan.number, format!("{}, opened by {}", plan.title, plan.by)));
        let dead_devices = self.fencing.dead_devices();
        let shown = Shown { attached: self.desk.attached(), plan, processes, dead_devices };
        if shown == self.shown_told {
            return;
        }
        for peer in self.negotiator.settings().others() {
            self.links.send_shown(peer, &shown);
        }
        self.shown_told = shown;
    }

    /// What another member's screens show.
    pub(super) fn hear_shown(&mut self, now: Instant, peer: MemberId, shown: Shown) {
        let before = self.peers[peer.index()].theirs.heard(now, shown);
        let now_open = &self.peers[peer.index()].theirs.shown.plan;
        if let (Some((number, title)), true) = (now_open, before.plan != *now_open) {
            let by = self.facts.name(peer);
            let what = format!("plan {number} is open at {by}: {title}");
            self.note(Entry::Action { by, what, outcome: "waits to be confirmed there".to_owned() });
        }
        self.news = News::Urgent;
    }
}

fn action_words(confirmed: &Confirmed) -> String {
    let forced = match confirmed.forced {
        Forced::Yes => ", by force",
        Forced::No => "",
    };
    match &confirmed.action {
        Action::TakeOver => format!("take over{forced}"),
        Action::StepDown => format!("step down{forced}"),
        Action::Hold { for_ms } => format!("hold for {}", hold_time(Duration::from_millis(*for_ms))),
        Action::Resume => "resume".to_owned(),
        Action::Shutdown => format!("shut down{forced}"),
        Action::Fence { peer } => format!("fence {peer}{forced}"),
        Action::IsOff { peer } => format!("{peer} is off, I looked"),
        Action::RestartProcess { name } => format!("restart {name}"),
        Action::StopProcess { name } => format!("stop {name}"),
        Action::StartProcess { name } => format!("start {name}"),
    }
}

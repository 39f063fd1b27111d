//! The loop: waits for a fact or a deadline, compares when it woke with when it meant to, gives the facts to the
//! negotiation and carries out what it wants, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::arbiter::ArbiterEvent;
use crate::control::desk::Desk;
use crate::control::plan::Action;
use crate::control::request::Outcome;
use crate::control::status::{self, Status};
use crate::control::to_node::ToNode;
use crate::fence::FenceEvent;
use crate::journal::{Entry, Journal, Recorder};
use crate::link::{LinkEvent, Links, Shown};
use crate::negotiation::Negotiator;
use crate::negotiation::decision::{Decision, Rule};
use crate::negotiation::event::{Event, Severity};
use crate::negotiation::exchange::{Input, Output, StopCause};
use crate::negotiation::member::Name;
use crate::negotiation::message::Message;
use crate::negotiation::time::Instant;
use crate::process::ProcessEvent;

use super::arbiter::{self, Arbitration};
use super::around::Facts;
use super::availability::Availability;
use super::clock::{Clocks, rfc3339, unix_ms};
use super::fencing::Fencing;
use super::gaps::{self, Gaps};
use super::health::{Figures, Health, HealthInlet};
use super::pings::Pings;
use super::processes::Required;
use super::publication::Publication;
use super::reference::{Reference, ReferenceAnswer};
use super::reload::{Loaded, Running};
use super::replies::Replies;
use super::signals::Signals;
use super::state::{Stall, StateReport, StateWriter};
use super::supervisor::Supervisor;
use super::theirs::Theirs;
use super::two_acted::{Stamp, TwoActed};
use super::watchdog::{Watchdog, WatchdogReport};

/// Events that the status shows.
const SHOWN_EVENTS: usize = 100;

/// Facts that one turn takes from the link before it looks at the time again.
const FACTS_A_TURN: usize = 256;

/// How long the end may wait for the disk, beside what processes need to stop, before it goes on without.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// What the loop knows of a peer beside what the negotiation knows.
#[derive(Debug, Default)]
pub struct PeerFacts {
    pub version: Option<String>,
    pub replies: Replies,
    pub theirs: Theirs,
}

/// An operator's confirmed command whose outcome somebody waits for.
#[derive(Debug)]
pub struct Awaited {
    pub reply: oneshot::Sender<Result<Outcome, String>>,
    pub by: String,
    pub action: Action,
    pub what: String,
    pub since: Instant,
}

/// Why the loop woke.
enum Woke {
    Link(LinkEvent),
    State(StateReport),
    Process(ProcessEvent),
    Fence(FenceEvent),
    Arbiter(ArbiterEvent),
    Reference(ReferenceAnswer),
    Watchdog(WatchdogReport),
    Health(Figures),
    Ask(ToNode),
    Loaded(Box<Loaded>),
    Stop,
    Time,
    Ended,
}

/// What comes in.
pub struct Inlets {
    pub link: mpsc::Receiver<LinkEvent>,
    pub state: mpsc::Receiver<StateReport>,
    pub processes: mpsc::Receiver<ProcessEvent>,
    pub fence: mpsc::Receiver<FenceEvent>,
    /// None: there is no arbiter.
    pub arbiter: Option<mpsc::Receiver<ArbiterEvent>>,
    pub reference: mpsc::Receiver<ReferenceAnswer>,
    pub watchdog: mpsc::Receiver<WatchdogReport>,
    pub health: HealthInlet,
    pub asks: mpsc::Receiver<ToNode>,
    /// Configurations that were read again.
    pub loaded: mpsc::Receiver<Box<Loaded>>,
    pub signals: Signals,
}

/// The one owner of this controller's state.
pub struct Engine {
    pub facts: Facts,
    pub clocks: Clocks,
    pub negotiator: Negotiator,
    pub links: Links,
    pub journal: Journal,
    /// How available the group is, counted from the journal's records (H8).
    pub availability: Availability,
    /// What the negotiation is told, for a replay (U5).
    pub recorder: Recorder,
    pub state: StateWriter,
    /// Whether the disk keeps the state waiting.
    pub stall: Stall,
    pub required: Required,
    pub health: Health,
    pub supervisor: Supervisor,
    /// What resets the machine when this loop hangs (S4).
    pub watchdog: Watchdog,
    pub desk: Desk,
    pub fencing: Fencing,
    pub arbitration: Arbitration,
    /// The addresses that answer while the network is there (S1).
    pub reference: Reference,
    pub running: Running,
    pub pings: Pings,
    pub gaps: Gaps,
    pub peers: Vec<PeerFacts>,
    pub events: VecDeque<status::Event>,
    /// Where watchers look; made for the first of them.
    pub statuses: Option<watch::Sender<Arc<Status>>>,
    pub awaited: Option<Awaited>,
    pub mode_changes: VecDeque<Instant>,
    pub refused: VecDeque<super::around::RefusedTraffic>,
    /// How it came to two that acted, while that is told.
    pub two_acted: TwoActed,
    /// Alarms that the journal knows as standing: id, class, text.
    pub alarms_told: Vec<status::Alarm>,
    pub losses: super::around::Losses,
    pub shown_told: Shown,
    pub outputs: Vec<Output>,
    /// Something happened that people may want to see, since the last publication.
    pub news: News,
    /// When that is told to those who watch.
    pub publication: Publication,
    pub silent_paths: super::around::SilentPaths,
    pub stopping: Option<(Instant, String)>,
    pub stopped: bool,
    pub state_failing: bool,
    /// The desk's latest deadline that was looked at.
    pub desk_due: Option<Instant>,
}

/// How urgently watchers want a new status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// Nothing has changed.
    None,
    /// A reply, an age.
    Routine,
    /// A mode, a link, an alarm, a plan: as soon as what follows from it is gathered; and alarms and plans are looked at
    /// again.
    Urgent,
}

impl Engine {
    /// Turns until the controller has stopped, from `begin` on, when the negotiation booted. Returns why it stopped.
    pub async fn run(&mut self, begin: Instant, inlets: &mut Inlets) -> anyhow::Result<String> {
        let mut now = begin;
        loop {
            self.after_turn(now);
            if let Some(why) = self.ended(now) {
                return Ok(why);
            }
            // What is due already makes the next turn come at once; it does not make it late.
            let planned = self.next_deadline(now).map(|planned| planned.max(now));
            let wait = planned.map_or(Duration::from_secs(60), |planned| planned.since(now));
            let woke = tokio::select! {
                biased;
                event = inlets.link.recv() => event.map_or(Woke::Ended, Woke::Link),
                report = inlets.state.recv() => report.map_or(Woke::Ended, Woke::State),
                event = inlets.processes.recv() => event.map_or(Woke::Ended, Woke::Process),
                event = inlets.fence.recv(), if self.fencing.has_devices() => event.map_or(Woke::Ended, Woke::Fence),
                event = arbiter::next(&mut inlets.arbiter) => event.map_or(Woke::Ended, Woke::Arbiter),
                answer = inlets.reference.recv() => answer.map_or(Woke::Ended, Woke::Reference),
                report = inlets.watchdog.recv(), if self.watchdog.is_there() => report.map_or(Woke::Ended, Woke::Watchdog),
                figures = inlets.health.next() => Woke::Health(figures),
                () = inlets.signals.stop() => Woke::Stop,
                ask = inlets.asks.recv() => ask.map_or(Woke::Ended, Woke::Ask),
                loaded = inlets.loaded.recv() => loaded.map_or(Woke::Ended, Woke::Loaded),
                () = tokio::time::sleep(wait) => Woke::Time,
            };
            let look = self.clocks.look()?;
            // First read what already lies in the sockets: a turn of the other tasks, with the readiness of every socket
            // looked at in between.
            let turns = match (gaps::late(planned, look.now), &woke) {
                (Some(_), _) => 3,
                (None, Woke::Time) => 1,
                (None, _) => 0,
            };
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            if look.real_jump_ms.abs() >= 1000 {
                self.note(Entry::ClockSet { by_ms: look.real_jump_ms });
            }
            now = self.clocks.now()?;
            if let Some(late) = gaps::late_at_last(planned, look.now, now) {
                self.gaps.note(now, late);
                self.feed(now, Input::Late { by: late });
            }
            match woke {
                Woke::Link(event) => self.link_event(now, event),
                Woke::State(report) => self.state_report(now, report),
                Woke::Process(event) => self.process_event(now, event),
                Woke::Fence(event) => self.fence_event(now, event),
                Woke::Arbiter(event) => self.arbiter_event(now, event),
                Woke::Reference(ReferenceAnswer { asked_at, answered }) => {
                    self.feed(now, Input::Reference { asked_at, answered });
                }
                Woke::Watchdog(report) => self.watchdog_report(report),
                Woke::Health(figures) => self.health_figures(now, figures),
                Woke::Ask(ask) => self.ask(now, ask),
                Woke::Loaded(loaded) => self.loaded(now, *loaded, &mut inlets.fence, &mut inlets.health),
                Woke::Stop => self.stop(now, StopCause::Signal, "a signal asked it to".to_owned()),
                Woke::Time => {}
                Woke::Ended => anyhow::bail!("a part of the controller ended by itself; its last words are in the log"),
            }
            for _ in 0..FACTS_A_TURN {
                let Ok(event) = inlets.link.try_recv() else { break };
                self.link_event(now, event);
            }
            while let Ok(report) = inlets.state.try_recv() {
                self.state_report(now, report);
            }
            self.look_at_the_disk(now);
            while let Ok(event) = inlets.processes.try_recv() {
                self.process_event(now, event);
            }
            if self.negotiator.next_deadline().is_some_and(|deadline| deadline <= now) {
                self.feed(now, Input::Tick);
                self.news = self.news.max(News::Routine);
            }
            let timeout = self.facts.reply_timeout;
            for due in self.pings.due(now, timeout) {
                if !self.links.ping(due.peer, due.id) {
                    self.pings.not_sent(due.id);
                }
            }
            self.supervisor.alive(now);
            self.pet_watchdog(now);
            self.sample_health(now);
            self.renew_right(now);
        }
    }

    /// Why the controller has ended, once everything is said or the disk's time is over.
    fn ended(&mut self, now: Instant) -> Option<String> {
        let (since, why) = self.stopping.clone()?;
        if !self.stopped {
            if now < self.stop_deadline(since) {
                return None;
            }
            let text = "the disk did not confirm in time; stopped without".to_owned();
            self.note(Entry::Fault { part: "state".to_owned(), text });
        }
        Some(why)
    }

    /// When a controller that was told to stop at `since` ends whatever is still open: what runs has had its time then,
    /// and a promise that an operator's force broke is over.
    fn stop_deadline(&self, since: Instant) -> Instant {
        let stopped = since + self.required.longest_stop();
        self.negotiator.releases_at().map_or(stopped, |at| stopped.max(at)) + STOP_PATIENCE
    }

    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let stop = self.stopping.as_ref().map(|(since, _)| self.stop_deadline(*since));
        [
            self.negotiator.next_deadline(),
            // One that is over was looked at in the turn that just ended.
            self.desk.next_deadline(self.facts.boot_timeout).filter(|deadline| *deadline > now),
            self.pings.next_deadline(),
            self.supervisor.next_deadline(),
            self.stall.deadline(),
            self.watchdog.next_deadline(),
            self.renewal_due(now),
            self.health.next_deadline(),
            self.publication.next(),
            stop,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Begins the end: hands over if it should (N18), then [`Output::Stopped`] follows.
    pub fn stop(&mut self, now: Instant, cause: StopCause, why: String) {
        if self.stopping.is_some() {
            return;
        }
        self.supervisor.stopping();
        self.stopping = Some((now, why));
        self.feed(now, Input::Stop { cause });
    }

    /// Gives a fact to the negotiation and carries out what it wants.
    pub fn feed(&mut self, now: Instant, input: Input) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.recorder.fed(now, &input, &self.negotiator);
        self.negotiator.handle(now, input, &mut outputs);
        // Before any of them is carried out, which may tell the machine the next thing already.
        for output in &outputs {
            self.recorder.told(output);
        }
        let mut stopped = false;
        for output in outputs.drain(..) {
            if let Output::StopServing { by } = output {
                stopped |= self.stop_serving(by);
            } else {
                self.carry_out(now, output);
            }
        }
        self.outputs = outputs;
        if stopped {
            self.feed(now, Input::ServingStopped);
        }
    }

    fn carry_out(&mut self, now: Instant, output: Output) {
        match output {
            Output::Send { to, message } => {
                if matches!(message, Message::Query(_)) {
                    self.peers[to.index()].replies.asked();
                }
                self.links.send(to, &message);
            }
            Output::Write { version, state } => {
                self.stall.asked(version, now);
                self.state.write(version, state);
            }
            Output::ModeChanged(decision) => self.mode_changed(now, decision),
            Output::TakingOver(decision) => self.note(Entry::TakingOver(decision)),
            Output::Event(event) => {
                self.remember_silence(now, &event);
                self.two_acted.event(stamp(now), &self.facts.node, &event);
                self.note(Entry::Event(event));
            }
            Output::AskArbiter { asked_at, call, within } => self.arbitration.ask(asked_at, call, within),
            Output::AskReference { asked_at, within } => self.reference.ask(asked_at, within),
            Output::Fence { peer, why: _ } => self.begin_fencing(now, peer),
            // Its answer follows when all outputs are carried out.
            Output::StopServing { .. } => {}
            Output::CommandDone(outcome) => self.command_done(now, outcome),
            Output::Stopped => {
                self.stopped = true;
                if let Some(awaited) = self.awaited.take() {
                    let text = format!("{} has stopped", self.facts.node);
                    self.answer(awaited, Ok(Outcome::Done { text }));
                }
            }
        }
    }

    fn mode_changed(&mut self, now: Instant, decision: Decision) {
        self.supervisor.status(&decision.text());
        let protection = self.negotiator.view(now).protection;
        let protection: Vec<&str> = protection.iter().map(|one| one.word()).collect();
        self.two_acted.mode_changed(stamp(now), &self.facts.node, &protection.join(" + "), &decision);
        if decision.rule.is_automatic() {
            self.mode_changes.push_back(now);
        }
        self.note(Entry::Decision(decision));
        self.processes_follow(now);
    }

    fn remember_silence(&mut self, now: Instant, event: &Event) {
        let Event::PeerGone { peer, rule: Rule::PeerSilent { silent_for, .. } } = event else { return };
        let mode = self.negotiator.mode_and_term().0;
        if let Some(peer) = self.facts.member(peer.as_str()) {
            self.peers[peer.index()].replies.fell_silent(now, mode, *silent_for);
        }
    }

    fn link_event(&mut self, now: Instant, event: LinkEvent) {
        match event {
            LinkEvent::Message { peer, message } => {
                let mode = self.negotiator.mode_and_term().0;
                self.peers[peer.index()].replies.received(now, mode, &message);
                self.news = self.news.max(News::Routine);
                self.feed(now, Input::Received { peer, message });
            }
            LinkEvent::Up { peer, hello, version } => {
                self.peers[peer.index()].version = Some(version);
                self.peers[peer.index()].replies.connected(now, self.facts.query_interval);
                self.links.send_shown(peer, &self.shown_told);
                self.feed(now, Input::LinkUp { peer, hello });
            }
            LinkEvent::Down { peer, why: _ } => {
                self.peers[peer.index()].theirs.gone();
                self.peers[peer.index()].replies.disconnected();
                self.feed(now, Input::LinkDown { peer });
            }
            LinkEvent::Refused { peer } => self.feed(now, Input::LinkRefused { peer }),
            LinkEvent::ConnectFailed { peer } => self.feed(now, Input::ConnectFailed { peer }),
            LinkEvent::Shown { peer, shown } => self.hear_shown(now, peer, shown),
            LinkEvent::Pong { peer, id, rtt, reverse } => self.pings.answered(peer, id, rtt, reverse),
            LinkEvent::PathChanged { peer, path: _, up, address, why } => {
                use crate::journal::entry::PathChange;
                let change = if up { PathChange::Up } else { PathChange::Down };
                let peer = Name::new(&self.facts.name(peer));
                self.note(Entry::Link { peer, address: address.to_string(), change, why });
            }
            LinkEvent::Rejected(rejection) => self.rejected(now, rejection),
        }
    }

    /// A disk that neither writes nor fails is told as one that fails (N20).
    fn look_at_the_disk(&mut self, now: Instant) {
        if let Some((version, silent)) = self.stall.look(now) {
            let text = format!("it is not on disk after {:.1} s: the disk stalls", silent.as_secs_f64());
            self.note(Entry::Fault { part: "state".to_owned(), text });
            self.feed(now, Input::WriteFailed { version });
        }
    }

    fn state_report(&mut self, now: Instant, report: StateReport) {
        let version = report.version;
        self.stall.answered(version, now);
        match report.result {
            Ok(()) => {
                self.state_failing = false;
                self.feed(now, Input::Written { version });
            }
            Err(text) => {
                // Tried again every second; told once.
                if !std::mem::replace(&mut self.state_failing, true) {
                    self.note(Entry::Fault { part: "state".to_owned(), text });
                }
                self.feed(now, Input::WriteFailed { version });
            }
        }
    }

    /// Keeps an entry, tells the log and the status.
    pub fn note(&mut self, entry: Entry) {
        let severity = entry.severity();
        let kind = entry.kind();
        let text = entry.text();
        match severity {
            Severity::Alarm => tracing::error!(kind, "{text}"),
            Severity::Warning => tracing::warn!(kind, "{text}"),
            Severity::Note => tracing::info!(kind, "{text}"),
        }
        let stamp = self.record(entry);
        self.events.truncate(SHOWN_EVENTS - 1);
        self.events.push_front(status::Event {
            seq: stamp.seq,
            time: rfc3339(stamp.unix_ms),
            kind: severity_word(severity).to_owned(),
            text,
        });
        self.news = News::Urgent;
    }
}

/// Now on both clocks.
pub(super) fn stamp(now: Instant) -> Stamp {
    Stamp { at: now, unix_ms: unix_ms() }
}

/// The severity as the status JSON writes it.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Alarm => "alarm",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

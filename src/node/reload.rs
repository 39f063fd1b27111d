//! Reading the configuration again while the controller runs (U10).
//!
//! The file, the keys and the agents are read and checked on a thread of their own, for none of that may stop the loop. A
//! file with any fault changes nothing. What `config` says can change is then applied within one turn: first whatever
//! might still fail, then the rest, so that a reload happens as a whole or not at all.

use tokio::sync::{mpsc, oneshot};

use crate::config::changes::{Change, Decision};
use crate::config::required::RunWhen;
use crate::config::{Config, LinkKeys, advice};
use crate::control::request::{Reloaded, ReloadedKey};
use crate::control::to_node::ToNode;
use crate::control::who::Who;
use crate::fence::FenceEvent;
use crate::metrics;
use crate::negotiation::exchange::Input;
use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::time::Instant;

use super::engine::{Engine, News};
use super::fencing::Fencing;
use super::health::HealthInlet;
use super::start::link_security;

/// The configuration that runs, and the parts that a change of it exchanges as a whole.
pub struct Running {
    config: Config,
    me: MemberId,
    keys: LinkKeys,
    metrics: Option<metrics::Server>,
    /// For metrics that begin later. It does not keep the node's channel open.
    to_node: mpsc::WeakSender<ToNode>,
    loaded: mpsc::Sender<Box<Loaded>>,
    /// Whether a file is being read: a second reload waits for nothing, it is refused.
    reading: bool,
}

/// A configuration that was read again, or why it cannot be used.
pub struct Loaded {
    who: Who,
    reply: oneshot::Sender<Result<Reloaded, String>>,
    read: Result<Fresh, String>,
}

/// A configuration without a fault.
struct Fresh {
    config: Config,
    keys: LinkKeys,
}

impl Running {
    /// Starts what serves from the beginning. The receiver is for the loop.
    ///
    /// # Errors
    ///
    /// Metrics cannot be served.
    pub fn start(
        config: &Config,
        me: MemberId,
        keys: LinkKeys,
        to_node: &mpsc::Sender<ToNode>,
    ) -> Result<(Running, mpsc::Receiver<Box<Loaded>>), metrics::ServerError> {
        let listen = config.metrics_listen;
        let metrics = listen.map(|listen| metrics::Server::start(listen, to_node.clone())).transpose()?;
        // One is read at a time.
        let (loaded, received) = mpsc::channel(1);
        let to_node = to_node.downgrade();
        Ok((Running { config: config.clone(), me, keys, metrics, to_node, loaded, reading: false }, received))
    }

    /// Ends what serves.
    pub async fn shutdown(self) {
        if let Some(metrics) = self.metrics {
            metrics.shutdown().await;
        }
    }

    /// Metrics where `next` wants them; none: nothing changes about them.
    fn other_metrics(&self, next: &Config) -> Result<Option<Option<metrics::Server>>, String> {
        if next.metrics_listen == self.config.metrics_listen {
            return Ok(None);
        }
        let (Some(listen), Some(to_node)) = (next.metrics_listen, self.to_node.upgrade()) else {
            return Ok(Some(None));
        };
        metrics::Server::start(listen, to_node).map(|server| Some(Some(server))).map_err(|error| error.to_string())
    }
}

/// Reads everything that a reload needs, for the member called `me`. Blocks.
fn read(running: &Config, me: &Name) -> Result<Fresh, String> {
    let config = Config::load(&running.path).map_err(|errors| errors.to_string())?;
    let member = config.which_member(Some(me.as_str())).map_err(|error| error.to_string())?;
    let wrong = advice::of_machine(&config, member).wrong;
    if !wrong.is_empty() {
        let file = config.path.display();
        let line = |wrong: &advice::Advice| {
            format!("{file}{}: {}\n  help: {}", wrong.place().unwrap_or_default(), wrong.message, wrong.suggestion)
        };
        return Err(wrong.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    let keys = config.load_keys(member).map_err(|error| error.to_string())?;
    Fencing::check(&config, member).map_err(|error| format!("{error:#}"))?;
    Ok(Fresh { config, keys })
}

impl Engine {
    /// Somebody asks for the configuration to be read again; [`Engine::loaded`] follows.
    pub(super) fn begin_reload(&mut self, who: Who, reply: oneshot::Sender<Result<Reloaded, String>>) {
        if self.running.reading {
            // Who asked may have left.
            let _ = reply.send(Err("The configuration is being read already. Nothing has been done.".to_owned()));
            return;
        }
        self.running.reading = true;
        let (config, me) = (self.running.config.clone(), self.running.config.name(self.running.me));
        let loaded = self.running.loaded.clone();
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || read(&config, &me)).await;
            let read = read.unwrap_or_else(|error| Err(format!("reading the configuration failed: {error}")));
            // The node may have ended meanwhile.
            let _ = loaded.send(Box::new(Loaded { who, reply, read })).await;
        });
    }

    /// The configuration was read: applies it as a whole, or not at all.
    pub(super) fn loaded(
        &mut self,
        now: Instant,
        loaded: Loaded,
        fence_events: &mut mpsc::Receiver<FenceEvent>,
        figures: &mut HealthInlet,
    ) {
        self.running.reading = false;
        let Loaded { who, reply, read } = loaded;
        let result = read.and_then(|fresh| self.apply(now, fresh, fence_events, figures));
        let what = format!("reload {}", self.running.config.path.display());
        let outcome = match &result {
            Ok(reloaded) => in_words(reloaded),
            Err(why) => format!("changed nothing: {why}"),
        };
        self.note_action(&who, what, &outcome);
        self.news = News::Urgent;
        // Who asked may have left.
        let _ = reply.send(result);
    }

    fn apply(
        &mut self,
        now: Instant,
        fresh: Fresh,
        fence_events: &mut mpsc::Receiver<FenceEvent>,
        figures: &mut HealthInlet,
    ) -> Result<Reloaded, String> {
        let running = &self.running.config;
        let changes = running.changes(&fresh.config);
        let next = running.with_what_can_change(&fresh.config);
        let other_keys = fresh.config.security.mode == running.security.mode && fresh.keys != self.running.keys;
        let other_fences = next.fences != running.fences;
        let other_processes = next.processes != running.processes || next.hooks != running.hooks;
        let steps = steps(running, &next, &changes);
        // What might fail comes first.
        if let Some(peer) = self.fencing.under_way().filter(|_| other_fences) {
            return Err(format!("{peer} is being switched off, and that is never cancelled: reload when it has ended"));
        }
        if other_processes && !self.can_reload_processes() {
            return Err("too much is asked of the processes at once: reload again".to_owned());
        }
        let health = self.health.prepare(&next);
        let health = health.map_err(|error| format!("the sampler of memory and CPU cannot be started: {error}"))?;
        let metrics = self.running.other_metrics(&next)?;
        let fencing = match other_fences.then(|| Fencing::start(&next, self.running.me)).transpose() {
            Ok(fencing) => fencing,
            Err(error) => {
                if let Some(metrics) = metrics.flatten() {
                    tokio::spawn(metrics.shutdown());
                }
                return Err(format!("{error:#}"));
            }
        };
        // From here on nothing fails.
        if let Some(metrics) = metrics
            && let Some(before) = std::mem::replace(&mut self.running.metrics, metrics)
        {
            tokio::spawn(before.shutdown());
        }
        if let Some((mut fencing, events)) = fencing {
            fencing.remember(&mut self.fencing);
            let before = std::mem::replace(&mut self.fencing, fencing);
            // Its threads must not wait for somebody to take their events.
            *fence_events = events;
            tokio::spawn(before.shutdown());
        }
        if other_keys {
            self.links.set_keys(link_security(&fresh.keys));
            self.running.keys = fresh.keys;
        }
        // Half each, as at the start.
        self.journal.set_keep(next.journal_keep / 2);
        self.recorder.set_keep(next.journal_keep / 2);
        if other_processes {
            self.reload_processes(now, next.processes.clone(), next.hooks.clone());
        }
        self.health.reload(now, &next, health, figures);
        let settings = next.negotiation_settings(self.running.me);
        self.facts.threshold = settings.threshold;
        self.running.config = next;
        self.feed(now, Input::Tuned(settings.tuning()));
        self.look_at_health(now);
        Ok(reloaded(&self.running.config, &changes, steps, other_keys))
    }
}

/// What becomes of the processes, in the order in which it is done: what is gone stops, then what has changed restarts
/// and what is new starts.
fn steps(before: &Config, next: &Config, changes: &[Change]) -> Vec<ReloadedKey> {
    let line = |name: &str, text: String| ReloadedKey { key: format!("process.{name}"), text };
    let has = |config: &Config, name: &str| config.processes.iter().any(|process| process.name == name);
    let gone = before.processes.iter().rev().filter(|process| !has(next, &process.name));
    let gone = gone.map(|process| line(&process.name, "stops: the file does not name it any more".to_owned()));
    let kept = next.processes.iter().filter_map(|process| {
        let name = process.name.as_str();
        if !has(before, name) {
            let text = match process.run_when {
                RunWhen::Always => "starts",
                RunWhen::Primary => "runs while this member is Primary",
                RunWhen::Secondary => "runs while this member is Secondary",
            };
            return Some(line(name, text.to_owned()));
        }
        let prefix = format!("process.{name}.");
        let changed = changes.iter().filter(|change| change.decision == Decision::Process);
        let keys: Vec<&str> = changed.filter_map(|change| change.path.strip_prefix(&prefix)).collect();
        (!keys.is_empty()).then(|| line(name, format!("restarts, for {}", keys.join(", "))))
    });
    gone.chain(kept).collect()
}

/// The two lists. `running` is what runs now; `steps` are the processes' part.
fn reloaded(running: &Config, changes: &[Change], steps: Vec<ReloadedKey>, other_keys: bool) -> Reloaded {
    let mut applied: Vec<ReloadedKey> = Vec::new();
    let mut needs_restart = Vec::new();
    // Of a process that comes or goes as a whole, its keys one by one say nothing more.
    let whole = |path: &str| {
        let step = steps.iter().find(|step| path.strip_prefix(&step.key).is_some_and(|rest| rest.starts_with('.')));
        step.is_some_and(|step| !step.text.starts_with("restarts"))
    };
    for Change { path, decision } in changes {
        let line = |text: &str| ReloadedKey { key: path.clone(), text: text.to_owned() };
        match decision {
            Decision::Applied(how) if !whole(path) => applied.push(line(how)),
            Decision::Applied(_) | Decision::Process => {}
            Decision::Restart(why) => needs_restart.push(line(why)),
        }
    }
    let named = |line: &ReloadedKey| line.key.starts_with("security.");
    if other_keys && !applied.iter().any(named) {
        // The file of a key has other content under the same name.
        let text = "read again, for connections that are made from now on".to_owned();
        applied.push(ReloadedKey { key: "security.key_file".to_owned(), text });
    }
    applied.extend(steps);
    Reloaded { file: running.path.display().to_string(), applied, needs_restart }
}

/// For the journal: which keys, without their values.
fn in_words(reloaded: &Reloaded) -> String {
    let keys = |lines: &[ReloadedKey]| lines.iter().map(|line| line.key.as_str()).collect::<Vec<_>>().join(", ");
    match (reloaded.applied.as_slice(), reloaded.needs_restart.as_slice()) {
        ([], []) => "nothing has changed".to_owned(),
        (applied, []) => format!("applied {}", keys(applied)),
        ([], waiting) => format!("applied nothing; a restart is needed for {}", keys(waiting)),
        (applied, waiting) => format!("applied {}; a restart is needed for {}", keys(applied), keys(waiting)),
    }
}

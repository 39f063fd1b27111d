//! One fencing device and the thread that speaks to it: fencing when it is told to, and between that asking every now and
//! then whether the device still answers.
//!
//! A fencing that has begun is never cancelled, but by the controller's end. It comes before everything else: a monitor
//! that runs is killed for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::mpsc;

use crate::config::duration;
use crate::config::fencing::{AgentConfig, FenceAction};
use crate::config::secrets::hidden_in_command;

use super::agent::{Action, Agent, METADATA_WITHIN, Power, Tried};
use super::bell::Bell;
use super::run::Ended;

/// A failed series goes on, one try a request, when the next request comes within this time; later it is a new one.
const SERIES_GOES_ON: Duration = Duration::from_secs(180);

/// How often `status` is asked until it says off: a machine takes a moment to fall.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Previews that may wait.
const PREVIEWS: usize = 8;

/// What a device's thread has to tell.
#[derive(Debug)]
pub enum FenceEvent {
    /// A try begins.
    Begun {
        /// The member that is being switched off.
        device: String,
        /// Which try of this series, from 1.
        number: u32,
    },
    /// A try is over.
    Tried {
        /// The member.
        device: String,
        /// What came of it.
        attempt: Attempt,
    },
    /// It is off: the agent says so, and its `status` too.
    Off {
        /// The member.
        device: String,
    },
    /// The tries in a row are over, and it is not known to be off.
    Failed {
        /// The member.
        device: String,
        /// Why not, by the last of them.
        why: String,
    },
    /// The device was asked whether it answers.
    Device {
        /// The member that it switches.
        device: String,
        /// What it said.
        report: DeviceReport,
    },
}

/// One try to switch a member off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which try of this series, from 1.
    pub number: u32,
    /// What is believed.
    pub verdict: Verdict,
    /// What the agent printed, without secrets: the last 64 KiB.
    pub output: String,
    /// How long it took.
    pub took: Duration,
}

/// What is believed after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is off (or was, between off and on again).
    Off,
    /// It may be on: why nothing is believed.
    NotOff(String),
}

/// Whether a device answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceReport {
    /// Why it does not; none: it does.
    pub dead: Option<String>,
    /// How long it took to find out.
    pub took: Duration,
}

/// What a fencing would do, and what the agent says of the power now: `fence --dry-run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The program and its arguments, secrets replaced.
    pub program: String,
    /// What it would read on its standard input, secrets replaced.
    pub input: Vec<String>,
    /// `fence.NAME.timeout`.
    pub timeout: Duration,
    /// `fence.NAME.attempts`.
    pub attempts: u32,
    /// What `status` says now.
    pub power: Power,
    /// How long it took to say it.
    pub took: Duration,
    /// What the agent printed.
    pub output: String,
}

/// Where a preview goes; called on the device's thread.
pub type PreviewReply = Box<dyn FnOnce(Preview) + Send>;

/// What a device's thread is asked for.
#[derive(Default)]
struct Wishes {
    stop: bool,
    fence: bool,
    previews: Vec<PreviewReply>,
}

/// What the thread and its owner share.
pub(super) struct Shared {
    bell: Bell,
    wishes: Mutex<Wishes>,
}

impl Shared {
    pub(super) fn new() -> std::io::Result<Shared> {
        Ok(Shared { bell: Bell::new()?, wishes: Mutex::new(Wishes::default()) })
    }

    /// The lock is held for a few instructions; a thread that panicked within them left nothing half done.
    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fence(&self) {
        self.wishes().fence = true;
        self.bell.ring();
    }

    /// Refused when too many wait already: then `reply` is dropped.
    pub(super) fn preview(&self, reply: PreviewReply) {
        let mut wishes = self.wishes();
        if wishes.previews.len() < PREVIEWS {
            wishes.previews.push(reply);
        }
        drop(wishes);
        self.bell.ring();
    }

    pub(super) fn stop(&self) {
        self.wishes().stop = true;
        self.bell.ring();
    }

    fn stopping(&self) -> bool {
        self.wishes().stop
    }

    fn more_urgent(&self) -> bool {
        let wishes = self.wishes();
        wishes.stop || wishes.fence
    }
}

/// The thread's own.
pub(super) struct DeviceThread {
    name: String,
    agent: Agent,
    shared: Arc<Shared>,
    events: mpsc::Sender<FenceEvent>,
    /// Tries since the series began, and when the last of them ended.
    tries: u32,
    last_failed: Option<Instant>,
    monitor_at: Option<Instant>,
}

enum Next {
    Stop,
    Fence,
    Preview(PreviewReply),
    Monitor,
}

impl DeviceThread {
    pub(super) fn new(
        name: String,
        agent: Agent,
        shared: Arc<Shared>,
        events: mpsc::Sender<FenceEvent>,
    ) -> DeviceThread {
        let monitored = !agent.config().monitor.is_zero();
        DeviceThread {
            name,
            agent,
            shared,
            events,
            tries: 0,
            last_failed: None,
            monitor_at: monitored.then(Instant::now),
        }
    }

    /// Works until it is told to stop, or until nobody listens.
    pub(super) fn work(mut self) {
        loop {
            let told = match self.next() {
                Next::Stop => return,
                Next::Fence => self.fence(),
                Next::Preview(reply) => self.preview(reply),
                Next::Monitor => self.monitor(),
            };
            if told.is_err() {
                return;
            }
        }
    }

    /// Waits for what is to be done next.
    fn next(&self) -> Next {
        loop {
            let mut wishes = self.shared.wishes();
            if wishes.stop {
                return Next::Stop;
            }
            if wishes.fence {
                return Next::Fence;
            }
            if !wishes.previews.is_empty() {
                return Next::Preview(wishes.previews.remove(0));
            }
            drop(wishes);
            let wait = self.monitor_at.map(|at| at.saturating_duration_since(Instant::now()));
            if wait.is_some_and(|wait| wait.is_zero()) {
                return Next::Monitor;
            }
            self.listen(wait);
        }
    }

    /// Waits for the bell.
    fn listen(&self, wait: Option<Duration>) {
        let wait = wait.map(|wait| wait + Duration::from_micros(999));
        let timeout = wait.map_or(PollTimeout::NONE, |wait| PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX));
        // Interrupted, or too little memory for a moment: the caller looks again.
        let _ = poll(&mut [PollFd::new(self.shared.bell.as_fd(), PollFlags::POLLIN)], timeout);
        self.shared.bell.silence();
    }

    fn tell(&self, event: FenceEvent) -> Result<(), NobodyListens> {
        self.events.blocking_send(event).map_err(|_| NobodyListens)
    }

    fn run(&self, action: Action, deadline: Instant) -> Tried {
        let shared = &self.shared;
        self.agent.run(action, deadline, &shared.bell, &mut || shared.stopping())
    }

    /// Learns what the agent says of itself, before it is first used. Without, it is used as it is: who switches a member
    /// off needs no description.
    fn learn(&mut self, interrupt: &mut dyn FnMut() -> bool) {
        if let Err(why) = self.agent.learn(METADATA_WITHIN, &self.shared.bell, interrupt) {
            tracing::debug!(device = self.name, why, "the agent does not describe itself");
        }
    }

    fn fence(&mut self) -> Result<(), NobodyListens> {
        let goes_on = self.last_failed.is_some_and(|at| at.elapsed() < SERIES_GOES_ON);
        if !goes_on {
            self.tries = 0;
        }
        let in_a_row = if goes_on { 1 } else { self.agent.config().attempts.max(1) };
        let mut why = String::new();
        for _ in 0..in_a_row {
            self.tries += 1;
            self.tell(FenceEvent::Begun { device: self.name.clone(), number: self.tries })?;
            let attempt = self.attempt();
            let verdict = attempt.verdict.clone();
            self.tell(FenceEvent::Tried { device: self.name.clone(), attempt })?;
            match verdict {
                Verdict::Off => {
                    self.last_failed = None;
                    // Whoever asked meanwhile asked for this very fencing.
                    self.shared.wishes().fence = false;
                    return self.tell(FenceEvent::Off { device: self.name.clone() });
                }
                Verdict::NotOff(reason) => why = reason,
            }
            if self.shared.stopping() {
                return Ok(());
            }
        }
        self.last_failed = Some(Instant::now());
        self.shared.wishes().fence = false;
        self.tell(FenceEvent::Failed { device: self.name.clone(), why })
    }

    /// One try: the action, and then `status` until it says off, all before the same deadline.
    fn attempt(&self) -> Attempt {
        let started = Instant::now();
        let deadline = started + self.agent.config().timeout;
        let action = match self.agent.config().action {
            FenceAction::Off => Action::Off,
            FenceAction::Reboot => Action::Reboot,
        };
        let switched = self.run(action, deadline);
        let mut output = switched.output.clone();
        let verdict = if switched.succeeded() {
            self.verify(action, deadline, &mut output)
        } else {
            Verdict::NotOff(format!("{}: {}", self.agent.name(), switched.why()))
        };
        Attempt { number: self.tries, verdict, output, took: started.elapsed() }
    }

    /// Whether `status` agrees that it is done, asked until the deadline.
    fn verify(&self, action: Action, deadline: Instant, output: &mut String) -> Verdict {
        let agent = self.agent.name();
        let mut said_on = false;
        loop {
            let status = self.run(Action::Status, deadline);
            if !status.output.is_empty() {
                if !output.is_empty() {
                    output.push('\n');
                }
                output.push_str(&status.output);
            }
            match (action, status.power()) {
                (_, Power::Off) | (Action::Reboot, Power::On) => return Verdict::Off,
                (_, Power::On) => said_on = true,
                // Its time was over while it was asked once more.
                (_, Power::Unknown(_)) if said_on && status.ended == Ended::TimedOut => {}
                (_, Power::Unknown(why)) => {
                    return Verdict::NotOff(format!("{agent}: it says done, but then of the status: {why}"));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.shared.stopping() {
                let within = duration::text(self.agent.config().timeout);
                return Verdict::NotOff(format!("{agent}: it says done, but after {within} still that it is on"));
            }
            self.listen(Some(left.min(ASK_EVERY)));
        }
    }

    /// Asks whether the device answers. A device is dead when two questions in a row have failed: the controllers of
    /// machines are known to miss one.
    fn monitor(&mut self) -> Result<(), NobodyListens> {
        let shared = Arc::clone(&self.shared);
        let mut urgent = || shared.more_urgent();
        self.learn(&mut urgent);
        let action = match (&self.agent.config().agent, self.agent.metadata()) {
            (AgentConfig::Agent { .. }, Some(metadata)) if metadata.knows_action(Action::Monitor.word()) => {
                Action::Monitor
            }
            (AgentConfig::Agent { .. } | AgentConfig::Command { .. }, _) => Action::Status,
        };
        let mut told = None;
        for _ in 0..2 {
            let deadline = Instant::now() + self.agent.config().timeout;
            let tried = self.agent.run(action, deadline, &shared.bell, &mut urgent);
            if tried.ended == Ended::Interrupted {
                // Nothing was found out. It is asked again when there is time.
                return Ok(());
            }
            let answers = match action {
                Action::Status => !matches!(tried.power(), Power::Unknown(_)),
                Action::Off | Action::Reboot | Action::Monitor | Action::Metadata | Action::ValidateAll => {
                    tried.succeeded()
                }
            };
            let dead = (!answers).then(|| format!("{}: {}", self.agent.name(), tried.why()));
            told = Some(DeviceReport { dead, took: tried.took });
            if answers {
                break;
            }
        }
        self.monitor_at = Some(Instant::now() + self.agent.config().monitor);
        match told {
            Some(report) => self.tell(FenceEvent::Device { device: self.name.clone(), report }),
            None => Ok(()),
        }
    }

    fn preview(&mut self, reply: PreviewReply) -> Result<(), NobodyListens> {
        let shared = Arc::clone(&self.shared);
        reply(preview(&mut self.agent, &shared.bell, &mut || shared.more_urgent()));
        Ok(())
    }
}

/// Nobody wants to know any more: the controller ends.
struct NobodyListens;

/// What a fencing would do, and what the device says of the power now.
pub(super) fn preview(agent: &mut Agent, bell: &Bell, interrupt: &mut dyn FnMut() -> bool) -> Preview {
    // Without its description the agent's own `_file` options are not known; what is shown is what would be sent.
    let _ = agent.learn(METADATA_WITHIN, bell, interrupt);
    let config = agent.config();
    let action = match config.action {
        FenceAction::Off => Action::Off,
        FenceAction::Reboot => Action::Reboot,
    };
    let (timeout, attempts) = (config.timeout, config.attempts);
    let (program, input) = match agent.prepare(action) {
        Ok(prepared) => {
            let words = std::iter::once(prepared.program.display().to_string()).chain(prepared.arguments);
            let shown = |line: &super::agent::Line| {
                format!("{}={}", line.name, if line.secret { "[secret]" } else { &line.value })
            };
            (hidden_in_command(words, "[secret]"), prepared.lines.iter().map(shown).collect())
        }
        Err(_) => (agent.program().display().to_string(), Vec::new()),
    };
    let tried = agent.run(Action::Status, Instant::now() + timeout, bell, interrupt);
    Preview { program, input, timeout, attempts, power: tried.power(), took: tried.took, output: tried.output }
}

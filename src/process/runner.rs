//! The task that keeps the required processes as they are to be: it asks the pure [`Supervision`] what to do, has the
//! guardian do it, and tells the controller what happened. It is the only one that talks to the guardian.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

mod launching;
mod telling;

use crate::config::required::{Hooks, ProcessConfig};

use super::deadline::Deadline;
use super::event::{Overdue, ProcessEvent, Ticket};
use super::guard::Guard;
use super::heartbeat::{Beat, Heart, Prepared, Report};
use super::hooks::{Call, Hook, HookQueue};
use super::messages::{LaunchId, Order, Word};
use super::output::{Output, Tail};
use super::role::{Role, RoleMode, Teller};
use super::settings::ProcessSettings;
use super::snapshot::ProcessSnapshot;
use super::supervision::{Operation, Supervision, Target, Todo};
use super::time::BootTime;

/// How long the state file may keep processes waiting: a slow disk must not keep a Primary from serving.
const STATE_FILE: Duration = Duration::from_millis(500);

/// How long the controller waits before it tries to start a guardian again.
const ANOTHER_GUARDIAN: Duration = Duration::from_secs(1);

/// Reports of hearts that wait to be looked at.
const REPORTS: usize = 64;

/// What the controller wants of its processes; the latest counts.
#[derive(Debug, Clone)]
pub struct Aim {
    /// For whom they run.
    pub target: Target,
    /// What they are told.
    pub role: Role,
    /// Under a lease: what has to stop is killed then.
    pub kill_by: Option<BootTime>,
    /// Numbers the aims, so that one said again is seen.
    pub number: u64,
    /// When the controller said so.
    pub said: BootTime,
}

impl Aim {
    /// Why what runs on the Primary only still ran when the guardian killed it at `killed`. A controller that stood still
    /// may have asked for the stop on waking, before it heard of this.
    fn overdue(&self, killed: BootTime) -> Overdue {
        match self.target {
            Target::Nothing | Target::Secondary | Target::Between if self.said <= killed => Overdue::StillStopping,
            Target::Nothing | Target::Secondary | Target::Between | Target::Primary => Overdue::NotRenewed,
        }
    }
}

/// What operators say, and alarms.
#[derive(Debug)]
pub enum Request {
    /// An operator's word about one process.
    Operate { name: String, operation: Operation, ticket: Ticket },
    /// An alarm was raised: JSON for the hook.
    Alarm { json: String },
    /// The file was read again (U10).
    Reload { processes: Vec<ProcessConfig>, hooks: Box<Hooks>, ticket: Ticket },
}

/// An operator who waits for an outcome.
struct Waiting {
    at: usize,
    operation: Operation,
    /// Launches from this one on were made because of it.
    from: LaunchId,
    ticket: Ticket,
}

/// What a launch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Process(usize),
    Hook,
}

/// What was measured of a process beside its states.
#[derive(Debug, Default)]
struct Measured {
    launch: Option<LaunchId>,
    tail: Tail,
    /// What its heartbeat needs once it runs.
    prepared: Option<Prepared>,
    heart: Option<Heart>,
    beat: Beat,
    start_took: Option<Duration>,
}

/// See the module.
pub struct Runner {
    settings: ProcessSettings,
    instance: String,
    teller: Teller,
    deadline: Arc<Deadline>,
    supervision: Supervision,
    hooks: HookQueue,
    guard: Option<Guard>,
    /// No guardian could be had; tried again then.
    guard_again: Option<BootTime>,
    output: Output,
    launches: BTreeMap<LaunchId, What>,
    measured: Vec<Measured>,
    next_launch: u64,
    aim: Aim,
    /// The role that hooks were told last.
    hook_told: Option<RoleMode>,
    /// `on_secondary` is waited for before processes stop.
    hook_first: bool,
    /// What is owed for this aim.
    serving_ready_owed: bool,
    serving_stopped_owed: bool,
    waiting: Vec<Waiting>,
    /// The last reload, while what it ends is still there.
    reload: Option<Ticket>,
    state_file: Arc<Mutex<u64>>,
    events: mpsc::Sender<ProcessEvent>,
    told: Vec<ProcessEvent>,
    snapshots: watch::Sender<Arc<[ProcessSnapshot]>>,
    /// Where hearts report; none before it runs.
    reports: Option<mpsc::Sender<Report>>,
}

/// The runner's ends of its channels.
pub struct Ends {
    /// What is wanted.
    pub aims: watch::Receiver<Aim>,
    /// What is asked.
    pub requests: mpsc::Receiver<Request>,
    /// Where events go.
    pub events: mpsc::Sender<ProcessEvent>,
    /// Where snapshots go.
    pub snapshots: watch::Sender<Arc<[ProcessSnapshot]>>,
}

/// What happened to the runner.
enum Woke {
    Aim,
    Ended,
    Request(Request),
    Word(Option<Word>),
    Heart(Report),
    Time,
}

impl Runner {
    /// A runner of nothing yet.
    pub fn new(
        settings: ProcessSettings,
        instance: String,
        deadline: Arc<Deadline>,
        output: Output,
        ends: &Ends,
    ) -> Runner {
        let processes = settings.processes.clone();
        Runner {
            teller: Teller::new(&settings.node, &settings.group, &settings.state_directory),
            instance,
            deadline,
            measured: processes.iter().map(|_| Measured::default()).collect(),
            supervision: Supervision::new(processes),
            hooks: HookQueue::default(),
            guard: None,
            guard_again: None,
            output,
            launches: BTreeMap::new(),
            next_launch: 1,
            aim: ends.aims.borrow().clone(),
            hook_told: None,
            hook_first: false,
            serving_ready_owed: false,
            serving_stopped_owed: false,
            waiting: Vec::new(),
            reload: None,
            state_file: Arc::new(Mutex::new(0)),
            events: ends.events.clone(),
            told: Vec::new(),
            snapshots: ends.snapshots.clone(),
            reports: None,
            settings,
        }
    }

    /// Runs until the handle is dropped; then everything stops, each in its grace, and the guardian ends.
    pub async fn run(mut self, ends: Ends) {
        let Ends { mut aims, mut requests, events: _, snapshots: _ } = ends;
        let mut ending = false;
        let (reports, mut hearts) = mpsc::channel(REPORTS);
        self.reports = Some(reports);
        loop {
            self.publish().await;
            if ending && self.supervision.is_off() && self.launches.is_empty() {
                break;
            }
            let deadline = [self.supervision.next_deadline(), self.hooks.next_deadline(), self.guard_again];
            let deadline = deadline.into_iter().flatten().min();
            let wait = deadline.map_or(Duration::from_secs(3600), |at| at.since(BootTime::now()));
            let guard = &mut self.guard;
            let hear = async {
                match guard {
                    Some(guard) => guard.hear().await,
                    None => std::future::pending().await,
                }
            };
            let woke = tokio::select! {
                biased;
                word = hear => Woke::Word(word),
                changed = aims.changed(), if !ending => if changed.is_ok() { Woke::Aim } else { Woke::Ended },
                Some(request) = requests.recv() => Woke::Request(request),
                Some(report) = hearts.recv() => Woke::Heart(report),
                () = tokio::time::sleep(wait) => Woke::Time,
            };
            let now = BootTime::now();
            match woke {
                Woke::Word(Some(word)) => self.word(now, word),
                Woke::Word(None) => self.guardian_lost(now).await,
                Woke::Aim => {
                    let aim = aims.borrow_and_update().clone();
                    self.aim(now, aim).await;
                }
                Woke::Ended => {
                    ending = true;
                    self.hooks.forget(Hook::OnPrimary);
                    self.supervision.aim(now, Target::Nothing, self.aim.kill_by);
                }
                Woke::Request(request) => self.request(now, request),
                Woke::Heart(report) => self.heart(now, &report),
                Woke::Time => self.tick(now),
            }
            self.carry_out().await;
        }
        // The guardian closes the listening sockets last of all; only then is this member gone.
        let (guard, output) = (self.guard.take(), self.output);
        let ended = tokio::task::spawn_blocking(move || {
            drop(guard.map(Guard::end));
            drop(output);
        });
        if tokio::time::timeout(super::settings::END, ended).await.is_err() {
            tracing::error!("the guardian does not end, or a disk does not take what processes wrote last");
        }
    }

    fn tick(&mut self, now: BootTime) {
        if self.guard_again.is_some_and(|again| again <= now) {
            self.guard_again = None;
        }
        if let Some(launch) = self.hooks.tick(now) {
            self.order(&Order::Kill { launch }, Vec::new());
        }
        self.supervision.tick(now);
    }

    async fn aim(&mut self, now: BootTime, aim: Aim) {
        let before = std::mem::replace(&mut self.aim, aim);
        match self.aim.target {
            Target::Primary => {
                self.write_state_file().await;
                self.hook_first = false;
                self.hooks.forget(Hook::OnSecondary);
                self.serving_ready_owed = true;
                self.serving_stopped_owed = false;
                self.supervision.aim(now, Target::Primary, None);
            }
            Target::Between => {
                self.serving_ready_owed = false;
                self.serving_stopped_owed = true;
                self.end_on_primary();
                if before.target != Target::Between && self.hook_told == Some(RoleMode::Primary) {
                    self.call(Hook::OnSecondary);
                    self.hook_first = self.hooks.has(Hook::OnSecondary);
                }
                if self.aim.kill_by.is_some() {
                    // Nobody waits for a hook while a lease ends.
                    self.hook_first = false;
                }
                if !self.hook_first {
                    self.supervision.aim(now, Target::Between, self.aim.kill_by);
                }
            }
            Target::Secondary | Target::Nothing => {
                self.write_state_file().await;
                self.hook_first = false;
                self.serving_ready_owed = false;
                self.end_on_primary();
                if self.hook_told != Some(RoleMode::Secondary) {
                    self.call(Hook::OnSecondary);
                }
                self.supervision.aim(now, self.aim.target, self.aim.kill_by);
            }
        }
    }

    /// What an `on_primary` still does is a Primary's work.
    fn end_on_primary(&mut self) {
        self.hooks.forget(Hook::OnPrimary);
        let running = self.hooks.running().filter(|running| running.hook == Hook::OnPrimary);
        if let Some(launch) = running.map(|running| running.launch) {
            self.order(&Order::Kill { launch }, Vec::new());
        }
    }

    fn call(&mut self, hook: Hook) {
        let role = match hook {
            Hook::OnPrimary | Hook::OnAlarm => self.aim.role.clone(),
            Hook::OnSecondary => Role { mode: RoleMode::Secondary, ..self.aim.role.clone() },
        };
        self.hook_told = match hook {
            Hook::OnPrimary => Some(RoleMode::Primary),
            Hook::OnSecondary => Some(RoleMode::Secondary),
            Hook::OnAlarm => self.hook_told,
        };
        if !self.command_of(hook).is_empty() {
            self.hooks.call(Call { hook, role, input: Vec::new() });
        }
    }

    fn command_of(&self, hook: Hook) -> &[String] {
        match hook {
            Hook::OnPrimary => &self.settings.hooks.on_primary,
            Hook::OnSecondary => &self.settings.hooks.on_secondary,
            Hook::OnAlarm => &self.settings.hooks.on_alarm,
        }
    }

    /// Replaces the state file where blocking harms nobody; waits for it only so long.
    async fn write_state_file(&mut self) {
        let (teller, role, number) = (self.teller.clone(), self.aim.role.clone(), self.aim.number);
        let latest = Arc::clone(&self.state_file);
        let write = tokio::task::spawn_blocking(move || {
            let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            // A write that was stuck must not undo a later one.
            if *latest > number {
                return Ok(());
            }
            *latest = number;
            teller.write(&role)
        });
        let text = match tokio::time::timeout(STATE_FILE, write).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => format!("the state file for processes cannot be written: {error}"),
            Ok(Err(_)) => "the state file for processes was not written".to_owned(),
            Err(_) => "the state file for processes is not written yet: the disk is slow".to_owned(),
        };
        self.told.push(ProcessEvent::Fault { text });
    }

    fn request(&mut self, now: BootTime, request: Request) {
        match request {
            Request::Operate { name, operation, ticket } => {
                let known = || self.supervision.all().iter().enumerate().filter(|(_, one)| !one.is_retired());
                let Some((at, _)) = known().find(|(_, one)| **one.name() == *name) else {
                    let names: Vec<&str> = known().map(|(_, one)| &**one.name()).collect();
                    let known = if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") };
                    let outcome = Err(format!("there is no process {name}; there is: {known}"));
                    return self.told.push(ProcessEvent::Operated { ticket, outcome });
                };
                let from = LaunchId(self.next_launch);
                self.supervision.operate(now, at, operation);
                self.waiting.push(Waiting { at, operation, from, ticket });
            }
            Request::Reload { processes, hooks, ticket } => {
                self.reload = Some(ticket);
                self.settings.hooks = *hooks;
                self.settings.processes.clone_from(&processes);
                self.supervision.reload(now, processes);
                self.measured.resize_with(self.supervision.all().len(), Measured::default);
            }
            Request::Alarm { json } => {
                if !self.settings.hooks.on_alarm.is_empty() {
                    let role = self.aim.role.clone();
                    self.hooks.call(Call { hook: Hook::OnAlarm, role, input: json.into_bytes() });
                }
            }
        }
    }

    fn word(&mut self, now: BootTime, word: Word) {
        match word {
            Word::Started { launch, pid } => {
                if let Some(What::Process(at)) = self.launches.get(&launch).copied() {
                    self.start_heart(at, launch, pid.unsigned_abs());
                    self.supervision.started(now, at, pid.unsigned_abs());
                }
            }
            Word::Failed { launch, why } => match self.launches.remove(&launch) {
                Some(What::Process(at)) => {
                    self.measured[at].launch = None;
                    (self.measured[at].prepared, self.measured[at].heart) = (None, None);
                    self.supervision.failed(now, at, &why);
                }
                Some(What::Hook) => self.hook_gone(now, Some(why)),
                None => {}
            },
            Word::Exited { launch, end } => match self.launches.get(&launch).copied() {
                Some(What::Process(at)) => {
                    self.measured[at].heart = None;
                    self.supervision.exited(now, at, end);
                }
                Some(What::Hook) => self.hooks.exited(end),
                None => {}
            },
            Word::Gone { launch } => match self.launches.remove(&launch) {
                Some(What::Process(at)) => {
                    self.measured[at].launch = None;
                    (self.measured[at].prepared, self.measured[at].heart) = (None, None);
                    self.supervision.gone(now, at);
                }
                Some(What::Hook) => self.hook_gone(now, None),
                None => {}
            },
            Word::Overdue { launches, killed, late } => {
                let overdue = self.aim.overdue(BootTime::from_nanoseconds(killed));
                let late = Duration::from_nanos(late);
                for launch in launches {
                    if let Some(What::Process(at)) = self.launches.get(&launch).copied() {
                        self.supervision.overdue(now, at, late, overdue);
                    }
                }
            }
            Word::Fault { text } => self.told.push(ProcessEvent::Fault { text }),
        }
    }

    fn hook_gone(&mut self, now: BootTime, failed: Option<String>) {
        if let Some((hook, outcome)) = self.hooks.gone(now, failed) {
            self.told.push(ProcessEvent::HookEnded { hook, outcome });
        }
    }

    /// Does what the supervision and the hooks want, until they want nothing more.
    async fn carry_out(&mut self) {
        loop {
            let now = BootTime::now();
            if self.hook_first && !self.hooks.has(Hook::OnSecondary) {
                self.hook_first = false;
                self.supervision.aim(now, self.aim.target, self.aim.kill_by);
            }
            if self.aim.target == Target::Primary && self.serving_ready_owed && self.supervision.order_is_through() {
                self.serving_ready_owed = false;
                if self.hook_told != Some(RoleMode::Primary) {
                    self.call(Hook::OnPrimary);
                }
                self.told.push(ProcessEvent::ServingReady);
            }
            let todo = self.supervision.take();
            let hook = self.hooks.take_next();
            if todo.is_empty() && hook.is_none() {
                break;
            }
            for one in todo {
                match one {
                    Todo::Launch(at) => self.launch_process(now, at),
                    Todo::Terminate(at) => self.order_for(at, |launch| Order::Terminate { launch }),
                    Todo::Kill(at) => self.order_for(at, |launch| Order::Kill { launch }),
                    Todo::Tell(at, change) => self.tell(at, change),
                }
            }
            if let Some(call) = hook {
                self.launch_hook(now, &call);
            }
        }
        let on_primary_runs = self.hooks.running().is_some_and(|running| running.hook == Hook::OnPrimary);
        if self.serving_stopped_owed && !self.hook_first && self.supervision.primary_is_off() && !on_primary_runs {
            self.serving_stopped_owed = false;
            self.told.push(ProcessEvent::ServingStopped);
        }
        self.answer_operators();
        self.answer_reload();
    }

    fn order_for(&mut self, at: usize, order: impl FnOnce(LaunchId) -> Order) {
        if let Some(launch) = self.measured[at].launch {
            self.order(&order(launch), Vec::new());
        }
    }

    fn order(&mut self, order: &Order, files: Vec<OwnedFd>) {
        if let Some(guard) = &mut self.guard
            && let Err(error) = guard.tell(order, files)
        {
            self.told.push(ProcessEvent::Fault { text: format!("the guardian cannot be told: {error}") });
        }
    }
}

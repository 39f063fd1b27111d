//! Required processes (P1, P2, P4, P6): launching, restarting, stopping in order, their output, hooks, and the guardian
//! that outlives the controller. Knows nothing of the negotiation: the node says in which role this member is, and hears
//! what became of it.
//!
//! | module | what |
//! |---|---|
//! | [`supervision`], [`policy`] | pure: which process runs now, what is done next for it, when a dead one is tried again |
//! | [`runner`] | the task that carries it out |
//! | [`guardian`], [`trampoline`] | programs of their own: the parent of everything, and the step from it to a process |
//! | [`sweep`] | killing what a guardian that was killed left behind |
//! | [`channel`], [`messages`], [`deadline`], [`guard`] | what they say to each other |
//! | [`role`], [`hooks`], [`output`] | what processes are told, commands on transitions, what processes write |
//! | [`heartbeat`] | how a process is asked whether it lives |
//! | [`snapshot`], [`event`] | what others see |

pub mod channel;
pub mod deadline;
pub mod event;
pub mod guard;
pub mod guardian;
pub mod heartbeat;
pub mod hooks;
pub mod messages;
pub mod output;
pub mod policy;
pub mod role;
pub mod runner;
pub mod settings;
pub mod snapshot;
pub mod supervision;
pub mod sweep;
pub mod time;
pub mod trampoline;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::required::{Hooks, ProcessConfig, RunWhen};

pub use event::{ProcessEvent, Ticket};
pub use messages::LaunchId;
pub use role::{Role, RoleMode};
pub use settings::{ProcessSettings, this_program};
pub use snapshot::{ProcessSnapshot, ProcessState};
pub use supervision::Operation;
pub use time::BootTime;

use deadline::Deadline;
use output::Output;
use runner::{Aim, Ends, Request, Runner};
use supervision::Target;
use sweep::{Whose, sweep};

/// Events that wait to be heard.
const EVENTS: usize = 256;
/// Requests that wait to be carried out.
const REQUESTS: usize = 256;

/// The required processes of one controller. Everything stops when it is dropped; [`Processes::shutdown`] waits for it.
#[derive(Debug)]
pub struct Processes {
    aims: watch::Sender<Aim>,
    requests: mpsc::Sender<Request>,
    snapshots: watch::Receiver<Arc<[ProcessSnapshot]>>,
    deadline: Arc<Deadline>,
    task: JoinHandle<()>,
    longest_stop: Duration,
    longest_end: Duration,
    bound_to_primary: Bound,
    /// The last reload, until what it ends is gone, and how long things may take then.
    reloading: Option<(Ticket, Times)>,
    tickets: u64,
}

/// Whether there is anything that only a Primary may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// There is: its right to run has to be renewed, and it has to stop before another may act.
    Something,
    /// There is not.
    Nothing,
}

/// Starts the task that keeps the processes. Nothing runs before the first [`Processes::become_secondary`] or
/// [`Processes::become_primary`]; without processes and hooks nothing ever does, no guardian either. What an earlier run
/// of this controller left behind is killed first. To be called inside the runtime.
///
/// # Errors
/// The state directory cannot be looked at, or the system is out of threads, memory or file descriptors.
pub async fn start(settings: ProcessSettings) -> io::Result<(Processes, mpsc::Receiver<ProcessEvent>)> {
    let place = std::fs::metadata(&settings.state_directory)?;
    let prefix = format!("{:x}.{:x}-", place.dev(), place.ino());
    let instance = format!("{prefix}{:016x}", settings.incarnation);
    if !settings.is_empty() {
        let whose = Whose::EarlierRuns { controller: prefix, instance: instance.clone() };
        let swept = tokio::task::spawn_blocking(move || sweep(&whose));
        match swept.await.map_err(io::Error::other)? {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "an earlier run had left processes behind; they were killed"),
            Err(error) => tracing::error!(%error, "an earlier run has left processes behind"),
        }
    }
    let deadline = Arc::new(Deadline::new()?);
    let role = Role { mode: RoleMode::Secondary, term: 0, token: 0, reason: String::new() };
    let (aims, aims_end) =
        watch::channel(Aim { target: Target::Nothing, role, kill_by: None, number: 0, said: BootTime::now() });
    let (requests, requests_end) = mpsc::channel(REQUESTS);
    let (events, heard) = mpsc::channel(EVENTS);
    let (snapshots, seen) = watch::channel(Arc::from([]));
    let times = Times::of(&settings.processes, &settings.hooks);
    let ends = Ends { aims: aims_end, requests: requests_end, events, snapshots };
    let runner = Runner::new(settings, instance, Arc::clone(&deadline), Output::start()?, &ends);
    let processes = Processes {
        aims,
        requests,
        snapshots: seen,
        deadline,
        task: tokio::spawn(runner.run(ends)),
        longest_stop: times.longest_stop,
        longest_end: times.longest_end,
        tickets: 0,
        reloading: None,
        bound_to_primary: times.bound,
    };
    Ok((processes, heard))
}

/// The longest that stopping everything that runs only on the Primary can take, and the hook before it.
pub fn longest_stop(processes: &[ProcessConfig], hooks: &Hooks) -> Duration {
    Times::of(processes, hooks).longest_stop
}

/// What follows from the configuration for how long things may take.
#[derive(Debug, Clone, Copy)]
struct Times {
    longest_stop: Duration,
    longest_end: Duration,
    bound: Bound,
}

impl Times {
    fn of(processes: &[ProcessConfig], hooks: &Hooks) -> Times {
        let primary = processes.iter().filter(|process| process.run_when == RunWhen::Primary);
        let graces: Duration = primary.clone().map(|process| process.stop_grace).sum();
        let all_graces: Duration = processes.iter().map(|process| process.stop_grace).sum();
        let hook = if hooks.on_secondary.is_empty() { Duration::ZERO } else { hooks.timeout };
        let nothing = primary.count() == 0 && hooks.on_primary.is_empty() && hooks.on_secondary.is_empty();
        Times {
            longest_stop: graces + hook,
            longest_end: all_graces + hook + settings::END,
            bound: if nothing { Bound::Nothing } else { Bound::Something },
        }
    }
}

impl Processes {
    /// This member is Primary: what has to run on one starts, in order; [`ProcessEvent::ServingReady`] follows. Said again
    /// with another term, it tells what is started from now on, and the state file; and it lets what the guardian killed
    /// run again. [`Processes::renew`] comes first.
    pub fn become_primary(&self, role: Role) {
        self.aim(Target::Primary, Some(role), None);
    }

    /// This member is Secondary: what must not run on one stops, then what has to run starts.
    pub fn become_secondary(&self, role: Role) {
        self.aim(Target::Secondary, Some(role), None);
    }

    /// What runs on the Primary only stops, each in its grace, all of it before `kill_by`; then
    /// [`ProcessEvent::ServingStopped`] follows. Said again with an earlier time, that time counts.
    pub fn stop_serving(&self, kill_by: Option<BootTime>) {
        self.aim(Target::Between, None, kill_by);
    }

    fn aim(&self, target: Target, role: Option<Role>, kill_by: Option<BootTime>) {
        self.aims.send_modify(|aim| {
            aim.target = target;
            if let Some(role) = role {
                aim.role = role;
            }
            aim.kill_by = kill_by;
            aim.number += 1;
            aim.said = BootTime::now();
        });
    }

    /// What runs on the Primary only may run until `until`, if nothing else is said by then (P6). Costs a microsecond.
    ///
    /// # Errors
    /// What the operating system says; it has no reason to.
    pub fn renew(&self, until: BootTime) -> io::Result<()> {
        self.deadline.set(until)
    }

    /// Starts, stops or restarts a process by an operator's word; [`ProcessEvent::Operated`] with this ticket follows when
    /// the outcome is known. None: too much is asked at once, and nothing is done.
    pub fn operate(&mut self, name: &str, operation: Operation) -> Option<Ticket> {
        let ticket = self.next_ticket();
        let request = Request::Operate { name: name.to_owned(), operation, ticket };
        self.requests.try_send(request).ok().map(|()| ticket)
    }

    fn next_ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        ticket
    }

    /// Whether [`Processes::reload`] would be heard now.
    pub fn can_reload(&self) -> bool {
        self.requests.capacity() > 0
    }

    /// The file was read again (U10): what it does not name any more stops, then what is new or changed starts, in the
    /// order of the file as far as the places of those that were there before allow. [`ProcessEvent::Reloaded`] follows when
    /// what it ends is gone. False: too much is asked at once, and nothing is done.
    pub fn reload(&mut self, processes: Vec<ProcessConfig>, hooks: Hooks) -> bool {
        let times = Times::of(&processes, &hooks);
        let ticket = self.next_ticket();
        let request = Request::Reload { processes, hooks: Box::new(hooks), ticket };
        if self.requests.try_send(request).is_err() {
            return false;
        }
        // What stops because of this may take as long as it could before, and may be a Primary's as before.
        self.longest_stop = self.longest_stop.max(times.longest_stop);
        self.longest_end = self.longest_end.max(times.longest_end);
        if times.bound == Bound::Something {
            self.bound_to_primary = Bound::Something;
        }
        self.reloading = Some((ticket, times));
        true
    }

    /// What this reload ended is gone: from now on things take only as long as the file says that was read then. Nothing
    /// follows while a later one is under way.
    pub fn reloaded(&mut self, ticket: Ticket) {
        if let Some((_, times)) = self.reloading.take_if(|(last, _)| *last == ticket) {
            (self.longest_stop, self.longest_end) = (times.longest_stop, times.longest_end);
        }
    }

    /// Runs the hook `on_alarm` with this on its standard input.
    pub fn alarm(&self, json: String) {
        if self.requests.try_send(Request::Alarm { json }).is_err() {
            tracing::warn!("too many alarms at once for the hook on_alarm");
        }
    }

    /// How the processes stand, in the order of the file.
    pub fn snapshots(&self) -> Arc<[ProcessSnapshot]> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Snapshots as they change.
    pub fn watch(&self) -> watch::Receiver<Arc<[ProcessSnapshot]>> {
        self.snapshots.clone()
    }

    /// How long stopping what runs on the Primary only can take at worst, the hook before it included.
    pub fn longest_stop(&self) -> Duration {
        self.longest_stop
    }

    /// Whether there is anything that only a Primary may run.
    pub fn bound_to_primary(&self) -> Bound {
        self.bound_to_primary
    }

    /// Everything stops, each in its grace; then the guardian closes the listening sockets and ends. What happens meanwhile
    /// is still told to `events`, and passed to `tell`.
    pub async fn shutdown(self, events: &mut mpsc::Receiver<ProcessEvent>, mut tell: impl FnMut(ProcessEvent)) {
        let Processes { aims, requests, snapshots, deadline, mut task, longest_end, .. } = self;
        // The runner ends when nobody can want anything of it any more.
        drop((aims, requests, snapshots));
        let too_long = tokio::time::sleep(longest_end);
        tokio::pin!(too_long);
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => tell(event),
                ended = &mut task => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the processes' task ended badly");
                    }
                    break;
                }
                () = &mut too_long => {
                    // What cannot even be killed keeps the guardian, and the listening sockets with it.
                    tracing::error!("a process does not end; its guardian goes on killing it");
                    task.abort();
                    break;
                }
            }
        }
        while let Ok(event) = events.try_recv() {
            tell(event);
        }
        drop(deadline);
    }

    /// How long [`Processes::shutdown`] takes at most.
    pub fn longest_end(&self) -> Duration {
        self.longest_end
    }
}

//! The guardian: a process of its own that starts the required processes for its controller, and outlives it by the
//! moment that it takes to kill them all (P1, P6). The hidden command `tandem guardian`.
//!
//! It decides nothing about modes or restarts; it does what its controller says over a socket, and two things unasked:
//!
//! * The socket closes, because the controller has ended, however it did: everything is killed, then the listening
//!   sockets are closed, last, then the guardian ends. So "refused" tells a peer that nothing acts here any more.
//! * The deadline passes, because the controller is frozen or stuck: what may only run on a Primary is killed.
//!
//! It is a loop over `poll` on one thread, without tokio, so that it stays small and nothing of it can be stuck; it never
//! waits for the controller to read. Signals that a terminal or a service manager sends mean the controller, and are
//! blocked here.

pub mod cgroup;
mod kill;
pub mod tree;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, setsid};

use super::channel;
use super::deadline::Deadline;
use super::messages::{End, Failure, Job, LaunchId, MARKER, Order, Program, Right, Word};
use super::time::BootTime;

/// How soon killing is tried again where something is still there: what was forked between looking and killing.
const AGAIN: Duration = Duration::from_millis(5);

/// How far one launch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It may run.
    Runs,
    /// It was told to end; its grace is the controller's to count.
    Terminates,
    /// All of it is being killed.
    Dies,
}

/// One launch that is not gone.
#[derive(Debug)]
struct Launch {
    pid: Pid,
    right: Right,
    phase: Phase,
    /// The trampoline's end of the socket, until it has become the program.
    trampoline: Option<OwnedFd>,
    failed: Option<String>,
    end: Option<End>,
}

/// Everything the guardian holds.
struct Guardian {
    controller: OwnedFd,
    signals: SignalFd,
    timer: TimerFd,
    deadline: Deadline,
    /// Closed last; never used.
    listeners: Vec<OwnedFd>,
    instance: String,
    cgroups: Option<cgroup::Cgroups>,
    launches: BTreeMap<LaunchId, Launch>,
    /// Words that the controller has not read yet.
    outbox: VecDeque<Vec<u8>>,
    /// Something may be gone, but of some process nobody could say whose it is.
    look_again: bool,
}

/// Guards until the controller at the other end of standard input has gone.
///
/// # Errors
/// The operating system refuses what a guardian is made of; nothing was started then.
pub fn run() -> anyhow::Result<()> {
    // Whoever started it by hand has no socket there, and a session of its own is no matter then.
    let controller = io::stdin().as_fd().try_clone_to_owned().context("standard input")?;
    let (order, mut files) = channel::receive::<Order>(&controller)
        .context("standard input is no controller: this command is started by `tandem run`")?
        .context("the controller has ended")?;
    let Order::Begin { instance } = order else { anyhow::bail!("the controller does not begin at the beginning") };
    anyhow::ensure!(!files.is_empty(), "the controller sent no deadline");
    let deadline = Deadline::from_file(files.remove(0));
    // Not a leader of a group, unless somebody starts it by hand from a shell: then the session is the shell's.
    let _ = setsid();
    nix::sys::prctl::set_child_subreaper(true).context("orphans cannot be taken in")?;
    // Should somebody have stopped it when its controller ends, it goes on, and sees that end.
    nix::sys::prctl::set_pdeathsig(Signal::SIGCONT).context("the controller's end cannot be watched")?;
    SigSet::all().thread_block().context("signals cannot be blocked")?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    // Counts on while the machine is suspended, and rings at once when it wakes up.
    let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
    nix::fcntl::fcntl(&controller, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
    let null = std::fs::File::open("/dev/null").context("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    let cgroups = cgroup::Cgroups::make(&instance);
    let mut guardian = Guardian {
        controller,
        signals,
        timer,
        deadline,
        listeners: files,
        instance,
        cgroups,
        launches: BTreeMap::new(),
        outbox: VecDeque::new(),
        look_again: false,
    };
    let guarded = guardian.guard();
    guardian.end();
    guarded
}

impl Guardian {
    /// Turns until the controller is gone.
    fn guard(&mut self) -> anyhow::Result<()> {
        loop {
            let wait = if self.look_again || self.launches.values().any(|launch| launch.phase == Phase::Dies) {
                PollTimeout::try_from(AGAIN).unwrap_or(PollTimeout::ZERO)
            } else {
                PollTimeout::NONE
            };
            let talk = if self.outbox.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT };
            let trampolines: Vec<LaunchId> = self
                .launches
                .iter()
                .filter(|(_, launch)| launch.trampoline.is_some())
                .map(|(launch, _)| *launch)
                .collect();
            let mut watched = vec![
                PollFd::new(self.controller.as_fd(), talk),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.timer.as_fd(), PollFlags::POLLIN),
            ];
            let ends = self.launches.values().filter_map(|launch| launch.trampoline.as_ref());
            watched.extend(ends.map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN)));
            match poll(&mut watched, wait) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context("nothing can be waited for"),
            }
            let ready = |at: usize| watched.get(at).is_some_and(|fd| fd.any().unwrap_or(true));
            let said = ready(0);
            let listened: Vec<LaunchId> =
                trampolines.iter().enumerate().filter(|(at, _)| ready(at + 3)).map(|(_, launch)| *launch).collect();
            drop(watched);
            for launch in listened {
                self.hear_trampoline(launch);
            }
            self.check_deadline();
            self.reap();
            if said && !self.hear_controller() {
                return Ok(());
            }
            self.finish();
            if !self.talk() {
                return Ok(());
            }
        }
    }

    fn say(&mut self, word: &Word) {
        // Every word is short enough; the sentence in a failure is the operating system's.
        if let Ok(bytes) = channel::encode(word) {
            self.outbox.push_back(bytes);
        }
    }

    /// Passes on what the controller can take now. False: it is gone.
    fn talk(&mut self) -> bool {
        while let Some(bytes) = self.outbox.front() {
            match channel::send(&self.controller, bytes, &[]) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Does what the controller says. False: it is gone.
    fn hear_controller(&mut self) -> bool {
        loop {
            match channel::receive::<Order>(&self.controller) {
                Ok(Some((order, files))) => self.obey(order, files),
                Ok(None) => return false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.say(&Word::Fault { text: format!("an order cannot be read: {error}") });
                }
                Err(_) => return false,
            }
        }
    }

    fn obey(&mut self, order: Order, files: Vec<OwnedFd>) {
        match order {
            Order::Begin { .. } => {}
            Order::Launch { launch, right, program } => {
                if let Err(why) = self.launch(launch, right, program, &files) {
                    self.say(&Word::Failed { launch, why });
                }
            }
            Order::Terminate { launch } => self.terminate(launch),
            Order::Kill { launch } => {
                if let Some(found) = self.launches.get_mut(&launch) {
                    found.phase = Phase::Dies;
                }
            }
        }
    }

    fn launch(&mut self, launch: LaunchId, right: Right, program: Program, files: &[OwnedFd]) -> Result<(), String> {
        let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
        let (mine, theirs) = channel::pair().map_err(failed("no socket for the trampoline"))?;
        let cgroup = self.cgroups.as_mut().and_then(|cgroups| cgroups.add(launch));
        let job = Job { program, guardian: getpid().as_raw(), cgroup };
        let bytes = channel::encode(&job).map_err(failed("the command"))?;
        let streams: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        channel::send(&mine, &bytes, &streams).map_err(failed("the trampoline cannot be told"))?;
        let child = Command::new("/proc/self/exe")
            .arg("launch")
            .env(MARKER, format!("{}-{}", self.instance, launch.0))
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed("the trampoline cannot be started"))?;
        let pid = i32::try_from(child.id()).map_err(|_| "a process id out of range".to_owned())?;
        let new = Launch {
            pid: Pid::from_raw(pid),
            right,
            phase: Phase::Runs,
            trampoline: Some(mine),
            failed: None,
            end: None,
        };
        self.launches.insert(launch, new);
        if right == Right::Primary {
            self.arm(self.deadline.get());
        }
        Ok(())
    }

    /// The trampoline has become the program, or says why not.
    fn hear_trampoline(&mut self, launch: LaunchId) {
        let Some(found) = self.launches.get_mut(&launch) else { return };
        let Some(socket) = found.trampoline.take() else { return };
        match channel::receive::<Failure>(&socket) {
            Ok(Some((failure, _))) => found.failed = Some(failure.why),
            Ok(None) => {
                let pid = found.pid.as_raw();
                self.say(&Word::Started { launch, pid });
            }
            Err(error) => found.failed = Some(format!("the trampoline cannot be heard: {error}")),
        }
    }

    /// What may only run on a Primary ends when the deadline is over.
    fn check_deadline(&mut self) {
        let _ = self.timer.wait();
        let bound = |launch: &Launch| launch.right == Right::Primary && launch.phase != Phase::Dies;
        if !self.launches.values().any(bound) {
            return;
        }
        let (now, until) = (BootTime::now(), self.deadline.get());
        if now < until {
            return self.arm(until);
        }
        let mut overdue = Vec::new();
        for (launch, found) in self.launches.iter_mut().filter(|(_, found)| bound(found)) {
            found.phase = Phase::Dies;
            overdue.push(*launch);
        }
        let late = u64::try_from(now.since(until).as_nanos()).unwrap_or(u64::MAX);
        self.say(&Word::Overdue { launches: overdue, killed: now.nanoseconds(), late });
    }

    /// The timer rings when `until` is over.
    fn arm(&mut self, until: BootTime) {
        // A timer set to zero never rings.
        let until = until.0.max(Duration::from_nanos(1));
        let set =
            self.timer.set(Expiration::OneShot(TimeSpec::from_duration(until)), TimerSetTimeFlags::TFD_TIMER_ABSTIME);
        if let Err(error) = set {
            self.say(&Word::Fault { text: format!("the guardian's timer cannot be set: {error}") });
        }
    }

    /// Takes note of every end, of its own and of those that it has taken in.
    fn reap(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        loop {
            let (pid, end) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => (pid, End::Status(status)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, End::Signal(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            let found = self.launches.iter().find(|(_, found)| found.pid == pid && found.end.is_none());
            let Some(launch) = found.map(|(launch, _)| *launch) else { continue };
            // Its last word may not have been heard yet.
            self.hear_trampoline(launch);
            let Some(found) = self.launches.get_mut(&launch) else { continue };
            found.end = Some(end);
            if found.phase == Phase::Runs {
                // What it leaves behind would act beside its successor.
                found.phase = Phase::Dies;
            }
            if found.failed.is_none() {
                self.say(&Word::Exited { launch, end });
            }
        }
    }

    /// Everything is killed, then the sockets are closed: whoever finds them closed knows that nothing acts here.
    fn end(mut self) {
        loop {
            kill::all(&self);
            self.reap();
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => break,
                Ok(_) | Err(_) => {
                    let mut watched = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
                    let _ = poll(&mut watched, PollTimeout::try_from(AGAIN).unwrap_or(PollTimeout::ZERO));
                }
            }
        }
        // Removing hundreds of groups takes a second or more; nothing is in them, so no peer is to wait for that.
        drop(self.listeners);
        drop(self.cgroups.take());
    }
}

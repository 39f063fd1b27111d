//! Running a program that may hang, flood, or leave children behind: one deadline, one process group, bounded output.
//!
//! It blocks, so it belongs on a thread of its own. The program is waited for by its exit (a pidfd), not by the end of its
//! output: a child that keeps the pipe open delays nothing. Its group is killed before the program is reaped, so its number
//! cannot have become somebody else's.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::bell::Bell;

/// One reading from the program's output.
const CHUNK: usize = 64 << 10;

/// Readings after the program's end: a pipe holds one chunk, and whoever still writes is none of ours.
const LAST_READINGS: usize = 4;

/// How long a killed program may take to be gone: only one that waits for hardware in the kernel takes longer.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Where agents look for their tools; nothing of the controller's own environment reaches them.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Which of the program's streams are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    /// Standard output and standard error, in the order written.
    Both,
    /// Standard output; warnings on standard error would spoil what it says.
    Output,
}

/// What to run.
pub(super) struct Job<'a> {
    /// This very program, which becomes the program and dies with the thread that waits; none: nothing stands in between.
    pub(super) launcher: Option<&'a Path>,
    /// The program.
    pub(super) program: &'a Path,
    /// Its arguments. No secret is among them: everybody can read them.
    pub(super) arguments: &'a [String],
    /// What it reads on its standard input, which is closed then.
    pub(super) input: &'a [u8],
    /// What of its output is kept.
    pub(super) streams: Streams,
    /// How many bytes of it: the last.
    pub(super) keep: usize,
    /// When it is given up.
    pub(super) deadline: Instant,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// It was given up at its deadline, and killed.
    TimedOut,
    /// Something more urgent came up, and it was killed.
    Interrupted,
    /// It could not be started.
    NotStarted(String),
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) ended: Ended,
    /// The last of its output.
    pub(super) output: Vec<u8>,
    /// How many bytes of output before it were thrown away.
    pub(super) dropped: u64,
    /// From its start to its end.
    pub(super) took: Duration,
}

/// Runs `job`. At first, and whenever `bell` rings, `interrupt` says whether something more urgent has come up.
pub(super) fn run(job: &Job<'_>, bell: &Bell, interrupt: &mut dyn FnMut() -> bool) -> Ran {
    let started = Instant::now();
    let mut kept = Kept { bytes: Vec::new(), keep: job.keep, dropped: 0 };
    // The bell may have been silenced by who waited for it before.
    let ended = if interrupt() {
        Ended::Interrupted
    } else {
        match Running::start(job) {
            Ok(running) => running.wait_for_end(job, bell, interrupt, &mut kept),
            Err(error) => Ended::NotStarted(why_not_started(job.program, &error)),
        }
    };
    Ran { ended, output: kept.bytes, dropped: kept.dropped, took: started.elapsed() }
}

/// Why a program does not start, for a person.
pub(super) fn why_not_started(program: &Path, error: &io::Error) -> String {
    let program = program.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("{program} does not exist, or the interpreter in its first line does not"),
        io::ErrorKind::PermissionDenied => format!("{program} is not executable"),
        _ => format!("{program} cannot be started: {error}"),
    }
}

/// The last bytes of the output.
struct Kept {
    bytes: Vec<u8>,
    keep: usize,
    dropped: u64,
}

impl Kept {
    fn add(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        // Cut seldom, and by much, so that a flood costs little.
        if self.bytes.len() > 2 * self.keep {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let over = self.bytes.len().saturating_sub(self.keep);
        self.bytes.drain(..over);
        self.dropped += over as u64;
    }
}

struct Running {
    group: Pid,
    exited: OwnedFd,
    input: Option<ChildStdin>,
    output: Option<PipeReader>,
}

impl Running {
    fn start(job: &Job<'_>) -> io::Result<Running> {
        let (reader, writer) = io::pipe()?;
        let mut command = match job.launcher {
            Some(launcher) => super::trampoline::command(launcher, job.program),
            None => Command::new(job.program),
        };
        command.args(job.arguments).stdin(Stdio::piped()).process_group(0).current_dir("/");
        command.env_clear().env("PATH", PATH).env("LC_ALL", "C");
        // Most agents are written in Python, whose warnings about itself would bury what they have to say.
        command.env("PYTHONWARNINGS", "ignore");
        if let Some(home) = std::env::var_os("HOME") {
            // Agents that go through ssh look for their known hosts there.
            command.env("HOME", home);
        }
        match job.streams {
            Streams::Both => command.stderr(writer.try_clone()?),
            Streams::Output => command.stderr(Stdio::null()),
        };
        command.stdout(writer);
        let mut child = command.spawn()?;
        // The command holds the writing end still; the reader must see the end when the program ends.
        drop(command);
        let input = child.stdin.take().filter(|_| !job.input.is_empty());
        let group = Pid::from_child(&child);
        let ready = || -> io::Result<OwnedFd> {
            non_blocking(&reader)?;
            if let Some(input) = &input {
                non_blocking(input)?;
            }
            Ok(pidfd_open(group, PidfdFlags::empty())?)
        };
        match ready() {
            Ok(exited) => Ok(Running { group, exited, input, output: Some(reader) }),
            Err(error) => {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn wait_for_end(
        mut self,
        job: &Job<'_>,
        bell: &Bell,
        interrupt: &mut dyn FnMut() -> bool,
        kept: &mut Kept,
    ) -> Ended {
        let mut left = job.input;
        let stopped = loop {
            let time = job.deadline.saturating_duration_since(Instant::now());
            if time.is_zero() {
                break Some(Ended::TimedOut);
            }
            let ready = match self.wait(bell, left, time) {
                Ok(ready) => ready,
                // Nothing can be watched any more, so nothing can be believed.
                Err(_) => break Some(Ended::Interrupted),
            };
            if ready.bell {
                bell.silence();
                if interrupt() {
                    break Some(Ended::Interrupted);
                }
            }
            if ready.output {
                self.read(kept);
            }
            if ready.input {
                left = self.write(left);
            }
            if ready.exited {
                break None;
            }
        };
        // Whatever it left behind in its group goes with it; it was judged by its exit status, not by theirs.
        let _ = kill_process_group(self.group, Signal::KILL);
        let status = self.reap();
        for _ in 0..LAST_READINGS {
            self.read(kept);
        }
        kept.cut();
        match (stopped, status) {
            (Some(ended), _) => ended,
            (None, Some(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => Ended::Exited(code),
                (None, signal) => Ended::Signalled(signal.unwrap_or(0)),
            },
            (None, None) => Ended::NotStarted(format!("the exit status of {} was lost", job.program.display())),
        }
    }

    fn wait(&self, bell: &Bell, left: &[u8], time: Duration) -> nix::Result<Ready> {
        let mut fds =
            vec![PollFd::new(self.exited.as_fd(), PollFlags::POLLIN), PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
        if let Some(output) = &self.output {
            fds.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
        }
        if let Some(input) = self.input.as_ref().filter(|_| !left.is_empty()) {
            fds.push(PollFd::new(input.as_fd(), PollFlags::POLLOUT));
        }
        // Rounded up: a timeout of zero milliseconds would spin until the deadline.
        let time = time + Duration::from_micros(999);
        match poll(&mut fds, PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let of = |place: usize| ready.get(place).copied().unwrap_or(false);
        let output = self.output.is_some();
        Ok(Ready { exited: of(0), bell: of(1), output: output && of(2), input: of(if output { 3 } else { 2 }) })
    }

    fn read(&mut self, kept: &mut Kept) {
        let Some(output) = &mut self.output else { return };
        let mut chunk = [0; CHUNK];
        match output.read(&mut chunk) {
            Ok(0) => self.output = None,
            Ok(read) => kept.add(&chunk[..read]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.output = None,
        }
    }

    /// Writes what fits, and closes the input when all is written or nobody reads it.
    fn write<'a>(&mut self, left: &'a [u8]) -> &'a [u8] {
        let Some(input) = &mut self.input else { return &[] };
        let left = match input.write(left) {
            Ok(written) => &left[written..],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => left,
            Err(_) => &[],
        };
        if left.is_empty() {
            self.input = None;
        }
        left
    }

    /// Waits until the whole group is gone, and says with which status the program went. What it left behind is this
    /// process's to reap too: a controller takes in orphans. The program's number is its group's, and stays so while anything
    /// of the group is unreaped.
    fn reap(&mut self) -> Option<ExitStatus> {
        let by = Instant::now() + GONE_WITHIN;
        let group = nix::unistd::Pid::from_raw(-self.group.as_raw_nonzero().get());
        let mut status = None;
        loop {
            match waitpid(group, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid.as_raw() == -group.as_raw() => {
                    status = Some(ExitStatus::from_raw(code << 8));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() == -group.as_raw() => {
                    status = Some(ExitStatus::from_raw(signal as i32));
                }
                Ok(WaitStatus::StillAlive) if Instant::now() < by => std::thread::sleep(Duration::from_millis(1)),
                // It hangs in the kernel until some hardware answers.
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) | Err(nix::Error::EINTR) => {}
                // Nothing of the group is left.
                Err(_) => break,
            }
        }
        status
    }
}

/// What is ready.
struct Ready {
    exited: bool,
    bell: bool,
    output: bool,
    input: bool,
}

fn non_blocking(fd: &impl AsFd) -> nix::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

//! The process that the shell knows is only a stand-in (U3, U8): engine and screen run in a child with a session of its
//! own, so that Ctrl-Z, a closed terminal, a dropped line or a stopped job reach the stand-in and never the engine.
//!
//! The two talk by signals, which need no setting up and cannot block:
//!
//! | from the stand-in to the child | |
//! |---|---|
//! | SIGWINCH | the window changed |
//! | SIGTSTP | somebody asks the job to stop: suspend the screen, then SIGUSR1 |
//! | SIGCONT | the job goes on: take the terminal again |
//! | SIGTERM, SIGINT, SIGQUIT | the same for the engine |
//! | SIGHUP | the terminal is gone; also sent by the kernel when the stand-in dies |
//!
//! | from the child to the stand-in | |
//! |---|---|
//! | SIGUSR1 | the terminal is given back: stop yourself |
//! | SIGUSR2 | the screen was left: end with 0, the engine goes on |

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;

use anyhow::Context;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getpid, getppid, setsid};
use rustix::termios::{self, OptionalActions};

use super::options::Left;
use super::terminal::{self, Title};

/// Set for the child: the process id of its stand-in.
const VARIABLE: &str = "TANDEM_STAND_IN";

/// Set in the child, by [`enter`].
static CURRENT: OnceLock<StandIn> = OnceLock::new();

/// Which of the two processes this is, after [`enter`].
#[derive(Debug)]
pub enum Role {
    /// The child: it runs engine and screen.
    Engine,
    /// The stand-in, at its end: the process ends with this status.
    Over(u8),
}

/// What the child knows of its stand-in.
#[derive(Debug, Clone, Copy)]
pub struct StandIn {
    pid: Pid,
}

/// Splits `tandem run` in two. To be called first, before any thread is started and any file is opened.
///
/// # Errors
/// When the child cannot be started, or, in the child, when it cannot have a session of its own.
pub fn enter() -> anyhow::Result<Role> {
    let told = std::env::var(VARIABLE).ok().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    // A process further down that inherited the variable is no child of a stand-in.
    if let Some(pid) = told.filter(|pid| *pid == getppid()) {
        // Set once: this function is called once.
        let _ = CURRENT.set(StandIn { pid });
        SigSet::all().thread_unblock().context("signals cannot be unblocked")?;
        setsid().context("no session of its own can be had")?;
        // Whatever ends the stand-in, the screen hears of it.
        nix::sys::prctl::set_pdeathsig(Signal::SIGHUP).context("the stand-in's end cannot be watched")?;
        return Ok(Role::Engine);
    }
    stand_in()
}

impl StandIn {
    /// This process's stand-in, even if it has just ended; none in a process that was started without one.
    pub fn current() -> Option<StandIn> {
        CURRENT.get().copied()
    }

    fn tell(self, signal: Signal) {
        // Only the parent itself: once it has ended, its number may be another's.
        if getppid() == self.pid {
            let told = kill(self.pid, signal);
            debug_assert!(matches!(told, Ok(()) | Err(Errno::ESRCH)));
        }
    }

    /// The terminal is given back: the job stops.
    pub fn suspend(&self) {
        self.tell(Signal::SIGUSR1);
    }

    /// Whether it was stopped from outside. One that a debugger holds for a moment is not: no shell has taken the terminal,
    /// and none would say when it goes on.
    pub fn is_stopped(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T')))
    }
}

/// The screen has ended and the terminal is given back: what goes on has no terminal any more, and the shell's prompt
/// comes back.
pub fn screen_left(stand_in: &StandIn, left: Left) {
    match left {
        // The engine is about to end; the stand-in waits for its status.
        Left::EngineGone | Left::Told => {}
        Left::Asked | Left::TerminalLost => {
            if let Err(error) = to_null() {
                tracing::warn!(%error, "standard streams still point to the terminal");
            }
            stand_in.tell(Signal::SIGUSR2);
        }
    }
}

fn to_null() -> anyhow::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").context("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

fn stand_in() -> anyhow::Result<Role> {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGWINCH,
        Signal::SIGCONT,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGTSTP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGCHLD,
    ] {
        signals.add(signal);
    }
    signals.thread_block().context("signals cannot be blocked")?;
    let inbox = SignalFd::new(&signals).context("signals cannot be read")?;
    let mut only_continued = SigSet::empty();
    only_continued.add(Signal::SIGCONT);
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let continued = SignalFd::with_flags(&only_continued, flags).context("signals cannot be read")?;
    let modes = termios::tcgetattr(std::io::stdin()).context("the terminal's modes cannot be read")?;
    let mut child = Command::new("/proc/self/exe")
        .arg0(env!("CARGO_PKG_NAME"))
        .args(std::env::args_os().skip(1))
        .env(VARIABLE, getpid().to_string())
        .spawn()
        .context("the engine's process cannot be started")?;
    let engine = Pid::from_raw(i32::try_from(child.id()).context("a process id out of range")?);
    loop {
        let signal = match inbox.read_signal() {
            Ok(Some(info)) => i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok()),
            Ok(None) | Err(Errno::EINTR) => None,
            Err(error) => return Err(error).context("signals cannot be read"),
        };
        match signal {
            Some(Signal::SIGCHLD) => {
                if let Some(status) = ended(&mut child)? {
                    if let Some(signal) = status.signal() {
                        give_back(&modes);
                        // With its terminal gone there is nobody to tell.
                        let _ = writeln!(
                            std::io::stderr(),
                            "tandem: its own process {engine} was ended by {}",
                            name(signal)
                        );
                    }
                    return Ok(Role::Over(exit_code(status)));
                }
            }
            Some(Signal::SIGUSR2) => return Ok(Role::Over(0)),
            Some(Signal::SIGUSR1) => {
                stop_the_job(&signals)?;
                // What has just continued it is told once: a second word could come after the next Ctrl-Z, and the screen
                // would take the terminal from the shell.
                while let Ok(Some(_)) = continued.read_signal() {}
                go_on(engine);
            }
            Some(Signal::SIGCONT) => go_on(engine),
            Some(Signal::SIGHUP) => {
                forward(engine, Signal::SIGHUP);
                return Ok(Role::Over(0));
            }
            Some(other) => forward(engine, other),
            None => {}
        }
    }
}

fn ended(child: &mut Child) -> anyhow::Result<Option<ExitStatus>> {
    child.try_wait().context("the engine's process cannot be waited for")
}

fn forward(engine: Pid, signal: Signal) {
    let sent = kill(engine, signal);
    // It may just have ended; its SIGCHLD is on the way.
    debug_assert!(matches!(sent, Ok(()) | Err(Errno::ESRCH)));
}

/// The screen takes the terminal again, unless the shell has put the job into the background.
fn go_on(engine: Pid) {
    if nix::unistd::tcgetpgrp(std::io::stdin()).is_ok_and(|foreground| foreground == nix::unistd::getpgrp()) {
        forward(engine, Signal::SIGCONT);
    }
}

/// Stops the whole job, as Ctrl-Z does; returns when it is continued. Where no shell could continue it, the kernel
/// ignores the signal, and the screen comes straight back.
fn stop_the_job(signals: &SigSet) -> anyhow::Result<()> {
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTSTP);
    kill(Pid::from_raw(0), Signal::SIGTSTP).context("the job cannot be stopped")?;
    // The signal is blocked; it takes effect here.
    stop.thread_unblock().context("the job cannot be stopped")?;
    signals.thread_block().context("signals cannot be blocked again")
}

/// The child was killed and could not give the terminal back itself. As everywhere, the modes come before the ordinary
/// screen: whoever sees that types at a shell.
fn give_back(modes: &termios::Termios) {
    let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, modes);
    terminal::leave(&std::io::stdout(), Title::of(&std::env::var("TERM").unwrap_or_default()));
}

fn name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    u8::try_from(code).unwrap_or(1)
}

/// Whether the login manager would kill the engine at the end of this login session: then what to do about it.
pub fn login_manager_warning() -> Option<String> {
    let folders =
        ["/usr/lib/systemd/logind.conf.d", "/usr/local/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d"];
    let mut texts = vec![std::fs::read_to_string("/etc/systemd/logind.conf").unwrap_or_default()];
    for folder in folders.into_iter().chain(["/etc/systemd/logind.conf.d"]) {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        texts.extend(paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()));
    }
    let inside = std::fs::read_to_string("/proc/self/cgroup").is_ok_and(|cgroup| cgroup.contains("/session-"));
    (inside && kills_processes(&texts)).then(|| {
        "tandem: the login manager here kills what a session leaves behind (KillUserProcesses=yes in logind.conf): \
         the controller will end with this login. Run it as a systemd service, or start it with \
         `systemd-run --scope --user tandem run` after `loginctl enable-linger`."
            .to_owned()
    })
}

/// The last setting counts.
fn kills_processes(texts: &[String]) -> bool {
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    let last = lines.filter_map(|line| line.strip_prefix("KillUserProcesses=")).next_back();
    last.is_some_and(|value| matches!(value.trim().to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u3_a_login_manager_that_kills_is_noticed() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert!(!kills_processes(&texts(&["[Login]\n#KillUserProcesses=yes\n"])));
        assert!(kills_processes(&texts(&["[Login]\nKillUserProcesses=yes\n"])));
        assert!(!kills_processes(&texts(&["KillUserProcesses=yes", "KillUserProcesses=no\n"])));
    }
}

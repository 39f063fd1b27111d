//! Killing what a guardian left behind that was killed itself: the kernel ends what it had started, but not what that had
//! started in turn. It is found by its control group, by the marker in its environment, and by the session of the guardian.
//!
//! A process that has been killed acts on for a moment: it holds its port, its lock and its device until the kernel has let
//! go of them. So this waits for each end, also for that of processes which are ending already and cannot be recognised any
//! more.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getsid};

use super::guardian::cgroup;
use super::guardian::tree::{self, Marker};

/// How long it may take before the controller goes on, and says so.
const WITHIN: Duration = Duration::from_secs(2);

/// How soon it is looked again.
const AGAIN: Duration = Duration::from_millis(2);

/// Whose leftovers are killed.
#[derive(Debug, Clone)]
pub enum Whose {
    /// What runs of this controller before this one left: their instances begin with `controller`, this one's is `instance`.
    EarlierRuns {
        /// What the instances of all runs begin with.
        controller: String,
        /// This run.
        instance: String,
    },
    /// What a guardian of this run left, which has been waited for.
    Guardian {
        /// This run.
        instance: String,
        /// The guardian, which led a session.
        pid: Pid,
    },
}

impl Whose {
    fn prefix(&self) -> &str {
        match self {
            Whose::EarlierRuns { controller, .. } => controller,
            Whose::Guardian { instance, .. } => instance,
        }
    }

    fn spare(&self) -> Option<&str> {
        match self {
            Whose::EarlierRuns { instance, .. } => Some(instance),
            Whose::Guardian { .. } => None,
        }
    }

    /// Whether a process with this marker is one of them.
    fn carries(&self, marker: &Marker) -> bool {
        marker.starts_with(self.prefix()) && self.spare().is_none_or(|spare| !marker.starts_with(spare))
    }

    /// Whether `pid` is one of them by its session, which outlives a wiped environment.
    fn led(&self, pid: Pid) -> bool {
        match self {
            Whose::EarlierRuns { .. } => false,
            Whose::Guardian { pid: guardian, .. } => getsid(Some(pid)) == Ok(*guardian),
        }
    }

    fn look(&self) -> Look {
        let inhabited = cgroup::clear(self.prefix(), self.spare());
        // What the guardian's end made orphans became this process's, which takes them in.
        let mine = tree::with_descendants(tree::children(getpid()).unwrap_or_default());
        let mut look = Look { left: Vec::new(), unknown: inhabited };
        for pid in tree::all().into_iter().filter(|pid| *pid != getpid()) {
            let (marker, mine) = (Marker::of(pid), mine.contains(&pid));
            if self.carries(&marker) || (mine && self.led(pid)) {
                look.left.push(pid);
            } else if mine && marker == Marker::Unreadable {
                look.unknown += 1;
            }
        }
        look
    }
}

/// What one look has found.
struct Look {
    /// What is to be killed.
    left: Vec<Pid>,
    /// How many there may be beside: groups that somebody is in, and processes of which nobody can say just now.
    unknown: usize,
}

/// Kills everything that is left, waits for the end of all of it, and reaps what became this process's child. Blocks.
/// Returns how many there were.
///
/// # Errors
/// Something is still there after [`WITHIN`].
pub fn sweep(whose: &Whose) -> io::Result<usize> {
    let began = Instant::now();
    let mut ending: Vec<Pid> = Vec::new();
    let mut killed = 0;
    loop {
        let Look { left, unknown } = whose.look();
        for pid in &left {
            let _ = kill(*pid, Signal::SIGKILL);
            if !ending.contains(pid) {
                ending.push(*pid);
                killed += 1;
            }
        }
        ending.retain(|pid| match waitpid(*pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => true,
            Err(Errno::ECHILD) => !tree::has_ended(*pid),
            Ok(_) | Err(_) => false,
        });
        // Only a look that finds nothing shows that nothing was forked since the one before.
        if left.is_empty() && ending.is_empty() && unknown == 0 {
            return Ok(killed);
        }
        if began.elapsed() > WITHIN {
            let left = ending.len().max(unknown).max(1);
            return Err(io::Error::other(format!("{left} of the processes that a guardian left behind do not end")));
        }
        std::thread::sleep(AGAIN);
    }
}

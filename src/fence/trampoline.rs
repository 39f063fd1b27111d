//! The trampoline: the program that becomes a fence agent (`tandem fence-agent`, hidden).
//!
//! An agent must not outlive the controller that runs it: one that hangs would hang for ever. The kernel kills it with the
//! thread that waits for it, once it has asked for that itself, between fork and exec, where next to nothing is allowed. So
//! the controller starts this, which asks, and executes the agent.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// The word of the hidden command.
pub const WORD: &str = "fence-agent";

/// What the controller starts: `launcher fence-agent OWN-PID PROGRAM ARGUMENTS`.
pub(super) fn command(launcher: &Path, program: &Path) -> Command {
    let mut command = Command::new(launcher);
    command.args([OsStr::new(WORD), OsStr::new(&std::process::id().to_string()), program.as_os_str()]);
    command
}

/// Becomes `words`, a program and its arguments, as long as the controller `parent` lives. Returns only when that failed.
pub fn become_agent(parent: i32, words: &[OsString]) -> io::Error {
    let Some((program, arguments)) = words.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no program was named");
    };
    if let Err(error) = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL) {
        return error.into();
    }
    if getppid() != Pid::from_raw(parent) {
        return io::Error::other("the controller has ended");
    }
    Command::new(program).args(arguments).exec()
}

//! The trampoline: the program that becomes a required process (`tandem launch`, hidden).
//!
//! The guardian starts it with a socket as its standard input. From that it takes what to become, makes itself what the
//! configuration asks for (user, directory, limits, streams), and executes the program. The socket closes by that; when
//! something stands in the way, the trampoline says so on the socket and ends. So nothing has to happen between fork and
//! exec, where next to nothing is allowed to.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, User, getppid};

use super::channel;
use super::messages::{Failure, Job, Program};

/// Variables that are the controller's own and mislead whoever inherits them.
const NOT_INHERITED: [&str; 9] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "TANDEM_STAND_IN",
    "TANDEM_DEMO_ROLE",
    "TANDEM_DEMO_PARENT",
];

/// What a controller needs to run processes as another user.
const NEEDED: &str = "tandem needs CAP_SETUID, CAP_SETGID and CAP_KILL for it (CapabilityBoundingSet= of its unit)";

/// Becomes what the guardian at the other end of standard input says. Returns only when that failed, which the guardian
/// has been told by then.
pub fn launch() -> io::Result<()> {
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let Some((job, files)) = channel::receive::<Job>(&socket)? else {
        // The guardian has ended: so does this.
        return Ok(());
    };
    let Err(why) = become_it(&job, files);
    channel::send(&socket, &channel::encode(&Failure { why })?, &[])
}

fn become_it(job: &Job, files: Vec<OwnedFd>) -> Result<Infallible, String> {
    let program = &job.program;
    let [stdin, stdout] = &files[..] else { return Err("the guardian sent no standard streams".to_owned()) };
    let failed = |what: &'static str| move |error: nix::Error| format!("{what}: {}", error.desc());
    SigSet::all().thread_unblock().map_err(failed("signals cannot be unblocked"))?;
    nix::unistd::dup2_stdin(stdin).map_err(failed("standard input"))?;
    nix::unistd::dup2_stdout(stdout).map_err(failed("standard output"))?;
    nix::unistd::dup2_stderr(stdout).map_err(failed("standard error"))?;
    if let Some(cgroup) = &job.cgroup {
        enter(cgroup, program)?;
    }
    be_ordinary();
    limit(program, job.cgroup.as_deref())?;
    let user = program.user.as_deref().map(change_user).transpose()?;
    std::env::set_current_dir(&program.directory)
        .map_err(|error| format!("the directory {}: {}", program.directory.display(), plain(&error)))?;
    // After the change of user, which clears it.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("the guardian's end cannot be watched"))?;
    if getppid() != Pid::from_raw(job.guardian) {
        return Err("the guardian has ended".to_owned());
    }
    let Some((name, arguments)) = program.command.split_first() else { return Err("there is no command".to_owned()) };
    let mut command = Command::new(name);
    command.args(arguments);
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    if let Some(user) = user {
        command.env("USER", &user.name).env("LOGNAME", &user.name).env("HOME", &user.dir);
    }
    let error = command.envs(&program.environment).exec();
    Err(format!("{name}: {}", plain(&error)))
}

/// What stands in the controller's favour is not its processes': an earlier turn on the processor, and the kernel's
/// patience when memory runs out. Giving up either is always allowed.
fn be_ordinary() {
    let _ = rustix::process::setpriority_process(None, 0);
    drop(std::fs::write("/proc/self/oom_score_adj", "0"));
}

/// Enters the control group, which holds all descendants together, whatever they do.
fn enter(cgroup: &Path, program: &Program) -> Result<(), String> {
    std::fs::write(cgroup.join("cgroup.procs"), "0")
        .map_err(|error| format!("the control group {}: {}", cgroup.display(), plain(&error)))?;
    if let Some(memory) = program.memory {
        // Without the memory controller there is no such file; then the limit below holds.
        drop(std::fs::write(cgroup.join("memory.max"), memory.to_string()));
    }
    Ok(())
}

fn limit(program: &Program, cgroup: Option<&Path>) -> Result<(), String> {
    let by_cgroup = cgroup.is_some_and(|cgroup| {
        let limit = std::fs::read_to_string(cgroup.join("memory.max")).unwrap_or_default();
        program.memory.is_some_and(|_| limit.trim().parse::<u64>().is_ok())
    });
    if let Some(memory) = program.memory.filter(|_| !by_cgroup) {
        setrlimit(Resource::RLIMIT_AS, memory, memory)
            .map_err(|error| format!("limits.memory cannot be set: {}", error.desc()))?;
    }
    if let Some(files) = program.open_files {
        setrlimit(Resource::RLIMIT_NOFILE, files, files)
            .map_err(|error| format!("limits.open_files cannot be set to {files}: {}", error.desc()))?;
    }
    Ok(())
}

fn change_user(name: &str) -> Result<User, String> {
    let user = User::from_name(name)
        .map_err(|error| format!("the user {name} cannot be looked up: {}", error.desc()))?
        .ok_or_else(|| format!("there is no user {name}"))?;
    if user.uid == nix::unistd::getuid() {
        return Ok(user);
    }
    let refused = |error: nix::Error| format!("cannot become the user {name}: {}; {NEEDED}", error.desc());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if may_kill_others(&status) == Some(false) {
        return Err(format!("as the user {name} it could not be stopped again; {NEEDED}"));
    }
    let text = CString::new(name).map_err(|_| format!("there is no user {name}"))?;
    nix::unistd::initgroups(&text, user.gid).map_err(refused)?;
    nix::unistd::setgid(user.gid).map_err(refused)?;
    nix::unistd::setuid(user.uid).map_err(refused)?;
    Ok(user)
}

/// Whether a process with this `/proc/PID/status` may send signals to other users'; none when it does not say. Who cannot
/// end what it starts must not start it (P1).
fn may_kill_others(status: &str) -> Option<bool> {
    /// CAP_KILL's number in capabilities(7).
    const KILL: u64 = 1 << 5;
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(capabilities.trim(), 16).ok().map(|capabilities| capabilities & KILL != 0)
}

/// The operating system's words without its number.
fn plain(error: &io::Error) -> String {
    match error.raw_os_error().map(nix::Error::from_raw) {
        Some(nix::Error::ENOENT) => "no such file".to_owned(),
        Some(number) => number.desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_who_may_not_signal_other_users_is_told_by_its_capabilities() {
        let status = |capabilities: &str| format!("Name:\ttandem\nCapPrm:\t0\nCapEff:\t{capabilities}\nCapBnd:\t0\n");
        assert_eq!(may_kill_others(&status("000001ffffffffff")), Some(true));
        assert_eq!(may_kill_others(&status("000001ffffffffdf")), Some(false));
        assert_eq!(may_kill_others(&status("0000000000000000")), Some(false));
        assert_eq!(may_kill_others("Name:\ttandem\n"), None);
    }
}

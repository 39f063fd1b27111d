//! Who descends from whom, read from /proc, and whose marker a process carries.
//!
//! The guardian is a subreaper: whatever its descendants do (fork twice, leave group and session), they stay in the tree
//! below it. An orphan becomes its own child; then the marker in the orphan's environment says which launch it came from,
//! and where that was wiped out, the group or the session that it may have kept.

use std::fs;
use std::io;

use nix::unistd::Pid;

use crate::process::messages::{LaunchId, MARKER};

/// What the kernel says of a process that has been waited for since its file was opened.
const ESRCH: i32 = nix::errno::Errno::ESRCH as i32;

/// The children of every thread of `pid`.
///
/// # Errors
/// `NotFound`: it has ended, or this kernel does not tell.
pub fn children(pid: Pid) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path().join("children");
        match fs::read_to_string(path) {
            Ok(text) => found.extend(text.split_whitespace().filter_map(|word| word.parse().ok()).map(Pid::from_raw)),
            // A thread that has just ended has none: its process's other threads have them now.
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// `roots` and everything below them.
pub fn with_descendants(roots: impl IntoIterator<Item = Pid>) -> Vec<Pid> {
    let mut all: Vec<Pid> = roots.into_iter().collect();
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        at += 1;
        // One that has ended since has none; those it had are children of the guardian by now.
        for child in children(pid).unwrap_or_default() {
            if !all.contains(&child) {
                all.push(child);
            }
        }
    }
    all
}

/// What tells where a process came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its marker.
    pub marker: Marker,
    /// The launch in it, if it is one of this instance.
    pub launch: Option<LaunchId>,
    /// Its process group.
    pub group: Pid,
    /// Its session.
    pub session: Pid,
}

/// What a process says of itself by the environment that it was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// It carries this one.
    Is(String),
    /// It carries none: it never did, it was wiped out, or the process has ended.
    Missing,
    /// Nobody can say just now: the process is ending and may still hold its files, or is becoming another program. Both
    /// are over in a moment.
    Unreadable,
}

impl Marker {
    /// That of `pid`.
    pub fn of(pid: Pid) -> Marker {
        // What has no memory any more, or not yet, is read as nothing or not at all.
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let mut environment = read("environ");
        if environment.is_empty() {
            if read("cmdline").is_empty() {
                return if has_ended(pid) || is_hidden(pid) { Marker::Missing } else { Marker::Unreadable };
            }
            // It has become a program between the two looks, or has no environment.
            environment = read("environ");
        }
        environment
            .split(|byte| *byte == 0)
            .find_map(|variable| variable.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"="))
            .and_then(|value| String::from_utf8(value.to_vec()).ok())
            .map_or(Marker::Missing, Marker::Is)
    }

    /// Whether it begins with `prefix`.
    pub fn starts_with(&self, prefix: &str) -> bool {
        match self {
            Marker::Is(marker) => marker.starts_with(prefix),
            Marker::Missing | Marker::Unreadable => false,
        }
    }

    /// The launch of `instance` in it.
    fn launch(&self, instance: &str) -> Option<LaunchId> {
        match self {
            Marker::Is(marker) => marker.strip_prefix(instance)?.strip_prefix('-')?.parse().ok().map(LaunchId),
            Marker::Missing | Marker::Unreadable => None,
        }
    }
}

/// Whether the environment of `pid` is not for this user's eyes, ever.
fn is_hidden(pid: Pid) -> bool {
    fs::File::open(format!("/proc/{pid}/environ")).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Where `pid` came from; none when it has ended.
pub fn origin(pid: Pid, instance: &str) -> Option<Origin> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; after its last parenthesis come state, parent, group and session.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(2);
    let group = Pid::from_raw(fields.next()?.parse().ok()?);
    let session = Pid::from_raw(fields.next()?.parse().ok()?);
    let marker = Marker::of(pid);
    Some(Origin { launch: marker.launch(instance), marker, group, session })
}

/// Whether `pid` has ended with all its threads and has let go of its files, waited for or not.
pub fn has_ended(pid: Pid) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The name may hold anything; the state comes after its last parenthesis.
    let ended = stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
    // The first thread may have ended before the others.
    ended && fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count) <= 1
}

/// Every process of this machine.
pub fn all() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn p1_a_grandchild_in_a_session_of_its_own_is_found_with_its_marker() {
        // The shell stays: its last command is a builtin.
        let mut shell = Command::new("sh")
            .args(["-c", "setsid sleep 60 & echo $!; read end"])
            .env(MARKER, "state-incarnation-7")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        io::BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let sleep = Pid::from_raw(line.trim().parse().unwrap());
        let root = Pid::from_raw(shell.id().cast_signed());
        let all = with_descendants([root]);
        assert!(all.contains(&root) && all.contains(&sleep), "{all:?} without {sleep}");
        // While a program is being executed its environment cannot be read; from then on it is no other's.
        let started = std::time::Instant::now();
        let is_sleep = || fs::read_to_string(format!("/proc/{sleep}/comm")).unwrap() == "sleep\n";
        while !is_sleep() || origin(sleep, "state-incarnation").unwrap().launch != Some(LaunchId(7)) {
            assert!(started.elapsed() < std::time::Duration::from_secs(20), "no marker");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(origin(sleep, "another").unwrap().launch, None);
        let everywhere = super::all();
        for pid in [root, sleep] {
            assert!(everywhere.contains(&pid) && Marker::of(pid).starts_with("state-incarnation-"), "{pid}");
        }
        nix::sys::signal::kill(sleep, nix::sys::signal::Signal::SIGKILL).unwrap();
        shell.kill().unwrap();
        shell.wait().unwrap();
    }

    #[test]
    fn one_that_has_ended_has_no_origin_and_no_children() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        child.wait().unwrap();
        assert_eq!(origin(pid, "x"), None);
        assert_eq!(with_descendants([pid]), [pid]);
    }
}

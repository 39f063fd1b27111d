//! Who descends from whom, read from /proc, and whose marker a process carries.
//!
//! The guardian is a subreaper: whatever its descendants do (fork twice, leave group and session), they stay in the tree
//! below it. An orphan becomes its own child; then the marker in the orphan's environment says which launch it came from,
//! and where that was wiped out, the group or the session that it may have kept.

use std::fs;
use std::io;

use nix::unistd::Pid;

use crate::process::messages::{LaunchId, MARKER};

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
            // A thread that has just ended has none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
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
    /// The launch in its marker, if it carries one of this instance.
    pub launch: Option<LaunchId>,
    /// Its process group.
    pub group: Pid,
    /// Its session.
    pub session: Pid,
}

/// Where `pid` came from; none when it has ended.
pub fn origin(pid: Pid, instance: &str) -> Option<Origin> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; after its last parenthesis come state, parent, group and session.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(2);
    let group = Pid::from_raw(fields.next()?.parse().ok()?);
    let session = Pid::from_raw(fields.next()?.parse().ok()?);
    let launch =
        marker(pid).and_then(|marker| marker.strip_prefix(instance)?.strip_prefix('-')?.parse().ok()).map(LaunchId);
    Some(Origin { launch, group, session })
}

/// The value of the marker in the environment that `pid` was started with.
pub fn marker(pid: Pid) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"="))
        .and_then(|value| String::from_utf8(value.to_vec()).ok())
}

/// Every process of this machine whose marker begins with `prefix`.
pub fn marked(prefix: &str) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter(|pid| marker(*pid).is_some_and(|marker| marker.starts_with(prefix)))
        .collect()
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
        // While a program is being executed its environment cannot be read.
        let started = std::time::Instant::now();
        while origin(sleep, "state-incarnation").unwrap().launch != Some(LaunchId(7)) {
            assert!(started.elapsed() < std::time::Duration::from_secs(20), "no marker");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(origin(sleep, "another").unwrap().launch, None);
        let marked = marked("state-incarnation-");
        assert!(marked.contains(&root) && marked.contains(&sleep), "{marked:?}");
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

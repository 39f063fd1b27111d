//! Control groups (version 2), where they may be had: a group for each launch, below the guardian's own. Nothing that a
//! program does takes its descendants out of it, and one write kills them all. Where none can be made (no version 2, not
//! permitted), descendants are found by other means, and nothing is lost but this certainty.

use std::fs;
use std::path::PathBuf;

use nix::unistd::{Pid, getpid};

use crate::process::messages::LaunchId;

/// What the name of a guardian's group begins with.
const PREFIX: &str = "tandem-";

/// The groups of one guardian. Removed when dropped, if they are empty.
#[derive(Debug)]
pub struct Cgroups {
    /// In the file system.
    folder: PathBuf,
    /// As /proc names it, below which the launches are.
    name: String,
}

impl Cgroups {
    /// A group for the launches of `instance`; none when it cannot be had.
    pub fn make(instance: &str) -> Option<Cgroups> {
        let (own, mount) = own()?;
        // Another guardian of the same controller may have left its group behind.
        let name = format!("{}/{PREFIX}{instance}-{}", own.trim_end_matches('/'), getpid());
        let folder = mount.join(name.trim_start_matches('/'));
        fs::create_dir(&folder).ok()?;
        let cgroups = Cgroups { folder, name };
        // Older than Linux 5.14: no killing by one write, and then no use.
        cgroups.folder.join("cgroup.kill").exists().then_some(cgroups)
    }

    /// A group for `launch`; none when it cannot be made.
    pub fn add(&mut self, launch: LaunchId) -> Option<PathBuf> {
        let folder = self.of(launch);
        fs::create_dir(&folder).ok().map(|()| folder)
    }

    /// Removes the empty group of `launch`.
    pub fn remove(&mut self, launch: LaunchId) {
        drop(fs::remove_dir(self.of(launch)));
    }

    /// Kills everything in the group of `launch`.
    pub fn kill(&self, launch: LaunchId) {
        drop(fs::write(self.of(launch).join("cgroup.kill"), "1"));
    }

    /// Kills everything in every group.
    pub fn kill_all(&self) {
        drop(fs::write(self.folder.join("cgroup.kill"), "1"));
    }

    /// The launch in whose group `pid` is.
    pub fn launch_of(&self, pid: Pid) -> Option<LaunchId> {
        let name = own_name(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)?;
        let rest = name.strip_prefix(&self.name)?.strip_prefix('/')?;
        rest.split('/').next()?.parse().ok().map(LaunchId)
    }

    fn of(&self, launch: LaunchId) -> PathBuf {
        self.folder.join(launch.0.to_string())
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                drop(fs::remove_dir(entry.path()));
            }
        }
        drop(fs::remove_dir(&self.folder));
    }
}

/// Kills what is left in the groups of instances that begin with `prefix`, but not with `spare`, and removes the groups
/// that are empty by then: what a killed guardian left behind, whatever it did to its environment. Says how many are not.
pub fn clear(prefix: &str, spare: Option<&str>) -> usize {
    let Some((own, mount)) = own() else { return 0 };
    let mut inhabited = 0;
    for entry in fs::read_dir(mount.join(own.trim_start_matches('/'))).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let instance = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default();
        if instance.starts_with(prefix) && spare.is_none_or(|spare| !instance.starts_with(spare)) {
            drop(fs::write(entry.path().join("cgroup.kill"), "1"));
            // The kernel counts one that is ending until it has let go of its files.
            if fs::read_to_string(entry.path().join("cgroup.events")).is_ok_and(|events| is_inhabited(&events)) {
                inhabited += 1;
            } else {
                drop(Cgroups { folder: entry.path(), name: String::new() });
            }
        }
    }
    inhabited
}

/// Whether a group with these `cgroup.events` has a process in it, or in a group below.
fn is_inhabited(events: &str) -> bool {
    events.lines().any(|line| line == "populated 1")
}

/// This process's group, and where the file system is.
fn own() -> Option<(String, PathBuf)> {
    let own = own_name(&fs::read_to_string("/proc/self/cgroup").ok()?)?;
    let mount = mount_point(&fs::read_to_string("/proc/self/mountinfo").ok()?)?;
    Some((own, mount))
}

/// The group in a `/proc/PID/cgroup`: the line of hierarchy 0.
fn own_name(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// Where version 2 is mounted, from a mountinfo.
fn mount_point(text: &str) -> Option<PathBuf> {
    text.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let whole = before.split(' ').nth(3)? == "/";
        (whole && after.starts_with("cgroup2 ")).then(|| before.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_a_group_tells_whether_anybody_is_in_it() {
        assert!(is_inhabited("populated 1\nfrozen 0\n"));
        assert!(!is_inhabited("populated 0\nfrozen 1\n"));
    }

    #[test]
    fn the_version_2_hierarchy_is_found_beside_others() {
        let mounts = "33 25 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      34 33 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(mounts), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(mount_point("35 33 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"), None);
        assert_eq!(
            own_name("4:memory:/a\n0::/system.slice/tandem.service\n").as_deref(),
            Some("/system.slice/tandem.service")
        );
    }
}

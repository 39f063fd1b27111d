//! Ending what was started: which processes belong to a launch, and signals for all of them.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid};

use crate::process::messages::{LaunchId, Right, Word};

use super::tree::{self, Marker};
use super::{Guardian, Phase};

/// Orphans that this guardian has taken in, and where each belongs.
type Orphans = Vec<(Pid, Owner)>;

/// Where an orphan belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// To this launch.
    Is(LaunchId),
    /// Nobody can say: it wiped its environment, and left group and session.
    Nobody,
    /// Nobody can say yet: it is ending, or becoming another program. So it may be anybody's for a moment.
    NotYet,
}

impl Guardian {
    /// SIGTERM to the process group, and to those that left it.
    pub(super) fn terminate(&mut self, launch: LaunchId) {
        let orphans = self.orphans();
        let Some(found) = self.launches.get_mut(&launch) else { return };
        if found.phase == Phase::Runs {
            found.phase = Phase::Terminates;
        }
        let group = found.pid;
        if found.end.is_none() {
            let _ = killpg(group, Signal::SIGTERM);
        }
        for pid in self.members(launch, &orphans) {
            let inside = tree::origin(pid, &self.instance).is_none_or(|origin| origin.group == group);
            if !inside {
                let _ = kill(pid, Signal::SIGTERM);
            }
        }
    }

    /// Kills on where something is dying, and says what is gone.
    pub(super) fn finish(&mut self) {
        self.look_again = false;
        if !self.launches.values().any(|launch| launch.phase == Phase::Dies || launch.end.is_some()) {
            return;
        }
        let orphans = self.orphans();
        // Whoever was missed when its launch was found to be gone must not act beside its successor.
        for (pid, owner) in &orphans {
            if let Owner::Is(owner) = owner
                && !self.launches.contains_key(owner)
            {
                let _ = kill(*pid, Signal::SIGKILL);
            }
        }
        let unknown = orphans.iter().any(|(_, owner)| *owner == Owner::NotYet);
        for launch in self.launches.keys().copied().collect::<Vec<_>>() {
            let Some(found) = self.launches.get(&launch) else { continue };
            if found.phase == Phase::Dies {
                if found.end.is_none() {
                    let _ = killpg(found.pid, Signal::SIGKILL);
                }
                if let Some(cgroups) = &self.cgroups {
                    cgroups.kill(launch);
                }
                for pid in self.members(launch, &orphans) {
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
            let Some(found) = self.launches.get(&launch) else { continue };
            if found.end.is_none() || !self.members(launch, &orphans).is_empty() {
                continue;
            }
            if unknown {
                self.look_again = true;
                continue;
            }
            let failed = self.launches.remove(&launch).and_then(|found| found.failed);
            if let Some(cgroups) = &mut self.cgroups {
                cgroups.remove(launch);
            }
            self.say(&match failed {
                Some(why) => Word::Failed { launch, why },
                None => Word::Gone { launch },
            });
        }
    }

    /// The processes of a launch that have not been reaped.
    fn members(&self, launch: LaunchId, orphans: &Orphans) -> Vec<Pid> {
        let Some(found) = self.launches.get(&launch) else { return Vec::new() };
        let main = found.end.is_none().then_some(found.pid);
        // Where nobody can say to whom an orphan belongs, it goes with whatever may only run on a Primary: of two that
        // act, the wrong one dead is the lesser evil (P6). Where there is only one launch, it is that one's.
        let strays = found.phase == Phase::Dies && (found.right == Right::Primary || self.launches.len() == 1);
        let own = orphans
            .iter()
            .filter(|(_, owner)| match owner {
                Owner::Is(owner) => *owner == launch,
                Owner::Nobody => strays,
                Owner::NotYet => false,
            })
            .map(|(pid, _)| *pid);
        tree::with_descendants(main.into_iter().chain(own))
    }

    /// The children of this guardian that it did not start.
    fn orphans(&self) -> Orphans {
        let children = tree::children(getpid()).unwrap_or_default();
        let started = |pid: Pid| self.launches.values().any(|launch| launch.pid == pid && launch.end.is_none());
        children.into_iter().filter(|pid| !started(*pid)).map(|pid| (pid, self.owner(pid))).collect()
    }

    fn owner(&self, pid: Pid) -> Owner {
        if let Some(launch) = self.cgroups.as_ref().and_then(|cgroups| cgroups.launch_of(pid)) {
            return Owner::Is(launch);
        }
        let Some(origin) = tree::origin(pid, &self.instance) else { return Owner::Nobody };
        let by_group =
            || self.launches.iter().find(|(_, launch)| launch.pid == origin.group || launch.pid == origin.session);
        match (origin.launch.or_else(|| by_group().map(|(launch, _)| *launch)), origin.marker) {
            (Some(launch), _) => Owner::Is(launch),
            (None, Marker::Unreadable) => Owner::NotYet,
            (None, Marker::Is(_) | Marker::Missing) => Owner::Nobody,
        }
    }
}

/// SIGKILL to every descendant of this guardian.
pub(super) fn all(guardian: &Guardian) {
    if let Some(cgroups) = &guardian.cgroups {
        cgroups.kill_all();
    }
    let me = getpid();
    for pid in tree::with_descendants(tree::children(me).unwrap_or_default()) {
        let _ = kill(pid, Signal::SIGKILL);
    }
}

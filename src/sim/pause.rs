//! A whole machine that stands still for a while and goes on, with everything on it: a virtual machine that is paused or
//! moved, a laptop that is closed. While it lasts nothing on it acts; whether it is noticed afterwards is the hypervisor's
//! choice (S9).

use super::process::Run;
use super::world::World;
use crate::negotiation::exchange::Input;
use crate::negotiation::member::MemberId;

/// Whether a machine's clocks tell it afterwards that it stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The boot-time clock went on.
    Shown,
    /// Every clock of the machine stood still with it.
    Hidden,
}

impl World {
    /// Everything on a member's machine stands still, its guardian too: nothing of it acts, and nothing of it is ended. Says
    /// whether it had acted.
    pub(super) fn pause(&mut self, member: MemberId) -> bool {
        let process = &mut self.processes[member.index()];
        if process.run == Run::Running {
            process.run = Run::Frozen { since: self.now };
        }
        std::mem::take(&mut process.serves)
    }

    /// Its guardian and its controller go on.
    pub(super) fn unpause(&mut self, member: MemberId, gap: Gap) {
        let index = member.index();
        let Run::Frozen { since } = self.processes[index].run else { return };
        match gap {
            Gap::Shown => {
                let process = &self.processes[index];
                if process.serves && process.guarded_until <= self.now {
                    self.guardian_kills(index, process.serving_era);
                }
                self.thaw(index);
            }
            Gap::Hidden => {
                let process = &mut self.processes[index];
                process.clock.hide(since, self.now);
                process.run = Run::Running;
                process.tick_at = u64::MAX;
                for input in std::mem::take(&mut process.inbox) {
                    self.notify(index, input);
                }
                self.notify(index, Input::Tick);
                for other in (0..self.processes.len()).filter(|other| *other != index) {
                    let (link, _) = self.link_of(index, other);
                    self.look_for(link);
                }
            }
        }
    }
}

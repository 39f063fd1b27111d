//! Fencing devices, as the world has them: agents that work, fail, lie or hang, and the power that they switch off.

use std::time::Duration;

use super::fault::{Agent, Crash};
use super::happening::Happening;
use super::process::Run;
use super::rng::nanos;
use super::world::World;
use crate::negotiation::exchange::{FenceResult, Input};
use crate::negotiation::member::MemberId;

/// A device that works takes this long to switch off.
const TAKES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Then the agent asks the device whether it is off.
const STATUS_TAKES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(200));

/// When a driver gives up an agent that hangs, unless the configuration says otherwise.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_secs(20);

impl World {
    /// A member's driver starts the agent that switches `peer` off.
    pub(super) fn fence(&mut self, member: usize, peer: MemberId) {
        let life = self.processes[member].life;
        let after = match self.agents[peer.index()] {
            Agent::Works => {
                let strikes = self.rng.between(TAKES.0, TAKES.1);
                self.queue.push(self.now + nanos(strikes), Happening::Strikes { member, life, peer });
                return;
            }
            Agent::Fails | Agent::Lies => self.rng.between(TAKES.0, TAKES.1),
            Agent::Hangs => self.agents_given_up_after[peer.index()],
        };
        let off = self.agents[peer.index()] == Agent::Lies;
        if off {
            // From here on nothing can be promised: the device itself betrays.
            self.checks.believe_no_device();
        }
        self.queue.push(self.now + nanos(after), Happening::Fenced { member, life, peer, off });
    }

    /// The power of a host goes.
    pub(super) fn strikes(&mut self, member: usize, life: u32, peer: MemberId) {
        // The agent of a member that is gone meanwhile may have reached the device, or not.
        let agent_lives = self.processes[member].life == life;
        if !agent_lives && self.rng.chance(50) {
            return;
        }
        let target = peer.index();
        if self.processes[target].alive() {
            self.crash(target, Crash::Host);
        } else {
            self.processes[target].serves = false;
            self.processes[target].forced = false;
            self.processes[target].run = Run::Off { refuses: false };
        }
        let status = self.rng.between(STATUS_TAKES.0, STATUS_TAKES.1);
        self.queue.push(self.now + nanos(status), Happening::Fenced { member, life, peer, off: true });
    }

    pub(super) fn fenced(&mut self, member: usize, life: u32, peer: MemberId, off: bool) {
        if self.processes[member].life != life {
            return;
        }
        let result =
            if off { FenceResult::Off } else { FenceResult::Failed { why: "the device does not answer".to_owned() } };
        self.notify(member, Input::Fenced { peer, result });
    }

    /// Whether a member's host has no power, as somebody who looked would see.
    pub(super) fn has_no_power(&self, member: MemberId) -> bool {
        matches!(self.processes[member.index()].run, Run::Off { refuses: false })
            && !self.processes[member.index()].serves
    }
}

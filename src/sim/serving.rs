//! What runs only on the Primary, as the world sees it: processes that take their time to stop, samplers that look at
//! them, and a guardian that ends them when the controller is frozen or dead (P2, P6).

use std::time::Duration;

use super::happening::Happening;
use super::process::Run;
use super::rng::nanos;
use super::world::World;
use crate::negotiation::exchange::Input;
use crate::negotiation::message::Mode;
use crate::negotiation::time::Instant;

/// The guardian of a dead controller needs at most this long.
const GUARDIAN_NEEDS: Duration = Duration::from_millis(300);

/// A sampler looks at most so long after something changed.
const SAMPLED_WITHIN: Duration = Duration::from_millis(1_000);

impl World {
    /// Begins to stop, and says whether that is done already.
    pub(super) fn stop_serving(&mut self, member: usize, by: Option<Instant>) -> bool {
        let process = &self.processes[member];
        if process.stop_time.is_zero() {
            return true;
        }
        let (longest, era) = (process.stop_time, process.serving_era);
        let killed = by.map_or(u64::MAX, |by| process.clock.reaches(by));
        let takes = self.rng.between(longest / 4, longest);
        let at = (self.now + nanos(takes)).min(killed.max(self.now));
        self.queue.push(at, Happening::ServingStops { member, era });
        false
    }

    pub(super) fn serving_stops(&mut self, member: usize, era: u32) {
        let process = &mut self.processes[member];
        if process.serving_era != era || !process.alive() {
            return;
        }
        process.serves = false;
        process.serving_era += 1;
        self.notify(member, Input::ServingStopped);
    }

    /// A frozen controller renews nothing.
    pub(super) fn guard_the_frozen(&mut self, member: usize) {
        let process = &self.processes[member];
        if process.serves {
            let (at, era) = (process.guarded_until.max(self.now), process.serving_era);
            self.queue.push(at, Happening::GuardianKills { member, era });
        }
    }

    /// The guardian outlives the controller, ends what runs, and closes the listening sockets last. A host that lost
    /// its power runs nothing any more.
    pub(super) fn guard_the_dead(&mut self, member: usize, refuses: bool) {
        let process = &mut self.processes[member];
        if !process.serves {
            return;
        }
        if !refuses || process.stop_time.is_zero() {
            process.serves = false;
            process.forced = false;
            return;
        }
        process.run = Run::Off { refuses: false };
        process.serving_era += 1;
        let (at, era) = (process.guarded_until, process.serving_era);
        let at = at.min(self.now + nanos(GUARDIAN_NEEDS)).max(self.now);
        self.queue.push(at, Happening::GuardianKills { member, era });
    }

    pub(super) fn guardian_kills(&mut self, member: usize, era: u32) {
        let process = &mut self.processes[member];
        if process.serving_era != era {
            return;
        }
        match process.run {
            Run::Running => {}
            Run::Frozen { .. } => {
                process.serves = false;
                process.killed = true;
                process.serving_era += 1;
            }
            Run::Off { .. } => {
                process.serves = false;
                process.forced = false;
                process.run = Run::Off { refuses: true };
            }
        }
    }

    /// A stall that was too short for the role to be lost, and long enough for the guardian: the Primary starts anew what
    /// was ended, as the node does.
    pub(super) fn serves_again(&mut self, member: usize) {
        let process = &mut self.processes[member];
        let acts = process.negotiator.as_ref().is_some_and(|negotiator| {
            let view = negotiator.view(process.clock.shows(self.now));
            view.mode == Mode::Primary && view.stopping.is_none() && view.transition.is_none()
        });
        if acts && !process.serves {
            process.serves = true;
            process.serving_era += 1;
            self.sample_soon(member);
        }
    }

    /// Something changed that a sampler will see.
    pub(super) fn sample_soon(&mut self, member: usize) {
        let life = self.processes[member].life;
        let wait = self.rng.between(Duration::ZERO, SAMPLED_WITHIN);
        self.queue.push(self.now + nanos(wait), Happening::Samples { member, life });
    }

    pub(super) fn sample(&mut self, member: usize) {
        let score = self.processes[member].score();
        self.notify(member, Input::Health { score });
    }
}

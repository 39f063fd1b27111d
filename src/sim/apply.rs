//! Faults and orders, carried out on the world.

use std::time::Duration;

use super::disk::Disk;
use super::fault::{Crash, Fault, Order, Way};
use super::happening::Happening;
use super::network::Closing;
use super::process::{Health, Run};
use super::rng::nanos;
use super::world::World;
use crate::negotiation::Negotiator;
use crate::negotiation::exchange::{Command, Input, StopCause};
use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::settings::Settings;
use crate::negotiation::term::Term;

impl World {
    /// Makes something go wrong, or right, now.
    pub fn apply(&mut self, fault: Fault) {
        if self.trace.is_on() {
            self.trace.fault(self.now, &self.group, &fault);
        }
        match fault {
            Fault::Start(member) => self.start(member.index()),
            Fault::Crash(member, crash) => self.crash(member.index(), crash),
            Fault::Freeze(member) => {
                let process = &mut self.processes[member.index()];
                if process.run == Run::Running {
                    process.run = Run::Frozen { since: self.now };
                    self.guard_the_frozen(member.index());
                }
            }
            Fault::Thaw(member) => self.thaw(member.index()),
            Fault::Cut(a, b, way) => {
                let lanes = match way {
                    Way::Both => [true, true],
                    Way::Forth => [true, false],
                    Way::Back => [false, true],
                };
                self.cut(a.index(), b.index(), lanes);
            }
            Fault::Heal(a, b) => self.heal(a.index(), b.index()),
            Fault::Delay(a, b, longest) => {
                let (index, _) = self.link_of(a.index(), b.index());
                self.links[index].set_delay(longest);
            }
            Fault::Rough(a, b, percent) => {
                let (index, _) = self.link_of(a.index(), b.index());
                self.links[index].set_rough(percent);
            }
            Fault::ClockRate(member, millionths) => self.processes[member.index()].next_rate = Some(millionths),
            Fault::SlowDisk(member, longest) => {
                self.processes[member.index()].disk.latency = (longest / 2, longest);
            }
            Fault::BreakDisk(member) => self.processes[member.index()].disk.broken = true,
            Fault::MendDisk(member) => {
                let disk = &mut self.processes[member.index()].disk;
                disk.broken = false;
                disk.latency = Disk::QUICK;
            }
            Fault::Sicken(member) => self.health(member.index(), Health::Sick),
            Fault::SickenProcesses(member) => self.health(member.index(), Health::SickProcesses),
            Fault::Recover(member) => self.health(member.index(), Health::Good),
            Fault::StopTime(member, longest) => {
                self.processes[member.index()].stop_time = longest;
                self.notify(member.index(), Input::StopTime { longest });
            }
            Fault::Fencing(member, agent) => self.agents[member.index()] = agent,
            Fault::Arbiter(fault) => self.arbiter_fault(fault),
            Fault::Reference(member, reference) => self.references[member.index()] = reference,
            Fault::Order(member, order) => self.order(member.index(), order),
            Fault::Stop(member, cause) => self.stop(member.index(), cause),
        }
    }

    fn start(&mut self, member: usize) {
        let now = self.now;
        let me = MemberId(member as u8);
        if self.processes[member].alive() {
            return;
        }
        let settings = Settings { me, ..self.settings_of(me).clone() };
        self.coverage.booted();
        let process = &mut self.processes[member];
        if let Some(millionths) = process.next_rate.take() {
            process.clock.set_rate(now, millionths);
        }
        let negotiator = Negotiator::new(settings, process.clock.shows(now), process.disk.kept.clone());
        // A group that cannot work is the caller's mistake, and every member stays off.
        let Ok(negotiator) = negotiator else { return };
        process.run = Run::Running;
        process.life += 1;
        process.negotiator = Some(negotiator);
        process.tick_at = u64::MAX;
        process.seen = process.disk.kept.as_ref().map_or(Term::NONE, |kept| kept.seen);
        // A new controller's first act is to end what the former one left.
        process.serves = false;
        process.serving_era += 1;
        process.forced = false;
        let longest = process.stop_time;
        for other in (0..self.processes.len()).filter(|other| *other != member) {
            let (index, side) = self.link_of(member, other);
            let theirs = self.links[index].ends[1 - side];
            if theirs.up {
                // Words for the process that was here before are answered with a reset.
                let wait = self.rng.between(Duration::from_millis(1), self.group.query_interval);
                let closes = Happening::Closes { link: index, side: 1 - side, epoch: theirs.epoch };
                self.queue.push(now + nanos(wait), closes);
            }
            self.look_for(index);
        }
        self.notify(member, Input::Tick);
        self.notify(member, Input::StopTime { longest });
        self.sample(member);
    }

    pub(super) fn crash(&mut self, member: usize, crash: Crash) {
        if self.processes[member].alive() {
            let closing = if self.rng.chance(50) { Closing::AtOnce } else { Closing::AfterTheLastWord };
            self.ends(member, crash == Crash::Process, closing);
        }
    }

    /// The driver's contract: first how late it is, then what lay in the sockets, then what it woke for.
    pub(super) fn thaw(&mut self, member: usize) {
        let process = &mut self.processes[member];
        let Run::Frozen { since } = process.run else { return };
        process.run = Run::Running;
        // A loop knows when it meant to wake, or, with a finer heartbeat, when it last ran.
        let due = process.negotiator.as_ref().and_then(Negotiator::next_deadline);
        let meant = due.map_or(self.now, |due| process.clock.reaches(due)).max(since);
        let meant = if self.rng.chance(50) { meant } else { since };
        let by = Duration::from_nanos(self.now.saturating_sub(meant));
        if !by.is_zero() {
            self.handle(member, Input::Late { by });
        }
        let inbox = std::mem::take(&mut self.processes[member].inbox);
        for input in inbox {
            self.notify(member, input);
        }
        let killed = std::mem::take(&mut self.processes[member].killed);
        if killed {
            self.notify(member, Input::ServingStopped);
        }
        self.notify(member, Input::Tick);
        if killed {
            self.serves_again(member);
        }
        self.next_call(member);
        for other in (0..self.processes.len()).filter(|other| *other != member) {
            let (index, _) = self.link_of(member, other);
            self.look_for(index);
        }
    }

    fn health(&mut self, member: usize, health: Health) {
        self.processes[member].health = health;
        self.sample(member);
    }

    fn order(&mut self, member: usize, order: Order) {
        let by = Name::new("mia");
        let unix_ms = 1_700_000_000_000 + self.now / 1_000_000;
        let command = match order {
            Order::TakeOver => Command::TakeOver { by, force: false },
            Order::ForceTakeOver => Command::TakeOver { by, force: true },
            Order::StepDown => Command::StepDown { by, force: false },
            Order::ForceStepDown => Command::StepDown { by, force: true },
            Order::Hold(lasts) => Command::Hold { by, lasts, unix_ms },
            Order::Resume => Command::Resume { by, unix_ms },
            Order::Fence(peer) => Command::Fence { peer, by },
            Order::IsOff(peer) if self.has_no_power(peer) => Command::IsOff { peer, by },
            Order::IsOff(_) => return,
        };
        self.notify(member, Input::Command(command));
    }

    fn stop(&mut self, member: usize, cause: StopCause) {
        if self.processes[member].alive() {
            self.processes[member].stopping = true;
            self.notify(member, Input::Stop { cause });
        }
    }
}

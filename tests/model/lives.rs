//! How controllers and hosts start, end and sleep.

use std::sync::Arc;

use tandem::negotiation::Negotiator;
use tandem::negotiation::exchange::Input;
use tandem::negotiation::time::Instant;

use super::actions::End;
use super::bounds::{TICK, Time};
use super::reached::Mark;
use super::states::{Machine, Run};
use super::steps::Turn;

impl Turn<'_> {
    pub fn start(&mut self, member: usize) {
        let settings = self.bounds.settings(member);
        let now = self.group.now;
        let this = &mut self.group.members[member];
        if this.kept.is_none() && this.life > 0 {
            self.bounds.reached.mark(Mark::DiskLost);
        }
        let negotiator = Negotiator::new(settings, now, this.kept.clone()).expect("usable settings");
        this.machine = Some(Arc::new(Machine::new(negotiator)));
        this.ends_serving();
        (this.run, this.killed) = (Run::Running, false);
        this.life += 1;
        self.group.links.iter_mut().filter(|link| link.ends.contains(&member)).for_each(|link| {
            let side = usize::from(link.ends[1] == member);
            link.up[side] = false;
            link.refused = [false; 2];
        });
        if self.bounds.stopping > 0 {
            let longest = TICK * u32::from(self.bounds.stopping);
            self.feed(member, Input::StopTime { longest });
        } else {
            self.feed(member, Input::Tick);
        }
    }

    pub fn crash(&mut self, member: usize, how: End) {
        let this = &mut self.group.members[member];
        let write = this.write.take();
        match how {
            End::ProcessAfterWriting | End::HostAfterWriting => {
                if let Some(write) = write {
                    this.kept = Some(write.state);
                }
            }
            End::HostWithDisk => {
                this.kept = None;
                // Which terms were acted in is known to the other at best: the controller says that it is not (N11).
                self.group.acted.clear();
            }
            End::Process | End::Host => {}
        }
        match how {
            End::Host | End::HostAfterWriting | End::HostWithDisk => return self.power_off(member),
            End::Process | End::ProcessAfterWriting => {}
        }
        self.gone(member);
        let this = &mut self.group.members[member];
        this.run = if this.serves { Run::Dying } else { Run::Off { refuses: true } };
        for link in 0..self.group.links.len() {
            if self.group.links[link].ends.contains(&member) && self.group.links[link].cut == [false; 2] {
                self.disconnect(link);
            }
        }
    }

    /// The host has no power: its last words may still arrive, and the other end knows nothing.
    pub fn power_off(&mut self, member: usize) {
        self.gone(member);
        let this = &mut self.group.members[member];
        this.ends_serving();
        this.run = Run::Off { refuses: false };
        this.agents.fill(None);
    }

    /// The controller is no more; what a dead end was sent is lost.
    pub fn gone(&mut self, member: usize) {
        self.leave_a_stray(member);
        let now = self.group.now;
        let this = &mut self.group.members[member];
        this.machine = None;
        (this.write, this.waiting, this.question) = (None, None, None);
        (this.due, this.killed, this.stopping) = (false, false, false);
        (this.sick, this.held) = (false, false);
        (this.ending, this.guarded_until) = (None, now);
        this.calls.clear();
        // What an agent that lost its controller still does is an outage more, and nobody acts on it.
        this.agents.fill(None);
        for link in self.group.links.iter_mut().filter(|link| link.ends.contains(&member)) {
            let side = usize::from(link.ends[1] == member);
            link.up[side] = false;
            link.queues[1 - side].clear();
        }
    }

    pub fn freeze(&mut self, member: usize) {
        let this = &mut self.group.members[member];
        (this.run, this.due) = (Run::Frozen { ticks: 0 }, false);
    }

    /// First how late it is, then what lay in the sockets, then what it woke for.
    pub fn thaw(&mut self, member: usize) {
        let Run::Frozen { ticks } = self.group.members[member].run else { return };
        self.group.members[member].run = Run::Running;
        if ticks > 0 {
            self.bounds.reached.mark(Mark::Late);
            let slept = TICK * u32::from(ticks);
            // A frozen machine's own clock stands where it fell asleep.
            let woke: Instant = match self.bounds.time {
                Time::Told => self.group.now + slept,
                Time::Plain => self.group.now,
            };
            self.feed_at(member, woke, Input::Late { by: slept });
        }
        for link in 0..self.group.links.len() {
            if !self.group.links[link].ends.contains(&member) {
                continue;
            }
            let side = usize::from(self.group.links[link].ends[1] == member);
            while self.group.members[member].run == Run::Running
                && self.group.links[link].up[side]
                && !self.group.links[link].cut[1 - side]
                && !self.group.links[link].queues[1 - side].is_empty()
            {
                self.deliver(link, 1 - side, 0);
            }
            if self.group.links[link].up == [side == 0, side == 1] {
                self.disconnect(link);
            }
        }
        if std::mem::take(&mut self.group.members[member].killed) {
            self.feed(member, Input::ServingStopped);
        }
        self.timer(member);
    }
}

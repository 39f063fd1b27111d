//! What the passing of an interval does: everything grows older, and who is due is told.

use std::time::Duration;

use tandem::negotiation::exchange::Input;

use super::bounds::{TICK, Time, Timers};
use super::machines::{pass, pass_message};
use super::reached::Mark;
use super::states::{Agent, LONGEST_FREEZE, Run};
use super::steps::Turn;

/// What is under way is as old as this at most: past every validity.
const OLDEST: u8 = 2;

impl Turn<'_> {
    pub fn tick(&mut self) {
        let now = self.group.now + TICK;
        if self.bounds.recovery {
            self.group.calm = (self.group.calm + 1).min(self.bounds.recovers_within());
        }
        self.grow_older();
        match self.bounds.time {
            Time::Plain => self.group.now = now,
            Time::Told => self.tell_anew(),
        }
        // The kernel and the guardian come first: a deadline that is over is over, whoever looks at it when.
        let killed = self.kill_what_is_over();
        let mut late = Vec::new();
        for (id, member) in self.group.members.iter_mut().enumerate() {
            let (Run::Running, Some(machine)) = (member.run, &member.machine) else { continue };
            let due = machine.negotiator.next_deadline();
            match self.bounds.time {
                Time::Told => member.machine = Some(pass(machine, now)),
                Time::Plain => {}
            }
            member.due = due.is_some_and(|due| due <= now);
            // What was due before the tick is done before anything else.
            if due.is_some_and(|due| due < now) {
                late.push(id);
            }
        }
        for member in killed {
            self.ended(member);
        }
        let everybody = self.bounds.timers == Timers::Synchronous;
        for member in 0..self.group.members.len() {
            if late.contains(&member) || (everybody && self.group.members[member].due) {
                self.timer(member);
            }
        }
    }

    pub fn timer(&mut self, member: usize) {
        self.group.members[member].due = false;
        self.feed(member, Input::Tick);
    }

    fn grow_older(&mut self) {
        let longest = match self.bounds.time {
            Time::Told => LONGEST_FREEZE,
            Time::Plain => u8::MAX,
        };
        let older = |age: &mut u8| *age = (*age + 1).min(OLDEST);
        for sent in self.group.links.iter_mut().flat_map(|link| link.queues.iter_mut().flatten()) {
            older(&mut sent.age);
        }
        for member in &mut self.group.members {
            member.write.iter_mut().for_each(|write| older(&mut write.age));
            for agent in member.agents.iter_mut().flatten() {
                let (Agent::Begun { age } | Agent::Struck { age }) = agent;
                older(age);
            }
            member.calls.iter_mut().for_each(|call| older(&mut call.age));
            member.question.iter_mut().for_each(|(_, age)| older(age));
            member.ending.iter_mut().for_each(|ending| older(&mut ending.age));
            // A request that is still on its way after so long is lost: nobody delivers it any more.
            member.stray.iter_mut().for_each(|stray| older(&mut stray.age));
            member.stray.take_if(|stray| stray.age >= OLDEST);
            member.references_lost = member.references_lost.map(|ticks| (ticks + 1).min(3));
            if let Run::Frozen { ticks } = &mut member.run {
                *ticks = ticks.saturating_add(1).min(longest);
            }
        }
    }

    /// The same, told from the epoch.
    fn tell_anew(&mut self) {
        let Some(passing) = self.passing(self.group.now + TICK) else { return };
        let group = &mut self.group;
        group.register.until = passing.instant(group.register.until, Duration::ZERO);
        for sent in group.links.iter_mut().flat_map(|link| link.queues.iter_mut().flatten()) {
            pass_message(&mut sent.message, &passing);
        }
        for member in &mut group.members {
            member.calls.iter_mut().for_each(|call| call.asked_at = passing.instant(call.asked_at, 3 * TICK));
            if let Some((asked_at, _)) = &mut member.question {
                *asked_at = passing.instant(*asked_at, 3 * TICK);
            }
            member.guarded_until = passing.instant(member.guarded_until, Duration::ZERO);
            if let Some(ending) = &mut member.ending {
                ending.by = ending.by.map(|by| passing.instant(by, Duration::ZERO));
            }
        }
    }

    /// What may run no longer: where the controller is frozen the guardian needs no word of it.
    fn kill_what_is_over(&mut self) -> Vec<usize> {
        let now = self.group.now;
        let mut killed = Vec::new();
        for (id, member) in self.group.members.iter().enumerate() {
            let over = match member.run {
                Run::Frozen { .. } => member.guarded_until <= now,
                Run::Running => member.ending.and_then(|ending| ending.by).is_some_and(|by| by <= now),
                Run::Off { .. } | Run::Dying => false,
            };
            if member.serves && over {
                killed.push(id);
            }
        }
        if !killed.is_empty() {
            self.bounds.reached.mark(Mark::Killed);
        }
        killed
    }
}

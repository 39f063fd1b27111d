//! What an action does to a state: who does what is told here, how is in the file of each part.

use std::sync::Arc;

use tandem::negotiation::exchange::{FenceResult, Input, Output, StateVersion};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::Mode;
use tandem::negotiation::rebase::Rebase;
use tandem::negotiation::settings::Protection;
use tandem::negotiation::term::Term;
use tandem::negotiation::time::Instant;

use super::actions::{Action, enabled};
use super::bounds::{Begin, Bounds, Time, Timers};
use super::machines::{Handled, handle};
use super::reached::Mark;
use super::states::{Agent, Broken, Call, Ending, Group, Run, Write, rebase};

/// The state after `action`.
pub fn step(bounds: &Bounds, from: &Group, action: Action) -> Group {
    let mut turn = Turn { bounds, group: from.clone() };
    if action.is_event() {
        turn.group.calm = 0;
    }
    if action.is_fault() {
        turn.group.budget -= 1;
    }
    turn.act(action);
    turn.group
}

/// The state that an exploration begins with.
pub fn first(bounds: &Bounds) -> Group {
    match bounds.begin {
        Begin::Off => Group::new(bounds),
        Begin::Together => together(bounds),
        Begin::Settled => settled(bounds),
    }
}

/// Everybody runs and hears each other, and nothing has happened yet.
fn together(bounds: &Bounds) -> Group {
    let mut turn = Turn { bounds, group: Group::new(bounds) };
    for member in 0..bounds.members {
        turn.start(member);
    }
    for link in 0..turn.group.links.len() {
        turn.connect(link);
    }
    turn.group
}

/// The same later: without a fault, one became Primary, and two ticks passed.
fn settled(bounds: &Bounds) -> Group {
    let mut group = together(bounds);
    let mut ticks = 0;
    while ticks < 2 {
        let mut actions = Vec::new();
        enabled(&Bounds { budget: 0, ..bounds.clone() }, &Group { budget: 0, ..group.clone() }, &mut actions);
        let action = actions.iter().find(|action| **action != Action::Tick).unwrap_or(&Action::Tick);
        ticks += u8::from(*action == Action::Tick && group.primaries().count() == 1);
        group = step(bounds, &group, *action);
    }
    group.calm = 0;
    group
}

/// A state while something happens to it.
pub struct Turn<'a> {
    pub bounds: &'a Bounds,
    pub group: Group,
}

impl Turn<'_> {
    fn act(&mut self, action: Action) {
        match action {
            Action::Tick => self.tick(),
            Action::Timer(member) => self.timer(member),
            Action::Deliver { link, side, place } => self.deliver(link, side, place),
            Action::DiskDone(member) => self.disk_done(member),
            Action::Guardian(member) => {
                let member = &mut self.group.members[member];
                member.ends_serving();
                member.run = Run::Off { refuses: true };
            }
            Action::Ended(member) => {
                self.bounds.reached.mark(Mark::TookItsTime);
                self.ended(member);
            }
            Action::Strike { by, peer } => {
                self.group.members[by].agents[peer] = Some(Agent::Struck { age: 0 });
                self.power_off(peer);
            }
            Action::Report { by, peer } => {
                self.group.members[by].agents[peer] = None;
                self.feed(by, Input::Fenced { peer: id(peer), result: FenceResult::Off });
            }
            Action::ArbiterActs(member) => self.arbiter_acts(member),
            Action::ArbiterSays(member) => self.arbiter_says(member),
            Action::ArbiterActsLate(member) => self.arbiter_acts_late(member),
            Action::ReferencesSay(member) => {
                let asked = self.group.members[member].question.take();
                let answered = self.group.members[member].references_lost.is_none();
                if let Some((asked_at, _)) = asked {
                    self.feed(member, Input::Reference { asked_at, answered });
                }
            }
            Action::Refused { link, side } => {
                self.group.links[link].refused[side] = true;
                let [me, peer] = self.both(link, side);
                self.feed(me, Input::LinkRefused { peer: id(peer) });
            }
            Action::Start(member) => self.start(member),
            Action::Connect(link) => self.connect(link),
            Action::Heal(link) => self.group.links[link].cut = [false; 2],
            Action::Thaw(member) => self.thaw(member),
            Action::ArbiterBack(member) => self.group.members[member].arbiter_lost = false,
            Action::ReferencesBack(member) => self.group.members[member].references_lost = None,
            Action::GiveUp(link) | Action::Break(link) => self.disconnect(link),
            Action::Recovers(member) => self.measures(member, false),
            Action::Resume(member) => self.resume(member),
            Action::Cut { link, way } => self.group.links[link].cut = way.cuts(),
            Action::Lose { link, side, place } => drop(self.group.links[link].queues[side].remove(place)),
            Action::Crash { member, how } => self.crash(member, how),
            Action::Freeze(member) => self.freeze(member),
            Action::DiskFails(member) => {
                if let Some(write) = &mut self.group.members[member].write {
                    write.age = 0;
                    let version = StateVersion(write.version);
                    self.feed(member, Input::WriteFailed { version });
                }
            }
            Action::AgentFails { by, peer } => {
                self.group.members[by].agents[peer] = None;
                let result = FenceResult::Failed { why: String::new() };
                self.feed(by, Input::Fenced { peer: id(peer), result });
            }
            Action::ArbiterLost(member) => self.group.members[member].arbiter_lost = true,
            Action::ReferencesLost(member) => self.group.members[member].references_lost = Some(0),
            Action::Sickens(member) => self.measures(member, true),
            Action::Order { member, order } => self.order(member, order),
        }
    }

    /// How time that has come to `now` is told anew, where it is.
    pub fn passing(&self, now: Instant) -> Option<Rebase> {
        match self.bounds.time {
            Time::Told => Some(rebase(now)),
            Time::Plain => None,
        }
    }

    /// A side of a link: who is there, and who is on the other.
    pub fn both(&self, link: usize, side: usize) -> [usize; 2] {
        let ends = self.group.links[link].ends;
        [ends[side], ends[1 - side]]
    }

    fn disk_done(&mut self, member: usize) {
        let this = &mut self.group.members[member];
        let Some(write) = this.write.take() else { return };
        this.kept = Some(write.state);
        this.write = this.waiting.take().map(|(version, state)| Write { version, state, age: 0 });
        self.feed(member, Input::Written { version: StateVersion(write.version) });
    }

    pub fn feed(&mut self, member: usize, input: Input) {
        self.feed_at(member, self.group.now, input);
    }

    /// Gives a member a fact at `now`, and does what it wants done.
    pub fn feed_at(&mut self, member: usize, now: Instant, input: Input) {
        let Some(machine) = &self.group.members[member].machine else { return };
        let done = handle(self.bounds, machine, now, input);
        self.look(member, &done);
        let (mut stopped, mut nothing_runs) = (false, false);
        for output in &done.out {
            match output {
                Output::Send { to, message } => self.send(member, to.index(), message.clone()),
                Output::Write { version, state } => {
                    let this = &mut self.group.members[member];
                    match &this.write {
                        Some(_) => this.waiting = Some((version.0, state.clone())),
                        None => this.write = Some(Write { version: version.0, state: state.clone(), age: 0 }),
                    }
                }
                Output::StopServing { by } => nothing_runs |= self.stop_serving(member, *by),
                Output::Fence { peer, .. } => {
                    self.group.members[member].agents[peer.index()] = Some(Agent::Begun { age: 0 });
                }
                Output::AskArbiter { asked_at, call, .. } => {
                    let (asked_at, call) = (*asked_at, *call);
                    self.group.members[member].calls.push(Call { asked_at, call, reply: None, age: 0 });
                }
                Output::AskReference { asked_at, .. } => {
                    self.group.members[member].question = Some((*asked_at, 0));
                }
                Output::Stopped => stopped = true,
                Output::ModeChanged(_) | Output::TakingOver(_) | Output::Event(_) | Output::CommandDone(_) => {}
            }
        }
        let idle = self.group.now;
        let this = &mut self.group.members[member];
        if let Some(write) = &mut this.write {
            write.version -= done.versions.min(write.version);
        }
        if let Some((version, _)) = &mut this.waiting {
            *version -= done.versions.min(*version);
        }
        this.guarded_until = done.guarded.unwrap_or(idle);
        this.due |= done.overdue && self.bounds.timers == Timers::Asynchronous;
        this.machine = Some(Arc::clone(&done.machine));
        if stopped {
            self.gone(member);
            let this = &mut self.group.members[member];
            this.ends_serving();
            this.run = Run::Off { refuses: true };
        } else if nothing_runs {
            self.feed(member, Input::ServingStopped);
        }
    }

    /// What runs only on the Primary is to stop; whether nothing runs any more.
    fn stop_serving(&mut self, member: usize, by: Option<Instant>) -> bool {
        let takes_time = self.bounds.stopping > 0;
        // Due between this tick and the one before, as all of it was: what may not run on is killed by now.
        let is_over = by.is_some_and(|by| by <= self.group.now);
        let this = &mut self.group.members[member];
        if !takes_time || !this.serves || is_over {
            if is_over && takes_time && this.serves {
                self.bounds.reached.mark(Mark::Killed);
            }
            this.ends_serving();
            return true;
        }
        let age = this.ending.map_or(0, |ending| ending.age);
        this.ending = Some(Ending { by, age });
        false
    }

    /// What runs only on the Primary has ended; a controller that is frozen learns it when it wakes.
    pub fn ended(&mut self, member: usize) {
        let this = &mut self.group.members[member];
        this.ends_serving();
        match this.run {
            Run::Running => self.feed(member, Input::ServingStopped),
            Run::Frozen { .. } => this.killed = true,
            Run::Off { .. } | Run::Dying => {}
        }
    }

    /// What follows for the world from what a member just did, before any of it is carried out.
    fn look(&mut self, member: usize, done: &Handled) {
        for output in &done.out {
            match output {
                Output::ModeChanged(decision) if decision.mode == Mode::Primary => {
                    self.overrule(member, done.forced);
                    let this = &mut self.group.members[member];
                    (this.serves, this.overruled) = (true, false);
                    self.took(member, decision.term, done.forced);
                }
                Output::ModeChanged(_)
                | Output::StopServing { .. }
                | Output::Send { .. }
                | Output::Write { .. }
                | Output::TakingOver(_)
                | Output::Fence { .. }
                | Output::AskArbiter { .. }
                | Output::AskReference { .. }
                | Output::Event(_)
                | Output::CommandDone(_)
                | Output::Stopped => {}
            }
        }
        let this = &mut self.group.members[member];
        this.forced = done.forced && this.serves;
        let many = self.group.members.iter().filter(|member| member.serves).count();
        if many > 1 && self.group.members.iter().any(|member| member.serves && !member.acts_by_rule()) {
            self.bounds.reached.mark(Mark::TwoByForce);
        }
    }

    /// Whose lease still runs, or whose processes still stop, when an operator forces another.
    fn overrule(&mut self, taker: usize, forced: bool) {
        for other in 0..self.group.members.len() {
            let this = &self.group.members[other];
            let overruled = other != taker && this.serves && (forced || this.overruled);
            if overruled != this.overruled {
                self.group.members[other].overruled = overruled;
            }
        }
    }

    fn took(&mut self, member: usize, term: Term, forced: bool) {
        let acted = &mut self.group.acted;
        let number = acted.iter().any(|before| before.number == term.number);
        let kept = self.group.members[member].kept.as_ref();
        if acted.contains(&term) {
            self.group.broken = Some(Broken::TermTwice);
        } else if number && !forced && self.bounds.unique_numbers() {
            self.group.broken = Some(Broken::NumberTwice);
        } else if kept.is_none_or(|kept| kept.seen < term) {
            self.group.broken = Some(Broken::NotOnDisk);
        }
        if let Err(place) = acted.binary_search(&term) {
            acted.insert(place, term);
        }
        let filter = self.bounds.protected_by(Protection::Reachability);
        // An answer counts for a timeout; it was asked for before they were lost.
        let lost = self.group.members[member].references_lost;
        if filter && !forced && lost.is_some_and(|ticks| ticks >= 3) {
            self.group.broken = Some(Broken::NoReference);
        }
    }
}

/// A member by its number.
pub fn id(member: usize) -> MemberId {
    // At most three members.
    MemberId(member as u8)
}

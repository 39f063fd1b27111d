//! What an action does to a state.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use tandem::negotiation::Negotiator;
use tandem::negotiation::exchange::{
    ArbiterCall, ArbiterReply, Command, FenceResult, Input, Output, StateVersion, StopCause,
};
use tandem::negotiation::member::{MemberId, Name};
use tandem::negotiation::message::{Incarnation, Message, Mode, PeerHello};
use tandem::negotiation::settings::Protection;
use tandem::negotiation::term::Term;
use tandem::negotiation::time::Instant;

use super::actions::{Action, Order, enabled};
use super::bounds::{Bounds, EPOCH, TICK, Timers};
use super::states::{Agent, Broken, Call, Group, Machine, Register, Run, Sent, Write, rebase};

/// A connection carries at most so many messages a way.
const ROOM: usize = 4;

/// A freeze longer than this is as long as this: past every timeout, twice.
const LONGEST_FREEZE: u8 = 7;

/// A message that is held back is as old as this at most: past every validity.
const OLDEST: u8 = 2;

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

/// Everybody runs and hears each other, and nothing has happened yet.
pub fn together(bounds: &Bounds) -> Group {
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
pub fn settled(bounds: &Bounds) -> Group {
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
struct Turn<'a> {
    bounds: &'a Bounds,
    group: Group,
}

/// A point of a number of ticks after the epoch.
fn after(ticks: u8) -> Instant {
    EPOCH + TICK * u32::from(ticks)
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
                (member.serves, member.forced, member.run) = (false, false, Run::Off { refuses: true });
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
            Action::Cut { link, way } => self.group.links[link].cut = way.cuts(),
            Action::Lose { link, side, place } => drop(self.group.links[link].queues[side].remove(place)),
            Action::Crash { member, host, written } => self.crash(member, host, written),
            Action::Freeze(member) => {
                let member = &mut self.group.members[member];
                (member.run, member.due) = (Run::Frozen { ticks: 0 }, false);
            }
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
            Action::Order { member, order } => self.order(member, order),
        }
    }

    /// A side of a link: who is there, and who is on the other.
    fn both(&self, link: usize, side: usize) -> [usize; 2] {
        let ends = self.group.links[link].ends;
        [ends[side], ends[1 - side]]
    }

    fn tick(&mut self) {
        let now = after(1);
        let passing = rebase(now);
        let group = &mut self.group;
        if self.bounds.recovery {
            group.calm = (group.calm + 1).min(self.bounds.recovers_within());
        }
        group.register.until = passing.instant(group.register.until, Duration::ZERO);
        for link in &mut group.links {
            for sent in link.queues.iter_mut().flatten() {
                sent.age = (sent.age + 1).min(OLDEST);
                pass_message(&mut sent.message, &passing);
            }
        }
        for member in &mut group.members {
            if let Some(write) = &mut member.write {
                write.age = (write.age + 1).min(OLDEST);
            }
            for agent in member.agents.iter_mut().flatten() {
                let (Agent::Begun { age } | Agent::Struck { age }) = agent;
                *age = (*age + 1).min(OLDEST);
            }
            for call in &mut member.calls {
                call.age = (call.age + 1).min(OLDEST);
                call.asked_at = passing.instant(call.asked_at, 3 * TICK);
            }
            if let Some((asked_at, age)) = &mut member.question {
                *age = (*age + 1).min(OLDEST);
                *asked_at = passing.instant(*asked_at, 3 * TICK);
            }
            member.references_lost = member.references_lost.map(|ticks| (ticks + 1).min(3));
            member.guarded_until = passing.instant(member.guarded_until, Duration::ZERO);
            match &mut member.run {
                Run::Frozen { ticks } => {
                    *ticks = (*ticks + 1).min(LONGEST_FREEZE);
                    // The guardian lives, and needs no word of the controller to do this.
                    if member.serves && member.guarded_until <= EPOCH {
                        (member.serves, member.killed) = (false, true);
                    }
                }
                Run::Running | Run::Off { .. } | Run::Dying => {}
            }
        }
        let mut late = Vec::new();
        for (id, member) in group.members.iter_mut().enumerate() {
            let (Run::Running, Some(machine)) = (member.run, &member.machine) else { continue };
            let due = machine.negotiator.next_deadline();
            member.machine = Some(pass(machine, now));
            member.due = due.is_some_and(|due| due <= now);
            // What was due before the tick is done before anything else.
            if due.is_some_and(|due| due < now) {
                late.push(id);
            }
        }
        let everybody = self.bounds.timers == Timers::Synchronous;
        for member in 0..self.group.members.len() {
            if late.contains(&member) || (everybody && self.group.members[member].due) {
                self.timer(member);
            }
        }
    }

    fn timer(&mut self, member: usize) {
        self.group.members[member].due = false;
        self.feed(member, Input::Tick);
    }

    fn deliver(&mut self, link: usize, side: usize, place: usize) {
        let sent = self.group.links[link].queues[side].remove(place);
        let [from, to] = self.both(link, side);
        self.feed(to, Input::Received { peer: id(from), message: sent.message });
    }

    fn disk_done(&mut self, member: usize) {
        let this = &mut self.group.members[member];
        let Some(write) = this.write.take() else { return };
        this.kept = Some(write.state);
        this.write = this.waiting.take().map(|(version, state)| Write { version, state, age: 0 });
        self.feed(member, Input::Written { version: StateVersion(write.version) });
    }

    fn start(&mut self, member: usize) {
        let settings = self.bounds.settings(member);
        let this = &mut self.group.members[member];
        let negotiator = Negotiator::new(settings, EPOCH, this.kept.clone()).expect("usable settings");
        this.machine = Some(Arc::new(Machine::new(negotiator)));
        (this.run, this.serves, this.forced, this.killed) = (Run::Running, false, false, false);
        this.life += 1;
        self.group.links.iter_mut().filter(|link| link.ends.contains(&member)).for_each(|link| {
            let side = usize::from(link.ends[1] == member);
            link.up[side] = false;
            link.refused = [false; 2];
        });
        self.feed(member, Input::Tick);
    }

    fn connect(&mut self, link: usize) {
        self.disconnect(link);
        self.group.links[link].up = [true; 2];
        for side in 0..2 {
            let [me, peer] = self.both(link, side);
            let incarnation = Incarnation(u64::from(self.group.members[peer].life) << 8 | peer as u64);
            let hello = PeerHello { incarnation, agreement: self.bounds.settings(peer).agreement() };
            self.feed(me, Input::LinkUp { peer: id(peer), hello });
        }
    }

    /// Both ways are empty, and who runs knows it; who is frozen learns it when it wakes.
    fn disconnect(&mut self, link: usize) {
        let this = &mut self.group.links[link];
        this.queues = [Vec::new(), Vec::new()];
        this.refused = [false; 2];
        for side in 0..2 {
            let [me, peer] = self.both(link, side);
            if self.group.links[link].up[side] && self.group.members[me].run == Run::Running {
                self.group.links[link].up[side] = false;
                self.feed(me, Input::LinkDown { peer: id(peer) });
            }
        }
    }

    fn crash(&mut self, member: usize, host: bool, written: bool) {
        let this = &mut self.group.members[member];
        let write = this.write.take();
        if written && let Some(write) = write {
            this.kept = Some(write.state);
        }
        if host {
            return self.power_off(member);
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
    fn power_off(&mut self, member: usize) {
        self.gone(member);
        let this = &mut self.group.members[member];
        (this.run, this.serves, this.forced) = (Run::Off { refuses: false }, false, false);
        this.agents.fill(None);
    }

    /// The controller is no more; what a dead end was sent is lost.
    fn gone(&mut self, member: usize) {
        let this = &mut self.group.members[member];
        this.machine = None;
        (this.write, this.waiting, this.question) = (None, None, None);
        (this.due, this.killed, this.stopping) = (false, false, false);
        this.calls.clear();
        // What an agent that lost its controller still does is an outage more, and nobody acts on it.
        this.agents.fill(None);
        for link in self.group.links.iter_mut().filter(|link| link.ends.contains(&member)) {
            let side = usize::from(link.ends[1] == member);
            link.up[side] = false;
            link.queues[1 - side].clear();
        }
    }

    /// First how late it is, then what lay in the sockets, then what it woke for.
    fn thaw(&mut self, member: usize) {
        let Run::Frozen { ticks } = self.group.members[member].run else { return };
        self.group.members[member].run = Run::Running;
        if ticks > 0 {
            self.feed_at(member, after(ticks), Input::Late { by: TICK * u32::from(ticks) });
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

    fn order(&mut self, member: usize, order: Order) {
        let by = Name::new("mia");
        match order {
            Order::TakeOver => self.feed(member, Input::Command(Command::TakeOver { by, force: false })),
            Order::StepDown => self.feed(member, Input::Command(Command::StepDown { by, force: false })),
            Order::Stop => {
                self.group.members[member].stopping = true;
                self.feed(member, Input::Stop { cause: StopCause::Signal });
            }
        }
    }

    /// The register of rule 14.
    fn arbiter_acts(&mut self, member: usize) {
        let me = id(member);
        let Register { holder, number, until } = self.group.register;
        let holder = holder.filter(|_| until > EPOCH);
        let Some(call) = self.group.members[member].calls.first_mut() else { return };
        let refused = ArbiterReply::Refused { holder, number };
        let lease = EPOCH + self.bounds.settings(member).lease;
        let (register, reply) = match call.call {
            ArbiterCall::Look => (Register { holder, number, until }, ArbiterReply::Stands { holder, number }),
            ArbiterCall::Acquire { above } if holder.is_none_or(|holder| holder == me) => {
                let number = number.max(above) + 1;
                (Register { holder: Some(me), number, until: lease }, ArbiterReply::Granted { number })
            }
            ArbiterCall::Renew { number: mine } if holder == Some(me) && number == mine => {
                (Register { holder, number, until: lease }, ArbiterReply::Renewed)
            }
            ArbiterCall::Release { number: mine } if holder == Some(me) && number == mine => {
                (Register { holder: None, number, until: EPOCH }, ArbiterReply::Released)
            }
            ArbiterCall::Release { .. } => (Register { holder, number, until }, ArbiterReply::Released),
            ArbiterCall::Acquire { .. } | ArbiterCall::Renew { .. } => (Register { holder, number, until }, refused),
        };
        call.reply = Some(reply);
        self.group.register = register;
    }

    fn arbiter_says(&mut self, member: usize) {
        let this = &self.group.members[member];
        if this.calls.is_empty() {
            return;
        }
        if matches!(this.calls[0].call, ArbiterCall::Look) && !this.arbiter_lost {
            self.arbiter_acts(member);
        }
        let this = &mut self.group.members[member];
        let call = this.calls.remove(0);
        let reply = call.reply.filter(|_| !this.arbiter_lost);
        let reply = reply.unwrap_or(ArbiterReply::Unreachable { why: String::new() });
        self.feed(member, Input::Arbiter { asked_at: call.asked_at, reply });
    }

    fn feed(&mut self, member: usize, input: Input) {
        self.feed_at(member, EPOCH, input);
    }

    /// Gives a member a fact at `now`, and does what it wants done.
    fn feed_at(&mut self, member: usize, now: Instant, input: Input) {
        let Some(machine) = &self.group.members[member].machine else { return };
        let done = handle(machine, now, input);
        self.look(member, &done);
        let (mut stopped, mut serving_stopped) = (false, false);
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
                Output::StopServing { .. } => serving_stopped = true,
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
        let this = &mut self.group.members[member];
        if let Some(write) = &mut this.write {
            write.version -= done.versions.min(write.version);
        }
        if let Some((version, _)) = &mut this.waiting {
            *version -= done.versions.min(*version);
        }
        this.guarded_until = done.guarded.unwrap_or(EPOCH);
        this.due |= done.overdue && self.bounds.timers == Timers::Asynchronous;
        this.machine = Some(Arc::clone(&done.machine));
        if stopped {
            self.gone(member);
            let this = &mut self.group.members[member];
            (this.run, this.serves) = (Run::Off { refuses: true }, false);
        } else if serving_stopped {
            self.feed(member, Input::ServingStopped);
        }
    }

    /// What follows for the world from what a member just did, before any of it is carried out.
    fn look(&mut self, member: usize, done: &Handled) {
        for output in &done.out {
            match output {
                Output::ModeChanged(decision) if decision.mode == Mode::Primary => {
                    self.group.members[member].serves = true;
                    self.took(member, decision.term, done.forced);
                }
                Output::StopServing { .. } => self.group.members[member].serves = false,
                Output::ModeChanged(_)
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
        self.group.members[member].forced = done.forced;
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

    fn send(&mut self, from: usize, to: usize, message: Message) {
        let (index, side) = self.group.link_of(from, to);
        let link = &mut self.group.links[index];
        let nobody = !link.up[1 - side] || self.group.members[to].machine.is_none();
        let kind = std::mem::discriminant(&message);
        let queue = &mut link.queues[side];
        let another = queue.iter().any(|sent| std::mem::discriminant(&sent.message) == kind);
        if nobody || another || queue.len() >= ROOM {
            return;
        }
        // Any of them may come first: their places say nothing.
        let place = queue.iter().position(|sent| rank(&sent.message) > rank(&message)).unwrap_or(queue.len());
        queue.insert(place, Sent { message, age: 0 });
    }
}

/// What became of a fact that was given to a machine.
struct Handled {
    machine: Arc<Machine>,
    out: Vec<Output>,
    /// It has more to do at once.
    overdue: bool,
    guarded: Option<Instant>,
    versions: u64,
    forced: bool,
}

/// So many are remembered.
const REMEMBERED: usize = 100_000;

thread_local! {
    /// The same machine does the same with the same fact: most steps of a group need no machine to run again.
    static HANDLED: RefCell<HashMap<(u64, u64), Arc<Handled>>> = RefCell::default();
    /// Machines to which nothing but a tick happened.
    static PASSED: RefCell<HashMap<u64, Arc<Machine>>> = RefCell::default();
}

/// Gives a machine a fact at `now`, and rebases it.
fn handle(machine: &Arc<Machine>, now: Instant, input: Input) -> Arc<Handled> {
    let key = (machine.hash, BuildHasherDefault::<DefaultHasher>::default().hash_one((now, &input)));
    if let Some(known) = HANDLED.with_borrow(|handled| handled.get(&key).cloned()) {
        return known;
    }
    let mut negotiator = machine.negotiator.clone();
    let mut out = Vec::new();
    negotiator.handle(now, input, &mut out);
    let passing = rebase(now);
    for output in &mut out {
        match output {
            Output::Send { message, .. } => pass_message(message, &passing),
            Output::AskArbiter { asked_at, .. } | Output::AskReference { asked_at, .. } => {
                *asked_at = passing.instant(*asked_at, 3 * TICK);
            }
            _ => {}
        }
    }
    out.retain(|output| !matches!(output, Output::Event(_) | Output::TakingOver(_) | Output::CommandDone(_)));
    let overdue = negotiator.next_deadline().is_some_and(|due| due <= now);
    let guarded = negotiator.may_serve_until(now).map(|until| passing.instant(until, Duration::ZERO));
    let forced = negotiator.is_forced();
    let rebased = negotiator.rebased(&passing);
    let (machine, versions) = (Arc::new(Machine::new(rebased.machine)), rebased.versions);
    let done = Arc::new(Handled { machine, out, overdue, guarded, versions, forced });
    HANDLED.with_borrow_mut(|handled| {
        if handled.len() >= REMEMBERED {
            handled.clear();
        }
        handled.insert(key, Arc::clone(&done));
    });
    done
}

/// A machine as it is when time has passed until `now`.
fn pass(machine: &Arc<Machine>, now: Instant) -> Arc<Machine> {
    if let Some(known) = PASSED.with_borrow(|passed| passed.get(&machine.hash).cloned()) {
        return known;
    }
    let rebased = machine.negotiator.clone().rebased(&rebase(now));
    let later = Arc::new(Machine::new(rebased.machine));
    PASSED.with_borrow_mut(|passed| {
        if passed.len() >= REMEMBERED {
            passed.clear();
        }
        passed.insert(machine.hash, Arc::clone(&later));
    });
    later
}

/// Forgets what machines did: they are about to become others, because a guard is switched.
pub fn forget() {
    HANDLED.with_borrow_mut(HashMap::clear);
    PASSED.with_borrow_mut(HashMap::clear);
}

fn id(member: usize) -> MemberId {
    // At most three members.
    MemberId(member as u8)
}

/// A kind's place in a queue, so that queues with the same messages are the same.
fn rank(message: &Message) -> u8 {
    match message {
        Message::Query(_) => 0,
        Message::Answer(_) => 1,
        Message::Beacon(_) => 2,
        Message::Grant(_) => 3,
        Message::Relay(_) => 4,
        Message::HandOverRequest(_) => 5,
        Message::HandOverAnswer(_) => 6,
        Message::Released(_) => 7,
        Message::Hold(_) => 8,
        Message::Bye => 9,
    }
}

/// What a message carries of its asker's time is told from the epoch too.
fn pass_message(message: &mut Message, passing: &tandem::negotiation::rebase::Rebase) {
    let oldest = 5 * TICK;
    match message {
        Message::Query(query) => query.id.0 = passing.question(Instant(query.id.0), oldest).0,
        Message::Answer(answer) => answer.id.0 = passing.question(Instant(answer.id.0), oldest).0,
        Message::Beacon(beacon) => beacon.sent_at = passing.instant(beacon.sent_at, oldest),
        Message::Grant(grant) => grant.sent_at = passing.instant(grant.sent_at, oldest),
        Message::Relay(_)
        | Message::HandOverRequest(_)
        | Message::HandOverAnswer(_)
        | Message::Released(_)
        | Message::Hold(_)
        | Message::Bye => {}
    }
}

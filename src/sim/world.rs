//! The machine room: members, their links, and the loop that lets one thing happen after another.

use std::time::Duration;

use super::checks::{Broken, Checks};
use super::disk::{Disk, Outcome};
use super::fault::{Agent, Crash, Fault, Order, Way};
use super::network::{Closing, Link};
use super::process::{Health, Process, Run};
use super::queue::Queue;
use super::rng::{Rng, nanos};
use super::trace::Trace;
use crate::negotiation::Negotiator;
use crate::negotiation::decision::Decision;
use crate::negotiation::exchange::{Command, CommandOutcome, Input, Output, StopCause};
use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::message::{Incarnation, Message, Mode};
use crate::negotiation::settings::{Protection, Settings};
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;

/// How long after a failed write the writer tries again.
const DISK_RETRY: Duration = Duration::from_millis(500);

/// `fence.NAME.delay`, above what a device takes.
const FENCE_DELAY: Duration = Duration::from_secs(5);

/// The settings that all members of a simulated group share; `me` is filled in for each.
pub type Group = Settings;

/// The names of simulated members, by address.
const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];

impl World {
    /// A group of `count` members (2 to 5) with the defaults of the configuration.
    pub fn group(count: usize, protection: &[Protection]) -> Group {
        let members = NAMES.iter().take(count).map(|name| Name::new(name)).collect();
        let fence_delay = protection.contains(&Protection::Fence).then_some(FENCE_DELAY);
        Group {
            protection: protection.to_vec(),
            fence_delay: vec![fence_delay; count],
            ..Settings::new(MemberId(0), members)
        }
    }
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    Ticks {
        member: usize,
    },
    Arrives {
        link: usize,
        side: usize,
        epoch: u32,
        era: u32,
        message: Message,
    },
    Closes {
        link: usize,
        side: usize,
        epoch: u32,
    },
    Opens {
        link: usize,
        side: usize,
        epoch: u32,
    },
    Flushes {
        link: usize,
        side: usize,
        epoch: u32,
    },
    TimesOut {
        link: usize,
        side: usize,
        epoch: u32,
        weather: u32,
    },
    Calls {
        link: usize,
    },
    Probes {
        link: usize,
    },
    DiskDone {
        member: usize,
        life: u32,
    },
    /// What runs only on the Primary has stopped.
    ServingStops {
        member: usize,
        era: u32,
    },
    /// The guardian of a controller that froze or died ends what runs.
    GuardianKills {
        member: usize,
        era: u32,
    },
    /// An agent has switched a member off.
    Strikes {
        member: usize,
        life: u32,
        peer: MemberId,
    },
    /// An agent says what it came to.
    Fenced {
        member: usize,
        life: u32,
        peer: MemberId,
        off: bool,
    },
    /// A sampler looks.
    Samples {
        member: usize,
        life: u32,
    },
}

/// A simulated group.
#[derive(Debug)]
pub struct World {
    pub(super) group: Group,
    pub(super) now: u64,
    pub(super) queue: Queue<Happening>,
    pub(super) processes: Vec<Process>,
    pub(super) links: Vec<Link>,
    pub(super) rng: Rng,
    pub(super) checks: Checks,
    /// By member: what switches it off.
    pub(super) agents: Vec<Agent>,
    pub(super) trace: Trace,
    broken: Option<Broken>,
    out: Vec<Output>,
    events: u64,
    seed: u64,
    /// What every message goes through on its way; none: it arrives as it was sent.
    pub(super) carry: Option<Carry>,
    /// Where a member's differ from the group's.
    own_settings: Vec<Option<Settings>>,
    decisions: Vec<(MemberId, Decision)>,
    outcomes: Vec<(MemberId, CommandOutcome)>,
}

/// A way for messages: the members' names, and the message; what comes out is what arrives.
pub type Carry = fn(&[Name], Message) -> Message;

impl World {
    /// A group whose members are all off. Delays and latencies are drawn from `seed`.
    pub fn new(group: Group, seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let count = group.members.len();
        let mut links = Vec::new();
        for high in 1..count {
            for low in 0..high {
                links.push(Link::new(low, high));
            }
        }
        World {
            processes: (0..count).map(|_| Process::new(&mut rng)).collect(),
            checks: Checks::new(&group),
            agents: vec![Agent::Works; count],
            own_settings: vec![None; group.members.len()],
            group,
            now: 0,
            queue: Queue::new(),
            links,
            rng,
            trace: Trace::off(),
            broken: None,
            out: Vec::new(),
            events: 0,
            seed,
            carry: None,
            decisions: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Lets every message go through `carry` from now on. A test that knows the link puts its bytes here: this room knows
    /// messages without bytes, and so cannot see what a codec refuses.
    pub fn carry_through(&mut self, carry: Carry) {
        self.carry = Some(carry);
    }

    /// Gives a member settings of its own from its next start on, to see what a difference does (N19).
    pub fn set(&mut self, member: MemberId, settings: Settings) {
        self.own_settings[member.index()] = Some(settings);
    }

    /// Keeps the last events as text from now on, and every decision.
    pub fn keep_trace(&mut self) {
        self.trace = Trace::on();
    }

    /// The last events, one a line.
    pub fn trace(&self) -> String {
        self.trace.text()
    }

    /// Virtual time since the beginning.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// How many inputs were handled.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What was broken first, if anything was.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// The decisions since [`World::keep_trace`], in order.
    pub fn decisions(&self) -> &[(MemberId, Decision)] {
        &self.decisions
    }

    /// What became of the operators' commands since [`World::keep_trace`], in order.
    pub fn outcomes(&self) -> &[(MemberId, CommandOutcome)] {
        &self.outcomes
    }

    /// A member's negotiation, while its process exists.
    pub fn member(&self, member: MemberId) -> Option<&Negotiator> {
        self.processes.get(member.index())?.negotiator.as_ref()
    }

    /// The members that run and are Primary.
    pub fn primaries(&self) -> impl Iterator<Item = MemberId> + '_ {
        let all = self.processes.iter().enumerate();
        all.filter(|(_, process)| process.is_primary()).map(|(member, _)| MemberId(member as u8))
    }

    /// The members that run.
    pub fn running(&self) -> impl Iterator<Item = MemberId> + '_ {
        let all = self.processes.iter().enumerate();
        all.filter(|(_, process)| process.run == Run::Running).map(|(member, _)| MemberId(member as u8))
    }

    /// Whether anything that runs only on the Primary may still run at this member, be its controller alive or not.
    pub fn serves(&self, member: MemberId) -> bool {
        self.processes[member.index()].serves
    }

    /// The longest that stopping takes any member.
    pub(super) fn longest_stop(&self) -> Duration {
        self.processes.iter().map(|process| process.stop_time).max().unwrap_or_default()
    }

    /// Every member.
    pub fn members(&self) -> impl Iterator<Item = MemberId> + Clone + use<> {
        // A group has at most five.
        (0..self.processes.len() as u8).map(MemberId)
    }

    /// The term of `primary` and a higher one that a running member acted in, if there is one.
    pub(super) fn overtaken(&self, primary: MemberId) -> Option<(Term, Term)> {
        let highest = self.running().map(|member| self.processes[member.index()].own).max()?;
        let now = self.processes[primary.index()].own;
        (highest > now).then_some((now, highest))
    }

    /// Whether this member was told to stop and has not ended.
    pub fn is_stopping(&self, member: MemberId) -> bool {
        self.processes[member.index()].stopping
    }

    /// Lets `time` pass.
    ///
    /// # Errors
    ///
    /// The first invariant that broke; time stands still then.
    pub fn run(&mut self, time: Duration) -> Result<(), Broken> {
        let until = self.now + nanos(time);
        while self.broken.is_none() {
            let Some((at, happening)) = self.queue.pop_until(until) else {
                self.now = until;
                return Ok(());
            };
            self.now = at;
            self.happen(happening);
        }
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Ticks { member } => self.ticks(member),
            Happening::Arrives { link, side, epoch, era, message } => self.arrives(link, side, epoch, era, message),
            Happening::Closes { link, side, epoch } => self.close(link, side, epoch, Closing::AtOnce),
            Happening::Opens { link, side, epoch } => self.opens(link, side, epoch),
            Happening::Flushes { link, side, epoch } => self.flush(link, side, epoch),
            Happening::TimesOut { link, side, epoch, weather } => self.times_out(link, side, epoch, weather),
            Happening::Calls { link } => self.calls(link),
            Happening::Probes { link } => self.probes(link),
            Happening::DiskDone { member, life } => self.disk_done(member, life),
            Happening::ServingStops { member, era } => self.serving_stops(member, era),
            Happening::GuardianKills { member, era } => self.guardian_kills(member, era),
            Happening::Strikes { member, life, peer } => self.strikes(member, life, peer),
            Happening::Fenced { member, life, peer, off } => self.fenced(member, life, peer, off),
            Happening::Samples { member, life } => {
                if self.processes[member].life == life {
                    self.sample(member);
                }
            }
        }
    }

    fn ticks(&mut self, member: usize) {
        let process = &mut self.processes[member];
        if process.tick_at != self.now {
            return;
        }
        process.tick_at = u64::MAX;
        if process.run != Run::Running {
            return;
        }
        let due = process.negotiator.as_ref().and_then(Negotiator::next_deadline);
        if due.is_some_and(|due| due <= process.clock.shows(self.now)) {
            if let Err(broken) = Checks::count_tick(process, member, self.now) {
                self.broken = Some(broken);
                return;
            }
            self.handle(member, Input::Tick);
        } else {
            self.plan_tick(member);
        }
    }

    /// Puts the next tick in the queue, unless one is there that comes no later.
    fn plan_tick(&mut self, member: usize) {
        let process = &mut self.processes[member];
        let Some(due) = process.negotiator.as_ref().and_then(Negotiator::next_deadline) else { return };
        let at = process.clock.reaches(due).max(self.now + 1);
        if at < process.tick_at {
            process.tick_at = at;
            self.queue.push(at, Happening::Ticks { member });
        }
    }

    fn disk_done(&mut self, member: usize, life: u32) {
        let process = &mut self.processes[member];
        if process.life != life {
            return;
        }
        let Some((outcome, more)) = process.disk.done() else { return };
        if more {
            self.begin_write(member, if matches!(outcome, Outcome::Failed(_)) { DISK_RETRY } else { Duration::ZERO });
        }
        self.notify(
            member,
            match outcome {
                Outcome::Written(version) => Input::Written { version },
                Outcome::Failed(version) => Input::WriteFailed { version },
            },
        );
    }

    fn begin_write(&mut self, member: usize, after: Duration) {
        let (least, most) = self.processes[member].disk.latency;
        let at = self.now + nanos(after + self.rng.between(least, most));
        let life = self.processes[member].life;
        self.queue.push(at, Happening::DiskDone { member, life });
    }

    /// A fact for a member: handled now, kept while it is frozen, lost when it is off.
    pub(super) fn notify(&mut self, member: usize, input: Input) {
        match self.processes[member].run {
            Run::Off { .. } => {}
            Run::Frozen { .. } => self.processes[member].inbox.push(input),
            Run::Running => self.handle(member, input),
        }
    }

    fn handle(&mut self, member: usize, input: Input) {
        if self.broken.is_some() {
            return;
        }
        let process = &mut self.processes[member];
        let Some(negotiator) = process.negotiator.as_mut() else { return };
        self.events += 1;
        if self.trace.is_on() {
            self.trace.input(self.now, &self.group, member, &input);
        }
        if let Input::Written { version } = &input {
            process.disk.tell(Outcome::Written(*version));
        } else if let Input::WriteFailed { version } = &input {
            process.disk.tell(Outcome::Failed(*version));
        }
        let mut out = std::mem::take(&mut self.out);
        let local = process.clock.shows(self.now);
        negotiator.handle(local, input, &mut out);
        process.guarded_until =
            negotiator.may_serve_until(local).map_or(self.now, |until| process.clock.reaches(until));
        if let Err(broken) = self.checks.after(&mut self.processes, member, &out) {
            self.broken = Some(broken);
        }
        let (mut stopped, mut serving_stopped) = (false, false);
        for output in out.drain(..) {
            if self.trace.is_on() {
                self.trace.output(self.now, &self.group, member, &output);
            }
            match output {
                Output::Send { to, message } => self.send(member, to, message),
                Output::Write { version, state } => {
                    if self.processes[member].disk.ask(version, state) {
                        self.begin_write(member, Duration::ZERO);
                    }
                }
                Output::ModeChanged(decision) => {
                    if decision.mode == Mode::Primary {
                        self.processes[member].serving_era += 1;
                    }
                    self.sample_soon(member);
                    if self.trace.is_on() {
                        self.decisions.push((MemberId(member as u8), decision));
                    }
                }
                Output::CommandDone(outcome) => {
                    if self.trace.is_on() {
                        self.outcomes.push((MemberId(member as u8), outcome));
                    }
                }
                Output::StopServing { by } => serving_stopped |= self.stop_serving(member, by),
                Output::Fence { peer, .. } => self.fence(member, peer),
                Output::TakingOver(_) | Output::Event(_) => {}
                Output::Stopped => stopped = true,
            }
        }
        self.out = out;
        if stopped {
            self.ends(member, true, Closing::AfterTheLastWord);
        } else {
            self.plan_tick(member);
            if serving_stopped {
                self.handle(member, Input::ServingStopped);
            }
        }
    }

    fn ends(&mut self, member: usize, refuses: bool, closing: Closing) {
        let process = &mut self.processes[member];
        process.run = Run::Off { refuses };
        process.life += 1;
        process.negotiator = None;
        process.inbox.clear();
        process.stopping = false;
        process.mode = Mode::Secondary;
        process.killed = false;
        process.disk.crash(&mut self.rng);
        self.close_all(member, closing, !refuses);
        self.guard_the_dead(member, refuses);
    }

    pub(super) fn incarnation(&self, member: usize) -> Incarnation {
        let life = u64::from(self.processes[member].life);
        Incarnation(self.seed ^ (life << 8 | member as u64) << 20)
    }

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
            Fault::Order(member, order) => self.order(member.index(), order),
            Fault::Stop(member, cause) => self.stop(member.index(), cause),
        }
    }

    fn start(&mut self, member: usize) {
        let now = self.now;
        let process = &mut self.processes[member];
        if process.alive() {
            return;
        }
        let settings = self.own_settings[member].as_ref().unwrap_or(&self.group).clone();
        let settings = Settings { me: MemberId(member as u8), ..settings };
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
    fn thaw(&mut self, member: usize) {
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
        if std::mem::take(&mut self.processes[member].killed) {
            self.notify(member, Input::ServingStopped);
        }
        self.notify(member, Input::Tick);
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

    /// What a member's clock shows now.
    pub fn clock_of(&self, member: MemberId) -> Instant {
        self.processes[member.index()].clock.shows(self.now)
    }
}

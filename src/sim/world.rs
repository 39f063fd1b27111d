//! The machine room: members, their links, and the loop that lets one thing happen after another.

use std::time::Duration;

use super::arbiter::{Arbiter, Reference};
use super::checks::{Broken, Checks};
use super::coverage::Coverage;
use super::disk::Outcome;
use super::fault::Agent;
use super::happening::Happening;
use super::network::{Closing, Link};
use super::power::GIVEN_UP_AFTER;
use super::process::{Process, Run};
use super::queue::Queue;
use super::rng::{Rng, nanos};
use super::told::Told;
use super::trace::Trace;
use crate::negotiation::Negotiator;
use crate::negotiation::decision::Decision;
use crate::negotiation::exchange::{CommandOutcome, Input, Output};
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
    /// By member: when the drivers of the others give up an agent that hangs.
    pub(super) agents_given_up_after: Vec<Duration>,
    pub(super) arbiter: Arbiter,
    /// By member.
    pub(super) references: Vec<Reference>,
    pub(super) trace: Trace,
    pub(super) broken: Option<Broken>,
    /// What members said of themselves, where somebody tells the story of the run.
    pub(super) told: Option<Vec<Told>>,
    out: Vec<Output>,
    events: u64,
    /// Words that came on an old connection, twice, or overtaken.
    pub(super) dropped: u64,
    pub(super) coverage: Coverage,
    seed: u64,
    /// What every message goes through on its way; none: it arrives as it was sent.
    pub(super) carry: Option<Carry>,
    /// Where a member's differ from the group's.
    pub(super) own_settings: Vec<Option<Settings>>,
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
            arbiter: Arbiter::new(count, seed),
            references: vec![Reference::Answers; count],
            checks: Checks::new(&group),
            agents: vec![Agent::Works; count],
            agents_given_up_after: vec![GIVEN_UP_AFTER; count],
            own_settings: vec![None; group.members.len()],
            group,
            now: 0,
            queue: Queue::new(),
            links,
            rng,
            trace: Trace::off(),
            broken: None,
            told: None,
            out: Vec::new(),
            events: 0,
            dropped: 0,
            coverage: Coverage::default(),
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

    /// The settings that a member has from its next start on.
    pub fn settings_of(&self, member: MemberId) -> &Settings {
        self.own_settings[member.index()].as_ref().unwrap_or(&self.group)
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

    /// How many words came on an old connection, twice, or after one that was said later, and were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was reached so far.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
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

    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Ticks { member } => self.ticks(member),
            Happening::Arrives { link, side, epoch, era, number, message } => {
                self.arrives(link, side, epoch, era, (number, message));
            }
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
            Happening::ArbiterHears { member, life, ticket, call } => self.arbiter_hears(member, life, ticket, call),
            Happening::ArbiterReplies { member, life, ticket, reply } => {
                self.arbiter_replies(member, life, ticket, reply);
            }
            Happening::CallEnds { member, life, ticket } => self.call_ends(member, life, ticket),
            Happening::ArbiterBack { era, holder } => self.arbiter_back(era, holder),
            Happening::ReferenceReplies { member, life, asked_at, answered } => {
                self.reference_replies(member, life, asked_at, answered);
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

    pub(super) fn handle(&mut self, member: usize, input: Input) {
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
        if let Input::Arbiter { reply, .. } = &input {
            self.coverage.replied(reply);
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
            self.coverage.wants(&output);
            if let Some(told) = &mut self.told {
                told.extend(Told::of(self.now, member, &output));
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
                Output::AskArbiter { asked_at, call, within } => self.ask_arbiter(member, asked_at, call, within),
                Output::AskReference { asked_at, within } => self.ask_reference(member, asked_at, within),
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

    pub(super) fn ends(&mut self, member: usize, refuses: bool, closing: Closing) {
        let process = &mut self.processes[member];
        process.run = Run::Off { refuses };
        process.life += 1;
        process.negotiator = None;
        process.inbox.clear();
        process.stopping = false;
        process.mode = Mode::Secondary;
        process.killed = false;
        process.disk.crash(&mut self.rng);
        self.forget_calls(member);
        self.close_all(member, closing, !refuses);
        self.guard_the_dead(member, refuses);
    }

    pub(super) fn incarnation(&self, member: usize) -> Incarnation {
        let life = u64::from(self.processes[member].life);
        Incarnation(self.seed ^ (life << 8 | member as u64) << 20)
    }

    /// What a member's clock shows now.
    pub fn clock_of(&self, member: MemberId) -> Instant {
        self.processes[member.index()].clock.shows(self.now)
    }
}

//! One state of the group and of the world around it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use tandem::negotiation::Negotiator;
use tandem::negotiation::exchange::{ArbiterCall, ArbiterReply, Durable};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::Message;
use tandem::negotiation::rebase::Rebase;
use tandem::negotiation::term::Term;
use tandem::negotiation::time::Instant;

use super::bounds::{Bounds, EPOCH, TICK};
use super::machines::pass_message;

/// A freeze longer than this is as long as this: past every timeout, twice.
pub const LONGEST_FREEZE: u8 = 7;

/// A negotiator, rebased, shared by all the states it is part of, and hashed once.
#[derive(Debug)]
pub struct Machine {
    pub negotiator: Negotiator,
    /// Tells it from every machine that may do anything else.
    pub hash: u64,
}

impl Machine {
    pub fn new(negotiator: Negotiator) -> Machine {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&negotiator);
        Machine { negotiator, hash }
    }
}

/// Machines are told apart by what they will do.
impl PartialEq for Machine {
    fn eq(&self, other: &Machine) -> bool {
        self.hash == other.hash
    }
}

impl Hash for Machine {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// A part of a group that most steps leave as it is: shared by the states before and after, until it is changed.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    pub fn new(part: T) -> Shared<T> {
        Shared(Arc::new(part))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

/// Whether a controller runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Run {
    /// No process; its host refuses connections, or says nothing.
    Off {
        refuses: bool,
    },
    /// The controller is dead, its guardian has yet to end what runs only on the Primary.
    Dying,
    Running,
    /// It takes nothing, for so many ticks.
    Frozen {
        ticks: u8,
    },
}

/// A write under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    pub version: u64,
    pub state: Durable,
    pub age: u8,
}

/// A fence agent at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agent {
    /// It will switch off.
    Begun { age: u8 },
    /// It did, and will say so.
    Struck { age: u8 },
}

/// A call to the arbiter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    pub asked_at: Instant,
    pub call: ArbiterCall,
    /// What the arbiter did, once it did.
    pub reply: Option<ArbiterReply>,
    pub age: u8,
}

/// What was asked of the arbiter by one that has stopped to wait: it may be done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stray {
    pub call: ArbiterCall,
    pub age: u8,
}

/// What runs only on the Primary has been told to stop, and takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ending {
    /// When it is killed; none: it may take the time that it was said to take.
    pub by: Option<Instant>,
    pub age: u8,
}

/// One member: its controller, its disk, and what works for it.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Member {
    pub run: Run,
    pub machine: Option<Arc<Machine>>,
    pub life: u8,
    pub kept: Option<Durable>,
    pub write: Option<Write>,
    pub waiting: Option<(u64, Durable)>,
    /// Its clock has something for it.
    pub due: bool,
    /// What runs only on the Primary runs.
    pub serves: bool,
    pub forced: bool,
    /// An operator forced another while it served: that it still does is the operator's doing.
    pub overruled: bool,
    pub ending: Option<Ending>,
    /// Until when the guardian lets it run without another word.
    pub guarded_until: Instant,
    /// The guardian ended it while the controller was frozen.
    pub killed: bool,
    /// By member: the agent that switches it off.
    pub agents: Vec<Option<Agent>>,
    pub calls: Vec<Call>,
    pub stray: Option<Stray>,
    pub arbiter_lost: bool,
    pub question: Option<(Instant, u8)>,
    /// For how many ticks no reference address has been within reach; none: they are.
    pub references_lost: Option<u8>,
    pub stopping: bool,
    /// What it measures is low.
    pub sick: bool,
    /// An operator's word stands here that `resume` ends.
    pub held: bool,
}

impl Member {
    pub fn alive(&self) -> bool {
        self.machine.is_some()
    }

    /// Something of it may act, not by an operator's force.
    pub fn acts_by_rule(&self) -> bool {
        self.serves && !self.forced && !self.overruled
    }

    /// Nothing that runs only on the Primary runs here any more.
    pub fn ends_serving(&mut self) {
        (self.serves, self.forced, self.overruled, self.ending) = (false, false, false, None);
    }
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sent {
    pub message: Message,
    pub age: u8,
}

/// The connection between two members. Side 0 is the lower address; queues are told by who sent.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Link {
    pub ends: [usize; 2],
    pub up: [bool; 2],
    pub cut: [bool; 2],
    pub queues: [Vec<Sent>; 2],
    /// A side knows that the other refuses.
    pub refused: [bool; 2],
}

/// The arbiter's register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Register {
    pub holder: Option<MemberId>,
    pub number: u64,
    pub until: Instant,
}

/// What was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// A member took a term that was acted in before (N11).
    TermTwice,
    /// A number was used by two, under `arbiter` or `majority` (N11).
    NumberTwice,
    /// A member acts in a term that its disk does not know (N11).
    NotOnDisk,
    /// A member took the role while nothing it could rest on had answered (S1).
    NoReference,
}

/// The group.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Group {
    /// What the clocks show: always the epoch, unless time is told as it is.
    pub now: Instant,
    pub members: Vec<Shared<Member>>,
    pub links: Vec<Shared<Link>>,
    pub register: Register,
    /// Faults left.
    pub budget: u8,
    /// Ticks since anything happened to it; counted as far as is asked for.
    pub calm: u8,
    /// The terms acted in, in order.
    pub acted: Vec<Term>,
    pub broken: Option<Broken>,
}

/// Time passes in whole ticks, from the epoch to the epoch.
pub fn rebase(now: Instant) -> Rebase {
    Rebase { now, epoch: EPOCH, grain: TICK }
}

impl Group {
    /// Everybody is off, and nobody ever ran.
    pub fn new(bounds: &Bounds) -> Group {
        let count = bounds.members;
        let member = Member {
            run: Run::Off { refuses: true },
            machine: None,
            life: 0,
            kept: None,
            write: None,
            waiting: None,
            due: false,
            serves: false,
            forced: false,
            overruled: false,
            ending: None,
            guarded_until: EPOCH,
            killed: false,
            agents: vec![None; count],
            calls: Vec::new(),
            stray: None,
            arbiter_lost: false,
            question: None,
            references_lost: None,
            stopping: false,
            sick: false,
            held: false,
        };
        let mut links = Vec::new();
        for high in 1..count {
            for low in 0..high {
                links.push(Shared::new(Link {
                    ends: [low, high],
                    up: [false; 2],
                    cut: [false; 2],
                    queues: [Vec::new(), Vec::new()],
                    refused: [false; 2],
                }));
            }
        }
        Group {
            now: EPOCH,
            members: vec![Shared::new(member); count],
            links,
            register: Register { holder: None, number: 0, until: EPOCH },
            budget: bounds.budget,
            calm: 0,
            acted: Vec::new(),
            broken: None,
        }
    }

    /// The link between two members, and the first one's side of it.
    pub fn link_of(&self, one: usize, other: usize) -> (usize, usize) {
        let found = self.links.iter().position(|link| link.ends.contains(&one) && link.ends.contains(&other));
        let index = found.expect("every two members have a link");
        (index, usize::from(self.links[index].ends[1] == one))
    }

    /// A group whose time was told as it is, with its time told from the epoch and what counts no more left out.
    pub fn told(&self) -> Group {
        let mut told = self.clone();
        let passing = rebase(self.now);
        told.now = EPOCH;
        told.register.until = passing.instant(told.register.until, Duration::ZERO);
        for sent in told.links.iter_mut().flat_map(|link| link.queues.iter_mut().flatten()) {
            pass_message(&mut sent.message, &passing);
        }
        for member in &mut told.members {
            member.calls.iter_mut().for_each(|call| call.asked_at = passing.instant(call.asked_at, 3 * TICK));
            member.question = member.question.map(|(asked_at, age)| (passing.instant(asked_at, 3 * TICK), age));
            member.guarded_until = passing.instant(member.guarded_until, Duration::ZERO);
            if let Some(ending) = &mut member.ending {
                ending.by = ending.by.map(|by| passing.instant(by, Duration::ZERO));
            }
            // Who is frozen has seen nothing since.
            let now = match &mut member.run {
                Run::Frozen { ticks } => {
                    let slept = TICK * u32::from(*ticks);
                    *ticks = (*ticks).min(LONGEST_FREEZE);
                    self.now - slept
                }
                Run::Off { .. } | Run::Dying | Run::Running => self.now,
            };
            let Some(machine) = member.machine.clone() else { continue };
            let rebased = machine.negotiator.clone().rebased(&rebase(now));
            member.machine = Some(Arc::new(Machine::new(rebased.machine)));
            let versions = rebased.versions;
            if let Some(write) = &mut member.write {
                write.version -= versions.min(write.version);
            }
            if let Some((version, _)) = &mut member.waiting {
                *version -= versions.min(*version);
            }
        }
        told
    }

    /// The members that run and are Primary.
    pub fn primaries(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.members.iter().enumerate();
        all.filter(|(_, member)| member.run == Run::Running && member.serves).map(|(id, _)| id)
    }
}

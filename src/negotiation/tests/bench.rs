//! One member, its peers played by hand.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::super::ability::{Ability, Score, Sick, Unable};
use super::super::decision::{Decision, Rule};
use super::super::event::Event;
use super::super::exchange::{
    ArbiterCall, ArbiterReply, Command, CommandOutcome, Durable, FenceResult, FenceWhy, Input, Output, StateVersion,
};
use super::super::member::MemberId;
use super::super::message::{
    Answer, Beacon, HandOverAnswer, HandOverCause, Hears, Incarnation, Message, Mode, Order, PeerHello, Query, QueryId,
    Released,
};
use super::super::settings::Settings;
use super::super::term::Term;
use super::super::time::Instant;
use super::super::view::View;
use super::super::{Negotiator, State};

/// When the member under test boots.
const BOOT: Instant = Instant(1_000_000_000_000);

pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub const fn s(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The defaults for a pair, seen from member `me`: 0 is the lower address and listens, 1 is the higher and calls.
pub fn two(me: u8) -> Settings {
    Settings::new(MemberId(me), vec!["alpha".into(), "beta".into()])
}

/// The defaults for a group of three.
pub fn three(me: u8) -> Settings {
    Settings::new(MemberId(me), vec!["alpha".into(), "beta".into(), "gamma".into()])
}

pub fn able() -> Ability {
    Ability::Fit
}

pub fn sick() -> Ability {
    Ability::Sick(Sick::BelowThreshold)
}

pub fn cannot(why: Unable) -> Ability {
    Ability::Cannot(why)
}

/// What the disk of the member under test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskMood {
    /// Writes at once.
    Prompt,
    /// Says nothing until [`Bench::disk_catches_up`].
    Slow,
    /// Fails at once.
    Failing,
}

/// One member and everything that it ever put out.
pub struct Bench {
    /// Whether nothing runs only on the Primary, so that it has stopped as soon as it is to.
    pub stops_at_once: bool,
    pub machine: Negotiator,
    pub now: Instant,
    pub disk: DiskMood,
    /// What its calls to the arbiter reach; none: they are answered by hand.
    pub arbiter: Option<Rc<RefCell<Register>>>,
    /// Whether a reference address answers; none: the questions are answered by hand.
    pub reference: Option<bool>,
    pub log: Vec<Output>,
}

/// The arbiter as these tests have it: answers at once, and to the letter of rule 14.
#[derive(Debug, Default)]
pub struct Register {
    pub holder: Option<MemberId>,
    pub number: u64,
    pub expires: Instant,
    /// Nobody reaches it.
    pub away: bool,
    /// These members do not reach it.
    pub cut_off: Vec<MemberId>,
    /// It answers whoever looks; the rest is answered by hand.
    pub by_hand: bool,
}

impl Register {
    pub fn ask(&mut self, now: Instant, from: MemberId, call: ArbiterCall, lease: Duration) -> ArbiterReply {
        if self.away || self.cut_off.contains(&from) {
            return ArbiterReply::Unreachable { why: "no answer from 10.0.8.1:2379".into() };
        }
        self.holder = self.holder.filter(|_| now < self.expires);
        let refused = ArbiterReply::Refused { holder: self.holder, number: self.number };
        match call {
            ArbiterCall::Look => ArbiterReply::Stands { holder: self.holder, number: self.number },
            ArbiterCall::Acquire { above } if self.holder.is_none_or(|holder| holder == from) => {
                self.holder = Some(from);
                self.number = self.number.max(above) + 1;
                self.expires = now + lease;
                ArbiterReply::Granted { number: self.number }
            }
            ArbiterCall::Renew { number } if self.holder == Some(from) && self.number == number => {
                self.expires = now + lease;
                ArbiterReply::Renewed
            }
            ArbiterCall::Acquire { .. } | ArbiterCall::Renew { .. } => refused,
            ArbiterCall::Release { number } => {
                self.holder = self.holder.filter(|holder| *holder != from || self.number != number);
                ArbiterReply::Released
            }
        }
    }
}

impl Bench {
    /// A member that boots now and never ran before.
    pub fn new(settings: Settings) -> Bench {
        Bench::with_state(settings, None)
    }

    /// A member that boots now with what its disk kept.
    pub fn with_state(settings: Settings, kept: Option<Durable>) -> Bench {
        Bench::asking(settings, kept, None)
    }

    /// A member that boots now, whose calls reach this arbiter.
    pub fn beside(settings: Settings, arbiter: &Rc<RefCell<Register>>) -> Bench {
        Bench::asking(settings, None, Some(arbiter.clone()))
    }

    fn asking(settings: Settings, kept: Option<Durable>, arbiter: Option<Rc<RefCell<Register>>>) -> Bench {
        let machine = Negotiator::new(settings, BOOT, kept).expect("usable settings");
        let mut bench = Bench {
            stops_at_once: true,
            machine,
            now: BOOT,
            disk: DiskMood::Prompt,
            arbiter,
            reference: None,
            log: Vec::new(),
        };
        bench.give(Input::Tick);
        bench
    }

    /// A Primary: everybody is connected and consents. In term 1, unless its disk knew better.
    pub fn primary(settings: Settings) -> Bench {
        let mut bench = Bench::new(settings);
        bench.all_up();
        if bench.machine.must_settle() {
            bench.wait(s(2)).all_consent().wait(s(2));
        }
        bench.all_consent();
        assert_eq!(bench.mode(), Mode::Primary, "{:?}", bench.machine);
        bench
    }

    /// A Secondary that hears member `primary` as Primary in term 1.
    pub fn secondary_of(settings: Settings, primary: u8) -> Bench {
        let mut bench = Bench::new(settings);
        bench.all_up().beacon(primary, 1);
        bench
    }

    /// Gives a fact, and whatever the disk says to it.
    pub fn give(&mut self, input: Input) -> &mut Bench {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.machine.handle(self.now, input, &mut out);
            for output in &out {
                if let Output::Write { version, .. } = output {
                    match self.disk {
                        DiskMood::Prompt => inputs.push_back(Input::Written { version: *version }),
                        DiskMood::Failing => inputs.push_back(Input::WriteFailed { version: *version }),
                        DiskMood::Slow => {}
                    }
                } else if let (Output::StopServing { .. }, true) = (output, self.stops_at_once) {
                    inputs.push_back(Input::ServingStopped);
                } else if let (Output::AskArbiter { asked_at, call, .. }, Some(arbiter)) = (output, &self.arbiter) {
                    let settings = self.machine.settings();
                    if arbiter.borrow().by_hand && *call != ArbiterCall::Look {
                        continue;
                    }
                    let reply = arbiter.borrow_mut().ask(self.now, settings.me, *call, settings.lease);
                    inputs.push_back(Input::Arbiter { asked_at: *asked_at, reply });
                } else if let (Output::AskReference { asked_at, .. }, Some(answered)) = (output, self.reference) {
                    inputs.push_back(Input::Reference { asked_at: *asked_at, answered });
                }
            }
            self.log.extend(out);
        }
        self
    }

    /// Lets time pass as the node does: a tick at each deadline, and never a busy loop.
    pub fn wait(&mut self, time: Duration) -> &mut Bench {
        let end = self.now + time;
        while let Some(at) = self.machine.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.give(Input::Tick);
            let next = self.machine.next_deadline().expect("it runs");
            assert!(next > self.now, "busy: wants {next:?} at {:?}", self.now);
        }
        self.now = end;
        self.give(Input::Tick)
    }

    /// Lets time pass until so long after boot.
    pub fn until(&mut self, since_boot: Duration) -> &mut Bench {
        let at = BOOT + since_boot;
        assert!(at >= self.now, "time runs forwards");
        self.wait(at.since(self.now))
    }

    /// The disk, slow so far, has written everything asked for.
    pub fn disk_catches_up(&mut self) -> &mut Bench {
        let asked = self.writes().last().map(|(version, _)| version).expect("something was to be written");
        self.disk = DiskMood::Prompt;
        self.give(Input::Written { version: asked })
    }

    pub fn up(&mut self, peer: u8) -> &mut Bench {
        self.up_as(peer, 7)
    }

    pub fn up_as(&mut self, peer: u8, incarnation: u64) -> &mut Bench {
        let agreement = self.machine.settings().agreement();
        let hello = PeerHello { incarnation: Incarnation(incarnation), agreement };
        self.give(Input::LinkUp { peer: MemberId(peer), hello })
    }

    pub fn all_up(&mut self) -> &mut Bench {
        for peer in self.machine.settings().others() {
            self.up(peer.0);
        }
        self
    }

    pub fn down(&mut self, peer: u8) -> &mut Bench {
        self.give(Input::LinkDown { peer: MemberId(peer) })
    }

    pub fn refused(&mut self, peer: u8) -> &mut Bench {
        self.give(Input::LinkRefused { peer: MemberId(peer) })
    }

    pub fn late(&mut self, by: Duration) -> &mut Bench {
        self.now = self.now + by;
        self.give(Input::Late { by })
    }

    /// From now on something runs on the Primary that takes up to `longest` to stop, and stops when it is told to.
    pub fn serves(&mut self, longest: Duration) -> &mut Bench {
        self.stops_at_once = false;
        self.give(Input::StopTime { longest })
    }

    pub fn serving_stopped(&mut self) -> &mut Bench {
        self.give(Input::ServingStopped)
    }

    pub fn fenced(&mut self, peer: u8, result: FenceResult) -> &mut Bench {
        self.give(Input::Fenced { peer: MemberId(peer), result })
    }

    pub fn fencing_fails(&mut self, peer: u8) -> &mut Bench {
        self.fenced(peer, FenceResult::Failed { why: "no answer".to_owned() })
    }

    /// `peer` answers the latest query as the Primary of term 1 with this score.
    pub fn primary_answers(&mut self, peer: u8, ten_thousandths: u16) -> &mut Bench {
        let term = Term { number: 1, owner: MemberId(peer) };
        let answer = Answer {
            seen: term,
            mode: Mode::Primary,
            term,
            score: Score::from_ten_thousandths(ten_thousandths),
            ..self.answer(peer, Order::StaySecondary { floor: None })
        };
        self.hear(peer, Message::Answer(answer))
    }

    /// The kill times of the orders to stop serving, since boot.
    pub fn stop_orders(&self) -> Vec<Option<Instant>> {
        self.log
            .iter()
            .filter_map(|output| match output {
                Output::StopServing { by } => Some(*by),
                _ => None,
            })
            .collect()
    }

    /// Whom it switched off, and why.
    pub fn shots(&self) -> Vec<(u8, FenceWhy)> {
        self.log
            .iter()
            .filter_map(|output| match output {
                Output::Fence { peer, why } => Some((peer.0, why.clone())),
                _ => None,
            })
            .collect()
    }

    /// Whether it released the role, to whom.
    pub fn released_to(&self, peer: u8) -> Option<u8> {
        self.sent_to(peer).into_iter().find_map(|message| match message {
            Message::Released(released) => Some(released.to.0),
            _ => None,
        })
    }

    /// How often it asked `peer` to hand over for its health.
    pub fn health_requests_to(&self, peer: u8) -> usize {
        let asks = |message: &&&Message| matches!(message, Message::HandOverRequest(request) if request.cause == HandOverCause::Health);
        self.sent_to(peer).iter().filter(asks).count()
    }

    /// The mode that people see.
    pub fn shown(&self) -> Mode {
        self.machine.mode_and_term().0
    }

    pub fn view(&self) -> View {
        self.machine.view(self.now)
    }

    /// Everything that the arbiter was asked, oldest first.
    pub fn calls(&self) -> Vec<(Instant, ArbiterCall)> {
        self.log
            .iter()
            .filter_map(|output| match output {
                Output::AskArbiter { asked_at, call, .. } => Some((*asked_at, *call)),
                _ => None,
            })
            .collect()
    }

    /// The arbiter's reply to the latest call.
    pub fn arbiter_says(&mut self, reply: ArbiterReply) -> &mut Bench {
        let (asked_at, _) = *self.calls().last().expect("it was asked");
        self.give(Input::Arbiter { asked_at, reply })
    }

    pub fn health(&mut self, ten_thousandths: u16) -> &mut Bench {
        self.give(Input::Health { score: Score::from_ten_thousandths(ten_thousandths) })
    }

    pub fn hear(&mut self, peer: u8, message: Message) -> &mut Bench {
        self.give(Input::Received { peer: MemberId(peer), message })
    }

    pub fn beacon(&mut self, peer: u8, number: u64) -> &mut Bench {
        let term = Term { number, owner: MemberId(peer) };
        self.hear(peer, Message::Beacon(Beacon { term, sent_at: Instant(5) }))
    }

    pub fn released(&mut self, peer: u8, number: u64, to: u8) -> &mut Bench {
        let term = Term { number, owner: MemberId(peer) };
        self.hear(peer, Message::Released(Released { term, to: MemberId(to) }))
    }

    /// A query as a fit member sends it that has heard of all that this one has.
    pub fn query(&self) -> Query {
        Query {
            id: QueryId(9),
            seen: self.machine.seen,
            proposed: self.machine.floor() + 1,
            able: able(),
            candidate: true,
            claim: false,
            score: Score::FULL,
            hears: Hears::You,
        }
    }

    /// The answer to a query of `peer`.
    pub fn asked(&mut self, peer: u8, query: Query) -> Answer {
        let before = self.answers_to(peer).len();
        self.hear(peer, Message::Query(query));
        let answers = self.answers_to(peer);
        assert_eq!(answers.len(), before + 1, "every query is answered once");
        *answers.last().expect("just counted")
    }

    /// What a query of a fit member is answered.
    pub fn asked_by(&mut self, peer: u8) -> Order {
        let query = self.query();
        self.asked(peer, query).order
    }

    /// `peer`'s answer to the latest query to it.
    pub fn answer(&self, peer: u8, order: Order) -> Answer {
        let query = self.latest_query(peer).expect("it was asked");
        Answer {
            id: query.id,
            order,
            seen: Term::NONE,
            mode: Mode::Secondary,
            term: Term::NONE,
            able: able(),
            claim: false,
            score: Score::FULL,
        }
    }

    /// `peer` answers the latest query "Primary".
    pub fn consents(&mut self, peer: u8) -> &mut Bench {
        let proposed = self.latest_query(peer).expect("it was asked").proposed;
        let answer = self.answer(peer, Order::BePrimary { proposed, written: true });
        self.hear(peer, Message::Answer(answer))
    }

    pub fn all_consent(&mut self) -> &mut Bench {
        for peer in self.machine.settings().others() {
            if self.mode() == Mode::Secondary {
                self.consents(peer.0);
            }
        }
        self
    }

    /// `peer` answers the latest query "Secondary".
    pub fn refuses(&mut self, peer: u8) -> &mut Bench {
        let answer = self.answer(peer, Order::StaySecondary { floor: None });
        self.hear(peer, Message::Answer(answer))
    }

    pub fn hold(&mut self, lasts: Duration, unix_ms: u64) -> &mut Bench {
        self.give(Input::Command(Command::Hold { by: "ann".into(), lasts, unix_ms }))
    }

    pub fn resume(&mut self, unix_ms: u64) -> &mut Bench {
        self.give(Input::Command(Command::Resume { by: "ann".into(), unix_ms }))
    }

    pub fn take_over(&mut self, force: bool) -> &mut Bench {
        self.give(Input::Command(Command::TakeOver { by: "ann".into(), force }))
    }

    pub fn step_down(&mut self, force: bool) -> &mut Bench {
        self.give(Input::Command(Command::StepDown { by: "ann".into(), force }))
    }

    pub fn mode(&self) -> Mode {
        self.machine.mode()
    }

    pub fn is_becoming(&self) -> bool {
        matches!(self.machine.state, State::Becoming { .. })
    }

    /// The number of the term: its own as Primary, else the highest seen.
    pub fn term(&self) -> u64 {
        self.machine.mode_and_term().1.number
    }

    /// Why the mode is what it is.
    pub fn rule(&self) -> &Rule {
        &self.machine.reason.rule
    }

    #[track_caller]
    pub fn assert_secondary(&self) -> &Bench {
        assert_eq!(self.mode(), Mode::Secondary, "became Primary by {:?}", self.rule());
        assert!(!self.is_becoming(), "is taking over");
        self
    }

    /// It is Primary, by a rule of this name.
    #[track_caller]
    pub fn assert_primary_by(&self, word: &str) -> &Bench {
        assert_eq!((self.mode(), self.rule().word()), (Mode::Primary, word), "{:?}", self.rule());
        self
    }

    /// It is Secondary, by a rule of this name.
    #[track_caller]
    pub fn assert_secondary_by(&self, word: &str) -> &Bench {
        self.assert_secondary();
        assert_eq!(self.rule().word(), word, "{:?}", self.rule());
        self
    }

    pub fn changes(&self) -> impl Iterator<Item = &Decision> {
        self.log.iter().filter_map(|output| match output {
            Output::ModeChanged(decision) => Some(decision),
            _ => None,
        })
    }

    pub fn events(&self) -> Vec<&Event> {
        self.log
            .iter()
            .filter_map(|output| match output {
                Output::Event(event) => Some(event),
                _ => None,
            })
            .collect()
    }

    pub fn outcomes(&self) -> Vec<&CommandOutcome> {
        self.log
            .iter()
            .filter_map(|output| match output {
                Output::CommandDone(outcome) => Some(outcome),
                _ => None,
            })
            .collect()
    }

    pub fn writes(&self) -> impl Iterator<Item = (StateVersion, &Durable)> {
        self.log.iter().filter_map(|output| match output {
            Output::Write { version, state } => Some((*version, state)),
            _ => None,
        })
    }

    /// Everything sent to `peer`, oldest first.
    pub fn sent_to(&self, peer: u8) -> Vec<&Message> {
        self.log
            .iter()
            .filter_map(|output| match output {
                Output::Send { to, message } if to.0 == peer => Some(message),
                _ => None,
            })
            .collect()
    }

    pub fn queries_to(&self, peer: u8) -> Vec<Query> {
        let query = |message: &&Message| match message {
            Message::Query(query) => Some(*query),
            _ => None,
        };
        self.sent_to(peer).iter().filter_map(query).collect()
    }

    pub fn latest_query(&self, peer: u8) -> Option<Query> {
        self.queries_to(peer).last().copied()
    }

    pub fn answers_to(&self, peer: u8) -> Vec<Answer> {
        let answer = |message: &&Message| match message {
            Message::Answer(answer) => Some(*answer),
            _ => None,
        };
        self.sent_to(peer).iter().filter_map(answer).collect()
    }

    pub fn hand_over_answers_to(&self, peer: u8) -> Vec<HandOverAnswer> {
        let answer = |message: &&Message| match message {
            Message::HandOverAnswer(answer) => Some(*answer),
            _ => None,
        };
        self.sent_to(peer).iter().filter_map(answer).collect()
    }
}

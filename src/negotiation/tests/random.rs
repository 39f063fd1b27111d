//! Any facts in any order, absurd values included, to one member: no panic, no role without its term on disk, no term
//! twice, no busy loop (N11).

use std::time::Duration;

use proptest::prelude::*;

use super::super::Negotiator;
use super::super::ability::{Ability, Score, Sick, Unable};
use super::super::exchange::{ArbiterCall, ArbiterReply, Command, FenceResult, Input, Output, StateVersion, StopCause};
use super::super::member::MemberId;
use super::super::message::{
    Answer, Beacon, Grant, HandOverAnswer, HandOverCause, HandOverRequest, Hears, Hold, HoldStamp, Incarnation,
    Message, Mode, Order, PeerHello, Query, QueryId, Refusal, Relay, Released,
};
use super::super::settings::{Agreement, Protection, Settings};
use super::super::term::Term;
use super::super::time::Instant;
use super::{three, two};

/// A fact, some of them relative to what the member did last, so that the roads beyond the first turn are walked too.
#[derive(Debug, Clone)]
enum Step {
    Give(Input),
    /// A peer answers its latest query.
    AnswerLatest(u8, bool),
    /// A Primary's latest beacon is granted.
    GrantLatest(u8),
    /// The disk has written everything asked for.
    WriteAll,
    /// The arbiter replies to the latest call; out of place, as often as not.
    Reply(ArbiterReply),
    /// The arbiter gives what the latest call asks for.
    GiveLatest,
    /// The reference addresses answer the latest question, or not.
    AnswerReference(bool),
}

fn arbiter_reply() -> impl Strategy<Value = ArbiterReply> {
    let holder = || prop::option::of(member());
    prop_oneof![
        (holder(), number()).prop_map(|(holder, number)| ArbiterReply::Stands { holder, number }),
        number().prop_map(|number| ArbiterReply::Granted { number }),
        Just(ArbiterReply::Renewed),
        Just(ArbiterReply::Released),
        (holder(), number()).prop_map(|(holder, number)| ArbiterReply::Refused { holder, number }),
        Just(ArbiterReply::Unreachable { why: "no answer".into() }),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..12, 1 => any::<u64>(), 1 => Just(u64::MAX), 1 => Just(Term::MAX_NUMBER)]
}

fn member() -> impl Strategy<Value = MemberId> {
    prop_oneof![9 => 0_u8..3, 1 => any::<u8>()].prop_map(MemberId)
}

fn term() -> impl Strategy<Value = Term> {
    (number(), member()).prop_map(|(number, owner)| Term { number, owner })
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (0_u64..9_000).prop_map(Duration::from_millis),
        1 => any::<u64>().prop_map(Duration::from_nanos),
        1 => Just(Duration::MAX),
        1 => Just(Duration::ZERO),
    ]
}

fn instant() -> impl Strategy<Value = Instant> {
    prop_oneof![(0_u64..60_000).prop_map(|ms| Instant(ms * 1_000_000)), any::<u64>().prop_map(Instant)]
}

fn ability() -> impl Strategy<Value = Ability> {
    prop_oneof![
        Just(Ability::Fit),
        Just(Ability::Sick(Sick::BelowThreshold)),
        Just(Ability::Cannot(Unable::Held)),
        Just(Ability::Cannot(Unable::Other)),
    ]
}

fn score() -> impl Strategy<Value = Score> {
    any::<u16>().prop_map(Score::from_ten_thousandths)
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        (number(), any::<bool>()).prop_map(|(proposed, written)| Order::BePrimary { proposed, written }),
        prop::option::of(number()).prop_map(|floor| Order::StaySecondary { floor }),
    ]
}

fn cause() -> impl Strategy<Value = HandOverCause> {
    prop_oneof![Just(HandOverCause::Operator), Just(HandOverCause::Health)]
}

fn message() -> impl Strategy<Value = Message> {
    let mode = prop_oneof![Just(Mode::Primary), Just(Mode::Secondary)];
    let query = (term(), number(), ability(), any::<[bool; 3]>(), score()).prop_map(
        |(seen, proposed, able, [candidate, claim, misses], score)| {
            let hears = if misses { Hears::NotYou } else { Hears::You };
            Message::Query(Query { id: QueryId(proposed), seen, proposed, able, candidate, claim, score, hears })
        },
    );
    let answer = (instant(), order(), term(), mode, term(), ability(), any::<bool>(), score()).prop_map(
        |(id, order, seen, mode, term, able, claim, score)| {
            Message::Answer(Answer { id: QueryId(id.0), order, seen, mode, term, able, claim, score })
        },
    );
    let verdict = prop_oneof![duration().prop_map(Ok), Just(Err(Refusal::Busy)), Just(Err(Refusal::Other))];
    let stamp = (number(), any::<u8>()).prop_map(|(unix_ms, member)| HoldStamp { unix_ms, member });
    prop_oneof![
        6 => query,
        4 => answer,
        4 => (term(), instant()).prop_map(|(term, sent_at)| Message::Beacon(Beacon { term, sent_at })),
        1 => (term(), instant()).prop_map(|(term, sent_at)| Message::Grant(Grant { term, sent_at })),
        1 => term().prop_map(|term| Message::Relay(Relay { term })),
        2 => (term(), cause())
            .prop_map(|(term, cause)| Message::HandOverRequest(HandOverRequest { term, cause })),
        2 => (term(), verdict)
            .prop_map(|(term, verdict)| Message::HandOverAnswer(HandOverAnswer { term, verdict })),
        2 => (term(), member()).prop_map(|(term, to)| Message::Released(Released { term, to })),
        1 => (stamp, duration())
            .prop_map(|(stamp, remaining)| Message::Hold(Hold { stamp, remaining, by: "ann".into() })),
        1 => Just(Message::Bye),
    ]
}

fn hello() -> impl Strategy<Value = PeerHello> {
    (0_u64..3, 0_u64..2, any::<bool>(), duration()).prop_map(|(incarnation, members_hash, majority, reply_timeout)| {
        let protection = if majority { vec![Protection::Majority] } else { Vec::new() };
        let agreement = Agreement { members_hash, protection, reply_timeout, lease: reply_timeout };
        PeerHello { incarnation: Incarnation(incarnation), agreement }
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        any::<bool>().prop_map(|force| Command::TakeOver { by: "ann".into(), force }),
        any::<bool>().prop_map(|force| Command::StepDown { by: "ann".into(), force }),
        (duration(), number()).prop_map(|(lasts, unix_ms)| Command::Hold { by: "ann".into(), lasts, unix_ms }),
        number().prop_map(|unix_ms| Command::Resume { by: "ann".into(), unix_ms }),
        member().prop_map(|peer| Command::Fence { peer, by: "ann".into() }),
        member().prop_map(|peer| Command::IsOff { peer, by: "ann".into() }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let version = || number().prop_map(StateVersion);
    let input = prop_oneof![
        4 => Just(Input::Tick),
        1 => duration().prop_map(|by| Input::Late { by }),
        4 => (member(), hello()).prop_map(|(peer, hello)| Input::LinkUp { peer, hello }),
        2 => member().prop_map(|peer| Input::LinkDown { peer }),
        2 => member().prop_map(|peer| Input::LinkRefused { peer }),
        1 => member().prop_map(|peer| Input::ConnectFailed { peer }),
        9 => (member(), message()).prop_map(|(peer, message)| Input::Received { peer, message }),
        1 => version().prop_map(|version| Input::Written { version }),
        1 => version().prop_map(|version| Input::WriteFailed { version }),
        1 => score().prop_map(|score| Input::Health { score }),
        1 => duration().prop_map(|longest| Input::StopTime { longest }),
        2 => Just(Input::ServingStopped),
        2 => (member(), any::<bool>()).prop_map(|(peer, off)| Input::Fenced {
            peer,
            result: if off { FenceResult::Off } else { FenceResult::Failed { why: "no answer".into() } },
        }),
        1 => (member(), any::<bool>()).prop_map(|(peer, answers)| Input::FenceDevice {
            peer,
            why_not: (!answers).then(|| "no answer".to_owned()),
        }),
        3 => command().prop_map(Input::Command),
        1 => prop_oneof![40 => Just(Input::Tick), 1 => Just(Input::Stop { cause: StopCause::Signal })],
    ];
    prop_oneof![
        8 => input.prop_map(Step::Give),
        3 => (0_u8..3, any::<bool>()).prop_map(|(peer, consents)| Step::AnswerLatest(peer, consents)),
        1 => (0_u8..3).prop_map(Step::GrantLatest),
        3 => Just(Step::WriteAll),
        1 => arbiter_reply().prop_map(Step::Reply),
        4 => Just(Step::GiveLatest),
        1 => any::<bool>().prop_map(Step::AnswerReference),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    (0_u8..3, 0_u8..4, any::<[bool; 4]>()).prop_map(|(me, kind, [observe, fence, arbiter, reachability])| {
        let mut settings = match kind {
            0 => two(me.min(1)),
            _ => three(me),
        };
        if kind == 3 {
            settings.protection = vec![Protection::Majority];
        }
        if fence {
            settings.protection.push(Protection::Fence);
            settings.fence_delay.fill(Some(Duration::from_secs(5)));
            settings.fencing_always = me == 1;
        }
        if arbiter {
            settings.protection.push(Protection::Arbiter);
        }
        if reachability {
            settings.protection.push(Protection::Reachability);
        }
        settings.observe_only = observe && me == 2;
        settings
    })
}

/// What is watched over a member's whole life.
struct Watched {
    machine: Negotiator,
    now: Instant,
    asked: Vec<(StateVersion, Term)>,
    written: StateVersion,
    last_taken: Option<Term>,
    queries: [Option<Query>; 3],
    beacons: [Option<Beacon>; 3],
    call: Option<(Instant, ArbiterCall)>,
    reference: Option<Instant>,
}

impl Watched {
    fn give(&mut self, input: Input) -> Result<(), TestCaseError> {
        if let Input::Written { version } = &input {
            let asked = self.asked.last().map_or(StateVersion(0), |(version, _)| *version);
            self.written = self.written.max((*version).min(asked));
        }
        let mut out = Vec::new();
        self.machine.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Write { version, state } => self.asked.push((version, state.seen)),
                Output::ModeChanged(decision) if decision.mode == Mode::Primary => {
                    let durable =
                        self.asked.iter().any(|(version, seen)| *version <= self.written && *seen >= decision.term);
                    prop_assert!(durable, "term {:?} is not on disk", decision.term);
                    prop_assert!(Some(decision.term) > self.last_taken, "term {:?} again", decision.term);
                    self.last_taken = Some(decision.term);
                }
                Output::Send { to, message: Message::Query(query) } => self.queries[to.index()] = Some(query),
                Output::Send { to, message: Message::Beacon(beacon) } => self.beacons[to.index()] = Some(beacon),
                Output::AskArbiter { asked_at, call, .. } => self.call = Some((asked_at, call)),
                Output::AskReference { asked_at, .. } => self.reference = Some(asked_at),
                Output::Send { .. }
                | Output::ModeChanged(_)
                | Output::TakingOver(_)
                | Output::Event(_)
                | Output::StopServing { .. }
                | Output::Fence { .. }
                | Output::CommandDone(_)
                | Output::Stopped => {}
            }
        }
        // Whatever the state, it can be looked at.
        let _ = self.machine.view(self.now);
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Give(input) => self.give(input),
            Step::AnswerLatest(peer, consents) => {
                let Some(query) = self.queries[usize::from(peer)] else { return Ok(()) };
                let order = if consents {
                    Order::BePrimary { proposed: query.proposed, written: true }
                } else {
                    Order::StaySecondary { floor: None }
                };
                let answer = Answer {
                    id: query.id,
                    order,
                    seen: Term::NONE,
                    mode: Mode::Secondary,
                    term: Term::NONE,
                    able: Ability::Fit,
                    claim: false,
                    score: Score::FULL,
                };
                self.give(Input::Received { peer: MemberId(peer), message: Message::Answer(answer) })
            }
            Step::GrantLatest(peer) => {
                let Some(beacon) = self.beacons[usize::from(peer)] else { return Ok(()) };
                let grant = Grant { sent_at: beacon.sent_at, term: beacon.term };
                self.give(Input::Received { peer: MemberId(peer), message: Message::Grant(grant) })
            }
            Step::Reply(reply) => match self.call {
                Some((asked_at, _)) => self.give(Input::Arbiter { asked_at, reply }),
                None => self.give(Input::Arbiter { asked_at: Instant(7), reply }),
            },
            Step::GiveLatest => {
                let Some((asked_at, call)) = self.call.take() else { return Ok(()) };
                let reply = match call {
                    ArbiterCall::Look => ArbiterReply::Stands { holder: None, number: 0 },
                    ArbiterCall::Acquire { above } => ArbiterReply::Granted { number: above.saturating_add(1) },
                    ArbiterCall::Renew { .. } => ArbiterReply::Renewed,
                    ArbiterCall::Release { .. } => ArbiterReply::Released,
                };
                self.give(Input::Arbiter { asked_at, reply })
            }
            Step::AnswerReference(answered) => match self.reference {
                Some(asked_at) => self.give(Input::Reference { asked_at, answered }),
                None => Ok(()),
            },
            Step::WriteAll => match self.asked.last() {
                Some((version, _)) => self.give(Input::Written { version: *version }),
                None => Ok(()),
            },
        }
    }

    /// Runs to the next deadline, if that is soon, and expects that it is not wanted again at once.
    fn tick(&mut self) -> Result<(), TestCaseError> {
        let Some(at) = self.machine.next_deadline().filter(|at| at.0 < u64::MAX / 2) else { return Ok(()) };
        self.now = self.now.max(at);
        self.give(Input::Tick)?;
        if let Some(next) = self.machine.next_deadline() {
            prop_assert!(next > self.now, "busy: wants {:?} at {:?}", next, self.now);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn n11_no_facts_in_any_order_break_the_machine(
        settings in settings(),
        steps in prop::collection::vec((step(), prop_oneof![3 => Just(None), 2 => (0_u64..4_000).prop_map(Some)]), 1..120),
    ) {
        let now = Instant(1_000_000_000);
        let machine = Negotiator::new(settings, now, None).expect("usable settings");
        let mut watched = Watched {
            machine,
            now,
            asked: Vec::new(),
            written: StateVersion(0),
            last_taken: None,
            queries: [None; 3],
            beacons: [None; 3],
            call: None,
            reference: None,
        };
        for (step, pause) in steps {
            watched.step(step)?;
            match pause {
                Some(pause) => watched.now = watched.now + Duration::from_millis(pause),
                None => watched.tick()?,
            }
        }
    }
}

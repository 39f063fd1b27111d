//! The codec's claims: everything comes back as it was, and versions live together (N17).

use std::time::Duration;

use super::*;
use crate::link::event::{RunState, RunsOn, ShownProcess};
use crate::negotiation::Negotiator;
use crate::negotiation::ability::{Ability, Score, Sick, Unable};
use crate::negotiation::exchange::{Input, Output};
use crate::negotiation::message::{
    Answer, Beacon, Grant, HandOverAnswer, HandOverCause, HandOverRequest, Hears, Hold, HoldStamp, Incarnation, Mode,
    Order, PeerHello, Query, QueryId, Refusal, Relay, Released,
};
use crate::negotiation::settings::Settings;
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;

fn roster() -> Roster {
    Roster::new(vec!["alpha".into(), "beta".into(), "gamma".into()])
}

fn term(number: u64, owner: u8) -> Term {
    Term { number, owner: MemberId(owner) }
}

/// Every type and every shape of its body.
fn messages() -> Vec<Message> {
    let mut all = Vec::new();
    let ables = [
        Ability::Fit,
        Ability::Sick(Sick::BelowThreshold),
        Ability::Sick(Sick::LostForHealth),
        Ability::Cannot(Unable::Held),
        Ability::Cannot(Unable::ObserveOnly),
        Ability::Cannot(Unable::Stopping),
        Ability::Cannot(Unable::StateNotDurable),
        Ability::Cannot(Unable::SteppedDown),
        Ability::Cannot(Unable::ArbiterUnreachable),
        Ability::Cannot(Unable::NoReference),
        Ability::Cannot(Unable::Other),
    ];
    for able in ables {
        all.push(Message::Query(Query {
            id: QueryId(4),
            seen: Term::NONE,
            proposed: 1,
            able,
            candidate: able == Ability::Fit,
            claim: able != Ability::Fit,
            score: Score::from_ten_thousandths(9_700),
            hears: if able == Ability::Fit { Hears::You } else { Hears::NotYou },
        }));
    }
    let orders = [
        Order::BePrimary { proposed: 8, written: true },
        Order::BePrimary { proposed: 8, written: false },
        Order::StaySecondary { floor: None },
        Order::StaySecondary { floor: Some(7) },
    ];
    for order in orders {
        all.push(Message::Answer(Answer {
            id: QueryId(4),
            order,
            seen: term(7, 1),
            mode: Mode::Primary,
            term: term(7, 2),
            able: Ability::Fit,
            claim: true,
            score: Score::FULL,
        }));
    }
    all.push(Message::Beacon(Beacon { term: term(7, 0), sent_at: Instant(u64::MAX - 1) }));
    all.push(Message::Grant(Grant { sent_at: Instant(5), term: term(7, 0) }));
    all.push(Message::Relay(Relay { term: term(9, 2) }));
    for cause in [HandOverCause::Operator, HandOverCause::Health] {
        all.push(Message::HandOverRequest(HandOverRequest { term: term(7, 0), cause }));
    }
    let refusals = [
        Refusal::NotPrimary,
        Refusal::OtherTerm,
        Refusal::Held,
        Refusal::NotSick,
        Refusal::Busy,
        Refusal::AskerUnable,
        Refusal::Other,
    ];
    for verdict in refusals.map(Err).into_iter().chain([Ok(Duration::from_millis(40))]) {
        all.push(Message::HandOverAnswer(HandOverAnswer { term: term(7, 0), verdict }));
    }
    all.push(Message::Released(Released { term: term(7, 0), to: MemberId(1) }));
    all.push(Message::Hold(Hold {
        stamp: HoldStamp { unix_ms: 1_700_000_000_000, member: 1 },
        remaining: Duration::from_secs(1800),
        by: "maria".into(),
    }));
    all.push(Message::Bye);
    all
}

#[test]
fn every_message_comes_back_as_it_was_and_appended_fields_are_ignored() {
    for (place, message) in messages().into_iter().enumerate() {
        let seq = place as u64 + 1;
        let mut bytes = encode_message(seq, &message, &roster());
        let envelope = Envelope { version: BODY_VERSION, seq, body: Body::Message(message) };
        assert_eq!(decode(&bytes, &roster()).as_ref(), Ok(&envelope));
        bytes.extend_from_slice(&[0xde, 0xad]);
        assert_eq!(decode(&bytes, &roster()), Ok(envelope), "n17");
    }
}

/// What was learnt from a floor was once sent on as a term without an owner, and refused as malformed by everybody: of
/// three, two healthy members then never again understood each other.
#[test]
fn n11_who_knows_a_number_only_as_a_floor_is_understood() {
    let names = vec!["alpha".into(), "beta".into(), "gamma".into()];
    let settings = Settings::new(MemberId(2), names);
    let hello = PeerHello { incarnation: Incarnation(1), agreement: settings.agreement() };
    let mut gamma = Negotiator::new(settings, Instant(0), None).unwrap();
    let mut out = Vec::new();
    gamma.handle(Instant(1), Input::LinkUp { peer: MemberId(0), hello }, &mut out);
    let floor = Message::Answer(Answer {
        id: QueryId(1),
        order: Order::StaySecondary { floor: Some(9) },
        seen: term(8, 0),
        mode: Mode::Secondary,
        term: Term::NONE,
        able: Ability::Fit,
        claim: false,
        score: Score::FULL,
    });
    gamma.handle(Instant(2), Input::Received { peer: MemberId(0), message: floor }, &mut out);
    out.clear();
    gamma.handle(Instant(2_000_000_000), Input::Tick, &mut out);
    let sent = out.into_iter().find_map(|output| match output {
        Output::Send { message: Message::Query(query), .. } => Some(query),
        _ => None,
    });
    let query = sent.expect("a Secondary asks every interval");
    assert_eq!((query.seen.number, query.proposed), (9, 10));
    let bytes = encode_message(1, &Message::Query(query), &roster());
    assert_eq!(decode(&bytes, &roster()).map(|envelope| envelope.body), Ok(Body::Message(Message::Query(query))));
}

fn process(state: RunState) -> ShownProcess {
    let start = (state == RunState::Waits).then_some(Duration::from_millis(900));
    let pid = (state == RunState::GivenUp).then_some(988);
    let name = "plant-control".to_owned();
    ShownProcess { name, state, runs_on: RunsOn::Primary, pid, stop: Duration::from_secs(5), start }
}

#[test]
fn n17_what_an_older_member_shows_is_read_and_a_process_in_a_newer_state_is_left_out() {
    let older = [&encode_shown(9, &Shown::default())[..10], &[0, 0][..]].concat();
    let read = |bytes: &[u8]| match decode(bytes, &roster()).expect("it is read").body {
        Body::Shown(shown) => shown,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&older), Shown::default());
    let all = Shown { processes: vec![process(RunState::Running), process(RunState::Waits)], ..Shown::default() };
    let mut newer = encode_shown(9, &all);
    // Behind the head, no watcher, no plan, the count and the name: the first one's state.
    newer[10 + 3 + 14] = 77;
    assert_eq!(read(&newer).processes, [process(RunState::Waits)]);
}

#[test]
fn what_belongs_to_one_connection_comes_back_as_it_was() {
    let bodies = [
        Body::Refused { code: RefusalCode::SecondInstance, text: "two machines call themselves beta".into() },
        Body::Ping { id: 3 },
        Body::Pong { id: 3, reverse: None },
        Body::Pong { id: 3, reverse: Some(Duration::from_micros(120)) },
        Body::Shown(Shown {
            attached: vec!["maria@alpha".into()],
            plan: Some((12, "failover to beta".into())),
            processes: [RunState::Waits, RunState::GivenUp].map(process).into(),
            dead_devices: vec!["alpha".into(), "gamma".into()],
        }),
        Body::Shown(Shown::default()),
    ];
    for body in bodies {
        let bytes = encode(0, &body, &roster());
        assert_eq!(decode(&bytes, &roster()), Ok(Envelope { version: BODY_VERSION, seq: 0, body }));
    }
}

#[test]
fn n17_an_unknown_type_is_skipped_and_not_an_error() {
    let bytes = [200, 9, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3];
    assert_eq!(decode(&bytes, &roster()), Ok(Envelope { version: 9, seq: 5, body: Body::Unknown { kind: 200 } }));
}

#[test]
fn n17_fields_that_may_be_missing_have_their_default() {
    let query = messages().remove(0);
    let mut bytes = encode_message(1, &query, &roster());
    // Whether words are missing is younger than the score, and both are younger than the rest.
    bytes.truncate(bytes.len() - 3);
    match decode(&bytes, &roster()).map(|envelope| envelope.body) {
        Ok(Body::Message(Message::Query(query))) => assert_eq!((query.score, query.hears), (Score::FULL, Hears::You)),
        other => panic!("{other:?}"),
    }
    bytes.pop();
    assert!(decode(&bytes, &roster()).is_err(), "a field of the first version is missing");
}

#[test]
fn n17_reasons_of_a_newer_version_are_told_as_other() {
    let message = Message::HandOverAnswer(HandOverAnswer { term: term(7, 0), verdict: Err(Refusal::Busy) });
    let mut bytes = encode_message(1, &message, &roster());
    let verdict = bytes.len() - 9;
    bytes[verdict] = 99;
    match decode(&bytes, &roster()).map(|envelope| envelope.body) {
        Ok(Body::Message(Message::HandOverAnswer(answer))) => assert_eq!(answer.verdict, Err(Refusal::Other)),
        other => panic!("{other:?}"),
    }
}

/// Else two members would be silent to each other while a list is changed one member at a time.
#[test]
fn n19_a_former_primary_that_is_no_member_here_leaves_its_number() {
    let mut query = messages().remove(0);
    let Message::Query(said) = &mut query else { panic!("the first is a query") };
    said.seen = term(7, 2);
    let bytes = encode_message(1, &query, &roster());
    let without = Roster::new(vec!["alpha".into(), "beta".into()]);
    match decode(&bytes, &without).map(|envelope| envelope.body) {
        Ok(Body::Message(Message::Query(heard))) => assert_eq!(heard.seen, term(7, Term::NONE.owner.0)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn n19_owners_travel_by_name_and_one_that_is_no_member_is_refused() {
    let beacon = Message::Beacon(Beacon { term: term(7, 2), sent_at: Instant(1) });
    let bytes = encode_message(1, &beacon, &roster());
    // The same group, numbered differently elsewhere.
    let other = Roster::new(vec!["gamma".into(), "alpha".into()]);
    let there = Message::Beacon(Beacon { term: term(7, 0), sent_at: Instant(1) });
    assert_eq!(decode(&bytes, &other).map(|envelope| envelope.body), Ok(Body::Message(there)));
    let without = Roster::new(vec!["alpha".into(), "beta".into()]);
    assert_eq!(decode(&bytes, &without), Err(DecodeError::UnknownName("gamma".into())));
}

//! PROTOCOL.md says what the code does: each worked example there is read and compared with what the code writes.

use std::time::Duration;

use snow::Builder;

use crate::link::codec::{self, Body, Roster};
use crate::link::event::{RunState, RunsOn, Shown, ShownProcess};
use crate::link::frame::{MAX_FRAME, MAX_PLAIN, with_length};
use crate::link::hello::{Hello, Opening, Protected, RefusalCode, encode_refusal, group_hash};
use crate::link::noise::PATTERN;
use crate::negotiation::ability::{Ability, Score, Unable};
use crate::negotiation::member::MemberId;
use crate::negotiation::message::{
    Answer, Beacon, Grant, HandOverAnswer, HandOverCause, HandOverRequest, Hears, Hold, HoldStamp, Incarnation,
    Message, Mode, Order, Query, QueryId, Refusal, Relay, Released,
};
use crate::negotiation::settings::{Agreement, Protection};
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;

const DOCUMENT: &str = include_str!("../../../PROTOCOL.md");

/// The bytes of the block that starts with "```hex NAME": what stands before "#" on each line.
fn example(name: &str) -> Vec<u8> {
    let start = format!("```hex {name}\n");
    let block = DOCUMENT.split_once(&start).unwrap_or_else(|| panic!("no example {name}")).1;
    let block = block.split_once("```").expect("the block ends").0;
    let digits: String = block
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter(|character| !character.is_whitespace())
        .collect();
    assert_eq!(digits.len() % 2, 0, "{name}: half a byte");
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn holds(name: &str, code: &[u8]) {
    assert_eq!(hex(&example(name)), hex(code), "example {name}: the document on the left, the code on the right");
}

fn roster() -> Roster {
    Roster::new(vec!["alpha".into(), "beta".into()])
}

fn term(number: u64) -> Term {
    Term { number, owner: MemberId(0) }
}

fn hello(name: &str, wanted: &str, incarnation: u64) -> Vec<u8> {
    let hello = Hello {
        name: name.into(),
        wanted: wanted.into(),
        group: "substation-7".into(),
        version: 1,
        oldest: 1,
        incarnation: Incarnation(incarnation),
        agreement: Agreement {
            members_hash: group_hash("alpha\n10.0.0.1:7400\n\nbeta\n10.0.0.2:7400\n\n"),
            protection: vec![Protection::Majority],
            reply_timeout: Duration::from_secs(3),
            lease: Duration::from_secs(3),
        },
        program: "0.1.0".into(),
    };
    codec::encode(0, &Body::Hello(hello), &roster())
}

#[test]
fn openings_and_refusals_are_as_documented() {
    holds("group-hash", &group_hash("substation-7").to_be_bytes());
    let opening = Opening::ours(Protected::No, "substation-7");
    holds("opening-plain", &with_length(&opening.encode()));
    holds("refusal-plain", &with_length(&encode_refusal(RefusalCode::WrongKey)));
}

/// A whole handshake with fixed keys, so that another implementation can be compared step by step.
#[test]
fn the_handshake_is_as_documented() {
    let key: Vec<u8> = (0..32).collect();
    let key: [u8; 32] = key.try_into().unwrap();
    let prologue = Opening::ours(Protected::Noise, "substation-7").encode();
    let side = |ephemeral: &'static [u8; 32]| {
        let builder = Builder::new(PATTERN.parse().unwrap()).fixed_ephemeral_key_for_testing_only(ephemeral);
        builder.prologue(&prologue).unwrap().psk(0, &key).unwrap()
    };
    let mut caller = side(&[0x11; 32]).build_initiator().unwrap();
    let mut listener = side(&[0x22; 32]).build_responder().unwrap();
    let (mut message, mut payload) = ([0; 128], [0; 128]);
    let framed = |message: &[u8]| with_length(&[&prologue[..], message].concat());
    let length = caller.write_message(&[], &mut message).unwrap();
    holds("opening-noise-caller", &framed(&message[..length]));
    listener.read_message(&message[..length], &mut payload).unwrap();
    let length = listener.write_message(&[], &mut message).unwrap();
    holds("opening-noise-listener", &framed(&message[..length]));
    caller.read_message(&message[..length], &mut payload).unwrap();
    let caller = caller.into_stateless_transport_mode().unwrap();
    let mut sealed = [0; 256];
    let hello = hello("beta", "alpha", 0x0102_0304_0506_0708);
    holds("hello", &hello);
    let length = caller.write_message(0, &hello, &mut sealed).unwrap();
    holds("hello-sealed", &with_length(&sealed[..length]));
}

#[test]
fn what_belongs_to_one_connection_is_as_documented() {
    let refused = Body::Refused { code: RefusalCode::SecondInstance, text: "two machines call themselves beta".into() };
    holds("refused", &codec::encode(0, &refused, &roster()));
    holds("ping", &codec::encode_ping(7));
    holds("pong", &codec::encode_pong(7, Some(Duration::from_micros(180))));
    let shown = Shown {
        attached: vec!["maria".into()],
        plan: Some((12, "failover to beta".into())),
        processes: vec![ShownProcess {
            name: "plant".into(),
            state: RunState::Running,
            runs_on: RunsOn::Primary,
            pid: Some(988),
            stop: Duration::from_secs(5),
            start: Some(Duration::from_millis(900)),
        }],
        dead_devices: vec!["beta".into()],
    };
    holds("shown", &codec::encode_shown(9, &shown));
}

#[test]
fn messages_are_as_documented() {
    let written = |seq, message: Message| codec::encode_message(seq, &message, &roster());
    let query = Query {
        id: QueryId(42),
        seen: term(7),
        proposed: 8,
        able: Ability::Fit,
        candidate: true,
        claim: false,
        score: Score::from_ten_thousandths(9_700),
        hears: Hears::You,
    };
    holds("query", &written(1, Message::Query(query)));
    let answer = |order, able| {
        Message::Answer(Answer {
            id: QueryId(42),
            order,
            seen: term(7),
            mode: Mode::Secondary,
            term: Term::NONE,
            able,
            claim: false,
            score: Score::FULL,
        })
    };
    let consent = answer(Order::BePrimary { proposed: 8, written: true }, Ability::Fit);
    holds("answer-be-primary", &written(2, consent));
    let stay = answer(Order::StaySecondary { floor: Some(9) }, Ability::Cannot(Unable::Held));
    holds("answer-stay-secondary", &written(3, stay));
    holds("beacon", &written(4, Message::Beacon(Beacon { term: term(8), sent_at: Instant(5_000_000_000) })));
    holds("grant", &written(5, Message::Grant(Grant { sent_at: Instant(5_000_000_000), term: term(8) })));
    holds("relay", &written(6, Message::Relay(Relay { term: term(8) })));
    let request = HandOverRequest { term: term(8), cause: HandOverCause::Operator };
    holds("hand-over-request", &written(7, Message::HandOverRequest(request)));
    let agreed = HandOverAnswer { term: term(8), verdict: Ok(Duration::from_secs(5)) };
    holds("hand-over-agreed", &written(8, Message::HandOverAnswer(agreed)));
    let refused = HandOverAnswer { term: term(8), verdict: Err(Refusal::Held) };
    holds("hand-over-refused", &written(9, Message::HandOverAnswer(refused)));
    holds("released", &written(10, Message::Released(Released { term: term(8), to: MemberId(1) })));
    let hold = Hold {
        stamp: HoldStamp { unix_ms: 1_763_712_000_000, member: 1 },
        remaining: Duration::from_secs(1800),
        by: "maria".into(),
    };
    holds("hold", &written(11, Message::Hold(hold)));
    holds("bye", &written(12, Message::Bye));
}

#[test]
fn the_limits_are_as_documented() {
    for text in [format!("1 to {MAX_FRAME}"), format!("{MAX_PLAIN} bytes of content"), PATTERN.to_owned()] {
        assert!(DOCUMENT.contains(&text), "PROTOCOL.md does not say \"{text}\"");
    }
}

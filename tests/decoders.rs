//! No bytes from outside make the link's decoders panic, or keep more than their limit (N13, S8).
//!
//! A short fuzz run as an ordinary test; `cargo bolero test` runs the same targets for as long as one likes.

use bytes::BytesMut;
use tandem::link::codec::{self, Body, Roster};
use tandem::link::frame::{LENGTH, MAX_FRAME, take_frame};
use tandem::link::hello::{First, OPENING, decode_first};
use tandem::link::wire::MAX_TEXT;

fn roster() -> Roster {
    Roster::new(vec!["alpha".into(), "beta".into(), "gamma".into()])
}

/// Whether what was kept of a message is within the limits of PROTOCOL.md.
fn within_limits(body: &Body) -> bool {
    match body {
        Body::Hello(hello) => {
            [&hello.name, &hello.wanted, &hello.group, &hello.program].iter().all(|text| text.len() <= MAX_TEXT)
                && hello.agreement.protection.len() <= 32
        }
        Body::Refused { text, .. } => text.len() <= codec::MAX_REFUSAL_TEXT,
        Body::Shown(shown) => shown.attached.len() <= 16 && shown.attached.iter().all(|who| who.len() <= MAX_TEXT),
        Body::Ping { .. } | Body::Pong { .. } | Body::Message(_) | Body::Unknown { .. } => true,
    }
}

#[test]
fn n13_no_stream_of_bytes_becomes_a_frame_over_the_limit() {
    bolero::check!().with_type::<Vec<u8>>().with_iterations(20_000).for_each(|bytes| {
        let mut buffer = BytesMut::from(&bytes[..]);
        let mut taken = 0;
        while let Ok(Some(frame)) = take_frame(&mut buffer) {
            assert!((1..=MAX_FRAME).contains(&frame.len()));
            taken += LENGTH + frame.len();
        }
        assert_eq!(taken + buffer.len(), bytes.len(), "bytes were lost");
    });
}

#[test]
fn s8_no_opening_panics() {
    bolero::check!().with_type::<Vec<u8>>().with_iterations(20_000).for_each(|bytes| {
        if let Ok(First::Opening(opening, message)) = decode_first(bytes) {
            assert_eq!(&opening.encode(), &bytes[..OPENING]);
            assert_eq!(message, &bytes[OPENING..]);
        }
    });
}

/// Random bytes rarely pass the first field, so each known type is tried with a random body.
#[test]
fn s8_no_message_panics_or_keeps_more_than_its_limit() {
    const TYPES: [u8; 16] = [1, 2, 3, 4, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 32, 200];
    let roster = roster();
    bolero::check!().with_type::<(u8, Vec<u8>)>().with_iterations(60_000).for_each(|(choice, body)| {
        let mut bytes = vec![TYPES[usize::from(*choice) % TYPES.len()], 1];
        bytes.extend_from_slice(&7_u64.to_be_bytes());
        bytes.extend_from_slice(body);
        if let Ok(envelope) = codec::decode(&bytes, &roster) {
            assert!(within_limits(&envelope.body), "{envelope:?}");
            // What was understood is said again in the same words.
            let again = codec::encode(envelope.seq, &envelope.body, &roster);
            let reread = codec::decode(&again, &roster).expect("own bytes are readable");
            let Body::Hello(_) = envelope.body else {
                assert_eq!(reread.body, envelope.body);
                return;
            };
        }
    });
}

/// Bytes of real messages, changed in one place: closer to the edges than random ones.
#[test]
fn s8_no_damaged_message_panics() {
    let roster = roster();
    let process = tandem::link::ShownProcess {
        name: "plant".into(),
        state: tandem::link::RunState::Running,
        runs_on: tandem::link::RunsOn::Primary,
        pid: Some(988),
        stop: std::time::Duration::from_secs(5),
        start: Some(std::time::Duration::from_millis(900)),
    };
    let shown = tandem::link::Shown {
        attached: vec!["maria".into()],
        plan: Some((1, "failover".into())),
        processes: vec![process],
        dead_devices: vec!["alpha".into()],
    };
    let originals = [codec::encode_shown(1, &shown), codec::encode_pong(3, None), hello(&roster)];
    bolero::check!().with_type::<(u8, u16, u8, u16)>().with_iterations(40_000).for_each(|(which, at, value, cut)| {
        let mut bytes = originals[usize::from(*which) % originals.len()].clone();
        let place = usize::from(*at) % bytes.len();
        bytes[place] = *value;
        bytes.truncate(bytes.len() - usize::from(*cut) % 4);
        if let Ok(envelope) = codec::decode(&bytes, &roster) {
            assert!(within_limits(&envelope.body));
        }
    });
}

fn hello(roster: &Roster) -> Vec<u8> {
    let hello = tandem::link::hello::Hello {
        name: "beta".into(),
        wanted: "alpha".into(),
        group: "substation-7".into(),
        version: 1,
        oldest: 1,
        incarnation: tandem::negotiation::message::Incarnation(5),
        agreement: tandem::negotiation::settings::Agreement {
            members_hash: 1,
            protection: vec![tandem::negotiation::settings::Protection::Majority],
            reply_timeout: std::time::Duration::from_secs(3),
            lease: std::time::Duration::from_secs(3),
        },
        program: "0.1.0".into(),
    };
    codec::encode(0, &Body::Hello(hello), roster)
}

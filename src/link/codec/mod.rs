//! Messages to bytes and back: one envelope, one body a type (PROTOCOL.md).
//!
//! Everything is fixed, big-endian and written by hand, so that PROTOCOL.md can say it byte by byte. Fields are only
//! ever appended: what follows the known fields is ignored, and fields that came later than the first version have a
//! default (N17).

mod message;
mod shown;

use std::time::Duration;

use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::message::Message;

use super::event::Shown;
use super::hello::{Hello, RefusalCode};
use super::wire::{DecodeError, Reader, Writer};

/// The version of the bodies that this program writes.
pub const BODY_VERSION: u8 = 1;

/// The most bytes of a refusal's text.
pub const MAX_REFUSAL_TEXT: usize = 200;

/// The type byte of each message.
pub(super) mod kind {
    pub(in crate::link) const HELLO: u8 = 1;
    pub(in crate::link) const REFUSED: u8 = 2;
    pub(in crate::link) const PING: u8 = 3;
    pub(in crate::link) const PONG: u8 = 4;
    pub(in crate::link) const QUERY: u8 = 16;
    pub(in crate::link) const ANSWER: u8 = 17;
    pub(in crate::link) const BEACON: u8 = 18;
    pub(in crate::link) const GRANT: u8 = 19;
    pub(in crate::link) const RELAY: u8 = 20;
    pub(in crate::link) const HAND_OVER_REQUEST: u8 = 21;
    pub(in crate::link) const HAND_OVER_ANSWER: u8 = 22;
    pub(in crate::link) const RELEASED: u8 = 23;
    pub(in crate::link) const HOLD: u8 = 24;
    pub(in crate::link) const BYE: u8 = 25;
    pub(in crate::link) const SHOWN: u8 = 32;
}

/// Names to members and back: numbers do not travel, because two members whose lists differ number differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    names: Vec<Name>,
}

impl Roster {
    /// The members' names, in the order of their addresses.
    pub fn new(names: Vec<Name>) -> Roster {
        Roster { names }
    }

    /// The member called `name`.
    pub fn id(&self, name: &str) -> Option<MemberId> {
        // At most MAX_MEMBERS names, so the cast keeps the place.
        self.names.iter().position(|known| known.as_str() == name).map(|place| MemberId(place as u8))
    }

    /// The name of `member`; empty, the wire's "nobody", for one that is not configured.
    pub fn name(&self, member: MemberId) -> &str {
        self.names.get(member.index()).map_or("", Name::as_str)
    }
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Who the sender is.
    Hello(Hello),
    /// The sender will not talk to the receiver.
    Refused {
        /// Why.
        code: RefusalCode,
        /// A sentence for people.
        text: String,
    },
    /// "Are you there?"
    Ping {
        /// Comes back in the pong.
        id: u64,
    },
    /// "I am here."
    Pong {
        /// The ping's.
        id: u64,
        /// The sender's own latest round trip on this connection.
        reverse: Option<Duration>,
    },
    /// A message of the negotiation.
    Message(Message),
    /// What the sender's screens show.
    Shown(Shown),
    /// A type of a newer version: skipped (N17).
    Unknown {
        /// The type byte.
        kind: u8,
    },
}

/// One frame's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The version of the body.
    pub version: u8,
    /// Counts the sender's messages to this receiver over all connections; 0 for what belongs to one connection.
    pub seq: u64,
    /// What it carries.
    pub body: Body,
}

/// The bytes of an envelope.
pub fn encode(seq: u64, body: &Body, roster: &Roster) -> Vec<u8> {
    match body {
        Body::Message(message) => encode_message(seq, message, roster),
        Body::Hello(hello) => {
            let mut writer = start(kind::HELLO, seq);
            hello.write(&mut writer);
            writer.finish()
        }
        Body::Refused { code, text } => {
            let mut writer = start(kind::REFUSED, seq);
            writer.u8(code.number()).text(text, MAX_REFUSAL_TEXT);
            writer.finish()
        }
        Body::Ping { id } => encode_ping(*id),
        Body::Pong { id, reverse } => encode_pong(*id, *reverse),
        Body::Shown(shown) => encode_shown(seq, shown),
        Body::Unknown { kind } => start(*kind, seq).finish(),
    }
}

/// The bytes of a ping. Pings and pongs belong to one connection and have no number.
pub fn encode_ping(id: u64) -> Vec<u8> {
    let mut writer = start(kind::PING, 0);
    writer.u64(id);
    writer.finish()
}

/// The bytes of the answer to a ping.
pub fn encode_pong(id: u64, reverse: Option<Duration>) -> Vec<u8> {
    let mut writer = start(kind::PONG, 0);
    writer.u64(id);
    match reverse {
        Some(rtt) => writer.duration(rtt),
        None => writer.u64(u64::MAX),
    };
    writer.finish()
}

/// The bytes of a message of the negotiation.
pub fn encode_message(seq: u64, message: &Message, roster: &Roster) -> Vec<u8> {
    let mut writer = start(message::kind_of(message), seq);
    message::write(message, roster, &mut writer);
    writer.finish()
}

/// The bytes of what the screens show; what is over the bounds is left out.
pub fn encode_shown(seq: u64, shown: &Shown) -> Vec<u8> {
    let mut writer = start(kind::SHOWN, seq);
    shown::write(&mut writer, shown);
    writer.finish()
}

fn start(kind: u8, seq: u64) -> Writer {
    let mut writer = Writer::new();
    writer.u8(kind).u8(BODY_VERSION).u64(seq);
    writer
}

/// Reads one frame's content.
///
/// # Errors
/// [`DecodeError`] when a known type's body is not as PROTOCOL.md says, or names somebody unknown. A type that is not
/// known is no error, but [`Body::Unknown`].
pub fn decode(bytes: &[u8], roster: &Roster) -> Result<Envelope, DecodeError> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8("the type")?;
    let version = reader.u8("the body's version")?;
    let seq = reader.u64("the sequence number")?;
    let body = match kind {
        kind::HELLO => Body::Hello(Hello::read(&mut reader)?),
        kind::REFUSED => {
            let code = RefusalCode::from_number(reader.u8("the refusal")?);
            let text = if reader.at_end() { "" } else { reader.text("the refusal's text", MAX_REFUSAL_TEXT)? };
            Body::Refused { code, text: text.to_owned() }
        }
        kind::PING => Body::Ping { id: reader.u64("the ping's id")? },
        kind::PONG => {
            let id = reader.u64("the pong's id")?;
            let reverse = if reader.at_end() { u64::MAX } else { reader.u64("the other way's round trip")? };
            Body::Pong { id, reverse: (reverse != u64::MAX).then(|| Duration::from_nanos(reverse)) }
        }
        kind::SHOWN => Body::Shown(shown::read(&mut reader)?),
        other => match message::read(other, &mut reader, roster)? {
            Some(message) => Body::Message(message),
            None => Body::Unknown { kind: other },
        },
    };
    Ok(Envelope { version, seq, body })
}

#[cfg(test)]
mod tests;

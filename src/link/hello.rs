//! How two members introduce themselves: the opening in plain sight, and the hello behind the encryption.
//!
//! The opening only ever leads to a refusal (another protocol, group or version): it is not authenticated, so nothing
//! is believed from it. What counts is the [`Hello`], which the key vouches for.

use crate::negotiation::message::Incarnation;
use crate::negotiation::settings::{Agreement, Protection};

use super::wire::{DecodeError, MAX_TEXT, Reader, Writer};

/// The first bytes of every opening.
pub const MAGIC: [u8; 4] = *b"TNDM";

/// The protocol version this program speaks.
pub const VERSION: u16 = 1;

/// The oldest protocol version this program can talk to (N17).
pub const OLDEST: u16 = 1;

/// The bytes of an opening before the Noise message; the caller's are the handshake's prologue.
pub const OPENING: usize = 18;

const KIND_OPENING: u8 = 1;
const KIND_REFUSAL: u8 = 2;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// Plain text.
    No,
    /// Noise with the group's key.
    Noise,
}

/// The first frame of each side, in plain sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Whether the rest is encrypted.
    pub protected: Protected,
    /// The version the sender speaks.
    pub version: u16,
    /// The oldest it can talk to.
    pub oldest: u16,
    /// [`group_hash`] of its group.
    pub group: u64,
}

/// Why a side refuses, as it is told to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCode {
    /// Another group.
    WrongGroup,
    /// A version too old.
    Version,
    /// Encrypted against plain.
    WrongSecurity,
    /// No accepted key opens the handshake.
    WrongKey,
    /// Another machine with the caller's name answers.
    SecondInstance,
    /// The caller is no member, or must not call.
    Stranger,
    /// The caller wanted somebody else.
    Misdirected,
    /// A reason of a newer version.
    Other(u8),
}

impl RefusalCode {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            RefusalCode::WrongGroup => 1,
            RefusalCode::Version => 2,
            RefusalCode::WrongSecurity => 3,
            RefusalCode::WrongKey => 4,
            RefusalCode::SecondInstance => 5,
            RefusalCode::Stranger => 6,
            RefusalCode::Misdirected => 7,
            RefusalCode::Other(number) => number,
        }
    }

    /// From the number on the wire.
    pub fn from_number(number: u8) -> RefusalCode {
        match number {
            1 => RefusalCode::WrongGroup,
            2 => RefusalCode::Version,
            3 => RefusalCode::WrongSecurity,
            4 => RefusalCode::WrongKey,
            5 => RefusalCode::SecondInstance,
            6 => RefusalCode::Stranger,
            7 => RefusalCode::Misdirected,
            other => RefusalCode::Other(other),
        }
    }
}

/// What the first frame of a connection turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First<'a> {
    /// An opening and the Noise message behind it (empty in plain text).
    Opening(Opening, &'a [u8]),
    /// A refusal, with the versions of who refuses.
    Refusal {
        /// Why.
        code: RefusalCode,
        /// The version it speaks.
        version: u16,
        /// The oldest it can talk to.
        oldest: u16,
    },
}

/// FNV-1a, 64 bits, over the group's name: tells another group apart before any key is tried.
pub fn group_hash(group: &str) -> u64 {
    group.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Opening {
    /// The opening of this program.
    pub fn ours(protected: Protected, group: &str) -> Opening {
        Opening { protected, version: VERSION, oldest: OLDEST, group: group_hash(group) }
    }

    /// The [`OPENING`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        let protected = match self.protected {
            Protected::No => 0,
            Protected::Noise => 1,
        };
        writer.raw(&MAGIC).u8(KIND_OPENING).u8(protected).u16(self.version).u16(self.oldest).u64(self.group);
        writer.finish()
    }
}

/// The bytes of a refusal in plain sight.
pub fn encode_refusal(code: RefusalCode) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(&MAGIC).u8(KIND_REFUSAL).u8(code.number()).u16(VERSION).u16(OLDEST);
    writer.finish()
}

/// Reads the first frame of a connection.
///
/// # Errors
/// [`DecodeError`] when it is not this protocol.
pub fn decode_first(bytes: &[u8]) -> Result<First<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let magic = reader.u32("the magic")?;
    if magic != u32::from_be_bytes(MAGIC) {
        return Err(DecodeError::Value { field: "the magic", value: u64::from(magic) });
    }
    match reader.u8("the kind")? {
        KIND_OPENING => {
            let protected = match reader.u8("the security")? {
                0 => Protected::No,
                1 => Protected::Noise,
                value => return Err(DecodeError::Value { field: "the security", value: u64::from(value) }),
            };
            let version = reader.u16("the version")?;
            let oldest = reader.u16("the oldest version")?;
            let group = reader.u64("the group")?;
            Ok(First::Opening(Opening { protected, version, oldest, group }, reader.rest()))
        }
        KIND_REFUSAL => {
            let code = RefusalCode::from_number(reader.u8("the refusal")?);
            let version = reader.u16("the version")?;
            let oldest = reader.u16("the oldest version")?;
            Ok(First::Refusal { code, version, oldest })
        }
        value => Err(DecodeError::Value { field: "the kind", value: u64::from(value) }),
    }
}

/// Who a side is: the first message behind the encryption, both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The sender's name.
    pub name: String,
    /// Whom it believes to talk to.
    pub wanted: String,
    /// Its group.
    pub group: String,
    /// The protocol version it speaks.
    pub version: u16,
    /// The oldest it can talk to.
    pub oldest: u16,
    /// This run of it.
    pub incarnation: Incarnation,
    /// What members must agree on (N19).
    pub agreement: Agreement,
    /// Its program's version, for people; empty when it does not say.
    pub program: String,
}

/// The number of [`Protection::Majority`] on the wire.
const MAJORITY: u8 = 1;

/// The number of [`Protection::Fence`] on the wire.
const FENCE: u8 = 2;

/// The number of [`Protection::Arbiter`] on the wire.
const ARBITER: u8 = 3;

/// The number of [`Protection::Reachability`] on the wire.
const REACHABILITY: u8 = 4;

/// The most protections a hello can list.
pub const MAX_PROTECTIONS: usize = 16;

impl Hello {
    /// Appends the hello's fields.
    pub fn write(&self, writer: &mut Writer) {
        writer.text(&self.name, MAX_TEXT).text(&self.wanted, MAX_TEXT).text(&self.group, MAX_TEXT);
        writer.u16(self.version).u16(self.oldest).u64(self.incarnation.0);
        let agreement = &self.agreement;
        writer.u64(agreement.members_hash).duration(agreement.reply_timeout).duration(agreement.lease);
        let protections = &agreement.protection[..agreement.protection.len().min(MAX_PROTECTIONS)];
        // At most MAX_PROTECTIONS.
        writer.u8(protections.len() as u8);
        for protection in protections {
            match protection {
                Protection::Majority => writer.u8(MAJORITY),
                Protection::Fence => writer.u8(FENCE),
                Protection::Arbiter => writer.u8(ARBITER),
                Protection::Reachability => writer.u8(REACHABILITY),
            };
        }
        writer.text(&self.program, MAX_TEXT);
    }

    /// Reads a hello's fields.
    ///
    /// # Errors
    /// [`DecodeError`] when a field is missing or out of bounds.
    pub fn read(reader: &mut Reader<'_>) -> Result<Hello, DecodeError> {
        let name = reader.text("the name", MAX_TEXT)?.to_owned();
        let wanted = reader.text("the wanted name", MAX_TEXT)?.to_owned();
        let group = reader.text("the group", MAX_TEXT)?.to_owned();
        let version = reader.u16("the version")?;
        let oldest = reader.u16("the oldest version")?;
        let incarnation = Incarnation(reader.u64("the incarnation")?);
        let members_hash = reader.u64("the members' hash")?;
        let reply_timeout = reader.duration("the reply timeout")?;
        let lease = reader.duration("the lease")?;
        let protection = read_protections(reader)?;
        let program =
            if reader.at_end() { String::new() } else { reader.text("the program's version", MAX_TEXT)?.to_owned() };
        let agreement = Agreement { members_hash, protection, reply_timeout, lease };
        Ok(Hello { name, wanted, group, version, oldest, incarnation, agreement, program })
    }
}

fn read_protections(reader: &mut Reader<'_>) -> Result<Vec<Protection>, DecodeError> {
    let count = usize::from(reader.u8("the protections")?);
    if count > MAX_PROTECTIONS {
        return Err(DecodeError::TooLong { field: "the protections", length: count, limit: MAX_PROTECTIONS });
    }
    let mut protections = Vec::with_capacity(count);
    for _ in 0..count {
        match reader.u8("a protection")? {
            MAJORITY => protections.push(Protection::Majority),
            FENCE => protections.push(Protection::Fence),
            ARBITER => protections.push(Protection::Arbiter),
            REACHABILITY => protections.push(Protection::Reachability),
            // One that this version does not know can only be told as a difference (N19), never as agreement: no list
            // of this version's own has a word twice.
            _newer => protections.extend([Protection::Majority; 2]),
        }
    }
    Ok(protections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiation::settings::AgreementKey;
    use std::time::Duration;

    fn hello() -> Hello {
        Hello {
            name: "beta".into(),
            wanted: "alpha".into(),
            group: "substation-7".into(),
            version: 1,
            oldest: 1,
            incarnation: Incarnation(7),
            agreement: Agreement {
                members_hash: 9,
                protection: vec![Protection::Majority],
                reply_timeout: Duration::from_millis(50),
                lease: Duration::ZERO,
            },
            program: "0.1.0".into(),
        }
    }

    #[test]
    fn a_hello_comes_back_as_it_was_and_appended_fields_are_ignored() {
        let mut writer = Writer::new();
        hello().write(&mut writer);
        let mut bytes = writer.finish();
        assert_eq!(Hello::read(&mut Reader::new(&bytes)), Ok(hello()));
        bytes.extend_from_slice(b"n17");
        assert_eq!(Hello::read(&mut Reader::new(&bytes)), Ok(hello()));
        // The program's version may be missing.
        bytes.truncate(bytes.len() - 3 - 6);
        assert_eq!(Hello::read(&mut Reader::new(&bytes)), Ok(Hello { program: String::new(), ..hello() }));
        bytes.pop();
        assert!(Hello::read(&mut Reader::new(&bytes)).is_err());
    }

    #[test]
    fn n19_a_protection_that_only_the_peer_knows_is_a_difference() {
        for known in [vec![], vec![Protection::Majority]] {
            let mine = Agreement { protection: known, ..hello().agreement };
            let theirs = read_protections(&mut Reader::new(&[1, 77])).unwrap();
            let theirs = Agreement { protection: theirs, ..mine.clone() };
            assert_eq!(mine.differences(&theirs), vec![AgreementKey::Protection]);
        }
    }

    #[test]
    fn an_opening_and_a_refusal_come_back_as_they_were() {
        let opening = Opening::ours(Protected::Noise, "substation-7");
        let mut bytes = opening.encode();
        assert_eq!(bytes.len(), OPENING);
        bytes.extend_from_slice(b"noise");
        assert_eq!(decode_first(&bytes), Ok(First::Opening(opening, &b"noise"[..])));
        for number in 1..=9 {
            let code = RefusalCode::from_number(number);
            assert_eq!(code.number(), number);
            let first = decode_first(&encode_refusal(code)).map(|first| format!("{first:?}"));
            assert_eq!(first, Ok(format!("{:?}", First::Refusal { code, version: VERSION, oldest: OLDEST })));
        }
    }
}

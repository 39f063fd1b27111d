//! The bodies of the negotiation's messages.

use crate::negotiation::ability::{Ability, Score, Sick, Unable};
use crate::negotiation::member::Name;
use crate::negotiation::message::{
    Answer, Beacon, Grant, HandOverAnswer, HandOverCause, HandOverRequest, Hears, Hold, HoldStamp, MAX_OPERATOR,
    Message, Mode, Order, Query, QueryId, Refusal, Relay, Released,
};
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;

use super::super::wire::{DecodeError, MAX_TEXT, Reader, Writer};
use super::{Roster, kind};

/// The type byte of `message`.
pub(super) fn kind_of(message: &Message) -> u8 {
    match message {
        Message::Query(_) => kind::QUERY,
        Message::Answer(_) => kind::ANSWER,
        Message::Beacon(_) => kind::BEACON,
        Message::Grant(_) => kind::GRANT,
        Message::Relay(_) => kind::RELAY,
        Message::HandOverRequest(_) => kind::HAND_OVER_REQUEST,
        Message::HandOverAnswer(_) => kind::HAND_OVER_ANSWER,
        Message::Released(_) => kind::RELEASED,
        Message::Hold(_) => kind::HOLD,
        Message::Bye => kind::BYE,
    }
}

/// Appends the body of `message`.
pub(super) fn write(message: &Message, roster: &Roster, writer: &mut Writer) {
    match message {
        Message::Query(query) => {
            writer.u64(query.id.0);
            write_term(query.seen, roster, writer);
            writer.u64(query.proposed);
            write_ability(query.able, writer);
            writer.u8(query.candidate.into()).u8(query.claim.into()).u16(query.score.ten_thousandths());
            writer.u8(u8::from(query.hears == Hears::NotYou));
        }
        Message::Answer(answer) => {
            writer.u64(answer.id.0);
            match answer.order {
                Order::BePrimary { proposed, written } => writer.u8(1).u64(proposed).u8(written.into()),
                Order::StaySecondary { floor: None } => writer.u8(0).u64(0).u8(0),
                Order::StaySecondary { floor: Some(floor) } => writer.u8(0).u64(floor).u8(1),
            };
            write_term(answer.seen, roster, writer);
            writer.u8(match answer.mode {
                Mode::Secondary => 0,
                Mode::Primary => 1,
            });
            write_term(answer.term, roster, writer);
            write_ability(answer.able, writer);
            writer.u8(answer.claim.into()).u16(answer.score.ten_thousandths());
        }
        Message::Beacon(beacon) => {
            write_term(beacon.term, roster, writer);
            writer.u64(beacon.sent_at.0);
        }
        Message::Grant(grant) => {
            writer.u64(grant.sent_at.0);
            write_term(grant.term, roster, writer);
        }
        Message::Relay(relay) => write_term(relay.term, roster, writer),
        Message::HandOverRequest(request) => {
            write_term(request.term, roster, writer);
            writer.u8(match request.cause {
                HandOverCause::Operator => 0,
                HandOverCause::Health => 1,
            });
        }
        Message::HandOverAnswer(answer) => {
            write_term(answer.term, roster, writer);
            match answer.verdict {
                Ok(stop_time) => writer.u8(0).duration(stop_time),
                Err(refusal) => writer.u8(refusal_number(refusal)).u64(0),
            };
        }
        Message::Released(released) => {
            write_term(released.term, roster, writer);
            writer.text(roster.name(released.to), MAX_TEXT);
        }
        Message::Hold(hold) => {
            writer.u64(hold.stamp.unix_ms).u8(hold.stamp.member).duration(hold.remaining);
            writer.text(hold.by.as_str(), MAX_OPERATOR);
        }
        Message::Bye => {}
    }
}

/// Reads the body of a message of type `kind`; `None`: no such type.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, roster: &Roster) -> Result<Option<Message>, DecodeError> {
    let message = match kind {
        kind::QUERY => Message::Query(Query {
            id: QueryId(reader.u64("the query's id")?),
            seen: read_seen(reader, roster)?,
            proposed: reader.u64("the proposed term")?,
            able: read_ability(reader)?,
            candidate: reader.flag("whether it is a candidate")?,
            claim: reader.flag("whether it claims")?,
            score: read_score(reader)?,
            hears: read_hears(reader)?,
        }),
        kind::ANSWER => Message::Answer(Answer {
            id: QueryId(reader.u64("the query's id")?),
            order: read_order(reader)?,
            seen: read_seen(reader, roster)?,
            mode: match reader.u8("the mode")? {
                0 => Mode::Secondary,
                1 => Mode::Primary,
                value => return Err(DecodeError::Value { field: "the mode", value: u64::from(value) }),
            },
            term: read_term(reader, roster)?,
            able: read_ability(reader)?,
            claim: reader.flag("whether it claims")?,
            score: read_score(reader)?,
        }),
        kind::BEACON => {
            Message::Beacon(Beacon { term: read_term(reader, roster)?, sent_at: Instant(reader.u64("sent at")?) })
        }
        kind::GRANT => {
            Message::Grant(Grant { sent_at: Instant(reader.u64("sent at")?), term: read_term(reader, roster)? })
        }
        kind::RELAY => Message::Relay(Relay { term: read_term(reader, roster)? }),
        kind::HAND_OVER_REQUEST => Message::HandOverRequest(HandOverRequest {
            term: read_term(reader, roster)?,
            cause: match reader.u8("the cause")? {
                0 => HandOverCause::Operator,
                1 => HandOverCause::Health,
                value => return Err(DecodeError::Value { field: "the cause", value: u64::from(value) }),
            },
        }),
        kind::HAND_OVER_ANSWER => {
            let term = read_term(reader, roster)?;
            let number = reader.u8("the verdict")?;
            let stop_time = reader.duration("the stop time")?;
            let verdict = if number == 0 { Ok(stop_time) } else { Err(refusal_from(number)) };
            Message::HandOverAnswer(HandOverAnswer { term, verdict })
        }
        kind::RELEASED => {
            let term = read_term(reader, roster)?;
            let name = reader.text("the successor", MAX_TEXT)?;
            let to = roster.id(name).ok_or_else(|| DecodeError::UnknownName(name.to_owned()))?;
            Message::Released(Released { term, to })
        }
        kind::HOLD => Message::Hold(Hold {
            stamp: HoldStamp { unix_ms: reader.u64("the hold's time")?, member: reader.u8("the hold's member")? },
            remaining: reader.duration("the hold's rest")?,
            by: Name::new(reader.text("who holds", MAX_OPERATOR)?),
        }),
        kind::BYE => Message::Bye,
        _newer => return Ok(None),
    };
    Ok(Some(message))
}

fn write_term(term: Term, roster: &Roster, writer: &mut Writer) {
    writer.u64(term.number).text(roster.name(term.owner), MAX_TEXT);
}

/// A number and its owner's name; nobody owns number 0 and only number 0.
fn read_term(reader: &mut Reader<'_>, roster: &Roster) -> Result<Term, DecodeError> {
    let number = reader.u64("a term")?;
    match (number, reader.text("a term's owner", MAX_TEXT)?) {
        (0, "") => Ok(Term::NONE),
        (_, "") => Err(DecodeError::Value { field: "a term without an owner", value: number }),
        (_, name) => {
            let owner = roster.id(name).ok_or_else(|| DecodeError::UnknownName(name.to_owned()))?;
            Ok(Term { number, owner })
        }
    }
}

/// The highest term heard of. One that is only known as somebody's floor, which is a mere number, has no owner. Of one whose
/// owner is no member here (any more, or yet: lists change one member at a time) the number is what matters.
fn read_seen(reader: &mut Reader<'_>, roster: &Roster) -> Result<Term, DecodeError> {
    let number = reader.u64("a term")?;
    let name = reader.text("a term's owner", MAX_TEXT)?;
    Ok(Term { number, owner: roster.id(name).unwrap_or(Term::NONE.owner) })
}

/// An absent score is the best: it came from somebody who has nothing to measure (H1).
fn read_score(reader: &mut Reader<'_>) -> Result<Score, DecodeError> {
    if reader.at_end() { Ok(Score::FULL) } else { reader.u16("the score").map(Score::from_ten_thousandths) }
}

/// From who does not know the field nothing speaks against it.
fn read_hears(reader: &mut Reader<'_>) -> Result<Hears, DecodeError> {
    let missing = !reader.at_end() && reader.flag("whether it misses words")?;
    Ok(if missing { Hears::NotYou } else { Hears::You })
}

fn read_order(reader: &mut Reader<'_>) -> Result<Order, DecodeError> {
    let order = reader.u8("the order")?;
    let number = reader.u64("the order's number")?;
    let flag = reader.flag("the order's flag")?;
    match order {
        0 => Ok(Order::StaySecondary { floor: flag.then_some(number) }),
        1 => Ok(Order::BePrimary { proposed: number, written: flag }),
        value => Err(DecodeError::Value { field: "the order", value: u64::from(value) }),
    }
}

fn write_ability(able: Ability, writer: &mut Writer) {
    let why = match able {
        Ability::Cannot(Unable::Held) => 1,
        Ability::Cannot(Unable::ObserveOnly) => 2,
        Ability::Cannot(Unable::Stopping) => 3,
        Ability::Cannot(Unable::StateNotDurable) => 4,
        Ability::Cannot(Unable::SteppedDown) => 5,
        Ability::Cannot(Unable::ArbiterUnreachable) => 6,
        Ability::Cannot(Unable::NoReference) => 7,
        Ability::Cannot(Unable::Other) => 255,
        Ability::Sick(Sick::BelowThreshold) => 1,
        Ability::Sick(Sick::LostForHealth) => 2,
        Ability::Fit => 0,
    };
    writer.u8(able.level()).u8(why);
}

fn read_ability(reader: &mut Reader<'_>) -> Result<Ability, DecodeError> {
    let level = reader.u8("how able it is")?;
    let why = reader.u8("why it is not fit")?;
    match level {
        0 => Ok(Ability::Cannot(match why {
            1 => Unable::Held,
            2 => Unable::ObserveOnly,
            3 => Unable::Stopping,
            4 => Unable::StateNotDurable,
            5 => Unable::SteppedDown,
            6 => Unable::ArbiterUnreachable,
            7 => Unable::NoReference,
            _newer => Unable::Other,
        })),
        1 => Ok(Ability::Sick(match why {
            2 => Sick::LostForHealth,
            // Also for a reason of a newer version: sick is what matters, the words are for people.
            _newer => Sick::BelowThreshold,
        })),
        2 => Ok(Ability::Fit),
        value => Err(DecodeError::Value { field: "how able it is", value: u64::from(value) }),
    }
}

fn refusal_number(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::NotPrimary => 1,
        Refusal::OtherTerm => 2,
        Refusal::Held => 3,
        Refusal::NotSick => 4,
        Refusal::Busy => 5,
        Refusal::AskerUnable => 6,
        Refusal::Other => 255,
    }
}

fn refusal_from(number: u8) -> Refusal {
    match number {
        1 => Refusal::NotPrimary,
        2 => Refusal::OtherTerm,
        3 => Refusal::Held,
        4 => Refusal::NotSick,
        5 => Refusal::Busy,
        6 => Refusal::AskerUnable,
        _newer => Refusal::Other,
    }
}

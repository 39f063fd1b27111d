//! From a fresh TCP connection to a peer that has proved the group's key and said who it is.
//!
//! Four frames: opening and first Noise message, opening and second, hello, hello. The listening side's hello is sent
//! by whoever admits the session, because until then it may still be refused (N13). Every refusal tells the other side
//! why, so that both logs name the cause.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::negotiation::member::MemberId;

use super::codec::{self, Body};
use super::frame::{FrameError, Incoming, MAX_FRAME, with_length, write_all};
use super::gate::Pass;
use super::hello::{self, First, Hello, OLDEST, Opening, Protected, RefusalCode, VERSION};
use super::noise::{self, Cipher};
use super::rejection::RejectionKind;
use super::session::{Parts, Session, kind_of, lost};
use super::settings::LinkSecurity;
use super::shared::Shared;

/// The other side, known and proved.
pub(super) struct Met {
    pub(super) peer: MemberId,
    pub(super) hello: Hello,
    pub(super) incoming: Incoming,
    stream: TcpStream,
    cipher: Cipher,
    remote: SocketAddr,
    /// Frames that this side has sealed.
    sealed: u64,
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// To be counted.
    Rejected(RejectionKind, String),
    /// Somebody looked whether anybody listens, and left without a word: a peer's probe.
    Probe,
    /// The connection failed.
    Broken(String),
}

impl Failure {
    fn stream(error: &std::io::Error) -> Failure {
        Failure::Broken(lost(error))
    }
}

impl Met {
    /// The session that begins here, on `path`.
    pub(super) fn into_session(self, path: usize) -> (Session, Hello, Incoming) {
        let Met { peer, hello, incoming, stream, cipher, remote, sealed } = self;
        let incarnation = hello.incarnation;
        let session = Session::new(Parts { peer, path, incarnation, remote, stream, cipher, sealed });
        (session, hello, incoming)
    }
}

/// Calls `peer` on a connection that is open.
pub(super) async fn call(
    stream: TcpStream,
    remote: SocketAddr,
    peer: MemberId,
    shared: &Shared,
) -> Result<Met, Failure> {
    let mut incoming = Incoming::default();
    let settings = &shared.settings;
    let name = shared.name(peer);
    let ours = Opening::ours(protected(shared), &settings.group);
    let prologue = ours.encode();
    let mut first = prologue.clone();
    let calling = match shared.security() {
        LinkSecurity::Noise { call, accept: _ } => {
            let (calling, message) =
                noise::call(&call, &prologue).map_err(|error| Failure::Broken(error.to_string()))?;
            first.extend_from_slice(&message);
            Some(calling)
        }
        LinkSecurity::None => None,
    };
    send(&stream, &first).await?;
    let reply = receive_first(&mut incoming, &stream, name).await?;
    let theirs = match hello::decode_first(&reply) {
        Ok(First::Opening(theirs, message)) => {
            check_opening(&ours, &theirs, name).map_err(|(_, failure)| failure)?;
            message
        }
        Ok(First::Refusal { code, version, oldest }) => {
            return Err(Failure::Rejected(kind_of(code), refused_in_plain(name, code, version, oldest)));
        }
        Err(error) => return Err(Failure::Rejected(RejectionKind::Garbage, not_ours(name, &error))),
    };
    let cipher = match calling {
        Some(calling) => calling.finish(theirs).map_err(|_| {
            Failure::Rejected(RejectionKind::WrongKey, format!("{name} answered without the group's key"))
        })?,
        None => Cipher::Plain,
    };
    send_sealed(&stream, &cipher, &shared.hello(name)).await?;
    let (hello, code) = match receive_hello(&mut incoming, &stream, &cipher, name, shared).await? {
        Body::Hello(hello) => {
            let code = check_hello(&hello, shared).and_then(|()| {
                if hello.name == name {
                    return Ok(());
                }
                let text = format!("{} answered on an address of {name}", quoted(&hello.name));
                Err((RefusalCode::Misdirected, text))
            });
            (hello, code)
        }
        Body::Refused { code, text } => {
            return Err(Failure::Rejected(kind_of(code), format!("{name} refuses this member: {text}")));
        }
        Body::Ping { .. } | Body::Pong { .. } | Body::Message(_) | Body::Shown(_) | Body::Unknown { .. } => {
            return Err(Failure::Rejected(RejectionKind::Unreadable, format!("{name} did not introduce itself")));
        }
    };
    if let Err((code, text)) = code {
        return Err(Failure::Rejected(kind_of(code), text));
    }
    // This side's hello was its frame 0.
    Ok(Met { peer, hello, incoming, stream, cipher, remote, sealed: 1 })
}

/// Answers a caller. Its hello is read and checked; this member's own is sent by who admits the session.
pub(super) async fn answer(
    stream: TcpStream,
    remote: SocketAddr,
    pass: &Pass,
    shared: &Shared,
) -> Result<Met, Failure> {
    let mut incoming = Incoming::default();
    let settings = &shared.settings;
    let caller = "a caller";
    let ours = Opening::ours(protected(shared), &settings.group);
    let first = receive_first(&mut incoming, &stream, caller).await?;
    let (theirs, message) = match hello::decode_first(&first) {
        Ok(First::Opening(theirs, message)) => (theirs, message),
        Ok(First::Refusal { code, version, oldest }) => {
            return Err(Failure::Rejected(kind_of(code), refused_in_plain(caller, code, version, oldest)));
        }
        Err(error) => return Err(Failure::Rejected(RejectionKind::Garbage, not_ours(caller, &error))),
    };
    if let Err((code, failure)) = check_opening(&ours, &theirs, caller) {
        return refuse_in_plain(&stream, code, failure).await;
    }
    let mut second = ours.encode();
    let cipher = match shared.security() {
        LinkSecurity::Noise { call, accept } => {
            let keys: Vec<[u8; 32]> = std::iter::once(call).chain(accept).collect();
            let prologue = &first[..first.len() - message.len()];
            match noise::answer(&keys, prologue, message) {
                Ok(Some((cipher, reply))) => {
                    second.extend_from_slice(&reply);
                    cipher
                }
                Ok(None) => {
                    let text = "a caller has none of the keys that are accepted here".to_owned();
                    let failure = Failure::Rejected(RejectionKind::WrongKey, text);
                    return refuse_in_plain(&stream, RefusalCode::WrongKey, failure).await;
                }
                Err(error) => return Err(Failure::Rejected(RejectionKind::Garbage, not_ours(caller, &error))),
            }
        }
        LinkSecurity::None => Cipher::Plain,
    };
    pass.has_key();
    send(&stream, &second).await?;
    let hello = match receive_hello(&mut incoming, &stream, &cipher, caller, shared).await? {
        Body::Hello(hello) => hello,
        Body::Refused { code, text } => {
            return Err(Failure::Rejected(kind_of(code), format!("a caller refuses this member: {text}")));
        }
        Body::Ping { .. } | Body::Pong { .. } | Body::Message(_) | Body::Shown(_) | Body::Unknown { .. } => {
            return Err(Failure::Rejected(RejectionKind::Unreadable, "a caller did not introduce itself".into()));
        }
    };
    let peer = check_hello(&hello, shared).and_then(|()| may_call(&hello, shared));
    match peer {
        Ok(peer) => Ok(Met { peer, hello, incoming, stream, cipher, remote, sealed: 0 }),
        Err((code, text)) => {
            let body = Body::Refused { code, text: text.clone() };
            send_sealed(&stream, &cipher, &codec::encode(0, &body, &shared.roster)).await?;
            Err(Failure::Rejected(kind_of(code), text))
        }
    }
}

fn protected(shared: &Shared) -> Protected {
    if shared.encrypts() { Protected::Noise } else { Protected::No }
}

/// Whether the two openings go together; `Err` with what to tell the other side and what to count.
fn check_opening(ours: &Opening, theirs: &Opening, who: &str) -> Result<(), (RefusalCode, Failure)> {
    let wrong = |code, text: String| Err((code, Failure::Rejected(kind_of(code), text)));
    if theirs.version < ours.oldest || ours.version < theirs.oldest {
        return wrong(RefusalCode::Version, versions(who, theirs.version, theirs.oldest));
    }
    if theirs.group != ours.group {
        return wrong(RefusalCode::WrongGroup, format!("{who} belongs to another group"));
    }
    if theirs.protected != ours.protected {
        let text = match theirs.protected {
            Protected::No => format!("{who} speaks plain text (security \"none\"), this member does not"),
            Protected::Noise => format!("{who} encrypts, this member is set to plain text (security \"none\")"),
        };
        return wrong(RefusalCode::WrongSecurity, text);
    }
    Ok(())
}

/// Whether an authenticated hello belongs here.
fn check_hello(hello: &Hello, shared: &Shared) -> Result<(), (RefusalCode, String)> {
    let own = shared.settings.own().name.as_str();
    let name = quoted(&hello.name);
    if hello.version < OLDEST || VERSION < hello.oldest {
        return Err((RefusalCode::Version, versions(&name, hello.version, hello.oldest)));
    }
    if hello.group != shared.settings.group {
        return Err((RefusalCode::WrongGroup, format!("{name} belongs to group {}", quoted(&hello.group))));
    }
    if hello.name == own {
        return Err((RefusalCode::SecondInstance, format!("two machines call themselves {own}")));
    }
    if hello.wanted != own {
        let text = format!("{name} wanted {} and reached {own}", quoted(&hello.wanted));
        return Err((RefusalCode::Misdirected, text));
    }
    Ok(())
}

/// Whether the caller is a member that calls this one (N2).
fn may_call(hello: &Hello, shared: &Shared) -> Result<MemberId, (RefusalCode, String)> {
    let name = quoted(&hello.name);
    match shared.roster.id(&hello.name) {
        Some(peer) if peer > shared.settings.me => Ok(peer),
        Some(_) => {
            let text = format!("{name} must not call: its address is the lower one here, so it listens");
            Err((RefusalCode::Stranger, text))
        }
        None => Err((RefusalCode::Stranger, format!("{name} is no member of this group here"))),
    }
}

fn versions(who: &str, version: u16, oldest: u16) -> String {
    format!(
        "{who} speaks protocol version {version} (down to {oldest}), this member {VERSION} (down to {OLDEST}): \
         upgrade the older one"
    )
}

fn refused_in_plain(who: &str, code: RefusalCode, version: u16, oldest: u16) -> String {
    let why = match code {
        RefusalCode::WrongGroup => "it belongs to another group",
        RefusalCode::Version => return versions(who, version, oldest),
        RefusalCode::WrongSecurity => "one side encrypts, the other is set to plain text (security \"none\")",
        RefusalCode::WrongKey => "it does not accept this member's key",
        RefusalCode::SecondInstance => "another machine has this member's name",
        RefusalCode::Stranger => "this member is not one that it knows",
        RefusalCode::Misdirected => "it is not who was called",
        RefusalCode::Other(_) => "for a reason this version does not know",
    };
    format!("{who} refuses this member: {why}")
}

fn not_ours(who: &str, error: &dyn std::fmt::Display) -> String {
    format!("{who} does not speak this protocol: {error}")
}

/// A name from outside, fit for a log: in quotes, control characters escaped.
fn quoted(name: &str) -> String {
    format!("{name:?}")
}

async fn send(stream: &TcpStream, content: &[u8]) -> Result<(), Failure> {
    write_all(stream, &with_length(content)).await.map_err(|error| Failure::stream(&error))
}

async fn send_sealed(stream: &TcpStream, cipher: &Cipher, plain: &[u8]) -> Result<(), Failure> {
    let mut sealed = Vec::new();
    cipher.seal(0, plain, &mut sealed).map_err(|error| Failure::Broken(error.to_string()))?;
    send(stream, &sealed).await
}

/// Tells the caller why and ends the handshake with `failure`; that the telling may fail changes nothing.
async fn refuse_in_plain(stream: &TcpStream, code: RefusalCode, failure: Failure) -> Result<Met, Failure> {
    drop(send(stream, &hello::encode_refusal(code)).await);
    Err(failure)
}

async fn receive_first(incoming: &mut Incoming, stream: &TcpStream, who: &str) -> Result<bytes::BytesMut, Failure> {
    match incoming.next(stream).await {
        Ok(frame) => Ok(frame),
        Err(_) if !incoming.heard_anything() => Err(Failure::Probe),
        Err(error) => Err(unframed(error, who)),
    }
}

fn unframed(error: FrameError, who: &str) -> Failure {
    match error {
        FrameError::Length(0) => Failure::Rejected(RejectionKind::Garbage, format!("{who} sent an empty frame")),
        FrameError::Length(length) => {
            let text = format!("{who} sent a frame of {length} bytes; at most {MAX_FRAME} are allowed");
            Failure::Rejected(RejectionKind::TooLong, text)
        }
        FrameError::Stream(error) => Failure::stream(&error),
        FrameError::Torn => {
            Failure::Rejected(RejectionKind::Garbage, format!("{who} stopped in the middle of a frame"))
        }
        FrameError::Closed => Failure::Broken("the connection was closed during the handshake".into()),
    }
}

/// The first frame behind the encryption. That it opens proves that the other side holds the key now.
async fn receive_hello(
    incoming: &mut Incoming,
    stream: &TcpStream,
    cipher: &Cipher,
    who: &str,
    shared: &Shared,
) -> Result<Body, Failure> {
    let frame = incoming.next(stream).await.map_err(|error| unframed(error, who))?;
    let plain = cipher.open(0, &frame).map_err(|_| {
        let text = format!("{who} repeated an old handshake, or it was changed on the way");
        Failure::Rejected(RejectionKind::Replay, text)
    })?;
    match codec::decode(&plain, &shared.roster) {
        Ok(envelope) => Ok(envelope.body),
        Err(error) => {
            Err(Failure::Rejected(RejectionKind::Unreadable, format!("{who} did not introduce itself: {error}")))
        }
    }
}

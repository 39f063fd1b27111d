//! One authenticated connection: sends at once, reads until it ends, answers pings by itself.
//!
//! A message is sealed and given to the socket in the call that sends it; only what the socket does not take waits, and
//! when too much waits the session ends as stuck. So a peer that does not read can neither delay the loop nor grow its
//! memory. The session never waits for its peer while it could read.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::negotiation::member::MemberId;
use crate::negotiation::message::Incarnation;

use super::codec::{self, Body};
use super::event::LinkEvent;
use super::frame::{FrameError, Incoming, LENGTH};
use super::hello::RefusalCode;
use super::noise::Cipher;
use super::rejection::RejectionKind;
use super::shared::Shared;
use super::wire::DecodeError;

/// Bytes that may wait for the socket: a peer that leaves more unread is stuck. Hundreds of messages fit.
const MAX_WAITING: usize = 64 * 1024;

/// Pings without an answer that are remembered.
const MAX_ASKED: usize = 32;

/// How long the end of a stopping session may take: flushing, then waiting for the peer to have read it.
const FAREWELL: Duration = Duration::from_millis(200);

/// A round trip measured this short a while ago is not measured again for a ping of the other side.
const FRESH: Duration = Duration::from_millis(50);

/// What a ping was sent for.
#[derive(Debug)]
enum Purpose {
    /// The path's own measurement.
    Measure,
    /// [`super::Links::ping`], under the caller's number.
    Operator(u64),
    /// Whether this session's peer still lives, when a second one appears (N13).
    Alive(mpsc::Sender<()>),
}

#[derive(Debug)]
struct Asked {
    id: u64,
    sent: Instant,
    purpose: Purpose,
}

/// Why a session ended.
#[derive(Debug, Clone)]
enum Ended {
    /// By itself or by the other side.
    Lost(String),
    /// This member stops: what was sent must still arrive.
    Stopping,
}

#[derive(Debug)]
struct Out {
    /// The number of the next frame sealed.
    number: u64,
    waiting: Vec<u8>,
    ended: Option<Ended>,
    asked: VecDeque<Asked>,
    next_ping: u64,
    rtt: Option<Duration>,
    /// When `rtt` was measured.
    measured: Option<Instant>,
}

/// One connection to a peer, after the handshake.
pub(super) struct Session {
    pub(super) peer: MemberId,
    pub(super) path: usize,
    pub(super) incarnation: Incarnation,
    /// The other end of the connection.
    pub(super) remote: SocketAddr,
    stream: TcpStream,
    cipher: Cipher,
    out: Mutex<Out>,
    /// Something waits for the socket.
    waiting: Notify,
    over: CancellationToken,
}

/// What a session is made of.
pub(super) struct Parts {
    pub(super) peer: MemberId,
    pub(super) path: usize,
    pub(super) incarnation: Incarnation,
    pub(super) remote: SocketAddr,
    pub(super) stream: TcpStream,
    pub(super) cipher: Cipher,
    /// Frames that the handshake has sealed already.
    pub(super) sealed: u64,
}

impl Session {
    pub(super) fn new(parts: Parts) -> Session {
        let Parts { peer, path, incarnation, remote, stream, cipher, sealed } = parts;
        let out = Out {
            number: sealed,
            waiting: Vec::new(),
            ended: None,
            asked: VecDeque::new(),
            next_ping: 1,
            rtt: None,
            measured: None,
        };
        Session {
            peer,
            path,
            incarnation,
            remote,
            stream,
            cipher,
            out: Mutex::new(out),
            waiting: Notify::new(),
            over: CancellationToken::new(),
        }
    }

    pub(super) fn encrypted(&self) -> bool {
        self.cipher.encrypted()
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one frame's content: to the socket now, or as soon as it takes it.
    pub(super) fn post(&self, plain: &[u8]) {
        let mut out = self.out();
        if out.ended.is_some() {
            return;
        }
        let start = out.waiting.len();
        out.waiting.extend_from_slice(&[0; LENGTH]);
        let number = out.number;
        if let Err(error) = self.cipher.seal(number, plain, &mut out.waiting) {
            out.waiting.truncate(start);
            self.end_with(&mut out, Ended::Lost(format!("a frame could not be sealed: {error}")));
            return;
        }
        out.number += 1;
        // Every body is bounded well below a frame, so the cast keeps the value.
        let length = (out.waiting.len() - start - LENGTH) as u32;
        out.waiting[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
        if start == 0 {
            self.write_some(&mut out);
        }
        if out.waiting.len() > MAX_WAITING {
            self.end_with(&mut out, Ended::Lost("it does not read what it is sent".into()));
        } else if !out.waiting.is_empty() {
            self.waiting.notify_one();
        }
    }

    fn write_some(&self, out: &mut Out) {
        while !out.waiting.is_empty() {
            match self.stream.try_write(&out.waiting) {
                Ok(written) => {
                    out.waiting.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    out.waiting.clear();
                    self.end_with(out, Ended::Lost(lost(&error)));
                }
            }
        }
    }

    /// Waits until something waits for the socket and the socket has room, then writes. Can be cancelled at any await.
    async fn flush(&self) {
        if self.out().waiting.is_empty() {
            self.waiting.notified().await;
        }
        match self.stream.writable().await {
            Ok(()) => self.write_some(&mut self.out()),
            Err(error) => self.end(lost(&error)),
        }
    }

    fn end_with(&self, out: &mut Out, ended: Ended) {
        out.ended.get_or_insert(ended);
        self.over.cancel();
    }

    /// Ends the session; its task closes the connection.
    pub(super) fn end(&self, why: String) {
        self.end_with(&mut self.out(), Ended::Lost(why));
    }

    /// Ends the session because this member stops: what was sent before still arrives, if it can in bounded time.
    pub(super) fn finish(&self) {
        self.end_with(&mut self.out(), Ended::Stopping);
    }

    fn ping(&self, purpose: Purpose) {
        let id = {
            let mut out = self.out();
            let id = out.next_ping;
            out.next_ping += 1;
            if out.asked.len() == MAX_ASKED {
                out.asked.pop_front();
            }
            out.asked.push_back(Asked { id, sent: Instant::now(), purpose });
            id
        };
        self.post(&codec::encode_ping(id));
    }

    /// Sends a ping of the operator's.
    pub(super) fn ping_for_operator(&self, id: u64) {
        self.ping(Purpose::Operator(id));
    }

    /// Asks whether the peer still lives; `answered` is told if so.
    pub(super) fn ask_alive(&self, answered: mpsc::Sender<()>) {
        self.ping(Purpose::Alive(answered));
    }

    /// Reads and serves the connection until it ends; says why it did.
    pub(super) async fn run(self: &Arc<Self>, incoming: &mut Incoming, shared: &Shared) -> String {
        let mut measure = tokio::time::interval(shared.settings.measure_interval());
        measure.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The hello was frame 0.
        let mut number = 1;
        loop {
            tokio::select! {
                () = self.over.cancelled() => break,
                frame = incoming.next(&self.stream) => {
                    let served = match frame {
                        Ok(frame) => self.serve(&frame, number, shared).await,
                        Err(error) => Err(self.broken(error, shared)),
                    };
                    if let Err(why) = served {
                        self.end(why);
                    }
                    number += 1;
                }
                () = self.flush() => {}
                _ = measure.tick() => self.ping(Purpose::Measure),
            }
        }
        let ended = self.out().ended.clone();
        match ended {
            Some(Ended::Lost(why)) => why,
            Some(Ended::Stopping) | None => {
                self.farewell(incoming).await;
                "this member stops".into()
            }
        }
    }

    fn broken(&self, error: FrameError, shared: &Shared) -> String {
        match error {
            FrameError::Length(_) => {
                let name = shared.name(self.peer);
                let detail = format!("{name} sent {error}; the connection was closed");
                shared.rejections.add(RejectionKind::TooLong, Some(self.remote), detail);
                format!("it sent {error}")
            }
            FrameError::Stream(error) => lost(&error),
            FrameError::Torn | FrameError::Closed => error.to_string(),
        }
    }

    /// Handles one frame. `Err`: the session ends, because of this.
    async fn serve(self: &Arc<Self>, frame: &BytesMut, number: u64, shared: &Shared) -> Result<(), String> {
        let name = shared.name(self.peer);
        let reject = |kind, detail| shared.rejections.add(kind, Some(self.remote), detail);
        let plain = self.cipher.open(number, frame).map_err(|_| {
            reject(RejectionKind::Replay, format!("a frame from {name} was repeated or changed on the way"));
            "a frame was repeated or changed on the way".to_owned()
        })?;
        shared.heard(self);
        let envelope = match codec::decode(&plain, &shared.roster) {
            Ok(envelope) => envelope,
            Err(error @ DecodeError::UnknownName(_)) => {
                reject(RejectionKind::UnknownName, format!("a message from {name} was refused: {error}"));
                return Ok(());
            }
            Err(error) => {
                reject(RejectionKind::Unreadable, format!("a message from {name} makes no sense: {error}"));
                return Ok(());
            }
        };
        match envelope.body {
            Body::Ping { id } => {
                let (reverse, measured) = {
                    let out = self.out();
                    (out.rtt, out.measured)
                };
                self.post(&codec::encode_pong(id, reverse));
                // Who pings wants to know the other way too (N9): the next answer says it afresh. The one who pinged has
                // just measured when this arrives, so it ends here.
                if measured.is_none_or(|at| at.elapsed() >= FRESH) {
                    self.ping(Purpose::Measure);
                }
            }
            Body::Pong { id, reverse } => self.ponged(id, reverse, shared).await,
            Body::Message(message) => {
                let event = LinkEvent::Message { peer: self.peer, message };
                shared.deliver(self, envelope.seq, event).await;
            }
            Body::Shown(shown) => {
                let event = LinkEvent::Shown { peer: self.peer, shown };
                shared.deliver(self, envelope.seq, event).await;
            }
            Body::Refused { code, text } => {
                reject(kind_of(code), format!("{name} refuses this member: {text}"));
                return Err(format!("{name} refuses: {text}"));
            }
            Body::Hello(_) => {
                reject(RejectionKind::Unreadable, format!("{name} introduced itself twice on one connection"));
            }
            Body::Unknown { kind } => {
                reject(RejectionKind::UnknownType, format!("{name} sent a message of the newer type {kind}; skipped"));
            }
        }
        Ok(())
    }

    async fn ponged(&self, id: u64, reverse: Option<Duration>, shared: &Shared) {
        let (asked, rtt) = {
            let mut out = self.out();
            let Some(place) = out.asked.iter().position(|asked| asked.id == id) else {
                return;
            };
            let Some(asked) = out.asked.remove(place) else {
                return;
            };
            let rtt = asked.sent.elapsed();
            out.rtt = Some(rtt);
            out.measured = Some(Instant::now());
            (asked, rtt)
        };
        shared.measured(self, rtt);
        match asked.purpose {
            Purpose::Measure => {}
            Purpose::Operator(id) => {
                shared.tell(LinkEvent::Pong { peer: self.peer, id, rtt, reverse }).await;
            }
            // One answer is enough, and the channel has room for one from each session.
            Purpose::Alive(answered) => drop(answered.try_send(())),
        }
    }

    /// Writes what waits, says that nothing more comes, and waits for the other side to have read it: a socket closed
    /// with unread input would be reset, and the last words lost with it.
    async fn farewell(&self, incoming: &mut Incoming) {
        let last_words = async {
            while !self.out().waiting.is_empty() {
                self.flush().await;
            }
            if SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write).is_ok() {
                while incoming.next(&self.stream).await.is_ok() {}
            }
        };
        // Whoever does not listen by then will not.
        drop(tokio::time::timeout(FAREWELL, last_words).await);
    }
}

/// The kind under which a refusal by the other side is counted.
pub(super) fn kind_of(code: RefusalCode) -> RejectionKind {
    match code {
        RefusalCode::WrongGroup => RejectionKind::WrongGroup,
        RefusalCode::Version => RejectionKind::Version,
        RefusalCode::WrongSecurity => RejectionKind::WrongSecurity,
        RefusalCode::WrongKey => RejectionKind::WrongKey,
        RefusalCode::SecondInstance => RejectionKind::SecondInstance,
        RefusalCode::Misdirected => RejectionKind::Misdirected,
        RefusalCode::Stranger | RefusalCode::Other(_) => RejectionKind::Stranger,
    }
}

/// A stream's error in words for people.
pub(super) fn lost(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "sent data was not acknowledged in time".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was reset".into(),
        // Not our own enum: every other kind speaks for itself.
        _ => error.to_string(),
    }
}

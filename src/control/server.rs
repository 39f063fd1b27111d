//! The control socket's server: accepts, finds out who it is, and gives each client a session.
//!
//! It decides nothing about the group. Everything is bounded: clients, the length of a line, what waits for a client, and
//! how long a client may keep a line unread. None of it can delay the node, which only ever answers into channels. Who
//! only stays connected keeps nobody out ([`places`]).

mod places;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio_util::codec::{Decoder, LinesCodec};
use tokio_util::sync::CancellationToken;

use super::request::{MAX_REQUEST_LINE, Reply, Request};
use super::session::{Identity, serve_session};
use super::socket::{ControlSocket, PeerProcess, SocketError, find_group, identify, peer_process};
use super::status::Status;
use super::to_node::ToNode;
use super::who::{Rights, Who};
use places::{Admission, MAX_CLIENTS, Now, Place, Places, Standing, Use};

/// Connections that may be open at the same time, those too that were told to go and have not gone yet.
const MAX_OPEN: usize = MAX_CLIENTS + 32;

/// Replies that may wait for a client; statuses are only queued into free room.
const REPLIES: usize = 8;

/// Requests read ahead of the session.
const REQUESTS: usize = 4;

/// How long one reply may take to leave.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// How long the user database may take to name somebody.
const NAME_PATIENCE: Duration = Duration::from_secs(2);

/// How long the end may take: what was asked before is still answered.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where and for whom to listen.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// `control.socket`.
    pub path: std::path::PathBuf,
    /// `control.mode`, e.g. 0o660.
    pub mode: u32,
    /// `control.group`; empty: none.
    pub group: String,
    /// What it says of itself.
    pub identity: Identity,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    socket: ControlSocket,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens from now on; must be called inside the node's runtime.
    pub fn start(settings: ServerSettings, to_node: mpsc::Sender<ToNode>) -> Result<Server, SocketError> {
        let operators = find_group(&settings.group)?;
        let (socket, listener) =
            ControlSocket::bind(&settings.path, settings.mode, operators, &settings.identity.node)?;
        let listener = UnixListener::from_std(listener).map_err(|error| SocketError::System {
            what: "listen on",
            path: settings.path.clone(),
            error,
        })?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            line: Mutex::new(None),
            identity: settings.identity,
            operators,
            to_node,
            stop: stop.clone(),
        });
        Ok(Server { socket, stop, task: tokio::spawn(accept(listener, shared)) })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        self.socket.path()
    }

    /// Ends: no new clients, what was asked is answered, the file is removed. Bounded by about a second.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.socket.remove();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the control server ended badly");
        }
    }
}

/// A status, and its line.
type LineOf = (Arc<Status>, Arc<[u8]>);

struct Shared {
    /// The latest status as its line: made once, however many watch.
    line: Mutex<Option<LineOf>>,
    identity: Identity,
    operators: Option<nix::unistd::Gid>,
    to_node: mpsc::Sender<ToNode>,
    stop: CancellationToken,
}

/// What is known of a connection beside its place: the server asks, its tasks write.
#[derive(Debug)]
struct Activity {
    began: Instant,
    now: Mutex<Doing>,
    /// It is told to go, so that another gets its place.
    goes: CancellationToken,
}

#[derive(Debug, Clone, Copy, Default)]
struct Doing {
    /// When it last asked, since the server began.
    asked: Duration,
    watches: bool,
    /// An answer other than a status is owed.
    waits: bool,
}

impl Activity {
    // A poisoned lock holds nothing but three marks.
    fn note(&self, note: impl FnOnce(&mut Doing)) {
        note(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn asked(&self, request: &Request) {
        self.note(|doing| {
            doing.asked = self.began.elapsed();
            match request {
                Request::Status => {}
                Request::Watch { .. } => doing.watches = true,
                Request::Open { .. }
                | Request::Confirm { .. }
                | Request::Abandon { .. }
                | Request::FencePreview { .. }
                | Request::Reload
                | Request::Seen
                | Request::Ping { .. } => doing.waits = true,
            }
        });
    }

    fn answered(&self, reply: &Reply) {
        match reply {
            // One pong is not the end of a ping.
            Reply::Hello(_) | Reply::Status(_) | Reply::Pong(_) => {}
            Reply::Plan(_)
            | Reply::Refused { .. }
            | Reply::Outcome(_)
            | Reply::FencePreview(_)
            | Reply::Reloaded(_)
            | Reply::PingDone
            | Reply::Done => self.note(|doing| doing.waits = false),
        }
    }

    fn now(&self) -> Now {
        let doing = *self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let used = match (doing.waits, doing.watches) {
            (true, _) => Use::Waits,
            (false, true) => Use::Watches,
            (false, false) => Use::Idle,
        };
        Now { used, asked: doing.asked }
    }
}

/// All that are connected.
struct Clients {
    began: Instant,
    tasks: JoinSet<()>,
    places: Places,
    activities: BTreeMap<Place, Arc<Activity>>,
    /// Whose task is whose, for one that ends without a word.
    ids: HashMap<Id, Place>,
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let mut clients = Clients {
        began: Instant::now(),
        tasks: JoinSet::new(),
        places: Places::default(),
        activities: BTreeMap::new(),
        ids: HashMap::new(),
    };
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            Some(left) = clients.tasks.join_next_with_id() => clients.left(left),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => clients.admit(stream, &shared),
                Err(error) => {
                    // Out of descriptors: what is open goes on, and trying at once would only spin.
                    tracing::warn!(%error, "the control socket cannot accept a client");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while clients.tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all).await.is_err() {
        clients.tasks.shutdown().await;
    }
}

impl Clients {
    fn admit(&mut self, stream: UnixStream, shared: &Arc<Shared>) {
        let peer = match peer_process(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%error, "a client of the control socket cannot be identified: refused");
                return;
            }
        };
        if self.tasks.len() >= MAX_OPEN {
            return refuse(&stream, "Too many clients come and go: wait a moment.".to_owned());
        }
        let standing = if is_ours(peer) { Standing::Privileged } else { Standing::Common };
        let activities = &self.activities;
        let now = |place: Place| match activities.get(&place) {
            Some(activity) => activity.now(),
            // Without a mark it has never asked.
            None => Now { used: Use::Idle, asked: Duration::ZERO },
        };
        let place = match self.places.admit(peer.uid.as_raw(), standing, now) {
            Admission::Free(place) => place,
            Admission::InsteadOf(place, goes) => {
                if let Some(activity) = self.activities.remove(&goes) {
                    activity.goes.cancel();
                }
                place
            }
            Admission::Refused(why) => return refuse(&stream, why),
        };
        let activity = Arc::new(Activity {
            began: self.began,
            now: Mutex::new(Doing { asked: self.began.elapsed(), ..Doing::default() }),
            goes: shared.stop.child_token(),
        });
        self.activities.insert(place, Arc::clone(&activity));
        let shared = Arc::clone(shared);
        let task = self.tasks.spawn(serve(stream, peer, shared, activity));
        self.ids.insert(task.id(), place);
    }

    fn left(&mut self, left: Result<(Id, ()), JoinError>) {
        let id = match &left {
            Ok((id, ())) => *id,
            Err(error) => {
                tracing::error!(%error, "a client of the control socket was served badly");
                error.id()
            }
        };
        if let Some(place) = self.ids.remove(&id) {
            self.places.leave(place);
            self.activities.remove(&place);
        }
    }
}

fn is_ours(peer: PeerProcess) -> bool {
    peer.uid.is_root() || peer.uid == nix::unistd::Uid::effective()
}

fn refuse(stream: &UnixStream, why: String) {
    if let Ok(line) = line_of(&Reply::Refused { why }) {
        // A fresh socket has room for one line; a client for which it has not is refused without words.
        let _ = stream.try_write(&line);
    }
}

async fn serve(stream: UnixStream, peer: PeerProcess, shared: Arc<Shared>, activity: Arc<Activity>) {
    let operators = shared.operators;
    // The user database may ask the network: never on the loop's thread, and not for ever.
    let named = tokio::task::spawn_blocking(move || identify(peer, operators));
    let who = match tokio::time::timeout(NAME_PATIENCE, named).await {
        Ok(Ok(who)) => who,
        Ok(Err(_)) | Err(_) => unnamed(peer),
    };
    let (read, write) = stream.into_split();
    let (requests, to_session) = mpsc::channel(REQUESTS);
    let (replies, from_session) = mpsc::channel(REPLIES);
    let complaints = replies.clone();
    let done = CancellationToken::new();
    let session = async {
        serve_session(to_session, replies, who, &shared.identity, shared.to_node.clone(), activity.goes.clone()).await;
        done.cancel();
    };
    let reader = async {
        tokio::select! {
            () = done.cancelled() => {}
            () = displaced(&activity, &shared) => {
                let why = "This connection was idle for longest, and another needed its place.".to_owned();
                // One that does not even read is not told.
                let _ = complaints.try_send(Reply::Refused { why });
            }
            complaint = read_requests(read, requests, &activity) => if let Some(why) = complaint {
                let _ = tokio::time::timeout(WRITE_PATIENCE, complaints.send(Reply::Refused { why })).await;
            }
        }
        drop(complaints);
    };
    // The writer ends when session and reader have let go of their ends, or when the client does not read.
    tokio::join!(session, reader, write_replies(write, from_session, &shared, &activity));
}

/// Told to go while the server goes on.
async fn displaced(activity: &Activity, shared: &Shared) {
    activity.goes.cancelled().await;
    if shared.stop.is_cancelled() {
        // Everybody goes: what was asked is answered.
        std::future::pending::<()>().await;
    }
}

fn unnamed(peer: PeerProcess) -> Who {
    let rights = if is_ours(peer) { Rights::Operate } else { Rights::Watch };
    Who::new(&format!("uid {}", peer.uid), peer.uid.as_raw(), rights)
}

/// Passes requests on until the client closes its side; returns why it was cut off, if it was.
async fn read_requests(
    mut read: OwnedReadHalf,
    requests: mpsc::Sender<Request>,
    activity: &Activity,
) -> Option<String> {
    let mut lines = LinesCodec::new_with_max_length(MAX_REQUEST_LINE);
    let mut buffer = BytesMut::new();
    loop {
        match lines.decode(&mut buffer) {
            Ok(Some(line)) => match serde_json::from_str(&line) {
                Ok(request) => {
                    activity.asked(&request);
                    if requests.send(request).await.is_err() {
                        return None;
                    }
                }
                Err(error) => return Some(format!("Not a request: {error}. This connection ends.")),
            },
            Ok(None) => match read.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            },
            Err(_) => return Some(format!("A line is longer than {MAX_REQUEST_LINE} bytes. This connection ends.")),
        }
    }
}

async fn write_replies(
    mut write: OwnedWriteHalf,
    mut replies: mpsc::Receiver<Reply>,
    shared: &Shared,
    activity: &Activity,
) {
    while let Some(reply) = replies.recv().await {
        activity.answered(&reply);
        let line = match shared.line_of(&reply) {
            Ok(line) => line,
            Err(error) => {
                tracing::error!(%error, "a reply cannot be written as JSON");
                return;
            }
        };
        match tokio::time::timeout(WRITE_PATIENCE, write.write_all(&line)).await {
            Ok(Ok(())) => {}
            // Gone, or stuck: the dropped receiver ends the session.
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

impl Shared {
    /// A reply as its line. That of a status is shared by all who get the very same one: with many screens attached, making
    /// it anew for each would keep the loop from what it is there for.
    fn line_of(&self, reply: &Reply) -> serde_json::Result<Arc<[u8]>> {
        let Reply::Status(status) = reply else { return Ok(line_of(reply)?.into()) };
        // Held for the moment of making it, by tasks of one thread; a poisoned one holds nothing but a line.
        let mut latest = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, line)) = latest.as_ref().filter(|(of, _)| Arc::ptr_eq(of, status)) {
            return Ok(Arc::clone(line));
        }
        let line: Arc<[u8]> = line_of(reply)?.into();
        *latest = Some((Arc::clone(status), Arc::clone(&line)));
        Ok(line)
    }
}

/// A reply as its line.
fn line_of(reply: &Reply) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests;

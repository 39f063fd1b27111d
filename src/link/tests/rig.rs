//! A group on loopback, members that can be crashed, and a cable that can be cut or frozen.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::super::*;
use crate::negotiation::message::{Beacon, Incarnation, Message};
use crate::negotiation::settings::Agreement;
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;

pub const ALPHA: MemberId = MemberId(0);
pub const BETA: MemberId = MemberId(1);
pub const GAMMA: MemberId = MemberId(2);
pub const KEY: [u8; 32] = [7; 32];
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// Longer than whatever is waited for, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The members' addresses, with their sockets until somebody takes them.
pub struct Group {
    pub addresses: Vec<Vec<SocketAddr>>,
    sockets: Vec<Option<Vec<StdListener>>>,
}

impl Group {
    /// Members on these addresses, one list each; a lower list's first address must be the lower one.
    pub fn on(hosts: &[&[&str]]) -> Group {
        let mut bound: Vec<Vec<StdListener>> = hosts
            .iter()
            .map(|hosts| hosts.iter().map(|host| StdListener::bind((*host, 0)).expect("a free port")).collect())
            .collect();
        bound.sort_by_key(|sockets: &Vec<StdListener>| sockets[0].local_addr().expect("bound"));
        let addresses = bound
            .iter()
            .map(|sockets| sockets.iter().map(|socket| socket.local_addr().expect("bound")).collect())
            .collect();
        Group { addresses, sockets: bound.into_iter().map(Some).collect() }
    }

    pub fn pair() -> Group {
        Group::on(&[&["127.0.0.1"], &["127.0.0.2"]])
    }

    pub fn settings(&self, me: MemberId) -> LinkSettings {
        let members = self
            .addresses
            .iter()
            .zip(NAMES)
            .map(|(addresses, name)| LinkMember { name: name.into(), addresses: addresses.clone() });
        LinkSettings {
            me,
            members: members.collect(),
            group: "substation-7".into(),
            security: LinkSecurity::Noise { call: KEY, accept: Vec::new() },
            agreement: Agreement {
                members_hash: 1,
                protection: Vec::new(),
                reply_timeout: Duration::from_secs(3),
                lease: Duration::ZERO,
            },
            incarnation: Incarnation(100 + u64::from(me.0)),
            program_version: "0.1.0".into(),
            query_interval: Duration::from_secs(1),
            reply_timeout: Duration::from_secs(3),
            boot_timeout: Duration::from_secs(10),
            detour: None,
        }
    }

    pub fn sockets(&mut self, me: MemberId) -> Vec<StdListener> {
        self.sockets[me.index()].take().expect("taken once")
    }

    /// Starts a member with these settings on its sockets.
    pub async fn start_with(&mut self, settings: LinkSettings) -> Running {
        let sockets = self.sockets(settings.me);
        let (links, events) = start_on(settings, sockets).await.expect("it starts");
        Running { links, events }
    }

    pub async fn start(&mut self, me: MemberId) -> Running {
        let settings = self.settings(me);
        self.start_with(settings).await
    }
}

/// Another machine that believes to be `settings.me`: the same name, a socket of its own on `host`.
pub async fn twin(host: &str, mut settings: LinkSettings) -> Running {
    let socket = StdListener::bind((host, 0)).expect("a free port");
    settings.members[settings.me.index()].addresses = vec![socket.local_addr().expect("bound")];
    let (links, events) = start_on(settings, vec![socket]).await.expect("it starts");
    Running { links, events }
}

pub struct Running {
    pub links: Links,
    pub events: mpsc::Receiver<LinkEvent>,
}

impl Running {
    /// The next event for which `wanted` gives something; the others are dropped.
    pub async fn until<T>(&mut self, wanted: impl Fn(&LinkEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the link runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("the event comes")
    }

    pub async fn up(&mut self) -> Incarnation {
        self.until(|event| match event {
            LinkEvent::Up { hello, .. } => Some(hello.incarnation),
            _ => None,
        })
        .await
    }

    pub async fn down(&mut self) -> String {
        self.until(|event| match event {
            LinkEvent::Down { why, .. } => Some(why.clone()),
            _ => None,
        })
        .await
    }

    pub async fn rejection(&mut self, kind: RejectionKind) -> String {
        self.until(|event| match event {
            LinkEvent::Rejected(rejection) if rejection.kind == kind => Some(rejection.detail.clone()),
            _ => None,
        })
        .await
    }

    pub async fn beacon(&mut self) -> u64 {
        self.until(|event| match event {
            LinkEvent::Message { message: Message::Beacon(beacon), .. } => Some(beacon.sent_at.0),
            _ => None,
        })
        .await
    }

    /// What has been told so far and nobody asked for.
    pub fn told(&mut self) -> Vec<LinkEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    pub fn count(&self, kind: RejectionKind) -> u64 {
        self.links.rejected().into_iter().find(|(counted, _)| *counted == kind).map_or(0, |(_, count)| count)
    }
}

/// A message that can be told from others.
pub fn beacon(number: u64) -> Message {
    Message::Beacon(Beacon { term: Term { number: 1, owner: ALPHA }, sent_at: Instant(number) })
}

/// A member on a thread and a runtime of its own, which ends as a killed process does: all sockets closed, nothing said.
pub struct Crashable {
    kill: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Crashable {
    pub fn start(settings: LinkSettings, sockets: Vec<StdListener>) -> Crashable {
        let (kill, killed) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let (links, mut events) = start_on(settings, sockets).await.expect("it starts");
                let drain = async { while events.recv().await.is_some() {} };
                tokio::select! {
                    _ = killed => {}
                    () = drain => {}
                }
                drop(links);
            });
        });
        Crashable { kill: Some(kill), thread: Some(thread) }
    }

    pub fn crash(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.kill.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the member did not panic");
        }
    }
}

impl Drop for Crashable {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a cable does with what is put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Whole,
    /// Everything stays open and nothing comes through.
    Frozen,
    /// Connections are closed and new ones are closed at once.
    Cut,
}

/// A cable between a caller and `to`; records what callers send.
pub struct Cable {
    pub address: SocketAddr,
    pub state: watch::Sender<State>,
    /// What the latest connection's caller has sent so far.
    pub sent: Arc<Mutex<Vec<u8>>>,
    /// How many connections were opened so far.
    pub opened: watch::Receiver<u64>,
}

impl Cable {
    pub async fn to(to: SocketAddr) -> Cable {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (state, states) = watch::channel(State::Whole);
        let sent = Arc::new(Mutex::new(Vec::new()));
        let record = sent.clone();
        let (count, opened) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                if *states.borrow() == State::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(to).await else {
                    continue;
                };
                record.lock().expect("unpoisoned").clear();
                tokio::spawn(carry(near, far, states.clone(), record.clone()));
            }
        });
        Cable { address, state, sent, opened }
    }
}

async fn carry(
    mut near: TcpStream,
    mut far: TcpStream,
    mut states: watch::Receiver<State>,
    record: Arc<Mutex<Vec<u8>>>,
) {
    let (mut from_near, mut from_far) = ([0; 4096], [0; 4096]);
    loop {
        let state = *states.borrow_and_update();
        match state {
            State::Cut => return,
            State::Frozen => {
                if states.changed().await.is_err() {
                    return;
                }
            }
            State::Whole => tokio::select! {
                changed = states.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                read = near.read(&mut from_near) => match read {
                    Ok(count) if count > 0 => {
                        record.lock().expect("unpoisoned").extend_from_slice(&from_near[..count]);
                        if far.write_all(&from_near[..count]).await.is_err() {
                            return;
                        }
                    }
                    _ => return,
                },
                read = far.read(&mut from_far) => match read {
                    Ok(count) if count > 0 => {
                        if near.write_all(&from_far[..count]).await.is_err() {
                            return;
                        }
                    }
                    _ => return,
                },
            },
        }
    }
}

//! One session: requests in, replies out, whichever carrier they come over. The screen of `run` and every client of the
//! socket are served by this same function.
//!
//! It asks the node and passes on the answers. A status is only sent when there is room for it, and then the latest; so
//! who cannot keep up loses statuses and nothing else. Requests are answered in their order; while one waits for its
//! outcome, statuses still go out and further requests queue up to a bound.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::desk::ScreenId;
use super::request::{Hello, Pong, Reply, Request};
use super::status::{SCHEMA, Status};
use super::to_node::{ToNode, Watching};
use super::who::{Rights, Who};

/// How many requests of one session may wait.
const QUEUE: usize = 16;

/// How many pongs of one session may wait for its client.
const PONGS: usize = 16;

/// How long a reply waits for a client that does not read before the session ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// What this engine says of itself to every client.
#[derive(Debug, Clone)]
pub struct Identity {
    /// This member.
    pub node: String,
    /// The group.
    pub group: String,
    /// The program's version.
    pub version: String,
    /// Where the journal is.
    pub state_directory: String,
}

/// Why a session is over; never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The client has left, or was too slow.
    ClientGone,
    /// The node has ended.
    NodeGone,
    /// It was told to finish.
    Stopped,
}

type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

enum Answer {
    Reply(Reply),
    Opened(Reply, u32),
    Closed(Reply),
    Watching(Watching),
    Pings(mpsc::Receiver<Pong>),
    NodeGone,
}

/// Serves one session until its requests end and are answered, its client leaves, the node ends, or `stop` is cancelled
/// (what was asked before is still answered). Whoever calls this bounds it with `stop`.
pub async fn serve_session(
    requests: mpsc::Receiver<Request>,
    replies: mpsc::Sender<Reply>,
    who: Who,
    identity: &Identity,
    to_node: mpsc::Sender<ToNode>,
    stop: CancellationToken,
) -> SessionEnd {
    let mut session =
        Session { replies, who, to_node, watched: None, screen: None, opened: None, pending: None, pongs: None };
    let end = session.run(requests, identity, stop).await;
    session.leave().await;
    end
}

struct Session {
    replies: mpsc::Sender<Reply>,
    who: Who,
    to_node: mpsc::Sender<ToNode>,
    watched: Option<watch::Receiver<Arc<Status>>>,
    screen: Option<ScreenId>,
    /// The plan that this session opened and has not closed.
    opened: Option<u32>,
    pending: Option<Pending>,
    pongs: Option<mpsc::Receiver<Pong>>,
}

impl Session {
    async fn run(
        &mut self,
        mut requests: mpsc::Receiver<Request>,
        identity: &Identity,
        stop: CancellationToken,
    ) -> SessionEnd {
        let hello = self.hello(identity);
        if self.reply(hello).await.is_err() {
            return SessionEnd::ClientGone;
        }
        let mut queue = VecDeque::new();
        let mut over = None;
        let mut unsent = false;
        let client = self.replies.clone();
        loop {
            let busy = self.pending.is_some() || self.pongs.is_some();
            if !busy {
                if let Some(request) = queue.pop_front() {
                    self.pending = Some(self.ask(request));
                    continue;
                }
                if let Some(end) = over {
                    return end;
                }
            }
            let step = tokio::select! {
                biased;
                () = stop.cancelled(), if over.is_none() => { over = Some(SessionEnd::Stopped); Ok(()) }
                () = client.closed() => return SessionEnd::ClientGone,
                answer = pending(&mut self.pending) => { self.pending = None; self.answered(answer, &mut unsent).await }
                pong = next_pong(&mut self.pongs) => self.pong(pong).await,
                request = requests.recv(), if over.is_none() && queue.len() < QUEUE => {
                    match request {
                        Some(request) => queue.push_back(request),
                        None => over = Some(SessionEnd::ClientGone),
                    }
                    Ok(())
                }
                alive = changed(&mut self.watched), if over.is_none() && !unsent => match alive {
                    Ok(()) => { unsent = true; Ok(()) }
                    Err(_) => Err(SessionEnd::NodeGone),
                },
                room = client.reserve(), if unsent && over.is_none() => {
                    unsent = false;
                    match (room, &mut self.watched) {
                        (Ok(room), Some(watched)) => {
                            // The value itself, not a copy: everybody who watches shares it, and its line.
                            let latest = Arc::clone(&watched.borrow_and_update());
                            room.send(Reply::Status(latest));
                            Ok(())
                        }
                        (Ok(_), None) => Ok(()),
                        (Err(_), _) => Err(SessionEnd::ClientGone),
                    }
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn hello(&self, identity: &Identity) -> Reply {
        Reply::Hello(Hello {
            schema: SCHEMA,
            node: identity.node.clone(),
            group: identity.group.clone(),
            version: identity.version.clone(),
            may_operate: self.who.rights == Rights::Operate,
            you_are: self.who.name().to_owned(),
            state_directory: identity.state_directory.clone(),
        })
    }

    async fn reply(&mut self, reply: Reply) -> Result<(), SessionEnd> {
        match tokio::time::timeout(PATIENCE, self.replies.send(reply)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(SessionEnd::ClientGone),
        }
    }

    fn ask(&self, request: Request) -> Pending {
        let (who, node) = (self.who.clone(), self.to_node.clone());
        match request {
            Request::Status => Box::pin(async move {
                let status = question(&node, ToNode::Status).await;
                status.map_or(Answer::NodeGone, |status| Answer::Reply(Reply::Status(status)))
            }),
            Request::Watch { screen } => Box::pin(async move {
                let watching = question(&node, |reply| ToNode::Watch { who, screen, reply }).await;
                watching.map_or(Answer::NodeGone, Answer::Watching)
            }),
            Request::Open { action } => Box::pin(async move {
                match question(&node, |reply| ToNode::Open { action, who, reply }).await {
                    Some(Ok(plan)) => {
                        let number = plan.number;
                        Answer::Opened(Reply::Plan(Box::new(plan)), number)
                    }
                    Some(Err(why)) => Answer::Reply(Reply::Refused { why }),
                    None => Answer::NodeGone,
                }
            }),
            Request::Confirm { plan, force } => Box::pin(async move {
                match question(&node, |reply| ToNode::Confirm { plan, force, who, reply }).await {
                    Some(Ok(outcome)) => Answer::Closed(Reply::Outcome(outcome)),
                    Some(Err(why)) => Answer::Reply(Reply::Refused { why }),
                    None => Answer::NodeGone,
                }
            }),
            Request::Abandon { plan } => Box::pin(async move {
                match question(&node, |reply| ToNode::Abandon { plan, who, reply }).await {
                    Some(Ok(())) => Answer::Closed(Reply::Done),
                    Some(Err(why)) => Answer::Reply(Reply::Refused { why }),
                    None => Answer::NodeGone,
                }
            }),
            Request::FencePreview { peer } => Box::pin(async move {
                // Anybody's question is a load on the device, and its answer names the program that switches.
                if let Err(why) = who.check_may_operate() {
                    return Answer::Reply(Reply::Refused { why });
                }
                match question(&node, |reply| ToNode::FencePreview { peer, reply }).await {
                    Some(Ok(preview)) => Answer::Reply(Reply::FencePreview(Box::new(preview))),
                    Some(Err(why)) => Answer::Reply(Reply::Refused { why }),
                    None => {
                        let why = "The fence device has too many questions already. Ask again in a moment.".to_owned();
                        Answer::Reply(Reply::Refused { why })
                    }
                }
            }),
            Request::Reload => Box::pin(async move {
                if let Err(why) = who.check_may_operate() {
                    return Answer::Reply(Reply::Refused { why });
                }
                match question(&node, |reply| ToNode::Reload { who, reply }).await {
                    Some(Ok(reloaded)) => Answer::Reply(Reply::Reloaded(reloaded)),
                    Some(Err(why)) => Answer::Reply(Reply::Refused { why }),
                    None => Answer::NodeGone,
                }
            }),
            Request::Seen => Box::pin(async move {
                if let Err(why) = who.check_may_operate() {
                    return Answer::Reply(Reply::Refused { why });
                }
                match question(&node, |reply| ToNode::Seen { who, reply }).await {
                    Some(Ok(())) => Answer::Reply(Reply::Done),
                    Some(Err(why)) => Answer::Reply(Reply::Refused { why }),
                    None => Answer::NodeGone,
                }
            }),
            Request::Ping { peer, count, interval_ms } => Box::pin(async move {
                // Faster than this is a load, not a measurement.
                let interval = Duration::from_millis(interval_ms.max(1));
                let (pongs, received) = mpsc::channel(PONGS);
                let ask = |accepted| ToNode::Ping { peer, count, interval, accepted, pongs };
                match question(&node, ask).await {
                    Some(Ok(())) => Answer::Pings(received),
                    Some(Err(why)) => Answer::Reply(Reply::Refused { why }),
                    None => Answer::NodeGone,
                }
            }),
        }
    }

    async fn answered(&mut self, answer: Answer, unsent: &mut bool) -> Result<(), SessionEnd> {
        match answer {
            Answer::Reply(reply) => self.reply(reply).await,
            Answer::Opened(reply, number) => {
                self.opened = Some(number);
                self.reply(reply).await
            }
            Answer::Closed(reply) => {
                self.opened = None;
                self.reply(reply).await
            }
            Answer::Watching(watching) => {
                self.let_go_of_screen().await;
                self.watched = Some(watching.statuses);
                self.screen = watching.screen;
                *unsent = true;
                Ok(())
            }
            Answer::Pings(pongs) => {
                self.pongs = Some(pongs);
                Ok(())
            }
            Answer::NodeGone => Err(SessionEnd::NodeGone),
        }
    }

    async fn pong(&mut self, pong: Option<Pong>) -> Result<(), SessionEnd> {
        match pong {
            Some(pong) => self.reply(Reply::Pong(pong)).await,
            None => {
                self.pongs = None;
                self.reply(Reply::PingDone).await
            }
        }
    }

    async fn let_go_of_screen(&mut self) {
        if let Some(screen) = self.screen.take() {
            // A node that has ended has no list of screens any more.
            let _ = self.to_node.send(ToNode::Unwatch(screen)).await;
        }
    }

    /// Leaves nothing behind: a plan that nobody can see any more must not wait to be confirmed, and who has left is not
    /// attached.
    async fn leave(&mut self) {
        self.pending = None;
        if let Some(plan) = self.opened.take() {
            let who = self.who.clone();
            // Refused when the plan has ended by itself, which is as good.
            let _ = question(&self.to_node, |reply| ToNode::Abandon { plan, who, reply }).await;
        }
        self.watched = None;
        self.let_go_of_screen().await;
    }
}

/// Asks the node; none when it has ended.
async fn question<T>(node: &mpsc::Sender<ToNode>, ask: impl FnOnce(oneshot::Sender<T>) -> ToNode) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    node.send(ask(reply)).await.ok()?;
    answer.await.ok()
}

async fn pending(waiting: &mut Option<Pending>) -> Answer {
    match waiting {
        Some(waiting) => waiting.await,
        None => std::future::pending().await,
    }
}

async fn next_pong(pongs: &mut Option<mpsc::Receiver<Pong>>) -> Option<Pong> {
    match pongs {
        Some(pongs) => pongs.recv().await,
        None => std::future::pending().await,
    }
}

async fn changed(watched: &mut Option<watch::Receiver<Arc<Status>>>) -> Result<(), watch::error::RecvError> {
    match watched {
        Some(watched) => watched.changed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

//! A node for tests: a desk and a view, and nothing behind them. Only in tests.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::negotiation::view::View;

use super::compose::{Surroundings, compose};
use super::desk::Desk;
use super::examples::{around, site};
use super::plan::Action;
use super::plans::Others;
use super::request::{Outcome, Pong, Reloaded};
use super::status::Status;
use super::to_node::{TO_NODE_BOUND, ToNode, Watching};

/// What the test sees and turns.
pub struct FakeNode {
    pub to_node: mpsc::Sender<ToNode>,
    pub statuses: watch::Sender<Arc<Status>>,
    /// What the node did, in order.
    pub done: mpsc::UnboundedReceiver<String>,
}

/// The status that the fake node shows, with this many milliseconds in its mode.
pub fn status(view: &View, since_ms: u64) -> Arc<Status> {
    Arc::new(Status { since_ms, ..compose(view, &Surroundings { ..around() }) })
}

/// Processes and a fence device are there for the actions that are about them, and out of the way of the others.
fn beside(action: &Action, view: &View) -> Others {
    match action {
        Action::TakeOver | Action::StepDown | Action::Hold { .. } | Action::Resume | Action::Shutdown => {
            Others::default()
        }
        Action::Fence { .. }
        | Action::IsOff { .. }
        | Action::RestartProcess { .. }
        | Action::StopProcess { .. }
        | Action::StartProcess { .. } => site(view.peers[0].name.as_str()),
    }
}

/// Starts it in the current runtime. It ends when every sender to it is gone.
pub fn start(view: View) -> FakeNode {
    let (to_node, mut questions) = mpsc::channel(TO_NODE_BOUND);
    let (statuses, _) = watch::channel(status(&view, 0));
    let (record, done) = mpsc::unbounded_channel();
    let publish = statuses.clone();
    tokio::spawn(async move {
        let mut desk = Desk::new(view.name.as_str(), 37);
        let mut others = Others::default();
        while let Some(question) = questions.recv().await {
            let now = view.now;
            // Answers that nobody waits for any more, and records that nobody reads, are as good as given.
            match question {
                ToNode::Status(reply) => drop(reply.send(publish.borrow().clone())),
                ToNode::Watch { who, screen, reply } => {
                    let screen = screen.map(|screen| desk.attach(&who, screen));
                    let _ = record.send(format!("attached {:?}", desk.attached()));
                    drop(reply.send(Watching { statuses: publish.subscribe(), screen }));
                }
                ToNode::Unwatch(screen) => {
                    desk.detach(screen);
                    let _ = record.send(format!("attached {:?}", desk.attached()));
                }
                ToNode::Open { action, who, reply } => {
                    others = beside(&action, &view);
                    drop(reply.send(desk.open(action, &who, &view, &others, now)));
                }
                ToNode::Confirm { plan, force, who, reply } => {
                    let confirmed = desk.confirm(plan, force.as_deref(), &who, &view, &others, now);
                    let _ = record.send(format!("confirmed {confirmed:?}"));
                    let text = "beta is Primary, term 8, after 12 ms".to_owned();
                    drop(reply.send(confirmed.map(|_| Outcome::Done { text })));
                }
                ToNode::Abandon { plan, who, reply } => {
                    let _ = record.send(format!("abandoned {plan}"));
                    drop(reply.send(desk.abandon(plan, &who)));
                }
                ToNode::FencePreview { peer, reply } => {
                    drop(reply.send(Err(format!("There is no [fence.{peer}] here."))));
                }
                ToNode::Reload { who, reply } => {
                    let _ = record.send(format!("reload by {}", who.name()));
                    let file = "/etc/tandem/tandem.toml".to_owned();
                    let none = Vec::new;
                    drop(reply.send(Ok(Reloaded { file, applied: none(), needs_restart: none() })));
                }
                ToNode::Seen { who, reply } => {
                    desk.seen(&who, "2026-11-21T03:12:44+01:00");
                    drop(reply.send(Ok(())));
                }
                ToNode::Ping { peer, count, accepted, pongs, .. } => {
                    if peer.as_deref() == Some("nobody") {
                        drop(accepted.send(Err("There is no member \"nobody\".".to_owned())));
                        continue;
                    }
                    drop(accepted.send(Ok(())));
                    tokio::spawn(async move {
                        for seq in 1..=count {
                            let rtt_us = Some(200);
                            let pong = Pong { peer: "alpha".to_owned(), seq, rtt_us, reverse_rtt_us: None, why: None };
                            if pongs.send(pong).await.is_err() {
                                return;
                            }
                        }
                    });
                }
            }
        }
    });
    FakeNode { to_node, statuses, done }
}

/// A fake node behind a real socket, on a thread of its own, for the blocking client.
pub struct Served {
    pub path: std::path::PathBuf,
    /// What the node did, in order.
    pub done: mpsc::UnboundedReceiver<String>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// Serves `view` until the value is dropped.
pub fn serve(view: View) -> Served {
    use super::server::{Server, ServerSettings};
    use super::session::Identity;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tandem.sock");
    let (ready, started) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let identity = Identity {
        node: view.name.to_string(),
        group: "substation-7".to_owned(),
        version: "1.0.0".to_owned(),
        state_directory: "/var/lib/tandem".to_owned(),
    };
    let settings = ServerSettings { path: path.clone(), mode: 0o600, group: String::new(), identity };
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let node = start(view);
            let server = Server::start(settings, node.to_node.clone()).expect("it listens");
            ready.send(node.done).expect("the test waits");
            // Dropped or sent: both mean the end.
            let _ = stopped.await;
            server.shutdown().await;
        });
    });
    let done = started.recv().expect("it starts");
    Served { path, done, stop: Some(stop), thread: Some(thread), _folder: folder }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic there has failed its own assertion already.
            let _ = thread.join();
        }
    }
}

//! The server over real Unix sockets in a folder of its own, with a node that is only a desk.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::unix::OwnedWriteHalf;

use super::*;
use crate::control::client::{self, Client};
use crate::control::examples::secondary;
use crate::control::fake_node::{self, FakeNode, status};
use crate::control::plan::Action;
use crate::control::request::{Outcome, Screen};

/// Nothing here takes as long; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(20);

struct House {
    node: FakeNode,
    server: Server,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn settings(path: PathBuf) -> ServerSettings {
    let identity = Identity {
        node: "beta".to_owned(),
        group: "substation-7".to_owned(),
        version: "1.0.0".to_owned(),
        state_directory: "/var/lib/tandem/beta".to_owned(),
    };
    ServerSettings { path, mode: 0o660, group: String::new(), identity }
}

fn house() -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run/beta.sock");
    let node = fake_node::start(secondary());
    let server = Server::start(settings(path.clone()), node.to_node.clone()).expect("it listens");
    House { node, server, path, _folder: folder }
}

fn test(body: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(LIMIT, body).await.expect("it ends in time") });
}

struct Visitor {
    lines: Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Visitor {
    /// Connects, and takes the greeting.
    async fn come(house: &House) -> Visitor {
        let mut visitor = Visitor::come_silently(house).await;
        assert!(matches!(visitor.read().await, Some(Reply::Hello(_))));
        visitor
    }

    async fn come_silently(house: &House) -> Visitor {
        let (read, write) = UnixStream::connect(&house.path).await.expect("it listens").into_split();
        Visitor { lines: BufReader::new(read).lines(), write }
    }

    async fn say(&mut self, request: &Request) {
        self.say_text(&(serde_json::to_string(request).expect("JSON") + "\n")).await;
    }

    async fn say_text(&mut self, text: &str) {
        self.write.write_all(text.as_bytes()).await.expect("the server reads");
    }

    async fn read(&mut self) -> Option<Reply> {
        let line = self.lines.next_line().await.expect("readable")?;
        Some(serde_json::from_str(&line).expect("a reply a line"))
    }

    async fn ask(&mut self, request: Request) -> Reply {
        self.say(&request).await;
        self.read().await.expect("an answer")
    }
}

#[test]
fn the_first_line_says_who_answers_and_what_one_may() {
    test(async {
        let house = house();
        let mut visitor = Visitor::come_silently(&house).await;
        let Some(Reply::Hello(hello)) = visitor.read().await else { panic!("hello comes first") };
        assert_eq!((hello.node.as_str(), hello.group.as_str()), ("beta", "substation-7"));
        assert!(hello.may_operate, "the engine's own user operates");
        assert!(!hello.you_are.is_empty());
        let Reply::Status(status) = visitor.ask(Request::Status).await else { panic!("a status") };
        assert_eq!(status.node, "beta");
        house.server.shutdown().await;
    });
}

#[test]
fn who_only_closes_its_writing_side_is_still_answered() {
    test(async {
        let house = house();
        let mut visitor = Visitor::come(&house).await;
        visitor.say(&Request::Status).await;
        visitor.write.shutdown().await.expect("it closes");
        assert!(matches!(visitor.read().await, Some(Reply::Status(_))));
        assert_eq!(visitor.read().await, None);
    });
}

#[test]
fn a_watcher_gets_the_latest_status_and_may_lose_those_between() {
    test(async {
        let house = house();
        let mut visitor = Visitor::come(&house).await;
        let first = visitor.ask(Request::Watch { screen: None }).await;
        assert!(matches!(first, Reply::Status(status) if status.since_ms == 0));
        for since in 1..=5_000 {
            house.node.statuses.send_replace(status(&secondary(), since));
            if since % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let mut seen = 0;
        loop {
            let Some(Reply::Status(status)) = visitor.read().await else { panic!("a status") };
            assert!(status.since_ms > seen, "never one from before");
            seen = status.since_ms;
            if seen == 5_000 {
                break;
            }
        }
    });
}

#[test]
fn a_watcher_that_reads_nothing_delays_nobody_else() {
    test(async {
        let house = house();
        let mut stuck = Visitor::come(&house).await;
        stuck.say(&Request::Watch { screen: None }).await;
        let mut other = Visitor::come(&house).await;
        for since in 1..=2_000 {
            house.node.statuses.send_replace(status(&secondary(), since));
            tokio::task::yield_now().await;
        }
        let Reply::Status(latest) = other.ask(Request::Status).await else { panic!("a status") };
        assert_eq!(latest.since_ms, 2_000);
        house.server.shutdown().await;
    });
}

#[test]
fn a_malformed_line_is_refused_and_ends_the_connection() {
    test(async {
        let house = house();
        for text in ["{\"request\":\"dance\"}\n".to_owned(), "\u{0}\n".to_owned(), "x".repeat(MAX_REQUEST_LINE + 10)] {
            let mut visitor = Visitor::come(&house).await;
            visitor.say_text(&text).await;
            let Some(Reply::Refused { why }) = visitor.read().await else { panic!("refused: {text:?}") };
            assert!(why.contains("This connection ends."), "{why}");
            assert_eq!(visitor.lines.next_line().await.unwrap_or(None), None);
        }
        let mut visitor = Visitor::come(&house).await;
        assert!(matches!(visitor.ask(Request::Status).await, Reply::Status(_)), "others are served as before");
    });
}

#[test]
fn u2_a_plan_is_opened_and_confirmed_over_the_socket_by_another_client_too() {
    test(async {
        let mut house = house();
        let (mut one, mut two) = (Visitor::come(&house).await, Visitor::come(&house).await);
        let Reply::Plan(plan) = one.ask(Request::Open { action: Action::TakeOver }).await else { panic!("a plan") };
        let wrong = two.ask(Request::Confirm { plan: plan.number + 1, force: None }).await;
        assert!(matches!(wrong, Reply::Refused { .. }));
        let right = two.ask(Request::Confirm { plan: plan.number, force: None }).await;
        assert!(matches!(right, Reply::Outcome(Outcome::Done { .. })), "{right:?}");
        assert!(house.node.done.recv().await.is_some_and(|line| line.starts_with("confirmed Err")));
        let confirmed = house.node.done.recv().await;
        assert_eq!(confirmed.as_deref(), Some("confirmed Ok(Confirmed { action: TakeOver, forced: No })"));
    });
}

#[test]
fn who_leaves_takes_their_plan_and_their_screen_along() {
    test(async {
        let mut house = house();
        let mut visitor = Visitor::come(&house).await;
        visitor.say(&Request::Watch { screen: Some(Screen::ReadOnly) }).await;
        assert!(house.node.done.recv().await.is_some_and(|line| line.contains("(read-only)")));
        visitor.say(&Request::Open { action: Action::TakeOver }).await;
        while !matches!(visitor.read().await, Some(Reply::Plan(_))) {}
        drop(visitor);
        assert_eq!(house.node.done.recv().await.as_deref(), Some("abandoned 47"));
        assert_eq!(house.node.done.recv().await.as_deref(), Some("attached []"));
    });
}

#[test]
fn n9_pings_come_one_by_one_and_end() {
    test(async {
        let house = house();
        let mut visitor = Visitor::come(&house).await;
        visitor.say(&Request::Ping { peer: None, count: 40, interval_ms: 1 }).await;
        for seq in 1..=40 {
            assert!(matches!(visitor.read().await, Some(Reply::Pong(pong)) if pong.seq == seq));
        }
        assert_eq!(visitor.read().await, Some(Reply::PingDone));
        let refused = visitor.ask(Request::Ping { peer: Some("nobody".to_owned()), count: 1, interval_ms: 1 }).await;
        assert!(matches!(refused, Reply::Refused { .. }));
    });
}

#[test]
fn u2_idle_connections_keep_nobody_out() {
    test(async {
        let house = house();
        let mut inside = Vec::new();
        for _ in 0..MAX_CLIENTS {
            inside.push(Visitor::come(&house).await);
        }
        // The first has asked since; the second has been idle for longest.
        assert!(matches!(inside[0].ask(Request::Status).await, Reply::Status(_)));
        let mut late = Visitor::come(&house).await;
        assert!(matches!(late.ask(Request::Status).await, Reply::Status(_)));
        let told = inside[1].read().await;
        assert!(matches!(&told, Some(Reply::Refused { why }) if why.contains("idle for longest")), "{told:?}");
        assert_eq!(inside[1].read().await, None);
        assert!(matches!(inside[0].ask(Request::Status).await, Reply::Status(_)), "who asks now and then stays");
        assert!(matches!(inside[2].ask(Request::Status).await, Reply::Status(_)), "one goes for one that comes");
    });
}

#[test]
fn the_socket_file_has_its_mode_and_goes_with_the_server() {
    test(async {
        let house = house();
        let meta = std::fs::symlink_metadata(&house.path).expect("it is there");
        assert!(meta.file_type().is_socket());
        assert_eq!(meta.permissions().mode() & 0o777, 0o660);
        let folder = house.path.parent().expect("a folder");
        assert_eq!(std::fs::read_dir(folder).expect("readable").count(), 1, "no temporary name is left");
        let path = house.path.clone();
        house.server.shutdown().await;
        assert!(!path.exists());
    });
}

#[test]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    test(async {
        let house = house();
        let second = Server::start(settings(house.path.clone()), house.node.to_node.clone());
        assert!(matches!(second, Err(SocketError::InUse(_))), "{second:?}");
        assert!(house.path.exists());
        house.server.shutdown().await;
        drop(std::os::unix::net::UnixListener::bind(&house.path).expect("a stale one"));
        assert!(house.path.exists());
        let third = Server::start(settings(house.path.clone()), house.node.to_node.clone()).expect("it is replaced");
        assert!(StdStream::connect(&house.path).is_ok());
        third.shutdown().await;
        std::fs::write(&house.path, "mine").expect("a file");
        let fourth = Server::start(settings(house.path.clone()), house.node.to_node.clone());
        assert!(matches!(fourth, Err(SocketError::NotASocket(_))));
        assert!(house.path.exists(), "what is no socket stays");
    });
}

#[test]
fn a_server_removes_only_its_own_file() {
    test(async {
        let house = house();
        std::fs::remove_file(&house.path).expect("somebody removed it");
        let other = std::os::unix::net::UnixListener::bind(&house.path).expect("and put another there");
        let path = house.path.clone();
        house.server.shutdown().await;
        assert!(path.exists());
        drop(other);
    });
}

#[test]
fn a_running_controller_leaves_a_marker_that_ends_with_it() {
    test(async {
        let house = house();
        let marker = format!("@tandem/beta/{}", house.path.display());
        let seen = || std::fs::read_to_string("/proc/net/unix").expect("Linux").contains(&marker);
        assert!(seen());
        house.server.shutdown().await;
        assert!(!seen());
    });
}

#[test]
fn the_end_answers_what_was_asked_and_is_bounded() {
    test(async {
        let house = house();
        let mut visitor = Visitor::come(&house).await;
        let mut watcher = Visitor::come(&house).await;
        watcher.ask(Request::Watch { screen: None }).await;
        house.server.shutdown().await;
        assert_eq!(visitor.read().await, None);
        assert_eq!(watcher.read().await, None);
    });
}

#[test]
fn a_node_that_ends_ends_its_sessions() {
    test(async {
        let (to_node, questions) = mpsc::channel(1);
        drop(questions);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("beta.sock");
        let server = Server::start(settings(path.clone()), to_node).expect("it listens");
        let mut stream = UnixStream::connect(&path).await.expect("it listens");
        stream.write_all(b"{\"request\":\"status\"}\n").await.expect("written");
        let mut all = String::new();
        stream.read_to_string(&mut all).await.expect("it ends");
        assert_eq!(all.lines().count(), 1, "hello and no more: {all}");
        server.shutdown().await;
    });
}

#[test]
fn the_screen_is_served_over_the_socket_as_in_process() {
    test(async {
        let house = house();
        let (mut carrier, bridge) =
            client::attach(client::connect(&house.path).expect("it listens")).expect("a bridge");
        assert!(matches!(carrier.replies.recv().await, Some(Reply::Hello(_))));
        carrier.requests.send(Request::Watch { screen: Some(Screen::Operating) }).await.expect("open");
        assert!(matches!(carrier.replies.recv().await, Some(Reply::Status(_))));
        drop(carrier);
        bridge.join().await;
        house.server.shutdown().await;
    });
}

#[test]
fn a_controller_that_does_not_greet_is_said_to_be_silent() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frozen.sock");
    let _frozen = std::os::unix::net::UnixListener::bind(&path).expect("it listens and does not accept");
    let error = Client::open(&path).expect_err("nobody greets");
    assert!(error.to_string().contains("does not answer within 3s"), "{error}");
}

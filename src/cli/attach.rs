//! `tandem attach`: the screen on a controller that runs already (U3). Several at once; each sees the same.
//!
//! The screen runs on the main thread. A thread of its own keeps the connection: when the controller goes away, it tries
//! again and again, and meanwhile the screen says how long there has been no news.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::config::{self, Config, locate};
use crate::control::carrier::Carrier;
use crate::control::client::{attach, connect};
use crate::control::request::{Reply, Request};
use crate::ui::{self, Connection, Left, ScreenOptions, Theme};

use super::args::{AttachArgs, Global, StatusArgs};
use super::connect::socket_path;
use super::exit::Exit;
use super::status;

/// Between two tries to reach a controller that went away.
const RETRY: Duration = Duration::from_millis(500);
/// Requests and replies that may wait between the screen and the connection.
const WAITING: usize = 16;

/// Opens the screen.
pub fn run(global: &Global, args: &AttachArgs) -> anyhow::Result<Exit> {
    if !ui::terminal::can_draw() {
        crate::complain!(
            "tandem: there is no terminal worth drawing on: a line for each change, as tandem status --watch"
        );
        return status::run(global, &StatusArgs { json: false, watch: true });
    }
    let socket = match socket_path(global).and_then(|path| Ok(connect(&path).map(|_| path)?)) {
        Ok(path) => path,
        Err(error) => {
            crate::complain!("tandem: {error}");
            return Ok(error.exit());
        }
    };
    // A configuration that cannot be read must not keep anybody from looking.
    let screen = Config::load(&locate(global.config.as_deref())).map(|config| config.screen).unwrap_or_default();
    let (stands, connection) = watch::channel(Connection::Open);
    let (carrier, keeper) = keep_connected(socket, stands)?;
    let connection = Some(connection);
    let options = ScreenOptions { read_only: args.read_only, connection, ..screen_options(&screen) };
    let left = ui::run(carrier, options)?;
    keeper.join().map_err(|_| anyhow::anyhow!("the thread that keeps the connection has panicked"))?;
    match left {
        Left::Asked | Left::TerminalLost => Ok(Exit::Done),
        Left::EngineGone => Ok(Exit::NoController),
        Left::Told => Ok(Exit::Failed),
    }
}

/// The screen as the configuration wants it.
pub(super) fn screen_options(screen: &config::Screen) -> ScreenOptions {
    ScreenOptions {
        theme: match screen.theme {
            config::Theme::Default => Theme::Default,
            config::Theme::Mono => Theme::Mono,
        },
        // Without the setting, locale and TERM decide.
        ascii: screen.ascii.then_some(true),
        bell: screen.bell,
        max_draws_per_second: screen.max_draws_per_second,
        ..ScreenOptions::default()
    }
}

/// Starts the thread that keeps the connection, and says how it stands. It ends when the carrier is dropped.
fn keep_connected(
    socket: PathBuf,
    stands: watch::Sender<Connection>,
) -> anyhow::Result<(Carrier, std::thread::JoinHandle<()>)> {
    let (requests, asked) = mpsc::channel(WAITING);
    let (told, replies) = mpsc::channel(WAITING);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the connection's own runtime cannot be started")?;
    let keeper = std::thread::Builder::new()
        .name("attach".to_owned())
        .spawn(move || runtime.block_on(keep(&socket, asked, &told, &stands)))
        .context("the connection's thread cannot be started")?;
    Ok((Carrier { requests, replies }, keeper))
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    ScreenLeft,
    ControllerLost,
}

async fn keep(
    socket: &Path,
    mut asked: mpsc::Receiver<Request>,
    told: &mpsc::Sender<Reply>,
    stands: &watch::Sender<Connection>,
) {
    loop {
        if let Ok((carrier, bridge)) = connect(socket).map_err(std::io::Error::other).and_then(attach) {
            stands.send_replace(Connection::Open);
            let over = pump(carrier, &mut asked, told).await;
            bridge.join().await;
            if over == Over::ScreenLeft {
                return;
            }
        }
        stands.send_replace(Connection::Closed);
        // What is asked of a controller that is away is dropped: it must not reach the next one as a surprise.
        let again = Instant::now() + RETRY;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(again) => break,
                request = asked.recv() => if request.is_none() { return },
            }
        }
    }
}

async fn pump(mut carrier: Carrier, asked: &mut mpsc::Receiver<Request>, told: &mpsc::Sender<Reply>) -> Over {
    loop {
        tokio::select! {
            request = asked.recv() => match request {
                // A frozen controller's queue is full; the screen says that there is no news.
                Some(request) => { let _ = carrier.requests.try_send(request); }
                None => return Over::ScreenLeft,
            },
            reply = carrier.replies.recv() => match reply {
                Some(reply) => if told.send(reply).await.is_err() { return Over::ScreenLeft },
                None => return Over::ControllerLost,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn greet(listener: &UnixListener, node: &str) -> BufReader<std::os::unix::net::UnixStream> {
        let (mut stream, _) = listener.accept().expect("a connection");
        let hello = serde_json::json!({
            "reply": "hello", "schema": 1, "node": node, "group": "g", "version": "0", "may_operate": true,
            "you_are": "ops", "state_directory": ""
        });
        writeln!(stream, "{hello}").expect("written");
        BufReader::new(stream)
    }

    fn node(reply: Option<Reply>) -> String {
        match reply {
            Some(Reply::Hello(hello)) => hello.node,
            other => panic!("not a hello: {other:?}"),
        }
    }

    #[test]
    fn u3_attach_comes_back_when_the_controller_returns_and_drops_what_was_asked_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("alpha.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        let (stands, connection) = watch::channel(Connection::Open);
        let (mut carrier, keeper) = keep_connected(path.clone(), stands).expect("started");
        let stream = greet(&listener, "first");
        assert_eq!(node(carrier.replies.blocking_recv()), "first");
        drop((listener, stream));
        std::fs::remove_file(&path).expect("removed");
        // It is taken from the channel while nobody is there; so it is over once the channel is empty again.
        carrier.requests.blocking_send(Request::Confirm { plan: 47, force: None }).expect("sent");
        let until = std::time::Instant::now() + Duration::from_secs(60);
        let away = || *connection.borrow() == Connection::Closed && carrier.requests.capacity() == WAITING;
        while !away() && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(*connection.borrow(), Connection::Closed, "the screen is told that nobody listens");
        let listener = UnixListener::bind(&path).expect("bound again");
        let mut stream = greet(&listener, "second");
        assert_eq!(node(carrier.replies.blocking_recv()), "second");
        assert_eq!(*connection.borrow(), Connection::Open);
        carrier.requests.blocking_send(Request::Status).expect("sent");
        let mut line = String::new();
        stream.read_line(&mut line).expect("a request");
        assert!(line.contains("status") && !line.contains("confirm"), "{line}");
        drop(carrier);
        keeper.join().expect("joined");
    }
}

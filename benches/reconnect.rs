//! How fast the link notices and comes back, with a real process at the other end. Prints each figure with its
//! distribution; `cargo bench --bench reconnect`.
//!
//! * `kill -9` of the caller, or of the listener, until every address has refused (N14);
//! * the killed process started again until the link is up (N13);
//! * one message there, on the same machine, from the call that sends it to the event (half a round trip).

#[path = "support/measured.rs"]
mod measured;

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use measured::{ms, print};
use tandem::link::{LinkEvent, LinkMember, LinkSecurity, LinkSettings, Links, start};
use tandem::negotiation::member::MemberId;
use tandem::negotiation::message::{Incarnation, Message, Relay};
use tandem::negotiation::settings::Agreement;
use tandem::negotiation::term::Term;
use tokio::sync::mpsc;

const ALPHA: MemberId = MemberId(0);
const BETA: MemberId = MemberId(1);
const RUNS: usize = 50;
const SETTLED: Duration = Duration::from_millis(150);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["member", me, alpha, beta] => runtime.block_on(member(me, [alpha.parse()?, beta.parse()?])),
        _ => runtime.block_on(measure()),
    }
}

fn settings(me: MemberId, addresses: [SocketAddr; 2]) -> Result<LinkSettings> {
    let member = |name: &str, address| LinkMember { name: name.into(), addresses: vec![address] };
    Ok(LinkSettings {
        me,
        members: vec![member("alpha", addresses[0]), member("beta", addresses[1])],
        group: "bench".into(),
        security: LinkSecurity::Noise { call: [1; 32], accept: Vec::new() },
        agreement: Agreement {
            members_hash: 0,
            protection: Vec::new(),
            reply_timeout: Duration::from_secs(3),
            lease: Duration::ZERO,
        },
        incarnation: Incarnation(getrandom::u64()?),
        program_version: env!("CARGO_PKG_VERSION").into(),
        query_interval: Duration::from_secs(1),
        reply_timeout: Duration::from_secs(3),
        boot_timeout: Duration::from_secs(10),
        detour: None,
    })
}

/// The other process: answers each message with the same one, until it is killed or its parent is gone.
async fn member(me: &str, addresses: [SocketAddr; 2]) -> Result<()> {
    let (me, other) = if me == "alpha" { (ALPHA, BETA) } else { (BETA, ALPHA) };
    std::thread::spawn(|| {
        // Ends with the parent, whatever became of it.
        drop(std::io::stdin().read(&mut [0]));
        std::process::exit(0);
    });
    let (links, mut events) = start(settings(me, addresses)?).await?;
    println!("listening");
    while let Some(event) = events.recv().await {
        if let LinkEvent::Message { message, .. } = event {
            links.send(other, &message);
        }
    }
    Ok(())
}

struct Other(Child);

impl Other {
    fn start(me: &str, addresses: [SocketAddr; 2]) -> Result<Other> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["member", me, &addresses[0].to_string(), &addresses[1].to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the other process")?;
        let mut line = String::new();
        let output = child.stdout.take().context("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        ensure!(line == "listening\n", "the other process did not start");
        Ok(Other(child))
    }

    fn kill(&mut self) -> Result<()> {
        // SIGKILL on Unix.
        self.0.kill().context("killing the other process")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn wait(events: &mut mpsc::Receiver<LinkEvent>, wanted: impl Fn(&LinkEvent) -> bool) -> Result<()> {
    let search = async {
        while let Some(event) = events.recv().await {
            if wanted(&event) {
                return Ok(());
            }
        }
        bail!("the link ended")
    };
    tokio::time::timeout(Duration::from_secs(10), search).await.context("waited 10 s for an event")?
}

fn addresses() -> Result<[SocketAddr; 2]> {
    let free = |host: &str| TcpListener::bind((host, 0)).and_then(|socket| socket.local_addr());
    Ok([free("127.0.0.1")?, free("127.0.0.2")?])
}

async fn measure() -> Result<()> {
    for (me, other, what) in [(ALPHA, "beta", "caller"), (BETA, "alpha", "listener")] {
        let addresses = addresses()?;
        let (links, mut events) = start(settings(me, addresses)?).await?;
        let (mut refused, mut back, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let mut process = Other::start(other, addresses)?;
            let started = Instant::now();
            wait(&mut events, |event| matches!(event, LinkEvent::Up { .. })).await?;
            back.push(ms(started.elapsed()));
            messages.push(ms(round_trip(&links, &mut events, me).await? / 2));
            // A connection that never lasts is not called again at once; one that has settled is.
            tokio::time::sleep(SETTLED).await;
            let killed = Instant::now();
            process.kill()?;
            wait(&mut events, |event| matches!(event, LinkEvent::Refused { .. })).await?;
            refused.push(ms(killed.elapsed()));
        }
        print(&format!("kill -9 of the {what} → every address refused"), "ms", refused);
        print(&format!("the {what} listens again → the link is up"), "ms", back);
        print(&format!("one message to the {what}"), "ms", messages);
        links.shutdown().await;
    }
    Ok(())
}

async fn round_trip(links: &Links, events: &mut mpsc::Receiver<LinkEvent>, me: MemberId) -> Result<Duration> {
    let peer = if me == ALPHA { BETA } else { ALPHA };
    let message = Message::Relay(Relay { term: Term { number: 1, owner: me } });
    let is_message = |event: &LinkEvent| matches!(event, LinkEvent::Message { .. });
    // The first may come before the peer has seen the link come up, and is then not answered.
    loop {
        links.send(peer, &message);
        if tokio::time::timeout(Duration::from_millis(200), wait(events, is_message)).await.is_ok() {
            break;
        }
    }
    let sent = Instant::now();
    links.send(peer, &message);
    wait(events, is_message).await?;
    Ok(sent.elapsed())
}

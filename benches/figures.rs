//! The figures of the README: each is measured on real processes over loopback and printed with its distribution.
//!
//! `cargo bench --bench figures` prints all but the long one; `cargo bench --bench figures -- kill stop` only some;
//! `cargo bench --bench figures -- load=600` the false takeovers on a busy machine, for so many seconds.

#[path = "../tests/support/group.rs"]
mod group;
#[path = "support/measured.rs"]
mod measured;
#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use measured::{ms, print};
use nix::sys::signal::Signal;
use tandem::control::status::{Mode, Status};
use tandem::journal::Entry;
use tandem::negotiation::decision::Rule;

const RUNS: usize = 50;
const FAST: &str = "[negotiation]\nquery_interval = \"10ms\"\nreply_timeout = \"50ms\"\n";

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let all: [(&str, fn()); 10] = [
        ("kill", kill),
        ("stop", stop),
        ("freeze", freeze),
        ("fast", fast),
        ("boot", boot),
        ("split", split),
        ("idle", idle),
        ("status", status),
        ("reconnect", reconnect),
        ("size", size),
    ];
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure();
        }
    }
    for argument in &wanted {
        if let Some(seconds) = argument.strip_prefix("load=") {
            load(seconds.parse().expect("load=SECONDS"));
        }
    }
}

fn is_primary(status: &Status) -> bool {
    status.mode == Mode::Primary
}

/// Runs `event` on the Primary `runs` times and measures until the other is Primary; the first comes back each time.
fn takeovers(more: &str, runs: usize, mut event: impl FnMut(&mut Group, usize) -> Instant) -> Vec<f64> {
    let mut pair = Group::new(2, more);
    pair.start_all();
    let mut values = Vec::new();
    for _ in 0..runs {
        let primary = pair.settle();
        let other = 1 - primary;
        let mut watch = pair.watch(other);
        let from = event(&mut pair, primary);
        let (_, at) = watch.until(PATIENCE, "the other is Primary", is_primary);
        values.push(ms(at - from));
        pair.kill(primary);
        pair.start(primary);
    }
    values
}

fn kill() {
    let values = takeovers("", RUNS, |pair, primary| {
        let from = Instant::now();
        pair.signal(primary, Signal::SIGKILL);
        from
    });
    print("kill -9 of the Primary -> the other is Primary", "ms", values);
}

fn stop() {
    let values = takeovers("", RUNS, |pair, primary| {
        let from = Instant::now();
        pair.signal(primary, Signal::SIGTERM);
        from
    });
    print("SIGTERM to the Primary -> the other is Primary", "ms", values);
}

/// Frozen at a moment that wanders through the query interval.
fn freeze_at_random(pair: &mut Group, primary: usize, interval: Duration, run: &mut u32) -> Instant {
    *run += 1;
    std::thread::sleep(interval * (*run % 10) / 10);
    let from = Instant::now();
    pair.signal(primary, Signal::SIGSTOP);
    from
}

fn freeze() {
    let mut run = 0;
    let interval = Duration::from_secs(1);
    let values = takeovers("", 20, |pair, primary| freeze_at_random(pair, primary, interval, &mut run));
    print("SIGSTOP of the Primary, default times", "ms", values);
}

fn fast() {
    let mut run = 0;
    let interval = Duration::from_millis(10);
    let values = takeovers(FAST, RUNS, |pair, primary| freeze_at_random(pair, primary, interval, &mut run));
    print("SIGSTOP, query_interval 10 ms, reply_timeout 50 ms", "ms", values);
}

/// Both started within a wandering offset; counts how often exactly one is Primary, and that it is the lower address.
fn boot() {
    let mut values = Vec::new();
    let mut lower = 0;
    for run in 0..RUNS {
        let mut pair = Group::new(2, "");
        let order = if run % 2 == 0 { [0, 1] } else { [1, 0] };
        let from = Instant::now();
        pair.start(order[0]);
        std::thread::sleep(Duration::from_millis((run as u64 * 37) % 400));
        pair.start(order[1]);
        lower += usize::from(pair.settle() == 0);
        values.push(ms(from.elapsed()));
    }
    print("both booted -> exactly one Primary that both know", "ms", values);
    println!("{:<58} {lower} of {RUNS}", "  of these the lower address");
}

/// A TCP relay that can be cut: what a firewall between two sites is.
struct Relay {
    listen: SocketAddr,
    to: SocketAddr,
    open: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Relay {
    fn new(listen: SocketAddr, to: SocketAddr) -> Relay {
        Relay { listen, to, open: Arc::default(), thread: None }
    }

    fn open(&mut self) {
        self.open.store(true, Ordering::SeqCst);
        let (open, to) = (Arc::clone(&self.open), self.to);
        let listener = TcpListener::bind(self.listen).expect("the relay's address is free");
        listener.set_nonblocking(true).expect("a socket option");
        self.thread = Some(std::thread::spawn(move || {
            let mut pumps = Vec::new();
            while open.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((from, _)) => {
                        if let Ok(to) = TcpStream::connect(to) {
                            pumps.push(pump(&from, &to, &open));
                            pumps.push(pump(&to, &from, &open));
                        }
                    }
                    Err(_) => std::thread::sleep(Duration::from_micros(500)),
                }
            }
            drop(listener);
            for pump in pumps {
                drop(pump.join());
            }
        }));
    }

    fn cut(&mut self) {
        self.open.store(false, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
    }
}

fn pump(from: &TcpStream, to: &TcpStream, open: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (mut from, mut to) = (from.try_clone().expect("a descriptor"), to.try_clone().expect("a descriptor"));
    let open = Arc::clone(open);
    drop(from.set_nonblocking(false));
    drop(from.set_read_timeout(Some(Duration::from_millis(20))));
    drop(to.set_nodelay(true));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while open.load(Ordering::SeqCst) {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    if to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => break,
            }
        }
        drop(from.shutdown(std::net::Shutdown::Both));
        drop(to.shutdown(std::net::Shutdown::Both));
    })
}

/// A pair whose caller reaches the listener through a relay.
fn relayed() -> (Group, Relay) {
    let own = support::addresses(3);
    let mut pair = Group::at(vec![vec![own[0]], vec![own[2]]], "");
    // Beta's own file names the relay as alpha's address.
    let text = std::fs::read_to_string(&pair.config).expect("the configuration");
    let through = text.replace(&own[0].to_string(), &own[1].to_string());
    let config = support::write(pair.folder(), "beta.toml", &through);
    pair.use_config(1, config);
    let relay = Relay::new(own[1], own[0]);
    (pair, relay)
}

/// The journal's time of the last entry that is as wanted.
fn journalled(folder: &Path, member: &str, wanted: impl Fn(&Entry) -> bool) -> Option<u64> {
    let records = tandem::journal::read_last(&folder.join(format!("state-{member}")), 200).ok()?;
    records.iter().rev().find(|record| wanted(&record.entry)).map(|record| record.unix_ms)
}

fn split() {
    let mut values = Vec::new();
    let (mut pair, mut relay) = relayed();
    relay.open();
    pair.start_all();
    pair.settle();
    for _ in 0..10 {
        relay.cut();
        for member in 0..2 {
            pair.wait(member, "both are Primary", is_primary);
        }
        relay.open();
        pair.settle();
        let folder = pair.folder().to_owned();
        let mut measured = None;
        support::wait_until(PATIENCE, "the journal has it", || {
            let of = |member: &str| {
                let up = journalled(&folder, member, |entry| {
                    matches!(entry, Entry::Event(tandem::negotiation::event::Event::PeerUp { .. }))
                })?;
                let gave_way = journalled(
                    &folder,
                    member,
                    |entry| matches!(entry, Entry::Decision(decision) if matches!(decision.rule, Rule::YieldedTo { .. })),
                )?;
                (gave_way >= up).then(|| (gave_way - up) as f64)
            };
            measured = of("alpha").or(of("beta"));
            measured.is_some()
        });
        values.push(measured.expect("waited for"));
    }
    print("link up again with two Primaries -> one", "ms", values);
}

fn reconnect() {
    let mut values = Vec::new();
    let (mut pair, mut relay) = relayed();
    relay.open();
    pair.start_all();
    pair.settle();
    for run in 0..20u64 {
        relay.cut();
        std::thread::sleep(Duration::from_millis(500 + run * 53 % 400));
        let mut watch = pair.watch(1);
        let from = Instant::now();
        relay.open();
        let up = |status: &Status| status.links.iter().any(|link| link.state == tandem::control::status::LinkState::Up);
        let (_, at) = watch.until(PATIENCE, "the link is up", up);
        values.push(ms(at - from));
    }
    print("network back -> link up", "ms", values);
}

fn idle() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    let primary = pair.settle();
    std::thread::sleep(Duration::from_secs(2));
    let mut pid = |member: usize| pair.running(member).pid();
    measured::print_idle_minute(&[
        ("idle headless controller, Primary", pid(primary)),
        ("idle headless controller, Secondary", pid(1 - primary)),
    ]);
}

fn status() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    pair.settle();
    let socket = pair.socket(0).display().to_string();
    let run = || {
        let from = Instant::now();
        let output = support::output(&["status", "--json", "--socket", &socket]);
        assert!(output.status.success(), "{}", support::stderr(&output));
        ms(from.elapsed())
    };
    run();
    print("status --json, whole process", "ms", (0..RUNS).map(|_| run()).collect());
}

fn size() {
    let bytes = std::fs::metadata(support::binary()).expect("the binary").len();
    println!("{:<58} {:.1} MB", "binary, stripped", bytes as f64 / 1e6);
}

/// False takeovers with short times while both cores are kept busy. Read from the journals: a takeover for silence is
/// excused when the loop of the silent one had a gap of rule 13's bound (it journals its own stall), else it is false. A
/// Primary that stalls steps down by itself and asks again; that is counted beside.
fn load(seconds: u64) {
    let mut pair = Group::new(2, FAST);
    pair.start_all();
    pair.settle();
    let began =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let steal = || {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        text.split_whitespace().nth(8).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    let stolen = steal();
    let mut busy: Vec<_> =
        (0..8).map(|_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("a shell")).collect();
    std::thread::sleep(Duration::from_secs(seconds));
    for one in &mut busy {
        drop(one.kill());
        drop(one.wait());
    }
    let gaps = [0, 1].map(|member| pair.status(member).loop_gaps);
    let journals = ["alpha", "beta"].map(|member| {
        let reader = tandem::journal::read(&pair.folder().join(format!("state-{member}"))).expect("a journal");
        reader.filter(|record| record.unix_ms >= began).collect::<Vec<_>>()
    });
    let (mut unexcused, mut excused, mut own) = (0, 0, 0);
    for (member, records) in journals.iter().enumerate() {
        for record in records {
            let Entry::Decision(decision) = &record.entry else { continue };
            match decision.rule {
                Rule::PeerSilent { .. } => {
                    let stalled = |other: &&tandem::journal::Record| {
                        matches!(other.entry, Entry::Event(tandem::negotiation::event::Event::Stalled { .. }))
                            && other.unix_ms.abs_diff(record.unix_ms) < 500
                    };
                    if journals[1 - member].iter().any(|other| stalled(&other)) { excused += 1 } else { unexcused += 1 }
                }
                Rule::Stalled { .. } => own += 1,
                _ => {}
            }
        }
    }
    println!(
        "8 busy loops for {seconds} s: {unexcused} false takeovers; beside them {excused} from a peer whose own loop stood \
         still for 25 ms and more, {own} Primaries that noticed it and asked again; gaps of 25 ms and more: {} and {}, \
         the longest {:.0} and {:.0} ms; stolen from the machine {} ms",
        gaps[0].over_25ms,
        gaps[1].over_25ms,
        gaps[0].worst_us as f64 / 1000.0,
        gaps[1].worst_us as f64 / 1000.0,
        (steal() - stolen) * 10
    );
}

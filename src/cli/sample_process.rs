//! `tandem sample-process` (hidden): a process to supervise, for the demo, the tests and for trying things by hand. It
//! speaks every kind of heartbeat, records when it acts, and misbehaves on request.
//!
//! Misbehaviour is asked for in a file (`--control FILE`), read again when it changes; one word a line:
//!
//! | line | what it does from then on |
//! |---|---|
//! | `slow 300ms` | answers each heartbeat that much later |
//! | `leak 8MiB` | takes and uses that much more memory each second, up to [`MOST`] |
//! | `end 3` | ends with this exit status |
//!
//! An empty file makes it well again, and it gives back what it leaked.

use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use nix::sys::signal::{SigSet, Signal};

use crate::config::{duration, size};
use crate::process::BootTime;

use super::exit::Exit;

/// How often it looks whether it is told something.
const LOOK: Duration = Duration::from_millis(10);

/// What it leaks at most, bytes: enough for any test, and no machine is brought down by it.
pub const MOST: usize = 512 << 20;

/// What it does.
#[derive(Debug, Args)]
pub struct SampleProcessArgs {
    /// Says READY=1 and WATCHDOG=1 to $NOTIFY_SOCKET, at half of $WATCHDOG_USEC
    #[arg(long)]
    pub notify: bool,
    /// Writes each line of its standard input back
    #[arg(long)]
    pub line: bool,
    /// Accepts TCP connections there
    #[arg(long, value_name = "ADDRESS")]
    pub tcp: Option<SocketAddr>,
    /// Answers HTTP there
    #[arg(long, value_name = "ADDRESS")]
    pub http: Option<SocketAddr>,
    /// Appends "NODE TERM BOOTTIME_NS" to this file, each --every
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// How often it records
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = parse_duration)]
    pub every: Duration,
    /// Does what this file says
    #[arg(long, value_name = "FILE")]
    pub control: Option<PathBuf>,
    /// Does not end on SIGTERM
    #[arg(long)]
    pub ignore_term: bool,
    /// Starts another that records too, in a session of its own, without this environment
    #[arg(long)]
    pub daemon: bool,
    /// Is ready only after this long
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub start: Duration,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.to_string())
}

/// How it misbehaves now.
#[derive(Debug, Default)]
struct Mood {
    slow_ms: AtomicU64,
    leak_bytes: AtomicU64,
}

/// Runs until it is told to end.
pub fn run(args: &SampleProcessArgs) -> anyhow::Result<Exit> {
    if args.ignore_term {
        let mut term = SigSet::empty();
        term.add(Signal::SIGTERM);
        term.thread_block().context("SIGTERM cannot be blocked")?;
    }
    if args.daemon {
        daemon(args)?;
    }
    std::thread::sleep(args.start);
    let mood = Arc::new(Mood::default());
    let mut control = args.control.as_deref().map(Control::new);
    // Who is to end at once must not answer first.
    obey(control.as_mut(), &mood);
    if let Some(address) = args.tcp {
        serve(address, &mood, |_| Ok(()))?;
    }
    if let Some(address) = args.http {
        serve(address, &mood, answer_http)?;
    }
    if args.line {
        let mood = Arc::clone(&mood);
        std::thread::Builder::new().name("line".to_owned()).spawn(move || answer_lines(&mood))?;
    }
    let every = args.record.as_ref().map_or(LOOK, |_| args.every);
    let mut record = args.record.as_deref().map(Record::open).transpose()?;
    let mut beats = args.notify.then(Beats::begin);
    let mut leaked: Vec<Vec<u8>> = Vec::new();
    let mut last = Instant::now();
    loop {
        if let Some(record) = &mut record {
            record.write()?;
        }
        if let Some(beats) = &mut beats {
            beats.beat(&mood);
        }
        obey(control.as_mut(), &mood);
        let rate = mood.leak_bytes.load(Ordering::Relaxed) as f64;
        let bytes = rate * last.elapsed().as_secs_f64();
        if rate == 0.0 {
            leaked.clear();
        } else if bytes >= 4096.0 && leaked.iter().map(Vec::len).sum::<usize>() < MOST {
            // Touched, so that it is really used.
            leaked.push(vec![1; bytes as usize]);
        }
        if bytes >= 4096.0 || rate == 0.0 {
            last = Instant::now();
        }
        std::thread::sleep(every);
    }
}

/// Does what the control file says; ends, if it says so.
fn obey(control: Option<&mut Control>, mood: &Mood) {
    if let Some(status) = control.and_then(|control| control.look(mood)) {
        std::process::exit(status);
    }
}

/// Another of its kind, which has left as far as a process can: its parent has ended, its session and its environment are
/// its own.
fn daemon(args: &SampleProcessArgs) -> anyhow::Result<()> {
    let Some(record) = &args.record else { return Ok(()) };
    let node = std::env::var("TANDEM_NODE").unwrap_or_default();
    let term = std::env::var("TANDEM_TERM").unwrap_or_default();
    let program = std::env::current_exe().context("its own program")?;
    let started = Command::new("setsid")
        .arg("--fork")
        .args(["env", "-i"])
        .arg(format!("TANDEM_NODE={node}"))
        .arg(format!("TANDEM_TERM={term}"))
        .arg(program)
        .arg("sample-process")
        .arg("--record")
        .arg(record)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("setsid")?;
    anyhow::ensure!(started.success(), "setsid ended with {started}");
    Ok(())
}

/// Accepts and answers on a thread, one after the other.
fn serve(
    address: SocketAddr,
    mood: &Arc<Mood>,
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    let mood = Arc::clone(mood);
    std::thread::Builder::new().name("serve".to_owned()).spawn(move || {
        for mut stream in listener.incoming().flatten() {
            mood.wait();
            // Who asked may have gone.
            let _ = answer(&mut stream);
        }
    })?;
    Ok(())
}

fn answer_http(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut request = [0; 1024];
    let _ = stream.read(&mut request)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
}

fn answer_lines(mood: &Mood) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        mood.wait();
        crate::tell!("{line}");
    }
}

impl Mood {
    fn wait(&self) {
        std::thread::sleep(Duration::from_millis(self.slow_ms.load(Ordering::Relaxed)));
    }
}

/// The notify heartbeat.
struct Beats {
    next: Instant,
    period: Duration,
}

impl Beats {
    fn begin() -> Beats {
        let usec = std::env::var("WATCHDOG_USEC").ok().and_then(|usec| usec.parse().ok());
        let period = usec.map_or(Duration::from_secs(1), |usec| Duration::from_micros(usec) / 2);
        tell(&[sd_notify::NotifyState::Ready]);
        Beats { next: Instant::now(), period }
    }

    fn beat(&mut self, mood: &Mood) {
        let now = Instant::now();
        if now >= self.next {
            tell(&[sd_notify::NotifyState::Watchdog]);
            self.next = now + self.period + Duration::from_millis(mood.slow_ms.load(Ordering::Relaxed));
        }
    }
}

fn tell(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        crate::complain!("the supervisor cannot be told: {error}");
    }
}

/// The record of when it acted: a line that is written whole, or not at all.
struct Record {
    file: File,
    who: String,
}

impl Record {
    fn open(path: &Path) -> anyhow::Result<Record> {
        let file = File::options().create(true).append(true).open(path).with_context(|| path.display().to_string())?;
        let variable = |name| std::env::var(name).unwrap_or_else(|_| "-".to_owned());
        Ok(Record { file, who: format!("{} {}", variable("TANDEM_NODE"), variable("TANDEM_TERM")) })
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let line = format!("{} {}\n", self.who, BootTime::now().nanoseconds());
        self.file.write_all(line.as_bytes()).context("the record")
    }
}

/// The file that says how to misbehave.
struct Control {
    path: PathBuf,
    text: String,
    next: Instant,
}

impl Control {
    fn new(path: &Path) -> Control {
        Control { path: path.to_owned(), text: String::new(), next: Instant::now() }
    }

    /// Does what it says; the exit status, if it says to end.
    fn look(&mut self, mood: &Mood) -> Option<i32> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        if text == self.text {
            return None;
        }
        self.text = text;
        let (mut slow, mut leak) = (0, 0);
        for line in self.text.lines() {
            match line.split_once(' ') {
                Some(("slow", time)) => slow = duration::parse(time).map_or(0, |time| time.as_millis() as u64),
                Some(("leak", bytes)) => leak = size::parse(bytes).unwrap_or(0),
                Some(("end", status)) => return status.parse().ok(),
                Some(_) | None => crate::complain!("not understood: {line}"),
            }
        }
        mood.slow_ms.store(slow, Ordering::Relaxed);
        mood.leak_bytes.store(leak, Ordering::Relaxed);
        None
    }
}

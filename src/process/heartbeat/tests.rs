//! Hearts with something real at the other end: a pipe, a socket, a listener.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Command, Stdio};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const PERIOD: Duration = Duration::from_millis(50);

fn config(kind: HeartbeatKind) -> HeartbeatConfig {
    HeartbeatConfig { kind, period: PERIOD }
}

fn start(reports: mpsc::Sender<Report>, stdin: Option<OwnedFd>) -> Start {
    Start {
        place: 3,
        life: 7,
        pid: std::process::id(),
        start_timeout: PATIENCE,
        stdin,
        environment: Arc::from([]),
        reports,
    }
}

/// The next report for which `wanted` finds something.
async fn until<T>(reports: &mut mpsc::Receiver<Report>, wanted: impl Fn(&News) -> Option<T>) -> T {
    let waiting = async {
        loop {
            let report = reports.recv().await.expect("the heart beats");
            assert_eq!((report.place, report.life), (3, 7));
            if let Some(found) = wanted(&report.news) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is reported in time")
}

fn ready(news: &News) -> Option<()> {
    (*news == News::Ready).then_some(())
}

fn took(news: &News) -> Option<Duration> {
    match news {
        News::Pulse(Pulse::Answers { took, .. }) => Some(*took),
        News::Pulse(Pulse::Waiting { .. }) | News::Ready | News::Status(_) | News::Failed(_) => None,
    }
}

/// Five periods of silence or more.
fn silent(news: &News) -> Option<()> {
    match news {
        News::Pulse(Pulse::Waiting { waited, period }) => (*waited >= *period * 5).then_some(()),
        News::Pulse(Pulse::Answers { .. }) | News::Ready | News::Status(_) | News::Failed(_) => None,
    }
}

/// A child that goes with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn p3_a_program_that_writes_back_what_it_reads_answers_the_line_heartbeat() {
    let mut program =
        Program(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat starts"));
    let stdin = program.0.stdin.take().unwrap().into();
    let mut lines = BufReader::new(program.0.stdout.take().unwrap());
    let (reports, mut heard) = mpsc::channel(64);
    let prepared = prepare(&config(HeartbeatKind::Line), None).unwrap();
    assert!(prepared.asks_on_stdin() && prepared.environment().is_empty());
    let heart = Heart::start(prepared, start(reports, Some(stdin))).unwrap();
    assert!(!heart.line("an ordinary line of output"));
    // What the process writes comes from elsewhere: here a thread reads it.
    let (read, mut written) = mpsc::channel(8);
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
            if read.blocking_send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    let answered = async {
        while let Some(line) = written.recv().await {
            assert!(heart.line(&line), "{line}");
        }
    };
    let heard = async {
        until(&mut heard, ready).await;
        assert!(until(&mut heard, took).await < PERIOD * 5);
        // Frozen it is silent, and named so after five periods.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(program.0.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
        until(&mut heard, silent).await;
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
        until(&mut heard, took).await;
    };
    tokio::select! {
        () = answered => panic!("cat ended"),
        () = heard => {}
    }
    drop(program);
    heart.end().await;
    drop(written);
    reader.join().unwrap();
}

#[tokio::test]
async fn p3_notify_is_ready_when_it_says_so_and_silent_when_it_stops_beating() {
    let (reports, mut heard) = mpsc::channel(64);
    let prepared = prepare(&config(HeartbeatKind::Notify), None).unwrap();
    let environment = prepared.environment();
    assert_eq!(environment[1], ("WATCHDOG_USEC".to_owned(), "50000".to_owned()));
    let name = environment[0].1.strip_prefix('@').expect("an abstract name").to_owned();
    let program = UnixDatagram::unbound().unwrap();
    program.connect_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    // Said before anybody asks: it waits in the socket.
    program.send(b"STATUS=loading\nREADY=1").unwrap();
    let heart = Heart::start(prepared, start(reports, None)).unwrap();
    let status = until(&mut heard, |news| match news {
        News::Status(status) => Some(status.clone()),
        News::Ready | News::Pulse(_) | News::Failed(_) => None,
    });
    assert_eq!(status.await, "loading");
    until(&mut heard, ready).await;
    program.send(b"WATCHDOG=1").unwrap();
    until(&mut heard, took).await;
    until(&mut heard, silent).await;
    program.send(b"WATCHDOG=1").unwrap();
    assert!(until(&mut heard, took).await >= PERIOD * 5);
    program.send(b"WATCHDOG=trigger").unwrap();
    until(&mut heard, silent).await;
    heart.end().await;
    assert!(program.send(b"WATCHDOG=1").is_err(), "its socket goes with the heart");
}

#[tokio::test]
async fn p3_a_flood_of_notifications_is_slowed_down() {
    let (reports, mut heard) = mpsc::channel(4096);
    let prepared = prepare(&config(HeartbeatKind::Notify), None).unwrap();
    let name = prepared.environment()[0].1.strip_prefix('@').unwrap().to_owned();
    let program = UnixDatagram::unbound().unwrap();
    program.connect_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    let heart = Heart::start(prepared, start(reports, None)).unwrap();
    program.send(b"READY=1").unwrap();
    until(&mut heard, ready).await;
    let began = Instant::now();
    let flood = std::thread::spawn(move || {
        for _ in 0..400 {
            program.send(b"WATCHDOG=1").unwrap();
        }
        began.elapsed()
    });
    for _ in 0..400 {
        until(&mut heard, took).await;
    }
    flood.join().unwrap();
    assert!(began.elapsed() >= FLOOD_PAUSE * 10, "{:?}", began.elapsed());
    heart.end().await;
}

#[tokio::test]
async fn p3_a_probe_is_ready_at_its_first_good_answer_and_says_why_one_was_bad() {
    let target = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (reports, mut heard) = mpsc::channel(64);
    let probe = HeartbeatKind::Probe(Probe::Tcp { target: target.to_string() });
    let heart = Heart::start(prepare(&config(probe), None).unwrap(), start(reports, None)).unwrap();
    let failed = |news: &News| match news {
        News::Failed(why) => Some(why.clone()),
        News::Ready | News::Pulse(_) | News::Status(_) => None,
    };
    assert_eq!(until(&mut heard, failed).await, "connection refused");
    let listener = TcpListener::bind(target).unwrap();
    until(&mut heard, ready).await;
    until(&mut heard, took).await;
    drop(listener);
    assert_eq!(until(&mut heard, failed).await, "connection refused");
    until(&mut heard, silent).await;
    heart.end().await;
}

#[tokio::test]
async fn p3_a_heart_that_was_not_prepared_for_is_refused() {
    let (reports, _heard) = mpsc::channel(1);
    let prepared = prepare(&config(HeartbeatKind::Line), None).unwrap();
    assert!(Heart::start(prepared, start(reports, None)).is_err());
}

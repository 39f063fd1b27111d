//! Hearts with something real at the other end: a pipe, a socket, a listener.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const PERIOD: Duration = Duration::from_millis(50);

fn config(kind: HeartbeatKind) -> HeartbeatConfig {
    HeartbeatConfig { kind, period: PERIOD }
}

fn start(reports: mpsc::Sender<Report>, beat: &Beat) -> Start {
    Start {
        launch: LaunchId(7),
        place: 3,
        pid: std::process::id(),
        start_timeout: PATIENCE,
        environment: Arc::from([]),
        beat: beat.clone(),
        reports,
    }
}

/// Waits until `wanted` finds something in what is known.
async fn until<T>(beat: &Beat, wanted: impl Fn(&Known) -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        let known = beat.known();
        if let Some(found) = wanted(&known) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "still {known:?}");
        // Only paces the asking.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn ready(reports: &mut mpsc::Receiver<Report>) {
    let report = tokio::time::timeout(PATIENCE, reports.recv()).await.expect("it is ready in time");
    assert_eq!(report, Some(Report { launch: LaunchId(7), news: News::Ready }));
}

fn took(known: &Known) -> Option<Duration> {
    match known.pulse? {
        Pulse::Answers { took, .. } => Some(took),
        Pulse::Waiting { .. } => None,
    }
}

/// Five periods of silence or more.
fn silent(known: &Known) -> Option<()> {
    match known.pulse? {
        Pulse::Waiting { waited, period } => (waited >= period * 5).then_some(()),
        Pulse::Answers { .. } => None,
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
    let (prepared, stdin) = prepare(&config(HeartbeatKind::Line)).unwrap();
    let mut filter = prepared.filter().expect("a line heartbeat looks at lines");
    assert!(prepared.environment().is_empty());
    let stdin = Stdio::from(stdin.expect("it asks on standard input"));
    let mut program = Program(Command::new("cat").stdin(stdin).stdout(Stdio::piped()).spawn().expect("cat starts"));
    let lines = BufReader::new(program.0.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        assert!(!filter("an ordinary line of output"));
        for line in lines.lines() {
            assert!(filter(&line.unwrap()));
        }
    });
    let beat = Beat::default();
    let (reports, mut told) = mpsc::channel(64);
    let heart = Heart::start(prepared, start(reports, &beat)).unwrap();
    ready(&mut told).await;
    // A busy machine may be late with the first.
    until(&beat, |known| took(known).filter(|took| *took < PERIOD * 5)).await;
    // Frozen it is silent, and named so after five periods.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(program.0.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    until(&beat, silent).await;
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    until(&beat, took).await;
    drop(program);
    drop(heart);
    reader.join().unwrap();
}

/// A program that speaks the notify protocol to what is prepared.
fn speaker(prepared: &Prepared) -> UnixDatagram {
    let environment = prepared.environment();
    assert_eq!(environment[1], ("WATCHDOG_USEC".to_owned(), "50000".to_owned()));
    let (variable, name) = &environment[0];
    assert_eq!(variable, "NOTIFY_SOCKET");
    let program = UnixDatagram::unbound().unwrap();
    program.connect(name).unwrap();
    program
}

#[tokio::test]
async fn p3_notify_is_ready_when_it_says_so_and_silent_when_it_stops_beating() {
    let (prepared, stdin) = prepare(&config(HeartbeatKind::Notify)).unwrap();
    assert!(stdin.is_none() && prepared.filter().is_none());
    let program = speaker(&prepared);
    // Said before anybody listens: it waits in the socket.
    program.send(b"STATUS=loading\nREADY=1").unwrap();
    let beat = Beat::default();
    let (reports, mut told) = mpsc::channel(64);
    let heart = Heart::start(prepared, start(reports, &beat)).unwrap();
    ready(&mut told).await;
    assert_eq!(beat.known().status.as_deref(), Some("loading"));
    program.send(b"WATCHDOG=1").unwrap();
    until(&beat, took).await;
    until(&beat, silent).await;
    program.send(b"WATCHDOG=1").unwrap();
    assert!(until(&beat, took).await >= PERIOD * 5);
    program.send(b"WATCHDOG=trigger").unwrap();
    until(&beat, silent).await;
    drop(heart);
    let began = Instant::now();
    while program.send(b"WATCHDOG=1").is_ok() {
        assert!(began.elapsed() < PATIENCE, "its socket goes with the heart");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn p3_a_flood_of_notifications_is_slowed_down() {
    let (prepared, _) = prepare(&config(HeartbeatKind::Notify)).unwrap();
    let program = speaker(&prepared);
    let beat = Beat::default();
    let (reports, mut told) = mpsc::channel(64);
    let heart = Heart::start(prepared, start(reports, &beat)).unwrap();
    let began = Instant::now();
    let flood = std::thread::spawn(move || {
        for _ in 0..400 {
            program.send(b"WATCHDOG=1").unwrap();
        }
        program.send(b"READY=1").unwrap();
    });
    ready(&mut told).await;
    assert!(began.elapsed() >= FLOOD_PAUSE * 10, "{:?}", began.elapsed());
    flood.join().unwrap();
    drop(heart);
}

#[tokio::test]
async fn p3_a_probe_is_ready_at_its_first_good_answer_and_says_why_one_was_bad() {
    // An address that nobody else here listens on or calls from.
    let [.., high, low] = std::process::id().to_be_bytes();
    let target = std::net::SocketAddr::from(([127, 1, high, low], 7398));
    let probe = HeartbeatKind::Probe(Probe::Tcp { target: target.to_string() });
    let (prepared, _) = prepare(&config(probe)).unwrap();
    let beat = Beat::default();
    let (reports, mut told) = mpsc::channel(64);
    let heart = Heart::start(prepared, start(reports, &beat)).unwrap();
    let failed = |known: &Known| known.failed.clone();
    assert_eq!(until(&beat, failed).await, "connection refused");
    let listener = TcpListener::bind(target).unwrap();
    ready(&mut told).await;
    until(&beat, took).await;
    assert_eq!(beat.known().failed, None);
    drop(listener);
    assert_eq!(until(&beat, failed).await, "connection refused");
    until(&beat, silent).await;
    let silent = tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
    let restart = |news| match news {
        News::Silent { silent_for } => silent_for,
        News::Ready => Duration::ZERO,
    };
    assert!(restart(silent.news) >= Duration::from_secs(5), "{silent:?}");
    drop(heart);
}

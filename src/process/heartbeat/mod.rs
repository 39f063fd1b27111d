//! Heartbeats: how a required process is asked whether it lives, whichever way it speaks (P3).
//!
//! [`prepare`] comes before the start: it says what the process finds in its environment. [`Heart::start`] comes after it:
//! a task that asks until [`Heart::end`], and reports when the process is ready, how long its answers take, and how long
//! it has been silent. When to ask and what counts is decided in [`rhythm`], without a clock; each way to ask has a file of
//! its own, of which [`probe`] and what is behind it serve health checks too. What a response time is worth is decided in
//! `health`.

pub mod line;
pub mod probe;

mod command;
mod http;
mod notify;
mod rhythm;
mod tcp;

use std::future::{Future, pending};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::required::{HeartbeatConfig, HeartbeatKind, Probe};

use rhythm::{Rhythm, Step, Way};

/// Answers in lines that may wait for the task: a process that answers more often than it is asked loses the rest.
const WAITING_LINES: usize = 8;

/// Datagrams that are read of one process within [`FLOOD_PAUSE`]; who sends more waits.
const DATAGRAMS_A_TURN: u32 = 32;

/// See [`DATAGRAMS_A_TURN`].
const FLOOD_PAUSE: Duration = Duration::from_millis(20);

/// Successive processes are this share of a period apart: the golden section spreads any number of them evenly.
const SPREAD: f64 = 0.618_033_988_749_895;

/// What a running process's heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pulse {
    /// It answered, or spoke by itself.
    Answers {
        /// From the question to the answer; of one that speaks by itself from beat to beat.
        took: Duration,
        /// Its period.
        period: Duration,
    },
    /// It has been silent for longer than a period, and for longer than its last response took.
    Waiting {
        /// Since the first question that it did not answer well, or since its last beat.
        waited: Duration,
        /// Its period.
        period: Duration,
    },
}

/// Something new about a process.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It is ready: `READY=1`, or its first good answer. Told once.
    Ready,
    /// Its pulse.
    Pulse(Pulse),
    /// What it says of itself (`STATUS=`).
    Status(String),
    /// Why its last answer was not good, in a few words; told when it changes.
    Failed(String),
}

/// What a [`Heart`] says, and of which life of which process.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The process's place in the configuration.
    pub place: usize,
    /// The start that this is about, as it was given to [`Heart::start`].
    pub life: u64,
    /// What is new.
    pub news: News,
}

/// What a process needs before it is started.
#[derive(Debug)]
pub struct Prepared {
    config: HeartbeatConfig,
    socket: Option<notify::Socket>,
}

/// Prepares the heartbeat of a process that is about to start as `user`, a user id; none: the controller's own.
///
/// # Errors
/// Its socket cannot be made.
pub fn prepare(config: &HeartbeatConfig, user: Option<u32>) -> io::Result<Prepared> {
    let socket = match &config.kind {
        HeartbeatKind::Notify => Some(notify::Socket::bind(user)?),
        HeartbeatKind::Line | HeartbeatKind::Probe(_) => None,
    };
    Ok(Prepared { config: config.clone(), socket })
}

impl Prepared {
    /// What is added to the process's environment: `NOTIFY_SOCKET` and `WATCHDOG_USEC` for notify, else nothing.
    pub fn environment(&self) -> Vec<(String, String)> {
        match &self.socket {
            Some(socket) => vec![
                ("NOTIFY_SOCKET".to_owned(), socket.name().to_owned()),
                ("WATCHDOG_USEC".to_owned(), self.config.period.as_micros().to_string()),
            ],
            None => Vec::new(),
        }
    }

    /// Whether it asks on the process's standard input, whose writing end [`Start::stdin`] then is.
    pub fn asks_on_stdin(&self) -> bool {
        match self.config.kind {
            HeartbeatKind::Line => true,
            HeartbeatKind::Notify | HeartbeatKind::Probe(_) => false,
        }
    }
}

/// What is known once the process runs.
#[derive(Debug)]
pub struct Start {
    /// The process's place in the configuration.
    pub place: usize,
    /// This start's number, for [`Report::life`].
    pub life: u64,
    /// Its process id.
    pub pid: u32,
    /// Neutral for so long, or until it is ready (H3).
    pub start_timeout: Duration,
    /// The writing end of its standard input, for a line heartbeat.
    pub stdin: Option<OwnedFd>,
    /// Added to the environment of a probe that is a command.
    pub environment: Arc<[(String, String)]>,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
}

/// The heartbeat of one running process.
#[derive(Debug)]
pub struct Heart {
    lines: mpsc::Sender<u64>,
    is_line: bool,
    task: JoinHandle<()>,
}

impl Heart {
    /// Begins to ask.
    ///
    /// # Errors
    /// The standard input of a process with a line heartbeat is missing, or cannot be used.
    pub fn start(prepared: Prepared, start: Start) -> io::Result<Heart> {
        let Prepared { config, socket } = prepared;
        let (lines, answers) = mpsc::channel(WAITING_LINES);
        let way = match config.kind {
            HeartbeatKind::Notify => Way::Speaks,
            HeartbeatKind::Line | HeartbeatKind::Probe(_) => Way::Asked,
        };
        let asking = match (config.kind, socket, start.stdin) {
            (HeartbeatKind::Notify, Some(mut socket), _) => {
                socket.belongs_to(start.pid);
                Asking::Notify { socket, read: 0, since: Instant::now() }
            }
            (HeartbeatKind::Line, _, Some(stdin)) => Asking::Line { questions: line::Questions::new(stdin)?, answers },
            (HeartbeatKind::Probe(probe), _, _) => {
                Asking::Probe { probe: Arc::new(probe), environment: start.environment, question: None }
            }
            (HeartbeatKind::Notify, None, _) | (HeartbeatKind::Line, _, None) => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "its heartbeat was not prepared"));
            }
        };
        let is_line = matches!(asking, Asking::Line { .. });
        let share = (start.place as f64 * SPREAD).fract();
        let rhythm = Rhythm::new(way, config.period, start.start_timeout, share, Instant::now());
        let teller = Teller { place: start.place, life: start.life, reports: start.reports, failed: None };
        Ok(Heart { lines, is_line, task: tokio::spawn(beat(asking, rhythm, teller)) })
    }

    /// Looks at a line that the process wrote to its standard output: true when it answers a heartbeat, and so is no
    /// output.
    pub fn line(&self, line: &str) -> bool {
        let Some(number) = line::answer(line).filter(|_| self.is_line) else { return false };
        // A process that answers what it was not asked may lose answers.
        let _ = self.lines.try_send(number);
        true
    }

    /// Stops asking. A question that is open is ended, and nothing of it is left behind.
    pub async fn end(mut self) {
        self.task.abort();
        // Aborted, or ended before: both are the end.
        drop((&mut self.task).await);
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Question = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// How a process is heard.
enum Asking {
    /// `read` datagrams were read since `since`.
    Notify {
        socket: notify::Socket,
        read: u32,
        since: Instant,
    },
    Line {
        questions: line::Questions,
        answers: mpsc::Receiver<u64>,
    },
    Probe {
        probe: Arc<Probe>,
        environment: Arc<[(String, String)]>,
        question: Option<Question>,
    },
}

/// What was heard.
enum Heard {
    Good,
    Bad(String),
    Said(Vec<notify::Said>),
    /// Nothing that counts.
    Nothing,
}

impl Asking {
    fn ask(&mut self) {
        match self {
            Asking::Notify { .. } => {}
            Asking::Line { questions, .. } => questions.ask(),
            Asking::Probe { probe, environment, question } => {
                let (probe, environment) = (probe.clone(), environment.clone());
                *question = Some(Box::pin(async move { probe::ask(&probe, &environment).await }));
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        match self {
            Asking::Notify { socket, read, since } => {
                if *read >= DATAGRAMS_A_TURN {
                    tokio::time::sleep_until((*since + FLOOD_PAUSE).into()).await;
                }
                if since.elapsed() >= FLOOD_PAUSE {
                    (*read, *since) = (0, Instant::now());
                }
                *read += 1;
                match socket.receive().await {
                    Ok(said) => Heard::Said(said),
                    Err(error) => Heard::Bad(format!("its notify socket: {error}")),
                }
            }
            Asking::Line { questions, answers } => match answers.recv().await {
                Some(number) if questions.was_asked(number) => Heard::Good,
                Some(_) => Heard::Nothing,
                // The handle is gone, and this task with it.
                None => pending().await,
            },
            Asking::Probe { question: open, .. } => match open {
                Some(question) => {
                    let answer = question.await;
                    *open = None;
                    match answer {
                        Ok(()) => Heard::Good,
                        Err(why) => Heard::Bad(why),
                    }
                }
                None => pending().await,
            },
        }
    }
}

/// Asks, listens and tells, until it is aborted or nobody listens any more.
async fn beat(mut asking: Asking, mut rhythm: Rhythm, mut teller: Teller) {
    loop {
        let heard = tokio::select! {
            biased;
            heard = asking.hear() => Some(heard),
            () = tokio::time::sleep_until(rhythm.next().into()) => None,
        };
        let now = Instant::now();
        rhythm.excuse(now);
        let told = match heard {
            None => {
                let step = rhythm.tick(now);
                if step.ask {
                    asking.ask();
                }
                teller.tell(step).await
            }
            Some(Heard::Good) => teller.well(rhythm.answered(now)).await,
            Some(Heard::Bad(why)) => {
                let step = rhythm.failed(now);
                match teller.failed(why).await {
                    Ok(()) => teller.tell(step).await,
                    gone @ Err(Gone) => gone,
                }
            }
            Some(Heard::Said(said)) => hear_notify(said, &mut rhythm, &mut teller, now).await,
            Some(Heard::Nothing) => Ok(()),
        };
        if told == Err(Gone) {
            return;
        }
    }
}

async fn hear_notify(
    said: Vec<notify::Said>,
    rhythm: &mut Rhythm,
    teller: &mut Teller,
    now: Instant,
) -> Result<(), Gone> {
    for said in said {
        let step = match said {
            notify::Said::Ready => rhythm.says_ready(now),
            notify::Said::Alive => rhythm.answered(now),
            notify::Said::Stuck => rhythm.says_stuck(now),
            notify::Said::Period(period) => {
                rhythm.set_period(period);
                continue;
            }
            notify::Said::Status(status) => {
                teller.send(News::Status(status)).await?;
                continue;
            }
        };
        teller.tell(step).await?;
    }
    Ok(())
}

/// Nobody wants to hear more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gone;

/// Sends reports.
struct Teller {
    place: usize,
    life: u64,
    reports: mpsc::Sender<Report>,
    /// The last bad answer, since a good one.
    failed: Option<String>,
}

impl Teller {
    async fn tell(&mut self, step: Step) -> Result<(), Gone> {
        if step.ready {
            self.send(News::Ready).await?;
        }
        match step.pulse {
            Some(pulse) => self.send(News::Pulse(pulse)).await,
            None => Ok(()),
        }
    }

    async fn well(&mut self, step: Step) -> Result<(), Gone> {
        self.failed = None;
        self.tell(step).await
    }

    async fn failed(&mut self, why: String) -> Result<(), Gone> {
        if self.failed.as_ref() == Some(&why) {
            return Ok(());
        }
        self.failed = Some(why.clone());
        self.send(News::Failed(why)).await
    }

    async fn send(&mut self, news: News) -> Result<(), Gone> {
        let report = Report { place: self.place, life: self.life, news };
        self.reports.send(report).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests;

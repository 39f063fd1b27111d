//! Heartbeats: how a required process is asked whether it lives, whichever way it speaks (P3).
//!
//! [`prepare`] comes before the start: it says what the process finds in its environment. [`Heart::start`] comes after it:
//! a task that asks until the heart is dropped. It keeps the process's [`Beat`] up to date, which snapshots carry, and
//! reports what the supervision has to act on: that the process is ready, or has been silent for so long that it is
//! started again. When to ask and what counts is decided in [`rhythm`], without a clock; each way to ask has a file of
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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::required::{HeartbeatConfig, HeartbeatKind, Probe};

use super::messages::LaunchId;
use super::output::LineFilter;

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

/// What is known of a process's heartbeat; nothing before it was judged for the first time. Cheap to clone; all clones
/// show the same. It is written without waking anybody, hundreds of times a second if need be.
#[derive(Debug, Clone, Default)]
pub struct Beat(Arc<Mutex<Known>>);

/// See [`Beat`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Its last answer, or its silence.
    pub pulse: Option<Pulse>,
    /// What it says of itself (`STATUS=`).
    pub status: Option<String>,
    /// Why its last answer was not good, in a few words; none since a good one.
    pub failed: Option<String>,
}

impl Beat {
    /// What is known now.
    pub fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its response time: of its last answer, or as long as it has been silent.
    pub fn response(&self) -> Option<Duration> {
        self.known().pulse.map(|pulse| match pulse {
            Pulse::Answers { took, .. } => took,
            Pulse::Waiting { waited, .. } => waited,
        })
    }

    fn note(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What the supervision has to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The start that it is about.
    pub launch: LaunchId,
    /// What is new.
    pub news: News,
}

/// Something new about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is ready: `READY=1`, or its first good answer. Told once.
    Ready,
    /// It has been silent for so long that it is to be started again.
    Silent {
        /// For how long.
        silent_for: Duration,
    },
}

/// What a process needs before it is started.
#[derive(Debug)]
pub struct Prepared {
    config: HeartbeatConfig,
    channel: Channel,
}

/// The way by which a process is heard, if it is not asked by a probe.
#[derive(Debug)]
enum Channel {
    Notify(notify::Socket),
    Line { stdin: OwnedFd, lines: mpsc::Sender<u64>, answers: mpsc::Receiver<u64> },
    None,
}

/// Prepares the heartbeat of a process that is about to start. The second value is its standard input, when the
/// heartbeat asks there.
///
/// # Errors
/// Its socket or pipe cannot be made.
pub fn prepare(config: &HeartbeatConfig) -> io::Result<(Prepared, Option<OwnedFd>)> {
    let (channel, stdin) = match &config.kind {
        HeartbeatKind::Notify => (Channel::Notify(notify::Socket::bind()?), None),
        HeartbeatKind::Line => {
            let (reader, writer) = io::pipe()?;
            let (lines, answers) = mpsc::channel(WAITING_LINES);
            (Channel::Line { stdin: writer.into(), lines, answers }, Some(reader.into()))
        }
        HeartbeatKind::Probe(_) => (Channel::None, None),
    };
    Ok((Prepared { config: config.clone(), channel }, stdin))
}

impl Prepared {
    /// What is added to the process's environment: `NOTIFY_SOCKET` and `WATCHDOG_USEC` for notify, else nothing.
    pub fn environment(&self) -> Vec<(String, String)> {
        match &self.channel {
            Channel::Notify(socket) => vec![
                ("NOTIFY_SOCKET".to_owned(), socket.path().display().to_string()),
                ("WATCHDOG_USEC".to_owned(), self.config.period.as_micros().to_string()),
            ],
            Channel::Line { .. } | Channel::None => Vec::new(),
        }
    }

    /// For a line heartbeat: looks at each line that the process writes; true when it answers a heartbeat, and so is no
    /// output.
    pub fn filter(&self) -> Option<LineFilter> {
        let Channel::Line { lines, .. } = &self.channel else { return None };
        let lines = lines.clone();
        Some(Box::new(move |line| {
            let Some(number) = line::answer(line) else { return false };
            // A process that answers what it was not asked may lose answers.
            let _ = lines.try_send(number);
            true
        }))
    }
}

/// What is known once the process runs.
#[derive(Debug)]
pub struct Start {
    /// Its start.
    pub launch: LaunchId,
    /// Its place among the processes, by which questions are spread.
    pub place: usize,
    /// Its process id.
    pub pid: u32,
    /// Neutral for so long, or until it is ready (H3).
    pub start_timeout: Duration,
    /// Added to the environment of a probe that is a command.
    pub environment: Arc<[(String, String)]>,
    /// Where its heartbeat is shown.
    pub beat: Beat,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
}

/// The heartbeat of one running process; it ends when this is dropped.
#[derive(Debug)]
pub struct Heart {
    task: JoinHandle<()>,
}

impl Heart {
    /// Begins to ask. To be called inside the runtime.
    ///
    /// # Errors
    /// The process's standard input cannot be used.
    pub fn start(prepared: Prepared, start: Start) -> io::Result<Heart> {
        let Prepared { config, channel } = prepared;
        let (way, asking) = match (channel, config.kind) {
            (Channel::Notify(mut socket), _) => {
                socket.belongs_to(start.pid);
                (Way::Speaks, Asking::Notify { socket, read: 0, since: Instant::now() })
            }
            (Channel::Line { stdin, lines: _, answers }, _) => {
                (Way::Asked, Asking::Line { questions: line::Questions::new(stdin)?, answers })
            }
            (Channel::None, HeartbeatKind::Probe(probe)) => {
                let probe = Arc::new(probe);
                (Way::Asked, Asking::Probe { probe, environment: start.environment, question: None })
            }
            (Channel::None, HeartbeatKind::Notify | HeartbeatKind::Line) => {
                return Err(io::Error::other("its heartbeat was not prepared"));
            }
        };
        let share = (start.place as f64 * SPREAD).fract();
        let rhythm = Rhythm::new(way, config.period, start.start_timeout, share, Instant::now());
        let teller = Teller { launch: start.launch, beat: start.beat, reports: start.reports };
        Ok(Heart { task: tokio::spawn(beat(asking, rhythm, teller)) })
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        // A question that is open ends with it, and leaves nothing behind.
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
    /// A good answer to an earlier question than the open one.
    GoodEarlier,
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
                Some(number) => match questions.answered_by(number) {
                    Some(line::Which::Last) => Heard::Good,
                    Some(line::Which::Earlier) => Heard::GoodEarlier,
                    None => Heard::Nothing,
                },
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

/// Asks, listens and tells, until it is aborted or nobody wants reports any more.
async fn beat(mut asking: Asking, mut rhythm: Rhythm, teller: Teller) {
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
            Some(Heard::Good) => {
                teller.beat.note(|known| known.failed = None);
                teller.tell(rhythm.answered(now)).await
            }
            Some(Heard::GoodEarlier) => {
                teller.beat.note(|known| known.failed = None);
                teller.tell(rhythm.answered_earlier(now)).await
            }
            Some(Heard::Bad(why)) => {
                teller.beat.note(|known| known.failed = Some(why));
                teller.tell(rhythm.failed(now)).await
            }
            Some(Heard::Said(said)) => hear_notify(said, &mut rhythm, &teller, now).await,
            Some(Heard::Nothing) => Ok(()),
        };
        if told == Err(Gone) {
            return;
        }
    }
}

async fn hear_notify(said: Vec<notify::Said>, rhythm: &mut Rhythm, teller: &Teller, now: Instant) -> Result<(), Gone> {
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
                teller.beat.note(|known| known.status = Some(status));
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

/// Shows the beat and sends reports.
struct Teller {
    launch: LaunchId,
    beat: Beat,
    reports: mpsc::Sender<Report>,
}

impl Teller {
    async fn tell(&self, step: Step) -> Result<(), Gone> {
        if let Some(pulse) = step.pulse {
            self.beat.note(|known| known.pulse = Some(pulse));
        }
        if step.ready {
            self.send(News::Ready).await?;
        }
        match step.restart {
            Some(silent_for) => self.send(News::Silent { silent_for }).await,
            None => Ok(()),
        }
    }

    async fn send(&self, news: News) -> Result<(), Gone> {
        self.reports.send(Report { launch: self.launch, news }).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests;

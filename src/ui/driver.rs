//! Runs the screen: reads keys and replies, moves the state, writes what changed.
//!
//! It has a small runtime of its own on the caller's thread and shares nothing with the engine but the two bounded
//! channels. One write per frame; the next frame is computed only when the last has left, so a slow line loses frames
//! and never gets behind.

mod leaving;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Zoned;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::control::carrier::Carrier;
use crate::control::request::{Reply, Request};
use crate::control::status::Status;

use super::faults::{FaultState, News};
use super::frame::{self, Extent};
use super::input::{Decoder, Input};
use super::keys::Fault;
use super::layout;
use super::line::{Charset, Look, Theme};
use super::options::{Connection, Left, ScreenOptions};
use super::pace::{Pace, Wish};
use super::replay::{Move, Place};
use super::stand_in::StandIn;
use super::state::{DriverWish, Effects, InFrame, MayAct, State};
use super::terminal::{Terminal, Title};

/// A screen that opens waits so long for its engine's first word, rather than drawing that nothing is known.
const FIRST_WORD: Duration = Duration::from_millis(50);
/// News seldom come alone: a takeover is several within a few milliseconds. They are drawn together.
const FLURRY: Duration = Duration::from_millis(5);

/// Who hears the signals that ask this process to stop or to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signals {
    /// The screen: it has the process to itself, as in `attach`.
    Mine,
    /// The engine, or whoever else is in the process.
    Others,
}

/// Shows the screen on the terminal of standard input until it ends. Blocks: call it on a thread of its own.
///
/// # Errors
/// When there is no usable terminal. A terminal lost later is [`Left::TerminalLost`].
pub fn run(carrier: Carrier, options: ScreenOptions) -> anyhow::Result<Left> {
    let signals = if StandIn::current().is_some() { Signals::Others } else { Signals::Mine };
    show(Terminal::open()?, carrier, options, signals)
}

/// The same on a terminal that the caller opened.
///
/// # Errors
/// As [`run`].
pub fn run_on(tty: OwnedFd, carrier: Carrier, options: ScreenOptions) -> anyhow::Result<Left> {
    show(Terminal::on(tty)?, carrier, options, Signals::Others)
}

fn show(terminal: Terminal, carrier: Carrier, options: ScreenOptions, signals: Signals) -> anyhow::Result<Left> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the screen's own runtime cannot be started")?;
    runtime.block_on(async {
        let mut driver = Driver::new(terminal, carrier, options)?;
        let left = driver.run(signals).await?;
        driver.end(left);
        Ok(left)
    })
}

/// What the terminal is used for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Showing {
    Screen,
    /// Plain text on the ordinary screen; any key goes back.
    Copy,
    /// Somebody else has the terminal.
    Suspended,
}

/// Whether anything has been drawn yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    Nothing,
    AFrame,
}

struct Driver {
    terminal: Terminal,
    fd: AsyncFd<OwnedFd>,
    requests: mpsc::Sender<Request>,
    replies: mpsc::Receiver<Reply>,
    orders: Option<mpsc::Sender<(Fault, usize)>>,
    news: Option<mpsc::Receiver<News>>,
    connection: Option<watch::Receiver<Connection>>,
    moves: Option<mpsc::Sender<Move>>,
    place: Option<watch::Receiver<Place>>,
    state: State,
    decoder: Decoder,
    started: Instant,
    showing: Showing,
    bell: bool,
    /// What the terminal shows, once `pending` has left.
    before: Buffer,
    everything: bool,
    dirty: bool,
    /// Who waits for the next frame.
    wish: Wish,
    /// When the first news came that no frame shows yet.
    news_at: Option<Duration>,
    drawn: Drawn,
    pace: Pace,
    /// What the terminal has yet to take: all of a frame and what goes with it, in one write.
    pending: Vec<u8>,
    written: usize,
    /// Whether a frame, or a part of what is pending, is on its way.
    in_flight: bool,
    /// What the pending frame shows of a dialog, where it shows it whole.
    pending_dialog: Option<InFrame>,
    stand_in: Option<StandIn>,
    /// The title that was set last.
    titled: String,
}

impl Driver {
    fn new(terminal: Terminal, carrier: Carrier, options: ScreenOptions) -> anyhow::Result<Driver> {
        let environment = |name: &str| std::env::var(name).ok();
        let charset = match options.ascii {
            Some(true) => Charset::Ascii,
            Some(false) => Charset::Utf8,
            None => Charset::of_environment(environment),
        };
        let colourless = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
        let theme = if colourless { Theme::Mono } else { options.theme };
        let may_act = if options.read_only { MayAct::Never } else { MayAct::AsAllowed };
        let (faults, orders, news) = match options.faults {
            None => (None, None, None),
            Some(panel) => {
                let state = FaultState::of(panel.members);
                (Some(state), Some(panel.orders), Some(panel.news))
            }
        };
        let (moves, places) = options.replay.map_or((None, None), |panel| (Some(panel.orders), Some(panel.place)));
        let place = places.as_ref().map(|places| places.borrow().clone());
        let mut state = State::new(Look { theme, charset }, may_act, faults);
        state.replay = place;
        let fd = terminal.file().try_clone().context("the terminal cannot be kept")?;
        let baud = terminal.baud();
        Ok(Driver {
            fd: wait_on(OwnedFd::from(fd)).context("the terminal cannot be waited for")?,
            terminal,
            requests: carrier.requests,
            replies: carrier.replies,
            orders,
            news,
            connection: options.connection,
            state,
            moves,
            place: places,
            decoder: Decoder::default(),
            started: Instant::now(),
            showing: Showing::Screen,
            bell: options.bell,
            before: Buffer::empty(Rect::default()),
            everything: true,
            dirty: true,
            wish: Wish::Routine,
            news_at: None,
            drawn: Drawn::Nothing,
            pace: Pace::new(options.max_draws_per_second, baud),
            pending: Vec::new(),
            written: 0,
            in_flight: false,
            pending_dialog: None,
            stand_in: StandIn::current(),
            titled: String::new(),
        })
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    async fn run(&mut self, signals: Signals) -> anyhow::Result<Left> {
        let mut resized = listen(SignalKind::window_change())?;
        let mut continued = listen(SignalKind::from_raw(nix::sys::signal::Signal::SIGCONT as i32))?;
        let mut hung_up = listen(SignalKind::hangup())?;
        let mut told_to_stop = match (self.stand_in, signals) {
            (Some(_), _) | (None, Signals::Mine) => {
                Some(listen(SignalKind::from_raw(nix::sys::signal::Signal::SIGTSTP as i32))?)
            }
            (None, Signals::Others) => None,
        };
        let mut told_to_end = match signals {
            Signals::Mine => [
                Some(listen(SignalKind::terminate())?),
                Some(listen(SignalKind::interrupt())?),
                Some(listen(SignalKind::quit())?),
            ],
            Signals::Others => [None, None, None],
        };
        let [terminate, interrupt, quit] = &mut told_to_end;
        loop {
            if self.wants_frame() {
                self.frame();
            }
            if !self.pending.is_empty() && self.write().is_err() {
                return Ok(Left::TerminalLost);
            }
            let reads = self.showing != Showing::Suspended;
            let writes = !self.pending.is_empty();
            let wake = tokio::time::Instant::from_std(self.next_wake());
            tokio::select! {
                ready = self.fd.readable(), if reads => {
                    let Ok(mut ready) = ready else { return Ok(Left::TerminalLost) };
                    let mut bytes = [0; 4096];
                    match nix::unistd::read(self.fd.get_ref(), &mut bytes) {
                        Ok(0) => return Ok(Left::TerminalLost),
                        Ok(count) => {
                            let now = self.started.elapsed();
                            let inputs = self.decoder.feed(&bytes[..count], now);
                            if let Some(left) = self.inputs(inputs) {
                                return Ok(left);
                            }
                        }
                        Err(nix::errno::Errno::EAGAIN) => ready.clear_ready(),
                        Err(nix::errno::Errno::EINTR) => {}
                        Err(_) => return Ok(Left::TerminalLost),
                    }
                }
                ready = self.fd.writable(), if writes => {
                    let Ok(mut ready) = ready else { return Ok(Left::TerminalLost) };
                    ready.clear_ready();
                }
                reply = self.replies.recv() => {
                    let Some(reply) = reply else { return Ok(Left::EngineGone) };
                    self.replied(reply);
                    while let Ok(reply) = self.replies.try_recv() {
                        self.replied(reply);
                    }
                }
                Some(news) = next(&mut self.news) => {
                    self.state.on_fault_news(news);
                    self.dirty = true;
                }
                Some(connection) = changed(&mut self.connection) => {
                    self.state.connection = connection;
                    self.dirty = true;
                }
                Some(place) = changed(&mut self.place) => {
                    self.state.replay = Some(place);
                    self.dirty = true;
                    self.wish = Wish::Now;
                }
                _ = resized.recv() => self.redraw(),
                _ = continued.recv() => if self.resume().is_err() { return Ok(Left::TerminalLost) },
                _ = hung_up.recv() => return Ok(Left::TerminalLost),
                Some(()) = told(terminate) => return Ok(Left::Told),
                Some(()) = told(interrupt) => return Ok(Left::Told),
                Some(()) = told(quit) => return Ok(Left::Told),
                Some(()) = told(&mut told_to_stop) => if self.suspend().is_err() { return Ok(Left::TerminalLost) },
                () = tokio::time::sleep_until(wake) => self.dirty = true,
            }
            let now = self.now();
            let late = self.decoder.expire(now);
            if let Some(left) = self.inputs(late) {
                return Ok(left);
            }
            let effects = self.state.on_time(now);
            self.carry_out(effects);
            self.watch_the_job();
        }
    }

    /// When to wake even if nothing happens: the clock's next second, a waiting Esc, a frame that was put off.
    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let part = u64::try_from(Zoned::now().timestamp().subsec_millisecond()).unwrap_or(0);
        let mut wake = now + Duration::from_millis(1000 - part.min(999));
        if let Some(deadline) = self.decoder.deadline() {
            wake = wake.min(self.started + deadline);
        }
        if self.dirty && self.may_draw() {
            wake = wake.min(self.started + self.next_frame_at());
        }
        wake.max(now)
    }

    fn may_draw(&self) -> bool {
        self.showing == Showing::Screen && !self.in_flight
    }

    fn next_frame_at(&self) -> Duration {
        match (self.drawn, &self.state.status) {
            (Drawn::Nothing, None) => FIRST_WORD,
            (Drawn::Nothing | Drawn::AFrame, _) => {
                let settled = self.news_at.map_or(Duration::ZERO, |at| at + FLURRY);
                self.pace.ready_at(self.wish).max(settled)
            }
        }
    }

    fn wants_frame(&self) -> bool {
        self.dirty && self.may_draw() && self.next_frame_at() <= self.now()
    }

    /// Computes the next frame, if anything differs from what the terminal shows.
    fn frame(&mut self) {
        let (columns, rows) = self.terminal.size();
        let area = Rect::new(0, 0, columns, rows);
        let mut next = Buffer::empty(area);
        let now = self.now();
        let drawn = layout::draw(&self.state, now, &self.state.wall(), &mut next);
        self.state.bound_scroll(drawn.furthest);
        let everything = self.everything || self.before.area != area;
        let mut bytes = Vec::new();
        if everything {
            self.before = Buffer::empty(area);
            bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        let extent = frame::encode(&mut self.before, &next, self.pace.piece(), &mut bytes);
        self.everything = false;
        self.wish = Wish::Routine;
        self.news_at = None;
        // The rest comes with the next piece, from what is true by then.
        self.dirty = extent == Extent::Part;
        self.pending_dialog = (extent == Extent::Whole).then(|| self.state.in_frame(drawn.plan));
        if bytes.is_empty() {
            // What is shown is what would be drawn: a dialog that did not change it has been seen.
            self.frame_left();
            return;
        }
        self.pending.extend_from_slice(b"\x1b[?2026h");
        self.pending.append(&mut bytes);
        self.pending.extend_from_slice(b"\x1b[?2026l");
        self.in_flight = true;
        self.drawn = Drawn::AFrame;
        self.pace.drawn(self.now());
    }

    fn frame_left(&mut self) {
        if let Some(frame) = self.pending_dialog.take() {
            self.state.frame_left(frame);
        }
    }

    /// Writes as much as the terminal takes now.
    fn write(&mut self) -> Result<(), nix::errno::Errno> {
        loop {
            match self.terminal.write(&self.pending[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.in_flight = true;
                }
                Err(nix::errno::Errno::EAGAIN) => return Ok(()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
            if self.written == self.pending.len() {
                self.nothing_pending();
                self.frame_left();
                return Ok(());
            }
        }
    }

    fn nothing_pending(&mut self) {
        self.pending.clear();
        self.written = 0;
        self.in_flight = false;
    }

    fn inputs(&mut self, inputs: Vec<Input>) -> Option<Left> {
        for input in inputs {
            self.dirty = true;
            self.wish = Wish::Now;
            self.news_at = None;
            if self.showing == Showing::Copy {
                self.pending.extend_from_slice(b"\x1b[?1049h\x1b[?25l");
                self.showing = Showing::Screen;
                self.redraw();
                continue;
            }
            let now = self.now();
            let effects = self.state.on_input(input, now);
            match self.carry_out(effects) {
                Some(DriverWish::Leave) => return Some(Left::Asked),
                Some(DriverWish::Suspend) if self.suspend().is_err() => return Some(Left::TerminalLost),
                Some(DriverWish::Suspend) => {}
                Some(DriverWish::Copy) => self.copy(),
                Some(DriverWish::Redraw) => self.redraw(),
                None => {}
            }
        }
        None
    }

    fn replied(&mut self, reply: Reply) {
        self.dirty = true;
        let now = self.now();
        self.news_at.get_or_insert(now);
        match (&reply, &self.state.status) {
            (Reply::Status(new), Some(old)) if !matters(old, new) => {}
            (_, _) => self.wish = Wish::Now,
        }
        let effects = self.state.on_reply(reply, now);
        self.carry_out(effects);
        self.retitle();
    }

    /// The terminal's title tells of an alarm even where the window is hidden.
    fn retitle(&mut self) {
        let Some(status) = &self.state.status else { return };
        let node = super::line::escape(&status.node);
        let title = if self.state.alarm_stands() { format!("ALARM {node}") } else { format!("tandem {node}") };
        if self.terminal.title() == Title::Yes && self.showing == Showing::Screen && self.titled != title {
            self.pending.extend_from_slice(format!("\x1b]2;{title}\x07").as_bytes());
            self.titled = title;
        }
    }

    fn carry_out(&mut self, effects: Effects) -> Option<DriverWish> {
        for request in effects.requests {
            // A full channel means an engine that does not answer; `no news` says so.
            let _ = self.requests.try_send(request);
            self.dirty = true;
        }
        if let (Some(fault), Some(orders)) = (effects.fault, &self.orders) {
            let _ = orders.try_send(fault);
        }
        if let (Some(to), Some(moves)) = (effects.moved, &self.moves) {
            let _ = moves.try_send(to);
        }
        if effects.bell && self.bell && self.showing == Showing::Screen {
            self.pending.push(0x07);
        }
        effects.driver
    }

    fn redraw(&mut self) {
        self.everything = true;
        self.dirty = true;
    }
}

/// Whether who acts, who is heard, or what is wrong has changed.
fn matters(old: &Status, new: &Status) -> bool {
    let peers = |status: &Status| status.peers.iter().map(|peer| (peer.mode, peer.gone.clone())).collect::<Vec<_>>();
    let links = |status: &Status| status.links.iter().map(|link| link.state).collect::<Vec<_>>();
    let alarms = |status: &Status| status.alarms.iter().map(|alarm| alarm.id.clone()).collect::<Vec<_>>();
    (old.mode, old.serving, old.judgement, old.hold.is_some())
        != (new.mode, new.serving, new.judgement, new.hold.is_some())
        || peers(old) != peers(new)
        || links(old) != links(new)
        || alarms(old) != alarms(new)
}

/// Its successor is `unsafe` for types whose descriptor may change; an [`OwnedFd`]'s cannot.
#[expect(deprecated, reason = "safe for an OwnedFd, and keeps unsafe out of this crate")]
fn wait_on(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("the screen cannot listen for signals")
}

async fn next(news: &mut Option<mpsc::Receiver<News>>) -> Option<News> {
    match news {
        Some(news) => news.recv().await,
        None => std::future::pending().await,
    }
}

/// What is watched, once it has changed; none when nobody tells it any more.
async fn changed<T: Clone>(watched: &mut Option<watch::Receiver<T>>) -> Option<T> {
    match watched {
        Some(stands) => match stands.changed().await {
            Ok(()) => Some(stands.borrow_and_update().clone()),
            Err(_) => {
                *watched = None;
                None
            }
        },
        None => std::future::pending().await,
    }
}

async fn told(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

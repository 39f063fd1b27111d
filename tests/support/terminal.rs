//! The real program in a pseudo-terminal, as a person has it: bytes go through a terminal emulator, keys are pressed one
//! by one, the line can stall. And one controller, alpha, whose peer never comes, to look at.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tandem::control::client::Client;
use tandem::control::request::{Reply, Request};
use tandem::control::status::{LoopGaps, Status};

use crate::support::{Folder, Running, addresses, binary, tandem, temporary_folder, write};

/// Longer than anything here takes; on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The sizes at which every accident is tried: columns and rows.
pub const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (40, 10), (200, 60)];

/// Waits for something to be so, with a deadline.
pub fn eventually(what: &str, so: impl FnMut() -> bool) {
    crate::support::wait_until(PATIENCE, what, so);
}

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("not zero")
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a terminal does beside showing text.
#[derive(Debug, Default)]
pub struct Heard {
    /// Its title.
    pub title: String,
    kept: Vec<String>,
    /// How often it rang.
    pub bells: usize,
    /// Whether it was asked anything, or told to use the mouse or a keyboard protocol.
    pub forbidden: Vec<String>,
}

impl vt100::Callbacks for Heard {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = String::from_utf8_lossy(title).into_owned();
    }

    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        first: Option<u8>,
        second: Option<u8>,
        parameters: &[&[u16]],
        last: char,
    ) {
        match (first, parameters.first(), last) {
            (None, Some([22]), 't') => self.kept.push(self.title.clone()),
            (None, Some([23]), 't') => self.title = self.kept.pop().unwrap_or_default(),
            // Synchronised update: a terminal that does not know it passes over it.
            (Some(b'?'), Some([2026]), 'h' | 'l') => {}
            _ => self.forbidden.push(format!("{first:?} {second:?} {parameters:?} {last}")),
        }
    }
}

/// What the line brought.
struct Line {
    parser: vt100::Parser<Heard>,
    bytes: Vec<u8>,
    count: usize,
}

/// A program in a terminal.
pub struct Terminal {
    pub master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    line: Arc<Mutex<Line>>,
    stalled: Arc<(Mutex<bool>, Condvar)>,
    /// Bytes a second that the line carries.
    speed: Arc<AtomicUsize>,
}

impl Terminal {
    /// Starts a program in 80×24, with an environment that is the same on every machine; `more` is added to it.
    pub fn start(program: &str, arguments: &[&str], folder: &Path, more: &[(&str, &str)]) -> Terminal {
        Terminal::sized(SIZES[0], program, arguments, folder, more)
    }

    /// The same in another size.
    pub fn sized(
        (columns, rows): (u16, u16),
        program: &str,
        arguments: &[&str],
        folder: &Path,
        more: &[(&str, &str)],
    ) -> Terminal {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        let usual = [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("PS1", "prompt> ")];
        for (name, value) in usual.iter().chain(more) {
            command.env(name, value);
        }
        command.env("TMPDIR", folder);
        // Not every user has a home.
        command.cwd(folder);
        for name in ["NO_COLOR", "TANDEM_CONFIG", "TANDEM_MEMBER", "ENV"] {
            if !more.iter().any(|(one, _)| *one == name) {
                command.env_remove(name);
            }
        }
        let child = pair.slave.spawn_command(command).expect("started");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let parser = vt100::Parser::new_with_callbacks(cells(rows), cells(columns), 200, Heard::default());
        let line = Arc::new(Mutex::new(Line { parser, bytes: Vec::new(), count: 0 }));
        let stalled = Arc::new((Mutex::new(false), Condvar::new()));
        let (shown, gate) = (Arc::clone(&line), Arc::clone(&stalled));
        let speed = Arc::new(AtomicUsize::new(usize::MAX));
        let line_speed = Arc::clone(&speed);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A slow line brings a little at a time, twenty times a second.
            let few = || (line_speed.load(Ordering::Relaxed) / 20).clamp(1, 4096);
            while let Ok(count @ 1..) = reader.read(&mut bytes[..few()]) {
                if few() < 4096 {
                    std::thread::sleep(Duration::from_secs_f64(
                        count as f64 / line_speed.load(Ordering::Relaxed) as f64,
                    ));
                }
                let mut line = held(&shown);
                line.parser.process(&bytes[..count]);
                line.bytes.extend_from_slice(&bytes[..count]);
                line.count += count;
                drop(line);
                let mut closed = held(&gate.0);
                while *closed {
                    closed = gate.1.wait(closed).unwrap_or_else(PoisonError::into_inner);
                }
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        Terminal { master: pair.master, writer, child, line, stalled, speed }
    }

    /// What it shows.
    pub fn text(&self) -> String {
        held(&self.line).parser.screen().contents()
    }

    /// Whether the alternate screen is on.
    pub fn alternate(&self) -> bool {
        held(&self.line).parser.screen().alternate_screen()
    }

    /// How often it rang so far.
    pub fn bells(&self) -> usize {
        held(&self.line).parser.callbacks().bells
    }

    /// Its title.
    pub fn title(&self) -> String {
        held(&self.line).parser.callbacks().title.clone()
    }

    /// What came since this was asked last.
    pub fn bytes(&self) -> Vec<u8> {
        std::mem::take(&mut held(&self.line).bytes)
    }

    /// How many bytes have come.
    pub fn count(&self) -> usize {
        held(&self.line).count
    }

    /// Waits until it shows a text.
    pub fn shows(&self, wanted: &str) {
        self.until(wanted, |text| text.contains(wanted));
    }

    /// Waits until its text is as wanted.
    pub fn until(&self, what: &str, so: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(&self.text()) {
            assert!(Instant::now() < until, "never shown: {what}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Presses a key until the screen shows a text. On a busy machine it may be read together with what was sent before it,
    /// and is then taken for a part of that: of a paste, or of a torn sequence. A hand presses again.
    pub fn press_until(&mut self, key: &str, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.text().contains(wanted) {
            assert!(Instant::now() < until, "{key} does not bring: {wanted}\n{}", self.text());
            self.press(key);
            let again = Instant::now() + Duration::from_millis(500);
            while !self.text().contains(wanted) && Instant::now() < again {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// A key, as a hand presses it.
    pub fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            // No hand is faster; a faster one would be taken for a paste, which is another test.
            std::thread::sleep(Duration::from_millis(40));
            self.send(key.to_string().as_bytes());
        }
    }

    /// Bytes, all at once.
    pub fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("written");
        self.writer.flush().expect("written");
    }

    /// The window changes; the emulator with it.
    pub fn resize(&mut self, (columns, rows): (u16, u16)) {
        held(&self.line).parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).expect("resized");
    }

    /// The line carries so many bytes a second and no more.
    pub fn read_at_most(&self, bytes_a_second: usize) {
        self.speed.store(bytes_a_second, Ordering::Relaxed);
    }

    /// Nobody reads what the program writes.
    pub fn stall(&self) {
        *held(&self.stalled.0) = true;
    }

    /// Somebody reads again.
    pub fn flow(&self) {
        *held(&self.stalled.0) = false;
        self.stalled.1.notify_all();
    }

    /// The terminal's modes.
    pub fn modes(&self) -> String {
        format!("{:?}", self.master.get_termios().expect("modes"))
    }

    /// Waits until the ordinary screen is back. Whoever sees it may type: lines are read again already, and nothing is thrown
    /// away any more.
    pub fn is_given_back(&self) {
        eventually("the ordinary screen is back", || !self.alternate());
        assert!(self.modes().contains("ICANON"), "the ordinary screen is back, and what is typed is not read as lines");
    }

    /// That nothing of the screen is left on: alternate screen, hidden cursor, bracketed paste, title, raw mode.
    pub fn is_as_it_was(&self, modes: &str) {
        eventually("the terminal is given back", || !self.alternate());
        // What takes the screen off comes in one write, but may be read in two pieces.
        eventually("the title is taken off", || held(&self.line).parser.callbacks().title.is_empty());
        let line = held(&self.line);
        let screen = line.parser.screen();
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is on");
        assert_eq!(line.parser.callbacks().forbidden, Vec::<String>::new());
        drop(line);
        assert_eq!(self.modes(), modes, "the modes come back before the ordinary screen does");
    }

    /// The process in it.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().expect("a process")).expect("a process id fits"))
    }

    /// Its exit status, once it has ended.
    pub fn exit(&mut self) -> u32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                return status.exit_code();
            }
            assert!(Instant::now() < until, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.flow();
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The processes whose command line or environment names the folder.
pub fn processes_of(folder: &Path) -> Vec<i32> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let names = |file: PathBuf| {
        std::fs::read(file).is_ok_and(|bytes| bytes.windows(folder.len()).any(|window| window == folder))
    };
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| u32::try_from(*pid) != Ok(std::process::id()))
        .filter(|pid| names(format!("/proc/{pid}/cmdline").into()) || names(format!("/proc/{pid}/environ").into()))
        .collect()
}

/// That a folder is empty and no process names it any more.
pub fn nothing_left(folder: &Path) {
    eventually("no file is left", || std::fs::read_dir(folder).expect("the folder").next().is_none());
    eventually("no process is left", || processes_of(folder).is_empty());
}

/// The parent of a process.
pub fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a process is a `tandem run`.
pub fn runs(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(4).any(|word| word == b"\0run"))
}

/// A pair of which only alpha runs; it becomes Primary after its boot timeout. Its other times are long: a machine that
/// stands still for a moment must not make it ask again what to be (S9), which is another test's.
pub struct Alpha {
    folder: Folder,
}

impl Alpha {
    /// Its configuration; nothing runs yet.
    pub fn new() -> Alpha {
        let folder = temporary_folder();
        let own = addresses(2);
        let text = format!(
            "group = \"g\"\n\n[[member]]\nname = \"alpha\"\naddresses = [\"{}\"]\n\n[[member]]\nname = \"beta\"\n\
             addresses = [\"{}\"]\n\n[security]\nmode = \"none\"\n\n[negotiation]\nboot_timeout = \"500ms\"\n\
             connect_grace = \"100ms\"\nquery_interval = \"100ms\"\nreply_timeout = \"60s\"\n\n\
             [state]\ndirectory = \"state\"\n\n[control]\nsocket = \"alpha.sock\"\n",
            own[0], own[1]
        );
        write(folder.path(), "tandem.toml", &text);
        Alpha { folder }
    }

    /// Where everything of it is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> String {
        self.folder.path().join("tandem.toml").display().to_string()
    }

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("alpha.sock")
    }

    /// A command on it, run to its end.
    pub fn tandem(&self, arguments: &[&str]) -> Output {
        let config = self.config();
        Command::new(binary()).args(arguments).args(["--config", &config, "--as", "alpha"]).output().expect("run")
    }

    /// Whether it answers. How late its loop was meanwhile is told by [`Beats`].
    pub fn answers(&self) -> bool {
        self.try_status().is_some()
    }

    fn try_status(&self) -> Option<Status> {
        match Client::open(&self.socket()).ok()?.ask(&Request::Status, Duration::from_secs(10)).ok()? {
            Reply::Status(status) => Some(std::sync::Arc::unwrap_or_clone(status)),
            _ => None,
        }
    }

    /// Its status.
    pub fn status(&self) -> Status {
        self.try_status().expect("alpha answers")
    }

    /// Starts it without a screen, and waits until it acts.
    pub fn headless(&self) -> Running {
        let mut command = tandem(&["run", "--headless", "--config", &self.config(), "--as", "alpha"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running::start(command);
        eventually("alpha acts", || self.try_status().is_some_and(|status| status.serving));
        running
    }

    /// Attached to it, in a terminal.
    pub fn attached(&self, arguments: &[&str], more: &[(&str, &str)]) -> Terminal {
        let config = self.config();
        let all = [&["attach"], arguments, &["--config", &config, "--as", "alpha"]].concat();
        Terminal::start(binary(), &all, self.folder(), more)
    }

    /// In a shell with job control, as a person starts it. The modes are those that the shell gives its jobs.
    pub fn in_a_shell(&self, size: (u16, u16)) -> (Terminal, String) {
        let mut terminal = Terminal::sized(size, "sh", &["-i"], self.folder(), &[]);
        terminal.shows("prompt>");
        let modes = terminal.modes();
        terminal.send(format!("{} run --config {} --as alpha\r", binary(), self.config()).as_bytes());
        terminal.shows("■ PRIMARY");
        (terminal, modes)
    }
}

impl Drop for Alpha {
    fn drop(&mut self) {
        self.tandem(&["shutdown", "--yes", "--force"]);
        // Whatever a failed test left behind names this folder.
        for pid in processes_of(self.folder.path()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Watches over the engine's own log of gaps while something happens to its screen.
///
/// On a machine that is busy any program loses a turn now and then. So a twin runs beside it, the same controller in a
/// terminal of its own to which nothing happens, and two threads of this process sleep and note when they woke late. A
/// gap of the engine counts as the accident's doing where neither its twin nor the machine was late meanwhile.
pub struct Beats {
    before: [LoopGaps; 2],
    machine: Vec<std::thread::JoinHandle<u64>>,
    over: Arc<AtomicBool>,
}

impl Beats {
    /// From now on.
    pub fn watch(alpha: &Alpha, twin: &Alpha) -> Beats {
        let over = Arc::<AtomicBool>::default();
        let machine = (0..2)
            .map(|_| {
                let over = Arc::clone(&over);
                std::thread::spawn(move || {
                    let mut late = 0;
                    while !over.load(Ordering::Relaxed) {
                        let from = Instant::now();
                        std::thread::sleep(Duration::from_millis(2));
                        late += u64::from(from.elapsed() >= Duration::from_millis(8));
                    }
                    late
                })
            })
            .collect();
        Beats { before: [alpha, twin].map(|one| one.status().loop_gaps), machine, over }
    }

    /// How the engine was late and nothing else was; none when it was not.
    fn missed(self, alpha: &Alpha, twin: &Alpha) -> Option<(String, Duration)> {
        let after = [alpha, twin].map(|one| one.status().loop_gaps);
        self.over.store(true, Ordering::Relaxed);
        let late: u64 = self.machine.into_iter().map(|thread| thread.join().expect("joined")).sum();
        let [grew, twins] = [0, 1].map(|one| after[one].over_20ms - self.before[one].over_20ms);
        let [before, after] = [self.before[0], after[0]].map(|gaps| Duration::from_micros(gaps.worst_us));
        let worst = if after > before { after } else { Duration::ZERO };
        (grew > 0 && twins == 0 && late == 0).then(|| (format!("{grew} gaps of 20 ms, a new worst {worst:?}"), worst))
    }

    /// That the engine did not stand still for so long, for what cannot be tried again.
    pub fn did_not_stand_still(self, alpha: &Alpha, twin: &Alpha, least: Duration) {
        if let Some((why, worst)) = self.missed(alpha, twin) {
            assert!(worst < least, "{why}");
        }
    }
}

/// How often an accident is tried before a gap of the engine counts: what reaches it does so each time.
const TRIES: usize = 3;

/// Does something, and checks that the engine missed no beat by it.
pub fn without_a_missed_beat(what: &str, alpha: &Alpha, twin: &Alpha, mut accident: impl FnMut()) {
    let mut tries = Vec::new();
    while tries.len() < TRIES {
        let beats = Beats::watch(alpha, twin);
        accident();
        match beats.missed(alpha, twin) {
            None => return,
            Some((why, _)) => tries.push(why),
        }
    }
    panic!("{what}: {tries:?}");
}

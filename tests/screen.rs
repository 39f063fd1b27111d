//! The screen as people use it: the real program in a pseudo-terminal, read through a terminal emulator (U3, U8, U9).

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tandem::control::carrier::Carrier;
use tandem::control::request::{Reply, Request};
use tandem::ui::{Left, ScreenOptions, run_on};

const TANDEM: &str = env!("CARGO_BIN_EXE_tandem");
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something to be so, with a deadline.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("not zero")
}

/// A program in a terminal of 80×24.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn start(program: &str, args: &[&str], temp: &Path) -> Terminal {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TMPDIR", temp);
        command.env("PS1", "prompt> ");
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command).expect("started");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(24), cells(80), 200)));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                shown.lock().expect("the emulator").process(&bytes[..count]);
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        Terminal { master: pair.master, writer, child, screen }
    }

    fn text(&self) -> String {
        self.screen.lock().expect("the emulator").screen().contents()
    }

    fn alternate(&self) -> bool {
        self.screen.lock().expect("the emulator").screen().alternate_screen()
    }

    fn shows(&self, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.text().contains(wanted) {
            assert!(Instant::now() < until, "never shown: {wanted}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A key, as a hand presses it.
    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            std::thread::sleep(Duration::from_millis(40));
            self.send(key.to_string().as_bytes());
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("written");
        self.writer.flush().expect("written");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.process_id().expect("a process") as i32)
    }

    fn exit(&mut self) -> u32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                return status.exit_code();
            }
            assert!(Instant::now() < until, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes whose command line or environment names the folder.
fn processes_of(folder: &Path) -> Vec<i32> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let names = |file: std::path::PathBuf| {
        std::fs::read(file).is_ok_and(|bytes| bytes.windows(folder.len()).any(|window| window == folder))
    };
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != std::process::id() as i32)
        .filter(|pid| names(format!("/proc/{pid}/cmdline").into()) || names(format!("/proc/{pid}/environ").into()))
        .collect()
}

fn nothing_left(folder: &Path) {
    eventually("no file is left", || std::fs::read_dir(folder).expect("the folder").next().is_none());
    eventually("no process is left", || processes_of(folder).is_empty());
}

/// A pair of which only alpha runs; it becomes Primary after its boot timeout.
struct Alpha {
    folder: tempfile::TempDir,
}

impl Alpha {
    fn new() -> Alpha {
        let folder = tempfile::tempdir().expect("a folder");
        let port = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port();
            (listener, port)
        };
        let ((_one, a), (_two, b)) = (port(), port());
        let text = format!(
            "group = \"g\"\n\n[[member]]\nname = \"alpha\"\naddresses = [\"127.0.0.1:{}\"]\n\n[[member]]\n\
             name = \"beta\"\naddresses = [\"127.0.0.1:{}\"]\n\n[security]\nmode = \"none\"\n\n[negotiation]\n\
             boot_timeout = \"500ms\"\nconnect_grace = \"100ms\"\nquery_interval = \"100ms\"\nreply_timeout = \"300ms\"\n\n\
             [state]\ndirectory = \"state\"\n\n[control]\nsocket = \"alpha.sock\"\n",
            a.min(b),
            a.max(b)
        );
        std::fs::write(folder.path().join("tandem.toml"), text).expect("written");
        Alpha { folder }
    }

    fn config(&self) -> String {
        self.folder.path().join("tandem.toml").display().to_string()
    }

    fn tandem(&self, args: &[&str]) -> Output {
        let config = self.config();
        Command::new(TANDEM).args(args).args(["--config", &config, "--as", "alpha"]).output().expect("run")
    }

    fn answers(&self) -> bool {
        let output = self.tandem(&["status", "--json"]);
        output.stdout.starts_with(b"{")
    }

    /// In a shell with job control, as a person starts it.
    fn in_a_shell(&self) -> Terminal {
        let mut terminal = Terminal::start("sh", &["-i"], self.folder.path());
        terminal.shows("prompt>");
        terminal.send(format!("{TANDEM} run --config {} --as alpha\r", self.config()).as_bytes());
        terminal.shows("you are on  alpha");
        terminal.shows("■ PRIMARY");
        terminal
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

#[test]
fn u9_the_demo_shows_a_failover_and_leaves_nothing_behind() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(TANDEM, &["demo"], temp.path());
    terminal.shows("ONE ACTS");
    terminal.shows("beta    ○ SECONDARY");
    terminal.press("a");
    terminal.shows("One letter opens a plan");
    terminal.press("s");
    terminal.shows("type the plan's number");
    let text = terminal.text();
    let number: String = text.split("Plan ").nth(1).expect("a plan").chars().take_while(char::is_ascii_digit).collect();
    terminal.press(&format!("{number}\r"));
    terminal.shows("you are on  alpha   ○ SECONDARY");
    terminal.shows("beta    ■ PRIMARY");
    terminal.press("f");
    terminal.shows("crash: its process is killed");
    terminal.press("c");
    terminal.shows("beta was killed");
    terminal.shows("you are on  alpha   ■ PRIMARY");
    terminal.shows("CRASHED");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    assert!(terminal.text().contains("you are on  alpha"), "rows 1 to 3 stay behind:\n{}", terminal.text());
    nothing_left(temp.path());
}

#[test]
fn u9_the_demo_leaves_nothing_behind_when_it_is_killed() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(TANDEM, &["demo", "--members", "3", "--protection", "majority"], temp.path());
    terminal.shows("ONE ACTS");
    terminal.shows("gamma");
    terminal.press("f");
    terminal.shows("freeze");
    terminal.press("z");
    terminal.shows("is frozen");
    kill(terminal.pid(), Signal::SIGKILL).expect("killed");
    nothing_left(temp.path());
}

#[test]
fn u3_leaving_the_screen_gives_the_prompt_back_and_the_controller_goes_on() {
    let alpha = Alpha::new();
    let mut terminal = alpha.in_a_shell();
    terminal.press("q");
    terminal.shows("The controller runs on");
    terminal.send(b"echo status $? $((40 + 2))\r");
    terminal.shows("status 0 42");
    assert!(terminal.text().contains("you are on  alpha"), "rows 1 to 3 stay behind");
    assert!(alpha.answers());
    terminal.send(format!("{TANDEM} attach --config {} --as alpha\r", alpha.config()).as_bytes());
    terminal.shows("q leave (alpha runs on)");
    terminal.send(b"\x1a");
    terminal.shows("Stopped");
    terminal.send(b"echo is $((40 + 3))\r");
    terminal.shows("is 43");
    terminal.send(b"fg\r");
    terminal.shows("q leave (alpha runs on)");
    terminal.press("q");
    terminal.shows("status 0 42");
    assert!(alpha.answers());
}

#[test]
fn u8_ctrl_z_suspends_the_screen_and_never_the_controller() {
    let alpha = Alpha::new();
    let mut terminal = alpha.in_a_shell();
    terminal.send(b"\x1a");
    terminal.shows("Stopped");
    terminal.send(b"echo is $((40 + 2))\r");
    terminal.shows("is 42");
    assert!(alpha.answers());
    terminal.send(b"fg\r");
    terminal.shows("q leave (alpha runs on)");
    terminal.press("w");
    terminal.shows("Why alpha is PRIMARY");
    terminal.press("q");
    terminal.shows("The controller runs on");
    assert!(alpha.answers());
}

#[test]
fn u8_a_job_that_is_stopped_from_outside_stops_drawing_and_comes_back() {
    let alpha = Alpha::new();
    let mut terminal = alpha.in_a_shell();
    let run = processes_of(alpha.folder.path());
    // The stand-in is the parent of the engine; both name the folder.
    let parent_of = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()
    };
    let shell = terminal.pid().as_raw();
    let stand_in = run.into_iter().find(|pid| parent_of(*pid) == Some(shell)).expect("a stand-in");
    kill(Pid::from_raw(stand_in), Signal::SIGSTOP).expect("stopped");
    // Within a second the screen sees it, and gives the terminal back.
    eventually("the ordinary screen is back", || !terminal.alternate());
    terminal.send(b"echo is $((40 + 2))\r");
    terminal.shows("is 42");
    assert!(alpha.answers());
    terminal.send(b"fg\r");
    terminal.shows("q leave (alpha runs on)");
    terminal.press("q");
    terminal.shows("The controller runs on");
}

#[test]
fn u3_a_closed_terminal_leaves_the_controller_running() {
    let alpha = Alpha::new();
    let terminal = alpha.in_a_shell();
    // The session's leader dies, as with its window: the kernel sends SIGHUP to the job in the foreground.
    kill(terminal.pid(), Signal::SIGKILL).expect("killed");
    eventually("one process goes on", || {
        processes_of(alpha.folder.path()).iter().filter(|pid| runs(**pid)).count() == 1
    });
    assert!(alpha.answers());
}

fn runs(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(4).any(|word| word == b"\0run"))
}

#[test]
fn u8_pasted_text_moves_nothing_in_a_real_terminal() {
    let alpha = Alpha::new();
    let mut terminal = alpha.in_a_shell();
    terminal.send(b"\x1b[200~ax\rq\x1b[201~");
    terminal.shows("pasted text is never a command");
    terminal.send(b"axq47\r");
    terminal.press("w");
    terminal.shows("Why alpha is PRIMARY");
    assert!(alpha.answers());
}

/// One screen at a time runs in a process.
static ONE: Mutex<()> = Mutex::new(());

/// A screen on a pseudo-terminal of this process, with a test for an engine.
struct Bare {
    pty: nix::pty::OpenptyResult,
    told: tokio::sync::mpsc::Sender<Reply>,
    asked: tokio::sync::mpsc::Receiver<Request>,
    screen: std::thread::JoinHandle<anyhow::Result<Left>>,
}

impl Bare {
    fn start() -> Bare {
        let pty = nix::pty::openpty(None, None).expect("a pseudo-terminal");
        let (requests, asked) = tokio::sync::mpsc::channel(64);
        let (told, replies) = tokio::sync::mpsc::channel(64);
        let tty = pty.slave.try_clone().expect("a descriptor");
        let carrier = Carrier { requests, replies };
        let screen = std::thread::spawn(move || run_on(tty, carrier, ScreenOptions::default()));
        let mut bytes = [0; 4096];
        let count = nix::unistd::read(&pty.master, &mut bytes).expect("a first frame");
        assert!(count > 0);
        Bare { pty, told, asked, screen }
    }
}

fn modes(tty: &impl std::os::fd::AsFd) -> String {
    format!("{:?}", nix::sys::termios::tcgetattr(tty).expect("modes"))
}

#[test]
fn u8_a_lost_terminal_ends_the_screen_at_once() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let bare = Bare::start();
    drop(bare.pty.master);
    eventually("the screen ends", || bare.screen.is_finished());
    assert_eq!(bare.screen.join().expect("joined").expect("no error"), Left::TerminalLost);
}

#[test]
fn u8_the_terminal_is_as_it_was_after_the_engine_is_gone_and_after_q() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let fresh = modes(&nix::pty::openpty(None, None).expect("a pseudo-terminal").slave);
    let mut bare = Bare::start();
    assert_ne!(modes(&bare.pty.slave), fresh, "raw while the screen is there");
    drop(bare.told);
    assert_eq!(bare.screen.join().expect("joined").expect("no error"), Left::EngineGone);
    assert_eq!(modes(&bare.pty.slave), fresh);
    assert!(bare.asked.try_recv().is_err(), "nothing is asked before the engine has said hello");

    let bare = Bare::start();
    nix::unistd::write(&bare.pty.master, b"q").expect("typed");
    assert_eq!(bare.screen.join().expect("joined").expect("no error"), Left::Asked);
    assert_eq!(modes(&bare.pty.slave), fresh);
}

#[test]
fn u8_a_stalled_reader_delays_nobody() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let bare = Bare::start();
    // Nobody reads the terminal; redraws are asked for until it is full, and then the screen still hears its engine.
    for _ in 0..200 {
        nix::unistd::write(&bare.pty.master, b"\x0c").expect("typed");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(bare.told);
    eventually("the screen ends", || bare.screen.is_finished());
    assert_eq!(bare.screen.join().expect("joined").expect("no error"), Left::EngineGone);
}

#[test]
fn u3_attach_says_when_there_is_no_news_and_finds_its_way_back() {
    let alpha = Alpha::new();
    let config = alpha.config();
    let run = || {
        let args = ["run", "--headless", "--config", &config, "--as", "alpha"];
        Command::new(TANDEM).args(args).stderr(std::process::Stdio::null()).spawn().expect("started")
    };
    let mut engine = run();
    eventually("it answers", || alpha.answers());
    let mut terminal =
        Terminal::start(TANDEM, &["attach", "--read-only", "--config", &config, "--as", "alpha"], alpha.folder.path());
    terminal.shows("■ PRIMARY");
    terminal.press("a");
    terminal.shows("this screen is read-only");
    let pid = Pid::from_raw(engine.id() as i32);
    kill(pid, Signal::SIGSTOP).expect("frozen");
    terminal.shows("?? NO NEWS for");
    assert!(!terminal.text().contains("■ PRIMARY"), "nothing is claimed:\n{}", terminal.text());
    kill(pid, Signal::SIGCONT).expect("thawed");
    terminal.shows("■ PRIMARY");
    kill(pid, Signal::SIGKILL).expect("killed");
    engine.wait().expect("reaped");
    terminal.shows("?? NO NEWS for");
    let mut engine = run();
    terminal.shows("■ PRIMARY");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    kill(Pid::from_raw(engine.id() as i32), Signal::SIGKILL).expect("killed");
    engine.wait().expect("reaped");
}

#[test]
fn u8_resizes_are_followed_at_any_size() {
    let alpha = Alpha::new();
    let mut terminal = alpha.in_a_shell();
    for (columns, rows) in [(20, 5), (300, 100), (40, 6), (80, 24)] {
        terminal.screen.lock().expect("the emulator").screen_mut().set_size(cells(rows), cells(columns));
        terminal.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).expect("resized");
        terminal.send(b"\x0c");
        eventually("rows and keys stand at their places", || {
            let text = terminal.text();
            let lines: Vec<&str> = text.lines().collect();
            lines.first().is_some_and(|line| line.contains("alpha") && line.contains("PRIMARY"))
                && lines.get(usize::from(rows) - 2).is_some_and(|line| line.contains("q leave"))
        });
    }
    terminal.press("q");
    terminal.shows("alpha");
    assert!(alpha.answers());
}

//! The screen as people use it: the real program in a pseudo-terminal, read through a terminal emulator (U3, U8, U9).

#[path = "support/pty.rs"]
mod pty;
#[path = "support/mod.rs"]
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::Running;
use tandem::control::carrier::Carrier;
use tandem::control::request::{Reply, Request};
use tandem::ui::{Left, ScreenOptions, run_on};
use terminal::{Alpha, SIZES, Terminal, eventually, nothing_left, parent_of, processes_of, runs};

const TANDEM: &str = env!("CARGO_BIN_EXE_tandem");

#[test]
fn u9_the_demo_shows_a_failover_and_leaves_nothing_behind() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut terminal = pty::Terminal::start(TANDEM, &["demo"], SIZES[0], temp.path());
    terminal.shows("ONE ACTS");
    terminal.shows("beta    ○ SECONDARY");
    terminal.shows("press a, then s");
    terminal.act("s");
    terminal.shows("you are on  alpha   ○ SECONDARY");
    terminal.shows("beta    ■ PRIMARY");
    terminal.fault("c");
    terminal.shows("beta was killed");
    terminal.shows("you are on  alpha   ■ PRIMARY");
    terminal.shows("CRASHED");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    // What it wrote last may be read a moment after it ended.
    eventually("the ordinary screen is back", || !terminal.screen().alternate_screen());
    // Rows 1 to 3 stay behind.
    terminal.shows("you are on  alpha");
    nothing_left(temp.path());
}

#[test]
fn u9_the_demo_leaves_nothing_behind_when_it_is_killed() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut terminal =
        Terminal::start(TANDEM, &["demo", "--members", "3", "--protection", "majority"], temp.path(), &[]);
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
    let (mut terminal, _) = alpha.in_a_shell(SIZES[0]);
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
    let (mut terminal, _) = alpha.in_a_shell(SIZES[0]);
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
    let (mut terminal, _) = alpha.in_a_shell(SIZES[0]);
    let run = processes_of(alpha.folder());
    // The stand-in is the shell's child and the parent of the engine; both name the folder.
    let shell = terminal.pid().as_raw();
    let stand_in = run.into_iter().find(|pid| parent_of(*pid) == Some(shell)).expect("a stand-in");
    kill(Pid::from_raw(stand_in), Signal::SIGSTOP).expect("stopped");
    // Within a second the screen sees it, and gives the terminal back.
    terminal.is_given_back();
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
    let (terminal, _) = alpha.in_a_shell(SIZES[0]);
    // The session's leader dies, as with its window: the kernel sends SIGHUP to the job in the foreground.
    kill(terminal.pid(), Signal::SIGKILL).expect("killed");
    eventually("one process goes on", || processes_of(alpha.folder()).iter().filter(|pid| runs(**pid)).count() == 1);
    assert!(alpha.answers());
}

#[test]
fn u8_pasted_text_moves_nothing_in_a_real_terminal() {
    let alpha = Alpha::new();
    let (mut terminal, _) = alpha.in_a_shell(SIZES[0]);
    terminal.send(b"\x1b[200~ax\rq\x1b[201~");
    terminal.shows("pasted text is never a command");
    terminal.send(b"axq47\r");
    terminal.press_until("w", "Why alpha is PRIMARY");
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
fn u8_a_panic_on_any_thread_gives_the_terminal_back_and_nothing_is_drawn_after_it() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let fresh = modes(&nix::pty::openpty(None, None).expect("a pseudo-terminal").slave);
    let bare = Bare::start();
    assert_ne!(modes(&bare.pty.slave), fresh);
    let engine = std::thread::spawn(|| panic!("this panic is part of a test"));
    assert!(engine.join().is_err());
    assert_eq!(modes(&bare.pty.slave), fresh);
    assert_eq!(bare.screen.join().expect("joined").expect("no error"), Left::TerminalLost);
    // What was written may come in pieces.
    let flags = FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
    fcntl(&bare.pty.master, flags).expect("an option");
    let mut text = String::new();
    eventually("the ordinary screen is back", || {
        let mut bytes = [0; 16384];
        let count = nix::unistd::read(&bare.pty.master, &mut bytes).unwrap_or(0);
        text += &String::from_utf8_lossy(&bytes[..count]);
        text.contains("\x1b[?1049l") && count == 0
    });
    let left = text.rfind("\x1b[?1049l").expect("the ordinary screen is back");
    assert!(text.contains("\x1b[?2004l") && text.contains("\x1b[?25h"), "{text:?}");
    assert!(!text[left..].contains("\x1b[?2026h"), "no frame after it: {text:?}");
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
        let mut command = Command::new(TANDEM);
        command.args(args).stderr(std::process::Stdio::null());
        Running::start(command)
    };
    let engine = run();
    eventually("it answers", || alpha.answers());
    let mut terminal = alpha.attached(&["--read-only"], &[]);
    terminal.shows("■ PRIMARY");
    terminal.press("a");
    terminal.shows("this screen is read-only");
    engine.signal(Signal::SIGSTOP);
    terminal.shows("?? NO NEWS for");
    // A frame may be read in two pieces.
    eventually("nothing is claimed", || !terminal.text().contains("■ PRIMARY"));
    engine.signal(Signal::SIGCONT);
    terminal.shows("■ PRIMARY");
    // Killed.
    drop(engine);
    terminal.shows("?? NO NEWS for");
    let _engine = run();
    terminal.shows("■ PRIMARY");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
}

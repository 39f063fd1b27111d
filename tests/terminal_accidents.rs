//! Every accident of a terminal, in a real one, at four sizes (U3, U8): the engine misses no beat by its own log of gaps,
//! nothing is moved, and the terminal is as it was afterwards.

#[path = "support/mod.rs"]
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::binary;
use tandem::control::status::Mode;
use terminal::{Alpha, Beats, SIZES, Terminal, eventually, parent_of, processes_of, runs, without_a_missed_beat};

/// Does something to the terminal of a controller that a shell started, at each size; and leaves.
fn at_each_size(what: &str, mut accident: impl FnMut(&mut Terminal, &Alpha)) {
    let (alpha, twin) = (Alpha::new(), Alpha::new());
    let _calm = twin.in_a_shell(SIZES[0]);
    let (mut terminal, modes) = alpha.in_a_shell(SIZES[0]);
    let raw = terminal.modes();
    assert_ne!(raw, modes);
    for size in SIZES {
        terminal.resize(size);
        terminal.send(b"\x0c");
        shows_keys(&terminal, size);
        let before = alpha.status();
        without_a_missed_beat(&format!("{what} at {size:?}"), &alpha, &twin, || {
            accident(&mut terminal, &alpha);
            shows_keys(&terminal, size);
        });
        let after = alpha.status();
        assert_eq!((after.mode, after.term, after.plan), (before.mode, before.term, None), "{what} at {size:?}");
        assert!(!after.events.iter().any(|event| event.text.contains("take over")), "{what} at {size:?}");
    }
    terminal.press("q");
    terminal.shows("The controller runs on");
    terminal.shows("prompt>");
    terminal.is_as_it_was(&modes);
    assert!(alpha.answers());
}

/// The screen stands: row 1 at the top, the keys at the bottom.
fn shows_keys(terminal: &Terminal, (_, rows): (u16, u16)) {
    terminal.until("rows and keys stand at their places", |text| {
        let lines: Vec<&str> = text.lines().collect();
        terminal.alternate()
            && lines.first().is_some_and(|line| line.contains("alpha") && line.contains("PRIMARY"))
            && lines.get(usize::from(rows) - 2).is_some_and(|line| line.contains("q leave"))
    });
}

#[test]
fn u8_ctrl_z_and_fg_at_every_size() {
    at_each_size("Ctrl-Z and fg", |terminal, alpha| {
        terminal.send(b"\x1a");
        eventually("the shell has the terminal", || !terminal.alternate() && terminal.text().contains("Stopped"));
        terminal.send(b"echo is $((40 + 2))\r");
        terminal.shows("is 42");
        assert!(alpha.answers());
        terminal.send(b"clear; fg\r");
    });
}

#[test]
fn u8_ctrl_c_says_how_to_leave_and_cancels_a_plan() {
    at_each_size("Ctrl-C", |terminal, alpha| {
        terminal.send(b"\x03");
        terminal.shows("q leaves the screen");
        terminal.press("a");
        terminal.shows("Esc leaves it");
        terminal.press("h");
        let mut number = None;
        eventually("the plan is open", || {
            number = alpha.status().plan.map(|plan| plan.number);
            number.is_some()
        });
        terminal.shows(&format!("plan {}", number.expect("waited for")));
        terminal.send(b"\x03");
        eventually("the plan is closed", || alpha.status().plan.is_none());
        assert!(alpha.status().hold.is_none());
    });
}

#[test]
fn u8_a_stopped_job_comes_back_at_every_size() {
    at_each_size("SIGSTOP of the job", |terminal, alpha| {
        let shell = terminal.pid().as_raw();
        let of_shell = |pid: &i32| parent_of(*pid) == Some(shell);
        let stand_in = processes_of(alpha.folder()).into_iter().find(of_shell).expect("a stand-in");
        kill(Pid::from_raw(stand_in), Signal::SIGSTOP).expect("stopped");
        terminal.is_given_back();
        assert!(alpha.answers());
        terminal.send(b"clear; fg\r");
    });
}

#[test]
fn u8_pasted_text_and_torn_sequences_are_no_commands_at_every_size() {
    at_each_size("paste, torn sequences, unknown keys", |terminal, alpha| {
        // Each remark takes the place of the one before: what is waited for is this paste's own, or this key's.
        terminal.send(b"\x1b[200~ax\rq\x1b[201~");
        terminal.shows("pasted text is never");
        terminal.press_until("л", "keyboard layout?");
        terminal.send(b"ah47\rq");
        terminal.shows("pasted text is never");
        // A byte, and 100 ms later the next: a slow line that tears everything apart.
        for byte in b"\x1b[B\x1b[6~\x1bOA\x1b[200~ahq\x1b[201~" {
            terminal.send(&[*byte]);
            std::thread::sleep(Duration::from_millis(100));
        }
        terminal.press_until("л", "keyboard layout?");
        // What was typed before the dialog could be seen does not reach it.
        terminal.press("a");
        terminal.send(b"h\r");
        std::thread::sleep(Duration::from_millis(40));
        terminal.send(b"\x1b");
        terminal.shows("pasted text is never");
        eventually("no plan stays open", || alpha.status().plan.is_none());
        assert!(alpha.status().hold.is_none());
        // On a line that tears, Esc waits for its tail; a key of a hand comes after that.
        terminal.press_until("л", "keyboard layout?");
    });
}

#[test]
fn u8_a_storm_of_resizes_ends_at_the_right_size() {
    at_each_size("resizes", |terminal, _| {
        let size = terminal.master.get_size().expect("a size");
        for round in 0..20u16 {
            for (columns, rows) in [(20 + round, 5), (300 - round, 100), (1, 1), (40, 6)] {
                terminal.resize((columns, rows));
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        terminal.resize((20, 5));
        shows_keys(terminal, (20, 5));
        terminal.resize((300, 100));
        shows_keys(terminal, (300, 100));
        terminal.resize((size.cols, size.rows));
    });
}

#[test]
fn u8_a_reader_that_stalls_for_twenty_seconds_delays_nobody() {
    let (alpha, twin) = (Alpha::new(), Alpha::new());
    let _calm = twin.in_a_shell((200, 60));
    let (mut terminal, modes) = alpha.in_a_shell((200, 60));
    let beats = Beats::watch(&alpha, &twin);
    terminal.stall();
    // Full frames, until the line has taken all that it takes.
    for _ in 0..200 {
        terminal.send(b"\x0c");
        assert!(alpha.answers());
        std::thread::sleep(Duration::from_millis(100));
    }
    // What blocked on the terminal would block for most of the stall.
    beats.did_not_stand_still(&alpha, &twin, Duration::from_secs(2));
    terminal.flow();
    // What a screen of this size does not show by itself: once it is there, the key has been read.
    terminal.press("?");
    terminal.shows("Esc goes back");
    terminal.press("q");
    terminal.shows("The controller runs on");
    terminal.is_as_it_was(&modes);
}

#[test]
fn u3_hang_up_ends_the_screen_and_not_the_controller() {
    let (alpha, twin) = (Alpha::new(), Alpha::new());
    let _calm = twin.in_a_shell(SIZES[0]);
    let (terminal, modes) = alpha.in_a_shell(SIZES[0]);
    let shell = terminal.pid().as_raw();
    let processes = processes_of(alpha.folder());
    let stand_in = processes.iter().copied().find(|pid| parent_of(*pid) == Some(shell)).expect("a stand-in");
    let beats = Beats::watch(&alpha, &twin);
    kill(Pid::from_raw(stand_in), Signal::SIGHUP).expect("hung up");
    terminal.is_as_it_was(&modes);
    eventually("one process goes on", || processes_of(alpha.folder()).iter().filter(|pid| runs(**pid)).count() == 1);
    beats.did_not_stand_still(&alpha, &twin, Duration::from_millis(250));
    assert_eq!(alpha.status().mode, Mode::Primary);
}

#[test]
fn u8_a_killed_engine_leaves_the_terminal_as_it_was_and_says_so() {
    let alpha = Alpha::new();
    let (mut terminal, modes) = alpha.in_a_shell(SIZES[0]);
    let shell = terminal.pid().as_raw();
    let processes = processes_of(alpha.folder());
    let stand_in = processes.iter().copied().find(|pid| parent_of(*pid) == Some(shell)).expect("a stand-in");
    let engine = processes.iter().copied().find(|pid| parent_of(*pid) == Some(stand_in)).expect("an engine");
    kill(Pid::from_raw(engine), Signal::SIGKILL).expect("killed");
    terminal.shows("was ended by SIGKILL");
    terminal.is_as_it_was(&modes);
    terminal.send(b"echo status $? $((40 + 2))\r");
    terminal.shows("status 1 42");
}

#[test]
fn u8_a_killed_stand_in_leaves_the_terminal_as_it_was_and_the_controller_running() {
    let alpha = Alpha::new();
    let (mut terminal, modes) = alpha.in_a_shell(SIZES[0]);
    let shell = terminal.pid().as_raw();
    let of_shell = |pid: &i32| parent_of(*pid) == Some(shell);
    let stand_in = processes_of(alpha.folder()).into_iter().find(of_shell).expect("a stand-in");
    kill(Pid::from_raw(stand_in), Signal::SIGKILL).expect("killed");
    terminal.is_as_it_was(&modes);
    terminal.send(b"echo is $((40 + 2))\r");
    terminal.shows("is 42");
    assert!(alpha.answers());
}

#[test]
fn u8_an_error_at_the_start_gives_the_terminal_back_and_is_read() {
    let alpha = Alpha::new();
    let _running = alpha.headless();
    let mut terminal = Terminal::start("sh", &["-i"], alpha.folder(), &[]);
    terminal.shows("prompt>");
    let modes = terminal.modes();
    // The state directory is the first's.
    terminal.send(format!("{} run --config {} --as alpha; echo status $?\r", binary(), alpha.config()).as_bytes());
    terminal.shows("status 1");
    assert!(terminal.text().contains("tandem: "), "{}", terminal.text());
    terminal.is_as_it_was(&modes);
}

#[test]
fn u8_a_demo_whose_own_process_is_killed_leaves_the_terminal_as_it_was() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start("sh", &["-i"], temp.path(), &[]);
    terminal.shows("prompt>");
    let modes = terminal.modes();
    terminal.send(format!("{} demo\r", binary()).as_bytes());
    terminal.shows("ONE ACTS");
    let shell = terminal.pid().as_raw();
    let processes = processes_of(temp.path());
    let stand_in = processes.iter().copied().find(|pid| parent_of(*pid) == Some(shell)).expect("a stand-in");
    let engine = |pid: &i32| {
        parent_of(*pid) == Some(stand_in)
            && std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("tandem"))
    };
    let engine = processes.iter().copied().find(engine).expect("an engine");
    kill(Pid::from_raw(engine), Signal::SIGKILL).expect("killed");
    terminal.shows("was ended by SIGKILL");
    terminal.is_as_it_was(&modes);
    eventually("no file is left", || std::fs::read_dir(temp.path()).expect("the folder").next().is_none());
}

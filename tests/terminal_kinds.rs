//! Terminals of all kinds, and what `attach` does in them: poor ones, dumb ones, inside tmux and screen; controllers that
//! come from another version or greet and say no more (U3, U8).

#[path = "support/mod.rs"]
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use support::{Folder, Part, Running, binary, require, temporary_folder};
use tandem::control::request::{Hello, Reply};
use tandem::control::status::{Alarm, AlarmClass, SCHEMA, Status};
use terminal::{Alpha, Beats, Terminal, eventually, runs};

#[test]
fn u8_every_kind_of_terminal_gets_what_it_can_show() {
    let alpha = Alpha::new();
    let _running = alpha.headless();
    // TERM, LC_ALL, NO_COLOR; whether glyphs, colours and a title are expected.
    let kinds = [
        ("xterm-256color", "C.UTF-8", "", true, true, true),
        ("xterm", "C", "", false, true, true),
        ("vt100", "C.UTF-8", "", false, true, false),
        ("ansi", "C.UTF-8", "", false, true, false),
        ("linux", "C.UTF-8", "", true, true, false),
        ("tmux-256color", "C.UTF-8", "", true, true, true),
        ("screen", "C.UTF-8", "1", true, false, true),
    ];
    for (term, locale, no_color, glyphs, colours, title) in kinds {
        let mut terminal = alpha.attached(&[], &[("TERM", term), ("LC_ALL", locale), ("NO_COLOR", no_color)]);
        let modes = Terminal::start("sleep", &["60"], alpha.folder(), &[]).modes();
        terminal.shows(if glyphs { "■ PRIMARY" } else { "# PRIMARY" });
        terminal.shows("q leave");
        terminal.press("a");
        terminal.shows("One letter opens a plan");
        terminal.send(b"\x1b");
        eventually("the menu is closed", || !terminal.text().contains("One letter opens a plan"));
        terminal.press("q");
        assert_eq!(terminal.exit(), 0, "{term}");
        terminal.is_as_it_was(&modes);
        let bytes = terminal.bytes();
        let kind = format!("{term}, {locale}, NO_COLOR={no_color}");
        assert_eq!(bytes.is_ascii(), !glyphs, "{kind}");
        let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        assert_eq!(has(b";31") || has(b";33"), colours, "{kind}");
        assert_eq!(has(b"\x1b]2;"), title, "{kind}");
        // Weight tells the same without colours.
        assert!(has(b"\x1b[;1"), "{kind}");
    }
}

#[test]
fn u8_without_a_terminal_worth_drawing_on_lines_are_printed() {
    let alpha = Alpha::new();
    let config = alpha.config();
    let mut dumb =
        Terminal::start(binary(), &["run", "--config", &config, "--as", "alpha"], alpha.folder(), &[("TERM", "dumb")]);
    dumb.shows("tandem run --headless");
    dumb.shows("status --watch");
    assert_eq!(dumb.exit(), 2);
    let _running = alpha.headless();
    let dumb = alpha.attached(&[], &[("TERM", "dumb")]);
    dumb.shows("PRIMARY");
    dumb.shows("NEVER HEARD");
    let bytes = dumb.bytes();
    assert!(!bytes.contains(&0x1b), "{}", String::from_utf8_lossy(&bytes));
    // Nor without a terminal at all.
    let mut piped = Command::new(binary());
    piped.args(["attach", "--config", &config, "--as", "alpha"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut piped = Running::start(piped);
    let mut out = std::io::BufReader::new(piped.child().stdout.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).expect("a line");
    assert!(line.contains("alpha") && line.contains("PRIMARY"), "{line}");
}

#[test]
fn u8_signals_to_an_attached_screen_give_the_terminal_back() {
    let alpha = Alpha::new();
    let _running = alpha.headless();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        let mut shell = Terminal::start("sh", &["-i"], alpha.folder(), &[]);
        shell.shows("prompt>");
        let modes = shell.modes();
        shell.send(format!("{} attach --config {} --as alpha\r", binary(), alpha.config()).as_bytes());
        shell.shows("■ PRIMARY");
        let of_shell = |pid: &i32| terminal::parent_of(*pid) == Some(shell.pid().as_raw());
        let screen = terminal::processes_of(alpha.folder()).into_iter().find(of_shell).expect("a screen");
        kill(nix::unistd::Pid::from_raw(screen), Signal::SIGTSTP).expect("told");
        eventually("the shell has the terminal", || !shell.alternate() && shell.text().contains("Stopped"));
        shell.send(b"clear; fg\r");
        shell.shows("q leave");
        kill(nix::unistd::Pid::from_raw(screen), signal).expect("told");
        shell.is_given_back();
        shell.send(b"echo is $((40 + 2))\r");
        shell.shows("is 42");
        shell.is_as_it_was(&modes);
    }
    assert!(alpha.answers());
}

#[test]
fn u8_inside_tmux_and_after_its_server_is_killed() {
    if !require(Part::Tmux) {
        return;
    }
    let alpha = Alpha::new();
    let socket = alpha.folder().join("tmux").display().to_string();
    let run = format!("{} run --config {} --as alpha", binary(), alpha.config());
    let tmux = |arguments: &[&str]| {
        let mut command = Command::new("tmux");
        command.args(["-u", "-S", &socket, "-f", "/dev/null"]).args(arguments);
        for (name, value) in [("LC_ALL", "C.UTF-8"), ("TERM", "xterm-256color")] {
            command.env(name, value);
        }
        command.env_remove("TMUX").env_remove("NO_COLOR").output().expect("tmux runs")
    };
    let started = tmux(&["new-session", "-d", "-x", "100", "-y", "30", &run]);
    assert!(started.status.success(), "{}", support::stderr(&started));
    let shows = |wanted: &str| {
        eventually(wanted, || support::stdout(&tmux(&["capture-pane", "-p"])).contains(wanted));
    };
    shows("■ PRIMARY");
    tmux(&["send-keys", "w"]);
    shows("Why alpha is PRIMARY");
    tmux(&["resize-window", "-x", "60", "-y", "12"]);
    shows("q leave");
    let twin = Alpha::new();
    let _calm = twin.in_a_shell(terminal::SIZES[0]);
    let beats = Beats::watch(&alpha, &twin);
    // The terminal closes under the screen: its other end is gone.
    let server = support::stdout(&tmux(&["display-message", "-p", "#{pid}"])).trim().parse().expect("a pid");
    kill(nix::unistd::Pid::from_raw(server), Signal::SIGKILL).expect("killed");
    eventually("one process goes on", || {
        terminal::processes_of(alpha.folder()).iter().filter(|pid| runs(**pid)).count() == 1
    });
    beats.did_not_stand_still(&alpha, &twin, Duration::from_millis(250));
}

#[test]
fn u8_inside_screen() {
    if !require(Part::Screen) {
        return;
    }
    let alpha = Alpha::new();
    let _running = alpha.headless();
    let attach = format!("{} attach --config {} --as alpha", binary(), alpha.config());
    // Its own place for sockets may be missing on a fresh machine, and another's.
    let sockets = alpha.folder().join("screens");
    std::fs::DirBuilder::new().mode(0o700).create(&sockets).expect("a folder");
    let own = [("SCREENDIR", sockets.to_str().expect("a plain path"))];
    let mut terminal = Terminal::start("screen", &["-c", "/dev/null", "-U", "sh", "-c", &attach], alpha.folder(), &own);
    terminal.shows("PRIMARY");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
}

/// A controller that says what the test wants.
struct Puppet {
    folder: Folder,
    told: mpsc::Sender<Reply>,
}

impl Puppet {
    fn new(schema: u32, version: &str) -> Puppet {
        let folder = temporary_folder();
        let listener = UnixListener::bind(folder.path().join("alpha.sock")).expect("bound");
        let hello = Reply::Hello(Hello {
            schema,
            node: "alpha".to_owned(),
            group: "g".to_owned(),
            version: version.to_owned(),
            may_operate: true,
            you_are: "ops".to_owned(),
            state_directory: String::new(),
        });
        let (told, replies) = mpsc::channel::<Reply>();
        std::thread::spawn(move || {
            let mut streams: Vec<UnixStream> = Vec::new();
            let say = |stream: &mut UnixStream, reply: &Reply| {
                let line = serde_json::to_string(reply).expect("a line");
                // Who only looked whether somebody is there has left.
                drop(writeln!(stream, "{line}"));
            };
            listener.set_nonblocking(true).expect("an option");
            loop {
                if let Ok((mut stream, _)) = listener.accept() {
                    say(&mut stream, &hello);
                    streams.push(stream);
                }
                match replies.recv_timeout(Duration::from_millis(2)) {
                    Ok(reply) => streams.iter_mut().for_each(|stream| say(stream, &reply)),
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Puppet { folder, told }
    }

    fn attached(&self) -> Terminal {
        let socket = self.folder.path().join("alpha.sock").display().to_string();
        Terminal::start(binary(), &["attach", "--socket", &socket], self.folder.path(), &[])
    }

    fn says(&self, status: &Status) {
        self.told.send(Reply::Status(std::sync::Arc::new(status.clone()))).expect("told");
    }
}

fn a_status() -> Status {
    let alpha = Alpha::new();
    let _running = alpha.headless();
    Status { alarms: Vec::new(), ..alpha.status() }
}

#[test]
fn u3_a_controller_of_another_version_is_said_and_one_that_only_greets_is_no_news() {
    // Before anything stands on the screen for a while only.
    let status = a_status();
    let puppet = Puppet::new(SCHEMA, "9.9.9");
    let mut terminal = puppet.attached();
    terminal.shows("alpha is tandem 9.9.9");
    terminal.shows("?? NO NEWS for");
    puppet.says(&status);
    terminal.shows("■ PRIMARY");
    terminal.shows("alpha is tandem 9.9.9");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    let puppet = Puppet::new(SCHEMA + 1, "9.9.9");
    puppet.attached().shows(&format!("speaks status schema {}", SCHEMA + 1));
}

#[test]
fn u13_a_new_alarm_rings_once_and_stands_in_the_title() {
    let (puppet, calm) = (Puppet::new(SCHEMA, env!("CARGO_PKG_VERSION")), a_status());
    let alarm = |class| Alarm {
        id: "two_act".to_owned(),
        class,
        text: "two act".to_owned(),
        first: "Look.".to_owned(),
        then: vec!["Act.".to_owned()],
        do_not: "wait".to_owned(),
        since_ms: 0,
        seen: None,
    };
    let mut terminal = puppet.attached();
    eventually("it watches", || {
        puppet.says(&calm);
        terminal.title() == "tandem alpha"
    });
    puppet.says(&Status { alarms: vec![alarm(AlarmClass::Warning)], ..calm.clone() });
    terminal.shows("two act");
    assert_eq!((terminal.bells(), terminal.title().as_str()), (0, "tandem alpha"), "a warning does not ring");
    let ringing = Status { alarms: vec![alarm(AlarmClass::Alarm)], ..calm.clone() };
    for _ in 0..3 {
        puppet.says(&ringing);
    }
    eventually("the title says so", || terminal.title() == "ALARM alpha");
    // What is drawn after the three came after their bells.
    terminal.press("w");
    terminal.shows("Why alpha");
    assert_eq!(terminal.bells(), 1);
    puppet.says(&calm);
    eventually("the title is calm again", || terminal.title() == "tandem alpha");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    // Its last bytes may be read a moment after it ended.
    eventually("the title is taken off", || terminal.title().is_empty());
    assert_eq!(terminal.bells(), 1);
}

#[test]
fn u8_a_slow_line_is_never_more_than_a_frame_behind() {
    let alpha = Alpha::new();
    let _running = alpha.headless();
    let mut shell = Terminal::start("sh", &["-i"], alpha.folder(), &[]);
    shell.shows("prompt>");
    // As SSH passes it on from a serial console: 960 bytes a second.
    let attach = format!("stty 9600; {} attach --config {} --as alpha\r", binary(), alpha.config());
    shell.send(attach.as_bytes());
    shell.shows("q leave");
    let from = Instant::now();
    let before = shell.count();
    let mut keys = "w1w1w1w1w1".chars();
    while from.elapsed() < Duration::from_secs(4) {
        if let Some(key) = keys.next() {
            shell.press(&key.to_string());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let (bytes, seconds) = (shell.count() - before, from.elapsed().as_secs_f64());
    // Half a second's bytes may be on their way when the counting starts and when it ends.
    assert!((bytes as f64) < 960.0 * (seconds + 1.0), "{bytes} bytes in {seconds:.1} s");
    // Counted in what the line carries, which is slower still on a busy machine.
    let before = shell.count();
    shell.press("w");
    shell.shows("Why alpha");
    let bytes = shell.count() - before;
    assert!(bytes < 5 * 960, "the view that was asked for comes whole, and not after {bytes} bytes");
    shell.press("q");
}

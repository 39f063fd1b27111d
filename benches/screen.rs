//! The figures of the screen: the real program in a pseudo-terminal, read through a terminal emulator, each printed with
//! its distribution.
//!
//! `cargo bench --bench screen` prints all; `cargo bench --bench screen -- steady keys` only some.

#[path = "../tests/support/group.rs"]
mod group;
#[path = "support/measured.rs"]
mod measured;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/support/terminal.rs"]
mod terminal;

use std::time::{Duration, Instant};

use group::{Group, NAMES, PATIENCE};
use measured::{cpu, ms, print};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tandem::control::plan::Action;
use tandem::control::status::{Mode, Status};
use tandem::journal::Entry;
use tandem::negotiation::message::Mode::Primary as Acts;
use terminal::{Terminal, eventually, processes_of, runs};

const SIZES: [(u16, u16); 2] = [(120, 40), (80, 24)];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let all: [(&str, fn()); 8] = [
        ("steady", steady),
        ("first", first),
        ("frame", frame),
        ("keys", keys),
        ("change", change),
        ("slow", slow),
        ("twenty", twenty),
        ("lost", lost),
    ];
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure();
        }
    }
}

/// A settled pair; the Primary first.
fn pair() -> (Group, [usize; 2]) {
    let mut pair = Group::new(2, "");
    pair.start_all();
    let primary = pair.settle();
    (pair, [primary, 1 - primary])
}

fn attach(pair: &Group, member: usize, size: (u16, u16)) -> Terminal {
    let socket = pair.socket(member).display().to_string();
    Terminal::sized(size, support::binary(), &["attach", "--socket", &socket], pair.folder(), &[])
}

fn role(at: usize) -> &'static str {
    if at == 0 { "Primary" } else { "Secondary" }
}

/// Bytes a second and CPU, nothing happening, in each of 30 seconds.
fn steady() {
    let (pair, members) = pair();
    let screens: Vec<_> = members
        .iter()
        .enumerate()
        .flat_map(|(at, member)| SIZES.map(|size| (at, size, attach(&pair, *member, size))))
        .collect();
    for (.., screen) in &screens {
        screen.shows("q leave");
    }
    std::thread::sleep(Duration::from_secs(3));
    let look = || screens.iter().map(|(.., screen)| (screen.count(), cpu(screen.pid().as_raw()))).collect::<Vec<_>>();
    let mut seconds = vec![look()];
    for _ in 0..30 {
        std::thread::sleep(Duration::from_secs(1));
        seconds.push(look());
    }
    for (one, (at, (columns, rows), _)) in screens.iter().enumerate() {
        let bytes = seconds.windows(2).map(|pair| (pair[1][one].0 - pair[0][one].0) as f64).collect();
        print(&format!("steady at {columns}x{rows} on a {}", role(*at)), "B/s", bytes);
        let share = seconds.windows(2).map(|pair| (pair[1][one].1 - pair[0][one].1) / 10.0).collect();
        print(&format!("steady at {columns}x{rows} on a {}, of a core", role(*at)), "%", share);
    }
}

fn first() {
    let (pair, members) = pair();
    for size in SIZES {
        let mut values = Vec::new();
        for _ in 0..30 {
            let from = Instant::now();
            let mut screen = attach(&pair, members[1], size);
            while !whole(&screen.text()) {
                std::thread::sleep(Duration::from_micros(200));
            }
            values.push(ms(from.elapsed()));
            screen.press("q");
            screen.exit();
        }
        print(&format!("exec of attach -> first full frame, {}x{}", size.0, size.1), "ms", values);
    }
}

/// Row 1, a panel and the keys.
fn whole(text: &str) -> bool {
    text.contains("you are on") && text.contains("─ Link") && text.contains("q leave")
}

fn frame() {
    let (pair, members) = pair();
    for size in SIZES {
        let mut screen = attach(&pair, members[1], size);
        let mut values = Vec::new();
        for key in ["1", "2", "3", "4", "5", "6", "?"].iter().cycle().take(21) {
            screen.press(key);
            std::thread::sleep(Duration::from_millis(1100));
            drop(screen.bytes());
            let at = screen.count();
            screen.press("\x0c");
            eventually("it is drawn anew", || screen.count() > at);
            std::thread::sleep(Duration::from_millis(20));
            values.push(full_frame(&screen.bytes()) as f64);
        }
        print(&format!("a full frame at {}x{}, every view", size.0, size.1), "B", values);
    }
}

/// The length of the frame that begins with erasing everything.
fn full_frame(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let frames = text.split_inclusive("\x1b[?2026l");
    frames.filter(|frame| frame.contains("\x1b[2J")).map(str::len).max().unwrap_or(0)
}

fn keys() {
    let (pair, members) = pair();
    for size in SIZES {
        let mut screen = attach(&pair, members[1], size);
        screen.shows("q leave");
        std::thread::sleep(Duration::from_secs(1));
        let mut values = Vec::new();
        // The view of a reason has the screen to itself; where there is room, the panel of that name stands there anyway.
        let (shown, gone) = (true, false);
        let turns = [
            ("w", "─ Link", gone),
            ("1", "─ Link", shown),
            ("?", "this help", shown),
            ("1", "─ Link", shown),
            ("a", "One letter opens", shown),
        ];
        for (turn, (key, sign, there)) in turns.iter().cycle().take(200).enumerate() {
            // A moment that wanders through the second, so that it meets the frames of the clock and of replies too.
            std::thread::sleep(Duration::from_millis(250 + (turn as u64 * 37) % 100));
            let from = Instant::now();
            screen.send(key.as_bytes());
            while screen.text().contains(sign) != *there {
                std::thread::sleep(Duration::from_micros(50));
            }
            values.push(ms(from.elapsed()));
            if *key == "a" {
                screen.send(b"\x7f");
            }
        }
        print(&format!("key -> screen, {}x{}", size.0, size.1), "ms", values);
        let mut values = Vec::new();
        for _ in 0..20 {
            screen.press("w");
            eventually("the reason has the screen to itself", || !screen.text().contains("─ Link"));
            std::thread::sleep(Duration::from_millis(300));
            let from = Instant::now();
            screen.send(b"\x1b");
            while !screen.text().contains("─ Link") {
                std::thread::sleep(Duration::from_micros(50));
            }
            values.push(ms(from.elapsed()));
        }
        print("  Esc alone, which may have a tail", "ms", values);
    }
}

/// From the peer's own status to this member's screen.
fn change() {
    let (pair, members) = pair();
    let mut values = [Vec::new(), Vec::new()];
    let mut screen = attach(&pair, members[1], (120, 40));
    screen.shows("q leave");
    for _ in 0..15 {
        // The peer becomes Secondary, then Primary again: by the peer's own word, as an operator gives it.
        for (turn, (action, mode)) in
            [(Action::StepDown, Mode::Secondary), (Action::TakeOver, Mode::Primary)].into_iter().enumerate()
        {
            std::thread::sleep(Duration::from_millis(700));
            let mut watch = pair.watch(members[0]);
            let wanted = if mode == Mode::Primary { "■ PRIMARY" } else { "○ SECONDARY" };
            let screen = &mut screen;
            std::thread::scope(|scope| {
                let peer = scope.spawn(move || watch.until(PATIENCE, "it has changed", |status| status.mode == mode).1);
                let seen = scope.spawn(move || {
                    let until = Instant::now() + PATIENCE;
                    while !screen.text().lines().nth(1).is_some_and(|row| row.contains(wanted)) {
                        assert!(Instant::now() < until, "never shown:\n{}", screen.text());
                        std::thread::sleep(Duration::from_micros(100));
                    }
                    Instant::now()
                });
                pair.act(members[0], action);
                let (peer, seen) = (peer.join().expect("joined"), seen.join().expect("joined"));
                values[turn].push(ms(seen.saturating_duration_since(peer)));
            });
        }
    }
    let [down, up] = values;
    print("the peer is Secondary by its own status -> on this screen", "ms", down);
    print("the peer is Primary by its own status -> on this screen", "ms", up);
    let (mut pair, members) = self::pair();
    let screen = attach(&pair, members[0], (120, 40));
    screen.shows("q leave");
    let mut values = Vec::new();
    for _ in 0..15 {
        eventually("both are there", || screen.text().contains("○ SECONDARY"));
        std::thread::sleep(Duration::from_millis(700));
        let from = Instant::now();
        pair.signal(members[1], Signal::SIGKILL);
        while !screen.text().contains("CRASHED") {
            std::thread::sleep(Duration::from_micros(100));
        }
        values.push(ms(from.elapsed()));
        pair.kill(members[1]);
        pair.start(members[1]);
    }
    print("kill -9 of the peer -> CRASHED on this screen", "ms", values);
}

/// A line of 1 kB/s, read as slowly as it is: what a key waits for, and how much is on its way.
fn slow() {
    let (pair, members) = pair();
    let socket = pair.socket(members[1]).display().to_string();
    for (what, line) in [("that says so (stty 9600)", "stty 9600; "), ("that says nothing", "")] {
        let run = format!("{line}exec {} attach --socket {socket}", support::binary());
        let mut screen = Terminal::start("sh", &["-c", &run], pair.folder(), &[]);
        screen.read_at_most(1000);
        screen.shows("q leave");
        std::thread::sleep(Duration::from_secs(4));
        let mut first = Vec::new();
        let mut full = Vec::new();
        for (key, wanted) in
            [("w", "Why "), ("1", "─ Link"), ("2", "─ Link"), ("4", "─ Events")].iter().cycle().take(12)
        {
            let before = screen.text();
            let from = Instant::now();
            screen.send(key.as_bytes());
            while screen.text().lines().skip(3).eq(before.lines().skip(3)) {
                std::thread::sleep(Duration::from_millis(1));
            }
            first.push(ms(from.elapsed()));
            screen.shows(wanted);
            full.push(ms(from.elapsed()));
            std::thread::sleep(Duration::from_millis(700));
        }
        print(&format!("1 kB/s {what}: key -> first cells"), "ms", first);
        print("  key -> the view asked for is there", "ms", full);
    }
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("for some time to come")
}

/// Twenty screens on the member that takes over, one of them stopped.
fn twenty() {
    for screens in [0, 20] {
        let (mut pair, mut members) = pair();
        let (mut values, mut acted) = (Vec::new(), Vec::new());
        for _ in 0..15 {
            let [primary, other] = members;
            let attached: Vec<Terminal> = (0..screens).map(|_| attach(&pair, other, (80, 24))).collect();
            for screen in &attached {
                screen.shows("q leave");
            }
            if let Some(screen) = attached.first() {
                kill(screen.pid(), Signal::SIGSTOP).expect("stopped");
            }
            std::thread::sleep(Duration::from_millis(500));
            let mut watch = pair.watch(other);
            let (from, wall) = (Instant::now(), unix_ms());
            pair.signal(primary, Signal::SIGKILL);
            let (_, at) = watch.until(PATIENCE, "the other is Primary", |status: &Status| status.mode == Mode::Primary);
            values.push(ms(at - from));
            drop(attached);
            let is_it = |record: &tandem::journal::Record| {
                record.unix_ms >= wall && matches!(&record.entry, Entry::Decision(decision) if decision.mode == Acts)
            };
            eventually("the decision is in the journal", || pair.journal(other).iter().any(is_it));
            let decided = pair.journal(other).into_iter().find(is_it).expect("waited for");
            acted.push((decided.unix_ms - wall) as f64);
            pair.kill(primary);
            pair.start(primary);
            let primary = pair.settle();
            members = [primary, 1 - primary];
        }
        print(&format!("kill -9 of the Primary -> the other acts, {screens} screens"), "ms", acted);
        print("  -> a watcher beside those screens knows it", "ms", values);
    }
}

/// What a controller costs after its terminal is gone, and one that never had any.
fn lost() {
    let mut pair = Group::new(2, "");
    let config = pair.config.display().to_string();
    pair.start(1);
    let measure = |pid: Pid| {
        std::thread::sleep(Duration::from_secs(2));
        let mut values = Vec::new();
        for _ in 0..20 {
            let before = cpu(pid.as_raw());
            std::thread::sleep(Duration::from_secs(1));
            values.push(cpu(pid.as_raw()) - before);
        }
        values
    };
    pair.start(0);
    pair.settle();
    let headless = measure(Pid::from_raw(pair.running(0).pid()));
    print("a headless controller", "ms/s", headless);
    pair.stop(0);
    let terminal =
        Terminal::start(support::binary(), &["run", "--config", &config, "--as", NAMES[0]], pair.folder(), &[]);
    terminal.shows("q leave");
    let stand_in = terminal.pid().as_raw();
    let mut engine = None;
    eventually("the engine has its own process", || {
        let mut processes = processes_of(pair.folder()).into_iter();
        engine = processes.find(|pid| runs(*pid) && terminal::parent_of(*pid) == Some(stand_in));
        engine.is_some()
    });
    let engine = Pid::from_raw(engine.expect("waited for"));
    // The stand-in is killed, as with its whole terminal: the screen hears a hang-up.
    kill(Pid::from_raw(stand_in), Signal::SIGKILL).expect("killed");
    drop(terminal);
    print("a controller that lost its terminal", "ms/s", measure(engine));
    kill(engine, Signal::SIGKILL).expect("killed");
}

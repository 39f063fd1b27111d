//! The pictures and the cast of the README, made from the real program and held to it (U8, U9).
//!
//! `TANDEM_PICTURES=make cargo test --test pictures` makes them anew in assets/; without it, the test fails when the
//! program does not look like its pictures any more. What differs from run to run is masked: times, ages, round trips.

mod support {
    #[path = "picture.rs"]
    pub mod picture;
    #[path = "pty.rs"]
    pub mod pty;
}

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::picture::{masked, svg, text_of};
use support::pty::{PATIENCE, Recording, Terminal};

const TANDEM: &str = env!("CARGO_BIN_EXE_tandem");
const SIZE: (u16, u16) = (80, 24);
/// How long a scene of the cast stands, so that it can be read.
const TO_READ: Duration = Duration::from_secs(4);

fn asset(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

fn making() -> bool {
    std::env::var_os("TANDEM_PICTURES").is_some()
}

/// Makes the picture, or holds the program to it: what it shows has to become what the picture shows, and a busy machine
/// gets its time for that.
fn picture(name: &str, says: &str, terminal: &Terminal) {
    let path = asset(&format!("{name}.svg"));
    if making() {
        std::fs::write(&path, svg(&terminal.screen(), says)).expect("the picture can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let rows = |svg: &str| compared(&text_of(svg)).join("\n");
    let until = Instant::now() + PATIENCE;
    let mut made = svg(&terminal.screen(), says);
    while rows(&made) != rows(&kept) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
        made = svg(&terminal.screen(), says);
    }
    assert_eq!(
        rows(&made),
        rows(&kept),
        "{name} does not look like its picture any more; if that is wanted: TANDEM_PICTURES=make cargo test --test pictures"
    );
}

/// The rows that are held to the picture, masked. Events and replies, which begin with a time, are the run's own: how
/// many there are yet, and the user's name.
fn compared(rows: &[String]) -> Vec<String> {
    let kept = |row: &String| {
        let times = row.starts_with(|first: char| first.is_ascii_digit());
        // So many as there is room for below them.
        let process = row.contains(" pid ") || row.contains(" runs only on ");
        !times && !process && !row.starts_with("before it") && !row.starts_with("different")
    };
    rows.iter().map(|row| masked(row)).filter(kept).collect()
}

/// The cast of everything that was seen, in asciinema's format: pauses are shortened to what reading takes.
fn cast(recording: &Recording) -> String {
    let (columns, rows) = SIZE;
    let header = serde_json::json!({
        "version": 2, "width": columns, "height": rows, "title": "tandem demo", "env": { "TERM": "xterm-256color" }
    });
    let mut cast = format!("{header}\n");
    let mut bytes = Vec::new();
    for (at, more) in recording {
        bytes.extend_from_slice(more);
        // A letter may be cut in two by the reading; the rest comes with the next piece.
        let whole = match std::str::from_utf8(&bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text: Vec<u8> = bytes.drain(..whole).collect();
        let text = String::from_utf8(text).expect("checked above");
        if !text.is_empty() {
            writeln!(cast, "{}", serde_json::json!([at.as_millis() as f64 / 1000.0, "o", text]))
                .expect("a string grows");
        }
    }
    cast
}

/// Plays a cast; every screen that it shows for a moment, masked.
fn played(cast: &str) -> Vec<String> {
    let (columns, rows) = SIZE;
    let size = |cells: u16| std::num::NonZero::new(cells).expect("not zero");
    let mut screen = vt100::Parser::new(size(rows), size(columns), 0);
    let mut screens = Vec::new();
    for line in cast.lines().skip(1) {
        let (_, kind, text): (f64, String, String) = serde_json::from_str(line).expect("an event of the format");
        assert_eq!(kind, "o");
        screen.process(text.as_bytes());
        screens.push(screen.screen().contents());
    }
    screens
}

/// Lets a scene stand while a cast is made; a test does not wait.
fn to_read() {
    if making() {
        std::thread::sleep(TO_READ);
    }
}

/// Waits until a row says so.
fn row(terminal: &Terminal, row: usize, wanted: &str) {
    let says = |text: &str| text.lines().nth(row).is_some_and(|row| row.contains(wanted));
    terminal.until(&format!("row {}: {wanted}", row + 1), says);
}

#[test]
fn u9_the_pictures_and_the_cast_show_what_the_program_shows() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(TANDEM, &["demo"], SIZE, temp.path());
    row(&terminal, 0, "■ PRIMARY");
    row(&terminal, 2, "ONE ACTS");
    terminal.shows("beta ○ SECONDARY");
    row(&terminal, 1, "term 1");
    to_read();

    terminal.plan("s");
    to_read();
    picture("screen-plan", "The plan that alpha steps down and beta takes over, before it is confirmed", &terminal);
    terminal.confirm();
    row(&terminal, 0, "○ SECONDARY");
    row(&terminal, 1, "■ PRIMARY");
    terminal.shows("done: ");
    terminal.shows("─ READY ─");
    terminal.shows("beta ■ PRIMARY, term 2");
    to_read();
    picture("screen-secondary", "A healthy Secondary: beta acts, alpha stands by and is ready to take over", &terminal);

    terminal.fault("c");
    row(&terminal, 0, "■ PRIMARY");
    row(&terminal, 0, "acts");
    row(&terminal, 1, "CRASHED");
    terminal.shows("beta was killed");
    terminal.shows("beta ○ KILLED");
    to_read();
    picture("screen-crashed", "beta has crashed: alpha has taken over, and says what to do first", &terminal);
    terminal.fault("r");
    row(&terminal, 1, "○ SECONDARY");
    terminal.shows("beta ○ SECONDARY");
    to_read();
    let recording = terminal.recording();

    terminal.fault("l");
    terminal.shows("beta's link is cut");
    terminal.shows("Both act!");
    // The last that changes: a connection does not outlive a cut for long.
    terminal.shows("the connection was reset");
    picture(
        "screen-cut",
        "The link is cut: alpha cannot know what beta does; both act, since nothing protects them",
        &terminal,
    );
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);

    if making() {
        std::fs::write(asset("demo.cast"), cast(&recording)).expect("the cast can be written");
    }
    let kept = played(&std::fs::read_to_string(asset("demo.cast")).expect("the cast is there"));
    let shown = |wanted: &str| kept.iter().any(|screen| screen.contains(wanted));
    for scene in ["○ SECONDARY  stands by", "type the plan's number", "CRASHED", "beta was killed", "beta starts anew"]
    {
        assert!(shown(scene), "the cast shows no {scene}");
    }
}

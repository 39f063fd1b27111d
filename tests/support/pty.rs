//! The program in a pseudo-terminal, read through a terminal emulator, as a person would see it.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longer than anything that is waited for takes, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two keys, as a hand presses them: faster would be taken for pasted text.
const HAND: Duration = Duration::from_millis(40);

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("not zero")
}

/// What came from the program, and when.
pub type Recording = Vec<(Duration, Vec<u8>)>;

/// Between these a program draws one picture, which a terminal shows when it is whole.
const PICTURE_BEGINS: &[u8] = b"\x1b[?2026h";
const PICTURE_ENDS: &[u8] = b"\x1b[?2026l";
/// After this a terminal shows what it has of a picture: whoever draws it may have died.
const PICTURE_TIME: Duration = Duration::from_secs(1);

struct Seen {
    screen: vt100::Parser,
    recording: Recording,
    /// A picture that is not whole yet: one reading may end anywhere.
    begun: Vec<u8>,
    since: Instant,
}

impl Seen {
    fn take(&mut self, bytes: &[u8]) {
        let goes_on = !self.begun.is_empty();
        self.begun.extend_from_slice(bytes);
        let whole = whole(&self.begun);
        self.screen.process(&self.begun[..whole]);
        self.begun.drain(..whole);
        if whole > 0 || !goes_on {
            self.since = Instant::now();
        }
    }

    fn take_rest(&mut self) {
        let rest = std::mem::take(&mut self.begun);
        self.screen.process(&rest);
    }
}

/// How many of these bytes come before a picture that is not whole yet.
fn whole(bytes: &[u8]) -> usize {
    let last = |wanted: &[u8]| bytes.windows(wanted.len()).rposition(|part| part == wanted);
    match (last(PICTURE_BEGINS), last(PICTURE_ENDS)) {
        (Some(begins), ends) if ends.is_none_or(|ends| ends < begins) => begins,
        (Some(_) | None, _) => {
            let torn = (1..PICTURE_BEGINS.len()).find(|length| bytes.ends_with(&PICTURE_BEGINS[..*length]));
            bytes.len() - torn.unwrap_or(0)
        }
    }
}

/// What has been typed of an open plan's number, by what the screen shows; none: no plan waits for one.
fn typed_of_a_plan(text: &str) -> Option<String> {
    let (_, typed) = text.split_once("the plan's number and Enter:  ")?;
    Some(typed.chars().take_while(char::is_ascii_digit).collect())
}

/// A program in a terminal.
pub struct Terminal {
    // Kept open: closing it hangs up.
    _master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
}

impl Terminal {
    /// Starts `program` in a terminal of so many columns and rows. Its temporary files go into `temp`.
    pub fn start(program: &str, args: &[&str], (columns, rows): (u16, u16), temp: &Path) -> Terminal {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TMPDIR", temp);
        // Not every user has a home.
        command.cwd(temp);
        command.env("TZ", "UTC");
        for variable in ["NO_COLOR", "TANDEM_CONFIG", "TANDEM_MEMBER"] {
            command.env_remove(variable);
        }
        let child = pair.slave.spawn_command(command).expect("started");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let screen = vt100::Parser::new(cells(rows), cells(columns), 200);
        let seen = Seen { screen, recording: Vec::new(), begun: Vec::new(), since: Instant::now() };
        let seen = Arc::new(Mutex::new(seen));
        let (shown, started) = (Arc::clone(&seen), Instant::now());
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let mut seen = shown.lock().expect("the emulator");
                seen.take(&bytes[..count]);
                seen.recording.push((started.elapsed(), bytes[..count].to_vec()));
            }
            shown.lock().expect("the emulator").take_rest();
        });
        let writer = pair.master.take_writer().expect("a writer");
        Terminal { _master: pair.master, writer, child, seen }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.seen.lock().expect("the emulator");
        if !seen.begun.is_empty() && seen.since.elapsed() > PICTURE_TIME {
            seen.take_rest();
        }
        seen
    }

    /// The screen now.
    pub fn screen(&self) -> vt100::Screen {
        self.seen().screen.screen().clone()
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.seen().screen.screen().contents()
    }

    /// One of its rows, from 0; empty when there is none.
    pub fn row(&self, row: usize) -> String {
        self.text().lines().nth(row).unwrap_or_default().to_owned()
    }

    /// Everything that came so far.
    pub fn recording(&self) -> Recording {
        self.seen().recording.clone()
    }

    /// Waits until the screen shows this.
    pub fn shows(&self, wanted: &str) {
        drop(self.until(wanted, |text| text.contains(wanted)));
    }

    /// Waits until its text is as wanted; the text as it then was. A moment later it may be another.
    pub fn until(&self, what: &str, so: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if so(&text) {
                return text;
            }
            assert!(Instant::now() < until, "never shown: {what}\n{text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Presses keys as a hand does.
    pub fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            std::thread::sleep(HAND);
            self.writer.write_all(key.to_string().as_bytes()).expect("written");
            self.writer.flush().expect("written");
        }
    }

    /// Opens the demo's faults, waits until they are shown, and chooses: a member first, where there are several.
    pub fn fault(&mut self, keys: &str) {
        self.press("f");
        self.shows("crash: its process is killed");
        if let Some(chosen) = keys.strip_suffix(|letter: char| letter.is_ascii_alphabetic()).filter(|c| !c.is_empty()) {
            // The rest of the screen changes by itself meanwhile; two keys too close together are taken for pasted text.
            let to_whom = |text: &str| text.lines().find(|row| row.contains("Do to ")).map(str::to_owned);
            let before = to_whom(&self.text());
            self.press(chosen);
            self.until("another member is chosen", |text| to_whom(text) != before);
        }
        self.press(&keys[keys.len() - 1..]);
        self.until("the faults are closed", |text| !text.contains("crash: its process is killed"));
    }

    /// Opens an action's plan and confirms it by its number.
    pub fn act(&mut self, letter: &str) {
        self.plan(letter);
        self.confirm();
    }

    /// Types the number of the plan that is shown, and Enter, until the plan is closed. Each key is waited for: on a busy
    /// machine two could arrive together, which is taken for pasted text. And a plan whose words change, as it does when it
    /// becomes known how long a process takes to start, is deaf until they are on the screen (U2): then a hand types again.
    pub fn confirm(&mut self) {
        let number = self.plan_number();
        let until = Instant::now() + PATIENCE;
        while let Some(typed) = typed_of_a_plan(&self.text()) {
            assert!(Instant::now() < until, "plan {number} is not confirmed:\n{}", self.text());
            // Enter also takes away what is not the number, should a key have come late and twice.
            let key = number.strip_prefix(&typed).and_then(|left| left.get(..1)).unwrap_or("\r");
            self.press(key);
            let again = Instant::now() + Duration::from_secs(2);
            while typed_of_a_plan(&self.text()).as_ref() == Some(&typed) && Instant::now() < again {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Opens an action's plan.
    pub fn plan(&mut self, letter: &str) {
        self.press("a");
        self.shows("One letter opens a plan");
        self.press(letter);
        self.shows("type the plan's number");
    }

    /// The number of the plan that is shown.
    pub fn plan_number(&self) -> String {
        let text = self.text();
        text.split("Plan ").nth(1).expect("a plan").chars().take_while(char::is_ascii_digit).collect()
    }

    /// The program's process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.process_id().expect("a process") as i32)
    }

    /// Waits for its end; its exit status.
    pub fn exit(&mut self) -> u32 {
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

//! The hardware watchdog: a device that resets the machine when it has not heard of the controller for a while (S4).
//!
//! The loop itself gives every sign of life, so a loop that hangs gives none; a thread of its own only carries each to the
//! device, whose driver may take its time. It gives none either while something that runs only on the Primary is still
//! there though the lease that it ran by is over: what neither the controller nor the guardian could stop, the reset
//! stops. The device is told that it is no longer needed (the letter V, the kernel's "magic close") only at a clean end;
//! a controller that ends in any other way leaves it armed, and the next start goes on with it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::libc::c_int;
use tokio::sync::{mpsc, oneshot};

use crate::config::required::RunWhen;
use crate::control::status;
use crate::journal::Entry;
use crate::negotiation::time::Instant;

use super::engine::{Engine, News};
use super::gaps::millis;

/// Signs of life for each of the device's times: so many may get lost before the machine is reset.
const SIGNS: u32 = 4;

/// Words that may wait for the device: more would be signs of the past.
const WORDS: usize = 1;

/// Reports that may wait for the loop; only a change is one.
const REPORTS: usize = 4;

/// How long the clean end waits for the device.
const PATIENCE: Duration = Duration::from_secs(2);

mod request {
    nix::ioctl_readwrite!(set_timeout, b'W', 6, nix::libc::c_int);
    nix::ioctl_read!(get_timeout, b'W', 7, nix::libc::c_int);
}

/// Why the watchdog cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// It cannot be opened.
    #[error("the watchdog {} cannot be opened: {source}; {}", .device.display(), advice(.source))]
    Open {
        /// The device.
        device: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no watchdog.
    #[error("{} is no watchdog: {source}; write watchdog.device = \"/dev/watchdog\", or \"\" for none", .device.display())]
    NoWatchdog {
        /// What was opened.
        device: PathBuf,
        /// What the system said.
        source: nix::Error,
    },
    /// It does not take the time.
    #[error(
        "the watchdog {} does not take {} s: {source}; write a watchdog.timeout that it takes, which `wdctl` shows",
        .device.display(), .timeout.as_secs()
    )]
    Timeout {
        /// The device.
        device: PathBuf,
        /// What it was asked for.
        timeout: Duration,
        /// What the system said.
        source: nix::Error,
    },
    /// The system gives no thread.
    #[error("the watchdog's thread cannot be started: {0}; look for a limit on processes")]
    Thread(io::Error),
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => {
            "load its driver (`modprobe softdog` for one in software), or correct watchdog.device"
        }
        io::ErrorKind::PermissionDenied => "the user that tandem runs as must be able to write to it",
        io::ErrorKind::ResourceBusy => {
            "another program has it, such as systemd with RuntimeWatchdogSec=; only one can, so take it from there or \
             name another device"
        }
        _ => "correct watchdog.device, or write \"\" for none",
    }
}

/// The device, opened and therefore armed. Dropped before [`Watchdog::start`] it is disarmed: a start that fails later
/// must not reset the machine.
pub struct Device {
    path: PathBuf,
    file: Option<File>,
    /// How long it waits for a sign of life: what it made of what it was asked for.
    timeout: Duration,
}

impl Device {
    /// Opens `path` and sets its time.
    ///
    /// # Errors
    ///
    /// It cannot be opened, is no watchdog, or does not take `timeout`.
    pub fn open(path: &Path, timeout: Duration) -> Result<Device, WatchdogError> {
        let device = || path.to_owned();
        // Nothing that is no watchdog may be waited for.
        let mut options = OpenOptions::new();
        let options = options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let file = options.open(path).map_err(|source| WatchdogError::Open { device: device(), source })?;
        let mut seconds = c_int::try_from(timeout.as_secs()).unwrap_or(c_int::MAX);
        let fd = file.as_raw_fd();
        let mut opened = Device { path: device(), file: Some(file), timeout };
        // SAFETY: the request takes a pointer to an int, which is read and written during the call only; `seconds` is one
        // that lives through it, and `fd` belongs to the open file in `opened`. What is no watchdog answers ENOTTY.
        let set = unsafe { request::set_timeout(fd, &raw mut seconds) };
        match set {
            Ok(_) => {}
            // One whose time cannot be set has a time of its own.
            Err(nix::Error::EOPNOTSUPP) => {
                // SAFETY: as above.
                let got = unsafe { request::get_timeout(fd, &raw mut seconds) };
                got.map_err(|source| WatchdogError::Timeout { device: device(), timeout, source })?;
            }
            Err(source @ nix::Error::ENOTTY) => {
                // Whatever it is, nothing is written to it.
                opened.file = None;
                return Err(WatchdogError::NoWatchdog { device: device(), source });
            }
            Err(source) => return Err(WatchdogError::Timeout { device: device(), timeout, source }),
        }
        opened.timeout = Duration::from_secs(u64::try_from(seconds).unwrap_or_default().max(1));
        Ok(opened)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(file) = &mut self.file {
            // Nothing is left to be done about a device that fails here; it may reset the machine.
            let _ = file.write_all(b"V");
        }
    }
}

/// What the thread is told.
#[derive(Debug, Clone, Copy)]
enum Word {
    Alive,
    Disarm,
}

/// What the thread has to tell: a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchdogReport {
    /// The device does not take a sign of life.
    Failing {
        /// What the system said.
        why: String,
    },
    /// It does again.
    Well,
}

/// The armed device and the thread that speaks to it.
struct Armed {
    path: PathBuf,
    timeout: Duration,
    words: blocking::SyncSender<Word>,
    thread: std::thread::JoinHandle<()>,
    ended: oneshot::Receiver<()>,
    next: Instant,
    /// Why it does not take signs of life; none: it does.
    failing: Option<String>,
}

/// The watchdog of this controller, if it has one.
pub struct Watchdog {
    armed: Option<Armed>,
}

impl Watchdog {
    /// Starts the thread of `device`; none: there is none.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(device: Option<Device>) -> Result<(Watchdog, mpsc::Receiver<WatchdogReport>), WatchdogError> {
        let (reports, received) = mpsc::channel(REPORTS);
        let Some(mut device) = device else { return Ok((Watchdog { armed: None }, received)) };
        let (words, to_do) = blocking::sync_channel(WORDS);
        let (alive, ended) = oneshot::channel::<()>();
        let (path, timeout) = (device.path.clone(), device.timeout);
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            if let Some(mut file) = device.file.take() {
                serve(&mut file, &to_do, &reports);
            }
            drop(alive);
        });
        let thread = thread.map_err(WatchdogError::Thread)?;
        let next = Instant::default();
        Ok((Watchdog { armed: Some(Armed { path, timeout, words, thread, ended, next, failing: None }) }, received))
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.armed.is_some()
    }

    /// When the next sign of life is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.armed.as_ref().map(|armed| armed.next)
    }

    /// How it stands, for people; none: there is none.
    pub fn status(&self) -> Option<status::Watchdog> {
        self.armed.as_ref().map(|armed| status::Watchdog {
            device: armed.path.display().to_string(),
            timeout_ms: millis(armed.timeout),
            armed: armed.failing.is_none(),
            why: armed.failing.clone(),
        })
    }

    /// A sign of life, when one is wanted. One that the device has not taken yet is not overtaken.
    fn alive(&mut self, now: Instant) {
        if let Some(armed) = &mut self.armed
            && now >= armed.next
        {
            armed.next = now + armed.timeout / SIGNS;
            // Full: the device hangs, and if it goes on so, it resets the machine.
            let _ = armed.words.try_send(Word::Alive);
        }
    }

    /// Not now: looked at again soon.
    fn put_off(&mut self, now: Instant) {
        if let Some(armed) = &mut self.armed {
            armed.next = armed.next.max(now + armed.timeout / (SIGNS * SIGNS));
        }
    }

    /// At a clean end: nothing that needs the watchdog runs any more. Disarms it and ends its thread.
    pub async fn disarm(self) {
        let Some(Armed { path, words, thread, ended, .. }) = self.armed else { return };
        let until = tokio::time::Instant::now() + PATIENCE;
        let told = tokio::task::spawn_blocking(move || words.send(Word::Disarm));
        let told = tokio::time::timeout_at(until, told).await.is_ok();
        // An error is the thread's end: nothing is ever sent.
        if !told || tokio::time::timeout_at(until, ended).await.is_err() {
            tracing::error!("the watchdog {} hangs and may reset the machine", path.display());
        } else if thread.join().is_err() {
            tracing::error!("the watchdog's thread ended badly; its words are above");
        }
    }
}

/// The thread: carries words to the device until there are no more. Then the device is closed; without the last word
/// before, it stays armed.
fn serve(device: &mut impl Write, words: &blocking::Receiver<Word>, reports: &mpsc::Sender<WatchdogReport>) {
    let mut well = true;
    while let Ok(word) = words.recv() {
        let written = match word {
            Word::Alive => device.write_all(b"\0"),
            Word::Disarm => device.write_all(b"V"),
        };
        match &written {
            Ok(()) if !well => drop(reports.try_send(WatchdogReport::Well)),
            Err(error) if well => drop(reports.try_send(WatchdogReport::Failing { why: error.to_string() })),
            Ok(()) | Err(_) => {}
        }
        well = written.is_ok();
        if let Word::Disarm = word {
            if let Err(error) = written {
                tracing::error!(%error, "the watchdog could not be disarmed and may reset the machine");
            }
            return;
        }
    }
}

impl Engine {
    /// S4: the loop turns, so the machine need not be reset; unless what runs only on the Primary has outlived its lease.
    pub(super) fn pet_watchdog(&mut self, now: Instant) {
        if self.watchdog.next_deadline().is_none_or(|next| now < next) {
            return;
        }
        let leased = self.negotiator.settings().lease_length().is_some();
        let over = || self.negotiator.may_serve_until(now).is_none_or(|until| until <= now);
        if leased && over() && self.serves() {
            self.watchdog.put_off(now);
        } else {
            self.watchdog.alive(now);
        }
    }

    /// Whether anything that runs only on the Primary is there.
    pub(super) fn serves(&self) -> bool {
        self.required.snapshots().iter().any(|one| one.run_when == RunWhen::Primary && one.pid.is_some())
    }

    /// The watchdog's thread has something to tell.
    pub(super) fn watchdog_report(&mut self, report: WatchdogReport) {
        let Some(armed) = &mut self.watchdog.armed else { return };
        let device = armed.path.display();
        let text = match &report {
            WatchdogReport::Failing { why } => {
                format!("{device} does not take signs of life ({why}): it does not watch, or resets the machine soon")
            }
            WatchdogReport::Well => format!("{device} takes signs of life again"),
        };
        armed.failing = match report {
            WatchdogReport::Failing { why } => Some(format!("it does not take signs of life ({why})")),
            WatchdogReport::Well => None,
        };
        self.note(Entry::Fault { part: "watchdog".to_owned(), text });
        self.news = News::Urgent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what it is told to, and remembers it.
    #[derive(Default)]
    struct Fake {
        written: Vec<u8>,
        broken: std::ops::Range<usize>,
        writes: usize,
    }

    impl Write for Fake {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            if self.broken.contains(&self.writes) {
                return Err(io::Error::other("broken"));
            }
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(fake: &mut Fake, words: &[Word]) -> Vec<WatchdogReport> {
        let (send, receive) = blocking::sync_channel(words.len());
        for word in words {
            send.send(*word).expect("there is room");
        }
        drop(send);
        let (reports, mut received) = mpsc::channel(REPORTS);
        serve(fake, &receive, &reports);
        drop(reports);
        std::iter::from_fn(|| received.try_recv().ok()).collect()
    }

    #[test]
    fn s4_only_a_clean_end_closes_with_the_magic_character() {
        let mut fake = Fake::default();
        assert_eq!(told(&mut fake, &[Word::Alive, Word::Alive]), []);
        assert_eq!(fake.written, b"\0\0");
        assert_eq!(told(&mut fake, &[Word::Alive, Word::Disarm, Word::Alive]), []);
        assert_eq!(fake.written, b"\0\0\0V");
    }

    #[test]
    fn s4_a_device_that_fails_is_told_once_and_tried_again() {
        let mut fake = Fake { broken: 2..4, ..Fake::default() };
        let reports = told(&mut fake, &[Word::Alive; 5]);
        assert_eq!(reports, [WatchdogReport::Failing { why: "broken".to_owned() }, WatchdogReport::Well]);
        assert_eq!(fake.written, b"\0\0\0");
    }

    #[test]
    fn s4_what_is_no_watchdog_is_refused_and_nothing_is_written_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plain");
        let open = || match Device::open(&path, Duration::from_secs(10)) {
            Ok(_) => panic!("it was opened"),
            Err(error) => error.to_string(),
        };
        assert!(open().contains("cannot be opened: No such file"), "{}", open());
        std::fs::write(&path, "kept").expect("a file");
        assert!(open().contains("is no watchdog: ENOTTY"), "{}", open());
        assert_eq!(std::fs::read(&path).expect("a file"), b"kept");
        std::fs::remove_file(&path).expect("it is there");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert!(open().contains("cannot be opened: No such device or address"), "{}", open());
    }
}

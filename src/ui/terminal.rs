//! The terminal: raw mode, the alternate screen, and the one routine that gives it back (U8).
//!
//! The terminal is opened anew, so that making it non-blocking does not reach the shell, which shares the descriptors
//! it gave us. Nothing is ever asked of the terminal; no mouse, no keyboard protocol.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use rustix::termios::{self, OptionalActions, QueueSelector, Termios};

/// How long giving the terminal back may wait for a terminal that does not read.
const PATIENCE: Duration = Duration::from_millis(300);

const ENTER: &str = "\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[0m\x1b[2J";
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// Keeps the terminal's title, and brings it back.
const KEEP_TITLE: &str = "\x1b[22;0t";
const BACK_TITLE: &str = "\x1b[23;0t";

/// What gives the terminal back. At most one screen runs in a process.
static RESTORE: Mutex<Option<Restore>> = Mutex::new(None);

struct Restore {
    tty: OwnedFd,
    modes: Termios,
    flags: Option<OFlag>,
    title: Title,
}

/// Whether the terminal has a title that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Title {
    /// It has.
    Yes,
    /// It has none, or nobody knows.
    No,
}

impl Title {
    /// From TERM.
    pub fn of(term: &str) -> Title {
        let known = ["xterm", "screen", "tmux", "rxvt", "alacritty", "foot", "kitty", "st-", "vte", "putty"];
        if known.iter().any(|name| term.starts_with(name)) { Title::Yes } else { Title::No }
    }
}

/// A terminal in raw mode showing the alternate screen. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct Terminal {
    tty: File,
    title: Title,
    shared: Shared,
}

/// Whether somebody else uses the same open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shared {
    No,
    Yes,
}

/// Whether there is a terminal worth drawing on: standard input and output are one, and it is not dumb.
pub fn can_draw() -> bool {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb" || term.is_empty());
    termios::isatty(io::stdin()) && termios::isatty(io::stdout()) && !dumb
}

impl Terminal {
    /// The terminal on standard input.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn open() -> anyhow::Result<Terminal> {
        anyhow::ensure!(
            termios::isatty(io::stdin()) && termios::isatty(io::stdout()),
            "no terminal on standard input and output: use `tandem status --watch`, or `run --headless`"
        );
        let path = std::fs::read_link("/proc/self/fd/0").unwrap_or_else(|_| "/dev/tty".into());
        let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits();
        let own = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        match own {
            Ok(tty) if termios::isatty(&tty) => Terminal::enter_on(tty, Shared::No),
            // After `su` the terminal is another user's: then the one that we were given has to do.
            Ok(_) | Err(_) => {
                let given = io::stdin().as_fd().try_clone_to_owned().context("the terminal cannot be used")?;
                Terminal::enter_on(File::from(given), Shared::Yes)
            }
        }
    }

    /// A terminal that the caller opened.
    ///
    /// # Errors
    /// When it is not one, or cannot be used.
    pub fn on(tty: OwnedFd) -> anyhow::Result<Terminal> {
        Terminal::enter_on(File::from(tty), Shared::Yes)
    }

    fn enter_on(tty: File, shared: Shared) -> anyhow::Result<Terminal> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // First the terminal, so that the message can be read.
                restore();
                before(panic);
            }));
        });
        let title = Title::of(&std::env::var("TERM").unwrap_or_default());
        let terminal = Terminal { tty, title, shared };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Raw mode and the alternate screen; also after a suspension.
    ///
    /// # Errors
    /// When the terminal is lost.
    pub fn enter(&self) -> anyhow::Result<()> {
        let mut slot = RESTORE.lock().unwrap_or_else(PoisonError::into_inner);
        let first = slot.is_none();
        if first {
            let flags = match self.shared {
                Shared::No => None,
                Shared::Yes => {
                    let flags = fcntl(&self.tty, FcntlArg::F_GETFL).context("the terminal's flags cannot be read")?;
                    Some(OFlag::from_bits_truncate(flags))
                }
            };
            *slot = Some(Restore {
                tty: self.tty.as_fd().try_clone_to_owned().context("the terminal cannot be kept")?,
                modes: termios::tcgetattr(&self.tty).context("the terminal's modes cannot be read")?,
                flags,
                title: self.title,
            });
        }
        if let Some(kept) = slot.as_ref() {
            let mut raw = kept.modes.clone();
            raw.make_raw();
            termios::tcsetattr(&self.tty, OptionalActions::Now, &raw).context("raw mode cannot be set")?;
            if let Some(flags) = kept.flags {
                fcntl(&self.tty, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))
                    .context("the terminal cannot be made non-blocking")?;
            }
        }
        drop(slot);
        if first && self.title == Title::Yes {
            write_patiently(&self.tty, KEEP_TITLE.as_bytes());
        }
        write_patiently(&self.tty, ENTER.as_bytes());
        Ok(())
    }

    /// The job was stopped from outside, and a shell has the terminal: the modes come back unless the shell has set its own,
    /// and the ordinary screen. What [`restore`] needs is kept: what a shell sets meanwhile is not how it was.
    pub fn abandon(&self) {
        let slot = RESTORE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = slot.as_ref() else { return };
        let mut raw = kept.modes.clone();
        raw.make_raw();
        let still_raw = termios::tcgetattr(&self.tty)
            .is_ok_and(|now| now.local_modes == raw.local_modes && now.output_modes == raw.output_modes);
        if still_raw {
            // As in [`restore`]: a terminal that is gone needs no modes.
            let _ = termios::tcsetattr(&self.tty, OptionalActions::Now, &kept.modes);
        }
        write_patiently(&self.tty, LEAVE.as_bytes());
    }

    /// Writes as much as the terminal takes now. Once the terminal has been given back, by a panic on any thread, nothing may
    /// be drawn any more: then it is as if it were gone.
    ///
    /// # Errors
    /// As the system says; `EIO` when it has been given back.
    pub fn write(&self, bytes: &[u8]) -> nix::Result<usize> {
        // Held while it writes, which never blocks: a panic that comes now gives the terminal back after this.
        let slot = RESTORE.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            return Err(nix::errno::Errno::EIO);
        }
        nix::unistd::write(&self.tty, bytes)
    }

    /// The file, for reading and writing.
    pub fn file(&self) -> &File {
        &self.tty
    }

    /// Whether the terminal has a title.
    pub fn title(&self) -> Title {
        self.title
    }

    /// Columns and rows; 80×24 where the terminal does not say.
    pub fn size(&self) -> (u16, u16) {
        match termios::tcgetwinsize(&self.tty) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.min(500), size.ws_row.min(300)),
            Ok(_) | Err(_) => (80, 24),
        }
    }

    /// The speed that the terminal says it has, in baud; 0: it does not say. For a pseudo-terminal it is what somebody
    /// set, or what SSH passed on.
    pub fn baud(&self) -> u32 {
        termios::tcgetattr(&self.tty).map_or(0, |modes| modes.output_speed())
    }

    /// Text for the ordinary screen, once the terminal has been given back.
    pub fn say(&self, text: &str) {
        write_patiently(&self.tty, text.replace('\n', "\r\n").as_bytes());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was: for leaving, an error, a panic and a suspension alike. Does nothing the second
/// time. Keys that were typed and not read are thrown away: they were meant for the screen, not for the shell. Once the
/// ordinary screen is to be seen, nothing is thrown away any more: so that comes last.
pub fn restore() {
    let kept = RESTORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(kept) = kept else { return };
    // A terminal that is gone cannot be given back; there is nothing to do about these errors.
    let _ = termios::tcflush(&kept.tty, QueueSelector::IFlush);
    let _ = termios::tcsetattr(&kept.tty, OptionalActions::Now, &kept.modes);
    leave(&kept.tty, kept.title);
    if let Some(flags) = kept.flags {
        let _ = fcntl(&kept.tty, FcntlArg::F_SETFL(flags));
    }
}

/// The ordinary screen, cursor and title again. The modes are the caller's.
pub(super) fn leave(tty: &impl AsFd, title: Title) {
    write_patiently(tty, LEAVE.as_bytes());
    if title == Title::Yes {
        write_patiently(tty, BACK_TITLE.as_bytes());
    }
}

/// Writes all of it, as far as the terminal takes it within [`PATIENCE`].
fn write_patiently(tty: &impl AsFd, mut bytes: &[u8]) {
    let until = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        match nix::unistd::write(tty, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
                let mut fds = [PollFd::new(tty.as_fd(), PollFlags::POLLOUT)];
                let _ = nix::poll::poll(&mut fds, timeout);
            }
            Err(_) => return,
        }
    }
}

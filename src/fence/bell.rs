//! A bell that wakes a thread which waits in `poll`: an eventfd. Rung from any thread, heard by one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Wakes a device's thread, also while it waits for its agent.
#[derive(Debug)]
pub(super) struct Bell(EventFd);

impl Bell {
    /// A new one, silent.
    ///
    /// # Errors
    ///
    /// The process has too many files open.
    pub(super) fn new() -> io::Result<Bell> {
        Ok(Bell(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    /// Rings it; it stays rung until [`Bell::silence`].
    pub(super) fn ring(&self) {
        // It fails only when it has been rung 2^64 - 1 times, and is rung then.
        let _ = self.0.write(1);
    }

    /// Silences it: what it was rung for is looked at now.
    pub(super) fn silence(&self) {
        // It fails only when it is silent already.
        let _ = self.0.read();
    }

    /// Readable while it is rung.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

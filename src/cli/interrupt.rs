//! Ctrl-C for a command that has something to say at its end: it arrives as an answer, not as a death. So does the end of
//! whoever reads its output, which a command that waits for news would notice only with the next line.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::control::client::{Client, ClientError};
use crate::control::request::Reply;

/// While it lives, Ctrl-C does not kill this thread's process; [`Interrupt::next`] hears it.
#[derive(Debug)]
pub(super) struct Interrupt {
    heard: SignalFd,
}

impl Interrupt {
    /// From now on. To be called before the process has a second thread, which would die of it.
    ///
    /// # Errors
    ///
    /// The system has no descriptor for it.
    pub(super) fn catch() -> anyhow::Result<Interrupt> {
        let mut interrupt = SigSet::empty();
        interrupt.add(Signal::SIGINT);
        interrupt.thread_block().context("Ctrl-C cannot be kept from killing")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let heard = SignalFd::with_flags(&interrupt, flags).context("Ctrl-C cannot be listened for")?;
        Ok(Interrupt { heard })
    }

    /// The next reply; none when Ctrl-C was pressed first, or the reader of standard output has left.
    pub(super) fn next(&self, client: &mut Client, within: Duration) -> Result<Option<Reply>, ClientError> {
        let out = std::io::stdout();
        client.next_unless(within, &self.ends(out.as_fd()))
    }

    /// What ends a wait. Of `out` nothing is wanted but its error.
    fn ends<'fd>(&'fd self, out: BorrowedFd<'fd>) -> [PollFd<'fd>; 2] {
        [PollFd::new(self.heard.as_fd(), PollFlags::POLLIN), PollFd::new(out, PollFlags::empty())]
    }

    /// Waits so long; whether Ctrl-C was pressed or the reader left meanwhile.
    pub(super) fn within(&self, time: Duration) -> anyhow::Result<bool> {
        let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        match poll(&mut self.ends(std::io::stdout().as_fd()), timeout) {
            Ok(heard) => Ok(heard > 0),
            // Another signal; whoever waits comes back.
            Err(nix::errno::Errno::EINTR) => Ok(false),
            Err(error) => Err(error).context("Ctrl-C cannot be waited for"),
        }
    }
}

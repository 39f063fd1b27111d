//! Leaving the screen and coming back to it: a copy for a ticket, a suspended job, the end. Whatever happens here happens to
//! the terminal only, never to the engine.

use super::super::layout;
use super::super::options::Left;
use super::super::stand_in::{self, StandIn};
use super::super::terminal;
use super::{Driver, Showing};

impl Driver {
    /// Prints the view on the ordinary screen, where it can be selected whole.
    pub(super) fn copy(&mut self) {
        let (columns, _) = self.terminal.size();
        let text = layout::plain(&self.state, self.now(), &self.state.wall(), columns.max(80));
        self.showing = Showing::Copy;
        self.pending.extend_from_slice(b"\x1b[0m\x1b[?1049l\x1b[?25h");
        self.pending.extend_from_slice(text.replace('\n', "\r\n").as_bytes());
        self.pending.extend_from_slice(b"-- any key goes back to the screen --\r\n");
    }

    /// Gives the terminal back and stops the job that the shell knows: never the engine.
    pub(super) fn suspend(&mut self) -> anyhow::Result<()> {
        if self.showing == Showing::Suspended {
            return Ok(());
        }
        self.nothing_pending();
        self.pending_dialog = None;
        terminal::restore();
        match &self.stand_in {
            Some(stand_in) => {
                self.showing = Showing::Suspended;
                stand_in.suspend();
            }
            None => {
                // `attach`: only the screen is in this process. The call returns once the job is continued. SIGTSTP is
                // heard by the screen; this one stops the job too, and neither stops one that no shell could continue.
                let stopped = nix::sys::signal::kill(nix::unistd::Pid::from_raw(0), nix::sys::signal::Signal::SIGTTIN);
                debug_assert!(stopped.is_ok());
                self.back_on_terminal()?;
            }
        }
        Ok(())
    }

    /// The job goes on. Whoever had the terminal meanwhile, a shell after a SIGSTOP too, has left it in their own modes.
    pub(super) fn resume(&mut self) -> anyhow::Result<()> {
        self.back_on_terminal()
    }

    fn back_on_terminal(&mut self) -> anyhow::Result<()> {
        self.terminal.enter()?;
        self.showing = Showing::Screen;
        self.titled.clear();
        self.retitle();
        self.redraw();
        Ok(())
    }

    /// A job stopped from outside (SIGSTOP) has lost the terminal without a word: draw nothing until it goes on.
    pub(super) fn watch_the_job(&mut self) {
        if self.showing == Showing::Screen && self.stand_in.as_ref().is_some_and(StandIn::is_stopped) {
            self.nothing_pending();
            self.pending_dialog = None;
            self.terminal.abandon();
            self.showing = Showing::Suspended;
        }
    }

    /// Gives the terminal back; rows 1 to 3 stay behind.
    pub(super) fn end(&mut self, left: Left) {
        let (columns, _) = self.terminal.size();
        terminal::restore();
        match left {
            Left::Asked => {
                self.terminal.say(&layout::first_rows(&self.state, self.now(), &self.state.wall(), columns));
                if self.stand_in.is_some() && self.state.faults.is_none() {
                    self.terminal.say(" The controller runs on; tandem attach shows this screen again.\n");
                }
            }
            Left::TerminalLost | Left::EngineGone | Left::Told => {}
        }
        // The demo ends with its screen: its stand-in waits until nothing is left behind.
        if let (Some(stand_in), None) = (&self.stand_in, &self.state.faults) {
            stand_in::screen_left(stand_in, left);
        }
    }
}

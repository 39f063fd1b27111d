//! How far a rehearsal is, for who waits for it at a terminal, and Ctrl-C, which ends it with what was done so far.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::cli::interrupt::Interrupt;
use crate::sim::rehearse::Goes;

/// Nothing is said before: the whole catalogue takes less, with ordinary times.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is renewed.
const RENEWED: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    interrupt: Interrupt,
    /// Whether somebody looks at standard error.
    live: bool,
    began: Instant,
    renewed: Option<Instant>,
    /// How many scenarios there are.
    all: usize,
    done: usize,
    ended: bool,
}

impl Progress {
    /// Of so many scenarios. From now on Ctrl-C kills no more.
    ///
    /// # Errors
    ///
    /// The system cannot tell of Ctrl-C.
    pub(super) fn of(all: usize) -> anyhow::Result<Progress> {
        Ok(Progress {
            interrupt: Interrupt::catch()?,
            live: std::io::stderr().is_terminal(),
            began: Instant::now(),
            renewed: None,
            all,
            done: 0,
            ended: false,
        })
    }

    /// Whether it goes on with the scenario `name`. What is in the way of asking ends nothing.
    pub(super) fn look(&mut self, name: &str) -> Goes {
        self.ended |= self.interrupt.within(Duration::ZERO).unwrap_or(false);
        if self.ended {
            return Goes::NoFurther;
        }
        let due = self.renewed.map_or(PATIENCE, |renewed| renewed.duration_since(self.began) + RENEWED);
        if self.live && self.began.elapsed() >= due {
            self.renewed = Some(Instant::now());
            let line = said(self.done, self.all, name, self.began.elapsed());
            // A terminal that takes no more is no reason to end.
            let _ = std::io::stderr().write_all(format!("\r{line}\x1b[K").as_bytes());
        }
        Goes::On
    }

    /// A scenario is done.
    pub(super) fn one_more(&mut self) {
        self.done += 1;
    }

    /// All is over: the line goes.
    pub(super) fn over(&self) {
        if self.renewed.is_some() {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn said(done: usize, all: usize, name: &str, took: Duration) -> String {
    format!("{done} of {all} scenarios rehearsed, {} s; now {name}. Ctrl-C ends it", took.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u6_the_line_says_how_far_it_is_on_one_row() {
        let line = said(12, 34, "primary-suspended", Duration::from_secs(125));
        assert_eq!(line, "12 of 34 scenarios rehearsed, 125 s; now primary-suspended. Ctrl-C ends it");
        assert!(line.len() < 80, "{line}");
    }
}

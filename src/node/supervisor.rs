//! What systemd is told: ready, alive, and in a line how things stand (`sd_notify`). Without systemd, nothing.

use std::time::Duration;

use crate::negotiation::time::Instant;

/// The connection to the service manager.
#[derive(Debug)]
pub struct Supervisor {
    /// Half of `WatchdogSec`: how often it wants to hear that the loop turns.
    interval: Option<Duration>,
    next: Instant,
}

impl Supervisor {
    /// Reads what the service manager asks for from the environment.
    pub fn from_environment() -> Supervisor {
        Supervisor { interval: sd_notify::watchdog_enabled().map(|time| time / 2), next: Instant::default() }
    }

    /// When [`Supervisor::alive`] is wanted next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.interval.map(|_| self.next)
    }

    /// The loop turns. Called by the loop itself, so that a stuck loop is restarted.
    pub fn alive(&mut self, now: Instant) {
        if let Some(interval) = self.interval
            && now >= self.next
        {
            self.next = now + interval;
            tell(&[sd_notify::NotifyState::Watchdog]);
        }
    }

    /// Everything listens.
    pub fn ready(&self, text: &str) {
        tell(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(text)]);
    }

    /// How things stand, for `systemctl status`.
    pub fn status(&self, text: &str) {
        tell(&[sd_notify::NotifyState::Status(text)]);
    }

    /// The end has begun.
    pub fn stopping(&self) {
        tell(&[sd_notify::NotifyState::Stopping]);
    }
}

/// A datagram to the manager; when it cannot be sent, the manager's own deadline will say so.
fn tell(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

//! A controller and its screen in one process: the engine on the main thread, the screen on a thread of its own, and
//! between them the two bounded channels that every screen uses.

use std::net::SocketAddr;

use anyhow::{Context, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::control::carrier::Carrier;
use crate::control::socket::identify_self;
use crate::negotiation::member::MemberId;
use crate::node::{self, Options, Session};
use crate::ui::{self, FaultPanel};

use super::attach::screen_options;

/// Requests and replies that may wait between the screen and the engine.
const WAITING: usize = 16;

/// What becomes of the engine when its screen is left, or lost.
#[derive(Debug)]
pub(super) enum WhenLeft {
    /// It goes on without one (U3).
    GoesOn,
    /// It ends: the demo, with its faults, and the relay through which it calls the others.
    Ends(FaultPanel, SocketAddr),
}

/// Runs the controller `me` of `config` with its screen until it is stopped. Blocks.
pub(super) fn run(config: &Config, me: MemberId, when_left: WhenLeft) -> anyhow::Result<()> {
    let mut options = screen_options(&config.screen);
    let (ends, detour) = match when_left {
        WhenLeft::GoesOn => (false, None),
        WhenLeft::Ends(faults, relay) => {
            options.faults = Some(faults);
            (true, Some(relay))
        }
    };
    let (requests, asked) = mpsc::channel(WAITING);
    let (told, replies) = mpsc::channel(WAITING);
    let session = Session { requests: asked, replies: told, who: identify_self() };
    let screen = std::thread::Builder::new()
        .name("screen".to_owned())
        .spawn(move || {
            let left = ui::run(Carrier { requests, replies }, options);
            if ends || left.is_err() {
                // The engine ends as it does for everybody: it hands over first.
                let told = kill(getpid(), Signal::SIGTERM);
                debug_assert!(told.is_ok());
            }
            left
        })
        .context("the screen's thread cannot be started")?;
    let stopped = node::run(config, me, Options { session: Some(session), detour });
    let shown = screen.join().map_err(|_| anyhow!("the screen's thread has panicked"));
    stopped?;
    shown??;
    Ok(())
}

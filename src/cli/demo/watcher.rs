//! Watches the demo's other members, each over its own control socket, and tells the screen what each says of itself.
//!
//! One thread for all of them. A member that is killed, frozen or not up yet is asked again and again. It ends when the
//! screen's end of the channel is dropped.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::control::client::{attach, connect};
use crate::control::request::{Reply, Request};
use crate::ui::faults::{News, Says};

/// Between two tries to reach a member.
const RETRY: Duration = Duration::from_millis(250);
/// A member sends a status every second; without one for so long it says nothing any more.
const SILENCE: Duration = Duration::from_millis(2500);

/// Watches the controllers behind `sockets` until nobody hears.
pub fn watch(sockets: Vec<PathBuf>, tell: mpsc::Sender<News>) -> anyhow::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime that watches the members cannot be made")?;
    let work = async move {
        let mut watches: JoinSet<()> = sockets
            .into_iter()
            .enumerate()
            .map(|(member, socket)| Watch { member, socket, told: Says::Nothing, tell: tell.clone() }.run())
            .collect();
        // Each ends with the screen; here too when one is asleep.
        tell.closed().await;
        watches.abort_all();
        while watches.join_next().await.is_some() {}
    };
    std::thread::Builder::new()
        .name("watcher".to_owned())
        .spawn(move || runtime.block_on(work))
        .context("the thread that watches the members cannot be started")
}

struct Watch {
    member: usize,
    socket: PathBuf,
    told: Says,
    tell: mpsc::Sender<News>,
}

impl Watch {
    async fn run(mut self) {
        loop {
            self.while_connected().await;
            self.say(Says::Nothing).await;
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Returns when the member has closed, or was silent for long.
    async fn while_connected(&mut self) {
        let Ok(Ok((mut carrier, bridge))) = connect(&self.socket).map(attach) else { return };
        if carrier.requests.send(Request::Watch { screen: None }).await.is_ok() {
            while let Ok(Some(reply)) = timeout(SILENCE, carrier.replies.recv()).await {
                if let Reply::Status(status) = reply {
                    self.say(Says::Is(status.mode, status.term)).await;
                }
            }
        }
        drop(carrier);
        bridge.join().await;
    }

    async fn say(&mut self, says: Says) {
        if self.told != says {
            self.told = says;
            // Nobody hears any more: the whole watch ends.
            let _ = self.tell.send(News::Says { member: self.member, says }).await;
        }
    }
}

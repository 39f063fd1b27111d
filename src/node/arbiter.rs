//! The arbiter, on the controller's side: passes the negotiation's calls to the arbiter's thread, and its replies back as
//! facts (S1, S4).
//!
//! The negotiation decides when a lease is asked for and how long it counts; `arbiter` knows how. Nothing here does either.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use crate::arbiter::{Actor, Arbiter, ArbiterEvent, Claimant, EtcdArbiter, FileArbiter};
use crate::config::Config;
use crate::config::arbiter::{ArbiterConfig, ArbiterKind};
use crate::negotiation::exchange::{ArbiterCall, Input};
use crate::negotiation::member::MemberId;
use crate::negotiation::settings::Protection;
use crate::negotiation::time::Instant;

use super::engine::{Engine, News};

/// How long the end waits for a call that is under way: a release is worth that, because others then have the lease at
/// once instead of when it is over.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The arbiter; none, where the protection asks for none.
pub struct Arbitration(Option<Actor>);

impl Arbitration {
    /// Starts the arbiter's thread, when the protection of `me` asks for one. Reads passwords and certificates, calls nobody.
    ///
    /// # Errors
    ///
    /// A file that `[arbiter]` names cannot be used, or the system gives no thread.
    pub fn start(config: &Config, me: MemberId) -> anyhow::Result<(Arbitration, Option<mpsc::Receiver<ArbiterEvent>>)> {
        let asked_for = config.takeover.protection.contains(&Protection::Arbiter);
        let Some(arbiter) = config.arbiter.as_ref().filter(|_| asked_for) else { return Ok((Arbitration(None), None)) };
        let arbiter = open(config, me, arbiter).context("[arbiter] cannot be used")?;
        let (actor, events) = Actor::start(arbiter).context("the arbiter's thread cannot be started")?;
        tracing::info!("the lease is kept by {}", actor.describe());
        Ok((Arbitration(Some(actor)), Some(events)))
    }

    /// Carries out a call; its reply follows as an event. Without an arbiter the negotiation makes none.
    pub fn ask(&self, asked_at: Instant, call: ArbiterCall, within: Duration) {
        if let Some(actor) = &self.0 {
            actor.ask(asked_at, call, within);
        }
    }

    /// Ends the thread, once what was asked for is done. The receiver of the events must be gone by now.
    pub async fn shutdown(self) {
        if let Some(actor) = self.0 {
            actor.shutdown(END_PATIENCE).await;
        }
    }
}

fn open(config: &Config, me: MemberId, arbiter: &ArbiterConfig) -> anyhow::Result<Box<dyn Arbiter>> {
    let members = config.members.iter().map(|member| member.name.clone()).collect();
    let claimant = Claimant { group: config.group.clone(), me, members };
    let path = |path: &str| config.arbiter_path(me, path);
    Ok(match &arbiter.kind {
        ArbiterKind::Etcd(etcd) => Box::new(EtcdArbiter::new(etcd, claimant, arbiter.lease, path)?),
        ArbiterKind::File { directory } => Box::new(
            FileArbiter::new(path(directory), claimant, arbiter.lease).context("the system gives no random numbers")?,
        ),
    })
}

/// The next reply; never, where there is no arbiter. None: its task has ended.
pub(super) async fn next(events: &mut Option<mpsc::Receiver<ArbiterEvent>>) -> Option<ArbiterEvent> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

impl Engine {
    /// A reply is a fact like any other.
    pub(super) fn arbiter_event(&mut self, now: Instant, event: ArbiterEvent) {
        let ArbiterEvent { asked_at, reply } = event;
        self.feed(now, Input::Arbiter { asked_at, reply });
        self.news = self.news.max(News::Routine);
    }
}

//! The lease in etcd, version 3, spoken through its JSON gateway (S1, S4, rule 14).
//!
//! Two keys for each group. `tandem/GROUP/lease` says who holds the lease and hangs on a lease of etcd's, so that it goes
//! when that ends; `tandem/GROUP/number` is the highest number that was ever allotted and stays for ever. Each change is one
//! transaction that compares both keys' revisions with what was read before: of two claimants one finds them changed.
//!
//! # Why a renewal is safe
//!
//! A keep-alive of an etcd lease proves nothing. Until etcd 3.6 a leader that was deposed, or frozen and woken, answers it
//! from its own memory while the new leader counts down; and such a leader may also have a lease revoked that was kept alive
//! at its successor, because it counts from what it knew before. So no lease of etcd's is ever kept alive here. A renewal
//! *grants a new one* and moves the key onto it, in a transaction that compares the key's revision:
//!
//! * The transaction goes through a majority. When it succeeds, this member held the key up to that moment and holds it now.
//! * Whichever server ends the new lease, rightly leader or not, it counts from the moment at which it applied the grant
//!   (or from later: a new leader starts all of them anew), and the grant was proposed after the call began. So nobody ends
//!   it before its length has passed since then, and no old leader can know it from before.
//! * The lease that is left behind holds no key any more. Whoever revokes it, whenever, takes nothing away.
//!
//! The negotiation counts from when it asked, which is earlier still, and a tenth less.
//!
//! # When the lease is to be had
//!
//! When the key is gone; when this very member holds it; or when the key has stood unchanged for its whole length by this
//! member's *own* clock, counted from when it was first seen so. The last needs no trust in etcd's clocks either: the holder
//! counts from before it wrote what was seen. It spares the wait for an etcd that has just changed its leader, which starts
//! every lease anew, and for the second to which etcd rounds.
//!
//! All of that rests on a store that forgets nothing; `store.rs` does not believe one that does.

mod gateway;
mod ledger;
mod store;
mod tls;
mod trouble;
mod words;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::arbiter::EtcdConfig;
use crate::negotiation::exchange::{ArbiterCall, ArbiterReply};

use super::{Arbiter, Claimant};
use gateway::Gateway;
use ledger::Ledger;
use trouble::Trouble;

pub use tls::EtcdError;

/// One group's lease in etcd, as one member of it uses it.
pub struct EtcdArbiter {
    gateway: Gateway,
    ledger: Ledger,
}

impl EtcdArbiter {
    /// The lease of `claimant`'s group, `lease` long. `path` says what a path of the configuration means. Reads the
    /// certificates; calls nobody.
    ///
    /// # Errors
    ///
    /// A file that the configuration names cannot be read or used.
    pub fn new(
        config: &EtcdConfig,
        claimant: Claimant,
        lease: Duration,
        path: impl Fn(&str) -> PathBuf,
    ) -> Result<EtcdArbiter, EtcdError> {
        let run = getrandom::u64().map_err(|error| EtcdError::NoChance(error.to_string()))?;
        Ok(EtcdArbiter { gateway: Gateway::new(config, path)?, ledger: Ledger::new(claimant, lease, run) })
    }
}

impl Arbiter for EtcdArbiter {
    fn ask(&mut self, call: ArbiterCall, within: Duration) -> ArbiterReply {
        let EtcdArbiter { gateway, ledger } = self;
        let until = Instant::now() + within;
        let mut troubles = Vec::new();
        // Where one has no space, none has. A server that fails in the middle otherwise is left for the next one, and everything begins anew there: whatever was done
        // is found by reading, and what comes to be done late finds the revisions changed.
        for server in gateway.order() {
            let Some(mut session) = gateway.session(server, until) else { break };
            let reply = match call {
                ArbiterCall::Look => ledger.look(&mut session),
                ArbiterCall::Acquire { above } => ledger.acquire(&mut session, above),
                ArbiterCall::Renew { number } => ledger.renew(&mut session, number),
                ArbiterCall::Release { number } => ledger.release(&mut session, number),
            };
            match reply {
                Ok(reply) => {
                    gateway.answered(server);
                    return reply;
                }
                Err(trouble @ Trouble::Full(_)) => {
                    troubles.push((gateway.name(server).to_owned(), trouble));
                    return ArbiterReply::Unreachable { why: trouble::of_all(&troubles) };
                }
                Err(trouble) => troubles.push((gateway.name(server).to_owned(), trouble)),
            }
        }
        gateway.nobody_answered();
        ArbiterReply::Unreachable { why: trouble::of_all(&troubles) }
    }

    fn describe(&self) -> String {
        format!("etcd at {}", self.gateway.names().join(", "))
    }
}

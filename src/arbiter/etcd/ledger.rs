//! One group's lease and its numbers, as one member reads and writes them in etcd.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::negotiation::exchange::ArbiterReply;
use crate::negotiation::member::MemberId;

use super::super::Claimant;
use super::gateway::Session;
use super::store::Store;
use super::trouble::Trouble;
use super::words::{Compare, Granted, KeyValue, LeaseId, Revision, Step, Transaction, TransactionReply};

/// Tries of one renewal in a row while late ones of this member's own come in between.
const RENEWALS: u32 = 3;

/// What the lease's key holds, as JSON that people can read with etcdctl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holding {
    /// Who holds the lease.
    member: String,
    /// In which number.
    number: u64,
    /// How long it lasts from when it was last written, in milliseconds.
    lease_ms: u64,
    /// Which run of the controller wrote this, at random.
    run: String,
    /// How often that run has written it: no two writings are equal.
    written: u64,
}

/// The lease's key as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    holding: Holding,
    revision: Revision,
    lease: LeaseId,
}

/// Both keys as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    held: Option<Held>,
    number: u64,
    number_revision: Revision,
}

/// What one member knows of the lease.
pub(super) struct Ledger {
    claimant: Claimant,
    lease: Duration,
    lease_key: String,
    number_key: String,
    run: String,
    written: u64,
    /// The lease as this member last wrote it.
    mine: Option<Held>,
    /// The lease as it was last seen, and since when it has been so.
    seen: Option<(Held, Instant)>,
    store: Store,
}

impl Ledger {
    /// The lease of `claimant`'s group, `lease` long; `run` tells this run of the controller from others.
    pub(super) fn new(claimant: Claimant, lease: Duration, run: u64) -> Ledger {
        Ledger {
            lease,
            lease_key: format!("tandem/{}/lease", claimant.group),
            number_key: format!("tandem/{}/number", claimant.group),
            run: format!("{run:016x}"),
            written: 0,
            mine: None,
            seen: None,
            store: Store::default(),
            claimant,
        }
    }

    /// etcd counts in whole seconds; never shorter than the lease.
    fn seconds(&self) -> u64 {
        self.lease.as_secs() + u64::from(self.lease.subsec_nanos() > 0)
    }

    fn next_holding(&mut self, number: u64) -> Holding {
        self.written += 1;
        Holding {
            member: self.claimant.name().as_str().to_owned(),
            number,
            lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
            run: self.run.clone(),
            written: self.written,
        }
    }

    /// Reads both keys out of the two ranges that every reading and every failed comparison asks for.
    fn state(&mut self, reply: &TransactionReply) -> Result<State, Trouble> {
        let [lease, number] = reply.ranges();
        let held = lease.map(held).transpose()?;
        let (number, number_revision) = match number {
            Some(found) => (number_of(found)?, found.mod_revision),
            None => (0, Revision::default()),
        };
        match (&held, &self.seen) {
            (Some(held), Some((seen, _))) if held == seen => {}
            (Some(held), _) => self.seen = Some((held.clone(), Instant::now())),
            (None, _) => self.seen = None,
        }
        Ok(State { held, number, number_revision })
    }

    fn read(&mut self, session: &mut Session<'_>) -> Result<State, Trouble> {
        let both = vec![Step::range(&self.lease_key), Step::range(&self.number_key)];
        let reply =
            self.transaction(session, &Transaction { compare: Vec::new(), success: both, failure: Vec::new() })?;
        self.state(&reply)
    }

    /// Takes the steps of a transaction, and believes what it says only of the store that is known.
    fn transaction(
        &mut self,
        session: &mut Session<'_>,
        transaction: &Transaction,
    ) -> Result<TransactionReply, Trouble> {
        let reply = session.transaction(transaction)?;
        self.store.believe(&reply.header)?;
        Ok(reply)
    }

    /// Whether the lease has stood unchanged for its whole length by this member's own clock.
    fn is_over(&self, held: &Held) -> bool {
        let length = self.lease.max(Duration::from_millis(held.holding.lease_ms));
        self.seen.as_ref().is_some_and(|(seen, since)| seen == held && since.elapsed() >= length)
    }

    fn is_mine(&self, held: &Held) -> bool {
        held.holding.member == self.claimant.name().as_str()
    }

    /// How it stands, as the negotiation is told.
    fn holder(&self, state: &State) -> Result<Option<MemberId>, Trouble> {
        match &state.held {
            Some(held) if !self.is_over(held) => {
                let name = &held.holding.member;
                let member = self.claimant.member(name);
                member.map(Some).ok_or_else(|| {
                    Trouble::Answer(format!("{name:?} holds the lease, and no member here is called so"))
                })
            }
            Some(_) | None => Ok(None),
        }
    }

    fn refused(&self, state: &State) -> Result<ArbiterReply, Trouble> {
        Ok(ArbiterReply::Refused { holder: self.holder(state)?, number: state.number })
    }

    /// How the lease stands.
    pub(super) fn look(&mut self, session: &mut Session<'_>) -> Result<ArbiterReply, Trouble> {
        let state = self.read(session)?;
        // S10, U12: who says that the arbiter answers must be able to claim, not only to read.
        if session.is_full() {
            return Err(Trouble::full());
        }
        Ok(ArbiterReply::Stands { holder: self.holder(&state)?, number: state.number })
    }

    /// Takes the lease, when it is to be had, in a number above `above`.
    pub(super) fn acquire(&mut self, session: &mut Session<'_>, above: u64) -> Result<ArbiterReply, Trouble> {
        let state = self.read(session)?;
        if let Some(held) = &state.held
            && !self.is_mine(held)
            && !self.is_over(held)
        {
            return self.refused(&state);
        }
        let Some(number) = state.number.max(above).checked_add(1) else {
            return Err(Trouble::Answer("the numbers have run out".to_owned()));
        };
        let granted = session.grant(self.seconds())?;
        let holding = self.next_holding(number);
        let compare = vec![
            Compare::revision(&self.lease_key, state.held.map_or(Revision::default(), |held| held.revision)),
            Compare::revision(&self.number_key, state.number_revision),
        ];
        let put = vec![
            Step::put(&self.lease_key, &text(&holding), Some(granted.id)),
            Step::put(&self.number_key, &number.to_string(), None),
        ];
        let reply = self.change(session, granted, compare, put)?;
        if reply.succeeded {
            self.mine = Some(Held { holding, revision: reply.header.revision, lease: granted.id });
            return Ok(ArbiterReply::Granted { number });
        }
        let state = self.state(&reply)?;
        session.revoke(granted.id);
        self.refused(&state)
    }

    /// Moves the lease onto a new one of etcd's, when this member holds it in `number`.
    pub(super) fn renew(&mut self, session: &mut Session<'_>, number: u64) -> Result<ArbiterReply, Trouble> {
        let mut held = self.mine.clone().filter(|mine| mine.holding.number == number);
        if held.is_none() {
            let state = self.read(session)?;
            held = state.held.clone().filter(|held| self.is_mine(held) && held.holding.number == number);
            if held.is_none() {
                return self.refused(&state);
            }
        }
        let granted = session.grant(self.seconds())?;
        for _ in 0..RENEWALS {
            let Some(before) = held.take() else { break };
            let holding = self.next_holding(number);
            // What it holds too: in a store that was restored another may have written it at this very revision.
            let compare = vec![
                Compare::revision(&self.lease_key, before.revision),
                Compare::value(&self.lease_key, &text(&before.holding)),
            ];
            let put = vec![Step::put(&self.lease_key, &text(&holding), Some(granted.id))];
            let reply = self.change(session, granted, compare, put)?;
            if reply.succeeded {
                self.mine = Some(Held { holding, revision: reply.header.revision, lease: granted.id });
                return Ok(ArbiterReply::Renewed);
            }
            self.mine = None;
            let state = self.state(&reply)?;
            // A renewal of this member's own that had been given up came in between: the lease is still its.
            held = state.held.clone().filter(|held| self.is_mine(held) && held.holding.number == number);
            if held.is_none() {
                session.revoke(granted.id);
                return self.refused(&state);
            }
        }
        session.revoke(granted.id);
        Err(Trouble::Answer("the lease changes under this member's hands".to_owned()))
    }

    /// Gives the lease back, when this member holds it in `number`.
    pub(super) fn release(&mut self, session: &mut Session<'_>, number: u64) -> Result<ArbiterReply, Trouble> {
        // Read anew: a renewal that was given up may have been carried out.
        self.mine = None;
        let state = self.read(session)?;
        let Some(held) = state.held.filter(|held| self.is_mine(held) && held.holding.number == number) else {
            return Ok(ArbiterReply::Released);
        };
        let compare = vec![Compare::revision(&self.lease_key, held.revision)];
        let success = vec![Step::delete(&self.lease_key)];
        let reply = self.transaction(session, &Transaction { compare, success, failure: Vec::new() })?;
        if !reply.succeeded {
            return Err(Trouble::Answer("the lease changes under this member's hands".to_owned()));
        }
        session.revoke(held.lease);
        Ok(ArbiterReply::Released)
    }

    /// One change of the keys; both are read where they are not as they were compared with. A lease that the change was to
    /// hang on is revoked when it is known to be of no use: without an answer it may be of use.
    fn change(
        &mut self,
        session: &mut Session<'_>,
        granted: Granted,
        compare: Vec<Compare>,
        success: Vec<Step>,
    ) -> Result<TransactionReply, Trouble> {
        let failure = vec![Step::range(&self.lease_key), Step::range(&self.number_key)];
        let reply = self.transaction(session, &Transaction { compare, success, failure });
        if reply.as_ref().is_err_and(|trouble| !trouble.leaves_it_open()) {
            session.revoke(granted.id);
        }
        reply
    }
}

fn text(holding: &Holding) -> String {
    // A struct of texts and numbers always has a form in JSON.
    serde_json::to_string(holding).unwrap_or_default()
}

fn held(found: &KeyValue) -> Result<Held, Trouble> {
    let value = found.text()?;
    let holding = serde_json::from_str(&value).map_err(|error| {
        Trouble::Answer(format!("the lease's key holds {value:?}, which tandem did not write: {error}"))
    })?;
    Ok(Held { holding, revision: found.mod_revision, lease: found.lease })
}

fn number_of(found: &KeyValue) -> Result<u64, Trouble> {
    let value = found.text()?;
    value.parse().map_err(|_| Trouble::Answer(format!("the number's key holds {value:?}, which tandem did not write")))
}

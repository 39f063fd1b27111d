//! Counts how available the group is, as this member sees it, and keeps what was counted in the journal (H8).
//!
//! The counting itself is the journal's, over its records; here the records are made: who is known to act, on each
//! change, and now and then what was counted so far.

use std::path::Path;
use std::time::Duration;

use crate::control::status::{self, Share};
use crate::journal::availability::{Figures, Meter, SUM_UP_EVERY, Totals};
use crate::journal::{self, Entry, Record, Stamp};
use crate::negotiation::member::Name;
use crate::negotiation::message::Mode;
use crate::negotiation::time::Instant;
use crate::negotiation::view::View;

use super::engine::Engine;
use super::gaps::millis;

/// And after so many records, which is less than a segment: so the journal's rotation never takes the last one.
const SUM_UP_AFTER: u64 = 200;
/// Records that are read at the start: among them is the last summary.
const LOOK_BACK: usize = 600;

/// What is counted, and what the journal was told of it.
#[derive(Debug)]
pub struct Availability {
    meter: Meter,
    /// Who is known to act, as last told; none: nothing was told since the start.
    told: Option<Option<Name>>,
    /// Until then nobody need be known after a start.
    settling_until: Instant,
    due: Instant,
    records: u64,
}

impl Availability {
    /// Goes on from what the journal in `directory` holds. No journal yet is no error.
    pub fn of(directory: &Path, now: Instant, boot_timeout: Duration) -> Availability {
        let records = journal::read_last(directory, LOOK_BACK).unwrap_or_default();
        Availability {
            meter: Meter::over(&records),
            told: None,
            settling_until: now + boot_timeout,
            due: now + SUM_UP_EVERY,
            records: 0,
        }
    }

    /// What was counted until now.
    pub fn now(&self) -> Totals {
        self.meter.totals_at(journal::boot_ms())
    }

    /// For the status.
    pub fn report(&self) -> status::Availability {
        let totals = self.now();
        let share = |figures: Figures, outages: u64| Share {
            observed_ms: millis(figures.observed),
            uptime_pct: figures.uptime_pct,
            outages,
            mttr_ms: figures.mttr.map(millis),
            mtbf_ms: figures.mtbf.map(millis),
            recovery_ms: figures.longest.map(millis),
        };
        let primary = Totals { primary_ms: totals.primary_ms, ..Totals::default() };
        status::Availability {
            total: share(totals.figures(), totals.outages),
            as_primary: share(primary.figures(), 0),
            as_secondary: share(totals.as_secondary(), totals.outages),
            unknown_ms: totals.unknown_ms,
            data_loss: "nothing is replicated: what only the Primary had is lost with it".to_owned(),
        }
    }
}

/// Who is known to act.
fn who_acts(view: &View) -> Option<Name> {
    if view.mode == Mode::Primary {
        return Some(view.name.clone());
    }
    let acts = view.peers.iter().find(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary));
    acts.map(|peer| peer.name.clone())
}

impl Engine {
    /// Keeps an entry in the journal, and counts with it.
    pub(super) fn record(&mut self, entry: Entry) -> Stamp {
        let stamp = self.journal.record(entry.clone());
        let Stamp { seq, unix_ms, boot_ms } = stamp;
        self.availability.meter.record(&Record { seq, unix_ms, boot_ms, entry });
        self.availability.records += 1;
        stamp
    }

    /// Keeps what was counted so far.
    pub(super) fn sum_up(&mut self, totals: Totals) {
        self.record(Entry::Availability { totals });
        self.availability.records = 0;
    }

    /// After a turn: whether it is time to keep what was counted.
    pub(super) fn sum_up_when_due(&mut self, now: Instant) {
        let availability = &mut self.availability;
        if now >= availability.due || availability.records >= SUM_UP_AFTER {
            availability.due = now + SUM_UP_EVERY;
            let totals = availability.now();
            self.sum_up(totals);
        }
    }

    /// Tells the journal who is known to act, when that has changed.
    pub(super) fn look_who_acts(&mut self, now: Instant) {
        let view = self.negotiator.view(now);
        let who = who_acts(&view);
        let Availability { told, settling_until, .. } = &mut self.availability;
        let settling = told.is_none() && who.is_none() && now < *settling_until;
        if settling || told.as_ref() == Some(&who) {
            return;
        }
        let before = told.replace(who.clone()).flatten();
        // Who fell silent has not acted, as far as is known, since it was last heard.
        let silent = view.peers.iter().find(|peer| who.is_none() && before.as_ref() == Some(&peer.name));
        let for_ms = silent.and_then(|peer| peer.heard).map_or(0, millis);
        self.record(Entry::Acting { who, for_ms });
    }
}

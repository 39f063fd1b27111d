//! How available the group was, as this member saw it: outages, how long they took, how often they came (H8).
//!
//! Pure over the journal's records. An outage is time in which no Primary was known here; time in which this member did
//! not run, stood still, or did not know yet, is unknown and counts for nothing. What was counted so far is itself a
//! record, made now and then, so that the figures survive the rotation of the journal. After a crash the next start says
//! until when the run before it had lived: what was known at its last record counts until then.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Record;
use super::entry::Entry;
use crate::negotiation::event::Event;
use crate::negotiation::message::Mode;

/// What was counted is kept this often; where nothing says how long a run lived after its last record, a crash costs at most
/// this much.
pub const SUM_UP_EVERY: Duration = Duration::from_secs(60 * 60);

/// What lives has made a record within this.
const LONGEST_SILENCE: Duration = Duration::from_secs(61 * 60);

/// What was counted so far, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// As Primary: then a Primary is known.
    pub primary_ms: u64,
    /// As Secondary, with a Primary known.
    pub secondary_ms: u64,
    /// As Secondary, with no Primary known.
    pub outage_ms: u64,
    /// Not running, standing still, or running and not knowing yet.
    pub unknown_ms: u64,
    /// Outages that began.
    pub outages: u64,
    /// Outages that ended.
    pub recovered: u64,
    /// How long those took together.
    pub recovered_ms: u64,
    /// The longest of those.
    pub longest_ms: u64,
}

/// What the totals mean; each is none where nothing can be said yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Time in which it was known whether somebody acts.
    pub observed: Duration,
    /// Of it with a Primary known, per cent.
    pub uptime_pct: Option<f64>,
    /// Mean time to repair: how long an outage lasted.
    pub mttr: Option<Duration>,
    /// Mean time between failures: time without an outage for each that began.
    pub mtbf: Option<Duration>,
    /// The longest outage that ended: the recovery time that was observed.
    pub longest: Option<Duration>,
}

impl Totals {
    /// The figures over all of it.
    pub fn figures(&self) -> Figures {
        self.over(self.primary_ms + self.secondary_ms)
    }

    /// The figures of the time as Secondary. As Primary there is no outage to be seen: it acts itself.
    pub fn as_secondary(&self) -> Figures {
        self.over(self.secondary_ms)
    }

    fn over(&self, up_ms: u64) -> Figures {
        let observed = up_ms + self.outage_ms;
        Figures {
            observed: Duration::from_millis(observed),
            // Milliseconds of centuries fit the mantissa.
            uptime_pct: (observed > 0).then(|| up_ms as f64 * 100.0 / observed as f64),
            mttr: self.recovered_ms.checked_div(self.recovered).map(Duration::from_millis),
            mtbf: up_ms.checked_div(self.outages).map(Duration::from_millis),
            longest: (self.recovered > 0).then(|| Duration::from_millis(self.longest_ms)),
        }
    }
}

/// What is known at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// Nothing: this member does not run, or has just started.
    Nothing,
    /// A Primary.
    Primary,
    /// That nobody is known to act, since this long into the outage when it was told, in milliseconds.
    Nobody { outage_ms: u64 },
}

/// Counts as records come, oldest first.
#[derive(Debug, Clone)]
pub struct Meter {
    totals: Totals,
    knows: Knows,
    mode: Mode,
    /// Boot time and real time of the last record.
    last: Option<(u64, u64)>,
    /// When it last woke from a stall, in boot time, and how much of that was counted as unknown.
    slept: Option<(u64, u64)>,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter { totals: Totals::default(), knows: Knows::Nothing, mode: Mode::Secondary, last: None, slept: None }
    }
}

impl Meter {
    /// Over all of these.
    pub fn over<'a>(records: impl IntoIterator<Item = &'a Record>) -> Meter {
        let mut meter = Meter::default();
        records.into_iter().for_each(|record| meter.record(record));
        meter
    }

    /// Takes the next record.
    pub fn record(&mut self, record: &Record) {
        if let Entry::Started { last_alive_ms, .. } = record.entry {
            // Boot time may be of another boot: only real time spans it. What came after the run before is not known.
            if let Some((boot_ms, unix_ms)) = self.last {
                let since = record.unix_ms.saturating_sub(unix_ms);
                let lived = last_alive_ms.map_or(0, |alive| alive.saturating_sub(unix_ms));
                // What says more than that is no trace of that run: a copy of its files, a clock that was set.
                let lived = Some(lived).filter(|lived| *lived <= since.min(millis(LONGEST_SILENCE))).unwrap_or(0);
                self.pass(boot_ms.saturating_add(lived));
                self.totals.unknown_ms += since - lived;
            }
            (self.knows, self.mode, self.slept) = (Knows::Nothing, Mode::Secondary, None);
        } else {
            if let Entry::Event(Event::Stalled { stalled_for }) = &record.entry {
                self.slept_until(record.boot_ms, *stalled_for);
            }
            self.pass(record.boot_ms);
        }
        self.last = Some((record.boot_ms, record.unix_ms));
        match &record.entry {
            Entry::Decision(decision) => self.mode = decision.mode,
            Entry::Acting { who: Some(_), .. } => self.somebody_acts(),
            Entry::Acting { who: None, for_ms } => self.nobody_acts(record.boot_ms, *for_ms),
            // What was counted before the journal's beginning was rotated away; else it says what is known already.
            Entry::Availability { totals } if totals.observed_ms() > self.totals.observed_ms() => self.totals = *totals,
            Entry::Stopped { .. } => {
                if let Knows::Nobody { .. } = self.knows {
                    // It did not see the end of it.
                    self.totals.outages = self.totals.outages.saturating_sub(1);
                }
                self.knows = Knows::Nothing;
            }
            _ => {}
        }
    }

    /// Time passes until `boot_ms`.
    fn pass(&mut self, boot_ms: u64) {
        let Some((last, _)) = self.last else { return };
        let by = boot_ms.saturating_sub(last);
        match (&mut self.knows, self.mode) {
            (Knows::Nothing, _) => self.totals.unknown_ms += by,
            (Knows::Primary, Mode::Primary) => self.totals.primary_ms += by,
            (Knows::Primary, Mode::Secondary) => self.totals.secondary_ms += by,
            (Knows::Nobody { outage_ms }, _) => {
                *outage_ms += by;
                self.totals.outage_ms += by;
            }
        }
    }

    /// It stood still until `boot_ms`: what others did meanwhile it has not seen, nor acted itself (S9).
    fn slept_until(&mut self, boot_ms: u64, stalled_for: Duration) {
        let Some((last, unix_ms)) = self.last else { return };
        let stalled = millis(stalled_for).min(boot_ms.saturating_sub(last));
        self.pass(boot_ms - stalled);
        self.totals.unknown_ms += stalled;
        self.last = Some((boot_ms, unix_ms));
        self.slept = Some((boot_ms, stalled));
    }

    fn somebody_acts(&mut self) {
        if let Knows::Nobody { outage_ms } = self.knows {
            self.totals.recovered += 1;
            self.totals.recovered_ms += outage_ms;
            self.totals.longest_ms = self.totals.longest_ms.max(outage_ms);
        }
        self.knows = Knows::Primary;
    }

    /// It began `for_ms` before `boot_ms`: a silence is only known once it has lasted. Of that, what this member slept stays
    /// unknown.
    fn nobody_acts(&mut self, boot_ms: u64, for_ms: u64) {
        let slept = self.slept.filter(|(woke, _)| boot_ms.saturating_sub(*woke) < for_ms).map_or(0, |(_, slept)| slept);
        let for_ms = for_ms.saturating_sub(slept);
        let back = match self.knows {
            Knows::Primary => for_ms.min(self.totals.secondary_ms),
            Knows::Nothing | Knows::Nobody { .. } => 0,
        };
        if !matches!(self.knows, Knows::Nobody { .. }) {
            self.totals.outages += 1;
            self.totals.secondary_ms -= back;
            self.totals.outage_ms += back;
            self.knows = Knows::Nobody { outage_ms: back };
        }
    }

    /// The totals as of the last record.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The totals as of `boot_ms`, after the last record.
    pub fn totals_at(&self, boot_ms: u64) -> Totals {
        let mut later = self.clone();
        later.pass(boot_ms);
        later.totals
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Totals {
    fn observed_ms(&self) -> u64 {
        self.primary_ms + self.secondary_ms + self.outage_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiation::decision::{Decision, Rule};
    use crate::negotiation::member::Name;
    use crate::negotiation::term::Term;
    use crate::negotiation::time::Instant;

    fn started() -> Entry {
        started_after(None)
    }

    /// A start after a run that had lived until this second.
    fn started_after(second: Option<u64>) -> Entry {
        Entry::Started {
            node: "alpha".into(),
            group: "g".to_owned(),
            version: "1".to_owned(),
            incarnation: String::new(),
            last_alive_ms: second.map(|second| second * 1_000),
        }
    }

    fn acting(who: Option<&str>, for_ms: u64) -> Entry {
        Entry::Acting { who: who.map(Name::new), for_ms }
    }

    fn became(mode: Mode) -> Entry {
        let decision = Decision {
            at: Instant(0),
            rule: Rule::Booted,
            mode,
            term: Term::NONE,
            evidence: Vec::new(),
            protection: Default::default(),
        };
        Entry::Decision(decision)
    }

    fn records(entries: Vec<(u64, Entry)>) -> Vec<Record> {
        let record = |(second, entry)| Record { seq: 0, unix_ms: second * 1_000, boot_ms: second * 1_000, entry };
        entries.into_iter().map(record).collect()
    }

    /// Ten seconds to find the other, 90 s beside it, 5 s of nobody (3 s of it known afterwards), then it acts itself.
    fn a_takeover() -> Vec<Record> {
        records(vec![
            (0, started()),
            (10, acting(Some("beta"), 0)),
            (103, acting(None, 3_000)),
            (105, became(Mode::Primary)),
            (105, acting(Some("alpha"), 0)),
            (205, Entry::Stopped { why: String::new() }),
        ])
    }

    #[test]
    fn h8_an_outage_is_time_without_a_known_primary_counted_from_when_it_fell_silent() {
        let totals = Meter::over(&a_takeover()).totals();
        assert_eq!((totals.secondary_ms, totals.outage_ms, totals.primary_ms), (90_000, 5_000, 100_000));
        assert_eq!((totals.unknown_ms, totals.outages, totals.recovered), (10_000, 1, 1));
        let figures = totals.figures();
        assert_eq!(figures.mttr, Some(Duration::from_secs(5)));
        assert_eq!(figures.mtbf, Some(Duration::from_secs(190)));
        assert_eq!(figures.longest, Some(Duration::from_secs(5)));
        assert!((figures.uptime_pct.unwrap() - 190.0 * 100.0 / 195.0).abs() < 1e-9);
        assert_eq!(totals.as_secondary().observed, Duration::from_secs(95));
    }

    /// Nothing happens for long, so nothing is recorded: all of that was unknown after a crash.
    #[test]
    fn h8_what_was_known_at_the_last_record_counts_until_the_crash() {
        let after = |mode, last_alive, started| {
            let mut all = records(vec![(0, started_after(None)), (10, acting(Some("beta"), 0)), (10, became(mode))]);
            all.extend(records(vec![(started, started_after(last_alive))]));
            let totals = Meter::over(&all).totals();
            (totals.primary_ms + totals.secondary_ms, totals.unknown_ms)
        };
        for mode in [Mode::Primary, Mode::Secondary] {
            assert_eq!(after(mode, None, 3_500), (0, 3_500_000));
            assert_eq!(after(mode, Some(3_410), 3_500), (3_400_000, 100_000));
        }
        // No trace of that run: it would have made a record meanwhile; or a clock was set.
        assert_eq!(after(Mode::Primary, Some(90_010), 90_020), (0, 90_020_000));
        assert_eq!(after(Mode::Primary, Some(3_600), 3_500), (0, 3_500_000));
        assert_eq!(after(Mode::Primary, Some(5), 3_500), (0, 3_500_000));
        // A run that ended in order said so; nothing is known of what came then.
        let mut ended = a_takeover();
        ended.extend(records(vec![(1_205, started_after(Some(206)))]));
        assert_eq!(Meter::over(&ended).totals().unknown_ms, 1_010_000);
    }

    #[test]
    fn h8_own_downtime_is_unknown_and_apart() {
        let mut all = a_takeover();
        all.extend(records(vec![
            (1_205, started()),
            (1_206, acting(Some("beta"), 0)),
            (1_216, became(Mode::Secondary)),
        ]));
        let totals = Meter::over(&all).totals();
        assert_eq!((totals.unknown_ms, totals.secondary_ms, totals.outage_ms), (1_011_000, 100_000, 5_000));
    }

    #[test]
    fn h8_s9_what_a_member_slept_through_it_did_not_see() {
        let stalled =
            |second, seconds| (second, Entry::Event(Event::Stalled { stalled_for: Duration::from_secs(seconds) }));
        // A frozen Primary: for 30 s its guardian kept it from acting, and nobody here knows who did.
        let primary = vec![(0, started()), (0, became(Mode::Primary)), (0, acting(Some("alpha"), 0)), stalled(100, 30)];
        let totals = Meter::over(&records(primary)).totals();
        assert_eq!((totals.primary_ms, totals.unknown_ms, totals.outage_ms), (70_000, 30_000, 0));
        // A Secondary that wakes, and finds after 3 s that the other has been silent since a second before it slept.
        let secondary =
            vec![(0, started()), (0, acting(Some("beta"), 0)), stalled(100, 30), (103, acting(None, 34_000))];
        let totals = Meter::over(&records(secondary)).totals();
        assert_eq!((totals.secondary_ms, totals.unknown_ms, totals.outage_ms), (69_000, 30_000, 4_000));
    }

    #[test]
    fn h8_totals_survive_rotation() {
        let kept = Meter::over(&a_takeover()).totals();
        // The oldest records are gone; the summary is not.
        let mut rest = records(vec![(205, Entry::Availability { totals: kept }), (300, started())]);
        rest.extend(records(vec![(301, acting(Some("beta"), 0)), (311, Entry::Stopped { why: String::new() })]));
        let totals = Meter::over(&rest).totals();
        assert_eq!(totals.secondary_ms, kept.secondary_ms + 10_000);
        assert_eq!((totals.outages, totals.longest_ms), (1, 5_000));
        // Beside the records it was made of it adds nothing.
        let mut all = a_takeover();
        all.push(rest[0].clone());
        assert_eq!(Meter::over(&all).totals(), kept);
    }

    #[test]
    fn h8_nothing_is_said_before_anything_is_known() {
        let figures = Totals::default().figures();
        assert_eq!((figures.uptime_pct, figures.mttr, figures.mtbf, figures.longest), (None, None, None, None));
        let live = Meter::over(&a_takeover()[..2]).totals_at(20_000);
        assert_eq!(live.secondary_ms, 10_000);
    }
}

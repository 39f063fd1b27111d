//! How available the group was, as this member saw it (H8).

use crate::control::status::{Availability, Share, Status};

use super::super::page::Page;
use super::{count, ms};

/// What is told of one part of the time.
type Part = (&'static str, fn(&Availability) -> &Share);

/// The parts of the time, by the word of their label.
const PARTS: [Part; 3] = [
    ("total", |availability| &availability.total),
    ("as_primary", |availability| &availability.as_primary),
    ("as_secondary", |availability| &availability.as_secondary),
];

pub(super) fn write(page: &mut Page, status: &Status) {
    let availability = status.availability.as_ref();
    let shares = || availability.into_iter().flat_map(|all| PARTS.map(|(word, share)| (word, share(all))));
    let mut each = |name, help, value: &dyn Fn(&Share) -> Option<f64>| {
        page.gauge(name, help, |samples| {
            for (word, share) in shares() {
                samples.add(&[("part", word)], value(share));
            }
        });
    };
    each("tandem_availability_observed_seconds", "How long this part of the time was observed.", &|share| {
        Some(ms(share.observed_ms))
    });
    each("tandem_availability_ratio", "Share of it in which a Primary was known.", &|share| {
        share.uptime_pct.map(|per_cent| per_cent / 100.0)
    });
    each("tandem_availability_mean_repair_seconds", "Mean time to repair; absent before an outage ended.", &|share| {
        share.mttr_ms.map(ms)
    });
    each(
        "tandem_availability_mean_between_failures_seconds",
        "Mean time between failures; absent before an outage.",
        &|share| share.mtbf_ms.map(ms),
    );
    each("tandem_availability_recovery_seconds", "The longest outage that ended.", &|share| share.recovery_ms.map(ms));
    page.counter("tandem_availability_outages_total", "Outages that began: no Primary was known.", |samples| {
        for (word, share) in shares() {
            samples.add(&[("part", word)], count(share.outages));
        }
    });
    page.one(
        "tandem_availability_unknown_seconds",
        "Time in which this member did not run, stood still, or did not know yet; counts for nothing.",
        availability.map(|all| ms(all.unknown_ms)),
    );
}

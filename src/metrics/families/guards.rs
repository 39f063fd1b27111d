//! The families of what keeps two members from acting: the arbiter, the reference addresses, the watchdog (S1, S4).

use crate::control::status::Status;
use crate::metrics::page::{Page, flag};

use super::{ms, us};

/// All families. Those of what is not configured have no samples.
pub(super) fn write(page: &mut Page, status: &Status) {
    let arbiter = status.arbiter.as_ref();
    page.gauge("tandem_arbiter_answers", "1 while the arbiter is within reach.", |samples| {
        if let Some(arbiter) = arbiter {
            samples.add(&[("kind", &arbiter.kind), ("place", &arbiter.place)], flag(arbiter.answers));
        }
    });
    page.one(
        "tandem_arbiter_answered_age_seconds",
        "How long ago the arbiter last answered.",
        arbiter.and_then(|arbiter| arbiter.answered_ms).map(ms),
    );
    page.one(
        "tandem_arbiter_answer_seconds",
        "How long the arbiter's last answer took.",
        arbiter.and_then(|arbiter| arbiter.took_us).map(us),
    );
    page.gauge("tandem_lease_holder", "1 for the member that holds the lease, as last heard.", |samples| {
        if let Some(holder) = arbiter.and_then(|arbiter| arbiter.holder.as_ref()) {
            samples.add(&[("holder", holder)], 1.0);
        }
    });
    page.one(
        "tandem_lease_free_age_seconds",
        "For how long nobody has been known to hold the lease.",
        arbiter.and_then(|arbiter| arbiter.free_ms).map(ms),
    );
    page.one(
        "tandem_lease_left_seconds",
        "For how much longer this member may rely on its lease.",
        arbiter.and_then(|arbiter| arbiter.lease_left_ms).map(ms),
    );
    page.one("tandem_lease_seconds", "arbiter.lease.", arbiter.map(|arbiter| ms(arbiter.lease_ms)));
    page.one(
        "tandem_acts_by_grants",
        "1 while this Primary goes on without a lease, by the grants of all others.",
        arbiter.map(|arbiter| flag(arbiter.by_grants)),
    );
    let reference = status.reference.as_ref();
    page.one(
        "tandem_reference_answers",
        "1 while a reference address answers.",
        reference.map(|reference| flag(reference.answers)),
    );
    page.one(
        "tandem_reference_answered_age_seconds",
        "How long ago a reference address last answered.",
        reference.and_then(|reference| reference.answered_ms).map(ms),
    );
    let watchdog = status.watchdog.as_ref();
    page.gauge("tandem_watchdog_armed", "1 while the hardware watchdog is armed.", |samples| {
        if let Some(watchdog) = watchdog {
            samples.add(&[("device", &watchdog.device)], flag(watchdog.armed));
        }
    });
    page.one("tandem_watchdog_timeout_seconds", "watchdog.timeout.", watchdog.map(|watchdog| ms(watchdog.timeout_ms)));
}

//! What keeps two members from acting, beside the fence devices: where the arbiter is, which addresses are asked, whether
//! the watchdog is armed. The configuration says it; the status, the alarms and the plans name it.

use std::time::Duration;

use crate::config::Config;
use crate::config::arbiter::ArbiterKind;
use crate::negotiation::view::View;

use super::status;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards {
    /// The arbiter; none: none is configured.
    pub arbiter: Option<Place>,
    /// `reachability.targets`.
    pub reference: Vec<String>,
    /// The watchdog; none: none is configured.
    pub watchdog: Option<status::Watchdog>,
}

/// Where the arbiter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `etcd` or `file`.
    pub kind: &'static str,
    /// For people: "etcd at 10.0.8.1:2379 and 2 more".
    pub place: String,
    /// `arbiter.lease`.
    pub lease: Duration,
}

impl Guards {
    /// What `config` says. The watchdog's state is its driver's to tell.
    pub fn of(config: &Config) -> Guards {
        let arbiter = config.arbiter.as_ref().map(|arbiter| {
            let (kind, place) = match &arbiter.kind {
                ArbiterKind::Etcd(etcd) => ("etcd", etcd_place(&etcd.endpoints)),
                ArbiterKind::File { directory } => ("file", format!("the files in {directory}")),
            };
            Place { kind, place, lease: arbiter.lease }
        });
        Guards { arbiter, reference: config.reference_targets.clone(), watchdog: None }
    }

    /// The arbiter's place, for a sentence.
    pub fn arbiter_place(&self) -> &str {
        self.arbiter.as_ref().map_or("[arbiter] of the configuration", |arbiter| &arbiter.place)
    }

    /// How long its lease is.
    pub fn lease(&self) -> Duration {
        self.arbiter.as_ref().map_or(crate::config::arbiter::LEASE, |arbiter| arbiter.lease)
    }

    /// The reference address for a sentence: the host of the only one, else how many there are.
    pub fn reference_name(&self) -> String {
        match self.reference.as_slice() {
            [one] => host(one).to_owned(),
            [] => "a reference address".to_owned(),
            more => format!("one of {} reference addresses", more.len()),
        }
    }

    /// The reference addresses, all named.
    pub fn references(&self) -> String {
        match self.reference.as_slice() {
            [] => "reachability.targets".to_owned(),
            some => some.iter().map(|target| host(target)).collect::<Vec<_>>().join(", "),
        }
    }

    /// The arbiter as the status tells it.
    pub fn arbiter_status(&self, view: &View) -> Option<status::Arbiter> {
        let known = view.arbiter.as_ref()?;
        let age = |at| millis(view.now.since(at));
        Some(status::Arbiter {
            kind: self.arbiter.as_ref().map_or("file", |arbiter| arbiter.kind).to_owned(),
            place: self.arbiter_place().to_owned(),
            answers: known.answers,
            answered_ms: known.answered.map(age),
            took_us: known.took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
            why: known.why.as_ref().map(ToString::to_string),
            holder: known.holder.as_ref().map(ToString::to_string),
            free_ms: known.free_since.map(age),
            lease_left_ms: known
                .mine_until
                .filter(|until| *until > view.now)
                .map(|until| millis(until.since(view.now))),
            lease_ms: millis(self.lease()),
            by_grants: known.by_grants,
        })
    }

    /// The reference addresses as the status tells them.
    pub fn reference_status(&self, view: &View) -> Option<status::Reference> {
        let known = view.reference.as_ref()?;
        Some(status::Reference {
            targets: self.reference.clone(),
            answers: known.answers,
            answered_ms: known.answered.map(|at| millis(view.now.since(at))),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn etcd_place(endpoints: &[String]) -> String {
    match endpoints {
        [] => "etcd".to_owned(),
        [one] => format!("etcd at {}", bare(one)),
        [one, more @ ..] => format!("etcd at {} and {} more", bare(one), more.len()),
    }
}

/// An address without what stands before `://`.
fn bare(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

/// The host of an address: without its port.
fn host(address: &str) -> &str {
    let address = bare(address);
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_an_address_is_named_without_what_nobody_looks_for() {
        let one = Guards { reference: vec!["tcp://10.0.0.254:22".to_owned()], ..Guards::default() };
        assert_eq!(one.reference_name(), "10.0.0.254");
        let two = Guards { reference: vec!["tcp://[fe80::1]:22".to_owned(), "icmp://10.0.0.1".to_owned()], ..one };
        assert_eq!(two.references(), "[fe80::1], 10.0.0.1");
        assert_eq!(two.reference_name(), "one of 2 reference addresses");
        let endpoints = ["http://10.0.8.1:2379".to_owned(), "https://10.0.8.2:2379".to_owned()];
        assert_eq!(etcd_place(&endpoints), "etcd at 10.0.8.1:2379 and 1 more");
    }
}

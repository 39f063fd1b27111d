//! What protects the group, as the status tells it: the policy, the arbiter, the reference addresses and the watchdog (S1,
//! S4).

use serde::{Deserialize, Serialize};

/// What protects the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// The configured words, empty when unprotected.
    pub policy: Vec<String>,
    /// `unprotected`, `filter`, `ok`, or `missing`.
    pub state: ProtectionState,
}

/// Whether what protection asks for is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectionState {
    /// None is configured.
    Unprotected,
    /// Only `reachability` is: it keeps a member that is cut off from taking over, and proves nothing of the others.
    Filter,
    /// It is there.
    Ok,
    /// It is not there now.
    Missing,
}

/// The arbiter, as this member knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arbiter {
    /// `etcd` or `file`.
    pub kind: String,
    /// Where it is, for people: "etcd at 10.0.8.1:2379 and 2 more".
    pub place: String,
    /// Whether it answered lately enough to count as within reach.
    pub answers: bool,
    /// How long ago it last answered; none: never since this start.
    pub answered_ms: Option<u64>,
    /// How long that answer took.
    pub took_us: Option<u64>,
    /// Why the last call was not answered; none: it was.
    pub why: Option<String>,
    /// Who holds the lease, as last heard; none: nobody is known to.
    pub holder: Option<String>,
    /// For how long nobody has been known to hold it.
    pub free_ms: Option<u64>,
    /// This member's own lease: for how much longer it may be relied on; none: it has none.
    pub lease_left_ms: Option<u64>,
    /// `arbiter.lease`.
    pub lease_ms: u64,
    /// Set while this Primary goes on without a lease, because every other member grants it the role.
    pub by_grants: bool,
}

/// The reference addresses, as this member knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// `reachability.targets`.
    pub targets: Vec<String>,
    /// Whether one answered lately enough.
    pub answers: bool,
    /// How long ago one last answered; none: never since this start.
    pub answered_ms: Option<u64>,
}

/// The hardware watchdog, which resets the machine when this controller hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// `watchdog.device`.
    pub device: String,
    /// How long after the last sign of life it resets the machine.
    pub timeout_ms: u64,
    /// Whether it is armed.
    pub armed: bool,
    /// Why it is not, in a few words.
    pub why: Option<String>,
}

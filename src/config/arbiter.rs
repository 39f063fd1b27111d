//! `[arbiter]` and `[watchdog]`: who grants the lease that a Primary acts by, and what resets a machine whose controller
//! hangs (S1, S4).

use std::time::Duration;

/// `arbiter.lease` unless it is written.
pub const LEASE: Duration = Duration::from_secs(5);

/// `[arbiter]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArbiterConfig {
    /// Where the lease is kept.
    pub kind: ArbiterKind,
    /// How long a lease lasts.
    pub lease: Duration,
}

/// Where a lease is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArbiterKind {
    /// In etcd.
    Etcd(EtcdConfig),
    /// In files on a directory that all members share; as written, see [`super::Config`] for relative paths.
    File {
        /// The directory.
        directory: String,
    },
}

/// How etcd is reached. Paths are as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EtcdConfig {
    /// `http://host:port` or `https://host:port`, at least one.
    pub endpoints: Vec<String>,
    /// The user; empty: etcd asks for none.
    pub user: String,
    /// The file that holds the user's password.
    pub password_file: String,
    /// Whose signature on etcd's certificate is believed; empty: those that the system trusts.
    pub ca_file: String,
    /// This member's own certificate; empty: etcd asks for none.
    pub cert_file: String,
    /// Its key.
    pub key_file: String,
}

/// `[watchdog]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchdogConfig {
    /// The device; empty: off.
    pub device: String,
    /// How long after the last sign of life it resets the machine.
    pub timeout: Duration,
}

impl Default for WatchdogConfig {
    fn default() -> WatchdogConfig {
        WatchdogConfig { device: String::new(), timeout: Duration::from_secs(10) }
    }
}

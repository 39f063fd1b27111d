//! The journal: what happened, kept on disk in order, for `events`, `explain` and the screen (U4, N11).
//!
//! The node records; a thread of this room's own writes, so a slow disk never delays the node's loop. The journal is
//! bounded, in memory by its queue and on disk by `journal.keep`; what did not fit is counted and told as a record of
//! its own. `segment` has the bytes, `writer` and [`reader`] their two sides. Nothing here decides, and nothing here
//! is needed for safety: what must survive a crash before acting is the node's state, not the journal.

pub mod availability;
pub mod entry;
pub mod reader;
pub mod recorder;
pub mod recording;
pub mod replay;
mod segment;
pub mod tape;
mod writer;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::negotiation::member::Name;
use crate::negotiation::message::Incarnation;

pub use entry::Entry;
pub use reader::{Reader, Skipped, read, read_last};
pub use recorder::{Recorder, RecorderHealth, last_written};
pub use tape::Tape;
pub use writer::{Journal, JournalHealth, Stamp, boot_ms};

/// Who writes a journal; every segment says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalIdentity {
    /// The member.
    pub node: Name,
    /// Its group.
    pub group: String,
    /// The program's version.
    pub version: String,
    /// Random at each start.
    pub incarnation: Incarnation,
}

/// An entry with its place and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number: ascends by one a record and goes on after a restart. A gap is what was lost.
    pub seq: u64,
    /// Real time at which it was recorded, milliseconds since 1970.
    pub unix_ms: u64,
    /// Boot time of the machine then, in milliseconds: orders and measures across a set clock, within one boot.
    pub boot_ms: u64,
    /// What happened.
    pub entry: Entry,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is none.
    #[error("there is no journal in {dir}; it is made when a controller with this state directory first runs")]
    Absent {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// A file or directory cannot be used.
    #[error("{path} cannot be {attempt}: {source}")]
    Io {
        /// "made", "listed", "read".
        attempt: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;

//! What can go wrong with one server of etcd, as far as it makes a difference to what may be tried next.

use std::fmt;

use crate::negotiation::trouble::ArbiterTrouble;

/// What went wrong with one server.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer, or none in time: what was asked may have been done.
    Silence(String),
    /// An answer, and not the one that was wanted.
    Answer(String),
    /// An answer that comes from an older state of the store.
    Restored(String),
    /// An answer of another cluster.
    Exchanged(String),
    /// No member of the cluster takes what would need more space.
    Full(String),
}

impl Trouble {
    /// etcd has no space left. Every one of its servers says so once one has found out.
    pub(super) fn full() -> Trouble {
        Trouble::Full(
            "etcd has no space left and takes no change: make room with etcdctl compact and etcdctl defrag, then \
             etcdctl alarm disarm"
                .to_owned(),
        )
    }

    /// Whether what was asked may have been done.
    pub(super) fn leaves_it_open(&self) -> bool {
        match self {
            Trouble::Silence(_) => true,
            Trouble::Answer(_) | Trouble::Restored(_) | Trouble::Exchanged(_) | Trouble::Full(_) => false,
        }
    }
}

/// What went wrong with all of the servers, each with its name: whatever one of them tells that a person has to mend is what
/// the whole is.
pub(super) fn of_all(troubles: &[(String, Trouble)]) -> ArbiterTrouble {
    let text = || troubles.iter().map(|(name, trouble)| format!("{name}: {trouble}")).collect::<Vec<_>>().join("; ");
    let kind = troubles.iter().find_map(|(_, trouble)| match trouble {
        Trouble::Restored(_) => Some(ArbiterTrouble::Restored(text())),
        Trouble::Exchanged(_) => Some(ArbiterTrouble::Exchanged(text())),
        Trouble::Full(_) => Some(ArbiterTrouble::Full(text())),
        Trouble::Silence(_) | Trouble::Answer(_) => None,
    });
    kind.unwrap_or_else(|| ArbiterTrouble::Other(text()))
}

impl fmt::Display for Trouble {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Silence(why)
            | Trouble::Answer(why)
            | Trouble::Restored(why)
            | Trouble::Exchanged(why)
            | Trouble::Full(why) => to.write_str(why),
        }
    }
}

//! Which store it is that answers: etcd's, as it was known, or another in its place.
//!
//! A store that was restored from a backup has forgotten a lease that its holder still acts by, and so has another cluster
//! that an endpoint leads to by mistake. Both would give the lease to a second member. So of one run of the controller only
//! the cluster that answered first is believed, and no revision below one that was seen: every question here is answered
//! through a majority, one after the other, so a store that is not older never shows one. A member that starts anew believes
//! what it finds, because it takes nothing over before every lease that was held at its start is over (rule 1).

use super::trouble::Trouble;
use super::words::{ClusterId, Header, Revision};

/// What is known of the store that the answers come from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Store {
    cluster: Option<ClusterId>,
    revision: Revision,
}

impl Store {
    /// Whether an answer with this head comes from the store that was known, and not from an older state of it.
    ///
    /// # Errors
    ///
    /// It does not; says what to do.
    pub(super) fn believe(&mut self, header: &Header) -> Result<(), Trouble> {
        let cluster = *self.cluster.get_or_insert(header.cluster);
        if header.cluster != cluster {
            return Err(Trouble::Exchanged(format!(
                "it belongs to etcd cluster {:x}, and cluster {cluster:x} answered before: name servers of one cluster \
                 in arbiter.endpoints; if etcd was set up anew, restart tandem on one member after the other, this one \
                 first if it is not Primary",
                header.cluster
            )));
        }
        if header.revision < self.revision {
            return Err(Trouble::Restored(format!(
                "etcd is older than it was, revision {} after {}: it was restored from a backup, and does not know who \
                 holds the lease; restart tandem on one member after the other, the Primary last",
                header.revision, self.revision
            )));
        }
        self.revision = header.revision;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(cluster: u64, revision: i64) -> Header {
        let text = format!("{{\"cluster_id\":\"{cluster}\",\"revision\":\"{revision}\"}}");
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn s1_a_store_that_is_older_than_it_was_or_another_is_not_believed() {
        let mut store = Store::default();
        for revision in [7, 7, 9] {
            store.believe(&head(u64::MAX, revision)).expect("the same store, and no older");
        }
        let older = store.believe(&head(u64::MAX, 8)).expect_err("older");
        assert!(matches!(&older, Trouble::Restored(why) if why.contains("revision 8 after 9")), "{older}");
        let other = store.believe(&head(5, 100)).expect_err("another");
        assert!(matches!(&other, Trouble::Exchanged(why) if why.contains("cluster 5")), "{other}");
        // Neither is forgotten by it.
        store.believe(&head(u64::MAX, 9)).expect("the store itself, back");
    }
}

//! Why an answer of the arbiter's could not be relied on, as far as people have to do different things about it.
//!
//! No rule looks at this: to the negotiation an arbiter in trouble is one that is out of reach, whatever keeps it. The
//! alarms do, and each kind carries the words that the arbiter's driver has for it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// See the module. A recording of a version that knew no kinds holds the words alone, which are read as [`Self::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArbiterTrouble {
    /// S4: the shared directory lacks the generations that it had: it is not mounted, or was emptied.
    Emptied(String),
    /// S4: etcd's store is older than it was: it was restored from a backup, or set up anew.
    Restored(String),
    /// S4: servers of another etcd than before answer.
    Exchanged(String),
    /// S10, U12: it is read and not written: etcd has no space left.
    Full(String),
    /// Anything else: nothing answers, or what answers cannot be used.
    #[serde(untagged)]
    Other(String),
}

/// What was tried and what came of it, without a full stop.
impl fmt::Display for ArbiterTrouble {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArbiterTrouble::Emptied(text)
            | ArbiterTrouble::Restored(text)
            | ArbiterTrouble::Exchanged(text)
            | ArbiterTrouble::Full(text)
            | ArbiterTrouble::Other(text) => to.write_str(text),
        }
    }
}

impl ArbiterTrouble {
    /// What the arbiter does then: "the arbiter does not answer".
    pub fn does(&self) -> &'static str {
        match self {
            ArbiterTrouble::Emptied(_) | ArbiterTrouble::Restored(_) | ArbiterTrouble::Exchanged(_) => {
                "is not believed"
            }
            ArbiterTrouble::Full(_) => "takes no change",
            ArbiterTrouble::Other(_) => "does not answer",
        }
    }
}

impl From<String> for ArbiterTrouble {
    fn from(text: String) -> ArbiterTrouble {
        ArbiterTrouble::Other(text)
    }
}

impl From<&str> for ArbiterTrouble {
    fn from(text: &str) -> ArbiterTrouble {
        ArbiterTrouble::Other(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::exchange::ArbiterReply;
    use super::*;

    #[test]
    fn u5_what_an_older_version_recorded_is_read_and_each_kind_comes_back_as_itself() {
        let older = r#"{"reply":"unreachable","why":"no answer from 10.0.8.1:2379"}"#;
        let why = ArbiterTrouble::from("no answer from 10.0.8.1:2379");
        let reply = ArbiterReply::Unreachable { why };
        assert_eq!(serde_json::from_str::<ArbiterReply>(older).unwrap(), reply);
        assert_eq!(serde_json::to_string(&reply).unwrap(), older, "an older version reads what is written now, too");
        // Words that are the name of a kind are words all the same.
        for why in [
            ArbiterTrouble::Emptied("gone".to_owned()),
            ArbiterTrouble::Restored("older".to_owned()),
            ArbiterTrouble::Exchanged("another".to_owned()),
            ArbiterTrouble::Full("no space".to_owned()),
            ArbiterTrouble::from("emptied"),
        ] {
            let reply = ArbiterReply::Unreachable { why };
            let written = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<ArbiterReply>(&written).unwrap(), reply, "{written}");
        }
    }
}

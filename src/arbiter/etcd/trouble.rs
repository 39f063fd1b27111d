//! What can go wrong with one server of etcd, as far as it makes a difference to what may be tried next.

use std::fmt;

/// What went wrong with one server.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer, or none in time: what was asked may have been done.
    Silence(String),
    /// An answer, and not the one that was wanted.
    Answer(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Silence(why) | Trouble::Answer(why) => to.write_str(why),
        }
    }
}

//! Who is who in a group: a member's number by address, and its name.
//!
//! Members are numbered by the address that decides who listens (N2): the lowest address is number 0. So "the lower
//! address" is "the smaller number" everywhere in the rules, and no rule ever sees an address.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most members a group can have. The fencing token keeps eight bits for the member ([`super::term::Term::token`]),
/// and everything a member keeps about the others is bounded by this.
pub const MAX_MEMBERS: usize = 16;

/// A member by the rank of its first address: 0 is the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(pub u8);

impl MemberId {
    /// This member's place in a list that holds one entry a member.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A member's configured name. Cloning is cheap, so decisions can carry names and stay readable on their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Name {
    /// A name as configured; which characters are allowed is the configuration's business.
    pub fn new(name: &str) -> Name {
        Name(Arc::from(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        Name::new(name)
    }
}

//! What the link is told before it starts, and the times that follow from it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::negotiation::member::{MAX_MEMBERS, MemberId, Name};
use crate::negotiation::message::Incarnation;
use crate::negotiation::settings::Agreement;

use super::wire::MAX_TEXT;

/// The most addresses of one member.
pub const MAX_PATHS: usize = 8;

/// A member as the link sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkMember {
    /// Its name, unique in the group.
    pub name: Name,
    /// Where it listens: one address for each network; the first decides who calls whom (N2, N15).
    pub addresses: Vec<SocketAddr>,
}

/// How the link is protected (S8).
#[derive(Clone, PartialEq, Eq)]
pub enum LinkSecurity {
    /// Encrypted and authenticated with keys that the whole group holds.
    Noise {
        /// The key this member calls with; accepted too.
        call: [u8; 32],
        /// Further keys accepted from callers while a key is being changed.
        accept: Vec<[u8; 32]>,
    },
    /// Plain text; anybody who reaches the port is believed.
    None,
}

impl std::fmt::Debug for LinkSecurity {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LinkSecurity::Noise { call: _, accept } => write!(f, "Noise(1 key, {} more accepted)", accept.len()),
            LinkSecurity::None => f.write_str("None"),
        }
    }
}

/// What the link works with.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// Who this member is.
    pub me: MemberId,
    /// Every member, in the order of their first addresses.
    pub members: Vec<LinkMember>,
    /// The group's name.
    pub group: String,
    /// Keys, or none.
    pub security: LinkSecurity,
    /// What is told to peers as that which members must agree on (N19).
    pub agreement: Agreement,
    /// This run of this member.
    pub incarnation: Incarnation,
    /// This program's version, told to peers.
    pub program_version: String,
    /// Period of queries and beacons.
    pub query_interval: Duration,
    /// Silence after which a peer counts as gone; bounds how long sent data may stay unacknowledged.
    pub reply_timeout: Duration,
    /// How long a listening member waits at boot; what is tried again must come round well within it.
    pub boot_timeout: Duration,
    /// Where every call goes first: the demo's relay ([`super::detour`]). None in a real group.
    pub detour: Option<SocketAddr>,
}

/// Why the link cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The settings make no sense.
    #[error("{0}")]
    Settings(String),
    /// An own address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", advice(.source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// What to do about a listening socket that could not be had.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program, perhaps another tandem, has this port",
        io::ErrorKind::AddrNotAvailable => "; this machine has none of this member's addresses: wrong member name?",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        // Not our own enum: every other kind speaks for itself.
        _ => "",
    }
}

impl LinkSettings {
    /// Whether the link can work with these.
    ///
    /// # Errors
    /// [`LinkError::Settings`] with what is wrong.
    pub fn check(&self) -> Result<(), LinkError> {
        let wrong = |text: String| Err(LinkError::Settings(text));
        let count = self.members.len();
        if !(2..=MAX_MEMBERS).contains(&count) {
            return wrong(format!("a group has 2 to {MAX_MEMBERS} members, not {count}"));
        }
        if self.me.index() >= count {
            return wrong("this member is not one of the group's members".into());
        }
        if !(1..=MAX_TEXT).contains(&self.group.len()) {
            return wrong(format!("the group's name must be 1 to {MAX_TEXT} bytes long"));
        }
        for (place, member) in self.members.iter().enumerate() {
            if !(1..=MAX_TEXT).contains(&member.name.as_str().len()) {
                return wrong(format!("the name of member \"{}\" must be 1 to {MAX_TEXT} bytes long", member.name));
            }
            if !(1..=MAX_PATHS).contains(&member.addresses.len()) {
                return wrong(format!("member \"{}\" must have 1 to {MAX_PATHS} addresses", member.name));
            }
            if self.members[..place].iter().any(|other| other.name == member.name) {
                return wrong(format!("two members are called \"{}\"", member.name));
            }
        }
        if !self.members.is_sorted_by(|a, b| a.addresses[0] < b.addresses[0]) {
            return wrong("the members are not in the order of their first addresses, or share one".into());
        }
        Ok(())
    }

    /// This member.
    pub(super) fn own(&self) -> &LinkMember {
        &self.members[self.me.index()]
    }

    /// A handshake that takes longer is given up. Not shorter than a busy machine needs, however short the reply
    /// timeout is: an unfinished handshake keeps nobody out.
    pub(super) fn handshake_deadline(&self) -> Duration {
        self.reply_timeout.clamp(Duration::from_millis(250), Duration::from_secs(2))
    }

    /// How long the old session of a member is given to answer when a second one appears (N13). Shorter than a
    /// handshake; and not so short that a busy member would lose its place to a second one of its name.
    pub(super) fn ask_deadline(&self) -> Duration {
        (self.reply_timeout / 3).clamp(Duration::from_millis(100), Duration::from_secs(1))
    }

    /// How long one connection attempt may take. With [`Self::longest_pause`] it stays below half of `boot_timeout`
    /// (rule 2) and below the second within which a link must be back.
    pub(super) fn connect_timeout(&self) -> Duration {
        (self.boot_timeout / 4).min(Duration::from_millis(400))
    }

    /// The longest pause between two connection attempts.
    pub(super) fn longest_pause(&self) -> Duration {
        (self.boot_timeout / 5).min(Duration::from_millis(300))
    }

    /// How often the round trip of each path is measured.
    pub(super) fn measure_interval(&self) -> Duration {
        self.query_interval.max(Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn pair() -> LinkSettings {
        let member = |name: &str, address: &str| LinkMember {
            name: name.into(),
            addresses: vec![address.parse().expect("an address")],
        };
        LinkSettings {
            me: MemberId(0),
            members: vec![member("alpha", "10.0.0.1:7400"), member("beta", "10.0.0.2:7400")],
            group: "g".into(),
            security: LinkSecurity::Noise { call: [0xA5; 32], accept: vec![[0x5A; 32]] },
            agreement: Agreement {
                members_hash: 0,
                protection: Vec::new(),
                reply_timeout: Duration::from_secs(3),
                lease: Duration::ZERO,
            },
            incarnation: Incarnation(1),
            program_version: "0".into(),
            query_interval: Duration::from_secs(1),
            reply_timeout: Duration::from_secs(3),
            boot_timeout: Duration::from_secs(10),
            detour: None,
        }
    }

    #[test]
    fn n2_members_must_be_in_the_order_of_their_addresses_and_the_lower_port_comes_first() {
        assert!(pair().check().is_ok());
        let mut same_host = pair();
        same_host.members[1].addresses = vec!["10.0.0.1:7401".parse().unwrap()];
        assert!(same_host.check().is_ok());
        same_host.members[1].addresses = vec!["10.0.0.1:7399".parse().unwrap()];
        assert!(same_host.check().is_err());
    }

    #[test]
    fn n13_trying_again_comes_round_within_a_second_and_half_of_the_boot_wait() {
        for boot_timeout in [Duration::from_millis(200), Duration::from_secs(10)] {
            let settings = LinkSettings { boot_timeout, ..pair() };
            let round = settings.connect_timeout() + settings.longest_pause();
            assert!(round < boot_timeout / 2 && round < Duration::from_secs(1));
        }
    }

    #[test]
    fn n13_the_old_session_is_asked_within_the_new_ones_handshake() {
        for reply_timeout in [1, 50, 300, 1000, 3000, 60_000].map(Duration::from_millis) {
            let settings = LinkSettings { reply_timeout, ..pair() };
            assert!(settings.ask_deadline() * 2 <= settings.handshake_deadline());
        }
    }

    #[test]
    fn s8_keys_are_never_printed() {
        let text = format!("{:?}", pair());
        assert!(!text.contains("165") && !text.to_lowercase().contains("a5, a5"), "{text}");
    }
}

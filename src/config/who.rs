//! Which member of the group this process is: named, or found by the machine's own addresses (N8).

use std::net::IpAddr;

use crate::negotiation::member::MemberId;

use super::model::Config;

/// Why it is not known which member this is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhoError {
    /// The name given is not in the file.
    #[error("no member is called {named:?} in {file}; its members are {members}")]
    NoSuchMember {
        /// The name given.
        named: String,
        /// The file.
        file: String,
        /// The names in the file.
        members: String,
    },
    /// No member has an address of this machine.
    #[error(
        "no member in {file} has an address of this machine ({own}); say which one this is with --as NAME ({members}), \
         or correct the addresses"
    )]
    NoneLocal {
        /// The file.
        file: String,
        /// The machine's addresses.
        own: String,
        /// The names in the file.
        members: String,
    },
    /// Several members have one.
    #[error(
        "several members in {file} have an address of this machine: {members}; say which one this is with --as NAME"
    )]
    SeveralLocal {
        /// The file.
        file: String,
        /// Those that have one.
        members: String,
    },
    /// The machine did not tell its addresses.
    #[error("cannot read this machine's addresses ({why}); say which member this is with --as NAME")]
    NoAddresses {
        /// What the system said.
        why: String,
    },
}

impl Config {
    /// The member called `named`, else the one member that has an address of this machine.
    pub fn which_member(&self, named: Option<&str>) -> Result<MemberId, WhoError> {
        match named {
            Some(named) => self.member_called(named),
            None => {
                let own = own_addresses().map_err(|errno| WhoError::NoAddresses { why: errno.to_string() })?;
                self.member_among(&own)
            }
        }
    }

    /// The members that have an address of this machine; empty when the machine does not tell its addresses.
    pub fn local_members(&self) -> Vec<MemberId> {
        own_addresses().map(|own| self.members_among(&own)).unwrap_or_default()
    }

    fn member_called(&self, named: &str) -> Result<MemberId, WhoError> {
        self.ids().find(|id| self.name(*id).as_str() == named).ok_or_else(|| WhoError::NoSuchMember {
            named: named.to_owned(),
            file: self.path.display().to_string(),
            members: self.names(self.ids()),
        })
    }

    fn member_among(&self, own: &[IpAddr]) -> Result<MemberId, WhoError> {
        let file = self.path.display().to_string();
        match self.members_among(own).as_slice() {
            [one] => Ok(*one),
            [] => Err(WhoError::NoneLocal {
                file,
                own: own.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "),
                members: self.names(self.ids()),
            }),
            several => Err(WhoError::SeveralLocal { file, members: self.names(several.iter().copied()) }),
        }
    }

    fn members_among(&self, own: &[IpAddr]) -> Vec<MemberId> {
        // Every address of 127.0.0.0/8 is this machine's, though the interface shows only one of them.
        let local = |ip: IpAddr| ip.is_loopback() || own.contains(&ip);
        self.ids().filter(|id| self.members[id.index()].addresses.iter().any(|address| local(address.ip()))).collect()
    }

    /// Every member, in order.
    pub fn ids(&self) -> impl Iterator<Item = MemberId> + use<> {
        // Reading bounds the members well below 256.
        (0..self.members.len() as u8).map(MemberId)
    }

    fn names(&self, ids: impl Iterator<Item = MemberId>) -> String {
        ids.map(|id| self.name(id).to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// The addresses of this machine's interfaces.
fn own_addresses() -> Result<Vec<IpAddr>, nix::Error> {
    let mut own: Vec<IpAddr> = nix::ifaddrs::getifaddrs()?
        .filter_map(|interface| interface.address)
        .filter_map(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect();
    own.sort_unstable();
    own.dedup();
    Ok(own)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(alpha: &str, beta: &str) -> Config {
        let text = format!(
            "group = \"g\"\n[[member]]\nname = \"beta\"\naddresses = [\"{beta}\"]\n\
             [[member]]\nname = \"alpha\"\naddresses = [\"{alpha}\"]\n"
        );
        Config::parse(&text, Path::new("t.toml")).expect("a good file")
    }

    #[test]
    fn n8_the_member_with_an_address_of_this_machine_is_found() {
        let config = config("10.0.0.1:7400", "10.0.0.2:7400");
        let own = ["127.0.0.1", "10.0.0.2"].map(|ip| ip.parse().expect("an address"));
        assert_eq!(config.member_among(&own), Ok(MemberId(1)));
    }

    #[test]
    fn n8_a_name_decides_and_a_wrong_one_lists_the_members() {
        let config = config("10.0.0.1:7400", "10.0.0.2:7400");
        assert_eq!(config.which_member(Some("alpha")), Ok(MemberId(0)));
        let error = config.which_member(Some("gamma")).expect_err("there is none").to_string();
        assert!(error.contains("alpha, beta"), "{error}");
    }

    #[test]
    fn n8_several_members_on_one_machine_ask_for_a_name() {
        let config = config("127.0.0.1:7400", "127.0.0.2:7400");
        let error = config.which_member(None).expect_err("both are local").to_string();
        assert!(error.contains("alpha, beta") && error.contains("--as"), "{error}");
    }

    #[test]
    fn n8_no_member_on_this_machine_asks_for_a_name() {
        let config = config("10.0.0.1:7400", "10.0.0.2:7400");
        let own = ["127.0.0.1", "10.0.0.3"].map(|ip| ip.parse().expect("an address"));
        let error = config.member_among(&own).expect_err("none is local").to_string();
        assert!(error.contains("10.0.0.3"), "{error}");
        assert!(error.contains("--as"), "{error}");
    }
}

//! Advice about the networks between the members, as far as their addresses tell.

use std::net::{IpAddr, SocketAddr};

use super::super::model::{Config, MemberConfig};
use super::Advice;

/// Whether some member has one address only, on a network and not on this machine.
pub(super) fn one_network_with_a_switch(config: &Config) -> bool {
    !all_on_one_machine(config) && config.members.iter().any(|member| member.addresses.len() == 1)
}

/// Whether every address is a loopback one: a trial on one machine, without any network to advise about.
fn all_on_one_machine(config: &Config) -> bool {
    config.members.iter().flat_map(|member| &member.addresses).all(|address| address.ip().is_loopback())
}

/// What can be told about the networks of each member, and of each two.
pub(super) fn networks(config: &Config, advice: &mut Vec<Advice>) {
    if all_on_one_machine(config) {
        return;
    }
    for MemberConfig { name, addresses } in &config.members {
        let key = format!("member.{name}.addresses");
        match addresses.as_slice() {
            [] | [_] => advice.push(config.advise(
                &key,
                format!("{name} has one address: one broken cable separates it from the others"),
                "add an address on a second network that shares no switch with the first",
            )),
            [first, rest @ ..] if rest.iter().all(|other| same_network(first, other)) => advice.push(config.advise(
                &key,
                format!("all addresses of {name} look like one network: one broken switch silences them together"),
                "give it an address on a second network that shares no switch with the first",
            )),
            [_, ..] => {}
        }
    }
    for (place, low) in config.members.iter().enumerate() {
        for high in &config.members[place + 1..] {
            advice.extend(between(config, low, high));
        }
    }
}

/// What can be told about the networks between two members; `high` is the one that calls.
fn between(config: &Config, low: &MemberConfig, high: &MemberConfig) -> Option<Advice> {
    let (low_name, high_name) = (&low.name, &high.name);
    let key = format!("member.{high_name}.addresses");
    let shares_family = |one: &SocketAddr| high.addresses.iter().any(|other| one.is_ipv4() == other.is_ipv4());
    if !low.addresses.iter().any(shares_family) {
        return Some(config.advise(
            &key,
            format!("{low_name} and {high_name} have no address of the same kind: one has IPv4, the other IPv6"),
            "give both an address on a network that they share",
        ));
    }
    // A path is one place in both lists: the caller calls the address at a place from its own at the same place.
    // Pairs that match in their own place are right, whatever else shares their network.
    let mut apart = low.addresses.iter().zip(&high.addresses).filter(|(theirs, own)| !same_network(theirs, own));
    let strays: Vec<&SocketAddr> = apart.clone().map(|(_, own)| own).collect();
    let crossed = apart.any(|(theirs, _)| strays.iter().any(|stray| same_network(theirs, stray)));
    crossed.then(|| {
        config.advise(
            &key,
            format!("{high_name} has its networks in another order than {low_name}"),
            "write the networks in the same order for every member, so that each path stays on its own",
        )
    })
}

/// Whether two addresses share the part that names the network, as most sites cut it: 24 bits of IPv4, 64 of IPv6.
fn same_network(one: &SocketAddr, other: &SocketAddr) -> bool {
    match (one.ip(), other.ip()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.octets()[..8] == other.octets()[..8],
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

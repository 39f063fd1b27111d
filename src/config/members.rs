//! The `[[member]]` tables: names, addresses, and what must be unique among them (N2, N8, N15).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::negotiation::member::{MAX_MEMBERS, Name};

use super::model::MemberConfig;
use super::read::{self, Fault, Part, Reader, string, wrong_type};
use super::schema::MEMBER;

/// The most addresses of one member. Redundant networks are two, seldom three; each costs a connection a pair.
const MAX_ADDRESSES: usize = 8;
/// The longest name: it stands on every line of the screen.
const MAX_NAME_BYTES: usize = 32;

/// Reads the members and sorts them by their first address. Empty when any of them is faulty.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Vec<MemberConfig> {
    let faults_before = reader.errors.len();
    let Some(value) = top.get("member") else {
        reader.fault_at_key("member", few_members(0));
        return Vec::new();
    };
    let Some(tables) = value.get_ref().as_array() else {
        let fault = Fault::new("members are a list of sections", "write [[member]], in two brackets, before each one");
        reader.fault(value.span(), "member", fault);
        return Vec::new();
    };
    let mut seen = Seen::default();
    let mut members: Vec<MemberConfig> = Vec::new();
    for entry in tables {
        match entry.get_ref().as_table() {
            Some(table) => members.extend(read_one(reader, entry, table, &mut seen)),
            None => {
                reader.fault(entry.span(), "member", wrong_type("[[member]] with name and addresses", entry.get_ref()))
            }
        }
    }
    let count = tables.len();
    if count < 2 {
        reader.fault(value.span(), "member", few_members(count));
    } else if let Some(first_too_many) = tables.get(MAX_MEMBERS) {
        let fault =
            Fault::new(format!("{count} members are too many"), format!("a group has 2 to {MAX_MEMBERS} members"));
        reader.fault(first_too_many.span(), "member", fault);
    }
    if reader.errors.len() > faults_before {
        return Vec::new();
    }
    // The addresses are unique and each member has one, so this order is total and the same on every member.
    members.sort_by_key(|member| member.addresses.first().copied());
    members
}

fn few_members(count: usize) -> Fault {
    let found = if count == 0 { "no members" } else { "only one member" };
    Fault::new(
        format!("the group has {found}"),
        "write two or more [[member]] sections, each with name = \"…\" and addresses = [\"10.0.0.1:7400\"]",
    )
}

/// What earlier members have taken.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    addresses: Vec<(SocketAddr, String)>,
}

/// One member; none when it is faulty.
fn read_one(
    reader: &mut Reader<'_>,
    entry: &Spanned<DeValue<'_>>,
    table: &DeTable<'_>,
    seen: &mut Seen,
) -> Option<MemberConfig> {
    let part = Part::of(&MEMBER, table);
    reader.no_other_keys(&part);
    for (key, example) in [("name", "name = \"alpha\""), ("addresses", "addresses = [\"10.0.0.1:7400\"]")] {
        if !table.contains_key(key) {
            let fault = Fault::new(format!("this member has no `{key}`"), format!("write {example}"));
            reader.fault(entry.span(), &MEMBER.path(key), fault);
        }
    }
    let name = reader.value(&part, "name", |value| read::name("member", MAX_NAME_BYTES, &seen.names, value));
    seen.names.extend(name.clone());
    let owner = name.clone().unwrap_or_else(|| "another member".to_owned());
    let addresses = read_addresses(reader, &part, &owner, seen);
    let name = name?;
    // So that advice about one member's addresses finds its own line, not the last one's.
    if let Some(place) = reader.places.remove("member.addresses") {
        reader.places.insert(format!("member.{name}.addresses"), place);
    }
    Some(MemberConfig { name: Name::new(&name), addresses: addresses? })
}

fn read_addresses(
    reader: &mut Reader<'_>,
    part: &Part<'_, '_, '_>,
    owner: &str,
    seen: &mut Seen,
) -> Option<Vec<SocketAddr>> {
    reader.value(part, "addresses", |value| {
        let list = value.as_array().ok_or_else(|| wrong_type("a list: addresses = [\"10.0.0.1:7400\"]", value))?;
        match list.len() {
            0 => Err(Fault::new("there is no address", "write at least one, \"10.0.0.1:7400\"")),
            1..=MAX_ADDRESSES => Ok(()),
            count => Err(Fault::new(
                format!("{count} addresses are too many"),
                format!("write at most {MAX_ADDRESSES}, one for each network"),
            )),
        }
    })?;
    let list = part.table.get("addresses")?.get_ref().as_array()?;
    let mut addresses = Vec::new();
    for entry in list {
        match read_address(entry.get_ref(), owner, seen) {
            Ok(address) => addresses.push(address),
            Err(fault) => reader.fault(entry.span(), "member.addresses", fault),
        }
    }
    // All of them or none: half a member would be told as something else further on.
    (addresses.len() == list.len()).then_some(addresses)
}

fn read_address(value: &DeValue<'_>, owner: &str, seen: &mut Seen) -> Result<SocketAddr, Fault> {
    let text = string(value)?;
    let read: SocketAddr = text.parse().map_err(|_| no_address(&text))?;
    // An IPv4 address in IPv6 clothes is the same machine: it must compare and count as the IPv4 address (N2).
    let address = match read.ip().to_canonical() {
        canonical @ IpAddr::V4(_) => SocketAddr::new(canonical, read.port()),
        IpAddr::V6(_) => read,
    };
    let ip = address.ip();
    if address.port() == 0 {
        return Err(Fault::new(format!("{text:?} has port 0, which nobody can call"), "write a port from 1 to 65535"));
    }
    if ip.is_unspecified() {
        return Err(Fault::new(
            format!("{text:?} means every address, so the other members could not call it"),
            "write the machine's own address on that network",
        ));
    }
    if matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return Err(Fault::new(
            format!(
                "{text:?} is link-local: it needs the number of an interface, which differs from machine to machine"
            ),
            "give the interface an address of its own, \"[fd00::1]:7400\"",
        ));
    }
    if ip.is_multicast() || ip == IpAddr::from([255, 255, 255, 255]) {
        return Err(Fault::new(format!("{text:?} is not one machine's address"), "write the machine's own address"));
    }
    if let Some((_, other)) = seen.addresses.iter().find(|(taken, _)| *taken == address) {
        return Err(Fault::new(
            format!("{text:?} is also an address of {other}"),
            "an address with its port belongs to one member, once",
        ));
    }
    seen.addresses.push((address, owner.to_owned()));
    Ok(address)
}

/// The fault of a text that is no address, with the likeliest slip as advice.
fn no_address(text: &str) -> Fault {
    let suggestion = if let Some((ip, port)) = address_and_port_without_brackets(text) {
        format!("put an IPv6 address in brackets: \"[{ip}]:{port}\"")
    } else if let Ok(ip) = text.parse::<IpAddr>() {
        format!("add the port: \"{}\"", SocketAddr::new(ip, 7400))
    } else if text.matches(':').count() > 1 && !text.starts_with('[') {
        "put an IPv6 address in brackets: \"[fd00::1]:7400\"".to_owned()
    } else if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        "write the number, \"10.0.0.1:7400\": a name service that is down must not stop a takeover".to_owned()
    } else {
        "write an address and a port: \"10.0.0.1:7400\" or \"[fd00::1]:7400\"".to_owned()
    };
    Fault::new(format!("{text:?} is not an address with a port"), suggestion)
}

/// Both parts of `fd00::1:7400`. It also reads as one address without a port, but four digits of a port are what people
/// write at the end.
fn address_and_port_without_brackets(text: &str) -> Option<(Ipv6Addr, u16)> {
    let (ip, port) = text.rsplit_once(':')?;
    let port = Some(port).filter(|port| port.len() >= 4)?.parse().ok()?;
    Some((ip.parse().ok()?, port))
}

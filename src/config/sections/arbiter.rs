//! `[arbiter]`: where the lease is kept that a Primary acts by (S1, S4).

use std::net::Ipv6Addr;

use toml::de::{DeTable, DeValue};

use crate::negotiation::settings::Protection;

use super::super::arbiter::{ArbiterConfig, ArbiterKind, EtcdConfig, LEASE};
use super::super::read::{Fault, Part, Reader, path, string, time, word, wrong_type};
use super::super::schema;
use super::{SHORTEST, table};

/// More servers than an etcd ever has: a call's time is shared among them.
const MOST_ENDPOINTS: usize = 9;
/// What an endpoint looks like.
const EXAMPLE: &str = "\"http://10.0.8.1:2379\"";

/// The word of `kind`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Etcd,
    File,
}

/// What belongs to etcd.
const ETCD_KEYS: [&str; 6] = ["endpoints", "user", "password_file", "ca_file", "cert_file", "key_file"];

/// Reads `[arbiter]`; none: it is not there, or faulty. `protection` is what asks for it.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>, protection: &[Protection]) -> Option<ArbiterConfig> {
    const KINDS: &[(&str, Kind)] = &[("etcd", Kind::Etcd), ("file", Kind::File)];
    let Some(keys) = table(top, &schema::ARBITER) else {
        if protection.contains(&Protection::Arbiter) && !top.contains_key(schema::ARBITER.name) {
            let fault = Fault::new(
                "takeover.protection: \"arbiter\" needs to know who keeps the lease, and there is no [arbiter]",
                format!(
                    "write [arbiter] with kind = \"etcd\" and endpoints = [{EXAMPLE}], or with kind = \"file\" and \
                     directory = \"/mnt/shared/tandem\""
                ),
            );
            reader.fault_at_key("takeover.protection", fault);
        }
        return None;
    };
    let (key, _) = top.get_key_value(schema::ARBITER.name)?;
    let kind = reader.needed(&keys, key.span(), ("kind", "kind = \"etcd\" or kind = \"file\""), word(KINDS))?;
    let lease = reader.value(&keys, "lease", time(SHORTEST)).unwrap_or(LEASE);
    let others: &[&str] = match kind {
        Kind::Etcd => &["directory"],
        Kind::File => &ETCD_KEYS,
    };
    for (key, value) in keys.table.iter().filter(|(key, _)| others.contains(&key.get_ref().as_ref())) {
        let (name, mine, other) = match kind {
            Kind::Etcd => (key.get_ref(), "etcd", "file"),
            Kind::File => (key.get_ref(), "file", "etcd"),
        };
        let fault = Fault::new(
            format!("`{name}` belongs to kind = \"{other}\", and the kind is \"{mine}\""),
            format!("remove it, or write kind = \"{other}\""),
        );
        reader.fault(value.span(), &keys.key(name), fault);
    }
    let kind = match kind {
        Kind::Etcd => ArbiterKind::Etcd(read_etcd(reader, &keys, key.span())?),
        Kind::File => {
            let example = ("directory", "directory = \"/mnt/shared/tandem\", which all members share");
            ArbiterKind::File { directory: reader.needed(&keys, key.span(), example, shared)? }
        }
    };
    Some(ArbiterConfig { kind, lease })
}

fn read_etcd(reader: &mut Reader<'_>, keys: &Part<'_, '_, '_>, span: std::ops::Range<usize>) -> Option<EtcdConfig> {
    let example = format!("endpoints = [{EXAMPLE}], all servers of the etcd");
    let endpoints = reader.needed(keys, span, ("endpoints", &example), endpoints);
    let etcd = EtcdConfig {
        endpoints: endpoints.clone().unwrap_or_default(),
        user: reader.value(keys, "user", string).unwrap_or_default(),
        password_file: reader.value(keys, "password_file", string).unwrap_or_default(),
        ca_file: reader.value(keys, "ca_file", string).unwrap_or_default(),
        cert_file: reader.value(keys, "cert_file", string).unwrap_or_default(),
        key_file: reader.value(keys, "key_file", string).unwrap_or_default(),
    };
    for ((has, name), (other, needed), example) in [
        ((&etcd.user, "user"), (&etcd.password_file, "password_file"), "password_file = \"/etc/tandem/etcd.pass\""),
        ((&etcd.password_file, "password_file"), (&etcd.user, "user"), "user = \"tandem\""),
        ((&etcd.cert_file, "cert_file"), (&etcd.key_file, "key_file"), "key_file = \"/etc/tandem/etcd.key\""),
        ((&etcd.key_file, "key_file"), (&etcd.cert_file, "cert_file"), "cert_file = \"/etc/tandem/etcd.crt\""),
    ] {
        if !has.is_empty() && other.is_empty() {
            let fault = Fault::new(format!("`{name}` is of no use without `{needed}`"), format!("write {example} too"));
            reader.fault_at_key(&keys.key(name), fault);
        }
    }
    endpoints.is_some().then_some(etcd)
}

/// A directory for all members.
fn shared(value: &DeValue<'_>) -> Result<String, Fault> {
    let directory = path(value)?;
    match directory.contains("{member}") {
        true => Err(Fault::new(
            "with {member} in it, each member would have a directory, and a lease, of its own",
            "write the same directory for all",
        )),
        false => Ok(directory),
    }
}

/// The endpoints: texts, each `http://host:port` or `https://host:port`, at least one and none twice.
fn endpoints(value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let example = format!("a list: [{EXAMPLE}]");
    let list = value.as_array().ok_or_else(|| wrong_type(&example, value))?;
    let mut read: Vec<String> = Vec::new();
    for entry in list {
        let text = string(entry.get_ref())?;
        let endpoint = endpoint(&text)?;
        if read.contains(&endpoint) {
            return Err(Fault::new(format!("{text:?} stands there twice"), "write each server once"));
        }
        read.push(endpoint);
    }
    match read.len() {
        0 => Err(Fault::new("there is no endpoint", format!("write {example}"))),
        1..=MOST_ENDPOINTS => Ok(read),
        many => Err(Fault::new(format!("{many} endpoints are too many"), format!("write at most {MOST_ENDPOINTS}"))),
    }
}

fn endpoint(text: &str) -> Result<String, Fault> {
    let wrong = |what: &str| Fault::new(format!("{text:?} {what}"), format!("write {EXAMPLE}"));
    let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("does not begin with http:// or https://"))?;
    if !["http", "https"].contains(&scheme) {
        return Err(wrong("does not begin with http:// or https://"));
    }
    let address = rest.strip_suffix('/').unwrap_or(rest);
    if address.contains('@') {
        // It may hold a password, which is not repeated.
        return Err(Fault::new(
            "an endpoint takes no user and no password",
            "write user = \"tandem\" and password_file = \"/etc/tandem/etcd.pass\" below [arbiter]",
        ));
    }
    let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || !port.parse::<u16>().is_ok_and(|port| port != 0) {
        return Err(wrong("has no port that can be called"));
    }
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    is_host.then(|| format!("{scheme}://{address}")).ok_or_else(|| wrong("is no host with a port"))
}

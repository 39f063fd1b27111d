//! `[reachability]`: the reference addresses, one of which must answer (S1).

use std::net::SocketAddr;

use toml::de::{DeTable, DeValue};

use crate::negotiation::settings::Protection;

use super::super::read::{Fault, Reader, string, wrong_type};
use super::super::schema;
use super::table;

/// More than a person would look after; all are asked at once.
const MOST_TARGETS: usize = 16;
/// What a target looks like.
const EXAMPLE: &str = "\"tcp://10.0.0.254:22\"";

/// Reads `[reachability]`: the targets as written. `protection` is what asks for them.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>, protection: &[Protection]) -> Vec<String> {
    const KEY: &str = "targets";
    let keys = table(top, &schema::REACHABILITY);
    let faults_before = reader.errors.len();
    let read = keys.as_ref().and_then(|keys| reader.value(keys, KEY, targets)).unwrap_or_default();
    // What is faulty has its own words, and a section that is no table too.
    let absent = keys.is_some() || !top.contains_key(schema::REACHABILITY.name);
    if protection.contains(&Protection::Reachability)
        && read.is_empty()
        && reader.errors.len() == faults_before
        && absent
    {
        let fault = Fault::new(
            "takeover.protection: \"reachability\" needs an address that answers while this machine has its network, and \
             [reachability] names none",
            format!("write [reachability] with targets = [{EXAMPLE}], such as a router that all members use"),
        );
        reader.fault_at_key("takeover.protection", fault);
    }
    read
}

fn targets(value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let example = format!("a list: [{EXAMPLE}]");
    let list = value.as_array().ok_or_else(|| wrong_type(&example, value))?;
    let mut read: Vec<String> = Vec::new();
    for entry in list {
        let text = string(entry.get_ref())?;
        let address = text
            .strip_prefix("tcp://")
            .ok_or_else(|| Fault::new(format!("{text:?} does not begin with tcp://"), format!("write {EXAMPLE}")))?;
        let parsed = address.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
        if parsed.is_none() {
            return Err(Fault::new(
                format!("{text:?} is no address with a port"),
                format!(
                    "write {EXAMPLE}: an address and not a name, because the server of names may be out of reach just then"
                ),
            ));
        }
        if read.contains(&text) {
            return Err(Fault::new(format!("{text:?} stands there twice"), "write it once"));
        }
        read.push(text);
    }
    match read.len() {
        0..=MOST_TARGETS => Ok(read),
        many => Err(Fault::new(format!("{many} targets are too many"), format!("write at most {MOST_TARGETS}"))),
    }
}

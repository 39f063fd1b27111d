//! `[fence.NAME]` and `[fencing]`: how each member is switched off (S2, S3).

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::negotiation::member::MemberId;

use super::super::error::Place;
use super::super::fencing::{AgentConfig, FenceAction, FenceConfig};
use super::super::model::MemberConfig;
use super::super::read::{Fault, Part, Reader, boolean, command, integer, path, time, word, wrong_type};
use super::super::schema;
use super::takeover::no_such_member;
use super::{SHORTEST, table};

/// More tries in a row than this only delay the next look at the peer.
const MOST_ATTEMPTS: u32 = 100;

/// Every `[fence.NAME]`, by member. `members` is empty when the members themselves are faulty.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &DeTable<'_>,
    members: &[MemberConfig],
) -> BTreeMap<MemberId, FenceConfig> {
    let Some(fences) = top.get(schema::FENCE.name).and_then(|value| value.get_ref().as_table()) else {
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for (key, value) in fences {
        let name: &str = key.get_ref();
        let path = format!("fence.{name}");
        let place = members.iter().position(|member| member.name.as_str() == name);
        if place.is_none() && !members.is_empty() {
            reader.fault(key.span(), &path, no_such_member(name, members));
        }
        let Some(keys) = value.get_ref().as_table() else {
            let fault = Fault::new(
                format!("[fence] has no key `{}` of its own", name.escape_debug()),
                "write [fence.NAME] with the name of the member that is switched off, and the keys below it",
            );
            // One fault is enough for one line.
            if place.is_some() || members.is_empty() {
                reader.fault(key.span(), &path, fault);
            }
            continue;
        };
        let one = read_one(reader, &Part { section: &schema::FENCE, path: &path, table: keys }, key.span());
        if let (Some(place), Some(one)) = (place, one) {
            // Reading bounds the members well below 256.
            read.insert(MemberId(place as u8), one);
        }
    }
    read
}

/// One `[fence.NAME]`, which begins at `span`; none when its program is faulty.
fn read_one(reader: &mut Reader<'_>, keys: &Part<'_, '_, '_>, span: std::ops::Range<usize>) -> Option<FenceConfig> {
    const ACTIONS: &[(&str, FenceAction)] = &[("off", FenceAction::Off), ("reboot", FenceAction::Reboot)];
    reader.no_other_keys(keys);
    let agent = read_agent(reader, keys, span);
    let read = FenceConfig {
        action: reader.value(keys, "action", word(ACTIONS)).unwrap_or_default(),
        timeout: reader.value(keys, "timeout", time(SHORTEST)).unwrap_or(Duration::from_secs(20)),
        attempts: reader.value(keys, "attempts", integer(1..=MOST_ATTEMPTS)).unwrap_or(2),
        delay: reader.value(keys, "delay", time(Duration::ZERO)).unwrap_or(Duration::from_secs(5)),
        monitor: reader.value(keys, "monitor", time(Duration::ZERO)).unwrap_or(Duration::from_secs(60)),
        agent: agent?,
    };
    Some(read)
}

/// The program: an agent with its options, or a plain command, and not both.
fn read_agent(reader: &mut Reader<'_>, keys: &Part<'_, '_, '_>, span: std::ops::Range<usize>) -> Option<AgentConfig> {
    let has = |key| keys.table.contains_key(key);
    if has("command") && (has("agent") || has("options")) {
        let fault = Fault::new(
            format!("{} has a command beside an agent or its options", keys.path),
            "write either agent and options, or command",
        );
        reader.fault(span, keys.path, fault);
        return None;
    }
    if has("command") {
        return reader.value(keys, "command", command).map(|command| AgentConfig::Command { command });
    }
    if !has("agent") {
        let fault = Fault::new(
            format!("{} says neither which agent nor which command switches it off", keys.path),
            "write agent = \"/usr/sbin/fence_ipmilan\" with its options, or command = [\"/usr/local/bin/power\", \"{action}\"]",
        );
        reader.fault(span, keys.path, fault);
    }
    let options = match has("options") {
        true => {
            place_each_option(reader, keys);
            reader.value(keys, "options", options)
        }
        false => Some(BTreeMap::new()),
    };
    let path = reader.value(keys, "agent", path)?;
    Some(AgentConfig::Agent { path, options: options? })
}

/// Where each option stands in the file: what the agent says of one is told with its line.
fn place_each_option(reader: &mut Reader<'_>, keys: &Part<'_, '_, '_>) {
    let Some(table) = keys.table.get("options").and_then(|options| options.get_ref().as_table()) else { return };
    for name in table.keys() {
        let path = format!("{}.{}", keys.key("options"), name.get_ref());
        reader.places.insert(path, Place::of(reader.text, name.span()));
    }
}

/// An agent's options, as the texts that its standard input takes, one `name=value` a line.
fn options(value: &DeValue<'_>) -> Result<BTreeMap<String, String>, Fault> {
    const EXAMPLE: &str = "options = { ip = \"10.0.9.2\", lanplus = true }";
    let table = value.as_table().ok_or_else(|| wrong_type(EXAMPLE, value))?;
    let mut options = BTreeMap::new();
    for (key, value) in table {
        let name: &str = key.get_ref();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=') {
            return Err(Fault::new(format!("{name:?} cannot be an option's name"), format!("write {EXAMPLE}")));
        }
        if name == "action" {
            return Err(Fault::new(
                "the action is not one of the options",
                "write action = \"off\" below [fence.NAME]",
            ));
        }
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            // What agents of every age take for yes and no.
            DeValue::Boolean(yes) => if *yes { "1" } else { "0" }.to_owned(),
            other @ (DeValue::Integer(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_)) => {
                let Fault { message, .. } = wrong_type("", other);
                return Err(Fault::new(
                    format!("option `{name}`: {message}"),
                    "write a text in quotes, a number, true or false",
                ));
            }
        };
        // The value itself may be secret, and is not shown.
        if text.chars().any(char::is_control) {
            return Err(Fault::new(
                format!("option `{name}` holds a line break or another control character"),
                "agents read one option a line: write it without",
            ));
        }
        options.insert(name.to_owned(), text);
    }
    Ok(options)
}

/// `fencing.always`.
pub(super) fn read_always(reader: &mut Reader<'_>, top: &DeTable<'_>) -> bool {
    table(top, &schema::FENCING).and_then(|keys| reader.value(&keys, "always", boolean)).unwrap_or_default()
}

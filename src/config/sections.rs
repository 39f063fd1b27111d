//! From the text of a file to a [`Config`]: every section, every key, every fault.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::negotiation::settings::Protection;

use super::error::{ConfigError, ConfigErrors, Place};
use super::measuring::HealthConfig;
use super::members;
use super::model::{
    Config, Control, JOURNAL_KEEP, Negotiation, STATE_PATTERN, Screen, Security, SecurityMode, Takeover, Theme,
};
use super::read::{Fault, Reader, boolean, comes_later, integer, path, paths, string, time, word, wrong_type};
use super::required::Hooks;
use super::schema::{self, LATER_SECTIONS, SECTIONS, Section};
use super::{duration, size};

/// The longest group name: it travels in every handshake.
const MAX_GROUP_BYTES: usize = 64;
/// The shortest time of the negotiation: below this the operating system's scheduling, not the peer, is measured.
const SHORTEST: Duration = Duration::from_millis(1);
/// The smallest journal: less could not hold one bad night.
const SMALLEST_JOURNAL: u64 = 64 << 10;

impl Config {
    /// Reads `text`, which came from the file at `path`. Faults of the TOML itself are told alone, all of them: what
    /// a broken text means is anybody's guess. Otherwise every faulty key is told.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
        let (document, broken) = DeTable::parse_recoverable(text);
        if !broken.is_empty() {
            let errors = broken.iter().map(|error| syntax_error(text, error)).collect();
            return Err(ConfigErrors::new(path, text, errors));
        }
        let top = document.get_ref();
        let mut reader = Reader::new(text);
        look_at_sections(&mut reader, top);
        let group = read_group(&mut reader, top);
        let members = members::read(&mut reader, top);
        let takeover = read_takeover(&mut reader, top, members.len());
        let config = Config {
            path: path.to_owned(),
            group,
            members,
            negotiation: read_negotiation(&mut reader, top),
            security: read_security(&mut reader, top),
            takeover,
            health: HealthConfig::default(),
            processes: Vec::new(),
            hooks: Hooks::default(),
            fences: BTreeMap::new(),
            fencing_always: false,
            metrics_listen: None,
            state_pattern: read_state(&mut reader, top),
            control: read_control(&mut reader, top),
            screen: read_screen(&mut reader, top),
            journal_keep: read_journal(&mut reader, top),
            places: std::mem::take(&mut reader.places),
        };
        match reader.errors.is_empty() {
            true => Ok(config),
            false => Err(ConfigErrors::new(path, text, reader.errors)),
        }
    }
}

/// A fault of the TOML itself.
fn syntax_error(text: &str, error: &toml::de::Error) -> ConfigError {
    let place = Place::of(text, error.span().unwrap_or(0..0));
    let line = text.lines().nth(place.line - 1).unwrap_or_default();
    let value = line.split_once('=').map(|(_, value)| value.trim_start());
    let suggestion = match value {
        Some(value) if value.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/') => {
            "texts, times, sizes and paths stand in quotes: reply_timeout = \"3s\""
        }
        _ => "config/reference.toml shows how every key is written",
    };
    ConfigError {
        place: Some(place),
        key: String::new(),
        message: error.message().replace('\n', "; "),
        suggestion: suggestion.to_owned(),
    }
}

/// Faults what stands at the top and is neither a key, nor a section, nor a section written as its contract says.
fn look_at_sections(reader: &mut Reader<'_>, top: &DeTable<'_>) {
    for (key, value) in top {
        let name: &str = key.get_ref();
        if schema::TOP.known.contains(&name) {
            continue;
        }
        let Some(section) = SECTIONS.into_iter().find(|section| section.name == name) else {
            let fault = if LATER_SECTIONS.contains(&name) {
                comes_later(&format!("[{name}]"))
            } else if value.get_ref().is_table() {
                let names = SECTIONS.into_iter().map(|section| section.name);
                let suggestion = match schema::nearest(name, names) {
                    Some(known) => format!("did you mean [{known}]?"),
                    None => "the sections are: ".to_owned() + &SECTIONS.map(|section| section.name).join(", "),
                };
                Fault::new(format!("unknown section [{}]", name.escape_debug()), suggestion)
            } else {
                Fault::new(
                    format!("unknown key `{}` {}", name.escape_debug(), schema::TOP.title()),
                    schema::TOP.suggest(name),
                )
            };
            reader.fault(key.span(), name, fault);
            continue;
        };
        match value.get_ref() {
            DeValue::Table(table) => reader.no_other_keys(section, table),
            other => {
                let Fault { message, .. } = wrong_type("", other);
                let fault = Fault::new(
                    format!("`{name}` is a section, but the file gives it a value: {message}"),
                    format!("write [{name}] on a line of its own, and its keys below it"),
                );
                reader.fault(key.span(), name, fault);
            }
        }
    }
}

/// The table of `section`; none when it is absent, or no table, which [`look_at_sections`] has told.
fn table<'v, 'i>(top: &'v DeTable<'i>, section: &Section) -> Option<&'v DeTable<'i>> {
    top.get(section.name)?.get_ref().as_table()
}

fn read_group(reader: &mut Reader<'_>, top: &DeTable<'_>) -> String {
    if !top.contains_key("group") {
        let fault = Fault::new("the group has no name", "write group = \"substation-7\", the same on every member");
        reader.fault_at_key("group", fault);
    }
    let parse = |value: &DeValue<'_>| {
        let group = string(value)?;
        if group.is_empty() || group.len() > MAX_GROUP_BYTES || group.chars().any(char::is_control) {
            return Err(Fault::new(
                "this cannot be a group's name",
                format!("write 1 to {MAX_GROUP_BYTES} bytes, without control characters"),
            ));
        }
        Ok(group)
    };
    reader.value(&schema::TOP, top, "group", parse).unwrap_or_default()
}

fn read_negotiation(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Negotiation {
    let defaults = Negotiation::default();
    let section = &schema::NEGOTIATION;
    let Some(keys) = table(top, section) else { return defaults };
    let faults_before = reader.errors.len();
    let read = Negotiation {
        query_interval: reader
            .value(section, keys, "query_interval", time(SHORTEST))
            .unwrap_or(defaults.query_interval),
        reply_timeout: reader.value(section, keys, "reply_timeout", time(SHORTEST)).unwrap_or(defaults.reply_timeout),
        boot_timeout: reader.value(section, keys, "boot_timeout", time(SHORTEST)).unwrap_or(defaults.boot_timeout),
        connect_grace: reader
            .value(section, keys, "connect_grace", time(Duration::ZERO))
            .unwrap_or(defaults.connect_grace),
        crash_detection: reader.value(section, keys, "crash_detection", boolean).unwrap_or(defaults.crash_detection),
    };
    // A faulty time would be compared by its default, which nobody wrote.
    if reader.errors.len() == faults_before && read.reply_timeout <= read.query_interval {
        let key = ["negotiation.reply_timeout", "negotiation.query_interval"]
            .into_iter()
            .find(|key| reader.places.contains_key(*key))
            .unwrap_or("negotiation.reply_timeout");
        let fault = Fault::new(
            format!(
                "reply_timeout, {}, is not longer than query_interval, {}: every peer would count as silent",
                duration::text(read.reply_timeout),
                duration::text(read.query_interval)
            ),
            "make reply_timeout three times query_interval or more",
        );
        reader.fault_at_key(key, fault);
    }
    read
}

fn read_security(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Security {
    let defaults = Security::default();
    let section = &schema::SECURITY;
    let Some(keys) = table(top, section) else { return defaults };
    const MODES: &[(&str, SecurityMode)] = &[("noise", SecurityMode::Noise), ("none", SecurityMode::Plain)];
    Security {
        mode: reader.value(section, keys, "mode", word(MODES)).unwrap_or(defaults.mode),
        key_file: reader.value(section, keys, "key_file", path).unwrap_or(defaults.key_file),
        also_accept: reader.value(section, keys, "also_accept", paths).unwrap_or(defaults.also_accept),
    }
}

fn read_takeover(reader: &mut Reader<'_>, top: &DeTable<'_>, members: usize) -> Takeover {
    let section = &schema::TAKEOVER;
    let Some(keys) = table(top, section) else { return Takeover::default() };
    let protection = |value: &DeValue<'_>| {
        let list = value.as_array().ok_or_else(|| wrong_type("a list: [] or [\"majority\"]", value))?;
        let mut protection = Vec::new();
        for entry in list {
            let found = one_protection(entry.get_ref(), members)?;
            if protection.contains(&found) {
                return Err(Fault::new(format!("{:?} stands there twice", found.word()), "write it once"));
            }
            protection.push(found);
        }
        Ok(protection)
    };
    Takeover {
        protection: reader.value(section, keys, "protection", protection).unwrap_or_default(),
        observe_only: reader.value(section, keys, "observe_only", boolean).unwrap_or_default(),
        ..Takeover::default()
    }
}

/// One word of `takeover.protection`; `members` is 0 when the members themselves are faulty.
fn one_protection(value: &DeValue<'_>, members: usize) -> Result<Protection, Fault> {
    match string(value)?.as_str() {
        "majority" if (1..3).contains(&members) => Err(Fault::new(
            "\"majority\" needs three or more members: with two, both would have to agree that one is gone",
            "add a third member, or write protection = []",
        )),
        "majority" => Ok(Protection::Majority),
        later @ ("fence" | "arbiter" | "reachability") => Err(comes_later(&format!("{later:?}"))),
        other => {
            let known = ["majority", "fence", "arbiter", "reachability"];
            let suggestion = match schema::nearest(other, known.into_iter()) {
                Some(known) => format!("did you mean {known:?}?"),
                None => "this version knows \"majority\"".to_owned(),
            };
            Err(Fault::new(format!("{other:?} is no protection"), suggestion))
        }
    }
}

fn read_state(reader: &mut Reader<'_>, top: &DeTable<'_>) -> String {
    let section = &schema::STATE;
    table(top, section)
        .and_then(|keys| reader.value(section, keys, "directory", path))
        .unwrap_or_else(|| STATE_PATTERN.to_owned())
}

fn read_control(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Control {
    let defaults = Control::default();
    let section = &schema::CONTROL;
    let Some(keys) = table(top, section) else { return defaults };
    let mode = |value: &DeValue<'_>| {
        let fault = || Fault::new("this is no permission mode", "write it in octal and in quotes: \"0660\"");
        let text = value.as_str().ok_or_else(fault)?;
        let plain = (3..=4).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
        match u32::from_str_radix(text, 8) {
            Ok(mode) if plain && mode <= 0o777 && mode & 0o600 == 0o600 => Ok(mode),
            Ok(mode) if plain && mode <= 0o777 => {
                Err(Fault::new("the controller's own user could not use its socket", "begin with 6: \"0660\""))
            }
            _ => Err(fault()),
        }
    };
    Control {
        socket_pattern: reader.value(section, keys, "socket", path).unwrap_or(defaults.socket_pattern),
        mode: reader.value(section, keys, "mode", mode).unwrap_or(defaults.mode),
        group: reader.value(section, keys, "group", string).unwrap_or(defaults.group),
    }
}

fn read_screen(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Screen {
    let defaults = Screen::default();
    let section = &schema::SCREEN;
    let Some(keys) = table(top, section) else { return defaults };
    const THEMES: &[(&str, Theme)] = &[("default", Theme::Default), ("mono", Theme::Mono)];
    Screen {
        theme: reader.value(section, keys, "theme", word(THEMES)).unwrap_or(defaults.theme),
        ascii: reader.value(section, keys, "ascii", boolean).unwrap_or(defaults.ascii),
        bell: reader.value(section, keys, "bell", boolean).unwrap_or(defaults.bell),
        max_draws_per_second: reader
            .value(section, keys, "max_draws_per_second", integer(1..=60))
            .unwrap_or(defaults.max_draws_per_second),
    }
}

fn read_journal(reader: &mut Reader<'_>, top: &DeTable<'_>) -> u64 {
    let section = &schema::JOURNAL;
    let keep = |value: &DeValue<'_>| {
        let text = value.as_str().ok_or_else(|| wrong_type("a size in quotes, \"64MiB\"", value))?;
        let bytes = size::parse(text)
            .map_err(|error| Fault::new(error.to_string(), "a size is a number and a unit: KiB, MiB or GiB"))?;
        match bytes < SMALLEST_JOURNAL {
            true => Err(Fault::new(format!("{text:?} is too small"), "write \"64KiB\" or more")),
            false => Ok(bytes),
        }
    };
    table(top, section).and_then(|keys| reader.value(section, keys, "keep", keep)).unwrap_or(JOURNAL_KEEP)
}

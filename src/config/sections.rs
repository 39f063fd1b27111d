//! From the text of a file to a [`Config`]: every section, every key, every fault.

mod arbiter;
mod fences;
mod health;
mod processes;
mod reachability;
mod takeover;
mod watchdog;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::duration;
use super::error::{ConfigError, ConfigErrors, Place};
use super::members;
use super::model::{Config, Control, JOURNAL_KEEP, Negotiation, STATE_PATTERN, Screen, Security, SecurityMode, Theme};
use super::read::{
    Fault, Part, Reader, boolean, comes_later, integer, path, paths, size, string, time, word, wrong_type,
};
use super::schema::{self, Form, LATER_SECTIONS, SECTIONS, Section};

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
        let fences = fences::read(&mut reader, top, &members);
        let takeover = takeover::read(&mut reader, top, &members);
        let arbiter = arbiter::read(&mut reader, top, &takeover.protection);
        let reference_targets = reachability::read(&mut reader, top, &takeover.protection);
        let config = Config {
            path: path.to_owned(),
            group,
            members,
            negotiation: read_negotiation(&mut reader, top),
            security: read_security(&mut reader, top),
            takeover,
            health: health::read(&mut reader, top),
            processes: processes::read(&mut reader, top),
            hooks: processes::read_hooks(&mut reader, top),
            fences,
            fencing_always: fences::read_always(&mut reader, top),
            arbiter,
            reference_targets,
            watchdog: watchdog::read(&mut reader, top),
            metrics_listen: read_metrics(&mut reader, top),
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

/// Faults what stands at the top and is neither a key, nor a section, nor a section written as its contract says. Lists
/// and sections by member are looked at where they are read.
fn look_at_sections(reader: &mut Reader<'_>, top: &DeTable<'_>) {
    for (key, value) in top {
        let name: &str = key.get_ref();
        if schema::TOP.takes(name) {
            continue;
        }
        let Some(section) = SECTIONS.into_iter().find(|section| section.name == name) else {
            let fault = if LATER_SECTIONS.contains(&name) {
                comes_later(&format!("[{name}]"))
            } else if value.get_ref().is_table() {
                let suggestion = match schema::nearest(name, schema::outer_names()) {
                    Some(known) => format!("did you mean [{known}]?"),
                    None => format!("the sections are: {}", schema::outer_names().collect::<Vec<_>>().join(", ")),
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
        match (section.form, value.get_ref()) {
            (Form::Table, DeValue::Table(table)) => reader.no_other_keys(&Part::of(section, table)),
            (Form::List, DeValue::Array(_)) | (Form::List | Form::ByMember, DeValue::Table(_)) => {}
            (Form::Table | Form::ByMember | Form::List | Form::Top | Form::Inline, other) => {
                let Fault { message, .. } = wrong_type("", other);
                let brackets = match section.form {
                    Form::List => format!("[[{name}]]"),
                    Form::ByMember => format!("[{name}.NAME]"),
                    Form::Table | Form::Top | Form::Inline => format!("[{name}]"),
                };
                let fault = Fault::new(
                    format!("`{name}` is a section, but the file gives it a value: {message}"),
                    format!("write {brackets} on a line of its own, and its keys below it"),
                );
                reader.fault(key.span(), name, fault);
            }
        }
    }
}

/// The table of `section`; none when it is absent, or no table, which [`look_at_sections`] has told.
fn table<'v, 'i>(top: &'v DeTable<'i>, section: &'static Section) -> Option<Part<'v, 'i, 'static>> {
    Some(Part::of(section, top.get(section.name)?.get_ref().as_table()?))
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
    reader.value(&Part::of(&schema::TOP, top), "group", parse).unwrap_or_default()
}

fn read_negotiation(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Negotiation {
    let defaults = Negotiation::default();
    let Some(keys) = table(top, &schema::NEGOTIATION) else { return defaults };
    let faults_before = reader.errors.len();
    let read = Negotiation {
        query_interval: reader.value(&keys, "query_interval", time(SHORTEST)).unwrap_or(defaults.query_interval),
        reply_timeout: reader.value(&keys, "reply_timeout", time(SHORTEST)).unwrap_or(defaults.reply_timeout),
        boot_timeout: reader.value(&keys, "boot_timeout", time(SHORTEST)).unwrap_or(defaults.boot_timeout),
        connect_grace: reader.value(&keys, "connect_grace", time(Duration::ZERO)).unwrap_or(defaults.connect_grace),
        crash_detection: reader.value(&keys, "crash_detection", boolean).unwrap_or(defaults.crash_detection),
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
    let Some(keys) = table(top, &schema::SECURITY) else { return defaults };
    const MODES: &[(&str, SecurityMode)] = &[("noise", SecurityMode::Noise), ("none", SecurityMode::Plain)];
    Security {
        mode: reader.value(&keys, "mode", word(MODES)).unwrap_or(defaults.mode),
        key_file: reader.value(&keys, "key_file", path).unwrap_or(defaults.key_file),
        also_accept: reader.value(&keys, "also_accept", paths).unwrap_or(defaults.also_accept),
    }
}

fn read_state(reader: &mut Reader<'_>, top: &DeTable<'_>) -> String {
    table(top, &schema::STATE)
        .and_then(|keys| reader.value(&keys, "directory", path))
        .unwrap_or_else(|| STATE_PATTERN.to_owned())
}

fn read_control(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Control {
    let defaults = Control::default();
    let Some(keys) = table(top, &schema::CONTROL) else { return defaults };
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
        socket_pattern: reader.value(&keys, "socket", path).unwrap_or(defaults.socket_pattern),
        mode: reader.value(&keys, "mode", mode).unwrap_or(defaults.mode),
        group: reader.value(&keys, "group", string).unwrap_or(defaults.group),
    }
}

fn read_screen(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Screen {
    let defaults = Screen::default();
    let Some(keys) = table(top, &schema::SCREEN) else { return defaults };
    const THEMES: &[(&str, Theme)] = &[("default", Theme::Default), ("mono", Theme::Mono)];
    Screen {
        theme: reader.value(&keys, "theme", word(THEMES)).unwrap_or(defaults.theme),
        ascii: reader.value(&keys, "ascii", boolean).unwrap_or(defaults.ascii),
        bell: reader.value(&keys, "bell", boolean).unwrap_or(defaults.bell),
        max_draws_per_second: reader
            .value(&keys, "max_draws_per_second", integer(1..=60))
            .unwrap_or(defaults.max_draws_per_second),
    }
}

fn read_metrics(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Option<SocketAddr> {
    let keys = table(top, &schema::METRICS)?;
    let listen = |value: &DeValue<'_>| {
        let text = string(value)?;
        if text.is_empty() {
            return Ok(None);
        }
        let advice = "write an address of this machine and a port: \"127.0.0.1:9464\" or \"[::1]:9464\"";
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() == 0 => {
                Err(Fault::new(format!("{text:?} has port 0, which nobody can call"), advice))
            }
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(Fault::new(format!("{text:?} is not an address with a port"), advice)),
        }
    };
    reader.value(&keys, "listen", listen).flatten()
}

fn read_journal(reader: &mut Reader<'_>, top: &DeTable<'_>) -> u64 {
    table(top, &schema::JOURNAL)
        .and_then(|keys| reader.value(&keys, "keep", size(SMALLEST_JOURNAL, "64KiB")))
        .unwrap_or(JOURNAL_KEEP)
}

//! `[health]`, `[health.weights]` and `[[health.check]]` (H1, H4, H7); and the probes, which heartbeats use too (P3).

use toml::de::{DeTable, DeValue};

use super::super::measuring::{CheckConfig, HealthConfig, Weights};
use super::super::read::{self, Fault, Part, Reader, command, integer, number, size, string, time, wrong_type};
use super::super::required::Probe;
use super::super::schema::{self, nearest};
use super::super::target;
use super::{SHORTEST, table};

/// The most checks: each is a task and a line of the screen.
const MOST_CHECKS: usize = 100;
/// The longest name of a check: it stands on a line of the screen.
const MAX_NAME_BYTES: usize = 32;
/// The sub-healths that are there without a check.
const TAKEN: [&str; 3] = ["restarts", "response_time", "memory"];
/// Weights only compare with each other; this keeps their sum far from infinity.
const HEAVIEST: f64 = 1_000_000.0;
/// The least memory that per cent of it mean anything.
const SMALLEST_BASE: u64 = 1 << 20;
/// Answers in a row: more would take longer than anybody waits.
const MOST_IN_A_ROW: u32 = 1000;

/// Reads `[health]` with all that stands below it.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>) -> HealthConfig {
    let defaults = HealthConfig::default();
    let Some(keys) = table(top, &schema::HEALTH) else { return defaults };
    let memory_base = |value: &DeValue<'_>| match value.as_str() {
        Some("") => Ok(None),
        _ => size(SMALLEST_BASE, "1MiB")(value).map(Some),
    };
    let faults_before = reader.errors.len();
    let read = HealthConfig {
        sample: reader.value(&keys, "sample", time(SHORTEST)).unwrap_or(defaults.sample),
        memory_base: reader.value(&keys, "memory_base", memory_base).flatten(),
        weights: read_weights(reader, &keys),
        checks: read_checks(reader, &keys),
    };
    let Weights { restarts, response_time, memory } = read.weights;
    let checks = read.checks.iter().map(|check| check.weight);
    let sum: f64 = [restarts, response_time, memory].into_iter().chain(checks).sum();
    // A faulty weight would be counted by its default, which nobody wrote.
    if reader.errors.len() == faults_before && sum <= 0.0 {
        let fault =
            Fault::new("all weights are 0: there is nothing to make a score of", "give at least one a weight above 0");
        reader.fault_at_key("health.weights", fault);
    }
    read
}

fn read_weights(reader: &mut Reader<'_>, health: &Part<'_, '_, '_>) -> Weights {
    let defaults = Weights::default();
    let Some(table) = reader.inner(health, "weights", "[health.weights] on a line of its own") else { return defaults };
    let keys = Part::of(&schema::WEIGHTS, table);
    reader.no_other_keys(&keys);
    let weight = || number(0.0..=HEAVIEST);
    Weights {
        restarts: reader.value(&keys, "restarts", weight()).unwrap_or(defaults.restarts),
        response_time: reader.value(&keys, "response_time", weight()).unwrap_or(defaults.response_time),
        memory: reader.value(&keys, "memory", weight()).unwrap_or(defaults.memory),
    }
}

fn read_checks(reader: &mut Reader<'_>, health: &Part<'_, '_, '_>) -> Vec<CheckConfig> {
    let mut names = Vec::new();
    let mut checks = Vec::new();
    for (span, table) in reader.list(health, "check", MOST_CHECKS) {
        let path = path_of(schema::CHECK.name, table);
        let keys = Part { section: &schema::CHECK, path: &path, table };
        reader.no_other_keys(&keys);
        let name = reader.needed(&keys, span.clone(), ("name", "name = \"historian\""), |value| {
            let name = read::name("check", MAX_NAME_BYTES, &names, value)?;
            if TAKEN.contains(&name.as_str()) {
                // Two figures of one name cannot be told apart, in the metrics least of all.
                let message = format!("{name} is the name of a sub-health that every member has");
                return Err(Fault::new(message, "give the check another name"));
            }
            Ok(name)
        });
        names.extend(name.clone());
        let kinds = ["tcp", "http", "command"];
        let probe = read_kind(reader, &keys, span, &kinds).and_then(|kind| read_probe(reader, &keys, &kind));
        let weight = reader.value(&keys, "weight", number(0.0..=HEAVIEST)).unwrap_or(0.2);
        let period = reader.value(&keys, "period", time(SHORTEST)).unwrap_or(std::time::Duration::from_secs(2));
        let timeout = reader.value(&keys, "timeout", time(SHORTEST)).unwrap_or(std::time::Duration::from_secs(1));
        let rise = reader.value(&keys, "rise", integer(1..=MOST_IN_A_ROW)).unwrap_or(2);
        let fall = reader.value(&keys, "fall", integer(1..=MOST_IN_A_ROW)).unwrap_or(3);
        if let (Some(name), Some(probe)) = (name, probe) {
            checks.push(CheckConfig { name, weight, probe, period, timeout, rise, fall });
        }
    }
    checks
}

/// The path of one of several: with its name, when it has one that can be shown.
pub(super) fn path_of(section: &str, table: &DeTable<'_>) -> String {
    match table.get("name").and_then(|value| value.get_ref().as_str()) {
        Some(name) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) => {
            format!("{section}.{name}")
        }
        _ => section.to_owned(),
    }
}

/// The word of `kind`, which must be one of `kinds`.
pub(super) fn read_kind(
    reader: &mut Reader<'_>,
    keys: &Part<'_, '_, '_>,
    span: std::ops::Range<usize>,
    kinds: &[&'static str],
) -> Option<String> {
    let one_of = kinds.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join(", ");
    let example = format!("kind = one of {one_of}");
    reader.needed(keys, span, ("kind", &example), |value| {
        let kind = string(value)?;
        if kinds.contains(&kind.as_str()) {
            return Ok(kind);
        }
        let suggestion = match nearest(&kind, kinds.iter().copied()) {
            Some(known) => format!("did you mean {known:?}? It is one of {one_of}"),
            None => format!("write one of {one_of}"),
        };
        Err(Fault::new(format!("{kind:?} is not known"), suggestion))
    })
}

/// The probe of `kind`, with the key that it needs and without the one that it has no use for.
pub(super) fn read_probe(reader: &mut Reader<'_>, keys: &Part<'_, '_, '_>, kind: &str) -> Option<Probe> {
    let span = keys.table.get("kind")?.span();
    let unused = if kind == "command" { "target" } else { "command" };
    refuse(reader, keys, unused, kind);
    match kind {
        "http" => {
            let example = ("target", "target = \"http://127.0.0.1:8080/health\"");
            reader.needed(keys, span, example, http).map(|target| Probe::Http { target })
        }
        "tcp" => {
            reader.needed(keys, span, ("target", "target = \"127.0.0.1:502\""), tcp).map(|target| Probe::Tcp { target })
        }
        _ => {
            let example = ("command", "command = [\"/usr/bin/probe\"]");
            reader.needed(keys, span, example, command).map(|command| Probe::Command { command })
        }
    }
}

/// Faults `key`, for which `kind` has no use.
pub(super) fn refuse(reader: &mut Reader<'_>, keys: &Part<'_, '_, '_>, key: &str, kind: &str) {
    if let Some(value) = keys.table.get(key) {
        let fault = Fault::new(format!("kind = {kind:?} has no use for `{key}`"), "remove it, or correct the kind");
        reader.fault(value.span(), &keys.key(key), fault);
    }
}

/// An HTTP target, with its port and its path written out.
fn http(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = value.as_str().ok_or_else(|| wrong_type("a text in quotes", value))?;
    match target::http(text) {
        Ok(target) => Ok(format!("http://{}{}", target.authority, target.path)),
        Err(error) => Err(Fault::new(error.to_string(), "write \"http://127.0.0.1:8080/health\"")),
    }
}

fn tcp(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = value.as_str().ok_or_else(|| wrong_type("a text in quotes", value))?;
    target::tcp(text).map_err(|error| Fault::new(error.to_string(), "write \"127.0.0.1:502\" or \"[::1]:502\""))
}

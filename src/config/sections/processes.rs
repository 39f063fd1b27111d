//! `[[process]]` and `[hooks]`: what is started, and what is run on transitions (P1–P4).

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::super::duration;
use super::super::read::{
    self, Fault, Part, Reader, boolean, command, command_or_none, integer, path, size, string, time, word, wrong_type,
};
use super::super::required::{HeartbeatConfig, HeartbeatKind, Hooks, Limits, ProcessConfig, Restart, RunWhen};
use super::super::schema::{self, TOP};
use super::health::{path_of, read_kind, read_probe, refuse};
use super::{SHORTEST, table};

/// The most processes of one member; the screen and the score are measured with 200.
const MOST_PROCESSES: usize = 1000;
/// The longest name: it stands on a line of the screen.
const MAX_NAME_BYTES: usize = 32;
/// The most restarts that `burst` can mean.
const MOST_RESTARTS: u32 = 100_000;
/// Less memory than this no program can start with.
const LEAST_MEMORY: u64 = 1 << 20;
/// Fewer open files than this no program can start with.
const FEWEST_FILES: u32 = 8;
/// The other spelling of `total_health_score_weight`: the one of the document that the product comes from (H6).
const COUNTS: [&str; 2] = ["total_health_score_weight", "totalHealthScoreWeight"];
/// What tandem sets in the environment itself, beside all that begins with TANDEM_.
const RESERVED: [&str; 2] = ["NOTIFY_SOCKET", "WATCHDOG_USEC"];

/// Every `[[process]]`, in the order of the file.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Vec<ProcessConfig> {
    let mut names = Vec::new();
    let mut processes = Vec::new();
    for (span, table) in reader.list(&Part::of(&TOP, top), schema::PROCESS.name, MOST_PROCESSES) {
        let path = path_of(schema::PROCESS.name, table);
        let keys = Part { section: &schema::PROCESS, path: &path, table };
        processes.extend(read_one(reader, &keys, span, &mut names));
    }
    processes
}

/// One process; none when its name or its command is faulty.
fn read_one(
    reader: &mut Reader<'_>,
    keys: &Part<'_, '_, '_>,
    span: Range<usize>,
    names: &mut Vec<String>,
) -> Option<ProcessConfig> {
    const RUN_WHEN: &[(&str, RunWhen)] =
        &[("always", RunWhen::Always), ("primary", RunWhen::Primary), ("secondary", RunWhen::Secondary)];
    reader.no_other_keys(keys);
    let name = reader.needed(keys, span.clone(), ("name", "name = \"plant-control\""), |value| {
        read::name("process", MAX_NAME_BYTES, names, value)
    });
    names.extend(name.clone());
    let example = ("command", "command = [\"/usr/bin/plant-control\", \"--site\", \"7\"]");
    let command = reader.needed(keys, span, example, command);
    let defaults = ProcessConfig::new(name.clone().unwrap_or_default(), command.clone().unwrap_or_default());
    let read = ProcessConfig {
        run_when: reader.value(keys, "run_when", word(RUN_WHEN)).unwrap_or_default(),
        counts: read_counts(reader, keys).unwrap_or(defaults.counts),
        heartbeat: read_heartbeat(reader, keys),
        restart: read_restart(reader, keys),
        start_timeout: reader.value(keys, "start_timeout", time(SHORTEST)).unwrap_or(defaults.start_timeout),
        stop_grace: reader.value(keys, "stop_grace", time(Duration::ZERO)).unwrap_or(defaults.stop_grace),
        environment: reader.value(keys, "environment", environment).unwrap_or_default(),
        directory: reader.value(keys, "directory", path),
        user: reader.value(keys, "user", user),
        limits: read_limits(reader, keys),
        ..defaults
    };
    name.and(command).map(|_| read)
}

fn read_counts(reader: &mut Reader<'_>, keys: &Part<'_, '_, '_>) -> Option<bool> {
    let [ours, other] = COUNTS;
    if let (true, Some(second)) = (keys.table.contains_key(ours), keys.table.get(other)) {
        let fault = Fault::new(format!("{ours} and {other} are two spellings of one key"), "write one of them");
        reader.fault(second.span(), &keys.key(other), fault);
    }
    COUNTS.into_iter().find_map(|key| reader.value(keys, key, boolean))
}

fn read_heartbeat(reader: &mut Reader<'_>, process: &Part<'_, '_, '_>) -> Option<HeartbeatConfig> {
    let table = reader.inner(process, "heartbeat", "heartbeat = { kind = \"notify\", period = \"1s\" }")?;
    let path = process.key("heartbeat");
    let keys = Part { section: &schema::HEARTBEAT, path: &path, table };
    reader.no_other_keys(&keys);
    let span = process.table.get("heartbeat")?.span();
    let period = reader.value(&keys, "period", time(SHORTEST)).unwrap_or(Duration::from_secs(1));
    let kind = read_kind(reader, &keys, span, &["notify", "http", "tcp", "command", "line"])?;
    let itself = match kind.as_str() {
        "notify" => Some(HeartbeatKind::Notify),
        "line" => Some(HeartbeatKind::Line),
        _ => None,
    };
    let kind = match itself {
        Some(itself) => {
            refuse(reader, &keys, "target", &kind);
            refuse(reader, &keys, "command", &kind);
            itself
        }
        None => HeartbeatKind::Probe(read_probe(reader, &keys, &kind)?),
    };
    Some(HeartbeatConfig { kind, period })
}

fn read_restart(reader: &mut Reader<'_>, process: &Part<'_, '_, '_>) -> Restart {
    let defaults = Restart::default();
    let Some(table) = reader.inner(process, "restart", "restart = { delay = \"500ms\", burst = 5 }") else {
        return defaults;
    };
    let path = process.key("restart");
    let keys = Part { section: &schema::RESTART, path: &path, table };
    reader.no_other_keys(&keys);
    let faults_before = reader.errors.len();
    let delay = reader.value(&keys, "delay", time(Duration::ZERO));
    let max_delay = reader.value(&keys, "max_delay", time(Duration::ZERO));
    let read = Restart {
        delay: delay.unwrap_or(defaults.delay),
        // Who writes a longer delay alone means it.
        max_delay: max_delay.unwrap_or(defaults.max_delay.max(delay.unwrap_or_default())),
        burst: reader.value(&keys, "burst", integer(0..=MOST_RESTARTS)).unwrap_or(defaults.burst),
        within: reader.value(&keys, "within", time(SHORTEST)).unwrap_or(defaults.within),
    };
    if reader.errors.len() == faults_before && read.max_delay < read.delay {
        let fault = Fault::new(
            format!(
                "{path}: max_delay, {}, is shorter than delay, {}",
                duration::text(read.max_delay),
                duration::text(read.delay)
            ),
            "make max_delay as long as delay, or longer",
        );
        reader.fault_at_key(&keys.key("max_delay"), fault);
    }
    read
}

fn read_limits(reader: &mut Reader<'_>, process: &Part<'_, '_, '_>) -> Limits {
    let Some(table) = reader.inner(process, "limits", "limits = { memory = \"512MiB\", open_files = 1024 }") else {
        return Limits::default();
    };
    let path = process.key("limits");
    let keys = Part { section: &schema::LIMITS, path: &path, table };
    reader.no_other_keys(&keys);
    Limits {
        memory: reader.value(&keys, "memory", size(LEAST_MEMORY, "1MiB")),
        open_files: reader.value(&keys, "open_files", integer(FEWEST_FILES..=1 << 30)).map(u64::from),
    }
}

/// What is added to a process's environment.
fn environment(value: &DeValue<'_>) -> Result<BTreeMap<String, String>, Fault> {
    const EXAMPLE: &str = "environment = { SITE = \"7\" }";
    let table = value.as_table().ok_or_else(|| wrong_type(EXAMPLE, value))?;
    let mut environment = BTreeMap::new();
    for (key, value) in table {
        let name: &str = key.get_ref();
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Fault::new(format!("{name:?} cannot be a variable's name"), format!("write {EXAMPLE}")));
        }
        if name.starts_with("TANDEM_") || RESERVED.contains(&name) {
            return Err(Fault::new(format!("{name} is set by tandem itself"), "give the variable another name"));
        }
        let text = value.get_ref().as_str().ok_or_else(|| {
            let Fault { message, .. } = wrong_type("", value.get_ref());
            Fault::new(format!("{name}: {message}"), format!("write texts in quotes: {EXAMPLE}"))
        })?;
        if text.contains('\0') {
            return Err(Fault::new(format!("{name} holds the character zero"), "remove \\u0000"));
        }
        environment.insert(name.to_owned(), text.to_owned());
    }
    Ok(environment)
}

/// A user's name.
fn user(value: &DeValue<'_>) -> Result<String, Fault> {
    let user = string(value)?;
    if user.is_empty() || user.contains([':', '\0']) {
        return Err(Fault::new(
            format!("{user:?} cannot be a user's name"),
            "leave the key out for the controller's own user",
        ));
    }
    Ok(user)
}

/// Reads `[hooks]`.
pub(super) fn read_hooks(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Hooks {
    let defaults = Hooks::default();
    let Some(keys) = table(top, &schema::HOOKS) else { return defaults };
    Hooks {
        on_primary: reader.value(&keys, "on_primary", command_or_none).unwrap_or_default(),
        on_secondary: reader.value(&keys, "on_secondary", command_or_none).unwrap_or_default(),
        on_alarm: reader.value(&keys, "on_alarm", command_or_none).unwrap_or_default(),
        timeout: reader.value(&keys, "timeout", time(SHORTEST)).unwrap_or(defaults.timeout),
    }
}

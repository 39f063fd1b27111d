//! Who may know whom, and what the pure rooms may not touch: the source itself is read.
//!
//! Test code is left out: a test may reach for whatever proves its claim.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that decide, and know no socket, file, thread, clock or chance; and the files in them that fetch figures, which
/// are no part of the decision.
const PURE: [(&str, &[&str]); 2] = [("negotiation", &[]), ("health", &["sampler.rs", "checks.rs"])];

/// What gives a room a socket, a file, a thread, a clock or chance.
const IMPURE: [&str; 15] = [
    "tokio",
    "std::net",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::sync::mpsc",
    "std::time::Instant",
    "std::time::SystemTime",
    "time::{Instant",
    "Instant::now",
    "SystemTime",
    "rand::",
    "getrandom",
];

/// A room, and the rooms that it may import. A room that is not listed fails the test: whoever adds one decides here.
/// Beside these every room but the pure ones may import `config`.
const MAY_KNOW: [(&str, &[&str]); 17] = [
    // The words that a decision is printed with come from the room that took it.
    // Of `health` only the weights that a rehearsal computes scores with. Of `link` only the detour's words, which the demo's relay speaks; of `process` only its programs, which are commands; of
    // `fence` what `check` asks an agent about its options, and a dry run without a controller.
    ("cli", &["node", "ui", "control", "sim", "group", "journal", "negotiation", "link", "process", "fence", "health"]),
    ("config", &["negotiation"]),
    ("service", &["replication", "link"]),
    ("group", &["replication", "link"]),
    (
        "node",
        &[
            "negotiation",
            "health",
            "replication",
            "service",
            "link",
            "process",
            "fence",
            "arbiter",
            "journal",
            "control",
            "metrics",
        ],
    ),
    ("sim", &["negotiation", "health", "replication", "service"]),
    ("ui", &["control"]),
    // These carry the types of the negotiation.
    ("control", &["negotiation"]),
    ("journal", &["negotiation"]),
    ("metrics", &["control"]),
    ("link", &["negotiation"]),
    ("process", &[]),
    ("fence", &[]),
    ("arbiter", &["negotiation"]),
    ("negotiation", &[]),
    // Its checks are asked by the probes of the heartbeats; the score itself is pure.
    ("health", &["process"]),
    ("replication", &[]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rooms() -> Vec<String> {
    let mut rooms: Vec<String> = fs::read_dir(source())
        .expect("the source")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    rooms.sort();
    rooms
}

/// Every file of a room, those that only tests are built from left out.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let tests = test_modules(&paths);
    for path in paths {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if tests.contains(&stem) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that the files of one folder declare for tests only.
fn test_modules(paths: &[PathBuf]) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for path in paths.iter().filter(|path| path.is_file()) {
        let text = fs::read_to_string(path).expect("source is text");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let module = pair[1].split_once("mod ").and_then(|(_, name)| name.strip_suffix(';'));
            if let ("#[cfg(test)]", Some(name)) = (pair[0], module) {
                modules.insert(name.to_owned());
            }
        }
    }
    modules
}

/// The lines of a file that are built into the program, numbered: no comments, nothing under `#[cfg(test)]`.
fn built(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut numbered = text.lines().enumerate();
    while let Some((at, line)) = numbered.next() {
        let trimmed = line.trim();
        if trimmed.starts_with("//") {
            continue;
        }
        if trimmed == "#[cfg(test)]" {
            // The item under it: to its end, which rustfmt puts at the same depth, or to its semicolon.
            let depth = line.len() - line.trim_start().len();
            for (_, line) in numbered.by_ref() {
                let at_depth = line.len() - line.trim_start().len() == depth && !line.trim().is_empty();
                if at_depth && (line.trim().ends_with(';') || line.trim().starts_with('}')) {
                    break;
                }
            }
            continue;
        }
        lines.push((at + 1, line));
    }
    lines
}

/// The rooms that a line names.
fn named(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .map(|rest| {
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            &rest[..end]
        })
        .collect()
}

/// Complaints about one room, as file:line and what is there; the files named in `but` are left out.
fn complaints(room: &str, but: &[&str], wrong: impl Fn(&Path, &str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    files(&source().join(room), &mut found);
    found.retain(|path| !but.iter().any(|name| *path == source().join(room).join(name)));
    let mut complaints = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).expect("source is text");
        for (number, line) in built(&text) {
            if let Some(what) = wrong(&path, line) {
                let path = path.strip_prefix(source()).expect("under the source").display();
                complaints.push(format!("src/{path}:{number}: {what}: {}", line.trim()));
            }
        }
    }
    complaints
}

#[test]
fn the_pure_rooms_know_no_socket_file_thread_clock_or_chance() {
    for (room, fetching) in PURE {
        let found = complaints(room, fetching, |_, line| {
            IMPURE.iter().find(|impure| line.contains(**impure)).map(|impure| format!("{impure} in a pure room"))
        });
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn the_pure_rooms_reach_for_nothing_above_them() {
    for (room, fetching) in PURE {
        let top = source().join(room);
        let found = complaints(room, fetching, |path, line| {
            let depth = path.strip_prefix(&top).expect("in the room").components().count();
            // A file at the top reaches its own room with one `super`, a file one folder down with two.
            let own = depth + usize::from(!path.ends_with("mod.rs")) - 1;
            let above = line.contains(&"super::".repeat(own + 1));
            let other = named(line).into_iter().any(|named| named != room);
            (above || other).then(|| "reaches out of the room".to_owned())
        });
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn every_room_knows_only_those_it_may() {
    let rooms = rooms();
    for room in &rooms {
        let Some((_, may)) = MAY_KNOW.iter().find(|(name, _)| name == room) else {
            panic!("src/{room} is a room that nobody has decided about: add it to MAY_KNOW");
        };
        let config = !PURE.iter().any(|(pure, fetching)| pure == room && fetching.is_empty());
        let found = complaints(room, &[], |_, line| {
            named(line)
                .into_iter()
                .filter(|other| rooms.iter().any(|known| known == other))
                .find(|other| other != room && !may.contains(other) && !(config && *other == "config"))
                .map(|other| format!("{room} may not know {other}"))
        });
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn the_allowed_arrows_make_no_circle() {
    // `config` builds the settings of some rooms; those do not read the configuration themselves.
    let (_, built) = MAY_KNOW.iter().find(|(room, _)| *room == "config").expect("it is listed");
    let mut left: Vec<(&str, Vec<&str>)> = MAY_KNOW
        .iter()
        .map(|(room, may)| {
            let config = (*room != "config" && !built.contains(room)).then_some("config");
            (*room, may.iter().copied().chain(config).collect())
        })
        .collect();
    while !left.is_empty() {
        let before = left.len();
        let names: BTreeSet<&str> = left.iter().map(|(room, _)| *room).collect();
        left.retain(|(_, may)| may.iter().any(|other| names.contains(other)));
        assert!(left.len() < before, "a circle among {names:?}");
    }
}

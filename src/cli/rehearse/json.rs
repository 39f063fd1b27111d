//! A rehearsal as one JSON document: assets/rehearse.schema.json says what each field means.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::sim::rehearse::{LineKind, Outcome, Rehearsed, TIMINGS, catalogue};

use super::Rehearsal;

#[derive(Debug, Serialize)]
struct Document<'a> {
    file: String,
    group: &'a str,
    members: Vec<&'a str>,
    protection: Vec<&'a str>,
    timings: u64,
    complete: bool,
    #[serde(rename = "unsafe")]
    is_unsafe: bool,
    scenarios: Vec<Scenario<'a>>,
}

#[derive(Debug, Serialize)]
struct Scenario<'a> {
    name: &'a str,
    title: &'a str,
    verdict: &'a str,
    left_out: Option<&'a str>,
    outage_ms: Option<u64>,
    two: Option<Two<'a>>,
    idle: Option<Idle<'a>>,
    timeline: Vec<Line<'a>>,
    prevented_by: Vec<Remedy<'a>>,
}

#[derive(Debug, Serialize)]
struct Two<'a> {
    since_ms: u64,
    total_ms: u64,
    who: Vec<&'a str>,
    until: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Idle<'a> {
    since_ms: u64,
    until: &'a str,
    because: Vec<Because<'a>>,
    then: &'a str,
}

#[derive(Debug, Serialize)]
struct Because<'a> {
    member: &'a str,
    lacks: &'a str,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    at_ms: u64,
    member: Option<&'a str>,
    kind: &'a str,
    clause: Option<&'a str>,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct Remedy<'a> {
    setting: &'a str,
    outage_ms: u64,
    idle_until: Option<&'a str>,
}

/// A scenario's name, and what happens in it.
#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
}

/// Names and titles of all scenarios, as one array.
pub(super) fn list(out: &mut impl Write) -> io::Result<()> {
    let all: Vec<Listed> = catalogue::ALL.iter().map(|one| Listed { name: one.name, title: one.title }).collect();
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// Prints the document.
pub(super) fn print(rehearsal: &Rehearsal<'_>, out: &mut impl Write) -> io::Result<()> {
    let config = rehearsal.config;
    let scenarios = rehearsal.played.iter().map(|(scenario, rehearsed)| match rehearsed {
        Rehearsed::Done(outcome) => done(outcome),
        Rehearsed::LeftOut { why } => Scenario {
            name: scenario.name,
            title: scenario.title,
            verdict: "left_out",
            left_out: Some(why),
            outage_ms: None,
            two: None,
            idle: None,
            timeline: Vec::new(),
            prevented_by: Vec::new(),
        },
    });
    let document = Document {
        file: rehearsal.path.display().to_string(),
        group: &config.group,
        members: config.members.iter().map(|member| member.name.as_str()).collect(),
        protection: rehearsal.site.settings.protection.iter().map(|one| one.word()).collect(),
        timings: TIMINGS,
        complete: rehearsal.is_complete(),
        is_unsafe: rehearsal.is_unsafe(),
        scenarios: scenarios.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn done(outcome: &Outcome) -> Scenario<'_> {
    Scenario {
        name: outcome.scenario,
        title: outcome.title,
        verdict: outcome.verdict.word(),
        left_out: None,
        outage_ms: Some(ms(outcome.outage)),
        two: outcome.two.as_ref().map(|two| Two {
            since_ms: ms(two.since),
            total_ms: ms(two.total),
            who: two.who.iter().map(|name| name.as_str()).collect(),
            until: two.until,
        }),
        idle: outcome.idle.as_ref().map(|idle| Idle {
            since_ms: ms(idle.since),
            until: idle.until,
            because: idle.because.iter().map(|(member, lacks)| Because { member: member.as_str(), lacks }).collect(),
            then: &idle.then,
        }),
        timeline: outcome
            .lines
            .iter()
            .map(|line| Line {
                at_ms: ms(line.at),
                member: line.who.as_ref().map(|name| name.as_str()),
                kind: line.kind.word(),
                clause: match line.kind {
                    LineKind::Decision(clause) => Some(clause),
                    LineKind::Fault | LineKind::Event | LineKind::Acting => None,
                },
                text: &line.text,
            })
            .collect(),
        prevented_by: outcome
            .remedies
            .iter()
            .map(|remedy| Remedy {
                setting: &remedy.setting,
                outage_ms: ms(remedy.outage),
                idle_until: remedy.idle_until,
            })
            .collect(),
    }
}

/// Whole milliseconds, upwards: what lasted is never told as nothing.
fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

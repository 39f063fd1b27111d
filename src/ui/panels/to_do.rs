//! What to do: the first cause's sentence with *first*, *then* and *do not* (U13), and what else is wrong.

use std::time::Duration;

use crate::control::alarms::{SOON, TWO_PRIMARIES};
use crate::control::status::{Alarm, AlarmClass, Judgement, Status};
use crate::control::words as said;

use super::super::line::{Line, Role};
use super::super::options::Connection;
use super::super::words;
use super::{Panel, Sight, wrap};

/// Below this width a rule has no room for when an alarm was seen.
const NARROW: usize = 60;

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    if let Some(silent) = sight.state.no_news(sight.now) {
        return without_news(sight, status, silent);
    }
    let Some(alarm) = first_cause(status) else { return Panel::new("What to do", "", Vec::new()) };
    // On a narrow screen the long words would push the panel's own name off its rule.
    let seen = match &alarm.seen {
        None if sight.width < NARROW => ", not seen".to_owned(),
        Some(seen) if sight.width < NARROW => format!(", seen by {}", seen.by),
        None => ", not yet seen by anybody".to_owned(),
        Some(seen) => {
            let at = words::parse(&seen.time, sight.wall).map(|at| format!(" {}", words::moment(&at, sight.wall)));
            format!(", seen by {}{}", seen.by, at.unwrap_or_default())
        }
    };
    let role = class_role(alarm.class);
    let right = Line::new().word(said::class(alarm.class), role).text(seen);
    let mut lines = Vec::new();
    if !told_in_row_three(status, alarm) {
        paragraph(sight, &mut lines, "what", Role::Plain, &alarm.text);
    }
    paragraph(sight, &mut lines, "first", Role::Strong, &alarm.first);
    let by = stopped_by(sight, status, alarm);
    for then in &alarm.then {
        let timed = by.as_ref().and_then(|by| then.split_once(SOON).map(|(who, rest)| format!("{by} {who}{rest}")));
        paragraph(sight, &mut lines, "then", Role::Plain, timed.as_ref().unwrap_or(then));
    }
    paragraph(sight, &mut lines, "do not", Role::Wrong, &alarm.do_not);
    for other in status.alarms.iter().filter(|other| other.id != alarm.id) {
        paragraph(sight, &mut lines, "also", Role::Plain, &format!("{}: {}", said::class(other.class), other.text));
    }
    Panel { right, ..Panel::new("What to do", "", lines) }
}

/// By when the one of two Primaries that gives way must have stopped (N12): its processes are killed then at the latest.
fn stopped_by(sight: &Sight<'_>, status: &Status, alarm: &Alarm) -> Option<String> {
    if !alarm.id.starts_with(TWO_PRIMARIES) {
        return None;
    }
    let most = said::longest_stop_of(status, &status.two_acted.as_ref()?.stops.name)?;
    let found = words::before(sight.wall, sight.aged(alarm.since_ms));
    let by = found.checked_add(jiff::SignedDuration::try_from(most).ok()?).ok()?;
    Some(words::moment(&by, sight.wall))
}

/// What to do about a controller that says nothing. What was wrong before is old, and so is what to do about it.
fn without_news(sight: &Sight<'_>, status: &Status, silent: Duration) -> Panel {
    let node = &status.node;
    let (what, first) = match sight.state.connection {
        Connection::Open => (
            format!("{node}'s controller is silent, its socket is open: is it frozen?"),
            format!("Look on {node} with top: is it stopped, or the machine overloaded?"),
        ),
        Connection::Closed => (
            format!("{node}'s controller closed its socket: it is gone, or it restarts"),
            format!("Look on {node} whether it runs: systemctl status tandem"),
        ),
    };
    let mut lines = Vec::new();
    paragraph(sight, &mut lines, "what", Role::Plain, &what);
    paragraph(sight, &mut lines, "first", Role::Strong, &first);
    paragraph(sight, &mut lines, "then", Role::Plain, "This screen comes back by itself, as soon as it answers.");
    let old = format!("take what stands below for true: it is older than {} s.", silent.as_secs());
    paragraph(sight, &mut lines, "do not", Role::Wrong, &old);
    Panel { right: Line::new().word("NO NEWS", Role::Doubtful), ..Panel::new("What to do", "", lines) }
}

/// The alarm on top: the engine sorts, but an ALARM never stands behind a warning.
fn first_cause(status: &Status) -> Option<&Alarm> {
    status.alarms.iter().min_by_key(|alarm| alarm.class)
}

fn class_role(class: AlarmClass) -> Role {
    match class {
        AlarmClass::Alarm => Role::Wrong,
        AlarmClass::Warning => Role::Doubtful,
        AlarmClass::Note => Role::Plain,
    }
}

fn told_in_row_three(status: &Status, alarm: &Alarm) -> bool {
    alarm.class == AlarmClass::Alarm
        && match status.judgement {
            Judgement::TwoAct => true,
            // "NOBODY ACTS" is not yet the reason; that fencing failed is.
            Judgement::NobodyActs => said::takeover_blocked(status),
            Judgement::OneActs | Judgement::OneActsOtherUnknown => alarm.text.len() < 30,
        }
}

fn paragraph(sight: &Sight<'_>, lines: &mut Vec<Line>, head: &str, role: Role, text: &str) {
    // What is written on lines of its own, such as ways to choose from, stays so.
    let parts = text.split('\n').flat_map(|text| wrap(text, sight.width.saturating_sub(11)));
    for (at, text) in parts.enumerate() {
        let line = if at == 0 { Line::of("  ").word(head, role) } else { Line::new() };
        lines.push(line.to_column(10).text(text));
    }
}

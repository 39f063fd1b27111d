//! The journal's latest, newest first.

use crate::control::status::{AlarmClass, Status};

use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let standing = |class: AlarmClass| status.alarms.iter().filter(|alarm| alarm.class == class).count();
    let alarms = words::plural(standing(AlarmClass::Alarm), "alarm");
    let warnings = words::plural(standing(AlarmClass::Warning), "warning");
    let times: Vec<_> = status.events.iter().map(|event| words::parse(&event.time, sight.wall)).collect();
    let moments: Vec<String> =
        times.iter().map(|at| at.as_ref().map_or_else(|| "?".to_owned(), |at| words::moment(at, sight.wall))).collect();
    let widest = moments.iter().map(String::len).max().unwrap_or(8);
    let mut lines = Vec::new();
    for ((event, at), moment) in status.events.iter().zip(times).zip(moments) {
        let age = at.map_or_else(|| "?".to_owned(), |at| words::ago(words::since(&at, sight.wall)));
        let (kind, role) = match event.kind.as_str() {
            "alarm" => ("ALARM", Role::Wrong),
            "warning" => ("WARN", Role::Doubtful),
            other => (other, Role::Plain),
        };
        let line = if sight.width < 60 {
            Line::of(format!("  {moment:widest$}  ")).word(format!("{kind:5}"), role).text("  ")
        } else {
            // A column of dates leaves the ages less room.
            let room = if widest > 8 { 10 } else { 12 };
            Line::of(format!("  {moment:widest$}{age:>room$}  ")).word(format!("{kind:5}"), role).text("  ")
        };
        lines.push(line.text(&event.text));
    }
    Panel::new("Events, newest first", format!("{alarms}, {warnings}"), lines)
}

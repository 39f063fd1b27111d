//! The journal's latest, newest first.

use crate::control::status::{AlarmClass, Event, Status};

use super::super::dialog::Dialog;
use super::super::keys::View;
use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let whole = sight.state.view == View::Events;
    let events = sight.state.frozen.as_deref().filter(|_| whole).unwrap_or(&status.events);
    let find = match &sight.state.dialog {
        Dialog::Find(typed) => Some(typed.as_str()),
        Dialog::None | Dialog::Actions | Dialog::Which(..) | Dialog::Faults | Dialog::Asked(_) | Dialog::Plan(_) => {
            sight.state.find.as_deref()
        }
    };
    let find = find.filter(|text| whole && !text.is_empty()).map(str::to_ascii_lowercase);
    let holds = |event: &&Event| {
        find.as_ref().is_none_or(|find| {
            event.text.to_ascii_lowercase().contains(find) || event.kind.to_ascii_lowercase().contains(find)
        })
    };
    let shown: Vec<&Event> = events.iter().filter(holds).collect();
    let lines = lines(sight, &shown, whole);
    let right = right(sight, status, whole, (shown.len(), events.len()));
    let left = match &find {
        Some(find) => format!("Events with \"{find}\", newest first"),
        None => "Events, newest first".to_owned(),
    };
    Panel::new(left, right, lines)
}

fn right(sight: &Sight<'_>, status: &Status, whole: bool, (shown, all): (usize, usize)) -> String {
    if let Some(frozen) = sight.state.frozen.as_ref().filter(|_| whole) {
        let last = frozen.first().map_or(0, |event| event.seq);
        let newer = status.events.iter().filter(|event| event.seq > last).count();
        return format!("held still, {newer} newer: Space goes on");
    }
    if shown != all {
        return format!("{shown} of {all}, Esc shows all");
    }
    if sight.state.no_news(sight.now).is_some() {
        return "as the controller last told them".to_owned();
    }
    let standing = |class: AlarmClass| status.alarms.iter().filter(|alarm| alarm.class == class).count();
    let alarms = words::plural(standing(AlarmClass::Alarm), "alarm");
    let warnings = words::plural(standing(AlarmClass::Warning), "warning");
    format!("{alarms}, {warnings}")
}

fn lines(sight: &Sight<'_>, events: &[&Event], whole: bool) -> Vec<Line> {
    let times: Vec<_> = events.iter().map(|event| words::parse(&event.time, sight.wall)).collect();
    let moments: Vec<String> =
        times.iter().map(|at| at.as_ref().map_or_else(|| "?".to_owned(), |at| words::moment(at, sight.wall))).collect();
    let widest = moments.iter().map(String::len).max().unwrap_or(8);
    let mut lines = Vec::new();
    for ((event, at), moment) in events.iter().zip(times).zip(moments) {
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
        if !whole {
            lines.push(line.text(&event.text));
            continue;
        }
        // On its own screen an event is told whole.
        lines.extend(super::whole(line, &event.text, sight.width));
    }
    lines
}

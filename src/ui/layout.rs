//! Where everything stands. Rows 1 to 3 and the two key rows never move; the panels share what is between them, the
//! less urgent ones giving way first. Reads the state and fills a buffer.

use std::time::Duration;

use jiff::Zoned;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::dialog::Dialog;
use super::keys::View;
use super::line::{Glyph, Line, Role};
use super::panels::{self, Panel, Sight};
use super::state::State;

/// Rows at the top that never move.
const TOP: usize = 3;
/// Key rows at the bottom.
const BOTTOM: usize = 2;
/// The fewest rows of a terminal on which the demo's strip of all members is shown.
const STRIP_FROM: usize = 12;
/// More panel lines than any view has: the height of a plain-text copy.
const COPY_ROWS: u16 = 2000;

/// Draws everything. Returns the furthest that the view can be scrolled.
pub fn draw(state: &State, now: Duration, wall: &Zoned, buffer: &mut Buffer) -> usize {
    buffer.reset();
    let area = buffer.area;
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let sight = Sight { state, now, wall, width };
    let rows = panels::rows::rows(&sight);
    let reverse = Style::new().add_modifier(Modifier::REVERSED);
    for (y, (line, over)) in rows.lines.iter().zip([rows.acts, false, rows.alarm]).enumerate() {
        put(buffer, y, line, state, if over { reverse } else { Style::new() });
        if over && y < height {
            buffer.set_style(Rect::new(0, to_cells(y), area.width, 1), reverse);
        }
    }
    let bottom = height.saturating_sub(TOP).min(BOTTOM);
    let keys = panels::key_bar::rows(&sight);
    for (at, line) in keys.iter().take(bottom).enumerate() {
        put(buffer, height - bottom + at, line, state, Style::new());
    }
    let mut end = height.saturating_sub(bottom);
    for line in above_the_keys(&sight, height) {
        if end > TOP {
            end -= 1;
            put(buffer, end, &line, state, Style::new());
        }
    }
    let (lines, furthest) = middle(&sight, end.saturating_sub(TOP));
    for (at, line) in lines.iter().take(end.saturating_sub(TOP)).enumerate() {
        put(buffer, TOP + at, line, state, Style::new());
    }
    furthest
}

/// The view as plain text, whole, for a ticket.
pub fn plain(state: &State, now: Duration, wall: &Zoned, width: u16) -> String {
    let sight = Sight { state, now, wall, width: usize::from(width) };
    let mut unscrolled = state.clone();
    unscrolled.scroll = 0;
    unscrolled.focus = None;
    let whole = Sight { state: &unscrolled, ..sight.clone() };
    let rows = panels::rows::rows(&sight).lines;
    let (middle, _) = middle(&whole, usize::from(COPY_ROWS));
    let charset = state.look.charset;
    let mut text = String::new();
    for line in rows.iter().chain(&middle) {
        text.push_str(line.plain(charset).trim_end());
        text.push('\n');
    }
    text
}

/// Rows 1 to 3 as plain text, to stay behind when the screen is left.
pub fn first_rows(state: &State, now: Duration, wall: &Zoned, width: u16) -> String {
    let sight = Sight { state, now, wall, width: usize::from(width) };
    let lines = panels::rows::rows(&sight).lines;
    lines.iter().map(|line| format!("{}\n", line.plain(state.look.charset).trim_end())).collect()
}

fn to_cells(rows: usize) -> u16 {
    u16::try_from(rows).unwrap_or(u16::MAX)
}

fn put(buffer: &mut Buffer, y: usize, line: &Line, state: &State, over: Style) {
    let width = buffer.area.width;
    line.draw(buffer, (0, to_cells(y)), width, state.look, over);
}

/// The lines above the keys, the lowest first: a remark; in the demo, where there is room, its lesson and the strip of
/// all members below it. Somebody who reads a plan needs every row for it.
fn above_the_keys(sight: &Sight<'_>, height: usize) -> Vec<Line> {
    let state = sight.state;
    let remark = state.remark.as_ref().map(|remark| Line::of(" ").then(remark.line.clone()));
    let Some(faults) = &state.faults else { return remark.into_iter().collect() };
    let status = state.status.as_ref();
    let hint = || Line::of(" ").word(faults.hint(status), Role::Strong);
    let mut lines = match state.dialog {
        Dialog::None if height < STRIP_FROM => return vec![remark.unwrap_or_else(hint)],
        Dialog::None => vec![hint(), faults.strip(status, sight.width)],
        Dialog::Actions | Dialog::Faults | Dialog::Asked(_) if height >= STRIP_FROM => {
            vec![faults.strip(status, sight.width)]
        }
        Dialog::Actions | Dialog::Faults | Dialog::Asked(_) | Dialog::Plan(_) => Vec::new(),
    };
    lines.extend(remark);
    lines
}

/// The lines between the fixed rows, and the furthest scroll.
fn middle(sight: &Sight<'_>, room: usize) -> (Vec<Line>, usize) {
    let state = sight.state;
    if let Dialog::Plan(open) = &state.dialog {
        let mut lines = panels::plan::boxed(sight, open, room);
        if let Some(events) = panels::panel(View::Events, sight) {
            let left = room.saturating_sub(lines.len());
            lines.extend(events.lines.into_iter().take(left));
        }
        return (lines, 0);
    }
    let mut lines = Vec::new();
    if let Some(menu) = panels::actions::panel(&state.dialog, state.faults.as_ref()) {
        lines.extend(titled(sight, &menu, Glyph::Rule));
        lines.extend(menu.lines);
        lines.truncate(room);
    }
    let room_left = room.saturating_sub(lines.len());
    let (below, furthest) = match state.view {
        View::Overview => (overview(sight, room_left), 0),
        one => whole(sight, one, room_left),
    };
    lines.extend(below);
    (lines, furthest)
}

/// One view on the whole middle.
fn whole(sight: &Sight<'_>, view: View, room: usize) -> (Vec<Line>, usize) {
    let Some(panel) = panels::panel(view, sight) else {
        return (vec![Line::of("  nothing is known yet")], 0);
    };
    let body = room.saturating_sub(1);
    let furthest = panel.lines.len().saturating_sub(body);
    let mut lines = titled(sight, &panel, Glyph::Rule);
    lines.truncate(room);
    let from = sight.state.scroll.min(furthest);
    lines.extend(panel.lines.into_iter().skip(from).take(body));
    (lines, furthest)
}

/// All panels. What must be seen gets its lines first; what is left goes to the events.
fn overview(sight: &Sight<'_>, room: usize) -> Vec<Line> {
    let views = sight.state.panels();
    let panels: Vec<(View, Panel)> =
        views.iter().filter_map(|view| Some((*view, panels::panel(*view, sight)?))).collect();
    let granted = share(&panels, room);
    let mut lines = Vec::new();
    for ((view, panel), granted) in panels.into_iter().zip(granted) {
        if let Some(body) = granted {
            let first = if sight.state.focus == Some(view) { Glyph::Here } else { Glyph::Rule };
            lines.extend(titled(sight, &panel, first));
            lines.extend(panel.lines.into_iter().take(body));
        }
    }
    lines
}

/// How many lines each panel gets below its rule; none: it is not shown.
fn share(panels: &[(View, Panel)], room: usize) -> Vec<Option<usize>> {
    let mut granted = vec![None; panels.len()];
    let mut room = room;
    // First every panel its least, the urgent ones first; then every panel what it wants, in the same order.
    for urgency in 0..=LEAST_URGENT {
        for (at, (_, panel)) in panels.iter().enumerate().filter(|(_, (view, _))| urgency_of(*view) == urgency) {
            let first = if urgency == 0 { panel.lines.len() } else { panel.least };
            let wanted = first.min(room.saturating_sub(1));
            if room > wanted && (wanted > 0 || panel.lines.is_empty()) {
                granted[at] = Some(wanted);
                room -= wanted + 1;
            }
        }
    }
    for urgency in 0..=LEAST_URGENT {
        for (at, (_, panel)) in panels.iter().enumerate().filter(|(_, (view, _))| urgency_of(*view) == urgency) {
            if let Some(lines) = &mut granted[at] {
                let more = panel.most.saturating_sub(*lines).min(room);
                *lines += more;
                room -= more;
            }
        }
    }
    granted
}

const LEAST_URGENT: u8 = 4;

/// Events shrink first, then the replies, then the members, then the rest.
fn urgency_of(view: View) -> u8 {
    match view {
        View::ToDo | View::Plan => 0,
        View::Forecast => 1,
        View::Link => 2,
        View::Members | View::Replies => 3,
        View::Events | View::Why | View::Help | View::Overview => LEAST_URGENT,
    }
}

/// A panel's rule with its titles. Where both do not fit, the left one is cut: the right one is the verdict.
fn titled(sight: &Sight<'_>, panel: &Panel, first: Glyph) -> Vec<Line> {
    let right = panel.right.width();
    let tail = if right == 0 { 0 } else { right + 4 };
    let line = Line::new().glyph(first).text(" ").then(panel.left.clone());
    let line = line.cut(sight.width.saturating_sub(tail + 1).max(2)).text(" ");
    let fill = sight.width.saturating_sub(line.width() + tail.saturating_sub(1));
    let line = line.glyphs(Glyph::Rule, fill);
    if right == 0 {
        return vec![line];
    }
    vec![line.text(" ").then(panel.right.clone()).text(" ").glyph(Glyph::Rule)]
}

//! Where everything stands. Rows 1 to 3 and the two key rows never move; the panels share what is between them, the
//! less urgent ones giving way first. Reads the state and fills a buffer.

use std::time::Duration;

use jiff::Zoned;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::control::status::Status;

use super::dialog::Dialog;
use super::faults::FaultState;
use super::keys::View;
use super::line::{Glyph, Line, Role};
use super::panels::{self, Panel, Sight};
use super::reading::Part;
use super::state::{Sent, State};
use super::words;

/// Rows at the top that never move.
const TOP: usize = 3;
/// Key rows at the bottom.
const BOTTOM: usize = 2;
/// The fewest rows of a terminal on which the demo's strip of all members is shown.
const STRIP_FROM: usize = 12;
/// More panel lines than any view has: the height of a plain-text copy.
const COPY_ROWS: u16 = 2000;

/// From so many columns on there are two columns of panels.
const WIDE: usize = 110;
/// From so many rows between the fixed ones on there are large letters.
const TALL: usize = 30;

fn sight_of<'a>(state: &'a State, now: Duration, wall: &'a Zoned, width: usize) -> Sight<'a> {
    Sight { state, now, wall, width, wide: width >= WIDE }
}

/// What came of drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// The furthest that the view can be scrolled.
    pub furthest: usize,
    /// What is shown of the open plan.
    pub plan: Option<Part>,
}

/// Draws everything.
pub fn draw(state: &State, now: Duration, wall: &Zoned, buffer: &mut Buffer) -> Drawn {
    buffer.reset();
    let area = buffer.area;
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let sight = sight_of(state, now, wall, width);
    let rows = panels::rows::rows(&sight);
    let reverse = Style::new().add_modifier(Modifier::REVERSED);
    for (y, (line, over)) in rows.lines.iter().zip([rows.acts, false, rows.alarm]).enumerate() {
        put(buffer, y, line, state, if over { reverse } else { Style::new() });
        if over && y < height {
            buffer.set_style(Rect::new(0, to_cells(y), area.width, 1), reverse);
        }
    }
    let bottom = height.saturating_sub(TOP).min(BOTTOM);
    let mut end = height.saturating_sub(bottom);
    let above = above_the_keys(&sight, height);
    // Where not all of it has room, its beginning says more than its end.
    let room = end.saturating_sub(TOP);
    for line in above.iter().skip(above.len().saturating_sub(room)) {
        end -= 1;
        put(buffer, end, line, state, Style::new());
    }
    let (lines, drawn) = middle(&sight, end.saturating_sub(TOP));
    for (at, line) in lines.iter().take(end.saturating_sub(TOP)).enumerate() {
        put(buffer, TOP + at, line, state, Style::new());
    }
    let keys = panels::key_bar::rows(&sight, drawn.plan);
    for (at, line) in keys.iter().take(bottom).enumerate() {
        put(buffer, height - bottom + at, line, state, Style::new());
    }
    drawn
}

/// The view as plain text, whole, for a ticket.
pub fn plain(state: &State, now: Duration, wall: &Zoned, width: u16) -> String {
    // Two columns side by side would be torn apart in a ticket.
    let sight = Sight { wide: false, ..sight_of(state, now, wall, usize::from(width)) };
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
    let sight = sight_of(state, now, wall, usize::from(width));
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

/// A remark, or a plan whose outcome is not known yet.
fn said(sight: &Sight<'_>) -> Option<Line> {
    let remark = sight.state.remark.as_ref().map(|remark| Line::of(" ").then(remark.line.clone()));
    let sent = || sight.state.sent.as_ref().map(|sent| Line::of(" ").word(under_way(sight, sent), Role::Strong));
    remark.or_else(sent)
}

/// A plan that was sent, as long as nobody knows what came of it: never a guess.
fn under_way(sight: &Sight<'_>, sent: &Sent) -> String {
    let waited = sight.now.saturating_sub(sent.at);
    let ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    let at = words::clock(&words::before(sight.wall, ms)).0;
    let waits = sight.state.status.as_ref().and_then(|status| {
        let change = status.transition.as_ref()?;
        Some(format!("{} still waits for {}", status.node, change.waiting_for))
    });
    let what = sent.said.clone().or(waits).unwrap_or_else(|| "not known yet what comes of it".to_owned());
    format!("plan {} sent {at}; {what}, {} s", sent.plan, waited.as_secs())
}

/// The most lines that a remark, or the demo's lesson, takes.
const MOST_SAID: usize = 3;

/// A line in as many as it takes on this screen, the lowest first; what goes beyond them is marked.
fn broken(sight: &Sight<'_>, line: Line, most: usize) -> Vec<Line> {
    if line.width() <= sight.width {
        return vec![line];
    }
    let text = line.plain(sight.state.look.charset);
    let mut parts = panels::wrap(text.trim(), sight.width.saturating_sub(1));
    if parts.len() > most {
        let rest = parts.split_off(most - 1).join(" ");
        parts.push(rest);
    }
    let said = |text: String| Line::of(" ").word(text, Role::Strong).fitted(sight.width);
    parts.into_iter().rev().map(said).collect()
}

/// The demo's lesson: what happened and what to try next; where that takes too many lines, only what to try.
fn lesson(sight: &Sight<'_>, faults: &FaultState) -> Vec<Line> {
    let status = sight.state.status.as_ref();
    let said = |text: String| Line::of(" ").word(text, Role::Strong);
    let whole = broken(sight, said(faults.hint(status)), usize::MAX);
    if whole.len() < MOST_SAID { whole } else { broken(sight, said(faults.next(status)), MOST_SAID) }
}

/// The lines above the keys, the lowest first: a remark; in the demo, where there is room, its lesson and the strip of
/// all members below it. Somebody who reads a plan needs every row for it.
fn above_the_keys(sight: &Sight<'_>, height: usize) -> Vec<Line> {
    let state = sight.state;
    let most = if height < STRIP_FROM { MOST_SAID - 1 } else { MOST_SAID };
    let remark = said(sight).map(|line| broken(sight, line, most));
    if let Some(place) = &state.replay {
        return remark.into_iter().flatten().chain(place.lines(sight.width)).collect();
    }
    let Some(faults) = &state.faults else { return remark.unwrap_or_default() };
    let status = state.status.as_ref();
    let mut lines = match state.dialog {
        // On a small screen somebody who reads a view needs its rows more than a lesson.
        Dialog::None if height < STRIP_FROM && state.view != View::Overview => return remark.unwrap_or_default(),
        Dialog::None if height < STRIP_FROM => return remark.unwrap_or_else(|| lesson(sight, faults)),
        Dialog::None => {
            let mut lines = lesson(sight, faults);
            lines.push(faults.strip(status, sight.width));
            lines
        }
        Dialog::Actions | Dialog::Which(..) | Dialog::Faults | Dialog::Find(_) | Dialog::Asked(_)
            if height >= STRIP_FROM =>
        {
            vec![faults.strip(status, sight.width)]
        }
        Dialog::Actions | Dialog::Which(..) | Dialog::Faults | Dialog::Find(_) | Dialog::Asked(_) | Dialog::Plan(_) => {
            Vec::new()
        }
    };
    lines.extend(remark.unwrap_or_default());
    lines
}

/// The lines between the fixed rows, and what came of it.
fn middle(sight: &Sight<'_>, room: usize) -> (Vec<Line>, Drawn) {
    let state = sight.state;
    if let Dialog::Plan(open) = &state.dialog {
        let (mut lines, part) = panels::plan::dialog(sight, open, room, TOP + BOTTOM);
        if let Some(events) = panels::panel(View::Events, sight) {
            let left = room.saturating_sub(lines.len());
            lines.extend(events.lines.into_iter().take(left).map(|line| line.fitted(sight.width)));
        }
        return (lines, Drawn { furthest: 0, plan: Some(part) });
    }
    let mut lines = Vec::new();
    if let Some(menu) = panels::actions::panel(state, sight.width, room) {
        lines.extend(titled(sight, &menu, Glyph::Rule));
        lines.extend(menu.lines.into_iter().map(|line| line.fitted(sight.width)));
        lines.truncate(room);
    }
    let room_left = room.saturating_sub(lines.len());
    let (below, furthest) = match state.view {
        View::Overview => (overview(sight, room_left), 0),
        one => whole(sight, one, room_left),
    };
    lines.extend(below);
    (lines, Drawn { furthest, plan: None })
}

/// One view on the whole middle.
fn whole(sight: &Sight<'_>, view: View, room: usize) -> (Vec<Line>, usize) {
    let Some(panel) = panels::panel(view, sight) else {
        return (vec![Line::of("  nothing is known yet")], 0);
    };
    let body = room.saturating_sub(1);
    let all = panel.lines.len();
    let furthest = all.saturating_sub(body);
    let from = sight.state.scroll.min(furthest);
    let mut panel = panel;
    if furthest > 0 {
        let place = format!("{} to {} of {all}", from + 1, (from + body).min(all));
        let gap = if panel.right.width() > 0 { "   " } else { "" };
        let with_place = panel.right.clone().text(gap).text(place);
        // What the title says comes before where in it one is.
        if panel.left.width() + with_place.width() + 8 <= sight.width {
            panel.right = with_place;
        }
    }
    let mut lines = titled(sight, &panel, Glyph::Rule);
    lines.truncate(room);
    lines.extend(panel.lines.into_iter().skip(from).take(body).map(|line| line.fitted(sight.width)));
    (lines, furthest)
}

/// All panels. What must be seen gets its lines first; what is left goes to the events.
fn overview(sight: &Sight<'_>, room: usize) -> Vec<Line> {
    let views = sight.state.panels(sight.now);
    match &sight.state.status {
        Some(status) if sight.wide => two_columns(sight, status, &views, room),
        Some(_) | None => {
            // The forecast tells of the devices too; on their own they wait for a screen with room, or for being in hand.
            let shown = |view: &View| *view != View::Fencing || room >= TALL || sight.state.focus == Some(*view);
            let mut panels = made(sight, &views.into_iter().filter(shown).collect::<Vec<View>>());
            // While an ALARM stands, what is calm gives its room to what tells of it, before that is cut (screens/3).
            let rows = |(view, panel): &(View, Panel)| match view {
                View::Events => panel.lines.len().min(EVENTS_TOLD) + 1,
                _ => panel.lines.len() + 1,
            };
            let wanted = |panels: &[(View, Panel)]| panels.iter().map(rows).sum::<usize>();
            if panels::alarmed(sight) && wanted(&panels) > room {
                panels.retain(|(view, _)| sight.state.focus == Some(*view) || !panels::is_calm(*view, sight));
            }
            stacked(sight, panels, room)
        }
    }
}

fn made(sight: &Sight<'_>, views: &[View]) -> Vec<(View, Panel)> {
    views.iter().filter_map(|view| Some((*view, panels::panel(*view, sight)?))).collect()
}

/// Panels under each other.
fn stacked(sight: &Sight<'_>, panels: Vec<(View, Panel)>, room: usize) -> Vec<Line> {
    let granted = share(&panels, room);
    let mut lines = Vec::new();
    for ((view, panel), granted) in panels.into_iter().zip(granted) {
        if let Some(body) = granted {
            let first = if sight.state.focus == Some(view) { Glyph::Here } else { Glyph::Rule };
            lines.extend(titled(sight, &panel, first));
            lines.extend(panel.lines.into_iter().take(body).map(|line| line.fitted(sight.width)));
        }
    }
    lines
}

/// Two columns: at the left what this member would do and its links, at the right what is said and why, below both the
/// events, which need the width. What to do goes over everything.
fn two_columns(sight: &Sight<'_>, status: &Status, views: &[View], room: usize) -> Vec<Line> {
    let over = |view: &View| matches!(view, View::ToDo | View::Plan);
    let right = |view: &View| matches!(view, View::Both | View::Replies | View::Members | View::Health | View::Fencing);
    // A process's row has more to say than half a screen holds.
    let events = |view: &View| matches!(view, View::Processes | View::Events);
    let chosen = |of: &dyn Fn(&View) -> bool| views.iter().copied().filter(|view| of(view)).collect::<Vec<View>>();
    let mut lines = stacked(sight, made(sight, &chosen(&over)), room);
    let half = Sight { width: (sight.width - GAP) / 2, ..sight.clone() };
    let other = Sight { width: sight.width - GAP - half.width, ..sight.clone() };
    if room >= TALL + lines.len() {
        let left = vec![(View::Overview, panels::big::own(&half, status))];
        let right = panels::big::other(&other, status).map(|panel| (View::Overview, panel)).into_iter().collect();
        lines.extend(beside(&half, stacked(&half, left, room), stacked(&other, right, room)));
    }
    let mut left = made(&half, &chosen(&|view| !over(view) && !right(view) && !events(view)));
    left.extend(made(&half, &[View::Differences]));
    let mut at_right = made(&other, &chosen(&right));
    at_right.extend(made(&other, &[View::Why]));
    // The events keep a third, and get what the columns leave.
    let left_over = room.saturating_sub(lines.len());
    let columns = left_over - left_over / 3;
    lines.extend(beside(&half, stacked(&half, left, columns), stacked(&other, at_right, columns)));
    let left_over = room.saturating_sub(lines.len());
    lines.extend(stacked(sight, made(sight, &chosen(&events)), left_over));
    lines
}

/// So many events are wanted beside an ALARM, before calm panels are.
const EVENTS_TOLD: usize = 4;

/// Blanks between two columns.
const GAP: usize = 2;

/// Two stacks of lines side by side.
fn beside(left_sight: &Sight<'_>, left: Vec<Line>, right: Vec<Line>) -> Vec<Line> {
    let rows = left.len().max(right.len());
    let mut left = left.into_iter();
    let mut right = right.into_iter();
    (0..rows)
        .map(|_| {
            let line = left.next().unwrap_or_default().cut(left_sight.width).to_column(left_sight.width + GAP);
            line.then(right.next().unwrap_or_default())
        })
        .collect()
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

const LEAST_URGENT: u8 = 6;

/// Events shrink first, then the processes, then the health, then the replies and the members, then the rest.
fn urgency_of(view: View) -> u8 {
    match view {
        View::ToDo | View::Plan | View::Story | View::Both => 0,
        View::Forecast => 1,
        View::Link => 2,
        View::Members | View::Replies => 3,
        View::Health => 4,
        View::Processes | View::Output | View::Fencing => 5,
        View::Events | View::Why | View::Differences | View::Help | View::Overview => LEAST_URGENT,
    }
}

/// A panel's rule with its titles. Where both do not fit, the left one is cut: the right one is the verdict.
fn titled(sight: &Sight<'_>, panel: &Panel, first: Glyph) -> Vec<Line> {
    let right = panel.right.width();
    let tail = if right == 0 { 0 } else { right + 4 };
    let line = Line::new().glyph(first).text(" ").then(panel.left.clone());
    let line = line.fitted(sight.width.saturating_sub(tail + 1).max(2)).text(" ");
    let fill = sight.width.saturating_sub(line.width() + tail.saturating_sub(1));
    let line = line.glyphs(Glyph::Rule, fill);
    if right == 0 {
        return vec![line];
    }
    vec![line.text(" ").then(panel.right.clone()).text(" ").glyph(Glyph::Rule)]
}

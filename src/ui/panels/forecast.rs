//! If the other fails now: the answer that must always be there (U12), from the same rule that would decide.

use crate::control::status::{Line as Condition, Status};
use crate::control::words as said;

use super::super::line::{Line, Role};
use super::{Panel, Sight, verdict, wrap};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let takeover = &status.takeover;
    let left = match (sight.state.no_news(sight.now), &takeover.if_fails) {
        // What would follow is not known without news.
        (Some(_), Some(fails)) => format!("If {fails} fails now"),
        (Some(_), None) | (None, _) => said::forecast(status),
    };
    let failing = takeover.lines.iter().filter(|line| !line.ok).count();
    let right = match (sight.state.no_news(sight.now), takeover.ready) {
        (Some(_), _) => Line::new().word("??", Role::Doubtful),
        (None, true) => Line::new().word("READY", Role::Strong),
        (None, false) if failing == 0 => Line::new().word("NOT READY", Role::Wrong),
        (None, false) => Line::new().word("NOT READY", Role::Wrong).text(format!(
            ": {failing} of {} {}",
            takeover.lines.len(),
            if failing == 1 { "fails" } else { "fail" }
        )),
    };
    // Who acts then comes before how many lines fail.
    let right = if left.len() + right.width() + 8 > sight.width && !takeover.ready && failing > 0 {
        match sight.state.no_news(sight.now) {
            None => Line::new().word("NOT READY", Role::Wrong),
            Some(_) => right,
        }
    } else {
        right
    };
    let lines = if takeover.ready { in_columns(sight, &takeover.lines) } else { each_alone(sight, &takeover.lines) };
    Panel { right, ..Panel::new(left, "", lines) }
}

/// Where the text of a condition begins that stands alone, behind what it is about.
const TEXT: usize = 16;

/// A line each, what fails first, with what it is about before it (screens/3).
fn each_alone(sight: &Sight<'_>, conditions: &[Condition]) -> Vec<Line> {
    let narrow = sight.width < 60;
    let mut sorted: Vec<&Condition> = conditions.iter().collect();
    sorted.sort_by_key(|condition| condition.ok);
    let mut lines = Vec::new();
    for condition in sorted {
        if narrow || condition.about.is_empty() {
            whole_line(sight, condition, &mut lines);
            continue;
        }
        for (at, text) in wrap(&condition.text, sight.width.saturating_sub(TEXT)).into_iter().enumerate() {
            let head = if at == 0 { verdict(sight, condition.ok).text(&condition.about) } else { Line::new() };
            lines.push(head.to_column(TEXT).text(text));
        }
    }
    lines
}

/// What fails a line each and first, because it is what the reader came for; what is met two to a line where two fit.
fn in_columns(sight: &Sight<'_>, conditions: &[Condition]) -> Vec<Line> {
    let half = sight.width / 2;
    let narrow = |condition: &&Condition| half >= 30 && condition.ok && condition.text.len() + 7 <= half;
    let mut lines = Vec::new();
    for condition in conditions.iter().filter(|condition| !condition.ok) {
        whole_line(sight, condition, &mut lines);
    }
    let one = |condition: &Condition| verdict(sight, condition.ok).text(&condition.text);
    let mut waits: Option<&Condition> = None;
    for condition in conditions.iter().filter(|condition| condition.ok) {
        match (narrow(&condition), waits.take()) {
            (true, Some(left)) => lines.push(one(left).to_column(half).then(one(condition))),
            (true, None) => waits = Some(condition),
            (false, before) => {
                // The one that waits for its neighbour goes on waiting: fewer lines come before the strict order.
                waits = before;
                whole_line(sight, condition, &mut lines);
            }
        }
    }
    lines.extend(waits.map(one));
    lines
}

fn whole_line(sight: &Sight<'_>, condition: &Condition, lines: &mut Vec<Line>) {
    for (at, text) in wrap(&condition.text, sight.width.saturating_sub(7)).into_iter().enumerate() {
        let head = if at == 0 { verdict(sight, condition.ok) } else { Line::new().to_column(6) };
        lines.push(head.text(text));
    }
}

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
    let lines = in_columns(sight, &takeover.lines, takeover.ready);
    Panel { right, ..Panel::new(left, "", lines) }
}

/// Two columns where every text fits into one, as long as nothing fails; else a line each.
fn in_columns(sight: &Sight<'_>, conditions: &[Condition], ready: bool) -> Vec<Line> {
    let half = sight.width / 2;
    let fits = ready && conditions.iter().all(|condition| condition.text.len() + 7 <= half);
    if fits && half >= 30 {
        let one = |condition: &Condition| verdict(sight, condition.ok).text(&condition.text);
        return conditions
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => one(left).to_column(half).then(one(right)),
                _ => pair.iter().map(one).next().unwrap_or_default(),
            })
            .collect();
    }
    let mut lines = Vec::new();
    // What fails is what the reader came for.
    for condition in conditions.iter().filter(|line| !line.ok).chain(conditions.iter().filter(|line| line.ok)) {
        for (at, text) in wrap(&condition.text, sight.width.saturating_sub(7)).into_iter().enumerate() {
            let head = if at == 0 { verdict(sight, condition.ok) } else { Line::new().to_column(6) };
            lines.push(head.text(text));
        }
    }
    lines
}

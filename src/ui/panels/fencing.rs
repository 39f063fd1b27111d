//! Fencing: how each other member is switched off, whether the device answers, and how the last attempt went (S2).

use crate::control::status::{FenceResult, Fencing, Status};
use crate::control::words as said;

use super::super::line::{Line, Role};
use super::{Panel, Sight, verdict, whole};

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let names = status.fencing.iter().map(|fencing| fencing.peer.len()).max().unwrap_or(0);
    let agents = status.fencing.iter().map(|fencing| fencing.agent.len()).max().unwrap_or(0).min(24);
    let mut lines = Vec::new();
    for fencing in &status.fencing {
        let head = mark(sight, fencing).text(&fencing.peer).to_column(names + 9);
        let head = head.text(&fencing.agent).to_column(names + agents + 12);
        lines.extend(whole(head, &sight.value(said::device_tells(fencing, sight.clock())), sight.width));
        let failed = fencing.last.as_ref().is_some_and(|last| last.result == FenceResult::Failed);
        for (at, text) in said::fencing_tells(fencing, sight.clock()).into_iter().enumerate() {
            let wrong = at == 0 && (fencing.lied || failed);
            let head = if wrong { verdict(sight, false) } else { Line::new().to_column(6) };
            lines.extend(whole(head, &sight.value(text), sight.width));
        }
    }
    let answer = status.fencing.iter().filter(|fencing| said::device_answers(fencing) == Some(true)).count();
    let right = format!("{} of {} devices answer", sight.value(answer.to_string()), status.fencing.len());
    Panel::new("Fencing", right, lines)
}

fn mark(sight: &Sight<'_>, fencing: &Fencing) -> Line {
    match said::device_answers(fencing) {
        Some(answers) => verdict(sight, answers),
        None => Line::of("  ").word("??", Role::Doubtful).text("  "),
    }
}

//! The required processes: how each stands, one of them in hand; and what that one wrote last (P1–P4).

use crate::control::status::{Process, ProcessState, Status};
use crate::control::words::{self as said, Detail};

use super::super::keys::View;
use super::super::line::{Glyph, Line, Role};
use super::{Panel, Sight, whole};

/// The panel of all of them.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let own_screen = sight.state.view == View::Processes;
    let in_hand = sight.state.process_in_hand().map(|process| process.name.as_str());
    let names = status.processes.iter().map(|process| process.name.len()).max().unwrap_or(0).min(24);
    let detail = if own_screen || sight.width >= 110 { Detail::Whole } else { Detail::Brief };
    let mut lines = Vec::new();
    let mut shown: Vec<&Process> = status.processes.iter().collect();
    if !own_screen {
        // On the overview there may be room for few: those that somebody must see come first.
        shown.sort_by_key(|process| said::as_it_should_be(process));
    }
    for process in shown {
        let row = row(sight, process, names, in_hand == Some(process.name.as_str()));
        let tells = sight.value(said::process_tells(process, sight.clock(), detail));
        match own_screen {
            true => lines.extend(whole(row, &tells, sight.width)),
            false => lines.push(row.text(tells)),
        }
    }
    let left = format!("Processes on {}", status.node);
    let wrong = !status.processes.iter().all(said::as_it_should_be);
    let role = if wrong { Role::Doubtful } else { Role::Plain };
    let right = Line::new().word(sight.value(said::processes(status)), role);
    Panel { right, ..Panel::new(left, "", lines) }
}

fn row(sight: &Sight<'_>, process: &Process, names: usize, in_hand: bool) -> Line {
    let role = match process.state {
        _ if sight.state.no_news(sight.now).is_some() => Role::Plain,
        ProcessState::GivenUp => Role::Wrong,
        ProcessState::Restarting | ProcessState::Stopped => Role::Doubtful,
        ProcessState::Running if process.why.is_some() => Role::Doubtful,
        ProcessState::Running | ProcessState::Waits | ProcessState::Starting | ProcessState::Stopping => Role::Plain,
    };
    let line = if in_hand { Line::new().glyph(Glyph::Here).text(" ") } else { Line::of("  ") };
    let column = if sight.width < 60 { names + 3 } else { (names + 5).max(18) };
    line.text(&process.name)
        .to_column(column)
        .word(sight.value(said::process_state(process.state)), role)
        .to_column(column + 10)
}

/// What the process in hand wrote last, the newest first, so that one who follows it need not scroll.
pub fn output(sight: &Sight<'_>, status: &Status) -> Panel {
    let Some(process) = sight.state.process_in_hand() else { return Panel::new("Output", "", Vec::new()) };
    let mut lines = Vec::new();
    for text in process.output.iter().rev() {
        lines.extend(whole(Line::of("  "), text, sight.width));
    }
    if lines.is_empty() {
        lines.push(Line::of("  it has written nothing yet"));
    }
    let left = format!("Output of {} on {}, newest first", process.name, status.node);
    Panel::new(left, sight.value(said::process_state(process.state)), lines)
}

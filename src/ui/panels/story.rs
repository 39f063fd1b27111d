//! Two that act, or acted: how it came to this, and what each of the two did meanwhile (N12, screens/2).

use crate::control::status::{Acted, Status, TwoActed};

use super::super::keys::View;
use super::super::line::{Line, Role};
use super::super::words;
use super::{Panel, Sight, wrap};

/// How it came to this, step by step.
pub fn steps(sight: &Sight<'_>, status: &Status) -> Option<Panel> {
    let two = status.two_acted.as_ref()?;
    let mut lines = Vec::new();
    for step in &two.steps {
        let at = moment(sight, &step.time);
        let room = sight.width.saturating_sub(at.len() + 5);
        for (part, text) in wrap(&step.text, room).into_iter().enumerate() {
            let line = if part == 0 { Line::of(format!("  {at}   ")) } else { Line::new().to_column(at.len() + 5) };
            lines.push(line.text(text));
        }
    }
    let right = if sight.state.view == View::Why { "" } else { "w tells more" };
    Some(Panel::new("How it came to this", right, lines))
}

/// What each of the two did.
pub fn both(sight: &Sight<'_>, status: &Status) -> Option<Panel> {
    let two = status.two_acted.as_ref()?;
    let head = if sight.width < 70 { 16 } else { 20 };
    let columns = (sight.width.saturating_sub(head) / 2).clamp(10, 29);
    let cell = |line: Line, text: &str| {
        let column = line.width() + columns;
        line.text(text).cut(column - 1).to_column(column)
    };
    let row = |what: &str, of: &dyn Fn(&Acted) -> String| {
        let line = Line::of(format!("  {what}")).to_column(head);
        let line = cell(line, &of(&two.stops));
        cell(line, &of(&two.goes_on))
    };
    let lasted = if two.over_for_ms.is_some() { two.at_most_ms } else { sight.aged(two.at_most_ms) };
    let lasted = words::lasting(lasted);
    let mut lines = vec![
        row("", &|one| format!("{}, {}", one.name, fate(two, one))),
        row("acted", &|_| format!("at most {lasted}")),
        row("in term", &|one| one.term.to_string()),
        row("Primary since", &|one| match &one.since {
            Some(since) => moment(sight, since),
            None => format!("only {} knows", one.name),
        }),
    ];
    if let Some(over) = two.over_for_ms {
        let over = words::ago(sight.aged(over));
        lines.push(Line::of("  over").to_column(head).word(over, Role::Strong));
    }
    Some(Panel::new(format!("Since {}", moment(sight, &two.since)), "", lines))
}

fn fate(two: &TwoActed, one: &Acted) -> &'static str {
    match (one.name == two.stops.name, two.over_for_ms) {
        (true, None) => "stopping",
        (true, Some(_)) => "gave way",
        (false, _) => "goes on",
    }
}

fn moment(sight: &Sight<'_>, time: &str) -> String {
    words::parse(time, sight.wall).map_or_else(|| "?".to_owned(), |at| words::moment(&at, sight.wall))
}

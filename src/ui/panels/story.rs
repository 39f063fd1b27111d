//! Two that act, or acted: how it came to this, and what each of the two did meanwhile (N12, screens/2).

use crate::control::status::{Acted, ProcessState, RunWhen, Status, TwoActed};
use crate::control::words as said;

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
    ];
    for name in names_of_moving(status) {
        let shown: String = name.chars().take(head - 3).collect();
        lines.push(row(&shown, &|one| runs(sight, status, &one.name, name)));
    }
    lines.extend([
        row("in term", &|one| one.term.to_string()),
        row("Primary since", &|one| match &one.since {
            Some(since) => moment(sight, since),
            None => format!("only {} knows", one.name),
        }),
    ]);
    if let Some(over) = two.over_for_ms {
        let over = words::ago(sight.aged(over));
        lines.push(Line::of("  over").to_column(head).word(over, Role::Strong));
    }
    Some(Panel::new(format!("Since {}", moment(sight, &two.since)), "", lines))
}

/// What runs only on the Primary, here or at the other: what two that act both run.
fn names_of_moving(status: &Status) -> Vec<&str> {
    let own = status.processes.iter().map(|process| (process.run_when, process.name.as_str()));
    let theirs = status.peers.iter().flat_map(|peer| &peer.processes);
    let all = own.chain(theirs.map(|process| (process.run_when, process.name.as_str())));
    let mut names = Vec::new();
    for (_, name) in all.filter(|(run_when, _)| *run_when == RunWhen::Primary) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// How a process stands on a member, as far as this one was told.
fn runs(sight: &Sight<'_>, status: &Status, member: &str, name: &str) -> String {
    if member == status.node {
        let process = status.processes.iter().find(|process| process.name == name);
        return process.map_or_else(
            || "none there".to_owned(),
            |process| sight.value(stands(sight, process.state, process.pid, process.since_ms)),
        );
    }
    match status.peers.iter().find(|peer| peer.name == member) {
        Some(peer) if peer.gone.is_none() => match peer.processes.iter().find(|process| process.name == name) {
            Some(process) => sight.value(stands(sight, process.state, process.pid, process.since_ms)),
            None => "none there".to_owned(),
        },
        // What ran there when it was last heard may have ended since.
        Some(_) | None => "not known".to_owned(),
    }
}

fn stands(sight: &Sight<'_>, state: ProcessState, pid: Option<u32>, since_ms: u64) -> String {
    match (state, pid) {
        (ProcessState::Stopping, _) => {
            let since = words::ago(sight.aged(since_ms));
            format!("told to stop {since}")
        }
        (ProcessState::Running, Some(pid)) => format!("running, pid {pid}"),
        (state, _) => said::process_state(state).to_owned(),
    }
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

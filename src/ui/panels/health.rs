//! The health: what the Total Health Score is made of, the limit, and the other members' scores beside it (H1–H7).

use crate::control::status::{Status, SubHealth};
use crate::control::words as said;

use super::super::keys::View;
use super::super::line::{Line, Role};
use super::{Panel, Sight, whole};

/// Cells of a gauge: fewer, or none, where the line is short.
fn cells(width: usize) -> usize {
    match width {
        66.. => 20,
        50..66 => 15,
        _ => 0,
    }
}

/// The panel.
pub fn panel(sight: &Sight<'_>, status: &Status) -> Panel {
    let mut lines = Vec::new();
    let gauges = sight.wide || sight.state.view == View::Health;
    if gauges {
        lines.push(total(sight, status));
        lines.extend(status.health.sub.iter().flat_map(|sub| gauge(sight, sub)));
        lines.extend(history(sight, status));
    } else {
        lines.extend(brief(sight, status));
    }
    Panel { least: lines.len().min(1), ..Panel::new("Health", sight.value(said::scores(status)), lines) }
}

/// A line or two: each sub-health with its weight.
fn brief(sight: &Sight<'_>, status: &Status) -> Vec<Line> {
    let start = || Line::of("  ").text(&status.node).to_column(9.max(status.node.len() + 5));
    let mut lines = Vec::new();
    let mut line = start();
    let indent = line.width();
    for (at, sub) in status.health.sub.iter().enumerate() {
        let text = sight.value(said::sub_health(sub));
        if line.width() + 4 + text.len() > sight.width && line.width() > indent {
            lines.push(std::mem::replace(&mut line, Line::new().to_column(indent)));
        } else if at > 0 && line.width() > indent {
            line = line.text("    ");
        }
        line = line.word(text, role(sub.status));
    }
    if status.health.sub.is_empty() {
        line = line.text("nothing is measured yet");
    }
    lines.push(line);
    lines
}

/// What is wrong stands out.
fn role(status: f64) -> Role {
    if status <= 0.0 {
        Role::Wrong
    } else if status < 0.5 {
        Role::Doubtful
    } else {
        Role::Plain
    }
}

/// A bar of `#` for what is there and `.` for what is missing; `|` is the limit.
fn bar(sight: &Sight<'_>, status: f64, limit: Option<f64>) -> String {
    let all = cells(sight.width);
    let part = |share: f64| (share.clamp(0.0, 1.0) * all as f64).round() as usize;
    let full = part(status);
    let mark = limit.map(part);
    let cell = |at: usize| match mark {
        Some(mark) if at == mark => '|',
        Some(_) | None if at < full => '#',
        Some(_) | None => '.',
    };
    (0..all).map(cell).collect()
}

/// Where the gauges begin.
fn column(sight: &Sight<'_>) -> usize {
    if sight.width < 60 { 14 } else { 16 }
}

fn total(sight: &Sight<'_>, status: &Status) -> Line {
    let health = &status.health;
    let below = health.total < health.threshold;
    let line = Line::of("  ").word("total", Role::Strong).to_column(column(sight));
    let figure = sight.value(format!("{:.2}", health.total));
    let role = if below { Role::Wrong } else { Role::Strong };
    let line =
        line.word(figure, role).text("         ").text(sight.value(bar(sight, health.total, Some(health.threshold))));
    let limit = format!("   | is the limit, {:.2}", health.threshold);
    if line.width() + limit.len() <= sight.width { line.text(limit) } else { line }
}

fn gauge(sight: &Sight<'_>, sub: &SubHealth) -> Vec<Line> {
    let line = Line::of("  ").text(said::sub_name(sub)).to_column(column(sight));
    let figure = sight.value(format!("{:.2}", sub.status));
    let line = line.word(figure, role(sub.status)).text(format!(" x {:<5} ", said::weight(sub.weight)));
    let line = line.to_column(column(sight) + 13);
    let line =
        if cells(sight.width) > 0 { line.text(sight.value(bar(sight, sub.status, None))).text("   ") } else { line };
    whole(line, &sight.value(said::measured(sub)), sight.width)
}

/// The scores of late, in digits: they read alike in every charset.
fn history(sight: &Sight<'_>, status: &Status) -> Vec<Line> {
    let names = std::iter::once(&status.node).chain(status.peers.iter().map(|peer| &peer.name));
    let rows = names.filter_map(|name| {
        let head = Line::of("  ").text(name).to_column(column(sight)).text("each 10 s, 9 is 1.00: ");
        let row = sight.state.history.scores(name, sight.width.saturating_sub(head.width() + 2))?;
        Some(head.text(row))
    });
    rows.collect()
}

//! A plan: what will happen, what it rests on, and what must be typed (U2, screens/4). As a box over the panels where it
//! can be confirmed, as a panel where another screen holds it.

use crate::control::plan::{LineState, Plan, PlanLine};
use crate::control::status::Status;

use super::super::dialog::{OpenPlan, Whose};
use super::super::line::{Glyph, Line, Role};
use super::super::reading::Part;
use super::super::words;
use super::{Panel, Sight, wrap};

/// How much a line of the box matters when there is not room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Blank,
    Detail,
    Step,
    Risk,
    Must,
}

/// The narrowest screen that a plan is asked to be read on.
const NARROW: usize = 40;

/// The plan in so many rows at most, and what of it is shown. A box, where what must be read has room in it; else a page
/// of its lines, to be read on. `fixed`: the rows of the screen that are not for it.
pub fn dialog(sight: &Sight<'_>, open: &OpenPlan, rows: usize, fixed: usize) -> (Vec<Line>, Part) {
    let inner = |width: usize| width.saturating_sub(4);
    let must = |lines: &[(Weight, Line)]| lines.iter().filter(|(weight, _)| *weight > Weight::Detail).count() + 2;
    let lines = content(sight, open, inner(sight.width));
    let wide = sight.width.max(NARROW);
    let part = |from: usize, to: usize, of: usize| {
        let needs = (wide, must(&content(sight, open, inner(wide))) + fixed);
        Part { from, to, of, width: sight.width, needs }
    };
    if must(&lines) <= rows {
        let of = lines.len();
        return (boxed(sight, open, lines, rows), part(0, of, of));
    }
    let text = sight.width.saturating_sub(2);
    let title = wrap(&format!("Plan {}: {}", open.plan.number, open.plan.title), text);
    let title = title.into_iter().map(|text| Line::new().word(text, Role::Strong));
    let below = content(sight, open, text).into_iter().filter(|(weight, line)| match weight {
        // A heading stays, the prompt has its place among the keys.
        Weight::Blank => line.width() > 0,
        Weight::Detail | Weight::Step | Weight::Risk => true,
        Weight::Must => false,
    });
    let lines: Vec<Line> = title.chain(below.map(|(_, line)| line)).collect();
    let from = open.reading.from.min(lines.len().saturating_sub(rows));
    let to = (from + rows).min(lines.len());
    let part = part(from, to, lines.len());
    let page = lines.into_iter().skip(from).take(rows).map(|line| Line::of(" ").then(line)).collect();
    (page, part)
}

/// What to type, for a place of its own: short.
pub fn asked(open: &OpenPlan) -> Line {
    prompt(open, 0)
}

/// The box, exactly so many rows high or less: what matters least is left out first.
fn boxed(sight: &Sight<'_>, open: &OpenPlan, mut lines: Vec<(Weight, Line)>, rows: usize) -> Vec<Line> {
    let room = rows.saturating_sub(2);
    let mut left_out = false;
    while lines.len() > room {
        let Some(least) = lines.iter().map(|(weight, _)| *weight).min() else { break };
        let at = lines.iter().rposition(|(weight, _)| *weight == least).unwrap_or(0);
        lines.remove(at);
        left_out |= least > Weight::Blank;
    }
    let title = format!(" Plan {}: {} ", open.plan.number, open.plan.title);
    let checked = match left_out {
        true => " more on a larger screen ".to_owned(),
        false => {
            let since = u64::try_from(sight.now.saturating_sub(open.at).as_millis()).unwrap_or(u64::MAX);
            match since.saturating_add(open.plan.checked_ms) {
                // To the second: a plan is judged by how fresh it is.
                ms @ 0..60_000 => format!(" checked {} s ago ", ms / 1000),
                ms => format!(" checked {} ", words::ago(ms)),
            }
        }
    };
    let mut drawn = vec![edge(sight.width, &title, &checked)];
    for (_, line) in lines {
        let side = Line::new().glyph(Glyph::Side).text(" ").then(line);
        drawn.push(side.to_column(sight.width.saturating_sub(1)).glyph(Glyph::Side));
    }
    let rule = sight.width.saturating_sub(2);
    drawn.push(Line::new().glyph(Glyph::BottomLeft).glyphs(Glyph::Rule, rule).glyph(Glyph::BottomRight));
    drawn
}

fn edge(width: usize, title: &str, checked: &str) -> Line {
    let fill = width.saturating_sub(title.len() + checked.len() + 2);
    let line = Line::new().glyph(Glyph::TopLeft).word(title, Role::Strong);
    if fill == 0 {
        return line;
    }
    line.glyphs(Glyph::Rule, fill).text(checked).glyph(Glyph::TopRight)
}

fn content(sight: &Sight<'_>, open: &OpenPlan, width: usize) -> Vec<(Weight, Line)> {
    let plan = &open.plan;
    let mut lines = Vec::new();
    let blank = (Weight::Blank, Line::new());
    lines.push((Weight::Blank, Line::of("What happens")));
    for (at, step) in plan.steps.iter().enumerate() {
        for (part, text) in wrap(step, width.saturating_sub(4)).into_iter().enumerate() {
            let head = if part == 0 { format!(" {}  ", at + 1) } else { "    ".to_owned() };
            lines.push((Weight::Step, Line::of(head + &text)));
        }
    }
    let acting = format!("{}     {}", plan.nobody_acts, plan.two_acting);
    let in_risk = plan.risk.as_ref().is_some_and(|risk| risk.contains(&plan.two_acting));
    if in_risk {
        // Told with the rest of the risk: a small box has no room to say it twice.
        lines.extend(wrap(&plan.nobody_acts, width).into_iter().map(|text| (Weight::Risk, Line::of(text))));
    } else if acting.len() <= width {
        lines.push((Weight::Risk, Line::of(acting)));
    } else {
        for text in [&plan.nobody_acts, &plan.two_acting] {
            lines.extend(wrap(text, width).into_iter().map(|text| (Weight::Risk, Line::of(text))));
        }
    }
    for text in [&plan.may_be_lost, &plan.if_it_fails, &plan.to_go_back] {
        lines.extend(wrap(text, width).into_iter().map(|text| (Weight::Detail, Line::of(text))));
    }
    lines.push((Weight::Blank, Line::of("What it rests on")));
    lines.extend(rests_on(&plan.rests_on, width));
    if let Some(risk) = &plan.risk {
        for text in wrap(&format!("Forced, it risks this: {risk}"), width) {
            lines.push((Weight::Risk, Line::new().word(text, Role::Strong)));
        }
    }
    lines.push(blank.clone());
    let left = open.left_ms(sight.now) / 1000;
    let opened = match open.whose {
        Whose::Mine => String::new(),
        Whose::Anothers => format!("Opened by {}. ", plan.by),
    };
    let standing = match &open.hint {
        Some(hint) => format!("Nothing has happened yet: {hint}. It ends in {left} s."),
        None => format!("Nothing has happened yet. It ends in {left} s, or when a line here worsens."),
    };
    lines.extend(wrap(&(opened + &standing), width).into_iter().map(|text| (Weight::Step, Line::of(text))));
    lines.push(blank);
    lines.push((Weight::Must, prompt(open, width)));
    lines
}

fn rests_on(conditions: &[PlanLine], width: usize) -> Vec<(Weight, Line)> {
    // The second of two on a line begins a little beyond the middle.
    let second = (width / 2 + 5).min(width);
    let one = |condition: &PlanLine, text: &str| {
        let (word, role) = match condition.state {
            LineState::Ok => ("ok", Role::Plain),
            LineState::No => ("NO", Role::Wrong),
            LineState::Notice => ("!!", Role::Strong),
        };
        Line::of(" ").word(word, role).text("  ").text(text)
    };
    let weight = |condition: &PlanLine| match condition.state {
        LineState::Ok => Weight::Detail,
        LineState::No | LineState::Notice => Weight::Risk,
    };
    let mut lines = Vec::new();
    let mut rest = conditions;
    while let [condition, tail @ ..] = rest {
        let paired = match tail {
            [next, ..] if condition.state == LineState::Ok && next.state == LineState::Ok => {
                (condition.text.len() + 7 <= second && next.text.len() + 5 <= width - second).then_some(next)
            }
            _ => None,
        };
        if let Some(next) = paired {
            let line = one(condition, &condition.text).to_column(second).then(one(next, &next.text));
            lines.push((Weight::Detail, line));
            rest = &tail[1..];
            continue;
        }
        for (at, text) in wrap(&condition.text, width.saturating_sub(5)).into_iter().enumerate() {
            let line = if at == 0 { one(condition, &text) } else { Line::of(format!("     {text}")) };
            lines.push((weight(condition), line));
        }
        rest = tail;
    }
    lines
}

fn prompt(open: &OpenPlan, width: usize) -> Line {
    let wanted = open.wanted();
    let blanks = "_".repeat(wanted.len().saturating_sub(open.typed.len()));
    let ask = match &open.plan.force_by_typing {
        None => "To do it, type the plan's number and Enter:  ".to_owned(),
        Some(name) => format!("To force it, type {name} and Enter:  "),
    };
    let short = match &open.plan.force_by_typing {
        None => format!("{} and Enter: ", open.plan.number),
        Some(name) => format!("force: type {name}: "),
    };
    let field = Line::new().word(&open.typed, Role::Strong).text(blanks);
    let full = Line::of(&ask).then(field.clone()).to_column(56).text(match open.whose {
        Whose::Mine => "Esc  leave it",
        Whose::Anothers => "Esc  look away",
    });
    if full.width() <= width {
        full
    } else if ask.len() + field.width() <= width {
        Line::of(ask).then(field)
    } else {
        Line::of(short).then(field)
    }
}

/// A plan that another screen holds, for everybody attached to see.
pub fn shared(sight: &Sight<'_>, status: &Status) -> Panel {
    match (&status.plan, &status.plan_elsewhere) {
        (Some(plan), _) => {
            let mut lines: Vec<Line> =
                plan.steps.iter().enumerate().map(|(at, step)| Line::of(format!("  {}  {step}", at + 1))).collect();
            let acting = format!("{}     {}", plan.nobody_acts, plan.two_acting);
            lines.extend(wrap(&acting, sight.width.saturating_sub(4)).iter().map(|text| Line::of(format!("  {text}"))));
            lines.extend(failing(plan));
            let left = sight.remaining(plan.expires_ms) / 1000;
            let right = format!("opened by {}, ends in {left} s", plan.by);
            Panel::new(format!("Plan {}: {}", plan.number, plan.title), right, lines)
        }
        (None, Some(plan)) => {
            let line = format!("  Nothing has happened yet. Its steps are on the screens of {}.", plan.node);
            let right = format!("open on {}", plan.node);
            Panel::new(format!("Plan {}: {}", plan.number, plan.title), right, vec![Line::of(line)])
        }
        (None, None) => Panel::new("No plan is open", "", Vec::new()),
    }
}

fn failing(plan: &Plan) -> impl Iterator<Item = Line> {
    plan.rests_on
        .iter()
        .filter(|line| line.state == LineState::No)
        .map(|line| Line::of("  ").word("NO", Role::Wrong).text("  ").text(&line.text))
}

//! The last two rows: what the keys do here and now, from the table of keys.

use crate::control::words as said;

use super::super::dialog::{Dialog, OpenPlan, Whose};
use super::super::keys::{ACTIONS, About, BINDINGS, Bar, Command, View, Wish};
use super::super::line::Line;
use super::super::reading::Part;
use super::super::replay::Move;
use super::Sight;

/// The two rows. `plan`: what is shown of the open plan.
pub fn rows(sight: &Sight<'_>, plan: Option<Part>) -> [Line; 2] {
    let state = sight.state;
    match &state.dialog {
        Dialog::Plan(open) if plan.is_some_and(|part| !part.is_all()) => {
            let short = Line::of(" ").then(super::plan::asked(open));
            let full = Line::of(format!(" plan {}: ", open.plan.number)).then(super::plan::asked(open));
            [if full.width() <= sight.width { full } else { short }, reading(sight, open, plan)]
        }
        Dialog::Plan(open) => {
            let number = open.plan.number;
            let takes = match open.plan.force_by_typing {
                None => "only digits, Enter and Esc do anything now",
                Some(_) => "only the name, Enter and Esc do anything now",
            };
            let full = format!(" plan {number} is open: {takes}");
            let first = fitting(sight, &full, &format!(" plan {number}: number, Enter, Esc"));
            let (full, short) = match open.whose {
                Whose::Mine => {
                    (" any other key, or pasted text, closes the plan and does nothing", " any other key closes it")
                }
                Whose::Anothers => (
                    " Esc, or any other key, leaves it open; Ctrl-C closes it for everybody",
                    " Esc leaves it, Ctrl-C closes it",
                ),
            };
            [first, fitting(sight, full, short)]
        }
        Dialog::Find(typed) => [
            Line::of(format!(" find: {typed}_")),
            fitting(
                sight,
                " Enter keeps it; Esc, or any other key, shows all events again",
                " Enter keeps it, Esc shows all",
            ),
        ],
        Dialog::Which(..) => {
            [Line::of(" one digit, or Esc"), Line::of(" any other key, or pasted text, closes this and does nothing")]
        }
        Dialog::Actions | Dialog::Faults | Dialog::Asked(_) => {
            let full = " any other key, or pasted text, closes this and does nothing";
            [Line::of(" one letter, or Esc"), fitting(sight, full, " any other key closes this")]
        }
        Dialog::None => [keys(sight), acting(sight)],
    }
}

/// Where in a plan one is that the screen does not hold whole, and how to read on.
fn reading(sight: &Sight<'_>, open: &OpenPlan, plan: Option<Part>) -> Line {
    let Some(part) = plan else { return Line::new() };
    if part.rows() == 0 {
        let (columns, rows) = part.needs;
        let larger = format!(" make the window larger: {columns}x{rows}");
        let full = format!("{larger}   Esc leaves it");
        let short = if larger.len() <= sight.width { larger } else { format!(" larger: {columns}x{rows}") };
        return fitting(sight, &full, &short);
    }
    if let Some(hint) = &open.hint {
        return fitting(sight, &format!(" {hint}"), &format!(" {hint}"));
    }
    let (from, to, of) = (part.from + 1, part.to, part.of);
    let full = match open.whose {
        Whose::Mine => format!(" line {from} to {to} of {of}: Up, Down read it; any other key closes it"),
        Whose::Anothers => format!(" line {from} to {to} of {of}: Up, Down read it; Esc leaves it, Ctrl-C closes it"),
    };
    let short = format!(" {from}-{to} of {of}: Down");
    let said = format!("{short} reads on, Esc leaves");
    fitting(sight, &full, if said.len() <= sight.width { &said } else { &short })
}

fn fitting(sight: &Sight<'_>, full: &str, short: &str) -> Line {
    Line::of(if full.len() <= sight.width { full } else { short })
}

fn keys(sight: &Sight<'_>) -> Line {
    let alarmed = sight.state.unseen_alarm();
    let overview = sight.state.view == View::Overview;
    let words: Vec<String> = BINDINGS
        .iter()
        .filter_map(|binding| match binding.bar {
            Bar::Always(word) => Some(format!("{} {word}", binding.shown)),
            Bar::WithAlarm(word) if alarmed => Some(format!("{} {word}", binding.shown)),
            Bar::Overview(word) if overview => Some(format!("{} {word}", binding.shown)),
            Bar::Alarmed(word) if alarmed && overview => Some(format!("{} {word}", binding.shown)),
            Bar::Calm(word) if !alarmed && overview => Some(format!("{} {word}", binding.shown)),
            Bar::Inside(word) if !overview => Some(format!("{} {word}", binding.shown)),
            Bar::AtEvents(word) if sight.state.view == View::Events => Some(format!("{} {word}", binding.shown)),
            Bar::Overview(_)
            | Bar::Alarmed(_)
            | Bar::Calm(_)
            | Bar::Inside(_)
            | Bar::AtEvents(_)
            | Bar::WithAlarm(_)
            | Bar::No => None,
        })
        .collect();
    let leave = shown(Command::Leave);
    let node = sight.state.status.as_ref().map_or("the controller", |status| status.node.as_str());
    let runs_on = match (&sight.state.faults, sight.state.no_news(sight.now)) {
        (Some(_), _) => "the demo ends".to_owned(),
        (None, _) if sight.state.replay.is_some() => "a replay".to_owned(),
        (None, None) => format!("{node} runs on"),
        // Whether it runs is what nobody knows now.
        (None, Some(_)) => "screen only".to_owned(),
    };
    let right = Line::of(format!("{leave} leave ({runs_on}) "));
    let left = Line::of(format!(" {}", words.join("  ")));
    if left.width() + right.width() < sight.width {
        return left.with_right(right, sight.width);
    }
    // Narrow: how to leave and where help is come first, then as many as fit.
    let mut line = Line::of(format!(" {leave} leave  "));
    for word in words {
        if line.width() + word.len() > sight.width {
            break;
        }
        line = line.text(word).text("  ");
    }
    line
}

fn acting(sight: &Sight<'_>) -> Line {
    if sight.state.replay.is_some() {
        let [next, before, on, back, first, last] =
            [Move::NextDecision, Move::DecisionBefore, Move::NextInput, Move::InputBefore, Move::First, Move::Last]
                .map(|to| shown(Command::Move(to)));
        let variants = [
            format!(
                " {next} next decision  {before} before   {on} {back} one input on, back   {first} {last} beginning, end"
            ),
            format!(" {next} next  {before} before  {on} {back} input  {first} {last} ends"),
            format!(" {next} {before} {on} {back} {first} {last}"),
        ];
        let fitting = variants.iter().find(|text| text.len() <= sight.width);
        return Line::of(fitting.unwrap_or(&variants[2]).as_str());
    }
    if let Err(why) = sight.state.may_operate() {
        return Line::of(format!(" {why}"));
    }
    if sight.state.no_news(sight.now).is_some() {
        return Line::of(" no news from the controller: nothing can be done from here now");
    }
    let act = shown(Command::Act);
    let shorts = now_possible(sight);
    let faults = match sight.state.faults {
        Some(_) => format!("{} faults   ", shown(Command::Faults)),
        None => String::new(),
    };
    if let Some((plan, to_do)) = waits_for(sight) {
        return Line::of(format!(" {faults}{act} act: {plan} is open, {to_do}")).fitted(sight.width);
    }
    if let Some(status) = sight.state.status.as_ref().filter(|status| said::stopping(status)) {
        let node = &status.node;
        let most = said::longest_stop(status).map_or(String::new(), |time| format!(", at most {}", said::coarse(time)));
        return Line::of(format!(" {faults}{act} act: waits while {node} stops{most} (only: stop {node})"))
            .fitted(sight.width);
    }
    let variants = [
        format!(" {faults}{act} act: {} (each shows its plan first)", shorts.join(", ")),
        format!(" {faults}{act} act: {}", shorts.join(", ")),
        format!(" {faults}{act} act"),
    ];
    let fitting = variants.iter().find(|text| text.len() <= sight.width);
    Line::of(fitting.unwrap_or(&variants[2]))
}

/// What makes sense in this state, in a few words; the menu has the rest.
fn now_possible(sight: &Sight<'_>) -> Vec<String> {
    let Some(status) = &sight.state.status else { return Vec::new() };
    if said::takeover_blocked(status) {
        let peer = said::peer_that_matters(status).map_or("it", |peer| peer.name.as_str());
        return vec![format!("o {peer} is off"), "fence again".to_owned(), "hold".to_owned(), "force...".to_owned()];
    }
    // Five have room. With a device or processes there, what is about them comes before what is rare.
    let more =
        ACTIONS.iter().any(|action| action.wish.about() != About::ThisMember && sight.state.makes_sense(action.wish));
    let rare = |wish: Wish| match wish {
        Wish::Resume | Wish::Shutdown => more,
        Wish::IsOff | Wish::Stop | Wish::Start => true,
        Wish::TakeOver | Wish::StepDown | Wish::Hold | Wish::Fence | Wish::Restart => false,
    };
    let offered = ACTIONS.iter().filter(|action| sight.state.makes_sense(action.wish) && !rare(action.wish));
    offered.map(|action| action.short.to_owned()).collect()
}

/// The plan that stands in the way of any other, and what can be done about it here: there is one at a time in the group.
fn waits_for(sight: &Sight<'_>) -> Option<(String, &'static str)> {
    let status = sight.state.status.as_ref()?;
    match (&status.plan, &status.plan_elsewhere) {
        (Some(plan), _) => Some((format!("plan {} of {}", plan.number, plan.by), "to confirm or to leave")),
        (None, Some(plan)) => Some((format!("plan {} on {}", plan.number, plan.node), "wait for it")),
        (None, None) => None,
    }
}

fn shown(command: Command) -> &'static str {
    BINDINGS.iter().find(|binding| binding.command == command).map_or("?", |binding| binding.shown)
}

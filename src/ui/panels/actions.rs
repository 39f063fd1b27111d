//! The action menu and the demo's fault menu: a letter each.

use super::super::dialog::Dialog;
use super::super::keys::{ACTIONS, About, FAULTS};
use super::super::line::{Line, Role};
use super::super::state::State;
use super::Panel;

/// The menu that is open, in so many lines where there is no room for all of it: then in a word each.
pub fn panel(state: &State, width: usize, room: usize) -> Option<Panel> {
    let whole = whole(state)?;
    if whole.lines.len() < room {
        return Some(whole);
    }
    let words: Vec<String> = match &state.dialog {
        Dialog::Actions => ACTIONS
            .iter()
            .filter(|action| state.makes_sense(action.wish))
            .map(|action| format!("{} {}", action.letter, action.short))
            .collect(),
        Dialog::Faults => FAULTS.iter().map(|fault| format!("{} {}", fault.letter, fault.short())).collect(),
        Dialog::None | Dialog::Find(_) | Dialog::Plan(_) | Dialog::Which(..) | Dialog::Asked(_) => return Some(whole),
    };
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + 3 + word.len() <= width => {
                line.push_str("   ");
                line.push_str(&word);
            }
            Some(_) | None => lines.push(format!("  {word}")),
        }
    }
    Some(Panel { lines: lines.into_iter().map(Line::of).collect(), ..whole })
}

fn whole(state: &State) -> Option<Panel> {
    let (dialog, faults) = (&state.dialog, state.faults.as_ref());
    let row = |letter: char, text: &str| Line::of("  ").word(letter.to_string(), Role::Strong).to_column(6).text(text);
    match dialog {
        Dialog::None | Dialog::Find(_) | Dialog::Plan(_) => None,
        Dialog::Actions => {
            let mut lines = vec![Line::of("  One letter opens a plan; nothing happens before its number is typed.")];
            let process = state.process_in_hand().map(|process| process.name.as_str());
            for action in ACTIONS.iter().filter(|action| state.makes_sense(action.wish)) {
                lines.push(match (action.wish.about(), process) {
                    (About::Process, Some(name)) => row(action.letter, &format!("{}: {name}", action.help)),
                    (About::Process, None) | (About::ThisMember | About::Member, _) => row(action.letter, action.help),
                });
            }
            Some(Panel::new("Act", "Esc leaves it", lines))
        }
        Dialog::Which(_, names) => {
            let digits = ('1'..='9').zip(names);
            let lines = digits.map(|(digit, name)| row(digit, name)).collect();
            Some(Panel::new("Which member?", "Esc leaves it", lines))
        }
        Dialog::Asked(_) => Some(Panel::new("Act", "Esc leaves it", vec![Line::of("  The plan is being made.")])),
        Dialog::Faults => {
            let faults = faults?;
            let mut lines: Vec<Line> = FAULTS.iter().map(|fault| row(fault.letter, fault.help)).collect();
            if faults.members.len() > 1 {
                for (at, name) in faults.members.iter().enumerate() {
                    let letter = char::from_digit(u32::try_from(at).unwrap_or(8) + 1, 10).unwrap_or('?');
                    lines.push(row(letter, &format!("the next fault hits {name}")));
                }
            }
            Some(Panel::new(format!("Do to {}", faults.target_name()), "Esc leaves it", lines))
        }
    }
}

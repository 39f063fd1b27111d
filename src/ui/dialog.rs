//! What stands between a key and a controller: the action menu, and a plan that waits for its number (U2).
//!
//! The rules are here and nowhere else. A dialog is deaf until the frame that shows it has left; a plan is confirmed by
//! its typed number and Enter, or forced by the typed name, once all of it was shown; any other key, and pasted text,
//! closes it and does nothing.

use std::time::Duration;

use crate::control::plan::{Action, Plan};

use super::input::Key;
use super::keys::{ACTIONS, FAULTS, Fault, Wish};
use super::reading::Reading;

/// Two letters closer than this were not typed by a hand.
pub const HAND: Duration = Duration::from_millis(12);
/// The longest name or number that can be typed.
const MAX_TYPED: usize = 64;

/// What is open over the panels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dialog {
    /// Nothing.
    #[default]
    None,
    /// The action menu.
    Actions,
    /// Which member an action is about, where there are several.
    Which(Wish, Vec<String>),
    /// The demo's fault menu.
    Faults,
    /// A text to find is being typed.
    Find(String),
    /// A plan was asked for and has not come.
    Asked(Action),
    /// A plan waits.
    Plan(Box<OpenPlan>),
}

/// Who opened a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// This screen: it closes the plan when it leaves it.
    Mine,
    /// Another screen, or the command line: looking away leaves it open.
    Anothers,
}

/// A plan on this screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPlan {
    /// As the engine last showed it.
    pub plan: Plan,
    /// What has been typed.
    pub typed: String,
    /// When the plan came in this form.
    pub at: Duration,
    /// Whether the status has shown it; once it has, its absence means that it is over.
    pub seen_in_status: bool,
    /// What was wrong with what was typed.
    pub hint: Option<String>,
    /// Who opened it.
    pub whose: Whose,
    /// How far it was read.
    pub reading: Reading,
}

impl OpenPlan {
    /// A plan that just came.
    pub fn new(plan: Plan, at: Duration) -> OpenPlan {
        OpenPlan {
            plan,
            typed: String::new(),
            at,
            seen_in_status: false,
            hint: None,
            whose: Whose::Mine,
            reading: Reading::default(),
        }
    }

    /// A plan of another screen, as the status showed it at that time.
    pub fn of_another(plan: Plan, at: Duration) -> OpenPlan {
        OpenPlan { seen_in_status: true, whose: Whose::Anothers, ..OpenPlan::new(plan, at) }
    }

    /// The engine shows it anew, at that time. Returns whether it says something else now, which has to be read first.
    pub fn shown_anew(&mut self, plan: Plan, at: Duration) -> bool {
        let said = |plan: &Plan| (plan.steps.clone(), plan.two_acting.clone(), plan.risk.clone());
        let differs = said(&plan) != said(&self.plan);
        if differs {
            self.reading.starts_anew();
        }
        (self.plan, self.at) = (plan, at);
        differs
    }

    /// What must be typed: the number, or the name that forces.
    pub fn wanted(&self) -> String {
        self.plan.force_by_typing.clone().unwrap_or_else(|| self.plan.number.to_string())
    }

    /// How long it still stands.
    pub fn left_ms(&self, now: Duration) -> u64 {
        let gone = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        self.plan.expires_ms.saturating_sub(gone)
    }

    /// By how many lines a key moves a plan that the screen does not hold whole; none: it does not.
    fn reads_on(&self, key: Key) -> Option<isize> {
        let page = self.reading.partly().filter(|part| part.rows() > 0)?.rows();
        let page = isize::try_from(page).unwrap_or(isize::MAX);
        match key {
            Key::Down => Some(1),
            Key::Up => Some(-1),
            Key::PageDown => Some(page),
            Key::PageUp => Some(-page),
            Key::Char(_)
            | Key::Ctrl(_)
            | Key::Enter
            | Key::Esc
            | Key::Tab
            | Key::BackTab
            | Key::Backspace
            | Key::Left
            | Key::Right
            | Key::Home
            | Key::End
            | Key::Unknown => None,
        }
    }

    fn takes(&self, character: char) -> bool {
        match self.plan.force_by_typing {
            Some(_) => character.is_ascii_graphic(),
            None => character.is_ascii_digit(),
        }
    }
}

/// What a key in a dialog brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing to be done; the dialog stays.
    Stays,
    /// The dialog closes and does nothing.
    Closed,
    /// A letter of the action menu.
    Wish(Wish),
    /// Open a plan for this.
    Open(Action),
    /// Carry out the plan.
    Confirm {
        /// Its number.
        plan: u32,
        /// The typed name.
        force: Option<String>,
    },
    /// Abandon the plan.
    Abandon(u32),
    /// Another's plan is no longer looked at; it stays open.
    LookedAway(u32),
    /// A fault of the demo.
    Fault(Fault),
    /// Only the events that hold this are shown from now on; empty: all.
    Found(String),
    /// The demo's faults hit that member from now on.
    Target(usize),
}

impl Dialog {
    /// A key, while this dialog has been seen.
    pub fn on_key(&mut self, key: Key) -> Answer {
        match self {
            Dialog::None => Answer::Stays,
            Dialog::Asked(_) => self.close_on(key),
            Dialog::Actions => match key {
                Key::Char(letter) => {
                    let letter = letter.to_ascii_lowercase();
                    *self = Dialog::None;
                    match ACTIONS.iter().find(|action| action.letter == letter) {
                        Some(action) => Answer::Wish(action.wish),
                        None => Answer::Closed,
                    }
                }
                other => self.close_on(other),
            },
            Dialog::Which(wish, names) => match key {
                Key::Char(digit @ '1'..='9') => {
                    let chosen = names.get(digit as usize - '1' as usize).cloned();
                    let wish = *wish;
                    *self = Dialog::None;
                    chosen.map_or(Answer::Closed, |name| Answer::Open(wish.action(name)))
                }
                other => self.close_on(other),
            },
            Dialog::Faults => match key {
                Key::Char(digit @ '1'..='9') => Answer::Target(digit as usize - '1' as usize),
                Key::Char(letter) => {
                    let letter = letter.to_ascii_lowercase();
                    *self = Dialog::None;
                    match FAULTS.iter().find(|fault| fault.letter == letter) {
                        Some(fault) => Answer::Fault(fault.fault),
                        None => Answer::Closed,
                    }
                }
                other => self.close_on(other),
            },
            Dialog::Find(typed) => match key {
                Key::Char(character) if character.is_ascii_graphic() || character == ' ' => {
                    if typed.len() < MAX_TYPED {
                        typed.push(character);
                    }
                    Answer::Stays
                }
                Key::Backspace if !typed.is_empty() => {
                    typed.pop();
                    Answer::Stays
                }
                Key::Enter => {
                    let found = std::mem::take(typed);
                    *self = Dialog::None;
                    Answer::Found(found)
                }
                // Any other key leaves it, and all events are shown again.
                _ => {
                    *self = Dialog::None;
                    Answer::Found(String::new())
                }
            },
            Dialog::Plan(open) => match key {
                Key::Char(character) if open.takes(character) && open.typed.len() < MAX_TYPED => {
                    open.typed.push(character);
                    open.hint = None;
                    Answer::Stays
                }
                Key::Enter if open.typed == open.wanted() && !open.reading.whole() => {
                    // What was not shown is not agreed to. What was typed stays.
                    open.hint = Some(open.reading.missing());
                    Answer::Stays
                }
                Key::Enter if open.typed == open.wanted() => {
                    let answer = Answer::Confirm { plan: open.plan.number, force: open.plan.force_by_typing.clone() };
                    *self = Dialog::None;
                    answer
                }
                Key::Enter => {
                    // Enter alone, and a wrong number, leave the plan as it is.
                    let wanted = open.wanted();
                    open.hint = Some(match open.typed.as_str() {
                        "" => format!("type {wanted} first"),
                        typed => format!("{typed} is not {wanted}"),
                    });
                    open.typed.clear();
                    Answer::Stays
                }
                key => {
                    if let Some(by) = open.reads_on(key) {
                        open.reading.go(by);
                        open.hint = None;
                        return Answer::Stays;
                    }
                    // Any other key closes it, also one that is added later. Another's plan takes more than that.
                    let (number, whose) = (open.plan.number, open.whose);
                    *self = Dialog::None;
                    match whose {
                        Whose::Anothers if key != Key::Ctrl('c') => Answer::LookedAway(number),
                        Whose::Mine | Whose::Anothers => Answer::Abandon(number),
                    }
                }
            },
        }
    }

    /// Pasted text: it closes what is open and does nothing.
    pub fn on_paste(&mut self) -> Answer {
        match std::mem::take(self) {
            Dialog::None => Answer::Stays,
            Dialog::Actions | Dialog::Which(..) | Dialog::Faults | Dialog::Asked(_) => Answer::Closed,
            Dialog::Find(typed) => {
                // It takes pasted text letter by letter, as any text.
                *self = Dialog::Find(typed);
                Answer::Stays
            }
            Dialog::Plan(open) => match open.whose {
                Whose::Mine => Answer::Abandon(open.plan.number),
                Whose::Anothers => Answer::LookedAway(open.plan.number),
            },
        }
    }

    fn close_on(&mut self, key: Key) -> Answer {
        match key {
            // An old window's Enter must not close what it did not open.
            Key::Enter | Key::Unknown => Answer::Stays,
            _ => {
                *self = Dialog::None;
                Answer::Closed
            }
        }
    }
}

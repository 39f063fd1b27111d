//! What the screen has in hand: the process that is chosen, and whom or what a letter of the action menu is about.

use std::time::Duration;

use crate::control::request::Request;
use crate::control::status::{Process, ProcessState};

use super::super::dialog::Dialog;
use super::super::keys::{About, View, Wish};
use super::super::line::Line;
use super::{Effects, REMARK_STANDS, State};

impl State {
    /// The process that is chosen; before one is, the first that is not as it should be, else the first.
    pub fn process_in_hand(&self) -> Option<&Process> {
        let processes = self.status.as_ref()?.processes.as_slice();
        let chosen = self.chosen.as_ref().and_then(|name| processes.iter().find(|process| process.name == *name));
        let wrong = || {
            processes.iter().find(|process| match process.state {
                ProcessState::Restarting | ProcessState::GivenUp | ProcessState::Stopped => true,
                ProcessState::Running | ProcessState::Waits | ProcessState::Starting | ProcessState::Stopping => false,
            })
        };
        chosen.or_else(wrong).or_else(|| processes.first())
    }

    /// Up and Down: a panel, a process, or a line.
    pub(super) fn step_or_scroll(&mut self, by: isize, now: Duration) {
        if self.view == View::Overview {
            self.step(by, now);
        } else if self.view == View::Processes {
            self.choose(by);
        } else {
            self.scroll_by(by);
        }
    }

    /// Chooses the process so many further down.
    fn choose(&mut self, by: isize) {
        let Some(name) = self.process_in_hand().map(|process| process.name.clone()) else { return };
        let processes = self.status.as_ref().map_or(&[][..], |status| &status.processes);
        let Some(at) = processes.iter().position(|process| process.name == name) else { return };
        let to = at.saturating_add_signed(by).min(processes.len().saturating_sub(1));
        self.chosen = Some(processes[to].name.clone());
    }

    /// Whether a letter of the menu is about something that is there: what is not configured is not offered.
    pub fn makes_sense(&self, wish: Wish) -> bool {
        let Some(status) = &self.status else { return false };
        match (wish.about(), wish) {
            (About::ThisMember, _) => true,
            (About::Member, Wish::IsOff) => {
                !status.fencing.is_empty() || status.protection.policy.iter().any(|word| word == "fence")
            }
            (About::Member, _) => !status.fencing.is_empty(),
            (About::Process, _) => !status.processes.is_empty(),
        }
    }

    /// A letter of the menu: it opens a plan, or asks whom it is about first.
    pub(super) fn wish(&mut self, wish: Wish, now: Duration) -> Effects {
        let mut effects = Effects::default();
        let mut open = |state: &mut State, name: String| {
            let action = wish.action(name);
            effects.requests.push(Request::Open { action: action.clone() });
            state.open(Dialog::Asked(action));
        };
        if !self.makes_sense(wish) {
            let text = match wish.about() {
                About::Process => "this member has no required processes",
                About::Member | About::ThisMember => {
                    "no member can be switched off from here: there is no [fence.NAME]"
                }
            };
            self.changed_dialog();
            self.remark(Line::of(text), now, REMARK_STANDS);
            return effects;
        }
        match wish.about() {
            About::ThisMember => open(self, String::new()),
            About::Process => {
                if let Some(name) = self.process_in_hand().map(|process| process.name.clone()) {
                    open(self, name);
                }
            }
            About::Member => {
                let mut members = self.members_to(wish);
                match (members.pop(), members.is_empty()) {
                    (Some(only), true) => open(self, only),
                    (Some(last), false) => {
                        members.push(last);
                        self.open(Dialog::Which(wish, members));
                    }
                    (None, _) => self.changed_dialog(),
                }
            }
        }
        effects
    }

    /// The members that an action may be about, those that are gone before all others.
    fn members_to(&self, wish: Wish) -> Vec<String> {
        let Some(status) = &self.status else { return Vec::new() };
        let named = |gone: bool| {
            let peers = status.peers.iter().filter(move |peer| peer.gone.is_some() == gone);
            peers.map(|peer| peer.name.clone())
        };
        let gone: Vec<String> = named(true).collect();
        match wish {
            Wish::IsOff if !gone.is_empty() => gone,
            Wish::IsOff => named(false).collect(),
            Wish::Fence => {
                let device = |name: &String| status.fencing.iter().any(|fencing| fencing.peer == *name);
                gone.into_iter().chain(named(false)).filter(device).collect()
            }
            Wish::TakeOver
            | Wish::StepDown
            | Wish::Hold
            | Wish::Resume
            | Wish::Shutdown
            | Wish::Restart
            | Wish::Stop
            | Wish::Start => Vec::new(),
        }
    }

    /// Where `Back` leads from a view.
    pub(super) fn behind(view: View) -> View {
        match view {
            View::Output => View::Processes,
            View::Overview
            | View::ToDo
            | View::Forecast
            | View::Plan
            | View::Link
            | View::Replies
            | View::Events
            | View::Why
            | View::Help
            | View::Health
            | View::Processes
            | View::Fencing
            | View::Members
            | View::Story
            | View::Both
            | View::Differences => View::Overview,
        }
    }
}

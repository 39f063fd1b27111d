//! Which panels there are to look at, and moving from one to the next and within it.

use std::time::Duration;

use crate::control::words as said;
use crate::ui::dialog::Dialog;
use crate::ui::keys::View;
use crate::ui::line::Line;

use super::{REMARK_STANDS, State};

impl State {
    /// The panels of the overview, in their order.
    pub fn panels(&self, now: Duration) -> Vec<View> {
        let Some(status) = &self.status else { return Vec::new() };
        let mut panels = Vec::new();
        if !status.alarms.is_empty() || self.no_news(now).is_some() {
            panels.push(View::ToDo);
        }
        if self.two_acted_matters() {
            panels.extend([View::Story, View::Both]);
        }
        if (status.plan.is_some() || status.plan_elsewhere.is_some()) && !matches!(self.dialog, Dialog::Plan(_)) {
            panels.push(View::Plan);
        }
        panels.push(View::Forecast);
        panels.push(View::Link);
        if status.peers.len() > 1 {
            panels.push(View::Members);
        }
        panels.push(View::Replies);
        if said::health_matters(status) {
            panels.push(View::Health);
        }
        if !status.processes.is_empty() {
            panels.push(View::Processes);
        }
        if !status.fencing.is_empty() {
            panels.push(View::Fencing);
        }
        panels.push(View::Events);
        panels
    }

    /// Whether two act, or acted and nobody has seen it yet: then it takes the room of what is calm. Once it is over it
    /// never takes the room of another cause; `w` and `d` tell it all the same.
    fn two_acted_matters(&self) -> bool {
        let Some(status) = &self.status else { return false };
        let about = |id: &str| id.starts_with("two_acted") || id.starts_with("two_primaries");
        let first = status.alarms.first().filter(|alarm| alarm.seen.is_none() && about(&alarm.id));
        status.two_acted.as_ref().is_some_and(|two| two.over_for_ms.is_none() || first.is_some())
    }

    pub(super) fn show(&mut self, view: View) {
        self.view = view;
        self.scroll = 0;
        self.frozen = None;
        if view == View::Overview {
            self.focus = None;
            self.find = None;
        }
    }

    pub(super) fn freeze_or_thaw(&mut self, now: Duration) {
        if self.view != View::Events {
            self.remark(Line::of("Space holds the events still: 4 shows them"), now, REMARK_STANDS);
        } else if self.frozen.take().is_some() {
            self.scroll = 0;
        } else {
            self.frozen = self.status.as_ref().map(|status| status.events.clone());
        }
    }

    pub(super) fn step(&mut self, by: isize, now: Duration) {
        if self.view != View::Overview {
            self.show(View::Overview);
            return;
        }
        let panels = self.panels(now);
        if panels.is_empty() {
            return;
        }
        let at = self.focus.and_then(|focus| panels.iter().position(|view| *view == focus));
        let next = match (at, by > 0) {
            (None, true) => 0,
            (None, false) => panels.len() - 1,
            (Some(at), _) => (at + panels.len()).saturating_add_signed(by) % panels.len(),
        };
        self.focus = Some(panels[next]);
    }

    pub(super) fn scroll_by(&mut self, by: isize) {
        self.scroll = self.scroll.saturating_add_signed(by);
        if self.view == View::Events && self.scroll > 0 && self.frozen.is_none() {
            // Who reads further down must not lose the line to a new event.
            self.frozen = self.status.as_ref().map(|status| status.events.clone());
        }
    }

    /// The view says how far it can be scrolled.
    pub fn bound_scroll(&mut self, most: usize) {
        self.scroll = self.scroll.min(most);
    }
}

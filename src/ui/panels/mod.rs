//! The panels, a file each. A panel reads the state and says what it shows; where and how much of it is drawn is the
//! layout's business ([`super::layout`]).

pub mod actions;
pub mod big;
pub mod differences;
pub mod events;
pub mod fencing;
pub mod forecast;
pub mod health;
pub mod help;
pub mod key_bar;
pub mod link;
pub mod members;
pub mod plan;
pub mod processes;
pub mod replies;
pub mod rows;
pub mod story;
pub mod to_do;
pub mod why;

use std::time::Duration;

use jiff::Zoned;

use crate::control::status::{AlarmClass, Judgement, Link};
use crate::control::words::{self as said, Clock, Mark};

use super::keys::View;
use super::line::{Glyph, Line, Role};
use super::state::State;

/// What a panel looks at: the state, at one moment, for one width.
#[derive(Debug, Clone)]
pub struct Sight<'a> {
    /// The screen's state.
    pub state: &'a State,
    /// The time on the screen's own clock.
    pub now: Duration,
    /// The time on the wall.
    pub wall: &'a Zoned,
    /// How many cells a line has.
    pub width: usize,
    /// Whether the terminal is wide enough for two columns: then panels tell more.
    pub wide: bool,
}

impl Sight<'_> {
    /// An age or duration of the status, as it is by now.
    pub fn aged(&self, ms: u64) -> u64 {
        let since = self.now.saturating_sub(self.state.status_at);
        ms.saturating_add(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// A time still to come, as it is by now.
    pub fn remaining(&self, ms: u64) -> u64 {
        let since = self.now.saturating_sub(self.state.status_at);
        ms.saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// For how long the status has lain.
    pub fn clock(&self) -> Clock {
        Clock(self.now.saturating_sub(self.state.status_at))
    }

    /// A value, or `?` while there is no news.
    pub fn value(&self, text: impl Into<String>) -> String {
        if self.state.no_news(self.now).is_some() { "?".to_owned() } else { text.into() }
    }
}

/// What a panel shows.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// At the left of its rule.
    pub left: Line,
    /// At the right of its rule.
    pub right: Line,
    /// Its lines.
    pub lines: Vec<Line>,
    /// On the overview it is shown with so many lines at least, or not at all.
    pub least: usize,
    /// On the overview it wants no more lines than this.
    pub most: usize,
}

impl Panel {
    fn new(left: impl AsRef<str>, right: impl AsRef<str>, lines: Vec<Line>) -> Panel {
        let most = lines.len();
        Panel { left: Line::of(left), right: Line::of(right), least: most.min(1), most, lines }
    }
}

/// A panel by its view; none for the overview itself and without a status.
pub fn panel(view: View, sight: &Sight<'_>) -> Option<Panel> {
    if view == View::Help {
        return Some(help::panel(sight.width));
    }
    let status = sight.state.status.as_ref()?;
    match view {
        View::Overview => None,
        View::ToDo => Some(to_do::panel(sight, status)),
        View::Forecast => Some(forecast::panel(sight, status)),
        View::Plan => Some(plan::shared(sight, status)),
        View::Link => Some(link::panel(sight, status)),
        View::Replies => Some(replies::panel(sight, status)),
        View::Events => Some(events::panel(sight, status)),
        View::Why => Some(why::panel(sight, status)),
        View::Health => Some(health::panel(sight, status)),
        View::Processes => Some(processes::panel(sight, status)),
        View::Output => Some(processes::output(sight, status)),
        View::Fencing => Some(fencing::panel(sight, status)),
        View::Members => Some(members::panel(sight, status)),
        View::Story => story::steps(sight, status),
        View::Both => story::both(sight, status),
        View::Differences => Some(differences::panel(sight, status)),
        View::Help => Some(help::panel(sight.width)),
    }
}

/// Whether an ALARM stands.
pub fn alarmed(sight: &Sight<'_>) -> bool {
    let alarms = sight.state.status.iter().flat_map(|status| &status.alarms);
    sight.state.no_news(sight.now).is_none() && alarms.into_iter().any(|alarm| alarm.class == AlarmClass::Alarm)
}

/// Whether a panel of the overview says nothing that somebody must see beside an ALARM.
pub fn is_calm(view: View, sight: &Sight<'_>) -> bool {
    let Some(status) = &sight.state.status else { return false };
    let two_act = status.judgement == Judgement::TwoAct;
    let is_up = |link: &Link| said::path(link, status.reply_timeout_ms) == said::PathStands::Up;
    match view {
        View::Replies => true,
        View::Health => status.health.total >= status.health.threshold,
        View::Processes => status.processes.iter().all(said::as_it_should_be),
        // Of two that act none takes over.
        View::Forecast => two_act,
        View::Link => two_act && status.links.iter().all(is_up),
        View::Overview
        | View::ToDo
        | View::Plan
        | View::Events
        | View::Why
        | View::Help
        | View::Output
        | View::Fencing
        | View::Members
        | View::Story
        | View::Both
        | View::Differences => false,
    }
}

/// A text behind a head, whole: what does not fit goes on below, under its beginning.
fn whole(head: Line, text: &str, width: usize) -> Vec<Line> {
    /// Less room behind the head than this is not worth it: then the text goes below.
    const LEAST: usize = 20;
    let column = head.width();
    let mut heads = std::iter::once(head);
    if width < column + text.len() && width < column + LEAST && width > LEAST {
        const BELOW: usize = 4;
        let below = wrap(text, width - BELOW).into_iter().map(|part| Line::new().to_column(BELOW).text(part));
        return heads.chain(below).collect();
    }
    let parts = wrap(text, width.saturating_sub(column)).into_iter();
    parts.map(|part| heads.next().unwrap_or_else(|| Line::new().to_column(column)).text(part)).collect()
}

/// Text in lines of a width, broken between words; a word that is too long is cut.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in super::line::escape(text).split(' ') {
        let mut word = word;
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > width {
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            let (head, tail) = word.split_at(width);
            lines.push(head.to_owned());
            word = tail;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// `ok` or `NO` at the head of a line.
fn verdict(sight: &Sight<'_>, ok: bool) -> Line {
    let (word, role) = match (sight.state.no_news(sight.now), ok) {
        (Some(_), _) => ("??", Role::Doubtful),
        (None, true) => ("ok", Role::Plain),
        (None, false) => ("NO", Role::Wrong),
    };
    Line::of("  ").word(word, role).text("  ")
}

/// The shape of a state, as a glyph.
fn mark(mark: Mark) -> Line {
    match mark {
        Mark::Acts => Line::new().glyph(Glyph::Acts),
        Mark::StandsBy => Line::new().glyph(Glyph::StandsBy),
        Mark::Unknown => Line::of("?"),
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn long_text_is_broken_between_words_and_long_words_are_cut() {
        assert_eq!(wrap("stop, fence or restart", 12), ["stop, fence", "or restart"]);
        assert_eq!(wrap("0123456789abcdef", 10), ["0123456789", "abcdef"]);
        assert_eq!(wrap("", 10), [""]);
    }
}

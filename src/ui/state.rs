//! What the screen knows, and its moves. Pure: keys, replies and the time go in, [`Effects`] come out; the driver
//! carries them out and the views only read.

use std::time::Duration;

use crate::control::request::{Hello, Request, Screen};
use crate::control::status::{Event, Status};

use super::dialog::{Answer, Dialog, HAND, OpenPlan};
use super::faults::FaultState;
use super::history::History;
use super::input::{Input, Key};
use super::keys::{Command, Fault, View, command_for};
use super::line::{Line, Look};
use super::options::Connection;
use super::reading::Part;
use super::replay::{Move, Place};

mod hand;
mod news;
mod panels;

/// Without news for so long, nothing on the screen is true any more.
pub const NO_NEWS: Duration = Duration::from_secs(3);
/// Without news for so long, the engine is asked.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// How long a remark stands.
const REMARK_STANDS: Duration = Duration::from_secs(6);
/// How long an outcome stands.
const OUTCOME_STANDS: Duration = Duration::from_secs(60);

/// What the driver is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Requests for the engine.
    pub requests: Vec<Request>,
    /// A fault for the demo.
    pub fault: Option<(Fault, usize)>,
    /// Where a replay is to go.
    pub moved: Option<Move>,
    /// One of the things that only the driver can do.
    pub driver: Option<DriverWish>,
    /// Whether a bell is due: a new alarm.
    pub bell: bool,
}

/// What of a dialog is in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFrame {
    serial: u64,
    part: Option<Part>,
}

/// What only the driver can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverWish {
    /// Leave the screen.
    Leave,
    /// Give the terminal back for a while.
    Suspend,
    /// Print the view as plain text.
    Copy,
    /// Draw every cell again.
    Redraw,
}

/// A line above the key bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What it says.
    pub line: Line,
    at: Duration,
    stands: Duration,
}

/// A plan that was confirmed and whose outcome has not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub plan: u32,
    /// When it was sent.
    pub at: Duration,
    /// What the engine said of it while it did not know yet.
    pub said: Option<String>,
}

/// Whether this screen may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayAct {
    /// As far as the engine lets its user.
    AsAllowed,
    /// It asked not to.
    Never,
}

/// The state of a screen.
#[derive(Debug, Clone)]
pub struct State {
    /// Palette and glyphs.
    pub look: Look,
    /// Whether this screen may act.
    pub may_act: MayAct,
    /// Who answers.
    pub hello: Option<Hello>,
    /// The last status.
    pub status: Option<Status>,
    /// When it came.
    pub status_at: Duration,
    /// What the middle shows.
    pub view: View,
    /// The panel in hand on the overview.
    pub focus: Option<View>,
    /// The first line that a view shows.
    pub scroll: usize,
    /// What is open over the panels.
    pub dialog: Dialog,
    /// How the connection to the controller stands.
    pub connection: Connection,
    /// The process that was chosen, by name.
    pub chosen: Option<String>,
    /// The demo's faults.
    pub faults: Option<FaultState>,
    /// Where a replay is; none: this is none.
    pub replay: Option<Place>,
    /// The line above the key bar.
    pub remark: Option<Remark>,
    /// Only events that hold this are shown.
    pub find: Option<String>,
    /// The events as they were when they were held still.
    pub frozen: Option<Vec<Event>>,
    /// A plan that was confirmed and whose outcome has not come.
    pub sent: Option<Sent>,
    /// Round trips as this screen saw them.
    pub history: History,
    /// Counts the dialogs, so that a frame can tell which it showed.
    serial: u64,
    /// The dialog that a frame has shown.
    shown: u64,
    /// When the engine last said anything.
    heard_at: Duration,
    asked_at: Duration,
    last_text: Option<(Key, Duration)>,
    /// Alarms that rang.
    rung: Vec<String>,
}

impl State {
    /// A screen that has just been opened.
    pub fn new(look: Look, may_act: MayAct, faults: Option<FaultState>) -> State {
        State {
            look,
            may_act,
            hello: None,
            status: None,
            status_at: Duration::ZERO,
            view: View::Overview,
            focus: None,
            scroll: 0,
            dialog: Dialog::None,
            connection: Connection::Open,
            chosen: None,
            faults,
            replay: None,
            remark: None,
            find: None,
            frozen: None,
            sent: None,
            history: History::default(),
            serial: 0,
            shown: 0,
            heard_at: Duration::ZERO,
            asked_at: Duration::ZERO,
            last_text: None,
            rung: Vec::new(),
        }
    }

    /// What kind of screen it is.
    pub fn kind(&self) -> Screen {
        match self.may_act {
            MayAct::AsAllowed => Screen::Operating,
            MayAct::Never => Screen::ReadOnly,
        }
    }

    /// For how long the engine has said nothing, once that is long enough to doubt everything.
    pub fn no_news(&self, now: Duration) -> Option<Duration> {
        let silent = now.saturating_sub(self.heard_at);
        (silent >= NO_NEWS).then_some(silent)
    }

    /// Whether an alarm stands that nobody has marked as seen.
    pub fn unseen_alarm(&self) -> bool {
        self.status.iter().flat_map(|status| &status.alarms).any(|alarm| alarm.seen.is_none())
    }

    /// Whether an ALARM stands.
    pub fn alarm_stands(&self) -> bool {
        !self.rung.is_empty()
    }

    /// Whether this screen's user may act; else why not.
    pub fn may_operate(&self) -> Result<(), &'static str> {
        match (self.may_act, &self.hello) {
            (MayAct::Never, _) => Err("this screen is read-only: nothing can be done from here"),
            (MayAct::AsAllowed, Some(hello)) if !hello.may_operate => {
                Err("you may watch, not act: the socket's group and mode decide who may")
            }
            (MayAct::AsAllowed, _) => Ok(()),
        }
    }

    /// Which dialog a frame drawn now shows, and what of a plan; given back to [`State::frame_left`] once it has left.
    pub fn in_frame(&self, part: Option<Part>) -> InFrame {
        InFrame { serial: self.serial, part }
    }

    /// A frame has left for the terminal: from now on its dialog hears, and what it shows of a plan may be read.
    pub fn frame_left(&mut self, frame: InFrame) {
        self.shown = frame.serial;
        if let (Dialog::Plan(open), Some(part), true) = (&mut self.dialog, frame.part, self.shown == self.serial)
            && open.reading.shown(part)
        {
            // It was about the screen as it was.
            open.hint = None;
        }
    }

    /// Something came from the terminal.
    pub fn on_input(&mut self, input: Input, now: Duration) -> Effects {
        match input {
            Input::Key(key) => self.on_key(key, now),
            // A text to find may be pasted; it commands nothing.
            Input::Paste if matches!(self.dialog, Dialog::Find(_)) => Effects::default(),
            Input::Paste => self.pasted(now),
            Input::Pasted(letter) => {
                if matches!(self.dialog, Dialog::Find(_)) && self.shown == self.serial {
                    self.dialog.on_key(Key::Char(letter));
                }
                Effects::default()
            }
        }
    }

    /// A key.
    pub fn on_key(&mut self, key: Key, now: Duration) -> Effects {
        if key.is_text() {
            let before = self.last_text.replace((key, now));
            let pasted = before.is_some_and(|(last, at)| {
                now.saturating_sub(at) < HAND && (last != key || self.dialog != Dialog::None)
            });
            if pasted && !matches!(self.dialog, Dialog::Find(_)) {
                return self.pasted(now);
            }
        }
        if self.dialog != Dialog::None && self.shown != self.serial {
            // Type-ahead: whoever typed this has not seen what it would answer.
            return Effects::default();
        }
        match (key, &self.dialog) {
            (Key::Ctrl('z' | 'l' | 't'), _) | (_, Dialog::None) => self.on_command(key, now),
            (_, _) => {
                let answer = self.dialog.on_key(key);
                self.on_answer(answer, now)
            }
        }
    }

    fn pasted(&mut self, now: Duration) -> Effects {
        let answer = self.dialog.on_paste();
        let effects = self.on_answer(answer, now);
        self.remark(Line::of("pasted text is never a command: nothing was done"), now, REMARK_STANDS);
        effects
    }

    fn on_answer(&mut self, answer: Answer, now: Duration) -> Effects {
        let mut effects = Effects::default();
        match answer {
            Answer::Stays => {}
            Answer::Closed => self.changed_dialog(),
            Answer::Wish(wish) => return self.wish(wish, now),
            Answer::Open(action) => {
                effects.requests.push(Request::Open { action: action.clone() });
                self.open(Dialog::Asked(action));
            }
            Answer::Confirm { plan, force } => {
                effects.requests.push(Request::Confirm { plan, force });
                self.changed_dialog();
                self.sent = Some(Sent { plan, at: now, said: None });
            }
            Answer::Abandon(plan) => {
                effects.requests.push(Request::Abandon { plan });
                self.changed_dialog();
                self.remark(Line::of(format!("plan {plan} is closed: nothing was done")), now, REMARK_STANDS);
            }
            Answer::LookedAway(plan) => {
                self.changed_dialog();
                let text = format!("plan {plan} stays open: nothing was done; a shows it again");
                self.remark(Line::of(text), now, REMARK_STANDS);
            }
            Answer::Fault(fault) => {
                self.changed_dialog();
                if let Some(faults) = &mut self.faults {
                    faults.inflict(fault);
                    effects.fault = Some((fault, faults.target));
                }
            }
            Answer::Found(text) => {
                self.changed_dialog();
                self.find = Some(text).filter(|text| !text.is_empty());
                self.scroll = 0;
            }
            Answer::Target(target) => {
                if let Some(faults) = &mut self.faults
                    && target < faults.members.len()
                {
                    faults.target = target;
                }
            }
        }
        effects
    }

    fn on_command(&mut self, key: Key, now: Duration) -> Effects {
        let mut effects = Effects::default();
        let Some(command) = command_for(key) else {
            self.unknown_key(key, now);
            return effects;
        };
        if self.remark.as_ref().is_some_and(|remark| remark.stands == REMARK_STANDS) {
            self.remark = None;
        }
        match command {
            Command::Show(view) => self.show(view),
            Command::NextPanel => self.step(1, now),
            Command::PreviousPanel => self.step(-1, now),
            Command::Find => {
                self.show(View::Events);
                self.open(Dialog::Find(String::new()));
            }
            Command::Freeze => self.freeze_or_thaw(now),
            Command::Down => self.step_or_scroll(1, now),
            Command::Up => self.step_or_scroll(-1, now),
            Command::PageDown => self.scroll_by(10),
            Command::PageUp => self.scroll_by(-10),
            Command::First => self.scroll_by(isize::MIN),
            Command::Last => self.scroll_by(isize::MAX),
            Command::Zoom => match (self.view, self.focus) {
                (View::Overview, Some(view)) => self.show(view),
                (View::Processes, _) if self.process_in_hand().is_some() => self.show(View::Output),
                _ => {}
            },
            Command::Back => self.show(State::behind(self.view)),
            Command::Copy => effects.driver = Some(DriverWish::Copy),
            Command::Seen => {
                if self.unseen_alarm() {
                    match self.may_operate() {
                        Ok(()) => effects.requests.push(Request::Seen),
                        Err(why) => self.remark(Line::of(why), now, REMARK_STANDS),
                    }
                } else {
                    self.remark(Line::of("no alarm waits to be seen"), now, REMARK_STANDS);
                }
            }
            Command::Act => match self.may_operate() {
                Ok(()) if self.no_news(now).is_some() => {
                    self.remark(Line::of("no news from the controller: nothing can be done now"), now, REMARK_STANDS);
                }
                // There is one plan at a time: before anything else, that one is confirmed or left, from any screen.
                Ok(()) => match self.status.as_ref().and_then(|status| status.plan.clone()) {
                    Some(plan) => {
                        let open = OpenPlan::of_another(plan, self.status_at);
                        self.open(Dialog::Plan(Box::new(open)));
                    }
                    None => self.open(Dialog::Actions),
                },
                Err(why) => self.remark(Line::of(why), now, REMARK_STANDS),
            },
            Command::Faults => match self.faults {
                Some(_) => self.open(Dialog::Faults),
                None => self.remark(Line::of("f does something in the demo only: tandem demo"), now, REMARK_STANDS),
            },
            Command::Move(to) => match self.replay {
                Some(_) => effects.moved = Some(to),
                None => self.remark(Line::of("that key moves a replay: tandem replay FILE"), now, REMARK_STANDS),
            },
            Command::Leave => effects.driver = Some(DriverWish::Leave),
            Command::Interrupt => {
                let runs_on = match (&self.faults, &self.replay) {
                    (Some(_), _) => "the demo ends",
                    (None, Some(_)) => "nothing else ends",
                    (None, None) => "the controller runs on",
                };
                self.remark(Line::of(format!("q leaves the screen; {runs_on}")), now, REMARK_STANDS);
            }
            Command::Suspend => effects.driver = Some(DriverWish::Suspend),
            Command::Redraw => effects.driver = Some(DriverWish::Redraw),
            Command::Charset => {
                self.look.charset = self.look.charset.other();
                effects.driver = Some(DriverWish::Redraw);
            }
        }
        effects
    }

    fn unknown_key(&mut self, key: Key, now: Duration) {
        let line = match key {
            Key::Char(character) if !character.is_ascii() => {
                Line::new().typed(character).text(" does nothing here: keyboard layout?")
            }
            Key::Char(character) => Line::new().typed(character).text(" does nothing here: ? shows every key"),
            _ => Line::of("that key does nothing here: ? shows every key"),
        };
        self.remark(line, now, REMARK_STANDS);
    }

    fn open(&mut self, dialog: Dialog) {
        self.remark = None;
        self.dialog = dialog;
        self.changed_dialog();
    }

    fn changed_dialog(&mut self) {
        self.serial += 1;
    }

    fn remark(&mut self, line: Line, now: Duration, stands: Duration) {
        self.remark = Some(Remark { line, at: now, stands });
    }
}

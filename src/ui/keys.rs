//! The one table of keys. Dispatch, help and the key bar all come from it, so that none of them can lie (U8).
//!
//! Letters ignore case. No dangerous letter stands outside the action menu, and there every letter only opens a plan.

use crate::control::plan::Action;

use super::input::Key;
use super::replay::Move;

/// What the middle of the screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All panels, as room allows.
    Overview,
    /// What to do about the alarms.
    ToDo,
    /// If the other fails now.
    Forecast,
    /// A plan that is open on another screen.
    Plan,
    /// Every path.
    Link,
    /// What the other tells us to be.
    Replies,
    /// The journal's latest.
    Events,
    /// Why the mode is what it is.
    Why,
    /// Every key.
    Help,
    /// What the Total Health Score is made of.
    Health,
    /// The required processes.
    Processes,
    /// What the process in hand wrote last.
    Output,
    /// How the other members are switched off.
    Fencing,
    /// Every member, in a group of three and more.
    Members,
    /// How it came to two that act, or acted.
    Story,
    /// What each of the two did meanwhile.
    Both,
    /// Where the members differ.
    Differences,
}

/// What a key does outside a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Opens a view.
    Show(View),
    /// To the next panel.
    NextPanel,
    /// To the panel before.
    PreviousPanel,
    /// A line, or a panel, down.
    Down,
    /// A line, or a panel, up.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// The panel in hand on the whole screen.
    Zoom,
    /// Back to the overview.
    Back,
    /// Shows only the events that hold a text.
    Find,
    /// Holds the events still, and lets them go.
    Freeze,
    /// Prints the view as plain text.
    Copy,
    /// Marks the alarms as seen.
    Seen,
    /// Opens the actions.
    Act,
    /// Opens the demo's faults.
    Faults,
    /// Moves a replay.
    Move(Move),
    /// Leaves the screen.
    Leave,
    /// Says how to leave.
    Interrupt,
    /// Gives the terminal back for a while.
    Suspend,
    /// Draws everything again.
    Redraw,
    /// UTF-8 or ASCII.
    Charset,
}

/// Where a key stands on the key bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// It is in help only.
    No,
    /// Always.
    Always(&'static str),
    /// On the overview.
    Overview(&'static str),
    /// On the overview, while an alarm waits to be seen.
    Alarmed(&'static str),
    /// On the overview, while no alarm waits to be seen.
    Calm(&'static str),
    /// In every other view.
    Inside(&'static str),
    /// Where the events are.
    AtEvents(&'static str),
    /// While an alarm stands that nobody has seen.
    WithAlarm(&'static str),
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The keys that do it.
    pub keys: &'static [Key],
    /// How the keys are written.
    pub shown: &'static str,
    /// What it does.
    pub command: Command,
    /// What help says.
    pub help: &'static str,
    /// What the key bar says.
    pub bar: Bar,
}

/// Every key outside a dialog, in the order of help and of the key bar.
pub const BINDINGS: &[Binding] = &[
    key(&[Key::Char('?')], "?", Command::Show(View::Help), "this help", Bar::Always("help")),
    key(
        &[Key::Char('w'), Key::Char('6')],
        "w",
        Command::Show(View::Why),
        "why the mode is what it is",
        Bar::Overview("why"),
    ),
    key(&[Key::Char('/')], "/", Command::Find, "find: only the events that hold a text", Bar::Always("find")),
    key(
        &[Key::Char('d'), Key::Char('7')],
        "d",
        Command::Show(View::Differences),
        "differences between the members, and what both did when two acted",
        Bar::Alarmed("differences"),
    ),
    key(&[Key::Char('1')], "1", Command::Show(View::Overview), "overview", Bar::No),
    key(&[Key::Char('2')], "2", Command::Show(View::Link), "link: every path", Bar::No),
    key(&[Key::Char('3')], "3", Command::Show(View::Replies), "what the other tells this member to be", Bar::No),
    key(&[Key::Char('4')], "4", Command::Show(View::Events), "events", Bar::No),
    key(&[Key::Char('5')], "5", Command::Show(View::Members), "members of the group", Bar::No),
    key(&[Key::Char('8')], "8", Command::Show(View::Health), "health: what the score is made of", Bar::No),
    key(
        &[Key::Char('9')],
        "9",
        Command::Show(View::Processes),
        "processes: Up and Down choose one, Enter shows its output",
        Bar::No,
    ),
    key(&[Key::Tab, Key::Right], "Tab", Command::NextPanel, "next panel (also Right)", Bar::Calm("panel")),
    key(&[Key::BackTab], "Shift-Tab", Command::PreviousPanel, "panel before", Bar::No),
    key(&[Key::Down, Key::Char('j')], "Down j", Command::Down, "down a panel, or a line", Bar::No),
    key(&[Key::Up, Key::Char('k')], "Up k", Command::Up, "up a panel, or a line", Bar::No),
    key(&[Key::PageDown], "PgDn", Command::PageDown, "a page down", Bar::No),
    key(&[Key::PageUp], "PgUp", Command::PageUp, "a page up", Bar::No),
    key(&[Key::Char(' ')], "Space", Command::Freeze, "hold the events still, or let them go", Bar::AtEvents("still")),
    key(&[Key::Home], "Home", Command::First, "to the first line", Bar::No),
    key(&[Key::End], "End", Command::Last, "to the last line", Bar::No),
    key(&[Key::Enter], "Enter", Command::Zoom, "the panel in hand on the whole screen", Bar::Calm("zoom")),
    key(
        &[Key::Esc, Key::Backspace, Key::Left],
        "Esc",
        Command::Back,
        "back (also Backspace, Left)",
        Bar::Inside("back"),
    ),
    key(&[Key::Char('s')], "s", Command::Seen, "mark the alarms as seen, for everybody", Bar::WithAlarm("seen")),
    key(&[Key::Char('c')], "c", Command::Copy, "print this view as plain text, for a ticket", Bar::Always("copy")),
    key(&[Key::Char('a')], "a", Command::Act, "act: each action shows its plan first", Bar::No),
    key(&[Key::Char('f')], "f", Command::Faults, "faults to play with (in the demo)", Bar::No),
    key(&[Key::Char('n')], "n", Command::Move(Move::NextDecision), "next decision (in a replay)", Bar::No),
    key(&[Key::Char('p')], "p", Command::Move(Move::DecisionBefore), "decision before (in a replay)", Bar::No),
    key(&[Key::Char('.')], ".", Command::Move(Move::NextInput), "one input on (in a replay)", Bar::No),
    key(&[Key::Char(',')], ",", Command::Move(Move::InputBefore), "one input back (in a replay)", Bar::No),
    key(&[Key::Char('<')], "<", Command::Move(Move::First), "to the beginning (in a replay)", Bar::No),
    key(&[Key::Char('>')], ">", Command::Move(Move::Last), "to the end (in a replay)", Bar::No),
    key(&[Key::Ctrl('t')], "Ctrl-T", Command::Charset, "UTF-8 or ASCII", Bar::No),
    key(&[Key::Ctrl('l')], "Ctrl-L", Command::Redraw, "draw everything again", Bar::No),
    key(&[Key::Ctrl('z')], "Ctrl-Z", Command::Suspend, "suspend the screen; the controller runs on", Bar::No),
    key(&[Key::Ctrl('c')], "Ctrl-C", Command::Interrupt, "cancel a plan, else say how to leave", Bar::No),
    key(&[Key::Char('q')], "q", Command::Leave, "leave the screen; the controller runs on", Bar::No),
];

const fn key(keys: &'static [Key], shown: &'static str, command: Command, help: &'static str, bar: Bar) -> Binding {
    Binding { keys, shown, command, help, bar }
}

/// What a key does outside a dialog.
pub fn command_for(key: Key) -> Option<Command> {
    let key = lower(key);
    BINDINGS.iter().find(|binding| binding.keys.contains(&key)).map(|binding| binding.command)
}

/// The key with its letter in lower case.
pub fn lower(key: Key) -> Key {
    match key {
        Key::Char(character) => Key::Char(character.to_ascii_lowercase()),
        other => other,
    }
}

/// What a letter of the action menu is for. Whom or which it is about, the screen knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// This member becomes Primary.
    TakeOver,
    /// This member becomes Secondary.
    StepDown,
    /// No automatic takeovers for a while.
    Hold,
    /// They go again.
    Resume,
    /// This controller stops.
    Shutdown,
    /// Another member is switched off.
    Fence,
    /// Another member is off, by the operator's word.
    IsOff,
    /// The process in hand is restarted.
    Restart,
    /// It is stopped.
    Stop,
    /// It is started.
    Start,
}

/// What an action is about, beside this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Nothing else.
    ThisMember,
    /// Another member.
    Member,
    /// A required process.
    Process,
}

impl Wish {
    /// What it is about.
    pub fn about(self) -> About {
        match self {
            Wish::TakeOver | Wish::StepDown | Wish::Hold | Wish::Resume | Wish::Shutdown => About::ThisMember,
            Wish::Fence | Wish::IsOff => About::Member,
            Wish::Restart | Wish::Stop | Wish::Start => About::Process,
        }
    }

    /// The action, about the member or process `name` where it is about one.
    pub fn action(self, name: String) -> Action {
        match self {
            Wish::TakeOver => Action::TakeOver,
            Wish::StepDown => Action::StepDown,
            Wish::Hold => Action::Hold { for_ms: HOLD_MS },
            Wish::Resume => Action::Resume,
            Wish::Shutdown => Action::Shutdown,
            Wish::Fence => Action::Fence { peer: name },
            Wish::IsOff => Action::IsOff { peer: name },
            Wish::Restart => Action::RestartProcess { name },
            Wish::Stop => Action::StopProcess { name },
            Wish::Start => Action::StartProcess { name },
        }
    }
}

/// A letter of the action menu.
#[derive(Debug, Clone, Copy)]
pub struct ActionKey {
    /// The letter.
    pub letter: char,
    /// In the key bar.
    pub short: &'static str,
    /// In the menu.
    pub help: &'static str,
    /// What it opens a plan for.
    pub wish: Wish,
}

/// For how long the menu's hold lasts, in milliseconds; the command line takes any time.
pub const HOLD_MS: u64 = 30 * 60 * 1000;

/// Every action, in the order of the menu.
pub const ACTIONS: &[ActionKey] = &[
    act('t', "take over", "take over: this member becomes Primary", Wish::TakeOver),
    act('s', "step down", "step down: this member becomes Secondary, the other takes over", Wish::StepDown),
    act('h', "hold", "hold: no automatic takeovers in the group for 30 min", Wish::Hold),
    act('r', "resume", "resume: automatic takeovers go again", Wish::Resume),
    act('f', "fence", "fence: have another member switched off", Wish::Fence),
    act('o', "is off", "is off, I looked: your word that another member is off", Wish::IsOff),
    act('p', "restart", "process: restart the one in hand", Wish::Restart),
    act('d', "stop it", "down: stop the process in hand", Wish::Stop),
    act('u', "start it", "up: start the process in hand", Wish::Start),
    act('x', "stop", "stop this controller: it hands over first", Wish::Shutdown),
];

const fn act(letter: char, short: &'static str, help: &'static str, wish: Wish) -> ActionKey {
    ActionKey { letter, short, help, wish }
}

/// What the demo can do to the other members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody reaches the arbiter.
    ArbiterAway,
    /// It answers again.
    ArbiterBack,
    /// Its process is killed.
    Crash,
    /// Its process is stopped, as if its machine hung.
    Freeze,
    /// It goes on.
    Thaw,
    /// It starts anew.
    Restart,
    /// Its cable to the others is cut.
    Cut,
    /// Its cable is slow.
    Slow,
    /// Its cable is whole again.
    Mend,
    /// One of its required processes is killed, once.
    KillProcess,
    /// One of them is kept dead: each restart fails.
    KeepDead,
    /// They answer their heartbeats late.
    Lag,
    /// One of them takes more and more memory.
    Leak,
    /// Its required processes are well again.
    Heal,
}

/// A letter of the demo's fault menu.
#[derive(Debug, Clone, Copy)]
pub struct FaultKey {
    /// The letter.
    pub letter: char,
    /// In the menu.
    pub help: &'static str,
    /// What it does.
    pub fault: Fault,
}

impl FaultKey {
    /// What it does in a word: what stands before the colon of its help.
    pub fn short(&self) -> &'static str {
        self.help.split_once(':').map_or(self.help, |(short, _)| short)
    }
}

/// Every fault, in the order of the menu.
pub const FAULTS: &[FaultKey] = &[
    FaultKey { letter: 'c', help: "crash: its process is killed", fault: Fault::Crash },
    FaultKey { letter: 'z', help: "freeze: its process is stopped, as if its machine hung", fault: Fault::Freeze },
    FaultKey { letter: 't', help: "thaw: a frozen one goes on", fault: Fault::Thaw },
    FaultKey { letter: 'r', help: "restart: it starts anew", fault: Fault::Restart },
    FaultKey { letter: 'l', help: "link: its cable to the others is cut", fault: Fault::Cut },
    FaultKey { letter: 's', help: "slow: its cable takes 150 ms more each way", fault: Fault::Slow },
    FaultKey { letter: 'm', help: "mend: its cable is whole again", fault: Fault::Mend },
    FaultKey { letter: 'k', help: "kill: one of its required processes is killed", fault: Fault::KillProcess },
    FaultKey { letter: 'd', help: "dead: one of them is kept dead", fault: Fault::KeepDead },
    FaultKey { letter: 'g', help: "lag: they answer their heartbeats late", fault: Fault::Lag },
    FaultKey { letter: 'e', help: "leak: one of them takes more and more memory", fault: Fault::Leak },
    FaultKey { letter: 'a', help: "arbiter: nobody reaches it (with --protection arbiter)", fault: Fault::ArbiterAway },
    FaultKey { letter: 'b', help: "back: the arbiter answers again", fault: Fault::ArbiterBack },
    FaultKey { letter: 'h', help: "heal: its processes are well again", fault: Fault::Heal },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn u8_no_two_bindings_share_a_key_and_letters_are_lower_case() {
        let mut seen = HashSet::new();
        for key in BINDINGS.iter().flat_map(|binding| binding.keys) {
            assert_eq!(lower(*key), *key);
            assert!(seen.insert(format!("{key:?}")), "{key:?} twice");
        }
        let letters: HashSet<char> = ACTIONS.iter().map(|action| action.letter).collect();
        assert_eq!(letters.len(), ACTIONS.len());
        assert!(letters.iter().all(char::is_ascii_lowercase));
    }

    #[test]
    fn u8_letters_ignore_case() {
        for letter in 'a'..='z' {
            assert_eq!(command_for(Key::Char(letter)), command_for(Key::Char(letter.to_ascii_uppercase())));
        }
    }
}

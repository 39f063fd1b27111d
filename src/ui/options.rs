//! What a screen is told when it is opened, and what it says when it ends.

use tokio::sync::watch;

use super::faults::FaultPanel;
use super::line::Theme;
use super::replay::ReplayPanel;

/// How a screen is to be.
#[derive(Debug)]
pub struct ScreenOptions {
    /// The palette; NO_COLOR makes it [`Theme::Mono`].
    pub theme: Theme,
    /// ASCII or UTF-8; none: by the locale and TERM.
    pub ascii: Option<bool>,
    /// Whether a new alarm rings.
    pub bell: bool,
    /// At most so many frames a second; 0 counts as 1.
    pub max_draws_per_second: u32,
    /// Nothing can be acted on from here.
    pub read_only: bool,
    /// The demo's faults.
    pub faults: Option<FaultPanel>,
    /// Where a replay is, and how to move it.
    pub replay: Option<ReplayPanel>,
    /// How the connection to the controller stands, where there is one that can break.
    pub connection: Option<watch::Receiver<Connection>>,
}

/// Whether the controller's socket is open: one that is open and silent is frozen, one that is closed is gone or
/// restarting, and a person does something else about each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Connection {
    /// It is, or it was never lost.
    #[default]
    Open,
    /// It closed; it is tried again and again.
    Closed,
}

impl Default for ScreenOptions {
    fn default() -> ScreenOptions {
        ScreenOptions {
            theme: Theme::Default,
            ascii: None,
            bell: true,
            max_draws_per_second: 10,
            read_only: false,
            faults: None,
            replay: None,
            connection: None,
        }
    }
}

/// Why the screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The user left it; the engine goes on.
    Asked,
    /// The terminal is gone (hang-up, closed window, lost line); the engine goes on.
    TerminalLost,
    /// The engine closed its end.
    EngineGone,
    /// A signal asked this process to end, and the engine is not in it.
    Told,
}

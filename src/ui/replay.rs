//! A replay, as the screen sees it: where in the recording it is, and how to ask for another place (U5).
//!
//! The screen is the same as that of a running controller; only its time is that of the recording, nothing can be acted
//! on, and these keys move.

use jiff::{Timestamp, Zoned};
use tokio::sync::{mpsc, watch};

use super::line::{Line, Role};
use super::state::State;

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// To the next thing that was decided or told.
    NextDecision,
    /// To the one before.
    DecisionBefore,
    /// One input on.
    NextInput,
    /// One input back.
    InputBefore,
    /// To the beginning.
    First,
    /// To the end.
    Last,
}

/// The replay's end of the screen.
#[derive(Debug)]
pub struct ReplayPanel {
    /// Where to go.
    pub orders: mpsc::Sender<Move>,
    /// Where it is.
    pub place: watch::Receiver<Place>,
}

/// Where a replay is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The place and its time: a line.
    pub at: String,
    /// What was decided here, and whether it is the same: a line.
    pub here: String,
    /// Whether it must not be so.
    pub wrong: bool,
}

impl Place {
    /// The two lines above the keys, the lower first.
    pub fn lines(&self, width: usize) -> Vec<Line> {
        let role = if self.wrong { Role::Wrong } else { Role::Strong };
        [Line::of(" ").word(&self.here, role), Line::of(" ").word(&self.at, Role::Strong)]
            .map(|line| line.fitted(width))
            .to_vec()
    }
}

impl State {
    /// The time by which everything is shown: in a replay that of the recording.
    pub fn wall(&self) -> Zoned {
        let now = Zoned::now();
        let recorded = self.replay.as_ref().and(self.status.as_ref()).map(|status| status.time.parse::<Timestamp>());
        match recorded {
            Some(Ok(time)) => time.to_zoned(now.time_zone().clone()),
            Some(Err(_)) | None => now,
        }
    }
}

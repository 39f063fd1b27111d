//! The demo's faults, as the screen sees them: whom they can hit, where to send them, and the line that teaches.
//!
//! The screen does nothing to a process itself; the demo does, and tells what came of it.

use tokio::sync::mpsc;

use crate::control::status::Mode;

use super::keys::Fault;

/// The demo's end of the screen.
#[derive(Debug)]
pub struct FaultPanel {
    /// The other members, by name.
    pub members: Vec<String>,
    /// A fault for a member, by its place in `members`.
    pub orders: mpsc::Sender<(Fault, usize)>,
    /// What came of it, as a sentence without a full stop.
    pub news: mpsc::Receiver<String>,
}

/// What the screen remembers of it.
#[derive(Debug, Clone, Default)]
pub struct FaultState {
    /// The other members, by name.
    pub members: Vec<String>,
    /// The one the next fault hits.
    pub target: usize,
    /// The last fault and its member.
    pub last: Option<(Fault, usize)>,
    /// What came of it.
    pub happened: Option<String>,
}

impl FaultState {
    /// The one that the next fault hits.
    pub fn target_name(&self) -> &str {
        self.members.get(self.target).map_or("?", String::as_str)
    }

    /// What happened and what to try next, from what this member does.
    pub fn hint(&self, mode: Option<Mode>) -> String {
        let name = self.last.and_then(|(_, at)| self.members.get(at)).map_or(self.target_name(), String::as_str);
        let next = match (self.last.map(|(fault, _)| fault), mode) {
            (None, Some(Mode::Primary)) => format!("a, then s, then the plan's number and Enter: {name} takes over"),
            (None, Some(Mode::Secondary) | None) => format!("f, then c: {name} crashes; watch rows 1 to 3"),
            (Some(Fault::Crash), _) => format!("f, then r: {name} starts anew and asks what to be"),
            (Some(Fault::Freeze), _) => "wait until its silence counts; then f, then t".to_owned(),
            (Some(Fault::Thaw | Fault::Restart), Some(Mode::Primary)) => {
                format!("a, then s: give the role to {name}; w says why")
            }
            (Some(Fault::Thaw | Fault::Restart), Some(Mode::Secondary) | None) => {
                format!("f, then z: {name} freezes; w says why")
            }
        };
        match &self.happened {
            Some(happened) => format!("{happened}. Next: {next}"),
            None => format!("Try: {next}"),
        }
    }
}

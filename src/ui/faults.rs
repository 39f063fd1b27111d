//! The demo's faults, as the screen sees them: whom they can hit, where to send them, and the line that teaches.
//!
//! The screen does nothing to a process itself; the demo does, and tells what came of it.

use tokio::sync::mpsc;

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

    /// What happened and what to try next.
    pub fn hint(&self) -> String {
        let name = self.last.and_then(|(_, at)| self.members.get(at)).map_or(self.target_name(), String::as_str);
        let next = match self.last.map(|(fault, _)| fault) {
            None => format!("press f, then c: {name} crashes; watch rows 1 to 3"),
            Some(Fault::Crash) => format!("press f, then r: {name} starts anew and asks what to be"),
            Some(Fault::Freeze) => format!("wait 3 s for the silence to count, then press f, then t: {name} goes on"),
            Some(Fault::Thaw) => "press a, then t or s: move the role by hand, with a plan".to_owned(),
            Some(Fault::Restart) => format!("press f, then z: {name} freezes; w says why at any time"),
        };
        match &self.happened {
            Some(happened) => format!("{happened}. Next: {next}"),
            None => format!("Try: {next}"),
        }
    }
}

//! What members say of themselves in a run, each with its time: what a rehearsal tells its story from. The words are the
//! negotiation's own; nothing is composed here.

use super::world::World;
use crate::negotiation::decision::Decision;
use crate::negotiation::event::Event;
use crate::negotiation::exchange::{CommandOutcome, Output};
use crate::negotiation::member::MemberId;

/// One thing that a member said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// Virtual time, nanoseconds.
    pub at: u64,
    pub member: MemberId,
    pub what: Saying,
}

/// What it said.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Saying {
    /// Its mode is another.
    Changed(Decision),
    /// Something for the journal.
    Event(Event),
    /// What an operator's command came to.
    Command(CommandOutcome),
    /// Its controller has ended, as it was told to.
    Ended,
}

impl Told {
    /// What there is to tell of an output; none: it is the machine's own business.
    pub fn of(at: u64, member: usize, output: &Output) -> Option<Told> {
        let what = match output {
            Output::ModeChanged(decision) => Saying::Changed(decision.clone()),
            Output::Event(event) => Saying::Event(event.clone()),
            Output::CommandDone(outcome) => Saying::Command(outcome.clone()),
            Output::Stopped => Saying::Ended,
            Output::Send { .. }
            | Output::Write { .. }
            | Output::TakingOver(_)
            | Output::StopServing { .. }
            | Output::Fence { .. }
            | Output::AskArbiter { .. }
            | Output::AskReference { .. } => return None,
        };
        // A group has at most sixteen members.
        Some(Told { at, member: MemberId(member as u8), what })
    }
}

impl World {
    /// Keeps what members say from now on.
    pub(super) fn listen(&mut self) {
        self.told = Some(Vec::new());
    }

    /// Lets the next thing happen that comes no later than `until`; false: there is none, and it is `until` now.
    pub(super) fn step(&mut self, until: u64) -> bool {
        if self.broken.is_none()
            && let Some((at, happening)) = self.queue.pop_until(until)
        {
            self.now = at;
            self.happen(happening);
            return true;
        }
        self.now = self.now.max(until);
        false
    }
}

//! What people say to a controller, and what it measures of itself.

use tandem::negotiation::ability::Score;
use tandem::negotiation::exchange::{Command, Input, StopCause};
use tandem::negotiation::member::Name;

use super::actions::Order;
use super::bounds::TICK;
use super::reached::Mark;
use super::steps::{Turn, id};

/// A hold ends by itself after so many ticks.
const HOLD: u32 = 4;

impl Turn<'_> {
    pub fn order(&mut self, member: usize, order: Order) {
        let by = Name::new("mia");
        let command = match order {
            Order::TakeOver { force } => Command::TakeOver { by, force },
            Order::StepDown { force } => {
                self.group.members[member].held |= force;
                Command::StepDown { by, force }
            }
            Order::Hold => {
                self.group.members[member].held = true;
                Command::Hold { by, lasts: TICK * HOLD, unix_ms: 1 }
            }
            Order::Fence { peer } => Command::Fence { peer: id(peer), by },
            Order::IsOff { peer } => {
                self.bounds.reached.mark(Mark::SaidOff);
                Command::IsOff { peer: id(peer), by }
            }
            Order::Stop => {
                self.group.members[member].stopping = true;
                return self.feed(member, Input::Stop { cause: StopCause::Signal });
            }
            Order::ShutDown => {
                self.group.members[member].stopping = true;
                return self.feed(member, Input::Stop { cause: StopCause::Operator });
            }
        };
        self.feed(member, Input::Command(command));
    }

    /// An operator frees what the group or this member was kept from.
    pub fn resume(&mut self, member: usize) {
        self.bounds.reached.mark(Mark::Resumed);
        self.group.members[member].held = false;
        self.feed(member, Input::Command(Command::Resume { by: Name::new("mia"), unix_ms: 1 }));
    }

    /// What a member measures of itself is low from now on, or is not any more.
    pub fn measures(&mut self, member: usize, sick: bool) {
        self.group.members[member].sick = sick;
        let score = if sick { Score::from_ten_thousandths(5_000) } else { Score::FULL };
        self.feed(member, Input::Health { score });
    }
}

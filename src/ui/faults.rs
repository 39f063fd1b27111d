//! The demo's faults, as the screen sees them: whom they can hit, where to send them, what each member says of itself,
//! and the line that teaches.
//!
//! The screen does nothing to a process or a cable itself; the demo does, and tells what came of it.

mod lesson;
mod strip;

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
    /// What came of it, and what the members say.
    pub news: mpsc::Receiver<News>,
}

/// What the demo tells the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What came of a fault: a sentence without a full stop, and how its member stands since.
    Happened {
        /// Its place in [`FaultPanel::members`].
        member: usize,
        /// How it stands.
        stands: Standing,
        /// The sentence.
        text: String,
    },
    /// What a member's own control socket says.
    Says {
        /// Its place in [`FaultPanel::members`].
        member: usize,
        /// What it says.
        says: Says,
    },
    /// The demo cannot do anything to anybody any more: why.
    Over(String),
}

/// What a member says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Says {
    /// Nothing: its socket does not answer.
    #[default]
    Nothing,
    /// Its mode and its term.
    Is(Mode, u64),
}

/// What the faults have left a member as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its process.
    pub process: Process,
    /// Its cable.
    pub cable: Cable,
    /// Its required processes.
    pub work: Work,
}

/// A member's process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Process {
    /// It was started.
    #[default]
    Runs,
    /// It is stopped, as if its machine hung.
    Frozen,
    /// It is gone.
    Killed,
}

/// What ails one of a member's required processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    #[default]
    Well,
    /// It is kept dead.
    KeptDead,
    /// It answers late.
    Lags,
    /// It takes more and more memory.
    Leaks,
}

/// A member's cable to the others; the worse, the greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cable {
    /// As it should be.
    #[default]
    Whole,
    /// Everything comes later.
    Slow,
    /// Nothing comes.
    Cut,
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
    /// What each says of itself, where it has said anything.
    says: Vec<Says>,
    /// How each stands, where a fault has hit it.
    stands: Vec<Standing>,
    /// The faults that were seen already.
    seen: Vec<Fault>,
    /// Nothing can be done to anybody any more.
    over: bool,
}

impl FaultState {
    /// Of a demo with these other members.
    pub fn of(members: Vec<String>) -> FaultState {
        FaultState { members, ..FaultState::default() }
    }

    /// The one that the next fault hits.
    pub fn target_name(&self) -> &str {
        self.name(self.target)
    }

    /// A fault is on its way to the target.
    pub fn inflict(&mut self, fault: Fault) {
        self.last = Some((fault, self.target));
        self.happened = None;
        if !self.seen.contains(&fault) {
            self.seen.push(fault);
        }
    }

    /// The demo has told something.
    pub fn hear(&mut self, news: News) {
        match news {
            News::Happened { member, stands, text } => {
                self.happened = Some(text);
                *entry(&mut self.stands, member) = stands;
            }
            News::Says { member, says } => *entry(&mut self.says, member) = says,
            News::Over(why) => {
                self.happened = Some(why);
                self.over = true;
            }
        }
    }

    fn name(&self, member: usize) -> &str {
        self.members.get(member).map_or("?", String::as_str)
    }

    fn says(&self, member: usize) -> Says {
        self.says.get(member).copied().unwrap_or_default()
    }

    fn stands(&self, member: usize) -> Standing {
        self.stands.get(member).copied().unwrap_or_default()
    }
}

fn entry<T: Clone + Default>(list: &mut Vec<T>, at: usize) -> &mut T {
    if list.len() <= at {
        list.resize(at + 1, T::default());
    }
    &mut list[at]
}

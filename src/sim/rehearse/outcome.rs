//! What a rehearsal came to: who acted when, whether that was ever two, and what is told of it.

use std::time::Duration;

use super::remedy::Remedy;
use super::script::Weight;
use crate::negotiation::member::Name;

/// What came of a scenario, at its worst.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its name in the catalogue.
    pub scenario: &'static str,
    /// What happens in it.
    pub title: &'static str,
    /// The short of it.
    pub verdict: Verdict,
    /// Which timing this was.
    pub timing: u64,
    /// The longest time in one piece in which nobody acted.
    pub outage: Duration,
    /// Two acted at once.
    pub two: Option<Two>,
    /// Nobody acted until people mended something.
    pub idle: Option<Idle>,
    /// Who did what when.
    pub lines: Vec<Line>,
    /// What was seen to prevent it.
    pub remedies: Vec<Remedy>,
}

/// The short of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// One acts, after an outage or none.
    Safe,
    /// Nobody acts until people mend something: safe, and an outage (S10).
    Idle,
    /// Two act at once, in what no protection of this kind can prevent: see [`Weight::Beyond`].
    Beyond,
    /// Two act at once.
    Unsafe,
}

impl Verdict {
    /// The word on the screen and in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Safe => "safe",
            Verdict::Idle => "idle",
            Verdict::Beyond => "beyond",
            Verdict::Unsafe => "unsafe",
        }
    }

    /// Whether there is something that other settings could prevent.
    pub fn is_bad(self) -> bool {
        match self {
            Verdict::Safe => false,
            Verdict::Idle | Verdict::Beyond | Verdict::Unsafe => true,
        }
    }
}

/// Two that act at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Two {
    /// Since when, counted from the fault.
    pub since: Duration,
    /// How long in all.
    pub total: Duration,
    /// Who acted at once first.
    pub who: Vec<Name>,
    /// What the end of the fault is called, where it took that to end it.
    pub until: Option<&'static str>,
}

/// Nobody that acts, for as long as nobody mends anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Idle {
    /// Since when, counted from the fault.
    pub since: Duration,
    /// What ends it in the rehearsal, as what follows "until".
    pub until: &'static str,
    /// For each member that runs: what it lacks.
    pub because: Vec<(Name, String)>,
    /// Who must do what.
    pub then: String,
}

/// One line of the story.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Counted from the fault.
    pub at: Duration,
    /// Who; none: the world.
    pub who: Option<Name>,
    /// What, as a sentence without a full stop.
    pub text: String,
    /// What kind of line it is.
    pub kind: LineKind,
}

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Something happens to the group.
    Fault,
    /// A change of mode, by this clause of the requirements.
    Decision(&'static str),
    /// Something that a member notes.
    Event,
    /// How many act changes to none, or to two.
    Acting,
}

impl LineKind {
    /// The word in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            LineKind::Fault => "fault",
            LineKind::Decision(_) => "decision",
            LineKind::Event => "event",
            LineKind::Acting => "acting",
        }
    }
}

impl Outcome {
    /// Two outcomes of one scenario compare by this: the greater is the worse.
    pub(super) fn badness(&self) -> (Verdict, Duration, Duration) {
        (self.verdict, self.two.as_ref().map_or(Duration::ZERO, |two| two.total), self.outage)
    }
}

/// From which time on how many acted, and when that was over: what verdicts are made of.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When (virtual time, nanoseconds), and who acts from then on, a bit each.
    changes: Vec<(u64, u16)>,
}

impl Watch {
    pub fn note(&mut self, at: u64, acting: u16) {
        if self.changes.last().is_none_or(|(_, before)| *before != acting) {
            self.changes.push((at, acting));
        }
    }

    /// The stretches from `from` to `to`: since when, until when, who.
    pub fn stretches(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, u64, u16)> + '_ {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
        let all = self.changes.iter().zip(ends).map(|((at, acting), end)| (*at, end, *acting));
        all.map(move |(since, until, acting)| (since.max(from), until.min(to), acting))
            .filter(|(since, until, _)| since < until)
    }
}

/// What two that act in a scenario weigh.
pub(super) fn verdict(two: bool, idle: bool, weight: Weight) -> Verdict {
    match (two, idle, weight) {
        (true, _, Weight::Fault) => Verdict::Unsafe,
        (true, _, Weight::Beyond) => Verdict::Beyond,
        (false, true, _) => Verdict::Idle,
        (false, false, _) => Verdict::Safe,
    }
}

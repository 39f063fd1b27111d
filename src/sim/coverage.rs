//! What a run has reached: every rule that decided, every reason not to be able, to fence, to refuse, and every outcome
//! of a command or a call, with its count. A walk that finds nothing proves little about a rule that it never came to.

use crate::negotiation::ability::{Ability, Unable};
use crate::negotiation::decision::Rule;
use crate::negotiation::exchange::{ArbiterReply, CommandOutcome, FenceWhy, Output};
use crate::negotiation::message::{Message, Refusal};

/// The variants of one of the negotiation's enums, by number. A new variant that is not named here does not compile.
macro_rules! kinds {
    ($names:ident, $number:ident, $of:ident: $($kind:ident)+) => {
        const $names: &[&str] = &[$(stringify!($kind)),+];
        fn $number(of: &$of) -> usize {
            enum At { $($kind),+ }
            match of { $($of::$kind { .. } => At::$kind as usize,)+ }
        }
    };
}

kinds!(RULES, rule, Rule: Booted NeverHeard ToldPrimary PeerSilent PeerCrashed PeerStopped PeerOff TookOverForHealth
    Released OperatorTookOver OperatorForced YieldedTo YieldedByRelay HandedOver SteppedDown Stopping LostMajority
    LeaseOver Overtaken Stalled AbandonedForPrimary AbandonedForChange AbandonedForDisk);
kinds!(UNABLE, unable, Unable: Held ObserveOnly Stopping StateNotDurable SteppedDown ArbiterUnreachable NoReference
    Other);
kinds!(FENCINGS, fencing, FenceWhy: PrimaryAlone TakeoverWaits Unanswered Always Operator);
kinds!(REFUSALS, refusal, Refusal: NotPrimary OtherTerm Held NotSick Busy AskerUnable Other);
kinds!(OUTCOMES, outcome, CommandOutcome: Done AlreadySo Refused TimedOut Impossible);
kinds!(REPLIES, reply, ArbiterReply: Stands Granted Renewed Released Refused Unreachable);

/// Where each group begins among the counts, what it is called, and its names.
const GROUPS: [(&str, usize, &[&str]); 6] = [
    ("rule", 0, RULES),
    ("cannot", RULES.len(), UNABLE),
    ("fenced", CANNOT_ENDS, FENCINGS),
    ("refused", FENCED_ENDS, REFUSALS),
    ("command", REFUSED_ENDS, OUTCOMES),
    ("arbiter", COMMAND_ENDS, REPLIES),
];

const CANNOT_ENDS: usize = RULES.len() + UNABLE.len();
const FENCED_ENDS: usize = CANNOT_ENDS + FENCINGS.len();
const REFUSED_ENDS: usize = FENCED_ENDS + REFUSALS.len();
const COMMAND_ENDS: usize = REFUSED_ENDS + OUTCOMES.len();
const ALL: usize = COMMAND_ENDS + REPLIES.len();

/// How often each was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    counts: [u64; ALL],
}

/// One line of a coverage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// What it is one of: "rule", "cannot", "fenced", "refused", "command", "arbiter".
    pub group: &'static str,
    /// The variant, in words with underscores.
    pub name: String,
    /// How often it was reached.
    pub count: u64,
    /// Whether it can be reached at all: what only a newer peer says cannot.
    pub expected: bool,
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage { counts: [0; ALL] }
    }
}

impl Coverage {
    /// Adds another run's.
    pub fn add(&mut self, other: &Coverage) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// All lines, in the order of the negotiation's own lists.
    pub fn lines(&self) -> Vec<Reached> {
        let groups = GROUPS.iter().flat_map(|(group, from, names)| {
            let counts = self.counts[*from..].iter();
            names.iter().zip(counts).map(|(name, count)| Reached {
                group,
                name: snake(name),
                count: *count,
                expected: *name != "Other",
            })
        });
        groups.collect()
    }

    /// What was never reached and could be.
    pub fn missing(&self) -> Vec<Reached> {
        self.lines().into_iter().filter(|line| line.expected && line.count == 0).collect()
    }

    /// A member starts.
    pub(super) fn booted(&mut self) {
        self.counts[rule(&Rule::Booted)] += 1;
    }

    /// The arbiter, or the road to it, answered.
    pub fn replied(&mut self, what: &ArbiterReply) {
        self.counts[COMMAND_ENDS + reply(what)] += 1;
    }

    /// A member wants this.
    pub fn wants(&mut self, output: &Output) {
        match output {
            Output::ModeChanged(decision) | Output::TakingOver(decision) => self.counts[rule(&decision.rule)] += 1,
            Output::Fence { why, .. } => self.counts[CANNOT_ENDS + fencing(why)] += 1,
            Output::CommandDone(what) => self.counts[REFUSED_ENDS + outcome(what)] += 1,
            Output::Send { message, .. } => self.said(message),
            Output::Write { .. }
            | Output::StopServing { .. }
            | Output::AskArbiter { .. }
            | Output::AskReference { .. }
            | Output::Event(_)
            | Output::Stopped => {}
        }
    }

    fn said(&mut self, message: &Message) {
        let able = match message {
            Message::Query(query) => query.able,
            Message::Answer(answer) => answer.able,
            Message::HandOverAnswer(answer) => {
                if let Err(why) = &answer.verdict {
                    self.counts[FENCED_ENDS + refusal(why)] += 1;
                }
                return;
            }
            Message::Beacon(_)
            | Message::Grant(_)
            | Message::Relay(_)
            | Message::HandOverRequest(_)
            | Message::Released(_)
            | Message::Hold(_)
            | Message::Bye => return,
        };
        match able {
            Ability::Cannot(why) => self.counts[RULES.len() + unable(&why)] += 1,
            Ability::Sick(_) | Ability::Fit => {}
        }
    }
}

/// `NeverHeard` as `never_heard`.
fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for one in name.chars() {
        if one.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(one.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_is_counted_under_its_own_name() {
        let mut coverage = Coverage::default();
        coverage.booted();
        coverage.replied(&ArbiterReply::Renewed);
        coverage.wants(&Output::CommandDone(CommandOutcome::AlreadySo));
        let mut sum = Coverage::default();
        sum.add(&coverage);
        sum.add(&coverage);
        let lines = sum.lines().into_iter().filter(|line| line.count > 0);
        let reached: Vec<(&str, String, u64)> = lines.map(|line| (line.group, line.name, line.count)).collect();
        let wanted = [("rule", "booted", 2), ("command", "already_so", 2), ("arbiter", "renewed", 2)];
        assert_eq!(reached, wanted.map(|(group, name, count)| (group, name.to_owned(), count)));
        assert_eq!(sum.missing().len() + 3, sum.lines().iter().filter(|line| line.expected).count());
    }
}

//! What an exploration has reached: a check that holds says little about what it never came to.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tandem::negotiation::decision::Rule;
use tandem::negotiation::event::Event;
use tandem::negotiation::exchange::{ArbiterReply, Output};
use tandem::negotiation::message::HandOverCause;
use tandem::sim::Coverage;

/// What happens to the world and is no machine's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Two act, one of them by an operator's force, or overruled by it.
    TwoByForce,
    /// What runs only on the Primary took its time to stop, and stopped.
    TookItsTime,
    /// It was killed, because a lease was about to end or the controller was frozen.
    Killed,
    /// What a member had asked of the arbiter was done after that member had stopped to wait for it.
    DoneLate,
    /// A member started without what it had kept on disk.
    DiskLost,
    /// A member went on after a freeze that others had to excuse.
    Late,
    /// A hold that was in force ended by an operator's word.
    Resumed,
    /// An operator said that a member is off, and it was.
    SaidOff,
    /// A Primary began to hand over, as an operator wants it.
    HandsOver,
    /// Or because it is sick.
    HandsOverSick,
    /// Or stepped down by force, with nobody to follow.
    StepsDown,
    /// A controller found that it had slept too long.
    Stalled,
}

/// Every mark with its name.
const MARKS: [(Mark, &str); 12] = [
    (Mark::TwoByForce, "two by force"),
    (Mark::TookItsTime, "took its time to stop"),
    (Mark::Killed, "killed"),
    (Mark::DoneLate, "the arbiter late"),
    (Mark::DiskLost, "disk lost"),
    (Mark::Late, "late"),
    (Mark::Resumed, "resumed"),
    (Mark::SaidOff, "said to be off"),
    (Mark::HandsOver, "hands over"),
    (Mark::HandsOverSick, "hands over, sick"),
    (Mark::StepsDown, "steps down"),
    (Mark::Stalled, "stalled"),
];

/// What was reached; shared by all threads of an exploration.
#[derive(Debug, Clone, Default)]
pub struct Reached(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    outputs: Mutex<Coverage>,
    marks: AtomicU32,
}

impl Reached {
    /// A machine wants these.
    pub fn wants(&self, out: &[Output]) {
        let mut outputs = self.outputs();
        for output in out {
            outputs.wants(output);
            // While it stops, the telling takes the reason off the decision.
            if let Output::Event(Event::SteppingDown { rule }) = output {
                if let Rule::HandedOver { cause, .. } = rule {
                    self.mark(match cause {
                        HandOverCause::Operator => Mark::HandsOver,
                        HandOverCause::Health => Mark::HandsOverSick,
                    });
                } else if let Rule::SteppedDown { .. } = rule {
                    self.mark(Mark::StepsDown);
                }
            } else if let Output::Event(Event::Stalled { .. }) = output {
                self.mark(Mark::Stalled);
            }
        }
    }

    /// The arbiter, or the road to it, answered.
    pub fn replied(&self, reply: &ArbiterReply) {
        self.outputs().replied(reply);
    }

    /// This happened.
    pub fn mark(&self, mark: Mark) {
        let bit = 1 << mark as u32;
        if self.0.marks.load(Ordering::Relaxed) & bit == 0 {
            self.0.marks.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Everything that was reached, in words: the negotiation's own lists first.
    pub fn words(&self) -> Vec<String> {
        let lines = self.outputs().lines().into_iter().filter(|line| line.count > 0);
        let outputs = lines.map(|line| format!("{} {}", line.group, line.name));
        let marks = self.0.marks.load(Ordering::Relaxed);
        let own = MARKS.iter().filter(|(mark, _)| marks & (1 << *mark as u32) != 0).map(|(_, name)| (*name).to_owned());
        outputs.chain(own).collect()
    }

    fn outputs(&self) -> MutexGuard<'_, Coverage> {
        self.0.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

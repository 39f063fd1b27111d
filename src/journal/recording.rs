//! What a recording of the negotiation's inputs says, line by line (U5).
//!
//! A segment of a recording is a deflate stream of JSON lines, cut into frames where the writer had gathered some seconds:
//! the first line is [`Item::Begin`] with the machine's whole state, so that a replay may begin with any segment; then
//! comes every input in its order, each followed by what the machine wanted of it that people see. The lines say more
//! than a replay needs on purpose: what was decided stands beside what it was decided from, so that a replay can compare.

use serde::{Deserialize, Serialize};

use crate::negotiation::Negotiator;
use crate::negotiation::exchange::{Input, Output};
use crate::negotiation::time::Instant;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The machine's time.
    pub at: Instant,
    /// Real time then, milliseconds since 1970.
    pub unix_ms: u64,
}

impl Moment {
    /// The real time that belongs to `at`, counted from this moment.
    pub fn unix_ms_at(self, at: Instant) -> u64 {
        let ms = |from: Instant, to: Instant| u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX);
        self.unix_ms.saturating_add(ms(self.at, at)).saturating_sub(ms(at, self.at))
    }
}

/// A line, as it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// The first of a segment.
    Begin(Box<Begin>),
    /// Which real time belongs to which of the machine's times.
    Clock(Moment),
    /// The machine was told this.
    Fed {
        /// When.
        at: Instant,
        /// What.
        input: Box<Input>,
    },
    /// It wanted this, for the input before.
    Told(Box<Output>),
    /// The controller ended in an orderly way; nothing follows.
    End,
}

/// The machine as it was before the first input of a segment.
#[derive(Debug, Clone, Deserialize)]
pub struct Begin {
    /// When.
    #[serde(flatten)]
    pub moment: Moment,
    /// How many inputs the machine was told before, since the controller started; more than were read before are a gap.
    pub inputs: u64,
    /// Every member's addresses, for the screen.
    pub addresses: Vec<Vec<String>>,
    /// The machine, in the form of the version that wrote it.
    pub state: serde_json::Value,
}

/// A line, as it is written: the same words, borrowed, so that nothing is copied on the node's loop.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<'a> {
    Begin {
        #[serde(flatten)]
        moment: Moment,
        inputs: u64,
        addresses: &'a [Vec<String>],
        state: &'a Negotiator,
    },
    Clock(Moment),
    Fed {
        at: Instant,
        input: &'a Input,
    },
    Told(&'a Output),
    End,
}

/// Whether an output is kept beside its input: all that people see or that somebody else has to do. What is sent, written
/// and asked, every second, follows from the inputs, and is most of it; what is answered is an input itself.
pub(super) fn is_kept(output: &Output) -> bool {
    !matches!(
        output,
        Output::Send { .. } | Output::Write { .. } | Output::AskArbiter { .. } | Output::AskReference { .. }
    )
}

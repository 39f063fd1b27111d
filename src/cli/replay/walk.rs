//! Walks a whole recording once, deciding everything again: what there is to step through, and what is not the same.

use std::path::Path;

use crate::journal::recording::Begin;
use crate::journal::replay::{Joint, Judge, Player, Step};
use crate::journal::tape::{Fact, Part};
use crate::journal::{Entry, Skipped, Tape};
use crate::negotiation::exchange::Output;

/// Something worth a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Which segment.
    pub segment: usize,
    /// How many of its facts the machine has been told here.
    pub place: usize,
    /// Real time, milliseconds since 1970.
    pub unix_ms: u64,
    /// What.
    pub what: What,
}

/// What a [`Mark`] stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The recording begins, or goes on after a start, or after something that is missing.
    Begins(String),
    /// The machine wanted this, and the recording says the same.
    Decided(Vec<String>),
    /// The machine wants `now`, and the recording says `recorded`.
    Differs {
        /// What this version decides.
        now: Vec<String>,
        /// What was recorded.
        recorded: Vec<String>,
        /// Whose recording it is.
        judge: Judge,
    },
    /// Something cannot be replayed.
    Broken(String),
}

/// What a walk has counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments that were read.
    pub segments: usize,
    /// Inputs.
    pub inputs: u64,
    /// Inputs at which something was decided or told.
    pub decided: u64,
    /// Inputs at which this version decides otherwise, of its own recording.
    pub errors: u64,
    /// The same, of other versions' recordings.
    pub otherwise: u64,
    /// Segments of which something cannot be replayed.
    pub broken: u64,
    /// Segments that end in what a crash, or a controller that is writing, leaves: nothing is wrong with the rest.
    pub torn: u64,
    /// Inputs that are missing.
    pub missing: u64,
}

/// The words for one thing that the machine wanted.
pub fn words(output: &Output) -> String {
    match output {
        Output::ModeChanged(decision) => Entry::Decision(decision.clone()).text(),
        Output::TakingOver(decision) => Entry::TakingOver(decision.clone()).text(),
        Output::Event(event) => Entry::Event(event.clone()).text(),
        Output::StopServing { .. } => "stops what runs only on a Primary".to_owned(),
        Output::Fence { .. } => "has a member switched off".to_owned(),
        Output::Stopped => "has said everything, and ends".to_owned(),
        other => {
            let json = serde_json::to_value(other).unwrap_or_default();
            let word = json["output"].as_str().unwrap_or("?").replace('_', " ");
            let peer = json["peer"].as_str().map_or(String::new(), |peer| format!(" {peer}"));
            format!("wants: {word}{peer}")
        }
    }
}

fn all_words(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(words).collect()
}

/// Walks `tape`; each mark goes to `each`, in order.
pub fn walk(tape: &Tape, mut each: impl FnMut(Mark)) -> Counts {
    let mut counts = Counts::default();
    let mut before: Option<(Part, Player)> = None;
    for (segment, file) in tape.files.iter().enumerate() {
        let (part, mut player) = match read(file) {
            Ok(read) => read,
            Err(why) => {
                counts.broken += 1;
                let unix_ms = before.as_ref().map_or(0, |(part, _)| last_time(part));
                each(Mark { segment, place: 0, unix_ms, what: What::Broken(why) });
                continue;
            }
        };
        counts.segments += 1;
        let judge = Judge::of(&part);
        let joint = before.as_ref().map_or(Joint::First, |(old, at_end)| at_end.joint(old, &part));
        let begins = |what| Mark { segment, place: 0, unix_ms: part.begin.moment.unix_ms, what };
        if let Joint::Gap(missing) = &joint {
            counts.missing += missing;
        }
        match joint_words(&joint, &part) {
            Some(text) => each(begins(What::Begins(text))),
            None => {
                if let Joint::Other(field) = joint {
                    count(&mut counts, &judge);
                    let now = vec![format!("a machine that is another in its {field:?}")];
                    each(begins(What::Differs { now, recorded: vec!["its state".to_owned()], judge: judge.clone() }));
                }
            }
        }
        let mut all = Vec::new();
        while let Some(step) = player.step(&part, &mut all) {
            all.clear();
            counts.inputs += 1;
            let Some(fact) = part.facts.get(player.place - 1) else { break };
            if let Some(what) = judged(&step, fact, &judge) {
                counts.decided += 1;
                if matches!(what, What::Differs { .. }) {
                    count(&mut counts, &judge);
                }
                each(Mark { segment, place: player.place, unix_ms: fact.moment.unix_ms, what });
            }
        }
        if let Some(skipped) = &part.skipped {
            if part.is_torn {
                counts.torn += 1;
            } else {
                counts.broken += 1;
            }
            let Skipped { bytes, offset, why, .. } = skipped;
            let text = format!("{bytes} bytes from byte {offset} on could not be read: {why}");
            each(Mark { segment, place: player.place, unix_ms: last_time(&part), what: What::Broken(text) });
        }
        before = Some((part, player));
    }
    counts
}

fn count(counts: &mut Counts, judge: &Judge) {
    match judge {
        Judge::ThisVersion => counts.errors += 1,
        Judge::Other(_) => counts.otherwise += 1,
    }
}

fn last_time(part: &Part) -> u64 {
    let Begin { moment, .. } = &part.begin;
    part.facts.last().map_or(moment.unix_ms, |fact| fact.moment.unix_ms)
}

/// Reads a segment and sets the machine at its beginning.
pub fn read(file: &Path) -> Result<(Part, Player), String> {
    let part = Tape::load(file).map_err(|error| error.to_string())?;
    let player = Player::at_start(&part).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((part, player))
}

fn judged(step: &Step, fact: &Fact, judge: &Judge) -> Option<What> {
    if !step.same {
        let (now, recorded) = (all_words(&step.now), all_words(&fact.told));
        return Some(What::Differs { now, recorded, judge: judge.clone() });
    }
    (!step.now.is_empty()).then(|| What::Decided(all_words(&step.now)))
}

/// How a segment begins, where that is worth a word.
fn joint_words(joint: &Joint, part: &Part) -> Option<String> {
    let who = &part.who;
    let version = match Judge::of(part) {
        Judge::ThisVersion => format!("tandem {}", who.version),
        Judge::Other(version) => format!("tandem {version}, another version than this {}", env!("CARGO_PKG_VERSION")),
    };
    match joint {
        Joint::First if part.begin.inputs == 0 => Some(format!("{} of {} starts, {version}", who.node, who.group)),
        Joint::First => Some(format!("the recording of {} of {} begins here, {version}", who.node, who.group)),
        Joint::Whole | Joint::Other(_) => None,
        Joint::Gap(missing) => Some(format!(
            "{missing} inputs are missing here: the disk was too slow or failed, or a file is damaged; what follows is \
             decided from the state that was recorded then"
        )),
        Joint::Restart { orderly: true } => Some(format!("{} of {} starts again, {version}", who.node, who.group)),
        Joint::Restart { orderly: false } => Some(format!(
            "{} of {} starts again, {version}; before this it ended without a word, and the last two seconds of it may \
             be missing",
            who.node, who.group
        )),
    }
}

//! Rehearsals: a site's own configuration against a catalogue of faults, on virtual time (U6).
//!
//! The members are the very [`crate::negotiation::Negotiator`] of the controller; only what is around them is simulated.
//! A [`Site`] says what is rehearsed, the [`catalogue`] what happens to it, [`rehearse`] what comes of it: who did what when,
//! how long nobody acted, whether two could act at once, and which other settings were seen to prevent that. Nothing here
//! reads a file, opens a socket or asks for the time; the same site gives the same answer, always.
//!
//! *Acting* means that what runs only on the Primary may run: also where the controller is frozen, until its guardian has
//! ended it, and while it stops.

pub mod catalogue;
mod illness;
mod outcome;
mod remedy;
mod script;
mod site;
mod stage;
#[cfg(test)]
mod tests;

pub use catalogue::Scenario;
pub use outcome::{Idle, Line, LineKind, Outcome, Two, Verdict};
pub use remedy::Remedy;
pub use script::Weight;
pub use site::{Plant, PlantProcess, Runs, Site};

/// How often each scenario runs, each time with other delays, other phases, and the role with another member. The worst is
/// told.
pub const TIMINGS: u64 = 6;

/// How often a scenario has to end well with other times before these are told as what prevents something: a duel that they
/// only make rarer is not prevented.
const TIMINGS_OF_OTHER_TIMES: u64 = 4 * TIMINGS;

/// What came of a scenario at a site.
#[derive(Debug, Clone, PartialEq)]
pub enum Rehearsed {
    /// It was rehearsed.
    Done(Box<Outcome>),
    /// It cannot happen here.
    LeftOut {
        /// Why, as a clause.
        why: String,
    },
}

/// Whether a rehearsal goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// It does.
    On,
    /// Whoever watches it has seen enough.
    NoFurther,
}

/// Who watches a rehearsal: asked before each time that something is played, which may take long with extreme times.
pub type Watcher<'a> = dyn FnMut() -> Goes + 'a;

/// Why nothing came of playing a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unplayed {
    /// It cannot happen at this site, and why.
    CannotHappen(String),
    /// The watcher had seen enough.
    BrokenOff,
}

/// Rehearses one scenario: [`TIMINGS`] times, of which the worst is told, and what would have prevented it where it ended
/// badly. None: `watcher` had seen enough before that was known.
pub fn rehearse(site: &Site, scenario: &Scenario, watcher: &mut Watcher<'_>) -> Option<Rehearsed> {
    match worst(site, scenario, Verdict::Unsafe, TIMINGS, watcher) {
        Ok(Some(mut outcome)) => {
            if outcome.verdict.is_bad() {
                outcome.remedies = remedy::found(site, scenario, &outcome, watcher)?;
            }
            Some(Rehearsed::Done(Box::new(outcome)))
        }
        Ok(None) => Some(Rehearsed::LeftOut { why: "it was not rehearsed".to_owned() }),
        Err(Unplayed::CannotHappen(why)) => Some(Rehearsed::LeftOut { why }),
        Err(Unplayed::BrokenOff) => None,
    }
}

/// The worst of so many timings; none: one was worse than `bound`, and the rest were not played.
fn worst(
    site: &Site,
    scenario: &Scenario,
    bound: Verdict,
    timings: u64,
    watcher: &mut Watcher<'_>,
) -> Result<Option<Outcome>, Unplayed> {
    let mut worst: Option<Outcome> = None;
    for timing in 0..timings {
        match watcher() {
            Goes::On => {}
            Goes::NoFurther => return Err(Unplayed::BrokenOff),
        }
        let outcome = stage::play(site, scenario, timing).map_err(Unplayed::CannotHappen)?;
        if outcome.verdict > bound {
            return Ok(None);
        }
        if worst.as_ref().is_none_or(|worst| outcome.badness() > worst.badness()) {
            worst = Some(outcome);
        }
    }
    Ok(worst)
}

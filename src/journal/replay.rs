//! Decides a recording again, and compares (U5).
//!
//! The machine is pure: told the same at the same times it wants the same. Where it does not, either the recording is
//! damaged, or the machine is another version's, which [`Judge::ThisVersion`] tells apart. Nothing is carried out.

use serde_json::Value;

use super::recording::{Begin, is_kept};
use super::tape::{Fact, Part};
use crate::negotiation::Negotiator;
use crate::negotiation::exchange::Output;
use crate::negotiation::settings::Settings;

/// Whose decisions are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judge {
    /// This version's: a difference is an error.
    ThisVersion,
    /// Another version's: a difference is what this version would decide.
    Other(String),
}

impl Judge {
    /// Who decided what is recorded in `part`.
    pub fn of(part: &Part) -> Judge {
        if part.who.version == env!("CARGO_PKG_VERSION") {
            Judge::ThisVersion
        } else {
            Judge::Other(part.who.version.clone())
        }
    }
}

/// How the next segment goes on from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joint {
    /// It is the first.
    First,
    /// Nothing is missing in between, and the machine is the recorded one.
    Whole,
    /// Nothing is missing in between, but the machine is not the recorded one: in this part of it.
    Other(String),
    /// So many inputs are missing in between.
    Gap(u64),
    /// The controller was started anew; whether it had ended in an orderly way before.
    Restart {
        /// It had.
        orderly: bool,
    },
}

/// What one input led to.
#[derive(Debug, Clone)]
pub struct Step {
    /// What the machine wants now, messages and writes left out.
    pub now: Vec<Output>,
    /// Whether it is what was recorded.
    pub same: bool,
}

/// The machine at a place of a segment.
#[derive(Debug, Clone)]
pub struct Player {
    /// The machine.
    pub machine: Negotiator,
    /// How many facts of the segment it was told.
    pub place: usize,
}

/// The machine that a segment begins with cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state that it begins with cannot be used by this version: {0}")]
pub struct StateError(String);

impl Player {
    /// At the beginning of a segment.
    ///
    /// # Errors
    /// When the recorded state cannot be used.
    pub fn at_start(part: &Part) -> Result<Player, StateError> {
        let machine = match serde_json::from_value(part.begin.state.clone()) {
            Ok(machine) => machine,
            Err(error) => adapted(&part.begin).ok_or_else(|| StateError(error.to_string()))?,
        };
        Ok(Player { machine, place: 0 })
    }

    /// Tells the machine the next fact of `part`; none at its end. All that the machine wants, messages included, is
    /// appended to `all`.
    pub fn step(&mut self, part: &Part, all: &mut Vec<Output>) -> Option<Step> {
        let fact = part.facts.get(self.place)?;
        self.place += 1;
        let before = all.len();
        self.machine.handle(fact.moment.at, fact.input.clone(), all);
        let now: Vec<Output> = all[before..].iter().filter(|output| is_kept(output)).cloned().collect();
        let same = now == fact.told || self.is_cut_off(part, fact, &now);
        Some(Step { now, same })
    }

    /// What came of the very last input may have been cut off with the recording's end.
    fn is_cut_off(&self, part: &Part, fact: &Fact, now: &[Output]) -> bool {
        self.place == part.facts.len() && !part.ended && now.starts_with(&fact.told)
    }

    /// How `next` goes on from where this player is at the end of `part`.
    pub fn joint(&self, part: &Part, next: &Part) -> Joint {
        if part.who.incarnation != next.who.incarnation {
            return Joint::Restart { orderly: part.ended };
        }
        let told = part.begin.inputs + part.facts.len() as u64;
        match next.begin.inputs.saturating_sub(told) {
            0 => match serde_json::to_value(&self.machine) {
                Ok(state) => differing(&state, &next.begin.state).map_or(Joint::Whole, Joint::Other),
                Err(error) => Joint::Other(error.to_string()),
            },
            missing => Joint::Gap(missing),
        }
    }
}

/// The name of the first field in which two states differ.
fn differing(now: &Value, recorded: &Value) -> Option<String> {
    match (now, recorded) {
        (Value::Object(now), Value::Object(recorded)) => {
            let mut names = now.keys().chain(recorded.keys());
            names.find(|name| now.get(*name) != recorded.get(*name)).cloned()
        }
        (_, _) => Some("its form".to_owned()),
    }
}

/// A state of another version: what it does not have is as in a machine that boots.
fn adapted(begin: &Begin) -> Option<Negotiator> {
    let recorded = begin.state.get("settings")?;
    let me = serde_json::from_value(recorded.get("me")?.clone()).ok()?;
    let members = serde_json::from_value(recorded.get("members")?.clone()).ok()?;
    let mut settings = serde_json::to_value(Settings::new(me, members)).ok()?;
    overlay(&mut settings, recorded);
    let settings: Settings = serde_json::from_value(settings).ok()?;
    let fresh = Negotiator::new(settings, begin.moment.at, None).ok()?;
    let mut state = serde_json::to_value(fresh).ok()?;
    overlay(&mut state, &begin.state);
    serde_json::from_value(state).ok()
}

/// Puts what is in `over` into `base`, field by field.
fn overlay(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                match base.get_mut(name) {
                    Some(inner) => overlay(inner, value),
                    None => drop(base.insert(name.clone(), value.clone())),
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if base.len() == over.len() => {
            for (inner, value) in base.iter_mut().zip(over) {
                overlay(inner, value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;

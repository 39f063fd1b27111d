//! Plans: what will happen if an action is confirmed, and what that rests on (screen.md, "Acting").
//!
//! The command line and the screen ask alike because the plan is computed here, once, by the engine.

use serde::{Deserialize, Serialize};

/// What an operator can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// This member becomes Primary, the other steps down first.
    TakeOver,
    /// This member becomes Secondary, the other takes over.
    StepDown,
    /// The group's automatic takeovers are frozen.
    Hold {
        /// For how long.
        for_ms: u64,
    },
    /// They are free again.
    Resume,
    /// This controller stops: it hands over first.
    Shutdown,
    /// Another member is switched off by its fence agent (S2).
    Fence {
        /// Which.
        peer: String,
    },
    /// The operator's word that another member is off, "I looked": it counts as fencing done.
    IsOff {
        /// Which.
        peer: String,
    },
    /// A required process of this member is stopped and started again.
    RestartProcess {
        /// Which.
        name: String,
    },
    /// It is stopped, and stays so until it is started.
    StopProcess {
        /// Which.
        name: String,
    },
    /// It is started again.
    StartProcess {
        /// Which.
        name: String,
    },
}

/// How a line of a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// `ok`
    Ok,
    /// `NO`: the plan can only be forced.
    No,
    /// `!!`: worth knowing, stops nothing.
    Notice,
}

/// What a plan rests on, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// How it stands.
    pub state: LineState,
    /// What, as a sentence without a full stop.
    pub text: String,
}

/// A plan that waits to be confirmed by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Typed to confirm it.
    pub number: u32,
    /// What it is for.
    pub action: Action,
    /// "beta takes over from alpha".
    pub title: String,
    /// The member whose engine holds it.
    pub node: String,
    /// What happens, step by step.
    pub steps: Vec<String>,
    /// How long nobody acts, a whole sentence.
    pub nobody_acts: String,
    /// Whether two could act at once, a whole sentence.
    pub two_acting: String,
    /// "May be lost: …", a whole sentence.
    pub may_be_lost: String,
    /// "If step 1 fails: …", a whole sentence.
    pub if_it_fails: String,
    /// "To go back: …", a whole sentence.
    pub to_go_back: String,
    /// What it rests on.
    pub rests_on: Vec<PlanLine>,
    /// Set when a line is NO: the name that must be typed to force it (the member that will act, or, where none will,
    /// the one that stops).
    pub force_by_typing: Option<String>,
    /// Set when a line is NO: what forcing risks.
    pub risk: Option<String>,
    /// Who opened it.
    pub by: String,
    /// How long ago its lines were checked.
    pub checked_ms: u64,
    /// When it ends by itself.
    pub expires_ms: u64,
}

impl Plan {
    /// Whether every line is met, so that its number alone confirms it.
    pub fn can_be_confirmed(&self) -> bool {
        self.force_by_typing.is_none()
    }
}

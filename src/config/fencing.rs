//! How a member is switched off, as the file names it (S2, S3).

use std::collections::BTreeMap;
use std::time::Duration;

/// One `[fence.NAME]`: how every other member switches the member NAME off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceConfig {
    /// What does it.
    pub agent: AgentConfig,
    /// What is asked of it.
    pub action: FenceAction,
    /// After this long an attempt is given up and its process group killed.
    pub timeout: Duration,
    /// Tries in a row; then one a minute, for ever, while it blocks a takeover.
    pub attempts: u32,
    /// Waited by the member that does not shoot first (S3).
    pub delay: Duration,
    /// How often the device is asked whether it still answers; zero: never.
    pub monitor: Duration,
}

/// The program that switches a member off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentConfig {
    /// One that speaks the fence-agents convention: options on standard input, judged by its exit status.
    Agent {
        /// The program's path.
        path: String,
        /// Its options as texts, as they are written on its standard input. An option ending in `_file` that the agent
        /// itself does not know names a file whose content is the option's value.
        options: BTreeMap<String, String>,
    },
    /// A plain command line; `{action}` in it stands for off, reboot, on, status. Status: exit 0 on, 2 off.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
    },
}

/// What a fence agent is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FenceAction {
    /// Off, and stays off.
    #[default]
    Off,
    /// Off and on again.
    Reboot,
}

impl FenceAction {
    /// The word of the configuration, and of the fence-agents convention.
    pub fn word(self) -> &'static str {
        match self {
            FenceAction::Off => "off",
            FenceAction::Reboot => "reboot",
        }
    }
}

//! How a member is switched off, as the file names it (S2, S3).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
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

/// The program that switches a member off. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
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

/// What the paths of a `[fence.NAME]` mean on the member that switches NAME off.
#[derive(Debug, Clone)]
pub struct FencePaths {
    /// Where relative ones start: the configuration file's folder.
    pub folder: PathBuf,
    /// What `{member}` stands for: that member.
    pub member: String,
}

impl FencePaths {
    /// The path that is `written` there.
    pub fn resolve(&self, written: &str) -> PathBuf {
        // An absolute path replaces the folder.
        self.folder.join(written.replace("{member}", &self.member))
    }
}

/// Whether an option's value is a secret. No agent's metadata says so, but the names that agents use are few: of the 83 in
/// Debian's fence-agents these find every one, and nothing that is only a path or a program.
pub fn is_secret_option(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let leads_to_it = ["_file", "_script", "_path"].iter().any(|ending| name.ends_with(ending));
    let words = ["passw", "passphrase", "pwd", "secret", "token", "credential", "community", "apikey", "_kg"];
    !leads_to_it && (words.iter().any(|word| name.contains(word)) || name.ends_with("_key"))
}

impl fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AgentConfig::Agent { path, options } => {
                let shown = |(name, value): (&String, &String)| {
                    let value = if is_secret_option(name) { "[secret]" } else { value };
                    (name.clone(), value.to_owned())
                };
                let options: BTreeMap<String, String> = options.iter().map(shown).collect();
                f.debug_struct("Agent").field("path", path).field("options", &options).finish()
            }
            AgentConfig::Command { command } => f.debug_struct("Command").field("command", command).finish(),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_secrets_are_known_by_their_names_and_paths_are_none() {
        for secret in ["password", "passwd", "snmp-priv-passwd", "secret_key", "access_key", "apikey", "token"] {
            assert!(is_secret_option(secret), "{secret}");
        }
        for secret in ["community", "hexadecimal_kg", "PASSWORD"] {
            assert!(is_secret_option(secret), "{secret}");
        }
        for open in ["password_script", "password_file", "token_file", "identity_file", "tlskey", "key_value", "ip"] {
            assert!(!is_secret_option(open), "{open}");
        }
    }

    #[test]
    fn s2_a_configuration_that_is_printed_shows_no_secret() {
        let options = [("ip", "10.0.9.2"), ("password", "correct horse")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let agent = AgentConfig::Agent { path: "/usr/sbin/fence_x".to_owned(), options };
        let printed = format!("{agent:?}");
        assert!(printed.contains("10.0.9.2") && printed.contains("[secret]"), "{printed}");
        assert!(!printed.contains("horse"), "{printed}");
    }
}

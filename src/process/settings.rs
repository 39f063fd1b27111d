//! What the required processes of one controller are started with.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::required::{Hooks, ProcessConfig};

use super::messages::Program;

/// Everything that does not change while the controller runs.
#[derive(Debug)]
pub struct ProcessSettings {
    /// The program that guardian and trampolines are started from; its words `guardian` and `launch` are this room's.
    pub program: PathBuf,
    /// This member's name.
    pub node: String,
    /// The group's.
    pub group: String,
    /// Random at each start.
    pub incarnation: u64,
    /// Where the state file and the output are.
    pub state_directory: PathBuf,
    /// The configuration file's folder, which relative paths start at.
    pub folder: PathBuf,
    /// The required processes, in the order in which they start.
    pub processes: Vec<ProcessConfig>,
    /// Commands that are run on transitions.
    pub hooks: Hooks,
    /// Duplicates of the listening sockets, which the guardian closes last (P6).
    pub listeners: Vec<OwnedFd>,
}

/// The program of the running executable, whatever has become of its file.
pub fn this_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

impl ProcessSettings {
    /// Whether there is anything to start.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
            && self.hooks.on_primary.is_empty()
            && self.hooks.on_secondary.is_empty()
            && self.hooks.on_alarm.is_empty()
    }

    /// The program of a process, but for its environment.
    pub fn program_of(&self, config: &ProcessConfig) -> Program {
        Program {
            command: self.command(&config.command),
            environment: config.environment.clone(),
            directory: config
                .directory
                .as_deref()
                .map_or_else(|| self.folder.clone(), |directory| self.folder.join(self.named(directory))),
            user: config.user.clone(),
            memory: config.limits.memory,
            open_files: config.limits.open_files,
        }
    }

    /// The program of a hook, but for its environment.
    pub fn program_of_hook(&self, command: &[String]) -> Program {
        Program {
            command: self.command(command),
            environment: Default::default(),
            directory: self.folder.clone(),
            user: None,
            memory: None,
            open_files: None,
        }
    }

    /// Where what a process writes is kept.
    pub fn output_file(&self, name: &str) -> PathBuf {
        // A name may hold what a file's must not.
        let name: String = name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
        self.state_directory.join("output").join(format!("{name}.log"))
    }

    /// A command with `{member}` replaced, and its program seen from the configuration's folder if it names a path.
    fn command(&self, command: &[String]) -> Vec<String> {
        let mut command: Vec<String> = command.iter().map(|word| self.named(word)).collect();
        if let Some(program) = command.first_mut()
            && program.contains('/')
        {
            *program = self.folder.join(&*program).display().to_string();
        }
        command
    }

    fn named(&self, text: &str) -> String {
        text.replace("{member}", &self.node)
    }
}

/// How long each part of ending everything may take beyond the graces.
pub const END: Duration = Duration::from_secs(1);

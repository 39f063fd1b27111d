//! Holding a `[fence.NAME]` against the agent that it names: whether it is there and can be run, and whether its options
//! are those that the agent knows, of the right kind, complete, and with no secret for everybody to read (S2).
//!
//! The agent is run for this, but only to describe itself and to look at its own options; no device is touched.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::duration;
use crate::config::fencing::{AgentConfig, FenceAction, FenceConfig, FencePaths, is_secret_option};

use super::agent::{Action, Agent, METADATA_WITHIN, read_secret};
use super::bell::Bell;
use super::metadata::{Content, Metadata, Parameter, normal};
use super::run::{Ended, why_not_started};

/// An option's name is taken for a known one that is at least this alike.
const ALIKE: f64 = 0.7;

/// A start does not wait longer than this for an agent to describe itself.
const METADATA_WITHIN_AT_START: Duration = Duration::from_secs(2);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// It will not work.
    Wrong,
    /// It is allowed.
    Unwise,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub grade: Grade,
    /// The key it is about: "fence.beta.options.ip".
    pub key: String,
    /// What is so, as a sentence without a full stop.
    pub message: String,
    /// What to write or do instead.
    pub suggestion: String,
}

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What keeps it from working: for every start.
    Start,
    /// Everything, the agent's own opinion of its options too: for `check`.
    Check,
}

/// Looks at how `name` is switched off. Blocks while the agent runs, for 20 s at most.
///
/// # Errors
///
/// Too many files are open.
pub fn check(name: &str, config: &FenceConfig, paths: FencePaths, depth: Depth) -> io::Result<Vec<Finding>> {
    let agent = Agent::new(config.clone(), paths);
    let looking = Looking { key: format!("fence.{name}"), found: Vec::new(), agent, depth, bell: Bell::new()? };
    Ok(looking.look())
}

struct Looking {
    /// "fence.beta"
    key: String,
    found: Vec<Finding>,
    agent: Agent,
    depth: Depth,
    bell: Bell,
}

impl Looking {
    fn look(mut self) -> Vec<Finding> {
        if !self.can_be_run() {
            return self.found;
        }
        match self.agent.config().agent.clone() {
            AgentConfig::Command { command } => self.command(&command),
            AgentConfig::Agent { options, .. } => {
                let within = match self.depth {
                    Depth::Start => METADATA_WITHIN_AT_START,
                    Depth::Check => METADATA_WITHIN,
                };
                let learnt = self.agent.learn(within, &self.bell, &mut || false);
                self.files();
                match (learnt, self.agent.metadata().cloned()) {
                    (Ok(()), Some(metadata)) => self.against(&metadata, &options.into_iter().collect::<Vec<_>>()),
                    (Ok(()), None) => {}
                    (Err(why), _) => self.unwise(
                        "agent",
                        format!(
                            "{} does not describe itself, so its options cannot be checked: {why}",
                            self.agent.name()
                        ),
                        "see whether it answers to `action=metadata` on its standard input",
                    ),
                }
            }
        }
        self.found
    }

    fn wrong(&mut self, key: &str, message: impl Into<String>, suggestion: impl Into<String>) {
        self.add(Grade::Wrong, key, message.into(), suggestion.into());
    }

    fn unwise(&mut self, key: &str, message: impl Into<String>, suggestion: impl Into<String>) {
        self.add(Grade::Unwise, key, message.into(), suggestion.into());
    }

    fn add(&mut self, grade: Grade, key: &str, message: String, suggestion: String) {
        if grade == Grade::Wrong || self.depth == Depth::Check {
            self.found.push(Finding { grade, key: format!("{}.{key}", self.key), message, suggestion });
        }
    }

    /// Whether the program is there and executable.
    fn can_be_run(&mut self) -> bool {
        let key = match &self.agent.config().agent {
            AgentConfig::Agent { .. } => "agent",
            AgentConfig::Command { .. } => "command",
        };
        let program = self.agent.program();
        let looked_up = key == "command" && !program.as_os_str().as_encoded_bytes().contains(&b'/');
        let found = if looked_up { in_path(&program) } else { look_at(&program) };
        match found {
            Ok(()) => true,
            Err(error) => {
                let help = match error.kind() {
                    io::ErrorKind::NotFound => "install it (Debian: apt install fence-agents), or correct the path",
                    _ => "chmod 755 it, or name the program itself",
                };
                self.wrong(key, why_not_started(&program, &error), help);
                false
            }
        }
    }

    fn command(&mut self, command: &[String]) {
        if !command.iter().any(|word| word.contains("{action}")) {
            self.wrong(
                "command",
                "the command is not told what to do: no word of it contains {action}",
                "write {action} where off, reboot or status is to stand: [\"/usr/local/bin/power\", \"beta\", \"{action}\"]",
            );
        }
    }

    /// Secrets in files: whether they can be read, and by whom.
    fn files(&mut self) {
        let AgentConfig::Agent { options, .. } = self.agent.config().agent.clone() else { return };
        for (name, value) in &options {
            let key = format!("options.{name}");
            if self.agent.file_option(name).is_some() {
                let path = self.agent.file(value);
                match read_secret(&path) {
                    Err(why) => self.wrong(&key, why, "put the value into that file, alone, with mode 0600"),
                    Ok(_) => {
                        if let Some(mode) = open_to_others(&path) {
                            let message = format!("others can read {} (mode {mode:04o})", path.display());
                            self.unwise(&key, message, format!("chmod 600 {}", path.display()));
                        }
                    }
                }
            }
        }
    }

    /// The options against what the agent says that it takes.
    fn against(&mut self, metadata: &Metadata, options: &[(String, String)]) {
        for (name, value) in options {
            let key = format!("options.{name}");
            if normal(name) == "action" {
                self.wrong(&key, "the action is not an option: tandem says each time what it wants", "remove it");
                continue;
            }
            let known = self.agent.file_option(name).unwrap_or(name).to_owned();
            match metadata.parameter(&known) {
                None => self.unknown(&key, metadata, name),
                Some(parameter) => {
                    if known == *name
                        && let Some(wanted) = unfit(parameter, value)
                    {
                        // A secret of the wrong kind is not repeated.
                        let value = if is_secret_option(name) { "this" } else { value };
                        self.wrong(&key, format!("{value:?} is no value for {name}"), format!("write {wanted}"));
                    }
                    if parameter.deprecated
                        && let Some(newer) = newer_name(metadata, parameter)
                    {
                        self.unwise(
                            &key,
                            format!("{} calls this option {newer} now", metadata.name),
                            format!("write {newer} instead of {name}"),
                        );
                    }
                }
            }
        }
        self.missing(metadata, options);
        self.actions(metadata);
        self.times(metadata, options);
        let wrong = self.found.iter().any(|finding| finding.grade == Grade::Wrong);
        if self.depth == Depth::Check && !wrong && metadata.knows_action(Action::ValidateAll.word()) {
            self.own_opinion();
        }
    }

    fn unknown(&mut self, key: &str, metadata: &Metadata, name: &str) {
        let nearest = metadata
            .parameters
            .iter()
            .map(|parameter| (strsim::jaro_winkler(&parameter.name, &normal(name)), parameter))
            .filter(|(alike, _)| *alike >= ALIKE)
            .max_by(|(one, _), (other, _)| one.total_cmp(other));
        let suggestion = match nearest {
            Some((_, parameter)) => format!("did you mean {:?}?", parameter.name),
            None => format!("`{} -o metadata` lists the options that it knows", self.agent.program().display()),
        };
        self.wrong(key, format!("{} knows no option {name:?}", metadata.name), suggestion);
    }

    fn missing(&mut self, metadata: &Metadata, options: &[(String, String)]) {
        let given = |name: &str| {
            options.iter().any(|(option, _)| {
                let option = normal(option);
                let stem = option.strip_suffix("_file").or_else(|| option.strip_suffix("_script"));
                option == name || stem == Some(name)
            })
        };
        for parameter in &metadata.parameters {
            let left_out = parameter.required && !parameter.deprecated && parameter.default.is_none();
            let older = parameter.obsoletes.as_deref();
            if !left_out || given(&parameter.name) || older.is_some_and(given) {
                continue;
            }
            let about = if parameter.about.is_empty() { String::new() } else { format!(" ({})", parameter.about) };
            let file = if is_secret_option(&parameter.name) { "_file" } else { "" };
            self.wrong(
                "options",
                format!("{} needs the option {}{about}", metadata.name, parameter.name),
                format!("add {}{file} = \"...\" to its options", parameter.name),
            );
        }
    }

    fn actions(&mut self, metadata: &Metadata) {
        let wanted = self.agent.config().action.word();
        if !metadata.knows_action(wanted) {
            let other = match self.agent.config().action {
                FenceAction::Off => FenceAction::Reboot.word(),
                FenceAction::Reboot => FenceAction::Off.word(),
            };
            let message = format!("{} knows no action {wanted:?}", metadata.name);
            self.wrong("action", message, format!("write action = \"{other}\", or use another agent"));
        }
        if !metadata.knows_action(Action::Status.word()) {
            self.wrong(
                "agent",
                format!("{} has no status: that the member is off could never be believed", metadata.name),
                "use an agent that can be asked for its status",
            );
        }
        if self.agent.config().action == FenceAction::Reboot {
            self.unwise(
                "action",
                "that it was off between off and on again is the agent's word alone; off can be asked for",
                "write action = \"off\"",
            );
        }
    }

    /// The time that the agent itself waits for the power to fall, against ours.
    fn times(&mut self, metadata: &Metadata, options: &[(String, String)]) {
        let given = options.iter().find(|(name, _)| normal(name) == "power_wait").map(|(_, value)| value.as_str());
        let default = metadata.parameter("power_wait").and_then(|parameter| parameter.default.as_deref());
        let Some(seconds) = given.or(default).and_then(|seconds| seconds.parse::<u64>().ok()) else { return };
        let wait = Duration::from_secs(seconds);
        let (timeout, delay) = (self.agent.config().timeout, self.agent.config().delay);
        let said = duration::text;
        if timeout <= wait {
            let message = format!("{} waits {} for the power to fall, longer than this", metadata.name, said(wait));
            self.wrong("timeout", message, format!("write \"{}\" or more", said(wait + Duration::from_secs(10))));
        }
        if delay <= wait {
            self.unwise(
                "delay",
                format!(
                    "{} takes {} and more to switch off: when the link is cut, both members can end switched off",
                    metadata.name,
                    said(wait)
                ),
                format!("write \"{}\" or more", said(wait + Duration::from_secs(3))),
            );
        }
    }

    /// What the agent itself thinks of its options.
    fn own_opinion(&mut self) {
        let deadline = Instant::now() + METADATA_WITHIN;
        let tried = self.agent.run(Action::ValidateAll, deadline, &self.bell, &mut || false);
        match tried.ended {
            Ended::Exited(0) => {}
            Ended::Exited(_) => {
                let why = tried.why();
                self.wrong("options", format!("{} refuses its options: {why}", self.agent.name()), "correct them");
            }
            Ended::Signalled(_) | Ended::TimedOut | Ended::Interrupted | Ended::NotStarted(_) => {
                let why = tried.why();
                self.unwise(
                    "agent",
                    format!("{} cannot look at its options: {why}", self.agent.name()),
                    "run it by hand",
                );
            }
        }
    }
}

/// What to write instead of a value that the option does not take.
fn unfit(parameter: &Parameter, value: &str) -> Option<String> {
    match &parameter.content {
        Content::Text => None,
        Content::Integer => value.parse::<i64>().is_err().then(|| "a whole number".to_owned()),
        Content::Seconds => value.parse::<u64>().is_err().then(|| "a number of seconds, without a unit".to_owned()),
        Content::Boolean => {
            let known = ["1", "yes", "on", "true", "0", "no", "off", "false"];
            (!known.contains(&value.to_ascii_lowercase().as_str())).then(|| "true or false".to_owned())
        }
        Content::OneOf(words) => {
            (!words.iter().any(|word| word == value)).then(|| format!("one of {}", words.join(", ")))
        }
    }
}

fn newer_name<'a>(metadata: &'a Metadata, old: &Parameter) -> Option<&'a str> {
    let newer = |parameter: &&Parameter| parameter.obsoletes.as_deref() == Some(&old.name);
    metadata.parameters.iter().find(newer).map(|parameter| parameter.name.as_str())
}

/// The mode of a file that others than its owner and group can read.
fn open_to_others(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o004 != 0).then_some(mode)
}

fn look_at(program: &Path) -> io::Result<()> {
    let found = fs::metadata(program)?;
    match found.is_file() && found.permissions().mode() & 0o111 != 0 {
        true => Ok(()),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

fn in_path(word: &Path) -> io::Result<()> {
    let folders = super::run::PATH.split(':').map(PathBuf::from);
    let mut found = folders.map(|folder| look_at(&folder.join(word)));
    found.find(Result::is_ok).unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
}

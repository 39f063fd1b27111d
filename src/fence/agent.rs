//! One agent: what it is given, how it is run, and what its exit status means.
//!
//! Options and secrets go to its standard input and nowhere else. A plain command line gets its action in place of
//! `{action}`, and nothing else of ours. What an agent prints is kept for people; it is never judged by that.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::fencing::{AgentConfig, FenceConfig, FencePaths, is_secret_option};

use super::bell::Bell;
use super::metadata::{Metadata, normal};
use super::run::{Ended, Job, Ran, Streams, run};
use super::secret::Redactor;

/// How much of an agent's output is kept: the last of it.
const KEEP: usize = 64 << 10;

/// The longest metadata that is read. The longest of Debian's agents is a tenth of it.
const KEEP_METADATA: usize = 256 << 10;

/// How long an agent may take to describe itself. It touches no device for that.
pub(super) const METADATA_WITHIN: Duration = Duration::from_secs(10);

/// The longest secret that a file may hold.
const LONGEST_SECRET: u64 = 16 << 10;

/// How much of an agent's last words is quoted in a sentence.
const QUOTED: usize = 160;

/// The exit status by which `status` says "off".
const STATUS_OFF: i32 = 2;

/// What an agent is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Off, and stays off.
    Off,
    /// Off and on again.
    Reboot,
    /// Whether it is on or off.
    Status,
    /// Whether the device answers.
    Monitor,
    /// What the agent says of itself.
    Metadata,
    /// Whether its options make sense; touches no device.
    ValidateAll,
}

impl Action {
    /// The word of the fence-agents convention.
    pub fn word(self) -> &'static str {
        match self {
            Action::Off => "off",
            Action::Reboot => "reboot",
            Action::Status => "status",
            Action::Monitor => "monitor",
            Action::Metadata => "metadata",
            Action::ValidateAll => "validate-all",
        }
    }
}

/// What an agent says of the power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// It is on.
    On,
    /// It is off.
    Off,
    /// It does not say, and why.
    Unknown(String),
}

/// One run of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub(super) ended: Ended,
    /// What it printed: the last of it, without secrets, control characters escaped.
    pub output: String,
    /// How long it ran.
    pub took: Duration,
}

impl Tried {
    /// Whether it says that what was asked is done.
    pub(super) fn succeeded(&self) -> bool {
        self.ended == Ended::Exited(0)
    }

    /// What its exit status means as the answer to `status`.
    pub(super) fn power(&self) -> Power {
        match self.ended {
            Ended::Exited(0) => Power::On,
            Ended::Exited(STATUS_OFF) => Power::Off,
            Ended::Exited(_) | Ended::Signalled(_) | Ended::TimedOut | Ended::Interrupted | Ended::NotStarted(_) => {
                Power::Unknown(self.why())
            }
        }
    }

    /// Why it did not succeed, in a few words, with its own last ones.
    pub(super) fn why(&self) -> String {
        match &self.ended {
            Ended::Exited(code) => with_words(format!("exit status {code}"), &self.last_words()),
            Ended::Signalled(signal) => with_words(format!("it crashed (signal {signal})"), &self.last_words()),
            Ended::TimedOut => {
                let after = crate::config::duration::text(Duration::from_millis(rounded_ms(self.took)));
                with_words(format!("no answer within {after}"), &self.last_words())
            }
            Ended::Interrupted => "something more urgent came first".to_owned(),
            Ended::NotStarted(why) => why.clone(),
        }
    }

    /// The last line that it printed; of a log line what comes after its level.
    fn last_words(&self) -> String {
        let line = self.output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let line = ["ERROR: ", "WARNING: ", "CRITICAL: "]
            .iter()
            .find_map(|level| line.split_once(level).map(|(_, said)| said))
            .unwrap_or(line);
        match line.char_indices().nth(QUOTED) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None => line.to_owned(),
        }
    }
}

/// A timeout is a round number; what passed until its end was noticed is not worth a digit.
fn rounded_ms(took: Duration) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if ms >= 1_000 { ms / 100 * 100 } else { ms / 10 * 10 }
}

fn with_words(what: String, words: &str) -> String {
    if words.is_empty() { what } else { format!("{what}: {words}") }
}

/// A configured agent. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Agent {
    config: FenceConfig,
    paths: FencePaths,
    launcher: Option<PathBuf>,
    metadata: Option<Metadata>,
}

/// What one run is given.
pub(super) struct Prepared {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Its standard input, line by line.
    pub(super) lines: Vec<Line>,
    pub(super) redactor: Redactor,
}

/// One line of an agent's standard input.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) value: String,
    /// Never to be shown.
    pub(super) secret: bool,
}

impl Agent {
    /// The agent of `config`.
    pub fn new(config: FenceConfig, paths: FencePaths) -> Agent {
        Agent { config, paths, launcher: None, metadata: None }
    }

    /// The same, started through `launcher`, the tandem program: so that it dies with the controller.
    pub fn launched_by(self, launcher: Option<PathBuf>) -> Agent {
        Agent { launcher, ..self }
    }

    /// How it is configured.
    pub fn config(&self) -> &FenceConfig {
        &self.config
    }

    /// What it said of itself, once it was asked ([`Agent::learn`]); a command line says nothing.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The program's path. Of a command line, a word without a slash is looked up where system programs are.
    pub fn program(&self) -> PathBuf {
        match &self.config.agent {
            AgentConfig::Agent { path, .. } => self.paths.resolve(path),
            AgentConfig::Command { command } => match command.first() {
                Some(word) if word.contains('/') => self.paths.resolve(word),
                Some(word) => PathBuf::from(word),
                None => PathBuf::new(),
            },
        }
    }

    /// Its name for people: "fence_ipmilan".
    pub fn name(&self) -> String {
        let program = self.program();
        program.file_name().map_or_else(|| "?".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// Asks the agent what it says of itself. A command line says nothing, which is no error.
    ///
    /// # Errors
    ///
    /// It cannot be run, does not answer, or answers with something else; as a sentence.
    pub(super) fn learn(
        &mut self,
        within: Duration,
        bell: &Bell,
        interrupt: &mut dyn FnMut() -> bool,
    ) -> Result<(), String> {
        if matches!(self.config.agent, AgentConfig::Command { .. }) || self.metadata.is_some() {
            return Ok(());
        }
        let job = Job {
            launcher: self.launcher.as_deref(),
            program: &self.program(),
            arguments: &[],
            input: b"action=metadata\n",
            streams: Streams::Output,
            keep: KEEP_METADATA,
            deadline: Instant::now() + within,
        };
        let ran = run(&job, bell, interrupt);
        let said = String::from_utf8_lossy(&ran.output);
        if ran.dropped > 0 {
            return Err("its metadata is longer than 256 KiB".to_owned());
        }
        let metadata = Metadata::parse(&said);
        let tried = Tried { ended: ran.ended, output: shown(&said), took: ran.took };
        match (tried.succeeded(), metadata) {
            (true, Ok(metadata)) => {
                self.metadata = Some(metadata);
                Ok(())
            }
            (true, Err(error)) => Err(error.to_string()),
            (false, _) => Err(tried.why()),
        }
    }

    /// Runs it for `action`, given up at `deadline`.
    pub(super) fn run(
        &self,
        action: Action,
        deadline: Instant,
        bell: &Bell,
        interrupt: &mut dyn FnMut() -> bool,
    ) -> Tried {
        let prepared = match self.prepare(action) {
            Ok(prepared) => prepared,
            Err(why) => return Tried { ended: Ended::NotStarted(why), output: String::new(), took: Duration::ZERO },
        };
        let input: String = prepared.lines.iter().map(|line| format!("{}={}\n", line.name, line.value)).collect();
        let job = Job {
            launcher: self.launcher.as_deref(),
            program: &prepared.program,
            arguments: &prepared.arguments,
            input: input.as_bytes(),
            streams: Streams::Both,
            keep: KEEP,
            deadline,
        };
        let Ran { ended, output, dropped, took } = run(&job, bell, interrupt);
        Tried { ended, output: kept(&output, dropped, &prepared.redactor), took }
    }

    /// What the agent would be given for `action`.
    ///
    /// # Errors
    ///
    /// A secret's file cannot be read, or a value cannot be written on a line.
    pub(super) fn prepare(&self, action: Action) -> Result<Prepared, String> {
        let mut prepared = Prepared {
            program: self.program(),
            arguments: Vec::new(),
            lines: Vec::new(),
            redactor: Redactor::default(),
        };
        match &self.config.agent {
            AgentConfig::Command { command } => {
                let words = command.iter().skip(1);
                prepared.arguments = words.map(|word| word.replace("{action}", action.word())).collect();
            }
            AgentConfig::Agent { options, .. } => {
                prepared.lines.push(Line { name: "action".to_owned(), value: action.word().to_owned(), secret: false });
                for (name, value) in options {
                    let line = self.line(name, value)?;
                    if line.value.contains(['\n', '\r', '\0']) {
                        return Err(format!("the value of {name} is not one line of text"));
                    }
                    if line.secret {
                        prepared.redactor.add(&line.value);
                    }
                    prepared.lines.push(line);
                }
            }
        }
        Ok(prepared)
    }

    fn line(&self, name: &str, value: &str) -> Result<Line, String> {
        match self.file_option(name) {
            Some(stem) => {
                let value = read_secret(&self.file(value)).map_err(|why| format!("{name}: {why}"))?;
                Ok(Line { name: stem.to_owned(), value, secret: true })
            }
            None => Ok(Line { name: name.to_owned(), value: value.to_owned(), secret: is_secret_option(name) }),
        }
    }

    /// Whether the option `name` names a file whose content is the value of another option, and of which. The agent's own
    /// options come first; without its metadata only the file of a secret is one of ours.
    pub(super) fn file_option<'a>(&self, name: &'a str) -> Option<&'a str> {
        let stem = name.strip_suffix("_file")?;
        match &self.metadata {
            Some(metadata) => (metadata.parameter(&normal(name)).is_none()).then_some(stem),
            None => is_secret_option(stem).then_some(stem),
        }
    }

    /// The file that the option `name` with this `value` names.
    pub(super) fn file(&self, value: &str) -> PathBuf {
        self.paths.resolve(value)
    }
}

/// The first line of a small file.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    let said = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let length = std::fs::metadata(path).map_err(said)?;
    if !length.is_file() || length.len() > LONGEST_SECRET {
        return Err(format!("{} is no plain file of at most 16 KiB", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(said)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(secret.to_owned())
}

/// Output as it may be kept. Where its beginning is lost, the line that was cut goes too: half a secret is none that
/// could be recognised.
fn kept(output: &[u8], dropped: u64, redactor: &Redactor) -> String {
    let text = String::from_utf8_lossy(output);
    if dropped == 0 {
        return shown(&redactor.clean(&text));
    }
    let whole = text.split_once('\n').map_or("", |(_, whole)| whole);
    format!("... {} KiB before this\n{}", dropped.div_ceil(1024), shown(&redactor.clean(whole)))
}

/// Text without anything that a terminal would obey, and without blank lines.
fn shown(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if !lines.is_empty() {
            lines.push('\n');
        }
        for letter in line.chars() {
            match letter {
                '\t' => lines.push(' '),
                letter if letter.is_control() => lines.extend(letter.escape_default()),
                letter => lines.push(letter),
            }
        }
    }
    lines
}

//! The required processes and the hooks as the file names them (P1–P4): what is started, when, how it is asked whether
//! it lives, and what happens when it dies.

use std::collections::BTreeMap;
use std::time::Duration;

/// One `[[process]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessConfig {
    /// Its name, unique in the file.
    pub name: String,
    /// The program and its arguments; at least the program.
    pub command: Vec<String>,
    /// In which mode of this member it runs (P2).
    pub run_when: RunWhen,
    /// Whether it counts for the Total Health Score (H6).
    pub counts: bool,
    /// How it is asked whether it lives; none: only its life counts (P3).
    pub heartbeat: Option<HeartbeatConfig>,
    /// What happens when it dies.
    pub restart: Restart,
    /// How long it may take until it is ready; neutral for the score meanwhile (H3).
    pub start_timeout: Duration,
    /// How long it may take to stop after SIGTERM before it is killed.
    pub stop_grace: Duration,
    /// Added to its environment.
    pub environment: BTreeMap<String, String>,
    /// Its working directory as written, with `{member}`; none: the configuration file's folder.
    pub directory: Option<String>,
    /// The user it runs as; none: the controller's.
    pub user: Option<String>,
    /// What it may use.
    pub limits: Limits,
}

impl ProcessConfig {
    /// A process with every default, for `name` and `command`.
    pub fn new(name: impl Into<String>, command: Vec<String>) -> ProcessConfig {
        ProcessConfig {
            name: name.into(),
            command,
            run_when: RunWhen::Always,
            counts: true,
            heartbeat: None,
            restart: Restart::default(),
            start_timeout: Duration::from_secs(30),
            stop_grace: Duration::from_secs(5),
            environment: BTreeMap::new(),
            directory: None,
            user: None,
            limits: Limits::default(),
        }
    }
}

/// In which mode of its member a process runs (P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunWhen {
    /// In both.
    #[default]
    Always,
    /// Only while this member is Primary.
    Primary,
    /// Only while it is Secondary.
    Secondary,
}

impl RunWhen {
    /// The word of the configuration and the JSON.
    pub fn word(self) -> &'static str {
        match self {
            RunWhen::Always => "always",
            RunWhen::Primary => "primary",
            RunWhen::Secondary => "secondary",
        }
    }
}

/// A process's heartbeat (P3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// How it is asked.
    pub kind: HeartbeatKind,
    /// How often.
    pub period: Duration,
}

/// How a process is asked whether it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatKind {
    /// It says so itself, by systemd's notify protocol.
    Notify,
    /// A line on its standard input is answered on its standard output.
    Line,
    /// One of the probes that a health check uses too.
    Probe(Probe),
}

impl HeartbeatKind {
    /// The word of the configuration and the JSON.
    pub fn word(&self) -> &'static str {
        match self {
            HeartbeatKind::Notify => "notify",
            HeartbeatKind::Line => "line",
            HeartbeatKind::Probe(probe) => probe.word(),
        }
    }
}

/// A question to anything that can be asked from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// GET; any status from 200 to 299 is a good answer.
    Http {
        /// `http://host:port/path`.
        target: String,
    },
    /// A TCP connection that opens is a good answer.
    Tcp {
        /// `host:port`.
        target: String,
    },
    /// Exit status 0 is a good answer.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
    },
}

impl Probe {
    /// The word of the configuration and the JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Probe::Http { .. } => "http",
            Probe::Tcp { .. } => "tcp",
            Probe::Command { .. } => "command",
        }
    }
}

/// What happens when a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// Waited before the first restart; doubles with each that follows soon.
    pub delay: Duration,
    /// The longest that is waited.
    pub max_delay: Duration,
    /// More restarts than this within `within`, and it is given up.
    pub burst: u32,
    /// The time in which `burst` counts.
    pub within: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Restart {
            delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            burst: 5,
            within: Duration::from_secs(60),
        }
    }
}

/// What a process may use; none: no limit of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory, bytes.
    pub memory: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
}

/// `[hooks]`: commands that are run on transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Run when this member has become Primary and its processes are ready; empty: none.
    pub on_primary: Vec<String>,
    /// Run when it has become Secondary; empty: none.
    pub on_secondary: Vec<String>,
    /// Run with the alarm on standard input, JSON; empty: none.
    pub on_alarm: Vec<String>,
    /// After this long a hook is killed.
    pub timeout: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Hooks {
            on_primary: Vec::new(),
            on_secondary: Vec::new(),
            on_alarm: Vec::new(),
            timeout: Duration::from_secs(10),
        }
    }
}

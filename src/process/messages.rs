//! What controller and guardian say to each other, and what a trampoline is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The variable that marks everything started for one controller: `STATE-INCARNATION-LAUNCH`, each in hexadecimal but the
/// last. Descendants inherit it, wherever they go.
pub const MARKER: &str = "TANDEM_INSTANCE";

/// One start of one program; never used twice by a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaunchId(pub u64);

/// On what a program's right to run rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Right {
    /// On the controller: it ends with it.
    Controller,
    /// On its being Primary: it also ends when the deadline passes that a living Primary renews (P6).
    Primary,
}

/// What is started, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The program and its arguments; at least the program.
    pub command: Vec<String>,
    /// Set in its environment, which is otherwise the controller's own.
    pub environment: BTreeMap<String, String>,
    /// Its working directory.
    pub directory: PathBuf,
    /// The user it runs as; none: the controller's.
    pub user: Option<String>,
    /// Memory, bytes.
    pub memory: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
}

/// From the controller to its guardian.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// The first of all. Beside it: the file with the deadline, then the listening sockets.
    Begin {
        /// The marker's value without the launch: `STATE-INCARNATION`.
        instance: String,
    },
    /// Start this. Beside it: its standard input, and what is its standard output and error.
    Launch {
        /// Its number.
        launch: LaunchId,
        /// On what its right to run rests.
        right: Right,
        /// What.
        program: Program,
    },
    /// SIGTERM to its process group, and to its descendants that left the group.
    Terminate {
        /// Which.
        launch: LaunchId,
    },
    /// SIGKILL to it and every descendant.
    Kill {
        /// Which.
        launch: LaunchId,
    },
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It ended by itself with this status.
    Status(i32),
    /// A signal of this number ended it.
    Signal(i32),
}

impl End {
    /// Whether it ended by itself and says that all is well.
    pub fn is_success(self) -> bool {
        self == End::Status(0)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Status(status) => write!(f, "exit status {status}"),
            End::Signal(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {number}"),
            },
        }
    }
}

/// From the guardian to its controller.
#[derive(Debug, Serialize, Deserialize)]
pub enum Word {
    /// The program runs: the trampoline has become it.
    Started {
        /// Which.
        launch: LaunchId,
        /// Its process id.
        pid: i32,
    },
    /// It could not be started, and nothing of it is left.
    Failed {
        /// Which.
        launch: LaunchId,
        /// Why, as a sentence without a full stop.
        why: String,
    },
    /// It ended; what it left behind is being killed, unless it was told to terminate and its grace is not over.
    Exited {
        /// Which.
        launch: LaunchId,
        /// How.
        end: End,
    },
    /// It has ended, and so has every descendant.
    Gone {
        /// Which.
        launch: LaunchId,
    },
    /// The deadline passed: everything that may only run on a Primary is being killed (P6).
    Overdue {
        /// Which.
        launches: Vec<LaunchId>,
        /// When it was killed, in nanoseconds since boot.
        killed: u64,
        /// How long after the deadline that was, nanoseconds.
        late: u64,
    },
    /// Something that should work does not.
    Fault {
        /// What, as a sentence without a full stop.
        text: String,
    },
}

/// From the guardian to a trampoline. Beside it: standard input, and what is its standard output and error.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// What to become.
    pub program: Program,
    /// The guardian: when it has ended by then, there is nothing to do any more.
    pub guardian: i32,
    /// The control group to enter.
    pub cgroup: Option<PathBuf>,
}

/// From a trampoline that could not become what it should, to the guardian.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Why, as a sentence without a full stop.
    pub why: String,
}

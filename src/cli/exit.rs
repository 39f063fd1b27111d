//! Exit statuses, as commands.md fixes them.

use std::process::ExitCode;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; `status`: fine.
    Done,
    /// Refused or failed; `status`: degraded.
    Failed,
    /// Wrong usage; `status`: critical.
    Usage,
    /// No controller answers; `status`: also wrong usage.
    NoController,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NoController => 3,
        })
    }
}

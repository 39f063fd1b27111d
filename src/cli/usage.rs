//! What becomes of a command line that cannot be understood, and of one that asks for help.

use std::ffi::OsString;

use clap::CommandFactory;

use super::args::Cli;
use super::exit::Exit;

/// Prints it where it belongs and says how to end: 0 for help, 2 for wrong usage; for `status` 3, because its 2 tells a
/// monitoring system that the group is in danger.
pub fn say(error: &clap::Error) -> Exit {
    // The reader may be gone; the exit status is still true.
    let _ = error.print();
    match error.use_stderr() {
        false => Exit::Done,
        true if is_status(std::env::args_os()) => Exit::NoController,
        true => Exit::Usage,
    }
}

/// Whether the command is `status`, as far as the line can be read.
fn is_status(line: impl IntoIterator<Item = OsString>) -> bool {
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(line);
    matches.is_ok_and(|matches| matches.subcommand_name() == Some("status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u7_wrong_usage_of_status_is_told_apart() {
        let line = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for of_status in ["tandem status --nonsense", "tandem --config x status --json=1", "tandem status more"] {
            assert!(is_status(line(of_status)), "{of_status}");
        }
        for of_others in
            ["tandem ping --nonsense", "tandem --config status", "tandem nonsense", "tandem ping status -x"]
        {
            assert!(!is_status(line(of_others)), "{of_others}");
        }
    }
}

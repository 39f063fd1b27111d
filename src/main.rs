//! The `tandem` program: parse, dispatch, exit status.

use std::process::ExitCode;

use clap::Parser;
use tandem::cli::args::Cli;
use tandem::cli::exit::Exit;

fn main() -> ExitCode {
    // Started by the link of /proc to its own file, it would be listed as "exe". Only a name: nothing rests on it.
    let _ = nix::sys::prctl::set_name(c"tandem");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return tandem::cli::usage::say(&error).into(),
    };
    match tandem::cli::dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            tandem::complain!("tandem: {}", whole(&error));
            Exit::Failed.into()
        }
    }
}

/// An error with its causes. Many of them tell their cause in their own words already; nobody needs it twice.
fn whole(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

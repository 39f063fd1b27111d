//! The `tandem` program: parse, dispatch, exit status.

use std::process::ExitCode;

use clap::Parser;
use tandem::cli::args::Cli;
use tandem::cli::exit::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return tandem::cli::usage::say(&error).into(),
    };
    match tandem::cli::dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("tandem: {error:#}");
            Exit::Failed.into()
        }
    }
}

//! The `tandem` program: parse, dispatch, exit status.

use std::process::ExitCode;

use clap::Parser;
use tandem::cli::args::Cli;
use tandem::cli::exit::Exit;

fn main() -> ExitCode {
    match tandem::cli::dispatch(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("tandem: {error:#}");
            Exit::Failed.into()
        }
    }
}

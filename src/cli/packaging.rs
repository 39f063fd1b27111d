//! `tandem completions` and `tandem man`: for packagers, made from the very definitions that parse the command line.

use std::fs;
use std::io::{self, Write};

use anyhow::Context;
use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::exit::Exit;

/// Completions for one shell, on standard output.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tandem", &mut script);
    io::stdout().write_all(&script).context("cannot write the completions to standard output")?;
    Ok(Exit::Done)
}

/// One man page a command into a directory, or the main page on standard output.
pub fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).context("cannot make the man page")?;
        io::stdout().write_all(&page).context("cannot write the man page to standard output")?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .with_context(|| format!("cannot write the man pages into {}", directory.display()))?;
    Ok(Exit::Done)
}

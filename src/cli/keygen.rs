//! `tandem keygen`: a new group key (S8).

use std::io::{self, Write};

use crate::config::keys;

use super::args::KeygenArgs;
use super::exit::Exit;

/// Makes the key, and says what to do with it.
pub fn run(args: &KeygenArgs) -> anyhow::Result<Exit> {
    keys::generate(&args.file)?;
    writeln!(
        io::stdout(),
        "made {}, mode 0600\nCopy it to every member, by a safe way: who has it can speak as a member.",
        args.file.display()
    )?;
    Ok(Exit::Done)
}

//! `tandem reload`: the controller reads its configuration again, applies what can change, and names the rest (U10).

use std::io::{self, Write};
use std::time::Duration;

use crate::control::request::{Reloaded, ReloadedKey, Reply, Request};

use super::args::Global;
use super::connect::{ConnectError, connect};
use super::exit::Exit;

/// Agents that describe themselves take the longest, some 20 s each.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks for it and prints what came of it.
pub fn run(global: &Global) -> anyhow::Result<Exit> {
    let mut client = match connect(global) {
        Ok(client) => client,
        Err(ConnectError::Configuration(why)) => {
            crate::complain!("tandem: the configuration is faulty, and nothing was changed\n{why}");
            return Ok(Exit::Failed);
        }
        Err(error) => {
            crate::complain!("tandem: {error}");
            return Ok(error.exit());
        }
    };
    let node = client.hello.node.clone();
    match client.ask(&Request::Reload, PATIENCE) {
        Ok(Reply::Reloaded(reloaded)) => {
            io::stdout().lock().write_all(text(&node, &reloaded).as_bytes())?;
            Ok(Exit::Done)
        }
        Ok(Reply::Refused { why }) => {
            crate::complain!("tandem: {node} changed nothing\n{why}");
            Ok(Exit::Failed)
        }
        Ok(other) => anyhow::bail!("{node} answered with something else: {other:?}"),
        Err(error) => {
            crate::complain!("tandem: {error}");
            Ok(Exit::NoController)
        }
    }
}

/// For a person.
fn text(node: &str, reloaded: &Reloaded) -> String {
    let Reloaded { file, applied, needs_restart } = reloaded;
    if applied.is_empty() && needs_restart.is_empty() {
        return format!("{node}: {file} says what runs already; nothing has changed\n");
    }
    let mut text = String::new();
    let width = applied.iter().chain(needs_restart).map(|line| line.key.len()).max().unwrap_or(0);
    let mut list = |title: String, lines: &[ReloadedKey]| {
        if !lines.is_empty() {
            text.push_str(&title);
            for ReloadedKey { key, text: how } in lines {
                text.push_str(&format!("  {key:width$}  {how}\n"));
            }
        }
    };
    list(format!("{node} has applied {file}:\n"), applied);
    list(format!("{node} needs a restart for these, and goes on without them:\n"), needs_restart);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, text: &str) -> ReloadedKey {
        ReloadedKey { key: key.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn u10_what_is_applied_and_what_is_not_are_told_apart() {
        let mut reloaded = Reloaded { file: "t.toml".to_owned(), applied: Vec::new(), needs_restart: Vec::new() };
        assert_eq!(text("alpha", &reloaded), "alpha: t.toml says what runs already; nothing has changed\n");
        reloaded.applied.push(line("takeover.margin", "at once"));
        reloaded.needs_restart.push(line("group", "it is part of every connection"));
        assert_eq!(
            text("alpha", &reloaded),
            "alpha has applied t.toml:\n  takeover.margin  at once\n\
             alpha needs a restart for these, and goes on without them:\n  \
             group            it is part of every connection\n"
        );
    }
}

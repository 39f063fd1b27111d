//! `tandem check`: what is wrong with a configuration, then what is unwise.

use std::io::{self, Write};

use serde::Serialize;

use crate::config::advice::{self, Advice};
use crate::config::{self, Config, ConfigErrors, WhoError};
use crate::fence::check::{self as fence_check, Depth, Grade};
use crate::negotiation::member::MemberId;

use super::args::{CheckArgs, Global};
use super::exit::Exit;

/// What was found: the document that `--json` prints.
#[derive(Debug, Serialize)]
struct Findings {
    /// The file that was looked at.
    file: String,
    /// Whether tandem would start with it. What is unwise does not change this.
    ok: bool,
    /// What is wrong, in the order of the file. Line and column are null where no line of the file is at fault.
    errors: Vec<Advice>,
    /// What is unwise.
    unwise: Vec<Advice>,
    /// What was not looked at, and why.
    left_out: Vec<String>,
}

/// Looks at the file, and at this machine where it is one of the group's.
pub fn run(global: &Global, args: &CheckArgs) -> anyhow::Result<Exit> {
    let path = config::locate(args.file.as_deref().or(global.config.as_deref()));
    let file = path.display().to_string();
    let (findings, text) = match Config::load(&path) {
        Ok(config) => {
            let findings = look(&config, global.member.as_deref(), file);
            let text = findings.to_text(&config);
            (findings, text)
        }
        Err(errors) => {
            let text = format!("{errors}\n{}\n", count(errors.errors().len(), "error", "errors"));
            (Findings::of_errors(&errors, file), text)
        }
    };
    let mut output = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut output, &findings)?;
        writeln!(output)?;
    } else if findings.ok {
        output.write_all(text.as_bytes())?;
    } else {
        io::stderr().lock().write_all(text.as_bytes())?;
    }
    output.flush()?;
    Ok(findings.exit(args.strict))
}

/// What is unwise about a file that is right; or that it has no such member as was named.
fn look(config: &Config, named: Option<&str>, file: String) -> Findings {
    let mut findings =
        Findings { file, ok: true, errors: Vec::new(), unwise: advice::of_file(config), left_out: Vec::new() };
    let members = match config.which_member(named) {
        Ok(me) => vec![me],
        Err(WhoError::SeveralLocal { .. }) => config.local_members(),
        Err(error @ WhoError::NoSuchMember { .. }) => {
            findings.errors.push(Advice {
                line: None,
                column: None,
                key: "member.name".to_owned(),
                message: error.to_string(),
                suggestion: "correct --as, or TANDEM_MEMBER".to_owned(),
            });
            Vec::new()
        }
        Err(error @ (WhoError::NoneLocal { .. } | WhoError::NoAddresses { .. })) => {
            findings.left_out.push(format!("key, folders, programs and users of this machine: {error}"));
            Vec::new()
        }
    };
    for me in members {
        let found = advice::of_machine(config, me);
        add_new(&mut findings.errors, found.wrong);
        add_new(&mut findings.unwise, found.unwise);
        agents(config, me, &mut findings);
    }
    findings.ok = findings.errors.is_empty();
    findings
}

/// Asks the agents that switch the others off what they think of their options (S2). What was found wrong with an agent
/// already is not said twice.
fn agents(config: &Config, me: MemberId, findings: &mut Findings) {
    for (peer, fence) in config.fences.iter().filter(|(peer, _)| **peer != me) {
        let name = config.name(*peer);
        let found = match fence_check::check(name.as_str(), fence, config.fence_paths(me), Depth::Check) {
            Ok(found) => found,
            Err(error) => {
                findings.left_out.push(format!("the agent of [fence.{name}]: {error}"));
                continue;
            }
        };
        for one in found {
            let known = findings.errors.iter().chain(&findings.unwise).any(|advice| advice.key == one.key);
            let list = match one.grade {
                Grade::Wrong => &mut findings.errors,
                Grade::Unwise => &mut findings.unwise,
            };
            if !known {
                list.push(config.advise(&one.key, one.message, one.suggestion));
            }
        }
    }
}

/// Adds what is not there yet: several members on one machine may share a key or a group.
fn add_new(list: &mut Vec<Advice>, found: Vec<Advice>) {
    for advice in found {
        if !list.contains(&advice) {
            list.push(advice);
        }
    }
}

impl Findings {
    fn of_errors(errors: &ConfigErrors, file: String) -> Findings {
        let wrong = errors.errors().iter().map(|error| Advice {
            line: error.place.map(|place| place.line),
            column: error.place.map(|place| place.column),
            key: error.key.clone(),
            message: error.message.clone(),
            suggestion: error.suggestion.clone(),
        });
        Findings { file, ok: false, errors: wrong.collect(), unwise: Vec::new(), left_out: Vec::new() }
    }

    fn exit(&self, strict: bool) -> Exit {
        if !self.ok || (strict && !self.unwise.is_empty()) { Exit::Failed } else { Exit::Done }
    }

    /// For a person.
    fn to_text(&self, config: &Config) -> String {
        let mut lines = Vec::new();
        lines.extend(wrong_lines(&self.file, &self.errors));
        for unwise in &self.unwise {
            let place = unwise.place().unwrap_or_else(|| " (default)".to_owned());
            lines.push(format!("{}{place}: unwise: {}", self.file, unwise.key));
            lines.push(format!("  {}", unwise.message));
            lines.push(format!("  help: {}", unwise.suggestion));
        }
        lines.extend(self.left_out.iter().map(|left_out| format!("not looked at: {left_out}")));
        lines.push(match (self.ok, self.unwise.len()) {
            (false, _) => count(self.errors.len(), "error", "errors"),
            (true, unwise) => {
                let names: Vec<&str> = config.members.iter().map(|member| member.name.as_str()).collect();
                let verdict = match unwise {
                    0 => "nothing unwise".to_owned(),
                    unwise => count(unwise, "thing is unwise", "things are unwise"),
                };
                format!("{}: nothing wrong, {verdict}; group {} of {}", self.file, config.group, names.join(", "))
            }
        });
        lines.join("\n") + "\n"
    }
}

/// What is wrong with `file` on this machine, for a person: two lines each.
pub(super) fn wrong_lines(file: &str, wrong: &[Advice]) -> Vec<String> {
    let lines = |wrong: &Advice| {
        let place = wrong.place().unwrap_or_default();
        [format!("{file}{place}: {}", wrong.message), format!("  help: {}", wrong.suggestion)]
    };
    wrong.iter().flat_map(lines).collect()
}

fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

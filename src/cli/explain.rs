//! `tandem explain`: why the mode is what it is, or was. The rule, the evidence, and what would have changed it (U4).
//!
//! Everything comes from the journal's decisions; the words are the negotiation's own.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::Zoned;
use serde::Serialize;

use super::args::{ExplainArgs, Global};
use super::exit::Exit;
use super::moment::{self, lasted, readable};
use super::plain::plain;
use super::whereabouts;
use crate::control::words::facts;
use crate::journal::{self, Entry, Reader};
use crate::negotiation::decision::{Decision, Rule};
use crate::negotiation::message::Mode;
use crate::negotiation::term::Term;
use crate::negotiation::time::Instant;
use crate::node::clock::{rfc3339, unix_ms};
use crate::node::state;

/// A change of mode in the journal.
#[derive(Debug, Clone)]
struct Change {
    seq: u64,
    node: Option<String>,
    at_unix_ms: u64,
    decision: Decision,
    /// When the member decided it, where its term then had to go to disk first.
    decided_unix_ms: Option<u64>,
    /// When the next change came; none: it is the last.
    until_unix_ms: Option<u64>,
    /// When the controller stopped in this mode.
    stopped_unix_ms: Option<u64>,
}

/// Whether a mode still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// The controller runs in it.
    Holds,
    /// Another followed.
    Followed,
    /// The controller was stopped in it.
    Stopped,
    /// The controller does not run, and the journal says no end: a crash, or a loss of power.
    Vanished,
}

impl Change {
    fn standing(&self, runs: bool) -> Standing {
        match (self.stopped_unix_ms, self.until_unix_ms) {
            (Some(_), _) => Standing::Stopped,
            (None, Some(_)) => Standing::Followed,
            (None, None) if runs => Standing::Holds,
            (None, None) => Standing::Vanished,
        }
    }
}

/// Which change is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// The Nth latest, from 1.
    Latest(u32),
    /// The one in force then, milliseconds since 1970.
    At(u64),
}

/// Prints the explanation that was asked for.
pub fn run(global: &Global, args: &ExplainArgs) -> anyhow::Result<Exit> {
    let which = match args.at.as_deref().map(|text| moment::parse(text, &Zoned::now())) {
        Some(Ok(at)) => Which::At(at),
        Some(Err(error)) => {
            crate::complain!("tandem: --at: {error}");
            return Ok(Exit::Usage);
        }
        None => Which::Latest(args.change.unwrap_or(1)),
    };
    let directory = match whereabouts::state_directory_or_say(global) {
        Ok(directory) => directory,
        Err(exit) => return Ok(exit),
    };
    let mut reader = journal::read(&directory)?;
    let changes = changes(&mut reader);
    if let Some(error) = reader.failure() {
        return Err(error.into());
    }
    let lost: u64 = reader.skipped().iter().map(|passed| passed.bytes).sum();
    if lost > 0 {
        crate::complain!(
            "tandem: {lost} bytes of the journal could not be read (see tandem events); a change may be missing"
        );
    }
    let change = choose(&changes, which)
        .with_context(|| format!("cannot explain from the journal in {}", directory.display()))?;
    // Where it is not known, the journal is believed.
    let runs = state::is_in_use(&directory).unwrap_or(true);
    let standing = change.standing(runs);
    let mut out = io::stdout().lock();
    let printed =
        if args.json { print_json(change, standing, &mut out) } else { print(change, standing, unix_ms(), &mut out) };
    match printed.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        Ok(()) | Err(_) => Ok(Exit::Done),
    }
}

/// All changes of mode, oldest first.
fn changes(reader: &mut Reader) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut taking_over: Option<(u64, Decision)> = None;
    while let Some(record) = reader.next() {
        match record.entry {
            Entry::Decision(decision) => {
                // A boot that is told as a decision too is one change.
                let booted_twice = |last: &Change| last.decision.rule == Rule::Booted && decision.rule == Rule::Booted;
                changes.pop_if(|last| booted_twice(last));
                if let Some(last) = changes.last_mut() {
                    last.until_unix_ms = Some(record.unix_ms);
                }
                let decided = taking_over.take().filter(|(_, first)| first.rule == decision.rule);
                changes.push(Change {
                    seq: record.seq,
                    node: reader.who().map(|who| who.node.as_str().to_owned()),
                    at_unix_ms: record.unix_ms,
                    decision,
                    decided_unix_ms: decided.map(|(at, _)| at),
                    until_unix_ms: None,
                    stopped_unix_ms: None,
                });
            }
            Entry::TakingOver(decision) => taking_over = Some((record.unix_ms, decision)),
            Entry::Started { .. } => {
                taking_over = None;
                let term = changes.last().map_or(Term::NONE, |last| last.decision.term);
                if let Some(last) = changes.last_mut() {
                    last.until_unix_ms = Some(record.unix_ms);
                }
                let node = reader.who().map(|who| who.node.as_str().to_owned());
                changes.push(booted(record.seq, node, record.unix_ms, term));
            }
            Entry::Stopped { .. } => {
                if let Some(last) = changes.last_mut() {
                    last.stopped_unix_ms = Some(record.unix_ms);
                }
            }
            Entry::Event(_)
            | Entry::FenceTried { .. }
            | Entry::Action { .. }
            | Entry::Link { .. }
            | Entry::Rejected { .. }
            | Entry::Alarm { .. }
            | Entry::ClockSet { .. }
            | Entry::Process { .. }
            | Entry::Fault { .. }
            | Entry::Acting { .. }
            | Entry::Availability { .. }
            | Entry::Lost { .. } => {}
        }
    }
    changes
}

/// What every start makes of a member, whatever it was before (N1): the start is its entry, for it decides nothing.
fn booted(seq: u64, node: Option<String>, at_unix_ms: u64, term: Term) -> Change {
    let rule = Rule::Booted;
    Change {
        seq,
        node,
        at_unix_ms,
        decision: Decision {
            at: Instant(0),
            rule,
            mode: Mode::Secondary,
            term,
            evidence: Vec::new(),
            protection: Default::default(),
        },
        decided_unix_ms: None,
        until_unix_ms: None,
        stopped_unix_ms: None,
    }
}

fn choose(changes: &[Change], which: Which) -> anyhow::Result<&Change> {
    let Some(first) = changes.first() else {
        bail!("it holds no change of mode yet; start the controller: tandem run");
    };
    match which {
        Which::Latest(number) => match changes.iter().rev().nth(number.saturating_sub(1) as usize) {
            Some(change) => Ok(change),
            None => bail!("it holds {} changes of mode; ask for --change 1 to {0}", changes.len()),
        },
        Which::At(at) => match changes.iter().rev().find(|change| change.at_unix_ms <= at) {
            Some(change) => Ok(change),
            None => bail!("it begins later: its first change of mode is of {}", readable(first.at_unix_ms)),
        },
    }
}

fn between(from_unix_ms: u64, to_unix_ms: u64) -> String {
    lasted(Duration::from_millis(to_unix_ms.saturating_sub(from_unix_ms)))
}

/// The explanation for a person, as of `now`.
fn print(change: &Change, standing: Standing, now_unix_ms: u64, out: &mut impl Write) -> io::Result<()> {
    let decision = &change.decision;
    let node = change.node.as_deref().unwrap_or("this member");
    let (mode, term, at) = (decision.mode.word(), decision.term, change.at_unix_ms);
    let term = match (decision.mode, &decision.rule) {
        // The terms that it knew of at its start are not in the journal.
        (Mode::Secondary, Rule::Booted) => String::new(),
        (Mode::Secondary, _) => format!(", highest term {term}"),
        (Mode::Primary, _) => format!(", term {term}"),
    };
    let (node, since) = (plain(node), readable(at));
    let ended = change.stopped_unix_ms.or(change.until_unix_ms).unwrap_or(at);
    let (end, length) = (readable(ended), between(at, ended));
    match standing {
        Standing::Holds => {
            writeln!(out, "{node} is {mode}{term}, since {since} ({} ago)", between(at, now_unix_ms))?;
        }
        Standing::Followed => writeln!(out, "{node} was {mode}{term}, from {since} to {end} ({length})")?,
        Standing::Stopped => {
            writeln!(out, "{node} was {mode}{term}, from {since} to {end} ({length}), when it was stopped")?;
        }
        Standing::Vanished => {
            writeln!(
                out,
                "{node} was {mode}{term}, from {since} on; it does not run now, and it left no word of its end"
            )?;
        }
    }
    writeln!(out, "because {}", plain(&decision.rule.text()))?;
    writeln!(out, "rule    {}, clause {}", decision.rule.word(), decision.rule.clause())?;
    if let Some(decided) = change.decided_unix_ms {
        writeln!(out, "decided {}, on disk and done {} later", readable(decided), between(decided, at))?;
    }
    let protection = decision.protection.facts();
    if !decision.evidence.is_empty() || !protection.is_empty() {
        writeln!(out, "\nWhat was known then")?;
        let width = decision.evidence.iter().map(|peer| peer.name.as_str().chars().count()).max().unwrap_or(0);
        for peer in &decision.evidence {
            let name = plain(peer.name.as_str());
            for (number, fact) in facts(peer).iter().enumerate() {
                let name = if number == 0 { name.as_ref() } else { "" };
                writeln!(out, "  {name:<width$}  {}", plain(fact))?;
            }
        }
        for fact in &protection {
            writeln!(out, "  {}", plain(fact))?;
        }
    }
    writeln!(out, "\nWhat would have changed it")?;
    for line in decision.rule.otherwise() {
        writeln!(out, "  {}", plain(&line))?;
    }
    Ok(())
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    node: Option<&'a str>,
    seq: u64,
    mode: Mode,
    term: u64,
    token: u64,
    standing: Standing,
    since: String,
    until: Option<String>,
    stopped: Option<String>,
    decided: Option<String>,
    rule: &'static str,
    clause: &'static str,
    text: String,
    evidence: Vec<KnownOf<'a>>,
    protection: Vec<String>,
    otherwise: Vec<String>,
    decision: &'a Decision,
}

#[derive(Debug, Serialize)]
struct KnownOf<'a> {
    peer: &'a str,
    facts: Vec<String>,
}

fn print_json(change: &Change, standing: Standing, out: &mut impl Write) -> io::Result<()> {
    let decision = &change.decision;
    let document = Document {
        node: change.node.as_deref(),
        seq: change.seq,
        mode: decision.mode,
        term: decision.term.number,
        token: decision.term.token(),
        standing,
        since: rfc3339(change.at_unix_ms),
        until: change.until_unix_ms.map(rfc3339),
        stopped: change.stopped_unix_ms.map(rfc3339),
        decided: change.decided_unix_ms.map(rfc3339),
        rule: decision.rule.word(),
        clause: decision.rule.clause(),
        text: decision.rule.text(),
        evidence: decision
            .evidence
            .iter()
            .map(|peer| KnownOf { peer: peer.name.as_str(), facts: facts(peer) })
            .collect(),
        protection: decision.protection.facts(),
        otherwise: decision.rule.otherwise(),
        decision,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

#[cfg(test)]
mod tests;

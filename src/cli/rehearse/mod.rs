//! `tandem rehearse`: the operator's own configuration against simulated faults, on virtual time (U6).
//!
//! It reads the file and nothing else: no controller, device or arbiter is asked, nothing is started.

mod json;
mod progress;
mod site;
mod text;

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use crate::config::{self, Config};
use crate::sim::rehearse::{Goes, Rehearsed, Scenario, Site, Verdict, catalogue, rehearse};

use super::args::{Global, RehearseArgs};
use super::exit::Exit;
use progress::Progress;

/// The name that lists the scenarios instead of rehearsing one.
const LIST: &str = "list";

/// Every scenario with what came of it.
type Played = Vec<(&'static Scenario, Rehearsed)>;

/// What was asked for, and what came of it.
struct Rehearsal<'a> {
    config: &'a Config,
    path: &'a Path,
    site: &'a Site,
    played: Played,
    /// How many were asked for: more than were played when it was ended early.
    asked: usize,
    /// Whether scenarios were named: then each is told in full.
    named: bool,
}

/// Rehearses the named scenarios, or all.
pub fn run(global: &Global, args: &RehearseArgs) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    if args.scenario.iter().any(|name| name == LIST) {
        return written(if args.json { json::list(&mut out) } else { text::list(&mut out) });
    }
    let chosen = match chosen(&args.scenario) {
        Ok(chosen) => chosen,
        Err(error) => {
            crate::complain!("tandem: {error}");
            return Ok(Exit::Usage);
        }
    };
    let path = config::locate(global.config.as_deref());
    let config = match Config::load(&path) {
        Ok(config) => config,
        Err(errors) => {
            crate::complain!("{errors}");
            return Ok(Exit::Failed);
        }
    };
    let site = site::of(&config);
    site.settings.check().context("this configuration cannot be rehearsed")?;
    let asked = chosen.len();
    let played = play(&site, chosen, Progress::of(asked)?);
    let named = !args.scenario.is_empty();
    let rehearsal = Rehearsal { config: &config, path: &path, site: &site, played, asked, named };
    let told = if args.json { json::print(&rehearsal, &mut out) } else { text::print(&rehearsal, &mut out) };
    written(told.and_then(|()| out.flush()))?;
    Ok(if rehearsal.is_unsafe() || !rehearsal.is_complete() { Exit::Failed } else { Exit::Done })
}

/// One after the other, until all are played or somebody ends it.
fn play(site: &Site, chosen: Vec<&'static Scenario>, mut progress: Progress) -> Played {
    let mut played = Vec::new();
    for scenario in chosen {
        let mut watcher = || -> Goes { progress.look(scenario.name) };
        let Some(rehearsed) = rehearse(site, scenario, &mut watcher) else { break };
        played.push((scenario, rehearsed));
        progress.one_more();
    }
    progress.over();
    played
}

/// A reader that went away is no failure.
fn written(told: io::Result<()>) -> anyhow::Result<Exit> {
    match told {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        Ok(()) | Err(_) => Ok(Exit::Done),
    }
}

/// The scenarios of these names, in the catalogue's order; all of them for no names.
fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, String> {
    for name in names {
        if catalogue::named(name).is_none() {
            return Err(unknown(name));
        }
    }
    let wanted = |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| name == scenario.name);
    Ok(catalogue::ALL.iter().filter(wanted).collect())
}

fn unknown(name: &str) -> String {
    let likeness = |scenario: &&Scenario| strsim::jaro_winkler(name, scenario.name);
    let nearest = catalogue::ALL.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let nearest = nearest
        .filter(|scenario| likeness(scenario) >= 0.7)
        .map_or_else(String::new, |scenario| format!("; did you mean {}?", scenario.name));
    format!("there is no scenario {name:?}{nearest} (tandem rehearse --scenario {LIST} names them all)")
}

impl Rehearsal<'_> {
    /// Whether everything was played that was asked for: what was ended early proves nothing of the rest.
    fn is_complete(&self) -> bool {
        self.played.len() == self.asked
    }

    /// Whether two could act at once in what protection is there for; in what is beyond it, only when that was asked for by
    /// name.
    fn is_unsafe(&self) -> bool {
        self.played.iter().any(|(_, rehearsed)| match rehearsed {
            Rehearsed::Done(outcome) => match outcome.verdict {
                Verdict::Safe | Verdict::Idle => false,
                Verdict::Beyond => self.named,
                Verdict::Unsafe => true,
            },
            Rehearsed::LeftOut { .. } => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u6_an_unknown_scenario_names_the_nearest() {
        let said = chosen(&["link-cutt".to_owned()]).map(|_| ()).unwrap_err();
        assert!(said.contains("did you mean link-cut?"), "{said}");
        let said = chosen(&["qqq".to_owned()]).map(|_| ()).unwrap_err();
        assert!(!said.contains("did you mean") && said.contains("--scenario list"), "{said}");
    }

    #[test]
    fn u6_no_names_are_all_scenarios_and_the_list_is_none_of_them() {
        assert_eq!(chosen(&[]).map(|all| all.len()), Ok(catalogue::ALL.len()));
        assert!(catalogue::named(LIST).is_none());
    }
}

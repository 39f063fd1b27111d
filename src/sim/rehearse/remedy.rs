//! Which settings would have prevented it: found by rehearsing the same scenario with them, never by a table.

use std::time::Duration;

use super::outcome::{Outcome, Verdict};
use super::site::Site;
use super::{Scenario, TIMINGS, TIMINGS_OF_OTHER_TIMES, Unplayed, Watcher, catalogue, worst};
use crate::negotiation::member::Name;
use crate::negotiation::settings::Protection;

/// `fence.NAME.delay` unless it is written.
const FENCE_DELAY: Duration = Duration::from_secs(5);

/// Long enough for switches that get their power together with the members.
const OUTLASTS_SWITCHES: Duration = Duration::from_secs(45);

/// Protections that are tried, the simplest first. A filter is tried too: where it is enough, it is the cheapest.
const PROTECTIONS: [&[Protection]; 6] = [
    &[Protection::Reachability],
    &[Protection::Majority],
    &[Protection::Arbiter],
    &[Protection::Fence],
    &[Protection::Fence, Protection::Arbiter],
    &[Protection::Fence, Protection::Majority],
];

/// Settings with which the scenario was seen to end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The keys as the configuration writes them: `takeover.protection = ["fence"]`.
    pub setting: String,
    /// How long nobody acted then, at most.
    pub outage: Duration,
    /// Nobody acted until then, where that took people.
    pub idle_until: Option<&'static str>,
}

/// Every change of settings that was seen to prevent what `outcome` tells; none: the watcher had seen enough before.
pub(super) fn found(
    site: &Site,
    scenario: &Scenario,
    outcome: &Outcome,
    watcher: &mut Watcher<'_>,
) -> Option<Vec<Remedy>> {
    // That nobody acts for a while is better than that two do.
    let bound = match outcome.verdict {
        Verdict::Safe | Verdict::Idle => Verdict::Safe,
        Verdict::Beyond | Verdict::Unsafe => Verdict::Idle,
    };
    // What lets one act here by letting two act when the link breaks is no remedy.
    let must_keep_one = match outcome.verdict {
        Verdict::Idle => keeps_one(site, watcher)?,
        Verdict::Safe | Verdict::Beyond | Verdict::Unsafe => false,
    };
    let mut found = Vec::new();
    for (setting, changed) in variants(site) {
        // Only other times can make a bad end rarer without preventing it.
        let same_protection = changed.settings.protection == site.settings.protection;
        let timings = if same_protection { TIMINGS_OF_OTHER_TIMES } else { TIMINGS };
        let then = match worst(&changed, scenario, bound, timings, watcher) {
            Ok(Some(then)) => then,
            Ok(None) | Err(Unplayed::CannotHappen(_)) => continue,
            Err(Unplayed::BrokenOff) => return None,
        };
        if !must_keep_one || keeps_one(&changed, watcher)? {
            found.push(Remedy { setting, outage: then.outage, idle_until: then.idle.map(|idle| idle.until) });
        }
    }
    Some(found)
}

/// Whether two cannot act when the link breaks; none: the watcher had seen enough before that was known.
fn keeps_one(site: &Site, watcher: &mut Watcher<'_>) -> Option<bool> {
    let Some(cut) = catalogue::named("link-cut") else { return Some(false) };
    match worst(site, cut, Verdict::Idle, TIMINGS, watcher) {
        Ok(cut) => Some(cut.is_some()),
        Err(Unplayed::CannotHappen(_)) => Some(false),
        Err(Unplayed::BrokenOff) => None,
    }
}

/// The site with other settings, one change at a time.
fn variants(site: &Site) -> Vec<(String, Site)> {
    let mut variants = Vec::new();
    for protection in PROTECTIONS {
        variants.extend(protected(site, protection));
    }
    let negotiation = &site.settings;
    let boot = negotiation.boot_timeout.min(negotiation.connect_grace);
    if boot < OUTLASTS_SWITCHES {
        let mut changed = site.clone();
        changed.settings.boot_timeout = negotiation.boot_timeout.max(OUTLASTS_SWITCHES);
        changed.settings.connect_grace = negotiation.connect_grace.max(OUTLASTS_SWITCHES);
        let seconds = OUTLASTS_SWITCHES.as_secs();
        let setting = format!("negotiation.boot_timeout = \"{seconds}s\", connect_grace = \"{seconds}s\"");
        variants.push((setting, changed));
    }
    let longer = negotiation.reply_timeout * 2;
    let mut changed = site.clone();
    changed.settings.reply_timeout = longer;
    variants.push((format!("negotiation.reply_timeout = \"{}ms\"", longer.as_millis()), changed));
    if site.protected_by(Protection::Fence) {
        let mut changed = site.clone();
        let delays = changed.settings.fence_delay.iter_mut().flatten();
        let longest = delays
            .map(|delay| {
                *delay = *delay * 2 + FENCE_DELAY;
                *delay
            })
            .max()
            .unwrap_or(FENCE_DELAY);
        variants.push((format!("fence.NAME.delay = \"{}ms\"", longest.as_millis()), changed));
    }
    if site.settings.observe_only {
        let mut changed = site.clone();
        changed.settings.observe_only = false;
        variants.push(("takeover.observe_only = false".to_owned(), changed));
    }
    variants
}

/// The site under another protection; none: it is that already, or cannot be. A pair gets a third member for a majority.
fn protected(site: &Site, protection: &[Protection]) -> Option<(String, Site)> {
    let same = |one: &&Protection| site.protected_by(**one);
    if protection.iter().filter(same).count() == protection.len() && site.settings.protection.len() == protection.len()
    {
        return None;
    }
    let mut changed = site.clone();
    let words: Vec<String> = protection.iter().map(|one| format!("\"{}\"", one.word())).collect();
    let mut setting = format!("takeover.protection = [{}]", words.join(", "));
    changed.settings.protection = protection.to_vec();
    if protection.contains(&Protection::Majority) && site.settings.members.len() < 3 {
        changed.settings.members.push(Name::new("third"));
        changed.settings.fence_delay.push(None);
        let patience = changed.agent_given_up_after.first().copied().unwrap_or_default();
        changed.agent_given_up_after.push(patience);
        setting = format!("a third member, and {setting}");
    }
    if protection.contains(&Protection::Fence) {
        for delay in &mut changed.settings.fence_delay {
            delay.get_or_insert(FENCE_DELAY);
        }
    }
    Some((setting, changed))
}

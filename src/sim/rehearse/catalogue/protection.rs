//! What protection rests on, when it fails: fencing devices, the arbiter, reference addresses.

use std::time::Duration;

use super::members::crash;
use super::network::{cut, heal};
use crate::negotiation::settings::Protection;
use crate::sim::arbiter::{ArbiterFault, Reference, Road};
use crate::sim::fault::{Agent, Crash, Fault, Way};
use crate::sim::rehearse::script::{Cast, Deed, Script};

fn asked_for(cast: &Cast<'_>, wanted: Protection) -> Result<(), String> {
    let missing = || format!("takeover.protection has no \"{}\"", wanted.word());
    cast.site.protected_by(wanted).then_some(()).ok_or_else(missing)
}

fn agents(cast: &Cast<'_>, agent: Agent) -> impl Iterator<Item = Deed> {
    let members: Vec<_> = cast.all().collect();
    members.into_iter().map(move |member| Deed::Fault(Fault::Fencing(member, agent)))
}

pub(super) fn fence_fails(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Fence)?;
    let one = cast.name(cast.primary);
    let deeds: Vec<Deed> = agents(cast, Agent::Fails).chain([crash(cast.primary, Crash::Host)]).collect();
    let says = format!("{one}'s machine loses its power, and its fencing device with it: the agent fails");
    let begins = Script::running(cast).at(Duration::ZERO, says, deeds);
    let mended = agents(cast, Agent::Works).collect();
    Ok(begins.mended(cast, format!("the power is back, {one} starts"), "its power is back", mended))
}

pub(super) fn fence_hangs(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Fence)?;
    let one = cast.name(cast.primary);
    let deeds: Vec<Deed> = agents(cast, Agent::Hangs).chain([crash(cast.primary, Crash::Host)]).collect();
    let says = format!("{one}'s machine loses its power, and its fence agent hangs");
    let begins = Script::running(cast).at(Duration::ZERO, says, deeds);
    let mended = agents(cast, Agent::Works).collect();
    Ok(begins.mended(cast, format!("the power is back, {one} starts"), "its power is back", mended))
}

pub(super) fn fence_lies(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Fence)?;
    let mut deeds: Vec<Deed> = agents(cast, Agent::Lies).collect();
    deeds.extend(cut(cast, cast.primary, Way::Both));
    let says = "the link breaks, and the fencing devices say \"off\" and do nothing";
    let begins = Script::running(cast).at(Duration::ZERO, says, deeds);
    let mut mended: Vec<Deed> = agents(cast, Agent::Works).collect();
    mended.extend(heal(cast, cast.primary));
    Ok(begins.mended(cast, "link and devices are mended", "the link is mended", mended))
}

fn arbiter(fault: ArbiterFault) -> Deed {
    Deed::Fault(Fault::Arbiter(fault))
}

pub(super) fn arbiter_gone(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Arbiter)?;
    let says = "the arbiter is gone, for everybody";
    let begins = Script::running(cast).at(Duration::ZERO, says, [arbiter(ArbiterFault::Vanish)]);
    Ok(begins.mended(cast, "the arbiter is back", "the arbiter is back", vec![arbiter(ArbiterFault::Return)]))
}

pub(super) fn arbiter_gone_one(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Arbiter)?;
    let road = |road| arbiter(ArbiterFault::Road(cast.primary, road));
    let says = format!("{} does not reach the arbiter, the others do", cast.name(cast.primary));
    let begins = Script::running(cast).at(Duration::ZERO, says, [road(Road::RequestsLost)]);
    Ok(begins.mended(cast, "it reaches it again", "it reaches the arbiter again", vec![road(Road::Open)]))
}

pub(super) fn arbiter_and_link(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Arbiter)?;
    let mut deeds = cut(cast, cast.primary, Way::Both);
    deeds.push(arbiter(ArbiterFault::Vanish));
    let says = "the arbiter is gone, and the link breaks; all live";
    let begins = Script::running(cast).at(Duration::ZERO, says, deeds);
    let mut mended = heal(cast, cast.primary);
    mended.push(arbiter(ArbiterFault::Return));
    Ok(begins.mended(cast, "arbiter and link are back", "the link or the arbiter is back", mended))
}

pub(super) fn arbiter_and_primary(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Arbiter)?;
    let says = format!("the arbiter is gone, and {}'s machine loses its power", cast.name(cast.primary));
    let deeds = [arbiter(ArbiterFault::Vanish), crash(cast.primary, Crash::Host)];
    let begins = Script::running(cast).at(Duration::ZERO, says, deeds);
    let mended = vec![arbiter(ArbiterFault::Return)];
    Ok(begins.mended(cast, "all is back", "the member or the arbiter is back", mended))
}

pub(super) fn reference_gone(cast: &Cast<'_>) -> Result<Script, String> {
    asked_for(cast, Protection::Reachability)?;
    let one = cast.name(cast.primary);
    let all = |reference| cast.all().map(move |member| Deed::Fault(Fault::Reference(member, reference)));
    let deeds: Vec<Deed> = all(Reference::Silent).chain([crash(cast.primary, Crash::Host)]).collect();
    let says = format!("no reference address answers anybody, and {one}'s machine loses its power");
    let begins = Script::running(cast).at(Duration::ZERO, says, deeds);
    let mended = all(Reference::Answers).collect();
    Ok(begins.mended(cast, format!("they answer again, {one} is started"), "a reference address answers", mended))
}

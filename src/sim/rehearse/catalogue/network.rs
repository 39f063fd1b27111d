//! Booting, and the network between the members.

use std::time::Duration;

use crate::negotiation::member::MemberId;
use crate::sim::fault::{Fault, Way};
use crate::sim::rehearse::script::{Cast, Deed, Script};

/// What switches need after their power came back, before they forward anything.
const SWITCHES_NEED: Duration = Duration::from_secs(30);

/// Everybody starts, within a moment of each other.
pub(super) fn start_all(cast: &Cast<'_>) -> Vec<Deed> {
    cast.all().map(|member| Deed::Fault(Fault::Start(member))).collect()
}

/// Every link of `member` breaks.
pub(super) fn cut(cast: &Cast<'_>, member: MemberId, way: Way) -> Vec<Deed> {
    let others = cast.all().filter(|other| *other != member);
    others.map(|other| Deed::Fault(Fault::Cut(member, other, way))).collect()
}

/// Every link of `member` works again.
pub(super) fn heal(cast: &Cast<'_>, member: MemberId) -> Vec<Deed> {
    let others = cast.all().filter(|other| *other != member);
    others.map(|other| Deed::Fault(Fault::Heal(member, other))).collect()
}

/// Every link of everybody breaks.
pub(super) fn cut_all(cast: &Cast<'_>) -> Vec<Deed> {
    cast.all().flat_map(|member| cut(cast, member, Way::Both)).collect()
}

/// Every link works again.
pub(super) fn heal_all(cast: &Cast<'_>) -> Vec<Deed> {
    cast.all().flat_map(|member| heal(cast, member)).collect()
}

pub(super) fn boot(cast: &Cast<'_>) -> Result<Script, String> {
    Ok(Script::off(cast).at(Duration::ZERO, "all members are powered on", start_all(cast)))
}

pub(super) fn boot_alone(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let begins = Script::off(cast).at(
        Duration::ZERO,
        format!("{one} is powered on, alone"),
        [Deed::Fault(Fault::Start(cast.primary))],
    );
    let after = cast.site.lasting() + cast.site.settings.boot_timeout.max(cast.site.settings.connect_grace);
    Ok(begins.mended_after(cast, after, "the others are powered on too", "the others start too", Vec::new()))
}

pub(super) fn boot_network_late(cast: &Cast<'_>) -> Result<Script, String> {
    let mut deeds = cut_all(cast);
    deeds.extend(start_all(cast));
    let begins =
        Script::off(cast).at(Duration::ZERO, "all members are powered on, and the switches between them", deeds);
    Ok(begins.mended_after(cast, SWITCHES_NEED, "the switches begin to forward", "the network is up", heal_all(cast)))
}

pub(super) fn boot_link_cut(cast: &Cast<'_>) -> Result<Script, String> {
    let mut deeds = cut_all(cast);
    deeds.extend(start_all(cast));
    let begins =
        Script::off(cast).at(Duration::ZERO, "all members are powered on, the link between them is cut", deeds);
    let after = cast.site.lasting() + cast.site.settings.boot_timeout.max(cast.site.settings.connect_grace);
    Ok(begins.mended_after(cast, after, "the link is mended", "the link is mended", heal_all(cast)))
}

pub(super) fn link_cut(cast: &Cast<'_>) -> Result<Script, String> {
    let says = format!(
        "the link between {} and {} breaks; all live",
        cast.name(cast.primary),
        cast.names(cast.others.iter().copied())
    );
    let begins = Script::running(cast).at(Duration::ZERO, says, cut(cast, cast.primary, Way::Both));
    Ok(begins.mended(cast, "the link is mended", "the link is mended", heal(cast, cast.primary)))
}

pub(super) fn link_cut_one_way(cast: &Cast<'_>) -> Result<Script, String> {
    let (primary, others) = (cast.name(cast.primary), cast.names(cast.others.iter().copied()));
    let (way, says) = if (cast.timing / 2).is_multiple_of(2) {
        (Way::Forth, format!("nothing passes from {primary} to {others} any more; the other way all does"))
    } else {
        (Way::Back, format!("nothing passes from {others} to {primary} any more; the other way all does"))
    };
    let begins = Script::running(cast).at(Duration::ZERO, says, cut(cast, cast.primary, way));
    Ok(begins.mended(cast, "the link is mended", "the link is mended", heal(cast, cast.primary)))
}

pub(super) fn link_flaps(cast: &Cast<'_>) -> Result<Script, String> {
    let timeout = cast.site.settings.reply_timeout;
    let mut script = Script::running(cast);
    let mut at = Duration::ZERO;
    // Some breaks are shorter than the timeout, some longer.
    for quarters in [1, 3, 6, 2, 7] {
        script = script.at(at, "the link breaks", cut(cast, cast.primary, Way::Both));
        at += timeout * quarters / 4;
        script = script.at(at, "it comes back", heal(cast, cast.primary));
        at += timeout;
    }
    Ok(script.mended_after(cast, at, "the cable is replaced", "the cable is replaced", heal(cast, cast.primary)))
}

pub(super) fn one_cable(cast: &Cast<'_>) -> Result<Script, String> {
    if cast.others.len() < 2 {
        return Err("it takes three members".to_owned());
    }
    let (one, other) = (cast.primary, cast.second());
    let says = format!("the cable between {} and {} breaks", cast.name(one), cast.name(other));
    let begins = Script::running(cast).at(Duration::ZERO, says, [Deed::Fault(Fault::Cut(one, other, Way::Both))]);
    Ok(begins.mended(cast, "it is mended", "the cable is mended", vec![Deed::Fault(Fault::Heal(one, other))]))
}

pub(super) fn minority(cast: &Cast<'_>) -> Result<Script, String> {
    if cast.others.len() < 2 {
        return Err("it takes three members".to_owned());
    }
    let one = cast.second();
    let says = format!("{} is cut off from all others", cast.name(one));
    let begins = Script::running(cast).at(Duration::ZERO, says, cut(cast, one, Way::Both));
    Ok(begins.mended(cast, "it is connected again", "it is connected again", heal(cast, one)))
}

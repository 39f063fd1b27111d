//! Members that crash, stand still, lose their power or their disk, and operators that move the role.

use std::time::Duration;

use super::network::{cut_all, heal_all, start_all};
use crate::negotiation::exchange::StopCause;
use crate::negotiation::member::MemberId;
use crate::sim::fault::{Crash, Fault, Order};
use crate::sim::pause::Gap;
use crate::sim::rehearse::script::{Cast, Deed, Script};

/// A site without power gets it back after so long.
const POWER_IS_BACK_AFTER: Duration = Duration::from_secs(20);

/// What an overloaded disk takes for a write.
const SLOW: Duration = Duration::from_secs(2);

pub(super) fn crash(member: MemberId, crash: Crash) -> Deed {
    Deed::Fault(Fault::Crash(member, crash))
}

pub(super) fn primary_crashes(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let says = format!("{one}'s controller crashes; its machine lives");
    let begins = Script::running(cast).at(Duration::ZERO, says, [crash(cast.primary, Crash::Process)]);
    Ok(begins.mended(cast, format!("{one} is started again"), "it is started again", Vec::new()))
}

pub(super) fn primary_power(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let says = format!("{one}'s machine loses its power");
    let begins = Script::running(cast).at(Duration::ZERO, says, [crash(cast.primary, Crash::Host)]);
    Ok(begins.mended(cast, format!("{one} is started again"), "it is started again", Vec::new()))
}

pub(super) fn primary_frozen(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let says = format!("{one}'s controller is frozen; its guardian and its processes go on");
    let begins = Script::running(cast).at(Duration::ZERO, says, [Deed::Fault(Fault::Freeze(cast.primary))]);
    let thaw = vec![Deed::Fault(Fault::Thaw(cast.primary))];
    Ok(begins.mended(cast, format!("{one}'s controller goes on"), "its controller goes on", thaw))
}

pub(super) fn primary_stalls(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let stall = cast.site.settings.reply_timeout * 4 / 5;
    let begins = Script::running(cast).at(
        Duration::ZERO,
        format!("{one}'s controller stands still (a loaded machine, swap)"),
        [Deed::Fault(Fault::Freeze(cast.primary))],
    );
    let thaw = [Deed::Fault(Fault::Thaw(cast.primary))];
    Ok(begins.at(stall, format!("{one}'s controller goes on"), thaw))
}

pub(super) fn primary_suspended(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let says = format!("{one}'s whole machine is suspended");
    let begins = Script::running(cast).at(Duration::ZERO, says, [Deed::Pause(cast.primary)]);
    let resumed = vec![Deed::Unpause(Gap::Shown)];
    Ok(begins.mended(
        cast,
        format!("{one}'s machine is resumed, and its clock shows the gap"),
        "it is resumed",
        resumed,
    ))
}

pub(super) fn primary_paused(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let says = format!("a hypervisor pauses {one}'s whole machine");
    let begins = Script::running(cast).at(Duration::ZERO, says, [Deed::Pause(cast.primary)]);
    let resumed = vec![Deed::Unpause(Gap::Hidden)];
    Ok(begins.mended(cast, format!("{one}'s machine goes on, and no clock of it shows the gap"), "it goes on", resumed))
}

pub(super) fn clock_jump(cast: &Cast<'_>) -> Result<Script, String> {
    let says = format!(
        "{}'s clock of the day jumps by an hour; promises and leases do not count by it",
        cast.name(cast.primary)
    );
    // The negotiation is given boot time only: there is nothing that the jump could be told to.
    Ok(Script::running(cast).at(Duration::ZERO, says, []))
}

pub(super) fn secondary_crashes(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.second());
    let says = format!("{one}'s machine loses its power");
    let begins = Script::running(cast).at(Duration::ZERO, says, [crash(cast.second(), Crash::Host)]);
    Ok(begins.mended(cast, format!("{one} is started again"), "it is started again", Vec::new()))
}

pub(super) fn site_power(cast: &Cast<'_>) -> Result<Script, String> {
    let off: Vec<Deed> = cast.all().map(|member| crash(member, Crash::Host)).collect();
    let begins = Script::running(cast).at(Duration::ZERO, "the whole site loses its power", off);
    Ok(begins.at(POWER_IS_BACK_AFTER, "the power is back, all members start", start_all(cast)))
}

pub(super) fn site_power_link_cut(cast: &Cast<'_>) -> Result<Script, String> {
    let mut off: Vec<Deed> = cast.all().map(|member| crash(member, Crash::Host)).collect();
    off.extend(cut_all(cast));
    let begins = Script::running(cast)
        .at(Duration::ZERO, "the whole site loses its power, and the link is cut", off)
        .at(POWER_IS_BACK_AFTER, "the power is back, all members start; the link is still cut", start_all(cast));
    let boot = cast.site.settings.boot_timeout.max(cast.site.settings.connect_grace);
    let after = POWER_IS_BACK_AFTER + boot + cast.site.lasting();
    Ok(begins.mended_after(cast, after, "the link is mended", "the link is mended", heal_all(cast)))
}

pub(super) fn slow_disk(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let slow: Vec<Deed> = cast.all().map(|member| Deed::Fault(Fault::SlowDisk(member, SLOW))).collect();
    let says = format!("every write takes up to {} s, and {one}'s machine loses its power", SLOW.as_secs());
    let begins = Script::running(cast).at(
        Duration::ZERO,
        says,
        slow.into_iter().chain([crash(cast.primary, Crash::Host)]).collect::<Vec<_>>(),
    );
    let mended = cast.all().map(|member| Deed::Fault(Fault::MendDisk(member))).collect();
    Ok(begins.mended(cast, format!("the disks are quick again, {one} is started"), "the disks are quick again", mended))
}

pub(super) fn full_disk(cast: &Cast<'_>) -> Result<Script, String> {
    let (one, other) = (cast.name(cast.primary), cast.name(cast.second()));
    let breaks = [Deed::Fault(Fault::BreakDisk(cast.second())), crash(cast.primary, Crash::Host)];
    let says = format!("{other}'s disk is full, and {one}'s machine loses its power");
    let begins = Script::running(cast).at(Duration::ZERO, says, breaks);
    let mended = vec![Deed::Fault(Fault::MendDisk(cast.second()))];
    Ok(begins.mended(cast, format!("{other}'s disk has room, {one} is started"), "its disk has room", mended))
}

pub(super) fn stop(cast: &Cast<'_>) -> Result<Script, String> {
    let one = cast.name(cast.primary);
    let stops = [Deed::Fault(Fault::Stop(cast.primary, StopCause::Signal))];
    let begins = Script::running(cast).at(Duration::ZERO, format!("{one}'s controller is stopped (SIGTERM)"), stops);
    Ok(begins.mended(cast, format!("{one} is started again"), "it is started again", Vec::new()))
}

pub(super) fn take_over(cast: &Cast<'_>) -> Result<Script, String> {
    let other = cast.second();
    let order = [Deed::Fault(Fault::Order(other, Order::TakeOver))];
    Ok(Script::running(cast).at(Duration::ZERO, format!("an operator at {}: tandem failover", cast.name(other)), order))
}

pub(super) fn step_down(cast: &Cast<'_>) -> Result<Script, String> {
    let order = [Deed::Fault(Fault::Order(cast.primary, Order::StepDown))];
    let says = format!("an operator at {}: tandem step-down", cast.name(cast.primary));
    Ok(Script::running(cast).at(Duration::ZERO, says, order))
}

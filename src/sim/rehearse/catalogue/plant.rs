//! Required processes that fall ill, and the health score that follows (H1–H6, H9).

use std::time::Duration;

use crate::sim::rehearse::illness::Illness;
use crate::sim::rehearse::script::{Cast, Deed, Script};

/// How long people let it be.
const LASTS: Duration = Duration::from_secs(120);

pub(super) fn slow_process(cast: &Cast<'_>) -> Result<Script, String> {
    ill(cast, Illness::Slow, "answers ever later, by a heartbeat period more every 2 s")
}

pub(super) fn memory_leak(cast: &Cast<'_>) -> Result<Script, String> {
    ill(cast, Illness::Leak, "leaks memory, half a per cent of it a second")
}

pub(super) fn process_dead(cast: &Cast<'_>) -> Result<Script, String> {
    ill(cast, Illness::Dead, "is dead, and its restarts fail")
}

pub(super) fn process_killed(cast: &Cast<'_>) -> Result<Script, String> {
    ill(cast, Illness::Killed, "is killed a second after each start")
}

fn ill(cast: &Cast<'_>, illness: Illness, how: &str) -> Result<Script, String> {
    let Some(patient) = cast.site.plant.patient(illness) else {
        return Err(match illness {
            Illness::Slow => "no required process that counts has a heartbeat".to_owned(),
            Illness::Leak | Illness::Dead | Illness::Killed => "no required process counts for the health".to_owned(),
        });
    };
    let says = format!("{} at {} {how}", patient.name, cast.name(cast.primary));
    let begins = Script::running(cast).at(Duration::ZERO, says, [Deed::FallIll(cast.primary, illness)]);
    let well = vec![Deed::GetWell(cast.primary)];
    Ok(begins.mended_after(cast, LASTS, format!("{} is mended", patient.name), "the process is mended", well))
}

//! What is wrong with switching members off (S2, S3): it failed, its device is dead, or what it said was not so.

use std::time::Duration;

use crate::control::status::{AlarmClass, Fencing};
use crate::negotiation::message::Mode;
use crate::negotiation::view::{FenceState, OffWord, Topic, View};

use crate::control::words::lasting;
use crate::negotiation::time::Instant;

use super::words::{Words, words};

/// Something that is wrong with switching a member off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FencingAlarm {
    /// It failed. It is tried again while a takeover waits for it.
    Failed {
        /// This member.
        node: String,
        /// The member that was to be switched off.
        peer: String,
        /// Whether a takeover waits for it.
        blocks: Blocks,
        /// What failed, as a clause: "10.0.9.1 is mute".
        device: String,
        /// When it is tried again by itself; none: it is being tried now, or is not tried again.
        next: Option<Duration>,
        /// What follows once the member is off.
        once_off: OnceOff,
    },
    /// The device does not answer.
    DeviceDead {
        /// This member.
        node: String,
        /// Whether it acts.
        mode: Mode,
        /// The member that the device switches.
        peer: String,
        /// The agent's name.
        agent: String,
    },
    /// A member was heard in the same life after it had counted as off.
    HeardAfterOff {
        /// The member.
        peer: String,
        /// The operator whose word it was; none: the device's.
        by: Option<String>,
    },
}

/// Whether a takeover waits for a fencing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// It does: nobody acts meanwhile.
    Takeover,
    /// Somebody acts all the same.
    Nothing,
}

/// What follows once a member is off that could not be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceOff {
    /// The takeover: nothing else is in its way.
    TakesOver,
    /// Nothing yet: the takeover lacks more.
    LacksMore,
}

impl FencingAlarm {
    pub(super) fn class(&self) -> AlarmClass {
        match self {
            FencingAlarm::Failed { blocks: Blocks::Takeover, .. } | FencingAlarm::HeardAfterOff { .. } => {
                AlarmClass::Alarm
            }
            FencingAlarm::Failed { blocks: Blocks::Nothing, .. } | FencingAlarm::DeviceDead { .. } => {
                AlarmClass::Warning
            }
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            FencingAlarm::Failed { .. } => super::FENCING_FAILED,
            FencingAlarm::DeviceDead { .. } => "fence_device_dead",
            FencingAlarm::HeardAfterOff { .. } => super::HEARD_AFTER_OFF,
        }
    }

    pub(super) fn peer(&self) -> &str {
        match self {
            FencingAlarm::Failed { peer, .. }
            | FencingAlarm::DeviceDead { peer, .. }
            | FencingAlarm::HeardAfterOff { peer, .. } => peer,
        }
    }

    pub(super) fn words(&self) -> Words {
        match self {
            FencingAlarm::Failed { node, peer, blocks: Blocks::Takeover, device, next, once_off } => words(
                "NO TAKEOVER: fencing failed".to_owned(),
                format!("Find out whether {peer} is off: lamps, its own console, call the site."),
                // Three ways that depend on what was found out, not three things to do.
                &[[
                    match once_off {
                        OnceOff::TakesOver => {
                            format!("It is off: a, then o  \"{peer} is off, I looked\". {node} then takes over.")
                        }
                        OnceOff::LacksMore => {
                            format!("It is off: a, then o  \"{peer} is off, I looked\". Then mend the rest.")
                        }
                    },
                    "It is on, or unclear: have both its supplies cut, then the same.".to_owned(),
                    match next {
                        Some(next) => {
                            format!("Or mend fencing: {device}. Next try by itself in {}.", lasting(*next))
                        }
                        None => format!("Or mend fencing: {device}. It is being tried again now."),
                    },
                ]
                .join("\n")],
                &format!("force the takeover while {peer} may be on: two would act."),
            ),
            FencingAlarm::Failed { node, peer, blocks: Blocks::Nothing, .. } => words(
                format!("{peer} is not heard, and could not be switched off"),
                format!("Find out whether {peer} is on: lamps, its console, call the site."),
                &[
                    format!("{node} goes on acting. Mend fencing before {peer} comes back."),
                    format!("When it is mended: tandem fence {peer}."),
                ],
                &format!("take {peer} for off because it is silent."),
            ),
            FencingAlarm::DeviceDead { node, mode, peer, agent } => words(
                format!("the fence device for {peer} does not answer ({agent})"),
                "Look at the device: its network, its password, its power.".to_owned(),
                &[
                    match mode {
                        Mode::Primary => {
                            format!("{node} goes on acting; it could not switch {peer} off if it fell silent.")
                        }
                        Mode::Secondary => format!("Until it answers, {node} takes nothing over from a silent {peer}."),
                    },
                    format!("To ask it now: tandem fence {peer} --dry-run."),
                ],
                "take fence out of takeover.protection to get past this.",
            ),
            FencingAlarm::HeardAfterOff { peer, by: None } => words(
                format!("{peer} lives, though its fence device said that it is off"),
                format!("Find out what the device really switches: is it {peer}?"),
                &[
                    "Until it is mended, a takeover may make two act: tandem hold.".to_owned(),
                    "Tell whoever owns the plant if both acted.".to_owned(),
                    format!("This ends when {peer} is confirmed off, or tandem starts anew there."),
                ],
                "rely on this device: it said off, and it was not so.",
            ),
            FencingAlarm::HeardAfterOff { peer, by: Some(by) } => words(
                format!("{peer} lives, though {by} said that it is off"),
                format!("Ask {by} what they looked at, and whether it was {peer}."),
                &[
                    "Tell whoever owns the plant if both acted.".to_owned(),
                    format!("This ends when {peer} is confirmed off, or tandem starts anew there."),
                ],
                "say that a member is off before somebody stood before it.",
            ),
        }
    }
}

/// What is wrong now; what is worst first.
pub(super) fn find(view: &View, fencing: &[Fencing]) -> Vec<FencingAlarm> {
    let mut found = Vec::new();
    let device_of = |name: &str| fencing.iter().find(|one| one.peer == name);
    for peer in &view.peers {
        let name = peer.name.to_string();
        if let Some(word) = &peer.fence.heard_after_off {
            let by = match word {
                OffWord::Device => None,
                OffWord::Operator(by) => Some(by.to_string()),
            };
            found.push(FencingAlarm::HeardAfterOff { peer: name.clone(), by });
        }
        let failed = match &peer.fence.state {
            FenceState::Failed { .. } => true,
            // A further round does not make it good yet.
            FenceState::UnderWay { round, .. } => *round > 1,
            FenceState::Idle | FenceState::Waiting { .. } | FenceState::Off { .. } => false,
        };
        if failed && peer.gone.is_some() {
            let acts = view.peers.iter().any(|peer| peer.gone.is_none() && peer.mode == Some(Mode::Primary));
            let blocks = if view.mode == Mode::Primary || acts { Blocks::Nothing } else { Blocks::Takeover };
            let (device, next) = (what_failed(device_of(&name)), next_try(&peer.fence.state, view.now));
            let more = view.forecast.lines.iter().any(|line| !line.ok && line.about != Topic::Fence);
            let once_off = if more { OnceOff::LacksMore } else { OnceOff::TakesOver };
            let (node, peer) = (view.name.to_string(), name.clone());
            found.push(FencingAlarm::Failed { node, peer, blocks, device, next, once_off });
        }
        if peer.fence.device.is_some_and(|device| !device.answers) {
            let agent = device_of(&name).map_or("its agent", |one| &one.agent).to_owned();
            found.push(FencingAlarm::DeviceDead { node: view.name.to_string(), mode: view.mode, peer: name, agent });
        }
    }
    found
}

/// "10.0.9.1 is mute" where nothing answered, else that its agent failed.
fn what_failed(device: Option<&Fencing>) -> String {
    let Some(device) = device else { return "its agent failed".to_owned() };
    let said = device.last.as_ref().and_then(|last| last.why.as_deref()).unwrap_or_default();
    let name = device.address.as_ref().unwrap_or(&device.agent);
    if said.contains("no answer") { format!("{name} is mute") } else { format!("{name} fails") }
}

fn next_try(state: &FenceState, now: Instant) -> Option<Duration> {
    match state {
        FenceState::Failed { next, .. } => next.map(|next| next.since(now)),
        FenceState::Idle | FenceState::Waiting { .. } | FenceState::UnderWay { .. } | FenceState::Off { .. } => None,
    }
}

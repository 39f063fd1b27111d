//! Switching other members off, on the controller's side: passes the negotiation's wishes to the fencing devices' threads,
//! their results back as facts, and keeps what people are shown of both (S2, S3).
//!
//! The negotiation decides who is switched off and when; `fence` knows how. Nothing here does either.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::config::fencing::{AgentConfig, FenceConfig, FencePaths};
use crate::control::request::{self, FencePreview};
use crate::control::status;
use crate::fence::check::{Depth, check};
use crate::fence::{Agent, Attempt, Device, DeviceReport, FenceEvent, Fencer, Power, Preview, Verdict};
use crate::journal::Entry;
use crate::negotiation::exchange::{FenceResult, Input};
use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::time::Instant;
use crate::negotiation::view::{FenceState, FenceView, OffWord};

use super::engine::{Engine, News};
use super::gaps::millis;

/// How much of an agent's output an entry of the journal keeps: the last of it.
const JOURNALLED: usize = 4 << 10;

/// What the loop knows of one device.
#[derive(Debug)]
struct Known {
    peer: MemberId,
    /// The member that it switches off.
    name: String,
    /// "fence_ipmilan"
    agent: String,
    /// Where the device is, as the agent's options say.
    address: Option<String>,
    action: &'static str,
    timeout: Duration,
    monitor: Duration,
    device: Option<(Instant, DeviceReport)>,
    under_way: Option<(Instant, u32)>,
    last: Option<(Instant, Attempt)>,
}

/// The devices of the other members.
pub struct Fencing {
    fencer: Fencer,
    known: Vec<Known>,
}

impl Fencing {
    /// Looks at how the others are switched off: what cannot work is refused at the start, not found out when a member has
    /// to be switched off. Blocks while the agents describe themselves, so it comes before everything that must not wait.
    ///
    /// # Errors
    ///
    /// An agent cannot be run, or does not take its options; each with what to do.
    pub fn check(config: &Config, me: MemberId) -> anyhow::Result<()> {
        for (peer, fence) in config.fences.iter().filter(|(peer, _)| **peer != me) {
            refuse_what_cannot_work(config.name(*peer).as_str(), fence, config.fence_paths(me))?;
        }
        Ok(())
    }

    /// Starts a thread for each device of another member.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(config: &Config, me: MemberId) -> anyhow::Result<(Fencing, mpsc::Receiver<FenceEvent>)> {
        let others = || config.fences.iter().filter(|(peer, _)| **peer != me);
        let paths = config.fence_paths(me);
        let device = |(peer, config_of): (&MemberId, &FenceConfig)| Device {
            name: config.name(*peer).as_str().to_owned(),
            config: config_of.clone(),
            paths: paths.clone(),
            launcher: Some(crate::process::this_program()),
        };
        let known = others().map(|(peer, fence)| Known {
            peer: *peer,
            name: config.name(*peer).as_str().to_owned(),
            agent: Agent::new(fence.clone(), paths.clone()).name(),
            address: address_of(&fence.agent),
            action: fence.action.word(),
            timeout: fence.timeout,
            monitor: fence.monitor,
            device: None,
            under_way: None,
            last: None,
        });
        let known = known.collect();
        let (fencer, events) =
            Fencer::start(others().map(device).collect()).context("the fencing devices' threads cannot be started")?;
        Ok((Fencing { fencer, known }, events))
    }

    /// Whether there is any device at all.
    pub fn has_devices(&self) -> bool {
        !self.known.is_empty()
    }

    /// Who is being switched off now; none: nobody.
    pub fn under_way(&self) -> Option<&str> {
        self.known.iter().find(|known| known.under_way.is_some()).map(|known| known.name.as_str())
    }

    /// The members whose devices did not answer when they were last asked: theirs to know, for nobody else sees it (U12).
    pub fn dead_devices(&self) -> Vec<String> {
        let dead = |known: &&Known| known.device.as_ref().is_some_and(|(_, report)| report.dead.is_some());
        self.known.iter().filter(dead).map(|known| known.name.clone()).collect()
    }

    /// Takes over what is known of the devices from `before`, where the configuration of all was read again: how the last
    /// attempt ended is still so.
    pub fn remember(&mut self, before: &mut Fencing) {
        for known in &mut self.known {
            known.last = before.of(&known.name).and_then(|before| before.last.take());
        }
    }

    /// Ends every thread; an agent that runs is killed. The receiver of the events must be gone by now.
    pub async fn shutdown(self) {
        if let Err(error) = tokio::task::spawn_blocking(|| self.fencer.shutdown()).await {
            tracing::error!(%error, "the fencing devices ended badly");
        }
    }

    /// What fencing `peer` would do, and what its device says now.
    pub fn preview(&self, peer: &str, reply: oneshot::Sender<Result<FencePreview, String>>) {
        if !self.known.iter().any(|known| known.name == peer) {
            let names: Vec<&str> = self.known.iter().map(|known| known.name.as_str()).collect();
            let there_is = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let _ =
                reply.send(Err(format!("There is no [fence.{peer}] for another member here; there is {there_is}.")));
            return;
        }
        let name = peer.to_owned();
        // Who asked may have left.
        self.fencer.preview(peer, Box::new(move |preview| drop(reply.send(Ok(for_people(name, preview))))));
    }

    fn of(&mut self, name: &str) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.name == name)
    }
}

/// Where the device is: the options' names are those of the fence-agents convention.
fn address_of(agent: &AgentConfig) -> Option<String> {
    match agent {
        AgentConfig::Agent { options, .. } => ["ip", "ipaddr"].iter().find_map(|name| options.get(*name).cloned()),
        AgentConfig::Command { .. } => None,
    }
}

fn refuse_what_cannot_work(name: &str, fence: &FenceConfig, paths: FencePaths) -> anyhow::Result<()> {
    let found =
        check(name, fence, paths, Depth::Start).with_context(|| format!("[fence.{name}] cannot be looked at"))?;
    match found.as_slice() {
        [] => Ok(()),
        wrong => {
            let lines = wrong.iter().map(|one| format!("{}: {}\n  help: {}", one.key, one.message, one.suggestion));
            anyhow::bail!("{name} could not be switched off:\n{}", lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn for_people(peer: String, preview: Preview) -> FencePreview {
    FencePreview {
        peer,
        program: preview.program,
        input: preview.input,
        timeout_ms: millis(preview.timeout),
        attempts: preview.attempts,
        power: match &preview.power {
            Power::On => request::Power::On,
            Power::Off => request::Power::Off,
            Power::Unknown(_) => request::Power::Unknown,
        },
        why: match preview.power {
            Power::Unknown(why) => Some(why),
            Power::On | Power::Off => None,
        },
        took_ms: millis(preview.took),
        output: preview.output,
    }
}

impl Engine {
    /// The negotiation wants `peer` switched off.
    pub(super) fn begin_fencing(&mut self, now: Instant, peer: MemberId) {
        let name = self.facts.name(peer);
        if !self.fencing.fencer.fence(&name) {
            let result = FenceResult::Failed { why: format!("there is no [fence.{name}]") };
            self.feed(now, Input::Fenced { peer, result });
        }
    }

    /// A device's thread has something to tell.
    pub(super) fn fence_event(&mut self, now: Instant, event: FenceEvent) {
        self.news = News::Urgent;
        match event {
            FenceEvent::Begun { device, number } => {
                if let Some(known) = self.fencing.of(&device) {
                    known.under_way = Some((now, number));
                }
            }
            FenceEvent::Tried { device, attempt } => {
                let why = match &attempt.verdict {
                    Verdict::Off => None,
                    Verdict::NotOff(why) => Some(why.clone()),
                };
                let entry = Entry::FenceTried {
                    peer: Name::new(&device),
                    number: attempt.number,
                    why,
                    took_ms: millis(attempt.took),
                    output: last_of(&attempt.output),
                };
                if let Some(known) = self.fencing.of(&device) {
                    known.under_way = None;
                    known.last = Some((now, attempt));
                }
                self.note(entry);
            }
            FenceEvent::Off { device } => self.fencing_ended(now, &device, FenceResult::Off),
            FenceEvent::Failed { device, why } => self.fencing_ended(now, &device, FenceResult::Failed { why }),
            FenceEvent::Device { device, report } => self.device_asked(now, &device, report),
        }
    }

    fn fencing_ended(&mut self, now: Instant, device: &str, result: FenceResult) {
        if let Some(peer) = self.fencing.of(device).map(|known| known.peer) {
            self.feed(now, Input::Fenced { peer, result });
        }
    }

    fn device_asked(&mut self, now: Instant, device: &str, report: DeviceReport) {
        let Some(known) = self.fencing.of(device) else { return };
        let (peer, why_not) = (known.peer, report.dead.clone());
        let answered_before = known.device.as_ref().is_none_or(|(_, before)| before.dead.is_none());
        let newly_dead = report.dead.clone().filter(|_| answered_before);
        known.device = Some((now, report));
        if let Some(text) = newly_dead {
            self.note(Entry::Fault { part: format!("fence device for {device}"), text });
        }
        self.feed(now, Input::FenceDevice { peer, why_not });
    }

    /// How the others are switched off, for the status.
    pub(super) fn fencing_status(&self, now: Instant) -> Vec<status::Fencing> {
        if !self.fencing.has_devices() {
            return Vec::new();
        }
        let view = self.negotiator.view(now);
        let of = |known: &Known| view.peers.iter().find(|peer| peer.name.as_str() == known.name);
        let shown = |known: &Known| of(known).map(|peer| shown(known, &peer.fence, now));
        self.fencing.known.iter().filter_map(shown).collect()
    }
}

fn shown(known: &Known, view: &FenceView, now: Instant) -> status::Fencing {
    let ago = |at: Instant| millis(now.since(at));
    let next = match &view.state {
        FenceState::Waiting { until } => Some(*until),
        FenceState::Failed { next, .. } => *next,
        FenceState::Idle | FenceState::UnderWay { .. } | FenceState::Off { .. } => None,
    };
    let by_word = match &view.state {
        FenceState::Off { at, by: Some(by) } => Some(status::FenceLast {
            attempt: known.last.as_ref().map_or(0, |(_, attempt)| attempt.number),
            result: status::FenceResult::OffByWord,
            age_ms: ago(*at),
            took_ms: 0,
            why: Some(by.as_str().to_owned()),
        }),
        FenceState::Off { by: None, .. }
        | FenceState::Idle
        | FenceState::Waiting { .. }
        | FenceState::UnderWay { .. }
        | FenceState::Failed { .. } => None,
    };
    let tried = known.last.as_ref().map(|(at, attempt)| {
        let (result, why) = match &attempt.verdict {
            Verdict::Off => (status::FenceResult::Off, None),
            Verdict::NotOff(why) => (status::FenceResult::Failed, Some(why.clone())),
        };
        let took_ms = millis(attempt.took);
        status::FenceLast { attempt: attempt.number, result, age_ms: ago(*at), took_ms, why }
    });
    status::Fencing {
        peer: known.name.clone(),
        agent: known.agent.clone(),
        address: known.address.clone(),
        action: known.action.to_owned(),
        device: known.device.as_ref().map(|(at, report)| status::FenceDevice {
            answers: report.dead.is_none(),
            age_ms: ago(*at),
            took_ms: millis(report.took),
            why: report.dead.clone(),
        }),
        monitor_ms: (!known.monitor.is_zero()).then(|| millis(known.monitor)),
        under_way: known.under_way.map(|(since, attempt)| status::FenceUnderWay {
            attempt,
            since_ms: ago(since),
            timeout_ms: millis(known.timeout),
        }),
        last: by_word.or(tried),
        next_try_ms: next.map(|next| millis(next.since(now))),
        lied: matches!(view.heard_after_off, Some(OffWord::Device)),
    }
}

/// The last of an agent's output, in whole lines.
fn last_of(output: &str) -> String {
    let Some(over) = output.len().checked_sub(JOURNALLED + 1) else { return output.to_owned() };
    let cut = output.bytes().skip(over).position(|byte| byte == b'\n');
    cut.map_or(String::new(), |line| output[over + line + 1..].to_owned())
}

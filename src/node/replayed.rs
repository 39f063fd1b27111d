//! A controller of the past: the machine of a recording, and around it what the screen shows beside it (U5).
//!
//! It goes forwards only, one recorded fact after another; whoever wants to go back begins again at the segment's
//! beginning, which costs milliseconds. What the recording does not hold is not invented: round trips of pings, what
//! other members' screens show, how late the loop woke.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::control::alarms::{Around, FLAPPING_WITHIN, TwoThatActed};
use crate::control::compose::{AroundPeer, Surroundings, compose};
use crate::control::desk::Desk;
use crate::control::status::{self, LinkRole, LinkState, LoopGaps, Status};
use crate::journal::recording::Moment;
use crate::journal::replay::{Player, StateError};
use crate::journal::tape::Part;
use crate::negotiation::decision::Rule;
use crate::negotiation::event::Event;
use crate::negotiation::exchange::{Input, Output};
use crate::negotiation::member::MemberId;
use crate::negotiation::message::Message;
use crate::negotiation::time::Instant;

use super::around::two_acted;
use super::clock::rfc3339;
use super::gaps::millis;
use super::replies::Replies;
use super::two_acted::{Stamp, TwoActed};

/// A path to a peer, as far as the recording tells.
#[derive(Debug, Default)]
struct Path {
    up: bool,
    since: Option<Instant>,
    heard: Option<Instant>,
    came_up: u64,
}

/// See the module's first paragraph.
#[derive(Debug)]
pub struct Replayed {
    part: Arc<Part>,
    player: Player,
    replies: Vec<Replies>,
    paths: Vec<Path>,
    two_acted: TwoActed,
    desk: Desk,
    mode_changes: VecDeque<Instant>,
    outputs: Vec<Output>,
}

impl Replayed {
    /// At the beginning of a segment.
    ///
    /// # Errors
    /// When its state cannot be used.
    pub fn at_start(part: Arc<Part>) -> Result<Replayed, StateError> {
        let player = Player::at_start(&part)?;
        let members = &player.machine.settings().members;
        let view = player.machine.view(part.begin.moment.at);
        let mut paths: Vec<Path> = members.iter().map(|_| Path::default()).collect();
        let begins = part.begin.moment.at;
        for peer in view.peers.iter().filter(|peer| peer.link_up) {
            let heard =
                peer.heard.map(|ago| Instant(begins.0.saturating_sub(ago.as_nanos().try_into().unwrap_or(u64::MAX))));
            paths[peer.id.index()] = Path { up: true, since: None, heard, came_up: 1 };
        }
        Ok(Replayed {
            replies: members.iter().map(|_| Replies::default()).collect(),
            paths,
            two_acted: TwoActed::default(),
            desk: Desk::new(part.who.node.as_str(), 0),
            mode_changes: VecDeque::new(),
            outputs: Vec::new(),
            player,
            part,
        })
    }

    /// How many facts of the segment it was told.
    pub fn place(&self) -> usize {
        self.player.place
    }

    /// The time of the fact it was told last.
    pub fn moment(&self) -> Moment {
        let last = self.player.place.checked_sub(1).and_then(|last| self.part.facts.get(last));
        last.map_or(self.part.begin.moment, |fact| fact.moment)
    }

    /// Tells it facts until it was told `place` of them, or all.
    pub fn forward(&mut self, place: usize) {
        while self.player.place < place && self.one() {}
    }

    /// The next fact; false: there is none.
    fn one(&mut self) -> bool {
        let part = Arc::clone(&self.part);
        let Some(fact) = part.facts.get(self.player.place) else { return false };
        let now = fact.moment.at;
        self.around_the_machine(now, &fact.input);
        let mut outputs = std::mem::take(&mut self.outputs);
        let told = self.player.step(&part, &mut outputs).is_some_and(|step| !step.now.is_empty());
        let stamp = Stamp { at: now, unix_ms: fact.moment.unix_ms };
        for output in outputs.drain(..) {
            self.hear(stamp, output);
        }
        self.outputs = outputs;
        if told {
            self.alarms(stamp);
        }
        true
    }

    /// What the node remembers of a fact before the machine is told.
    fn around_the_machine(&mut self, now: Instant, input: &Input) {
        if let Input::Received { peer, message } = input {
            let mode = self.player.machine.mode_and_term().0;
            if let Some(replies) = self.replies.get_mut(peer.index()) {
                replies.received(now, mode, message);
            }
            if let Some(path) = self.paths.get_mut(peer.index()) {
                path.heard = Some(now);
            }
        }
        let changed = match input {
            Input::LinkUp { peer, .. } => Some((peer, true)),
            Input::LinkDown { peer } => Some((peer, false)),
            _ => None,
        };
        let interval = self.player.machine.settings().query_interval;
        if let Some((peer, up)) = changed
            && let Some(replies) = self.replies.get_mut(peer.index())
        {
            if up { replies.connected(now, interval) } else { replies.disconnected() }
        }
        if let Some((peer, up)) = changed
            && let Some(path) = self.paths.get_mut(peer.index())
        {
            let heard = if up { Some(now) } else { path.heard };
            *path = Path { up, since: Some(now), heard, came_up: path.came_up + u64::from(up) };
        }
    }

    /// What the node remembers of what the machine wants.
    fn hear(&mut self, stamp: Stamp, output: Output) {
        let node = self.part.who.node.as_str();
        match output {
            Output::Send { to, message: Message::Query(_) } => {
                if let Some(replies) = self.replies.get_mut(to.index()) {
                    replies.asked();
                }
            }
            Output::ModeChanged(decision) => {
                let protection = self.player.machine.view(stamp.at).protection;
                let protection: Vec<&str> = protection.iter().map(|one| one.word()).collect();
                self.two_acted.mode_changed(stamp, node, &protection.join(" + "), &decision);
                if decision.rule.is_automatic() {
                    self.mode_changes.push_back(stamp.at);
                }
            }
            Output::Event(event) => {
                self.two_acted.event(stamp, node, &event);
                if let Event::PeerGone { peer, rule: Rule::PeerSilent { silent_for, .. } } = &event {
                    let machine = &self.player.machine;
                    let place = machine.settings().members.iter().position(|member| member == peer);
                    let mode = machine.mode_and_term().0;
                    if let Some(replies) = place.and_then(|place| self.replies.get_mut(place)) {
                        replies.fell_silent(stamp.at, mode, *silent_for);
                    }
                }
            }
            _ => {}
        }
    }

    fn alarms(&mut self, stamp: Stamp) -> Vec<status::Alarm> {
        let now = stamp.at;
        while self.mode_changes.front().is_some_and(|at| now.since(*at) > FLAPPING_WITHIN) {
            self.mode_changes.pop_front();
        }
        let view = self.player.machine.view(now);
        let both = self.two_acted.both(&view);
        self.two_acted.look(stamp, both);
        let over = self.two_acted.found().filter(|found| found.over.is_some());
        let around = Around {
            links: self.links(now),
            boot_timeout: self.player.machine.settings().boot_timeout,
            recent_changes: u32::try_from(self.mode_changes.len()).unwrap_or(u32::MAX),
            still_act_with: self.two_acted.other_still(),
            two_acted: over.map(|found| TwoThatActed {
                stopped: found.stops.name.clone(),
                goes_on: found.goes_on.name.clone(),
                at_most: found.at_most(now),
            }),
            ..Around::default()
        };
        self.desk.alarms(&view, around)
    }

    fn address(&self, member: MemberId) -> String {
        let addresses = self.part.begin.addresses.get(member.index());
        addresses.and_then(|own| own.first()).cloned().unwrap_or_default()
    }

    fn links(&self, now: Instant) -> Vec<status::Link> {
        let settings = self.player.machine.settings();
        let link = |peer: MemberId| {
            let path = &self.paths[peer.index()];
            status::Link {
                peer: settings.name(peer).as_str().to_owned(),
                address: self.address(peer),
                state: if path.up { LinkState::Up } else { LinkState::Down },
                role: if settings.me < peer { LinkRole::Server } else { LinkRole::Client },
                rtt_us: None,
                last_heard_ms: path.heard.map(|heard| millis(now.since(heard))),
                since_ms: millis(now.since(path.since.unwrap_or(self.part.begin.moment.at))),
                reconnects: path.came_up.saturating_sub(1),
                // Not recorded; a warning that nobody gave then would mislead.
                encrypted: true,
                why: None,
            }
        };
        settings.others().map(link).collect()
    }

    /// The status as it was then. `events` are the latest of the journal up to this moment, newest first.
    pub fn status(&mut self, events: Vec<status::Event>) -> Status {
        let Moment { at: now, unix_ms } = self.moment();
        let alarms = self.alarms(Stamp { at: now, unix_ms });
        let view = self.player.machine.view(now);
        let settings = self.player.machine.settings();
        let peer = |peer: MemberId| AroundPeer {
            name: settings.name(peer).as_str().to_owned(),
            version: None,
            replies: self.replies[peer.index()].report(now),
            attached: Vec::new(),
            processes: Vec::new(),
        };
        let surroundings = Surroundings {
            time: rfc3339(unix_ms),
            address: self.address(settings.me),
            group: self.part.who.group.clone(),
            version: self.part.who.version.clone(),
            incarnation: self.part.who.incarnation.0,
            links: self.links(now),
            peers: settings.others().map(peer).collect(),
            threshold: settings.threshold,
            sub_health: Vec::new(),
            processes: Vec::new(),
            fencing: Vec::new(),
            guards: crate::control::guards::Guards::default(),
            alarms,
            attached: Vec::new(),
            events,
            plan: None,
            plan_elsewhere: None,
            two_acted: self.two_acted.found().map(|found| two_acted(found, now)),
            query_interval: settings.query_interval,
            reply_timeout: settings.reply_timeout,
            loop_gaps: LoopGaps { worst_us: 0, recent_worst_us: 0, over_20ms: 0, over_25ms: 0 },
            availability: None,
            rejected: Vec::new(),
        };
        compose(&view, &surroundings)
    }
}

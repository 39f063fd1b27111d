//! The last events of a run as people read them. Nothing is composed unless it is asked for.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::arbiter::{ArbiterFault, Reference};
use super::fault::Fault;
use crate::negotiation::exchange::{ArbiterCall, ArbiterReply, Input, Output};
use crate::negotiation::member::MemberId;
use crate::negotiation::message::{Message, Order};
use crate::negotiation::settings::Settings;

/// How many lines are kept.
const KEPT: usize = 400;

/// A run's last lines.
#[derive(Debug)]
pub(super) struct Trace {
    lines: Option<VecDeque<String>>,
}

impl Trace {
    pub fn off() -> Trace {
        Trace { lines: None }
    }

    pub fn on() -> Trace {
        Trace { lines: Some(VecDeque::new()) }
    }

    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    pub fn text(&self) -> String {
        let lines = self.lines.iter().flatten();
        lines.fold(String::new(), |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        })
    }

    fn line(&mut self, now: u64, who: &str, what: &str) {
        let Some(lines) = &mut self.lines else { return };
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(format!("{:>11.4} s  {who:<8} {what}", now as f64 / 1e9));
    }

    pub fn input(&mut self, now: u64, group: &Settings, member: usize, input: &Input) {
        let who = group.name(MemberId(member as u8));
        self.line(now, who.as_str(), &input_text(group, input));
    }

    pub fn output(&mut self, now: u64, group: &Settings, member: usize, output: &Output) {
        let who = group.name(MemberId(member as u8));
        let what = match output {
            Output::ModeChanged(decision) => format!("==> {}", decision.text()),
            Output::TakingOver(decision) => {
                format!("==> taking over, term {}: {}", decision.term, decision.rule.text())
            }
            Output::Event(event) => format!("  * {}", event.text()),
            Output::CommandDone(outcome) => format!("  * command: {outcome:?}"),
            Output::StopServing { by } => format!("  > stop serving, by {by:?}"),
            Output::AskArbiter { call, .. } => format!("  > arbiter: {call:?}"),
            Output::AskReference { .. } => "  > ask the reference addresses".to_owned(),
            Output::Fence { peer, why } => format!("  > fence {}: {}", group.name(*peer), why.text()),
            Output::Stopped => "  * stopped".to_owned(),
            Output::Write { version, state } => format!(
                "  > write {}: seen {} of {}, voted {} for {}",
                version.0,
                state.seen.number,
                group.name(state.seen.owner),
                state.voted.number,
                group.name(state.voted.owner)
            ),
            Output::Send { to, message } => {
                let worth_a_line = !matches!(message, Message::Query(_) | Message::Beacon(_) | Message::Grant(_));
                if !worth_a_line {
                    return;
                }
                format!("  > to {}: {}", group.name(*to), message_text(message))
            }
        };
        self.line(now, who.as_str(), &what);
    }

    /// The arbiter does what a member asked for.
    pub fn arbiter(&mut self, now: u64, group: &Settings, member: usize, call: ArbiterCall, reply: &ArbiterReply) {
        let name = group.name(MemberId(member as u8));
        self.line(now, "arbiter", &format!("{name} asks {call:?}: {reply:?}"));
    }

    pub fn fault(&mut self, now: u64, group: &Settings, fault: &Fault) {
        let name = |member: &MemberId| group.name(*member);
        let mut what = String::new();
        // Writing to a String cannot fail.
        let _ = match fault {
            Fault::Start(one) => write!(what, "start {}", name(one)),
            Fault::Crash(one, crash) => write!(what, "crash {} ({crash:?})", name(one)),
            Fault::Freeze(one) => write!(what, "freeze {}", name(one)),
            Fault::Thaw(one) => write!(what, "thaw {}", name(one)),
            Fault::Cut(one, two, way) => write!(what, "cut {} {} ({way:?})", name(one), name(two)),
            Fault::Heal(one, two) => write!(what, "heal {} {}", name(one), name(two)),
            Fault::Delay(one, two, most) => write!(what, "delay {} {} up to {most:?}", name(one), name(two)),
            Fault::Rough(one, two, percent) => {
                write!(what, "between {} and {} {percent} % take a detour or come twice", name(one), name(two))
            }
            Fault::ClockRate(one, millionths) => write!(what, "the next clock of {}: {millionths} ppm", name(one)),
            Fault::SlowDisk(one, most) => write!(what, "slow disk of {}: up to {most:?}", name(one)),
            Fault::BreakDisk(one) => write!(what, "disk of {} fails", name(one)),
            Fault::MendDisk(one) => write!(what, "disk of {} works", name(one)),
            Fault::Sicken(one) => write!(what, "{} is sick", name(one)),
            Fault::SickenProcesses(one) => write!(what, "the processes of {} are sick", name(one)),
            Fault::StopTime(one, longest) => write!(what, "stopping takes {} up to {longest:?}", name(one)),
            Fault::Fencing(one, agent) => write!(what, "the fencing agent of {}: {agent:?}", name(one)),
            Fault::Arbiter(fault) => match fault {
                ArbiterFault::Road(one, road) => write!(what, "the road of {} to the arbiter: {road:?}", name(one)),
                ArbiterFault::Delay(most) => write!(what, "the arbiter takes up to {most:?} each way"),
                ArbiterFault::Rate(millionths) => write!(what, "the arbiter's clock: {millionths} ppm"),
                ArbiterFault::Vanish => write!(what, "the arbiter is gone"),
                ArbiterFault::Return => write!(what, "the arbiter is back"),
                ArbiterFault::Restart(time) => write!(what, "the arbiter restarts, which takes {time:?}"),
            },
            Fault::Reference(one, Reference::Answers) => write!(what, "a reference address answers {}", name(one)),
            Fault::Reference(one, Reference::Silent) => write!(what, "no reference address answers {}", name(one)),
            Fault::Recover(one) => write!(what, "{} is healthy", name(one)),
            Fault::Order(one, order) => write!(what, "operator at {}: {order:?}", name(one)),
            Fault::Stop(one, cause) => write!(what, "stop {} ({cause:?})", name(one)),
        };
        self.line(now, "--------", &what);
    }
}

fn input_text(group: &Settings, input: &Input) -> String {
    match input {
        Input::Tick => "tick".to_owned(),
        Input::Late { by } => format!("woke {by:?} late"),
        Input::LinkUp { peer, .. } => format!("link to {} up", group.name(*peer)),
        Input::LinkDown { peer } => format!("link to {} down", group.name(*peer)),
        Input::LinkRefused { peer } => format!("{} refuses", group.name(*peer)),
        Input::ConnectFailed { peer } => format!("cannot reach {}", group.name(*peer)),
        Input::Received { peer, message } => format!("from {}: {}", group.name(*peer), message_text(message)),
        Input::Written { version } => format!("written {}", version.0),
        Input::WriteFailed { version } => format!("write {} failed", version.0),
        Input::Health { score } => format!("health {:.2}", f64::from(*score)),
        Input::StopTime { longest } => format!("stopping takes {longest:?}"),
        Input::ServingStopped => "serving stopped".to_owned(),
        Input::Fenced { peer, result } => format!("fencing {}: {result:?}", group.name(*peer)),
        Input::Tuned(_) => "settings changed".to_owned(),
        Input::Arbiter { reply, .. } => format!("arbiter: {reply:?}"),
        Input::Reference { answered, .. } => format!("a reference address answers: {answered}"),
        Input::FenceDevice { peer, why_not: None } => format!("fence device of {} answers", group.name(*peer)),
        Input::FenceDevice { peer, why_not: Some(why) } => {
            format!("fence device of {} does not answer: {why}", group.name(*peer))
        }
        Input::Command(command) => format!("command {command:?}"),
        Input::Stop { cause } => format!("stop {cause:?}"),
    }
}

fn message_text(message: &Message) -> String {
    match message {
        Message::Query(query) => format!(
            "query {}, seen {}, {}{}{}",
            query.proposed,
            query.seen.number,
            able(query.able.level()),
            if query.candidate { "" } else { ", no candidate" },
            if query.claim { ", claims" } else { "" },
        ),
        Message::Answer(answer) => {
            let order = match answer.order {
                Order::BePrimary { proposed, written } => {
                    format!("be Primary in {proposed}{}", if written { "" } else { " (not written)" })
                }
                Order::StaySecondary { floor: Some(floor) } => format!("stay Secondary, floor {floor}"),
                Order::StaySecondary { floor: None } => "stay Secondary".to_owned(),
            };
            let claim = if answer.claim { ", claims" } else { "" };
            format!(
                "answer: {order}; is {} {}, seen {}, {}{claim}",
                answer.mode.word(),
                answer.term.number,
                answer.seen.number,
                able(answer.able.level())
            )
        }
        Message::Beacon(beacon) => format!("beacon, term {}", beacon.term),
        Message::Grant(grant) => format!("grant, term {}", grant.term),
        Message::Relay(relay) => format!("relay, term {} of member {}", relay.term, relay.term.owner.0),
        Message::HandOverRequest(request) => format!("hand over term {} to me", request.term),
        Message::HandOverAnswer(answer) => format!("hand-over of term {}: {:?}", answer.term, answer.verdict),
        Message::Released(released) => format!("released term {} to member {}", released.term, released.to.0),
        Message::Hold(hold) => format!("hold for {:?}", hold.remaining),
        Message::Bye => "bye".to_owned(),
    }
}

fn able(level: u8) -> &'static str {
    match level {
        0 => "cannot",
        1 => "sick",
        _ => "fit",
    }
}

//! What the engine says to a screen, and what time alone brings about.

use std::time::Duration;

use crate::control::request::{Hello, Outcome, Reply, Request};
use crate::control::status::{AlarmClass, SCHEMA, Status};

use super::super::dialog::{Dialog, OpenPlan, Whose};
use super::super::faults::News;
use super::super::line::Line;
use super::{ASK_AFTER, Effects, OUTCOME_STANDS, State};

/// How long a plan without an outcome is spoken of: later, the rows and the events tell more than it does.
const SENT_STANDS: Duration = Duration::from_secs(120);

impl State {
    /// A reply of the engine.
    pub fn on_reply(&mut self, reply: Reply, now: Duration) -> Effects {
        // A greeting is no news: it says what a controller is, not how it is. One that only greets is not heard.
        if !matches!(reply, Reply::Hello(_)) {
            self.heard_at = now;
        }
        let mut effects = Effects::default();
        match reply {
            Reply::Hello(hello) => {
                if let Some(line) = differs(&hello) {
                    self.remark(line, now, OUTCOME_STANDS);
                }
                self.hello = Some(hello);
                // Also after a connection that came back.
                effects.requests.push(Request::Watch { screen: Some(self.kind()) });
            }
            Reply::Status(status) => {
                effects.bell = self.ring(&status);
                self.plan_in_status(&status, now);
                self.history.note(&status, now);
                self.status = Some(std::sync::Arc::unwrap_or_clone(status));
                self.status_at = now;
            }
            Reply::Plan(plan) => match &self.dialog {
                Dialog::Asked(_) => self.open(Dialog::Plan(Box::new(OpenPlan::new(*plan, now)))),
                // Whoever asked has left the question: the plan must not stay open behind the screen.
                Dialog::None
                | Dialog::Actions
                | Dialog::Which(..)
                | Dialog::Faults
                | Dialog::Find(_)
                | Dialog::Plan(_) => {
                    effects.requests.push(Request::Abandon { plan: plan.number });
                }
            },
            Reply::Refused { why } => {
                if matches!(self.dialog, Dialog::Asked(_) | Dialog::Plan(_)) {
                    self.open(Dialog::None);
                }
                self.sent = None;
                self.remark(Line::new().text("refused: ").text(why), now, OUTCOME_STANDS);
            }
            Reply::Outcome(outcome) => {
                let text = match outcome {
                    Outcome::Done { text } => format!("done: {text}"),
                    Outcome::NotDone { text } => format!("not done: {text}"),
                    Outcome::NotKnownYet { text } => {
                        if let Some(sent) = &mut self.sent {
                            sent.said = Some(text);
                            return effects;
                        }
                        format!("not known yet: {text}")
                    }
                };
                self.sent = None;
                self.remark(Line::of(text), now, OUTCOME_STANDS);
            }
            Reply::FencePreview(_) | Reply::Reloaded(_) | Reply::Pong(_) | Reply::PingDone | Reply::Done => {}
        }
        effects
    }

    /// The demo says what came of a fault, or what a member says of itself.
    pub fn on_fault_news(&mut self, news: News) {
        if let Some(faults) = &mut self.faults {
            if !matches!(news, News::Says { .. }) {
                self.remark = None;
            }
            faults.hear(news);
        }
    }

    fn ring(&mut self, status: &Status) -> bool {
        let standing: Vec<String> = status
            .alarms
            .iter()
            .filter(|alarm| alarm.class == AlarmClass::Alarm)
            .map(|alarm| alarm.id.clone())
            .collect();
        let new = standing.iter().any(|id| !self.rung.contains(id));
        self.rung = standing;
        new
    }

    fn plan_in_status(&mut self, status: &Status, now: Duration) {
        let Dialog::Plan(open) = &mut self.dialog else { return };
        match &status.plan {
            Some(plan) if plan.number == open.plan.number => {
                open.seen_in_status = true;
                let forced = open.plan.force_by_typing.clone();
                if open.shown_anew(plan.clone(), now) {
                    // Deaf until that is on the screen.
                    self.serial += 1;
                }
                if plan.force_by_typing != forced {
                    // It worsened, or got better: what was typed was typed for the other.
                    open.typed.clear();
                    self.serial += 1;
                }
            }
            Some(_) | None if open.seen_in_status => {
                let number = open.plan.number;
                self.plan_is_over(became_of(number, status), now);
            }
            Some(_) | None => {}
        }
    }

    fn plan_is_over(&mut self, why: String, now: Duration) {
        self.open(Dialog::None);
        self.remark(Line::of(why), now, OUTCOME_STANDS);
    }

    /// What time alone brings about. Called at least once a second.
    pub fn on_time(&mut self, now: Duration) -> Effects {
        let mut effects = Effects::default();
        if self.remark.as_ref().is_some_and(|remark| now.saturating_sub(remark.at) >= remark.stands) {
            self.remark = None;
        }
        if self.sent.as_ref().is_some_and(|sent| now.saturating_sub(sent.at) >= SENT_STANDS) {
            self.sent = None;
        }
        let ended = match &self.dialog {
            Dialog::Plan(open) if open.left_ms(now) == 0 => {
                let what = format!("plan {} is over: its time ran out; nothing was done", open.plan.number);
                Some((open.plan.number, open.whose, what))
            }
            Dialog::Plan(open) if self.no_news(now).is_some() => {
                let number = open.plan.number;
                let what = match open.whose {
                    Whose::Mine => format!("plan {number} is over: no news from the controller; nothing was done"),
                    // Another screen may still confirm it.
                    Whose::Anothers => format!("no news from the controller: what becomes of plan {number} is unknown"),
                };
                Some((number, open.whose, what))
            }
            Dialog::None
            | Dialog::Actions
            | Dialog::Which(..)
            | Dialog::Faults
            | Dialog::Find(_)
            | Dialog::Asked(_)
            | Dialog::Plan(_) => None,
        };
        if let Some((number, whose, what)) = ended {
            if whose == Whose::Mine {
                effects.requests.push(Request::Abandon { plan: number });
            }
            self.plan_is_over(what, now);
        }
        // One that has not said hello yet says all it has after that.
        let silent = now.saturating_sub(self.heard_at) >= ASK_AFTER && now.saturating_sub(self.asked_at) >= ASK_AFTER;
        if silent && self.hello.is_some() {
            self.asked_at = now;
            effects.requests.push(Request::Status);
        }
        effects
    }
}

/// What became of a plan that is no longer open, in the journal's words: another screen may have confirmed it or left it,
/// and the engine ends one that worsened.
fn became_of(number: u32, status: &Status) -> String {
    let (this, opened) = (format!("plan {number}"), format!("opened plan {number}"));
    let told = status.events.iter().find(|event| event.text.contains(&this) && !event.text.contains(&opened));
    match told {
        // The engine's own word says all of it already.
        Some(event) => match event.text.split_once(&format!("plan {number} has ended: ")) {
            Some((_, why)) => format!("plan {number} has ended: {why}"),
            None => format!("plan {number} is over. {}", event.text),
        },
        None => format!("plan {number} is over: a line of it worsened, or its time ran out"),
    }
}

/// What to say when the controller is of another version than this screen, as after an upgrade of one of them (U3).
fn differs(hello: &Hello) -> Option<Line> {
    let mine = env!("CARGO_PKG_VERSION");
    let text = if hello.schema != SCHEMA {
        format!(
            "{} is tandem {} and speaks status schema {}, this screen is {mine} and reads {SCHEMA}: leave, and attach with \
             its own program",
            hello.node, hello.version, hello.schema
        )
    } else if hello.version != mine {
        format!(
            "{} is tandem {}, this screen is {mine}: what is new there is not shown here",
            hello.node, hello.version
        )
    } else {
        return None;
    };
    Some(Line::of(text))
}

//! The screen of a replay: the same as a running controller's, over a carrier behind which stands the recording.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::sync::{mpsc, watch};

use super::walk::{Counts, Mark, What, read, walk};
use crate::cli::moment;
use crate::control::carrier::Carrier;
use crate::control::request::{Hello, Reply, Request};
use crate::control::status::{Event, SCHEMA};
use crate::journal::tape::Part;
use crate::journal::{self, Tape};
use crate::negotiation::exchange::Input;
use crate::node::clock::rfc3339;
use crate::node::replayed::Replayed;
use crate::ui::replay::{Move, Place};
use crate::ui::{self, ReplayPanel, ScreenOptions};

/// Requests, replies and moves that may wait.
const WAITING: usize = 16;
/// The status is told again this often: a screen that hears nothing says so.
const AGAIN: Duration = Duration::from_millis(400);
/// Events that the status shows.
const SHOWN_EVENTS: usize = 100;

/// Shows the replay until the screen is left; returns what was compared.
pub(super) fn show(tape: Tape, state_directory: Option<&Path>, options: ScreenOptions) -> anyhow::Result<Counts> {
    let mut marks = Vec::new();
    let counts = walk(&tape, |mark| marks.push(mark));
    let events = state_directory.and_then(events_of).unwrap_or_else(|| events_from(&marks));
    let mut cursor = Cursor { tape, marks, counts: counts.clone(), events, at: At::default(), now: None, why: None };
    cursor.go(At::default());

    let (requests, asked) = mpsc::channel(WAITING);
    let (told, replies) = mpsc::channel(WAITING);
    let (orders, moves) = mpsc::channel(WAITING);
    let (place, places) = watch::channel(cursor.place());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .context("the replay's own runtime cannot be started")?;
    let server = std::thread::Builder::new()
        .name("replay".to_owned())
        .spawn(move || runtime.block_on(serve(cursor, asked, told, moves, place)))
        .context("the replay's thread cannot be started")?;
    let panel = ReplayPanel { orders, place: places };
    let shown =
        ui::run(Carrier { requests, replies }, ScreenOptions { read_only: true, replay: Some(panel), ..options });
    server.join().map_err(|_| anyhow!("the replay's thread has panicked"))?;
    shown?;
    Ok(counts)
}

async fn serve(
    mut cursor: Cursor,
    mut asked: mpsc::Receiver<Request>,
    told: mpsc::Sender<Reply>,
    mut moves: mpsc::Receiver<Move>,
    place: watch::Sender<Place>,
) {
    if told.send(Reply::Hello(cursor.hello())).await.is_err() {
        return;
    }
    loop {
        let reply = tokio::select! {
            request = asked.recv() => match request {
                None => return,
                Some(Request::Status | Request::Watch { .. }) => cursor.status(),
                // Whatever else can be asked of a controller.
                Some(_) => {
                    Some(Reply::Refused { why: "this is a replay: nothing can be done to what is over".to_owned() })
                }
            },
            Some(to) = moves.recv() => {
                cursor.move_to(to);
                // Several presses are one move on the screen.
                while let Ok(to) = moves.try_recv() {
                    cursor.move_to(to);
                }
                place.send_replace(cursor.place());
                cursor.status()
            }
            () = tokio::time::sleep(AGAIN) => cursor.status(),
        };
        if let Some(reply) = reply
            && told.send(reply).await.is_err()
        {
            return;
        }
    }
}

/// A place in the recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    segment: usize,
    place: usize,
}

/// The segment in hand.
struct Segment {
    number: usize,
    part: Arc<Part>,
    replayed: Replayed,
}

/// Where the replay is.
struct Cursor {
    tape: Tape,
    marks: Vec<Mark>,
    counts: Counts,
    /// What the journal tells, oldest first, with real times.
    events: Vec<(u64, Event)>,
    at: At,
    now: Option<Segment>,
    /// Why the segment that is asked for cannot be shown.
    why: Option<String>,
}

fn at(mark: &Mark) -> At {
    At { segment: mark.segment, place: mark.place }
}

impl Cursor {
    fn move_to(&mut self, to: Move) {
        let here = self.at;
        let to = match to {
            Move::NextDecision => self.marks.iter().map(at).find(|mark| *mark > here),
            Move::DecisionBefore => self.marks.iter().map(at).rev().find(|mark| *mark < here),
            Move::NextInput => Some(At { place: here.place + 1, ..here }),
            Move::InputBefore if here.place > 0 => Some(At { place: here.place - 1, ..here }),
            Move::InputBefore => here.segment.checked_sub(1).map(|segment| At { segment, place: usize::MAX }),
            Move::First => Some(At::default()),
            Move::Last => Some(At { segment: self.tape.files.len().saturating_sub(1), place: usize::MAX }),
        };
        if let Some(to) = to {
            self.go(to);
        }
    }

    /// Goes there; what lies behind a segment's end is the next one's beginning, or else its end.
    fn go(&mut self, to: At) {
        self.why = None;
        let stays = self.now.as_ref().is_some_and(|now| now.number == to.segment && now.replayed.place() <= to.place);
        if !stays {
            let Some(file) = self.tape.files.get(to.segment) else { return };
            let started = read(file).and_then(|(part, _)| {
                let part = Arc::new(part);
                let replayed = Replayed::at_start(Arc::clone(&part)).map_err(|error| error.to_string())?;
                Ok(Segment { number: to.segment, part, replayed })
            });
            match started {
                Ok(segment) => self.now = Some(segment),
                Err(why) => {
                    self.why = Some(why);
                    self.at = to;
                    return;
                }
            }
        }
        let Some(now) = &mut self.now else { return };
        let facts = now.part.facts.len();
        if to.place != usize::MAX && to.place > facts && to.segment + 1 < self.tape.files.len() {
            return self.go(At { segment: to.segment + 1, place: 0 });
        }
        now.replayed.forward(to.place);
        self.at = At { segment: to.segment, place: now.replayed.place() };
    }

    fn hello(&self) -> Hello {
        let who = self.now.as_ref().map(|now| &now.part.who);
        Hello {
            schema: SCHEMA,
            node: who.map(|who| who.node.as_str().to_owned()).unwrap_or_default(),
            group: who.map(|who| who.group.clone()).unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            may_operate: false,
            you_are: String::new(),
            state_directory: String::new(),
        }
    }

    fn status(&mut self) -> Option<Reply> {
        let now = self.now.as_mut()?;
        let until = now.replayed.moment().unix_ms;
        let past = self.events.partition_point(|(unix_ms, _)| *unix_ms <= until);
        let events = self.events[..past].iter().rev().take(SHOWN_EVENTS).map(|(_, event)| event.clone()).collect();
        Some(Reply::Status(Arc::new(now.replayed.status(events))))
    }

    /// The two lines that say where this is.
    fn place(&self) -> Place {
        let (before, all) = (self.marks.partition_point(|mark| at(mark) <= self.at), self.marks.len());
        let time = self.now.as_ref().map(|now| moment::readable(now.replayed.moment().unix_ms)).unwrap_or_default();
        let (segment, segments) = (self.at.segment + 1, self.tape.files.len());
        let facts = self.now.as_ref().map_or(0, |now| now.part.facts.len());
        let place = format!("REPLAY {time}   decision {before} of {all}   input {} of {facts}", self.at.place);
        let place = if segments > 1 { format!("{place}, segment {segment} of {segments}") } else { place };
        let errors = self.counts.errors;
        let place = if errors > 0 { format!("{place}   {errors} DIFFERENT when decided again") } else { place };
        if let Some(why) = &self.why {
            return Place { at: place, here: format!("cannot be shown: {why}"), wrong: true };
        }
        let marks: Vec<&Mark> = self.marks.iter().filter(|mark| at(mark) == self.at).collect();
        if marks.is_empty() {
            return Place { at: place, here: self.input(), wrong: false };
        }
        let wrong = marks.iter().any(|mark| matches!(mark.what, What::Differs { .. } | What::Broken(_)));
        let here: Vec<String> = marks.iter().map(|mark| said(&mark.what)).collect();
        Place { at: place, here: here.join("; "), wrong }
    }

    /// What the machine was told here, where it decided nothing.
    fn input(&self) -> String {
        let now = self.now.as_ref().filter(|now| now.number == self.at.segment);
        let fact = now.and_then(|now| now.part.facts.get(self.at.place.checked_sub(1)?));
        fact.map_or_else(String::new, |fact| format!("told: {}", input_words(&fact.input)))
    }
}

/// An input in a few words: its own names.
fn input_words(input: &Input) -> String {
    let json = serde_json::to_value(input).unwrap_or_default();
    let word = json["input"].as_str().unwrap_or("?").replace('_', " ");
    let message = json["message"].as_object().and_then(|message| message.keys().next().cloned());
    let message = message.or_else(|| json["message"].as_str().map(str::to_owned));
    match (json["peer"].as_u64(), message) {
        (Some(peer), Some(message)) => format!("{word}, from member {}: {}", peer + 1, message.replace('_', " ")),
        (Some(peer), None) => format!("{word}, member {}", peer + 1),
        (None, _) => word,
    }
}

fn said(what: &What) -> String {
    match what {
        What::Begins(text) | What::Broken(text) => text.clone(),
        What::Decided(texts) => format!("the same again: {}", texts.join("; ")),
        What::Differs { now, recorded, judge } => {
            let lead = match judge {
                journal::replay::Judge::ThisVersion => "DIFFERENT: decided again it is",
                journal::replay::Judge::Other(_) => "this version would decide",
            };
            format!("{lead}: {}; recorded: {}", or_nothing(now), or_nothing(recorded))
        }
    }
}

fn or_nothing(texts: &[String]) -> String {
    if texts.is_empty() { "nothing".to_owned() } else { texts.join("; ") }
}

/// What the journal beside the recording tells; none where there is none.
fn events_of(state_directory: &Path) -> Option<Vec<(u64, Event)>> {
    let records = journal::read(state_directory).ok()?;
    let event = |record: journal::Record| {
        let kind = crate::node::severity_word(record.entry.severity()).to_owned();
        let (seq, time, text) = (record.seq, rfc3339(record.unix_ms), record.entry.text());
        (record.unix_ms, Event { seq, time, kind, text })
    };
    let shown = records.filter(|record| !record.entry.is_for_counting());
    let mut events: Vec<(u64, Event)> = shown.map(event).collect();
    // A clock that was set back must not hide what came after.
    events.sort_by_key(|(unix_ms, _)| *unix_ms);
    (!events.is_empty()).then_some(events)
}

/// Where the journal is not at hand, what was decided again.
fn events_from(marks: &[Mark]) -> Vec<(u64, Event)> {
    let mut events: Vec<(u64, Event)> = Vec::new();
    for mark in marks {
        if let What::Decided(texts) = &mark.what {
            for text in texts {
                let seq = events.len() as u64 + 1;
                let event = Event { seq, time: rfc3339(mark.unix_ms), kind: "note".to_owned(), text: text.clone() };
                events.push((mark.unix_ms, event));
            }
        }
    }
    events.sort_by_key(|(unix_ms, _)| *unix_ms);
    events
}

//! What a negotiator does with a fact, and what is left of it when its time is told anew.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use tandem::negotiation::exchange::{Input, Output};
use tandem::negotiation::message::Message;
use tandem::negotiation::rebase::Rebase;
use tandem::negotiation::time::Instant;

use super::bounds::{Bounds, TICK, Time};
use super::states::{Machine, rebase};

/// What became of a fact that was given to a machine.
pub struct Handled {
    pub machine: Arc<Machine>,
    pub out: Vec<Output>,
    /// It has more to do at once.
    pub overdue: bool,
    pub guarded: Option<Instant>,
    /// By how much the numbers of its writes became smaller.
    pub versions: u64,
    pub forced: bool,
}

/// So many are remembered.
const REMEMBERED: usize = 100_000;

thread_local! {
    /// The same machine does the same with the same fact: most steps of a group need no machine to run again.
    static HANDLED: RefCell<HashMap<(u64, u64), Arc<Handled>>> = RefCell::default();
    /// Machines to which nothing but a tick happened.
    static PASSED: RefCell<HashMap<u64, Arc<Machine>>> = RefCell::default();
}

/// Gives a machine a fact at `now`, and rebases it unless time is told as it is.
pub fn handle(bounds: &Bounds, machine: &Arc<Machine>, now: Instant, input: Input) -> Arc<Handled> {
    match bounds.time {
        Time::Told => {}
        Time::Plain => return Arc::new(handled(bounds, machine, now, input, None)),
    }
    let key = (machine.hash, BuildHasherDefault::<DefaultHasher>::default().hash_one((now, &input)));
    if let Some(known) = HANDLED.with_borrow(|handled| handled.get(&key).cloned()) {
        return known;
    }
    let done = Arc::new(handled(bounds, machine, now, input, Some(rebase(now))));
    HANDLED.with_borrow_mut(|handled| {
        if handled.len() >= REMEMBERED {
            handled.clear();
        }
        handled.insert(key, Arc::clone(&done));
    });
    done
}

fn handled(bounds: &Bounds, machine: &Arc<Machine>, now: Instant, input: Input, passing: Option<Rebase>) -> Handled {
    let mut negotiator = machine.negotiator.clone();
    let mut out = Vec::new();
    negotiator.handle(now, input, &mut out);
    bounds.reached.wants(&out);
    out.retain(|output| !matches!(output, Output::Event(_) | Output::TakingOver(_) | Output::CommandDone(_)));
    let overdue = negotiator.next_deadline().is_some_and(|due| due <= now);
    let guarded = negotiator.may_serve_until(now);
    let forced = negotiator.is_forced();
    let Some(passing) = passing else {
        let machine = Arc::new(Machine::new(negotiator));
        return Handled { machine, out, overdue, guarded, versions: 0, forced };
    };
    for output in &mut out {
        match output {
            Output::Send { message, .. } => pass_message(message, &passing),
            Output::AskArbiter { asked_at, .. } | Output::AskReference { asked_at, .. } => {
                *asked_at = passing.instant(*asked_at, 3 * TICK);
            }
            Output::StopServing { by } => *by = by.map(|by| passing.instant(by, Duration::ZERO)),
            Output::Write { .. }
            | Output::ModeChanged(_)
            | Output::TakingOver(_)
            | Output::Fence { .. }
            | Output::Event(_)
            | Output::CommandDone(_)
            | Output::Stopped => {}
        }
    }
    let guarded = guarded.map(|until| passing.instant(until, Duration::ZERO));
    let rebased = negotiator.rebased(&passing);
    let (machine, versions) = (Arc::new(Machine::new(rebased.machine)), rebased.versions);
    Handled { machine, out, overdue, guarded, versions, forced }
}

/// A machine as it is when time has passed until `now`.
pub fn pass(machine: &Arc<Machine>, now: Instant) -> Arc<Machine> {
    if let Some(known) = PASSED.with_borrow(|passed| passed.get(&machine.hash).cloned()) {
        return known;
    }
    let rebased = machine.negotiator.clone().rebased(&rebase(now));
    let later = Arc::new(Machine::new(rebased.machine));
    PASSED.with_borrow_mut(|passed| {
        if passed.len() >= REMEMBERED {
            passed.clear();
        }
        passed.insert(machine.hash, Arc::clone(&later));
    });
    later
}

/// Forgets what machines did: they are about to become others, because a guard is switched.
pub fn forget() {
    HANDLED.with_borrow_mut(HashMap::clear);
    PASSED.with_borrow_mut(HashMap::clear);
}

/// What a message carries of its asker's time is told from the epoch too.
pub fn pass_message(message: &mut Message, passing: &Rebase) {
    let oldest = 5 * TICK;
    match message {
        Message::Query(query) => query.id.0 = passing.question(Instant(query.id.0), oldest).0,
        Message::Answer(answer) => answer.id.0 = passing.question(Instant(answer.id.0), oldest).0,
        Message::Beacon(beacon) => beacon.sent_at = passing.instant(beacon.sent_at, oldest),
        Message::Grant(grant) => grant.sent_at = passing.instant(grant.sent_at, oldest),
        Message::Relay(_)
        | Message::HandOverRequest(_)
        | Message::HandOverAnswer(_)
        | Message::Released(_)
        | Message::Hold(_)
        | Message::Bye => {}
    }
}

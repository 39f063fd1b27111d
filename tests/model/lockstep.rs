//! Whether it is right to call two states one: a group whose time is told as it is goes the same random way as one that
//! is told anew after every step.
//!
//! Were anything taken off a machine that it still goes by (a time that saturates too soon, a text that is compared, two
//! questions that are told apart), the two would differ sooner or later: in what a machine says, in what may happen next,
//! or in the machine itself. So whatever the telling takes off has no say in what follows, and that is what makes the walk
//! through the told states a walk through all of them. A fingerprint of 64 bits is the other thing that could call two
//! states one: with ten million states the odds are one to three hundred thousand.

use tandem::sim::Rng;

use super::actions::{Action, enabled};
use super::bounds::{Bounds, TICK, Time};
use super::states::{Group, LONGEST_FREEZE, Run};
use super::steps::{first, step};
use super::text;

/// Walks `steps` steps, and says where the two groups differ.
///
/// # Errors
/// The last steps, and the first part that differs.
pub fn walk_both(bounds: &Bounds, seed: u64, steps: usize) -> Result<(), String> {
    let plain_bounds = Bounds { time: Time::Plain, ..bounds.clone() };
    let mut rng = Rng::new(seed);
    let (mut told, mut plain) = (first(bounds), first(&plain_bounds));
    let mut trace = Vec::new();
    for _ in 0..steps {
        if let Some(what) = differing(&told, &plain.told()) {
            let from = trace.len() - trace.len().min(12);
            return Err(format!("seed {seed}, after {} steps: {what}\n{}", trace.len(), trace[from..].join("\n")));
        }
        let mut actions = Vec::new();
        enabled(bounds, &told, &mut actions);
        actions.retain(|action| may(&told, *action));
        if actions.is_empty() {
            return Ok(());
        }
        // Some other way, where the first would tell two calls apart.
        let found = (0..TRIES).find_map(|_| {
            // Below the number of actions, which is small.
            let action = actions[rng.below(actions.len() as u64) as usize];
            let next = step(&plain_bounds, &plain, action);
            (!calls_at_one_time(&next)).then_some((action, next))
        });
        let Some((action, next)) = found else { return Ok(()) };
        trace.push(format!("{}\n    {}", text::state(&told), text::action(&told, action)));
        told = step(bounds, &told, action);
        plain = next;
    }
    Ok(())
}

/// How often another action is tried.
const TRIES: usize = 20;

/// A member that calls the arbiter again in the very moment of the call before counts from a nanosecond later. The telling
/// takes that off on purpose: it is no more than the model's answers that take no time. The walks go another way.
fn calls_at_one_time(plain: &Group) -> bool {
    let grain = u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
    plain.members.iter().any(|member| member.calls.iter().any(|call| call.asked_at.0 % grain != 0))
}

/// A forced step-down lasts for ninety ticks, and a health takeover is remembered for longer: only a freeze that counts
/// for its whole length is told the same.
fn may(group: &Group, action: Action) -> bool {
    let longest = group.members.iter().any(|member| member.run == Run::Frozen { ticks: LONGEST_FREEZE });
    let remembers = group.members.iter().any(|member| member.held || member.sick);
    !(action == Action::Tick && longest && remembers)
}

/// The first part in which two groups differ.
fn differing(told: &Group, plain: &Group) -> Option<String> {
    if told == plain {
        return None;
    }
    for (id, (told, plain)) in told.members.iter().zip(&plain.members).enumerate() {
        let (Some(one), Some(other)) = (&told.machine, &plain.machine) else { continue };
        if one == other {
            continue;
        }
        let fields = |machine: &super::states::Machine| serde_json::to_value(&machine.negotiator).ok();
        let (Some(one), Some(other)) = (fields(one), fields(other)) else { continue };
        let mut names = one.as_object().into_iter().flatten().map(|(name, _)| name);
        if let Some(name) = names.find(|name| one.get(name) != other.get(name)) {
            return Some(format!("member {id}: {name}: {:?} or {:?}", one.get(name), other.get(name)));
        }
    }
    for (id, (told, plain)) in told.members.iter().zip(&plain.members).enumerate() {
        let text = |member: &super::states::Member| {
            let mut member = member.clone();
            member.machine = None;
            format!("{member:?}")
        };
        if text(told) != text(plain) {
            return Some(format!("member {id}:\n{}\n{}", text(told), text(plain)));
        }
    }
    Some(format!(
        "{:?} {:?} {:?}\n{:?} {:?} {:?}",
        told.links, told.register, told.acted, plain.links, plain.register, plain.acted
    ))
}

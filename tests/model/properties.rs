//! What must hold in every state, and the walk through them.

use std::time::Instant as Clock;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use stateright::{Checker, Model, Property};
use tandem::negotiation::settings::Protection;
use tandem::sim::Rng;

use super::actions::{Action, enabled};
use super::bounds::Bounds;
use super::machines;
use super::states::{Group, Run};
use super::{steps, text};

/// Two act at once.
pub const ONE_ACTS: &str = "never two act at once";
/// Terms and numbers, what is on disk, what answered.
pub const TERMS: &str = "terms are unique and durable";
/// S10.
pub const RECOVERS: &str = "a Primary is there again";
/// Not vacuous: the role does move.
pub const MOVES: &str = "the role moves";

/// The group as `stateright` sees it.
#[derive(Debug, Clone)]
pub struct Groups(pub Bounds);

impl Model for Groups {
    type State = Group;
    type Action = Action;

    fn init_states(&self) -> Vec<Group> {
        vec![steps::first(&self.0)]
    }

    fn actions(&self, state: &Group, actions: &mut Vec<Action>) {
        enabled(&self.0, state, actions);
    }

    fn next_state(&self, last_state: &Group, action: Action) -> Option<Group> {
        Some(steps::step(&self.0, last_state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ONE_ACTS, |model: &Self, group: &Group| !model.0.one_acts || one_acts(group)),
            Property::always(TERMS, |_: &Self, group: &Group| group.broken.is_none()),
            Property::sometimes(MOVES, |_: &Self, group: &Group| {
                let mut owners: Vec<_> = group.acted.iter().map(|term| term.owner).collect();
                owners.dedup();
                owners.len() > 1
            }),
        ];
        if self.0.recovery {
            properties.push(Property::always(RECOVERS, |model: &Groups, group: &Group| {
                group.calm < model.0.recovers_within() || !may_act(&model.0, group) || group.primaries().count() == 1
            }));
        }
        properties
    }
}

fn one_acts(group: &Group) -> bool {
    group.members.iter().filter(|member| member.acts_by_rule()).count() < 2
}

/// Whether the members that run hear each other and what protects them, and are enough.
fn may_act(bounds: &Bounds, group: &Group) -> bool {
    let running = group.members.iter().filter(|member| member.run == Run::Running);
    let (mut count, mut reach) = (0, true);
    for member in running {
        count += 1;
        reach &= !member.arbiter_lost && member.references_lost.is_none() && !member.stopping;
    }
    let others = group.members.iter().all(|member| match member.run {
        Run::Running => true,
        Run::Off { .. } => !member.serves,
        Run::Dying | Run::Frozen { .. } => false,
    });
    let linked = group.links.iter().all(|link| {
        let both = link.ends.iter().all(|end| group.members[*end].run == Run::Running);
        !both || (link.up == [true; 2] && link.cut == [false; 2])
    });
    let need = if bounds.protected_by(Protection::Fence) {
        // Who has not heard its peer since its own boot waits for it.
        bounds.members
    } else if bounds.protected_by(Protection::Majority) {
        bounds.members / 2 + 1
    } else {
        1
    };
    count >= need && reach && others && linked
}

/// What an exploration came to.
#[derive(Debug)]
pub struct Outcome {
    /// What it is called.
    pub title: String,
    /// States seen, counting each time.
    pub states: usize,
    /// Different states.
    pub unique: usize,
    /// The longest way.
    pub depth: usize,
    /// How long it took.
    pub seconds: f64,
    /// What the processors did for it, in seconds: the machine may be shared.
    pub processor: f64,
    /// What did not hold, with the shortest way there.
    pub failures: Vec<(&'static str, String)>,
    /// Whether the role was seen to move.
    pub moves: bool,
    /// Everything that was reached, in words.
    pub reached: Vec<String>,
}

impl Outcome {
    /// One line of the table.
    pub fn line(&self) -> String {
        let Outcome { title, states, unique, depth, seconds, processor, failures, .. } = self;
        let found: Vec<&str> = failures.iter().map(|(name, _)| *name).collect();
        let found = if found.is_empty() { "holds".to_owned() } else { format!("NOT: {}", found.join(", ")) };
        format!(
            "{title:<64} {states:>11} states {unique:>10} unique {depth:>4} deep {seconds:>6.1} s {processor:>6.1} s of processor  {found}"
        )
    }

    /// The trace to the failure of one property.
    pub fn trace_of(&self, property: &str) -> Option<&str> {
        self.failures.iter().find(|(name, _)| *name == property).map(|(_, trace)| trace.as_str())
    }
}

/// Walks through every state within the bounds, breadth first, on so many threads.
pub fn check(bounds: &Bounds, threads: usize) -> Outcome {
    machines::forget();
    let begun = (Clock::now(), processor());
    let mut checker = Groups(bounds.clone()).checker().threads(threads);
    if let Some(depth) = bounds.depth {
        checker = checker.target_max_depth(depth);
    }
    let checker = checker.finish_when(stateright::HasDiscoveries::AnyFailures).spawn_bfs().join();
    outcome(bounds, &checker, begun)
}

/// Random walks, for so long.
pub fn walk(bounds: &Bounds, threads: usize, seed: u64, time: std::time::Duration) -> Outcome {
    machines::forget();
    let begun = (Clock::now(), processor());
    let checker = Groups(bounds.clone()).checker().threads(threads).timeout(time);
    let checker = checker.finish_when(stateright::HasDiscoveries::AnyFailures);
    let checker = checker.spawn_simulation(seed, stateright::UniformChooser).join();
    outcome(bounds, &checker, begun)
}

/// Random walks that are the same each time, of so many steps each from seed 1 on, until all of `wanted` was reached; says
/// what never was. Faults come now and then: else the budget is gone before anything has followed from the first.
///
/// # Errors
/// What did not hold, with the way there.
pub fn wander(bounds: &Bounds, walks: u64, steps: usize, wanted: &[&str]) -> Result<Vec<String>, String> {
    let mut missing: Vec<String> = wanted.iter().map(|word| (*word).to_owned()).collect();
    for seed in 1..=walks {
        let mut rng = Rng::new(seed);
        let mut group = steps::first(bounds);
        let mut trace = Vec::new();
        for _ in 0..steps {
            let mut actions = Vec::new();
            enabled(bounds, &group, &mut actions);
            if !rng.chance(10) {
                let all = actions.clone();
                actions.retain(|action| !action.is_fault());
                if actions.is_empty() {
                    actions = all;
                }
            }
            if actions.is_empty() {
                break;
            }
            // Below the number of actions, which is small.
            let action = actions[rng.below(actions.len() as u64) as usize];
            trace.push(format!("    {}\n{}", text::state(&group), text::action(&group, action)));
            group = steps::step(bounds, &group, action);
            if group.broken.is_some() || (bounds.one_acts && !one_acts(&group)) {
                let state = text::state(&group);
                return Err(format!("seed {seed}: {:?}\n{}\n    {state}", group.broken, trace.join("\n")));
            }
        }
        let reached = bounds.reached.words();
        missing.retain(|word| !reached.contains(word));
        if missing.is_empty() {
            break;
        }
    }
    Ok(missing)
}

/// What the processors have done for this process, in seconds.
fn processor() -> f64 {
    let Ok(used) = getrusage(UsageWho::RUSAGE_SELF) else { return 0.0 };
    [used.user_time(), used.system_time()].iter().map(|time| time.num_microseconds() as f64 / 1e6).sum()
}

fn outcome(bounds: &Bounds, checker: &impl Checker<Groups>, begun: (Clock, f64)) -> Outcome {
    let (seconds, processor) = (begun.0.elapsed().as_secs_f64(), processor() - begun.1);
    let mut failures = Vec::new();
    let mut moves = false;
    for (name, path) in checker.discoveries() {
        if name == MOVES {
            moves = true;
            continue;
        }
        let mut trace = String::new();
        for (state, action) in path.into_vec() {
            trace.push_str(&format!("    {}\n", text::state(&state)));
            if let Some(action) = action {
                trace.push_str(&format!("{}\n", text::action(&state, action)));
            }
        }
        failures.push((name, trace));
    }
    Outcome {
        title: text::title(bounds),
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        seconds,
        processor,
        failures,
        moves,
        reached: bounds.reached.words(),
    }
}

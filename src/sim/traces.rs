//! Traces by name: each is a run that once ended badly, in a model of the rules or in a walk of this simulator.
//!
//! The world checks its invariants after every event, so a trace that must not have two Primaries says so only where
//! the invariant does not (protection `none`).

mod commands;
mod leased;
mod mended;
mod named;
mod protected;
mod reachability;

use std::time::Duration;

use super::fault::{Crash, Fault, Order, Step, Way};
use super::walk::recover;
use super::world::{Group, World};
use crate::negotiation::decision::Rule;
use crate::negotiation::member::MemberId;
use crate::negotiation::message::Mode;
use crate::negotiation::settings::Protection;

const ALPHA: MemberId = MemberId(0);
const BETA: MemberId = MemberId(1);
const GAMMA: MemberId = MemberId(2);

/// A group that boots and has its first Primary, alpha, with a trace that is printed when a claim fails.
struct Scene {
    world: World,
}

impl Scene {
    fn pair() -> Scene {
        Scene::booted(2, &[])
    }

    fn three() -> Scene {
        Scene::booted(3, &[])
    }

    fn three_majority() -> Scene {
        Scene::booted(3, &[Protection::Majority])
    }

    fn booted(count: usize, protection: &[Protection]) -> Scene {
        let mut scene = Scene::off(count, protection, 1);
        scene.start_all();
        scene.run(8_000);
        assert_eq!(scene.primaries(), [ALPHA], "{}", scene.world.trace());
        scene
    }

    fn off(count: usize, protection: &[Protection], seed: u64) -> Scene {
        let mut world = World::new(World::group(count, protection), seed);
        world.keep_trace();
        Scene { world }
    }

    fn start_all(&mut self) {
        for member in self.world.members() {
            self.world.apply(Fault::Start(member));
        }
    }

    fn run(&mut self, ms: u64) {
        if let Err(broken) = self.world.run(Duration::from_millis(ms)) {
            panic!("{broken}\n{}", self.world.trace());
        }
    }

    fn apply(&mut self, fault: Fault) -> &mut Scene {
        self.world.apply(fault);
        self
    }

    /// Runs until `wanted`, at most ten seconds.
    fn until(&mut self, what: &str, wanted: impl Fn(&World) -> bool) {
        for _ in 0..100_000 {
            if wanted(&self.world) {
                return;
            }
            if let Err(broken) = self.world.run(Duration::from_micros(100)) {
                panic!("{broken}\n{}", self.world.trace());
            }
        }
        panic!("not reached: {what}\n{}", self.world.trace());
    }

    fn primaries(&self) -> Vec<MemberId> {
        self.world.primaries().collect()
    }

    #[track_caller]
    fn primary_is(&self, wanted: &[MemberId]) {
        assert_eq!(self.primaries(), wanted, "{}", self.world.trace());
    }

    /// Lets time pass in which there is never more than one Primary.
    #[track_caller]
    fn never_two(&mut self, ms: u64) {
        for _ in 0..ms {
            self.run(1);
            assert!(self.world.primaries().count() < 2, "{:?}\n{}", self.primaries(), self.world.trace());
        }
    }

    /// Cuts a member off from all others.
    fn isolate(&mut self, member: MemberId) {
        for other in self.world.members().filter(|other| *other != member) {
            self.world.apply(Fault::Cut(member, other, Way::Both));
        }
    }

    /// Everything is mended: one Primary within the bound, and rest.
    #[track_caller]
    fn recovers(&mut self) {
        if let Err(broken) = recover(&mut self.world) {
            panic!("{broken}\n{}", self.world.trace());
        }
    }

    fn mode(&self, member: MemberId) -> Option<Mode> {
        self.world.member(member).map(|negotiator| negotiator.mode_and_term().0)
    }

    fn term(&self, member: MemberId) -> u64 {
        self.world.member(member).map_or(0, |negotiator| negotiator.mode_and_term().1.number)
    }

    /// How often a member became Primary since the scene began.
    fn promotions(&self, member: MemberId) -> usize {
        let all = self.world.decisions().iter();
        all.filter(|(who, decision)| *who == member && decision.mode == Mode::Primary).count()
    }

    fn decided(&self, member: MemberId, rule: impl Fn(&Rule) -> bool) -> bool {
        self.world.decisions().iter().any(|(who, decision)| *who == member && rule(&decision.rule))
    }
}

#[test]
fn a_walk_is_the_same_each_time_and_tells_its_trace_when_it_fails() {
    let group = World::group(3, &[Protection::Majority]);
    for seed in 0..20 {
        let first = super::walk::walk(&group, seed).map_err(|failure| failure.trace);
        let second = super::walk::walk(&group, seed).map_err(|failure| failure.trace);
        assert_eq!(first, second);
    }
    let restart = [Step { after: Duration::from_secs(9), fault: Fault::Crash(ALPHA, Crash::Process) }];
    assert!(super::walk::run(&group, 1, &restart).is_ok());
}

//! Processes, health and fencing: the traces of negotiation.md that need them, and what else they must survive.

use super::*;
use crate::negotiation::exchange::CommandOutcome;
use crate::sim::fault::Agent;

const FENCE: &[Protection] = &[Protection::Fence];

/// A pair with alpha as Primary, whose processes take up to three seconds to stop.
fn pair_with_processes(protection: &[Protection], seed: u64) -> Scene {
    let mut scene = Scene::off(2, protection, seed);
    for member in [ALPHA, BETA] {
        scene.apply(Fault::StopTime(member, Duration::from_secs(3)));
    }
    scene.start_all();
    scene.run(8_000);
    scene.primary_is(&[ALPHA]);
    scene
}

/// H5: while the link works the sick Primary is asked, and nobody acts before it has stopped.
#[test]
fn trace_a_sick_primary_taken_over_on_a_working_link_without_fencing() {
    for seed in 0..10 {
        let mut scene = pair_with_processes(&[], seed);
        scene.apply(Fault::SickenProcesses(ALPHA));
        scene.never_two(12_000);
        scene.primary_is(&[BETA]);
        assert!(scene.decided(BETA, |rule| matches!(rule, Rule::TookOverForHealth { .. })), "{}", scene.world.trace());
        // One that never hands over keeps the role for as long as it is heard: its processes never end.
        let mut scene = pair_with_processes(&[], seed);
        scene.apply(Fault::StopTime(ALPHA, Duration::from_secs(3_600)));
        scene.apply(Fault::SickenProcesses(ALPHA));
        scene.never_two(60_000);
        assert_eq!(scene.promotions(BETA), 0, "{}", scene.world.trace());
    }
}

/// S6: each is sick as soon as its processes run, and looks healthy when they do not.
#[test]
fn trace_two_sick_controllers_that_swapped_roles_back_and_forth() {
    let mut scene = pair_with_processes(&[], 5);
    scene.apply(Fault::SickenProcesses(ALPHA)).apply(Fault::SickenProcesses(BETA));
    let before = scene.promotions(ALPHA) + scene.promotions(BETA);
    scene.run(550_000);
    let changes = scene.promotions(ALPHA) + scene.promotions(BETA) - before;
    assert_eq!(changes, 1, "{}", scene.world.trace());
    let both_sick =
        |member| scene.world.member(member).map(|one| one.view(scene.world.clock_of(member)).health.both_sick);
    assert_eq!((both_sick(ALPHA), both_sick(BETA)), (Some(true), Some(true)), "{}", scene.world.trace());
    scene.run(3_600_000);
    let changes = scene.promotions(ALPHA) + scene.promotions(BETA) - before;
    assert!(changes <= 7, "{changes} changes in an hour and ten minutes\n{}", scene.world.trace());
}

/// S3: both lose each other and both would shoot. The delay lets one of them be first.
#[test]
fn trace_a_fence_duel() {
    for seed in 0..30 {
        let mut scene = pair_with_processes(FENCE, seed);
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.never_two(20_000);
        scene.primary_is(&[ALPHA]);
        assert_eq!(scene.world.running().collect::<Vec<_>>(), [ALPHA], "{}", scene.world.trace());
        // A delay below the time that the device takes can end with both off, and never with two that act.
        let mut scene = Scene::off(2, FENCE, seed);
        let hasty = Group { fence_delay: vec![Some(Duration::ZERO); 2], ..World::group(2, FENCE) };
        for member in [ALPHA, BETA] {
            scene.world.set(member, hasty.clone());
        }
        scene.start_all();
        scene.run(8_000);
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.never_two(20_000);
        scene.apply(Fault::Heal(ALPHA, BETA));
        scene.recovers();
    }
}

/// S3: the Primary is frozen and shoots nobody; the other waits its delay, and acts when the first has no power.
#[test]
fn s3_a_frozen_primary_is_off_before_the_other_acts() {
    for seed in 0..10 {
        let mut scene = pair_with_processes(FENCE, seed);
        scene.apply(Fault::Freeze(ALPHA));
        scene.run(7_500);
        assert_eq!(scene.promotions(BETA), 0, "{}", scene.world.trace());
        scene.run(4_500);
        scene.primary_is(&[BETA]);
        assert!(scene.decided(BETA, |rule| matches!(rule, Rule::PeerOff { .. })), "{}", scene.world.trace());
        scene.apply(Fault::Start(ALPHA));
        scene.never_two(20_000);
        scene.primary_is(&[BETA]);
    }
}

/// S2: an agent that fails or hangs blocks the takeover, until it works, or somebody looks.
#[test]
fn s2_an_agent_that_fails_or_hangs_blocks_the_takeover() {
    for agent in [Agent::Fails, Agent::Hangs] {
        let mut scene = pair_with_processes(FENCE, 7);
        scene.apply(Fault::Fencing(ALPHA, agent)).apply(Fault::Crash(ALPHA, Crash::Host));
        scene.run(40_000);
        scene.primary_is(&[]);
        // The next round, a minute after the one before.
        scene.apply(Fault::Fencing(ALPHA, Agent::Works));
        scene.run(60_000);
        scene.primary_is(&[BETA]);
        let mut scene = pair_with_processes(FENCE, 8);
        scene.apply(Fault::Fencing(ALPHA, agent)).apply(Fault::Crash(ALPHA, Crash::Host));
        scene.run(40_000);
        scene.apply(Fault::Order(BETA, Order::IsOff(ALPHA)));
        scene.run(1_000);
        scene.primary_is(&[BETA]);
    }
}

/// S2: an agent that lies ends the promise, and the first word of the other tells that it does.
#[test]
fn s2_an_agent_that_lies_is_found_out() {
    let mut scene = pair_with_processes(FENCE, 3);
    scene.apply(Fault::Fencing(ALPHA, Agent::Lies)).apply(Fault::Freeze(ALPHA));
    scene.run(12_000);
    scene.apply(Fault::Thaw(ALPHA));
    scene.run(5_000);
    let beta = scene.world.member(BETA).expect("it runs");
    let fence = &beta.view(scene.world.clock_of(BETA)).peers[0].fence;
    assert!(fence.heard_after_off.is_some(), "{}", scene.world.trace());
}

/// P6, S10: a controller that is killed leaves its processes to the guardian, which refuses only when they are gone.
#[test]
fn p6_a_killed_controllers_processes_are_gone_before_the_other_acts() {
    for seed in 0..20 {
        let mut scene = pair_with_processes(&[], seed);
        scene.apply(Fault::Crash(ALPHA, Crash::Process));
        scene.until("beta acts", |world| world.primaries().eq([BETA]));
        assert!(!scene.world.serves(ALPHA), "{}", scene.world.trace());
    }
}

/// U2: an operator switches off one that lives; the other acts at once, and not before.
#[test]
fn u2_an_operators_fencing_of_a_living_primary_hands_the_role_over_the_hard_way() {
    let mut scene = pair_with_processes(FENCE, 4);
    scene.apply(Fault::Order(BETA, Order::Fence(ALPHA)));
    scene.never_two(4_000);
    scene.primary_is(&[BETA]);
    let outcomes: Vec<_> = scene.world.outcomes().iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [&CommandOutcome::Done], "{}", scene.world.trace());
}

/// Read beside the rules: a link that passed nothing to beta any more. Beta's delay ran out while alpha, which had heard
/// beta for a timeout longer, had just begun to shoot at once: both ended off (S3).
#[test]
fn trace_a_one_way_cut_that_left_both_off() {
    for way in [Way::Forth, Way::Back] {
        for seed in 0..40 {
            let mut scene = pair_with_processes(FENCE, seed);
            scene.apply(Fault::Cut(ALPHA, BETA, way));
            scene.never_two(25_000);
            assert_eq!(scene.world.running().count(), 1, "{way:?} {seed}\n{}", scene.world.trace());
            assert_eq!(scene.primaries().len(), 1, "{way:?} {seed}\n{}", scene.world.trace());
        }
    }
}

/// The same before anybody was Primary: the lower address would shoot at once.
#[test]
fn trace_a_one_way_cut_before_anybody_was_primary() {
    for way in [Way::Forth, Way::Back] {
        for seed in 0..40 {
            let mut scene = Scene::off(2, FENCE, seed);
            scene.start_all();
            scene.run(1_500);
            scene.primary_is(&[]);
            scene.apply(Fault::Cut(ALPHA, BETA, way));
            scene.never_two(40_000);
            assert_eq!(scene.world.running().count(), 1, "{way:?} {seed}\n{}", scene.world.trace());
        }
    }
}

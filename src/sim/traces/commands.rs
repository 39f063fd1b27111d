//! Operators: hand-overs, holds, forced steps, and stops, also when the disk or the network disagrees.

use super::*;
use crate::negotiation::exchange::CommandOutcome;

/// Read beside the rules: a forced take-over whose disk failed was tried again every few seconds for ever, and came to
/// pass when the disk worked again, hours after the operator had gone (U2, N20).
#[test]
fn trace_a_forced_take_over_that_waited_for_the_disk_for_ever() {
    let mut scene = Scene::pair();
    scene.apply(Fault::Cut(ALPHA, BETA, Way::Both)).apply(Fault::Order(BETA, Order::Hold(Duration::from_secs(900))));
    scene.run(4_500);
    scene.apply(Fault::BreakDisk(BETA)).apply(Fault::Order(BETA, Order::ForceTakeOver));
    scene.run(20_000);
    let outcomes: Vec<_> = scene.world.outcomes().iter().filter(|(who, _)| *who == BETA).map(|(_, how)| how).collect();
    assert!(
        matches!(outcomes[..], [CommandOutcome::Done, CommandOutcome::Impossible { .. }]),
        "the hold, then the take-over: {outcomes:?}\n{}",
        scene.world.trace()
    );
    scene.apply(Fault::MendDisk(BETA));
    scene.run(20_000);
    assert_eq!(scene.promotions(BETA), 0, "{}", scene.world.trace());
    scene.recovers();
}

/// Found on a real pair: the successor could not write its new term, and nobody acted until the releaser's wait was over,
/// although the successor knew after milliseconds (S10, N20).
#[test]
fn trace_a_release_to_one_whose_disk_fails_that_waited_out_the_timeout() {
    let mut scene = Scene::pair();
    scene.apply(Fault::BreakDisk(BETA)).apply(Fault::Order(BETA, Order::TakeOver));
    scene.until("alpha has released", |world| world.primaries().next().is_none());
    scene.run(500);
    scene.primary_is(&[ALPHA]);
    let outcomes: Vec<_> = scene.world.outcomes().iter().filter(|(who, _)| *who == BETA).map(|(_, how)| how).collect();
    assert!(matches!(outcomes[..], [CommandOutcome::Impossible { .. }]), "{outcomes:?}\n{}", scene.world.trace());
    scene.apply(Fault::MendDisk(BETA));
    scene.recovers();
}

/// Read beside the rules: a hold that had run out was still on disk, and a restart hours later froze the group again
/// for as long as the hold had once been given (S7: it ends by itself).
#[test]
fn trace_a_hold_that_came_back_after_it_had_run_out() {
    let mut scene = Scene::pair();
    scene.apply(Fault::Order(ALPHA, Order::Hold(Duration::from_secs(60))));
    scene.run(70_000);
    scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Start(BETA));
    scene.run(5_000);
    scene.apply(Fault::Crash(ALPHA, Crash::Host));
    scene.run(5_000);
    scene.primary_is(&[BETA]);
}

/// The same while it is in force: a member that restarts again and again does not hold longer than the others.
#[test]
fn trace_a_hold_that_every_restart_began_anew() {
    let mut scene = Scene::pair();
    scene.apply(Fault::Order(ALPHA, Order::Hold(Duration::from_secs(60))));
    for _ in 0..4 {
        scene.run(20_000);
        scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Start(BETA));
    }
    scene.run(5_000);
    scene.apply(Fault::Crash(ALPHA, Crash::Host));
    scene.run(5_000);
    scene.primary_is(&[BETA]);
}

/// A soak: gamma was forced to act while alpha's processes still ran, and handed the role to beta at once. Beta had the
/// majority by gamma's word, which gamma had given to alpha before: two acted by the rules, though the operator had
/// forced but one of the three (U2, N16, S1).
#[test]
fn trace_a_forced_primary_that_handed_on_what_it_had_promised() {
    for seed in 0..20 {
        let mut scene = Scene::off(3, &[Protection::Majority], seed);
        for member in [ALPHA, BETA, GAMMA] {
            scene.apply(Fault::StopTime(member, Duration::from_secs(6)));
        }
        scene.start_all();
        scene.run(10_000);
        scene.primary_is(&[ALPHA]);
        // Alpha acts by gamma's word alone.
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.run(10_000);
        scene.primary_is(&[ALPHA]);
        scene.apply(Fault::Crash(ALPHA, Crash::Process));
        scene.run(5);
        scene.apply(Fault::Order(GAMMA, Order::ForceTakeOver));
        scene.run(20);
        scene.apply(Fault::Order(GAMMA, Order::StepDown));
        scene.until("beta acts", |world| world.primaries().eq([BETA]));
        assert!(!scene.world.serves(ALPHA), "{}", scene.world.trace());
        scene.recovers();
    }
}

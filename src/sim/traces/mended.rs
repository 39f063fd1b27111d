//! Runs that walks of this simulator found, or that reading the rules beside it did, and that were mended.

use super::*;
use crate::negotiation::Negotiator;
use crate::sim::Reference;

/// Walk 10022 of three under majority: gamma granted alpha, crashed, and, having forgotten that, granted the forced
/// Primary beta, which at once counted as one by the rules while alpha's lease still ran (S1).
#[test]
fn trace_a_forced_primary_that_became_ordinary_on_a_forgetful_grant() {
    let mut scene = Scene::three_majority();
    scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
    scene.until("beta asks no more", |world| world.primaries().count() == 1);
    scene.apply(Fault::Order(BETA, Order::ForceTakeOver));
    scene.until("beta acts", |world| world.primaries().count() == 2);
    // Beta may not have been heard by gamma yet, or gamma's promise to alpha makes it refuse; a restart forgets that.
    scene.apply(Fault::Crash(GAMMA, Crash::Process));
    scene.apply(Fault::Cut(ALPHA, GAMMA, Way::Both));
    scene.apply(Fault::Start(GAMMA));
    scene.run(2_000);
    scene.until("alpha's lease ends", |world| world.primaries().eq([BETA]));
    scene.until("beta is an ordinary Primary", |world| world.member(BETA).is_some_and(|beta| !beta.is_forced()));
    scene.recovers();
}

/// A lease is not lost because who grants it restarts: it settles before it consents to anybody else (rule 1, S10).
#[test]
fn trace_a_grant_that_died_with_the_process_that_gave_it() {
    let mut scene = Scene::three_majority();
    scene.apply(Fault::Crash(GAMMA, Crash::Host));
    scene.run(6_000);
    scene.primary_is(&[ALPHA]);
    scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Start(BETA));
    scene.run(6_000);
    scene.primary_is(&[ALPHA]);
    assert_eq!(scene.promotions(ALPHA), 1, "{}", scene.world.trace());
}

/// Walk 10938 of three under majority: alpha, whose disk had failed, released the role to gamma and voted only in
/// memory; gamma took that for a vote in writing. Alpha restarted, forgot, and took the same number with beta (N11, N20).
#[test]
fn trace_a_release_whose_vote_was_not_on_disk() {
    let mut scene = Scene::three_majority();
    scene.apply(Fault::Crash(BETA, Crash::Host));
    scene.run(6_000);
    scene.apply(Fault::BreakDisk(ALPHA));
    scene.apply(Fault::Order(GAMMA, Order::TakeOver));
    scene.run(8_000);
    assert!(scene.promotions(GAMMA) == 0, "a majority in writing was not there\n{}", scene.world.trace());
    scene.apply(Fault::Crash(GAMMA, Crash::Host)).apply(Fault::Crash(ALPHA, Crash::Process));
    scene.apply(Fault::MendDisk(ALPHA)).apply(Fault::Start(ALPHA)).apply(Fault::Start(BETA));
    scene.run(20_000);
    scene.primary_is(&[ALPHA]);
    scene.recovers();
}

/// A release that waited for a slow disk until its own time was over, and was then sent by a member that had taken the
/// role again: the successor took the term that had been released long ago (N16, N18).
#[test]
fn trace_a_release_that_came_after_its_promise() {
    let mut scene = Scene::pair();
    scene.apply(Fault::SlowDisk(ALPHA, Duration::from_secs(9)));
    for _ in 0..3 {
        scene.apply(Fault::Order(ALPHA, Order::StepDown));
        scene.run(12_000);
    }
    let beta_took = scene.decided(BETA, |rule| matches!(rule, Rule::Released { .. }));
    let both = scene.primaries().len() > 1;
    assert!(!both, "released {beta_took}\n{}", scene.world.trace());
    scene.recovers();
}

/// Read beside the rules: gamma's shorter timeout bound beta, and with it the length of beta's promise to alpha, which
/// did not know gamma and counted its lease by the longer one: beta and gamma acted before that was over (N16, N19, S1).
#[test]
fn trace_a_promise_that_a_third_members_settings_shortened() {
    let mut scene = Scene::off(3, &[Protection::Majority], 4);
    let group = World::group(3, &[Protection::Majority]);
    let short = Duration::from_millis(600);
    scene.world.set(GAMMA, Group { reply_timeout: short, query_interval: short / 4, ..group });
    scene.apply(Fault::Cut(ALPHA, GAMMA, Way::Both));
    scene.apply(Fault::Start(ALPHA)).apply(Fault::Start(BETA));
    scene.run(20_000);
    scene.apply(Fault::Start(GAMMA));
    scene.run(5_000);
    scene.primary_is(&[ALPHA]);
    scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
    scene.never_two(8_000);
    scene.primary_is(&[BETA]);
}

/// Walk 73 of an unprotected pair: both acted during a cut, beta, in the higher term, crashed before the link came back,
/// and alpha went on in the lower one, which whoever had seen beta's refuses (N11, S5, S10).
#[test]
fn trace_a_primary_whose_term_was_overtaken_by_one_that_is_gone() {
    let mut scene = Scene::pair();
    scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
    scene.run(8_000);
    scene.primary_is(&[ALPHA, BETA]);
    scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Heal(ALPHA, BETA)).apply(Fault::Start(BETA));
    scene.never_two(8_000);
    scene.primary_is(&[ALPHA]);
    assert_eq!(scene.term(ALPHA), 3, "above beta's\n{}", scene.world.trace());
    assert!(scene.decided(ALPHA, |rule| matches!(rule, Rule::Overtaken { .. })), "{}", scene.world.trace());
}

/// Walk 501127 of five under majority: the floor that a voter told had no owner and hid a lower term that was acted in;
/// the forced Primary, in one below both, went on in it (N11).
#[test]
fn trace_a_floor_without_an_owner_that_hid_a_term() {
    let group = World::group(5, &[Protection::Majority]);
    let walked = super::super::walk::walk(&group, 501_127);
    assert!(walked.is_ok(), "{walked:?}");
}

#[test]
fn trace_a_forced_primary_became_an_ordinary_one_while_the_other_still_stopped() {
    let mut scene = Scene::booted(2, &[Protection::Fence, Protection::Reachability]);
    scene.apply(Fault::StopTime(ALPHA, Duration::from_secs(4)));
    // So that beta cannot take over by rule, and alpha refuses to hand over.
    scene.apply(Fault::Reference(BETA, Reference::Silent)).run(6_000);
    scene.apply(Fault::Order(BETA, Order::ForceTakeOver)).run(500);
    scene.primary_is(&[ALPHA, BETA]);
    assert!(scene.world.member(BETA).is_some_and(Negotiator::is_forced), "{}", scene.world.trace());
    scene.run(6_000);
    scene.primary_is(&[BETA]);
    assert!(scene.world.member(BETA).is_some_and(|beta| !beta.is_forced()), "{}", scene.world.trace());
}

#[test]
fn trace_a_forced_primary_became_an_ordinary_one_though_it_had_consented_to_the_other() {
    let mut scene = Scene::off(2, &[Protection::Fence], 3);
    scene.start_all();
    // Alpha has beta's consent, and waits only until nothing from before its start can bind it.
    scene.run(3_600);
    scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
    scene.apply(Fault::Order(BETA, Order::ForceTakeOver)).run(1_000);
    // The world would say so if both were Primary by the rules; force alone makes two.
    scene.primary_is(&[ALPHA, BETA]);
    assert!(scene.world.member(BETA).is_some_and(Negotiator::is_forced), "{}", scene.world.trace());
}

/// The guardian ended what a frozen Primary ran, and the Primary, which lost nothing else between two of its intervals,
/// stayed one: here nothing ran there ever again, and a rehearsal said that nobody acts. The controller starts it anew (P6).
#[test]
fn trace_a_stall_too_short_for_the_role_that_was_long_enough_for_the_guardian() {
    let mut stayed = 0;
    for seed in 0..20 {
        let mut group = World::group(2, &[]);
        group.reply_timeout = Duration::from_millis(1_100);
        let mut world = World::new(group, seed);
        world.keep_trace();
        let mut scene = Scene { world };
        scene.start_all();
        scene.run(8_000 + 50 * seed);
        scene.primary_is(&[ALPHA]);
        let term = scene.term(ALPHA);
        scene.apply(Fault::Freeze(ALPHA)).run(880);
        assert!(!scene.world.serves(ALPHA), "the guardian ended it\n{}", scene.world.trace());
        scene.apply(Fault::Thaw(ALPHA)).run(3_000);
        stayed += usize::from(scene.term(ALPHA) == term);
        let primaries = scene.primaries();
        assert_eq!(primaries.len(), 1, "{}", scene.world.trace());
        assert!(scene.world.serves(primaries[0]), "{}", scene.world.trace());
    }
    assert!(stayed > 0, "each of them lost the role");
}

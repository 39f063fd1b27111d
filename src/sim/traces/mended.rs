//! Runs that walks of this simulator found, or that reading the rules beside it did, and that were mended.

use super::*;

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

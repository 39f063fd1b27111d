//! The traces at the end of negotiation.md, by their names.

use super::*;

/// N11: a take-over waits for its term to be on disk; what it rested on is looked at again then.
#[test]
fn trace_takeover_while_the_term_was_still_being_written() {
    let mut scene = Scene::pair();
    scene.apply(Fault::SlowDisk(BETA, Duration::from_secs(4)));
    scene.apply(Fault::Crash(ALPHA, Crash::Host));
    scene.run(3_500);
    assert_eq!(scene.mode(BETA), Some(Mode::Secondary), "its term is being written");
    scene.apply(Fault::Start(ALPHA));
    scene.never_two(20_000);
    let abandoned = |rule: &Rule| matches!(rule, Rule::AbandonedForChange { .. } | Rule::AbandonedForPrimary { .. });
    assert!(scene.decided(BETA, abandoned), "{}", scene.world.trace());
    scene.recovers();
}

/// N16: who said "be Primary" takes nothing over while that stands, also when the other is gone at once. Without a
/// lease only the evidence of a crash ends it early (N14).
#[test]
fn trace_a_promise_that_did_not_cover_silence() {
    for (count, protection, crash) in [(2, &[][..], Crash::Host), (3, &[Protection::Majority][..], Crash::Process)] {
        let mut scene = Scene::off(count, protection, 3);
        scene.start_all();
        scene.until("alpha acts on the others' word", |world| world.primaries().eq([ALPHA]));
        scene.apply(Fault::Crash(ALPHA, crash));
        scene.run(2_900);
        scene.primary_is(&[]);
        scene.run(2_000);
        scene.primary_is(&[BETA]);
    }
}

/// N12: the connection survived the cut, so nothing but the beacon tells.
#[test]
fn trace_two_primaries_after_a_cut_without_a_broken_connection() {
    let mut scene = Scene::pair();
    scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
    scene.until("both act", |world| world.primaries().count() == 2);
    scene.apply(Fault::Heal(ALPHA, BETA));
    scene.until("one acts", |world| world.primaries().count() == 1);
    scene.primary_is(&[BETA]);
    assert!(scene.decided(ALPHA, |rule| matches!(rule, Rule::YieldedTo { .. })), "{}", scene.world.trace());
    scene.recovers();
}

/// Rule 10: the third member tells the lesser of two Primaries that cannot see each other.
#[test]
fn trace_a_hub_between_two_primaries_that_cannot_see_each_other() {
    let mut scene = Scene::three();
    scene.isolate(ALPHA);
    scene.until("both act", |world| world.primaries().count() == 2);
    scene.run(5_000);
    scene.apply(Fault::Heal(ALPHA, GAMMA));
    scene.run(5_000);
    scene.primary_is(&[BETA]);
    // Gamma's first word, a query, tells of the higher term already; else the relay does.
    let told = |rule: &Rule| matches!(rule, Rule::YieldedByRelay { .. } | Rule::Overtaken { .. });
    assert!(scene.decided(ALPHA, told), "{}", scene.world.trace());
    scene.recovers();
}

/// Rule 3, b and c: two that do not see each other ask the same third.
#[test]
fn trace_a_hub_that_promised_to_two() {
    for seed in 0..20 {
        let mut scene = Scene::off(3, &[], seed);
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.start_all();
        scene.never_two(25_000);
        assert_eq!(scene.primaries().len(), 1, "{}", scene.world.trace());
    }
}

/// Rule 2: the cap of the reconnect backoff stays below half of the listener's wait, so booting apart is no tie (N3).
#[test]
fn trace_a_listeners_boot_wait_shorter_than_the_callers_backoff() {
    for apart in (0..9_000).step_by(450) {
        let mut scene = Scene::off(2, &[], apart);
        scene.apply(Fault::Start(ALPHA));
        scene.run(apart);
        scene.apply(Fault::Start(BETA));
        scene.never_two(6_000);
        scene.primary_is(&[ALPHA]);
    }
}

/// S1: a Primary alone steps down before the others may replace it.
#[test]
fn trace_majority_without_a_lease() {
    let mut scene = Scene::three_majority();
    scene.isolate(ALPHA);
    scene.never_two(10_000);
    scene.primary_is(&[BETA]);
    assert!(scene.decided(ALPHA, |rule| matches!(rule, Rule::LostMajority { .. })), "{}", scene.world.trace());
    scene.recovers();
}

/// Rule 6 guards every road: neither the end of the boot's wait nor a single "be Primary" replaces a majority.
#[test]
fn trace_boot_and_primary_replies_past_the_protection() {
    let mut scene = Scene::off(5, &[Protection::Majority], 5);
    scene.apply(Fault::Start(ALPHA)).apply(Fault::Start(BETA));
    scene.run(60_000);
    scene.primary_is(&[]);
    scene.apply(Fault::Start(GAMMA));
    scene.run(20_000);
    scene.primary_is(&[ALPHA]);
}

/// Every validity counts from the question: over a slow link a grant is half spent when it comes.
#[test]
fn trace_a_grant_counted_from_receipt() {
    for seed in 0..20 {
        let mut scene = Scene::off(3, &[Protection::Majority], seed);
        scene.start_all();
        scene.run(8_000);
        for (one, other) in [(ALPHA, BETA), (ALPHA, GAMMA)] {
            scene.apply(Fault::Delay(one, other, Duration::from_millis(1_400)));
        }
        scene.run(8_000 + 137 * seed);
        // The beacons are lost, the grants that are on their way still come.
        for other in [BETA, GAMMA] {
            scene.apply(Fault::Cut(ALPHA, other, Way::Forth));
        }
        scene.never_two(12_000);
        scene.recovers();
    }
}

/// Rule 1: who restarts settles first, because what it granted may still stand.
#[test]
fn trace_a_grantor_that_restarted_and_forgot() {
    for seed in 0..20 {
        let mut scene = Scene::off(3, &[Protection::Majority], seed);
        scene.start_all();
        scene.run(8_000 + 97 * seed);
        scene.isolate(ALPHA);
        scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Start(BETA));
        scene.apply(Fault::Crash(GAMMA, Crash::Process)).apply(Fault::Start(GAMMA));
        // Alpha's lease, as long as it stands.
        scene.run(1_200);
        scene.primary_is(&[ALPHA]);
        scene.never_two(30_000);
        scene.primary_is(&[BETA]);
    }
}

/// S7: a hold stops no step-down.
#[test]
fn trace_hold_that_froze_a_step_down() {
    let mut scene = Scene::three_majority();
    scene.apply(Fault::Order(ALPHA, Order::Hold(Duration::from_secs(600))));
    scene.run(1_000);
    scene.isolate(ALPHA);
    scene.run(10_000);
    scene.primary_is(&[]);
    scene.recovers();
}

/// S10: a lower address that cannot act, or can act only sick, does not keep the role from one that can.
#[test]
fn trace_a_held_unable_or_sick_lower_address_that_starved_the_group() {
    for fault in [Fault::Sicken(ALPHA), Fault::BreakDisk(ALPHA)] {
        for (count, protection) in [(2, &[][..]), (3, &[][..]), (3, &[Protection::Majority][..])] {
            let mut scene = Scene::off(count, protection, 8);
            scene.apply(fault);
            scene.start_all();
            scene.run(14_000);
            scene.primary_is(&[BETA]);
        }
    }
    // Held since before it died, and alone: the rest of the group took the hold back.
    let mut scene = Scene::three();
    scene.apply(Fault::Order(ALPHA, Order::Hold(Duration::from_secs(600))));
    scene.run(1_000);
    scene.apply(Fault::Crash(ALPHA, Crash::Host));
    scene.run(6_000);
    scene.primary_is(&[]);
    scene.apply(Fault::Order(BETA, Order::Resume));
    scene.run(6_000);
    scene.primary_is(&[BETA]);
    scene.apply(Fault::Start(ALPHA)).run(6_000);
    scene.apply(Fault::Crash(BETA, Crash::Host));
    scene.run(8_000);
    scene.primary_is(&[ALPHA]);
}

/// Rule 11: the word that released the role was lost, and both had promised it to the other.
#[test]
fn trace_two_promises_that_starve_each_other() {
    for wait in 0..12 {
        let mut scene = Scene::pair();
        scene.apply(Fault::Order(ALPHA, Order::StepDown));
        scene.world.run(Duration::from_micros(500 * wait)).expect("nothing breaks");
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.run(50);
        scene.apply(Fault::Heal(ALPHA, BETA));
        scene.run(5_000);
        assert_eq!(scene.primaries().len(), 1, "{}", scene.world.trace());
        // H5b: each in turn is the one that can serve.
        scene.apply(Fault::Crash(ALPHA, Crash::Process)).apply(Fault::Crash(BETA, Crash::Process));
        scene.apply(Fault::Sicken(ALPHA)).start_all();
        scene.run(100 * wait);
        scene.apply(Fault::Sicken(BETA)).apply(Fault::Recover(ALPHA));
        scene.run(8_000);
        assert_eq!(scene.primaries().len(), 1, "{}", scene.world.trace());
    }
}

/// S9: a Primary that slept does not act before it knows that nobody took over.
#[test]
fn trace_a_stale_primary_after_waking_or_from_a_slow_link() {
    let mut scene = Scene::pair();
    scene.apply(Fault::Freeze(ALPHA));
    scene.run(4_500);
    scene.primary_is(&[BETA]);
    scene.apply(Fault::Thaw(ALPHA));
    scene.never_two(10_000);
    scene.primary_is(&[BETA]);
    assert!(scene.decided(ALPHA, |rule| matches!(rule, Rule::Stalled { .. })), "{}", scene.world.trace());
    // The slow link: what alpha said as Primary arrives when it is none any more.
    scene.apply(Fault::Delay(ALPHA, BETA, Duration::from_millis(1_400)));
    scene.apply(Fault::Freeze(BETA)).run(2_000);
    scene.apply(Fault::Thaw(BETA)).run(3_000);
    scene.recovers();
}

/// Rule 13: whoever slept re-enters by the normal road, in a new term.
#[test]
fn trace_a_woken_primary_that_resumed_on_plain_answers() {
    for protection in [&[][..], &[Protection::Majority][..]] {
        let mut scene = Scene::booted(3, protection);
        let before = scene.term(ALPHA);
        scene.apply(Fault::Freeze(ALPHA)).run(2_600);
        scene.apply(Fault::Thaw(ALPHA));
        scene.never_two(8_000);
        scene.primary_is(&[ALPHA]);
        assert!(scene.term(ALPHA) > before, "{}", scene.world.trace());
    }
}

/// N11, S1: a grant for an old beacon keeps nobody Primary, and no number is used twice.
#[test]
fn trace_the_same_term_twice_through_majority() {
    for seed in 0..20 {
        let mut scene = Scene::off(3, &[Protection::Majority], seed);
        scene.start_all();
        scene.run(8_000);
        scene.apply(Fault::Delay(ALPHA, BETA, Duration::from_millis(1_400)));
        scene.apply(Fault::SlowDisk(BETA, Duration::from_millis(1_400)));
        scene.run(2_000 + 111 * seed);
        scene.apply(Fault::Freeze(ALPHA)).run(1_700 + 50 * seed);
        scene.apply(Fault::Thaw(ALPHA)).run(200 * seed);
        scene.apply(Fault::Cut(ALPHA, GAMMA, Way::Both));
        scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Start(BETA));
        scene.never_two(10_000);
        scene.recovers();
    }
}

//! The traces of negotiation.md beside an arbiter (S1, S4), and what else a lease must survive. The world's arbiter loses
//! requests and replies, is slow, and may carry out what was given up long ago.

use super::*;
use crate::negotiation::exchange::StopCause;
use crate::negotiation::view::Gone;
use crate::sim::arbiter::{ArbiterFault, Road};

const ARBITER: &[Protection] = &[Protection::Arbiter];
const FENCE_AND_ARBITER: &[Protection] = &[Protection::Fence, Protection::Arbiter];

/// A group that has booted and settled, with alpha as Primary.
fn leased(count: usize, protection: &[Protection], seed: u64) -> Scene {
    let mut scene = Scene::off(count, protection, seed);
    scene.start_all();
    scene.run(10_000);
    scene.primary_is(&[ALPHA]);
    scene
}

fn road(scene: &mut Scene, member: MemberId, road: Road) {
    scene.apply(Fault::Arbiter(ArbiterFault::Road(member, road)));
}

/// The arbiter and the roads to it work again, and after the longest that a lease, a promise and a silence take, one acts.
#[track_caller]
fn one_acts_again(scene: &mut Scene) {
    scene.apply(Fault::Arbiter(ArbiterFault::Return));
    let members: Vec<MemberId> = scene.world.members().collect();
    for member in members.clone() {
        road(scene, member, Road::Open);
        scene.apply(Fault::Thaw(member)).apply(Fault::MendDisk(member));
        for other in members.iter().filter(|other| **other > member) {
            scene.apply(Fault::Heal(member, *other)).apply(Fault::Delay(member, *other, Duration::from_millis(2)));
        }
    }
    scene.start_all();
    scene.run(30_000);
    assert_eq!(scene.primaries().len(), 1, "{:?}\n{}", scene.primaries(), scene.world.trace());
}

/// Rule 6 guards every road: not the end of the boot's wait, not a "be Primary", not a crash, without the lease.
#[test]
fn trace_boot_and_primary_replies_past_the_protection_of_an_arbiter() {
    let mut scene = Scene::off(2, ARBITER, 5);
    scene.apply(Fault::Arbiter(ArbiterFault::Vanish)).apply(Fault::Start(ALPHA));
    scene.run(60_000);
    scene.primary_is(&[]);
    // Beta says "be Primary" to alpha, and reaches the arbiter itself: the lease is beta's to have.
    scene.apply(Fault::Start(BETA)).apply(Fault::Arbiter(ArbiterFault::Return));
    road(&mut scene, ALPHA, Road::RequestsLost);
    scene.never_two(20_000);
    scene.primary_is(&[BETA]);
    // A crash is no proof: what crashed may have been cut off, and its lease stands until its end.
    scene.apply(Fault::Crash(BETA, Crash::Process));
    scene.run(20_000);
    scene.primary_is(&[]);
    one_acts_again(&mut scene);
}

/// Rule 11: the role was released to one that does not get the lease, and it acts all the same.
#[test]
fn trace_a_release_that_skipped_the_lease() {
    for seed in 0..10 {
        let mut scene = leased(2, ARBITER, seed);
        road(&mut scene, BETA, Road::RequestsLost);
        scene.apply(Fault::Stop(ALPHA, StopCause::Operator));
        scene.run(20_000);
        assert_eq!(scene.promotions(BETA), 0, "{}", scene.world.trace());
        road(&mut scene, BETA, Road::Open);
        scene.run(3_000);
        scene.primary_is(&[BETA]);
        assert_eq!(scene.world.lease().0, Some(BETA), "{}", scene.world.trace());
    }
}

/// Rule 11: an operator's hand-over gives the lease back first, so the successor has it at the first try.
#[test]
fn trace_a_hand_over_that_waited_for_the_leases_end() {
    for seed in 0..10 {
        let mut scene = leased(2, ARBITER, seed);
        scene.apply(Fault::Order(BETA, Order::TakeOver));
        scene.run(200);
        scene.primary_is(&[BETA]);
    }
}

/// S9, rule 13: a Primary that slept past its lease does not act on waking; in between, the other may have acted.
#[test]
fn trace_a_stale_primary_after_waking_beside_an_arbiter() {
    for seed in 0..10 {
        let mut scene = leased(2, ARBITER, seed);
        scene.apply(Fault::Freeze(ALPHA));
        scene.never_two(12_000);
        scene.primary_is(&[BETA]);
        scene.apply(Fault::Thaw(ALPHA));
        scene.never_two(10_000);
        scene.primary_is(&[BETA]);
    }
}

/// Rule 13: whoever slept re-enters by the normal road: with a new number, allotted for a question from after the sleep.
#[test]
fn trace_a_woken_primary_that_resumed_on_plain_answers_beside_an_arbiter() {
    for seed in 0..10 {
        let mut scene = leased(2, ARBITER, seed);
        let before = scene.term(ALPHA);
        scene.apply(Fault::Freeze(ALPHA)).run(2_700 + 100 * seed);
        scene.apply(Fault::Thaw(ALPHA));
        scene.never_two(10_000);
        assert_eq!(scene.primaries().len(), 1, "{}", scene.world.trace());
        assert!(scene.term(scene.primaries()[0]) > before, "{}", scene.world.trace());
    }
}

/// Rule 14: own counting, a late renewal, a late acquisition. The world checks that no number is acted in by two members
/// (and that nobody takes a term that is not above all it has seen).
#[test]
fn trace_the_same_term_twice_through_the_arbiter() {
    for seed in 0..40 {
        let mut scene = leased(2, ARBITER, seed);
        let turn = |scene: &mut Scene, steps: [Fault; 2], ms: u64| {
            for fault in steps {
                scene.apply(fault);
            }
            scene.never_two(ms);
        };
        // What alpha asks is done late, or nobody is told; then nobody hears alpha, and beta asks the same register.
        let bad = [Road::Bad, Road::RepliesLost][seed as usize % 2];
        let slow = Fault::Arbiter(ArbiterFault::Delay(Duration::from_millis(100 * (seed % 8))));
        turn(&mut scene, [Fault::Arbiter(ArbiterFault::Road(ALPHA, bad)), slow], 500 + 130 * seed);
        turn(&mut scene, [Fault::Cut(ALPHA, BETA, Way::Both), Fault::Freeze(ALPHA)], 1_000 + 170 * seed);
        turn(&mut scene, [Fault::Thaw(ALPHA), Fault::Arbiter(ArbiterFault::Road(BETA, bad))], 4_000 + 110 * seed);
        turn(&mut scene, [Fault::Heal(ALPHA, BETA), Fault::Crash(BETA, Crash::Process)], 3_000);
        turn(&mut scene, [Fault::Start(BETA), Fault::Arbiter(ArbiterFault::Restart(Duration::from_secs(2)))], 9_000);
        one_acts_again(&mut scene);
    }
}

/// S3: both lose each other, and both would shoot. One is left, and it is the one that acts.
#[test]
fn trace_a_fence_duel_beside_an_arbiter() {
    for seed in 0..30 {
        let mut scene = leased(2, FENCE_AND_ARBITER, seed);
        scene.run(77 * seed);
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.never_two(40_000);
        scene.primary_is(&[ALPHA]);
        assert_eq!(scene.promotions(ALPHA), 1, "{}", scene.world.trace());
    }
}

/// Rule 15: a Primary that is itself the one cut off shoots nobody; the other does, when its promise is over.
#[test]
fn trace_a_primary_cut_off_from_everything_that_shot_the_other() {
    for seed in 0..20 {
        let mut scene = leased(2, FENCE_AND_ARBITER, seed);
        scene.run(91 * seed);
        road(&mut scene, ALPHA, Road::RequestsLost);
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.never_two(40_000);
        scene.primary_is(&[BETA]);
        assert_eq!(scene.promotions(BETA), 1, "nobody shot it\n{}", scene.world.trace());
    }
}

/// S4: an arbiter that nobody reaches does not stop a healthy group, however long, and however it comes back.
#[test]
fn trace_an_arbiter_that_vanished_and_stopped_a_healthy_group() {
    for (count, seed) in [(2, 1), (2, 2), (3, 3), (3, 4)] {
        let mut scene = leased(count, ARBITER, seed);
        scene.apply(Fault::Arbiter(ArbiterFault::Vanish));
        scene.never_two(60_000);
        scene.primary_is(&[ALPHA]);
        assert_eq!(scene.promotions(ALPHA), 1, "{}", scene.world.trace());
        // A grantor that restarts settles, and grants again before its last grant is over or after: no gap in between.
        scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Start(BETA));
        scene.never_two(20_000);
        scene.primary_is(&[ALPHA]);
        assert_eq!(scene.promotions(ALPHA), 1, "{}", scene.world.trace());
        scene.apply(Fault::Arbiter(ArbiterFault::Return));
        scene.never_two(20_000);
        scene.primary_is(&[ALPHA]);
        assert_eq!(scene.promotions(ALPHA), 1, "{}", scene.world.trace());
    }
}

/// S4: the Primary that goes on by grants loses its peer while the arbiter is still away: nobody acts, and one does when it
/// is back. In between the two are never Primary together, although each believes the other to be gone.
#[test]
fn trace_a_grant_counted_from_receipt_beside_an_arbiter() {
    for seed in 0..20 {
        let mut scene = leased(2, ARBITER, seed);
        scene.apply(Fault::Arbiter(ArbiterFault::Vanish));
        scene.apply(Fault::Delay(ALPHA, BETA, Duration::from_millis(1_400)));
        scene.run(12_000 + 137 * seed);
        // The beacons are lost, the grants that are on their way still come; the arbiter is back for beta alone.
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Forth));
        road(&mut scene, ALPHA, Road::RequestsLost);
        scene.apply(Fault::Arbiter(ArbiterFault::Return));
        scene.never_two(12_000);
        scene.primary_is(&[BETA]);
        one_acts_again(&mut scene);
    }
}

/// Rule 1: a grantor restarts, has forgotten its grant, and reaches the arbiter that the Primary does not reach.
#[test]
fn trace_a_grantor_that_restarted_and_forgot_beside_an_arbiter() {
    for seed in 0..20 {
        let mut scene = leased(2, ARBITER, seed);
        scene.apply(Fault::Arbiter(ArbiterFault::Vanish));
        scene.run(12_000 + 97 * seed);
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        road(&mut scene, ALPHA, Road::RequestsLost);
        scene.apply(Fault::Arbiter(ArbiterFault::Return));
        scene.apply(Fault::Crash(BETA, Crash::Process)).apply(Fault::Start(BETA));
        scene.never_two(20_000);
        let view = scene.world.member(BETA).map(|beta| beta.view(scene.world.clock_of(BETA)));
        let never_heard = view.is_some_and(|view| view.peers[0].gone == Some(Gone::NeverHeard));
        assert!(never_heard, "{}", scene.world.trace());
        scene.primary_is(&[BETA]);
    }
}

/// N16: who said "be Primary" while the arbiter was out of everybody's reach does not take the lease the moment that it is
/// back.
#[test]
fn trace_a_promise_that_did_not_cover_the_return_of_the_arbiter() {
    for seed in 0..20 {
        let mut scene = Scene::off(2, ARBITER, seed);
        scene.apply(Fault::Arbiter(ArbiterFault::Vanish));
        scene.start_all();
        scene.until("alpha acts on beta's word", |world| world.primaries().eq([ALPHA]));
        scene.apply(Fault::Arbiter(ArbiterFault::Return)).apply(Fault::Cut(ALPHA, BETA, Way::Both));
        road(&mut scene, ALPHA, Road::RequestsLost);
        // Beta's consent is alpha's first lease.
        scene.never_two(2_500);
        scene.primary_is(&[ALPHA]);
        scene.never_two(9_500);
        scene.primary_is(&[BETA]);
    }
}

/// S10: a lower address that the arbiter does not answer, or that is sick, does not keep the role from one that can.
#[test]
fn trace_an_arbiterless_lower_address_that_starved_the_group() {
    for count in [2, 3] {
        let mut scene = Scene::off(count, ARBITER, 8);
        road(&mut scene, ALPHA, Road::RequestsLost);
        scene.start_all();
        scene.never_two(14_000);
        scene.primary_is(&[BETA]);
    }
}

/// Rule 11: the word that released the role was lost, and the lease with it.
#[test]
fn trace_two_promises_that_starve_each_other_beside_an_arbiter() {
    for wait in 0..12 {
        let mut scene = leased(2, ARBITER, wait);
        scene.apply(Fault::Order(ALPHA, Order::StepDown));
        scene.world.run(Duration::from_micros(500 * wait)).expect("nothing breaks");
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.run(50);
        scene.apply(Fault::Heal(ALPHA, BETA));
        scene.never_two(12_000);
        assert_eq!(scene.primaries().len(), 1, "{}", scene.world.trace());
    }
}

/// Rule 3, b and c: two that do not see each other ask the same third, and the same arbiter.
#[test]
fn trace_a_hub_that_promised_to_two_beside_an_arbiter() {
    for seed in 0..20 {
        let mut scene = Scene::off(3, ARBITER, seed);
        scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
        scene.start_all();
        scene.never_two(25_000);
        assert_eq!(scene.primaries().len(), 1, "{}", scene.world.trace());
    }
}

/// S7: a hold stops neither the step-down of who loses its lease nor its renewals.
#[test]
fn trace_hold_that_froze_a_step_down_beside_an_arbiter() {
    let mut scene = leased(2, ARBITER, 6);
    scene.apply(Fault::Order(ALPHA, Order::Hold(Duration::from_secs(600))));
    scene.run(20_000);
    scene.primary_is(&[ALPHA]);
    scene.apply(Fault::Cut(ALPHA, BETA, Way::Both));
    road(&mut scene, ALPHA, Road::RequestsLost);
    scene.run(10_000);
    scene.primary_is(&[]);
}

//! Every guard of the negotiation is needed: with any one of them switched off, something fails.
//!
//! Built only with the feature `guards` (`cargo test --features guards --test mutations`, which `tests/run` does too). The
//! table below says for each guard what notices: a scene with one machine, walks of the simulator from a seed on, or the
//! model. Each of them first has to hold with every guard in place.

#[path = "model/mod.rs"]
mod explore;
#[path = "mutations/scenes.rs"]
mod scenes;

use std::panic::{self, AssertUnwindSafe};

use explore::{Bounds, check};
use tandem::negotiation::guard::{Guard, switch_off};
use tandem::negotiation::settings::Protection::Fence;
use tandem::sim::World;
use tandem::sim::walk::walk;

/// How many walks are tried, from the seed of the table on: so that a change of the walks themselves does no harm.
const WALKS: u64 = 40;

/// What notices that a guard is off.
enum Killer {
    /// A scene with one machine: it panics.
    Scene(fn()),
    /// Walks of an unprotected group of so many members, from this seed on.
    Walks { members: usize, from: u64 },
    /// The model, within these bounds.
    Model(Bounds),
}

/// What notices, for each guard. A new guard does not compile without its line.
fn killer(guard: Guard) -> Killer {
    use Killer::{Model, Scene, Walks};
    match guard {
        Guard::PersistBeforeActing => Walks { members: 2, from: 0 },
        Guard::LookAgainAfterTheDisk => Scene(scenes::n11_what_it_rests_on_is_looked_at_again_after_the_disk),
        Guard::PersistTheVote => Walks { members: 2, from: 1 },
        Guard::PersistWhatIsTold => Walks { members: 3, from: 0 },
        Guard::PromiseBlocks => Scene(scenes::n16_a_promise_blocks_the_road_of_a_crash),
        Guard::PromiseToOne => Scene(scenes::n16_who_promised_to_one_promises_to_nobody_else),
        Guard::ForceKeepsThePromise => Scene(scenes::u2_what_a_force_broke_is_waited_out_before_a_third_gets_the_role),
        Guard::PrimaryConsentsToNobody => Scene(scenes::n5_a_primary_consents_to_nobody),
        Guard::HeardPrimaryStands => Scene(scenes::n7_who_hears_a_primary_consents_to_nobody),
        Guard::ConsentAboveTheFloor => Scene(scenes::n11_no_consent_below_the_floor),
        Guard::ConsentOnceSettled => Scene(scenes::n16_of_three_who_has_not_settled_consents_to_nobody),
        Guard::RankDecides => Scene(scenes::n6_the_lower_address_does_not_consent_to_the_higher),
        Guard::ConsentForThisNumber => Scene(scenes::n11_a_consent_for_another_number_is_none),
        Guard::ConsentFromTheQuestion => Scene(scenes::n16_a_consent_to_an_old_question_is_none),
        Guard::GrantFromTheBeacon => Scene(scenes::s1_a_grant_counts_from_its_beacon),
        Guard::GrantForThisTerm => Scene(scenes::s1_a_grant_for_another_term_is_none),
        Guard::GrantWhenFree => Scene(scenes::n16_who_promised_to_one_grants_to_nobody_else),
        Guard::LeaseMargin => Scene(scenes::p6_a_lease_is_left_a_tenth_early),
        Guard::LeaseEnds => Scene(scenes::s1_a_primary_whose_lease_is_over_steps_down),
        Guard::HoldStopsNoStepDown => Scene(scenes::s7_it_does_so_under_a_hold_too),
        Guard::SettleAtBoot => Scene(scenes::n16_who_may_have_forgotten_a_promise_waits_it_out),
        Guard::MajorityIsCounted => Scene(scenes::s1_one_of_three_is_no_majority),
        Guard::SilentOneIsOff => Model(Bounds { budget: 0, ..Bounds::pair(&[Fence], 0) }.cold()),
        Guard::FencingOfThisLife => Scene(scenes::s2_a_peer_that_started_anew_is_not_off),
        Guard::NeverHeardShootsNobody => Scene(scenes::s3_who_never_heard_its_peer_shoots_nobody),
        Guard::FenceDelay => Scene(scenes::s3_who_does_not_shoot_first_waits),
        Guard::WhoIsMissedLeavesTheShot => Scene(scenes::s3_who_was_missed_first_leaves_the_shot_to_the_other),
        Guard::StallEndsTrust => Scene(scenes::s9_who_slept_asks_again),
        Guard::StallExcusesSilence => Scene(scenes::s9_the_own_lateness_excuses_silence),
        Guard::OnlyTheLowerYields => Scene(scenes::n12_the_primary_in_the_higher_term_stays),
        Guard::ReleaseNamesOne => Scene(scenes::n18_a_release_is_for_the_one_it_names),
        Guard::RequestForThisTerm => Scene(scenes::n18_a_request_for_another_term_ends_nothing),
        Guard::DeadConnectionIsDropped => Scene(scenes::n14_what_comes_from_a_dead_connection_is_no_sign_of_life),
        // Walks say little of this one: a takeover without the lease is over at once, for want of it, so nobody acts at all.
        Guard::LeaseIsHeld => Scene(scenes::s1_no_takeover_while_another_has_the_lease),
        Guard::LeaseAboveTheFloor => Scene(scenes::n11_a_lease_below_the_floor_is_no_lease),
        Guard::LeaseAskedAwake => Scene(scenes::s9_a_lease_that_was_asked_for_before_a_stall_is_given_back),
        Guard::EveryGrantWithoutArbiter => Scene(scenes::s4_without_the_arbiter_one_grant_of_two_is_too_few),
        Guard::ReferenceIsFresh => Scene(scenes::s1_a_reference_address_that_answered_long_ago_is_none),
        Guard::ReferenceInTheSilence => Scene(scenes::s1_a_reference_address_is_asked_anew_in_the_silence),
        Guard::ReferenceLasts => Scene(scenes::s1_a_reference_address_that_is_back_leaves_the_others_time_to_be_heard),
    }
}

/// What it notices, if anything: one line.
fn noticed(killer: &Killer) -> Option<String> {
    match killer {
        Killer::Scene(scene) => panic::catch_unwind(scene).err().map(|_| "its scene fails".to_owned()),
        Killer::Walks { members, from } => {
            let group = World::group(*members, &[]);
            (*from..from + WALKS).find_map(|seed| match panic::catch_unwind(AssertUnwindSafe(|| walk(&group, seed))) {
                Ok(Ok(_)) => None,
                Ok(Err(failure)) => Some(format!("walk {seed} of {members}: {}", failure.broken)),
                Err(_) => Some(format!("walk {seed} of {members} panics")),
            })
        }
        Killer::Model(bounds) => {
            let outcome = check(bounds, 2);
            let (property, _) = outcome.failures.first()?;
            Some(format!("the model, {}: not so: {property}", outcome.title))
        }
    }
}

#[test]
fn every_guard_is_missed_when_it_is_off() {
    let mut wrong = Vec::new();
    let said = panic::take_hook();
    // Scenes fail on purpose: what they would print is of no interest.
    panic::set_hook(Box::new(|_| {}));
    for guard in Guard::ALL {
        let killer = killer(guard);
        switch_off(None);
        if let Some(what) = noticed(&killer) {
            wrong.push(format!("{guard:?}: fails with the guard in place: {what}"));
        }
        switch_off(Some(guard));
        match noticed(&killer) {
            Some(what) => println!("{:<26} {what}", format!("{guard:?}")),
            None => wrong.push(format!("{guard:?}: nothing notices that it is off")),
        }
        switch_off(None);
    }
    panic::set_hook(said);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

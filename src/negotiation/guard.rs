//! The guards: each of them is one `if` that some fault needs in order to do no harm.
//!
//! A test build (the feature `guards`, which no release has) can switch off one at a time, and `tests/mutations.rs` shows
//! for each that something fails then: so no guard is there for nothing, and no test only looks as if it tested. Without
//! the feature the question is a constant, and nothing of it is left in the program.

#[cfg(feature = "guards")]
use std::sync::atomic::{AtomicUsize, Ordering};

/// One guard. A new one needs an entry in `tests/mutations.rs`, which does not compile without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// The term is on disk before anybody acts in it (rule 7, N11).
    PersistBeforeActing,
    /// When it is, rule 6 is looked at again (rule 7).
    LookAgainAfterTheDisk,
    /// A vote is on disk before it counts (rule 3h, N20).
    PersistTheVote,
    /// A term is on disk before it is told (N11).
    PersistWhatIsTold,
    /// A promise blocks every road to Primary (rule 4, N16).
    PromiseBlocks,
    /// Who has promised to one promises to nobody else (rule 3c, N16).
    PromiseToOne,
    /// What an operator's force broke is waited out before the role goes on to a third (rule 4, N16, U2).
    ForceKeepsThePromise,
    /// A Primary consents to nobody (rule 3a, N5).
    PrimaryConsentsToNobody,
    /// Who hears a live Primary consents to nobody (rule 3b, N7).
    HeardPrimaryStands,
    /// A consent is for a number above every one known (rule 3d).
    ConsentAboveTheFloor,
    /// Of three or more, who has not settled consents to nobody (rule 3e).
    ConsentOnceSettled,
    /// The first in the order does not consent to one that comes after it (rule 3g, N6).
    RankDecides,
    /// A consent is for the floor + 1 as it stands now (rule 5).
    ConsentForThisNumber,
    /// A consent ends, and its time counts from the question (rule 5).
    ConsentFromTheQuestion,
    /// A grant counts from its beacon, not from its receipt (rule 8).
    GrantFromTheBeacon,
    /// A grant for another term counts for nothing (rule 8).
    GrantForThisTerm,
    /// Nobody grants who has promised to another (rule 9).
    GrantWhenFree,
    /// A lease ends a tenth early (P6).
    LeaseMargin,
    /// A Primary whose lease is over steps down (rule 8).
    LeaseEnds,
    /// It does so under a hold too (S7).
    HoldStopsNoStepDown,
    /// Who may have forgotten a promise waits it out (rule 1).
    SettleAtBoot,
    /// A majority is counted (rule 6, S1).
    MajorityIsCounted,
    /// A silent member is off before its role is taken (rule 6, S2).
    SilentOneIsOff,
    /// A fencing of a former incarnation says nothing of this one (rule 15).
    FencingOfThisLife,
    /// Who has not heard its peer since its boot does not shoot (rule 6, S3).
    NeverHeardShootsNobody,
    /// Who does not shoot first waits (rule 15, S3).
    FenceDelay,
    /// Who was told, before all words ended, that the other misses its own leaves the shot to that one (rule 15, S3).
    WhoIsMissedLeavesTheShot,
    /// A stall ends all trust in what was known before (rule 13, S9).
    StallEndsTrust,
    /// A stall excuses as much silence of others (rule 13, S9).
    StallExcusesSilence,
    /// Of two Primaries only the one in the lower term yields (N12).
    OnlyTheLowerYields,
    /// A release names its one successor (rule 11, N18).
    ReleaseNamesOne,
    /// A request to hand over ends the term it names, and no other (N18).
    RequestForThisTerm,
    /// What comes from an older connection is dropped (N14).
    DeadConnectionIsDropped,
    /// The arbiter's lease is held before the role is taken (rule 6, S1).
    LeaseIsHeld,
    /// A lease's number is above every one known (rule 6, N11).
    LeaseAboveTheFloor,
    /// A lease that was asked for before a stall counts for nothing (rule 13).
    LeaseAskedAwake,
    /// Without the arbiter every other member's grant is needed, not some (S4).
    EveryGrantWithoutArbiter,
    /// A reference address answered lately (rule 6, S1).
    ReferenceIsFresh,
    /// It was asked since the others are silent (rule 6, S1).
    ReferenceInTheSilence,
    /// One that is back leaves the others time to be heard (rule 6, S1).
    ReferenceLasts,
}

impl Guard {
    /// Every guard, in the order of the rules.
    pub const ALL: [Guard; 40] = [
        Guard::PersistBeforeActing,
        Guard::LookAgainAfterTheDisk,
        Guard::PersistTheVote,
        Guard::PersistWhatIsTold,
        Guard::PromiseBlocks,
        Guard::PromiseToOne,
        Guard::ForceKeepsThePromise,
        Guard::PrimaryConsentsToNobody,
        Guard::HeardPrimaryStands,
        Guard::ConsentAboveTheFloor,
        Guard::ConsentOnceSettled,
        Guard::RankDecides,
        Guard::ConsentForThisNumber,
        Guard::ConsentFromTheQuestion,
        Guard::GrantFromTheBeacon,
        Guard::GrantForThisTerm,
        Guard::GrantWhenFree,
        Guard::LeaseMargin,
        Guard::LeaseEnds,
        Guard::HoldStopsNoStepDown,
        Guard::SettleAtBoot,
        Guard::MajorityIsCounted,
        Guard::SilentOneIsOff,
        Guard::FencingOfThisLife,
        Guard::NeverHeardShootsNobody,
        Guard::FenceDelay,
        Guard::WhoIsMissedLeavesTheShot,
        Guard::StallEndsTrust,
        Guard::StallExcusesSilence,
        Guard::OnlyTheLowerYields,
        Guard::ReleaseNamesOne,
        Guard::RequestForThisTerm,
        Guard::DeadConnectionIsDropped,
        Guard::LeaseIsHeld,
        Guard::LeaseAboveTheFloor,
        Guard::LeaseAskedAwake,
        Guard::EveryGrantWithoutArbiter,
        Guard::ReferenceIsFresh,
        Guard::ReferenceInTheSilence,
        Guard::ReferenceLasts,
    ];
}

/// Which one is off: its place among all, counted from one.
#[cfg(feature = "guards")]
static OFF: AtomicUsize = AtomicUsize::new(0);

/// Switches one guard off in every machine of this process, and all others on.
#[cfg(feature = "guards")]
pub fn switch_off(guard: Option<Guard>) {
    OFF.store(guard.map_or(0, |guard| guard as usize + 1), Ordering::SeqCst);
}

/// Whether a guard is switched off.
#[cfg(feature = "guards")]
pub(super) fn off(guard: Guard) -> bool {
    OFF.load(Ordering::Relaxed) == guard as usize + 1
}

/// Whether a guard is switched off: never.
#[cfg(not(feature = "guards"))]
pub(super) const fn off(_: Guard) -> bool {
    false
}

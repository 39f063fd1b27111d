//! How it stands with the arbiter's lease: the `arbiter` line of rule 6, as things are and under an assumption, and in words
//! (S1, S4). Nothing here asks the arbiter anything.

use super::Negotiator;
use super::ability::{Ability, Unable};
use super::arbiter::Reach;
use super::decision::seconds;
use super::member::MemberId;
use super::settings::Protection;
use super::takeover::{Assume, Stand};

/// How it stands with the arbiter's lease: the `arbiter` line of rule 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaseStand {
    /// Held, in a number above the floor.
    Held,
    /// Nobody reaches the arbiter, and every other member agrees (S4).
    ByAgreement,
    /// The arbiter answers, and nobody holds the lease.
    Free,
    /// The arbiter answers, and this member holds the lease.
    HeldBy(MemberId),
    /// The arbiter does not answer.
    Mute,
    /// It has not been asked yet.
    Unknown,
}

impl Negotiator {
    /// Rule 6's line.
    pub(super) fn lease_stand(&self) -> LeaseStand {
        if self.usable_lease().is_some() {
            return LeaseStand::Held;
        }
        if self.nobody_reaches_it() {
            return LeaseStand::ByAgreement;
        }
        match (&self.arbiter.reach, self.arbiter.holder) {
            (Reach::Unknown, _) => LeaseStand::Unknown,
            (Reach::Mute { .. }, _) => LeaseStand::Mute,
            (Reach::Answers, Some(holder)) if holder != self.settings.me => LeaseStand::HeldBy(holder),
            // What the arbiter has for this member's own is to be had again.
            (Reach::Answers, Some(_) | None) => LeaseStand::Free,
        }
    }

    /// S4's agreement: the arbiter is out of everybody's reach, as they say themselves, and every other member consents,
    /// on disk, so that no number is ever taken twice.
    fn nobody_reaches_it(&self) -> bool {
        self.arbiter.is_mute()
            && self.settings_agree()
            && self.settings.others().all(|peer| {
                let written = self.consent(peer).is_some_and(|consent| consent.written);
                written && self.is_without_arbiter(peer)
            })
    }

    /// Whether a peer says of itself that no arbiter answers it.
    pub(super) fn is_without_arbiter(&self, peer: MemberId) -> bool {
        self.peers[peer.index()].able == Some(Ability::Cannot(Unable::ArbiterUnreachable))
    }

    /// N19: S4's agreement rests on every member counting alike; with any difference it is off.
    pub(super) fn settings_agree(&self) -> bool {
        self.settings.others().all(|peer| {
            let known = &self.peers[peer.index()];
            known.agreement.is_some() && known.differs.is_empty()
        })
    }

    /// Whether another's being without an arbiter counts for nothing, because this member is too (rule 3f's exception).
    pub(super) fn shares_the_outage(&self) -> bool {
        self.settings.protected_by(Protection::Arbiter)
            && self.arbiter.is_mute()
            && self.settings_agree()
            && self.ability() == Ability::Cannot(Unable::ArbiterUnreachable)
    }

    /// Whether the lease could be had later, when nothing else is missing: what is switched off first must not wait for it.
    pub(super) fn lease_may_be_had(&self, stand: LeaseStand) -> bool {
        match stand {
            LeaseStand::Held | LeaseStand::ByAgreement | LeaseStand::Free => true,
            LeaseStand::HeldBy(holder) => self.knows(holder) && self.gone(holder).is_some(),
            LeaseStand::Mute | LeaseStand::Unknown => false,
        }
    }

    /// Whether a peer can take the role although it says that it cannot: it lacks what nobody has.
    pub(super) fn able_but_for_the_outage(&self, able: Ability) -> bool {
        able == Ability::Cannot(Unable::ArbiterUnreachable) && self.arbiter.is_mute() && self.settings_agree()
    }

    /// A peer's stand under rule 6, for the forecast: what the lease would be if `assume` came to pass.
    pub(super) fn lease_would_be_had(&self, stand: LeaseStand, assume: Assume) -> bool {
        match (stand, assume) {
            (LeaseStand::Held | LeaseStand::ByAgreement, _) => true,
            // The one that holds it is assumed gone, or agrees to give it back.
            (LeaseStand::Free | LeaseStand::HeldBy(_), Assume::Gone(_)) | (LeaseStand::Free, Assume::OperatorWants) => {
                true
            }
            // It gives it back when it is asked to, for which it must be heard. A silent one keeps it, however often an
            // operator says that he wants it: that is a line which only force goes past (U2).
            (LeaseStand::HeldBy(holder), Assume::OperatorWants) => {
                !self.settings.others().any(|peer| peer == holder && self.gone(peer).is_some())
            }
            // Who only looks acquires nothing, and would.
            (LeaseStand::Free, Assume::NotObserving) => true,
            (LeaseStand::Mute, Assume::OperatorWants) => {
                self.settings_agree()
                    && self.settings.others().all(|peer| {
                        self.is_without_arbiter(peer) && matches!(self.stand_under(peer, assume), Stand::Consents)
                    })
            }
            (LeaseStand::Mute, Assume::Nothing | Assume::NotObserving | Assume::Gone(_))
            | (LeaseStand::Free, Assume::Nothing)
            | (LeaseStand::HeldBy(_), Assume::Nothing | Assume::NotObserving)
            | (LeaseStand::Unknown, _) => false,
        }
    }

    /// The `arbiter` line of rule 6 in words.
    pub(super) fn lease_text(&self, stand: LeaseStand, ok: bool) -> String {
        let answers = match self.arbiter.answered {
            Some((_, took)) => format!("arbiter answers, {}", seconds(took)),
            None => "arbiter answers".to_owned(),
        };
        match stand {
            LeaseStand::Held => "the arbiter's lease is this member's".to_owned(),
            LeaseStand::ByAgreement => "nobody reaches the arbiter, and every other member agrees".to_owned(),
            LeaseStand::HeldBy(_) if ok => answers,
            LeaseStand::HeldBy(holder) => format!("{} holds the arbiter's lease", self.settings.name(holder)),
            LeaseStand::Free if !ok => "the arbiter's lease is free, and not yet this member's".to_owned(),
            LeaseStand::Free => match (self.arbiter.free_since, self.last_primary_gone()) {
                (Some(since), Some(gone)) => {
                    let (name, free_for) = (self.settings.name(gone), seconds(self.now.since(since)));
                    format!("lease free for {free_for}: {name}, if sound, has stopped acting")
                }
                (Some(_) | None, _) => answers,
            },
            LeaseStand::Mute => match &self.arbiter.reach {
                Reach::Mute { why } => format!("arbiter {}: {why}", why.does()),
                Reach::Unknown | Reach::Answers => "arbiter does not answer".to_owned(),
            },
            LeaseStand::Unknown => "arbiter was not asked yet".to_owned(),
        }
    }

    /// The owner of the highest term, when it counts as gone.
    fn last_primary_gone(&self) -> Option<MemberId> {
        self.settings.others().find(|peer| *peer == self.seen.owner && self.gone(*peer).is_some())
    }
}

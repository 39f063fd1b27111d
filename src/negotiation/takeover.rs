//! Taking the role: consent, rule 6, and what follows from it (rules 4 to 7).
//!
//! Rule 6 is one list of conditions, walked in one place. The machine asks whether all are met, the forecast and the
//! plans ask which are, under an assumption ("if alpha fails now", "if alpha agrees to hand over").

use serde::{Deserialize, Serialize};

use std::ops::ControlFlow;

use super::ability::{Ability, Rank, Unable};
use super::decision::Rule;
use super::guard::{self, Guard};
use super::lease_stand::LeaseStand;
use super::member::MemberId;
use super::settings::Protection;
use super::term::Term;
use super::time::Instant;
use super::view::{Gone, Topic};
use super::{Negotiator, State};

/// How a member stands to our taking over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// It said "be Primary", recently and for the very number (rule 5).
    Consents,
    /// It counts as gone.
    Gone(Gone),
    /// It lives and has not consented.
    Opposes,
    /// Not heard yet, and the wait is not over.
    Unheard,
}

/// One line of rule 6.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition {
    /// This member is able.
    Able(Ability),
    /// It does not wait for a successor of its own.
    NotWaiting(Option<MemberId>),
    /// It has promised the role to nobody (rule 4).
    NoPromise(Option<MemberId>),
    /// What it may have promised before a crash is over (rule 1).
    Settled,
    /// A member consents or is gone.
    Member(MemberId, Stand),
    /// More than half agree, in writing (S1).
    Majority {
        /// Those that do, this one included.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// A silent member is confirmed off, or would be (S2).
    Fenced(MemberId),
    /// The arbiter's lease is held, or nobody reaches the arbiter and all agree (S1, S4).
    Leased(LeaseStand),
    /// A reference address answered lately (S1).
    Reference,
}

impl Condition {
    /// What it is about, for people.
    pub fn about(&self) -> Topic {
        match self {
            Condition::Able(_) => Topic::Able,
            Condition::NotWaiting(_) => Topic::Successor,
            Condition::NoPromise(_) => Topic::Promise,
            Condition::Settled => Topic::Start,
            Condition::Member(..) => Topic::Member,
            Condition::Majority { .. } => Topic::Majority,
            Condition::Fenced(_) => Topic::Fence,
            Condition::Leased(_) => Topic::Arbiter,
            Condition::Reference => Topic::Reference,
        }
    }
}

/// Under which assumption rule 6 is walked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Assume {
    /// As things are.
    Nothing,
    /// As things are, but for observe-only: what would be done (S11).
    NotObserving,
    /// This member is gone, and whoever lives and comes after us consents.
    Gone(MemberId),
    /// An operator wants it: no hold, the Primary agrees, and whoever lives consents.
    OperatorWants,
}

impl Negotiator {
    /// The highest number that is taken, voted for or heard of.
    pub(super) fn floor(&self) -> u64 {
        self.seen.number.max(self.voted.number)
    }

    /// Members that make a majority.
    pub(super) fn majority(&self) -> usize {
        self.settings.members.len() / 2 + 1
    }

    /// How able this member is, as its queries and answers say it. What it does not know yet speaks for it: else the lower
    /// of two that start at once would promise the role to the other, because its first question is still open (N6).
    pub(super) fn ability(&self) -> Ability {
        let able = self.ability_but_for_the_network();
        if able.level() == 0 {
            return able;
        }
        let by = |protection| self.settings.protected_by(protection);
        if by(Protection::Arbiter) && self.arbiter.is_mute() {
            Ability::Cannot(Unable::ArbiterUnreachable)
        } else if by(Protection::Reachability) && self.reference_is_silent() && self.announced().is_none() {
            Ability::Cannot(Unable::NoReference)
        } else {
            able
        }
    }

    /// But for what rule 6 has a line of its own for: the arbiter, the reference addresses.
    fn ability_but_for_the_network(&self) -> Ability {
        if self.settings.observe_only {
            return Ability::Cannot(Unable::ObserveOnly);
        }
        self.ability_but_for_observing()
    }

    fn ability_but_for_observing(&self) -> Ability {
        let held = self.hold.in_force() && !self.claim && self.shown_mode() == super::Mode::Secondary;
        if held && self.command.is_none() {
            return Ability::Cannot(Unable::Held);
        }
        self.ability_without_hold()
    }

    fn ability_without_hold(&self) -> Ability {
        if self.stopping.is_some() || matches!(self.state, State::Stopping(_)) {
            Ability::Cannot(Unable::Stopping)
        } else if self.disk.failed {
            Ability::Cannot(Unable::StateNotDurable)
        } else if self.stepped_down_until.is_some() && self.command.is_none() {
            Ability::Cannot(Unable::SteppedDown)
        } else if self.score < self.settings.threshold {
            Ability::Sick(super::ability::Sick::BelowThreshold)
        } else if self.lost_until.is_some() {
            Ability::Sick(super::ability::Sick::LostForHealth)
        } else {
            Ability::Fit
        }
    }

    /// This member's place in the order among members.
    pub(super) fn my_rank(&self) -> Rank {
        Rank::new(self.settings.me, self.ability(), self.claim)
    }

    /// A peer's place, as it told last.
    pub(super) fn rank_of(&self, peer: MemberId) -> Option<Rank> {
        let known = &self.peers[peer.index()];
        known.able.map(|able| Rank::new(peer, able, known.claim))
    }

    /// Rule 5, and rule 2 for who cannot be asked.
    pub(super) fn stand(&self, peer: MemberId) -> Stand {
        if self.consent(peer).is_some() {
            return Stand::Consents;
        }
        if let Some(gone) = self.gone(peer) {
            return Stand::Gone(gone);
        }
        if self.peers[peer.index()].ever_up { Stand::Opposes } else { Stand::Unheard }
    }

    /// Rule 5: a "Primary" whose question was sent less than the timeout ago, for our floor + 1 as it stands now.
    pub(super) fn consent(&self, peer: MemberId) -> Option<super::peer::Consent> {
        let answer = self.peers[peer.index()].answer?;
        let consent = answer.consent?;
        let fresh = self.now.since(answer.asked_at) < self.timeout || guard::off(Guard::ConsentFromTheQuestion);
        let for_this = consent.proposed == self.floor() + 1 || guard::off(Guard::ConsentForThisNumber);
        (fresh && for_this).then_some(consent)
    }

    /// Walks rule 6, a condition at a time, until `visit` breaks.
    pub(super) fn walk_rule_6(
        &self,
        assume: Assume,
        visit: &mut impl FnMut(bool, Condition) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let able = match assume {
            Assume::Nothing | Assume::Gone(_) => self.ability_but_for_the_network(),
            Assume::NotObserving => self.ability_but_for_observing(),
            Assume::OperatorWants if self.settings.observe_only => self.ability_but_for_the_network(),
            // A forced step-down ends with the operator's own word to take over.
            Assume::OperatorWants => match self.ability_without_hold() {
                Ability::Cannot(Unable::SteppedDown) => Ability::Fit,
                other => other,
            },
        };
        visit(able.level() > 0, Condition::Able(able))?;

        let waiting = self.waiting_for.map(|waiting| waiting.to);
        let waits = waiting.filter(|to| !matches!(assume, Assume::Gone(gone) if gone == *to));
        visit(waits.is_none(), Condition::NotWaiting(waits))?;

        // A promise to the one that is assumed gone, or that agrees to hand over, ends before the takeover would.
        let promised = self.promise.map(|promise| promise.to);
        let blocks = promised.filter(|to| match assume {
            Assume::Nothing | Assume::NotObserving => !guard::off(Guard::PromiseBlocks),
            Assume::Gone(gone) => gone != *to,
            Assume::OperatorWants => self.peers[to.index()].primary.is_none(),
        });
        visit(blocks.is_none(), Condition::NoPromise(blocks))?;

        if self.must_settle() {
            visit(self.now >= self.settle_until, Condition::Settled)?;
        }

        let mut in_writing = 1;
        for peer in self.settings.others() {
            let stand = self.stand_under(peer, assume);
            let written = match (stand, assume) {
                (Stand::Consents, Assume::Nothing | Assume::NotObserving) => {
                    self.consent(peer).is_some_and(|consent| consent.written) && self.outlasts_the_lead(peer)
                }
                (Stand::Consents, Assume::Gone(_) | Assume::OperatorWants) => true,
                (Stand::Gone(_) | Stand::Opposes | Stand::Unheard, _) => false,
            };
            in_writing += usize::from(written);
            let met = matches!(stand, Stand::Consents | Stand::Gone(_));
            visit(met, Condition::Member(peer, stand))?;
        }

        for protection in &self.settings.protection {
            match protection {
                Protection::Majority => {
                    let need = self.majority();
                    let enough = in_writing >= need || guard::off(Guard::MajorityIsCounted);
                    visit(enough, Condition::Majority { have: in_writing, need })?;
                }
                Protection::Arbiter => {
                    let stand = self.lease_stand();
                    let held = self.lease_would_be_had(stand, assume) || guard::off(Guard::LeaseIsHeld);
                    visit(held, Condition::Leased(stand))?;
                }
                Protection::Reachability => visit(self.reference_answered(), Condition::Reference)?,
                Protection::Fence => {
                    for peer in self.settings.others() {
                        let assumed = match assume {
                            Assume::Gone(gone) => gone == peer,
                            // Who only looks switches nobody off, and would.
                            Assume::NotObserving => self.lacks_fencing(peer),
                            Assume::Nothing | Assume::OperatorWants => false,
                        };
                        if assumed {
                            visit(self.could_fence(peer), Condition::Fenced(peer))?;
                        } else if self.lacks_fencing(peer) {
                            visit(guard::off(Guard::SilentOneIsOff), Condition::Fenced(peer))?;
                        } else if self.gone(peer) == Some(Gone::Off) {
                            visit(true, Condition::Fenced(peer))?;
                        }
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether a lease that rests on this peer's answer would not end at once: it is counted from the question.
    fn outlasts_the_lead(&self, peer: MemberId) -> bool {
        let asked = self.peers[peer.index()].answer.map(|answer| answer.asked_at);
        asked.is_some_and(|asked| self.now + self.lease_lead() < asked + self.grant_length())
    }

    pub(super) fn stand_under(&self, peer: MemberId, assume: Assume) -> Stand {
        let stand = self.stand(peer);
        match assume {
            Assume::Nothing | Assume::NotObserving => stand,
            Assume::Gone(gone) if gone == peer => Stand::Gone(Gone::Silent),
            Assume::Gone(_) | Assume::OperatorWants => match stand {
                Stand::Opposes if self.would_consent(peer, assume) => Stand::Consents,
                Stand::Opposes | Stand::Consents | Stand::Gone(_) | Stand::Unheard => stand,
            },
        }
    }

    /// Whether a live member would consent under an assumption: it is heard now, and does not come before us.
    fn would_consent(&self, peer: MemberId, assume: Assume) -> bool {
        match assume {
            Assume::OperatorWants => self.peers[peer.index()].link_up,
            Assume::Nothing | Assume::NotObserving | Assume::Gone(_) => {
                self.peers[peer.index()].link_up && self.rank_of(peer).is_some_and(|rank| rank < self.my_rank())
            }
        }
    }

    /// Rule 1: who is protected, or one of three or more, waits out a promise it may have forgotten.
    pub(super) fn must_settle(&self) -> bool {
        let binds = self.settings.members.len() > 2 || !self.settings.protection.is_empty();
        binds && !guard::off(Guard::SettleAtBoot)
    }

    /// Rule 6 as things are.
    pub(super) fn may_take_over(&self, assume: Assume) -> bool {
        let mut all = true;
        let _ = self.walk_rule_6(assume, &mut |met, _| {
            all = met;
            if met { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        all && self.floor() < Term::MAX_NUMBER
    }

    /// The first condition of rule 6 that is not met, in words.
    pub(super) fn missing(&self, assume: Assume) -> Option<String> {
        let mut missing = None;
        let _ = self.walk_rule_6(assume, &mut |met, condition| {
            if met {
                return ControlFlow::Continue(());
            }
            missing = Some(self.condition_text(met, &condition));
            ControlFlow::Break(())
        });
        missing
    }

    /// Which road leads here: the cause that people are told.
    pub(super) fn road(&self) -> Rule {
        if let Some(command) = &self.command
            && let super::hand_over::Wanted::TakeOver { .. } = command.wanted
        {
            return Rule::OperatorTookOver { by: command.by.clone() };
        }
        if let Some(rule) = self.health_road() {
            return rule;
        }
        for peer in self.settings.others() {
            if self.consent(peer).is_some_and(|consent| consent.released) {
                let by = self.settings.name(peer);
                return Rule::Released { by, term: self.peers[peer.index()].term };
            }
        }
        // The silence of the last Primary is the cause, even when others consent.
        let last_primary = self.settings.others().find(|peer| *peer == self.seen.owner);
        if let Some(rule) = last_primary.and_then(|peer| self.gone_rule(peer)) {
            return rule;
        }
        let by: Vec<_> = self
            .settings
            .others()
            .filter(|peer| self.consent(*peer).is_some())
            .map(|peer| self.settings.name(peer))
            .collect();
        if !by.is_empty() {
            return Rule::ToldPrimary { by };
        }
        self.settings.others().find_map(|peer| self.gone_rule(peer)).unwrap_or(Rule::ToldPrimary { by })
    }

    /// Why a peer counts as gone, as a rule with its evidence.
    pub(super) fn gone_rule(&self, peer: MemberId) -> Option<Rule> {
        let name = self.settings.name(peer);
        let known = &self.peers[peer.index()];
        Some(match self.gone(peer)? {
            Gone::NeverHeard => Rule::NeverHeard { peer: name, waited: self.now.since(self.boot) },
            Gone::Silent => {
                Rule::PeerSilent { peer: name, silent_for: self.now.since(known.heard.unwrap_or(self.boot)) }
            }
            Gone::Crashed => Rule::PeerCrashed { peer: name },
            Gone::Stopped => Rule::PeerStopped { peer: name },
            Gone::Off => Rule::PeerOff { peer: name, by: known.fencing.off_by() },
        })
    }

    /// Whether a peer counts as gone now (rule 2).
    pub(super) fn gone(&self, peer: MemberId) -> Option<Gone> {
        self.peers[peer.index()].gone(self.now, &self.silence_times(peer))
    }

    pub(super) fn silence_times(&self, peer: MemberId) -> super::peer::SilenceTimes {
        let called = peer < self.settings.me;
        super::peer::SilenceTimes {
            boot: self.boot,
            boot_wait: if called { self.settings.connect_grace } else { self.settings.boot_timeout },
            timeout: self.timeout,
            crash_detection: self.settings.crash_detection,
        }
    }

    /// Whether a peer is known as Primary and not gone.
    pub(super) fn live_primary(&self, peer: MemberId) -> Option<Term> {
        let term = self.peers[peer.index()].primary?;
        self.gone(peer).is_none().then_some(term)
    }

    /// The live Primary in the highest term.
    pub(super) fn best_live_primary(&self) -> Option<(MemberId, Term)> {
        self.settings
            .others()
            .filter_map(|peer| self.live_primary(peer).map(|term| (peer, term)))
            .max_by_key(|(_, term)| *term)
    }

    /// Rule 7, first half: decided; the term goes to disk.
    pub(super) fn begin(&mut self, rule: Rule, how: How, out: &mut Vec<super::exchange::Output>) {
        let term = Term { number: self.next_number(), owner: self.settings.me };
        let version = self.disk.want();
        // What was released and not yet told is taken back.
        self.release = None;
        self.state = State::Becoming { term, version, how, rule: rule.clone(), since: self.now };
        let decision = self.decision(rule, super::message::Mode::Secondary, term);
        out.push(super::exchange::Output::TakingOver(decision));
    }
}

/// Whether what protection asks for was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum How {
    /// By rule 6.
    ByRule,
    /// By an operator's force.
    Forced,
}

/// Serves as the origin of "until" fields that have none.
pub(super) const NEVER: Instant = Instant(u64::MAX);

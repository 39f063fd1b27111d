//! What must be true after every event.

use super::process::{Process, Run};
use crate::negotiation::exchange::Output;
use crate::negotiation::member::MemberId;
use crate::negotiation::message::{Message, Mode, Order};
use crate::negotiation::settings::{Protection, Settings};
use crate::negotiation::term::Term;

/// More ticks than this of one member within a virtual millisecond are a busy loop.
const MAX_TICKS: u32 = 64;

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The mode changed and nobody said why.
    #[error("member {} changed its mode without a decision", .0.0)]
    NoDecision(MemberId),
    /// A member became Primary in a term that was not above all it had seen or acted in (N11).
    #[error("member {} took term {now} after {before}", .member.0)]
    TermNotHigher {
        /// Who.
        member: MemberId,
        /// The highest term until then.
        before: Term,
        /// The term it took.
        now: Term,
    },
    /// A member acted before its term was on its disk (N11).
    #[error("member {} acted in term {term}, which is not on its disk", .member.0)]
    TermNotOnDisk {
        /// Who.
        member: MemberId,
        /// The term.
        term: Term,
    },
    /// The highest term heard of shrank while running.
    #[error("member {} forgot term {before} and knows only {now}", .member.0)]
    SeenShrank {
        /// Who.
        member: MemberId,
        /// What it had seen.
        before: Term,
        /// What it has seen now.
        now: Term,
    },
    /// Under `majority`, `fence` or `arbiter`: two members act at once and no operator forced either (S1).
    #[error("members {} and {} act at once, and are protected", .0.0, .1.0)]
    TwoPrimaries(MemberId, MemberId),
    /// Under `majority` or `arbiter`: a number was acted in by two members (N11).
    #[error("number {number} was used by member {} and by member {}", .first.0, .second.0)]
    NumberTwice {
        /// The number.
        number: u64,
        /// Who had it first.
        first: MemberId,
        /// Who had it then.
        second: MemberId,
    },
    /// A consent in writing that is not on the disk of who gave it (N16, N20).
    #[error("member {} said that its vote is written, and it is not", .0.0)]
    VoteNotOnDisk(MemberId),
    /// A term was told before it was on disk.
    #[error("member {} told a term that is not on its disk", .0.0)]
    SeenNotOnDisk(MemberId),
    /// Ticks that ask for the next one at once, again and again.
    #[error("member {} runs in circles", .0.0)]
    BusyLoop(MemberId),
    /// Nobody acts although somebody may, and the time for it is over (S10).
    #[error("nobody is Primary although {what}")]
    NobodyActs {
        /// What speaks for it.
        what: String,
    },
    /// A member is Primary, and what runs only on the Primary does not run there.
    #[error("member {} is Primary, and nothing runs there", .0.0)]
    NothingRuns(MemberId),
    /// Members that hear each other are Primary at once, and the time to end it is over (N12).
    #[error("members {0:?} are all still Primary")]
    StillSeveral(Vec<MemberId>),
    /// All hear each other, and who acts does so in a term below one that another acted in: outsiders that have seen
    /// that one refuse it (S5).
    #[error("member {} acts in term {now}, and {highest} was acted in", .member.0)]
    TermOvertaken {
        /// Who.
        member: MemberId,
        /// Its term.
        now: Term,
        /// The highest that any member acted in and some running member knows of.
        highest: Term,
    },
    /// A member that was told to stop is still there (N18).
    #[error("member {} was told to stop and did not", .0.0)]
    DidNotStop(MemberId),
    /// Nothing happens, and yet a mode changed.
    #[error("member {} changed its mode while nothing happened", .0.0)]
    Restless(MemberId),
}

/// What is remembered over the whole run.
#[derive(Debug)]
pub(super) struct Checks {
    /// Whether a lease keeps two from acting at once, whatever devices say; its numbers are unique too.
    leased: bool,
    /// Whether what protects the group keeps two from acting at once.
    only_one: bool,
    /// Under a lease, who acted in a number without force.
    numbers: Vec<(u64, MemberId)>,
}

impl Checks {
    pub fn new(settings: &Settings) -> Checks {
        let leased = settings.lease_length().is_some();
        Checks { leased, only_one: leased || settings.protected_by(Protection::Fence), numbers: Vec::new() }
    }

    /// A device says that a member is off, and it is not: what `fence` promises is off, what a lease promises is not.
    pub fn believe_no_device(&mut self) {
        self.only_one = self.leased;
    }

    /// Who rehearses counts himself how many act, and goes on when two do.
    pub fn let_two_act(&mut self) {
        self.only_one = false;
    }

    /// Looks at `member`, which has just handled an input and wants `out`.
    pub fn after(&mut self, processes: &mut [Process], member: usize, out: &[Output]) -> Result<(), Broken> {
        let id = MemberId(member as u8);
        let Some(negotiator) = &processes[member].negotiator else { return Ok(()) };
        let (mode, term) = negotiator.mode_and_term();
        let forced = negotiator.is_forced();
        let process = &mut processes[member];
        let mut decided = process.mode;
        for output in out {
            match output {
                Output::ModeChanged(decision) => {
                    decided = decision.mode;
                    if decision.mode == Mode::Primary {
                        process.serves = true;
                        self.took(process, id, decision.term, forced)?;
                    }
                }
                Output::StopServing { .. } if process.stop_time.is_zero() => process.serves = false,
                Output::Send { to, message } => told(process, id, *to, message)?,
                Output::Write { .. }
                | Output::TakingOver(_)
                | Output::Event(_)
                | Output::StopServing { .. }
                | Output::Fence { .. }
                | Output::AskArbiter { .. }
                | Output::AskReference { .. }
                | Output::CommandDone(_)
                | Output::Stopped => {}
            }
        }
        if decided != mode {
            return Err(Broken::NoDecision(id));
        }
        if mode == Mode::Secondary {
            if term < process.seen {
                return Err(Broken::SeenShrank { member: id, before: process.seen, now: term });
            }
            process.seen = term;
        }
        let news = process.mode != mode || process.forced != forced || process.run != Run::Running;
        process.mode = mode;
        process.forced = forced;
        if self.only_one && (news || !out.is_empty()) && process.acts_by_rule() {
            let other =
                processes.iter().enumerate().find(|(other, process)| *other != member && process.acts_by_rule());
            if let Some((other, _)) = other {
                return Err(Broken::TwoPrimaries(id, MemberId(other as u8)));
            }
        }
        Ok(())
    }

    /// A member acts from now on.
    fn took(&mut self, process: &mut Process, id: MemberId, term: Term, forced: bool) -> Result<(), Broken> {
        if term.owner != id || term.number <= process.own.number {
            return Err(Broken::TermNotHigher { member: id, before: process.own, now: term });
        }
        if term.number <= process.seen.number {
            return Err(Broken::TermNotHigher { member: id, before: process.seen, now: term });
        }
        process.own = term;
        if process.disk.kept.as_ref().is_none_or(|kept| kept.seen < term) {
            return Err(Broken::TermNotOnDisk { member: id, term });
        }
        if self.leased && !forced {
            if let Some((number, first)) = self.numbers.iter().find(|(number, _)| *number == term.number) {
                return Err(Broken::NumberTwice { number: *number, first: *first, second: id });
            }
            self.numbers.push((term.number, id));
        }
        Ok(())
    }

    /// Counts a tick; many in a millisecond are a circle.
    pub fn count_tick(process: &mut Process, member: usize, now: u64) -> Result<(), Broken> {
        if now - process.counted_from > 1_000_000 {
            process.counted_from = now;
            process.ticks = 0;
        }
        process.ticks += 1;
        if process.ticks > MAX_TICKS {
            return Err(Broken::BusyLoop(MemberId(member as u8)));
        }
        Ok(())
    }
}

/// What is said in a message must be on disk, unless the disk is known to have failed.
fn told(process: &Process, id: MemberId, to: MemberId, message: &Message) -> Result<(), Broken> {
    let Message::Answer(answer) = message else { return Ok(()) };
    let kept = process.disk.kept.as_ref();
    if let Order::BePrimary { proposed, written: true } = answer.order {
        let vote = Term { number: proposed, owner: to };
        if kept.is_none_or(|kept| kept.voted != vote) {
            return Err(Broken::VoteNotOnDisk(id));
        }
    }
    let told = answer.seen > Term::NONE && kept.is_none_or(|kept| kept.seen < answer.seen);
    if told && !process.disk.behind {
        return Err(Broken::SeenNotOnDisk(id));
    }
    Ok(())
}

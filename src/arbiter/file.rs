//! The arbiter without a server: a directory that all members share (S1, rule 14).
//!
//! Each generation of the lease is a file, named after the number of the generation that it follows: `GROUP.after-7`. So
//! of all that want to follow generation 7 exactly one can, whatever number it takes: the file is written under another
//! name and gets its own by `link(2)`, which fails where that name stands already, on every file system and over NFS too.
//! A renewal writes a higher counter into one's own file, and into no other. Nobody compares clocks: who waits for the end
//! of another's lease watches its counter by a clock of its own, and its first look proves nothing.
//!
//! # Why two can never hold it at once
//!
//! A holder counts its lease from before its claim or its renewal began, and only for nine tenths of it. It takes a
//! renewal for done when, in this order, the counter was written through to the disk, no later generation was found, and
//! *the lease that it renews was still not over*. So, however long it was frozen in between, each counter that it relies
//! on stood in the file before the lease of the counter before was over.
//!
//! Who watches has read the same counter all the while from when it had first read it, which was after the holder began to
//! count, for the whole lease and a twentieth. Had the holder relied on a further counter, then that would have stood in
//! the file by then, and a file that is opened anew shows what was written through before. So at its last reading the
//! holder's lease was over, by any two clocks that differ by less than a tenth; and it stays over, because a lease that
//! is over is never renewed: its holder too has to claim the generation that follows, which only one can. A watcher that
//! was frozen between its last reading and its claim claims what another may have claimed already, and fails; if that was
//! so long ago that the file has been cleaned away, it finds a later generation once it has claimed, and does not hold.
//!
//! A directory that is suddenly older than it was (unmounted, so that what lies beneath shows) is not believed. One that
//! is not mounted at all must not be taken for a new one: tandem makes files in the directory and never the directory, so
//! name a folder within the shared file system, which is missing when that is.

mod folder;
mod record;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::negotiation::exchange::{ArbiterCall, ArbiterReply};
use crate::negotiation::member::MemberId;
use crate::negotiation::trouble::ArbiterTrouble;

use super::{Arbiter, Claimant};
use folder::{Claim, Folder, FolderError, Found};
use record::{Generation, Given};

/// The boot-time clock, which goes on while the machine is suspended.
type Clock = Box<dyn FnMut() -> nix::Result<Duration> + Send>;

/// How often the latest generation is looked at while its end is waited for, as a part of the lease.
const LOOKS_A_LEASE: u32 = 40;
/// The longest time between two such looks.
const SELDOM: Duration = Duration::from_millis(200);
/// The shortest.
const OFTEN: Duration = Duration::from_millis(5);
/// How often it is tried whether a claim could be written, while that works: a disk has to write for it.
const TRIED_EVERY: Duration = Duration::from_secs(10);

/// A shared directory as one member uses it.
pub struct FileArbiter {
    folder: Folder,
    claimant: Claimant,
    lease: Duration,
    /// Chance: tells this run of the controller from every other.
    instance: u64,
    clock: Clock,
    held: Option<Held>,
    seen: Option<Seen>,
    /// The highest number that this run has seen or claimed; zero: none yet.
    known: u64,
    /// When it last worked to write what a claim would write; none: not yet, or not the last time.
    tried: Option<Duration>,
}

/// The generation that this run has claimed.
#[derive(Debug, Clone)]
struct Held {
    after: u64,
    generation: Generation,
    /// Before its last claim or renewal began.
    since: Duration,
}

/// The latest generation.
struct Seen {
    found: Found,
    /// When it had first been read like this.
    since: Duration,
}

/// Why an answer could not be relied on.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{} had generation {number} and has it no longer: it is not mounted, or was emptied", .directory.display())]
    Older { directory: PathBuf, number: u64 },
    #[error("{} is held by {holder:?}, which this member's configuration does not name; give all members the same file", .directory.display())]
    Stranger { directory: PathBuf, holder: String },
    #[error("it took {} ms, longer than the lease lasts; look what makes {} slow", .took.as_millis(), .directory.display())]
    TooSlow { directory: PathBuf, took: Duration },
    #[error("no number is left above {0}")]
    NoNumber(u64),
    #[error("the boot-time clock cannot be read: {0}; look for a system-call filter that forbids clock_gettime")]
    Clock(#[from] nix::Error),
}

impl From<Fault> for ArbiterTrouble {
    fn from(fault: Fault) -> ArbiterTrouble {
        let text = fault.to_string();
        match fault {
            Fault::Older { .. } => ArbiterTrouble::Emptied(text),
            Fault::Folder(_)
            | Fault::Stranger { .. }
            | Fault::TooSlow { .. }
            | Fault::NoNumber(_)
            | Fault::Clock(_) => ArbiterTrouble::Other(text),
        }
    }
}

/// How the lease stands for who asks.
enum Standing {
    /// To be had: nobody has it, its time is over, or it was given back.
    Free,
    /// This very run of the controller has claimed it.
    Mine,
    /// Another has it; none: one that is not configured here.
    Theirs(Option<MemberId>),
}

impl FileArbiter {
    /// The lease of `claimant`'s group in `directory`. Nothing is touched before the first call.
    ///
    /// # Errors
    ///
    /// The system has no random numbers, by which two runs of the same member are told apart.
    pub fn new(directory: PathBuf, claimant: Claimant, lease: Duration) -> Result<FileArbiter, getrandom::Error> {
        let clock: Clock = Box::new(|| clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from));
        Ok(FileArbiter::with_clock(directory, claimant, lease, getrandom::u64()?, clock))
    }

    fn with_clock(directory: PathBuf, claimant: Claimant, lease: Duration, instance: u64, clock: Clock) -> FileArbiter {
        let folder = Folder::new(directory, &claimant.group, claimant.name().as_str());
        FileArbiter { folder, claimant, lease, instance, clock, held: None, seen: None, known: 0, tried: None }
    }

    /// How long a holder counts by its lease, from before it was claimed or renewed.
    fn counts_for(&self) -> Duration {
        self.lease - self.lease / 10
    }

    fn directory(&self) -> PathBuf {
        self.folder.directory().to_owned()
    }

    /// Reads the latest generation. Returns when that began, by which it is judged how long it has stood unchanged.
    fn observe(&mut self) -> Result<Duration, Fault> {
        let began = (self.clock)()?;
        let found = self.folder.look()?;
        let after = (self.clock)()?;
        let number = found.as_ref().map_or(0, |found| found.generation.number);
        if number < self.known {
            return Err(Fault::Older { directory: self.directory(), number: self.known });
        }
        self.known = number;
        if let Some(found) = found
            && self.seen.as_ref().is_none_or(|seen| seen.found != found)
        {
            self.seen = Some(Seen { found, since: after });
        }
        Ok(began)
    }

    /// How the latest generation stands, by a reading that began at `began`.
    fn standing(&self, began: Duration) -> Standing {
        let Some(Seen { found, since }) = &self.seen else { return Standing::Free };
        let generation = &found.generation;
        match generation.given {
            Given::Released => return Standing::Free,
            Given::Held if generation.instance == self.instance => return Standing::Mine,
            Given::Held => {}
        }
        // Where members differ in the lease, its holder's own counts.
        let lease = self.lease.max(Duration::from_millis(generation.lease_ms));
        match began.saturating_sub(*since) >= lease.saturating_add(lease / 20) {
            true => Standing::Free,
            false => Standing::Theirs(self.claimant.member(&generation.holder)),
        }
    }

    fn number(&self) -> u64 {
        self.seen.as_ref().map_or(0, |seen| seen.found.generation.number)
    }

    /// The holder for others to see, and the highest number.
    fn stands(&self, began: Duration) -> Result<(Option<MemberId>, u64), Fault> {
        let holder = match self.standing(began) {
            Standing::Free => None,
            Standing::Mine => {
                let counts = |held: &Held| began < held.since + self.counts_for();
                self.held.as_ref().is_some_and(counts).then_some(self.claimant.me)
            }
            Standing::Theirs(Some(member)) => Some(member),
            Standing::Theirs(None) => {
                let holder = self.seen.as_ref().map(|seen| seen.found.generation.holder.clone());
                return Err(Fault::Stranger { directory: self.directory(), holder: holder.unwrap_or_default() });
            }
        };
        Ok((holder, self.number()))
    }

    fn refused(&mut self) -> Result<ArbiterReply, Fault> {
        let began = self.usable()?;
        let (holder, number) = self.stands(began)?;
        Ok(ArbiterReply::Refused { holder, number })
    }

    fn look(&mut self) -> Result<ArbiterReply, Fault> {
        let began = self.usable()?;
        let (holder, number) = self.stands(began)?;
        Ok(ArbiterReply::Stands { holder, number })
    }

    /// Reads the latest generation as [`FileArbiter::observe`] does, where a claim could be written too. Whatever is answered
    /// without writing anything asks for it: else a directory that can only be read would answer now and not then.
    fn usable(&mut self) -> Result<Duration, Fault> {
        self.folder.writable()?;
        let began = self.observe()?;
        self.try_out(began)?;
        Ok(began)
    }

    /// S10, U12: who says that the arbiter answers must be able to claim, not only to read; a claim must not be the first to
    /// find out.
    fn try_out(&mut self, now: Duration) -> Result<(), Fault> {
        let tried = self.tried.take();
        if tried.is_none_or(|tried| now.saturating_sub(tried) >= TRIED_EVERY) {
            self.folder.try_out(&self.next_generation(0))?;
            self.tried = Some(now);
        } else {
            self.tried = tried;
        }
        Ok(())
    }

    /// The generation `number`, as this run would claim it.
    fn next_generation(&self, number: u64) -> Generation {
        Generation {
            number,
            holder: self.claimant.name().as_str().to_owned(),
            instance: self.instance,
            lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
            counter: 0,
            given: Given::Held,
        }
    }

    fn acquire(&mut self, above: u64) -> Result<ArbiterReply, Fault> {
        let began = self.observe()?;
        if let Standing::Theirs(_) = self.standing(began) {
            return self.refused();
        }
        self.held = None;
        let after = self.number();
        let number = after.max(above).checked_add(1).ok_or(Fault::NoNumber(after.max(above)))?;
        let generation = self.next_generation(number);
        match self.folder.claim(after, &generation)? {
            Claim::Taken => return self.refused(),
            Claim::Won => self.known = number,
        }
        // A claim that was frozen for long may follow what others have left behind already.
        if self.folder.latest()? != Some(after) {
            return self.refused();
        }
        let took = (self.clock)()?.saturating_sub(began);
        if took >= self.counts_for() {
            return Err(Fault::TooSlow { directory: self.directory(), took });
        }
        self.held = Some(Held { after, generation, since: began });
        self.folder.clean();
        Ok(ArbiterReply::Granted { number })
    }

    /// The file of the generation `number`, when this run holds it and its file is still there.
    fn own(&mut self, number: u64) -> Result<Option<(Held, Found)>, Fault> {
        let Some(held) = self.held.clone().filter(|held| held.generation.number == number) else { return Ok(None) };
        let found = self.folder.read(held.after)?;
        let mine = found.filter(|found| found.generation.instance == self.instance);
        if mine.is_none() {
            self.held = None;
        }
        Ok(mine.map(|found| (held, found)))
    }

    /// Writes the next counter. One that may stand in the file, however its writing ended, is never written again: who
    /// watches would not see the difference.
    fn write(&mut self, mut held: Held, found: &Found, given: Given) -> Result<(), Fault> {
        held.generation.counter += 1;
        held.generation.given = given;
        let generation = held.generation.clone();
        self.held = Some(held);
        Ok(self.folder.update(found, &generation)?)
    }

    fn renew(&mut self, number: u64) -> Result<ArbiterReply, Fault> {
        let began = (self.clock)()?;
        let Some((held, found)) = self.own(number)? else { return self.refused() };
        let (after, ends) = (held.after, held.since + self.counts_for());
        if began >= ends {
            self.held = None;
            return self.refused();
        }
        self.write(held, &found, Given::Held)?;
        if self.folder.latest()? != Some(after) {
            self.held = None;
            return self.refused();
        }
        let now = (self.clock)()?;
        match &mut self.held {
            Some(held) if now < ends => {
                held.since = began;
                Ok(ArbiterReply::Renewed)
            }
            Some(_) | None => {
                self.held = None;
                Err(Fault::TooSlow { directory: self.directory(), took: now.saturating_sub(began) })
            }
        }
    }

    fn release(&mut self, number: u64) -> Result<ArbiterReply, Fault> {
        match self.own(number)? {
            Some((held, found)) => {
                self.write(held, &found, Given::Released)?;
                self.held = None;
            }
            None => drop(self.usable()?),
        }
        Ok(ArbiterReply::Released)
    }
}

impl Arbiter for FileArbiter {
    /// The system calls behind this cannot be given a time; who asks must be able to go on without an answer.
    fn ask(&mut self, call: ArbiterCall, _within: Duration) -> ArbiterReply {
        let reply = match call {
            ArbiterCall::Look => self.look(),
            ArbiterCall::Acquire { above } => self.acquire(above),
            ArbiterCall::Renew { number } => self.renew(number),
            ArbiterCall::Release { number } => self.release(number),
        };
        reply.unwrap_or_else(|fault| ArbiterReply::Unreachable { why: fault.into() })
    }

    fn describe(&self) -> String {
        format!("files in {}", self.folder.directory().display())
    }

    fn watch(&mut self) -> Option<Duration> {
        let often = (self.lease / LOOKS_A_LEASE).clamp(OFTEN, SELDOM);
        let now = (self.clock)().unwrap_or_default();
        if self.held.as_ref().is_none_or(|held| now >= held.since + self.counts_for()) {
            // What fails here fails again, and is told, when somebody asks.
            let _ = self.observe();
        }
        Some(often)
    }
}

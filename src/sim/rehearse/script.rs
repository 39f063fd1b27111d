//! What happens in a scenario, and when: beats that begin with the fault, at zero.

use std::time::Duration;

use super::illness::Illness;
use super::site::Site;
use crate::negotiation::member::{MemberId, Name};
use crate::sim::fault::Fault;
use crate::sim::pause::Gap;

/// Who plays what: the Primary when the fault comes, and the others in the order of their addresses.
#[derive(Debug)]
pub(super) struct Cast<'a> {
    pub site: &'a Site,
    pub primary: MemberId,
    pub others: Vec<MemberId>,
    /// Tells one timing from another where a scenario has several forms: which way a cut goes, who boots.
    pub timing: u64,
}

impl Cast<'_> {
    /// The one that comes next after the Primary.
    pub fn second(&self) -> MemberId {
        // A group has two members at least.
        self.others.first().copied().unwrap_or(self.primary)
    }

    pub fn name(&self, member: MemberId) -> Name {
        self.site.settings.name(member)
    }

    /// Everybody, the Primary first.
    pub fn all(&self) -> impl Iterator<Item = MemberId> + '_ {
        std::iter::once(self.primary).chain(self.others.iter().copied())
    }

    /// Some members' names, "alpha and beta".
    pub fn names(&self, members: impl IntoIterator<Item = MemberId>) -> String {
        let names: Vec<String> = members.into_iter().map(|member| self.name(member).to_string()).collect();
        match names.as_slice() {
            [] => "nobody".to_owned(),
            [one] => one.clone(),
            [most @ .., last] => format!("{} and {last}", most.join(", ")),
        }
    }
}

/// In which state the group is when the scenario begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// Nobody runs.
    Off,
    /// All run, and one is Primary.
    Running,
}

/// Something that is done to the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Deed {
    Fault(Fault),
    /// A whole machine stands still.
    Pause(MemberId),
    /// The one that stands still goes on.
    Unpause(Gap),
    /// What runs on a member falls ill.
    FallIll(MemberId, Illness),
    /// It is well again.
    GetWell(MemberId),
}

/// Something that happens, and how it is told.
#[derive(Debug)]
pub(super) struct Beat {
    pub at: Duration,
    pub says: String,
    pub deeds: Vec<Deed>,
}

/// Whether it speaks against a protection when two act in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A fault that protection is there for.
    Fault,
    /// What the protection itself rests on fails: a device that says "off" and does nothing, a machine that stood still
    /// with its guardian. Two that act then are told, and do not make the site unsafe.
    Beyond,
}

/// What happens.
#[derive(Debug)]
pub(super) struct Script {
    pub begins: Begins,
    pub beats: Vec<Beat>,
    /// When everything is in order again; none: nothing has to be mended.
    pub mended_at: Option<Duration>,
    /// What the end of the fault is called, as what follows "until".
    pub until: &'static str,
    /// How long it is looked at.
    pub lasts: Duration,
}

impl Script {
    /// A running group.
    pub fn running(cast: &Cast<'_>) -> Script {
        Script::new(cast, Begins::Running)
    }

    /// A group that is off.
    pub fn off(cast: &Cast<'_>) -> Script {
        Script::new(cast, Begins::Off)
    }

    fn new(cast: &Cast<'_>, begins: Begins) -> Script {
        let lasts = cast.site.lasting();
        Script { begins, beats: Vec::new(), mended_at: None, until: "the end", lasts }
    }

    /// Something happens.
    pub fn at(mut self, at: Duration, says: impl Into<String>, deeds: impl IntoIterator<Item = Deed>) -> Script {
        self.lasts = self.lasts.max(at);
        self.beats.push(Beat { at, says: says.into(), deeds: deeds.into_iter().collect() });
        self
    }

    /// After a lasting fault everything is mended, and who is off starts again.
    pub fn mended(self, cast: &Cast<'_>, says: impl Into<String>, until: &'static str, deeds: Vec<Deed>) -> Script {
        let at = cast.site.lasting();
        self.mended_after(cast, at, says, until, deeds)
    }

    /// The same, sooner or later.
    pub fn mended_after(
        mut self,
        cast: &Cast<'_>,
        at: Duration,
        says: impl Into<String>,
        until: &'static str,
        mut deeds: Vec<Deed>,
    ) -> Script {
        deeds.extend(cast.all().map(|member| Deed::Fault(Fault::Start(member))));
        self.mended_at = Some(at);
        self.until = until;
        self = self.at(at, says, deeds);
        self.lasts = at + cast.site.recovery();
        self
    }
}

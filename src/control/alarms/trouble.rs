//! An arbiter that is there and of no use, because it forgot what it knew or takes no change: what helps is not to bring it
//! back, so it has words of its own (S4, S10, U13).

use crate::negotiation::message::Mode;
use crate::negotiation::trouble::ArbiterTrouble;

use super::guards::{Acts, GuardAlarm};
use super::words::{Words, words};

/// What happened to an arbiter that holds less than it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgot {
    /// The shared directory lacks the generations that it had.
    FilesGone,
    /// etcd is older than it was.
    Restored,
    /// Another etcd answers.
    Exchanged,
}

impl Forgot {
    pub(super) fn of(why: &ArbiterTrouble) -> Option<Forgot> {
        match why {
            ArbiterTrouble::Emptied(_) => Some(Forgot::FilesGone),
            ArbiterTrouble::Restored(_) => Some(Forgot::Restored),
            ArbiterTrouble::Exchanged(_) => Some(Forgot::Exchanged),
            ArbiterTrouble::Full(_) | ArbiterTrouble::Other(_) => None,
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Forgot::FilesGone => "arbiter_emptied",
            Forgot::Restored => "arbiter_restored",
            Forgot::Exchanged => "arbiter_exchanged",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Forgot::FilesGone => "the arbiter's files are gone",
            Forgot::Restored => "etcd was restored to an older state",
            Forgot::Exchanged => "another etcd answers than before",
        }
    }

    /// What to look at before anything is restarted, and when restarting is the thing to do; none: it is at once.
    fn look_first(self, arbiter: &str) -> Option<(String, &'static str)> {
        match self {
            Forgot::FilesGone => Some((format!("Look for {arbiter}: mounted? If not, mount it."), "It was emptied")),
            Forgot::Restored => None,
            Forgot::Exchanged => {
                let first = "Look at arbiter.endpoints: do they name servers of one cluster?";
                Some((first.to_owned(), "Set up anew"))
            }
        }
    }

    /// What is left to do once one has the lease. The files' generations soon have higher numbers than any that was known,
    /// and are believed then; a store's revisions take their time.
    fn afterwards(self) -> Option<String> {
        match self {
            Forgot::FilesGone => None,
            Forgot::Restored | Forgot::Exchanged => Some("Then restart tandem on the other members too.".to_owned()),
        }
    }

    /// Who has known later writings believes the arbiter no more; who starts anew knows none, and can have the lease.
    pub(super) fn while_nobody_acts(self, node: &str, unheard: &[String], arbiter: &str) -> Words {
        let mut lines = Vec::new();
        let restart = match self.look_first(arbiter) {
            Some((look, when)) => {
                lines.push(look);
                format!("{when}: restart tandem on {node}: it then takes over by itself.")
            }
            None => format!("Restart tandem on {node}: it then takes over by itself."),
        };
        let do_not = match unheard {
            [] => "force a takeover: the restart is enough, and risks nothing.".to_owned(),
            names => {
                let names = names.join(" or ");
                lines.push(format!("Find out whether {names} acts: lamps, its console, call the site."));
                format!("restart it while {names} may be on: two could act.")
            }
        };
        lines.push(restart);
        lines.extend(self.afterwards());
        words(format!("NO TAKEOVER: {}", self.text()), lines.remove(0), &lines, &do_not)
    }

    /// See [`Forgot::while_nobody_acts`].
    pub(super) fn while_one_acts(self, node: &str, mode: Mode, acts: &str, others: &[String], arbiter: &str) -> Words {
        let text = match mode {
            Mode::Primary => format!("{}: {node} cannot renew its lease", self.text()),
            Mode::Secondary => format!("{}: {node} cannot take over", self.text()),
        };
        // The one that stands by has nothing to lose by a restart, and is the first that can have the lease then.
        let restarts = match mode {
            Mode::Primary => others.first().map_or("another member", String::as_str),
            Mode::Secondary => node,
        };
        let mut lines = match self.look_first(arbiter) {
            Some((look, when)) => {
                vec![look, format!("{when}: restart tandem on {restarts}, then there: tandem failover.")]
            }
            None => vec![format!("Restart tandem on {restarts}, then there: tandem failover.")],
        };
        lines.extend(self.afterwards());
        lines.push(format!("{acts} goes on while every other member is heard; else it stops acting."));
        let first = lines.remove(0);
        words(text, first, &lines, &format!("restart {acts} first, or leave {restarts} stopped: nobody would act."))
    }
}

/// Who is held back by it is held back all the same.
pub(super) fn kind_when_full(like: &GuardAlarm) -> &'static str {
    match like {
        GuardAlarm::HeldBack { .. } => super::HELD_BACK,
        GuardAlarm::LeaseEnds { .. }
        | GuardAlarm::ByGrants { .. }
        | GuardAlarm::ByGrantsStill { .. }
        | GuardAlarm::ArbiterAway { .. }
        | GuardAlarm::ArbiterForgot { .. }
        | GuardAlarm::ArbiterFull { .. }
        | GuardAlarm::NoReference { .. }
        | GuardAlarm::WatchdogNotArmed { .. } => "arbiter_full",
    }
}

/// The words of an arbiter that does not answer, with what makes room in the place of what brings it back.
pub(super) fn words_when_full(node: &str, like: &GuardAlarm) -> Words {
    const FULL: &str = "etcd has no space left";
    let text = match like {
        GuardAlarm::HeldBack { .. } => format!("NO TAKEOVER: {FULL}"),
        GuardAlarm::LeaseEnds { .. } => format!("{node} stops soon: {FULL}"),
        GuardAlarm::ArbiterAway { acts: Acts::Not, .. } => format!("{FULL}: {node} cannot take over"),
        GuardAlarm::ArbiterAway { acts: Acts::ByForce, .. } => format!("{FULL}: {node} acts by force"),
        GuardAlarm::ArbiterAway { acts: Acts::ByRule, .. }
        | GuardAlarm::ByGrants { .. }
        | GuardAlarm::ByGrantsStill { .. }
        | GuardAlarm::ArbiterForgot { .. }
        | GuardAlarm::ArbiterFull { .. }
        | GuardAlarm::NoReference { .. }
        | GuardAlarm::WatchdogNotArmed { .. } => format!("{FULL}: {node} cannot renew its lease"),
    };
    let Words { then, do_not, .. } = like.words();
    let first = "Make room in etcd: etcdctl compact REVISION, then etcdctl defrag.".to_owned();
    let disarm = "Then let it be written again: etcdctl alarm disarm.".to_owned();
    let then: Vec<String> = std::iter::once(disarm).chain(then).collect();
    words(text, first, &then, &do_not)
}

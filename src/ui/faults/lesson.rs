//! The line that teaches: what just happened, and what to try next. It looks at how things are, not only at which key
//! was pressed last, so that it is right also for somebody who goes another way.

use crate::control::status::{FenceResult, Judgement, Mode, ProtectionState, Status};

use super::super::keys::Fault;
use super::{Cable, FaultState, Process, Says, Work};

/// The faults of the lesson, in their order: whoever has seen these has seen a demo.
const LESSON: [Fault; 6] = [Fault::Crash, Fault::Freeze, Fault::KeepDead, Fault::Leak, Fault::Cut, Fault::Slow];

impl FaultState {
    /// What happened and what to try next, from what this member knows and from what the others say.
    pub fn hint(&self, status: Option<&Status>) -> String {
        match &self.happened {
            Some(over) if self.over => over.clone(),
            Some(happened) => match self.frozen_and_off(status) {
                Some(name) => format!("{name} is switched off. {}", self.next(status)),
                None => format!("{happened}. {}", self.next(status)),
            },
            None => self.next(status),
        }
    }

    /// Who was frozen, and is now off for it.
    fn frozen_and_off(&self, status: Option<&Status>) -> Option<&str> {
        let both =
            |member: &usize| self.stands(*member).process == Process::Frozen && self.switched_off(status, *member);
        (0..self.members.len()).find(both).map(|member| self.name(member))
    }

    /// Only what to try next.
    pub fn next(&self, status: Option<&Status>) -> String {
        let off = (0..self.members.len()).find(|member| self.switched_off(status, *member));
        let member = off.or_else(|| self.broken()).unwrap_or_else(|| self.acting().unwrap_or(self.target));
        let name = self.name(member);
        let mode = status.map(|status| status.mode);
        let stands = self.stands(member);
        let choose = if self.members.len() > 1 { format!("{}, ", member + 1) } else { String::new() };
        let process = if self.switched_off(status, member) { Process::Killed } else { stands.process };
        match (process, stands.cable) {
            // Started anew behind a cut link it would be heard by nobody.
            (Process::Killed, Cable::Cut) if mode == Some(Mode::Primary) => {
                format!("Next: f, {choose}m, then f, {choose}r: {name} starts anew")
            }
            (Process::Killed, _) => match mode {
                Some(Mode::Primary) => format!("Next: f, {choose}r: {name} starts anew and asks what to be"),
                Some(Mode::Secondary)
                    if status.is_some_and(|status| {
                        let acts = !matches!(status.judgement, Judgement::NobodyActs);
                        status.protection.state == ProtectionState::Missing && !acts
                    }) =>
                {
                    format!("Without a majority nobody acts. Next: f, {choose}r")
                }
                Some(Mode::Secondary) | None => format!("Wait: somebody takes over. Then f, {choose}r"),
            },
            (Process::Frozen, _) if self.counted_as_gone(status, name) => {
                format!("Next: f, {choose}t: it wakes up and asks before it acts")
            }
            (Process::Frozen, _) => "Wait: its silence counts after 3 s".to_owned(),
            (Process::Runs, Cable::Cut) => self.cut(status, member, &choose),
            (Process::Runs, _) if status.is_some_and(arbiter_away) => {
                "While both are heard, who acts goes on by the other's grant. Next: f, b".to_owned()
            }
            (Process::Runs, Cable::Slow) => format!("2 shows the round trip. Next: f, {choose}m mends it"),
            (Process::Runs, Cable::Whole) if status.is_none_or(|status| status.judgement == Judgement::NobodyActs) => {
                "Wait: they ask each other who is to act".to_owned()
            }
            (Process::Runs, Cable::Whole) => match (stands.work, self.says(member)) {
                (Work::Well, _) => self.whole(mode, name, &choose),
                (Work::KeptDead | Work::Lags | Work::Leaks, Says::Is(Mode::Primary, _)) => {
                    "Wait: its score falls, then it hands over".to_owned()
                }
                (Work::KeptDead | Work::Lags | Work::Leaks, Says::Is(Mode::Secondary, _) | Says::Nothing) => {
                    format!("Sick, it does not act. Next: f, {choose}h: heal")
                }
            },
        }
    }

    /// Whether the group has had it switched off, and it has not come back.
    pub(super) fn switched_off(&self, status: Option<&Status>, member: usize) -> bool {
        let name = self.name(member);
        let fencing = status.iter().flat_map(|status| &status.fencing).find(|fencing| fencing.peer == name);
        let last = fencing.and_then(|fencing| fencing.last.as_ref());
        self.says(member) == Says::Nothing && last.is_some_and(|last| last.result == FenceResult::Off)
    }

    fn cut(&self, status: Option<&Status>, member: usize, choose: &str) -> String {
        let name = self.name(member);
        if status.is_some_and(|status| arbiter_away(status) && status.judgement == Judgement::NobodyActs) {
            return "Nobody can have the lease, so nobody acts. Next: f, b".to_owned();
        }
        if status.is_some_and(|status| status.protection.policy.iter().any(|word| word == "fence")) {
            return match self.counted_as_off(status, name) {
                // It was switched off before, and started anew behind the cut link.
                true => format!("{name} hears nobody. Next: f, {choose}m mends it"),
                false => format!("Wait: {name} gets switched off first. Or f, {choose}m"),
            };
        }
        let leased = status.is_some_and(|status| status.arbiter.is_some());
        let filtered = status.is_some_and(|status| status.protection.state == ProtectionState::Filter);
        let protected =
            !filtered && status.is_some_and(|status| status.protection.state != ProtectionState::Unprotected);
        let acts = |mode: Option<Mode>| mode == Some(Mode::Primary);
        let theirs = match self.says(member) {
            Says::Is(mode, _) => Some(mode),
            Says::Nothing => None,
        };
        match (acts(status.map(|status| status.mode)), acts(theirs), protected) {
            (true, true, _) => format!("Both act! Next: f, {choose}m: the lower term gives way"),
            (_, _, true) if leased => format!("Only who holds the lease acts. Next: f, {choose}m mends it"),
            (_, true, true) => format!("Wait: alone, {name} must stop acting; the others go on"),
            (_, false, true) => format!("A minority never acts. Next: f, {choose}m mends it"),
            (_, _, false) if filtered => "Wait 3 s: a filter is no proof, so both will act".to_owned(),
            (_, _, false) => "Wait 3 s: nothing protects a pair, so both will act".to_owned(),
        }
    }

    fn whole(&self, mode: Option<Mode>, name: &str, choose: &str) -> String {
        let left = LESSON.iter().find(|fault| !self.seen.contains(fault));
        match (left, mode) {
            // Who acts is the better one to kill.
            (Some(Fault::Crash | Fault::Freeze | Fault::KeepDead | Fault::Leak), Some(Mode::Primary))
                if self.happened.is_none() =>
            {
                "Next: press a, then s, then the plan's number and Enter: the other takes over".to_owned()
            }
            (Some(Fault::Crash | Fault::Freeze | Fault::KeepDead | Fault::Leak), Some(Mode::Primary)) => {
                "Next: a, s, its number, Enter: the other takes over".to_owned()
            }
            (Some(Fault::Crash), _) => format!("Next: f, {choose}c: {name} crashes; watch rows 1 to 3"),
            (Some(Fault::Freeze), _) => format!("Next: f, {choose}z: {name} freezes; w says why"),
            (Some(Fault::KeepDead), _) => format!("Next: f, {choose}d: one of its processes is kept dead"),
            (Some(Fault::Leak), _) => format!("Next: f, {choose}e: one of its processes leaks"),
            (Some(Fault::Cut), _) => format!("Next: f, {choose}l: the link to {name} is cut"),
            (Some(Fault::Slow), _) => format!("Next: f, {choose}s: the link to {name} gets slow"),
            (
                Some(
                    Fault::Thaw
                    | Fault::Restart
                    | Fault::Mend
                    | Fault::KillProcess
                    | Fault::Lag
                    | Fault::Heal
                    | Fault::ArbiterAway
                    | Fault::ArbiterBack,
                )
                | None,
                _,
            ) => "That was every fault. w says why; q ends the demo".to_owned(),
        }
    }

    /// The member that a fault still stands for: the one hit last, else any.
    fn broken(&self) -> Option<usize> {
        let broken = |member: &usize| self.stands(*member) != super::Standing::default();
        let last = self.last.map(|(_, member)| member).filter(broken);
        last.or_else(|| (0..self.members.len()).find(broken))
    }

    /// The other member that acts, as it says itself.
    fn acting(&self) -> Option<usize> {
        (0..self.members.len()).find(|member| matches!(self.says(*member), Says::Is(Mode::Primary, _)))
    }

    fn counted_as_off(&self, status: Option<&Status>, name: &str) -> bool {
        let peers = status.iter().flat_map(|status| &status.peers);
        peers.into_iter().any(|peer| peer.name == name && peer.gone.as_deref() == Some("off"))
    }

    fn counted_as_gone(&self, status: Option<&Status>, name: &str) -> bool {
        let peers = status.iter().flat_map(|status| &status.peers);
        peers.into_iter().any(|peer| peer.name == name && peer.gone.is_some())
    }
}

/// Whether the arbiter is out of reach.
fn arbiter_away(status: &Status) -> bool {
    status.arbiter.as_ref().is_some_and(|arbiter| !arbiter.answers && arbiter.why.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::{News, Standing};
    use super::*;
    use crate::control::compose::compose;
    use crate::control::examples::{around, primary, secondary};

    fn happened(stands: Standing) -> FaultState {
        let mut faults = FaultState::of(vec!["beta".to_owned()]);
        faults.hear(News::Happened { member: 0, stands, text: "it happened".to_owned() });
        faults
    }

    #[test]
    fn u9_the_lesson_goes_on_from_how_things_are() {
        let acts = compose(&primary(), &around());
        let waits = compose(&secondary(), &around());
        let mut faults = FaultState::of(vec!["beta".to_owned()]);
        assert!(faults.hint(Some(&acts)).contains("press a, then s"), "the role goes to the other first");
        assert!(faults.hint(Some(&waits)).contains("f, c"), "who acts is killed");
        faults.inflict(Fault::Crash);
        faults.hear(News::Happened {
            member: 0,
            stands: Standing { process: Process::Killed, ..Standing::default() },
            text: "beta was killed".to_owned(),
        });
        assert_eq!(faults.hint(Some(&acts)), "beta was killed. Next: f, r: beta starts anew and asks what to be");
    }

    #[test]
    fn u9_a_cut_link_teaches_what_protection_is_for() {
        let mut faults = happened(Standing { cable: Cable::Cut, ..Standing::default() });
        let acts = compose(&primary(), &around());
        assert!(faults.hint(Some(&acts)).contains("both will act"));
        faults.hear(News::Says { member: 0, says: Says::Is(Mode::Primary, 9) });
        assert!(faults.hint(Some(&acts)).contains("Both act! Next: f, m"));
    }

    #[test]
    fn u9_the_lesson_fits_on_a_line_of_eighty() {
        let acts = compose(&primary(), &around());
        let waits = compose(&secondary(), &around());
        let names = ["beta", "gamma", "delta", "epsilon"].map(str::to_owned);
        for (process, text) in [
            (Process::Runs, "epsilon's link is whole"),
            (Process::Frozen, "is frozen"),
            (Process::Killed, "was killed"),
        ] {
            for cable in [Cable::Whole, Cable::Slow, Cable::Cut] {
                for seen in 0..=LESSON.len() {
                    for status in [Some(&acts), Some(&waits), None] {
                        let mut faults = FaultState::of(names.to_vec());
                        faults.target = 3;
                        LESSON[..seen].iter().for_each(|fault| faults.inflict(*fault));
                        let stands = Standing { process, cable, ..Standing::default() };
                        faults.hear(News::Happened { member: 3, stands, text: text.to_owned() });
                        assert!(faults.hint(status).len() < 80, "{}", faults.hint(status));
                    }
                }
            }
        }
    }

    #[test]
    fn u9_a_sick_process_teaches_that_the_score_decides() {
        let waits = compose(&secondary(), &around());
        let mut faults = FaultState::of(vec!["beta".to_owned()]);
        let text = "beta's historian is kept dead".to_owned();
        let stands = Standing { work: Work::KeptDead, ..Standing::default() };
        faults.hear(News::Says { member: 0, says: Says::Is(Mode::Primary, 3) });
        faults.hear(News::Happened { member: 0, stands, text });
        assert_eq!(
            faults.hint(Some(&waits)),
            "beta's historian is kept dead. Wait: its score falls, then it hands over"
        );
        let acts = compose(&primary(), &around());
        faults.hear(News::Says { member: 0, says: Says::Is(Mode::Secondary, 4) });
        assert_eq!(faults.next(Some(&acts)), "Sick, it does not act. Next: f, h: heal");
    }

    #[test]
    fn u9_a_demo_that_is_over_teaches_nothing_more() {
        let mut faults = FaultState::of(vec!["beta".to_owned()]);
        faults.hear(News::Over("the janitor is gone".to_owned()));
        assert_eq!(faults.hint(None), "the janitor is gone");
    }

    #[test]
    fn u9_nothing_is_taught_before_somebody_acts() {
        let mut status = compose(&secondary(), &around());
        status.judgement = Judgement::NobodyActs;
        assert!(FaultState::of(vec!["beta".to_owned()]).hint(Some(&status)).starts_with("Wait"));
    }
}

//! The strip of all members: what each says of itself, beside what the faults have made of it. It knows more than any
//! controller of the group does, which is what a newcomer learns from.

use crate::control::status::{Mode, Status};
use crate::control::words::in_term;

use super::super::line::{Glyph, Line, Role};
use super::{Cable, FaultState, Process, Says, Work};

/// How much is said of each member.
#[derive(Debug, Clone, Copy)]
enum Words {
    All,
    Few,
    Shapes,
}

impl FaultState {
    /// The strip, as long as fits.
    pub fn strip(&self, status: Option<&Status>, width: usize) -> Line {
        let with = |words: Words| {
            let lead = match words {
                Words::All => " each says of itself:  ",
                Words::Few | Words::Shapes => " ",
            };
            let mut line = Line::of(lead);
            if let Some(status) = status {
                line = line.then(is(&status.node, status.mode, status.term, words)).text(gap(words));
            }
            for member in 0..self.members.len() {
                line = line.then(self.member(status, member, words)).text(gap(words));
            }
            line
        };
        let variants = [with(Words::All), with(Words::Few), with(Words::Shapes)];
        let fits = variants.iter().find(|line| line.width() <= width);
        fits.unwrap_or(&variants[2]).clone()
    }

    fn member(&self, status: Option<&Status>, member: usize, words: Words) -> Line {
        let name = self.name(member);
        let stands = self.stands(member);
        let line = match (stands.process, self.says(member)) {
            (Process::Killed, _) => said(name, Line::new().glyph(Glyph::StandsBy), "KILLED", words),
            (Process::Frozen | Process::Runs, Says::Nothing) if self.switched_off(status, member) => {
                said(name, Line::new().glyph(Glyph::StandsBy), "SWITCHED OFF", words)
            }
            (Process::Frozen, _) => said(name, Line::of("?"), "FROZEN", words),
            (Process::Runs, Says::Nothing) => said(name, Line::of("?"), "NO ANSWER", words),
            (Process::Runs, Says::Is(mode, term)) => is(name, mode, term, words),
        };
        let cable = match (stands.cable, words) {
            (Cable::Whole, _) => "",
            (Cable::Slow, Words::All) => ", its link is slow",
            (Cable::Cut, Words::All) => ", its link is cut",
            (Cable::Slow, Words::Few | Words::Shapes) => " slow",
            (Cable::Cut, Words::Few | Words::Shapes) => " cut",
        };
        let work = match stands.work {
            Work::Well => "",
            Work::KeptDead | Work::Lags | Work::Leaks => ", sick",
        };
        match words {
            Words::All => line.text(cable).text(work),
            Words::Few | Words::Shapes => line.text(cable).text(work.trim_start_matches(',')),
        }
    }
}

fn gap(words: Words) -> &'static str {
    match words {
        Words::All | Words::Few => "   ",
        Words::Shapes => "  ",
    }
}

fn is(name: &str, mode: Mode, term: u64, words: Words) -> Line {
    let (glyph, word) = match mode {
        Mode::Primary => (Glyph::Acts, "PRIMARY"),
        Mode::Secondary => (Glyph::StandsBy, "SECONDARY"),
    };
    let line = said(name, Line::new().glyph(glyph), word, words);
    match words {
        Words::All => line.text(format!(", {}", in_term(term))),
        Words::Few | Words::Shapes if term == 0 => line,
        Words::Few | Words::Shapes => line.text(format!(" {term}")),
    }
}

fn said(name: &str, mark: Line, word: &str, words: Words) -> Line {
    let line = Line::of(name).text(" ").then(mark);
    match words {
        Words::All | Words::Few => line.text(" ").word(word, Role::Strong),
        Words::Shapes => line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::line::Charset;
    use super::super::{News, Standing};
    use super::*;
    use crate::control::compose::compose;
    use crate::control::examples::{around, fencing, primary};
    use crate::control::status::{FenceLast, FenceResult, Fencing};

    fn group() -> FaultState {
        let mut faults = FaultState::of(vec!["beta".to_owned(), "gamma".to_owned()]);
        faults.hear(News::Says { member: 0, says: Says::Is(Mode::Primary, 4) });
        faults.hear(News::Happened {
            member: 0,
            stands: Standing { cable: Cable::Cut, ..Standing::default() },
            text: "beta's link is cut".to_owned(),
        });
        faults.hear(News::Happened {
            member: 1,
            stands: Standing { process: Process::Killed, ..Standing::default() },
            text: "gamma was killed".to_owned(),
        });
        faults
    }

    #[test]
    fn u9_who_froze_and_was_switched_off_for_it_is_not_frozen_any_more() {
        let mut faults = FaultState::of(vec!["beta".to_owned()]);
        faults.hear(News::Happened {
            member: 0,
            stands: Standing { process: Process::Frozen, ..Standing::default() },
            text: "beta is frozen".to_owned(),
        });
        let mut status = compose(&primary(), &around());
        let off = FenceLast { attempt: 1, result: FenceResult::Off, age_ms: 3_000, took_ms: 30, why: None };
        status.fencing = vec![Fencing { last: Some(off), ..fencing("beta") }];
        let strip = faults.strip(Some(&status), 100).plain(Charset::Utf8);
        assert!(strip.contains("beta ○ SWITCHED OFF"), "{strip}");
        assert_eq!(
            faults.hint(Some(&status)),
            "beta is switched off. Next: f, r: beta starts anew and asks what to be"
        );
    }

    #[test]
    fn u9_the_strip_says_what_each_member_says_and_shrinks_with_the_terminal() {
        let plain = |width| group().strip(None, width).plain(Charset::Utf8).trim_end().to_owned();
        assert_eq!(plain(100), " each says of itself:  beta ■ PRIMARY, term 4, its link is cut   gamma ○ KILLED");
        assert_eq!(plain(60), " beta ■ PRIMARY 4 cut   gamma ○ KILLED");
        assert_eq!(plain(30), " beta ■ 4 cut  gamma ○");
    }
}

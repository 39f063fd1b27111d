//! A user-defined check (H7): whether it counts as good, by what it answered lately.

use std::time::Duration;

/// What one asking of a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A good answer, after so long.
    Good {
        /// From the question to the answer.
        took: Duration,
    },
    /// A bad answer, or none in time.
    Bad {
        /// What was wrong.
        why: String,
    },
}

/// Whether a check counts as good. One bad answer changes nothing yet, nor does one good answer after bad ones: it takes
/// `fall` or `rise` in a row, so that a check on the edge does not swing the score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    rise: u32,
    fall: u32,
    verdict: Verdict,
    /// Answers in a row that speak against the verdict.
    against: u32,
    /// The last response time, and what was wrong with the last bad answer since the last good one.
    took: Option<Duration>,
    why: Option<String>,
}

/// What a check counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not known yet, or good: status 1. What has nothing to measure counts 1 (H1).
    Good,
    /// Bad: status 0.
    Bad,
}

impl Standing {
    /// One that was not asked yet. A `rise` or `fall` of 0 means 1: no answer at all cannot change a verdict.
    pub fn new(rise: u32, fall: u32) -> Standing {
        Standing { rise: rise.max(1), fall: fall.max(1), verdict: Verdict::Good, against: 0, took: None, why: None }
    }

    /// The same standing, judged by other counts from now on.
    pub fn with(self, rise: u32, fall: u32) -> Standing {
        Standing { rise: rise.max(1), fall: fall.max(1), ..self }
    }

    /// Takes an answer; true when the verdict changed.
    pub fn asked(&mut self, asked: Asked) -> bool {
        let (speaks, needed) = match asked {
            Asked::Good { took } => {
                self.took = Some(took);
                self.why = None;
                (Verdict::Good, self.rise)
            }
            Asked::Bad { why } => {
                self.took = None;
                self.why = Some(why);
                (Verdict::Bad, self.fall)
            }
        };
        if speaks == self.verdict {
            self.against = 0;
            return false;
        }
        self.against += 1;
        let changed = self.against >= needed;
        if changed {
            self.verdict = speaks;
            self.against = 0;
        }
        changed
    }

    /// What it counts as.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// 1 or 0.
    pub fn status(&self) -> f64 {
        match self.verdict {
            Verdict::Good => 1.0,
            Verdict::Bad => 0.0,
        }
    }

    /// How long the last answer took; none when there was none, or a bad one.
    pub fn took(&self) -> Option<Duration> {
        self.took
    }

    /// What was wrong with the last answer.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Asked {
        Asked::Good { took: Duration::from_millis(3) }
    }

    fn bad() -> Asked {
        Asked::Bad { why: "connection refused".to_owned() }
    }

    #[test]
    fn h7_before_the_first_answer_a_check_counts_full() {
        assert_eq!(Standing::new(2, 3).status(), 1.0);
    }

    #[test]
    fn h7_it_falls_with_fall_bad_answers_in_a_row_and_rises_with_rise_good_ones() {
        let mut check = Standing::new(2, 3);
        assert!(!check.asked(bad()));
        assert!(!check.asked(bad()));
        assert_eq!(check.status(), 1.0);
        assert!(check.asked(bad()));
        assert_eq!(check.status(), 0.0);
        assert_eq!(check.why(), Some("connection refused"));
        assert!(!check.asked(good()));
        assert_eq!(check.status(), 0.0);
        assert!(check.asked(good()));
        assert_eq!((check.status(), check.took()), (1.0, Some(Duration::from_millis(3))));
    }

    #[test]
    fn h7_an_answer_to_the_contrary_begins_the_count_anew() {
        let mut check = Standing::new(2, 2);
        for _ in 0..5 {
            assert!(!check.asked(bad()));
            assert!(!check.asked(good()));
        }
        assert_eq!(check.status(), 1.0);
        check.asked(bad());
        check.asked(bad());
        for _ in 0..5 {
            assert!(!check.asked(good()));
            assert!(!check.asked(bad()));
        }
        assert_eq!(check.status(), 0.0);
    }

    #[test]
    fn h7_rise_and_fall_of_one_follow_at_once_and_zero_means_one() {
        for count in [0, 1] {
            let mut check = Standing::new(count, count);
            assert!(check.asked(bad()));
            assert!(check.asked(good()));
        }
    }
}

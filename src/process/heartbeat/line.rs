//! The line heartbeat: a line on the process's standard input, answered by the same line on its standard output.
//!
//! The line is `tandem-heartbeat N` with a number that grows. Whoever reads lines and writes them back answers right;
//! `cat` does. Every other line that the process writes is output as ever.

use std::io;
use std::os::fd::OwnedFd;

/// What begins a line of the heartbeat.
const WORD: &str = "tandem-heartbeat ";

/// The number in a line that answers a heartbeat; none: the line is output.
pub fn answer(line: &str) -> Option<u64> {
    line.trim_end().strip_prefix(WORD)?.parse().ok()
}

/// Which question a line answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The one that was asked last.
    Last,
    /// One before it, which was given up meanwhile.
    Earlier,
}

/// The way to a process's standard input.
#[derive(Debug)]
pub(super) struct Questions {
    stdin: OwnedFd,
    /// The number of the last question.
    last: u64,
}

impl Questions {
    /// From the writing end of the pipe that is the process's standard input.
    pub fn new(stdin: OwnedFd) -> io::Result<Questions> {
        rustix::io::ioctl_fionbio(&stdin, true)?;
        Ok(Questions { stdin, last: 0 })
    }

    /// Asks. A pipe that is full belongs to a process that does not read: the question is then as good as asked.
    pub fn ask(&mut self) {
        self.last += 1;
        // Shorter than PIPE_BUF: it is written whole or not at all. Who has closed its standard input will not answer.
        let _ = rustix::io::write(&self.stdin, format!("{WORD}{}\n", self.last).as_bytes());
    }

    /// Which question `number` answers; none that was asked: the line is no answer.
    pub fn answered_by(&self, number: u64) -> Option<Which> {
        match number {
            0 => None,
            number if number == self.last => Some(Which::Last),
            number if number < self.last => Some(Which::Earlier),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn p3_only_the_very_line_is_an_answer() {
        assert_eq!(answer("tandem-heartbeat 7"), Some(7));
        assert_eq!(answer("tandem-heartbeat 7\r\n"), Some(7));
        for line in ["", "tandem-heartbeat", "tandem-heartbeat x", " tandem-heartbeat 7", "tandem-heartbeat 7 8", "7"] {
            assert_eq!(answer(line), None, "{line}");
        }
    }

    #[tokio::test]
    async fn p3_a_process_that_does_not_read_cannot_stop_the_questions() {
        let (reader, writer) = io::pipe().unwrap();
        let mut questions = Questions::new(writer.into()).unwrap();
        for _ in 0..10_000 {
            questions.ask();
        }
        let mut begins = [0; 21];
        (&reader).read_exact(&mut begins).unwrap();
        assert_eq!(&begins, b"tandem-heartbeat 1\nta");
        let which = [0, 1, 9_999, 10_000, 10_001].map(|number| questions.answered_by(number));
        assert_eq!(which, [None, Some(Which::Earlier), Some(Which::Earlier), Some(Which::Last), None]);
        drop(reader);
        questions.ask();
    }
}

//! Keeping secrets out of everything that people read: what an agent prints is cleaned before it is kept.

use std::fmt;

/// What stands where a secret was.
const REMOVED: &str = "[secret]";

/// The secrets of one run, to be removed from whatever the agent says. Its `Debug` shows none of them.
#[derive(Clone, Default)]
pub(super) struct Redactor {
    /// Longest first, so that one which contains another is removed whole.
    secrets: Vec<String>,
}

impl Redactor {
    /// Remembers `secret`; an empty one is none.
    pub(super) fn add(&mut self, secret: &str) {
        if !secret.is_empty() && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// `text` without the secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REMOVED))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_a_secret_is_removed_wherever_it_stands_and_one_within_another_too() {
        let mut redactor = Redactor::default();
        for secret in ["", "horse", "correct horse", "horse"] {
            redactor.add(secret);
        }
        assert_eq!(redactor.clean("a correct horse, a horse, -phorse"), "a [secret], a [secret], -p[secret]");
        assert_eq!(format!("{redactor:?}"), "Redactor(2 secrets)");
    }
}

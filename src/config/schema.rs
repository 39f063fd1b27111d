//! The keys of the file: which this version knows, which come with a later one, and which is meant by a misspelt one.
//!
//! Only names stand here. What a key's value must look like is in [`super::read`].

/// A section and its keys. `known` work in this version; `later` are in the contract, but do nothing yet, so writing
/// them is an error that says so: a setting without effect is worse than a refusal.
pub(super) struct Section {
    /// The name in brackets; empty for the keys at the top.
    pub name: &'static str,
    /// The keys that work.
    pub known: &'static [&'static str],
    /// The keys that a later version brings.
    pub later: &'static [&'static str],
}

/// Keys at the top of the file, before any section.
pub(super) const TOP: Section = Section { name: "", known: &["group", "member"], later: &[] };
/// One `[[member]]`.
pub(super) const MEMBER: Section = Section { name: "member", known: &["name", "addresses"], later: &[] };
/// Times of the negotiation.
pub(super) const NEGOTIATION: Section = Section {
    name: "negotiation",
    known: &["query_interval", "reply_timeout", "boot_timeout", "connect_grace", "crash_detection"],
    later: &[],
};
/// How the link is secured.
pub(super) const SECURITY: Section =
    Section { name: "security", known: &["mode", "key_file", "also_accept"], later: &[] };
/// What a takeover needs.
pub(super) const TAKEOVER: Section = Section {
    name: "takeover",
    known: &["protection", "observe_only"],
    later: &["threshold", "margin", "confirmations", "max_per_hour", "sick_for", "preferred"],
};
/// What is kept on disk.
pub(super) const STATE: Section = Section { name: "state", known: &["directory"], later: &[] };
/// The control socket.
pub(super) const CONTROL: Section = Section { name: "control", known: &["socket", "mode", "group"], later: &[] };
/// The screen.
pub(super) const SCREEN: Section =
    Section { name: "screen", known: &["theme", "ascii", "bell", "max_draws_per_second"], later: &[] };
/// The journal.
pub(super) const JOURNAL: Section = Section { name: "journal", known: &["keep"], later: &[] };

/// The sections in brackets, in the order of the contract.
pub(super) const SECTIONS: [&Section; 8] =
    [&MEMBER, &NEGOTIATION, &SECURITY, &TAKEOVER, &STATE, &CONTROL, &SCREEN, &JOURNAL];

/// Sections that a later version brings.
pub(super) const LATER_SECTIONS: [&str; 10] = [
    "health",
    "process",
    "hooks",
    "fence",
    "fencing",
    "virtual_address",
    "arbiter",
    "reachability",
    "watchdog",
    "metrics",
];

impl Section {
    /// The section as a person would name it in a sentence.
    pub(super) fn title(&self) -> String {
        match self.name {
            "" => "at the top of the file".to_owned(),
            "member" => "in [[member]]".to_owned(),
            name => format!("in [{name}]"),
        }
    }

    /// `key` as a path from the top of the file.
    pub(super) fn path(&self, key: &str) -> String {
        match self.name {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    /// What to do about `key`, which this section does not have.
    pub(super) fn suggest(&self, key: &str) -> String {
        if let Some(other) = SECTIONS.iter().find(|other| other.name != self.name && other.known.contains(&key)) {
            return format!("`{key}` belongs {}", other.title());
        }
        if self.name != TOP.name && TOP.known.contains(&key) {
            return format!("`{key}` belongs {}, before the first section", TOP.title());
        }
        let sections: &[&Section] = if self.name == TOP.name { &SECTIONS } else { &[] };
        let candidates = self.known.iter().copied().chain(sections.iter().map(|section| section.name));
        match nearest(key, candidates) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the keys {} are: {}", self.title(), self.known.join(", ")),
        }
    }
}

/// The candidate most like `word`, when it is alike enough to be meant.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), candidate), candidate))
        // Below this, suggestions for unrelated words begin to appear ("colour" for "control").
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_its_neighbour() {
        assert_eq!(NEGOTIATION.suggest("reply_timout"), "did you mean `reply_timeout`?");
        assert_eq!(NEGOTIATION.suggest("replytimeout"), "did you mean `reply_timeout`?");
        assert_eq!(TOP.suggest("negociation"), "did you mean `negotiation`?");
        assert_eq!(MEMBER.suggest("address"), "did you mean `addresses`?");
    }

    #[test]
    fn a_key_in_the_wrong_section_is_sent_to_its_own() {
        assert_eq!(TOP.suggest("reply_timeout"), "`reply_timeout` belongs in [negotiation]");
        assert_eq!(SCREEN.suggest("query_interval"), "`query_interval` belongs in [negotiation]");
    }

    #[test]
    fn an_unlike_word_gets_the_list() {
        assert_eq!(SCREEN.suggest("zzz"), "the keys in [screen] are: theme, ascii, bell, max_draws_per_second");
    }
}

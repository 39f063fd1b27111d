//! The keys of the file: which this version knows, which come with a later one, and which is meant by a misspelt one.
//!
//! Only names stand here. What a key's value must look like is in [`super::read`].

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The keys before any section.
    Top,
    /// `[name]`, once.
    Table,
    /// `[[name]]`, as often as wanted.
    List,
    /// `[name.MEMBER]`, once for each member.
    ByMember,
    /// `key = { … }` inside another section.
    Inline,
}

/// A section and its keys. `known` work in this version; `later` are in the contract, but do nothing yet, so writing
/// them is an error that says so: a setting without effect is worse than a refusal.
pub(super) struct Section {
    /// The name in brackets, `health.weights`; empty for the keys at the top.
    pub name: &'static str,
    /// How it is written.
    pub form: Form,
    /// The keys that work.
    pub known: &'static [&'static str],
    /// Other spellings of keys that work.
    pub also: &'static [&'static str],
    /// Sections within this one, which are looked at by themselves.
    pub inner: &'static [&'static str],
    /// The keys that a later version brings.
    pub later: &'static [&'static str],
}

/// A `[name]` with the keys `known`.
const fn table(name: &'static str, known: &'static [&'static str]) -> Section {
    Section { name, form: Form::Table, known, also: &[], inner: &[], later: &[] }
}

/// Keys at the top of the file, before any section.
pub(super) const TOP: Section = Section { form: Form::Top, inner: &["member"], ..table("", &["group"]) };
/// One `[[member]]`.
pub(super) const MEMBER: Section = Section { form: Form::List, ..table("member", &["name", "addresses"]) };
/// Times of the negotiation.
pub(super) const NEGOTIATION: Section =
    table("negotiation", &["query_interval", "reply_timeout", "boot_timeout", "connect_grace", "crash_detection"]);
/// How the link is secured.
pub(super) const SECURITY: Section = table("security", &["mode", "key_file", "also_accept"]);
/// What a takeover needs.
pub(super) const TAKEOVER: Section = table(
    "takeover",
    &["protection", "threshold", "margin", "confirmations", "max_per_hour", "sick_for", "preferred", "observe_only"],
);
/// What the Total Health Score is made of.
pub(super) const HEALTH: Section =
    Section { inner: &["weights", "check"], ..table("health", &["sample", "memory_base"]) };
/// The weights of the three statuses.
pub(super) const WEIGHTS: Section = table("health.weights", &["restarts", "response_time", "memory"]);
/// One user-defined check.
pub(super) const CHECK: Section = Section {
    form: Form::List,
    ..table("health.check", &["name", "weight", "kind", "target", "command", "period", "timeout", "rise", "fall"])
};
/// One required process.
pub(super) const PROCESS: Section = Section {
    form: Form::List,
    also: &["totalHealthScoreWeight"],
    inner: &["heartbeat", "restart", "limits"],
    ..table(
        "process",
        &[
            "name",
            "command",
            "run_when",
            "total_health_score_weight",
            "start_timeout",
            "stop_grace",
            "environment",
            "directory",
            "user",
        ],
    )
};
/// `heartbeat = { … }` of a process.
pub(super) const HEARTBEAT: Section =
    Section { form: Form::Inline, ..table("process.heartbeat", &["kind", "period", "target", "command"]) };
/// `restart = { … }` of a process.
pub(super) const RESTART: Section =
    Section { form: Form::Inline, ..table("process.restart", &["delay", "max_delay", "burst", "within"]) };
/// `limits = { … }` of a process.
pub(super) const LIMITS: Section = Section { form: Form::Inline, ..table("process.limits", &["memory", "open_files"]) };
/// Commands run on transitions.
pub(super) const HOOKS: Section = table("hooks", &["on_primary", "on_secondary", "on_alarm", "timeout"]);
/// How one member is switched off.
pub(super) const FENCE: Section = Section {
    form: Form::ByMember,
    ..table("fence", &["agent", "options", "command", "action", "timeout", "attempts", "delay", "monitor"])
};
/// Who keeps the lease.
pub(super) const ARBITER: Section = table(
    "arbiter",
    &["kind", "endpoints", "user", "password_file", "ca_file", "cert_file", "key_file", "directory", "lease"],
);
/// Whether fencing is for everybody who is sick.
pub(super) const FENCING: Section = table("fencing", &["always"]);
/// The reference addresses.
pub(super) const REACHABILITY: Section = table("reachability", &["targets"]);
/// The device that resets the machine.
pub(super) const WATCHDOG: Section = table("watchdog", &["device", "timeout"]);
/// What is kept on disk.
pub(super) const STATE: Section = table("state", &["directory"]);
/// The control socket.
pub(super) const CONTROL: Section = table("control", &["socket", "mode", "group"]);
/// Where the metrics are served.
pub(super) const METRICS: Section = table("metrics", &["listen"]);
/// The screen.
pub(super) const SCREEN: Section = table("screen", &["theme", "ascii", "bell", "max_draws_per_second"]);
/// The journal.
pub(super) const JOURNAL: Section = table("journal", &["keep"]);

/// The sections in brackets, in the order of the contract; and what is written inside them.
pub(super) const SECTIONS: [&Section; 22] = [
    &MEMBER,
    &NEGOTIATION,
    &SECURITY,
    &TAKEOVER,
    &HEALTH,
    &WEIGHTS,
    &CHECK,
    &PROCESS,
    &HEARTBEAT,
    &RESTART,
    &LIMITS,
    &HOOKS,
    &FENCE,
    &FENCING,
    &ARBITER,
    &REACHABILITY,
    &WATCHDOG,
    &STATE,
    &CONTROL,
    &METRICS,
    &SCREEN,
    &JOURNAL,
];

/// Sections that a later version brings.
pub(super) const LATER_SECTIONS: [&str; 1] = ["virtual_address"];

/// The names that may stand at the top of the file as sections.
pub(super) fn outer_names() -> impl Iterator<Item = &'static str> {
    SECTIONS.into_iter().map(|section| section.name).filter(|name| !name.contains('.'))
}

impl Section {
    /// The section as a person would name it in a sentence.
    pub(super) fn title(&self) -> String {
        let name = self.name;
        match self.form {
            Form::Top => "at the top of the file".to_owned(),
            Form::Table => format!("in [{name}]"),
            Form::List => format!("in [[{name}]]"),
            Form::ByMember => format!("in [{name}.NAME]"),
            Form::Inline => {
                let (outer, key) = name.split_once('.').unwrap_or(("", name));
                format!("in {key} = {{ … }} of [[{outer}]]")
            }
        }
    }

    /// Whether `key` may be written here.
    pub(super) fn takes(&self, key: &str) -> bool {
        [self.known, self.also, self.inner].into_iter().any(|keys| keys.contains(&key))
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
        let homes: Vec<String> = SECTIONS
            .iter()
            .filter(|other| other.name != self.name && other.known.contains(&key))
            .map(|other| other.title())
            .collect();
        if !homes.is_empty() {
            return format!("`{key}` belongs {}", homes.join(", or "));
        }
        if self.form != Form::Top && TOP.takes(key) {
            return format!("`{key}` belongs {}, before the first section", TOP.title());
        }
        let sections = outer_names().filter(|_| self.form == Form::Top);
        let candidates = self.known.iter().chain(self.also).chain(self.inner).copied().chain(sections);
        match nearest(key, candidates) {
            Some(known) => format!("did you mean `{known}`?"),
            None => {
                let keys: Vec<&str> = self.known.iter().chain(self.inner).copied().collect();
                format!("the keys {} are: {}", self.title(), keys.join(", "))
            }
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

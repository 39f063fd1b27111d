//! What a changed file means for a controller that runs: which keys are applied at once, which processes restart for it,
//! and which keys need a restart of the controller, with the reason (U10).
//!
//! One table has a decision for every key of the schema, and one list has the value of every key of a configuration; what
//! differs between two lists is what changed. Values are only compared, never shown: some are secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::negotiation::settings::Protection;

use super::arbiter::ArbiterKind;
use super::fencing::AgentConfig;
use super::model::Config;
use super::required::{HeartbeatKind, Probe};

/// What becomes of a changed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is applied, in this way.
    Applied(&'static str),
    /// Its process is restarted with it.
    Process,
    /// It stays as it was until the controller is restarted, for this reason.
    Restart(&'static str),
}

/// One key that differs between two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path with names in it, `process.plant-control.command`.
    pub path: String,
    /// What becomes of it.
    pub decision: Decision,
}

const AT_ONCE: Decision = Decision::Applied("at once");
const NEXT_EVENT: Decision = Decision::Applied("from the next time on");
const NEW_SCREENS: Decision = Decision::Applied("for screens that are opened from now on");
const NEXT_CALL: Decision = Decision::Applied("for connections that are made from now on; those that stand go on");
const MEMBERS: Decision =
    Decision::Restart("the members' order and addresses are what every promise and term rests on");
const TIMES: Decision = Decision::Restart("promises that were given count by the time that stood then");
const AT_BOOT: Decision = Decision::Restart("it is used only while a controller starts");
const PLACES: Decision = Decision::Restart("what is open there would have to be closed and opened elsewhere");

const ARBITER: Decision =
    Decision::Restart("the lease that a Primary acts by may stand there, and another arbiter knows nothing of it");

const WATCHDOG: Decision = Decision::Restart("the device is armed, and only a clean end disarms it");

/// The decision for every key of the schema.
const DECISIONS: &[(&str, Decision)] = &[
    ("group", Decision::Restart("the group's name is part of every connection")),
    ("member.name", MEMBERS),
    ("member.addresses", MEMBERS),
    ("negotiation.query_interval", TIMES),
    ("negotiation.reply_timeout", TIMES),
    ("negotiation.boot_timeout", AT_BOOT),
    ("negotiation.connect_grace", AT_BOOT),
    ("negotiation.crash_detection", AT_ONCE),
    ("security.mode", Decision::Restart("all members must change from and to plain text together")),
    ("security.key_file", NEXT_CALL),
    ("security.also_accept", NEXT_CALL),
    ("takeover.protection", Decision::Restart("promises and leases that stand were given under the other protection")),
    ("takeover.threshold", AT_ONCE),
    ("takeover.margin", AT_ONCE),
    ("takeover.confirmations", AT_ONCE),
    ("takeover.max_per_hour", AT_ONCE),
    ("takeover.sick_for", NEXT_EVENT),
    ("takeover.preferred", AT_ONCE),
    ("takeover.observe_only", Decision::Restart("a member that acts cannot turn into one that only looks on")),
    ("health.sample", AT_ONCE),
    ("health.memory_base", AT_ONCE),
    ("health.weights.restarts", AT_ONCE),
    ("health.weights.response_time", AT_ONCE),
    ("health.weights.memory", AT_ONCE),
    ("health.check.name", AT_ONCE),
    ("health.check.weight", AT_ONCE),
    ("health.check.kind", AT_ONCE),
    ("health.check.target", AT_ONCE),
    ("health.check.command", AT_ONCE),
    ("health.check.period", AT_ONCE),
    ("health.check.timeout", AT_ONCE),
    ("health.check.rise", AT_ONCE),
    ("health.check.fall", AT_ONCE),
    ("process.name", Decision::Process),
    ("process.command", Decision::Process),
    ("process.run_when", Decision::Process),
    ("process.total_health_score_weight", AT_ONCE),
    ("process.start_timeout", NEXT_EVENT),
    ("process.stop_grace", NEXT_EVENT),
    ("process.environment", Decision::Process),
    ("process.directory", Decision::Process),
    ("process.user", Decision::Process),
    ("process.heartbeat.kind", Decision::Process),
    ("process.heartbeat.period", Decision::Process),
    ("process.heartbeat.target", Decision::Process),
    ("process.heartbeat.command", Decision::Process),
    ("process.restart.delay", NEXT_EVENT),
    ("process.restart.max_delay", NEXT_EVENT),
    ("process.restart.burst", NEXT_EVENT),
    ("process.restart.within", NEXT_EVENT),
    ("process.limits.memory", Decision::Process),
    ("process.limits.open_files", Decision::Process),
    ("hooks.on_primary", NEXT_EVENT),
    ("hooks.on_secondary", NEXT_EVENT),
    ("hooks.on_alarm", NEXT_EVENT),
    ("hooks.timeout", NEXT_EVENT),
    ("fence.agent", NEXT_EVENT),
    ("fence.options", NEXT_EVENT),
    ("fence.command", NEXT_EVENT),
    ("fence.action", NEXT_EVENT),
    ("fence.timeout", NEXT_EVENT),
    ("fence.attempts", NEXT_EVENT),
    ("fence.delay", NEXT_EVENT),
    ("fence.monitor", NEXT_EVENT),
    ("fencing.always", AT_ONCE),
    ("arbiter.kind", ARBITER),
    ("arbiter.endpoints", ARBITER),
    ("arbiter.user", ARBITER),
    ("arbiter.password_file", ARBITER),
    ("arbiter.ca_file", ARBITER),
    ("arbiter.cert_file", ARBITER),
    ("arbiter.key_file", ARBITER),
    ("arbiter.directory", ARBITER),
    ("arbiter.lease", Decision::Restart("leases and promises that stand were given for the length that stood then")),
    ("reachability.targets", Decision::Restart("a takeover may rest on an answer of the targets that stood then")),
    ("watchdog.device", WATCHDOG),
    ("watchdog.timeout", WATCHDOG),
    ("state.directory", PLACES),
    ("control.socket", PLACES),
    ("control.mode", PLACES),
    ("control.group", PLACES),
    ("metrics.listen", AT_ONCE),
    ("screen.theme", NEW_SCREENS),
    ("screen.ascii", NEW_SCREENS),
    ("screen.bell", NEW_SCREENS),
    ("screen.max_draws_per_second", NEW_SCREENS),
    ("journal.keep", NEXT_EVENT),
];

/// A fence that the running protection counts on.
const FENCE_IN_USE: Decision =
    Decision::Restart("protection \"fence\", which runs until a restart, needs a fence for every member");

/// The value of one key.
struct Value {
    /// The schema's name of the key, `process.command`.
    key: String,
    /// Its path with names, `process.plant-control.command`.
    path: String,
    /// Its value, in some form that is the same for the same value.
    value: String,
}

/// The values of a configuration, listed section by section.
#[derive(Default)]
struct Values(Vec<Value>);

impl Values {
    /// The value of `key` in `section`; `name` stands between them in the path, where there are several.
    fn add(&mut self, section: &str, name: Option<&str>, inner: Option<&str>, key: &str, value: &dyn Debug) {
        let join = |parts: [Option<&str>; 4]| parts.into_iter().flatten().collect::<Vec<_>>().join(".");
        let section = Some(section).filter(|section| !section.is_empty());
        self.0.push(Value {
            key: join([section, None, inner, Some(key)]),
            path: join([section, name, inner, Some(key)]),
            value: format!("{value:?}"),
        });
    }

    fn of(config: &Config) -> BTreeMap<String, (String, String)> {
        let mut values = Values::default();
        values.group(config);
        values.health(config);
        values.processes(config);
        values.fences(config);
        values.guards(config);
        values.places(config);
        values.0.into_iter().map(|value| (value.path, (value.key, value.value))).collect()
    }

    fn group(&mut self, config: &Config) {
        self.add("", None, None, "group", &config.group);
        for (place, member) in config.members.iter().enumerate() {
            let name = Some(member.name.as_str());
            self.add("member", name, None, "name", &place);
            self.add("member", name, None, "addresses", &member.addresses);
        }
        let times = &config.negotiation;
        let mut negotiation = |key, value: &dyn Debug| self.add("negotiation", None, None, key, value);
        negotiation("query_interval", &times.query_interval);
        negotiation("reply_timeout", &times.reply_timeout);
        negotiation("boot_timeout", &times.boot_timeout);
        negotiation("connect_grace", &times.connect_grace);
        negotiation("crash_detection", &times.crash_detection);
        let security = &config.security;
        self.add("security", None, None, "mode", &security.mode);
        self.add("security", None, None, "key_file", &security.key_file);
        self.add("security", None, None, "also_accept", &security.also_accept);
        let takeover = &config.takeover;
        let mut add = |key, value: &dyn Debug| self.add("takeover", None, None, key, value);
        add("protection", &takeover.protection);
        add("threshold", &takeover.threshold);
        add("margin", &takeover.margin);
        add("confirmations", &takeover.confirmations);
        add("max_per_hour", &takeover.max_per_hour);
        add("sick_for", &takeover.sick_for);
        add("preferred", &takeover.preferred.map(|member| config.name(member)));
        add("observe_only", &takeover.observe_only);
    }

    fn health(&mut self, config: &Config) {
        let health = &config.health;
        self.add("health", None, None, "sample", &health.sample);
        self.add("health", None, None, "memory_base", &health.memory_base);
        self.add("health.weights", None, None, "restarts", &health.weights.restarts);
        self.add("health.weights", None, None, "response_time", &health.weights.response_time);
        self.add("health.weights", None, None, "memory", &health.weights.memory);
        for (place, check) in health.checks.iter().enumerate() {
            let mut add = |key, value: &dyn Debug| self.add("health.check", Some(&check.name), None, key, value);
            add("name", &place);
            add("weight", &check.weight);
            add("kind", &check.probe.word());
            add("target", &target(&check.probe));
            add("command", &probe_command(&check.probe));
            add("period", &check.period);
            add("timeout", &check.timeout);
            add("rise", &check.rise);
            add("fall", &check.fall);
        }
    }

    fn processes(&mut self, config: &Config) {
        for process in &config.processes {
            let name = Some(process.name.as_str());
            let mut add = |key, value: &dyn Debug| self.add("process", name, None, key, value);
            // Not its place in the file: another order of starting is no reason to restart anything.
            add("name", &());
            add("command", &process.command);
            add("run_when", &process.run_when);
            add("total_health_score_weight", &process.counts);
            add("start_timeout", &process.start_timeout);
            add("stop_grace", &process.stop_grace);
            add("environment", &process.environment);
            add("directory", &process.directory);
            add("user", &process.user);
            let heartbeat = process.heartbeat.as_ref();
            let probe = heartbeat.and_then(|heartbeat| match &heartbeat.kind {
                HeartbeatKind::Probe(probe) => Some(probe),
                HeartbeatKind::Notify | HeartbeatKind::Line => None,
            });
            let mut add = |key, value: &dyn Debug| self.add("process", name, Some("heartbeat"), key, value);
            add("kind", &heartbeat.map(|heartbeat| heartbeat.kind.word()));
            add("period", &heartbeat.map(|heartbeat| heartbeat.period));
            add("target", &probe.and_then(target));
            add("command", &probe.and_then(probe_command));
            let restart = &process.restart;
            let mut add = |key, value: &dyn Debug| self.add("process", name, Some("restart"), key, value);
            add("delay", &restart.delay);
            add("max_delay", &restart.max_delay);
            add("burst", &restart.burst);
            add("within", &restart.within);
            self.add("process", name, Some("limits"), "memory", &process.limits.memory);
            self.add("process", name, Some("limits"), "open_files", &process.limits.open_files);
        }
        let hooks = &config.hooks;
        let mut add = |key, value: &dyn Debug| self.add("hooks", None, None, key, value);
        add("on_primary", &hooks.on_primary);
        add("on_secondary", &hooks.on_secondary);
        add("on_alarm", &hooks.on_alarm);
        add("timeout", &hooks.timeout);
    }

    fn fences(&mut self, config: &Config) {
        for (member, fence) in &config.fences {
            let name = config.name(*member);
            let mut add = |key, value: &dyn Debug| self.add("fence", Some(name.as_str()), None, key, value);
            let (agent, options, command) = match &fence.agent {
                AgentConfig::Agent { path, options } => (Some(path), Some(options), None),
                AgentConfig::Command { command } => (None, None, Some(command)),
            };
            add("agent", &agent);
            add("options", &options);
            add("command", &command);
            add("action", &fence.action);
            add("timeout", &fence.timeout);
            add("attempts", &fence.attempts);
            add("delay", &fence.delay);
            add("monitor", &fence.monitor);
        }
        self.add("fencing", None, None, "always", &config.fencing_always);
    }

    fn guards(&mut self, config: &Config) {
        let arbiter = config.arbiter.as_ref();
        let (etcd, directory) = match arbiter.map(|arbiter| &arbiter.kind) {
            Some(ArbiterKind::Etcd(etcd)) => (Some(etcd), None),
            Some(ArbiterKind::File { directory }) => (None, Some(directory)),
            None => (None, None),
        };
        let mut add = |key, value: &dyn Debug| self.add("arbiter", None, None, key, value);
        add("kind", &arbiter.map(|arbiter| std::mem::discriminant(&arbiter.kind)));
        add("endpoints", &etcd.map(|etcd| &etcd.endpoints));
        add("user", &etcd.map(|etcd| &etcd.user));
        add("password_file", &etcd.map(|etcd| &etcd.password_file));
        add("ca_file", &etcd.map(|etcd| &etcd.ca_file));
        add("cert_file", &etcd.map(|etcd| &etcd.cert_file));
        add("key_file", &etcd.map(|etcd| &etcd.key_file));
        add("directory", &directory);
        add("lease", &arbiter.map(|arbiter| arbiter.lease));
        self.add("reachability", None, None, "targets", &config.reference_targets);
        self.add("watchdog", None, None, "device", &config.watchdog.device);
        self.add("watchdog", None, None, "timeout", &config.watchdog.timeout);
    }

    fn places(&mut self, config: &Config) {
        self.add("state", None, None, "directory", &config.state_pattern);
        self.add("control", None, None, "socket", &config.control.socket_pattern);
        self.add("control", None, None, "mode", &config.control.mode);
        self.add("control", None, None, "group", &config.control.group);
        self.add("metrics", None, None, "listen", &config.metrics_listen);
        let screen = &config.screen;
        let mut add = |key, value: &dyn Debug| self.add("screen", None, None, key, value);
        add("theme", &screen.theme);
        add("ascii", &screen.ascii);
        add("bell", &screen.bell);
        add("max_draws_per_second", &screen.max_draws_per_second);
        self.add("journal", None, None, "keep", &config.journal_keep);
    }
}

fn target(probe: &Probe) -> Option<&String> {
    match probe {
        Probe::Http { target } | Probe::Tcp { target } => Some(target),
        Probe::Command { .. } => None,
    }
}

fn probe_command(probe: &Probe) -> Option<&Vec<String>> {
    match probe {
        Probe::Command { command } => Some(command),
        Probe::Http { .. } | Probe::Tcp { .. } => None,
    }
}

/// The decision about a key. Tests hold the table to the schema, both ways; a key beyond both would be left for a restart.
fn decision(key: &str) -> Decision {
    DECISIONS
        .iter()
        .find(|(known, _)| *known == key)
        .map_or(Decision::Restart("nothing is known of applying it"), |(_, decision)| *decision)
}

impl Config {
    /// What differs in `new`, in the order of the paths. A section that is there only in one of them differs in every key.
    pub fn changes(&self, new: &Config) -> Vec<Change> {
        let (old_values, new_values) = (Values::of(self), Values::of(new));
        let paths: BTreeSet<&String> = old_values.keys().chain(new_values.keys()).collect();
        let changed = paths.into_iter().filter(|path| {
            old_values.get(*path).map(|(_, value)| value) != new_values.get(*path).map(|(_, value)| value)
        });
        let change = |path: &String| {
            let key = old_values.get(path).or(new_values.get(path)).map(|(key, _)| key.as_str()).unwrap_or_default();
            let decision = match path.strip_prefix("fence.").and_then(|rest| rest.split('.').next()) {
                Some(member) if self.counts_on_the_fence_of(member, new) => FENCE_IN_USE,
                Some(_) | None => decision(key),
            };
            Change { path: path.clone(), decision }
        };
        changed.map(change).collect()
    }

    /// Whether `new` takes away a fence that the protection which runs cannot do without.
    fn counts_on_the_fence_of(&self, member: &str, new: &Config) -> bool {
        let has = |config: &Config| config.fences.keys().any(|id| config.name(*id).as_str() == member);
        self.takeover.protection.contains(&Protection::Fence) && has(self) && !has(new)
    }

    /// This configuration with everything of `new` in it that a running controller takes on. Members keep their numbers:
    /// what `new` says of one is found by its name.
    pub fn with_what_can_change(&self, new: &Config) -> Config {
        let own = |theirs| self.ids().find(|id| self.name(*id) == new.name(theirs));
        let mut applied = self.clone();
        applied.negotiation.crash_detection = new.negotiation.crash_detection;
        applied.security.key_file = new.security.key_file.clone();
        applied.security.also_accept = new.security.also_accept.clone();
        applied.takeover = super::model::Takeover {
            protection: self.takeover.protection.clone(),
            observe_only: self.takeover.observe_only,
            preferred: new.takeover.preferred.and_then(own),
            ..new.takeover.clone()
        };
        applied.health = new.health.clone();
        applied.processes = new.processes.clone();
        applied.hooks = new.hooks.clone();
        applied.fences.retain(|id, _| self.counts_on_the_fence_of(self.name(*id).as_str(), new));
        let theirs = new.fences.iter().filter_map(|(theirs, fence)| Some((own(*theirs)?, fence.clone())));
        applied.fences.extend(theirs);
        applied.fencing_always = new.fencing_always;
        applied.metrics_listen = new.metrics_listen;
        applied.screen = new.screen.clone();
        applied.journal_keep = new.journal_keep;
        applied.places = new.places.clone();
        applied
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::schema::SECTIONS;
    use super::*;

    const LEAST: &str = "group = \"g\"\n\
        [[member]]\nname = \"alpha\"\naddresses = [\"10.0.0.1:7400\"]\n\
        [[member]]\nname = \"beta\"\naddresses = [\"10.0.0.2:7400\"]\n";

    fn config(more: &str) -> Config {
        Config::parse(&format!("{LEAST}{more}"), Path::new("/etc/tandem/tandem.toml"))
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Every section once.
    fn everything() -> Config {
        config(
            "[[health.check]]\nname = \"c\"\nkind = \"tcp\"\ntarget = \"127.0.0.1:1\"\n\
             [[process]]\nname = \"p\"\ncommand = [\"/bin/p\"]\n[fence.beta]\ncommand = [\"power\"]\n",
        )
    }

    fn decisions(old: &str, new: &str) -> Vec<(String, Decision)> {
        let changes = config(old).changes(&config(new));
        changes.into_iter().map(|change| (change.path, change.decision)).collect()
    }

    #[test]
    fn u10_every_key_of_the_schema_has_a_decision_and_a_value_that_is_compared() {
        let mut keys: BTreeSet<String> =
            SECTIONS.iter().flat_map(|section| section.known.iter().map(|key| section.path(key))).collect();
        keys.insert("group".to_owned());
        let decided: BTreeSet<String> = DECISIONS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(decided.len(), DECISIONS.len(), "a key has two decisions");
        assert_eq!(decided, keys);
        let compared: BTreeSet<String> = Values::of(&everything()).into_values().map(|(key, _)| key).collect();
        assert_eq!(compared, keys);
    }

    #[test]
    fn u10_the_same_file_changes_nothing_and_a_comment_neither() {
        assert_eq!(everything().changes(&everything()), []);
        assert_eq!(decisions("", "# nothing\n[negotiation]\nreply_timeout = \"3s\"\n"), []);
    }

    #[test]
    fn u10_changes_are_told_apart() {
        assert_eq!(decisions("", "[takeover]\nmargin = 0.1\n"), [("takeover.margin".to_owned(), AT_ONCE)]);
        let restart = decisions("", "[negotiation]\nreply_timeout = \"4s\"\n");
        assert_eq!(restart, [("negotiation.reply_timeout".to_owned(), TIMES)]);
        let process = |more: &str| format!("[[process]]\nname = \"p\"\ncommand = [\"/bin/p\"]\n{more}");
        let changed = decisions(&process(""), &process("environment = { A = \"1\" }\nstop_grace = \"6s\"\n"));
        let expected =
            [("process.p.environment".to_owned(), Decision::Process), ("process.p.stop_grace".to_owned(), NEXT_EVENT)];
        assert_eq!(changed, expected);
    }

    #[test]
    fn u10_another_order_of_the_same_processes_restarts_none() {
        let process = |name: &str| format!("[[process]]\nname = \"{name}\"\ncommand = [\"/bin/p\"]\n");
        let (a, b) = (process("a"), process("b"));
        assert_eq!(decisions(&format!("{a}{b}"), &format!("{b}{a}")), []);
    }

    #[test]
    fn s1_a_fence_that_the_running_protection_needs_stays_until_a_restart() {
        let fences = "[fence.alpha]\ncommand = [\"power\"]\n[fence.beta]\ncommand = [\"power\"]\n";
        let old = config(&format!("[takeover]\nprotection = [\"fence\"]\n{fences}"));
        let new = config("");
        let changes = old.changes(&new);
        assert!(changes.iter().all(|change| matches!(change.decision, Decision::Restart(_))), "{changes:#?}");
        let applied = old.with_what_can_change(&new);
        assert_eq!((applied.fences, applied.takeover.protection), (old.fences, vec![Protection::Fence]));
    }

    #[test]
    fn u10_what_was_applied_is_no_change_any_more_and_the_rest_still_is() {
        let (old, new) = (config("[takeover]\npreferred = \"beta\"\n"), everything());
        let applied = old.with_what_can_change(&new);
        assert_eq!(applied.changes(&new), []);
        let other = config("[negotiation]\nquery_interval = \"500ms\"\n[journal]\nkeep = \"1MiB\"\n");
        let applied = old.with_what_can_change(&other);
        let left: Vec<String> = applied.changes(&other).into_iter().map(|change| change.path).collect();
        assert_eq!(left, ["negotiation.query_interval"]);
        for change in old.changes(&other) {
            let stays = matches!(change.decision, Decision::Restart(_));
            assert_eq!(stays, left.contains(&change.path), "{change:?}");
        }
    }

    #[test]
    fn u10_members_keep_their_numbers_when_the_new_file_sorts_them_differently() {
        let old = config("");
        let swapped = "group = \"g\"\n[[member]]\nname = \"alpha\"\naddresses = [\"10.0.0.9:7400\"]\n\
            [[member]]\nname = \"beta\"\naddresses = [\"10.0.0.2:7400\"]\n[takeover]\npreferred = \"beta\"\n\
            [fence.beta]\ncommand = [\"power\"]\n";
        let new = Config::parse(swapped, Path::new("/etc/tandem/tandem.toml")).expect("a good file");
        let applied = old.with_what_can_change(&new);
        let beta = old.ids().find(|id| old.name(*id).as_str() == "beta");
        assert_eq!(applied.takeover.preferred, beta);
        assert_eq!(applied.fences.keys().copied().next(), beta);
        assert!(applied.changes(&new).iter().all(|change| change.decision == MEMBERS), "{:?}", applied.changes(&new));
    }
}

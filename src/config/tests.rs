//! The contract of the file as a whole: what is complete, what each fault says and where, and that the files in
//! `config/` are true.

mod arbiter;
mod guards;
mod required;

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::fencing::{AgentConfig, FenceAction, FenceConfig};
use super::required::{HeartbeatKind, Probe, ProcessConfig, RunWhen};
use super::*;
use crate::negotiation::member::MemberId;
use crate::negotiation::settings::{Protection, Settings};

const LEAST: &str = "group = \"g\"\n\
    [[member]]\nname = \"alpha\"\naddresses = [\"10.0.0.1:7400\"]\n\
    [[member]]\nname = \"beta\"\naddresses = [\"10.0.0.2:7400\"]\n";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("/etc/tandem/tandem.toml"))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The faults of a file that has `more` after the least there must be, as "line:column key: message (suggestion)".
fn faults(more: &str) -> Vec<String> {
    faults_of(&format!("{LEAST}{more}"))
}

fn faults_of(text: &str) -> Vec<String> {
    let errors = parse(text).expect_err("a faulty file");
    let one = |error: &ConfigError| {
        let place = error.place.expect("a fault in the text has a place");
        format!("{}:{} {} ({})", place.line, place.column, error.message, error.suggestion)
    };
    errors.errors().iter().map(one).collect()
}

/// Asserts that the only fault contains all of `parts`.
fn one_fault(more: &str, parts: &[&str]) {
    let found = faults(more);
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "{part:?} is not in {:?}", found[0]);
    }
}

fn example(name: &str) -> Config {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn n8_a_file_with_only_a_group_and_two_members_is_complete() {
    let config = good(LEAST);
    let settings = config.negotiation_settings(MemberId(1));
    let defaults = Settings::new(MemberId(1), vec!["alpha".into(), "beta".into()]);
    assert_eq!(settings, Settings { members_hash: config.members_hash(), ..defaults });
    assert_eq!(settings.check(), Ok(()));
    assert_eq!(config.state_directory(MemberId(0)), Path::new("/var/lib/tandem/alpha"));
    assert_eq!(config.control_socket(MemberId(1)), Path::new("/run/tandem/beta.sock"));
    assert_eq!(config.key_file(MemberId(1)), Path::new("/etc/tandem/group.key"));
    assert_eq!(config.journal_keep, 64 * 1024 * 1024);
}

#[test]
fn every_default_of_the_reference_file_is_the_program_s() {
    let (reference, least) = (example("reference.toml"), good(LEAST));
    assert_eq!(reference.negotiation, least.negotiation);
    assert_eq!(reference.security, least.security);
    assert_eq!(reference.takeover, least.takeover);
    assert_eq!(reference.health, least.health);
    assert_eq!(reference.processes, least.processes);
    assert_eq!(reference.hooks, least.hooks);
    assert_eq!(reference.fences, least.fences);
    assert_eq!(reference.fencing_always, least.fencing_always);
    assert_eq!(reference.reference_targets, least.reference_targets);
    assert_eq!(reference.watchdog, least.watchdog);
    assert_eq!(reference.metrics_listen, least.metrics_listen);
    assert_eq!(reference.state_pattern, least.state_pattern);
    assert_eq!(reference.control, least.control);
    assert_eq!(reference.screen, least.screen);
    assert_eq!(reference.journal_keep, least.journal_keep);
}

/// The reference file with what stands behind "# " written out: keys and sections, not sentences.
fn uncommented_reference() -> String {
    let text = include_str!("../../config/reference.toml");
    let written = |line: &str| {
        let shown = line.strip_prefix("# ").filter(|rest| {
            let key = rest.split(" = ").next().unwrap_or_default();
            let is_key = rest.contains(" = ") && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            is_key || rest.starts_with('[')
        });
        format!("{}\n", shown.unwrap_or(line))
    };
    text.lines().map(written).collect()
}

#[test]
fn the_reference_file_shows_every_key() {
    let config = good(&uncommented_reference());
    for section in schema::SECTIONS {
        for key in section.known {
            let shown = config.places.keys().any(|path| {
                let (outer, last) = path.rsplit_once('.').unwrap_or(("", path));
                // A process's parts have its name in between, as members, checks and fences have theirs at the end.
                let names = section.name.split('.').all(|name| outer.split('.').any(|part| part == name));
                last == *key && names
            });
            // For another kind of probe than the one shown.
            let elsewhere = *key == "command" && ["health.check", "process.heartbeat"].contains(&section.name);
            // For another kind of arbiter than the one shown.
            let elsewhere = elsewhere || section.path(key) == "arbiter.directory";
            assert!(shown || elsewhere, "{}", section.path(key));
        }
    }
}

#[test]
fn what_the_reference_file_shows_behind_a_number_sign_are_the_defaults() {
    let config = good(&uncommented_reference());
    let shown = &config.processes[0];
    let defaults = ProcessConfig::new(shown.name.clone(), shown.command.clone());
    assert_eq!((shown.run_when, shown.counts), (defaults.run_when, defaults.counts));
    assert_eq!((shown.restart, shown.start_timeout), (defaults.restart, defaults.start_timeout));
    assert_eq!(shown.stop_grace, defaults.stop_grace);
    let short = |more: &str| good(&format!("{LEAST}{more}"));
    let least = short("[[health.check]]\nname = \"historian\"\nkind = \"tcp\"\ntarget = \"127.0.0.1:5450\"\n");
    assert_eq!(config.health.checks, least.health.checks);
    let least = short("[[process]]\nname = \"p\"\ncommand = [\"p\"]\nheartbeat = { kind = \"line\" }\n");
    let period = |config: &Config| config.processes[0].heartbeat.as_ref().map(|heartbeat| heartbeat.period);
    assert_eq!(period(&config), period(&least));
    let least = short("[fence.alpha]\ncommand = [\"power\"]\n");
    let (shown, least) = (&config.fences[&MemberId(0)], &least.fences[&MemberId(0)]);
    assert_eq!(&FenceConfig { agent: least.agent.clone(), ..shown.clone() }, least);
    assert_eq!(config.arbiter.as_ref().map(|arbiter| arbiter.lease), Some(super::arbiter::LEASE));
}

#[test]
fn the_pair_in_config_loads() {
    let config = example("pair.toml");
    assert_eq!(config.members.len(), 2);
    assert_eq!(config.members[1].addresses.len(), 2);
    assert_eq!(config.negotiation_settings(MemberId(0)).check(), Ok(()));
}

#[test]
fn s1_the_three_in_config_load_under_majority() {
    let config = example("three.toml");
    assert_eq!(config.takeover.protection, vec![Protection::Majority]);
    assert_eq!(config.negotiation_settings(MemberId(2)).check(), Ok(()));
}

#[test]
fn n2_members_are_numbered_by_their_first_address_then_port() {
    let config = good(
        "group = \"g\"\n\
        [[member]]\nname = \"six\"\naddresses = [\"[::1]:1\"]\n\
        [[member]]\nname = \"ten\"\naddresses = [\"10.0.0.10:7400\"]\n\
        [[member]]\nname = \"nine\"\naddresses = [\"10.0.0.9:7401\", \"10.0.0.1:7400\"]\n\
        [[member]]\nname = \"eight\"\naddresses = [\"[::ffff:10.0.0.9]:7400\"]\n",
    );
    let names: Vec<_> = config.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["eight", "nine", "ten", "six"]);
}

#[test]
fn n19_the_members_hash_sees_names_and_addresses_but_not_the_order_of_the_file() {
    let swapped = "group = \"h\"\n\
        [[member]]\nname = \"beta\"\naddresses = [\"10.0.0.2:7400\"]\n\
        [[member]]\nname = \"alpha\"\naddresses = [\"10.0.0.1:7400\"]\n";
    let hash = |text: &str| good(text).members_hash();
    assert_eq!(hash(LEAST), hash(swapped));
    assert_ne!(hash(LEAST), hash(&LEAST.replace("beta", "gamma")));
    assert_ne!(hash(LEAST), hash(&LEAST.replace("10.0.0.2:7400", "10.0.0.2:7401")));
    // Fixed, because a group is upgraded one member at a time (N17) and PROTOCOL.md tells others how to compute it.
    assert_eq!(hash(LEAST), fnv1a(b"alpha\n10.0.0.1:7400\n\nbeta\n10.0.0.2:7400\n\n"));
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn n8_relative_paths_start_at_the_file_and_member_is_replaced() {
    let text = format!("{LEAST}[state]\ndirectory = \"state/{{member}}\"\n[security]\nkey_file = \"group.key\"\n");
    let config = Config::parse(&text, Path::new("/srv/t/tandem.toml")).expect("a good file");
    assert_eq!(config.state_directory(MemberId(0)), Path::new("/srv/t/state/alpha"));
    assert_eq!(config.key_file(MemberId(0)), Path::new("/srv/t/group.key"));
}

#[test]
fn s8_one_key_is_used_for_calls_and_several_are_accepted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let load = |more: &str| {
        let text = format!("{LEAST}[security]\n{more}");
        Config::parse(&text, &folder.path().join("tandem.toml")).expect("a good file").load_keys(MemberId(0))
    };
    let key = |name: &str| {
        let path = folder.path().join(name);
        keys::generate(&path).expect("made");
        keys::load_key(&path).expect("a key")
    };
    let (new, old) = (key("new.key"), key("old.key"));
    let both = load("key_file = \"new.key\"\nalso_accept = [\"old.key\"]\n").expect("both keys");
    assert_eq!(both, LinkKeys::Noise { call: new, accept: vec![old] });
    assert_eq!(load("mode = \"none\"\n").expect("no key is needed"), LinkKeys::Plain);
    assert!(matches!(load("key_file = \"gone.key\"\n"), Err(keys::KeyError::Missing { .. })));
}

#[test]
fn every_value_that_can_be_written_is_read() {
    let config = good(&format!(
        "{LEAST}[negotiation]\nquery_interval = \"10ms\"\nreply_timeout = \"50ms\"\nconnect_grace = \"0s\"\n\
        crash_detection = false\n[security]\nmode = \"none\"\nalso_accept = [\"a\", \"b\"]\n[takeover]\n\
        observe_only = true\n[control]\nmode = \"0600\"\ngroup = \"ops\"\n[screen]\ntheme = \"mono\"\nascii = true\n\
        bell = false\nmax_draws_per_second = 30\n[journal]\nkeep = \"1GiB\"\n"
    ));
    assert_eq!(config.negotiation.query_interval, Duration::from_millis(10));
    assert_eq!(config.negotiation.connect_grace, Duration::ZERO);
    assert!(!config.negotiation.crash_detection);
    assert_eq!(config.security.mode, SecurityMode::Plain);
    assert_eq!(config.also_accept(MemberId(0)).len(), 2);
    assert!(config.takeover.observe_only);
    assert_eq!((config.control.mode, config.control.group.as_str()), (0o600, "ops"));
    assert_eq!(config.screen, Screen { theme: Theme::Mono, ascii: true, bell: false, max_draws_per_second: 30 });
    assert_eq!(config.journal_keep, 1 << 30);
}

#[test]
fn an_unknown_key_names_itself_its_line_and_its_neighbour() {
    one_fault("[negotiation]\nreply_timout = \"3s\"\n", &["9:1", "`reply_timout` in [negotiation]", "`reply_timeout`"]);
    one_fault("[negociation]\n", &["8:2", "unknown section [negociation]", "[negotiation]"]);
    one_fault("naem = 1\n", &["8:1", "`naem` in [[member]]", "`name`"]);
    one_fault("[screen]\nreply_timeout = \"3s\"\n", &["9:1", "belongs in [negotiation]"]);
}

#[test]
fn what_a_later_version_brings_is_told_as_such() {
    one_fault("[[virtual_address]]\naddress = \"10.0.0.50/24\"\n", &["comes with a later version"]);
}

#[test]
fn all_faults_of_a_file_are_told_at_once_in_its_order() {
    let found =
        faults("[negotiation]\nquery_interval = 1\nreply_timeout = \"soon\"\n[screen]\nbel = true\nascii = \"no\"\n");
    let starts: Vec<&str> = found.iter().filter_map(|fault| fault.split(' ').next()).collect();
    assert_eq!(starts, ["9:18", "10:17", "12:1", "13:9"], "{found:#?}");
}

#[test]
fn a_broken_text_is_told_with_its_place() {
    let found = faults("[negotiation]\nreply_timeout = 3s\n");
    assert!(found[0].starts_with("9:") && found[0].contains("in quotes"), "{found:#?}");
    assert!(faults("[control]\n[control]\n")[0].starts_with("9:"));
    assert!(faults_of("group = \"g\"\ngroup = \"h\"\n")[0].starts_with("2:"));
    assert!(!faults_of("group = \"g").is_empty());
}

#[test]
fn s1_a_majority_of_two_is_refused() {
    one_fault("[takeover]\nprotection = [\"majority\"]\n", &["9:14", "three or more members"]);
}

#[test]
fn n4_a_timeout_that_no_answer_could_meet_is_refused() {
    one_fault("[negotiation]\nreply_timeout = \"1s\"\n", &["9:17", "not longer than query_interval"]);
    one_fault("[negotiation]\nquery_interval = \"3s\"\n", &["9:18", "not longer than query_interval"]);
    one_fault("[negotiation]\nquery_interval = \"0s\"\n", &["too short"]);
    one_fault("[negotiation]\nboot_timeout = \"9000h\"\n", &["too long"]);
}

#[test]
fn values_of_the_wrong_kind_say_what_to_write() {
    one_fault("[screen]\nbell = \"yes\"\n", &["true or false"]);
    one_fault("[screen]\nmax_draws_per_second = 0\n", &["from 1 to 60"]);
    one_fault("[screen]\ntheme = \"pink\"\n", &["\"default\", \"mono\""]);
    one_fault("[control]\nmode = 660\n", &["\"0660\""]);
    one_fault("[control]\nmode = \"0060\"\n", &["could not use its socket"]);
    one_fault("[journal]\nkeep = \"64MB\"\n", &["KiB, MiB or GiB"]);
    one_fault("[journal]\nkeep = \"1KiB\"\n", &["too small"]);
    one_fault("[state]\ndirectory = \"\"\n", &["no path"]);
    one_fault("[takeover]\nprotection = [\"majorty\"]\n", &["\"majority\""]);
    one_fault("[security]\nalso_accept = \"x\"\n", &["a list"]);
}

#[test]
fn a_group_without_a_name_or_members_is_told_what_to_write() {
    let found = faults_of("");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("group = ") && found[1].contains("[[member]]"), "{found:#?}");
    assert!(faults_of("group = \"g\"\n[member]\nname = \"a\"\n")[0].contains("two brackets"));
    assert!(faults_of(&LEAST.replace("\"g\"", &format!("\"{}\"", "x".repeat(65))))[0].contains("64 bytes"));
    let one = "group = \"g\"\n[[member]]\nname = \"a\"\naddresses = [\"10.0.0.1:1\"]\n";
    assert!(faults_of(one)[0].contains("only one member"));
}

#[test]
fn n2_addresses_and_names_must_be_usable_and_unique() {
    let with = |address: &str| faults_of(&LEAST.replace("10.0.0.2:7400", address));
    for (address, part) in [
        ("10.0.0.1:7400", "also an address of alpha"),
        ("[::ffff:10.0.0.1]:7400", "also an address of alpha"),
        ("10.0.0.2", "add the port: \"10.0.0.2:7400\""),
        ("fd00::1", "add the port: \"[fd00::1]:7400\""),
        ("fd00::1:7400", "put an IPv6 address in brackets: \"[fd00::1]:7400\""),
        ("fd00::1%eth0:7400", "in brackets"),
        ("beta.example:7400", "write the number"),
        ("10.0.0.2:0", "port 0"),
        ("0.0.0.0:7400", "every address"),
        ("[::]:7400", "every address"),
        ("[fe80::1]:7400", "link-local"),
        ("[fe80::1%2]:7400", "link-local"),
        ("224.0.0.1:7400", "not one machine's"),
        ("10.0.0.2:99999", "not an address with a port"),
    ] {
        let found = with(address);
        assert!(found.len() == 1 && found[0].starts_with("7:14 ") && found[0].contains(part), "{address}: {found:#?}");
    }
    for name in ["alpha", "", "b ta", "b/ta", "βeta"] {
        let found = faults_of(&LEAST.replace("\"beta\"", &format!("{name:?}")));
        assert!(found.len() == 1 && found[0].starts_with("6:8 "), "{name}: {found:#?}");
    }
}

#[test]
fn a_group_of_seventeen_is_refused_and_of_sixteen_is_not() {
    let member = |n: usize| format!("[[member]]\nname = \"m{n}\"\naddresses = [\"10.0.0.{n}:7400\"]\n");
    let group = |count: usize| format!("group = \"g\"\n{}", (1..=count).map(member).collect::<String>());
    assert_eq!(good(&group(16)).members.len(), 16);
    assert!(faults_of(&group(17))[0].contains("2 to 16 members"));
}

#[test]
fn a_file_that_is_not_there_says_what_to_do() {
    let errors = Config::load(Path::new("/nonexistent/tandem.toml")).expect_err("there is none").to_string();
    assert!(errors.contains("/nonexistent/tandem.toml") && errors.contains("--config"), "{errors}");
}

#[test]
fn without_a_word_the_file_is_the_default_one() {
    assert_eq!(locate(None), Path::new(DEFAULT_PATH));
    assert_eq!(locate(Some(Path::new("x"))), Path::new("x"));
}

/// A line of a file: real ones, broken ones, and anything at all.
fn any_line() -> impl Strategy<Value = String> {
    let real: Vec<String> = include_str!("../../config/reference.toml").lines().map(str::to_owned).collect();
    let time = (0_u32..5000, prop::sample::select(vec!["ms", "s", "m", "h", ""]));
    let times = prop::sample::select(schema::NEGOTIATION.known.to_vec());
    prop_oneof![
        6 => prop::sample::select(real),
        3 => (times, time).prop_map(|(key, (count, unit))| format!("negotiation.{key} = \"{count}{unit}\"")),
        1 => ".*",
        1 => "[a-z\\[\\]{}=\"'.,0-9 #-]{0,40}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_either_usable_or_faulted_at_places_that_exist(lines in prop::collection::vec(any_line(), 0..30)) {
        let text = lines.join("\n");
        for text in [text.clone(), format!("{LEAST}{text}")] {
            match parse(&text) {
                Ok(config) => {
                    for me in config.ids() {
                        prop_assert_eq!(config.negotiation_settings(me).check(), Ok(()));
                    }
                    drop(advice::of_file(&config));
                }
                Err(errors) => {
                    prop_assert!(!errors.errors().is_empty());
                    for place in errors.errors().iter().filter_map(|error| error.place) {
                        // The end of the text may be at fault, one line beyond its last.
                        prop_assert!(place.line <= text.lines().count() + 1, "{place:?}");
                    }
                    let escapes = errors.to_string().contains('\u{1b}');
                    prop_assert!(!escapes, "a control character reached the terminal");
                }
            }
        }
    }
}

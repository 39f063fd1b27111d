//! `tandem rehearse` as users run it (U6), and the table of README.md that it makes: the outcome of every fault under every
//! protection. After a change of the rules, or of the catalogue:
//!
//! ```text
//! TANDEM_TABLES=make cargo test --test rehearse
//! ```

#[path = "support/pty.rs"]
mod pty;
mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{output, stderr, stdout, temporary_folder, write};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Where the table stands.
const BEGINS: &str = "<!-- made by: TANDEM_TABLES=make cargo test --test rehearse -->\n";
const ENDS: &str = "<!-- end of the table -->\n";

/// What the table compares: a column's head, how many members, and what the file says beside them.
const COLUMNS: [(&str, usize, &str); 6] = [
    ("none", 2, ""),
    (
        "`reachability`",
        2,
        "[takeover]\nprotection = [\"reachability\"]\n[reachability]\ntargets = [\"tcp://10.0.0.254:22\"]\n",
    ),
    ("`fence`", 2, "[takeover]\nprotection = [\"fence\"]\n"),
    ("`majority` (3)", 3, "[takeover]\nprotection = [\"majority\"]\n"),
    (
        "`arbiter`",
        2,
        "[takeover]\nprotection = [\"arbiter\"]\n[arbiter]\nkind = \"file\"\ndirectory = \"/mnt/shared/tandem\"\n",
    ),
    (
        "`fence` + `arbiter`",
        2,
        "[takeover]\nprotection = [\"fence\", \"arbiter\"]\n[arbiter]\nkind = \"file\"\ndirectory = \"/mnt/shared/tandem\"\n",
    ),
];

/// A group with a process that runs only on the Primary, which stops within a second.
fn group(folder: &Path, name: &str, members: usize, more: &str) -> PathBuf {
    let mut text = String::from("group = \"rehearsed\"\n");
    for (number, member) in ["alpha", "beta", "gamma"].into_iter().take(members).enumerate() {
        let address = format!("10.0.0.{}:7400", number + 1);
        write!(text, "[[member]]\nname = \"{member}\"\naddresses = [\"{address}\"]\n").expect("a string grows");
        if more.contains("\"fence\"") {
            write!(text, "[fence.{member}]\ncommand = [\"/usr/local/bin/power\", \"{member}\", \"{{action}}\"]\n")
                .expect("a string grows");
        }
    }
    text.push_str(
        "[[process]]\nname = \"plant-control\"\ncommand = [\"/usr/bin/plant-control\"]\nrun_when = \"primary\"\n\
         heartbeat = { kind = \"line\", period = \"1s\" }\nstop_grace = \"1s\"\n",
    );
    text.push_str(more);
    write(folder, &format!("{name}.toml"), &text)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are plain")
}

fn document(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = output(arguments);
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", stderr(&output)));
    (output.status.code(), document)
}

#[test]
fn u6_an_unprotected_pair_ends_with_1_and_tells_the_rule_and_what_would_prevent_it() {
    let folder = temporary_folder();
    let file = group(folder.path(), "pair", 2, "");
    let output =
        output(&["rehearse", "--scenario", "link-cut", "--scenario", "primary-crashes", "--config", text(&file)]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{said}{}", stderr(&output));
    let wanted = [
        "UNPROTECTED",
        "UNSAFE until the link is mended",
        "Nothing protects this group",
        "(N4",
        "takeover.protection = [\"fence\"]",
        "takeover.protection = [\"arbiter\"]",
        "alpha and beta act at once",
        "primary-crashes: the Primary's controller crashes",
    ];
    for part in wanted {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    for line in said.lines().filter(|line| !line.contains(text(&file))) {
        assert!(line.chars().count() <= 80, "too long: {line}");
    }
}

#[test]
fn u6_protected_groups_end_with_0_when_the_link_lies() {
    let folder = temporary_folder();
    for (number, (head, members, more)) in COLUMNS.iter().enumerate().skip(2) {
        let file = group(folder.path(), &number.to_string(), *members, more);
        let output =
            output(&["rehearse", "--scenario", "link-cut", "--scenario", "primary-frozen", "--config", text(&file)]);
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{head}: {said}{}", stderr(&output));
        assert!(said.contains("Safe: in none of 2 scenarios could two act at once."), "{head}: {said}");
    }
}

#[test]
fn u6_an_unknown_scenario_is_wrong_usage_and_the_list_names_them_all() {
    let folder = temporary_folder();
    let file = group(folder.path(), "pair", 2, "");
    let wrong = output(&["rehearse", "--scenario", "link-cutt", "--config", text(&file)]);
    assert_eq!((wrong.status.code(), stdout(&wrong).as_str()), (Some(2), ""));
    assert!(stderr(&wrong).contains("did you mean link-cut?"), "{}", stderr(&wrong));
    // The list needs no configuration.
    let list = output(&["rehearse", "--scenario", "list"]);
    assert_eq!(list.status.code(), Some(0), "{}", stderr(&list));
    for name in ["boot-network-late", "link-cut", "primary-frozen", "arbiter-and-link"] {
        assert!(stdout(&list).lines().any(|line| line.starts_with(name)), "{name}");
    }
    let (code, named) = document(&["rehearse", "--scenario", "list", "--json"]);
    assert_eq!(code, Some(0));
    assert!(list_of(&named).iter().any(|one| word(&one["name"]) == "link-cut" && !word(&one["title"]).is_empty()));
    let missing = output(&["rehearse", "--config", "/nonexistent/tandem.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("/nonexistent/tandem.toml"), "{}", stderr(&missing));
}

#[test]
fn s11_an_observe_only_group_is_told_that_nobody_acts_and_why() {
    let folder = temporary_folder();
    let file = group(folder.path(), "observe", 2, "[takeover]\nobserve_only = true\n");
    let output = output(&["rehearse", "--scenario", "primary-power", "--config", text(&file)]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("observe-only") && said.contains("takeover.observe_only = false"), "{said}");
}

#[test]
fn u6_the_document_is_what_its_schema_says() {
    let schema =
        std::fs::read_to_string(Path::new(REPOSITORY).join("assets/rehearse.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("it is a schema");
    let folder = temporary_folder();
    let file = group(folder.path(), "pair", 2, "");
    let scenarios = ["link-cut", "boot-network-late", "full-disk", "minority", "memory-leak"];
    let mut arguments = vec!["rehearse", "--json", "--config", text(&file)];
    arguments.extend(scenarios.iter().flat_map(|name| ["--scenario", name]));
    let (code, document) = document(&arguments);
    assert_eq!((code, &document["unsafe"]), (Some(1), &Value::Bool(true)));
    let wrong: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let verdicts: Vec<&str> = list_of(&document["scenarios"]).iter().map(|one| word(&one["verdict"])).collect();
    // In the catalogue's order.
    assert_eq!(verdicts, ["unsafe", "unsafe", "left_out", "idle", "safe"]);
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn word(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// A cell: what comes of a scenario. Times are rounded up to half seconds, so that the table does not follow every
/// millisecond.
fn cell(scenario: &Value) -> String {
    let seconds = |ms: &Value| {
        let halves = ms.as_u64().expect("milliseconds").div_ceil(500);
        format!("{}{} s", halves / 2, if halves % 2 == 1 { ".5" } else { ".0" })
    };
    match word(&scenario["verdict"]) {
        "safe" if scenario["outage_ms"].as_u64() < Some(250) => "one acts".to_owned(),
        "safe" => format!("{} nobody", seconds(&scenario["outage_ms"])),
        "idle" => "nobody acts".to_owned(),
        "unsafe" if scenario["two"]["until"].is_null() => {
            format!("**both act**, {}", seconds(&scenario["two"]["total_ms"]))
        }
        "unsafe" => "**both act**".to_owned(),
        "beyond" if scenario["two"]["until"].is_null() => {
            format!("*both act*, {}", seconds(&scenario["two"]["total_ms"]))
        }
        "beyond" => "*both act*".to_owned(),
        "left_out" => "–".to_owned(),
        other => panic!("{other} is not in the schema"),
    }
}

/// The whole table: a row each scenario, a column each protection.
fn table() -> String {
    let folder = temporary_folder();
    let columns: Vec<Value> = std::thread::scope(|scope| {
        let rehearse = |(number, (_, members, more)): (usize, &(&str, usize, &str))| {
            let file = group(folder.path(), &number.to_string(), *members, more);
            scope.spawn(move || document(&["rehearse", "--json", "--config", text(&file)]).1)
        };
        let running: Vec<_> = COLUMNS.iter().enumerate().map(rehearse).collect();
        running.into_iter().map(|one| one.join().expect("a document")).collect()
    });
    let heads: Vec<&str> = COLUMNS.iter().map(|(head, _, _)| *head).collect();
    let mut table = format!("| fault | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for (row, scenario) in list_of(&columns[0]["scenarios"]).iter().enumerate() {
        let cells: Vec<String> = columns.iter().map(|column| cell(&column["scenarios"][row])).collect();
        let (name, title) = (word(&scenario["name"]), word(&scenario["title"]));
        writeln!(table, "| `{name}`: {title} | {} |", cells.join(" | ")).expect("a string grows");
    }
    table
}

#[test]
fn s1_u6_the_readmes_table_is_what_rehearse_says() {
    let path = Path::new(REPOSITORY).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the README");
    let (before, rest) = readme.split_once(BEGINS).expect("where the table begins");
    let (kept, after) = rest.split_once(ENDS).expect("where the table ends");
    let made = table();
    if std::env::var_os("TANDEM_TABLES").is_some() {
        std::fs::write(&path, format!("{before}{BEGINS}\n{made}\n{ENDS}{after}")).expect("the README can be written");
        return;
    }
    assert_eq!(made.trim(), kept.trim(), "if that is wanted: TANDEM_TABLES=make cargo test --test rehearse");
}

/// Times so far apart that a rehearsal takes minutes: what it says meanwhile, and what Ctrl-C leaves of it.
#[test]
fn u6_a_rehearsal_that_takes_long_says_how_far_it_is_and_ends_early_when_asked() {
    let folder = temporary_folder();
    let times = "[negotiation]\nquery_interval = \"5ms\"\nreply_timeout = \"50ms\"\nboot_timeout = \"30m\"\n\
                 connect_grace = \"30m\"\n";
    let file = group(folder.path(), "slow", 2, times);
    for json in [&[][..], &["--json"]] {
        let arguments = [&["rehearse", "--config", text(&file)][..], json].concat();
        let mut terminal = pty::Terminal::start(support::binary(), &arguments, (120, 24), folder.path());
        terminal.shows("scenarios rehearsed, ");
        terminal.press("\x03");
        let ended = match json {
            [] => "nothing is known of the others",
            _ => "\"complete\": false",
        };
        assert_eq!(terminal.exit(), 1, "{}", terminal.text());
        // What is done by then may be longer than the screen.
        let came = || terminal.recording().into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<u8>>();
        support::wait_until(pty::PATIENCE, ended, || String::from_utf8_lossy(&came()).contains(ended));
    }
}

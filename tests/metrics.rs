//! The metrics: every number of the status, in a form that Prometheus' own tool accepts; the alert rules and the
//! dashboard that come with them; and a server that no client can hold up.

#[path = "support/group.rs"]
mod group;
mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use group::{Group, PATIENCE};
use serde_json::{Map, Value};
use support::reference::Reference;
use support::{Part, addresses, require, wait_until};
use tandem::control::status::Status;
use tandem::metrics::{Format, text};

const ALERTS: &str = include_str!("../assets/tandem-alerts.yml");
const DASHBOARD: &str = include_str!("../assets/tandem-dashboard.json");

/// A status made from its schema: every name occurs, every list has one entry, every number is another one.
struct Maker {
    schema: Value,
    next: u64,
    /// What was given to each number: its path, and how it is expected to be written.
    numbers: Vec<(String, String)>,
}

impl Maker {
    fn make(&mut self, schema: &Value, path: &str) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("within the schema").to_owned();
            let target = self.schema.pointer(&pointer).expect("what is referred to exists").clone();
            return self.make(&target, path);
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[choice].as_array() {
                let one = choices.iter().find(|one| one["type"] != "null").expect("something besides null");
                return self.make(&one.clone(), path);
            }
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(words) = schema["enum"].as_array() {
            return words[0].clone();
        }
        let kind = match &schema["type"] {
            Value::String(kind) => kind.clone(),
            Value::Array(kinds) => {
                let one = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
                one.expect("something besides null").to_owned()
            }
            other => panic!("{path}: a type {other}"),
        };
        match kind.as_str() {
            "object" => {
                let empty = Map::new();
                let properties = schema["properties"].as_object().unwrap_or(&empty).clone();
                let made =
                    properties.iter().map(|(name, inner)| (name.clone(), self.make(inner, &format!("{path}.{name}"))));
                Value::Object(made.collect())
            }
            "array" => Value::Array(vec![self.make(&schema["items"].clone(), &format!("{path}[]"))]),
            "boolean" => Value::Bool(true),
            "string" => Value::String(format!("text of {path}")),
            "integer" | "number" => self.number(schema, path, kind == "integer"),
            other => panic!("{path}: a type {other}"),
        }
    }

    fn number(&mut self, schema: &Value, path: &str, whole: bool) -> Value {
        // A level has few values, and stands at two places; it is looked for by name.
        let most = schema["maximum"].as_f64().unwrap_or(1e9);
        if whole && most < 100.0 {
            return Value::from(most as u64);
        }
        self.next += 1;
        let value = match whole {
            true => self.next as f64 * 7.0 + 100_000.0,
            false => self.next as f64 / 1024.0,
        };
        let divisor = match path.rsplit('_').next() {
            Some("ms") => 1e3,
            Some("us") => 1e6,
            Some("pct") => 100.0,
            _ => 1.0,
        };
        self.numbers.push((path.to_owned(), (value / divisor).to_string()));
        match whole {
            true => Value::from(value as u64),
            false => Value::from(value),
        }
    }
}

/// A status with everything set, and each of its numbers as it should be written.
fn full() -> (Status, Vec<(String, String)>) {
    let schema: Value = serde_json::from_str(include_str!("../assets/status.schema.json")).expect("the schema is JSON");
    let mut maker = Maker { schema: schema.clone(), next: 0, numbers: Vec::new() };
    let made = maker.make(&schema, "");
    let status =
        serde_json::from_value(made).unwrap_or_else(|error| panic!("the schema and the types differ: {error}"));
    (status, maker.numbers)
}

/// The families of a page, by the names that are declared in it.
fn families(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// Every word of `text` that could be a metric of ours.
fn mentioned(text: &str) -> BTreeSet<&str> {
    let of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter: char| !of_a_name(letter)).filter(|word| word.starts_with("tandem_")).collect()
}

fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // The page is far smaller than what a pipe and the tool take.
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), support::stdout(&output) + &support::stderr(&output))
}

#[test]
fn u7_every_number_of_the_status_is_a_metric() {
    let (status, numbers) = full();
    assert!(numbers.len() > 60, "the schema lost its numbers: {}", numbers.len());
    for format in [Format::Text, Format::OpenMetrics] {
        let page = text(&status, format);
        let written: BTreeSet<&str> = page.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        let missing: Vec<&(String, String)> =
            numbers.iter().filter(|(_, number)| !written.contains(number.as_str())).collect();
        assert!(missing.is_empty(), "not in the metrics: {missing:#?}");
    }
}

#[test]
fn u7_names_follow_the_conventions() {
    let (status, _) = full();
    for name in families(&text(&status, Format::Text)) {
        assert!(name.starts_with("tandem_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{name}");
        for unit in ["ms", "us", "seconds_total_total", "pct", "percent", "kb", "mb"] {
            assert!(!name.split('_').any(|part| part == unit), "{name} has a unit that is no base unit");
        }
    }
}

#[test]
fn u7_promtool_finds_nothing_wrong_with_a_full_page() {
    if !require(Part::Promtool) {
        return;
    }
    let (status, _) = full();
    let (good, said) = promtool(&["check", "metrics"], &text(&status, Format::Text));
    assert!(good && said.is_empty(), "{said}");
}

#[test]
fn u7_promtool_accepts_the_alert_rules() {
    if !require(Part::Promtool) {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/tandem-alerts.yml");
    let (good, said) = promtool(&["check", "rules", &path.display().to_string()], "");
    assert!(good && said.contains("SUCCESS"), "{said}");
}

#[test]
fn u7_every_metric_of_the_alerts_and_the_dashboard_exists() {
    let (status, _) = full();
    let page = text(&status, Format::Text);
    let known = families(&page);
    for (file, content) in [("alerts", ALERTS), ("dashboard", DASHBOARD)] {
        let mentioned = mentioned(content);
        assert!(mentioned.len() > 10, "{file}: {mentioned:?}");
        let unknown: Vec<_> = mentioned.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn u7_the_labels_that_the_alerts_ask_for_exist() {
    let (status, _) = full();
    let page = text(&status, Format::Text);
    for (file, content) in [("alerts", ALERTS), ("dashboard", &DASHBOARD.replace("\\\"", "\""))] {
        for (at, _) in content.match_indices("tandem_") {
            let rest = &content[at..];
            let name =
                rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().expect("a name");
            let Some(labels) = rest[name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next()) else {
                continue;
            };
            for pair in labels.split(',').filter(|pair| !pair.starts_with("instance")) {
                assert!(page.contains(name) && page.contains(pair), "{file}: {name} has no {pair}");
            }
        }
    }
}

#[test]
fn u7_the_dashboard_is_one_that_grafana_can_import() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels {
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64() < Some(24) && place["w"].as_u64() <= Some(24), "{panel}");
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{panel}");
    }
}

/// One request, and everything that comes back.
fn ask(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn get(address: SocketAddr, path: &str, accept: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n")).expect("an answer")
}

/// A pair whose first member serves metrics.
fn pair() -> (Group, SocketAddr) {
    let mut group = Group::new(2, "");
    let address = addresses(1)[0];
    group.change_config(0, |text| format!("{text}[metrics]\nlisten = \"{address}\"\n"));
    group.start_all();
    wait_until(PATIENCE, "metrics are served", || TcpStream::connect(address).is_ok());
    (group, address)
}

#[test]
fn u7_a_running_controller_serves_its_status_as_metrics() {
    let (_group, address) = pair();
    wait_until(PATIENCE, "alpha is Primary", || {
        get(address, "/metrics", "*/*").contains("\ntandem_mode{mode=\"primary\"} 1\n")
    });
    let answer = get(address, "/metrics", "*/*");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(page.contains("tandem_info{node=\"alpha\",group=\"test\""), "{page}");
    if require(Part::Promtool) {
        let (good, said) = promtool(&["check", "metrics"], page);
        assert!(good && said.is_empty(), "{said}");
    }
    let open = get(address, "/metrics", "application/openmetrics-text; version=1.0.0");
    assert!(open.contains("application/openmetrics-text; version=1.0.0") && open.ends_with("# EOF\n"), "{open}");
    assert!(get(address, "/", "*/*").starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("an answer").starts_with("HTTP/1.1 405"));
    let garbage = ask(address, "\u{1}\u{2}garbage\r\n\r\n").unwrap_or_default();
    assert!(garbage.is_empty() || garbage.starts_with("HTTP/1.1 400"), "{garbage}");
}

#[test]
fn u7_clients_that_say_nothing_delay_neither_the_controller_nor_for_long_the_others() {
    let reference = Reference::start();
    let (mut group, address) = pair();
    let silent: Vec<TcpStream> = (0..32).map(|_| TcpStream::connect(address).expect("it is taken")).collect();
    // The controller's own socket answers at once, and the loop was not late, or no later than the machine.
    let status = group.status(0);
    reference.within(Duration::from_micros(status.loop_gaps.worst_us), Duration::from_secs(1), "the loop's worst gap");
    drop(silent);
    assert!(get(address, "/metrics", "*/*").contains("tandem_info"));
    assert!(group.stop(0).success());
}

#[test]
fn u7_an_address_that_cannot_be_had_is_a_clear_error_at_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it is bound");
    let mut group = Group::new(2, &format!("[metrics]\nlisten = \"{address}\"\n"));
    group.start(0);
    let status = group.running(0).wait(PATIENCE);
    let said = std::fs::read_to_string(group.log(0)).expect("its words");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&address.to_string()) && said.contains("metrics.listen"), "{said}");
}

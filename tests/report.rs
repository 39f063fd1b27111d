//! The support bundle: what is in it, and above all what is not (U7).

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use group::{Group, PATIENCE};
use support::{tandem, wait_until, write};

/// Every file of a bundle, by its name in it.
fn unpack(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = std::fs::File::open(bundle).expect("the bundle");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("read");
        files.insert(name, bytes);
    }
    files
}

const MORE: &str = r#"
[negotiation]
query_interval = "100ms"
reply_timeout = "3s"
boot_timeout = "1s"
connect_grace = "1s"
"#;

/// What runs, and tells what it should not: its output, and why it ended, may come into the bundle.
const LEAKS: &str = r#"
[[process]]
name = "leaks"
command = ["/bin/sh", "-c", "echo token=$API_TOKEN; echo $GATEWAY >&2; exit 3", "--password", "argument-of-it"]
environment = { API_TOKEN = "in-the-environment", PGPASS = "of-the-database", GATEWAY = "https://gate:keeper-55@h/?x=1" }
"#;

/// Secrets as people write them: an option, a number, a file, a command line, a URL, a variable, text over many lines.
const WITH_SECRETS: &str = r#"
[fence.alpha]
agent = "/usr/sbin/fence_x"
timeout = "20s"
options = { ip = "10.0.9.2", password = "quoted \"horse\"", snmp_priv_passwd = 47114711, passwd_file = "ipmi.pass" }
[fence.beta]
command = ["/bin/power", "--token", "tok-battery", "--secret=s3cr3t-staple", "{action}"]
[[process]]
name = "plant"
command = ["/bin/plant", "http://user:hunter2222@10.0.0.9/", "h?api_key=in-a-query&x=1", "sh -c 'x --pwd inner-word'"]
environment = { SITE = "seven", TLS_SECRET = """
first-of-many
second-of-many""" }
[[check]]
name = "page"
http = "http://check:check-word@10.0.0.9/health"
[arbiter]
kind = "etcd"
[arbiter.etcd]
endpoints = ["https://root:etcd-in-url@10.0.8.1:2379"]
user = "root"
password = "etcd-password"
password_file = "etcd-{member}.pass"
key_file = "etcd.pem"
[hooks]
on_alarm = ["/bin/mail", "--auth-token=hook-word"]
"#;

const SECRETS: [&str; 21] = [
    "in-the-environment",
    "of-the-database",
    "keeper-55",
    "argument-of-it",
    "horse",
    "47114711",
    "out-of-a-file",
    "tok-battery",
    "s3cr3t-staple",
    "hunter2222",
    "in-a-query",
    "inner-word",
    "first-of-many",
    "second-of-many",
    "check-word",
    "etcd-in-url",
    "etcd-password",
    "etcd-of-beta",
    "c2VjcmV0IGtleQ",
    "hook-word",
    "0ld0ld0ld0ld",
];

/// The files that the secrets are in.
fn write_secrets(folder: &Path) {
    write(folder, "ipmi.pass", "out-of-a-file\n");
    write(folder, "etcd-beta.pass", "# etcd's\netcd-of-beta\n");
    write(folder, "etcd.pem", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IGtleQ\n-----END PRIVATE KEY-----\n");
    write(folder, "old.key", "0ld0ld0ld0ld\n");
}

/// Fails when a secret is in a file of the bundle, or in what the recordings in it unpack to.
fn holds_none(files: &BTreeMap<String, Vec<u8>>, secrets: &[&str]) {
    for (name, bytes) in files {
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{name} holds {secret}: {}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn u7_no_file_of_a_report_holds_a_secret_of_the_configuration() {
    let mut pair = Group::new(2, &format!("{MORE}{LEAKS}"));
    pair.start_all();
    pair.settle();
    wait_until(PATIENCE, "the process that tells secrets has ended", || {
        pair.journal(0).iter().any(|record| record.entry.kind() == "process_died")
    });
    // A second configuration beside it, as somebody has it who asks for help before restarting.
    write_secrets(pair.folder());
    let text = std::fs::read_to_string(&pair.config).expect("the configuration") + WITH_SECRETS;
    let text = text.replace("key_file = \"group.key\"", "key_file = \"group.key\"\nalso_accept = [\"old.key\"]");
    let config = write(pair.folder(), "secrets.toml", &text);
    let bundle = pair.folder().join("bundle.tar.gz");
    let make = |bundle: &Path| {
        let (config, bundle) = (config.display().to_string(), bundle.display().to_string());
        let socket = pair.socket(0).display().to_string();
        tandem(&["report", "-o", &bundle, "--config", &config, "--socket", &socket]).output().expect("it starts")
    };
    let output = make(&bundle);
    assert!(output.status.success(), "{}", support::stderr(&output));
    let files = unpack(&bundle);
    let key = std::fs::read_to_string(pair.folder().join("group.key")).expect("the key");
    let key = key.lines().find(|line| !line.starts_with('#')).expect("a key").trim().to_owned();
    holds_none(&files, &SECRETS);
    holds_none(&files, &[&key]);
    let text = |name: &str| String::from_utf8_lossy(&files[&format!("tandem-report/{name}")]).into_owned();
    let config = text("configuration.toml");
    assert!(config.contains("[removed]") && config.contains("10.0.9.2") && config.contains("seven"), "{config}");
    assert!(text("status.json").contains("\"judgement\""));
    assert!(text("events.txt").contains("started as alpha of test"));
    assert!(text("system.txt").contains("Linux version"));
    assert!(text("addresses.txt").contains("127."));
    assert!(text("README.txt").contains("Secrets were removed"));
    assert!(text("versions.txt").contains(env!("CARGO_PKG_VERSION")));
    let recording = files.keys().find(|name| name.ends_with(".tandem-inputs"));
    assert!(recording.is_some(), "{:?}", files.keys());

    // It is never overwritten, and nobody else may read it.
    let again = make(&bundle);
    assert_eq!(again.status.code(), Some(1));
    assert!(support::stderr(&again).contains("-o FILE"), "{}", support::stderr(&again));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&bundle).expect("it is there").permissions().mode() & 0o777, 0o600);

    // What is in it can be stepped through.
    let replayed = tandem(&["replay", &bundle.display().to_string()]).output().expect("it starts");
    let lines = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(replayed.status.success() && lines.contains("alpha of test starts"), "{lines}");
    for secret in SECRETS {
        assert!(!lines.contains(secret), "{secret}");
    }
}

#[test]
fn u7_a_report_is_made_where_no_controller_runs_and_says_so() {
    let pair = Group::new(2, MORE);
    let bundle = pair.folder().join("bundle.tar.gz");
    let (config, path) = (pair.config.display().to_string(), bundle.display().to_string());
    let output = tandem(&["report", "-o", &path, "--config", &config, "--as", "beta"]).output().expect("it starts");
    assert!(output.status.success(), "{}", support::stderr(&output));
    let files = unpack(&bundle);
    let readme = String::from_utf8_lossy(&files["tandem-report/README.txt"]).into_owned();
    assert!(readme.contains("no controller answers") && readme.contains("there is no journal"), "{readme}");
    assert!(files.contains_key("tandem-report/configuration.toml") && files.contains_key("tandem-report/status.txt"));

    // One with a fault on a secret's line: the fault is quoted, the secret is not.
    let text = std::fs::read_to_string(&pair.config).expect("the configuration") + WITH_SECRETS;
    let faulty = write(pair.folder(), "faulty.toml", &text.replace("timeout = \"20s\"", "timeout = 20"));
    write_secrets(pair.folder());
    for faulty in [faulty, write(pair.folder(), "torn.toml", &text[..text.len() - 20])] {
        let bundle = faulty.with_extension("tar.gz");
        let (config, path) = (faulty.display().to_string(), bundle.display().to_string());
        let output = tandem(&["report", "-o", &path, "--config", &config]).output().expect("it starts");
        assert!(output.status.success(), "{}", support::stderr(&output));
        holds_none(&unpack(&bundle), &SECRETS);
        let check = tandem(&["check", "--config", &config]).output().expect("it starts");
        let said = support::stdout(&check) + &support::stderr(&check);
        assert!(!check.status.success() && SECRETS.iter().all(|secret| !said.contains(secret)), "{said}");
    }

    // A configuration that is no TOML is not put into it: it cannot be searched for secrets.
    let broken = write(pair.folder(), "broken.toml", "group = \"g\"\npassword = \"a-secret\n");
    let bundle = pair.folder().join("broken.tar.gz");
    let (config, path) = (broken.display().to_string(), bundle.display().to_string());
    let output = tandem(&["report", "-o", &path, "--config", &config]).output().expect("it starts");
    assert!(output.status.success(), "{}", support::stderr(&output));
    for (name, bytes) in unpack(&bundle) {
        assert!(!String::from_utf8_lossy(&bytes).contains("a-secret"), "{name}");
    }
}

//! The support bundle: what is in it, and above all what is not (U7).

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use group::Group;
use support::{tandem, write};

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

/// Secrets as people write them: an option, a number, a file, a command line, a URL, a variable.
const MORE: &str = r#"
[negotiation]
query_interval = "100ms"
reply_timeout = "1s"
boot_timeout = "1s"
connect_grace = "1s"
"#;

const WITH_SECRETS: &str = r#"
[fence.alpha]
agent = "/usr/sbin/fence_x"
options = { ip = "10.0.9.2", password = "quoted \"horse\"", snmp_priv_passwd = 47114711, passwd_file = "ipmi.pass" }
[fence.beta]
command = ["/bin/power", "--token", "tok-battery", "--secret=s3cr3t-staple", "{action}"]
[[process]]
name = "plant"
command = ["/bin/plant", "http://user:hunter2222@10.0.0.9/"]
environment = { API_TOKEN = "in-the-environment", SITE = "seven" }
"#;

const SECRETS: [&str; 7] =
    ["horse", "47114711", "out-of-a-file", "tok-battery", "s3cr3t-staple", "hunter2222", "in-the-environment"];

#[test]
fn u7_no_file_of_a_report_holds_a_secret_of_the_configuration() {
    let mut pair = Group::new(2, MORE);
    pair.start_all();
    pair.settle();
    // A second configuration beside it, as somebody has it who asks for help before restarting.
    write(pair.folder(), "ipmi.pass", "out-of-a-file\n");
    let text = std::fs::read_to_string(&pair.config).expect("the configuration") + WITH_SECRETS;
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
    for (name, bytes) in &files {
        for secret in SECRETS.iter().copied().chain([key.as_str()]) {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{name} holds {secret}");
        }
    }
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

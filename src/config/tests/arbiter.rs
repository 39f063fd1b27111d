//! `[arbiter]`: what is read of it, and what a wrong one says (S1, S4).

use std::path::Path;
use std::time::Duration;

use super::super::arbiter::{ArbiterConfig, ArbiterKind, EtcdConfig, LEASE};
use super::{LEAST, good, one_fault};
use crate::negotiation::member::MemberId;
use crate::negotiation::settings::Protection;

const ETCD: &str = "[arbiter]\nkind = \"etcd\"\nendpoints = [\"http://10.0.8.1:2379\"]\n";

fn arbiter(more: &str) -> ArbiterConfig {
    good(&format!("{LEAST}{more}")).arbiter.expect("it is there")
}

#[test]
fn s1_the_arbiter_of_the_contract_is_read() {
    let config = good(&format!(
        "{LEAST}[takeover]\nprotection = [\"fence\", \"arbiter\"]\n[fence.alpha]\ncommand = [\"a\"]\n[fence.beta]\n\
         command = [\"b\"]\n[arbiter]\nkind = \"etcd\"\nendpoints = [\"http://10.0.8.1:2379\", \"https://[fd00::8]:2379/\", \
         \"http://etcd3.site:2379\"]\nuser = \"tandem\"\npassword_file = \"etcd.pass\"\nca_file = \"/etc/tandem/ca.crt\"\n\
         cert_file = \"{{member}}.crt\"\nkey_file = \"{{member}}.key\"\nlease = \"7s\"\n"
    ));
    assert_eq!(config.takeover.protection, [Protection::Fence, Protection::Arbiter]);
    assert_eq!(config.negotiation_settings(MemberId(0)).lease_length(), Some(Duration::from_secs(7)));
    let endpoints = ["http://10.0.8.1:2379", "https://[fd00::8]:2379", "http://etcd3.site:2379"];
    let etcd = EtcdConfig {
        endpoints: endpoints.map(str::to_owned).to_vec(),
        user: "tandem".to_owned(),
        password_file: "etcd.pass".to_owned(),
        ca_file: "/etc/tandem/ca.crt".to_owned(),
        cert_file: "{member}.crt".to_owned(),
        key_file: "{member}.key".to_owned(),
    };
    let expected = ArbiterConfig { kind: ArbiterKind::Etcd(etcd), lease: Duration::from_secs(7) };
    assert_eq!(config.arbiter, Some(expected));
    assert_eq!(config.arbiter_path(MemberId(1), "{member}.key").file_name(), Path::new("beta.key").file_name());
}

#[test]
fn s1_files_on_a_shared_directory_are_read() {
    let read = arbiter("[arbiter]\nkind = \"file\"\ndirectory = \"/mnt/shared/tandem\"\n");
    assert_eq!(read.kind, ArbiterKind::File { directory: "/mnt/shared/tandem".to_owned() });
    assert_eq!(read.lease, LEASE);
}

#[test]
fn s1_protection_by_an_arbiter_without_one_says_what_to_write() {
    one_fault("[takeover]\nprotection = [\"arbiter\"]\n", &["9:14", "there is no [arbiter]", "kind = \"etcd\""]);
}

#[test]
fn each_fault_of_an_arbiter_says_its_line_and_what_to_write() {
    one_fault("[arbiter]\nlease = \"5s\"\n", &["8:2", "no `kind`", "kind = \"etcd\""]);
    one_fault("[arbiter]\nkind = \"etcd\"\n", &["8:2", "no `endpoints`", "http://10.0.8.1:2379"]);
    one_fault("[arbiter]\nkind = \"file\"\n", &["8:2", "no `directory`", "/mnt/shared/tandem"]);
    one_fault("[arbiter]\nkind = \"consul\"\n", &["9:8", "\"etcd\", \"file\""]);
    let endpoints = |list: &str, expected: &[&str]| {
        one_fault(&format!("[arbiter]\nkind = \"etcd\"\nendpoints = {list}\n"), &[&["10:13"], expected].concat());
    };
    endpoints("[]", &["there is no endpoint"]);
    endpoints("\"http://10.0.8.1:2379\"", &["found a text"]);
    endpoints("[\"10.0.8.1:2379\"]", &["does not begin with http://"]);
    endpoints("[\"http://10.0.8.1\"]", &["no port"]);
    endpoints("[\"http://10.0.8.1:0\"]", &["no port that can be called"]);
    endpoints("[\"http://10.0.8.1:2379/v3\"]", &["no port that can be called"]);
    endpoints("[\"http://fd00::8:2379\"]", &["no host"]);
    endpoints("[\"http://a:2379\", \"http://a:2379/\"]", &["twice"]);
    one_fault(&format!("{ETCD}lease = \"0s\"\n"), &["11:9", "too short"]);
    one_fault(&format!("{ETCD}directory = \"/mnt\"\n"), &["11:13", "belongs to kind = \"file\""]);
    one_fault(&format!("{ETCD}user = \"tandem\"\n"), &["11:8", "password_file = "]);
    one_fault(&format!("{ETCD}password_file = \"p\"\n"), &["11:17", "user = "]);
    one_fault(&format!("{ETCD}cert_file = \"c\"\n"), &["11:13", "key_file = "]);
    one_fault(&format!("{ETCD}key_file = \"k\"\n"), &["11:12", "cert_file = "]);
    one_fault(
        "[arbiter]\nkind = \"file\"\ndirectory = \"/d\"\nendpoints = [\"http://a:2379\"]\n",
        &["11:13", "belongs to kind = \"etcd\""],
    );
}

#[test]
fn u7_a_password_in_an_endpoint_is_refused_and_not_repeated() {
    let faults = super::faults("[arbiter]\nkind = \"etcd\"\nendpoints = [\"http://u:hunter2@a:2379\"]\n");
    assert_eq!(faults.len(), 1);
    let said = faults[0].split_once("\n").map_or(faults[0].as_str(), |(said, _)| said);
    assert!(said.contains("no user and no password") && !said.contains("hunter2"), "{said}");
}

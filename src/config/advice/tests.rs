//! One test for each piece of advice, and for its absence where all is well.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::config::keys;
use crate::negotiation::member::MemberId;

fn config(times: &str, alpha: &str, beta: &str) -> Config {
    let text = format!(
        "group = \"g\"\n[[member]]\nname = \"alpha\"\naddresses = [{alpha}]\n\
         [[member]]\nname = \"beta\"\naddresses = [{beta}]\n{times}"
    );
    Config::parse(&text, Path::new("/etc/tandem/tandem.toml")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn one_network(more: &str) -> Config {
    config(more, "\"10.0.0.1:7400\"", "\"10.0.0.2:7400\"")
}

fn two_networks(more: &str) -> Config {
    config(more, "\"10.0.0.1:7400\", \"10.1.0.1:7400\"", "\"10.0.0.2:7400\", \"10.1.0.2:7400\"")
}

fn keys_of(advice: &[Advice]) -> Vec<&str> {
    advice.iter().map(|advice| advice.key.as_str()).collect()
}

#[test]
fn s1_a_pair_without_protection_is_told_and_nothing_else_of_good_settings() {
    assert_eq!(keys_of(&of_file(&two_networks(""))), ["takeover.protection"]);
}

#[test]
fn n15_one_network_is_told_for_each_member_and_so_is_the_slow_switch() {
    let advice = of_file(&one_network(""));
    assert_eq!(
        keys_of(&advice),
        ["takeover.protection", "negotiation.boot_timeout", "member.alpha.addresses", "member.beta.addresses"]
    );
    assert_eq!((advice[2].line, advice[2].column), (Some(4), Some(13)));
    assert_eq!(advice[0].line, None);
    let patient = of_file(&one_network("[negotiation]\nboot_timeout = \"45s\"\n"));
    assert!(!keys_of(&patient).contains(&"negotiation.boot_timeout"));
}

#[test]
fn n15_two_addresses_on_one_network_are_no_redundancy() {
    let config = config("", "\"10.0.0.1:7400\", \"10.0.0.3:7400\"", "\"10.0.0.2:7400\", \"[fd00:0:0:1::1]:7400\"");
    let advice = of_file(&config);
    assert_eq!(keys_of(&advice), ["takeover.protection", "member.alpha.addresses"]);
}

#[test]
fn n15_networks_in_another_order_are_told() {
    let crossed = config("", "\"10.0.0.1:7400\", \"10.1.0.1:7400\"", "\"10.1.0.2:7400\", \"10.0.0.2:7400\"");
    let advice = of_file(&crossed);
    assert_eq!(keys_of(&advice), ["takeover.protection", "member.beta.addresses"]);
    assert!(advice[1].message.contains("another order"), "{advice:?}");
}

#[test]
fn n2_members_that_share_no_kind_of_address_are_told() {
    let apart = config("", "\"10.0.0.1:7400\", \"10.1.0.1:7400\"", "\"[fd00::1]:7400\", \"[fd01::1]:7400\"");
    let advice = of_file(&apart);
    assert_eq!(keys_of(&advice), ["takeover.protection", "member.beta.addresses"]);
    assert!(advice[1].message.contains("no address of the same kind"), "{advice:?}");
}

#[test]
fn a_trial_on_one_machine_gets_no_advice_about_networks() {
    assert_eq!(keys_of(&of_file(&config("", "\"127.0.0.1:1\"", "\"127.0.0.2:1\""))), ["takeover.protection"]);
}

#[test]
fn n4_times_out_of_proportion_are_told_with_their_place() {
    let odd = |more: &str| {
        let advice = of_file(&two_networks(&format!("[negotiation]\n{more}\n")));
        advice.into_iter().find(|advice| advice.key.starts_with("negotiation.")).expect("advice about times")
    };
    let advice = odd("reply_timeout = \"2s\"");
    assert!(advice.message.contains("three times"), "{advice:?}");
    assert_eq!((advice.line, advice.column), (Some(9), Some(17)));
    assert!(odd("query_interval = \"10ms\"\nreply_timeout = \"40ms\"").message.contains("busy"));
    assert!(odd("reply_timeout = \"2m\"\nboot_timeout = \"2m\"").message.contains("nobody acts for 2m"));
    assert!(odd("boot_timeout = \"2s\"").message.contains("given up after 2s"));
    assert!(odd("connect_grace = \"0s\"").message.contains("both become Primary"));
}

#[test]
fn s8_s11_a_plain_link_observe_only_and_an_open_socket_are_told() {
    let more = "[security]\nmode = \"none\"\n[takeover]\nobserve_only = true\n[control]\nmode = \"0666\"\n";
    let advice = of_file(&two_networks(more));
    assert_eq!(keys_of(&advice), ["takeover.protection", "takeover.observe_only", "security.mode", "control.mode"]);
}

#[test]
fn s8_a_key_that_others_can_read_is_unwise_and_none_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("group.key");
    keys::generate(&path).expect("made");
    let more = format!(
        "[security]\nkey_file = {path:?}\n[state]\ndirectory = {:?}\n[control]\ngroup = \"no-such-group\"\n",
        folder.path().join("deep/{member}")
    );
    let config = two_networks(&more);
    let of = |list: Vec<Advice>, wanted: &str| list.into_iter().find(|advice| advice.key == wanted);
    let unwise = |wanted| of(of_machine(&config, MemberId(0)).unwise, wanted);
    assert_eq!(unwise("security.key_file"), None);
    assert!(unwise("control.group").is_some());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
    assert!(unwise("security.key_file").expect("advice").message.contains("0640"));
    fs::remove_file(&path).expect("removed");
    let wrong = of(of_machine(&config, MemberId(0)).wrong, "security.key_file").expect("wrong");
    assert!(wrong.message.contains("tandem keygen"), "{wrong:?}");
}

#[test]
fn n20_a_state_directory_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let config = two_networks(&format!("[security]\nmode = \"none\"\n[state]\ndirectory = {:?}\n", file.join("x")));
    let advice = of_machine(&config, MemberId(0)).unwise;
    assert!(advice.iter().any(|advice| advice.message.contains("in the way")), "{advice:?}");
}

#[test]
fn n20_a_state_directory_in_memory_is_told() {
    // Linux mounts this one in memory wherever it has it.
    if !Path::new("/dev/shm").is_dir() {
        return;
    }
    let config = two_networks("[security]\nmode = \"none\"\n[state]\ndirectory = \"/dev/shm/tandem-none\"\n");
    let advice = of_machine(&config, MemberId(0)).unwise;
    assert!(advice.iter().any(|advice| advice.message.contains("in memory")), "{advice:?}");
}

#[test]
fn u7_a_socket_path_that_the_system_cannot_take_is_wrong() {
    let more = format!("[security]\nmode = \"none\"\n[control]\nsocket = \"/run/{}\"\n", "x".repeat(103));
    let wrong = of_machine(&two_networks(&more), MemberId(0)).wrong;
    assert_eq!(keys_of(&wrong), ["control.socket"]);
    let shorter = of_machine(&two_networks(&more.replace("xx\"", "x\"")), MemberId(0)).wrong;
    assert_eq!(shorter, []);
}

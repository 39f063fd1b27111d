//! `[reachability]` and `[watchdog]`: what is read of them, and what a wrong one says (S1, S4).

use std::path::Path;
use std::time::Duration;

use super::super::arbiter::WatchdogConfig;
use super::{LEAST, good, one_fault};
use crate::negotiation::member::MemberId;
use crate::negotiation::settings::Protection;

#[test]
fn s1_the_reference_addresses_are_read() {
    let config = good(&format!(
        "{LEAST}[takeover]\nprotection = [\"reachability\"]\n[reachability]\ntargets = [\"tcp://10.0.0.254:22\", \
         \"tcp://[fd00::fe]:443\"]\n"
    ));
    assert_eq!(config.takeover.protection, [Protection::Reachability]);
    assert_eq!(config.reference_targets, ["tcp://10.0.0.254:22", "tcp://[fd00::fe]:443"]);
}

#[test]
fn s1_protection_by_reachability_without_an_address_says_what_to_write() {
    let protected = "[takeover]\nprotection = [\"reachability\"]\n";
    one_fault(protected, &["9:14", "[reachability] names none", "targets = [\"tcp://10.0.0.254:22\"]"]);
    one_fault(&format!("{protected}[reachability]\ntargets = []\n"), &["9:14", "[reachability] names none"]);
}

#[test]
fn each_fault_of_a_target_says_its_line_and_what_to_write() {
    let targets = |list: &str, expected: &str| {
        one_fault(&format!("[reachability]\ntargets = {list}\n"), &["9:11", expected]);
    };
    targets("\"tcp://10.0.0.254:22\"", "found a text");
    targets("[22]", "found a number");
    targets("[\"10.0.0.254:22\"]", "does not begin with tcp://");
    targets("[\"icmp://10.0.0.254\"]", "does not begin with tcp://");
    targets("[\"tcp://10.0.0.254\"]", "is no address with a port");
    targets("[\"tcp://10.0.0.254:0\"]", "is no address with a port");
    targets("[\"tcp://router:22\"]", "an address and not a name");
    targets("[\"tcp://10.0.0.254:22\", \"tcp://10.0.0.254:22\"]", "twice");
    let many: Vec<String> = (1..=17).map(|port| format!("\"tcp://10.0.0.254:{port}\"")).collect();
    targets(&format!("[{}]", many.join(", ")), "17 targets are too many");
}

#[test]
fn s4_the_watchdog_is_read() {
    let config = good(&format!("{LEAST}[watchdog]\ndevice = \"/dev/watchdog\"\ntimeout = \"30s\"\n"));
    let expected = WatchdogConfig { device: "/dev/watchdog".to_owned(), timeout: Duration::from_secs(30) };
    assert_eq!(config.watchdog, expected);
    assert_eq!(config.watchdog_device(MemberId(0)).as_deref(), Some(Path::new("/dev/watchdog")));
    assert_eq!(good(LEAST).watchdog_device(MemberId(0)), None);
    one_fault("[watchdog]\ntimeout = \"900ms\"\n", &["9:11", "too short"]);
    one_fault("[watchdog]\ntimeout = \"2500ms\"\n", &["9:11", "no whole number of seconds", "\"3s\""]);
}

#[test]
fn s1_one_directory_for_each_member_is_no_shared_one() {
    one_fault(
        "[arbiter]\nkind = \"file\"\ndirectory = \"/mnt/shared/{member}\"\n",
        &["10:13", "a lease, of its own", "the same directory for all"],
    );
}

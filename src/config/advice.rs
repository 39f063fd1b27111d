//! What is unwise about a configuration that is not wrong: each with the key, the reason, and what to do.
//!
//! [`of_file`] looks at the file alone; [`of_machine`] looks at the machine it is to run on: at its key, its folders and
//! its groups, where something can also be wrong. `tandem check` prints both.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::{AccessFlags, Group, access};
use serde::Serialize;

use crate::negotiation::member::MemberId;

use super::duration;
use super::error::Place;
use super::keys::{KeyError, load_key};
use super::model::{Config, MemberConfig, SecurityMode};

/// How long a switch with the classic spanning tree protocol takes, after power or a link comes, to forward frames:
/// twice its forward delay of 15 s (IEEE 802.1D).
const SWITCH_FORWARDS_AFTER: Duration = Duration::from_secs(30);
/// Below this, an ordinary machine's scheduling under load is likely to be heard as the peer's silence.
const TIMEOUT_OF_A_BUSY_MACHINE: Duration = Duration::from_millis(50);
/// Above this, "nobody acts" after a failure lasts longer than a person would wait before intervening.
const TIMEOUT_OF_PATIENCE: Duration = Duration::from_secs(60);

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The line of the key, when it was written.
    pub line: Option<usize>,
    /// The character in the line.
    pub column: Option<usize>,
    /// The key, `takeover.protection`.
    pub key: String,
    /// What is unwise, and what it can lead to.
    pub message: String,
    /// What to do.
    pub suggestion: String,
}

impl Advice {
    /// The line and the column as they follow the file's name, ":12:5"; none when the key was not written.
    pub fn place(&self) -> Option<String> {
        Some(format!(":{}:{}", self.line?, self.column?))
    }
}

impl Config {
    fn advise(&self, key: &str, message: impl Into<String>, suggestion: impl Into<String>) -> Advice {
        let place: Option<Place> = self.places.get(key).copied();
        Advice {
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            key: key.to_owned(),
            message: message.into(),
            suggestion: suggestion.into(),
        }
    }
}

/// Advice about the file alone.
pub fn of_file(config: &Config) -> Vec<Advice> {
    let mut advice = Vec::new();
    protection(config, &mut advice);
    times(config, &mut advice);
    networks(config, &mut advice);
    if config.security.mode == SecurityMode::Plain {
        advice.push(config.advise(
            "security.mode",
            "the link is plain text: whoever reaches the port can read it, and can say that a member has gone",
            "write mode = \"noise\" and make a key with `tandem keygen FILE`",
        ));
    }
    if config.control.mode & 0o002 != 0 {
        advice.push(config.advise(
            "control.mode",
            "every user of the machine can open the control socket",
            "write mode = \"0660\" and name those who may operate with control.group",
        ));
    }
    advice
}

/// What was found on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineAdvice {
    /// With this, tandem does not start here.
    pub wrong: Vec<Advice>,
    /// With this, it starts.
    pub unwise: Vec<Advice>,
}

/// Advice about the machine this runs on, as the member `me`.
pub fn of_machine(config: &Config, me: MemberId) -> MachineAdvice {
    let mut found = MachineAdvice::default();
    if config.security.mode == SecurityMode::Noise {
        key(config, "security.key_file", &config.key_file(me), &mut found);
        for path in config.also_accept(me) {
            key(config, "security.also_accept", &path, &mut found);
        }
    }
    state(config, &config.state_directory(me), &mut found.unwise);
    let group = &config.control.group;
    if !group.is_empty() && !matches!(Group::from_name(group), Ok(Some(_))) {
        found.unwise.push(config.advise(
            "control.group",
            format!("this machine has no group {group:?}, so nobody but root and tandem's own user may operate"),
            format!("make it with `groupadd --system {group}`, or correct the name"),
        ));
    }
    found
}

fn protection(config: &Config, advice: &mut Vec<Advice>) {
    if config.takeover.protection.is_empty() {
        let suggestion = match config.members.len() {
            2 => {
                "with two members, use redundant networks and let a person watch for it; a third member and \
                 protection = [\"majority\"] rules it out"
            }
            _ => "write protection = [\"majority\"]",
        };
        advice.push(config.advise(
            "takeover.protection",
            "UNPROTECTED: when all networks between living members break, each side acts until they are mended",
            suggestion,
        ));
    }
    if config.takeover.observe_only {
        advice.push(config.advise(
            "takeover.observe_only",
            "this member only says what it would do: it never acts, also when it is the last one",
            "write observe_only = false when you have seen enough",
        ));
    }
}

fn times(config: &Config, advice: &mut Vec<Advice>) {
    let times = &config.negotiation;
    let said = duration::text;
    if times.reply_timeout < times.query_interval * 3 {
        advice.push(config.advise(
            "negotiation.reply_timeout",
            format!(
                "{} is less than three times query_interval, {}: one lost answer can end in a takeover",
                said(times.reply_timeout),
                said(times.query_interval)
            ),
            format!(
                "write reply_timeout = \"{}\" or more, or a shorter query_interval",
                said(times.query_interval * 3)
            ),
        ));
    }
    if times.reply_timeout < TIMEOUT_OF_A_BUSY_MACHINE {
        advice.push(config.advise(
            "negotiation.reply_timeout",
            format!("{} is so short that a busy machine can miss it while all is well", said(times.reply_timeout)),
            format!("write \"{}\" or more", said(TIMEOUT_OF_A_BUSY_MACHINE)),
        ));
    }
    if times.reply_timeout > TIMEOUT_OF_PATIENCE {
        advice.push(config.advise(
            "negotiation.reply_timeout",
            format!("when the Primary falls silent, nobody acts for {}", said(times.reply_timeout)),
            "the default is \"3s\"",
        ));
    }
    if times.boot_timeout < times.reply_timeout {
        advice.push(config.advise(
            "negotiation.boot_timeout",
            format!(
                "at boot a peer is given up after {}, sooner than a silent one later, after {}",
                said(times.boot_timeout),
                said(times.reply_timeout)
            ),
            format!("write boot_timeout = \"{}\" or more", said(times.reply_timeout)),
        ));
    }
    if times.connect_grace.is_zero() {
        advice.push(config.advise(
            "negotiation.connect_grace",
            "at boot the first failed call decides: two machines powered on together can both become Primary",
            "write connect_grace = \"3s\" or more",
        ));
    }
    if times.boot_timeout < SWITCH_FORWARDS_AFTER && one_network_with_a_switch(config) {
        advice.push(config.advise(
            "negotiation.boot_timeout",
            format!(
                "if a switch between the members runs spanning tree, it may forward nothing for the first {} after power \
                 comes back; this member waits only {} for its peer, so both could act until the switch forwards",
                said(SWITCH_FORWARDS_AFTER),
                said(times.boot_timeout)
            ),
            "on a direct cable ignore this; else write boot_timeout and connect_grace = \"45s\", or let the members' \
             ports forward at once (PortFast, edge port)",
        ));
    }
}

/// Whether some member has one address only, on a network and not on this machine.
fn one_network_with_a_switch(config: &Config) -> bool {
    !all_on_one_machine(config) && config.members.iter().any(|member| member.addresses.len() == 1)
}

/// Whether every address is a loopback one: a trial on one machine, without any network to advise about.
fn all_on_one_machine(config: &Config) -> bool {
    config.members.iter().flat_map(|member| &member.addresses).all(|address| address.ip().is_loopback())
}

fn networks(config: &Config, advice: &mut Vec<Advice>) {
    if all_on_one_machine(config) {
        return;
    }
    for MemberConfig { name, addresses } in &config.members {
        let key = format!("member.{name}.addresses");
        match addresses.as_slice() {
            [] | [_] => advice.push(config.advise(
                &key,
                format!("{name} has one address: one broken cable separates it from the others"),
                "add an address on a second network that shares no switch with the first",
            )),
            [first, rest @ ..] if rest.iter().all(|other| same_network(first, other)) => advice.push(config.advise(
                &key,
                format!("all addresses of {name} look like one network: one broken switch silences them together"),
                "give it an address on a second network that shares no switch with the first",
            )),
            [_, ..] => {}
        }
    }
}

/// Whether two addresses share the part that names the network, as most sites cut it: 24 bits of IPv4, 64 of IPv6.
fn same_network(one: &SocketAddr, other: &SocketAddr) -> bool {
    match (one.ip(), other.ip()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.octets()[..8] == other.octets()[..8],
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

fn key(config: &Config, key: &str, path: &Path, found: &mut MachineAdvice) {
    match load_key(path) {
        Ok(_) => {}
        Err(error @ (KeyError::Missing { .. } | KeyError::Malformed { .. })) => {
            found.wrong.push(config.advise(key, error.to_string(), "until then tandem does not start here"));
            return;
        }
        // Who checks need not be the user that tandem runs as, so this proves nothing yet.
        Err(error @ (KeyError::Unreadable { .. } | KeyError::Exists { .. } | KeyError::NotMade { .. })) => {
            found.unwise.push(config.advise(key, error.to_string(), "check as the user that tandem runs as"));
            return;
        }
    }
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        found.unwise.push(config.advise(
            key,
            format!("{} has mode {mode:04o}: others than its owner can use the group key", path.display()),
            format!("chmod 600 {}", path.display()),
        ));
    }
}

fn state(config: &Config, directory: &Path, advice: &mut Vec<Advice>) {
    const KEY: &str = "state.directory";
    let shown = directory.display();
    let Some(existing) = nearest_existing(directory) else { return };
    if !existing.is_dir() {
        advice.push(config.advise(
            KEY,
            format!("{} is in the way of {shown}: it is no folder", existing.display()),
            "remove it, or name another folder",
        ));
        return;
    }
    if access(&existing, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let message = match existing == directory {
            true => format!("{shown} cannot be written by the user who runs this check"),
            false => format!("{shown} is not there, and {} cannot be written", existing.display()),
        };
        advice.push(config.advise(
            KEY,
            message,
            "check as the user that tandem runs as; a member that cannot keep its state takes no role",
        ));
    }
    let in_memory = statfs(&existing).is_ok_and(|system| system.filesystem_type() == TMPFS_MAGIC);
    if in_memory {
        advice.push(config.advise(
            KEY,
            format!("{shown} is in memory: after a restart of the machine the member does not know the last term"),
            "name a folder on a disk",
        ));
    }
}

/// `path`, or the nearest folder above it that exists.
fn nearest_existing(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .map(|ancestor| if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor })
        .find(|ancestor| ancestor.exists())
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn keys(advice: &[Advice]) -> Vec<&str> {
        advice.iter().map(|advice| advice.key.as_str()).collect()
    }

    #[test]
    fn s1_a_pair_without_protection_is_told_and_nothing_else_of_good_settings() {
        assert_eq!(keys(&of_file(&two_networks(""))), ["takeover.protection"]);
    }

    #[test]
    fn n15_one_network_is_told_for_each_member_and_so_is_the_slow_switch() {
        let advice = of_file(&one_network(""));
        assert_eq!(
            keys(&advice),
            ["takeover.protection", "negotiation.boot_timeout", "member.alpha.addresses", "member.beta.addresses"]
        );
        assert_eq!((advice[2].line, advice[2].column), (Some(4), Some(13)));
        assert_eq!(advice[0].line, None);
        let patient = of_file(&one_network("[negotiation]\nboot_timeout = \"45s\"\n"));
        assert!(!keys(&patient).contains(&"negotiation.boot_timeout"));
    }

    #[test]
    fn n15_two_addresses_on_one_network_are_no_redundancy() {
        let config = config("", "\"10.0.0.1:7400\", \"10.0.0.3:7400\"", "\"[fd00::1]:7400\", \"[fd00:0:0:1::1]:7400\"");
        let advice = of_file(&config);
        assert_eq!(keys(&advice), ["takeover.protection", "member.alpha.addresses"]);
    }

    #[test]
    fn a_trial_on_one_machine_gets_no_advice_about_networks() {
        assert_eq!(keys(&of_file(&config("", "\"127.0.0.1:1\"", "\"127.0.0.2:1\""))), ["takeover.protection"]);
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
        assert_eq!(keys(&advice), ["takeover.protection", "takeover.observe_only", "security.mode", "control.mode"]);
    }

    #[test]
    fn s8_a_key_that_others_can_read_is_unwise_and_none_is_wrong() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("group.key");
        super::super::keys::generate(&path).expect("made");
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
}

//! Advice about what keeps two members from acting: the reference addresses, the watchdog, a shared directory (S1, S4).

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::negotiation::member::MemberId;
use crate::negotiation::settings::Protection;

use super::super::arbiter::ArbiterKind;
use super::super::duration;
use super::super::model::Config;
use super::{Advice, MachineAdvice};

/// Advice about the file alone.
pub(super) fn of_file(config: &Config, advice: &mut Vec<Advice>) {
    let protection = &config.takeover.protection;
    if protection.as_slice() == [Protection::Reachability] {
        advice.push(config.advise(
            "takeover.protection",
            "\"reachability\" alone is a filter, not a proof: when only the link breaks, both members reach the address, and \
             both act",
            "add \"fence\", \"arbiter\" or, with three members, \"majority\"",
        ));
    }
    targets(config, advice);
    let lease = config.negotiation_settings(MemberId(0)).lease_length();
    let watchdog = &config.watchdog;
    if let Some(lease) = lease.filter(|lease| !watchdog.device.is_empty() && watchdog.timeout > *lease) {
        advice.push(config.advise(
            "watchdog.timeout",
            format!(
                "a machine that hangs so that neither controller nor guardian runs is reset after {}, but another member \
                 may act after {}, when the lease is over",
                duration::text(watchdog.timeout),
                duration::text(lease)
            ),
            "write a watchdog.timeout that is not longer than the lease, or a longer lease",
        ));
    }
}

fn targets(config: &Config, advice: &mut Vec<Advice>) {
    const KEY: &str = "reachability.targets";
    let address = |target: &String| target.strip_prefix("tcp://")?.parse::<SocketAddr>().ok();
    for address in config.reference_targets.iter().filter_map(address) {
        let of_a_member = |address: SocketAddr| {
            let has = |own: &SocketAddr| own.ip() == address.ip();
            config.members.iter().find(|member| member.addresses.iter().any(has))
        };
        let message = if address.ip().is_loopback() {
            format!("{address} is this machine itself: it answers whatever becomes of the network")
        } else if let Some(member) = of_a_member(address) {
            format!("{address} is {}'s own: {0} reaches it whatever becomes of the network", member.name)
        } else {
            continue;
        };
        advice.push(config.advise(
            KEY,
            message,
            "name a machine that all members reach by the network that they serve",
        ));
    }
}

/// Advice about the machine this runs on, as the member `me`.
pub(super) fn of_machine(config: &Config, me: MemberId, found: &mut MachineAdvice) {
    if let Some(ArbiterKind::File { directory }) = config.arbiter.as_ref().map(|arbiter| &arbiter.kind) {
        shared_directory(config, &config.arbiter_path(me, directory), found);
    }
    if let Some(device) = config.watchdog_device(me).filter(|device| !device.exists()) {
        found.wrong.push(config.advise(
            "watchdog.device",
            format!("there is no {}", device.display()),
            "load its driver (`modprobe softdog` for one in software), or write \"\" for none",
        ));
    }
}

fn shared_directory(config: &Config, directory: &Path, found: &mut MachineAdvice) {
    const KEY: &str = "arbiter.directory";
    let shown = directory.display();
    if !directory.is_dir() {
        found.unwise.push(config.advise(
            KEY,
            format!("{shown} is not there, so nobody is granted a lease"),
            "mount it, and make the folder there, on the shared file system",
        ));
        return;
    }
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    if device(directory) == device(Path::new("/")) {
        found.unwise.push(config.advise(
            KEY,
            format!("{shown} lies on this machine's own disk: members on other machines do not see what stands there"),
            "mount the shared file system, and name a folder within it, which is missing when that is not mounted",
        ));
    }
}

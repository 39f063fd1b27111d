//! Advice about the arbiter: a lease that its servers cannot keep, one server alone, secrets that others can read (S1, S4).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::negotiation::member::MemberId;
use crate::negotiation::settings::Protection;

use super::super::arbiter::{ArbiterKind, EtcdConfig};
use super::super::duration;
use super::super::model::Config;
use super::{Advice, MachineAdvice};

/// How long an etcd with its default settings may need to choose another leader, and to serve again: an election begins
/// after one to two seconds of silence. Below half again as much, the lease is over by then.
const ETCD_CHOOSES_A_LEADER: Duration = Duration::from_secs(3);

/// Advice about the file alone.
pub(super) fn of_file(config: &Config, advice: &mut Vec<Advice>) {
    let Some(arbiter) = &config.arbiter else { return };
    let said = duration::text;
    if !config.takeover.protection.contains(&Protection::Arbiter) {
        advice.push(config.advise(
            "arbiter.kind",
            "nobody asks for a lease: \"arbiter\" is not in takeover.protection",
            "write protection = [\"arbiter\"], or remove [arbiter]",
        ));
        return;
    }
    let (lease, times) = (arbiter.lease, &config.negotiation);
    if lease < times.query_interval * 3 {
        advice.push(config.advise(
            "arbiter.lease",
            format!(
                "{} is less than three times query_interval, {}: when the arbiter is out of reach, one lost message ends the \
                 members' agreement to go on without it",
                said(lease),
                said(times.query_interval)
            ),
            format!("write lease = \"{}\" or more, or a shorter query_interval", said(times.query_interval * 3)),
        ));
    }
    if lease < times.reply_timeout {
        advice.push(config.advise(
            "arbiter.lease",
            format!(
                "{} is shorter than reply_timeout, {}: a silent member is given up only then, so the short lease costs \
                 renewals and brings nothing",
                said(lease),
                said(times.reply_timeout)
            ),
            format!("write lease = \"{}\" or more", said(times.reply_timeout)),
        ));
    }
    match &arbiter.kind {
        ArbiterKind::Etcd(etcd) => of_etcd(config, etcd, lease, advice),
        ArbiterKind::File { .. } => {}
    }
}

fn of_etcd(config: &Config, etcd: &EtcdConfig, lease: Duration, advice: &mut Vec<Advice>) {
    if lease < ETCD_CHOOSES_A_LEADER {
        advice.push(config.advise(
            "arbiter.lease",
            format!(
                "{} may be over before an etcd that has lost its leader serves again: with its default settings it waits one \
                 to two seconds before it chooses another",
                duration::text(lease)
            ),
            "write lease = \"5s\", the default, or shorten etcd's own heartbeat-interval and election-timeout",
        ));
    }
    if etcd.endpoints.len() == 1 {
        advice.push(config.advise(
            "arbiter.endpoints",
            "one server is named: while it is down, no member can take over from another that is silent",
            "name all servers of the etcd, on three machines or more",
        ));
    }
    let plain = etcd.endpoints.iter().find(|endpoint| endpoint.starts_with("http:"));
    if let Some(plain) = plain.filter(|_| !etcd.user.is_empty()) {
        advice.push(config.advise(
            "arbiter.user",
            format!("the password travels to {plain} in plain text: whoever reads it there can take the lease away"),
            "write https:// endpoints and ca_file",
        ));
    }
    let files = [("ca_file", &etcd.ca_file), ("cert_file", &etcd.cert_file)];
    if etcd.endpoints.iter().all(|endpoint| endpoint.starts_with("http:"))
        && let Some((key, _)) = files.into_iter().find(|(_, file)| !file.is_empty())
    {
        advice.push(config.advise(
            &format!("arbiter.{key}"),
            "certificates are of no use: every endpoint is spoken to in plain text",
            "write https:// endpoints, or remove it",
        ));
    }
}

/// Advice about the machine this runs on, as the member `me`: the files that tandem will not start without, and who can
/// read the secret ones.
pub(super) fn of_machine(config: &Config, me: MemberId, found: &mut MachineAdvice) {
    let Some(ArbiterKind::Etcd(etcd)) = config.arbiter.as_ref().map(|arbiter| &arbiter.kind) else { return };
    for (key, file, secret) in [
        ("arbiter.password_file", &etcd.password_file, true),
        ("arbiter.key_file", &etcd.key_file, true),
        ("arbiter.cert_file", &etcd.cert_file, false),
        ("arbiter.ca_file", &etcd.ca_file, false),
    ] {
        if file.is_empty() {
            continue;
        }
        let path = config.arbiter_path(me, file);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                found.wrong.push(config.advise(key, message, "until then tandem does not start here"));
                continue;
            }
        };
        let mode = metadata.permissions().mode() & 0o777;
        if secret && mode & 0o077 != 0 {
            found.unwise.push(config.advise(
                key,
                format!("{} has mode {mode:04o}: others than its owner can read the secret in it", path.display()),
                format!("chmod 600 {}", path.display()),
            ));
        }
    }
}

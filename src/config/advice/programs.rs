//! Whether this machine has what the processes, probes, hooks and fences of the file name: programs, users, folders.
//!
//! One file serves every member, so only the machine that is asked can say what is missing on it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::{User, geteuid};

use crate::negotiation::member::MemberId;

use super::super::fencing::{AgentConfig, is_secret_option};
use super::super::model::Config;
use super::super::required::{HeartbeatKind, Probe, ProcessConfig};
use super::MachineAdvice;

/// Looks at everything that `me` would run.
pub(super) fn of_machine(config: &Config, me: MemberId, found: &mut MachineAdvice) {
    for process in &config.processes {
        let key = |key: &str| format!("process.{}.{key}", process.name);
        program(config, me, &key("command"), &process.command, Some(process), found);
        if let Some(HeartbeatKind::Probe(Probe::Command { command })) = process.heartbeat.as_ref().map(|it| &it.kind) {
            program(config, me, &key("heartbeat.command"), command, None, found);
        }
        directory(config, me, process, found);
        user(config, process, found);
    }
    for check in &config.health.checks {
        if let Probe::Command { command } = &check.probe {
            program(config, me, &format!("health.check.{}.command", check.name), command, None, found);
        }
    }
    let hooks = &config.hooks;
    for (key, command) in
        [("on_primary", &hooks.on_primary), ("on_secondary", &hooks.on_secondary), ("on_alarm", &hooks.on_alarm)]
    {
        program(config, me, &format!("hooks.{key}"), command, None, found);
    }
    let mut secrets = false;
    // Nobody switches itself off.
    for (peer, fence) in config.fences.iter().filter(|(peer, _)| **peer != me) {
        let key = |key: &str| format!("fence.{}.{key}", config.name(*peer));
        match &fence.agent {
            AgentConfig::Agent { path, options } => {
                program(config, me, &key("agent"), std::slice::from_ref(path), None, found);
                secrets |= options.keys().any(|option| is_secret_option(option));
            }
            AgentConfig::Command { command } => program(config, me, &key("command"), command, None, found),
        }
    }
    if secrets {
        readable_by_others(config, found);
    }
}

fn readable_by_others(config: &Config, found: &mut MachineAdvice) {
    let Ok(metadata) = fs::metadata(&config.path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o004 != 0 {
        let path = config.path.display();
        found.unwise.push(config.advise(
            "fence",
            format!("{path} has mode {mode:04o}: every user can read the fence agent's secret in it"),
            format!("write the secret to a file of its own, password_file = \"…\", or chmod 600 {path}"),
        ));
    }
}

/// Whether the program of `command` is there; an empty command is none.
fn program(
    config: &Config,
    me: MemberId,
    key: &str,
    command: &[String],
    process: Option<&ProcessConfig>,
    found: &mut MachineAdvice,
) {
    let Some(name) = command.first() else { return };
    let search = process.and_then(|process| process.environment.get("PATH")).map(OsString::from);
    if let Err(error) = config.program(name, me, search.as_deref()) {
        found.wrong.push(config.advise(key, error.to_string(), error.suggestion()));
    }
}

fn directory(config: &Config, me: MemberId, process: &ProcessConfig, found: &mut MachineAdvice) {
    if process.directory.is_none() {
        return;
    }
    let directory = config.process_directory(process, me);
    let shown = directory.display();
    let (message, suggestion) = match fs::metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => return,
        Ok(_) => {
            (format!("{shown} is no folder, and {} could not start in it", process.name), "name a folder".to_owned())
        }
        Err(error) => (format!("{} could not start in {shown}: {error}", process.name), format!("mkdir -p {shown}")),
    };
    found.wrong.push(config.advise(&format!("process.{}.directory", process.name), message, suggestion));
}

fn user(config: &Config, process: &ProcessConfig, found: &mut MachineAdvice) {
    let Some(name) = &process.user else { return };
    let key = format!("process.{}.user", process.name);
    match User::from_name(name) {
        Ok(Some(user)) if geteuid().is_root() || user.uid == geteuid() => {}
        // Who checks need not be the user that tandem runs as.
        Ok(Some(_)) => found.unwise.push(config.advise(
            &key,
            format!("only root can start {} as another user, {name}", process.name),
            "check as the user that tandem runs as; run tandem as root, or leave the key out",
        )),
        Ok(None) => found.wrong.push(config.advise(
            &key,
            format!("this machine has no user {name:?}"),
            format!("make it with `useradd --system {name}`, or correct the name"),
        )),
        Err(error) => found.wrong.push(config.advise(
            &key,
            format!("the user {name:?} cannot be looked up: {error}"),
            "see to the machine's user database, or write a user of /etc/passwd",
        )),
    }
}

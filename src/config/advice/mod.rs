//! What is unwise about a configuration that is not wrong: each with the key, the reason, and what to do.
//!
//! [`of_file`] looks at the file alone; [`of_machine`] looks at the machine it is to run on: at its key, its folders and
//! its groups, at the programs and users that the file names, where something can also be wrong. `tandem check` prints both.

mod arbiter;
mod guards;
mod machine;
mod networks;
mod programs;
mod serving;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Serialize;

pub use machine::{MachineAdvice, of_machine};

use super::duration;
use super::error::Place;
use super::model::{Config, SecurityMode};
use networks::{networks, one_network_with_a_switch};

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
    /// Advice about `key`, at its place in the file.
    pub fn advise(&self, key: &str, message: impl Into<String>, suggestion: impl Into<String>) -> Advice {
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
    serving::processes(config, &mut advice);
    serving::health(config, &mut advice);
    serving::fencing(config, &mut advice);
    arbiter::of_file(config, &mut advice);
    guards::of_file(config, &mut advice);
    if config.security.mode == SecurityMode::Plain {
        advice.push(config.advise(
            "security.mode",
            "the link is plain text: whoever reaches the port can read it, and can say that a member has gone",
            "write mode = \"noise\" and make a key with `tandem keygen FILE`",
        ));
    }
    if let Some(listen) = config.metrics_listen.filter(|listen| !listen.ip().is_loopback()) {
        advice.push(config.advise(
            "metrics.listen",
            format!("whoever reaches {listen} can read the metrics: they are served in plain text, to everybody"),
            "write \"127.0.0.1:9464\" and let a proxy ask it, or keep strangers out with a firewall",
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

fn protection(config: &Config, advice: &mut Vec<Advice>) {
    if config.takeover.protection.is_empty() {
        let suggestion = match config.members.len() {
            2 => {
                "with two members, use redundant networks and let a person watch for it; protection = [\"arbiter\"] with \
                 [arbiter] in a third place, [\"fence\"] with a [fence.NAME] for each, or a third member and \
                 [\"majority\"], rule it out; `tandem rehearse` shows what each would do here"
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

//! What the demo's members run, and how it is made sick: three sample processes each (`tandem sample-process`), which do
//! what a file of theirs says; and the switch with which one member has another's power cut (S2).

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::control::client::Client;
use crate::control::request::{Reply, Request};
use crate::ui::faults::Work;
use crate::ui::keys::Fault;

/// The processes in the order in which they start, and when each runs.
const PROCESSES: [(&str, &str); 3] = [("plant-control", "primary"), ("historian", "always"), ("gateway", "always")];
/// The one that is made sick: it runs in either mode.
const SICK: &str = "historian";
/// What a leak adds each second: with three processes and this base it takes some seconds, so that the fall is seen.
const LEAK: &str = "leak 24MiB\n";
/// What 100 % of memory means, so that a leak in a demo hurts nobody (H4).
const BASE: &str = "512MiB";
/// Four and a half periods of the heartbeat. Response times are an average, so all of a member's processes are late (H3).
const LAG: &str = "slow 2250ms\n";
/// A member that runs answers at once.
const PATIENCE: Duration = Duration::from_millis(500);
/// The switch's name in the folder.
const SWITCH: &str = "power";

/// The configuration's name in the folder.
pub const CONFIG: &str = "tandem.toml";
/// The folder of the file arbiter, which all members share.
pub const SHARED: &str = "shared";
/// Its name while nobody reaches it.
const AWAY: &str = "shared.away";

/// The switch: kills the one process that is a member of this very demo. What it ran goes with it, as in a power cut.
/// Alpha has the screen: it is never switched off, and the switch says so.
const SWITCHES: &str = r#"folder=$(dirname "$0")
pid=$(cat "$folder/$1.pid" 2>/dev/null)
runs() { tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx "TANDEM_CONFIG=$folder/tandem.toml"; }
[ "$1" != alpha ] || { echo "alpha has the demo's screen: it stays on"; [ "$2" = status ] && exit 0 || exit 1; }
case $2 in
    off) if runs; then kill -KILL "$pid"; fi ;;
    status) if runs; then exit 0; else exit 2; fi ;;
    *) exit 1 ;;
esac
"#;

/// The sections of the configuration that say what runs, for a demo in `folder` whose program is `program`.
pub fn configuration(program: &Path, folder: &Path, members: &[&str]) -> anyhow::Result<String> {
    // Quoted as TOML, and as the paths that they are.
    let word = |path: &Path| path.to_str().map(|text| format!("{text:?}")).context("a path that is no text");
    let (program, switch) = (word(program)?, word(&folder.join(SWITCH))?);
    let mut text = format!("[health]\nmemory_base = \"{BASE}\"\n\n");
    for (name, when) in PROCESSES {
        write!(
            text,
            "[[process]]\nname = \"{name}\"\nrun_when = \"{when}\"\n\
             command = [{program}, \"sample-process\", \"--line\", \"--control\", \"{{member}}.{name}\"]\n\
             heartbeat = {{ kind = \"line\", period = \"500ms\" }}\n\
             restart = {{ delay = \"200ms\", max_delay = \"1s\", burst = 30, within = \"1m\" }}\n\
             start_timeout = \"5s\"\nstop_grace = \"1s\"\n\n",
        )?;
    }
    for name in members {
        write!(
            text,
            "[fence.{name}]\ncommand = [\"/bin/sh\", {switch}, \"{name}\", \"{{action}}\"]\ndelay = \"2s\"\n\n"
        )?;
    }
    Ok(text)
}

/// Writes the switch.
pub fn install(folder: &Path) -> anyhow::Result<()> {
    std::fs::write(folder.join(SWITCH), SWITCHES).context("the demo's switch cannot be written")
}

/// Which process the switch cuts off for `member`.
pub fn is_at(folder: &Path, member: &str, pid: u32) -> anyhow::Result<()> {
    std::fs::write(folder.join(format!("{member}.pid")), format!("{pid}\n"))
        .context("the demo's switch cannot be told whom it switches")
}

/// Does `fault` to the processes of `member`. Returns what ails them since, if that changes, and the sentence.
pub fn suffer(folder: &Path, member: &str, fault: Fault) -> anyhow::Result<(Option<Work>, String)> {
    let tell = |name: &str, words: &str| {
        std::fs::write(folder.join(format!("{member}.{name}")), words).context("the process cannot be told")
    };
    let say = |words: &str| tell(SICK, words);
    let say_to_all = |words: &str| PROCESSES.iter().try_for_each(|(name, _)| tell(name, words));
    match fault {
        Fault::KillProcess => Ok((None, kill_one(folder, member)?)),
        Fault::KeepDead => {
            say("end 1\n")?;
            Ok((Some(Work::KeptDead), format!("{member}'s {SICK} is kept dead")))
        }
        Fault::Lag => {
            say_to_all(LAG)?;
            Ok((Some(Work::Lags), format!("{member}'s processes lag")))
        }
        Fault::Leak => {
            say(LEAK)?;
            Ok((Some(Work::Leaks), format!("{member}'s {SICK} leaks")))
        }
        Fault::Heal => {
            say_to_all("")?;
            Ok((Some(Work::Well), format!("{member}'s processes are well")))
        }
        Fault::Crash
        | Fault::Freeze
        | Fault::Thaw
        | Fault::Restart
        | Fault::Cut
        | Fault::Slow
        | Fault::Mend
        | Fault::ArbiterAway
        | Fault::ArbiterBack => bail!("{member} has no process for that"),
    }
}

/// Where the arbiter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arbiter {
    /// Out of everybody's reach.
    Away,
    /// Back again.
    Back,
}

/// Takes the arbiter out of everybody's reach, or brings it back: its folder is there or is not, as when a share is not
/// mounted. Returns the sentence.
pub fn move_arbiter(folder: &Path, whereto: Arbiter) -> anyhow::Result<String> {
    let file = std::fs::read_to_string(folder.join(CONFIG)).context("the configuration is gone")?;
    if !file.contains("[arbiter]") {
        return Ok("This demo has no arbiter: leave it and start tandem demo --protection arbiter".to_owned());
    }
    let (here, away) = (folder.join(SHARED), folder.join(AWAY));
    let (from, to, done) = match whereto {
        Arbiter::Away => (&here, &away, "Nobody reaches the arbiter"),
        Arbiter::Back => (&away, &here, "The arbiter answers again"),
    };
    match std::fs::rename(from, to) {
        Ok(()) => Ok(done.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(format!("{done} as it is")),
        Err(error) => Err(error).context("the arbiter's folder cannot be moved"),
    }
}

/// Kills the process by the pid that the member itself tells.
fn kill_one(folder: &Path, member: &str) -> anyhow::Result<String> {
    let mut client = Client::open(&folder.join(format!("{member}.sock")))?;
    let Reply::Status(status) = client.ask(&Request::Status, PATIENCE)? else {
        bail!("it does not say how it is");
    };
    let Some(pid) = status.processes.iter().find(|one| one.name == SICK).and_then(|one| one.pid) else {
        return Ok(format!("{member}'s {SICK} is down already"));
    };
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
    Ok(format!("{member}'s {SICK} was killed"))
}

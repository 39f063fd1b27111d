//! The demo's janitor: makes the folder, runs the other members, does the faults, and leaves nothing behind.
//!
//! It speaks in lines: first the folder's path; then, for every order `crash 0`, `freeze 0`, `thaw 0` or `restart 0`
//! (the number counts the other members), one line that says what came of it. The end of its input is its end.

use std::fs::File;
use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid, setsid};
use tempfile::TempDir;

use crate::config::keys;
use crate::ui::keys::Fault;

use super::super::args::DemoArgs;
use super::super::exit::Exit;
use super::ROLE;

/// The members, the lowest address first.
pub const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
/// The configuration's name in the folder.
pub const CONFIG: &str = "tandem.toml";
/// The key's name in the folder.
const KEY: &str = "group.key";
/// A socket's path may have 107 bytes; a folder longer than this leaves too few.
const LONGEST_FOLDER: usize = 70;
/// For a member: who must still be its parent.
const PARENT: &str = "TANDEM_DEMO_PARENT";

/// The word of an order.
pub fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::Crash => "crash",
        Fault::Freeze => "freeze",
        Fault::Thaw => "thaw",
        Fault::Restart => "restart",
    }
}

/// Runs until the input ends.
pub fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    // The terminal's Ctrl-C and its hang-up are not for the janitor.
    setsid().context("the janitor cannot have a session of its own")?;
    let folder = make_folder(args)?;
    let mut others = Vec::new();
    for name in &NAMES[1..usize::from(args.members)] {
        others.push(Member { name, config: folder.path().join(CONFIG), child: None });
    }
    // From here on every way out kills the members first and then removes the folder: in the order of dropping.
    let mut out = std::io::stdout();
    for member in &mut others {
        member.start()?;
    }
    writeln!(out, "{}", folder.path().display())?;
    out.flush()?;
    for order in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Some((fault, member)) = parse(&order, &mut others) else { continue };
        let told = member.suffer(fault).unwrap_or_else(|error| format!("{}: {error:#}", member.name));
        // Nobody reads any more: the input ends next.
        let _ = writeln!(out, "{told}").and_then(|()| out.flush());
    }
    drop(others);
    folder.close().context("the demo's folder stays behind")?;
    Ok(Exit::Done)
}

/// A member's process becomes the controller, tied to the janitor: if that is killed, so is this.
pub fn become_member() -> anyhow::Result<Exit> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).context("the member cannot be tied to the janitor")?;
    // It may have been killed just before.
    let parent = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    anyhow::ensure!(parent == Some(getppid()), "the janitor is gone");
    let (config, name) = (std::env::var_os("TANDEM_CONFIG"), std::env::var_os("TANDEM_MEMBER"));
    let (Some(config), Some(name)) = (config, name) else { anyhow::bail!("not to be called by hand") };
    let error = Command::new("/proc/self/exe")
        .args(["run", "--headless", "--config"])
        .arg(config)
        .arg("--as")
        .arg(name)
        .env_remove(ROLE)
        .env_remove(PARENT)
        .exec();
    Err(error).context("the member cannot be started")
}

fn parse<'a>(order: &str, others: &'a mut [Member]) -> Option<(Fault, &'a mut Member)> {
    let (said, number) = order.split_once(' ')?;
    let faults = [Fault::Crash, Fault::Freeze, Fault::Thaw, Fault::Restart];
    let fault = faults.into_iter().find(|fault| word(*fault) == said)?;
    Some((fault, others.get_mut(number.parse::<usize>().ok()?)?))
}

fn make_folder(args: &DemoArgs) -> anyhow::Result<TempDir> {
    let usual = std::env::temp_dir();
    let parent = if usual.as_os_str().len() > LONGEST_FOLDER { PathBuf::from("/tmp") } else { usual };
    let folder = tempfile::Builder::new()
        .prefix("tandem-demo-")
        .permissions(PermissionsExt::from_mode(0o700))
        .tempdir_in(&parent)
        .with_context(|| format!("no folder for the demo in {}", parent.display()))?;
    keys::generate(&folder.path().join(KEY))?;
    let text = configuration(&addresses(args.members)?, &args.protection);
    std::fs::write(folder.path().join(CONFIG), text).context("the demo's configuration cannot be written")?;
    Ok(folder)
}

/// Free addresses, chosen by the system, the lowest first.
fn addresses(members: u8) -> anyhow::Result<Vec<SocketAddr>> {
    let listeners: Vec<TcpListener> = (0..members)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()
        .context("no free port on 127.0.0.1")?;
    let mut addresses =
        listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>().context("no free port")?;
    addresses.sort();
    Ok(addresses)
}

fn configuration(addresses: &[SocketAddr], protection: &[String]) -> String {
    let members: String = NAMES
        .iter()
        .zip(addresses)
        .map(|(name, address)| format!("[[member]]\nname = \"{name}\"\naddresses = [\"{address}\"]\n\n"))
        .collect();
    let protection: Vec<String> = protection.iter().map(|word| format!("{:?}", word.trim())).collect();
    format!(
        "# Made by tandem demo, removed with it.\ngroup = \"demo\"\n\n{members}\
         [security]\nkey_file = \"{KEY}\"\n\n\
         [takeover]\nprotection = [{}]\n\n\
         [state]\ndirectory = \"state/{{member}}\"\n\n\
         [control]\nsocket = \"{{member}}.sock\"\nmode = \"0600\"\n",
        protection.join(", ")
    )
}

/// Another member of the demo, and its process while it has one.
struct Member {
    name: &'static str,
    config: PathBuf,
    child: Option<Child>,
}

impl Member {
    fn start(&mut self) -> anyhow::Result<()> {
        let folder = self.config.parent().unwrap_or(Path::new("."));
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{}.log", self.name)))
            .context("the member's log cannot be opened")?;
        let child = Command::new("/proc/self/exe")
            .arg("demo")
            .env(ROLE, "member")
            .env(PARENT, std::process::id().to_string())
            .env("TANDEM_CONFIG", &self.config)
            .env("TANDEM_MEMBER", self.name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    /// Its process, if it still runs; one that has ended is reaped.
    fn running(&mut self) -> anyhow::Result<Option<Pid>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        if child.try_wait()?.is_some() {
            self.child = None;
            return Ok(None);
        }
        Ok(Some(Pid::from_raw(i32::try_from(child.id())?)))
    }

    fn suffer(&mut self, fault: Fault) -> anyhow::Result<String> {
        let name = self.name;
        Ok(match (fault, self.running()?) {
            (Fault::Crash, Some(_)) => {
                self.kill();
                format!("{name} was killed")
            }
            (Fault::Freeze, Some(pid)) => {
                kill(pid, Signal::SIGSTOP)?;
                format!("{name} is frozen")
            }
            (Fault::Thaw, Some(pid)) => {
                kill(pid, Signal::SIGCONT)?;
                format!("{name} goes on")
            }
            (Fault::Crash | Fault::Freeze | Fault::Thaw, None) => format!("{name} does not run"),
            (Fault::Restart, _) => {
                self.kill();
                self.start()?;
                format!("{name} starts anew")
            }
        })
    }

    /// SIGKILL ends a stopped process too.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error says that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn u9_the_demos_configuration_is_one_that_runs() {
        for (members, protection) in [(2, vec![]), (3, vec!["majority".to_owned()]), (5, vec!["majority".to_owned()])] {
            let args = DemoArgs { members, protection };
            let folder = make_folder(&args).expect("a folder");
            let config = Config::load(&folder.path().join(CONFIG)).expect("a configuration without errors");
            let names: Vec<String> = config.members.iter().map(|member| member.name.to_string()).collect();
            assert_eq!(names, NAMES[..usize::from(members)], "the lowest address comes first");
            let mode = std::fs::metadata(folder.path()).expect("a folder").permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn u9_orders_name_a_fault_and_a_member() {
        let mut others = [Member { name: "beta", config: PathBuf::new(), child: None }];
        let (fault, member) = parse("freeze 0", &mut others).expect("an order");
        assert_eq!((fault, member.name), (Fault::Freeze, "beta"));
        assert!(parse("freeze 1", &mut others).is_none());
        assert!(parse("melt 0", &mut others).is_none());
        assert_eq!(others[0].suffer(Fault::Crash).expect("told"), "beta does not run");
    }
}

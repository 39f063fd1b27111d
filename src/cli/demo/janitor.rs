//! The demo's janitor: makes the folder, runs the other members, does the faults, and leaves nothing behind.
//!
//! It speaks in lines: first the folder's path and the relay's address; then, for every order such as `crash 0` or
//! `cut 1` (the number counts the other members), one line that says how the member stands and what came of it. The end
//! of its input is its end.

use std::fs::File;
use std::io::{BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid, setsid};
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

use crate::config::{Config, keys};
use crate::node::{self, Options};
use crate::ui::faults::{Cable, News, Process, Standing, Work};
use crate::ui::keys::{FAULTS, Fault};

use super::super::args::DemoArgs;
use super::super::exit::Exit;
use super::super::run::log_to_standard_error;
use super::relay::Relay;
use super::{ROLE, plant};

/// The members, the lowest address first.
pub const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
/// The key's name in the folder.
const KEY: &str = "group.key";
/// A socket's path may have 107 bytes; a folder longer than this leaves too few.
const LONGEST_FOLDER: usize = 70;
/// The members' port.
const PORT: u16 = 7400;
/// How often addresses are chosen before the demo gives up.
const TRIES: u32 = 16;
/// How long what a member ran may take to end before it is started anew.
const LAST_LIFE: Duration = Duration::from_secs(10);
/// Between two looks at that.
const LOOK: Duration = Duration::from_millis(5);
/// For a member: who must still be its parent.
const PARENT: &str = "TANDEM_DEMO_PARENT";
/// For a member: where it calls the others through.
const RELAY: &str = "TANDEM_DEMO_RELAY";

/// The word of an order.
pub fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::Crash => "crash",
        Fault::Freeze => "freeze",
        Fault::Thaw => "thaw",
        Fault::Restart => "restart",
        Fault::Cut => "cut",
        Fault::Slow => "slow",
        Fault::Mend => "mend",
        Fault::KillProcess => "kill-process",
        Fault::KeepDead => "keep-dead",
        Fault::Lag => "lag",
        Fault::Leak => "leak",
        Fault::Heal => "heal",
        Fault::ArbiterAway => "arbiter-away",
        Fault::ArbiterBack => "arbiter-back",
    }
}

/// The line that tells what came of an order: `MEMBER PROCESS CABLE WORK SENTENCE`.
fn told(member: usize, stands: Standing, text: &str) -> String {
    let process = match stands.process {
        Process::Runs => "runs",
        Process::Frozen => "frozen",
        Process::Killed => "killed",
    };
    let cable = match stands.cable {
        Cable::Whole => "whole",
        Cable::Slow => "slow",
        Cable::Cut => "cut",
    };
    let work = match stands.work {
        Work::Well => "well",
        Work::KeptDead => "dead",
        Work::Lags => "lags",
        Work::Leaks => "leaks",
    };
    format!("{member} {process} {cable} {work} {text}")
}

/// What a line of the janitor tells; none when it is not one.
pub fn news(line: &str) -> Option<News> {
    let mut words = line.splitn(5, ' ');
    let member = words.next()?.parse().ok()?;
    let process = match words.next()? {
        "runs" => Process::Runs,
        "frozen" => Process::Frozen,
        "killed" => Process::Killed,
        _ => return None,
    };
    let cable = match words.next()? {
        "whole" => Cable::Whole,
        "slow" => Cable::Slow,
        "cut" => Cable::Cut,
        _ => return None,
    };
    let work = match words.next()? {
        "well" => Work::Well,
        "dead" => Work::KeptDead,
        "lags" => Work::Lags,
        "leaks" => Work::Leaks,
        _ => return None,
    };
    Some(News::Happened { member, stands: Standing { process, cable, work }, text: words.next()?.to_owned() })
}

/// Runs until the input ends.
pub fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    // The terminal's Ctrl-C and its hang-up are not for the janitor.
    setsid().context("the janitor cannot have a session of its own")?;
    let addresses = addresses(args.members)?;
    // Its address is the reference address too: it answers whatever is cut.
    let relay = Relay::start(addresses.clone())?;
    let folder = make_folder(&addresses, relay.address(), args)?;
    let mut others = Vec::new();
    for (name, address) in NAMES.iter().zip(&addresses).skip(1) {
        let (config, relay) = (folder.path().join(plant::CONFIG), relay.address());
        others.push(Member { name, address: *address, config, relay, child: None, frozen: false, work: Work::Well });
    }
    // From here on every way out kills the members first, then ends the relay, then removes the folder: in the order of
    // dropping.
    let mut out = std::io::stdout();
    for member in &mut others {
        member.start()?;
    }
    writeln!(out, "{}\n{}", folder.path().display(), relay.address())?;
    out.flush()?;
    for order in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Some((fault, at)) = parse(&order, others.len()) else { continue };
        let text =
            suffer(fault, at, &mut others, &relay).unwrap_or_else(|error| format!("{}: {error:#}", others[at].name));
        let stands = Standing { process: others[at].process(), cable: relay.cable(at + 1), work: others[at].work };
        // Nobody reads any more: the input ends next.
        let _ = writeln!(out, "{}", told(at, stands, &text)).and_then(|()| out.flush());
    }
    drop(others);
    drop(relay);
    super::remove(&folder.keep())?;
    Ok(Exit::Done)
}

/// A member's process becomes the controller, tied to the janitor: if that is killed, so is this.
pub fn become_member() -> anyhow::Result<Exit> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).context("the member cannot be tied to the janitor")?;
    // It may have been killed just before.
    let parent = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    anyhow::ensure!(parent == Some(getppid()), "the janitor is gone");
    let (Some(config), Some(name), Some(relay)) =
        (std::env::var_os("TANDEM_CONFIG"), std::env::var("TANDEM_MEMBER").ok(), std::env::var(RELAY).ok())
    else {
        anyhow::bail!("not to be called by hand")
    };
    let config = Config::load(Path::new(&config))?;
    let me = config.which_member(Some(&name))?;
    let _log = log_to_standard_error();
    let detour = Some(relay.parse().context("the relay's address makes no sense")?);
    node::run(&config, me, Options { detour, ..Options::default() })?;
    Ok(Exit::Done)
}

fn parse(order: &str, others: usize) -> Option<(Fault, usize)> {
    let (said, number) = order.split_once(' ')?;
    let fault = FAULTS.iter().map(|key| key.fault).find(|fault| word(*fault) == said)?;
    Some((fault, number.parse::<usize>().ok().filter(|at| *at < others)?))
}

fn suffer(fault: Fault, at: usize, others: &mut [Member], relay: &Relay) -> anyhow::Result<String> {
    let name = others[at].name;
    // The relay counts alpha too.
    let cable = |cable, text: &str| {
        relay.set(at + 1, cable);
        Ok(format!("{name}'s link {text}"))
    };
    match fault {
        Fault::Cut => cable(Cable::Cut, "is cut"),
        Fault::Slow => cable(Cable::Slow, "is slow"),
        Fault::Mend => cable(Cable::Whole, "is whole"),
        Fault::Crash | Fault::Freeze | Fault::Thaw | Fault::Restart => others[at].suffer(fault),
        Fault::ArbiterAway => plant::move_arbiter(others[at].folder(), plant::Arbiter::Away),
        Fault::ArbiterBack => plant::move_arbiter(others[at].folder(), plant::Arbiter::Back),
        Fault::KillProcess | Fault::KeepDead | Fault::Lag | Fault::Leak | Fault::Heal => {
            let (work, text) = plant::suffer(others[at].folder(), name, fault)?;
            others[at].work = work.unwrap_or(others[at].work);
            Ok(text)
        }
    }
}

fn make_folder(addresses: &[SocketAddr], reference: SocketAddr, args: &DemoArgs) -> anyhow::Result<TempDir> {
    let usual = std::env::temp_dir();
    let parent = if usual.as_os_str().len() > LONGEST_FOLDER { PathBuf::from("/tmp") } else { usual };
    let folder = tempfile::Builder::new()
        .prefix("tandem-demo-")
        .permissions(PermissionsExt::from_mode(0o700))
        .tempdir_in(&parent)
        .with_context(|| format!("no folder for the demo in {}", parent.display()))?;
    keys::generate(&folder.path().join(KEY))?;
    let text = configuration(addresses, reference, &args.protection, folder.path())?;
    std::fs::create_dir(folder.path().join(plant::SHARED)).context("the arbiter's folder cannot be made")?;
    plant::install(folder.path())?;
    std::fs::write(folder.path().join(plant::CONFIG), text).context("the demo's configuration cannot be written")?;
    Ok(folder)
}

/// Addresses on this machine that nothing else listens on, the lowest first. Linux answers on all of 127.0.0.0/8, so
/// each demo takes IP addresses of its own and one fixed port below those that the system gives to outgoing
/// connections: a member that is restarted finds its port free.
fn addresses(members: u8) -> anyhow::Result<Vec<SocketAddr>> {
    let mut last = None;
    for _ in 0..TRIES {
        let [high, low, ..] = getrandom::u32().context("the system gives no random numbers")?.to_be_bytes();
        // Always three digits, so that every demo looks alike; and not 127.0, which others use.
        let network = [100 + high % 100, 100 + low % 100];
        let own = |n| SocketAddr::from(([127, network[0], network[1], n], PORT));
        let addresses: Vec<SocketAddr> = (1..=members).map(own).collect();
        match addresses.iter().map(TcpListener::bind).collect::<Result<Vec<_>, _>>() {
            Ok(_) => return Ok(addresses),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| anyhow::anyhow!("never tried"), anyhow::Error::from))
        .context("no free address in 127.0.0.0/8")
}

fn configuration(
    addresses: &[SocketAddr],
    reference: SocketAddr,
    protection: &[String],
    folder: &Path,
) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("the demo's own program cannot be found")?;
    let what_runs = plant::configuration(&program, folder, &NAMES[..addresses.len()])?;
    let members: String = NAMES
        .iter()
        .zip(addresses)
        .map(|(name, address)| format!("[[member]]\nname = \"{name}\"\naddresses = [\"{address}\"]\n\n"))
        .collect();
    let asked = |word: &str| protection.iter().any(|one| one.trim() == word);
    let mut guards = String::new();
    if asked("arbiter") {
        guards += &format!("[arbiter]\nkind = \"file\"\ndirectory = \"{}\"\nlease = \"3s\"\n\n", plant::SHARED);
    }
    if asked("reachability") {
        guards += &format!("[reachability]\ntargets = [\"tcp://{reference}\"]\n\n");
    }
    let protection: Vec<String> = protection.iter().map(|word| format!("{:?}", word.trim())).collect();
    Ok(format!(
        "# Made by tandem demo, removed with it.\ngroup = \"demo\"\n\n{members}\
         [security]\nkey_file = \"{KEY}\"\n\n\
         [takeover]\nprotection = [{}]\nsick_for = \"10s\"\nmax_per_hour = 100\n\n\
         [state]\ndirectory = \"state/{{member}}\"\n\n\
         [control]\nsocket = \"{{member}}.sock\"\nmode = \"0600\"\n\n{guards}{what_runs}",
        protection.join(", ")
    ))
}

/// Another member of the demo, and its process while it has one.
struct Member {
    name: &'static str,
    address: SocketAddr,
    config: PathBuf,
    relay: SocketAddr,
    child: Option<Child>,
    frozen: bool,
    work: Work,
}

impl Member {
    fn start(&mut self) -> anyhow::Result<()> {
        when_free(self.address, LAST_LIFE).with_context(|| format!("{} cannot be started", self.name))?;
        let folder = self.folder();
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{}.log", self.name)))
            .context("the member's log cannot be opened")?;
        let child = Command::new("/proc/self/exe")
            .arg0(env!("CARGO_PKG_NAME"))
            .arg("demo")
            .env(ROLE, "member")
            .env(PARENT, std::process::id().to_string())
            .env("TANDEM_CONFIG", &self.config)
            .env("TANDEM_MEMBER", self.name)
            .env(RELAY, self.relay.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.name))?;
        let pid = child.id();
        self.child = Some(child);
        plant::is_at(self.folder(), self.name, pid)
    }

    fn folder(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new("."))
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

    fn process(&mut self) -> Process {
        match self.running() {
            Ok(Some(_)) if self.frozen => Process::Frozen,
            // Not to be told apart: then what was started is taken to run.
            Ok(Some(_)) | Err(_) => Process::Runs,
            Ok(None) => Process::Killed,
        }
    }

    fn suffer(&mut self, fault: Fault) -> anyhow::Result<String> {
        let name = self.name;
        let text = match (fault, self.running()?) {
            (Fault::Crash, Some(_)) => {
                self.kill();
                "was killed"
            }
            (Fault::Freeze, Some(pid)) => {
                kill(pid, Signal::SIGSTOP)?;
                self.frozen = true;
                "is frozen"
            }
            (Fault::Thaw, Some(_)) if !self.frozen => "is not frozen",
            (Fault::Thaw, Some(pid)) => {
                kill(pid, Signal::SIGCONT)?;
                self.frozen = false;
                "goes on"
            }
            (Fault::Crash | Fault::Freeze | Fault::Thaw, None) => "does not run",
            (Fault::Restart, _) => {
                self.kill();
                self.start()?;
                "starts anew"
            }
            (Fault::Cut | Fault::Slow | Fault::Mend, _) => "has a cable for that, not a process",
            (Fault::ArbiterAway | Fault::ArbiterBack, _) => "is no arbiter",
            (Fault::KillProcess | Fault::KeepDead | Fault::Lag | Fault::Leak | Fault::Heal, _) => {
                "has required processes for that"
            }
        };
        Ok(format!("{name} {text}"))
    }

    /// SIGKILL ends a stopped process too.
    fn kill(&mut self) {
        self.frozen = false;
        if let Some(mut child) = self.child.take() {
            // An error says that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until nobody listens on a member's address: its guardian, which outlives it, does until all that it ran is dead,
/// and a controller that finds its address taken does not start.
fn when_free(address: SocketAddr, within: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + within;
    loop {
        match can_be_had(address) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < until => {
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(error).context("what ran before has not ended"),
        }
    }
}

/// Whether a listener could have an address. Nobody who calls meanwhile is answered by this one.
fn can_be_had(address: SocketAddr) -> std::io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn u9_what_the_janitor_tells_is_what_the_demo_reads() {
        let stands = Standing { process: Process::Frozen, cable: Cable::Slow, work: Work::Leaks };
        let line = told(1, stands, "gamma is frozen");
        assert_eq!(news(&line), Some(News::Happened { member: 1, stands, text: "gamma is frozen".to_owned() }));
        assert_eq!(news("tandem: gamma cannot be started"), None);
        for fault in FAULTS.iter().map(|key| key.fault) {
            assert_eq!(parse(&format!("{} 1", word(fault)), 2), Some((fault, 1)));
        }
        assert_eq!(parse("crash 2", 2), None);
        assert_eq!(parse("melt 0", 2), None);
    }

    #[test]
    fn u9_a_member_is_started_anew_only_when_its_last_life_has_ended() {
        let last = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = last.local_addr().expect("an address");
        let early = when_free(address, Duration::from_millis(20)).expect_err("the last one still listens");
        assert!(format!("{early:#}").starts_with("what ran before has not ended: "), "{early:#}");
        let waits = std::thread::spawn(move || when_free(address, Duration::from_secs(60)));
        drop(last);
        waits.join().expect("joined").expect("nobody listens any more");
    }

    #[test]
    fn u9_the_demos_configuration_is_one_that_runs() {
        for (members, protection) in [
            (2, vec![]),
            (3, vec!["majority".to_owned()]),
            (5, vec!["majority".to_owned()]),
            (2, vec!["fence".to_owned()]),
            (2, vec!["fence".to_owned(), "arbiter".to_owned()]),
            (3, vec!["arbiter".to_owned(), "reachability".to_owned()]),
        ] {
            let args = DemoArgs { members, protection };
            let addresses = addresses(members).expect("free ports");
            let reference = SocketAddr::from(([127, 0, 0, 1], 1));
            let folder = make_folder(&addresses, reference, &args).expect("a folder");
            let config = Config::load(&folder.path().join(plant::CONFIG)).expect("a configuration without errors");
            let names: Vec<String> = config.members.iter().map(|member| member.name.to_string()).collect();
            assert_eq!(names, NAMES[..usize::from(members)], "the lowest address comes first");
            let mode = std::fs::metadata(folder.path()).expect("a folder").permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }
}

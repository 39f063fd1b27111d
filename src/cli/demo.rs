//! `tandem demo`: a whole group on this machine, to play with (U9). No configuration, and nothing is left behind.
//!
//! Three kinds of processes, and before the first its stand-in ([`stand_in`]): this one runs `alpha` and the screen; a
//! janitor ([`janitor`]) makes the folder, runs the other members and holds the cables between all ([`relay`]); each of
//! the members is an ordinary controller without a screen, which this process watches over its control socket
//! ([`watcher`]). What the members run, and how it is made sick, is [`plant`]. The janitor holds one end of a pipe from this process: however this process ends, also by SIGKILL, the
//! pipe closes, and the janitor kills the members and removes the folder. If the janitor itself is killed, the kernel
//! kills its members, and this process removes the folder.

mod janitor;
mod plant;
mod relay;
mod watcher;

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::ui::faults::News;
use crate::ui::keys::Fault;
use crate::ui::{self, FaultPanel, stand_in};

use super::args::{DemoArgs, Global};
use super::exit::Exit;
use super::run::exit_of;
use super::with_screen::{self, WhenLeft};

/// Set in the janitor and the members: which of them a process is.
const ROLE: &str = "TANDEM_DEMO_ROLE";
/// How long what a killed member ran may still write into the folder, and more.
const WRITES: Duration = Duration::from_secs(3);
/// Between two tries to remove the folder.
const AGAIN: Duration = Duration::from_millis(20);

/// Runs the demo, or the part of it that this process is.
pub fn run(_global: &Global, args: &DemoArgs) -> anyhow::Result<Exit> {
    match std::env::var(ROLE).ok().as_deref() {
        Some("janitor") => return janitor::run(args),
        Some("member") => return janitor::become_member(),
        Some(_) | None => {}
    }
    if !ui::terminal::can_draw() {
        crate::complain!("tandem: the demo needs a terminal to draw on");
        return Ok(Exit::Usage);
    }
    // Whatever ends the demo, its stand-in gives the terminal back. Before any thread and any file.
    match stand_in::enter()? {
        stand_in::Role::Over(code) => return Ok(exit_of(code)),
        stand_in::Role::Engine => {}
    }
    let (group, faults) = Group::start(args)?;
    let ended = run_alpha(&group.config, faults, group.relay);
    let cleaned = group.end();
    let exit = ended?;
    cleaned?;
    Ok(exit)
}

/// The janitor and what it made.
struct Group {
    folder: PathBuf,
    config: PathBuf,
    relay: SocketAddr,
    janitor: Child,
    orders: JoinHandle<()>,
    news: JoinHandle<()>,
    watcher: JoinHandle<()>,
}

impl Group {
    fn start(args: &DemoArgs) -> anyhow::Result<(Group, FaultPanel)> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0(env!("CARGO_PKG_NAME"));
        command.args(["demo", "--members", &args.members.to_string()]);
        if !args.protection.is_empty() {
            command.args(["--protection", &args.protection.join(",")]);
        }
        let mut janitor = command
            .env(ROLE, "janitor")
            .env_remove("TANDEM_CONFIG")
            .env_remove("TANDEM_MEMBER")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the demo's janitor cannot be started")?;
        let (Some(stdin), Some(stdout)) = (janitor.stdin.take(), janitor.stdout.take()) else {
            bail!("the demo's janitor has no pipes");
        };
        let mut stdout = BufReader::new(stdout);
        let mut folder = String::new();
        stdout.read_line(&mut folder).context("the demo's janitor says nothing")?;
        let folder = PathBuf::from(folder.trim_end());
        if !folder.is_absolute() {
            let status = janitor.wait().context("the demo's janitor cannot be waited for")?;
            bail!("the demo's janitor could not make the group ({status})");
        }
        let mut relay = String::new();
        stdout.read_line(&mut relay).context("the demo's janitor says too little")?;
        let relay = relay.trim_end().parse().context("the demo's relay has no address")?;
        let (orders, ordered) = mpsc::channel(4);
        let (tell, news) = mpsc::channel(16);
        let others: Vec<String> =
            janitor::NAMES[1..usize::from(args.members)].iter().map(|name| (*name).to_owned()).collect();
        let sockets = others.iter().map(|name| folder.join(format!("{name}.sock"))).collect();
        let watcher = watcher::watch(sockets, tell.clone())?;
        let group = Group {
            config: folder.join(plant::CONFIG),
            folder,
            relay,
            janitor,
            watcher,
            orders: thread("orders", move || pass_orders(ordered, stdin))?,
            news: thread("news", move || {
                for news in stdout.lines().map_while(Result::ok).filter_map(|line| janitor::news(&line)) {
                    if tell.blocking_send(news).is_err() {
                        return;
                    }
                }
                // The screen may be gone too: this is the usual end.
                let _ = tell.blocking_send(News::Over(
                    "the demo's janitor is gone, and the others with it: q ends the demo".to_owned(),
                ));
            })?,
        };
        Ok((group, FaultPanel { members: others, orders, news }))
    }

    /// Ends the members and removes the folder. The screen's end of the faults must be gone.
    fn end(mut self) -> anyhow::Result<()> {
        // The thread of the orders holds the pipe; it ends with the screen.
        self.orders.join().map_err(|_| anyhow::anyhow!("the thread of the demo's orders has panicked"))?;
        let status = self.janitor.wait().context("the demo's janitor cannot be waited for")?;
        self.news.join().map_err(|_| anyhow::anyhow!("the thread of the demo's news has panicked"))?;
        self.watcher.join().map_err(|_| anyhow::anyhow!("the thread that watches the members has panicked"))?;
        if !status.success() && self.folder.exists() {
            remove(&self.folder)?;
        }
        Ok(())
    }
}

/// Removes the folder. What killed members ran is ended by their guardians within half a second, and may write until
/// then.
fn remove(folder: &Path) -> anyhow::Result<()> {
    let until = Instant::now() + WRITES;
    loop {
        match std::fs::remove_dir_all(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(_) if Instant::now() < until => std::thread::sleep(AGAIN),
            Err(error) => {
                return Err(error).with_context(|| format!("the demo's folder {} stays behind", folder.display()));
            }
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).context("a thread of the demo cannot be started")
}

fn pass_orders(mut ordered: mpsc::Receiver<(Fault, usize)>, mut janitor: ChildStdin) {
    while let Some((fault, member)) = ordered.blocking_recv() {
        if writeln!(janitor, "{} {member}", janitor::word(fault)).and_then(|()| janitor.flush()).is_err() {
            return;
        }
    }
}

/// Runs `alpha` and the screen in this process until the screen is left.
fn run_alpha(file: &Path, faults: FaultPanel, relay: SocketAddr) -> anyhow::Result<Exit> {
    let config = Config::load(file)?;
    let me = config.which_member(Some(janitor::NAMES[0]))?;
    with_screen::run(&config, me, WhenLeft::Ends(faults, relay))?;
    Ok(Exit::Done)
}

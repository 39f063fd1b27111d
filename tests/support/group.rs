//! A whole group as its users run it: a configuration file, a key, and `tandem run --headless` for each member, spoken
//! to over its control socket. Everything is stopped, reaped and removed with the [`Group`].

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tandem::control::client::Client;
use tandem::control::plan::Action;
use tandem::control::request::{Outcome, Reply, Request};
use tandem::control::status::{Mode, Status};
use tandem::journal::{Entry, Record};
use tandem::negotiation::decision::{Decision, Rule};

use crate::support::{self, Folder, Running, addresses, tandem, temporary_folder, write};

/// The members' names, in the order of their addresses.
pub const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];

/// Longer than any takeover with the default times; on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A group of controllers on this machine.
pub struct Group {
    folder: Folder,
    pub config: PathBuf,
    pub addresses: Vec<SocketAddr>,
    members: Vec<Option<Running>>,
    configs: Vec<PathBuf>,
    around: Vec<Vec<String>>,
}

impl Group {
    /// `count` members on loopback addresses of their own, not started yet. `more` is appended to the configuration.
    pub fn new(count: usize, more: &str) -> Group {
        let addresses = addresses(u8::try_from(count).expect("a handful"));
        Group::at(addresses.into_iter().map(|address| vec![address]).collect(), more)
    }

    /// The same, on these addresses: for each member all of its own.
    pub fn at(addresses: Vec<Vec<SocketAddr>>, more: &str) -> Group {
        let folder = temporary_folder();
        let mut text = String::from("group = \"test\"\n");
        for (name, own) in NAMES.iter().zip(&addresses) {
            let own: Vec<String> = own.iter().map(|address| format!("\"{address}\"")).collect();
            write!(text, "[[member]]\nname = \"{name}\"\naddresses = [{}]\n", own.join(", ")).expect("a string grows");
        }
        text.push_str("[security]\nkey_file = \"group.key\"\n[state]\ndirectory = \"state-{member}\"\n");
        text.push_str("[control]\nsocket = \"{member}.sock\"\n");
        text.push_str(more);
        let config = write(folder.path(), "tandem.toml", &text);
        let key = folder.path().join("group.key");
        let made = tandem(&["keygen", &key.display().to_string()]).output().expect("the binary starts");
        assert!(made.status.success(), "{}", support::stderr(&made));
        let members = addresses.iter().map(|_| None).collect();
        let addresses: Vec<SocketAddr> = addresses.iter().map(|own| own[0]).collect();
        let configs = addresses.iter().map(|_| config.clone()).collect();
        let around = addresses.iter().map(|_| Vec::new()).collect();
        Group { folder, config, addresses, members, configs, around }
    }

    /// Gives a member a configuration of its own (N8).
    pub fn use_config(&mut self, member: usize, config: PathBuf) {
        self.configs[member] = config;
    }

    /// Gives a member a configuration of its own, made from the group's by `change`; returns where it is.
    pub fn change_config(&mut self, member: usize, change: impl FnOnce(String) -> String) -> PathBuf {
        let text = std::fs::read_to_string(&self.config).expect("the group's configuration");
        let path = write(self.folder.path(), &format!("{}.toml", NAMES[member]), &change(text));
        self.use_config(member, path.clone());
        path
    }

    /// Starts a member from now on through another program, such as `ip netns exec`, that becomes it (the same pid).
    pub fn run_through(&mut self, member: usize, words: &[&str]) {
        self.around[member] = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// A member's state directory.
    pub fn state(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("state-{}", NAMES[member]))
    }

    /// What a member's journal holds so far.
    pub fn journal(&self, member: usize) -> Vec<Record> {
        tandem::journal::read(&self.state(member)).expect("a journal").collect()
    }

    /// What a member has decided so far, by its journal. That is written beside the loop: it is waited for until it tells
    /// of the decision that the status gives as the last, unless that is the boot itself.
    pub fn decisions(&self, member: usize) -> Vec<Decision> {
        let last = self.status(member).reason;
        let mut decisions: Vec<Decision> = Vec::new();
        support::wait_until(PATIENCE, "the journal tells of the last decision", || {
            let decision = |record: Record| match record.entry {
                Entry::Decision(decision) => Some(decision),
                _ => None,
            };
            decisions = self.journal(member).into_iter().filter_map(decision).collect();
            last.rule == Rule::Booted.word() || decisions.iter().any(|decision| decision.rule.text() == last.text)
        });
        decisions
    }

    /// For a test that damages what was recorded.
    pub fn with_false_recordings(&mut self) {
        self.folder.with_false_recordings();
    }

    /// The folder that holds everything of the group.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command that starts a member, without the screen.
    pub fn command(&self, member: usize) -> std::process::Command {
        let config = self.configs[member].display().to_string();
        let mut command = tandem(&["run", "--headless", "--config", &config, "--as", NAMES[member]]);
        if let [program, arguments @ ..] = &self.around[member][..] {
            let inner = std::mem::replace(&mut command, std::process::Command::new(program));
            command.args(arguments).arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
            for (name, _) in inner.get_envs() {
                command.env_remove(name);
            }
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log(member)).expect("a log file");
        command.stdout(Stdio::null()).stderr(log);
        command
    }

    /// Where a member's standard error goes.
    pub fn log(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("{}.log", NAMES[member]))
    }

    /// Starts a member and does not wait.
    pub fn start(&mut self, member: usize) {
        self.members[member] = Some(Running::start(self.command(member)));
    }

    /// Starts all, the lowest address first, each as soon as the one before answers: however slow the machine is, the first
    /// listens when the others call, and none of them takes it for absent. `tests/boot.rs` has every other order.
    pub fn start_all(&mut self) {
        for member in 0..self.members.len() {
            self.start(member);
            self.client(member);
        }
    }

    /// The member's process.
    pub fn running(&mut self, member: usize) -> &mut Running {
        self.members[member].as_mut().expect("it was started")
    }

    /// Sends a member a signal.
    pub fn signal(&self, member: usize, signal: nix::sys::signal::Signal) {
        self.members[member].as_ref().expect("it was started").signal(signal);
    }

    /// Kills a member as a crash would, and reaps it.
    pub fn kill(&mut self, member: usize) {
        self.members[member] = None;
    }

    /// Stops a member and waits for its end.
    pub fn stop(&mut self, member: usize) -> std::process::ExitStatus {
        self.signal(member, nix::sys::signal::Signal::SIGTERM);
        let status = self.running(member).wait(PATIENCE);
        self.members[member] = None;
        status
    }

    /// The member's control socket.
    pub fn socket(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("{}.sock", NAMES[member]))
    }

    /// Connects to a member, waiting for its socket.
    pub fn client(&self, member: usize) -> Client {
        let started = Instant::now();
        loop {
            match Client::open(&self.socket(member)) {
                Ok(client) => return client,
                Err(error) => {
                    let log = std::fs::read_to_string(self.log(member)).unwrap_or_default();
                    assert!(started.elapsed() < PATIENCE, "{} does not answer: {error}\n{log}", NAMES[member]);
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }

    /// A member's status.
    pub fn status(&self, member: usize) -> Status {
        match self.client(member).ask(&Request::Status, PATIENCE).expect("a status") {
            Reply::Status(status) => std::sync::Arc::unwrap_or_clone(status),
            other => panic!("not a status: {other:?}"),
        }
    }

    /// Watches a member until its status is as wanted; returns it and when it came.
    pub fn wait(&self, member: usize, what: &str, wanted: impl FnMut(&Status) -> bool) -> (Status, Instant) {
        self.watch(member).until(PATIENCE, what, wanted)
    }

    /// A watch on a member's statuses.
    pub fn watch(&self, member: usize) -> Watch {
        let mut client = self.client(member);
        client.send(&Request::Watch { screen: None }).expect("a request");
        Watch { client, name: NAMES[member] }
    }

    /// Waits until exactly one of the started members is Primary and every other knows it; returns which.
    pub fn settle(&self) -> usize {
        let started = Instant::now();
        let up: Vec<usize> = (0..self.members.len()).filter(|member| self.members[*member].is_some()).collect();
        loop {
            let statuses: Vec<Status> = up.iter().map(|member| self.status(*member)).collect();
            let primaries: Vec<usize> =
                up.iter().zip(&statuses).filter(|(_, status)| status.mode == Mode::Primary).map(|(m, _)| *m).collect();
            if let [primary] = primaries[..] {
                let name = NAMES[primary];
                let known = statuses.iter().all(|status| {
                    status.node == name
                        || status.peers.iter().any(|peer| peer.name == name && peer.mode == Some(Mode::Primary))
                });
                if known {
                    return primary;
                }
            }
            assert!(started.elapsed() < PATIENCE, "no agreement: {statuses:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Opens a plan and confirms it by its number, as an operator does; returns the outcome.
    pub fn act(&self, member: usize, action: Action) -> Outcome {
        let mut client = self.client(member);
        let plan = match client.ask(&Request::Open { action }, PATIENCE).expect("a plan") {
            Reply::Plan(plan) => plan,
            other => panic!("no plan: {other:?}"),
        };
        let force = plan.force_by_typing.clone();
        match client.ask(&Request::Confirm { plan: plan.number, force }, PATIENCE).expect("an outcome") {
            Reply::Outcome(outcome) => outcome,
            other => panic!("no outcome: {other:?}"),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A disk that only the member sees is gone with it.
        if !std::thread::panicking() {
            for member in (0..self.members.len()).filter(|member| !self.around[*member].is_empty()) {
                if let Some(running) = &self.members[member] {
                    let seen = PathBuf::from(format!("/proc/{}/root", running.pid()));
                    let state = self.state(member);
                    support::recordings::replay_all(&seen.join(state.strip_prefix("/").unwrap_or(&state)));
                }
            }
        }
        // Before the folder goes, whose recordings are replayed then.
        self.members.clear();
    }
}

/// Statuses as they change.
pub struct Watch {
    client: Client,
    name: &'static str,
}

impl Watch {
    /// Reads statuses until one is as wanted, and says when it came.
    pub fn until(
        &mut self,
        patience: Duration,
        what: &str,
        mut wanted: impl FnMut(&Status) -> bool,
    ) -> (Status, Instant) {
        let started = Instant::now();
        let mut last = None;
        loop {
            let left = patience.saturating_sub(started.elapsed());
            assert!(!left.is_zero(), "{}: after {patience:?} still not: {what}; last: {last:#?}", self.name);
            match self.client.next(left) {
                Ok(Reply::Status(status)) => {
                    let now = Instant::now();
                    if wanted(&status) {
                        return (std::sync::Arc::unwrap_or_clone(status), now);
                    }
                    last = Some(status);
                }
                Ok(_) => {}
                Err(error) => panic!("{}: waiting for {what}: {error}; last: {last:#?}", self.name),
            }
        }
    }

    /// Reads statuses until one is as wanted, or until the controller is gone.
    pub fn until_or_its_end(&mut self, patience: Duration, what: &str, mut wanted: impl FnMut(&Status) -> bool) {
        let started = Instant::now();
        loop {
            let left = patience.saturating_sub(started.elapsed());
            assert!(!left.is_zero(), "{}: after {patience:?} still not: {what}", self.name);
            match self.client.next(left) {
                Ok(Reply::Status(status)) if wanted(&status) => return,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

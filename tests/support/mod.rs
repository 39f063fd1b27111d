//! What the tests of the program share: a temporary folder, free ports, the `tandem` binary as a child that is always
//! reaped, waiting for an event with a deadline, and parts of the machine that not every machine has.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

pub mod recordings;
pub mod reference;

pub use recordings::Folder;

/// A part of the machine that some tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Making network namespaces, veth pairs and bridges: needs root and `ip`.
    NetworkNamespaces,
    /// Firewall rules inside such a namespace: needs `nft`.
    Firewall,
    /// File systems that only one process sees: needs root and `unshare`.
    PrivateMounts,
    /// `systemd-analyze`, which checks unit files.
    SystemdAnalyze,
    /// The address ::1.
    Ipv6,
    /// The terminal multiplexer tmux.
    Tmux,
    /// The terminal multiplexer GNU screen.
    Screen,
    /// A simulated chassis and the agent that switches it: `ipmi_sim`, `ipmitool` and `fence_ipmilan`.
    FenceAgents,
    /// `promtool`, Prometheus' own checker of metrics and rules.
    Promtool,
    /// `pkill` and `pgrep`.
    Pkill,
    /// A disk that can be made to stall: a file as an ext4 file system, mounted, and `fsfreeze`.
    StallingDisk,
    /// Control groups of version 2, which may be made: needs root, or a folder that was handed over.
    ControlGroups,
    /// `python3`, as a service to supervise.
    Python,
    /// The servers of etcd, `etcdctl`, and `openssl` for their certificates.
    Etcd,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::NetworkNamespaces => "network namespaces",
            Part::Firewall => "firewall rules in a network namespace",
            Part::PrivateMounts => "private mounts",
            Part::SystemdAnalyze => "systemd-analyze",
            Part::Ipv6 => "IPv6",
            Part::Tmux => "tmux",
            Part::Screen => "GNU screen",
            Part::FenceAgents => "fence agents and a chassis for them",
            Part::Promtool => "promtool",
            Part::Pkill => "pkill",
            Part::StallingDisk => "a disk that can be made to stall",
            Part::ControlGroups => "control groups",
            Part::Python => "python3",
            Part::Etcd => "etcd",
        }
    }

    /// Whether it is there; asked once a process.
    fn probe(self) -> Result<(), String> {
        static FOUND: [OnceLock<Result<(), String>>; 14] = [const { OnceLock::new() }; 14];
        let (slot, look): (usize, fn() -> Result<(), String>) = match self {
            Part::NetworkNamespaces => (0, namespaces),
            Part::Firewall => (1, firewall),
            Part::SystemdAnalyze => (2, || succeeds("systemd-analyze", &["--version"])),
            Part::Tmux => (5, || succeeds("tmux", &["-V"])),
            Part::FenceAgents => (8, fence_agents),
            Part::Screen => (6, || succeeds("screen", &["--version"])),
            Part::Promtool => (7, || succeeds("promtool", &["--version"])),
            Part::Pkill => (9, || succeeds("pkill", &["--version"])),
            Part::Python => (10, || succeeds("python3", &["--version"])),
            Part::StallingDisk => (11, stalling_disk),
            Part::Etcd => (12, etcd),
            Part::ControlGroups => (13, control_groups),
            Part::PrivateMounts => (4, || succeeds("unshare", &["-m", "mount", "-t", "tmpfs", "none", "/mnt"])),
            Part::Ipv6 => (3, || TcpListener::bind("[::1]:0").map(drop).map_err(|error| error.to_string())),
        };
        FOUND[slot].get_or_init(look).clone()
    }
}

fn control_groups() -> Result<(), String> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let (group, mounts) = (read("/proc/self/cgroup")?, read("/proc/mounts")?);
    let own = group.lines().find_map(|line| line.strip_prefix("0::")).ok_or("no hierarchy of version 2")?;
    let mount = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| words[2] == "cgroup2");
    let mount = mount.ok_or("version 2 is not mounted")?[1].to_owned();
    let made = Path::new(&mount).join(own.trim_start_matches('/')).join(format!("tandem-test-{}", std::process::id()));
    std::fs::create_dir(&made).map_err(|error| format!("{}: {error}", made.display()))?;
    let kills = made.join("cgroup.kill").exists();
    std::fs::remove_dir(&made).map_err(|error| error.to_string())?;
    if kills { Ok(()) } else { Err("this kernel has no cgroup.kill".to_owned()) }
}

/// Whether `part` is there. When not, says what is left out and why: on standard error past the test harness, which
/// would hide it, and in the file named by TANDEM_LEFT_OUT, from which `tests/run` prints a summary.
pub fn require(part: Part) -> bool {
    let Err(why) = part.probe() else { return true };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("left out: {}: {test} ({why})\n", part.name());
    // Not eprint!, which the harness catches and shows only for tests that fail.
    drop(std::io::stderr().write_all(line.as_bytes()));
    if let Some(path) = std::env::var_os("TANDEM_LEFT_OUT") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        drop(file.and_then(|mut file| file.write_all(line.as_bytes())));
    }
    false
}

fn succeeds(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{program} {}: {}", arguments.join(" "), said.lines().next().unwrap_or("failed").trim()))
        }
    }
}

/// A namespace of its own name, a veth pair and a bridge in it: made, and removed again with the namespace.
fn namespaces() -> Result<(), String> {
    let name = format!("tandem-probe-{}", std::process::id());
    succeeds("ip", &["netns", "add", &name])?;
    let inside = succeeds("ip", &["-n", &name, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"])
        .and_then(|()| succeeds("ip", &["-n", &name, "link", "add", "probebr", "type", "bridge"]))
        // What the tests do all the time: a program run inside.
        .and_then(|()| succeeds("ip", &["netns", "exec", &name, "true"]));
    let removed = succeeds("ip", &["netns", "delete", &name]);
    inside.and(removed)
}

fn fence_agents() -> Result<(), String> {
    succeeds("/usr/sbin/fence_ipmilan", &["-V"])?;
    succeeds("ipmitool", &["-V"])?;
    // It has no question to which it answers without a configuration.
    let found = ["/usr/bin/ipmi_sim", "/usr/local/bin/ipmi_sim"].iter().any(|path| Path::new(path).exists());
    if found { Ok(()) } else { Err("there is no ipmi_sim".to_owned()) }
}

fn stalling_disk() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Made, mounted where nobody else sees it, stalled and let go.
    let all = "truncate -s 8M $0/disk && mkfs.ext4 -q -F $0/disk && mkdir $0/at && mount -o loop $0/disk $0/at && \
               fsfreeze -f $0/at && fsfreeze -u $0/at && umount $0/at";
    succeeds("unshare", &["-m", "sh", "-c", all, &folder.path().display().to_string()])
}

fn etcd() -> Result<(), String> {
    succeeds("etcd", &["--version"])?;
    succeeds("etcdctl", &["version"])?;
    succeeds("openssl", &["version"])
}

fn firewall() -> Result<(), String> {
    namespaces()?;
    let name = format!("tandem-probe-fw-{}", std::process::id());
    succeeds("ip", &["netns", "add", &name])?;
    let inside = succeeds("ip", &["netns", "exec", &name, "nft", "add", "table", "inet", "probe"]);
    let removed = succeeds("ip", &["netns", "delete", &name]);
    inside.and(removed)
}

/// A folder that goes with the test, after what controllers recorded in it has been replayed.
pub fn temporary_folder() -> Folder {
    Folder::new()
}

/// Writes `content` into `name` in `folder`.
pub fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file in the temporary folder can be written");
    path
}

/// `count` addresses on this machine that no other test uses, in rising order: the first is the lowest, so who listens
/// is known (N2). Linux answers on all of 127.0.0.0/8; each program of tests takes a block of it for itself, and so can use
/// one fixed port below the range from which the system takes ports for outgoing connections.
pub fn addresses(count: u8) -> Vec<SocketAddr> {
    static TAKEN: AtomicU8 = AtomicU8::new(0);
    static BLOCK: OnceLock<([u8; 2], u16, UdpSocket)> = OnceLock::new();
    let ([high, low], port, _) = BLOCK.get_or_init(own_block);
    let first = TAKEN.fetch_add(count, Ordering::Relaxed);
    assert!(first.checked_add(count).is_some_and(|last| last < 254), "one test file has 253 addresses");
    (1..=count).map(|n| SocketAddr::from(([127, *high, *low, first + n], *port))).collect()
}

/// A block of 127.0.0.0/8 and a port in it. The socket marks the block as taken for as long as this process lives: another
/// run of the tests on this machine takes another.
fn own_block() -> ([u8; 2], u16, UdpSocket) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let start = u16::from_be_bytes([128 | high, low]);
    // The lower half of 127.0.0.0/8 is for what people run, the last block holds the broadcast address.
    for block in (start..u16::MAX).chain(0x8000..start) {
        let [high, low] = block.to_be_bytes();
        let Ok(mark) = UdpSocket::bind((Ipv4Addr::new(127, high, low, 254), 7399)) else { continue };
        // Somebody's service may listen on one of them at all addresses.
        let free = |port: &u16| TcpListener::bind((Ipv4Addr::new(127, high, low, 254), *port)).is_ok();
        let port = (7400..7500).find(free).expect("one of a hundred ports is free");
        return ([high, low], port, mark);
    }
    panic!("all blocks of 127.0.0.0/8 are taken");
}

/// Two addresses of ::1, of which there is only one, the lower first. Their ports are below the range from which the system
/// takes them for outgoing connections, and are marked as taken for as long as this process lives.
pub fn ipv6_addresses() -> [SocketAddr; 2] {
    static MARKS: OnceLock<Vec<UdpSocket>> = OnceLock::new();
    let marks = MARKS.get_or_init(|| {
        let free = |port: u16| {
            let mark = UdpSocket::bind((Ipv6Addr::LOCALHOST, port)).ok()?;
            TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok().then_some(mark)
        };
        (20_000..30_000).filter_map(free).take(2).collect()
    });
    let [low, high] = &marks[..] else { panic!("no two ports of ::1 are free") };
    [low, high].map(|mark| mark.local_addr().expect("a bound socket has an address"))
}

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_tandem")
}

/// The binary with `arguments`, untouched by the environment of whoever runs the tests.
pub fn tandem(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    for variable in ["TANDEM_CONFIG", "TANDEM_MEMBER", "NOTIFY_SOCKET", "WATCHDOG_USEC", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

/// Runs it to its end.
pub fn output(arguments: &[&str]) -> Output {
    tandem(arguments).output().expect("the binary starts")
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running child that is killed and reaped when the test ends, however it ends.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Running {
        Running { child: command.spawn().expect("the program starts") }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id fits")
    }

    /// Its pipes, for taking.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).expect("it is still ours to signal");
    }

    /// Its status, waiting for its end until `deadline` has passed.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(deadline, "the program ends", || {
            status = self.child.try_wait().expect("it can be waited for");
            status.is_some()
        });
        status.expect("wait_until saw it")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then both fail and nothing is left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until `condition` holds, and fails the test, naming `what`, when `deadline` passes first.
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < deadline, "after {deadline:?} still not: {what}");
        // Only paces the asking; nothing relies on its length.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a process lives. One that has ended and only waits for its parent to take note of it does not: in a container
/// nobody may ever do so.
pub fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command, in brackets, may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The times, boot time in nanoseconds, that a sample process has recorded in the file at `path`. What is being written
/// just now is no line yet: half a number is another number.
pub fn recorded(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok()).collect()
}

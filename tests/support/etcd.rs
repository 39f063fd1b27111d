//! A real etcd of three servers on loopback addresses of their own; every server is killed and reaped with it.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Folder, Running, addresses, temporary_folder, wait_until, write};

/// How many servers.
pub const SERVERS: usize = 3;
/// Longer than three servers need to start, or to choose a leader; on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);
/// The user that [`Etcd::with_user`] makes, and the password.
pub const USER: (&str, &str) = ("tandem", "c0rrect-h0rse-72");

/// See the module.
pub struct Etcd {
    folder: Folder,
    clients: Vec<SocketAddr>,
    peers: Vec<SocketAddr>,
    /// The program that servers and etcdctl are run through, such as `ip netns exec`.
    through: Vec<String>,
    servers: Vec<Option<Running>>,
    tls: bool,
    /// Further options of every server.
    options: Vec<String>,
    /// What etcdctl is called with beside the command.
    login: Option<String>,
}

impl Etcd {
    /// Three servers that have chosen a leader, in plain text.
    pub fn start() -> Etcd {
        Etcd::started(false, Vec::new())
    }

    /// The same with TLS, for which each client needs a certificate too; see [`Etcd::file`] for `ca.crt`, `client.crt` and
    /// `client.key`.
    pub fn with_tls() -> Etcd {
        Etcd::started(true, Vec::new())
    }

    /// The same in plain text, and only for [`USER`].
    pub fn with_user() -> Etcd {
        let mut etcd = Etcd::start();
        let (user, password) = USER;
        let new_user = format!("{user}:{password}");
        for words in [
            vec!["user", "add", "root:r00t-of-all"],
            vec!["user", "grant-role", "root", "root"],
            vec!["role", "add", "keeper"],
            vec!["role", "grant-permission", "keeper", "--prefix=true", "readwrite", "tandem/"],
            vec!["user", "add", &new_user],
            vec!["user", "grant-role", user, "keeper"],
            vec!["auth", "enable"],
        ] {
            etcd.ctl(&words);
        }
        etcd.login = Some("--user=root:r00t-of-all".to_owned());
        write(etcd.folder.path(), "etcd.pass", &format!("{password}\n"));
        etcd
    }

    /// Three servers on one machine of a network, in plain text.
    pub fn on(machine: &str, host: IpAddr) -> Etcd {
        let through = ["ip", "netns", "exec", machine].map(str::to_owned).to_vec();
        let at = |port: u16| (0..3).map(|server| SocketAddr::new(host, port + 100 * server)).collect();
        Etcd::begin(at(2379), at(2380), through, false, Vec::new())
    }

    /// Three servers in plain text that have so many bytes of space.
    pub fn with_quota(bytes: usize) -> Etcd {
        Etcd::started(false, vec![format!("--quota-backend-bytes={bytes}")])
    }

    fn started(tls: bool, options: Vec<String>) -> Etcd {
        let hosts: Vec<IpAddr> = addresses(3).into_iter().map(|address| address.ip()).collect();
        let at = |port: u16| hosts.iter().map(|host| SocketAddr::new(*host, port)).collect();
        Etcd::begin(at(2379), at(2380), Vec::new(), tls, options)
    }

    fn begin(
        clients: Vec<SocketAddr>,
        peers: Vec<SocketAddr>,
        through: Vec<String>,
        tls: bool,
        options: Vec<String>,
    ) -> Etcd {
        let servers = (0..SERVERS).map(|_| None).collect();
        let mut etcd = Etcd { folder: temporary_folder(), clients, peers, through, servers, tls, options, login: None };
        if tls {
            etcd.make_certificates();
        }
        for server in 0..SERVERS {
            etcd.revive(server);
        }
        etcd.ready();
        etcd
    }

    /// A program, run where the servers are.
    fn program(&self, name: &str) -> Command {
        let mut words = self.through.iter().map(String::as_str).chain([name]);
        let mut command = Command::new(words.next().expect("at least the program"));
        command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Waits until a majority serves: until a write succeeds.
    pub fn ready(&self) {
        wait_until(PATIENCE, "etcd takes a write", || self.try_ctl(&["put", "tandem/probe", "x"]).is_ok());
    }

    /// Starts a server, with whatever it had.
    pub fn revive(&mut self, server: usize) {
        let scheme = if self.tls { "https" } else { "http" };
        let peer = |server: usize| format!("http://{}", self.peers[server]);
        let all: Vec<String> = (0..SERVERS).map(|server| format!("s{server}={}", peer(server))).collect();
        let client = format!("{scheme}://{}", self.clients[server]);
        let mut command = self.program("etcd");
        command.stdout(Stdio::null());
        command.stderr(std::fs::File::create(self.file(&format!("s{server}.log"))).expect("a log"));
        let data = self.file(&format!("s{server}"));
        for (option, value) in [
            ("name", format!("s{server}")),
            ("data-dir", data.display().to_string()),
            ("listen-client-urls", client.clone()),
            ("advertise-client-urls", client),
            ("listen-peer-urls", peer(server)),
            ("initial-advertise-peer-urls", peer(server)),
            ("initial-cluster", all.join(",")),
            ("initial-cluster-state", "new".to_owned()),
            ("logger", "zap".to_owned()),
            ("log-level", "error".to_owned()),
        ] {
            command.arg(format!("--{option}={value}"));
        }
        command.args(&self.options);
        if self.tls {
            for (option, file) in
                [("cert-file", "server.crt"), ("key-file", "server.key"), ("trusted-ca-file", "ca.crt")]
            {
                command.arg(format!("--{option}={}", self.file(file).display()));
            }
            command.arg("--client-cert-auth=true");
        }
        self.servers[server] = Some(Running::start(command));
    }

    /// Writes until no space is left.
    pub fn fill(&self) {
        let much = "x".repeat(100_000);
        wait_until(PATIENCE, "etcd has no space left", || {
            self.try_ctl(&["put", "fill", &much]).is_err_and(|why| why.contains("space exceeded"))
        });
    }

    /// Makes room and lets it be written again, as its own documentation says.
    pub fn make_room(&self) {
        let status: serde_json::Value =
            serde_json::from_str(&self.ctl(&["endpoint", "status", "--write-out=json"])).expect("JSON");
        let revision = status[0]["Status"]["header"]["revision"].to_string();
        for words in [vec!["compact", &revision], vec!["defrag"], vec!["alarm", "disarm"]] {
            self.ctl(&words);
        }
    }

    /// Kills a server as a crash would, and reaps it.
    pub fn kill(&mut self, server: usize) {
        self.servers[server] = None;
    }

    /// It is written often enough that an etcd that begins anew is older than this one for a good while.
    pub fn age(&self) {
        for _ in 0..30 {
            self.ctl(&["put", "tandem/probe", "x"]);
        }
    }

    /// All servers begin anew with nothing, as those of an etcd do that is set up once more.
    pub fn begin_anew(&mut self) {
        for server in 0..SERVERS {
            self.kill(server);
            std::fs::remove_dir_all(self.file(&format!("s{server}"))).expect("its data");
        }
        (0..SERVERS).for_each(|server| self.revive(server));
        self.ready();
    }

    /// Stops it where it is: its sockets take connections, and nothing answers.
    pub fn freeze(&self, server: usize) {
        self.signal(server, Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self, server: usize) {
        self.signal(server, Signal::SIGCONT);
    }

    fn signal(&self, server: usize, signal: Signal) {
        self.servers[server].as_ref().expect("it runs").signal(signal);
    }

    /// Who leads now.
    pub fn leader(&self) -> usize {
        let mut leader = None;
        wait_until(PATIENCE, "etcd has a leader", || {
            leader = (0..SERVERS).find(|server| self.leads(*server));
            leader.is_some()
        });
        leader.expect("wait_until saw it")
    }

    fn leads(&self, server: usize) -> bool {
        let Ok(said) = self.try_ctl_at(&self.endpoint(server), &["endpoint", "status", "--write-out=json"]) else {
            return false;
        };
        let said: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        let status = &said[0]["Status"];
        status["leader"].is_u64() && status["leader"] == status["header"]["member_id"]
    }

    /// One server's endpoint.
    pub fn endpoint(&self, server: usize) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.clients[server])
    }

    /// All of them.
    pub fn endpoints(&self) -> Vec<String> {
        (0..SERVERS).map(|server| self.endpoint(server)).collect()
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `[arbiter]` as a member's configuration has it; `lease` as it is written.
    pub fn section(&self, lease: &str) -> String {
        format!("[arbiter]\nkind = \"etcd\"\nendpoints = {:?}\nlease = \"{lease}\"\n", self.endpoints())
    }

    /// What etcdctl says to a command.
    pub fn ctl(&self, words: &[&str]) -> String {
        self.try_ctl(words).unwrap_or_else(|why| panic!("etcdctl {words:?}: {why}"))
    }

    fn try_ctl(&self, words: &[&str]) -> Result<String, String> {
        self.try_ctl_at(&self.endpoints().join(","), words)
    }

    fn try_ctl_at(&self, endpoints: &str, words: &[&str]) -> Result<String, String> {
        let mut command = self.program("etcdctl");
        command.env("ETCDCTL_API", "3");
        command.args([format!("--endpoints={endpoints}"), "--command-timeout=5s".to_owned()]);
        command.args(&self.login);
        if self.tls {
            for (option, file) in [("cacert", "ca.crt"), ("cert", "client.crt"), ("key", "client.key")] {
                command.arg(format!("--{option}={}", self.file(file).display()));
            }
        }
        let output = command.args(words).output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// An authority, a certificate for the servers and one for the members. The servers' own serves as a client's too: the
    /// gateway calls its own server with it.
    fn make_certificates(&self) {
        let folder = self.folder.path();
        openssl(
            folder,
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "ca.key",
                "-out",
                "ca.crt",
                "-days",
                "2",
                "-subj",
                "/CN=authority",
            ],
        );
        let hosts: Vec<String> = self.clients.iter().map(|client| format!("IP:{}", client.ip())).collect();
        for (name, more) in [
            ("server", format!("subjectAltName={}\nextendedKeyUsage=serverAuth,clientAuth\n", hosts.join(","))),
            ("client", "extendedKeyUsage=clientAuth\n".to_owned()),
        ] {
            let (key, asking, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
            let subject = format!("/CN={name}");
            openssl(
                folder,
                &["req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &asking, "-subj", &subject],
            );
            write(folder, "extensions", &more);
            openssl(
                folder,
                &[
                    "x509",
                    "-req",
                    "-in",
                    &asking,
                    "-CA",
                    "ca.crt",
                    "-CAkey",
                    "ca.key",
                    "-CAcreateserial",
                    "-out",
                    &certificate,
                    "-days",
                    "2",
                    "-extfile",
                    "extensions",
                ],
            );
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // One that is frozen could not be reaped otherwise; killing works on it too, so this only spares the wait.
        for server in self.servers.iter().flatten() {
            server.signal(Signal::SIGKILL);
        }
    }
}

fn openssl(folder: &Path, words: &[&str]) {
    let output =
        Command::new("openssl").current_dir(folder).args(words).stdin(Stdio::null()).output().expect("openssl");
    assert!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

//! A configuration that has been read: plain values, every default filled in, and the paths it leads to.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::negotiation::ability::Score;
use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::settings::{Protection, Settings};

use super::arbiter::{ArbiterConfig, LEASE, WatchdogConfig};
use super::error::{ConfigErrors, Place};
use super::fencing::{FenceConfig, FencePaths};
use super::keys::{GroupKey, KeyError, load_key};
use super::measuring::HealthConfig;
use super::programs::{self, ProgramError};
use super::required::{Hooks, ProcessConfig};

/// The longest configuration that is read. Sixteen members with every key set stay far below it.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The configuration of one group, as every member of it may use it (N8).
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from; relative paths start at its folder.
    pub path: PathBuf,
    /// The group's name, at most 64 bytes.
    pub group: String,
    /// The members, sorted by their first address: the place in this list is the [`MemberId`] (N2).
    pub members: Vec<MemberConfig>,
    /// `[negotiation]`.
    pub negotiation: Negotiation,
    /// `[security]`.
    pub security: Security,
    /// `[takeover]`.
    pub takeover: Takeover,
    /// `[health]`.
    pub health: HealthConfig,
    /// Every `[[process]]`, in the order of the file: the order in which they start.
    pub processes: Vec<ProcessConfig>,
    /// `[hooks]`.
    pub hooks: Hooks,
    /// `[fence.NAME]`, by member: how the others switch it off.
    pub fences: BTreeMap<MemberId, FenceConfig>,
    /// `fencing.always`: fence a sick Primary even when it hands over when asked (H5, the seed's letter).
    pub fencing_always: bool,
    /// `[arbiter]`; none: there is none (S1).
    pub arbiter: Option<ArbiterConfig>,
    /// `reachability.targets`: the reference addresses (S1).
    pub reference_targets: Vec<String>,
    /// `[watchdog]`.
    pub watchdog: WatchdogConfig,
    /// `metrics.listen`; none: no metrics are served.
    pub metrics_listen: Option<SocketAddr>,
    /// `state.directory` as written, with `{member}`; see [`Config::state_directory`].
    pub state_pattern: String,
    /// `[control]`.
    pub control: Control,
    /// `[screen]`.
    pub screen: Screen,
    /// `journal.keep`: how many bytes of journal are kept.
    pub journal_keep: u64,
    /// Where each key that was written stands; keys left at their default are absent.
    pub(super) places: BTreeMap<String, Place>,
}

/// One `[[member]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberConfig {
    /// Its name, unique in the group.
    pub name: Name,
    /// Its addresses, at least one; the first decides who listens (N2). Several are redundant networks (N15).
    pub addresses: Vec<SocketAddr>,
}

/// The times of the negotiation (N3, N4, N14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiation {
    /// Period of a Secondary's Mode Queries.
    pub query_interval: Duration,
    /// Silence after which a peer counts as gone.
    pub reply_timeout: Duration,
    /// How long the listening side waits for its peer at boot.
    pub boot_timeout: Duration,
    /// How long the connecting side keeps trying at boot; zero: the first failure decides.
    pub connect_grace: Duration,
    /// Whether a closed connection that is refused on reconnect is a crashed process.
    pub crash_detection: bool,
}

impl Default for Negotiation {
    fn default() -> Self {
        Negotiation {
            query_interval: Duration::from_secs(1),
            reply_timeout: Duration::from_secs(3),
            boot_timeout: Duration::from_secs(10),
            connect_grace: Duration::from_secs(3),
            crash_detection: true,
        }
    }
}

/// How the link is secured (S8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityMode {
    /// Encrypted and authenticated with the group key.
    Noise,
    /// Plain text, for networks that nobody else can reach.
    Plain,
}

/// `[security]`. Paths are as written; see [`Config::load_keys`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// How the link is secured.
    pub mode: SecurityMode,
    /// The key that calls are made with.
    pub key_file: String,
    /// Further keys accepted from callers, while a key is being changed.
    pub also_accept: Vec<String>,
}

impl Default for Security {
    fn default() -> Self {
        Security { mode: SecurityMode::Noise, key_file: "/etc/tandem/group.key".to_owned(), also_accept: Vec::new() }
    }
}

/// `[takeover]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    /// What must succeed before the role is taken (S1); empty is UNPROTECTED.
    pub protection: Vec<Protection>,
    /// The Total Health Threshold (H5).
    pub threshold: Score,
    /// The own score must beat the peer's by this much.
    pub margin: Score,
    /// Low scores in a row before acting, at least 1.
    pub confirmations: u32,
    /// Takeovers in an hour from a peer that still answers; then none until the operator speaks (S6).
    pub max_per_hour: u32,
    /// How long who lost the role for its health stays a lesser candidate (S6).
    pub sick_for: Duration,
    /// Who shoots first when nobody is Primary; none: the lower address (S3).
    pub preferred: Option<MemberId>,
    /// Say what would be done, do nothing (S11).
    pub observe_only: bool,
}

impl Default for Takeover {
    fn default() -> Self {
        Takeover {
            protection: Vec::new(),
            threshold: Score::from_ten_thousandths(7_500),
            margin: Score::from_ten_thousandths(500),
            confirmations: 2,
            max_per_hour: 4,
            sick_for: Duration::from_secs(600),
            preferred: None,
            observe_only: false,
        }
    }
}

/// `[control]`: the socket of `attach`, `status` and the acting commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The socket as written, with `{member}`; see [`Config::control_socket`].
    pub socket_pattern: String,
    /// Its permission bits.
    pub mode: u32,
    /// The Unix group that may operate; empty: only the controller's own user and root.
    pub group: String,
}

impl Default for Control {
    fn default() -> Self {
        Control { socket_pattern: "/run/tandem/{member}.sock".to_owned(), mode: 0o660, group: String::new() }
    }
}

/// The colours of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Colours that the colour-blind can tell apart.
    #[default]
    Default,
    /// No colour.
    Mono,
}

/// `[screen]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// The colours.
    pub theme: Theme,
    /// Only ASCII characters.
    pub ascii: bool,
    /// Whether an alarm rings the terminal's bell.
    pub bell: bool,
    /// The most drawings in a second, at least 1.
    pub max_draws_per_second: u32,
}

impl Default for Screen {
    fn default() -> Self {
        Screen { theme: Theme::Default, ascii: false, bell: true, max_draws_per_second: 10 }
    }
}

/// The default of `state.directory`.
pub(super) const STATE_PATTERN: &str = "/var/lib/tandem/{member}";
/// The default of `journal.keep`, in bytes.
pub(super) const JOURNAL_KEEP: u64 = 64 << 20;

/// The keys of a group, ready for the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKeys {
    /// `security.mode = "none"`.
    Plain,
    /// `security.mode = "noise"`.
    Noise {
        /// The key that calls are made with; accepted from callers too.
        call: GroupKey,
        /// Further keys accepted from callers, while a key is being changed.
        accept: Vec<GroupKey>,
    },
}

impl Config {
    /// Reads and checks the file at `path`. On failure every fault of the file is in the error, with its place.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        let text = read_bounded(path).map_err(|source| {
            let suggestion = match source.kind() {
                io::ErrorKind::NotFound => {
                    "name the file with --config FILE or TANDEM_CONFIG; config/pair.toml is a start"
                }
                io::ErrorKind::PermissionDenied => "run as a user that may read it, or change its permissions",
                _ => "the configuration must be a plain text file in UTF-8, of at most 1 MiB",
            };
            ConfigErrors::whole(path, format!("cannot read the configuration: {source}"), suggestion)
        })?;
        Config::parse(&text, path)
    }

    /// The settings of the negotiation for the member `me`.
    pub fn negotiation_settings(&self, me: MemberId) -> Settings {
        let names = self.members.iter().map(|member| member.name.clone()).collect();
        Settings {
            protection: self.takeover.protection.clone(),
            query_interval: self.negotiation.query_interval,
            reply_timeout: self.negotiation.reply_timeout,
            boot_timeout: self.negotiation.boot_timeout,
            connect_grace: self.negotiation.connect_grace,
            crash_detection: self.negotiation.crash_detection,
            observe_only: self.takeover.observe_only,
            threshold: self.takeover.threshold,
            margin: self.takeover.margin,
            confirmations: self.takeover.confirmations,
            max_per_hour: self.takeover.max_per_hour,
            sick_for: self.takeover.sick_for,
            preferred: self.takeover.preferred,
            fencing_always: self.fencing_always,
            lease: self.arbiter.as_ref().map_or(LEASE, |arbiter| arbiter.lease),
            fence_delay: self
                .members
                .iter()
                .zip(0..)
                .map(|(_, number)| self.fences.get(&MemberId(number)).map(|fence| fence.delay))
                .collect(),
            members_hash: self.members_hash(),
            ..Settings::new(me, names)
        }
    }

    /// A number over the members' names and addresses that is the same on every member whose configuration names the
    /// same ones (N19). It is the 64-bit FNV-1a of this text: for each member in the order of [`Config::members`] its
    /// name and a line feed, then each of its addresses in the order written (`10.0.0.1:7400`, `[fd00::1]:7400`, the
    /// form of RFC 5952) and a line feed, then one more line feed.
    pub fn members_hash(&self) -> u64 {
        let mut hash = Fnv1a::new();
        for member in &self.members {
            hash.add(member.name.as_str().as_bytes());
            hash.add(b"\n");
            for address in &member.addresses {
                hash.add(address.to_string().as_bytes());
                hash.add(b"\n");
            }
            hash.add(b"\n");
        }
        hash.0
    }

    /// The folder of `me`'s state and journal.
    pub fn state_directory(&self, me: MemberId) -> PathBuf {
        self.resolve(&self.state_pattern, me)
    }

    /// The control socket of `me`.
    pub fn control_socket(&self, me: MemberId) -> PathBuf {
        self.resolve(&self.control.socket_pattern, me)
    }

    /// The file of the key that `me` calls with.
    pub fn key_file(&self, me: MemberId) -> PathBuf {
        self.resolve(&self.security.key_file, me)
    }

    /// The files of the further keys that `me` accepts.
    pub fn also_accept(&self, me: MemberId) -> Vec<PathBuf> {
        self.security.also_accept.iter().map(|pattern| self.resolve(pattern, me)).collect()
    }

    /// The working directory of `process` on `me`: its own, else the file's folder.
    pub fn process_directory(&self, process: &ProcessConfig, me: MemberId) -> PathBuf {
        match &process.directory {
            Some(pattern) => self.resolve(pattern, me),
            None => self.folder(),
        }
    }

    /// What the paths of a `[fence.NAME]` mean when `me` switches NAME off.
    pub fn fence_paths(&self, me: MemberId) -> FencePaths {
        FencePaths { folder: self.folder(), member: self.name(me).as_str().to_owned() }
    }

    /// What `path`, one of those below `[arbiter]`, means to `me`.
    pub fn arbiter_path(&self, me: MemberId, path: &str) -> PathBuf {
        self.resolve(path, me)
    }

    /// The watchdog's device on `me`; none: there is none.
    pub fn watchdog_device(&self, me: MemberId) -> Option<PathBuf> {
        let device = &self.watchdog.device;
        (!device.is_empty()).then(|| self.resolve(device, me))
    }

    /// The file that `me` runs for `program`, the first text of any command of the file. `{member}` is replaced; a path
    /// starts at the file's folder; a name is looked for in `search` (a process's own PATH), else in the controller's.
    ///
    /// # Errors
    ///
    /// It is not there, is no file, or is not executable.
    pub fn program(&self, program: &str, me: MemberId, search: Option<&OsStr>) -> Result<PathBuf, ProgramError> {
        let own = std::env::var_os("PATH");
        let program = program.replace("{member}", self.name(me).as_str());
        programs::find(&program, &self.folder(), search.or(own.as_deref()))
    }

    /// Reads the keys that the link of `me` needs.
    pub fn load_keys(&self, me: MemberId) -> Result<LinkKeys, KeyError> {
        match self.security.mode {
            SecurityMode::Plain => Ok(LinkKeys::Plain),
            SecurityMode::Noise => {
                let call = load_key(&self.key_file(me))?;
                let accept = self.also_accept(me).iter().map(|path| load_key(path)).collect::<Result<_, _>>()?;
                Ok(LinkKeys::Noise { call, accept })
            }
        }
    }

    /// The name of `member`; "?" for one that is not configured.
    pub fn name(&self, member: MemberId) -> Name {
        self.members.get(member.index()).map_or_else(|| Name::new("?"), |member| member.name.clone())
    }

    /// `pattern` with `{member}` replaced, seen from the file's folder.
    fn resolve(&self, pattern: &str, me: MemberId) -> PathBuf {
        // An absolute path replaces the folder.
        self.folder().join(pattern.replace("{member}", self.name(me).as_str()))
    }

    /// The file's folder; absolute, so that it means the same to a process in another folder.
    fn folder(&self) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        // Without a current folder, whoever uses the relative path tells so.
        std::path::absolute(folder.join(".")).map_or_else(|_| folder.to_owned(), |folder| folder.components().collect())
    }
}

/// The text of a plain file; a pipe or a device would block or never end.
fn read_bounded(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}

/// The 64-bit FNV-1a hash: small, and the same in every language and version, which std's hashers are not.
struct Fnv1a(u64);

impl Fnv1a {
    fn new() -> Fnv1a {
        Fnv1a(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        let hash = |text: &str| {
            let mut hash = Fnv1a::new();
            hash.add(text.as_bytes());
            hash.0
        };
        // From the FNV reference's own test vectors.
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}

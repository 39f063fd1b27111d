//! Starting and ending a controller: every part in its order, and back.
//!
//! Start: the state is locked and read (N20), the journal opened, the link listens, the control socket listens, then
//! systemd hears "ready" and the loop turns. End: the loop has handed over, the link flushes its last words, the control
//! socket answers what was asked, journal and state are written and unlocked. Every task and thread is joined.

use anyhow::Context;
use std::collections::VecDeque;
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, LinkKeys};
use crate::control::desk::Desk;
use crate::control::request::{Reply, Request};
use crate::control::server::{Server, ServerSettings};
use crate::control::session::{Identity, serve_session};
use crate::control::to_node::TO_NODE_BOUND;
use crate::control::who::Who;
use crate::journal::{Entry, Journal, JournalIdentity, Recorder, last_written};
use crate::link::{LinkMember, LinkSecurity, LinkSettings, Shown};
use crate::negotiation::Negotiator;
use crate::negotiation::exchange::Input;
use crate::negotiation::member::{MemberId, Name};
use crate::negotiation::message::Incarnation;
use crate::process::ProcessSettings;

use super::arbiter::Arbitration;
use super::around::Facts;
use super::availability::Availability;
use super::clock::{Clocks, unix_ms};
use super::engine::{Engine, Inlets, News, PeerFacts};
use super::fencing::Fencing;
use super::gaps::Gaps;
use super::health::Health;
use super::pings::Pings;
use super::processes::Required;
use super::publication::Publication;
use super::reference::Reference;
use super::reload::Running;
use super::signals::Signals;
use super::state::{Stall, StateStore};
use super::supervisor::Supervisor;
use super::two_acted::TwoActed;
use super::watchdog::{Device, Watchdog};

/// Events of the time before the start that the status shows.
const OLD_EVENTS: usize = 50;

/// The screen in this process: a session like every other, over a channel instead of a socket.
#[derive(Debug)]
pub struct Session {
    /// What it asks.
    pub requests: mpsc::Receiver<Request>,
    /// What it is told.
    pub replies: mpsc::Sender<Reply>,
    /// Who sits before it.
    pub who: Who,
}

/// How to run.
#[derive(Debug, Default)]
pub struct Options {
    /// The screen in this process.
    pub session: Option<Session>,
    /// The demo's relay, through which this member calls the others.
    pub detour: Option<SocketAddr>,
}

/// What is said of settings that the rules cannot work with.
const UNFIT: &str = "the configuration's [negotiation] and [takeover] do not fit together";

/// How much earlier than ordinary programs a controller is scheduled; the unit file's `Nice=` says the same.
const NICE: i32 = -10;

/// Asks to be scheduled before ordinary programs, as `Nice=` in the unit file does: a controller that waits behind a busy
/// machine's other work looks silent to its peers. Without the privilege it stays as it is; its own lateness is noticed
/// either way (S9).
fn ask_for_priority() {
    let now = rustix::process::getpriority_process(None).unwrap_or(0);
    if now > NICE
        && let Err(error) = rustix::process::setpriority_process(None, NICE)
    {
        tracing::debug!(%error, "scheduled like every other program");
    }
}

/// Runs the controller `me` of `config` until it is stopped. Blocks. Returns why it stopped.
///
/// # Errors
///
/// What kept it from starting: the state is locked or unreadable, an address or the socket cannot be had, there is no
/// key; each with what to do.
pub fn run(config: &Config, me: MemberId, options: Options) -> anyhow::Result<String> {
    ask_for_priority();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be made")?;
    let result = runtime.block_on(start(config, me, options));
    // Nothing of ours runs any more; a look-up in the user database may, and is not waited for.
    runtime.shutdown_background();
    result
}

async fn start(config: &Config, me: MemberId, options: Options) -> anyhow::Result<String> {
    let signals = Signals::listen().context("the signals cannot be listened for")?;
    let clocks = Clocks::start()?;
    let now = clocks.now()?;
    let random = getrandom::u64().context("the system gives no random numbers")?;
    let incarnation = Incarnation(random);
    let node = config.name(me);
    let version = env!("CARGO_PKG_VERSION").to_owned();

    let directory = std::path::absolute(config.state_directory(me))
        .context("the current directory, which a relative state.directory starts at, is gone")?;
    let (store, kept) = StateStore::open(&directory)?;
    let settings = config.negotiation_settings(me);
    let agreement = settings.agreement();
    settings.check().context(UNFIT)?;

    Fencing::check(config, me)?;
    let events = old_events(&directory);
    let who =
        JournalIdentity { node: node.clone(), group: config.group.clone(), version: version.clone(), incarnation };
    let availability = Availability::of(&directory, now, config.negotiation.boot_timeout);
    let last_alive_ms = last_written(&directory);
    // Half of what is kept for what happened, half for what the negotiation was told.
    let journal = Journal::open(&directory, config.journal_keep / 2, who.clone())?;
    let recorder = Recorder::open(&directory, config.journal_keep / 2, who, addresses(config))?;

    let keys = config.load_keys(me)?;
    let members = config
        .members
        .iter()
        .map(|member| LinkMember { name: member.name.clone(), addresses: member.addresses.clone() });
    let link_settings = LinkSettings {
        me,
        members: members.collect(),
        group: config.group.clone(),
        security: link_security(&keys),
        agreement,
        incarnation,
        program_version: version.clone(),
        query_interval: config.negotiation.query_interval,
        reply_timeout: config.negotiation.reply_timeout,
        boot_timeout: config.negotiation.boot_timeout,
        detour: options.detour,
    };
    let (links, link_events) = crate::link::start(link_settings).await?;

    let (to_node, asks) = mpsc::channel(TO_NODE_BOUND);
    let identity = Identity {
        node: node.as_str().to_owned(),
        group: config.group.clone(),
        version: version.clone(),
        state_directory: directory.display().to_string(),
    };
    let server_settings = ServerSettings {
        path: config.control_socket(me),
        mode: config.control.mode,
        group: config.control.group.clone(),
        identity: identity.clone(),
    };
    let server = Server::start(server_settings, to_node.clone())?;
    let (running, loaded) = Running::start(config, me, keys, &to_node)?;
    let (state, reports) = store.start_writer().context("the thread that writes the state cannot be started")?;
    let (fencing, fence_events) = Fencing::start(config, me)?;
    let (arbitration, arbiter_events) = Arbitration::start(config, me)?;

    let session_stop = CancellationToken::new();
    let session = options.session.map(|session| {
        let (to_node, stop) = (to_node.clone(), session_stop.clone());
        tokio::spawn(async move {
            serve_session(session.requests, session.replies, session.who, &identity, to_node, stop).await
        })
    });

    // The last that may fail but these two, so that a start which fails has armed nothing for long.
    let device = config.watchdog_device(me).map(|device| Device::open(&device, config.watchdog.timeout)).transpose()?;
    let (processes, process_events) = crate::process::start(process_settings(config, me, &directory, random, &links)?)
        .await
        .context("the required processes cannot be held")?;
    let (health, figures) = Health::start(config, now).context("the sampler of memory and CPU cannot be started")?;
    let (watchdog, watchdog_reports) = Watchdog::start(device)?;
    let (reference, reference_answers) = Reference::new(&config.reference_targets);
    let supervisor = Supervisor::from_environment();
    // It boots when it can hear and be heard (N3): disks, fence agents and the guardian take the time that they need, and
    // none of it is another member's silence.
    let now = clocks.now()?;
    let negotiator = Negotiator::new(settings, now, kept.map(|kept| kept.as_of(unix_ms()))).context(UNFIT)?;
    let facts = facts(config, me, &negotiator, incarnation);
    let first = facts.address.clone();
    let mut engine = Engine {
        desk: Desk::new(node.as_str(), (random % 1000) as u32),
        peers: facts.members.iter().map(|_| PeerFacts::default()).collect(),
        facts,
        clocks,
        negotiator,
        links,
        journal,
        recorder,
        availability,
        state,
        stall: Stall::default(),
        required: Required::new(processes),
        health,
        supervisor,
        watchdog,
        fencing,
        arbitration,
        reference,
        running,
        pings: Pings::default(),
        gaps: Gaps::default(),
        events,
        statuses: None,
        awaited: None,
        mode_changes: VecDeque::new(),
        refused: VecDeque::new(),
        two_acted: TwoActed::default(),
        alarms_told: Vec::new(),
        losses: super::around::Losses::default(),
        shown_told: Shown::default(),
        outputs: Vec::new(),
        news: News::Urgent,
        publication: Publication::default(),
        silent_paths: super::around::SilentPaths::default(),
        stopping: None,
        stopped: false,
        state_failing: false,
        desk_due: None,
    };
    engine.note(started(&node, config, &version, incarnation, last_alive_ms));
    let longest = engine.required.longest_stop();
    if !longest.is_zero() {
        engine.feed(now, Input::StopTime { longest });
    }
    engine.processes_follow(now);
    engine.supervisor.ready(&format!("{node} listens on {first}"));

    let mut inlets = Inlets {
        link: link_events,
        state: reports,
        processes: process_events,
        fence: fence_events,
        arbiter: arbiter_events,
        reference: reference_answers,
        watchdog: watchdog_reports,
        health: figures,
        asks,
        loaded,
        signals,
    };
    let ended = engine.run(now, &mut inlets).await;
    drop(to_node);
    let Inlets {
        link,
        state: reports,
        processes: mut process_events,
        fence,
        arbiter,
        health: figures,
        asks,
        loaded,
        signals,
        ..
    } = inlets;
    drop((link, reports, fence, arbiter, asks, loaded, signals));

    if let Ok(why) = &ended {
        engine.note(Entry::Stopped { why: why.clone() });
        engine.sum_up(engine.availability.now());
    }
    let serves = engine.serves();
    let Engine {
        links,
        journal,
        recorder,
        state,
        required,
        health,
        watchdog,
        fencing,
        arbitration,
        reference,
        running,
        ..
    } = engine;
    // The sampler's thread waits for nobody once its figures are no longer wanted.
    drop((figures, health));
    // The last words must reach the peers before anything else is waited for.
    let disarmed = async {
        // Anything else leaves it armed: what should not run any more may still do.
        if ended.is_ok() && !serves {
            watchdog.disarm().await;
        }
    };
    tokio::join!(links.shutdown(), disarmed);
    reference.shutdown().await;
    // Nothing that runs only on the Primary is left by now; the rest may take its time. Last of all the guardian closes
    // its duplicates of the listening sockets.
    required
        .shutdown(&mut process_events, |entry| {
            let _ = journal.record(entry);
        })
        .await;
    session_stop.cancel();
    server.shutdown().await;
    arbitration.shutdown().await;
    fencing.shutdown().await;
    running.shutdown().await;
    if let Some(session) = session
        && let Err(error) = session.await
    {
        tracing::error!(%error, "the screen's session ended badly");
    }
    journal.close();
    if ended.is_ok() {
        recorder.close()
    } else {
        drop(recorder)
    }
    state.close();
    ended
}

/// The keys as the link takes them.
pub(super) fn link_security(keys: &LinkKeys) -> LinkSecurity {
    match keys {
        LinkKeys::Plain => LinkSecurity::None,
        LinkKeys::Noise { call, accept } => {
            LinkSecurity::Noise { call: *call.bytes(), accept: accept.iter().map(|key| *key.bytes()).collect() }
        }
    }
}

/// What the required processes are started with.
fn process_settings(
    config: &Config,
    me: MemberId,
    directory: &std::path::Path,
    incarnation: u64,
    links: &crate::link::Links,
) -> anyhow::Result<ProcessSettings> {
    // A file that is named without a folder lies in the current one.
    let folder = config.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(std::path::Path::new("."));
    Ok(ProcessSettings {
        program: crate::process::this_program(),
        node: config.name(me).as_str().to_owned(),
        group: config.group.clone(),
        incarnation,
        state_directory: directory.to_owned(),
        folder: std::path::absolute(folder).context("the current directory is gone")?,
        processes: config.processes.clone(),
        hooks: config.hooks.clone(),
        listeners: links.duplicates().context("the listening sockets cannot be shared")?,
    })
}

fn facts(config: &Config, me: MemberId, negotiator: &Negotiator, incarnation: Incarnation) -> Facts {
    let own = config.members.get(me.index());
    Facts {
        node: config.name(me).as_str().to_owned(),
        members: config.members.iter().map(|member| member.name.as_str().to_owned()).collect(),
        address: own.and_then(|own| own.addresses.first()).map(ToString::to_string).unwrap_or_default(),
        group: config.group.clone(),
        incarnation,
        threshold: negotiator.settings().threshold,
        query_interval: config.negotiation.query_interval,
        reply_timeout: config.negotiation.reply_timeout,
        boot_timeout: config.negotiation.boot_timeout,
        guards: crate::control::guards::Guards::of(config),
    }
}

fn started(node: &Name, config: &Config, version: &str, incarnation: Incarnation, last_alive_ms: Option<u64>) -> Entry {
    Entry::Started {
        node: node.clone(),
        group: config.group.clone(),
        version: version.to_owned(),
        incarnation: format!("{:016x}", incarnation.0),
        last_alive_ms,
    }
}

/// Every member's addresses, for whoever replays what is recorded.
fn addresses(config: &Config) -> Vec<Vec<String>> {
    config.members.iter().map(|member| member.addresses.iter().map(ToString::to_string).collect()).collect()
}

/// What the journal says of the time before: the screen shows it after a restart. No journal yet is no error, and one
/// that cannot be read is told when it is opened for writing.
fn old_events(directory: &std::path::Path) -> VecDeque<crate::control::status::Event> {
    let records = crate::journal::read_last(directory, OLD_EVENTS).unwrap_or_default();
    let event = |record: &crate::journal::Record| crate::control::status::Event {
        seq: record.seq,
        time: super::clock::rfc3339(record.unix_ms),
        kind: super::engine::severity_word(record.entry.severity()).to_owned(),
        text: record.entry.text(),
    };
    records.iter().rev().filter(|record| !record.entry.is_for_counting()).map(event).collect()
}

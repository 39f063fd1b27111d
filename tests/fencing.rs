//! STONITH as its users have it: whole controllers, a real fence agent from Debian's fence-agents, and a chassis simulated
//! by OpenIPMI's `ipmi_sim` whose power switch really kills the member's processes.

#[path = "support/chassis.rs"]
mod chassis;
#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use chassis::{Chassis, PASSWORD};
use group::{Group, NAMES, PATIENCE};
use nix::sys::signal::Signal;
use support::{Part, lives, require, wait_until};
use tandem::config::fencing::{AgentConfig, FenceAction, FenceConfig, FencePaths};
use tandem::control::plan::Action;
use tandem::control::request::Outcome;
use tandem::control::status::{FenceResult, Mode};
use tandem::fence::check::{Depth, check};
use tandem::journal::Entry;

/// Quick questions and a quick boot. The silence that counts is the usual one: no test here waits for it often, and a
/// busy machine is silent for a second.
const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"3s\"\nboot_timeout = \"2s\"\n\
                     connect_grace = \"1s\"\n[takeover]\nprotection = [\"fence\"]\n";

/// Longer than a takeover whose agent needs a try or two.
const LONG: Duration = Duration::from_secs(100);

/// A pair of which each member has a chassis of its own, which the other one switches. `fence` is appended to each
/// `[fence.NAME]`, `more` to the configuration.
fn pair_with_chassis(fence: &str, more: &str) -> (Group, Vec<Chassis>) {
    let chassis: Vec<Chassis> = NAMES[..2].iter().map(|_| Chassis::start()).collect();
    let fences: String = NAMES.iter().zip(&chassis).map(|(name, chassis)| chassis.section(name, fence)).collect();
    let mut pair = Group::new(2, &format!("{QUICK}{fences}{more}"));
    support::write(pair.folder(), "ipmi.pass", &format!("{PASSWORD}\n"));
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    for (member, chassis) in chassis.iter().enumerate() {
        chassis.holds(&[pair.running(member).pid()]);
    }
    // The link was up, so each may shoot, and the devices were asked.
    pair.wait(1, "beta could fence alpha", |status| {
        status.takeover.ready && status.fencing.iter().any(|fencing| fencing.device.is_some())
    });
    (pair, chassis)
}

/// A process and all that descend from it: a member with its guardian and its required processes.
fn tree(root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        next += 1;
    }
    found
}

#[test]
fn s2_a_frozen_primary_is_switched_off_by_fence_ipmilan_and_only_then_replaced() {
    if !require(Part::FenceAgents) {
        return;
    }
    let plant = "[[process]]\nname = \"plant\"\ncommand = [\"sleep\", \"1000\"]\nrun_when = \"primary\"\n";
    let (mut pair, chassis) = pair_with_chassis("", plant);
    pair.wait(0, "alpha's process runs", |status| status.processes.iter().any(|process| process.pid.is_some()));
    let alpha = tree(pair.running(0).pid());
    assert!(alpha.len() >= 3, "a controller, its guardian and a process: {alpha:?}");
    chassis[0].holds(&alpha);
    let mut watch = pair.watch(1);
    let frozen = Instant::now();
    pair.signal(0, Signal::SIGSTOP);
    let (beta, at) = watch.until(LONG, "beta is Primary", |status| status.mode == Mode::Primary);
    let living: Vec<&i32> = alpha.iter().filter(|pid| lives(**pid)).collect();
    assert!(living.is_empty(), "of alpha's {alpha:?} live {living:?}, and beta acts");
    assert_eq!(chassis[0].power(), "power:0");
    assert_eq!(beta.reason.rule, "peer_off", "{:?}", beta.reason);
    let fencing = &beta.fencing[0];
    let last = fencing.last.as_ref().expect("a fencing");
    assert_eq!((fencing.peer.as_str(), fencing.agent.as_str()), ("alpha", "fence_ipmilan"));
    assert_eq!((last.result, &last.why), (FenceResult::Off, &None));
    println!("frozen -> Primary {:?}, of which switching off and verifying took {} ms", at - frozen, last.took_ms);
    // The journal is written beside the loop. A busy machine may need a try or two.
    let mut tried = Vec::new();
    wait_until(PATIENCE, "the tries are in the journal", || {
        tried = pair.journal(1).into_iter().filter(|one| one.entry.kind() == "fence_tried").collect();
        tried.len() >= last.attempt as usize
    });
    assert_eq!(tried.len(), last.attempt as usize, "{tried:#?}");
    let one = tried.last().expect("as many as tries");
    let text = format!("fencing alpha, try {}: off, after ", last.attempt);
    assert!(one.entry.text().starts_with(&text), "{}", one.entry.text());
    let Entry::FenceTried { output, .. } = &one.entry else { panic!("{one:?}") };
    assert!(output.contains("Success: Powered OFF") && output.contains("Status: OFF"), "{output}");
}

#[test]
fn s2_a_killed_primary_is_replaced_when_its_machine_is_confirmed_off() {
    if !require(Part::FenceAgents) {
        return;
    }
    let (mut pair, chassis) = pair_with_chassis("", "");
    let mut watch = pair.watch(1);
    pair.kill(0);
    let (beta, _) = watch.until(LONG, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!((beta.reason.rule.as_str(), chassis[0].power().as_str()), ("peer_off", "power:0"));
}

#[test]
fn s2_a_dead_device_is_known_beforehand_blocks_the_takeover_and_the_operator_s_word_frees_it() {
    if !require(Part::FenceAgents) {
        return;
    }
    let (mut pair, mut chassis) = pair_with_chassis("monitor = \"200ms\"\ntimeout = \"4s\"\nattempts = 1\n", "");
    chassis[0].cut_off();
    let mut watch = pair.watch(1);
    let (beta, _) = watch.until(LONG, "the device is dead", |status| {
        status.fencing[0].device.as_ref().is_some_and(|device| !device.answers)
    });
    assert!(!beta.takeover.ready, "{:?}", beta.takeover);
    let why = beta.fencing[0].device.as_ref().and_then(|device| device.why.clone()).expect("a reason");
    assert!(why.starts_with("fence_ipmilan: "), "{why}");
    pair.kill(0);
    let (beta, _) = watch.until(LONG, "fencing failed", |status| {
        status.fencing[0].last.as_ref().is_some_and(|last| last.result == FenceResult::Failed)
    });
    assert_eq!(beta.mode, Mode::Secondary);
    // How late it was given up depends on the machine's load; what it says is how long it really was.
    let why = beta.fencing[0].last.as_ref().and_then(|last| last.why.clone()).expect("why");
    assert!(why.starts_with("fence_ipmilan: no answer within "), "{why}");
    // It is tried again by itself in a minute. The operator has looked.
    let outcome = pair.act(1, Action::IsOff { peer: "alpha".to_owned() });
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    let (beta, _) = watch.until(PATIENCE, "beta is Primary", |status| status.mode == Mode::Primary);
    assert_eq!(beta.reason.rule, "peer_off");
    assert_eq!(beta.fencing[0].last.as_ref().map(|last| last.result), Some(FenceResult::OffByWord));
}

#[test]
fn s2_a_secret_stands_nowhere_but_in_its_file() {
    if !require(Part::FenceAgents) {
        return;
    }
    let (mut pair, _chassis) = pair_with_chassis("", "");
    let config = pair.config.display().to_string();
    let dry = support::output(&["fence", "alpha", "--dry-run", "--config", &config, "--as", "beta"]);
    let said = support::stdout(&dry);
    assert!(dry.status.success(), "{said}{}", support::stderr(&dry));
    assert!(said.starts_with("ok  the fence device answers after ") && said.contains(": alpha is on\n"), "{said}");
    assert!(said.contains("\n  action=off\n") && said.contains("\n  password=[secret]\n"), "{said}");
    assert!(said.contains("\n  Status: ON\n"), "{said}");
    let outcome = pair.act(1, Action::Fence { peer: "alpha".to_owned() });
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    let status = serde_json::to_string(&pair.status(1)).expect("JSON");
    let events = support::output(&["events", "--json", "--config", &config, "--as", "beta"]);
    let own = std::fs::read_to_string(format!("/proc/{}/cmdline", pair.running(1).pid())).expect("it runs");
    for text in [said, status, support::stdout(&events), own] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    pair.stop(1);
    let leaks = files_with(pair.folder(), PASSWORD.as_bytes());
    assert_eq!(leaks, ["ipmi.pass"]);
}

/// The files below `folder` that hold `word`.
fn files_with(folder: &Path, word: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, word));
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(word.len()).any(|part| part == word)) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn s2_a_dry_run_needs_no_controller_and_switches_nothing() {
    if !require(Part::FenceAgents) {
        return;
    }
    let chassis = Chassis::start();
    let fences: String = NAMES[..2].iter().map(|name| chassis.section(name, "")).collect();
    let pair = Group::new(2, &format!("{QUICK}{fences}"));
    support::write(pair.folder(), "ipmi.pass", PASSWORD);
    let config = pair.config.display().to_string();
    let run = |peer: &str| support::output(&["fence", peer, "--dry-run", "--config", &config, "--as", "beta"]);
    let said = support::stdout(&run("alpha"));
    assert!(said.starts_with("no controller runs here: the agent is asked by this command itself\nok  "), "{said}");
    assert_eq!(chassis.power(), "power:1");
    let own = run("beta");
    assert_eq!(own.status.code(), Some(1));
    assert!(support::stderr(&own).contains("no [fence.beta] for another member"), "{}", support::stderr(&own));
}

#[test]
fn s2_an_option_that_the_agent_does_not_know_is_an_error_at_check_and_at_start() {
    if !require(Part::FenceAgents) {
        return;
    }
    let chassis = Chassis::start();
    let fences: String = NAMES[..2].iter().map(|name| chassis.section(name, "")).collect();
    let mut pair = Group::new(2, &format!("{QUICK}{}", fences.replace("lanplus", "lanpuls")));
    support::write(pair.folder(), "ipmi.pass", PASSWORD);
    let config = pair.config.display().to_string();
    let checked = support::output(&["check", "--config", &config, "--as", "beta"]);
    let said = support::stderr(&checked);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("fence_ipmilan knows no option \"lanpuls\"\n  help: did you mean \"lanplus\"?"), "{said}");
    assert!(!said.contains(".toml: "), "every fault has its line and column: {said}");
    pair.start(1);
    let status = pair.running(1).wait(PATIENCE);
    let log = std::fs::read_to_string(pair.log(1)).expect("a log");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("alpha could not be switched off:\nfence.alpha.options.lanpuls: "), "{log}");
}

#[test]
fn s2_every_agent_of_the_machine_describes_itself() {
    if !require(Part::FenceAgents) {
        return;
    }
    let agents = std::fs::read_dir("/usr/sbin").expect("programs").flatten();
    let mut names: Vec<String> = agents
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // This one asks a person and describes nothing.
        .filter(|name| name.starts_with("fence_") && name != "fence_ack_manual")
        .collect();
    names.sort();
    // Each takes a moment to start; the kinds of agents differ by their libraries, of which these are one each.
    let kinds =
        ["fence_apc_snmp", "fence_aws", "fence_dummy", "fence_ipmilan", "fence_sbd", "fence_virsh", "fence_wti"];
    names.retain(|name| kinds.contains(&name.as_str()));
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let options = [("no_such_option".to_owned(), "1".to_owned())].into();
        let config = FenceConfig {
            agent: AgentConfig::Agent { path: format!("/usr/sbin/{name}"), options },
            action: FenceAction::Off,
            timeout: Duration::from_secs(20),
            attempts: 1,
            delay: Duration::from_secs(5),
            monitor: Duration::ZERO,
        };
        let paths = || FencePaths { folder: "/".into(), member: "alpha".to_owned() };
        let mut found = Vec::new();
        // The first start of a large one from a slow disk may take longer than the check waits.
        wait_until(LONG, &format!("{name} answers in time"), || {
            found = check("beta", &config, paths(), Depth::Check).expect("looked at");
            !found.iter().any(|one| one.message.contains("no answer within"))
        });
        let unknown = found.iter().filter(|one| one.message.contains("knows no option \"no_such_option\"")).count();
        assert_eq!(unknown, 1, "{name}: {found:#?}");
    }
}

#[test]
fn s2_an_agent_that_lied_is_found_out_when_the_member_is_heard_again() {
    // This one says off, and status says off, while alpha lives.
    let liar = "command = [\"sh\", \"-c\", \"case $1 in off) : >$2 ;; status) test -e $2 && exit 2; exit 0 ;; esac\", \"sh\", \
                \"{action}\", \"OFF\"]\ndelay = \"0s\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    let off = folder.path().join("off").display().to_string();
    let fences: String = NAMES[..2]
        .iter()
        .map(|name| format!("[fence.{name}]\n{}", liar.replace("OFF", &format!("{off}-{name}"))))
        .collect();
    let mut pair = Group::new(2, &format!("{QUICK}{fences}"));
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    let mut watch = pair.watch(1);
    watch.until(LONG, "beta could fence alpha", |status| status.takeover.ready);
    pair.signal(0, Signal::SIGSTOP);
    watch.until(LONG, "beta is Primary", |status| status.mode == Mode::Primary);
    pair.signal(0, Signal::SIGCONT);
    let (beta, _) = watch.until(LONG, "the agent lied", |status| status.fencing[0].lied);
    assert_eq!(beta.mode, Mode::Primary);
    wait_until(PATIENCE, "alpha stands by", || pair.status(0).mode == Mode::Secondary);
}

#[test]
fn s2_an_agent_that_hangs_dies_with_its_controller() {
    // Asked for off it hangs; until then it answers.
    let folder = tempfile::tempdir().expect("a folder");
    let pid = folder.path().join("pid");
    let hangs = format!(
        "command = [\"sh\", \"-c\", \"case $1 in off) echo $$ >{}; exec sleep 1000 ;; esac\", \"sh\", \"{{action}}\"]\n",
        pid.display()
    );
    let fences: String = NAMES[..2].iter().map(|name| format!("[fence.{name}]\n{hangs}delay = \"0s\"\n")).collect();
    let mut pair = Group::new(2, &format!("{QUICK}{fences}"));
    pair.start_all();
    assert_eq!(pair.settle(), 0);
    pair.wait(1, "beta could fence alpha", |status| status.takeover.ready);
    pair.kill(0);
    let mut agent = None;
    wait_until(PATIENCE, "the agent hangs", || {
        agent = std::fs::read_to_string(&pid).ok().and_then(|pid| pid.trim().parse::<i32>().ok());
        agent.is_some()
    });
    let agent = agent.expect("wait_until saw it");
    assert!(lives(agent));
    pair.kill(1);
    wait_until(PATIENCE, "the agent is gone", || !lives(agent));
}

//! Agents that obey, hang, lie, crash, flood and forget themselves; `tests/agents/` has them. Those that are real are in
//! `tests/fencing.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::agent::read_secret;
use super::check::{Depth, Finding, Grade, check};
use super::*;
use crate::config::fencing::{AgentConfig, FenceAction, FenceConfig, FencePaths};

const SECRET: &str = "correct horse battery";

fn agents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents")
}

/// A file that is "on", and how the sample agent switches it.
struct Rig {
    folder: TempDir,
    options: BTreeMap<String, String>,
    timeout: Duration,
    attempts: u32,
    monitor: Duration,
}

impl Rig {
    fn new(behaviour: &str) -> Rig {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("power"), "on\n").expect("written");
        std::fs::write(folder.path().join("alpha.pass"), format!("{SECRET}\n")).expect("written");
        let state = folder.path().join("power").display().to_string();
        let options = [("state", state.as_str()), ("behaviour", behaviour), ("password_file", "{member}.pass")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Rig { folder, options, timeout: Duration::from_secs(20), attempts: 2, monitor: Duration::ZERO }
    }

    fn config(&self) -> FenceConfig {
        let path = agents().join("fence_sample").display().to_string();
        self.with(AgentConfig::Agent { path, options: self.options.clone() })
    }

    fn with(&self, agent: AgentConfig) -> FenceConfig {
        FenceConfig {
            agent,
            action: FenceAction::Off,
            timeout: self.timeout,
            attempts: self.attempts,
            delay: Duration::from_secs(5),
            monitor: self.monitor,
        }
    }

    fn power(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("power")).expect("read").trim().to_owned()
    }

    /// The number of a process that the agent left word of.
    fn noted(&self, what: &str) -> i32 {
        let path = self.folder.path().join(format!("power.{what}"));
        std::fs::read_to_string(path).expect("the agent ran").trim().parse().expect("a number")
    }

    fn start(&self) -> Running {
        self.start_with(self.config())
    }

    fn start_with(&self, config: FenceConfig) -> Running {
        let device = Device { name: "beta".to_owned(), config, paths: self.paths(), launcher: None };
        let (fencer, events) = Fencer::start(vec![device]).expect("started");
        Running { fencer: Some(fencer), events: Some(events) }
    }

    fn check(&self, config: &FenceConfig) -> Vec<Finding> {
        check("beta", config, self.paths(), Depth::Check).expect("looked at")
    }

    fn paths(&self) -> FencePaths {
        FencePaths { folder: self.folder.path().to_owned(), member: "alpha".to_owned() }
    }
}

struct Running {
    fencer: Option<Fencer>,
    events: Option<mpsc::Receiver<FenceEvent>>,
}

/// What one request came to.
struct Outcome {
    off: Result<(), String>,
    tries: Vec<Attempt>,
    took: Duration,
}

impl Running {
    fn fencer(&self) -> &Fencer {
        self.fencer.as_ref().expect("it runs")
    }

    fn event(&mut self) -> FenceEvent {
        self.events.as_mut().expect("it runs").blocking_recv().expect("the thread lives")
    }

    fn fence(&mut self) -> Outcome {
        assert!(self.fencer().fence("beta"));
        self.outcome()
    }

    fn outcome(&mut self) -> Outcome {
        let started = Instant::now();
        let mut tries = Vec::new();
        loop {
            let off = match self.event() {
                FenceEvent::Begun { .. } | FenceEvent::Device { .. } => continue,
                FenceEvent::Tried { attempt, .. } => {
                    tries.push(attempt);
                    continue;
                }
                FenceEvent::Off { .. } => Ok(()),
                FenceEvent::Failed { why, .. } => Err(why),
            };
            return Outcome { off, tries, took: started.elapsed() };
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.events.take());
        if let Some(fencer) = self.fencer.take() {
            fencer.shutdown();
        }
    }
}

/// Whether a process is there; one that waits to be reaped by its new parent is not.
fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[track_caller]
fn gone_soon(pid: i32) {
    let by = Instant::now() + Duration::from_secs(20);
    while lives(pid) {
        assert!(Instant::now() < by, "process {pid} still lives");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn s2_off_is_believed_when_the_agent_says_so_and_its_status_too() {
    let rig = Rig::new("obeys");
    let outcome = rig.start().fence();
    assert_eq!((outcome.off, rig.power().as_str()), (Ok(()), "off"));
    assert_eq!(outcome.tries.len(), 1);
    assert_eq!((outcome.tries[0].number, &outcome.tries[0].verdict), (1, &Verdict::Off));
}

#[test]
fn s2_a_machine_that_takes_a_moment_to_fall_is_asked_again() {
    let outcome = Rig::new("falls_slowly").start().fence();
    assert_eq!((outcome.off, outcome.tries.len()), (Ok(()), 1));
}

#[test]
fn s2_an_agent_that_says_done_while_status_says_on_is_not_believed() {
    let mut rig = Rig::new("lies");
    (rig.timeout, rig.attempts) = (Duration::from_secs(2), 1);
    let why = rig.start().fence().off.expect_err("nothing was switched");
    assert_eq!(why, "fence_sample: it says done, but after 2s still that it is on");
    assert_eq!(rig.power(), "on");
}

#[test]
fn s2_an_agent_that_hangs_is_given_up_at_its_timeout_and_its_whole_group_is_gone() {
    let mut rig = Rig::new("hangs");
    (rig.timeout, rig.attempts) = (Duration::from_secs(2), 1);
    let outcome = rig.start().fence();
    let why = outcome.off.expect_err("it hangs");
    // How late depends on the machine's load; what it says is how long it really was.
    assert!(why.starts_with("fence_sample: no answer within ") && why.ends_with(": waiting for the device"), "{why}");
    let over = outcome.tries[0].took.checked_sub(rig.timeout).expect("not before its time");
    assert!(over < Duration::from_secs(5), "given up {over:?} late");
    gone_soon(rig.noted("pid"));
    gone_soon(rig.noted("child"));
}

#[test]
fn s2_a_crash_is_no_success() {
    let mut rig = Rig::new("crashes");
    rig.attempts = 1;
    let why = rig.start().fence().off.expect_err("it crashed");
    assert_eq!(why, "fence_sample: it crashed (signal 11)");
}

#[test]
fn s2_of_a_megabyte_of_output_the_last_is_kept_and_the_rest_counted() {
    let outcome = Rig::new("floods").start().fence();
    assert_eq!(outcome.off, Ok(()));
    let output = &outcome.tries[0].output;
    assert!(output.starts_with("... 960 KiB before this\nflood"), "{:?}", &output[..60]);
    assert!(output.len() < 65 << 10, "{}", output.len());
}

#[test]
fn s2_a_second_try_in_a_row_can_succeed() {
    let outcome = Rig::new("second_try").start().fence();
    assert_eq!((outcome.off, outcome.tries.len()), (Ok(()), 2));
    let first = "fence_sample: exit status 1: the session table is full".to_owned();
    assert_eq!(outcome.tries[0].verdict, Verdict::NotOff(first));
    assert_eq!(outcome.tries[1].verdict, Verdict::Off);
}

#[test]
fn s2_after_the_tries_in_a_row_each_further_request_is_one_try() {
    let mut rig = Rig::new("crashes");
    rig.attempts = 3;
    let mut running = rig.start();
    assert_eq!(running.fence().tries.len(), 3);
    let again = running.fence();
    assert_eq!((again.tries.len(), again.tries[0].number), (1, 4));
}

#[test]
fn s2_a_child_that_keeps_the_pipe_open_delays_nothing_and_is_killed() {
    let rig = Rig::new("leaves_a_child");
    let outcome = rig.start().fence();
    assert_eq!(outcome.off, Ok(()));
    assert!(outcome.took < Duration::from_secs(10), "{:?}", outcome.took);
    gone_soon(rig.noted("child"));
}

#[test]
fn s2_a_secret_reaches_the_agent_and_nothing_that_people_read() {
    let mut rig = Rig::new("talks");
    rig.attempts = 1;
    let outcome = rig.start().fence();
    let why = outcome.off.expect_err("it fails");
    assert_eq!(why, "fence_sample: exit status 1: no power relay for [secret]");
    let output = &outcome.tries[0].output;
    assert!(output.starts_with("login [secret] accepted\\u{1b}[2J\n"), "{output}");
    let agent = Agent::new(rig.config(), rig.paths());
    for text in [output.clone(), why, format!("{agent:?}"), format!("{:?}", outcome.tries)] {
        assert!(!text.contains("horse"), "{text}");
    }
    let prepared = agent.prepare(Action::Off).expect("prepared");
    assert!(prepared.arguments.is_empty());
    assert!(prepared.lines.iter().any(|line| line.secret && line.name == "password" && line.value == SECRET));
}

#[test]
fn s2_a_plain_command_is_told_the_action_in_its_arguments() {
    let rig = Rig::new("obeys");
    let words = [&agents().join("power_sample").display().to_string(), &rig.options["state"], "{action}"];
    let command = words.map(str::to_owned).to_vec();
    let outcome = rig.start_with(rig.with(AgentConfig::Command { command })).fence();
    assert_eq!((outcome.off, rig.power().as_str()), (Ok(()), "off"));
}

#[test]
fn s2_a_reboot_is_believed_when_the_agent_says_so_and_answers_afterwards() {
    let rig = Rig::new("obeys");
    let config = FenceConfig { action: FenceAction::Reboot, ..rig.config() };
    let outcome = rig.start_with(config).fence();
    assert_eq!((outcome.off, rig.power().as_str()), (Ok(()), "on"));
}

#[test]
fn s2_an_agent_that_is_not_there_fails_with_its_name() {
    let rig = Rig::new("obeys");
    let path = "/nowhere/fence_x".to_owned();
    let agent = AgentConfig::Agent { path, options: BTreeMap::new() };
    let why = rig.start_with(FenceConfig { attempts: 1, ..rig.with(agent) }).fence().off.expect_err("nothing there");
    assert!(why.contains("/nowhere/fence_x does not exist"), "{why}");
}

#[test]
fn s2_a_monitor_tells_beforehand_whether_the_device_answers() {
    for (behaviour, dead) in [("obeys", None), ("deaf", Some("fence_sample: exit status 1: no answer from the device"))]
    {
        let mut rig = Rig::new(behaviour);
        rig.monitor = Duration::from_millis(50);
        let mut running = rig.start();
        for _ in 0..2 {
            let FenceEvent::Device { device, report } = running.event() else { panic!("something else") };
            assert_eq!((device.as_str(), report.dead.as_deref()), ("beta", dead));
        }
    }
}

#[test]
fn s2_a_fencing_does_not_wait_for_a_monitor_that_hangs() {
    let mut rig = Rig::new("obeys");
    rig.monitor = Duration::from_secs(60);
    let fifo = rig.folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
    // Status hangs in opening the pipe until the agent is killed; off does not look at it.
    let script =
        format!("case $1 in status) [ -e {0}.off ] && exit 2; read x <{0} ;; off) : >{0}.off ;; esac", fifo.display());
    let command = ["sh", "-c", &script, "sh", "{action}"].map(str::to_owned).to_vec();
    let mut running = rig.start_with(rig.with(AgentConfig::Command { command }));
    // The monitor has begun when somebody reads the pipe.
    let writer = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the monitor reads");
    let outcome = running.fence();
    assert_eq!(outcome.off, Ok(()));
    assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
    drop(writer);
}

#[test]
fn s2_the_end_kills_an_agent_that_runs() {
    let mut rig = Rig::new("hangs");
    rig.timeout = Duration::from_secs(60);
    let mut running = rig.start();
    assert!(running.fencer().fence("beta"));
    assert!(matches!(running.event(), FenceEvent::Begun { number: 1, .. }));
    let child = rig.folder.path().join("power.child");
    while std::fs::read_to_string(&child).unwrap_or_default().is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(running);
    gone_soon(rig.noted("pid"));
    gone_soon(rig.noted("child"));
}

#[test]
fn u7_a_dry_run_asks_for_the_status_and_shows_what_would_be_sent_without_secrets() {
    let rig = Rig::new("obeys");
    let running = rig.start();
    let (reply, answer) = oneshot::channel();
    running.fencer().preview("beta", Box::new(move |preview| drop(reply.send(preview))));
    let preview = answer.blocking_recv().expect("a preview");
    assert_eq!(preview.power, Power::On);
    let state = format!("state={}", rig.options["state"]);
    assert_eq!(preview.input, ["action=off", "behaviour=obeys", "password=[secret]", &state]);
    assert_eq!(rig.power(), "on");
    let (reply, answer) = oneshot::channel::<Preview>();
    running.fencer().preview("gamma", Box::new(move |preview| drop(reply.send(preview))));
    assert!(answer.blocking_recv().is_err());
    assert!(!running.fencer().fence("gamma"));
}

#[test]
fn u7_a_dry_run_shows_no_secret_of_a_plain_command() {
    let rig = Rig::new("obeys");
    let named = format!("--password={SECRET}");
    let agent = agents().join("power_sample").display().to_string();
    let words = [&agent, &rig.options["state"], "{action}", &named, "-p", SECRET];
    let command = words.map(str::to_owned).to_vec();
    let preview = preview_alone(rig.with(AgentConfig::Command { command }), rig.paths()).expect("asked");
    assert!(preview.program.ends_with("off --password=[secret] -p [secret]"), "{}", preview.program);
}

#[track_caller]
fn only(found: &[Finding], grade: Grade, key: &str, message: &str) {
    let [one] = found else { panic!("{found:#?}") };
    assert_eq!((one.grade, one.key.as_str()), (grade, key));
    assert!(one.message.contains(message), "{one:?}");
}

#[test]
fn s2_options_that_the_agent_takes_are_right() {
    let rig = Rig::new("obeys");
    let pass = rig.folder.path().join("alpha.pass");
    std::fs::set_permissions(&pass, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    assert_eq!(rig.check(&rig.config()), []);
    assert_eq!(read_secret(&pass).as_deref(), Ok(SECRET));
    std::fs::set_permissions(&pass, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
    only(&rig.check(&rig.config()), Grade::Unwise, "fence.beta.options.password_file", "others can read");
}

#[test]
fn s2_options_that_the_agent_does_not_take_are_told_each_at_its_key() {
    let cases = [
        ("stat", "x", Grade::Wrong, "fence_sample knows no option \"stat\""),
        ("ipport", "many", Grade::Wrong, "\"many\" is no value for ipport"),
        ("verbose", "perhaps", Grade::Wrong, "no value for verbose"),
        ("behaviour", "odd", Grade::Wrong, "no value for behaviour"),
        ("action", "on", Grade::Wrong, "the action is not an option"),
        ("state_path", "x", Grade::Unwise, "calls this option state now"),
        ("power_wait", "5", Grade::Unwise, "both members can end switched off"),
    ];
    for (name, value, grade, message) in cases {
        let mut rig = Rig::new("obeys");
        rig.options.remove("password_file");
        rig.options.insert(name.to_owned(), value.to_owned());
        let key =
            if name == "power_wait" { "fence.beta.delay".to_owned() } else { format!("fence.beta.options.{name}") };
        only(&rig.check(&rig.config()), grade, &key, message);
    }
}

#[test]
fn s2_a_required_option_that_is_missing_and_a_secret_that_cannot_be_read_are_wrong() {
    let mut rig = Rig::new("obeys");
    rig.options.remove("password_file");
    rig.options.remove("state");
    only(&rig.check(&rig.config()), Grade::Wrong, "fence.beta.options", "needs the option state");
    let mut rig = Rig::new("obeys");
    rig.options.insert("password_file".to_owned(), "nowhere".to_owned());
    only(&rig.check(&rig.config()), Grade::Wrong, "fence.beta.options.password_file", "cannot be read");
}

#[test]
fn s2_an_agent_that_is_missing_or_not_executable_is_wrong() {
    let rig = Rig::new("obeys");
    for (path, message) in
        [("/nowhere/fence_x", "does not exist"), ("{member}.pass", "not executable"), ("/", "not executable")]
    {
        let agent = AgentConfig::Agent { path: path.to_owned(), options: BTreeMap::new() };
        only(&rig.check(&rig.with(agent)), Grade::Wrong, "fence.beta.agent", message);
        let command =
            vec![if path.starts_with('{') { "./{member}.pass" } else { path }.to_owned(), "{action}".to_owned()];
        only(&rig.check(&rig.with(AgentConfig::Command { command })), Grade::Wrong, "fence.beta.command", message);
    }
    let command = vec!["no-such-program-of-ours".to_owned(), "{action}".to_owned()];
    only(&rig.check(&rig.with(AgentConfig::Command { command })), Grade::Wrong, "fence.beta.command", "does not exist");
    let command = vec!["sh".to_owned(), "-c".to_owned(), "true".to_owned()];
    only(
        &rig.check(&rig.with(AgentConfig::Command { command })),
        Grade::Wrong,
        "fence.beta.command",
        "not told what to do",
    );
}

#[test]
fn s2_an_agent_that_does_not_describe_itself_can_be_used_unchecked() {
    let rig = Rig::new("obeys");
    let agent = AgentConfig::Agent { path: "/bin/true".to_owned(), options: BTreeMap::new() };
    let found = rig.check(&rig.with(agent.clone()));
    only(&found, Grade::Unwise, "fence.beta.agent", "does not describe itself");
    assert_eq!(check("beta", &rig.with(agent), rig.paths(), Depth::Start).expect("looked at"), []);
}

//! The sections about processes, health and fencing: what is read, and what each fault says and where.

use super::*;
use crate::config::measuring::{CheckConfig, Weights};
use crate::config::required::{HeartbeatConfig, Hooks, Limits, Restart};
use crate::negotiation::ability::Score;

const PROCESS: &str = "[[process]]\nname = \"p\"\ncommand = [\"/bin/p\"]\n";
const CHECK: &str = "[[health.check]]\nname = \"c\"\nkind = \"tcp\"\ntarget = \"127.0.0.1:1\"\n";
const FENCES: &str = "[fence.alpha]\ncommand = [\"power\", \"{action}\"]\n[fence.beta]\ncommand = [\"power\"]\n";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn p1_everything_that_a_process_can_have_is_read() {
    let config = good(&format!(
        "{LEAST}[[process]]\nname = \"plant-control\"\ncommand = [\"/usr/bin/plant-control\", \"--site\", \"7\"]\n\
        run_when = \"primary\"\ntotalHealthScoreWeight = false\nheartbeat = {{ kind = \"notify\", period = \"2s\" }}\n\
        restart = {{ delay = \"1s\", max_delay = \"1m\", burst = 9, within = \"2m\" }}\nstart_timeout = \"1m\"\n\
        stop_grace = \"7s\"\nenvironment = {{ SITE = \"7\" }}\ndirectory = \"plant/{{member}}\"\nuser = \"plant\"\n\
        limits = {{ memory = \"512MiB\", open_files = 1024 }}\n{PROCESS}"
    ));
    let expected = ProcessConfig {
        name: "plant-control".to_owned(),
        command: ["/usr/bin/plant-control", "--site", "7"].map(str::to_owned).to_vec(),
        run_when: RunWhen::Primary,
        counts: false,
        heartbeat: Some(HeartbeatConfig { kind: HeartbeatKind::Notify, period: seconds(2) }),
        restart: Restart { delay: seconds(1), max_delay: seconds(60), burst: 9, within: seconds(120) },
        start_timeout: seconds(60),
        stop_grace: seconds(7),
        environment: [("SITE".to_owned(), "7".to_owned())].into(),
        directory: Some("plant/{member}".to_owned()),
        user: Some("plant".to_owned()),
        limits: Limits { memory: Some(512 << 20), open_files: Some(1024) },
    };
    assert_eq!(config.processes, [expected, ProcessConfig::new("p", vec!["/bin/p".to_owned()])]);
    assert_eq!(config.process_directory(&config.processes[0], MemberId(1)), Path::new("/etc/tandem/plant/beta"));
    assert_eq!(config.process_directory(&config.processes[1], MemberId(1)), Path::new("/etc/tandem"));
}

#[test]
fn p3_each_kind_of_heartbeat_is_read() {
    let kind = |written: &str| {
        let config = good(&format!("{LEAST}{PROCESS}heartbeat = {{ {written} }}\n"));
        config.processes[0].heartbeat.clone().expect("a heartbeat")
    };
    assert_eq!(kind("kind = \"line\""), HeartbeatConfig { kind: HeartbeatKind::Line, period: seconds(1) });
    let tcp = Probe::Tcp { target: "127.0.0.1:502".to_owned() };
    assert_eq!(kind("kind = \"tcp\", target = \"127.0.0.1:502\"").kind, HeartbeatKind::Probe(tcp));
    let http = Probe::Http { target: "http://localhost:80/".to_owned() };
    assert_eq!(kind("kind = \"http\", target = \"http://localhost\"").kind, HeartbeatKind::Probe(http));
    let command = Probe::Command { command: vec!["/usr/bin/probe".to_owned()] };
    assert_eq!(kind("kind = \"command\", command = [\"/usr/bin/probe\"]").kind, HeartbeatKind::Probe(command));
}

#[test]
fn p1_a_faulty_process_says_what_to_write_and_where() {
    let faulty = |more: &str, parts: &[&str]| one_fault(&format!("{PROCESS}{more}\n"), parts);
    faulty(
        "heartbeat = { kind = \"ping\" }",
        &["11:22", "process.p.heartbeat.kind: \"ping\" is not known", "\"line\""],
    );
    faulty("heartbeat = { kind = \"notfy\" }", &["did you mean \"notify\"?"]);
    faulty("heartbeat = { period = \"1s\" }", &["11:13", "no `kind`"]);
    faulty("heartbeat = { kind = \"line\", period = \"0s\" }", &["period: \"0s\" is too short"]);
    faulty("heartbeat = { kind = \"http\", target = \"127.0.0.1:80\" }", &["does not begin with http://"]);
    faulty("heartbeat = { kind = \"http\" }", &["no `target`"]);
    faulty("heartbeat = { kind = \"tcp\", target = \"plant\" }", &["no port"]);
    faulty("heartbeat = { kind = \"line\", target = \"x:1\" }", &["no use for `target`"]);
    faulty(
        "heartbeat = { kind = \"line\", perod = \"1s\" }",
        &["`perod` in heartbeat = { … } of [[process]]", "`period`"],
    );
    faulty("heartbeat = \"notify\"", &["process.p.heartbeat: found a text", "heartbeat = { kind"]);
    faulty("run_when = \"backup\"", &["\"always\", \"primary\", \"secondary\""]);
    faulty("restart = { delay = \"1m\", max_delay = \"1s\" }", &["max_delay, 1s, is shorter than delay, 1m"]);
    faulty("environment = { TANDEM_TERM = \"7\" }", &["set by tandem itself"]);
    faulty("environment = { SITE = 7 }", &["SITE: found a number", "texts in quotes"]);
    faulty("limits = { memory = 512 }", &["\"64MiB\""]);
    faulty("limits = { open_files = 1 }", &["out of range"]);
    faulty("user = \"\"", &["cannot be a user's name"]);
    faulty("stop_grace = 5", &["a time in quotes"]);
    faulty("period = \"1s\"", &["`period` belongs in [[health.check]], or in heartbeat = { … } of [[process]]"]);
    faulty("total_health_score_weight = true\ntotalHealthScoreWeight = true", &["12:26", "two spellings of one key"]);
    faulty("total_health_score_weight = 0.5", &["true or false"]);
    one_fault(&format!("{PROCESS}{PROCESS}"), &["12:8", "two processes called \"p\""]);
    one_fault("[[process]]\nname = \"p\"\n", &["8:1", "process.p has no `command`"]);
    one_fault("[[process]]\ncommand = [\"p\"]\n", &["process has no `name`"]);
    one_fault("[[process]]\nname = \"p\"\ncommand = []\n", &["10:11", "the command is empty"]);
    one_fault("[[process]]\nname = \"p\"\ncommand = [\"\"]\n", &["has no program"]);
    one_fault("[[process]]\nname = \"p\"\ncommand = \"/bin/p\"\n", &["found a text", "a list of texts"]);
    one_fault("[process]\nname = \"p\"\ncommand = [\"p\"]\n", &["[[process]], in two brackets"]);
    one_fault("[[process]]\nname = \"../p\"\ncommand = [\"p\"]\n", &["cannot be a process's name"]);
}

#[test]
fn p1_a_longer_delay_alone_is_also_the_longest() {
    let config = good(&format!("{LEAST}{PROCESS}restart = {{ delay = \"1m\" }}\n"));
    assert_eq!(config.processes[0].restart.max_delay, seconds(60));
}

#[test]
fn p2_hooks_are_read_and_an_empty_one_is_none() {
    let config = good(&format!("{LEAST}[hooks]\non_primary = [\"/etc/on\", \"x\"]\non_alarm = []\ntimeout = \"3s\"\n"));
    let on_primary = vec!["/etc/on".to_owned(), "x".to_owned()];
    assert_eq!(config.hooks, Hooks { on_primary, timeout: seconds(3), ..Hooks::default() });
    one_fault("[hooks]\non_primary = \"/etc/on\"\n", &["9:14", "a list of texts"]);
    one_fault("[hooks]\ntimeout = \"0s\"\n", &["too short"]);
}

#[test]
fn h1_weights_are_read_and_what_is_no_weight_is_refused() {
    let weights = |written: &str| good(&format!("{LEAST}[health.weights]\n{written}")).health.weights;
    assert_eq!(weights("restarts = 1\nmemory = 0.0\n"), Weights { restarts: 1.0, memory: 0.0, ..Weights::default() });
    for wrong in ["-0.1", "-1", "nan", "inf", "-inf", "2000000"] {
        one_fault(&format!("[health.weights]\nmemory = {wrong}\n"), &["9:10", "health.weights.memory", "out of range"]);
    }
    one_fault("[health.weights]\nmemory = \"0.3\"\n", &["found a text", "a number from 0"]);
    one_fault("[health.weights]\nmemroy = 0.3\n", &["`memroy` in [health.weights]", "`memory`"]);
    let none = "[health.weights]\nrestarts = 0\nresponse_time = 0.0\nmemory = 0\n";
    one_fault(none, &["8:1", "all weights are 0"]);
    // A check alone is something to make a score of.
    assert_eq!(good(&format!("{LEAST}{none}{CHECK}")).health.checks.len(), 1);
    one_fault(&format!("{none}{CHECK}weight = 0\n"), &["all weights are 0"]);
}

#[test]
fn h4_the_memory_base_is_a_size_or_nothing() {
    let base = |text: &str| good(&format!("{LEAST}[health]\nmemory_base = {text:?}\n")).health.memory_base;
    assert_eq!(base(""), None);
    assert_eq!(base("512MiB"), Some(512 << 20));
    one_fault("[health]\nmemory_base = \"512\"\n", &["KiB, MiB or GiB"]);
    one_fault("[health]\nmemory_base = \"0B\"\n", &["too small"]);
    one_fault("[health]\nsample = \"0s\"\n", &["too short"]);
}

#[test]
fn h7_checks_are_read_and_faulty_ones_told() {
    let config = good(&format!(
        "{LEAST}[[health.check]]\nname = \"historian\"\nweight = 1\nkind = \"http\"\ntarget = \"http://127.0.0.1:80/x\"\n\
        period = \"5s\"\ntimeout = \"2s\"\nrise = 1\nfall = 1\n"
    ));
    let expected = CheckConfig {
        name: "historian".to_owned(),
        weight: 1.0,
        probe: Probe::Http { target: "http://127.0.0.1:80/x".to_owned() },
        period: seconds(5),
        timeout: seconds(2),
        rise: 1,
        fall: 1,
    };
    assert_eq!(config.health.checks, [expected]);
    let taken = CHECK.replace("\"c\"", "\"memory\"");
    one_fault(&taken, &["memory is the name of a sub-health", "another name"]);
    one_fault(&format!("{CHECK}rise = 0\n"), &["health.check.c.rise", "from 1"]);
    one_fault(&format!("{CHECK}fall = 0\n"), &["from 1"]);
    one_fault(&format!("{CHECK}weight = -1\n"), &["from 0"]);
    one_fault(&format!("{CHECK}period = \"0s\"\n"), &["too short"]);
    one_fault(&format!("{CHECK}command = [\"x\"]\n"), &["no use for `command`"]);
    one_fault(&CHECK.replace("tcp", "notify"), &["\"notify\" is not known", "\"command\""]);
    one_fault(&format!("{CHECK}{CHECK}"), &["two checks called \"c\""]);
    one_fault("[[health.check]]\nname = \"c\"\nkind = \"command\"\n", &["no `command`"]);
    one_fault("[health.check]\nname = \"c\"\n", &["[[health.check]], in two brackets"]);
}

#[test]
fn h5_s6_the_keys_of_a_takeover_for_health_are_read_and_reach_the_negotiation() {
    let config = good(&format!(
        "{LEAST}[takeover]\nthreshold = 0.5\nmargin = 0.1\nconfirmations = 1\nmax_per_hour = 0\nsick_for = \"1m\"\n\
        preferred = \"beta\"\n{FENCES}[fencing]\nalways = true\n"
    ));
    let settings = config.negotiation_settings(MemberId(0));
    assert_eq!((settings.threshold, settings.margin), (Score::from(0.5), Score::from(0.1)));
    assert_eq!((settings.confirmations, settings.max_per_hour, settings.sick_for), (1, 0, seconds(60)));
    assert_eq!((settings.preferred, settings.fencing_always), (Some(MemberId(1)), true));
    assert_eq!(settings.fence_delay, [Some(seconds(5)); 2]);
    one_fault("[takeover]\nthreshold = 1.5\n", &["9:13", "from 0 to 1"]);
    one_fault("[takeover]\nmargin = -0.1\n", &["from 0 to 1"]);
    one_fault("[takeover]\nconfirmations = 0\n", &["from 1 to"]);
    one_fault("[takeover]\npreferred = \"alfa\"\n", &["no member is called \"alfa\"", "did you mean \"alpha\"?"]);
}

#[test]
fn s2_an_agent_with_its_options_is_read_as_its_standard_input_takes_them() {
    let config = good(&format!(
        "{LEAST}[fence.beta]\nagent = \"/usr/sbin/fence_ipmilan\"\naction = \"reboot\"\ntimeout = \"30s\"\nattempts = 3\n\
        delay = \"0s\"\nmonitor = \"0s\"\n\
        options = {{ ip = \"10.0.9.2\", ipport = 623, lanplus = true, ssl = false, delay = 1.5 }}\n"
    ));
    let options = [("ip", "10.0.9.2"), ("ipport", "623"), ("lanplus", "1"), ("ssl", "0"), ("delay", "1.5")];
    let options = options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let expected = FenceConfig {
        agent: AgentConfig::Agent { path: "/usr/sbin/fence_ipmilan".to_owned(), options },
        action: FenceAction::Reboot,
        timeout: seconds(30),
        attempts: 3,
        delay: Duration::ZERO,
        monitor: Duration::ZERO,
    };
    assert_eq!(config.fences, [(MemberId(1), expected)].into());
}

#[test]
fn s2_a_faulty_fence_says_what_to_write_and_never_a_secret() {
    let faulty = |more: &str, parts: &[&str]| one_fault(&format!("[fence.beta]\n{more}\n"), parts);
    faulty("action = \"off\"", &["neither which agent nor which command"]);
    faulty("agent = \"/x\"\ncommand = [\"y\"]", &["command beside an agent"]);
    faulty("agent = \"/x\"\naction = \"kill\"", &["\"off\", \"reboot\""]);
    faulty("agent = \"/x\"\nattempts = 0", &["from 1 to"]);
    faulty("agent = \"/x\"\ntimeout = \"0s\"", &["too short"]);
    faulty("agent = \"/x\"\noptions = { action = \"off\" }", &["below [fence.NAME]"]);
    faulty("agent = \"/x\"\noptions = { \"a b\" = \"c\" }", &["cannot be an option's name"]);
    faulty("agent = \"/x\"\noptions = { ports = [1] }", &["option `ports`: found a list"]);
    faulty("agent = \"/x\"\nagnet = \"/y\"", &["`agnet` in [fence.NAME]", "`agent`"]);
    faulty("command = []", &["the command is empty"]);
    one_fault("[fence.gamma]\ncommand = [\"x\"]\n", &["8:8", "no member is called \"gamma\"", "alpha, beta"]);
    one_fault("[fence]\nagent = \"/x\"\n", &["no member is called \"agent\""]);
    one_fault("[[fence]]\nagent = \"/x\"\n", &["[fence.NAME] on a line of its own"]);
    let errors =
        parse(&format!("{LEAST}[fence.beta]\nagent = \"/x\"\n[fence.beta.options]\npasswd = \"geheim\\u000A\"\n"));
    let told = errors.expect_err("a line break");
    assert!(!told.errors()[0].message.contains("geheim"), "{told:?}");
}

#[test]
fn s1_protection_fence_needs_a_fence_for_every_member() {
    let config = good(&format!("{LEAST}[takeover]\nprotection = [\"fence\"]\n{FENCES}"));
    assert_eq!(config.takeover.protection, [Protection::Fence]);
    let one = "[takeover]\nprotection = [\"fence\"]\n[fence.alpha]\ncommand = [\"power\"]\n";
    one_fault(one, &["9:14", "there is no [fence.beta]", "write [fence.beta]"]);
    // What is faulty in a fence is told there, and not as its absence.
    one_fault(&format!("{one}[fence.beta]\n"), &["12:", "neither which agent"]);
    one_fault("[fencing]\nalways = 1\n", &["true or false"]);
}

#[test]
fn u7_metrics_listen_where_the_file_says() {
    let listen = |text: &str| good(&format!("{LEAST}[metrics]\nlisten = {text:?}\n")).metrics_listen;
    assert_eq!(listen(""), None);
    assert_eq!(listen("[::1]:9464"), Some("[::1]:9464".parse().expect("an address")));
    one_fault("[metrics]\nlisten = \":9464\"\n", &["not an address with a port", "\"127.0.0.1:9464\""]);
    one_fault("[metrics]\nlisten = \"127.0.0.1:0\"\n", &["port 0"]);
}

#[test]
fn the_example_of_the_contract_is_read_but_for_what_comes_later() {
    // Every section about processes, health and fencing as its users were promised to write it.
    let config = good(&format!(
        "{LEAST}[health]\nsample = \"1s\"\nmemory_base = \"\"\n[health.weights]\nrestarts = 0.4\nresponse_time = 0.3\n\
        memory = 0.3\n[[health.check]]\nname = \"historian\"\nweight = 0.2\nkind = \"tcp\"\ntarget = \"127.0.0.1:5450\"\n\
        period = \"2s\"\ntimeout = \"1s\"\nrise = 2\nfall = 3\n[[process]]\nname = \"plant-control\"\n\
        command = [\"/usr/bin/plant-control\", \"--site\", \"7\"]\nrun_when = \"primary\"\n\
        total_health_score_weight = true\nheartbeat = {{ kind = \"notify\", period = \"1s\" }}\n\
        restart = {{ delay = \"500ms\", max_delay = \"30s\", burst = 5, within = \"1m\" }}\nstart_timeout = \"30s\"\n\
        stop_grace = \"5s\"\nenvironment = {{ SITE = \"7\" }}\ndirectory = \"/var/lib/plant\"\nuser = \"plant\"\n\
        limits = {{ memory = \"512MiB\", open_files = 1024 }}\n[hooks]\non_primary = [\"/etc/tandem/on-primary\"]\n\
        on_secondary = [\"/etc/tandem/on-secondary\"]\non_alarm = []\ntimeout = \"10s\"\n[fence.beta]\n\
        agent = \"/usr/sbin/fence_ipmilan\"\noptions = {{ ip = \"10.0.9.2\", username = \"admin\", \
        password_file = \"/etc/tandem/ipmi.pass\", lanplus = true }}\naction = \"off\"\ntimeout = \"20s\"\nattempts = 2\n\
        delay = \"5s\"\nmonitor = \"1m\"\n[fencing]\nalways = false\n[metrics]\nlisten = \"\"\n"
    ));
    assert_eq!((config.processes.len(), config.fences.len(), config.health.checks.len()), (1, 1, 1));
}

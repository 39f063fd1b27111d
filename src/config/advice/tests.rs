//! One test for each piece of advice, and for its absence where all is well.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::config::keys;
use crate::negotiation::member::MemberId;

fn config(times: &str, alpha: &str, beta: &str) -> Config {
    let text = format!(
        "group = \"g\"\n[[member]]\nname = \"alpha\"\naddresses = [{alpha}]\n\
         [[member]]\nname = \"beta\"\naddresses = [{beta}]\n{times}"
    );
    Config::parse(&text, Path::new("/etc/tandem/tandem.toml")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn one_network(more: &str) -> Config {
    config(more, "\"10.0.0.1:7400\"", "\"10.0.0.2:7400\"")
}

fn two_networks(more: &str) -> Config {
    config(more, "\"10.0.0.1:7400\", \"10.1.0.1:7400\"", "\"10.0.0.2:7400\", \"10.1.0.2:7400\"")
}

fn keys_of(advice: &[Advice]) -> Vec<&str> {
    advice.iter().map(|advice| advice.key.as_str()).collect()
}

#[test]
fn s1_a_pair_without_protection_is_told_and_nothing_else_of_good_settings() {
    assert_eq!(keys_of(&of_file(&two_networks(""))), ["takeover.protection"]);
}

#[test]
fn n15_one_network_is_told_for_each_member_and_so_is_the_slow_switch() {
    let advice = of_file(&one_network(""));
    assert_eq!(
        keys_of(&advice),
        ["takeover.protection", "negotiation.boot_timeout", "member.alpha.addresses", "member.beta.addresses"]
    );
    assert_eq!((advice[2].line, advice[2].column), (Some(4), Some(13)));
    assert_eq!(advice[0].line, None);
    let patient = of_file(&one_network("[negotiation]\nboot_timeout = \"45s\"\n"));
    assert!(!keys_of(&patient).contains(&"negotiation.boot_timeout"));
}

#[test]
fn n15_two_addresses_on_one_network_are_no_redundancy() {
    let config = config("", "\"10.0.0.1:7400\", \"10.0.0.3:7400\"", "\"10.0.0.2:7400\", \"[fd00:0:0:1::1]:7400\"");
    let advice = of_file(&config);
    assert_eq!(keys_of(&advice), ["takeover.protection", "member.alpha.addresses"]);
}

#[test]
fn n15_networks_in_another_order_are_told() {
    let crossed = config("", "\"10.0.0.1:7400\", \"10.1.0.1:7400\"", "\"10.1.0.2:7400\", \"10.0.0.2:7400\"");
    let advice = of_file(&crossed);
    assert_eq!(keys_of(&advice), ["takeover.protection", "member.beta.addresses"]);
    assert!(advice[1].message.contains("another order"), "{advice:?}");
}

#[test]
fn n2_members_that_share_no_kind_of_address_are_told() {
    let apart = config("", "\"10.0.0.1:7400\", \"10.1.0.1:7400\"", "\"[fd00::1]:7400\", \"[fd01::1]:7400\"");
    let advice = of_file(&apart);
    assert_eq!(keys_of(&advice), ["takeover.protection", "member.beta.addresses"]);
    assert!(advice[1].message.contains("no address of the same kind"), "{advice:?}");
}

#[test]
fn a_trial_on_one_machine_gets_no_advice_about_networks() {
    assert_eq!(keys_of(&of_file(&config("", "\"127.0.0.1:1\"", "\"127.0.0.2:1\""))), ["takeover.protection"]);
}

#[test]
fn n4_times_out_of_proportion_are_told_with_their_place() {
    let odd = |more: &str| {
        let advice = of_file(&two_networks(&format!("[negotiation]\n{more}\n")));
        advice.into_iter().find(|advice| advice.key.starts_with("negotiation.")).expect("advice about times")
    };
    let advice = odd("reply_timeout = \"2s\"");
    assert!(advice.message.contains("three times"), "{advice:?}");
    assert_eq!((advice.line, advice.column), (Some(9), Some(17)));
    assert!(odd("query_interval = \"10ms\"\nreply_timeout = \"40ms\"").message.contains("busy"));
    assert!(odd("reply_timeout = \"2m\"\nboot_timeout = \"2m\"").message.contains("nobody acts for 2m"));
    assert!(odd("boot_timeout = \"2s\"").message.contains("given up after 2s"));
    assert!(odd("connect_grace = \"0s\"").message.contains("both become Primary"));
}

#[test]
fn s8_s11_a_plain_link_observe_only_and_an_open_socket_are_told() {
    let more = "[security]\nmode = \"none\"\n[takeover]\nobserve_only = true\n[control]\nmode = \"0666\"\n";
    let advice = of_file(&two_networks(more));
    assert_eq!(keys_of(&advice), ["takeover.protection", "takeover.observe_only", "security.mode", "control.mode"]);
}

#[test]
fn s8_a_key_that_others_can_read_is_unwise_and_none_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("group.key");
    keys::generate(&path).expect("made");
    let more = format!(
        "[security]\nkey_file = {path:?}\n[state]\ndirectory = {:?}\n[control]\ngroup = \"no-such-group\"\n",
        folder.path().join("deep/{member}")
    );
    let config = two_networks(&more);
    let of = |list: Vec<Advice>, wanted: &str| list.into_iter().find(|advice| advice.key == wanted);
    let unwise = |wanted| of(of_machine(&config, MemberId(0)).unwise, wanted);
    assert_eq!(unwise("security.key_file"), None);
    assert!(unwise("control.group").is_some());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
    assert!(unwise("security.key_file").expect("advice").message.contains("0640"));
    fs::remove_file(&path).expect("removed");
    let wrong = of(of_machine(&config, MemberId(0)).wrong, "security.key_file").expect("wrong");
    assert!(wrong.message.contains("tandem keygen"), "{wrong:?}");
}

#[test]
fn n20_a_state_directory_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let config = two_networks(&format!("[security]\nmode = \"none\"\n[state]\ndirectory = {:?}\n", file.join("x")));
    let advice = of_machine(&config, MemberId(0)).unwise;
    assert!(advice.iter().any(|advice| advice.message.contains("in the way")), "{advice:?}");
}

#[test]
fn n20_a_state_directory_in_memory_is_told() {
    // Linux mounts this one in memory wherever it has it.
    if !Path::new("/dev/shm").is_dir() {
        return;
    }
    let config = two_networks("[security]\nmode = \"none\"\n[state]\ndirectory = \"/dev/shm/tandem-none\"\n");
    let advice = of_machine(&config, MemberId(0)).unwise;
    assert!(advice.iter().any(|advice| advice.message.contains("in memory")), "{advice:?}");
}

#[test]
fn u7_a_socket_path_that_the_system_cannot_take_is_wrong() {
    let more = format!("[security]\nmode = \"none\"\n[control]\nsocket = \"/run/{}\"\n", "x".repeat(103));
    let wrong = of_machine(&two_networks(&more), MemberId(0)).wrong;
    assert_eq!(keys_of(&wrong), ["control.socket"]);
    let shorter = of_machine(&two_networks(&more.replace("xx\"", "x\"")), MemberId(0)).wrong;
    assert_eq!(shorter, []);
}

/// The advice about `key` of two members with `more`.
fn about(more: &str, key: &str) -> Option<Advice> {
    of_file(&two_networks(more)).into_iter().find(|advice| advice.key == key)
}

fn message(more: &str, key: &str) -> String {
    about(more, key).unwrap_or_else(|| panic!("no advice about {key}")).message
}

const PROCESS: &str = "[[process]]\nname = \"p\"\ncommand = [\"/bin/true\"]\n";
const FENCES: &str = "[fence.alpha]\ncommand = [\"true\"]\ndelay = \"8s\"\n[fence.beta]\ncommand = [\"true\"]\n";

#[test]
fn p1_good_processes_checks_and_fences_get_no_advice() {
    let more = format!(
        "{PROCESS}heartbeat = {{ kind = \"notify\" }}\n[[health.check]]\nname = \"c\"\nkind = \"tcp\"\n\
         target = \"127.0.0.1:1\"\n[takeover]\nprotection = [\"fence\"]\n{FENCES}delay = \"8s\"\n"
    );
    assert_eq!(of_file(&two_networks(&more)), []);
}

#[test]
fn p2_p3_times_of_a_process_that_nobody_would_want_are_told() {
    let of = |more: &str, key: &str| message(&format!("{PROCESS}{more}\n"), key);
    let primary = "run_when = \"primary\"\nstop_grace = \"2m\"";
    assert!(of(primary, "process.p.stop_grace").contains("waits up to 2m for p"));
    assert!(of("stop_grace = \"0s\"", "process.p.stop_grace").contains("is killed"));
    assert!(of("restart = { delay = \"0s\" }", "process.p.restart.delay").contains("at once"));
    let slow = "heartbeat = { kind = \"line\", period = \"30s\" }";
    assert!(of(slow, "process.p.heartbeat.period").contains("only after 2m30s"));
    let busy = "heartbeat = { kind = \"command\", period = \"100ms\", command = [\"true\"] }";
    assert!(of(busy, "process.p.heartbeat.period").contains("every 100ms"));
    assert_eq!(about(&format!("{PROCESS}stop_grace = \"2m\"\n"), "process.p.stop_grace"), None);
}

#[test]
fn h5_h7_a_score_that_never_or_always_decides_is_told() {
    let threshold = |value: &str| format!("{PROCESS}[takeover]\nthreshold = {value}\n");
    assert!(message(&threshold("0"), "takeover.threshold").contains("never replaced"));
    assert!(message(&threshold("1.0"), "takeover.threshold").contains("one restart"));
    assert!(about("[takeover]\nthreshold = 0\n", "takeover.threshold").is_none(), "nothing is measured");
    assert!(about(&format!("{PROCESS}[takeover]\nconfirmations = 1\n"), "takeover.confirmations").is_some());
    let check = "[[health.check]]\nname = \"c\"\nkind = \"tcp\"\ntarget = \"127.0.0.1:1\"\ntimeout = \"3s\"\n";
    assert!(message(check, "health.check.c.timeout").contains("longer than the period, 2s"));
}

#[test]
fn s2_s3_fencing_that_comes_too_soon_or_is_not_watched_is_told() {
    let fence = |more: &str| format!("[takeover]\nprotection = [\"fence\"]\n{FENCES}{more}\n");
    assert!(message(&fence("delay = \"0s\""), "fence.beta.delay").contains("both off"));
    // Without one of its own the delay is 5 s, and a link that fails one way asks for no more.
    assert_eq!(about(&fence(""), "fence.beta.delay"), None);
    assert!(message(&fence("monitor = \"0s\""), "fence.beta.monitor").contains("only when it is needed"));
    assert!(message(&fence("action = \"reboot\""), "fence.beta.action").contains("again and again"));
    assert_eq!(about(&format!("{FENCES}delay = \"0s\"\n"), "fence.beta.delay"), None);
    assert!(message("[fencing]\nalways = true\n", "fencing.always").contains("no [fence.alpha], [fence.beta]"));
}

#[test]
fn u7_metrics_that_strangers_can_read_are_told() {
    assert!(message("[metrics]\nlisten = \"10.0.0.1:9464\"\n", "metrics.listen").contains("plain text"));
    assert_eq!(about("[metrics]\nlisten = \"127.0.0.1:9464\"\n", "metrics.listen"), None);
}

#[test]
fn p4_s2_what_this_machine_does_not_have_is_wrong_on_it() {
    let wrong =
        |more: &str| of_machine(&two_networks(&format!("[security]\nmode = \"none\"\n{more}")), MemberId(0)).wrong;
    let process = |more: &str| wrong(&format!("[[process]]\nname = \"p\"\n{more}\n"));
    let found = process("command = [\"/nonexistent/p\"]");
    assert_eq!((keys_of(&found), found[0].line), (vec!["process.p.command"], Some(12)));
    assert!(found[0].message.contains("/nonexistent/p"), "{found:?}");
    assert_eq!(keys_of(&process("command = [\"no-such-program\"]")), ["process.p.command"]);
    assert_eq!(keys_of(&process("command = [\"sh\"]\nuser = \"no-such-user\"")), ["process.p.user"]);
    assert_eq!(keys_of(&process("command = [\"sh\"]\ndirectory = \"/nonexistent\"")), ["process.p.directory"]);
    let heartbeat = "command = [\"sh\"]\nheartbeat = { kind = \"command\", command = [\"/nonexistent/x\"] }";
    assert_eq!(keys_of(&process(heartbeat)), ["process.p.heartbeat.command"]);
    assert_eq!(process("command = [\"sh\"]\ndirectory = \"/\"\nuser = \"root\""), []);
    let check = "[[health.check]]\nname = \"c\"\nkind = \"command\"\ncommand = [\"/nonexistent/c\"]\n";
    assert_eq!(keys_of(&wrong(check)), ["health.check.c.command"]);
    assert_eq!(keys_of(&wrong("[hooks]\non_alarm = [\"/nonexistent/h\"]\n")), ["hooks.on_alarm"]);
    assert_eq!(keys_of(&wrong("[fence.beta]\nagent = \"/etc/passwd\"\n")), ["fence.beta.agent"]);
    // Nobody switches itself off: alpha needs no program for it.
    assert_eq!(wrong("[fence.alpha]\nagent = \"/nonexistent/agent\"\n"), []);
}

#[test]
fn s2_a_secret_in_a_file_that_everybody_can_read_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tandem.toml");
    let unwise = |options: &str, mode: u32| {
        let text = format!(
            "group = \"g\"\n[[member]]\nname = \"alpha\"\naddresses = [\"10.0.0.1:1\"]\n[[member]]\nname = \"beta\"\n\
             addresses = [\"10.0.0.2:1\"]\n[security]\nmode = \"none\"\n[fence.beta]\nagent = \"/bin/true\"\n\
             options = {{ {options} }}\n"
        );
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
        let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        of_machine(&config, MemberId(0)).unwise.into_iter().any(|advice| advice.key == "fence")
    };
    assert!(unwise("passwd = \"geheim\"", 0o644));
    assert!(!unwise("passwd = \"geheim\"", 0o600));
    assert!(!unwise("password_file = \"/etc/tandem/ipmi.pass\"", 0o644));
}

#[test]
fn s1_reachability_alone_is_told_to_be_a_filter() {
    let targets = "[reachability]\ntargets = [\"tcp://10.0.0.254:22\"]\n";
    let alone = format!("[takeover]\nprotection = [\"reachability\"]\n{targets}");
    let advice = of_file(&two_networks(&alone));
    assert_eq!(keys_of(&advice), ["takeover.protection"]);
    assert!(advice[0].message.contains("a filter, not a proof"), "{advice:?}");
}

#[test]
fn s1_an_address_that_always_answers_is_told() {
    let targets = "[\"tcp://127.0.0.1:22\", \"tcp://10.1.0.2:22\", \"tcp://10.0.0.254:22\"]";
    let advice = of_file(&two_networks(&format!("[reachability]\ntargets = {targets}\n")));
    assert_eq!(keys_of(&advice), ["takeover.protection", "reachability.targets", "reachability.targets"]);
    assert!(advice[1].message.starts_with("127.0.0.1:22 is this machine itself"), "{advice:?}");
    assert!(advice[2].message.starts_with("10.1.0.2:22 is beta's own"), "{advice:?}");
}

const ARBITER: &str = "[takeover]\nprotection = [\"arbiter\"]\n[arbiter]\nkind = \"file\"\n";

#[test]
fn s4_a_watchdog_slower_than_the_lease_is_told() {
    let with = |timeout: &str| {
        let watchdog = format!("[watchdog]\ndevice = \"/dev/watchdog\"\ntimeout = \"{timeout}\"\n");
        of_file(&two_networks(&format!("{ARBITER}directory = \"/mnt/shared\"\n{watchdog}")))
    };
    assert_eq!(keys_of(&with("5s")), Vec::<&str>::new());
    assert_eq!(keys_of(&with("6s")), ["watchdog.timeout"]);
}

#[test]
fn s1_a_shared_directory_that_is_none_is_told_and_so_is_a_watchdog_that_is_not_there() {
    let on = |directory: &str| {
        let config = two_networks(&format!("{ARBITER}directory = \"{directory}\"\n"));
        let found = of_machine(&config, MemberId(0)).unwise;
        found.into_iter().filter(|advice| advice.key == "arbiter.directory").map(|advice| advice.message).collect()
    };
    let (missing, own): (Vec<String>, Vec<String>) = (on("/nowhere/at/all"), on("/etc"));
    assert!(missing[0].contains("/nowhere/at/all is not there"), "{missing:?}");
    assert!(own[0].contains("/etc lies on this machine's own disk"), "{own:?}");
    assert_eq!(on("/proc"), Vec::<String>::new(), "another file system");
    let watchdog = two_networks("[watchdog]\ndevice = \"/dev/no-watchdog\"\n");
    let wrong = of_machine(&watchdog, MemberId(0)).wrong;
    assert!(wrong.iter().any(|advice| advice.message == "there is no /dev/no-watchdog"), "{wrong:?}");
}

const ETCD: &str = "[takeover]\nprotection = [\"arbiter\"]\n[arbiter]\nkind = \"etcd\"\n";

/// Three servers, over TLS.
const SERVERS: &str = "endpoints = [\"https://10.0.8.1:2379\", \"https://10.0.8.2:2379\", \"https://10.0.8.3:2379\"]\n";

#[test]
fn s1_s4_an_etcd_that_cannot_be_relied_on_is_told() {
    let told = |more: &str| {
        let advice = of_file(&two_networks(&format!("{ETCD}{more}")));
        advice.into_iter().map(|advice| format!("{}: {}", advice.key, advice.message)).collect::<Vec<_>>()
    };
    assert_eq!(told(SERVERS), Vec::<String>::new());
    let one = |more: &str, wanted: &str| {
        let told = told(more);
        assert!(told.len() == 1 && told[0].starts_with(wanted), "{told:?}");
    };
    let quick = "[negotiation]\nquery_interval = \"200ms\"\nreply_timeout = \"1s\"\n";
    one(&format!("{SERVERS}lease = \"2s\"\n{quick}"), "arbiter.lease: 2s may be over before an etcd that has lost");
    one(
        &format!("{SERVERS}lease = \"4s\"\n[negotiation]\nreply_timeout = \"5s\"\n"),
        "arbiter.lease: 4s is shorter than",
    );
    let slow = "[negotiation]\nquery_interval = \"2s\"\nreply_timeout = \"6s\"\nboot_timeout = \"10s\"\n";
    assert!(told(&format!("{SERVERS}{slow}")).iter().any(|told| told.contains("less than three times query_interval")));
    one("endpoints = [\"https://10.0.8.1:2379\"]\n", "arbiter.endpoints: one server is named");
    let plain = SERVERS.replace("https", "http");
    one(
        &format!("{plain}user = \"t\"\npassword_file = \"p\"\n"),
        "arbiter.user: the password travels to http://10.0.8.1",
    );
    one(&format!("{plain}ca_file = \"ca\"\n"), "arbiter.ca_file: certificates are of no use");
    let unused = of_file(&two_networks(&format!("[arbiter]\nkind = \"etcd\"\n{SERVERS}")));
    assert_eq!(keys_of(&unused), ["takeover.protection", "arbiter.kind"]);
}

#[test]
fn u7_a_password_for_etcd_that_others_can_read_is_told_and_so_is_one_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("etcd.pass");
    let config = two_networks(&format!("{ETCD}{SERVERS}user = \"tandem\"\npassword_file = \"{}\"\n", path.display()));
    let found = || {
        let MachineAdvice { wrong, unwise } = of_machine(&config, MemberId(0));
        let about = |advice: &[Advice]| advice.iter().any(|advice| advice.key == "arbiter.password_file");
        (about(&wrong), about(&unwise))
    };
    assert_eq!(found(), (true, false), "missing");
    fs::write(&path, "geheim").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
    assert_eq!(found(), (false, true), "readable by its group");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
    assert_eq!(found(), (false, false));
}

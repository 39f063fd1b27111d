//! A controller that asks real processes, in every way there is, and what it makes of their answers (P3, H1, H3, H6, H7).

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::fmt::Write as _;

use group::Group;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tandem::control::status::{Process, ProcessState, Status, SubHealth};

fn process<'a>(status: &'a Status, name: &str) -> &'a Process {
    status.processes.iter().find(|one| one.name == name).expect("it is configured")
}

fn sub<'a>(status: &'a Status, name: &str) -> Option<&'a SubHealth> {
    status.health.sub.iter().find(|one| one.name == name)
}

/// One member with a process for each of `kinds`: its name, the sample's words, its heartbeat.
fn member(kinds: &[(&str, String, String)], more: &str) -> Group {
    let mut text = String::from("[negotiation]\nboot_timeout = \"1s\"\nconnect_grace = \"1s\"\n");
    for (name, words, heartbeat) in kinds {
        let binary = support::binary();
        writeln!(
            text,
            "[[process]]\nname = \"{name}\"\ncommand = [\"{binary}\", \"sample-process\"{words}]\n\
             heartbeat = {{ {heartbeat}, period = \"200ms\" }}"
        )
        .expect("a string grows");
    }
    text.push_str(more);
    let mut group = Group::new(2, &text);
    group.start(0);
    group
}

#[test]
fn p3_every_kind_of_heartbeat_makes_a_process_ready_and_measures_it() {
    let [http, tcp] = support::addresses(2)[..] else { panic!("two were asked for") };
    let group = member(
        &[
            ("notify", ", \"--notify\"".to_owned(), "kind = \"notify\"".to_owned()),
            ("line", ", \"--line\"".to_owned(), "kind = \"line\"".to_owned()),
            ("http", format!(", \"--http\", \"{http}\""), format!("kind = \"http\", target = \"http://{http}/\"")),
            ("tcp", format!(", \"--tcp\", \"{tcp}\""), format!("kind = \"tcp\", target = \"{tcp}\"")),
            ("command", String::new(), "kind = \"command\", command = [\"/bin/true\"]".to_owned()),
        ],
        "",
    );
    group.wait(0, "all are ready, have answered, and answer in time", |status| {
        let well = |one: &Process| one.state == ProcessState::Running && one.response_ms.is_some();
        let in_time =
            sub(status, "response_time").is_some_and(|sub| (sub.status, sub.unit.as_str()) == (1.0, "periods"));
        status.processes.len() == 5 && status.processes.iter().all(well) && in_time
    });
    let (status, _) = group.wait(0, "memory and CPU are sampled", |status| {
        status.processes.iter().all(|one| one.memory_pct.is_some() && one.cpu_pct.is_some())
    });
    assert!(sub(&status, "memory").is_some_and(|memory| memory.measured > 0.0), "{:?}", status.health);
}

#[test]
fn h6_one_that_is_frozen_makes_the_whole_response_status_zero_until_it_answers() {
    let kinds = ["frozen", "well"].map(|name| (name, ", \"--line\"".to_owned(), "kind = \"line\"".to_owned()));
    let group = member(&kinds, "");
    let (status, _) = group.wait(0, "both answer", |status| {
        status.processes.iter().all(|one| one.response_ms.is_some()) && sub(status, "response_time").is_some()
    });
    let pid = process(&status, "frozen").pid.expect("it runs");
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id fits"));
    kill(pid, Signal::SIGSTOP).expect("it is ours");
    // On a busy machine the other may have been late before.
    let (status, _) = group.wait(0, "its silence counts", |status| {
        let sub = sub(status, "response_time");
        sub.is_some_and(|sub| sub.status == 0.0 && sub.why.as_deref().is_some_and(|why| why.contains("frozen")))
    });
    assert!(status.health.total < status.health.threshold, "{:?}", status.health);
    kill(pid, Signal::SIGCONT).expect("it is ours");
    group.wait(0, "it is well again", |status| status.health.total == 1.0);
}

#[test]
fn h7_a_check_falls_after_so_many_bad_answers_and_rises_after_so_many_good_ones() {
    let address = support::addresses(1)[0];
    let check = format!(
        "[[health.check]]\nname = \"historian\"\nweight = 1.0\nkind = \"tcp\"\ntarget = \"{address}\"\nperiod = \"20ms\"\n\
         timeout = \"1s\"\nrise = 2\nfall = 3\n"
    );
    let group = member(&[], &check);
    let stands = |wanted: f64| move |status: &Status| sub(status, "historian").is_some_and(|sub| sub.status == wanted);
    let (status, _) = group.wait(0, "nobody listens: it is bad", stands(0.0));
    assert_eq!(sub(&status, "historian").and_then(|sub| sub.why.clone()).as_deref(), Some("connection refused"));
    assert!((status.health.total - 0.5).abs() < 1e-6, "{:?}", status.health);
    let _listens = std::net::TcpListener::bind(address).expect("the address is free");
    group.wait(0, "somebody listens: it is good", stands(1.0));
}

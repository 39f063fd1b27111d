//! A controller under a service manager: ready, alive, stopping, and what a hang-up does (U3).

#[path = "support/group.rs"]
mod group;
#[path = "support/mod.rs"]
mod support;

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use nix::sys::signal::Signal;
use support::reference::Reference;
use tandem::control::status::Mode;

const QUICK: &str = "[negotiation]\nquery_interval = \"100ms\"\nreply_timeout = \"1s\"\nboot_timeout = \"1s\"\n";

/// The service manager's end: what the controller tells it, until a message is as wanted.
struct Manager {
    socket: UnixDatagram,
    path: std::path::PathBuf,
}

impl Manager {
    fn new(group: &Group) -> Manager {
        let path = group.folder().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("an option");
        Manager { socket, path }
    }

    fn wait(&self, wanted: &str) -> String {
        let started = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            assert!(started.elapsed() < PATIENCE, "the manager never heard {wanted}");
            if let Ok(length) = self.socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if text.contains(wanted) {
                    return text;
                }
            }
        }
    }

    /// Throws away what has been said until now; what is heard later was said later than this time.
    fn forget(&self) -> Instant {
        self.socket.set_nonblocking(true).expect("an option");
        let mut buffer = [0; 4096];
        let empty = loop {
            let now = Instant::now();
            if self.socket.recv(&mut buffer).is_err() {
                break now;
            }
        };
        self.socket.set_nonblocking(false).expect("an option");
        empty
    }

    /// How many messages with `wanted` come within `time`.
    fn count(&self, wanted: &str, time: Duration) -> usize {
        let started = Instant::now();
        let mut buffer = [0; 4096];
        let mut count = 0;
        while started.elapsed() < time {
            if let Ok(length) = self.socket.recv(&mut buffer) {
                count += usize::from(String::from_utf8_lossy(&buffer[..length]).contains(wanted));
            }
        }
        count
    }
}

#[test]
fn u3_the_service_manager_hears_ready_alive_the_mode_and_the_end() {
    let mut pair = Group::new(2, QUICK);
    let manager = Manager::new(&pair);
    let mut command = pair.command(0);
    command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
    let mut alpha = support::Running::start(command);
    assert!(manager.wait("READY=1").contains("STATUS="));
    manager.wait("STATUS=Primary");
    // Half of 400 ms: the loop itself says that it turns, so often and not much more often. What lies there already is old.
    let (reference, from) = (Reference::start(), manager.forget());
    (0..10).for_each(|_| drop(manager.wait("WATCHDOG=1")));
    let took = from.elapsed();
    assert!(took > Duration::from_millis(1300), "ten within {took:?}");
    reference.within(took, Duration::from_secs(4), "ten signs of life");
    alpha.signal(Signal::SIGSTOP);
    support::wait_until(PATIENCE, "it is frozen", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", alpha.pid())).expect("it is there");
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    });
    // What was said before the stop may still lie in the socket.
    manager.forget();
    assert_eq!(manager.count("WATCHDOG=1", Duration::from_secs(1)), 0, "a frozen loop says nothing");
    alpha.signal(Signal::SIGCONT);
    manager.wait("WATCHDOG=1");
    alpha.signal(Signal::SIGTERM);
    manager.wait("STOPPING=1");
    assert!(alpha.wait(PATIENCE).success());
    pair.kill(0);
}

#[test]
fn u3_a_hang_up_leaves_the_controller_running() {
    let mut pair = Group::new(2, QUICK);
    pair.start(0);
    pair.wait(0, "alpha is Primary", |status| status.mode == Mode::Primary);
    let before = pair.status(0).incarnation;
    pair.signal(0, Signal::SIGHUP);
    pair.signal(0, Signal::SIGHUP);
    // On a machine that stalls it may be asking anew just now (S9).
    let (status, _) = pair.wait(0, "alpha is Primary still", |status| status.mode == Mode::Primary);
    assert_eq!(status.incarnation, before);
    assert!(pair.stop(0).success());
}

#[test]
fn the_status_of_a_real_controller_is_as_the_schema_says() {
    let mut pair = Group::new(2, "");
    pair.start_all();
    pair.settle();
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../assets/status.schema.json")).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    for member in 0..2 {
        let socket = pair.socket(member).display().to_string();
        let output = support::output(&["status", "--json", "--socket", &socket]);
        assert!(output.status.success(), "{}", support::stderr(&output));
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        let wrong: Vec<String> = validator.iter_errors(&status).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[test]
fn nothing_is_left_behind_by_a_controller_that_was_stopped() {
    let mut pair = Group::new(2, QUICK);
    pair.start(0);
    pair.client(0);
    assert!(pair.socket(0).exists());
    assert!(pair.stop(0).success());
    assert!(!pair.socket(0).exists(), "its socket is gone");
    // And a socket left by a crash stops nobody.
    pair.start(0);
    pair.client(0);
    pair.kill(0);
    assert!(pair.socket(0).exists());
    pair.start(0);
    pair.wait(0, "alpha is Primary again", |status| status.mode == Mode::Primary);
}

//! The hardware watchdog (S4), with a fake device node: a file or a pipe that answers the kernel's requests through a
//! library which is loaded into the controller. A machine with a real one is not needed, and would be reset.

#[path = "support/group.rs"]
mod group;
mod support;

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use group::{Group, PATIENCE};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use support::{stderr, wait_until};

/// Compiles the library. Cargo links with `cc`, so it is there.
fn library(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/watchdog_device.c");
    let library = folder.join("watchdog_device.so");
    let mut cc = Command::new("cc");
    let made = cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").output().expect("cc starts");
    assert!(made.status.success(), "{}", stderr(&made));
    library
}

/// A pair whose first member has a watchdog at `device` in the group's folder; the other has none.
fn pair(timeout: &str, more: &str) -> Group {
    let mut pair = Group::new(2, more);
    let watchdog = format!("[watchdog]\ndevice = \"watchdog\"\ntimeout = \"{timeout}\"\n");
    pair.change_config(0, |text| text + &watchdog);
    let preload = format!("LD_PRELOAD={}", library(pair.folder()).display());
    pair.run_through(0, &["env", &preload]);
    pair
}

fn device(pair: &Group) -> PathBuf {
    pair.folder().join("watchdog")
}

fn written(pair: &Group) -> Vec<u8> {
    std::fs::read(device(pair)).expect("the device")
}

fn signs(pair: &Group) -> usize {
    written(pair).iter().filter(|byte| **byte == 0).count()
}

fn wait_for_signs(pair: &Group, more: usize) {
    let before = signs(pair);
    wait_until(PATIENCE, "signs of life", || signs(pair) >= before + more);
}

#[test]
fn s4_the_watchdog_is_armed_kept_from_resetting_and_disarmed_at_a_clean_end() {
    let mut pair = pair("10s", "");
    std::fs::write(device(&pair), "").expect("a file");
    pair.start_all();
    pair.settle();
    wait_for_signs(&pair, 1);
    assert!(written(&pair).starts_with(b"T10\0"), "{:?}", written(&pair));
    assert!(!written(&pair).contains(&b'V'));
    assert!(pair.stop(0).success());
    assert_eq!(written(&pair).last(), Some(&b'V'));
}

#[test]
fn s4_a_frozen_or_killed_controller_lets_the_watchdog_reset_the_machine() {
    let mut pair = pair("1s", "");
    std::fs::write(device(&pair), "").expect("a file");
    pair.start_all();
    pair.settle();
    wait_for_signs(&pair, 3);
    pair.signal(0, Signal::SIGSTOP);
    let threads = format!("/proc/{}/task", pair.running(0).pid());
    let stopped = |thread: std::fs::DirEntry| {
        std::fs::read_to_string(thread.path().join("stat"))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
    };
    wait_until(PATIENCE, "every thread has stopped", || {
        std::fs::read_dir(&threads).expect("it runs").flatten().all(stopped)
    });
    let before = written(&pair);
    let started = Instant::now();
    // Twice the device's time: the machine would be gone by now.
    while started.elapsed() < Duration::from_secs(2) {
        assert_eq!(written(&pair), before);
        std::thread::sleep(Duration::from_millis(20));
    }
    pair.signal(0, Signal::SIGCONT);
    wait_for_signs(&pair, 1);
    pair.kill(0);
    assert!(!written(&pair).contains(&b'V'), "it stays armed");
}

#[test]
fn s4_a_device_that_fails_later_is_told_and_the_controller_goes_on() {
    let mut pair = pair("1s", "");
    let device = device(&pair);
    nix::unistd::mkfifo(&device, Mode::S_IRWXU).expect("a pipe");
    let mut options = std::fs::OpenOptions::new();
    let mut reader = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&device).expect("its other end");
    pair.start_all();
    pair.settle();
    let mut bytes = Vec::new();
    wait_until(PATIENCE, "a sign of life", || {
        let mut some = [0; 64];
        let read = reader.read(&mut some).unwrap_or(0);
        bytes.extend_from_slice(&some[..read]);
        bytes.contains(&0)
    });
    assert!(bytes.starts_with(b"T1"), "{bytes:?}");
    drop(reader);
    let told = "does not take signs of life (Broken pipe (os error 32))";
    wait_until(PATIENCE, "it is told", || pair.journal(0).iter().any(|record| record.entry.text().contains(told)));
    pair.wait(0, "the alarm", |status| status.alarms.iter().any(|alarm| alarm.id == "watchdog_not_armed"));
    assert_eq!(pair.settle(), 0, "it goes on");
}

/// What a member that cannot start says.
fn refused(pair: &Group) -> String {
    let output = pair.command(0).stderr(std::process::Stdio::piped()).output().expect("it starts");
    assert!(!output.status.success());
    stderr(&output)
}

#[test]
fn s4_a_watchdog_that_cannot_be_used_is_told_at_the_start_with_what_to_do() {
    let pair = pair("90s", "");
    let said = refused(&pair);
    assert!(said.contains("there is no ") && said.contains("modprobe softdog"), "{said}");
    std::fs::write(device(&pair), "").expect("a file");
    let said = refused(&pair);
    assert!(said.contains("does not take 90 s: EINVAL") && said.contains("a watchdog.timeout that it takes"), "{said}");
    assert_eq!(written(&pair), b"V", "it was armed by being opened, and must not reset the machine");
}

#[test]
fn s4_what_is_no_watchdog_is_refused() {
    let mut pair = pair("10s", "");
    pair.run_through(0, &[]);
    std::fs::write(device(&pair), "kept").expect("a file");
    let said = refused(&pair);
    assert!(said.contains("is no watchdog: ENOTTY") && said.contains("\"/dev/watchdog\""), "{said}");
    assert_eq!(written(&pair), b"kept");
}

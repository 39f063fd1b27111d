//! Required processes under test, held by a guardian of their own, and what they tell: the tests of the library's part that
//! runs processes, without a whole controller.

// Not every file in tests/ uses all of it.
#![allow(dead_code)]

use std::path::Path;
use std::time::{Duration, Instant};

use tandem::config::required::{Hooks, ProcessConfig};
use tandem::process::event::Change;
use tandem::process::{BootTime, Operation, ProcessEvent, ProcessSettings, Processes, Role, RoleMode, start};
use tokio::sync::mpsc;

use crate::support::Folder;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A script with a child of which nobody can say, while it ends, whose it was: it is in a session of its own, and the kernel
/// takes its time to free so much memory.
pub const SLOW_TO_END: &str =
    "setsid sh -c 'echo $$ >slow; exec dd if=/dev/zero bs=300M count=1 iflag=fullblock' 2>/dev/null | exec sleep 1000";

/// Processes under test, and what they tell.
pub struct Rig {
    pub folder: Folder,
    processes: Option<Processes>,
    events: mpsc::Receiver<ProcessEvent>,
    pub told: Vec<ProcessEvent>,
}

pub fn role(mode: RoleMode, term: u64) -> Role {
    Role { mode, term, token: term * 256 + 255, reason: "a test wants it".to_owned() }
}

pub fn shell(name: &str, script: &str) -> ProcessConfig {
    ProcessConfig::new(name, vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()])
}

impl Rig {
    pub async fn new(processes: Vec<ProcessConfig>, hooks: Hooks) -> Rig {
        Rig::with(crate::support::binary().into(), processes, hooks).await
    }

    /// A guardian that finds no control groups, as on many machines.
    pub async fn without_cgroups(processes: Vec<ProcessConfig>) -> Rig {
        use std::os::unix::fs::PermissionsExt;
        let folder = crate::support::temporary_folder();
        let script = format!("#!/bin/sh\numount -a -t cgroup2\nexec {} \"$@\"\n", crate::support::binary());
        let inner = crate::support::write(folder.path(), "inner", &script);
        let outer = format!("#!/bin/sh\nexec unshare -m sh {} \"$@\"\n", inner.display());
        let outer = crate::support::write(folder.path(), "outer", &outer);
        std::fs::set_permissions(&outer, PermissionsExt::from_mode(0o755)).expect("its own file");
        let rig = Rig::with(outer, processes, Hooks::default()).await;
        rig.processes().become_secondary(role(RoleMode::Secondary, 0));
        until("something runs", || rig.processes().snapshots().iter().any(|one| one.pid.is_some())).await;
        rig
    }

    async fn with(program: std::path::PathBuf, processes: Vec<ProcessConfig>, hooks: Hooks) -> Rig {
        let folder = crate::support::temporary_folder();
        let settings = ProcessSettings {
            program,
            node: "alpha".to_owned(),
            group: "test".to_owned(),
            incarnation: 1,
            state_directory: folder.path().to_owned(),
            folder: folder.path().to_owned(),
            processes,
            hooks,
            listeners: Vec::new(),
        };
        let (processes, events) = start(settings).await.expect("the task starts");
        Rig { folder, processes: Some(processes), events, told: Vec::new() }
    }

    pub fn processes(&self) -> &Processes {
        self.processes.as_ref().expect("not shut down yet")
    }

    pub fn primary(&self, term: u64) {
        self.processes().renew(BootTime::now() + Duration::from_secs(3600)).expect("a deadline");
        self.processes().become_primary(role(RoleMode::Primary, term));
    }

    pub async fn wait(&mut self, what: &str, wanted: impl Fn(&ProcessEvent) -> bool) -> ProcessEvent {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("still not: {what}; so far: {:#?}", self.told));
            let event = event.expect("the task lives");
            self.told.push(event.clone());
            if wanted(&event) {
                return event;
            }
        }
    }

    pub async fn change(&mut self, name: &str, wanted: impl Fn(&Change) -> bool) -> Change {
        let what = format!("{name} changes");
        let event = self
            .wait(&what, |event| matches!(event, ProcessEvent::Process { name: whose, change } if **whose == *name && wanted(change)))
            .await;
        match event {
            ProcessEvent::Process { change, .. } => change,
            other => panic!("{other:?}"),
        }
    }

    pub async fn end(&mut self) {
        let told = &mut self.told;
        let processes = self.processes.take().expect("not shut down yet");
        processes.shutdown(&mut self.events, |event| told.push(event)).await;
    }

    pub fn pid(&self, at: usize) -> i32 {
        self.processes().snapshots()[at].pid.expect("it runs").cast_signed()
    }

    /// The child of [`SLOW_TO_END`], once it holds its memory: it has all of it by the time it writes.
    pub async fn slow_one(&self) -> i32 {
        let holds = |pid: i32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
            let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
            pages.is_some_and(|pages| pages * 4096 > 300 << 20)
        };
        let path = self.folder.path().join("slow");
        until("it holds its memory", || pid_in(&path).is_some_and(holds)).await;
        pid_in(&path).expect("it was there")
    }

    pub fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }

    pub async fn operate(&mut self, name: &str, operation: Operation) -> Result<String, String> {
        let processes = self.processes.as_mut().expect("not shut down yet");
        let wanted = processes.operate(name, operation).expect("nothing else is asked");
        let of_it = |event: &ProcessEvent| matches!(event, ProcessEvent::Operated { ticket, .. } if *ticket == wanted);
        match self.wait("an outcome", of_it).await {
            ProcessEvent::Operated { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }
}

pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub fn pid_in(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

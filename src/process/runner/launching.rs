//! Starting what the supervision and the hooks want, through the guardian; and having a guardian.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use nix::unistd::Pid;

use crate::config::required::{ProcessConfig, RunWhen};
use crate::process::event::ProcessEvent;
use crate::process::guard::Guard;
use crate::process::heartbeat::{self, Beat, Heart, News, Prepared, Report};
use crate::process::hooks::Call;
use crate::process::messages::{LaunchId, MARKER, Order, Program, Right};
use crate::process::output::{LineFilter, Tail};
use crate::process::sweep::{Whose, sweep};
use crate::process::time::BootTime;

use super::{ANOTHER_GUARDIAN, Runner, What};

/// What a program reads, and where what it writes goes.
struct Streams {
    stdin: OwnedFd,
    tail: Tail,
    path: Option<PathBuf>,
    filter: Option<LineFilter>,
}

impl Runner {
    pub(super) fn launch_process(&mut self, now: BootTime, at: usize) {
        let config: ProcessConfig = self.supervision.all()[at].config().clone();
        let launch = self.number();
        let mut program = self.settings.program_of(&config);
        program.environment.extend(self.teller.environment(&self.aim.role));
        // What the file says of its own variables stands.
        program.environment.extend(config.environment.clone());
        let right = match config.run_when {
            RunWhen::Primary => Right::Primary,
            RunWhen::Always | RunWhen::Secondary => Right::Controller,
        };
        let measured = &mut self.measured[at];
        measured.launch = Some(launch);
        measured.beat = Beat::default();
        measured.heart = None;
        let tail = measured.tail.clone();
        let path = Some(self.settings.output_file(&config.name));
        self.launches.insert(launch, What::Process(at));
        let launched = self
            .prepare_heart(at, &config, &mut program)
            .and_then(|(stdin, filter)| self.launch(launch, right, program, Streams { stdin, tail, path, filter }));
        if let Err(error) = launched {
            self.launches.remove(&launch);
            self.measured[at].launch = None;
            self.supervision.failed(now, at, &error.to_string());
        }
    }

    /// What a process with a heartbeat finds when it starts: its environment, its standard input; and who looks at its lines.
    fn prepare_heart(
        &mut self,
        at: usize,
        config: &ProcessConfig,
        program: &mut Program,
    ) -> io::Result<(OwnedFd, Option<LineFilter>)> {
        let prepared = config.heartbeat.as_ref().map(heartbeat::prepare).transpose()?;
        let (prepared, stdin) = prepared.map_or((None, None), |(prepared, stdin)| (Some(prepared), stdin));
        let stdin = match stdin {
            Some(stdin) => stdin,
            None => input(&[])?,
        };
        program.environment.extend(prepared.iter().flat_map(Prepared::environment));
        let filter = prepared.as_ref().and_then(Prepared::filter);
        self.measured[at].prepared = prepared;
        Ok((stdin, filter))
    }

    /// The process runs: its heartbeat is listened to from now on.
    pub(super) fn start_heart(&mut self, at: usize, launch: LaunchId, pid: u32) {
        let (Some(prepared), Some(reports)) = (self.measured[at].prepared.take(), self.reports.clone()) else { return };
        let start = heartbeat::Start {
            launch,
            place: at,
            pid,
            start_timeout: self.supervision.all()[at].config().start_timeout,
            environment: Arc::from([(MARKER.to_owned(), format!("{}-{}", self.instance, launch.0))]),
            beat: self.measured[at].beat.clone(),
            reports,
        };
        match Heart::start(prepared, start) {
            Ok(heart) => self.measured[at].heart = Some(heart),
            Err(error) => {
                let name = self.supervision.all()[at].name();
                let text = format!("{name} cannot be asked for its heartbeat: {error}");
                self.told.push(ProcessEvent::Fault { text });
            }
        }
    }

    /// What a heartbeat found out.
    pub(super) fn heart(&mut self, now: BootTime, report: &Report) {
        let Some(What::Process(at)) = self.launches.get(&report.launch).copied() else { return };
        match report.news {
            News::Ready => self.supervision.ready(now, at),
            News::Silent { silent_for } => self.supervision.silent(now, at, silent_for),
        }
    }

    pub(super) fn launch_hook(&mut self, now: BootTime, call: &Call) {
        let launch = self.number();
        let mut program = self.settings.program_of_hook(self.command_of(call.hook));
        program.environment.extend(self.teller.environment(&call.role));
        let tail = Tail::default();
        self.hooks.started(call.hook, launch, now, self.settings.hooks.timeout, tail.clone());
        self.launches.insert(launch, What::Hook);
        let path = Some(self.settings.output_file(call.hook.key()));
        let started = input(&call.input).and_then(|stdin| {
            self.launch(launch, call.hook.right(), program, Streams { stdin, tail, path, filter: None })
        });
        if let Err(error) = started {
            self.launches.remove(&launch);
            self.hook_gone(now, Some(error.to_string()));
        }
    }

    pub(super) fn number(&mut self) -> LaunchId {
        let launch = LaunchId(self.next_launch);
        self.next_launch += 1;
        launch
    }

    fn launch(&mut self, launch: LaunchId, right: Right, program: Program, streams: Streams) -> io::Result<()> {
        self.need_guardian()?;
        let Some(guard) = &mut self.guard else { return Err(io::Error::other("there is no guardian")) };
        let (pipe, writer) = io::pipe()?;
        guard.tell(&Order::Launch { launch, right, program }, vec![streams.stdin, OwnedFd::from(writer)])?;
        self.output.read(launch, pipe, streams.tail, streams.path, streams.filter);
        Ok(())
    }

    fn need_guardian(&mut self) -> io::Result<()> {
        if self.guard.is_some() {
            return Ok(());
        }
        if self.guard_again.is_some() {
            return Err(io::Error::other("the guardian could not be started a moment ago"));
        }
        match Guard::start(&self.settings.program, &self.instance, &self.deadline, &self.settings.listeners) {
            Ok(guard) => {
                tracing::debug!(pid = guard.pid(), "a guardian holds the processes");
                self.guard = Some(guard);
                Ok(())
            }
            Err(error) => {
                self.guard_again = Some(BootTime::now() + ANOTHER_GUARDIAN);
                Err(io::Error::new(error.kind(), format!("the guardian cannot be started: {error}")))
            }
        }
    }

    /// The guardian ended: the kernel killed what it had started, and what had left it is killed here. It is told when all of
    /// it is gone.
    pub(super) async fn guardian_lost(&mut self, now: BootTime) {
        let Some(guard) = self.guard.take() else { return };
        let pid = Pid::from_raw(guard.pid().cast_signed());
        let whose = Whose::Guardian { instance: self.instance.clone(), pid };
        let cleaned = tokio::task::spawn_blocking(move || {
            let ended = guard.end();
            sweep(&whose).map(|_| ended)
        });
        let why = match cleaned.await {
            Ok(Ok(Ok(status))) => format!("it ended with {status}"),
            Ok(Ok(Err(error)) | Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.told.push(ProcessEvent::GuardianLost { why });
        self.launches.clear();
        for measured in &mut self.measured {
            measured.launch = None;
            (measured.prepared, measured.heart) = (None, None);
        }
        self.hook_gone(now, Some("the guardian ended".to_owned()));
        self.supervision.all_lost(now);
    }
}

/// A file without a name that holds `bytes`, from its beginning.
fn input(bytes: &[u8]) -> io::Result<OwnedFd> {
    use std::io::{Seek, SeekFrom};
    if bytes.is_empty() {
        return std::fs::File::open("/dev/null").map(OwnedFd::from);
    }
    let file = nix::sys::memfd::memfd_create("tandem-input", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(OwnedFd::from(file))
}

//! The command probe: a program that ends with status 0 is a good answer.
//!
//! Each run is a process group of its own. However the question ends — answered, given up, no longer wanted — the whole
//! group is killed and the program reaped, so that a probe that hangs or forks leaves nothing behind.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// Runs `command` with `environment` added to the controller's own.
///
/// # Errors
/// Why the answer is not good, in a few words.
pub(super) async fn ask(command: &[String], environment: &[(String, String)]) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Err("no command".to_owned()) };
    let mut starting = Command::new(program);
    starting
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    // Starting waits until the program is loaded, from whatever disk: not on the loop.
    let run = tokio::task::spawn_blocking(move || Run::start(&mut starting)).await;
    let mut run = match run {
        Ok(Ok(run)) => run,
        Ok(Err(error)) => return Err(format!("cannot start {program}: {}", super::tcp::reason(&error))),
        Err(stopped) => return Err(format!("cannot start {program}: {stopped}")),
    };
    let status = run.ended().await.map_err(|error| format!("cannot wait for {program}: {error}"))?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(format!("exit status {code}")),
        (None, signal) => Err(format!("killed by signal {}", signal.unwrap_or_default())),
    }
}

/// One run, and everything it started in its process group.
struct Run {
    /// Taken when it is reaped.
    child: Option<Child>,
    group: Pid,
}

impl Run {
    fn start(command: &mut Command) -> io::Result<Run> {
        let child = command.spawn()?;
        let Some(pid) = child.id() else { return Err(io::Error::other("it ended before it began")) };
        let group = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
        Ok(Run { child: Some(child), group })
    }

    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.child else { return Err(io::Error::other("waited for already")) };
        let ended = child.wait().await;
        self.child = None;
        ended
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // The group's number is taken as long as anything is left in it, and is not given away again within the moment
        // since the program was reaped. With nobody left in it there is nothing to kill.
        let _ = killpg(self.group, Signal::SIGKILL);
        if let (Some(mut child), Ok(runtime)) = (self.child.take(), tokio::runtime::Handle::try_current()) {
            // Killed as it is, it ends at once. Waiting for that here would hold the loop.
            runtime.spawn(async move { drop(child.wait().await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn p3_the_exit_status_is_the_answer() {
        assert_eq!(ask(&shell("exit 0"), &[]).await, Ok(()));
        assert_eq!(ask(&shell("exit 3"), &[]).await, Err("exit status 3".to_owned()));
        assert_eq!(ask(&shell("kill -TERM $$"), &[]).await, Err("killed by signal 15".to_owned()));
        assert_eq!(ask(&shell("test $GIVEN = yes"), &[("GIVEN".to_owned(), "yes".to_owned())]).await, Ok(()));
        let missing = ask(&["/no/such/probe".to_owned()], &[]).await.unwrap_err();
        assert_eq!(missing, "cannot start /no/such/probe: no such file or directory");
        assert_eq!(ask(&[], &[]).await, Err("no command".to_owned()));
    }

    #[tokio::test]
    async fn p3_a_command_that_hangs_is_killed_with_its_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!("sleep 600 & echo $! $$ > {0}.part; mv {0}.part {0}; wait", pids.display());
        let began = Instant::now();
        let command = shell(&script);
        let mut question = Box::pin(ask(&command, &[]));
        while !pids.exists() {
            tokio::select! {
                answer = &mut question => panic!("it answered: {answer:?}"),
                () = tokio::time::sleep(Duration::from_millis(2)) => {}
            }
            assert!(began.elapsed() < Duration::from_secs(20));
        }
        let started: Vec<i32> =
            std::fs::read_to_string(&pids).unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        assert_eq!(started.len(), 2);
        // The question is no longer wanted.
        drop(question);
        // Its child becomes init's to reap; it itself is reaped here.
        let gone = |pid: i32| match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => pid == started[0] && stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")),
            Err(_) => true,
        };
        while !started.iter().all(|pid| gone(*pid)) {
            assert!(began.elapsed() < Duration::from_secs(20), "of {started:?} something lives on");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

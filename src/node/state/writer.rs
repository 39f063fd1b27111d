//! The thread that writes the state.
//!
//! It keeps the latest request only: the negotiation hands over the whole state each time, and an older one that has
//! not been begun yet serves nobody. What failed is tried again every second until it succeeds or something newer is to
//! be written (N20). The loop never waits here.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Payload, StateStore};
use crate::negotiation::exchange::{Durable, StateVersion};

/// The time between two tries of a write that fails.
const RETRY: Duration = Duration::from_secs(1);
/// The time between two tries to hand over a report to a receiver that is full.
const REPORT_AGAIN: Duration = Duration::from_millis(5);
/// Reports that wait for the loop. A later one stands for all before it, so few are enough.
const REPORTS: usize = 8;

/// What became of the state up to and including `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateReport {
    /// The request's number.
    pub version: StateVersion,
    /// On disk; or why not. What failed is tried again by itself.
    pub result: Result<(), String>,
}

/// What the loop wants of the thread.
#[derive(Debug, Default)]
struct Wish {
    state: Option<(StateVersion, Payload)>,
    close: bool,
}

#[derive(Debug, Default)]
struct Shared {
    wish: Mutex<Wish>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wish> {
        // A panic elsewhere leaves the wish whole: it is only ever replaced.
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something new: until it is there, or for `patience` when there is other work then.
    fn wait(&self, patience: Option<Duration>) -> Wish {
        let idle = |wish: &mut Wish| wish.state.is_none() && !wish.close;
        let wish = self.lock();
        let mut wish = match patience {
            Some(patience) => {
                self.changed.wait_timeout_while(wish, patience, idle).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(wish, idle).unwrap_or_else(PoisonError::into_inner),
        };
        // `close` stays set: it may be seen while something is still to be written.
        Wish { state: wish.state.take(), close: wish.close }
    }
}

/// The loop's end of the thread that writes. Dropping it closes it.
#[derive(Debug)]
pub struct StateWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn start(store: StateStore) -> io::Result<(StateWriter, mpsc::Receiver<StateReport>)> {
    let shared = Arc::new(Shared::default());
    let (reports, receiver) = mpsc::channel(REPORTS);
    let theirs = Arc::clone(&shared);
    let thread =
        std::thread::Builder::new().name("state".to_owned()).spawn(move || write_all(store, &theirs, &reports))?;
    Ok((StateWriter { shared, thread: Some(thread) }, receiver))
}

impl StateWriter {
    /// Asks for `state` to be made durable, in place of what was asked for before and is not begun yet. Never blocks.
    pub fn write(&self, version: StateVersion, state: Durable) {
        let state = Payload::now(state);
        self.shared.lock().state = Some((version, state));
        self.shared.changed.notify_one();
    }

    /// Writes what is still to be written (once: what fails now stays as it was), ends the thread and unlocks the
    /// directory. Waits for the disk.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.lock().close = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the state panicked");
        }
    }
}

impl Drop for StateWriter {
    fn drop(&mut self) {
        self.end();
    }
}

/// What failed, and when it is tried again.
struct Failed {
    request: (StateVersion, Payload),
    again_at: Instant,
}

fn write_all(mut store: StateStore, shared: &Shared, reports: &mpsc::Sender<StateReport>) {
    let mut failed: Option<Failed> = None;
    let mut unsaid: Option<StateReport> = None;
    loop {
        let until_retry = failed.as_ref().map(|failed| failed.again_at.saturating_duration_since(Instant::now()));
        let until_report = unsaid.as_ref().map(|_| REPORT_AGAIN);
        let wish = shared.wait(until_retry.into_iter().chain(until_report).min());
        let is_due = |failed: &mut Failed| wish.close || failed.again_at <= Instant::now();
        let request = match wish.state {
            Some(newer) => {
                failed = None;
                Some(newer)
            }
            None => failed.take_if(is_due).map(|failed| failed.request),
        };
        if let Some(request) = request {
            let version = request.0;
            let result = store
                .write(&request.1)
                .map_err(|error| format!("{} cannot be written: {error}", store.path().display()));
            if result.is_err() {
                failed = Some(Failed { request, again_at: Instant::now() + RETRY });
            }
            unsaid = Some(StateReport { version, result });
        }
        if let Some(report) = unsaid.take()
            && let Err(mpsc::error::TrySendError::Full(report)) = reports.try_send(report)
        {
            unsaid = Some(report);
        }
        if wish.close {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::durable;
    use super::*;
    use std::fs;

    fn ok(version: u64) -> StateReport {
        StateReport { version: StateVersion(version), result: Ok(()) }
    }

    #[test]
    fn n11_the_latest_request_is_written_and_reported() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = StateStore::open(dir.path()).unwrap();
        let (writer, mut reports) = store.start_writer().unwrap();
        for version in 1..=100 {
            writer.write(StateVersion(version), durable(version));
        }
        let mut last = StateVersion(0);
        while last != StateVersion(100) {
            let report = reports.blocking_recv().unwrap();
            assert!(report.version > last && report.result.is_ok(), "{report:?}");
            last = report.version;
        }
        writer.close();
        assert_eq!(reports.blocking_recv(), None);
        assert_eq!(StateStore::open(dir.path()).unwrap().1.unwrap().durable, durable(100));
    }

    #[test]
    fn n11_what_was_asked_for_before_the_close_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = StateStore::open(dir.path()).unwrap();
        let (writer, mut reports) = store.start_writer().unwrap();
        writer.write(StateVersion(1), durable(1));
        writer.close();
        assert_eq!(reports.blocking_recv(), Some(ok(1)));
        assert_eq!(StateStore::open(dir.path()).unwrap().1.unwrap().durable, durable(1));
    }

    #[test]
    fn n20_a_write_that_fails_is_reported_and_tried_again_until_it_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        // A directory in the way makes the first write fail as a broken disk would.
        let obstacle = dir.path().join(super::super::STATE_NEW);
        fs::create_dir(&obstacle).unwrap();
        let (store, _) = StateStore::open(dir.path()).unwrap();
        let (writer, mut reports) = store.start_writer().unwrap();
        writer.write(StateVersion(1), durable(1));
        let report = reports.blocking_recv().unwrap();
        assert_eq!(report.version, StateVersion(1));
        assert!(report.result.is_err());
        fs::remove_dir(&obstacle).unwrap();
        // Tried again before the way was free, it has failed again.
        let ended = std::iter::from_fn(|| reports.blocking_recv()).find(|report| report.result.is_ok());
        assert_eq!(ended, Some(ok(1)));
        writer.close();
        assert_eq!(StateStore::open(dir.path()).unwrap().1.unwrap().durable, durable(1));
    }

    #[test]
    fn n20_a_newer_request_takes_the_place_of_one_that_fails_and_close_does_not_wait_for_success() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(super::super::STATE_NEW)).unwrap();
        let (store, _) = StateStore::open(dir.path()).unwrap();
        let (writer, mut reports) = store.start_writer().unwrap();
        writer.write(StateVersion(1), durable(1));
        assert_eq!(reports.blocking_recv().unwrap().version, StateVersion(1));
        writer.write(StateVersion(2), durable(2));
        while reports.blocking_recv().unwrap().version != StateVersion(2) {}
        // What is in the way stays there: had it waited for success, this would never come back.
        writer.close();
    }

    #[test]
    fn the_last_report_reaches_a_loop_that_did_not_look_for_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = StateStore::open(dir.path()).unwrap();
        let (writer, mut reports) = store.start_writer().unwrap();
        let many = 4 * REPORTS as u64;
        for version in 1..=many {
            writer.write(StateVersion(version), durable(version));
            // Each is begun before the next is asked for, so that the receiver fills up.
            while writer.shared.lock().state.is_some() {
                std::thread::yield_now();
            }
        }
        let mut last = StateVersion(0);
        while last != StateVersion(many) {
            last = reports.blocking_recv().unwrap().version;
        }
        writer.close();
    }
}

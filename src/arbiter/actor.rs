//! An arbiter on a thread of its own, and who answers for it when it hangs.
//!
//! The thread carries out one call after the other. A task of the controller's loop stands before it: it passes each call
//! on, waits no longer than the call allows, and then answers [`ArbiterReply::Unreachable`] itself. So a server that never
//! answers, or a shared directory whose server is gone (where a thread may hang for minutes, and nothing can wake it),
//! delays nobody. An answer that comes too late is dropped: its caller has been told already.

use std::io;
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant as Clock;

use crate::negotiation::exchange::{ArbiterCall, ArbiterReply};
use crate::negotiation::time::Instant;

use super::Arbiter;

/// Calls that may wait: the negotiation has one under way, and a release behind it.
const CALLS: usize = 4;

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArbiterEvent {
    /// The call's own time, which tells one from another.
    pub asked_at: Instant,
    /// What became of it.
    pub reply: ArbiterReply,
}

/// A call on its way to the thread.
struct Asked {
    asked_at: Instant,
    call: ArbiterCall,
    within: Duration,
    until: Clock,
}

/// A call in the thread's hands.
struct Work {
    call: ArbiterCall,
    within: Duration,
    until: Clock,
    reply: oneshot::Sender<ArbiterReply>,
}

/// The handle on an arbiter's thread.
pub struct Actor {
    asks: mpsc::Sender<Asked>,
    events: mpsc::Sender<ArbiterEvent>,
    task: tokio::task::JoinHandle<()>,
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
    description: String,
}

impl Actor {
    /// Starts the thread and its task; must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(mut arbiter: Box<dyn Arbiter>) -> io::Result<(Actor, mpsc::Receiver<ArbiterEvent>)> {
        let (asks, asked) = mpsc::channel(CALLS);
        let (events, received) = mpsc::channel(CALLS);
        let (work, to_do) = blocking::sync_channel(CALLS);
        let (alive, ended) = oneshot::channel();
        let description = arbiter.describe();
        let thread = std::thread::Builder::new().name("arbiter".to_owned()).spawn(move || {
            work_through(arbiter.as_mut(), &to_do);
            // Dropped too when the arbiter panics.
            drop(alive);
        })?;
        let task = tokio::spawn(serve(asked, work, events.clone(), description.clone()));
        Ok((Actor { asks, events, task, thread, ended, description }, received))
    }

    /// Carries out `call` and tells what became of it, with `asked_at`, at the latest when `within` is over. Calls are
    /// carried out in the order in which they are asked for.
    pub fn ask(&self, asked_at: Instant, call: ArbiterCall, within: Duration) {
        let asked = Asked { asked_at, call, within, until: Clock::now() + within };
        if self.asks.try_send(asked).is_err() {
            // More calls at a time than the negotiation may make, or the task is gone, which the loop finds out by itself.
            let why = "too many calls wait for the arbiter".into();
            let _ = self.events.try_send(ArbiterEvent { asked_at, reply: ArbiterReply::Unreachable { why } });
        }
    }

    /// What the arbiter is, for people.
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// Ends the thread when what was asked for is done: a release gets its chance. One that does not come back within
    /// `patience` is left behind and told of. The receiver of the events must be gone by now.
    pub async fn shutdown(self, patience: Duration) {
        let Actor { asks, events, task, thread, ended, description } = self;
        drop((asks, events));
        let until = Clock::now() + patience;
        let stop = task.abort_handle();
        match tokio::time::timeout_at(until, task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the arbiter's task ended badly"),
            // What is in the thread's hands already is finished all the same.
            Err(_) => stop.abort(),
        }
        // An error is the end: nothing is ever sent.
        if tokio::time::timeout_at(until, ended).await.is_err() {
            tracing::warn!("{description} hangs: its thread is left behind; it ends with the program");
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the arbiter's thread ended badly; its words are above");
        }
    }
}

/// The thread: one call after the other, until nobody can ask any more. Between them the arbiter may look by itself.
fn work_through(arbiter: &mut dyn Arbiter, to_do: &blocking::Receiver<Work>) {
    let mut again = arbiter.watch();
    loop {
        // An arbiter that need not look is waited with for as long as it takes.
        let work = match again {
            Some(after) => to_do.recv_timeout(after),
            None => to_do.recv().map_err(|_| blocking::RecvTimeoutError::Disconnected),
        };
        let Work { call, within, until, reply } = match work {
            Ok(work) => work,
            Err(blocking::RecvTimeoutError::Timeout) => {
                again = arbiter.watch();
                continue;
            }
            Err(blocking::RecvTimeoutError::Disconnected) => return,
        };
        let left = until.saturating_duration_since(Clock::now());
        let time = match call {
            // Worth its whole time even when nobody waits for the answer any more: others may have the lease sooner.
            ArbiterCall::Release { .. } => within,
            ArbiterCall::Look | ArbiterCall::Acquire { .. } | ArbiterCall::Renew { .. } => {
                if reply.is_closed() || left.is_zero() {
                    continue;
                }
                left
            }
        };
        // Whoever asked may have been answered in this thread's place.
        let _ = reply.send(arbiter.ask(call, shortened(time)));
    }
}

/// A little less than `time`, so that the thread's own answer, which says more, comes before the task's.
fn shortened(time: Duration) -> Duration {
    time - (time / 20).min(Duration::from_millis(50))
}

/// The task: passes calls on, and answers in time whatever the thread does.
async fn serve(
    mut asks: mpsc::Receiver<Asked>,
    work: blocking::SyncSender<Work>,
    events: mpsc::Sender<ArbiterEvent>,
    description: String,
) {
    // The call that has been answered in the thread's place and keeps it busy.
    let mut overdue: Option<oneshot::Receiver<ArbiterReply>> = None;
    while let Some(Asked { asked_at, call, within, until }) = asks.recv().await {
        if let Some(earlier) = &mut overdue
            && tokio::time::timeout_at(until, earlier).await.is_ok()
        {
            overdue = None;
        }
        let (reply, mut answer) = oneshot::channel();
        let behind = overdue.is_some();
        // A release takes its turn whenever that comes; a call that nobody waits for any more is not carried out at all.
        let handed = if behind && !matches!(call, ArbiterCall::Release { .. }) {
            Ok(())
        } else {
            work.try_send(Work { call, within, until, reply }).map_err(|_| ())
        };
        let answered = match handed {
            Ok(()) if behind => None,
            Ok(()) => tokio::time::timeout_at(until, &mut answer).await.ok(),
            Err(()) => {
                Some(Ok(ArbiterReply::Unreachable { why: format!("{description} hangs, and calls wait").into() }))
            }
        };
        let reply = match answered {
            Some(Ok(reply)) => reply,
            Some(Err(_)) => ArbiterReply::Unreachable { why: "the arbiter's thread has ended".into() },
            None => {
                overdue.get_or_insert(answer);
                ArbiterReply::Unreachable { why: format!("{description} did not answer within {within:?}").into() }
            }
        };
        // Nobody listens once the controller ends; a release in the queue is still passed on.
        let _ = events.send(ArbiterEvent { asked_at, reply }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hangs in each call until it is let go on, and notes what it was asked.
    struct Hanging {
        go_on: blocking::Receiver<ArbiterReply>,
        asked: blocking::Sender<ArbiterCall>,
    }

    impl Arbiter for Hanging {
        fn ask(&mut self, call: ArbiterCall, _within: Duration) -> ArbiterReply {
            self.asked.send(call).expect("the test listens");
            self.go_on.recv().expect("the test lets it go on")
        }

        fn describe(&self) -> String {
            "a hanging arbiter".to_owned()
        }
    }

    type Ends = (blocking::Sender<ArbiterReply>, blocking::Receiver<ArbiterCall>);

    fn hanging() -> (Actor, mpsc::Receiver<ArbiterEvent>, Ends) {
        let (let_go, go_on) = blocking::channel();
        let (asked, heard) = blocking::channel();
        let (actor, events) = Actor::start(Box::new(Hanging { go_on, asked })).expect("a thread");
        (actor, events, (let_go, heard))
    }

    /// The time of a call that hangs: the thread takes it up long before, on a busy machine too, or it would never be
    /// carried out.
    const SOON: Duration = Duration::from_secs(2);
    const LONG: Duration = Duration::from_secs(30);

    async fn next(events: &mut mpsc::Receiver<ArbiterEvent>) -> ArbiterEvent {
        tokio::time::timeout(LONG, events.recv()).await.expect("in time").expect("the actor lives")
    }

    #[tokio::test]
    async fn s4_a_hanging_arbiter_is_answered_for_when_the_calls_time_is_over() {
        let (actor, mut events, (let_go, heard)) = hanging();
        actor.ask(Instant(1), ArbiterCall::Look, SOON);
        let event = next(&mut events).await;
        assert_eq!(event.asked_at, Instant(1));
        assert!(matches!(event.reply, ArbiterReply::Unreachable { .. }), "{event:?}");
        // While it hangs, the next is answered too, and never carried out.
        actor.ask(Instant(2), ArbiterCall::Renew { number: 7 }, SOON);
        let event = next(&mut events).await;
        assert_eq!(event.asked_at, Instant(2));
        assert!(matches!(event.reply, ArbiterReply::Unreachable { .. }), "{event:?}");
        // Let go, its late answer is dropped, and the next call is carried out.
        let_go.send(ArbiterReply::Renewed).expect("it waits");
        actor.ask(Instant(3), ArbiterCall::Acquire { above: 4 }, LONG);
        let_go.send(ArbiterReply::Granted { number: 5 }).expect("it waits");
        assert_eq!(
            next(&mut events).await,
            ArbiterEvent { asked_at: Instant(3), reply: ArbiterReply::Granted { number: 5 } }
        );
        drop(events);
        actor.shutdown(LONG).await;
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [ArbiterCall::Look, ArbiterCall::Acquire { above: 4 }]);
    }

    #[tokio::test]
    async fn a_release_behind_a_hanging_call_is_carried_out_at_the_end() {
        let (actor, events, (let_go, heard)) = hanging();
        actor.ask(Instant(1), ArbiterCall::Renew { number: 7 }, SOON);
        actor.ask(Instant(2), ArbiterCall::Release { number: 7 }, SOON);
        drop(events);
        let_go.send(ArbiterReply::Renewed).expect("it waits");
        let_go.send(ArbiterReply::Released).expect("it waits");
        actor.shutdown(LONG).await;
        assert_eq!(
            heard.try_iter().collect::<Vec<_>>(),
            [ArbiterCall::Renew { number: 7 }, ArbiterCall::Release { number: 7 }]
        );
    }

    #[tokio::test]
    async fn a_thread_that_never_comes_back_does_not_keep_the_controller_from_ending() {
        let (actor, events, (let_go, heard)) = hanging();
        actor.ask(Instant(1), ArbiterCall::Look, LONG);
        // It is in the call now.
        let call = tokio::task::spawn_blocking(move || heard.recv()).await.expect("no panic");
        assert_eq!(call, Ok(ArbiterCall::Look));
        drop(events);
        actor.shutdown(SOON).await;
        drop(let_go);
    }
}

//! Asks the user-defined checks, each in its own period, as tasks beside the loop (H7).
//!
//! What an answer means for a check is decided in [`super::check`]; here it is only fetched.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::config::measuring::CheckConfig;
use crate::process::heartbeat::probe;

use super::check::Asked;

/// Successive checks are this share of a period apart, so that they are not asked all at once.
const SPREAD: f64 = 0.618_033_988_749_895;

/// What a check answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The check's place in the configuration.
    pub place: usize,
    /// What it came to.
    pub asked: Asked,
}

/// The tasks that ask; they end when this is dropped, and a question that is open leaves nothing behind.
#[derive(Debug)]
pub struct Checks(Vec<JoinHandle<()>>);

impl Checks {
    /// Begins to ask every check. To be called inside the runtime.
    pub fn start(checks: &[CheckConfig], answers: &mpsc::Sender<Answer>) -> Checks {
        let tasks = checks.iter().enumerate();
        Checks(tasks.map(|(place, check)| tokio::spawn(ask(place, check.clone(), answers.clone()))).collect())
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

async fn ask(place: usize, check: CheckConfig, answers: mpsc::Sender<Answer>) {
    let period = check.period.max(Duration::from_millis(1));
    let first = tokio::time::Instant::now() + period.mul_f64((place as f64 * SPREAD).fract());
    let mut ticks = tokio::time::interval_at(first, period);
    // After a stall it is asked once, not for every period that was missed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let began = Instant::now();
        let asked = match tokio::time::timeout(check.timeout, probe::ask(&check.probe, &[])).await {
            Ok(Ok(())) => Asked::Good { took: began.elapsed() },
            Ok(Err(why)) => Asked::Bad { why },
            Err(_) => Asked::Bad { why: format!("no answer within {} ms", check.timeout.as_millis()) },
        };
        if answers.send(Answer { place, asked }).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use crate::config::required::Probe;

    use super::*;

    fn check(probe: Probe) -> CheckConfig {
        CheckConfig {
            name: "historian".to_owned(),
            weight: 0.2,
            probe,
            period: Duration::from_millis(20),
            timeout: Duration::from_millis(200),
            rise: 2,
            fall: 3,
        }
    }

    async fn next(answers: &mut mpsc::Receiver<Answer>) -> Answer {
        tokio::time::timeout(Duration::from_secs(20), answers.recv()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn h7_checks_are_asked_again_and_again_and_named_by_their_place() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = Probe::Tcp { target: listener.local_addr().unwrap().to_string() };
        let bad = Probe::Command { command: vec!["/bin/false".to_owned()] };
        let (answers, mut answered) = mpsc::channel(8);
        let checks = Checks::start(&[check(open), check(bad)], &answers);
        let (mut good, mut failed) = (0, 0);
        while good < 3 || failed < 3 {
            match next(&mut answered).await {
                Answer { place: 0, asked: Asked::Good { .. } } => good += 1,
                Answer { place: 1, asked: Asked::Bad { why } } => {
                    assert_eq!(why, "exit status 1");
                    failed += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        drop(checks);
    }

    #[tokio::test]
    async fn h7_one_that_does_not_answer_in_time_has_failed() {
        // It takes connections and says nothing.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = Probe::Http { target: format!("http://{}/", listener.local_addr().unwrap()) };
        let (answers, mut answered) = mpsc::channel(8);
        let _checks = Checks::start(&[check(silent)], &answers);
        assert_eq!(next(&mut answered).await.asked, Asked::Bad { why: "no answer within 200 ms".to_owned() });
    }
}

//! What the machine itself costs while something is measured, so that a bound on tandem's part holds on a machine that is
//! slow or busy too: beside the measured run, the same kinds of small steps that it is made of are done and timed again and
//! again. A thread sleeps a little, counts a little, and writes a little through to the disk; on an idle machine each takes
//! what it should, and nothing is added to the bound.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// How long one sleep of the reference is meant to last.
const NAP: Duration = Duration::from_millis(8);
/// How much it counts after a sleep, of its own time on a processor.
const WORK: Duration = Duration::from_micros(500);
/// A write to the disk comes after so many sleeps.
const NAPS: u32 = 10;
/// What a write through to a disk takes that nobody else uses.
const WRITE: Duration = Duration::from_millis(20);

/// A reference that runs beside a measured run; it ends with this.
pub struct Reference {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Cost>>,
}

/// What the machine was late with.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cost {
    /// All sleeps together were so much too long, and all writes.
    late: Duration,
    /// Time on a processor, and time that passed meanwhile.
    worked: Duration,
    passed: Duration,
}

impl Cost {
    /// What `bound`, which holds on an idle machine, is on this one: as many times as long as work took longer, and what
    /// came too late beside it.
    pub fn fair(&self, bound: Duration) -> Duration {
        let slower = self.passed.as_secs_f64() / self.worked.as_secs_f64().max(1e-9);
        bound.mul_f64(slower.max(1.0)) + self.late
    }
}

fn on_processor() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has this clock").into()
}

fn one_round(file: &mut File, cost: &mut Cost) {
    for _ in 0..NAPS {
        let from = Instant::now();
        std::thread::sleep(NAP);
        cost.late += from.elapsed().saturating_sub(NAP + NAP / 4);
        let (from, began) = (Instant::now(), on_processor());
        while on_processor() - began < WORK {}
        cost.worked += on_processor() - began;
        cost.passed += from.elapsed();
    }
    let from = Instant::now();
    let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(b"a term")).and_then(|()| file.sync_data());
    written.expect("a file without a name can be written");
    cost.late += from.elapsed().saturating_sub(WRITE);
}

impl Reference {
    /// From now on.
    pub fn start() -> Reference {
        let over = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&over);
        let mut file = tempfile::tempfile().expect("a temporary file can be made");
        let thread = std::thread::spawn(move || {
            let mut cost = Cost::default();
            loop {
                one_round(&mut file, &mut cost);
                if ends.load(Ordering::Relaxed) {
                    return cost;
                }
            }
        });
        Reference { over, thread: Some(thread) }
    }

    /// What the machine was late with until now.
    pub fn cost(mut self) -> Cost {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is taken here only");
        thread.join().expect("it does not panic")
    }

    /// Fails when `took` was longer than `bound` is on this machine.
    pub fn within(self, took: Duration, bound: Duration, what: &str) {
        let cost = self.cost();
        let fair = cost.fair(bound);
        assert!(took <= fair, "{what}: {took:?}, more than {bound:?}, which is {fair:?} on this machine: {cost:?}");
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

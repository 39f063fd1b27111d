//! `soak`: random plans against the simulated group, on all cores, for as long as asked. It needs no configuration and
//! no controller, and touches nothing of this machine but its processor.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{IsTerminal as _, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::sim::Coverage;
use crate::sim::plan::Plan;
use crate::sim::walk::Failure;

use super::args::SoakArgs;
use super::exit::Exit;
use super::interrupt::Interrupt;

/// How often the line on the terminal is renewed, and the longest that Ctrl-C waits.
const LOOK: Duration = Duration::from_millis(250);

/// Runs until the time is over, something is found, or Ctrl-C; exit 1 when something was found.
pub fn run(args: &SoakArgs) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    // Any number will do, as long as the next soak has another.
    let first = args.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 16);
    match args.seconds {
        Some(seconds) => soak(Duration::from_secs(seconds), first, &mut out),
        None => replay(first, &mut out),
    }
}

/// What all threads share.
#[derive(Debug)]
struct Shared {
    next: AtomicU64,
    ends: AtomicBool,
    schedules: AtomicU64,
    events: AtomicU64,
    found: Mutex<Option<Found>>,
}

#[derive(Debug)]
struct Found {
    seed: u64,
    group: String,
    failure: Failure,
}

/// One plan, with everything that led to its end when that is a bad one.
fn replay(seed: u64, out: &mut impl Write) -> anyhow::Result<Exit> {
    let plan = Plan::new(seed);
    match plan.run() {
        Ok(done) => {
            writeln!(out, "seed {seed}: {}\n{} events, nothing found", plan.text(), grouped(done.events))?;
            Ok(Exit::Done)
        }
        Err(failure) => {
            tell(&Found { seed, group: plan.text(), failure }, out)?;
            Ok(Exit::Failed)
        }
    }
}

fn soak(time: Duration, first: u64, out: &mut impl Write) -> anyhow::Result<Exit> {
    // Before the threads are there, which inherit that Ctrl-C does not kill.
    let interrupt = Interrupt::catch()?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shared = Shared {
        next: AtomicU64::new(first),
        ends: AtomicBool::new(false),
        schedules: AtomicU64::new(0),
        events: AtomicU64::new(0),
        found: Mutex::new(None),
    };
    let begin = Instant::now();
    let coverage = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&shared))).collect();
        let waited = wait(&interrupt, &shared, begin, time);
        shared.ends.store(true, Ordering::Relaxed);
        let mut coverage = Coverage::default();
        for worker in workers {
            let one = worker.join().map_err(|_| anyhow::anyhow!("a thread of the soak ended with a panic"))?;
            coverage.add(&one);
        }
        waited.map(|()| coverage)
    })?;
    let took = begin.elapsed();
    let found = shared.found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(found) = &found {
        tell(found, out)?;
    }
    let (schedules, events) = (shared.schedules.into_inner(), shared.events.into_inner());
    let rate = (events as f64 / took.as_secs_f64()) as u64;
    writeln!(out, "{:.1} s on {threads} cores, seeds from {first}", took.as_secs_f64())?;
    writeln!(out, "schedules    {:>16}", grouped(schedules))?;
    writeln!(out, "events       {:>16}   {} a second", grouped(events), grouped(rate))?;
    writeln!(out, "found        {:>16}", usize::from(found.is_some()))?;
    reached(&coverage, out)?;
    Ok(if found.is_some() { Exit::Failed } else { Exit::Done })
}

/// One thread: plan after plan, until somebody says that it is enough.
fn work(shared: &Shared) -> Coverage {
    let mut coverage = Coverage::default();
    while !shared.ends.load(Ordering::Relaxed) {
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        let plan = Plan::new(seed);
        match plan.run() {
            Ok(done) => {
                coverage.add(&done.coverage);
                shared.schedules.fetch_add(1, Ordering::Relaxed);
                shared.events.fetch_add(done.events, Ordering::Relaxed);
            }
            Err(failure) => {
                let mut found = shared.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                found.get_or_insert_with(|| Found { seed, group: plan.text(), failure });
                shared.ends.store(true, Ordering::Relaxed);
            }
        }
    }
    coverage
}

fn wait(interrupt: &Interrupt, shared: &Shared, begin: Instant, time: Duration) -> anyhow::Result<()> {
    let mut screen = std::io::stderr();
    let live = screen.is_terminal();
    while !shared.ends.load(Ordering::Relaxed) && begin.elapsed() < time {
        if interrupt.within(LOOK.min(time.saturating_sub(begin.elapsed())))? {
            break;
        }
        if live {
            let (gone, events) = (begin.elapsed().as_secs_f64(), shared.events.load(Ordering::Relaxed));
            let schedules = grouped(shared.schedules.load(Ordering::Relaxed));
            let rate = grouped((events as f64 / gone) as u64);
            let line = format!(
                "\r{gone:.0} s of {}: {schedules} schedules, {} events, {rate} a second, nothing found \x1b[K",
                time.as_secs(),
                grouped(events)
            );
            screen.write_all(line.as_bytes()).context("the terminal takes no more")?;
        }
    }
    if live {
        screen.write_all(b"\r\x1b[K").context("the terminal takes no more")?;
    }
    Ok(())
}

fn tell(found: &Found, out: &mut impl Write) -> anyhow::Result<()> {
    let Found { seed, group, failure: Failure { broken, trace } } = found;
    writeln!(out, "{trace}\nseed {seed}: {group}\nBROKEN: {broken}\nReplay it with: tandem soak --seed {seed}\n")?;
    Ok(())
}

/// What was reached, and what never was.
fn reached(coverage: &Coverage, out: &mut impl Write) -> anyhow::Result<()> {
    let lines = coverage.lines();
    let mut group = "";
    for line in lines.iter().filter(|line| line.expected) {
        if line.group != group {
            group = line.group;
            let of = lines.iter().filter(|line| line.group == group && line.expected);
            let (all, had) = of.fold((0, 0), |(all, had), line| (all + 1, had + usize::from(line.count > 0)));
            writeln!(out, "\n{group}: {had} of {all} reached")?;
        }
        writeln!(out, "  {:<24}{:>16}", line.name, grouped(line.count))?;
    }
    let missing: Vec<String> =
        coverage.missing().into_iter().map(|line| format!("{} {}", line.group, line.name)).collect();
    if !missing.is_empty() {
        writeln!(out, "\nNever reached: {}", missing.join(", "))?;
    }
    Ok(())
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn what_was_never_reached_is_named() {
        let mut out = Vec::new();
        reached(&Coverage::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("rule: 0 of 23 reached") && text.contains("Never reached: rule booted, "), "{text}");
        assert!(!text.contains("refused other,"), "what only a newer peer says is not expected: {text}");
    }
}

//! What the benches share: a row with the distribution of what was measured, and what a process has used.

// Every file in benches/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::time::Duration;

/// A time in milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A row: minimum, median, 90th and 99th per cent, maximum.
pub fn print(what: &str, unit: &str, mut values: Vec<f64>) {
    if values.is_empty() {
        return println!("{what:<70} {unit:>4}  nothing was measured");
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    println!(
        "{what:<70} {unit:>4}  min {:.2}  median {:.2}  p90 {:.2}  p99 {:.2}  max {:.2}  ({} runs)",
        at(0.0),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        values.len()
    );
}

/// Processor time that a process has used so far, in milliseconds.
pub fn cpu(pid: i32) -> f64 {
    cpu_of(pid, |_| true)
}

/// The same of those of its threads whose name is `wanted`.
pub fn cpu_of(pid: i32, wanted: impl Fn(&str) -> bool) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives").flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
        // One that ended meanwhile has neither.
        wanted(read("comm")?.trim()).then(|| read("schedstat")?.split_whitespace().next()?.parse::<f64>().ok())?
    });
    nanoseconds.sum::<f64>() / 1e6
}

/// Resident memory of a process, in MiB.
pub fn resident(pid: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Watches processes that are left alone for a minute: a row for each.
pub fn print_idle_minute(processes: &[(&str, i32)]) {
    let used = || processes.iter().map(|(_, pid)| cpu(*pid)).collect::<Vec<_>>();
    let before = used();
    std::thread::sleep(Duration::from_secs(60));
    for ((before, after), (what, pid)) in before.iter().zip(used()).zip(processes) {
        println!("{what:<70} {:.1} ms CPU in 60 s, {:.1} MiB resident", after - before, resident(*pid));
    }
}

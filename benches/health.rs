//! The figures of health and heartbeats: 200 required processes, real ones.
//!
//! `cargo bench --bench health` prints all; `cargo bench --bench health -- sample line` only some.

#[path = "support/measured.rs"]
mod measured;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use measured::{cpu, ms, print};
use nix::time::{ClockId, clock_gettime};
use tandem::health::sampler::Reader;

/// So many required processes.
const PROCESSES: usize = 200;

/// Watched for so long, once all of them are ready.
const WATCHED: Duration = Duration::from_secs(30);

/// How many samples are taken.
const SAMPLES: usize = 50;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let all: [(&str, fn()); 4] = [("sample", sample), ("line", line), ("tcp", tcp), ("notify", notify)];
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure();
        }
    }
}

/// CPU of one sample of 200 processes.
fn sample() {
    let start = |_| Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("sleep starts");
    let mut children: Vec<Child> = (0..PROCESSES).map(start).collect();
    let pids: Vec<u32> = children.iter().map(Child::id).collect();
    let mut reader = Reader::default();
    let mut spent: Vec<f64> = (0..=SAMPLES)
        .map(|_| {
            let before = thread_cpu();
            assert_eq!(reader.read(&pids).len(), PROCESSES);
            ms(thread_cpu() - before)
        })
        .collect();
    let first = spent.remove(0);
    print(&format!("one sample of {PROCESSES} processes, CPU; the first took {first:.2} ms"), "ms", spent);
    for child in &mut children {
        child.kill().and_then(|()| child.wait()).expect("it is ours to kill");
    }
}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).expect("Linux has this clock")
}

fn line() {
    heartbeats("line", |_| ("[\"/bin/cat\"]".to_owned(), "kind = \"line\"".to_owned()));
}

fn notify() {
    let command = format!("[{:?}, \"sample-process\", \"--notify\"]", support::binary());
    heartbeats("notify", |_| (command.clone(), "kind = \"notify\"".to_owned()));
}

fn tcp() {
    heartbeats("tcp", |n| {
        let address = format!("127.99.{}.{}:7500", n / 200, n % 200 + 1);
        let command = format!("[{:?}, \"sample-process\", \"--tcp\", \"{address}\"]", support::binary());
        (command, format!("kind = \"tcp\", target = \"{address}\""))
    });
}

/// One controller with 200 processes and heartbeats of 1 s: its CPU, and how late it heard of answers.
fn heartbeats(kind: &str, process: impl Fn(usize) -> (String, String)) {
    let folder = support::temporary_folder();
    let addresses = support::addresses(2);
    let mut config = format!(
        "group = \"bench\"\n[[member]]\nname = \"alpha\"\naddresses = [\"{}\"]\n[[member]]\nname = \"beta\"\n\
         addresses = [\"{}\"]\n[security]\nmode = \"none\"\n[state]\ndirectory = \"state\"\n[control]\n\
         socket = \"alpha.sock\"\n",
        addresses[0], addresses[1]
    );
    for n in 0..PROCESSES {
        let (command, heartbeat) = process(n);
        config += &format!(
            "[[process]]\nname = \"p{n}\"\ncommand = {command}\nheartbeat = {{ {heartbeat}, period = \"1s\" }}\n"
        );
    }
    let file = support::write(folder.path(), "tandem.toml", &config);
    let file = file.display().to_string();
    let mut command = support::tandem(&["run", "--headless", "--config", &file, "--as", "alpha"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let controller = support::Running::start(command);
    let status = || {
        let output = support::output(&["status", "--json", "--config", &file, "--as", "alpha"]);
        serde_json::from_slice::<tandem::control::status::Status>(&output.stdout).ok()
    };
    support::wait_until(Duration::from_secs(300), "all processes run", || {
        status().is_some_and(|status| {
            let running = |process: &&tandem::control::status::Process| process.response_ms.is_some();
            status.processes.iter().filter(running).count() == PROCESSES
        })
    });
    let (began, before) = (Instant::now(), cpu(controller.pid()));
    let mut worst: f64 = 0.0;
    while began.elapsed() < WATCHED {
        let status = status().expect("it answers");
        // Of one that speaks by itself, it is the time between two beats: half a period, as it is told.
        let on_time = if kind == "notify" { 500.0 } else { 0.0 };
        let late = status.processes.iter().filter_map(|process| process.response_ms).map(|took| took - on_time);
        worst = late.fold(worst, f64::max);
        std::thread::sleep(Duration::from_millis(900));
    }
    let share = (cpu(controller.pid()) - before) / 1000.0 / began.elapsed().as_secs_f64() * 100.0;
    println!(
        "{PROCESSES} processes, heartbeats of 1 s by {kind}: {share:.2} % of a core, samples and {} statuses included; \
         the latest answer was heard after {worst:.1} ms",
        began.elapsed().as_millis() / 900
    );
    controller.signal(nix::sys::signal::Signal::SIGTERM);
    let mut controller = controller;
    controller.wait(Duration::from_secs(60));
}

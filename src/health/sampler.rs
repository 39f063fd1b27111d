//! Fetches memory and CPU of the required processes, on a thread of its own (H4).
//!
//! It reads what it is told to read and nothing else: the processes that this controller started, and their descendants.
//! The list of all processes of the machine is never looked at. One file a process is read, `stat`: a library that reads
//! three (sysinfo) takes 6.2 ms for 200 processes where this takes less than half, and a sample may take 5.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc;

/// Looking for descendants costs more than measuring: of so many processes in each sample, in turns.
const LOOKED_AT: usize = 40;

/// A longer `stat` than any kernel writes.
const LONGEST_STAT: usize = 1024;

/// What one process uses, with all its descendants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// The process.
    pub pid: u32,
    /// Resident memory, bytes. What several processes share is counted for each.
    pub memory: u64,
    /// CPU since the sample before, per cent of one core; none in the first sample.
    pub cpu: Option<f64>,
}

/// The thread that samples. It ends when this is dropped.
#[derive(Debug)]
pub struct Sampler {
    wanted: Option<SyncSender<Vec<u32>>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Starts the thread. Samples come to `samples`.
    ///
    /// # Errors
    /// Out of threads.
    pub fn start(samples: mpsc::Sender<Vec<Usage>>) -> io::Result<Sampler> {
        let (wanted, asked) = sync_channel(1);
        let thread = std::thread::Builder::new().name("sampler".to_owned()).spawn(move || serve(&asked, &samples))?;
        Ok(Sampler { wanted: Some(wanted), thread: Some(thread) })
    }

    /// Asks for a sample of these processes and their descendants; while one is under way, that one is enough.
    pub fn ask(&self, pids: Vec<u32>) {
        if let Some(wanted) = &self.wanted
            && let Err(TrySendError::Disconnected(_)) = wanted.try_send(pids)
        {
            tracing::error!("the sampler has ended; memory and CPU are no longer measured");
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        drop(self.wanted.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(asked: &Receiver<Vec<u32>>, samples: &mpsc::Sender<Vec<Usage>>) {
    let mut reader = Reader::default();
    while let Ok(pids) = asked.recv() {
        if samples.blocking_send(reader.read(&pids)).is_err() {
            return;
        }
    }
}

/// What `stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    /// Ticks of CPU, in user and in system mode.
    spent: u64,
    threads: u64,
    /// Ticks since boot: with the process id it names one process for ever.
    started: u64,
    /// Resident pages.
    pages: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        let mut text = [0; LONGEST_STAT];
        // The kernel gives it whole, in one read.
        let length = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut text).ok()?;
        Stat::parse(&text[..length])
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The name may hold anything; what follows its last parenthesis are numbers.
        let name_ends = text.iter().rposition(|byte| *byte == b')')?;
        let mut fields = std::str::from_utf8(&text[name_ends + 1..]).ok()?.split_ascii_whitespace();
        let mut number = |skip| fields.nth(skip)?.parse::<u64>().ok();
        let (user, system) = (number(11)?, number(0)?);
        let (threads, started, pages) = (number(4)?, number(1)?, number(1)?);
        Some(Stat { spent: user + system, threads, started, pages })
    }
}

/// Reads usage, and remembers what is needed to tell CPU time from one sample to the next.
#[derive(Debug)]
pub struct Reader {
    /// Bytes of a page.
    page: u64,
    /// Ticks of CPU time in a second.
    ticks: f64,
    /// Each process's descendants as they were found last.
    descendants: HashMap<u32, Vec<u32>>,
    /// The sample before.
    before: HashMap<u32, Stat>,
    read_at: Option<Instant>,
    /// Where the search for descendants goes on.
    turn: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            page: rustix::param::page_size() as u64,
            ticks: rustix::param::clock_ticks_per_second() as f64,
            descendants: HashMap::new(),
            before: HashMap::new(),
            read_at: None,
            turn: 0,
        }
    }
}

impl Reader {
    /// One sample. Processes that have ended are left out.
    pub fn read(&mut self, pids: &[u32]) -> Vec<Usage> {
        let mut stats: HashMap<u32, Stat> = pids.iter().filter_map(|pid| Some((*pid, Stat::read(*pid)?))).collect();
        self.look_for_descendants(pids, &stats);
        for pid in self.descendants.values().flatten() {
            stats.extend(Stat::read(*pid).map(|stat| (*pid, stat)));
        }
        let now = Instant::now();
        let elapsed = self.read_at.replace(now).map(|before| now.duration_since(before).as_secs_f64());
        let usages = pids.iter().filter_map(|pid| self.usage(*pid, elapsed, &stats)).collect();
        self.before = stats;
        usages
    }

    fn usage(&self, pid: u32, elapsed: Option<f64>, stats: &HashMap<u32, Stat>) -> Option<Usage> {
        stats.get(&pid)?;
        let tree = || std::iter::once(&pid).chain(self.descendants.get(&pid).into_iter().flatten());
        let pages: u64 = tree().filter_map(|pid| stats.get(pid)).map(|stat| stat.pages).sum();
        let spent: u64 = tree()
            // One that is new was not there to be measured; it counts from its second sample on.
            .filter_map(|pid| Some((stats.get(pid)?, self.before.get(pid)?)))
            .filter(|(now, before)| now.started == before.started)
            .map(|(now, before)| now.spent.saturating_sub(before.spent))
            .sum();
        let elapsed = elapsed.filter(|elapsed| *elapsed > 0.0 && self.before.contains_key(&pid));
        let cpu = elapsed.map(|elapsed| spent as f64 / self.ticks / elapsed * 100.0);
        Some(Usage { pid, memory: pages.saturating_mul(self.page), cpu })
    }

    fn look_for_descendants(&mut self, pids: &[u32], stats: &HashMap<u32, Stat>) {
        self.descendants.retain(|pid, _| stats.contains_key(pid));
        let start = self.turn.min(pids.len());
        let (before, from) = pids.split_at(start);
        // Those that were never looked at come first.
        let unknown: Vec<u32> = pids.iter().copied().filter(|pid| !self.descendants.contains_key(pid)).collect();
        let in_turn: Vec<u32> = from.iter().chain(before).copied().take(LOOKED_AT).collect();
        self.turn = if pids.len() > LOOKED_AT { (start + LOOKED_AT) % pids.len() } else { 0 };
        for pid in unknown.into_iter().chain(in_turn) {
            if let Some(stat) = stats.get(&pid) {
                self.descendants.insert(pid, descendants(pid, stat.threads));
            }
        }
    }
}

/// Everything below `pid`, itself left out.
fn descendants(pid: u32, threads: u64) -> Vec<u32> {
    let mut found = Vec::new();
    children(pid, threads, &mut found);
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        children(pid, u64::MAX, &mut found);
    }
    found
}

/// The children of every thread of `pid`. One that has ended has none.
fn children(pid: u32, threads: u64, found: &mut Vec<u32>) {
    if threads == 1 {
        return children_of_thread(format!("/proc/{pid}/task/{pid}/children").as_ref(), found);
    }
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return };
    for thread in threads.flatten() {
        children_of_thread(&thread.path().join("children"), found);
    }
}

fn children_of_thread(file: &Path, found: &mut Vec<u32>) {
    let Ok(text) = fs::read_to_string(file) else { return };
    for child in text.split_whitespace().filter_map(|word| word.parse().ok()) {
        if !found.contains(&child) {
            found.push(child);
        }
    }
}

/// What 100 % of memory means when the configuration does not say: the machine's memory, or the limit of the control
/// group this controller is in, or of one above it, if that is less (H4). None where neither can be read.
pub fn memory_base() -> Option<u64> {
    let machine = machine_memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = limit_files(&groups).iter().filter_map(|file| limit(&fs::read_to_string(file).ok()?)).min();
    [machine, limit].into_iter().flatten().min()
}

fn machine_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// A limit as the file says it; "max" is none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The files that may hold a limit, given /proc/self/cgroup: those of each group on the way up, of version 2 and 1.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // The namespace may hide the way up; then the folder is not there, and the root's file is.
        let mut path = path.trim_end_matches('/');
        loop {
            files.push(format!("{root}{path}/{name}"));
            match path.rsplit_once('/') {
                Some((above, _)) => path = above,
                None => break,
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::*;

    /// A child that goes with the test.
    struct Program(Child);

    impl Program {
        fn shell(script: &str) -> Program {
            let mut command = Command::new("/bin/sh");
            Program(command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
            line.trim().to_owned()
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    #[test]
    fn h4_memory_is_that_of_the_process_and_its_descendants() {
        let mut shell = Program::shell("sleep 600 & echo $!; read end; kill $!");
        let child: u32 = shell.line().parse().unwrap();
        // Until it has become `sleep` its memory is the shell's, and for a moment nobody's.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let alone = loop {
            let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap();
            let memory = Reader::default().read(&[child])[0].memory;
            if name == "sleep\n" && memory > 0 {
                break memory;
            }
            assert!(std::time::Instant::now() < until, "it never became what it was to run");
            std::thread::yield_now();
        };
        let mut reader = Reader::default();
        let pid = shell.0.id();
        let with_child = reader.read(&[pid])[0];
        assert!(alone > 0 && with_child.memory > alone, "{with_child:?}, of which {alone} the child's");
        assert_eq!(with_child.cpu, None);
        assert!(reader.read(&[pid])[0].cpu.is_some());
        drop(shell.0.stdin.take());
        shell.0.wait().unwrap();
        assert_eq!(reader.read(&[pid]), []);
    }

    #[test]
    fn h4_it_reads_nothing_of_processes_that_are_not_ours() {
        let mut reader = Reader::default();
        let ours = Program::shell("read end");
        for _ in 0..3 {
            reader.read(&[ours.0.id()]);
        }
        let known: Vec<u32> = reader.before.keys().copied().collect();
        assert_eq!(known, [ours.0.id()]);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let text = b"7 (a ) 1 (b) R 1 7 7 0 -1 4 5 6 7 8 30 12 1 1 20 0 3 0 9000 1234 55 18446744073709551615 1 1\n";
        assert_eq!(Stat::parse(text), Some(Stat { spent: 42, threads: 3, started: 9000, pages: 55 }));
        for spoilt in [&b""[..], b"7 (x)", b"7 (x) R 1 2 3", b"7 (x) R 1 7 7 0 -1 4 5 6 7 8 a 12 1 1 20 0 3 0 9 1 5"] {
            assert_eq!(Stat::parse(spoilt), None);
        }
    }

    #[test]
    fn cpu_is_per_cent_of_one_core() {
        let busy = Program::shell("while :; do :; done");
        let mut reader = Reader::default();
        reader.read(&[busy.0.id()]);
        let began = Instant::now();
        loop {
            // The kernel counts in hundredths of a second: over less than many of them the figure means nothing.
            std::thread::sleep(Duration::from_millis(500));
            let cpu = reader.read(&[busy.0.id()])[0].cpu.unwrap();
            assert!(cpu < 250.0, "{cpu}");
            if cpu > 1.0 {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20));
        }
    }

    #[tokio::test]
    async fn the_sampler_answers_from_its_thread() {
        let ours = Program::shell("read end");
        let (samples, mut sampled) = mpsc::channel(1);
        let sampler = Sampler::start(samples).unwrap();
        sampler.ask(vec![ours.0.id(), u32::MAX / 2]);
        let sample = tokio::time::timeout(Duration::from_secs(20), sampled.recv()).await.unwrap().unwrap();
        assert_eq!(sample.iter().map(|usage| usage.pid).collect::<Vec<_>>(), [ours.0.id()]);
        drop(sampled);
        drop(sampler);
    }

    #[test]
    fn h4_the_base_is_the_machine_s_memory_or_the_limit_of_a_group_on_the_way_up() {
        assert_eq!(machine_memory("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2048 * 1024));
        assert_eq!(machine_memory("nothing"), None);
        assert_eq!((limit("max\n"), limit("1048576\n")), (None, Some(1_048_576)));
        assert_eq!(
            limit_files("0::/system.slice/tandem.service\n"),
            [
                "/sys/fs/cgroup/system.slice/tandem.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(limit_files("4:cpu,cpuacct:/x\n3:memory:/\n"), ["/sys/fs/cgroup/memory/memory.limit_in_bytes"]);
        assert!(memory_base().is_some_and(|base| base > 1 << 20));
    }
}

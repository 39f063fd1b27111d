//! What required processes write (P4): the last lines in memory, all of it in files of bounded size.
//!
//! One thread reads the pipes of all processes, in turns, so that a process that floods its output costs the controller's
//! loop nothing; another writes the files, so that a disk that stalls costs the reading nothing. A process that writes more
//! than [`RATE`] is throttled by its pipe.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::messages::LaunchId;

mod files;

use files::{Files, ToFile};

/// Lines kept in memory.
const LINES: usize = 100;
/// A longer line is cut, bytes.
const LINE_BYTES: usize = 2000;
/// Read at once from one pipe, bytes: what a pipe holds.
const CHUNK: usize = 64 * 1024;
/// The most that is read from one process, bytes a second, after a first [`CHUNK`].
const RATE: usize = 1 << 20;

/// The last lines of one process. Cheap to clone; all clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Tail(Arc<Mutex<VecDeque<Arc<str>>>>);

impl Tail {
    /// The last `count` lines, oldest first, as they were written: whoever shows them on a terminal escapes them.
    pub fn last(&self, count: usize) -> Vec<Arc<str>> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }

    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES {
            lines.pop_front();
        }
        lines.push_back(line.into());
    }
}

/// Looks at each line before it is kept; true: it was an answer to a heartbeat and is not output.
pub type LineFilter = Box<dyn FnMut(&str) -> bool + Send>;

/// A pipe to read from now on.
struct Source {
    launch: LaunchId,
    pipe: PipeReader,
    tail: Tail,
    /// The newer file; none: only the last lines are kept.
    path: Option<PathBuf>,
    filter: Option<LineFilter>,
}

/// The thread that reads. Dropping it ends the thread, after a last look at every pipe.
#[derive(Debug)]
pub struct Output {
    sources: Option<Sender<Source>>,
    wake: PipeWriter,
    thread: Option<JoinHandle<()>>,
}

impl Output {
    /// Starts the thread.
    ///
    /// # Errors
    /// Out of threads or file descriptors.
    pub fn start() -> io::Result<Output> {
        let (sources, added) = channel();
        let (woken, wake) = io::pipe()?;
        let files = Files::start()?;
        let thread =
            std::thread::Builder::new().name("output".to_owned()).spawn(move || read_all(&added, woken, &files))?;
        Ok(Output { sources: Some(sources), wake, thread: Some(thread) })
    }

    /// Reads `pipe` until it is closed: into `tail`, and into `path` and its predecessor.
    pub fn read(
        &mut self,
        launch: LaunchId,
        pipe: PipeReader,
        tail: Tail,
        path: Option<PathBuf>,
        filter: Option<LineFilter>,
    ) {
        if let Some(sources) = &self.sources {
            // The thread lives until this is dropped.
            drop(sources.send(Source { launch, pipe, tail, path, filter }));
            drop(self.wake.write(&[1]));
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        drop(self.sources.take());
        drop(self.wake.write(&[0]));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A pipe that is being read.
struct Reading {
    source: Source,
    file: Option<ToFile>,
    /// Lines that are not in the file yet: one write for all that was read at once.
    lines: Vec<u8>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// Whether the rest of the line is being left out.
    cut: bool,
    /// Read no more before this.
    not_before: Instant,
}

fn read_all(added: &Receiver<Source>, mut woken: PipeReader, files: &Files) {
    let mut readings: BTreeMap<LaunchId, Reading> = BTreeMap::new();
    let mut chunk = vec![0_u8; CHUNK];
    loop {
        let now = Instant::now();
        let ready: Vec<LaunchId> =
            readings.iter().filter(|(_, reading)| reading.not_before <= now).map(|(launch, _)| *launch).collect();
        let pause = readings.values().filter_map(|reading| reading.not_before.checked_duration_since(now)).min();
        let wait = pause.filter(|pause| !pause.is_zero()).map_or(PollTimeout::NONE, |pause| {
            PollTimeout::try_from(pause + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
        let pipes = ready.iter().filter_map(|launch| readings.get(launch));
        fds.extend(pipes.map(|reading| PollFd::new(reading.source.pipe.as_fd(), PollFlags::POLLIN)));
        if let Err(error) = poll(&mut fds, wait)
            && error != nix::Error::EINTR
        {
            tracing::error!(%error, "the output of processes cannot be read any more");
            return;
        }
        let any = |at: usize| fds.get(at).is_some_and(|fd| fd.any().unwrap_or(false));
        let told = any(0);
        let readable: Vec<LaunchId> =
            ready.iter().enumerate().filter(|(at, _)| any(at + 1)).map(|(_, launch)| *launch).collect();
        drop(fds);
        for launch in readable {
            let over = readings.get_mut(&launch).is_some_and(|reading| reading.read(&mut chunk, files) == Pipe::Closed);
            if over && let Some(reading) = readings.remove(&launch) {
                reading.end(files);
            }
        }
        if told {
            let mut bytes = [0; 256];
            drop(woken.read(&mut bytes));
            loop {
                match added.try_recv() {
                    Ok(source) => drop(readings.insert(source.launch, Reading::new(source))),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return last_look(readings, &mut chunk, files),
                }
            }
        }
    }
}

/// The controller ends: what processes wrote last is already in the pipes.
fn last_look(readings: BTreeMap<LaunchId, Reading>, chunk: &mut [u8], files: &Files) {
    for mut reading in readings.into_values() {
        let there = || {
            let mut fds = [PollFd::new(reading.source.pipe.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        };
        if there() {
            reading.read(chunk, files);
        }
        reading.end(files);
    }
}

#[derive(PartialEq, Eq)]
enum Pipe {
    Open,
    Closed,
}

impl Reading {
    fn new(source: Source) -> Reading {
        let file = source.path.clone().map(|path| ToFile::new(source.launch, path));
        Reading { source, file, lines: Vec::new(), line: Vec::new(), cut: false, not_before: Instant::now() }
    }

    fn read(&mut self, chunk: &mut [u8], files: &Files) -> Pipe {
        let count = match self.source.pipe.read(chunk) {
            Ok(0) => return Pipe::Closed,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Pipe::Open,
            Err(_) => return Pipe::Closed,
        };
        let bytes = &chunk[..count];
        if count >= CHUNK / 4 {
            let pause = Duration::from_secs_f64(count as f64 / RATE as f64);
            self.not_before = Instant::now() + pause;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            if !self.cut {
                let room = LINE_BYTES - self.line.len();
                self.line.extend_from_slice(&text[..text.len().min(room)]);
                self.cut = text.len() > room;
            }
            if ends {
                self.finish_line();
            }
        }
        self.write(files);
        Pipe::Open
    }

    /// Hands the lines over to the file.
    fn write(&mut self, files: &Files) {
        if let Some(file) = &mut self.file {
            files.write(file, &mut self.lines);
        }
    }

    fn finish_line(&mut self) {
        let mut line = String::from_utf8_lossy(&self.line).into_owned();
        if self.cut {
            line.push('…');
        }
        self.line.clear();
        self.cut = false;
        if self.source.filter.as_mut().is_some_and(|filter| filter(&line)) {
            return;
        }
        self.source.tail.push(line.trim_end_matches('\r'));
        if self.file.is_some() {
            self.lines.extend_from_slice(line.as_bytes());
            self.lines.push(b'\n');
        }
    }

    fn end(mut self, files: &Files) {
        if !self.line.is_empty() {
            self.finish_line();
            self.write(files);
        }
        if let Some(file) = &self.file {
            files.end(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::path::Path;

    use super::files::FILE_BYTES;
    use super::*;

    fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < Duration::from_secs(20), "still not: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn p4_the_last_lines_are_in_memory_and_all_in_files_of_bounded_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output/plant.log");
        let mut output = Output::start().unwrap();
        let (pipe, mut writer) = io::pipe().unwrap();
        let tail = Tail::default();
        output.read(LaunchId(1), pipe, tail.clone(), Some(path.clone()), None);
        let line = "x".repeat(999);
        for _ in 0..1_500 {
            writeln!(writer, "{line}").unwrap();
        }
        writeln!(writer, "{}", "y".repeat(5_000)).unwrap();
        write!(writer, "the last one has no end").unwrap();
        drop(writer);
        drop(output);
        let last = tail.last(2);
        assert_eq!(&*last[1], "the last one has no end");
        assert_eq!(last[0].len(), LINE_BYTES + "…".len());
        assert_eq!(tail.last(1_000).len(), LINES);
        let length = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(length(&path) <= FILE_BYTES, "{}", length(&path));
        assert!(length(&folder.path().join("output/plant.log.1")) <= FILE_BYTES);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("the last one has no end\n"));
    }

    #[test]
    fn p4_a_flood_is_throttled_by_its_pipe() {
        let mut output = Output::start().unwrap();
        let (pipe, writer) = io::pipe().unwrap();
        let tail = Tail::default();
        output.read(LaunchId(1), pipe, tail.clone(), None, None);
        let mut yes = std::process::Command::new("yes").stdout(writer).spawn().unwrap();
        wait_until("lines come", || !tail.last(1).is_empty());
        let started = Instant::now();
        let written = |pid: u32| {
            let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
            let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
            line.parse::<u64>().unwrap()
        };
        wait_until("a while has passed", || started.elapsed() > Duration::from_millis(300));
        let rate = written(yes.id()) as f64 / started.elapsed().as_secs_f64();
        yes.kill().unwrap();
        yes.wait().unwrap();
        assert!(rate < 3.0 * RATE as f64, "{rate} bytes a second");
    }

    #[test]
    fn p3_p4_a_disk_that_stalls_delays_no_answer_and_what_is_missing_in_the_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        // Opening it for writing blocks until somebody reads, as a disk does that stalls.
        let path = folder.path().join("plant.log");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut output = Output::start().unwrap();
        let (pipe, mut writer) = io::pipe().unwrap();
        let tail = Tail::default();
        let answered = Arc::new(Mutex::new(0));
        let theirs = Arc::clone(&answered);
        let filter: LineFilter = Box::new(move |line| {
            let is_answer = line == "alive";
            *theirs.lock().unwrap() += u32::from(is_answer);
            is_answer
        });
        output.read(LaunchId(1), pipe, tail.clone(), Some(path.clone()), Some(filter));
        let mut line = |number: u32| {
            writeln!(writer, "line {number}\nalive").unwrap();
            wait_until("it is answered", || *answered.lock().unwrap() == number + 1);
        };
        (0..500).for_each(&mut line);
        assert_eq!(&*tail.last(1)[0], "line 499");
        let mut disk = io::BufReader::new(std::fs::File::open(path).unwrap()).lines().map(Result::unwrap);
        // Room again: what comes from now on is in the file, behind a word about what is not.
        let mut text: Vec<String> = disk.by_ref().take(100).collect();
        (500..502).for_each(line);
        drop(writer);
        let ending = std::thread::spawn(move || drop(output));
        text.extend(disk);
        ending.join().unwrap();
        assert_eq!((text[0].as_str(), text.last().unwrap().as_str()), ("line 0", "line 501"));
        let word = |line: &String| {
            Some(
                line.strip_prefix("tandem: ")?
                    .strip_suffix(" lines are missing here: the disk was too slow")?
                    .to_owned(),
            )
        };
        let missing: usize = text.iter().find_map(word).expect("a word about it").parse().unwrap();
        assert_eq!(text.len() - 1 + missing, 502);
    }

    #[test]
    fn p3_an_answer_to_a_heartbeat_is_not_output() {
        let mut output = Output::start().unwrap();
        let (pipe, mut writer) = io::pipe().unwrap();
        let tail = Tail::default();
        let filter: LineFilter = Box::new(|line| line.starts_with("alive "));
        output.read(LaunchId(1), pipe, tail.clone(), None, Some(filter));
        writeln!(writer, "alive 1\nhello").unwrap();
        wait_until("the line is there", || !tail.last(1).is_empty());
        assert_eq!(tail.last(10).iter().map(|line| line.to_string()).collect::<Vec<_>>(), ["hello"]);
    }
}

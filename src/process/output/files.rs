//! Writes what processes wrote into files of bounded size, on a thread of its own: reading goes on when the disk stalls,
//! because heartbeats may be answered on the same pipes (P3), and a full pipe would stop the process itself.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::super::messages::LaunchId;

/// A file is as large as this at most; there are two, of which the older is replaced.
pub const FILE_BYTES: u64 = 1 << 20;
/// Pieces that wait for the disk, each at most what a pipe holds: ten seconds of any process that is no flood.
const WAITING: usize = 128;

enum Piece {
    /// A process's output goes there from now on.
    Open(LaunchId, PathBuf),
    Lines(LaunchId, Vec<u8>),
    /// It has ended.
    End(LaunchId),
}

/// The thread that writes. Dropping it writes what waits, and ends the thread.
#[derive(Debug)]
pub struct Files {
    pieces: Option<SyncSender<Piece>>,
    thread: Option<JoinHandle<()>>,
}

/// What one process has yet to say to its file, and how much of it found no room.
#[derive(Debug)]
pub struct ToFile {
    launch: LaunchId,
    path: Option<PathBuf>,
    missing: u64,
}

impl ToFile {
    /// The output of `launch` goes to `path`.
    pub fn new(launch: LaunchId, path: PathBuf) -> ToFile {
        ToFile { launch, path: Some(path), missing: 0 }
    }
}

impl Files {
    /// Starts the thread.
    ///
    /// # Errors
    /// Out of threads.
    pub fn start() -> io::Result<Files> {
        let (pieces, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("output-files".to_owned()).spawn(move || write_all(&waiting))?;
        Ok(Files { pieces: Some(pieces), thread: Some(thread) })
    }

    /// Hands over whole lines, and never waits: what finds no room is counted, and told in the file.
    pub fn write(&self, to: &mut ToFile, lines: &mut Vec<u8>) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        let mut lines = std::mem::take(lines);
        if lines.is_empty() {
            return;
        }
        if let Some(path) = to.path.take()
            && !self.send(Piece::Open(to.launch, path.clone()))
        {
            // No room: it is opened with the next lines.
            to.path = Some(path);
        }
        if to.missing > 0 {
            let word = format!("tandem: {} lines are missing here: the disk was too slow\n", to.missing);
            lines.splice(0..0, word.into_bytes());
        }
        if to.path.is_none() && self.send(Piece::Lines(to.launch, lines)) {
            to.missing = 0;
        } else {
            to.missing += count;
        }
    }

    /// The process has ended.
    pub fn end(&self, to: &ToFile) {
        if to.path.is_none() && !self.send(Piece::End(to.launch)) {
            tracing::debug!("a file of a process that has ended stays open until the controller ends");
        }
    }

    fn send(&self, piece: Piece) -> bool {
        self.pieces.as_ref().is_some_and(|pieces| pieces.try_send(piece).is_ok())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(self.pieces.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn write_all(waiting: &Receiver<Piece>) {
    let mut files: BTreeMap<LaunchId, Rotating> = BTreeMap::new();
    while let Ok(piece) = waiting.recv() {
        match piece {
            Piece::Open(launch, path) => match Rotating::open(&path) {
                Ok(file) => drop(files.insert(launch, file)),
                Err(error) => tracing::warn!(%error, path = %path.display(), "output is only kept in memory"),
            },
            Piece::Lines(launch, lines) => {
                let Some(file) = files.get_mut(&launch) else { continue };
                if let Err(error) = file.write(&lines) {
                    tracing::warn!(%error, path = %file.path.display(), "output is only kept in memory from now on");
                    files.remove(&launch);
                }
            }
            Piece::End(launch) => drop(files.remove(&launch)),
        }
    }
}

/// A file that begins anew when it is full; what was in it is kept once, as `PATH.1`.
#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Rotating {
    fn open(path: &Path) -> io::Result<Rotating> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), file, length })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let length = lines.len() as u64;
        if self.length > 0 && self.length + length > FILE_BYTES {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(&self.path, old)?;
            *self = Rotating::open(&self.path)?;
        }
        self.length += length;
        self.file.write_all(lines)
    }
}

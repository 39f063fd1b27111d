//! The shared directory itself: which generation is the latest, reading it, claiming the one that follows, renewing.
//!
//! Every file is opened anew for every look: then a file system over the network asks its server whether the file has
//! changed (close-to-open), and a directory that was mounted over or taken away is noticed.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::{AccessFlags, faccessat};

use super::record::{Generation, LENGTH, NotOurs};

/// How many of the generations before the latest stay: a member that is about to claim after one of them must find it
/// claimed, and people may want to see who held it before.
const KEPT: usize = 3;

/// How often the latest generation is looked for anew when it is gone before it is read: only ever because of a later one.
const TRIES: usize = 3;

/// What makes a directory writable that is not: more rights help only where they are missing.
fn to_write(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::PermissionDenied => "the user that tandem runs as must be able to make files there",
        ErrorKind::ReadOnlyFilesystem => "mount it for writing; after a fault its system may have made it read-only",
        ErrorKind::NotADirectory => "name a folder of the shared file system",
        _ => "look whether it is still mounted there, and whether its server is well",
    }
}

/// Why the directory cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    /// It is not there.
    #[error("{} is not there; mount it, or make the folder if this is the shared directory", .0.display())]
    Missing(PathBuf),
    /// It may not be written.
    #[error("{} cannot be written: {source}; {}", .directory.display(), to_write(.source))]
    Unwritable {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something failed.
    #[error("{what} {} failed: {source}; look whether the shared directory's server is well and has space", .path.display())]
    Failed {
        /// "reading"
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file with the name of a generation holds something else.
    #[error("{} is no lease, or was damaged; stop all members, remove it, and start them again", .0.display())]
    NotOurs(PathBuf),
    /// The latest generation was gone before it could be read, again and again.
    #[error("{} changes faster than it can be read; look who else removes files there", .0.display())]
    Unsteady(PathBuf),
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// This member's file follows.
    Won,
    /// Another was first.
    Taken,
}

/// A generation as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of the generation that it follows; zero: it is the first.
    pub after: u64,
    /// The file's whole content.
    pub bytes: Vec<u8>,
    /// What it says.
    pub generation: Generation,
}

/// The shared directory, as one member of one group uses it.
pub(super) struct Folder {
    directory: PathBuf,
    /// What the names of the group's generations begin with.
    prefix: String,
    /// This member's file before it gets its name.
    new: PathBuf,
    /// This member's file that shows whether a claim could be written; never a generation.
    trial: PathBuf,
}

/// The group's name as part of a file's: anything but letters, digits, - and _ is written by its number.
fn plain(group: &str) -> String {
    let mut name = String::new();
    for byte in group.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    name
}

impl Folder {
    /// `group`'s generations in `directory`, for the member `me`. Nothing is touched yet.
    pub(super) fn new(directory: PathBuf, group: &str, me: &str) -> Folder {
        let group = plain(group);
        let [new, trial] = ["new", "trial"].map(|kind| directory.join(format!("{group}.{kind}-{me}")));
        Folder { directory, prefix: format!("{group}.after-"), new, trial }
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, after: u64) -> PathBuf {
        self.directory.join(format!("{}{after}", self.prefix))
    }

    fn failed(&self, what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
        let (missing, path) = (!self.directory.exists(), path.to_owned());
        let directory = self.directory.clone();
        move |source| match source.kind() {
            ErrorKind::NotFound if missing => FolderError::Missing(directory),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                FolderError::Unwritable { directory, source }
            }
            _ => FolderError::Failed { what, path, source },
        }
    }

    /// Whether files may be made here: a claim must not be the first to find out.
    pub(super) fn writable(&self) -> Result<(), FolderError> {
        let wanted = AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK;
        match faccessat(AT_FDCWD, &self.directory, wanted, AtFlags::AT_EACCESS) {
            Ok(()) => Ok(()),
            Err(nix::Error::ENOENT) => Err(FolderError::Missing(self.directory.clone())),
            Err(error) => {
                // A plain file in its place is refused like a folder without rights.
                let is_folder = !self.directory.metadata().is_ok_and(|found| !found.is_dir());
                let source = if is_folder { error.into() } else { ErrorKind::NotADirectory.into() };
                Err(FolderError::Unwritable { directory: self.directory.clone(), source })
            }
        }
    }

    /// Writes what a claim would write, durably, under a name that is none of a generation's, and removes it: only this finds
    /// a full disk, a quota, or a file system that hangs as soon as it is written to.
    pub(super) fn try_out(&self, generation: &Generation) -> Result<(), FolderError> {
        self.make(&self.trial, &generation.file())?;
        std::fs::remove_file(&self.trial).map_err(self.failed("removing", &self.trial))
    }

    /// A new file at `path` that holds `content`, durably. One that a crash left is removed before: it may be a second name of
    /// a generation, so it must not be written to.
    fn make(&self, path: &Path, content: &[u8]) -> Result<(), FolderError> {
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(self.failed("removing", path)(error)),
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(path).map_err(self.failed("making", path))?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(self.failed("writing", path))
    }

    /// The generation that the file called `name` follows; none: it is another kind of file.
    fn follows(&self, name: &OsStr) -> Option<u64> {
        let digits = name.to_str()?.strip_prefix(&self.prefix)?;
        let after: u64 = digits.parse().ok()?;
        // Exactly the name that a claim would give it, so that no other spelling stands for the same.
        (after.to_string() == digits).then_some(after)
    }

    /// What the group's generations follow, in rising order.
    fn list(&self) -> Result<Vec<u64>, FolderError> {
        let failed = || self.failed("listing", &self.directory);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(failed())? {
            found.extend(self.follows(&entry.map_err(failed())?.file_name()));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// What the latest generation follows; none: there is no generation yet.
    pub(super) fn latest(&self) -> Result<Option<u64>, FolderError> {
        Ok(self.list()?.last().copied())
    }

    /// The latest generation, read.
    pub(super) fn look(&self) -> Result<Option<Found>, FolderError> {
        for _ in 0..TRIES {
            let Some(after) = self.latest()? else { return Ok(None) };
            if let Some(found) = self.read(after)? {
                return Ok(Some(found));
            }
        }
        Err(FolderError::Unsteady(self.directory.clone()))
    }

    fn open(&self, path: &Path, options: &mut OpenOptions) -> io::Result<File> {
        // Neither a link to elsewhere nor a pipe, which would be waited for, is a generation.
        options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path)
    }

    /// The generation that follows `after`; none: its file is not there.
    pub(super) fn read(&self, after: u64) -> Result<Option<Found>, FolderError> {
        let path = self.path(after);
        let file = match self.open(&path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && self.directory.exists() => return Ok(None),
            Err(error) => return Err(self.failed("opening", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(self.failed("reading", &path))?;
        let generation = Generation::read(&bytes).map_err(|NotOurs| FolderError::NotOurs(path))?;
        Ok(Some(Found { after, bytes, generation }))
    }

    /// Makes `generation` the one that follows `after`, unless another does already.
    pub(super) fn claim(&self, after: u64, generation: &Generation) -> Result<Claim, FolderError> {
        let (new, path, content) = (&self.new, self.path(after), generation.file());
        self.make(new, &content)?;
        let linked = std::fs::hard_link(new, &path);
        // What cannot be removed now is removed before the next claim.
        let _ = std::fs::remove_file(new);
        match linked {
            Ok(()) => {}
            // A server that was asked twice may say "exists" of the very link it made: what stands there decides.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(self.failed("linking", &path)(error)),
        }
        // Also after a link that worked: another machine of this member's name may have exchanged the file before.
        if self.read(after)?.is_none_or(|found| found.bytes != content) {
            return Ok(Claim::Taken);
        }
        self.sync()?;
        Ok(Claim::Won)
    }

    /// The directory's own entries reach the disk.
    fn sync(&self) -> Result<(), FolderError> {
        let directory = &self.directory;
        File::open(directory).and_then(|open| open.sync_all()).map_err(self.failed("writing", directory))
    }

    /// Writes `generation` over the older slot of `found`'s file, durably.
    pub(super) fn update(&self, found: &Found, generation: &Generation) -> Result<(), FolderError> {
        let path = self.path(found.after);
        let file = self.open(&path, OpenOptions::new().write(true)).map_err(self.failed("opening", &path))?;
        let (offset, slot) = generation.update(&found.bytes);
        file.write_all_at(&slot, offset).and_then(|()| file.sync_all()).map_err(self.failed("writing", &path))
    }

    /// Removes what came long before the latest generation. What cannot be removed stays, and harms nothing.
    pub(super) fn clean(&self) {
        let Ok(list) = self.list() else { return };
        for after in list.iter().rev().skip(1 + KEPT) {
            let _ = std::fs::remove_file(self.path(*after));
        }
    }
}

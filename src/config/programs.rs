//! Where a configured program is: a path as written, or a name that is looked for in `PATH`.
//!
//! One rule for every program that the file names (processes, probes, hooks, agents), used by `check` before and by
//! whoever starts it afterwards, so that what was checked is what runs.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Where programs are looked for when nothing says so.
const DEFAULT_SEARCH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// A name that no folder of the search has.
    #[error("there is no program {name:?} in {searched}")]
    NotFound {
        /// The name.
        name: String,
        /// The folders, as `PATH` names them.
        searched: String,
    },
    /// A path at which nothing is, or nothing that may be looked at.
    #[error("there is no program {path}: {why}", path = .path.display())]
    Missing {
        /// The path.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A folder, a device, a socket.
    #[error("{path} is no file that could be run", path = .path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// A file without the permission.
    #[error("{path} is not executable", path = .path.display())]
    NotExecutable {
        /// The path.
        path: PathBuf,
    },
}

impl ProgramError {
    /// What to do about it.
    pub fn suggestion(&self) -> String {
        match self {
            ProgramError::NotFound { .. } => "install it, or write its whole path".to_owned(),
            ProgramError::Missing { .. } => "install it, or correct the path".to_owned(),
            ProgramError::NoFile { .. } => "name the program itself".to_owned(),
            ProgramError::NotExecutable { path } => format!("chmod +x {}", path.display()),
        }
    }
}

/// The file that is run for `program`: with a `/` it is a path that starts at `folder`, else a name that is looked for in
/// `search`, a list as in `PATH`; none: the usual folders.
///
/// # Errors
///
/// It is not there, is no file, or is not executable.
pub fn find(program: &str, folder: &Path, search: Option<&OsStr>) -> Result<PathBuf, ProgramError> {
    if program.contains('/') {
        let path = folder.join(program);
        return runnable(&path).map(|()| path);
    }
    let search = search.filter(|search| !search.is_empty()).unwrap_or(OsStr::new(DEFAULT_SEARCH));
    // As execvp does: a file that may not be run is passed over, and told only when nothing else is found.
    let mut passed_over = None;
    for candidate in std::env::split_paths(search).filter(|folder| folder.is_absolute()) {
        let path = candidate.join(program);
        match runnable(&path) {
            Ok(()) => return Ok(path),
            Err(error @ ProgramError::NotExecutable { .. }) => passed_over = passed_over.or(Some(error)),
            Err(ProgramError::NotFound { .. } | ProgramError::Missing { .. } | ProgramError::NoFile { .. }) => {}
        }
    }
    let searched = search.to_string_lossy().into_owned();
    Err(passed_over.unwrap_or(ProgramError::NotFound { name: program.to_owned(), searched }))
}

fn runnable(path: &Path) -> Result<(), ProgramError> {
    let path_owned = || path.to_owned();
    let metadata = fs::metadata(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "nothing is there".to_owned(),
            _ => error.to_string(),
        };
        ProgramError::Missing { path: path_owned(), why }
    })?;
    if !metadata.is_file() {
        return Err(ProgramError::NoFile { path: path_owned() });
    }
    access(path, AccessFlags::X_OK).map_err(|_| ProgramError::NotExecutable { path: path_owned() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with `run`, executable, and `text`, which is not.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, mode) in [("run", 0o755), ("text", 0o644)] {
            let path = folder.path().join(name);
            fs::write(&path, "#!/bin/sh\n").expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
        }
        folder
    }

    #[test]
    fn p1_a_path_starts_at_the_folder_and_a_name_is_looked_for() {
        let folder = folder();
        let run = folder.path().join("run");
        assert_eq!(find("./run", folder.path(), None), Ok(folder.path().join("./run")));
        assert_eq!(find(&run.display().to_string(), Path::new("/nowhere"), None), Ok(run.clone()));
        let search = std::env::join_paths([Path::new("/nowhere"), folder.path()]).expect("a list");
        assert_eq!(find("run", Path::new("/"), Some(&search)), Ok(run));
        assert_eq!(find("sh", Path::new("/nowhere"), None).map(|path| path.ends_with("sh")), Ok(true));
    }

    #[test]
    fn p1_what_cannot_be_run_says_why_and_what_to_do() {
        let folder = folder();
        let told = |program: &str| {
            let error = find(program, folder.path(), Some(folder.path().as_os_str())).expect_err("it cannot be run");
            format!("{error}; {}", error.suggestion())
        };
        assert!(told("./nothing").contains("nothing is there; install it"), "{}", told("./nothing"));
        assert!(told("./text").contains("is not executable; chmod +x"), "{}", told("./text"));
        assert!(told("text").contains("is not executable"), "{}", told("text"));
        assert!(told("nothing").contains("there is no program \"nothing\" in "), "{}", told("nothing"));
        assert!(told("./").contains("no file that could be run"), "{}", told("./"));
    }

    #[test]
    fn p1_a_folder_of_the_search_that_is_relative_or_empty_is_not_looked_at() {
        // An empty one means the current folder, which is whoever started the controller's.
        assert!(find("Cargo.toml", Path::new("/"), Some(OsStr::new(":."))).is_err());
    }
}

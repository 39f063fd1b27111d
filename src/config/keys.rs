//! The group key: 32 secret bytes that every member of a group shares (S8).
//!
//! The file is one line of 64 hexadecimal digits. Blank lines and lines that begin with `#` are skipped. The key itself
//! never appears in an error, a log or a `Debug` text.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of a key: what the Noise protocol takes as a pre-shared key.
pub const KEY_BYTES: usize = 32;

/// The longest key file that is read; a key with a few lines of comment is far below it.
const MAX_FILE_BYTES: u64 = 4096;

/// A group key. Its memory is overwritten when it is dropped, as far as safe code can.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupKey([u8; KEY_BYTES]);

impl GroupKey {
    /// A key from its bytes.
    pub fn new(bytes: [u8; KEY_BYTES]) -> GroupKey {
        GroupKey(bytes)
    }

    /// The secret bytes, for the handshake only.
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupKey(secret)")
    }
}

impl Drop for GroupKey {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from dropping a write that nobody reads.
        std::hint::black_box(&self.0);
    }
}

/// Why a key file cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No file there.
    #[error("no group key at {path}; make one with `tandem keygen {path}` on one member and copy it to the others, or \
        write the right place into security.key_file", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It exists and cannot be read.
    #[error("cannot read the group key {path}: {source}; it must belong to the user that tandem runs as", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no key.
    #[error("{path} is no group key: {why}; make one with `tandem keygen FILE`, or copy it again from a member that works",
        path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should have been.
        why: &'static str,
    },
    /// [`generate`] never overwrites.
    #[error("{path} exists and is left as it is; choose another name, or remove it first if no member uses it", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It could not be made.
    #[error("cannot make the group key {path}: {source}", path = path.display())]
    NotMade {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the key in the file at `path`.
pub fn load_key(path: &Path) -> Result<GroupKey, KeyError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path: path.to_owned() },
        _ => KeyError::Unreadable { path: path.to_owned(), source },
    };
    let malformed = |why| KeyError::Malformed { path: path.to_owned(), why };
    // A pipe or a device would block or never end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(malformed("it is not a plain file"));
    }
    let mut content = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)).map_err(unreadable)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(malformed("it is too long for one line of 64 hexadecimal digits"));
    }
    let text = std::str::from_utf8(&content).map_err(|_| malformed("it is not text"))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or_else(|| malformed("it holds no key"))?;
    if lines.next().is_some() {
        return Err(malformed("it holds more than one key"));
    }
    let key = from_hex(line).ok_or_else(|| malformed("the key must be 64 hexadecimal digits"))?;
    if key.0 == [0; KEY_BYTES] {
        return Err(malformed("a key of zeros only is no secret"));
    }
    Ok(key)
}

/// Makes a new key in a new file at `path`: mode 0600, on disk when this returns. Never overwrites.
pub fn generate(path: &Path) -> Result<(), KeyError> {
    let not_made = |source: io::Error| KeyError::NotMade { path: path.to_owned(), source };
    let mut key = GroupKey([0; KEY_BYTES]);
    getrandom::fill(&mut key.0).map_err(|error| not_made(io::Error::other(error)))?;
    // `create_new` also refuses a link that somebody else has put there.
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
            match source.kind() {
                io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
                _ => not_made(source),
            }
        })?;
    let written = write_key(&mut file, &key).and_then(|()| sync_folder(path));
    if let Err(source) = written {
        // Half a key is worse than none: it would be copied to the others.
        drop(std::fs::remove_file(path));
        return Err(not_made(source));
    }
    Ok(())
}

fn write_key(file: &mut File, key: &GroupKey) -> io::Result<()> {
    let digits: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(file, "# tandem group key: the same on every member, secret to everybody else")?;
    writeln!(file, "{digits}")?;
    file.sync_all()
}

/// Makes the new name durable too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn from_hex(line: &str) -> Option<GroupKey> {
    if line.len() != 2 * KEY_BYTES || !line.is_ascii() {
        return None;
    }
    let mut key = GroupKey([0; KEY_BYTES]);
    for (byte, digits) in key.0.iter_mut().zip(line.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        // Two digits below 16 always fit a byte.
        *byte = (digit(digits[0])? * 16 + digit(digits[1])?) as u8;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file_with(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("group.key");
        std::fs::write(&path, content).expect("written");
        (folder, path)
    }

    #[test]
    fn s8_a_made_key_is_private_loads_again_and_differs_from_the_next() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        generate(&one).expect("made");
        generate(&two).expect("made");
        let mode = std::fs::metadata(&one).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(load_key(&one).expect("a key"), load_key(&two).expect("a key"));
    }

    #[test]
    fn s8_a_key_is_never_overwritten() {
        let (_folder, path) = file_with("precious");
        assert!(matches!(generate(&path), Err(KeyError::Exists { .. })));
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "precious");
    }

    #[test]
    fn s8_no_key_names_the_command_that_makes_one() {
        let error = load_key(Path::new("/nonexistent/group.key")).expect_err("there is none");
        assert!(error.to_string().contains("tandem keygen /nonexistent/group.key"), "{error}");
    }

    #[test]
    fn comments_and_upper_case_are_read() {
        let digits = "AB".repeat(32);
        let (_folder, path) = file_with(&format!("# old key\n\n{digits}\r\n"));
        assert_eq!(load_key(&path).expect("a key").bytes(), &[0xAB; KEY_BYTES]);
    }

    #[test]
    fn s8_what_is_no_key_is_refused_without_showing_it() {
        let secret = "c0ffee".repeat(10);
        let wrong = [
            String::new(),
            "# nothing\n".to_owned(),
            secret.clone(),
            format!("{secret}c0fg"),
            format!("{secret}c0ff\n{secret}c0ff\n"),
            "ä".repeat(32),
            "0".repeat(64),
            "a".repeat(5000),
        ];
        for content in wrong {
            let (_folder, path) = file_with(&content);
            let error = load_key(&path).expect_err(&content);
            assert!(matches!(error, KeyError::Malformed { .. }), "{content:?}: {error}");
            assert!(!format!("{error} {error:?}").contains("c0ffee"), "{error}");
        }
    }

    #[test]
    fn a_folder_is_no_key() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(load_key(folder.path()), Err(KeyError::Malformed { .. })));
    }

    #[test]
    fn s8_debug_hides_the_key() {
        assert_eq!(format!("{:?}", GroupKey::new([7; KEY_BYTES])), "GroupKey(secret)");
    }
}

//! The deadline up to which this controller may act (P6): a number in a file without a name that controller and guardian
//! share. The controller renews it by writing eight bytes twice, which costs a microsecond and wakes nobody; the guardian
//! reads it when the one that it knows is over.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::time::BootTime;

/// The shared file.
#[derive(Debug)]
pub struct Deadline(File);

impl Deadline {
    /// A new one, which is over.
    ///
    /// # Errors
    /// Out of memory or file descriptors.
    pub fn new() -> io::Result<Deadline> {
        let deadline = Deadline(File::from(memfd_create("tandem-deadline", MFdFlags::MFD_CLOEXEC)?));
        deadline.set(BootTime::default())?;
        Ok(deadline)
    }

    /// The guardian's end of it.
    pub fn from_file(file: OwnedFd) -> Deadline {
        Deadline(File::from(file))
    }

    /// The file, for passing on.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// From now on this is the deadline.
    ///
    /// # Errors
    /// What the operating system says; it has no reason to.
    pub fn set(&self, until: BootTime) -> io::Result<()> {
        let one = until.nanoseconds().to_le_bytes();
        let mut both = [0; 16];
        both[..8].copy_from_slice(&one);
        both[8..].copy_from_slice(&one);
        self.0.write_all_at(&both, 0)
    }

    /// The deadline now. What is being written in this very moment is read again; what cannot be read is over.
    pub fn get(&self) -> BootTime {
        for _ in 0..100 {
            let mut both = [0; 16];
            if self.0.read_exact_at(&mut both, 0).is_err() {
                break;
            }
            let (mut one, mut two) = ([0; 8], [0; 8]);
            one.copy_from_slice(&both[..8]);
            two.copy_from_slice(&both[8..]);
            if one == two {
                return BootTime::from_nanoseconds(u64::from_le_bytes(one));
            }
        }
        BootTime::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn p6_a_deadline_is_over_until_it_is_set() {
        let deadline = Deadline::new().unwrap();
        assert_eq!(deadline.get(), BootTime::default());
        let until = BootTime::now() + Duration::from_secs(1);
        let guardians = Deadline::from_file(OwnedFd::from(deadline.file().try_clone().unwrap()));
        deadline.set(until).unwrap();
        assert_eq!(guardians.get(), until);
    }
}

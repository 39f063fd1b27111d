//! The role of the controller as its processes and hooks are told of it: in their environment, and in a file that is
//! replaced whole on each change (S5), so that they, and what they write to, can refuse what is no longer theirs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Acts or stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleMode {
    /// Acts.
    Primary,
    /// Stands by.
    Secondary,
}

impl RoleMode {
    /// The value of `TANDEM_MODE`.
    pub fn word(self) -> &'static str {
        match self {
            RoleMode::Primary => "primary",
            RoleMode::Secondary => "secondary",
        }
    }
}

/// What the controller is, and in which term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its mode.
    pub mode: RoleMode,
    /// Primary: its term. Secondary: the highest term seen.
    pub term: u64,
    /// That term with its owner: no two are equal (N11).
    pub token: u64,
    /// Why, a sentence without a full stop.
    pub reason: String,
}

/// The name of the state file in the state directory.
const FILE: &str = "role";

/// Who is told, and where.
#[derive(Debug, Clone)]
pub struct Teller {
    node: String,
    group: String,
    file: PathBuf,
}

impl Teller {
    /// For the member `node` of `group`, whose state is in `directory`.
    pub fn new(node: &str, group: &str, directory: &Path) -> Teller {
        Teller { node: node.to_owned(), group: group.to_owned(), file: directory.join(FILE) }
    }

    /// The variables for a program that is started in this role.
    pub fn environment(&self, role: &Role) -> BTreeMap<String, String> {
        let pairs = [
            ("TANDEM_NODE", self.node.clone()),
            ("TANDEM_GROUP", self.group.clone()),
            ("TANDEM_MODE", role.mode.word().to_owned()),
            ("TANDEM_TERM", role.term.to_string()),
            ("TANDEM_TOKEN", role.token.to_string()),
            ("TANDEM_REASON", one_line(&role.reason)),
            ("TANDEM_STATE_FILE", self.file.display().to_string()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Replaces the state file: a line `NAME=value` for each variable. Blocks for a disk.
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn write(&self, role: &Role) -> io::Result<()> {
        let mut text = String::new();
        for (name, value) in self.environment(role) {
            if name != "TANDEM_STATE_FILE" {
                text.push_str(&format!("{name}={value}\n"));
            }
        }
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.file.display()));
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::Builder::new().prefix(".role").tempfile_in(folder).map_err(named)?;
        new.write_all(text.as_bytes()).map_err(named)?;
        // Processes that run as other users read it too.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        new.as_file().set_permissions(readable).map_err(named)?;
        new.persist(&self.file).map_err(|error| named(error.error))?;
        Ok(())
    }
}

/// A reason may quote what came from outside; a line break in it would look like another variable.
fn one_line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_the_state_file_says_what_the_environment_says_a_line_each() {
        let folder = tempfile::tempdir().unwrap();
        let teller = Teller::new("alpha", "plant", folder.path());
        let mut role = Role { mode: RoleMode::Secondary, term: 6, token: 1791, reason: "booted".to_owned() };
        teller.write(&role).unwrap();
        role = Role { mode: RoleMode::Primary, term: 7, token: 2047, reason: "beta\nTANDEM_TERM=9".to_owned() };
        teller.write(&role).unwrap();
        let text = std::fs::read_to_string(folder.path().join("role")).unwrap();
        assert_eq!(
            text,
            "TANDEM_GROUP=plant\nTANDEM_MODE=primary\nTANDEM_NODE=alpha\nTANDEM_REASON=beta TANDEM_TERM=9\n\
             TANDEM_TERM=7\nTANDEM_TOKEN=2047\n"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}

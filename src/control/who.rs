//! Who asks: the person behind a session, as the journal names them, and whether they may operate (U2).

use crate::negotiation::member::Name;
use crate::negotiation::message::MAX_OPERATOR;

/// Whether somebody may act, or only watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// May open and confirm plans.
    Operate,
    /// May look.
    Watch,
}

/// The person behind a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The name in the journal and under "attached"; at most [`MAX_OPERATOR`] bytes, no control characters.
    name: String,
    /// The user on this machine.
    pub uid: u32,
    /// What they may do.
    pub rights: Rights,
}

impl Who {
    /// Somebody by this name; control characters are dropped and what is too long for the wire is cut.
    pub fn new(name: &str, uid: u32, rights: Rights) -> Who {
        let mut kept = String::new();
        for letter in name.chars().filter(|letter| !letter.is_control()) {
            if kept.len() + letter.len_utf8() > MAX_OPERATOR {
                break;
            }
            kept.push(letter);
        }
        Who { name: kept, uid, rights }
    }

    /// The name in the journal and under "attached".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same as the negotiation carries it.
    pub fn operator(&self) -> Name {
        Name::new(&self.name)
    }

    /// Whether they may act; else the sentence that refuses it.
    pub fn check_may_operate(&self) -> Result<(), String> {
        match self.rights {
            Rights::Operate => Ok(()),
            Rights::Watch => Err(format!(
                "{} may watch, not operate; who may: root, the user that the controller runs as, and the group of \
                 control.group",
                self.name
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_the_wire_and_cannot_move_the_cursor() {
        assert_eq!(Who::new("ops\x1b[2J\n", 1, Rights::Watch).name(), "ops[2J");
        assert_eq!(Who::new(&"ä".repeat(40), 1, Rights::Watch).name().len(), MAX_OPERATOR);
    }

    #[test]
    fn u2_who_may_only_watch_is_told_who_may_operate() {
        let why = Who::new("guest", 1, Rights::Watch).check_may_operate().unwrap_err();
        assert!(why.contains("control.group"), "{why}");
        assert_eq!(Who::new("ops", 1, Rights::Operate).check_may_operate(), Ok(()));
    }
}

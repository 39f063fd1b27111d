//! What is wrong with a configuration file: every fault with its place, the key, and what to write instead.
//!
//! Faults are collected, not returned one by one, so that a person mends the whole file in one go. The text for a
//! person shows the line with the faulty part underlined.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::fencing::is_secret_option;

/// A place in the file. Lines and columns count from 1; a column is a character, not a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
    /// How many characters belong to it, at least 1; cut at the end of the line.
    #[serde(skip)]
    pub length: usize,
}

impl Place {
    /// The place of the bytes `span` of `text`.
    pub fn of(text: &str, span: std::ops::Range<usize>) -> Place {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let length = text[start..end].lines().next().map_or(0, |first| first.chars().count());
        Place {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            length: length.max(1),
        }
    }
}

/// The nearest character boundary at or before `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where; none when the file as a whole is at fault (it cannot be read).
    pub place: Option<Place>,
    /// The key as a path, `negotiation.query_interval`; empty when the fault belongs to no key.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do or to write instead.
    pub suggestion: String,
}

/// Everything that is wrong with one file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    path: PathBuf,
    text: String,
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The faults of the file at `path` with the content `text`; sorts them by place.
    pub(super) fn new(path: &Path, text: &str, mut errors: Vec<ConfigError>) -> ConfigErrors {
        errors.sort_by_key(|error| error.place);
        ConfigErrors { path: path.to_owned(), text: text.to_owned(), errors }
    }

    /// A fault of the file as a whole.
    pub(super) fn whole(path: &Path, message: String, suggestion: &str) -> ConfigErrors {
        let error = ConfigError { place: None, key: String::new(), message, suggestion: suggestion.to_owned() };
        ConfigErrors::new(path, "", vec![error])
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The faults, in the order of the file.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write_fault(f, &self.path, &self.text, error)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One fault as `file:line:column: message`, the line with the part underlined, and the help.
fn write_fault(f: &mut fmt::Formatter<'_>, path: &Path, text: &str, error: &ConfigError) -> fmt::Result {
    match error.place {
        None => write!(f, "{}: {}", path.display(), error.message)?,
        Some(place) => {
            write!(f, "{}:{}:{}: {}", path.display(), place.line, place.column, error.message)?;
            let line = text.lines().nth(place.line - 1).unwrap_or_default();
            let number = place.line.to_string();
            // A tab under a tab keeps the carets in place whatever the terminal makes of tabs.
            let indent: String =
                line.chars().take(place.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let shown = secret_begins(line).map_or(line, |secret| &line[..secret]);
            let printable: String = shown.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect();
            let hidden = shown.len() < line.len();
            write!(f, "\n  {number} | {printable}{}", if hidden { " [secret]" } else { "" })?;
            // What is left out cannot be underlined.
            let room = shown.chars().count().saturating_sub(place.column - 1);
            let length = if hidden { place.length.min(room) } else { place.length };
            if length > 0 {
                write!(f, "\n  {0:1$} | {indent}{2}", "", number.len(), "^".repeat(length))?;
            }
        }
    }
    write!(f, "\n  help: {}", error.suggestion)
}

/// Where in a line of the file a value begins whose key says that it is secret; from there on it is not shown, because a
/// fault is printed to logs too (S2).
fn secret_begins(line: &str) -> Option<usize> {
    let of_key = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.match_indices('=').map(|(at, _)| at + 1).find(|after| {
        let key = line[..after - 1].trim_end_matches([' ', '\t', '"', '\'']);
        let begins = key
            .rfind(|c| !of_key(c))
            .map_or(0, |before| before + key[before..].chars().next().map_or(0, char::len_utf8));
        is_secret_option(&key[begins..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = "group = \"ä\"\nnaem = 1\n";
        assert_eq!(Place::of(text, 0..5), Place { line: 1, column: 1, length: 5 });
        let second = text.find("naem").expect("it is there");
        assert_eq!(Place::of(text, second..second + 4), Place { line: 2, column: 1, length: 4 });
        let quote = text.find("\"\n").expect("it is there");
        assert_eq!(Place::of(text, quote..quote + 1), Place { line: 1, column: 11, length: 1 });
    }

    #[test]
    fn s2_a_secret_that_stands_on_a_faulty_line_is_not_printed() {
        let shown = |text: &str, part: &str| {
            let at = text.find(part).expect("it is there");
            let fault = ConfigError {
                place: Some(Place::of(text, at..at + part.len())),
                key: "options".to_owned(),
                message: "wrong".to_owned(),
                suggestion: "write it right".to_owned(),
            };
            ConfigErrors::new(Path::new("t.toml"), text, vec![fault]).to_string()
        };
        let text = "options = { ip = \"10.0.0.1\", password = \"hunter2\", timeuot = 3 }\n";
        assert_eq!(
            shown(text, "ip ="),
            "t.toml:1:13: wrong\n  1 | options = { ip = \"10.0.0.1\", password = [secret]\n    |             ^^^^\n  help: write it right"
        );
        assert_eq!(
            shown(text, "timeuot"),
            "t.toml:1:52: wrong\n  1 | options = { ip = \"10.0.0.1\", password = [secret]\n  help: write it right"
        );
        assert!(!shown("environment = { \"DB_PASSWORD\"='hunter2', X = 3 }", "environment").contains("hunter2"));
        assert!(!shown("ä = 1, options.api-token=\"hunter2", "options").contains("hunter2"));
        assert!(shown("options = { password_file = \"pass\", x = [] }", "x").contains("\"pass\", x = []"));
    }

    #[test]
    fn a_place_beyond_the_text_or_inside_a_character_does_not_panic() {
        assert_eq!(Place::of("ä", 1..1), Place { line: 1, column: 1, length: 1 });
        assert_eq!(Place::of("a\n", 7..9), Place { line: 2, column: 1, length: 1 });
    }

    #[test]
    fn a_person_sees_the_line_the_carets_and_the_help() {
        let text = "group = \"g\"\n  naem = 1\n";
        let fault = ConfigError {
            place: Some(Place::of(text, 14..18)),
            key: "naem".to_owned(),
            message: "unknown key `naem`".to_owned(),
            suggestion: "did you mean `name`?".to_owned(),
        };
        let errors = ConfigErrors::new(Path::new("t.toml"), text, vec![fault]);
        assert_eq!(
            errors.to_string(),
            "t.toml:2:3: unknown key `naem`\n  2 |   naem = 1\n    |   ^^^^\n  help: did you mean `name`?"
        );
    }
}

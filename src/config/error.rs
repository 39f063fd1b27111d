//! What is wrong with a configuration file: every fault with its place, the key, and what to write instead.
//!
//! Faults are collected, not returned one by one, so that a person mends the whole file in one go. The text for a
//! person shows the line with the faulty part underlined.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::secrets;

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
    /// The secrets in it.
    hidden: Vec<Range<usize>>,
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The faults of the file at `path` with the content `text`; sorts them by place.
    pub(super) fn new(path: &Path, text: &str, mut errors: Vec<ConfigError>) -> ConfigErrors {
        errors.sort_by_key(|error| error.place);
        let hidden = secrets::in_file(text);
        for error in &mut errors {
            error.message = without(&error.message, text, &hidden);
            error.suggestion = without(&error.suggestion, text, &hidden);
        }
        ConfigErrors { path: path.to_owned(), text: text.to_owned(), hidden, errors }
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
            self.write_fault(f, error)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// What stands where a secret was.
const SECRET: &str = "[secret]";
/// Shorter ones occur in other words too.
const SHORTEST: usize = 4;

/// `said` without the secrets of `text`, which a message may quote.
fn without(said: &str, text: &str, hidden: &[Range<usize>]) -> String {
    let secrets = hidden.iter().filter_map(|range| text.get(range.clone())).flat_map(str::lines).map(str::trim);
    let long = secrets.filter(|secret| secret.len() >= SHORTEST);
    long.fold(said.to_owned(), |said, secret| said.replace(secret, SECRET))
}

impl ConfigErrors {
    /// One fault as `file:line:column: message`, the line with the part underlined, and the help. From its first secret on a
    /// line is not shown, because a fault is printed to logs too (S2).
    fn write_fault(&self, f: &mut fmt::Formatter<'_>, error: &ConfigError) -> fmt::Result {
        let path = self.path.display();
        let Some(place) = error.place else {
            return write!(f, "{path}: {}\n  help: {}", error.message, error.suggestion);
        };
        write!(f, "{path}:{}:{}: {}", place.line, place.column, error.message)?;
        let (line, begins) = line_of(&self.text, place.line);
        let number = place.line.to_string();
        // A tab under a tab keeps the carets in place whatever the terminal makes of tabs.
        let indent: String = line.chars().take(place.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let in_line = self.hidden.iter().find(|range| range.end > begins && range.start < begins + line.len());
        let secret = in_line.map(|range| range.start.saturating_sub(begins));
        let shown = secret.and_then(|secret| line.get(..secret)).unwrap_or(line);
        // The quotation mark before it says nothing.
        let shown = if secret.is_some() { shown.trim_end_matches(['"', '\'']) } else { shown };
        let printable: String = shown.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect();
        let space = if shown.is_empty() || shown.ends_with(' ') { "" } else { " " };
        let mark = if secret.is_some() { format!("{space}{SECRET}") } else { String::new() };
        write!(f, "\n  {number} | {printable}{mark}")?;
        // What is left out cannot be underlined.
        let room = shown.chars().count().saturating_sub(place.column - 1);
        let length = if secret.is_some() { place.length.min(room) } else { place.length };
        if length > 0 {
            write!(f, "\n  {0:1$} | {indent}{2}", "", number.len(), "^".repeat(length))?;
        }
        write!(f, "\n  help: {}", error.suggestion)
    }
}

/// The line of that number, counted from 1, and at which byte it begins.
fn line_of(text: &str, number: usize) -> (&str, usize) {
    let mut begins = 0;
    for line in text.split_inclusive('\n').take(number - 1) {
        begins += line.len();
    }
    (text[begins..].lines().next().unwrap_or_default(), begins)
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
        let long = "[fence.beta]\npassword = \"\"\"first\nhunter2 it\nend\"\"\"\nport = 3\n";
        assert_eq!(shown(long, "hunter2"), "t.toml:3:1: wrong\n  3 | [secret]\n  help: write it right");
        assert!(shown(long, "port").contains("5 | port = 3\n"), "{}", shown(long, "port"));
        assert!(!shown("command = [\"p\", \"--token\",\n  \"hunter2\", 3]", "3").contains("hunter2"));
        assert!(!shown("url = \"http://u:hunter2@h\"", "url").contains("hunter2"));
        assert!(shown("options = { password_file = \"pass\", x = [] }", "x").contains("\"pass\", x = []"));
    }

    #[test]
    fn s2_a_message_that_quotes_a_secret_does_so_without_it() {
        let text = "url = \"http://u:hunter2@h\"";
        let fault = ConfigError {
            place: Some(Place::of(text, 0..3)),
            key: "url".to_owned(),
            message: "\"http://u:hunter2@h\" has no path".to_owned(),
            suggestion: "write http://u:hunter2@h/".to_owned(),
        };
        let errors = ConfigErrors::new(Path::new("t.toml"), text, vec![fault]);
        assert_eq!(errors.errors()[0].message, "\"http://u:[secret]@h\" has no path");
        assert!(!format!("{errors} {:?}", errors.errors()).contains("hunter2"), "{errors}");
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

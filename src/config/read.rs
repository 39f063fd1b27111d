//! Takes values out of a parsed TOML table, and collects what is wrong with them instead of stopping at the first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration;
use super::error::{ConfigError, Place};
use super::schema::Section;

/// The longest time that a key takes. A mistyped unit is far above it, and sums of times stay far from overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What is wrong with a value, before its place is known.
pub(super) struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub suggestion: String,
}

impl Fault {
    /// A fault, and what to write instead.
    pub(super) fn new(message: impl Into<String>, suggestion: impl Into<String>) -> Fault {
        Fault { message: message.into(), suggestion: suggestion.into() }
    }
}

/// A table of the file: what may stand in it, and the path from the top that its keys are told with.
pub(super) struct Part<'v, 'i, 'p> {
    /// Its keys.
    pub section: &'static Section,
    /// Its path, `process.plant-control.restart`; empty for the top.
    pub path: &'p str,
    /// What the file has.
    pub table: &'v DeTable<'i>,
}

impl<'v, 'i> Part<'v, 'i, 'static> {
    /// The table of a section that stands in the file at most once.
    pub(super) fn of(section: &'static Section, table: &'v DeTable<'i>) -> Part<'v, 'i, 'static> {
        Part { section, path: section.name, table }
    }
}

impl Part<'_, '_, '_> {
    /// `key` as a path from the top of the file.
    pub(super) fn key(&self, key: &str) -> String {
        match self.path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

/// Collects faults and the places of keys while the file is read.
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    /// The faults so far.
    pub errors: Vec<ConfigError>,
    /// Where each key that was read stands.
    pub places: BTreeMap<String, Place>,
}

impl<'t> Reader<'t> {
    /// A reader of `text`.
    pub(super) fn new(text: &'t str) -> Reader<'t> {
        Reader { text, errors: Vec::new(), places: BTreeMap::new() }
    }

    /// Adds a fault at the bytes `span` about `key`.
    pub(super) fn fault(&mut self, span: std::ops::Range<usize>, key: &str, fault: Fault) {
        self.errors.push(ConfigError {
            place: Some(Place::of(self.text, span)),
            key: key.to_owned(),
            message: fault.message,
            suggestion: fault.suggestion,
        });
    }

    /// Adds a fault that is about the value of a key read before, or about a key that is not there.
    pub(super) fn fault_at_key(&mut self, key: &str, fault: Fault) {
        let place = self.places.get(key).copied().unwrap_or(Place { line: 1, column: 1, length: 1 });
        self.errors.push(ConfigError {
            place: Some(place),
            key: key.to_owned(),
            message: fault.message,
            suggestion: fault.suggestion,
        });
    }

    /// Faults every key of `part` that its section does not have. At the top, section names are looked at elsewhere.
    pub(super) fn no_other_keys(&mut self, part: &Part<'_, '_, '_>) {
        let section = part.section;
        for key in part.table.keys() {
            let name: &str = key.get_ref();
            if section.takes(name) {
                continue;
            }
            let fault = if section.later.contains(&name) {
                comes_later(&format!("`{name}` {}", section.title()))
            } else {
                Fault::new(format!("unknown key `{}` {}", name.escape_debug(), section.title()), section.suggest(name))
            };
            self.fault(key.span(), &part.key(name), fault);
        }
    }

    /// The value of `key`, read by `parse`; none when it is absent or faulty, and a fault is recorded then.
    pub(super) fn value<T>(
        &mut self,
        part: &Part<'_, '_, '_>,
        key: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        let value: &Spanned<DeValue<'_>> = part.table.get(key)?;
        let path = part.key(key);
        self.places.insert(path.clone(), Place::of(self.text, value.span()));
        match parse(value.get_ref()) {
            Ok(read) => Some(read),
            Err(fault) => {
                self.fault(value.span(), &path, Fault { message: format!("{path}: {}", fault.message), ..fault });
                None
            }
        }
    }

    /// The value of a key that must be there; its absence is a fault at `span`, with `example` for what to write.
    pub(super) fn needed<T>(
        &mut self,
        part: &Part<'_, '_, '_>,
        span: std::ops::Range<usize>,
        (key, example): (&str, &str),
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        if !part.table.contains_key(key) {
            let fault = Fault::new(format!("{} has no `{key}`", part.path), format!("write {example}"));
            self.fault(span, &part.key(key), fault);
        }
        self.value(part, key, parse)
    }

    /// The table that `key` of `outer` holds, as a part of its own; none when it is absent, or no table, which is a fault.
    pub(super) fn inner<'v, 'i>(
        &mut self,
        outer: &Part<'v, 'i, '_>,
        key: &str,
        example: &str,
    ) -> Option<&'v DeTable<'i>> {
        let value = outer.table.get(key)?;
        let path = outer.key(key);
        self.places.insert(path.clone(), Place::of(self.text, value.span()));
        let table = value.get_ref().as_table();
        if table.is_none() {
            let Fault { message, .. } = wrong_type("", value.get_ref());
            self.fault(value.span(), &path, Fault::new(format!("{path}: {message}"), format!("write {example}")));
        }
        table
    }

    /// The tables of a `[[list]]`, each with the place it begins at; what is no table is a fault.
    pub(super) fn list<'v, 'i>(
        &mut self,
        part: &Part<'v, 'i, '_>,
        key: &str,
        most: usize,
    ) -> Vec<(std::ops::Range<usize>, &'v DeTable<'i>)> {
        let Some(value) = part.table.get(key) else { return Vec::new() };
        let path = part.key(key);
        let Some(entries) = value.get_ref().as_array() else {
            let fault = Fault::new(
                format!("[{path}] is written as one section, but there may be several"),
                format!("write [[{path}]], in two brackets, before each one"),
            );
            self.fault(value.span(), &path, fault);
            return Vec::new();
        };
        if let Some(first_too_many) = entries.get(most) {
            let fault = Fault::new(format!("{} of [[{path}]] are too many", entries.len()), format!("at most {most}"));
            self.fault(first_too_many.span(), &path, fault);
        }
        let mut tables = Vec::new();
        for entry in entries {
            match entry.get_ref().as_table() {
                Some(table) => tables.push((entry.span(), table)),
                None => self.fault(entry.span(), &path, wrong_type(&format!("[[{path}]]"), entry.get_ref())),
            }
        }
        tables
    }
}

/// The fault of a part of the contract that this version does not have.
pub(super) fn comes_later(what: &str) -> Fault {
    Fault::new(
        format!("{what} comes with a later version of tandem; this one would not act on it"),
        "remove it, or put a # before it",
    )
}

/// A text.
pub(super) fn string(value: &DeValue<'_>) -> Result<String, Fault> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong_type("a text in quotes", value)),
    }
}

/// true or false.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| wrong_type("true or false, without quotes", value))
}

/// A whole number in `range`.
pub(super) fn integer(range: RangeInclusive<u32>) -> impl FnOnce(&DeValue<'_>) -> Result<u32, Fault> {
    move |value| {
        let number = value.as_integer().ok_or_else(|| wrong_type("a whole number", value))?;
        match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(Fault::new(
                format!("{number} is out of range"),
                format!("write a number from {} to {}", range.start(), range.end()),
            )),
        }
    }
}

/// A time of `shortest` or more.
pub(super) fn time(shortest: Duration) -> impl FnOnce(&DeValue<'_>) -> Result<Duration, Fault> {
    move |value| {
        let text = value.as_str().ok_or_else(|| wrong_type("a time in quotes, \"250ms\" or \"3s\"", value))?;
        let time = duration::parse(text)
            .map_err(|error| Fault::new(error.to_string(), "a time is a number and a unit: ms, s, m or h"))?;
        if time < shortest {
            return Err(Fault::new(
                format!("{text:?} is too short"),
                format!("write \"{}\" or more", duration::text(shortest)),
            ));
        }
        if time > LONGEST {
            return Err(Fault::new(
                format!("{text:?} is too long"),
                format!("write \"{}\" or less", duration::text(LONGEST)),
            ));
        }
        Ok(time)
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl FnOnce(&DeValue<'_>) -> Result<T, Fault> {
    move |value| {
        let text = string(value)?;
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let list: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            Fault::new(format!("{text:?} is not known"), format!("write one of {}", list.join(", ")))
        })
    }
}

/// A number in `range`, whole or not; never "not a number" and never infinite.
pub(super) fn number(range: RangeInclusive<f64>) -> impl FnOnce(&DeValue<'_>) -> Result<f64, Fault> {
    move |value| {
        let advice = || format!("write a number from {} to {}", range.start(), range.end());
        let written = match value {
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            other => return Err(Fault { suggestion: advice(), ..wrong_type("", other) }),
        };
        match written.parse::<f64>() {
            // "Not a number" lies in no range.
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(Fault::new(format!("{written} is out of range"), advice())),
        }
    }
}

/// A size in bytes of `smallest` or more.
pub(super) fn size(smallest: u64, smallest_text: &'static str) -> impl FnOnce(&DeValue<'_>) -> Result<u64, Fault> {
    move |value| {
        let text = value.as_str().ok_or_else(|| wrong_type("a size in quotes, \"64MiB\"", value))?;
        let bytes = super::size::parse(text)
            .map_err(|error| Fault::new(error.to_string(), "a size is a number and a unit: KiB, MiB or GiB"))?;
        match bytes < smallest {
            true => Err(Fault::new(format!("{text:?} is too small"), format!("write {smallest_text:?} or more"))),
            false => Ok(bytes),
        }
    }
}

/// A name of letters, digits, `-` and `_` that none of `taken` has; `what` is what it names, "process".
pub(super) fn name(what: &str, longest: usize, taken: &[String], value: &DeValue<'_>) -> Result<String, Fault> {
    let name = string(value)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !plain || name.is_empty() || name.len() > longest {
        return Err(Fault::new(
            format!("{name:?} cannot be a {what}'s name"),
            format!("write 1 to {longest} letters, digits, - and _: it also names files"),
        ));
    }
    if taken.contains(&name) {
        let message = match what {
            "process" => format!("there are two processes called {name:?}"),
            what => format!("there are two {what}s called {name:?}"),
        };
        return Err(Fault::new(message, format!("give each {what} a name of its own")));
    }
    Ok(name)
}

/// A program and its arguments, each a text; at least the program.
pub(super) fn command(value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let command = command_or_none(value)?;
    if command.is_empty() {
        return Err(Fault::new(
            "the command is empty",
            "write the program and its arguments: [\"/usr/bin/NAME\", \"…\"]",
        ));
    }
    Ok(command)
}

/// A program and its arguments, each a text, or an empty list for none.
pub(super) fn command_or_none(value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let example = "a list of texts: [\"/usr/bin/NAME\", \"--option\"]";
    let list = value.as_array().ok_or_else(|| wrong_type(example, value))?;
    let mut command = Vec::new();
    for entry in list {
        let word = entry.get_ref().as_str().ok_or_else(|| wrong_type(example, entry.get_ref()))?;
        if word.contains('\0') {
            return Err(Fault::new("a command cannot hold the character zero", "remove \\u0000"));
        }
        command.push(word.to_owned());
    }
    if command.first().is_some_and(String::is_empty) {
        return Err(Fault::new("the command has no program", "the first text of the list is the program"));
    }
    Ok(command)
}

/// A path: any text that is not empty.
pub(super) fn path(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = string(value)?;
    if text.is_empty() || text.contains('\0') {
        return Err(Fault::new("this is no path", "leave the key out for the default"));
    }
    Ok(text)
}

/// A list of paths.
pub(super) fn paths(value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let list = value.as_array().ok_or_else(|| wrong_type("a list, [\"…\", \"…\"]", value))?;
    list.iter().map(|entry| path(entry.get_ref())).collect()
}

/// The fault of a value of another type.
pub(super) fn wrong_type(wanted: &str, found: &DeValue<'_>) -> Fault {
    let found = match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    Fault::new(format!("found {found}"), format!("write {wanted}"))
}

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

/// Collects faults and the places of keys while the file is read.
pub(super) struct Reader<'t> {
    text: &'t str,
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

    /// Faults every key of `table` that `section` does not have. At the top, section names are looked at elsewhere.
    pub(super) fn no_other_keys(&mut self, section: &Section, table: &DeTable<'_>) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if section.known.contains(&name) {
                continue;
            }
            let fault = if section.later.contains(&name) {
                comes_later(&format!("`{name}` {}", section.title()))
            } else {
                Fault::new(format!("unknown key `{}` {}", name.escape_debug(), section.title()), section.suggest(name))
            };
            self.fault(key.span(), &section.path(name), fault);
        }
    }

    /// The value of `key`, read by `parse`; none when it is absent or faulty, and a fault is recorded then.
    pub(super) fn value<T>(
        &mut self,
        section: &Section,
        table: &DeTable<'_>,
        key: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        let value: &Spanned<DeValue<'_>> = table.get(key)?;
        let path = section.path(key);
        self.places.insert(path.clone(), Place::of(self.text, value.span()));
        match parse(value.get_ref()) {
            Ok(read) => Some(read),
            Err(fault) => {
                self.fault(value.span(), &path, Fault { message: format!("{path}: {}", fault.message), ..fault });
                None
            }
        }
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

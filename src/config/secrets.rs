//! Where secrets stand in a configuration's text, whether or not it can be parsed: a fault is printed with its line, to
//! logs too, and a support bundle leaves the machine (S2, U7).
//!
//! A value is secret when its name says so, when it stands behind such a word of a command line, or when it is the
//! password in a URL. The text is read by a few rules about TOML's strings, so that a faulty file hides its secrets as a
//! good one does; what is in doubt is hidden.

use std::ops::Range;

use super::fencing::is_secret_option;

/// Whether what is called so is a secret: an option of a fence agent, a key, a variable of an environment.
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let words = ["authorization", "bearer", "cookie"];
    is_secret_option(name) || lower.ends_with("pass") || words.iter().any(|word| lower.contains(word))
}

/// What a word of a command line says of the word behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behind {
    /// Nothing.
    #[default]
    Plain,
    /// It is a secret: `--password`, and `-p` or `-P`, by which fence agents and their like are given theirs.
    Secret,
    /// It is `user:password`: `-u`, `--user`.
    Login,
}

impl Behind {
    /// What `word` says of the next.
    pub fn word(word: &str) -> Behind {
        // `--token=…` has its own behind the sign.
        let long = || word.starts_with('-') && !word.contains('=') && is_secret_name(word.trim_start_matches('-'));
        match word {
            "-p" | "-P" => Behind::Secret,
            "-u" | "--user" => Behind::Login,
            _ if long() => Behind::Secret,
            _ => Behind::Plain,
        }
    }

    /// The secret part of the word behind, `word`.
    pub fn hides(self, word: &str) -> Option<Range<usize>> {
        match self {
            Behind::Plain => None,
            Behind::Secret => Some(0..word.len()),
            Behind::Login => word.find(':').map(|colon| colon + 1..word.len()),
        }
    }
}

/// The secrets in one value, as byte ranges in rising order: passwords in URLs, what follows `name=` or `name: ` where the
/// name is a secret's, and what follows a word such as `--name` or `-p`.
pub fn in_value(value: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in value.match_indices("://") {
        let authority = &value[at + 3..];
        let authority = &authority[..authority.find(['/', '?', '#', ' ', '"', '\'']).unwrap_or(authority.len())];
        if let (Some(colon), Some(last)) = (authority.find(':'), authority.rfind('@'))
            && colon + 1 < last
        {
            found.push(at + 3 + colon + 1..at + 3 + last);
        }
    }
    for (at, _) in value.match_indices('=') {
        if is_secret_name(name_before(&value[..at])) {
            found.push(at + 1..at + 1 + word_length(&value[at + 1..]));
        }
    }
    for (at, _) in value.match_indices(": ") {
        if is_secret_name(name_before(&value[..at])) {
            let rest = &value[at + 2..];
            found.push(at + 2..at + 2 + rest.find(['"', '\'']).unwrap_or(rest.len()));
        }
    }
    for (at, _) in value.match_indices('-') {
        // A flag begins a word; behind a quote it may be one of a line within the line.
        if !value[..at].is_empty() && !value[..at].ends_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
            continue;
        }
        let flag = &value[at..];
        let flag = &flag[..flag.find(|c| !of_name(c)).unwrap_or(flag.len())];
        let behind = &value[at + flag.len()..];
        let word = behind.trim_start();
        let begins = value.len() - word.len();
        if word.len() < behind.len()
            && let Some(hidden) = Behind::word(flag).hides(&word[..word_length(word)])
        {
            found.push(begins + hidden.start..begins + hidden.end);
        }
    }
    joined(found)
}

/// `text`, a value or a command line, with `instead` in the place of what looks like a secret.
pub fn hidden_in(text: &str, instead: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut at = 0;
    for range in in_value(text) {
        left.push_str(&text[at..range.start]);
        left.push_str(instead);
        at = range.end;
    }
    left.push_str(&text[at..]);
    left
}

/// A command line as one text, with `instead` in the place of each secret. A word may have spaces in it.
pub fn hidden_in_command(words: impl IntoIterator<Item = String>, instead: &str) -> String {
    let mut next = Behind::Plain;
    let mut shown = Vec::new();
    for mut word in words {
        if let Some(hidden) = std::mem::replace(&mut next, Behind::word(&word)).hides(&word) {
            next = Behind::Plain;
            word.replace_range(hidden, instead);
            shown.push(word);
            continue;
        }
        shown.push(match word.split_once('=') {
            Some((name, _)) if name.chars().all(of_name) && is_secret_name(name) => format!("{name}={instead}"),
            Some(_) | None => hidden_in(&word, instead),
        });
    }
    shown.join(" ")
}

/// The secrets in the text of a configuration file, as byte ranges in rising order that do not overlap.
pub fn in_file(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut reading = Reading::default();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        match next {
            '#' => {
                // What is commented out is still there to be read.
                let end = at + text[at..].find('\n').unwrap_or(text.len() - at);
                found.extend(in_value(&text[at..end]).into_iter().map(|range| range.start + at..range.end + at));
                at = end;
            }
            '"' | '\'' => {
                let content = string_at(text, at);
                reading.string(text, content.clone(), &mut found);
                at = after(text, content);
            }
            '=' => {
                reading.equals();
                at += 1;
            }
            '[' | '{' => {
                reading.open();
                at += 1;
            }
            ']' | '}' => {
                reading.close();
                at += 1;
            }
            '\n' | ',' => {
                reading.separator();
                at += 1;
            }
            bare if of_name(bare) || matches!(bare, '+' | ':') || (bare == '.' && reading.is_value) => {
                let length =
                    text[at..].find(|c| !(of_name(c) || matches!(c, '+' | ':' | '.'))).unwrap_or(text.len() - at);
                reading.bare(text, at..at + length, &mut found);
                at += length;
            }
            other => at += other.len_utf8(),
        }
    }
    joined(found)
}

/// What the text was about so far.
#[derive(Default)]
struct Reading {
    /// The last part of the key that was read last.
    name_is_secret: bool,
    /// A value is being read, not a key.
    is_value: bool,
    /// How many brackets are open.
    depth: usize,
    /// Everything is secret until so few are open.
    secret_above: Option<usize>,
    /// What the string before, as a word of a command line, says of the next.
    next: Behind,
}

impl Reading {
    fn equals(&mut self) {
        self.is_value = true;
        self.next = Behind::Plain;
    }

    fn open(&mut self) {
        if self.is_value && self.name_is_secret && self.secret_above.is_none() {
            self.secret_above = Some(self.depth);
        }
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.secret_above.is_some_and(|above| self.depth <= above) {
            self.secret_above = None;
            self.name_is_secret = false;
        }
    }

    fn separator(&mut self) {
        if self.depth == 0 {
            (self.is_value, self.name_is_secret, self.next) = (false, false, Behind::Plain);
        } else if self.secret_above.is_none() {
            // The next key of an inline table, or the next word of a list.
            self.name_is_secret = false;
        }
    }

    fn is_secret(&self) -> bool {
        self.secret_above.is_some() || (self.is_value && self.name_is_secret)
    }

    fn string(&mut self, text: &str, content: Range<usize>, found: &mut Vec<Range<usize>>) {
        let word = &text[content.clone()];
        let before = std::mem::take(&mut self.next);
        if self.is_secret() {
            found.push(content);
            return;
        }
        if let Some(hidden) = before.hides(word) {
            found.push(content.start + hidden.start..content.start + hidden.end);
            return;
        }
        // It may be a key in quotes.
        self.name_is_secret = !word.contains('\n') && is_secret_name(word);
        // `"--password", "…"`.
        self.next = Behind::word(word);
        let begins = content.start;
        // A whole word of a command line: all of it behind the sign.
        if let Some((name, value)) = word.split_once('=')
            && name.chars().all(of_name)
            && is_secret_name(name)
        {
            found.push(content.end - value.len()..content.end);
        }
        found.extend(in_value(word).into_iter().map(|range| range.start + begins..range.end + begins));
        if self.is_value && self.depth == 0 {
            self.name_is_secret = false;
        }
    }

    fn bare(&mut self, text: &str, word: Range<usize>, found: &mut Vec<Range<usize>>) {
        if self.is_secret() {
            found.push(word);
        } else {
            let name = &text[word];
            self.name_is_secret = is_secret_name(name.rsplit('.').next().unwrap_or(name));
        }
    }
}

fn of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn name_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t', '"', '\'']);
    let begins = text.rfind(|c| !of_name(c)).map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    &text[begins..]
}

/// Up to what ends a value in a longer text.
fn word_length(text: &str) -> usize {
    let inner = text.trim_start_matches([' ', '\t']);
    let skipped = text.len() - inner.len();
    let quoted = inner.chars().next().filter(|c| matches!(c, '"' | '\''));
    skipped
        + match quoted {
            Some(quote) => 1 + inner[1..].find(quote).unwrap_or(inner.len() - 1),
            None => {
                inner.find(|c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | ';')).unwrap_or(inner.len())
            }
        }
}

/// What is inside the string that begins at `at`; one that never ends reaches to the end of its line, or of the file.
fn string_at(text: &str, at: usize) -> Range<usize> {
    let rest = &text[at..];
    for quote in ["\"\"\"", "'''"] {
        if rest.starts_with(quote) {
            let inner = &rest[3..];
            let end = closing(inner, quote, quote == "\"\"\"").unwrap_or(inner.len());
            return at + 3..at + 3 + end;
        }
    }
    let quote = &rest[..1];
    let line = &rest[1..1 + rest[1..].find('\n').unwrap_or(rest.len() - 1)];
    let end = closing(line, quote, quote == "\"").unwrap_or(line.len());
    at + 1..at + 1 + end
}

/// Where `quote` stands first that is not escaped.
fn closing(text: &str, quote: &str, escapes: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = at + text[at..].find(quote)?;
        let backslashes = text[..found].bytes().rev().take_while(|byte| *byte == b'\\').count();
        if !escapes || backslashes % 2 == 0 {
            return Some(found);
        }
        at = found + 1;
    }
}

/// Behind the closing quote of what [`string_at`] found.
fn after(text: &str, content: Range<usize>) -> usize {
    let rest = &text[content.end..];
    let long = text[..content.start].ends_with("\"\"\"") || text[..content.start].ends_with("'''");
    let quote = if long && (rest.starts_with("\"\"\"") || rest.starts_with("'''")) {
        3
    } else {
        usize::from(rest.starts_with(['"', '\'']))
    };
    content.end + quote
}

/// In rising order, none of them empty, and one where some overlap or touch.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            Some(_) | None => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> Vec<&str> {
        in_file(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn s2_secrets_are_found_in_every_form_that_toml_has() {
        let cases: [(&str, &[&str]); 22] = [
            ("password = \"hunter2\"\nip = \"10.0.0.1\"", &["hunter2"]),
            ("options = { ip = \"a\", password = 'hunter2', port = 1 }", &["hunter2"]),
            ("snmp_priv_passwd = 4711\nport = 623", &["4711"]),
            ("fence.beta.options.password = \"a\"", &["a"]),
            ("\"API_TOKEN\" = \"t-1\"\nSITE = \"7\"", &["t-1"]),
            ("password = \"\"\"\nfirst\nsecond\"\"\"\nport = 1", &["\nfirst\nsecond"]),
            ("password = '''\nit's\ntwo'''\nx = 'a'", &["\nit's\ntwo"]),
            ("token = [\n  \"one\",\n  \"two\",\n]\nport = \"3\"", &["one", "two"]),
            ("secret = { a = \"one\", b = 2 }\nport = \"3\"", &["a", "one", "b", "2"]),
            ("command = [\"p\", \"--token\", \"t\", \"{action}\"]", &["t"]),
            ("command = [\"p\",\n  \"--token\", # why\n  \"t\",\n  \"--secret=a b,c\"]", &["t", "a b,c"]),
            ("command = [\"p\", \"http://u:pa@ss@h/x\", \"http://h:80/a@b\"]", &["pa@ss"]),
            ("on_alarm = [\"sh\", \"-c\", \"curl h?token=abc&x=1 --password 'd e' f\"]", &["abc", "'d e"]),
            ("command = [\"/usr/sbin/fence_ipmilan\", \"-l\", \"admin\", \"-p\", \"pw\", \"-o\", \"off\"]", &["pw"]),
            ("on_alarm = [\"sh\", \"-c\", \"ipmitool -U a -P 'p w' power off\"]", &["'p w"]),
            ("command = [\"curl\", \"-u\", \"a:pw\", \"-H\", \"Authorization: Bearer t-1\"]", &["pw", "Bearer t-1"]),
            ("on_alarm = [\"sh\", \"-c\", \"curl --user a:pw -H 'X-Api-Token: t 1' h\"]", &["pw", "t 1"]),
            ("password = \"a\\\"b\"\nx = \"c\"", &["a\\\"b"]),
            // Faulty files.
            ("password = \"hunter2\nx = \"c\"", &["hunter2"]),
            ("password = \"\"\"hunter2\nand more\n", &["hunter2\nand more\n"]),
            ("# password = \"old one\"\nx = 1", &[" \"old one"]),
            ("password = hunter2\nport = 1", &["hunter2"]),
        ];
        for (text, secrets) in cases {
            assert_eq!(hidden(text), secrets, "{text}");
        }
    }

    #[test]
    fn s2_what_only_leads_to_a_secret_is_no_secret() {
        for open in [
            "password_file = \"/etc/p\"\nname = \"alpha\"",
            "key_file = \"group.key\"\n[[member]]\naddresses = [\"10.0.0.1:7400\", \"[::1]:7400\"]",
            "command = [\"p\", \"{action}\", \"--verbose\", \"x\"]\nlease = \"5s\"",
            "http = \"http://127.0.0.1:80/x\"",
            "command = [\"p\", \"-u\", \"plant\", \"low-p\", \"x\", \"-o\", \"y\"]",
        ] {
            assert_eq!(hidden(open), Vec::<&str>::new(), "{open}");
        }
    }

    proptest::proptest! {
        #[test]
        fn s2_no_text_makes_the_search_fail(text in "([a-z_=\\[\\]{}\"'#,\\\\ \n:/@.-]|password|--token|\"\"\"|''')*") {
            for range in in_file(&text) {
                proptest::prop_assert!(text.get(range).is_some_and(|found| !found.is_empty()));
            }
        }

        #[test]
        fn s2_no_bytes_of_any_script_make_it_fail(text in "\\PC*") {
            for range in in_file(&text) {
                proptest::prop_assert!(text.get(range).is_some());
            }
        }
    }
}

//! What of a configuration is secret, and its removal from whatever goes into a support bundle (U7).
//!
//! A value is secret when its name says so ([`is_secret_name`]), when a command line passes it behind such a name, when
//! it is the password in a URL, or when it stands in a file that such a name, or the group's key, points at. Removal is by
//! structure in the configuration, and then by value everywhere, because a log or a command may repeat it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use toml::Value;

use crate::config::secrets::{self, Behind, is_secret_name};

/// What stands where a secret was.
pub const REMOVED: &str = "[removed]";
/// Shorter ones are removed where they stand, and not wherever the same letters occur.
const SHORTEST: usize = 4;
/// How much of a file that holds a secret is read.
const LONGEST_FILE: u64 = 64 * 1024;

/// What stands for a member's name in a path (N8).
const MEMBER: &str = "{member}";

/// Every secret that was found.
#[derive(Default)]
pub struct Secrets {
    values: BTreeSet<String>,
    /// The members' names.
    members: Vec<String>,
}

impl Secrets {
    /// Whole, and line by line: a log may repeat one line of many.
    fn keep(&mut self, value: &str) {
        for part in std::iter::once(value).chain(value.lines()) {
            let part = part.trim();
            if part.len() >= SHORTEST {
                self.values.insert(part.to_owned());
            }
        }
    }

    /// What only its place in a command line makes a secret. It is removed there whatever it is; a port or a path, as in
    /// `ssh -p 22` and `mkdir -p /srv`, is not also removed wherever else it occurs.
    fn keep_doubtful(&mut self, value: &str) {
        let port = value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit());
        if !port && !value.starts_with('/') {
            self.keep(value);
        }
    }

    /// What the files at `path` hold, `{member}` in it standing for each.
    fn keep_files(&mut self, path: &Path) {
        match path.to_str().filter(|path| path.contains(MEMBER)) {
            Some(written) => {
                let each: Vec<String> = self.members.iter().map(|member| written.replace(MEMBER, member)).collect();
                each.iter().for_each(|path| self.keep_file(Path::new(path)));
            }
            None => self.keep_file(path),
        }
    }

    /// What a file holds, whole and line by line, without comments; a key file has such lines.
    fn keep_file(&mut self, path: &Path) {
        // A pipe that nobody writes to would keep the report waiting.
        if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
            return;
        }
        let Ok(file) = fs::File::open(path) else { return };
        let mut bytes = Vec::new();
        if file.take(LONGEST_FILE).read_to_end(&mut bytes).is_err() {
            return;
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        self.keep(&lines.join("\n"));
    }

    /// Takes the secrets out of a parsed configuration, and remembers them. Relative paths start at `folder`.
    pub fn take_from(&mut self, config: &mut toml::Table, folder: &Path) {
        let members = config.get("member").and_then(Value::as_array).into_iter().flatten();
        let names = members.filter_map(|member| member.get("name")?.as_str());
        self.members = names.map(str::to_owned).collect();
        self.keep_file(Path::new("/etc/tandem/group.key"));
        if let Some(Value::Table(security)) = config.get("security") {
            let also = security.get("also_accept").and_then(Value::as_array).into_iter().flatten();
            for path in security.get("key_file").into_iter().chain(also).filter_map(Value::as_str) {
                self.keep_files(&folder.join(path));
            }
        }
        self.table(config, folder);
    }

    /// A configuration that cannot be parsed: what looks like a secret in it.
    pub fn keep_unparsed(&mut self, text: &str) {
        for range in secrets::in_file(text) {
            self.keep(text.get(range).unwrap_or_default().trim_matches([' ', '"', '\'']));
        }
    }

    /// What an environment holds under a secret's name: what a program prints may repeat it.
    pub fn take_from_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        for (name, value) in variables {
            if is_secret_name(&name) {
                self.keep(&value);
            }
        }
    }

    fn table(&mut self, table: &mut toml::Table, folder: &Path) {
        for (name, value) in table.iter_mut() {
            let points_at_one = name.strip_suffix("_file").is_some_and(|name| is_secret_name(name) || name == "key");
            match value {
                _ if is_secret_name(name) => self.remove(value),
                Value::String(path) if points_at_one => self.keep_files(&folder.join(path.as_str())),
                other => self.value(other, folder),
            }
        }
    }

    fn value(&mut self, value: &mut Value, folder: &Path) {
        match value {
            Value::String(text) => *text = self.open(text),
            Value::Array(words) => self.command(words, folder),
            Value::Table(table) => self.table(table, folder),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
        }
    }

    /// Whatever it is, it goes.
    fn remove(&mut self, value: &mut Value) {
        match &mut *value {
            Value::String(text) => self.keep(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.remove(value)),
            Value::Table(table) => table.iter_mut().for_each(|(_, value)| self.remove(value)),
            number => self.keep(&number.to_string()),
        }
        *value = Value::String(REMOVED.to_owned());
    }

    /// `--password secret`, `-p secret`, `-u user:secret`, `--password=secret`, `password=secret`.
    fn command(&mut self, words: &mut [Value], folder: &Path) {
        let mut next = Behind::Plain;
        for word in words {
            let Value::String(text) = word else {
                self.value(word, folder);
                continue;
            };
            if let Some(hidden) = std::mem::replace(&mut next, Behind::word(text)).hides(text) {
                next = Behind::Plain;
                self.keep_doubtful(text.get(hidden.clone()).unwrap_or_default());
                text.replace_range(hidden, REMOVED);
                continue;
            }
            let name = text.trim_start_matches('-');
            match name.split_once('=') {
                Some((name, value)) if is_word(name) && is_secret_name(name) => {
                    self.keep(value);
                    *text = format!("{}={REMOVED}", &text[..text.len() - value.len() - 1]);
                }
                Some(_) | None => *text = self.open(text),
            }
        }
    }

    /// A value that is no secret itself, but may hold one: the password in a URL.
    fn open(&mut self, text: &str) -> String {
        let mut left = String::new();
        let mut at = 0;
        for range in secrets::in_value(text) {
            let (before, secret) = (text.get(at..range.start), text.get(range.clone()));
            self.keep_doubtful(secret.unwrap_or_default().trim_matches([' ', '"', '\'']));
            left.push_str(before.unwrap_or_default());
            left.push_str(REMOVED);
            at = range.end;
        }
        left.push_str(text.get(at..).unwrap_or_default());
        left
    }

    /// `text` without any of them, also as JSON writes them.
    pub fn out_of(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first: one may be a part of another.
        let mut values: Vec<&String> = self.values.iter().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        for value in values {
            text = text.replace(value.as_str(), REMOVED);
            let json = serde_json::to_string(value).unwrap_or_default();
            // Not `trim_matches`: a secret may itself end in a quotation mark.
            let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
            if inner != value && !inner.is_empty() {
                text = text.replace(inner, REMOVED);
            }
        }
        text
    }

    /// Whether any of them is in `bytes`.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        let is_in = |value: &str| bytes.windows(value.len()).any(|window| window == value.as_bytes());
        // As it is, and as Rust and JSON write it in a text.
        self.values.iter().any(|value| is_in(value) || is_in(&value.escape_debug().to_string()))
    }
}

/// A text that somebody else wrote (a process's output, an agent's last words) without what looks like a secret in it:
/// what follows `password=` and its like, and passwords in URLs.
pub fn without_likely(text: &str) -> String {
    secrets::hidden_in(text, REMOVED)
}

/// The same for every text in a document.
pub fn without_likely_in(document: &mut serde_json::Value) {
    match document {
        serde_json::Value::String(text) => *text = without_likely(text),
        serde_json::Value::Array(values) => values.iter_mut().for_each(without_likely_in),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(without_likely_in),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u7_what_looks_like_a_secret_in_captured_output_is_hidden_and_the_rest_is_not() {
        let mut document = serde_json::json!({
            "output": ["login with password=hunter22 failed", "see https://ann:hunter23@db/x", "term=8 of 9"],
            "count": 3,
        });
        without_likely_in(&mut document);
        let text = document.to_string();
        assert!(!text.contains("hunter"), "{text}");
        assert!(text.contains("login with password=[removed] failed") && text.contains("term=8 of 9"), "{text}");
    }

    #[test]
    fn u7_secrets_of_the_environment_are_removed_by_value() {
        let mut secrets = Secrets::default();
        let variables = [("DB_PASSWORD", "tops3cret"), ("HOME", "/root"), ("PIN_TOKEN", "no")];
        secrets.take_from_environment(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(
            secrets.out_of("connected as x with tops3cret from /root, no"),
            "connected as x with [removed] from /root, no"
        );
    }

    #[test]
    fn u7_a_key_file_that_is_a_pipe_keeps_no_report_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("group.key");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let mut secrets = Secrets::default();
        secrets.keep_file(&pipe);
        assert!(secrets.values.is_empty());
    }

    const CONFIG: &str = r#"
group = "g"
[security]
key_file = "group.key"
[fence.beta]
agent = "/usr/sbin/fence_x"
options = { ip = "10.0.9.2", password = "tricky \"one\"", snmp_priv_passwd = 12345678, password_file = "ipmi.pass" }
[fence.alpha]
command = ["/bin/power", "--token", "tok-4711", "--secret=s3cr3t!", "{action}"]
[[process]]
name = "p"
command = ["/bin/p", "http://u:hunter22@h/", "tok-4711", "-p", "dash-p-pw", "-u", "plant:dash-u-pw", "-P", "2222"]
environment = { API_TOKEN = "env-secret", SITE = "7" }
"#;

    #[test]
    fn u7_secrets_are_taken_out_by_name_by_place_and_by_value() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("group.key"), "# a key\nc0ffeec0ffee\n").unwrap();
        fs::write(folder.path().join("ipmi.pass"), "from-the-file\n").unwrap();
        let mut config: toml::Table = CONFIG.parse().unwrap();
        let mut secrets = Secrets::default();
        secrets.take_from(&mut config, folder.path());
        let text = secrets.out_of(&toml::to_string_pretty(&config).unwrap());
        for secret in
            ["tricky", "12345678", "tok-4711", "s3cr3t!", "hunter22", "env-secret", "dash-p-pw", "dash-u-pw", "2222"]
        {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        for open in ["10.0.9.2", "ipmi.pass", "group.key", "{action}", "SITE", "plant:"] {
            assert!(text.contains(open), "{open}: {text}");
        }
        assert_eq!(secrets.out_of("dash-p-pw at port 2222"), "[removed] at port 2222");
        let log = "key c0ffeec0ffee, pass from-the-file, json {\"a\":\"tricky \\\"one\\\"\"}";
        assert_eq!(secrets.out_of(log), "key [removed], pass [removed], json {\"a\":\"[removed]\"}");
        assert!(secrets.are_in(b"xx env-secret xx") && !secrets.are_in(b"nothing"));
    }
}

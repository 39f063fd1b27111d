//! The text of a page of metrics, in the two formats that Prometheus asks for.
//!
//! A family is written with its help and type also when it has nothing to say now, so that its name can be looked up on
//! any page.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How the page is written. The two differ in how a counter is declared and in how the page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own text, 0.0.4: what everything understands.
    Text,
    /// OpenMetrics 1.0.0: what a server gets that asks for it.
    OpenMetrics,
}

impl Format {
    /// The format for a client that accepts `accept`, the header as it was sent.
    pub fn for_client(accept: &str) -> Format {
        // A page in the plain format is right for everybody, so nothing finer than this is needed.
        if accept.contains("application/openmetrics-text") { Format::OpenMetrics } else { Format::Text }
    }

    /// The `Content-Type` of a page.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What kind of number a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows, from the controller's start; its name ends in `_total`.
    Counter,
}

/// A page that is being written.
pub(super) struct Page {
    format: Format,
    text: String,
}

impl Page {
    pub(super) fn new(format: Format) -> Page {
        Page { format, text: String::new() }
    }

    /// One family: `samples` gives its samples to [`Samples::add`].
    pub(super) fn family(
        &mut self,
        kind: Kind,
        name: &'static str,
        help: &'static str,
        samples: impl FnOnce(&mut Samples<'_>),
    ) {
        let (kind, declared) = match (kind, self.format) {
            (Kind::Gauge, Format::Text | Format::OpenMetrics) => ("gauge", name),
            (Kind::Counter, Format::Text) => ("counter", name),
            (Kind::Counter, Format::OpenMetrics) => ("counter", name.strip_suffix("_total").unwrap_or(name)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {declared} {help}\n# TYPE {declared} {kind}");
        samples(&mut Samples { name, text: &mut self.text, seen: BTreeSet::new() });
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, samples: impl FnOnce(&mut Samples<'_>)) {
        self.family(Kind::Gauge, name, help, samples);
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, samples: impl FnOnce(&mut Samples<'_>)) {
        self.family(Kind::Counter, name, help, samples);
    }

    /// A gauge with one sample and no labels.
    pub(super) fn one(&mut self, name: &'static str, help: &'static str, value: impl Into<Option<f64>>) {
        self.gauge(name, help, |samples| samples.add(&[], value));
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// The samples of one family.
pub(super) struct Samples<'p> {
    name: &'static str,
    text: &'p mut String,
    /// A page with the same labels twice would be refused as a whole.
    seen: BTreeSet<String>,
}

impl Samples<'_> {
    /// A sample with `labels`; none where there is no `value` now. Of two with the same labels the first stands.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: impl Into<Option<f64>>) {
        let Some(value) = value.into() else { return };
        let mut written = String::new();
        for (index, (label, text)) in labels.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(written, "{comma}{label}=\"{}\"", escaped(text));
        }
        if !self.seen.insert(written.clone()) {
            return;
        }
        let braces = if written.is_empty() { written } else { format!("{{{written}}}") };
        let _ = writeln!(self.text, "{}{braces} {}", self.name, number(value));
    }

    /// A sample for each of `all`: 1 for the one that `is`, 0 for the others.
    pub(super) fn one_of<T: PartialEq + Copy>(
        &mut self,
        labels: &[(&str, &str)],
        label: &str,
        is: T,
        all: &[(T, &str)],
    ) {
        for (candidate, word) in all {
            let with: Vec<(&str, &str)> = labels.iter().copied().chain([(label, *word)]).collect();
            self.add(&with, flag(*candidate == is));
        }
    }
}

/// true as 1, false as 0.
pub(super) fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        page.counter("t_restarts_total", "Restarts.", |samples| {
            samples.add(&[("process", "a \"b\"\\\n")], 3.0);
            samples.add(&[("process", "a \"b\"\\\n")], 4.0);
        });
        page.one("t_rtt_seconds", "Round trip.", None);
        page.one("t_odd", "Odd numbers.", f64::NAN);
        page.finish()
    }

    #[test]
    fn u7_both_formats_are_written_as_their_documents_say() {
        assert_eq!(
            page(Format::Text),
            "# HELP t_restarts_total Restarts.\n# TYPE t_restarts_total counter\n\
             t_restarts_total{process=\"a \\\"b\\\"\\\\\\n\"} 3\n\
             # HELP t_rtt_seconds Round trip.\n# TYPE t_rtt_seconds gauge\n\
             # HELP t_odd Odd numbers.\n# TYPE t_odd gauge\nt_odd NaN\n"
        );
        let open = page(Format::OpenMetrics);
        assert!(
            open.starts_with("# HELP t_restarts Restarts.\n# TYPE t_restarts counter\nt_restarts_total{"),
            "{open}"
        );
        assert!(open.ends_with("# EOF\n"), "{open}");
    }

    #[test]
    fn u7_a_client_gets_the_format_that_it_asks_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(Format::for_client(prometheus), Format::OpenMetrics);
        assert_eq!(Format::for_client("*/*"), Format::Text);
        assert_eq!(Format::for_client(""), Format::Text);
    }
}

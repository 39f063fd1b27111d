//! The words of etcd's JSON gateway, as far as they are used: transactions and leases. Keys and values travel in base64,
//! 64-bit numbers as texts, and what is zero or empty is left out.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize};

use super::trouble::Trouble;

/// A revision of etcd's store; zero: the key is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Revision(#[serde(deserialize_with = "number", serialize_with = "as_text")] i64);

/// A lease of etcd's; zero: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LeaseId(#[serde(deserialize_with = "number", serialize_with = "as_text")] i64);

fn number<'de, D: Deserializer<'de>, N: FromStr<Err = ParseIntError> + Deserialize<'de>>(
    from: D,
) -> Result<N, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<N> {
        Text(String),
        Number(N),
    }
    match Written::deserialize(from)? {
        Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Written::Number(number) => Ok(number),
    }
}

fn as_text<S: serde::Serializer>(number: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(number)
}

/// Which cluster of etcd's an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct ClusterId(#[serde(deserialize_with = "number")] u64);

impl fmt::LowerHex for ClusterId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, to)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, to)
    }
}

/// One comparison of a key: of its revision, or of what it holds.
#[derive(Debug, Serialize)]
pub(super) struct Compare {
    result: &'static str,
    target: &'static str,
    key: String,
    #[serde(flatten)]
    with: With,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum With {
    ModRevision(Revision),
    Value(String),
}

impl Compare {
    /// The key is still as it was at `revision`.
    pub(super) fn revision(key: &str, revision: Revision) -> Compare {
        Compare { result: "EQUAL", target: "MOD", key: BASE64.encode(key), with: With::ModRevision(revision) }
    }

    /// The key holds this.
    pub(super) fn value(key: &str, value: &str) -> Compare {
        let with = With::Value(BASE64.encode(value));
        Compare { result: "EQUAL", target: "VALUE", key: BASE64.encode(key), with }
    }
}

/// One step of a transaction.
#[derive(Debug, Serialize)]
pub(super) enum Step {
    #[serde(rename = "request_range")]
    Range { key: String },
    #[serde(rename = "request_put")]
    Put {
        key: String,
        value: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        lease: Option<LeaseId>,
    },
    #[serde(rename = "request_delete_range")]
    Delete { key: String },
}

impl Step {
    pub(super) fn range(key: &str) -> Step {
        Step::Range { key: BASE64.encode(key) }
    }

    pub(super) fn put(key: &str, value: &str, lease: Option<LeaseId>) -> Step {
        Step::Put { key: BASE64.encode(key), value: BASE64.encode(value), lease }
    }

    pub(super) fn delete(key: &str) -> Step {
        Step::Delete { key: BASE64.encode(key) }
    }
}

/// Steps that are taken together, `success` when all of `compare` hold, else `failure`.
#[derive(Debug, Serialize)]
pub(super) struct Transaction {
    pub compare: Vec<Compare>,
    pub success: Vec<Step>,
    pub failure: Vec<Step>,
}

/// The head of every answer.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    /// Whose it is; what has none is no answer of etcd's.
    #[serde(rename = "cluster_id")]
    pub cluster: ClusterId,
    /// The store's revision after what was asked: that of the keys that a transaction put.
    #[serde(default)]
    pub revision: Revision,
}

/// One key.
#[derive(Debug, Deserialize)]
pub(super) struct KeyValue {
    #[serde(default)]
    value: String,
    #[serde(default)]
    pub mod_revision: Revision,
    #[serde(default)]
    pub lease: LeaseId,
}

impl KeyValue {
    /// Its value.
    pub(super) fn text(&self) -> Result<String, Trouble> {
        let bytes =
            BASE64.decode(&self.value).map_err(|error| Trouble::Answer(format!("a value's base64: {error}")))?;
        String::from_utf8(bytes).map_err(|error| Trouble::Answer(format!("a value is no text: {error}")))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

#[derive(Debug, Deserialize)]
struct Done {
    response_range: Option<Range>,
}

/// What became of a transaction.
#[derive(Debug, Deserialize)]
pub(super) struct TransactionReply {
    pub header: Header,
    #[serde(default)]
    pub succeeded: bool,
    #[serde(default)]
    responses: Vec<Done>,
}

impl TransactionReply {
    /// What the first two ranges found.
    pub(super) fn ranges(&self) -> [Option<&KeyValue>; 2] {
        let found = |place: usize| self.responses.get(place)?.response_range.as_ref()?.kvs.first();
        [found(0), found(1)]
    }
}

/// A lease that was granted.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Granted {
    #[serde(rename = "ID")]
    pub id: LeaseId,
}

/// The asking for a lease.
#[derive(Debug, Serialize)]
pub(super) struct Grant {
    #[serde(rename = "TTL")]
    pub seconds: String,
}

/// The giving back of one.
#[derive(Debug, Serialize)]
pub(super) struct Revoke {
    #[serde(rename = "ID")]
    pub id: LeaseId,
}

/// The asking for a token.
#[derive(Serialize)]
pub(super) struct Authenticate<'a> {
    pub name: &'a str,
    pub password: &'a str,
}

/// The token.
#[derive(Deserialize)]
pub(super) struct Authenticated {
    pub token: String,
}

/// How a server is, as far as it is asked.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ServerStatus {
    /// The alarms of all servers, a text each: "memberID:8211f1d0f64f3269 alarm:NOSPACE".
    #[serde(default)]
    errors: Vec<String>,
}

impl ServerStatus {
    /// Whether one of them has no space left; then none takes a change.
    pub(super) fn is_full(&self) -> bool {
        self.errors.iter().any(|error| error.contains("NOSPACE"))
    }
}

/// An error's words.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Complaint {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

impl Complaint {
    /// What it says.
    pub(super) fn text(self) -> String {
        if self.message.is_empty() { self.error } else { self.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_travel_as_texts_and_are_taken_either_way() {
        assert_eq!(serde_json::to_string(&Revision(7)).expect("JSON"), "\"7\"");
        assert_eq!(serde_json::from_str::<Revision>("\"7\"").expect("JSON"), Revision(7));
        assert_eq!(serde_json::from_str::<Revision>("7").expect("JSON"), Revision(7));
    }

    #[test]
    fn a_transaction_has_the_form_that_the_gateway_takes() {
        let transaction = Transaction {
            compare: vec![Compare::revision("a", Revision(3)), Compare::value("a", "b")],
            success: vec![Step::put("a", "b", Some(LeaseId(9))), Step::put("c", "d", None)],
            failure: vec![Step::range("a"), Step::delete("c")],
        };
        let expected = serde_json::json!({
            "compare": [{"result": "EQUAL", "target": "MOD", "key": "YQ==", "mod_revision": "3"},
                {"result": "EQUAL", "target": "VALUE", "key": "YQ==", "value": "Yg=="}],
            "success": [
                {"request_put": {"key": "YQ==", "value": "Yg==", "lease": "9"}},
                {"request_put": {"key": "Yw==", "value": "ZA=="}},
            ],
            "failure": [{"request_range": {"key": "YQ=="}}, {"request_delete_range": {"key": "Yw=="}}],
        });
        assert_eq!(serde_json::to_value(&transaction).expect("JSON"), expected);
    }

    #[test]
    fn what_is_zero_is_left_out_of_an_answer_and_read_so() {
        let text = r#"{"header":{"cluster_id":"7","revision":"5"},"responses":[{"response_range":{"header":{}}},{"response_range":
            {"kvs":[{"key":"YQ==","value":"Nw==","mod_revision":"4"}],"count":"1"}}]}"#;
        let reply: TransactionReply = serde_json::from_str(text).expect("JSON");
        assert!(!reply.succeeded);
        assert_eq!(reply.header.revision, Revision(5));
        let [absent, found] = reply.ranges();
        assert!(absent.is_none());
        let found = found.expect("it is there");
        assert_eq!((found.text().expect("a text").as_str(), found.mod_revision), ("7", Revision(4)));
        assert_eq!(found.lease, LeaseId::default());
    }
}

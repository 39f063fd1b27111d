//! How etcd is reached: several servers, over HTTP or HTTPS, with a user or without, within a time.
//!
//! The server that answered last is asked first. Each server but the last gets half of the time that is left, so that one
//! which takes a connection and never answers leaves time for the others; next time another one comes first.
//!
//! What is read from files may change while the controller runs: passwords and certificates expire. A password is read when
//! a token is wanted, certificates when nobody has answered.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::tls::TlsConfig;

use crate::config::arbiter::EtcdConfig;

use super::tls::{EtcdError, TlsFiles, read};
use super::trouble::Trouble;
use super::words::{
    Authenticate, Authenticated, Complaint, Grant, Granted, LeaseId, Revoke, ServerStatus, Transaction,
    TransactionReply,
};

/// The longest answer that is read: what is asked for is far below it.
const LONGEST_ANSWER: u64 = 64 << 10;

/// A user, and where the password is: read each time it is needed, so that it may change.
struct User {
    name: String,
    password_file: PathBuf,
}

/// All servers of one etcd.
pub(super) struct Gateway {
    agent: ureq::Agent,
    tls: Option<TlsFiles>,
    endpoints: Vec<String>,
    user: Option<User>,
    token: Option<String>,
    /// Who is asked first.
    first: usize,
}

impl Gateway {
    /// Reads what is needed to speak to the servers; calls nobody.
    pub(super) fn new(config: &EtcdConfig, path: impl Fn(&str) -> PathBuf) -> Result<Gateway, EtcdError> {
        let https = config.endpoints.iter().any(|endpoint| endpoint.starts_with("https:"));
        let mut tls = https.then(|| TlsFiles::new(config, &path));
        let agent = match &mut tls {
            Some(files) => agent(files.load()?),
            None => agent(TlsConfig::default()),
        };
        let user = match config.user.is_empty() {
            true => None,
            false => Some(User { name: config.user.clone(), password_file: path(&config.password_file) }),
        };
        if let Some(user) = &user {
            read("arbiter.password_file", &user.password_file)?;
        }
        Ok(Gateway { agent, tls, endpoints: config.endpoints.clone(), user, token: None, first: 0 })
    }

    /// The servers in the order in which they are asked.
    pub(super) fn order(&self) -> Vec<usize> {
        (0..self.endpoints.len()).map(|step| (self.first + step) % self.endpoints.len()).collect()
    }

    /// Half of what is left until `until` for `server`, all of it when it is the last in the order; none: the time is over.
    pub(super) fn session(&mut self, server: usize, until: Instant) -> Option<Session<'_>> {
        let now = Instant::now();
        let left = until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        let last = (server + 1) % self.endpoints.len() == self.first;
        Some(Session { gateway: self, server, until: if last { until } else { now + left / 2 } })
    }

    /// This one is asked first from now on.
    pub(super) fn answered(&mut self, server: usize) {
        self.first = server;
    }

    /// Nobody has, and another one is asked first the next time; with the certificates as they are by then.
    pub(super) fn nobody_answered(&mut self) {
        self.first = (self.first + 1) % self.endpoints.len();
        match self.tls.as_mut().and_then(|files| files.load_if_changed()) {
            Some(Ok(tls)) => {
                tracing::info!("etcd's certificates were read anew");
                self.agent = agent(tls);
            }
            // Perhaps half of them is written: those that are there are used until the rest follows.
            Some(Err(error)) => tracing::warn!(%error, "etcd's certificates have changed and cannot be used"),
            None => {}
        }
    }

    /// A server, for people.
    pub(super) fn name(&self, server: usize) -> &str {
        let endpoint = &self.endpoints[server];
        endpoint.split_once("://").map_or(endpoint, |(_, name)| name)
    }

    /// All of them.
    pub(super) fn names(&self) -> Vec<&str> {
        (0..self.endpoints.len()).map(|server| self.name(server)).collect()
    }
}

fn agent(tls: TlsConfig) -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    // A proxy of the environment is for the web, and may keep an answer.
    config.proxy(None).tls_config(tls).build().new_agent()
}

/// One server, for one call.
pub(super) struct Session<'a> {
    gateway: &'a mut Gateway,
    server: usize,
    until: Instant,
}

impl Session<'_> {
    /// Takes the steps of a transaction.
    pub(super) fn transaction(&mut self, transaction: &Transaction) -> Result<TransactionReply, Trouble> {
        self.ask("/v3/kv/txn", transaction)
    }

    /// A new lease of so many seconds.
    pub(super) fn grant(&mut self, seconds: u64) -> Result<Granted, Trouble> {
        self.ask("/v3/lease/grant", &Grant { seconds: seconds.to_string() })
    }

    /// Gives a lease back that is of no use. Without success it ends by itself.
    pub(super) fn revoke(&mut self, id: LeaseId) {
        if let Err(error) = self.ask::<serde::de::IgnoredAny>("/v3/lease/revoke", &Revoke { id }) {
            tracing::debug!(%error, "a lease of etcd's ends by itself");
        }
    }

    /// Whether the server knows that etcd has no space left: it then answers whoever reads as if all was well.
    pub(super) fn is_full(&mut self) -> bool {
        let nothing = serde_json::Map::new();
        match self.ask::<ServerStatus>("/v3/maintenance/status", &nothing) {
            Ok(status) => status.is_full(),
            // Not everybody's road to etcd leads there too; then a claim is the first to find out.
            Err(error) => {
                tracing::debug!(%error, "etcd does not say whether it has space left");
                false
            }
        }
    }

    /// Asks, as the user when there is one; once more with a new token when the old one is not taken.
    fn ask<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, Trouble> {
        let body = serde_json::to_vec(body).map_err(|error| Trouble::Answer(error.to_string()))?;
        for attempt in 0..2 {
            self.authenticate()?;
            let (status, answer) = self.post(path, &body)?;
            if status == 200 {
                return serde_json::from_slice(&answer)
                    .map_err(|error| Trouble::Answer(format!("its answer to {path} is not etcd's: {error}")));
            }
            let complaint = serde_json::from_slice::<Complaint>(&answer).unwrap_or_default().text();
            let token_is_old =
                status == 401 || complaint.contains("auth token") || complaint.contains("auth store is old");
            if attempt == 0 && token_is_old && self.gateway.token.take().is_some() {
                continue;
            }
            if complaint.contains("database space exceeded") {
                return Err(Trouble::full());
            }
            // Behind a server's own failure the request may be carried out all the same: it timed out, the leader changed.
            let trouble = if status < 500 { Trouble::Answer } else { Trouble::Silence };
            return Err(trouble(match complaint.is_empty() {
                true => format!("status {status}, in no words of etcd's; look whether arbiter.endpoints leads to etcd"),
                false => format!("{status} {complaint}"),
            }));
        }
        Err(Trouble::Answer("it does not take its own token".to_owned()))
    }

    /// Has a token, when one is needed.
    fn authenticate(&mut self) -> Result<(), Trouble> {
        let Some(user) = self.gateway.user.as_ref().filter(|_| self.gateway.token.is_none()) else { return Ok(()) };
        let password = fs::read_to_string(&user.password_file)
            .map_err(|error| Trouble::Answer(format!("{} cannot be read: {error}", user.password_file.display())))?;
        let words = Authenticate { name: &user.name, password: password.trim_end_matches(['\n', '\r']) };
        let body = serde_json::to_vec(&words).map_err(|error| Trouble::Answer(error.to_string()))?;
        let (status, answer) = self.post("/v3/auth/authenticate", &body)?;
        if status != 200 {
            let complaint = serde_json::from_slice::<Complaint>(&answer).unwrap_or_default().text();
            return Err(Trouble::Answer(format!("the user is not taken: {status} {complaint}")));
        }
        let Authenticated { token } = serde_json::from_slice(&answer)
            .map_err(|error| Trouble::Answer(format!("its token is not etcd's: {error}")))?;
        self.gateway.token = Some(token);
        Ok(())
    }

    /// One request; the status and what it says.
    fn post(&self, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Trouble> {
        let Gateway { agent, endpoints, token, .. } = &*self.gateway;
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::Silence("no time was left".to_owned()));
        }
        let silence = |error: ureq::Error| {
            Trouble::Silence(match error {
                ureq::Error::Timeout(_) => format!("no answer within {} ms", left.as_millis()),
                error => error.to_string(),
            })
        };
        let mut request = agent.post(format!("{}{path}", endpoints[self.server]));
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        let request = request.header("Content-Type", "application/json");
        let mut answer = request.config().timeout_global(Some(left)).build().send(body).map_err(silence)?;
        let read = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec().map_err(silence)?;
        Ok((answer.status().as_u16(), read))
    }
}

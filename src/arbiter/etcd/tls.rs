//! The certificates that etcd is reached with: read from files, held against each other, and read anew when they changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::config::arbiter::EtcdConfig;

/// What keeps etcd from being asked at all.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// A file of the configuration cannot be read.
    #[error("{key}: {path} cannot be read: {source}; name a file that tandem's user may read", path = path.display())]
    Unreadable {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has not what its key asks for.
    #[error("{key}: {path} holds no {wanted} in PEM form; it begins with -----BEGIN", path = path.display())]
    NotPem {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// Certificate and key do not belong together, or cannot be used.
    #[error(
        "arbiter.key_file: {key} is not the key of the certificate in {certificate}: {source}; name the two that were \
         made together",
        key = key.display(), certificate = certificate.display()
    )]
    NotItsKey {
        /// The key's file.
        key: PathBuf,
        /// The certificate's.
        certificate: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The system has no certificates of its own.
    #[error("this system trusts nobody's certificates ({0}); name etcd's with arbiter.ca_file")]
    NoRoots(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    NoChance(String),
}

/// The files, each none where the configuration names none, and what was last read from them.
pub(super) struct TlsFiles {
    authorities: Option<PathBuf>,
    own: Option<Own>,
    read: Vec<Vec<u8>>,
}

/// This member's own certificate and its key.
struct Own {
    certificate: PathBuf,
    key: PathBuf,
}

impl TlsFiles {
    /// The files of `config`; `path` says what a path of the configuration means. Reads nothing.
    pub(super) fn new(config: &EtcdConfig, path: &impl Fn(&str) -> PathBuf) -> TlsFiles {
        let file = |written: &str| (!written.is_empty()).then(|| path(written));
        let key = path(&config.key_file);
        TlsFiles {
            authorities: file(&config.ca_file),
            own: file(&config.cert_file).map(|certificate| Own { certificate, key }),
            read: Vec::new(),
        }
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// One cannot be read or used.
    pub(super) fn load(&mut self) -> Result<TlsConfig, EtcdError> {
        self.read = self.content();
        let roots = match &self.authorities {
            Some(file) => certificates("arbiter.ca_file", file)?,
            None => {
                let system = rustls_native_certs::load_native_certs();
                if system.certs.is_empty() {
                    let why = system.errors.first().map_or("none is installed".to_owned(), ToString::to_string);
                    return Err(EtcdError::NoRoots(why));
                }
                system.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
            }
        };
        let own = self.own.as_ref().map(Own::load).transpose()?;
        Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).client_cert(own).build())
    }

    /// Reads them, if anything in them has changed since they were read; none: nothing has.
    pub(super) fn load_if_changed(&mut self) -> Option<Result<TlsConfig, EtcdError>> {
        (self.content() != self.read).then(|| self.load())
    }

    /// What is in them; nothing, where one cannot be read.
    fn content(&self) -> Vec<Vec<u8>> {
        let own = self.own.iter().flat_map(|own| [&own.certificate, &own.key]);
        self.authorities.iter().chain(own).map(|file| fs::read(file).unwrap_or_default()).collect()
    }
}

impl Own {
    fn load(&self) -> Result<ClientCert, EtcdError> {
        let chain = certificates("arbiter.cert_file", &self.certificate)?;
        let pem = read("arbiter.key_file", &self.key)?;
        let key = PrivateKey::from_pem(&pem).map_err(|_| EtcdError::NotPem {
            key: "arbiter.key_file",
            path: self.key.clone(),
            wanted: "private key",
        })?;
        belong_together(&chain, &key).map_err(|source| EtcdError::NotItsKey {
            key: self.key.clone(),
            certificate: self.certificate.clone(),
            source,
        })?;
        Ok(ClientCert::new_with_certs(&chain, key))
    }
}

/// Whether `key` is that of the first of `chain`. The client would end its thread over two that do not fit.
fn belong_together(chain: &[Certificate<'_>], key: &PrivateKey<'_>) -> Result<(), rustls::Error> {
    let unusable = |why: &'static str| rustls::Error::General(why.to_owned());
    let der = PrivateKeyDer::try_from(key.der().to_vec()).map_err(unusable)?;
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let nobody = rustls::RootCertStore::empty();
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(nobody)
        .with_client_auth_cert(chain, der)
        .map(drop)
}

/// The content of `path`, which `key` names.
///
/// # Errors
///
/// It cannot be read.
pub(super) fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, EtcdError> {
    fs::read(path).map_err(|source| EtcdError::Unreadable { key, path: path.to_owned(), source })
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<Certificate<'static>>, EtcdError> {
    let pem = read(key, path)?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        })
        .collect();
    if found.is_empty() {
        return Err(EtcdError::NotPem { key, path: path.to_owned(), wanted: "certificate" });
    }
    Ok(found)
}

//! Who a server is: its certificate chain and key, read from PEM, and replaced while it serves.

use super::{Channel, Fingerprint, provider};
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;

/// A certificate chain with its key.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

/// Why a certificate and a key are no identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// What should be the certificate is none; says why.
    Certificate(String),
    /// What should be the key is none; says why.
    Key(String),
    /// The key is not the one of the certificate.
    Strangers,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(why) => write!(f, "the certificate can't be used: {why}"),
            Self::Key(why) => write!(f, "the key can't be used: {why}"),
            Self::Strangers => f.write_str("the key is not that of the certificate"),
        }
    }
}

impl std::error::Error for IdentityError {}

impl Identity {
    /// Reads a chain, the server's own certificate first, and a key.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] says which of the two is wrong, or that they don't belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| IdentityError::Certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(IdentityError::Certificate(
                "no PEM CERTIFICATE in it".to_owned(),
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| IdentityError::Key(error.to_string()))?;
        let key =
            any_supported_type(&key).map_err(|error| IdentityError::Key(error.to_string()))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(certified)))
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityError::Strangers),
            Err(error) => Err(IdentityError::Certificate(error.to_string())),
        }
    }

    /// By which the server's own certificate is known.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        // There is at least one certificate: it was read so.
        Fingerprint::of(self.0.cert.first().map_or(&[], |own| own.as_ref()))
    }
}

/// Never shows the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity")
            .field(&self.fingerprint())
            .finish()
    }
}

/// The identity that a server shows to whoever connects. Clones show the same one.
#[derive(Clone)]
pub struct Shown {
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Current(Mutex<Identity>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().0))
    }
}

impl Shown {
    /// Shows `identity`.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        let current = Arc::new(Current(Mutex::new(identity)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        // A ticket comes when the handshake is over. A client that only sends and leaves would leave
        // it unread, and its system would answer that with a reset that destroys what was sent last.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Self {
            current,
            config: Arc::new(config),
        }
    }

    /// Shows `identity` from now on; connections that there are go on.
    pub fn replace(&self, identity: Identity) {
        *self.current.0.lock() = identity;
    }

    /// A channel for one who connects.
    ///
    /// # Errors
    ///
    /// [`super::Broken`] if the settings contradict each other, which those made here don't.
    pub fn accept(&self) -> Result<Channel, super::Broken> {
        Channel::accept(Arc::clone(&self.config))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shown")
            .field(&*self.current.0.lock())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::SelfSigned;

    fn made() -> SelfSigned {
        SelfSigned::new(&["localhost".to_owned()]).unwrap()
    }

    #[test]
    fn what_was_made_is_read() {
        let made = made();
        let identity = Identity::from_pem(made.certificate.as_bytes(), made.key.as_bytes());
        let identity = identity.unwrap();
        assert_eq!(identity.fingerprint(), made.fingerprint);
        assert!(!format!("{identity:?}").contains("BEGIN"));
    }

    #[test]
    fn what_is_wrong_with_the_files_is_told_apart() {
        let (one, other) = (made(), made());
        let read = |chain: &str, key: &str| Identity::from_pem(chain.as_bytes(), key.as_bytes());
        let stranger = read(&one.certificate, &other.key);
        assert_eq!(stranger.unwrap_err(), IdentityError::Strangers);
        for (chain, key) in [("", &one.key[..]), ("x", &one.key), (&one.key, &one.key)] {
            let error = read(chain, key).unwrap_err();
            assert!(matches!(error, IdentityError::Certificate(_)), "{error}");
        }
        let broken = one.key.replace('M', "!");
        for key in ["", &one.certificate, &broken] {
            let error = read(&one.certificate, key).unwrap_err();
            assert!(matches!(error, IdentityError::Key(_)), "{error}");
        }
    }
}

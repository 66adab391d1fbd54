//! Which server a client believes: one whose certificate a root vouches for, or one whose
//! fingerprint is known. What to do about an unknown one is left to whoever connects.

use super::channel::{Broken, Channel};
use super::{Fingerprint, provider};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

/// Those whose word on a server's certificate is taken.
#[derive(Debug, Clone)]
pub struct Roots(Arc<RootCertStore>);

/// A text that holds no certificate that could vouch; says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustError(String);

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TrustError {}

/// Two are the same if they were read at once.
impl PartialEq for Roots {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Roots {}

impl Roots {
    /// Those that this system believes, looked up once.
    #[must_use]
    pub fn system() -> Self {
        static SYSTEM: OnceLock<Roots> = OnceLock::new();
        let load = || Self::of(rustls_native_certs::load_native_certs().certs);
        SYSTEM.get_or_init(load).clone()
    }

    /// Nobody: only fingerprints count.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// Those among `certificates`, each in DER, that can vouch for others.
    pub fn of<C: AsRef<[u8]>>(certificates: impl IntoIterator<Item = C>) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            // A system's collection may have some that nobody understands any more.
            let _ = roots.add(CertificateDer::from(certificate.as_ref()).into_owned());
        }
        Self(Arc::new(roots))
    }

    /// The certificates in a PEM text.
    ///
    /// # Errors
    ///
    /// [`TrustError`] if there is none, or one that can't be read.
    pub fn from_pem(text: &[u8]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate = certificate.map_err(|error| TrustError(error.to_string()))?;
            let added = roots.add(certificate);
            added.map_err(|error| TrustError(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TrustError("no PEM CERTIFICATE in it".to_owned()));
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// Whom to believe to be the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Who shows a certificate that one of these vouches for, in the name of the host.
    Roots(Roots),
    /// Who shows the certificate with this fingerprint, and nobody else.
    Pinned(Fingerprint),
}

/// Why a server was not believed, found in [`Broken`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// The fingerprint of the certificate that it showed.
    pub fingerprint: Fingerprint,
    /// The one that it should have had, if that was known.
    pub expected: Option<Fingerprint>,
    /// What is wrong with the certificate.
    pub reason: String,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Untrusted {}

impl Untrusted {
    /// What `broken` says about the server, if it broke over that.
    #[must_use]
    pub fn found_in(broken: &Broken) -> Option<&Self> {
        match broken {
            Broken::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
                error.downcast_ref()
            }
            _ => None,
        }
    }
}

impl Trust {
    /// A channel to the server `host`, a name or an address.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the host's name can stand in no certificate.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn connect(&self, host: &str) -> Result<Channel, Broken> {
        // The zone of an IPv6 address means something on this machine only.
        let plain = host.split('%').next().unwrap_or(host);
        let host = match plain.parse::<Ipv6Addr>() {
            Ok(address) => ServerName::from(IpAddr::V6(address)),
            Err(_) => ServerName::try_from(host.to_owned())
                .map_err(|error| Broken::General(error.to_string()))?,
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has suites for both versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Checker::new(self.clone())))
            .with_no_client_auth();
        // Every connection is verified anew.
        config.resumption = rustls::client::Resumption::disabled();
        Channel::connect(Arc::new(config), host)
    }
}

/// What is wrong with a certificate, in words.
fn why(error: &CertificateError) -> &'static str {
    use CertificateError as Wrong;
    match error {
        Wrong::Expired | Wrong::ExpiredContext { .. } => "it has expired",
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => "it is not valid yet",
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => "it is for another name",
        Wrong::BadEncoding => "it is damaged",
        Wrong::Revoked => "it was revoked",
        // A root that happens to have the same name fails in many ways.
        _ => "nobody who is believed vouches for it",
    }
}

/// Decides about a certificate, and always checks that the server has its key.
#[derive(Debug)]
struct Checker {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Checker {
    fn new(trust: Trust) -> Self {
        Self {
            trust,
            provider: provider(),
        }
    }
}

impl ServerCertVerifier for Checker {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Broken> {
        let fingerprint = Fingerprint::of(own);
        let (expected, reason) = match &self.trust {
            Trust::Pinned(expected) if *expected == fingerprint => {
                return Ok(ServerCertVerified::assertion());
            }
            Trust::Pinned(expected) => (Some(*expected), "it is another one".to_owned()),
            Trust::Roots(Roots(roots)) => {
                let provider = Arc::clone(&self.provider);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider)
                        .build();
                let verified = match verifier {
                    Ok(verifier) => verifier.verify_server_cert(own, others, name, ocsp, now),
                    Err(error) => Err(Broken::General(error.to_string())),
                };
                match verified {
                    Ok(verified) => return Ok(verified),
                    Err(Broken::InvalidCertificate(error)) => (None, why(&error).to_owned()),
                    Err(error) => (None, error.to_string()),
                }
            }
        };
        let untrusted = Untrusted {
            fingerprint,
            expected,
            reason,
        };
        let error = CertificateError::Other(OtherError(Arc::new(untrusted)));
        Err(Broken::InvalidCertificate(error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Broken> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, own, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Broken> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, own, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

//! A certificate that vouches for itself, for a server that has no other. Where it is kept is left to
//! `cli`.

use super::Fingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::fmt;

/// A new certificate and its key, both PEM.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// Its private key: whoever has it is the server.
    pub key: String,
    /// By which the certificate is known.
    pub fingerprint: Fingerprint,
}

/// Names that no certificate can be made for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitName(String);

impl fmt::Display for UnfitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnfitName {}

impl SelfSigned {
    /// Makes one for a server of these names and addresses, with a key of its own (ECDSA, P-256).
    ///
    /// # Errors
    ///
    /// [`UnfitName`] if one of them can stand in no certificate.
    pub fn new(names: &[String]) -> Result<Self, UnfitName> {
        let unfit = |error: rcgen::Error| UnfitName(format!("{}: {error}", names.join(", ")));
        let mut params = CertificateParams::new(names).map_err(unfit)?;
        let mut subject = DistinguishedName::new();
        let common = names.first().map_or("gatepost", String::as_str);
        subject.push(DnType::CommonName, common);
        params.distinguished_name = subject;
        let key = KeyPair::generate().map_err(unfit)?;
        let certificate = params.self_signed(&key).map_err(unfit)?;
        Ok(Self {
            fingerprint: Fingerprint::of(certificate.der()),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_one_has_a_key_of_its_own() {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let (one, other) = (
            SelfSigned::new(&names).unwrap(),
            SelfSigned::new(&names).unwrap(),
        );
        assert_ne!(one.fingerprint, other.fingerprint);
        assert!(one.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(one.key.starts_with("-----BEGIN PRIVATE KEY-----"));
    }

    #[test]
    fn a_name_that_cannot_stand_there_is_told() {
        let error = SelfSigned::new(&["münchen".to_owned()]).err().unwrap();
        assert!(error.to_string().contains("münchen"), "{error}");
    }
}

//! TLS without sockets: certificates and their fingerprints, which server to believe, and records
//! to bytes and back, for both sides. Sockets are left to [`crate::server`] and [`crate::client`],
//! files to `cli`.

mod certificate;
mod channel;
mod fingerprint;
mod identity;
mod trust;

pub use certificate::{SelfSigned, UnfitName};
pub use channel::{Broken, Channel};
pub use fingerprint::{Fingerprint, NoFingerprint};
pub use identity::{Identity, IdentityError, Shown};
pub use trust::{Roots, Trust, TrustError, Untrusted};

use rustls::crypto::{CryptoProvider, ring};
use std::sync::Arc;

/// The cryptography that everything here uses; named each time, so that none is looked for.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

//! What the settings may not say together: listening beyond loopback to whom anything may happen there,
//! and TLS without what it needs. Whether there is an account is known to the server.

use super::{Resolved, Settings, SettingsError};
use crate::config::{Listen, LoginPolicy, Scheme};

impl Resolved {
    /// Sees to it that nothing is reached from other machines that should not be by mistake.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] says what can be done about it.
    pub(super) fn refuse_exposure(&self) -> Result<(), SettingsError> {
        let config = &self.settings.config;
        let exposed = |listen: &&Listen| {
            let is_open = listen.scheme == Scheme::Framed && listen.login != LoginPolicy::Required;
            (!listen.tls || is_open) && !listen.address.ip().is_loopback()
        };
        match config.listen.iter().find(exposed) {
            Some(listen) if !config.insecure => Err(SettingsError::Value {
                source: self.source("listen").clone(),
                value: listen.to_string(),
                reason: match listen.scheme {
                    _ if listen.tls => {
                        "can be reached from other machines, and requires no login: leave ?login= \
                         away, or add --insecure if anybody may"
                            .to_owned()
                    }
                    Scheme::Udp => {
                        "can be reached from other machines, and datagrams are never encrypted: \
                         listen on 127.0.0.1, or add --insecure if you trust the network"
                            .to_owned()
                    }
                    scheme => format!(
                        "can be reached from other machines, and nothing is encrypted: listen on \
                         127.0.0.1, or as {}+tls:// with a certificate, or add --insecure if you \
                         trust the network with passwords",
                        scheme.word()
                    ),
                },
            }),
            _ => Ok(()),
        }
    }

    /// Sees to it that there is a certificate where a listener has to show one, and no certificate
    /// without its key.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] says what is missing.
    pub fn refuse_missing_identity(&self) -> Result<(), SettingsError> {
        let Settings {
            config,
            tls_cert,
            tls_key,
            ..
        } = &self.settings;
        let encrypted = config.listen.iter().find(|listen| listen.tls);
        let (key, value, missing) = match (tls_cert, tls_key, encrypted) {
            (Some(_), Some(_), _) | (None, None, None) => return Ok(()),
            (Some(cert), None, _) => ("tls_cert", cert.display().to_string(), "--tls-key FILE"),
            (None, Some(key), _) => ("tls_key", key.display().to_string(), "--tls-cert FILE"),
            (None, None, Some(listen)) => (
                "listen",
                listen.to_string(),
                "--tls-cert FILE and --tls-key FILE",
            ),
        };
        Err(SettingsError::Value {
            source: self.source(key).clone(),
            value,
            reason: format!(
                "needs {missing} as well; gatepost cert makes a certificate and its key"
            ),
        })
    }
}

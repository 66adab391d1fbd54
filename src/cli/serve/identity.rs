//! The certificate and key of the daemon: read from their files when it starts, and again on SIGHUP.

use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::escape;
use crate::config::Listen;
use crate::server::Handle;
use crate::tls::Identity;
use crossbeam_channel::Receiver;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where the identity lies.
#[derive(Debug, Clone)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// The files that are set, if some are.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        Some(Self {
            certificate: settings.tls_cert.clone()?,
            key: settings.tls_key.clone()?,
        })
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`Exit::Configuration`], with the file that is at fault.
    pub(super) fn read(&self) -> Result<Identity, Failure> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| failed(path, &error));
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        Identity::from_pem(&certificate, &key).map_err(|error| {
            let both = format!("{}, {}", shown(&self.certificate), shown(&self.key));
            Failure::new(Exit::Configuration, format!("{both}: {error}"))
        })
    }

    /// Whether others on this machine can read the key.
    fn is_open(&self) -> bool {
        let mode = self.key.metadata().map(|data| data.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o077 != 0)
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let sentence = format!("{}: can't be read: {error}", shown(path));
    Failure::new(Exit::Configuration, sentence)
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

/// Reads the identity that `settings` name, and tells the log which it is.
pub(super) fn load(settings: &mut Settings) -> Result<Option<Files>, Failure> {
    let Some(files) = Files::of(settings) else {
        return Ok(None);
    };
    let identity = files.read()?;
    if files.is_open() {
        let key = shown(&files.key);
        tracing::warn!("others on this machine can read the key {key}: chmod 600 it");
    }
    let listens = settings
        .config
        .listen
        .iter()
        .any(|listen: &Listen| listen.tls);
    if listens {
        tracing::info!(sha256 = %identity.fingerprint(), "the certificate's fingerprint");
    } else {
        tracing::warn!("there is a certificate, and no listener with +tls that would show it");
    }
    settings.config.identity = Some(identity);
    Ok(Some(files))
}

/// Reads them again each time that one is heard of `hangups`, and shows what is there from then on. What
/// can't be shown leaves the old as it is.
pub(super) fn follow(files: Option<&Files>, hangups: &Receiver<()>, handle: &Handle) {
    for () in hangups {
        let Some(files) = files else {
            tracing::info!(
                "SIGHUP: users.txt is re-read by itself when it changes; other settings need a restart"
            );
            continue;
        };
        match files.read() {
            Ok(identity) => {
                let sha256 = identity.fingerprint();
                handle.show(identity);
                tracing::info!(%sha256, "SIGHUP: the certificate and its key were read again");
            }
            Err(failure) => {
                tracing::error!("SIGHUP: {failure}; the old certificate and key stay");
            }
        }
    }
}

//! `gatepost cert`: a certificate that vouches for itself, and its key, for a daemon that has no
//! other.

use super::exit::{Exit, Failure};
use super::terminal::escape;
use super::write_out;
use crate::tls::SelfSigned;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The names of the files.
const CERTIFICATE: &str = "gatepost.crt";
const KEY: &str = "gatepost.key";

/// Make a self-signed certificate and its key for serve --tls-cert and --tls-key
///
/// Prints its SHA-256 fingerprint: clients show it when they first connect, and whoever compares the
/// two knows that nobody sits between. Nothing that is there is overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A name or an address by which clients reach the server; may be given again
    /// [default: localhost, 127.0.0.1 and ::1]
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// The folder for gatepost.crt and gatepost.key
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let local = ["localhost", "127.0.0.1", "::1"];
    let names = match args.names.is_empty() {
        true => local.map(str::to_owned).to_vec(),
        false => args.names.clone(),
    };
    let made = SelfSigned::new(&names).map_err(|error| Failure::usage(error.to_string()))?;
    let (certificate, key) = (args.out.join(CERTIFICATE), args.out.join(KEY));
    // The key first: a certificate without one is of no use, and stays unmade.
    create(&key, 0o600, &made.key)?;
    if let Err(failure) = create(&certificate, 0o644, &made.certificate) {
        // It was made just now, for this certificate alone.
        let _ = std::fs::remove_file(&key);
        return Err(failure);
    }
    let text = format!(
        "SHA-256 fingerprint: {}\n\
         serve with: gatepost serve --listen framed+tls://0.0.0.0:8001 --tls-cert {} --tls-key {}\n",
        made.fingerprint,
        shown(&certificate),
        shown(&key),
    );
    write_out(&text)?;
    Ok(())
}

/// Writes a file that wasn't there, and makes it outlive a loss of power.
fn create(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(
            Exit::InputOutput,
            format!("{} is there already, and is not overwritten", shown(path)),
        ),
        _ => Failure::from(error).about(shown(path)),
    })
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Identity;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_pair_is_made_once_and_the_key_is_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let args = Args {
            names: vec!["gate.example".to_owned()],
            out: folder.path().to_owned(),
        };
        run(&args).unwrap();
        let (certificate, key) = (folder.path().join(CERTIFICATE), folder.path().join(KEY));
        let read = |path: &Path| std::fs::read(path).unwrap();
        Identity::from_pem(&read(&certificate), &read(&key)).unwrap();
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let before = read(&key);
        let refused = run(&args).unwrap_err();
        assert_eq!(refused.exit, Exit::InputOutput);
        assert!(refused.sentence.contains("not overwritten"), "{refused}");
        assert!(read(&key) == before);
        // A certificate without its key is left alone as well, and no new key beside it.
        std::fs::remove_file(&key).unwrap();
        assert!(run(&args).is_err());
        assert!(!key.exists());
    }

    #[test]
    fn a_name_that_cannot_be_is_a_mistake_of_use() {
        let folder = tempfile::tempdir().unwrap();
        let args = Args {
            names: vec!["日本".to_owned()],
            out: folder.path().to_owned(),
        };
        assert_eq!(run(&args).unwrap_err().exit, Exit::Usage);
        assert!(!folder.path().join(KEY).exists());
    }
}

//! The tokens that a person's clients were given, one file for each server and user, so that two
//! commands never write the same one by accident. When they are used is left to the commands.

use super::{folder, make, replace};
use crate::wire::Token;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest file that is believed, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// One token, and where it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct KeptToken {
    /// The server's address as a URL: what was told inside TLS is not for the same port in the clear.
    pub(in crate::cli) server: String,
    /// Who logs in with it.
    pub(in crate::cli) user: String,
    pub(in crate::cli) token: Token,
    /// When it ends.
    pub(in crate::cli) expires: SystemTime,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    server: String,
    user: String,
    token: String,
    expires: String,
}

/// All tokens that are kept.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Tokens {
    folder: PathBuf,
}

impl Tokens {
    /// Those of the person at the shell; `None` without a home.
    pub(in crate::cli) fn here() -> Option<Self> {
        folder().map(|state| Self::beneath(&state))
    }

    fn beneath(state: &Path) -> Self {
        Self {
            folder: state.join("tokens"),
        }
    }

    /// The token of `user` for `server` that has not expired by `now`.
    pub(in crate::cli) fn find(&self, server: &str, user: &str, now: SystemTime) -> Option<Token> {
        // What can't be read is of no use: the password is asked for.
        let kept = read(&self.file(server, user)).ok().flatten()?;
        let is_it = kept.server == server && kept.user == user && kept.expires > now;
        is_it.then_some(kept.token)
    }

    /// Keeps `kept` in the place of an earlier one for the same server and user.
    pub(in crate::cli) fn keep(&self, kept: &KeptToken) -> io::Result<()> {
        make(&self.folder)?;
        let written = Written {
            server: kept.server.clone(),
            user: kept.user.clone(),
            token: kept.token.text(),
            expires: humantime::format_rfc3339_seconds(kept.expires).to_string(),
        };
        let json = serde_json::to_vec(&written).map_err(io::Error::other)?;
        replace(&self.file(&kept.server, &kept.user), &json)
    }

    /// Forgets the token of `user` for `server`, if there is one.
    pub(in crate::cli) fn forget(&self, server: &str, user: &str) -> io::Result<()> {
        match fs::remove_file(self.file(server, user)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Every token for `server`, by user.
    pub(in crate::cli) fn of_server(&self, server: &str) -> io::Result<Vec<KeptToken>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut tokens = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "json")
                && let Some(kept) = read(&path)?
            {
                tokens.push(kept);
            }
        }
        tokens.retain(|kept| kept.server == server);
        tokens.sort_by(|a, b| a.user.cmp(&b.user));
        Ok(tokens)
    }

    /// The file of one server and user, named so that no name can be a wrong path.
    fn file(&self, server: &str, user: &str) -> PathBuf {
        let digest = Sha256::digest(format!("{server}\n{user}").as_bytes());
        let name: String = digest[..16].iter().map(|it| format!("{it:02x}")).collect();
        self.folder.join(name + ".json")
    }
}

/// What a file holds; `None` if it is not there or none of ours.
fn read(path: &Path) -> io::Result<Option<KeptToken>> {
    let bytes = match fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() <= MAX_FILE => fs::read(path),
        Ok(_) => return Ok(None),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> Option<KeptToken> {
    let written: Written = serde_json::from_slice(bytes).ok()?;
    Some(KeptToken {
        token: written.token.parse().ok()?,
        expires: humantime::parse_rfc3339(&written.expires).ok()?,
        server: written.server,
        user: written.user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn kept(server: &str, user: &str, number: u8) -> KeptToken {
        KeptToken {
            server: server.to_owned(),
            user: user.to_owned(),
            token: Token::new([number; 32]),
            expires: at(1_000),
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_found_for_its_server_and_user_until_it_ends() {
        let home = tempfile::tempdir().unwrap();
        let tokens = Tokens::beneath(home.path());
        assert_eq!(tokens.find("a:1", "李四", at(0)), None);
        assert_eq!(tokens.of_server("a:1").unwrap(), []);
        let (one, two, three) = (
            kept("a:1", "李四", 1),
            kept("a:1", "../x", 2),
            kept("b:1", "李四", 3),
        );
        for token in [&kept("a:1", "李四", 9), &one, &two, &three] {
            tokens.keep(token).unwrap();
        }
        assert_eq!(tokens.find("a:1", "李四", at(999)), Some(one.token.clone()));
        assert_eq!(tokens.find("a:1", "李四", at(1_000)), None);
        assert_eq!(tokens.find("a:1", "李", at(0)), None);
        assert_eq!(tokens.of_server("a:1").unwrap(), [two, one]);
        tokens.forget("a:1", "李四").unwrap();
        tokens.forget("a:1", "李四").unwrap();
        assert_eq!(tokens.find("a:1", "李四", at(0)), None);
        assert_eq!(tokens.find("b:1", "李四", at(0)), Some(three.token));
    }

    #[test]
    fn a_damaged_file_is_no_token() {
        let home = tempfile::tempdir().unwrap();
        let tokens = Tokens::beneath(home.path());
        tokens.keep(&kept("a:1", "u", 1)).unwrap();
        fs::write(tokens.file("a:1", "u"), "{").unwrap();
        assert_eq!(tokens.find("a:1", "u", at(0)), None);
        assert_eq!(tokens.of_server("a:1").unwrap(), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}

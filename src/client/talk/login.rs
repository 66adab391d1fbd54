//! Showing a name and a proof to `login://`.

use super::stream::Talk;
use crate::client::{Address, Error};
use crate::conversation::Turn;
use crate::conversation::login::{LoginTalking, Verdict};
use crate::wire::proof;
use std::time::Duration;

/// Who logs in.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The password; only its proof leaves this machine.
    pub password: &'a str,
    /// What the proof is salted with.
    pub salt: &'a str,
    /// Whether the proof, which is as good as the password, may go to another machine in the clear.
    pub insecure: bool,
}

/// Logs in and tells what the server says, the greeting first.
///
/// # Errors
///
/// [`Error::Insecure`] before anything was sent; otherwise see [`Error`].
pub fn login(
    address: &Address,
    credentials: &Credentials<'_>,
    timeout: Duration,
    mut tell: impl FnMut(&str),
) -> Result<Verdict, Error> {
    let mut talk = Talk::connect(address, LoginTalking::new(), timeout)?;
    if !credentials.insecure && !talk.is_private()? {
        return Err(Error::Insecure);
    }
    let mut hear = |talk: &mut Talk<LoginTalking>| {
        let listened = talk.listen();
        while let Some(text) = talk.heard() {
            tell(&text);
        }
        listened
    };
    hear(&mut talk)?;
    let proof = proof(credentials.salt, credentials.password);
    // A server that hangs up before it was told anything is noticed here.
    if talk.turn() == Turn::Speak {
        talk.say(&LoginTalking::credentials(credentials.user, &proof))?;
    }
    hear(&mut talk)?;
    let verdict = talk.talking().verdict();
    verdict.ok_or(Error::Closed { going_away: false })
}

//! What every engine of a store must do, whatever it keeps its data in: one suite a trait, and the
//! desk at which tests wait for their tickets.

pub(crate) mod bans;
mod desk;
mod files;
mod messages;
mod search;
pub(crate) mod tokens;

pub(crate) use bans::{BansUnderTest, ban, bans_conform, remembered};
pub(crate) use desk::{Desk, Told, pending, pending_file};
pub(crate) use files::{FilesUnderTest, files_conform, published, wanted};
pub(crate) use messages::{Kept, MessagesUnderTest, message, messages_conform};
pub(crate) use search::search_conforms;
pub(crate) use tokens::{
    TokensUnderTest, issue as issue_token, revoke as revoke_tokens, token, tokens_conform,
};

/// The suites' own checks, for the macros that turn them into tests.
pub(crate) mod checks {
    pub(crate) use super::bans;
    pub(crate) use super::files::checks as files;
    pub(crate) use super::messages::checks as messages;
    pub(crate) use super::search::checks as search;
    pub(crate) use super::tokens;
}

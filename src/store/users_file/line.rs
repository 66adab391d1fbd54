//! One line of `users.txt` to an account and back, and a whole file to the accounts that count.
//! Pure functions over bytes: any bytes are a file, and what can't be read is a fault to report,
//! never a failure.

use super::super::{Account, Secret};
use crate::session::Role;
use crate::wire::UserName;
use argon2::password_hash::phc::PasswordHash;
use argon2::{ARGON2ID_IDENT, Params, Version};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// What an editor on another system may have put at the file's beginning.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The costliest Argon2id string that is taken: 1 GiB of memory, in KiB, and so many passes and
/// lanes. Beyond that one login would hold a thread for minutes.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 64;

/// A line of `users.txt` that does not count, and why. Its text is left out: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// What one line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Blank, or a comment.
    Nothing,
    /// An account, and where in the line its secret stands.
    Account(Account, Range<usize>),
    /// Neither.
    Unreadable(Cow<'static, str>),
}

/// What a whole file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The accounts that count, by name.
    pub(super) accounts: HashMap<UserName, Account>,
    /// The lines that don't, in order.
    pub(super) faults: Vec<Fault>,
}

/// The lines of a file, each with its line ending.
pub(super) fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split_inclusive(|byte| *byte == b'\n')
}

/// Reads a whole file. Of several lines with one name the last counts, so that a line appended by
/// hand does what its author meant; the earlier ones are faults.
pub(super) fn parse(file: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let mut line_of: HashMap<UserName, usize> = HashMap::new();
    for (number, line) in (1..).zip(lines(file)) {
        match parse_line(line) {
            Line::Nothing => {}
            Line::Unreadable(reason) => contents.faults.push(Fault {
                line: number,
                reason,
            }),
            Line::Account(account, _) => {
                if let Some(earlier) = line_of.insert(account.name.clone(), number) {
                    contents.faults.push(Fault {
                        line: earlier,
                        reason: format!("the same name stands in line {number}, which counts")
                            .into(),
                    });
                }
                contents.accounts.insert(account.name.clone(), account);
            }
        }
    }
    contents.faults.sort_by_key(|fault| fault.line);
    contents
}

/// Reads one line, with or without its line ending. White space around a field is ignored.
pub(super) fn parse_line(line: &[u8]) -> Line {
    let Ok(text) = std::str::from_utf8(line) else {
        // A comment may be in any encoding.
        return if line.trim_ascii_start().starts_with(b"#") {
            Line::Nothing
        } else {
            Line::Unreadable("it is not UTF-8".into())
        };
    };
    let stripped = text.trim_start_matches(BYTE_ORDER_MARK).trim();
    if stripped.is_empty() || stripped.starts_with('#') {
        return Line::Nothing;
    }
    match parse_account(text) {
        Ok((account, secret)) => Line::Account(account, secret),
        Err(reason) => Line::Unreadable(reason),
    }
}

/// The line of a new account, without a line ending.
pub(super) fn write_account(account: &Account) -> String {
    let mut line = format!("{}|{}", account.name, account.secret.as_str());
    if account.role == Role::Admin {
        line.push('|');
        line.push_str(account.role.word());
    }
    line
}

fn parse_account(text: &str) -> Result<(Account, Range<usize>), Cow<'static, str>> {
    const SHAPE: &str = "it is neither name|secret nor name|secret|role";
    let (name, rest) = text.split_once('|').ok_or(SHAPE)?;
    let (secret, role) = match rest.split_once('|') {
        Some((secret, role)) => (secret, Some(role.trim())),
        None => (rest, None),
    };
    let start = name.len() + 1 + (secret.len() - secret.trim_start().len());
    let secret = secret.trim();
    let role = match role {
        None | Some("user") => Role::User,
        Some("admin") => Role::Admin,
        Some(more) if more.contains('|') => return Err(SHAPE.into()),
        Some(_) => return Err("the role is neither user nor admin".into()),
    };
    let name = name.trim_start_matches(BYTE_ORDER_MARK).trim();
    let account = Account {
        name: UserName::new(name).map_err(|error| error.to_string())?,
        secret: parse_secret(secret)?,
        role,
    };
    Ok((account, start..start + secret.len()))
}

fn parse_secret(text: &str) -> Result<Secret, Cow<'static, str>> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Secret::Md5(text.to_ascii_lowercase()));
    }
    if !text.starts_with('$') {
        return Err("the secret is neither 32 hex digits nor an Argon2id string".into());
    }
    check_argon2id(text)?;
    Ok(Secret::Argon2(text.to_owned()))
}

/// Checks that a login could be tried against `text`, so that none fails later over a typing error.
fn check_argon2id(text: &str) -> Result<(), &'static str> {
    const DAMAGED: &str = "the Argon2id string is damaged";
    let phc = PasswordHash::new(text).map_err(|_| DAMAGED)?;
    if phc.algorithm != ARGON2ID_IDENT {
        return Err("the secret is no Argon2id string");
    }
    if let Some(version) = phc.version {
        Version::try_from(version).map_err(|_| DAMAGED)?;
    }
    let params = Params::try_from(&phc).map_err(|_| DAMAGED)?;
    if phc.salt.is_none() || phc.hash.is_none() {
        return Err(DAMAGED);
    }
    if params.m_cost() > MOST_MEMORY_KIB
        || params.t_cost() > MOST_PASSES
        || params.p_cost() > MOST_LANES
    {
        return Err("the Argon2id string asks for more than 1 GiB, 64 passes or 64 lanes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::users::conformance::{PHC, account, md5};
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn reads(line: &str, expected: &Account) {
        let Line::Account(account, secret) = parse_line(line.as_bytes()) else {
            panic!("{line:?} is no account");
        };
        assert_eq!(&account, expected);
        assert!(
            line[secret].eq_ignore_ascii_case(expected.secret.as_str()),
            "{line:?}"
        );
    }

    #[test]
    fn both_forms_and_both_roles_are_read() {
        let hex = "a".repeat(32);
        let zhangsan = account("zhangsan", md5('a'), Role::User);
        reads(&format!("zhangsan|{hex}"), &zhangsan);
        reads(&format!("zhangsan|{hex}|user\r\n"), &zhangsan);
        reads(&format!("\u{feff}zhangsan|{hex}\n"), &zhangsan);
        reads(&format!("  zhangsan |\t{hex} | user "), &zhangsan);
        reads(&format!("zhangsan|{}", hex.to_uppercase()), &zhangsan);
        let lisi = account("李四", Secret::Argon2(PHC.to_owned()), Role::Admin);
        reads(&format!("李四|{PHC}|admin"), &lisi);
        // A name that looks like its own secret: the secret is found where it stands.
        reads(
            &format!("{hex}|{hex}"),
            &account(&hex, md5('a'), Role::User),
        );
    }

    #[test]
    fn blank_lines_and_comments_in_any_encoding_are_nothing() {
        let others = ["", "\n", " \t\r\n", "#", " # a|b", "\u{feff}# x\n"];
        for line in others
            .map(str::as_bytes)
            .into_iter()
            .chain([&b"# \xc4\xe3"[..]])
        {
            assert_eq!(parse_line(line), Line::Nothing, "{line:?}");
        }
    }

    #[test]
    fn an_unreadable_line_says_why() {
        let hex = "a".repeat(32);
        let costly = PHC.replace("m=19456", "m=4000000");
        for (line, why) in [
            ("zhangsan".to_owned(), "neither name|secret"),
            (format!("a|{hex}|user|x"), "neither name|secret"),
            (format!("a|{hex}|root"), "neither user nor admin"),
            (format!("a|{hex}|"), "neither user nor admin"),
            (format!("a|{hex}|guest"), "neither user nor admin"),
            (format!("a b|{hex}"), "may not hold"),
            (format!("|{hex}"), "may not be empty"),
            (format!("a|{hex} # late comment"), "neither 32 hex digits"),
            ("a|".to_owned(), "neither 32 hex digits"),
            ("a|secret".to_owned(), "neither 32 hex digits"),
            (format!("a|{}", &PHC[..40]), "damaged"),
            (format!("a|{}", PHC.replace("v=19", "v=7")), "damaged"),
            (
                format!("a|{}", PHC.replace("argon2id", "argon2i")),
                "no Argon2id",
            ),
            (format!("a|{costly}"), "more than 1 GiB"),
        ] {
            let Line::Unreadable(reason) = parse_line(line.as_bytes()) else {
                panic!("{line:?} was read");
            };
            assert!(reason.contains(why), "{line:?}: {reason}");
            assert!(!reason.contains(&hex), "{reason}");
        }
        assert!(matches!(parse_line(b"\xff|x"), Line::Unreadable(_)));
    }

    #[test]
    fn the_last_of_two_lines_counts_and_the_first_is_reported() {
        let (first, last) = ("a".repeat(32), "b".repeat(32));
        let contents = parse(format!("# x\nme|{first}\nwhat\nme|{last}|admin").as_bytes());
        let me = &contents.accounts["me"];
        assert_eq!((&me.secret, me.role), (&md5('b'), Role::Admin));
        let faults: Vec<_> = contents.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "line 2: the same name stands in line 4, which counts",
                "line 3: it is neither name|secret nor name|secret|role",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_file(file: Vec<u8>) {
            let contents = parse(&file);
            prop_assert!(contents.faults.len() <= lines(&file).count());
        }

        #[test]
        fn bytes_that_look_like_lines_are_a_file(file in "(\u{feff}|[a#|$=,\r\n é0-9-]|argon2id|admin){0,64}") {
            parse(file.as_bytes());
        }

        #[test]
        fn what_is_written_is_read_again(name in "[^|#@\\s\\pC\u{feff}]{1,15}", admin: bool, md5: bool) {
            let role = if admin { Role::Admin } else { Role::User };
            let secret = if md5 { Secret::Md5("0a".repeat(16)) } else { Secret::Argon2(PHC.to_owned()) };
            let expected = account(&name, secret, role);
            let line = write_account(&expected);
            let Line::Account(read, at) = parse_line(line.as_bytes()) else {
                return Err(TestCaseError::fail(line));
            };
            prop_assert_eq!(&line[at], expected.secret.as_str());
            prop_assert_eq!(read, expected);
        }
    }
}

//! A change to one account as a change to one line: old bytes to new ones. Comments, unreadable
//! lines and the lines of others stay byte-identical. Where the bytes come from is left to
//! [`super::editor`].

use super::super::{Account, Secret, StoreError};
use super::line::{Line, lines, parse_line, write_account};
use crate::wire::UserName;
use std::fmt;
use std::ops::Range;

/// One change to one account.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    /// A new account.
    Add(&'a Account),
    /// A new secret, whatever the old one was.
    SetSecret(&'a UserName, &'a Secret),
    /// A new secret, if the old one is still what the account says.
    ReplaceSecret(&'a Account, &'a Secret),
    /// The account goes, with every line that has its name: an earlier one would otherwise count
    /// from now on.
    Remove(&'a UserName),
}

/// Why an account was not changed.
#[derive(Debug)]
pub enum EditError {
    /// An account of this name is there already.
    NameTaken(UserName),
    /// There is no account of this name.
    NoSuchUser(UserName),
    /// The account would not be read back as it is, such as a name that begins with a byte order
    /// mark.
    Unwritable(UserName),
    /// The file could not be read or replaced; the old one stays.
    Store(StoreError),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken(name) => write!(f, "there is a user {name} already"),
            Self::NoSuchUser(name) => write!(f, "there is no user {name}"),
            Self::Unwritable(name) => write!(f, "users.txt can't hold the user {name:?}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EditError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::NameTaken(_) | Self::NoSuchUser(_) | Self::Unwritable(_) => None,
        }
    }
}

impl From<StoreError> for EditError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for EditError {
    fn from(error: std::io::Error) -> Self {
        Self::Store(error.into())
    }
}

/// `file` with `change` made to it; `None` if it is as it should be already.
///
/// # Errors
///
/// [`EditError::NameTaken`], [`EditError::NoSuchUser`] and [`EditError::Unwritable`].
pub(super) fn apply(file: &[u8], change: Change<'_>) -> Result<Option<Vec<u8>>, EditError> {
    match change {
        Change::Add(account) => add(file, account).map(Some),
        Change::SetSecret(name, secret) => match find(file, name) {
            None => Err(EditError::NoSuchUser(name.clone())),
            Some((_, at)) => Ok(Some(splice(file, at, secret))),
        },
        Change::ReplaceSecret(account, secret) => match find(file, &account.name) {
            Some((present, at)) if present.secret == account.secret => {
                Ok(Some(splice(file, at, secret)))
            }
            _ => Ok(None),
        },
        Change::Remove(name) => {
            let keep = |line: &&[u8]| !has_name(line, name);
            let kept: Vec<u8> = lines(file).filter(keep).flatten().copied().collect();
            if kept.len() == file.len() {
                Err(EditError::NoSuchUser(name.clone()))
            } else {
                Ok(Some(kept))
            }
        }
    }
}

fn add(file: &[u8], account: &Account) -> Result<Vec<u8>, EditError> {
    if find(file, &account.name).is_some() {
        return Err(EditError::NameTaken(account.name.clone()));
    }
    let line = write_account(account);
    match parse_line(line.as_bytes()) {
        Line::Account(read, _) if read == *account => Ok(append(file, &line)),
        _ => Err(EditError::Unwritable(account.name.clone())),
    }
}

fn has_name(line: &[u8], name: &UserName) -> bool {
    matches!(parse_line(line), Line::Account(account, _) if account.name == *name)
}

/// The account that counts for `name`, and where in the file its secret stands.
fn find(file: &[u8], name: &UserName) -> Option<(Account, Range<usize>)> {
    let mut found = None;
    let mut start = 0;
    for line in lines(file) {
        if let Line::Account(account, at) = parse_line(line)
            && account.name == *name
        {
            found = Some((account, start + at.start..start + at.end));
        }
        start += line.len();
    }
    found
}

fn splice(file: &[u8], at: Range<usize>, secret: &Secret) -> Vec<u8> {
    [
        &file[..at.start],
        secret.as_str().as_bytes(),
        &file[at.end..],
    ]
    .concat()
}

/// Appends a line, with the line ending that the last line has.
fn append(file: &[u8], line: &str) -> Vec<u8> {
    let terminated = lines(file).filter(|line| line.ends_with(b"\n"));
    let ending: &[u8] = match terminated.last() {
        Some(last) if last.ends_with(b"\r\n") => b"\r\n",
        _ => b"\n",
    };
    let mut out = file.to_vec();
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(ending);
    }
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(ending);
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::users::conformance::{PHC, account, md5};
    use super::super::line::parse;
    use super::*;
    use crate::session::Role;
    use proptest::prelude::*;

    fn edited(file: &str, change: Change<'_>) -> String {
        let out = apply(file.as_bytes(), change).unwrap().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_new_account_goes_to_the_end_with_the_endings_of_the_file() {
        let me = account("me", md5('a'), Role::Admin);
        let line = format!("me|{}|admin", "a".repeat(32));
        assert_eq!(edited("", Change::Add(&me)), format!("{line}\n"));
        assert_eq!(edited("# x", Change::Add(&me)), format!("# x\n{line}\n"));
        assert_eq!(
            edited("# x\r\n#", Change::Add(&me)),
            format!("# x\r\n#\r\n{line}\r\n")
        );
        let taken = apply(line.as_bytes(), Change::Add(&me));
        assert!(matches!(taken, Err(EditError::NameTaken(_))));
        let odd = account("\u{feff}me", md5('a'), Role::User);
        let odd = apply(b"", Change::Add(&odd));
        assert!(matches!(odd, Err(EditError::Unwritable(_))));
    }

    #[test]
    fn a_secret_is_replaced_where_it_stands() {
        let a = "a".repeat(32);
        let file = format!("\u{feff}me | {a} |user \r\nyou|{a}");
        let secret = Secret::Argon2(PHC.to_owned());
        let me = UserName::new("me").unwrap();
        assert_eq!(
            edited(&file, Change::SetSecret(&me, &secret)),
            format!("\u{feff}me | {PHC} |user \r\nyou|{a}")
        );
        let seen = account("me", md5('b'), Role::User);
        let changed = apply(file.as_bytes(), Change::ReplaceSecret(&seen, &secret));
        assert!(matches!(changed, Ok(None)));
        let nobody = UserName::new("nobody").unwrap();
        let absent = apply(file.as_bytes(), Change::SetSecret(&nobody, &secret));
        assert!(matches!(absent, Err(EditError::NoSuchUser(_))));
    }

    #[test]
    fn of_two_lines_the_last_is_changed_and_both_are_removed() {
        let (a, b) = ("a".repeat(32), "b".repeat(32));
        let file = format!("me|{a}\n# me\nme|{a}\n");
        let me = UserName::new("me").unwrap();
        assert_eq!(
            edited(&file, Change::SetSecret(&me, &md5('b'))),
            format!("me|{a}\n# me\nme|{b}\n")
        );
        assert_eq!(edited(&file, Change::Remove(&me)), "# me\n");
        let again = apply(b"# me\n", Change::Remove(&me));
        assert!(matches!(again, Err(EditError::NoSuchUser(_))));
    }

    /// A file made of lines of every sort, with every sort of ending.
    fn any_file() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            "[a-c]\\|[a-f0-9]{32}(\\|admin)?".prop_map(String::into_bytes),
            Just(format!("d|{PHC}").into_bytes()),
            "# .{0,8}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..12),
        ];
        let ending = prop_oneof![Just(&b"\n"[..]), Just(&b"\r\n"[..]), Just(&b""[..])];
        prop::collection::vec((line, ending), 0..8).prop_map(|lines| {
            lines
                .into_iter()
                .flat_map(|(line, end)| [line, end.to_vec()].concat())
                .collect()
        })
    }

    /// The lines that do not belong to `name`, byte for byte.
    fn others(file: &[u8], name: &UserName) -> Vec<Vec<u8>> {
        lines(file)
            .filter(|line| !has_name(line, name))
            .map(<[u8]>::to_vec)
            .collect()
    }

    proptest! {
        #[test]
        fn an_edit_touches_one_account_and_no_other_line(file in any_file(), name in "[a-e]") {
            let name = UserName::new(name).unwrap();
            let before = parse(&file);
            let mut expected = before.accounts.clone();
            let secret = Secret::Argon2(PHC.replace("QUFB", "QUFC"));
            let set = apply(&file, Change::SetSecret(&name, &secret));
            if let Some(old) = expected.get_mut(name.as_str()) {
                old.secret = secret;
                let after = set.unwrap().unwrap();
                prop_assert_eq!(parse(&after).accounts, expected.clone());
                prop_assert_eq!(others(&after, &name), others(&file, &name));

                let after = apply(&file, Change::Remove(&name)).unwrap().unwrap();
                expected.remove(name.as_str());
                prop_assert_eq!(parse(&after).accounts, expected);
                prop_assert_eq!(lines(&after).map(<[u8]>::to_vec).collect::<Vec<_>>(), others(&file, &name));
            } else {
                prop_assert!(matches!(set, Err(EditError::NoSuchUser(_))));
                let new = account(name.as_str(), secret, Role::Admin);
                let after = apply(&file, Change::Add(&new)).unwrap().unwrap();
                prop_assert!(after.starts_with(&file));
                expected.insert(name, new);
                prop_assert_eq!(parse(&after).accounts, expected);
            }
        }
    }
}

//! How the files of a folder are called on a server, whose names have one component: their paths
//! are percent-encoded, as in URLs, and so can be had back.

use crate::wire::{FileName, NameError};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// The name for `path`, which is relative and has no `..`: `/` becomes `%2F` and `%` becomes `%25`,
/// and so does whatever else a name can't hold: control characters, backslashes, a dot at the
/// beginning, bytes that are no UTF-8.
///
/// # Errors
///
/// If it becomes too long.
pub(in crate::cli) fn flatten(path: &Path) -> Result<FileName, NameError> {
    let mut name = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            let dot = c == '.' && name.is_empty();
            match dot || c.is_control() || matches!(c, '/' | '\\' | '%') {
                true => encode(&mut name, c.encode_utf8(&mut [0; 4]).as_bytes()),
                false => name.push(c),
            }
        }
        encode(&mut name, chunk.invalid());
    }
    FileName::new(name)
}

fn encode(name: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(name, "%{byte:02X}");
    }
}

/// The path for which `name` stands; `None` if it is not one that leads downwards.
pub(in crate::cli) fn unfold(name: &FileName) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(name.as_str().len());
    let mut rest = name.as_str().as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        bytes.push(match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                let digit = |digit: u8| char::from(digit).to_digit(16);
                // Two digits below 16 make at most 255.
                (digit(*high)? * 16 + digit(*low)?) as u8
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        });
    }
    let path = PathBuf::from(OsString::from_vec(bytes));
    leads_down(&path).then_some(path)
}

/// Whether every component of `path` is a name, as it is written.
fn leads_down(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let mut components = path.components();
    // What the path's own reading leaves out (`//`, `/./`, a slash at the end) is not taken.
    bytes.split(|byte| *byte == b'/').all(|written| {
        let is_name = |component| matches!(component, Component::Normal(name) if name == OsStr::from_bytes(written));
        !written.contains(&0) && components.next().is_some_and(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_becomes_one_name_and_comes_back() {
        for (path, name) in [
            ("a.txt", "a.txt"),
            ("photos/2024/a b.jpg", "photos%2F2024%2Fa b.jpg"),
            ("100%/x", "100%25%2Fx"),
            ("a%2Fb", "a%252Fb"),
            (".git/HEAD", "%2Egit%2FHEAD"),
            ("a/.b", "a%2F.b"),
            ("a\nb\\c", "a%0Ab%5Cc"),
            ("相片/\u{85}", "相片%2F%C2%85"),
        ] {
            let flat = flatten(Path::new(path)).unwrap();
            assert_eq!(flat.as_str(), name);
            assert_eq!(unfold(&flat).as_deref(), Some(Path::new(path)));
        }
        let latin = OsStr::from_bytes(b"caf\xe9/x");
        let flat = flatten(Path::new(latin)).unwrap();
        assert_eq!(flat.as_str(), "caf%E9%2Fx");
        assert_eq!(unfold(&flat).unwrap().as_os_str(), latin);
        assert!(flatten(Path::new(&"x/".repeat(65))).is_err());
    }

    #[test]
    fn no_name_leads_out_of_a_folder() {
        for name in [
            "%2Fetc%2Fpasswd",
            "%2E.%2Fx",
            "a%2F..%2Fx",
            "a%2F%2E%2E%2Fx",
            "%2E%2E",
            "a%2F.%2Fb",
            "a%2F%2Fb",
            "a%2F",
            "%00",
            "%",
            "%2",
            "%zz",
            "%+1",
        ] {
            assert_eq!(unfold(&FileName::new(name).unwrap()), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_path_comes_back(path in "[^/\0]{1,9}(/[^/\0]{1,9}){0,3}") {
            let path = Path::new(&path);
            prop_assume!(leads_down(path));
            let back = unfold(&flatten(path).unwrap());
            prop_assert_eq!(back.as_deref(), Some(path));
        }

        #[test]
        fn any_name_stays_below(name in "(%2F|%2E|\\.|/?[a-z%.]|%[0-9a-fA-F]{2}){1,12}") {
            if let Some(path) = FileName::new(name).ok().and_then(|name| unfold(&name)) {
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }
}

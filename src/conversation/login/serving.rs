//! The serving side of `login://`. Whatever is not one JSON object within the bound is taken for a
//! login that says nothing, so that there is one place that refuses.

use super::{GREETING, REFUSAL, WELCOME};
use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Header, Id, Refusal};
use serde_json::{Map, Value};

/// The fields that are a login's. Others are ignored, whatever else the server may know by them.
const FIELDS: [&str; 2] = ["username", "password"];

/// A conversation as the server sees it.
#[derive(Debug)]
pub struct LoginServing {
    max_object: usize,
    scan: Scan,
    state: State,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the end of the object.
    Listening,
    /// The login was told.
    Told,
    /// There is nothing more to hear.
    Over,
}

/// How far an object was looked at, so that no byte of it is looked at twice.
#[derive(Debug, Default)]
struct Scan {
    scanned: usize,
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
}

impl Scan {
    /// The length of the object at the beginning of `input`, once it is whole.
    fn find_end(&mut self, input: &[u8]) -> Option<usize> {
        while let Some(byte) = input.get(self.scanned) {
            self.scanned += 1;
            match byte {
                _ if std::mem::take(&mut self.is_escaped) => {}
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.scanned);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

impl LoginServing {
    /// A conversation at its start, with an object of at most `max_object` bytes.
    #[must_use]
    pub fn new(max_object: usize) -> Self {
        Self {
            max_object,
            scan: Scan::default(),
            state: State::Listening,
            has_ended: false,
        }
    }

    /// The login that was found, if there is one to find yet.
    fn find(&mut self, input: &mut &[u8]) -> Option<Header> {
        if self.scan.scanned == 0 {
            *input = input.trim_ascii_start();
        }
        let is_object = *input.first()? == b'{';
        let length = if is_object {
            self.scan.find_end(input)
        } else {
            Some(0)
        };
        let object = match length {
            Some(length) if length <= self.max_object => &input[..length],
            Some(_) => &[],
            None if input.len() >= self.max_object || self.has_ended => &[],
            None => return None,
        };
        let object: Map<String, Value> = serde_json::from_slice(object).unwrap_or_default();
        let mut login = Header::new("login").with_id(0);
        for name in FIELDS {
            if let Some(value) = object.get(name) {
                login = login.with(name, value.clone());
            }
        }
        Some(login)
    }
}

impl Serving for LoginServing {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(GREETING.as_bytes());
    }

    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        Ok(match self.state {
            State::Listening => match self.find(input) {
                Some(login) => {
                    self.state = State::Told;
                    *input = &[];
                    Step::Begin(login)
                }
                None => Step::More,
            },
            State::Told => {
                self.state = State::Over;
                Step::Close
            }
            State::Over => Step::More,
        })
    }

    fn end(&mut self) {
        self.has_ended = true;
    }

    fn tells_refusals(&self) -> bool {
        true
    }

    fn answer(&mut self, _: Option<&Id>, answer: &Answer, out: &mut Vec<u8>) {
        let words = if answer.is_ok() { WELCOME } else { REFUSAL };
        out.extend_from_slice(words.as_bytes());
    }

    fn last_word(&self, _: &Refusal, out: &mut Vec<u8>) {
        out.extend_from_slice(REFUSAL.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::play::Host;
    use crate::wire::Reply;
    use proptest::prelude::*;

    fn seen(reads: &[&[u8]]) -> Vec<String> {
        let mut login = Host::new(LoginServing::new(256));
        for read in reads {
            login.read(read);
        }
        login.seen
    }

    const NOTHING: [&str; 2] = ["login:", "close"];

    #[test]
    fn one_object_is_a_login_and_the_rest_is_not_looked_at() {
        let said = br#" {"x":{"username":["}"]},"password":"b\"}","token":1,"username":"a"} {"#;
        let login = r#"login username="a" password="b\"}":"#;
        assert_eq!(seen(&[said]), [login, "close"]);
        assert_eq!(
            seen(&[br#"{"username":1}"#]),
            ["login username=1:", "close"]
        );
    }

    #[test]
    fn junk_says_nothing_and_is_answered_at_once() {
        let deep = "[".repeat(200);
        let deep = format!("{{\"a\":{deep}{}}}", deep.replace('[', "]"));
        for junk in [
            "x",
            "[]",
            "\"",
            "{]",
            "{}",
            "{x}",
            "{\"a\":1]}",
            "\u{feff}{}",
            deep.as_str(),
        ] {
            assert_eq!(seen(&[junk.as_bytes()]), NOTHING, "{junk}");
        }
        assert_eq!(seen(&[b" \r\n\t"]), [""; 0]);
    }

    #[test]
    fn the_bound_is_the_object_s() {
        let object = |bytes: usize| format!("{{\"username\":\"{}\"}}", "a".repeat(bytes - 15));
        let whole = seen(&[object(256).as_bytes()]);
        assert!(whole[0].starts_with("login username=\"a"), "{whole:?}");
        assert_eq!(seen(&[object(257).as_bytes()]), NOTHING);
        assert_eq!(seen(&[&[b'{'; 255]]), [""; 0]);
        assert_eq!(seen(&[&[b'{'; 255], b"{"]), NOTHING);
    }

    #[test]
    fn an_end_in_the_middle_is_answered_and_silence_is_not() {
        let mut login = Host::new(LoginServing::new(256));
        assert_eq!(login.opening(), "欢迎使用XX系统");
        login.read(b"{\"username\":");
        login.end();
        assert_eq!(login.seen, NOTHING);
        assert_eq!(login.answer(0, &Err(Refusal::internal())), "账号或密码错误");
        assert_eq!(login.answer(0, &Ok(Reply::new())), "登陆成功");
        let mut silent = Host::new(LoginServing::new(256));
        silent.end();
        assert!(silent.seen.is_empty());
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            name: String, proof: String, cuts in prop::collection::vec(1usize..40, 1..9),
        ) {
            let object = serde_json::json!({"username": name, "password": proof}).to_string();
            let mut host = Host::new(LoginServing::new(1 << 20));
            let (mut rest, mut cuts) = (object.as_bytes(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                host.read(piece);
                rest = tail;
            }
            let value = |text: &str| Value::from(text).to_string();
            let login = format!("login username={} password={}:", value(&name), value(&proof));
            prop_assert_eq!(host.seen, [login.as_str(), "close"]);
        }

        #[test]
        fn any_bytes_are_survived(reads in prop::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
            seen(&reads);
        }
    }
}

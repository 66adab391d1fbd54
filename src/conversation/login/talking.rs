//! The talking side of `login://`: one JSON object, one verdict.

use super::{GREETING, REFUSAL, WELCOME};
use crate::conversation::talking::Heard;
use crate::conversation::{BrokenOff, Talking, Turn, Unsayable};
use serde_json::Value;

/// What the server thinks of a name and a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are right.
    Welcome,
    /// One of them is wrong.
    Refused,
    /// The server said something else.
    Unclear,
}

/// Hears the greeting, says [`LoginTalking::credentials`], hears the verdict.
#[derive(Debug)]
pub struct LoginTalking {
    heard: Heard,
    state: State,
    verdict: Option<Verdict>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Credentials,
    Answer,
    Over,
}

impl LoginTalking {
    /// At the start, where the server speaks first.
    #[must_use]
    pub fn new() -> Self {
        Self {
            heard: Heard::default(),
            state: State::Greeting,
            verdict: None,
        }
    }

    /// What is to be said: the JSON object with the user's name and the proof (see
    /// [`crate::wire::proof`]), written as the course's client does.
    #[must_use]
    pub fn credentials(user: &str, proof: &str) -> String {
        let (user, proof) = (Value::from(user), Value::from(proof));
        format!(r#"{{"username": {user}, "password": {proof}}}"#)
    }

    /// What the server said to it, once the conversation is over.
    #[must_use]
    pub const fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    fn judge(&mut self, answer: &str) {
        self.state = State::Over;
        self.verdict = Some(match answer {
            WELCOME => Verdict::Welcome,
            REFUSAL => Verdict::Refused,
            _ => Verdict::Unclear,
        });
    }
}

impl Default for LoginTalking {
    fn default() -> Self {
        Self::new()
    }
}

impl Talking for LoginTalking {
    fn say(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        if text.is_empty() {
            return Err(Unsayable::Empty);
        }
        out.extend_from_slice(text.as_bytes());
        self.state = State::Answer;
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<String> {
        self.heard.hear(bytes);
        match self.state {
            State::Greeting => {
                let greeting = if self.heard.take_exactly(GREETING) {
                    // What stands behind it is the verdict's already.
                    GREETING.to_owned()
                } else {
                    self.heard.take(GREETING)?
                };
                self.state = State::Credentials;
                Some(greeting)
            }
            // The server closes, but need not be waited for once its word is clear.
            State::Answer if matches!(self.heard.text(), WELCOME | REFUSAL) => {
                let answer = self.heard.finish();
                self.judge(&answer);
                Some(answer)
            }
            _ => self.heard.take_if_long(),
        }
    }

    fn end(&mut self) -> Result<Option<String>, BrokenOff> {
        let rest = self.heard.finish();
        match self.state {
            State::Over => {}
            State::Answer if !rest.is_empty() => self.judge(&rest),
            _ => {
                self.state = State::Over;
                return Err(BrokenOff { rest });
            }
        }
        Ok((!rest.is_empty()).then_some(rest))
    }

    fn turn(&self) -> Turn {
        match self.state {
            State::Greeting | State::Answer => Turn::Listen,
            State::Credentials => Turn::Speak,
            State::Over => Turn::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::talking::tests::{heard, said};
    use proptest::prelude::*;

    fn greeted() -> LoginTalking {
        let mut login = LoginTalking::new();
        assert_eq!(login.hear(GREETING.as_bytes()).as_deref(), Some(GREETING));
        assert_eq!(login.turn(), Turn::Speak);
        login
    }

    #[test]
    fn the_courses_words_have_the_courses_lengths() {
        assert_eq!([GREETING, WELCOME, REFUSAL].map(str::len), [20, 12, 21]);
    }

    #[test]
    fn credentials_are_the_courses_and_no_name_breaks_out() {
        assert_eq!(
            LoginTalking::credentials("冬梅", "ef0d"),
            r#"{"username": "冬梅", "password": "ef0d"}"#
        );
        let text = LoginTalking::credentials("a\", \"x\": \"\n", "p");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["username"], "a\", \"x\": \"\n");
    }

    #[test]
    fn a_clear_verdict_needs_no_close() {
        for (answer, verdict) in [(WELCOME, Verdict::Welcome), (REFUSAL, Verdict::Refused)] {
            let mut login = greeted();
            said(&mut login, "{}");
            assert_eq!(login.turn(), Turn::Listen);
            assert_eq!(login.hear(&answer.as_bytes()[..4]), None);
            assert_eq!(login.hear(&answer.as_bytes()[4..]).as_deref(), Some(answer));
            assert_eq!(login.turn(), Turn::Over);
            assert_eq!(login.verdict(), Some(verdict));
            assert_eq!(login.end(), Ok(None));
        }
    }

    #[test]
    fn any_other_word_is_no_yes() {
        let mut login = greeted();
        said(&mut login, "{}");
        assert_eq!(login.hear("登陆成功 not".as_bytes()), None);
        assert_eq!(login.end(), Ok(Some("登陆成功 not".to_owned())));
        assert_eq!(login.verdict(), Some(Verdict::Unclear));
        // Nor is none at all.
        let mut login = greeted();
        said(&mut login, "{}");
        assert!(login.end().is_err());
        assert_eq!(login.verdict(), None);
    }

    #[test]
    fn a_verdict_before_the_credentials_is_no_verdict_yet() {
        let mut login = LoginTalking::new();
        let both = format!("{GREETING}{REFUSAL}");
        assert_eq!(login.hear(both.as_bytes()).as_deref(), Some(GREETING));
        assert_eq!(login.verdict(), None);
        let rest = REFUSAL.to_owned();
        assert_eq!(login.end(), Err(BrokenOff { rest }));
    }

    proptest! {
        #[test]
        fn nothing_that_came_is_lost(bytes: Vec<u8>, size in 1usize..9, is_said: bool) {
            let mut login = LoginTalking::new();
            if is_said {
                said(&mut login, "{}");
            }
            prop_assert_eq!(heard(&mut login, &bytes, size), String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn credentials_read_back(user: String, proof: String) {
            let text = LoginTalking::credentials(&user, &proof);
            let object: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(object["username"].as_str(), Some(user.as_str()));
            prop_assert_eq!(object["password"].as_str(), Some(proof.as_str()));
        }
    }
}

//! Which conversation and where: `scheme[+tls]://host:port`, as a person types it. What a listener may
//! say in its URL is left to [`crate::config`].

use crate::client::address::authority_of;
use crate::client::{Address, AddressError};
use crate::conversation::Talking;
use crate::conversation::bot::BotTalking;
use crate::conversation::delay::DelayTalking;
use crate::conversation::frames::{FramesTalking, Length};
use crate::conversation::hello::HelloTalking;
use crate::conversation::sink::SinkTalking;
use std::str::FromStr;

/// A conversation that can be talked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversation {
    /// One text, one answer.
    Hello,
    /// A greeting, then an answer to each text.
    Bot,
    /// One file.
    Upload,
    /// One proof, one verdict.
    Login,
    /// An answer to each text, to `sleep` a late one.
    Delay,
    /// Texts without an answer.
    Sink,
    /// The same, framed.
    Frames(Length),
    /// Datagrams.
    Udp,
}

/// All of them, by the word before `://`.
pub const CONVERSATIONS: &[(&str, Conversation)] = &[
    ("hello", Conversation::Hello),
    ("bot", Conversation::Bot),
    ("upload", Conversation::Upload),
    ("login", Conversation::Login),
    ("delay", Conversation::Delay),
    ("sink", Conversation::Sink),
    ("frames", Conversation::Frames(Length::Binary)),
    ("udp", Conversation::Udp),
];

impl Conversation {
    /// The talking side, where texts are said over a stream; the others have clients of their own.
    #[must_use]
    pub fn talking(self) -> Option<Box<dyn Talking>> {
        Some(match self {
            Self::Hello => Box::new(HelloTalking::new()),
            Self::Bot => Box::new(BotTalking::new()),
            Self::Delay => Box::new(DelayTalking::new()),
            Self::Sink => Box::new(SinkTalking::new()),
            Self::Frames(length) => Box::new(FramesTalking::new(length)),
            Self::Upload | Self::Login | Self::Udp => return None,
        })
    }

    /// Whether an empty text can be said.
    #[must_use]
    pub const fn takes_empty(self) -> bool {
        matches!(self, Self::Frames(Length::Binary) | Self::Udp)
    }
}

/// A conversation and the server to have it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// What is spoken.
    pub conversation: Conversation,
    /// With whom.
    pub address: Address,
}

impl FromStr for Url {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|reason| AddressError {
            address: text.to_owned(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Url, String> {
    let (scheme, rest) = text
        .split_once("://")
        .ok_or("it has no scheme, as in hello://127.0.0.1:8002")?;
    if matches!(scheme, "framed" | "framed+tls") {
        return Err("framed:// has commands of its own, such as say, send and chat".to_owned());
    }
    let (plain, is_encrypted) = match scheme.strip_suffix("+tls") {
        Some(plain) => (plain, true),
        None => (scheme, false),
    };
    let known = CONVERSATIONS.iter().find(|(word, _)| *word == plain);
    let Some(&(_, mut conversation)) = known else {
        let known: Vec<_> = CONVERSATIONS.iter().map(|(word, _)| *word).collect();
        let known = known.join(", ");
        return Err(format!(
            "there is no conversation {scheme:?}; known are {known}"
        ));
    };
    if is_encrypted && conversation == Conversation::Udp {
        return Err("there is no TLS for datagrams".to_owned());
    }
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match (&mut conversation, pair) {
            (Conversation::Frames(length), "length=ascii") => *length = Length::Ascii,
            (Conversation::Frames(_), _) if pair.starts_with("length=") => {
                return Err("the only length that can be asked for is ascii".to_owned());
            }
            _ => return Err(format!("there is no parameter {pair:?} to {scheme}://")),
        }
    }
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    Ok(Url {
        conversation,
        address: authority_of(authority, None)?.encrypted(is_encrypted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn reads(text: &str, conversation: Conversation, address: &str) {
        let url: Url = text.parse().unwrap();
        assert_eq!(url.conversation, conversation);
        assert_eq!(url.address.to_string(), address);
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = text.parse::<Url>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn every_conversation_has_its_word() {
        for (word, conversation) in CONVERSATIONS {
            reads(&format!("{word}://[::1]:9"), *conversation, "[::1]:9");
        }
        reads("hello://localhost:1/", Conversation::Hello, "localhost:1");
        let ascii = Conversation::Frames(Length::Ascii);
        reads("frames://a.example:1?length=ascii", ascii, "a.example:1");
        let binary = Conversation::Frames(Length::Binary);
        reads("frames://a.example:1?", binary, "a.example:1");
    }

    #[test]
    fn what_takes_an_empty_text_can_say_it() {
        for (_, conversation) in CONVERSATIONS {
            if let Some(mut talking) = conversation.talking() {
                let said = talking.say("", &mut Vec::new());
                assert_eq!(said.is_ok(), conversation.takes_empty(), "{conversation:?}");
            }
        }
    }

    #[test]
    fn a_wrong_url_says_what_is_wrong() {
        refused("127.0.0.1:1", "no scheme");
        refused(
            "smtp://x:1",
            "no conversation \"smtp\"; known are hello, bot,",
        );
        refused("framed://x:1", "say, send and chat");
        refused("hello://x", "no port");
        refused("hello://x:0", "\"0\" is no port");
        refused("hello://:1", "no host");
        refused("frames://x:1?length=utf8", "only length");
        refused("sink://x:1?length=ascii", "no parameter \"length=ascii\"");
        refused("hello://x:1?reply=Hi", "no parameter");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            if let Ok(url) = format!("bot://{text}").parse::<Url>() {
                let again = format!("bot://{}", url.address);
                prop_assert_eq!(again.parse(), Ok(url));
            }
        }
    }
}

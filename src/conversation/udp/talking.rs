//! The talking side of `udp://`: what is sent again when no answer comes, and how often. How long
//! to wait is left to [`mod@crate::client`].

use super::MAX_DATAGRAM;
use crate::conversation::Unsayable;

/// Says texts, one a datagram, and hears an answer to each.
///
/// A datagram may get lost on its way there or its answer on the way back; nobody can tell which.
/// One that is sent again may therefore be taken twice.
#[derive(Debug)]
pub struct UdpTalking {
    tries: u32,
    left: u32,
}

/// No answer came in time. What now?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The same datagram is to be sent once more.
    SayAgain,
    /// It was sent often enough.
    GiveUp,
}

impl UdpTalking {
    /// Each text is sent at most `tries` times, at least once.
    #[must_use]
    pub const fn new(tries: u32) -> Self {
        Self { tries, left: 0 }
    }

    /// The datagram that says `text`: its bytes, none at all for an empty one.
    ///
    /// # Errors
    ///
    /// [`Unsayable::TooLong`] above [`MAX_DATAGRAM`].
    pub const fn say<'a>(&mut self, text: &'a str) -> Result<&'a [u8], Unsayable> {
        if text.len() > MAX_DATAGRAM {
            return Err(Unsayable::TooLong {
                length: text.len(),
                most: MAX_DATAGRAM,
            });
        }
        self.left = self.tries;
        Ok(text.as_bytes())
    }

    /// Takes the answer: a datagram is whole or it isn't there at all.
    #[must_use]
    pub fn hear(&mut self, datagram: &[u8]) -> String {
        self.left = 0;
        String::from_utf8_lossy(datagram).into_owned()
    }

    /// Takes that no answer came in time.
    pub const fn miss(&mut self) -> Missing {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            Missing::GiveUp
        } else {
            Missing::SayAgain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RECEIVED;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_a_datagram_up_to_the_longest() {
        let mut udp = UdpTalking::new(1);
        assert_eq!(udp.say(""), Ok(&b""[..]));
        assert_eq!(udp.say("你好"), Ok("你好".as_bytes()));
        assert_eq!(udp.say(&"a".repeat(65_507)).map(<[u8]>::len), Ok(65_507));
        let (length, most) = (65_508, 65_507);
        assert_eq!(
            udp.say(&"a".repeat(length)),
            Err(Unsayable::TooLong { length, most })
        );
        assert_eq!(RECEIVED.len(), 9);
        assert_eq!(udp.hear(RECEIVED.as_bytes()), RECEIVED);
    }

    #[test]
    fn each_text_has_its_tries() {
        let mut udp = UdpTalking::new(3);
        for _ in 0..2 {
            udp.say("x").unwrap();
            let missed: Vec<_> = (0..3).map(|_| udp.miss()).collect();
            assert_eq!(
                missed,
                [Missing::SayAgain, Missing::SayAgain, Missing::GiveUp]
            );
        }
        assert_eq!(UdpTalking::new(0).miss(), Missing::GiveUp);
    }

    proptest! {
        #[test]
        fn any_answer_is_text(datagram: Vec<u8>) {
            let text = UdpTalking::new(1).hear(&datagram);
            prop_assert_eq!(text, String::from_utf8_lossy(&datagram));
        }
    }
}

//! What a client reads until the server has nothing more to say.

use crate::support::Peer;
use serde_json::Value;
use std::io::ErrorKind;

/// All that came until the end of the server's half.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The answers, in their order.
    pub(crate) answers: Vec<Value>,
    /// Whether it was said that the server goes away.
    pub(crate) going_away: bool,
}

impl Heard {
    /// Reads to the end.
    #[track_caller]
    pub(crate) fn to_the_end(peer: &mut Peer) -> Self {
        let mut heard = Self::default();
        loop {
            match peer.try_next() {
                Ok(Some(frame)) => heard.note(&frame),
                Ok(None) => return heard,
                // What a client sends after the server has gone turns the end into a reset.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                    ) =>
                {
                    return heard;
                }
                Err(error) => panic!("no end came: {error}; {heard:?}"),
            }
        }
    }

    #[track_caller]
    fn note(&mut self, frame: &[u8]) {
        let header: Value = serde_json::from_slice(frame).expect("it is JSON");
        if header["msg_type"] == "going_away" {
            assert!(header["retry_after_ms"].as_u64() > Some(0), "{header}");
            assert!(!self.going_away, "it was said twice");
            self.going_away = true;
        } else {
            self.answers.push(header);
        }
    }
}

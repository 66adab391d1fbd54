//! Which conversation a new connection begins.

use crate::config::{Limits, Listen, Scheme};
use crate::conversation::Serving;
use crate::conversation::bot::BotServing;
use crate::conversation::delay::DelayServing;
use crate::conversation::framed::FramedServing;
use crate::conversation::frames::{FramesServing, Length};
use crate::conversation::hello::{self, HelloServing};
use crate::conversation::login::LoginServing;
use crate::conversation::sink::SinkServing;
use crate::conversation::upload::UploadServing;

/// The conversation that `listen` asks for, with headers of at most `max_header` bytes. `None` for
/// one that has no connections.
pub(super) fn begin(
    listen: &Listen,
    limits: &Limits,
    max_header: usize,
) -> Option<Box<dyn Serving>> {
    let max_text = limits.max_text;
    Some(match listen.scheme {
        Scheme::Framed => Box::new(FramedServing::new(max_header)),
        Scheme::Hello => {
            let reply = listen.reply.as_deref().unwrap_or(hello::REPLY);
            Box::new(HelloServing::new(max_text, reply.to_owned()))
        }
        Scheme::Bot => Box::new(BotServing::new(max_text)),
        Scheme::Upload => Box::new(UploadServing::new()),
        // Nobody is logged in before it is over.
        Scheme::Login => Box::new(LoginServing::new(limits.max_header_before_login)),
        Scheme::Delay => Box::new(DelayServing::new(max_text)),
        Scheme::Sink => Box::new(SinkServing::new(max_text)),
        Scheme::Frames => Box::new(FramesServing::new(if listen.ascii_length {
            Length::Ascii
        } else {
            Length::Binary
        })),
        Scheme::Udp => return None,
    })
}

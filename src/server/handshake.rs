//! The beginning of a connection inside TLS: when its handshake goes on, and what becomes of a peer
//! that has none. How long it may take is in `wait`.

use super::connection::Inside;
use super::turn::Turn;
use crate::handler::Cost;
use crate::tls::Broken;
use crate::wire::{Code, Refusal};
use std::io;

impl Turn<'_> {
    /// Whether what the socket has may be made out now. A handshake costs some signing: it runs beside
    /// the leader, and on few threads at once; that there is something to do is found out before.
    pub(super) fn may_open(&mut self, inside: &mut Inside) -> io::Result<bool> {
        let Some(stream) = inside.stream.as_mut().filter(|it| it.is_handshaking()) else {
            return Ok(true);
        };
        let (has_work, more) = stream.gather()?;
        inside.readable = has_work || more || inside.ending;
        Ok(has_work && self.enter(inside, Cost::Handshaking))
    }

    /// Gives up a peer that does not speak TLS, or not properly: it gets the alert and the end.
    pub(super) fn break_tls(&mut self, inside: &mut Inside, broken: &Broken) {
        let refusal = Refusal::new(Code::BadFrame, format!("TLS: {broken}"));
        self.core.log_refusal(inside.session.peer, &refusal);
        inside.outbox.clear();
        inside.replies.clear();
        inside.asleep.clear();
        inside.last_word = None;
        inside.owes_goodbye = false;
        inside.reader.close(&self.core.house.rooms);
        self.drop_transfer(inside);
        inside.was_told = true;
        self.ignore_input(inside);
    }
}

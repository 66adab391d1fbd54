//! The conversations without headers, driven as a server does: bytes in pieces, pauses between them,
//! answers that come when they come, and an end that may be anybody's.

use gatepost::conversation::bot::BotServing;
use gatepost::conversation::delay::DelayServing;
use gatepost::conversation::frames::{FramesServing, Length};
use gatepost::conversation::hello::{self, HelloServing};
use gatepost::conversation::login::LoginServing;
use gatepost::conversation::sink::SinkServing;
use gatepost::conversation::upload::UploadServing;
use gatepost::conversation::{Serving, Step};
use gatepost::wire::{Code, Expect, Id, Refusal, Reply};

/// The longest text that is taken here.
const MAX_TEXT: usize = 64;

/// What a target byte asks for besides the length of a piece.
const PAUSES: u8 = 1 << 6;
const ANSWERS: u8 = 1 << 7;

/// Begins the conversation that `choice` stands for.
fn begin(choice: u8) -> Box<dyn Serving> {
    match choice % 8 {
        0 => Box::new(HelloServing::new(MAX_TEXT, hello::REPLY.to_owned())),
        1 => Box::new(BotServing::new(MAX_TEXT)),
        2 => Box::new(UploadServing::new()),
        3 => Box::new(LoginServing::new(MAX_TEXT)),
        4 => Box::new(DelayServing::new(MAX_TEXT)),
        5 => Box::new(SinkServing::new(MAX_TEXT)),
        6 => Box::new(FramesServing::new(Length::Binary)),
        _ => Box::new(FramesServing::new(Length::Ascii)),
    }
}

/// Any of the conversations. The first byte says which, the second how it ends; then comes, again and
/// again, a byte with the length of the next piece and what follows it, and that piece.
///
/// # Panics
///
/// If a body is told without its beginning, more is told than there was, or it never comes to rest.
pub fn classic(data: &[u8]) {
    let [choice, end, script @ ..] = data else {
        return;
    };
    let mut host = Host::new(begin(*choice));
    let mut script = script;
    while let Some((order, rest)) = script.split_first() {
        let length = usize::from(order & 63).min(rest.len());
        let (piece, later) = rest.split_at(length);
        script = later;
        host.feed(piece);
        if order & PAUSES != 0 && host.serving.pause() {
            host.feed(b"");
        }
        if order & ANSWERS != 0 {
            host.answer(order & PAUSES != 0);
        }
    }
    match end % 3 {
        0 => return,
        1 => host.serving.end(),
        _ => host.serving.cut_off(),
    }
    host.feed(b"");
    while host.answer(true) {}
}

/// A conversation and what is left of its input.
struct Host {
    serving: Box<dyn Serving>,
    pending: Vec<u8>,
    /// Requests that are not answered yet.
    owed: Vec<Option<Id>>,
    is_in_body: bool,
    /// Bytes that came, and that were told.
    came: usize,
    told: usize,
    is_broken: bool,
    out: Vec<u8>,
}

impl Host {
    fn new(mut serving: Box<dyn Serving>) -> Self {
        let mut out = Vec::new();
        serving.open(&mut out);
        Self {
            serving,
            pending: Vec::new(),
            owed: Vec::new(),
            is_in_body: false,
            came: 0,
            told: 0,
            is_broken: false,
            out,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.came += bytes.len();
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut input = pending.as_slice();
        // A text has a beginning, a piece and an end; nothing else can come of a byte.
        let mut steps = 4 * pending.len() + 16;
        while !self.is_broken && self.step(&mut input) {
            steps -= 1;
            assert!(steps > 0, "it goes on without input");
        }
        self.pending = input.to_vec();
        // What is no UTF-8 is told as U+FFFD, three bytes for one.
        assert!(self.told <= 3 * self.came, "{} of {}", self.told, self.came);
    }

    fn step(&mut self, input: &mut &[u8]) -> bool {
        match self.serving.next(input) {
            Ok(Step::More) => return false,
            Ok(Step::Begin(header)) => {
                assert!(!self.is_in_body, "a request within a request");
                self.is_in_body = header.msg_type != "login";
                self.owed.push(header.id);
                self.serving.expect(Expect::Nothing);
            }
            Ok(Step::Piece(piece)) => {
                assert!(self.is_in_body, "a piece of nothing");
                self.told += piece.len();
            }
            Ok(Step::End) => {
                assert!(self.is_in_body, "an end of nothing");
                self.is_in_body = false;
            }
            Ok(Step::Announce(_) | Step::Amend(_) | Step::Close | Step::LastWords) => {}
            Err(refusal) => {
                self.serving.last_word(&refusal, &mut self.out);
                self.is_broken = true;
            }
        }
        true
    }

    /// Answers the oldest request. `false` if there is none.
    fn answer(&mut self, is_well: bool) -> bool {
        if self.owed.is_empty() {
            return false;
        }
        let id = self.owed.remove(0);
        let answer = match is_well {
            true => Ok(Reply::new()),
            false => Err(Refusal::new(Code::Internal, "none")),
        };
        self.serving.answer(id.as_ref(), &answer, &mut self.out);
        true
    }
}

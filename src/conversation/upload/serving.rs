//! The serving side of `upload://`: streams a file on although it is known for certain only at the
//! end where the file begins and what it is called. What of that turns out otherwise is amended.

use super::cut::{Cut, LONGEST, cuts, decide, may_be_broken_off};
use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Code, Fields, FileName, Header, Id, Refusal};

/// A conversation as the server sees it. Holds at most the longest prefix.
#[derive(Debug)]
pub struct UploadServing {
    /// The beginning of the stream, up to the longest prefix.
    head: Vec<u8>,
    /// Bytes of the stream so far.
    received: u64,
    /// How many of them were moved past.
    consumed: u64,
    /// The most bytes that any cut allows.
    most: u64,
    /// Where reads ended within the head.
    borders: Vec<usize>,
    has_ended: bool,
    /// Whether anybody on the way may have ended it.
    was_cut_off: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The prefix may not be all there.
    Head,
    /// The file was begun as this cut says; its size is announced if it is certain.
    Begun { cut: Cut, announce: bool },
    /// Inside the file.
    Content { cut: Cut },
    /// The file is whole and was amended.
    Amended,
    /// There is nothing more to do.
    Over,
}

impl UploadServing {
    /// A conversation at its start.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            head: Vec::new(),
            received: 0,
            consumed: 0,
            most: 0,
            borders: Vec::new(),
            has_ended: false,
            was_cut_off: false,
            state: State::Head,
        }
    }

    fn head<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        if !self.has_ended && input.len() <= LONGEST {
            if self.borders.last() != Some(&input.len()) {
                self.borders.push(input.len());
            }
            return Ok(Step::More);
        }
        if input.is_empty() {
            self.state = State::Over;
            return Ok(Step::More);
        }
        self.head = input[..input.len().min(LONGEST)].to_vec();
        self.most = cuts(&self.head)
            .into_iter()
            .map(Cut::total)
            .max()
            .unwrap_or(0);
        let (cut, is_certain) = if self.has_ended {
            (self.decide()?, true)
        } else {
            self.guess()?
        };
        *input = &input[cut.prefix..];
        self.state = State::Begun {
            cut,
            announce: is_certain,
        };
        let mut header = Header::new("file")
            .with_id(0)
            .with("file_name", self.name(cut));
        if is_certain {
            header = header.with("size", cut.size);
        }
        Ok(Step::Begin(header))
    }

    /// The most likely of the cuts that more bytes may still add up to, and whether it is the only
    /// one.
    fn guess(&self) -> Result<(Cut, bool), Refusal> {
        let mut possible = cuts(&self.head);
        possible.retain(|cut| cut.total() >= self.received);
        // A client that sends the prefix by itself, as the course's does, shows where it ends.
        let is_seen = |cut: &&Cut| self.borders.contains(&cut.prefix);
        let likely = possible.iter().rev().find(is_seen).or(possible.last());
        match likely {
            Some(cut) => Ok((*cut, possible.len() == 1)),
            None => Err(self.explain()),
        }
    }

    /// The cut, now that the stream has ended.
    fn decide(&self) -> Result<Cut, Refusal> {
        let cut = decide(&self.head, self.received).ok_or_else(|| self.explain())?;
        // Beyond the longest prefix no further cut can appear, and beyond the longest file nothing can
        // follow: only then would the end not have been what decides.
        let is_complete = self.received >= LONGEST as u64 && self.received == self.most;
        if self.was_cut_off && !is_complete {
            let reason = format!(
                "{:?} may be the beginning of a longer file: the stream was cut off before it said that \
                 it ends; set aside",
                self.name(cut),
            );
            return Err(Refusal::new(Code::BadFrame, reason));
        }
        let came_apart = self.borders.contains(&cut.prefix);
        if !came_apart && may_be_broken_off(&self.head, cut, self.received) {
            // So few bytes can be told in full: nothing is lost with them.
            let content = String::from_utf8_lossy(&self.head[cut.prefix..]);
            let reason = format!(
                "{:?} may be {content:?} or a longer file that broke off before its first byte: \
                 nothing but digits follows its name; set aside",
                self.name(cut),
            );
            return Err(Refusal::new(Code::BadFrame, reason));
        }
        Ok(cut)
    }

    /// Why the stream so far is no file.
    fn explain(&self) -> Refusal {
        let received = self.received;
        let mut cuts = cuts(&self.head);
        let seen = |cut: &Cut| self.borders.contains(&cut.prefix);
        if cuts.iter().any(seen) {
            cuts.retain(seen);
        }
        let Some(cut) = cuts.last() else {
            return self.explain_prefix();
        };
        let (name, size, came) = (self.name(*cut), cut.size, received - cut.prefix as u64);
        let reason = if came < size {
            format!("{name:?} broke off: {came} of {size} bytes came")
        } else {
            format!("{name:?} has more bytes than it said: {came} instead of {size}")
        };
        Refusal::new(Code::BadFrame, reason)
    }

    /// Why the stream does not begin with a name and a size.
    fn explain_prefix(&self) -> Refusal {
        let is_dash = |at: &usize| {
            let next = self.head.get(at + 1);
            self.head[*at] == b'-' && next.is_some_and(u8::is_ascii_digit)
        };
        let name = (0..self.head.len()).rev().find(is_dash);
        let name = name.and_then(|dash| std::str::from_utf8(&self.head[..dash]).ok());
        match name.map(FileName::new) {
            Some(Err(error)) => error.into(),
            _ => Refusal::new(Code::BadFrame, "it does not begin with NAME-SIZE"),
        }
    }

    fn name(&self, cut: Cut) -> String {
        // A cut has a name that is UTF-8.
        String::from_utf8_lossy(&self.head[..cut.name]).into_owned()
    }

    fn content<'a>(&mut self, cut: Cut, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        if self.received > self.most {
            return Err(self.explain());
        }
        let piece = std::mem::take(input);
        if !piece.is_empty() {
            return Ok(Step::Piece(piece));
        }
        if !self.has_ended {
            return Ok(Step::More);
        }
        let decided = self.decide()?;
        if decided == cut {
            self.state = State::Over;
            return Ok(Step::End);
        }
        self.state = State::Amended;
        Ok(Step::Amend(self.amendment(cut, decided)))
    }

    /// What turns the file that was begun as `begun` says into the one that is `decided`.
    fn amendment(&self, begun: Cut, decided: Cut) -> Fields {
        let amendment = Fields::new().with("file_name", self.name(decided));
        if decided.prefix <= begun.prefix {
            // Between two cuts there are whole characters: each lies behind a digit.
            let front = &self.head[decided.prefix..begun.prefix];
            amendment.with("front", String::from_utf8_lossy(front).into_owned())
        } else {
            amendment.with("skip", decided.prefix - begun.prefix)
        }
    }
}

impl Default for UploadServing {
    fn default() -> Self {
        Self::new()
    }
}

impl Serving for UploadServing {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        let before = input.len() as u64;
        self.received = self.consumed + before;
        let step = match self.state {
            State::Head => self.head(input),
            State::Begun { cut, announce } => {
                self.state = State::Content { cut };
                if announce {
                    Ok(Step::Announce(cut.size))
                } else {
                    self.content(cut, input)
                }
            }
            State::Content { cut } => self.content(cut, input),
            State::Amended => {
                self.state = State::Over;
                Ok(Step::End)
            }
            State::Over => Ok(Step::More),
        };
        self.consumed += before - input.len() as u64;
        if step.is_err() {
            self.state = State::Over;
        }
        step
    }

    fn end(&mut self) {
        self.has_ended = true;
    }

    fn cut_off(&mut self) {
        self.was_cut_off = true;
        self.has_ended = true;
    }

    fn answer(&mut self, _: Option<&Id>, _: &Answer, _: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests;

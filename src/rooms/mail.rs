//! The mail of one connection: pushes that wait for its owner, and how far each room it joined has
//! got. Whoever delivers puts in, the connection's owner takes out; each holds the lock for a few
//! lines.

use super::letter::Letter;
use crate::budget::Charge;
use crate::wire::{Header, RoomName};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Places for letters that an empty mail keeps.
const KEEP: usize = 32;

#[derive(Debug)]
pub(super) struct Mail {
    /// Whose mail it is.
    pub(super) connection: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    letters: VecDeque<Arc<Letter>>,
    /// Bytes of all letters.
    bytes: usize,
    places: HashMap<RoomName, Place>,
    /// Rooms that are demoted, in the order in which that happened.
    demoted: Vec<RoomName>,
    /// Stands for the places of the letters; each letter stands for itself.
    charge: Charge,
}

/// How far a joined room has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What lies in the store is read from there; `newest` is the seq of the last message that
    /// there was to deliver meanwhile, 0 if none.
    Behind { newest: u64 },
    /// What is delivered after the seq `after` goes into the mail.
    Live { after: u64 },
    /// The mail was full: nothing goes in until the reader knows of the gap.
    Demoted { first: u64, newest: u64 },
}

/// A letter of which a part has left.
#[derive(Debug)]
pub(super) struct Open {
    letter: Arc<Letter>,
    taken: usize,
}

impl Open {
    /// Appends at most `most` bytes more to `out`. Whether that was the end of it.
    pub(super) fn take(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        let rest = &self.letter.bytes[self.taken..];
        let piece = &rest[..rest.len().min(most)];
        out.extend_from_slice(piece);
        self.taken += piece.len();
        self.taken == self.letter.bytes.len()
    }
}

impl Mail {
    /// An empty mail for `connection`; `charge` is for what it occupies.
    pub(super) fn new(connection: u64, charge: Charge) -> Self {
        let state = State {
            letters: VecDeque::new(),
            bytes: 0,
            places: HashMap::new(),
            demoted: Vec::new(),
            charge,
        };
        Self {
            connection,
            state: Mutex::new(state),
        }
    }

    /// Offers a letter to a mail that takes `most` bytes, unless it is empty and takes any one.
    /// Letters of one room come in the order of their seqs. `true` if the owner must be told: as
    /// long as there is mail, it looks by itself.
    pub(super) fn offer(&self, letter: &Arc<Letter>, most: usize) -> bool {
        let mut state = self.state.lock();
        let State {
            letters,
            bytes,
            places,
            demoted,
            charge,
        } = &mut *state;
        let seq = letter.seq;
        let was_empty = letters.is_empty();
        match places.get_mut(&letter.room) {
            Some(Place::Behind { newest } | Place::Demoted { newest, .. }) => {
                *newest = seq.max(*newest);
                return false;
            }
            Some(Place::Live { after }) if seq <= *after => return false,
            Some(place) if !was_empty && *bytes + letter.bytes.len() > most => {
                *place = Place::Demoted {
                    first: seq,
                    newest: seq,
                };
                demoted.push(letter.room.clone());
                return false;
            }
            Some(place) => *place = Place::Live { after: seq },
            None => return false,
        }
        *bytes += letter.bytes.len();
        letters.push_back(Arc::clone(letter));
        charge.set(letters.capacity() * size_of::<Arc<Letter>>());
        was_empty
    }

    /// The rooms that are joined.
    pub(super) fn rooms(&self) -> Vec<RoomName> {
        self.state.lock().places.keys().cloned().collect()
    }

    /// How many rooms are joined.
    pub(super) fn joined(&self) -> usize {
        self.state.lock().places.len()
    }

    /// Whether `room` is joined.
    pub(super) fn has_joined(&self, room: &RoomName) -> bool {
        self.state.lock().places.contains_key(room)
    }

    /// Joins a room that is not joined yet: what is delivered from now on is noted.
    pub(super) fn register(&self, room: &RoomName) {
        let behind = Place::Behind { newest: 0 };
        self.state.lock().places.insert(room.clone(), behind);
    }

    /// Begins with what comes after the seq `after` in a room that is joined, whatever was wanted
    /// of it before. `head` is its last seq as the store knew it a moment ago. `true` if what is
    /// missing must be read from the store.
    pub(super) fn begin(&self, room: &RoomName, after: u64, head: u64) -> bool {
        let mut state = self.state.lock();
        state.drop_letters(room);
        let Some(place) = state.places.get_mut(room) else {
            return false;
        };
        let newest = match *place {
            Place::Behind { newest } | Place::Demoted { newest, .. } => newest,
            Place::Live { after } => after,
        };
        let is_behind = head.max(newest) > after;
        *place = if is_behind {
            Place::Behind { newest }
        } else {
            Place::Live { after }
        };
        is_behind
    }

    /// The seq of the last message that was delivered while `room` was behind.
    pub(super) fn newest(&self, room: &RoomName) -> u64 {
        match self.state.lock().places.get(room) {
            Some(Place::Behind { newest }) => *newest,
            _ => 0,
        }
    }

    /// Goes over to what is delivered, after everything up to `after` was read from the store and
    /// there was nothing more. `known` is what [`newest`](Self::newest) said before that reading:
    /// if the store has it no more, it never will. `false` if more was delivered meanwhile.
    pub(super) fn catch_up(&self, room: &RoomName, after: u64, known: u64) -> bool {
        let after = after.max(known);
        match self.state.lock().places.get_mut(room) {
            Some(Place::Behind { newest }) if *newest > after => false,
            Some(place) => {
                *place = Place::Live { after };
                true
            }
            // It was left, and what is there is all that is wanted.
            None => true,
        }
    }

    /// Leaves a room: nothing of it is taken out any more.
    pub(super) fn leave(&self, room: &RoomName) {
        let mut state = self.state.lock();
        state.places.remove(room);
        state.drop_letters(room);
    }

    /// Leaves every room; which they were. What lies in the mail stays.
    pub(super) fn leave_all(&self) -> Vec<RoomName> {
        let mut state = self.state.lock();
        state.demoted.clear();
        std::mem::take(&mut state.places).into_keys().collect()
    }

    /// Throws away what lies in the mail.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        state.letters.clear();
        state.settle();
    }

    /// Whether nothing lies in it and no reader must be told of a gap.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.letters.is_empty() && state.demoted.is_empty()
    }

    /// Moves letters to `out`, about `most` bytes of them. The one that doesn't fit is given back
    /// open.
    pub(super) fn take(&self, out: &mut Vec<u8>, most: usize) -> Option<Open> {
        let end = out.len() + most;
        let mut state = self.state.lock();
        while out.len() < end
            && let Some(letter) = state.letters.pop_front()
        {
            state.bytes -= letter.bytes.len();
            let mut open = Open { letter, taken: 0 };
            let most = end - out.len();
            if !open.take(out, most) {
                state.settle();
                return Some(open);
            }
        }
        state.settle();
        None
    }

    /// Tells of every gap, for a reader that has read everything else; live pushes go on after it.
    pub(super) fn tell_gaps(&self, out: &mut Vec<u8>) {
        let mut state = self.state.lock();
        if !state.letters.is_empty() {
            return;
        }
        for room in std::mem::take(&mut state.demoted) {
            if let Some(place) = state.places.get_mut(&room)
                && let Place::Demoted { first, newest } = *place
            {
                *place = Place::Live { after: newest };
                Header::new("gap")
                    .with("room", room.into_string())
                    .with("first", first)
                    .with("last", newest)
                    .write(out);
            }
        }
    }
}

impl State {
    /// Takes what belongs to `room` out of the mail.
    fn drop_letters(&mut self, room: &RoomName) {
        self.letters.retain(|letter| letter.room != *room);
        self.demoted.retain(|demoted| demoted != room);
        self.settle();
    }

    /// Counts again, and gives back what an empty mail needs no more.
    fn settle(&mut self) {
        if self.letters.is_empty() {
            self.letters.shrink_to(KEEP);
            self.bytes = 0;
            let places = self.letters.capacity() * size_of::<Arc<Letter>>();
            self.charge.set(places);
        }
    }
}

//! What every store of messages must do: what is posted in `posting`, what is read back in
//! `reading`, and what is let go in `retention`.

mod posting;
mod reading;
mod retention;

use super::{Desk, pending};
use crate::budget::{Budget, Charge};
use crate::store::{Messages, NewMessage, Receipt, Retention};
use crate::time::Clock;
use crate::wire::{Code, FileTag, Key, RoomName, UserName};
use std::sync::Arc;

/// A message as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) seq: u64,
    pub(crate) prev: u64,
    pub(crate) room: String,
    pub(crate) from: Option<String>,
    pub(crate) text: String,
}

/// An engine and a way to see what it keeps.
pub(crate) trait MessagesUnderTest {
    fn open(clock: Clock) -> Self;
    fn keeping(clock: Clock, retention: Retention) -> Self;
    /// Returns once all is let go that need not be kept.
    fn prune(&self);
    fn store(&self) -> Arc<dyn Messages>;
    /// What is kept of the messages whose receipts were told.
    fn kept(&self) -> Vec<Kept>;
}

/// Runs the suite for one engine.
macro_rules! messages_conform {
    ($engine:ty) => {
        $crate::store::conformance::messages_conform!(
            $engine: seqs_rise_and_prev_stays_in_the_room, a_key_is_used_once,
            a_key_belongs_to_its_user_and_room, what_is_told_is_kept, many_posters_lose_nothing,
            after_the_close_posts_are_refused, a_charge_is_held_until_the_message_is_kept,
            the_witness_is_told_of_each_message_once, a_page_is_a_part_of_a_room,
            a_page_ends_at_its_bounds, a_search_finds_any_script, heads_and_rooms_are_listed,
            personal_rooms_are_listed_as_asked, a_time_is_a_place_in_the_count,
            a_message_reads_back_whole, what_is_too_old_is_let_go,
            the_oldest_beyond_the_bytes_are_let_go, a_key_is_kept_as_long_as_its_message,
            without_bounds_all_is_kept
        );
    };
    ($engine:ty: $($check:ident),+) => {
        $(#[test]
        fn $check() {
            $crate::store::conformance::checks::messages::$check::<$engine>();
        })+
    };
}
pub(crate) use messages_conform;

/// A message by `user`, or a guest.
pub(crate) fn message(room: &str, user: &str, key: &str, text: &str) -> NewMessage {
    charged(room, user, key, text, Budget::new(1 << 30).charge())
}

fn charged(room: &str, user: &str, key: &str, text: &str, charge: Charge) -> NewMessage {
    NewMessage {
        room: RoomName::new(room).unwrap(),
        from: UserName::new(user).ok(),
        key: Key::new(key).ok(),
        text: text.to_owned(),
        charge,
        file: None,
    }
}

/// A message by `李四` that tells of `file`.
fn with_file(room: &str, file: FileTag) -> NewMessage {
    NewMessage {
        file: Some(file),
        ..message(room, "李四", "", "")
    }
}

fn open<E: MessagesUnderTest>() -> (E, Arc<dyn Messages>) {
    let engine = E::open(Clock::system());
    let store = engine.store();
    (engine, store)
}

/// Posts one message and waits for what is told of it.
fn post(store: &Arc<dyn Messages>, message: NewMessage) -> Result<Receipt, Code> {
    let desk = Desk::new();
    store.post(message, Some(pending(&desk, 0)));
    let receipt = desk.told().receipt;
    assert!(desk.is_empty(), "it is told once");
    receipt
}

/// The suite's own checks, for the macro that turns them into tests.
pub(crate) mod checks {
    pub(crate) use super::posting::*;
    pub(crate) use super::reading::*;
    pub(crate) use super::retention::*;
}

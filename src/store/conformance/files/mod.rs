//! What every store of files must do. Each part of it is in a file of its own; here is what they
//! share.

mod listing;
mod owning;
mod posting;
mod publishing;
mod resuming;

/// The checks of all parts, for the macro.
pub(crate) mod checks {
    pub(crate) use super::listing::*;
    pub(crate) use super::owning::*;
    pub(crate) use super::posting::*;
    pub(crate) use super::publishing::*;
    pub(crate) use super::resuming::*;
}

use super::desk::code;
use super::{Desk, message, pending, pending_file};
use crate::store::digester::Digester;
use crate::store::{
    Arrival, FileError, FileWitness, Files, ListQuery, Listed, Messages, NewFile, Offset,
    Published, Query, Range, Upload, Viewer,
};
use crate::wire::{
    Algorithm, Code, Digest, FileName, Key, Message, RoomName, UserName, WantedDigest,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An engine and a way to see what is in it.
pub(crate) trait FilesUnderTest {
    fn open() -> Self;
    fn store(&self) -> Arc<dyn Files>;
    /// Where files are posted.
    fn messages(&self) -> Arc<dyn Messages>;
    /// Every published file and its bytes.
    fn published(&self) -> BTreeMap<String, Vec<u8>>;
    /// How many uploads have left something that isn't published.
    fn under_way(&self) -> usize;
}

/// Runs the suite for one engine.
macro_rules! files_conform {
    ($engine:ty) => {
        $crate::store::conformance::files_conform!(
            $engine: what_is_written_is_published_whole, nothing_is_visible_before_it_is_published,
            a_dropped_upload_leaves_nothing, a_taken_name_is_kept_beside,
            the_longest_names_have_room_beside, another_size_than_announced_is_not_published,
            publishers_of_one_name_lose_nothing, an_upload_is_amended_before_it_is_published,
            the_digest_is_computed_where_it_is_asked_for, another_digest_than_said_is_not_published,
            what_broke_off_goes_on_where_it_was, only_the_durable_place_can_be_gone_on_from,
            starting_over_forgets_what_was_there, what_cannot_be_resumed_is_not_kept,
            the_later_upload_fences_the_earlier_one_out, a_partial_is_nobodys_file,
            what_is_just_being_published_is_not_begun_anew,
            partials_belong_to_who_began_them, the_same_file_is_stored_once,
            the_same_file_is_not_sent_again, another_name_size_or_digest_is_another_file,
            an_owner_gives_up_its_own_claim, only_owners_and_admins_remove,
            what_is_removed_can_be_read_to_its_end, a_personal_file_is_for_one_user,
            a_personal_file_is_not_found_out_by_its_digest, a_file_is_read_from_any_place,
            a_file_is_opened_only_with_its_digest, pages_are_ascending_and_lose_nothing,
            a_prefix_is_not_a_pattern, a_file_is_posted_to_its_room,
            files_and_texts_are_in_one_order, a_resend_with_the_same_key_is_one_post,
            a_key_counts_in_its_scope, a_witness_sees_what_is_new,
            what_comes_after_the_end_is_refused
        );
    };
    ($engine:ty: $($check:ident),+) => {
        $(#[test]
        fn $check() {
            $crate::store::conformance::checks::files::$check::<$engine>();
        })+
    };
}
pub(crate) use files_conform;

/// A file that wants to be called `name`.
pub(crate) fn wanted(name: &str, size: Option<u64>, durable: bool) -> NewFile {
    NewFile {
        size,
        durable,
        ..NewFile::named(FileName::new(name).unwrap())
    }
}

/// Publishes `upload` and waits for what becomes of it.
pub(crate) fn published(upload: Box<dyn Upload>) -> Result<Published, Code> {
    let desk = Desk::new();
    upload.publish(pending_file(&desk, 1));
    desk.told_file().outcome
}

/// What a guest's file without a digest has become.
fn plain(name: FileName, size: u64, durable: bool) -> Published {
    Published {
        name,
        size,
        digest: None,
        durable,
        duplicate: false,
        room: None,
        post: None,
    }
}

fn open<E: FilesUnderTest>() -> (E, Arc<dyn Files>) {
    let engine = E::open();
    let store = engine.store();
    (engine, store)
}

fn begin(store: &Arc<dyn Files>, name: &str, content: &[u8]) -> Box<dyn Upload> {
    let mut upload = store.begin(wanted(name, None, true)).unwrap();
    upload.write(content).unwrap();
    upload
}

fn publish(store: &Arc<dyn Files>, name: &str, content: &[u8]) -> String {
    let published = published(begin(store, name, content)).unwrap();
    published.name.into_string()
}

/// The same as seen from the store: what became of `content` sent as `file`.
fn send(store: &Arc<dyn Files>, file: NewFile, content: &[u8]) -> Result<Published, Code> {
    let mut upload = store.begin(file).map_err(|error| code(&error))?;
    for piece in content.chunks(1 << 16) {
        upload.write(piece).map_err(|error| code(&error))?;
    }
    published(upload)
}

/// A guest's durable file called `name`.
fn file(name: &str) -> NewFile {
    NewFile::named(FileName::new(name).unwrap())
}

/// The same with the size and digest of `content`.
fn proven(name: &str, content: &[u8]) -> NewFile {
    NewFile {
        size: Some(content.len() as u64),
        digest: Some(WantedDigest::Verify(digest(Algorithm::Blake3, content))),
        ..file(name)
    }
}

fn digest(algorithm: Algorithm, content: &[u8]) -> Digest {
    let mut digester = Digester::new(algorithm);
    digester.update(content);
    digester.finish()
}

fn user(name: &str) -> Option<UserName> {
    Some(UserName::new(name).unwrap())
}

fn room(name: &str) -> Option<RoomName> {
    Some(RoomName::new(name).unwrap())
}

fn viewer(name: &str) -> Viewer {
    Viewer {
        user: user(name),
        admin: false,
    }
}

fn admin() -> Viewer {
    Viewer {
        user: user("admin"),
        admin: true,
    }
}

/// All of the file `name`, as `viewer` gets it.
fn read(store: &Arc<dyn Files>, name: &str, viewer: &Viewer) -> Result<Vec<u8>, Code> {
    let name = FileName::new(name).unwrap();
    let stored = store
        .open(&name, viewer, None)
        .map_err(|error| code(&error))?;
    let mut bytes = vec![0; stored.size as usize + 1];
    let read = stored.content.read_at(&mut bytes, 0).unwrap();
    assert_eq!(read as u64, stored.size);
    bytes.truncate(read);
    Ok(bytes)
}

fn remove(store: &Arc<dyn Files>, name: &str, viewer: &Viewer) -> Result<(), Code> {
    let name = FileName::new(name).unwrap();
    store.remove(&name, viewer).map_err(|error| code(&error))
}

/// The names that `viewer` sees.
fn names(store: &Arc<dyn Files>, viewer: &Viewer) -> Vec<String> {
    let query = ListQuery {
        limit: 1_000,
        viewer: viewer.clone(),
        ..ListQuery::default()
    };
    let page = store.list(&query).unwrap();
    assert!(!page.more);
    let names = page.files.into_iter();
    names.map(|file| file.name.into_string()).collect()
}

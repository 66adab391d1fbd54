//! What a start makes of what a crash left at each step.

use super::super::records::{Record, Scope, State, claim, enter, keep_posted};
use super::*;
use crate::store::Published;
use crate::store::directory::Stamp;

/// A home whose daemon died while it published the file `a` of user `u`: the bytes are in `.incoming`
/// or, if `renamed`, under their name.
fn dying(state: State, renamed: bool, content: &[u8], reader: Option<&str>) -> Home {
    let home = Home::open();
    put(&home, "old", b"old").unwrap();
    let shared = Arc::clone(&home.folder.shared);
    home.folder.close();
    let incoming = leftovers::partial_name(&Random::system());
    let path = match renamed {
        true => home.path("a"),
        false => home.path(INCOMING).join(&incoming),
    };
    fs::write(&path, content).unwrap();
    let file = proven("a", "u", b"content");
    let mut record = Record {
        name: file.name.clone(),
        asked: file.name,
        sha256: None,
        blake3: None,
        state,
        reader: reader.map(str::to_owned),
        time: SystemTime::now(),
        stamp: Stamp::of(fs::File::open(&path).unwrap()).unwrap(),
        incoming: Some(incoming),
    };
    if let Some(WantedDigest::Verify(digest)) = file.digest {
        record.set_digest(digest);
    }
    let made = shared.commit(move |db| {
        enter(db, &record)?;
        Ok(claim(db, "a", file.owner.as_ref(), record.time)?)
    });
    assert!(made.unwrap());
    home
}

fn names(home: &Home) -> Vec<String> {
    home.published().into_keys().collect()
}

fn user(name: &str) -> Viewer {
    Viewer {
        user: UserName::new(name).ok(),
        admin: false,
    }
}

#[test]
fn what_had_no_name_yet_never_gets_one() {
    for state in [State::Publishing, State::Hasty] {
        let home = dying(state, false, b"content", None).restart();
        assert_eq!((names(&home), home.under_way()), (vec!["old".into()], 0));
        let file = proven("a", "u", b"content");
        let mut upload = home.folder.begin(file).unwrap();
        upload.write(b"content").unwrap();
        assert!(!published(upload).unwrap().duplicate);
    }
}

#[test]
fn what_had_its_name_is_published_for_good() {
    for state in [State::Publishing, State::Hasty] {
        let home = dying(state, true, b"content", Some("r")).restart();
        assert_eq!(names(&home), ["a", "old"]);
        let name = FileName::new("a").unwrap();
        let stranger = home.folder.open(&name, &user("u"), None);
        assert!(matches!(stranger.map(drop), Err(FileError::NotFound)));
        let stored = home.folder.open(&name, &user("r"), None).unwrap();
        assert!(stored.digest.is_some());
        let home = home.restart();
        assert!(home.folder.notes().is_empty());
        home.folder.remove(&name, &user("u")).unwrap();
        assert_eq!(names(&home), ["old"]);
    }
}

#[test]
fn what_was_never_synced_and_is_not_whole_is_set_aside() {
    let home = dying(State::Hasty, true, b"c0ntent", None);
    let home = home.restart();
    assert_eq!((names(&home), home.under_way()), (vec!["old".into()], 1));
    let note = &home.folder.notes()[0];
    assert!(note.contains("\"a\" was not asked to be durable"), "{note}");

    // Cut off as well.
    let home = dying(State::Hasty, true, b"content", None);
    let file = fs::File::options()
        .write(true)
        .open(home.path("a"))
        .unwrap();
    file.set_len(3).unwrap();
    let home = home.restart();
    assert_eq!((names(&home), home.under_way()), (vec!["old".into()], 1));
}

#[test]
fn a_file_that_stands_where_one_was_to_be_published_is_left_alone() {
    let home = dying(State::Publishing, true, b"content", None);
    fs::write(home.path("b"), "x").unwrap();
    // Of another length, and with the number of what was there: a file system may give it again.
    fs::write(home.path("a"), "put by hand").unwrap();
    let home = home.restart();
    assert_eq!(names(&home), ["a", "b", "old"]);
    let name = FileName::new("a").unwrap();
    let owner = home.folder.remove(&name, &user("u"));
    assert!(matches!(owner, Err(FileError::Forbidden)));
}

#[test]
fn a_file_with_its_old_and_its_new_name_is_never_cut() {
    // As where a renaming is two links, or outlives the loss of power in one folder only.
    for state in [State::Publishing, State::Published] {
        let home = Home::open();
        let (file, content) = (proven("a", "u", b"0123456789"), b"0123456789");
        assert_eq!(break_off(&home, &file, content, 4), 4);
        let shared = &home.folder.shared;
        let incoming = shared.incoming.entries().unwrap().remove(0).name;
        let path = home.path(INCOMING).join(&incoming);
        fs::write(&path, content).unwrap();
        fs::hard_link(&path, home.path("a")).unwrap();
        let mut record = Record {
            name: file.name.clone(),
            asked: file.name.clone(),
            sha256: None,
            blake3: None,
            state,
            reader: None,
            time: SystemTime::now(),
            stamp: Stamp::of(fs::File::open(&path).unwrap()).unwrap(),
            incoming: Some(incoming),
        };
        if let Some(WantedDigest::Verify(digest)) = file.digest {
            record.set_digest(digest);
        }
        let made = shared.commit(move |db| Ok(enter(db, &record)?));
        made.unwrap();
        let home = home.restart();
        assert_eq!(home.folder.notes(), [""; 0]);
        assert_eq!(home.published()["a"], content);
        assert_eq!((offset(&home, &file), home.under_way()), (10, 0));
    }
}

#[test]
fn what_broke_off_is_cut_to_what_is_durable_and_goes_on() {
    let home = Home::open();
    let file = proven("a", "u", b"0123456789");
    assert_eq!(break_off(&home, &file, b"0123456789", 4), 4);
    let mut upload = home
        .folder
        .begin(NewFile {
            offset: 4,
            ..file.clone()
        })
        .unwrap();
    upload.write(b"xxx").unwrap();
    // Not dropped, as in a crash.
    std::mem::forget(upload);
    let home = home.restart();
    assert_eq!(
        home.folder.notes(),
        ["1 uploads had broken off and can be resumed: 4 bytes"]
    );
    assert_eq!((offset(&home, &file), home.under_way()), (4, 1));
    let mut upload = home.folder.begin(NewFile { offset: 4, ..file }).unwrap();
    upload.write(b"456789").unwrap();
    published(upload).unwrap();
    assert_eq!(home.published()["a"], b"0123456789");
    assert_eq!(home.under_way(), 0);
    assert!(home.restart().folder.notes().is_empty());
}

#[test]
fn a_partial_whose_bytes_are_gone_begins_anew() {
    let home = Home::open();
    let (gone, cut) = (proven("gone", "", b"0123"), proven("cut", "", b"0123"));
    for file in [&gone, &cut] {
        assert_eq!(break_off(&home, file, b"0123", 3), 3);
    }
    let partials = fs::read_dir(home.path(INCOMING)).unwrap();
    for (number, partial) in partials.enumerate() {
        let path = partial.unwrap().path();
        match number {
            0 => fs::remove_file(path).unwrap(),
            _ => fs::write(path, "0").unwrap(),
        }
    }
    let home = home.restart();
    let notes = home.folder.notes();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(
        notes[..2]
            .iter()
            .all(|note| note.contains("its bytes are gone"))
    );
    for file in [gone, cut] {
        assert_eq!(offset(&home, &file), 0);
    }
    assert_eq!(home.under_way(), 0);
}

#[test]
fn a_partial_that_cannot_be_opened_waits_for_a_start_that_can() {
    let home = Home::open();
    let file = proven("a", "u", b"0123");
    assert_eq!(break_off(&home, &file, b"0123", 3), 3);
    let partial = fs::read_dir(home.path(INCOMING)).unwrap().next();
    let partial = partial.unwrap().unwrap().path();
    let aside = home.home.path().join("aside");
    fs::rename(&partial, &aside).unwrap();
    // Opening this fails, whoever tries, and doesn't say that nothing is there.
    symlink(&aside, &partial).unwrap();
    let home = home.restart();
    assert_eq!((offset(&home, &file), home.under_way()), (0, 1));
    assert_eq!(fs::read(&aside).unwrap(), b"012");
    fs::rename(&aside, &partial).unwrap();
    let home = home.restart();
    assert_eq!(offset(&home, &file), 3);
    let mut upload = home.folder.begin(NewFile { offset: 3, ..file }).unwrap();
    upload.write(b"3").unwrap();
    published(upload).unwrap();
    assert_eq!(home.published()["a"], b"0123");
}

#[test]
fn bytes_that_go_while_the_daemon_runs_are_noticed() {
    let home = Home::open();
    let file = proven("a", "", b"0123456789");
    let whole = |offset| NewFile {
        offset,
        ..file.clone()
    };
    break_off(&home, &file, b"0123456789", 4);
    let partial = fs::read_dir(home.path(INCOMING)).unwrap().next();
    fs::remove_file(partial.unwrap().unwrap().path()).unwrap();
    let refused = home.folder.begin(whole(4)).map(drop);
    assert!(matches!(refused, Err(FileError::Conflict { offset: 0 })));
    assert_eq!(offset(&home, &file), 0);
    assert_eq!(break_off(&home, &file, b"0123456789", 5), 5);
}

#[test]
fn what_broke_off_too_long_ago_expires() {
    let now = Arc::new(Mutex::new(SystemTime::now()));
    let home = Home::at(&now, &limits());
    let (old, young) = (proven("old", "", b"0123"), proven("young", "", b"0123"));
    break_off(&home, &old, b"0123", 2);
    *now.lock() += Duration::from_secs(40);
    break_off(&home, &young, b"0123", 3);
    let begun = home.folder.begin(proven("begun", "", b"0123")).unwrap();
    *now.lock() += Duration::from_secs(40);
    home.folder.shared.look_after();
    assert_eq!((offset(&home, &old), offset(&home, &young)), (0, 3));
    assert_eq!(home.under_way(), 2);
    // However old, what is under way is not.
    *now.lock() += Duration::from_secs(400);
    home.folder.shared.look_after();
    assert_eq!(home.under_way(), 1);
    assert_eq!(begun.suspend(), 0);
    assert!(home.restart().folder.notes().is_empty());
}

#[test]
fn a_key_and_a_duplicate_are_remembered_over_a_restart() {
    let home = Home::open();
    let file = NewFile {
        key: Key::new("k").ok(),
        room: Some(crate::wire::RoomName::lobby()),
        ..proven("a", "u", b"x")
    };
    let send = |home: &Home, file: &NewFile, content: &[u8]| {
        let mut upload = home.folder.begin(file.clone()).unwrap();
        upload.write(content).unwrap();
        published(upload).unwrap()
    };
    let first = send(&home, &file, b"x");
    let home = home.restart();
    let again = send(&home, &file, b"x");
    assert!(again.duplicate);
    assert_eq!(again.post.unwrap().seq, first.post.unwrap().seq);
    assert!(send(&home, &proven("a", "", b"x"), b"x").duplicate);
    assert_eq!(names(&home), ["a"]);
}

#[test]
fn a_durable_resend_of_a_keyed_file_that_was_hasty_is_durable() {
    let home = Home::open();
    let keyed = |durable: bool| {
        let file = NewFile {
            key: Some(Key::new("k").unwrap()),
            durable,
            ..proven("a", "u", b"abc")
        };
        let mut upload = home.folder.begin(file).unwrap();
        upload.write(b"abc").unwrap();
        published(upload).unwrap()
    };
    assert!(!keyed(false).durable);
    let resent = keyed(false);
    assert_eq!((resent.duplicate, resent.durable), (true, false));
    let resent = keyed(true);
    assert_eq!((resent.duplicate, resent.durable), (true, true));
    // From now on it is what it was said to be.
    assert!(keyed(false).durable);
}

#[test]
fn the_key_of_a_file_that_a_loss_of_power_took_is_forgotten_with_it() {
    for renamed in [false, true] {
        let home = dying(State::Hasty, renamed, b"c0ntent", None);
        let file = NewFile {
            key: Some(Key::new("k").unwrap()),
            ..proven("a", "u", b"content")
        };
        let scope = Scope {
            user: file.owner.clone(),
            room: None,
            key: file.key.clone().unwrap(),
        };
        let told = Published {
            name: file.name.clone(),
            size: 7,
            digest: None,
            durable: false,
            duplicate: false,
            room: None,
            post: None,
        };
        let keep = home
            .folder
            .shared
            .commit(move |db| Ok(keep_posted(db, &scope, &told)?));
        keep.unwrap();
        let home = home.restart();
        assert_eq!(names(&home), ["old"]);
        let mut upload = home.folder.begin(file).unwrap();
        upload.write(b"content").unwrap();
        assert!(!published(upload).unwrap().duplicate);
        assert_eq!(home.published()["a"], b"content");
    }
}

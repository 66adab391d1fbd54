//! What an operator, or an attacker with a shell, may have put into the folder.

use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::time::Instant;

fn listed(home: &Home) -> Vec<String> {
    let query = ListQuery {
        limit: 100,
        ..ListQuery::default()
    };
    let page = home.folder.list(&query).unwrap();
    let names = page.files.into_iter().map(|file| file.name.into_string());
    names.collect()
}

/// The digest that is told of `name` once it is known.
fn digest_of(home: &Home, name: &str) -> String {
    let name = FileName::new(name).unwrap();
    let begun = Instant::now();
    loop {
        let stored = home.folder.open(&name, &Viewer::default(), None).unwrap();
        if let Some(digest) = stored.digest {
            return digest.to_string();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no digest");
        // Computed by a thread of the store, which tells nobody.
        std::thread::yield_now();
    }
}

fn make_old(home: &Home, name: &str, seconds: u64) {
    let file = fs::File::options()
        .write(true)
        .open(home.path(name))
        .unwrap();
    let time = SystemTime::now() - Duration::from_secs(seconds);
    file.set_modified(time).unwrap();
}

#[test]
fn what_is_no_file_is_never_opened_listed_removed_or_overwritten() {
    let home = Home::open();
    put(&home, "file", b"x").unwrap();
    let secret = home.home.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, home.path("link")).unwrap();
    symlink(home.path("file"), home.path("near")).unwrap();
    symlink("nowhere", home.path("dangling")).unwrap();
    fs::create_dir(home.path("folder")).unwrap();
    let mode = Mode::from_raw_mode(0o666);
    mknodat(CWD, home.path("pipe"), FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(home.path("socket")).unwrap();
    let admin = Viewer {
        user: None,
        admin: true,
    };
    let planted = ["link", "near", "dangling", "folder", "pipe", "socket"];
    for name in planted {
        let file = FileName::new(name).unwrap();
        let opened = home.folder.open(&file, &admin, None).map(drop);
        assert!(
            matches!(opened, Err(FileError::NotFound)),
            "{name}: {opened:?}"
        );
        let removed = home.folder.remove(&file, &admin);
        assert!(matches!(removed, Err(FileError::NotFound)), "{name}");
        assert_eq!(put(&home, name, b"y").unwrap(), format!("{name} (2)"));
    }
    let expected: Vec<_> = planted.iter().map(|name| format!("{name} (2)")).collect();
    let mut names = listed(&home);
    assert_eq!(names.len(), 1 + planted.len());
    names.retain(|name| name != "file");
    names.sort_by_key(|name| expected.iter().position(|other| other == name));
    assert_eq!(names, expected);
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
}

#[test]
fn what_is_placed_by_hand_is_listed_and_gets_a_digest_once() {
    let home = Home::open();
    assert!(listed(&home).is_empty());
    put(&home, "sent", b"x").unwrap();
    let home = home.restart();
    fs::write(home.path("placed"), "abc").unwrap();
    fs::write(home.path(".hidden"), "abc").unwrap();
    make_old(&home, "placed", 100);
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(digest_of(&home, "placed"), abc);
    let home = home.restart();
    assert_eq!(listed(&home), ["placed", "sent"]);
    let name = FileName::new("placed").unwrap();
    let stored = home.folder.open(&name, &Viewer::default(), None).unwrap();
    assert_eq!(
        stored.digest.unwrap().to_string(),
        abc,
        "kept over a restart"
    );

    fs::write(home.path("placed"), "abd").unwrap();
    let stored = home.folder.open(&name, &Viewer::default(), None).unwrap();
    assert_eq!(stored.digest, None, "it has changed");
    make_old(&home, "placed", 50);
    assert_ne!(digest_of(&home, "placed"), abc);
}

#[test]
fn what_was_placed_by_hand_is_synced_before_a_duplicate_vouches_for_it() {
    let home = Home::open();
    let placed = proven("placed", "u", b"abc");
    fs::write(home.path("first"), "x").unwrap();
    make_old(&home, "first", 100);
    // Then the thread has looked through the folder, and looks at nothing more unless it is told.
    digest_of(&home, "first");
    fs::write(home.path("placed"), "abc").unwrap();
    make_old(&home, "placed", 100);
    let shared = &home.folder.shared;
    let full = Some(std::io::ErrorKind::StorageFull);
    let look = || {
        let mut waiting = [placed.name.clone()].into();
        shared.look_at_all(&mut waiting);
        assert!(waiting.is_empty());
    };
    for faults in [vec![full], vec![None, full]] {
        shared.fence.faults.lock().extend(faults);
        look();
        assert!(shared.fence.faults.lock().is_empty());
        assert_eq!(offset(&home, &placed), 0);
    }
    look();
    assert_eq!(offset(&home, &placed), 3);
}

#[test]
fn many_that_were_placed_by_hand_all_get_their_digests() {
    let home = Home::open();
    let names: Vec<_> = (0..200).map(|number| format!("{number:03}")).collect();
    for name in &names {
        fs::write(home.path(name), name).unwrap();
        make_old(&home, name, 100);
    }
    let home = home.restart();
    for name in &names {
        let mut digester = Digester::new(Algorithm::Sha256);
        digester.update(name.as_bytes());
        assert_eq!(digest_of(&home, name), digester.finish().to_string());
    }
}

#[test]
fn who_has_the_same_as_was_placed_by_hand_gets_no_claim_to_it() {
    let home = Home::open();
    fs::write(home.path("placed"), "abc").unwrap();
    make_old(&home, "placed", 100);
    let home = home.restart();
    let digest: Digest = digest_of(&home, "placed").parse().unwrap();
    let file = NewFile {
        digest: Some(WantedDigest::Verify(digest)),
        offset: 3,
        ..proven("placed", "u", b"abc")
    };
    let upload = home.folder.begin(file).unwrap();
    assert!(published(upload).unwrap().duplicate);
    let name = FileName::new("placed").unwrap();
    let viewer = Viewer {
        user: UserName::new("u").ok(),
        admin: false,
    };
    let removed = home.folder.remove(&name, &viewer);
    assert!(matches!(removed, Err(FileError::Forbidden)), "{removed:?}");
    assert_eq!(fs::read(home.path("placed")).unwrap(), b"abc");
}

#[test]
fn what_is_changed_by_hand_is_no_duplicate_any_more() {
    let home = Home::open();
    let send = |content: &[u8]| {
        let mut upload = home.folder.begin(proven("a", "u", b"abc")).unwrap();
        upload.write(content).unwrap();
        published(upload).unwrap()
    };
    assert!(!send(b"abc").duplicate);
    fs::write(home.path("a"), "abd").unwrap();
    assert_eq!(offset(&home, &proven("a", "u", b"abc")), 0);
    let again = send(b"abc");
    assert_eq!((again.name.as_str(), again.duplicate), ("a (2)", false));
    fs::remove_file(home.path("a (2)")).unwrap();
    assert!(!send(b"abc").duplicate);
    // Whoever began while it was there and ends when it is gone begins anew.
    let mut upload = home.folder.begin(proven("a", "", b"abc")).unwrap();
    upload.write(b"abc").unwrap();
    fs::remove_file(home.path("a (2)")).unwrap();
    assert_eq!(published(upload), Err(Code::Conflict));
}

#[test]
fn a_name_that_is_taken_while_its_file_is_synced_is_kept_beside() {
    let home = Home::open();
    let desk = crate::store::conformance::Desk::new();
    let begin = |name: &str| home.folder.begin(wanted(name, None, true)).unwrap();
    for slot in 0..200 {
        begin("a").publish(crate::store::conformance::pending_file(&desk, slot));
        // Races with the thread that publishes; wherever it hits, nothing is lost.
        let _ = fs::File::create_new(home.path(&format!("a ({})", slot + 3)));
    }
    let told = (0..200).map(|_| desk.told_file().outcome.unwrap().name);
    let names: std::collections::HashSet<_> = told.collect();
    assert_eq!(names.len(), 200);
    for name in names {
        assert!(home.path(name.as_str()).exists());
    }
}

//! Digests, and uploads that go on where they broke off.

use super::*;

const CONTENT: &[u8] = b"0123456789";

fn offset(store: &Arc<dyn Files>, file: &NewFile) -> (u64, Option<String>) {
    let Offset { bytes, published } = store.offset(&file.partial().unwrap()).unwrap();
    (bytes, published.map(FileName::into_string))
}

fn at(file: &NewFile, offset: u64) -> NewFile {
    NewFile {
        offset,
        ..file.clone()
    }
}

/// Sends the first `bytes` of [`CONTENT`] and breaks off.
fn break_off(store: &Arc<dyn Files>, file: &NewFile, bytes: usize) -> u64 {
    let mut upload = store.begin(file.clone()).unwrap();
    upload.write(&CONTENT[file.offset as usize..bytes]).unwrap();
    upload.suspend()
}

pub(crate) fn the_digest_is_computed_where_it_is_asked_for<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    for algorithm in Algorithm::ALL {
        let asked = NewFile {
            digest: Some(WantedDigest::Compute(algorithm)),
            ..file("a")
        };
        let published = send(&store, asked, algorithm.word().as_bytes()).unwrap();
        let expected = digest(algorithm, algorithm.word().as_bytes());
        assert_eq!(published.digest, Some(expected));
        let given = NewFile {
            digest: Some(WantedDigest::Verify(digest(algorithm, CONTENT))),
            ..file("b")
        };
        assert!(send(&store, given, CONTENT).is_ok());
    }
    assert_eq!(send(&store, file("c"), b"x").unwrap().digest, None);
}

pub(crate) fn another_digest_than_said_is_not_published<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    for content in [&b"0123456788"[..], b"0123", b""] {
        let refused = send(&store, proven("a", CONTENT), content).unwrap_err();
        let expected = if content.len() == CONTENT.len() {
            Code::DigestMismatch
        } else {
            Code::BadFrame
        };
        assert_eq!(refused, expected);
        assert_eq!((engine.published().len(), engine.under_way()), (0, 0));
        assert_eq!(offset(&store, &proven("a", CONTENT)), (0, None));
    }
    let without_size = NewFile {
        size: None,
        ..proven("a", CONTENT)
    };
    assert_eq!(send(&store, without_size, b"x"), Err(Code::DigestMismatch));
    assert_eq!((engine.published().len(), engine.under_way()), (0, 0));
}

pub(crate) fn what_broke_off_goes_on_where_it_was<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let file = proven("a", CONTENT);
    assert_eq!(offset(&store, &file), (0, None));
    assert_eq!(break_off(&store, &file, 4), 4);
    assert_eq!(offset(&store, &file), (4, None));
    // Dropped, as when a connection breaks, and asked for while nobody has seen to it yet.
    let mut upload = store.begin(at(&file, 4)).unwrap();
    upload.write(b"456").unwrap();
    drop(upload);
    assert_eq!(offset(&store, &file), (7, None));
    assert_eq!((engine.published().len(), engine.under_way()), (0, 1));
    let published = send(&store, at(&file, 7), b"789").unwrap();
    assert_eq!((published.size, published.duplicate), (10, false));
    assert_eq!(engine.published()["a"], CONTENT);
    assert_eq!(engine.under_way(), 0);
    assert_eq!(offset(&store, &file), (10, Some("a".to_owned())));
}

pub(crate) fn only_the_durable_place_can_be_gone_on_from<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let file = proven("a", CONTENT);
    break_off(&store, &file, 4);
    for wrong in [3, 5, 10, 11, u64::MAX] {
        let refused = store.begin(at(&file, wrong)).map(drop);
        assert!(matches!(refused, Err(FileError::Conflict { offset: 4 })));
    }
    assert_eq!(offset(&store, &file), (4, None));
    send(&store, at(&file, 4), &CONTENT[4..]).unwrap();
    let refused = store.begin(at(&file, 4)).map(drop);
    assert!(matches!(refused, Err(FileError::Conflict { offset: 10 })));
    let unknown = store.begin(at(&proven("b", CONTENT), 4)).map(drop);
    assert!(matches!(unknown, Err(FileError::Conflict { offset: 0 })));
    assert_eq!(engine.under_way(), 0);
}

pub(crate) fn starting_over_forgets_what_was_there<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let file = proven("a", CONTENT);
    break_off(&store, &file, 9);
    assert_eq!(break_off(&store, &file, 2), 2);
    assert_eq!(offset(&store, &file), (2, None));
    assert_eq!(engine.under_way(), 1);
    // What begins over and leaves nothing takes what was there with it.
    assert_eq!(break_off(&store, &file, 0), 0);
    assert_eq!((offset(&store, &file), engine.under_way()), ((0, None), 0));
    send(&store, file, CONTENT).unwrap();
    assert_eq!(engine.published()["a"], CONTENT);
}

pub(crate) fn what_cannot_be_resumed_is_not_kept<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let without_size = NewFile {
        size: None,
        ..proven("a", CONTENT)
    };
    let without_value = NewFile {
        digest: Some(WantedDigest::Compute(Algorithm::Sha256)),
        ..proven("a", CONTENT)
    };
    for file in [wanted("a", Some(10), true), without_size, without_value] {
        assert_eq!(break_off(&store, &file, 4), 0);
        assert_eq!(engine.under_way(), 0);
        let refused = store.begin(at(&file, 4)).map(drop);
        assert!(matches!(refused, Err(FileError::Conflict { offset: 0 })));
    }
}

pub(crate) fn the_later_upload_fences_the_earlier_one_out<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let file = proven("a", CONTENT);
    let mut first = store.begin(file.clone()).unwrap();
    first.write(&CONTENT[..4]).unwrap();
    // What is under way can be taken over from where it is.
    assert_eq!(offset(&store, &file), (4, None));
    let mut second = store.begin(at(&file, 4)).unwrap();
    assert!(matches!(first.write(b"x"), Err(FileError::FencedOut)));
    second.write(&CONTENT[4..6]).unwrap();
    // Nor does its end take anything away.
    assert_eq!(first.suspend(), 0);
    let third = store.begin(file.clone()).unwrap();
    assert_eq!(published(second), Err(Code::Busy));
    drop(third);
    let mut fourth = store.begin(file.clone()).unwrap();
    fourth.write(CONTENT).unwrap();
    let fifth = store.begin(file).unwrap();
    assert_eq!(published(fourth), Err(Code::Busy));
    drop(fifth);
    assert_eq!(engine.published().len(), 0);
}

pub(crate) fn what_is_just_being_published_is_not_begun_anew<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let desk = Desk::new();
    for number in 0..50 {
        let file = proven(&format!("file-{number}"), CONTENT);
        let mut first = store.begin(file.clone()).unwrap();
        first.write(CONTENT).unwrap();
        first.publish(pending_file(&desk, number));
        let mut second = store.begin(file.clone()).unwrap();
        second.write(&CONTENT[..4]).unwrap();
        second.suspend();
        assert!(desk.told_file().outcome.is_ok());
        assert_eq!(engine.under_way(), 0, "{number}");
    }
}

pub(crate) fn a_partial_is_nobodys_file<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let file = NewFile {
        owner: user("a"),
        ..proven("a", CONTENT)
    };
    break_off(&store, &file, 4);
    for viewer in [viewer("a"), admin()] {
        assert_eq!(read(&store, "a", &viewer), Err(Code::NotFound));
        assert_eq!(remove(&store, "a", &viewer), Err(Code::NotFound));
        assert!(names(&store, &viewer).is_empty());
    }
    assert_eq!(engine.under_way(), 1);
}

pub(crate) fn partials_belong_to_who_began_them<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    let of = |name: &str| NewFile {
        owner: UserName::new(name).ok(),
        ..proven("a", CONTENT)
    };
    assert_eq!(break_off(&store, &of("a"), 4), 4);
    assert_eq!(break_off(&store, &of("b"), 6), 6);
    assert_eq!(offset(&store, &of("a")), (4, None));
    assert_eq!(offset(&store, &of("")), (0, None));
    for (user, rest) in [("a", 4), ("b", 6)] {
        let sent = send(&store, at(&of(user), rest), &CONTENT[rest as usize..]);
        // The second one finds the first one's file.
        let expected = if user == "a" {
            Ok(false)
        } else {
            Err(Code::Conflict)
        };
        assert_eq!(sent.map(|published| published.duplicate), expected);
    }
    assert_eq!(offset(&store, &of("b")), (10, Some("a".to_owned())));
    let whole = send(&store, at(&of("b"), 10), b"").unwrap();
    assert!(whole.duplicate);
}

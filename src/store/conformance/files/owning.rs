//! The same file sent twice, whose it is, who sees it and who removes it.

use super::*;

fn by(owner: &str, file: NewFile) -> NewFile {
    NewFile {
        owner: UserName::new(owner).ok(),
        ..file
    }
}

fn to(owner: &str, file: NewFile) -> NewFile {
    NewFile {
        room: room(&format!("@{owner}")),
        ..file
    }
}

pub(crate) fn the_same_file_is_stored_once<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    // Without its size or its value, so that it is recognized only at its end.
    let computed = |owner| NewFile {
        digest: Some(WantedDigest::Compute(Algorithm::Sha256)),
        ..by(owner, file("a"))
    };
    let first = send(&store, computed("a"), b"x").unwrap();
    let again = send(&store, computed("b"), b"x").unwrap();
    let expected = Published {
        duplicate: true,
        ..first
    };
    assert_eq!(again, expected);
    assert_eq!((engine.published().len(), engine.under_way()), (1, 0));
    // Without a digest nobody can say that it is the same.
    assert_eq!(
        send(&store, file("a"), b"x").unwrap().name.as_str(),
        "a (2)"
    );
}

pub(crate) fn the_same_file_is_not_sent_again<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let file = proven("a", b"content");
    send(&store, file.clone(), b"content").unwrap();
    let again = send(&store, file.clone(), b"content").unwrap();
    assert_eq!((again.name.as_str(), again.duplicate), ("a", true));
    // What is sent all the same is held to its word.
    assert_eq!(
        send(&store, file.clone(), b"kontent"),
        Err(Code::DigestMismatch)
    );
    assert_eq!(send(&store, file.clone(), b"conte"), Err(Code::BadFrame));
    let whole = NewFile { offset: 7, ..file };
    assert!(send(&store, whole, b"").unwrap().duplicate);
    assert_eq!((engine.published().len(), engine.under_way()), (1, 0));
}

pub(crate) fn another_name_size_or_digest_is_another_file<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    for (name, content) in [("a", "x"), ("b", "x"), ("a", "y"), ("a", "xx")] {
        let sent = send(&store, proven(name, content.as_bytes()), content.as_bytes());
        assert!(!sent.unwrap().duplicate, "{name} {content}");
    }
    // The name that it asked for counts, not the one it got.
    assert_eq!(engine.published()["a (2)"], b"y");
    let sent = send(&store, proven("a (2)", b"y"), b"y").unwrap();
    assert_eq!((sent.name.as_str(), sent.duplicate), ("a (2) (2)", false));
    assert!(send(&store, proven("a", b"y"), b"y").unwrap().duplicate);
}

pub(crate) fn an_owner_gives_up_its_own_claim<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    for owner in ["a", "b", "b", ""] {
        send(&store, by(owner, proven("f", b"x")), b"x").unwrap();
    }
    assert_eq!(remove(&store, "f", &viewer("a")), Ok(()));
    assert_eq!(remove(&store, "f", &viewer("a")), Err(Code::Forbidden));
    assert_eq!(remove(&store, "f", &viewer("b")), Ok(()));
    // A guest's claim can't be told from another guest's: only an admin ends it.
    assert_eq!(
        remove(&store, "f", &Viewer::default()),
        Err(Code::Forbidden)
    );
    assert_eq!(engine.published()["f"], b"x");
    assert_eq!(remove(&store, "f", &admin()), Ok(()));
    assert!(engine.published().is_empty());
    for owner in ["a", "b"] {
        send(&store, by(owner, proven("f", b"x")), b"x").unwrap();
    }
    assert_eq!(remove(&store, "f", &viewer("b")), Ok(()));
    assert_eq!(remove(&store, "f", &viewer("a")), Ok(()));
    assert!(engine.published().is_empty());
    // What is gone is no duplicate.
    assert!(!send(&store, proven("f", b"x"), b"x").unwrap().duplicate);
}

pub(crate) fn only_owners_and_admins_remove<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    send(&store, by("a", file("f")), b"x").unwrap();
    send(&store, file("g"), b"x").unwrap();
    for (name, viewer, expected) in [
        ("f", Viewer::default(), Err(Code::Forbidden)),
        ("f", viewer("b"), Err(Code::Forbidden)),
        ("g", Viewer::default(), Err(Code::Forbidden)),
        ("h", admin(), Err(Code::NotFound)),
        ("f", viewer("a"), Ok(())),
        ("g", admin(), Ok(())),
        ("f", viewer("a"), Err(Code::NotFound)),
    ] {
        assert_eq!(remove(&store, name, &viewer), expected, "{name} {viewer:?}");
    }
    assert!(engine.published().is_empty());
    assert!(names(&store, &admin()).is_empty());
}

pub(crate) fn what_is_removed_can_be_read_to_its_end<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    send(&store, file("f"), b"content").unwrap();
    let name = FileName::new("f").unwrap();
    let stored = store.open(&name, &Viewer::default(), None).unwrap();
    remove(&store, "f", &admin()).unwrap();
    let mut bytes = [0; 7];
    assert_eq!(stored.content.read_at(&mut bytes, 0).unwrap(), 7);
    assert_eq!(&bytes, b"content");
}

pub(crate) fn a_personal_file_is_for_one_user<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let sent = send(&store, to("b", by("a", file("f"))), b"x").unwrap();
    assert_eq!(engine.published()[sent.name.as_str()], b"x");
    for stranger in [Viewer::default(), viewer("a"), viewer("c")] {
        assert_eq!(read(&store, "f", &stranger), Err(Code::NotFound));
        assert!(names(&store, &stranger).is_empty());
    }
    assert_eq!(remove(&store, "f", &viewer("c")), Err(Code::NotFound));
    for reader in [viewer("b"), admin()] {
        assert_eq!(read(&store, "f", &reader).unwrap(), b"x");
        assert_eq!(names(&store, &reader), ["f"]);
    }
    assert_eq!(remove(&store, "f", &viewer("b")), Err(Code::Forbidden));
    assert_eq!(remove(&store, "f", &viewer("a")), Ok(()));
    assert!(engine.published().is_empty());
}

pub(crate) fn a_personal_file_is_not_found_out_by_its_digest<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    send(&store, to("b", proven("f", b"x")), b"x").unwrap();
    let partial = proven("f", b"x").partial().unwrap();
    let Offset { bytes, published } = store.offset(&partial).unwrap();
    assert_eq!((bytes, published), (0, None));
    let public = send(&store, proven("f", b"x"), b"x").unwrap();
    assert_eq!((public.name.as_str(), public.duplicate), ("f (2)", false));
    let other = send(&store, to("c", proven("g", b"x")), b"x").unwrap();
    assert!(!other.duplicate);
    // What everybody may read can be shown to one user too.
    let shown = send(&store, to("c", proven("f", b"x")), b"x").unwrap();
    assert_eq!((shown.name.as_str(), shown.duplicate), ("f (2)", true));
    assert_eq!(engine.published().len(), 3);
}

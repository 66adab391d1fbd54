//! A file on its way from its first byte to its name.

use super::*;

pub(crate) fn what_is_written_is_published_whole<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let large: Vec<u8> = (0..20_000_003u32).map(|n| (n % 251) as u8).collect();
    let mut expected = BTreeMap::new();
    for (place, content) in [&b""[..], b"x", &large].into_iter().enumerate() {
        let size = content.len() as u64;
        for (announced, durable) in [(None, true), (Some(size), true), (Some(size), false)] {
            let name = format!("{place} {announced:?} {durable}");
            let mut upload = store.begin(wanted(&name, announced, durable)).unwrap();
            for piece in content.chunks(1 << 18) {
                upload.write(piece).unwrap();
            }
            upload.write(b"").unwrap();
            let name = FileName::new(name).unwrap();
            expected.insert(name.to_string(), content.to_vec());
            assert_eq!(published(upload), Ok(plain(name, size, durable)));
        }
    }
    assert!(engine.published() == expected);
    assert_eq!(engine.under_way(), 0);
}

pub(crate) fn nothing_is_visible_before_it_is_published<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let upload = begin(&store, "a", b"x");
    assert_eq!((engine.published().len(), engine.under_way()), (0, 1));
    published(upload).unwrap();
    assert_eq!((engine.published().len(), engine.under_way()), (1, 0));
}

pub(crate) fn a_dropped_upload_leaves_nothing<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    drop(begin(&store, "a", b"x"));
    drop(store.begin(wanted("b", Some(1 << 20), true)).unwrap());
    assert_eq!((engine.published().len(), engine.under_way()), (0, 0));
}

pub(crate) fn a_taken_name_is_kept_beside<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let names = [
        "photo.png",
        "photo.png",
        "photo (3).png",
        "photo.png",
        "photo.png",
    ];
    let got: Vec<_> = (1u8..)
        .zip(names)
        .map(|(n, name)| publish(&store, name, &[n]))
        .collect();
    assert_eq!(got[..3], ["photo.png", "photo (2).png", "photo (3).png"]);
    for (n, name) in (1u8..).zip(&got) {
        assert_eq!(engine.published()[name], [n], "{name}");
    }
    assert_eq!(engine.published().len(), names.len());
    for (asked, beside) in [("notes", "notes (2)"), ("a.tar.gz", "a.tar (2).gz")] {
        assert_eq!(publish(&store, asked, b""), asked);
        assert_eq!(publish(&store, asked, b""), beside);
    }
}

pub(crate) fn the_longest_names_have_room_beside<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    for asked in ["x".repeat(255), format!("{}.png", "好".repeat(83))] {
        let names = [(); 12].map(|()| publish(&store, &asked, b""));
        assert_eq!(names[0], asked);
        assert!(names.iter().all(|name| name.len() <= 255));
    }
    assert_eq!(engine.published().len(), 24);
}

pub(crate) fn another_size_than_announced_is_not_published<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    for content in [&b"12"[..], b"1234"] {
        let mut upload = store.begin(wanted("a", Some(3), true)).unwrap();
        upload.write(content).unwrap();
        assert_eq!(published(upload), Err(Code::BadFrame));
    }
    assert_eq!((engine.published().len(), engine.under_way()), (0, 0));
}

pub(crate) fn an_upload_is_amended_before_it_is_published<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let large = "0123456789".repeat(100_000);
    for (name, skip, front, expected) in [
        ("a", 0, "", large.clone()),
        ("b", 0, "12", format!("12{large}")),
        ("c", 3, "", large[3..].to_owned()),
        ("d", 1, "xyz", format!("xyz{}", &large[1..])),
        ("e", large.len() as u64, "", String::new()),
    ] {
        let mut upload = begin(&store, "wrong", large.as_bytes());
        let name = FileName::new(name).unwrap();
        upload.amend(name.clone(), skip, front.as_bytes()).unwrap();
        let size = expected.len() as u64;
        assert_eq!(published(upload), Ok(plain(name.clone(), size, true)));
        assert!(engine.published()[name.as_str()] == expected.as_bytes());
    }
    let mut upload = begin(&store, "wrong", b"1");
    assert!(upload.amend(FileName::new("x").unwrap(), 2, b"").is_err());
    drop(upload);
    assert_eq!((engine.published().len(), engine.under_way()), (5, 0));
}

pub(crate) fn publishers_of_one_name_lose_nothing<E: FilesUnderTest>() {
    const PUBLISHERS: u8 = 8;
    const FILES: u8 = 25;
    let (engine, store) = open::<E>();
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let store = &store;
            scope.spawn(move || {
                for file in 0..FILES {
                    publish(store, "photo.png", &[publisher, file]);
                }
            });
        }
    });
    let mut contents: Vec<_> = engine.published().into_values().collect();
    contents.sort();
    let sent = (0..PUBLISHERS).flat_map(|p| (0..FILES).map(move |f| vec![p, f]));
    assert_eq!(contents, sent.collect::<Vec<_>>());
    assert_eq!(engine.under_way(), 0);
}

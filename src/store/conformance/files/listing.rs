//! Reading files and listing them.

use super::*;

/// The names of one page, and whether there are more.
fn page(
    store: &Arc<dyn Files>,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> (Vec<String>, bool) {
    let query = ListQuery {
        prefix: prefix.to_owned(),
        after: after.map(str::to_owned),
        limit,
        viewer: Viewer::default(),
    };
    let page = store.list(&query).unwrap();
    let names = page.files.into_iter().map(|file| file.name.into_string());
    (names.collect(), page.more)
}

pub(crate) fn a_file_is_read_from_any_place<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    let content: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    send(&store, file("a"), &content).unwrap();
    let name = FileName::new("a").unwrap();
    let stored = store.open(&name, &Viewer::default(), None).unwrap();
    assert_eq!((stored.name.as_str(), stored.size), ("a", 100_000));
    for (offset, expected) in [(0, 70_000), (99_999, 1), (100_000, 0), (u64::MAX / 4, 0)] {
        let mut buffer = vec![0; 70_000];
        let read = stored.content.read_at(&mut buffer, offset).unwrap();
        assert_eq!(read, expected, "{offset}");
        let from = content.get(offset as usize..).unwrap_or_default();
        assert!(buffer[..read] == from[..read]);
    }
    let absent = FileName::new("b").unwrap();
    let refused = store.open(&absent, &Viewer::default(), None).map(drop);
    assert!(matches!(refused, Err(FileError::NotFound)));
}

pub(crate) fn a_file_is_opened_only_with_its_digest<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    send(&store, proven("a", b"x"), b"x").unwrap();
    let name = FileName::new("a").unwrap();
    let opened = |expected| store.open(&name, &Viewer::default(), expected);
    let known = digest(Algorithm::Blake3, b"x");
    assert_eq!(opened(None).unwrap().digest, Some(known));
    // Also one of a kind that nobody has computed yet.
    for algorithm in Algorithm::ALL {
        let right = opened(Some(digest(algorithm, b"x"))).unwrap();
        assert_eq!(right.digest, Some(digest(algorithm, b"x")));
        let mut byte = [0];
        assert_eq!(right.content.read_at(&mut byte, 0).unwrap(), 1);
        let wrong = opened(Some(digest(algorithm, b"y"))).map(drop);
        assert!(matches!(wrong, Err(FileError::Changed)));
    }
}

pub(crate) fn pages_are_ascending_and_lose_nothing<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    assert_eq!(page(&store, "", None, 10), (Vec::new(), false));
    let mut expected = Vec::new();
    for number in 0..300u32 {
        // In no order.
        let name = format!("file {}", number.wrapping_mul(7_919) % 300);
        let owned = NewFile {
            owner: user("a"),
            durable: false,
            ..file(&name)
        };
        send(&store, owned, name.as_bytes()).unwrap();
        expected.push(name);
        if number == 150 {
            // What comes after the first page was read is on the later ones.
            assert_eq!(page(&store, "", None, 1).0.len(), 1);
        }
    }
    expected.sort_unstable();
    for limit in [1, 7, 299, 300, 1_000] {
        let mut all = Vec::new();
        loop {
            let (names, more) = page(&store, "", all.last().map(String::as_str), limit);
            assert!(
                names.len() == limit || !more,
                "a page that is not full says more"
            );
            all.extend(names);
            if !more {
                break;
            }
        }
        assert!(all == expected, "limit {limit}");
    }
    let query = ListQuery {
        prefix: "file 17".to_owned(),
        limit: 1,
        ..ListQuery::default()
    };
    let Listed { size, owner, .. } = &store.list(&query).unwrap().files[0];
    assert_eq!((*size, owner), (7, &user("a")));
}

pub(crate) fn a_prefix_is_not_a_pattern<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    for name in ["a%", "a_b", "ab", "b", "相片 1", "相片 2", "相"] {
        send(&store, file(name), b"").unwrap();
    }
    let of = |prefix, after| page(&store, prefix, after, 10).0;
    assert_eq!(of("a", None), ["a%", "a_b", "ab"]);
    assert_eq!(of("a%", None), ["a%"]);
    assert_eq!(of("a_", None), ["a_b"]);
    assert_eq!(of("相片", None), ["相片 1", "相片 2"]);
    assert_eq!(of("相片", Some("相片 1")), ["相片 2"]);
    assert_eq!(of("b", Some("a")), ["b"]);
    assert_eq!(of("a", Some("b")), [""; 0]);
    assert_eq!(of("x", None), [""; 0]);
}

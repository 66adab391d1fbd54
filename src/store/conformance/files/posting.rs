//! Files that are posted to rooms, keys, and who is told.

use super::*;

/// Every message of a room.
fn messages<E: FilesUnderTest>(engine: &E, name: &str) -> Vec<Message> {
    let query = Query {
        room: RoomName::new(name).unwrap(),
        range: Range::After(0),
        limit: 100,
        max_bytes: 1 << 20,
        search: None,
    };
    engine.messages().page(&query).unwrap().messages
}

fn posted(name: &str, to: &str, key: &str) -> NewFile {
    NewFile {
        owner: user("a"),
        room: room(to),
        key: Key::new(key).ok(),
        ..file(name)
    }
}

pub(crate) fn a_file_is_posted_to_its_room<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let wanted = NewFile {
        digest: Some(WantedDigest::Compute(Algorithm::Sha256)),
        ..posted("f", "lobby", "")
    };
    let sent = send(&store, wanted.clone(), b"content").unwrap();
    let post = sent.post.as_ref().unwrap();
    assert_eq!((post.prev, post.duplicate), (0, false));
    assert_eq!(sent.room, room("lobby"));
    let told = messages(&engine, "lobby");
    assert_eq!(
        (told.len(), told[0].seq, &told[0].from),
        (1, post.seq, &user("a"))
    );
    assert_eq!((&*told[0].text, told[0].time), ("", post.time));
    let tag = told[0].file.as_ref().unwrap();
    assert_eq!(
        (tag.name.as_str(), tag.size, tag.digest),
        ("f", 7, sent.digest)
    );
    // The same file is another post.
    let again = send(&store, wanted, b"content").unwrap();
    assert!(again.duplicate && !again.post.unwrap().duplicate);
    assert_eq!(messages(&engine, "lobby").len(), 2);
    // What nobody waits for is posted all the same.
    let hasty = NewFile {
        durable: false,
        ..posted("g", "lobby", "")
    };
    assert_eq!(send(&store, hasty, b"x").unwrap().post, None);
    let last = send(&store, posted("h", "lobby", ""), b"x").unwrap();
    assert_eq!(messages(&engine, "lobby").len(), 4);
    assert_eq!(last.post.unwrap().prev, messages(&engine, "lobby")[2].seq);
    // What is refused is not.
    let wrong = NewFile {
        size: Some(2),
        ..posted("h", "lobby", "")
    };
    assert_eq!(send(&store, wrong, b"x"), Err(Code::BadFrame));
    assert_eq!(messages(&engine, "lobby").len(), 4);
}

pub(crate) fn files_and_texts_are_in_one_order<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let desk = Desk::new();
    for round in 0..4 {
        // Several at once, as one connection sends them.
        for slot in 0..5 {
            let mut upload = store.begin(posted("f", "r", "")).unwrap();
            upload.write(format!("{round}{slot}").as_bytes()).unwrap();
            upload.publish(pending_file(&desk, slot));
        }
        for slot in 0..5 {
            assert_eq!(desk.told_file().slot, slot);
        }
        let text = message("r", "a", "", &format!("text {round}"));
        engine.messages().post(text, Some(pending(&desk, 9)));
        desk.told().receipt.unwrap();
    }
    let told = messages(&engine, "r");
    assert_eq!(told.len(), 24);
    let published = engine.published();
    for (place, told) in told.iter().enumerate() {
        let (round, slot) = (place / 6, place % 6);
        match &told.file {
            Some(tag) => assert_eq!(
                published[tag.name.as_str()],
                format!("{round}{slot}").into_bytes()
            ),
            None => assert_eq!((slot, &*told.text), (5, &*format!("text {round}"))),
        }
    }
}

pub(crate) fn a_resend_with_the_same_key_is_one_post<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let first = send(&store, posted("f", "r", "k"), b"first").unwrap();
    for _ in 0..2 {
        let again = send(&store, posted("f", "r", "k"), b"second").unwrap();
        assert_eq!((&again.name, again.size), (&first.name, first.size));
        assert!(again.duplicate);
        let (post, told) = (again.post.unwrap(), first.post.as_ref().unwrap());
        assert_eq!(
            (post.seq, post.prev, post.time),
            (told.seq, told.prev, told.time)
        );
        assert!(post.duplicate && !told.duplicate);
    }
    assert_eq!((engine.published().len(), engine.under_way()), (1, 0));
    assert_eq!(messages(&engine, "r").len(), 1);
    // Also when they come at once.
    let desk = Desk::new();
    for slot in 0..4 {
        let mut upload = store.begin(posted("g", "r", "l")).unwrap();
        upload.write(&[slot as u8]).unwrap();
        upload.publish(pending_file(&desk, slot));
    }
    let told = [(); 4].map(|()| desk.told_file().outcome.unwrap().duplicate);
    assert_eq!(told, [false, true, true, true]);
    assert_eq!(engine.published()["g"], [0]);
    assert_eq!((engine.published().len(), engine.under_way()), (2, 0));
    // Nor is a text that comes after the file.
    let text = message("r", "a", "k", "text");
    engine.messages().post(text, Some(pending(&desk, 9)));
    let receipt = desk.told().receipt.unwrap();
    assert_eq!(
        (receipt.seq, receipt.duplicate),
        (first.post.unwrap().seq, true)
    );
}

pub(crate) fn a_key_counts_in_its_scope<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    let mut expected = 0;
    for owner in ["a", "b", ""] {
        for to in ["r", "s", ""] {
            let wanted = NewFile {
                owner: UserName::new(owner).ok(),
                room: RoomName::new(to).ok(),
                ..posted("f", "r", "k")
            };
            assert!(!send(&store, wanted.clone(), b"x").unwrap().duplicate);
            assert!(send(&store, wanted, b"y").unwrap().duplicate);
            expected += 1;
        }
    }
    assert_eq!(engine.published().len(), expected);
    // What was refused has not used its key up.
    let wrong = NewFile {
        size: Some(2),
        ..posted("f", "r", "l")
    };
    assert_eq!(send(&store, wrong, b"x"), Err(Code::BadFrame));
    assert!(!send(&store, posted("f", "r", "l"), b"x").unwrap().duplicate);
}

/// Keeps what it is told.
#[derive(Default)]
struct Window(Mutex<Vec<Arrival>>);

impl FileWitness for Window {
    fn published(&self, batch: &[Arrival]) {
        self.0.lock().extend_from_slice(batch);
    }
}

pub(crate) fn a_witness_sees_what_is_new<E: FilesUnderTest>() {
    let (_engine, store) = open::<E>();
    let window = Arc::new(Window::default());
    store.observe(window.clone());
    send(&store, proven("f", b"x"), b"x").unwrap();
    send(&store, proven("f", b"x"), b"x").unwrap();
    send(&store, posted("f", "@b", ""), b"yy").unwrap();
    send(&store, proven("g", b"x"), b"y").unwrap_err();
    // Told after the answers.
    store.close();
    let seen = window.0.lock().clone();
    let arrival = |name: &str, size, owner: &str, personal| Arrival {
        name: FileName::new(name).unwrap(),
        size,
        owner: UserName::new(owner).ok(),
        personal,
    };
    assert_eq!(
        seen,
        [arrival("f", 1, "", false), arrival("f (2)", 2, "a", true)]
    );
}

pub(crate) fn what_comes_after_the_end_is_refused<E: FilesUnderTest>() {
    let (engine, store) = open::<E>();
    send(&store, file("f"), b"x").unwrap();
    let upload = begin(&store, "g", b"x");
    store.close();
    store.close();
    assert_eq!(published(upload), Err(Code::GoingAway));
    assert_eq!(engine.published().len(), 1);
    assert_eq!(read(&store, "f", &Viewer::default()).unwrap(), b"x");
}

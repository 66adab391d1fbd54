//! Syncs and commits that fail.

use super::*;
use std::io::ErrorKind;

impl Home {
    /// Has the next syncs fail as `faults` say, one after the other.
    fn fail<const N: usize>(&self, faults: [Option<ErrorKind>; N]) {
        self.folder.shared.fence.faults.lock().extend(faults);
    }

    /// Whether no durable file is taken any more.
    fn is_fenced(&self) -> bool {
        self.folder.shared.check_fence().is_err()
    }
}

fn content_of(home: &Home, name: &str) -> Vec<u8> {
    let name = FileName::new(name).unwrap();
    let stored = home.folder.open(&name, &Viewer::default(), None).unwrap();
    let mut bytes = vec![0; stored.size as usize];
    stored.content.read_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn a_file_whose_sync_fails_is_refused_and_fences_the_store() {
    let home = Home::open();
    put(&home, "old", b"old").unwrap();
    home.fail([Some(ErrorKind::Other)]);
    assert_eq!(put(&home, "a", b"x"), Err(Code::GoingAway));
    assert!(home.is_fenced());
    assert_eq!((home.published().len(), home.under_way()), (1, 0));
    assert_eq!(content_of(&home, "old"), b"old");
    let hasty = home.folder.begin(wanted("b", None, false)).unwrap();
    assert!(published(hasty).is_ok());
    let home = home.restart();
    assert!(!home.is_fenced());
    assert_eq!(put(&home, "a", b"x").unwrap(), "a");
}

#[test]
fn a_folder_whose_sync_fails_gives_no_names() {
    let home = Home::open();
    home.fail([None, Some(ErrorKind::Other)]);
    assert_eq!(put(&home, "a", b"x"), Err(Code::GoingAway));
    assert!(home.is_fenced());
    assert_eq!((home.published().len(), home.under_way()), (0, 0));
    let home = home.restart();
    assert_eq!(home.published().len(), 0);
    assert_eq!(put(&home, "a", b"y").unwrap(), "a");
    assert_eq!(content_of(&home, "a"), b"y");
}

#[test]
fn a_name_that_may_come_back_keeps_its_record() {
    let home = Home::open();
    let is_recorded = |name: &str| {
        // What is forgotten is forgotten in one of the next commits.
        home.folder.shared.commit(|_| Ok(())).unwrap();
        let record = home.database.read(|db| records::file(db, name));
        record.unwrap().is_some()
    };
    // The file, its folder, and the folder again once the name is taken away.
    home.fail([None, Some(ErrorKind::StorageFull), None]);
    assert_eq!(put(&home, "a", b"x"), Err(Code::NoSpace));
    assert!(!is_recorded("a"));
    let full = Some(ErrorKind::StorageFull);
    home.fail([None, full, full]);
    assert_eq!(put(&home, "b", b"x"), Err(Code::NoSpace));
    // After a loss of power the name may be there, for those alone who may read it.
    assert!(is_recorded("b"));
    assert_eq!(put(&home, "b", b"y").unwrap(), "b");
    home.fail([None, Some(ErrorKind::Other)]);
    assert_eq!(put(&home, "c", b"x"), Err(Code::GoingAway));
    assert!(is_recorded("c"), "and nobody knows what a broken disk did");
    assert_eq!((home.published().len(), home.under_way()), (1, 0));
    let home = home.restart();
    assert_eq!(put(&home, "c", b"z").unwrap(), "c");
}

#[test]
fn a_full_disk_refuses_and_heals() {
    let home = Home::open();
    for faults in [
        [Some(ErrorKind::StorageFull), None],
        [None, Some(ErrorKind::StorageFull)],
    ] {
        home.fail(faults);
        assert_eq!(put(&home, "a", b"x"), Err(Code::NoSpace));
        assert!(!home.is_fenced());
        home.folder.shared.fence.faults.lock().clear();
        assert_eq!((home.published().len(), home.under_way()), (0, 0));
    }
    assert_eq!(put(&home, "a", b"x").unwrap(), "a");
    assert!(home.restart().folder.notes().is_empty());
}

#[test]
fn of_a_batch_only_what_failed_is_refused() {
    let home = Home::open();
    let desk = crate::store::conformance::Desk::new();
    // One that holds up the publisher, so that the others wait for it together.
    let uploads: Vec<_> = (0..40u8)
        .map(|number| {
            let mut upload = home.folder.begin(wanted("a", None, true)).unwrap();
            upload.write(&[number]).unwrap();
            upload
        })
        .collect();
    home.fail([None, None, None, Some(ErrorKind::StorageFull), None]);
    for (slot, upload) in (0..).zip(uploads) {
        upload.publish(crate::store::conformance::pending_file(&desk, slot));
    }
    let told: Vec<_> = (0..40).map(|_| desk.told_file()).collect();
    let refused = told.iter().filter(|told| told.outcome.is_err()).count();
    let published = home.published();
    assert_eq!(published.len(), 40 - refused);
    assert!(refused > 0 && home.under_way() == 0);
    for told in told {
        if let Ok(file) = told.outcome {
            assert_eq!(published[file.name.as_str()], [told.slot as u8]);
        }
    }
}

#[test]
fn what_can_be_resumed_keeps_what_was_durable_before() {
    let home = Home::open();
    let content = b"0123456789";
    let file = proven("a", "", content);
    assert_eq!(break_off(&home, &file, content, 4), 4);
    let rest = NewFile {
        offset: 4,
        ..file.clone()
    };
    home.fail([Some(ErrorKind::StorageFull)]);
    assert_eq!(break_off(&home, &rest, content, 8), 4);
    assert_eq!(offset(&home, &file), 4);
    // What can't be published for lack of space can be gone on with.
    home.fail([Some(ErrorKind::StorageFull)]);
    let mut upload = home.folder.begin(rest.clone()).unwrap();
    upload.write(&content[4..]).unwrap();
    assert_eq!(published(upload), Err(Code::NoSpace));
    let here = offset(&home, &file);
    assert!(here == 4 || here == 10, "{here}");
    let last = NewFile {
        offset: here,
        ..file.clone()
    };
    let mut upload = home.folder.begin(last).unwrap();
    upload.write(&content[here as usize..]).unwrap();
    assert_eq!(published(upload).unwrap().name.as_str(), "a");
    assert_eq!(content_of(&home, "a"), content);
}

#[test]
fn what_the_records_cannot_keep_is_refused() {
    let home = Home::open();
    put(&home, "old", b"old").unwrap();
    let file = proven("b", "", b"0123");
    assert_eq!(break_off(&home, &file, b"0123", 2), 2);
    home.database.close();
    assert_eq!(put(&home, "a", b"x"), Err(Code::GoingAway));
    assert_eq!(home.published().len(), 1);
    let name = FileName::new("old").unwrap();
    let admin = Viewer {
        user: None,
        admin: true,
    };
    // Its bytes go, but nobody says so before that is known to last.
    assert!(home.folder.remove(&name, &admin).is_err());
    assert!(home.folder.offset(&file.partial().unwrap()).is_err());
    let home = home.restart();
    assert_eq!(offset(&home, &file), 2);
}

#[test]
fn what_is_synced_while_an_upload_breaks_off_is_kept_or_not_told() {
    let home = Home::open();
    let content = [7u8; 10];
    for round in 0..300 {
        let file = proven(&format!("a{round}"), "", &content);
        assert_eq!(break_off(&home, &file, &content, 2), 2);
        let more = NewFile {
            offset: 2,
            ..file.clone()
        };
        let mut upload = home.folder.begin(more).unwrap();
        upload.write(&content[2..6]).unwrap();
        // The one who asks syncs the file and the folder; what broke off can't be synced after that.
        home.fail([None, None, Some(ErrorKind::StorageFull)]);
        let told = std::thread::scope(|scope| {
            let told = scope.spawn(|| offset(&home, &file));
            while home.folder.shared.fence.faults.lock().len() > 1 {
                std::hint::spin_loop();
            }
            let kept = upload.suspend();
            (told.join().unwrap(), kept)
        });
        home.folder.shared.fence.faults.lock().clear();
        assert!(told.0 <= told.1, "round {round}: {told:?}");
        assert_eq!(offset(&home, &file), told.1, "round {round}");
        let partials = fs::read_dir(home.path(INCOMING)).unwrap();
        let sizes: Vec<_> = partials
            .map(|it| it.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes, [told.1], "round {round}");
        let rest = NewFile {
            offset: told.1,
            ..file
        };
        let mut upload = home.folder.begin(rest).unwrap();
        upload.write(&content[told.1 as usize..]).unwrap();
        assert!(published(upload).is_ok(), "round {round}");
    }
}

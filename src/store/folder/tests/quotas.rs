//! How much one user, all users and guests may have.

use super::*;

fn quota(per_user: u64, all: u64) -> FileLimits {
    FileLimits {
        quota_per_user: per_user,
        quota: all,
        ..limits()
    }
}

fn send(home: &Home, name: &str, owner: &str, content: &[u8]) -> Result<bool, Code> {
    let file = proven(name, owner, content);
    let mut upload = match home.folder.begin(file) {
        Ok(upload) => upload,
        Err(FileError::Quota) => return Err(Code::Quota),
        Err(error) => panic!("{error}"),
    };
    upload.write(content).unwrap();
    published(upload).map(|published| published.duplicate)
}

#[test]
fn a_quota_counts_what_is_published_kept_and_under_way() {
    let home = open(tempfile::tempdir().unwrap(), &quota(10, 0), Clock::system());
    assert_eq!(send(&home, "a", "u", b"1234"), Ok(false));
    assert_eq!(send(&home, "b", "u", b"1234567"), Err(Code::Quota));
    assert_eq!(send(&home, "b", "v", b"1234567"), Ok(false));
    // Also for one's share in what is here already, but not twice.
    assert_eq!(send(&home, "b", "u", b"1234567"), Err(Code::Quota));
    assert_eq!(send(&home, "a", "v", b"1234"), Err(Code::Quota));
    assert_eq!(send(&home, "a", "u", b"1234"), Ok(true));
    assert_eq!(
        break_off(&home, &proven("c", "u", b"123456"), b"123456", 3),
        3
    );
    assert_eq!(send(&home, "d", "u", b"1234"), Err(Code::Quota));
    let under_way = home.folder.begin(proven("d", "u", b"123")).unwrap();
    assert_eq!(send(&home, "e", "u", b"1"), Err(Code::Quota));
    under_way.suspend();
    assert_eq!(send(&home, "e", "u", b"1"), Ok(false));
    // Guests have none of their own.
    assert_eq!(send(&home, "f", "", &[0; 100]), Ok(false));
    let name = FileName::new("a").unwrap();
    let viewer = Viewer {
        user: UserName::new("u").ok(),
        admin: false,
    };
    home.folder.remove(&name, &viewer).unwrap();
    assert_eq!(send(&home, "g", "u", b"123456"), Ok(false));
    assert_eq!(send(&home, "h", "u", b"1"), Err(Code::Quota));
}

#[test]
fn an_owners_resend_of_more_than_half_the_quota_is_a_duplicate() {
    let home = open(tempfile::tempdir().unwrap(), &quota(10, 0), Clock::system());
    assert_eq!(send(&home, "a", "u", b"12345678"), Ok(false));
    assert_eq!(send(&home, "a", "u", b"12345678"), Ok(true));
}

#[test]
fn a_quota_holds_where_no_size_was_announced_and_over_a_restart() {
    let limits = quota(10, 15);
    let home = open(tempfile::tempdir().unwrap(), &limits, Clock::system());
    let unknown = |owner: &str| NewFile {
        size: None,
        ..proven("a", owner, b"123456789012")
    };
    let mut upload = home.folder.begin(unknown("u")).unwrap();
    upload.write(b"1234567890").unwrap();
    assert!(matches!(upload.write(b"12"), Err(FileError::Quota)));
    drop(upload);
    assert_eq!(send(&home, "a", "u", b"12345678"), Ok(false));
    assert_eq!(
        break_off(&home, &proven("b", "", b"1234567"), b"1234567", 4),
        4
    );
    assert_eq!(send(&home, "c", "v", b"1234"), Err(Code::Quota));
    let Home {
        folder,
        database,
        home,
    } = home;
    folder.close();
    database.close();
    drop((folder, database));
    let home = open(home, &limits, Clock::system());
    assert_eq!(send(&home, "c", "u", b"123"), Err(Code::Quota));
    assert_eq!(send(&home, "c", "v", b"1234"), Err(Code::Quota));
    assert_eq!(send(&home, "c", "v", b"123"), Ok(false));
    // What had broken off still has room for its rest only as far as the quota goes.
    let rest = NewFile {
        offset: 4,
        ..proven("b", "", b"1234567")
    };
    assert!(matches!(
        home.folder.begin(rest).map(drop),
        Err(FileError::Quota)
    ));
    assert_eq!(offset(&home, &proven("b", "", b"1234567")), 4);
}

#[test]
fn uploads_leave_the_reserve_to_messages() {
    let limits = FileLimits {
        disk_reserve: u64::MAX,
        ..limits()
    };
    let home = open(tempfile::tempdir().unwrap(), &limits, Clock::system());
    let space = rustix::fs::statvfs(home.home.path()).unwrap();
    let free = space.f_bavail * space.f_frsize;
    // Half of what was free at the start, and what others write meanwhile.
    let refused = begin(&home, free / 2 + (free >> 4)).map(drop);
    assert!(matches!(
        refused,
        Err(FileError::Store(StoreError::NoSpace))
    ));
    assert!(put(&home, "a", b"x").is_ok());
}

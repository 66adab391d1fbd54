//! `gatepost send`, `get`, `ls` and `rm` with the real server: receipts that other tools check, and
//! programs that are killed and go on.

use super::offset;
use crate::follow::run::{Running, run};
use crate::support::{Daemon, partials, until, uploads, write_accounts};
use crate::trial::content;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A server, its home, and a folder beside it.
struct House {
    daemon: Daemon,
    home: TempDir,
    desk: TempDir,
}

impl House {
    #[track_caller]
    fn new() -> Self {
        let (home, desk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_accounts(home.path(), &[("lisi".to_owned(), "123".to_owned())]);
        let daemon = Daemon::start(home.path(), &[]);
        Self { daemon, home, desk }
    }

    fn address(&self) -> String {
        self.daemon.address().to_string()
    }

    /// A path on the desk.
    fn path(&self, name: &str) -> String {
        let path = self.desk.path().join(name);
        path.into_os_string().into_string().unwrap()
    }

    /// Puts the file called `seed` on the desk.
    fn put(&self, name: &str, seed: u64, size: usize) -> String {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, content::bytes(seed, size)).unwrap();
        path
    }

    /// Runs the program: its exit code, and both of its streams.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        run(&self.address(), arguments, "")
    }

    /// Runs the program, which succeeds; its standard output.
    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    }

    fn uploaded(&self, name: &str) -> PathBuf {
        self.home.path().join("uploads").join(name)
    }
}

/// Has a tool check `lines` in `folder`.
#[track_caller]
fn check_sums(tool: &str, folder: &Path, lines: &str) {
    let sums = folder.join("SUMS");
    fs::write(&sums, lines).unwrap();
    let checked = Command::new(tool)
        .args(["--check", "--strict", "SUMS"])
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("this test needs {tool}: {error}"));
    assert!(checked.status.success(), "{checked:?}");
    fs::remove_file(sums).unwrap();
}

#[test]
fn receipts_are_lines_that_sha256sum_checks() {
    let house = House::new();
    let (a, b) = (house.put("a.txt", 1, 10), house.put("b c", 2, 2 << 20));
    let out = house.succeed(&["send", "--digest", "sha256", &a, &b]);
    assert_eq!(out.lines().count(), 2);
    check_sums("sha256sum", &house.uploaded(""), &out);
    check_sums("sha256sum", house.desk.path(), &out);
    content::assert_file(&house.uploaded("b c"), 2, 2 << 20);
    // What comes back is told the same way, and is where it is said to be.
    let to = house.path("to");
    fs::create_dir(&to).unwrap();
    let out = house.succeed(&["get", "a.txt", "b c", "-o", &to]);
    check_sums("sha256sum", Path::new("/"), &out);
    let mode = fs::metadata(Path::new(&to).join("a.txt"))
        .unwrap()
        .permissions()
        .mode();
    let usual = fs::metadata(&a).unwrap().permissions().mode();
    assert_eq!(mode, usual, "as any new file");
    // Once more: nothing is fetched, nothing is replaced.
    let (code, _, err) = house.run(&["get", "a.txt", "-o", &to]);
    assert_eq!((code, &*err), (0, "a.txt: was here already\n"));
    fs::write(Path::new(&to).join("a.txt"), "mine").unwrap();
    let (code, _, err) = house.run(&["get", "a.txt", "-o", &to]);
    assert!(code == 74 && err.contains("is there already"), "{err}");
}

#[test]
fn names_are_told_listed_and_removed() {
    let house = House::new();
    let path = house.put("photo.png", 1, 5);
    house.succeed(&["send", &path]);
    fs::write(&path, "other").unwrap();
    let (code, out, err) = house.run(&["send", &path]);
    assert_eq!((code, &*err), (0, "photo.png is kept as photo (2).png\n"));
    assert!(out.ends_with("  photo (2).png\n"), "{out}");
    let (_, _, err) = house.run(&["send", &path]);
    assert!(err.contains("was there already"), "{err}");
    let listed = house.succeed(&["ls", "photo", "--json"]);
    let names: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(names[0]["name"], "photo (2).png");
    assert_eq!((&names[1]["size"], names.len()), (&5.into(), 2));
    assert!(
        house
            .succeed(&["ls"])
            .lines()
            .all(|line| line.starts_with("5  20"))
    );
    assert_eq!(house.succeed(&["ls", "nothing"]), "");
    let (code, _, err) = house.run(&["rm", "photo.png", "photo (2).png"]);
    assert!(
        code == 1 && err.contains("2 of 2 files were not removed"),
        "{err}"
    );
    let (code, _, err) = house.run(&["get", "nothing", "-o", &house.path("x")]);
    assert!(code == 1 && err.contains("not_found"), "{err}");
    assert!(!Path::new(&house.path(".x.gatepost-partial")).exists());
}

#[test]
fn a_users_file_is_removed_by_its_user() {
    let house = House::new();
    let path = house.put("own", 1, 5);
    let as_lisi = |words: &str| {
        let command = format!(
            "XDG_STATE_HOME={} GATEPOST_PASSWORD=123 GATEPOST_SERVER={} {} {words} --user lisi",
            house.path("state"),
            house.address(),
            env!("CARGO_BIN_EXE_gatepost"),
        );
        let ran = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    as_lisi(&format!("send '{path}'"));
    assert!(as_lisi("ls").contains("  lisi  own"));
    as_lisi("rm own");
    assert_eq!(uploads(house.home.path()), [""; 0]);
}

#[test]
fn a_folder_goes_and_comes_back() {
    let house = House::new();
    for (seed, name) in [
        (1, "photos/2024/a.jpg"),
        (2, "photos/.b/50%"),
        (3, "photos/c d"),
    ] {
        house.put(name, seed, 1000);
    }
    let photos = house.path("photos");
    let out = house.succeed(&["send", &photos, "--json"]);
    let events: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let receipts = events.iter().filter(|event| event["event"] == "receipt");
    assert_eq!(receipts.count(), 3);
    assert!(
        events
            .iter()
            .any(|event| event["event"] == "begin" && event["size"] == 1000)
    );
    assert_eq!(
        uploads(house.home.path()),
        [
            "photos%2F.b%2F50%25",
            "photos%2F2024%2Fa.jpg",
            "photos%2Fc d"
        ]
    );
    let to = house.path("to");
    house.succeed(&["get", "--folder", "photos/", "-o", &to]);
    content::assert_file(&Path::new(&to).join("photos/2024/a.jpg"), 1, 1000);
    content::assert_file(&Path::new(&to).join("photos/.b/50%"), 2, 1000);
    content::assert_file(&Path::new(&to).join("photos/c d"), 3, 1000);
    // A name that would lead out of the folder is left where it is.
    let climber = house.path("photos/c d");
    house.succeed(&["send", &climber, "--name", "photos%2F..%2F..%2Fout"]);
    let (code, _, err) = house.run(&["get", "--folder", "photos", "-o", &to]);
    assert!(code == 0 && err.contains("stands for no path"), "{err}");
    assert!(!Path::new(&house.path("out")).exists());
}

#[test]
fn pipes_go_in_and_out() {
    let house = House::new();
    let (code, ..) = run(
        &house.address(),
        &["send", "-", "--name", "typed"],
        "你好\n",
    );
    assert_eq!(code, 0);
    assert_eq!(house.succeed(&["get", "typed", "-o", "-"]), "你好\n");
    house.succeed(&["send", "--room", "team", &house.put("x", 1, 3)]);
    assert!(
        house
            .succeed(&["history", "team", "--json"])
            .contains("\"x\"")
    );
}

/// Waits until the server has something of a file that is being sent.
#[track_caller]
fn until_under_way(house: &House, bytes: u64) {
    let folder = house.home.path().join("uploads/.incoming");
    let size = |entry: fs::DirEntry| entry.metadata().map_or(0, |told| told.len());
    until("an upload is under way", || {
        let entries = fs::read_dir(&folder).into_iter().flatten();
        entries.flatten().map(size).any(|size| size >= bytes)
    });
}

/// Waits until the server has noticed that the sender of file 7 is gone, and made safe what it has.
#[track_caller]
fn until_safe(house: &House, name: &str) {
    let (mut peer, bytes) = (house.daemon.peer(), content::bytes(7, SIZE));
    until("the server has noticed", || {
        offset(&mut peer, name, &bytes)["offset"].as_u64() > Some(0)
    });
}

/// What a script is told of a file that was gone on with.
#[track_caller]
fn resumed_at(out: &str) -> u64 {
    let events = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let resumed = events.filter(|event| event["event"] == "resume");
    let last = resumed.reduce(|_, last| last);
    last.unwrap_or_else(|| panic!("{out}"))["offset"]
        .as_u64()
        .unwrap()
}

const SIZE: usize = 12 << 20;

#[test]
fn a_killed_sender_is_gone_on_with() {
    let house = House::new();
    let path = house.put("big", 7, SIZE);
    let slow = ["send", "--limit-rate", "4MiB", "--digest", "sha256", &path];
    let sender = Running::start(&house.address(), &slow);
    until_under_way(&house, 1 << 20);
    // Killed, not asked.
    drop(sender);
    until_safe(&house, "big");
    let out = house.succeed(&["send", "--json", "--digest", "sha256", &path]);
    assert!(resumed_at(&out) > 0);
    content::assert_file(&house.uploaded("big"), 7, SIZE as u64);
    assert_eq!(partials(house.home.path()), 0);
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    let house = House::new();
    let (big, small) = (house.put("it's big", 7, SIZE), house.put("small", 8, 10));
    let slow = [
        "send",
        "--limit-rate",
        "4MiB",
        "--digest",
        "sha256",
        &small,
        &big,
    ];
    let mut sender = Running::start(&house.address(), &slow);
    assert!(sender.line().ends_with("  small"));
    until_under_way(&house, 1 << 20);
    sender.interrupt();
    assert_eq!(sender.end(), 130);
    assert!(sender.complaint().contains("interrupted"));
    let told = sender.complaint();
    let (what, command) = told.split_once("; resume with: gatepost ").unwrap();
    assert_eq!(what, "gatepost: 1 of 2 files was not sent");
    assert!(!command.contains("small"), "{command}");
    until_safe(&house, "it's big");
    // The same, quickly, and as told to a script.
    let command = command.replace(" --limit-rate=4MiB -- ", " --json -- ");
    let command = format!("{} {command}", env!("CARGO_BIN_EXE_gatepost"));
    let ran = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert!(resumed_at(&String::from_utf8(ran.stdout).unwrap()) > 0);
    content::assert_file(&house.uploaded("it's big"), 7, SIZE as u64);
}

#[test]
fn a_killed_fetcher_is_gone_on_with() {
    let house = House::new();
    house.succeed(&["send", &house.put("big", 7, SIZE)]);
    let to = house.path("got");
    let partial = PathBuf::from(house.path(".got.gatepost-partial"));
    let slow = ["get", "big", "-o", &to, "--limit-rate", "4MiB"];
    let fetcher = Running::start(&house.address(), &slow);
    until("a download is under way", || {
        fs::metadata(&partial).is_ok_and(|told| told.len() > 1 << 20)
    });
    let (code, _, err) = house.run(&["get", "big", "-o", &to]);
    assert!(code == 74 && err.contains("another process"), "{err}");
    drop(fetcher);
    let told = fs::metadata(&partial).unwrap();
    assert_eq!(told.permissions().mode() & 0o777, 0o600);
    assert!(!Path::new(&to).exists());
    let out = house.succeed(&["get", "big", "-o", &to, "--json"]);
    assert!(resumed_at(&out) > 1 << 20);
    content::assert_file(Path::new(&to), 7, SIZE as u64);
    assert!(!partial.exists());
}

#[test]
fn a_server_that_is_killed_is_waited_for() {
    let mut house = House::new();
    let board = crate::follow::board::Board::new(|| None);
    board.plug(Some(house.daemon.address()));
    let path = house.put("big", 7, SIZE);
    let slow = ["send", "--limit-rate", "4MiB", &path];
    let mut sender = Running::start(&board.address(), &slow);
    until_under_way(&house, 1 << 20);
    house.daemon.signal(rustix::process::Signal::KILL);
    board.plug(None);
    assert!(sender.complaint().contains("trying again in"));
    house.daemon = Daemon::start(house.home.path(), &[]);
    board.plug(Some(house.daemon.address()));
    assert!(sender.line().ends_with("  big"));
    assert_eq!(sender.end(), 0);
    content::assert_file(&house.uploaded("big"), 7, SIZE as u64);
}

#[test]
fn a_file_that_grows_or_shrinks_while_it_is_sent_is_refused() {
    changed_while_sent("longer", |mut file| file.write_all(b"more").unwrap());
    changed_while_sent("shorter", |file| file.set_len(SIZE as u64 / 2).unwrap());
}

#[track_caller]
fn changed_while_sent(how: &str, change: impl FnOnce(&fs::File)) {
    let house = House::new();
    let path = house.put("log", 7, SIZE);
    let slow = ["send", "--limit-rate", "4MiB", &path];
    let mut sender = Running::start(&house.address(), &slow);
    until_under_way(&house, 1);
    change(&fs::File::options().append(true).open(&path).unwrap());
    assert_eq!(sender.end(), 74);
    let (told, expected) = (
        sender.complaint(),
        format!("became {how} while it was sent"),
    );
    assert!(told.contains(&expected), "{told}");
    assert_eq!(uploads(house.home.path()), [""; 0]);
}

#[test]
fn names_that_collide_are_refused_before_anything_is_sent() {
    let house = House::new();
    let (one, two) = (house.put("a/x", 1, 1), house.put("b/x", 2, 1));
    let (code, _, err) = house.run(&["send", &house.put("c", 3, 1), &one, &two]);
    assert!(code == 2 && err.contains("nothing was sent"), "{err}");
    assert_eq!(uploads(house.home.path()), [""; 0]);
}

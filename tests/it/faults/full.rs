//! A disk that is really full: a small file system in memory, filled by messages, by files and by
//! others. What has no place is refused as such, everything else goes on, and so does all of it once
//! there is space again.

use super::Trial;
use super::ledger::{Fate, Parcel, ROOM};
use crate::support::{frame, until};
use crate::trial::content;
use serde_json::{Value, json};
use std::fs::{DirEntry, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The size of the disk.
const DISK: &str = "size=48m";

/// What others have on it, in bytes.
const BALLAST: usize = 24 << 20;

/// A text that soon fills it, in bytes, and a piece of a file.
const LONG: usize = 60_000;
const PIECE: usize = 1 << 20;

/// A file system of its own, which goes with this.
struct Disk {
    folder: TempDir,
}

impl Disk {
    #[track_caller]
    fn mount() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(folder.path())
            .output()
            .expect("this test needs mount");
        assert!(
            mount.status.success(),
            "this test needs a file system of its own, and here none may be mounted \
             (CAP_SYS_ADMIN): {}",
            String::from_utf8_lossy(&mount.stderr)
        );
        Self { folder }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    /// Takes what is left of it, at most `bytes`.
    fn fill(&self, bytes: usize) {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast());
        let mut file = file.unwrap();
        let mut left = bytes;
        let mut length = left.min(PIECE);
        while left > 0 && length > 0 {
            match file.write(&vec![1; length.min(left)]) {
                Ok(written) if written > 0 => left -= written,
                // Down to the last page.
                _ => length /= 2,
            }
        }
    }

    fn clear(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since somebody may be slow to close a file there. Where it fails, a folder is left
        // over.
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.folder.path())
            .status();
    }
}

/// What is refused is refused because there is no space.
#[track_caller]
fn assert_no_space(refused: &[String]) {
    assert!(!refused.is_empty(), "there is space");
    let other = refused.iter().find(|it| !it.contains("no_space"));
    assert_eq!(other, None);
}

/// Posts long texts until there is no space for one.
#[track_caller]
fn fill_by_messages(trial: &mut Trial) -> usize {
    let mut peer = trial.daemon().peer();
    for number in 0.. {
        let text = format!("{}-{number}{}", trial.rounds, "x".repeat(LONG));
        let header = json!({"msg_type": "msg", "id": 1, "room": ROOM});
        let answer = peer.ask_with(&header, text.as_bytes());
        let seq = answer["seq"].as_u64();
        trial.ledger.messages.insert(text, seq);
        if seq.is_none() {
            assert_eq!(answer["code"], "no_space", "{answer}");
            return number;
        }
    }
    unreachable!("the disk is small")
}

/// Sends files until there is no space for one beside what is left to messages.
#[track_caller]
fn fill_by_files(trial: &mut Trial) -> usize {
    let mut peer = trial.daemon().peer();
    for number in 0.. {
        let name = format!("filling-{number}");
        let header = json!({"msg_type": "file", "id": 1, "file_name": name, "size": PIECE});
        let answer = peer.ask_with(&header, &content::bytes(1, PIECE));
        let is_kept = answer["ok"] == true;
        let parcel = Parcel {
            seed: 1,
            size: PIECE,
            fate: if is_kept { Fate::Kept } else { Fate::Unknown },
        };
        trial.ledger.files.insert(name, parcel);
        if !is_kept {
            assert_eq!(answer["code"], "no_space", "{answer}");
            peer.assert_in_step();
            return number;
        }
    }
    unreachable!("the disk is small")
}

/// Sends a file of a size that is not said, so that no space is set aside for it, and has the disk
/// fill up in its middle.
#[track_caller]
fn send_while_it_fills(trial: &Trial, disk: &Disk) -> Value {
    let mut peer = trial.daemon().peer();
    peer.header(&json!({"msg_type": "file", "id": 1, "file_name": "slow"}));
    let frame = frame(&vec![1; PIECE]);
    let (one, two) = frame.split_at(PIECE / 2);
    peer.raw(one);
    until("the first half is there", || {
        let incoming = disk.home().join("uploads/.incoming");
        let entries = std::fs::read_dir(incoming).unwrap();
        let length = |entry: std::io::Result<DirEntry>| Some(entry.ok()?.metadata().ok()?.len());
        entries.filter_map(length).any(|length| length > 0)
    });
    disk.fill(usize::MAX);
    peer.raw(two);
    let answer = peer.answer();
    peer.assert_in_step();
    answer
}

#[test]
#[ignore = "needs a file system of its own"]
fn a_full_disk_refuses_and_heals_by_itself() {
    let disk = Disk::mount();
    std::fs::create_dir(disk.home()).unwrap();
    disk.fill(BALLAST);
    let mut trial = Trial::at(disk.home());
    assert_eq!(trial.work(), [""; 0]);

    // By files, which leave some of it to messages.
    let sent = fill_by_files(&mut trial);
    println!("{sent} files of {PIECE} bytes filled it but for the reserve");
    assert!(sent > 2);
    let refused = trial.work();
    assert_no_space(&refused);
    let is_message = |it: &&String| {
        !["plain", "posted", "broken"]
            .iter()
            .any(|name| it.contains(name))
    };
    assert_eq!(refused.iter().find(is_message), None);

    // By messages, which may take all there is.
    let posted = fill_by_messages(&mut trial);
    println!("{posted} messages of {LONG} bytes filled it");
    assert!(posted > 50);
    assert_no_space(&trial.work());
    disk.clear();
    assert_eq!(trial.work(), [""; 0]);

    // By others, down to the last page, until after a restart.
    assert_eq!(send_while_it_fills(&trial, &disk)["code"], "no_space");
    assert_no_space(&trial.work());
    trial.restart();
    assert_no_space(&trial.work());
    disk.clear();
    assert_eq!(trial.work(), [""; 0]);
    trial.restart();
    assert_eq!(trial.work(), [""; 0]);
}

//! The course's clients in Python, written from the description of their bytes, in several manners:
//! as the course's send, everything glued together, a byte at a time, and without ever reading.

use super::house::{House, Taken};
use crate::support::{until, uploads};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const MANNERS: [&str; 4] = ["plain", "glued", "split", "deaf"];

/// Runs `script` to its end against listener `place`.
#[track_caller]
fn run(house: &House, place: usize, script: &str, manner: &str, arguments: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/course");
    let port = house.address(place).port().to_string();
    let output: Output = Command::new("python3")
        // Leaves nothing behind in the source.
        .args(["-B".as_ref(), folder.join(script).as_os_str()])
        .args([port.as_str(), manner])
        .args(arguments)
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .expect("python3 is there");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {manner}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs python3"]
fn cases_01_and_05_hello_and_tcp() {
    let urls = [
        "hello://127.0.0.1:0",
        "hello://127.0.0.1:0?reply=hello%20world",
    ];
    let house = House::with(&urls, &[]);
    for manner in MANNERS {
        for (place, text, answer) in [
            (0, "Hello,I am client", "Hello World\n"),
            (1, "hello", "hello world\n"),
        ] {
            let said = run(&house, place, "c01_hello.py", manner, &[text]);
            assert_eq!(said, if manner == "deaf" { "" } else { answer }, "{manner}");
            house.next_texts(text);
        }
    }
}

#[test]
#[ignore = "needs python3"]
fn case_02_bot() {
    let house = House::at("bot://127.0.0.1:0");
    let texts = ["马马", "冬冬冬", "Q"];
    let said = run(&house, 0, "c02_bot.py", "plain", &texts);
    assert_eq!(said, "你找谁呀!\n什么什么\n什么什么什么\n");
    for manner in ["glued", "split"] {
        let said = run(&house, 0, "c02_bot.py", manner, &["啊啊", "啊"]);
        assert_eq!(said, "你找谁呀!\n什么什么什么\n", "{manner}");
    }
    assert_eq!(run(&house, 0, "c02_bot.py", "deaf", &texts), "");
    // White space is answered; it is an empty line that sends nothing at all.
    assert_eq!(
        run(&house, 0, "c02_bot.py", "plain", &[" "]),
        "你找谁呀!\n什么\n"
    );
}

#[test]
#[ignore = "needs python3"]
fn case_03_upload() {
    let house = House::at("upload://127.0.0.1:0");
    let parcels = tempfile::tempdir().unwrap();
    let text = "hello file\n".repeat(211);
    let mut contents: Vec<(&str, Vec<u8>)> = vec![
        ("a.txt", b"hello file\n".to_vec()),
        ("text.txt", text.into_bytes()),
        ("2024-01-05.bin", b"0123456789\nbegins with digits".to_vec()),
        ("照-片.png", vec![0xff; 2320]),
        ("empty", Vec::new()),
    ];
    contents.push(("big.bin", (0..=255).cycle().take(2_000_000).collect()));
    for (name, content) in contents {
        let path = parcels.path().join(name);
        fs::write(&path, &content).unwrap();
        for manner in MANNERS {
            if manner == "split" && content.len() > 10_000 {
                continue;
            }
            run(
                &house,
                0,
                "c03_upload.py",
                manner,
                &[path.to_str().unwrap()],
            );
            let Taken::File {
                name: stored,
                bytes,
            } = house.next()
            else {
                panic!("a message?");
            };
            assert_eq!(bytes, content.len() as u64, "{stored} {manner}");
            let stored = fs::read(house.home().join("uploads").join(&stored)).unwrap();
            assert!(stored == content, "{name} {manner}");
        }
    }
    // Broken off at each byte of the prefix, and behind it.
    let path = parcels.path().join("x.txt");
    fs::write(&path, "hello, world").unwrap();
    let before = uploads(house.home()).len();
    for bytes in 1..=19 {
        let arguments = [path.to_str().unwrap(), &bytes.to_string()];
        run(&house, 0, "c03_upload.py", "plain", &arguments);
    }
    let (summary, left) = house.drain();
    assert_eq!((summary.files as usize, left), (before, vec![]));
}

#[test]
#[ignore = "needs python3"]
fn case_04_login() {
    let house = House::at("login://127.0.0.1:0");
    for manner in MANNERS {
        let deaf = manner == "deaf";
        let between = if manner == "plain" { "\n" } else { "" };
        for (password, verdict) in [("123", "登陆成功"), ("124", "账号或密码错误")] {
            let said = run(&house, 0, "c04_login.py", manner, &["zhangsan", password]);
            let expected = format!("欢迎使用XX系统{between}{verdict}\n");
            assert_eq!(said, if deaf { "" } else { &expected }, "{manner}");
        }
    }
}

#[test]
#[ignore = "needs python3"]
fn case_06_udp() {
    let house = House::at("udp://127.0.0.1:0");
    for manner in ["plain", "deaf"] {
        let said = run(&house, 0, "c06_udp.py", manner, &["hello", "", "再见"]);
        let answers = "已收到\n".repeat(3);
        assert_eq!(said, if manner == "deaf" { "" } else { &answers });
        for text in ["hello", "", "再见"] {
            assert_eq!(house.next_text(), text);
        }
    }
}

#[test]
#[ignore = "needs python3"]
fn cases_07_10_and_11_texts_without_an_answer() {
    let house = House::at("sink://127.0.0.1:0");
    for manner in MANNERS {
        for texts in [&["kinght love ", "aym"][..], &["ABCDEFGH"], &["你好", "吗"]] {
            run(&house, 0, "c07_sticky.py", manner, texts);
            house.next_texts(&texts.concat());
        }
    }
}

#[test]
#[ignore = "needs python3"]
fn cases_07b_and_08_texts_with_a_length() {
    let urls = ["frames://127.0.0.1:0?length=ascii", "frames://127.0.0.1:0"];
    let house = House::with(&urls, &[]);
    for manner in MANNERS {
        for (place, script, texts) in [
            (0, "c07b_ascii_length.py", ["kinght love ", "aym"]),
            (1, "c08_struct.py", ["xin正在学习", "应该没有"]),
        ] {
            run(&house, place, script, manner, &texts);
            for text in texts {
                assert_eq!(house.next_text(), text, "{script} {manner}");
            }
        }
    }
}

#[test]
#[ignore = "needs python3"]
fn case_09_framed_beside_the_others() {
    let house = House::with(&["framed://127.0.0.1:0", "sink://127.0.0.1:0"], &[]);
    let parcels = tempfile::tempdir().unwrap();
    let parcel = parcels.path().join("parcel.bin");
    fs::write(&parcel, vec![7; 5000]).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/course/framed_client.py");
    let port = house.address(0).port().to_string();
    let file = format!("file|{}", parcel.display());
    let status = Command::new("python3")
        .arg(script)
        .args([&port, "msg|你好", &file])
        .status();
    assert!(status.expect("python3 is there").success());
    assert_eq!(house.next_text(), "你好");
    let (name, bytes) = ("parcel.bin".to_owned(), 5000);
    assert_eq!(house.next(), Taken::File { name, bytes });
    until("it is there", || uploads(house.home()) == ["parcel.bin"]);
}

#[test]
#[ignore = "needs python3"]
fn case_12_sleep_holds_nobody_up() {
    let house = House::at("delay://127.0.0.1:0");
    let begun = Instant::now();
    let texts = ["first", "sleep", "second", "third"];
    let said = run(&house, 0, "c12_sleep.py", "plain", &texts);
    assert!(begun.elapsed() >= Duration::from_secs(5));
    let mut lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines.pop(),
        Some("已收到延时反馈信息:sleep"),
        "it comes last"
    );
    lines.sort_unstable();
    let at_once = ["first", "second", "third"].map(|text| format!("已收到普通信息:{text}"));
    assert_eq!(lines, at_once);
    run(&house, 0, "c12_sleep.py", "deaf", &texts);
}

//! Clients that are not ours, in Python: the example that the README shows, and the course's
//! framed client, which never reads and leaves at once.

use crate::support::{Daemon, until, uploads, write_accounts};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn python(script: &str, daemon: &Daemon, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    Command::new("python3")
        .arg(script)
        .args(arguments)
        .env("GATEPOST_SERVER", daemon.address().to_string())
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .expect("python3 is there")
}

#[track_caller]
fn assert_success(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_example_is_as_short_as_it_says() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/client.py");
    let text = fs::read_to_string(example).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.starts_with("\"\"\"");
    assert!(text.lines().filter(is_code).count() <= 20);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    assert!(
        readme.contains(text.trim()),
        "the README shows another client.py"
    );
}

#[test]
#[ignore = "needs python3"]
fn the_example_hands_in_and_logs_in() {
    let home = tempfile::tempdir().unwrap();
    write_accounts(home.path(), &[("zhangsan".to_owned(), "123".to_owned())]);
    let daemon = Daemon::start(home.path(), &[]);
    let said = assert_success(&python("examples/client.py", &daemon, &["zhangsan", "123"]));
    assert!(said.contains("message 1 is on the disk"), "{said}");
    assert!(said.contains("file hello.txt is on the disk"), "{said}");
    assert!(said.contains("什么"), "{said}");
    assert!(said.contains("登陆成功"), "{said}");
    assert_eq!(
        fs::read(home.path().join("uploads/hello.txt")).unwrap(),
        b"hello file\n"
    );
    let refused = python("examples/client.py", &daemon, &["zhangsan", "124"]);
    assert!(!refused.status.success(), "a wrong password was let in");
}

#[test]
#[ignore = "needs python3"]
fn the_course_client_loses_nothing_however_fast_it_leaves() {
    let home = tempfile::tempdir().unwrap();
    let parcels = tempfile::tempdir().unwrap();
    let parcel = parcels.path().join("parcel.bin");
    let bytes: Vec<u8> = (0..=255u8).cycle().take(300_000).collect();
    fs::write(&parcel, &bytes).unwrap();
    let mut daemon = Daemon::start(home.path(), &[]);
    let port = daemon.address().port().to_string();
    let file = format!("file|{}", parcel.display());
    const RUNS: usize = 10;
    for run in 0..RUNS {
        let text = format!("msg|第{run}次");
        let arguments = [port.as_str(), &text, &file, "msg|bye"];
        assert_success(&python(
            "tests/course/framed_client.py",
            &daemon,
            &arguments,
        ));
    }
    // Nothing tells when an unanswered file is there, so it is looked for.
    until("every file is there", || uploads(home.path()).len() == RUNS);
    daemon.wait_for_line(|line| line.contains("第9次"));
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    for name in uploads(home.path()) {
        let stored = fs::read(home.path().join("uploads").join(&name)).unwrap();
        assert!(stored == bytes, "{name} differs");
    }
    for run in 0..RUNS {
        let shown = said
            .iter()
            .filter(|line| line.contains(&format!("第{run}次")))
            .count();
        assert_eq!(shown, 1, "message {run}: {said:#?}");
    }
}

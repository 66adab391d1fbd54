//! Tests of what `gatepost send` makes of its arguments and answers.

use super::*;
use crate::cli::exit::Exit;
use crate::cli::server::tests::typed;
use std::path::Path;

#[test]
fn a_name_goes_with_one_file() {
    assert!(typed::<Args>(&[]).is_err());
    let failure = run(typed(&["a", "b", "--name", "c"]).unwrap()).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    let failure = run(typed(&["-"]).unwrap()).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    for wrong in [["--digest", "md5", "a"], ["--ack", "never", "a"]] {
        assert!(typed::<Args>(&wrong).is_err());
    }
}

#[test]
fn another_name_is_told() {
    let stored = |name: &str| Stored {
        name: name.to_owned(),
        size: 1,
        digest: None,
        duplicate: false,
        seq: None,
        prev: None,
    };
    let parcel = Parcel::new(Path::new("/x/a.png"), None).unwrap();
    assert_eq!(rename(&parcel, &stored("a.png")), None);
    let told = rename(&parcel, &stored("a (2).png"));
    assert_eq!(told.as_deref(), Some("a.png is kept as a (2).png"));
    assert_eq!(stored_as_line(&stored("a.png")), "a.png (1 byte)");
}

#[test]
fn the_command_that_resumes_names_what_is_left() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("it's");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a"), "").unwrap();
    std::fs::write(folder.join("b"), "").unwrap();
    let folder = folder.to_str().unwrap();
    let line = [
        "--server=127.0.0.1:9",
        "--user=lisi",
        "--room=team",
        "--digest=sha256",
        "--ack=received",
        "--limit-rate=1MiB",
        "--no-resume",
        "x",
        folder,
        "y",
    ];
    let args: Args = typed(&line).unwrap();
    let tree = Tree::grow(&args.files, None).unwrap();
    // x and one file of the folder are done.
    let told = args.how_to_resume(&tree, |file| file < 2);
    let quoted = folder.replace('\'', r"'\''");
    let expected = format!(
        "resume with: gatepost send --server=127.0.0.1:9 --user=lisi --room=team --digest=sha256 \
         --ack=received --limit-rate=1MiB -- '{quoted}' y"
    );
    assert_eq!(told, expected);
    let args: Args = typed(&["-", "--name=x"]).unwrap();
    let tree = Tree::grow(&args.files, Some("x")).unwrap();
    assert!(
        args.how_to_resume(&tree, |_| false)
            .contains("can't be resumed")
    );
}

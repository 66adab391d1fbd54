//! Tests of what `gatepost get` makes of its arguments.

use super::*;
use crate::cli::exit::Exit;
use crate::cli::server::tests::typed;

fn targets(line: &[&str]) -> Result<Vec<Option<PathBuf>>, Exit> {
    let args: Args = typed(line).unwrap();
    let output = args.check_output().map_err(|failure| failure.exit)?;
    let wanted = args.wanted(output).map_err(|failure| failure.exit)?;
    Ok(wanted.into_iter().map(|wanted| wanted.target).collect())
}

#[test]
fn files_go_where_it_is_said() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let some = |paths: &[String]| Ok(paths.iter().map(|path| Some(path.into())).collect());
    assert_eq!(targets(&["a"]), some(&["a".to_owned()]));
    let (a, b) = (format!("{home}/a"), format!("{home}/b"));
    assert_eq!(targets(&["a", "b", "-o", home]), some(&[a.clone(), b]));
    assert_eq!(targets(&["b", "-o", &a]), some(std::slice::from_ref(&a)));
    assert_eq!(targets(&["a", "-o", "-"]), Ok(vec![None]));
    for wrong in [
        &["a", "b", "-o", "-"][..],
        &["a", "--json", "-o", "-"],
        &["a", "--folder", "-o", "-"],
        &["a", "b", "-o", &a],
        &["a", "a"],
        &["../a"],
        &[".a"],
        &["/etc/passwd"],
    ] {
        assert_eq!(targets(wrong), Err(Exit::Usage), "{wrong:?}");
    }
    assert!(typed::<Args>(&[]).is_err());
}

#[test]
fn the_same_command_goes_on() {
    let line = [
        "--server=127.0.0.1:9",
        "--output=/x",
        "--folder",
        "--",
        "a",
        "b",
    ];
    let args: Args = typed(&line).unwrap();
    assert_eq!(args.typed(), line);
}

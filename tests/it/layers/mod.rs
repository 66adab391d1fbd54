//! The picture of the house, held true: which module may name which, who may touch the disk, who
//! may print, and who may know the time. The rules stand in `rules`, how paths are found in
//! `paths`, and `snippets` proves that the check can fail.

mod paths;
mod rules;
mod snippets;

use paths::scan;
use rules::{LAYERS, judge};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One source file and the module it is.
struct Source {
    file: PathBuf,
    module: Vec<String>,
    test: bool,
}

/// Reads a file of the package.
#[track_caller]
fn read(file: &Path) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every file that `mod` declarations lead to from `src/lib.rs`, and what is wrong with it.
fn walk() -> (BTreeSet<PathBuf>, Vec<String>) {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut waiting = vec![Source {
        file: "src/lib.rs".into(),
        module: Vec::new(),
        test: false,
    }];
    while let Some(source) = waiting.pop() {
        let found = scan(&read(&source.file), &source.module, source.test, &[]);
        let layer = source.module.first().map_or("lib", String::as_str);
        wrong.extend(judge(&source.file, layer, &found.named));
        for declared in found.declared {
            let folder = Path::new("src").join(declared.module.join("/"));
            let candidates = [folder.with_extension("rs"), folder.join("mod.rs")];
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let file = candidates.into_iter().find(|file| root.join(file).exists());
            waiting.push(Source {
                file: file.unwrap_or_else(|| panic!("no file for {:?}", declared.module)),
                module: declared.module,
                test: declared.test,
            });
        }
        seen.insert(source.file);
    }
    let main = PathBuf::from("src/main.rs");
    let found = scan(&read(&main), &[], false, &["gatepost"]);
    wrong.extend(judge(&main, "main", &found.named));
    seen.insert(main);
    (seen, wrong)
}

fn rust_files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.insert(path);
        }
    }
}

#[test]
fn no_layer_looks_up_and_each_keeps_to_its_own() {
    let (_, wrong) = walk();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_file_in_src_is_looked_at() {
    let mut there = BTreeSet::new();
    rust_files(Path::new("src"), &mut there);
    let (seen, _) = walk();
    let missed: Vec<_> = there.difference(&seen).collect();
    assert!(missed.is_empty(), "declared by no `mod`: {missed:?}");
}

#[test]
fn every_file_in_src_says_what_it_is_for() {
    let (seen, _) = walk();
    let silent: Vec<_> = seen
        .iter()
        .filter(|file| !read(file).starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "no `//!` at the top of: {silent:?}");
}

#[test]
fn every_module_has_its_row_below_what_it_uses() {
    let top = scan(&read(Path::new("src/lib.rs")), &[], false, &[]);
    for declared in &top.declared {
        let name = &declared.module[0];
        let known = LAYERS.iter().any(|(layer, _)| layer == name);
        assert!(
            known,
            "module {name} has no row in tests/it/layers/rules.rs"
        );
    }
    for (layer, _) in LAYERS {
        let is_there = top
            .declared
            .iter()
            .any(|declared| declared.module == [*layer]);
        assert!(
            is_there || *layer == "main",
            "there is no module {layer} any more"
        );
    }
    // A row that names only rows above it can close no circle.
    for (index, (layer, uses)) in LAYERS.iter().enumerate() {
        for used in *uses {
            let above = LAYERS[..index].iter().any(|(above, _)| above == used);
            assert!(above, "{layer} may use {used}, which stands beneath it");
        }
    }
}
